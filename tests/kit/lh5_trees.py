"""HDF5 files taken apart, to compare what two writers have made."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    import os

GZIP, SHUFFLE, FLETCHER32, LZF, ZSTD = 1, 2, 3, 32000, 32015


def type_of(type_id: h5py.h5t.TypeID) -> bytes:
    """Return the bytes by which HDF5 describes a type in a file."""
    return type_id.encode()


def attributes_of(obj: h5py.HLObject) -> dict[str, tuple]:
    """Return type, shape and value of all attributes."""
    found = {}
    for name in sorted(obj.attrs):
        attribute = obj.attrs.get_id(name)
        value = obj.attrs[name]
        found[name] = (type_of(attribute.get_type()), attribute.shape, value)
    return found


def filters_of(dataset: h5py.Dataset) -> list[tuple]:
    """Return number, flags and values of the filters, in order."""
    properties = dataset.id.get_create_plist()
    found = [properties.get_filter(i)[:3] for i in range(properties.get_nfilters())]
    # lzf is told the size of the chunks, which we choose otherwise
    return [(n, flags, () if n == LZF else values) for n, flags, values in found]


def describe(obj: h5py.HLObject) -> dict[str, Any]:
    """Return all that matters of an object, but not the shape of chunks."""
    properties = obj.id.get_create_plist()
    found = {
        "attributes": attributes_of(obj),
        "attribute order": properties.get_attr_creation_order(),
    }
    if isinstance(obj, h5py.Group):
        return found | {"link order": properties.get_link_creation_order()}
    return found | {
        "type": type_of(obj.id.get_type()),
        "shape": obj.shape,
        "maxshape": obj.maxshape,
        "layout": properties.get_layout(),
        "filters": filters_of(obj),
        "allocation": properties.get_alloc_time(),
        "filling": properties.get_fill_time(),
        "fill value": obj.fillvalue,
        "times": properties.get_obj_track_times(),
        "values": obj[()],
    }


def tree(path: str | os.PathLike[str], skip: tuple[str, ...] = ()) -> dict[str, dict]:
    """Take a file apart, but for attributes of the root group called in `skip`."""
    with h5py.File(path, "r") as file:
        found = {"/": describe(file["/"])}
        file.visititems(lambda name, obj: found.update({name: describe(obj)}))
    for name in skip:
        found["/"]["attributes"].pop(name, None)
    return found


def same(a: object, b: object) -> bool:
    """Compare values of any kind; NaN is NaN, and types count."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    # NaN is not equal to itself
    return type(a) is type(b) and (a == b or ("nan" in repr(a) and repr(a) == repr(b)))


def differences(ours: dict[str, dict], theirs: dict[str, dict]) -> list[str]:
    """List what two trees differ in."""
    found = [f"{p}: only in ours" for p in ours if p not in theirs]
    found += [f"{p}: only in theirs" for p in theirs if p not in ours]
    for path, a in ours.items():
        if path not in theirs:
            continue
        b = theirs[path]
        for key in a | b:
            if key in ("values", "fill value"):
                equal = key in a and key in b and same(a[key], b[key])
            else:
                equal = str(a.get(key)) == str(b.get(key))
            if not equal:
                found.append(f"{path}: {key}: {a.get(key)} != {b.get(key)}")
    return found


def chunk_bytes(dataset: h5py.Dataset) -> list[tuple[tuple, int, bytes]]:
    """Return offset, filter mask and bytes of all stored chunks, by offset."""
    found = []
    for i in range(dataset.id.get_num_chunks()):
        offset = dataset.id.get_chunk_info(i).chunk_offset
        mask, payload = dataset.id.read_direct_chunk(offset)
        found.append((offset, mask, payload))
    return sorted(found)


def datasets(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Return what is known of the storage of all chunked datasets."""
    found = {}

    def look(name: str, obj: h5py.HLObject) -> None:
        if isinstance(obj, h5py.Dataset) and obj.chunks is not None:
            size = int(np.prod(obj.chunks, dtype=int)) * obj.dtype.itemsize
            row = obj.dtype.itemsize * int(np.prod(obj.shape[1:], dtype=int))
            found[name] = {
                "chunks": obj.chunks,
                "shape": obj.shape,
                "chunk size": size,
                "row": row,
                "filters": [f[0] for f in filters_of(obj)],
            }

    with h5py.File(path, "r") as file:
        file.visititems(look)
    return found


def values_of(described: dict[str, Any]) -> str:
    """Return a hash of an object of :func:`describe`, as readers see it, bit by bit."""
    values = np.asarray(described.get("values", ()))
    shown = values.tolist() if values.dtype.hasobject else values.tobytes()
    seen = (values.dtype, values.shape, shown, described["attributes"])
    return hashlib.sha256(repr(seen).encode()).hexdigest()
