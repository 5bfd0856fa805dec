"""Decode llamaDAQ events straight into columns.

One :class:`LlamaStream` holds the channels of one file and the buffers that take their
rows. `LlamaStream.decode` runs over a window of bytes without the interpreter until
something needs Python: more bytes, a full buffer, a stretch that is no event.

The sections named are those of the format document "llamaDAQ files".
"""

import sys

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from .._core.binding cimport Binding, BoundColumn, BoundVector, BoundWaveform
from .._core.bytes cimport load_u32
from .._core.sink cimport RowSink, SinkTable, new_sink_table
from .._core.status cimport *
from ._framing cimport *
from .layout cimport *

include "_columns.pxi"

if sys.byteorder != "little":
    raise ImportError("daq2lh5 copies samples as they are: little-endian machines only")


cdef enum:
    IRREGULAR_BITS
    IRREGULAR_NO_RAW
    IRREGULAR_NO_AVERAGED
    IRREGULAR_AVERAGED
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
}

IRREGULARITIES = (
    "format bits of an event are not those of its configuration, "
    "columns of missing blocks are 0",
    "event without the raw samples that its configuration has, set to 0",
    "event without the averaged samples that its configuration has, set to 0",
    "event with averaged samples that its configuration does not have, left out",
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
    """

    cdef Channel* channels
    cdef list keys
    cdef double start
    cdef double accuracy
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
    cdef int64_t scan_at
    cdef bint cut
    cdef int64_t stretch_start
    cdef int64_t stretch_end
    cdef readonly int stretch_reason
    cdef uint32_t stretch_key

    def __cinit__(self):
        self.channels = <Channel*>calloc(N_KEYS, sizeof(Channel))
        if self.channels == NULL:
            raise MemoryError
        self.keys = []
        self.table = new_sink_table(sizeof(LLAMAEventColumns), bind_llama_event)
        self.rows_left = -1
        self.accuracy = 1.0

    def __dealloc__(self):
        free(self.channels)

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
        cdef Channel* c
        cdef Py_ssize_t key
        memset(self.channels, 0, N_KEYS * sizeof(Channel))
        self.keys = list(channels)
        for key, values in channels.items():
            if not 0 <= key < N_KEYS:
                raise ValueError(f"channel {key} does not fit 12 bits")
            c = &self.channels[key]
            c.known = True
            c.bits = values["format_bits"] & 15
            c.words = values["words"]
            c.raw_words = values["raw_words"]
            c.averaged_words = values["averaged_words"]
            c.dt_raw = values["dt_raw"]
            c.dt_averaged = values["dt_averaged"]
            c.t0_raw = values["t0_raw"]
            c.t0_averaged = values["t0_averaged"]
            c.sink = -1

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
        cdef RowSink* sink
        cdef LLAMAEventColumns* columns
        if c.sink < 0 or self.sinks[c.sink].capacity == 0:
            return 0
        sink = &self.sinks[c.sink]
        columns = <LLAMAEventColumns*>sink.columns
        for name, width, samples in (
            ("waveform_windowed", columns.waveform_windowed.width, 2 * c.raw_words),
            (
                "waveform_presummed", columns.waveform_presummed.width,
                2 * c.averaged_words,
            ),
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
        if buffer._allocated:
            buffer._enlarge(1)
        else:
            buffer._arrays()
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
        cdef int64_t n_left = -1 if left is None else left
        cdef const uint8_t* data = &window[0] if window.shape[0] else NULL
        cdef int64_t n = window.shape[0]
        self.any_full = False
        self.n_packets = 0
        self.consumed = 0
        self.need = 0
        while True:
            with nogil:
                status = self.run(data, n, base, n_left, at_end, max_packets)
            if not self.provide(status):
                break
        return <int>status

    def decode_packet(self, packet, keyed, int64_t packet_id):
        """Decode one event that is at hand as bytes.

        Parameters
        ----------
        packet
            its bytes.
        keyed
            where rows go, see `set_buffers`.
        packet_id
            number of the event.

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
        own = self.keyed
        own_id = self.packet_id
        self.packet_id = packet_id - 1
        self.set_buffers(keyed)
        self.begin()
        try:
            status = self.decode(window, 0, len(window), True, 1)
        finally:
            self.end()
            self.set_buffers(own)
            self.packet_id = own_id
        if status == STATUS_SKIPPED:
            raise ValueError(f"packet {packet_id}: {self.stretch[3]}")
        if self.n_packets == 0:
            text = "the buffer is full" if status == STATUS_FULL else "no bytes"
            raise ValueError(f"packet {packet_id}: {text}")
        return bool(self.any_full)

    cdef Status run(
        self, const uint8_t* data, int64_t n, int64_t base, int64_t left, bint at_end,
        int64_t max_packets,
    ) noexcept nogil:
        cdef Status status
        while True:
            if self.scanning:
                status = self.scan(data, n, base, at_end)
            elif self.any_full:
                return STATUS_FULL
            elif self.n_packets >= max_packets or self.rows_left == 0:
                return STATUS_LIMIT
            else:
                status = self.packet(data, n, base, left, at_end)
            # the limit is looked at above: here it means "go on"
            if status != STATUS_LIMIT:
                return status

    cdef Status packet(
        self, const uint8_t* data, int64_t n, int64_t base, int64_t left, bint at_end,
    ) noexcept nogil:
        """Decode the event at `consumed`.

        It is taken where an event, or the end, follows it. Else another one may start
        in it, as it does where bytes are missing: then that one counts (7).
        """
        cdef Event e
        cdef Reason reason
        cdef Found found
        cdef int64_t at = self.consumed
        cdef int64_t end, where
        if n - at < MAX_HEAD_BYTES and not at_end:
            self.need = at + MAX_HEAD_BYTES
            return STATUS_MORE
        if n == at:
            return STATUS_END
        if n - at < 4:
            return self.start_scan(base, n, REASON_STRAY, True)
        reason = read_head(data + at, n - at, self.channels, &e)
        self.stretch_key = e.key
        if reason != REASON_NONE:
            return self.start_scan(base, at + 1, reason, reason == REASON_PAST_END)
        end = at + e.length
        if end > n:
            if at_end or 0 <= left < end:
                return self.start_scan(base, at + 1, REASON_PAST_END, True)
            self.need = end
            return STATUS_MORE
        found = is_sound_after(data, n, at_end, self.channels, end, &self.need)
        if found == FOUND_NO:
            found = find_event(
                data, n, at_end, self.channels, at + 1, end, &where, &self.need
            )
            if found == FOUND_YES:
                return self.start_scan(base, where, REASON_RUNS_INTO, False)
        if found == FOUND_MORE:
            return STATUS_MORE
        return self.commit(data + at, &e)

    # ---- passing over what is no event ---------------------------------------------

    cdef Status start_scan(
        self, int64_t base, int64_t at, Reason reason, bint cut
    ) noexcept nogil:
        """Begin to pass over a stretch; the next event is not before `at`."""
        self.scanning = True
        self.stretch_start = base + self.consumed
        self.scan_at = base + at
        self.stretch_reason = reason
        # cut off if the data end in it
        self.cut = cut
        return STATUS_LIMIT

    cdef Status scan(
        self, const uint8_t* data, int64_t n, int64_t base, bint at_end
    ) noexcept nogil:
        """Look for the next event."""
        cdef int64_t where = self.scan_at - base
        cdef Found found = FOUND_NO
        if where < n:
            found = find_event(
                data, n, at_end, self.channels, where, n, &where, &self.need
            )
        if found == FOUND_YES:
            self.cut = False
        elif not at_end:
            if found == FOUND_NO:
                where = n
                self.need = n + 1
            self.scan_at = base + where
            self.consumed = where
            return STATUS_MORE
        else:
            where = n
        self.scanning = False
        self.stretch_end = base + where
        self.consumed = where
        return STATUS_SKIPPED

    # ---- rows ----------------------------------------------------------------------

    cdef Status commit(self, const uint8_t* event, const Event* e) noexcept nogil:
        """Take in a sound event, if its buffer has room."""
        cdef Channel* c = &self.channels[e.key]
        cdef RowSink* sink
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
            self.write(<LLAMAEventColumns*>sink.columns, sink.loc, event, e, c)
            self.note_faults(e, c)
            sink.loc += 1
            if sink.capacity - sink.loc < sink.fill_safety:
                self.any_full = True
            if self.rows_left > 0:
                self.rows_left -= 1
        else:
            self.packet_id += 1
            c.n_skipped += 1
            fate = 1
        self.packets_done[fate] += 1
        self.bytes_done[fate] += e.length
        self.consumed += e.length
        self.n_packets += 1
        return STATUS_LIMIT

    cdef void note_faults(self, const Event* e, const Channel* c) noexcept nogil:
        """Count what is wrong with an event that was taken."""
        self.n_maw += e.maw
        self.irregular_count[IRREGULAR_BITS] += e.bits != c.bits
        if e.raw_words == 0 and c.raw_words != 0:
            self.irregular_count[IRREGULAR_NO_RAW] += 1
        if e.averaged_words == 0 and c.averaged_words != 0:
            self.irregular_count[IRREGULAR_NO_AVERAGED] += 1
        if e.averaged_words != 0 and c.averaged_words == 0:
            self.irregular_count[IRREGULAR_AVERAGED] += 1

    cdef void write(
        self, LLAMAEventColumns* c, Py_ssize_t row, const uint8_t* event,
        const Event* e, const Channel* channel,
    ) noexcept nogil:
        cdef uint64_t ticks = (
            <uint64_t>(load_u32(event) >> 16) << 32 | load_u32(event + 4)
        )
        # in this order (2.1)
        cdef double seconds = <double>ticks * channel.dt_raw * 1e-9
        cdef const uint8_t* samples = event + e.samples
        llama_event_set_packet_id(c, row, <uint32_t>self.packet_id)
        llama_event_set_fadc_channel_id(c, row, e.key)
        llama_event_set_time_since_run_start(c, row, seconds)
        llama_event_set_unixtime(c, row, seconds + self.start)
        llama_event_set_unixtime_accuracy(c, row, self.accuracy)
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

    # ---- what Python asks for ------------------------------------------------------

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
        if self.stretch_reason in (REASON_CHANNEL, REASON_WIDTH):
            reason += f" (channel {self.stretch_key})"
        fate = "cut_off" if self.cut else "corrupt"
        return self.stretch_start, self.stretch_end, fate, reason

    def skipped_channels(self):
        """Return how many events of each key nobody asked for; starts again at 0."""
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
