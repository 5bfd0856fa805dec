"""Baskets of a tree: unpacked as uproot does it, and read in advance."""

from __future__ import annotations

import itertools
import struct
import sys
import zlib

import numpy as np
import pytest
from kit.generators.mgdo import FILE, real_file
from kit.mgdo_tree import FileTree
from kit.writers import mgdo as writer

from daq2lh5.errors import DecodeError
from daq2lh5.mgdo import baskets, baskets_ahead
from daq2lh5.mgdo.baskets import unpack
from daq2lh5.mgdo.baskets_ahead import BasketsAhead
from daq2lh5.mgdo.tree import MGTree


def block(data: bytes) -> bytes:
    packed = zlib.compress(data, 1)
    sizes = (len(packed), len(data))
    return b"ZL\x08" + b"".join(n.to_bytes(3, "little") for n in sizes) + packed


def stored(
    entries: list[bytes], split: tuple[int, ...] = (), with_offsets: bool = True
) -> bytes:
    """Write a basket as ROOT does, in blocks that end where `split` says."""
    key_length = 74
    data = b"".join(entries)
    last = key_length + len(data)
    if with_offsets:
        starts = key_length + np.cumsum([0, *map(len, entries)])[:-1]
        data += struct.pack(f">i{len(entries)}ii", len(entries) + 1, *starts, 0)
    bounds = (0, *split, len(data))
    packed = b"".join(block(data[a:b]) for a, b in itertools.pairwise(bounds))
    key = struct.pack(
        ">ihiIhh", key_length + len(packed), 4, len(data), 0, key_length, 1
    )
    end = struct.pack(">Hiii", 3, 32000, 8 * len(entries), len(entries))
    end += struct.pack(">ib", last, 0)
    return key + bytes(key_length - len(key) - len(end)) + end + packed


ENTRIES = [b"first", b"", b"the third one" * 20, b"x"]


@real_file
def test_same_as_uproot(monkeypatch):
    """All baskets of the real file."""
    pytest.importorskip("uproot")
    tree = MGTree(str(FILE))
    fast = [tree.read(i) for i in range(tree.n_baskets)]
    monkeypatch.setattr(tree._branch, "basket", None)
    assert all(len(tree.read(i).data) for i in range(tree.n_baskets))
    monkeypatch.undo()
    monkeypatch.setattr("daq2lh5.mgdo.tree.unpack", lambda _: None)
    for number, basket in enumerate(fast):
        slow = tree.read(number)
        assert slow.first == basket.first
        assert slow.data.tobytes() == basket.data.tobytes()
        assert slow.offsets.tolist() == basket.offsets.tolist()
    tree.close()


@pytest.fixture(params=["isal", "cramjam", "zlib"])
def library(request, monkeypatch):
    """Have baskets decompressed by a library, in place of faster ones."""
    libraries = ["isal", "cramjam", "zlib"]
    package = pytest.importorskip(request.param)
    for faster in libraries[: libraries.index(request.param)]:
        monkeypatch.setitem(sys.modules, faster, None)
    found = baskets._inflate()
    module = {"isal": "isal_zlib", "cramjam": "zlib"}.get(request.param)
    assert found is (getattr(package, module) if module else package).decompress


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("split", [(), (1,), (7, 30, 100)])
def test_unpack(split):
    """One block or several, with any library."""
    data, offsets = unpack(stored(ENTRIES, split))
    assert data.tobytes() == b"".join(ENTRIES)
    assert offsets.tolist() == [0, 5, 5, 265, 266]


def test_entries_of_one_length():
    """They have no list of offsets."""
    data, offsets = unpack(stored([b"abc", b"def"], with_offsets=False))
    assert data.tobytes() == b"abcdef"
    assert offsets is None


@pytest.mark.usefixtures("library")
def test_whatever_is_damaged_is_left_to_uproot():
    """Any byte changed, any cut: the same as before, something, or None."""
    sound = stored(ENTRIES, (9,))
    for at in range(len(sound)):
        assert unpack(sound[:at]) is None
        damaged = bytearray(sound)
        damaged[at] ^= 0xFF
        found = unpack(bytes(damaged))
        if found is not None and found[1] is not None:
            assert found[0].tobytes() == b"".join(ENTRIES)
    assert unpack(sound.replace(b"ZL\x08", b"ZS\x01")) is None


def test_baskets_in_advance(tmp_path, monkeypatch):
    """All baskets come in order, in pieces of any size; unreadable ones as errors."""
    path = tmp_path / "tree"
    entry = writer.Entry([writer.Wave([1, 2])], [writer.Digitizer()], None).pack()
    path.write_bytes(writer.container([[entry], [], [entry] * 2, [], [entry]]))
    for size in (1, len(entry) * 2, 2**20):
        monkeypatch.setattr(baskets_ahead, "AHEAD_BYTES", size)
        ahead = BasketsAhead(FileTree(str(path)))
        found = []
        for number in range(5):
            try:
                found.append(ahead.read(number).first)
            except DecodeError:
                found.append(None)
        ahead.close()
        assert found == [0, None, 3, None, 7]


def test_not_too_many_in_advance(tmp_path, monkeypatch):
    """Memory is bounded: at most two pieces are there."""
    path = tmp_path / "tree"
    entry = writer.Entry([writer.Wave([1, 2])], [writer.Digitizer()], None).pack()
    path.write_bytes(writer.container([[entry]] * 50))
    monkeypatch.setattr(baskets_ahead, "AHEAD_BYTES", 3 * len(entry))
    monkeypatch.setattr(baskets_ahead, "AHEAD_BASKETS", 2)
    numbers = []

    class Tree(FileTree):
        def read(self, number):
            numbers.append(number)
            return super().read(number)

    ahead = BasketsAhead(Tree(str(path)))
    ahead.read(0)
    ahead.close()
    assert numbers == [0, 1, 2, 3]


@pytest.mark.parametrize("compressed", [False, True])
@real_file
def test_blocks_of_zeros(monkeypatch, compressed):
    """Only samples that are stored as they are can hide them."""
    pytest.importorskip("uproot")
    key_length = 74
    data = bytearray(range(1, 256)) * 80
    data[4096 + 8 : 8192 + 8] = bytes(4096)
    n_stored = key_length + len(data)
    n_unpacked = len(data) + compressed
    key = struct.pack(">ihiIhh", n_stored, 4, n_unpacked, 0, key_length, 1)
    basket = key + b"k" * (key_length - len(key)) + data
    tree = MGTree(str(FILE))
    place = (-key_length - 8) % 4096
    monkeypatch.setattr(tree, "_seek", lambda _: place)
    monkeypatch.setattr("daq2lh5.mgdo.tree.os.pread", lambda *_: basket)
    tree.read(0)
    monkeypatch.undo()
    tree.close()
    tree.holes.finish()
    first = place + key_length + 8 + 4096
    assert tree.holes.first == (None if compressed else (first, first + 4096))
