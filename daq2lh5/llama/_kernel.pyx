"""Decode llamaDAQ events straight into columns.

One :class:`LlamaStream` holds the channels of one file and the buffers that take their
rows. `LlamaStream.decode` runs over a window of bytes without the interpreter until
something needs Python: more bytes, a full buffer, a stretch that is no event.

The sections named are those of the llamaDAQ format.
"""

import sys

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from .._core.binding cimport Binding, BoundColumn, BoundVector, BoundWaveform
from .._core.bytes cimport load_u32
from .._core.sink cimport RowSink, SinkTable, new_sink_table
from .._core.status cimport *
from ._chunks cimport (
    Chunks, find_in_chunks, find_unfinished, lose_chunk, next_in_chunks, set_turns,
    take_step,
)
from ._framing cimport *
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
    N_IRREGULARITIES

REASONS = {
    REASON_CHANNEL: "event of a channel without a configuration",
    REASON_STATUS: "no status word where it must be",
    REASON_AVERAGE: "no average word where it must be",
    REASON_LENGTHS: "lengths of an event do not add up",
    REASON_WIDTH: "event with other numbers of samples than its configuration says",
    REASON_PAST_END: "event runs past the end of the data",
    REASON_STRAY: "too few bytes for an event",
    REASON_RUNS_INTO: "event runs into another event",
    REASON_HEADER: "file header that contradicts itself",
    REASON_ZEROS: "zeros in place of records",
    REASON_FADC: "no chunk of events where one must be",
    REASON_CHUNK: "chunk that begins with no event of its FADC",
    REASON_EVENT: "no event of the channel where its chunk must have one",
    REASON_MISSING: "fewer events than their chunk says",
    REASON_MORE: "more events than their chunk says",
    REASON_EMPTY: "more chunks without events, or in another order, than can be",
}

IRREGULARITIES = (
    "format bits of an event are not those of its configuration, "
    "columns of missing blocks are 0",
    "event without the raw samples that its configuration has, set to 0",
    "event without the averaged samples that its configuration has, set to 0",
    "event with averaged samples that its configuration does not have, left out",
    "event of a channel without a configuration, its times are not known",
    "chunk of another channel than the one whose turn it is",
    "time stamp not above the one before, so the event may be of another channel "
    "with the same number in its first word",
    "event with more than 28 bits in an accumulator: its head is damaged",
)
"""What is accepted although it breaks a rule of the format; see `irregular`."""


cdef class LlamaStream:
    """Channels of one llamaDAQ file, and where their rows go.

    Attributes
    ----------
    packet_id
        number of the last event; the first is 1.
    consumed
        bytes of the window that the last call of `decode` is done with.
    need
        bytes that the window must hold for `decode` to go on, of the same window.
    n_packets
        events that the last call of `decode` is done with.
    packets, bytes
        what was decoded and what was skipped because nobody asked for it, as
        ``(decoded, skipped)``.
    n_maw
        events with test data of the moving average window, which no column is for.
    header_bytes
        length of the file header that `decode` stopped at.
    unannounced
        of the event that `decode` stopped at, whose channel has no configuration: key,
        format bits, and numbers of 32-bit words of raw and averaged samples.
    """

    cdef Channel* channels
    cdef list keys
    cdef double start
    cdef double accuracy
    cdef bint in_chunks
    cdef Chunks chunks
    cdef Step step
    cdef SinkTable table
    cdef RowSink* sinks
    cdef object keyed

    cdef public int64_t packet_id
    cdef readonly int64_t consumed
    cdef readonly int64_t need
    cdef readonly int64_t n_packets
    cdef readonly bint any_full
    cdef public int64_t rows_left
    cdef int64_t detail_sink
    cdef readonly int64_t n_maw
    cdef int64_t packets_done[2]
    cdef int64_t bytes_done[2]
    cdef int64_t irregular_count[N_IRREGULARITIES]

    # the stretch that is being passed over: absolute offsets in the stream
    cdef readonly bint scanning
    cdef int64_t base
    cdef int64_t scan_at
    cdef bint cut
    cdef int64_t stretch_start
    cdef int64_t stretch_end
    cdef readonly int stretch_reason
    cdef int64_t stretch_key

    def __cinit__(self):
        self.channels = <Channel*>calloc(N_KEYS, sizeof(Channel))
        if self.channels == NULL:
            raise MemoryError
        self.keys = []
        self.table = new_table()
        self.rows_left = -1
        self.accuracy = 1.0

    def __dealloc__(self):
        free(self.channels)
        free(self.chunks.keys)
        free(self.chunks.codes)

    # ---- what the header says ------------------------------------------------------

    def set_channels(self, channels):
        """Take over the channels of a file.

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
        """Take over one more channel.

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
        """Read events in chunks, as of the old version (8).

        Parameters
        ----------
        counted
            whether chunks have a number of events.
        """
        set_turns(&self.chunks, self.channels, self.keys, counted)
        self.in_chunks = True

    @property
    def unfinished(self):
        """Channels without a turn in the last round of chunks (format 8.3)."""
        return find_unfinished(&self.chunks, self.channels) if self.in_chunks else []

    def set_start(self, double timestamp, double accuracy):
        """Set the time at which time stamps are 0, and its accuracy, in s."""
        self.start = timestamp
        self.accuracy = accuracy

    # ---- where rows go -------------------------------------------------------------

    def set_buffers(self, keyed):
        """Say which buffers take which rows.

        Parameters
        ----------
        keyed
            a dictionary of `RawBuffer` by key, or a single one for all keys, or None.
        """
        self.keyed = keyed
        wanted = {} if keyed is None else keyed
        if not hasattr(wanted, "get"):
            wanted = dict.fromkeys(self.keys, wanted)
        places = {}
        buffers = []
        for key in self.keys:
            buffer = wanted.get(key)
            if buffer is not None and id(buffer) not in places:
                places[id(buffer)] = len(buffers)
                buffers.append(buffer)
            self.channels[<int>key].sink = -1 if buffer is None else places[id(buffer)]
        self.table.set_buffers(buffers)

    def begin(self):
        """Bind the buffers; until `end` nobody else may touch them."""
        self.table.acquire()
        self.sinks = self.table.sinks
        for key in self.keys:
            self.check_width(key)

    def end(self):
        """Write back how far the buffers are filled, and let go of them."""
        self.table.release()
        self.sinks = NULL

    cdef int check_width(self, int key) except -1:
        """Make sure that the samples of a channel fit the rows of its buffer."""
        cdef Channel* c = &self.channels[key]
        cdef const void* columns
        if c.sink < 0 or self.sinks[c.sink].capacity == 0:
            return 0
        columns = self.sinks[c.sink].columns
        for name, width, samples in (
            ("waveform_windowed", raw_width(columns), 2 * c.raw_words),
            ("waveform_presummed", averaged_width(columns), 2 * c.averaged_words),
        ):
            # no such column: the user has dropped it
            if width >= 0 and width != samples:
                raise ValueError(
                    f"channel {key}: the buffer's {name} has {width} samples, "
                    f"not {samples}"
                )
        return 0

    cdef bint provide(self, Status status) except -1:
        """Get memory for rows; False if that is not what the kernel stopped for."""
        if status != STATUS_ALLOCATE:
            return False
        buffer = self.table.buffers[self.detail_sink]
        self.table.unbind(self.detail_sink)
        if buffer.allocated:
            buffer.enlarge(1)
        else:
            buffer.arrays()
        self.table.bind_one(self.detail_sink)
        for key in self.keys:
            if self.channels[<int>key].sink == self.detail_sink:
                self.check_width(key)
        return True

    # ---- the loop ------------------------------------------------------------------

    def decode(
        self, const uint8_t[::1] window, int64_t base, left, bint at_end,
        int64_t max_packets,
    ):
        """Decode the events in a window of the stream.

        Parameters
        ----------
        window
            the bytes at hand, from the first that is not done with.
        base
            offset of the window's first byte in the stream.
        left
            bytes from there to the end of the stream, or None if that is not known.
        at_end
            whether nothing follows the window.
        max_packets
            stop after so many events.

        Returns
        -------
        status
            why it stopped: a `Status`.
        """
        cdef Status status
        cdef Window w
        w.data = &window[0] if window.shape[0] else NULL
        w.n = window.shape[0]
        w.base = self.base = base
        w.left = -1 if left is None else left
        w.at_end = at_end
        self.any_full = False
        self.n_packets = 0
        self.consumed = 0
        self.need = 0
        self.step.after_at = -1
        while True:
            with nogil:
                status = self.run(&w, max_packets)
            if not self.provide(status):
                break
        return <int>status

    def pass_header(self):
        """Continue behind the file header that `decode` stopped at."""
        self.bytes_done[0] += self.step.length
        self.consumed += self.step.length

    def refuse(self, bint header):
        """Treat the file header or event that `decode` stopped at as damage."""
        self.start_damage(
            REASON_HEADER if header else REASON_CHANNEL, self.consumed + 1, False
        )

    def decode_packet(self, packet, keyed, int64_t packet_id, int key=-1):
        """Decode one event that is at hand as bytes.

        Parameters
        ----------
        packet
            its bytes.
        keyed
            where rows go, see `set_buffers`.
        packet_id
            number of the event.
        key
            its channel, which events of the old version lack.

        Returns
        -------
        any_full
            whether a buffer has no room for another one.

        Raises
        ------
        ValueError
            if the packet is no sound event, or a buffer is full.
        """
        cdef const uint8_t[::1] window = packet
        cdef Chunks own_chunks = self.chunks
        own = self.keyed
        own_id = self.packet_id
        if self.in_chunks:
            if not (0 <= key < N_KEYS and self.channels[key].known):
                raise ValueError(f"packet {packet_id}: no channel {key} is configured")
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
        if status == STATUS_WIDTH:
            raise ValueError(f"packet {packet_id}: {REASONS[REASON_CHANNEL]}")
        if status == STATUS_SKIPPED:
            raise ValueError(f"packet {packet_id}: {self.stretch[3]}")
        if self.n_packets == 0:
            text = "the buffer is full" if status == STATUS_FULL else "no bytes"
            raise ValueError(f"packet {packet_id}: {text}")
        return bool(self.any_full)

    cdef Status run(self, const Window* w, int64_t max_packets) noexcept nogil:
        cdef Status status
        while True:
            if self.scanning:
                status = self.scan(w)
            elif self.any_full:
                return STATUS_FULL
            elif self.n_packets >= max_packets or self.rows_left == 0:
                return STATUS_LIMIT
            else:
                status = self.packet(w)
            # the limit is looked at above: here it means "go on"
            if status != STATUS_LIMIT:
                return status

    cdef Status packet(self, const Window* w) noexcept nogil:
        """Decode the item at `consumed`."""
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
            self.stretch_key = s.event.key
            if self.in_chunks:
                self.stretch_key = s.key
                lose_chunk(&self.chunks, s, w.base + self.consumed + s.lead)
            if begins_with_zeros(w, self.consumed):
                s.reason = REASON_ZEROS
            self.start_damage(s.reason, s.resume, s.cut)
            return STATUS_LIMIT
        if s.kind == STEP_EMPTY:
            self.bytes_done[0] += s.length
            self.consumed += s.length
            return STATUS_LIMIT
        if s.kind == STEP_HEADER:
            return STATUS_HEADER
        if s.kind == STEP_CHANNEL:
            return STATUS_WIDTH
        return STATUS_END

    # ---- passing over what is no event ---------------------------------------------

    cdef void start_damage(self, Reason reason, int64_t at, bint cut) noexcept nogil:
        """Begin to pass over a stretch; the next event is not before `at`."""
        self.scanning = True
        self.stretch_start = self.base + self.consumed
        self.scan_at = self.base + at
        self.stretch_reason = reason
        # cut off if the data end in it
        self.cut = cut

    cdef Status scan(self, const Window* w) noexcept nogil:
        """Look for the next event."""
        cdef int64_t where = self.scan_at - w.base
        cdef Found found = FOUND_NO
        if where < w.n:
            if self.in_chunks:
                found = find_in_chunks(
                    w, &self.chunks, self.channels, where, w.n, &where, &self.need
                )
            else:
                found = find_event(w, self.channels, where, w.n, &where, &self.need)
        if found == FOUND_YES:
            self.cut = False
        elif not w.at_end:
            if found == FOUND_NO:
                where = w.n
                self.need = w.n + 1
            self.scan_at = w.base + where
            self.consumed = where
            return STATUS_MORE
        else:
            where = w.n
            if self.stretch_reason == REASON_ZEROS and where > 0:
                self.cut = w.data[where - 1] == 0
        self.scanning = False
        self.stretch_end = w.base + where
        self.consumed = where
        return STATUS_SKIPPED

    # ---- rows ----------------------------------------------------------------------

    cdef Status commit(self, const uint8_t* event, const Event* e) noexcept nogil:
        """Take in a sound event, if its buffer has room."""
        cdef Channel* c = &self.channels[e.key]
        cdef RowSink* sink
        cdef int64_t length = self.step.lead + e.length
        cdef int fate = 0
        if c.sink >= 0:
            sink = &self.sinks[c.sink]
            if sink.loc >= sink.capacity:
                if sink.loc > 0:
                    self.any_full = True
                    return STATUS_FULL
                self.detail_sink = c.sink
                return STATUS_ALLOCATE
            self.packet_id += 1
            write_event(
                sink.columns, sink.loc, event, e, c, self.packet_id, self.start,
                self.accuracy,
            )
            self.note_faults(event, e, c)
            sink.loc += 1
            if sink.capacity - sink.loc < sink.fill_safety:
                self.any_full = True
            if self.rows_left > 0:
                self.rows_left -= 1
        else:
            self.packet_id += 1
            c.n_skipped += 1
            fate = 1
        if self.in_chunks:
            self.irregular_count[IRREGULAR_TURN] += self.step.missing
            self.note_time(c, ticks_of(event))
            take_step(&self.chunks, self.channels, &self.step)
        self.packets_done[fate] += 1
        self.bytes_done[fate] += length
        self.consumed += length
        self.n_packets += 1
        return STATUS_LIMIT

    cdef void note_time(self, Channel* c, uint64_t ticks) noexcept nogil:
        """Count time stamps that do not increase, although they must (format 8.4)."""
        self.irregular_count[IRREGULAR_TIMES] += c.has_ticks and ticks <= c.last_ticks
        c.has_ticks = True
        c.last_ticks = ticks

    cdef void note_faults(
        self, const uint8_t* event, const Event* e, const Channel* c
    ) noexcept nogil:
        """Count what is wrong with an event that was taken."""
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

    # ---- what Python asks for ------------------------------------------------------

    @property
    def header_bytes(self):
        return self.step.length

    @property
    def unannounced(self):
        cdef const Event* e = &self.step.event
        return e.key, e.bits, e.raw_words, e.averaged_words

    @property
    def packets(self):
        return (self.packets_done[0], self.packets_done[1])

    @property
    def bytes(self):
        return (self.bytes_done[0], self.bytes_done[1])

    @property
    def irregular(self):
        """How often each of `IRREGULARITIES` was met."""
        return {
            text: self.irregular_count[i]
            for i, text in enumerate(IRREGULARITIES) if self.irregular_count[i]
        }

    @property
    def stretch(self):
        """The stretch last passed over: ``(start, end, fate, reason)``."""
        reason = REASONS[self.stretch_reason]
        if self.stretch_reason in (REASON_CHANNEL, REASON_WIDTH, REASON_EVENT):
            reason += f" (channel {self.stretch_key})"
        fate = "cut_off" if self.cut else "corrupt"
        return self.stretch_start, self.stretch_end, fate, reason

    def skipped_channels(self):
        """Return the number of unselected events by key since the last call."""
        counts = {}
        for key in self.keys:
            if self.channels[<int>key].n_skipped:
                counts[key] = self.channels[<int>key].n_skipped
                self.channels[<int>key].n_skipped = 0
        return counts

    # names for the caller of `decode`
    END = STATUS_END
    MORE = STATUS_MORE
    LIMIT = STATUS_LIMIT
    FULL = STATUS_FULL
    SKIPPED = STATUS_SKIPPED
    HEADER = STATUS_HEADER
    UNANNOUNCED = STATUS_WIDTH
