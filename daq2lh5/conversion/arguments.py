"""Arguments of conversions, checked before data are read."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ..errors import show
from ..resources.paths import expand_path, identity

Input: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Type of an input: the name of a file, or names of files that continue each other."""

MAX_ROWS = 2**63 - 1
"""Largest number of rows that kernels can count."""

OPTION_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "in_stream_type": ((str,), "the name of a format"),
    "hdf5_settings": ((Mapping,), "a dictionary"),
    "db_dict": ((Mapping,), "a dictionary"),
    "column_settings": ((Mapping,), "a dictionary by paths of columns"),
}
"""Types of options other than numbers, and their names in messages."""


def whole_number(name: str, value: Any, least: int) -> int:
    """Convert an argument of any numeric type to an integer.

    Raises
    ------
    TypeError
        if it is not a number.
    ValueError
        if it is not an integer, or too small.
    """
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    try:
        if isinstance(number, bool):
            raise TypeError
        number = operator.index(number)
    except TypeError:
        kind = ValueError if isinstance(number, float) else TypeError
        msg = f"{name} must be an integer, got {show(value)}"
        raise kind(msg) from None
    if number < least:
        msg = f"{name} must be at least {least}, got {number}"
        raise ValueError(msg)
    return number


def number_or_all(name: str, value: Any) -> int | None:
    """Return a number of rows; None for all (None or infinity)."""
    if value is None or (isinstance(value, float) and math.isinf(value) and value > 0):
        return None
    number = whole_number(name, value, 0)
    return None if number > MAX_ROWS else number


def yes_or_no(name: str, value: Any) -> bool:
    """Convert an argument to a Boolean.

    Raises
    ------
    TypeError
        for other types, such as the text ``"no"``.
    """
    number = value.item() if hasattr(value, "item") else value
    if not isinstance(number, (bool, int)) or number not in (0, 1):
        msg = f"{name} must be True or False, got {show(value)}"
        raise TypeError(msg)
    return bool(number)


def check_options(options: Mapping[str, Any]) -> None:
    """Check the types of options; None stands for the default.

    Raises
    ------
    TypeError
        if one is wrong.
    """
    for name, (types, what) in OPTION_TYPES.items():
        value = options.get(name)
        if value is not None and not isinstance(value, types):
            msg = f"{name} must be {what}, got {show(value)}"
            raise TypeError(msg)


def names_of(in_stream: Input) -> list[str]:
    """Return the names of the files of an input, with expanded paths.

    Raises
    ------
    ValueError
        if the list is empty, or has a file twice.
    """
    if isinstance(in_stream, (str, os.PathLike)):
        return [expand_path(in_stream)]
    names = [expand_path(name) for name in in_stream]
    if not names:
        msg = "the input is an empty list: it must have at least one file"
        raise ValueError(msg)
    if len({identity(name) for name in names}) < len(names):
        msg = f"an input is given twice: {show(names)}"
        raise ValueError(msg)
    return names
