# Rows of the FCIO tables.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t

from ._framing cimport Frame, Record
from ._state cimport Event, FspEvent, State
from .layout cimport *

# indices of the tables
cdef enum:
    INTO_EVENT
    INTO_EVENT_HEADER
    INTO_STATUS
    INTO_FSP_EVENT
    INTO_FSP_STATUS
    N_TABLES

cdef tuple new_tables()
cdef bint vectors_fit(
    int table, const void* columns, Py_ssize_t row, int64_t n
) noexcept nogil
cdef Py_ssize_t waveform_width(const void* columns) noexcept nogil
cdef void write_trace(
    void* columns, Py_ssize_t row, const State* s, int64_t packet_id, int t,
    const uint8_t* trace,
) noexcept nogil
cdef void write_header(
    void* columns, Py_ssize_t row, const State* s, int64_t packet_id,
    const uint8_t* words,
) noexcept nogil
cdef int card_id(const uint8_t* data, const Record* r, int card) noexcept nogil
cdef void write_card(
    void* columns, Py_ssize_t row, const State* s, int64_t packet_id,
    const uint8_t* data, const Record* r, int card,
) noexcept nogil
cdef void write_fsp_event(
    void* columns, Py_ssize_t row, const State* s, int64_t packet_id,
    const uint8_t* data, const Record* r,
) noexcept nogil
cdef void write_fsp_status(
    void* columns, Py_ssize_t row, int64_t packet_id, const uint8_t* data,
    const Record* r,
) noexcept nogil
