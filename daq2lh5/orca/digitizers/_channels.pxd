# The channels of digitizers: routes of rows, and settings that packets lack.

from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t

from ._events cimport N_DIGITIZERS

cdef enum:
    N_CHANNELS = 8192       # crate, card and channel in one number (ORCA format, 2.1)


cdef class DigitizerChannels:
    # indexed by key; arrays of N_DIGITIZERS also by kind, in the order of `INTO_`
    cdef int16_t routes[N_DIGITIZERS][N_CHANNELS]
    cdef float periods[N_DIGITIZERS][N_CHANNELS]
    cdef int32_t averages[N_CHANNELS]
    cdef int64_t skipped[N_DIGITIZERS][N_CHANNELS]
    cdef bint any_skipped[N_DIGITIZERS]

    cdef void set_routes(self, int kind, dict routes, dict periods) except *
    cdef void skip(self, int kind, uint32_t key) noexcept nogil
    cdef dict skipped_of(self, int kind)
