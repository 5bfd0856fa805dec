"""Output files that appear complete or not at all."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from .errors import OutSpecError
from .lh5_writer import LH5Writer, check_settings, split_settings
from .raw_buffer import files_of
from .report import MAX_ATTRIBUTE_BYTES
from .threads import without_signals
from .writing.memory import MemoryPlan
from .writing.parents import write_attributes
from .writing.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from .garbage import Garbage
    from .raw_buffer import RawBufferLibrary
    from .report import ConversionReport

__all__ = ["COLUMNS_ATTRIBUTE", "REPORT_ATTRIBUTE", "OutputFiles"]

REPORT_ATTRIBUTE = "daq2lh5_report"
"""Attribute of a file's root group with the report, as JSON."""

COLUMNS_ATTRIBUTE = "daq2lh5_columns"
"""Attribute of a file's root group with the descriptions of the columns, as JSON."""


abandoned: list[object] = []
"""Files that HDF5 could not even close. It might crash in trying so again: references
are kept, and the command line leaves at once."""


@dataclass
class _File:
    """A file in the making.

    Attributes
    ----------
    name
        as the user wrote it.
    temporary
        where it is for now.
    handle
        the open file.
    writer
        writes to it.
    """

    name: str
    temporary: Path
    handle: h5py.File
    writer: LH5Writer


class OutputFiles:
    """The files of one conversion, written under temporary names beside their own.

    Parameters
    ----------
    overwrite
        whether files that exist may be replaced.
    inputs
        names of the files that are read: they must not be written to.
    settings
        HDF5 settings of the files and of all datasets.
    threads
        number of threads that compress.

    Attributes
    ----------
    plan
        limits of memory for the writers.
    pipeline
        the threads, for all files together.
    """

    def __init__(
        self,
        overwrite: bool,
        inputs: Iterable[str] = (),
        settings: dict[str, Any] | None = None,
        threads: int = 1,
    ) -> None:
        self.overwrite = overwrite
        self.plan = MemoryPlan()
        self.pipeline = Pipeline(threads)
        self.settings = settings or {}
        check_settings(self.settings)
        self._of_file, self._of_datasets = split_settings(self.settings)
        self._inputs = [Path(i.removeprefix("file://")).resolve() for i in inputs]
        # by the file itself, wherever names and links lead
        self._files: dict[Path, _File] = {}
        self._writers: dict[str, LH5Writer] = {}

    def check(self, files: Iterable[str]) -> None:
        """Make sure that the files may be written, before anything is read.

        Raises
        ------
        FileExistsError
            if a file exists and must not be replaced.
        OutSpecError
            if a file is the input, or none that LH5 can be written to.
        PermissionError
            if a directory cannot be written to.
        """
        for file in files:
            if "{" in file:
                continue  # named after keys that are not known yet
            if file == "-":
                msg = (
                    "LH5 cannot be written to standard output: name a file "
                    "('./-' for one of that name)"
                )
                raise OutSpecError(msg)
            path = Path(file)
            if path.resolve() in self._inputs:
                msg = f"{file} is the input: give another output"
                raise OutSpecError(msg)
            if path.is_dir():
                msg = f"output {file} is a directory"
                raise OutSpecError(msg)
            if path.exists() and not path.is_file():
                msg = f"output {file} is a device or a pipe: LH5 needs a file"
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

    def __enter__(self) -> OutputFiles:  # noqa: PYI034  (Self is of Python 3.11)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        files = [(file.name, str(file.temporary)) for file in self._files.values()]
        try:
            self.discard()
        except KeyboardInterrupt:
            # a second one, before signals were held back
            self.discard()
            raise
        if isinstance(error, (OSError, RuntimeError)):
            _explain(error, files)

    def open(self, rb_lib: RawBufferLibrary, plan: MemoryPlan) -> None:
        """Create the files of a library under their temporary names.

        Raises
        ------
        ValueError
            if a column is to be written in a way that there is not.
        """
        self.plan = plan
        self.pipeline.limit = plan.in_flight
        layouts = [rb._layout for _, rb in rb_lib.buffers()]
        check_settings(self.settings, filter(None, dict.fromkeys(layouts)))
        files = files_of(rb_lib)
        self.check(files)
        for file in files:
            self.writer_of(file)

    def writer_of(self, file: str) -> LH5Writer:
        """Return the writer of a file, which is created if need be."""
        if file in self._writers:
            return self._writers[file]
        target = Path(file).resolve()
        if target not in self._files:
            self.check([file])
            target.parent.mkdir(parents=True, exist_ok=True)
            number = f"{os.getpid()}-{len(self._files)}"
            # short enough for the system, whatever the length of the name
            temporary = target.parent / f".{target.name[:40]}.{number}.partial"
            temporary.unlink(missing_ok=True)
            try:
                handle = h5py.File(temporary, "w", **self._of_file)
            except BaseException as e:
                temporary.unlink(missing_ok=True)
                if isinstance(e, OSError):
                    _explain(e, [(file, str(temporary))])
                raise
            writer = LH5Writer(
                handle, self._of_datasets, self.plan, self.pipeline, sync=True
            )
            self._files[target] = _File(file, temporary, handle, writer)
        self._writers[file] = self._files[target].writer
        return self._writers[file]

    @property
    def write_seconds(self) -> float:
        """Time that HDF5 took."""
        return sum(f.writer.write_seconds for f in self._files.values())

    def write_garbage(self, garbage: Garbage) -> None:
        """Write the damaged stretches to the table ``garbage`` of the first file."""
        writer = next(iter(self._files.values())).writer
        name = "garbage"
        while writer.has(name):
            name = "daq2lh5_" + name
        table = garbage.as_table()
        rows = table.rows(table.arrays, len(garbage))
        writer.append(table.layout, rows, name)

    def describe(self, columns: dict[str, dict[str, str]]) -> None:
        """Store what the columns are, by kind of table, in all files.

        Kinds of tables that do not fit into the attribute are left out.
        """
        text = "{}"
        kept: dict[str, dict[str, str]] = {}
        for kind, descriptions in columns.items():
            longer = json.dumps(kept | {kind: descriptions})
            if len(longer) <= MAX_ATTRIBUTE_BYTES:
                kept[kind], text = descriptions, longer
        for file in self._files.values():
            write_attributes(file.handle, {COLUMNS_ATTRIBUTE: text})

    def complete(self) -> None:
        """Write all that is left to write."""
        for file in self._files.values():
            file.writer.finish()
        self.pipeline.close()

    def finish(self, report: ConversionReport) -> None:
        """Complete the files, and give them their names, all at the end.

        The report has the names then, and the times of the stages. From the moment that
        the files have their names, an interruption comes too late: it is raised, but
        the files stay.
        """
        self.complete()
        report.seconds["compress"] = self.pipeline.work_seconds
        report.seconds["write"] = self.write_seconds
        with report.timed("finish"):
            self._finish(report)

    def _finish(self, report: ConversionReport) -> None:
        for file in self._files.values():
            text = report.as_attribute(file.name)
            write_attributes(file.handle, {REPORT_ATTRIBUTE: text})
            # what fails must fail while the file can still be closed in peace
            file.handle.flush()
        for file in self._files.values():
            try:
                file.handle.close()
            except BaseException as e:
                abandoned.append((file, e))
                raise
        for file in self._files.values():
            _flush_to_disk(file.temporary)
        with without_signals():
            self._rename()
            finished, self._files = self._files, {}
            report.outputs = [file.name for file in finished.values()]
        for directory in {target.parent for target in finished}:
            # too late for an error: the files are there
            with suppress(OSError):
                _flush_to_disk(directory)

    def _rename(self) -> None:
        """Give all files their names; if one can't have it, none does."""
        backups: list[tuple[Path, Path | None]] = []
        try:
            for target, file in self._files.items():
                backup = None
                if len(self._files) > 1 and target.exists():
                    backup = file.temporary.with_suffix(".before")
                    target.replace(backup)
                backups.append((target, backup))
                file.temporary.replace(target)
        except BaseException:
            for target, backup in backups:
                target.unlink(missing_ok=True)
                if backup is not None:
                    backup.replace(target)
            raise
        for _, backup in backups:
            if backup is not None:
                backup.unlink()

    def discard(self) -> None:
        """Remove what was written and is not finished."""
        with without_signals():
            for file in self._files.values():
                file.temporary.unlink(missing_ok=True)
            self.pipeline.close()
            for file in self._files.values():
                _close_unfinished(file)
            self._files = {}


def _explain(error: Exception, files: list[tuple[str, str]]) -> None:
    """Raise a plain OSError for what HDF5 says in many words.

    Parameters
    ----------
    error
        as h5py raised it.
    files
        names of the files, and of the temporary ones.
    """
    number = re.search(r"errno = (\d+)", str(error))
    if number is None or not files:
        return
    code = int(number[1])
    names = [name for name, temporary in files if temporary in str(error)]
    name = (names or [name for name, _ in files])[0]
    raise OSError(code, os.strerror(code), name) from error


def _close_unfinished(file: _File) -> None:
    """Close a file that nobody wants any more.

    HDF5 writes what it still holds, and where it cannot (on a full disk) it fails in
    ways that end in crashes: it gets memory to write to instead.
    """
    if not file.handle or any(file is other for other, _ in abandoned):
        return
    file.writer.close()
    try:
        sink = os.memfd_create("daq2lh5")
    except (AttributeError, OSError):  # not everywhere
        sink = os.open(os.devnull, os.O_RDWR)
    os.dup2(sink, file.handle.id.get_vfd_handle())
    os.close(sink)
    try:
        file.handle.close()
    except Exception as e:
        abandoned.append((file, e))


def _flush_to_disk(path: Path) -> None:
    """Make sure that a file, or a directory's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
