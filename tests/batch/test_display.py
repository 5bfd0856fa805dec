"""The display of a batch: lines in a log, a table on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from kit.places import ENVIRONMENT
from kit.writers import fcio

from daq2lh5.batch.display import Plain, Summary
from daq2lh5.batch.results import Result


def test_lines():
    lines: list[str] = []
    summary = Summary(3)
    shown = Plain(lines.append)
    for result in (
        Result("a.fcio", 1, error="its process was killed by SIGKILL"),
        Result("b\x1b[31m.fcio", 0, skipped="up to date"),
    ):
        summary.add(result)
        shown.done(result, summary)
    assert lines[0] == "error: a.fcio: its process was killed by SIGKILL"
    assert lines[1].startswith("[1/3] a.fcio: failed, ")
    assert lines[2] == "[2/3] b\\x1b[31m.fcio: up to date"
    assert summary.line().startswith(
        "3 files: 1 failed, 1 up to date, 1 not converted;"
    )


def test_a_terminal_shows_a_table(tmp_path):
    """The table is removed at the end; the lines of the files stay."""
    data = fcio.make_stream(2000, n_channels=6, n_samples=1000)
    for i in range(3):
        (tmp_path / f"r_{i}.fcio").write_bytes(data)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "daq2lh5", "convert", "-J", "2", "."],
        cwd=tmp_path,
        env=ENVIRONMENT | {"COLUMNS": "120", "TERM": "xterm"},
        stderr=slave,
        stdout=subprocess.PIPE,
    )
    os.close(slave)
    text = b""
    try:
        while part := os.read(master, 65536):
            text += part
    except OSError:
        # the terminal is closed
        pass
    finally:
        os.close(master)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"all files" in text
    assert b"/s" in text
    assert text.count(b"good") == 3
    assert stdout.startswith(b"3 files: 3 good; ")
