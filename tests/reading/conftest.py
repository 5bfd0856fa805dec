"""What the tests of reading share."""

from __future__ import annotations

import gc
import os

import pytest
from kit.sources import reader_threads, wait_until


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    if reader_threads():
        gc.collect()
    wait_until(lambda: not reader_threads())


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path
