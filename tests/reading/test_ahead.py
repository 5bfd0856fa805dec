"""Threads that decompress or read in advance."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import threading
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from kit.sources import (
    COMPRESSIONS,
    PATIENCE,
    THREAD,
    collect,
    compress,
    drain,
    reader_threads,
    run_python,
    sample,
    standard_input,
    wait_until,
)

from daq2lh5.reading import readers
from daq2lh5.reading import source as source_module
from daq2lh5.reading.ahead import QUEUED_PIECES
from daq2lh5.reading.raw_input import RawInput
from daq2lh5.reading.source import DEFAULT_BLOCK_SIZE, open_source


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
