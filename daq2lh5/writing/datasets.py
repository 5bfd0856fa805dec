"""Datasets made as the LH5 format and the user want them."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5p

from .filters import Filters, dataset_settings, level_is_asked
from .parents import write_attributes

if TYPE_CHECKING:
    from .layout import Dataset

__all__ = [
    "SMALLEST_CHUNK",
    "UNCOMPRESSED_PART",
    "access_properties",
    "check_headroom",
    "create_dataset",
    "join",
    "memory_file",
    "write_scalar",
]

SMALLEST_CHUNK = 16
"""Rows of the chunk of a table that has next to none."""

UNCOMPRESSED_PART = 8
"""So many chunks of what is not compressed are as long as one of what is: the last one
takes its space in the file to the end."""

_numbers = itertools.count()

HEADROOM = 8 << 20
"""Bytes that must be free when HDF5 is called."""


def join(path: str, below: str) -> str:
    """Return the path of what is below a path; the path itself for nothing."""
    return f"{path}/{below}" if below else path


def memory_file(libver: Any = None) -> h5py.File:
    """Make a file that is only in memory."""
    name = f"daq2lh5-{os.getpid()}-{next(_numbers)}"
    return h5py.File(name, "w", driver="core", backing_store=False, libver=libver)


def create_dataset(
    group: h5py.Group,
    path: str,
    dataset: Dataset,
    chunk_rows: int,
    settings: dict[str, Any],
) -> tuple[h5py.Dataset, bool]:
    """Create a dataset without rows; tell also if its deflate level was asked for."""
    arguments = dataset_settings(settings, dataset.settings)
    shape = {"maxshape": (None, *dataset.row_shape)}
    if dataset.row_bytes and "maxshape" not in arguments:
        # of rows without elements h5py knows to make some chunk
        shape["chunks"] = (chunk_rows, *dataset.row_shape)
    created = group.create_dataset(
        path, shape=(0, *dataset.row_shape), dtype=dataset.dtype, **shape | arguments
    )
    write_attributes(created, dataset.attrs)
    return created, level_is_asked(arguments)


def write_scalar(
    group: h5py.Group, path: str, value: Any, attrs: dict[str, Any]
) -> None:
    """Create a dataset of one value."""
    write_attributes(group.create_dataset(path, shape=(), data=value), attrs)


def access_properties(filters: Filters) -> h5p.PropDAID:
    """Return access properties: what is written chunk by chunk needs no cache."""
    properties = h5p.create(h5p.DATASET_ACCESS)
    if filters.known:
        properties.set_chunk_cache(1, 0, 1.0)
    return properties


def check_headroom() -> None:
    """Make sure that HDF5 gets the memory for its structures.

    It ends the process if there is none for a B-tree (seen with 2.0).

    Raises
    ------
    MemoryError
        if `HEADROOM` bytes are not to be had.
    """
    np.empty(HEADROOM, np.uint8)
