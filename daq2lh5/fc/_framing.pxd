# From bytes to records: frames, their lengths, and finding the next record.

from libc.stdint cimport int32_t, int64_t, uint8_t

from .._core.bytes cimport load_i32
from .._core.window cimport Found, Window

cdef enum:
    # a SparseEvent of all traces has 7 + 2400 frames; more are counted, not kept
    MAX_FRAMES = 2432
    # a frame longer than its field is still taken if the surplus is small
    MAX_SURPLUS = 65536
    # empty frames allowed behind a record's own; more of them are damage (zeros)
    MAX_EMPTY_FRAMES = 8
    # a record that ends in so many zeros, with zeros behind it, is damaged
    ZEROED_BYTES = 32

cdef enum Reason:
    REASON_NONE
    REASON_HEADER           # an impossible frame header
    REASON_LONG_FRAME       # a frame longer than its field can be
    REASON_PAST_END         # a frame longer than the rest of the data
    REASON_INCOMPLETE       # frames are missing
    REASON_TRACE_LENGTH     # samples missing
    REASON_TRACE_INDEX      # a trace index outside the configuration
    REASON_COUNT            # an impossible count
    REASON_CONFIG           # a configuration outside the format's limits
    REASON_LISTENER         # a configuration of another stream
    REASON_NO_CONFIG        # a record that needs a configuration before the first
    REASON_PROTOCOL         # handshake of another protocol
    REASON_SWALLOWED        # a record that holds another one
    REASON_UNSOUND          # wrong lengths, and no record follows
    REASON_STRAY            # bytes at the end, too few for a header
    REASON_UNKNOWN_TAG
    REASON_STRAY_FRAMES     # frames that belong to no record
    REASON_ORPHAN_FSP       # FSP record without the record that it describes
    REASON_ZEROS            # zeros: space that was never written
    N_REASONS

cdef enum RecordEnd:
    END_TAG
    END_HANDSHAKE
    END_OF_DATA
    END_STRAY               # 1-3 bytes and the end of the data
    END_BAD                 # impossible header: `reason`
    END_CUT                 # a frame that runs past the end of the data

cdef enum Fault:            # lengths that the format does not allow, but readers take
    FAULT_LONG = 1
    FAULT_SHORT = 2
    FAULT_UNALIGNED = 4
    FAULT_COUNT = 8         # counts that contradict each other
    FAULT_EXTRA = 16        # more frames than the record has: legal
    FAULT_LENGTH = 1 | 2 | 4

cdef struct Frame:
    int64_t start           # of the payload in the window
    int64_t length

cdef struct Record:
    int32_t tag
    int64_t start           # of the tag in the window
    int64_t end             # of the header behind the last frame
    int n_frames
    int n_sound             # frames before the first one with a wrong length
    int n_expected          # frames that a record of this kind has
    int n_required          # frames that it must have
    int n_traces            # traces that it lists (SparseEvent, EventHeader, Event)
    int faults
    RecordEnd end_kind
    Reason reason           # why it must be rejected, or why its end is bad
    Frame frames[MAX_FRAMES]

cdef struct Limits:
    # values of the configuration in force
    bint configured
    int32_t sizes[3]        # adcs, triggers, eventsamples
    int64_t n_traces
    int64_t trace_bytes     # of one trace with its two leading words
    int32_t listener        # that configurations must belong to; -1: any

cdef inline const uint8_t* claim_frame(
    const uint8_t* data, const Record* r, int k, int64_t n
) noexcept nogil:
    """Return the first `n` bytes of frame `k`; NULL if it is shorter, or absent."""
    if k >= r.n_frames or r.frames[k].length < n:
        return NULL
    return data + r.frames[k].start


cdef inline int32_t number_in(
    const uint8_t* data, const Record* r, int k
) noexcept nogil:
    """Return the number in frame `k`; -1 if the frame does not have all of it."""
    cdef const uint8_t* p = claim_frame(data, r, k, 4)
    return -1 if p == NULL else load_i32(p)


cdef bint is_handshake(const Window* w, int64_t at) noexcept nogil
cdef bint is_known(int32_t tag) noexcept nogil
cdef bint collect_record(
    const Window* w, const Limits* limits, int64_t start, Record* r, int64_t* need
) noexcept nogil
cdef int whole_frames(const Record* r, int usual) noexcept nogil
cdef void cut_after(Record* r, int n_frames) noexcept nogil
cdef Reason check_record(
    const uint8_t* data, const Record* r, const Limits* limits
) noexcept nogil
cdef Found find_record(
    const Window* w, const Limits* limits, int64_t start, int64_t stop, Record* scratch,
    int64_t* found, int64_t* need,
) noexcept nogil
cdef int64_t end_of_frame(const Record* r, int k) noexcept nogil
cdef bint runs_into_zeros(
    const uint8_t* data, const Record* r, int n_own
) noexcept nogil
cdef Found is_sound_after(const Window* w, int64_t at, int64_t* need) noexcept nogil
