"""Channel maps name and select channels: files, data bases, dictionaries."""

import copy
import json
import sys

import h5py
import pytest
import yaml
from click.testing import CliRunner
from kit.writers import fcio as writer
from kit.writers import orca

from daq2lh5.build_raw import build_raw
from daq2lh5.cli import main
from daq2lh5.conversion.channel_maps import load_channel_map
from daq2lh5.raw_buffer import RawBufferLibrary


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "run.fcio"
    path.write_bytes(writer.make_stream(3, n_channels=4, n_samples=20))
    return path


@pytest.fixture
def keys(source, tmp_path):
    """Keys of the four channels."""
    return keys_of(source, "FCEventDecoder", tmp_path / "keys.lh5")


def keys_of(source, decoder, out, patterns=("*",)):
    spec = {decoder: {"ch{key}": {"key_list": list(patterns), "out_stream": str(out)}}}
    report = build_raw(source, out_spec=spec)
    return sorted(int(name[2:]) for name in report.tables[str(out)])


def entry(name, system, key, **daq):
    return {
        "name": name,
        "system": system,
        "location": {"string": 1, "position": 2},
        "daq": {"rawid": key, **daq},
    }


@pytest.fixture
def channel_map(keys):
    rows = [
        entry("V01", "geds", keys[0], crate=0),
        entry("V02", "geds", keys[1], crate=1),
        entry("S01", "spms", keys[2], crate=1),
        entry("PULS", "auxs", keys[3], crate=1),
    ]
    return {row["name"]: row for row in rows}


def spec_of(out, key_list, name="{channel}/raw", **more):
    buffer = {"key_list": key_list, "out_stream": str(out)} | more
    return {"FCEventDecoder": {name: buffer}}


def tables_of(report, out):
    return sorted(report.tables.get(str(out), {}))


SELECTIONS = [
    ([{"system": "geds"}], ["V01", "V02"]),
    ([{"system": ["geds", "auxs"]}], ["PULS", "V01", "V02"]),
    ([{"system": "geds", "daq.crate": 1}], ["V02"]),
    ([{"name": "V*"}], ["V01", "V02"]),
    ([{"name": ["S01", "PULS"]}], ["PULS", "S01"]),
    ([{"name": "*"}], ["PULS", "S01", "V01", "V02"]),
    ([{"system": "spms"}, {"name": "PULS"}], ["PULS", "S01"]),
    ([{"location.string": 1, "daq.crate": 0}], ["V01"]),
]


@pytest.mark.parametrize(("key_list", "expected"), SELECTIONS)
def test_selections(source, tmp_path, channel_map, key_list, expected):
    out = tmp_path / "out.lh5"
    report = build_raw(source, out_spec=spec_of(out, key_list), channel_map=channel_map)
    assert tables_of(report, out) == [f"{name}/raw" for name in expected]
    with h5py.File(out) as file:
        for name in expected:
            key = channel_map[name]["daq"]["rawid"]
            table = file[name]["raw"]
            inputs = {
                key % 1000000 == 100 * board + channel
                for board, channel in zip(
                    table["board_id"], table["fc_input"], strict=True
                )
            }
            assert inputs == {True}


def test_names_of_listed_keys(source, tmp_path, channel_map, keys):
    out = tmp_path / "out.lh5"
    spec = spec_of(
        out,
        [keys[2], {"name": "V01"}],
        "ch{key:07d}/raw",
        aliases=["raw/{channel}", "{channel}/raw", "k/{key}/{name}"],
    )
    given = copy.deepcopy(spec)
    report = build_raw(source, out_spec=given, channel_map=channel_map)
    assert tables_of(report, out) == [f"ch{keys[i]}/raw" for i in (0, 2)]
    with h5py.File(out) as file:
        assert set(file["raw"]) == {"S01", "V01"}
        assert file["V01/raw"] == file[f"ch{keys[0]}/raw"] == file["raw/V01"]
        assert file[f"k/{keys[0]}/ch{keys[0]}/raw"] == file["V01/raw"]
    # names and keys are expanded; it serves for the next file
    assert [b["key_list"] for b in given["FCEventDecoder"].values()] == [
        [keys[2]],
        [keys[0]],
    ]
    again = build_raw(source, out_spec=given, channel_map=channel_map, overwrite=True)
    assert again.tables == report.tables


def test_in_out_name_and_out_stream(source, tmp_path, channel_map):
    spec = {
        "FCEventDecoder": {
            "geds": {
                "key_list": [{"system": "geds"}],
                "out_stream": f"{tmp_path}/{{name}}_{{channel}}.lh5:{{name}}",
                "out_name": "{channel}_{key}",
            }
        }
    }
    report = build_raw(source, out_spec=spec, channel_map=channel_map)
    for name in ("V01", "V02"):
        key = channel_map[name]["daq"]["rawid"]
        out = tmp_path / f"geds_{name}.lh5"
        assert tables_of(report, out) == [f"geds/{name}_{key}"]


def test_a_shared_table(source, tmp_path, channel_map):
    out = tmp_path / "out.lh5"
    spec = spec_of(out, [{"system": ["geds", "spms"]}], "together")
    report = build_raw(source, out_spec=spec, channel_map=channel_map)
    assert report.tables[str(out)]["together"].rows == 9


def test_missing_channels_are_reported(source, tmp_path, channel_map):
    out = tmp_path / "out.lh5"
    channel_map["V77"] = entry("V77", "geds", 77)
    channel_map["V78"] = entry("V78", "geds", 78)
    spec = spec_of(out, [{"system": "geds"}])
    report = build_raw(source, out_spec=spec, channel_map=channel_map)
    assert tables_of(report, out) == ["V01/raw", "V02/raw"]
    told = (
        "FCEventDecoder: the data lack channels of the channel map: V77 (77), V78 (78)"
    )
    assert report.notes == [told]
    report = build_raw(
        source,
        out_spec=spec_of(out, [{"system": "geds"}], "all"),
        channel_map=channel_map,
        overwrite=True,
    )
    assert report.notes == [told]


WRONG = [
    ([{"system": "gedss"}], "has the system 'gedss' \\(did you mean 'geds'\\?\\)"),
    ([{"sytem": "geds"}], "has a field 'sytem' \\(did you mean 'system'\\?\\)"),
    ([{"daq.crat": 1}], "did you mean 'daq.crate'"),
    ([{"name": ["V01", "V03"]}], "has the name 'V03' \\(did you mean 'V0"),
    ([{"system": "geds", "name": "S01"}], "has all of"),
    ([{"daq.crate": True}], "has the daq.crate True"),
    ([{}], "expected fields of the channel map"),
    ({"system": "geds"}, "write \\[{'system': 'geds'}\\]"),
    (["*"], "needs channels, not patterns"),
    ([5], "has no channel with the daq.rawid 5"),
]


@pytest.mark.parametrize(("key_list", "words"), WRONG)
def test_mistakes_in_selections(source, tmp_path, channel_map, key_list, words):
    out = tmp_path / "out.lh5"
    with pytest.raises(ValueError, match=words):
        build_raw(source, out_spec=spec_of(out, key_list), channel_map=channel_map)
    assert not out.exists()


def test_mistakes_in_maps(source, tmp_path, channel_map, keys):
    spec = spec_of(tmp_path / "out.lh5", [{"name": "V*"}])

    def refused(words, **change):
        with pytest.raises((ValueError, TypeError, OSError), match=words):
            build_raw(source, out_spec=copy.deepcopy(spec), channel_map=change["as"])

    refused("expected a dictionary with the fields", **{"as": {"V01": 5}})
    refused(
        "two channels with the name 'S01'",
        **{"as": channel_map | {"V09": entry("S01", "geds", 9)}},
    )
    refused(
        "'V01' and 'V09' have the same daq.rawid",
        **{"as": channel_map | {"V09": entry("V09", "geds", keys[0])}},
    )
    refused("daq.rawid of 'V09' is None", **{"as": channel_map | {"V09": {"daq": {}}}})
    refused(
        "daq.rawid of 'V09' is 'x'",
        **{"as": channel_map | {"V09": entry("V09", "geds", "x")}},
    )
    refused("channel_map is 5", **{"as": 5})
    refused("nowhere.yaml not found", **{"as": "nowhere.yaml"})
    refused("needs a time", **{"as": str(tmp_path)})
    refused("needs a time", **{"as": f"{tmp_path}@2023"})
    refused("channel map .*: no validity", **{"as": f"{tmp_path}@20230311T235840Z"})
    with pytest.raises(ValueError, match="selects channels: give a channel map"):
        build_raw(source, out_spec=spec)
    for other in ("x.lh5", None, RawBufferLibrary()):
        with pytest.raises(ValueError, match="in an output specification"):
            build_raw(source, out_spec=other, channel_map=channel_map)
    with pytest.raises(ValueError, match="keyword 'channel' stands for"):
        build_raw(
            source,
            out_spec=spec_of(
                "x.lh5", [{"name": "V*"}], "{channel}", aliases="a/{channel}"
            ),
            channel_map=channel_map,
            channel="mine",
        )


def test_without_a_map_it_is_a_keyword(source, tmp_path, keys):
    spec = spec_of(tmp_path / "{channel}.lh5", [keys[0]], "events")
    build_raw(source, out_spec=spec, channel="mine")
    assert (tmp_path / "mine.lh5").exists()


def test_files_and_the_command(source, tmp_path, channel_map):
    spec = tmp_path / "spec.json"
    out = tmp_path / "out.lh5"
    spec.write_text(json.dumps(spec_of(out, [{"system": "spms"}])))
    for name, dump in (("map.json", json.dumps), ("map.yaml", yaml.safe_dump)):
        (tmp_path / name).write_text(dump(channel_map))
        args = ["convert", str(source), "-w", "-o", str(spec), "--channel-map"]
        done = CliRunner().invoke(main, [*args, str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        with h5py.File(out) as file:
            assert list(file) == ["S01"]
    done = CliRunner().invoke(main, [*args, "nowhere.yaml"])
    assert done.exit_code == 2
    assert "nowhere.yaml not found" in done.output


def test_skip_existing_sees_a_change(source, tmp_path, channel_map):
    spec, file = tmp_path / "spec.json", tmp_path / "map.json"
    out = tmp_path / "out.lh5"
    buffer = spec_of(out, [{"system": "geds"}], "ch{key}", aliases="{channel}")
    spec.write_text(json.dumps(buffer))
    args = ["convert", str(source), "-o", str(spec), "--channel-map", str(file)]
    for name, skipped in (("V01", False), ("V01", True), ("V09", False)):
        channel_map["V01"]["name"] = name
        file.write_text(json.dumps(channel_map))
        done = CliRunner().invoke(main, [*args, "--skip-existing"])
        assert done.exit_code == 0, done.output
        assert ("up to date" in done.output) == skipped
        with h5py.File(out) as opened:
            assert name in opened


@pytest.fixture
def database(tmp_path, channel_map):
    """A data base as of dbetto, with maps of two times."""
    pytest.importorskip("dbetto")
    folder = tmp_path / "channelmaps"
    folder.mkdir()
    later = copy.deepcopy(channel_map)
    later["V02"]["system"] = "off"
    (folder / "one.yaml").write_text(yaml.safe_dump(channel_map))
    (folder / "two.yaml").write_text(yaml.safe_dump(later))
    validity = [
        {"valid_from": "20230101T000000Z", "category": "all", "apply": ["one.yaml"]},
        {"valid_from": "20230601T000000Z", "category": "all", "apply": ["two.yaml"]},
    ]
    (folder / "validity.yaml").write_text(yaml.safe_dump(validity))
    return folder


@pytest.mark.parametrize(
    ("time", "expected"),
    [("20230311T235840Z", ["V01", "V02"]), ("20240101T000000Z", ["V01"])],
)
def test_data_bases(source, tmp_path, database, time, expected):
    out = tmp_path / "out.lh5"
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(spec_of(out, [{"system": "geds"}])))
    args = ["convert", str(source), "-o", str(spec)]
    done = CliRunner().invoke(main, [*args, "--channel-map", f"{database}@{time}"])
    assert done.exit_code == 0, done.output
    with h5py.File(out) as file:
        assert list(file) == expected


def test_a_time_before_the_data_base(database):
    with pytest.raises(ValueError, match="channel map"):
        load_channel_map(f"{database}@20200101T000000Z")


def test_the_message_names_dbetto_if_it_is_missing(database, monkeypatch):
    monkeypatch.setitem(sys.modules, "dbetto", None)
    with pytest.raises(ModuleNotFoundError, match="pip install dbetto"):
        load_channel_map(f"{database}@20230311T235840Z")


def test_dictionaries_of_dbetto(source, tmp_path, database):
    from dbetto import TextDB

    out = tmp_path / "out.lh5"
    channel_map = TextDB(str(database), lazy=True).on("20230311T235840Z")
    spec = spec_of(out, [{"system": "geds"}])
    report = build_raw(source, out_spec=spec, channel_map=channel_map)
    assert tables_of(report, out) == ["V01/raw", "V02/raw"]


def test_orca(tmp_path):
    source, out = tmp_path / "run.orca", tmp_path / "out.lh5"
    data = orca.make_stream(kinds=("fcio",), n_channels=3, n_samples=30, n_events=3)
    source.write_bytes(data)
    name = "ORFCIOEventDecoder"
    keys = keys_of(source, name, tmp_path / "keys.lh5", ["[0-9]*"])
    channel_map = {
        "V01": entry("V01", "geds", keys[0]),
        "V02": entry("V02", "geds", keys[2]),
        "V03": entry("V03", "geds", 1234567),
    }
    buffer = {"key_list": [{"system": "geds"}], "out_stream": str(out)}
    report = build_raw(
        source, out_spec={name: {"{channel}/raw": buffer}}, channel_map=channel_map
    )
    assert tables_of(report, out) == ["V01/raw", "V02/raw"]
    assert any("V03 (1234567)" in note for note in report.notes)


def test_processing_of_files(source, tmp_path, channel_map):
    """``daq2lh5 process`` takes the map of the conversion."""
    raw, out = tmp_path / "raw.lh5", tmp_path / "windowed.lh5"
    window = {"window": ["waveform", 5, 15, "windowed"]}
    spec = spec_of(raw, [{"system": "geds"}], proc_spec=window)
    (tmp_path / "map.json").write_text(json.dumps(channel_map))
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    given = ["--channel-map", str(tmp_path / "map.json")]
    plain = spec_of(raw, [{"system": "geds"}])
    build_raw(source, out_spec=plain, channel_map=channel_map)
    process = ["process", str(raw), "-s", str(tmp_path / "spec.json"), "-o", str(out)]
    assert CliRunner().invoke(main, process).exit_code == 2
    done = CliRunner().invoke(main, [*process, *given])
    assert done.exit_code == 0, done.output
    with h5py.File(out) as f:
        assert f["V01/raw/windowed/values"].shape == (3, 10)
        assert f["V02/raw/windowed/values"].shape == (3, 10)
