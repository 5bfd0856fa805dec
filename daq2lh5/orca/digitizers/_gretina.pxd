# Events in the packets of Gretina digitizers.

from libc.stdint cimport int64_t, uint8_t

from ._events cimport Event
from ..packets._framing cimport Packet

cdef bint next_gretina4m(const uint8_t* w, const Packet* p, Event* e) noexcept nogil
cdef bint next_gretina4a(const uint8_t* w, const Packet* p, Event* e) noexcept nogil
cdef void write_gretina4m(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil
cdef void write_gretina4a(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil
