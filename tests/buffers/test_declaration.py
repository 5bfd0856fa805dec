"""Declared tables: what `decoded_values` says of each kind of column."""

from __future__ import annotations

import pytest

from daq2lh5.buffers.column import Field
from daq2lh5.buffers.declaration import Column, Table
from daq2lh5.buffers.table_buffer import TableBuffer

TABLE = Table(
    "Events",
    "Made up.",
    (
        Column("energy", "uint16", "Energy.", units="keV", stored="energy of an event"),
        Column("pair", "int32", "Two numbers.", kind="fixed", length=2),
        Column("names", "S7", "Three names.", kind="fixed", length=3),
        Column("list", "uint8", "Some numbers.", kind="vector", length=10),
        Column("waveform", "uint16", "Samples.", kind="waveform", length=8),
        Column("flag", "bool", "A flag.", attrs=(("kind", "bool"),)),
        Column("more", "uint8", "On request.", extra=True),
    ),
)


@pytest.mark.parametrize("extra", [False, True])
def test_extra_columns_are_there_on_request(extra):
    names = [c.name for c in TABLE.columns if extra or not c.extra]
    assert list(TABLE.decoded_values(extra)) == names
    assert list(TABLE.describe(extra)) == names
    assert TABLE.describe(extra)["pair"] == "Two numbers."


def test_every_kind_is_understood_by_a_table():
    values = TABLE.decoded_values(extra=True)
    kinds = {name: Field.parse(name, v, "Events").kind for name, v in values.items()}
    assert kinds == {
        "energy": "scalar",
        "pair": "fixed",
        "names": "fixed",
        "list": "vector",
        "waveform": "waveform",
        "flag": "scalar",
        "more": "scalar",
    }
    arrays = TableBuffer(values, 3).arrays
    assert arrays["names"].shape == (3, 3)
    assert arrays["names"].dtype == "S7"
    assert arrays["waveform/values"].shape == (3, 8)


def test_attributes_that_are_stored():
    """The sentence for the documentation is none of them."""
    values = TABLE.decoded_values()
    assert values["energy"] == {
        "dtype": "uint16",
        "units": "keV",
        "description": "energy of an event",
    }
    assert "description" not in values["pair"]
    assert values["flag"]["kind"] == "bool"
    assert "string" in values["names"]["datatype"]


def test_each_dictionary_is_new():
    TABLE.decoded_values()["pair"]["length"] = 5
    assert TABLE.decoded_values()["pair"]["length"] == 2
