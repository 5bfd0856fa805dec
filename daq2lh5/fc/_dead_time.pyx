"""The dead-time tracker of FCIO event records (FCIO format, 4.4).

Dead intervals are announced before they are over: each waits in its trace's queue
until an event is at or behind its end.
"""

from libc.stdlib cimport free, realloc

from .layout cimport MAX_DEAD_INTERVALS

# an interval counts from 3 ns before its end: clock of the 16-bit firmware (format 4.4)
cdef enum:
    SLACK_NS = 4


cdef void reset_dead_time(DeadTime* d) noexcept nogil:
    cdef int i
    for i in range(MAX_TRACES):
        d.pending[i].head = 0
        d.pending[i].count = 0
        d.newest_end[i] = 0
        d.enabled[i] = -1
        d.dead[i] = 0
        d.dead_interval[i] = 0
    d.now = 0


cdef void free_dead_time(DeadTime* d) noexcept nogil:
    cdef int i
    for i in range(MAX_TRACES):
        free(d.pending[i].items)
        d.pending[i].items = NULL
        d.pending[i].size = 0


cdef bint push(IntervalQueue* q, int64_t begin, int64_t end) noexcept nogil:
    """Append an interval; a full queue loses its oldest one. False if it did."""
    cdef Interval* items
    cdef int size, i
    cdef bint kept = True
    if q.count == q.size and q.size < MAX_DEAD_INTERVALS:
        size = 2 * q.size if q.size else 16
        items = <Interval*>realloc(q.items, size * sizeof(Interval))
        if items != NULL:
            # unroll the ring: move the items before the head behind the old end
            for i in range(q.head):
                items[q.size + i] = items[i]
            q.items = items
            q.size = size
    if q.count == q.size:
        kept = False
        if q.size == 0:
            return False
        q.head = (q.head + 1) % q.size
        q.count -= 1
    i = (q.head + q.count) % q.size
    q.items[i].begin = begin
    q.items[i].end = end
    q.count += 1
    return kept


cdef inline int64_t nanoseconds(int64_t pps, int64_t ticks) noexcept nogil:
    return 1000000000 * pps + 4 * ticks


cdef void advance_dead_time(
    DeadTime* d, int64_t n_traces, bint by_card, int64_t now, const int32_t* to,
    const int32_t* dr,
) noexcept nogil:
    """Update the tracker with an event record (FCIO format, 4.4, steps 1 to 7).

    `by_card` is true for type 11, where each card has its own dead regions.
    """
    cdef int64_t lo = min(max(dr[5], 0), n_traces)
    cdef int64_t hi = min(lo + max(dr[6], 0), n_traces)
    cdef int64_t a = lo if by_card else 0
    cdef int64_t b = hi if by_card else n_traces
    cdef int64_t start = nanoseconds(dr[0], dr[1])
    cdef int64_t stop = nanoseconds(dr[2], dr[3])
    cdef int64_t i, enabled, dead
    cdef bint ready
    cdef IntervalQueue* q
    d.now = now

    for i in range(a, b):
        if d.enabled[i] == -1:
            break
    else:
        i = b
    if i < b and start == 0 and stop >= 0:
        if stop > 0:
            enabled = stop
        else:
            enabled = 1000000000 * <int64_t>to[5] + 1000 * <int64_t>to[6]
        for i in range(a, b):
            d.enabled[i] = enabled

    if start > 0:
        for i in range(lo, hi):
            if stop > d.newest_end[i]:
                if not push(&d.pending[i], start, stop):
                    d.n_dropped += 1
                d.newest_end[i] = stop

    for i in range(a, b):
        d.dead_interval[i] = 0

    while True:
        ready = False
        for i in range(lo, hi):
            q = &d.pending[i]
            if q.count == 0:
                break
            if now - q.items[q.head].end > -SLACK_NS:
                ready = True
                break
        if not ready:
            break
        for i in range(lo, hi):
            q = &d.pending[i]
            if q.count == 0:
                continue
            dead = q.items[q.head].end - q.items[q.head].begin
            q.head = (q.head + 1) % q.size
            q.count -= 1
            d.dead_interval[i] = dead
            d.dead[i] += dead
        if not by_card and dr[6] == 1 and hi - lo == 1:
            # one region for all traces of the stream
            for i in range(a, b):
                if i != lo:
                    d.dead_interval[i] = d.dead_interval[lo]
                    d.dead[i] += d.dead_interval[lo]
