"""Filters of hdf5plugin by name: ``"zstd"``, ``"hdf5plugin.Zstd(clevel=9)"``."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import h5py

from ..errors import did_you_mean, show

__all__ = ["H5PY_FILTERS", "load_plugins", "with_plugin"]

H5PY_FILTERS = ("gzip", "lzf", "szip")
"""Filters that h5py includes."""

PREFIX = "hdf5plugin."


def load_plugins() -> None:
    """Give HDF5 the filters of hdf5plugin, to read with, if it is installed."""
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401, PLC0415  (optional, slow to import)


def with_plugin(settings: dict[str, Any]) -> dict[str, Any]:
    """Replace the name of a filter by its settings, and make hdf5plugin available.

    Parameters
    ----------
    settings
        arguments of ``create_dataset``. ``compression`` may be the name of a filter of
        hdf5plugin in any letter case, also after ``hdf5plugin.`` and then with
        arguments, as in Python; or a filter object, or its dictionary.

    Raises
    ------
    ValueError
        if the filter is unknown, or hdf5plugin is not installed.
    """
    name = settings.get("compression")
    if isinstance(name, Mapping):
        options = {"compression_opts": name.get("compression_opts")}
        if options["compression_opts"] is not None:
            options["compression_opts"] = tuple(options["compression_opts"])
        settings = settings | dict(name) | options
    elif isinstance(name, str) and name not in H5PY_FILTERS:
        given = {"compression_opts": settings.get("compression_opts")}
        settings = {k: v for k, v in settings.items() if k not in given}
        settings |= _filter_of(name)
        options = given["compression_opts"]
        if options is not None:
            settings["compression_opts"] = (
                (options,) if isinstance(options, int) else tuple(options)
            )
    elif type(name) is int and name > 9 and not h5py.h5z.filter_avail(name):
        _known_filters(name)
    return settings


def _filter_of(text: str) -> dict[str, Any]:
    """Return the settings of a filter, given by its name or by an expression."""
    known = _known_filters(text)
    name, arguments = text.removeprefix(PREFIX), {}
    if "(" in text and text.startswith(PREFIX):
        name, arguments = _parse_call(text)
    if name.lower() not in known:
        names = sorted({*H5PY_FILTERS, *known})
        hint = did_you_mean(name.lower(), names)
        msg = f"unknown compression {show(text)}{hint}; available: {', '.join(names)}"
        raise ValueError(msg)
    try:
        return dict(known[name.lower()](**arguments))
    except (TypeError, ValueError) as e:
        msg = f"compression {show(text)}: {e}"
        raise ValueError(msg) from e


def _parse_call(text: str) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of an expression like ``hdf5plugin.Zstd(clevel=9)``."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        arguments = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
        if call.args or None in arguments:
            raise ValueError
        return call.func.attr, arguments
    except (SyntaxError, ValueError, AttributeError):
        msg = (
            f"compression {show(text)} cannot be read: expected a filter with named "
            "arguments, like hdf5plugin.Zstd(clevel=9)"
        )
        raise ValueError(msg) from None


def _known_filters(wanted: object) -> dict[str, type]:
    """Return the filters of hdf5plugin by name in lower case."""
    try:
        import hdf5plugin  # noqa: PLC0415  (optional)
    except ImportError:
        msg = (
            f"compression {show(wanted)} needs hdf5plugin: pip install hdf5plugin "
            f"(without it: {', '.join(H5PY_FILTERS)})"
        )
        raise ValueError(msg) from None
    return {
        name.lower(): value
        for name, value in vars(hdf5plugin).items()
        if isinstance(value, type) and hasattr(value, "filter_id")
    }
