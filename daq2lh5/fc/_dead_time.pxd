# Run, life and dead time of each trace (FCIO format, 4.4, behaviour A).

from libc.stdint cimport int32_t, int64_t

from .layout cimport MAX_TRACES


cdef struct Interval:
    int64_t begin
    int64_t end

cdef struct IntervalQueue:
    Interval* items         # ring of `size`, allocated when first needed
    int size
    int head
    int count

cdef struct DeadTime:
    IntervalQueue pending[MAX_TRACES]
    int64_t newest_end[MAX_TRACES]      # end of the last accepted interval
    int64_t enabled[MAX_TRACES]         # when the trigger was enabled; -1: not yet
    int64_t dead[MAX_TRACES]
    int64_t dead_interval[MAX_TRACES]
    int64_t now
    bint given                          # set by set_times, not computed here
    int64_t n_dropped                   # dropped because a queue was full

cdef void reset_dead_time(DeadTime* d) noexcept nogil
cdef void free_dead_time(DeadTime* d) noexcept nogil
cdef void advance_dead_time(
    DeadTime* d, int64_t n_traces, bint by_card, int64_t now, const int32_t* to,
    const int32_t* dr,
) noexcept nogil
