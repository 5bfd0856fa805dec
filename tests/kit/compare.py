"""Comparison and concatenation of LH5 objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lgdo
import lh5
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def same(a: lgdo.LGDO, b: lgdo.LGDO) -> bool:
    """Compare types and values of two objects."""
    assert type(a) is type(b)
    if isinstance(a, lgdo.Struct):
        assert set(a) == set(b)
        return all(same(a[name], b[name]) for name in a)
    if isinstance(a, lgdo.VectorOfVectors):
        np.testing.assert_array_equal(a.cumulative_length.nda, b.cumulative_length.nda)
        end = a.cumulative_length.nda[-1]
        flat = (v.flattened_data.nda[:end] for v in (a, b))
        np.testing.assert_array_equal(*flat)
        return True
    if isinstance(a, lgdo.Scalar):
        return a.value == b.value
    assert a.nda.dtype == b.nda.dtype
    assert a.attrs.get("units") == b.attrs.get("units")
    np.testing.assert_array_equal(a.nda, b.nda)
    return True


def joined(tables: list[lgdo.Table]) -> lgdo.Table:
    """Concatenate the rows of tables, without `lh5`."""
    first = tables[0]
    made = {}
    for name, column in first.items():
        parts = [t[name] for t in tables]
        if isinstance(column, lgdo.Table):
            made[name] = joined(parts)
        elif isinstance(column, lgdo.VectorOfVectors):
            ends = [p.cumulative_length.nda for p in parts]
            made[name] = lgdo.VectorOfVectors(
                flattened_data=np.concatenate(
                    [
                        p.flattened_data.nda[: e[-1]]
                        for p, e in zip(parts, ends, strict=True)
                    ]
                ),
                cumulative_length=np.cumsum(
                    np.concatenate([np.diff(e, prepend=0) for e in ends])
                ),
            )
        else:
            made[name] = copy_of(column, np.concatenate([p.nda for p in parts]))
    return type(first)(**made) if type(first) is not lgdo.Table else lgdo.Table(made)


def copy_of(column: lgdo.Array, rows: np.ndarray) -> lgdo.Array:
    attrs = column.getattrs(datatype=False)
    if isinstance(column, lgdo.ArrayOfEqualSizedArrays):
        return type(column)(nda=rows, dims=column.dims, attrs=attrs)
    return type(column)(rows, attrs=attrs)


def whole(files: list[Path], table: str) -> lgdo.Table:
    """Read files one by one, each in one piece."""
    return joined([lh5.read(table, file) for file in files])
