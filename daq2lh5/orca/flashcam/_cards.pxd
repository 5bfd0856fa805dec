# FlashCam cards of the first generation, and the listeners that send their traces.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t

from ...fc.layout cimport MAX_TRACES
from ..packets._framing cimport N_CARDS, N_LISTENERS

cdef enum:
    N_INPUTS = 32
    N_SPLITS = 2            # ways to split input and trace index (ORCA format, 4.3.3)

cdef struct Card:
    int listener            # index of its listener; -1: no such card
    uint32_t address
    float dt
    bint adopted            # the header lacks the card
    int16_t routes[N_SPLITS][N_INPUTS]
    int64_t skipped[N_SPLITS][N_INPUTS]

cdef struct Listener:
    uint32_t fcid
    bint configured
    int32_t gps
    int n_enabled
    float dt
    int n_map
    uint32_t map[MAX_TRACES]    # address and input by trace index


cdef class FlashCamCards:
    cdef Card* cards            # by crate and slot
    # listeners of the header, and one for cards without a known listener
    cdef Listener* listeners
    cdef int n_listeners
    # ids of listeners with a configuration
    cdef set settled
    cdef int n_adopted
    # rows whose card address differs from the header's, or from the trace map's
    cdef readonly int64_t n_wrong_addresses
    cdef readonly int64_t n_corrected
    # for the search for packets, see `Ids`
    cdef uint8_t awaited[N_LISTENERS]
    cdef int32_t addresses[N_CARDS]
    # whether rows were skipped since they were last counted
    cdef bint any_skipped[N_SPLITS]

    cdef int add_listener(self, uint32_t fcid, int n_enabled) except -1
    cdef void set_routes(self, int split, dict routes) except *
    cdef bint adopt(self, Card* card, uint32_t word2, int split) noexcept nogil
    cdef void adopt_as(
        self, Card* card, int listener, uint32_t address, float dt
    ) noexcept nogil
    cdef Card* card_with(self, Card* card, uint32_t address) noexcept nogil
    cdef int64_t key_of(self, const Card* card, int64_t input) noexcept nogil
    cdef void skip(self, Card* card, int split, uint32_t input) noexcept nogil


cdef inline void split_word(
    uint32_t word, int split, uint32_t* input, uint32_t* trace
) noexcept nogil:
    """Split the lowest bits of word 2 into input and trace index."""
    if split == 0:
        input[0] = (word >> 10) & 0xF
        trace[0] = word & 0x3FF
    else:
        input[0] = (word >> 9) & 0x1F
        trace[0] = word & 0x1FF


cdef inline bint is_byte_of(uint32_t byte, uint32_t address) noexcept nogil:
    """Whether `byte` is the trace's part of a card address (ORCA format, 4.3.3)."""
    return byte == (address & 0xFF) or byte == ((address >> 4) & 0xFF)
