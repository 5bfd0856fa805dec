"""Fragments of an output specification, merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import OutSpecError, show

__all__ = ["merge_specs"]


def merge_specs(fragments: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Merge fragments of a specification, in order.

    Dictionaries are merged at every level. Other values replace earlier ones, lists
    too: they are not joined. None (null) replaces anything.

    Parameters
    ----------
    fragments
        name and content of each; the contents are not changed.

    Raises
    ------
    OutSpecError
        (a ValueError) if fragments have values of different kinds in one place.
    """
    merged: dict[str, Any] = {}
    for name, fragment in fragments:
        merged = _merged(merged, fragment, name, ())
    return merged


def _merged(
    before: Mapping[str, Any], after: Mapping[str, Any], name: str, path: tuple
) -> dict[str, Any]:
    """Merge two dictionaries; `name` is the fragment of the second."""
    merged = dict(before)
    for key, new in after.items():
        old = merged.get(key)
        here = (*path, str(key))
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            merged[key] = _merged(old, new, name, here)
            continue
        if old is not None and new is not None and _kind(old) != _kind(new):
            msg = (
                f"{name}: {' > '.join(here)} is {_kind(new)} ({show(new)}), but "
                f"{_kind(old)} ({show(old)}) in the specifications before it; give "
                "both the same form, or null in a specification between them"
            )
            raise OutSpecError(msg)
        merged[key] = new
    return merged


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a dictionary"
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return "a list"
    return "a single value"
