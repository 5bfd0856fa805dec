"""Whether the contents of a packet fit its kind and its length (format 1.7 d).

Section numbers refer to the ORCA format.
"""

from libc.string cimport memcmp

from ..._core.bytes cimport load_i32, load_u32
from ..._core.window cimport *
from ...fc.layout cimport (
    HANDSHAKE_BYTES, MAX_CARDS, MAX_TRACES, PROTOCOL_TAG, TAG_CONFIG, TAG_EVENT,
    TAG_EVENT_HEADER, TAG_FSP_STATUS, TAG_SPARSE_EVENT, TAG_STATUS,
)

cdef enum:
    LAST_TAG = TAG_FSP_STATUS
    MAX_FRAMES = 1024       # frames of a packet to check
    MAX_PADDING = 64        # bytes behind the text of a header to check
    # bits of record tags, for the decoder of a packet; other records are from the
    # stream processor (format 4.4)
    MAIN_TAGS = (
        1 << TAG_CONFIG | 1 << TAG_EVENT | 1 << TAG_STATUS | 1 << TAG_SPARSE_EVENT
        | 1 << TAG_EVENT_HEADER
    )
    FIRST_TIME = 1 << 29    # 1987: earlier than any run


cdef bint looks_right(const Window* w, const Ids* ids, const Packet* p) noexcept nogil:
    """Whether the contents of a packet fit its kind and its length.

    If the packet is longer than the window, only its first words are checked.
    """
    cdef Packet q = as_long(p)
    cdef const uint8_t* words = w.data + q.start
    cdef int64_t n_words = q.n_words
    cdef int64_t there = min((w.n - q.start) // 4, n_words)
    if p.kind == KIND_HEADER:
        return True
    if p.kind == KIND_RECORD:
        return has_shape(words, n_words, there, &ids.shapes[p.decoder_index])
    if p.kind == KIND_HISTOGRAM:
        return is_histogram(words, n_words, there)
    if p.kind == KIND_LISTENER_CONFIG:
        return is_listener_config(words, n_words, there)
    if p.kind == KIND_FCIO:
        return is_fcio(words, n_words, there, ids.variant[p.decoder_index])
    if p.kind == KIND_WAVEFORM:
        return is_waveform(words, n_words, there)
    if p.kind >= KIND_SIS3302:
        return is_of_digitizer(words, n_words, there, p.kind)
    return False


cdef bint has_shape(
    const uint8_t* words, int64_t n_words, int64_t there, const Shape* s
) noexcept nogil:
    """Whether a record has a length and times that its kind allows."""
    cdef int64_t more = n_words - s.least
    cdef int k
    cdef bint is_timed = s.time == 0
    if more < 0:
        return False
    if s.count_mask:
        if there <= s.count_word:
            return True
        more -= s.step * <int64_t>(
            load_u32(words + 4 * s.count_word) >> s.count_bit & s.count_mask
        )
        if more > s.spare or (more < 0 and not s.is_part):
            return False
    elif s.step:
        if more % s.step:
            return False
    elif more > s.spare:
        return False
    if there > 1 and load_u32(words + 4) & s.clear:
        return False
    for k in range(s.time, s.time + 2 * s.n_times, 2):
        if is_timed or k >= there:
            return True
        is_timed = load_u32(words + 4 * k) >= FIRST_TIME
    return is_timed


cdef bint is_histogram(
    const uint8_t* words, int64_t n_words, int64_t there
) noexcept nogil:
    """Whether name and bins, each with a count, fill a record (format 5.7)."""
    cdef int64_t n_name
    if n_words < 3:
        return False
    if there < 2:
        return True
    n_name = load_u32(words + 4)
    if n_words < 3 + n_name:
        return False
    return there < 3 + n_name or (
        n_words == 3 + n_name + load_u32(words + 4 * (2 + n_name))
    )


cdef bint is_listener_config(
    const uint8_t* words, int64_t n_words, int64_t there
) noexcept nogil:
    """Whether the trace map and optional card ids fill a record (format 4.3.1)."""
    cdef int64_t n_traces, n_cards
    if n_words < 13:
        return False
    if there < 12:
        return True
    n_traces = load_u32(words + 12)
    n_cards = load_u32(words + 44)
    if n_traces > MAX_TRACES or n_cards > MAX_CARDS:
        return False
    # older records always have the largest map, and no ids
    return n_words == 13 + MAX_TRACES or (
        n_words == 13 + n_traces + (n_cards + 3) // 4 + 2 * n_cards
    )


cdef bint is_fcio(
    const uint8_t* words, int64_t n_words, int64_t there, int allowed
) noexcept nogil:
    """Whether FCIO records fill a packet (format 4.4)."""
    cdef int64_t begin
    cdef uint32_t word
    if n_words < 3 or there < 3:
        return False
    if there >= n_words:
        return fcio_records(
            words + 8, 4 * (n_words - 2), allowed, &begin
        ) == RECORDS_WHOLE
    word = load_u32(words + 8)
    return word == <uint32_t>PROTOCOL_TAG or word >= <uint32_t>-LAST_TAG


cdef bint is_waveform(
    const uint8_t* words, int64_t n_words, int64_t there
) noexcept nogil:
    """Whether the lengths in a trace of the first generation add up (format 4.3.3)."""
    cdef uint32_t word
    cdef int64_t oh, fh, ns
    if n_words < 18 or there < 2:
        return False
    word = load_u32(words + 4)
    oh = word >> 28
    fh = (word >> 22) & 0x3F
    ns = (word >> 6) & 0xFFFF
    if oh == 0:
        return word >> 5 == 0
    return ns % 2 == 0 and oh >= 3 and fh >= 15 and (
        oh + fh + ns // 2 == n_words or (ns == 0 and oh + fh <= n_words)
    )


cdef inline bint has_mark(
    const uint8_t* words, int64_t n_words, int64_t there, int64_t end
) noexcept nogil:
    """Whether an event of SIS3302 ends at word `end`, in front of the packet's end."""
    return end < n_words and end <= there and (
        load_u32(words + 4 * end - 4) == <uint32_t>0xDEADBEEF
    )


cdef bint is_of_digitizer(
    const uint8_t* words, int64_t n_words, int64_t there, Kind kind
) noexcept nogil:
    """Whether a packet's first event is possible (format 4.5, 4.6, 5.1 to 5.6)."""
    cdef uint32_t word
    cdef int64_t least, n_energy
    cdef int k
    if n_words < 6 or there < 5:
        return False
    word = load_u32(words + 8)
    if kind == KIND_SIS3302:
        # checks lengths, the repeated channel, the mark at the end
        least = 8 + (4 if load_u32(words + 4) & 1 else 2) + <int64_t>word
        n_energy = load_u32(words + 12)
        # if the mark is where the event ends, the length of the packet is wrong; one
        # kind of readout writes twice the length of the energy trace
        if has_mark(words, n_words, there, least + n_energy) or has_mark(
            words, n_words, there, least + n_energy // 2
        ):
            return False
        return (
            n_words >= least
            and load_u32(words + 16) & 7 == (load_u32(words + 4) >> 8 & 0xFF)
            and (
                there < n_words
                or load_u32(words + 4 * n_words - 4) == <uint32_t>0xDEADBEEF
            )
        )
    if kind == KIND_SIS3316:
        # checks the room for all events, the channel, unused words
        if word == 0 or n_words < 10 + 3 * <int64_t>word or there < 10:
            return False
        for k in range(6, 10):
            if load_u32(words + 4 * k):
                return False
        return load_u32(words + 4) >> 8 & 0xFF < 16
    if kind == KIND_GRETINA4M:
        return n_words % 1024 == 2 and word == <uint32_t>0xAAAAAAAA
    if kind == KIND_GRETINA4A:
        return word == <uint32_t>0xAAAAAAAA and (
            2 + (load_u32(words + 12) >> 16 & 0x7FF) < n_words
        )
    if kind == KIND_SIS3305:
        return word >= 4 and n_words >= 4 + <int64_t>word and (
            load_u32(words + 12) & 0xFFFF
        )
    if kind == KIND_SIS3320:
        if n_words < 12 or there < 12:
            return False
        word = load_u32(words + 44)
        return word >> 16 == 0xEDED or (
            word >> 16 == 0xDADA and n_words >= 12 + (<int64_t>(word & 0xFFFF) + 1) // 2
        )
    least = 2 + <int64_t>(word & 0xFFFFFFF)
    return word >> 28 == 0xA and least >= 6 and (
        n_words == least or (n_words > least and kind < KIND_DT5725)
    )


cdef Records fcio_records(
    const uint8_t* data, int64_t n, int allowed, int64_t* begin
) noexcept nogil:
    """Look for a record of the packet's decoder (format 4.4).

    `begin` is set to its offset, or to that of the stream processor's record before it:
    earlier records belong to other decoders. Only the first `MAX_FRAMES` frames are
    checked: a packet may be filled up with any number of zeros, and a search calls this
    function for each of its words.
    """
    cdef int64_t at = 0
    cdef int64_t word
    cdef int k
    cdef bint passing = False
    cdef bint found = False
    begin[0] = 0
    for k in range(MAX_FRAMES):
        if n - at < 4:
            break
        word = load_i32(data + at)
        at += 4
        if word > 0:
            at += word
        elif word == PROTOCOL_TAG:
            at += HANDSHAKE_BYTES - 4
        elif -LAST_TAG <= word < 0 and not found:
            found = allowed >> -word & 1
            if passing and (found or not MAIN_TAGS >> -word & 1):
                passing = False
                begin[0] = at - 4
            elif MAIN_TAGS >> -word & 1 and not found:
                passing = True
    if not found:
        return RECORDS_NONE
    return RECORDS_TOO_LONG if at > n else RECORDS_WHOLE


cdef int64_t end_of_records(const Window* w, const Packet* p) noexcept nogil:
    """Return the end of the last frame of an FCIO packet; zeros may follow."""
    cdef int64_t at = p.start + 4 * p.head_words + 4
    cdef int64_t end = at
    cdef int64_t stop = end_of(p)
    cdef int64_t word
    while stop - at >= 4:
        word = load_i32(w.data + at)
        at += HANDSHAKE_BYTES if word == PROTOCOL_TAG else 4 + max(word, 0)
        if word:
            end = at
    # the last frame may exceed the packet
    return min(end, stop)


cdef bint can_look_wrong(const Ids* ids, const Packet* p) noexcept nogil:
    """Whether the contents of a packet are evidence for or against it."""
    cdef const Shape* s = &ids.shapes[p.decoder_index]
    if p.kind == KIND_RECORD and (p.n_words == 1 or (
        s.step and not s.time and (s.is_part or not s.count_mask)
    )):
        # a single word, or any number of words without a time
        return False
    return p.kind != KIND_UNKNOWN


cdef bint ends_well(const Window* w, const Ids* ids, const Packet* p) noexcept nogil:
    """Whether the text of a header ends as a whole one does (format 1.2)."""
    cdef int64_t end = end_of(p)
    cdef int64_t start = max(p.start + 16, end - MAX_PADDING)
    if ids.is_swapped:
        return True
    while end > start and w.data[end - 1] in (0, 10, 13, 32):
        end -= 1
    return end > start and memcmp(w.data + end - 8, b"</plist>", 8) == 0
