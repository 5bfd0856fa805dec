"""LH5 objects that rows are appended to, and what may not be appended to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from .columns import Chunk, Column
    from .layout import Layout
    from .templates import Template

__all__ = ["WrittenObject", "compare_attributes", "compare_rows"]


class WrittenObject:
    """An LH5 object that rows are appended to.

    Attributes
    ----------
    path
        in the file.
    layout
        what it is made of.
    columns
        its datasets, in the order of the layout.
    template
        what it is a copy of; None until that must be known.
    exists
        whether it is in the file.
    held
        chunks that are to be written, with their filter masks.
    altered
        waveforms, by the path of their column, that codecs could not keep as they are.
    """

    def __init__(self, path: str, layout: Layout, columns: list[Column]) -> None:
        self.path = path
        self.layout = layout
        self.columns = columns
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


def compare_attributes(
    path: str, found: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """Refuse to append something with other attributes."""
    if found != wanted:
        msg = (
            f"'{path}' has the attributes {found}: cannot append something with "
            f"{wanted} to it"
        )
        raise RuntimeError(msg)


def compare_rows(path: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Refuse to append rows of another shape."""
    if found != wanted:
        msg = f"'{path}' has rows of shape {found}: cannot append some of {wanted}"
        raise RuntimeError(msg)
