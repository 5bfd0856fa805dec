"""Many conversions at a time, each in one of a few worker processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from ..command.run import EXIT_FAILED, EXIT_SIGNAL
from ..resources.interruption import interruptible
from .results import Result
from .worker import Job, Progress, run_job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Job", "Listener", "Pool", "convert_all"]

WORKER = "from daq2lh5.batch.worker import main; main()"
"""Program of a worker process: with ``-m`` its classes would be in ``__main__``."""

TICK_SECONDS = 1.0
"""Longest time between two calls of :meth:`Listener.tick`."""

STOP_SECONDS = 10.0
"""Time that a worker has to remove its unfinished output before it is killed."""


class Listener:
    """Observer of a batch; the methods of this class do nothing."""

    def begin(self, file: str, pid: int | None) -> None:
        """Take note of the start of a conversion in process `pid` (None: this one)."""

    def progress(self, file: str, n_bytes: int, n_rows: int) -> None:
        """Take note of the bytes of the file read and the rows written so far."""

    def tick(self) -> None:
        """Do regular work, about once a second during conversions; it may raise."""

    def line(self, text: str) -> None:
        """Take a line that a worker wrote to its standard error."""

    def again(self, result: Result) -> None:
        """Take note of a failed conversion that is tried again."""


def convert_all(
    jobs: Iterable[Job],
    n_workers: int,
    *,
    retries: int = 0,
    timeout: float | None = None,
    fail_fast: bool = False,
    listener: Listener | None = None,
    pool: Pool | None = None,
) -> Iterator[Result]:
    """Convert files in worker processes.

    Parameters
    ----------
    jobs
        the files.
    n_workers
        number of processes; with 1 the files are converted in this process, unless
        there is a pool or a timeout.
    retries
        how often a failed conversion is tried again; wrong arguments are not tried
        again.
    timeout
        seconds after which a conversion is stopped, as failed.
    fail_fast
        stop after the first conversion that fails; the others in progress are stopped,
        and publish nothing.
    listener
        told of the progress.
    pool
        processes to use; idle processes stay in it.

    Yields
    ------
    result
        of each file as it is done.
    """
    listener = listener or Listener()
    queue = deque((job, 1) for job in jobs)
    own = Pool() if pool is None else None
    if own is not None and n_workers == 1 and timeout is None:
        done = _one_by_one(queue, listener)
    else:
        n_workers = min(n_workers, len(queue))
        done = _side_by_side(queue, n_workers, timeout, listener, pool or own)
    try:
        for job, result in done:
            if result.status == EXIT_FAILED and result.attempts <= retries:
                listener.again(result)
                queue.append((job, result.attempts + 1))
                continue
            yield result
            if fail_fast and not result.ok:
                return
    finally:
        done.close()
        if own is not None:
            own.end()


def _one_by_one(
    queue: deque[tuple[Job, int]], listener: Listener
) -> Iterator[tuple[Job, Result]]:
    """Convert the files in this process."""
    while queue:
        job, attempt = queue.popleft()
        listener.begin(job.file, None)
        start = time.monotonic()
        status, report = run_job(
            job,
            lambda s, file=job.file: listener.progress(
                file, s.source.bytes_read, s.report.n_rows
            ),
        )
        if status > EXIT_SIGNAL:
            raise KeyboardInterrupt
        seconds = time.monotonic() - start
        yield job, Result(job.file, status, report, report.error, attempt, seconds)


@dataclass
class _Worker:
    """A worker process, and the file that it converts."""

    process: subprocess.Popen[bytes]
    connection: Connection
    errors: int
    job: Job | None = None
    attempt: int = 0
    began: float = 0.0
    ready: bool = False
    text: bytearray = field(default_factory=bytearray)

    @classmethod
    def start(cls, folder: str | None) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            read, write = os.pipe()
            try:
                process = subprocess.Popen(
                    [sys.executable, "-c", WORKER, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stderr=write,
                    cwd=folder,
                    pass_fds=[theirs.fileno()],
                )
            finally:
                os.close(write)
        os.set_blocking(read, False)
        return cls(process, Connection(ours.detach()), read)

    def give(self, job: Job, attempt: int) -> None:
        self.job, self.attempt, self.began = job, attempt, time.monotonic()
        self.connection.send(job)

    def lines(self) -> Iterator[str]:
        """Yield the new lines on its standard error."""
        while True:
            try:
                data = os.read(self.errors, 65536)
            except BlockingIOError:
                return
            if not data:
                if self.text:
                    yield self.text.decode(errors="replace")
                    self.text.clear()
                return
            *whole, rest = (self.text + data).split(b"\n")
            self.text = bytearray(rest)
            for line in whole:
                yield line.decode(errors="replace")

    def result(self, status: int, report: Any, error: str | None) -> tuple[Job, Result]:
        """Return the result of its file; the worker is idle then."""
        job, self.job = self.job, None
        seconds = time.monotonic() - self.began
        return job, Result(job.file, status, report, error, self.attempt, seconds)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End the process, after time to remove its unfinished output."""
        self.tell_to_end()
        self.wait_for_end(seconds)

    def tell_to_end(self) -> None:
        """Close the connection, and interrupt the conversion."""
        self.connection.close()
        if self.job is not None:
            self.process.send_signal(signal.SIGTERM)

    def wait_for_end(self, seconds: float = STOP_SECONDS) -> None:
        """Wait for the end of the process, and kill it after some time."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(OSError):
            os.close(self.errors)
        self.errors = -1


class Pool:
    """Worker processes, which may serve several batches.

    Parameters
    ----------
    folder
        current folder of the processes; None for the folder of this process.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder
        self.workers: list[_Worker] = []

    def start(self, n: int) -> None:
        """Start processes before there are files: their imports take a while."""
        self.workers += [_Worker.start(self.folder) for _ in range(n)]

    def end(self) -> None:
        """End all processes; they remove unfinished outputs."""
        self._end(self.workers)

    def end_busy(self) -> None:
        """End the processes that have a file, and forget dead ones."""
        self._end([w for w in self.workers if w.job or w.process.poll() is not None])

    def _end(self, workers: list[_Worker]) -> None:
        self.workers = [w for w in self.workers if w not in workers]
        # first tell all, then wait for each
        for worker in workers:
            worker.tell_to_end()
        for worker in workers:
            worker.wait_for_end()


def _side_by_side(
    queue: deque[tuple[Job, int]],
    n_workers: int,
    timeout: float | None,
    listener: Listener,
    pool: Pool,
) -> Iterator[tuple[Job, Result]]:
    """Convert the files in worker processes."""
    pool.end_busy()
    workers = pool.workers
    try:
        while queue or any(w.job for w in workers):
            for worker in workers:
                if worker.job is None and queue:
                    _begin(worker, queue, listener)
            while queue and len(workers) < n_workers:
                workers.append(_Worker.start(pool.folder))
                _begin(workers[-1], queue, listener)
            listener.tick()
            for worker in _ready(workers, timeout):
                yield from _hear(worker, listener)
            for worker in [w for w in workers if _is_late(w, timeout)]:
                workers.remove(worker)
                # while it has the file: so it is told to stop
                worker.stop()
                late = f"stopped after {timeout:g} s (--timeout)"
                yield worker.result(EXIT_FAILED, None, late)
            workers[:] = [w for w in workers if w.errors >= 0]
    finally:
        pool.end_busy()


def _begin(worker: _Worker, queue: deque[tuple[Job, int]], listener: Listener) -> None:
    job, attempt = queue.popleft()
    # a worker that has died is noticed when it is waited for
    with suppress(OSError):
        worker.give(job, attempt)
    listener.begin(job.file, worker.process.pid)


def _ready(workers: list[_Worker], timeout: float | None) -> list[_Worker]:
    """Wait a moment for workers that have sent something."""
    seconds = TICK_SECONDS
    if timeout is not None:
        ends = [w.began + timeout for w in workers if w.job is not None and w.ready]
        if ends:
            seconds = min(seconds, max(0.0, min(ends) - time.monotonic()))
    owners: dict[Any, _Worker] = {}
    for worker in workers:
        owners |= {worker.connection: worker, worker.errors: worker}
    # only the main thread handles signals
    is_main = threading.current_thread() is threading.main_thread()
    with interruptible if is_main else nullcontext():
        found = wait(list(owners), seconds)
    return list({id(owners[x]): owners[x] for x in found}.values())


def _is_late(worker: _Worker, timeout: float | None) -> bool:
    if timeout is None or worker.job is None or not worker.ready:
        return False
    return time.monotonic() >= worker.began + timeout


def _hear(worker: _Worker, listener: Listener) -> Iterator[tuple[Job, Result]]:
    """Take the messages of a worker; yield the result of its file if it is done."""
    try:
        while worker.connection.poll():
            message = worker.connection.recv()
            if message is None:
                # imports are done: the time of its first file begins now
                worker.ready, worker.began = True, time.monotonic()
                continue
            if isinstance(message, Progress):
                listener.progress(worker.job.file, message.n_bytes, message.n_rows)
                continue
            status, report = message
            # lines come before the result
            _pass_on(worker, listener)
            if status > EXIT_SIGNAL:
                yield worker.result(EXIT_FAILED, report, "its process was told to stop")
            else:
                yield worker.result(status, report, report.error)
    except (EOFError, OSError):
        code = worker.process.wait()
        _pass_on(worker, listener)
        job = worker.job
        if job is not None:
            yield worker.result(EXIT_FAILED, None, _why(code))
        worker.stop(0)
        return
    _pass_on(worker, listener)


def _pass_on(worker: _Worker, listener: Listener) -> None:
    for line in worker.lines():
        listener.line(line)


def _why(code: int) -> str:
    """Say how a worker process ended."""
    if code >= 0:
        return f"its process ended with status {code}"
    name = f"signal {-code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
    text = f"its process was killed by {name}"
    if -code == signal.SIGKILL:
        text += ": by the system for lack of memory, or by hand"
    return text
