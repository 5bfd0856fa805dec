"""Control characters in names never reach a terminal."""

from __future__ import annotations

import logging

import pytest
from click.testing import CliRunner
from kit.writers import fcio as writer

from daq2lh5 import build_raw
from daq2lh5.cli import main
from daq2lh5.errors import printable
from daq2lh5.logging import setup

GOOD = writer.make_stream(3, n_channels=2, n_samples=9)
NAME = "a\x1b[31mb\x9bc"
SHOWN = r"a\x1b[31mb\x9bc"


def test_control_characters_are_written_out():
    assert printable(NAME + "\n\té😀") == SHOWN + r"\n\té😀"


@pytest.mark.parametrize("status", [0, 2])
def test_names_of_files_are_shown_without_control_characters(
    tmp_path, monkeypatch, status
):
    """In reports and errors, also on a terminal, where click keeps them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{NAME}.fcio").write_bytes(GOOD)
    if status:
        (tmp_path / f"{NAME}.lh5").touch()
    done = CliRunner().invoke(main, ["convert", f"{NAME}.fcio"], color=True)
    assert done.exit_code == status
    assert f"{SHOWN}.fcio: " in done.output
    assert f"{SHOWN}.lh5" in done.output
    assert not {"\x1b", "\x9b"}.intersection(done.output)


def test_log_messages_have_no_control_characters(capsys):
    logger = logging.Logger("messages")
    setup(logging.WARNING, logger)
    logger.warning("of %s", NAME)
    assert capsys.readouterr().err == f"messages [WARNING] of {SHOWN}\n"


@pytest.mark.parametrize("n_max", [2**63 - 1, 2**63, 10**30])
def test_more_rows_than_kernels_count_are_all(tmp_path, n_max):
    (tmp_path / "a.fcio").write_bytes(GOOD)
    full = build_raw(tmp_path / "a.fcio", out_spec=tmp_path / "all.lh5")
    part = build_raw(tmp_path / "a.fcio", out_spec=tmp_path / "b.lh5", n_max=n_max)
    assert part.n_rows == full.n_rows


def test_endless_warnings_end(capsys):
    logger = logging.Logger("messages")
    setup(logging.WARNING, logger)
    for i in range(3000):
        logger.warning("of %d", i)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1000
    assert lines[998] == "messages [WARNING] of 998"
    assert lines[999].endswith("more than 1000 messages like the last are not shown")
    logger.warning("of another kind")
    assert capsys.readouterr().err
