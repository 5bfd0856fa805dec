"""Places of tables: ``file:group`` in output specifications."""

from __future__ import annotations

import os
import re

from ..errors import OutSpecError, show

HDF5_ENDINGS = (".lh5", ".h5", ".hdf5", ".hdf", ".he5")
"""File name extensions behind which a colon begins a group."""

_BEHIND_ENDING = re.compile(
    # the last one: folders may have such an extension, too
    rf"(.*(?:{'|'.join(map(re.escape, HDF5_ENDINGS))})):(.*)",
    re.DOTALL | re.IGNORECASE,
)
_BEFORE_SLASH = re.compile(r"(.*):(/.*|)", re.DOTALL)
_BEFORE_WORD = re.compile(r"(.*):((?![0-9])[\w{][^:.]*)", re.DOTALL)


def split_out_stream(out_stream: str) -> tuple[str, str]:
    """Split ``file:group`` into file and group; the default group is ``/``.

    A colon belongs to the path unless what follows can only be a group:

    - behind an extension of HDF5 (``.lh5``, ``.h5``, ``.hdf5``, ``.hdf``, ``.he5``) a
      group begins, unless the whole name ends in such an extension, too;
    - in other names, a group begins behind the last colon if a slash, nothing or a word
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

    In such a name a word behind a colon is part of it: ``out:geds`` is a file.
    """
    if split_out_stream(name) == _split(name, _BEFORE_SLASH):
        return name
    return f"{name}:/"


def _split(out_stream: str, *without_ending: re.Pattern[str]) -> tuple[str, str]:
    if ":" not in out_stream or out_stream.lower().endswith(HDF5_ENDINGS):
        return out_stream, "/"
    match = _BEHIND_ENDING.fullmatch(out_stream)
    if match is None and not _is_there(out_stream):
        found = (pattern.fullmatch(out_stream) for pattern in without_ending)
        match = next(filter(None, found), None)
    if match is None:
        return out_stream, "/"
    file, group = match.groups()
    return file, group or "/"


def _is_there(path: str) -> bool:
    """Whether the path, or a folder with a colon that contains it, exists."""
    folder = os.path.dirname(path)
    return os.path.exists(path) or (":" in folder and os.path.isdir(folder))


def check_file(out_stream: str, where: str) -> None:
    """Refuse the name of a folder where a file is needed."""
    file, _ = split_out_stream(out_stream)
    if file.endswith("/"):
        msg = f"{where}: {show(file)} is a folder; give the name of a file in it"
        raise OutSpecError(msg)


def check_place(out_stream: str, out_name: str, whose: str) -> None:
    """Refuse paths that no table of an HDF5 file can have."""
    group = split_out_stream(out_stream)[1]
    parts = [p for p in out_name.split("/") if p]
    wrong = {".", ".."}.intersection([*parts, *group.split("/")])
    if wrong or not parts or "\0" in out_name + group:
        path = f"{group}/{out_name}".replace("//", "/")
        msg = f"{whose}: {show(path)} cannot be the path of a table"
        raise OutSpecError(msg)
