"""MGDO files without packages: messages, and conversions that need no package."""

from __future__ import annotations

import os
import subprocess
import sys

import h5py
import pytest
from click.testing import CliRunner
from kit.generators.mgdo import FILE, real_file
from kit.places import ENVIRONMENT
from kit.writers import fcio

import daq2lh5
from daq2lh5 import cli
from daq2lh5.mgdo.mgdo_streamer import MGDOStreamer
from daq2lh5.mgdo.tree import MGTree

ADVICE = "pip install 'daq2lh5[mgdo]'"
MISSING = f"(its dependency 'cramjam' is missing): {ADVICE}"


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Two sound FCIO files with something between that looks like a ROOT file."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.fcio").write_bytes(fcio.make_stream(n_events=3))
    (tmp_path / "run.root").write_bytes(b"root" + bytes(100))
    return ["a.fcio", "run.root", "b.fcio"]


def test_errors_of_both_kinds(inputs, monkeypatch):
    """Nothing is opened; an ImportError and, as in the peer, a NotImplementedError."""
    monkeypatch.setitem(sys.modules, "uproot", None)
    for kind in (ImportError, NotImplementedError):
        for call in (
            lambda: daq2lh5.build_raw("run.root"),
            lambda: daq2lh5.build_raw("a.fcio", in_stream_type="MGDO"),
            lambda: daq2lh5.get_streamer("run.root", "MGDO"),
            MGDOStreamer,
        ):
            with pytest.raises(kind) as caught:
                call()
            assert ADVICE in str(caught.value)
            assert caught.value.name == "uproot"


def test_command_line_with_several_inputs(inputs, monkeypatch):
    """Others are converted; one line names the package to install; status 2."""
    monkeypatch.setitem(sys.modules, "uproot", None)
    result = CliRunner().invoke(cli.main, ["convert", *inputs])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: run.root: MGDO data are ROOT files, which need the package uproot: "
        + ADVICE
    ]
    assert not os.path.exists("run.lh5")
    for name in ("a.lh5", "b.lh5"):
        with h5py.File(name) as f:
            assert len(f["FCEvent/packet_id"])


def test_package_that_uproot_needs(inputs):
    """uproot cannot be imported: the message names the missing package."""
    code = (
        "import sys\n"
        "sys.modules['cramjam'] = None\n"
        "from daq2lh5.cli import main\n"
        f"main(['convert', *{inputs!r}])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: run.root: ")
    assert MISSING in line
    assert os.path.exists("b.lh5")


@real_file
@pytest.mark.parametrize("first", [0, 1])
def test_package_for_a_basket(tmp_path, first, monkeypatch):
    """Not damage: the conversion fails, whether it is the first basket or another."""
    real = MGTree._unpacked

    def unpacked(self, number):
        if number >= first:
            raise ModuleNotFoundError("No module named 'cramjam'", name="cramjam")
        return real(self, number)

    monkeypatch.setattr(MGTree, "_unpacked", unpacked)
    out = tmp_path / "out.lh5"
    result = CliRunner().invoke(cli.main, ["convert", str(FILE), "-o", str(out)])
    assert result.exit_code == 2
    assert MISSING in result.stderr
    assert not list(tmp_path.iterdir())
    with pytest.raises(ImportError, match="cramjam"):
        read_all(str(FILE))


def read_all(path: str) -> None:
    with daq2lh5.open_stream(path) as (streamer, _):
        for _ in streamer:
            pass
