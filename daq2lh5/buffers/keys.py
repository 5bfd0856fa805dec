"""Keys in output specifications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OutSpecError, show

if TYPE_CHECKING:
    from .channel_map import ChannelMap

__all__ = ["MAX_KEYS", "has_wildcard", "keys_of", "plain_keys"]

MAX_KEYS = 2**20
"""Most keys of a decoder, more than any experiment has; ``*`` stands for all."""


def has_wildcard(key: object) -> bool:
    """Whether a key of a key list is a pattern."""
    return isinstance(key, str) and "*" in key


def plain_keys(keys: Iterable) -> list | range:
    """Return a list of keys with NumPy's numbers as Python's; a range stays one."""
    if isinstance(keys, range):
        return keys
    return [k.item() if isinstance(k, np.generic) else k for k in keys]


def keys_of(
    key_list: Any, whose: str, channel_map: ChannelMap | None = None
) -> list[int | str]:
    """Return a list of keys with ranges expanded.

    Parameters
    ----------
    key_list
        list, tuple, range, set or array of keys; an inner list or tuple of two integers
        is a range, from the first to the last; an inner dictionary selects channels.
    whose
        owner of the keys, for messages.
    channel_map
        the map to select from.
    """
    keys: list[int | str] = []
    for entry in _entries(key_list, whose):
        if isinstance(entry, (list, tuple)):
            keys += _range_of(entry, whose)
        elif isinstance(entry, range):
            keys += islice(entry, MAX_KEYS + 1)
        elif isinstance(entry, Mapping):
            if channel_map is None:
                msg = (
                    f"{whose}: {show(entry)} in key_list selects channels: give a "
                    "channel map (channel_map, --channel-map)"
                )
                raise OutSpecError(msg)
            keys += channel_map.select(entry, whose)
        else:
            keys.append(_key_of(entry, whose))
        if len(keys) > MAX_KEYS:
            msg = f"{whose}: more than {MAX_KEYS} keys in key_list; '*' stands for all"
            raise OutSpecError(msg)
    return keys


def _entries(key_list: Any, whose: str) -> list:
    """Return the entries of a key list of any type."""
    if isinstance(key_list, range):
        return [key_list]
    if isinstance(key_list, np.ndarray):
        # one without dimensions becomes a number
        key_list = key_list.tolist()
    elif isinstance(key_list, (set, frozenset)):
        # sorted, since the order in a set differs from process to process
        key_list = sorted(
            key_list, key=lambda k: (isinstance(k, str), str(k).zfill(20))
        )
    no_list = isinstance(key_list, (str, bytes, Mapping))
    if no_list or not isinstance(key_list, Iterable):
        msg = f"{whose}: key_list is {show(key_list)}; expected a list"
        if isinstance(key_list, (str, int, Mapping)):
            msg += f": write [{show(key_list)}]"
        raise OutSpecError(msg)
    if isinstance(key_list, (list, tuple)):
        return list(key_list)
    return list(islice(key_list, MAX_KEYS + 1))


def _key_of(entry: Any, whose: str) -> int | str:
    """Return a key as Python's number or text."""
    if isinstance(entry, str):
        return str(entry)
    if isinstance(entry, (np.generic, np.ndarray)) and entry.ndim == 0:
        entry = entry.item()
    if isinstance(entry, float) and entry.is_integer():
        entry = int(entry)
    if not isinstance(entry, int) or isinstance(entry, bool):
        msg = f"{whose}: {show(entry)} in key_list; expected an integer or text"
        raise OutSpecError(msg)
    return entry


def _range_of(ends: list | tuple, whose: str) -> list[int]:
    """Return the integers from one to another."""
    wrong = f"{whose}: {show(ends)} in key_list; expected a range [first, last]"
    if len(ends) != 2 or any(isinstance(end, (list, tuple)) for end in ends):
        raise OutSpecError(wrong)
    first, last = (_key_of(end, whose) for end in ends)
    if isinstance(first, str) or isinstance(last, str) or first > last:
        raise OutSpecError(wrong)
    if last - first >= MAX_KEYS:
        msg = (
            f"{whose}: the range {show(ends)} has more than {MAX_KEYS} keys; "
            "'*' stands for all"
        )
        raise OutSpecError(msg)
    return list(range(first, last + 1))
