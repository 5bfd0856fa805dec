"""Rows of buffers and of datasets as lists, and their digests."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import h5py
import lgdo
import numpy as np

if TYPE_CHECKING:
    from daq2lh5.raw_buffer import RawBuffer


def rows_of_arrays(arrays: dict[str, np.ndarray], n: int) -> dict[str, list[Any]]:
    """Copy the first rows of the package's own plain arrays."""
    columns: dict[str, list[Any]] = {}
    for path, array in arrays.items():
        name, _, member = path.rpartition("/")
        if member == "offsets":
            data = arrays[f"{name}/flattened_data"]
            columns[name] = [data[a:b].copy() for a, b in pairwise(array[: n + 1])]
        elif member != "flattened_data":
            columns[path] = list(array[:n].copy())
    return columns


def rows_of_lgdo(table: lgdo.Table, n: int) -> dict[str, list[Any]]:
    """Copy the first rows of an LGDO table."""
    columns: dict[str, list[Any]] = {}
    for name, column in table.items():
        if isinstance(column, lgdo.VectorOfVectors):
            ends = [0, *column.cumulative_length.nda[:n]]
            data = column.flattened_data.nda
            columns[name] = [data[a:b].copy() for a, b in pairwise(ends)]
        elif isinstance(column, lgdo.Table):
            for member, rows in rows_of_lgdo(column, n).items():
                columns[f"{name}/{member}"] = rows
        else:
            columns[name] = list(column.nda[:n].copy())
    return columns


def rows_of(rb: RawBuffer, *, by_lgdo: bool = False) -> dict[str, list[Any]]:
    """Copy the rows that a buffer holds."""
    if by_lgdo or rb.table is None:
        return rows_of_lgdo(rb.lgdo, rb.loc)
    return rows_of_arrays(rb.arrays(), rb.loc)


def append_rows(tables: dict[str, dict[str, list[Any]]], name: str, rows: Any) -> None:
    columns = tables.setdefault(name, {})
    for column, values in rows.items():
        columns.setdefault(column, []).extend(values)


def columns_of(group: h5py.Group) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, item in group.items():
        if isinstance(item, h5py.Dataset):
            columns[name] = item[()]
            if item.attrs["datatype"] == "array<1>{bool}":
                columns[name] = columns[name].astype(bool)
            if h5py.check_string_dtype(item.dtype):
                columns[name] = np.char.encode(item.asstr()[()].astype("U7"))
        elif "cumulative_length" in item:
            ends = [0, *item["cumulative_length"][()]]
            data = item["flattened_data"][()]
            columns[name] = [data[a:b] for a, b in pairwise(ends)]
        else:
            for member, rows in columns_of(item).items():
                columns[f"{name}/{member}"] = rows
    return columns


def sha256(array: np.ndarray) -> str:
    """Hash an array's bytes, little-endian, each NaN the same."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array).astype(array.dtype)
    little_endian = array.astype(array.dtype.newbyteorder("<"))
    return hashlib.sha256(np.ascontiguousarray(little_endian).tobytes()).hexdigest()


def members(datatype: str) -> tuple[str, set[str]]:
    """Split ``table{a,b}`` into what it is and its members, in any order."""
    kind, _, inside = datatype.partition("{")
    return kind, set(inside.removesuffix("}").split(","))
