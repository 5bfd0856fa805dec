"""Inputs on the command line: files, folders and lists of files, in numeric order."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .. import formats
from ..buffers.places import GARBAGE_ENDING, HDF5_ENDINGS
from ..reading.magic import without_ending
from ..reading.source import open_source
from ..resources.paths import expand_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["InputError", "expand_inputs", "group_inputs", "natural_key"]

_NUMBER = re.compile(r"(\d+)")

LISTED = 5
"""Number of names that a message lists."""


class InputError(ValueError):
    """A folder or list has no inputs, or a list names another list."""


def natural_key(name: str | os.PathLike[str]) -> tuple[object, ...]:
    """Return a key that sorts numbers in names by value: ``_2.BIN`` before ``_10.BIN``.

    The name without an extension comes first: ``run.BIN``, ``run_1.BIN``.
    """
    path = Path(name)
    stem = without_ending(path).stem
    parts: list[tuple[int, int, str]] = [
        (0, int(part), part) if part.isdigit() else (1, 0, part)
        for part in _NUMBER.split(stem)
        if part
    ]
    return (str(path.parent), *parts, (2, 0, path.name))


def expand_inputs(
    names: Iterable[str | os.PathLike[str]],
    note: Callable[[str], None] | None = None,
) -> list[str]:
    """Return the input files for names on the command line.

    Parameters
    ----------
    names
        files; folders, which stand for the DAQ files directly in them, in numeric
        order; and ``@LIST``, which stands for the names in the file ``LIST``, one a
        line (``@-``: on standard input); empty lines and comments (``#``) are ignored.
    note
        called with a text for each folder that has other files, too.

    Raises
    ------
    InputError
        for a folder without DAQ files, a list without names, and a list in a list.
    OSError
        if a folder or a list cannot be read.
    """
    return [file for name in names for file in _files_of(os.fspath(name), note)]


def group_inputs(files: Iterable[str], join: bool) -> dict[str, list[str]]:
    """Return the names of the files of each input, by the first.

    Parameters
    ----------
    files
        the files.
    join
        whether all files, in numeric order, are one input.
    """
    if not join:
        return {file: [file] for file in files}
    names = sorted(files, key=natural_key)
    return {names[0]: names}


def _files_of(name: str, note: Callable[[str], None] | None) -> Iterator[str]:
    """Yield the files for one name."""
    if name.startswith("@") and not os.path.exists(name):
        for listed in _read_list(name.removeprefix("@")):
            if listed.startswith("@"):
                msg = f"{name}: the list names another list, {listed}"
                raise InputError(msg)
            yield from _files_of(listed, note)
        return
    path = expand_path(name)
    if not os.path.isdir(path):
        yield name
        return
    yield from _in_folder(path, note)


def _read_list(name: str) -> list[str]:
    """Read the names in a list."""
    if name == "-":
        lines = sys.stdin.read().splitlines()
    else:
        lines = Path(expand_path(name)).read_text(encoding="utf-8-sig").splitlines()
    names = [line.strip() for line in lines]
    names = [line for line in names if line and not line.startswith("#")]
    if not names:
        msg = f"the list {name} has no names of files"
        raise InputError(msg)
    return names


def _in_folder(folder: str, note: Callable[[str], None] | None) -> Iterator[str]:
    """Yield the DAQ files of a folder in numeric order."""
    with os.scandir(folder) as entries:
        listed = [e for e in entries if not e.name.startswith(".")]
    files = sorted((e.path for e in listed if e.is_file()), key=natural_key)
    has_folders = any(e.is_dir() for e in listed)
    found = [file for file in files if is_daq_file(file)]
    known = set(found)
    others = [
        os.path.basename(f)
        for f in files
        if f not in known and not f.lower().endswith((*HDF5_ENDINGS, GARBAGE_ENDING))
    ]
    if not found:
        msg = f"no DAQ file in {folder}"
        if has_folders:
            msg += " (folders in it are not searched: name one of them)"
        raise InputError(msg)
    if others and note is not None:
        names = ", ".join(others[:LISTED])
        more = f" and {len(others) - LISTED} more" if len(others) > LISTED else ""
        note(f"{folder}: {len(others)} files have no DAQ format: {names}{more}")
    yield from found


def is_daq_file(file: str) -> bool:
    """Whether the format of a file is recognized, by content or by extension."""
    try:
        if os.path.getsize(file) == 0:
            formats.detect(file, None)
            return True
        with open_source(file) as source:
            formats.detect(file, source)
    except Exception:
        # there are many reasons: a missing package, damage, permissions
        return False
    return True
