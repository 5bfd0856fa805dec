# Old version: chunks of events, for each FADC in the fixed order of its channels.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from .._core.window cimport Found, Window
from ._framing cimport Channel, Step
from .layout cimport *

cdef struct Chunks:
    # from the header
    bint counted                # chunks have a number of events
    int n_channels
    int* keys                   # in the order of the configurations
    int first[N_FADCS]          # first channel of each FADC, or -1
    uint8_t heads[1 << 13]      # bitmap of possible lower halves of first words
    uint64_t* codes             # sorted: lower half and number of raw samples
    int n_codes
    # state of the stream
    int turn[N_FADCS]           # channel whose chunk comes next
    int key                     # channel of the current chunk, or -1
    int last                    # channel of the last event, or -1
    int64_t events_left         # in the chunk; -1: unknown
    # after damage: events may be lost
    bint lost
    int64_t expected            # offset in the stream of the first lost event

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
