"""Messages on standard error: once, at the level asked for, in color on terminals."""

from __future__ import annotations

import io
import logging as standard
import sys

import pytest

from daq2lh5 import logging


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def logger():
    logger = standard.getLogger("daq2lh5.tests.of_logging")
    logger.propagate = False
    yield logger
    logger.handlers.clear()


def messages(logger, monkeypatch, stream, *levels: int) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    for level in levels:
        logging.setup(level, logger)
    logger.info("some %s", "news")
    logger.warning("a warning")
    return stream.getvalue()


def test_name_level_and_message(logger, monkeypatch):
    text = messages(logger, monkeypatch, io.StringIO(), logging.INFO)
    name = logger.name
    assert text == f"{name} [INFO] some news\n{name} [WARNING] a warning\n"


def test_the_last_level_counts_and_nothing_is_said_twice(logger, monkeypatch):
    stream = io.StringIO()
    text = messages(logger, monkeypatch, stream, logging.DEBUG, logging.WARNING)
    assert text.splitlines() == [f"{logger.name} [WARNING] a warning"]


@pytest.mark.parametrize("no_color", [False, True])
def test_color_on_terminals(no_color, logger, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    text = messages(logger, monkeypatch, Terminal(), logging.WARNING)
    plain = f"{logger.name} [WARNING] a warning"
    assert text == (f"{plain}\n" if no_color else f"\033[33m{plain}\033[0m\n")


def test_without_standard_error(logger, monkeypatch):
    before = list(logger.handlers)
    monkeypatch.setattr(sys, "stderr", None)
    logging.setup(logging.INFO, logger)
    assert not [h for h in logger.handlers if h not in before]


def test_the_package_is_set_up_by_default(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    logging.setup(logging.ERROR)
    assert standard.getLogger("daq2lh5").level == logging.ERROR
