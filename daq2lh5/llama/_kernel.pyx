"""Decode llamaDAQ events straight into columns.

One :class:`LlamaKernel` holds the channels of one file and the buffers for their rows.
The base class of all kernels is in `daq2lh5._core.kernel`.

Sections are those of the llamaDAQ format.
"""

import sys

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from .._core.binding cimport Binding, BoundColumn, BoundVector, BoundWaveform
from .._core.kernel cimport *
from .._core.sink cimport SinkTable, new_sink_table
from ._chunks cimport (
    Chunks, find_in_chunks, find_unfinished, lose_chunk, next_in_chunks, set_turns,
    take_step,
)
from ._framing cimport *
from ._wire cimport *
from .layout cimport *

include "_columns.pxi"
include "_rows.pxi"

if sys.byteorder != "little":
    raise ImportError("daq2lh5 copies samples as they are: little-endian machines only")


cdef enum:
    IRREGULAR_BITS
    IRREGULAR_NO_RAW
    IRREGULAR_NO_AVERAGED
    IRREGULAR_AVERAGED
    IRREGULAR_UNANNOUNCED
    IRREGULAR_TURN
    IRREGULAR_TIMES
    IRREGULAR_ACCUMULATORS

REASONS = {
    REASON_CHANNEL: "event of a channel without a configuration",
    REASON_STATUS: "no status word where it must be",
    REASON_AVERAGE: "no average word where it must be",
    REASON_LENGTHS: "lengths of an event do not add up",
    REASON_WIDTH: "event with other numbers of samples than in its configuration",
    REASON_PAST_END: "event runs past the end of the data",
    REASON_STRAY: "too few bytes for an event",
    REASON_RUNS_INTO: "event runs into another event",
    REASON_HEADER: "file header that contradicts itself",
    REASON_ZEROS: "zeros in place of records",
    REASON_FADC: "no chunk of events where one must be",
    REASON_CHUNK: "chunk without an event of its FADC at its start",
    REASON_EVENT: "chunk without an event of its channel where it must have one",
    REASON_MISSING: "fewer events than the number in their chunk",
    REASON_MORE: "more events than the number in their chunk",
    REASON_EMPTY: "too many chunks without events, or an impossible order of chunks",
}

IRREGULARITIES = (
    "format bits of an event differ from its configuration, columns of missing blocks "
    "are 0",
    "event without the raw samples of its configuration, set to 0",
    "event without the averaged samples of its configuration, set to 0",
    "event with averaged samples without averages in its configuration, left out",
    "event of a channel without a configuration, its times are unknown",
    "chunk of another channel than the one whose turn it is",
    "time stamp not above the previous one, so the event may be of another channel "
    "with the same number in its first word",
    "event with more than 28 bits in an accumulator: its head is damaged",
)
"""Accepted violations of the format; see `Kernel.irregular`."""


cdef class LlamaKernel(Kernel):
    """Channels of one llamaDAQ file, and the buffers for their rows.

    Attributes
    ----------
    n_maw
        number of events with test data of the moving average window (without column).
    header_bytes
        length of the file header that `decode` stopped at (``HEADER``).
    unannounced
        of the event that `decode` stopped at because its channel has no configuration
        (``KEY``): key, format bits, and numbers of 32-bit words of raw and averaged
        samples.
    """

    cdef Channel* channels
    cdef list keys
    cdef double start
    cdef double accuracy
    cdef bint in_chunks
    cdef Chunks chunks
    cdef Step step
    cdef object keyed
    cdef readonly int64_t n_maw
    # channel of the damaged range
    cdef int64_t damage_key

    reasons = REASONS
    irregularities = IRREGULARITIES

    def __cinit__(self):
        self.channels = <Channel*>calloc(N_KEYS, sizeof(Channel))
        if self.channels == NULL:
            raise MemoryError
        self.keys = []
        self.tables = (new_table(),)
        self.accuracy = 1.0
        self.step.after_at = -1
        self.zeros_code = REASON_ZEROS

    def __dealloc__(self):
        free(self.channels)
        free(self.chunks.keys)
        free(self.chunks.codes)

    # ---- channels from the header --------------------------------------------------

    def set_channels(self, channels):
        """Set the channels of a file.

        Parameters
        ----------
        channels
            by key: dictionaries with the number of 32-bit words of an event and of its
            samples (``words``, ``raw_words``, ``averaged_words``), ``format_bits``,
            and times in ns (``dt_raw``, ``dt_averaged``, ``t0_raw``,
            ``t0_averaged``), all checked.
        """
        memset(self.channels, 0, N_KEYS * sizeof(Channel))
        self.keys = []
        self.in_chunks = False
        for key, values in channels.items():
            self.add_channel(key, values, True)

    def add_channel(self, Py_ssize_t key, values, bint announced):
        """Add a channel.

        Parameters
        ----------
        key, values
            see `set_channels`.
        announced
            whether it has a configuration.
        """
        cdef Channel* c
        if not 0 <= key < N_KEYS:
            raise ValueError(f"channel {key} does not fit 12 bits")
        self.keys.append(key)
        c = &self.channels[key]
        c.known = True
        c.announced = announced
        c.bits = values["format_bits"] & 15
        c.words = values["words"]
        c.raw_words = values["raw_words"]
        c.averaged_words = values["averaged_words"]
        c.dt_raw = values["dt_raw"]
        c.dt_averaged = values["dt_averaged"]
        c.t0_raw = values["t0_raw"]
        c.t0_averaged = values["t0_averaged"]
        c.sink = -1

    def set_chunks(self, bint counted):
        """Read events in chunks: old version (8).

        Parameters
        ----------
        counted
            whether chunks have a number of events.
        """
        set_turns(&self.chunks, self.channels, self.keys, counted)
        self.in_chunks = True

    @property
    def unfinished(self):
        """Channels without a chunk in the last read-out (format 8.3)."""
        return find_unfinished(&self.chunks, self.channels) if self.in_chunks else []

    def set_start(self, double timestamp, double accuracy):
        """Set the Unix time of time stamp 0, and its accuracy, in s."""
        self.start = timestamp
        self.accuracy = accuracy

    # ---- buffers -------------------------------------------------------------------

    def set_buffers(self, keyed):
        """Set the buffers for the rows.

        Parameters
        ----------
        keyed
            `RawBuffer` by key, or one for all keys, or None.
        """
        self.keyed = keyed
        wanted = {} if keyed is None else keyed
        if not hasattr(wanted, "get"):
            wanted = dict.fromkeys(self.keys, wanted)
        cdef SinkTable table = self.tables[0]
        sinks = table.set_keyed({key: wanted.get(key) for key in self.keys})
        for key in self.keys:
            self.channels[<int>key].sink = sinks.get(key, -1)

    cdef int check_sinks(self, int table, int64_t first, int64_t stop) except -1:
        """Check that the samples of all channels fit the rows of their buffers."""
        for key in self.keys:
            if first <= self.channels[<int>key].sink < stop:
                self.check_width(key)
        return 0

    cdef int check_width(self, int key) except -1:
        cdef Channel* c = &self.channels[key]
        cdef RowSink* sink = &self.sinks[0][c.sink]
        if sink.capacity == 0:
            return 0
        for name, width, samples in (
            ("waveform_windowed", raw_width(sink.columns), 2 * c.raw_words),
            ("waveform_presummed", averaged_width(sink.columns), 2 * c.averaged_words),
        ):
            # negative: the user dropped the column
            if width >= 0 and width != samples:
                raise ValueError(
                    f"channel {key}: the buffer's {name} has {width} samples, "
                    f"not {samples}"
                )
        return 0

    # ---- the loop ------------------------------------------------------------------

    cdef Status handle(self, Status status) except *:
        # the next event was read in this window, with these channels
        self.step.after_at = -1
        return Kernel.handle(self, status)

    def pass_header(self):
        """Continue behind the file header that `decode` stopped at."""
        self.pass_bytes(self.step.length)

    def refuse(self, bint header):
        """Treat the file header or event that `decode` stopped at as damage."""
        self.start_damage(
            REASON_HEADER if header else REASON_CHANNEL, self.consumed + 1, FATE_CORRUPT
        )

    def decode_packet(self, packet, keyed, int64_t packet_id, int key=-1):
        """Decode one event from its bytes.

        Parameters
        ----------
        packet
            bytes of the event.
        keyed
            buffers, see `set_buffers`.
        packet_id
            number of the event.
        key
            channel of the event; needed for the old version.

        Returns
        -------
        any_full
            whether a buffer has no room for another row.

        Raises
        ------
        ValueError
            if the bytes are not a valid event, or a buffer is full.
        """
        cdef const uint8_t[::1] window = packet
        cdef Chunks own_chunks = self.chunks
        own = self.keyed
        own_id = self.packet_id
        if self.in_chunks:
            if not (0 <= key < N_KEYS and self.channels[key].known):
                raise ValueError(
                    f"event {packet_id}: channel {key} has no configuration"
                )
            self.chunks.key = key
            self.chunks.events_left = 1
            self.chunks.lost = False
        self.packet_id = packet_id - 1
        self.set_buffers(keyed)
        self.begin()
        try:
            status = self.decode(window, 0, len(window), True, 1)
        finally:
            self.end()
            self.set_buffers(own)
            self.packet_id = own_id
            self.chunks = own_chunks
        if status == STATUS_KEY:
            raise ValueError(f"event {packet_id}: {REASONS[REASON_CHANNEL]}")
        if status == STATUS_SKIPPED:
            raise ValueError(f"event {packet_id}: {self.describe_damage()}")
        if self.n_packets == 0:
            text = "the buffer is full" if status == STATUS_FULL else "no bytes"
            raise ValueError(f"event {packet_id}: {text}")
        return bool(self.any_full)

    cdef Status record(self) noexcept nogil:
        """Decode the item at `consumed`."""
        cdef const Window* w = &self.window
        cdef Step* s = &self.step
        if self.in_chunks:
            next_in_chunks(w, self.consumed, &self.chunks, self.channels, s)
        else:
            next_event(w, self.consumed, self.channels, s)
        if s.kind == STEP_EVENT:
            return self.commit(w.data + self.consumed + s.lead, &s.event)
        if s.kind == STEP_MORE:
            self.need = s.need
            return STATUS_MORE
        if s.kind == STEP_SCAN:
            self.damage_key = s.event.key
            if self.in_chunks:
                self.damage_key = s.key
                lose_chunk(&self.chunks, s, w.base + self.consumed + s.lead)
            if begins_with_zeros(w, self.consumed):
                s.reason = REASON_ZEROS
            self.start_damage(
                s.reason, s.resume, FATE_CUT_OFF if s.cut else FATE_CORRUPT
            )
            return STATUS_NEXT
        if s.kind == STEP_EMPTY:
            self.pass_bytes(s.length)
            return STATUS_NEXT
        if s.kind == STEP_HEADER:
            return STATUS_HEADER
        if s.kind == STEP_CHANNEL:
            return STATUS_KEY
        return STATUS_END

    cdef Found find(self, int64_t start, int64_t* where) noexcept nogil:
        """Search for the next event."""
        cdef const Window* w = &self.window
        if self.in_chunks:
            return find_in_chunks(
                w, &self.chunks, self.channels, start, w.n, where, &self.need
            )
        return find_event(w, self.channels, start, w.n, where, &self.need)

    # ---- rows ----------------------------------------------------------------------

    cdef Status commit(self, const uint8_t* event, const Event* e) noexcept nogil:
        """Write or skip a valid event, if its buffer has room."""
        cdef Channel* c = &self.channels[e.key]
        cdef RowSink* sink
        cdef int64_t length = self.step.lead + e.length
        cdef Status status
        cdef int fate = FATE_DECODED
        if c.sink >= 0:
            status = self.room_for(0, c.sink, 1)
            if status != STATUS_NEXT:
                return status
            sink = &self.sinks[0][c.sink]
            self.packet_id += 1
            write_event(
                sink.columns, sink.loc, event, e, c, self.packet_id, self.start,
                self.accuracy,
            )
            self.count_irregular(event, e, c)
            self.row_done(sink)
        else:
            self.packet_id += 1
            c.n_skipped += 1
            fate = FATE_SKIPPED
        if self.in_chunks:
            self.irregular_count[IRREGULAR_TURN] += self.step.missing
            self.note_time(c, ticks_of(event))
            take_step(&self.chunks, self.channels, &self.step)
        self.done(fate, length)
        return STATUS_NEXT

    cdef void note_time(self, Channel* c, uint64_t ticks) noexcept nogil:
        """Count time stamps that do not increase, against format 8.4."""
        self.irregular_count[IRREGULAR_TIMES] += c.has_ticks and ticks <= c.last_ticks
        c.has_ticks = True
        c.last_ticks = ticks

    cdef void count_irregular(
        self, const uint8_t* event, const Event* e, const Channel* c
    ) noexcept nogil:
        """Count the irregularities of a decoded event."""
        self.irregular_count[IRREGULAR_ACCUMULATORS] += not accumulators_fit(
            event, e.bits
        )
        self.n_maw += e.maw
        self.irregular_count[IRREGULAR_UNANNOUNCED] += not c.announced
        self.irregular_count[IRREGULAR_BITS] += e.bits != c.bits
        if e.raw_words == 0 and c.raw_words != 0:
            self.irregular_count[IRREGULAR_NO_RAW] += 1
        if e.averaged_words == 0 and c.averaged_words != 0:
            self.irregular_count[IRREGULAR_NO_AVERAGED] += 1
        if e.averaged_words != 0 and c.averaged_words == 0:
            self.irregular_count[IRREGULAR_AVERAGED] += 1

    # ---- for Python ----------------------------------------------------------------

    @property
    def header_bytes(self):
        return self.step.length

    @property
    def unannounced(self):
        cdef const Event* e = &self.step.event
        return e.key, e.bits, e.raw_words, e.averaged_words

    def describe_damage(self):
        """Return the reason of the damage as text."""
        reason = REASONS[self.damage_code]
        if self.damage_code in (REASON_CHANNEL, REASON_WIDTH, REASON_EVENT):
            reason += f" (channel {self.damage_key})"
        return reason

    def skipped_channels(self):
        """Return the number of unselected events by key since the last call."""
        counts = {}
        for key in self.keys:
            if self.channels[<int>key].n_skipped:
                counts[key] = self.channels[<int>key].n_skipped
                self.channels[<int>key].n_skipped = 0
        return counts
