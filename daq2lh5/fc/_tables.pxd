# State of one FCIO stream, and the buffers of its rows.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

from .._core.kernel cimport *
from .._core.sink cimport RowSink
from ._framing cimport Limits, Record
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


cdef class FcioTables(Kernel):
    cdef State* s
    cdef Limits limits
    cdef Record* fsp_record
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
    cdef readonly bint has_fsp
    cdef dict keyed
    cdef list event_keys
    cdef uint64_t skipped_traces[MAX_TRACES]
    cdef readonly int64_t n_lone_fsp

    cdef void unmap_all(self) noexcept
    cdef int check_width(self, RowSink* sink) except -1
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
    cdef int64_t write_event(self, const uint8_t* data, const Record* r) noexcept nogil
    cdef int64_t write_event_header(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil
    cdef int64_t write_status(self, const uint8_t* data, const Record* r) noexcept nogil
    cdef int64_t write_fsp(self, const uint8_t* data, const Record* r) noexcept nogil
