"""Publishing: complete files get their final names, all or none."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .journal import Entry, Journal
from .locks import alone_in, is_at
from .naming import NO_LINKS
from .targets import check_replaceable, status_of
from .temporary import BEFORE, hidden_name

if TYPE_CHECKING:
    from pathlib import Path

    from .temporary import Temporary

log = logging.getLogger(__name__)

__all__ = ["Finished", "publish", "sync_folder"]


@dataclass
class Finished:
    """A complete file without its final name.

    Attributes
    ----------
    name
        final name as the user wrote it.
    target
        the same, resolved.
    temporary
        the file; None to remove the old file of that name.
    """

    name: str
    target: Path
    temporary: Temporary | None


def publish(files: list[Finished], overwrite: bool) -> None:
    """Rename files to their final names.

    Parameters
    ----------
    overwrite
        whether to replace files of these names.

    Raises
    ------
    FileExistsError
        if a file exists that must not be replaced.
    OSError
        if renaming fails. The old files are then restored; if that fails too, the error
        names them, and :func:`.repair.repair` completes the renaming.
    """
    steps = [_Step(file, overwrite) for file in files]
    if len(steps) == 1:
        steps[0].do()
        return
    with alone_in([file.target.parent for file in files]):
        _publish_together(steps)


def _publish_together(steps: list[_Step]) -> None:
    journal = Journal.of([step.entry for step in steps])
    begun: list[_Step] = []
    try:
        try:
            journal.write()
        except OSError as e:
            raise steps[0].explain(e) from e
        for folder in journal.folders:
            sync_folder(folder)
        for step in steps:
            step.keep()
        for step in steps:
            begun.append(step)
            step.do()
    except BaseException as error:
        stuck = [step.file.name for step in reversed(begun) if not step.undo()]
        if not stuck:
            journal.remove()
            raise
        for step in steps:
            # the repair needs the temporary files
            step.release()
        msg = (
            f"{error}; the older content of {', '.join(stuck)} could not be restored: "
            f"'daq2lh5 repair {journal.folders[0]}' renames the other files of this "
            "conversion"
        )
        raise OSError(msg) from error
    journal.remove()


class _Step:
    """The renaming of one file, and its undoing."""

    def __init__(self, file: Finished, overwrite: bool) -> None:
        self.file = file
        old = status_of(file.target)
        if old is not None and overwrite:
            # another process may have replaced it since the first check
            check_replaceable(str(file.target))
        self._fresh = old is None
        before = hidden_name(file.target, BEFORE) if old and overwrite else None
        path = None
        if file.temporary is not None:
            path = file.temporary.path
            problem = file.temporary.take_permissions(old)
            if problem is not None:
                log.warning(
                    "%s: the older file's %s cannot be kept", file.name, problem
                )
            old = os.fstat(file.temporary.descriptor)
        size, time = (old.st_size, old.st_mtime_ns) if old else (0, 0)
        self.entry = Entry(file.target, path, before, overwrite, size, time)

    def keep(self) -> None:
        """Link the old file to a second name, from which it can be restored."""
        if self.entry.before is None:
            return
        try:
            os.link(self.entry.target, self.entry.before)
        except FileNotFoundError:
            self._fresh = True
        except OSError as e:
            if e.errno not in NO_LINKS:
                raise self.explain(e) from e

    def do(self) -> None:
        """Rename the file."""
        try:
            self.entry.do()
        except OSError as e:
            # NFS repeats a request whose answer was lost: done already
            if e.errno != errno.ENOENT or not self.entry.is_done:
                raise self.explain(e) from e

    def undo(self) -> bool:
        """Restore the old file; return whether that worked.

        The new file gets its temporary name back before it loses the final one: the
        journal can be completed at any moment.
        """
        target, path = self.entry.target, self.entry.temporary
        before = self.entry.before
        kept = before is not None and os.path.lexists(before)
        try:
            if path is None:
                if kept and not os.path.lexists(target):
                    os.link(before, target)
            elif is_at(target, self.file.temporary.descriptor):
                if self._fresh:
                    target.rename(path)
                elif not kept:
                    return False
                else:
                    if not os.path.lexists(path):
                        os.link(target, path)
                    before.replace(target)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Keep the temporary file."""
        if self.file.temporary is not None:
            self.file.temporary.release()

    def explain(self, error: OSError) -> OSError:
        """Return an error with the user's name of the file."""
        if isinstance(error, FileExistsError):
            return FileExistsError(
                f"file {self.file.name} appeared meanwhile: another process created "
                "it; it is left unchanged; use overwrite (-w) to replace it"
            )
        if error.errno is None:
            return error
        return OSError(error.errno, os.strerror(error.errno), self.file.name)


def sync_folder(folder: Path) -> None:
    """Send the names in a folder to the disk; errors are ignored."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
