"""Rows of the FCIO tables: one function for each kind (FCIO format, 6).

The caller has made room: these functions fill row `row` of bound columns.
"""

from libc.stdint cimport uint64_t, UINT32_MAX
from libc.string cimport memcpy, memset

from .._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from .._core.sink cimport new_sink_table
from ._dead_time cimport DeadTime
from ._state cimport fpga_baseline, fpga_energy, sampling_period, take, unix_ns
from ._wire cimport *

include "_columns.pxi"

TABLES = ("FCEvent", "FCEventHeader", "FCStatus", "FSPEvent", "FSPStatus")
"""Names of the tables, in the order of the indices INTO_EVENT, ..."""


cdef tuple new_tables():
    """Return a `SinkTable` for each table."""
    return (
        new_sink_table(sizeof(FCEventColumns), bind_fc_event),
        new_sink_table(sizeof(FCEventHeaderColumns), bind_fc_event_header),
        new_sink_table(sizeof(FCStatusColumns), bind_fc_status),
        new_sink_table(sizeof(FSPEventColumns), bind_fsp_event),
        new_sink_table(sizeof(FSPStatusColumns), bind_fsp_status),
    )


cdef bint vectors_fit(
    int table, const void* columns, Py_ssize_t row, int64_t n
) noexcept nogil:
    """Whether each vector column of a row can have `n` elements."""
    if table == INTO_EVENT_HEADER:
        return fc_event_header_has_room(<FCEventHeaderColumns*>columns, row, n)
    if table == INTO_STATUS:
        return fc_status_has_room(<FCStatusColumns*>columns, row, n)
    if table == INTO_FSP_EVENT:
        return fsp_event_has_room(<FSPEventColumns*>columns, row, n)
    return True


cdef Py_ssize_t waveform_width(const void* columns) noexcept nogil:
    """Return the samples of a row of FCEvent; -1 without a waveform column."""
    return (<FCEventColumns*>columns).waveform.width


cdef void write_fields(
    FCEventFieldsColumns* c, Py_ssize_t row, const State* s, int64_t packet_id
) noexcept nogil:
    """Write the columns that FCEvent and FCEventHeader share."""
    cdef const Event* e = &s.event
    cdef const uint8_t* to = <const uint8_t*>e.to
    cdef const uint8_t* ts = <const uint8_t*>e.ts
    cdef const uint8_t* dr = <const uint8_t*>e.dr
    fc_event_fields_set_packet_id(c, row, <uint32_t>packet_id)
    fc_event_fields_set_fcid(c, row, <uint16_t>(s.config.streamid & 0xFFFF))
    fc_event_fields_set_event_type(c, row, e.type)
    fc_event_fields_set_numtraces(c, row, e.n_traces)
    fc_event_fields_set_timestamp(c, row, <double>unix_ns(s) / 1e9)
    fc_event_fields_set_eventnumber(c, row, fcio_timestamp_get_eventnumber(ts))
    fc_event_fields_set_ts_pps(c, row, fcio_timestamp_get_pps(ts))
    fc_event_fields_set_ts_ticks(c, row, fcio_timestamp_get_ticks(ts))
    fc_event_fields_set_ts_maxticks(c, row, fcio_timestamp_get_maxticks(ts))
    fc_event_fields_set_mu_offset_sec(c, row, fcio_timeoffset_get_server_sec(to))
    fc_event_fields_set_mu_offset_usec(c, row, fcio_timeoffset_get_server_usec(to))
    fc_event_fields_set_to_master_sec(c, row, fcio_timeoffset_get_master_sec(to))
    fc_event_fields_set_delta_mu_usec(c, row, fcio_timeoffset_get_delta_usec(to))
    fc_event_fields_set_abs_delta_mu_usec(
        c, row, fcio_timeoffset_get_abs_delta_usec(to)
    )
    fc_event_fields_set_to_start_sec(c, row, fcio_timeoffset_get_start_sec(to))
    fc_event_fields_set_to_start_usec(c, row, fcio_timeoffset_get_start_usec(to))
    fc_event_fields_set_dr_start_pps(c, row, fcio_deadregion_get_start_pps(dr))
    fc_event_fields_set_dr_start_ticks(c, row, fcio_deadregion_get_start_ticks(dr))
    fc_event_fields_set_dr_stop_pps(c, row, fcio_deadregion_get_stop_pps(dr))
    fc_event_fields_set_dr_stop_ticks(c, row, fcio_deadregion_get_stop_ticks(dr))
    fc_event_fields_set_dr_maxticks(c, row, fcio_deadregion_get_maxticks(dr))
    if e.dr_size >= 7:
        fc_event_fields_set_dr_ch_idx(
            c, row, <uint16_t>fcio_deadregion_get_first_trace(dr)
        )
        fc_event_fields_set_dr_ch_len(
            c, row, <uint16_t>fcio_deadregion_get_n_traces(dr)
        )
    else:
        fc_event_fields_set_dr_ch_idx(c, row, 0)
        fc_event_fields_set_dr_ch_len(c, row, <uint16_t>s.config.adcs)


cdef void write_trace(
    void* columns, Py_ssize_t row, const State* s, int64_t packet_id, int t,
    const uint8_t* trace,
) noexcept nogil:
    """Write the row of one trace of an Event or SparseEvent (format 6.2)."""
    cdef FCEventColumns* c = <FCEventColumns*>columns
    cdef const DeadTime* d = &s.dead_time
    cdef uint16_t h0 = fcio_trace_get_baseline(trace)
    cdef uint16_t h1 = fcio_trace_get_integrator(trace)
    cdef uint32_t address = s.config.tracemap[t]
    cdef int64_t run = d.now - d.enabled[t]
    write_fields(&c.fields, row, s, packet_id)
    fc_event_set_channel(c, row, <uint16_t>t)
    fc_event_set_board_id(c, row, <uint16_t>(address >> 16))
    fc_event_set_fc_input(c, row, <uint16_t>(address & 0xFFFF))
    fc_event_set_runtime(c, row, <double>run / 1e9)
    fc_event_set_lifetime(c, row, <double>(run - d.dead[t]) / 1e9)
    fc_event_set_deadtime(c, row, <double>d.dead[t] / 1e9)
    fc_event_set_deadinterval_nsec(c, row, d.dead_interval[t])
    fc_event_set_baseline(c, row, fpga_baseline(&s.config, h0))
    fc_event_set_daqenergy(c, row, fpga_energy(&s.config, h0, h1))
    (<float*>(c.waveform.t0.data + row * c.waveform.t0.step))[0] = 0
    (<float*>(c.waveform.dt.data + row * c.waveform.dt.step))[0] = (
        sampling_period(&s.config)
    )
    if c.waveform.values != NULL:
        memcpy(
            c.waveform.values + row * c.waveform.step, trace + FCIO_TRACE_BYTES,
            2 * <size_t>s.config.samples,
        )


cdef void write_header(
    void* columns, Py_ssize_t row, const State* s, int64_t packet_id,
    const uint8_t* words,
) noexcept nogil:
    """Write the row of an EventHeader: `words`, two of each trace (format 6.2)."""
    cdef FCEventHeaderColumns* c = <FCEventHeaderColumns*>columns
    cdef const DeadTime* d = &s.dead_time
    cdef int n = s.event.n_traces
    cdef uint16_t* board_id = fc_event_header_new_board_id(c, row, n)
    cdef uint16_t* fc_input = fc_event_header_new_fc_input(c, row, n)
    cdef uint16_t* tracelist = fc_event_header_new_tracelist(c, row, n)
    cdef double* runtime = fc_event_header_new_runtime(c, row, n)
    cdef double* lifetime = fc_event_header_new_lifetime(c, row, n)
    cdef double* deadtime = fc_event_header_new_deadtime(c, row, n)
    cdef int64_t* interval = fc_event_header_new_deadinterval_nsec(c, row, n)
    cdef uint16_t* baseline = fc_event_header_new_baseline(c, row, n)
    cdef uint16_t* daqenergy = fc_event_header_new_daqenergy(c, row, n)
    cdef int i, t
    cdef int64_t run
    cdef uint16_t h0, h1
    write_fields(&c.fields, row, s, packet_id)
    for i in range(n):
        t = s.event.traces[i]
        run = d.now - d.enabled[t]
        h0 = fcio_trace_get_baseline(words + FCIO_TRACE_BYTES * i)
        h1 = fcio_trace_get_integrator(words + FCIO_TRACE_BYTES * i)
        board_id[i] = <uint16_t>(s.config.tracemap[t] >> 16)
        fc_input[i] = <uint16_t>(s.config.tracemap[t] & 0xFFFF)
        tracelist[i] = <uint16_t>t
        runtime[i] = <double>run / 1e9
        lifetime[i] = <double>(run - d.dead[t]) / 1e9
        deadtime[i] = <double>d.dead[t] / 1e9
        interval[i] = d.dead_interval[t]
        baseline[i] = fpga_baseline(&s.config, h0)
        daqenergy[i] = fpga_energy(&s.config, h0, h1)


cdef int card_id(const uint8_t* data, const Record* r, int card) noexcept nogil:
    """Return the lower half of a card's request id, which identifies it (5)."""
    cdef const Frame* block = &r.frames[4 + card]
    return fcio_card_get_reqid(data + block.start) & 0xFFFF if block.length >= 4 else 0


cdef const uint8_t* whole_block(
    const uint8_t* data, const Frame* block, uint8_t* spare
) noexcept nogil:
    """Return the block of a card; a short block is copied and filled with zeros."""
    if block.length >= FCIO_CARD_BYTES:
        return data + block.start
    memset(spare, 0, FCIO_CARD_BYTES)
    # complete words
    memcpy(spare, data + block.start, block.length // 4 * 4)
    return spare


cdef void write_card(
    void* columns, Py_ssize_t row, const State* s, int64_t packet_id,
    const uint8_t* data, const Record* r, int card,
) noexcept nogil:
    """Write the row of one card block (format 2.1)."""
    cdef FCStatusColumns* c = <FCStatusColumns*>columns
    cdef const uint8_t* when = <const uint8_t*>s.status_time
    cdef uint8_t spare[FCIO_CARD_BYTES]
    cdef const uint8_t* b = whole_block(data, &r.frames[4 + card], spare)
    cdef uint64_t pps = fcio_card_get_pps(b)
    cdef uint64_t ticks = fcio_card_get_ticks(b)
    cdef int i, n
    cdef uint32_t* u
    cdef int32_t* v
    fc_status_set_packet_id(c, row, <uint32_t>packet_id)
    fc_status_set_status(c, row, s.status != 0)
    fc_status_set_fpga_time(
        c, row, <float>(
            fcio_statustime_get_fpga_sec(when)
            + 1e-6 * fcio_statustime_get_fpga_usec(when)
        )
    )
    fc_status_set_server_time(
        c, row, fcio_statustime_get_server_sec(when)
        + 1e-6 * fcio_statustime_get_server_usec(when)
    )
    fc_status_set_fpga_start_time(
        c, row, fcio_statustime_get_start_sec(when)
        + 1e-6 * fcio_statustime_get_start_usec(when)
    )
    fc_status_set_id(c, row, fcio_card_get_reqid(b))
    fc_status_set_eventnumber(c, row, fcio_card_get_eventno(b))
    fc_status_set_fpga_time_nsec(
        c, row, <uint32_t>((1000000000 * pps + 4 * ticks) & UINT32_MAX)
    )
    fc_status_set_n_total_errors(c, row, fcio_card_get_totalerrors(b))
    fc_status_set_n_environment_errors(c, row, fcio_card_get_enverrors(b))
    fc_status_set_n_cti_errors(c, row, fcio_card_get_ctierrors(b))
    fc_status_set_n_link_errors(c, row, fcio_card_get_linkerrors(b))
    u = fc_status_at_n_other_errors(c, row)
    for i in range(FCIO_CARD_N_OTHERERRORS):
        u[i] = fcio_card_get_othererrors(b, i)
    v = fc_status_at_mb_temps(c, row)
    for i in range(FCIO_CARD_N_BOARD_TEMPERATURES):
        v[i] = fcio_card_get_board_temperatures(b, i)
    v = fc_status_at_mb_voltages(c, row)
    for i in range(FCIO_CARD_N_VOLTAGES):
        v[i] = fcio_card_get_voltages(b, i)
    fc_status_set_mb_current(c, row, fcio_card_get_current(b))
    fc_status_set_mb_humidity(c, row, fcio_card_get_humidity(b))
    # the values of the main board are always present
    n = count(fcio_card_get_numenv(b), MAX_ENVIRONMENT)
    n = max(n - (MAX_ENVIRONMENT - FCIO_CARD_N_ADC_TEMPERATURES), 0)
    v = fc_status_new_adc_temps(c, row, n)
    for i in range(n):
        v[i] = fcio_card_get_adc_temperatures(b, i)
    n = count(fcio_card_get_numctilinks(b), FCIO_CARD_N_CTILINKS)
    u = fc_status_new_cti_links(c, row, n)
    for i in range(n):
        u[i] = fcio_card_get_ctilinks(b, i)
    n = count(fcio_card_get_numlinks(b), FCIO_CARD_N_LINKSTATES)
    u = fc_status_new_link_states(c, row, n)
    for i in range(n):
        u[i] = fcio_card_get_linkstates(b, i)


cdef inline int count(uint32_t n, uint32_t most) noexcept nogil:
    """Return a count from the input, clamped to `most` (format 1.4)."""
    return <int>min(n, most)


cdef void write_fsp_event(
    void* columns, Py_ssize_t row, const State* s, int64_t packet_id,
    const uint8_t* data, const Record* r,
) noexcept nogil:
    """Write the row of an FSPEvent record (format 6.5)."""
    cdef FSPEventColumns* c = <FSPEventColumns*>columns
    cdef const FspEvent* f = &s.fsp
    cdef int64_t n
    fsp_event_set_packet_id(c, row, <uint32_t>packet_id)
    fsp_event_set_is_written(c, row, fsp_write_flags_get_write(f.flags) != 0)
    fsp_event_set_is_consecutive(c, row, fsp_write_flags_get_consecutive(f.flags) != 0)
    fsp_event_set_is_extended(c, row, fsp_write_flags_get_extended(f.flags) != 0)
    fsp_event_set_is_hwm_multiplicity(
        c, row, fsp_write_flags_get_hwm_multiplicity(f.flags) != 0
    )
    fsp_event_set_is_hwm_prescaled(
        c, row, fsp_write_flags_get_hwm_prescaled(f.flags) != 0
    )
    fsp_event_set_is_wps_sum(c, row, fsp_write_flags_get_wps_sum(f.flags) != 0)
    fsp_event_set_is_wps_coincident_sum(
        c, row, fsp_write_flags_get_wps_coincident_sum(f.flags) != 0
    )
    fsp_event_set_is_wps_prescaled(
        c, row, fsp_write_flags_get_wps_prescaled(f.flags) != 0
    )
    fsp_event_set_is_ct_multiplicity(
        c, row, fsp_write_flags_get_ct_multiplicity(f.flags) != 0
    )
    fsp_event_set_obs_evt_nconsecutive(c, row, f.nconsecutive)
    fsp_event_set_obs_hwm_hw_multiplicity(c, row, fsp_hwm_get_hw_multiplicity(f.hwm))
    fsp_event_set_obs_hwm_max_value(c, row, fsp_hwm_get_max_value(f.hwm))
    fsp_event_set_obs_hwm_min_value(c, row, fsp_hwm_get_min_value(f.hwm))
    fsp_event_set_obs_hwm_sw_multiplicity(c, row, fsp_hwm_get_sw_multiplicity(f.hwm))
    fsp_event_set_obs_wps_sum_value(c, row, fsp_wps_get_sum_value(f.wps))
    fsp_event_set_obs_wps_sum_offset(c, row, fsp_wps_get_sum_offset(f.wps))
    fsp_event_set_obs_wps_sum_multiplicity(c, row, fsp_wps_get_sum_multiplicity(f.wps))
    fsp_event_set_obs_wps_max_peak_value(c, row, fsp_wps_get_max_peak_value(f.wps))
    fsp_event_set_obs_wps_max_peak_offset(c, row, fsp_wps_get_max_peak_offset(f.wps))
    n = min(r.frames[5].length // 4, MAX_TRACES)
    fsp_event_set_obs_ct_multiplicity(c, row, <int32_t>n)
    take(<char*>fsp_event_new_obs_ct_trace_idx(c, row, n), 4 * n, data, r, 5)
    n = min(r.frames[6].length // 2, MAX_TRACES)
    take(<char*>fsp_event_new_obs_ct_max(c, row, n), 2 * n, data, r, 6)
    n = min(r.frames[10].length // 2, MAX_TRACES) if r.n_frames > 10 else 0
    take(
        <char*>fsp_event_new_obs_ps_hwm_prescaled_trace_idx(c, row, n), 2 * n,
        data, r, 10,
    )


cdef void write_fsp_status(
    void* columns, Py_ssize_t row, int64_t packet_id, const uint8_t* data,
    const Record* r,
) noexcept nogil:
    """Write the row of an FSPStatus record (format 2.2, 6.6)."""
    cdef FSPStatusColumns* c = <FSPStatusColumns*>columns
    cdef uint8_t block[FSP_STATUS_BYTES]
    memset(block, 0, FSP_STATUS_BYTES)
    take(<char*>block, FSP_STATUS_BYTES, data, r, 0)
    fsp_status_set_packet_id(c, row, <uint32_t>packet_id)
    fsp_status_set_start_time(c, row, fsp_status_get_start_time(block))
    fsp_status_set_log_time(c, row, fsp_status_get_log_time(block))
    fsp_status_set_dt_logtime(c, row, fsp_status_get_dt_logtime(block))
    fsp_status_set_runtime(c, row, fsp_status_get_runtime(block))
    fsp_status_set_n_read_events(c, row, fsp_status_get_n_read_events(block))
    fsp_status_set_n_written_events(c, row, fsp_status_get_n_written_events(block))
    fsp_status_set_n_discarded_events(c, row, fsp_status_get_n_discarded_events(block))
    fsp_status_set_dt_n_read_events(c, row, fsp_status_get_dt_n_read_events(block))
    fsp_status_set_dt_n_written_events(
        c, row, fsp_status_get_dt_n_written_events(block)
    )
    fsp_status_set_dt_n_discarded_events(
        c, row, fsp_status_get_dt_n_discarded_events(block)
    )
    fsp_status_set_dt(c, row, fsp_status_get_dt(block))
    fsp_status_set_dt_rate_read_events(
        c, row, fsp_status_get_dt_rate_read_events(block)
    )
    fsp_status_set_dt_rate_write_events(
        c, row, fsp_status_get_dt_rate_write_events(block)
    )
    fsp_status_set_dt_rate_discard_events(
        c, row, fsp_status_get_dt_rate_discard_events(block)
    )
    fsp_status_set_avg_rate_read_events(
        c, row, fsp_status_get_avg_rate_read_events(block)
    )
    fsp_status_set_avg_rate_write_events(
        c, row, fsp_status_get_avg_rate_write_events(block)
    )
    fsp_status_set_avg_rate_discard_events(
        c, row, fsp_status_get_avg_rate_discard_events(block)
    )
