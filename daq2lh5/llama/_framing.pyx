"""Find events, and read the words in front of their samples.

The configuration of a channel determines the length of its events. The numbers of
samples in status word and average word must agree with it. Sections are those of the
llamaDAQ format.

The old version (8) is in `_chunks.pyx`.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from .._core.bytes cimport load_u16
from .._core.window cimport *
from ._wire cimport *
from .layout cimport *

cdef enum:
    # longest event of a channel without a configuration: random words must not make
    # the streamer read the whole input into memory
    MAX_UNANNOUNCED_BYTES = 1 << 22


cdef Reason read_marks(const uint8_t* data, int64_t n, Event* e) noexcept nogil:
    """Read the first word, the status word and the average word (2)."""
    cdef const uint8_t* status
    cdef const uint8_t* average
    if n < 4:
        return REASON_PAST_END
    e.key = sis3316_event_get_channel_id(data)
    e.bits = sis3316_event_get_format_bits(data)
    e.samples = bytes_before_status(e.bits) + SIS3316_STATUS_BYTES
    if n < e.samples:
        return REASON_PAST_END
    status = data + e.samples - SIS3316_STATUS_BYTES
    e.raw_words = sis3316_status_get_raw_words(status)
    e.maw = sis3316_status_get_has_maw(status)
    e.flag = sis3316_status_get_flag(status)
    e.averaged_words = 0
    e.counter = 0
    if sis3316_status_get_mark(status) == MARK_AVERAGED:
        average = data + e.samples
        e.samples += SIS3316_AVERAGE_BYTES
        if n < e.samples:
            return REASON_PAST_END
        if sis3316_average_get_mark(average) != MARK_PLAIN:
            return REASON_AVERAGE
        e.averaged_words = sis3316_average_get_averaged_words(average)
        e.counter = sis3316_average_get_counter(average)
    elif sis3316_status_get_mark(status) != MARK_PLAIN:
        return REASON_STATUS
    e.length = e.samples + 4 * (e.raw_words + e.averaged_words)
    return REASON_NONE


cdef Reason read_head(
    const uint8_t* data, int64_t n, const Channel* channels, Event* e
) noexcept nogil:
    """Read the words in front of the samples, from `n` bytes of the window."""
    cdef const Channel* c
    cdef Reason reason
    cdef int64_t rest
    if n < 4:
        return REASON_PAST_END
    e.key = sis3316_event_get_channel_id(data)
    e.bits = sis3316_event_get_format_bits(data)
    c = &channels[e.key]
    if not c.known:
        return REASON_CHANNEL
    if bytes_before_status(e.bits) >= 4 * c.words:
        return REASON_LENGTHS
    reason = read_marks(data, n, e)
    if reason != REASON_NONE:
        return reason
    rest = c.words - e.length // 4
    e.length = 4 * c.words
    if rest < 0 or (rest > 0 and not e.maw):
        return REASON_LENGTHS
    if e.raw_words and e.raw_words != c.raw_words:
        return REASON_WIDTH
    if e.averaged_words and c.averaged_words and e.averaged_words != c.averaged_words:
        return REASON_WIDTH
    return REASON_NONE


cdef bint accumulators_fit(const uint8_t* data, uint32_t bits) noexcept nogil:
    """Whether all accumulators fit 28 bits (2)."""
    cdef const uint8_t* block = data + SIS3316_EVENT_BYTES
    cdef uint32_t all_bits = 0
    cdef int i
    if bits & 1:
        for i in range(SIS3316_PEAK_N_ACCUMULATORS):
            all_bits |= sis3316_peak_get_accumulators(block, i)
        block += SIS3316_PEAK_BYTES
    if bits & 2:
        for i in range(SIS3316_ACCUMULATORS_N_ACCUMULATORS):
            all_bits |= sis3316_accumulators_get_accumulators(block, i)
    return all_bits >> 28 == 0


# ---- file headers ----------------------------------------------------------------------


cdef int64_t header_bytes(const uint8_t* data, int64_t n) noexcept nogil:
    """Return the length of the file header at `data`, or 0 (format 1.1, 8.1)."""
    cdef int64_t number, length
    cdef uint32_t magic
    if n < LLAMA_HEADER_BYTES + LLAMA_HEADER_80_BYTES:
        return 0
    magic = llama_header_get_magic(data)
    number = llama_header_get_n_channels(data)
    length = llama_header_get_config_bytes(data)
    if not 0 < number <= N_KEYS:
        return 0
    if magic == MAGIC and length == LLAMA_CONFIG_BYTES:
        return LLAMA_HEADER_BYTES + number * LLAMA_CONFIG_BYTES
    if magic != MAGIC_OLD:
        return 0
    if length == LLAMA_CONFIG_68_BYTES:
        return LLAMA_HEADER_BYTES + number * LLAMA_CONFIG_68_BYTES
    # the layout with configurations of 80 bytes
    data += LLAMA_HEADER_BYTES
    if length == 0 and llama_header_80_get_config_bytes(data) == LLAMA_CONFIG_80_BYTES:
        return (
            LLAMA_HEADER_BYTES + LLAMA_HEADER_80_BYTES + number * LLAMA_CONFIG_80_BYTES
        )
    return 0


# ---- steps -----------------------------------------------------------------------------


cdef void look_for(Step* s, Reason reason, int64_t resume, bint cut) noexcept nogil:
    """Set the step to damage, with the start of the search for the next event."""
    s.kind = STEP_SCAN
    s.reason = reason
    s.resume = resume
    s.cut = cut


cdef void wait_for(Step* s, int64_t need) noexcept nogil:
    """Set the step to wait for `need` bytes in the window."""
    s.kind = STEP_MORE
    s.need = need


cdef bint is_at_hand(
    const Window* w, int64_t end, int64_t resume, Step* s
) noexcept nogil:
    """Whether the window reaches to `end`; otherwise the step waits, or is damage."""
    if end <= w.n:
        return True
    if ends_before(w, end):
        look_for(s, REASON_PAST_END, resume, True)
    else:
        wait_for(s, end)
    return False


cdef bint begins_with_zeros(const Window* w, int64_t at) noexcept nogil:
    """Whether eight bytes of zeros are at `at`.

    As an event they would mean channel 0, no format bits, and time 0.
    """
    cdef const uint8_t* p = claim(w, at, SIS3316_EVENT_BYTES)
    return p != NULL and (
        sis3316_event_get_head(p) == sis3316_event_get_ticks_low(p) == 0
    )


cdef bint step_at_header(const Window* w, int64_t at, Step* s) noexcept nogil:
    """Set the step to the file header at `at`; False without a header."""
    cdef int64_t length = header_bytes(w.data + at, w.n - at)
    if length == 0:
        return False
    s.length = length
    if is_at_hand(w, at + length, at + 1, s):
        s.kind = STEP_HEADER
    return True


cdef Found is_sound_after(
    const Window* w, const Channel* channels, int64_t at, Step* s
) noexcept nogil:
    """Whether an event or header, a part of one, or the end of the data is at `at`."""
    cdef Event* e = &s.after
    cdef Reason reason
    cdef int64_t rest = w.n - at
    s.after_at = -1
    if rest == 0 and w.at_end:
        return FOUND_YES
    if rest < MAX_HEAD_BYTES and not w.at_end:
        s.need = at + MAX_HEAD_BYTES
        return FOUND_MORE
    reason = read_head(w.data + at, rest, channels, e)
    if reason == REASON_NONE:
        s.after_at = at
        return FOUND_YES
    # cut off in front of the samples: only the first word can be checked
    if reason == REASON_PAST_END and rest >= 4 and e.bits == channels[e.key].bits:
        return FOUND_YES
    return FOUND_YES if header_bytes(w.data + at, rest) else FOUND_NO


cdef bint may_be_event(const uint8_t* data, int64_t n, Event* e) noexcept nogil:
    """Whether the words here are valid as an event of any channel."""
    return (
        read_marks(data, n, e) == REASON_NONE
        and not e.maw
        and e.raw_words + e.averaged_words > 0
        and e.length <= MAX_UNANNOUNCED_BYTES
        and accumulators_fit(data, e.bits)
    )


cdef bint step_at_unannounced(
    const Window* w, int64_t at, const Channel* channels, Step* s
) noexcept nogil:
    """Set the step to an event of a channel without a configuration, or return False.

    Its own words determine its length (format 1.2, 2). It is accepted if an event, a
    header or the end follows, and no event of a configured channel begins inside.
    """
    cdef Event after
    cdef Found found
    cdef int64_t end, where
    if not may_be_event(w.data + at, w.n - at, &s.event):
        return False
    end = at + s.event.length
    if ends_before(w, end):
        return False
    if end > w.n:
        wait_for(s, end)
        return True
    found = is_sound_after(w, channels, end, s)
    if found == FOUND_MORE:
        s.kind = STEP_MORE
        return True
    if found == FOUND_NO and not (
        may_be_event(w.data + end, w.n - end, &after)
        # another event of the channel, possibly cut off
        or w.n - end >= 4 and load_u16(w.data + end) == load_u16(w.data + at)
    ):
        return False
    found = find_event(w, channels, at + 1, end, &where, &s.need)
    if found == FOUND_YES:
        return False
    s.kind = STEP_MORE if found == FOUND_MORE else STEP_CHANNEL
    return True


cdef void next_event(
    const Window* w, int64_t at, const Channel* channels, Step* s
) noexcept nogil:
    """Determine the next step at `at`.

    An event is accepted if an event, or the end, follows. Otherwise bytes may be
    missing: another event that starts inside takes precedence (7).
    """
    cdef Found found
    cdef int64_t rest = w.n - at
    cdef int64_t end, where
    s.lead = 0
    if rest < MAX_HEAD_BYTES and not w.at_end:
        wait_for(s, at + MAX_HEAD_BYTES)
        return
    if rest == 0:
        s.kind = STEP_END
        return
    if rest < 4:
        look_for(s, REASON_STRAY, w.n, True)
        return
    if s.after_at == at:
        s.event = s.after
        s.reason = REASON_NONE
    else:
        s.reason = read_head(w.data + at, rest, channels, &s.event)
    if s.reason == REASON_CHANNEL and (
        step_at_header(w, at, s) or step_at_unannounced(w, at, channels, s)
    ):
        return
    if s.reason != REASON_NONE:
        if not step_at_header(w, at, s):
            look_for(s, s.reason, at + 1, s.reason == REASON_PAST_END)
        return
    end = at + s.event.length
    if not is_at_hand(w, end, at + 1, s):
        return
    found = is_sound_after(w, channels, end, s)
    if found == FOUND_NO:
        found = find_event(w, channels, at + 1, end, &where, &s.need)
        if found == FOUND_YES:
            look_for(s, REASON_RUNS_INTO, where, False)
            return
    s.kind = STEP_MORE if found == FOUND_MORE else STEP_EVENT


cdef Found find_event(
    const Window* w, const Channel* channels, int64_t start, int64_t stop,
    int64_t* found, int64_t* need,
) noexcept nogil:
    """Search for an event that fits its configuration, or a file header.

    Channel, format bits, mark and lengths must fit: that is 46 bits, and 28 more of
    accumulators, so samples are not taken for an event. Its samples need not be there.
    """
    cdef Event e
    cdef const Channel* c
    cdef const uint8_t* p
    cdef uint32_t head, bits
    cdef int64_t at, rest
    for at in range(start, stop):
        found[0] = at
        rest = w.n - at
        if rest < 4:
            if w.at_end:
                break
            need[0] = at + 4
            return FOUND_MORE
        p = w.data + at
        head = sis3316_event_get_head(p)
        bits = sis3316_event_get_format_bits(p)
        c = &channels[sis3316_event_get_channel_id(p)]
        if (not c.known or bits != c.bits) and head != MAGIC and head != MAGIC_OLD:
            continue
        if rest < MAX_HEAD_BYTES and not w.at_end:
            need[0] = at + MAX_HEAD_BYTES
            return FOUND_MORE
        if header_bytes(p, rest):
            return FOUND_YES
        if (
            c.known and bits == c.bits
            and read_head(p, rest, channels, &e) == REASON_NONE
            and e.raw_words == c.raw_words
            and (not c.averaged_words or e.averaged_words == c.averaged_words)
            and accumulators_fit(p, e.bits)
        ):
            return FOUND_YES
    return FOUND_NO
