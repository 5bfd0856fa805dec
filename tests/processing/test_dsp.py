"""Which `dsp_config` the kernels do, and that dspeed would give the same."""

from __future__ import annotations

import copy
import warnings

import lgdo
import numpy as np
import pytest
from kit.generators import dsp_configs as configs
from kit.generators.samples import DTYPES, random_samples
from kit.reference import processing as reference

from daq2lh5.buffer_processor.buffer_processor import buffer_processor
from daq2lh5.processing.dsp import NativeChain
from daq2lh5.raw_buffer import RawBuffer

PRESUM = "rate, presummed"


def with_presum(**fields) -> dict:
    """Ask for a presummed waveform described in some way."""
    return {
        "outputs": ["rate", "presummed"],
        "processors": {PRESUM: configs.presum_node(**fields)},
    }


def with_output(text: str) -> dict:
    """Ask for a presummed waveform by another expression."""
    config = with_presum()
    config["processors"][PRESUM]["args"][3] = text
    return config


def with_saturation(**fields) -> dict:
    return {
        "outputs": ["low", "high"],
        "processors": {"low, high": configs.saturation_node(**fields)},
    }


ALIKE = {
    "production": configs.production(),
    "other order of the names": {
        "outputs": ["high", "presummed"],
        "processors": {
            "presummed,rate": configs.presum_node(),
            "high,low": configs.saturation_node(),
        },
    },
    "factor 16": with_presum(factor=16),
    "factor that leaves samples over": with_presum(factor=7),
    "factor beyond float32": with_presum(factor=300),
    "division in floats": with_presum(factor=8, division="/"),
    "means": with_presum(mean=1),
    "means of three": with_presum(factor=3, mean=1),
    "float64": with_presum(extra=", dtype='d'"),
    "float32 by name": with_presum(extra=", dtype='float32'"),
    "no unit": {
        "outputs": ["presummed", "low"],
        "processors": {
            PRESUM: {k: v for k, v in configs.presum_node().items() if k != "unit"},
            "low, high": configs.saturation_node(unit=None),
        },
    },
    "module with the function": with_presum(
        function="dspeed.processors.presum", module=None
    ),
    "14 bits": with_saturation(bits=14),
    "bits as a float": with_saturation(bits=12.0),
    "period first": with_output(
        "presummed(period=4*waveform.period, offset=waveform.offset, "
        "shape=len(waveform)//4)"
    ),
    "same period": with_output(
        "presummed(shape=len(waveform)//2, period=waveform.period, "
        "offset=waveform.offset)"
    ),
}
del ALIKE["module with the function"]["processors"][PRESUM]["module"]
del ALIKE["no unit"]["processors"]["low, high"]["unit"]

OTHER = {
    "another processor besides": {
        "outputs": ["rate", "presummed", "low", "high", "mean"],
        "processors": {
            **configs.production()["processors"],
            "mean": {"function": "mean", "module": "dspeed.processors", "args": []},
        },
    },
    "column that is copied": configs.production() | {"outputs": ["rate", "waveform"]},
    "no outputs": {"processors": configs.production()["processors"]},
    "no processors": {"outputs": ["rate"]},
    "value of a database": with_saturation(bits="db.bits"),
    "unit of time": with_saturation(unit="ns"),
    "list of units": with_saturation(unit=["ADC", "ADC"]),
    "further settings": with_saturation(defaults={"db.bits": 16}),
    "other module": with_saturation(module="my.processors"),
    "function as an expression": {
        "outputs": ["low"],
        "processors": {"low, high": "dspeed.processors.saturation(waveform,16,low)"},
    },
    "window of the waveform": with_saturation(source="waveform[10:20]"),
    "no whole number of bits": with_saturation(bits=15.5),
    "no bits": with_saturation(bits=0),
    "many bits": with_saturation(bits=64),
    "true for a number": with_presum(mean=True),
    "other way to divide": with_presum(mean=2),
    "names that are not the results": {
        "outputs": ["a"],
        "processors": {"a, b": configs.saturation_node()},
    },
    "result called like the waveform": {
        "outputs": ["waveform"],
        "processors": {"rate, waveform": configs.presum_node(output="waveform")},
    },
    "integer sums": with_presum(extra=", dtype='uint32'"),
    "dtype that is no constant": with_presum(extra=", dtype=waveform"),
    "no offset": with_output("presummed(shape=len(waveform)//8, period=16)"),
    "other offset": with_output(
        "presummed(shape=len(waveform)//8, period=waveform.period*8, offset=16)"
    ),
    "length in a sum": with_output(
        "presummed(shape=len(waveform)//8+1, period=waveform.period*8, "
        "offset=waveform.offset)"
    ),
    "positional length": with_output(
        "presummed(len(waveform)//8, period=waveform.period*8, offset=waveform.offset)"
    ),
    "unit in the expression": with_output(
        "presummed(shape=len(waveform)//8, period=waveform.period*8, "
        "offset=waveform.offset, unit='ADC')"
    ),
    "other waveform's length": with_output(
        "presummed(shape=len(other)//8, period=waveform.period*8, "
        "offset=waveform.offset)"
    ),
    "no expression": with_output("presummed("),
    "no call": with_output("presummed"),
    "negative factor": with_output(
        "presummed(shape=len(waveform)//-8, period=waveform.period*8, "
        "offset=waveform.offset)"
    ),
    "number for an expression": with_output(5),
    "arguments missing": with_saturation(args=["waveform", 16, "low"]),
}


def table_of(values: np.ndarray, units: str = "ns") -> lgdo.Table:
    n = len(values)
    waveform = lgdo.WaveformTable(
        values=values,
        t0=np.arange(n, dtype=np.float32) + np.float32(0.3),
        t0_units=units,
        dt=np.full(n, 16, np.float32),
        dt_units=units,
    )
    return lgdo.Table({"waveform": waveform, "energy": lgdo.Array(np.arange(n))})


def by_dspeed(table: lgdo.Table, config: dict) -> lgdo.Table:
    pytest.importorskip("dspeed", reason="dspeed is not installed")
    from dspeed.processing_chain import build_processing_chain

    chain, _, results = build_processing_chain(
        tb_in=table, processors=copy.deepcopy(config)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain.execute()
    return results


def by_us(table: lgdo.Table, config: dict) -> lgdo.Table:
    return buffer_processor(RawBuffer(lgdo=table, proc_spec={"dsp_config": config}))


def same(ours: lgdo.LGDO, theirs: lgdo.LGDO) -> bool:
    """Compare types, attributes and values bit by bit."""
    assert type(ours) is type(theirs)
    wanted = dict(theirs.attrs)
    if isinstance(theirs, lgdo.WaveformTable):
        # a second chunk of a waveform with attributes is not read by lh5
        wanted = {"datatype": theirs.attrs["datatype"]}
    assert ours.attrs == wanted
    if isinstance(ours, lgdo.Table):
        return all(same(ours[name], theirs[name]) for name in theirs)
    assert ours.nda.dtype == theirs.nda.dtype
    return ours.nda.shape == theirs.nda.shape and (
        ours.nda.tobytes() == theirs.nda.tobytes()
    )


class TestRecognition:
    @pytest.mark.parametrize("name", ALIKE)
    def test_what_the_kernels_do(self, name):
        assert NativeChain.of(ALIKE[name]) is not None

    @pytest.mark.parametrize("name", OTHER)
    def test_what_is_left_to_dspeed(self, name):
        assert NativeChain.of(OTHER[name]) is None

    @pytest.mark.parametrize(
        ("values", "units"),
        [
            (np.zeros((2, 40), np.int64), "ns"),
            (np.zeros((2, 40), np.float32), "ns"),
            (np.zeros((2, 40), np.uint16), "us"),
            (np.zeros((2, 5), np.uint16), "ns"),
        ],
        ids=["int64", "floats", "microseconds", "too short"],
    )
    def test_waveforms_that_are_left_to_dspeed(self, values, units):
        from daq2lh5.processing.steps import _as_field

        source = _as_field("waveform", table_of(values, units)["waveform"])
        chain = NativeChain.of(configs.production())
        assert chain.describe({"waveform": source}) is None


class TestResults:
    def test_reference(self):
        """Values, types, times and units, with no dspeed at hand."""
        values = random_samples("uint16", (5, 203))
        result = by_us(table_of(values), configs.production())
        assert (result.presummed.values.nda == reference.presum(values, 25)).all()
        low, high = reference.saturation(values, 16)
        assert (result.low.nda == low).all()
        assert (result.high.nda == high).all()
        assert result.rate.nda.tolist() == [8.0] * 5
        assert result.presummed.dt.nda.tolist() == [128.0] * 5
        assert (result.presummed.t0.nda == result.waveform.t0.nda).all()
        assert set(result.presummed.attrs) == {"datatype"}
        assert result.presummed["values"].attrs["units"] == "ADC"
        assert result.presummed.dt.attrs["units"] == "ns"
        assert result.presummed.t0.attrs["units"] == "ns"

    def test_each_row_has_its_own_sampling_period(self):
        table = table_of(random_samples("uint16", (3, 40)))
        table.waveform.dt.nda[:] = [16, 4, 8]
        result = by_us(table, configs.production())
        assert result.presummed.dt.nda.tolist() == [128.0, 32.0, 64.0]

    @pytest.mark.parametrize("name", ALIKE)
    def test_dspeed_gives_the_same(self, name):
        table = table_of(random_samples("uint16", (37, 1203)))
        ours = by_us(table, ALIKE[name])
        theirs = by_dspeed(table, ALIKE[name])
        assert set(ours) == {*table, *theirs} == {*table, *ALIKE[name]["outputs"]}
        assert all(same(ours[column], theirs[column]) for column in theirs)

    @pytest.mark.parametrize("mean", [0, 1])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_dspeed_gives_the_same_for_all_types(self, dtype, mean):
        table = table_of(random_samples(dtype, (20, 1250)))
        for factor in (8, 600):
            config = configs.production(factor, mean=mean)
            ours, theirs = by_us(table, config), by_dspeed(table, config)
            assert all(same(ours[column], theirs[column]) for column in theirs)

    def test_without_the_waveform_nothing_happens(self):
        table = lgdo.Table({"energy": lgdo.Array(np.arange(3))})
        assert set(by_us(table, configs.production())) == {"energy"}

    def test_dspeed_does_the_rest(self):
        pytest.importorskip("dspeed", reason="dspeed is not installed")
        table = table_of(random_samples("uint16", (30, 400)))
        before = copy.deepcopy(table)
        config = {
            "outputs": ["low", "mean"],
            "processors": {
                "low, high": configs.saturation_node(bits="db.bits"),
                "mean, stdev, slope, intercept": {
                    "module": "dspeed.processors",
                    "function": "linear_slope_fit",
                    "args": ["waveform", "mean", "stdev", "slope", "intercept"],
                    "unit": ["ADC"] * 4,
                },
            },
        }
        rb = RawBuffer(lgdo=table, proc_spec={"dsp_config": config})
        result = buffer_processor(rb, db_dict={"bits": 16})
        low, _ = reference.saturation(table.waveform["values"].nda, 16)
        assert (result.low.nda == low).all()
        assert result["mean"].nda == pytest.approx(
            table.waveform["values"].nda.mean(axis=1), rel=1e-4
        )
        assert table == before
        # without the value, dspeed cannot
        assert "low" not in buffer_processor(rb)

    def test_missing_dspeed_is_a_clear_error(self, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        table = table_of(np.zeros((2, 40), np.uint16))
        with pytest.raises(ModuleNotFoundError, match=r"daq2lh5\[dsp\]"):
            by_us(table, OTHER["value of a database"])
