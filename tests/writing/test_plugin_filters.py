"""Filters of hdf5plugin by name: in Python, in files and on the command line."""

import json
import sys

import h5py
import hdf5plugin
import lgdo
import numpy as np
import pytest
from click.testing import CliRunner
from kit.writers import fcio as writer

from daq2lh5.build_raw import convert
from daq2lh5.cli import main
from daq2lh5.writing.lh5_writer import LH5Writer
from daq2lh5.writing.merging import merge_settings
from daq2lh5.writing.plugin_filters import with_plugin


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "run.fcio"
    path.write_bytes(writer.make_stream(3, n_channels=2, n_samples=20))
    return path


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("zstd", hdf5plugin.Zstd()),
        ("Blosc2", hdf5plugin.Blosc2()),
        ("bzip2", hdf5plugin.BZip2()),
        ("hdf5plugin.LZ4", hdf5plugin.LZ4()),
        ("hdf5plugin.Zstd(clevel=9)", hdf5plugin.Zstd(clevel=9)),
        (
            "hdf5plugin.Blosc(cname='zstd', clevel=5)",
            hdf5plugin.Blosc(cname="zstd", clevel=5),
        ),
    ],
)
def test_names(name, same):
    assert with_plugin({"compression": name, "shuffle": True}) == {
        "shuffle": True
    } | dict(same)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("zsdt", "did you mean 'zstd'"),
        ("hdf5plugin.Zsd", "did you mean 'zstd'"),
        ("hdf5plugin.Zstd(9)", "named arguments"),
        ("hdf5plugin.Zstd(clevel=x)", "named arguments"),
        ("hdf5plugin.Zstd(level=3)", "level"),
        ("hdf5plugin.Zstd(clevel=99)", "clevel"),
        ("hdf5plugin.Zstd(", "named arguments"),
    ],
)
def test_wrong_names(source, name, words):
    with pytest.raises(ValueError, match=words):
        convert(source, out_spec="x.lh5", hdf5_settings={"compression": name})


def test_the_message_names_hdf5plugin_if_it_is_missing(source, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with pytest.raises(ValueError, match="pip install hdf5plugin"):
        convert(source, out_spec="x.lh5", hdf5_settings={"compression": "zstd"})


def test_on_the_command_line_and_for_columns(source, tmp_path):
    out = tmp_path / "out.lh5"
    given = {
        "hdf5_settings": {"compression": "lz4"},
        "column_settings": {"baseline": "hdf5plugin.Zstd", "channel": "bitshuffle"},
    }
    args = ["convert", str(source), "-o", str(out), "-k", json.dumps(given)]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.output
    with h5py.File(out) as file:
        table = file["FCEvent"]
        assert "32004" in table["fc_input"]._filters
        assert "32015" in table["baseline"]._filters
        assert "32008" in table["channel"]._filters


def test_of_processed_columns(source, tmp_path):
    out = tmp_path / "out.lh5"
    processing = {
        "window": ["waveform", 2, 8, "windowed"],
        "hdf5_settings": {
            "windowed/values": {"compression": "hdf5plugin.Zstd(clevel=7)"},
            "baseline": {"compression": "blosc"},
        },
    }
    spec = {"ch": {"key_list": ["*"], "out_stream": str(out), "proc_spec": processing}}
    convert(source, out_spec={"FCEventDecoder": spec})
    with h5py.File(out) as file:
        assert file["ch/windowed/values"]._filters["32015"] == (7,)
        assert "32001" in file["ch/baseline"]._filters


def test_another_compression_drops_the_options():
    outer = {"compression": "gzip", "compression_opts": 9, "shuffle": False}
    assert merge_settings(outer, {"compression": "lzf"}) == {
        "compression": "lzf",
        "shuffle": False,
    }
    assert merge_settings(outer, {"compression": "gzip"}) == outer
    assert merge_settings(outer, {"shuffle": True})["compression_opts"] == 9


def test_of_objects_that_lh5_writes(tmp_path):
    histogram = lgdo.Histogram(np.arange(20.0), (np.arange(21.0),))
    with h5py.File(tmp_path / "x.lh5", "w") as file:
        lh5_writer = LH5Writer(file, {"compression": "zstd"})
        lh5_writer.append_lgdo(histogram, "h")
        lh5_writer.finish()
        assert "32015" in file["h/weights"]._filters
