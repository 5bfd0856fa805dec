# The old version: events in chunks, and the channel of a chunk by turn.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ._framing cimport Channel, Found, Step, Window
from .layout cimport *

cdef struct Chunks:
    # what the header says
    bint counted                # chunks say how many events they have
    int n_channels
    int* keys                   # in the order of the configurations
    int first[N_FADCS]          # first channel of each FADC; -1: not there
    uint8_t heads[1 << 13]      # bits: lower halves that a first word may have
    uint64_t* codes             # sorted: those, and the raw samples that go with them
    int n_codes
    # where the stream is
    int turn[N_FADCS]           # channel whose chunk comes next
    int key                     # channel of the chunk; -1: it is over
    int last                    # channel of the last event; -1: none yet
    int64_t events_left         # in the chunk; -1: as many as fit
    # after damage: events may have been left out
    bint lost
    int64_t expected            # offset in the stream of the first event left out

cdef int set_turns(Chunks* c, Channel* channels, list keys, bint counted) except -1
cdef list find_unfinished(const Chunks* c, const Channel* channels)
cdef void next_in_chunks(
    const Window* w, int64_t at, Chunks* c, const Channel* channels, Step* s
) noexcept nogil
cdef void take_step(Chunks* c, const Channel* channels, const Step* s) noexcept nogil
cdef void lose_chunk(Chunks* c, const Step* s, int64_t offset) noexcept nogil
cdef Found find_in_chunks(
    const Window* w, const Chunks* c, const Channel* channels, int64_t start,
    int64_t stop, int64_t* found, int64_t* need,
) noexcept nogil
