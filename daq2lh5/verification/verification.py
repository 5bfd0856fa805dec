"""Verification of an output: its structure, its report, and all its values."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import formats
from .._version import __version__
from ..buffers.places import GARBAGE_ENDING, name_beside
from ..build_raw import convert
from ..conversion.arguments import names_of, whole_number
from ..conversion.provenance import hash_of_settings, inputs_of
from ..conversion.restored import (
    LostSettingsError,
    check_settings_file,
    restored_arguments,
    restored_name,
    restored_target,
)
from ..conversion.stored_reports import read_report
from ..errors import lacks_memory
from ..report import ConversionReport
from ..resources.memory import (
    DEFAULT_LIMIT,
    MIN_LIMIT,
    MemoryPlan,
    default_threads,
    parse_size,
)
from ..resources.paths import expand_path
from .differences import Difference, Differences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import h5py

    from ..conversion.arguments import Input
    from ..data_streamer import DataStreamer
    from .objects import ComparedObjects
    from .structure import Structure

__all__ = ["Verification", "verify"]


@dataclass
class Verification:
    """Result of a verification.

    Attributes
    ----------
    output, in_stream
        names of the output and, if given, of the DAQ file (of several, the first).
    differences
        the first differences.
    n_differences
        number of all differences. Each row of a column counts once.
    counts
        number of differences by path of the object; ``""`` for the file itself.
    unverified
        a message for each part that could not be verified, with the reason.
    tables
        rows of each table, by path.
    n_bytes
        bytes of rows that were compared, or read.
    """

    output: str
    in_stream: str | None = None
    differences: list[Difference] = field(default_factory=list)
    n_differences: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    unverified: list[str] = field(default_factory=list)
    tables: dict[str, int | None] = field(default_factory=dict)
    n_bytes: int = 0

    @property
    def good(self) -> bool:
        """Whether everything was verified, without a difference."""
        return not (self.n_differences or self.unverified)

    @property
    def exit_status(self) -> int:
        """0 if good, 3 with differences, 1 if a part could not be verified."""
        if self.n_differences:
            return 3
        return 1 if self.unverified else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain Python objects."""
        differences = [d.as_dict() for d in self.differences]
        return vars(self) | {"differences": differences, "status": self.exit_status}


def verify(
    output: str | os.PathLike[str],
    in_stream: Input | None = None,
    *,
    threads: int | None = None,
    memory_limit: int | str = DEFAULT_LIMIT,
    progress: Callable[[DataStreamer | None], None] | None = None,
    **options: Any,
) -> Verification:
    """Verify an output of a conversion.

    Without the DAQ file: its structure (datatypes, lengths of columns, each chunk and
    its checksum), and its report. With it the DAQ file is decoded again, with the
    settings in the report, and each value is compared, bit by bit.

    Parameters
    ----------
    output
        the LH5 file.
    in_stream
        the DAQ file that it was made from, or a list of files that continue each other,
        in any order if their names are those in the report.
    threads
        number of threads; by default the number of cores that this process may use.
    memory_limit
        bytes that buffers and queues may take together, also as text: ``"512M"``.
    progress
        called regularly: while decoding with the streamer, otherwise with None.
    **options
        options of the format that are files: ``compass_config_file``. The report has
        all others.

    Returns
    -------
    verification
        the result; its `good` is true if everything was verified, without a difference.

    Raises
    ------
    FileNotFoundError
        if a file does not exist.
    OSError
        if a file cannot be read.
    ValueError
        if `threads` or `memory_limit` is too small, or a DAQ file is given twice.
    """
    import h5py  # noqa: PLC0415  (slow to import)

    output = expand_path(output)
    with open(output, "rb"):
        pass
    if isinstance(memory_limit, str):
        memory_limit = parse_size(memory_limit)
    memory_limit = whole_number("memory_limit", memory_limit, MIN_LIMIT)
    threads = default_threads() if threads is None else threads
    threads = whole_number("threads", threads, 1)
    result = Verification(output)
    differences = Differences()
    try:
        file = h5py.File(output, "r", locking=False)
    except (OSError, RuntimeError) as e:
        differences.add("", f"HDF5 cannot open it: {e}")
    else:
        with file:
            work = _Work(file, result, differences, threads, memory_limit, progress)
            if in_stream is None:
                work.check_alone()
            else:
                names = names_of(in_stream)
                names = _in_stored_order(names, work.stored)
                result.in_stream = names[0]
                work.compare(names, options)
    result.differences = differences.listed
    result.counts = differences.counts
    result.n_differences = len(differences)
    result.unverified += [
        f"{path}: {text}" for path, text in differences.skipped.items()
    ]
    return result


class _Work:
    """The steps of a verification."""

    def __init__(
        self,
        file: h5py.File,
        result: Verification,
        differences: Differences,
        threads: int,
        memory_limit: int,
        progress: Callable[[DataStreamer | None], None] | None,
    ) -> None:
        self.file = file
        self.result = result
        self.differences = differences
        self.threads = threads
        self.memory_limit = memory_limit
        self.progress = progress
        self.stored = read_report(result.output)

    def check_alone(self) -> None:
        """Check the structure and read all chunks."""
        from ..writing.pipeline import Pipeline  # noqa: PLC0415  (imports h5py)

        pipeline = Pipeline(self.threads, MemoryPlan(self.memory_limit).in_flight)
        try:
            self._check_structure(pipeline)
        finally:
            pipeline.close()

    def _check_structure(self, pipeline: Any) -> None:
        from .structure import check_structure  # noqa: PLC0415  (imports h5py)

        found = check_structure(
            self.file, self.differences, pipeline, self._report_progress
        )
        self.result.tables = {
            path: n
            for path, n in found.tables.items()
            if not any(path[:i] in found.tables for i in _slashes(path))
        }
        self.result.n_bytes = found.n_bytes
        if self.stored is None:
            self.result.unverified.append(
                "the report: the file has none (made by another program, or an old "
                "version), or it is damaged"
            )
            return
        output = self.result.output
        if self._is_garbage_file():
            self.result.unverified.append(
                "the report: this is the garbage file of "
                f"{output.removesuffix(GARBAGE_ENDING)}; verify that with the DAQ file"
            )
            return
        self._check_report(found)
        self._check_garbage_file()

    def _is_garbage_file(self) -> bool:
        """Whether the file has the damaged ranges of another output."""
        return self.result.output.endswith(GARBAGE_ENDING) and "garbage" in self.file

    def _check_garbage_file(self) -> None:
        """Look for the garbage file beside the first output."""
        report = self.stored
        if not report.get("has_garbage_file"):
            return
        outputs = report.get("outputs") or [report.get("output")]
        file = name_beside(self.result.output, GARBAGE_ENDING)
        if outputs[0] == report.get("output") and not os.path.isfile(file):
            text = f"{os.path.basename(file)} is missing: the bytes of damaged ranges"
            self.differences.add("", text)

    def _report_progress(self) -> None:
        if self.progress is not None:
            self.progress(None)

    def _check_report(self, found: Structure) -> None:
        """Compare the stored report with the content."""
        report = self.stored
        if sum(report.get("bytes", {}).values()) != report.get("input_bytes"):
            self.differences.add("", "report, bytes: they do not add up to input_bytes")
        if "tables" in report.get("left_out", ()):
            self.result.unverified.append("rows by the report: it lacks the tables")
            return
        told = report.get("tables", {})
        tables = found.tables
        for path, table in told.items():
            if path not in self.file:
                self.differences.add(path, "missing: it is in the report")
            elif path in tables and tables[path] != table["rows"]:
                text = f"{tables[path]} rows, {table['rows']} in the report"
                self.differences.add(path, text)
        known = {*told, *self._check_names(found, told)}
        for path in tables:
            inside = [path[: i or None] for i in (0, *_slashes(path))]
            if not any(outer in known for outer in inside):
                self.differences.add(path, "is not in the report")

    def _check_names(self, found: Structure, told: Mapping[str, Any]) -> set[str]:
        """Check objects with several names; return the aliases of tables."""
        may_have_aliases = self._may_have_aliases()
        aliases: set[str] = set()
        for paths in found.names:
            others = [path for path in paths if path not in told]
            if may_have_aliases and len(others) < len(paths):
                aliases.update(others)
                continue
            first = next((p for p in paths if p in told), paths[0])
            for path in others:
                if path != first:
                    text = f"a further name of {first or 'the file'}: not in the report"
                    self.differences.add(path, text)
                    aliases.add(path)
        return aliases

    def _may_have_aliases(self) -> bool:
        """Whether the stored specification has aliases, or is left out."""
        if "specification" in self.stored.get("left_out", ()):
            return True
        entries = (self.stored.get("specification") or {}).values()
        return any(
            isinstance(entry, dict) and entry.get("aliases")
            for some in entries
            if isinstance(some, list)
            for entry in some
        )

    def compare(self, names: list[str], options: dict[str, Any]) -> None:
        """Decode the DAQ file again, and compare."""
        from .files import ComparedFiles  # noqa: PLC0415  (imports h5py)

        output = self.result.output
        if self.stored is None:
            self.check_alone()
            self.result.unverified.append("the values: the settings are in the report")
            return
        if self._is_garbage_file():
            self.check_alone()
            return
        try:
            target = restored_target(self.stored, output)
            arguments = restored_arguments(self.stored, options)
            check_settings_file(self.stored, names[0], arguments["options"])
        except LostSettingsError as e:
            self.check_alone()
            self.result.unverified.append(f"the values: {e}")
            return
        compared = ComparedFiles(
            self.file,
            restored_name(self.stored, output),
            self.stored,
            self.differences,
            self.threads,
        )
        report = ConversionReport(source=names[0])
        hashes = [source.get("sha256") for source in inputs_of(self.stored)]
        if len(hashes) != len(names):
            text = f"made from {len(hashes)} files, compared with {len(names)}"
            self.differences.add("", text)
        try:
            convert(
                names,
                out_spec=target,
                threads=self.threads,
                memory_limit=self.memory_limit,
                hash_input=None not in hashes,
                progress=self.progress,
                report=report,
                outputs=compared,
                **arguments,
            )
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except (RuntimeError, ValueError, KeyError, TypeError) as e:
            if lacks_memory(e):
                raise
            self.differences.add("", f"decoding {names[0]} again fails: {e}")
        self._check_structure_too(compared.objects)
        self.result.n_bytes = compared.objects.n_bytes
        self.result.tables = compared.objects.tables()
        found = [source.get("sha256") for source in inputs_of(report.provenance)]
        for name, wanted, digest in zip(names, hashes, found, strict=False):
            if wanted is not None and digest not in (wanted, None):
                self.differences.add("", f"{name} has another SHA-256 than stored")
        self._check_settings(_settings_of(report.provenance, self.stored))

    def _check_structure_too(self, compared: ComparedObjects) -> None:
        """Check the structure where the values are those expected.

        Lossy filters may change lengths, and links may lead to other files.
        """
        from ..writing.pipeline import Pipeline  # noqa: PLC0415  (imports h5py)
        from .structure import check_structure  # noqa: PLC0415

        faults = Differences()
        found = check_structure(
            self.file, faults, Pipeline(), self._report_progress, read=False
        )
        known = set(self.differences.counts)
        for fault in faults.listed:
            if fault.path not in known:
                self.differences.add(fault.path, fault.text, fault.row)
        expected = {*compared.objects, *compared.aliases}
        for paths in found.names:
            for path in paths[1:] if expected.isdisjoint(paths) else paths:
                if path not in expected and path not in known:
                    self.differences.add(path, f"a further name of {paths[0]}")

    def _check_settings(self, settings: str | None) -> None:
        """Compare version and settings of decoding again with the stored ones."""
        version = self.stored.get("version")
        if version != __version__:
            if self.differences:
                self.result.unverified.append(
                    f"made by version {version}, this is {__version__}: differences "
                    "may come from that"
                )
        elif settings != self.stored["settings"]:
            self.result.unverified.append(
                "the settings: those in the report cannot be restored"
            )


def _slashes(path: str) -> list[int]:
    return [i for i, c in enumerate(path) if c == "/"]


def _in_stored_order(names: list[str], stored: dict[str, Any] | None) -> list[str]:
    """Return the files of an input in the order of their names in the report.

    They keep their order if the report has other names, or a name twice.
    """
    given = {os.path.basename(name): name for name in names}
    wanted = [source.get("name") for source in inputs_of(stored or {})]
    if len(given) == len(names) and sorted(given) == sorted(map(str, wanted)):
        return [given[name] for name in wanted]
    return names


def _settings_of(made: Mapping[str, Any], stored: Mapping[str, Any]) -> str | None:
    """Return the hash of settings, without a settings file that was beside the data."""
    if "settings_file" not in stored or "settings_file" in made:
        return made.get("settings")
    arguments = dict(made.get("arguments", {}))
    for name in formats.paths_of_settings(stored.get("format", "")):
        arguments.pop(name, None)
    return hash_of_settings({**made, "arguments": arguments})
