"""From bytes to ORCA packets, and to the next packet after damage.

The sections named are those of the format document "ORCA".
"""

from libc.string cimport memcmp

from .._core.bytes cimport load_u32


cdef Found packet_at(
    const uint8_t* data, int64_t n, int64_t left, bint at_end, const Ids* ids,
    int64_t at, Packet* p, Reason* reason, int64_t* need,
) noexcept nogil:
    """Read the first words of the packet at `at` (1.1, 1.2).

    `left` is the number of bytes from the start of the window to the end of the data,
    or -1. Nothing is said of whether the packet is in the window.
    """
    cdef uint32_t word
    cdef int64_t end = left
    p.start = at
    p.head_words = 1
    reason[0] = REASON_NONE
    if end < 0 and at_end:
        end = n
    if n - at < 4:
        if not at_end:
            need[0] = at + 4
            return FOUND_MORE
        reason[0] = REASON_STRAY
        return FOUND_NO
    word = load_u32(data + at)
    if word >> 31:
        p.slot = ids.short_slot[word >> 26]
        p.n_words = 1
    else:
        p.slot = ids.long_slot[word >> 18]
        p.n_words = word & 0x3FFFF
    if p.slot < 0:
        reason[0] = REASON_ID
        return FOUND_NO
    p.kind = <Kind>ids.kind[p.slot]
    if p.n_words == 0 or p.kind == KIND_HEADER:
        if n - at < 16 and not at_end:
            need[0] = at + 16
            return FOUND_MORE
        if n - at < (16 if p.kind == KIND_HEADER else 8):
            reason[0] = REASON_PAST_END
            return FOUND_NO
        if p.kind == KIND_HEADER:
            return header_at(data, end, at, p, reason)
        p.n_words = load_u32(data + at + 4)
        p.head_words = 2
        if p.n_words < 2:
            reason[0] = REASON_LENGTH
            return FOUND_NO
    if end >= 0 and 4 * p.n_words > end - at:
        reason[0] = REASON_PAST_END
        return FOUND_NO
    if p.n_words > MAX_PACKET_WORDS:
        reason[0] = REASON_LENGTH
        return FOUND_NO
    return FOUND_YES


cdef Found header_at(
    const uint8_t* data, int64_t end, int64_t at, Packet* p, Reason* reason
) noexcept nogil:
    """Read the length of a header packet (1.2): id 0, and a property list."""
    cdef uint32_t word = load_u32(data + at)
    cdef int64_t n_text = load_u32(data + at + 4)
    cdef int64_t n_words = 2 + n_text // 4 + 1
    if word == 0 or memcmp(data + at + 8, b"<?xml", 5) != 0:
        # a zero word is no header (7.4)
        reason[0] = REASON_ZEROS if word == 0 else REASON_ID
        return FOUND_NO
    # of a text of 1 MiB or more, word 0 has only the lowest bits of the length
    if n_words & 0x3FFFF != word:
        n_words = word
        if n_text > 4 * n_words - 8:
            reason[0] = REASON_LENGTH
            return FOUND_NO
    p.n_words = n_words
    p.head_words = 2
    if end >= 0 and 4 * n_words > end - at:
        reason[0] = REASON_PAST_END
        return FOUND_NO
    if n_words > MAX_PACKET_WORDS:
        reason[0] = REASON_LENGTH
        return FOUND_NO
    return FOUND_YES


cdef bint looks_right(const uint8_t* data, int64_t n, const Packet* p) noexcept nogil:
    """Whether the first words of a packet fit its kind (1.7 d)."""
    cdef const uint8_t* words = data + p.start
    cdef uint32_t word
    cdef int64_t oh, fh, ns
    if p.kind == KIND_HEADER:
        return True
    if p.kind == KIND_RUN:
        return p.head_words == 1 and p.n_words == 4
    if p.kind == KIND_FCIO:
        # a record tag or the protocol's, in front of its frames (4.4)
        if p.n_words < 5 or n - p.start < 16:
            return False
        word = load_u32(words + 12)
        return word == <uint32_t>-1000000001 or word >= <uint32_t>-10
    if p.kind == KIND_WAVEFORM:
        if p.n_words < 20 or n - p.start < 8:
            return False
        word = load_u32(words + 4)
        oh = word >> 28
        fh = (word >> 22) & 0x3F
        ns = (word >> 6) & 0xFFFF
        return ns % 2 == 0 and oh >= 3 and fh >= 15 and oh + fh <= p.n_words
    if p.kind == KIND_SIS3302:
        if words + 4 * p.n_words > data + n:
            return p.n_words >= 10
        return p.n_words >= 10 and load_u32(words + 4 * p.n_words - 4) == <uint32_t>0xDEADBEEF
    if p.kind == KIND_SIS3316:
        return p.n_words >= 14
    if p.kind == KIND_GRETINA4M:
        return p.n_words % 1024 == 2 and p.n_words > 2
    if p.kind > KIND_GRETINA4M:
        return digitizer_looks_right(words, n - p.start, p)
    return p.kind == KIND_PYTHON


cdef bint digitizer_looks_right(
    const uint8_t* words, int64_t n, const Packet* p
) noexcept nogil:
    """Whether the first event of a packet looks like one (5.2 to 5.6)."""
    cdef int64_t first = p.head_words + 1
    cdef uint32_t word
    if p.n_words < first + 4 or n < 4 * first + 4:
        return False
    word = load_u32(words + 4 * first)
    if p.kind == KIND_GRETINA4A:
        return word == <uint32_t>0xAAAAAAAA
    if p.kind == KIND_SIS3305:
        return 4 <= word <= p.n_words
    if p.kind == KIND_SIS3320:
        if n < 4 * first + 40:
            return False
        word = load_u32(words + 4 * first + 36) >> 16
        return word == 0xDADA or word == 0xEDED
    return word >> 28 == 0xA and (word & 0xFFFFFFF) <= p.n_words


cdef Found chain_at(
    const uint8_t* data, int64_t n, int64_t left, bint at_end, const Ids* ids,
    int64_t at, int64_t* need,
) noexcept nogil:
    """Whether packets follow each other from `at` on, as they do in sound data."""
    cdef Packet p
    cdef Reason reason
    cdef Found found
    cdef int length
    cdef bint right = True
    for length in range(CHAIN):
        if at_end and at == n and length:
            return FOUND_YES
        found = packet_at(data, n, left, at_end, ids, at, &p, &reason, need)
        if found == FOUND_MORE:
            return FOUND_MORE
        if found == FOUND_NO:
            return FOUND_YES if right and length >= SHORT_CHAIN else FOUND_NO
        if length == 0 and p.head_words == 1 and load_u32(data + at) >> 31:
            # ids of short packets match too often to begin with
            return FOUND_NO
        right = right and looks_right(data, n, &p)
        if length == 0 and not right and p.kind != KIND_UNKNOWN:
            return FOUND_NO
        at += 4 * p.n_words
        if at > n:
            if left >= 0 and at == left:
                return FOUND_YES
            if not at_end:
                need[0] = at + 16
                return FOUND_MORE
            return FOUND_NO
    return FOUND_YES


cdef Found find_packet(
    const uint8_t* data, int64_t n, int64_t left, bint at_end, const Ids* ids,
    int64_t start, int64_t* found, int64_t* need,
) noexcept nogil:
    """Look for the next packet from `start` on, at any byte (1.7).

    `found` is set to where it is, or how far it is certain that there is none.
    """
    cdef int64_t at
    cdef uint32_t word
    cdef int slot
    cdef Found chain
    for at in range(start, n - 3):
        word = load_u32(data + at)
        if word >> 31:
            continue
        slot = ids.long_slot[word >> 18]
        if slot < 0:
            continue
        if ids.kind[slot] == KIND_HEADER and word == 0:
            continue
        chain = chain_at(data, n, left, at_end, ids, at, need)
        if chain != FOUND_NO:
            found[0] = at
            return chain
    found[0] = max(start, n - 3)
    if at_end:
        found[0] = n
        return FOUND_NO
    need[0] = n + 1
    return FOUND_MORE
