"""The examples, and those of the docs, run and do what they say."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import h5py
import lh5
import numpy as np
import pytest
from kit.places import PACKAGE_PATH, REPOSITORY, TESTDATA
from kit.writers import compass, llama, orca

import daq2lh5
from daq2lh5.buffer_processor.lh5_buffer_processor import lh5_buffer_processor

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = REPOSITORY / "examples"
SAMPLE = EXAMPLES / "data" / "sample.fcio"

CHANNELS = {f"ch{key}/raw" for key in range(1027200, 1027204)}


def run(
    script: str, *args: object, cwd: Path, path: str = ""
) -> subprocess.CompletedProcess:
    """Run an example, with the modules in `path` before all others."""
    python_path = os.pathsep.join(filter(None, (path, PACKAGE_PATH)))
    return subprocess.run(
        [sys.executable, str(EXAMPLES / script), *map(str, args)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": python_path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def n_rows(file: Path, table: str) -> int:
    with h5py.File(file) as f:
        return len(f[table]["packet_id"])


def damaged_copy(path: Path) -> Path:
    """Write the sample with its last bytes missing."""
    path.write_bytes(SAMPLE.read_bytes()[:-100])
    return path


def test_convert_file(tmp_path):
    for _ in range(2):  # the second time over the first one's output
        done = run("convert_file.py", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert n_rows(tmp_path / "sample.lh5", "FCEvent") == 116
    assert n_rows(tmp_path / "sample.lh5", "FCStatus") == 4
    assert "FCEvent 116" in done.stdout
    assert f"of {SAMPLE.stat().st_size} bytes" in done.stdout


def test_convert_file_with_arguments(tmp_path):
    source = damaged_copy(tmp_path / "cut.fcio")
    done = run("convert_file.py", source, tmp_path / "other.lh5", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "cut_off" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "cut.fcio",
        "other.lh5",
        "other.lh5.garbage",
    ]
    with h5py.File(tmp_path / "other.lh5.garbage") as f:
        assert "garbage" in f


def test_plot_waveforms(tmp_path):
    pytest.importorskip("matplotlib")
    done = run("plot_waveforms.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 waveforms" in done.stdout
    png = (tmp_path / "waveforms.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n")

    done = run("plot_waveforms.py", SAMPLE, "three.png", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 waveforms" in done.stdout
    assert (tmp_path / "three.png").read_bytes() != png


def test_plot_waveforms_says_what_it_needs(tmp_path):
    # a module of that name that cannot be imported
    (tmp_path / "matplotlib.py").write_text("raise ImportError\n")
    done = run("plot_waveforms.py", cwd=tmp_path, path=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == ("this example needs matplotlib: pip install matplotlib\n")


def test_channelwise(tmp_path):
    done = run("channelwise.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    channels, slow = tmp_path / "sample_channels.lh5", tmp_path / "sample_slow.lh5"
    with h5py.File(channels) as f:
        assert {f"{name}/raw" for name in f if name != "others"} == CHANNELS
        # two of the six channels share a table
        assert set(f["others/fc_input"][:]) == {4, 5}
        for name in CHANNELS:
            assert set(f[name]["fc_input"][:]) == {int(name[2:9]) % 100}
    rows = sum(n_rows(channels, name) for name in (*CHANNELS, "others"))
    assert rows == 116
    with h5py.File(slow) as f:
        assert set(f) == {"daq", "status"}
        assert set(f["status/adc_cards/id"][:]) == {0x2000}
    assert n_rows(slow, "daq/FCConfig") == 1


def test_channelwise_with_arguments(tmp_path):
    source = damaged_copy(tmp_path / "cut.fcio")
    done = run("channelwise.py", source, tmp_path / "there", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    names = sorted(p.name for p in (tmp_path / "there").iterdir())
    assert names == ["cut_channels.lh5", "cut_channels.lh5.garbage", "cut_slow.lh5"]


def check_production(file: Path, raw: Path, window: slice, keys: set[str]) -> None:
    """Compare processed tables of channels with those that are not."""
    with h5py.File(raw) as f:
        # with the software trigger there are two tables of events
        tables = ("FCEvent", "ORFCIOEvent", "ORFCIOEvent_0")
        name = next(name for name in tables if name in f)
    whole = lh5.read(name, raw)
    values = whole["waveform"]["values"].nda
    channels = [name for name in lh5.ls(file) if name.startswith("ch")]
    assert set(channels) == keys
    n = 0
    for name in channels:
        table = lh5.read(f"{name}/raw", file)
        mine = values[np.isin(whole["fc_input"].nda, table["fc_input"].nda)]
        windowed, presummed = table["waveform_windowed"], table["waveform_presummed"]
        assert (windowed["values"].nda == mine[:, window]).all()
        assert windowed["t0"].nda[0] == window.start * 16
        sums = mine[:, : mine.shape[1] // 8 * 8].reshape(len(mine), -1, 8).sum(axis=2)
        assert (presummed["values"].nda == sums).all()
        assert set(presummed["dt"].nda) == {128}
        assert set(table["presum_rate"].nda) == {8}
        assert (table["t_sat_lo"].nda == (mine == 0).sum(axis=1)).all()
        assert (table["t_sat_hi"].nda == (mine == 65520).sum(axis=1)).all()
        assert table["t_sat_hi"].dtype == np.uint16
        assert "waveform" not in table
        n += len(table)
        with h5py.File(file) as f:
            values_of = f[f"{name}/raw/waveform_windowed/values"]
            assert values_of.attrs["codec"] == "radware_sigcompress"
            values_of = f[f"{name}/raw/waveform_presummed/values"]
            assert values_of.attrs["codec"] == "uleb128_zigzag_diff"
    assert n == len(values)


def test_production(tmp_path):
    done = run("production.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    daq2lh5.build_raw(SAMPLE, out_spec=tmp_path / "whole.lh5")
    file = tmp_path / "sample_raw.lh5"
    keys = {f"ch{key}" for key in range(1027200, 1027206)}
    check_production(file, tmp_path / "whole.lh5", slice(300, 700), keys)
    assert n_rows(file, "extra/FCStatus") == 4
    with h5py.File(file) as f:
        assert f["ch1027200/raw/channel"].compression == "lzf"
        assert "32015" in f["ch1027200/raw/baseline"]._filters


def test_production_of_a_file_converted_before(tmp_path):
    file = tmp_path / "raw.lh5"
    spec = {"ch{key:07d}/raw": {"key_list": ["*"], "out_stream": str(file)}}
    daq2lh5.build_raw(SAMPLE, out_spec={"FCEventDecoder": spec})
    daq2lh5.build_raw(SAMPLE, out_spec=tmp_path / "whole.lh5")
    lh5_buffer_processor(str(file), out_spec=str(EXAMPLES / "production_fcio.yaml"))
    keys = {f"ch{key}" for key in range(1027200, 1027206)}
    check_production(
        tmp_path / "raw_proc.lh5", tmp_path / "whole.lh5", slice(300, 700), keys
    )


@pytest.mark.parametrize("fsp", [False, True])
def test_production_of_orca(tmp_path, fsp):
    """With the software trigger's tables, and without."""
    source = tmp_path / "run.orca"
    source.write_bytes(
        orca.make_stream(
            kinds=("fcio",),
            n_channels=2,
            n_samples=6250,
            n_events=3,
            fcio_options={"fsp": fsp},
        )
    )
    daq2lh5.build_raw(source, out_spec=tmp_path / "whole.lh5")
    done = run("production.py", source, tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "run_raw.lh5"
    with h5py.File(file) as f:
        keys = {name for name in f if name.startswith("ch")}
        assert len(keys) == 2
        assert {"OrcaHeader", "RunControl", "fcid_1"} <= set(f["extra"])
        assert "config" in f["extra/fcid_1"]
        assert ("swtid_1/event" in f["extra"]) == fsp
    check_production(file, tmp_path / "whole.lh5", slice(2625, 4025), keys)


def test_orca_header(tmp_path):
    source = tmp_path / "run.orca"
    source.write_bytes(orca.make_stream(n_channels=3, run_number=77))
    daq2lh5.build_raw(source, out_spec=tmp_path / "run.lh5")
    said = []
    for file in ("run.orca", "run.lh5"):
        done = run("orca_header.py", file, "header.json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
        assert "ReadoutDescription" in (tmp_path / "header.json").read_text()
    assert said[0] == said[1]
    assert "run 77\n" in said[0]
    assert "ORFlashCamADCModel, 3 inputs in use" in said[0]
    assert "ORRunDecoderForRun" in said[0]
    assert run("orca_header.py", cwd=tmp_path).returncode == 2


def test_compass_rates(tmp_path):
    form = compass.form(0xCAED)
    events = compass.events(form, 60, channels=[(0, 0), (0, 1), (2, 5)])
    source = tmp_path / "run.BIN"
    source.write_bytes(compass.file(form, events)[:-1])
    (tmp_path / "run.xml").write_text(compass.settings([compass.Board()]))
    for more in ([], [tmp_path / "run.xml"]):
        done = run("compass_rates.py", source, *more, cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0].startswith("board 0, channel 0: 20 events, ")
        assert lines[2].startswith("board 2, channel 5: 19 events, ")
        assert lines[3].endswith("84 of them damaged")
    assert run("compass_rates.py", cwd=tmp_path).returncode == 2


def test_llama_channels(tmp_path):
    source = tmp_path / "20240101-000000.bin"
    data, _ = llama.make_file([llama.Channel(), llama.Channel(fadc=2, channel=3)])
    source.write_bytes(data)
    done = run("llama_channels.py", source, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("FADC 2, channel 3: 250 MHz, 8 raw and 6 averaged")
    assert "10 events" in lines[1]
    source.write_bytes(data[:-1])
    assert run("llama_channels.py", source, cwd=tmp_path).returncode == 3
    assert run("llama_channels.py", cwd=tmp_path).returncode == 2


GERDA_FILE = TESTDATA / "mgdo" / "gerda-run0050-20150826T170402Z-cal-ged-tier1.root"


@pytest.mark.skipif(not GERDA_FILE.is_file(), reason="no real file of GERDA")
def test_mgdo_energies(tmp_path):
    pytest.importorskip("uproot")
    done = run("mgdo_energies.py", GERDA_FILE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "run 1000, MGDO-v01-01 / gelatio-v04-03"
    assert len(lines) == 13
    assert lines[2] == "channel 2: 3 waveforms, mean energy 11315.5"
    assert run("mgdo_energies.py", cwd=tmp_path).returncode == 2


GUIDES = [
    "out_spec.rst",
    "processing.rst",
    "report.rst",
    "writing.rst",
    "codecs.rst",
]


@pytest.mark.parametrize("guide", GUIDES)
def test_guide(guide, tmp_path, monkeypatch):
    """The examples in the docs give what stands there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run1.fcio").write_bytes(SAMPLE.read_bytes())
    # variables that an example sets are taken back
    monkeypatch.setenv("OUTDIR", "")
    result = doctest.testfile(
        str(REPOSITORY / "docs" / "source" / guide),
        module_relative=False,
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS,
    )
    assert result.attempted > 0
    assert result.failed == 0
