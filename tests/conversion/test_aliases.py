"""Aliases: further names of tables, as hard links."""

import json

import h5py
import lh5
import pytest
from click.testing import CliRunner
from kit.writers import fcio as writer
from kit.writers import orca

from daq2lh5.build_raw import build_raw
from daq2lh5.cli import main
from daq2lh5.raw_buffer import RawBuffer, write_to_lh5_and_clear


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "run.fcio"
    path.write_bytes(writer.make_stream(3, n_channels=2, n_samples=20))
    return path


def buffer(out, key_list=("*",), **more):
    return {"key_list": list(key_list), "out_stream": str(out)} | more


def channels(file):
    return sorted(name for name in file if name.startswith("ch"))


def test_several_for_each_channel(source, tmp_path):
    out = tmp_path / "out.lh5"
    events = buffer(out, aliases=["raw/{key}", "c{key:09d}/raw"])
    report = build_raw(source, out_spec={"FCEventDecoder": {"ch{key}/raw": events}})
    with h5py.File(out) as file:
        tables = channels(file)
        assert len(tables) == 2
        for name in tables:
            key = int(name[2:])
            table = file[name]["raw"]
            assert file[f"raw/{key}"] == table
            assert file[f"c{key:09d}/raw"] == table
            assert f"c{key:09d}" in file.attrs["datatype"]
            assert file[f"c{key:09d}"].attrs["datatype"] == "struct{raw}"
        names = ",".join(name[2:] for name in tables)
        assert file["raw"].attrs["datatype"] == f"struct{{{names}}}"
        assert "raw" in file.attrs["datatype"]
    # counted once
    assert list(report.tables[str(out)]) == [f"{name}/raw" for name in tables]
    assert report.n_rows == 6
    key = tables[0][2:]
    same = [lh5.read(name, out) for name in (f"ch{key}/raw", f"raw/{key}")]
    assert same[0] == same[1]
    assert f"raw/{key}" in lh5.ls(out, "raw/")
    (found,) = report.provenance["specification"]["FCEventDecoder"]
    assert found["aliases"] == {"ch{key}/raw": ["raw/{key}", "c{key:09d}/raw"]}


def test_lh5ls_shows_them(source, tmp_path, capsys):
    from lh5.cli import lh5ls

    out = tmp_path / "out.lh5"
    events = buffer(out, aliases="events")
    build_raw(source, out_spec={"FCEventDecoder": {"raw/all": events}})
    lh5ls([str(out)])
    shown = capsys.readouterr().out
    assert "events" in shown
    assert shown.count("daqenergy\x1b") == 2


def test_fields_groups_and_the_root(source, tmp_path):
    out = tmp_path / "out.lh5"
    spec = {
        "FCEventDecoder": {
            "all": buffer(
                f"{out}:daq",
                out_name="events",
                aliases=["{name}_{run}", "/top/{name}", "/direct"],
            )
        },
        "*": {"{name}": buffer(f"{out}:daq", aliases=["short/{name}"])},
    }
    build_raw(source, out_spec=spec, run="r1")
    with h5py.File(out) as file:
        table = file["daq/events"]
        assert table == file["daq/all_r1"] == file["top/all"] == file["direct"]
        assert file["daq/short/FCConfig"] == file["daq/FCConfig"]
        assert file.attrs["datatype"] == "struct{daq,direct,top}"


def test_a_keyword_without_value_and_shared_tables(source, tmp_path):
    out = tmp_path / "out.lh5"
    for alias in ("{run}", "x{key}"):
        spec = {"FCEventDecoder": {"all": buffer(out, aliases=alias)}}
        with pytest.raises(ValueError, match="aliases of buffer 'all' is not defined"):
            build_raw(source, out_spec=spec)


@pytest.mark.parametrize(
    ("aliases", "words"),
    [
        (5, "aliases is 5"),
        ([""], "expected a name, or a list"),
        (["a", 5], "expected a name, or a list"),
        ("..", "cannot be the path of a table"),
        ("all", "alias 'all' of the table 'all'"),
        ("config", "the table 'config' has this name"),
        ("all/more", "'all/more' in .* would be inside the table 'all'"),
        ("config/more", "would be inside the table 'config'"),
        ("status", "'status/x' in .* would be inside the table 'status'"),
    ],
)
def test_mistakes(source, tmp_path, aliases, words):
    out = tmp_path / "out.lh5"
    spec = {
        "FCEventDecoder": {"all": buffer(out, aliases=aliases)},
        "FCConfigDecoder": {"config": buffer(out)},
        "FCStatusDecoder": {"status/x": buffer(out)},
    }
    with pytest.raises(ValueError, match=words):
        build_raw(source, out_spec=spec)
    assert not out.exists()


def test_two_of_one_name(source, tmp_path):
    out = tmp_path / "out.lh5"
    events = buffer(out, aliases="same")
    with pytest.raises(ValueError, match="alias 'same' of the table 'ch"):
        build_raw(source, out_spec={"FCEventDecoder": {"ch{key}": events}})


def test_tables_beside(tmp_path):
    """Tables for other lengths of waveforms have the same ending in both names."""
    source = tmp_path / "two.fcio"
    parts = [writer.make_stream(3, n_channels=2, n_samples=n) for n in (20, 30)]
    source.write_bytes(b"".join(parts))
    out = tmp_path / "out.lh5"
    spec = {"FCEventDecoder": {"raw": buffer(out, aliases="alias")}}
    build_raw(source, out_spec=spec)
    with h5py.File(out) as file:
        tables = sorted(name for name in file if name.startswith("raw"))
        assert len(tables) == 2
        for name in tables:
            assert file[name] == file[name.replace("raw", "alias")]


def test_skip_existing_and_the_command(source, tmp_path):
    out, file = tmp_path / "out.lh5", tmp_path / "spec.json"
    args = ["convert", str(source), "-o", str(file), "--skip-existing"]
    for alias, old in (("one", None), ("one", "one"), ("two", "one")):
        spec = {"FCEventDecoder": {"all": buffer(out, aliases=[alias])}}
        file.write_text(json.dumps(spec))
        done = CliRunner().invoke(main, args)
        assert done.exit_code == 0, done.output
        assert ("up to date" in done.output) == (alias == old)
        with h5py.File(out) as opened:
            assert opened[alias] == opened["all"]
            assert ("one" in opened) == (alias == "one")


def test_orca(tmp_path):
    source, out = tmp_path / "run.orca", tmp_path / "out.lh5"
    data = orca.make_stream(kinds=("fcio",), n_channels=2, n_samples=30, n_events=3)
    source.write_bytes(data)
    spec = {
        "ORFCIOEventDecoder": {
            "ch{key:07d}/raw": buffer(out, ["[0-9]*"], aliases=["raw/{key}"])
        },
        "OrcaHeaderDecoder": {"OrcaHeader": buffer(out, aliases=["header"])},
    }
    build_raw(source, out_spec=spec)
    with h5py.File(out) as file:
        assert len(file["raw"]) == 2
        for name in file["raw"]:
            assert file[f"raw/{name}"] == file[f"ch{int(name):07d}/raw"]
        assert file["header"] == file["OrcaHeader"]


def test_appending_by_hand(tmp_path):
    import lgdo
    import numpy as np

    out = tmp_path / "x.lh5"
    for n in (1, 2):
        table = lgdo.Table({"a": lgdo.Array(np.arange(3))})
        rb = RawBuffer(table, out_stream=str(out), out_name="t")
        rb.settings = rb.settings.parse({"aliases": "u"}, "test")
        rb.loc = 3
        write_to_lh5_and_clear([rb])
        with h5py.File(out) as file:
            assert file["t"] == file["u"]
            assert len(file["u/a"]) == 3 * n


def test_daq2lh5_process_keeps_them(source, tmp_path):
    raw, out = tmp_path / "raw.lh5", tmp_path / "out.lh5"
    events = buffer(raw, aliases=["more/{name}"])
    build_raw(source, out_spec={"FCEventDecoder": {"all": events}})
    file = tmp_path / "spec.json"
    file.write_text(json.dumps({"window": ["waveform", 2, 8, "windowed"]}))
    args = ["process", str(raw), "-s", str(file), "-o", str(out)]
    assert CliRunner().invoke(main, args).exit_code == 0
    with h5py.File(out) as opened:
        assert opened["more/all"] == opened["all"]
        assert "windowed" in opened["all"]
