"""A small DAQ file and its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import pytest
from kit.writers import fcio

from daq2lh5 import build_raw

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def daq(tmp_path) -> Path:
    path = tmp_path / "run.fcio"
    path.write_bytes(fcio.make_stream(30, n_channels=3, n_samples=50, status_every=10))
    return path


@pytest.fixture
def output(daq) -> Path:
    path = daq.with_name("run.lh5")
    build_raw(daq, out_spec=path)
    return path


@pytest.fixture
def change(output):
    """Return a function that changes the output with h5py."""

    def change(how):
        with h5py.File(output, "r+") as file:
            how(file)

    return change
