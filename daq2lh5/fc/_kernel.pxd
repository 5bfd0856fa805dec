# State of one FCIO stream, for other kernels that find its records in their packets.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

from .._core.sink cimport RowSink
from .._core.status cimport Status
from ._framing cimport Limits, Reason, Record
from ._rows cimport N_TABLES
from ._state cimport State
from .layout cimport *

cdef enum StretchKind:
    STRETCH_UNKNOWN
    STRETCH_CORRUPT
    STRETCH_CUT

cdef enum:
    IRREGULAR_LONG
    IRREGULAR_SHORT
    IRREGULAR_UNALIGNED
    IRREGULAR_COUNT
    IRREGULAR_DEAD_REGION
    IRREGULAR_DEAD_INTERVALS
    IRREGULAR_STATUS_BLOCK
    N_IRREGULARITIES


cdef enum Verdict:
    VERDICT_ACCEPT
    VERDICT_RESUME      # reject the record, go on behind it
    VERDICT_SCAN        # reject the record, its end cannot be trusted
    VERDICT_MORE


cdef class FcioStream:
    cdef State* s
    cdef Limits limits
    cdef Record* record
    cdef Record* fsp_record
    cdef Record* scratch
    cdef tuple tables
    cdef RowSink* sinks[N_TABLES]
    cdef int16_t event_sink[MAX_TRACES]
    cdef int header_sink
    cdef int fsp_event_sink
    cdef int fsp_header_sink
    cdef int fsp_status_sink
    # by the lower half of a card's request id
    cdef int16_t status_sinks[MAX_REQUEST_IDS]
    cdef bint status_wanted

    cdef readonly int64_t packet_id
    cdef bint number_shared
    cdef readonly int64_t consumed
    cdef readonly int64_t need
    cdef readonly int64_t n_packets
    cdef readonly bint any_full
    cdef public int64_t rows_left
    cdef readonly int detail_table
    cdef readonly int64_t detail_sink
    cdef readonly bint has_fsp
    cdef readonly list fsp_frames
    cdef dict keyed
    cdef readonly int64_t record_start
    cdef readonly int64_t record_end

    cdef int64_t packets_done[2]
    cdef int64_t bytes_done[2]
    cdef int64_t irregular_count[N_IRREGULARITIES]
    cdef uint64_t skipped_traces[MAX_TRACES]
    cdef readonly int64_t n_extra_frames
    cdef readonly bint short_tracemap
    cdef readonly int64_t n_lone_fsp

    # the stretch that is being passed over: absolute offsets in the stream
    cdef readonly bint scanning
    cdef int64_t scan_at
    cdef int64_t walk
    cdef int stretch_kind
    cdef int end_kind
    cdef readonly int64_t stretch_start
    cdef readonly int64_t stretch_end
    cdef readonly int stretch_reason
    cdef readonly int stretch_tag

    cdef bint in_packet

    cdef void unmap_all(self) noexcept
    cdef int acquire(self) except -1
    cdef int check_width(self, RowSink* sink) except -1
    cdef int release(self) except -1
    cdef int keep_fsp_config(self, const uint8_t* data) except -1
    cdef bint provide(self, Status status) except -1
    cdef Status decode_payload(
        self, const uint8_t* data, int64_t n, int64_t start, int64_t packet_id,
        int64_t rows_left,
    ) except *
    cdef Status run(
        self, const uint8_t* data, int64_t n, int64_t base, int64_t left, bint at_end,
        int64_t max_packets,
    ) noexcept nogil
    cdef Status packet(
        self, const uint8_t* data, int64_t n, int64_t base, int64_t left, bint at_end,
    ) noexcept nogil
    cdef void next_number(self) noexcept nogil
    cdef Status commit_lone_fsp(
        self, const uint8_t* data, int64_t start, const Record* r, int32_t next_tag
    ) noexcept nogil
    cdef Verdict judge(
        self, const uint8_t* data, int64_t n, int64_t left, bint at_end, Record* r
    ) noexcept nogil
    cdef void reject(
        self, int64_t base, int64_t start, const Record* r, Verdict verdict
    ) noexcept nogil
    cdef void start_scan(
        self, int64_t start, int64_t scan_at, int64_t walk, Reason reason, int32_t tag
    ) noexcept nogil
    cdef Status finish_scan(self, int64_t base, int64_t end, int kind) noexcept nogil
    cdef Status scan_more(self, int64_t base, int64_t at) noexcept nogil
    cdef Status scan(
        self, const uint8_t* data, int64_t n, int64_t base, int64_t left, bint at_end,
    ) noexcept nogil
    cdef int64_t step_at(
        self, const uint8_t* data, int64_t n, int64_t left, bint at_end, int64_t at
    ) noexcept nogil
    cdef void note_faults(self, const Record* r) noexcept nogil
    cdef Status commit(self, const uint8_t* data, Record* r) noexcept nogil
    cdef Status lacks(
        self, Status status, int table, int64_t sink, int64_t need
    ) noexcept nogil
    cdef Status room_in(self, int table, int sink, int64_t rows) noexcept nogil
    cdef Status make_room(self, const uint8_t* data, const Record* r) noexcept nogil
    cdef int fsp_sink_of(self, int32_t tag) noexcept nogil
    cdef int trace_at(
        self, const uint8_t* data, const Record* r, int i
    ) noexcept nogil
    cdef Status room_for_event(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil
    cdef int n_cards_used(self, const uint8_t* data, const Record* r) noexcept nogil
    cdef Status room_for_status(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil
    cdef bint take_row(self, RowSink* sink) noexcept nogil
    cdef int64_t write_event(self, const uint8_t* data, const Record* r) noexcept nogil
    cdef int64_t write_event_header(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil
    cdef int64_t write_status(self, const uint8_t* data, const Record* r) noexcept nogil
    cdef int64_t write_fsp(self, const uint8_t* data, const Record* r) noexcept nogil
