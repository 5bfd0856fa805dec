"""Locks that show whether a process still writes to a file.

Writers hold a shared lock, which does not block HDF5 readers of the file just
published: these take shared locks too. Removing a file needs an exclusive lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "LOCK_NAME",
    "alone_in",
    "hold",
    "hold_beside_hdf5",
    "is_at",
    "lock_unused",
    "release_beside_hdf5",
]

LOCK_NAME = ".daq2lh5-lock"
"""Lock file in a folder while several files are renamed there."""

PATIENCE_SECONDS = 10.0
"""Longest wait for other processes that rename files in the same folder."""

HELD = (errno.EAGAIN, errno.EACCES)


def hold(descriptor: int) -> bool:
    """Lock a new file as its writer; False if another process is removing it.

    True, without a lock, on file systems without locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as e:
        return e.errno not in HELD
    return True


def hold_beside_hdf5(descriptor: int) -> None:
    """Exchange the `flock` of a file for a lock of its open file description.

    HDF5 takes an exclusive `flock` if its settings or HDF5_USE_FILE_LOCKING say so;
    locks of open file descriptions (Linux) are independent of it.
    """
    with suppress(OSError):
        _lock_description(descriptor, fcntl.F_RDLCK)
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def release_beside_hdf5(descriptor: int) -> None:
    """Release the lock of the open file description: on NFS both kinds are one."""
    with suppress(OSError):
        _lock_description(descriptor, fcntl.F_UNLCK)


def lock_unused(descriptor: int, force: bool = False) -> bool:
    """Lock a file exclusively; False if a writer holds it, or may hold it.

    Parameters
    ----------
    descriptor
        open for reading and writing.
    force
        return True on file systems without locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        return force and e.errno not in HELD
    try:
        # in this order: a writer takes the second kind before it releases the first
        _lock_description(descriptor, fcntl.F_WRLCK)
    except OSError as e:
        return e.errno not in HELD
    return True


def is_at(path: Path | str, descriptor: int) -> bool:
    """Whether `path` is still a name of an open file."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def _lock_description(descriptor: int, kind: int) -> None:
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    # struct flock: type, whence, start, length (0: all), process (none)
    request = struct.pack("hhqqi0q", kind, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(descriptor, command, request)


@contextmanager
def alone_in(folders: list[Path], patience: float | None = None) -> Iterator[bool]:
    """Keep other processes from renaming several files in the same folders.

    Parameters
    ----------
    patience
        seconds to wait for them; by default `PATIENCE_SECONDS`.

    Yields
    ------
    certain
        whether this process holds all locks; False without locks, or if another
        process keeps one.
    """
    held: list[tuple[Path, int]] = []
    end = time.monotonic() + (PATIENCE_SECONDS if patience is None else patience)
    certain = True
    try:
        # the same order in all processes avoids deadlocks
        for folder in sorted({folder.resolve() for folder in folders}):
            path = folder / LOCK_NAME
            descriptor = _wait_for(path, end)
            if descriptor is None:
                certain = False
            else:
                held.append((path, descriptor))
        yield certain
    finally:
        for path, descriptor in held:
            # before the lock is released: a process that waits for it checks the name
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)


def _wait_for(path: Path, end: float) -> int | None:
    """Create and lock a lock file; return its descriptor, None if that fails."""
    # network file systems want it open for writing
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        try:
            descriptor = os.open(path, flags, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            os.close(descriptor)
            if e.errno not in HELD or time.monotonic() > end:
                return None
            time.sleep(0.01)
            continue
        if is_at(path, descriptor):
            return descriptor
        # its former holder has removed it
        os.close(descriptor)
