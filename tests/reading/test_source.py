from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.sources import (
    COMPRESSIONS,
    KINDS,
    PATIENCE,
    compress,
    drain,
    read,
    reading_ahead,
    run_python,
    sample,
    standard_input,
    wait_until,
    writing,
)

from daq2lh5.reading import source as source_module
from daq2lh5.reading.magic import ALL_MAGICS, recognize
from daq2lh5.reading.source import DEFAULT_BLOCK_SIZE, open_source


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
