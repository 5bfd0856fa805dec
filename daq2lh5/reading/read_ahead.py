"""A plain file, read ahead by a thread.

Copying a cached file to memory takes about as long as decoding it. While the kernel
copies, and while records are decoded, neither thread holds the interpreter's lock, so
on a second core the copying costs no time.
"""

from __future__ import annotations

import os
from queue import SimpleQueue

import numpy as np

from ..threads import start_thread

__all__ = ["ReadAhead"]

N_BLOCKS = 4
"""One is with the consumer; the others have been read, or are being read."""

CLOSE_SECONDS = 5.0
"""Longest wait for a read to return; one from a lost network file system never does."""


class _Blocks:
    """What the consumer and the thread share.

    `SimpleQueue` because its `put` is safe at any moment, also while the garbage
    collector runs.
    """

    def __init__(self, fd: int, block_size: int) -> None:
        self.stopped = False
        self.free: SimpleQueue[np.ndarray | None] = SimpleQueue()
        # with the number of bytes that were read; None: there are no more
        self.filled: SimpleQueue[tuple[np.ndarray, int] | None] = SimpleQueue()
        for _ in range(N_BLOCKS):
            self.free.put(np.empty(2 * block_size, np.uint8))
        self._fd = os.dup(fd)

    @property
    def fd(self) -> int:
        """Descriptor to read from; it is this object's own."""
        return self._fd

    def close(self) -> None:
        """Close the descriptor, once."""
        # forgotten first: a process forked in between must not close another file
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class ReadAhead:
    """The blocks of a regular file from an offset on, as far as they can be read.

    They end at the end of the file, at a read error, and in a forked process, which has
    no thread. The caller then reads on from the file itself: it gets the bytes that
    were appended meanwhile, or the error.

    Parameters
    ----------
    fd
        descriptor of the file; it stays open, and its position stays where it is.
    offset
        where to begin.
    block_size
        bytes to read at a time. There are four such blocks in memory, each with as
        much room in front of it.

    Raises
    ------
    OSError
        if there is no descriptor left.
    RuntimeError
        if no thread can be started.
    """

    # nothing shared if there was no memory or no descriptor for it
    _blocks: _Blocks | None = None

    def __init__(self, fd: int, offset: int, block_size: int) -> None:
        self._pid = os.getpid()
        self._size = block_size
        # the block at hand, and the part of it that is still to be handed out
        self._block: np.ndarray | None = None
        self._start = self._stop = 0
        self._blocks = blocks = _Blocks(fd, block_size)
        # The thread has no reference to this object, or that would never be collected.
        args = (blocks, offset, block_size)
        try:
            self._thread = start_thread(_read_blocks, args, "daq2lh5-read")
        except BaseException:
            blocks.close()
            raise

    def join(self, before: memoryview) -> memoryview | None:
        """Go on to the next bytes, with some of those before in front of them.

        Parameters
        ----------
        before
            at most as many bytes as a block has.

        Returns
        -------
        memoryview or None
            All of them, to be used until the next call; None if there are no more.

        Raises
        ------
        ValueError
            If `before` is longer than a block.
        """
        n = len(before)
        if n > self._size:
            msg = f"{n} bytes do not fit in front of a block of {self._size}"
            raise ValueError(msg)
        old = self._block
        if self._start == self._stop and not self._next():
            return None
        block, begin = self._block, self._start - n
        if n:
            block[begin : self._start] = before
        self._start = self._stop
        self._give_back(old)
        return block[begin : self._stop].data

    def readinto(self, view: memoryview) -> int:
        """Copy the next bytes; return how many, 0 if there are no more."""
        if self._start == self._stop:
            old = self._block
            if not self._next():
                return 0
            self._give_back(old)
        n = min(len(view), self._stop - self._start)
        # copying arrays does without the interpreter's lock
        to = np.frombuffer(view, np.uint8, n)
        to[:] = self._block[self._start : self._start + n]
        self._start += n
        return n

    def close(self) -> None:
        """End the thread."""
        if os.getpid() == self._pid:
            self._stop_thread()
            self._thread.join(CLOSE_SECONDS)
        else:
            # there is no thread that does
            self._blocks.close()

    def __del__(self) -> None:
        if self._blocks is not None:
            self._stop_thread()

    def _next(self) -> bool:
        """Wait for the next block; False if there is none."""
        if os.getpid() != self._pid:
            return False
        item = self._blocks.filled.get()
        if item is None:
            # for whoever asks again
            self._blocks.filled.put(None)
            return False
        self._block, length = item
        self._start, self._stop = self._size, self._size + length
        return True

    def _give_back(self, old: np.ndarray | None) -> None:
        """Have a block read anew unless it is the one at hand."""
        if old is not None and old is not self._block:
            self._blocks.free.put(old)

    def _stop_thread(self) -> None:
        self._blocks.stopped = True
        # the thread may be waiting for a block
        self._blocks.free.put(None)


def _read_blocks(blocks: _Blocks, offset: int, size: int) -> None:
    """Run the thread: read blocks until the file ends, or a read fails.

    The caller meets the error when it reads on itself.
    """
    try:
        while True:
            block = blocks.free.get()
            if block is None or blocks.stopped:
                return
            length = 0
            while length < size:
                got = os.preadv(blocks.fd, [block[size + length :]], offset + length)
                if not got:
                    break
                length += got
            if not length:
                return
            blocks.filled.put((block, length))
            offset += length
    except OSError:
        return
    finally:
        blocks.filled.put(None)
        blocks.close()
