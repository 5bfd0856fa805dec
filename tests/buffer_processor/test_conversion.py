"""Processing in conversions, of files, and on the command line."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from itertools import chain
from pathlib import Path

import h5py
import lgdo
import lh5
import numpy as np
import pytest
from click.testing import CliRunner
from kit.generators import dsp_configs as configs
from kit.places import ENVIRONMENT
from kit.reference import processing as reference
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5 import cli
from daq2lh5.buffer_processor.buffer_processor import buffer_processor
from daq2lh5.buffer_processor.lh5_buffer_processor import (
    lh5_buffer_processor,
    process_file,
)
from daq2lh5.build_raw import get_streamer
from daq2lh5.errors import OutSpecError
from daq2lh5.raw_buffer import RawBuffer, RawBufferLibrary, write_to_lh5_and_clear
from daq2lh5.resources.memory import MIN_LIMIT

N_EVENTS, N_CHANNELS, SAMPLES = 30, 3, 200
KEYS = range(1027200, 1027200 + N_CHANNELS)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    path.write_bytes(
        writer.make_stream(
            N_EVENTS, n_channels=N_CHANNELS, n_samples=SAMPLES, status_every=10
        )
    )
    return path


@pytest.fixture(scope="module")
def raw(run) -> Path:
    """The run with a table for each channel, not processed."""
    path = run.with_name("raw.lh5")
    daq2lh5.build_raw(run, out_spec=out_spec(path, None))
    return path


def out_spec(path: Path, spec: object) -> dict:
    """Ask for a table for each channel, processed, and all else as it is."""
    rest = {"key_list": ["*"], "out_stream": str(path)}
    processed = rest if spec is None else rest | {"proc_spec": spec}
    return {
        "FCEventDecoder": {"ch{key:07d}/raw": copy.deepcopy(processed)},
        "*": {"{name}": rest},
    }


def tables_of(path: Path) -> dict[str, lgdo.LGDO]:
    names = [f"ch{key}/raw" for key in KEYS] + ["FCConfig", "FCStatus"]
    return {name: lh5.read(name, path) for name in names}


def processed(raw: Path, spec: object, db_dict: dict | None = None) -> dict:
    """Process what is in a raw file in memory."""
    tables = tables_of(raw)
    for name, table in tables.items():
        if name.startswith("ch"):
            rb = RawBuffer(lgdo=table, proc_spec=spec)
            tables[name] = buffer_processor(rb, db_dict)
    return tables


def bare(obj: lgdo.LGDO) -> lgdo.LGDO:
    """Forget how an object was to be written."""
    obj.attrs.pop("compression", None)
    obj.attrs.pop("hdf5_settings", None)
    for _, member in obj.items() if isinstance(obj, lgdo.Struct) else ():
        bare(member)
    return obj


GENERAL = {
    "dsp_config": {
        "outputs": ["low", "mean"],
        "processors": {
            "low, high": configs.saturation_node(),
            "mean, stdev, slope, intercept": {
                "module": "dspeed.processors",
                "function": "linear_slope_fit",
                "args": ["waveform", "mean", "stdev", "slope", "intercept"],
                "unit": ["ADC"] * 4,
            },
        },
    },
    "drop": ["waveform"],
}


class TestBuildRaw:
    @pytest.mark.parametrize(
        "spec",
        [
            configs.proc_spec(),
            {"window": ["waveform", 50, -50, "w"], "dtype_conv": {"w/t0": "float64"}},
            {"drop": ["waveform", "baseline"]},
            configs.proc_spec(hdf5_settings={"presummed/values": {"shuffle": False}}),
            configs.proc_spec(
                compression={
                    "windowed/values": "RadwareSigcompress(codec_shift=-32768)",
                    "presummed/values": "ULEB128ZigZagDiff()",
                }
            ),
        ],
        ids=["production", "window", "drop", "settings", "codecs"],
    )
    @pytest.mark.parametrize("threads", [1, 3])
    def test_rows_are_processed(self, run, raw, tmp_path, spec, threads):
        """As the public function does with the rows of the raw file."""
        out = tmp_path / "out.lh5"
        daq2lh5.build_raw(
            run, out_spec=out_spec(out, spec), buffer_size=7, threads=threads
        )
        wanted = processed(raw, spec)
        for name, table in tables_of(out).items():
            if "compression" in spec and name in wanted and name.startswith("ch"):
                # codecs forget the unit and give 32-bit integers
                for column in ("windowed", "presummed"):
                    got = table[column]["values"].nda
                    assert (got == wanted[name][column]["values"].nda).all()
                continue
            assert table == bare(wanted[name])

    def test_general_dsp(self, run, raw, tmp_path):
        pytest.importorskip("dspeed", reason="dspeed is not installed")
        out = tmp_path / "out.lh5"
        daq2lh5.build_raw(run, out_spec=out_spec(out, GENERAL), buffer_size=7)
        assert tables_of(out) == processed(raw, GENERAL)

    @pytest.mark.parametrize("operation", ["drop", "dsp_config"])
    def test_unknown_operation_is_told_once(self, run, tmp_path, caplog, operation):
        """However many buffers and chunks there are; the time is in the report."""
        spec = {"windw": [], "drop": ["baseline"]}
        if operation == "dsp_config":
            pytest.importorskip("dspeed", reason="dspeed is not installed")
            spec |= GENERAL
        report = daq2lh5.build_raw(
            run, out_spec=out_spec(tmp_path / "x.lh5", spec), buffer_size=5
        )
        assert caplog.text.count("windw") == 1
        assert [n for n in report.notes if "did you mean 'window'" in n] == report.notes
        stages = ["read", "decode", "process", "compress", "write", "finish", "total"]
        assert list(report.seconds) == stages

    def test_general_dsp_without_dspeed_is_refused_before_reading(
        self, run, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        with pytest.raises(ModuleNotFoundError, match="needs dspeed"):
            daq2lh5.build_raw(run, out_spec=out_spec(tmp_path / "x.lh5", GENERAL))
        assert list(tmp_path.iterdir()) == []

    def test_values_for_a_table(self, run, tmp_path):
        pytest.importorskip("dspeed", reason="dspeed is not installed")
        config = {
            "outputs": ["low"],
            "processors": {"low, high": configs.saturation_node(bits="db.bits")},
        }
        spec = out_spec(tmp_path / "x.lh5", {"dsp_config": config})
        values = {"ch1027200/raw": {"bits": 16}}
        daq2lh5.build_raw(run, out_spec=spec, db_dict=values)
        with h5py.File(tmp_path / "x.lh5") as file:
            assert "low" in file["ch1027200/raw"]
            assert "low" not in file["ch1027201/raw"]

    def test_specification_in_a_file(self, run, raw, tmp_path):
        (tmp_path / "spec.json").write_text(json.dumps(configs.proc_spec()))
        out = tmp_path / "out.lh5"
        spec = out_spec(out, str(tmp_path / "spec.json"))
        daq2lh5.build_raw(run, out_spec=spec)
        assert tables_of(out) == processed(raw, configs.proc_spec())

    def test_headers_are_left_alone(self, run, raw, tmp_path):
        """A specification for all decoders is for those with rows."""
        out = tmp_path / "out.lh5"
        spec = {
            "*": {
                "{name}": {
                    "key_list": ["*"],
                    "out_stream": str(out),
                    "proc_spec": configs.proc_spec(),
                }
            }
        }
        daq2lh5.build_raw(run, out_spec=spec)
        assert lh5.read("FCConfig", out) == lh5.read("FCConfig", raw)
        assert lh5.read("FCStatus", out) == lh5.read("FCStatus", raw)
        assert "waveform" not in lh5.read("FCEvent", out)

    @pytest.mark.parametrize(
        ("spec", "error"),
        [
            ({"window": ["waveform", 1]}, OutSpecError),
            ({"window": ["baseline", 1, 2, "w"]}, TypeError),
            ({"hdf5_settings": {"nothing": {}}}, KeyError),
            ({"hdf5_settings": {"baseline": {"compression": "none"}}}, ValueError),
            ({"compression": {"baseline": "ULEB128ZigZagDiff()"}}, ValueError),
        ],
    )
    def test_what_cannot_be_done_is_an_error_and_no_output(
        self, run, tmp_path, spec, error
    ):
        with pytest.raises(error):
            daq2lh5.build_raw(run, out_spec=out_spec(tmp_path / "x.lh5", spec))
        assert list(tmp_path.iterdir()) == []

    def test_production_imports_nothing_slow(self, run, tmp_path):
        code = (
            "import json, sys, daq2lh5\n"
            "daq2lh5.build_raw(sys.argv[1], out_spec=json.loads(sys.argv[2]))\n"
            "slow = {'lgdo', 'lh5', 'numba', 'dspeed', 'pandas', 'awkward'}\n"
            "assert not slow & set(sys.modules), slow & set(sys.modules)"
        )
        spec = json.dumps(out_spec(tmp_path / "x.lh5", configs.proc_spec()))
        done = subprocess.run(
            [sys.executable, "-c", code, str(run), spec],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def test_buffers_leave_room_for_results(self, tmp_path):
        """The memory limit is for rows and what comes of them."""
        path = tmp_path / "long.fcio"
        path.write_bytes(writer.make_stream(1, n_channels=1, n_samples=8000))
        window = {"window": ["waveform", 0, -1, "w"]}
        sizes = []
        for spec in (None, window, window | {"drop": ["waveform"]}):
            lib = RawBufferLibrary(out_spec(tmp_path / "x", spec))
            streamer = get_streamer(str(path))
            streamer.memory_limit = MIN_LIMIT
            streamer.open_stream(str(path), rb_lib=lib)
            sizes += [len(rb) for rb in streamer.rb_lib["FCEventDecoder"]]
            streamer.close_stream()
        # a window is a view, unless that alone would keep the waveforms
        assert sizes[1] == sizes[0]
        assert sizes[2] == pytest.approx(sizes[0] / 2, abs=1)

    def test_buffers_that_the_user_looked_at(self, run, raw, tmp_path):
        """Rows of a table that was handed out are processed as others are."""
        out = tmp_path / "out.lh5"
        lib = RawBufferLibrary(out_spec(out, configs.proc_spec()))
        with daq2lh5.open_stream(str(run), rb_lib=lib) as (streamer, header):
            write_to_lh5_and_clear(header)
            for chunk in streamer:
                assert all(rb.lgdo is not None for rb in chunk)
                write_to_lh5_and_clear(chunk)
        assert tables_of(out) == processed(raw, configs.proc_spec())

    def test_written_by_lh5(self, run, raw, tmp_path):
        """In a mode that lh5 has to write in, rows are processed too."""
        out = tmp_path / "out.lh5"
        lib = RawBufferLibrary(out_spec(out, configs.proc_spec()))
        with daq2lh5.open_stream(str(run), rb_lib=lib) as (streamer, header):
            for chunk in chain([header], streamer):
                write_to_lh5_and_clear(chunk, wo_mode="write_safe")
        assert tables_of(out) == processed(raw, configs.proc_spec())


class TestFiles:
    @pytest.mark.parametrize("spec", [configs.proc_spec(), {"drop": ["waveform"]}])
    def test_tables_are_processed_and_the_rest_is_copied(self, raw, tmp_path, spec):
        out = tmp_path / "out.lh5"
        report = lh5_buffer_processor(
            str(raw), out_spec=out_spec(raw, spec), proc_file_name=str(out)
        )
        assert tables_of(out) == processed(raw, spec)
        assert report.tables[str(out)]["ch1027200/raw"].rows == N_EVENTS
        assert report.exit_status == 0
        with h5py.File(out) as file, h5py.File(raw) as before:
            assert file.attrs["datatype"] == before.attrs["datatype"]

    def test_a_specification_alone_is_for_all_with_waveforms(self, raw, tmp_path):
        out = tmp_path / "out.lh5"
        spec = configs.proc_spec(hdf5_settings={"presummed/values": {"shuffle": False}})
        lh5_buffer_processor(str(raw), out_spec=spec, proc_file_name=str(out))
        assert tables_of(out) == {
            name: bare(table) for name, table in processed(raw, spec).items()
        }

    def test_default_name(self, raw):
        out = raw.with_name("raw_proc.lh5")
        for overwrite in (False, True):
            lh5_buffer_processor(
                str(raw), out_spec={"drop": ["waveform"]}, overwrite=overwrite
            )
            assert out.exists()
        with pytest.raises(FileExistsError):
            lh5_buffer_processor(str(raw), out_spec={"drop": ["waveform"]})
        out.unlink()

    @pytest.mark.parametrize(
        ("buffers", "changed"),
        [
            ({"ch1027201/raw": {}}, {1}),
            ({"ch1027201": {}}, {1}),
            ({"x": {"out_stream": "x.lh5:ch1027202", "out_name": "raw"}}, {2}),
            ({"raw": {}}, {0, 1, 2}),
            ({"other": {"out_name": "raw"}}, {0, 1, 2}),
            ({"ch*": {}}, set()),
            ({"{name}": {}}, {0, 1, 2}),
            ({"nothing": {}}, set()),
        ],
    )
    def test_which_tables(self, raw, tmp_path, buffers, changed):
        out = tmp_path / "out.lh5"
        decoder = "*" if "{name}" in buffers else "FCEventDecoder"
        spec = {
            decoder: {
                name: {"key_list": ["*"], "proc_spec": {"drop": ["waveform"]}} | info
                for name, info in buffers.items()
            }
        }
        report = lh5_buffer_processor(str(raw), out_spec=spec, proc_file_name=str(out))
        tables = tables_of(out)
        assert changed == {
            i for i, key in enumerate(KEYS) if "waveform" not in tables[f"ch{key}/raw"]
        }
        assert bool(report.notes) == (not changed)

    def test_a_dictionary_is_expanded_in_place(self, raw, tmp_path):
        """As the established converter does: scripts look at it afterwards."""
        spec = {
            "FCEventDecoder": {
                "ch{key}/raw": {
                    "key_list": [[KEYS[0], KEYS[1]]],
                    "proc_spec": {"drop": ["waveform"]},
                }
            }
        }
        lh5_buffer_processor(
            str(raw), out_spec=spec, proc_file_name=str(tmp_path / "x.lh5")
        )
        assert set(spec["FCEventDecoder"]) == {f"ch{key}/raw" for key in KEYS[:2]}

    def test_rows_are_read_a_few_at_a_time(self, tmp_path, monkeypatch):
        """No more than the memory limit allows."""
        rng = np.random.default_rng(0)
        values = rng.integers(0, 2**16, (301, 20000), dtype=np.uint16)
        table = lgdo.Table(
            {
                "waveform": lgdo.WaveformTable(
                    values=values, dt=16.0, dt_units="ns", t0=0.0, t0_units="ns"
                ),
                "hits": lgdo.VectorOfVectors([[i] * (i % 5) for i in range(301)]),
            }
        )
        lh5.write(table, "raw", tmp_path / "raw.lh5")
        read, most = lh5.read, []

        def spy(*arguments, **rows):
            most.append(rows["n_rows"])
            return read(*arguments, **rows)

        monkeypatch.setattr(lh5, "read", spy)
        process_file(
            str(tmp_path / "raw.lh5"),
            configs.proc_spec(),
            str(tmp_path / "out.lh5"),
            memory_limit=MIN_LIMIT,
        )
        monkeypatch.undo()
        assert max(most) * 20000 * 2 < MIN_LIMIT // 4
        assert sum(most) == 301
        out = lh5.read("raw", tmp_path / "out.lh5")
        assert (out.presummed["values"].nda == reference.presum(values, 2500)).all()
        assert (out.windowed["values"].nda == values[:, 10:30]).all()
        assert out.hits == table.hits

    def test_links(self, raw, tmp_path, caplog):
        """Names of detectors for the tables of channels stay names of them."""
        linked, out = tmp_path / "linked.lh5", tmp_path / "out.lh5"
        linked.write_bytes(raw.read_bytes())
        with h5py.File(linked, "a") as file:
            names = file.create_group("raw")
            names.attrs["datatype"] = "struct{V02}"
            names["V02"] = file["ch1027201/raw"]
            names["self"] = names
            names["nowhere"] = h5py.SoftLink("/nothing")
            file["bare"] = [1, 2]
        lh5_buffer_processor(
            str(linked), out_spec={"drop": ["waveform"]}, proc_file_name=str(out)
        )
        with h5py.File(out) as file:
            assert file["raw/V02"] == file["ch1027201/raw"]
            assert file["raw"].attrs["datatype"] == "struct{V02}"
            assert set(file["raw"]) == {"V02"}
        assert "raw/nowhere" in caplog.text
        assert "'bare' has no datatype" in caplog.text
        assert tables_of(out) == processed(raw, {"drop": ["waveform"]})

    def test_encoded_waveforms(self, run, raw, tmp_path):
        encoded, out = tmp_path / "encoded.lh5", tmp_path / "out.lh5"
        spec = {"compression": {"waveform/values": "ULEB128ZigZagDiff()"}}
        daq2lh5.build_raw(run, out_spec=out_spec(encoded, spec))
        lh5_buffer_processor(
            str(encoded),
            out_spec={"window": ["waveform", 10, 30, "w"], "drop": ["waveform"]},
            proc_file_name=str(out),
        )
        wanted = lh5.read("ch1027200/raw/waveform/values", raw).nda[:, 10:30]
        assert (lh5.read("ch1027200/raw/w/values", out).nda == wanted).all()

    @pytest.mark.parametrize(
        ("spec", "error"),
        [
            (None, OutSpecError),
            ({}, OutSpecError),
            ([1], OutSpecError),
            ({"drop": 5}, OutSpecError),
            ({"FCEventDecoder": {"raw": {"proc_spec": {}}}}, OutSpecError),
            ({"hdf5_settings": {"nothing": {}}}, KeyError),
            ("nothing.json", FileNotFoundError),
        ],
    )
    def test_wrong_specification(self, raw, tmp_path, spec, error):
        with pytest.raises(error):
            lh5_buffer_processor(
                str(raw), out_spec=spec, proc_file_name=str(tmp_path / "x.lh5")
            )
        assert list(tmp_path.iterdir()) == []

    def test_wrong_input(self, run, tmp_path):
        out = str(tmp_path / "x.lh5")
        spec = {"drop": ["waveform"]}
        with pytest.raises(FileNotFoundError):
            lh5_buffer_processor("nothing.lh5", out_spec=spec, proc_file_name=out)
        with pytest.raises(RuntimeError, match="HDF5"):
            lh5_buffer_processor(str(run), out_spec=spec, proc_file_name=out)
        h5py.File(tmp_path / "empty.lh5", "w").close()
        with pytest.raises(RuntimeError, match="nothing"):
            lh5_buffer_processor(
                str(tmp_path / "empty.lh5"), out_spec=spec, proc_file_name=out
            )
        assert not Path(out).exists()


class TestCommandLine:
    @pytest.fixture
    def here(self, raw, tmp_path, monkeypatch) -> Path:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "raw.lh5").write_bytes(raw.read_bytes())
        spec = out_spec("{somewhere}/x.lh5", configs.proc_spec())
        (tmp_path / "spec.json").write_text(json.dumps(spec))
        return tmp_path

    def process(self, *arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(cli.main, ["process", *arguments])
        assert result.exit_code == status, result.output
        return result.output

    def test_process(self, here, raw):
        said = self.process("raw.lh5", "-s", "spec.json", "-v")
        assert f"ch1027200/raw {N_EVENTS}" in said
        assert "total" in said
        assert tables_of(here / "raw_proc.lh5") == processed(raw, configs.proc_spec())
        said = self.process("raw.lh5", "-s", "spec.json", status=2)
        assert "exists" in said
        assert self.process("raw.lh5", "-s", "spec.json", "-w", "-q") == ""

    def test_convert(self, run, here, raw):
        options = ("-o", "spec.json", "-k", '{"somewhere": "."}', str(run))
        result = CliRunner().invoke(cli.main, ["convert", *options])
        assert result.exit_code == 0, result.output
        assert tables_of(here / "x.lh5") == processed(raw, configs.proc_spec())

    def test_options(self, here):
        self.process(
            *("raw.lh5", "-s", "spec.json", "-o", "new/out.lh5", "-j", "1"),
            *("--memory-limit", "64M", "-k", '{"hdf5_settings": {"shuffle": false}}'),
        )
        with h5py.File("new/out.lh5") as file:
            assert not file["ch1027200/raw/baseline"].shuffle

    def test_unknown_operations_are_mentioned_once(self, here, caplog):
        """Also if they make the specification look like one of buffers."""
        (here / "spec.json").write_text('{"drop": [], "windw": 5}')
        self.process("raw.lh5", "-s", "spec.json")
        said = [m for m in caplog.messages if "windw" in m]
        assert len(said) == 1
        assert "did you mean 'window'" in said[0]

    def test_dsp_that_cannot_be_is_mentioned_once(self, run, here, caplog):
        """Nothing comes of it, as with the peer, but not without a word."""
        pytest.importorskip("dspeed", reason="dspeed is not installed")
        wrong = {"function": "none_such", "module": "dspeed.processors"}
        wrong["args"] = ["waveform", "out"]
        missing = {**wrong, "args": ["elsewhere", "out"]}
        for function, wanted in ((wrong, 1), (missing, 0)):
            caplog.clear()
            dsp = {"outputs": ["out"], "processors": {"out": function}}
            spec = {"dsp_config": dsp}
            path = here / "x.lh5"
            daq2lh5.build_raw(
                run, out_spec=out_spec(path, spec), buffer_size=10, overwrite=True
            )
            ours = [r for r in caplog.records if r.name.startswith("daq2lh5")]
            said = [r.getMessage() for r in ours if r.levelname == "WARNING"]
            assert len(said) == wanted
            assert all("none_such" in m for m in said)

    @pytest.mark.parametrize(
        "arguments",
        [
            ("nothing.lh5", "-s", "spec.json"),
            ("raw.lh5", "-s", "nothing.json"),
            ("raw.lh5", "-s", "raw.lh5"),
            ("raw.lh5", "-s", "spec.json", "-o", "raw.lh5"),
            ("raw.lh5", "-s", "spec.json", "--memory-limit", "1k"),
            ("raw.lh5", "-s", "spec.json", "-k", "5"),
            ("raw.lh5", "-s", "spec.json", "-k", '{"out_spec": 1}'),
            ("raw.lh5",),
        ],
    )
    def test_wrong_usage_is_2(self, here, arguments):
        assert "rror" in self.process(*arguments, status=2)
        assert {p.name for p in here.iterdir()} == {"raw.lh5", "spec.json"}

    def test_no_lh5_file_is_1(self, here):
        assert "HDF5" in self.process("spec.json", "-s", "spec.json", status=1)
