# The FCIO streams in the packets of an ORCA file.

from libc.stdint cimport int64_t, uint32_t

from ...fc._kernel cimport FcioStream


cdef class FcioStreams:
    cdef dict streams
    # the one that has the buffers, if any
    cdef FcioStream current
    cdef int64_t current_id
    cdef bint bound

    cdef FcioStream stream_of(self, uint32_t stream_id)
    cdef int release(self) except -1
