"""Find events, and read the words in front of their samples.

The sections named are those of the format document "llamaDAQ files". An event does
not say how long it is: that is in the configuration of its channel. What it does say,
in the status word and the average word, must agree with that.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from .._core.bytes cimport load_u16, load_u32
from .layout cimport *


cdef int64_t words_before_status(uint32_t bits) noexcept nogil:
    """Words in front of the status word (2)."""
    return (
        TIME_WORDS
        + BLOCK_0_WORDS * (bits & 1) + BLOCK_1_WORDS * (bits >> 1 & 1)
        + BLOCK_2_WORDS * (bits >> 2 & 1) + BLOCK_3_WORDS * (bits >> 3 & 1)
    )


cdef Reason read_head(
    const uint8_t* data, int64_t n, const Channel* channels, Event* e
) noexcept nogil:
    """Read what stands in front of the samples, of which `n` bytes are at hand."""
    cdef const Channel* c
    cdef uint32_t word
    cdef int64_t at, rest
    if n < 4:
        return REASON_PAST_END
    word = load_u32(data)
    e.key = word >> 4 & (N_KEYS - 1)
    e.bits = word & 15
    c = &channels[e.key]
    if not c.known:
        return REASON_CHANNEL
    e.length = 4 * c.words
    at = words_before_status(e.bits)
    if at >= c.words:
        return REASON_LENGTHS
    if n < 4 * (at + 1):
        return REASON_PAST_END
    e.status = load_u32(data + 4 * at)
    e.raw_words = e.status & RAW_WORDS_MASK
    e.maw = e.status >> 27 & 1
    e.averaged_words = 0
    e.counter = 0
    at += 1
    if e.status >> 28 == MARK_AVERAGED:
        if n < 4 * (at + 1):
            return REASON_PAST_END
        word = load_u32(data + 4 * at)
        if word >> 28 != MARK_PLAIN:
            return REASON_AVERAGE
        e.averaged_words = word & AVERAGED_WORDS_MASK
        e.counter = word >> 16 & 0xFF
        at += 1
    elif e.status >> 28 != MARK_PLAIN:
        return REASON_STATUS
    e.samples = 4 * at
    rest = c.words - at - e.raw_words - e.averaged_words
    if rest < 0 or (rest > 0 and not e.maw):
        return REASON_LENGTHS
    if e.raw_words and e.raw_words != c.raw_words:
        return REASON_WIDTH
    if e.averaged_words and c.averaged_words and e.averaged_words != c.averaged_words:
        return REASON_WIDTH
    return REASON_NONE


cdef Found is_sound_after(
    const uint8_t* data, int64_t n, bint at_end, const Channel* channels, int64_t at,
    int64_t* need,
) noexcept nogil:
    """Whether an event, a part of one, or the end of the data is at `at`."""
    cdef Event e
    cdef Reason reason
    if at == n and at_end:
        return FOUND_YES
    if n - at < MAX_HEAD_BYTES and not at_end:
        need[0] = at + MAX_HEAD_BYTES
        return FOUND_MORE
    reason = read_head(data + at, n - at, channels, &e)
    if reason == REASON_NONE:
        return FOUND_YES
    # cut off in front of the samples: the first word must do
    if reason == REASON_PAST_END and n - at >= 4 and e.bits == channels[e.key].bits:
        return FOUND_YES
    return FOUND_NO


cdef bint accumulators_fit(const uint8_t* data, uint32_t bits) noexcept nogil:
    """Whether the accumulators have no more than their 28 bits (2)."""
    cdef uint32_t upper = 0
    cdef int64_t at = TIME_WORDS
    cdef int i
    if bits & 1:
        for i in range(2, BLOCK_0_WORDS):
            upper |= load_u32(data + 4 * (at + i))
        at += BLOCK_0_WORDS
    if bits & 2:
        for i in range(BLOCK_1_WORDS):
            upper |= load_u32(data + 4 * (at + i))
    return upper >> 28 == 0


cdef Found find_event(
    const uint8_t* data, int64_t n, bint at_end, const Channel* channels,
    int64_t start, int64_t stop, int64_t* found, int64_t* need,
) noexcept nogil:
    """Look for an event that is as its configuration has it.

    Channel, format bits, mark and lengths must fit: that is 46 bits, and 28 more of
    accumulators, so samples are not taken for an event. Its samples need not be there.
    """
    cdef Event e
    cdef const Channel* c
    cdef uint16_t head
    cdef int64_t at
    for at in range(start, stop):
        found[0] = at
        if n - at < 4:
            if at_end:
                break
            need[0] = at + 4
            return FOUND_MORE
        head = load_u16(data + at)
        c = &channels[head >> 4]
        if not c.known or (head & 15) != c.bits:
            continue
        if n - at < MAX_HEAD_BYTES and not at_end:
            need[0] = at + MAX_HEAD_BYTES
            return FOUND_MORE
        if (
            read_head(data + at, n - at, channels, &e) == REASON_NONE
            and e.raw_words == c.raw_words
            and (not c.averaged_words or e.averaged_words == c.averaged_words)
            and accumulators_fit(data + at, e.bits)
        ):
            return FOUND_YES
    return FOUND_NO
