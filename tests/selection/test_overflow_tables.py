"""Overflow tables: found by shape, opened once, limited in number."""

from __future__ import annotations

import pytest

from daq2lh5.data_decoder import DataDecoder
from daq2lh5.raw_buffer import RawBuffer
from daq2lh5.selection.overflow_tables import MAX_OVERFLOW, OverflowTables


@pytest.fixture
def opened() -> list[tuple]:
    """Arguments with which tables were opened."""
    return []


@pytest.fixture
def tables(opened) -> OverflowTables[int]:
    return OverflowTables(lambda *arguments: opened.append(arguments), 100)


DECODER = DataDecoder()


def first_buffer(tables, shape=10) -> RawBuffer:
    rb = RawBuffer(key_list=[1, 2], out_stream="x.lh5:g", out_name="t")
    tables.settle(rb, shape)
    return rb


def test_rows_of_the_first_shape_need_no_table(tables, opened):
    first = first_buffer(tables)
    assert first in tables
    assert tables.find(first, 10) is first
    assert tables.find(first, 20) is None
    assert opened == []


def test_a_table_for_another_shape(tables, opened):
    first = first_buffer(tables)
    rb = tables.open(first, 20, DECODER, "20", columns_of=2)
    assert opened == [(rb, DECODER, 2)]
    assert (rb.key_list, rb.out_stream, rb.out_name) == ([1, 2], "x.lh5:g", "t_20")
    # from the first one, and from each other
    other = tables.open(first, 30, DECODER, 30, [2])
    assert other.key_list == [2]
    for start in (first, rb, other):
        assert tables.first(start) is first
        assert [tables.find(start, n) for n in (10, 20, 30)] == [first, rb, other]
    assert tables.beside(first) == tables.all() == [rb, other]
    assert tables.shapes == {id(first): 10, id(rb): 20, id(other): 30}


def test_first_buffers_do_not_share_tables(tables):
    one, two = first_buffer(tables), first_buffer(tables)
    rb = tables.open(one, 20, DECODER, 20)
    assert tables.find(two, 20) is None
    assert tables.beside(two) == []
    assert tables.find(one, 20) is rb


def test_a_shape_that_is_forgotten_is_set_anew(tables):
    first = first_buffer(tables)
    rb = tables.open(first, 20, DECODER, 20)
    tables.forget(first)
    assert first not in tables
    assert tables.find(first, 10) is None
    assert tables.find(first, 20) is rb
    tables.settle(first, 30)
    assert tables.find(rb, 30) is first


def test_limits(tables):
    one, two = first_buffer(tables), first_buffer(tables)
    for i in range(MAX_OVERFLOW):
        assert tables.has_room(one)
        tables.open(one, 100 + i, DECODER, i)
    assert not tables.has_room(one)
    for i in range(100 - MAX_OVERFLOW):
        assert tables.has_room(two)
        tables.open(two, 100 + i, DECODER, i)
    assert not tables.has_room(two)
