"""Rows of one output table in plain numpy arrays.

A :class:`TableBuffer` is what a kernel fills and what a writer reads. It is described
by a `decoded_values` dictionary (see :class:`.DataDecoder`), allocates its arrays when
they are first asked for, and shows itself as an :class:`lgdo.Table` of views on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .writing.layout import Layout, array, is_codec, refuse_settings, table_type

if TYPE_CHECKING:
    from collections.abc import Callable

    import lgdo

__all__ = ["Field", "TableBuffer", "arrays_of", "grow_vectors"]

VECTOR_ROWS_GUESS = 16
"""Rows for which a vector column has room at first; it grows on demand."""

VECTOR_DATATYPE = "array<1>{array<1>{real}}"
FIXED_DATATYPE = "array_of_equalsized_arrays<1,1>"


@dataclass
class Field:
    """What one entry of `decoded_values` says."""

    name: str
    kind: str
    dtype: np.dtype
    width: int = 1
    attrs: dict[str, Any] = field(default_factory=dict)
    member_attrs: dict[str, dict[str, Any]] = field(default_factory=dict)
    dt: float = 0.0
    dt_dtype: np.dtype = np.dtype(np.float32)  # noqa: RUF009  (is immutable)

    @classmethod
    def parse(cls, name: str, description: dict[str, Any], owner: str) -> Field:
        """Read one entry of `decoded_values`.

        Raises
        ------
        AttributeError
            if the entry has no ``dtype``.
        RuntimeError
            if its ``datatype`` is none that a table can hold.
        """
        attrs = dict(description)
        if "dtype" not in attrs:
            msg = f"{owner}: no dtype given for '{name}'"
            raise AttributeError(msg)
        dtype = np.dtype(attrs.pop("dtype"))
        datatype = attrs.pop("datatype", None)

        if datatype is None:
            if "kind" in attrs:
                attrs["datatype"] = f"array<1>{{{attrs.pop('kind')}}}"
            return cls(name, "scalar", dtype, attrs=attrs)

        if datatype == "waveform":
            members: dict[str, dict[str, Any]] = {
                "values": {},
                "t0": {"units": attrs.pop("t0_units")},
                "dt": {"units": attrs.pop("dt_units")},
            }
            for setting in ("compression", "hdf5_settings"):
                for member, value in attrs.pop(setting, {}).items():
                    members[member][setting] = value
            width = attrs.pop("wf_len")
            dt = attrs.pop("dt")
            # as in lgdo's tables of waveforms
            dt_dtype = np.dtype(getattr(dt, "dtype", np.float32))
            return cls(name, "waveform", dtype, width, attrs, members, dt, dt_dtype)

        if datatype.startswith(FIXED_DATATYPE):
            return cls(name, "fixed", dtype, attrs.pop("length"), attrs)

        if datatype == VECTOR_DATATYPE:
            # a guess is of no use here: the column grows as it is filled
            width = attrs.pop("length_guess", 1)
            return cls(name, "vector", dtype, width, attrs)

        msg = f"{owner}: don't know how to make a '{datatype}' for '{name}'"
        raise RuntimeError(msg)

    def row_bytes(self) -> int:
        """Bytes that a row takes at most (of vectors: a guess)."""
        if self.kind == "vector":
            return 8 + self.dtype.itemsize * min(self.width, VECTOR_ROWS_GUESS)
        extra = 4 + self.dt_dtype.itemsize if self.kind == "waveform" else 0
        return self.dtype.itemsize * self.width + extra

    def allocate(self, size: int) -> dict[str, np.ndarray]:
        """Make the arrays of the column, by path inside the table.

        A waveform has ``values`` (size, width), ``t0`` and ``dt``; a vector column
        has ``offsets`` (size + 1, the first is 0) and ``flattened_data``.
        """
        if self.kind == "scalar":
            return {self.name: np.zeros(size, self.dtype)}
        if self.kind == "fixed":
            return {self.name: np.zeros((size, self.width), self.dtype)}
        if self.kind == "waveform":
            return {
                f"{self.name}/values": np.zeros((size, self.width), self.dtype),
                f"{self.name}/t0": np.zeros(size, np.float32),
                f"{self.name}/dt": np.full(size, self.dt, self.dt_dtype),
            }
        capacity = min(size, VECTOR_ROWS_GUESS) * min(self.width, VECTOR_ROWS_GUESS)
        return {
            f"{self.name}/offsets": np.zeros(size + 1, np.int64),
            f"{self.name}/flattened_data": np.zeros(capacity, self.dtype),
        }

    def describe(self, layout: Layout) -> bool:
        """Add the column to a layout; false if its rows must be encoded before."""
        name, attrs = self.name, self.attrs
        if self.kind == "scalar":
            layout.datasets.append(array(name, self.dtype, (), attrs, "array<1>"))
        elif self.kind == "fixed":
            shape = (self.width,)
            layout.datasets.append(
                array(name, self.dtype, shape, attrs, FIXED_DATATYPE)
            )
        elif self.kind == "waveform":
            members = self.member_attrs
            if is_codec(members["values"].get("compression")):
                return False
            layout.groups[name] = {"datatype": table_type(list(members))} | attrs
            shape = (self.width,)
            layout.datasets.append(
                array(
                    f"{name}/values",
                    self.dtype,
                    shape,
                    members["values"],
                    FIXED_DATATYPE,
                )
            )
            for member, dtype in (("t0", np.dtype(np.float32)), ("dt", self.dt_dtype)):
                path = f"{name}/{member}"
                layout.datasets.append(
                    array(path, dtype, (), members[member], "array<1>")
                )
        else:
            refuse_settings(name, attrs)
            layout.groups[name] = {"datatype": VECTOR_DATATYPE} | attrs
            flat = array(f"{name}/flattened_data", self.dtype, (), {}, "array<1>")
            lengths = array(f"{name}/cumulative_length", np.int64, (), {}, "array<1>")
            lengths.counts = flat.path
            layout.datasets += [flat, lengths]
        return True

    def rows(self, arrays: dict[str, np.ndarray], n: int) -> list[np.ndarray]:
        """Return the first `n` rows, for each dataset of `describe`."""
        name = self.name
        if self.kind == "waveform":
            return [arrays[f"{name}/{m}"][:n] for m in ("values", "t0", "dt")]
        if self.kind != "vector":
            return [arrays[name][:n]]
        offsets = arrays[f"{name}/offsets"]
        return [arrays[f"{name}/flattened_data"][: offsets[n]], offsets[1 : n + 1]]

    def make_lgdo(self, arrays: dict[str, np.ndarray]) -> lgdo.LGDO:
        """Show the column's `arrays` as an LGDO."""
        import lgdo  # noqa: PLC0415  (takes a second: only where a user asks)

        if self.kind == "scalar":
            return lgdo.Array(arrays[self.name], attrs=dict(self.attrs))
        if self.kind == "fixed":
            return lgdo.ArrayOfEqualSizedArrays(
                nda=arrays[self.name], dims=(1, 1), attrs=dict(self.attrs)
            )
        if self.kind == "waveform":
            values, t0, dt = (arrays[f"{self.name}/{m}"] for m in self.member_attrs)
            attrs = {m: dict(a) for m, a in self.member_attrs.items()}
            return lgdo.WaveformTable(
                values=lgdo.ArrayOfEqualSizedArrays(
                    nda=values, dims=(1, 1), attrs=attrs["values"]
                ),
                t0=lgdo.Array(t0, attrs=attrs["t0"]),
                dt=lgdo.Array(dt, attrs=attrs["dt"]),
                attrs=dict(self.attrs),
            )
        # the constructor trims arrays that have more room than the offsets say
        vectors = lgdo.VectorOfVectors(
            offsets=lgdo.Array(np.zeros(1, np.int64)),
            flattened_data=lgdo.Array(np.empty(0, self.dtype)),
            attrs=dict(self.attrs),
        )
        vectors._offsets.nda = arrays[f"{self.name}/offsets"]
        vectors.flattened_data.nda = arrays[f"{self.name}/flattened_data"]
        return vectors


class _Shared:
    """What buffers of the same columns have in common.

    Attributes
    ----------
    layout
        how they are written.
    spares
        arrays that are not in use, by number of rows.
    """

    def __init__(self, fields: list[Field]) -> None:
        self._fields = fields
        self.spares: dict[int, list[dict[str, np.ndarray]]] = {}

    @cached_property
    def layout(self) -> Layout | None:
        datatype = table_type([column.name for column in self._fields])
        layout = Layout({"": {"datatype": datatype}})
        return layout if all(f.describe(layout) for f in self._fields) else None


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

    @property
    def layout(self) -> Layout | None:
        """How the table is written; None if its rows must be encoded before."""
        return self._shared.layout

    def resize(self, size: int) -> None:
        """Forget all rows and have `size` new ones; memory is taken when needed."""
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
        """Hand over the arrays; others stand in when rows come.

        Returns
        -------
        arrays
            the arrays.
        give_back
            to be called when they are not needed any more.
        """
        arrays = self.arrays
        self._arrays = None
        spares = self._shared.spares.setdefault(self.size, [])
        return arrays, lambda: spares.append(arrays)

    def rows(self, arrays: dict[str, np.ndarray], n: int) -> list[np.ndarray]:
        """Return the first `n` rows in `arrays`, for each dataset of the layout."""
        return [rows for column in self.fields for rows in column.rows(arrays, n)]

    def row_bytes(self) -> int:
        """Bytes that one row takes."""
        return sum(column.row_bytes() for column in self.fields)

    @property
    def n_samples(self) -> int:
        """Samples of its waveforms; 0 if it has none."""
        return next((f.width for f in self.fields if f.kind == "waveform"), 0)

    def widest_bytes(self) -> int:
        """Bytes that a row of its widest dataset takes; vectors have no rows."""
        widths = [f.dtype.itemsize * f.width for f in self.fields if f.kind != "vector"]
        return max(widths, default=0)

    def as_lgdo(self) -> lgdo.Table:
        """Return the table of views on the arrays: always the same object."""
        if self._lgdo is None:
            import lgdo  # noqa: PLC0415  (takes a second: only where a user asks)

            self._lgdo = lgdo.Table(size=self.size)
            for column in self.fields:
                self._lgdo.add_field(column.name, column.make_lgdo(self.arrays))
        return self._lgdo

    def grow_vectors(self, row: int, n: int) -> None:
        """Make room in all vector columns for `n` more elements after `row` rows."""
        for column in self.fields:
            if column.kind != "vector":
                continue
            path = f"{column.name}/flattened_data"
            used = int(self.arrays[f"{column.name}/offsets"][row])
            data = _grown(self.arrays[path], used, n)
            self.arrays[path] = data
            if self._lgdo is not None:
                self._lgdo[column.name].flattened_data.nda = data


def _grown(data: np.ndarray, used: int, n: int) -> np.ndarray:
    """Return `data` with room for `n` elements after the first `used`."""
    if used + n <= len(data):
        return data
    grown = np.zeros(max(2 * len(data), used + n), data.dtype)
    grown[:used] = data[:used]
    return grown


def arrays_of(table: lgdo.Table) -> dict[str, np.ndarray]:
    """Return the arrays of an LGDO table by path, as `TableBuffer.arrays` does.

    Columns of types that no decoder fills are left out.
    """
    import lgdo  # noqa: PLC0415  (the caller has an object of it already)

    arrays: dict[str, np.ndarray] = {}
    for name, column in table.items():
        if isinstance(column, lgdo.Table):
            arrays |= {f"{name}/{k}": v.nda for k, v in column.items()}
        elif isinstance(column, lgdo.VectorOfVectors):
            arrays[f"{name}/offsets"] = column._offsets.nda
            arrays[f"{name}/flattened_data"] = column.flattened_data.nda
        elif isinstance(column, lgdo.Array):
            arrays[name] = column.nda
    return arrays


def grow_vectors(table: lgdo.Table, row: int, n: int) -> None:
    """Make room in all vector columns of an LGDO table, see `TableBuffer`."""
    import lgdo  # noqa: PLC0415  (the caller has an object of it already)

    for column in table.values():
        if isinstance(column, lgdo.VectorOfVectors):
            used = int(column._offsets.nda[row])
            column.flattened_data.nda = _grown(column.flattened_data.nda, used, n)
