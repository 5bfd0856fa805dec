"""Decode FCIO records straight into columns.

One :class:`FcioStream` goes through one stream of records: which packet comes next,
whether it is sound, where to go on if not; its rows go where :class:`.FcioTables`
has them go. `FcioStream.decode` runs over a window of bytes without the interpreter until something needs Python: more
bytes, a full buffer, a configuration, a stretch that is no record.

The sections named are those of the FCIO specification.
"""

import sys

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free

from .._core.bytes cimport load_i32
from .._core.status cimport *
from ._framing cimport *
from ._state cimport *
from ._tables cimport *
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
    REASON_ZEROS: "zeros in place of records",
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

cdef class FcioStream(FcioTables):
    """One FCIO stream: its packets are found, judged and taken in.

    Parameters
    ----------
    listener
        number of the listener whose configurations the stream has; -1: not known.

    Attributes
    ----------
    consumed
        bytes of the window that the last call of `decode` is done with.
    need
        bytes that the window must hold for `decode` to go on, of the same window.
    packets, bytes
        what was decoded and what was skipped because nobody asked for it, as
        ``(decoded, skipped)``.
    """

    def __cinit__(self, int32_t listener=-1):
        self.record = <Record*>calloc(1, sizeof(Record))
        self.scratch = <Record*>calloc(1, sizeof(Record))
        if self.record == NULL or self.scratch == NULL:
            raise MemoryError
        self.walk = -1

    def __dealloc__(self):
        free(self.record)
        free(self.scratch)

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
        asks, self.asks_for_cards = self.asks_for_cards, False
        if self.configured:
            self.set_buffers(keyed)
        self.packet_id = packet_id - 1
        self.begin()
        try:
            status = self.decode(window, 0, len(window), True, 1)
        finally:
            self.end()
            self.asks_for_cards = asks
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
        cdef Found found
        cdef int64_t where
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
            if not is_known(next_tag) or next_tag >= TAG_FSP_CONFIG or (
                tag == TAG_FSP_CONFIG and next_tag != TAG_CONFIG and not self.in_packet
            ):
                # its lists have any length: a damaged one hides the missing record
                found = find_record(
                    data, n, left, at_end, &self.limits, r.start + 1, r.end,
                    self.scratch, &where, &self.need,
                )
                if found == FOUND_MORE:
                    return STATUS_MORE
                if found == FOUND_YES:
                    r.reason = REASON_SWALLOWED
                    self.reject(base, start, r, VERDICT_SCAN)
                    return STATUS_LIMIT
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
        """Decide whether a collected record may be used (FCIO format, 1.6, 9).

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
        if bad_end and runs_into_zeros(data, r, whole):
            r.reason = REASON_ZEROS
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
        self.n_empty = 0
        if reason == REASON_UNKNOWN_TAG or reason == REASON_STRAY_FRAMES:
            self.stretch_kind = STRETCH_UNKNOWN
            self.end_kind = STRETCH_UNKNOWN
        elif reason in (
            REASON_PAST_END, REASON_INCOMPLETE, REASON_STRAY, REASON_ORPHAN_FSP,
            REASON_ZEROS,
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
                elif self.stretch_reason == REASON_ZEROS and n and data[n - 1]:
                    # they do not go up to the end
                    self.end_kind = STRETCH_CORRUPT
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
        self.n_empty = self.n_empty + 1 if head == 0 else 0
        if self.n_empty > MAX_EMPTY_FRAMES and not self.in_packet:
            self.end_kind = STRETCH_CUT
            self.stretch_reason = REASON_ZEROS
            return STEP_BAD
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
            # a missing stream id keeps its value (format 2.3)
            self.kept_fields |= (
                self.limits.configured and self.s.config.streamid != 0
                and r.n_frames <= STREAM_ID_FRAME
            )
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

    # names for the caller of `decode`
    END = STATUS_END
    MORE = STATUS_MORE
    LIMIT = STATUS_LIMIT
    FULL = STATUS_FULL
    ALLOCATE = STATUS_ALLOCATE
    GROW = STATUS_GROW
    HEADER = STATUS_HEADER
    SKIPPED = STATUS_SKIPPED
    KEY = STATUS_KEY
