"""Output files that appear complete or not at all."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from .errors import OutSpecError
from .lh5_writer import LH5Writer, check_settings, split_settings
from .publishing.locks import hold_beside_hdf5, release_beside_hdf5
from .publishing.publish import Finished, publish, sync_folder
from .publishing.repair import Leftovers
from .publishing.targets import check_replaceable, status_of
from .publishing.temporary import Temporary
from .raw_buffer import files_of
from .report import MAX_ATTRIBUTE_BYTES
from .threads import without_signals
from .writing.memory import MemoryPlan
from .writing.parents import write_attributes
from .writing.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from .garbage import Garbage
    from .raw_buffer import RawBufferLibrary
    from .report import ConversionReport

__all__ = ["COLUMNS_ATTRIBUTE", "REPORT_ATTRIBUTE", "OutputFiles"]

REPORT_ATTRIBUTE = "daq2lh5_report"
"""Attribute of a file's root group with the report, as JSON."""

GARBAGE_ENDING = ".garbage"
"""What is added to an output's name for the file with the damaged stretches."""

NAME_BYTES = 255
"""Longest name of a file on usual file systems."""

COLUMNS_ATTRIBUTE = "daq2lh5_columns"
"""Attribute of a file's root group with the descriptions of the columns, as JSON."""


abandoned: list[object] = []
"""Files that HDF5 could not even close. It might crash in trying so again: references
are kept, and the command line leaves at once."""


@dataclass
class _File(Finished):
    """A file in the making.

    Attributes
    ----------
    handle
        the open file.
    writer
        writes to it.
    """

    temporary: Temporary
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
    verify
        whether to decompress each compressed chunk and compare.

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
        verify: bool = False,
    ) -> None:
        self.overwrite = overwrite
        self.plan = MemoryPlan()
        self.pipeline = Pipeline(threads, verify=verify)
        self.settings = settings or {}
        check_settings(self.settings)
        self._of_file, self._of_datasets = split_settings(self.settings)
        self._inputs = [Path(i.removeprefix("file://")).resolve() for i in inputs]
        # by the file itself, wherever names and links lead
        self._files: dict[Path, _File] = {}
        self._writers: dict[str, LH5Writer] = {}
        self._leftovers: dict[Path, Leftovers] = {}
        self._obsolete: dict[Path, Finished] = {}
        self._columns = ""

    def check(self, files: Iterable[str]) -> None:
        """Make sure that the files may be written, before anything is read.

        What a killed conversion to these files left in halves is completed before.

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
            self._check(file)

    def _check(self, file: str) -> None:
        if file == "-":
            msg = (
                "LH5 cannot be written to standard output: name a file "
                "('./-' for one of that name)"
            )
            raise OutSpecError(msg)
        path = Path(file)
        target = path.resolve()
        if target in self._inputs:
            msg = f"{file} is the input: give another output"
            raise OutSpecError(msg)
        self._leftovers_in(target.parent).complete(target)
        found = status_of(path)
        if found is not None:
            if stat.S_ISDIR(found.st_mode):
                msg = f"output {file} is a directory"
                raise OutSpecError(msg)
            if not stat.S_ISREG(found.st_mode):
                msg = f"output {file} is a device or a pipe: LH5 needs a file"
                raise OutSpecError(msg)
            if not self.overwrite:
                msg = f"file {file} exists; use overwrite (-w) to replace it"
                raise FileExistsError(msg)
            check_replaceable(file)
        directory = target.parent
        while not directory.exists():
            directory = directory.parent
        if not os.access(directory, os.W_OK | os.X_OK):
            msg = f"cannot write to {directory}"
            raise PermissionError(msg)

    def _leftovers_in(self, folder: Path) -> Leftovers:
        if folder not in self._leftovers:
            self._leftovers[folder] = Leftovers(folder)
        return self._leftovers[folder]

    def __enter__(self) -> OutputFiles:  # noqa: PYI034  (Self is of Python 3.11)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        files = [(f.name, str(f.temporary.path)) for f in self._files.values()]
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
            self._check(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._leftovers_in(target.parent).remove(target)
            try:
                temporary = Temporary(target)
            except OSError as e:
                # of the name that the user knows
                raise OSError(e.errno, os.strerror(e.errno), file) from e
            try:
                handle = _open_new(temporary, self._of_file)
            except BaseException as e:
                temporary.discard()
                if isinstance(e, OSError):
                    _explain(e, [(file, str(temporary.path))])
                raise
            writer = LH5Writer(
                handle, self._of_datasets, self.plan, self.pipeline, sync=True
            )
            self._files[target] = _File(file, target, temporary, handle, writer)
        self._writers[file] = self._files[target].writer
        return self._writers[file]

    def name_beside(self, ending: str) -> str:
        """Return the name of a file that goes with the first: that and an ending.

        A name that gets too long for the system is cut.
        """
        folder, name = os.path.split(next(iter(self._files.values())).name)
        kept = os.fsencode(name)[: NAME_BYTES - len(ending)]
        return os.path.join(folder, os.fsdecode(kept) + ending)

    def writer_beside(self, ending: str) -> LH5Writer:
        """Return the writer of a file that goes with the first, made if need be.

        It gets its name together with all others.
        """
        return self.writer_of(self.name_beside(ending))

    def drop_beside(self, ending: str) -> None:
        """Have an older file that went with the first removed with what it went with.

        Nothing is done to one that this conversion writes anew, and without overwrite.

        Raises
        ------
        FileExistsError
            if a file of that name exists which is no LH5 file.
        """
        name = self.name_beside(ending)
        target = Path(name).resolve()
        if self.overwrite and target not in self._files and status_of(target):
            check_replaceable(name)
            self._obsolete[target] = Finished(name, target, None)

    @property
    def write_seconds(self) -> float:
        """Time that HDF5 took."""
        return sum(f.writer.write_seconds for f in self._files.values())

    def check_garbage(self) -> None:
        """Make sure that damaged stretches may be kept beside the first file.

        Raises
        ------
        FileExistsError
            if there is a file of that name that must not be replaced.
        """
        if self._files:
            self._check(self.name_beside(GARBAGE_ENDING))

    def write_garbage(self, garbage: Garbage) -> str | None:
        """Keep damaged stretches in a file of their own beside the first.

        An older one that belongs to what is replaced goes with it.

        Returns
        -------
        name
            of the file; None if there are no such stretches.
        """
        if not self._files:
            return None
        if not len(garbage):
            self.drop_beside(GARBAGE_ENDING)
            return None
        writer = self.writer_beside(GARBAGE_ENDING)
        table = garbage.as_table()
        rows = table.rows(table.arrays, len(garbage))
        writer.append(table.layout, rows, "garbage")
        return self.name_beside(GARBAGE_ENDING)

    def describe(self, columns: dict[str, dict[str, str]]) -> None:
        """Take note of what the columns are, by kind of table, for all files.

        Kinds of tables that do not fit into the attribute are left out.
        """
        kept: dict[str, dict[str, str]] = {}
        for kind, descriptions in columns.items():
            longer = json.dumps(kept | {kind: descriptions})
            if len(longer) <= MAX_ATTRIBUTE_BYTES:
                kept[kind], self._columns = descriptions, longer

    def describe_as(self, file: h5py.File) -> None:
        """Take note of what the columns are in a file that was converted before."""
        text = file.attrs.get(COLUMNS_ATTRIBUTE, "")
        self._columns = text if isinstance(text, str) else ""

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
        for text in _faults(self.pipeline.faults):
            report.warn(text)
        report.seconds["compress"] = self.pipeline.work_seconds
        report.seconds["write"] = self.write_seconds
        with report.timed("finish"):
            self._finish(report)

    def _finish(self, report: ConversionReport) -> None:
        for file in self._files.values():
            text = report.as_attribute(file.name)
            attributes = {REPORT_ATTRIBUTE: text}
            if self._columns:
                attributes[COLUMNS_ATTRIBUTE] = self._columns
            write_attributes(file.handle, attributes)
            # what fails must fail while the file can still be closed in peace
            file.handle.flush()
        for file in self._files.values():
            try:
                file.handle.close()
            except BaseException as e:
                abandoned.append((file, e))
                raise
        for file in self._files.values():
            file.temporary.sync()
        with without_signals():
            publish([*self._files.values(), *self._obsolete.values()], self.overwrite)
            finished, self._files = self._files, {}
            for file in finished.values():
                file.temporary.release()
            names = [file.name for file in finished.values()]
            report.outputs = [n for n in names if n != report.garbage_file]
        for folder in {target.parent for target in finished}:
            # too late for an error: the files are there
            sync_folder(folder)

    def discard(self) -> None:
        """Remove what was written and is not finished."""
        with without_signals():
            for file in self._files.values():
                file.temporary.discard()
            self.pipeline.close()
            for file in self._files.values():
                _close_unfinished(file)
            self._files = {}


def _faults(faults: list[tuple[str, int]]) -> Iterator[str]:
    """Say which chunks were compressed a second time, a line for each dataset."""
    # threads find them in any order
    for path in sorted({path for path, _ in faults}):
        rows = [row for other, row in faults if other == path]
        yield (
            f"'{path}': {len(rows)} chunks, first that from row {min(rows)}, did not "
            "inflate to what was compressed, and were compressed by zlib instead; the "
            "file is right, but please report this, and check this computer's memory"
        )


def _open_new(temporary: Temporary, settings: dict[str, Any]) -> h5py.File:
    """Return the file, opened by HDF5.

    We lock it, so HDF5 need not. Where it does so all the same, by its settings or
    HDF5_USE_FILE_LOCKING, our lock is in its way, and has to be another one.
    """
    settings = {"locking": False} | settings
    for give_way in (hold_beside_hdf5, release_beside_hdf5):
        try:
            return h5py.File(temporary.path, "w", **settings)
        except BlockingIOError:
            give_way(temporary.descriptor)
    return h5py.File(temporary.path, "w", **settings)


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
