"""The first bytes of compressed files, and the endings of their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.sources import COMPRESSIONS, compress

from daq2lh5.reading.magic import may_become_magic, recognize, without_ending


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_compressed_data_are_recognized(kind):
    packed = compress(kind, b"some data")
    assert recognize(packed) == kind
    heads = [packed[:n] for n in range(9)]
    told = [recognize(head) for head in heads]
    # as soon as there is a name, it stays; before, it may come
    first = told.index(kind)
    assert told[first:] == [kind] * len(told[first:])
    assert all(may_become_magic(head) for head in heads[:first])


@pytest.mark.parametrize(
    "head", [b"\xff\x35\x65\xc4", b"\x1f\x8b\x00\x00", b"BZh0", b"BZ ", b"\xfd7zXY"]
)
def test_other_data_are_not(head):
    assert recognize(head) is None
    assert not may_become_magic(head)


def test_no_data_may_become_anything():
    assert recognize(b"") is None
    assert may_become_magic(b"")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("run.fcio.gz", "run.fcio"),
        ("run.fcio.ZST", "run.fcio"),
        ("run.xz", "run"),
        ("run.fcio", "run.fcio"),
        ("run.gz.bz2", "run.gz"),
        ("gz", "gz"),
    ],
)
def test_endings(name, wanted):
    assert without_ending(Path("a") / name) == Path("a") / wanted
