# Input of the waveform codecs: all samples in one array, divided into rows.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef fused sample_t:
    int16_t
    uint16_t
    int32_t
    uint32_t
    int64_t
    uint64_t

cdef enum:
    SLACK = 16      # bytes behind the last row that may be written to


ctypedef int64_t (*bound_t)(int64_t n_samples) noexcept nogil
"""Returns the maximum bytes of a row; -1 for a row that is too long."""


cdef inline int64_t bytes_needed(
    const int64_t[::1] bounds, int64_t n_samples, bound_t bound
) except -1:
    """Check the bounds of rows; return the bytes that suffice for all.

    Raises
    ------
    ValueError
        if rows are not in order, exceed the samples, or one is too long.
    """
    cdef Py_ssize_t i
    cdef int64_t size
    cdef int64_t total = SLACK
    if bounds.shape[0] < 1 or bounds[0] < 0 or bounds[bounds.shape[0] - 1] > n_samples:
        raise ValueError(f"the rows are not within the {n_samples} samples")
    for i in range(1, bounds.shape[0]):
        if bounds[i] < bounds[i - 1]:
            raise ValueError(f"row {i - 1} ends before it begins")
        size = bound(bounds[i] - bounds[i - 1])
        if size < 0:
            raise ValueError(
                f"row {i - 1} has {bounds[i] - bounds[i - 1]} samples: too many for "
                "the codec"
            )
        total += size
    return total


cdef inline int check_output(
    const uint8_t[::1] out, const int64_t[::1] ends, const int64_t[::1] bounds,
    int64_t needed,
) except -1:
    """Check the lengths of the arrays for the results."""
    if out.shape[0] < needed:
        raise ValueError(f"out must have at least {needed} bytes, got {out.shape[0]}")
    if ends.shape[0] != bounds.shape[0] - 1:
        raise ValueError(
            f"ends must have {bounds.shape[0] - 1} elements, got {ends.shape[0]}"
        )
    return 0
