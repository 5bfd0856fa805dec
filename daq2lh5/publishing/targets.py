"""What output files may replace."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["check_replaceable", "is_hdf5", "status_of"]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as HDF5, be it behind a block of the user's own."""
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
    """Return what the system says of a file; None if there is none.

    Raises
    ------
    OSError
        if there can't be one.
    """
    try:
        return os.stat(path)
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def check_replaceable(name: str) -> None:
    """Make sure that a file is LH5, or empty, or not there at all.

    Empty files are what ``mktemp`` and ``touch`` leave: there is nothing to lose.

    Raises
    ------
    FileExistsError
        if there is something else.
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
        f"file {name} exists and is no LH5 (HDF5) file: overwrite (-w) replaces only "
        f"those; give another output ({_other_name(name)}), or remove the file before"
    )
    raise FileExistsError(msg)


def _other_name(name: str) -> str:
    path = Path(name)
    # inputs end up here when a glob stands behind -o
    return (
        f"'{path.with_suffix('.lh5').name}', for instance"
        if (path.suffix != ".lh5")
        else "of another name"
    )
