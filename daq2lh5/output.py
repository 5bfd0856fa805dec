"""Output files that appear complete or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
from lh5 import LH5Store

from .errors import OutSpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .garbage import Garbage
    from .report import ConversionReport

__all__ = ["REPORT_ATTRIBUTE", "OutputFiles"]

REPORT_ATTRIBUTE = "daq2lh5_report"
"""Attribute of a file's root group with the report, as JSON."""


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
        self._inputs = [Path(i).resolve() for i in inputs]
        self._temporary: dict[str, Path] = {}

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
            self._create(file)

    def _create(self, file: str) -> None:
        target = Path(file).absolute()
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".{target.name}.{os.getpid()}.partial"
        self._temporary[file] = temporary
        temporary.unlink(missing_ok=True)
        self.store.gimme_file(str(temporary), "a")

    def path_of(self, file: str) -> str:
        """Return the temporary name of a file."""
        if file not in self._temporary:
            # of a table that came up in mid-stream
            self.open([file])
        return str(self._temporary[file])

    def write_garbage(self, garbage: Garbage) -> None:
        """Write the damaged stretches to the table ``garbage`` of the first file."""
        file = next(iter(self._temporary.values()))
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
        for file, temporary in self._temporary.items():
            handle = self.store.gimme_file(str(temporary), "a")
            handle.attrs[REPORT_ATTRIBUTE] = _ascii(report.as_attribute(file))
        self._close()
        for temporary in self._temporary.values():
            _flush_to_disk(temporary)
        for file, temporary in self._temporary.items():
            temporary.replace(Path(file).absolute())
        for directory in {t.parent for t in self._temporary.values()}:
            _flush_to_disk(directory)
        finished = list(self._temporary)
        self._temporary = {}
        return finished

    def discard(self) -> None:
        """Remove what was written."""
        self._close()
        for temporary in self._temporary.values():
            temporary.unlink(missing_ok=True)
        self._temporary = {}

    def _close(self) -> None:
        for handle in self.store.files.values():
            handle.close()
        self.store.files.clear()


def _ascii(text: str) -> h5py.Empty | str:
    """Return text as the kind of string attribute that LH5 files have."""
    import numpy as np  # noqa: PLC0415

    return np.array(text.encode("utf-8"), dtype=h5py.string_dtype(encoding="ascii"))[()]


def _flush_to_disk(path: Path) -> None:
    """Make sure that a file, or a directory's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
