"""Columns parsed from `decoded_values`: kinds, widths, arrays, datasets in the file."""

from __future__ import annotations

import numpy as np
import pytest

from daq2lh5.buffers.column import Field
from daq2lh5.writing.layout import Layout

WAVEFORM = {
    "dtype": "uint16",
    "datatype": "waveform",
    "wf_len": 6,
    "dt": 4,
    "dt_units": "ns",
    "t0_units": "us",
}


def described(field: Field) -> dict[str, np.dtype]:
    """List the datasets that a column is written to."""
    layout = Layout({"": {"datatype": "table{}"}})
    field.describe(layout)
    return {d.path: d.dtype for d in layout.datasets}


@pytest.mark.parametrize(
    ("description", "kind", "width"),
    [
        ({"dtype": "float64"}, "scalar", 1),
        (
            {
                "dtype": "int32",
                "datatype": "array_of_equalsized_arrays<1,1>{real}",
                "length": 4,
            },
            "fixed",
            4,
        ),
        (
            {
                "dtype": "int32",
                "datatype": "array<1>{array<1>{real}}",
                "length_guess": 9,
            },
            "vector",
            9,
        ),
        ({"dtype": "int32", "datatype": "array<1>{array<1>{real}}"}, "vector", 1),
        (WAVEFORM, "waveform", 6),
        (WAVEFORM | {"wf_len": None}, "lists", 1),
    ],
)
def test_kinds(description, kind, width):
    given = dict(description)
    field = Field.parse("x", given, "owner")
    assert (field.kind, field.width, field.dtype) == (
        *(kind, width),
        np.dtype(description["dtype"]),
    )
    assert given == description


def test_units_of_times_and_settings_are_those_of_the_members():
    field = Field.parse(
        "w", WAVEFORM | {"hdf5_settings": {"values": {"shuffle": False}}}, "owner"
    )
    assert field.member_attrs == {
        "values": {"hdf5_settings": {"shuffle": False}},
        "t0": {"units": "us"},
        "dt": {"units": "ns"},
    }
    assert field.dt == 4


def test_attributes_are_kept():
    field = Field.parse("x", {"dtype": "u1", "units": "V", "description": "it"}, "o")
    assert field.attrs == {"units": "V", "description": "it"}
    flag = Field.parse("x", {"dtype": "?", "kind": "bool"}, "o")
    assert flag.attrs == {"datatype": "array<1>{bool}"}


@pytest.mark.parametrize("wf_len", [6, None])
def test_arrays_of_waveforms(wf_len):
    arrays = Field.parse("w", WAVEFORM | {"wf_len": wf_len}, "o").allocate(3)
    assert arrays["w/t0"].tolist() == [0] * 3
    assert arrays["w/dt"].tolist() == [4] * 3
    if wf_len:
        assert arrays["w/values"].shape == (3, 6)
    else:
        assert arrays["w/values/offsets"].tolist() == [0] * 4
        assert arrays["w/values/flattened_data"].dtype == np.uint16


def test_type_of_the_sampling_period_is_that_of_its_default():
    field = Field.parse("w", WAVEFORM | {"dt": np.float64(0.1)}, "o")
    assert field.dt_dtype == np.float64
    assert field.allocate(2)["w/dt"].dtype == np.float64
    assert described(field)["w/dt"] == np.float64


@pytest.mark.parametrize(
    ("description", "paths"),
    [
        ({"dtype": "u1"}, ["x"]),
        (WAVEFORM, ["x/values", "x/t0", "x/dt"]),
        (
            WAVEFORM | {"wf_len": None},
            [
                *("x/values/flattened_data", "x/values/cumulative_length"),
                *("x/t0", "x/dt"),
            ],
        ),
        (
            {"dtype": "u1", "datatype": "array<1>{array<1>{real}}"},
            ["x/flattened_data", "x/cumulative_length"],
        ),
    ],
)
def test_datasets_and_rows_go_together(description, paths):
    field = Field.parse("x", description, "o")
    assert list(described(field)) == paths
    rows = field.rows(field.allocate(5), 2)
    assert len(rows) == len(paths)


def test_encoded_waveforms_have_room_for_the_longest():
    """Twice the longest row fits into an array for two."""
    field = Field.parse("w", WAVEFORM, "o")
    encoded = Field(**{**vars(field), "encoded": "uleb128_zigzag_diff"})
    arrays = encoded.allocate(2)
    assert arrays["w/values/offsets"].tolist() == [0] * 3
    # three bytes are the longest of a difference of 16 bits
    assert len(arrays["w/values/flattened_data"]) >= 2 * 6 * 3


def test_bytes_of_a_row():
    assert Field.parse("x", {"dtype": "f8"}, "o").row_bytes() == 8
    assert Field.parse("w", WAVEFORM, "o").row_bytes() == 6 * 2 + 4 + 4
