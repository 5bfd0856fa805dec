# Waveforms as the codecs take them: all samples in one array, cut into rows.

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
"""Bytes that a row takes at most; -1 for a row that is too long."""


cdef inline int64_t bytes_needed(
    const int64_t[::1] bounds, int64_t n_samples, bound_t bound
) except -1:
    """Check where rows begin and end; return the bytes that suffice for all.

    Raises
    ------
    ValueError
        if they are not in order, not within the samples, or one is too long.
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
    """Refuse arrays for the results that are too short."""
    if out.shape[0] < needed:
        raise ValueError(f"{out.shape[0]} bytes of room, {needed} are needed")
    if ends.shape[0] != bounds.shape[0] - 1:
        raise ValueError(f"{ends.shape[0]} ends for {bounds.shape[0] - 1} rows")
    return 0
