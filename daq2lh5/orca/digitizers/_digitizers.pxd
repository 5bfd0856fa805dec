# Events in the packets of digitizers of all kinds.

from libc.stdint cimport int32_t, int64_t, uint8_t

from ._events cimport Event
from ..packets._framing cimport Packet

cdef tuple new_digitizer_tables()
cdef bint next_event(
    const uint8_t* w, const Packet* p, const int32_t* averages, Event* e
) noexcept nogil
cdef int64_t samples_per_row(int table, const void* columns) noexcept nogil
cdef bint row_has_room(
    int table, const void* columns, int64_t row, const Event* e
) noexcept nogil
cdef void write_event(
    int table, void* columns, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil
