"""Decode FCIO records straight into columns.

One :class:`FcioStream` holds the state of one stream of records: configuration,
carried arrays, dead time, and the buffers that take the rows. `FcioStream.decode` runs
over a window of bytes without the interpreter until something needs Python: more
bytes, a full buffer, a configuration, a stretch that is no record.

The sections named are those of the FCIO specification.
"""

import sys
from types import SimpleNamespace

import numpy as np

from ._rows import TABLES

from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)
from libc.stdlib cimport calloc, free

from .._core.bytes cimport load_i32, load_u16
from .._core.sink cimport RowSink, SinkTable
from .._core.status cimport *
from ._dead_time cimport DeadTime, free_dead_time, reset_dead_time
from ._framing cimport *
from ._rows cimport *
from ._state cimport *
from .layout cimport *

if sys.byteorder != "little":
    raise ImportError("daq2lh5 copies samples as they are: little-endian machines only")


cdef enum:
    # what `step_at` may say instead of a number of bytes
    STEP_DONE = -1
    STEP_MORE = -2
    STEP_BAD = -3

STRETCH_KINDS = ("unknown", "corrupt", "cut_off")

REASONS = {
    REASON_HEADER: "impossible frame header",
    REASON_LONG_FRAME: "frame longer than its field can be",
    REASON_PAST_END: "record runs past the end of the data",
    REASON_INCOMPLETE: "record lacks frames",
    REASON_TRACE_LENGTH: "trace lacks samples",
    REASON_TRACE_INDEX: "trace index outside the configuration",
    REASON_COUNT: "impossible count",
    REASON_CONFIG: "configuration outside the limits of the format",
    REASON_LISTENER: "configuration of another stream",
    REASON_NO_CONFIG: "record before the first configuration",
    REASON_PROTOCOL: "handshake of another protocol",
    REASON_SWALLOWED: "record runs into another record",
    REASON_UNSOUND: "wrong frame length, and no record follows",
    REASON_STRAY: "too few bytes for a header",
    REASON_UNKNOWN_TAG: "unknown record",
    REASON_STRAY_FRAMES: "frames outside of any record",
    REASON_ORPHAN_FSP: "FSP record without the record that it describes",
}

IRREGULARITIES = (
    "frame longer than its field, surplus ignored",
    "frame shorter than its field, former content kept",
    "frame length not a multiple of the element size",
    "counts of traces contradict each other, the smaller one used",
    "dead region outside the stream's traces, clamped",
    "too many pending dead intervals, oldest dropped",
    "status block shorter than its layout, filled with zeros",
)
"""What is accepted although it breaks a rule of the format; see `irregular`."""

cdef class FcioStream:
    """State of one FCIO stream, and where its rows go.

    Parameters
    ----------
    listener
        number of the listener whose configurations the stream has; -1: not known.

    Attributes
    ----------
    packet_id
        number of the last packet; 0 is the first configuration, -1 before it.
    consumed
        bytes of the window that the last call of `decode` is done with.
    need
        bytes that the window must hold for `decode` to go on, of the same window.
    packets, bytes
        what was decoded and what was skipped because nobody asked for it, as
        ``(decoded, skipped)``.
    """

    def __cinit__(self, int32_t listener=-1):
        self.s = <State*>calloc(1, sizeof(State))
        self.record = <Record*>calloc(1, sizeof(Record))
        self.fsp_record = <Record*>calloc(1, sizeof(Record))
        self.scratch = <Record*>calloc(1, sizeof(Record))
        if (
            self.s == NULL or self.record == NULL
            or self.fsp_record == NULL or self.scratch == NULL
        ):
            raise MemoryError
        self.tables = new_tables()
        self.packet_id = -1
        self.rows_left = -1
        self.walk = -1
        self.limits.listener = listener
        self.unmap_all()
        reset_dead_time(&self.s.dead_time)

    def __dealloc__(self):
        if self.s != NULL:
            free_dead_time(&self.s.dead_time)
        free(self.s)
        free(self.record)
        free(self.fsp_record)
        free(self.scratch)

    # ---- where rows go -------------------------------------------------------------

    cdef void unmap_all(self) noexcept:
        cdef int i
        for i in range(MAX_TRACES):
            self.event_sink[i] = -1
        self.header_sink = -1
        self.fsp_event_sink = -1
        self.fsp_header_sink = -1
        self.fsp_status_sink = -1
        self.status_wanted = False
        for i in range(MAX_REQUEST_IDS):
            self.status_sinks[i] = -1

    def set_buffers(self, keyed):
        """Say which buffers take which rows.

        Parameters
        ----------
        keyed
            by table name (``"FCEvent"``, ...): a dictionary of `RawBuffer` by key,
            or a single `RawBuffer` for all keys, or None.
        """
        cdef int i, t
        cdef SinkTable table
        self.keyed = keyed
        self.unmap_all()
        keys = self.keys()
        maps = []
        for t, name in enumerate(TABLES):
            wanted = keyed.get(name)
            if wanted is None:
                wanted = {}
            elif not hasattr(wanted, "get"):
                wanted = dict.fromkeys(keys[name], wanted)
            places = {}
            buffers = []
            index = {}
            # cards that only an earlier configuration had may still report
            for key in wanted if name == "FCStatus" else dict.fromkeys(keys[name]):
                buffer = wanted.get(key)
                if buffer is None:
                    continue
                if id(buffer) not in places:
                    places[id(buffer)] = len(buffers)
                    buffers.append(buffer)
                index[key] = places[id(buffer)]
            table = self.tables[t]
            table.set_buffers(buffers)
            maps.append(index)

        events, headers, status, fsp_event, fsp_status = maps
        for i, key in enumerate(keys["FCEvent"]):
            self.event_sink[i] = events.get(key, -1)
        self.header_sink = headers.get(keys["FCEventHeader"][0], -1)
        self.fsp_event_sink = fsp_event.get(keys["FSPEvent"][0], -1)
        self.fsp_header_sink = fsp_event.get(keys["FSPEvent"][1], -1)
        self.fsp_status_sink = fsp_status.get(keys["FSPStatus"][0], -1)
        prefix = f"fcid_{self.s.config.streamid & 0xFFFF}/status/card"
        for key, sink in status.items():
            number = str(key).removeprefix(prefix)
            if number.isdecimal() and int(number) < MAX_REQUEST_IDS:
                self.status_sinks[int(number)] = sink
                self.status_wanted = True

    def card_ids(self):
        """Return the request ids of the cards that the configuration names (5)."""
        cdef Config* c = &self.s.config
        masters = min(max(c.mastercards, 0), MAX_CARDS)
        triggers = min(max(c.triggercards, 0), MAX_CARDS)
        adcs = min(max(c.adccards, 0), MAX_CARDS)
        ids = [0x4000 + i - 1 if i else 0 for i in range(masters)]
        ids += [0x1000 + i for i in range(triggers)]
        ids += [0x2000 + i for i in range(adcs)]
        return ids[:MAX_CARDS]

    def keys(self):
        """Return the keys that each table's rows can have, by table name (5)."""
        cdef Config* c = &self.s.config
        cdef int i
        fcid = c.streamid & 0xFFFF
        events = []
        for i in range(self.limits.n_traces):
            word = c.tracemap[i]
            events.append(fcid * 1000000 + (word >> 16) * 100 + (word & 0xFFFF))
        return {
            "FCConfig": [f"fcid_{fcid}/config"],
            "FCEvent": events,
            "FCEventHeader": [f"fcid_{fcid}/evt_hdr"],
            "FCStatus": [f"fcid_{fcid}/status/card{i}" for i in self.card_ids()],
            "FSPConfig": [f"swtid_{fcid}/config"],
            "FSPEvent": [f"swtid_{fcid}/event", f"swtid_{fcid}/evt_hdr"],
            "FSPStatus": [f"swtid_{fcid}/status"],
        }

    cdef int acquire(self) except -1:
        cdef SinkTable table
        cdef RowSink* sink
        cdef Py_ssize_t i, t
        for t in range(N_TABLES):
            table = self.tables[t]
            table.acquire()
            self.sinks[t] = table.sinks
        table = self.tables[INTO_EVENT]
        for i in range(table.n):
            self.check_width(&table.sinks[i])
        return 0

    cdef int check_width(self, RowSink* sink) except -1:
        """Make sure that the configuration's samples fit a row."""
        cdef Py_ssize_t width
        if sink.capacity == 0:
            return 0
        width = waveform_width(sink.columns)
        if width >= 0 and width != self.s.config.samples:
            raise ValueError(
                f"the buffer's waveforms have {width} samples, "
                f"those of the stream {self.s.config.samples}"
            )
        return 0

    cdef int release(self) except -1:
        cdef SinkTable table
        cdef int t
        for t in range(N_TABLES):
            table = self.tables[t]
            table.release()
            self.sinks[t] = NULL
        return 0

    # ---- the loop ------------------------------------------------------------------

    def decode(
        self, const uint8_t[::1] window, int64_t base, left, bint at_end,
        int64_t max_packets,
    ):
        """Decode the records in a window of the stream.

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
            stop after so many packets.

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
        if status == STATUS_HEADER:
            self.keep_fsp_config(data)
        return <int>status

    cdef int keep_fsp_config(self, const uint8_t* data) except -1:
        """Keep the frames of an FSPConfig in front of the header record at hand."""
        cdef Frame* f
        cdef int k
        if not self.has_fsp or self.fsp_record.tag != TAG_FSP_CONFIG:
            return 0
        self.fsp_frames = []
        for k in range(self.fsp_record.n_frames):
            f = &self.fsp_record.frames[k]
            self.fsp_frames.append((<const char*>data + f.start)[: f.length])
        return 0

    def begin(self):
        """Bind the buffers; until `end` nobody else may touch them."""
        self.acquire()

    def end(self):
        """Write back how far the buffers are filled, and let go of them."""
        self.release()

    cdef bint provide(self, Status status) except -1:
        """Get memory that the kernel lacks; False if that is not what it stopped for.

        A packet that does not even fit an empty buffer gets a larger one: how large
        is bounded by the limits of the format.
        """
        if status not in (STATUS_ALLOCATE, STATUS_GROW, STATUS_FULL):
            return False
        if status == STATUS_FULL and self.any_full:
            return False
        cdef RowSink* sink = &self.sinks[self.detail_table][self.detail_sink]
        if status == STATUS_FULL and sink.loc > 0:
            self.any_full = True
            return False
        cdef SinkTable table = self.tables[self.detail_table]
        # only this buffer is bound anew: there may be thousands
        buffer = table.buffers[self.detail_sink]
        table.unbind(self.detail_sink)
        if status == STATUS_GROW:
            buffer._grow(self.need)
        elif status == STATUS_ALLOCATE and not buffer._allocated:
            buffer._arrays()
        else:
            buffer._enlarge(self.need)
        table.bind_one(self.detail_sink)
        if self.detail_table == INTO_EVENT:
            self.check_width(sink)
        return True

    def decode_packet(self, packet, keyed, int64_t packet_id):
        """Decode one packet that is at hand as bytes.

        Parameters
        ----------
        packet
            the bytes: a record, or an FSP record and the one that it describes.
        keyed
            where rows go, see `set_buffers`.
        packet_id
            number for the packet.

        Returns
        -------
        any_full
            whether a buffer has no room for another packet.

        Raises
        ------
        ValueError
            if the packet is not a sound record, or does not fit the buffers.
        """
        cdef const uint8_t[::1] window = packet
        own = self.keyed
        if self.configured:
            self.set_buffers(keyed)
        self.packet_id = packet_id - 1
        self.begin()
        try:
            status = self.decode(window, 0, len(window), True, 1)
        finally:
            self.end()
            if own is not None:
                self.set_buffers(own)
        if status == STATUS_SKIPPED:
            raise ValueError(f"packet {packet_id}: {REASONS[self.stretch_reason]}")
        if status == STATUS_FULL and not self.n_packets:
            raise ValueError(f"packet {packet_id} does not fit the buffer")
        if self.n_packets == 0:
            raise ValueError(f"packet {packet_id}: no record in {len(window)} bytes")
        if status == STATUS_HEADER:
            self.packet_id = packet_id
        return bool(self.any_full)

    cdef Status decode_payload(
        self, const uint8_t* data, int64_t n, int64_t start, int64_t packet_id,
        int64_t rows_left,
    ) except *:
        """Decode the records in a packet of another format (7).

        All have the number of the packet. Up to 3 bytes behind them are padding.

        Parameters
        ----------
        data, n
            the records.
        start
            where to go on, see `consumed`.
        packet_id
            number of the packet.
        rows_left
            see the class.

        Returns
        -------
        status
            as of `decode`: STATUS_END if all of it is done.
        """
        cdef Status status
        self.in_packet = True
        self.packet_id = packet_id
        self.rows_left = rows_left
        self.any_full = False
        self.n_packets = 0
        self.consumed = start
        while True:
            with nogil:
                status = self.run(data, n, 0, n, True, n)
            if not self.provide(status):
                break
        if status == STATUS_HEADER:
            self.keep_fsp_config(data)
        return status

    @property
    def fsp_config(self):
        """Settings of the stream processor by column name, or None."""
        from .fsp_config import parse_fsp_config
        return None if self.fsp_frames is None else parse_fsp_config(self.fsp_frames)

    cdef Status run(
        self, const uint8_t* data, int64_t n, int64_t base, int64_t left, bint at_end,
        int64_t max_packets,
    ) noexcept nogil:
        cdef Status status
        cdef int64_t at
        cdef int32_t head
        while True:
            if self.scanning:
                status = self.scan(data, n, base, left, at_end)
                if status != STATUS_LIMIT:
                    return status
                continue
            at = self.consumed
            if self.in_packet and n - at < 4:
                return STATUS_END
            if self.any_full:
                return STATUS_FULL
            if self.n_packets >= max_packets or self.rows_left == 0:
                return STATUS_LIMIT
            if n - at < 4:
                if not at_end:
                    self.need = at + 4
                    return STATUS_MORE
                if n == at:
                    return STATUS_END
                self.start_scan(base + at, base + n, -1, REASON_STRAY, 0)
                continue
            head = load_i32(data + at)
            if head == PROTOCOL_TAG:
                if n - at < HANDSHAKE_BYTES and not at_end:
                    self.need = at + HANDSHAKE_BYTES
                    return STATUS_MORE
                if is_handshake(data, n, at):
                    self.consumed += HANDSHAKE_BYTES
                    self.bytes_done[0] += HANDSHAKE_BYTES
                elif n - at < HANDSHAKE_BYTES:
                    self.start_scan(base + at, base + at + 1, -1, REASON_PAST_END, 0)
                else:
                    self.start_scan(base + at, base + at + 1, -1, REASON_PROTOCOL, 0)
            elif head < LOWEST_TAG:
                self.start_scan(base + at, base + at + 1, -1, REASON_HEADER, 0)
            elif head >= 0:
                self.start_scan(
                    base + at, base + at, base + at, REASON_STRAY_FRAMES, 0
                )
            elif not is_known(-head):
                self.start_scan(
                    base + at, base + at + 1, base + at + 4, REASON_UNKNOWN_TAG, -head
                )
            else:
                status = self.packet(data, n, base, left, at_end)
                # the limit is looked at above: here it means "go on"
                if status != STATUS_LIMIT:
                    return status

    cdef Status packet(
        self, const uint8_t* data, int64_t n, int64_t base, int64_t left, bint at_end,
    ) noexcept nogil:
        """Decode the packet at `consumed`: an FSP record and the one it belongs to."""
        cdef int64_t start = self.consumed
        cdef int64_t at = start
        cdef Record* r = self.record
        cdef int32_t tag = -load_i32(data + at)
        cdef int32_t next_tag
        cdef Verdict verdict
        cdef Status status
        self.has_fsp = False
        if tag >= TAG_FSP_CONFIG:
            r = self.fsp_record
            if not collect_record(
                data, n, left, at_end, &self.limits, at, r, &self.need
            ):
                return STATUS_MORE
            verdict = self.judge(data, n, left, at_end, r)
            if verdict == VERDICT_MORE:
                return STATUS_MORE
            if verdict != VERDICT_ACCEPT:
                self.reject(base, start, r, verdict)
                return STATUS_LIMIT
            self.has_fsp = True
            next_tag = 0
            if r.end_kind == END_TAG:
                next_tag = -load_i32(data + r.end)
            elif r.end_kind == END_OF_DATA or r.end_kind == END_STRAY:
                self.start_scan(
                    base + start, base + r.end, base + r.end, REASON_ORPHAN_FSP, tag
                )
                return STATUS_LIMIT
            if not is_known(next_tag) or next_tag >= TAG_FSP_CONFIG:
                return self.commit_lone_fsp(data, start, r, next_tag)
            at = r.end
            tag = next_tag
            r = self.record
        if not collect_record(data, n, left, at_end, &self.limits, at, r, &self.need):
            return STATUS_MORE
        verdict = self.judge(data, n, left, at_end, r)
        if verdict == VERDICT_MORE:
            return STATUS_MORE
        if verdict != VERDICT_ACCEPT:
            self.reject(base, start, r, verdict)
            return STATUS_LIMIT
        status = self.commit(data, r)
        if status != STATUS_LIMIT and status != STATUS_HEADER:
            return status
        self.record_start = start
        self.record_end = r.end
        self.consumed = r.end
        self.n_packets += 1
        return status

    cdef void next_number(self) noexcept nogil:
        if self.in_packet:
            return
        if not self.number_shared:
            self.packet_id += 1
        self.number_shared = False

    cdef Status commit_lone_fsp(
        self, const uint8_t* data, int64_t start, const Record* r, int32_t next_tag
    ) noexcept nogil:
        """Take in an FSP record that no record of its kind follows."""
        apply_fsp(self.s, data, r)
        self.note_faults(r)
        self.n_lone_fsp += r.tag != TAG_FSP_CONFIG
        self.s.tag = r.tag
        self.next_number()
        # an unknown record after it has the same number (5)
        self.number_shared = next_tag != 0 and not (
            TAG_FSP_CONFIG <= next_tag <= TAG_FSP_STATUS
        )
        self.packets_done[0] += 1
        self.bytes_done[0] += r.end - start
        self.record_start = start
        self.record_end = r.end
        self.consumed = r.end
        self.n_packets += 1
        if r.tag == TAG_FSP_CONFIG:
            self.record.tag = 0
            return STATUS_HEADER
        return STATUS_LIMIT

    # ---- which records are sound ---------------------------------------------------

    cdef Verdict judge(
        self, const uint8_t* data, int64_t n, int64_t left, bint at_end, Record* r
    ) noexcept nogil:
        """Decide whether a collected record may be used (1.6, 9).

        One whose frames all have the right lengths and which another record follows
        is. Where anything is doubtful (a wrong length, frames that its kind does not
        have, something behind it that is no known record) it must not hide another
        record, as it would if a damaged length made it swallow some. A record that is
        whole is kept then, without what stands behind it. One with a wrong length is
        taken, with the part of the frame that the field holds, if what follows leaves
        no doubt about its end; that is counted as irregular.
        """
        cdef bint bad_end = r.end_kind == END_BAD or r.end_kind == END_CUT
        cdef bint at_last = r.end_kind == END_OF_DATA or r.end_kind == END_STRAY
        cdef Found sound = FOUND_YES
        cdef Found found
        cdef int64_t where
        cdef int64_t own_end = r.end
        cdef int whole = 0
        cdef Reason reason
        if r.reason != REASON_COUNT:
            whole = whole_frames(r, self.s.usual_frames[r.tag])
        if bad_end and not whole:
            return VERDICT_SCAN
        reason = check_record(data, r, &self.limits)
        if (
            reason == REASON_NONE and at_last and r.tag == TAG_EVENT
            and r.n_frames < self.s.usual_frames[TAG_EVENT]
        ):
            # the data end where all events before had a dead region
            reason = REASON_INCOMPLETE
        if reason != REASON_NONE:
            r.reason = reason
            return VERDICT_SCAN if bad_end or at_last else VERDICT_RESUME
        if r.end_kind == END_TAG:
            sound = is_sound_after(data, n, left, at_end, r.end, &self.need)
            if sound == FOUND_MORE:
                return VERDICT_MORE
        if not bad_end and not r.faults and sound == FOUND_YES:
            return VERDICT_ACCEPT

        if whole:
            own_end = end_of_frame(r, whole - 1)
        # a first field that reads like a tag, with the frames behind it, looks like
        # another kind of event: not if all frames are right
        where = end_of_frame(r, 0) if whole and not bad_end else r.start + 1
        found = find_record(
            data, n, left, at_end, &self.limits, where, own_end, self.scratch, &where,
            &self.need,
        )
        if found == FOUND_MORE:
            return VERDICT_MORE
        if found == FOUND_YES:
            r.reason = REASON_SWALLOWED
            return VERDICT_SCAN
        if own_end < r.end:
            found = find_record(
                data, n, left, at_end, &self.limits, own_end, r.end, self.scratch,
                &where, &self.need,
            )
            if found == FOUND_MORE:
                return VERDICT_MORE
            if found == FOUND_YES or bad_end:
                cut_after(r, whole)
                return VERDICT_ACCEPT
        if r.faults & FAULT_LENGTH and sound == FOUND_NO:
            if whole:
                cut_after(r, whole)
                return VERDICT_ACCEPT
            r.reason = REASON_UNSOUND
            return VERDICT_SCAN
        return VERDICT_ACCEPT

    cdef void reject(
        self, int64_t base, int64_t start, const Record* r, Verdict verdict
    ) noexcept nogil:
        """Pass over a record, looking for the next one inside it and behind it."""
        cdef int64_t walk = -1
        if verdict == VERDICT_RESUME:
            walk = base + r.end
        self.start_scan(base + start, base + r.start + 1, walk, r.reason, r.tag)

    # ---- passing over what is no record --------------------------------------------

    cdef void start_scan(
        self, int64_t start, int64_t scan_at, int64_t walk, Reason reason, int32_t tag
    ) noexcept nogil:
        """Begin to pass over a stretch; all offsets are absolute.

        `walk` is where a frame header or the next record should be, if that is known.
        """
        self.scanning = True
        self.stretch_start = start
        self.scan_at = scan_at
        self.walk = walk
        self.stretch_reason = reason
        self.stretch_tag = tag
        self.stretch_kind = STRETCH_CORRUPT
        self.end_kind = STRETCH_CORRUPT
        if reason == REASON_UNKNOWN_TAG or reason == REASON_STRAY_FRAMES:
            self.stretch_kind = STRETCH_UNKNOWN
            self.end_kind = STRETCH_UNKNOWN
        elif reason in (
            REASON_PAST_END, REASON_INCOMPLETE, REASON_STRAY, REASON_ORPHAN_FSP
        ):
            self.end_kind = STRETCH_CUT

    cdef Status finish_scan(self, int64_t base, int64_t end, int kind) noexcept nogil:
        self.scanning = False
        self.stretch_kind = kind
        self.stretch_end = base + end
        self.consumed = end
        if kind == STRETCH_UNKNOWN and self.stretch_reason == REASON_UNKNOWN_TAG:
            self.next_number()
            self.n_packets += 1
        return STATUS_SKIPPED

    cdef Status scan_more(self, int64_t base, int64_t at) noexcept nogil:
        """Ask for more bytes; those before `at` are no longer needed."""
        self.scan_at = base + at
        self.consumed = at
        return STATUS_MORE

    cdef Status scan(
        self, const uint8_t* data, int64_t n, int64_t base, int64_t left, bint at_end,
    ) noexcept nogil:
        """Look for the next record, and walk the frames of an unknown one."""
        cdef int64_t at = self.scan_at - base
        cdef int64_t stop, where, step
        cdef Found found
        while True:
            stop = n
            if self.walk >= 0 and self.walk - base < n:
                stop = self.walk - base
            if at < stop:
                found = find_record(
                    data, n, left, at_end, &self.limits, at, stop, self.scratch,
                    &where, &self.need,
                )
                if found == FOUND_YES:
                    if self.stretch_kind == STRETCH_UNKNOWN:
                        self.stretch_reason = REASON_SWALLOWED
                    return self.finish_scan(base, where, STRETCH_CORRUPT)
                if found == FOUND_MORE:
                    return self.scan_more(base, where)
                at = stop
            if self.walk < 0 or self.walk - base > n:
                if not at_end:
                    self.need = n + 1
                    return self.scan_more(base, at)
                if self.walk > base + n:
                    self.stretch_reason = REASON_PAST_END
                    self.end_kind = STRETCH_CUT
                return self.finish_scan(base, n, self.end_kind)
            # the walk has come to a header
            step = self.step_at(data, n, left, at_end, at)
            if step == STEP_DONE:
                if self.stretch_kind == STRETCH_CORRUPT and n - at < 4:
                    return self.finish_scan(base, at, self.end_kind)
                return self.finish_scan(base, at, self.stretch_kind)
            if step == STEP_MORE:
                return self.scan_more(base, at)
            if step == STEP_BAD:
                self.walk = -1
                self.stretch_kind = STRETCH_CORRUPT
            else:
                self.walk = base + at + step

    cdef int64_t step_at(
        self, const uint8_t* data, int64_t n, int64_t left, bint at_end, int64_t at
    ) noexcept nogil:
        """Return the bytes of the frame at `at`, or what else is the matter there."""
        cdef int32_t head
        if n - at < 4:
            if at_end:
                return STEP_DONE
            self.need = at + 4
            return STEP_MORE
        head = load_i32(data + at)
        if head == PROTOCOL_TAG and n - at < HANDSHAKE_BYTES and not at_end:
            self.need = at + HANDSHAKE_BYTES
            return STEP_MORE
        if LOWEST_TAG <= head < 0 or is_handshake(data, n, at):
            return STEP_DONE
        if head < 0 or head > MAX_FRAME_BYTES:
            self.end_kind = STRETCH_CORRUPT
            self.stretch_reason = REASON_HEADER
            return STEP_BAD
        if left >= 0 and head > left - at - 4:
            self.end_kind = STRETCH_CUT
            self.stretch_reason = REASON_PAST_END
            return STEP_BAD
        return 4 + head

    # ---- taking records in ---------------------------------------------------------

    cdef void note_faults(self, const Record* r) noexcept nogil:
        """Count what is wrong with an accepted record; remember its usual shape."""
        if r.faults & FAULT_LONG:
            self.irregular_count[IRREGULAR_LONG] += 1
        if r.faults & FAULT_SHORT:
            self.irregular_count[IRREGULAR_SHORT] += 1
        if r.faults & FAULT_UNALIGNED:
            self.irregular_count[IRREGULAR_UNALIGNED] += 1
        if r.faults & FAULT_COUNT:
            self.irregular_count[IRREGULAR_COUNT] += 1
        if r.faults & FAULT_EXTRA:
            self.n_extra_frames += 1
        self.s.usual_frames[r.tag] = min(r.n_frames, r.n_expected)

    cdef Status commit(self, const uint8_t* data, Record* r) noexcept nogil:
        """Take in a sound packet: all of it or, if a buffer lacks room, nothing."""
        cdef Status status
        cdef int64_t length = r.end - self.consumed
        cdef int64_t rows
        cdef bint wanted
        if r.tag == TAG_CONFIG:
            if self.has_fsp:
                apply_fsp(self.s, data, self.fsp_record)
                self.note_faults(self.fsp_record)
            if self.limits.configured:
                self.next_number()
            else:
                self.packet_id = 0
                self.number_shared = False
            apply_config(self.s, &self.limits, data, r)
            if r.n_frames > 10 and r.frames[10].length < 4 * self.limits.n_traces:
                self.short_tracemap = True
            self.note_faults(r)
            self.packets_done[0] += 1
            self.bytes_done[0] += length
            return STATUS_HEADER
        if r.tag == TAG_EVENT:
            r.n_traces = <int>self.limits.n_traces
        status = self.make_room(data, r)
        if status != STATUS_LIMIT:
            return status
        self.next_number()
        if self.has_fsp:
            apply_fsp(self.s, data, self.fsp_record)
            self.note_faults(self.fsp_record)
        self.s.tag = r.tag
        if r.tag == TAG_STATUS:
            apply_status(self.s, data, r)
            rows = self.write_status(data, r)
            wanted = self.status_wanted
        else:
            if not apply_event(self.s, self.limits.n_traces, data, r):
                self.irregular_count[IRREGULAR_DEAD_REGION] += 1
            if r.tag == TAG_EVENT_HEADER:
                rows = self.write_event_header(data, r)
                wanted = self.header_sink >= 0
            else:
                rows = self.write_event(data, r)
                wanted = rows > 0 or r.n_traces == 0
        if self.has_fsp:
            rows += self.write_fsp(data, r)
        self.note_faults(r)
        wanted = wanted or rows > 0
        self.packets_done[0 if wanted else 1] += 1
        self.bytes_done[0 if wanted else 1] += length
        return STATUS_LIMIT

    # ---- room in the buffers -------------------------------------------------------

    cdef Status lacks(
        self, Status status, int table, int64_t sink, int64_t need
    ) noexcept nogil:
        self.detail_table = table
        self.detail_sink = sink
        self.need = need
        return status

    cdef Status room_in(self, int table, int sink, int64_t rows) noexcept nogil:
        """Whether a sink can take `rows` more rows; the limit status means yes."""
        cdef RowSink* s = &self.sinks[table][sink]
        if s.capacity == 0:
            return self.lacks(STATUS_ALLOCATE, table, sink, rows)
        if rows > s.capacity - s.loc:
            return self.lacks(STATUS_FULL, table, sink, rows)
        return STATUS_LIMIT

    cdef Status make_room(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Make sure that every buffer can take its rows of the packet."""
        cdef Status status = STATUS_LIMIT
        cdef RowSink* sink
        cdef int64_t most
        cdef int fsp_sink
        cdef Record* f = self.fsp_record
        if r.tag == TAG_STATUS:
            status = self.room_for_status(data, r)
        elif r.tag == TAG_EVENT_HEADER:
            if self.header_sink >= 0:
                status = self.room_in(INTO_EVENT_HEADER, self.header_sink, 1)
                sink = &self.sinks[INTO_EVENT_HEADER][self.header_sink]
                if status == STATUS_LIMIT and not vectors_fit(
                    INTO_EVENT_HEADER, sink.columns, sink.loc, r.n_traces
                ):
                    return self.lacks(
                        STATUS_GROW, INTO_EVENT_HEADER, self.header_sink, r.n_traces
                    )
        else:
            status = self.room_for_event(data, r)
        if status != STATUS_LIMIT or not self.has_fsp:
            return status
        if f.tag == TAG_FSP_STATUS and self.fsp_status_sink >= 0:
            return self.room_in(INTO_FSP_STATUS, self.fsp_status_sink, 1)
        fsp_sink = self.fsp_sink_of(r.tag)
        if f.tag == TAG_FSP_EVENT and fsp_sink >= 0:
            status = self.room_in(INTO_FSP_EVENT, fsp_sink, 1)
            if status != STATUS_LIMIT:
                return status
            most = f.frames[5].length // 4
            most = max(most, f.frames[6].length // 2)
            if f.n_frames > 10:
                most = max(most, f.frames[10].length // 2)
            most = min(most, MAX_TRACES)
            sink = &self.sinks[INTO_FSP_EVENT][fsp_sink]
            if not vectors_fit(INTO_FSP_EVENT, sink.columns, sink.loc, most):
                return self.lacks(STATUS_GROW, INTO_FSP_EVENT, fsp_sink, most)
        return STATUS_LIMIT

    cdef int fsp_sink_of(self, int32_t tag) noexcept nogil:
        """Which buffer takes the FSPEvent of an event record (5)."""
        return self.fsp_header_sink if tag == TAG_EVENT_HEADER else self.fsp_event_sink

    cdef int trace_at(
        self, const uint8_t* data, const Record* r, int i
    ) noexcept nogil:
        """Index of the `i`-th trace of an event that is not taken in yet."""
        if r.tag == TAG_SPARSE_EVENT:
            return load_u16(data + r.frames[6].start + 2 * i)
        # a full event keeps the order of the record before, if that had all traces too
        if self.s.event.n_traces == r.n_traces:
            return self.s.event.traces[i]
        return i

    cdef Status room_for_event(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil:
        cdef RowSink* sinks = self.sinks[INTO_EVENT]
        cdef Status status = STATUS_LIMIT
        cdef int i, sink
        for i in range(r.n_traces):
            sink = self.event_sink[self.trace_at(data, r, i)]
            if sink >= 0:
                sinks[sink].need += 1
        for i in range(r.n_traces):
            sink = self.event_sink[self.trace_at(data, r, i)]
            if sink >= 0 and sinks[sink].need:
                if status == STATUS_LIMIT:
                    status = self.room_in(INTO_EVENT, sink, sinks[sink].need)
                sinks[sink].need = 0
        return status

    cdef int n_cards_used(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Cards whose blocks count: no more than the configuration has (6.3)."""
        cdef Config* c = &self.s.config
        cdef int64_t configured = (
            <int64_t>c.mastercards + c.triggercards + c.adccards
        )
        return <int>max(0, min(configured, load_i32(data + r.frames[2].start)))

    cdef Status room_for_status(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil:
        cdef RowSink* sinks = self.sinks[INTO_STATUS]
        cdef Status status = STATUS_LIMIT
        cdef int i, sink
        cdef int n_cards = self.n_cards_used(data, r)
        for i in range(n_cards):
            sink = self.status_sinks[card_word(data, r, i, CARD_REQID) & 0xFFFF]
            if sink >= 0:
                sinks[sink].need += 1
        for i in range(n_cards):
            sink = self.status_sinks[card_word(data, r, i, CARD_REQID) & 0xFFFF]
            if sink < 0 or not sinks[sink].need:
                continue
            if status == STATUS_LIMIT:
                status = self.room_in(INTO_STATUS, sink, sinks[sink].need)
                if status == STATUS_LIMIT and not vectors_fit(
                    INTO_STATUS, sinks[sink].columns, sinks[sink].loc,
                    MAX_LINKS * sinks[sink].need,
                ):
                    status = self.lacks(
                        STATUS_GROW, INTO_STATUS, sink, MAX_LINKS * sinks[sink].need
                    )
            sinks[sink].need = 0
        return status

    # ---- rows ----------------------------------------------------------------------

    cdef bint take_row(self, RowSink* sink) noexcept nogil:
        """Count a row that was written; False if no more rows are wanted."""
        sink.loc += 1
        if sink.capacity - sink.loc < sink.fill_safety:
            self.any_full = True
        if self.rows_left > 0:
            self.rows_left -= 1
        return self.rows_left != 0

    cdef int64_t write_event(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Write a row for each trace of an Event or SparseEvent that is wanted."""
        cdef const uint8_t* trace
        cdef int i, t, index
        cdef int64_t n = 0
        cdef RowSink* sink
        for i in range(r.n_traces):
            t = self.s.event.traces[i]
            index = self.event_sink[t]
            if index < 0:
                self.skipped_traces[t] += 1
                continue
            if r.tag == TAG_EVENT:
                trace = data + r.frames[4].start + t * self.limits.trace_bytes
            else:
                trace = data + r.frames[7 + i].start
            sink = &self.sinks[INTO_EVENT][index]
            write_trace(sink.columns, sink.loc, self.s, self.packet_id, t, trace)
            n += 1
            if not self.take_row(sink):
                break
        return n

    cdef int64_t write_event_header(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil:
        """Write the row of an EventHeader, if it is wanted."""
        cdef RowSink* sink
        if self.header_sink < 0:
            return 0
        sink = &self.sinks[INTO_EVENT_HEADER][self.header_sink]
        write_header(
            sink.columns, sink.loc, self.s, self.packet_id, data + r.frames[6].start
        )
        self.take_row(sink)
        return 1

    cdef int64_t write_status(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Write a row for each card of a Status record (6.3)."""
        cdef int card, index
        cdef int64_t n = 0
        cdef RowSink* sink
        for card in range(self.n_cards_used(data, r)):
            index = self.status_sinks[card_word(data, r, card, CARD_REQID) & 0xFFFF]
            if index < 0:
                continue
            if r.frames[4 + card].length < CARD_BYTES:
                self.irregular_count[IRREGULAR_STATUS_BLOCK] += 1
            sink = &self.sinks[INTO_STATUS][index]
            write_card(sink.columns, sink.loc, self.s, self.packet_id, data, r, card)
            n += 1
            if not self.take_row(sink):
                break
        return n

    cdef int64_t write_fsp(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Write the row of the FSP record in front of the record (6.5, 6.6)."""
        cdef int index
        cdef RowSink* sink
        if not self.s.fsp_configured:
            self.n_lone_fsp += 1
            return 0
        if self.rows_left == 0:
            return 0
        if self.fsp_record.tag == TAG_FSP_STATUS and r.tag == TAG_STATUS:
            if self.fsp_status_sink < 0:
                return 0
            sink = &self.sinks[INTO_FSP_STATUS][self.fsp_status_sink]
            write_fsp_status(
                sink.columns, sink.loc, self.packet_id, data, self.fsp_record
            )
        elif self.fsp_record.tag == TAG_FSP_EVENT and r.tag != TAG_STATUS:
            index = self.fsp_sink_of(r.tag)
            if index < 0:
                return 0
            sink = &self.sinks[INTO_FSP_EVENT][index]
            write_fsp_event(
                sink.columns, sink.loc, self.s, self.packet_id, data, self.fsp_record
            )
        else:
            return 0
        self.take_row(sink)
        return 1

    # ---- what Python asks for ------------------------------------------------------

    def frames(self, bint of_fsp=False):
        """Return ``(start, length)`` of the last record's frames in its window."""
        cdef Record* r = self.fsp_record if of_fsp else self.record
        cdef int k
        return [(r.frames[k].start, r.frames[k].length) for k in range(r.n_frames)]

    @property
    def header_is_config(self):
        """Whether the header record at hand is a Config (else a lone FSPConfig)."""
        return self.record.tag == TAG_CONFIG

    @property
    def fsp_is_config(self):
        """Whether the last FSP record is an FSPConfig."""
        return self.has_fsp and self.fsp_record.tag == TAG_FSP_CONFIG

    @property
    def packets(self):
        return (self.packets_done[0], self.packets_done[1])

    @property
    def bytes(self):
        return (self.bytes_done[0], self.bytes_done[1])

    @property
    def irregular(self):
        """How often each of `IRREGULARITIES` was met."""
        self.irregular_count[IRREGULAR_DEAD_INTERVALS] = self.s.dead_time.n_dropped
        return {
            text: self.irregular_count[i]
            for i, text in enumerate(IRREGULARITIES) if self.irregular_count[i]
        }

    @property
    def stretch(self):
        """The stretch last passed over: ``(start, end, kind, reason, tag)``."""
        return (
            self.stretch_start, self.stretch_end, STRETCH_KINDS[self.stretch_kind],
            REASONS[self.stretch_reason], self.stretch_tag,
        )

    def skipped_channels(self):
        """Return how many traces of each key nobody asked for; starts again at 0."""
        cdef int i
        counts = {}
        keys = self.keys()["FCEvent"]
        for i in range(self.limits.n_traces):
            if self.skipped_traces[i]:
                counts[keys[i]] = counts.get(keys[i], 0) + self.skipped_traces[i]
                self.skipped_traces[i] = 0
        return counts

    @property
    def tag(self):
        """Tag of the last record."""
        return self.s.tag

    @property
    def configured(self):
        return bool(self.limits.configured)

    @property
    def fsp(self):
        """Whether the stream has a stream processor (an FSPConfig was met)."""
        return bool(self.s.fsp_configured)

    @property
    def config(self):
        """The configuration in force, or None before the first."""
        cdef Config* c = &self.s.config
        cdef int i
        if not self.limits.configured:
            return None
        period = sampling_period(c)
        return SimpleNamespace(
            adcs=c.adcs, triggers=c.triggers, eventsamples=c.samples,
            blprecision=c.blprecision, sumlength=c.sumlength, adcbits=c.adcbits,
            mastercards=c.mastercards, triggercards=c.triggercards,
            adccards=c.adccards, gps=c.gps, streamid=c.streamid,
            tracemap=np.array(
                [c.tracemap[i] for i in range(self.limits.n_traces)], dtype=np.uint32
            ),
            sampling_period_ns=int(period),
        )

    @property
    def event(self):
        """Fields of the last event record of any kind."""
        cdef Event* e = &self.s.event
        cdef DeadTime* d = &self.s.dead_time
        cdef int i
        traces = [e.traces[i] for i in range(max(e.n_traces, 0))]
        now = d.now
        return SimpleNamespace(
            type=e.type,
            num_traces=len(traces),
            trace_list=np.array(traces, dtype=np.uint16),
            timeoffset=np.array(e.to, dtype=np.int32),
            timestamp=np.array(e.ts, dtype=np.int32),
            deadregion=np.array(e.dr, dtype=np.int32),
            deadregion_size=e.dr_size,
            card_address=np.array(
                [self.s.config.tracemap[i] >> 16 for i in traces], dtype=np.uint16
            ),
            card_channel=np.array(
                [self.s.config.tracemap[i] & 0xFFFF for i in traces], dtype=np.uint16
            ),
            fpga_time_nsec=now,
            unix_time_utc_nsec=unix_ns(self.s),
            unix_time_utc_sec=unix_ns(self.s) / 1e9,
            run_time_sec=np.array([(now - d.enabled[i]) / 1e9 for i in traces]),
            life_time_sec=np.array(
                [(now - d.enabled[i] - d.dead[i]) / 1e9 for i in traces]
            ),
            dead_time_sec=np.array([d.dead[i] / 1e9 for i in traces]),
            dead_interval_nsec=np.array(
                [d.dead_interval[i] for i in traces], dtype=np.int64
            ),
        )

    @property
    def status(self):
        """Fields of the last status record."""
        cdef int32_t* when = self.s.status_time
        return SimpleNamespace(
            status=self.s.status,
            cards=self.s.n_cards,
            statustime=np.array(self.s.status_time, dtype=np.int32),
            fpga_time_sec=when[0] + 1e-6 * when[1],
            unix_time_utc_sec=when[2] + 1e-6 * when[3],
            fpga_start_time_sec=when[5] + 1e-6 * when[6],
        )

    # names for the caller of `decode`
    END = STATUS_END
    MORE = STATUS_MORE
    LIMIT = STATUS_LIMIT
    FULL = STATUS_FULL
    ALLOCATE = STATUS_ALLOCATE
    GROW = STATUS_GROW
    HEADER = STATUS_HEADER
    SKIPPED = STATUS_SKIPPED
