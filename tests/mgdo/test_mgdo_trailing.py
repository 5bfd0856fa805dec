"""Bytes behind the end of a ROOT file, as ``cat a.root b.root`` leaves them."""

from __future__ import annotations

import gzip
import struct

import pytest
from kit.generators.mgdo import FILE, real_file

from daq2lh5 import build_raw
from daq2lh5.mgdo.mgdo_streamer import TRAILING
from daq2lh5.mgdo.tree import LARGE_FILES, Trailing, find_trailing


def head(version: int, end: int) -> bytes:
    """Make the start of a ROOT file."""
    if version < LARGE_FILES:
        return struct.pack(">4s3i", b"root", version, 100, end).ljust(200, b"\0")
    return struct.pack(">4s2iq", b"root", version, 100, end).ljust(200, b"\0")


@pytest.mark.parametrize("version", [60410, 60410 + LARGE_FILES])
@pytest.mark.parametrize(
    ("end", "behind", "wanted"),
    [
        (200, b"", None),
        (200, b"x", Trailing(200, 1, False)),
        (200, b"root and more", Trailing(200, 13, True)),
        # cut off, or no end at all
        (300, b"", None),
        (0, b"x", None),
        (-1, b"x", None),
    ],
)
def test_find(tmp_path, version, end, behind, wanted):
    path = tmp_path / "run.root"
    path.write_bytes(head(version, end) + behind)
    assert find_trailing(str(path)) == wanted


def test_too_short(tmp_path):
    path = tmp_path / "run.root"
    path.write_bytes(b"root")
    assert find_trailing(str(path)) is None


@real_file
@pytest.mark.parametrize("compressed", [False, True])
def test_joined_files(tmp_path, compressed):
    """The first file is converted, the second one reported; status 3."""
    data = FILE.read_bytes()
    path = tmp_path / "run.root"
    path.write_bytes(gzip.compress(data * 2) if compressed else data * 2)
    report = build_raw(path, out_spec=tmp_path / "x.lh5")
    alone = build_raw(FILE, out_spec=tmp_path / "y.lh5")
    assert alone.clean
    assert report.n_rows == alone.n_rows
    assert report.irregular == {TRAILING: 1}
    assert report.bytes["unknown"] == alone.bytes["unknown"] + len(data)
    assert report.exit_status == 3
    assert any(f"ends at byte {len(data)}; another" in note for note in report.notes)
