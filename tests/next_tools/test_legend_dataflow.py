"""The raw tier, with the calls of LEGEND's production."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import lh5
import numpy as np
import pytest
from kit.compare import same
from kit.generators.runs import peer_python
from kit.places import ENVIRONMENT

import daq2lh5

pytest.importorskip("dspeed", reason="the example needs dspeed")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
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


def test_rows_are_the_peers(converted, tmp_path):
    """The same call of legend-daq2lh5 gives the same tables."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import legend_dataflow as e;"
        "e.FILE['compression'] = 'gzip'; from daq2lh5 import build_raw;"
        "build_raw(str(e.HERE / 'data' / 'sample.fcio'), out_spec=e.specification(),"
        " filekey='raw.lh5', hdf5_settings=e.FILE, db_dict=e.DATABASE)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(
        [peer_python(), "-c", code, str(EXAMPLES)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=300,
        check=True,
    )
    for key in NAMES.values():
        mine = lh5.read(f"ch{key}/raw", converted)
        assert same(mine, lh5.read(f"ch{key}/raw", tmp_path / "raw.lh5"))
