# Rows of the table of events: one function fills the columns of one row. The sections
# named are those of the format document "llamaDAQ files".
#
# Included in the kernel's module: as functions of another module they make decoding of
# short events a fifth slower.

cdef SinkTable new_table():
    """Return the `SinkTable` of events."""
    return new_sink_table(sizeof(LLAMAEventColumns), bind_llama_event)


cdef Py_ssize_t raw_width(const void* columns) noexcept nogil:
    """Return the raw samples of a row; -1 if there is no such column."""
    return (<LLAMAEventColumns*>columns).waveform_windowed.width


cdef Py_ssize_t averaged_width(const void* columns) noexcept nogil:
    """Return the averaged samples of a row; -1 if there is no such column."""
    return (<LLAMAEventColumns*>columns).waveform_presummed.width


cdef void write_event(
    void* columns, Py_ssize_t row, const uint8_t* event, const Event* e,
    const Channel* channel, int64_t packet_id, double start, double accuracy,
) noexcept nogil:
    """Write a row."""
    cdef LLAMAEventColumns* c = <LLAMAEventColumns*>columns
    # in this order (2.1)
    cdef double seconds = <double>ticks_of(event) * channel.dt_raw * 1e-9
    cdef const uint8_t* samples = event + e.samples
    llama_event_set_packet_id(c, row, <uint32_t>packet_id)
    llama_event_set_fadc_channel_id(c, row, e.key)
    llama_event_set_time_since_run_start(c, row, seconds)
    llama_event_set_unixtime(c, row, seconds + start)
    llama_event_set_unixtime_accuracy(c, row, accuracy)
    llama_event_set_fadc_status_bits(c, row, e.status >> 26 & 1)
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


cdef uint32_t word_of(
    const uint8_t* event, int64_t block, int word, bint there
) noexcept nogil:
    """Return a word of a block of the event; 0 if the block is not there."""
    return load_u32(event + 4 * (block + word)) if there else 0


cdef void write_blocks(
    LLAMAEventColumns* c, Py_ssize_t row, const uint8_t* event, uint32_t bits,
    uint32_t wanted,
) noexcept nogil:
    """Write the blocks in front of the status word (2); those that lack are 0."""
    cdef int64_t at = TIME_WORDS
    cdef bint there = bits & 1
    cdef uint32_t word
    if wanted & 1:
        word = word_of(event, at, 0, there)
        llama_event_set_wf_max_sample_value(c, row, word & 0xFFFF)
        llama_event_set_wf_max_sample_idx(c, row, word >> 16)
        word = word_of(event, at, 1, there)
        llama_event_set_info_bits(c, row, word >> 24)
        llama_event_set_cumsum_1(c, row, word & 0xFFFFFF)
        llama_event_set_cumsum_2(c, row, word_of(event, at, 2, there))
        llama_event_set_cumsum_3(c, row, word_of(event, at, 3, there))
        llama_event_set_cumsum_4(c, row, word_of(event, at, 4, there))
        llama_event_set_cumsum_5(c, row, word_of(event, at, 5, there))
        llama_event_set_cumsum_6(c, row, word_of(event, at, 6, there))
    at += BLOCK_0_WORDS * there
    if wanted & 2:
        there = bits >> 1 & 1
        llama_event_set_cumsum_7(c, row, word_of(event, at, 0, there))
        llama_event_set_cumsum_8(c, row, word_of(event, at, 1, there))
        at += BLOCK_1_WORDS * there
    if wanted & 4:
        there = bits >> 2 & 1
        llama_event_set_maw_max(c, row, word_of(event, at, 0, there))
        llama_event_set_maw_before(c, row, word_of(event, at, 1, there))
        llama_event_set_maw_after(c, row, word_of(event, at, 2, there))
        at += BLOCK_2_WORDS * there
    if wanted & 8:
        there = bits >> 3 & 1
        llama_event_set_start_energy(c, row, word_of(event, at, 0, there))
        llama_event_set_max_energy(c, row, word_of(event, at, 1, there))


cdef void write_samples(
    BoundWaveform* w, Py_ssize_t row, const uint8_t* samples, int64_t n, bint there,
    double t0, double dt,
) noexcept nogil:
    """Write a waveform of `n` samples, or zeros if they are not there."""
    (<float*>(w.t0.data + row * w.t0.step))[0] = <float>t0
    (<double*>(w.dt.data + row * w.dt.step))[0] = dt
    if w.values == NULL:
        return
    if there:
        memcpy(w.values + row * w.step, samples, 2 * n)
    else:
        memset(w.values + row * w.step, 0, 2 * n)
