"""Temporary files: unfinished outputs under recognizable names, locked."""

from __future__ import annotations

import os
import re
import socket
import stat
import time
import zlib
from contextlib import suppress
from pathlib import Path

from .locks import hold, is_at, lock_unused

__all__ = [
    "BEFORE",
    "JOURNAL",
    "PARTIAL",
    "Temporary",
    "hidden_name",
    "parse",
    "remove",
]

PARTIAL = ".daq2lh5-partial"
"""Ending of unfinished files."""

BEFORE = ".daq2lh5-before"
"""Ending of second names of old files while they are replaced."""

JOURNAL = ".daq2lh5-journal"
"""Ending of journals."""

PATTERN = re.compile(
    r"\.(?P<label>.*)\.(?P<system>[0-9a-f]{8})\.[0-9a-f]{12}"
    r"(?P<kind>\.daq2lh5-(?:partial|before|journal))",
    re.DOTALL,
)

FOREIGN_SECONDS = 24 * 3600.0
"""Age from which on files of another computer, or from before a restart, count as
abandoned: on shared file systems locks may be invisible to other computers."""


def _system() -> str:
    """Return eight digits that identify the running system; containers share them."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        text = socket.gethostname()
    return f"{zlib.crc32(text.encode()):08x}"


SYSTEM = _system()


def label_of(name: str) -> str:
    """Return the part of a temporary name that identifies the final name.

    Unique, and short enough for any system.
    """
    if len(os.fsencode(name)) <= 60:
        return name
    start = name[:40]
    while len(os.fsencode(start)) > 48:
        start = start[:-1]
    return f"{start}~{zlib.crc32(os.fsencode(name)):08x}"


def hidden_name(target: Path, kind: str) -> Path:
    """Return a new name beside a file."""
    number = os.urandom(6).hex()
    return target.with_name(f".{label_of(target.name)}.{SYSTEM}.{number}{kind}")


def parse(name: str) -> tuple[str, str] | None:
    """Return label and kind of a temporary name; None for other names."""
    match = PATTERN.fullmatch(name)
    return None if match is None else (match["label"], match["kind"])


class Temporary:
    """A new, locked file beside its target.

    Parameters
    ----------
    target
        final name.

    Attributes
    ----------
    path
        temporary name.
    descriptor
        of the open file: the lock lasts as long as it is open.
    """

    def __init__(self, target: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        while True:
            self.path = hidden_name(target, PARTIAL)
            try:
                self.descriptor = os.open(self.path, flags, 0o666)
            except FileExistsError:
                continue
            if hold(self.descriptor) and is_at(self.path, self.descriptor):
                break
            # another process removed it before it was locked
            os.close(self.descriptor)
            self.path.unlink(missing_ok=True)
        self._mode = stat.S_IMODE(os.fstat(self.descriptor).st_mode)
        try:
            private = os.stat(target).st_mode & 0o777
        except OSError:
            private = self._mode
        # the replacement of a private file is private from the start
        mode = (self._mode & private) | 0o600
        self._set_mode(mode)

    def take_permissions(self, old: os.stat_result | None) -> str | None:
        """Set mode, owner and group to those of the old file, or of a new one.

        Returns
        -------
        problem
            names of the attributes that could not be set; None if all were set.
        """
        if old is None:
            self._set_mode(self._mode)
            return None
        now = os.fstat(self.descriptor)
        mode = stat.S_IMODE(old.st_mode)
        lost = []
        if old.st_uid != now.st_uid and not self._set_owner(old.st_uid, -1):
            lost.append("owner")
            mode &= ~stat.S_ISUID
        if old.st_gid != now.st_gid and not self._set_owner(-1, old.st_gid):
            lost.append("group")
            # another group gets the rights of others
            mode = (mode & ~(stat.S_ISGID | 0o070)) | ((mode & 0o007) << 3)
        if not self._set_mode(mode):
            lost.append("mode")
        return " and ".join(lost) or None

    def _set_owner(self, user: int, group: int) -> bool:
        try:
            os.fchown(self.descriptor, user, group)
        except OSError:
            return False
        return True

    def _set_mode(self, mode: int) -> bool:
        """Set the mode; False if the file system refuses."""
        if mode != stat.S_IMODE(os.fstat(self.descriptor).st_mode):
            try:
                os.fchmod(self.descriptor, mode)
            except OSError:
                return False
        return True

    def sync(self) -> None:
        """Send it to the disk."""
        os.fsync(self.descriptor)

    def discard(self) -> None:
        """Remove and unlock it, if it still has its temporary name."""
        if self.descriptor >= 0:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Unlock it."""
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)


def remove(path: Path, force: bool = False) -> bool:
    """Remove a temporary file without a writer; return whether it was removed.

    Parameters
    ----------
    force
        remove it also where locks are unreliable.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return False
    try:
        unused = (
            stat.S_ISREG(os.fstat(descriptor).st_mode)
            and (force or may_tell(path.name, os.fstat(descriptor)))
            and lock_unused(descriptor, force)
            and is_at(path, descriptor)
        )
        if unused:
            path.unlink()
    except OSError:
        return False
    else:
        return unused
    finally:
        os.close(descriptor)


def may_tell(name: str, found: os.stat_result) -> bool:
    """Whether locks are reliable for a temporary file: of this system, or old."""
    match = PATTERN.fullmatch(name)
    if match is not None and match["system"] == SYSTEM:
        return True
    return time.time() - max(found.st_mtime, found.st_ctime) > FOREIGN_SECONDS
