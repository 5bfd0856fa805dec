# The bytes in memory, and checked access to them.
#
# All positions are offsets in the window, unless a name or comment says otherwise.

from libc.stdint cimport int64_t, uint8_t


cdef struct Window:
    const uint8_t* data
    int64_t n               # bytes at hand
    int64_t base            # offset of the first one in the input
    int64_t end             # end of the input, may be beyond `n`; -1: unknown
    bint at_end             # the rest of the input is in memory: `end` is `n`


cdef enum Found:
    FOUND_NO
    FOUND_YES
    FOUND_MORE              # more bytes are needed to decide


cdef inline const uint8_t* claim(const Window* w, int64_t at, int64_t n) noexcept nogil:
    """Return the `n` bytes at `at`; NULL if the window does not have all of them."""
    if at < 0 or n < 0 or at > w.n or n > w.n - at:
        return NULL
    return w.data + at


cdef inline bint ends_before(const Window* w, int64_t at) noexcept nogil:
    """Whether the input is known to end before `at`."""
    return 0 <= w.end < at
