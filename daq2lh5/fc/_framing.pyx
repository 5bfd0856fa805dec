"""FCIO framing: find the boundaries of records, and the next record after damage.

FCIO format, 1 has the grammar, format 2.1 and 2.2 the frames of each record,
format 1.6 the rule for finding the next record after damage. A frame's length is
compared with its field's rule and with the bytes that are left before it is believed.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcmp

from .._core.bytes cimport load_u16
from .._core.window cimport *
from ._wire cimport *
from .layout cimport *


cdef enum:
    FIRST_BYTES = 2 * FCIO_HEADER_BYTES     # tag, and length of the first frame

cdef struct FieldRule:
    int64_t size        # bytes of an element
    int64_t most        # largest length in bytes
    bint exact          # the length must be `most`


cdef inline FieldRule exactly(int64_t length, int64_t size) noexcept nogil:
    cdef FieldRule rule
    rule.size, rule.most, rule.exact = size, length, True
    return rule


cdef inline FieldRule at_most(int64_t count, int64_t size) noexcept nogil:
    cdef FieldRule rule
    rule.size, rule.most, rule.exact = size, count * size, False
    return rule


cdef FieldRule fsp_config_rule(int k) noexcept nogil:
    """Frame `k` of FSPConfig (format 2.2)."""
    if k in (1, 15, 20, 21, 25, 26, 30, 31, 41, 44, 45, 46, 47):
        return at_most(MAX_TRACES, 4)
    if k in (6, 38, 39, 40):
        return at_most(MAX_TRACES, 4)
    if k in (23, 28):
        return at_most(MAX_TRACES, 2)
    if k in (22, 27, 32):
        return at_most(MAX_TRACES, 8)
    if k == 7:
        return exactly(FSP_WRITE_FLAGS_BYTES, 1)
    if k in (8, 9, 10, 11, 17, 18):
        return exactly(8, 8)
    if k in (12, 13, 14):
        return exactly(8, 1)
    return exactly(4, 4)


cdef FieldRule fsp_event_rule(int k) noexcept nogil:
    """Frame `k` of FSPEvent (format 2.2); frames 1 and 3 are shorter in old files."""
    if k == 0:
        return exactly(FSP_WRITE_FLAGS_BYTES, 1)
    if k == 1:
        return at_most(FSP_PROCESSOR_FLAGS_BYTES // 8, 8)
    if k == 2:
        return exactly(4, 4)
    if k == 3:
        return at_most(FSP_HWM_BYTES // 4, 4)
    if k == 4:
        return exactly(FSP_WPS_BYTES, 4)
    if k == 5:
        return at_most(MAX_TRACES, 4)
    if k in (6, 10):
        return at_most(MAX_TRACES, 2)
    return at_most(MAX_SUB_EVENTS, 4)


cdef FieldRule field_rule(
    const uint8_t* data, const Record* r, int k, const Limits* limits
) noexcept nogil:
    """Return the rule for the length of frame `k` (format 2.1, 2.2)."""
    cdef int32_t tag = r.tag
    if k >= r.n_expected:
        return at_most(MAX_FRAME_BYTES, 1)
    if tag == TAG_CONFIG:
        if k == 10:
            return at_most(MAX_TRACES, 4)
        return exactly(4, 4)
    if tag == TAG_STATUS:
        if k == 1:
            return at_most(MAX_TIMES, 4)
        if k >= 4:
            return exactly(number_in(data, r, 3), 1)
        return exactly(4, 4)
    if tag == TAG_FSP_CONFIG:
        return fsp_config_rule(k)
    if tag == TAG_FSP_EVENT:
        return fsp_event_rule(k)
    if tag == TAG_FSP_STATUS:
        return exactly(FSP_STATUS_BYTES, 8)
    # events: the first four frames are the same in all
    if k < 2:
        return exactly(4, 4)
    if k < 4:
        return at_most(MAX_TIMES, 4)
    if tag == TAG_EVENT:
        if k == 4:
            return exactly(limits.n_traces * limits.trace_bytes, 2)
        return at_most(MAX_TIMES, 4)
    if k == 4:
        return at_most(MAX_TIMES, 4)
    if tag == TAG_SPARSE_EVENT:
        if k == 5:
            return exactly(4, 4)
        if k == 6:
            return at_most(MAX_TRACES, 2)
        return exactly(limits.trace_bytes, 2)
    if tag == TAG_EVENT_HEADER:
        if k == 5:
            return at_most(MAX_TRACES, 2)
        return at_most(2 * MAX_TRACES, 2)
    # TAG_REC_EVENT
    if k == 5:
        return exactly(4, 4)
    if k == 6:
        return at_most(MAX_TRACES, 4)
    return exactly(4 * <int64_t>number_in(data, r, 5), 4)


cdef void set_frame_counts(Record* r) noexcept nogil:
    """Set how many frames a record of its kind has, before its counts are read."""
    cdef int32_t tag = r.tag
    if tag == TAG_CONFIG:
        # the oldest files have neither trace map nor stream id
        r.n_expected, r.n_required = 12, 10
    elif tag == TAG_EVENT:
        # the dead region may be absent
        r.n_expected, r.n_required = 6, 5
    elif tag == TAG_STATUS:
        r.n_expected, r.n_required = 4, 4
    elif tag == TAG_REC_EVENT:
        r.n_expected, r.n_required = 10, 10
    elif tag == TAG_FSP_CONFIG:
        r.n_expected, r.n_required = FSP_CONFIG_FRAMES, 1
    elif tag == TAG_FSP_EVENT:
        r.n_expected, r.n_required = 11, 10
    elif tag == TAG_FSP_STATUS:
        r.n_expected, r.n_required = 1, 1
    else:
        r.n_expected, r.n_required = 7, 7


cdef Reason read_counts(const uint8_t* data, Record* r, int k) noexcept nogil:
    """Read the count in frame `k`, if any, and set the number of expected frames."""
    cdef int64_t count
    if r.tag == TAG_SPARSE_EVENT and k == 5:
        if number_in(data, r, k) < 0:
            return REASON_COUNT
    elif r.tag == TAG_SPARSE_EVENT and k == 6:
        count = min(r.frames[k].length // 2, MAX_TRACES)
        r.n_traces = <int>min(count, number_in(data, r, 5))
        if count != number_in(data, r, 5):
            r.faults |= FAULT_COUNT
        r.n_expected = r.n_required = 7 + r.n_traces
    elif r.tag == TAG_EVENT_HEADER and k == 6:
        count = min(r.frames[5].length // 2, MAX_TRACES)
        r.n_traces = <int>min(count, r.frames[6].length // 4)
        if 2 * count != r.frames[6].length // 2:
            r.faults |= FAULT_COUNT
    elif r.tag == TAG_STATUS and k == 2:
        if not 0 <= number_in(data, r, k) <= MAX_CARDS:
            return REASON_COUNT
    elif r.tag == TAG_STATUS and k == 3:
        if not 0 <= number_in(data, r, k) <= MAX_SURPLUS:
            return REASON_COUNT
        r.n_expected = r.n_required = 4 + number_in(data, r, 2)
    elif r.tag == TAG_REC_EVENT and k == 5:
        if not 0 <= number_in(data, r, k) <= MAX_PULSES:
            return REASON_COUNT
    return REASON_NONE


cdef bint is_handshake(const Window* w, int64_t at) noexcept nogil:
    """Whether a handshake with the right protocol begins at `at` (format 1.1)."""
    cdef const uint8_t* p = claim(w, at, HANDSHAKE_BYTES)
    return (
        p != NULL and fcio_handshake_get_tag(p) == PROTOCOL_TAG
        and memcmp(p + FCIO_HEADER_BYTES, b"FlashCamV1", PROTOCOL_BYTES) == 0
    )


cdef bint is_known(int32_t tag) noexcept nogil:
    """Whether records with this tag give output."""
    return tag == TAG_CONFIG or tag == TAG_EVENT or tag == TAG_STATUS or (
        TAG_SPARSE_EVENT <= tag <= TAG_FSP_STATUS
    )


cdef bint collect_record(
    const Window* w, const Limits* limits, int64_t start, Record* r, int64_t* need
) noexcept nogil:
    """Collect the frames of the record at `start`, whose tag is in the window.

    False: the window must hold `need` bytes to go on.
    """
    cdef const uint8_t* data = w.data
    cdef const uint8_t* p
    cdef int64_t at = start + FCIO_HEADER_BYTES
    cdef int64_t length
    cdef int32_t head
    cdef int k
    cdef int n_empty = 0
    cdef FieldRule rule
    r.tag = -fcio_header_get_word(data + start)
    r.start = start
    r.n_frames = 0
    r.n_sound = 0
    r.n_traces = 0
    r.faults = 0
    r.reason = REASON_NONE
    set_frame_counts(r)
    while True:
        r.end = at
        p = claim(w, at, FCIO_HEADER_BYTES)
        if p == NULL:
            if w.at_end:
                r.end_kind = END_OF_DATA if at == w.n else END_STRAY
                return True
            need[0] = at + FCIO_HEADER_BYTES
            return False
        head = fcio_header_get_word(p)
        if head < 0:
            if head >= LOWEST_TAG:
                r.end_kind = END_TAG
                return True
            if head == PROTOCOL_TAG:
                if w.n - at < HANDSHAKE_BYTES and not w.at_end:
                    need[0] = at + HANDSHAKE_BYTES
                    return False
                if w.n - at < HANDSHAKE_BYTES:
                    r.end_kind = END_CUT
                    r.reason = REASON_PAST_END
                elif is_handshake(w, at):
                    r.end_kind = END_HANDSHAKE
                else:
                    r.end_kind = END_BAD
                    r.reason = REASON_PROTOCOL
                return True
            r.end_kind = END_BAD
            r.reason = REASON_HEADER
            return True
        length = head
        k = r.n_frames
        rule = field_rule(data, r, k, limits)
        if length > MAX_FRAME_BYTES or length - rule.most > MAX_SURPLUS:
            r.end_kind = END_BAD
            r.reason = REASON_LONG_FRAME
            return True
        if ends_before(w, at + FCIO_HEADER_BYTES + length):
            r.end_kind = END_CUT
            r.reason = REASON_PAST_END
            return True
        if claim(w, at + FCIO_HEADER_BYTES, length) == NULL:
            need[0] = at + FCIO_HEADER_BYTES + length
            return False
        if k < r.n_expected:
            if length > rule.most:
                r.faults |= FAULT_LONG
            elif rule.exact and length < rule.most:
                r.faults |= FAULT_SHORT
            if length % rule.size:
                r.faults |= FAULT_UNALIGNED
            if r.faults & FAULT_LENGTH == 0:
                r.n_sound = k + 1
        else:
            r.faults |= FAULT_EXTRA
            n_empty = n_empty + 1 if length == 0 else 0
            # ORCA packets may end in space that was never filled
            if n_empty > MAX_EMPTY_FRAMES and limits.listener < 0:
                r.end_kind = END_BAD
                r.reason = REASON_ZEROS
                return True
        if k < MAX_FRAMES:
            r.frames[k].start = at + FCIO_HEADER_BYTES
            r.frames[k].length = length
            r.n_frames = k + 1
            r.reason = read_counts(data, r, k)
            if r.reason != REASON_NONE:
                r.end_kind = END_BAD
                return True
        at += FCIO_HEADER_BYTES + length


cdef int whole_frames(const Record* r, int usual) noexcept nogil:
    """Return the number of frames of a complete record; 0 if it is incomplete.

    A record is complete if it has all frames of its kind with the right lengths, or as
    many as the last record of that kind had (`usual`): the last ones are optional. The
    first configuration, which all decoding needs, may end with the trace map: older
    files have no stream id.
    """
    if r.n_sound == r.n_expected:
        return r.n_sound
    if r.tag == TAG_CONFIG and usual == 0 and r.n_sound == STREAM_ID_FRAME:
        return r.n_sound
    if r.n_sound >= r.n_required and 0 < usual <= r.n_sound:
        return usual
    return 0


cdef int64_t end_of_content(
    const uint8_t* data, const Record* r, int n_own
) noexcept nogil:
    """Return where a record's own frames end, without the unused links of a card.

    Unused links are zeros (format 2.1).
    """
    cdef const uint8_t* card = claim_frame(data, r, n_own - 1, FCIO_CARD_BYTES)
    if r.tag != TAG_STATUS or card == NULL:
        return end_of_frame(r, n_own - 1)
    return r.frames[n_own - 1].start + FCIO_CARD_BYTES - 4 * (
        FCIO_CARD_N_LINKSTATES
        - min(fcio_card_get_numlinks(card), <uint32_t>FCIO_CARD_N_LINKSTATES)
    )


cdef bint runs_into_zeros(
    const uint8_t* data, const Record* r, int n_own
) noexcept nogil:
    """Whether a record's own frames end in zeros, and more zeros follow.

    Then the start of the space that was never written is unknown.
    """
    cdef int64_t i, end
    if r.n_frames <= n_own or r.frames[n_own].length:
        return False
    end = end_of_content(data, r, n_own)
    for i in range(max(end - ZEROED_BYTES, r.start), end):
        if data[i]:
            return False
    return True


cdef int64_t end_of_frame(const Record* r, int k) noexcept nogil:
    """Return where frame `k` of the record ends in the window."""
    return r.frames[k].start + r.frames[k].length


cdef void cut_after(Record* r, int n_frames) noexcept nogil:
    """End a record behind its first `n_frames` frames."""
    r.n_frames = n_frames
    r.end = end_of_frame(r, n_frames - 1)
    r.faults &= FAULT_COUNT


cdef Reason check_traces(
    const uint8_t* data, const Record* r, const Limits* limits
) noexcept nogil:
    """Check that an event has its traces, and that the configuration has them."""
    cdef int i
    cdef const uint8_t* listed
    if not limits.configured:
        return REASON_NO_CONFIG
    if r.tag == TAG_EVENT:
        if r.frames[4].length < limits.n_traces * limits.trace_bytes:
            return REASON_TRACE_LENGTH
        return REASON_NONE
    listed = claim_frame(
        data, r, 6 if r.tag == TAG_SPARSE_EVENT else 5, 2 * r.n_traces
    )
    for i in range(r.n_traces):
        if load_u16(listed + 2 * i) >= limits.n_traces:
            return REASON_TRACE_INDEX
        if (
            r.tag == TAG_SPARSE_EVENT
            and r.frames[7 + i].length < limits.trace_bytes
        ):
            return REASON_TRACE_LENGTH
    return REASON_NONE


cdef Reason check_config(
    const uint8_t* data, const Record* r, const Limits* limits
) noexcept nogil:
    """Check that a configuration keeps the format's limits (format 1.4).

    A later configuration may lack frames, whose values stay (format 2.3). Its frames
    must have the right lengths: a damaged tag makes another record look like a
    configuration, and erased space (0xFF) reads as tags.
    """
    cdef const uint8_t* stream_id = claim_frame(data, r, STREAM_ID_FRAME, 4)
    cdef int64_t sizes[3]
    cdef int k
    if r.n_frames < (1 if limits.configured else r.n_required):
        return REASON_INCOMPLETE
    if limits.configured:
        for k in range(min(r.n_frames, r.n_required)):
            if r.frames[k].length != 4:
                return REASON_CONFIG
    if limits.listener >= 0:
        if stream_id == NULL:
            return REASON_INCOMPLETE
        # the listener is the lower half of the stream id
        if load_u16(stream_id) != limits.listener:
            return REASON_LISTENER
    for k in range(3):
        sizes[k] = limits.sizes[k]
        if k < r.n_frames:
            sizes[k] = number_in(data, r, k)
    if sizes[0] < 0 or sizes[1] < 0 or sizes[0] + sizes[1] > MAX_TRACES:
        return REASON_CONFIG
    if not 0 <= sizes[2] <= MAX_SAMPLES:
        return REASON_CONFIG
    if (sizes[0] + sizes[1]) * (sizes[2] + 2) > MAX_TRACE_WORDS:
        return REASON_CONFIG
    return REASON_NONE


cdef Reason check_record(
    const uint8_t* data, const Record* r, const Limits* limits
) noexcept nogil:
    """Return the reason to reject the record's content, or REASON_NONE."""
    if r.tag == TAG_CONFIG:
        return check_config(data, r, limits)
    if (
        r.tag in (TAG_EVENT, TAG_SPARSE_EVENT, TAG_EVENT_HEADER)
        and not limits.configured
    ):
        return REASON_NO_CONFIG
    if r.n_frames < r.n_required:
        return REASON_INCOMPLETE
    if r.tag in (TAG_EVENT, TAG_SPARSE_EVENT, TAG_EVENT_HEADER):
        return check_traces(data, r, limits)
    return REASON_NONE


cdef inline int64_t first_frame_length(int32_t tag) noexcept nogil:
    """Return the length of a record's first frame (format 2.1, 2.2); -1: unknown."""
    if tag == TAG_FSP_EVENT:
        return FSP_WRITE_FLAGS_BYTES
    if tag == TAG_FSP_STATUS:
        return FSP_STATUS_BYTES
    if tag == TAG_CALIB or not TAG_CONFIG <= tag <= TAG_FSP_STATUS:
        return -1
    return 4


cdef Found is_record_at(
    const Window* w, const Limits* limits, int64_t at, Record* scratch, int64_t* need
) noexcept nogil:
    """Whether a sound record, or a handshake, begins at `at` (1.6, b and c)."""
    cdef const uint8_t* p = claim(w, at, FIRST_BYTES)
    cdef int32_t head
    if p == NULL:
        if w.at_end:
            return FOUND_NO
        need[0] = at + FIRST_BYTES
        return FOUND_MORE
    head = fcio_header_get_word(p)
    if head == PROTOCOL_TAG:
        if w.n - at < HANDSHAKE_BYTES and not w.at_end:
            need[0] = at + HANDSHAKE_BYTES
            return FOUND_MORE
        return FOUND_YES if is_handshake(w, at) else FOUND_NO
    if not -TAG_FSP_STATUS <= head <= -TAG_CONFIG:
        return FOUND_NO
    if fcio_header_get_word(p + FCIO_HEADER_BYTES) != first_frame_length(-head):
        return FOUND_NO
    if not collect_record(w, limits, at, scratch, need):
        return FOUND_MORE
    if scratch.faults & FAULT_LENGTH:
        return FOUND_NO
    if scratch.tag == TAG_FSP_CONFIG and scratch.n_frames < FSP_CONFIG_FRAMES:
        return FOUND_NO
    if check_record(w.data, scratch, limits) != REASON_NONE:
        return FOUND_NO
    if scratch.end_kind == END_BAD or scratch.end_kind == END_CUT:
        # the data behind are damaged too: accept it only with all of its frames
        if scratch.n_frames < scratch.n_expected or scratch.tag == TAG_FSP_STATUS:
            return FOUND_NO
    return FOUND_YES


cdef Found find_record(
    const Window* w, const Limits* limits, int64_t start, int64_t stop, Record* scratch,
    int64_t* found, int64_t* need,
) noexcept nogil:
    """Look for a record that begins in `start` .. `stop` - 1.

    Yes: it begins at `found`. More: the window must have `need` bytes to decide about
    `found`, and no record begins before `found`. No: no record begins in that range.
    """
    cdef int64_t at = start
    cdef const uint8_t* p
    cdef uint32_t head
    cdef Found result
    while at < stop:
        p = claim(w, at, FIRST_BYTES)
        if p == NULL:
            found[0] = at
            if w.at_end:
                return FOUND_NO
            need[0] = at + FIRST_BYTES
            return FOUND_MORE
        # the tags -1 .. -10 are ff ff ff f6 .. ff ff ff ff, the handshake ff 35 65 c4
        head = <uint32_t>fcio_header_get_word(p)
        if head >= <uint32_t>-TAG_FSP_STATUS or head == <uint32_t>PROTOCOL_TAG:
            result = is_record_at(w, limits, at, scratch, need)
            if result != FOUND_NO:
                found[0] = at
                return result
        at += 1
    found[0] = stop
    return FOUND_NO


cdef Found is_sound_after(const Window* w, int64_t at, int64_t* need) noexcept nogil:
    """Whether the bytes at `at` confirm that the record before them ends there."""
    cdef const uint8_t* p = claim(w, at, FIRST_BYTES)
    cdef int32_t head
    if p == NULL:
        if w.at_end:
            return FOUND_YES if w.n - at < FCIO_HEADER_BYTES else FOUND_NO
        need[0] = at + FIRST_BYTES
        return FOUND_MORE
    head = fcio_header_get_word(p)
    if head == PROTOCOL_TAG:
        return FOUND_YES        # the protocol was checked when the record was collected
    if head >= 0 or head < -TAG_FSP_STATUS:
        return FOUND_NO
    if fcio_header_get_word(p + FCIO_HEADER_BYTES) == first_frame_length(-head):
        return FOUND_YES
    return FOUND_NO
