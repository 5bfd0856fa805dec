"""Conversions from end to end: `build_raw`, `open_stream`, `get_streamer`."""

from __future__ import annotations

import bz2
import copy
import gzip
import inspect
import json
import lzma
import subprocess
import sys
from pathlib import Path

import h5py
import lgdo
import lh5
import numpy as np
import pytest
import yaml
import zstandard
from kit.generators.small_run import MAKE, N_CHANNELS, N_EVENTS, N_ROWS, damaged_stream
from kit.lh5_tables import row_counts, same_tables
from kit.places import ENVIRONMENT, REPOSITORY
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.build_raw import convert
from daq2lh5.errors import OutSpecError
from daq2lh5.fc import fc_event_decoder
from daq2lh5.raw_buffer import RawBufferLibrary, write_to_lh5_and_clear

SAMPLE = REPOSITORY / "examples" / "data" / "sample.fcio"


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

    @pytest.mark.parametrize("out_spec", [5, [5], b"x.lh5", object()])
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
        assert stored["input"]["name"] == "run.fcio"
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
