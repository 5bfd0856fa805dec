# From bytes to events: the words in front of the samples, and finding the next event.

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef enum Reason:
    REASON_NONE
    REASON_CHANNEL          # a channel without a configuration
    REASON_STATUS           # no status word where it must be
    REASON_AVERAGE          # no average word where it must be
    REASON_LENGTHS          # lengths that do not add up
    REASON_WIDTH            # lengths that are not those of the channel's table
    REASON_PAST_END         # an event longer than the rest of the data
    REASON_STRAY            # bytes at the end, too few for an event
    REASON_RUNS_INTO        # an event that another one starts in
    N_REASONS

cdef struct Channel:
    # what the configuration says
    bint known
    uint32_t bits           # format bits
    int64_t words           # of an event
    int64_t raw_words       # of its samples
    int64_t averaged_words  # 0: no column takes them
    double dt_raw
    double dt_averaged
    double t0_raw
    double t0_averaged      # without the event's counter
    # where the rows go; -1: nobody wants them
    int sink
    int64_t n_skipped

cdef struct Event:
    uint32_t key
    uint32_t bits
    uint32_t status
    int64_t length          # bytes
    int64_t samples         # byte at which they begin
    int64_t raw_words
    int64_t averaged_words
    uint32_t counter        # of the average word
    bint maw                # words that are no samples follow

cdef enum Found:
    FOUND_NO
    FOUND_YES
    FOUND_MORE              # needs more bytes to tell

cdef Reason read_head(
    const uint8_t* data, int64_t n, const Channel* channels, Event* e
) noexcept nogil
cdef Found is_sound_after(
    const uint8_t* data, int64_t n, bint at_end, const Channel* channels, int64_t at,
    int64_t* need,
) noexcept nogil
cdef Found find_event(
    const uint8_t* data, int64_t n, bint at_end, const Channel* channels,
    int64_t start, int64_t stop, int64_t* found, int64_t* need,
) noexcept nogil
