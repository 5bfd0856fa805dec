# The FCIO streams in the packets of an ORCA file.

from libc.stdint cimport int64_t, uint32_t

from ...fc._kernel cimport FcioKernel


cdef class FcioStreams:
    cdef dict streams
    # the stream that has the buffers, or None
    cdef FcioKernel current
    cdef int64_t current_id
    cdef bint bound

    cdef FcioKernel stream_of(self, uint32_t stream_id)
    cdef int release(self) except -1
