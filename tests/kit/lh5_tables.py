"""Tables of output files: their rows, and whether they are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import lh5

if TYPE_CHECKING:
    import os


def row_counts(path: str | os.PathLike[str]) -> dict[str, int]:
    """Count the rows of each table by h5py alone."""
    with h5py.File(path) as file:
        return {name: len(t["packet_id"]) for name, t in file.items()}


def same_tables(a: str, b: str) -> bool:
    """Compare all tables of two files as lh5 reads them."""
    names = lh5.ls(a)
    return names == lh5.ls(b) and all(lh5.read(n, a) == lh5.read(n, b) for n in names)
