"""Rows in plain arrays: allocated late, handed over, shown as lgdo, with vectors."""

from __future__ import annotations

import numpy as np
import pytest

from daq2lh5.buffers.table_buffer import TableBuffer, arrays_of, grow_vectors

VALUES = {
    "id": {"dtype": "uint32", "units": "ns"},
    "triple": {
        "dtype": "int16",
        "datatype": "array_of_equalsized_arrays<1,1>{real}",
        "length": 3,
    },
    "list": {"dtype": "uint8", "datatype": "array<1>{array<1>{real}}"},
    "waveform": {
        "dtype": "uint16",
        "datatype": "waveform",
        "wf_len": 5,
        "dt": 16,
        "dt_units": "ns",
        "t0_units": "ns",
    },
}


@pytest.fixture
def table() -> TableBuffer:
    return TableBuffer(VALUES, 4)


def fill(table: TableBuffer) -> None:
    """Put 0, 1, 2 and 3 elements into the rows of the list."""
    arrays = table.arrays
    arrays["id"][:] = [7, 8, 9, 10]
    table.grow_vectors(0, 6)
    arrays["list/offsets"][:] = [0, 0, 1, 3, 6]
    arrays["list/flattened_data"][:6] = range(6)


def test_arrays_are_made_when_they_are_asked_for(table):
    assert not table.allocated
    shapes = {path: array.shape for path, array in table.arrays.items()}
    assert table.allocated
    assert shapes.pop("list/flattened_data")[0] > 0
    assert shapes == {
        "id": (4,),
        "triple": (4, 3),
        "list/offsets": (5,),
        "waveform/values": (4, 5),
        "waveform/t0": (4,),
        "waveform/dt": (4,),
    }
    assert table.arrays["id"].dtype == np.uint32
    assert (table.arrays["waveform/dt"] == 16).all()


def test_new_size_means_new_rows(table):
    table.arrays["id"][:] = 5
    table.resize(9)
    assert not table.allocated
    assert not table.arrays["id"].any()
    assert len(table.arrays["list/offsets"]) == 10


def test_another_buffer_has_the_same_columns_and_rows_of_its_own(table):
    other = table.like(2)
    other.arrays["id"][:] = 1
    assert other.arrays.keys() == table.arrays.keys()
    assert not table.arrays["id"].any()
    assert other.layout is table.layout


def test_arrays_that_were_taken_come_back_when_they_are_given_back(table):
    first, give_back = table.take()
    first["id"][:] = 3
    assert table.arrays["id"] is not first["id"]
    assert not table.arrays["id"].any()
    give_back()
    table.resize(4)
    assert table.arrays["id"] is first["id"]


def test_rows_are_those_of_the_layout(table):
    """One array for each dataset, in its order; vectors as data and ends."""
    fill(table)
    rows = table.rows(table.arrays, 3)
    by_path = dict(zip([d.path for d in table.layout.datasets], rows, strict=True))
    assert by_path["id"].tolist() == [7, 8, 9]
    assert by_path["list/flattened_data"].tolist() == [0, 1, 2]
    assert by_path["list/cumulative_length"].tolist() == [0, 1, 3]
    assert by_path["waveform/values"].shape == (3, 5)
    assert by_path["triple"].shape == (3, 3)


def test_sizes(table):
    """Of the waveform 10 bytes of samples, and two times of 4 bytes."""
    fixed = 4 + 3 * 2 + (5 * 2 + 4 + 4)
    assert table.row_bytes() >= fixed + 8
    assert table.widest_bytes() == 10
    assert table.n_samples == 5
    none = TableBuffer({"list": VALUES["list"]}, 1)
    assert (none.widest_bytes(), none.n_samples) == (0, 0)


def test_lgdo_shows_the_arrays(table):
    fill(table)
    shown = table.as_lgdo()
    assert shown is table.as_lgdo()
    assert shown["id"].attrs["units"] == "ns"
    assert np.shares_memory(shown["id"].nda, table.arrays["id"])
    assert [list(row) for row in shown["list"]] == [[], [0], [1, 2], [3, 4, 5]]
    table.arrays["waveform/values"][2] = 4
    assert shown["waveform"].values.nda[2].tolist() == [4] * 5


def test_lgdo_keeps_up_with_vectors_that_grow(table):
    fill(table)
    shown = table.as_lgdo()
    before = table.arrays["list/flattened_data"][:6].copy()
    table.grow_vectors(4, 100_000)
    data = table.arrays["list/flattened_data"]
    assert len(data) >= 100_006
    assert (data[:6] == before).all()
    assert np.shares_memory(shown["list"].flattened_data.nda, data)


def test_vectors_behind_the_last_row_are_empty(table):
    """For readers of all rows: what earlier rows left there does not show."""
    fill(table)
    table.end_vectors(2)
    assert table.arrays["list/offsets"].tolist() == [0, 0, 1, 1, 1]


def test_arrays_of_the_user_s_table_have_the_same_paths(table):
    shown = table.as_lgdo()
    found = arrays_of(shown)
    assert found.keys() == table.arrays.keys()
    for path, array in found.items():
        assert np.shares_memory(array, table.arrays[path]), path


def test_vectors_of_the_user_s_table_grow(table):
    fill(table)
    shown = table.as_lgdo()
    grow_vectors(shown, 4, 100_000)
    assert len(shown["list"].flattened_data.nda) >= 100_006
    assert [list(row) for row in shown["list"]][3] == [3, 4, 5]


@pytest.mark.parametrize(
    ("column", "error", "words"),
    [
        ({"units": "ns"}, AttributeError, "mine.* 'x'"),
        ({"dtype": "u1", "datatype": "set"}, RuntimeError, "mine.* 'set'"),
    ],
)
def test_a_column_that_cannot_be_says_whose_it_is(column, error, words):
    with pytest.raises(error, match=words):
        TableBuffer({"x": column}, 1, "mine")
