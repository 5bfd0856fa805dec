"""Decode ORCA packets straight into columns.

One :class:`OrcaKernel` holds the state of one file and the buffers for its rows. The
compiled modules in ``packets/`` find the packets; ``flashcam/`` and ``digitizers/``
decode them.

Section numbers refer to the ORCA format.
"""

from libc.math cimport NAN
from libc.stdint cimport int16_t, int64_t, uint8_t

from .._core.bytes cimport load_u32
from .._core.kernel cimport *
from .._core.sink cimport RowSink, SinkTable
from ..fc._kernel cimport FcioKernel
from ._routes cimport *
from .digitizers._channels cimport DigitizerChannels
from .digitizers._digitizers cimport *
from .digitizers._events cimport *
from .flashcam._cards cimport N_SPLITS, FlashCamCards
from .flashcam._streams cimport FcioStreams
from .flashcam._traces cimport *
from .packets._contents cimport *
from .packets._damage cimport *
from .packets._framing cimport *

from ..selection.overflow_tables import TOO_MANY_LENGTHS
from .packets._framing import KINDS, REASONS


cdef class OrcaKernel(Kernel):
    """State of one ORCA file, and the buffers for its rows.

    Attributes
    ----------
    flashcam
        FlashCam cards and listeners of the first generation.
    streams
        kernels of the FCIO streams.
    channels
        channels of digitizers.
    detail_decoder, detail_start, detail_words
        the packet left to Python: index of its decoder, offset in the window, length
        in words.
    detail_key, detail_samples
        key and samples of a row without a buffer (``KEY``), or whose buffer has another
        number of samples (``WIDTH``).
    n_short
        packets whose last one to three bytes of padding are missing.
    n_bad_events, n_cut_events, n_too_many
        digitizer events that cannot be decoded, packets that end inside an event, and
        traces whose length exceeds the limit of overflow tables.
    """

    reasons = REASONS
    MAX_DECODERS = N_LONG_IDS

    cdef Ids ids
    cdef readonly FlashCamCards flashcam
    cdef readonly FcioStreams streams
    cdef readonly DigitizerChannels channels
    # number of packets by decoder index: decoded ones, and others
    cdef int64_t packets_of[2][N_LONG_IDS]

    cdef readonly int detail_decoder
    cdef readonly int64_t detail_start
    cdef readonly int64_t detail_words
    cdef readonly int64_t detail_samples
    cdef readonly int64_t detail_key
    cdef int16_t* detail_route

    # current packet: bytes or events processed so far; whether rows were written;
    # events not selected
    cdef int64_t inner
    cdef bint written
    cdef int64_t n_unselected

    cdef readonly int64_t n_short
    cdef readonly int64_t n_bad_events
    cdef readonly int64_t n_cut_events
    cdef readonly int64_t n_too_many

    # offset in the input of the last packet that was verified
    cdef int64_t verified_at
    # missing bytes at the end of the current packet: the next one begins there
    cdef int64_t n_missing
    # the damaged range is the current packet, or a part of it
    cdef bint reject_pending
    cdef bint has_damage_text
    cdef object damage_text

    def __cinit__(self):
        self.flashcam = FlashCamCards()
        self.streams = FcioStreams()
        self.channels = DigitizerChannels()
        self.ids.awaited = self.flashcam.awaited
        self.ids.addresses = self.flashcam.addresses
        self.tables = (
            *[new_trace_table() for _ in range(N_SPLITS)], *new_digitizer_tables()
        )
        self.zeros_code = REASON_ZEROED
        self.verified_at = -1
        self.set_ids({}, [])

    # ---- packets of the header -----------------------------------------------------

    def set_ids(self, decoders, kinds):
        """Set the kinds of packets, from the header.

        Parameters
        ----------
        decoders
            decoder index by unshifted id.
        kinds
            by decoder index: a name of `KINDS`, its `Ids.variant`, and for records
            their :class:`~daq2lh5.orca.slow_control.record_shape.Shape`.

        Raises
        ------
        ValueError
            for more than `MAX_DECODERS` decoders.
        """
        set_ids(&self.ids, decoders, kinds)

    def set_swapped(self):
        """Expect swapped words in the text of later headers (format 1.3)."""
        self.ids.is_swapped = True

    # ---- buffers -------------------------------------------------------------------

    def set_trace_buffers(self, int split, keyed, overflow_of):
        """Set the buffers for FlashCam traces of a decoder, by key.

        Parameters
        ----------
        split
            the `Ids.variant` of the decoder.
        keyed
            the buffers by key. None means that the key is not selected. A trace with a
            missing key stops the kernel.
        overflow_of
            returns the overflow buffers of a buffer, for rows of other lengths.
        """
        keys = self.flashcam.keys()
        keyed = {key: buffer for key, buffer in keyed.items() if key in keys}
        routes = set_chains(self.tables[split], keyed, overflow_of)
        self.flashcam.set_routes(split, routes)

    def set_channel_buffers(self, kind, keyed, overflow_of, periods):
        """Set the buffers for events of a kind of digitizer, by key.

        Parameters
        ----------
        kind
            a name of `KINDS`.
        keyed, overflow_of
            as for `set_trace_buffers`; the key None matches all missing keys.
        periods
            sampling periods in ns by key.
        """
        cdef int number = KINDS[kind] - KIND_SIS3302
        routes = set_chains(self.tables[N_SPLITS + number], keyed, overflow_of)
        self.channels.set_routes(number, routes, periods)

    def give(self, buffer, float period=NAN):
        """Route rows of `detail_key` to a buffer; None if the key is not selected.

        Parameters
        ----------
        buffer
            the buffer.
        period
            sampling period of a digitizer's channel in ns.
        """
        cdef SinkTable table = self.tables[self.detail_table]
        cdef Py_ssize_t place = ROUTE_NONE
        if buffer is not None:
            place = table.place_of(buffer)
            self.sinks[self.detail_table] = table.sinks
        self.detail_route[0] = place if place <= MAX_ROUTE else ROUTE_NONE
        if self.detail_table >= N_SPLITS:
            self.channels.periods[self.detail_table - N_SPLITS][self.detail_key] = period

    @property
    def detail_buffer(self):
        """The buffer whose rows do not fit the current trace."""
        cdef SinkTable table = self.tables[self.detail_table]
        return table.buffers[self.detail_sink]

    @property
    def detail_width(self):
        """Number of samples in the rows of that buffer."""
        return self.detail_buffer.arrays()["waveform/values"].shape[1]

    def end(self):
        """Store the fill levels of the buffers, and release the buffers."""
        self.streams.release()
        Kernel.end(self)

    # ---- the current packet --------------------------------------------------------

    cdef Status record(self) noexcept nogil:
        cdef Packet p
        cdef Reason reason
        cdef Status status
        cdef Found found
        if self.consumed == self.window.n and self.window.at_end:
            return STATUS_END
        found = packet_at(
            &self.window, &self.ids, self.consumed, &p, &reason, &self.need
        )
        if found == FOUND_MORE:
            return STATUS_MORE
        if found == FOUND_NO:
            return self.search(reason)
        if end_of(&p) > self.window.n:
            self.need = end_of(&p)
            return STATUS_MORE
        if self.verified_at != self.window.base + p.start:
            status = self.verify(&p)
            if status != STATUS_NEXT or self.scanning:
                return status
        if p.kind == KIND_UNKNOWN:
            return self.count(&p, FATE_UNKNOWN)
        if p.kind == KIND_WAVEFORM:
            return self.waveform(&p)
        if p.kind >= KIND_SIS3302:
            return self.digitizer(&p)
        self.leave_to_python(&p)
        return STATUS_HEADER

    cdef void leave_to_python(self, const Packet* p) noexcept nogil:
        """Leave a packet to Python."""
        self.detail_decoder = p.decoder_index
        self.detail_start = p.start
        self.detail_words = p.n_words

    cdef Packet left_packet(self) noexcept nogil:
        """Return the packet that was left to Python."""
        cdef Packet p
        p.decoder_index = self.detail_decoder
        p.kind = <Kind>self.ids.kind[p.decoder_index]
        p.start = self.detail_start
        p.n_words = self.detail_words
        p.head_words = 1
        return p

    cdef Status count(self, const Packet* p, int fate) noexcept nogil:
        """Count a packet, and continue behind it."""
        self.packets_of[fate != FATE_DECODED][p.decoder_index] += 1
        self.packet_id += 1
        self.done(fate, 4 * p.n_words - self.n_missing)
        if self.n_missing:
            self.n_short += 1
            self.n_missing = 0
        self.forget_events()
        return STATUS_NEXT

    cdef void forget_events(self) noexcept nogil:
        self.inner = 0
        self.written = False
        self.n_unselected = 0

    def pass_over(self, bint decoded):
        """Continue behind the packet that was left to Python."""
        cdef Packet p = self.left_packet()
        self.count(&p, FATE_DECODED if decoded else FATE_SKIPPED)

    def reject(self, reason):
        """Treat the packet that was left to Python as damaged."""
        cdef Packet p = self.left_packet()
        self.reject_packet(&p, REASON_CONTENT)
        self.damage_text = reason
        self.has_damage_text = True

    def skip_trace(self):
        """Skip the trace that stopped the kernel: the limit of tables is reached."""
        self.n_too_many += 1
        if self.ids.kind[self.detail_decoder] == KIND_WAVEFORM:
            self.reject(TOO_MANY_LENGTHS)
        else:
            self.inner += 1

    # ---- rows ----------------------------------------------------------------------

    cdef Status find_sink(
        self, const Packet* p, int table, int16_t* route, int64_t key,
        int64_t n_samples, bint may_be_longer, int64_t* index,
    ) noexcept nogil:
        """Find a sink for a row of a channel; STATUS_NEXT if it has room.

        With `may_be_longer`, rows of the route's own sink may be longer than the trace.
        Rows of an overflow sink have exactly its length.
        """
        cdef RowSink* sink
        cdef int64_t width
        self.detail_route = route
        self.detail_key = key
        self.detail_samples = n_samples
        index[0] = route[0]
        if index[0] == ROUTE_ASK:
            self.leave_to_python(p)
            return self.lack(STATUS_KEY, table, -1, 0)
        while True:
            sink = &self.sinks[table][index[0]]
            if sink.capacity == 0:
                return self.lack(STATUS_ALLOCATE, table, index[0], 1)
            if table < N_SPLITS:
                width = width_of_traces(sink.columns)
            else:
                width = samples_per_row(table - N_SPLITS, sink.columns)
            if width < 0 or width == n_samples or (may_be_longer and width > n_samples):
                return self.room_for(table, index[0], 1)
            may_be_longer = False
            index[0] = sink.overflow_sink
            if index[0] < 0:
                self.leave_to_python(p)
                return self.lack(STATUS_WIDTH, table, route[0], 0)

    cdef Status waveform(self, const Packet* p) noexcept nogil:
        """Write the row of a FlashCam trace (format 4.3.3)."""
        cdef Packet q = as_long(p)
        cdef int split = self.ids.variant[p.decoder_index]
        cdef Trace t
        cdef int64_t index
        cdef RowSink* sink
        cdef Status status
        cdef Reason reason = read_trace(
            self.flashcam, self.window.data + q.start, q.n_words, split, &t
        )
        if reason != REASON_NONE:
            return self.reject_packet(p, reason)
        if t.place.routes[split][t.input] == ROUTE_NONE:
            self.flashcam.skip(t.place, split, t.input)
            return self.count(p, FATE_SKIPPED)
        status = self.find_sink(
            p, split, &t.place.routes[split][t.input],
            self.flashcam.key_of(t.place, t.input), t.n_samples, t.n_samples == 0, &index,
        )
        if status != STATUS_NEXT:
            return status
        if not is_sound(&t):
            return self.reject_packet(p, REASON_CONTENT)
        sink = &self.sinks[split][index]
        write_trace(self.flashcam, sink.columns, sink.loc, self.packet_id + 1, &t)
        self.row_done(sink)
        return self.count(p, FATE_DECODED)

    cdef Status digitizer(self, const Packet* p) noexcept nogil:
        """Write a row for each event of a packet, from event number `inner` on."""
        cdef Packet q = as_long(p)
        cdef const uint8_t* words = self.window.data + q.start
        cdef Status status
        cdef Event e
        e.next = 0
        while next_event(words, &q, self.channels.averages, &e):
            if e.number < self.inner:
                continue
            if e.reason == REASON_NONE:
                status = self.event(p, words, &e)
                if status != STATUS_NEXT:
                    return status
            elif e.last:
                return self.reject_packet(p, e.reason)
            else:
                self.n_bad_events += 1
            self.inner = e.number + 1
            if e.reason == REASON_NONE and (e.last or self.rows_left == 0):
                break
        if e.cut:
            self.n_cut_events += 1
        # `n_bad_events` counts the events that cannot be decoded
        return self.count(
            p, FATE_DECODED if self.written or not self.n_unselected else FATE_SKIPPED
        )

    cdef Status event(
        self, const Packet* p, const uint8_t* words, Event* e
    ) noexcept nogil:
        """Write the row of an event of a digitizer."""
        cdef int number = p.kind - KIND_SIS3302
        cdef int table = N_SPLITS + number
        cdef int16_t* route = &self.channels.routes[number][e.key]
        cdef int64_t index
        cdef RowSink* sink
        cdef Status status
        if route[0] == ROUTE_NONE:
            self.channels.skip(number, e.key)
            self.n_unselected += 1
            return STATUS_NEXT
        e.period = self.channels.periods[number][e.key]
        status = self.find_sink(
            p, table, route, e.key, e.n_samples, e.n_samples == 0 or not e.exact, &index
        )
        if status != STATUS_NEXT:
            return status
        sink = &self.sinks[table][index]
        if not row_has_room(number, sink.columns, sink.loc, e):
            return self.lack(STATUS_GROW, table, index, e.n_extra)
        write_event(number, sink.columns, sink.loc, self.packet_id + 1, words, e)
        self.row_done(sink)
        self.written = True
        return STATUS_NEXT

    # ---- records of FCIO -----------------------------------------------------------

    cdef Status handle(self, Status status) except *:
        if status == STATUS_HEADER and self.ids.kind[self.detail_decoder] == KIND_FCIO:
            return self.records()
        return Kernel.handle(self, status)

    cdef Status records(self) except *:
        """Decode the current packet, if its stream is known (format 4.4)."""
        cdef const uint8_t* packet = self.window.data + self.detail_start
        cdef int64_t head = 8 if load_u32(packet) & 0x3FFFF else 12
        cdef int64_t n = 4 * self.detail_words - head
        cdef int64_t done, begin
        cdef Status status
        cdef FcioKernel stream
        if n < 4 or fcio_records(
            packet + head, n, self.ids.variant[self.detail_decoder], &begin
        ) == RECORDS_NONE:
            self.reject("FCIO packet without a record for its decoder")
            return STATUS_NEXT
        stream = self.streams.stream_of(load_u32(packet + head - 4))
        if stream is None:
            return STATUS_HEADER
        # records decoded before a configuration in this packet count
        done = stream.packets_done[0] - (self.inner > 0)
        status = stream.decode_payload(
            packet + head, n, max(self.inner, begin), self.packet_id + 1,
            self.rows_left,
        )
        self.rows_left = stream.rows_left
        self.inner = stream.consumed
        self.any_full |= stream.any_full
        if status == STATUS_END or status == STATUS_LIMIT:
            self.pass_over(stream.packets_done[0] > done)
            return STATUS_NEXT
        if status == STATUS_HEADER and not stream.header_is_config:
            # only settings of the stream processor
            return STATUS_NEXT
        if status == STATUS_SKIPPED:
            if stream.damage_fate != FATE_UNKNOWN:
                self.reject(stream.describe_damage())
            return STATUS_NEXT
        return status

    # ---- damage --------------------------------------------------------------------

    cdef Status search(self, Reason reason) noexcept nogil:
        """Begin a damaged range at `consumed`."""
        self.has_damage_text = False
        self.start_damage(
            reason, self.consumed + (0 if reason == REASON_ZEROS else 1),
            fate_without(reason),
        )
        return STATUS_NEXT

    cdef Status verify(self, const Packet* p) noexcept nogil:
        """Check that a packet is whole; otherwise begin a damaged range."""
        cdef Finding f
        cdef Verdict verdict = judge(&self.window, &self.ids, p, &f, &self.need)
        if verdict == VERDICT_MORE:
            return STATUS_MORE
        if verdict == VERDICT_SEARCH:
            return self.search(f.reason)
        if verdict == VERDICT_HIDES:
            self.search(REASON_SWALLOWED)
            return self.finish_damage(FATE_CORRUPT, f.where)
        self.verified_at = self.window.base + p.start
        self.n_missing = f.n_missing
        return STATUS_NEXT

    cdef Status reject_packet(self, const Packet* p, Reason reason) noexcept nogil:
        """Reject a packet with impossible contents: the scan passes over it."""
        self.search(reason)
        self.reject_pending = True
        self.detail_words = p.n_words
        self.forget_events()
        return STATUS_NEXT

    cdef Status scan(self) noexcept nogil:
        if self.reject_pending:
            return self.pass_rejected()
        if self.damage_code == REASON_ZEROS:
            return self.scan_zeros()
        return Kernel.scan(self)

    cdef Found find(self, int64_t start, int64_t* where) noexcept nogil:
        return next_after_damage(&self.window, &self.ids, start, where, &self.need)

    cdef Status pass_rejected(self) noexcept nogil:
        """Pass over a rejected packet, up to the first packet that begins inside it."""
        cdef int64_t start = self.damage_start - self.window.base
        cdef int64_t end = start + 4 * self.detail_words - self.n_missing
        cdef int64_t where
        cdef Found found = next_in_rejected(
            &self.window, &self.ids, start, end, &where, &self.need
        )
        if found == FOUND_MORE:
            return STATUS_MORE
        self.reject_pending = False
        self.n_missing = 0
        if found == FOUND_NO:
            self.packet_id += 1
            self.n_packets += 1
            where = end
        return self.finish_damage(FATE_CORRUPT, where)

    cdef Status scan_zeros(self) noexcept nogil:
        """Pass over a block of zeros; a short one is not damage (format 7.4)."""
        cdef const Window* w = &self.window
        cdef int64_t at = self.scan_at - w.base
        cdef int64_t where = at
        cdef Reason reason
        cdef Found found = FOUND_MORE
        cdef bint too_many
        while w.n - at >= 4 and load_u32(w.data + at) == 0:
            at += 4
        too_many = are_too_many(w.base + at - self.damage_start)
        if w.n == at and w.at_end:
            if too_many:
                self.damage_code = REASON_ZEROED
            return self.finish_damage(FATE_CUT_OFF if too_many else FATE_UNKNOWN, at)
        if w.n - at < 4 and not w.at_end:
            self.need = at + 4
        else:
            found = next_after_zeros(
                w, &self.ids, self.damage_start - w.base + 1, at, &where, &reason,
                &self.need,
            )
        if found == FOUND_MORE:
            self.scan_at = w.base + at
            # a packet may begin with zeros
            self.consumed = max(self.consumed, at - 3)
            return STATUS_MORE
        if too_many:
            self.damage_code = REASON_ZEROED
        if found == FOUND_YES:
            return self.finish_damage(
                FATE_CORRUPT if too_many or where < at else FATE_UNKNOWN, where
            )
        if not too_many:
            self.damage_code = reason
        self.fate_at_end = fate_without(<Reason>self.damage_code)
        self.scan_at = w.base + at
        return STATUS_NEXT

    def describe_damage(self):
        """Return the reason for the damaged range, as text."""
        return self.damage_text if self.has_damage_text else REASONS[self.damage_code]

    # ---- counts --------------------------------------------------------------------

    def counts(self, int decoder_index):
        """Return the numbers of a decoder's packets: decoded ones, and others."""
        return self.packets_of[0][decoder_index], self.packets_of[1][decoder_index]

    def skipped_channels(self, kind=None, int variant=0):
        """Return the number of unselected rows of a decoder by key.

        For FlashCam traces, the number since the last call: a later header may have
        other cards in these slots.
        """
        if kind == "waveform":
            return self.flashcam.skipped_channels(variant)
        return self.channels.skipped_of(KINDS[kind] - KIND_SIS3302)


cdef int fate_without(Reason reason) noexcept nogil:
    """Return the fate of a damaged range without a packet behind it."""
    if reason == REASON_PAST_END or reason == REASON_STRAY:
        return FATE_CUT_OFF
    return FATE_CORRUPT


cdef dict set_chains(SinkTable table, dict keyed, overflow_of):
    """Set the buffers of a table; return the routes to them by key.

    Rows that do not fit a buffer go to the buffers that `overflow_of` returns for it.
    """
    cdef Py_ssize_t i, last
    cdef Py_ssize_t at
    heads = list({id(rb): rb for rb in keyed.values() if rb is not None}.values())
    chains = [overflow_of(rb) for rb in heads]
    table.set_buffers([*heads, *(rb for chain in chains for rb in chain)])
    at = len(heads)
    for i, chain in enumerate(chains):
        last = i
        for _ in chain:
            table.sinks[last].overflow_sink = at
            last = at
            at += 1
    places = {id(rb): i for i, rb in enumerate(heads)}
    return {
        key: ROUTE_NONE if rb is None else places[id(rb)] for key, rb in keyed.items()
    }
