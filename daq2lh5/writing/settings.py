"""HDF5 settings of the user: checks, and the split into files and datasets."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..errors import did_you_mean, lacks_memory
from .datasets import SMALLEST_CHUNK, create_dataset, memory_file
from .layout import Dataset, Layout
from .merging import merge_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_settings", "split_settings"]

SHAPES = ("chunks", "maxshape")
"""Settings that fit only the dataset that they are given for."""

COMMON = (
    *("compression", "compression_opts", "shuffle", "fletcher32", "scaleoffset"),
    *(*SHAPES, "fillvalue", "track_times", "libver", "page_buffer"),
)
"""Candidates for a misspelled setting."""

NOT_THE_USERS = {
    "driver": "files are written in place",
    "mode": "the option overwrite decides on existing files",
    "name": "names come from the output specification",
    "shape": "it is that of the data",
    "data": "they come from the input",
    "dtype": "it is that of the data; dtype_conv in a proc_spec converts them",
}
"""Arguments of h5py that this package sets itself, with the reason."""


def split_settings(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split HDF5 settings, as lh5 does, into those of files and of datasets."""
    parameters = inspect.signature(h5py.File.__init__).parameters
    of_file = {k: v for k, v in settings.items() if k in parameters}
    of_datasets = {k: v for k, v in settings.items() if k not in parameters}
    page = of_datasets.pop("page_buffer", 0)
    if page:
        of_file |= {"fs_strategy": "page", "fs_page_size": page}
    return of_file, of_datasets


def check_settings(
    settings: dict[str, Any],
    layouts: Iterable[Layout] = (),
    of_tables: dict[str, Any] | None = None,
) -> None:
    """Check the settings of files and datasets.

    Parameters
    ----------
    settings
        settings of files and all datasets.
    layouts
        HDF5 objects of tables, with settings of single columns.
    of_tables
        settings of these tables; they win over `settings`.

    Raises
    ------
    ValueError
        if h5py refuses the settings, or `of_tables` has a setting of files.
    """
    of_file, _ = split_settings(of_tables or {})
    if of_file.keys() - NOT_THE_USERS:
        msg = (
            f"hdf5_settings of a buffer: {', '.join(of_file)} is for whole files; put "
            "it in the hdf5_settings at the top level of the specification"
        )
        raise ValueError(msg)
    settings = merge_settings(settings, of_tables or {})
    _, of_datasets = split_settings(settings)
    own = [d for layout in layouts for d in layout.settings if d]
    for name in [name for given in (settings, *own) for name in given]:
        if name in NOT_THE_USERS:
            msg = f"hdf5_settings: '{name}' cannot be set, {NOT_THE_USERS[name]}"
            raise ValueError(msg)
    if not settings and not own:
        return
    with memory_file() as file:
        for number, wanted in enumerate([{}, *own]):
            dataset = Dataset(str(number), np.dtype(np.uint16))
            # shapes fit the real dataset only
            given = {k: v for k, v in of_datasets.items() if k not in SHAPES}
            dataset.settings = {k: v for k, v in wanted.items() if k not in SHAPES}
            try:
                create_dataset(file, dataset.path, dataset, SMALLEST_CHUNK, given)
            except Exception as e:
                if lacks_memory(e):
                    raise MemoryError(str(e)) from e
                msg = f"hdf5_settings {merge_settings(of_datasets, wanted)}: {e}"
                unknown = re.search(r"unexpected keyword argument '(\w+)'", str(e))
                if unknown is not None:
                    hint = did_you_mean(unknown[1], COMMON)
                    msg = f"hdf5_settings: h5py has no '{unknown[1]}'{hint}"
                raise ValueError(msg) from e
