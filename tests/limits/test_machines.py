"""Machines that lack threads, memory or file handles."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import pytest
from kit.places import ENVIRONMENT
from kit.writers import fcio as writer

from daq2lh5 import build_raw
from daq2lh5.command.arguments import MEMORY_ADVICE, message_of
from daq2lh5.errors import lacks_memory
from daq2lh5.publishing.temporary import parse

resource = pytest.importorskip("resource")

DATA = writer.make_stream(400, n_channels=6, n_samples=2000)
"""Long enough to be read ahead."""


def run(limits, *arguments, cwd):
    """Run the command under limits of the system."""
    code = f"import resource\n{limits}\nfrom daq2lh5.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=ENVIRONMENT,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# ---- threads -------------------------------------------------------------------------


def allow_threads(monkeypatch, n):
    """Have the system start no more than `n` threads."""
    left = [n]
    start = threading.Thread.start

    def limited(self):
        if left[0] == 0:
            msg = "can't start new thread"
            raise RuntimeError(msg)
        left[0] -= 1
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)


PACKED = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("kind", PACKED)
def test_conversion_goes_on_with_the_threads_that_there_are(
    tmp_path, monkeypatch, caplog, kind, n
):
    (tmp_path / "run.fcio").write_bytes(PACKED[kind](DATA))
    expected = build_raw(tmp_path / "run.fcio", out_spec=tmp_path / "a.lh5", threads=4)
    allow_threads(monkeypatch, n)
    caplog.set_level("INFO", "daq2lh5")
    report = build_raw(tmp_path / "run.fcio", out_spec=tmp_path / "b.lh5", threads=4)
    assert report.exit_status == expected.exit_status == 0
    assert (tmp_path / "a.lh5").read_bytes() == (tmp_path / "b.lh5").read_bytes()
    assert not [r for r in caplog.records if r.levelname != "INFO"]
    assert "can't start new thread" in caplog.text


@pytest.mark.parametrize("kind", ["gzip", "xz"])
def test_damage_is_told_without_a_thread_too(tmp_path, monkeypatch, kind):
    packed = PACKED[kind](DATA)
    (tmp_path / "run.fcio").write_bytes(packed[: len(packed) // 2])
    expected = build_raw(tmp_path / "run.fcio", out_spec=tmp_path / "a.lh5")
    allow_threads(monkeypatch, 0)
    report = build_raw(tmp_path / "run.fcio", out_spec=tmp_path / "b.lh5")
    assert report.container_error == expected.container_error is not None
    assert report.bytes == expected.bytes
    assert report.exit_status == 3


def test_mgdo_without_threads(tmp_path, monkeypatch):
    pytest.importorskip("uproot")
    folder = Path(os.environ.get("DAQ2LH5_TESTDATA", "nowhere")) / "mgdo"
    files = sorted(folder.glob("*.root"))
    if not files:
        pytest.skip("no real files: set DAQ2LH5_TESTDATA")
    expected = build_raw(files[0], out_spec=tmp_path / "a.lh5")
    allow_threads(monkeypatch, 0)
    report = build_raw(files[0], out_spec=tmp_path / "b.lh5")
    assert report.n_rows == expected.n_rows > 0
    assert report.exit_status == expected.exit_status


# ---- memory --------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="address spaces are limited there")
@pytest.mark.parametrize("megabytes", [*range(160, 261, 10)])
def test_too_little_memory_is_called_so(tmp_path, megabytes):
    """From where Python just starts: it is done, or one line says why not."""
    (tmp_path / "run.fcio").write_bytes(DATA)
    limits = (
        f"n = {megabytes} << 20\nresource.setrlimit(resource.RLIMIT_AS, (n, n))\n"
        "import numpy"
    )
    done = run(limits, "convert", "-q", "--threads", 2, "run.fcio", cwd=tmp_path)
    if "import numpy" in done.stderr or "numpy" in done.stderr:
        pytest.skip("NumPy itself cannot be loaded")
    if done.returncode == 0:
        with h5py.File(tmp_path / "run.lh5") as f:
            assert len(f["FCEvent/packet_id"]) == 2400
        return
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "out of memory" in line
    assert "hdf5_settings" not in line
    assert not (tmp_path / "run.lh5").exists()
    assert not [p for p in tmp_path.iterdir() if parse(p.name)]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 2.00 GiB for an array"),
        ValueError("Unable to create dataset (memory allocation failed for chunk)"),
        RuntimeError("Can't allocate memory (can't allocate space)"),
        OSError(12, "Cannot allocate memory"),
        ImportError("libhdf5.so: failed to map segment from shared object"),
    ],
)
def test_libraries_say_it_in_their_own_ways(error):
    assert lacks_memory(error)
    assert message_of(error) == f"out of memory: {MEMORY_ADVICE}"


def test_other_errors_are_not_of_memory():
    assert not lacks_memory(
        ValueError("hdf5_settings: Chunk shape must not be greater")
    )


# ---- file handles --------------------------------------------------------------------


@pytest.mark.parametrize("n_files", [20, 200])
def test_few_file_handles(tmp_path, n_files):
    """Of many outputs: all are there, or one line says what to do."""
    (tmp_path / "run.fcio").write_bytes(
        writer.make_stream(3, n_channels=2, n_samples=9)
    )
    keys = ['"*"', *range(n_files - 1)]
    spec = ", ".join(
        f'"b{i}": {{"key_list": [{key}], "out_stream": "{i}.lh5"}}'
        for i, key in enumerate(keys)
    )
    (tmp_path / "spec.json").write_text(f'{{"FCEventDecoder": {{{spec}}}}}')
    limits = "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))"
    done = run(limits, "convert", "-q", "-o", "spec.json", "run.fcio", cwd=tmp_path)
    made = [*tmp_path.glob("*.lh5")]
    if n_files < 40:
        assert done.returncode == 0
        assert len(made) == n_files
        return
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert "Too many open files" in line
    assert "ulimit -n" in line
    assert not made
    assert not [p for p in tmp_path.iterdir() if parse(p.name)]
