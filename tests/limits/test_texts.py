"""Texts from the input are data: they do nothing to terminals, files and readers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner
from kit.writers import compass, fcio, llama, orca

import daq2lh5
from daq2lh5 import build_raw
from daq2lh5.cli import main
from daq2lh5.compass.compass_config_parser import find_settings
from daq2lh5.errors import MAX_TOLD, DecodeError, printable, told
from daq2lh5.mgdo.tree import MGTree

BAD = "\x1b[31m\x9b\n\r\x07\u202e\u2066\u200f\u2028\ufeff"
"""An escape sequence, C1, new lines, marks of direction, and invisible characters."""


def is_clean(text):
    """Whether a text has no more than lines of visible characters."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return not any(unicodedata.category(c) in hidden for c in text.replace("\n", ""))


def everything_in(file):
    """Return all names and attributes of an LH5 file, and its strings."""
    texts = []

    def visit(name, item):
        texts.append(name)
        for key, value in item.attrs.items():
            texts.append(key)
            texts.append(value.decode() if isinstance(value, bytes) else str(value))

    with h5py.File(file) as f:
        f.visititems(visit)
        visit("", f)
    return texts


def test_what_is_told_is_printable_and_short():
    assert is_clean(printable(BAD))
    assert printable("é😀 ü") == "é😀 ü"
    assert printable(BAD).startswith(r"\x1b[31m\x9b\n\r\x07\u202e\u2066")
    long = told("begin" + BAD * 10**5 + "end")
    assert is_clean(long)
    assert len(long) < 7 * MAX_TOLD
    assert long.startswith("begin")
    assert long.endswith("end")


def test_errors_are_too():
    error = DecodeError(f"no class {BAD * 10**5}", "run", 1)
    assert is_clean(str(error))
    assert len(str(error)) < 7 * MAX_TOLD


@pytest.mark.parametrize("bad", [BAD.replace("\x1b", "").replace("\x07", ""), "long"])
def test_names_of_orca_decoders(tmp_path, capfd, bad):
    """XML cannot have some control characters: those are taken out with a warning."""
    name = f"OR{bad}Decoder" if bad != "long" else "x" * 10**6
    header = orca.header()
    record = {"dataId": 500 << 18, "decoder": name, "canBeShort": False}
    header["dataDescription"]["Object"] = {"Record": record}
    packets = [orca.header_packet(header), orca.long_packet(500 << 18, 1, 2)]
    path = tmp_path / "run.orca"
    path.write_bytes(b"".join(packets))
    json_file = tmp_path / "report.json"
    out = tmp_path / "o.lh5"
    done = CliRunner().invoke(
        main,
        ["convert", str(path), "-o", str(out), "--json", str(json_file)],
        color=True,
    )
    assert done.exit_code in (0, 3)
    assert "no decoder: 1 x " in done.output
    assert is_clean(done.output)
    assert is_clean(capfd.readouterr().err)
    report = json.loads(json_file.read_text())
    (kind,) = report["unknown_records"]
    assert is_clean(kind)
    assert len(kind) < 2 * MAX_TOLD
    assert max(map(len, done.output.splitlines())) < 3 * MAX_TOLD
    assert all(map(is_clean, everything_in(out)))


def test_settings_of_compass(tmp_path):
    board = compass.Board(
        model=f"DT5730 {BAD[-5:]}",
        period_ps=f"no time {BAD[-5:]}" * 1000,
        channels={0: {"SRV_PARAM_CH_ENABLED": "true", f"x{BAD[-5:]}": "1"}},
    )
    form = compass.form()
    (tmp_path / "run.BIN").write_bytes(compass.file(form, compass.events(form)))
    (tmp_path / "run_settings.xml").write_text(
        compass.settings([board]), encoding="utf-8"
    )
    assert find_settings(str(tmp_path / "run.BIN")) is not None
    report = build_raw(tmp_path / "run.BIN", out_spec=tmp_path / "o.lh5")
    assert any("sampleTime" in note for note in report.notes)
    assert all(map(is_clean, report.lines()))
    assert max(map(len, report.notes)) < 2 * MAX_TOLD
    assert all(map(is_clean, everything_in(tmp_path / "o.lh5")))


def test_labels_of_fcio(tmp_path):
    """Of the software trigger: 8 bytes, of any value."""
    data = fcio.make_stream(3, n_channels=2, n_samples=9, fsp=True)
    assert b"ch000\0\0\0" in data
    data = data.replace(b"ch000\0\0\0", b"\x1b[31m\n\x9b\xff")
    (tmp_path / "run.fcio").write_bytes(data)
    report = build_raw(tmp_path / "run.fcio", out_spec=tmp_path / "o.lh5")
    assert report.exit_status == 0
    assert all(map(is_clean, report.lines()))
    assert all(map(is_clean, everything_in(tmp_path / "o.lh5")))


def test_names_of_root_objects(tmp_path):
    """Those of a file without the tree are listed."""
    uproot = pytest.importorskip("uproot")
    path = tmp_path / "run.root"
    with uproot.recreate(path) as file:
        for i in range(300):
            file[f"h{BAD}{i}"] = "text"
    with pytest.raises(DecodeError, match="no 'MGTree' in the file, found") as caught:
        MGTree(str(path))
    assert is_clean(str(caught.value))
    assert len(str(caught.value)) < 7 * MAX_TOLD


# ---- same input, same bytes ----------------------------------------------------------


def damaged_subrun():
    """Return an ORCA file whose second header is damaged."""
    text = orca.header_packet(orca.header(subrun_number=1))
    bad = text.replace(b"</dict>", b"</tcid>", 1)
    good = [orca.header_packet(orca.header()), orca.run(), *orca.simple_records()]
    return b"".join([*good, bad, orca.run(0)])


FORM = compass.form()
INPUTS = {
    "cut.fcio": fcio.make_stream(9, n_channels=2, n_samples=9)[:-7],
    "subrun.orca": damaged_subrun(),
    "20240101-120000-run.bin": llama.make_file()[0][:-5] + b"\0" * 40,
    "joined.bin": 2 * llama.make_file()[0],
    "DataR_CH0@DT5730_1_run.BIN": compass.file(FORM, compass.events(FORM))[:-3],
}

CODE = """
import os, sys
os.umask(int(sys.argv[1], 8))
from daq2lh5.cli import main
main(["convert", "-w", "-o", *sys.argv[2:]])
"""


@pytest.mark.parametrize("name", INPUTS)
def test_same_input_same_bytes(tmp_path, name):
    """In another folder, time zone and language, with other rights and threads."""
    outputs = []
    package = str(Path(daq2lh5.__file__).parents[1])
    for folder, umask, zone, threads, relative in (
        ("secret_one", "022", "Asia/Tokyo", 1, True),
        ("secret two/and deeper", "077", "America/New_York", 2, False),
    ):
        here = tmp_path / folder
        here.mkdir(parents=True)
        (here / name).write_bytes(INPUTS[name])
        # the provenance has the time of modification
        os.utime(here / name, (0, 0))
        (here / "settings.xml").write_text(compass.settings([compass.Board()]))
        given = name if relative else here / name
        out = f"out_{threads}.lh5" if relative else here / f"out_{threads}.lh5"
        done = subprocess.run(
            [sys.executable, "-c", CODE, umask, out, "--threads", str(threads), given],
            cwd=here,
            env=os.environ
            | {"TZ": zone, "PYTHONPATH": package, "PYTHONHASHSEED": umask},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (0, 3), done.stderr
        made = {
            p.suffix: p.read_bytes() for p in here.iterdir() if p.name.startswith("out")
        }
        outputs.append(made)
        for data in made.values():
            assert b"secret" not in data
            assert os.fsencode(tmp_path.name) not in data
            assert package.encode() not in data
    assert outputs[0] == outputs[1]
    shutil.rmtree(tmp_path)
