# The buffers of one table, bound for a kernel.

from libc.stdint cimport int64_t

from .binding cimport Binding

ctypedef int (*bind_function)(void* columns, dict arrays, Binding b) except -1


cdef struct RowSink:
    void* columns           # column struct of the table
    int64_t loc             # rows filled
    int64_t capacity        # rows of the buffer; 0: not allocated yet
    int64_t fill_safety     # rows that a record may need
    int64_t need            # rows that the record at hand needs (kernel's own use)
    int64_t overflow_sink   # for rows of another shape, -1: none (kernel's own use)


cdef class SinkTable:
    cdef RowSink* sinks
    cdef readonly Py_ssize_t n
    cdef char* storage
    cdef size_t width
    cdef bind_function bind
    cdef readonly list buffers
    cdef list bindings
    cdef Py_ssize_t room
    cdef dict places
    cdef int set_buffers(self, list buffers) except -1
    cdef dict set_keyed(self, dict keyed)
    cdef Py_ssize_t place_of(self, buffer) except -1
    cdef int acquire(self) except -1
    cdef int acquire_one(self, Py_ssize_t i) except -1
    cdef int bind_one(self, Py_ssize_t i) except -1
    cdef int unbind(self, Py_ssize_t i) except -1
    cdef int release(self) except -1


cdef SinkTable new_sink_table(size_t width, bind_function bind)
