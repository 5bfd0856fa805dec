"""From bytes to ORCA packets, and to the next packet after damage.

The sections named are those of the format document "ORCA".
"""

from libc.string cimport memcmp

from .._core.bytes cimport load_i32, load_u32

cdef enum:
    PROTOCOL_TAG = -1000000001
    PROTOCOL_BYTES = 68
    LAST_TAG = 10           # of the records of FCIO
    MAX_FRAMES = 1024       # of a packet that are looked at
    MAX_WALK = 1024         # packets that are followed
    # bits of the tags of records that a packet is for; the others are of the stream
    # processor (4.4)
    MAIN_TAGS = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7
    FIRST_TIME = 1 << 29    # 1987: no run was before


cdef Found packet_at(
    const Window* w, const Ids* ids, int64_t at, Packet* p, Reason* reason,
    int64_t* need,
) noexcept nogil:
    """Read the first words of the packet at `at` (1.1, 1.2).

    Nothing is said of whether the packet is in the window.
    """
    cdef uint32_t word
    cdef int64_t end = w.left
    p.start = at
    p.head_words = 1
    reason[0] = REASON_NONE
    if end < 0 and w.at_end:
        end = w.n
    if w.n - at < 4:
        if not w.at_end:
            need[0] = at + 4
            return FOUND_MORE
        reason[0] = REASON_STRAY
        return FOUND_NO
    word = load_u32(w.data + at)
    if word >> 31:
        p.slot = ids.short_slot[word >> 26]
        p.n_words = 1
    else:
        p.slot = ids.long_slot[word >> 18]
        p.n_words = word & 0x3FFFF
    if word == 0:
        # no header: a block that was never filled (7.4)
        reason[0] = REASON_ZEROS
        return FOUND_NO
    if p.slot < 0:
        reason[0] = REASON_ID
        return FOUND_NO
    p.kind = <Kind>ids.kind[p.slot]
    if p.n_words == 0 or p.kind == KIND_HEADER:
        if w.n - at < 16 and not w.at_end:
            need[0] = at + 16
            return FOUND_MORE
        if w.n - at < (16 if p.kind == KIND_HEADER else 8):
            reason[0] = REASON_PAST_END
            return FOUND_NO
        if p.kind == KIND_HEADER:
            return header_at(w.data, end, ids, at, p, reason)
        p.n_words = load_u32(w.data + at + 4)
        p.head_words = 2
        if p.n_words < 2:
            reason[0] = REASON_LENGTH
            return FOUND_NO
    return fits(end, p, reason)


cdef Found header_at(
    const uint8_t* data, int64_t end, const Ids* ids, int64_t at, Packet* p,
    Reason* reason,
) noexcept nogil:
    """Read the length of a header packet (1.2): id 0, and a property list."""
    cdef uint32_t word = load_u32(data + at)
    cdef int64_t n_text = load_u32(data + at + 4)
    cdef int64_t n_words = 2 + n_text // 4 + 1
    cdef const char* start = "mx?<" if ids.is_swapped else "<?xm"
    if memcmp(data + at + 8, start, 4) != 0:
        reason[0] = REASON_ID
        return FOUND_NO
    # of a text of 1 MiB or more, word 0 has only the lowest bits of the length
    if n_words & 0x3FFFF != word:
        n_words = word
        if n_text > 4 * n_words - 8:
            reason[0] = REASON_LENGTH
            return FOUND_NO
    p.n_words = n_words
    p.head_words = 2
    return fits(end, p, reason)


cdef bint ends_well(const Window* w, const Ids* ids, const Packet* p) noexcept nogil:
    """Whether the text of a header is whole, as far as its end tells (1.2)."""
    cdef int64_t end = p.start + 4 * p.n_words
    cdef int64_t start = p.start + 16
    if ids.is_swapped:
        return True
    while end > start and w.data[end - 1] in (0, 10, 13, 32):
        end -= 1
    return end > start and memcmp(w.data + end - 8, b"</plist>", 8) == 0


cdef inline Found fits(int64_t end, const Packet* p, Reason* reason) noexcept nogil:
    """Whether a packet may be as long as it says, and the data are long enough."""
    if end >= 0 and 4 * p.n_words > end - p.start:
        reason[0] = REASON_PAST_END
        return FOUND_NO
    if p.n_words > MAX_PACKET_WORDS:
        reason[0] = REASON_LENGTH
        return FOUND_NO
    return FOUND_YES


cdef bint looks_right(const Window* w, const Ids* ids, const Packet* p) noexcept nogil:
    """Whether the contents of a packet fit its kind and its length (1.7 d).

    If it is longer than the window, the first words alone are looked at.
    """
    cdef const uint8_t* words = w.data + p.start + 4 * (p.head_words - 1)
    cdef int64_t n_words = p.n_words - p.head_words + 1
    cdef int64_t there = (w.n - p.start) // 4 - p.head_words + 1
    cdef uint32_t word
    cdef int64_t oh, fh, ns, begin
    if p.kind == KIND_HEADER:
        return True
    if p.kind == KIND_RUN:
        # bits that are never set, a time that can be
        return (
            p.head_words == 1 and n_words == 4
            and (there < 2 or load_u32(words + 4) & 0xFFC0 == 0)
            and (there < 4 or load_u32(words + 12) >= FIRST_TIME)
        )
    if p.kind == KIND_FCIO:
        # the id of a stream, and its records (4.4)
        if n_words < 3 or there < 3:
            return False
        if there >= n_words:
            return fcio_records(
                words + 8, 4 * (n_words - 2), ids.variant[p.slot], &begin
            ) == FOUND_YES
        word = load_u32(words + 8)
        return word == <uint32_t>PROTOCOL_TAG or word >= <uint32_t>-LAST_TAG
    if p.kind == KIND_WAVEFORM:
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
    if p.kind == KIND_SIS3302:
        return n_words >= 10 and (
            there < n_words
            or load_u32(words + 4 * n_words - 4) == <uint32_t>0xDEADBEEF
        )
    if p.kind == KIND_SIS3316:
        return n_words >= 13
    if p.kind == KIND_GRETINA4M:
        return n_words % 1024 == 2 and n_words > 2
    if p.kind > KIND_GRETINA4M:
        return digitizer_looks_right(words, n_words, there, p.kind)
    return p.kind == KIND_PYTHON


cdef bint digitizer_looks_right(
    const uint8_t* words, int64_t n_words, int64_t there, Kind kind
) noexcept nogil:
    """Whether the first event of a packet looks like one (5.2 to 5.6)."""
    cdef uint32_t word
    if n_words < 6 or there < 3:
        return False
    word = load_u32(words + 8)
    if kind == KIND_GRETINA4A:
        return word == <uint32_t>0xAAAAAAAA
    if kind == KIND_SIS3305:
        return 4 <= word <= n_words
    if kind == KIND_SIS3320:
        if n_words < 12 or there < 12:
            return False
        word = load_u32(words + 44) >> 16
        return word == 0xDADA or word == 0xEDED
    return word >> 28 == 0xA and (word & 0xFFFFFFF) <= n_words


cdef Found fcio_records(
    const uint8_t* data, int64_t n, int allowed, int64_t* begin
) noexcept nogil:
    """Whether there is a record in a packet that its decoder wants (4.4).

    `begin` is set to where it is, or the record of the stream processor before it:
    other records before these are not for the decoder. FOUND_MORE if it reaches beyond
    the end of the packet, as far as its first frames tell: a packet may be filled up
    with any number of zeros, and a search comes here for each of its words.
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
            at += PROTOCOL_BYTES - 4
        elif -LAST_TAG <= word < 0 and not found:
            found = allowed >> -word & 1
            if passing and (found or not MAIN_TAGS >> -word & 1):
                passing = False
                begin[0] = at - 4
            elif MAIN_TAGS >> -word & 1 and not found:
                passing = True
    if not found:
        return FOUND_NO
    return FOUND_MORE if at > n else FOUND_YES


cdef int weight(Kind kind) noexcept nogil:
    """For how many packets one counts that looks right.

    The frames of FCIO records fill their packet, the lengths in a trace add up to it.
    """
    if kind == KIND_FCIO:
        return 3
    if kind == KIND_WAVEFORM:
        return 2
    # of a rare packet nothing was looked at
    return 0 if kind == KIND_PYTHON else 1


cdef Found chain_at(
    const Window* w, const Ids* ids, int64_t at, bint strict, int64_t* need
) noexcept nogil:
    """Whether packets follow each other from `at` on, as they do in sound data.

    With `strict` ids and lengths alone do not do: small samples read like packets.
    """
    cdef Packet p
    cdef Reason reason
    cdef Found found
    cdef int length
    # for how many packets those count that look right: up to the first that does not,
    # and all
    cdef int n_right = 0
    cdef int evidence = 0
    cdef bint right = True
    for length in range(CHAIN):
        if w.at_end and at == w.n and length:
            return FOUND_YES if not strict or (right and n_right) else FOUND_NO
        found = packet_at(w, ids, at, &p, &reason, need)
        if found == FOUND_MORE:
            return FOUND_MORE
        if found == FOUND_NO:
            return FOUND_YES if n_right >= SHORT_CHAIN else FOUND_NO
        if length == 0 and load_u32(w.data + at) >> 31:
            # ids of short packets match too often to begin with
            return FOUND_NO
        if looks_right(w, ids, &p):
            evidence += weight(p.kind)
            if right:
                n_right = evidence
        else:
            right = False
        if length == 0 and not right and p.kind != KIND_UNKNOWN:
            return FOUND_NO
        at += 4 * p.n_words
        if at > w.n:
            if w.left >= 0 and at == w.left:
                return FOUND_YES if not strict or (right and n_right) else FOUND_NO
            if not w.at_end:
                need[0] = at + 16
                return FOUND_MORE
            return FOUND_NO
    return FOUND_YES if not strict or evidence >= SHORT_CHAIN else FOUND_NO


cdef bint packets_until(
    const Window* w, const Ids* ids, int64_t at, int64_t end
) noexcept nogil:
    """Whether the packets from `at` on fill all that is before `end`.

    So many as `MAX_WALK` are enough to tell.
    """
    cdef Packet p
    cdef Reason reason
    cdef int64_t need
    cdef int k
    for k in range(MAX_WALK):
        if at >= end:
            return at == end
        if packet_at(w, ids, at, &p, &reason, &need) != FOUND_YES:
            return False
        at += 4 * p.n_words
    return at <= end


cdef Found find_packet(
    const Window* w, const Ids* ids, int64_t start, int64_t stop, bint strict,
    int64_t* found, int64_t* need,
) noexcept nogil:
    """Look for a packet that begins in `start` .. `stop` - 1, at any byte (1.7).

    `found` is set to where it is, or how far it is certain that there is none.
    """
    cdef int64_t at
    cdef int64_t end = min(stop, w.n - 3)
    cdef uint32_t word
    cdef Found chain
    for at in range(start, end):
        word = load_u32(w.data + at)
        if word >> 31 or word == 0 or ids.long_slot[word >> 18] < 0:
            continue
        chain = chain_at(w, ids, at, strict, need)
        if chain != FOUND_NO:
            found[0] = at
            return chain
    found[0] = max(start, end)
    if stop <= w.n - 3 or w.at_end:
        return FOUND_NO
    need[0] = w.n + 1
    return FOUND_MORE
