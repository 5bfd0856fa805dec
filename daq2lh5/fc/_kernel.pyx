"""Decode FCIO records straight into columns.

A :class:`FcioKernel` goes through the records of one stream: it finds the next record,
decides whether to accept it, and searches for another if not. :class:`.FcioTables`
writes the rows. The parts that all kernels share are in `daq2lh5._core.kernel`.

The sections named are those of the FCIO specification.
"""

import sys

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free

from .._core.bytes cimport load_i32
from .._core.kernel cimport *
from ._framing cimport *
from ._state cimport *
from ._tables cimport *
from .layout cimport *

if sys.byteorder != "little":
    raise ImportError("daq2lh5 copies samples as they are: little-endian machines only")


cdef enum:
    # results of `step_at` other than a number of bytes
    STEP_DONE = -1
    STEP_MORE = -2
    STEP_BAD = -3

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
"""Accepted violations of the format's rules; see `Kernel.irregular`."""

cdef class FcioKernel(FcioTables):
    """Find, check and decode the records of one FCIO stream.

    Parameters
    ----------
    listener
        number of the listener that the stream's configurations must have; -1: any.

    Attributes
    ----------
    fsp_frames
        frames of the last FSPConfig record, or None.
    n_extra_frames, short_tracemap, kept_fields
        records with more frames than their kind has; whether a configuration had fewer
        trace addresses than traces, or left out its stream id.
    damage_tag
        tag of the record at the start of the damaged range; 0 if unknown.
    """

    reasons = REASONS
    irregularities = IRREGULARITIES

    def __cinit__(self, int32_t listener=-1):
        self.record_at_hand = <Record*>calloc(1, sizeof(Record))
        self.scratch = <Record*>calloc(1, sizeof(Record))
        if self.record_at_hand == NULL or self.scratch == NULL:
            raise MemoryError
        self.walk = -1
        self.zeros_code = REASON_ZEROS

    def __dealloc__(self):
        free(self.record_at_hand)
        free(self.scratch)

    # ---- the loop ------------------------------------------------------------------

    cdef Status handle(self, Status status) except *:
        if status == STATUS_HEADER:
            self.keep_fsp_config()
        return FcioTables.handle(self, status)

    cdef int keep_fsp_config(self) except -1:
        """Keep the frames of an FSPConfig in front of the header record at hand."""
        cdef const char* data = <const char*>self.window.data
        cdef Frame* f
        cdef int k
        if not self.has_fsp or self.fsp_record.tag != TAG_FSP_CONFIG:
            return 0
        self.fsp_frames = []
        for k in range(self.fsp_record.n_frames):
            f = &self.fsp_record.frames[k]
            self.fsp_frames.append((data + f.start)[: f.length])
        return 0

    def decode_packet(self, packet, keyed, int64_t packet_id):
        """Decode one record from its bytes.

        Parameters
        ----------
        packet
            the bytes: a record, or an FSP record and the record that it describes.
        keyed
            the buffers of the rows, see `set_buffers`.
        packet_id
            number of the record.

        Returns
        -------
        any_full
            whether a buffer has no room for another record.

        Raises
        ------
        ValueError
            if the record is damaged, or does not fit the buffers.
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
            raise ValueError(f"record {packet_id}: {self.describe_damage()}")
        if status == STATUS_FULL and not self.n_packets:
            raise ValueError(
                f"record {packet_id} does not fit the buffer: make the buffer longer"
            )
        if self.n_packets == 0:
            raise ValueError(f"record {packet_id}: no record in {len(window)} bytes")
        if status == STATUS_HEADER:
            self.packet_id = packet_id
        return bool(self.any_full)

    cdef Status decode_payload(
        self, const uint8_t* data, int64_t n, int64_t start, int64_t packet_id,
        int64_t rows_left,
    ) except *:
        """Decode the FCIO records in an ORCA packet (7).

        All have the number of the packet. Up to 3 bytes behind them are padding.

        Parameters
        ----------
        data, n
            the records.
        start
            offset of the first record that is not decoded yet, see `consumed`.
        packet_id
            number of the packet.
        rows_left
            see the class.

        Returns
        -------
        status
            as of `decode`: STATUS_END if all records are done.
        """
        cdef Status status
        self.in_packet = True
        self.packet_id = packet_id
        self.rows_left = rows_left
        self.window = Window(data, n, 0, n, True)
        self.consumed = start
        status = self.drive(n)
        # a buffer that the last record filled is not a reason to stop here
        if status in (STATUS_FULL, STATUS_LIMIT) and n - self.consumed < 4:
            status = STATUS_END
        return status

    @property
    def fsp_config(self):
        """Settings of the stream processor by column name, or None."""
        from .fsp_config import parse_fsp_config
        return None if self.fsp_frames is None else parse_fsp_config(self.fsp_frames)

    cdef Status record(self) noexcept nogil:
        """Process the bytes at `consumed`: a handshake, a record, or damage."""
        cdef const Window* w = &self.window
        cdef int64_t at = self.consumed
        cdef int32_t head
        if w.n - at < 4:
            if not w.at_end:
                self.need = at + 4
                return STATUS_MORE
            if w.n == at or self.in_packet:
                return STATUS_END
            return self.pass_over(REASON_STRAY, 0, w.n, -1)
        head = load_i32(w.data + at)
        if head == PROTOCOL_TAG:
            if w.n - at < HANDSHAKE_BYTES and not w.at_end:
                self.need = at + HANDSHAKE_BYTES
                return STATUS_MORE
            if is_handshake(w, at):
                self.pass_bytes(HANDSHAKE_BYTES)
                return STATUS_NEXT
            if w.n - at < HANDSHAKE_BYTES:
                return self.pass_over(REASON_PAST_END, 0, at + 1, -1)
            return self.pass_over(REASON_PROTOCOL, 0, at + 1, -1)
        if head < LOWEST_TAG:
            return self.pass_over(REASON_HEADER, 0, at + 1, -1)
        if head >= 0:
            return self.pass_over(REASON_STRAY_FRAMES, 0, at, at)
        if not is_known(-head):
            return self.pass_over(REASON_UNKNOWN_TAG, -head, at + 1, at + 4)
        return self.record_with_fsp()

    cdef Status record_with_fsp(self) noexcept nogil:
        """Decode the record at `consumed`, or an FSP record and the one it describes."""
        cdef const Window* w = &self.window
        cdef int64_t at = self.consumed
        cdef Record* r = self.record_at_hand
        cdef int32_t tag = -load_i32(w.data + at)
        cdef int32_t next_tag = 0
        cdef Verdict verdict
        cdef Found found
        cdef int64_t where
        self.has_fsp = False
        if tag >= TAG_FSP_CONFIG:
            r = self.fsp_record
            if not collect_record(w, &self.limits, at, r, &self.need):
                return STATUS_MORE
            verdict = self.judge(r)
            if verdict != VERDICT_ACCEPT:
                return self.reject(r, verdict)
            self.has_fsp = True
            if r.end_kind == END_TAG:
                next_tag = -load_i32(w.data + r.end)
            elif r.end_kind == END_OF_DATA or r.end_kind == END_STRAY:
                return self.pass_over(REASON_ORPHAN_FSP, tag, r.end, r.end)
            if not is_known(next_tag) or next_tag >= TAG_FSP_CONFIG or (
                tag == TAG_FSP_CONFIG and next_tag != TAG_CONFIG and not self.in_packet
            ):
                # its lists have any length: a damaged list hides the missing record
                found = find_record(
                    w, &self.limits, r.start + 1, r.end, self.scratch, &where, &self.need
                )
                if found == FOUND_MORE:
                    return STATUS_MORE
                if found == FOUND_YES:
                    r.reason = REASON_SWALLOWED
                    return self.reject(r, VERDICT_SCAN)
                return self.commit_lone_fsp(r, next_tag)
            at = r.end
            r = self.record_at_hand
        if not collect_record(w, &self.limits, at, r, &self.need):
            return STATUS_MORE
        verdict = self.judge(r)
        if verdict != VERDICT_ACCEPT:
            return self.reject(r, verdict)
        return self.commit(r)

    cdef void next_number(self) noexcept nogil:
        if self.in_packet:
            return
        if not self.number_shared:
            self.packet_id += 1
        self.number_shared = False

    cdef Status commit_lone_fsp(self, const Record* r, int32_t next_tag) noexcept nogil:
        """Accept an FSP record without the record that it should describe."""
        apply_fsp(self.s, self.window.data, r)
        self.note_faults(r)
        self.n_lone_fsp += r.tag != TAG_FSP_CONFIG
        self.s.tag = r.tag
        self.next_number()
        # an unknown record behind it has the same number (5)
        self.number_shared = next_tag != 0 and not (
            TAG_FSP_CONFIG <= next_tag <= TAG_FSP_STATUS
        )
        self.done(FATE_DECODED, r.end - self.consumed)
        if r.tag == TAG_FSP_CONFIG:
            self.record_at_hand.tag = 0
            return STATUS_HEADER
        return STATUS_NEXT

    # ---- checks of records ---------------------------------------------------------

    cdef Verdict judge(self, Record* r) noexcept nogil:
        """Decide whether to accept a collected record (FCIO format, 1.6, 9).

        A record is accepted if all its frames have the right lengths and another
        record follows. In doubtful cases (a wrong length, frames that its kind does
        not have, no known record behind it) no other record may begin inside it: a
        damaged length may have made it swallow some. Then a complete record is kept,
        without the bytes behind it. A record with a wrong length is accepted, with the
        part of the frame that fits the field, if the next record confirms its end;
        it is counted as irregular.
        """
        cdef const Window* w = &self.window
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
        if bad_end and runs_into_zeros(w.data, r, whole):
            r.reason = REASON_ZEROS
            return VERDICT_SCAN
        reason = check_record(w.data, r, &self.limits)
        if (
            reason == REASON_NONE and at_last and r.tag == TAG_EVENT
            and r.n_frames < self.s.usual_frames[TAG_EVENT]
        ):
            # the data end before the dead region, which all earlier events had
            reason = REASON_INCOMPLETE
        if reason != REASON_NONE:
            r.reason = reason
            return VERDICT_SCAN if bad_end or at_last else VERDICT_RESUME
        if r.end_kind == END_TAG:
            sound = is_sound_after(w, r.end, &self.need)
            if sound == FOUND_MORE:
                return VERDICT_MORE
        if not bad_end and not r.faults and sound == FOUND_YES:
            return VERDICT_ACCEPT

        if whole:
            own_end = end_of_frame(r, whole - 1)
        # a first field that reads like a tag looks, with the frames behind it, like
        # another kind of event: skip it if all frames are right
        where = end_of_frame(r, 0) if whole and not bad_end else r.start + 1
        found = find_record(
            w, &self.limits, where, own_end, self.scratch, &where, &self.need
        )
        if found == FOUND_MORE:
            return VERDICT_MORE
        if found == FOUND_YES:
            r.reason = REASON_SWALLOWED
            return VERDICT_SCAN
        if own_end < r.end:
            found = find_record(
                w, &self.limits, own_end, r.end, self.scratch, &where, &self.need
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

    cdef Status reject(self, const Record* r, Verdict verdict) noexcept nogil:
        """Reject a record; the search for the next one begins inside it."""
        if verdict == VERDICT_MORE:
            return STATUS_MORE
        return self.pass_over(
            r.reason, r.tag, r.start + 1, r.end if verdict == VERDICT_RESUME else -1
        )

    # ---- damage, and unknown records -----------------------------------------------

    cdef Status pass_over(
        self, Reason reason, int32_t tag, int64_t resume, int64_t walk
    ) noexcept nogil:
        """Begin a damaged range, or an unknown record.

        `walk` is where a frame header or the next record should be; -1: unknown.
        """
        cdef int at_end = FATE_CORRUPT
        self.damage_fate = FATE_CORRUPT
        if reason == REASON_UNKNOWN_TAG or reason == REASON_STRAY_FRAMES:
            self.damage_fate = at_end = FATE_UNKNOWN
        elif reason in (
            REASON_PAST_END, REASON_INCOMPLETE, REASON_STRAY, REASON_ORPHAN_FSP,
        ):
            at_end = FATE_CUT_OFF
        self.start_damage(reason, resume, at_end)
        self.damage_tag = tag
        self.walk = -1 if walk < 0 else self.window.base + walk
        self.n_empty = 0
        return STATUS_NEXT

    cdef Status finish_damage(self, int fate, int64_t end) noexcept nogil:
        if fate == FATE_UNKNOWN and self.damage_code == REASON_UNKNOWN_TAG:
            self.next_number()
            self.n_packets += 1
        return FcioTables.finish_damage(self, fate, end)

    cdef Status scan(self) noexcept nogil:
        """Look for the next record, and walk the frames of an unknown one."""
        cdef const Window* w = &self.window
        cdef int64_t at = self.scan_at - w.base
        cdef int64_t walk, stop, where, step
        cdef Found found
        while True:
            walk = -1 if self.walk < 0 else self.walk - w.base
            stop = walk if 0 <= walk < w.n else w.n
            if at < stop:
                found = find_record(
                    w, &self.limits, at, stop, self.scratch, &where, &self.need
                )
                if found == FOUND_YES:
                    if self.damage_fate == FATE_UNKNOWN:
                        self.damage_code = REASON_SWALLOWED
                    return self.finish_damage(FATE_CORRUPT, where)
                if found == FOUND_MORE:
                    return self.continue_scan(where)
                at = stop
            if walk < 0 or walk > w.n:
                if not w.at_end:
                    self.need = w.n + 1
                    return self.continue_scan(at)
                if walk > w.n:
                    self.damage_code = REASON_PAST_END
                    self.fate_at_end = FATE_CUT_OFF
                return self.finish_at_end(w.n)
            # the walk has come to a header
            step = self.step_at(at)
            if step == STEP_DONE:
                if self.damage_fate == FATE_CORRUPT and w.n - at < 4:
                    return self.finish_at_end(at)
                return self.finish_damage(self.damage_fate, at)
            if step == STEP_MORE:
                return self.continue_scan(at)
            if step == STEP_BAD:
                self.walk = -1
                self.damage_fate = FATE_CORRUPT
            else:
                self.walk = w.base + at + step

    cdef int64_t step_at(self, int64_t at) noexcept nogil:
        """Return the bytes of the frame at `at`, or STEP_DONE, STEP_MORE, STEP_BAD."""
        cdef const Window* w = &self.window
        cdef int32_t head
        if w.n - at < 4:
            if w.at_end:
                return STEP_DONE
            self.need = at + 4
            return STEP_MORE
        head = load_i32(w.data + at)
        if head == PROTOCOL_TAG and w.n - at < HANDSHAKE_BYTES and not w.at_end:
            self.need = at + HANDSHAKE_BYTES
            return STEP_MORE
        if LOWEST_TAG <= head < 0 or is_handshake(w, at):
            return STEP_DONE
        self.n_empty = self.n_empty + 1 if head == 0 else 0
        if self.n_empty > MAX_EMPTY_FRAMES and not self.in_packet:
            self.damage_code = REASON_ZEROS
            return STEP_BAD
        if head < 0 or head > MAX_FRAME_BYTES:
            self.fate_at_end = FATE_CORRUPT
            self.damage_code = REASON_HEADER
            return STEP_BAD
        if ends_before(w, at + 4 + head):
            self.fate_at_end = FATE_CUT_OFF
            self.damage_code = REASON_PAST_END
            return STEP_BAD
        return 4 + head

    # ---- accepted records ----------------------------------------------------------

    cdef void note_faults(self, const Record* r) noexcept nogil:
        """Count the faults of an accepted record; remember its number of frames."""
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

    cdef Status commit(self, Record* r) noexcept nogil:
        """Write all rows of an accepted record or, if a buffer lacks room, none."""
        cdef const uint8_t* data = self.window.data
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
            self.done(FATE_DECODED, length)
            return STATUS_HEADER
        if r.tag == TAG_EVENT:
            r.n_traces = <int>self.limits.n_traces
        status = self.make_room(data, r)
        if status != STATUS_NEXT:
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
        self.done(FATE_DECODED if wanted or rows > 0 else FATE_SKIPPED, length)
        return STATUS_NEXT

    # ---- properties for Python -----------------------------------------------------

    @property
    def header_is_config(self):
        """Whether the header record at hand is a Config (else a lone FSPConfig)."""
        return self.record_at_hand.tag == TAG_CONFIG

    @property
    def fsp_is_config(self):
        """Whether the last FSP record is an FSPConfig."""
        return self.has_fsp and self.fsp_record.tag == TAG_FSP_CONFIG

    @property
    def irregular(self):
        self.irregular_count[IRREGULAR_DEAD_INTERVALS] = self.s.dead_time.n_dropped
        return FcioTables.irregular.__get__(self)
