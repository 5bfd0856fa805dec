"""The frame that all kernels share: loop, buffers, rows, damage, counts.

A kernel decodes the bytes of one input into the rows of buffers. `Kernel` is the
contract between it and its streamer
(:class:`~daq2lh5.streaming.kernel_streamer.KernelStreamer`). Each format derives its
kernel from it, and adds the decoding of a record.
"""

from typing import NamedTuple

from .sink cimport SinkTable

FATES = ("decoded", "skipped", "unknown", "corrupt", "cut_off")
"""Fates of the bytes of an input, as reports name them."""


class DamagedRange(NamedTuple):
    """A part of the input that was not decoded."""

    start: int
    """Offset in the input."""

    end: int
    """Offset of the first byte behind it."""

    fate: str
    """``"unknown"`` (records without a decoder), ``"corrupt"`` or ``"cut_off"``."""

    reason: str
    """The reason in words."""

    code: int
    """The reason, as an index of the format's `Kernel.reasons`."""


cdef class Kernel:
    """Decode the records of one input into rows, a window of bytes at a time.

    A streamer assigns buffers to rows (each format has its own methods), calls `begin`,
    then `decode` until it has enough rows, then `end`. `decode` runs without the
    interpreter until it needs Python; it returns the reason as a status:

    ``END``
        the whole input is done.
    ``MORE``
        the window must have `need` bytes.
    ``LIMIT``
        the requested number of records, or rows, is done.
    ``FULL``
        a buffer has no room for another record.
    ``SKIPPED``
        a part of the input was not decoded: see `damaged`.
    ``HEADER``
        a header was read, for Python to apply.
    ``KEY``
        rows of a key without a buffer: Python may add one.
    ``WIDTH``
        a trace has another number or type of samples than its buffer.

    A derived class implements `record`, which decodes the next record; `find`, which
    searches for a record after damage; `check_sinks`, if buffers must fit the rows;
    `handle`, for work that needs the interpreter; `reasons` and `irregularities`.

    Attributes
    ----------
    reasons
        the reasons for damage, by code (class attribute).
    irregularities
        the accepted violations of the format's rules (class attribute).
    consumed
        bytes of the window that the last call of `decode` has processed.
    need
        bytes that the same window must have for `decode` to go on.
    n_packets
        records that the last call of `decode` has processed.
    packet_id
        number of the last record.
    rows_left
        rows still to be decoded; -1: all. The streamer sets it.
    any_full
        whether the last call of `decode` left a buffer without room for another record.
    flush
        whether all rows should be handed out, although no buffer is full.
    scanning
        whether `decode` stopped inside a damaged range, whose end is not known yet.
    damage_start, damage_end, damage_code
        as of `damaged`.
    """

    reasons = {}
    irregularities = ()

    def __cinit__(self):
        self.tables = ()
        self.rows_left = -1
        self.zeros_code = -1

    # ---- buffers -------------------------------------------------------------------

    def begin(self):
        """Bind the buffers; until `end` only the kernel may touch them."""
        cdef SinkTable table
        cdef int t
        for t in range(len(self.tables)):
            table = self.tables[t]
            table.acquire()
            self.sinks[t] = table.sinks
            self.check_sinks(t, 0, table.n)

    def end(self):
        """Store the number of filled rows in the buffers, and release them."""
        cdef SinkTable table
        cdef int t
        for t in range(len(self.tables)):
            table = self.tables[t]
            table.release()
            self.sinks[t] = NULL

    cdef int check_sinks(self, int table, int64_t first, int64_t stop) except -1:
        """Check that rows fit the bound sinks `first` .. `stop` - 1."""
        return 0

    cdef bint provide(self, Status status) except -1:
        """Allocate memory for rows; False if the kernel stopped for another reason.

        If the rows of one record do not fit an empty buffer, it grows, at most to the
        limits of the format.
        """
        if status not in (STATUS_ALLOCATE, STATUS_GROW, STATUS_FULL) or (
            status == STATUS_FULL and self.any_full
        ):
            return False
        if status == STATUS_FULL and (
            self.sinks[self.detail_table][self.detail_sink].loc > 0
        ):
            self.any_full = True
            return False
        cdef SinkTable table = self.tables[self.detail_table]
        # only this buffer is bound anew: there may be thousands
        buffer = table.buffers[self.detail_sink]
        table.unbind(self.detail_sink)
        if status == STATUS_GROW:
            buffer.grow(self.detail_need)
        elif not buffer.allocated:
            buffer.arrays()
        else:
            buffer.enlarge(self.detail_need)
        table.bind_one(self.detail_sink)
        self.check_sinks(self.detail_table, self.detail_sink, self.detail_sink + 1)
        return True

    # ---- the loop ------------------------------------------------------------------

    def decode(
        self, const uint8_t[::1] window, int64_t base, left, bint at_end,
        int64_t max_packets,
    ):
        """Decode the records in a window of the input.

        Parameters
        ----------
        window
            the bytes in memory, from the first unprocessed one on.
        base
            offset of the window's first byte in the input.
        left
            bytes from there to the end of the input, or None if unknown.
        at_end
            whether the input ends with the window.
        max_packets
            stop after so many records.

        Returns
        -------
        status
            the reason to stop, see the class.
        """
        cdef Window* w = &self.window
        w.data = &window[0] if window.shape[0] else NULL
        w.n = window.shape[0]
        w.base = base
        w.at_end = at_end
        w.end = -1 if left is None else left
        # a file may have changed since it was opened
        if at_end:
            w.end = w.n
        elif w.end < w.n:
            w.end = -1
        self.consumed = 0
        self.need = 0
        try:
            return <int>self.drive(max_packets)
        finally:
            w.data = NULL
            w.n = 0

    cdef Status drive(self, int64_t max_packets) except *:
        """Run the loop until it needs the streamer."""
        cdef Status status = STATUS_NEXT
        self.max_packets = max_packets
        self.n_packets = 0
        self.any_full = False
        self.flush = False
        while status == STATUS_NEXT:
            with nogil:
                status = self.run()
            status = self.handle(status)
        return status

    cdef Status handle(self, Status status) except *:
        """Do work that needs Python but not the streamer; STATUS_NEXT: done."""
        return STATUS_NEXT if self.provide(status) else status

    cdef Status run(self) noexcept nogil:
        cdef Status status = STATUS_NEXT
        while status == STATUS_NEXT:
            if self.scanning:
                status = self.scan()
            elif self.any_full:
                status = STATUS_FULL
            elif self.n_packets >= self.max_packets or self.rows_left == 0:
                status = STATUS_LIMIT
            else:
                status = self.record()
        return status

    cdef Status record(self) noexcept nogil:
        """Decode the record at `consumed`: all of its rows or, if it stops, none.

        It returns STATUS_NEXT when the record is done, or a damaged range begins.
        """
        return STATUS_END

    # ---- damage --------------------------------------------------------------------

    cdef void start_damage(self, int code, int64_t resume, int at_end) noexcept nogil:
        """Begin a damaged range at `consumed`.

        The search for the next record begins at `resume`; if it comes to the end of the
        input, the fate of the range is `at_end`.
        """
        self.scanning = True
        self.damage_start = self.window.base + self.consumed
        self.damage_code = code
        self.scan_at = self.window.base + resume
        self.fate_at_end = at_end

    cdef Status scan(self) noexcept nogil:
        """Search for the end of the damaged range."""
        cdef int64_t where = self.scan_at - self.window.base
        cdef Found found = self.find(where, &where)
        if found == FOUND_YES:
            return self.finish_damage(FATE_CORRUPT, where)
        if found == FOUND_MORE:
            return self.continue_scan(where)
        if self.window.at_end:
            return self.finish_at_end(self.window.n)
        self.need = self.window.n + 1
        return self.continue_scan(self.window.n)

    cdef Found find(self, int64_t start, int64_t* where) noexcept nogil:
        """Search for the next record, from `start` on.

        Yes: it begins at `where`. More: the window must have `need` bytes, and no record
        begins before `where`. No: none begins in the window.
        """
        return FOUND_NO

    cdef Status continue_scan(self, int64_t at) noexcept nogil:
        """Ask for more bytes; the search has passed the bytes before `at`."""
        self.scan_at = self.window.base + at
        self.consumed = min(at, self.window.n)
        if self.consumed:
            self.ends_in_zero = self.window.data[self.consumed - 1] == 0
        return STATUS_MORE

    cdef Status finish_damage(self, int fate, int64_t end) noexcept nogil:
        """End the damaged range: go on at `end`."""
        self.scanning = False
        self.damage_fate = fate
        self.damage_end = self.window.base + end
        self.consumed = end
        return STATUS_SKIPPED

    cdef Status finish_at_end(self, int64_t end) noexcept nogil:
        """End the damaged range with the input.

        Zeros in place of records, up to there, are the end of an unfinished file.
        """
        cdef int fate = self.fate_at_end
        if self.damage_code == self.zeros_code:
            if end:
                self.ends_in_zero = self.window.data[end - 1] == 0
            fate = FATE_CUT_OFF if self.ends_in_zero else FATE_CORRUPT
        return self.finish_damage(fate, end)

    @property
    def damaged(self):
        """The last `DamagedRange`; its end is known unless `scanning`."""
        return DamagedRange(
            self.damage_start, self.damage_end, FATES[self.damage_fate],
            self.describe_damage(), self.damage_code,
        )

    def describe_damage(self):
        """Return the reason for the damage in words."""
        return self.reasons[self.damage_code]

    # ---- counts --------------------------------------------------------------------

    @property
    def packets(self):
        """Records by fate, in the order of `FATES`."""
        return tuple([self.packets_done[i] for i in range(N_FATES)])

    @property
    def bytes(self):
        """Bytes of the records, by fate."""
        return tuple([self.bytes_done[i] for i in range(N_FATES)])

    @property
    def irregular(self):
        """Number of occurrences of each of `irregularities`, without zeros."""
        return {
            text: self.irregular_count[i]
            for i, text in enumerate(self.irregularities) if self.irregular_count[i]
        }

    def skipped_channels(self):
        """Return the number of rows that are not selected, by key."""
        return {}

    # results of `decode`
    END = STATUS_END
    MORE = STATUS_MORE
    LIMIT = STATUS_LIMIT
    FULL = STATUS_FULL
    SKIPPED = STATUS_SKIPPED
    HEADER = STATUS_HEADER
    KEY = STATUS_KEY
    WIDTH = STATUS_WIDTH
