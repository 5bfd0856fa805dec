"""Places of tables: ``file:group`` in output specifications, and the table's name."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ..errors import OutSpecError, show

__all__ = [
    "GARBAGE_ENDING",
    "HDF5_ENDINGS",
    "Place",
    "as_out_stream",
    "is_folder",
    "name_beside",
    "split_out_stream",
]

HDF5_ENDINGS = (".lh5", ".h5", ".hdf5", ".hdf", ".he5")
"""File name extensions after which a colon begins a group."""

GARBAGE_ENDING = ".garbage"
"""Suffix of the garbage file, appended to the name of the first output."""

NAME_BYTES = 255
"""Longest file name on common file systems."""

_AFTER_ENDING = re.compile(
    # the last one: folders may have such an extension, too
    rf"(.*(?:{'|'.join(map(re.escape, HDF5_ENDINGS))})):(.*)",
    re.DOTALL | re.IGNORECASE,
)
_BEFORE_SLASH = re.compile(r"(.*):(/.*|)", re.DOTALL)
_BEFORE_WORD = re.compile(r"(.*):((?![0-9])[\w{][^:.]*)", re.DOTALL)


class Place(NamedTuple):
    """The place of a table.

    Attributes
    ----------
    file
        name of the file; empty if the rows are not written.
    group
        group in the file.
    name
        name of the table in the group; slashes in it make more groups.
    """

    file: str
    group: str
    name: str

    @classmethod
    def of(cls, out_stream: str, out_name: str) -> Place:
        """Parse the `out_stream` and `out_name` of a buffer.

        All fields in braces must be filled in: their values decide where a group
        begins.
        """
        file, group = split_out_stream(out_stream)
        return cls(file, group, out_name)

    @property
    def path(self) -> str:
        """Path of the table in the file, without needless slashes."""
        return _path(f"{self.group}/{self.name}")

    def beside(self, alias: str) -> str:
        """Return the path of a further name of the table.

        It is in the same group, or starts at the root if it begins with a slash.
        """
        return _path(alias if alias.startswith("/") else f"{self.group}/{alias}")

    def check_file(self, where: str) -> None:
        """Check that the file's name is not that of a folder.

        Parameters
        ----------
        where
            place of the name in the specification, for the message.

        Raises
        ------
        OutSpecError
            (a ValueError) if it is.
        """
        if self.file.endswith("/"):
            msg = (
                f"{where}: {show(self.file)} is a folder; give the name of a file in it"
            )
            raise OutSpecError(msg)

    def check_path(self, whose: str) -> None:
        """Check that an HDF5 file can have a table with this path.

        Parameters
        ----------
        whose
            owner of the table, for the message.

        Raises
        ------
        OutSpecError
            (a ValueError) if not.
        """
        parts = [p for p in self.name.split("/") if p]
        wrong = {".", ".."}.intersection([*parts, *self.group.split("/")])
        if wrong or not parts or "\0" in self.name + self.group:
            path = f"{self.group}/{self.name}".replace("//", "/")
            msg = f"{whose}: {show(path)} cannot be the path of a table"
            raise OutSpecError(msg)


def _path(text: str) -> str:
    return "/".join(part for part in text.split("/") if part)


def split_out_stream(out_stream: str) -> tuple[str, str]:
    """Split ``file:group`` into file and group; the default group is ``/``.

    A colon belongs to the path unless what follows can only be a group:

    - after an extension of HDF5 (``.lh5``, ``.h5``, ``.hdf5``, ``.hdf``, ``.he5``) a
      group begins, unless the whole name ends in such an extension, too;
    - in other names, a group begins after the last colon if a slash, nothing or a word
      follows; a word begins with a letter and has no dot. If the whole name exists, or
      an existing folder in it has a colon, it is a path.
    """
    return _split(out_stream, _BEFORE_SLASH, _BEFORE_WORD)


def is_folder(name: str) -> bool:
    """Whether the user's name for the output is a folder: it exists, or ends in ``/``.

    The slash of a root group, as in ``x.lh5:/``, makes no folder.
    """
    if os.path.isdir(name):
        return True
    return name.endswith("/") and _split(name, _BEFORE_SLASH)[0] == name


def as_out_stream(name: str) -> str:
    """Return the `out_stream` for the name of an output file.

    In such a name a word after a colon is part of it: ``out:geds`` is a file.
    """
    if split_out_stream(name) == _split(name, _BEFORE_SLASH):
        return name
    return f"{name}:/"


def _split(out_stream: str, *without_ending: re.Pattern[str]) -> tuple[str, str]:
    if ":" not in out_stream or out_stream.lower().endswith(HDF5_ENDINGS):
        return out_stream, "/"
    match = _AFTER_ENDING.fullmatch(out_stream)
    if match is None and not _exists(out_stream):
        found = (pattern.fullmatch(out_stream) for pattern in without_ending)
        match = next(filter(None, found), None)
    if match is None:
        return out_stream, "/"
    file, group = match.groups()
    return file, group or "/"


def _exists(path: str) -> bool:
    """Whether the path, or a folder with a colon that contains it, exists."""
    folder = os.path.dirname(path)
    return os.path.exists(path) or (":" in folder and os.path.isdir(folder))


def name_beside(file: str, ending: str) -> str:
    """Return the name of a file with a suffix, cut to the longest length of names."""
    folder, name = os.path.split(file)
    kept = os.fsencode(name)[: NAME_BYTES - len(ending)]
    return os.path.join(folder, os.fsdecode(kept) + ending)
