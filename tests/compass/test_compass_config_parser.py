"""Settings files of CoMPASS, and the values taken from them.

"Format N" means section N of the CoMPASS format.
"""

from __future__ import annotations

import gzip
import math
from typing import TYPE_CHECKING

import h5py
import lgdo
import numpy as np
import pytest
from kit.decoding.compass import check, decode
from kit.generators.compass import REAL, REAL_SETTINGS, real_files
from kit.writers import compass as writer

import daq2lh5
from daq2lh5.compass import compass_config_parser as parser
from daq2lh5.compass.compass_config_parser import (
    compass_config_to_struct,
    read_settings,
    sampling_period_ns,
)
from daq2lh5.compass.compass_event_decoder import CompassEventDecoder, get_bc
from daq2lh5.compass.compass_header_decoder import CompassHeaderDecoder
from daq2lh5.compass.compass_streamer import CompassStreamer
from daq2lh5.errors import DecodeError

if TYPE_CHECKING:
    from daq2lh5.raw_buffer import RawBuffer

FORM = writer.form(0xCAED)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "run.BIN"
    path.write_bytes(writer.file(FORM, writer.events(FORM, 20)))
    return path


@pytest.fixture
def write(tmp_path):
    """Write a settings file of some boards; return its name."""

    def write(*boards: writer.Board, **options: str | None) -> str:
        path = tmp_path / "other name.xml"
        path.write_text(writer.settings(boards, **options))
        return str(path)

    return write


# --- models (format 4.1) -----------------------------------------------------------

PERIODS = {
    4.0: "V1720 VX1720 DT5720 N6720 V1725 V1725S DT5725 DT5725S DT5725SB N6725",
    2.0: "V1721 V1730 V1730S DT5730 DT5730S DT5730B DT5730SB N6730 V1731 V2730 DT2730",
    10.0: "V1724 VX1724 DT5724 N6724 DT5780 V1782 DT5781 V1781 DT5724F",
    16.0: "V1740 V1740D DT5740 DT5740D N6740",
    0.2: "V1742 DT5742",
    0.3125: "V1743 DT5743 N6743",
    1.0: "V1751 DT5751 N6751 VX2751",
    0.25: "V1761 DT5761 N6761",
    8.0: "V2740 VX2740 DT2740 V2745 VX2745 DT2745",
}


@pytest.mark.parametrize(("period", "models"), PERIODS.items())
def test_every_model(period, models):
    for model in models.split():
        assert sampling_period_ns(model) == period, model
        assert sampling_period_ns(f"CAEN {model}") == period, model


@pytest.mark.parametrize(
    "model", ["", None, "X1730", "DT5799", "V17", "A5202", "DT57300"]
)
def test_other_models(model):
    assert math.isnan(sampling_period_ns(model))


@pytest.mark.parametrize(
    ("model", "sample_time", "dt"),
    [
        ("DT5730", 2000, 2),
        ("DT5742", 1000, 1),
        ("DT5743", 312.5, 0.3125),
        ("unknown", 500, 0.5),
        ("DT5725SB", None, 4),
        ("DT5730", "abc", 2),
        ("DT5730", 0, 2),
        ("unknown", None, math.nan),
        (None, None, math.nan),
    ],
)
def test_sampling_period(model, sample_time, dt, file, write):
    """From the file, else from the model, else NaN and a note: never an error."""
    config = write(writer.Board(model=model, period_ps=sample_time))
    decoded = decode(file, config=config)
    found = {float(row["dt"]) for row in decoded.rows}
    assert np.array_equal(list(found)[:1], [np.float32(dt)], equal_nan=True)
    unknown = [n for n in decoded.report.notes if "sampling period" in n]
    assert bool(unknown) == math.isnan(dt)
    header = decoded.streamer.header["boards"]["0"]
    rate = header["sample_rate"].value
    assert np.array_equal([rate], [1 / dt], equal_nan=True)


@pytest.mark.parametrize(
    ("model", "sample_time", "dt"),
    [("DT5730", 2000, 2), ("DT5730", None, 8), ("unknown", None, 8), (None, 0, 8)],
)
def test_sampling_period_of_the_user(model, sample_time, dt, file, write):
    """The settings have precedence, the period of the model comes last (format 4.1)."""
    config = write(writer.Board(model=model, period_ps=sample_time))
    kwargs = {"compass_config_file": config, "compass_sampling_period": 8}
    with daq2lh5.open_stream(str(file), **kwargs) as (streamer, _):
        found = {float(x) for c in streamer for rb in c for x in times_of(rb)}
        assert streamer.header["boards"]["0"]["sample_rate"].value == 1 / dt
        assert not any("sampling period" in note for note in streamer.report.notes)
    assert found == {dt}


def times_of(rb: RawBuffer) -> np.ndarray:
    return rb.lgdo["waveform"].dt.nda[: rb.loc]


def test_sampling_period_without_settings(tmp_path):
    """All boards of the file have it."""
    path = tmp_path / "run.BIN"
    made = writer.events(FORM, 40, channels=[(0, 0), (1, 9), (7, 3)])
    path.write_bytes(writer.file(FORM, made))
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(path, out_spec=str(out), compass_sampling_period=0.5)
    with h5py.File(out) as f:
        assert set(f["CompassEvent/waveform/dt"][:]) == {0.5}


@pytest.mark.parametrize("period", [0, -1, math.nan, math.inf, "2"])
def test_sampling_period_that_is_none(period, file, tmp_path):
    with pytest.raises(ValueError, match="compass_sampling_period"):
        daq2lh5.build_raw(
            file,
            out_spec=str(tmp_path / "out.lh5"),
            compass_sampling_period=period,
        )


# --- boards and channels (format 4, 5.3) ------------------------------------------


def test_times_are_those_of_each_board_and_channel(tmp_path, write):
    """`t0` has the pre-trigger of channel or board; NaN if it is not a number."""
    channels = [(0, 0), (0, 1), (1, 0), (1, 2)]
    on = {"SRV_PARAM_CH_ENABLED": "true"}
    config = write(
        writer.Board(channels={0: on | {"SRV_PARAM_CH_PRETRG": "8.0"}, 1: on}),
        writer.Board(
            model="V1725", period_ps=None, pre_trigger_ns="abc", channels={0: on}
        ),
    )
    made = writer.events(FORM, 40, channels=channels)
    decoded = check(tmp_path / "r.BIN", writer.file(FORM, made), config=config)
    times = {(r["board"], r["channel"]): (r["dt"], r["t0"]) for r in decoded.rows}
    unknown = [times.pop((1, channel)) for channel in (0, 2)]
    assert times == {(0, 0): (2, -8), (0, 1): (2, -20)}
    # that board's pre-trigger is not a number
    assert np.array_equal(unknown, [(4, math.nan)] * 2, equal_nan=True)


@pytest.mark.parametrize("by_default", [False, True])
@pytest.mark.parametrize("n_boards", [1, 2, 5])
def test_channels_of_the_header(by_default, n_boards, write):
    """Channels have their own setting, otherwise the default of their board."""
    channels: dict[int, dict[str, str | None]] = {
        0: {},
        1: {"SRV_PARAM_CH_ENABLED": "true"},
        2: {"SRV_PARAM_CH_ENABLED": "false", "SRV_PARAM_CH_POLARITY": "x"},
        3: {"SRV_PARAM_CH_POLARITY": "x", "SRV_PARAM_CH_PRETRG": None},
    }
    board = writer.Board(enabled_by_default=by_default, channels=channels)
    config = compass_config_to_struct(write(*[board] * n_boards))
    assert list(config["boards"]) == [str(i) for i in range(n_boards)]
    for content in config["boards"].values():
        found = {
            name: {k: v.value for k, v in channel.items()}
            for name, channel in content["channels"].items()
        }
        wanted = {"1": {"SRV_PARAM_CH_ENABLED": "true"}}
        if by_default:
            wanted |= {
                "0": {},
                # an entry without a value has the board's
                "3": {"SRV_PARAM_CH_POLARITY": "x", "SRV_PARAM_CH_PRETRG": "20.0"},
            }
        assert found == wanted
        assert content["adcBitCount"].value == "14"
        assert content["wf_len"].value == 30.0


def test_settings_never_filter(tmp_path, write):
    """Channels and boards that they lack are decoded, with a note."""
    channels = [(0, 0), (0, 7), (1, 0), (6, 40)]
    data = writer.file(FORM, writer.events(FORM, 40, channels=channels))
    decoded = check(tmp_path / "r.BIN", data, config=write(writer.Board()))
    assert any("no board 6" in note for note in decoded.report.notes)
    found = {(r["board"], r["channel"]): r["dt"] for r in decoded.rows}
    assert found[0, 7] == 2
    assert np.isnan(found[6, 40])


@pytest.mark.parametrize("record", [None, "abc", 58.0, 1e9, -5])
def test_length_of_waveforms_is_that_of_the_records(record, file, write):
    """Whatever the settings say; if it is another one there is a note."""
    decoded = decode(file, config=write(writer.Board(record_ns=record)))
    assert {len(row["samples"]) for row in decoded.rows} == {30}
    assert decoded.tables == {"CompassEvent": 20}
    told = any("the settings say" in note for note in decoded.report.notes)
    assert told == (record in (58.0, 1e9))
    assert decoded.report.exit_status == 0


def test_struct_without_settings():
    config = compass_config_to_struct(wf_len=77)
    assert isinstance(config, lgdo.Struct)
    assert list(config["boards"]) == ["0", "1"]
    for board in config["boards"].values():
        assert board["wf_len"].value == 77.0
        assert math.isnan(board["modelName"].value)
        assert list(board["channels"]) == [str(i) for i in range(8)]
    with pytest.raises(RuntimeError, match="wf_len"):
        compass_config_to_struct()
    assert parser.DT5730_sample_freq == 0.5
    assert parser.DT5725_sample_freq == 0.25


def test_keys_are_those_of_the_settings(file, write):
    """Also of channels without records; the keys of all are unique."""
    on = {i: {"SRV_PARAM_CH_ENABLED": "true"} for i in range(64)}
    streamer = CompassStreamer(write(*[writer.Board(channels=on)] * 3))
    streamer.extra_columns = True
    streamer.open_stream(str(file))
    streamer.close_stream()
    (keys,) = streamer.event_decoder.get_key_lists()
    assert keys == [get_bc(b, c) for b in range(3) for c in range(64)]
    assert get_bc(1, 0) == 512
    assert get_bc(0, 16) == 16


def test_decoder_takes_times_from_the_header_alone(write):
    config = write(writer.Board(channels={3: {"SRV_PARAM_CH_ENABLED": "true"}}))
    header = compass_config_to_struct(config)
    header.add_field("waveform_samples", lgdo.Scalar(1))
    decoder = CompassEventDecoder(header)
    assert decoder.decoded_values[3]["waveform"]["dt"] == 2
    assert decoder.decoded_values[3]["waveform"]["wf_len"] == 30
    assert decoder.make_lgdo(key=3, size=4)["waveform"]["values"].nda.shape == (4, 30)


# --- where the file is --------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        ("run.BIN", "run_settings.xml"),
        ("run.BIN", "run.xml"),
        ("run.BIN.gz", "run_settings.xml"),
        ("x/run.BIN", "x/settings.xml"),
        ("x/RAW/run.BIN", "x/settings.xml"),
    ],
)
def test_settings_beside_the_data(data, settings, tmp_path):
    path = tmp_path / data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(writer.file(FORM, writer.events(FORM, 20)))
    (tmp_path / settings).write_text(writer.settings([writer.Board()]))
    decoded = decode(path)
    assert {float(row["dt"]) for row in decoded.rows} == {2.0}
    assert any("beside the data" in note for note in decoded.report.notes)
    assert set(decoded.streamer.header) == {
        *("boards", "energy_channels", "energy_calibrated", "energy_short"),
        *("waveform_samples", "header_present"),
    }
    with path.open("rb") as f:
        header = CompassHeaderDecoder().decode_header(f)
    assert math.isnan(header["boards"]["0"]["sample_rate"].value)


def test_other_xml_files_beside_the_data(file):
    """They are left alone, with a warning."""
    (file.parent / "run.xml").write_text("<html><board/></html>")
    (file.parent / "settings.xml").write_text("no XML")
    decoded = decode(file)
    assert np.isnan(decoded.rows[0]["dt"])
    (file.parent / "settings.xml").write_text(writer.settings([writer.Board()]))
    assert decode(file).rows[0]["dt"] == 2


# --- bad settings (format 10) ------------------------------------------------------

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><configuration/>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid XML"),
        ("not XML", "not valid XML"),
        ("<configuration><board>", "not valid XML"),
        ("<configuration/>", "no <board>"),
        ("<other><board/></other>", "no <board>"),
        (BOMB, "declare entities"),
    ],
)
def test_no_settings_file(text, message, file, tmp_path):
    path = tmp_path / "bad settings.xml"
    path.write_text(text)
    for wrong in (lambda: read_settings(path), lambda: decode(file, config=path)):
        with pytest.raises(DecodeError, match=message) as caught:
            wrong()
        assert str(path) in str(caught.value)
    with pytest.raises(FileNotFoundError):
        decode(file, config=tmp_path / "none.xml")


def test_sparse_settings(file, tmp_path):
    """Nearly everything may be missing."""
    path = tmp_path / "s.xml"
    path.write_text(
        "<configuration><board><channel><values/></channel>"
        "<channel><index>x</index><values><entry/><entry><key>a/b</key>"
        "<value>1</value></entry></values></channel></board></configuration>"
    )
    decoded = decode(file, config=path)
    assert len(decoded.rows) == 20
    assert math.isnan(decoded.streamer.header["boards"]["0"]["modelName"].value)


# --- conversion ---------------------------------------------------------------------


def test_settings_given_to_build_raw(file, write, tmp_path):
    """Structs of the header are readable by lgdo's own reader."""
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(
        file, out_spec=str(out), compass_config_file=write(writer.Board())
    )
    with h5py.File(out) as f:
        assert f["CompassHeader/boards/0/modelName"][()] == b"DT5730"
        assert f["CompassHeader/header_present"].attrs["datatype"] == "real"
        assert f["CompassEvent/waveform/dt"][0] == 2
    lh5 = pytest.importorskip("lh5")
    channel = lh5.read("CompassHeader/boards/0/channels/0", str(out))
    assert channel["SRV_PARAM_CH_ENABLED"].value in ("true", b"true")


def test_layout_given_to_build_raw(tmp_path):
    """Without it a file with one record cannot be read."""
    path = tmp_path / "run.BIN"
    form = writer.form(0xCAED, 1)
    path.write_bytes(writer.file(form, writer.events(form, 1)))
    out = str(tmp_path / "out.lh5")
    with pytest.raises(DecodeError, match="compass_layout"):
        daq2lh5.build_raw(path, out_spec=out)
    report = daq2lh5.build_raw(path, out_spec=out, compass_layout="V1:5")
    assert report.n_rows == 2
    with daq2lh5.open_stream(str(path), compass_layout="V1:5") as (streamer, _):
        assert str(streamer.header_decoder.layout) == "V1:5"


@pytest.mark.parametrize("name", ["run_0.BIN", "run_0.BIN.gz"])
def test_layout_of_the_first_file(name, tmp_path):
    """The run's first file has the header that a file which goes on lacks (3)."""
    first, second = tmp_path / name, tmp_path / "run_1.BIN"
    data = writer.file(FORM, writer.events(FORM, 2))
    first.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    second.write_bytes(writer.file(FORM, writer.events(FORM, 1), header=False))
    with daq2lh5.open_stream(str(second), compass_layout=str(first)) as (streamer, _):
        assert str(streamer.header_decoder.layout) == "CAED"
        assert sum(rb.loc for chunk in streamer for rb in chunk) == 1
    with pytest.raises(ValueError, match="has no header"):
        daq2lh5.build_raw(second, compass_layout=str(second))


@real_files
def test_real_settings():
    """Format 9."""
    settings = read_settings(REAL_SETTINGS)
    (board,) = settings.boards
    assert (board.model, board.adc_bits, board.period_ns) == ("DT5730", "14", 2.0)
    assert board.enabled == [0, 1]
    assert board.wf_len == 1000.0
    assert board.t0_ns(0) == board.t0_ns(7) == -96.0
    assert len(board.channels) == 8
    assert (settings.mode, settings.energy_format) == ("WAVES", "ADCCH")
    assert settings.boards[0].dpp_type == "DPP_PSD"
    assert decode(REAL).rows[0]["dt"] == 2.0
