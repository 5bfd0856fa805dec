# Find llamaDAQ events, and read the words in front of their samples.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from .._core.window cimport Found, Window
from ._wire cimport sis3316_event_get_ticks_high, sis3316_event_get_ticks_low

cdef enum Reason:
    REASON_NONE
    REASON_CHANNEL          # a channel without a configuration
    REASON_STATUS           # no status word where it must be
    REASON_AVERAGE          # no average word where it must be
    REASON_LENGTHS          # lengths that do not add up
    REASON_WIDTH            # lengths differ from those of the channel's table
    REASON_PAST_END         # an event longer than the rest of the data
    REASON_STRAY            # bytes at the end, too few for an event
    REASON_RUNS_INTO        # another event starts inside the event
    REASON_HEADER           # a file header that contradicts itself
    REASON_ZEROS            # zeros in place of an event or a chunk
    # old version only
    REASON_FADC             # a chunk of a FADC without a configuration
    REASON_CHUNK            # the first event of the chunk is not of its FADC
    REASON_EVENT            # no event of the channel in its chunk
    REASON_MISSING          # fewer events than the chunk's number
    REASON_MORE             # more events than the chunk's number
    REASON_EMPTY            # too many chunks without events
    N_REASONS

cdef struct Channel:
    # from the configuration
    bint known
    bint announced          # it has a configuration
    uint32_t bits           # format bits
    int64_t words           # of an event
    int64_t raw_words       # raw samples
    int64_t averaged_words  # 0: without a column
    double dt_raw
    double dt_averaged
    double t0_raw
    double t0_averaged      # without the event's counter
    # old version: the channel of the FADC whose turn is next; the last time stamp
    int next
    bint has_ticks
    uint64_t last_ticks
    # index of the buffer; -1: not selected
    int sink
    int64_t n_skipped

cdef struct Event:
    uint32_t key
    uint32_t bits
    bint flag               # of the status word
    int64_t length          # bytes
    int64_t samples         # byte at which they begin
    int64_t raw_words
    int64_t averaged_words
    uint32_t counter        # of the average word
    bint maw                # moving average words follow the samples

cdef enum StepKind:
    STEP_EVENT
    STEP_EMPTY              # chunks without events
    STEP_HEADER             # the header of a joined file
    STEP_CHANNEL            # an event of a channel without a configuration
    STEP_SCAN               # damage: search for the next event
    STEP_MORE               # needs `need` bytes in the window
    STEP_END

cdef struct Step:
    # the next item of the stream
    StepKind kind
    Event event
    int64_t lead            # bytes of a chunk header in front of the event
    int64_t length          # bytes, if it is not an event
    int64_t need
    Reason reason           # of STEP_SCAN
    int64_t resume          # start of the search in the window
    bint cut                # cut off, if the search finds nothing
    # the next event, already read, and its position; -1: not read
    Event after
    int64_t after_at
    # old version: state of the chunk behind the event
    int turn                # channel whose turn ends; -1: the chunk continues
    int key
    int64_t events_left     # -1: unknown
    bint missing            # a chunk is missing in front of it

cdef inline uint64_t ticks_of(const uint8_t* event) noexcept nogil:
    """Return the time stamp (2), in ticks of the sampling clock."""
    return (
        <uint64_t>sis3316_event_get_ticks_high(event) << 32
        | sis3316_event_get_ticks_low(event)
    )

cdef bint accumulators_fit(const uint8_t* data, uint32_t bits) noexcept nogil
cdef int64_t header_bytes(const uint8_t* data, int64_t n) noexcept nogil
cdef void look_for(Step* s, Reason reason, int64_t resume, bint cut) noexcept nogil
cdef void wait_for(Step* s, int64_t need) noexcept nogil
cdef bint is_at_hand(
    const Window* w, int64_t end, int64_t resume, Step* s
) noexcept nogil
cdef bint begins_with_zeros(const Window* w, int64_t at) noexcept nogil
cdef bint step_at_header(const Window* w, int64_t at, Step* s) noexcept nogil
cdef void next_event(
    const Window* w, int64_t at, const Channel* channels, Step* s
) noexcept nogil
cdef Found find_event(
    const Window* w, const Channel* channels, int64_t start, int64_t stop,
    int64_t* found, int64_t* need,
) noexcept nogil
