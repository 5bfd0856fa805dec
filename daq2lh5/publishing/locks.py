"""Locks that tell whether anybody still writes to a file.

Who writes holds a shared lock: readers of the finished file, which HDF5 has take a
shared lock as well, are not kept off in the moment when it gets its name. Who wants to
remove a file must get an exclusive one.
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
    "nobody_holds",
    "release_beside_hdf5",
]

LOCK_NAME = ".daq2lh5-lock"
"""File that is locked in a folder while several files get their names there."""

PATIENCE_SECONDS = 10.0
"""How long to wait for others who give files their names in the same folder."""

HELD = (errno.EAGAIN, errno.EACCES)


def hold(descriptor: int) -> bool:
    """Lock a file as one's own; False if somebody takes it for a rest just now.

    Where the file system has no locks it is done without.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as e:
        return e.errno not in HELD
    return True


def hold_beside_hdf5(descriptor: int) -> None:
    """Lock a file in a way that leaves HDF5 the lock that it insists on.

    HDF5 takes an exclusive `flock` where its settings, or HDF5_USE_FILE_LOCKING, make
    it. Locks of open file descriptions are another kind, which exists on Linux.
    """
    with suppress(OSError):
        _lock_description(descriptor, fcntl.F_RDLCK)
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def release_beside_hdf5(descriptor: int) -> None:
    """Give up that lock too: on NFS both kinds are one."""
    with suppress(OSError):
        _lock_description(descriptor, fcntl.F_UNLCK)


def nobody_holds(descriptor: int, force: bool = False) -> bool:
    """Whether it is certain that nobody has locked a file; it is locked from then on.

    Parameters
    ----------
    descriptor
        open for reading and writing.
    force
        take it for certain where the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        return force and e.errno not in HELD
    try:
        # after the first: who writes takes the second kind before giving up that
        _lock_description(descriptor, fcntl.F_WRLCK)
    except OSError as e:
        return e.errno not in HELD
    return True


def is_at(path: Path | str, descriptor: int) -> bool:
    """Whether an open file still has a name."""
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
def alone_in(folders: list[Path], patience: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Keep others from giving several files their names in the same folders.

    Parameters
    ----------
    patience
        seconds to wait for them.

    Yields
    ------
    certain
        whether no other does. Where there are no locks, or somebody does not let go,
        that is not known.
    """
    held: list[tuple[Path, int]] = []
    end = time.monotonic() + (PATIENCE_SECONDS if patience is None else patience)
    certain = True
    try:
        # in one order for all, so that nobody waits in a circle
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
            # before the lock goes: who waits for it looks whether the file has its name
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)


def _wait_for(path: Path, end: float) -> int | None:
    """Return the descriptor of a lock file that is ours; None if it can't be had."""
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
        # who had it before has removed it
        os.close(descriptor)
