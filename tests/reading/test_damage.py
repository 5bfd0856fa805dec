"""Compressed files that are damaged."""

from __future__ import annotations

import gzip
import random
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.sources import COMPRESSIONS, byte_by_byte, compress, read, sample

from daq2lh5.reading import members
from daq2lh5.reading.magic import ZSTD_MAGIC, recognize
from daq2lh5.reading.source import DEFAULT_BLOCK_SIZE


class TestDamage:
    # Two members; the second is large enough for several blocks of zstd.
    PARTS = (sample(3000, 1), sample(150_000, 2))

    @pytest.fixture(params=COMPRESSIONS)
    def packed(self, request):
        return request.param, [compress(request.param, part) for part in self.PARTS]

    def places(self, packed):
        _, (first, second) = packed
        border, end = len(first), len(first) + len(second)
        rng = random.Random(5)
        near = [*range(border - 12, border + 16), *range(end - 24, end)]
        return sorted({*range(1, 24), *near, *rng.sample(range(end), 16)})

    @pytest.mark.parametrize("block_size", [4096, DEFAULT_BLOCK_SIZE])
    def test_cut(self, tmp_path, packed, block_size):
        kind, (first, second) = packed
        path = tmp_path / "x"
        whole = first + second
        for cut in self.places(packed)[:: 2 if block_size == 4096 else 1]:
            path.write_bytes(whole[:cut])
            if recognize(whole[:cut]) is None:
                assert read(path) == (whole[:cut], None)
                continue
            data, error = read(path, block_size=block_size)
            expected = byte_by_byte(kind, whole[: min(cut, len(first))], cut)
            expected += byte_by_byte(kind, whole[len(first) : cut], cut)
            assert data == expected
            if cut == len(first):
                assert error is None
            else:
                assert error == (
                    f"the {kind} stream is cut off: its input ends at byte {cut}, "
                    "in the middle of compressed data"
                )

    @pytest.mark.parametrize("block_size", [4096, DEFAULT_BLOCK_SIZE])
    def test_flipped(self, tmp_path, packed, block_size):
        kind, (first, second) = packed
        path = tmp_path / "x"
        reported = 0
        # Small blocks are slow; a part of the places is enough for them.
        step = 4 if block_size == 4096 else 1
        for place in self.places(packed)[::step]:
            whole = bytearray(first + second)
            whole[place] ^= 1 << place % 8
            path.write_bytes(whole)
            if recognize(whole) is None:
                continue
            data, error = read(path, block_size=block_size)
            if error is None:
                # Only what does not matter: times and flags in headers, padding.
                assert data == b"".join(self.PARTS)
                continue
            reported += 1
            assert f"the {kind} stream" in error
            if place < len(first):
                least = byte_by_byte(kind, whole[: len(first)], place)
            else:
                least = byte_by_byte(kind, whole[len(first) :], place - len(first))
                least = self.PARTS[0] + least
            # Nothing that can be decoded is lost.
            assert data.startswith(least)
        assert reported > 40 / step

    @pytest.mark.parametrize("kind", COMPRESSIONS)
    def test_wrong_checksum_loses_nothing(self, tmp_path, kind):
        data = sample(50_000)
        packed = bytearray(compress(kind, data))
        # The place of a checksum of the data, counted from the end.
        place = {"gzip": -8, "bzip2": -4, "zstd": -1}.get(kind)
        if kind == "xz":
            # Before the footer and the index, the length of which the footer has.
            index = 4 * (int.from_bytes(packed[-8:-4], "little") + 1)
            place = -12 - index - 1
        packed[place] ^= 0x10
        path = tmp_path / "x"
        path.write_bytes(packed)
        for block_size in (10, DEFAULT_BLOCK_SIZE):
            got, error = read(path, block_size=block_size)
            assert got == data
            assert "cannot be decoded at byte" in error

    @pytest.mark.parametrize("kind", COMPRESSIONS)
    def test_damaged_bomb(self, tmp_path, kind):
        packed = bytearray(compress(kind, bytes(20_000_000)))
        packed[-30] ^= 1
        path = tmp_path / "x"
        path.write_bytes(packed)
        data, error = read(path)
        assert error is not None
        least = byte_by_byte(kind, bytes(packed))
        assert data[: len(least)] == least

    @pytest.mark.parametrize("kind", ["bzip2", "xz"])
    def test_long_member_loses_one_step_at_most(self, tmp_path, monkeypatch, kind):
        monkeypatch.setattr(members, "SALVAGE_HISTORY", 100_000)
        data = sample(1_600_000)
        packed = bytearray(compress(kind, data))
        assert len(packed) > 300_000
        packed[-150_000] ^= 0x10
        path = tmp_path / "x"
        path.write_bytes(packed)
        least = byte_by_byte(kind, packed)
        got, error = read(path)
        assert error is not None
        assert got[: len(least)] == least[: len(got)]
        assert len(got) >= len(least) - 64 * 1024

    def test_place_in_gzip(self, tmp_path):
        # A stored block whose length field is wrong can only be noticed there.
        first = gzip.compress(b"first", mtime=0)
        stored = gzip.compress(b"second" * 100, compresslevel=0, mtime=0)
        packed = bytearray(first + stored)
        packed[len(first) + 11] ^= 1
        path = tmp_path / "x"
        path.write_bytes(packed)
        data, error = read(path)
        assert data == b"first"
        assert f"at byte {len(first) + 14} of its input" in error

    def test_impossible_zstd_blocks(self, tmp_path):
        path = tmp_path / "x"
        header = ZSTD_MAGIC + b"\x00\x58"
        for word in (3 << 1, (128 * 1024 + 1) << 3, 0xFFFFF << 3 | 1 << 1):
            path.write_bytes(header + word.to_bytes(3, "little") + bytes(300_000))
            data, error = read(path)
            assert data == b""
            assert error == (
                "the zstd stream cannot be decoded at byte 6 of its input: "
                "impossible block header"
            )

    @settings(deadline=None, max_examples=200)
    @given(
        kind=st.sampled_from(COMPRESSIONS),
        seed=st.integers(0, 1000),
        size=st.integers(0, 3000),
        edits=st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=8))),
        block_size=st.sampled_from([1, 7, 64, 100_000]),
    )
    def test_anything_goes_through(self, kind, seed, size, edits, block_size):
        whole = bytearray(compress(kind, sample(size, seed)))
        magic = bytes(whole[:4])
        for where, what in edits:
            at = int(where * len(whole))
            whole[at : at + len(what) // 2] = what
        whole[:4] = magic
        with tempfile.NamedTemporaryFile() as file:
            file.write(whole)
            file.flush()
            data, error = read(file.name, block_size=block_size)
            again = read(file.name, n=100)
        assert again == (data, error)
        assert data.startswith(byte_by_byte(kind, bytes(whole)))
