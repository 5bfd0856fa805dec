"""HDF5 settings merged: those of files, tables and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["merge_settings"]


def merge_settings(*levels: Mapping[str, Any]) -> dict[str, Any]:
    """Merge HDF5 settings: later ones win.

    Another ``compression`` does not get the ``compression_opts`` of the one before.
    """
    merged: dict[str, Any] = {}
    for level in levels:
        before = merged.get("compression")
        if level.get("compression", before) != before:
            merged.pop("compression_opts", None)
        merged |= level
    return merged
