"""The HDF5 objects of an LH5 object.

A :class:`Layout` lists the groups, datasets and scalars below the path of an object,
with the attributes that LH5 gives them (LH5 format, 1.1 to 1.3).
Rows are separate, one array for each dataset: a table needs one layout, however often
rows are appended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .codecs import Codec, Encoded, codec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import lgdo

    from .filters import ChunkEncoder

__all__ = [
    "ENCODED_LENGTHS",
    "TASK_BYTES",
    "Coding",
    "Dataset",
    "Layout",
    "add_encoded",
    "array",
    "layout_of_lgdo",
    "layout_of_values",
    "refuse_settings",
    "scalar",
    "table_type",
]

TASK_BYTES = 2**20
"""Least number of bytes of rows that a thread works on at a time."""

NOT_ATTRIBUTES = ("compression", "hdf5_settings")
"""Attributes of an array that are settings, and are not written to the file."""

NOT_COMPRESSED = {"compression": None, "compression_opts": None, "scaleoffset": None}
"""Settings of encoded waveforms, which are not compressed again, and never changed."""

ENCODED_LENGTHS = np.empty(0, np.uint32)
"""Placeholder rows for the lengths of encoded waveforms, which the codec computes."""


@dataclass
class Dataset:
    """A dataset that grows by rows.

    Attributes
    ----------
    path
        below the object; empty if the object is this dataset.
    dtype, row_shape
        of the rows on disk.
    attrs
        LH5 attributes.
    settings
        HDF5 settings for this dataset alone, see :class:`h5py.Group`'s
        ``create_dataset``.
    counts
        path of the flattened data of a vector column, if this is its cumulative
        length: appended rows are counted from the first row of the file.
    """

    path: str
    dtype: np.dtype
    row_shape: tuple[int, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    counts: str | None = None

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.dtype.itemsize * math.prod(self.row_shape)


class Coding(NamedTuple):
    """Waveforms that are written encoded.

    Attributes
    ----------
    path
        of their group, below the object.
    codec
        the codec.
    n_samples
        samples of a waveform.
    """

    path: str
    codec: Codec
    n_samples: int

    @property
    def data(self) -> str:
        """Path of the bytes of all rows; its rows are given as waveforms."""
        return f"{self.path}/encoded_data/flattened_data"

    @property
    def lengths(self) -> str:
        """Path of the number of bytes up to the end of each row."""
        return f"{self.path}/encoded_data/cumulative_length"

    @property
    def decoded_size(self) -> str:
        """Path of the number of samples of a waveform."""
        return f"{self.path}/decoded_size"

    def work(
        self, waveforms: np.ndarray | Encoded
    ) -> Iterator[tuple[int, Callable[[ChunkEncoder], Encoded]]]:
        """Yield the number of bytes of some rows, and a function that encodes them."""
        if isinstance(waveforms, Encoded):
            yield waveforms.data.nbytes, lambda _: waveforms.copy()
            return
        row_bytes = waveforms.itemsize * self.n_samples
        step = max(1, TASK_BYTES // max(row_bytes, 1))
        for start in range(0, len(waveforms), step):
            some = waveforms[start : start + step]
            yield some.nbytes, partial(self._encode, some)

    def _encode(self, waveforms: np.ndarray, encoder: ChunkEncoder) -> Encoded:
        return self.codec.encode(waveforms, room=encoder.room)


@dataclass(eq=False)
class Layout:
    """The HDF5 objects of an LH5 object.

    Attributes
    ----------
    groups
        attributes of the groups by path below the object, parents first.
    datasets
        the datasets that grow by rows.
    scalars
        value and attributes of datasets without rows, by path.
    codings
        waveforms that are written encoded.
    """

    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasets: list[Dataset] = field(default_factory=list)
    scalars: dict[str, tuple[Any, dict[str, Any]]] = field(default_factory=dict)
    codings: list[Coding] = field(default_factory=list)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Numbers of the datasets by path."""
        return {d.path: i for i, d in enumerate(self.datasets)}

    @cached_property
    def vectors(self) -> list[tuple[int, int]]:
        """Numbers of each dataset of lengths and of its flattened data."""
        return [
            (i, self.numbers[d.counts]) for i, d in enumerate(self.datasets) if d.counts
        ]

    @property
    def members(self) -> set[str]:
        """Names of the object's members, if it is a group."""
        paths = [*self.groups, *self.numbers, *self.scalars]
        return {path.partition("/")[0] for path in paths if path}

    @property
    def settings(self) -> list[dict[str, Any]]:
        """HDF5 settings of each dataset."""
        return [d.settings for d in self.datasets]


def layout_of_values(
    values: dict[str, Any], attrs: dict[str, dict[str, Any]]
) -> tuple[Layout, list[np.ndarray]]:
    """Return the layout of a struct, and its rows.

    Parameters
    ----------
    values
        the fields: arrays, numbers, strings, and dictionaries of numbers and strings.
    attrs
        attributes of the fields, without their datatypes.
    """
    layout = Layout({"": {"datatype": f"struct{{{','.join(sorted(values))}}}"}})
    rows = []
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            dataset = array(name, value.dtype, (), attrs.get(name, {}), "array<1>")
            layout.datasets.append(dataset)
            rows.append(value)
        elif isinstance(value, dict):
            members = ",".join(sorted(value))
            layout.groups[name] = {"datatype": f"struct{{{members}}}"}
            for member, number in value.items():
                layout.scalars[f"{name}/{member}"] = scalar(number, {})
        else:
            layout.scalars[name] = scalar(value, attrs.get(name, {}))
    return layout, rows


def scalar(value: Any, attrs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Describe a number or a string, see :class:`Layout`."""
    kind = "string" if isinstance(value, str) else element_type(np.asarray(value).dtype)
    return value, {"datatype": kind} | attrs


def element_type(dtype: np.dtype) -> str:
    """Return the LH5 name of an element type."""
    names = {"b": "bool", "c": "complex", "S": "string", "U": "string", "V": "blob"}
    return names.get(dtype.kind, "real")


def array(
    path: str,
    dtype: np.dtype,
    row_shape: tuple[int, ...],
    attrs: dict[str, Any],
    datatype: str,
) -> Dataset:
    """Describe an array; `compression` and `hdf5_settings` become its settings.

    Parameters
    ----------
    path, dtype, row_shape
        as in :class:`Dataset`; bools are bytes on disk.
    attrs
        all attributes but the datatype.
    datatype
        LH5 datatype without the type of the elements.

    Raises
    ------
    ValueError
        if a codec of waveforms is asked for.
    """
    dtype = np.dtype(dtype)
    settings: dict[str, Any] = {}
    _refuse_codec(path, attrs)
    if "compression" in attrs:
        value = attrs["compression"]
        settings |= value if isinstance(value, dict) else {"compression": value}
    settings |= attrs.get("hdf5_settings", {})
    kept = {k: v for k, v in attrs.items() if k not in NOT_ATTRIBUTES}
    kept = {"datatype": f"{datatype}{{{element_type(dtype)}}}"} | kept
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    return Dataset(path, dtype, tuple(row_shape), kept, settings)


def add_encoded(
    layout: Layout, path: str, codec: Codec, dtype: np.dtype, n_samples: int
) -> None:
    """Add waveforms that are written encoded to a layout.

    Its rows are the waveforms, as samples or :class:`.Encoded`, and `ENCODED_LENGTHS`.
    Only the attributes of the codec are written (LH5 format, 3.3).

    Parameters
    ----------
    layout, path
        the layout, and their path in it.
    codec
        the codec.
    dtype, n_samples
        of the waveforms.

    Raises
    ------
    ValueError
        if such waveforms cannot be encoded.
    """
    codec.check(dtype, n_samples, path)
    coding = Coding(path, codec, n_samples)
    layout.codings.append(coding)
    datatype = "array_of_encoded_equalsized_arrays<1,1>{real}"
    layout.groups[path] = {"datatype": datatype} | codec.attrs
    layout.groups[f"{path}/encoded_data"] = {"datatype": "array<1>{array<1>{real}}"}
    data = array(coding.data, np.dtype(np.uint8), (), {}, "array<1>")
    data.settings |= NOT_COMPRESSED
    lengths = array(coding.lengths, np.dtype(np.uint32), (), {}, "array<1>")
    lengths.counts = data.path
    layout.datasets += [data, lengths]
    layout.scalars[coding.decoded_size] = scalar(n_samples, {})


def table_type(names: list[str]) -> str:
    """Return the datatype of a table with columns of these names."""
    return f"table{{{','.join(sorted(names))}}}"


def _refuse_codec(path: str, attrs: dict[str, Any]) -> None:
    codec = codec_of(attrs.get("compression"), path)
    if codec is not None:
        msg = f"'{path}': {codec.name} is for the values of waveforms of equal length"
        raise ValueError(msg)


def refuse_settings(path: str, attrs: dict[str, Any]) -> None:
    """Refuse settings of anything but an array; lh5 refuses them too."""
    _refuse_codec(path, attrs)
    if "hdf5_settings" in attrs:
        msg = (
            f"'{path}' is not an array: hdf5_settings are for those of its members "
            "that are arrays"
        )
        raise TypeError(msg)


def layout_of_lgdo(
    obj: lgdo.LGDO, n_rows: int | None = None
) -> tuple[Layout, list[np.ndarray]] | None:
    """Return the layout of an LGDO and its rows.

    Parameters
    ----------
    obj
        the object.
    n_rows
        number of its rows to write; None for all.

    Returns
    -------
    layout, rows
        None if only lh5 can write it.
    """
    layout = Layout()
    rows: list[np.ndarray] = []
    known = _describe(obj, "", n_rows, layout, rows)
    return (layout, rows) if known else None


def _describe(
    obj: lgdo.LGDO,
    path: str,
    n_rows: int | None,
    layout: Layout,
    rows: list[np.ndarray],
) -> bool:
    """Add an LGDO to a layout; False if only lh5 can write it."""
    import lgdo  # noqa: PLC0415  (the caller has an object of it already)

    encoded = (lgdo.ArrayOfEncodedEqualSizedArrays, lgdo.VectorOfEncodedVectors)
    describe: Callable | None = None
    if isinstance(obj, lgdo.Scalar):
        layout.scalars[path] = obj.value, dict(obj.attrs)
        return True
    if isinstance(obj, encoded):
        describe = _describe_encoded
    elif isinstance(obj, lgdo.VectorOfVectors):
        describe = _describe_vectors
    elif isinstance(obj, lgdo.Array):
        describe = _describe_array
    elif isinstance(obj, lgdo.Struct) and not isinstance(obj, lgdo.Histogram):
        describe = _describe_struct
    return describe is not None and describe(obj, path, n_rows, layout, rows)


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _describe_struct(
    obj: lgdo.Struct,
    path: str,
    n_rows: int | None,
    layout: Layout,
    rows: list[np.ndarray],
) -> bool:
    import lgdo  # noqa: PLC0415

    refuse_settings(path, obj.attrs)
    layout.groups[path] = dict(obj.attrs)
    for name, member in obj.items():
        below = _below(path, str(name))
        if name == "values" and isinstance(obj, lgdo.WaveformTable):
            codec = codec_of(member.attrs.get("compression"), below)
            if (
                codec is not None
                and isinstance(member, lgdo.ArrayOfEqualSizedArrays)
                and member.nda.ndim == 2
            ):
                values = member.nda[:n_rows]
                add_encoded(layout, below, codec, values.dtype, values.shape[1])
                rows += [values, ENCODED_LENGTHS]
                continue
        if not _describe(member, below, n_rows, layout, rows):
            return False
    return True


def _describe_array(
    obj: lgdo.Array,
    path: str,
    n_rows: int | None,
    layout: Layout,
    rows: list[np.ndarray],
) -> bool:
    data = obj.nda[:n_rows]
    attrs = obj.getattrs(datatype=True)
    dataset = array(path, data.dtype, data.shape[1:], attrs, "")
    dataset.attrs["datatype"] = attrs["datatype"]
    if data.dtype.kind not in "iufbcS":
        return False
    layout.datasets.append(dataset)
    rows.append(data)
    return True


def _describe_vectors(
    obj: lgdo.VectorOfVectors,
    path: str,
    n_rows: int | None,
    layout: Layout,
    rows: list[np.ndarray],
) -> bool:
    import lgdo  # noqa: PLC0415

    flat = obj.flattened_data
    if not isinstance(flat, lgdo.Array):
        return False
    refuse_settings(path, obj.attrs)
    layout.groups[path] = dict(obj.attrs)
    lengths = obj.cumulative_length.nda[:n_rows]
    elements = int(lengths[-1]) if len(lengths) else 0
    if not _describe_array(
        flat, _below(path, "flattened_data"), elements, layout, rows
    ) or not _describe_array(
        obj.cumulative_length, _below(path, "cumulative_length"), n_rows, layout, rows
    ):
        return False
    layout.datasets[-1].counts = layout.datasets[-2].path
    return True


def _describe_encoded(
    obj: lgdo.ArrayOfEncodedEqualSizedArrays | lgdo.VectorOfEncodedVectors,
    path: str,
    n_rows: int | None,
    layout: Layout,
    rows: list[np.ndarray],
) -> bool:
    layout.groups[path] = dict(obj.attrs)
    data, size = _below(path, "encoded_data"), _below(path, "decoded_size")
    if not _describe_vectors(obj.encoded_data, data, n_rows, layout, rows):
        return False
    layout.datasets[-2].settings |= NOT_COMPRESSED
    return _describe(obj.decoded_size, size, n_rows, layout, rows)
