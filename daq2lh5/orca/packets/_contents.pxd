# Whether the contents of a packet fit its kind and its length.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ._framing cimport *

cdef bint looks_right(const Window* w, const Ids* ids, const Packet* p) noexcept nogil
cdef bint ends_well(const Window* w, const Ids* ids, const Packet* p) noexcept nogil
cdef int64_t end_of_records(const Window* w, const Packet* p) noexcept nogil
cdef bint can_look_wrong(const Ids* ids, const Packet* p) noexcept nogil
cdef int evidence_of(const Window* w, const Ids* ids, const Packet* p) noexcept nogil
cdef Found fcio_records(
    const uint8_t* data, int64_t n, int allowed, int64_t* begin
) noexcept nogil
cdef Found runs_into_zeros(
    const Window* w, const Ids* ids, const Packet* p, int64_t* need
) noexcept nogil
cdef bint is_zeroed(const uint8_t* words, int64_t n) noexcept nogil
