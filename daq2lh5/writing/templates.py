"""Templates: empty LH5 objects in memory, which are copied into the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from h5py import h5d, h5o, h5p

from ..errors import lacks_memory
from .datasets import access_properties, create_dataset, join, write_scalar
from .filters import Filters
from .parents import write_attributes

if TYPE_CHECKING:
    import h5py

    from .columns import Chunk, Column
    from .layout import Layout

__all__ = ["Template"]


class Template:
    """An object of a file in memory, from which others are copied.

    Copying takes HDF5 a quarter of the time of creating. Small tables get their rows
    before they are copied: their datasets are never opened in the file.
    """

    def __init__(
        self,
        group: h5py.Group,
        layout: Layout,
        chunk_rows: list[int],
        settings: dict[str, Any],
    ) -> None:
        self.group = group
        for path, attrs in layout.groups.items():
            write_attributes(group.require_group(join("object", path)), attrs)
        self._ids = []
        self.filters = []
        self.chunk_rows = []
        for dataset, rows in zip(layout.datasets, chunk_rows, strict=True):
            path = join("object", dataset.path)
            try:
                created, level_asked = create_dataset(
                    group, path, dataset, rows, settings
                )
            except (TypeError, ValueError) as e:
                if lacks_memory(e):
                    raise MemoryError(str(e)) from e
                msg = f"hdf5_settings do not fit '{dataset.path}': {e}"
                raise ValueError(msg) from e
            properties = created.id.get_create_plist()
            filters = Filters.of(properties, level_asked)
            if created.chunks is None or created.chunks[1:] != dataset.row_shape:
                filters = Filters(known=False)
            self.filters.append(filters)
            self.chunk_rows.append(
                rows if created.chunks is None else created.chunks[0]
            )
            self._ids.append(
                h5d.open(group.id, path.encode(), access_properties(filters))
            )
        self._rows = [0] * len(self._ids)
        self._masked: set[int] = set()
        for path, (value, attrs) in layout.scalars.items():
            write_scalar(group, join("object", path), value, attrs)

    def fill(
        self, columns: list[Column], chunks: list[tuple[Chunk, bytes, int]]
    ) -> None:
        """Replace the rows of all datasets."""
        numbers = {column: i for i, column in enumerate(columns)}
        masked = {numbers[chunk.column] for chunk, _, mask in chunks if mask}
        for i, column in enumerate(columns):
            # remove all rows first: HDF5 rewrites the end of a chunk that gets shorter,
            # and keeps the mask of a chunk that is replaced
            if column.rows != self._rows[i] or i in masked or i in self._masked:
                self._resize(i, 0)
                self._resize(i, column.rows)
        self._masked = masked
        for chunk, payload, mask in chunks:
            dataset = self._ids[numbers[chunk.column]]
            dataset.write_direct_chunk(chunk.origin, payload, mask)

    def empty(self) -> None:
        """Remove all rows."""
        for i in range(len(self._ids)):
            self._resize(i, 0)

    def _resize(self, i: int, rows: int) -> None:
        if rows != self._rows[i]:
            self._ids[i].set_extent((rows, *self._ids[i].shape[1:]))
            self._rows[i] = rows

    def copy(self, file: h5py.File, path: str) -> None:
        """Copy the object to a path in `file`."""
        links = h5p.create(h5p.LINK_CREATE)
        links.set_create_intermediate_group(True)
        h5o.copy(self.group.id, b"object", file.id, path.encode(), lcpl=links)
