"""Specifications of processing, read once: types, names, what has no effect."""

from __future__ import annotations

import json

import numpy as np
import pytest

from daq2lh5.errors import OutSpecError
from daq2lh5.processing.spec import OPERATIONS, ProcSpec

WHOLE = {
    "window": ["waveform", 100, -100, "windowed"],
    "dsp_config": {"outputs": ["presum"], "processors": {}},
    "dtype_conv": {"presum/values": "uint32"},
    "drop": ["waveform"],
    "compression": {"windowed/values": "uleb128_zigzag_diff"},
    "hdf5_settings": {"presum/values": {"shuffle": True}},
}


def test_every_operation():
    spec = ProcSpec.of(WHOLE)
    assert WHOLE.keys() == set(OPERATIONS)
    window = spec.window
    assert (window.source, window.start, window.stop, window.output) == (
        *("waveform", 100, -100, "windowed"),
    )
    assert spec.dsp_config == WHOLE["dsp_config"]
    assert spec.dtype_conv == {"presum/values": np.dtype("uint32")}
    assert spec.drop == ("waveform",)
    assert spec.compression.keys() == {"windowed/values"}
    assert spec.hdf5_settings == WHOLE["hdf5_settings"]
    assert spec.unknown == ()
    assert spec.warnings == []


@pytest.mark.parametrize(
    ("ends", "samples", "width"),
    [
        ((100, -100), 1000, 800),
        ((0, 10), 4, 4),
        ((-3, 1000), 10, 3),
        ((5, 2), 10, 0),
        ((100, -100), 150, 0),
    ],
)
def test_windows_are_slices(ends, samples, width):
    window = ProcSpec.of({"window": ["w", *ends, "x"]}).window
    assert window.width(samples) == width == len(range(samples)[slice(*ends)])


def test_a_parsed_one_stays_and_a_file_is_read(tmp_path):
    spec = ProcSpec.of(WHOLE)
    assert ProcSpec.of(spec) is spec
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(WHOLE))
    assert ProcSpec.of(str(path)) == spec


def test_unknown_operations_are_kept_for_a_warning():
    spec = ProcSpec.of({"windw": [], "drop": []})
    assert spec.unknown == ("windw",)
    (line,) = spec.warnings
    assert "windw" in line


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"window": ["waveform", 1]}, "window"),
        ({"window": ["waveform", "a", 2, "x"]}, "window"),
        ({"dtype_conv": {"a": "uint33"}}, "uint33"),
        ({"dtype_conv": ["a"]}, "dtype_conv"),
        ({"drop": 5}, "drop"),
        ({"compression": {"a": "zip"}}, "zip"),
        ({"hdf5_settings": {"a": 5}}, "a"),
        ({"dsp_config": 5}, "dsp_config"),
        (5, "proc_spec"),
    ],
)
def test_what_is_wrong_is_named(part, words):
    with pytest.raises((OutSpecError, TypeError, KeyError), match=words):
        ProcSpec.of(part)
