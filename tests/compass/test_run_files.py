"""Files of one run: names, layouts from other files, channels without events.

"Format N" means section N of the CoMPASS format.
"""

from __future__ import annotations

import gzip
import json
import math
import struct
import time
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.decoding.compass import check, decode, differences
from kit.reference import compass as reference
from kit.writers import compass as writer

import daq2lh5
from daq2lh5.cli import main
from daq2lh5.compass.run_files import RunFile, is_name_of_compass
from daq2lh5.errors import DecodeError

if TYPE_CHECKING:
    from pathlib import Path

FORM = writer.form(0xCAED)
OLD = writer.form(0xCAED, 1)
GOOD = "DataR_CH0@DT5730S_2263_run_1.BIN"
OTHER = "DataR_CH1@DT5730S_2263_run_1.BIN"


def put(path: Path, form: writer.Form, n: int, **options: Any) -> Path:
    """Write a file with a number of records."""
    header = options.pop("header", None)
    options.setdefault("channels", [(0, 0)])
    path.write_bytes(writer.file(form, writer.events(form, n, **options), header))
    return path


def columns_of(path: Path, table: str = "CompassEvent") -> dict[str, Any]:
    """Return types, shapes of rows and attributes of all columns of a table."""
    found = {}
    with h5py.File(path) as f:

        def add(name: str, item: Any) -> None:
            facts = dict(item.attrs)
            if isinstance(item, h5py.Dataset):
                facts |= {"dtype": item.dtype, "shape": item.shape[1:]}
                found[f"{name} rows"] = item.shape[0] if item.shape else None
            found[name] = facts

        f[table].visititems(add)
        found[""] = dict(f[table].attrs)
    return found


# --- names (format 1) --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (GOOD, ("run_1", 0, "DT5730S", "2263")),
        ("a/SDataF_CH12@V1725_7_x.BIN.gz", ("x", 12, "V1725", "7")),
        ("Data_CH1@DT5781A_793_a_b_2.bin", ("a_b_2", 1, "DT5781A", "793")),
        ("DataR_CH3@V1730_9.BIN", ("", 3, "V1730", "9")),
        ("a7_DataR_CH3@V1730_9_x.BIN", ("a7_x", 3, "V1730", "9")),
        ("2021-01-01 ch3@v1730_9_x.bin", ("2021-01-01 x", 3, "v1730", "9")),
        ("epoCH3@V1730_9_x.BIN", ("epoCH3@V1730_9_x", None, None, None)),
        ("DataR_run_1.BIN", ("DataR_run_1", None, None, None)),
        ("run.BIN", ("run", None, None, None)),
        ("-", ("-", None, None, None)),
    ],
)
def test_what_names_say(name, wanted):
    file = RunFile.of(name)
    assert (file.run, file.channel, file.model, file.serial) == wanted
    named = name.split("/")[-1].startswith(("Data", "SData"))
    assert is_name_of_compass(name) is named


MODELS = {
    "DT5730S": 2,
    "DT5790": 4,
    "V1725SB": 4,
    "VX2730": 2,
    "DT5781A": 10,
    "VX2745": 8,
    "V1740D": 16,
    "dt5730s": 2,
    "DT-5730": 2,
    "DT5751": math.nan,
    "DT5743": math.nan,
    "X99": math.nan,
}


@pytest.mark.parametrize(("model", "dt"), MODELS.items())
def test_period_of_the_model_in_the_name(model, dt, tmp_path):
    """The model in the name gives the period as a last resort, with a note."""
    path = put(tmp_path / f"DataR_CH0@{model}_1463_run_1.BIN", FORM, 20)
    decoded = decode(path)
    found = [float(row["dt"]) for row in decoded.rows]
    assert np.array_equal(found, [dt] * 20, equal_nan=True)
    notes = [note for note in decoded.report.notes if "dt" in note]
    assert len(notes) == 1
    assert model in notes[0] or model == "X99"
    assert ("NaN" in notes[0]) == math.isnan(dt)


def test_what_counts_before_the_name(tmp_path):
    """The settings come first, then the user's argument, then the name."""
    path = put(tmp_path / GOOD, FORM, 20, channels=[(0, 0), (1, 0)])
    (tmp_path / "settings.xml").write_text(
        writer.settings([writer.Board(period_ps=8000)])
    )
    decoded = decode(path)
    assert {(r["board"], r["dt"]) for r in decoded.rows} == {(0, 8), (1, 2)}
    assert any("name of the file" in note for note in decoded.report.notes)
    with daq2lh5.open_stream(str(path), compass_sampling_period=5) as (streamer, _):
        (rb,) = next(iter(streamer))
        assert set(rb.lgdo["waveform"].dt.nda[: rb.loc]) == {8, 5}
        assert not any("name of the file" in note for note in streamer.report.notes)


# --- settings that cannot be understood (format 4) ---------------------------------


@pytest.mark.parametrize("model", ["V1742", "DT5743", "V1731", "V1751"])
def test_periods_that_can_be_set_are_not_guessed(model, tmp_path):
    path = put(tmp_path / "run.BIN", FORM, 5)
    (tmp_path / "settings.xml").write_text(
        writer.settings([writer.Board(model=model, period_ps=None)])
    )
    decoded = decode(path)
    assert math.isnan(decoded.rows[0]["dt"])
    assert any(f"{model} is adjustable" in note for note in decoded.report.notes)


@pytest.mark.parametrize(
    ("text", "t0", "note"),
    [
        ("20.0", -20, None),
        ("abc", math.nan, "'abc', is not a number"),
        (None, 0, "is 0"),
    ],
)
def test_pre_trigger(text, t0, note, tmp_path):
    """A setting that is not a number gives NaN and a note."""
    path = put(tmp_path / "run.BIN", FORM, 5)
    (tmp_path / "settings.xml").write_text(
        writer.settings([writer.Board(pre_trigger_ns=text)])
    )
    decoded = decode(path)
    assert np.array_equal([r["t0"] for r in decoded.rows], [t0] * 5, equal_nan=True)
    notes = [n for n in decoded.report.notes if "pre-trigger" in n]
    assert len(notes) == (note is not None)
    assert note is None or note in notes[0]


def test_other_settings_that_make_no_sense(tmp_path):
    path = put(tmp_path / "run.BIN", FORM, 5)
    text = writer.settings([writer.Board(period_ps="abc")])
    text = text.replace("<index>1</index>", "<index>one</index>")
    (tmp_path / "settings.xml").write_text(text)
    notes = " ".join(decode(path).report.notes)
    assert "sampleTime, 'abc', is not a time" in notes
    assert "'one' is not a channel number" in notes


def test_channels_that_the_settings_lack(tmp_path):
    """They have rows, and a limited number of notes of each kind."""
    channels = [(0, 0), (0, 1), *((b, 3) for b in range(1, 400))]
    data = writer.file(FORM, writer.events(FORM, 900, channels=channels))
    (tmp_path / "settings.xml").write_text(writer.settings([writer.Board()]))
    decoded = check(tmp_path / "run.BIN", data)
    notes = decoded.report.notes
    assert "board 0, channel 1: not enabled in the settings" in notes
    assert sum("no board" in note for note in notes) == 8
    assert sum("more of the kind" in note for note in notes) == 1
    assert decoded.report.bytes["skipped"] == 0


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_nothing_is_skipped(data, tmp_path_factory):
    """Without a specification every row is written, with any settings."""
    folder = tmp_path_factory.mktemp("any")
    form = writer.form(data.draw(st.sampled_from(writer.HEADER_WORDS)))
    numbers = st.integers(0, 12) | st.integers(0, 65535)
    channels = data.draw(
        st.lists(st.tuples(numbers, st.integers(0, 255)), min_size=1, max_size=5)
    )
    n_samples = data.draw(st.lists(st.sampled_from([0, 5, 30]), min_size=1, max_size=3))
    made = writer.events(
        form, data.draw(st.integers(0, 40)), channels=channels, n_samples=n_samples
    )
    texts = st.none() | st.sampled_from(["8.0", "60.0", "abc", "-5", "nan", "1e300"])
    boards = [
        writer.Board(
            model=data.draw(st.sampled_from([None, "DT5730", "V1743", "?"])),
            period_ps=data.draw(texts),
            record_ns=data.draw(texts),
            pre_trigger_ns=data.draw(texts),
            firmware=data.draw(st.sampled_from([None, "DPP_PHA", "DPP_PSD"])),
            enabled_by_default=data.draw(st.booleans()),
            channels={
                c: {"SRV_PARAM_CH_ENABLED": data.draw(st.sampled_from(["true", None]))}
                for c in data.draw(st.sets(st.integers(0, 20), max_size=4))
            },
        )
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    (folder / "settings.xml").write_text(writer.settings(boards))
    decoded = check(folder / "run.BIN", writer.file(form, made))
    report = decoded.report
    assert report.packets["skipped"] == report.bytes["skipped"] == 0
    assert report.skipped_channels == {}
    missing = {board for board, _ in channels[: len(made)]} - {*range(len(boards))}
    told = [n for n in report.notes if "settings have no board" in n]
    assert len(told) == len(missing)


# --- boards (format 2) -------------------------------------------------------------


def test_case_of_board_334(tmp_path):
    """List mode with energies and the short gate's charge, of board 334."""
    form = writer.form(0xCAE5)
    channels = [(334, 0), (334, 7)]
    data = writer.file(form, writer.events(form, 100, channels=channels))
    decoded = check(tmp_path / "run_334.BIN", data)
    assert {row["board"] for row in decoded.rows} == {334}
    out = tmp_path / "out.lh5"
    spec = {"*": {"ch{key}": {"key_list": ["*"], "out_stream": str(out)}}}
    daq2lh5.build_raw(tmp_path / "run_334.BIN", out_spec=spec)
    with h5py.File(out) as f:
        assert {f"ch{334 << 9}", f"ch{334 << 9 | 7}"} <= set(f)


@pytest.mark.parametrize("version", [2, 1])
@pytest.mark.parametrize("n_samples", [0, 20])
def test_high_boards_without_header(version, n_samples, tmp_path):
    form = writer.form(0xCAED, version)
    channels = [(1000, 0), (65535, 3)]
    made = writer.events(form, 40, channels=channels, n_samples=n_samples)
    data = writer.file(form, made, header=False)
    path = tmp_path / "run.BIN"
    check(path, data, form.name)
    assert daq2lh5.get_streamer(str(path)).format_name == "Compass"


def test_first_board_reads_like_a_header_word(tmp_path):
    """In a file without a header, the records determine the layout."""
    made = writer.events(OLD, 40, channels=[(0xCAED, 0), (0, 1)])
    check(tmp_path / "run.BIN", writer.file(OLD, made), OLD.name)


def test_high_boards_behind_damage(tmp_path):
    made = writer.events(FORM, 40, channels=[(700, 0), (3, 1)])
    data = writer.file(FORM, made)
    wanted = reference.read_records(data)
    path = tmp_path / "run.BIN"
    path.write_bytes(data[:2] + b"\xff" * 333 + data[2:])
    decoded = decode(path)
    assert differences(decoded.rows, wanted) == []
    assert decoded.report.bytes["corrupt"] == 333


def test_more_channels_than_there_can_be(tmp_path):
    """Time and memory are bounded."""
    form = writer.form(0xCAE1)
    many = [writer.Event(i >> 3, i & 7, 1000 + i) for i in range(70_000)]
    path = tmp_path / "run.BIN"
    path.write_bytes(writer.file(form, many))
    began = time.monotonic()
    decoded = daq2lh5.build_raw(path, out_spec=str(tmp_path / "o.lh5"))
    assert time.monotonic() - began < 60
    assert decoded.packets["decoded"] == 65536
    assert "more than 65536 channels" in decoded.damage[0].reason


# --- too few records to determine the layout (format 3) ----------------------------


@pytest.mark.parametrize("named", [GOOD, "run.BIN"])
def test_single_record_that_nothing_tells_of(named, tmp_path):
    path = put(tmp_path / named, OLD, 1)
    with pytest.raises(DecodeError, match="a single record fits") as caught:
        decode(path)
    for word in (
        "compass_config_file",
        "compass_layout",
        "another file of the same run",
    ):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", [FORM, OLD], ids=lambda f: f.name)
def test_other_files_of_the_run_tell_the_layout(form, tmp_path):
    """Other channels of the run are used; other runs are not."""
    single = put(tmp_path / OTHER, form, 1, header=False, channels=[(0, 1)])
    put(tmp_path / "DataR_CH0@DT5730S_2263_run_2.BIN", writer.form(0xCAE1), 20)
    with pytest.raises(DecodeError):
        decode(single)
    put(tmp_path / GOOD, form, 20)
    decoded = decode(single)
    wanted = reference.read_records(single.read_bytes(), form.name)
    assert differences(decoded.rows, wanted) == []
    assert any(GOOD in note and form.name in note for note in decoded.report.notes)
    assert decoded.report.exit_status == 0


def test_layout_of_a_file_that_does_not_fit(tmp_path):
    """Its layout is not used."""
    single = put(tmp_path / OTHER, OLD, 1)
    put(tmp_path / GOOD, writer.form(0xCAE2), 20)
    with pytest.raises(DecodeError, match="compass_layout"):
        decode(single)


def test_first_part_of_a_run(tmp_path):
    """Further parts have no header."""
    put(tmp_path / "DataR_run.BIN", FORM, 20)
    part = put(tmp_path / "DataR_run_1.BIN", FORM, 1, header=False)
    assert len(decode(part).rows) == 1


def test_layout_of_any_file_of_the_run(tmp_path):
    """The user may name a file without a header, too."""
    single = put(tmp_path / "a.BIN", OLD, 1)
    other = put(tmp_path / "b.BIN", OLD, 20)
    decoded = decode(single, layout=str(other))
    wanted = reference.read_records(single.read_bytes(), OLD.name)
    assert differences(decoded.rows, wanted) == []
    with pytest.raises(ValueError, match="the layout of its records is in doubt"):
        decode(other, layout=str(single))


def test_not_recognized_without_header(tmp_path):
    """The message names the possible format."""
    path = put(tmp_path / "run.dat", OLD, 20)
    with pytest.raises(RuntimeError, match=r"not recognized.*-t Compass"):
        daq2lh5.get_streamer(str(path))


# --- channels without events (format 10) -------------------------------------------


@pytest.mark.parametrize("content", [b"", struct.pack("<H", FORM.word)], ids=len)
@pytest.mark.parametrize("packed", [False, True])
def test_channel_without_events(content, packed, tmp_path):
    """Its table has no rows, and the columns of the other files."""
    good = put(tmp_path / GOOD, FORM, 20)
    empty = tmp_path / (OTHER + ".gz" * packed)
    empty.write_bytes(gzip.compress(content) if packed else content)
    files = {}
    for path in (good, empty):
        files[path] = tmp_path / f"{path.name}.lh5"
        report = daq2lh5.build_raw(path, out_spec=str(files[path]))
        assert report.exit_status == 0
        assert report.packets["skipped"] == 0
    assert report.n_bytes == len(content)
    assert any(GOOD in note for note in report.notes)
    wanted, found = columns_of(files[good]), columns_of(files[empty])
    assert {k for k in wanted if k.endswith(" rows")} == {
        k for k in found if k.endswith(" rows")
    }
    for name, value in found.items():
        if name.endswith(" rows"):
            assert value == 0, name
        else:
            assert value == wanted[name]
    header = columns_of(files[empty], "CompassHeader")
    assert set(header) == set(columns_of(files[good], "CompassHeader"))
    with h5py.File(files[empty]) as f:
        assert f["CompassHeader/header_present"][()] == bool(content)
        assert f["CompassHeader/waveform_samples"][()] == 1
        assert f["CompassHeader/boards/0/wf_len"][()] == 30


def test_command_line(tmp_path):
    """A whole folder as CoMPASS writes it is converted."""
    put(tmp_path / GOOD, FORM, 20)
    (tmp_path / OTHER).write_bytes(struct.pack("<H", FORM.word))
    (tmp_path / OTHER.replace("CH1", "CH2")).write_bytes(b"")
    names = sorted(map(str, tmp_path.glob("*.BIN")))
    for options in (["-t", "Compass"], []):
        out = tmp_path / f"out{len(options)}"
        arguments = ["convert", *options, "-o", f"{out}/", *names]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        for path in sorted(out.glob("*.lh5")):
            with h5py.File(path) as f:
                n = 20 if "CH0" in path.name else 0
                assert len(f["CompassEvent/energy"]) == n
                assert f["CompassEvent/waveform/values"].shape == (n, 30)


def test_tables_by_channel(tmp_path):
    """Only the file's channel has a table; the settings determine the board."""
    on = {i: {"SRV_PARAM_CH_ENABLED": "true"} for i in range(4)}
    text = writer.settings([writer.Board(channels=on), writer.Board(channels=on)])
    first, second = text.split("</board>", 1)
    second = second.replace(
        "<modelName>", "<serialNumber>2263</serialNumber><modelName>"
    )
    (tmp_path / "settings.xml").write_text(f"{first}</board>{second}")
    out = tmp_path / "out.lh5"
    spec = {
        "CompassEventDecoder": {"ch{key}": {"key_list": ["*"], "out_stream": str(out)}}
    }
    for name, key in ((OTHER, 513), (OTHER.replace("CH1", "CH9"), 521)):
        (tmp_path / name).write_bytes(b"")
        report = daq2lh5.build_raw(tmp_path / name, out_spec=spec, overwrite=True)
        assert report.exit_status == 0
        with h5py.File(out) as f:
            assert list(f) == [f"ch{key}"]
            assert f[f"ch{key}/waveform/values"].shape == (0, 30)


@pytest.mark.parametrize("content", [b"", struct.pack("<H", FORM.word)], ids=len)
def test_nothing_tells_of_the_table(content, tmp_path):
    """Unknown values are NaN, unknown lengths 0."""
    path = tmp_path / GOOD
    path.write_bytes(content)
    report = daq2lh5.build_raw(path, out_spec=str(tmp_path / "o.lh5"))
    assert report.exit_status == 0
    with h5py.File(tmp_path / "o.lh5") as f:
        assert len(f["CompassEvent/energy"]) == 0
        assert ("waveform" in f["CompassEvent"]) is bool(content)
        assert math.isnan(f["CompassHeader/boards/0/wf_len"][()])
        if content:
            assert f["CompassEvent/waveform/values"].shape == (0, 0)
        else:
            assert math.isnan(f["CompassHeader/energy_short"][()])
            assert any(
                "layout of its records is unknown" in note for note in report.notes
            )


def test_empty_file_of_all_channels(tmp_path):
    """A run without any content is an error."""
    path = tmp_path / "run.BIN"
    path.write_bytes(b"")
    with pytest.raises(RuntimeError, match="is empty"):
        daq2lh5.build_raw(path)
    with pytest.raises(DecodeError, match=r"is empty.*settings"):
        daq2lh5.build_raw(path, in_stream_type="Compass")
    (tmp_path / "run_settings.xml").write_text(writer.settings([writer.Board()]))
    out = str(tmp_path / "o.lh5")
    report = daq2lh5.build_raw(path, in_stream_type="Compass", out_spec=out)
    assert report.exit_status == 0


def test_processed_tables(tmp_path):
    """Tables without rows are processed by the specification, too."""
    put(tmp_path / GOOD, FORM, 20)
    (tmp_path / OTHER).write_bytes(b"")
    out = tmp_path / "out.lh5"
    window = {"waveform": ["waveform_windowed", 5, -5]}
    buffer = {
        "key_list": ["*"],
        "out_stream": str(out),
        "proc_spec": {"window": window["waveform"], "suffix": "", "waveform": window},
    }
    buffer["proc_spec"] = {"window": ["waveform", 5, -5, "waveform_windowed"]}
    spec = {"CompassEventDecoder": {"all": buffer}}
    report = daq2lh5.build_raw(tmp_path / OTHER, out_spec=json.loads(json.dumps(spec)))
    assert report.exit_status == 0
    with h5py.File(out) as f:
        assert f["all/waveform_windowed/values"].shape == (0, 20)
