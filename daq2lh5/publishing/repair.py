"""Repair: complete or remove the files that killed conversions left behind."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .journal import Journal, JournalError
from .locks import LOCK_NAME, alone_in
from .publish import sync_folder
from .targets import resolve
from .temporary import BEFORE, JOURNAL, PARTIAL, label_of, parse, remove

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

__all__ = ["Leftovers", "Repairs", "complete", "repair"]


@dataclass
class Repairs:
    """Messages about the repairs in a folder, and about files left alone."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def complete(path: Path, force: bool = False) -> str | None:
    """Complete the renaming of files that a killed conversion began.

    Parameters
    ----------
    path
        of its journal.
    force
        assume that no process works on these files where locks are unreliable.

    Returns
    -------
    done
        message; None if nothing had to be done.

    Raises
    ------
    JournalError
        if the journal must stay; the text says why.
    OSError
        if the system refuses.
    """
    journal = Journal.read(path, force)
    folders = [path.parent] if journal is None else journal.folders
    folders = [folder for folder in folders if folder.is_dir()]
    with alone_in(folders) as certain:
        if not (certain or force):
            msg = "others may be working on it"
            raise JournalError(msg)
        try:
            journal = Journal.read(path, force)
        except FileNotFoundError:
            return None
        if journal is None:
            # cut off: no file was renamed yet
            path.unlink()
            return None
        return _complete(journal)


def _complete(journal: Journal) -> str | None:
    pending = [e for e in journal.entries if e.is_pending]
    changed = [e for e in journal.entries if not (e.is_pending or e.is_done)]
    done = []
    for entry in pending:
        if changed:
            break
        try:
            entry.do()
        except FileExistsError:
            changed.append(entry)
        else:
            done.append(entry)
    for folder in journal.folders:
        sync_folder(folder)
    text = None
    if changed:
        for entry in journal.entries:
            if entry.temporary is not None:
                remove(entry.temporary, force=True)
        text = (
            "a conversion was killed while it renamed several files; "
            f"{_names(changed)} changed since, so its other new files were removed"
        )
    elif done:
        text = (
            "a conversion was killed while it renamed several files; the renaming is "
            f"now completed: {_names(done)}"
        )
    journal.remove()
    return text


def _names(entries: list) -> str:
    return ", ".join(sorted(entry.target.name for entry in entries))


class Leftovers:
    """Files that killed conversions left in a folder, listed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            names = os.listdir(folder)
        except OSError:
            names = []
        self._lock = LOCK_NAME in names
        self._names = [(name, *parsed) for name in names if (parsed := parse(name))]

    def complete(self, target: Path) -> None:
        """Complete killed conversions that wrote `target` among several files."""
        for name, _, kind in self._names:
            if kind != JOURNAL:
                continue
            path = self.folder / name
            try:
                journal = Journal.read(path)
                if journal is None or any(e.target == target for e in journal.entries):
                    text = complete(path)
                    if text is not None:
                        log.warning("%s: %s", self.folder, text)
            except FileNotFoundError:
                pass
            except (JournalError, OSError) as e:
                log.warning(
                    "%s: leftover of a killed conversion not repaired: %s", path, e
                )

    def remove(self, target: Path) -> None:
        """Remove temporary files of killed conversions to `target`."""
        for name, label, kind in self._names:
            if kind == PARTIAL and label == label_of(target.name):
                remove(self.folder / name)
        if self._lock:
            # its holder removes it on release
            with alone_in([self.folder], patience=0):
                pass


def repair(folder: str | os.PathLike[str], force: bool = False) -> Repairs:
    """Complete or remove the files that killed conversions left in a folder.

    Parameters
    ----------
    folder
        its name.
    force
        assume that no conversion writes to the folder where locks are unreliable.

    Raises
    ------
    OSError
        if the folder can't be read.
    """
    repairs = Repairs()
    folder = resolve(folder)
    names = sorted(os.listdir(folder))
    ours = [(name, parsed[1]) for name in names if (parsed := parse(name))]
    for name, kind in ours:
        if kind != JOURNAL:
            continue
        try:
            text = complete(folder / name, force)
        except FileNotFoundError:
            continue
        except (JournalError, OSError) as e:
            repairs.left.append(f"{name}: {e}")
        else:
            repairs.done.append(text or f"removed {name}")
    for name, kind in ours:
        path = folder / name
        if kind == PARTIAL and os.path.lexists(path):
            if remove(path, force):
                repairs.done.append(f"removed {name}")
            else:
                repairs.left.append(f"{name}: a process may be writing to it")
        elif kind == BEFORE and os.path.lexists(path):
            repairs.left.append(f"{name}: older content of a file, without a journal")
    if LOCK_NAME in names:
        with suppress(OSError), alone_in([folder], patience=0):
            pass
    return repairs
