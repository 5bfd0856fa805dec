"""Decode entries of a tree of ``MGTEvent`` straight into columns.

One :class:`MGDOKernel` holds the buffers for the rows. The base class of all kernels is
in `daq2lh5._core.kernel`.

Sections are those of the MGDO format.
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
from .._core.bytes cimport load_be_f64, load_be_u16
from .._core.kernel cimport *
from .._core.sink cimport SinkTable, new_sink_table
from .._core.codecs.uleb128 cimport (
    ROW_AS_WRITTEN, ROW_BAD, ROW_TOO_LARGE, RowState, check_row, next_number, put, zigzag,
)
from ._framing cimport *
from ._wire cimport *

include "_columns.pxi"

REASONS = {
    REASON_NO_EVENT: "not an MGTEvent",
    REASON_PAST_END: "a field exceeds its object",
    REASON_END: "the length of an object contradicts its fields",
    REASON_BYTES: "no byte count where one must be",
    REASON_VERSION: "unknown version of a class",
    REASON_POINTER: "unknown kind of pointer",
    REASON_CLASS: "object of another class",
    REASON_MEMBER_WISE: "member-wise array, which is not supported",
    REASON_COUNT: "impossible number of objects",
    REASON_MISSING: "a slot has no digitizer data",
    REASON_ARRAYS: "arrays of different lengths",
    REASON_IDS: "objects of different channels at the same index",
    REASON_LENGTH: "impossible number of samples",
    REASON_ENCODING: "unknown encoding of samples",
    REASON_FREQUENCY: "impossible sampling frequency",
    REASON_SAMPLES: "the length of the samples contradicts their number",
    REASON_OFFSETS: "the basket's offsets contradict each other",
    REASON_UNREADABLE: "the basket cannot be read",
}

IRREGULARITIES = (
    "row without a waveform, or with one of 0 samples: set to 0",
)
"""Accepted violations of the format; see `irregular`."""

WAVEFORMS = ("waveform_presummed", "waveform_windowed", "waveform")
"""Names of the columns; the last one is for entries without auxiliary waveforms."""

DTYPES = ("uint16", "int16", "int32", "float64")

include "_rows.pxi"

cdef enum:
    IRREGULAR_ABSENT            # see IRREGULARITIES


cdef class MGDOKernel(Kernel):
    """Decode the entries of a tree into buffers, and count them.

    `decode_basket` replaces `decode`: the window is a basket, the records are its
    entries. Beside the statuses of `Kernel`, it returns

    ``MORE``
        the basket is done.
    ``UNKNOWN``
        the digitizer data of an entry have another class: see `class_name`.
    ``SKIPPED``
        an entry is damaged: see `describe_damage`.

    Attributes
    ----------
    next_entry
        first entry of the basket for the next call of `decode_basket`.
    detail_channel
        channel of ``KEY`` and ``WIDTH``.
    """

    cdef Entry entry
    cdef Trouble trouble
    cdef int32_t sink_of[N_CHANNELS]
    # buffer of all channels with higher numbers
    cdef int32_t sink_beyond
    # channels already reported to Python
    cdef uint8_t reported[N_CHANNELS + 1]
    cdef int64_t n_skipped[N_CHANNELS]

    # the basket: offsets of its entries, and number of the first one in the tree
    cdef const int64_t* offsets
    cdef int64_t n_entries
    cdef int64_t first_entry
    cdef public int64_t next_entry

    cdef readonly int64_t detail_channel
    cdef Layout wanted
    cdef int wanted_kinds[2]
    cdef bytes name

    reasons = REASONS
    irregularities = IRREGULARITIES

    def __cinit__(self):
        self.tables = (new_sink_table(sizeof(MGDOColumns), bind_columns),)
        self.name = b""
        self.set_buffers({}, {})

    def __dealloc__(self):
        free_entry(&self.entry)

    # ---- buffers -------------------------------------------------------------------

    def set_buffers(self, keyed, layouts):
        """Set the buffers for the rows.

        Parameters
        ----------
        keyed
            buffers by channel.
        layouts
            layout of each buffer by its `id`: see `wanted_layout`.
        """
        cdef SinkTable table = self.tables[0]
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
        table.set_buffers(buffers)
        for i, rb in enumerate(buffers):
            columns = <MGDOColumns*>table.sinks[i].columns
            (use_aux, n, n_aux), (dtype, aux_dtype) = layouts[id(rb)]
            columns.layout = Layout(use_aux, n, n_aux)
            columns.kinds[0] = columns.kinds[2] = DTYPES.index(dtype)
            columns.kinds[1] = DTYPES.index(aux_dtype)

    def set_channel(self, channel, buffer):
        """Add a channel to a buffer that has other channels already.

        Returns
        -------
        done
            False if the kernel does not have the buffer.
        """
        cdef SinkTable table = self.tables[0]
        cdef int64_t number = channel
        cdef int32_t i
        for i, other in enumerate(table.buffers):
            if other is buffer:
                if number < N_CHANNELS:
                    self.sink_of[number] = i
                else:
                    self.sink_beyond = i
                return True
        return False

    # ---- the loop ------------------------------------------------------------------

    def decode_basket(
        self, const uint8_t[::1] data, const int64_t[::1] offsets, int64_t number,
        int64_t max_packets,
    ):
        """Decode the entries of a basket, from `next_entry` on.

        Parameters
        ----------
        data
            bytes of all its entries.
        offsets
            start of each entry, and end of the last one.
        number
            number of its first entry in the tree.
        max_packets
            largest number of entries to decode.

        Returns
        -------
        status
            why it stopped, see the class.
        """
        cdef Status status
        # (never NULL: entries may be empty)
        self.window.data = &data[0] if data.shape[0] else <const uint8_t*>b""
        self.window.n = self.window.end = data.shape[0]
        self.window.at_end = True
        self.offsets = &offsets[0]
        self.n_entries = offsets.shape[0] - 1
        self.first_entry = number
        self.consumed = 0
        try:
            status = self.drive(max_packets)
        finally:
            self.window.data = NULL
            self.window.n = self.window.end = 0
        if status == STATUS_HEADER:
            at = offsets[self.next_entry - 1] + self.entry.class_start
            self.name = bytes(data[at : at + self.entry.class_length])
        return <int>status

    def look_at(self, const uint8_t[::1] data):
        """Read an entry without writing anything.

        Returns
        -------
        channels, layout, dtypes
            number of channels; layout and types of the first row with samples (see
            `wanted_layout`), both None without such a row. None instead of all if the
            entry is damaged.
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

    cdef Status record(self) noexcept nogil:
        """Decode the next entry: all of its rows; no rows if it is damaged."""
        cdef const int64_t* offsets = self.offsets + self.next_entry
        cdef const uint8_t* data
        cdef Status status
        if self.next_entry >= self.n_entries:
            return STATUS_MORE
        data = claim(&self.window, offsets[0], offsets[1] - offsets[0])
        if data == NULL:
            memset(&self.trouble, 0, sizeof(Trouble))
            self.trouble.reason = REASON_OFFSETS
            self.trouble.channel = -1
            status = STATUS_SKIPPED
        else:
            status = self.take(data, offsets[1] - offsets[0])
        if status in (STATUS_NEXT, STATUS_SKIPPED, STATUS_HEADER):
            self.next_entry += 1
            self.packet_id = self.first_entry + self.next_entry
        if status == STATUS_SKIPPED:
            self.damage_code = self.trouble.reason
            self.n_packets += 1
        return status

    cdef Status take(self, const uint8_t* data, int64_t n) noexcept nogil:
        cdef int64_t rows = 0
        cdef Status status
        cdef Entry* e = &self.entry
        cdef int64_t i
        if not read_entry(data, n, e, &self.trouble):
            return STATUS_SKIPPED
        if not e.known:
            self.done(FATE_UNKNOWN, n)
            return STATUS_HEADER
        status = self.make_room()
        if status == STATUS_NEXT:
            status = self.write_rows(&rows)
        for i in range(e.n_digitizers):
            self.settle(i, status == STATUS_NEXT)
        if status == STATUS_NEXT:
            self.done(FATE_SKIPPED if e.n_digitizers and not rows else FATE_DECODED, n)
        return status

    # ---- room in the buffers -------------------------------------------------------

    cdef RowSink* sink_at(self, int64_t i) noexcept nogil:
        """Return the buffer of row `i` of the entry; NULL if it is not selected."""
        cdef uint32_t channel = self.entry.digitizers[i].channel
        cdef int32_t sink = self.sink_beyond
        if channel < N_CHANNELS:
            sink = self.sink_of[channel]
        return NULL if sink < 0 else &self.sinks[0][sink]

    cdef Status make_room(self) noexcept nogil:
        """Check that every buffer has room for its rows of the entry."""
        cdef int64_t i
        cdef uint32_t channel, index
        cdef RowSink* sink
        cdef Status status = STATUS_NEXT
        for i in range(self.entry.n_digitizers):
            if self.sink_at(i) == NULL:
                channel = self.entry.digitizers[i].channel
                index = min(channel, <uint32_t>N_CHANNELS)
                if not self.reported[index]:
                    self.reported[index] = True
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
            if status == STATUS_NEXT:
                status = self.room_for(0, sink - self.sinks[0], sink.need)
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
        """Set the layout that row `i` of the entry needs."""
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
        """Request another buffer for row `i`; missing waveforms keep their length."""
        self.want(i, too_large, too_large_aux)
        self.detail_channel = self.entry.digitizers[i].channel
        if not self.wanted.n:
            self.wanted.n = c.layout.n
            self.wanted_kinds[0] = c.kinds[0 if c.layout.use_aux else 2]
        if self.wanted.use_aux and not self.wanted.n_aux:
            self.wanted.n_aux = c.layout.n_aux
            self.wanted_kinds[1] = c.kinds[1]
        return STATUS_WIDTH

    cdef Status write_rows(self, int64_t* rows) noexcept nogil:
        """Write the rows of the entry behind the counted ones."""
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
                &e.waves.items[i],
            )
            aux = WRITTEN
            if e.use_aux:
                aux = write_wave(
                    &c.waves[1], &c.encoded[1], c.kinds[1], c.layout.n_aux, row,
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
                &c.fields, row, e, &e.digitizers[i],
                <uint32_t>(self.first_entry + self.next_entry + 1),
            )
            sink.need += 1
            rows[0] += 1
        self.irregular_count[IRREGULAR_ABSENT] += missing
        if self.rows_left > 0:
            self.rows_left -= rows[0]
        return STATUS_NEXT

    # ---- for Python ----------------------------------------------------------------

    def describe_damage(self):
        """Return the damage of the last entry as text."""
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
        """Class of the digitizer data in the last entry."""
        return self.name.partition(b";")[0].decode("ascii", "replace")

    @property
    def wanted_layout(self):
        """Layout of the buffer that the current row needs.

        ``((has auxiliary waveforms, samples, auxiliary samples), (type, auxiliary
        type))``.
        """
        return (
            (bool(self.wanted.use_aux), self.wanted.n, self.wanted.n_aux),
            (DTYPES[self.wanted_kinds[0]], DTYPES[self.wanted_kinds[1]]),
        )

    def skipped_channels(self):
        """Return the number of unselected rows by channel since the last call."""
        cdef int i
        counts = {}
        for i in range(N_CHANNELS):
            if self.n_skipped[i]:
                counts[i] = self.n_skipped[i]
                self.n_skipped[i] = 0
        return counts

    UNKNOWN = STATUS_HEADER
