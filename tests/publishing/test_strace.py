"""Errors and kills at system calls of a whole conversion, injected by strace."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import h5py
import pytest
from kit.places import ENVIRONMENT
from kit.writers import fcio as writer

from daq2lh5.publishing.repair import repair

if TYPE_CHECKING:
    from pathlib import Path

CALLS = "rename,renameat2,link,unlink,flock,fsync,fchmod"
"""System calls of publishing."""


def strace(folder: Path, inject: str, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            *("strace", "-f", "-o", "/dev/null"),
            *("-e", f"trace={CALLS}", "-e", f"inject={inject}"),
            *(sys.executable, "-m", "daq2lh5", "convert", *map(str, arguments)),
        ],
        env=ENVIRONMENT,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def _strace_works():
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    command = ["strace", "-o", "/dev/null", "-e", "inject=rename:error=EIO", "true"]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("strace may not trace here")


NOTHING = "rename:delay_exit=0:when=99"

SPEC = {
    "FCEventDecoder": {"e": {"key_list": ["*"], "out_stream": "events.lh5"}},
    "*": {"{name}": {"key_list": ["*"], "out_stream": "rest.lh5"}},
}


@pytest.fixture
def here(tmp_path) -> Path:
    for name, n in (("old", 5), ("run", 8)):
        stream = writer.make_stream(n, n_channels=2, n_samples=20)
        (tmp_path / f"{name}.fcio").write_bytes(stream)
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    return tmp_path


def source_size(path: Path) -> int | None:
    """Bytes of the input that a file was made of; None if there is no file."""
    if not path.exists():
        return None
    with h5py.File(path) as f:
        return json.loads(f.attrs["daq2lh5_report"])["input_bytes"]


def make_old(here: Path, *arguments) -> tuple[int | None, ...]:
    if arguments:
        done = strace(here, NOTHING, *arguments, "old.fcio")
        assert done.returncode == 0, done.stderr
    return source_size(here / "events.lh5"), source_size(here / "rest.lh5")


def hidden(here: Path) -> list[str]:
    return sorted(p.name for p in here.iterdir() if p.name.startswith("."))


@pytest.mark.parametrize("number", ["EIO", "ENOSPC", "ESTALE", "EPERM"])
def test_a_rename_that_fails_leaves_the_old_file(here, number):
    make_old(here, "-o", "events.lh5")
    before = (here / "events.lh5").read_bytes()
    inject = f"rename:error={number}:when=1"
    done = strace(here, inject, "-w", "-o", "events.lh5", "run.fcio")
    assert done.returncode in (1, 2)
    (line,) = done.stderr.splitlines()
    assert "events.lh5" in line
    assert (here / "events.lh5").read_bytes() == before
    assert hidden(here) == []


@pytest.mark.parametrize("call", ["rename", "renameat2", "link", "unlink", "fsync"])
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("number", ["EIO", "EINVAL"])
def test_several_outputs_when_a_call_fails(here, call, overwrite, number):
    old = make_old(here, "-o", "spec.json") if overwrite else make_old(here)
    new = (here / "run.fcio").stat().st_size
    for when in range(1, 4):
        inject = f"{call}:error={number}:when={when}"
        options = ["-w"] if overwrite else []
        done = strace(here, inject, *options, "-o", "spec.json", "run.fcio")
        found = source_size(here / "events.lh5"), source_size(here / "rest.lh5")
        assert found == (old if done.returncode else (new, new)), done.stderr
        assert repair(here).left == []
        assert hidden(here) == []
        if not done.returncode:
            break


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("call", ["rename", "renameat2", "link", "unlink", "fsync"])
def test_killed_at_each_call(here, overwrite, call):
    """Each name has its old or its new file; the next conversion completes the rest."""
    old = make_old(here, "-o", "spec.json") if overwrite else make_old(here)
    new = (here / "run.fcio").stat().st_size
    saved = {p.name: p.read_bytes() for p in here.iterdir()}
    mixed = 0
    for when in range(1, 40):
        options = ["-w"] if overwrite else []
        inject = f"{call}:signal=KILL:when={when}"
        done = strace(here, inject, *options, "-o", "spec.json", "run.fcio")
        found = source_size(here / "events.lh5"), source_size(here / "rest.lh5")
        for one, before in zip(found, old, strict=True):
            assert one in (before, new)
        if done.returncode == 0:
            break
        if len(set(found)) > 1:
            mixed += 1
            # the next one reports it, also if it fails itself
            done = strace(here, NOTHING, "-o", "spec.json", "run.fcio")
            assert "killed while it renamed several files" in done.stderr
            assert (
                source_size(here / "events.lh5")
                == source_size(here / "rest.lh5")
                == new
            )
            assert done.returncode == 2
        else:
            repair(here)
        assert hidden(here) == []
        for path in here.iterdir():
            path.unlink()
        for name, content in saved.items():
            (here / name).write_bytes(content)
    assert found == (new, new)
    assert hidden(here) == []
    # killed between the two renames
    assert mixed == (call == ("rename" if overwrite else "renameat2"))
