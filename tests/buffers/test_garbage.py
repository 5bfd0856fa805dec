"""Damaged ranges: what is kept of them, up to a cap, and the table of them."""

from __future__ import annotations

import numpy as np
import pytest

from daq2lh5.buffers import garbage as module
from daq2lh5.buffers.garbage import Garbage


def test_table_of_ranges():
    garbage = Garbage()
    garbage.add(b"abc", 5, 2, 100)
    garbage.add(b"", 6, 3, 2**40)
    garbage.add(b"de", -1, 1, 0)
    table = garbage.as_lgdo()
    rows = [bytes(row.astype(np.uint8)) for row in table["packets"]]
    assert rows == [b"abc", b"", b"de"]
    # before the first packet
    assert table["packet_id"].nda.tolist() == [5, 6, 2**32 - 1]
    assert table["garbage_code"].nda.tolist() == [2, 3, 1]
    assert table["offset"].nda.tolist() == [100, 2**40, 0]
    assert (len(garbage), garbage.bytes_kept, garbage.bytes_dropped) == (3, 5, 0)


@pytest.mark.parametrize("cap", range(8))
def test_bytes_beyond_the_cap_are_counted(cap):
    garbage = Garbage(cap)
    garbage.add(b"abc", 0, 0, 0)
    garbage.add(b"defg", 1, 0, 10, dropped=100)
    assert garbage.bytes_kept == min(cap, 7)
    assert garbage.bytes_kept + garbage.bytes_dropped == 107
    kept = b"".join(row.tobytes() for row in garbage.as_table().as_lgdo()["packets"])
    assert kept == b"abcdefg"[:cap]
    assert len(garbage) == 2


def test_rows_beyond_the_largest_number_are_counted(monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    garbage = Garbage()
    for i in range(4):
        garbage.add(b"xy", i, 0, i)
    assert (len(garbage), garbage.bytes_kept, garbage.bytes_dropped) == (2, 4, 4)


def test_what_was_added_can_be_forgotten():
    garbage = Garbage(3)
    garbage.add(b"abcd", 0, 0, 0)
    garbage.clear()
    assert (len(garbage), garbage.bytes_kept, garbage.bytes_dropped) == (0, 0, 0)
