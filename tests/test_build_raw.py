"""Conversions from end to end: `build_raw`, `open_stream`, `get_streamer`."""

from __future__ import annotations

import bz2
import copy
import gzip
import inspect
import json
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import lgdo
import lh5
import numpy as np
import pytest
import yaml
import zstandard
from writers import fcio as writer

import daq2lh5
from daq2lh5.buffers.garbage import Garbage
from daq2lh5.build_raw import convert
from daq2lh5.errors import DecodeError, OutSpecError, UnknownFormatError
from daq2lh5.fc import fc_event_decoder
from daq2lh5.fc.fc_streamer import FCStreamer
from daq2lh5.raw_buffer import RawBufferLibrary, write_to_lh5_and_clear

REPOSITORY = Path(__file__).parents[1]
# what runs in other processes is the package that the tests import
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(daq2lh5.__file__).parents[1])}
SAMPLE = REPOSITORY / "examples" / "data" / "sample.fcio"
N_CHANNELS = 3
N_EVENTS = 6
N_ROWS = N_EVENTS * N_CHANNELS + 2 * 2
"""Traces, and two status records of two cards each."""

MAKE = {
    "n_channels": N_CHANNELS,
    "n_samples": 40,
    "status_every": 3,
    "n_events": N_EVENTS,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run with three channels and status records."""
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    path.write_bytes(writer.make_stream(**MAKE))
    return path


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory) -> str:
    """The same run, converted with default settings."""
    path = str(tmp_path_factory.mktemp("whole") / "whole.lh5")
    daq2lh5.build_raw(str(run), out_spec=path)
    return path


def row_counts(path: str | os.PathLike[str]) -> dict[str, int]:
    """Count the rows of each table by h5py alone."""
    with h5py.File(path) as file:
        return {name: len(t["packet_id"]) for name, t in file.items()}


def same_tables(a: str, b: str) -> bool:
    """Compare all tables of two files as lh5 reads them."""
    names = lh5.ls(a)
    return names == lh5.ls(b) and all(lh5.read(n, a) == lh5.read(n, b) for n in names)


# --- output specifications ----------------------------------------------------------


class TestOutSpec:
    def test_none_names_the_file_after_the_input(self, run, whole, tmp_path):
        source = tmp_path / "a.b.fcio"
        source.write_bytes(run.read_bytes())
        report = daq2lh5.build_raw(str(source))
        assert report.outputs == [str(tmp_path / "a.b.lh5")]
        assert same_tables(str(tmp_path / "a.b.lh5"), whole)

    @pytest.mark.parametrize(
        ("suffix", "pack"),
        [
            (".gz", gzip.compress),
            (".bz2", bz2.compress),
            (".xz", lzma.compress),
            (".zst", zstandard.compress),
        ],
    )
    def test_of_compressed_inputs_both_extensions_go(
        self, run, whole, tmp_path, suffix, pack
    ):
        source = tmp_path / f"r.1.fcio{suffix}"
        source.write_bytes(pack(run.read_bytes()))
        report = daq2lh5.build_raw(str(source))
        assert report.outputs == [str(tmp_path / "r.1.lh5")]
        assert same_tables(str(tmp_path / "r.1.lh5"), whole)
        assert report.bytes["decoded"] == len(run.read_bytes())

    def test_input_without_extension(self, run, tmp_path):
        source = tmp_path / "run7"
        source.write_bytes(run.read_bytes())
        assert daq2lh5.build_raw(source).outputs == [str(tmp_path / "run7.lh5")]

    def test_name_of_a_file(self, run, whole, tmp_path):
        out = tmp_path / "x.hdf"
        assert daq2lh5.build_raw(str(run), out_spec=str(out)).outputs == [str(out)]
        assert same_tables(str(out), whole)

    def test_path_objects(self, run, whole, tmp_path):
        """Also for the input, where the peer takes none."""
        out = tmp_path / "x.lh5"
        daq2lh5.build_raw(run, out_spec=out)
        assert same_tables(str(out), whole)

    def test_name_with_a_group(self, run, whole, tmp_path):
        """All tables go to the group behind the colon."""
        out = tmp_path / "x.lh5"
        daq2lh5.build_raw(run, out_spec=f"{out}:/deep/group")
        assert lh5.ls(str(out)) == ["deep"]
        for name in lh5.ls(whole):
            assert lh5.read(f"deep/group/{name}", str(out)) == lh5.read(name, whole)

    def test_environment_variables_in_both_names(self, run, tmp_path, monkeypatch):
        monkeypatch.setenv("DAQ2LH5_TEST_IN", str(run.parent))
        monkeypatch.setenv("DAQ2LH5_TEST_OUT", str(tmp_path))
        report = daq2lh5.build_raw(
            "$DAQ2LH5_TEST_IN/run.fcio", out_spec="${DAQ2LH5_TEST_OUT}/x.lh5"
        )
        assert report.outputs == [str(tmp_path / "x.lh5")]

    def test_missing_directories_of_the_output_are_made(self, run, tmp_path):
        out = tmp_path / "a" / "b" / "x.lh5"
        daq2lh5.build_raw(run, out_spec=out)
        assert out.exists()

    @pytest.fixture
    def config(self, tmp_path) -> dict:
        return {
            "FCEventDecoder": {
                "{name}_{key}": {
                    "key_list": ["*"],
                    "out_stream": f"{tmp_path}/{{orig_basename}}.lh5:/raw",
                    "out_name": "ch{key}",
                }
            },
            "*": {
                "{name}": {
                    "key_list": ["*"],
                    "out_stream": f"{tmp_path}/{{orig_basename}}.lh5",
                }
            },
        }

    def check(self, tmp_path: Path) -> None:
        assert sorted(lh5.ls(f"{tmp_path}/r.lh5")) == ["FCConfig", "FCStatus", "raw"]
        rows = [
            len(lh5.read(name, f"{tmp_path}/r.lh5"))
            for name in lh5.ls(f"{tmp_path}/r.lh5", "raw/*")
        ]
        assert rows == [N_EVENTS] * N_CHANNELS

    def test_dictionary(self, run, tmp_path, config):
        daq2lh5.build_raw(run, out_spec=config, orig_basename="r")
        self.check(tmp_path)

    @pytest.mark.parametrize("extension", ["json", "yaml", "yml"])
    @pytest.mark.parametrize("kind", [str, Path])
    def test_file_with_a_specification(self, run, tmp_path, config, extension, kind):
        spec = tmp_path / f"spec.{extension}"
        dump = json.dumps if extension == "json" else yaml.safe_dump
        spec.write_text(dump(config))
        daq2lh5.build_raw(run, out_spec=kind(spec), orig_basename="r")
        self.check(tmp_path)

    def test_library(self, run, tmp_path, config):
        library = RawBufferLibrary(config, {"orig_basename": "r"})
        daq2lh5.build_raw(run, out_spec=library)
        self.check(tmp_path)

    def test_undefined_keyword_is_named(self, run, tmp_path, config):
        with pytest.raises(KeyError, match="orig_basename"):
            daq2lh5.build_raw(run, out_spec=config, basename="r")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("out_spec", [5, ["a"], b"x.lh5", object()])
    def test_other_types_are_refused(self, run, out_spec):
        with pytest.raises(TypeError, match="out_spec"):
            daq2lh5.build_raw(run, out_spec=out_spec)

    @pytest.mark.parametrize("text", ["[1, 2]", "5", '"x"', "null"])
    def test_file_that_holds_no_dictionary_is_refused(self, run, tmp_path, text):
        spec = tmp_path / "spec.json"
        spec.write_text(text)
        with pytest.raises((TypeError, OutSpecError), match=r"spec"):
            daq2lh5.build_raw(run, out_spec=str(spec))

    @pytest.mark.parametrize(
        ("name", "text"),
        [("s.json", "{"), ("s.yaml", "a: [1"), ("s.json", ""), ("s.yaml", "a:\n\t- b")],
    )
    def test_broken_file_is_named_in_the_error(self, run, tmp_path, name, text):
        spec = tmp_path / name
        spec.write_text(text)
        with pytest.raises((ValueError, OutSpecError, TypeError), match=name):
            daq2lh5.build_raw(run, out_spec=str(spec))

    def test_missing_file_with_a_specification(self, run, tmp_path):
        with pytest.raises(FileNotFoundError):
            daq2lh5.build_raw(run, out_spec=str(tmp_path / "none.json"))


# --- numbers of rows ----------------------------------------------------------------


class TestRows:
    @pytest.mark.parametrize("n_max", [0, 1, 4, 9, 10, 11, N_ROWS - 1])
    def test_n_max_counts_all_rows_but_those_of_headers(self, run, tmp_path, n_max):
        """Also in the middle of an event or of a status record."""
        out = tmp_path / "x.lh5"
        report = daq2lh5.build_raw(run, out_spec=out, n_max=n_max)
        rows = row_counts(out)
        assert rows.pop("FCConfig") == 1
        assert sum(rows.values()) == n_max
        assert report.n_rows == n_max + 1
        n_bytes = run.stat().st_size
        assert report.n_bytes == n_bytes
        assert report.exit_status == 0

    @pytest.mark.parametrize("buffer_size", [N_CHANNELS, 7, 8192])
    @pytest.mark.parametrize("n_max", [1, 5, 10, 16])
    def test_the_rows_are_the_first_in_stream_order(
        self, run, whole, tmp_path, n_max, buffer_size
    ):
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(run, out_spec=out, n_max=n_max, buffer_size=buffer_size)
        order = sorted(
            (int(packet), name)
            for name in ("FCEvent", "FCStatus")
            for packet in lh5.read(f"{name}/packet_id", whole).nda
        )[:n_max]
        for name in ("FCEvent", "FCStatus"):
            n = sum(table == name for _, table in order)
            if n == 0:
                assert name not in lh5.ls(out)
                continue
            table = lh5.read(name, out)
            assert len(table) == n
            assert table == lh5.read(name, whole, n_rows=n)

    @pytest.mark.parametrize(
        "n_max", [N_ROWS, N_ROWS + 1, float("inf"), 10**12, np.int64(N_ROWS)]
    )
    def test_more_than_there_are_is_everything(self, run, whole, tmp_path, n_max):
        out = str(tmp_path / "x.lh5")
        report = daq2lh5.build_raw(run, out_spec=out, n_max=n_max)
        assert same_tables(out, whole)
        assert report.bytes["skipped"] == 0

    def test_negative_n_max_is_an_error(self, run, tmp_path):
        with pytest.raises(ValueError, match="n_max"):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", n_max=-1)

    def test_rest_is_noted(self, run, tmp_path):
        report = daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", n_max=4)
        assert report.bytes["skipped"] > 0
        assert any("rows that were asked for" in note for note in report.notes)

    @pytest.mark.parametrize("buffer_size", [N_CHANNELS, N_CHANNELS + 1, 10, 10**6])
    def test_buffer_size_changes_nothing(self, run, whole, tmp_path, buffer_size):
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(run, out_spec=out, buffer_size=buffer_size)
        assert same_tables(out, whole)

    @pytest.mark.parametrize("buffer_size", [1, N_CHANNELS - 1])
    def test_buffer_too_small_for_a_packet(self, run, tmp_path, buffer_size):
        with pytest.raises(ValueError, match="buffer_size"):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", buffer_size=buffer_size)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("buffer_size", [0, -5])
    def test_bad_buffer_size(self, run, tmp_path, buffer_size):
        with pytest.raises(ValueError, match="buffer_size"):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", buffer_size=buffer_size)

    def test_one_channel_needs_room_for_one_status_record(self, tmp_path):
        """The smallest system has two cards: they report together."""
        source = tmp_path / "one.fcio"
        source.write_bytes(writer.make_stream(5, n_channels=1, n_samples=8))
        daq2lh5.build_raw(source, out_spec=tmp_path / "x.lh5", buffer_size=2)
        assert row_counts(tmp_path / "x.lh5") == {"FCConfig": 1, "FCEvent": 5}

    def test_buffers_of_one_channel_each_need_one_row(self, run, tmp_path):
        """A buffer needs room for the rows that one packet can bring to it alone."""
        config = {
            "FCEventDecoder": {
                "ch{key}": {"key_list": ["*"], "out_stream": f"{tmp_path}/x.lh5"}
            }
        }
        daq2lh5.build_raw(run, out_spec=config, buffer_size=1)
        assert set(row_counts(tmp_path / "x.lh5").values()) == {N_EVENTS}


class TestOverwrite:
    def test_existing_file_is_refused_and_stays(self, run, tmp_path):
        out = tmp_path / "x.lh5"
        out.write_bytes(b"mine")
        with pytest.raises(FileExistsError, match=r"x\.lh5"):
            daq2lh5.build_raw(run, out_spec=out)
        assert out.read_bytes() == b"mine"
        assert [p.name for p in tmp_path.iterdir()] == ["x.lh5"]

    def test_existing_file_is_replaced_on_request(self, run, whole, tmp_path):
        """Nothing is appended."""
        out = tmp_path / "x.lh5"
        out.write_bytes(b"\x89HDF\r\n\x1a\nmine")
        for _ in range(2):
            daq2lh5.build_raw(run, out_spec=out, overwrite=True)
            assert same_tables(str(out), whole)

    def test_one_of_several_outputs_that_exists_stops_all(self, run, tmp_path):
        (tmp_path / "FCStatus.lh5").write_bytes(b"mine")
        config = {
            "*": {
                "{name}": {"key_list": ["*"], "out_stream": f"{tmp_path}/{{name}}.lh5"}
            }
        }
        with pytest.raises(FileExistsError, match="FCStatus"):
            daq2lh5.build_raw(run, out_spec=config)
        assert [p.name for p in tmp_path.iterdir()] == ["FCStatus.lh5"]

    def test_an_older_file_that_the_input_has_no_rows_for(self, run, tmp_path):
        """A file named after a decoder without rows must not stay from before."""
        of_another_run = b"\x89HDF\r\n\x1a\nof another run"
        (tmp_path / "FSPEvent.lh5").write_bytes(of_another_run)
        config = {
            "*": {
                "{name}": {"key_list": ["*"], "out_stream": f"{tmp_path}/{{name}}.lh5"}
            }
        }
        daq2lh5.build_raw(run, out_spec=config, overwrite=True)
        old = tmp_path / "FSPEvent.lh5"
        assert not old.exists() or old.read_bytes() != of_another_run


# --- how datasets are written -------------------------------------------------------


@pytest.fixture
def event_columns():
    """The module's dictionary of event columns, as users edit it; put back after."""
    columns = fc_event_decoder.fc_event_decoded_values
    saved = copy.deepcopy(columns)
    yield columns
    columns.clear()
    columns.update(saved)


class TestSettings:
    def test_default_is_gzip_with_shuffle_as_lh5_has_it(self, whole):
        with h5py.File(whole) as f:
            for name in ("waveform/values", "timestamp", "packet_id"):
                dataset = f[f"FCEvent/{name}"]
                assert (dataset.compression, dataset.shuffle) == ("gzip", True)

    def test_settings_for_all_fields(self, run, whole, tmp_path):
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(
            run, out_spec=out, hdf5_settings={"compression": "lzf", "shuffle": False}
        )
        with h5py.File(out) as f:
            for name in ("FCEvent/waveform/values", "FCStatus/packet_id"):
                assert (f[name].compression, f[name].shuffle) == ("lzf", False)
        assert same_tables(out, whole)

    def test_no_compression(self, run, whole, tmp_path):
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(run, out_spec=out, hdf5_settings={"compression": None})
        with h5py.File(out) as f:
            assert f["FCEvent/waveform/values"].compression is None
        assert same_tables(out, whole)

    def test_the_users_settings_stay_as_they_are(self, run, tmp_path):
        settings = {"compression": "lzf"}
        daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", hdf5_settings=settings)
        assert settings == {"compression": "lzf"}

    def test_settings_of_single_fields(self, run, whole, tmp_path, event_columns):
        event_columns["daqenergy"]["hdf5_settings"] = {
            "compression": "lzf",
            "shuffle": False,
        }
        event_columns["waveform"]["hdf5_settings"] = {
            "values": {"compression": "gzip", "compression_opts": 9},
            "t0": {"compression": None},
        }
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(run, out_spec=out)
        with h5py.File(out) as f:
            table = f["FCEvent"]
            assert table["daqenergy"].compression == "lzf"
            assert table["daqenergy"].shuffle is False
            assert table["waveform/values"].compression_opts == 9
            assert table["waveform/t0"].compression is None
            assert table["waveform/dt"].compression == "gzip"
            assert table["baseline"].compression == "gzip"
            for name in ("daqenergy", "waveform", "waveform/values"):
                assert "hdf5_settings" not in table[name].attrs
        assert same_tables(out, whole)

    def test_settings_of_a_field_win_over_those_for_all(
        self, run, tmp_path, event_columns
    ):
        event_columns["daqenergy"]["hdf5_settings"] = {"compression": "gzip"}
        out = tmp_path / "x.lh5"
        daq2lh5.build_raw(run, out_spec=out, hdf5_settings={"compression": "lzf"})
        with h5py.File(out) as f:
            assert f["FCEvent/daqenergy"].compression == "gzip"
            assert f["FCEvent/baseline"].compression == "lzf"

    @pytest.mark.parametrize(
        "codec",
        [
            lh5.compression.ULEB128ZigZagDiff(),
            lh5.compression.RadwareSigcompress(codec_shift=-32768),
        ],
        ids=lambda c: c.codec,
    )
    @pytest.mark.parametrize("buffer_size", [7, 8192])
    def test_waveform_codecs(self, tmp_path, event_columns, codec, buffer_size):
        """Encoded in the file, the same values when read by lh5."""
        rng = np.random.default_rng(1)
        samples = 15000 + rng.integers(0, 40, (10, N_CHANNELS, 64)).cumsum(axis=2)
        events = [
            writer.event(writer.with_headers(s, 15000, i), timestamp=(i, 0, 0, 9, 0))
            for i, s in enumerate(samples)
        ]
        config = writer.config(
            adcs=N_CHANNELS, eventsamples=64, tracemap=(1 << 16, 1 << 16 | 1, 2 << 16)
        )
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.assemble([config, *events])[0])
        event_columns["waveform"]["compression"] = {"values": codec}
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(source, out_spec=out, buffer_size=buffer_size)
        with h5py.File(out) as f:
            values = f["FCEvent/waveform/values"]
            assert isinstance(values, h5py.Group)
            assert values.attrs["codec"] == codec.codec
            assert "encoded_data" in values
        encoded = lh5.read("FCEvent/waveform/values", out)
        assert encoded.nda.tolist() == samples.reshape(-1, 64).tolist()

    def test_dropped_and_retyped_fields(self, run, whole, tmp_path, event_columns):
        """What is not in the dictionary is not in the file."""
        del event_columns["baseline"]
        event_columns["eventnumber"]["dtype"] = "int64"
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(run, out_spec=out)
        ours, theirs = lh5.read("FCEvent", out), lh5.read("FCEvent", whole)
        assert "baseline" not in ours
        assert ours["eventnumber"].nda.dtype == np.int64
        assert ours["eventnumber"].nda.tolist() == theirs["eventnumber"].nda.tolist()

    def test_own_attributes_of_fields_are_stored(self, run, tmp_path, event_columns):
        event_columns["daqenergy"]["units"] = "adc"
        event_columns["daqenergy"]["remark"] = "as in the logbook"
        out = tmp_path / "x.lh5"
        daq2lh5.build_raw(run, out_spec=out)
        with h5py.File(out) as f:
            attrs = f["FCEvent/daqenergy"].attrs
            assert (attrs["units"], attrs["remark"]) == ("adc", "as in the logbook")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"compresion": "lzf"}, "no 'compresion' .did you mean 'compression'"),
            ({"dtype": "float32"}, "'dtype' cannot be set.*dtype_conv"),
            ({"mode": "w"}, "'mode' cannot be set"),
            ({"chunks": [3, 5]}, "do not fit 'packet_id'"),
        ],
    )
    def test_wrong_settings_are_an_error_and_leave_nothing(
        self, run, tmp_path, settings, message
    ):
        with pytest.raises(ValueError, match=message):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", hdf5_settings=settings)
        assert list(tmp_path.iterdir()) == []

    def test_type_as_setting_of_a_column_is_refused(self, run, tmp_path, event_columns):
        event_columns["baseline"]["hdf5_settings"] = {"dtype": "float32"}
        with pytest.raises(ValueError, match="dtype_conv"):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")


class TestFiles:
    def test_each_column_has_the_declared_attributes(self, whole):
        with h5py.File(whole) as f:
            for name, value in fc_event_decoder.fc_event_decoded_values.items():
                attrs = f[f"FCEvent/{name}"].attrs
                assert attrs.get("description") == value.get("description")
                assert attrs.get("units") == value.get("units")
                assert "datatype" in attrs

    def test_stock_readers_agree(self, whole):
        for name in ("FCEvent", "FCStatus", "FCConfig"):
            table = lh5.read(name, whole)
            assert isinstance(table, lgdo.Table)
            with h5py.File(whole) as f:
                for column, value in table.items():
                    if isinstance(value, lgdo.Array):
                        assert np.array_equal(value.nda, f[f"{name}/{column}"][()])

    def test_several_conversions_in_one_process(self, run, whole, tmp_path):
        """There is no state that goes from one to the next."""
        other = tmp_path / "other.fcio"
        other.write_bytes(writer.make_stream(3, n_channels=9, n_samples=5, streamid=3))
        for i in range(3):
            out = str(tmp_path / f"{i}.lh5")
            daq2lh5.build_raw(run, out_spec=out)
            assert same_tables(out, whole)
            daq2lh5.build_raw(other, out_spec=tmp_path / "o.lh5", overwrite=True)

    def test_two_runs_give_the_same_bytes(self, run, tmp_path):
        a, b = tmp_path / "a" / "x.lh5", tmp_path / "b" / "y.lh5"
        for out in (a, b):
            daq2lh5.build_raw(run, out_spec=out)
        assert a.read_bytes() == b.read_bytes()

    def test_two_processes_and_damage_give_the_same_bytes(self, tmp_path):
        """Independent of process, time and hash seed; garbage included."""
        source = tmp_path / "run.fcio"
        source.write_bytes(damaged_stream())
        files = []
        for i in range(2):
            out = tmp_path / f"{i}.lh5"
            code = "from sys import argv; from daq2lh5 import build_raw as b; "
            code += "b(argv[1], out_spec=argv[2])"
            subprocess.run(
                [sys.executable, "-c", code, str(source), str(out)],
                check=True,
                env=ENVIRONMENT | {"PYTHONHASHSEED": str(i + 1)},
            )
            files.append(out.read_bytes())
        assert files[0] == files[1]

    def test_report_is_an_attribute_of_the_root_group(self, run, whole):
        with h5py.File(whole) as f:
            text = f.attrs["daq2lh5_report"]
        assert isinstance(text, str)
        stored = json.loads(text)
        assert stored["format"] == "FlashCam"
        assert stored["status"] == 0
        assert stored["input_bytes"] == run.stat().st_size
        assert sum(stored["bytes"].values()) == run.stat().st_size
        assert {name: t["rows"] for name, t in stored["tables"].items()} == row_counts(
            whole
        )
        assert "seconds" not in text
        assert "run.fcio" not in text
        assert str(run.parent) not in text

    def test_tables_of_the_report_are_those_of_its_own_file(self, run, tmp_path):
        config = {
            "*": {
                "{name}": {"key_list": ["*"], "out_stream": f"{tmp_path}/{{name}}.lh5"}
            }
        }
        daq2lh5.build_raw(run, out_spec=config)
        for name in ("FCEvent", "FCStatus"):
            with h5py.File(tmp_path / f"{name}.lh5") as f:
                assert list(json.loads(f.attrs["daq2lh5_report"])["tables"]) == [name]

    def test_times_of_tables_are_those_of_first_and_last_row(self, run, whole):
        with h5py.File(whole) as f:
            tables = json.loads(f.attrs["daq2lh5_report"])["tables"]
            times = f["FCEvent/timestamp"][()]
            assert tables["FCEvent"]["first_time"] == times[0]
            assert tables["FCEvent"]["last_time"] == times[-1]
            times = f["FCStatus/server_time"][()]
            assert tables["FCStatus"]["first_time"] == times[0]
            assert tables["FCStatus"]["last_time"] == times[-1]

    def test_build_raw_returns_the_report(self, run, tmp_path):
        report = daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")
        assert report.source == str(run)
        assert report.outputs == [str(tmp_path / "x.lh5")]
        assert report.n_bytes == run.stat().st_size
        assert set(report.seconds) >= {"decode", "write", "total"}
        assert all(seconds >= 0 for seconds in report.seconds.values())

    def test_caller_of_convert_has_the_report_of_a_failure(self, run, tmp_path):
        from daq2lh5.report import ConversionReport

        report = ConversionReport()

        def fail(streamer):
            raise RuntimeError("stop")

        with pytest.raises(RuntimeError, match="stop"):
            convert(run, out_spec=tmp_path / "x.lh5", report=report, progress=fail)
        assert report.format == "FlashCam"
        assert report.n_bytes > 0
        assert report.outputs == []


# --- damage -------------------------------------------------------------------------


def damaged_stream() -> bytes:
    """A stream with a damaged stretch in the middle, and cut off at the end."""
    data, index = writer.make_indexed_stream(**MAKE)
    third = index[3]
    junk = b"\x77" * 50
    start = third.offset
    return data[:start] + junk + data[start:-10]


class TestGarbage:
    def test_stretches_are_in_a_file_beside_the_output(self, tmp_path):
        data = damaged_stream()
        source = tmp_path / "run.fcio"
        source.write_bytes(data)
        out = str(tmp_path / "x.lh5")
        report = daq2lh5.build_raw(source, out_spec=out)
        assert report.exit_status == 3
        assert report.n_bytes == len(data)
        assert report.outputs == [out]
        assert report.garbage_file == f"{out}.garbage"
        assert "garbage" not in lh5.ls(out)
        table = lh5.read("garbage", f"{out}.garbage")
        assert sorted(table) == ["garbage_code", "offset", "packet_id", "packets"]
        assert len(table) == len(report.damage) == report.n_damage == 2
        for row, damage in enumerate(report.damage):
            assert table["offset"].nda[row] == damage.offset
            packet = table["packets"][row]
            assert packet.dtype == np.uint8
            assert packet.tobytes() == data[damage.offset :][: damage.length]
        assert report.garbage_bytes_kept == sum(d.length for d in report.damage)
        assert report.garbage_bytes_dropped == 0
        assert table["garbage_code"].nda.dtype == np.uint32
        assert (table["garbage_code"].nda > 0).all()
        packets = lh5.read("FCEvent/packet_id", out).nda
        assert table["packet_id"].nda[0] < packets.max()

    def test_good_input_has_no_such_file(self, whole):
        assert not os.path.exists(f"{whole}.garbage")

    def test_the_file_goes_with_its_output(self, run, tmp_path):
        """With overwrite it is replaced, or removed if nothing is damaged."""
        source = tmp_path / "cut.fcio"
        source.write_bytes(damaged_stream())
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(source, out_spec=out)
        assert os.path.exists(f"{out}.garbage")
        daq2lh5.build_raw(source, out_spec=out, overwrite=True)
        assert os.path.exists(f"{out}.garbage")
        daq2lh5.build_raw(run, out_spec=out, overwrite=True)
        assert sorted(os.listdir(tmp_path)) == ["cut.fcio", "x.lh5"]

    def test_an_older_file_is_not_replaced_without_overwrite(self, tmp_path):
        source = tmp_path / "cut.fcio"
        source.write_bytes(damaged_stream())
        (tmp_path / "x.lh5.garbage").write_bytes(b"older")
        with pytest.raises(FileExistsError, match="garbage"):
            daq2lh5.build_raw(source, out_spec=tmp_path / "x.lh5")
        assert sorted(os.listdir(tmp_path)) == ["cut.fcio", "x.lh5.garbage"]

    def test_long_names(self, tmp_path):
        source = tmp_path / "cut.fcio"
        source.write_bytes(damaged_stream())
        out = tmp_path / ("ü" * 125 + ".lh5")
        report = daq2lh5.build_raw(source, out_spec=out)
        table = lh5.read("garbage", report.garbage_file)
        assert len(table) == report.n_damage

    def test_records_on_both_sides_of_the_damage_are_kept(self, whole, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(damaged_stream())
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(source, out_spec=out)
        for name in ("eventnumber", "channel", "daqenergy", "waveform"):
            assert lh5.read(f"FCEvent/{name}", out) == lh5.read(
                f"FCEvent/{name}", whole
            )

    @pytest.mark.parametrize("cap", [0, 1, 49, 50, 51, 10**6])
    def test_cap(self, tmp_path, monkeypatch, cap):
        """What does not fit is counted, and the report says so."""
        data = damaged_stream()
        source = tmp_path / "run.fcio"
        source.write_bytes(data)
        monkeypatch.setattr(Garbage.__init__, "__defaults__", (cap,))
        out = str(tmp_path / "x.lh5")
        report = daq2lh5.build_raw(source, out_spec=out)
        lost = sum(d.length for d in report.damage)
        assert report.garbage_bytes_kept == min(cap, lost)
        assert report.garbage_bytes_dropped == lost - min(cap, lost)
        table = lh5.read("garbage", f"{out}.garbage")
        kept = b"".join(table["packets"][i].tobytes() for i in range(len(table)))
        whole = b"".join(data[d.offset :][: d.length] for d in report.damage)
        assert kept == whole[:cap]
        assert len(table) == report.n_damage
        assert report.n_bytes == len(data)
        if cap < lost:
            assert any("garbage" in line for line in report.lines())

    def test_a_table_of_the_users_called_garbage_is_left_alone(self, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(damaged_stream())
        config = {
            "*": {
                "{name}": {
                    "key_list": ["*"],
                    "out_stream": f"{tmp_path}/x.lh5:/garbage",
                }
            }
        }
        report = daq2lh5.build_raw(source, out_spec=config)
        with h5py.File(tmp_path / "x.lh5") as f:
            assert len(f["garbage/FCConfig/packet_id"]) == 1
        assert len(lh5.read("garbage", report.garbage_file)) == report.n_damage

    def test_garbage_of_decoders(self, tmp_path):
        """`put_in_garbage` and `write_out_garbage`, which decoders of users call."""
        decoder = FCStreamer().event_decoder
        assert decoder.garbage_table is None
        decoder.write_out_garbage(str(tmp_path / "g.lh5"))
        assert list(tmp_path.iterdir()) == []
        decoder.put_in_garbage(b"abc", 5, 7)
        decoder.put_in_garbage(np.arange(2, dtype="u2"), 6, 8)
        assert len(decoder.garbage_table) == 2
        decoder.write_out_garbage(str(tmp_path / "g.lh5"), group="x")
        assert decoder.garbage_table is None
        table = lh5.read("x/garbage", str(tmp_path / "g.lh5"))
        assert table["packets"][0].tobytes() == b"abc"
        assert table["packets"][1].tolist() == [0, 0, 1, 0]
        assert table["packet_id"].nda.tolist() == [5, 6]
        assert table["garbage_code"].nda.tolist() == [7, 8]

    def test_damage_without_any_output_table_is_an_error_of_the_input(self, tmp_path):
        """Nothing can be decoded without a configuration: no output."""
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.handshake() + b"\x77" * 100)
        with pytest.raises(DecodeError, match=r"configuration"):
            daq2lh5.build_raw(source, out_spec=tmp_path / "x.lh5")
        assert [p.name for p in tmp_path.iterdir()] == ["run.fcio"]

    def test_a_handshake_alone_is_an_empty_run(self, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.handshake())
        report = daq2lh5.build_raw(source, out_spec=tmp_path / "x.lh5")
        assert report.n_bytes == 68
        assert report.n_rows == 0
        assert report.outputs == [str(tmp_path / "x.lh5")]


# --- inputs -------------------------------------------------------------------------


class TestInputs:
    def test_missing_input(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"none\.fcio"):
            daq2lh5.build_raw(tmp_path / "none.fcio")
        assert list(tmp_path.iterdir()) == []

    def test_directory_as_input(self, tmp_path):
        with pytest.raises((RuntimeError, OSError), match=tmp_path.name):
            daq2lh5.build_raw(tmp_path, out_spec=tmp_path / "x.lh5")

    def test_empty_input_says_so(self, tmp_path):
        (tmp_path / "e.fcio").write_bytes(b"")
        with pytest.raises(RuntimeError, match="empty"):
            daq2lh5.build_raw(tmp_path / "e.fcio")
        assert [p.name for p in tmp_path.iterdir()] == ["e.fcio"]

    def test_standard_input_needs_an_output(self):
        with pytest.raises(OutSpecError, match="standard input"):
            daq2lh5.build_raw("-")

    @pytest.mark.parametrize("kind", ["file", "pipe"])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
    def test_standard_input(self, run, whole, tmp_path, kind, pack):
        out = str(tmp_path / "x.lh5")
        code = "import daq2lh5, sys; daq2lh5.build_raw('-', out_spec=sys.argv[1])"
        command = [sys.executable, "-c", code, out]
        data = pack(run.read_bytes())
        if kind == "pipe":
            subprocess.run(
                command,
                input=data,
                check=True,
                env=ENVIRONMENT,
            )
        else:
            (tmp_path / "in").write_bytes(data)
            with open(tmp_path / "in", "rb") as f:
                subprocess.run(
                    command,
                    stdin=f,
                    check=True,
                    env=ENVIRONMENT,
                )
        assert same_tables(out, whole)

    @pytest.mark.parametrize("stream_type", [None, "FlashCam"])
    def test_named_pipe(self, run, whole, tmp_path, stream_type):
        pipe = tmp_path / "pipe.fcio"
        os.mkfifo(pipe)
        feeder = threading.Thread(target=pipe.write_bytes, args=(run.read_bytes(),))
        feeder.start()
        out = str(tmp_path / "x.lh5")
        report = daq2lh5.build_raw(pipe, in_stream_type=stream_type, out_spec=out)
        feeder.join()
        assert same_tables(out, whole)
        assert report.n_bytes == run.stat().st_size

    @pytest.mark.parametrize("n_max", [0, 4])
    def test_first_rows_of_a_pipe(self, run, tmp_path, n_max):
        """What is not read cannot be counted: the report says so."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        feeder = threading.Thread(target=pipe.write_bytes, args=(run.read_bytes(),))
        feeder.start()
        report = daq2lh5.build_raw(pipe, out_spec=tmp_path / "x.lh5", n_max=n_max)
        feeder.join()
        assert report.n_rows == n_max + 1
        assert any("rows that were asked for" in note for note in report.notes)

    def test_input_by_url(self, run, whole, tmp_path):
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(f"file://{run}", out_spec=out)
        assert same_tables(out, whole)

    def test_default_output_of_an_input_by_url(self, run, tmp_path):
        source = tmp_path / "r.fcio"
        source.write_bytes(run.read_bytes())
        assert daq2lh5.build_raw(f"file://{source}").outputs == [
            str(tmp_path / "r.lh5")
        ]


class TestGetStreamer:
    @pytest.mark.parametrize("name", ["run.fcio", "run.orca", "run.bin", "run", "a.gz"])
    def test_content_decides_whatever_the_name(self, run, tmp_path, name):
        (tmp_path / name).write_bytes(run.read_bytes())
        assert isinstance(daq2lh5.get_streamer(str(tmp_path / name)), FCStreamer)

    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
    def test_content_of_compressed_files_decides(self, run, tmp_path, pack):
        (tmp_path / "x").write_bytes(pack(run.read_bytes()))
        assert isinstance(daq2lh5.get_streamer(str(tmp_path / "x")), FCStreamer)

    @pytest.mark.parametrize("name", ["no/such/x.fcio", "x.fcio.gz", "x.fcio.bz2"])
    def test_extension_of_a_name_that_cannot_be_read(self, name):
        assert isinstance(daq2lh5.get_streamer(name), FCStreamer)

    def test_explicit_type_needs_no_file(self):
        assert isinstance(daq2lh5.get_streamer("tcp://x", "FlashCam"), FCStreamer)

    def test_empty_file(self, tmp_path):
        (tmp_path / "x.fcio").touch()
        with pytest.raises(RuntimeError, match="is empty"):
            daq2lh5.get_streamer(str(tmp_path / "x.fcio"))

    @pytest.mark.parametrize("data", [b"hello world", bytes(5000)])
    def test_nothing_recognized_says_what_was_tried(self, tmp_path, data):
        (tmp_path / "x.dat").write_bytes(data)
        with pytest.raises(RuntimeError, match="FlashCam") as e:
            daq2lh5.get_streamer(str(tmp_path / "x.dat"))
        assert isinstance(e.value, UnknownFormatError)
        assert "x.dat" in str(e.value)
        assert "extension" in str(e.value)

    def test_unreadable_name_without_a_known_extension(self):
        with pytest.raises(RuntimeError, match="extension"):
            daq2lh5.get_streamer("no/such/file.dat")

    def test_content_that_belies_the_extension(self, tmp_path):
        (tmp_path / "x.fcio").write_bytes(b"hello world")
        with pytest.raises(RuntimeError, match="not recognized"):
            daq2lh5.get_streamer(str(tmp_path / "x.fcio"))

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("FlashCamm", "did you mean 'FlashCam'"), ("xyz", "known types: FlashCam")],
    )
    def test_unknown_type_is_named(self, run, name, hint):
        with pytest.raises(NotImplementedError, match=hint):
            daq2lh5.get_streamer(str(run), name)

    def test_explicit_type_that_the_content_is_not(self, tmp_path):
        (tmp_path / "x.dat").write_bytes(b"hello world" * 100)
        with pytest.raises(DecodeError, match="no FCIO handshake"):
            daq2lh5.build_raw(
                tmp_path / "x.dat",
                in_stream_type="FlashCam",
                out_spec=tmp_path / "x.lh5",
            )
        assert [p.name for p in tmp_path.iterdir()] == ["x.dat"]


class TestOpenStream:
    def test_gives_streamer_and_headers(self, run):
        with daq2lh5.open_stream(str(run)) as (streamer, header_data):
            assert isinstance(streamer, FCStreamer)
            assert [rb.out_name for rb in header_data] == ["FCConfig"]
            assert header_data[0].loc == 1
            rows = {}
            for chunk in streamer:
                for rb in chunk:
                    rows[rb.out_name] = rows.get(rb.out_name, 0) + rb.loc
        # headers that nobody emptied come with the first chunk
        rows.pop("FCConfig", None)
        assert rows == {"FCEvent": N_CHANNELS * N_EVENTS, "FCStatus": rows["FCStatus"]}

    def test_file_is_closed_at_the_end_and_on_errors(self, run):
        with daq2lh5.open_stream(str(run)) as (streamer, _):
            source = streamer.source
        assert is_closed(source)
        opened = daq2lh5.open_stream(str(run))
        streamer, _ = opened.__enter__()
        source = streamer.source
        list(streamer)
        assert not opened.__exit__(ValueError, ValueError("of the user"), None)
        assert is_closed(source)

    def test_file_is_closed_if_it_cannot_be_opened_as_asked(self, run, monkeypatch):
        opened = []
        monkeypatch.setattr(
            FCStreamer,
            "close_stream",
            lambda self, close=FCStreamer.close_stream: (
                opened.append(self.source),
                close(self),
            ),
        )
        with (
            pytest.raises(ValueError, match="chunk_mode"),
            daq2lh5.open_stream(str(run), chunk_mode="all"),
        ):
            pass
        assert len(opened) == 1
        assert is_closed(opened[0])

    def test_no_descriptor_stays_open(self, run, tmp_path):
        """After conversions that end in every way."""
        before = len(os.listdir("/dev/fd"))
        (tmp_path / "bad.fcio").write_bytes(writer.handshake() + b"\x77" * 100)
        for _ in range(3):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", overwrite=True)
            with pytest.raises(DecodeError):
                daq2lh5.build_raw(tmp_path / "bad.fcio")
            with pytest.raises(FileExistsError):
                daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")
            with pytest.raises(ValueError, match="buffer_size"):
                daq2lh5.build_raw(run, out_spec=tmp_path / "y.lh5", buffer_size=1)
        assert len(os.listdir("/dev/fd")) == before

    def test_options_are_passed_on(self, run):
        library = RawBufferLibrary({"FCEventDecoder": {"a": {"key_list": ["*"]}}})
        with daq2lh5.open_stream(
            str(run), rb_lib=library, buffer_size=4, chunk_mode="any_full"
        ) as (streamer, _):
            assert streamer.rb_lib is library
            assert streamer.chunk_mode == "any_full"
            assert [
                rb.loc for chunk in streamer for rb in chunk if rb.out_name == "a"
            ] == [N_CHANNELS] * N_EVENTS

    def test_paths_and_variables(self, run, monkeypatch):
        monkeypatch.setenv("DAQ2LH5_TEST_IN", str(run.parent))
        with daq2lh5.open_stream("$DAQ2LH5_TEST_IN/run.fcio") as (streamer, _):
            assert streamer.read_chunk()
        with daq2lh5.open_stream(run) as (streamer, _):
            assert streamer.read_chunk()


def is_closed(source) -> bool:
    """Whether a source can no longer be read."""
    try:
        source.fill(1)
    except (OSError, ValueError, RuntimeError):
        return True
    return False


def test_write_to_lh5_and_clear_with_a_store_and_an_existing_file(run, tmp_path):
    """The public door to the file: appends to what is there."""
    out = str(tmp_path / "x.lh5")
    lh5.write(lgdo.Scalar(5), "before", out)
    store = lh5.LH5Store(keep_open=True)
    for _ in range(2):
        with daq2lh5.open_stream(str(run), out_stream=out, buffer_size=5) as opened:
            streamer, header_data = opened
            write_to_lh5_and_clear(header_data, store)
            for chunk in streamer:
                write_to_lh5_and_clear(chunk, store)
    for handle in store.files.values():
        handle.close()
    assert lh5.read("before", out).value == 5
    with h5py.File(out) as f:
        assert len(f["FCEvent/packet_id"]) == 2 * N_CHANNELS * N_EVENTS
        assert len(f["FCConfig/packet_id"]) == 2


def test_build_raw_is_a_function_and_a_module():
    """``daq2lh5.build_raw(...)`` and ``import daq2lh5.build_raw`` both work."""
    import importlib

    module = importlib.import_module("daq2lh5.build_raw")
    assert inspect.ismodule(module)
    assert daq2lh5.build_raw is module.build_raw
    assert inspect.isfunction(daq2lh5.build_raw)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0.000 B"),
        (1023, "1023.000 B"),
        (1024, "1.000 KB"),
        (1536, "1.500 KB"),
        (5 * 2**30, "5.000 GB"),
        (2**80, "1.0 YB"),
        (-2048, "-2.000 KB"),
    ],
)
def test_sizes_for_people(number, text):
    from daq2lh5.build_raw import sizeof_fmt

    assert sizeof_fmt(number) == text
    assert sizeof_fmt(number, suffix="x") == text[:-1] + "x"


def test_sample_of_the_repository(tmp_path):
    """The file of the README converts, and is good."""
    report = daq2lh5.build_raw(SAMPLE, out_spec=tmp_path / "x.lh5")
    assert report.exit_status == 0
    assert report.clean
    assert report.bytes["decoded"] == SAMPLE.stat().st_size
