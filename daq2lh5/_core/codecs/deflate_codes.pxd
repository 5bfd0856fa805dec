# Huffman codes: their lengths, the codes, and symbols written with them (RFC 1951, 3.2).

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from .deflate_bits cimport Bits, put, put_code

cdef enum:
    SYMBOLS = 286           # of the literal/length alphabet (RFC 1951, 3.2.5)


cdef inline int32_t floor_power(float x) noexcept nogil:
    """Return the highest power of two up to `x`, which must be at least 1."""
    cdef uint32_t bits
    memcpy(&bits, &x, 4)
    bits = bits >> 23 << 23
    memcpy(&x, &bits, 4)
    return <int32_t>x


cdef inline Py_ssize_t code_lengths(
    const int32_t* count, Py_ssize_t n, int limit, uint8_t* length, uint16_t* used
) noexcept nogil:
    """Give each symbol that is used (at least two) a code length, up to `limit`.

    A code of length l takes a share of 2**-l of the code space. Here the share is
    the symbol's probability times a factor, rounded down to a power of two, with the
    greatest factor that fits. That is within 0.03 bits a symbol of the entropy, as
    Huffman's algorithm is, but without sorting. Remaining space is then given away,
    since a code must be complete (RFC 1951, 3.2.7). Lists the symbols that are used,
    and returns their number.
    """
    cdef float weight[SYMBOLS + 8]
    cdef int32_t share[SYMBOLS]
    cdef int32_t space = 1 << limit
    cdef int32_t total = 0
    cdef int32_t left, taken
    cdef float least, low, high, scale
    cdef Py_ssize_t i, step, padded
    cdef Py_ssize_t m = 0
    cdef uint32_t bits
    cdef float x
    for i in range(n):
        used[m] = <uint16_t>i
        weight[m] = <float>count[i]
        total += count[i]
        m += count[i] != 0
    # a bit more than a share of 1 at the lowest factor, whatever the rounding
    least = <float>2.01 * total / space
    for i in range(m):
        x = weight[i]
        weight[i] = x if x > least else least
    padded = (m + 7) & ~7
    for i in range(m, padded):
        weight[i] = 0
    low = <float>0.5 * space / total        # fits, with n up to half of the space
    high = 4 * low
    for step in range(6):
        scale = (low + high) / 2
        taken = 0
        for i in range(padded):
            taken += floor_power(weight[i] * scale)
        if taken <= space:
            low = scale
        else:
            high = scale
    left = space
    for i in range(m):
        share[i] = floor_power(weight[i] * low)
        left -= share[i]
    # the least share divides the remaining space: each turn gives away something
    while left > 0:
        for i in range(m):
            if share[i] <= left:
                left -= share[i]
                share[i] *= 2
    memset(length, 0, n)
    for i in range(m):
        x = <float>share[i]
        memcpy(&bits, &x, 4)
        length[used[i]] = <uint8_t>(127 + limit - (bits >> 23))
    return m


cdef inline void make_codes(
    const uint8_t* length, const uint16_t* used, Py_ssize_t m, uint64_t* entry
) noexcept nogil:
    """Make the canonical code (RFC 1951, 3.2.2) of the `m` symbols that are used.

    An entry has the code in its highest bits, the bit that is written last on top,
    and the length in the lowest byte.
    """
    cdef uint16_t code[SYMBOLS + 16]
    cdef uint16_t following[16]
    cdef uint16_t number[16]
    cdef uint16_t x
    cdef Py_ssize_t i
    memset(&number[0], 0, sizeof(number))
    for i in range(m):
        number[length[used[i]]] += 1
    following[0] = 0
    following[1] = 0
    for i in range(2, 16):
        following[i] = <uint16_t>((following[i - 1] + number[i - 1]) << 1)
    for i in range(m):
        code[i] = following[length[used[i]]]
        following[length[used[i]]] += 1
    for i in range((m + 15) & ~15):     # whole vectors
        x = code[i]
        x = <uint16_t>((x & 0x5555) << 1 | (x >> 1 & 0x5555))
        x = <uint16_t>((x & 0x3333) << 2 | (x >> 2 & 0x3333))
        x = <uint16_t>((x & 0x0F0F) << 4 | (x >> 4 & 0x0F0F))
        code[i] = <uint16_t>(x << 8 | x >> 8)
    for i in range(m):
        entry[used[i]] = <uint64_t>code[i] << 48 | length[used[i]]


cdef inline void put_literals(
    Bits* b, const uint8_t* p, Py_ssize_t n, const uint64_t* entry
) noexcept nogil:
    """Write codes of up to 14 bits; there is room for them and 8 bytes more."""
    # `held` has its bits on top here, so that a code is appended by a shift that
    # makes room for it; bits that fall out below are written already, or unused. The
    # lengths in the lowest bytes do no harm, neither to shifts nor to sums modulo 256.
    cdef uint64_t held = (b.held << 1) << (63 - b.n)
    cdef uint64_t kept = b.n
    cdef uint8_t* at = b.at
    cdef uint64_t e0, e1, e2, e3, word
    cdef Py_ssize_t i
    for i in range(0, n - 3, 4):
        e0 = entry[p[i]]
        e1 = entry[p[i + 1]]
        e2 = entry[p[i + 2]]
        e3 = entry[p[i + 3]]
        word = e0 >> (e1 & 63) | e1
        word = word >> (e2 & 63) | e2
        word = word >> (e3 & 63) | e3
        e0 += e1 + e2 + e3
        held = held >> (e0 & 63) | (word & ~<uint64_t>255)
        kept = (kept + e0) & 255
        word = held >> (-kept & 63)
        memcpy(at, &word, 8)
        at += kept >> 3
        kept &= 7
    b.at = at
    b.n = kept
    b.held = (held >> 1) >> (63 - kept)
    for i in range(n & ~3, n):
        put_code(b, entry[p[i]])


cdef inline Py_ssize_t zeros_at(const uint8_t* length, Py_ssize_t n) noexcept nogil:
    """Return the number of zeros in front, in eights: 0, 8, 16, ... 136."""
    cdef Py_ssize_t i = 0
    cdef uint64_t word
    while i + 8 <= n and i < 136:
        memcpy(&word, length + i, 8)
        if word:
            break
        i += 8
    return i


cdef inline void count_lengths(
    const uint8_t* length, Py_ssize_t n, int32_t* number
) noexcept nogil:
    """Count the symbols that `put_lengths` writes."""
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t j, zeros
    memset(number, 0, 19 * sizeof(int32_t))
    while i < n:
        zeros = zeros_at(length + i, n - i)
        if zeros:
            number[17 if zeros == 8 else 18] += 1
            i += zeros
        else:
            for j in range(i, min(i + 8, n)):
                number[length[j]] += 1
            i += 8


cdef inline void put_lengths(
    Bits* b, const uint8_t* length, Py_ssize_t n, const uint64_t* entry
) noexcept nogil:
    """Write code lengths one by one, and zeros in eights by codes that repeat them (RFC
    1951, 3.2.7).

    `entry` has the code length code.
    """
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t zeros
    while i < n:
        zeros = zeros_at(length + i, n - i)
        if zeros == 8:
            put_code(b, entry[17])
            put(b, 8 - 3, 3)
        elif zeros:
            put_code(b, entry[18])
            put(b, zeros - 11, 7)
        else:
            put_literals(b, length + i, min(8, n - i), entry)
        i += zeros if zeros else 8
