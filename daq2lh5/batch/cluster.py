"""Many conversions at a time on a cluster, by Dask (``dask.distributed``).

Each file is a task. A Dask worker keeps a process of :mod:`.work` for each of its
threads: a conversion can be stopped, and if it crashes the Dask worker goes on. Events
tell the progress. The events of a file come in order, and before its result.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .._version import __version__
from ..command.run import EXIT_FAILED, EXIT_USAGE
from ..resources.interruption import interruptible
from ..resources.memory import default_threads
from .current import existing_outputs
from .plan import share
from .results import Result
from .work import Listener, Pool, convert_all

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from distributed import Client, Future

    from .work import Job

__all__ = ["LOCAL", "ClusterError", "convert_jobs", "convert_on_cluster"]

LOCAL = "local"
"""Name in place of an address: a cluster of processes on this computer."""

MIN_IN_FLIGHT = 100
"""Least number of files that the scheduler has at a time: enough for a cluster that
grows with its tasks."""

PROGRESS_SECONDS = 1.0
"""Time between two events about the progress of a file."""

CONNECT_SECONDS = 10.0
"""Time for the scheduler to take a connection."""

STOP_SECONDS = 10.0
"""Time for the workers to remove unfinished output."""


class ClusterError(RuntimeError):
    """The cluster cannot be used; files without a result are not converted."""


def convert_jobs(
    jobs: Iterable[Job],
    n_jobs: int | None,
    scheduler: str | None,
    **options: Any,
) -> Generator[Result]:
    """Convert files on this computer, or on a cluster if there is a scheduler.

    Parameters
    ----------
    jobs, scheduler, options
        see :func:`convert_on_cluster`.
    n_jobs
        largest number of conversions at a time; None: 1, and on a cluster as many as
        there are threads.

    Returns
    -------
    results
        iterator of the results, each as its file is done.

    Raises
    ------
    ClusterError
        while results are taken, see :func:`convert_on_cluster`.
    """
    if scheduler is None:
        return convert_all(jobs, n_jobs or 1, **options)
    return convert_on_cluster(jobs, scheduler, n_jobs, **options)


def convert_on_cluster(
    jobs: Iterable[Job],
    scheduler: str,
    n_workers: int | None = None,
    *,
    retries: int = 0,
    timeout: float | None = None,
    fail_fast: bool = False,
    listener: Listener | None = None,
) -> Iterator[Result]:
    """Convert files on a Dask cluster, with the same results as :func:`.convert_all`.

    The workers need this version of daq2lh5, and the files under the same names. Dask
    gives the files of a lost worker to another one, which the listener is told.

    Parameters
    ----------
    jobs
        the files. The conversions of a worker share `threads` and `memory_limit`; on a
        local cluster, all conversions do. Without `threads` each conversion has one.
    scheduler
        address of the scheduler (``tcp://HOST:PORT``), or ``local`` for a cluster of
        processes on this computer.
    n_workers
        largest number of conversions at a time; None: as many as there are threads.
    retries, timeout, fail_fast, listener
        see :func:`.convert_all`.

    Yields
    ------
    result
        of each file as it is done.

    Raises
    ------
    ClusterError
        if dask is not installed, the scheduler cannot be reached, the connection to it
        is lost, or a worker has another version.
    """
    with ExitStack() as stack:
        listener = listener or Listener()
        if scheduler == LOCAL:
            n_workers = n_workers or default_threads()
            jobs = [
                replace(job, arguments=share(job.arguments, n_workers)) for job in jobs
            ]
        client = _connect(stack, scheduler, n_workers)
        if not client.nthreads():
            listener.line(f"waiting for workers of {client.scheduler.address}")
        batch = _Batch(client, n_workers, timeout, listener)
        stack.callback(batch.stop)
        yield from batch.results(jobs, retries, fail_fast)


def _connect(stack: ExitStack, scheduler: str, n_workers: int | None) -> Client:
    """Connect to a cluster; leaving the stack disconnects."""
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415  (optional)
        from distributed.comm import get_address_host_port  # noqa: PLC0415
        from distributed.utils import silence_logging_cmgr  # noqa: PLC0415
    except ImportError as e:
        msg = f"--scheduler needs dask ({e}): pip install 'daq2lh5[dask]'"
        raise ClusterError(msg) from e
    # the listener gets the messages that matter
    stack.enter_context(silence_logging_cmgr("CRITICAL"))
    address: Any = scheduler
    if scheduler == LOCAL:
        stack.callback(_end_idle)
        address = stack.enter_context(
            # its worker is in this process; conversions have processes of their own
            LocalCluster(
                n_workers=1,
                threads_per_worker=n_workers,
                processes=False,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs="CRITICAL",
            )
        )
    try:
        if scheduler != LOCAL:
            # (a client that does not connect goes on trying in the background)
            socket.create_connection(
                get_address_host_port(scheduler), CONNECT_SECONDS
            ).close()
        return stack.enter_context(Client(address, set_as_default=False))
    except (OSError, ValueError) as e:
        msg = (
            f"no Dask scheduler answers at {scheduler} ({e}): expected 'local' or the "
            "address that dask-scheduler prints, such as tcp://HOST:8786"
        )
        raise ClusterError(msg) from e


@dataclass
class _Task:
    """A file on the cluster.

    Attributes
    ----------
    job
        its conversion.
    future
        future of its result.
    begun
        how often a worker began it.
    failed
        how often it failed and was tried again.
    worker
        address of the last worker that began this future; None before.
    is_running
        whether that worker is still converting it.
    is_lost
        whether a worker was lost while it had the file.
    """

    job: Job
    future: Future | None = None
    begun: int = 0
    failed: int = 0
    worker: str | None = None
    is_running: bool = False
    is_lost: bool = False


@dataclass
class _Batch:
    """Files on a cluster: submits them, and takes events and results."""

    client: Client
    n_workers: int | None
    timeout: float | None
    listener: Listener
    topic: str = field(default_factory=lambda: f"daq2lh5-{uuid4().hex}")
    inbox: SimpleQueue[tuple[Any, ...]] = field(default_factory=SimpleQueue)
    tasks: dict[str, _Task] = field(default_factory=dict)

    def results(
        self, jobs: Iterable[Job], retries: int, fail_fast: bool
    ) -> Iterator[Result]:
        """Convert the files; see :func:`convert_on_cluster`."""
        self.client.subscribe_topic(self.topic, lambda event: self.inbox.put(event[1]))
        waiting: deque[_Task] = deque()
        for job in jobs:
            if "-" in job.names:
                why = "a cluster cannot read standard input: give a file"
                yield Result(job.file, EXIT_USAGE, None, why)
            else:
                waiting.append(_Task(job))
        while waiting or self.tasks:
            if waiting:
                for _ in range(min(self._room(), len(waiting))):
                    self._submit(waiting.popleft())
            with interruptible:
                kind, key, *values = self.inbox.get()
            task = self.tasks.get(key)
            if task is None:
                # from a worker that was taken for lost
                continue
            if kind != "result":
                self._hear(task, kind, *values)
                continue
            del self.tasks[key]
            result = self._result(task, *values)
            if self._is_own(task, result):
                task.job = replace(
                    task.job, arguments=task.job.arguments | {"overwrite": True}
                )
                waiting.appendleft(task)
            elif result.status == EXIT_FAILED and task.failed < retries:
                task.failed += 1
                self.listener.again(result)
                waiting.append(task)
            else:
                yield result
                if fail_fast and not result.ok:
                    return

    def _room(self) -> int:
        """Return how many more files the scheduler may have."""
        limit = self.n_workers
        if limit is None:
            try:
                threads = sum(self.client.nthreads().values())
            except OSError as e:
                raise self._lost_connection() from e
            limit = max(MIN_IN_FLIGHT, 2 * threads)
        return limit - len(self.tasks)

    def _lost_connection(self) -> ClusterError:
        return ClusterError(
            f"the connection to {self.client.scheduler.address} was lost: start the "
            "batch again, with --skip-existing"
        )

    def _submit(self, task: _Task) -> None:
        task.worker, task.is_running = None, False
        task.future = self.client.submit(
            _convert,
            task.job,
            folder=os.getcwd(),
            version=__version__,
            topic=self.topic,
            timeout=self.timeout,
            pure=False,
        )
        self.tasks[task.future.key] = task
        # in a thread of Dask; it waits for the result while events come in
        task.future.add_done_callback(
            lambda future: self.inbox.put(("result", future.key, _outcome(future)))
        )

    def _hear(self, task: _Task, kind: str, *values: Any) -> None:
        """Take an event of a file."""
        if kind == "begin":
            pid, worker = values
            if task.worker is not None:
                task.is_lost = True
                self.listener.again(_lost(task, f"its worker {task.worker} was lost"))
            task.worker, task.is_running = worker, True
            task.begun += 1
            self.listener.begin(task.job.file, pid)
        elif kind == "progress":
            self.listener.progress(task.job.file, *values)
        elif kind == "line":
            self.listener.line(*values)
        elif kind == "end":
            task.is_running = False

    def _result(self, task: _Task, outcome: Result | BaseException) -> Result:
        """Return the result of a file."""
        from distributed import KilledWorker  # noqa: PLC0415  (optional)

        if isinstance(outcome, Result):
            outcome.attempts = max(1, task.begun)
            return outcome
        if isinstance(outcome, KilledWorker):
            # more often than the scheduler allows
            return _lost(task, "the workers that converted it were lost")
        if isinstance(outcome, ClusterError):
            raise outcome
        if isinstance(outcome, CancelledError):
            raise self._lost_connection() from outcome
        why = str(outcome).partition("\n")[0]
        msg = (
            f"the scheduler and the workers need daq2lh5 {__version__}, install it "
            f"there: {type(outcome).__name__}: {why}"
        )
        raise ClusterError(msg) from outcome

    def _is_own(self, task: _Task, result: Result) -> bool:
        """Whether the output that exists was published by a worker that was lost."""
        if not (task.is_lost and result.status == EXIT_USAGE):
            return False
        job = task.job
        if job.arguments.get("overwrite"):
            return False
        return existing_outputs(job.names, job.target, job.arguments).outdated is None

    def stop(self) -> None:
        """Cancel the conversions in progress, and wait until they have stopped."""
        futures = [task.future for task in self.tasks.values()]
        if not futures or self.client.status != "running":
            return
        end = time.monotonic() + STOP_SECONDS
        # the connection may be lost
        with suppress(Empty, OSError):
            self.client.cancel(futures, force=True)
            while any(task.is_running for task in self.tasks.values()):
                kind, key, *values = self.inbox.get(
                    timeout=max(0.0, end - time.monotonic())
                )
                if kind != "result" and key in self.tasks:
                    self._hear(self.tasks[key], kind, *values)


def _lost(task: _Task, why: str) -> Result:
    return Result(task.job.file, EXIT_FAILED, None, why, max(1, task.begun))


def _outcome(future: Future) -> Result | BaseException:
    """Return the result of a task, or the exception that ended it."""
    try:
        return future.result()
    except BaseException as e:  # raised in the main thread
        return e


# ---- on the workers ----------------------------------------------------------------

_idle: list[Pool] = []
"""Processes that wait for a file, each in a pool of its own."""


def _pool_in(folder: str) -> Pool:
    """Return a pool in a folder; end idle pools in other folders."""
    while True:
        try:
            # another thread may have taken the last one
            pool = _idle.pop()
        except IndexError:
            return Pool(folder)
        if pool.folder == folder:
            return pool
        pool.end()


def _end_idle() -> None:
    while _idle:
        _idle.pop().end()


class _Events(Listener):
    """Sends events about a file; stops its conversion if the result is not wanted."""

    def __init__(self, topic: str) -> None:
        from distributed import get_worker  # noqa: PLC0415  (optional)

        self.topic = topic
        self.worker = get_worker()
        self.key = self.worker.get_current_task()
        self.last = 0.0

    def send(self, kind: str, *values: Any) -> None:
        self.worker.log_event(self.topic, [kind, self.key, *values])

    def begin(self, file: str, pid: int | None) -> None:  # noqa: ARG002
        self.send("begin", pid, self.worker.address)

    def tick(self) -> None:
        from distributed import Reschedule, Status  # noqa: PLC0415  (optional)

        task = self.worker.state.tasks.get(self.key)
        is_cancelled = task is None or task.state != "executing"
        if is_cancelled or self.worker.status in (Status.closing, Status.closed):
            # if the result is wanted after all, another worker begins again
            raise Reschedule

    def progress(self, file: str, n_bytes: int, n_rows: int) -> None:  # noqa: ARG002
        now = time.monotonic()
        if now - self.last >= PROGRESS_SECONDS:
            self.last = now
            self.send("progress", n_bytes, n_rows)

    def line(self, text: str) -> None:
        self.send("line", text)


def _convert(
    job: Job, *, folder: str, version: str, topic: str, timeout: float | None
) -> Result:
    """Convert a file, on a worker."""
    host = socket.gethostname()
    if version != __version__:
        msg = (
            f"a worker on {host} has daq2lh5 {__version__}; expected {version}, as "
            "where the batch was started: install that version there"
        )
        raise ClusterError(msg)
    missing = _missing(folder, job.names)
    if missing is not None:
        why = (
            f"{missing} does not exist on {host}: the workers of a cluster need the "
            "same files and folders under the same names (a shared file system)"
        )
        return Result(job.file, EXIT_USAGE, None, why)
    events = _Events(topic)
    n_threads = events.worker.state.nthreads
    threads = job.arguments.get("threads") or n_threads
    job = replace(job, arguments=share(job.arguments | {"threads": threads}, n_threads))
    pool = _pool_in(folder)
    try:
        (result,) = convert_all([job], 1, timeout=timeout, listener=events, pool=pool)
    except OSError as e:
        why = f"no process could be started: {e}"
        return Result(job.file, EXIT_FAILED, None, why)
    finally:
        _idle.append(pool)
        events.send("end")
    return result


def _missing(folder: str, names: list[str]) -> str | None:
    """Return the name of a folder or an input that is not there; None if all are."""
    if not os.path.isdir(folder):
        return folder
    paths = [os.path.join(folder, name.removeprefix("file://")) for name in names]
    return next((path for path in paths if not os.path.exists(path)), None)
