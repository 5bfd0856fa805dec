"""Merging of the HDF5 settings of files, tables and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["merge_settings"]


def merge_settings(*levels: Mapping[str, Any]) -> dict[str, Any]:
    """Merge HDF5 settings: later ones win.

    A later ``compression`` drops the ``compression_opts`` of the one it replaces.

    Parameters
    ----------
    levels
        settings of each level; they are not changed.
    """
    merged: dict[str, Any] = {}
    for level in levels:
        before = merged.get("compression")
        if level.get("compression", before) != before:
            merged.pop("compression_opts", None)
        merged |= level
    return merged
