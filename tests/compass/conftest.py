"""Shared by the tests of CoMPASS."""

from __future__ import annotations

import pytest


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.BIN"
