"""Inputs on the command line: files, folders and lists of files, in numeric order."""

from __future__ import annotations

import codecs
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .. import formats
from ..buffers.places import GARBAGE_ENDING, HDF5_ENDINGS
from ..errors import DecodeError, UnknownFormatError
from ..reading.magic import without_ending
from ..reading.source import open_source
from ..resources.paths import URL_PREFIX, expand_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["InputError", "expand_inputs", "group_inputs", "lists_in", "natural_key"]

_NUMBER = re.compile(r"([0-9]+)")

LISTED = 5
"""Number of names that a message lists."""


class InputError(ValueError):
    """A folder or list has no inputs, or a list names another list."""


def natural_key(name: str | os.PathLike[str]) -> tuple[object, ...]:
    """Return a key that sorts numbers in names by value: ``_2.BIN`` before ``_10.BIN``.

    Numbers in names of folders, too. The name without an extension comes first:
    ``run.BIN``, ``run_1.BIN``.
    """
    path = Path(os.path.abspath(os.fspath(name).removeprefix(URL_PREFIX)))
    parts = [*path.parent.parts, without_ending(path).stem]
    return (*map(_by_numbers, parts), ((2, 0, path.name),))


def _by_numbers(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts numbers before other text, and by value."""
    return tuple(
        (0, int(part), part) if _NUMBER.fullmatch(part) else (1, 0, part)
        for part in _NUMBER.split(text)
        if part
    )


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
        line (``@-``: on standard input). Blank lines, and lines that begin with ``#``,
        are skipped; other lines are names as they stand, blanks at their ends included.
    note
        called with a text for each folder that has other files, too.

    Returns
    -------
    files
        names of the files. From folders: files, and links to missing files, with the
        extension of a DAQ format, and other files whose content is of a DAQ format, or
        that cannot be opened.

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


def lists_in(names: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the files that lists among names on the command line are read from."""
    texts = map(os.fspath, names)
    found = [text.removeprefix("@") for text in texts if _is_list(text)]
    return [expand_path(name) for name in found if name != "-"]


def _is_list(name: str) -> bool:
    return name.startswith("@") and not os.path.exists(name)


def _files_of(name: str, note: Callable[[str], None] | None) -> Iterator[str]:
    """Yield the files for one name."""
    if _is_list(name):
        for listed in _read_list(name.removeprefix("@")):
            if _is_list(listed):
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
        content = sys.stdin.buffer.read()
    else:
        content = Path(expand_path(name)).read_bytes()
    lines = content.removeprefix(codecs.BOM_UTF8).split(b"\n")
    names = [
        os.fsdecode(line.removesuffix(b"\r"))
        for line in lines
        if line.strip() and not line.startswith(b"#")
    ]
    if not names:
        msg = f"the list {name} has no names of files"
        raise InputError(msg)
    return names


def _in_folder(folder: str, note: Callable[[str], None] | None) -> Iterator[str]:
    """Yield the DAQ files of a folder in numeric order."""
    with os.scandir(folder) as entries:
        listed = [e.path for e in entries if not e.name.startswith(".")]
    found: list[str] = []
    others: list[str] = []
    pipes: list[str] = []
    has_folders = False
    for path in sorted(listed, key=natural_key):
        if os.path.isdir(path):
            has_folders = True
        elif path.lower().endswith((*HDF5_ENDINGS, GARBAGE_ENDING)):
            continue
        elif os.path.exists(path) and not os.path.isfile(path):
            if formats.by_extension(path) is not None:
                pipes.append(path)
        elif is_input(path):
            found.append(path)
        else:
            others.append(path)
    passed_over = (
        f"{len(pipes)} pipes or devices are passed over (name them to read them): "
        f"{_names(pipes)}"
    )
    if not found:
        msg = f"no DAQ file in {folder}"
        if has_folders:
            msg += " (folders in it are not searched: name one of them)"
        raise InputError(f"{msg}; {passed_over}" if pipes else msg)
    if others and note is not None:
        note(f"{folder}: {len(others)} files have no DAQ format: {_names(others)}")
    if pipes and note is not None:
        note(f"{folder}: {passed_over}")
    yield from found


def _names(files: list[str]) -> str:
    """Return the first names of files, for a message."""
    names = ", ".join(os.path.basename(file) for file in files[:LISTED])
    more = f" and {len(files) - LISTED} more" if len(files) > LISTED else ""
    return names + more


def is_input(file: str) -> bool:
    """Whether a file in a folder is an input.

    It is one by its extension, by its content, or if it cannot be opened, so that its
    conversion tells the reason.
    """
    if formats.by_extension(file) is not None:
        return True
    if not os.path.exists(file):
        return False
    try:
        with open_source(file) as source:
            formats.detect(file, source)
    except (UnknownFormatError, DecodeError):
        return False
    except (OSError, ImportError):
        return True
    return True
