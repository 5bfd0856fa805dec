# State of one FCIO stream, carried from record to record (FCIO format, 2.3).

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t

from ._dead_time cimport DeadTime
from ._framing cimport Limits, Record
from ._wire cimport FSP_HWM_BYTES, FSP_WPS_BYTES, FSP_WRITE_FLAGS_BYTES
from .layout cimport *


cdef struct Config:
    int32_t adcs
    int32_t triggers
    int32_t samples
    int32_t blprecision
    int32_t sumlength
    int32_t adcbits
    int32_t mastercards
    int32_t triggercards
    int32_t adccards
    int32_t gps
    uint32_t tracemap[MAX_TRACES]
    int32_t streamid

cdef struct Event:
    # fields of the event records, carried from one to the next (format 2.3)
    int32_t type
    int32_t to[MAX_TIMES]
    int32_t ts[MAX_TIMES]
    int32_t dr[MAX_TIMES]
    int dr_size
    int n_traces
    uint16_t traces[MAX_TRACES]

cdef struct FspEvent:
    uint8_t flags[FSP_WRITE_FLAGS_BYTES]
    int32_t nconsecutive
    uint8_t hwm[FSP_HWM_BYTES]
    uint8_t wps[FSP_WPS_BYTES]

cdef struct State:
    Config config
    Event event
    int32_t status_time[MAX_TIMES]
    int32_t status
    int32_t n_cards
    FspEvent fsp
    bint fsp_configured
    int usual_frames[TAG_FSP_STATUS + 1]
    int32_t tag
    DeadTime dead_time


cdef int64_t take(
    char* target, int64_t most, const uint8_t* data, const Record* r, int k
) noexcept nogil
cdef void apply_config(
    State* s, Limits* limits, const uint8_t* data, const Record* r
) noexcept nogil
cdef bint apply_event(
    State* s, int64_t n_traces, const uint8_t* data, const Record* r
) noexcept nogil
cdef void apply_status(State* s, const uint8_t* data, const Record* r) noexcept nogil
cdef void apply_fsp(State* s, const uint8_t* data, const Record* r) noexcept nogil
cdef uint16_t fpga_baseline(const Config* c, uint16_t h0) noexcept nogil
cdef uint16_t fpga_energy(const Config* c, uint16_t h0, uint16_t h1) noexcept nogil
cdef float sampling_period(const Config* c) noexcept nogil
cdef int64_t unix_ns(const State* s) noexcept nogil
