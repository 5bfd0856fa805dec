"""The FCIO streams in the packets of an ORCA file (ORCA format, 4.4)."""


cdef class FcioStreams:
    """The kernels of the streams, by id. Streams may share buffers: one holds them."""

    def __cinit__(self):
        self.clear()

    def clear(self):
        """Remove all streams: another run begins."""
        self.streams = {}
        self.current_id = -1

    def add(self, stream_id, FcioKernel stream):
        """Set the kernel of a stream's records."""
        self.streams[stream_id] = stream

    def remove(self, stream_id):
        """Remove a stream until its next configuration."""
        self.streams.pop(stream_id, None)
        self.current_id = -1

    cdef FcioKernel stream_of(self, uint32_t stream_id):
        """Return a stream with bound buffers; None for an unknown stream."""
        if stream_id != self.current_id or not self.bound:
            if stream_id not in self.streams:
                return None
            self.release()
            self.current = self.streams[stream_id]
            self.current_id = stream_id
            self.current.begin()
            self.bound = True
        return self.current

    cdef int release(self) except -1:
        """Release the buffers of the current stream."""
        if self.bound:
            self.bound = False
            self.current.end()
        return 0
