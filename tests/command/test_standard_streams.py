"""Closed and full standard streams change neither output nor exit status."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from kit.places import ENVIRONMENT
from kit.writers import fcio as writer

GOOD = writer.make_stream(3, n_channels=2, n_samples=9)

pytestmark = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="there is no /dev/full"
)


@pytest.fixture
def here(tmp_path) -> Path:
    (tmp_path / "run.fcio").write_bytes(GOOD)
    (tmp_path / "cut.fcio").write_bytes(GOOD[:-7])
    return tmp_path


def shell(here: Path, arguments: str, redirection: str) -> tuple[int, str, str]:
    """Return the status and the texts of the two streams."""
    command = f"{shlex.quote(sys.executable)} -m daq2lh5 {arguments} {redirection}"
    # the status is that of the conversion, also in front of a pipe
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=here,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


CLOSED = ["> /dev/full", "2> /dev/full", "> /dev/full 2>&1", ">&-", "2>&-", "<&-"]
CLOSED += [">&- 2>&-", "<&- >&- 2>&-", "| true", "2>&1 | true", "--json /dev/full"]
CLOSED += ["--json - > /dev/full", "--json - >&-", "--json - | true", "-v | true"]


@pytest.mark.parametrize("redirection", CLOSED)
def test_conversion(here, redirection):
    # damage has a status of its own, which must not be lost
    name, status = ("cut", 3) if "json" in redirection else ("run", 0)
    found, _, err = shell(here, f"convert {name}.fcio", redirection)
    assert found == status
    assert "Traceback" not in err
    assert "Exception" not in err
    with h5py.File(here / f"{name}.lh5") as f:
        assert "FCEvent" in f
    names = {p.name for p in here.iterdir()} - {"cut.lh5.garbage"}
    assert names == {"cut.fcio", "run.fcio", f"{name}.lh5"}


@pytest.mark.parametrize("command", ["formats", "--help", "convert --help"])
@pytest.mark.parametrize("redirection", ["> /dev/full", "| true"])
def test_texts(here, command, redirection):
    _, _, err = shell(here, command, redirection)
    assert "Traceback" not in err
    assert "Exception" not in err
    assert len(err.splitlines()) <= 1


@pytest.mark.parametrize(
    "redirection", ["> /dev/full", "--json /dev/full", "--json - > /dev/full"]
)
def test_what_cannot_be_told_there_is_told_elsewhere(here, redirection):
    _, _, err = shell(here, "convert run.fcio", redirection)
    # with --json - the short form is there as well
    assert err.splitlines()[-1].startswith("warning: the report cannot be written")


@pytest.mark.parametrize("redirection", ["> /dev/full 2>&1", "<&- >&- 2>&-"])
def test_failures_keep_their_status(here, redirection):
    (here / "bad").write_bytes(b"nothing that anybody knows" * 100)
    assert shell(here, "convert bad", redirection)[0] == 1
    assert shell(here, "convert none.fcio", redirection)[0] == 2


@pytest.mark.parametrize("redirection", ["> /dev/full", "2>&-", "| true"])
def test_other_commands(here, redirection):
    assert shell(here, "convert -q run.fcio", redirection)[0] == 0
    (here / "s.json").write_text('{"return_type": {}}')
    assert shell(here, "process -s s.json run.lh5", redirection)[0] == 0
    assert shell(here, "repair .", redirection)[0] == 0


def test_what_is_printed_never_gets_into_the_output(here):
    """A file that is opened gets the lowest number that is free, as 2 would be."""
    program = (
        "import importlib, os\n"
        "from daq2lh5.cli import main\n"
        "b = importlib.import_module('daq2lh5.conversion.loop')\n"
        "write = b._write\n"
        "def noisy(*args, **kwargs):\n"
        "    os.write(2, b'printed by a library ' * 1000)\n"
        "    write(*args, **kwargs)\n"
        "b._write = noisy\n"
        "main(['convert', 'run.fcio'])\n"
    )
    (here / "program.py").write_text(program)
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} program.py 2>&- >&- <&-"],
        cwd=here,
        env=ENVIRONMENT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert b"printed by a library" not in (here / "run.lh5").read_bytes()
    with h5py.File(here / "run.lh5") as f:
        assert "FCEvent" in f
