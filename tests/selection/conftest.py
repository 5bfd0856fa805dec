"""What the tests of selections share."""

from __future__ import annotations

import pytest
from kit.generators.eight_channels import RUN
from kit.writers import fcio as writer


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> str:
    """A run with all kinds of tables that a default file has."""
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    path.write_bytes(writer.make_stream(**RUN))
    return str(path)


@pytest.fixture(scope="module")
def fsp_run(tmp_path_factory) -> str:
    """A run with the software trigger's tables too."""
    path = tmp_path_factory.mktemp("run") / "fsp.fcio"
    path.write_bytes(writer.make_stream(**RUN | {"n_channels": 2, "fsp": True}))
    return str(path)
