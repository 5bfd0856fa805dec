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
"""Rows of so many bytes may be waveforms."""

CHOOSE_EVERY = 64
"""Chunks after which to look again how they are deflated best."""

MANY_NUMBERS = 2**16
"""Bytes of a chunk of short rows for which a look is worth its time."""

SAMPLE_ROWS = 3
SAMPLE_BYTES = 2**14
"""How much of a chunk is tried, at least."""


class Column:
    """A dataset that is being written, in whole chunks.

    Parameters
    ----------
    dataset
        what it is.
    path
        where it is in the file.
    chunk_rows
        rows of a chunk.

    Attributes
    ----------
    filters
        what the chunks go through.
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
        """Go on with a dataset of a file.

        Of a last chunk that is not full the rows are taken back: it is made anew.
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

        The chunks refer to `rows`; what does not fill one is copied.
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
        """Return the chunk of the rows that wait; none if there are none."""
        if not self._fill:
            return []
        chunk = Chunk(self, self._written, self._fill, [self._pending[: self._fill]])
        self._written += self._fill
        self._pending, self._fill = None, 0
        return [chunk]

    def choose(self, chunk: Chunk, encoder: ChunkEncoder) -> None:
        """Choose how to deflate the next chunk; looks at the data now and then."""
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
    """Convert rows as HDF5 does when it writes: what does not fit is clipped."""
    if rows.dtype.kind == "b" and dtype == np.uint8:
        return rows.view(np.uint8)
    size = max(rows.dtype.itemsize, dtype.itemsize)
    buffer = np.zeros(rows.size * size, np.uint8)
    buffer[: rows.nbytes] = np.ascontiguousarray(rows).reshape(-1).view(np.uint8)
    h5t.convert(h5t.py_create(rows.dtype), h5t.py_create(dtype), rows.size, buffer)
    return buffer[: rows.size * dtype.itemsize].view(dtype).reshape(rows.shape)


class Chunk:
    """Rows that make a chunk; at the end of a dataset they may be fewer.

    Attributes
    ----------
    column
        the dataset.
    start, rows
        number of the first row, and of the rows.
    pieces
        the rows, in one or two arrays.
    waveforms
        whether to deflate them as is best for waveforms.
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
        """Place of its first element in the dataset."""
        return (self.start,) + (0,) * len(self.column.row_shape)

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self.rows * self.column.row_bytes

    def encode(self, encoder: ChunkEncoder) -> tuple[Any, int]:
        """Return what to write.

        Returns
        -------
        payload, mask
            the bytes of the chunk and its filter mask; where HDF5 is to apply the
            filters, the rows.
        """
        column = self.column
        pieces = [np.ascontiguousarray(p) for p in self.pieces]
        if not column.filters.known:
            return np.concatenate(pieces), 0
        if sum(p.nbytes for p in pieces) != self.size:
            msg = f"'{column.path}': rows of another shape than those before"
            raise ValueError(msg)
        size = column.chunk_rows * column.row_bytes
        # HDF5 keeps the mask of a chunk that is replaced by one of the same length:
        # chunks that were, or may be, replaced must have none
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
