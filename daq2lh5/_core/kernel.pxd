# The frame that all kernels share; see the class for its members.

from libc.stdint cimport int64_t, uint8_t

from .sink cimport RowSink
from .status cimport *
from .window cimport *

cdef enum:
    MAX_TABLES = 16
    MAX_IRREGULARITIES = 16

cdef enum:                  # fates of input; names in FATES
    FATE_DECODED
    FATE_SKIPPED            # intact, but not selected
    FATE_UNKNOWN            # of a kind that no decoder reads
    FATE_CORRUPT
    FATE_CUT_OFF            # lacks its end, since the input ends
    N_FATES


cdef class Kernel:
    cdef Window window
    cdef readonly int64_t consumed
    cdef readonly int64_t need

    # limits and progress of a call of `decode`
    cdef int64_t max_packets
    cdef readonly int64_t n_packets
    cdef public int64_t packet_id
    cdef public int64_t rows_left
    cdef readonly bint any_full
    cdef readonly bint flush
    cdef int64_t packets_done[N_FATES]
    cdef int64_t bytes_done[N_FATES]
    cdef int64_t irregular_count[MAX_IRREGULARITIES]

    # the sinks of each table, and the one that lacks memory
    cdef tuple tables
    cdef RowSink* sinks[MAX_TABLES]
    cdef int detail_table
    cdef int64_t detail_sink
    cdef int64_t detail_need

    # the damaged range; these are offsets in the input
    cdef readonly bint scanning
    cdef int64_t scan_at
    cdef readonly int64_t damage_start
    cdef readonly int64_t damage_end
    cdef readonly int damage_code
    cdef int damage_fate
    cdef int fate_at_end        # if the search comes to the end of the input
    cdef int zeros_code         # of zeros in place of records
    cdef bint ends_in_zero      # the last byte that was passed over is 0

    # for derived classes to write
    cdef Status record(self) noexcept nogil
    cdef Found find(self, int64_t start, int64_t* where) noexcept nogil
    cdef int check_sinks(self, int table, int64_t first, int64_t stop) except -1
    cdef Status handle(self, Status status) except *

    cdef Status drive(self, int64_t max_packets) except *
    cdef Status run(self) noexcept nogil
    cdef bint provide(self, Status status) except -1

    cdef Status scan(self) noexcept nogil
    cdef void start_damage(self, int code, int64_t resume, int at_end) noexcept nogil
    cdef Status continue_scan(self, int64_t at) noexcept nogil
    cdef Status finish_damage(self, int fate, int64_t end) noexcept nogil
    cdef Status finish_at_end(self, int64_t end) noexcept nogil

    cdef inline Status lack(
        self, Status status, int table, int64_t sink, int64_t need
    ) noexcept nogil:
        """Stop because a sink lacks memory for `need` rows or elements."""
        self.detail_table = table
        self.detail_sink = sink
        self.detail_need = need
        return status

    cdef inline Status room_for(
        self, int table, int64_t sink, int64_t rows
    ) noexcept nogil:
        """Return STATUS_NEXT if a sink has room for `rows` more rows."""
        cdef RowSink* s = &self.sinks[table][sink]
        if rows <= s.capacity - s.loc:
            return STATUS_NEXT
        return self.lack(
            STATUS_ALLOCATE if s.capacity == 0 else STATUS_FULL, table, sink, rows
        )

    cdef inline void row_done(self, RowSink* sink) noexcept nogil:
        """Count a row that was written."""
        sink.loc += 1
        if sink.capacity - sink.loc < sink.fill_safety:
            self.any_full = True
        if self.rows_left > 0:
            self.rows_left -= 1

    cdef inline void done(self, int fate, int64_t n_bytes) noexcept nogil:
        """Count the record at `consumed`, and go on behind it."""
        self.packets_done[fate] += 1
        self.n_packets += 1
        self.bytes_done[fate] += n_bytes
        self.consumed += n_bytes

    cdef inline void pass_bytes(self, int64_t n_bytes) noexcept nogil:
        """Go on behind intact bytes between records, such as a header."""
        self.bytes_done[FATE_DECODED] += n_bytes
        self.consumed += n_bytes
