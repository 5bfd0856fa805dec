"""Output files that appear complete or not at all."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
from lh5 import LH5Store

from .errors import OutSpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .garbage import Garbage
    from .report import ConversionReport

__all__ = ["REPORT_ATTRIBUTE", "OutputFiles"]

REPORT_ATTRIBUTE = "daq2lh5_report"
"""Attribute of a file's root group with the report, as JSON."""


abandoned: list[object] = []
"""Files that HDF5 could not write, on a full disk for instance. It would crash in
trying so again: the references are kept, and the command line leaves at once."""


class OutputFiles:
    """The files of one conversion, written under temporary names beside their own.

    Parameters
    ----------
    overwrite
        whether files that exist may be replaced.
    inputs
        names of the files that are read: they must not be written to.
    """

    def __init__(self, overwrite: bool, inputs: Iterable[str] = ()) -> None:
        self.overwrite = overwrite
        self.store = LH5Store(keep_open=True)
        self._inputs = [Path(i.removeprefix("file://")).resolve() for i in inputs]
        # by the file itself, wherever names and links lead: a name, a temporary file
        self._files: dict[Path, tuple[str, Path]] = {}

    def check(self, files: Iterable[str]) -> None:
        """Make sure that the files may be written, before anything is read.

        Raises
        ------
        FileExistsError
            if a file exists and must not be replaced.
        OutSpecError
            if a file is the input, or a directory.
        PermissionError
            if a directory cannot be written to.
        """
        for file in files:
            if "{" in file:
                continue  # named after keys that are not known yet
            path = Path(file)
            if path.resolve() in self._inputs:
                msg = f"{file} is the input: give another output"
                raise OutSpecError(msg)
            if path.is_dir():
                msg = f"output {file} is a directory"
                raise OutSpecError(msg)
            if path.exists() and not self.overwrite:
                msg = f"file {file} exists; use overwrite (-w) to replace it"
                raise FileExistsError(msg)
            directory = path.absolute().parent
            while not directory.exists():
                directory = directory.parent
            if not os.access(directory, os.W_OK | os.X_OK):
                msg = f"cannot write to {directory}"
                raise PermissionError(msg)

    def open(self, files: Iterable[str]) -> None:
        """Create the files under their temporary names."""
        files = list(files)
        self.check(files)
        for file in files:
            self.path_of(file)

    def path_of(self, file: str) -> str:
        """Return the temporary name of a file, which is created if need be."""
        target = Path(file).resolve()
        if target not in self._files:
            self.check([file])
            target.parent.mkdir(parents=True, exist_ok=True)
            number = f"{os.getpid()}-{len(self._files)}"
            # short enough for the system, whatever the length of the name
            temporary = target.parent / f".{target.name[:40]}.{number}.partial"
            self._files[target] = (file, temporary)
            temporary.unlink(missing_ok=True)
            self.store.gimme_file(str(temporary), "a")
        return str(self._files[target][1])

    def write_garbage(self, garbage: Garbage) -> None:
        """Write the damaged stretches to the table ``garbage`` of the first file."""
        _, file = next(iter(self._files.values()))
        name = "garbage"
        while name in self.store.gimme_file(str(file), "a"):
            name = "daq2lh5_" + name
        self.store.write(garbage.as_lgdo(), name, str(file))

    def finish(self, report: ConversionReport) -> list[str]:
        """Complete the files, and give them their names, all at the end.

        Returns
        -------
        files
            their names.
        """
        for file, temporary in self._files.values():
            handle = self.store.gimme_file(str(temporary), "a")
            # LH5 files have their strings as ASCII
            text = report.as_attribute(file).encode()
            kind = h5py.string_dtype(encoding="ascii")
            handle.attrs[REPORT_ATTRIBUTE] = np.array(text, dtype=kind)[()]
        self._close()
        for _, temporary in self._files.values():
            _flush_to_disk(temporary)
        with _without_signals():
            self._rename()
        for directory in {target.parent for target in self._files}:
            _flush_to_disk(directory)
        finished = [file for file, _ in self._files.values()]
        self._files = {}
        return finished

    def _rename(self) -> None:
        """Give all files their names; if one can't have it, none does."""
        backups: list[tuple[Path, Path | None]] = []
        try:
            for target, (_, temporary) in self._files.items():
                backup = None
                if len(self._files) > 1 and target.exists():
                    backup = temporary.with_suffix(".before")
                    target.replace(backup)
                backups.append((target, backup))
                temporary.replace(target)
        except BaseException:
            for target, backup in backups:
                target.unlink(missing_ok=True)
                if backup is not None:
                    backup.replace(target)
            raise
        for _, backup in backups:
            if backup is not None:
                backup.unlink()

    def discard(self, error: BaseException | None = None) -> None:
        """Remove what was written, after `error`."""
        with _without_signals():
            for _, temporary in self._files.values():
                temporary.unlink(missing_ok=True)
            self._files = {}
            # HDF5 names the system's error in its message, and in nothing else
            if isinstance(error, (OSError, RuntimeError)) and "errno" in str(error):
                abandoned.append((dict(self.store.files), error))
                self.store.files.clear()
            self._close()

    def _close(self) -> None:
        try:
            for handle in self.store.files.values():
                handle.close()
        finally:
            self.store.files.clear()


@contextmanager
def _without_signals() -> Iterator[None]:
    """Hold signals back for a moment: what is inside must be done whole."""
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _flush_to_disk(path: Path) -> None:
    """Make sure that a file, or a directory's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
