"""Checks of existing files: an output replaces only LH5 files."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["check_replaceable", "is_hdf5", "resolve", "status_of"]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def resolve(name: str | os.PathLike[str]) -> Path:
    """Return an absolute path without links; a loop of links raises nothing."""
    return Path(os.path.realpath(name))


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether a file has the signature of HDF5, also behind a user block."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = 0
        while offset + len(HDF5_SIGNATURE) <= size:
            file.seek(offset)
            if file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
                return True
            offset = max(512, 2 * offset)
    return False


def status_of(path: str | os.PathLike[str]) -> os.stat_result | None:
    """Return the status of a file; None if it does not exist.

    Raises
    ------
    OSError
        if the name is invalid: a loop of links, or too long.
    """
    try:
        return os.stat(path)
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def check_replaceable(name: str) -> None:
    """Check that a file is HDF5, empty (as ``mktemp`` leaves it), or missing.

    Raises
    ------
    FileExistsError
        if it has other content.
    """
    found = status_of(name)
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_size == 0:
        return
    try:
        if is_hdf5(name):
            return
    except PermissionError:
        msg = f"file {name} exists and cannot be read: only LH5 files are replaced"
        raise FileExistsError(msg) from None
    msg = (
        f"file {name} exists and is not an LH5 (HDF5) file: overwrite (-w) replaces "
        f"only those; give another output ({_other_name(name)}), or remove the file"
    )
    raise FileExistsError(msg)


def _other_name(name: str) -> str:
    path = Path(name)
    # a glob behind -o makes an input the output
    return (
        f"'{path.with_suffix('.lh5').name}', for instance"
        if (path.suffix != ".lh5")
        else "of another name"
    )
