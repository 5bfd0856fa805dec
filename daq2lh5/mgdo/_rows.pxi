# Write the rows of MGDO tables: one function fills the columns of one row. Sections are
# those of the MGDO format.
#
# Included in the kernel's module, so that the compiler can inline them.

cdef enum Kind:
    # indices of DTYPES
    KIND_UNSIGNED
    KIND_SHORT
    KIND_INT
    KIND_DOUBLE

cdef enum:
    N_CHANNELS = 65536          # largest number with buffers of their own


cdef struct Layout:
    # kind of rows that a buffer takes
    bint use_aux
    int64_t n                   # samples of the first waveform
    int64_t n_aux

cdef struct MGDOColumns:
    MGDOFieldsColumns fields
    BoundWaveform waves[3]
    BoundVector encoded[3]      # encoded samples, instead of values
    int kinds[3]
    Layout layout


cdef int bind_columns(void* columns, dict arrays, Binding b) except -1:
    cdef MGDOColumns* c = <MGDOColumns*>columns
    cdef int i
    bind_mgdo_fields(&c.fields, arrays, b)
    for i, name in enumerate(WAVEFORMS):
        values = arrays.get(f"{name}/values")
        dtype = DTYPES[c.kinds[i]] if values is None else values.dtype.name
        if dtype not in DTYPES:
            raise ValueError(
                f"column '{name}' has type {dtype}, expected one of {', '.join(DTYPES)}"
            )
        c.kinds[i] = DTYPES.index(dtype)
        b.waveform(&c.waves[i], arrays, name, dtype, "float64")
        b.vector(&c.encoded[i], arrays, f"{name}/values", "uint8", 0)
    return 0


cdef enum Written:
    WRITTEN
    WRITE_ABSENT            # no samples: set to 0
    WRITE_OTHER             # the buffer takes other rows
    WRITE_TOO_LARGE         # a sample exceeds the type of the buffer
    WRITE_BAD               # the samples are damaged


cdef int natural_kind(const Wave* w, bint too_large) noexcept nogil:
    """Return the type for samples of an encoding (8)."""
    if not w.there or w.encoding == ENCODING_UNSIGNED:
        return KIND_UNSIGNED
    if w.encoding == ENCODING_DIFFERENCES:
        return KIND_INT if too_large else KIND_UNSIGNED
    return KIND_SHORT if w.encoding == ENCODING_SHORT else KIND_DOUBLE


cdef Written write_wave(
    BoundWaveform* out, BoundVector* encoded, int kind, int64_t width, int64_t row,
    const Wave* w,
) noexcept nogil:
    """Write a waveform to a row of `width` samples of a kind, decoded or encoded."""
    cdef char* values = out.values + row * out.step
    cdef const uint8_t* samples = w.samples
    cdef int64_t i
    if not w.there or w.n == 0:
        (<float*>(out.t0.data + row * out.t0.step))[0] = <float>(w.t0 if w.there else 0)
        (<double*>(out.dt.data + row * out.dt.step))[0] = w.period if w.there else 0
        if out.values != NULL:
            memset(values, 0, out.width * (2 if kind <= KIND_SHORT else 2 << (kind - 1)))
        if encoded.offsets != NULL:
            if not vector_has_room(encoded, row, width):
                return WRITE_BAD
            memset(vector_row(encoded, row, width), 0, width)
        return WRITE_ABSENT
    if w.n != width:
        return WRITE_OTHER
    (<float*>(out.t0.data + row * out.t0.step))[0] = <float>w.t0
    (<double*>(out.dt.data + row * out.dt.step))[0] = w.period
    if encoded.offsets != NULL:
        return write_encoded(encoded, kind, width, row, w)
    if out.values == NULL:
        return WRITTEN
    if out.width != width:
        return WRITE_OTHER
    if w.encoding == ENCODING_DIFFERENCES:
        if kind == KIND_UNSIGNED:
            return decode_u16(samples, w.n_bytes, <uint16_t*>values, width)
        if kind == KIND_INT:
            return decode_i32(samples, w.n_bytes, <int32_t*>values, width)
        return WRITE_OTHER
    if kind != natural_kind(w, False):
        return WRITE_OTHER
    if kind == KIND_DOUBLE:
        for i in range(width):
            (<double*>values)[i] = load_be_f64(samples + 8 * i)
    else:
        for i in range(width):
            (<uint16_t*>values)[i] = load_be_u16(samples + 2 * i)
    return WRITTEN


cdef Written write_encoded(
    BoundVector* out, int kind, int64_t width, int64_t row, const Wave* w
) noexcept nogil:
    """Write samples encoded as differences (format 4.2), as the codec does."""
    cdef const uint8_t* samples = w.samples
    cdef int64_t n = w.n_bytes
    cdef int64_t at = 0
    cdef int64_t i
    cdef uint32_t x, number
    cdef uint32_t last = 0
    cdef uint8_t* end
    cdef RowState state
    # the buffer has room for the longest rows
    if not vector_has_room(out, row, (5 if kind == KIND_INT else 3) * width):
        return WRITE_BAD
    if w.encoding == ENCODING_DIFFERENCES:
        if kind != KIND_UNSIGNED and kind != KIND_INT:
            return WRITE_OTHER
        state = check_row(samples, n, width, kind == KIND_UNSIGNED)
        if state == ROW_BAD or state == ROW_TOO_LARGE:
            return WRITE_BAD if state == ROW_BAD else WRITE_TOO_LARGE
        if state == ROW_AS_WRITTEN:
            memcpy(vector_row(out, row, n), samples, n)
            return WRITTEN
    elif kind != natural_kind(w, False):
        return WRITE_OTHER
    end = <uint8_t*>out.data + out.offsets[row]
    for i in range(width):
        if w.encoding == ENCODING_DIFFERENCES:
            at = next_number(samples, at, n, &number)
        else:
            x = load_be_u16(samples + 2 * i)
            if kind == KIND_SHORT:
                x = <uint32_t><int16_t>x
            number = zigzag(x - last)
            last = x
        end = put(number, end)
    out.offsets[row + 1] = end - <uint8_t*>out.data
    return WRITTEN


cdef Written decode_u16(
    const uint8_t* p, int64_t n, uint16_t* out, int64_t width
) noexcept nogil:
    """Decode differences (format 4.2) to unsigned 16-bit samples."""
    cdef uint32_t x = 0
    cdef uint32_t z
    cdef uint32_t all_bits = 0
    cdef int64_t at = 0
    cdef int64_t i
    for i in range(width):
        if at < n and p[at] < 0x80:
            z = p[at]
            at += 1
        else:
            at = next_number(p, at, n, &z)
            if at < 0:
                return WRITE_BAD
        x += (z >> 1) ^ (0 - (z & 1))
        all_bits |= x
        out[i] = <uint16_t>x
    if at != n:
        return WRITE_BAD
    return WRITTEN if all_bits < 65536 else WRITE_TOO_LARGE


cdef Written decode_i32(
    const uint8_t* p, int64_t n, int32_t* out, int64_t width
) noexcept nogil:
    """Decode differences (format 4.2) to signed 32-bit samples."""
    cdef uint32_t x = 0
    cdef uint32_t z
    cdef int64_t at = 0
    cdef int64_t i
    for i in range(width):
        at = next_number(p, at, n, &z)
        if at < 0:
            return WRITE_BAD
        x += (z >> 1) ^ (0 - (z & 1))
        out[i] = <int32_t>x
    return WRITTEN if at == n else WRITE_BAD


cdef void write_fields(
    MGDOFieldsColumns* c, Py_ssize_t row, const Entry* e, const Digitizer* d,
    uint32_t packet_id,
) noexcept nogil:
    """Write all columns except the waveforms (format 4.1, 4.3)."""
    cdef const uint8_t* m = d.members
    cdef const uint8_t* g = d.gerda
    mgdo_fields_set_packet_id(c, row, packet_id)
    mgdo_fields_set_channel(c, row, d.channel)
    mgdo_fields_set_event_type(c, row, e.event_type)
    mgdo_fields_set_numtraces(c, row, <int32_t>e.waves.n)
    mgdo_fields_set_timestamp(c, row, e.time)
    mgdo_fields_set_energy_total(c, row, e.total)
    mgdo_fields_set_daqenergy(c, row, mgdo_digitizer_get_energy(m))
    mgdo_fields_set_ts_sec(c, row, mgdo_digitizer_get_time_stamp(m))
    mgdo_fields_set_index(c, row, mgdo_digitizer_get_index(m))
    mgdo_fields_set_clock_frequency(c, row, mgdo_gerda_get_clock_frequency(g))
    mgdo_fields_set_eventnumber(c, row, mgdo_gerda_get_event_number(g))
    mgdo_fields_set_pretrigger(c, row, mgdo_gerda_get_pretrigger(g))
    mgdo_fields_set_trigger_number(c, row, mgdo_gerda_get_trigger_number(g))
    mgdo_fields_set_ts_nsec(c, row, mgdo_gerda_get_decimal_time_stamp(g))
    mgdo_fields_set_is_mu_vetoed(c, row, mgdo_gerda_get_is_mu_vetoed(g) != 0)
    mgdo_fields_set_mu_veto_sample(c, row, mgdo_gerda_get_mu_veto_sample(g))
    mgdo_fields_set_is_inverted(c, row, mgdo_gerda_get_is_inverted(g) != 0)
    mgdo_fields_set_waveform_tag(c, row, mgdo_gerda_get_waveform_tag(g))
