"""Threads that an interruption cannot hang.

Python runs signal handlers between any two instructions of the main thread, also those
of `threading` and `concurrent.futures` themselves: a Ctrl-C there can leave a lock
taken for which a worker waits for ever. Here workers wait for nothing but
`queue.SimpleQueue` and plain locks, which are single operations of the interpreter, and
threads start with signals held back.
"""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

log = logging.getLogger(__name__)

__all__ = [
    "Task",
    "Threads",
    "signals_as_interrupts",
    "start_thread",
    "without_signals",
]

AGAIN_SECONDS = 0.2
"""After which an interruption that had no effect is repeated."""


@contextmanager
def without_signals() -> Iterator[None]:
    """Hold signals back for a moment: what is inside must be done whole.

    Blocking them would not do: Python's handlers run in this thread whatever thread
    takes the signal.
    """
    met: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in numbers:
                handler = signal.getsignal(number)
                if callable(handler):
                    before[number] = handler
                    signal.signal(number, lambda n, _frame: met.append(n))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(met):
            signal.raise_signal(number)


@contextmanager
def signals_as_interrupts() -> Iterator[Callable[[], None]]:
    """Have Ctrl-C, and a polite kill as well, stop a conversion for certain.

    An exception that a signal raises can get lost, in the callback of a weak reference
    for instance: it is raised again until it has come through.

    Yields
    ------
    check
        raises KeyboardInterrupt if there was a signal.
    """
    met = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal met
        met = True
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        raise KeyboardInterrupt

    def check() -> None:
        if met:
            raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    try:
        old = {n: signal.signal(n, interrupt) for n in numbers}
    except ValueError:  # not in the main thread: signals are somebody else's
        yield check
        return
    try:
        yield check
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in old.items():
            signal.signal(number, handler)


def start_thread(
    target: Callable[..., None], args: tuple[Any, ...], name: str
) -> threading.Thread:
    """Start a thread for which the interpreter does not wait at its end."""
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    with without_signals():
        thread.start()
    return thread


class Task:
    """Something that one of the threads does."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.done = False
        self._work: Callable[[], Any] | None = work
        self._result: Any = None
        self._error: BaseException | None = None
        self._running = threading.Lock()
        self._running.acquire()

    def run(self) -> None:
        """Do it, in the thread that calls this."""
        try:
            self._result = self._work()
        except BaseException as e:  # for who asks for the result
            self._error = e
        # what the work holds should not live as long as its result
        self._work = None
        self.done = True
        self._running.release()

    def result(self) -> Any:
        """Wait for the result; raise what the work raised."""
        if not self.done:
            self._running.acquire()
        if self._error is not None:
            raise self._error
        return self._result


class Threads:
    """A few threads that work on tasks in the order of their submission.

    Where the system lets none start, who submits a task does the work.

    Parameters
    ----------
    n
        how many; they start with the first tasks.
    name
        of the threads.
    """

    def __init__(self, n: int, name: str) -> None:
        self.n = n
        self.name = name
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], Any]) -> Task:
        """Have `work` called in one of the threads."""
        task = Task(work)
        if len(self._threads) < self.n:
            self._start()
        if self._threads:
            self._tasks.put(task)
        else:
            task.run()
        return task

    def _start(self) -> None:
        """Start one more thread; those that there are will do if there can be none."""
        name = f"{self.name}_{len(self._threads)}"
        try:
            with without_signals():
                self._threads.append(start_thread(_work_on, (self._tasks,), name))
        except (RuntimeError, MemoryError) as e:
            self.n = len(self._threads)
            log.info("%s (%s): going on with %d", e, self.name, self.n)

    def close(self) -> None:
        """Give up the tasks that nobody works on yet, and end the threads."""
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
        # not kept until the next one comes
        del task
