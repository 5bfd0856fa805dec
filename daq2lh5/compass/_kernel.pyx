"""Decode CoMPASS records straight into columns.

One :class:`CompassStream` holds what is known of one file: its layout, the channels
met, and the buffers that take the rows. `CompassStream.decode` runs over a window of
bytes without the interpreter until something needs Python: more bytes, a full buffer, a
channel or a number of samples that is new, a stretch that is no record.

The sections named are those of the CoMPASS format.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

from .._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from .._core.sink cimport RowSink, SinkTable, new_sink_table
from .._core.status cimport *
from ._framing cimport *
from ._wire cimport *

include "_columns.pxi"

cdef enum Target:
    INTO_EVENTS             # waveforms of one length
    INTO_LISTS              # of any
    N_TABLES

cdef enum StretchKind:
    STRETCH_CORRUPT
    STRETCH_CUT

STRETCH_KINDS = ("corrupt", "cut_off")

REASONS = {
    REASON_CHANNEL: "no record: such a channel cannot be",
    REASON_BOARD: "no record: of such a board there is no other one",
    REASON_CHANNELS: f"no record: there are more than {MAX_CHANNELS} channels",
    REASON_SAMPLES: "impossible number of samples",
    REASON_ZEROS: "zeros in place of records",
    REASON_PAST_END: "record runs past the end of the data",
    REASON_INSIDE: "record broken off: the next one begins inside of it",
    REASON_ALONE: "no record follows where this one would end",
}

cdef int64_t MOST_ELEMENTS = 1 << 22
"""Samples in a buffer of lists that are enough to hand it out."""


cdef struct ListColumns:
    CompassRecordColumns fields
    BoundVector values
    BoundColumn t0
    BoundColumn dt


cdef int bind_lists(void* columns, dict arrays, Binding b) except -1:
    cdef ListColumns* c = <ListColumns*>columns
    bind_compass_record(&c.fields, arrays, b)
    # samples that nobody wants are not written anywhere
    b.vector(&c.values, arrays, "waveform/values", "uint16", 1)
    b.column(&c.t0, arrays, "waveform/t0", "float32", 1)
    b.column(&c.dt, arrays, "waveform/dt", "float32", 1)
    return 0


cdef class CompassStream:
    """State of one CoMPASS file, and where its rows go.

    Parameters
    ----------
    layout
        what a record has, before another header says otherwise.

    Attributes
    ----------
    packet_id
        number of the last record; the first is 1.
    consumed, need
        bytes of the window that are done, and bytes that the window must have.
    n_packets, any_full
        of the last call: records done, whether a buffer is full.
    rows_left
        rows that are wanted yet; -1 for all.
    detail_board, detail_channel, detail_samples
        channel that is new, and its number of samples.
    flush
        whether all that was read should be handed out.
    joined_at, joined_words
        where in the file the first header in mid-file is, or -1; a bit for each of
        the sixteen header words met there.
    detail_is_new
        whether that channel had no other number of samples in the same joined file.
    other_code
        a waveform code that is not 1, or -1 if there was none.
    """

    cdef CompassHeadLayout layout
    cdef Known known
    cdef int32_t room
    cdef tuple tables
    cdef RowSink* sinks[N_TABLES]

    cdef public int64_t packet_id
    cdef readonly int64_t consumed
    cdef readonly int64_t need
    cdef readonly int64_t n_packets
    cdef readonly bint any_full
    cdef readonly bint flush
    cdef public int64_t rows_left
    cdef readonly int64_t detail_board
    cdef readonly int64_t detail_channel
    cdef readonly int64_t detail_samples
    cdef int detail_table
    cdef int64_t detail_sink
    cdef readonly bint detail_is_new
    cdef readonly int64_t joined_at
    cdef readonly int joined_words
    cdef readonly int other_code

    # of records that were decoded and skipped
    cdef int64_t packets_done[2]
    cdef int64_t bytes_done[2]

    cdef uint64_t last_time
    # number of the last record before the joined file at hand
    cdef int64_t first_packet
    cdef readonly bint scanning
    cdef int64_t scan_at
    cdef int stretch_kind
    cdef int64_t stretch_start
    cdef int64_t stretch_end
    cdef readonly int stretch_reason

    def __cinit__(self, layout):
        set_layout(
            &self.layout, layout.version, layout.energy, layout.calibrated,
            layout.short_energy, layout.waveforms,
        )
        memset(self.known.index, 0xFF, sizeof(self.known.index))
        memset(self.known.page, 0xFF, sizeof(self.known.page))
        self.tables = (
            new_sink_table(sizeof(CompassEventColumns), bind_compass_event),
            new_sink_table(sizeof(ListColumns), bind_lists),
        )
        self.rows_left = -1
        self.other_code = -1
        self.joined_at = -1

    def __dealloc__(self):
        free(self.known.channels)
        free(self.known.pages)

    # ---- channels ------------------------------------------------------------------

    def survey(self, const uint8_t[::1] window, bint at_end, int limit=100000):
        """Look which channels there are at the start of a file.

        Returns
        -------
        lengths
            by (board, channel) the numbers of samples met.
        """
        cdef Frame f = self.frame(window, window.shape[0] if at_end else -1)
        cdef Record r
        cdef Reason reason
        cdef CompassHeadLayout layout
        cdef Found found
        cdef int64_t at = 0
        cdef int64_t behind = -1
        cdef int64_t where
        cdef int i
        lengths = {}
        for i in range(limit):
            found = record_or_header(&f, at, &r, &reason, &layout)
            if found == FOUND_YES and r.end > f.n:
                if lengths and not at_end:
                    break
                found = FOUND_NO
            elif found == FOUND_YES:
                # with no channel known each record must be followed by another one
                found = accept(&f, &r, &reason)
            if found == FOUND_YES:
                met = lengths.setdefault((r.board, r.channel), set())
                # are there records where its samples would be?
                if met and r.n_samples not in met and FOUND_YES == search(
                    &f, at + f.layout.size, r.end, &where
                ):
                    found = FOUND_NO
            if found == FOUND_YES:
                # damage may be taken for a record of another length
                if behind < 0 or not met and at != behind:
                    met.add(r.n_samples)
                at = r.end
                f.n_before += 1
                f.wide |= r.board >= N_USUAL_BOARDS
                continue
            if found == FOUND_MORE or reason == REASON_NONE:
                break
            # also what comes behind damage tells of channels
            if search(&f, at + 1, f.n, &behind) != FOUND_YES:
                break
            at = behind
        return {channel: met for channel, met in lengths.items() if met}

    cdef int32_t* place_of(self, int board, int channel) except NULL:
        """Return the entry of a channel in the tables, which may grow."""
        cdef Known* k = &self.known
        cdef Py_ssize_t page_bytes = N_PLAUSIBLE_CHANNELS * sizeof(int32_t)
        cdef int32_t* pages
        cdef Py_ssize_t n = k.n_pages
        if board < N_USUAL_BOARDS:
            return &k.index[board << 8 | channel]
        if k.page[board] < 0:
            # at each power of two, double the memory
            if n & (n - 1) == 0:
                pages = <int32_t*>realloc(k.pages, max(2 * n, 1) * page_bytes)
                if pages == NULL:
                    raise MemoryError
                k.pages = pages
            memset(k.pages + n * N_PLAUSIBLE_CHANNELS, 0xFF, page_bytes)
            k.page[board] = n
            k.n_pages += 1
            k.wide = True
            k.like_headers |= is_header_word(board)
        return k.pages + <Py_ssize_t>k.page[board] * N_PLAUSIBLE_CHANNELS + channel

    def set_channel(self, int board, int channel, n_samples, float dt, float t0):
        """Say what is known of a channel.

        Parameters
        ----------
        board, channel
            its number.
        n_samples
            samples of its waveforms; None if they differ.
        dt, t0
            sampling period and time of the first sample, in ns.
        """
        if not (0 <= board < N_BOARDS and 0 <= channel < N_PLAUSIBLE_CHANNELS):
            return
        cdef int32_t* place = self.place_of(board, channel)
        cdef int32_t i = place[0]
        cdef Channel* channels
        if i < 0:
            if self.known.n == self.room:
                self.room = max(16, 2 * self.room)
                channels = <Channel*>realloc(
                    self.known.channels, self.room * sizeof(Channel)
                )
                if channels == NULL:
                    raise MemoryError
                self.known.channels = channels
            i = self.known.n
            self.known.n += 1
            place[0] = i
            memset(&self.known.channels[i], 0, sizeof(Channel))
            self.known.channels[i].key = board << 9 | channel
            self.known.channels[i].sink = -1
        self.known.channels[i].n_samples = (
            ANY_NUMBER if n_samples is None else n_samples
        )
        self.known.channels[i].file = self.known.file
        self.known.channels[i].dt = dt
        self.known.channels[i].t0 = t0
        if n_samples is not None:
            self.known.most_samples = max(self.known.most_samples, n_samples)

    def set_buffer(self, int board, int channel, buffer, bint lists=False):
        """Say which buffer takes the rows of a channel; None for none.

        `lists` says that its waveforms are lists. The buffers must not be bound.
        """
        cdef int32_t i = self.place_of(board, channel)[0]
        cdef SinkTable table
        if buffer is None:
            self.known.channels[i].sink = -1
            return
        table = self.tables[INTO_LISTS if lists else INTO_EVENTS]
        self.known.channels[i].table = INTO_LISTS if lists else INTO_EVENTS
        for k, other in enumerate(table.buffers):
            if other is buffer:
                self.known.channels[i].sink = k
                return
        self.known.channels[i].sink = len(table.buffers)
        table.set_buffers([*table.buffers, buffer])

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
        for t in range(N_TABLES):
            table = self.tables[t]
            table.release()
            self.sinks[t] = NULL

    cdef Frame frame(self, const uint8_t[::1] window, int64_t end):
        cdef Frame f
        f.data = &window[0] if window.shape[0] else NULL
        f.n = window.shape[0]
        f.end = end
        f.need = 0
        f.last_time = self.last_time
        f.n_before = self.packet_id - self.first_packet
        f.wide = self.known.wide
        f.like_headers = self.known.like_headers
        f.layout = &self.layout
        f.known = &self.known
        return f

    def decode(
        self, const uint8_t[::1] window, int64_t base, left, bint at_end,
        int64_t max_packets,
    ):
        """Decode the records in a window of the file.

        Parameters
        ----------
        window
            the bytes at hand.
        base
            where in the file they begin.
        left
            bytes from there to the end of the file; None if that is not known.
        at_end
            whether no bytes follow the window.
        max_packets
            records to decode at most.

        Returns
        -------
        status
            `END`, `MORE` (the window must have `need` bytes), `LIMIT`, `FULL`,
            `HEADER` (a channel or its number of samples is new), `SKIPPED` (see
            `stretch`), or `WIDTH` (the samples do not fit the buffer).
        """
        cdef Status status
        cdef int64_t end = -1 if left is None else left
        cdef Frame f = self.frame(window, window.shape[0] if at_end else end)
        self.any_full = False
        self.flush = False
        self.n_packets = 0
        self.consumed = 0
        while True:
            with nogil:
                status = self.run(&f, base, max_packets)
            self.need = f.need
            if not self.provide(status):
                return <int>status

    cdef Status run(self, Frame* f, int64_t base, int64_t max_packets) noexcept nogil:
        cdef Status status
        cdef Record r
        cdef Reason reason
        cdef Found found
        cdef const Channel* c
        cdef CompassHeadLayout layout
        cdef int64_t where, n_samples
        while True:
            if self.scanning:
                status = self.scan(f, base)
                if status != STATUS_LIMIT:
                    return status
                continue
            if self.any_full:
                return STATUS_FULL
            if self.n_packets >= max_packets or self.rows_left == 0:
                return STATUS_LIMIT
            if self.consumed == f.end:
                return STATUS_END
            found = record_or_header(f, self.consumed, &r, &reason, &layout)
            if found == FOUND_MORE:
                return STATUS_MORE
            if found == FOUND_NO:
                if reason == REASON_NONE:
                    self.join(f, base, &layout)
                    continue
                self.start_scan(base, reason)
                continue
            if r.end > f.n:
                if f.end >= 0 and r.end > f.end:
                    self.start_scan(base, REASON_PAST_END)
                    continue
                f.need = r.end
                return STATUS_MORE
            found = accept(f, &r, &reason)
            if found == FOUND_MORE:
                return STATUS_MORE
            if found == FOUND_NO:
                self.start_scan(base, reason)
                if reason == REASON_CHANNELS:
                    # a record all the same: the next one begins at its end
                    return self.finish_scan(base, r.end, STRETCH_CORRUPT)
                continue
            c = channel_of(&self.known, &r)
            n_samples = NO_NUMBER if c == NULL else samples_of(&self.known, c)
            if n_samples != ANY_NUMBER and n_samples != r.n_samples:
                self.detail_board = r.board
                self.detail_channel = r.channel
                self.detail_samples = r.n_samples
                # in another file another length is nothing odd
                self.detail_is_new = c == NULL or c.file < self.known.file
                return STATUS_HEADER
            found = inside(f, &r, &where)
            if found == FOUND_MORE:
                return STATUS_MORE
            if found == FOUND_YES:
                self.start_scan(base, REASON_INSIDE)
                return self.finish_scan(base, where, STRETCH_CORRUPT)
            if c.file != self.known.file:
                self.known.channels[c - self.known.channels].file = self.known.file
            status = self.row(f, &r, c)
            if status != STATUS_LIMIT:
                return status
            self.last_time = f.last_time = r.time
            f.n_before += 1

    cdef void join(self, Frame* f, int64_t base, const CompassHeadLayout* layout) noexcept nogil:
        """Begin another file, whose header is at hand (10)."""
        cdef const uint8_t* header = f.data + self.consumed
        self.known.file += 1
        self.first_packet = self.packet_id
        f.n_before = 0
        if memcmp(layout, &self.layout, sizeof(CompassHeadLayout)) != 0:
            self.known.layout_since = self.known.file
        self.layout = layout[0]
        if self.joined_at < 0:
            self.joined_at = base + self.consumed
        self.joined_words |= 1 << (compass_header_get_word(header) & 15)
        self.bytes_done[0] += COMPASS_HEADER_BYTES
        self.consumed += COMPASS_HEADER_BYTES

    cdef Status row(
        self, const Frame* f, const Record* r, const Channel* c
    ) noexcept nogil:
        """Write the row of a record, or skip it."""
        cdef RowSink* sink
        cdef CompassEventColumns* e
        cdef ListColumns* l
        cdef const uint8_t* samples = f.data + r.start + f.layout.size
        cdef Channel* channel
        if c.sink < 0:
            channel = &self.known.channels[c - self.known.channels]
            channel.skipped += 1
            self.done(r, 1)
            return STATUS_LIMIT
        sink = &self.sinks[c.table][c.sink]
        if sink.capacity == 0:
            return self.lacks(STATUS_ALLOCATE, c)
        if sink.loc >= sink.capacity:
            return self.lacks(STATUS_FULL, c)
        if c.table == INTO_EVENTS:
            e = <CompassEventColumns*>sink.columns
            if e.waveform.values != NULL:
                if e.waveform.width != r.n_samples:
                    self.detail_samples = r.n_samples
                    return self.lacks(STATUS_WIDTH, c)
                memcpy(
                    e.waveform.values + sink.loc * e.waveform.step, samples,
                    2 * r.n_samples,
                )
            self.write(&e.fields, &e.waveform.t0, &e.waveform.dt, sink.loc, r, c)
        else:
            l = <ListColumns*>sink.columns
            if not vector_has_room(&l.values, sink.loc, r.n_samples):
                self.detail_samples = r.n_samples
                return self.lacks(STATUS_GROW, c)
            if l.values.offsets != NULL:
                memcpy(
                    vector_row(&l.values, sink.loc, r.n_samples), samples,
                    2 * r.n_samples,
                )
                if l.values.offsets[sink.loc + 1] >= MOST_ELEMENTS:
                    self.any_full = True
                    self.flush = True
            self.write(&l.fields, &l.t0, &l.dt, sink.loc, r, c)
        sink.loc += 1
        if sink.capacity - sink.loc < sink.fill_safety:
            self.any_full = True
        if self.rows_left > 0:
            self.rows_left -= 1
        if r.code != 1 and f.layout.code >= 0:
            self.other_code = r.code
        self.done(r, 0)
        return STATUS_LIMIT

    cdef inline void write(
        self, CompassRecordColumns* c, BoundColumn* t0, BoundColumn* dt, int64_t row,
        const Record* r, const Channel* channel,
    ) noexcept nogil:
        """Write the fields of a record (format 5.2, 5.4)."""
        compass_record_set_packet_id(c, row, <uint32_t>(self.packet_id + 1))
        compass_record_set_board(c, row, r.board)
        compass_record_set_channel(c, row, r.channel)
        compass_record_set_timestamp(c, row, <double>r.time)
        compass_record_set_timestamp_ps(c, row, r.time)
        compass_record_set_energy(c, row, r.energy)
        compass_record_set_energy_calibrated(c, row, r.calibrated)
        compass_record_set_energy_short(c, row, r.short_energy)
        compass_record_set_flags(c, row, r.flags)
        compass_record_set_waveform_code(c, row, r.code)
        compass_record_set_num_samples(c, row, r.n_samples)
        (<float*>(t0.data + row * t0.step))[0] = channel.t0
        (<float*>(dt.data + row * dt.step))[0] = channel.dt

    cdef inline void done(self, const Record* r, int fate) noexcept nogil:
        """Count a record, and go on behind it."""
        self.packets_done[fate] += 1
        self.bytes_done[fate] += r.end - r.start
        self.packet_id += 1
        self.n_packets += 1
        self.consumed = r.end

    cdef Status lacks(self, Status status, const Channel* c) noexcept nogil:
        self.detail_table = c.table
        self.detail_sink = c.sink
        return status

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
        buffer = table.buffers[self.detail_sink]
        if status == STATUS_GROW:
            buffer.grow(self.detail_samples)
        else:
            buffer.arrays()
        table.bind_one(self.detail_sink)
        return True

    # ---- records one at a time -----------------------------------------------------

    def next_record(self, const uint8_t[::1] window, int64_t base, bint at_end):
        """Return the length of the record that the window begins with.

        Headers of joined files before it are heeded; `consumed` is their bytes.

        Parameters
        ----------
        window, base, at_end
            as of `decode`.

        Returns
        -------
        n_bytes
            0 if there is no record, and -1 if the window must be longer.
        """
        cdef Frame f = self.frame(window, window.shape[0] if at_end else -1)
        cdef Record r
        cdef Reason reason
        cdef CompassHeadLayout layout
        self.consumed = 0
        cdef Found found = record_or_header(&f, 0, &r, &reason, &layout)
        while found == FOUND_NO and reason == REASON_NONE:
            self.join(&f, base, &layout)
            found = record_or_header(&f, self.consumed, &r, &reason, &layout)
        if found == FOUND_YES:
            self.need = r.end
            if r.end <= f.n:
                return r.end - r.start
            return 0 if at_end else -1
        self.need = f.need
        return -1 if found == FOUND_MORE else 0

    def pass_over(self, int64_t n_bytes):
        """Count a record that was handed out as it is."""
        self.packets_done[0] += 1
        self.bytes_done[0] += n_bytes

    def take(self, const uint8_t[::1] packet, buffer):
        """Write the row of a single record, whose channel must be known.

        Parameters
        ----------
        packet
            its bytes.
        buffer
            where to write to.

        Returns
        -------
        status
            as of `decode`; `LIMIT` if all went well, `END` for a packet that is no
            record.
        """
        cdef Frame f = self.frame(packet, packet.shape[0])
        cdef Record r
        cdef Reason reason
        cdef Status status
        # a single packet has no header
        f.like_headers = True
        if record_at(&f, 0, &r, &reason) != FOUND_YES or r.end != f.n:
            return <int>STATUS_END
        lists = "waveform/values/offsets" in buffer.arrays()
        cdef const Channel* c = channel_of(&self.known, &r)
        if c == NULL:
            return <int>STATUS_HEADER
        for table in self.tables:
            (<SinkTable>table).set_buffers([])
        self.set_buffer(r.board, r.channel, buffer, lists)
        self.any_full = False
        self.begin()
        try:
            while True:
                with nogil:
                    status = self.row(&f, &r, c)
                if not self.provide(status):
                    return <int>status
        finally:
            self.end()

    # ---- passing over what is no record --------------------------------------------

    cdef void start_scan(self, int64_t base, Reason reason) noexcept nogil:
        self.scanning = True
        self.stretch_start = base + self.consumed
        self.scan_at = self.stretch_start + 1
        self.stretch_reason = reason

    cdef Status finish_scan(self, int64_t base, int64_t end, int kind) noexcept nogil:
        self.scanning = False
        self.stretch_kind = kind
        self.stretch_end = base + end
        self.consumed = end
        return STATUS_SKIPPED

    cdef Status scan(self, Frame* f, int64_t base) noexcept nogil:
        """Look for the next record (10)."""
        cdef int64_t where
        cdef int64_t high = f.n if f.end < 0 else f.end
        cdef Found found = search(f, self.scan_at - base, high, &where)
        if found == FOUND_YES:
            return self.finish_scan(base, where, STRETCH_CORRUPT)
        if found == FOUND_MORE:
            self.scan_at = base + where
            self.consumed = min(where, f.n)
            return STATUS_MORE
        if self.stretch_reason == REASON_PAST_END or (
            self.stretch_reason == REASON_ZEROS and f.n and f.data[f.n - 1] == 0
        ):
            return self.finish_scan(base, high, STRETCH_CUT)
        return self.finish_scan(base, high, STRETCH_CORRUPT)

    # ---- what Python asks for ------------------------------------------------------

    @property
    def packets(self):
        """Records that were decoded, and skipped."""
        return self.packets_done[0], self.packets_done[1]

    @property
    def bytes(self):
        """Bytes of them."""
        return self.bytes_done[0], self.bytes_done[1]

    def skipped_channels(self):
        """Return how many records of each key nobody asked for."""
        counts = {}
        cdef int32_t i
        for i in range(self.known.n):
            if self.known.channels[i].skipped:
                counts[self.known.channels[i].key] = self.known.channels[i].skipped
        return counts

    @property
    def stretch(self):
        """The stretch last passed over: ``(start, end, kind, reason)``."""
        return (
            self.stretch_start, self.stretch_end, STRETCH_KINDS[self.stretch_kind],
            REASONS[self.stretch_reason],
        )

    END = STATUS_END
    MORE = STATUS_MORE
    LIMIT = STATUS_LIMIT
    FULL = STATUS_FULL
    HEADER = STATUS_HEADER
    SKIPPED = STATUS_SKIPPED
    WIDTH = STATUS_WIDTH
