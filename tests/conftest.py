"""What all tests share."""

from __future__ import annotations

import logging
import os
import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _away_from_the_sources(tmp_path_factory):
    """Run in an empty directory: python imports from the current one first.

    Where the package is installed the checkout has its sources, not compiled.
    """
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("cwd"))
    yield
    os.chdir(before)


@pytest.fixture(scope="session", autouse=True)
def _signals():
    """Heed signals that are ignored: Ctrl-C in jobs of shells, SIGHUP under nohup."""
    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGTERM: signal.SIG_DFL,
    }
    before = {}
    for number, handler in handlers.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _log_level():
    """Leave the logger as other tests know it: the command line sets it up."""
    logger = logging.getLogger("daq2lh5")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers
