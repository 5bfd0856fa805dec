# State of one FCIO stream, and the buffers that take its rows.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

from .._core.sink cimport RowSink
from .._core.status cimport Status
from ._framing cimport Limits, Record
from ._rows cimport N_TABLES
from ._state cimport State
from .layout cimport *

cdef enum:
    IRREGULAR_LONG
    IRREGULAR_SHORT
    IRREGULAR_UNALIGNED
    IRREGULAR_COUNT
    IRREGULAR_DEAD_REGION
    IRREGULAR_DEAD_INTERVALS
    IRREGULAR_STATUS_BLOCK
    N_IRREGULARITIES


cdef class FcioTables:
    cdef State* s
    cdef Limits limits
    cdef Record* fsp_record
    cdef tuple tables
    cdef RowSink* sinks[N_TABLES]
    cdef int16_t event_sink[MAX_TRACES]
    cdef int header_sink
    cdef int fsp_event_sink
    cdef int fsp_header_sink
    cdef int fsp_status_sink
    # by the lower half of a card's request id
    cdef int16_t status_sinks[MAX_REQUEST_IDS]
    # cards that were reported to Python
    cdef uint8_t card_told[MAX_REQUEST_IDS]
    cdef public bint asks_for_cards
    cdef readonly int detail_card
    cdef bint status_wanted
    cdef readonly int64_t packet_id
    cdef readonly int64_t need
    cdef readonly bint any_full
    cdef public int64_t rows_left
    cdef readonly int detail_table
    cdef readonly int64_t detail_sink
    cdef readonly bint has_fsp
    cdef dict keyed
    cdef list event_keys
    cdef int64_t irregular_count[N_IRREGULARITIES]
    cdef uint64_t skipped_traces[MAX_TRACES]
    cdef readonly int64_t n_lone_fsp

    cdef void unmap_all(self) noexcept
    cdef int acquire(self) except -1
    cdef int check_width(self, RowSink* sink) except -1
    cdef int release(self) except -1
    cdef bint provide(self, Status status) except -1
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
