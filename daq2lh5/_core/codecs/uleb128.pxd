# Numbers of 7 bits a byte, one after the other: the differences of a row of samples.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t


cdef enum RowState:
    ROW_AS_WRITTEN      # the same bytes as from `encode`
    ROW_LONGER          # the same samples in more bytes
    ROW_TOO_LARGE       # a sample is beyond 16 bits
    ROW_BAD             # not a valid row


cdef inline uint32_t zigzag(uint32_t difference) noexcept nogil:
    """Return 0, 1, 2, 3, ... for 0, -1, 1, -2, ..."""
    return (difference << 1) ^ <uint32_t>(<int32_t>difference >> 31)


cdef inline uint8_t* put(uint32_t number, uint8_t* at) noexcept nogil:
    """Write a number; return the end."""
    while number > 0x7F:
        at[0] = <uint8_t>(number | 0x80)
        at += 1
        number >>= 7
    at[0] = <uint8_t>number
    return at + 1


cdef inline int64_t next_number(
    const uint8_t* p, int64_t at, int64_t n, uint32_t* number
) noexcept nogil:
    """Read a number of at most 5 bytes; return the offset of the next, or -1."""
    cdef int64_t last = min(at + 5, n)
    cdef int shift = 0
    number[0] = 0
    while at < last:
        number[0] |= <uint32_t>(p[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not p[at - 1] & 0x80:
            return at
    return -1


cdef RowState check_row(
    const uint8_t* p, int64_t n, int64_t n_samples, bint of_16_bits
) noexcept nogil
