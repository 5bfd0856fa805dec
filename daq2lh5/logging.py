"""Logging to the terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter

from .errors import printable

CRITICAL = logging.CRITICAL
DEBUG = logging.DEBUG
ERROR = logging.ERROR
FATAL = logging.FATAL
INFO = logging.INFO
WARNING = logging.WARNING

root = logging.root

_COLORS = {DEBUG: "36", INFO: "32", WARNING: "33", ERROR: "31", CRITICAL: "1;31"}


class _Formatter(logging.Formatter):
    """Name, level and message; in color on a terminal."""

    def __init__(self, color: bool) -> None:
        super().__init__("%(name)s [%(levelname)s] %(message)s")
        self._color = color

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).split("\n")
        text = "\n".join(map(printable, lines))
        if not self._color:
            return text
        return f"\033[{_COLORS.get(record.levelno, '0')}m{text}\033[0m"


MAX_LINES = 1000
"""Most warnings that one line of the program can show."""


class _Enough(logging.Filter):
    """Limits the number of like warnings, which an input may cause without end.

    The report counts its own warnings, for each input.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[tuple[str, int]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != WARNING or record.name == "daq2lh5.report":
            return True
        place = record.pathname, record.lineno
        self._counts[place] += 1
        if self._counts[place] == MAX_LINES:
            record.msg = "more than %d messages like the last are not shown"
            record.args = (MAX_LINES,)
        return self._counts[place] <= MAX_LINES


def setup(level: int = logging.INFO, logger: logging.Logger | None = None) -> None:
    """Show log messages on standard error.

    Calling it again changes the level and adds no second handler.

    Parameters
    ----------
    level
        lowest level that is shown.
    logger
        the logger to set up; by default that of this package.
    """
    if logger is None:
        logger = logging.getLogger("daq2lh5")
    logger.setLevel(level)
    if any(isinstance(h.formatter, _Formatter) for h in logger.handlers):
        return
    if sys.stderr is None:
        return  # closed, as daemons do
    handler = logging.StreamHandler(sys.stderr)
    color = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    handler.setFormatter(_Formatter(color))
    handler.addFilter(_Enough())
    logger.addHandler(handler)
