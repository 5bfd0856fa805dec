"""Waveforms encoded by uleb128-zigzag-diff.

What the bytes mean is in the format document "LH5", section 3.2: the difference of each
sample to the one before as a number without sign, in groups of 7 bits, as many as it
takes.

Differences are made for several samples together. What is noise takes a byte or two
each, and is written without asking for each which. Hosts are little-endian.
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

from .samples cimport SLACK, bytes_needed, check_output, sample_t

__all__ = ["encode", "room"]

cdef enum:
    GROUP = 32              # samples that are looked at together
    PAIRS = 16


cdef int64_t bound_16(int64_t n) noexcept nogil:
    return 3 * n


cdef int64_t bound_32(int64_t n) noexcept nogil:
    return 5 * n


def room(const int64_t[::1] bounds not None, int64_t n_samples, int itemsize):
    """Return the bytes of `out` that :func:`encode` wants for such rows.

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
        number of the first sample of each row, and of the one behind the last row.
    out
        gets the bytes of all rows; at least :func:`room` of them.
    ends
        gets the number of bytes up to the end of each row.

    Returns
    -------
    int
        rows with samples that do not fit an ``int32``: they are not the same when
        decoded.

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
    """Whether there are samples that are no 32-bit numbers with sign."""
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
        # the second byte stays where the first has a mark that there is one
        memcpy(at, &words[k], 2)
        at += 1 + ((words[k] >> 7) & 1)
    return at


cdef inline uint32_t zigzag(uint32_t difference) noexcept nogil:
    """Return 0, 1, 2, 3, ... for 0, -1, 1, -2, ..."""
    return (difference << 1) ^ <uint32_t>(<int32_t>difference >> 31)


cdef inline uint8_t* put(uint32_t number, uint8_t* at) noexcept nogil:
    while number > 0x7F:
        at[0] = <uint8_t>(number | 0x80)
        at += 1
        number >>= 7
    at[0] = <uint8_t>number
    return at + 1
