"""Rows of a conversion, as bytes to compare: from buffers, and from output files."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Row(NamedTuple):
    """A row: number of its packet, and its columns with their bytes."""

    packet_id: int
    columns: tuple[str, ...]
    values: tuple[bytes, ...]


def rows_of(arrays: Mapping[str, np.ndarray], n: int) -> Iterator[Row]:
    """Take the first `n` rows of a table.

    Parameters
    ----------
    arrays
        columns by path; those of lists are ``NAME/offsets`` and
        ``NAME/flattened_data``.
    """
    names, columns = [], []
    for path in sorted(arrays):
        array, name = arrays[path], path
        if name.endswith("/offsets"):
            name = name.removesuffix("/offsets")
            flat = _plain(name, arrays[f"{name}/flattened_data"])
            ends = [int(i) for i in array[: n + 1]]
            columns.append([flat[a:b].tobytes() for a, b in pairwise(ends)])
        elif name.endswith("/flattened_data"):
            continue
        else:
            packed = np.ascontiguousarray(_plain(name, array[:n])).tobytes()
            size = len(packed) // n if n else 0
            columns.append([packed[i * size : (i + 1) * size] for i in range(n)])
        names.append(name)
    ids = arrays.get("packet_id")
    for i, values in enumerate(zip(*columns, strict=True)):
        packet_id = int(ids[i]) if ids is not None else -1
        yield _without_empty(Row(packet_id, tuple(names), values))


def _without_empty(row: Row) -> Row:
    """Leave out a waveform without samples.

    Whether its columns are there depends on the other rows of the table.
    """
    if "waveform/values" not in row.columns:
        return row
    if row.values[row.columns.index("waveform/values")]:
        return row
    kept = [
        (name, value)
        for name, value in zip(row.columns, row.values, strict=True)
        if not name.startswith("waveform/")
    ]
    return Row(row.packet_id, tuple(n for n, _ in kept), tuple(v for _, v in kept))


def _plain(name: str, array: np.ndarray) -> np.ndarray:
    """Give samples one type: theirs depends on what else is in their table."""
    is_samples = name.startswith("waveform") and name.endswith("/values")
    return array.astype(np.int64) if is_samples and array.dtype.kind in "iu" else array


def garbage_in(path: str) -> list[tuple[int, bytes]]:
    """Read the damaged ranges of a garbage file: offset and bytes of each."""
    with h5py.File(path) as file:
        arrays = dict(_arrays(file["garbage"]))
    flat = arrays["packets/flattened_data"].tobytes()
    ranges = [flat[a:b] for a, b in pairwise(arrays["packets/offsets"].tolist())]
    return list(zip(arrays["offset"].tolist(), ranges, strict=True))


def in_file(path: str) -> Counter[Row]:
    """Read all tables of an output with h5py alone."""
    rows: Counter[Row] = Counter()
    with h5py.File(path) as file:
        found: list[tuple[str, h5py.Group]] = []

        def look(name: str, item: Any) -> None:
            datatype = str(item.attrs.get("datatype", ""))
            is_table = isinstance(item, h5py.Group) and datatype.startswith("table{")
            # waveforms are tables inside of tables
            if is_table and not (found and name.startswith(f"{found[-1][0]}/")):
                found.append((name, item))

        file.visititems(look)
        for _, group in found:
            arrays = dict(_arrays(group))
            n = min(
                len(a) - path.endswith("/offsets")
                for path, a in arrays.items()
                if not path.endswith("/flattened_data")
            )
            rows.update(rows_of(arrays, n))
    return rows


def _arrays(group: h5py.Group, place: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Go through the columns of a table as `rows_of` wants them."""
    for name, item in group.items():
        path = place + name
        if isinstance(item, h5py.Dataset):
            yield path, item[()]
        elif "cumulative_length" in item:
            ends = item["cumulative_length"][()].astype(np.int64)
            yield f"{path}/offsets", np.concatenate([[0], ends])
            yield f"{path}/flattened_data", item["flattened_data"][()]
        else:
            yield from _arrays(item, f"{path}/")
