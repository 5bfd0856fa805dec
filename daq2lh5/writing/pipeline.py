"""Work for several threads, whose results are used in order by one."""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from ..threads import Threads
from .filters import ChunkEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..threads import Task

__all__ = ["Pipeline"]


class Pipeline:
    """A pool that works on chunks, while the caller's thread goes on.

    What is done with the results is done in the caller's thread, inside the calls of
    this class, and in the order of submission: whatever the number of threads, the same
    happens in the same order.

    Parameters
    ----------
    threads
        number of threads; with 1 there are none, and the caller does the work.
    limit
        bytes that may be on their way before :meth:`submit` waits.
    verify
        whether to decompress each compressed chunk and compare.

    Attributes
    ----------
    work_seconds
        processor time that the work took, of all threads together.
    faults
        path and first row of each chunk that the deflate for waveforms spoilt, and
        zlib compressed instead.
    """

    def __init__(self, threads: int = 1, limit: int = 0, verify: bool = False) -> None:
        self.threads = threads
        self.limit = limit
        self.verify = verify
        self.faults: list[tuple[str, int]] = []
        self.work_seconds = 0.0
        self._in_flight = 0
        self._queue: deque[tuple[Task, int, Callable[[Any], None]]] = deque()
        self._local = threading.local()
        self._pool: Threads | None = None

    def submit(
        self,
        size: int,
        work: Callable[[ChunkEncoder], Any],
        done: Callable[[Any], None],
    ) -> None:
        """Have something worked on.

        Parameters
        ----------
        size
            bytes that it holds until it is done.
        work
            called in any thread.
        done
            called with the result, in this thread.
        """
        if self.threads < 2:
            result, seconds = self._run(work)
            self.work_seconds += seconds
            done(result)
            return
        if self._pool is None:
            self._pool = Threads(self.threads, "daq2lh5")
        self._queue.append((self._pool.submit(partial(self._run, work)), size, done))
        self._in_flight += size
        while self._queue and (self._in_flight > self.limit or self._queue[0][0].done):
            self._finish_first()

    def new_encoder(self) -> ChunkEncoder:
        """Make an encoder for the caller's own work."""
        return ChunkEncoder(self.verify, self.faults)

    def _run(self, work: Callable[[ChunkEncoder], Any]) -> tuple[Any, float]:
        start = time.thread_time()
        if not hasattr(self._local, "encoder"):
            self._local.encoder = self.new_encoder()
        result = work(self._local.encoder)
        return result, time.thread_time() - start

    def _finish_first(self) -> None:
        task, size, done = self._queue[0]
        result, seconds = task.result()
        self.work_seconds += seconds
        self._queue.popleft()
        self._in_flight -= size
        done(result)

    def drain(self) -> None:
        """Wait until everything is done."""
        while self._queue:
            self._finish_first()

    def close(self) -> None:
        """Give up what is not done yet, and end the threads."""
        self._queue.clear()
        self._in_flight = 0
        if self._pool is not None:
            self._pool.close()
            self._pool = None
