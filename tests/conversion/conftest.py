"""What the tests of conversions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.generators.small_run import MAKE
from kit.writers import fcio as writer

import daq2lh5

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run with three channels and status records."""
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    path.write_bytes(writer.make_stream(**MAKE))
    return path


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory) -> str:
    """The same run, converted with default settings."""
    path = str(tmp_path_factory.mktemp("whole") / "whole.lh5")
    daq2lh5.build_raw(str(run), out_spec=path)
    return path
