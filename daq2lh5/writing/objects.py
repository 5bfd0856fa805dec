"""LH5 objects that rows are appended to, and checks of these rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py

from .columns import Column
from .datasets import join

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from .codecs import Encoded
    from .columns import Chunk
    from .layout import Coding, Layout
    from .templates import Template

__all__ = ["WrittenObject", "open_object"]


class WrittenObject:
    """An LH5 object that rows are appended to.

    Attributes
    ----------
    path
        in the file.
    layout
        its HDF5 objects.
    columns
        its datasets, in the order of the layout.
    settings
        HDF5 settings of all its datasets.
    template
        the template that it is copied from; None until the first chunk is complete.
    exists
        whether it is in the file.
    held
        filtered chunks that are not written yet, with their filter masks.
    altered
        number of waveforms, by the path of their column, that their codec changed.
    """

    def __init__(
        self,
        path: str,
        layout: Layout,
        columns: list[Column],
        settings: dict[str, Any],
    ) -> None:
        self.path = path
        self.layout = layout
        self.columns = columns
        self.settings = settings
        self.template: Template | None = None
        self.exists = False
        self.held: list[tuple[Chunk, Any, int]] = []
        self.altered: dict[str, int] = {}

    def column(self, path: str) -> Column:
        """Return the dataset with a path below the object."""
        return self.columns[self.layout.numbers[path]]

    def append(self, rows: Sequence[np.ndarray]) -> list[Chunk]:
        """Take rows for each dataset; return the chunks that are complete."""
        rows = list(rows)
        for i, flat in self.layout.vectors:
            before = self.columns[flat].rows
            if before:
                # on disk they count from the first row of the file
                dtype = self.columns[i].dtype
                rows[i] = rows[i].astype(dtype) + dtype.type(before)
        chunks = []
        for column, new in zip(self.columns, rows, strict=True):
            chunks += column.append(new)
        return chunks

    def append_encoded(self, coding: Coding, encoded: Encoded) -> list[Chunk]:
        """Take encoded waveforms; return the chunks that are complete."""
        if encoded.altered:
            known = self.altered.get(coding.path, 0)
            self.altered[coding.path] = known + encoded.altered
        data, lengths = self.column(coding.data), self.column(coding.lengths)
        ends = encoded.ends + data.rows
        return data.append(encoded.data) + lengths.append(ends)

    def in_order(self, layout: Layout, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return rows of another layout in the order of this one.

        Raises
        ------
        RuntimeError
            if that layout has other columns, shapes or attributes.
        """
        old, new = self.layout, layout
        for below in {**old.groups, **new.groups}:
            _compare_attributes(
                join(self.path, below),
                old.groups.get(below, {}),
                new.groups.get(below, {}),
            )
        by_path = {d.path: r for d, r in zip(new.datasets, rows, strict=True)}
        if by_path.keys() != {d.path for d in old.datasets}:
            msg = (
                f"'{self.path}' has the columns {_names(old)}: cannot append rows "
                f"with {_names(new)} to it"
            )
            raise RuntimeError(msg)
        for dataset in new.datasets:
            column = self.columns[old.numbers[dataset.path]]
            _compare_rows(column.path, column.row_shape, dataset.row_shape)
        for coding in new.codings:
            found, _ = old.scalars[coding.decoded_size]
            _compare_rows(join(self.path, coding.path), (found,), (coding.n_samples,))
        return [by_path[d.path] for d in old.datasets]


def open_object(
    file: h5py.File, path: str, layout: Layout, settings: dict[str, Any]
) -> WrittenObject:
    """Return an object of a file, to append rows of a layout.

    A last chunk that is not full is taken back: its rows come before the new ones.

    Raises
    ------
    RuntimeError
        if the object has other columns, shapes or attributes than the layout.
    """
    columns = []
    for below, attrs in layout.groups.items():
        node = file.get(join(path, below))
        found = {} if node is None else dict(node.attrs)
        _compare_attributes(join(path, below), found, attrs)
    for dataset in layout.datasets:
        node = file.get(join(path, dataset.path))
        if not isinstance(node, h5py.Dataset):
            msg = f"'{join(path, dataset.path)}' is not a dataset: cannot append to it"
            raise RuntimeError(msg)
        _compare_rows(node.name, node.shape[1:], dataset.row_shape)
        columns.append(Column.of_dataset(dataset, node))
    for coding in layout.codings:
        node = file.get(join(path, coding.decoded_size))
        if isinstance(node, h5py.Dataset):
            size = (int(node[()]),)
            _compare_rows(join(path, coding.path), size, (coding.n_samples,))
    target = WrittenObject(path, layout, columns, settings)
    target.exists = True
    return target


def _names(layout: Layout) -> str:
    """Return the names of the columns of a layout, for messages."""
    return ", ".join(sorted(layout.members))


def _compare_attributes(
    path: str, found: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """Refuse to append something with other attributes."""
    if found != wanted:
        msg = (
            f"'{path}' has the attributes {found}: cannot append something with "
            f"{wanted} to it"
        )
        raise RuntimeError(msg)


def _compare_rows(path: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Refuse to append rows of another shape."""
    if found != wanted:
        msg = f"'{path}' has rows of shape {found}: cannot append rows of {wanted}"
        raise RuntimeError(msg)
