"""Decode entries of a tree of ``MGTEvent`` straight into columns.

One :class:`MGDOStream` holds the buffers that take the rows. `MGDOStream.decode` runs
over the entries of a basket without the interpreter until something needs Python: the
next basket, a full buffer, a damaged entry, waveforms that a buffer is not made for.

The sections named are those of the format document "MGDO ROOT files".
"""

import sys

import numpy as np

from ._framing import CLASS_NAMES

from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)
from libc.string cimport memcpy, memset

from .._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from .._core.bytes cimport load_be_f64, load_be_u16, load_be_u32, load_be_u64
from .._core.sink cimport RowSink, SinkTable, new_sink_table
from .._core.status cimport *
from .._core.codecs.uleb128 cimport (
    ROW_AS_WRITTEN, ROW_BAD, ROW_TOO_LARGE, RowState, check_row, next_number, put, zigzag,
)
from ._framing cimport *

include "_columns.pxi"

REASONS = {
    REASON_NO_EVENT: "no MGTEvent",
    REASON_PAST_END: "a field is behind the end of its object",
    REASON_END: "an object does not end where it says",
    REASON_BYTES: "no byte count where one must be",
    REASON_VERSION: "unknown version of a class",
    REASON_POINTER: "unknown kind of pointer",
    REASON_CLASS: "object of another class",
    REASON_MEMBER_WISE: "array written by members, which is not supported",
    REASON_COUNT: "impossible number of objects",
    REASON_MISSING: "a slot has no digitizer data",
    REASON_ARRAYS: "arrays of different lengths",
    REASON_IDS: "objects of different channels at the same index",
    REASON_LENGTH: "impossible number of samples",
    REASON_ENCODING: "unknown encoding of samples",
    REASON_FREQUENCY: "impossible sampling frequency",
    REASON_SAMPLES: "samples do not end where they must",
    REASON_OFFSETS: "the basket's offsets contradict each other",
    REASON_UNREADABLE: "the basket cannot be read",
}

IRREGULARITIES = (
    "row without a waveform, or with one of 0 samples: set to 0",
)
"""What is accepted although it breaks a rule of the format; see `irregular`."""

WAVEFORMS = ("waveform_presummed", "waveform_windowed", "waveform")
"""Names of the columns; the last one is for entries without auxiliary waveforms."""

DTYPES = ("uint16", "int16", "int32", "float64")


cdef enum Kind:
    # numbers of DTYPES
    KIND_UNSIGNED
    KIND_SHORT
    KIND_INT
    KIND_DOUBLE

cdef enum:
    N_CHANNELS = 65536          # with a buffer of their own at most


cdef struct Layout:
    # what a buffer is made for
    bint use_aux
    int64_t n                   # samples of the first waveform
    int64_t n_aux

cdef struct MGDOColumns:
    MGDOFieldsColumns fields
    BoundWaveform waves[3]
    BoundVector encoded[3]      # in place of their values
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
            raise ValueError(f"column '{name}' cannot be of {dtype}")
        c.kinds[i] = DTYPES.index(dtype)
        b.waveform(&c.waves[i], arrays, name, dtype, "float64")
        b.vector(&c.encoded[i], arrays, f"{name}/values", "uint8", 0)
    return 0


cdef class MGDOStream:
    """Where the rows of a tree go, and what became of its entries.

    Attributes
    ----------
    next_entry
        entry of the basket that the next call of `decode` begins with.
    n_packets
        entries that the last call of `decode` is done with.
    packets, bytes
        entries, and their bytes, as ``(decoded, skipped, unknown)``.
    """

    cdef Entry entry
    cdef Trouble trouble
    cdef SinkTable table
    cdef RowSink* sinks
    cdef int32_t sink_of[N_CHANNELS]
    # of channels with higher numbers
    cdef int32_t sink_beyond
    # channels that were reported to Python
    cdef uint8_t told[N_CHANNELS + 1]
    cdef int64_t n_skipped[N_CHANNELS]

    cdef readonly int64_t packet_id
    cdef public int64_t next_entry
    cdef readonly int64_t n_packets
    cdef readonly bint any_full
    cdef public int64_t rows_left
    cdef int64_t detail_sink
    cdef int64_t detail_rows
    cdef readonly int64_t detail_channel
    cdef Layout wanted
    cdef int wanted_kinds[2]
    cdef int64_t packets_done[3]
    cdef int64_t bytes_done[3]
    cdef int64_t n_missing
    cdef bytes name

    def __cinit__(self):
        self.table = new_sink_table(sizeof(MGDOColumns), bind_columns)
        self.rows_left = -1
        self.name = b""
        self.set_buffers({}, {})

    def __dealloc__(self):
        free_entry(&self.entry)

    # ---- where rows go -------------------------------------------------------------

    def set_buffers(self, keyed, layouts):
        """Say which buffers take which rows.

        Parameters
        ----------
        keyed
            buffers by channel.
        layouts
            what each buffer is made for, by its `id`: see `wanted_layout`.
        """
        cdef MGDOColumns* columns
        cdef Py_ssize_t i, channel
        for i in range(N_CHANNELS):
            self.sink_of[i] = -1
        self.sink_beyond = -1
        buffers = list({id(rb): rb for rb in keyed.values()}.values())
        places = {id(rb): i for i, rb in enumerate(buffers)}
        for key, rb in keyed.items():
            if isinstance(key, int) and 0 <= key < N_CHANNELS:
                channel = key
                self.sink_of[channel] = places[id(rb)]
            elif isinstance(key, int):
                self.sink_beyond = places[id(rb)]
        self.table.set_buffers(buffers)
        for i, rb in enumerate(buffers):
            columns = <MGDOColumns*>self.table.sinks[i].columns
            (use_aux, n, n_aux), (dtype, aux_dtype) = layouts[id(rb)]
            columns.layout = Layout(use_aux, n, n_aux)
            columns.kinds[0] = columns.kinds[2] = DTYPES.index(dtype)
            columns.kinds[1] = DTYPES.index(aux_dtype)

    def set_channel(self, channel, buffer):
        """Give one more channel to a buffer that has other channels already.

        Returns
        -------
        done
            False if the buffer has none.
        """
        cdef int64_t number = channel
        cdef int32_t i
        for i, other in enumerate(self.table.buffers):
            if other is buffer:
                if number < N_CHANNELS:
                    self.sink_of[number] = i
                else:
                    self.sink_beyond = i
                return True
        return False

    def begin(self):
        """Bind the buffers; until `end` nobody else may touch them."""
        self.table.acquire()
        self.sinks = self.table.sinks

    def end(self):
        """Write back how far the buffers are filled, and let go of them."""
        self.table.release()
        self.sinks = NULL

    cdef bint provide(self, Status status) except -1:
        """Get memory for rows; False if that is not what the kernel stopped for."""
        if status not in (STATUS_ALLOCATE, STATUS_FULL) or self.any_full:
            return False
        cdef RowSink* sink = &self.sinks[self.detail_sink]
        if sink.loc > 0:
            self.any_full = True
            return False
        buffer = self.table.buffers[self.detail_sink]
        self.table.unbind(self.detail_sink)
        if buffer.allocated:
            buffer.enlarge(self.detail_rows)
        else:
            buffer.arrays()
        self.table.bind_one(self.detail_sink)
        return True

    # ---- the loop ------------------------------------------------------------------

    def decode(
        self, const uint8_t[::1] data, const int64_t[::1] offsets, int64_t number,
        int64_t max_packets,
    ):
        """Decode the entries of a basket, from `next_entry` on.

        Parameters
        ----------
        data
            bytes of all its entries.
        offsets
            where they begin, and where the last one ends.
        number
            of its first entry in the tree.
        max_packets
            stop after so many entries.

        Returns
        -------
        status
            why it stopped: a `Status`.
        """
        cdef Status status
        cdef const uint8_t* start = &data[0] if data.shape[0] else NULL
        self.any_full = False
        self.n_packets = 0
        while True:
            with nogil:
                status = self.run(
                    start, data.shape[0], &offsets[0], offsets.shape[0] - 1, number,
                    max_packets,
                )
            if not self.provide(status):
                break
        if status == STATUS_HEADER:
            at = offsets[self.next_entry - 1] + self.entry.class_start
            self.name = bytes(data[at : at + self.entry.class_length])
        return <int>status

    def look_at(self, const uint8_t[::1] data):
        """Read an entry without writing anything.

        Returns
        -------
        channels, layout, dtypes
            number of channels; of the first row with samples, see `wanted_layout`;
            None for both if there is none. None instead of all if the entry is
            damaged.
        """
        cdef int64_t i
        cdef const uint8_t* start = &data[0] if data.shape[0] else NULL
        if not read_entry(start, data.shape[0], &self.entry, &self.trouble):
            return None
        i = self.entry.class_start
        self.name = bytes(data[i : i + self.entry.class_length])
        if not self.entry.known:
            return self.entry.n_channels, None, None
        for i in range(self.entry.n_digitizers):
            self.want(i, False, False)
            if self.wanted.n and (self.wanted.n_aux or not self.wanted.use_aux):
                return (self.entry.n_channels, *self.wanted_layout)
        return self.entry.n_channels, None, None

    cdef Status run(
        self, const uint8_t* data, int64_t n, const int64_t* offsets, int64_t n_entries,
        int64_t number, int64_t max_packets,
    ) noexcept nogil:
        cdef int64_t start, stop
        cdef Status status
        while True:
            if self.next_entry >= n_entries:
                return STATUS_MORE
            if self.any_full:
                return STATUS_FULL
            if self.n_packets >= max_packets or self.rows_left == 0:
                return STATUS_LIMIT
            start = offsets[self.next_entry]
            stop = offsets[self.next_entry + 1]
            if not 0 <= start <= stop <= n:
                memset(&self.trouble, 0, sizeof(Trouble))
                self.trouble.reason = REASON_OFFSETS
                self.trouble.channel = -1
                status = STATUS_SKIPPED
            else:
                status = self.take(data + start, stop - start, number)
            if status in (STATUS_LIMIT, STATUS_SKIPPED, STATUS_HEADER):
                self.packet_id = number + self.next_entry + 1
                self.next_entry += 1
                self.n_packets += 1
            if status != STATUS_LIMIT:
                return status

    cdef Status take(
        self, const uint8_t* data, int64_t n, int64_t number
    ) noexcept nogil:
        """Decode an entry: all of its rows or, if anything is wrong, none."""
        cdef int fate = 0
        cdef int64_t rows = 0
        cdef Status status = STATUS_LIMIT
        cdef Entry* e = &self.entry
        cdef int64_t i
        if not read_entry(data, n, e, &self.trouble):
            return STATUS_SKIPPED
        if not e.known:
            self.packets_done[2] += 1
            self.bytes_done[2] += n
            return STATUS_HEADER
        status = self.make_room()
        if status == STATUS_LIMIT:
            status = self.write_rows(data, number, &rows)
        for i in range(e.n_digitizers):
            self.settle(i, status == STATUS_LIMIT)
        if status == STATUS_LIMIT:
            fate = e.n_digitizers > 0 and rows == 0
            self.packets_done[fate] += 1
            self.bytes_done[fate] += n
        return status

    # ---- room in the buffers -------------------------------------------------------

    cdef RowSink* sink_at(self, int64_t i) noexcept nogil:
        """Return where row `i` of the entry goes; NULL if nobody wants it."""
        cdef uint32_t channel = self.entry.digitizers[i].channel
        cdef int32_t sink = self.sink_beyond
        if channel < N_CHANNELS:
            sink = self.sink_of[channel]
        return NULL if sink < 0 else &self.sinks[sink]

    cdef Status make_room(self) noexcept nogil:
        """Make sure that every buffer can take its rows of the entry."""
        cdef int64_t i
        cdef uint32_t channel
        cdef RowSink* sink
        cdef Status status = STATUS_LIMIT
        for i in range(self.entry.n_digitizers):
            if self.sink_at(i) == NULL:
                channel = self.entry.digitizers[i].channel
                if not self.told[min(channel, N_CHANNELS)]:
                    self.told[min(channel, N_CHANNELS)] = True
                    self.detail_channel = channel
                    return STATUS_KEY
        for i in range(self.entry.n_digitizers):
            sink = self.sink_at(i)
            if sink != NULL:
                sink.need += 1
        for i in range(self.entry.n_digitizers):
            sink = self.sink_at(i)
            if sink == NULL or not sink.need:
                continue
            if status == STATUS_LIMIT and sink.need > sink.capacity - sink.loc:
                self.detail_sink = sink - self.sinks
                self.detail_rows = sink.need
                status = STATUS_ALLOCATE if sink.capacity == 0 else STATUS_FULL
            sink.need = 0
        return status

    cdef void settle(self, int64_t i, bint done) noexcept nogil:
        """Count row `i` of the entry, if it was written or skipped."""
        cdef RowSink* sink = self.sink_at(i)
        cdef uint32_t channel
        if sink == NULL:
            if done:
                channel = min(self.entry.digitizers[i].channel, N_CHANNELS - 1)
                self.n_skipped[channel] += 1
            return
        if done and sink.need:
            sink.loc += sink.need
            if sink.capacity - sink.loc < sink.fill_safety:
                self.any_full = True
        sink.need = 0

    # ---- rows ----------------------------------------------------------------------

    cdef void want(self, int64_t i, bint too_large, bint too_large_aux) noexcept nogil:
        """Take note of what a buffer for row `i` of the entry must be made for."""
        cdef Entry* e = &self.entry
        cdef Wave* w = &e.waves.items[i]
        self.wanted.use_aux = e.use_aux
        self.wanted.n = w.n if w.there else 0
        self.wanted_kinds[0] = natural_kind(w, too_large)
        self.wanted.n_aux = 0
        self.wanted_kinds[1] = KIND_UNSIGNED
        if e.use_aux:
            w = &e.aux.items[i]
            self.wanted.n_aux = w.n if w.there else 0
            self.wanted_kinds[1] = natural_kind(w, too_large_aux)

    cdef Status other_layout(
        self, int64_t i, const MGDOColumns* c, bint too_large, bint too_large_aux
    ) noexcept nogil:
        """Say that row `i` needs another buffer; what it lacks may stay."""
        self.want(i, too_large, too_large_aux)
        self.detail_channel = self.entry.digitizers[i].channel
        if not self.wanted.n:
            self.wanted.n = c.layout.n
            self.wanted_kinds[0] = c.kinds[0 if c.layout.use_aux else 2]
        if self.wanted.use_aux and not self.wanted.n_aux:
            self.wanted.n_aux = c.layout.n_aux
            self.wanted_kinds[1] = c.kinds[1]
        return STATUS_WIDTH

    cdef Status write_rows(
        self, const uint8_t* data, int64_t number, int64_t* rows
    ) noexcept nogil:
        """Write the rows of the entry behind those that count already."""
        cdef Entry* e = &self.entry
        cdef RowSink* sink
        cdef MGDOColumns* c
        cdef int64_t i, row
        cdef int first
        cdef Written result, aux
        cdef int64_t missing = 0
        for i in range(e.n_digitizers):
            sink = self.sink_at(i)
            if sink == NULL:
                continue
            if self.rows_left == rows[0]:
                break
            c = <MGDOColumns*>sink.columns
            if c.layout.use_aux != e.use_aux:
                return self.other_layout(i, c, False, False)
            row = sink.loc + sink.need
            first = 0 if e.use_aux else 2
            result = write_wave(
                &c.waves[first], &c.encoded[first], c.kinds[first], c.layout.n, row,
                data, &e.waves.items[i],
            )
            aux = WRITTEN
            if e.use_aux:
                aux = write_wave(
                    &c.waves[1], &c.encoded[1], c.kinds[1], c.layout.n_aux, row, data,
                    &e.aux.items[i],
                )
            if result == WRITE_BAD or aux == WRITE_BAD:
                self.trouble.reason = REASON_SAMPLES
                self.trouble.cls = CLASS_WAVEFORM
                self.trouble.channel = e.digitizers[i].channel
                return STATUS_SKIPPED
            if result > WRITE_ABSENT or aux > WRITE_ABSENT:
                return self.other_layout(
                    i, c, result == WRITE_TOO_LARGE, aux == WRITE_TOO_LARGE
                )
            missing += (result == WRITE_ABSENT) + (aux == WRITE_ABSENT)
            write_fields(
                &c.fields, row, data, e, &e.digitizers[i],
                <uint32_t>(number + self.next_entry + 1),
            )
            sink.need += 1
            rows[0] += 1
        self.n_missing += missing
        if self.rows_left > 0:
            self.rows_left -= rows[0]
        return STATUS_LIMIT

    # ---- what Python asks for ------------------------------------------------------

    @property
    def packets(self):
        return tuple([self.packets_done[i] for i in range(3)])

    @property
    def bytes(self):
        return tuple([self.bytes_done[i] for i in range(3)])

    @property
    def irregular(self):
        """How often each of `IRREGULARITIES` was met."""
        return {IRREGULARITIES[0]: self.n_missing} if self.n_missing else {}

    @property
    def reason(self):
        """Code of what is wrong with the entry that was looked at last."""
        return <int>self.trouble.reason

    @property
    def problem(self):
        """What is wrong with the entry that was looked at last, in words."""
        cdef Trouble* t = &self.trouble
        parts = [f"{REASONS[<int>t.reason]} ({CLASS_NAMES[<int>t.cls]}"]
        if t.channel >= 0:
            parts.append(f"channel {t.channel}")
        if t.found or t.expected:
            parts.append(f"{t.found}, not {t.expected}")
        if t.at:
            parts.append(f"byte {t.at} of the entry")
        return ", ".join(parts) + ")"

    @property
    def class_name(self):
        """Class of the digitizer data in the entry that was looked at last."""
        return self.name.partition(b";")[0].decode("ascii", "replace")

    @property
    def wanted_layout(self):
        """What a buffer for the row at hand must be made for.

        ``((auxiliary waveforms, samples, their samples), (type, their type))``.
        """
        return (
            (bool(self.wanted.use_aux), self.wanted.n, self.wanted.n_aux),
            (DTYPES[self.wanted_kinds[0]], DTYPES[self.wanted_kinds[1]]),
        )

    def skipped_channels(self):
        """Return how many rows of each channel nobody asked for; starts again at 0."""
        cdef int i
        counts = {}
        for i in range(N_CHANNELS):
            if self.n_skipped[i]:
                counts[i] = self.n_skipped[i]
                self.n_skipped[i] = 0
        return counts

    # names for the caller of `decode`
    MORE = STATUS_MORE
    LIMIT = STATUS_LIMIT
    FULL = STATUS_FULL
    UNKNOWN = STATUS_HEADER
    SKIPPED = STATUS_SKIPPED
    WIDTH = STATUS_WIDTH
    KEY = STATUS_KEY


cdef enum Written:
    WRITTEN
    WRITE_ABSENT            # set to 0
    WRITE_OTHER             # the buffer is not made for it
    WRITE_TOO_LARGE         # a sample does not fit the type of the buffer
    WRITE_BAD               # no such samples


cdef int natural_kind(const Wave* w, bint too_large) noexcept nogil:
    """Type for samples of an encoding (8)."""
    if not w.there or w.encoding == ENCODING_UNSIGNED:
        return KIND_UNSIGNED
    if w.encoding == ENCODING_DIFFERENCES:
        return KIND_INT if too_large else KIND_UNSIGNED
    return KIND_SHORT if w.encoding == ENCODING_SHORT else KIND_DOUBLE


cdef Written write_wave(
    BoundWaveform* out, BoundVector* encoded, int kind, int64_t width, int64_t row,
    const uint8_t* data, const Wave* w,
) noexcept nogil:
    """Write a waveform to a row for `width` samples of a kind, or for their bytes."""
    cdef char* values = out.values + row * out.step
    cdef const uint8_t* samples = data + w.start
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
        return write_encoded(encoded, kind, width, row, samples, w)
    if out.values == NULL:
        return WRITTEN
    if out.width != width:
        return WRITE_OTHER
    if w.encoding == ENCODING_DIFFERENCES:
        if kind == KIND_UNSIGNED:
            return decode_u16(samples, w.stop - w.start, <uint16_t*>values, width)
        if kind == KIND_INT:
            return decode_i32(samples, w.stop - w.start, <int32_t*>values, width)
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
    BoundVector* out, int kind, int64_t width, int64_t row, const uint8_t* samples,
    const Wave* w,
) noexcept nogil:
    """Write samples as the differences (4.2) that the output's codec has as well."""
    cdef int64_t n = w.stop - w.start
    cdef int64_t at = 0
    cdef int64_t i
    cdef uint32_t x, number
    cdef uint32_t last = 0
    cdef uint8_t* end
    cdef RowState state
    # the buffer is made for the longest rows
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
    """Decode differences (4.2) that add up to numbers of 16 bits."""
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
    """Decode differences (4.2)."""
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
    MGDOFieldsColumns* c, Py_ssize_t row, const uint8_t* data, const Entry* e,
    const Digitizer* d, uint32_t packet_id,
) noexcept nogil:
    """Write what is no waveform (4.1, 4.3)."""
    cdef const uint8_t* common = data + d.common
    cdef const uint8_t* own = data + d.own
    mgdo_fields_set_packet_id(c, row, packet_id)
    mgdo_fields_set_channel(c, row, d.channel)
    mgdo_fields_set_event_type(c, row, e.event_type)
    mgdo_fields_set_numtraces(c, row, <int32_t>e.waves.n)
    mgdo_fields_set_timestamp(c, row, e.time)
    mgdo_fields_set_energy_total(c, row, e.total)
    mgdo_fields_set_daqenergy(c, row, load_be_f64(common))
    mgdo_fields_set_ts_sec(c, row, load_be_u64(common + 8))
    mgdo_fields_set_index(c, row, load_be_u64(common + 20))
    mgdo_fields_set_clock_frequency(c, row, load_be_f64(own))
    mgdo_fields_set_eventnumber(c, row, <int32_t>load_be_u32(own + 8))
    mgdo_fields_set_pretrigger(c, row, load_be_u64(own + 12))
    mgdo_fields_set_trigger_number(c, row, load_be_u64(own + 20))
    mgdo_fields_set_ts_nsec(c, row, load_be_u32(own + 28))
    mgdo_fields_set_is_mu_vetoed(c, row, own[32] != 0)
    mgdo_fields_set_mu_veto_sample(c, row, load_be_u32(own + 33))
    mgdo_fields_set_is_inverted(c, row, own[37] != 0)
    mgdo_fields_set_waveform_tag(c, row, <int32_t>load_be_u32(own + 38))
