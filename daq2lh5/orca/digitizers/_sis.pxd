# Events in the packets of Struck digitizers.

from libc.stdint cimport int32_t, int64_t, uint8_t

from ._events cimport Event
from ..packets._framing cimport Packet

cdef bint next_sis3302(const uint8_t* w, const Packet* p, Event* e) noexcept nogil
cdef bint next_sis3316(
    const uint8_t* w, const Packet* p, const int32_t* averages, Event* e
) noexcept nogil
cdef bint next_sis3305(const uint8_t* w, const Packet* p, Event* e) noexcept nogil
cdef bint next_sis3320(const uint8_t* w, const Packet* p, Event* e) noexcept nogil
cdef void write_sis3302(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil
cdef void write_sis3316(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil
cdef void write_sis3305(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil
cdef void write_sis3320(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil
