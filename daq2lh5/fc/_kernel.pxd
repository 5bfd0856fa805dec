# State of one FCIO stream, for other kernels that find its records in their packets.

from libc.stdint cimport int32_t, int64_t, uint8_t

from .._core.status cimport Status
from ._framing cimport Reason, Record
from ._tables cimport FcioTables

cdef enum StretchKind:
    STRETCH_UNKNOWN
    STRETCH_CORRUPT
    STRETCH_CUT

cdef enum Verdict:
    VERDICT_ACCEPT
    VERDICT_RESUME      # reject the record, go on behind it
    VERDICT_SCAN        # reject the record, its end cannot be trusted
    VERDICT_MORE


cdef class FcioStream(FcioTables):
    cdef Record* record
    cdef Record* scratch

    cdef bint number_shared
    cdef readonly int64_t consumed
    cdef readonly int64_t n_packets
    cdef readonly list fsp_frames
    cdef readonly int64_t record_start
    cdef readonly int64_t record_end

    cdef int64_t packets_done[2]
    cdef int64_t bytes_done[2]
    cdef readonly int64_t n_extra_frames
    cdef readonly bint short_tracemap
    cdef readonly bint kept_fields

    # the stretch that is being passed over: absolute offsets in the stream
    cdef readonly bint scanning
    cdef int64_t scan_at
    cdef int64_t walk
    cdef int stretch_kind
    cdef int end_kind
    cdef int n_empty            # empty frames in a row, in the walk
    cdef readonly int64_t stretch_start
    cdef readonly int64_t stretch_end
    cdef readonly int stretch_reason
    cdef readonly int stretch_tag

    cdef bint in_packet

    cdef int keep_fsp_config(self, const uint8_t* data) except -1
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
