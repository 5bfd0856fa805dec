"""Whatever goes wrong while several threads work, nothing is left of it."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import h5py
import lgdo
import lh5
import numpy as np
import pytest
from kit.generators.lgdo_objects import table
from kit.lh5_trees import datasets
from kit.places import ENVIRONMENT
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.build_raw import convert
from daq2lh5.raw_buffer import RawBuffer, write_to_lh5_and_clear
from daq2lh5.writing import filters, lh5_writer, syncer, templates
from daq2lh5.writing.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path


OF_BEFORE = b"\x89HDF\r\n\x1a\nof before"
"""A file with the signature of HDF5, since others are not replaced."""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of 7 MB: some chunks."""
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    writer.write_stream(
        path, 50, n_channels=6, n_samples=2000, repeat=6, status_every=9
    )
    return path


@pytest.fixture(params=[False, True], ids=["new", "existing"])
def out(request, tmp_path) -> Path:
    path = tmp_path / "out" / "x.lh5"
    path.parent.mkdir()
    if request.param:
        path.write_bytes(OF_BEFORE)
    return path


def check_nothing_happened(out: Path, before: list[str]) -> None:
    assert sorted(p.name for p in out.parent.iterdir()) == before
    if before:
        assert out.read_bytes() == OF_BEFORE
    names = [t.name for t in threading.enumerate()]
    assert not [name for name in names if name.startswith("daq2lh5")]


def names_in(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir())


# --- errors -------------------------------------------------------------------------


class TestErrors:
    @pytest.mark.parametrize("threads", [1, 2, 4])
    @pytest.mark.parametrize("at", [1, 3, 20])
    @pytest.mark.parametrize("error", [MemoryError, ValueError, KeyboardInterrupt])
    def test_in_the_compressor(self, run, out, threads, at, error, monkeypatch):
        before = names_in(out.parent)
        encode = filters.ChunkEncoder.encode
        calls = iter(range(1, 10**6))

        def fail(self, *args, **kwargs):
            if next(calls) >= at:
                message = "in a thread"
                raise error(message)
            return encode(self, *args, **kwargs)

        monkeypatch.setattr(filters.ChunkEncoder, "encode", fail)
        with pytest.raises(error, match="in a thread"):
            convert(run, out_spec=out, overwrite=True, threads=threads)
        check_nothing_happened(out, before)

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("at", [1, 2, 30])
    def test_in_what_is_done_with_the_results(self, run, out, threads, at, monkeypatch):
        """Where HDF5 writes."""
        before = names_in(out.parent)
        copy = templates.h5o.copy
        dataset = lh5_writer.LH5Writer._dataset
        calls = iter(range(1, 10**6))

        def failing(call):
            def fail(*args, **kwargs):
                if next(calls) >= at:
                    raise OSError(errno.EIO, "broken disk")
                return call(*args, **kwargs)

            return fail

        monkeypatch.setattr(templates.h5o, "copy", failing(copy), raising=False)
        monkeypatch.setattr(lh5_writer.LH5Writer, "_dataset", failing(dataset))
        with pytest.raises(OSError, match="broken disk"):
            convert(run, out_spec=out, overwrite=True, threads=threads)
        check_nothing_happened(out, before)

    @pytest.mark.parametrize("at", ["decode", "finish"])
    def test_in_the_decoder(self, run, out, at, monkeypatch):
        """While chunks are on their way."""
        from daq2lh5.fc.fc_streamer import FCStreamer

        before = names_in(out.parent)
        read_chunk = FCStreamer.read_chunk
        calls = iter(range(1, 10**6))

        def fail(self, *args, **kwargs):
            chunk = read_chunk(self, *args, **kwargs)
            if next(calls) == 3 if at == "decode" else not chunk:
                raise KeyboardInterrupt
            return chunk

        monkeypatch.setattr(FCStreamer, "read_chunk", fail)
        with pytest.raises(KeyboardInterrupt):
            convert(run, out_spec=out, overwrite=True, threads=2, buffer_size=300)
        check_nothing_happened(out, before)

    @pytest.mark.parametrize("where", ["meanwhile", "at the end", "directory"])
    def test_in_sending_data_to_the_disk(self, run, out, where, monkeypatch):
        """The system tells of such an error once: whoever hears of it must say so."""
        before = names_in(out.parent)
        fsync = os.fsync
        failed = []

        def fail(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                found = "directory"
            elif threading.current_thread() is threading.main_thread():
                found = "at the end"
            else:
                found = "meanwhile"
            if found == where and not failed:
                failed.append(found)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            fsync(descriptor)

        monkeypatch.setattr(syncer, "SYNC_BYTES", 2**17)
        monkeypatch.setattr(os, "fsync", fail)
        if where == "directory":
            # the file is there and complete: too late to fail
            convert(run, out_spec=out, overwrite=True, threads=2)
            assert h5py.is_hdf5(out)
        else:
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                convert(run, out_spec=out, overwrite=True, threads=2)
            check_nothing_happened(out, before)
        assert failed

    @pytest.mark.parametrize("what", ["directory", "file"])
    def test_output_that_is_removed_meanwhile(self, run, out, what):
        """An error, and no file comes out of it."""

        def remove(_):
            if what == "directory":
                shutil.rmtree(out.parent, ignore_errors=True)
            else:
                for path in out.parent.glob(".*"):
                    path.unlink()

        before = names_in(out.parent)
        with pytest.raises(OSError, match=r"x\.lh5"):
            convert(
                run,
                out_spec=out,
                overwrite=True,
                threads=2,
                buffer_size=300,
                progress=remove,
            )
        if what == "directory":
            assert not out.parent.exists()
        else:
            check_nothing_happened(out, before)


# --- full disks ---------------------------------------------------------------------

LIMITED = """
import os, resource, signal, sys
import daq2lh5
source, out, threads, limit = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    daq2lh5.build_raw(source, out_spec=out, overwrite=True, threads=int(threads))
except (OSError, RuntimeError) as e:
    print("error", len(str(e)) > 0, flush=True)
else:
    print("written", flush=True)
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Path, int]:
    """A run with all sorts of tables, and the size of its output."""
    directory = tmp_path_factory.mktemp("small")
    path = directory / "run.fcio"
    path.write_bytes(
        writer.make_stream(
            60, n_channels=3, n_samples=2000, status_every=7, deadtime=True
        )
    )
    daq2lh5.build_raw(path, out_spec=directory / "x.lh5")
    return path, (directory / "x.lh5").stat().st_size


class TestFullDisk:
    # in the chunks, and among what HDF5 writes when it closes the file
    @pytest.mark.parametrize(
        ("behind", "threads"),
        [
            *((None, 2), (0.3, 1), (0.3, 2), (0.9, 2), (100_000, 1), (20_000, 2)),
            *((4000, 1), (2000, 2), (500, 1), (1, 1), (1, 2)),
        ],
    )
    def test_wherever_it_is_noticed(self, small, threads, behind, tmp_path):
        """By a limit on file sizes: an error, and the process ends as others do."""
        pytest.importorskip("resource")
        source, size = small
        if behind is None:
            limit = 1
        else:
            limit = int(size * behind) if behind < 1 else size - behind
        out = tmp_path / "x.lh5"
        out.write_bytes(OF_BEFORE)
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, source, out, str(threads), str(limit)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr[-500:]
        assert names_in(tmp_path) == ["x.lh5"]
        assert out.read_bytes() == OF_BEFORE
        assert done.stdout == "error True\n"
        assert done.stderr == ""

    def test_one_line_at_the_command_line(self, small, tmp_path):
        """Also where the file is full when it is closed; the line names the output."""
        resource = pytest.importorskip("resource")
        source, size = small

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size - 2000, size - 2000))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        done = subprocess.run(
            [sys.executable, "-m", "daq2lh5", "convert", "-o", "x.lh5", source],
            env=ENVIRONMENT,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            preexec_fn=limited,
        )
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("error: ")
        assert "x.lh5" in lines[0]
        assert names_in(tmp_path) == []


# --- signals ------------------------------------------------------------------------

INTERRUPTED = """
import signal, sys, threading, time
import daq2lh5, daq2lh5.publishing.output_files
signal.signal(signal.SIGINT, signal.default_int_handler)
print("ready", flush=True)
try:
    daq2lh5.build_raw(sys.argv[1], out_spec=sys.argv[2], overwrite=True, threads=2)
    print("written", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # one whose start was interrupted is told to end, but nobody waits for it
    end = time.monotonic() + 5
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.01)
    print("stopped", [t.name for t in threading.enumerate()[1:]], flush=True)
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""


@pytest.fixture(scope="module")
def long_run(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    writer.write_stream(path, 50, n_channels=6, n_samples=2000, repeat=40)
    return path


def is_complete(path: Path) -> bool:
    with h5py.File(path) as f:
        return "daq2lh5_report" in f.attrs


class TestSignals:
    @pytest.mark.parametrize("again", [None, 0.0, 0.002])
    def test_at_any_time(self, long_run, again, tmp_path):
        """Ctrl-C, and Ctrl-C once more while the first is worked on."""
        rng = random.Random(repr(again))
        out = tmp_path / "x.lh5"
        for _ in range(4):
            out.write_bytes(OF_BEFORE)
            with subprocess.Popen(
                [sys.executable, "-c", INTERRUPTED, long_run, out],
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stdout.readline() == "ready\n"
                time.sleep(0.02 + rng.random() / 4)
                process.send_signal(signal.SIGINT)
                if again is not None:
                    time.sleep(again)
                    process.send_signal(signal.SIGINT)
                try:
                    said, errors = process.communicate(timeout=30)
                finally:
                    # one that hangs fails the test, not the whole run
                    process.kill()
            # a second one may come outside of the conversion
            if said.startswith("written"):
                assert h5py.is_hdf5(out)
            else:
                # or it came when the file had its name already
                before = out.read_bytes() == OF_BEFORE
                assert before or is_complete(out), errors
                assert said == "stopped []\n" or again is not None
            assert names_in(tmp_path) == ["x.lh5"], (said, errors)
            assert process.returncode == 0 or again is not None
            assert process.returncode not in (-signal.SIGSEGV, -signal.SIGABRT)

    def test_while_another_is_worked_on(self, run, out, monkeypatch):
        """A signal that any thread of the process gets is the main thread's error."""
        before = names_in(out.parent)
        close = Pipeline.close
        sent = []

        def interrupted_close(self):
            if not sent:
                sent.append(True)
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.02)
            close(self)

        def fail(_):
            message = "first"
            raise RuntimeError(message)

        monkeypatch.setattr(Pipeline, "close", interrupted_close)
        options = {"threads": 2, "buffer_size": 600, "progress": fail}
        with pytest.raises((RuntimeError, KeyboardInterrupt)):
            convert(run, out_spec=out, overwrite=True, **options)
        assert sent
        check_nothing_happened(out, before)


# --- appending to files in place ------------------------------------------------------


def buffer_of(obj, path, name) -> RawBuffer:
    rb = RawBuffer(lgdo=obj, out_stream=str(path), out_name=name)
    rb.loc = len(obj)
    return rb


class TestAppending:
    """`write_to_lh5_and_clear`: not atomic, but never half a table."""

    @pytest.mark.parametrize("there", [False, True])
    def test_a_bad_buffer_after_a_good_one(self, there, tmp_path):
        """The good one is in the file whole and empty, or not at all and still full."""
        path = tmp_path / "x.lh5"
        bad = table(5, 1)
        write_to_lh5_and_clear([buffer_of(bad, path, "bad")])
        good = lgdo.Table(size=1000)
        values = np.arange(10**6, dtype="u2").reshape(1000, 1000)
        good.add_field("w", lgdo.ArrayOfEqualSizedArrays(nda=values, dims=(1, 1)))
        good.add_field("n", lgdo.Array(np.arange(1000)))
        if there:
            write_to_lh5_and_clear([buffer_of(good, path, "good")])
        bad.attrs["more"] = "x"
        buffers = [buffer_of(good, path, "good"), buffer_of(bad, path, "bad")]
        with pytest.raises(RuntimeError):
            write_to_lh5_and_clear(buffers)
        rows = 1000 * there
        if buffers[0].loc == 0:
            rows += 1000
        found = {
            s["shape"][0] for n, s in datasets(path).items() if n.startswith("good/")
        }
        assert found == {rows} or (rows == 0 and found == set())
        if rows:
            read = lh5.read("good", path)
            assert np.array_equal(read["w"].nda, np.tile(values, (rows // 1000, 1)))
        assert len(lh5.read("bad", path)) == 5

    def test_an_error_in_the_compressor(self, tmp_path, monkeypatch):
        path = tmp_path / "x.lh5"
        first = table(5000, 1)
        write_to_lh5_and_clear([buffer_of(first, path, "t")])
        encode = filters.ChunkEncoder.encode
        calls = iter(range(1, 10**6))

        def fail(self, *args, **kwargs):
            if next(calls) == 3:
                raise MemoryError
            return encode(self, *args, **kwargs)

        monkeypatch.setattr(filters.ChunkEncoder, "encode", fail)
        rb = buffer_of(table(9000, 2), path, "t")
        with pytest.raises(MemoryError):
            write_to_lh5_and_clear([rb])
        assert rb.loc == 9000
        monkeypatch.undo()
        # the file is closed, and can be gone on with
        with h5py.File(path) as file:
            lengths = {len(file[f"t/{name}"]) for name in ("zeta", "flag", "fixed")}
        assert lengths == {5000}
        write_to_lh5_and_clear([rb])
        assert len(lh5.read("t", path)) == 14_000

    @pytest.mark.parametrize("keep_open", [False, 1, True])
    def test_stores_that_keep_few_files_open(self, keep_open, tmp_path):
        """A store closes the file that was used before, when another one is opened."""
        paths = [tmp_path / f"{i}.lh5" for i in range(3)]
        with lh5.LH5Store(keep_open=keep_open) as store:
            for _ in range(2):
                buffers = [buffer_of(table(9, 1), p, "t") for p in (*paths, *paths)]
                write_to_lh5_and_clear(buffers, lh5_store=store)
        for path in paths:
            assert len(lh5.read("t", path)) == 36

    def test_stores_with_a_base_path(self, tmp_path):
        store = lh5.LH5Store(base_path=tmp_path, keep_open=True)
        write_to_lh5_and_clear([buffer_of(table(9, 1), "sub/x.lh5", "t")], store)
        store.close()
        assert len(lh5.read("t", tmp_path / "sub" / "x.lh5")) == 9

    def test_a_file_spelled_in_two_ways(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        spellings = ["x.lh5", "./x.lh5", tmp_path / "x.lh5"]
        write_to_lh5_and_clear([buffer_of(table(9, 1), p, "t") for p in spellings])
        assert len(lh5.read("t", "x.lh5")) == 27

    def test_a_group_without_attributes(self, tmp_path):
        """As some program may have made it: it becomes the table, as of lh5."""
        for who in ("ours", "theirs"):
            with h5py.File(tmp_path / who, "w") as file:
                file.create_group("g/t")
        lh5.write(table(9, 1), "t", tmp_path / "theirs", group="g")
        write_to_lh5_and_clear([buffer_of(table(9, 1), f"{tmp_path / 'ours'}:g", "t")])
        assert lh5.read("g/t", tmp_path / "ours") == lh5.read(
            "g/t", tmp_path / "theirs"
        )
