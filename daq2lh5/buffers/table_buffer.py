"""Rows of one output table in plain numpy arrays.

A kernel fills a :class:`TableBuffer`, and a writer reads it. Its columns are those of a
`decoded_values` dictionary (see :class:`.DataDecoder`). It allocates its arrays at the
first use, and provides an :class:`lgdo.Table` of views on them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..writing.layout import Layout, table_type
from .column import Field

if TYPE_CHECKING:
    from collections.abc import Callable

    import lgdo

    from ..writing.codecs import Encoded

__all__ = ["TableBuffer", "arrays_of", "grow_vectors", "set_row"]


class _Shared:
    """The parts that tables with the same columns share.

    Attributes
    ----------
    layout
        HDF5 objects that the table becomes.
    spares
        free arrays, by number of rows.
    plans
        specification and plan of each processing, by id of the specification.
    encoded
        tables with encoded waveforms in some columns, by their names and codec.
    """

    def __init__(self, fields: list[Field]) -> None:
        self.fields = fields
        self.spares: dict[int, list[dict[str, np.ndarray]]] = {}
        self.plans: dict[int, tuple[Any, Any]] = {}
        self.encoded: dict[tuple[frozenset[str], str], TableBuffer] = {}

    @cached_property
    def layout(self) -> Layout:
        datatype = table_type([column.name for column in self.fields])
        layout = Layout({"": {"datatype": datatype}})
        for column in self.fields:
            column.describe(layout)
        return layout


class TableBuffer:
    """`size` rows of a table that `decoded_values` describes.

    Attributes
    ----------
    size
        number of rows.
    fields
        the columns, in order.
    """

    def __init__(
        self, decoded_values: dict[str, dict[str, Any]], size: int, owner: str = "table"
    ) -> None:
        self.size = int(size)
        self.fields = [
            Field.parse(name, description, owner)
            for name, description in decoded_values.items()
        ]
        self._shared = _Shared(self.fields)
        self._arrays: dict[str, np.ndarray] | None = None
        self._lgdo: lgdo.Table | None = None

    def like(self, size: int) -> TableBuffer:
        """Return another buffer with the same columns."""
        other = TableBuffer({}, size)
        other.fields = self.fields
        other._shared = self._shared
        return other

    def with_encoded(self, names: frozenset[str], codec: str) -> TableBuffer:
        """Return another buffer, in which some waveforms are encoded bytes.

        They are written as they are. They cannot be processed, or shown as LGDOs.

        Parameters
        ----------
        names
            names of the columns.
        codec
            name of the codec.
        """
        known = self._shared.encoded
        if (names, codec) not in known:
            other = known[names, codec] = TableBuffer({}, 0)
            other.fields = [
                replace(f, encoded=codec) if f.name in names else f for f in self.fields
            ]
            other._shared = _Shared(other.fields)
        return known[names, codec].like(self.size)

    @property
    def layout(self) -> Layout:
        """HDF5 objects that the table becomes."""
        return self._shared.layout

    @property
    def plans(self) -> dict[int, tuple[Any, Any]]:
        """Plans of processing by id of their specification, see :func:`.plan_for`.

        Tables of the same columns share them.
        """
        return self._shared.plans

    def resize(self, size: int) -> None:
        """Give the table `size` rows and forget the old ones; frees the memory."""
        self.size = int(size)
        self._arrays = None
        self._lgdo = None

    @property
    def allocated(self) -> bool:
        """Whether the arrays exist yet."""
        return self._arrays is not None

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by path inside the table; allocated at the first use."""
        if self._arrays is None:
            spares = self._shared.spares.get(self.size)
            self._arrays = spares.pop() if spares else {}
            if not self._arrays:
                for column in self.fields:
                    self._arrays |= column.allocate(self.size)
        return self._arrays

    def take(self) -> tuple[dict[str, np.ndarray], Callable[[], None]]:
        """Hand over the arrays; the next rows get others.

        Returns
        -------
        arrays
            the arrays.
        give_back
            makes the arrays free for other rows; call it when the rows are written.
        """
        arrays = self.arrays
        self._arrays = None
        spares = self._shared.spares.setdefault(self.size, [])
        return arrays, lambda: spares.append(arrays)

    def rows(self, arrays: dict[str, np.ndarray], n: int) -> list[np.ndarray | Encoded]:
        """Return the first `n` rows in `arrays`, for each dataset of the layout."""
        return [rows for column in self.fields for rows in column.rows(arrays, n)]

    def row_bytes(self) -> int:
        """Return the bytes that one row takes."""
        return sum(column.row_bytes() for column in self.fields)

    @property
    def n_samples(self) -> int:
        """Samples of its waveforms; 0 if it has none."""
        return next((f.width for f in self.fields if f.kind == "waveform"), 0)

    def widest_bytes(self) -> int:
        """Return the bytes of a row of the widest dataset; vectors have no rows."""
        no_rows = ("vector", "lists")
        widths = [
            f.dtype.itemsize * f.width for f in self.fields if f.kind not in no_rows
        ]
        return max(widths, default=0)

    def as_lgdo(self) -> lgdo.Table:
        """Return the table of views on the arrays: always the same object."""
        if self._lgdo is None:
            import lgdo  # noqa: PLC0415  (takes a second: only where a user asks)

            self._lgdo = lgdo.Table(size=self.size)
            for column in self.fields:
                self._lgdo.add_field(column.name, column.make_lgdo(self.arrays))
        return self._lgdo

    def end_vectors(self, n: int) -> None:
        """Make vectors after the first `n` rows empty, for readers of all rows."""
        for path, array in (self._arrays or {}).items():
            if path.endswith("/offsets"):
                array[n + 1 :] = array[n]

    def grow_vectors(self, row: int, n: int) -> None:
        """Make room in all vector columns for `n` more elements after `row` rows."""
        for column in self.fields:
            if column.kind not in ("vector", "lists"):
                continue
            name = column.name if column.kind == "vector" else column.values.name
            path = f"{name}/flattened_data"
            used = int(self.arrays[f"{name}/offsets"][row])
            data = _grown(self.arrays[path], used, n)
            self.arrays[path] = data
            if self._lgdo is not None:
                self._lgdo[name].flattened_data.nda = data


def _grown(data: np.ndarray, used: int, n: int) -> np.ndarray:
    """Return `data` with room for `n` elements after the first `used`."""
    if used + n <= len(data):
        return data
    grown = np.zeros(max(2 * len(data), used + n), data.dtype)
    grown[:used] = data[:used]
    return grown


def set_row(arrays: dict[str, np.ndarray], row: int, values: dict[str, Any]) -> None:
    """Set the values of a row, by column; vectors must have room for theirs.

    Values of columns that `arrays` lacks are left out. Rows are set in order.
    """
    for name, value in values.items():
        if name in arrays:
            arrays[name][row] = value
        elif f"{name}/offsets" in arrays:
            offsets = arrays[f"{name}/offsets"]
            start = int(offsets[row])
            offsets[row + 1] = start + len(value)
            arrays[f"{name}/flattened_data"][start : start + len(value)] = value


def arrays_of(table: lgdo.Table) -> dict[str, np.ndarray]:
    """Return the arrays of an LGDO table by path, as `TableBuffer.arrays` does.

    Columns of types that no decoder fills are left out.
    """
    import lgdo  # noqa: PLC0415  (the caller has an object of it already)

    arrays: dict[str, np.ndarray] = {}
    for name, column in table.items():
        if isinstance(column, lgdo.Table):
            inner = arrays_of(column)
            arrays |= {f"{name}/{path}": array for path, array in inner.items()}
        elif isinstance(column, lgdo.VectorOfVectors):
            arrays[f"{name}/offsets"] = column._offsets.nda
            arrays[f"{name}/flattened_data"] = column.flattened_data.nda
        elif isinstance(column, lgdo.Array):
            arrays[name] = column.nda
    return arrays


def grow_vectors(table: lgdo.Table, row: int, n: int) -> None:
    """Make room in all vector columns of an LGDO table, see `TableBuffer`."""
    import lgdo  # noqa: PLC0415  (the caller has an object of it already)

    # (in tables of waveforms, `values` is a property for the samples)
    for _, column in table.items():
        if isinstance(column, lgdo.Table):
            grow_vectors(column, row, n)
        elif isinstance(column, lgdo.VectorOfVectors):
            used = int(column._offsets.nda[row])
            column.flattened_data.nda = _grown(column.flattened_data.nda, used, n)
