"""HDF5 datasets as the LH5 format and the user's settings require: filters, chunks."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
from h5py import h5p

from .columns import WIDE_ROW
from .filters import Filters, dataset_settings, level_is_asked, lossless
from .parents import write_attributes

if TYPE_CHECKING:
    from ..resources.memory import MemoryPlan
    from .layout import Dataset, Layout

__all__ = [
    "SMALLEST_CHUNK",
    "ChunkPlan",
    "access_properties",
    "check_headroom",
    "create_dataset",
    "join",
    "memory_file",
    "plan_chunks",
    "rows_of_small_chunk",
    "write_scalar",
]

SMALLEST_CHUNK = 16
"""Rows of a chunk, at least."""

UNCOMPRESSED_PART = 8
"""Chunks of uncompressed datasets are shorter by this factor: the last one takes its
full length in the file."""

_numbers = itertools.count()

HEADROOM = 8 << 20
"""Bytes that must be free when HDF5 is called."""


class ChunkPlan(NamedTuple):
    """Shapes of the chunks of an object.

    Attributes
    ----------
    rows
        of a chunk, for each dataset.
    compressed
        whether each dataset is compressed.
    given
        whether the user gave the shape of a chunk.
    """

    rows: list[int]
    compressed: list[bool]
    given: bool


def plan_chunks(
    layout: Layout, settings: dict[str, Any], plan: MemoryPlan
) -> ChunkPlan:
    """Choose the shapes of the chunks of an object.

    Parameters
    ----------
    layout
        its HDF5 objects.
    settings
        HDF5 settings for all datasets.
    plan
        limits of memory.
    """
    short = [d.row_bytes for d in layout.datasets if d.row_bytes < WIDE_ROW]
    flat = {d.counts for d in layout.datasets}
    own = [dataset_settings(settings, d) for d in layout.settings]
    compressed = [s.get("compression") is not None for s in own]
    chunk_rows = []
    for dataset, packed in zip(layout.datasets, compressed, strict=True):
        if dataset.path in flat:
            rows = plan.chunk_elements(dataset.row_bytes)
        elif dataset.row_bytes < WIDE_ROW:
            rows = plan.short_chunk_rows(sum(short), max(short))
        else:
            rows = plan.chunk_rows(dataset.row_bytes)
        chunk_rows.append(rows if packed else max(1, rows // UNCOMPRESSED_PART))
    return ChunkPlan(chunk_rows, compressed, any("chunks" in s for s in own))


def rows_of_small_chunk(n: int, compressed: bool) -> int:
    """Return the rows of a chunk for a dataset that will never exceed `n` rows."""
    bits = max(n - 1, 0).bit_length()
    # an uncompressed chunk takes its full length in the file
    step = 1 << bits if compressed else 1 << max(bits - 4, 0)
    return max(SMALLEST_CHUNK, -(-n // step) * step)


def join(path: str, below: str) -> str:
    """Return a path below another; the first path itself for an empty second."""
    return f"{path}/{below}" if below else path


def memory_file(libver: Any = None) -> h5py.File:
    """Create an HDF5 file in memory."""
    name = f"daq2lh5-{os.getpid()}-{next(_numbers)}"
    return h5py.File(name, "w", driver="core", backing_store=False, libver=libver)


def create_dataset(
    group: h5py.Group,
    path: str,
    dataset: Dataset,
    chunk_rows: int,
    settings: dict[str, Any],
) -> tuple[h5py.Dataset, bool]:
    """Create a dataset without rows.

    Returns
    -------
    dataset, level_asked
        the dataset; whether its settings ask for a certain level of deflate.
    """
    arguments = dataset_settings(settings, dataset.settings)
    if dataset.counts is not None:
        arguments = lossless(arguments)
    shape = {"maxshape": (None, *dataset.row_shape)}
    if dataset.row_bytes and "maxshape" not in arguments:
        # (for rows without elements h5py chooses the chunk)
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
    """Return access properties: datasets written by whole chunks need no cache."""
    properties = h5p.create(h5p.DATASET_ACCESS)
    if filters.known:
        properties.set_chunk_cache(1, 0, 1.0)
    return properties


def check_headroom() -> None:
    """Check that HDF5 can allocate memory for its structures.

    HDF5 ends the process if it cannot allocate a B-tree (seen with 2.0).

    Raises
    ------
    MemoryError
        if fewer than `HEADROOM` bytes are free.
    """
    np.empty(HEADROOM, np.uint8)
