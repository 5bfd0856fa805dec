"""The channels of digitizers: routes of rows, and settings that packets lack.

Section numbers refer to the ORCA format.
"""

from libc.math cimport NAN
from libc.string cimport memset

from .._routes cimport *


cdef class DigitizerChannels:
    """The channels of the digitizers of a file, by key (format 2.1)."""

    def __cinit__(self):
        # ROUTE_ASK
        memset(self.routes, 0xFF, sizeof(self.routes))

    def set_averages(self, words):
        """Set the number of words of moving averages in SIS3316 events, by key."""
        memset(self.averages, 0, sizeof(self.averages))
        for key, n in words.items():
            if 0 <= key < N_CHANNELS:
                self.averages[key] = min(max(n, 0), 0xFFE)

    cdef void set_routes(self, int kind, dict routes, dict periods) except *:
        """Set the routes and sampling periods of a kind of digitizer by key.

        Values of the key None apply to channels without their own. The kernel stops at
        channels without a route.
        """
        cdef int i
        cdef int route = routes.get(None, ROUTE_ASK)
        cdef float period = periods.get(None, NAN)
        for i in range(N_CHANNELS):
            self.routes[kind][i] = route
            self.periods[kind][i] = period
        for key, each in routes.items():
            if key is not None and 0 <= key < N_CHANNELS:
                self.routes[kind][key] = each
        for key, each in periods.items():
            if key is not None and 0 <= key < N_CHANNELS:
                self.periods[kind][key] = each

    cdef void skip(self, int kind, uint32_t key) noexcept nogil:
        """Count an event that is not selected."""
        self.skipped[kind][key] += 1
        self.any_skipped[kind] = True

    cdef dict skipped_of(self, int kind):
        """Return the number of unselected events of a kind of digitizer by key."""
        if not self.any_skipped[kind]:
            return {}
        return {
            i: self.skipped[kind][i] for i in range(N_CHANNELS) if self.skipped[kind][i]
        }
