"""Find events of the old version ("LArU"), llamaDAQ format, 8.

Each chunk has the events of one channel; the chunks of a FADC are in the order of its
channels. An event itself has only two bits of the channel's number. After damage, the
candidate channels of an event are compared by the following chunks.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from .._core.bytes cimport load_u16
from .._core.window cimport *
from ._framing cimport *
from ._wire cimport *
from .layout cimport *

cdef enum:
    # window for comparing channels after damage
    LOOK_BYTES = 1 << 22
    # largest number of chunks compared there
    MAX_FOLLOWING = 64
    # largest second word of chunks without a number of events (format 8.3)
    MAX_COUNT_WORD = 0xFFFF
    START_BYTES = LLAMA_CHUNK_BYTES + MAX_HEAD_BYTES


cdef int set_turns(Chunks* c, Channel* channels, list keys, bint counted) except -1:
    """Initialize the state for a file header: first channel of each FADC."""
    cdef int key, last
    cdef Py_ssize_t i
    free(c.keys)
    free(c.codes)
    c.keys = <int*>calloc(max(len(keys), 1), sizeof(int))
    c.codes = <uint64_t*>calloc(max(3 * len(keys), 1), sizeof(uint64_t))
    if c.keys == NULL or c.codes == NULL:
        raise MemoryError
    memset(c.first, -1, sizeof(c.first))
    memset(c.heads, 0, sizeof(c.heads))
    codes = set()
    lasts = {}
    for i, key in enumerate(keys):
        c.keys[i] = key
        if c.first[key >> 4] < 0:
            c.first[key >> 4] = key
        # cyclic: the first channel of a FADC follows its last one
        last = lasts.get(key >> 4, key)
        channels[last].next = key
        channels[key].next = c.first[key >> 4]
        lasts[key >> 4] = key
        for number in (key & 3, key & (CHANNELS_OF_FADC - 1), key):
            head = number << 4 | channels[key].bits
            c.heads[<int>head >> 3] |= 1 << (<int>head & 7)
            codes.add(head << 32 | channels[key].raw_words)
    for i, code in enumerate(sorted(codes)):
        c.codes[i] = code
    c.n_codes = len(codes)
    c.n_channels = len(keys)
    c.counted = counted
    memcpy(c.turn, c.first, sizeof(c.turn))
    c.key = c.last = -1
    c.events_left = 0
    c.lost = False
    return 0


cdef list find_unfinished(const Chunks* c, const Channel* channels):
    """Return the channels without a chunk in the last read-out (format 8.3)."""
    cdef int fadc, key
    keys = []
    for fadc in range(N_FADCS):
        key = -1 if c.lost else c.turn[fadc]
        while key >= 0 and key != c.first[fadc]:
            keys.append(key)
            key = channels[key].next
    return keys


cdef void take_step(Chunks* c, const Channel* channels, const Step* s) noexcept nogil:
    """Advance the state after an event."""
    c.key = s.key if s.events_left != 0 else -1
    c.last = s.key
    c.events_left = s.events_left
    c.lost = False
    if s.turn >= 0:
        c.turn[s.turn >> 4] = channels[s.turn].next


cdef void lose_chunk(Chunks* c, const Step* s, int64_t offset) noexcept nogil:
    """Set the state to damaged, starting with the step's event."""
    c.lost = True
    c.key = s.key
    c.events_left = s.events_left
    c.expected = offset


# ---- tests at one offset ---------------------------------------------------------------


cdef bint id_fits(uint32_t i, uint32_t key) noexcept nogil:
    """Whether the number in a first word fits a channel (format 8.4)."""
    return i == (key & 3) or i == (key & (CHANNELS_OF_FADC - 1)) or i == key


cdef Reason read_event(
    const uint8_t* data, int64_t n, int key, const Channel* channels, Event* e
) noexcept nogil:
    """Test an event of a channel (format 8.3); its samples may not be read yet."""
    cdef const Channel* c = &channels[key]
    cdef const uint8_t* status
    if n < 4:
        return REASON_PAST_END
    if sis3316_event_get_format_bits(data) != c.bits or not id_fits(
        sis3316_event_get_channel_id(data), key
    ):
        return REASON_EVENT
    e.samples = bytes_before_status(c.bits) + SIS3316_STATUS_BYTES
    if n < e.samples:
        return REASON_PAST_END
    status = data + e.samples - SIS3316_STATUS_BYTES
    if sis3316_status_get_mark(status) != MARK_PLAIN:
        return REASON_STATUS
    if <int64_t>sis3316_status_get_raw_words(status) != c.raw_words:
        return REASON_WIDTH
    e.flag = sis3316_status_get_flag(status)
    e.key = key
    e.bits = c.bits
    e.length = 4 * c.words
    e.raw_words = c.raw_words
    e.averaged_words = 0
    e.counter = 0
    e.maw = e.length > e.samples + 4 * c.raw_words or sis3316_status_get_has_maw(status)
    return REASON_NONE


cdef bint fits(
    const Window* w, int64_t at, int key, const Channel* channels
) noexcept nogil:
    """Whether an event of a channel begins at `at`."""
    cdef Event e
    return read_event(w.data + at, w.n - at, key, channels, &e) == REASON_NONE


cdef int fadc_at(const Window* w, int64_t at, const Chunks* c) noexcept nogil:
    """Return the FADC of the chunk header at `at`; -1 without a header."""
    cdef uint32_t fadc
    if w.n - at < LLAMA_CHUNK_BYTES:
        return -1
    fadc = llama_chunk_get_fadc(w.data + at)
    return <int>fadc if fadc < N_FADCS and c.first[fadc] >= 0 else -1


cdef int find_channel(
    const Window* w, int64_t at, int start, const Channel* channels
) noexcept nogil:
    """Return the first channel, in turn from `start`, with an event at `at`; or -1."""
    cdef int key = start
    while True:
        if fits(w, at, key, channels):
            return key
        key = channels[key].next
        if key == start:
            return -1


cdef bint may_be_head(const uint8_t* data, const Chunks* c) noexcept nogil:
    """Whether a first word fits any channel."""
    cdef uint16_t head = load_u16(data)
    return c.heads[head >> 3] >> (head & 7) & 1


cdef bint any_event(const Window* w, int64_t at, const Chunks* c) noexcept nogil:
    """Whether an event of any channel begins at `at`; checks its accumulators, too."""
    cdef const uint8_t* event = w.data + at
    cdef const uint8_t* status
    cdef uint32_t bits
    cdef uint64_t code
    cdef int low, high, middle
    if w.n - at < 4 or not may_be_head(event, c):
        return False
    bits = sis3316_event_get_format_bits(event)
    status = claim(w, at + bytes_before_status(bits), SIS3316_STATUS_BYTES)
    if status == NULL or sis3316_status_get_mark(status) != MARK_PLAIN or (
        not accumulators_fit(event, bits)
    ):
        return False
    code = <uint64_t>load_u16(event) << 32 | sis3316_status_get_raw_words(status)
    low, high = 0, c.n_codes
    while low < high:
        middle = (low + high) // 2
        if c.codes[middle] < code:
            low = middle + 1
        else:
            high = middle
    return low < c.n_codes and c.codes[low] == code


cdef bint any_chunk(
    const Window* w, int64_t at, const Chunks* c, const Channel* channels
) noexcept nogil:
    """Whether a chunk with events begins at `at`."""
    cdef int fadc = fadc_at(w, at, c)
    if fadc < 0 or (c.counted and llama_chunk_get_n_events(w.data + at) == 0):
        return False
    at += LLAMA_CHUNK_BYTES
    return any_event(w, at, c) and find_channel(w, at, c.first[fadc], channels) >= 0


cdef Found find_in_chunks(
    const Window* w, const Chunks* c, const Channel* channels, int64_t start,
    int64_t stop, int64_t* found, int64_t* need,
) noexcept nogil:
    """Search for a chunk with events, an event, or a file header."""
    cdef int64_t at, rest
    cdef uint32_t word
    cdef bint head, chunk
    for at in range(start, stop):
        found[0] = at
        rest = w.n - at
        if rest < LLAMA_CHUNK_BYTES + 2:
            if w.at_end:
                break
            need[0] = at + START_BYTES
            return FOUND_MORE
        word = llama_chunk_get_fadc(w.data + at)
        head = may_be_head(w.data + at, c)
        chunk = (
            word < N_FADCS and c.first[word] >= 0
            and may_be_head(w.data + at + LLAMA_CHUNK_BYTES, c)
        )
        if not head and not chunk and word != MAGIC and word != MAGIC_OLD:
            continue
        if rest < START_BYTES and not w.at_end:
            need[0] = at + START_BYTES
            return FOUND_MORE
        if (
            (chunk and any_chunk(w, at, c, channels))
            or (head and any_event(w, at, c))
            or header_bytes(w.data + at, rest)
        ):
            return FOUND_YES
    return FOUND_NO


# ---- the channel of an event after damage ----------------------------------------------


cdef int n_following(
    const Window* w, int64_t at, int key, bint with_header, const Chunks* c,
    const Channel* channels,
) noexcept nogil:
    """Return the number of following chunks in order, if this one is of `key`."""
    cdef int chunk = key        # channel of the chunk at `at`
    cdef int64_t count, length
    cdef int score = 0
    cdef int i, fadc
    for i in range(MAX_FOLLOWING):
        length = 4 * channels[chunk].words
        count = -1
        if with_header:
            if c.counted:
                count = llama_chunk_get_n_events(w.data + at)
            at += LLAMA_CHUNK_BYTES
        if count > (w.n - at) // length:
            break
        if count >= 0:
            at += count * length
        else:
            while w.n - at >= length and fits(w, at, chunk, channels):
                at += length
        with_header = True
        fadc = fadc_at(w, at, c)
        if fadc < 0:
            break
        chunk = key = channels[key].next if fadc == key >> 4 else key
        if c.counted and llama_chunk_get_n_events(w.data + at) == 0:
            continue
        if fadc != key >> 4:
            chunk = find_channel(
                w, at + LLAMA_CHUNK_BYTES, c.first[fadc], channels
            )
            if chunk < 0:
                break
        elif fits(w, at + LLAMA_CHUNK_BYTES, key, channels):
            score += 1
        else:
            break
    return score


cdef int channel_after_damage(
    const Window* w, int64_t at, bint with_header, const Chunks* c,
    const Channel* channels, int64_t* need,
) noexcept nogil:
    """Return the channel of an event found after damage; -1: none, -2: needs more.

    The candidate with the most following chunks in order wins; among equals, the
    channel of the damaged chunk, then the channel whose turn it is.
    """
    cdef int64_t event = at + LLAMA_CHUNK_BYTES * with_header
    cdef int hint = c.last if c.key < 0 else c.key
    cdef int best = -1
    cdef int best_score = -1
    cdef int i, key, score, n
    cdef int fadc = fadc_at(w, at, c) if with_header else -1
    cdef int start = c.turn[fadc] if with_header else 0
    cdef const Channel* channel
    n = 0
    for i in range(CHANNELS_OF_FADC if with_header else c.n_channels):
        if with_header:
            key = start if i == 0 else channels[key].next
            if i > 0 and key == start:
                break
        else:
            key = c.keys[i]
        if not fits(w, event, key, channels):
            continue
        channel = &channels[key]
        n += 1
        if n == 2 and w.n - at < LOOK_BYTES and not w.at_end:
            need[0] = at + LOOK_BYTES
            return -2
        score = 4 * n_following(w, at, key, with_header, c, channels)
        # time stamps increase within a channel (format 8.4)
        if not channel.has_ticks or ticks_of(w.data + event) > channel.last_ticks:
            score += 4 * MAX_FOLLOWING
        score += 2 * (not with_header and key == hint)
        score += key == c.turn[key >> 4]
        if score > best_score:
            best, best_score = key, score
    return best


cdef void step_after_damage(
    const Window* w, int64_t at, const Chunks* c, const Channel* channels, Step* s
) noexcept nogil:
    """Set the step to a chunk or an event found after damage."""
    cdef bint with_header = any_chunk(w, at, c, channels)
    cdef int64_t length, n_out
    cdef int key
    s.reason = REASON_CHUNK
    s.events_left = -1
    if not with_header and c.key >= 0 and c.events_left > 0:
        # the chunk continues after its damaged events
        length = 4 * channels[c.key].words
        n_out = (w.base + at - c.expected) // length
        if (
            w.base + at >= c.expected and n_out < c.events_left
            and (w.base + at - c.expected) % length == 0
            and fits(w, at, c.key, channels)
        ):
            s.key = s.turn = c.key
            s.events_left = c.events_left - n_out - 1
            step_at_event(w, at, 0, c, channels, s)
            return
    key = channel_after_damage(w, at, with_header, c, channels, &s.need)
    if key == -2:
        s.kind = STEP_MORE
        return
    if key == -1:
        look_for(s, REASON_CHUNK, at + 1, False)
        return
    s.key = s.turn = key
    if with_header and c.counted:
        s.events_left = <int64_t>llama_chunk_get_n_events(w.data + at) - 1
    step_at_event(w, at, LLAMA_CHUNK_BYTES * with_header, c, channels, s)


# ---- steps -----------------------------------------------------------------------------


cdef Found is_sound_after(
    const Window* w, int64_t at, const Chunks* c, const Channel* channels,
    const Step* s, int64_t* need,
) noexcept nogil:
    """Whether a valid continuation, or the end, follows the event of a step."""
    cdef Event e
    cdef Reason reason
    cdef int64_t rest = w.n - at
    cdef int fadc, i
    if rest < START_BYTES and not w.at_end:
        need[0] = at + START_BYTES
        return FOUND_MORE
    if s.events_left != 0:
        reason = read_event(w.data + at, rest, s.key, channels, &e)
        if reason == REASON_NONE or (reason == REASON_PAST_END and rest >= 4):
            return FOUND_YES
        if s.events_left > 0:
            return FOUND_NO
    # empty chunks are weak evidence: check the bytes behind them
    for i in range(2 * c.n_channels + 1):
        rest = w.n - at
        fadc = fadc_at(w, at, c)
        if rest < START_BYTES:
            if not w.at_end:
                need[0] = at + START_BYTES
                return FOUND_MORE
            return FOUND_YES if rest == 0 or fadc >= 0 else FOUND_NO
        if fadc < 0:
            break
        at += LLAMA_CHUNK_BYTES
        if find_channel(w, at, c.turn[fadc], channels) >= 0:
            return FOUND_YES
        if c.counted and llama_chunk_get_n_events(w.data + at - LLAMA_CHUNK_BYTES) != 0:
            return FOUND_NO
    return FOUND_YES if header_bytes(w.data + at, w.n - at) else FOUND_NO


cdef void step_at_event(
    const Window* w, int64_t at, int64_t lead, const Chunks* c,
    const Channel* channels, Step* s,
) noexcept nogil:
    """Set the step to the valid event `lead` bytes behind `at`, of the step's chunk."""
    cdef Found found
    cdef int64_t where, end
    cdef int64_t begin = at + lead
    s.lead = lead
    read_event(w.data + begin, w.n - begin, s.key, channels, &s.event)
    end = begin + s.event.length
    if not is_at_hand(w, end, begin + 1, s):
        return
    found = is_sound_after(w, end, c, channels, s, &s.need)
    if found == FOUND_NO:
        found = find_in_chunks(w, c, channels, begin + 1, end, &where, &s.need)
        if found == FOUND_YES:
            look_for(s, REASON_RUNS_INTO, where, False)
            # the damaged event is one of the remaining ones, too
            s.events_left += s.events_left >= 0
            return
    s.kind = STEP_MORE if found == FOUND_MORE else STEP_EVENT


cdef bint may_go_on(
    const Window* w, int64_t at, const Chunks* c, const Channel* channels
) noexcept nogil:
    """Whether a chunk without a number of events has another event at `at`."""
    cdef Event e
    cdef Reason reason
    if w.n - at < 4:
        return False
    reason = read_event(w.data + at, w.n - at, c.key, channels, &e)
    return reason == REASON_NONE or (
        # cut off
        reason == REASON_PAST_END and fadc_at(w, at, c) < 0
    )


cdef void step_in_chunk(
    const Window* w, int64_t at, const Chunks* c, const Channel* channels, Step* s
) noexcept nogil:
    """Set the step to the next event of the chunk."""
    cdef int64_t rest = w.n - at
    s.turn = -1
    s.key = c.key
    s.reason = read_event(w.data + at, rest, c.key, channels, &s.event)
    if s.reason != REASON_NONE:
        s.events_left = c.events_left
        if rest == 0 or header_bytes(w.data + at, rest) or any_chunk(w, at, c, channels):
            # the next item is sound
            look_for(s, REASON_MISSING, at, rest == 0)
        else:
            look_for(s, s.reason, at + 1, s.reason == REASON_PAST_END)
        return
    s.events_left = c.events_left - 1 if c.events_left > 0 else -1
    step_at_event(w, at, 0, c, channels, s)


cdef bint is_empty(
    const Window* w, int64_t at, int key, const Chunks* c, const Channel* channels
) noexcept nogil:
    """Whether the chunk at `at`, due for channel `key`, is empty."""
    cdef Event e
    cdef int64_t begin = at + LLAMA_CHUNK_BYTES
    cdef uint32_t count = llama_chunk_get_n_events(w.data + at)
    if c.counted:
        return count == 0
    if w.n == begin:
        return True
    return (
        count <= MAX_COUNT_WORD
        and read_event(w.data + begin, w.n - begin, key, channels, &e) != REASON_PAST_END
        and find_channel(w, begin, key, channels) < 0
    )


cdef bint step_at_empty(
    const Window* w, int64_t at, Chunks* c, const Channel* channels, Step* s
) noexcept nogil:
    """Set the step to chunks without events; False if the chunk has events.

    Empty chunks keep the order of channels (format 8.4). As zeros look like empty
    chunks (format 8.3), at most two rounds are accepted, and the next chunk must be in
    order.
    """
    cdef int turn[N_FADCS]
    cdef int64_t q = at
    cdef int64_t run = 0
    cdef uint32_t count = 0
    cdef Reason reason = REASON_NONE
    cdef int fadc
    memcpy(turn, c.turn, sizeof(turn))
    while run <= 2 * c.n_channels:
        if w.n - q < START_BYTES and not w.at_end:
            wait_for(s, q + START_BYTES)
            return True
        fadc = fadc_at(w, q, c)
        if fadc < 0 or not is_empty(w, q, turn[fadc], c, channels):
            break
        count = llama_chunk_get_n_events(w.data + q)
        turn[fadc] = channels[turn[fadc]].next
        q += LLAMA_CHUNK_BYTES
        run += 1
    if run == 0:
        return False
    if q == w.n and count:
        # the end of the file may have cut off its events
        look_for(s, REASON_PAST_END, q, True)
        return True
    if w.n - q >= LLAMA_CHUNK_BYTES and not header_bytes(w.data + q, w.n - q):
        reason = REASON_EMPTY
        if run <= 2 * c.n_channels and fadc >= 0:
            q += LLAMA_CHUNK_BYTES
            reason = read_event(w.data + q, w.n - q, turn[fadc], channels, &s.event)
            q -= LLAMA_CHUNK_BYTES
    if run > 2 * c.n_channels or reason not in (REASON_NONE, REASON_PAST_END):
        if not c.counted:
            # the chunk has an event, which is damaged
            return False
        look_for(s, REASON_EMPTY, q, False)
        return True
    s.kind = STEP_EMPTY
    s.length = q - at
    memcpy(c.turn, turn, sizeof(turn))
    return True


cdef void step_at_chunk(
    const Window* w, int64_t at, const Chunks* c, const Channel* channels, Step* s
) noexcept nogil:
    """Set the step to a chunk header and its first event."""
    cdef int64_t begin = at + LLAMA_CHUNK_BYTES
    cdef int fadc = fadc_at(w, at, c)
    if fadc < 0:
        if any_event(w, at, c):
            look_for(s, REASON_MORE, at, False)
        else:
            look_for(s, REASON_FADC, at + 1, False)
        return
    s.key = c.turn[fadc]
    s.events_left = llama_chunk_get_n_events(w.data + at) if c.counted else -1
    s.reason = read_event(w.data + begin, w.n - begin, s.key, channels, &s.event)
    if s.reason == REASON_PAST_END:
        look_for(s, REASON_PAST_END, at + 1, True)
        return
    if s.reason != REASON_NONE:
        s.key = find_channel(w, begin, s.key, channels)
        s.missing = True
        if s.key < 0:
            s.key = c.turn[fadc]
            s.lead = LLAMA_CHUNK_BYTES
            look_for(s, REASON_CHUNK, at + 1, False)
            return
    s.turn = s.key
    if s.events_left > 0:
        s.events_left -= 1
    step_at_event(w, at, LLAMA_CHUNK_BYTES, c, channels, s)


cdef void next_in_chunks(
    const Window* w, int64_t at, Chunks* c, const Channel* channels, Step* s
) noexcept nogil:
    """Determine the next step at `at`."""
    cdef int64_t rest = w.n - at
    s.lead = 0
    s.turn = -1
    s.key = -1
    s.events_left = 0
    s.missing = False
    if rest < START_BYTES and not w.at_end:
        wait_for(s, at + START_BYTES)
        return
    if not c.lost and c.key >= 0 and (
        c.events_left > 0 or may_go_on(w, at, c, channels)
    ):
        step_in_chunk(w, at, c, channels, s)
        return
    if rest == 0:
        s.kind = STEP_END
        return
    if step_at_header(w, at, s):
        return
    if c.lost and (any_chunk(w, at, c, channels) or any_event(w, at, c)):
        step_after_damage(w, at, c, channels, s)
        return
    if rest < LLAMA_CHUNK_BYTES:
        look_for(s, REASON_STRAY, w.n, True)
        return
    if not step_at_empty(w, at, c, channels, s):
        step_at_chunk(w, at, c, channels, s)
