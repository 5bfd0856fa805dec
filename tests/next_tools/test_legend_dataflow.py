"""The raw tier, with the calls of LEGEND's production."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import lh5
import numpy as np
import pytest
import yaml
from kit.compare import same
from kit.generators.runs import peer_python
from kit.places import ENVIRONMENT

import daq2lh5

for module in ("dspeed", "dbetto", "hdf5plugin"):
    pytest.importorskip(module, reason=f"the example needs {module}")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PARTS = ("general", "geds", "spms", "auxs")
NAMES = {
    "V01": 1027200,
    "V02": 1027201,
    "S01": 1027202,
    "S02": 1027203,
    "PULS": 1027204,
    "MUON": 1027205,
}


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> Path:
    """Run the example."""
    folder = tmp_path_factory.mktemp("dataflow")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "legend_dataflow.py")],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "raw.lh5"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the events without any specification."""
    out = tmp_path_factory.mktemp("plain") / "plain.lh5"
    daq2lh5.build_raw(EXAMPLES / "data" / "sample.fcio", out_spec=out)
    return lh5.read("FCEvent", out)


def test_file_space(converted):
    with h5py.File(converted) as file:
        properties = file.id.get_create_plist()
        assert properties.get_file_space_strategy()[0] == h5py.h5f.FSPACE_STRATEGY_PAGE
        assert properties.get_file_space_page_size() == 64 * 1024


def test_aliases(converted):
    """A channel's table has three names, which lh5 lists and reads."""
    with h5py.File(converted) as file:
        for name, key in NAMES.items():
            for alias in (f"raw/{name}", f"{name}/raw"):
                assert file[alias] == file[f"ch{key}/raw"]
        assert file["V01"].attrs["datatype"] == "struct{raw}"
    for name, key in NAMES.items():
        assert f"raw/{name}" in lh5.ls(converted, "raw/")
        assert lh5.ls(converted, f"{name}/") == [f"{name}/raw"]
        table = lh5.read(f"ch{key}/raw", converted)
        assert same(lh5.read(f"raw/{name}", converted), table)
        pieces = lh5.LH5Iterator(str(converted), f"{name}/raw", buffer_len=6)
        assert sum(len(piece) for piece in pieces) == len(table)


@pytest.mark.parametrize("name", NAMES)
def test_rows(converted, plain, name):
    """Each system's rows are processed by its part of the specification."""
    table = lh5.read(f"{name}/raw", converted)
    mine = plain.fc_input.nda == NAMES[name] % 100
    values = plain.waveform["values"].nda[mine]
    np.testing.assert_array_equal(table.timestamp.nda, plain.timestamp.nda[mine])
    if name.startswith("V"):
        windowed, summed = table.waveform_windowed, table.waveform_presummed
        np.testing.assert_array_equal(windowed["values"].nda, values[:, 300:700])
        sums = values.reshape(len(values), -1, 8).sum(axis=2)
        np.testing.assert_array_equal(summed["values"].nda, sums)
        # of as many samples as the data base says
        spread = values[:, :250].std(axis=1)
        np.testing.assert_allclose(table.bl_std.nda, spread, rtol=0.05)
    else:
        np.testing.assert_array_equal(table.waveform["values"].nda, values)
    with h5py.File(converted) as file:
        node = file[f"{name}/raw"]
        path = "waveform_windowed" if name.startswith("V") else "waveform"
        encoded = node[path]["values"].attrs.get("codec")
    assert encoded == (None if name in ("PULS", "MUON") else "radware_sigcompress")


def test_settings(converted):
    """Filters by name: one for the file, another for the auxiliary channels."""
    with h5py.File(converted) as file:
        assert set(file["ch1027202/raw/baseline"]._filters) == {"shuffle", "32015"}
        assert set(file["PULS/raw/baseline"]._filters) == {"32008"}


def test_the_command_in_the_docs(converted, tmp_path):
    """It gives the same objects, from the same settings."""
    page = ROOT / "docs" / "source" / "moving.rst"
    if not page.exists():
        pytest.skip("the documentation is not here")
    (text,) = re.findall(r"\$ (daq2lh5 convert(?:.*\\\n)+.*)", page.read_text("utf-8"))
    command, *arguments = shlex.split(text.replace("\\\n", " "))
    assert command == "daq2lh5"
    for name in ("data", "legend_dataflow"):
        shutil.copytree(EXAMPLES / name, tmp_path / name)
    code = "from daq2lh5.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "raw.lh5") == tree(converted)


def tree(path: Path) -> dict:
    """Filters of all datasets by path, and the hash of the settings."""
    with h5py.File(path) as file:
        report = json.loads(file.attrs["daq2lh5_report"])
        datasets = [d for group in file.values() for d in walk(group)]
        return {"settings": report["settings"]} | {
            d.name: (d.shape, d._filters) for d in datasets
        }


def walk(node: h5py.HLObject) -> list[h5py.Dataset]:
    if isinstance(node, h5py.Dataset):
        return [node]
    return [dataset for below in node.values() for dataset in walk(below)]


def specification_of_the_peer() -> dict:
    """The parts as legend-dataflow's script merges them, with the keys of the map."""
    spec: dict = {}
    for part in PARTS:
        content = yaml.safe_load(
            (EXAMPLES / f"legend_dataflow/{part}.yaml").read_text()
        )
        content.pop("hdf5_settings", None)
        for decoder, buffers in content.items():
            for buffer in buffers.values():
                for ours in ("aliases", "hdf5_settings"):
                    buffer.pop(ours, None)
                if buffer["key_list"] != ["*"]:
                    wanted = buffer["key_list"][0]["system"]
                    maps = EXAMPLES / "legend_dataflow/channelmaps/sample.yaml"
                    buffer["key_list"] = [
                        c["daq"]["rawid"]
                        for c in yaml.safe_load(maps.read_text()).values()
                        if c["system"] in wanted
                    ]
            spec.setdefault(decoder, {}).update(buffers)
    return spec


def test_rows_are_the_peers(converted, tmp_path):
    """The script's call of legend-daq2lh5 gives the same tables."""
    (tmp_path / "spec.json").write_text(json.dumps(specification_of_the_peer()))
    database = {
        f"ch{key}/raw": {"baseline": {"samples": 250}} for key in NAMES.values()
    }
    code = (
        "import json, sys; from daq2lh5 import build_raw;"
        "build_raw(sys.argv[1], out_spec='spec.json', filekey='raw.lh5',"
        " db_dict=json.loads(sys.argv[2]))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    source = str(EXAMPLES / "data" / "sample.fcio")
    subprocess.run(
        [peer_python(), "-c", code, source, json.dumps(database)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=300,
        check=True,
    )
    for key in NAMES.values():
        mine = lh5.read(f"ch{key}/raw", converted)
        assert same(mine, lh5.read(f"ch{key}/raw", tmp_path / "raw.lh5"))
