"""Logging to the terminal."""

from __future__ import annotations

import logging
import os
import sys

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
    logger.addHandler(handler)
