"""A colon in a path is part of the path unless what follows can only be a group."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h5py
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.buffers.places import HDF5_ENDINGS, as_out_stream, split_out_stream
from daq2lh5.cli import main

if TYPE_CHECKING:
    from pathlib import Path

STREAM = writer.make_stream(3, n_channels=2, n_samples=9)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def convert(*arguments):
    return CliRunner().invoke(main, ["convert", "-q", *map(str, arguments)])


def files(folder: Path) -> list[str]:
    found = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return sorted(str(p) for p in found)


def groups(path: Path) -> list[str]:
    with h5py.File(path) as f:
        return sorted(f)


@pytest.mark.parametrize(
    ("out_stream", "file", "group"),
    [
        ("x.lh5", "x.lh5", "/"),
        ("x.lh5:", "x.lh5", "/"),
        ("x.lh5:geds", "x.lh5", "geds"),
        ("x.lh5:/geds", "x.lh5", "/geds"),
        ("x.LH5:geds/a", "x.LH5", "geds/a"),
        ("x.lh5:7", "x.lh5", "7"),
        ("x.lh5:a:b", "x.lh5", "a:b"),
        ("x.hdf5:v1.0", "x.hdf5", "v1.0"),
        ("2024-01-01T12:00:00.lh5", "2024-01-01T12:00:00.lh5", "/"),
        ("2024-01-01T12:00:00.lh5:/g", "2024-01-01T12:00:00.lh5", "/g"),
        ("a:b/x.lh5", "a:b/x.lh5", "/"),
        ("a.lh5:b/x.lh5", "a.lh5:b/x.lh5", "/"),
        ("a.lh5:b/x.h5:g", "a.lh5:b/x.h5", "g"),
        ("run:7.fcio", "run:7.fcio", "/"),
        ("run:7", "run:7", "/"),
        ("2024-01-01T12:00:00", "2024-01-01T12:00:00", "/"),
        ("out:geds/raw", "out", "geds/raw"),
        ("out:/geds", "out", "/geds"),
        ("out:/2024", "out", "/2024"),
        ("12:30/out:geds", "12:30/out", "geds"),
        ("out:", "out", "/"),
        (":geds", "", "geds"),
        ("", "", "/"),
        ("/data/{run}.lh5:ch{key:03d}", "/data/{run}.lh5", "ch{key:03d}"),
        ("ch{key:03d}.lh5", "ch{key:03d}.lh5", "/"),
        ("{orig_basename}:{name}", "{orig_basename}", "{name}"),
    ],
)
def test_rule(out_stream, file, group):
    assert split_out_stream(out_stream) == (file, group)


NAMES = st.text("ab:/.07 T", min_size=1, max_size=12)
GROUPS = st.text("abc/07_", min_size=1, max_size=8)
ENDINGS = st.sampled_from(HDF5_ENDINGS)


@given(NAMES, ENDINGS)
def test_what_ends_as_hdf5_is_a_path(name, ending):
    assert split_out_stream(name + ending) == (name + ending, "/")


@given(NAMES, ENDINGS, GROUPS)
def test_a_group_behind_an_ending_is_a_group(name, ending, group):
    assert split_out_stream(f"{name}{ending}:{group}") == (name + ending, group)


@given(NAMES)
def test_all_of_a_name_is_kept(name):
    """File and group, joined again, give the same split."""
    file, group = split_out_stream(name)
    assert name in (file, f"{file}:{group}", f"{file}:")
    # the name of a file has a group only behind an extension or with a slash
    file, group = split_out_stream(as_out_stream(name))
    assert file == name or group.startswith("/") or file.endswith(HDF5_ENDINGS)


@pytest.mark.parametrize("name", ["a:b/out", "a:b"])
def test_what_exists_is_a_path(here, name):
    (here / "a:b").mkdir()
    assert split_out_stream(name) == (name, "/")


@pytest.mark.parametrize("name", ["2024-01-01T12:00:00.fcio", "run:7.fcio", "a:b"])
def test_input_with_colons_gives_an_output_with_colons(here, name):
    source = here / name
    source.write_bytes(STREAM)
    beside = here / name.partition(":")[0]
    with h5py.File(beside, "w") as f:
        f["mine"] = 1
    assert convert("-w", name).exit_code == 0
    out = name.removesuffix(".fcio") + ".lh5"
    assert files(here) == sorted([beside.name, name, out])
    assert groups(here / out) == ["FCConfig", "FCEvent"]
    assert groups(beside) == ["mine"]


@pytest.mark.parametrize("out", ["a:b/x.lh5", "a:b/", "a:b", "./a:b/x", "a:b/x:y"])
def test_folder_with_a_colon(here, out):
    (here / "a:b").mkdir()
    (here / "run.fcio").write_bytes(STREAM)
    assert convert("-o", out, "run.fcio").exit_code == 0
    (made,) = (f for f in files(here) if f != "run.fcio")
    assert made in ("a:b/x.lh5", "a:b/run.lh5", "a:b/x", "a:b/x:y")
    assert groups(here / made) == ["FCConfig", "FCEvent"]


@pytest.mark.parametrize("out", ["my:file", "out/my:file", "12:30"])
def test_a_word_behind_the_colon_of_a_file_name_is_no_group(here, out):
    """The file of -o has the whole name, and no other file is touched."""
    (here / "run.fcio").write_bytes(STREAM)
    for _ in range(2):
        assert convert("-w", "-o", out, "run.fcio").exit_code == 0
        assert files(here) == sorted(["run.fcio", out])


@pytest.mark.parametrize(
    "out", ["x.lh5:geds", "x.lh5:/geds", "a:b.lh5:geds", "x:/geds"]
)
def test_group_of_an_output(here, out):
    (here / "run.fcio").write_bytes(STREAM)
    assert convert("-o", out, "run.fcio").exit_code == 0
    file = out[: out.rindex(":")]
    assert files(here) == sorted(["run.fcio", file])
    with h5py.File(file) as f:
        assert sorted(f["geds"]) == ["FCConfig", "FCEvent"]
    # refused before data are read
    result = convert("-o", out, "run.fcio")
    assert (result.exit_code, "exists" in result.output) == (2, True)


@pytest.mark.parametrize("run", ["2024-01-01T12:00:00", "a:b"])
@pytest.mark.parametrize("ending", [".lh5", ""])
def test_keywords_with_colons(here, run, ending):
    (here / "run.fcio").write_bytes(STREAM)
    spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "{run}" + ending + ":g"}}}
    daq2lh5.build_raw("run.fcio", out_spec=spec, run=run)
    assert files(here) == sorted(["run.fcio", run + ending])
    assert groups(here / (run + ending)) == ["g"]


def test_processing_of_a_file_with_colons(here):
    (here / "12:30.fcio").write_bytes(STREAM)
    assert convert("12:30.fcio").exit_code == 0
    (here / "s.json").write_text(json.dumps({"return_type": {}}))
    result = CliRunner().invoke(main, ["process", "-q", "-s", "s.json", "12:30.lh5"])
    assert result.exit_code == 0, result.output
    assert "12:30_proc.lh5" in files(here)
