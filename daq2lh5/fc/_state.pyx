"""State of an FCIO stream: its updates by records, and quantities derived from it.

A frame overwrites the first bytes of its field; the rest of the field keeps its former
content (FCIO format, 1.2 and 2.3). Derived quantities: format 4.
"""

from libc.math cimport NAN
from libc.string cimport memcpy, memset

from .._core.bytes cimport load_i32
from ._dead_time cimport advance_dead_time, reset_dead_time


cdef int64_t take(
    char* target, int64_t most, const uint8_t* data, const Record* r, int k
) noexcept nogil:
    """Copy frame `k` over the first bytes of a field (format 1.2); -1: it is absent."""
    if k >= r.n_frames:
        return -1
    cdef int64_t length = min(r.frames[k].length, most)
    memcpy(target, data + r.frames[k].start, length)
    return length


cdef void apply_config(
    State* s, Limits* limits, const uint8_t* data, const Record* r
) noexcept nogil:
    """Apply a configuration; fields without a frame keep their value (format 2.3)."""
    cdef Config* c = &s.config
    cdef int32_t* fields[10]
    cdef int k
    fields[0], fields[1], fields[2] = &c.adcs, &c.triggers, &c.samples
    fields[3], fields[4], fields[5] = &c.blprecision, &c.sumlength, &c.adcbits
    fields[6], fields[7], fields[8] = &c.mastercards, &c.triggercards, &c.adccards
    fields[9] = &c.gps
    for k in range(10):
        take(<char*>fields[k], 4, data, r, k)
    take(<char*>c.tracemap, sizeof(c.tracemap), data, r, 10)
    take(<char*>&c.streamid, 4, data, r, STREAM_ID_FRAME)
    limits.sizes[0], limits.sizes[1], limits.sizes[2] = c.adcs, c.triggers, c.samples
    limits.n_traces = <int64_t>c.adcs + c.triggers
    limits.trace_bytes = 2 * (<int64_t>c.samples + 2)
    for k in range(max(s.event.n_traces, 0)):
        if s.event.traces[k] >= limits.n_traces:
            # the list has traces that no longer exist: a full event starts a new one
            s.event.n_traces = -1
            break
    reset_dead_time(&s.dead_time)
    s.tag = TAG_CONFIG
    limits.configured = True


cdef bint apply_event(
    State* s, int64_t n_traces, const uint8_t* data, const Record* r
) noexcept nogil:
    """Update the event fields and the dead time with an event record (format 2.3).

    False if its dead region exceeds the traces, and was clamped.
    """
    cdef Event* e = &s.event
    cdef int64_t length
    cdef int dr_frame = 5 if r.tag == TAG_EVENT else 4
    cdef int i
    take(<char*>&e.type, 4, data, r, 0)
    take(<char*>e.to, sizeof(e.to), data, r, 2)
    take(<char*>e.ts, sizeof(e.ts), data, r, 3)
    length = take(<char*>e.dr, sizeof(e.dr), data, r, dr_frame)
    e.dr_size = -1 if length < 0 else <int>(r.frames[dr_frame].length // 4)
    if r.tag == TAG_EVENT:
        e.dr[5] = 0
        e.dr[6] = <int32_t>n_traces
        if e.n_traces != n_traces:
            for i in range(n_traces):
                e.traces[i] = <uint16_t>i
    else:
        # the frame's list, then the former content (clamped to the traces)
        memcpy(
            e.traces,
            data + r.frames[6 if r.tag == TAG_SPARSE_EVENT else 5].start,
            2 * r.n_traces,
        )
    e.n_traces = r.n_traces
    if not s.dead_time.given:
        advance_dead_time(
            &s.dead_time, n_traces, e.type == 11,
            1000000000 * <int64_t>e.ts[1] + 4 * <int64_t>e.ts[2], e.to, e.dr,
        )
    return e.dr[5] >= 0 and e.dr[6] >= 0 and <int64_t>e.dr[5] + e.dr[6] <= n_traces


cdef void apply_status(State* s, const uint8_t* data, const Record* r) noexcept nogil:
    """Update the fields of status records."""
    take(<char*>&s.status, 4, data, r, 0)
    take(<char*>s.status_time, sizeof(s.status_time), data, r, 1)
    s.n_cards = load_i32(data + r.frames[2].start)


cdef void apply_fsp(State* s, const uint8_t* data, const Record* r) noexcept nogil:
    """Update the values of the stream processor (format 2.2, 2.3)."""
    cdef FspEvent* f = &s.fsp
    if r.tag == TAG_FSP_CONFIG:
        memset(f, 0, sizeof(FspEvent))
        s.fsp_configured = True
    elif r.tag == TAG_FSP_EVENT:
        take(<char*>f.flags, sizeof(f.flags), data, r, 0)
        take(<char*>&f.nconsecutive, sizeof(f.nconsecutive), data, r, 2)
        # the short form of old files has no software multiplicity
        memset(&f.hwm[8], 0, 4)
        take(<char*>f.hwm, sizeof(f.hwm), data, r, 3)
        take(<char*>f.wps, sizeof(f.wps), data, r, 4)


cdef uint16_t fpga_baseline(const Config* c, uint16_t h0) noexcept nogil:
    """Column `baseline` (format 4.2)."""
    if c.blprecision == 0:
        return 0
    return <uint16_t>(<int64_t>(<double>h0 / c.blprecision))


cdef uint16_t fpga_energy(const Config* c, uint16_t h0, uint16_t h1) noexcept nogil:
    """Column `daqenergy` (format 4.3)."""
    if c.adcbits != 12:
        return h1
    if c.blprecision == 0:
        return 0
    return <uint16_t>(<int64_t>(
        (<double>c.sumlength / c.blprecision) * <uint16_t>(h1 - h0)
    ))


cdef float sampling_period(const Config* c) noexcept nogil:
    """Nanoseconds between samples (3); NaN if unknown."""
    if c.adcbits == 16:
        return 16
    if c.adcbits == 12:
        return 4
    return NAN


cdef int64_t unix_ns(const State* s) noexcept nogil:
    """Time of the event (format 4.1)."""
    cdef const Event* e = &s.event
    if s.config.gps == 0:
        return (
            s.dead_time.now + 1000000000 * <int64_t>e.to[0]
            + 1000 * <int64_t>e.to[1]
        )
    return s.dead_time.now + 1000000000 * <int64_t>e.to[2]
