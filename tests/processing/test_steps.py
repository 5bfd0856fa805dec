"""Operations of a `proc_spec`: on LGDOs, on plain arrays, and what is refused."""

from __future__ import annotations

import json

import lgdo
import numpy as np
import pytest
import yaml
from kit.generators import dsp_configs as configs
from kit.reference import processing as reference

from daq2lh5.buffer_processor import buffer_processor as bp
from daq2lh5.buffers.table_buffer import TableBuffer
from daq2lh5.errors import OutSpecError
from daq2lh5.processing.dsp import NativeChain
from daq2lh5.processing.plan import Plan, plan_for
from daq2lh5.processing.spec import ProcSpec
from daq2lh5.raw_buffer import RawBuffer
from daq2lh5.writing.layout import Dataset, layout_of_lgdo

N, FILLED, SAMPLES = 12, 7, 100

DECODED_VALUES = {
    "energy": {"dtype": "uint16", "units": "ADC"},
    "flag": {"dtype": "bool"},
    "kind": {"dtype": "uint8", "kind": "real"},
    "trace": {
        "dtype": "int16",
        "datatype": "array_of_equalsized_arrays<1,1>{real}",
        "length": 9,
        "units": "mV",
    },
    "hits": {"dtype": "uint32", "datatype": "array<1>{array<1>{real}}"},
    "waveform": {
        "dtype": "uint16",
        "datatype": "waveform",
        "wf_len": SAMPLES,
        "dt": 16,
        "dt_units": "ns",
        "t0_units": "ns",
    },
}


@pytest.fixture
def table() -> TableBuffer:
    """A buffer of all kinds of columns, with some rows filled."""
    table = TableBuffer(DECODED_VALUES, N)
    rng = np.random.default_rng(3)
    arrays = table.arrays
    for name in ("energy", "kind", "trace", "waveform/values"):
        arrays[name][...] = rng.integers(0, 100, arrays[name].shape)
    arrays["flag"][::2] = True
    arrays["waveform/t0"][:] = 1000.5 + np.arange(N)
    arrays["hits/offsets"][:] = 2 * np.arange(N + 1)
    arrays["hits/flattened_data"] = np.arange(2 * N, dtype=np.uint32)
    return table


def buffer_of(table: TableBuffer, spec: object) -> RawBuffer:
    rb = RawBuffer(proc_spec=spec, out_name="raw")
    rb.use_table(table)
    rb.loc = FILLED
    return rb


def written(dataset: Dataset, values: np.ndarray) -> tuple:
    """Return what makes up a dataset; bools are bytes on disk."""
    if values.dtype == bool:
        values = values.view(np.uint8)
    assert values.shape[1:] == dataset.row_shape
    assert values.dtype == dataset.dtype
    described = dataset.dtype, dataset.row_shape, dataset.attrs, dataset.settings
    return *described, values.tolist()


def described(table: lgdo.Table) -> dict:
    """Return attributes, types and values of all that a table is written as."""
    layout, rows = layout_of_lgdo(table)
    found = {path: dict(attrs) for path, attrs in layout.groups.items()}
    for dataset, values in zip(layout.datasets, rows, strict=True):
        found[dataset.path] = written(dataset, values)
    return found


SPECS = {
    "window": {"window": ["waveform", 10, 30, "windowed"]},
    "window from the end": {"window": ["waveform", -30, -10, "windowed"]},
    "window beyond the end": {"window": ["waveform", 90, 1000, "windowed"]},
    "empty window": {"window": ["waveform", 50, 20, "windowed"]},
    "window of arrays": {"window": ["trace", 2, -2, "short"]},
    "window in place": {"window": ["waveform", 10, 30, "waveform"]},
    "window of nothing": {"window": ["nothing", 10, 30, "windowed"]},
    "dsp": {"dsp_config": configs.production()},
    "dsp of another column": {
        "dsp_config": {
            "outputs": ["low"],
            "processors": {"low, high": configs.saturation_node(source="nothing")},
        }
    },
    "types": {
        "dtype_conv": {
            "energy": "float64",
            "waveform/values": "int32",
            "waveform/t0": "float64",
            "waveform/dt": "uint16",
            "flag": "int8",
            "trace": "float32",
            "kind": "uint8",
        }
    },
    "types up to the first that is not there": {
        "dtype_conv": {"energy": "int32", "nothing": "int8", "kind": "int64"}
    },
    "types of what is new": {
        "window": ["waveform", 10, 30, "windowed"],
        "dsp_config": configs.production(),
        "dtype_conv": {
            "windowed/values": "int16",
            "presummed/values": "int64",
            "rate": "uint8",
        },
    },
    "types of what is new, not reached": {
        "dsp_config": configs.production(),
        "dtype_conv": {"rate": "uint8", "nothing": "int8", "presummed/values": "u4"},
    },
    "drop": {"drop": ["waveform", "hits", "flag"]},
    "drop up to the first that is not there": {"drop": ["flag", "nothing", "hits"]},
    "settings": {
        "compression": {},
        "hdf5_settings": {
            "waveform/values": {"compression": "lzf"},
            "energy": {"shuffle": False, "chunks": [5]},
        },
    },
    "production": configs.proc_spec(
        hdf5_settings={"presummed/values": {"compression": "lzf"}}
    ),
}


class TestOnArrays:
    @pytest.mark.parametrize("own", [False, True])
    @pytest.mark.parametrize("name", SPECS)
    def test_results_are_those_on_lgdos(self, table, name, own):
        """Attributes, types, settings and values; nothing that is given changes."""
        rb = buffer_of(table, SPECS[name])
        before = {path: array.copy() for path, array in table.arrays.items()}
        plan = Plan(table.fields, SPECS[name])
        rows = plan.run(table.arrays, FILLED, own)
        for path, array in table.arrays.items():
            assert array.dtype == before[path].dtype
            assert (array == before[path]).all()
        if own:
            arrays = table.arrays.values()
            assert not any(np.may_share_memory(r, a) for r in rows for a in arrays)
        found = {path: dict(attrs) for path, attrs in plan.layout.groups.items()}
        for dataset, values in zip(plan.layout.datasets, rows, strict=True):
            found[dataset.path] = written(dataset, values)
        wanted = described(bp.buffer_processor(rb))
        # a table is the same in any order of columns
        assert found == wanted

    def test_only_filled_rows(self, table):
        plan = Plan(table.fields, SPECS["production"])
        assert {
            len(rows)
            for dataset, rows in zip(
                plan.layout.datasets, plan.run(table.arrays, FILLED), strict=True
            )
            if dataset.path != "hits/flattened_data"
        } == {FILLED}

    def test_sums_are_integers_at_once(self, table):
        """Nothing is converted when 32-bit integers are wanted in the end."""
        chain = NativeChain.of(configs.production())
        wanted = {"presummed/values": np.dtype(np.uint32)}
        sums = chain.run(table.arrays, FILLED, wanted)["presummed/values"]
        assert sums.dtype == np.uint32
        values = table.arrays["waveform/values"][:FILLED]
        assert (sums == reference.presum(values, SAMPLES // 8)).all()

    @pytest.mark.parametrize("name", ["window", "production", "drop"])
    def test_bytes_of_a_row(self, table, name):
        plan = Plan(table.fields, SPECS[name])
        wanted = sum(
            d.row_bytes for d in plan.layout.datasets if not d.path.startswith("hits/")
        )
        vectors = sum(f.row_bytes() for f in plan.fields if f.kind == "vector")
        assert plan.row_bytes == wanted + vectors
        # the memory of what stays is not held back by what goes
        assert plan.own_rows == ("waveform" not in {f.name for f in plan.fields})

    @pytest.mark.parametrize(
        "spec",
        [
            {"drop": ["waveform/t0"]},
            {"dsp_config": configs.production() | {"outputs": ["energy"]}},
        ],
        ids=["member", "dspeed"],
    )
    def test_what_needs_lgdos(self, table, spec):
        assert Plan(table.fields, spec).layout is None

    def test_tables_of_the_same_columns_share_a_plan(self, table):
        spec = SPECS["production"]
        other = table.like(5)
        assert plan_for(table, spec) is plan_for(other, spec)
        assert plan_for(table, spec).layout is plan_for(other, spec).layout
        assert plan_for(table, dict(spec)) is not plan_for(table, spec)


class TestOnLGDOs:
    def test_times_of_a_window(self, table):
        result = bp.buffer_processor(buffer_of(table, SPECS["window"]))
        assert result.windowed.t0.nda[0] == np.float32(1000.5 + 160)
        assert result.windowed.t0.attrs["units"] == "ns"
        assert result.windowed.dt.nda[0] == 16
        assert (
            result.windowed["values"].nda == table.arrays["waveform/values"][:7, 10:30]
        ).all()

    def test_all_rows_of_a_buffer_without_filled_ones(self, table):
        rb = buffer_of(table, SPECS["production"])
        assert len(bp.buffer_processor(rb)) == FILLED
        rb.loc = 0
        assert len(bp.buffer_processor(rb)) == N

    def test_what_is_not_changed_is_shared(self, table):
        rb = buffer_of(table, SPECS["production"])
        result = bp.buffer_processor(rb)
        assert np.shares_memory(result.energy.nda, table.arrays["energy"])
        assert np.shares_memory(
            result.windowed["values"].nda, table.arrays["waveform/values"]
        )

    def test_what_is_no_table_is_returned(self):
        scalar = lgdo.Scalar("text")
        rb = RawBuffer(lgdo=scalar, proc_spec=SPECS["drop"])
        assert bp.buffer_processor(rb) is scalar

    def test_nested_tables_and_encoded_columns(self):
        inner = lgdo.Table({"a": lgdo.Array(np.arange(4)), "b": lgdo.Array(np.ones(4))})
        encoded = lgdo.VectorOfEncodedVectors(
            encoded_data=lgdo.VectorOfVectors(
                [[1, 2], [3], [], [4]], dtype="uint8", attrs={}
            ),
            decoded_size=lgdo.Array(np.arange(4)),
        )
        data = lgdo.Table({"inner": inner, "encoded": encoded})
        spec = {
            "dtype_conv": {"inner/a": "float32"},
            "drop": ["inner/b"],
            "hdf5_settings": {"inner/a": {"shuffle": False}},
        }
        result = bp.buffer_processor(RawBuffer(lgdo=data, proc_spec=spec))
        assert result.inner.a.nda.dtype == np.float32
        assert result.inner.a.attrs["hdf5_settings"] == {"shuffle": False}
        assert set(result.inner) == {"a"}
        assert set(inner) == {"a", "b"}
        assert inner.a.nda.dtype == np.int64
        assert len(result.encoded) == 4
        rb = RawBuffer(lgdo=data, proc_spec=spec)
        rb.loc = 2
        with pytest.raises(TypeError, match="2 of the 4 rows"):
            bp.buffer_processor(rb)

    def test_codecs(self, table):
        from lh5.compression import RadwareSigcompress, ULEB128ZigZagDiff

        spec = configs.proc_spec(
            compression={
                "windowed/values": "RadwareSigcompress(codec_shift=-32768)",
                "presummed/values": ULEB128ZigZagDiff(),
            }
        )
        result = bp.buffer_processor(buffer_of(table, spec))
        attrs = result.windowed["values"].attrs
        assert attrs["compression"] == RadwareSigcompress(codec_shift=-32768)
        attrs = result.presummed["values"].attrs
        assert attrs["compression"] == ULEB128ZigZagDiff()

    def test_single_operations(self, table):
        """The functions for one operation each change the table that they get."""
        spec = SPECS["production"]
        rb = buffer_of(table, spec)
        result = lgdo.Table(size=N)
        result.join(rb.lgdo)
        bp.process_window(rb, result)
        assert "windowed" in result
        bp.process_dsp(rb, result)
        assert result.presummed["values"].nda.dtype == np.float32
        bp.process_dtype_conv(rb, result)
        assert result.presummed["values"].nda.dtype == np.uint32
        bp.process_drop(rb, result)
        assert "waveform" not in result

    def test_window_of_what_has_no_samples(self):
        with pytest.raises(TypeError, match="Array"):
            bp.window_array_of_arrays(lgdo.Array(np.arange(3)), 1, 2)


REFUSED = {
    "window too short": ({"window": ["waveform", 1, 2]}, "window must be"),
    "window without numbers": ({"window": ["waveform", "a", 2, "w"]}, "window must be"),
    "window as text": ({"window": "waveform"}, "window must be"),
    "no such type": ({"dtype_conv": {"energy": "uint23"}}, "'energy'.*'uint23'"),
    "no type": ({"dtype_conv": {"energy": None}}, "'energy'"),
    "text as a type": ({"dtype_conv": {"energy": "U5"}}, "'U5'"),
    "types in a list": ({"dtype_conv": ["energy"]}, "dtype_conv must be a dictionary"),
    "name to drop": ({"drop": "waveform"}, "drop must be a list"),
    "filter as a codec": ({"compression": {"energy": "gzip"}}, "'gzip'.*hdf5_settings"),
    "misspelled codec": (
        {"compression": {"waveform/values": "RadwareSigcompres()"}},
        "did you mean 'RadwareSigcompress'",
    ),
    "name of a filter": ({"hdf5_settings": {"energy": "gzip"}}, "'energy'"),
    "number": (5, "proc_spec is 5"),
    "file that is not there": ("nothing.json", "nothing.json"),
    "dsp file that is not there": ({"dsp_config": "nothing.yaml"}, "nothing.yaml"),
    "list in a file": ("list.json", "expected a dictionary"),
    "neither JSON nor YAML": ("spec.txt", "spec.txt"),
}


class TestSpecification:
    @pytest.mark.parametrize("name", REFUSED)
    def test_what_cannot_be_meant_is_refused(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "list.json").write_text("[1]")
        (tmp_path / "spec.txt").write_text("{}")
        spec, message = REFUSED[name]
        with pytest.raises(OutSpecError, match=message):
            ProcSpec.of(spec)

    def test_unknown_operations_are_reported(self, table, caplog):
        spec = {"windw": ["waveform", 1, 2, "w"]}
        (text,) = ProcSpec.of(spec).warnings
        assert "did you mean 'window'" in text
        bp.buffer_processor(RawBuffer(table.as_lgdo(), proc_spec=spec))
        assert text in caplog.text

    def test_files(self, table, tmp_path, monkeypatch):
        monkeypatch.setenv("SPECS", str(tmp_path))
        (tmp_path / "dsp.json").write_text(json.dumps(configs.production()))
        spec = configs.proc_spec(dsp_config="$SPECS/dsp.json")
        (tmp_path / "spec.yaml").write_text(yaml.dump(spec))
        result = bp.buffer_processor(buffer_of(table, "$SPECS/spec.yaml"))
        wanted = bp.buffer_processor(buffer_of(table, configs.proc_spec()))
        assert described(result) == described(wanted)

    @pytest.mark.parametrize(
        ("spec", "error"),
        [
            ({"window": ["energy", 1, 2, "w"]}, TypeError),
            ({"window": ["hits", 1, 2, "w"]}, TypeError),
            ({"dtype_conv": {"waveform": "int8"}}, TypeError),
            ({"dtype_conv": {"hits": "int8"}}, TypeError),
            ({"hdf5_settings": {"nothing": {}}}, KeyError),
            ({"hdf5_settings": {"waveform/nothing": {}}}, KeyError),
            ({"compression": {"gone": "ULEB128ZigZagDiff()"}}, KeyError),
        ],
    )
    def test_columns_that_operations_are_not_for(self, table, spec, error):
        with pytest.raises(error):
            Plan(table.fields, spec)
        with pytest.raises(error):
            bp.buffer_processor(buffer_of(table, spec))

    @pytest.mark.parametrize("path", ["waveform", "hits"])
    def test_settings_of_what_is_no_array(self, table, path):
        with pytest.raises(TypeError, match="not an array"):
            Plan(table.fields, {"hdf5_settings": {path: {"shuffle": False}}})
