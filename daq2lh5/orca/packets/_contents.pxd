# Whether the contents of a packet fit its kind and its length.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ._framing cimport *

cdef enum Records:          # FCIO records of a packet for its decoder
    RECORDS_NONE
    RECORDS_WHOLE
    RECORDS_TOO_LONG        # a frame exceeds the packet

cdef bint looks_right(const Window* w, const Ids* ids, const Packet* p) noexcept nogil
cdef bint can_look_wrong(const Ids* ids, const Packet* p) noexcept nogil
cdef bint ends_well(const Window* w, const Ids* ids, const Packet* p) noexcept nogil
cdef Records fcio_records(
    const uint8_t* data, int64_t n, int allowed, int64_t* begin
) noexcept nogil
cdef int64_t end_of_records(const Window* w, const Packet* p) noexcept nogil
