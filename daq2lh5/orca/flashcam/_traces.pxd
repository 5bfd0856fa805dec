# FlashCam traces of the first generation, and their rows.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ..._core.sink cimport SinkTable
from ..packets._framing cimport Reason
from ._cards cimport Card, FlashCamCards, Listener

# A trace in the current packet.
cdef struct Trace:
    const uint8_t* words        # of the packet, as of a long packet
    int split                   # how word 2 is split
    uint32_t n_orca             # words of the headers
    uint32_t n_flashcam
    uint32_t n_samples
    Card* card                  # card in the packet's crate and slot
    Listener* listener
    Card* place                 # card of its key
    uint32_t input              # input of that card
    uint32_t written_input      # input in word 2
    uint32_t index              # trace index of the listener

cdef SinkTable new_trace_table()
cdef Reason read_trace(
    FlashCamCards cards, const uint8_t* words, int64_t n_words, int split, Trace* t
) noexcept nogil
cdef int64_t width_of_traces(const void* columns) noexcept nogil
cdef bint is_sound(const Trace* t) noexcept nogil
cdef void write_trace(
    FlashCamCards cards, void* columns, int64_t row, int64_t packet_id, const Trace* t
) noexcept nogil
