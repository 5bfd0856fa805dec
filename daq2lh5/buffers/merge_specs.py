"""Fragments of an output specification, merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ..errors import OutSpecError, show
from .table_settings import SETTINGS

__all__ = ["merge_specs"]


def merge_specs(fragments: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Merge fragments of a specification, in order.

    Dictionaries are merged at every level. Other values replace earlier ones, lists
    too: they are not joined. None (null) replaces anything; a later fragment must give
    decoders and buffers another dictionary.

    Parameters
    ----------
    fragments
        name and content of each; the contents are not changed.

    Raises
    ------
    OutSpecError
        (a ValueError) if fragments have values of different kinds in one place, or a
        decoder or buffer is null in the end.
    """
    fragments = list(fragments)
    merged: dict[str, Any] = {}
    for name, fragment in fragments:
        merged = _merged(merged, fragment, name, ())
    for decoder, buffers in merged.items():
        if decoder in SETTINGS:
            continue
        if buffers is None:
            _refuse_null(fragments, decoder)
        if isinstance(buffers, Mapping):
            for buffer, description in buffers.items():
                if description is None:
                    _refuse_null(fragments, decoder, buffer)
    return merged


def _refuse_null(fragments: Sequence[tuple[str, Any]], *path: Any) -> NoReturn:
    """Raise an error for a decoder or buffer that is null after merging."""
    name = next(n for n, content in reversed(fragments) if _is_null(content, path))
    msg = (
        f"{name}: {' > '.join(map(str, path))} is null: give its dictionary here or in "
        "a specification after this one, or remove the line to keep the dictionary of "
        "those before"
    )
    raise OutSpecError(msg)


def _is_null(content: Any, path: tuple) -> bool:
    """Whether null stands in a place of a fragment."""
    for step in path:
        if not isinstance(content, Mapping) or step not in content:
            return False
        content = content[step]
    return content is None


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
