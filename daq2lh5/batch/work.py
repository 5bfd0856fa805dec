"""Many conversions at a time, each in one of a few worker processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from ..command.run import EXIT_FAILED, EXIT_SIGNAL
from ..resources.interruption import interruptible
from .results import Result
from .worker import Job, Progress, run_job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Job", "Listener", "convert_all"]

WORKER = "from daq2lh5.batch.worker import main; main()"
"""Program of a worker process. With ``-m`` its classes would belong to ``__main__``."""

STOP_SECONDS = 10.0
"""Time that a worker has to remove its unfinished output before it is killed."""


class Listener:
    """Observer of a batch; the methods of this class do nothing."""

    def begin(self, file: str, pid: int | None) -> None:
        """Take note of the start of a conversion, in process `pid` (None: this one)."""

    def progress(self, file: str, n_bytes: int, n_rows: int) -> None:
        """Take note of the bytes of the file read and the rows written so far."""

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
) -> Iterator[Result]:
    """Convert files in worker processes.

    Parameters
    ----------
    jobs
        the files.
    n_workers
        number of processes; with 1 the files are converted in this one.
    retries
        how often a conversion that failed is tried again: not one with wrong arguments.
    timeout
        seconds after which a conversion is stopped, as failed.
    fail_fast
        stop after the first conversion that fails; the others in progress are stopped,
        and publish nothing.
    listener
        told of the progress.

    Yields
    ------
    result
        of each file as it is done.
    """
    listener = listener or Listener()
    queue = deque((job, 1) for job in jobs)
    if n_workers == 1 and timeout is None:
        done = _one_by_one(queue, listener)
    else:
        done = _side_by_side(queue, min(n_workers, len(queue)), timeout, listener)
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
    def start(cls) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            read, write = os.pipe()
            try:
                process = subprocess.Popen(
                    [sys.executable, "-c", WORKER, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stderr=write,
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
        """Go through the new lines on its standard error."""
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
        """Return the result of its file, which it has no more."""
        job, self.job = self.job, None
        seconds = time.monotonic() - self.began
        return job, Result(job.file, status, report, error, self.attempt, seconds)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End the process: politely, so that it removes its unfinished output."""
        self.connection.close()
        if self.job is not None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(OSError):
            os.close(self.errors)
        self.errors = -1


def _side_by_side(
    queue: deque[tuple[Job, int]],
    n_workers: int,
    timeout: float | None,
    listener: Listener,
) -> Iterator[tuple[Job, Result]]:
    """Convert the files in worker processes."""
    workers: list[_Worker] = []
    try:
        while queue or any(w.job for w in workers):
            for worker in workers:
                if worker.job is None and queue:
                    _begin(worker, queue, listener)
            while queue and len(workers) < n_workers:
                workers.append(_Worker.start())
                _begin(workers[-1], queue, listener)
            for worker in _ready(workers, timeout):
                yield from _hear(worker, listener)
            for worker in [w for w in workers if _is_late(w, timeout)]:
                workers.remove(worker)
                late = f"stopped after {timeout:g} s (--timeout)"
                outcome = worker.result(EXIT_FAILED, None, late)
                worker.stop()
                yield outcome
            workers[:] = [w for w in workers if w.errors >= 0]
    finally:
        for worker in workers:
            # all at once
            if worker.job is not None:
                worker.process.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.stop()


def _begin(worker: _Worker, queue: deque[tuple[Job, int]], listener: Listener) -> None:
    job, attempt = queue.popleft()
    # if the worker has died that is met where it is waited for
    with suppress(OSError):
        worker.give(job, attempt)
    listener.begin(job.file, worker.process.pid)


def _ready(workers: list[_Worker], timeout: float | None) -> list[_Worker]:
    """Wait until workers have something to say."""
    seconds = None
    if timeout is not None:
        ends = [w.began + timeout for w in workers if w.job is not None and w.ready]
        if ends:
            seconds = max(0.0, min(ends) - time.monotonic())
    doors: dict[Any, _Worker] = {}
    for worker in workers:
        doors |= {worker.connection: worker, worker.errors: worker}
    with interruptible:
        found = wait(list(doors), seconds)
    return list({id(doors[door]): doors[door] for door in found}.values())


def _is_late(worker: _Worker, timeout: float | None) -> bool:
    if timeout is None or worker.job is None or not worker.ready:
        return False
    return time.monotonic() >= worker.began + timeout


def _hear(worker: _Worker, listener: Listener) -> Iterator[tuple[Job, Result]]:
    """Take what a worker sent; yields the result of its file if that is done."""
    try:
        while worker.connection.poll():
            message = worker.connection.recv()
            if message is None:
                # only now the time of its first file runs
                worker.ready, worker.began = True, time.monotonic()
                continue
            if isinstance(message, Progress):
                listener.progress(worker.job.file, message.n_bytes, message.n_rows)
                continue
            status, report = message
            # its messages come before its result
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
