"""Provenance: the same input and settings give the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from kit.places import ENVIRONMENT
from kit.writers import fcio

from daq2lh5 import build_raw
from daq2lh5.conversion.provenance import FileHash
from daq2lh5.conversion.stored_reports import read_report
from daq2lh5.resources import threads

DATA = fcio.make_stream(4, n_channels=2, n_samples=20)


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "in/r.fcio"
    path.parent.mkdir()
    path.write_bytes(DATA)
    os.utime(path, ns=(10**18, 10**18 + 123_456_789))
    return path


def test_same_bytes_wherever_and_whenever(run, tmp_path):
    """Paths, threads, memory, processes and time leave no trace."""
    made = set()
    other = tmp_path / "else/where"
    other.mkdir(parents=True)
    copy = other / "r.fcio"
    copy.write_bytes(DATA)
    os.utime(copy, ns=(10**18, 10**18 + 123_456_789))
    for number, (path, options) in enumerate(
        [
            (run, {}),
            (run, {"threads": 1}),
            (run, {"threads": 3, "memory_limit": "100M"}),
            (copy, {"in_stream_type": None}),
        ]
    ):
        out = tmp_path / f"{number}.lh5"
        build_raw(path, out_spec=out, **options)
        made.add(out.read_bytes())
    out = tmp_path / "cli.lh5"
    subprocess.run(
        [sys.executable, "-m", "daq2lh5", "convert", "-J", "2", run, "-o", out],
        env=ENVIRONMENT | {"TZ": "Asia/Tokyo"},
        check=True,
        capture_output=True,
    )
    made.add(out.read_bytes())
    assert len(made) == 1


def test_settings_that_change_outputs_are_told_apart(run, tmp_path):
    hashes = set()
    for number, options in enumerate(
        [
            {},
            {"n_max": 3},
            {"extra_columns": True},
            {"hdf5_settings": {"fletcher32": True}},
            {"column_settings": {"baseline": {"compression": None}}},
            {"buffer_size": 100},
        ]
    ):
        out = tmp_path / f"{number}.lh5"
        build_raw(run, out_spec=out, **options)
        report = read_report(str(out))
        hashes.add(report["settings"])
        assert set(report.get("arguments") or {}) == set(options)
    assert len(hashes) == 6


def test_input(run, tmp_path):
    build_raw(run, out_spec=tmp_path / "x.lh5")
    stored = read_report(str(tmp_path / "x.lh5"))
    assert stored["input"] == {
        "name": "r.fcio",
        "bytes": len(DATA),
        "modified": "2001-09-09T01:46:40.123456789Z",
    }
    assert str(tmp_path) not in json.dumps(stored)


class TestHash:
    def test_without_a_free_thread(self, run, monkeypatch):
        def fail(*_args):
            msg = "can't start new thread"
            raise RuntimeError(msg)

        wanted = FileHash([str(run)]).result()
        monkeypatch.setattr(threads.threading.Thread, "start", fail)
        assert FileHash([f"file://{run}"]).result() == wanted

    def test_of_a_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            FileHash([str(tmp_path / "none")]).result()

    def test_of_a_pipe_is_missing_with_a_warning(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        writer = subprocess.Popen(
            ["/bin/sh", "-c", f"cat > {tmp_path}/pipe"], stdin=subprocess.PIPE
        )
        writer.stdin.write(DATA)
        writer.stdin.close()
        report = build_raw(
            tmp_path / "pipe", out_spec=tmp_path / "x.lh5", hash_input=True
        )
        writer.wait()
        assert any("no SHA-256" in note for note in report.notes)
        assert "sha256" not in report.provenance["input"]
