"""`column_settings`: how single columns are written, without changing a dictionary."""

from __future__ import annotations

import json

import h5py
import pytest
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.cli import main
from daq2lh5.fc import fc_event_decoder
from daq2lh5.selection.column_settings import ColumnSettings

RADWARE = "RadwareSigcompress(codec_shift=-32768)"


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run.fcio"
    path.write_bytes(writer.make_stream(20, n_channels=3, n_samples=200))
    return path


@pytest.fixture
def convert(run, tmp_path):
    """Convert the run with settings; return the open file."""
    files = []

    def convert(settings, out="x.lh5", **options) -> h5py.File:
        out = tmp_path / out
        options = {"out_spec": out} | options
        daq2lh5.build_raw(run, column_settings=settings, overwrite=True, **options)
        files.append(h5py.File(out))
        return files[-1]

    yield convert
    for file in files:
        file.close()


class TestColumns:
    def test_hdf5_settings(self, convert):
        file = convert(
            {
                "baseline": {"compression": "lzf"},
                "waveform/values": {"compression": None, "fletcher32": True},
                "waveform/dt": {"shuffle": False},
            }
        )
        table = file["FCEvent"]
        assert table["baseline"].compression == "lzf"
        values = table["waveform/values"]
        assert (values.compression, values.fletcher32) == (None, True)
        assert not table["waveform/dt"].shuffle
        # all others are as ever
        for name in ("daqenergy", "waveform/t0"):
            assert (table[name].compression, table[name].shuffle) == ("gzip", True)

    @pytest.mark.parametrize(
        "value",
        [
            RADWARE,
            {"compression": RADWARE},
            {"codec": "radware_sigcompress", "codec_shift": -32768},
            {"compression": {"codec": "radware_sigcompress", "codec_shift": -32768}},
        ],
    )
    def test_codec(self, value, convert):
        values = convert({"waveform/values": value})["FCEvent/waveform/values"]
        assert values.attrs["codec"] == "radware_sigcompress"
        assert values.attrs["codec_shift"] == -32768

    @pytest.mark.parametrize("plugin", [False, True])
    def test_a_filter_by_name_or_as_an_object(self, plugin, convert):
        hdf5plugin = pytest.importorskip("hdf5plugin")
        zstd = hdf5plugin.Zstd(clevel=3) if plugin else "zstd"
        settings = {"baseline": zstd, "daqenergy": {"compression": zstd}}
        table = convert(settings)["FCEvent"]
        for name in settings:
            assert str(hdf5plugin.Zstd.filter_id) in table[name]._filters

    def test_bytes_do_not_depend_on_the_way(self, convert, monkeypatch):
        """As by changing the dictionary, but for the report."""
        ours = convert({"waveform/values": RADWARE, "baseline": {"shuffle": False}})
        columns = fc_event_decoder.fc_event_decoded_values
        field = {"compression": {"values": RADWARE}}
        monkeypatch.setitem(columns, "waveform", columns["waveform"] | field)
        field = {"hdf5_settings": {"shuffle": False}}
        monkeypatch.setitem(columns, "baseline", columns["baseline"] | field)
        theirs = convert(None, out="y.lh5")

        def contents(file):
            found = {}

            def visit(name, node):
                if isinstance(node, h5py.Dataset):
                    found[name] = node[()].tobytes(), dict(node._filters), node.chunks

            file.visititems(visit)
            return found

        assert contents(ours) == contents(theirs)

    def test_win_over_the_dictionary(self, convert, monkeypatch):
        columns = fc_event_decoder.fc_event_decoded_values
        field = {"compression": {"values": RADWARE}}
        monkeypatch.setitem(columns, "waveform", columns["waveform"] | field)
        file = convert({"waveform/values": {"compression": "lzf"}})
        assert file["FCEvent/waveform/values"].compression == "lzf"
        assert columns["waveform"]["compression"] == {"values": RADWARE}


class TestTables:
    @pytest.mark.parametrize(
        ("path", "first", "other"),
        [
            ("baseline", "lzf", "lzf"),
            ("FCEventDecoder/baseline", "lzf", "lzf"),
            ("ch*/raw/baseline", "lzf", "lzf"),
            ("ch0/raw/baseline", "lzf", "gzip"),
            ("geds/ch0/raw/baseline", "lzf", "gzip"),
        ],
    )
    def test_of_some(self, path, first, other, convert, tmp_path):
        settings = {path: {"compression": "lzf"}}
        with daq2lh5.open_stream(tmp_path / "run.fcio") as (streamer, _):
            keys = streamer.rb_lib["FCEventDecoder"][0].key_list
        spec = {
            f"ch{i}/raw": {
                "key_list": [key],
                "out_stream": f"{tmp_path / 'x.lh5'}:geds",
            }
            for i, key in enumerate(keys)
        }
        file = convert(settings, out_spec={"FCEventDecoder": spec})
        assert file["geds/ch0/raw/baseline"].compression == first
        assert file["geds/ch1/raw/baseline"].compression == other

    def test_those_of_a_table_win(self, convert):
        settings = {
            "FCEvent/baseline": {"compression": None},
            "baseline": {"compression": "lzf", "fletcher32": True},
        }
        baseline = convert(settings)["FCEvent/baseline"]
        assert (baseline.compression, baseline.fletcher32) == (None, True)


class TestMistakes:
    def test_unused_ones_are_told(self, run, tmp_path):
        report = daq2lh5.build_raw(
            run,
            out_spec=tmp_path / "x.lh5",
            column_settings={"wavform/values": {"shuffle": False}},
        )
        (warning,) = report.notes
        assert warning == (
            "column_settings: no table has a dataset 'wavform/values' "
            "(did you mean 'waveform/values'?)"
        )

    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            ({"waveform": {"shuffle": False}}, ValueError, "give 'waveform/values'"),
            ({"baseline": RADWARE}, ValueError, "waveforms of equal length"),
            ({"waveform/values": "RadwareSigcompres()"}, ValueError, "unknown codec"),
            ({"baseline": {"shufle": True}}, ValueError, "h5py has no 'shufle'"),
            ({"baseline": {"dtype": "f4"}}, ValueError, "'dtype' cannot be set"),
            ("baseline", TypeError, "must be a dictionary by paths"),
        ],
    )
    def test_refused_before_anything_is_written(
        self, settings, error, message, run, tmp_path
    ):
        with pytest.raises(error, match=message):
            daq2lh5.build_raw(
                run, out_spec=tmp_path / "x.lh5", column_settings=settings
            )
        assert [p.name for p in tmp_path.iterdir()] == ["run.fcio"]


def test_the_columns_are_not_changed():
    columns = {"a": {"dtype": "u2"}, "w": {"dtype": "u2", "datatype": "waveform"}}
    before = json.dumps(columns)
    settings = ColumnSettings({"a": {"shuffle": False}, "w/t0": {"shuffle": False}})
    changed = settings.applied(columns, ["t"])
    assert changed["a"]["hdf5_settings"] == {"shuffle": False}
    assert changed["w"]["hdf5_settings"] == {"t0": {"shuffle": False}}
    assert json.dumps(columns) == before
    assert settings.unused() == []


def test_command_line(run, tmp_path):
    settings = {"column_settings": {"baseline": {"compression": "lzf"}}}
    out = tmp_path / "x.lh5"
    arguments = ["convert", "-q", "-o", str(out), "-k", json.dumps(settings), str(run)]
    with pytest.raises(SystemExit) as e:
        main(arguments)
    assert e.value.code == 0
    with h5py.File(out) as file:
        assert file["FCEvent/baseline"].compression == "lzf"
