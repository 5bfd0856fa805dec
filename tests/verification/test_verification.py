"""Verification of good outputs, by any specification, and of changed ones."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from kit.writers import compass, fcio

import daq2lh5
from daq2lh5 import build_raw, cli
from daq2lh5.batch.current import existing_outputs
from daq2lh5.conversion.provenance import hash_of_settings
from daq2lh5.conversion.targets import target_of
from daq2lh5.publishing.output_files import REPORT_ATTRIBUTE

SETTINGS = compass.settings([compass.Board()])

WINDOW = {
    "window": ["waveform", 5, 30, "waveform_windowed"],
    "drop": ["waveform"],
    "compression": {"waveform_windowed/values": "RadwareSigcompress(codec_shift=-1)"},
}


def verify(output, *arguments, **options):
    return daq2lh5.verify(output, *arguments, threads=1, **options)


def texts(result) -> str:
    return "\n".join(map(str, result.differences))


def is_good(*arguments, **options) -> bool:
    result = verify(*arguments, **options)
    assert texts(result) == ""
    assert result.unverified == []
    return result.exit_status == 0


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_good_output(output, daq, threads):
    for arguments in ((output,), (output, daq)):
        result = daq2lh5.verify(*arguments, threads=threads)
        assert result.good
        assert result.exit_status == 0
        assert result.tables["FCEvent"] == 90
        assert result.n_bytes > 90 * 100
        assert result.as_dict()["status"] == 0


# ---- restored settings -------------------------------------------------------------


def test_several_outputs_anywhere(daq, tmp_path):
    """Each file is verified alone; files of one name are in different folders."""
    a, b = (str(tmp_path / f / "x.lh5") for f in "ab")
    spec = {
        "FCEventDecoder": {
            "ch{key}/raw": {"key_list": ["*"], "out_stream": a, "proc_spec": WINDOW},
        },
        "FCStatusDecoder": {"s": {"key_list": ["*"], "out_stream": f"{a}:slow"}},
        "*": {"{name}": {"key_list": ["*"], "out_stream": f"{b}:extra"}},
    }
    build_raw(daq, out_spec=spec)
    assert is_good(a, daq)
    assert is_good(b, daq)
    assert len(verify(a, daq).tables) == 4
    moved = tmp_path / "elsewhere.lh5"
    shutil.move(a, moved)
    assert is_good(moved, daq)


def test_tables_of_one_name_in_groups(daq, tmp_path):
    out = tmp_path / "x.lh5"
    table = {"key_list": ["*"], "out_stream": f"{out}:ch{{key}}", "out_name": "raw"}
    build_raw(daq, out_spec={"FCEventDecoder": {"a": table}})
    assert is_good(out, daq)


def test_listed_keys_in_groups_of_one_table_name(daq, tmp_path):
    out = tmp_path / "x.lh5"
    first = verify(out_of(daq, tmp_path / "all.lh5")).tables
    assert first
    with h5py.File(tmp_path / "all.lh5") as file:
        keys = np.unique(file["FCEvent/channel"][:])
    spec = {
        "FCEventDecoder": {
            f"t{i}": {
                "key_list": [1027200 + i],
                "out_stream": f"{out}:g{i}",
                "out_name": "raw",
            }
            for i in range(len(keys))
        }
    }
    build_raw(daq, out_spec=spec)
    assert is_good(out, daq)
    with h5py.File(out, "r+") as file:
        file["g1/raw/baseline"][3] += 1
    assert "g1/raw/baseline, row 3" in texts(verify(out, daq))


def out_of(daq, out, **arguments):
    build_raw(daq, out_spec=out, **arguments)
    return out


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_max": 40},
        {"buffer_size": 16},
        {"extra_columns": True},
        {"hdf5_settings": {"compression": "lzf", "fletcher32": True}},
        {"hdf5_settings": {"chunks": (7,), "maxshape": (None,)}, "n_max": 0},
        {"column_settings": {"waveform/values": {"codec": "radware_sigcompress"}}},
        {"column_settings": {"waveform/values": {"chunks": (5, 10)}}},
        {"hash_input": True},
        {"in_stream_type": "FlashCam", "memory_limit": "16M"},
    ],
)
def test_arguments(daq, tmp_path, arguments):
    assert is_good(out_of(daq, tmp_path / "x.lh5", **arguments), daq)


def test_a_group(daq, tmp_path):
    build_raw(daq, out_spec=f"{tmp_path}/x.lh5:a/b")
    assert is_good(tmp_path / "x.lh5", daq)


def test_lossy_filters_are_applied_again(daq, tmp_path):
    settings = {"runtime": {"scaleoffset": 2, "compression": None}}
    out = out_of(daq, tmp_path / "x.lh5", column_settings=settings)
    with h5py.File(out) as file, h5py.File(out_of(daq, tmp_path / "y.lh5")) as exact:
        assert (file["FCEvent/runtime"][:] != exact["FCEvent/runtime"][:]).any()
    assert is_good(out, daq)


def test_a_settings_file_must_be_given(tmp_path):
    form = compass.form(0xCAED, 2)
    daq = tmp_path / "x.BIN"
    daq.write_bytes(compass.file(form, compass.events(form, n=20, n_samples=30)))
    config = tmp_path / "elsewhere" / "settings.xml"
    config.parent.mkdir()
    out = tmp_path / "x.lh5"
    build_raw(daq, out_spec=out, compass_sampling_period=4.0)
    assert is_good(out, daq)
    with h5py.File(out, "r+") as file:
        report = json.loads(file.attrs[REPORT_ATTRIBUTE])
        report["arguments"]["compass_config_file"] = {"name": "s.xml", "sha256": "0"}
        report["settings"] = hash_of_settings(report)
        file.attrs[REPORT_ATTRIBUTE] = json.dumps(report)
    result = verify(out, daq)
    assert result.exit_status == 1
    assert "compass_config_file" in result.unverified[0]


def test_many_tables_fill_the_report(tmp_path):
    """Parts that are long are compressed, and found again."""
    daq = tmp_path / "x.fcio"
    daq.write_bytes(fcio.make_stream(2, n_channels=400, n_samples=4))
    out = tmp_path / "x.lh5"
    with h5py.File(out_of(daq, tmp_path / "all.lh5", n_max=1)) as file:
        columns = sorted({*file["FCEvent"]} - {"channel"})
        keys = range(1027200, 1027600)
    buffers = {
        f"t{key}": {
            "key_list": [key],
            "out_stream": f"{out}:g{key}",
            "out_name": "raw",
            "proc_spec": {"drop": columns},
        }
        for key in keys
    }
    build_raw(daq, out_spec={"FCEventDecoder": buffers})
    with h5py.File(out) as file:
        assert "packed" in json.loads(file.attrs[REPORT_ATTRIBUTE])
    assert is_good(out, daq)
    assert is_good(out)


# ---- differences -------------------------------------------------------------------


def set_value(name, at, value):
    def how(file):
        file[name][at] = value

    return how


def without_rows(file):
    for name in ("baseline", "channel"):
        file["FCEvent"][name].resize(80, axis=0)


def more_rows(file):
    file["FCEvent/baseline"].resize(95, axis=0)


def other_unit(file):
    file["FCEvent/timestamp"].attrs["units"] = "ns"


def no_description(file):
    del file["FCEvent/timestamp"].attrs["description"]


def other_type(file):
    values = file["FCEvent/baseline"][:].astype("u4")
    attrs = dict(file["FCEvent/baseline"].attrs)
    del file["FCEvent/baseline"]
    file["FCEvent/baseline"] = values
    file["FCEvent/baseline"].attrs.update(attrs)


def without_column(file):
    del file["FCEvent/baseline"]


def without_table(file):
    del file["FCEvent"]


def another_table(file):
    file.copy("FCEvent", "FCEvent2")


def swapped_rows(file):
    values = file["FCEvent/channel"][:]
    file["FCEvent/channel"][:] = np.roll(values, 1)


def other_scalar(file):
    file["FCConfig/nsamples"][()] += 1


def other_descriptions(file):
    file.attrs["daq2lh5_columns"] = "{}"


def other_parent(file):
    file.attrs["datatype"] = "struct{FCEvent}"


CHANGES = [
    (set_value("FCEvent/baseline", 17, 5), "FCEvent/baseline, row 17: stored 5, exp"),
    (
        set_value("FCEvent/waveform/values", (3, 7), 9),
        "waveform/values, row 3: stored 9, expected",
    ),
    (set_value("FCEvent/runtime", 8, np.nan), "FCEvent/runtime, row 8: stored nan"),
    (without_rows, "80 rows, expected 90: 10 rows missing"),
    (more_rows, "95 rows, expected 90: 5 rows more than expected"),
    (other_unit, "attribute units: stored 'ns', expected 's'"),
    (no_description, "attribute description is missing"),
    (other_type, "stored as uint32, expected uint16"),
    (without_column, "FCEvent/baseline: it is missing"),
    (without_table, "FCEvent: it is missing"),
    (another_table, "FCEvent2: is not expected"),
    (swapped_rows, "FCEvent/channel, row 0"),
    (other_scalar, "FCConfig/nsamples, row 0: stored 51, expected 50"),
    (other_descriptions, "descriptions of columns"),
    (other_parent, "file: attribute datatype"),
]


@pytest.mark.parametrize(("how", "text"), CHANGES)
def test_changes_of_the_output(output, daq, change, how, text):
    change(how)
    result = verify(output, daq)
    assert result.exit_status == 3
    assert text in texts(result)


def test_single_values(daq, tmp_path):
    settings = {"waveform/values": {"codec": "uleb128_zigzag_diff"}}
    out = out_of(daq, tmp_path / "x.lh5", column_settings=settings)
    with h5py.File(out, "r+") as file:
        file["FCEvent/waveform/values/decoded_size"][()] = 51
    found = texts(verify(out, daq))
    assert "FCEvent/waveform/values/decoded_size: stored 51, expected 50" in found


def changed_report(file, **changes):
    report = json.loads(file.attrs[REPORT_ATTRIBUTE]) | changes
    file.attrs[REPORT_ATTRIBUTE] = json.dumps(report)


def test_the_report_is_compared(output, daq, change):
    change(lambda f: changed_report(f, input_bytes=1))
    assert "report, input_bytes: stored 1, expected" in texts(verify(output, daq))
    assert "they do not add up" in texts(verify(output))


def test_rows_in_the_report(output, change):
    tables = {"FCEvent": {"rows": 7}, "FCOther": {"rows": 1}}
    change(lambda f: changed_report(f, tables=tables))
    found = texts(verify(output))
    assert "FCEvent: 90 rows, 7 in the report" in found
    assert "FCOther: missing: it is in the report" in found
    assert "FCStatus: is not in the report" in found


def test_changed_settings(output, daq, change):
    change(lambda f: changed_report(f, specification={"group": "a"}))
    result = verify(output, daq)
    assert result.exit_status == 1
    assert "were changed" in result.unverified[0]


def test_another_version(output, daq, change):
    def how(file):
        report = json.loads(file.attrs[REPORT_ATTRIBUTE]) | {"version": "0.0.1"}
        report["settings"] = hash_of_settings(report)
        file.attrs[REPORT_ATTRIBUTE] = json.dumps(report)

    change(how)
    assert is_good(output, daq)
    change(set_value("FCEvent/baseline", 0, 1))
    result = verify(output, daq)
    assert result.exit_status == 3
    assert "version 0.0.1" in result.unverified[0]


def test_an_output_without_a_report(output, daq, change):
    change(lambda f: f.attrs.pop(REPORT_ATTRIBUTE))
    for arguments in ((output,), (output, daq)):
        result = verify(*arguments)
        assert result.exit_status == 1
        assert "the file has none" in result.unverified[0]
    change(without_rows)
    assert verify(output, daq).exit_status == 3


@pytest.mark.parametrize("size", [0, 100, -1])
def test_another_daq_file(output, daq, size):
    data = daq.read_bytes()
    daq.write_bytes(data[:size] if size >= 0 else data + b"12345")
    assert verify(output, daq).exit_status == 3


def test_a_hash_is_compared(daq, tmp_path):
    out = out_of(daq, tmp_path / "x.lh5", hash_input=True)
    with h5py.File(out, "r+") as file:
        report = json.loads(file.attrs[REPORT_ATTRIBUTE])
        report["input"]["sha256"] = "0" * 64
        file.attrs[REPORT_ATTRIBUTE] = json.dumps(report)
    assert "SHA-256" in texts(verify(out, daq))


class TestDamagedInput:
    """The report, and the file with the damaged bytes, must be as of decoding again."""

    @pytest.fixture
    def daq(self, daq):
        data, index = fcio.make_indexed_stream(n_events=30, n_channels=3, n_samples=50)
        at = index[9].offset
        daq.write_bytes(data[:at] + b"\x77" * 9 + data[at:])
        return daq

    def test_good(self, output, daq):
        assert output.with_name("run.lh5.garbage").exists()
        assert is_good(output, daq)
        assert is_good(output)

    def test_the_garbage_file_is_missing(self, output, daq):
        output.with_name("run.lh5.garbage").unlink()
        for arguments in ((output,), (output, daq)):
            assert "run.lh5.garbage is missing" in texts(verify(*arguments))

    def test_the_garbage_file_itself(self, output, daq):
        garbage = output.with_name("run.lh5.garbage")
        for arguments in ((garbage,), (garbage, daq)):
            result = verify(*arguments)
            assert result.differences == []
            assert result.exit_status == 1
            assert f"garbage file of {output};" in result.unverified[0]

    def test_the_garbage_file_differs(self, output, daq):
        with h5py.File(output.with_name("run.lh5.garbage"), "r+") as file:
            file["garbage/packets/flattened_data"][3] ^= 1
        assert "garbage/packets/flattened_data, row 3" in texts(verify(output, daq))


@pytest.mark.parametrize("alone", [True, False])
def test_it_can_be_interrupted(output, daq, alone):
    def interrupt(_streamer):
        raise KeyboardInterrupt

    arguments = (output,) if alone else (output, daq)
    with pytest.raises(KeyboardInterrupt):
        verify(*arguments, progress=interrupt)


@pytest.mark.parametrize("wrong", [{"memory_limit": "1k"}, {"threads": 0}])
def test_wrong_arguments(output, wrong):
    with pytest.raises(ValueError, match="must be at least"):
        daq2lh5.verify(output, **wrong)


def test_files_that_do_not_exist(output, daq, tmp_path):
    for arguments in ((tmp_path / "no.lh5",), (output, tmp_path / "no.fcio")):
        with pytest.raises(FileNotFoundError):
            verify(*arguments)
    assert "HDF5 cannot open it" in texts(verify(daq))


def test_aliases_are_good(daq, tmp_path):
    out = tmp_path / "x.lh5"
    raw = {
        "key_list": ["*"],
        "out_stream": str(out),
        "aliases": ["raw/{key}", "a{key}"],
        "proc_spec": WINDOW,
    }
    build_raw(daq, out_spec={"FCEventDecoder": {"ch{key}/raw": raw}})
    assert is_good(out)
    assert is_good(out, daq)
    with h5py.File(out, "r+") as file:
        name = next(iter(file["raw"]))
        file["raw/more"] = file["raw"][name]
    assert "raw/more: a further name of" in texts(verify(out, daq))


def test_links_are_differences(output, daq, tmp_path):
    shutil.copy(output, tmp_path / "other.lh5")
    with h5py.File(output, "r+") as file:
        file["more"] = file["FCEvent"]
        del file["FCEvent/baseline"]
        file["FCEvent/baseline"] = h5py.ExternalLink("other.lh5", "FCEvent/baseline")
    for arguments in ((output,), (output, daq)):
        found = texts(verify(*arguments))
        assert "FCEvent/baseline: is a link to other.lh5" in found
        assert "more: a further name of FCEvent" in found


class TestSettingsBesideTheData:
    """The settings file of CoMPASS that was found there must be the same."""

    @pytest.fixture
    def daq(self, tmp_path):
        form = compass.form(0xCAED, 2)
        daq = tmp_path / "run.BIN"
        daq.write_bytes(compass.file(form, compass.events(form, n=20, n_samples=30)))
        (tmp_path / "run_settings.xml").write_text(SETTINGS)
        return daq

    @pytest.fixture
    def output(self, daq):
        return out_of(daq, daq.with_name("run.lh5"))

    def test_the_same(self, output, daq):
        assert is_good(output, daq)
        target = target_of(str(output), str(daq), {})
        assert existing_outputs([str(daq)], target, {}).outdated is None

    @pytest.mark.parametrize("state", ["is missing", "has another content"])
    def test_missing_or_changed(self, output, daq, tmp_path, state):
        beside, other = tmp_path / "run_settings.xml", tmp_path / "other.xml"
        beside.rename(other)
        if state != "is missing":
            beside.write_text(SETTINGS.replace("</configuration>", "</configuration >"))
        result = verify(output, daq)
        assert result.exit_status == 1
        assert f"settings file run_settings.xml beside the data, which {state}" in (
            "\n".join(result.unverified)
        )
        assert is_good(output, daq, compass_config_file=str(other))
        target = target_of(str(output), str(daq), {})
        found = existing_outputs([str(daq)], target, {})
        assert "the settings file beside the input has changed" in found.outdated

    def test_a_new_one(self, daq, tmp_path):
        (tmp_path / "run_settings.xml").unlink()
        out = out_of(daq, tmp_path / "x.lh5")
        assert is_good(out, daq)
        (tmp_path / "run_settings.xml").write_text(SETTINGS)
        result = verify(out, daq)
        assert result.exit_status == 1
        assert "without a settings file" in result.unverified[0]


def test_joined_files_in_any_order(tmp_path):
    names = [tmp_path / f"r_{n}.fcio" for n in (1, 2, 10)]
    for n, name in enumerate(names, 4):
        name.write_bytes(fcio.make_stream(n, n_channels=3, n_samples=50))
    out = tmp_path / "x.lh5"
    build_raw(names, out_spec=out)
    assert is_good(out, [names[0], names[2], names[1]])
    for given in (str(tmp_path), f"@{tmp_path / 'list'}"):
        (tmp_path / "list").write_text("\n".join(map(str, sorted(names))))
        done = CliRunner().invoke(cli.main, ["verify", str(out), given])
        assert done.exit_code == 0, done.output


CRAFTED = {
    "threads": ({"arguments": {"threads": 3}}, "arguments that change no output"),
    "a file": (
        {"arguments": {"compass_config_file": "/etc/passwd"}},
        "compass_config_file=a file: give",
    ),
    "keys": (
        {"specification": {"FCEventDecoder": [{"tables": {"a": [[1, 10**12]]}}]}},
        "more than 1048576 keys",
    ),
    "processing": (
        {
            "specification": {
                "FCEventDecoder": [{"tables": {"a": [1]}, "proc_spec": "/etc/passwd"}]
            }
        },
        "specification in its report is damaged: proc_spec is",
    ),
    "entries": ({"specification": {"FCEventDecoder": [5]}}, "report is damaged"),
    "tables": ({"specification": {"FCEventDecoder": [{}]}}, "report is damaged"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_settings(output, daq, name):
    """Their hash is right."""
    change, words = CRAFTED[name]
    with h5py.File(output, "r+") as file:
        report = json.loads(file.attrs[REPORT_ATTRIBUTE]) | change
        report["settings"] = hash_of_settings(report)
        file.attrs[REPORT_ATTRIBUTE] = json.dumps(report)
    result = verify(output, daq)
    assert result.exit_status == 1
    assert words in "\n".join(result.unverified)


@pytest.mark.parametrize(
    "lossy",
    [{"scaleoffset": 3, "compression": None}, {"compression": "hdf5plugin.SZ3()"}],
)
def test_lossy_filters_do_not_change_lengths_and_encoded_waveforms(
    daq, tmp_path, lossy
):
    made = []
    for settings in ({}, lossy):
        out = tmp_path / f"{len(made)}.lh5"
        table = {"key_list": ["*"], "out_stream": str(out), "proc_spec": WINDOW}
        others = {"key_list": ["*"], "out_stream": str(out)}
        spec = {"FCEventDecoder": {"raw": table}, "*": {"{name}": others}}
        build_raw(daq, out_spec=spec, hdf5_settings=settings)
        with h5py.File(out) as file:
            exact = {}

            def look(name, node, exact=exact):
                if "cumulative_length" in name or "encoded_data/" in name:
                    exact[name] = node[()].tobytes()

            file.visititems(look)
        made.append(exact)
    assert len(made[0]) >= 2
    assert made[0] == made[1]
    if "scaleoffset" in lossy:
        assert is_good(out, daq)


def test_broken_lengths_with_the_daq_file(daq, tmp_path):
    """Also if the expected lengths, after a lossy filter, are the same."""
    out = tmp_path / "x.lh5"
    table = {"key_list": ["*"], "out_stream": str(out), "proc_spec": WINDOW}
    build_raw(daq, out_spec={"FCEventDecoder": {"raw": table}})
    place = "raw/waveform_windowed/values/encoded_data/cumulative_length"
    with h5py.File(out, "r+") as file:
        ends = file[place][:]
        attrs = dict(file[place].attrs)
        ends[3] = 0
        del file[place]
        node = file.create_dataset(
            place, data=ends, maxshape=(None,), chunks=(128,), scaleoffset=1
        )
        node.attrs.update(attrs)
    assert verify(out, daq).exit_status == 3
