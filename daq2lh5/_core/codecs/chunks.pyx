"""Bytes of an HDF5 chunk from rows: the filters shuffle and Fletcher-32."""

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

__all__ = ["fletcher32", "pack_chunk"]


def pack_chunk(out not None, list pieces not None, Py_ssize_t itemsize, bint shuffle):
    """Gather rows in a chunk, byte-shuffled or as they are; zeros fill the rest.

    Parameters
    ----------
    out
        buffer of the size of the chunk: written.
    pieces
        C-contiguous arrays with the rows, in order.
    itemsize
        bytes of an element.
    shuffle
        whether to store all first bytes of the elements, then all second ones, and so
        on, as the filter with number 2 does.

    Raises
    ------
    ValueError
        if the pieces exceed the chunk, or divide an element.
    """
    cdef Py_buffer target, source
    PyObject_GetBuffer(out, &target, PyBUF_WRITABLE)
    cdef Py_ssize_t filled = 0
    try:
        if itemsize < 1 or target.len % itemsize:
            raise ValueError(
                f"{target.len} bytes are not a multiple of itemsize {itemsize}"
            )
        for piece in pieces:
            PyObject_GetBuffer(piece, &source, PyBUF_SIMPLE)
            try:
                if source.len % itemsize or source.len > target.len - filled:
                    raise ValueError(
                        f"{source.len} bytes do not fit in a chunk of {target.len} "
                        f"after {filled}"
                    )
                with nogil:
                    _put(
                        <uint8_t*>target.buf, target.len, filled,
                        <const uint8_t*>source.buf, source.len, itemsize, shuffle,
                    )
                filled += source.len
            finally:
                PyBuffer_Release(&source)
        with nogil:
            _clear_rest(<uint8_t*>target.buf, target.len, filled, itemsize, shuffle)
    finally:
        PyBuffer_Release(&target)


cdef void _put(
    uint8_t* chunk, Py_ssize_t size, Py_ssize_t start,
    const uint8_t* source, Py_ssize_t n, Py_ssize_t itemsize, bint shuffle,
) noexcept nogil:
    """Place `n` bytes that come after `start` bytes of the same chunk."""
    cdef Py_ssize_t i, k
    cdef Py_ssize_t plane = size // itemsize
    cdef Py_ssize_t elements = n // itemsize
    cdef uint8_t* to
    cdef uint8_t* to1
    if itemsize == 1 or not shuffle:
        memcpy(chunk + start, source, n)
        return
    to = chunk + start // itemsize
    if itemsize == 2:
        # the case of waveforms: compilers vectorize this loop
        to1 = to + plane
        for i in range(elements):
            to[i] = source[2 * i]
            to1[i] = source[2 * i + 1]
        return
    for k in range(itemsize):
        for i in range(elements):
            to[i] = source[itemsize * i + k]
        to += plane


cdef void _clear_rest(
    uint8_t* chunk, Py_ssize_t size, Py_ssize_t filled, Py_ssize_t itemsize,
    bint shuffle,
) noexcept nogil:
    """Set the elements after the first `filled` bytes to zero."""
    cdef Py_ssize_t plane = size // itemsize
    cdef Py_ssize_t elements = filled // itemsize
    cdef Py_ssize_t k
    if itemsize == 1 or not shuffle:
        memset(chunk + filled, 0, size - filled)
        return
    for k in range(itemsize):
        memset(chunk + k * plane + elements, 0, plane - elements)


def fletcher32(const uint8_t[::1] data not None):
    """Return the Fletcher-32 checksum of bytes, as HDF5's filter with number 3 does.

    The bytes are taken as big-endian 16-bit words; an odd last one is followed by a
    zero. (HDF5 file format specification, "Fletcher32 filter".)
    """
    cdef Py_ssize_t n = data.shape[0]
    cdef uint32_t result = 0
    if n:
        with nogil:
            result = _fletcher32(&data[0], n)
    return result


cdef uint32_t _fletcher32(const uint8_t* data, Py_ssize_t n) noexcept nogil:
    # sums of 64 bits hold 2^16 words before they must be reduced
    cdef uint64_t first = 0
    cdef uint64_t second = 0
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t stop
    cdef Py_ssize_t even = n - n % 2
    while i < even:
        stop = min(even, i + 131072)
        while i < stop:
            first += (<uint64_t>data[i] << 8) | data[i + 1]
            second += first
            i += 2
        first = _reduced(first)
        second = _reduced(second)
    if n % 2:
        first = _reduced(first + (<uint64_t>data[n - 1] << 8))
        second = _reduced(second + first)
    return <uint32_t>((second << 16) | first)


cdef inline uint64_t _reduced(uint64_t value) noexcept nogil:
    """Fold a sum to 16 bits, modulo 65535 (a sum that is not 0 never becomes 0)."""
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value
