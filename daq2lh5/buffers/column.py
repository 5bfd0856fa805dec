"""A column of a table: its arrays, how it is written, and how lgdo shows it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..writing.codecs import Codec, Encoded, codec_of
from ..writing.layout import (
    ENCODED_LENGTHS,
    NOT_ATTRIBUTES,
    Layout,
    add_encoded,
    array,
    refuse_settings,
    table_type,
)

if TYPE_CHECKING:
    import lgdo

log = logging.getLogger(__name__)

__all__ = ["Field"]

VECTOR_ROWS_GUESS = 16
"""Rows for which a vector column has room at first; it grows on demand."""

VECTOR_DATATYPE = "array<1>{array<1>{real}}"
FIXED_DATATYPE = "array_of_equalsized_arrays<1,1>"


@dataclass
class Field:
    """A column of a table in memory, parsed from an entry of `decoded_values`.

    Attributes
    ----------
    name
        name of the column.
    kind : {"scalar", "fixed", "waveform", "lists", "vector"}
        what a row is: a number; `width` numbers; a waveform of `width` samples; a
        waveform of any number of samples; any number of numbers.
    dtype, width
        type and number of the values of a row; of a waveform, of its samples.
    attrs, member_attrs
        LH5 attributes and settings for writing: of the column, and of a waveform's
        members.
    dt
        default sampling period of waveforms.
    time_dtypes
        types of the members ``t0`` and ``dt`` of waveforms, by default float32.
    encoded
        name of the codec if a row holds the encoded bytes of a waveform instead of its
        samples: see :meth:`TableBuffer.with_encoded`.
    """

    name: str
    kind: str
    dtype: np.dtype
    width: int = 1
    attrs: dict[str, Any] = field(default_factory=dict)
    member_attrs: dict[str, dict[str, Any]] = field(default_factory=dict)
    dt: float = 0.0
    time_dtypes: dict[str, np.dtype] = field(default_factory=dict)
    encoded: str | None = None

    @classmethod
    def parse(cls, name: str, description: dict[str, Any], owner: str) -> Field:
        """Read one entry of `decoded_values`.

        Raises
        ------
        AttributeError
            if the entry has no ``dtype``.
        RuntimeError
            if a table cannot hold its ``datatype``.
        """
        attrs = dict(description)
        if "dtype" not in attrs:
            msg = f"{owner}: column '{name}' has no dtype"
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
            times = {"dt": dt.dtype} if hasattr(dt, "dtype") else {}
            if width is None:
                # any number of samples in each row
                return cls(name, "lists", dtype, 1, attrs, members, dt, times)
            return cls(name, "waveform", dtype, width, attrs, members, dt, times)

        if datatype.startswith(FIXED_DATATYPE):
            return cls(name, "fixed", dtype, attrs.pop("length"), attrs)

        if datatype == VECTOR_DATATYPE:
            # only the first guess: the column grows as it is filled
            width = attrs.pop("length_guess", 1)
            return cls(name, "vector", dtype, width, attrs)

        msg = f"{owner}: column '{name}': a table cannot hold a '{datatype}'"
        raise RuntimeError(msg)

    def row_bytes(self) -> int:
        """Return the bytes that a row takes at most (of vectors: a guess)."""
        if self.kind == "vector":
            return 8 + self.dtype.itemsize * min(self.width, VECTOR_ROWS_GUESS)
        if self.kind == "lists":
            return 16 + self.dtype.itemsize * VECTOR_ROWS_GUESS
        extra = 4 + self.dt_dtype.itemsize if self.kind == "waveform" else 0
        return self.dtype.itemsize * self.width + extra

    @property
    def dt_dtype(self) -> np.dtype:
        """Type of the sampling periods of waveforms."""
        return self.time_dtypes.get("dt", np.dtype(np.float32))

    def allocate(self, size: int) -> dict[str, np.ndarray]:
        """Return new arrays of the column, by path inside the table.

        A waveform has ``values`` (size, width), ``t0`` and ``dt``; a vector column
        has ``offsets`` (size + 1, the first is 0) and ``flattened_data``. The
        ``values`` of encoded waveforms are vectors, too, with room for the longest.
        """
        if self.kind == "scalar":
            return {self.name: np.zeros(size, self.dtype)}
        if self.kind == "fixed":
            return {self.name: np.zeros((size, self.width), self.dtype)}
        if self.kind == "waveform":
            path = f"{self.name}/values"
            if self.encoded is None:
                values = {path: np.zeros((size, self.width), self.dtype)}
            else:
                longest = Codec(self.encoded).longest(self.dtype, self.width)
                values = {
                    f"{path}/offsets": np.zeros(size + 1, np.int64),
                    # the system provides memory when bytes are written to it
                    f"{path}/flattened_data": np.zeros(size * longest, np.uint8),
                }
            return values | {
                f"{self.name}/t0": np.zeros(size, np.float32),
                f"{self.name}/dt": np.full(size, self.dt, self.dt_dtype),
            }
        if self.kind == "lists":
            return self.values.allocate(size) | {
                f"{self.name}/t0": np.zeros(size, np.float32),
                f"{self.name}/dt": np.full(size, self.dt, self.dt_dtype),
            }
        capacity = min(size, VECTOR_ROWS_GUESS) * min(self.width, VECTOR_ROWS_GUESS)
        return {
            f"{self.name}/offsets": np.zeros(size + 1, np.int64),
            f"{self.name}/flattened_data": np.zeros(capacity, self.dtype),
        }

    @property
    def values(self) -> Field:
        """The samples of waveforms of kind ``"lists"``, as a vector column."""
        attrs = self.member_attrs["values"].items()
        # settings for writing are for arrays with rows of one length
        attrs = {k: v for k, v in attrs if k not in NOT_ATTRIBUTES}
        return Field(f"{self.name}/values", "vector", self.dtype, 1, attrs)

    @cached_property
    def codec(self) -> Codec | None:
        """Codec that encodes the samples of waveforms for the file; or None."""
        wanted = self.member_attrs.get("values", {}).get("compression")
        return codec_of(wanted, f"{self.name}/values")

    def describe(self, layout: Layout) -> None:
        """Add the column to a layout."""
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
            layout.groups[name] = {"datatype": table_type(list(members))} | attrs
            path, shape = f"{name}/values", (self.width,)
            if self.codec is not None:
                add_encoded(layout, path, self.codec, self.dtype, self.width)
            else:
                values = members["values"]
                layout.datasets.append(
                    array(path, self.dtype, shape, values, FIXED_DATATYPE)
                )
            self._describe_times(layout)
        elif self.kind == "lists":
            if self.codec is not None:
                log.warning(
                    "'%s/values' has waveforms of different lengths: they are written "
                    "as they are, not encoded by %s",
                    *(name, self.codec.name),
                )
            layout.groups[name] = {"datatype": table_type([*self.member_attrs])} | attrs
            self.values.describe(layout)
            self._describe_times(layout)
        else:
            refuse_settings(name, attrs)
            layout.groups[name] = {"datatype": VECTOR_DATATYPE} | attrs
            flat = array(f"{name}/flattened_data", self.dtype, (), {}, "array<1>")
            lengths = array(f"{name}/cumulative_length", np.int64, (), {}, "array<1>")
            lengths.counts = flat.path
            layout.datasets += [flat, lengths]

    def _describe_times(self, layout: Layout) -> None:
        """Add the times of waveforms to a layout."""
        for member in ("t0", "dt"):
            path = f"{self.name}/{member}"
            dtype = self.time_dtypes.get(member, np.dtype(np.float32))
            attrs = self.member_attrs[member]
            layout.datasets.append(array(path, dtype, (), attrs, "array<1>"))

    def rows(self, arrays: dict[str, np.ndarray], n: int) -> list[np.ndarray | Encoded]:
        """Return the first `n` rows, for each dataset of `describe`."""
        name = self.name
        if self.kind == "lists":
            times = [arrays[f"{name}/{m}"][:n] for m in ("t0", "dt")]
            return self.values.rows(arrays, n) + times
        if self.kind == "waveform":
            t0, dt = (arrays[f"{name}/{m}"][:n] for m in ("t0", "dt"))
            if self.encoded is not None:
                offsets = arrays[f"{name}/values/offsets"]
                data = arrays[f"{name}/values/flattened_data"][: offsets[n]]
                return [Encoded(data, offsets[1 : n + 1]), ENCODED_LENGTHS, t0, dt]
            values = arrays[f"{name}/values"][:n]
            lengths = [] if self.codec is None else [ENCODED_LENGTHS]
            return [values, *lengths, t0, dt]
        if self.kind != "vector":
            return [arrays[name][:n]]
        offsets = arrays[f"{name}/offsets"]
        return [arrays[f"{name}/flattened_data"][: offsets[n]], offsets[1 : n + 1]]

    def make_lgdo(self, arrays: dict[str, np.ndarray]) -> lgdo.LGDO:
        """Return the column's `arrays` as an LGDO."""
        import lgdo  # noqa: PLC0415  (takes a second: only where a user asks)

        if self.kind == "scalar":
            return lgdo.Array(arrays[self.name], attrs=dict(self.attrs))
        if self.kind == "fixed":
            return lgdo.ArrayOfEqualSizedArrays(
                nda=arrays[self.name], dims=(1, 1), attrs=dict(self.attrs)
            )
        if self.kind in ("waveform", "lists"):
            t0, dt = (arrays[f"{self.name}/{m}"] for m in ("t0", "dt"))
            attrs = {m: dict(a) for m, a in self.member_attrs.items()}
            if self.kind == "lists":
                values = self.values.make_lgdo(arrays)
            else:
                values = lgdo.ArrayOfEqualSizedArrays(
                    nda=arrays[f"{self.name}/values"],
                    dims=(1, 1),
                    attrs=attrs["values"],
                )
            return lgdo.WaveformTable(
                values=values,
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
