from __future__ import annotations

import bz2
import contextlib
import errno
import gc
import gzip
import lzma
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from daq2lh5.reading import members, readers
from daq2lh5.reading import source as source_module
from daq2lh5.reading.ahead import QUEUED_PIECES
from daq2lh5.reading.magic import ALL_MAGICS, ZSTD_MAGIC, recognize
from daq2lh5.reading.raw_input import RawInput
from daq2lh5.reading.source import DEFAULT_BLOCK_SIZE, open_source

COMPRESSIONS = ("gzip", "bzip2", "xz", "zstd")
KINDS = (None, *COMPRESSIONS)
THREAD = "daq2lh5-decompress"
PATIENCE = 20.0  # seconds; only a hanging test gets there


def compress(kind, data):
    if kind is None:
        return data
    if kind == "zstd":
        parameters = {"write_checksum": True, "write_content_size": False}
        return zstandard.ZstdCompressor(**parameters).compress(data)
    return {
        "gzip": lambda: gzip.compress(data, mtime=0),
        "bzip2": lambda: bz2.compress(data),
        "xz": lambda: lzma.compress(data, preset=0),
    }[kind]()


def byte_by_byte(kind, data):
    """Decode with the libraries' own classes, as far as they get; one member."""
    start = {
        "gzip": lambda: zlib.decompressobj(31),
        "bzip2": bz2.BZ2Decompressor,
        "xz": lzma.LZMADecompressor,
        "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    }[kind]
    errors = (zlib.error, OSError, lzma.LZMAError, zstandard.ZstdError)
    stream, out = start(), []
    with contextlib.suppress(*errors):
        for i in range(len(data)):
            piece = stream.decompress(data[i : i + 1])
            while piece:
                out.append(piece)
                # bz2 may hold more.
                piece = b"" if stream.eof else stream.decompress(b"")
            if stream.eof:
                break
    return b"".join(out)


def sample(size, seed=1):
    """Bytes that compress, but not to nothing."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-3, 4, size // 2 + 1)
    return (1000 + np.cumsum(steps)).astype("<u2").tobytes()[:size]


def collect(source, parts, n=1):
    while window := source.fill(n):
        parts.append(bytes(window))
        source.consume(len(window))


def drain(source, n=1):
    parts = []
    collect(source, parts, n)
    assert source.at_end
    return b"".join(parts)


def read(path, n=1, **options):
    with open_source(path, **options) as source:
        data = drain(source, n)
        assert source.offset == len(data)
        assert (source.error is None) == (source.error_offset is None)
        if source.error is not None:
            assert source.error_offset == len(data)
        return data, source.error


def reader_threads():
    return [t for t in threading.enumerate() if t.name == THREAD]


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    if reader_threads():
        gc.collect()
    wait_until(lambda: not reader_threads())


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@contextlib.contextmanager
def writing(path, data, piece=None):
    """Write to a named pipe from a thread."""

    def write():
        step = piece or len(data) or 1
        with contextlib.suppress(BrokenPipeError), path.open("wb", buffering=0) as out:
            for i in range(0, len(data), step):
                rest = memoryview(data)[i : i + step]
                while rest:
                    rest = rest[out.write(rest) :]

    thread = threading.Thread(target=write)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive()


@contextlib.contextmanager
def standard_input(fd):
    saved = os.dup(0)
    os.dup2(fd, 0)
    try:
        yield
    finally:
        os.dup2(saved, 0)
        os.close(saved)


@contextlib.contextmanager
def reading_ahead(always):
    """Have files read ahead by a thread however short they are, or as usual."""
    with pytest.MonkeyPatch.context() as patch:
        if always:
            patch.setattr(readers, "AHEAD_FROM", 0)
        yield


def run_python(code, *arguments, **options):
    root = str(Path(source_module.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, **options)


class TestTransports:
    DATA = sample(300_000)

    @pytest.fixture(params=KINDS)
    def kind(self, request):
        return request.param

    @pytest.fixture
    def path(self, kind, tmp_path):
        path = tmp_path / "run.dat"
        path.write_bytes(compress(kind, self.DATA))
        return path

    def check(self, source, kind, regular):
        assert source.compression == kind
        assert source.seekable == (regular and kind is None)
        assert source.offset == 0
        assert not source.at_end
        packed = len(compress(kind, self.DATA))
        assert source.input_size == (packed if regular else None)
        assert source.size == (packed if regular and kind is None else None)
        assert drain(source) == self.DATA
        assert source.offset == len(self.DATA)
        assert source.bytes_read == packed
        assert source.error is source.error_offset is None
        assert source.fill(1000) == b""

    @pytest.mark.parametrize("make", [str, Path, lambda p: f"file://{p}", os.fsencode])
    def test_file(self, path, kind, make):
        with open_source(make(path)) as source:
            assert source.name == os.fsdecode(make(path))
            self.check(source, kind, regular=True)

    @pytest.mark.parametrize("piece", [None, 4099])
    def test_named_pipe(self, fifo, kind, piece):
        packed = compress(kind, self.DATA)
        with writing(fifo, packed, piece), open_source(fifo) as source:
            self.check(source, kind, regular=False)

    def test_pipe_byte_by_byte(self, fifo, kind):
        packed = compress(kind, b"short" * 100)
        with writing(fifo, packed, piece=1), open_source(fifo) as source:
            assert source.compression == kind
            assert drain(source) == b"short" * 100

    def test_stdin_file(self, path, kind):
        with path.open("rb") as file, standard_input(file.fileno()):
            with open_source("-") as source:
                assert source.name == "-"
                self.check(source, kind, regular=True)
            os.fstat(0)  # still open

    def test_stdin_file_from_the_middle(self, tmp_path, kind):
        path = tmp_path / "run.dat"
        path.write_bytes(b"consumed by somebody else" + compress(kind, self.DATA))
        with path.open("rb", buffering=0) as file, standard_input(file.fileno()):
            file.read(len(b"consumed by somebody else"))
            with open_source("-") as source:
                self.check(source, kind, regular=True)

    def test_stdin_pipe(self, path, kind):
        code = (
            "import sys; from daq2lh5.reading.source import open_source\n"
            "s = open_source('-'); s.fill(1)\n"
            "while s.window: sys.stdout.buffer.write(s.window);"
            " s.consume(len(s.window)); s.fill(1)\n"
            "assert s.error is None and s.compression == eval(sys.argv[1])\n"
        )
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = run_python(code, repr(kind), **pipes)
        out, _ = process.communicate(path.read_bytes(), timeout=PATIENCE)
        assert process.returncode == 0
        assert out == self.DATA

    def test_nonblocking_stdin(self, kind):
        packed = compress(kind, self.DATA)
        out, into = os.pipe()
        os.set_blocking(out, False)

        def write():
            rest = memoryview(packed)
            with open(into, "wb", buffering=0) as pipe:
                for cut in (1, 7, 100, len(packed)):
                    time.sleep(0.06)
                    piece, rest = rest[:cut], rest[cut:]
                    while piece:
                        piece = piece[pipe.write(piece) :]

        thread = threading.Thread(target=write)
        thread.start()
        with standard_input(out), open_source("-") as source:
            self.check(source, kind, regular=False)
        thread.join()
        os.close(out)

    @pytest.mark.parametrize("block_size", [1, 7, 4096, 1 << 20])
    def test_empty(self, tmp_path, kind, block_size):
        path = tmp_path / "empty"
        path.write_bytes(compress(kind, b""))
        assert read(path, n=100, block_size=block_size) == (b"", None)

    def test_device(self):
        with open_source("/dev/null") as source:
            assert source.fill(4) == b""
            assert source.at_end


class TestOpening:
    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            open_source(tmp_path / "nowhere")

    def test_directory(self, tmp_path):
        with pytest.raises(IsADirectoryError, match=tmp_path.name):
            open_source(tmp_path)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable(self, tmp_path):
        path = tmp_path / "secret"
        path.write_bytes(b"x")
        path.chmod(0)
        with pytest.raises(PermissionError, match="secret"):
            open_source(path)

    def test_closed_stdin(self):
        code = (
            "import os; os.close(0)\n"
            "from daq2lh5.reading.source import open_source\n"
            "try: open_source('-')\n"
            "except OSError as e: assert e.filename == 'standard input'\n"
            "else: raise SystemExit(3)"
        )
        assert run_python(code).wait(PATIENCE) == 0

    @pytest.mark.parametrize("block_size", [0, -1])
    def test_block_size(self, tmp_path, block_size):
        path = tmp_path / "x"
        path.write_bytes(b"x")
        with pytest.raises(ValueError, match="block size"):
            open_source(path, block_size)

    @pytest.mark.parametrize("magic", ALL_MAGICS)
    def test_part_of_a_magic_number_is_plain(self, tmp_path, fifo, magic):
        for n in range(len(magic)):
            for data in (magic[:n], magic[:n] + b"\x01"):
                path = tmp_path / "x"
                path.write_bytes(data)
                assert read(path) == (data, None)
                with writing(fifo, data, piece=1):
                    assert read(fifo, n=2, block_size=1) == (data, None)

    def test_orca_header_of_35615_words_is_plain(self, tmp_path):
        data = b"\x1f\x8b\x00\x00" + sample(1000)
        path = tmp_path / "x"
        path.write_bytes(data)
        assert read(path) == (data, None)

    def test_slow_pipe_is_not_waited_for_longer_than_needed(self, fifo):
        go_on = threading.Event()

        def write():
            with fifo.open("wb", buffering=0) as out:
                out.write(b"\x00")
                assert go_on.wait(PATIENCE)

        thread = threading.Thread(target=write)
        thread.start()
        with open_source(fifo) as source:
            assert source.fill(1) == b"\x00"
            go_on.set()
            assert source.fill(2) == b"\x00"
            assert source.at_end
        thread.join()

    def test_zstandard_missing(self, tmp_path, monkeypatch):
        path = tmp_path / "x"
        path.write_bytes(compress("zstd", b"data"))
        monkeypatch.setitem(sys.modules, "zstandard", None)
        with pytest.raises(ImportError, match="pip install zstandard"):
            open_source(path)

    def test_zstandard_is_imported_late(self, tmp_path):
        path = tmp_path / "x"
        path.write_bytes(compress("xz", b"data"))
        code = (
            "import sys; from daq2lh5.reading.source import open_source\n"
            "with open_source(sys.argv[1]) as s: assert s.fill(4) == b'data'\n"
            "assert 'zstandard' not in sys.modules"
        )
        assert run_python(code, path).wait(PATIENCE) == 0

    @pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("use", ["close", "forget", "fail", "never read"])
    def test_no_descriptor_stays_open(self, tmp_path, monkeypatch, kind, use):
        path = tmp_path / "x"
        path.write_bytes(compress(kind, sample(10_000)))
        before = os.listdir("/proc/self/fd")
        if use == "fail":
            monkeypatch.setattr(source_module, "Source", None)
            with pytest.raises(TypeError):
                open_source(path)
        else:
            source = open_source(path)
            if use != "never read":
                source.fill(10)
            if use == "close":
                source.close()
            del source
        gc.collect()
        wait_until(lambda: os.listdir("/proc/self/fd") == before)


class TestWindow:
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "x"
        path.write_bytes(bytes(range(200)))
        return path

    def test_tiny_blocks_give_exactly_what_is_asked(self, path):
        with open_source(path, block_size=1) as source:
            assert source.window == b""
            assert source.fill(4) == bytes(range(4))
            assert source.fill(3) == bytes(range(4))
            source.consume(3)
            assert source.offset == 3
            assert source.window == bytes([3])
            assert source.fill(2) == bytes([3, 4])
            assert source.fill(0) == bytes([3, 4])
            assert source.fill(1000) == bytes(range(3, 200))
            assert source.at_end

    def test_reads_greedily(self, path):
        with open_source(path, block_size=7) as source:
            assert source.fill(1) == bytes(range(7))
            source.consume(5)
            assert source.fill(3) == bytes(range(5, 12))
            assert source.fill(10) == bytes(range(5, 19))

    def test_is_read_only(self, path):
        with open_source(path) as source:
            window = source.fill(10)
            assert window.readonly
            assert window.format == "B"
            assert window.c_contiguous
            with pytest.raises(TypeError):
                window[0] = 1
            with pytest.raises(TypeError):
                source.window[0] = 1
            assert not np.frombuffer(window, np.uint8).flags.writeable
            with pytest.raises(ValueError, match="WRITEABLE"):
                np.asarray(window).flags.writeable = True

    @pytest.mark.parametrize("kind", KINDS)
    def test_invalid_use(self, tmp_path, kind):
        path = tmp_path / "y"
        path.write_bytes(compress(kind, b"0123456789"))
        source = open_source(path)
        source.fill(10)
        for n in (-1, 11):
            with pytest.raises(ValueError, match="consume"):
                source.consume(n)
        with pytest.raises(ValueError, match="fill"):
            source.fill(-1)
        source.consume(10)
        with pytest.raises(ValueError, match="consume"):
            source.consume(1)
        source.consume(0)
        source.close()
        source.close()
        with pytest.raises(ValueError, match="closed"):
            source.fill(1)
        with pytest.raises(ValueError, match="closed"):
            source.consume(0)
        with pytest.raises(ValueError, match="closed"):
            _ = source.window
        with pytest.raises(ValueError, match="closed"):
            source.__enter__()
        assert source.capacity == 0

    def test_end_of_a_plain_file_is_known_at_once(self, path):
        for block_size in (1, 7, 200, 201, 1000):
            with open_source(path, block_size) as source:
                source.fill(199)
                assert source.at_end == (block_size > 1)
                assert source.fill(200) == bytes(range(200))
                assert source.at_end

    @pytest.mark.parametrize("kind", COMPRESSIONS)
    def test_end_elsewhere_is_known_after_a_short_fill(self, tmp_path, kind):
        path = tmp_path / "y"
        path.write_bytes(compress(kind, b"0123456789"))
        with open_source(path) as source:
            assert source.fill(10) == b"0123456789"
            assert not source.at_end
            assert source.fill(11) == b"0123456789"
            assert source.at_end

    def test_growing_file(self, path):
        with path.open("ab", buffering=0) as out, open_source(path, 1000) as source:
            out.write(b"more")
            assert len(source.fill(1)) == 204
            assert source.size == 200
            assert source.at_end
        with path.open("ab", buffering=0) as out, open_source(path, 100) as source:
            assert len(source.fill(1)) == 100
            out.write(b"more")
            assert drain(source) == bytes(range(200)) + b"moremore"

    def test_file_cut_while_read(self, path):
        with open_source(path, 50) as source:
            assert len(source.fill(1)) == 50
            os.truncate(path, 70)
            assert source.fill(100) == bytes(range(70))
            assert source.at_end
            assert source.error is None
        with open_source(path, 50) as source:
            assert len(source.fill(1)) == 50
            os.truncate(path, 20)
            assert source.fill(51) == bytes(range(50))
            assert source.at_end

    def test_growth_is_undone(self, tmp_path):
        path = tmp_path / "big"
        data = sample(5_000_000)
        path.write_bytes(data)
        with open_source(path, 1000) as source:
            source.consume(len(source.fill(1)) - 10)
            at = source.offset
            assert source.capacity == 1000
            assert source.fill(1_234_567) == data[at : at + len(source.window)]
            assert 1_234_567 <= source.capacity < 1_237_000
            old, saved = source.window, bytes(source.window)
            while source.capacity > 1000:
                source.consume(len(source.window))
                at = source.offset
                window = source.fill(999)
                assert len(window) >= 999
                assert window == data[at : at + len(window)]
                assert at < 1_300_000
            # Who kept a view of the large block may still look at it.
            assert len(bytes(old)) == len(saved)
            at = source.offset
            assert drain(source) == data[at:]

    def test_growth_stays_while_records_need_it(self, tmp_path):
        path = tmp_path / "big"
        data = sample(500_000)
        path.write_bytes(data)
        with open_source(path, 1000) as source:
            for _ in range(100):
                at = source.offset
                assert source.fill(1500)[:1500] == data[at : at + 1500]
                assert source.capacity == 2000
                source.consume(1500)

    def test_each_read_takes_one_block_at_most(self, path, monkeypatch):
        sizes = []
        readv = os.readv

        def spy(fd, buffers):
            sizes.append(len(buffers[0]))
            return readv(fd, buffers)

        monkeypatch.setattr(os, "readv", spy)
        with open_source(path, 16) as source:
            assert len(source.fill(100)) == 112
            assert sizes == [16] * 7
            source.consume(112)
            assert len(source.fill(1)) == 16

    def test_default_block(self, path):
        with open_source(path) as source:
            assert source.capacity == DEFAULT_BLOCK_SIZE


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(("read ahead", *KINDS)),
    parts=st.lists(st.binary(max_size=400), max_size=4),
    block_size=st.integers(1, 300),
    steps=st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1)), max_size=30),
)
def test_like_a_byte_string(kind, parts, block_size, steps):
    ahead = kind == "read ahead"
    kind = None if ahead else kind
    data = b"".join(parts)
    packed = b"".join(compress(kind, part) for part in parts)
    if kind is None and recognize(packed):
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(packed)
        file.flush()
        with reading_ahead(ahead), open_source(file.name, block_size) as source:
            at = left = 0
            for n, share in steps:
                window = source.fill(n)
                assert window == source.window == data[at : at + len(window)]
                assert source.offset == at
                if len(window) < n:
                    assert source.at_end
                if source.at_end:
                    assert at + len(window) == len(data)
                else:
                    # what was there already stays, and no more is read than needed
                    assert len(window) < max(n + block_size, left + 1)
                assert len(window) <= source.capacity + block_size * ahead
                used = int(share * len(window))
                source.consume(used)
                at += used
                left = len(window) - used
            assert drain(source, 50) == data[at:]
            assert source.error is None
            assert source.bytes_read == len(packed)


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
            expected = byte_by_byte(kind, whole[: min(cut, len(first))])
            expected += byte_by_byte(kind, whole[len(first) : cut])
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
                least = byte_by_byte(kind, whole[: len(first)])
            else:
                least = self.PARTS[0] + byte_by_byte(kind, whole[len(first) :])
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


class TestThread:
    @pytest.fixture
    def bomb(self, tmp_path):
        path = tmp_path / "bomb"
        path.write_bytes(compress("zstd", bytes(64 * 1024 * 1024)))
        return path

    @pytest.mark.parametrize("kind", COMPRESSIONS)
    def test_bombs_stay_small(self, tmp_path, kind):
        size = 200_000_000 if kind in ("gzip", "zstd") else 50_000_000
        path = tmp_path / "x"
        path.write_bytes(compress(kind, bytes(size)))
        assert path.stat().st_size < 250_000
        with open_source(path) as source:
            tracemalloc.start()
            total = 0
            while window := source.fill(1):
                total += len(window)
                source.consume(len(window))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert source.capacity == DEFAULT_BLOCK_SIZE
        assert total == size
        assert peak < 12 * 1024 * 1024

    def test_thread_stays_ahead_but_not_far(self, bomb):
        with open_source(bomb) as source:
            assert not reader_threads()
            source.fill(1)
            [thread] = reader_threads()
            assert thread.daemon
            pieces = source._reader._pieces
            wait_until(lambda: pieces.qsize() == QUEUED_PIECES)
            time.sleep(0.05)
            assert pieces.qsize() == QUEUED_PIECES

    def test_close_with_full_queue(self, bomb):
        source = open_source(bomb)
        source.fill(1)
        wait_until(lambda: source._reader._pieces.qsize() >= 4)
        began = time.monotonic()
        source.close()
        assert not reader_threads()
        assert time.monotonic() - began < 2

    def test_close_without_reading(self, bomb):
        with open_source(bomb):
            pass

    def test_forgotten_with_full_queue(self, bomb):
        source = open_source(bomb)
        source.fill(1)
        cycle = [source]
        cycle.append(cycle)
        del source, cycle
        gc.collect()
        wait_until(lambda: not reader_threads())

    @pytest.mark.parametrize("end", ["close", "forget"])
    def test_end_while_the_thread_waits_for_a_pipe(self, fifo, end):
        stream = zlib.compressobj(wbits=31)
        head = stream.compress(b"data") + stream.flush(zlib.Z_SYNC_FLUSH)
        out = os.open(fifo, os.O_RDWR)
        os.write(out, head)
        source = open_source(fifo)
        # What is there is delivered although the writer holds back the rest.
        assert source.fill(4) == b"data"
        assert reader_threads()
        began = time.monotonic()
        if end == "close":
            source.close()
            assert not reader_threads()
        del source
        wait_until(lambda: not reader_threads())
        assert time.monotonic() - began < 2
        os.close(out)

    @pytest.mark.parametrize("kind", COMPRESSIONS)
    def test_live_stream_is_not_held_back(self, fifo, kind):
        first, second = sample(1000, 1), sample(1000, 2)
        out = os.open(fifo, os.O_RDWR)
        os.write(out, compress(kind, first))
        with open_source(fifo) as source:
            assert source.fill(1000) == first
            os.write(out, compress(kind, second))
            assert source.fill(2000) == first + second
        os.close(out)

    def test_read_error_in_the_thread(self, tmp_path, monkeypatch):
        path = tmp_path / "broken disk"
        data = sample(1_000_000)
        path.write_bytes(compress("gzip", data))
        os_read = os.read
        calls = []

        def failing(fd, n):
            if threading.current_thread().name == THREAD:
                calls.append(n)
                if len(calls) > 2:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            return os_read(fd, n)

        monkeypatch.setattr(os, "read", failing)
        with open_source(path) as source:
            got = []
            with pytest.raises(OSError, match="broken disk") as caught:
                collect(source, got)
            got = b"".join(got)
            assert caught.value.errno == errno.EIO
            assert len(got) > 100_000
            assert data.startswith(got)
            assert not source.at_end
            with pytest.raises(OSError, match="broken disk"):
                source.fill(1)

    def test_read_error_in_a_plain_file(self, tmp_path, monkeypatch):
        path = tmp_path / "broken disk"
        path.write_bytes(b"data")

        def failing(fd, buffers):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "readv", failing)
        with open_source(path) as source, pytest.raises(OSError, match="broken disk"):
            source.fill(1)

    def test_unexpected_failure_reaches_the_consumer(self, tmp_path, monkeypatch):
        path = tmp_path / "x"
        path.write_bytes(compress("gzip", b"data"))

        def failing(raw):
            raise MemoryError

        monkeypatch.setattr(source_module, "make_decoder", lambda name: failing)
        with open_source(path) as source, pytest.raises(MemoryError):
            source.fill(1)

    WAITING = (
        "import sys; from daq2lh5.reading.source import open_source\n"
        "s = open_source(sys.argv[1]); s.fill(4); print('ready', flush=True)\n"
    )

    @pytest.mark.parametrize("kind", [None, "gzip"])
    def test_control_c(self, fifo, kind):
        out = os.open(fifo, os.O_RDWR)
        os.write(out, compress(kind, b"data"))
        code = self.WAITING + "s.fill(5)"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = run_python(code, fifo, **pipes)
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        assert b"KeyboardInterrupt" in errors
        assert process.returncode != 0
        os.close(out)

    @pytest.mark.parametrize("kind", [None, "gzip"])
    def test_exit_without_close(self, fifo, kind):
        out = os.open(fifo, os.O_RDWR)
        os.write(out, compress(kind, b"data"))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = run_python(self.WAITING, fifo, **pipes)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert errors == b""
        os.close(out)

    def test_exit_with_full_queue(self, bomb):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = run_python(self.WAITING, bomb, **pipes)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert errors == b""


class TestReadAhead:
    """A thread reads long plain files while what it has read is decoded."""

    SIZE = 2_000_000
    BLOCK = 100_000

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "x"
        path.write_bytes(sample(self.SIZE))
        return path

    @pytest.fixture(autouse=True)
    def _always(self, monkeypatch):
        monkeypatch.setattr(readers, "AHEAD_FROM", 0)

    def threads(self):
        return [t for t in threading.enumerate() if t.name == "daq2lh5-read"]

    def open(self, path):
        """Open a source whose thread reads."""
        source = open_source(path, self.BLOCK)
        assert not self.threads()
        assert len(source.fill(1)) == self.BLOCK
        [thread] = self.threads()
        assert thread.daemon
        return source

    def test_only_if_wanted_and_worth_it(self, path, monkeypatch):
        with open_source(path, self.BLOCK) as source:
            source.read_ahead = False
            assert drain(source) == sample(self.SIZE)
            assert not self.threads()
        monkeypatch.setattr(readers, "AHEAD_FROM", self.SIZE + 1)
        with open_source(path, self.BLOCK) as source:
            source.fill(1)
            assert not self.threads()

    @pytest.mark.parametrize("error", [OSError(24, "x"), RuntimeError("x")])
    def test_goes_without_if_there_is_no_thread_left(self, path, monkeypatch, error):
        """Or no descriptor: long files are read as short ones are."""

        def fail(*_):
            raise error

        with open_source(path, self.BLOCK) as source:
            monkeypatch.setattr(threading.Thread, "start", fail)
            assert len(source.fill(1)) == self.BLOCK
            assert not self.threads()
            monkeypatch.undo()
            monkeypatch.setattr(readers, "AHEAD_FROM", 0)
            assert drain(source) == sample(self.SIZE)

    def test_records_longer_than_a_block(self, path):
        """Windows that grow, and shrink again, show the right bytes."""
        data = sample(self.SIZE)
        with self.open(path) as source:
            at = 0
            for n in (
                70_000,
                250_000,
                99_999,
                100_000,
                100_001,
                10,
                600_000,
                5,
                90_000,
            ):
                window = source.fill(n)
                assert len(window) >= n
                assert window == data[at : at + len(window)]
                at += n
                source.consume(n)
            assert drain(source) == data[at:]

    def test_views_stay_memory(self, path):
        source = self.open(path)
        window = source.window
        source.close()
        assert len(bytes(window)) == self.BLOCK

    def test_words_turned_around(self, path):
        want = np.frombuffer(sample(self.SIZE), ">u4").astype("<u4").tobytes()
        with self.open(path) as source:
            source.swap_words()
            assert drain(source, 30_001) == want

    def test_standard_input_from_the_middle(self, path):
        fd = os.open(path, os.O_RDONLY)
        os.lseek(fd, 12_345, os.SEEK_SET)
        with standard_input(fd), self.open("-") as source:
            assert drain(source) == sample(self.SIZE)[12_345:]

    def test_file_that_grows(self, path):
        more = sample(300_000, 2)
        with path.open("ab", buffering=0) as out, self.open(path) as source:
            time.sleep(0.05)
            out.write(more)
            assert drain(source) == sample(self.SIZE) + more

    def test_file_that_grows_after_all_was_read_ahead(self, path):
        """The thread has met the end then: what is new is read without it."""
        os.truncate(path, 2 * self.BLOCK)
        more = sample(300_000, 2)
        with (
            path.open("ab", buffering=0) as out,
            open_source(path, self.BLOCK) as source,
        ):
            assert len(source.fill(1)) == self.BLOCK
            wait_until(lambda: not self.threads())
            out.write(more)
            assert drain(source) == sample(self.SIZE)[: 2 * self.BLOCK] + more

    def test_file_cut_meanwhile(self, path):
        with self.open(path) as source:
            os.truncate(path, 0)
            # the next block may have been read before
            rest = drain(source)
        assert self.BLOCK <= len(rest) <= 2 * self.BLOCK
        assert sample(self.SIZE).startswith(rest)

    def test_read_error(self, monkeypatch):
        """All before it is delivered, and the caller hears of it."""
        # by its length, which is 0, the file would be at its end
        monkeypatch.setattr(RawInput, "is_exhausted", lambda _: False)
        page = 4096
        lines = Path("/proc/self/maps").read_text().splitlines()
        places = [[int(x, 16) for x in line.split()[0].split("-")] for line in lines]
        starts = {start for start, _ in places}
        # a piece of memory with nothing behind it: reading on is an error
        end = next(
            end
            for line, (_, end) in zip(lines, places, strict=True)
            if " r" in line and end not in starts and "[v" not in line
        )
        fd = os.open("/proc/self/mem", os.O_RDONLY)
        os.lseek(fd, end - page, os.SEEK_SET)
        with standard_input(fd), open_source("-", self.BLOCK) as source:
            assert len(source.fill(1)) == page
            with pytest.raises(OSError, match=r"Input/output error.*standard input"):
                source.fill(page + 1)
            assert not self.threads()
            assert len(source.window) == page

    def test_forked_process(self, path):
        """There is no thread in a forked process, which reads on by itself."""
        with self.open(path) as source:
            source.consume(1000)
            with warnings.catch_warnings():
                # that of threads, from Python 3.12 on
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                right = False
                try:
                    right = drain(source) == sample(self.SIZE)[1000:]
                    source.close()
                finally:
                    os._exit(0 if right else 1)
            assert os.waitpid(pid, 0)[1] == 0
            assert drain(source) == sample(self.SIZE)[1000:]

    def test_thread_stays_ahead_but_not_far(self, path):
        # four blocks were in memory already, that of the window among them
        ahead = 4 * self.BLOCK
        with self.open(path) as source:
            [thread] = self.threads()
            counts = Path(f"/proc/self/task/{thread.native_id}/io")
            if not counts.is_file():
                pytest.skip("the system does not count what a thread reads")
            wait_until(lambda: int(counts.read_text().split()[1]) >= ahead)
            with path.open("r+b") as file:
                file.write(bytes(self.SIZE))
            assert drain(source) == sample(self.SIZE)[:ahead] + bytes(self.SIZE - ahead)

    @pytest.mark.parametrize("end", ["close", "forget"])
    def test_thread_ends(self, path, end):
        before = os.listdir("/proc/self/fd")
        source = self.open(path)
        if end == "close":
            source.close()
            assert not self.threads()
        cycle = [source]
        cycle.append(cycle)
        del source, cycle
        gc.collect()
        wait_until(lambda: not self.threads())
        wait_until(lambda: os.listdir("/proc/self/fd") == before)

    def test_exit_without_close(self, tmp_path):
        path = tmp_path / "long"
        path.write_bytes(bytes(16 * 1024 * 1024))
        code = "import sys; from daq2lh5.reading.source import open_source\n"
        code += "s = open_source(sys.argv[1]); s.fill(4)"
        process = run_python(code, path, stderr=subprocess.PIPE)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert errors == b""
