"""Differences: all are counted, some are listed."""

from __future__ import annotations

from daq2lh5.verification.differences import Difference, Differences


def test_the_first_of_each_column_are_listed():
    found = Differences()
    assert len(found) == 0
    for row in range(10):
        found.add("a/b", "other", row)
    found.add("c", "missing rows", 7, n=90)
    assert len(found) == 100
    assert found.counts == {"a/b": 10, "c": 90}
    assert [d.path for d in found.listed] == ["a/b"] * 3 + ["c"]


def test_the_list_is_bounded():
    found = Differences()
    for i in range(1000):
        found.add(f"table{i}", "missing")
    assert len(found) == 1000
    assert len(found.listed) == 100


def test_words():
    assert str(Difference("t/c", "stored 1, expected 2", 5)) == (
        "t/c, row 5: stored 1, expected 2"
    )
    assert str(Difference("", "report")) == "file: report"
    assert Difference("t", "x").as_dict() == {"path": "t", "text": "x", "row": None}
