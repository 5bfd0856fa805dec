"""A plain file, read ahead by a thread without the interpreter lock.

Copying a cached file to memory takes about as long as decoding it; with a second core
it costs no time, as long as neither thread waits for the interpreter's lock: blocks
change hands some 10 000 times a second.
"""

import os

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec
from posix.types cimport off_t
from posix.unistd cimport getpid

from ..resources.threads import start_thread

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    int pthread_mutex_init(pthread_mutex_t*, void*)
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)
    int pthread_mutex_destroy(pthread_mutex_t*)
    int pthread_cond_init(pthread_cond_t*, void*)
    int pthread_cond_wait(pthread_cond_t*, pthread_mutex_t*)
    int pthread_cond_timedwait(pthread_cond_t*, pthread_mutex_t*, const timespec*)
    int pthread_cond_signal(pthread_cond_t*)
    int pthread_cond_destroy(pthread_cond_t*)

cdef extern from "<unistd.h>" nogil:
    Py_ssize_t pread(int, void*, size_t, off_t)

__all__ = ["ReadAhead"]

cdef enum:
    # one in use by the consumer, the others read ahead
    N_BLOCKS = 4
    # interval at which a waiting consumer checks for signals
    LOOK_NANOSECONDS = 100_000_000

# A read from a lost network file system may never return: the thread is then left
# alone.
CLOSE_SECONDS = 5.0


cdef class Blocks:
    """Data that the two threads share; the mutex guards all changes."""

    cdef pthread_mutex_t mutex
    cdef pthread_cond_t read
    cdef pthread_cond_t freed
    cdef int fd
    cdef int64_t offset
    cdef Py_ssize_t size
    cdef list arrays
    # in the arrays, behind room for the rest of the block before
    cdef uint8_t* data[N_BLOCKS]
    cdef Py_ssize_t lengths[N_BLOCKS]
    # since the start
    cdef int64_t n_read
    cdef int64_t n_freed
    cdef bint stop
    cdef bint over

    def __cinit__(self, int fd, int64_t offset, Py_ssize_t size):
        cdef uint8_t[::1] view
        pthread_mutex_init(&self.mutex, NULL)
        pthread_cond_init(&self.read, NULL)
        pthread_cond_init(&self.freed, NULL)
        self.fd = -1
        self.arrays = [np.empty(2 * size, np.uint8) for _ in range(N_BLOCKS)]
        for i in range(N_BLOCKS):
            view = self.arrays[i]
            self.data[i] = &view[size]
        self.offset = offset
        self.size = size
        self.fd = os.dup(fd)

    def __dealloc__(self):
        pthread_mutex_destroy(&self.mutex)
        pthread_cond_destroy(&self.read)
        pthread_cond_destroy(&self.freed)
        if self.fd >= 0:
            os.close(self.fd)

    cdef void read_all(self) noexcept nogil:
        """Read while blocks are free, up to the end of the file or an error."""
        cdef int64_t i
        cdef Py_ssize_t length
        pthread_mutex_lock(&self.mutex)
        while True:
            while not self.stop and self.n_read - self.n_freed == N_BLOCKS:
                pthread_cond_wait(&self.freed, &self.mutex)
            if self.stop:
                break
            i = self.n_read % N_BLOCKS
            pthread_mutex_unlock(&self.mutex)
            length = self.read_block(self.data[i])
            pthread_mutex_lock(&self.mutex)
            if length == 0:
                break
            self.lengths[i] = length
            self.n_read += 1
            pthread_cond_signal(&self.read)
        self.over = True
        pthread_cond_signal(&self.read)
        pthread_mutex_unlock(&self.mutex)

    cdef Py_ssize_t read_block(self, uint8_t* to) noexcept nogil:
        """Read a whole block, or less before the end or an error."""
        cdef Py_ssize_t length = 0, got
        while length < self.size:
            got = pread(self.fd, to + length, self.size - length, self.offset)
            if got < 0 and errno == EINTR:
                continue
            if got <= 0:
                break
            length += got
            self.offset += got
        return length

    cdef bint wait_for(self, int64_t number, bint* there) noexcept nogil:
        """Wait a moment for a block; return whether the value of `there` is final."""
        cdef timespec until
        cdef bint settled
        pthread_mutex_lock(&self.mutex)
        if self.n_read <= number and not self.over:
            clock_gettime(CLOCK_REALTIME, &until)
            until.tv_nsec += LOOK_NANOSECONDS
            if until.tv_nsec >= 1_000_000_000:
                until.tv_nsec -= 1_000_000_000
                until.tv_sec += 1
            pthread_cond_timedwait(&self.read, &self.mutex, &until)
        there[0] = self.n_read > number
        settled = there[0] or self.over
        pthread_mutex_unlock(&self.mutex)
        return settled

    cdef void free_up_to(self, int64_t number) noexcept nogil:
        """Release the blocks below a number."""
        pthread_mutex_lock(&self.mutex)
        self.n_freed = number
        pthread_cond_signal(&self.freed)
        pthread_mutex_unlock(&self.mutex)

    cdef void end(self) noexcept nogil:
        """Ask the thread to end."""
        pthread_mutex_lock(&self.mutex)
        self.stop = True
        pthread_cond_signal(&self.freed)
        pthread_mutex_unlock(&self.mutex)


def _read_all(Blocks blocks):
    with nogil:
        blocks.read_all()


cdef class ReadAhead:
    """The blocks of a regular file from an offset on.

    They end at the end of the file, at a read error, and in a forked process, which has
    no thread. The caller then reads from the file itself, and gets the bytes that were
    appended meanwhile, or the error.

    Parameters
    ----------
    fd
        descriptor of the file; it stays open, and its position unchanged.
    offset
        offset of the first byte.
    block_size
        bytes to read at a time. Memory holds four such blocks, each with as much room
        in front of it.

    Raises
    ------
    OSError
        If the process has no free descriptor.
    RuntimeError
        If the system cannot start a thread.
    """

    cdef Blocks blocks
    cdef object thread
    cdef int pid
    # the current block (-1 before the first), and the rest of its bytes
    cdef int64_t number
    cdef Py_ssize_t start, stop

    def __cinit__(self, int fd, int64_t offset, Py_ssize_t block_size):
        self.pid = getpid()
        self.number = -1
        self.blocks = Blocks(fd, offset, block_size)
        # A reference to this object would keep it from being collected.
        self.thread = start_thread(_read_all, (self.blocks,), "daq2lh5-read")

    def join(self, before not None):
        """Return the next bytes behind `before`.

        Parameters
        ----------
        before
            bytes in front, at most as many as a block has.

        Returns
        -------
        memoryview or None
            Valid until the next call; None at the end.

        Raises
        ------
        ValueError
            If `before` is longer than a block.
        """
        cdef const uint8_t[::1] rest = before
        cdef Py_ssize_t n = rest.shape[0]
        if n > self.blocks.size:
            raise ValueError(f"{n} bytes do not fit in front of a block")
        cdef int64_t old = self.number
        if self.start == self.stop and not self.next():
            return None
        i = self.number % N_BLOCKS
        if n:
            memcpy(self.blocks.data[i] + self.start - n, &rest[0], n)
        self.free_before(old)
        room = self.blocks.size
        array = self.blocks.arrays[i][room + self.start - n:room + self.stop]
        self.start = self.stop
        return array.data

    def readinto(self, view not None):
        """Copy the next bytes; return how many, 0 at the end."""
        cdef uint8_t[::1] to = view
        cdef int64_t old = self.number
        if self.start == self.stop:
            if not self.next():
                return 0
            self.free_before(old)
        n = min(to.shape[0], self.stop - self.start)
        if n:
            memcpy(&to[0], self.blocks.data[self.number % N_BLOCKS] + self.start, n)
            self.start += n
        return n

    cdef bint next(self) except -1:
        """Wait for the next block; False at the end."""
        cdef bint settled = False, there = False
        if getpid() != self.pid:
            return False
        while not settled:
            PyErr_CheckSignals()
            with nogil:
                settled = self.blocks.wait_for(self.number + 1, &there)
        if there:
            self.number += 1
            self.start = 0
            self.stop = self.blocks.lengths[self.number % N_BLOCKS]
        return there

    cdef void free_before(self, int64_t old) noexcept:
        """Release the block `old` unless it is the current one."""
        if 0 <= old < self.number:
            self.blocks.free_up_to(old + 1)

    def close(self):
        """End the thread."""
        self.stop_thread()
        self.thread.join(CLOSE_SECONDS)

    def __del__(self):
        self.stop_thread()

    cdef void stop_thread(self) noexcept:
        # a forked process lacks the thread, which may have left the mutex locked
        if self.blocks is not None and getpid() == self.pid:
            self.blocks.end()
