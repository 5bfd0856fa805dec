# Columns of a buffer as C pointers.

from libc.stdint cimport int64_t


cdef struct BoundColumn:
    char* data          # first element of row 0
    Py_ssize_t step     # bytes from row to row; 0: an unused column


cdef struct BoundVector:
    char* data          # elements of all rows, one after the other
    Py_ssize_t size     # bytes of an element
    int64_t capacity    # elements that fit
    int64_t* offsets    # [row]: first element of the row; NULL: unused column


cdef struct BoundWaveform:
    char* values        # NULL: unused column
    Py_ssize_t step
    Py_ssize_t width    # samples a row
    BoundColumn t0
    BoundColumn dt


cdef inline bint vector_has_room(
    const BoundVector* v, Py_ssize_t row, int64_t n
) noexcept nogil:
    """Whether `n` elements fit behind the elements of the rows before `row`."""
    return v.offsets == NULL or n <= v.capacity - v.offsets[row]


cdef inline char* vector_row(BoundVector* v, Py_ssize_t row, int64_t n) noexcept nogil:
    """Give row `row` `n` elements (for which there is room); return the first."""
    if v.offsets == NULL:
        return v.data
    v.offsets[row + 1] = v.offsets[row] + n
    return v.data + v.offsets[row] * v.size


cdef class Binding:
    # keeps what the pointers point to alive
    cdef object keep
    # (the user's array, the scratch array in its place)
    cdef list stand_ins
    cdef Py_ssize_t rows
    cdef object array(self, dict arrays, str path, str dtype, Py_ssize_t rows)
    cdef int column(
        self, BoundColumn* c, dict arrays, str path, str dtype, Py_ssize_t width
    ) except -1
    cdef int vector(
        self, BoundVector* v, dict arrays, str path, str dtype, Py_ssize_t longest
    ) except -1
    cdef int waveform(
        self, BoundWaveform* w, dict arrays, str path, str dtype, str dt_dtype
    ) except -1
    cdef int copy_back(self) except -1
