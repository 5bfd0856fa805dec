"""Journal of the files that are renamed together, in case the process is killed.

It is written beside the files once all are complete, and removed after the last is
renamed. A later conversion or repair that finds it completes the renaming.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .naming import give_new_name, samefile
from .temporary import BEFORE, JOURNAL, PARTIAL, hidden_name, may_tell, parse

__all__ = ["Entry", "Journal", "JournalError"]

MAX_BYTES = 2**26

COARSE_NS = 2 * 10**9
"""Coarsest resolution of a file system's times."""


class JournalError(ValueError):
    """A journal that is invalid, or must not be followed."""


@dataclass
class Entry:
    """The renaming of one file.

    Attributes
    ----------
    target
        final name; resolved.
    temporary
        temporary name; None if the target is only to be removed.
    before
        second name of the old file, from which it can be restored.
    replace
        whether the old file may be replaced.
    size, mtime_ns
        size and time of the new file, or of the file to be removed: they identify it.
    """

    target: Path
    temporary: Path | None
    before: Path | None
    replace: bool
    size: int
    mtime_ns: int

    def is_known(self, path: Path) -> bool:
        """Whether a file is this entry's."""
        try:
            found = os.lstat(path)
        except OSError:
            return False
        near = abs(found.st_mtime_ns - self.mtime_ns) <= COARSE_NS
        return found.st_size == self.size and near

    @property
    def is_pending(self) -> bool:
        """Whether the renaming is still to be done."""
        return self.is_known(self.temporary or self.target)

    @property
    def is_done(self) -> bool:
        """Whether the renaming is done, and the file unchanged since."""
        if self.temporary is None:
            return not self.is_pending
        return not os.path.lexists(self.temporary) and self.is_known(self.target)

    def do(self) -> None:
        """Rename the file, or remove it."""
        if self.temporary is None:
            self.target.unlink(missing_ok=True)
        elif samefile(self.temporary, self.target):
            # rename() between two names of one file does nothing
            self.temporary.unlink()
        elif self.replace:
            self.temporary.replace(self.target)
        else:
            give_new_name(self.temporary, self.target)


class Journal:
    """The renamings, with a copy of the journal in each folder of the files.

    Parameters
    ----------
    entries
        the files.
    paths
        the copies.
    """

    def __init__(self, entries: list[Entry], paths: list[Path]) -> None:
        self.entries = entries
        self.paths = paths

    @classmethod
    def of(cls, entries: list[Entry]) -> Journal:
        """Return a new journal, not written yet."""
        first: dict[Path, Path] = {}
        for entry in entries:
            first.setdefault(entry.target.parent, entry.target)
        return cls(entries, [hidden_name(path, JOURNAL) for path in first.values()])

    def write(self) -> None:
        """Write all copies, and send them to the disk."""
        for path in self.paths:
            # without absolute paths: folders are moved, or are elsewhere in containers
            folder = path.parent

            def relative(other: Path | None, folder: Path = folder) -> str | None:
                return None if other is None else os.path.relpath(other, folder)

            content = {
                "files": [
                    {
                        "target": relative(e.target),
                        "temporary": relative(e.temporary),
                        "before": relative(e.before),
                        "replace": e.replace,
                        "size": e.size,
                        "mtime_ns": e.mtime_ns,
                    }
                    for e in self.entries
                ],
                "journals": [relative(p) for p in self.paths],
            }
            with open(path, "x", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())

    @classmethod
    def read(cls, path: Path, force: bool = False) -> Journal | None:
        """Read a journal; None if it is cut off.

        Parameters
        ----------
        force
            see :func:`.temporary.remove`.

        Raises
        ------
        JournalError
            if it is another user's, or another computer may work on it.
        OSError
            if it can't be read.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            # it controls renames, so it must be the user's own
            if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
                msg = "it belongs to another user"
                raise JournalError(msg)
            if not force and not may_tell(path.name, found):
                msg = "another computer, or this one before its last start, wrote it"
                raise JournalError(msg)
            if found.st_size > MAX_BYTES:
                msg = "it is too long"
                raise JournalError(msg)
            text = file.read(MAX_BYTES)
        try:
            content = json.loads(text)
        except ValueError:
            return None
        try:
            entries = [_entry(path.parent, e) for e in content["files"]]
            paths = [_beside(path.parent, p, JOURNAL) for p in content["journals"]]
        except (KeyError, TypeError, AttributeError) as e:
            msg = "it is not a valid journal"
            raise JournalError(msg) from e
        return cls(entries, paths)

    @property
    def folders(self) -> list[Path]:
        """All folders with files of the journal."""
        return [path.parent for path in self.paths]

    def remove(self) -> None:
        """Remove the second names of old files, then the journal."""
        names = [entry.before for entry in self.entries if entry.before is not None]
        # in this order: a second name never exists without a journal
        with suppress(OSError):
            for path in [*names, *self.paths]:
                path.unlink(missing_ok=True)


def _beside(folder: Path, name: Any, kind: str) -> Path:
    """Return the path of a temporary file named in a journal."""
    path = Path(os.path.normpath(folder / name))
    parsed = parse(path.name)
    if parsed is None or parsed[1] != kind:
        msg = f"it names {name!r}, which is not a temporary file of daq2lh5"
        raise JournalError(msg)
    return path


def _entry(folder: Path, content: dict[str, Any]) -> Entry:
    target = Path(os.path.normpath(folder / content["target"]))
    names: dict[str, Path | None] = {"temporary": None, "before": None}
    for field, kind in (("temporary", PARTIAL), ("before", BEFORE)):
        if content[field] is not None:
            names[field] = path = _beside(folder, content[field], kind)
            if path.parent != target.parent:
                msg = "it names files of different folders"
                raise JournalError(msg)
    replace, size, time = content["replace"], content["size"], content["mtime_ns"]
    if not (isinstance(replace, bool) and type(size) is int and type(time) is int):
        msg = "it is not a valid journal"
        raise JournalError(msg)
    return Entry(target, names["temporary"], names["before"], replace, size, time)
