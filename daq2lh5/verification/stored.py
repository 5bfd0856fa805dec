"""Datasets of an output, read independently of the code that writes them.

Chunks are taken from the file as they are, and decompressed by common libraries in any
thread. HDF5 itself reads datasets with other filters.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d

from ..writing.filters import Filters
from ..writing.plugin_filters import load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RefilterError", "StoredDataset", "UnreadableError", "fletcher32"]

PLAIN_BYTES = 2**20
"""Number of bytes that are read at a time if the dataset has no chunks."""

LARGEST_FACTOR, LARGEST_SMALL = 2, 4096
"""Limit of the size of a compressed chunk: factor times its data, plus bytes."""

FLETCHER_WORDS = 2**16
"""Number of words whose sums fit 64 bits."""

WEIGHTS = np.arange(FLETCHER_WORDS, 0, -1, dtype=np.uint64)


class UnreadableError(Exception):
    """Rows of a dataset cannot be read."""


class RefilterError(Exception):
    """The filters of a dataset cannot be applied to other rows."""


class StoredDataset:
    """A dataset of an output.

    Parameters
    ----------
    file, path
        file and path of the dataset.
    node
        the dataset, open; it must have rows.

    Attributes
    ----------
    path, dtype, n, row_shape
        its path, type, number of rows, and shape of a row.
    chunk_rows
        rows of a chunk; if it has no chunks, rows to read at a time.
    direct
        whether its chunks are decompressed here, instead of by HDF5.
    lossy
        whether its filters may change values.
    """

    def __init__(self, file: h5py.File, path: str, node: h5d.DatasetID) -> None:
        self.file = file
        self.path = path
        self.n, *shape = node.shape
        self.row_shape = tuple(shape)
        self.dtype = node.dtype
        self.row_bytes = self.dtype.itemsize * math.prod(self.row_shape)
        self.properties = node.get_create_plist()
        self.filters = Filters.of(self.properties, level_asked=True)
        if not self.filters.known:
            load_plugins()
        chunks = None
        if self.properties.get_layout() == h5d.CHUNKED:
            chunks = self.properties.get_chunk()
        whole_rows = chunks is not None and chunks[1:] == self.row_shape
        if chunks is None:
            self.chunk_rows = max(1, PLAIN_BYTES // max(self.row_bytes, 1))
        else:
            self.chunk_rows = chunks[0]
        self.direct = (
            whole_rows
            and self.filters.known
            and self.row_bytes > 0
            and not self.dtype.hasobject
        )
        self.lossy = not self.filters.known

    def starts(self) -> Iterator[int]:
        """Go through the first rows of its chunks."""
        return iter(range(0, self.n, self.chunk_rows))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows of one chunk. It runs in any thread.

        Parameters
        ----------
        start, stop
            first row, which must be the first of a chunk; end of the rows.

        Raises
        ------
        UnreadableError
            if the chunk is missing, damaged, or has a wrong size.
        """
        if not self.direct:
            return self._read_by_hdf5(start, stop)
        try:
            # opened here: many open datasets take much memory
            dataset = h5d.open(self.file.id, self.path.encode())
            origin = (start,) + (0,) * len(self.row_shape)
            info = dataset.get_chunk_info_by_coord(origin)
            self._check_place(info.byte_offset, info.size)
            mask, payload = dataset.read_direct_chunk(origin)
        except (OSError, RuntimeError, KeyError, ValueError) as e:
            msg = f"the chunk cannot be read: {e}"
            raise UnreadableError(msg) from e
        if mask not in (0, self.filters.raw_mask):
            return self._read_by_hdf5(start, stop)
        data = self._unpacked(payload, raw=mask != 0)
        rows = data.view(self.dtype).reshape(self.chunk_rows, *self.row_shape)
        return rows[: stop - start]

    def _check_place(self, offset: int | None, size: int) -> None:
        """Check that a chunk is in the file, before memory for it is allocated."""
        if offset is None:
            msg = "the chunk is missing"
            raise UnreadableError(msg)
        if size > LARGEST_FACTOR * self.chunk_rows * self.row_bytes + LARGEST_SMALL:
            msg = f"the chunk takes {size} bytes: its size in the file is wrong"
            raise UnreadableError(msg)

    def _read_by_hdf5(self, start: int, stop: int) -> np.ndarray:
        try:
            return h5py.Dataset(h5d.open(self.file.id, self.path.encode()))[start:stop]
        except (OSError, RuntimeError, KeyError, ValueError) as e:
            msg = f"HDF5 cannot read it: {e}"
            raise UnreadableError(msg) from e

    def _unpacked(self, payload: bytes, raw: bool) -> np.ndarray:
        """Undo the filters of a chunk; return its bytes."""
        filters = self.filters
        if filters.checksum:
            payload, stored = payload[:-4], payload[-4:]
            if fletcher32(payload).to_bytes(4, "little") != stored:
                msg = "the chunk's checksum (Fletcher-32) is wrong"
                raise UnreadableError(msg)
        size = self.chunk_rows * self.row_bytes
        data: Any = payload
        if filters.compressor and not raw:
            data = _decompressed(payload, filters.compressor, size)
        if len(data) != size:
            msg = f"the chunk has {len(data)} bytes, expected {size}"
            raise UnreadableError(msg)
        found = np.frombuffer(data, np.uint8)
        if not filters.shuffle or self.dtype.itemsize == 1:
            return found
        return _unshuffled(found, self.dtype.itemsize)

    def refiltered(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of one chunk as they are after the dataset's filters.

        Raises
        ------
        RefilterError
            if HDF5 refuses the filters: some do not accept their own stored settings.
        """
        from ..writing.datasets import memory_file  # noqa: PLC0415  (seldom needed)

        with memory_file() as file:
            space = h5py.h5s.create_simple(
                rows.shape, (h5py.h5s.UNLIMITED, *self.row_shape)
            )
            kind = h5py.h5t.py_create(self.dtype, logical=True)
            try:
                created = h5d.create(file.id, b"rows", kind, space, self.properties)
            except (OSError, RuntimeError, ValueError) as e:
                raise RefilterError(str(e)) from e
            dataset = h5py.Dataset(created)
            dataset[...] = rows
            # the chunk is filtered only when the dataset is closed
            del dataset, created
            file.flush()
            return file["rows"][...]


def _decompressed(payload: bytes, compressor: str, size: int) -> bytes:
    if compressor == "zstd":
        import zstandard  # noqa: PLC0415  (seldom needed)

        try:
            return zstandard.ZstdDecompressor().decompress(payload)
        except zstandard.ZstdError as e:
            msg = f"the chunk cannot be decompressed: {e}"
            raise UnreadableError(msg) from e
    try:
        return zlib.decompress(payload, bufsize=max(size, 1))
    except zlib.error as e:
        msg = f"the chunk cannot be decompressed: {e}"
        raise UnreadableError(msg) from e


def _unshuffled(data: np.ndarray, itemsize: int) -> np.ndarray:
    """Reverse the shuffle filter: put the bytes of each element together again."""
    out = np.empty((len(data) // itemsize, itemsize), np.uint8)
    for k, plane in enumerate(data.reshape(itemsize, -1)):
        out[:, k] = plane
    return out.reshape(-1)


def fletcher32(data: bytes) -> int:
    """Return the Fletcher-32 checksum of HDF5's filter number 3."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2").astype(np.uint64)
    first = second = 0
    for start in range(0, len(words), FLETCHER_WORDS):
        some = words[start : start + FLETCHER_WORDS]
        second += first * len(some) + int(some @ WEIGHTS[FLETCHER_WORDS - len(some) :])
        first += int(some.sum())
    return _reduced(second) << 16 | _reduced(first)


def _reduced(value: int) -> int:
    """Return a sum modulo 65535, with 65535 in place of 0 for sums above 0."""
    return (value - 1) % 65535 + 1 if value else 0
