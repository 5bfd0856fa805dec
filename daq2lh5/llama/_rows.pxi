# Write the rows of the event table: one function fills the columns of one row. Sections
# are those of the llamaDAQ format.
#
# Included in the kernel's module: in a module of its own, decoding of short events is a
# fifth slower.

cdef SinkTable new_table():
    """Return the `SinkTable` of events."""
    return new_sink_table(sizeof(LLAMAEventColumns), bind_llama_event)


cdef Py_ssize_t raw_width(const void* columns) noexcept nogil:
    """Return the number of raw samples of a row; -1 without the column."""
    return (<LLAMAEventColumns*>columns).waveform_windowed.width


cdef Py_ssize_t averaged_width(const void* columns) noexcept nogil:
    """Return the number of averaged samples of a row; -1 without the column."""
    return (<LLAMAEventColumns*>columns).waveform_presummed.width


cdef void write_event(
    void* columns, Py_ssize_t row, const uint8_t* event, const Event* e,
    const Channel* channel, int64_t packet_id, double start, double accuracy,
) noexcept nogil:
    """Write a row."""
    cdef LLAMAEventColumns* c = <LLAMAEventColumns*>columns
    # operations in the order of format 2.1
    cdef double seconds = <double>ticks_of(event) * channel.dt_raw * 1e-9
    cdef const uint8_t* samples = event + e.samples
    llama_event_set_packet_id(c, row, <uint32_t>packet_id)
    llama_event_set_fadc_channel_id(c, row, e.key)
    llama_event_set_time_since_run_start(c, row, seconds)
    llama_event_set_unixtime(c, row, seconds + start)
    llama_event_set_unixtime_accuracy(c, row, accuracy)
    llama_event_set_fadc_status_bits(c, row, e.flag)
    write_blocks(c, row, event, e.bits, e.bits | channel.bits)
    write_samples(
        &c.waveform_windowed, row, samples, 2 * channel.raw_words,
        e.raw_words > 0, channel.t0_raw, channel.dt_raw,
    )
    write_samples(
        &c.waveform_presummed, row, samples + 4 * e.raw_words,
        2 * channel.averaged_words, e.averaged_words > 0,
        channel.t0_averaged + e.counter * channel.dt_raw, channel.dt_averaged,
    )


cdef uint8_t[SIS3316_PEAK_BYTES] NO_BLOCK
"""Zeros for a missing block."""


cdef void write_blocks(
    LLAMAEventColumns* c, Py_ssize_t row, const uint8_t* event, uint32_t bits,
    uint32_t wanted,
) noexcept nogil:
    """Write the blocks in front of the status word (2); missing ones as 0."""
    cdef const uint8_t* at = event + SIS3316_EVENT_BYTES
    cdef const uint8_t* b
    if wanted & 1:
        b = at if bits & 1 else &NO_BLOCK[0]
        llama_event_set_wf_max_sample_value(c, row, sis3316_peak_get_value(b))
        llama_event_set_wf_max_sample_idx(c, row, sis3316_peak_get_index(b))
        llama_event_set_info_bits(c, row, sis3316_peak_get_information(b))
        llama_event_set_cumsum_1(c, row, sis3316_peak_get_accumulator_1(b))
        llama_event_set_cumsum_2(c, row, sis3316_peak_get_accumulators(b, 0))
        llama_event_set_cumsum_3(c, row, sis3316_peak_get_accumulators(b, 1))
        llama_event_set_cumsum_4(c, row, sis3316_peak_get_accumulators(b, 2))
        llama_event_set_cumsum_5(c, row, sis3316_peak_get_accumulators(b, 3))
        llama_event_set_cumsum_6(c, row, sis3316_peak_get_accumulators(b, 4))
    at += SIS3316_PEAK_BYTES * (bits & 1)
    if wanted & 2:
        b = at if bits & 2 else &NO_BLOCK[0]
        llama_event_set_cumsum_7(c, row, sis3316_accumulators_get_accumulators(b, 0))
        llama_event_set_cumsum_8(c, row, sis3316_accumulators_get_accumulators(b, 1))
    at += SIS3316_ACCUMULATORS_BYTES * (bits >> 1 & 1)
    if wanted & 4:
        b = at if bits & 4 else &NO_BLOCK[0]
        llama_event_set_maw_max(c, row, sis3316_maw_get_maximum(b))
        llama_event_set_maw_before(c, row, sis3316_maw_get_before(b))
        llama_event_set_maw_after(c, row, sis3316_maw_get_after(b))
    at += SIS3316_MAW_BYTES * (bits >> 2 & 1)
    if wanted & 8:
        b = at if bits & 8 else &NO_BLOCK[0]
        llama_event_set_start_energy(c, row, sis3316_energies_get_start(b))
        llama_event_set_max_energy(c, row, sis3316_energies_get_maximum(b))


cdef void write_samples(
    BoundWaveform* w, Py_ssize_t row, const uint8_t* samples, int64_t n,
    bint has_samples, double t0, double dt,
) noexcept nogil:
    """Write a waveform of `n` samples; zeros if they are missing."""
    (<float*>(w.t0.data + row * w.t0.step))[0] = <float>t0
    (<double*>(w.dt.data + row * w.dt.step))[0] = dt
    if w.values == NULL:
        return
    if has_samples:
        memcpy(w.values + row * w.step, samples, 2 * n)
    else:
        memset(w.values + row * w.step, 0, 2 * n)
