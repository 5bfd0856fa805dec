# Rows of the table of events.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from .._core.sink cimport SinkTable
from ._framing cimport Channel, Event

cdef SinkTable new_table()
cdef Py_ssize_t raw_width(const void* columns) noexcept nogil
cdef Py_ssize_t averaged_width(const void* columns) noexcept nogil
cdef uint64_t ticks_of(const uint8_t* event) noexcept nogil
cdef void write_event(
    void* columns, Py_ssize_t row, const uint8_t* event, const Event* e,
    const Channel* channel, int64_t packet_id, double start, double accuracy,
) noexcept nogil
