"""Work for several threads, with results used in order by one thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from ..resources.threads import Threads
from .filters import ChunkEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..resources.threads import Task

__all__ = ["Pipeline"]


class Pipeline:
    """A pool that compresses chunks while the caller's thread goes on.

    Results are used in the caller's thread, in the calls of this class, and in the
    order of submission: the order of all writing does not depend on the number of
    threads.

    Parameters
    ----------
    threads
        number of threads; with 1 the caller does the work.
    limit
        bytes in the pool above which :meth:`submit` waits.
    verify
        whether to decompress each compressed chunk and compare.

    Attributes
    ----------
    work_seconds
        processor time of the work, of all threads together.
    faults
        path and first row of each chunk that zlib compressed, because the deflate for
        waveforms failed the verification.
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
        """Submit work to the pool.

        Parameters
        ----------
        size
            bytes that it holds until then.
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
        """Wait until all work is done."""
        while self._queue:
            self._finish_first()

    def close(self) -> None:
        """Drop unfinished work, and end the threads."""
        self._queue.clear()
        self._in_flight = 0
        if self._pool is not None:
            self._pool.close()
            self._pool = None
