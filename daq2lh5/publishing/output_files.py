"""Atomic output: all files of a conversion are published, or none."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from ..buffers.places import GARBAGE_ENDING, name_beside
from ..errors import OutSpecError, WriteError
from ..report import MAX_ATTRIBUTE_BYTES
from ..resources.interruption import check_interruption, without_signals
from ..resources.memory import MemoryPlan
from ..writing.lh5_writer import LH5Writer, check_settings, split_settings
from ..writing.parents import write_attributes
from ..writing.pipeline import Pipeline
from .locks import hold_beside_hdf5, release_beside_hdf5
from .publish import Finished, publish, sync_folder
from .repair import Leftovers
from .targets import check_replaceable, resolve, status_of
from .temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from ..buffers.garbage import Garbage
    from ..raw_buffer import RawBufferLibrary
    from ..report import ConversionReport
    from ..writing.layout import Layout

__all__ = [
    "COLUMNS_ATTRIBUTE",
    "REPORT_ATTRIBUTE",
    "OutputFiles",
    "columns_text",
]

REPORT_ATTRIBUTE = "daq2lh5_report"
"""Attribute of a file's root group with the report, as JSON."""

COLUMNS_ATTRIBUTE = "daq2lh5_columns"
"""Attribute of a file's root group with the descriptions of the columns, as JSON."""


abandoned: list[object] = []
"""Files that HDF5 failed to close, with the error. Closing them again may crash: the
references are kept, and the command line exits at once."""


@dataclass
class _File(Finished):
    """A file that is being written.

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
        self._inputs = [resolve(i.removeprefix("file://")) for i in inputs]
        # by the file itself, wherever names and links lead
        self._files: dict[Path, _File] = {}
        self._checked: set[Path] = set()
        self._writers: dict[str, LH5Writer] = {}
        self._leftovers: dict[Path, Leftovers] = {}
        self._obsolete: dict[Path, Finished] = {}
        self._columns = ""

    def check(self, files: Iterable[str]) -> None:
        """Check that the files can be written, before data are read.

        Each file is checked once; publishing looks again for files that appear later.
        First, the publishing of a killed conversion to these files is completed.

        Raises
        ------
        FileExistsError
            if a file exists and must not be replaced.
        OutSpecError
            if a file is the input, or LH5 cannot be written to it.
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
        target = resolve(file)
        if target in self._inputs:
            msg = f"{file} is the input: give another output"
            raise OutSpecError(msg)
        if target in self._checked:
            return
        self._leftovers_in(target.parent).complete(target)
        try:
            found = status_of(path)
        except OSError as e:
            # a loop of links, or a name too long
            msg = f"output {file}: {e.strerror}"
            raise OutSpecError(msg) from e
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
        self._checked.add(target)

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
            # it came before signals were held back
            self.discard()
            raise
        if isinstance(error, (OSError, RuntimeError)):
            _explain(error, files)

    def open(self, rb_lib: RawBufferLibrary, plan: MemoryPlan) -> None:
        """Create the files of a library under their temporary names.

        Raises
        ------
        ValueError
            if HDF5 refuses the settings of a column.
        """
        self.plan = plan
        self.pipeline.limit = plan.in_flight
        for settings, layouts in _layouts_by_settings(rb_lib):
            check_settings(self.settings, layouts, settings)
        files = rb_lib.files()
        self.check(files)
        for file in files:
            self.writer_of(file)

    def writer_of(self, file: str) -> LH5Writer:
        """Return the writer of a file, which is created first where necessary."""
        if file in self._writers:
            return self._writers[file]
        target = resolve(file)
        if target not in self._files:
            self._check(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._leftovers_in(target.parent).remove(target)
            try:
                temporary = Temporary(target)
            except OSError as e:
                # with the name that the user gave
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
        """Return the first file's name with a suffix, cut to the longest length."""
        return name_beside(next(iter(self._files.values())).name, ending)

    def writer_beside(self, ending: str) -> LH5Writer:
        """Return the writer of the file with this suffix, published with the others."""
        return self.writer_of(self.name_beside(ending))

    def drop_beside(self, ending: str) -> None:
        """Remove the old file with this suffix when the files are published.

        Only with overwrite, and only if this conversion writes no such file.

        Raises
        ------
        FileExistsError
            if the file of that name is not an LH5 file.
        """
        name = self.name_beside(ending)
        target = resolve(name)
        if self.overwrite and target not in self._files and status_of(target):
            check_replaceable(name)
            self._obsolete[target] = Finished(name, target, None)

    @property
    def write_seconds(self) -> float:
        """Time that HDF5 took."""
        return sum(f.writer.write_seconds for f in self._files.values())

    def check_garbage(self) -> None:
        """Check that the garbage file can be written.

        Raises
        ------
        FileExistsError
            if a file of that name exists and must not be replaced.
        """
        if self._files:
            self._check(self.name_beside(GARBAGE_ENDING))

    def write_garbage(self, garbage: Garbage) -> str | None:
        """Write damaged ranges to a file of their own beside the first.

        Without damage an old file of that name is removed.

        Returns
        -------
        name
            of the file; None without damage.
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
        """Set the descriptions of the columns, by kind of table, for all files."""
        self._columns = columns_text(columns)

    def describe_as(self, file: h5py.File) -> None:
        """Take over the descriptions of the columns from a converted file."""
        text = file.attrs.get(COLUMNS_ATTRIBUTE, "")
        self._columns = text if isinstance(text, str) else ""

    def complete(self) -> None:
        """Write all queued rows."""
        for file in self._files.values():
            file.writer.finish()
        self.pipeline.close()

    def finish(self, report: ConversionReport) -> None:
        """Complete the files and publish them.

        The report gets their names and the times of the stages. An interruption after
        publishing is raised, but the files stay.
        """
        self.complete()
        for text in _faults(self.pipeline.faults):
            report.warn(text)
        report.seconds["compress"] = self.pipeline.work_seconds
        report.seconds["write"] = self.write_seconds
        with report.timed("finish"):
            self._finish(report)

    def _finish(self, report: ConversionReport) -> None:
        names = [file.name for file in self._files.values()]
        report.outputs = [n for n in names if n != report.garbage_file]
        finished: dict[Path, _File] = {}
        try:
            self._close(report)
            check_interruption()
            with without_signals():
                publish(
                    [*self._files.values(), *self._obsolete.values()], self.overwrite
                )
                finished, self._files = self._files, {}
                for file in finished.values():
                    file.temporary.release()
        except BaseException:
            if not finished:
                report.outputs = []
            raise
        for folder in {target.parent for target in finished}:
            sync_folder(folder)

    def _close(self, report: ConversionReport) -> None:
        """Store the report in the files, and close them."""
        for file in self._files.values():
            text = report.as_attribute(file.name)
            attributes = {REPORT_ATTRIBUTE: text}
            if self._columns:
                attributes[COLUMNS_ATTRIBUTE] = self._columns
            write_attributes(file.handle, attributes)
            # reveals errors before closing: HDF5 may crash on a second close
            file.handle.flush()
        for file in self._files.values():
            try:
                file.handle.close()
            except BaseException as e:
                abandoned.append((file, e))
                raise
        for file in self._files.values():
            try:
                file.temporary.sync()
            except OSError as e:
                raise WriteError(e.errno, e.strerror, file.name) from e

    def discard(self) -> None:
        """Remove the unfinished files."""
        with without_signals():
            for file in self._files.values():
                file.temporary.discard()
            self.pipeline.close()
            for file in self._files.values():
                _close_unfinished(file)
            self._files = {}


def _layouts_by_settings(
    rb_lib: RawBufferLibrary,
) -> Iterator[tuple[dict[str, Any], list[Layout]]]:
    """Yield each distinct settings of tables, with the layouts of these tables."""
    kinds: dict[str, tuple[dict[str, Any], list[Layout | None]]] = {}
    for _, rb in rb_lib.buffers():
        settings = rb.settings.hdf5_settings
        kinds.setdefault(repr(settings), (settings, []))[1].append(rb.layout)
    for settings, layouts in kinds.values():
        yield settings, [*filter(None, dict.fromkeys(layouts))]


def columns_text(columns: dict[str, dict[str, str]]) -> str:
    """Return the text of the attribute with the descriptions of the columns.

    Kinds of tables that do not fit an attribute are left out.
    """
    text = ""
    kept: dict[str, dict[str, str]] = {}
    for kind, descriptions in columns.items():
        longer = json.dumps(kept | {kind: descriptions})
        if len(longer) <= MAX_ATTRIBUTE_BYTES:
            kept[kind], text = descriptions, longer
    return text


def _faults(faults: list[tuple[str, int]]) -> Iterator[str]:
    """Yield a message for each dataset with chunks that zlib had to compress."""
    # in any order: they come from several threads
    for path in sorted({path for path, _ in faults}):
        rows = [row for other, row in faults if other == path]
        yield (
            f"'{path}': {len(rows)} chunks, the first from row {min(rows)}, did not "
            "inflate to the same bytes and were compressed by zlib instead; the file "
            "is correct, but please report this, and check this computer's memory"
        )


def _open_new(temporary: Temporary, settings: dict[str, Any]) -> h5py.File:
    """Open a temporary file with HDF5.

    Our lock replaces that of HDF5. If settings or HDF5_USE_FILE_LOCKING demand HDF5's
    lock, ours is exchanged for a lock of another kind, or released.
    """
    settings = {"locking": False} | settings
    for give_way in (hold_beside_hdf5, release_beside_hdf5):
        try:
            return h5py.File(temporary.path, "w", **settings)
        except BlockingIOError:
            give_way(temporary.descriptor)
    return h5py.File(temporary.path, "w", **settings)


def _explain(error: Exception, files: list[tuple[str, str]]) -> None:
    """Raise a WriteError with the user's file name for errors of the system and HDF5.

    Parameters
    ----------
    error
        raised while reading or writing; errors of other files stay unchanged.
    files
        name and temporary name of each file.
    """
    if isinstance(error, (WriteError, FileExistsError)) or not files:
        return
    named = getattr(error, "filename", None)
    names = [n for n, temporary in files if temporary in str(error) or n == named]
    number = re.search(r"errno = (\d+)", str(error))
    if number is not None:
        code = int(number[1])
    elif isinstance(error, OSError) and error.errno is not None and names:
        code = error.errno
    else:
        return
    name = (names or [name for name, _ in files])[0]
    raise WriteError(code, os.strerror(code), name) from error


def _close_unfinished(file: _File) -> None:
    """Close an unfinished file.

    HDF5 flushes its cache on closing; on a full disk that fails, and crashes later. So
    its descriptor is redirected to memory first.
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
