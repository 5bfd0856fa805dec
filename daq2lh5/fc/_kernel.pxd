# State of one FCIO stream; ORCA's kernel uses it for FCIO records inside packets.

from libc.stdint cimport int32_t, int64_t, uint8_t

from .._core.kernel cimport *
from ._framing cimport Reason, Record
from ._tables cimport FcioTables

cdef enum Verdict:
    VERDICT_ACCEPT
    VERDICT_RESUME      # reject the record, go on behind it
    VERDICT_SCAN        # reject the record, its end cannot be trusted
    VERDICT_MORE


cdef class FcioKernel(FcioTables):
    cdef Record* record_at_hand
    cdef Record* scratch

    cdef bint number_shared
    cdef readonly list fsp_frames
    cdef readonly int64_t n_extra_frames
    cdef readonly bint short_tracemap
    cdef readonly bint kept_fields
    cdef bint in_packet

    # of the damaged range
    cdef readonly int damage_tag
    cdef int64_t walk           # offset in the input of the next frame header; -1: lost
    cdef int n_empty            # empty frames in a row, in the walk

    cdef int keep_fsp_config(self) except -1
    cdef Status decode_payload(
        self, const uint8_t* data, int64_t n, int64_t start, int64_t packet_id,
        int64_t rows_left,
    ) except *
    cdef Status record_with_fsp(self) noexcept nogil
    cdef void next_number(self) noexcept nogil
    cdef Status commit_lone_fsp(self, const Record* r, int32_t next_tag) noexcept nogil
    cdef Verdict judge(self, Record* r) noexcept nogil
    cdef Status reject(self, const Record* r, Verdict verdict) noexcept nogil
    cdef Status pass_over(
        self, Reason reason, int32_t tag, int64_t resume, int64_t walk
    ) noexcept nogil
    cdef int64_t step_at(self, int64_t at) noexcept nogil
    cdef void note_faults(self, const Record* r) noexcept nogil
    cdef Status commit(self, Record* r) noexcept nogil
