"""All features of specifications are restored from the report: nothing differs."""

from __future__ import annotations

import h5py
import pytest
from click.testing import CliRunner
from kit.writers import fcio

from daq2lh5 import build_raw, verify
from daq2lh5.cli import main

DATA = fcio.make_stream(6, n_channels=3, n_samples=40, status_every=3)
KEYS = [1027200, 1027201, 1027202]
MAP = {
    name: {"name": name, "system": "geds", "daq": {"rawid": key}}
    for name, key in zip("ABC", KEYS, strict=True)
}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "r.fcio"
    path.write_bytes(DATA)
    return path


def spec_of(out, **more):
    return {
        "FCEventDecoder": {
            "ch{key}": {"key_list": ["*"], "out_stream": str(out)} | more
        },
        "FCStatusDecoder": {"status": {"key_list": ["*"], "out_stream": str(out)}},
    }


SPECS = {
    "aliases": {"aliases": ["raw/{key}", "/all/{key:09d}"]},
    "settings": {
        "hdf5_settings": {"compression": "lzf", "fletcher32": True},
        "column_settings": {"waveform/values": {"compression": None}},
    },
    "processing": {
        "proc_spec": {"window": ["waveform", 5, 20, "windowed"], "drop": ["waveform"]}
    },
}


@pytest.mark.parametrize("name", SPECS)
def test_buffers(source, tmp_path, name):
    out = tmp_path / "out.lh5"
    build_raw(source, out_spec=spec_of(out, **SPECS[name]))
    result = verify(out, source)
    assert result.good, (result.differences, result.unverified)


def test_settings_for_all_tables(source, tmp_path):
    out = tmp_path / "out.lh5"
    top = {
        "hdf5_settings": {"compression": "gzip", "compression_opts": 1},
        "column_settings": {"baseline": {"shuffle": False}},
    }
    build_raw(source, out_spec=spec_of(out) | top)
    assert verify(out, source).good


def test_channel_maps(source, tmp_path):
    """The map itself is not needed: names and keys are in the report."""
    out = tmp_path / "out.lh5"
    table = {"key_list": [{"system": "geds"}], "out_stream": str(out)}
    spec = {"FCEventDecoder": {"{channel}/raw": table | {"aliases": ["ch{key}"]}}}
    build_raw(source, out_spec=spec, channel_map=MAP)
    result = verify(out, source)
    assert result.good, (result.differences, result.unverified)


def test_outputs_in_unrelated_folders(source, tmp_path):
    """Only names are stored: no path of the machine."""
    one, other = tmp_path / "one/a.lh5", tmp_path / "other/deep/b.lh5"
    for path in (one, other):
        path.parent.mkdir(parents=True)
    spec = spec_of(one)
    spec["FCStatusDecoder"]["status"]["out_stream"] = str(other)
    build_raw(source, out_spec=spec)
    assert verify(one, source).good
    assert verify(other, source).good


def test_joined_files(source, tmp_path):
    parts = [source, tmp_path / "r_1.fcio"]
    parts[1].write_bytes(DATA)
    out = tmp_path / "out.lh5"
    build_raw(parts, out_spec=out, hash_input=True)
    assert verify(out, parts).good
    assert not verify(out, source).good
    arguments = ["verify", str(out), *map(str, parts)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    parts[1].write_bytes(DATA[:-1])
    assert CliRunner().invoke(main, arguments).exit_code == 3


@pytest.mark.parametrize("change", ["moved", "gone"])
def test_aliases_that_are_other_objects(source, tmp_path, change):
    out = tmp_path / "out.lh5"
    build_raw(source, out_spec=spec_of(out, aliases=["raw/{key}"]))
    with h5py.File(out, "r+") as file:
        del file[f"raw/{KEYS[0]}"]
        if change == "moved":
            file[f"raw/{KEYS[0]}"] = file[f"ch{KEYS[1]}"]
    result = verify(out, source)
    assert any(d.path == f"raw/{KEYS[0]}" for d in result.differences)
