"""Waveforms encoded by radware-sigcompress.

The encoding (LH5 format, 3.1): blocks of up to 128 samples, each sample stored with the
same number of bits above the smallest sample of the block, or above its smallest
difference of two samples.

Three passes over a row, which stays in the cache: samples become 16-bit numbers and
differences; vectorized loops find the extremes; numbers are packed four at a time. Hosts
are little-endian.
"""

from libc.stdint cimport (
    INT16_MIN,
    int16_t,
    int32_t,
    int64_t,
    uint8_t,
    uint16_t,
    uint32_t,
    uint64_t,
)
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from .samples cimport SLACK, bytes_needed, check_output, sample_t

__all__ = ["MAX_SAMPLES", "encode", "room"]

cdef extern from *:
    int clz "__builtin_clz"(unsigned int) noexcept nogil
    uint64_t bswap64 "__builtin_bswap64"(uint64_t) noexcept nogil

cdef enum:
    LONGEST = 32767         # samples of a row: decoders take a longer one as negative
    PROBE = 48              # samples that decide how a block is encoded
    BLOCK = 128             # samples of a block at most
    STEP = 16               # samples by which a block grows
    NO_DIFFERENCE = 16000   # where the extremes of no differences begin
    DIFFERENCES = 32        # marks the number of bits where differences are stored

MAX_SAMPLES = LONGEST

ctypedef fused difference_t:
    int16_t
    int32_t


cdef struct Range:
    int32_t low
    int32_t high


cdef int64_t bound(int64_t n) noexcept nogil:
    """Return the maximum bytes of a row: length, 16 bits a sample, headers, pad."""
    if n > LONGEST:
        return -1
    return 2 * (2 + n + 4 * ((n + PROBE - 1) // PROBE))


def room(const int64_t[::1] bounds not None, int64_t n_samples):
    """Return the bytes of `out` that :func:`encode` needs for such rows.

    Raises
    ------
    ValueError
        as :func:`encode` for the same `bounds`.
    """
    return bytes_needed(bounds, n_samples, bound)


def encode(
    const sample_t[::1] samples not None,
    const int64_t[::1] bounds not None,
    int32_t shift,
    uint8_t[::1] out not None,
    int64_t[::1] ends not None,
):
    """Encode rows of samples, one after the other.

    Parameters
    ----------
    samples
        all samples.
    bounds
        index of the first sample of each row, and the end of the last row.
    shift
        added to each sample; 16 bits of the sum are kept.
    out
        gets the bytes of all rows; at least :func:`room` of them.
    ends
        gets the number of bytes up to the end of each row.

    Returns
    -------
    int
        rows with samples that do not fit 16 bits: they change when decoded.

    Raises
    ------
    ValueError
        if `bounds` do not fit the samples, a row has more than `MAX_SAMPLES`, or the
        results have no room.
    """
    cdef Py_ssize_t i, n
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t altered = 0
    cdef int16_t* values
    check_output(out, ends, bounds, bytes_needed(bounds, samples.shape[0], bound))
    # samples, differences in 16 bits, and in 32
    values = <int16_t*>malloc(8 * (LONGEST + 1))
    if values == NULL:
        raise MemoryError
    with nogil:
        for i in range(ends.shape[0]):
            n = bounds[i + 1] - bounds[i]
            if n > 0:
                altered += put_row(
                    &samples[bounds[i]], n, shift, values, &out[0], &size
                )
            else:
                put_words(&out[size], 0, 0)
                size += 4
            ends[i] = size
    free(values)
    return altered


cdef inline bint put_row(
    const sample_t* s, Py_ssize_t n, int64_t shift, int16_t* values, uint8_t* out,
    Py_ssize_t* size,
) noexcept nogil:
    """Append a row to the `size` bytes of `out`; return whether samples do not fit."""
    cdef uint8_t* start = out + size[0]
    cdef uint8_t* at = start + 2
    cdef int16_t* near = values + LONGEST + 1
    cdef int32_t* far = <int32_t*>(near + LONGEST + 1)
    cdef bint altered = take(s, n, shift, values)
    put_word(start, <uint16_t>n)
    if differences(values, n, near):
        at = put_blocks[int16_t](values, near, n, at)
    else:
        far_differences(values, n, far)
        at = put_blocks[int32_t](values, far, n, at)
    if (at - start) & 2:
        put_word(at, 0)
        at += 2
    size[0] = at - out
    return altered


cdef inline void put_word(uint8_t* at, uint16_t word) noexcept nogil:
    at[0] = word >> 8
    at[1] = word & 255


cdef inline void put_words(uint8_t* at, uint16_t first, uint16_t second) noexcept nogil:
    put_word(at, first)
    put_word(at + 2, second)


cdef inline bint take(
    const sample_t* s, Py_ssize_t n, int64_t shift, int16_t* v
) noexcept nogil:
    """Shift samples and cut them to 16 bits; return whether that changes any."""
    cdef Py_ssize_t i
    cdef int64_t wide
    cdef int64_t lost = 0
    cdef int32_t sum32
    cdef int32_t lost32 = 0
    cdef uint16_t step = <uint16_t>shift
    cdef int64_t harmless = 0
    if sample_t is int16_t or sample_t is uint16_t:
        for i in range(n):
            v[i] = <int16_t>(<uint16_t>s[i] + step)
        # a shift from the range of the one type to that of the other loses nothing
        if sample_t is uint16_t:
            harmless = INT16_MIN
        if shift == harmless:
            return False
        for i in range(n):
            sum32 = <int32_t>s[i] + <int32_t>shift
            lost32 |= sum32 ^ v[i]
        return lost32 != 0
    else:
        for i in range(n):
            wide = <int64_t>s[i] + shift
            v[i] = <int16_t>wide
            lost |= wide ^ v[i]
            if sample_t is uint64_t:
                lost |= <int64_t>(s[i] >> 63)
        return lost != 0


cdef inline bint differences(
    const int16_t* v, Py_ssize_t n, int16_t* d
) noexcept nogil:
    """Store the difference of each sample to the one before; return whether all fit."""
    cdef Py_ssize_t i
    cdef int16_t difference
    cdef int16_t over = 0
    d[0] = 0
    for i in range(1, n):
        difference = <int16_t>(v[i] - v[i - 1])
        # overflow: the signs of the samples differ, and the difference has the wrong one
        over |= (v[i] ^ v[i - 1]) & (v[i] ^ difference)
        d[i] = difference
    return over >= 0


cdef inline void far_differences(
    const int16_t* v, Py_ssize_t n, int32_t* d
) noexcept nogil:
    cdef Py_ssize_t i
    d[0] = 0
    for i in range(1, n):
        d[i] = <int32_t>v[i] - v[i - 1]


cdef inline Range extremes(const difference_t* p, int n, Range known) noexcept nogil:
    """Extend a range by `n` numbers, a multiple of 8."""
    cdef int i
    cdef difference_t low = p[0]
    cdef difference_t high = p[0]
    for i in range(n):
        low = p[i] if p[i] < low else low
        high = p[i] if p[i] > high else high
    known.low = min(known.low, <int32_t>low)
    known.high = max(known.high, <int32_t>high)
    return known


cdef inline Range extremes_of_few(
    const difference_t* p, Py_ssize_t n, Range known
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        known.low = min(known.low, <int32_t>p[i])
        known.high = max(known.high, <int32_t>p[i])
    return known


cdef inline Py_ssize_t grown(
    const difference_t* p, Py_ssize_t start, Py_ssize_t stop, int32_t width,
    Range* known,
) noexcept nogil:
    """Return the end of a block: the first number that makes it too wide."""
    cdef Py_ssize_t i = start
    cdef Range more
    while i + STEP <= stop:
        more = extremes(p + i, STEP, known[0])
        if more.high - more.low > width:
            break
        known[0] = more
        i += STEP
    while i < stop:
        more = extremes_of_few(p + i, 1, known[0])
        if more.high - more.low > width:
            break
        known[0] = more
        i += 1
    return i


cdef inline int bits_for(int32_t width) noexcept nogil:
    """Return the number of bits for numbers up to `width`; 2 at least."""
    return 2 if width < 4 else 32 - clz(<unsigned int>width)


cdef inline uint8_t* put_blocks(
    const int16_t* v, const difference_t* d, Py_ssize_t n, uint8_t* at
) noexcept nogil:
    """Write the blocks of a row; return the end."""
    cdef uint16_t rest[BLOCK + 3]
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t stop, i
    cdef int bits, count
    cdef Range of_values, of_differences
    while start < n:
        of_values.low = of_values.high = v[start]
        of_differences.low = NO_DIFFERENCE
        of_differences.high = -NO_DIFFERENCE
        stop = min(n, start + PROBE)
        if stop - start == PROBE:
            of_values = extremes(v + start, PROBE, of_values)
            # one less than the samples: the ranges of the two calls overlap
            of_differences = extremes(d + start + 1, PROBE - 8, of_differences)
            of_differences = extremes(d + stop - 8, 8, of_differences)
        else:
            of_values = extremes_of_few(v + start, stop - start, of_values)
            of_differences = extremes_of_few(
                d + start + 1, stop - start - 1, of_differences
            )
        if (of_values.high - of_values.low
                <= of_differences.high - of_differences.low):
            bits = bits_for(of_values.high - of_values.low)
            stop = grown(v, stop, min(n, start + BLOCK), (1 << bits) - 1, &of_values)
            put_words(at, <uint16_t>(stop - start), <uint16_t>bits)
            put_word(at + 4, <uint16_t>of_values.low)
            at += 6
            count = <int>(stop - start)
            for i in range(count):
                rest[i] = <uint16_t>(v[start + i] - of_values.low)
        else:
            bits = bits_for(of_differences.high - of_differences.low)
            stop = grown(
                d, stop, min(n, start + BLOCK), (1 << bits) - 1, &of_differences
            )
            put_words(at, <uint16_t>(stop - start), <uint16_t>(bits + DIFFERENCES))
            put_words(at + 4, <uint16_t>v[start], <uint16_t>of_differences.low)
            at += 8
            count = <int>(stop - start) - 1
            for i in range(count):
                rest[i] = <uint16_t>(d[start + 1 + i] - of_differences.low)
        rest[count] = rest[count + 1] = rest[count + 2] = 0
        pack(rest, count, bits, at)
        at += (count * bits + 15) // 16 * 2
        start = stop
    return at


cdef struct Bits:
    uint8_t* at             # where the next byte goes
    uint64_t held           # bits; the lowest `n` are not written yet
    int n                   # 0..7


cdef inline void put_bits(Bits* b, uint64_t value, int n) noexcept nogil:
    """Write up to 56 bits, the most significant first; there is room for 8 bytes."""
    cdef uint64_t word
    b.held = (b.held << n) | value
    b.n += n
    word = bswap64(b.held << (64 - b.n))
    memcpy(b.at, &word, 8)
    b.at += b.n >> 3
    b.n &= 7


cdef inline void pack(
    const uint16_t* p, int count, int bits, uint8_t* at
) noexcept nogil:
    """Write `bits` of each number, most significant first; up to 3 more are read."""
    cdef Bits b
    cdef uint64_t four
    cdef int i
    b.at = at
    b.held = 0
    b.n = 0
    for i in range(0, count, 4):
        memcpy(&four, p + i, 8)
        # the first of the four is the lowest: neighbours change places
        four = ((four & 0xFFFF0000FFFFULL) << bits) | ((four >> 16) & 0xFFFF0000FFFFULL)
        if bits <= 14:
            put_bits(&b, (<uint64_t><uint32_t>four << (2 * bits)) | (four >> 32), 4 * bits)
        else:
            put_bits(&b, <uint32_t>four, 2 * bits)
            put_bits(&b, four >> 32, 2 * bits)
