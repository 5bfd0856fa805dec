"""Presummed waveforms and counts of saturated samples, in one pass.

The results are those of the processors ``presum`` and ``saturation`` of dspeed, to the
last bit. They add in floating point, one sample after the other: as long as no sum can
need more digits than the type has, sums of integers are the same, and faster.
"""

from libc.stdint cimport (
    int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
)
from libc.string cimport memcpy

import numpy as np

ctypedef fused sample:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t

ctypedef fused total:
    float
    double
    uint32_t

cdef enum:
    COUNT_BLOCK = 16384
    # of 16-bit counters, of which the compiler makes vectors


cdef inline uint32_t _add_words(
    const char* p, Py_ssize_t words, uint64_t flip
) noexcept nogil:
    """Add 16-bit samples, four at a time: two sums in the halves of a word.

    Of at most 256 samples no half overflows.
    """
    cdef uint64_t both = 0
    cdef uint64_t word
    cdef Py_ssize_t i
    for i in range(words):
        memcpy(&word, p + 8 * i, 8)
        word ^= flip
        both += (word & <uint64_t>0x0000FFFF0000FFFF) + (
            (word >> 16) & <uint64_t>0x0000FFFF0000FFFF
        )
    return <uint32_t>(both + (both >> 32))


cdef void _presum_words(
    const sample* row, Py_ssize_t factor, total* sums, Py_ssize_t n
) noexcept nogil:
    """Presum a row of 16-bit samples; `factor` is a multiple of 4 up to 256."""
    cdef const char* p = <const char*>row
    cdef uint64_t flip = 0
    cdef int32_t bias = 0
    cdef Py_ssize_t i
    if sample is int16_t:
        # signed samples are counted from the smallest
        flip = <uint64_t>0x8000800080008000
        bias = <int32_t>(32768 * factor)
    # constants let the compiler unroll the loops
    if factor == 4:
        for i in range(n):
            sums[i] = <total>(<int32_t>_add_words(p + 8 * i, 1, flip) - bias)
    elif factor == 8:
        for i in range(n):
            sums[i] = <total>(<int32_t>_add_words(p + 16 * i, 2, flip) - bias)
    elif factor == 16:
        for i in range(n):
            sums[i] = <total>(<int32_t>_add_words(p + 32 * i, 4, flip) - bias)
    else:
        for i in range(n):
            sums[i] = <total>(
                <int32_t>_add_words(p + 2 * factor * i, factor // 4, flip) - bias
            )


cdef void _presum_exactly(
    const sample* row, Py_ssize_t factor, total* sums, Py_ssize_t n
) noexcept nogil:
    """Presum a row in integers."""
    cdef Py_ssize_t i, j
    cdef const sample* p = row
    cdef int64_t wide
    cdef int32_t narrow
    for i in range(n):
        if sample is uint32_t or sample is int32_t:
            wide = 0
            for j in range(factor):
                wide += p[j]
            sums[i] = <total>wide
        else:
            narrow = 0
            for j in range(factor):
                narrow += p[j]
            sums[i] = <total>narrow
        p += factor


cdef void _presum_in_floats(
    const sample* row, Py_ssize_t factor, bint mean, total* sums, Py_ssize_t n
) noexcept nogil:
    """Presum a row as dspeed does: one rounded step for each sample."""
    cdef Py_ssize_t i, j
    cdef const sample* p = row
    cdef total value
    cdef total divisor = <total>factor
    for i in range(n):
        if mean:
            value = <total>p[0] / divisor
            for j in range(1, factor):
                value = <total>(value + <total>(<total>p[j] / divisor))
        else:
            value = <total>p[0]
            for j in range(1, factor):
                value = <total>(value + <total>p[j])
        sums[i] = value
        p += factor


cdef void _count(
    const sample* row, Py_ssize_t n, bint has_high, sample high,
    uint32_t* n_low, uint32_t* n_high,
) noexcept nogil:
    """Count the samples that are 0, and those that are `high`."""
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t j, m
    cdef const sample* p
    cdef uint16_t low16, high16
    n_low[0] = 0
    n_high[0] = 0
    while start < n:
        p = row + start
        m = min(n - start, <Py_ssize_t>COUNT_BLOCK)
        low16 = 0
        high16 = 0
        if has_high:
            for j in range(m):
                low16 = <uint16_t>(low16 + (p[j] == 0))
                high16 = <uint16_t>(high16 + (p[j] == high))
        else:
            for j in range(m):
                low16 = <uint16_t>(low16 + (p[j] == 0))
        n_low[0] += low16
        n_high[0] += high16
        start += m


def _reduce(
    const sample[:, :] values, total[:, ::1] sums, Py_ssize_t factor,
    bint mean, bint exact,
    int64_t high, uint32_t[::1] n_low, uint32_t[::1] n_high,
):
    """See `reduce_waveforms`, which has checked the arguments."""
    cdef Py_ssize_t rows = values.shape[0]
    cdef Py_ssize_t n_sums = sums.shape[1]
    cdef bint words = exact and factor % 4 == 0 and factor <= 256
    cdef bint count = n_low.shape[0] == rows
    cdef sample high_sample = <sample>high
    cdef bint has_high = <int64_t>high_sample == high
    cdef const sample* row
    cdef Py_ssize_t i
    if rows == 0 or values.shape[1] == 0:
        return
    with nogil:
        for i in range(rows):
            row = &values[i, 0]
            if n_sums:
                if sample is uint16_t or sample is int16_t:
                    if words:
                        _presum_words(row, factor, &sums[i, 0], n_sums)
                    elif exact:
                        _presum_exactly(row, factor, &sums[i, 0], n_sums)
                    else:
                        _presum_in_floats(row, factor, mean, &sums[i, 0], n_sums)
                elif exact:
                    _presum_exactly(row, factor, &sums[i, 0], n_sums)
                else:
                    _presum_in_floats(row, factor, mean, &sums[i, 0], n_sums)
            if count:
                _count(
                    row, values.shape[1], has_high, high_sample,
                    &n_low[i], &n_high[i],
                )


def largest_exact_factor(dtype, total):
    """Return how many samples always add up to a sum that `total` can hold exactly.

    Parameters
    ----------
    dtype
        integer type of the samples.
    total
        float32 or float64.
    """
    info = np.iinfo(dtype)
    bits = np.finfo(total).nmant + 1
    if info.bits <= 16:
        # what the integers can hold in which they are added
        bits = min(bits, 31)
    return 2**bits // max(info.max, -int(info.min))


def reduce_waveforms(
    values, sums=None, mean=False, high=None, n_low=None, n_high=None
):
    """Presum waveforms and count saturated samples.

    Parameters
    ----------
    values
        samples: integers of up to 32 bits, shape (rows, samples).
    sums
        presummed waveforms to fill, shape (rows, n): of each waveform sums of
        ``samples // n`` neighbours; what is left at the end is left out. Of float32 or
        float64, which decides how they are rounded; or of uint32, if sums of float32
        could not be rounded and are not negative.
    mean
        divide the samples by their number in a sum first.
    high
        value of samples that are counted in `n_high`.
    n_low, n_high
        numbers of samples that are 0 and `high`, to fill: uint32, shape (rows,).

    Raises
    ------
    ValueError
        if the shapes or types do not fit.
    """
    rows, n_samples = values.shape
    if values.strides[1] != values.itemsize or not values.flags.aligned:
        values = np.ascontiguousarray(values)
    factor = 1
    exact = True
    if sums is None:
        sums = np.empty((rows, 0), np.float32)
    else:
        n_sums = sums.shape[1]
        if sums.shape[0] != rows or n_sums > n_samples:
            raise ValueError(f"{sums.shape} sums of {values.shape} samples")
        if n_sums:
            factor = n_samples // n_sums
        if sums.dtype not in (np.float32, np.float64, np.uint32):
            raise ValueError(f"sums cannot be {sums.dtype}")
        rounded = np.float64 if sums.dtype == np.float64 else np.float32
        exact = not mean and factor <= largest_exact_factor(values.dtype, rounded)
        if sums.dtype == np.uint32 and not (exact and values.dtype.kind == "u"):
            raise ValueError(f"sums of {factor} {values.dtype} samples are no uint32")
    if n_low is None:
        n_low = n_high = np.empty(0, np.uint32)
        high = 0
    elif n_low.shape != (rows,) or n_high.shape != (rows,):
        raise ValueError(f"{n_low.shape} and {n_high.shape} counts of {rows} rows")
    n_low[:] = 0
    n_high[:] = 0
    _reduce(values, sums, factor, mean, exact, high, n_low, n_high)
