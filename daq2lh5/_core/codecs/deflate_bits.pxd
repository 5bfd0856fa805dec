# Writing of bits, the lowest first (RFC 1951, 3.1.1).

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy


cdef struct Bits:
    uint8_t* at             # where the next byte goes
    uint8_t* end
    uint64_t held           # bits that do not fill a byte yet, the first one lowest
    uint64_t n              # how many: 0..7


cdef inline void put(Bits* b, uint64_t value, int n) noexcept nogil:
    """Write up to 56 bits; there is room for 8 bytes."""
    b.held |= value << b.n
    b.n += n
    memcpy(b.at, &b.held, 8)
    b.at += b.n >> 3
    b.held >>= b.n & 56
    b.n &= 7


cdef inline void put_code(Bits* b, uint64_t entry) noexcept nogil:
    """Write the code of an entry of `make_codes`."""
    put(b, (entry & ~<uint64_t>255) >> (64 - (entry & 63)), entry & 63)


cdef inline bint has_room(const Bits* b, Py_ssize_t n) noexcept nogil:
    return b.end - b.at >= n
