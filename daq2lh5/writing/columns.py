"""Datasets that grow by rows, cut into chunks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from h5py import h5t

from .filters import Filters

if TYPE_CHECKING:
    import h5py

    from .filters import ChunkEncoder
    from .layout import Dataset

__all__ = ["Chunk", "Column"]

WIDE_ROW = 256
"""Bytes of a row from which on it may be a waveform."""

CHOOSE_EVERY = 64
"""Chunks after which the better deflate is chosen again, from a sample."""

MANY_NUMBERS = 2**16
"""Bytes of a chunk of short rows from which on that choice pays off."""

SAMPLE_ROWS = 3
SAMPLE_BYTES = 2**14
"""Least size of that sample."""


class Column:
    """A dataset that is being written, in whole chunks.

    Parameters
    ----------
    dataset
        its description.
    path
        in the file.
    chunk_rows
        rows of a chunk.

    Attributes
    ----------
    filters
        the HDF5 filters of its chunks.
    """

    __slots__ = (
        "_chosen",
        "_fill",
        "_pending",
        "_remade",
        "_waveforms",
        "_written",
        "chunk_rows",
        "dtype",
        "filters",
        "path",
        "row_bytes",
        "row_shape",
    )

    def __init__(self, dataset: Dataset, path: str, chunk_rows: int) -> None:
        self.path = path
        self.dtype = dataset.dtype
        self.row_shape = dataset.row_shape
        self.row_bytes = dataset.row_bytes
        self.chunk_rows = chunk_rows
        self.filters = Filters(known=True)
        self._written = 0
        self._remade = -1
        self._chosen = 0
        self._waveforms = False
        self._pending: np.ndarray | None = None
        self._fill = 0

    @classmethod
    def of_dataset(cls, dataset: Dataset, node: h5py.Dataset) -> Column:
        """Return a dataset of a file, to append rows.

        A last chunk that is not full is taken back: its rows come before the new ones.
        """
        # h5py asks HDF5 for these each time
        n, *row_shape = node.shape
        dtype, chunks = node.dtype, node.chunks
        column = cls(dataset, node.name.lstrip("/"), max((chunks or (n,))[0], 1))
        column.dtype = dtype
        column.row_shape = tuple(row_shape)
        column.row_bytes = dtype.itemsize * math.prod(row_shape)
        column.filters = Filters.of(node.id.get_create_plist(), level_asked=False)
        column._written = n
        if chunks is None or chunks[1:] != column.row_shape or dtype.hasobject:
            column.filters = Filters(known=False)
        elif column.filters.known:
            column._written -= n % column.chunk_rows
            if column._written < n:
                column._remade = column._written
                column._keep(node[column._written :])
        return column

    @property
    def rows(self) -> int:
        """Rows so far, written or not."""
        return self._written + self._fill

    def append(self, rows: np.ndarray) -> list[Chunk]:
        """Take rows; return the chunks that are complete.

        The chunks refer to `rows`; the rest, which does not fill a chunk, is copied.
        """
        if rows.dtype != self.dtype and not self.dtype.hasobject:
            rows = converted(rows, self.dtype)
        chunks = []
        position, n = 0, len(rows)
        while self._fill + n - position >= self.chunk_rows:
            end = position + self.chunk_rows - self._fill
            pieces = [rows[position:end]]
            if self._fill:
                pieces.insert(0, self._pending[: self._fill])
                self._pending, self._fill = None, 0
            chunks.append(Chunk(self, self._written, self.chunk_rows, pieces))
            self._written += self.chunk_rows
            position = end
        if position < n:
            self._keep(rows[position:])
        return chunks

    def _keep(self, rows: np.ndarray) -> None:
        end = self._fill + len(rows)
        if self._pending is None or len(self._pending) < end:
            size = end if self._pending is None else max(end, 2 * len(self._pending))
            shape = (min(size, self.chunk_rows), *self.row_shape)
            pending = np.empty(shape, self.dtype)
            if self._fill:
                pending[: self._fill] = self._pending[: self._fill]
            self._pending = pending
        self._pending[self._fill : end] = rows
        self._fill = end

    def last(self) -> list[Chunk]:
        """Return the chunk of the rows that are left, if any."""
        if not self._fill:
            return []
        chunk = Chunk(self, self._written, self._fill, [self._pending[: self._fill]])
        self._written += self._fill
        self._pending, self._fill = None, 0
        return [chunk]

    def choose(self, chunk: Chunk, encoder: ChunkEncoder) -> None:
        """Choose the deflate of the next chunk: from a sample, now and then."""
        filters = self.filters
        if (
            (self.row_bytes < WIDE_ROW and chunk.size < MANY_NUMBERS)
            or not (filters.shuffle and filters.compressor == "fast")
            or self.dtype.itemsize not in (2, 4, 8)
        ):
            return
        if self._chosen % CHOOSE_EVERY == 0:
            rows = max(SAMPLE_ROWS, SAMPLE_BYTES // self.row_bytes)
            sample = np.ascontiguousarray(chunk.pieces[0][:rows], self.dtype)
            self._waveforms = encoder.like_waveforms(sample)
        self._chosen += 1
        chunk.waveforms = self._waveforms


def converted(rows: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert rows as HDF5 does when it writes: values out of range are clipped."""
    if rows.dtype.kind == "b" and dtype == np.uint8:
        return rows.view(np.uint8)
    size = max(rows.dtype.itemsize, dtype.itemsize)
    buffer = np.zeros(rows.size * size, np.uint8)
    buffer[: rows.nbytes] = np.ascontiguousarray(rows).reshape(-1).view(np.uint8)
    h5t.convert(h5t.py_create(rows.dtype), h5t.py_create(dtype), rows.size, buffer)
    return buffer[: rows.size * dtype.itemsize].view(dtype).reshape(rows.shape)


class Chunk:
    """The rows of a chunk; the last chunk of a dataset may have fewer.

    Attributes
    ----------
    column
        the dataset.
    start, rows
        number of the first row; number of rows.
    pieces
        the rows, in one or two arrays.
    waveforms
        whether to use the deflate for waveforms.
    """

    __slots__ = ("column", "pieces", "rows", "start", "waveforms")

    def __init__(
        self, column: Column, start: int, rows: int, pieces: list[np.ndarray]
    ) -> None:
        self.column = column
        self.start = start
        self.rows = rows
        self.pieces = pieces
        self.waveforms = False

    @property
    def origin(self) -> tuple[int, ...]:
        """Coordinates of its first element in the dataset."""
        return (self.start,) + (0,) * len(self.column.row_shape)

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self.rows * self.column.row_bytes

    def encode(self, encoder: ChunkEncoder) -> tuple[Any, int]:
        """Apply the filters.

        Returns
        -------
        payload, mask
            the bytes of the chunk and its filter mask; the rows themselves if HDF5
            has to apply the filters.
        """
        column = self.column
        pieces = [np.ascontiguousarray(p) for p in self.pieces]
        if not column.filters.known:
            return np.concatenate(pieces), 0
        if sum(p.nbytes for p in pieces) != self.size:
            msg = f"'{column.path}': these rows have another shape than earlier ones"
            raise ValueError(msg)
        size = column.chunk_rows * column.row_bytes
        # HDF5 keeps the mask of a chunk that is replaced by one of the same length:
        # chunks that were, or may be, replaced must not have a mask
        final = self.rows == column.chunk_rows and self.start != column._remade
        return encoder.encode(
            pieces,
            size,
            column.dtype.itemsize,
            column.filters,
            waveforms=self.waveforms,
            may_be_raw=final,
            where=(column.path, self.start),
        )
