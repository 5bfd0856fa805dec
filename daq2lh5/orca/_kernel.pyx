"""Decode ORCA packets straight into columns.

One :class:`OrcaStream` holds what is known of one file: ids, FlashCam cards, and the
buffers that take the rows. `OrcaStream.decode` runs over a window of bytes without the
interpreter until something needs Python: more bytes, a full buffer, a rare packet, a
stretch that is no packet. Records of FCIO in ORCA packets are left to a
:class:`~daq2lh5.fc._kernel.FcioKernel` for each of their streams.

The sections named are those of the ORCA format.
"""

from libc.math cimport NAN
from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from .._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from .._core.bytes cimport load_i32, load_u32
from .._core.sink cimport RowSink, SinkTable, new_sink_table
from .._core.status cimport *
from .._core.kernel cimport FATE_UNKNOWN
from ..fc._kernel cimport FcioKernel
from .packets._contents cimport *
from .digitizers._digitizers cimport *
from .digitizers._events cimport *
from .packets._framing cimport *

include "_columns.pxi"

cdef enum:
    N_INPUTS = 32
    N_SPLITS = 2            # ways to split input and trace index (format 4.3.3)
    N_TABLES = N_SPLITS + N_DIGITIZERS
    N_CHANNELS = 8192       # crate, card and channel in one number (format 2.1)
    MAX_TRACES = 2400
    FIXED_ID = 1000         # above all values of Status
    ASK = -1                # stop at the first row: Python has to find a buffer
    NOWHERE = -2            # not selected
    MAX_PLACE = 0x7FFF      # sinks of a table are numbered in 16 bits

cdef enum StretchKind:
    STRETCH_UNKNOWN
    STRETCH_CORRUPT
    STRETCH_CUT

STRETCH_KINDS = ("unknown", "corrupt", "cut_off")

REASONS = {
    REASON_ID: "no packet of this file has such an id",
    REASON_LENGTH: "impossible length of a packet",
    REASON_PAST_END: "packet runs past the end of the data",
    REASON_SWALLOWED: "wrong length of a packet: others begin inside",
    REASON_STRAY: "too few bytes for a word",
    REASON_ZEROS: "words of zero",
    REASON_ZEROED: "zeros in place of records",
    REASON_TRACE_LENGTH: "trace longer than its packet",
    REASON_CARD: "trace of a card or input that the header does not have",
    REASON_CONTENT: "impossible contents of a packet",
    REASON_TRAILER: "a mark in the packet is missing",
}

KINDS = {
    "unknown": KIND_UNKNOWN,
    "header": KIND_HEADER,
    "record": KIND_RECORD,
    "histogram": KIND_HISTOGRAM,
    "listener_config": KIND_LISTENER_CONFIG,
    "waveform": KIND_WAVEFORM,
    "fcio": KIND_FCIO,
    "sis3302": KIND_SIS3302,
    "sis3316": KIND_SIS3316,
    "gretina4m": KIND_GRETINA4M,
    "gretina4a": KIND_GRETINA4A,
    "sis3305": KIND_SIS3305,
    "sis3320": KIND_SIS3320,
    "v1730": KIND_V1730,
    "v1724": KIND_V1724,
    "v1720": KIND_V1720,
    "v1721": KIND_V1721,
    "dt5725": KIND_DT5725,
    "dt5720": KIND_DT5720,
}
"""What a packet can be, by name."""


cdef struct Card:
    int listener            # number of its listener; -1: no such card
    uint32_t address
    float dt
    bint adopted            # the header lacks it
    int16_t sinks[N_SPLITS][N_INPUTS]
    int64_t skipped[N_SPLITS][N_INPUTS]

cdef struct Listener:
    uint32_t fcid
    bint configured
    int32_t gps
    int n_enabled
    float dt
    int n_map
    uint32_t map[MAX_TRACES]


cdef class OrcaStream:
    """State of one ORCA file, and where its rows go.

    Attributes
    ----------
    packet_id
        number of the last packet; the header of the file is 0.
    consumed, need
        as in :class:`~daq2lh5.fc._kernel.FcioKernel`.
    detail_slot, detail_start, detail_words
        the packet that Python is to look at: number of its decoder, where it is in the
        window, its length.
    detail_samples
        samples of a trace: its buffer has another number, or Python is to say where to
        write it.
    detail_key
        its key.
    n_short
        packets that lack up to three bytes of padding at their ends.
    n_bad_events, n_cut_events, n_too_many
        events of digitizers that cannot be used, packets with a part of one at their
        ends, and traces of more lengths than there can be tables.
    adopted
        places of FlashCam cards that traces came from and the header does not have, as
        ``(crate, slot)``.
    """

    cdef Ids ids
    cdef Card* cards
    # those of the header, and one for cards without a known listener
    cdef Listener* listeners
    cdef int n_listeners
    # ids of those of which a configuration was read
    cdef set settled
    cdef tuple tables
    cdef RowSink* sinks[N_TABLES]
    cdef int16_t channel_sinks[N_DIGITIZERS][N_CHANNELS]
    cdef int32_t averages[N_CHANNELS]
    cdef float periods[N_DIGITIZERS][N_CHANNELS]
    # events of the current packet that are not selected
    cdef int64_t n_unwanted
    cdef readonly int64_t n_short
    cdef readonly int64_t n_bad_events
    cdef readonly int64_t n_cut_events
    cdef readonly int64_t n_too_many
    cdef dict streams
    cdef FcioKernel current
    cdef int64_t current_id
    cdef bint bound
    cdef int64_t inner
    cdef bint written

    cdef public int64_t packet_id
    cdef readonly int64_t consumed
    cdef readonly int64_t need
    cdef readonly int64_t n_packets
    cdef readonly bint any_full
    cdef public int64_t rows_left
    cdef readonly int detail_slot
    cdef readonly int64_t detail_start
    cdef readonly int64_t detail_words
    cdef readonly int64_t detail_samples
    cdef readonly int64_t detail_key
    cdef int16_t* detail_route
    cdef int detail_table
    cdef int64_t detail_sink

    # by slot, of packets that were decoded and skipped
    cdef int64_t packets_done[2][N_LONG_IDS]
    cdef int64_t bytes_done[2][N_LONG_IDS]
    cdef readonly int64_t n_wrong_addresses
    cdef readonly int64_t n_corrected
    cdef int64_t skipped[N_DIGITIZERS][N_CHANNELS]
    # of each table, whether rows were skipped since they were last counted
    cdef bint any_skipped[N_TABLES]
    cdef int n_adopted

    # where the packet is that no other begins in, as far as can be told
    cdef int64_t sound
    # bytes that the packet at hand lacks: another begins there
    cdef int64_t n_missing
    # the packet at hand is to be passed over
    cdef bint condemned
    cdef readonly bint scanning
    cdef int64_t scan_at
    cdef int stretch_kind
    cdef int64_t stretch_start
    cdef int64_t stretch_end
    cdef readonly int stretch_reason
    cdef object stretch_text

    def __cinit__(self):
        self.cards = <Card*>calloc(N_CARDS, sizeof(Card))
        if self.cards == NULL:
            raise MemoryError
        self.tables = (
            new_sink_table(sizeof(ORFlashCamWaveformColumns), bind_or_flash_cam_waveform),
            new_sink_table(sizeof(ORFlashCamWaveformColumns), bind_or_flash_cam_waveform),
            *new_digitizer_tables(),
        )
        memset(self.channel_sinks, 0xFF, sizeof(self.channel_sinks))
        self.streams = {}
        self.settled = set()
        self.current_id = -1
        self.sound = -1
        self.rows_left = -1
        self.set_ids({}, [])
        self.set_listeners([])

    def __dealloc__(self):
        free(self.cards)
        free(self.listeners)

    # ---- what the header says ------------------------------------------------------

    def set_ids(self, slots, kinds):
        """Say which packets there are.

        Parameters
        ----------
        slots
            by id, not shifted: the number of the decoder.
        kinds
            by number: a name of `KINDS`, its `Ids.variant`, and, of records, their
            :class:`~daq2lh5.orca.slow_control.record_shape.Shape`.

        Raises
        ------
        ValueError
            if there are more than `MAX_DECODERS`.
        """
        cdef Py_ssize_t i
        if len(kinds) > N_LONG_IDS:
            msg = f"more than {N_LONG_IDS} decoders"
            raise ValueError(msg)
        for i in range(N_LONG_IDS):
            self.ids.long_slot[i] = -1
        for i in range(N_SHORT_IDS):
            self.ids.short_slot[i] = -1
        for data_id, slot in slots.items():
            if data_id >> 31:
                self.ids.short_slot[data_id >> 26] = slot
            else:
                self.ids.long_slot[data_id >> 18] = slot
        for i, (kind, variant, *shape) in enumerate(kinds):
            self.ids.kind[i] = KINDS[kind]
            self.ids.variant[i] = variant
            if shape:
                self.ids.shapes[i] = c_shape(shape[0])

    def set_swapped(self):
        """Say that the text of later headers has swapped words (format 1.3)."""
        self.ids.is_swapped = True

    def set_listeners(self, listeners, keep=False):
        """Say which FlashCam cards there are.

        Parameters
        ----------
        listeners
            of each its id, the number of inputs in use, and its cards as
            ``(crate, slot, address, sampling period in ns)``.
        keep
            whether earlier configurations stay valid.
        """
        cdef Py_ssize_t i, k
        cdef Listener* before = self.listeners
        cdef int n_before = self.n_listeners
        self.n_listeners = 0
        self.listeners = <Listener*>calloc(len(listeners) + 1, sizeof(Listener))
        if self.listeners == NULL:
            free(before)
            raise MemoryError
        self.n_listeners = len(listeners)
        # configurations hold on when a sub-run begins
        for i in range(self.n_listeners if keep else 0):
            for k in range(n_before):
                if before[k].fcid == listeners[i][0]:
                    self.listeners[i] = before[k]
        free(before)
        if not keep:
            self.settled.clear()
        memset(self.ids.awaited, 0, sizeof(self.ids.awaited))
        self.n_adopted = 0
        for i in range(N_CARDS):
            self.ids.addresses[i] = -1
            self.cards[i].listener = -1
            self.cards[i].adopted = False
            memset(self.cards[i].sinks, 0xFF, sizeof(self.cards[i].sinks))
        for i, (fcid, n_enabled, cards) in enumerate(listeners):
            self.listeners[i].fcid = fcid
            self.listeners[i].n_enabled = n_enabled
            self.ids.awaited[fcid & 0xFFFF] = fcid not in self.settled
            for crate, slot, address, period in cards:
                if 0 <= crate < 32 and 0 <= slot < 32:
                    k = crate * 32 + slot
                    self.cards[k].listener = i
                    self.cards[k].address = address & 0xFFFF
                    self.ids.addresses[k] = address & 0xFFFF
                    self.cards[k].dt = period

    def start_run(self):
        """Forget the FCIO streams: another run begins."""
        self.streams = {}
        self.current_id = -1

    def settle(self, fcid):
        """Say that a configuration of a listener was read."""
        self.settled.add(fcid)
        self.ids.awaited[fcid & 0xFFFF] = False

    def configure(self, fcid, int32_t gps, float period, tracemap):
        """Use the configuration that a listener has sent."""
        cdef Py_ssize_t i, k
        self.settle(fcid)
        if fcid not in [self.listeners[i].fcid for i in range(self.n_listeners)]:
            self.add_listener(fcid, len(tracemap))
        for i in range(self.n_listeners):
            if self.listeners[i].fcid != fcid:
                continue
            self.listeners[i].configured = True
            self.listeners[i].gps = gps
            self.listeners[i].dt = period
            self.listeners[i].n_map = min(len(tracemap), MAX_TRACES)
            for k in range(self.listeners[i].n_map):
                self.listeners[i].map[k] = tracemap[k]

    cdef int add_listener(self, uint32_t fcid, int n_enabled) except -1:
        """Add a listener that the header lacks."""
        cdef Py_ssize_t i
        cdef int last = self.n_listeners
        cdef Listener* more = <Listener*>realloc(
            self.listeners, (last + 2) * sizeof(Listener)
        )
        if more == NULL:
            raise MemoryError
        self.listeners = more
        # (the last one stays that of cards without a listener)
        more[last + 1] = more[last]
        for i in range(N_CARDS):
            if self.cards[i].listener == last:
                self.cards[i].listener = last + 1
        more[last].fcid = fcid
        more[last].n_enabled = n_enabled
        self.n_listeners += 1
        return 0

    def set_buffers(self, int split, keyed, siblings):
        """Say which buffers take the traces of one of the decoders, by key.

        None for a key means that nobody wants its traces; those of a key that is not
        there stop the kernel. What `siblings` returns for each buffer takes the traces
        of other lengths.
        """
        cdef Py_ssize_t i, k
        cdef Card* card
        cdef SinkTable table = self.tables[split]
        places = {}
        buffers = []
        for i in range(N_CARDS):
            card = &self.cards[i]
            for k in range(N_INPUTS):
                card.sinks[split][k] = ASK
                if card.listener < 0:
                    continue
                key = self.key_of(card, k)
                if key not in keyed:
                    continue
                buffer = keyed[key]
                if buffer is None:
                    card.sinks[split][k] = NOWHERE
                    continue
                if id(buffer) not in places:
                    places[id(buffer)] = len(buffers)
                    buffers.append(buffer)
                card.sinks[split][k] = places[id(buffer)]
        set_siblings(table, buffers, siblings)

    cdef int64_t key_of(self, const Card* card, int64_t input) noexcept nogil:
        return (
            <int64_t>self.listeners[card.listener].fcid * 1000000
            + <int64_t>card.address * 100 + input
        )

    def set_averages(self, words):
        """Say how many words the moving averages of SIS3316 events have, by key."""
        memset(self.averages, 0, sizeof(self.averages))
        for key, n in words.items():
            if 0 <= key < N_CHANNELS:
                self.averages[key] = min(max(n, 0), 0xFFE)

    def set_channel_buffers(self, kind, keyed, siblings, periods):
        """Say which buffers take the events of a kind of digitizer, by key.

        That of the key None takes those of channels that have none of their own.
        Otherwise, and with what `siblings` returns, it is as for `set_buffers`.
        Sampling periods are `periods`, in ns by key.
        """
        cdef int number = KINDS[kind] - KIND_SIS3302
        cdef SinkTable table = self.tables[N_SPLITS + number]
        cdef int16_t place
        cdef int i
        cdef float period = periods.get(None, NAN)
        buffers = list(
            {id(buffer): buffer for buffer in keyed.values() if buffer is not None}
            .values()
        )
        places = {id(buffer): i for i, buffer in enumerate(buffers)}
        place = places.get(id(keyed[None]), NOWHERE) if None in keyed else ASK
        for i in range(N_CHANNELS):
            self.channel_sinks[number][i] = place
            self.periods[number][i] = period
        for key, buffer in keyed.items():
            if key is not None and 0 <= key < N_CHANNELS:
                self.channel_sinks[number][key] = places.get(id(buffer), NOWHERE)
        for key, value in periods.items():
            if key is not None and 0 <= key < N_CHANNELS:
                self.periods[number][key] = value
        set_siblings(table, buffers, siblings)

    def add_stream(self, stream_id, FcioKernel stream):
        """Have the records of a stream decoded by `stream`."""
        self.streams[stream_id] = stream

    def give(self, buffer, float period=NAN):
        """Give rows of `detail_key` to a buffer; None if they are not selected.

        Parameters
        ----------
        buffer
            the buffer.
        period
            sampling period of a digitizer's channel in ns.
        """
        cdef SinkTable table = self.tables[self.detail_table]
        cdef Py_ssize_t place = NOWHERE
        if buffer is not None:
            place = table.place_of(buffer)
            self.sinks[self.detail_table] = table.sinks
        self.detail_route[0] = place if place <= MAX_PLACE else NOWHERE
        if self.detail_table >= N_SPLITS:
            self.periods[self.detail_table - N_SPLITS][self.detail_key] = period

    def remove_stream(self, stream_id):
        """Remove a stream until its next configuration."""
        self.streams.pop(stream_id, None)
        self.current_id = -1

    # ---- the loop ------------------------------------------------------------------

    def begin(self):
        """Bind the buffers; until `end` nobody else may touch them."""
        cdef SinkTable table
        cdef int t
        for t in range(N_TABLES):
            table = self.tables[t]
            table.acquire()
            self.sinks[t] = table.sinks

    def end(self):
        """Write back how far the buffers are filled, and let go of them."""
        cdef SinkTable table
        cdef int t
        if self.bound:
            self.current.end()
            self.bound = False
        for t in range(N_TABLES):
            table = self.tables[t]
            table.release()
            self.sinks[t] = NULL

    def decode(
        self, const uint8_t[::1] window, int64_t base, left, bint at_end,
        int64_t max_packets,
    ):
        """Decode the packets in a window of the file.

        Parameters and return value are those of
        :meth:`daq2lh5.fc._kernel.FcioKernel.decode`. With `HEADER` Python is to look
        at the packet of `detail_slot`, and to call `pass_over` when it is done.
        """
        cdef Status status
        cdef Window w
        w.data = &window[0] if window.shape[0] else NULL
        w.n = window.shape[0]
        w.base = base
        w.left = -1 if left is None else left
        w.at_end = at_end
        self.any_full = False
        self.n_packets = 0
        self.consumed = 0
        self.need = 0
        while True:
            with nogil:
                status = self.run(&w, max_packets)
            if status == STATUS_HEADER and self.ids.kind[self.detail_slot] == KIND_FCIO:
                status = self.records(w.data)
                if status == STATUS_END:
                    continue
            elif self.provide(status):
                continue
            return <int>status

    cdef Status run(self, const Window* w, int64_t max_packets) noexcept nogil:
        cdef Status status
        cdef Packet p
        cdef Reason reason
        cdef Found found
        cdef int64_t end
        while True:
            if self.scanning:
                status = self.scan(w)
                if status != STATUS_LIMIT:
                    return status
                continue
            if self.condemned:
                return self.pass_condemned(w)
            if self.any_full:
                return STATUS_FULL
            if self.n_packets >= max_packets or self.rows_left == 0:
                return STATUS_LIMIT
            if self.consumed == w.n and w.at_end:
                return STATUS_END
            found = packet_at(w, &self.ids, self.consumed, &p, &reason, &self.need)
            if found == FOUND_MORE:
                return STATUS_MORE
            if found == FOUND_NO:
                self.start_scan(w.base, reason)
                continue
            end = p.start + 4 * p.n_words
            if end > w.n:
                if w.at_end:
                    self.start_scan(w.base, REASON_PAST_END)
                    continue
                self.need = end
                return STATUS_MORE
            if self.sound != w.base + p.start:
                status = self.inspect(w, &p)
                if status == STATUS_MORE or status == STATUS_SKIPPED:
                    return status
                if self.scanning:
                    continue
                self.sound = w.base + p.start
            if p.kind == KIND_UNKNOWN:
                self.done(&p, False)
                continue
            if p.kind == KIND_WAVEFORM or p.kind >= KIND_SIS3302:
                if p.kind == KIND_WAVEFORM:
                    status = self.waveform(w.data, &p)
                else:
                    status = self.digitizer(w.data, &p)
                if status != STATUS_LIMIT:
                    return status
                continue
            self.show(&p)
            return STATUS_HEADER

    cdef Status inspect(self, const Window* w, const Packet* p) noexcept nogil:
        """Make sure that a packet does not hide others (format 1.7 a).

        Where no packet follows one, its length may be wrong.
        """
        cdef Found found
        cdef bint strict
        cdef int64_t end = p.start + 4 * p.n_words
        cdef int64_t where, inside
        if (w.at_end and end == w.n) or w.left == end:
            return STATUS_LIMIT
        if p.kind == KIND_HEADER:
            # it may bring other ids
            found = FOUND_YES if ends_well(w, &self.ids, p) else FOUND_NO
        else:
            found = goes_on(w, &self.ids, end, &self.need)
        if found == FOUND_MORE:
            return STATUS_MORE
        if found == FOUND_YES:
            if (
                p.kind != KIND_RECORD and p.kind < KIND_SIS3302
                or looks_right(w, &self.ids, p)
            ):
                return STATUS_LIMIT
            # one of another length than its kind has, or its contents say, may hide
            # packets
            found = find_hidden(w, &self.ids, p.start, &where, &self.need)
            if found == FOUND_MORE:
                return STATUS_MORE
            if found == FOUND_NO:
                return STATUS_LIMIT
            self.stretch_start = w.base + p.start
            self.stretch_reason = REASON_SWALLOWED
            return self.finish_scan(w.base, where, STRETCH_CORRUPT)
        if p.kind != KIND_UNKNOWN and not looks_right(w, &self.ids, p):
            self.start_scan(w.base, REASON_CONTENT)
            return STATUS_LIMIT
        found = runs_into_zeros(w, &self.ids, p, &self.need)
        if found == FOUND_MORE:
            return STATUS_MORE
        if found == FOUND_YES:
            self.start_scan(w.base, REASON_ZEROED)
            return STATUS_LIMIT
        # one whose length is as its contents say is given up for good reason only
        strict = can_look_wrong(&self.ids, p)
        where = p.start
        while True:
            found = find_packet(
                w, &self.ids, where + 1, end, strict, &where, &self.need
            )
            if found == FOUND_MORE:
                return STATUS_MORE
            if found == FOUND_NO:
                return STATUS_LIMIT
            # one that hides others has a wrong length itself
            inside = where
            found = find_hidden(w, &self.ids, where, &inside, &self.need)
            if found == FOUND_MORE:
                return STATUS_MORE
            if found == FOUND_NO:
                break
        if p.kind == KIND_FCIO and end_of_records(w, p) <= where:
            # both are whole: only bytes that fill up the last word are missing
            self.n_missing = end - where
            return STATUS_LIMIT
        self.stretch_start = w.base + p.start
        self.stretch_reason = REASON_SWALLOWED
        return self.finish_scan(w.base, where, STRETCH_CORRUPT)

    cdef void show(self, const Packet* p) noexcept nogil:
        """Leave a packet to Python."""
        self.detail_slot = p.slot
        self.detail_start = p.start
        self.detail_words = p.n_words

    cdef void done(self, const Packet* p, bint decoded) noexcept nogil:
        """Count a packet, and go on behind it."""
        cdef int fate = 0 if decoded else 1
        cdef int64_t n = 4 * p.n_words - self.n_missing
        self.packets_done[fate][p.slot] += 1
        self.bytes_done[fate][p.slot] += n
        self.packet_id += 1
        self.n_packets += 1
        self.consumed = p.start + n
        if self.n_missing:
            self.n_short += 1
            self.n_missing = 0

    def pass_over(self, bint decoded):
        """Go on behind the packet that Python was to look at."""
        cdef Packet p
        p.slot = self.detail_slot
        p.start = self.detail_start
        p.n_words = self.detail_words
        self.inner = 0
        self.done(&p, decoded)

    def reject(self, reason):
        """Take the packet that Python was to look at for damaged."""
        cdef Packet p
        p.start = self.detail_start
        p.n_words = self.detail_words
        self.stretch_text = reason
        self.inner = 0
        self.bad(&p, REASON_CONTENT)

    cdef Status bad(self, const Packet* p, Reason reason) noexcept nogil:
        """Have a packet with impossible contents passed over."""
        self.condemned = True
        self.detail_start = p.start
        self.detail_words = p.n_words
        self.stretch_reason = reason
        return STATUS_LIMIT

    cdef Status pass_condemned(self, const Window* w) noexcept nogil:
        """Pass over a packet, or what is before the first that begins inside of it."""
        cdef int64_t end = self.consumed + 4 * self.detail_words - self.n_missing
        cdef int64_t where = self.consumed
        cdef Found found = FOUND_YES
        # where packets follow, others inside of this one must end where they begin, or
        # be beyond doubt
        cdef Found after = FOUND_YES
        if end < w.n or not w.at_end:
            after = chain_at(w, &self.ids, end, False, &self.need)
        if after == FOUND_MORE:
            return STATUS_MORE
        while found == FOUND_YES:
            found = find_packet(
                w, &self.ids, where + 1, end, False, &where, &self.need
            )
            if found == FOUND_MORE:
                return STATUS_MORE
            if found == FOUND_YES and (
                after == FOUND_NO
                or packets_until(w, &self.ids, where, end)
                or is_enough(w, &self.ids, where, end)
            ):
                break
        self.condemned = False
        self.n_missing = 0
        self.stretch_start = w.base + self.consumed
        if found == FOUND_NO:
            self.packet_id += 1
            self.n_packets += 1
            where = end
        return self.finish_scan(w.base, where, STRETCH_CORRUPT)

    # ---- records of FCIO -----------------------------------------------------------

    cdef Status records(self, const uint8_t* data) except *:
        """Decode the packet at hand, if its stream is known (format 4.4)."""
        cdef const uint8_t* packet = data + self.detail_start
        cdef int64_t head = 12
        cdef int64_t n, done, begin
        cdef uint32_t stream_id
        cdef Status status
        cdef FcioKernel stream
        if load_u32(packet) & 0x3FFFF:
            head = 8
        n = 4 * self.detail_words - head
        if n < 4 or fcio_records(
            packet + head, n, self.ids.variant[self.detail_slot], &begin
        ) == FOUND_NO:
            self.reject("a packet without a record of its kind")
            return STATUS_END
        stream_id = load_u32(packet + head - 4)
        if stream_id != self.current_id or not self.bound:
            if stream_id not in self.streams:
                return STATUS_HEADER
            # streams may share buffers: only one has them at a time
            if self.bound:
                self.current.end()
            self.current = self.streams[stream_id]
            self.current_id = stream_id
            self.current.begin()
            self.bound = True
        stream = self.current
        # what was done of it before a configuration counts
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
            return STATUS_END
        if status == STATUS_HEADER and not stream.header_is_config:
            # settings of the stream processor alone
            return STATUS_END
        if status == STATUS_SKIPPED:
            if stream.damage_fate == FATE_UNKNOWN:
                return STATUS_END
            self.reject(stream.describe_damage())
            return STATUS_END
        return status

    # ---- traces of the first generation --------------------------------------------

    cdef Status waveform(
        self, const uint8_t* data, const Packet* p
    ) noexcept nogil:
        """Write the row of one trace (format 4.3.3)."""
        cdef Packet q = as_long(p)
        cdef const uint8_t* w = data + q.start
        cdef int split = self.ids.variant[p.slot]
        cdef uint32_t word1, word2, oh, fh, ns, input, trace, address, other, written
        cdef Card* card
        cdef Card* place
        cdef Listener* l
        cdef RowSink* sink
        cdef ORFlashCamWaveformColumns* c
        cdef int index
        if q.n_words < 18:
            return self.bad(p, REASON_CONTENT)
        word1 = load_u32(w + 4)
        word2 = load_u32(w + 8)
        oh = word1 >> 28
        fh = (word1 >> 22) & 0x3F
        ns = (word1 >> 6) & 0xFFFF
        if oh == 0:
            if is_zeroed(w + 8, 16):
                return self.bad(p, REASON_ZEROED)
            # so written for some days in March 2023
            oh = 3
            fh = 17
            ns = <uint32_t>(2 * max(q.n_words - 20, 0))
        if (fh != 17 and fh != 15) or oh < 3:
            return self.bad(p, REASON_CONTENT)
        if ns % 2 or <int64_t>oh + fh + ns // 2 > q.n_words or (
            # a trace that is left out has its room all the same
            ns and oh + fh + ns // 2 != q.n_words
        ):
            return self.bad(p, REASON_TRACE_LENGTH)
        card = &self.cards[word2 >> 22]
        if card.listener < 0 and not self.adopt(card, word2, split):
            return self.bad(p, REASON_CARD)
        l = &self.listeners[card.listener]
        place = card
        address = card.address
        input_of(word2, split, &input, &trace)
        written = input
        if l.configured:
            if not in_map(l, trace, address, input):
                # one version wrote the other split under this name
                input_of(word2, 1 - split, &input, &other)
                if in_map(l, other, address, input):
                    trace = other
                    written = input
            if trace >= <uint32_t>l.n_map:
                return self.bad(p, REASON_CARD)
            place = self.card_at(card, l.map[trace] >> 16)
            input = l.map[trace] & 0xFFFF
        if input >= N_INPUTS:
            return self.bad(p, REASON_CARD)
        index = place.sinks[split][input]
        if index == ASK:
            self.show(p)
            self.detail_key = self.key_of(place, input)
            self.detail_samples = ns
            self.detail_route = &place.sinks[split][input]
            return self.lacks(STATUS_KEY, split, -1)
        if index == NOWHERE:
            place.skipped[split][input] += 1
            self.any_skipped[split] = True
            self.done(p, False)
            return STATUS_LIMIT
        while True:
            sink = &self.sinks[split][index]
            if sink.capacity == 0:
                return self.lacks(STATUS_ALLOCATE, split, index)
            c = <ORFlashCamWaveformColumns*>sink.columns
            if ns == 0 or c.waveform.width < 0 or c.waveform.width == <Py_ssize_t>ns:
                break
            index = <int>sink.overflow_sink
            if index < 0:
                self.show(p)
                self.detail_samples = ns
                self.detail_key = self.key_of(place, input)
                return self.lacks(STATUS_WIDTH, split, place.sinks[split][input])
        if sink.loc >= sink.capacity:
            return self.lacks(STATUS_FULL, split, index)
        if load_i32(w + 4 * (oh + fh - 2)) == -1:
            return self.bad(p, REASON_CONTENT)
        other = (word2 >> 14) & 0xFF
        if not is_byte_of(other, address):
            self.n_wrong_addresses += 1
            address = other << 4
        if l.configured and (l.map[trace] >> 16 != address or input != written):
            self.n_corrected += 1
            address = l.map[trace] >> 16
        or_flash_cam_waveform_set_packet_id(c, sink.loc, <uint32_t>(self.packet_id + 1))
        or_flash_cam_waveform_set_event_type(c, sink.loc, <uint8_t>(word1 & 0x1F))
        or_flash_cam_waveform_set_fcid(c, sink.loc, <uint8_t>l.fcid)
        or_flash_cam_waveform_set_crate(c, sink.loc, <uint8_t>(word2 >> 27))
        or_flash_cam_waveform_set_slot(c, sink.loc, <uint8_t>((word2 >> 22) & 0x1F))
        or_flash_cam_waveform_set_board_id(c, sink.loc, <uint16_t>address)
        or_flash_cam_waveform_set_fc_input(c, sink.loc, <uint8_t>input)
        or_flash_cam_waveform_set_channel(c, sink.loc, <uint16_t>trace)
        write_times(
            c, sink.loc, w + 4 * oh, <int>fh, l, l.dt if l.configured else card.dt
        )
        if c.waveform.values != NULL:
            if ns:
                memcpy(
                    c.waveform.values + sink.loc * c.waveform.step,
                    w + 4 * (oh + fh), 2 * <size_t>ns,
                )
            else:
                memset(
                    c.waveform.values + sink.loc * c.waveform.step, 0,
                    2 * <size_t>c.waveform.width,
                )
        sink.loc += 1
        if sink.capacity - sink.loc < sink.fill_safety:
            self.any_full = True
        if self.rows_left > 0:
            self.rows_left -= 1
        self.done(p, True)
        return STATUS_LIMIT

    # ---- digitizers ----------------------------------------------------------------

    cdef Status digitizer(
        self, const uint8_t* data, const Packet* p
    ) noexcept nogil:
        """Write a row for each event of a packet."""
        cdef Packet q = as_long(p)
        cdef const uint8_t* w = data + q.start
        cdef int number = p.kind - KIND_SIS3302
        cdef int table = N_SPLITS + number
        cdef int64_t width
        cdef bint shorter
        cdef Event e
        cdef RowSink* sink
        cdef int index
        e.next = 0
        while next_event(w, &q, self.averages, &e):
            # `inner` counts the events that are done
            if e.number < self.inner:
                continue
            if e.reason != REASON_NONE:
                if e.last:
                    self.inner = 0
                    self.written = False
                    self.n_unwanted = 0
                    return self.bad(p, e.reason)
                self.n_bad_events += 1
                self.inner = e.number + 1
                continue
            index = self.channel_sinks[number][e.key]
            if index == ASK:
                self.show(p)
                self.detail_key = e.key
                self.detail_samples = e.n_samples
                self.detail_route = &self.channel_sinks[number][e.key]
                return self.lacks(STATUS_KEY, table, -1)
            if index == NOWHERE:
                self.skipped[number][e.key] += 1
                self.any_skipped[table] = True
                self.n_unwanted += 1
            else:
                e.period = self.periods[number][e.key]
                shorter = e.n_samples == 0 or not e.exact
                while True:
                    sink = &self.sinks[table][index]
                    if sink.capacity == 0:
                        return self.lacks(STATUS_ALLOCATE, table, index)
                    width = samples_per_row(number, sink.columns)
                    if width < 0 or width == e.n_samples or (
                        shorter and width > e.n_samples
                    ):
                        break
                    # those of one length alone stand in
                    shorter = False
                    index = <int>sink.overflow_sink
                    if index < 0:
                        self.show(p)
                        self.detail_samples = e.n_samples
                        self.detail_key = e.key
                        index = self.channel_sinks[number][e.key]
                        return self.lacks(STATUS_WIDTH, table, index)
                if sink.loc >= sink.capacity:
                    return self.lacks(STATUS_FULL, table, index)
                if not row_has_room(number, sink.columns, sink.loc, &e):
                    sink.need = e.n_extra
                    return self.lacks(STATUS_GROW, table, index)
                write_event(number, sink.columns, sink.loc, self.packet_id + 1, w, &e)
                sink.loc += 1
                if sink.capacity - sink.loc < sink.fill_safety:
                    self.any_full = True
                if self.rows_left > 0:
                    self.rows_left -= 1
                self.written = True
            self.inner = e.number + 1
            if e.last or self.rows_left == 0:
                break
        if e.cut:
            self.n_cut_events += 1
        self.inner = 0
        # events that cannot be used are counted by themselves
        self.done(p, self.written or not self.n_unwanted)
        self.written = False
        self.n_unwanted = 0
        return STATUS_LIMIT

    @staticmethod
    def decode_one(decoder, packet, int64_t packet_id, buffers):
        """Decode a single packet into the buffers of a :class:`.RawBufferList`.

        Returns
        -------
        any_full
            whether a buffer is full.

        Raises
        ------
        ValueError
            if the packet is damaged, or does not fit the buffers.
        """
        from .orca_flashcam import listeners_of
        cdef OrcaStream stream = OrcaStream()
        data_id = int(packet[0]) & 0xFFFC0000
        stream.set_ids({data_id: 1}, [("header", 0), (decoder.kind, decoder.variant)])
        keyed = buffers.get_keyed_dict()
        if decoder.kind == "waveform":
            stream.set_listeners(
                [
                    (x.fcid, len(x.keys), x.cards)
                    for x in listeners_of(decoder.header)
                ]
            )
            for configuration in decoder.header.configurations.values():
                stream.configure(*configuration)
            stream.set_buffers(decoder.variant, keyed, no_siblings)
        else:
            stream.set_channel_buffers(
                decoder.kind, keyed, no_siblings, decoder.periods()
            )
            stream.set_averages(getattr(decoder, "maw_words", {}))
        stream.packet_id = packet_id - 1
        data = packet.tobytes()
        stream.begin()
        try:
            status = stream.decode(data, 0, len(data), True, 1)
        finally:
            stream.end()
        if status == STATUS_SKIPPED:
            raise ValueError(f"packet {packet_id}: {stream.stretch[3]}")
        if status == STATUS_KEY:
            # no buffer asks for it
            return False
        if status == STATUS_WIDTH:
            if decoder.fit(stream.detail_buffer, stream.detail_samples):
                return OrcaStream.decode_one(decoder, packet, packet_id, buffers)
            raise ValueError(
                f"packet {packet_id}: trace of {stream.detail_samples} samples does "
                "not fit the buffer"
            )
        if not stream.n_packets:
            raise ValueError(f"packet {packet_id} does not fit the buffer")
        return bool(stream.any_full)

    def skip_trace(self):
        """Skip the trace that the kernel stopped for: there is no table for it."""
        self.n_too_many += 1
        if self.ids.kind[self.detail_slot] == KIND_WAVEFORM:
            self.reject("a trace of more lengths than there can be tables")
        else:
            self.inner += 1

    cdef bint adopt(self, Card* card, uint32_t word2, int split) noexcept nogil:
        """Find the listener of a card that the header lacks, or has elsewhere.

        From the trace maps if there are any, or from a card with that address elsewhere.
        Of others only a byte of the address is known (format 4.3.3); False if
        impossible.
        """
        cdef uint32_t byte = (word2 >> 14) & 0xFF
        cdef uint32_t input, trace
        cdef bint configured = False
        cdef Listener* l
        cdef int i
        input_of(word2, split, &input, &trace)
        for i in range(self.n_listeners):
            l = &self.listeners[i]
            configured |= l.configured
            if l.configured and trace < <uint32_t>l.n_map and (
                l.map[trace] & 0xFFFF == input and is_byte_of(byte, l.map[trace] >> 16)
            ):
                card.listener = i
                card.address = l.map[trace] >> 16
                card.dt = l.dt
                card.adopted = True
                self.n_adopted += 1
                return True
        if configured:
            return False
        card.listener = 0 if self.n_listeners == 1 else self.n_listeners
        card.address = byte << 4
        card.dt = NAN
        for i in range(N_CARDS):
            if self.cards[i].listener >= 0 and not self.cards[i].adopted and (
                &self.cards[i] != card and is_byte_of(byte, self.cards[i].address)
            ):
                card.listener = self.cards[i].listener
                card.address = self.cards[i].address
                card.dt = self.cards[i].dt
                break
        card.adopted = True
        self.n_adopted += 1
        return True

    cdef Card* card_at(self, Card* card, uint32_t address) noexcept nogil:
        """Return the card of the same listener that has an address, if there is one."""
        cdef int k
        if card.address == address:
            return card
        for k in range(N_CARDS):
            if self.cards[k].listener == card.listener and (
                self.cards[k].address == address
            ):
                return &self.cards[k]
        return card

    cdef Status lacks(self, Status status, int table, int64_t sink) noexcept nogil:
        self.detail_table = table
        self.detail_sink = sink
        return status

    @property
    def detail_buffer(self):
        """The buffer that a trace does not fit."""
        cdef SinkTable table = self.tables[self.detail_table]
        return table.buffers[self.detail_sink]

    cdef bint provide(self, Status status) except -1:
        """Get memory that the kernel lacks; False if that is not what it stopped for."""
        cdef SinkTable table
        if status == STATUS_FULL and not self.any_full:
            self.any_full = True
            return False
        if status != STATUS_ALLOCATE and status != STATUS_GROW:
            return False
        table = self.tables[self.detail_table]
        table.unbind(self.detail_sink)
        if status == STATUS_GROW:
            need = self.sinks[self.detail_table][self.detail_sink].need
            table.buffers[self.detail_sink].grow(need)
        else:
            table.buffers[self.detail_sink].arrays()
        table.bind_one(self.detail_sink)
        return True

    # ---- passing over what is no packet --------------------------------------------

    cdef void start_scan(self, int64_t base, Reason reason) noexcept nogil:
        self.scanning = True
        self.stretch_start = base + self.consumed
        self.scan_at = self.stretch_start + (0 if reason == REASON_ZEROS else 1)
        self.stretch_reason = reason

    cdef Status finish_scan(self, int64_t base, int64_t end, int kind) noexcept nogil:
        self.scanning = False
        self.stretch_kind = kind
        self.stretch_end = base + end
        self.consumed = end
        return STATUS_SKIPPED

    cdef Status scan(self, const Window* w) noexcept nogil:
        """Look for the next packet (format 1.7)."""
        cdef int64_t at = self.scan_at - w.base
        cdef int64_t where = at
        cdef bint many
        cdef Found found
        if self.stretch_reason == REASON_ZEROS:
            # a short block of zero words is no damage (format 7.4)
            while w.n - at >= 4 and load_u32(w.data + at) == 0:
                at += 4
            many = w.base + at - self.stretch_start > 4 * MAX_ZERO_WORDS
            found = FOUND_MORE
            if w.n - at < 4 and not w.at_end:
                self.need = at + 4
            elif w.n == at:
                if many:
                    self.stretch_reason = REASON_ZEROED
                return self.finish_scan(
                    w.base, at, STRETCH_CUT if many else STRETCH_UNKNOWN
                )
            else:
                found = self.after_zeros(w, at, &where)
            if found == FOUND_MORE:
                self.scan_at = w.base + at
                self.consumed = max(self.consumed, at - 3)
                return STATUS_MORE
            if many:
                self.stretch_reason = REASON_ZEROED
            if found == FOUND_YES:
                if many or where < at:
                    return self.finish_scan(w.base, where, STRETCH_CORRUPT)
                return self.finish_scan(w.base, at, STRETCH_UNKNOWN)
        found = find_packet(w, &self.ids, at, w.n, False, &where, &self.need)
        if found == FOUND_YES:
            # the first behind damage is in doubt, unless its contents speak for it
            if is_enough(w, &self.ids, where, w.n):
                return self.finish_scan(w.base, where, STRETCH_CORRUPT)
            found = find_hidden(w, &self.ids, where, &where, &self.need)
            if found != FOUND_MORE:
                return self.finish_scan(w.base, where, STRETCH_CORRUPT)
        if found == FOUND_MORE:
            self.scan_at = w.base + where
            self.consumed = where
            return STATUS_MORE
        if self.stretch_reason in (REASON_PAST_END, REASON_STRAY) or (
            self.stretch_reason == REASON_ZEROED and w.n and w.data[w.n - 1] == 0
        ):
            return self.finish_scan(w.base, w.n, STRETCH_CUT)
        return self.finish_scan(w.base, w.n, STRETCH_CORRUPT)

    cdef Found after_zeros(
        self, const Window* w, int64_t at, int64_t* where
    ) noexcept nogil:
        """Look for the packet behind a block of zeros that ends at `at`.

        A packet may begin with zeros too, and then the block seems to end later.
        """
        cdef Packet p
        cdef Reason reason
        cdef Found found
        where[0] = at
        found = chain_at(w, &self.ids, at, False, &self.need)
        if found == FOUND_NO:
            found = find_packet(
                w, &self.ids, max(at - 3, self.stretch_start - w.base + 1), at,
                False, where, &self.need,
            )
        if found == FOUND_NO:
            where[0] = at
            found = packet_at(w, &self.ids, at, &p, &reason, &self.need)
            if found == FOUND_NO:
                self.stretch_reason = reason
        return found

    # ---- what Python asks for ------------------------------------------------------

    def counts(self, int slot):
        """Return the packets and bytes of a decoder: decoded and skipped of each."""
        return (
            (self.packets_done[0][slot], self.packets_done[1][slot]),
            (self.bytes_done[0][slot], self.bytes_done[1][slot]),
        )

    def skipped_channels(self, kind, int split):
        """Return the number of unselected rows of a decoder by key.

        For FlashCam, since the last call: a later header may have other cards there.
        """
        cdef int i, k
        cdef int number
        counts = {}
        number = KINDS[kind] - KIND_SIS3302
        i = split if kind == "waveform" else N_SPLITS + number
        if not self.any_skipped[i]:
            return counts
        if kind == "waveform":
            self.any_skipped[i] = False
            for i in range(N_CARDS):
                if self.cards[i].listener < 0:
                    continue
                for k in range(N_INPUTS):
                    if self.cards[i].skipped[split][k]:
                        key = self.key_of(&self.cards[i], k)
                        counts[key] = self.cards[i].skipped[split][k]
                        self.cards[i].skipped[split][k] = 0
        else:
            for i in range(N_CHANNELS):
                if self.skipped[number][i]:
                    counts[i] = self.skipped[number][i]
        return counts

    @property
    def adopted(self):
        if not self.n_adopted:
            return []
        return [(i >> 5, i & 31) for i in range(N_CARDS) if self.cards[i].adopted]

    @property
    def stretch(self):
        """The stretch last passed over: ``(start, end, kind, reason)``."""
        text, self.stretch_text = self.stretch_text, None
        return (
            self.stretch_start, self.stretch_end, STRETCH_KINDS[self.stretch_kind],
            text or REASONS[self.stretch_reason],
        )

    MAX_DECODERS = N_LONG_IDS

    END = STATUS_END
    MORE = STATUS_MORE
    LIMIT = STATUS_LIMIT
    FULL = STATUS_FULL
    HEADER = STATUS_HEADER
    SKIPPED = STATUS_SKIPPED
    WIDTH = STATUS_WIDTH
    KEY = STATUS_KEY


def no_siblings(buffer):  # noqa: ARG001
    """Return that nothing stands in for a buffer."""
    return ()


cdef int set_siblings(SinkTable table, buffers, siblings) except -1:
    """Have rows go to `buffers`, and those that do not fit to what stands in for them."""
    cdef Py_ssize_t i, last
    chains = [siblings(buffer) for buffer in buffers]
    table.set_buffers([*buffers, *(rb for chain in chains for rb in chain)])
    cdef Py_ssize_t at = len(buffers)
    for i, chain in enumerate(chains):
        last = i
        for _ in chain:
            table.sinks[last].overflow_sink = last = at
            at += 1
    return 0


cdef Shape c_shape(shape) except *:
    """Return the shape of records as the search wants it."""
    cdef Shape s
    s.least, s.step, s.spare = shape.least, shape.step, shape.spare
    s.count_word, s.count_bit, s.count_mask = shape.count
    s.is_part = shape.is_part
    s.time, s.n_times = shape.time, shape.n_times
    s.clear = shape.clear
    return s


cdef inline Packet as_long(const Packet* p) noexcept nogil:
    """Return the packet without the word that an extended one has more."""
    cdef Packet q = p[0]
    q.start += 4 * (p.head_words - 1)
    q.n_words -= p.head_words - 1
    return q


cdef inline void input_of(
    uint32_t word, int split, uint32_t* input, uint32_t* trace
) noexcept nogil:
    """Split the lowest bits of word 2 in input and trace index."""
    if split == 0:
        input[0] = (word >> 10) & 0xF
        trace[0] = word & 0x3FF
    else:
        input[0] = (word >> 9) & 0x1F
        trace[0] = word & 0x1FF


cdef inline bint is_byte_of(uint32_t byte, uint32_t address) noexcept nogil:
    """Whether a trace has this byte of the address of its card (format 4.3.3)."""
    return byte == (address & 0xFF) or byte == ((address >> 4) & 0xFF)


cdef inline bint in_map(
    const Listener* l, uint32_t trace, uint32_t address, uint32_t input
) noexcept nogil:
    return trace < <uint32_t>l.n_map and l.map[trace] == (address << 16 | input)


cdef void write_times(
    ORFlashCamWaveformColumns* c, int64_t row, const uint8_t* h, int fh,
    const Listener* l, float dt,
) noexcept nogil:
    """Write what the FlashCam header of a trace says, and what follows from it."""
    cdef int n_offsets = fh - 10
    cdef int32_t to[7]
    cdef int32_t dr[5]
    cdef int32_t ts[4]
    cdef double runtime
    cdef int k
    memset(to, 0, sizeof(to))
    for k in range(n_offsets):
        to[k] = load_i32(h + 4 * k)
    for k in range(5):
        dr[k] = load_i32(h + 4 * (n_offsets + k))
    for k in range(4):
        ts[k] = load_i32(h + 4 * (n_offsets + 5 + k))
    or_flash_cam_waveform_set_mu_offset_sec(c, row, to[0])
    or_flash_cam_waveform_set_mu_offset_usec(c, row, to[1])
    or_flash_cam_waveform_set_to_master_sec(c, row, to[2])
    or_flash_cam_waveform_set_delta_mu_usec(c, row, to[3])
    or_flash_cam_waveform_set_abs_delta_mu_usec(c, row, to[4])
    or_flash_cam_waveform_set_to_start_sec(c, row, to[5])
    or_flash_cam_waveform_set_to_start_usec(c, row, to[6])
    or_flash_cam_waveform_set_dr_start_pps(c, row, dr[0])
    or_flash_cam_waveform_set_dr_start_ticks(c, row, dr[1])
    or_flash_cam_waveform_set_dr_stop_pps(c, row, dr[2])
    or_flash_cam_waveform_set_dr_stop_ticks(c, row, dr[3])
    or_flash_cam_waveform_set_dr_maxticks(c, row, dr[4])
    or_flash_cam_waveform_set_eventnumber(c, row, ts[0])
    or_flash_cam_waveform_set_ts_pps(c, row, ts[1])
    or_flash_cam_waveform_set_ts_ticks(c, row, ts[2])
    or_flash_cam_waveform_set_ts_maxticks(c, row, ts[3])
    runtime = <uint32_t>ts[1] + <double><uint32_t>ts[2] / (<int64_t>ts[3] + 1)
    or_flash_cam_waveform_set_runtime(c, row, runtime)
    or_flash_cam_waveform_set_timestamp(
        c, row, runtime + (to[2] if l.gps else to[0] + 1e-6 * to[1])
    )
    or_flash_cam_waveform_set_deadtime(
        c, row,
        <double>(<int64_t>dr[2] - dr[0])
        + <double>(<int64_t>dr[3] - dr[1]) / dr[4] if dr[4] else NAN,
    )
    or_flash_cam_waveform_set_lifetime(c, row, 0)
    or_flash_cam_waveform_set_deadinterval_nsec(c, row, 0)
    or_flash_cam_waveform_set_numtraces(c, row, 1)
    or_flash_cam_waveform_set_dr_ch_idx(c, row, 0)
    or_flash_cam_waveform_set_dr_ch_len(c, row, <uint16_t>l.n_enabled)
    or_flash_cam_waveform_set_baseline(
        c, row, <uint16_t>(load_u32(h + 4 * (fh - 1)) & 0xFFFF)
    )
    or_flash_cam_waveform_set_daqenergy(
        c, row, <uint16_t>(load_u32(h + 4 * (fh - 1)) >> 16)
    )
    (<float*>(c.waveform.t0.data + row * c.waveform.t0.step))[0] = 0
    (<float*>(c.waveform.dt.data + row * c.waveform.dt.step))[0] = dt
