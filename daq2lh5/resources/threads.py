"""A small pool of threads that an interruption cannot hang.

An exception of a signal handler (Ctrl-C) can come between any two instructions of the
main thread, also inside of `threading` and `concurrent.futures`. In a loop of tasks and
interruptions (the test of this module) `ThreadPoolExecutor` fails within seconds: locks
stay taken, or are released twice. Here threads wait for `queue.SimpleQueue` and plain
locks only, whose operations the interpreter does not divide, and start with signals
held back: otherwise the same loop hangs.
"""

from __future__ import annotations

import logging
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from .interruption import without_signals

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

__all__ = ["Task", "Threads", "start_thread"]


def start_thread(
    target: Callable[..., None], args: tuple[Any, ...], name: str
) -> threading.Thread:
    """Start a daemon thread: the interpreter does not wait for it at exit."""
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    with without_signals():
        thread.start()
    return thread


class Task:
    """A call that one of the threads makes, and its result."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.done = False
        self._work: Callable[[], Any] | None = work
        self._result: Any = None
        self._error: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def run(self) -> None:
        """Make the call, in the thread that calls this."""
        try:
            self._result = self._work()
        except BaseException as e:  # `result` raises it
            self._error = e
        # frees the arguments of the call
        self._work = None
        self.done = True
        self._running.release()

    def result(self) -> Any:
        """Wait for the result; an exception of the call is raised again."""
        if not self.done:
            self._running.acquire()
        if self._error is not None:
            raise self._error
        return self._result


class Threads:
    """A few threads that work on tasks in the order of their submission.

    If the system cannot start a thread, :meth:`submit` does the work itself.

    Parameters
    ----------
    n
        number of threads; they start with the first tasks.
    name
        prefix of their names.
    """

    def __init__(self, n: int, name: str) -> None:
        self.n = n
        self.name = name
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], Any]) -> Task:
        """Submit a call to the threads."""
        task = Task(work)
        if len(self._threads) < self.n:
            self._start()
        if self._threads:
            self._tasks.put(task)
        else:
            task.run()
        return task

    def _start(self) -> None:
        """Start one more thread; if that fails, go on with those that run."""
        name = f"{self.name}_{len(self._threads)}"
        try:
            with without_signals():
                self._threads.append(start_thread(_work_on, (self._tasks,), name))
        except (RuntimeError, MemoryError) as e:
            self.n = len(self._threads)
            log.info("%s (%s): going on with %d", e, self.name, self.n)

    def close(self) -> None:
        """Drop the tasks that have not begun, and end the threads."""
        try:
            while True:
                self._tasks.get_nowait()
        except Empty:
            pass
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []


def _work_on(tasks: SimpleQueue[Task | None]) -> None:
    while (task := tasks.get()) is not None:
        task.run()
        # frees its result while the thread waits for the next one
        del task
