"""Decode CoMPASS records straight into columns.

One :class:`CompassKernel` holds the state of one file: its layout, its channels so far,
and the buffers for the rows. The base class of all kernels is in
`daq2lh5._core.kernel`.

Sections are those of the CoMPASS format.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from .._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from .._core.kernel cimport *
from .._core.sink cimport SinkTable, new_sink_table
from ._framing cimport *
from ._wire cimport *

include "_columns.pxi"

cdef enum Target:
    INTO_EVENTS             # waveforms of one length
    INTO_LISTS              # waveforms of any length
    N_TABLES

REASONS = {
    REASON_CHANNEL: "not a record: impossible channel",
    REASON_BOARD: "not a record: a high board number that occurs only once",
    REASON_CHANNELS: f"record of a new channel: more than {MAX_CHANNELS} channels",
    REASON_SAMPLES: "impossible number of samples",
    REASON_ZEROS: "zeros in place of records",
    REASON_PAST_END: "record runs past the end of the data",
    REASON_INSIDE: "incomplete record: the next one begins inside it",
    REASON_ALONE: "no record follows at its end",
}

cdef int64_t MOST_ELEMENTS = 1 << 22
"""Samples in a buffer of lists beyond which it counts as full."""


cdef struct ListColumns:
    CompassRecordColumns fields
    BoundVector values
    BoundColumn t0
    BoundColumn dt


cdef int bind_lists(void* columns, dict arrays, Binding b) except -1:
    cdef ListColumns* c = <ListColumns*>columns
    bind_compass_record(&c.fields, arrays, b)
    # unselected samples are not written
    b.vector(&c.values, arrays, "waveform/values", "uint16", 1)
    b.column(&c.t0, arrays, "waveform/t0", "float32", 1)
    b.column(&c.dt, arrays, "waveform/dt", "float32", 1)
    return 0


cdef class CompassKernel(Kernel):
    """State of one CoMPASS file, and the buffers for its rows.

    Parameters
    ----------
    layout
        layout of the records, up to the next header.

    Attributes
    ----------
    detail_board, detail_channel, detail_samples
        with ``HEADER``: channel and length, at least one new; with ``WIDTH``:
        the number of samples.
    detail_is_new
        whether the joined file has no records of that channel so far.
    joined_at, joined_words
        offset of the first header in mid-file, otherwise -1; a bit for each of the
        sixteen header words that occurred there.
    other_code
        a waveform code other than 1, otherwise -1.
    """

    cdef CompassHeadLayout layout
    cdef Known known
    cdef View view
    cdef int32_t room

    cdef readonly int64_t detail_board
    cdef readonly int64_t detail_channel
    cdef readonly int64_t detail_samples
    cdef readonly bint detail_is_new
    cdef readonly int64_t joined_at
    cdef readonly int joined_words
    cdef readonly int other_code
    # number of the last record before the current joined file
    cdef int64_t first_packet

    reasons = REASONS

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
        self.view.layout = &self.layout
        self.view.known = &self.known
        self.zeros_code = REASON_ZEROS
        self.other_code = -1
        self.joined_at = -1

    def __dealloc__(self):
        free(self.known.channels)
        free(self.known.pages)

    # ---- channels ------------------------------------------------------------------

    def survey(self, const uint8_t[::1] window, bint at_end, int limit=100000):
        """Find the channels at the start of a file.

        Returns
        -------
        lengths
            by (board, channel): the numbers of samples of its records.
        """
        cdef Window w = window_on(window, at_end)
        cdef View v = self.view_of(&w)
        cdef Record r
        cdef Reason reason
        cdef CompassHeadLayout layout
        cdef Found found
        cdef int64_t at = 0
        cdef int64_t resume = -1
        cdef int64_t where
        cdef int i
        lengths = {}
        for i in range(limit):
            found = record_or_header(&v, at, &r, &reason, &layout)
            if found == FOUND_YES and r.end > w.n:
                if lengths and not at_end:
                    break
                found = FOUND_NO
            elif found == FOUND_YES:
                # as all channels are new, each record must be followed by another
                found = accept(&v, &r, &reason)
            if found == FOUND_YES:
                met = lengths.setdefault((r.board, r.channel), set())
                # do records begin among its samples?
                if met and r.n_samples not in met and FOUND_YES == search(
                    &v, at + v.layout.size, r.end, &where
                ):
                    found = FOUND_NO
            if found == FOUND_YES:
                # damage may look like a record of another length
                if resume < 0 or not met and at != resume:
                    met.add(r.n_samples)
                at = r.end
                v.n_before += 1
                v.wide |= r.board >= N_USUAL_BOARDS
                continue
            if found == FOUND_MORE or reason == REASON_NONE:
                break
            # records after damage have channels, too
            if search(&v, at + 1, w.n, &resume) != FOUND_YES:
                break
            at = resume
        return {channel: met for channel, met in lengths.items() if met}

    cdef int32_t* place_of(self, int board, int channel) except NULL:
        """Return the place of a channel's index; allocates pages for high boards."""
        cdef Known* k = &self.known
        cdef Py_ssize_t page_bytes = N_PLAUSIBLE_CHANNELS * sizeof(int32_t)
        cdef int32_t* pages
        cdef Py_ssize_t n = k.n_pages
        if board < N_USUAL_BOARDS:
            return &k.index[board << 8 | channel]
        if k.page[board] < 0:
            # double the memory at each power of two
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
        """Set the properties of a channel.

        Parameters
        ----------
        board, channel
            the channel.
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
            ANY_LENGTH if n_samples is None else n_samples
        )
        self.known.channels[i].file = self.known.file
        self.known.channels[i].dt = dt
        self.known.channels[i].t0 = t0
        if n_samples is not None:
            self.known.most_samples = max(self.known.most_samples, n_samples)

    def set_buffer(self, int board, int channel, buffer, bint lists=False):
        """Set the buffer for the rows of a channel; None to skip them.

        `lists`: the waveforms of the buffer are lists. No buffer may be bound.
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

    cdef View view_of(self, const Window* w):
        """Return the view of the next record in a window."""
        return View(
            window=w, need=0, last_time=self.view.last_time,
            n_before=self.packet_id - self.first_packet, wide=self.known.wide,
            like_headers=self.known.like_headers, layout=&self.layout,
            known=&self.known,
        )

    cdef Status drive(self, int64_t max_packets) except *:
        self.view = self.view_of(&self.window)
        return Kernel.drive(self, max_packets)

    cdef Status record(self) noexcept nogil:
        """Decode the record, or apply the header, at `consumed`."""
        cdef const Window* w = &self.window
        cdef View* v = &self.view
        cdef Status status
        cdef Record r
        cdef Reason reason
        cdef Found found
        cdef const Channel* c
        cdef CompassHeadLayout layout
        cdef int64_t where, n_samples
        if self.consumed == w.end:
            return STATUS_END
        found = record_or_header(v, self.consumed, &r, &reason, &layout)
        if found == FOUND_NO and reason == REASON_NONE:
            self.join(w.data + self.consumed, w.base + self.consumed, &layout)
            return STATUS_NEXT
        if found == FOUND_YES and r.end > w.n:
            if not ends_before(w, r.end):
                self.need = r.end
                return STATUS_MORE
            reason = REASON_PAST_END
            found = FOUND_NO
        elif found == FOUND_YES:
            found = accept(v, &r, &reason)
        if found == FOUND_MORE:
            self.need = v.need
            return STATUS_MORE
        if found == FOUND_NO:
            self.start_damage(
                reason, self.consumed + 1,
                FATE_CUT_OFF if reason == REASON_PAST_END else FATE_CORRUPT,
            )
            if reason == REASON_CHANNELS:
                # it is a record: the next one begins at its end
                return self.finish_damage(FATE_CORRUPT, r.end)
            return STATUS_NEXT
        c = channel_of(&self.known, &r)
        n_samples = UNKNOWN_LENGTH if c == NULL else samples_of(&self.known, c)
        if n_samples != ANY_LENGTH and n_samples != r.n_samples:
            self.detail_board = r.board
            self.detail_channel = r.channel
            self.detail_samples = r.n_samples
            # joined files may have different lengths
            self.detail_is_new = c == NULL or c.file < self.known.file
            return STATUS_HEADER
        found = find_inside(v, &r, &where)
        if found == FOUND_MORE:
            self.need = v.need
            return STATUS_MORE
        if found == FOUND_YES:
            self.start_damage(REASON_INSIDE, where, FATE_CORRUPT)
            return self.finish_damage(FATE_CORRUPT, where)
        self.known.channels[c - self.known.channels].file = self.known.file
        status = self.row(w.data + r.start + self.layout.size, &r, c)
        if status == STATUS_NEXT:
            v.last_time = r.time
            v.n_before += 1
        return status

    cdef Found find(self, int64_t start, int64_t* where) noexcept nogil:
        """Search for the next record (10)."""
        cdef const Window* w = &self.window
        cdef Found found = search(&self.view, start, w.n if w.end < 0 else w.end, where)
        self.need = self.view.need
        return found

    cdef void join(
        self, const uint8_t* header, int64_t offset, const CompassHeadLayout* layout
    ) noexcept nogil:
        """Start a joined file at its header (10)."""
        self.known.file += 1
        self.first_packet = self.packet_id
        self.view.n_before = 0
        if memcmp(layout, &self.layout, sizeof(CompassHeadLayout)) != 0:
            self.known.layout_since = self.known.file
        self.layout = layout[0]
        if self.joined_at < 0:
            self.joined_at = offset
        self.joined_words |= 1 << (compass_header_get_word(header) & 15)
        self.pass_bytes(COMPASS_HEADER_BYTES)

    cdef Status row(
        self, const uint8_t* samples, const Record* r, const Channel* c
    ) noexcept nogil:
        """Write the row of a record, or skip it."""
        cdef RowSink* sink
        cdef CompassEventColumns* e
        cdef ListColumns* l
        cdef Status status
        if c.sink < 0:
            self.known.channels[c - self.known.channels].skipped += 1
            self.packet_id += 1
            self.done(FATE_SKIPPED, r.end - r.start)
            return STATUS_NEXT
        status = self.room_for(c.table, c.sink, 1)
        if status != STATUS_NEXT:
            return status
        sink = &self.sinks[c.table][c.sink]
        if c.table == INTO_EVENTS:
            e = <CompassEventColumns*>sink.columns
            if e.waveform.values != NULL:
                if e.waveform.width != r.n_samples:
                    self.detail_samples = r.n_samples
                    return STATUS_WIDTH
                memcpy(
                    e.waveform.values + sink.loc * e.waveform.step, samples,
                    2 * r.n_samples,
                )
            self.write(&e.fields, &e.waveform.t0, &e.waveform.dt, sink.loc, r, c)
        else:
            l = <ListColumns*>sink.columns
            if not vector_has_room(&l.values, sink.loc, r.n_samples):
                return self.lack(STATUS_GROW, c.table, c.sink, r.n_samples)
            if l.values.offsets != NULL:
                memcpy(
                    vector_row(&l.values, sink.loc, r.n_samples), samples,
                    2 * r.n_samples,
                )
                if l.values.offsets[sink.loc + 1] >= MOST_ELEMENTS:
                    self.any_full = True
                    self.flush = True
            self.write(&l.fields, &l.t0, &l.dt, sink.loc, r, c)
        self.row_done(sink)
        if r.code != 1 and self.layout.code >= 0:
            self.other_code = r.code
        self.packet_id += 1
        self.done(FATE_DECODED, r.end - r.start)
        return STATUS_NEXT

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

    # ---- records one at a time -----------------------------------------------------

    def next_record(self, const uint8_t[::1] window, int64_t base, bint at_end):
        """Return the length of the record at the start of the window.

        Headers of joined files before it are applied; `consumed` is their length.

        Parameters
        ----------
        window, base, at_end
            see `decode`.

        Returns
        -------
        n_bytes
            0 without a record; -1 if the window must be longer.
        """
        cdef Window w = window_on(window, at_end)
        cdef View v = self.view_of(&w)
        cdef Record r
        cdef Reason reason
        cdef CompassHeadLayout layout
        self.consumed = 0
        cdef Found found = record_or_header(&v, 0, &r, &reason, &layout)
        while found == FOUND_NO and reason == REASON_NONE:
            self.join(w.data + self.consumed, base + self.consumed, &layout)
            found = record_or_header(&v, self.consumed, &r, &reason, &layout)
        if found == FOUND_YES:
            self.need = r.end
            if r.end <= w.n:
                return r.end - r.start
            return 0 if at_end else -1
        self.need = v.need
        return -1 if found == FOUND_MORE else 0

    def pass_over(self, int64_t n_bytes):
        """Count a record that was returned undecoded."""
        self.packets_done[0] += 1
        self.bytes_done[0] += n_bytes

    def take(self, const uint8_t[::1] packet, buffer):
        """Write the row of a single record, whose channel must be known.

        Parameters
        ----------
        packet
            bytes of the record.
        buffer
            buffer for the row.

        Returns
        -------
        status
            see `decode`; `LIMIT` on success, `END` for bytes that are not a record.
        """
        cdef Window w = window_on(packet, True)
        cdef View v = self.view_of(&w)
        cdef Record r
        cdef Reason reason
        cdef Status status
        # a single record has no header
        v.like_headers = True
        if record_at(&v, 0, &r, &reason) != FOUND_YES or r.end != w.n:
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
                    status = self.row(w.data + self.layout.size, &r, c)
                if not self.provide(status):
                    break
        finally:
            self.end()
        return <int>(STATUS_LIMIT if status == STATUS_NEXT else status)

    # ---- for Python ----------------------------------------------------------------

    def skipped_channels(self):
        """Return the number of unselected records by key."""
        counts = {}
        cdef int32_t i
        for i in range(self.known.n):
            if self.known.channels[i].skipped:
                counts[self.known.channels[i].key] = self.known.channels[i].skipped
        return counts
