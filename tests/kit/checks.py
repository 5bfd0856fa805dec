"""Assertions that tests of several formats share."""

from __future__ import annotations

import numpy as np


def assert_rows(found: list[dict], wanted: list[dict]) -> None:
    """Compare rows, each a dictionary of values by column."""
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.keys() == b.keys()
        for name, value in b.items():
            np.testing.assert_array_equal(a[name], value, name)
