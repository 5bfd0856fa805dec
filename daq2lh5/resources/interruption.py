"""Ctrl-C and other signals that ask to end: noticed between chunks, or held back.

At Ctrl-C Python raises KeyboardInterrupt between any two instructions of the main
thread, and users of the library get just that. The exception can get lost, for instance
in the callback of a weak reference, of which h5py has many. So in the command line the
first signal sets a flag, and the conversion stops where it looks at the flag
(:func:`check_interruption`) or waits for its input (:data:`interruptible`). A second
signal raises KeyboardInterrupt at once.

The steps that must not be left half done hold signals back for a moment
(:func:`without_signals`): publishing and removing files, and the start of a thread.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = [
    "Interruption",
    "check_interruption",
    "interruptible",
    "notice_signals",
    "without_signals",
]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask to end: Ctrl-C, a batch system, a terminal that was closed."""


class Interruption:
    """The flag that a signal sets.

    Attributes
    ----------
    number
        number of the first signal; None before one.
    """

    def __init__(self) -> None:
        self.number: int | None = None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        first = self.number is None
        if first:
            self.number = number
        if not first or interruptible.entered:
            raise KeyboardInterrupt


class _Interruptible:
    """Signals raise KeyboardInterrupt at once while the caller waits for its input.

    A flag alone would not end a read from a pipe without data.
    """

    entered = False

    def __enter__(self) -> None:
        # in this order no signal is missed
        self.entered = True
        try:
            check_interruption()
        except KeyboardInterrupt:
            self.entered = False
            raise

    def __exit__(self, *_: object) -> None:
        self.entered = False


interruptible = _Interruptible()
"""A context for calls that may wait for input for any time."""

_noticed: Interruption | None = None


@contextmanager
def notice_signals() -> Iterator[Interruption]:
    """Make signals set a flag, in the command line.

    Ignored signals (``nohup``) stay ignored. In other threads nothing changes.
    """
    global _noticed  # noqa: PLW0603  (signals belong to the process)
    interruption = Interruption()
    before: dict[int, Any] = {}
    outer, _noticed = _noticed, interruption
    try:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, interruption.handle)
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _noticed = outer


def check_interruption() -> None:
    """Raise KeyboardInterrupt if a signal has set the flag."""
    if _noticed is not None and _noticed.number is not None:
        raise KeyboardInterrupt


@contextmanager
def without_signals() -> Iterator[None]:
    """Hold signals back for a moment: for steps that must be completed.

    Handlers are replaced. To block the signals would not suffice: another thread could
    take them, and Python would still run their handlers in the main thread.
    """
    met: list[int] = []
    before: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            # a user's alarm may raise, too
            for number in (*SIGNALS, signal.SIGALRM):
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
