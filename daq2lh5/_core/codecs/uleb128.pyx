"""Waveforms encoded by uleb128-zigzag-diff.

The encoding (LH5 format, 3.2): the difference of each sample to the one before, mapped
to an unsigned number, in as many groups of 7 bits as it needs.

Several samples are encoded together: differences of noise, which take one or two bytes,
are written without a branch for each. Hosts are little-endian.
"""

from libc.stdint cimport (
    int16_t,
    int32_t,
    int64_t,
    uint8_t,
    uint16_t,
    uint32_t,
    uint64_t,
)
from libc.string cimport memcpy

from ..bytes cimport load_u64
from .samples cimport SLACK, bytes_needed, check_output, sample_t

__all__ = ["encode", "room", "state_of"]

cdef extern from *:
    """
    #define ULEB128_ONES 0x0101010101010101ULL
    #define ULEB128_LOW_BYTES 0x00FF00FF00FF00FFULL
    #define ULEB128_LANES 0x0001000100010001ULL
    """
    const uint64_t ONES "ULEB128_ONES"
    const uint64_t TOPS "(0x80 * ULEB128_ONES)"
    const uint64_t LOW_BITS "(0x3F * ULEB128_ONES)"
    const uint64_t LOW_BYTES "ULEB128_LOW_BYTES"
    const uint64_t LANES "ULEB128_LANES"

cdef enum:
    GROUP = 32              # samples that are looked at together
    PAIRS = 16


cdef int64_t bound_16(int64_t n) noexcept nogil:
    return 3 * n


cdef int64_t bound_32(int64_t n) noexcept nogil:
    return 5 * n


def room(const int64_t[::1] bounds not None, int64_t n_samples, int itemsize):
    """Return the bytes of `out` that :func:`encode` needs for such rows.

    Parameters
    ----------
    bounds, n_samples
        as in :func:`encode`.
    itemsize
        bytes of a sample.

    Raises
    ------
    ValueError
        as :func:`encode` for the same `bounds`.
    """
    return bytes_needed(bounds, n_samples, bound_16 if itemsize == 2 else bound_32)


def encode(
    const sample_t[::1] samples not None,
    const int64_t[::1] bounds not None,
    uint8_t[::1] out not None,
    int64_t[::1] ends not None,
):
    """Encode rows of samples, one after the other.

    Parameters
    ----------
    samples
        all samples; 32 bits of each are kept.
    bounds
        index of the first sample of each row, and the end of the last row.
    out
        gets the bytes of all rows; at least :func:`room` of them.
    ends
        gets the number of bytes up to the end of each row.

    Returns
    -------
    int
        rows with samples that do not fit an ``int32``: they change when decoded.

    Raises
    ------
    ValueError
        if `bounds` do not fit the samples, or the results have no room.
    """
    cdef Py_ssize_t i, n
    cdef Py_ssize_t altered = 0
    cdef uint8_t* start = NULL
    cdef uint8_t* at = NULL
    check_output(
        out, ends, bounds,
        bytes_needed(
            bounds, samples.shape[0], bound_16 if sizeof(sample_t) == 2 else bound_32
        ),
    )
    start = at = &out[0]
    with nogil:
        for i in range(ends.shape[0]):
            n = bounds[i + 1] - bounds[i]
            if n > 0:
                altered += do_not_fit(&samples[bounds[i]], n)
                at = put_row(&samples[bounds[i]], n, at)
            ends[i] = at - start
    return altered


cdef inline bint do_not_fit(const sample_t* s, Py_ssize_t n) noexcept nogil:
    """Whether samples exceed the range of signed 32-bit integers."""
    cdef Py_ssize_t i
    cdef uint64_t lost = 0
    if sample_t is uint32_t or sample_t is uint64_t:
        for i in range(n):
            lost |= s[i]
        return lost >> 31 != 0
    elif sample_t is int64_t:
        for i in range(n):
            lost |= <uint64_t>(s[i] ^ <int32_t>s[i])
        return lost != 0
    else:
        return False


cdef inline uint8_t* put_row(
    const sample_t* s, Py_ssize_t n, uint8_t* at
) noexcept nogil:
    """Write the numbers of a row; return the end."""
    cdef uint32_t numbers[GROUP]
    cdef uint32_t all_bits
    cdef Py_ssize_t i, k
    at = put(zigzag(<uint32_t>s[0]), at)
    i = 1
    while i + GROUP <= n:
        all_bits = 0
        for k in range(GROUP):
            numbers[k] = zigzag(<uint32_t>s[i + k] - <uint32_t>s[i + k - 1])
            all_bits |= numbers[k]
        if all_bits < 1 << 7:
            for k in range(GROUP):
                at[k] = <uint8_t>numbers[k]
            at += GROUP
        elif all_bits < 1 << 14:
            at = put_short(numbers, at)
        else:
            for k in range(GROUP):
                at = put(numbers[k], at)
        i += GROUP
    while i < n:
        at = put(zigzag(<uint32_t>s[i] - <uint32_t>s[i - 1]), at)
        i += 1
    return at


cdef inline uint8_t* put_short(const uint32_t* numbers, uint8_t* at) noexcept nogil:
    """Write a group of numbers that take one or two bytes; return the end."""
    cdef uint16_t words[GROUP]
    cdef uint16_t number
    cdef Py_ssize_t k
    for k in range(GROUP):
        number = <uint16_t>numbers[k]
        words[k] = <uint16_t>(
            (number & 0x7F) | ((number << 1) & 0x7F00) | ((number > 0x7F) << 7)
        )
    for k in range(GROUP):
        # the second byte stays if the first one is marked to continue
        memcpy(at, &words[k], 2)
        at += 1 + ((words[k] >> 7) & 1)
    return at


cdef inline uint64_t lanes(uint64_t bytes_) noexcept nogil:
    """Add up neighbouring bytes: four numbers of 16 bits."""
    return (bytes_ & LOW_BYTES) + ((bytes_ >> 8) & LOW_BYTES)


cdef inline bint take_group(
    const uint8_t* p, bint of_16_bits, uint32_t* x, int64_t* n_bytes, int64_t* n_numbers
) noexcept nogil:
    """Check the complete numbers in 8 bytes, if these are simple.

    They are simple if each number takes one or two bytes, as few as possible, and if
    all samples are within 16 bits in any order of the numbers: a sample differs from
    the last one, `x`, by at most the sum of all absolute differences.
    """
    cdef uint64_t word = load_u64(p)
    cdef uint64_t more = word & TOPS
    cdef uint64_t second, odd, low, high, negative, far, back
    cdef int cut = <int>(word >> 63)
    if more & (more << 8):
        return False
    # a number that begins in the last byte is left for the next call
    word &= ~<uint64_t>0 >> (8 * cut)
    more = word & TOPS
    second = (more >> 7 << 8) * 0xFF
    high = word | ~second
    if (high - ONES) & ~high & TOPS:
        # 0, where one byte would do
        return False
    high = word & second
    odd = word & ONES & ~second
    # (number + 1) / 2, without the bits of second bytes
    low = ((word >> 1) & LOW_BITS & ~second) + odd
    negative = (odd | ((odd << 8) & second)) * 0xFF
    far = (lanes(low) + (lanes(high) << 6)) * LANES >> 48
    back = (lanes(low & negative) + (lanes(high & negative) << 6)) * LANES >> 48
    if of_16_bits and (far > x[0] or x[0] + far > 0xFFFF):
        return False
    x[0] += <uint32_t>(far - 2 * back)
    n_bytes[0] = 8 - cut
    n_numbers[0] = 8 - cut - <int64_t>((more >> 7) * ONES >> 56)
    return True


cdef RowState check_row(
    const uint8_t* p, int64_t n, int64_t n_samples, bint of_16_bits
) noexcept nogil:
    """Check an encoded row without decoding it, several samples at a time.

    Parameters
    ----------
    p, n
        the bytes, and how many there are.
    n_samples
        expected number of samples.
    of_16_bits
        whether samples must be 0 to 65535, rather than any number of 32 bits.

    Returns
    -------
    RowState
        the last one that applies.
    """
    cdef int64_t at = 0
    cdef int64_t left = n_samples
    cdef int64_t start, n_bytes, n_numbers, i
    cdef uint32_t x = 0
    cdef uint32_t all_bits = 0
    cdef uint32_t number
    cdef bint longer = False
    while left:
        if (
            left >= 8 and n - at >= 8
            and take_group(p + at, of_16_bits, &x, &n_bytes, &n_numbers)
        ):
            at += n_bytes
            left -= n_numbers
            continue
        for i in range(min(left, 8)):
            start = at
            at = next_number(p, at, n, &number)
            if at < 0:
                return ROW_BAD
            # the last of several bytes is 0, or exceeds 32 bits
            longer |= at - start > 1 and p[at - 1] == 0
            longer |= at - start == 5 and p[at - 1] > 0x0F
            x += (number >> 1) ^ (0 - (number & 1))
            all_bits |= x
        left -= min(left, 8)
    if at != n:
        return ROW_BAD
    if of_16_bits and all_bits > 0xFFFF:
        return ROW_TOO_LARGE
    return ROW_LONGER if longer else ROW_AS_WRITTEN


def state_of(const uint8_t[::1] data not None, int64_t n_samples, bint of_16_bits):
    """Return the state of an encoded row: see `check_row`.

    ``"as written"``, ``"longer"``, ``"too large"`` or ``"bad"``.
    """
    cdef const uint8_t* p = &data[0] if data.shape[0] else NULL
    if n_samples < 0:
        raise ValueError(f"n_samples must not be negative, got {n_samples}")
    cdef RowState state = check_row(p, data.shape[0], n_samples, of_16_bits)
    return ("as written", "longer", "too large", "bad")[<int>state]
