"""HDF5 settings of the user: which are of files, and whether h5py takes them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from .datasets import SMALLEST_CHUNK, create_dataset, memory_file
from .layout import Dataset, Layout

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_settings", "split_settings"]

SHAPES = ("chunks", "maxshape", "shape")
"""Settings that fit the datasets that they are meant for, and no others."""


def split_settings(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split HDF5 settings, as lh5 does, in those of files and those of datasets."""
    parameters = inspect.signature(h5py.File.__init__).parameters
    of_file = {k: v for k, v in settings.items() if k in parameters}
    of_datasets = {k: v for k, v in settings.items() if k not in parameters}
    page = of_datasets.pop("page_buffer", 0)
    if page:
        of_file |= {"fs_strategy": "page", "fs_page_size": page}
    return of_file, of_datasets


def check_settings(settings: dict[str, Any], layouts: Iterable[Layout] = ()) -> None:
    """Make sure that datasets can be written as the user wants them.

    Raises
    ------
    ValueError
        if h5py refuses the settings of files or datasets.
    """
    of_file, of_datasets = split_settings(settings)
    if "driver" in of_file:
        msg = "hdf5_settings: 'driver' cannot be set, files are written in place"
        raise ValueError(msg)
    own = [d for layout in layouts for d in layout.settings if d]
    if not settings and not own:
        return
    with memory_file() as file:
        for number, wanted in enumerate([{}, *own]):
            dataset = Dataset(str(number), np.dtype(np.uint16))
            # a shape is for the one that it is meant for
            given = {k: v for k, v in of_datasets.items() if k not in SHAPES}
            dataset.settings = {k: v for k, v in wanted.items() if k not in SHAPES}
            try:
                create_dataset(file, dataset.path, dataset, SMALLEST_CHUNK, given)
            except Exception as e:
                msg = f"hdf5_settings {of_datasets | wanted}: {e}"
                raise ValueError(msg) from e
