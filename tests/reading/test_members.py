"""Compressed files of several members."""

from __future__ import annotations

import gzip
import lzma
import zlib

import pytest
import zstandard
from kit.sources import COMPRESSIONS, compress, read, sample

from daq2lh5.reading import members
from daq2lh5.reading.source import DEFAULT_BLOCK_SIZE


class TestMembers:
    PARTS = (b"", sample(1000, 1), b"x", sample(70_000, 2), b"")

    @pytest.mark.parametrize("kind", COMPRESSIONS)
    @pytest.mark.parametrize("padding", [0, 4, 512, 100_000])
    @pytest.mark.parametrize("block_size", [7, 1000, DEFAULT_BLOCK_SIZE])
    def test_many_members(self, tmp_path, kind, padding, block_size):
        path = tmp_path / "x"
        zeros = bytes(padding)
        path.write_bytes(b"".join(compress(kind, p) + zeros for p in self.PARTS))
        assert read(path, block_size=block_size) == (b"".join(self.PARTS), None)

    def test_many_empty_members(self, tmp_path):
        path = tmp_path / "x"
        path.write_bytes(gzip.compress(b"") * 5000 + gzip.compress(b"end"))
        assert read(path) == (b"end", None)

    @pytest.mark.parametrize("kind", COMPRESSIONS)
    @pytest.mark.parametrize("garbage", [b"!", b"\x00\x00garbage", b"\x1f\x8b\x07"])
    @pytest.mark.parametrize("block_size", [1, 100_000])
    def test_garbage_after_the_last_member(self, tmp_path, kind, garbage, block_size):
        packed = compress(kind, b"data") * 2
        path = tmp_path / "x"
        path.write_bytes(packed + garbage)
        data, error = read(path, block_size=block_size)
        assert data == b"datadata"
        at = len(packed) + len(garbage) - len(garbage.lstrip(b"\x00"))
        assert error == (
            f"the {kind} stream ends at byte {at} of its input, but other data follow"
        )

    def test_gzip_header_fields(self, tmp_path):
        raw = zlib.compressobj(wbits=-15)
        body = raw.compress(b"data") + raw.flush()
        header = b"\x1f\x8b\x08\x1e" + bytes(4) + b"\x00\x03\x02\x00ABname\x00note\x00"
        header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little")
        tail = zlib.crc32(b"data").to_bytes(4, "little") + b"\x04\x00\x00\x00"
        path = tmp_path / "x"
        path.write_bytes(header + body + tail)
        assert read(path, block_size=3) == (b"data", None)

    def test_zstd_skippable_frames(self, tmp_path):
        def skippable(number, content):
            magic = bytes((0x50 + number, 0x2A, 0x4D, 0x18))
            return magic + len(content).to_bytes(4, "little") + content

        frame = compress("zstd", b"data")
        packed = (
            skippable(0, b"") + frame + skippable(5, bytes(200_000)) + frame
        ) + skippable(15, b"end")
        path = tmp_path / "x"
        for block_size in (5, DEFAULT_BLOCK_SIZE):
            path.write_bytes(packed)
            assert read(path, block_size=block_size) == (b"datadata", None)
            path.write_bytes(packed[:-1])
            data, error = read(path, block_size=block_size)
            assert data == b"datadata"
            assert "cut off" in error

    @pytest.mark.parametrize("size", [0, 1, 200, 300, 70_000, 300_000])
    @pytest.mark.parametrize("options", [(1, 1), (1, 0), (0, 1), (0, 0)])
    def test_zstd_frame_headers(self, tmp_path, size, options):
        checksum, content_size = map(bool, options)
        maker = zstandard.ZstdCompressor(
            write_checksum=checksum, write_content_size=content_size
        )
        data = sample(size)
        path = tmp_path / "x"
        for packed in (maker.compress(data), self.streamed(maker, data)):
            path.write_bytes(packed)
            assert read(path) == (data, None)

    @staticmethod
    def streamed(maker, data):
        stream = maker.compressobj()
        return stream.compress(data) + stream.flush()

    @pytest.mark.parametrize(("window_log", "fits"), [(27, True), (28, False)])
    def test_zstd_window(self, tmp_path, window_log, fits):
        parameters = zstandard.ZstdCompressionParameters(
            window_log=window_log,
            hash_log=10,
            chain_log=10,
            strategy=zstandard.STRATEGY_FAST,
        )
        maker = zstandard.ZstdCompressor(compression_params=parameters)
        path = tmp_path / "x"
        path.write_bytes(self.streamed(maker, b"data"))
        data, error = read(path)
        if fits:
            assert (data, error) == (b"data", None)
        else:
            assert data == b""
            assert "needs a window of 256 MiB" in error

    def test_zstd_dictionary(self, tmp_path):
        content = zstandard.ZstdCompressionDict(sample(1000))
        path = tmp_path / "x"
        dictionary = zstandard.train_dictionary(
            2000, [sample(300, seed) for seed in range(100)]
        )
        maker = zstandard.ZstdCompressor(dict_data=dictionary)
        path.write_bytes(maker.compress(sample(300)))
        data, error = read(path)
        assert data == b""
        assert "ictionary" in error
        assert content is not None

    def test_xz_memory_limit(self, tmp_path, monkeypatch):
        path = tmp_path / "x"
        path.write_bytes(compress("xz", b"data"))
        monkeypatch.setattr(members, "XZ_MEMORY", 1000)
        data, error = read(path)
        assert data == b""
        assert "needs a window of more than" in error

    @pytest.mark.parametrize("check", [lzma.CHECK_NONE, lzma.CHECK_SHA256])
    def test_xz_checks(self, tmp_path, check):
        path = tmp_path / "x"
        path.write_bytes(lzma.compress(b"data", check=check))
        assert read(path) == (b"data", None)
