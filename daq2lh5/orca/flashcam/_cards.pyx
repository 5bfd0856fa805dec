"""FlashCam cards of the first generation, and the listeners that send their traces.

Section numbers refer to the ORCA format.
"""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from .._routes cimport *


cdef class FlashCamCards:
    """Cards and listeners of a file, from its headers and configurations.

    Attributes
    ----------
    adopted
        ``(crate, slot)`` of cards with traces that the header lacks.
    """

    def __cinit__(self):
        self.cards = <Card*>calloc(N_CARDS, sizeof(Card))
        if self.cards == NULL:
            raise MemoryError
        self.settled = set()
        self.set_listeners([])

    def __dealloc__(self):
        free(self.cards)
        free(self.listeners)

    # ---- headers and configurations ------------------------------------------------

    def set_listeners(self, listeners, keep=False):
        """Set the cards of the header.

        Parameters
        ----------
        listeners
            for each listener its id, number of inputs in use, and cards as
            ``(crate, slot, address, sampling period in ns)``.
        keep
            whether earlier configurations stay valid.
        """
        cdef Py_ssize_t i, k
        cdef Listener* before = self.listeners
        cdef int n_before = self.n_listeners
        self.n_listeners = 0
        self.listeners = <Listener*>calloc(len(listeners) + 1, sizeof(Listener))
        if self.listeners == NULL:
            free(before)
            raise MemoryError
        self.n_listeners = len(listeners)
        # configurations stay valid in a sub-run
        for i in range(self.n_listeners if keep else 0):
            for k in range(n_before):
                if before[k].fcid == listeners[i][0]:
                    self.listeners[i] = before[k]
        free(before)
        if not keep:
            self.settled.clear()
        memset(self.awaited, 0, sizeof(self.awaited))
        self.n_adopted = 0
        for i in range(N_CARDS):
            self.addresses[i] = -1
            self.cards[i].listener = -1
            self.cards[i].adopted = False
            memset(self.cards[i].routes, 0xFF, sizeof(self.cards[i].routes))
        for i, (fcid, n_enabled, cards) in enumerate(listeners):
            self.listeners[i].fcid = fcid
            self.listeners[i].n_enabled = n_enabled
            self.awaited[fcid & 0xFFFF] = fcid not in self.settled
            for crate, slot, address, period in cards:
                if 0 <= crate < 32 and 0 <= slot < 32:
                    k = crate * 32 + slot
                    self.cards[k].listener = i
                    self.cards[k].address = address & 0xFFFF
                    self.addresses[k] = address & 0xFFFF
                    self.cards[k].dt = period

    def settle(self, fcid):
        """Mark a listener as configured."""
        self.settled.add(fcid)
        self.awaited[fcid & 0xFFFF] = False

    def configure(self, fcid, int32_t gps, float period, tracemap):
        """Use the configuration of a listener."""
        cdef Py_ssize_t i, k
        self.settle(fcid)
        if fcid not in [self.listeners[i].fcid for i in range(self.n_listeners)]:
            self.add_listener(fcid, len(tracemap))
        for i in range(self.n_listeners):
            if self.listeners[i].fcid != fcid:
                continue
            self.listeners[i].configured = True
            self.listeners[i].gps = gps
            self.listeners[i].dt = period
            self.listeners[i].n_map = min(len(tracemap), MAX_TRACES)
            for k in range(self.listeners[i].n_map):
                self.listeners[i].map[k] = tracemap[k]

    cdef int add_listener(self, uint32_t fcid, int n_enabled) except -1:
        """Add a listener that the header lacks."""
        cdef Py_ssize_t i
        cdef int last = self.n_listeners
        cdef Listener* more = <Listener*>realloc(
            self.listeners, (last + 2) * sizeof(Listener)
        )
        if more == NULL:
            raise MemoryError
        self.listeners = more
        # (the last entry stays the listener of cards without a known one)
        more[last + 1] = more[last]
        for i in range(N_CARDS):
            if self.cards[i].listener == last:
                self.cards[i].listener = last + 1
        more[last].fcid = fcid
        more[last].n_enabled = n_enabled
        self.n_listeners += 1
        return 0

    # ---- cards that the header lacks -----------------------------------------------

    cdef bint adopt(self, Card* card, uint32_t word2, int split) noexcept nogil:
        """Find the listener of a card that the header lacks, or has elsewhere.

        The trace maps determine it, or else a card with that address in another slot.
        For other cards, only a byte of the address is known (format 4.3.3). False if
        the trace is impossible.
        """
        cdef uint32_t byte = (word2 >> 14) & 0xFF
        cdef uint32_t input, trace
        cdef bint configured = False
        cdef Listener* l
        cdef Card* other
        cdef int i
        split_word(word2, split, &input, &trace)
        for i in range(self.n_listeners):
            l = &self.listeners[i]
            configured |= l.configured
            if l.configured and trace < <uint32_t>l.n_map and (
                l.map[trace] & 0xFFFF == input and is_byte_of(byte, l.map[trace] >> 16)
            ):
                self.adopt_as(card, i, l.map[trace] >> 16, l.dt)
                return True
        if configured:
            return False
        for i in range(N_CARDS):
            other = &self.cards[i]
            if other.listener >= 0 and not other.adopted and (
                other != card and is_byte_of(byte, other.address)
            ):
                self.adopt_as(card, other.listener, other.address, other.dt)
                return True
        i = 0 if self.n_listeners == 1 else self.n_listeners
        self.adopt_as(card, i, byte << 4, NAN)
        return True

    cdef void adopt_as(
        self, Card* card, int listener, uint32_t address, float dt
    ) noexcept nogil:
        card.listener = listener
        card.address = address
        card.dt = dt
        card.adopted = True
        self.n_adopted += 1

    @property
    def adopted(self):
        if not self.n_adopted:
            return []
        return [(i >> 5, i & 31) for i in range(N_CARDS) if self.cards[i].adopted]

    # ---- keys ----------------------------------------------------------------------

    cdef Card* card_with(self, Card* card, uint32_t address) noexcept nogil:
        """Return the card of the same listener with an address, otherwise `card`."""
        cdef int k
        if card.address == address:
            return card
        for k in range(N_CARDS):
            if self.cards[k].listener == card.listener and (
                self.cards[k].address == address
            ):
                return &self.cards[k]
        return card

    cdef int64_t key_of(self, const Card* card, int64_t input) noexcept nogil:
        return (
            <int64_t>self.listeners[card.listener].fcid * 1000000
            + <int64_t>card.address * 100 + input
        )

    def keys(self):
        """Return the keys of all inputs of the cards."""
        return {
            self.key_of(&self.cards[i], k)
            for i in range(N_CARDS) if self.cards[i].listener >= 0
            for k in range(N_INPUTS)
        }

    cdef void set_routes(self, int split, dict routes) except *:
        """Set the routes of traces by key; keys without a route stop the kernel."""
        cdef Py_ssize_t i, k
        for i in range(N_CARDS):
            for k in range(N_INPUTS):
                self.cards[i].routes[split][k] = ROUTE_ASK
                if self.cards[i].listener >= 0:
                    self.cards[i].routes[split][k] = routes.get(
                        self.key_of(&self.cards[i], k), ROUTE_ASK
                    )

    cdef void skip(self, Card* card, int split, uint32_t input) noexcept nogil:
        """Count a trace that is not selected."""
        card.skipped[split][input] += 1
        self.any_skipped[split] = True

    def skipped_channels(self, int split):
        """Return the number of unselected traces by key, since the last call.

        A later header may have other cards there.
        """
        cdef int i, k
        cdef Card* card
        counts = {}
        if not self.any_skipped[split]:
            return counts
        self.any_skipped[split] = False
        for i in range(N_CARDS):
            card = &self.cards[i]
            if card.listener < 0:
                continue
            for k in range(N_INPUTS):
                if card.skipped[split][k]:
                    counts[self.key_of(card, k)] = card.skipped[split][k]
                    card.skipped[split][k] = 0
        return counts
