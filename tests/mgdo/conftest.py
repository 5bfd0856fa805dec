"""Shared by the tests of MGDO data."""

from __future__ import annotations

import pytest
from kit.mgdo_tree import FileTree


@pytest.fixture
def fake_tree(monkeypatch):
    """Read the container of the tests' writer instead of ROOT files."""
    monkeypatch.setattr("daq2lh5.mgdo.tree.MGTree", FileTree)
