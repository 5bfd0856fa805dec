"""Find blocks of a file that were never written, among bytes that look like data.

After a power cut whole blocks of a file system may be zeros. Inside of samples only their
position distinguishes them from data: they begin and end at block boundaries.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

cdef enum:
    BLOCK = 4096
    # bytes of data next to a block that may happen to be zero
    SLACK = 2
    # fewer zeros at the end of the input may be data
    SHORTEST_TAIL = 32
    MAX_WAITING = 128

cdef uint8_t[64] ZEROS
ZEROS[:] = [0] * 64


cdef class Holes:
    """Find blocks of zeros in a stream that is read in order.

    Attributes
    ----------
    n, n_bytes
        number and bytes of the blocks that begin outside of damaged ranges.
    first
        start and end of the first block, or None.
    """

    cdef readonly int64_t n
    cdef readonly int64_t n_bytes
    cdef readonly object first
    cdef int64_t start          # of the zeros at hand; -1: none
    cdef int64_t end            # of the bytes searched so far
    cdef int n_before           # zeros in front of that, up to SLACK + 1
    cdef list waiting
    cdef int64_t told_start
    cdef int64_t told_end

    def __cinit__(self):
        self.start = -1
        self.waiting = []

    def look(self, window, int64_t start, int64_t n, int64_t offset):
        """Search the next bytes of the stream.

        Parameters
        ----------
        window
            bytes in memory.
        start, n
            index and number of the next bytes in the window.
        offset
            their offset in the stream.
        """
        cdef Py_buffer view
        # a typed memoryview would take longer than the search itself
        PyObject_GetBuffer(window, &view, PyBUF_SIMPLE)
        try:
            if not 0 <= start <= start + n <= view.len:
                raise ValueError(
                    f"bytes {start} to {start + n} exceed a window of {len(window)}"
                )
            self.look_at(<const uint8_t*>view.buf + start, n, offset)
        finally:
            PyBuffer_Release(&view)

    cdef int look_at(self, const uint8_t* data, int64_t n, int64_t offset) except -1:
        cdef int64_t at = 0
        cdef int64_t edge
        while True:
            if self.start >= 0:
                at = end_of_zeros(data, at, n)
                if at == n:
                    break
                edge = (offset + at) // BLOCK * BLOCK
                if edge > self.start and offset + at - edge <= SLACK:
                    self.add(self.start, edge)
                self.start = -1
            edge = (offset + at + BLOCK - 1) // BLOCK * BLOCK - offset
            if edge >= n:
                break
            at = edge + 1
            if data[edge] == 0 and self.zeros_before(data, edge) <= SLACK:
                self.start = offset + edge
        self.n_before = self.zeros_before(data, n)
        self.end = offset + n
        return 0

    cdef int zeros_before(self, const uint8_t* data, int64_t at) noexcept nogil:
        """Return how many zeros end at `at`, up to SLACK + 1."""
        cdef int n = 0
        while n <= SLACK and n < at and data[at - 1 - n] == 0:
            n += 1
        if n == at:
            n = min(n + self.n_before, SLACK + 1)
        return n

    cdef int add(self, int64_t start, int64_t end) except -1:
        if self.told_start <= start < self.told_end:
            return 0
        self.waiting.append((start, end))
        if len(self.waiting) > MAX_WAITING:
            self.settle(self.waiting.pop(0))
        return 0

    cdef int settle(self, hole) except -1:
        self.n += 1
        self.n_bytes += hole[1] - hole[0]
        if self.first is None:
            self.first = hole
        return 0

    def tell(self, int64_t start, int64_t end):
        """Leave out blocks in a damaged range: the report already has the range."""
        self.told_start, self.told_end = start, end
        self.waiting = [h for h in self.waiting if not start <= h[0] < end]

    def finish(self):
        """End the search at the end of the stream."""
        if self.start >= 0 and self.end - self.start >= SHORTEST_TAIL:
            self.add(self.start, self.end)
        self.start = -1
        for hole in self.waiting:
            self.settle(hole)
        self.waiting = []


cdef int64_t end_of_zeros(const uint8_t* data, int64_t at, int64_t n) noexcept nogil:
    while n - at >= 64 and memcmp(data + at, &ZEROS[0], 64) == 0:
        at += 64
    while at < n and data[at] == 0:
        at += 1
    return at
