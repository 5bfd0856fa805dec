"""Atomic renaming that never replaces a file."""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NO_LINKS", "give_new_name", "samefile"]

NO_LINKS = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
)
"""Errors of file systems without hard links."""

NOT_THERE = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP})
"""Errors of systems without renameat2(RENAME_NOREPLACE)."""

AT_FDCWD = -100
RENAME_NOREPLACE = 1


def give_new_name(path: Path, target: Path) -> None:
    """Rename a file without replacing another.

    Raises
    ------
    FileExistsError
        if a file of the new name exists.
    """
    try:
        _rename_noreplace(path, target)
    except OSError as e:
        if e.errno not in NOT_THERE:
            raise
    else:
        return
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        # NFS repeats a request whose answer was lost
        if not samefile(path, target):
            raise
    except OSError as e:
        if e.errno not in NO_LINKS:
            raise
        _reserve(path, target)
        return
    path.unlink()


def samefile(one: Path, other: Path) -> bool:
    """Whether both names exist and are links to one file."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def _rename_noreplace(path: Path, target: Path) -> None:
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    names = AT_FDCWD, os.fsencode(path), AT_FDCWD, os.fsencode(target)
    if rename(*names, ctypes.c_uint(RENAME_NOREPLACE)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path), None, str(target))


def _reserve(path: Path, target: Path) -> None:
    """Create the new name exclusively, then rename over it."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
    try:
        path.replace(target)
    except BaseException:
        if os.stat(target).st_size == 0:
            with suppress(OSError):
                target.unlink()
        raise
    finally:
        os.close(descriptor)
