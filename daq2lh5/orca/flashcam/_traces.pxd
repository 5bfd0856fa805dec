# FlashCam traces of the first generation, and their rows.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ..._core.sink cimport SinkTable
from ..packets._framing cimport Reason
from ._cards cimport Card, FlashCamCards, Listener

# A trace in the packet at hand.
cdef struct Trace:
    const uint8_t* words        # of the packet, as a long one
    int split                   # how word 2 is split
    uint32_t n_orca             # words of the headers
    uint32_t n_flashcam
    uint32_t n_samples
    Card* card                  # where it came from
    Listener* listener
    Card* place                 # the card that its key is of
    uint32_t input              # of that card
    uint32_t written_input      # as word 2 has it
    uint32_t index              # among the traces of the listener

cdef SinkTable new_trace_table()
cdef Reason read_trace(
    FlashCamCards cards, const uint8_t* words, int64_t n_words, int split, Trace* t
) noexcept nogil
cdef int64_t width_of_traces(const void* columns) noexcept nogil
cdef bint is_sound(const Trace* t) noexcept nogil
cdef void write_trace(
    FlashCamCards cards, void* columns, int64_t row, int64_t packet_id, const Trace* t
) noexcept nogil
