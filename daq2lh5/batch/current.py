"""Outputs of earlier conversions, and whether they are up to date."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ..buffers.places import GARBAGE_ENDING, name_beside
from ..conversion.provenance import (
    common_folder,
    inputs_of,
    provenance_of,
    settings_file_beside,
)
from ..conversion.stored_reports import read_report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..conversion.provenance import Provenance
    from ..conversion.targets import Target

__all__ = ["Existing", "existing_outputs"]


class Existing(NamedTuple):
    """The outputs of an earlier conversion.

    Attributes
    ----------
    outdated
        reason to convert the input again; None if the outputs are up to date.
    status
        exit status of the earlier conversion.
    report
        the report in the first output, if they are up to date.
    """

    outdated: str | None
    status: int = 0
    report: Provenance | None = None


def existing_outputs(
    names: Sequence[str], target: Target, arguments: Mapping[str, Any]
) -> Existing:
    """Look for outputs of an earlier conversion.

    They are up to date if they are complete, not older than the input, and made by this
    version, with the same settings, from an input of the same name, size and
    modification time. Only complete outputs have their final name. Of outputs whose
    names depend on the content of the input, and of the garbage file, the reports of
    the others tell the names: these must exist.

    Parameters
    ----------
    names
        names of the input's files.
    target
        its outputs.
    arguments
        arguments of the conversion, see :func:`.provenance_of`.
    """
    if not all(map(os.path.isfile, names)):
        return Existing("it is not a file: nothing tells whether it has changed")
    if not target.files:
        return Existing("the names of all its outputs depend on its content")
    wanted = provenance_of(names, target, arguments)
    changed = max(os.stat(name).st_mtime_ns for name in names)
    statuses = [0]
    reports = []
    for output in target.files:
        if not os.path.exists(output):
            return Existing(f"{output} does not exist")
    for output in target.files:
        report = read_report(output)
        if report is None:
            return Existing(f"{output} has no report of a conversion, or a damaged one")
        if report.get("version") != wanted["version"]:
            return Existing(f"{output} was made by another version")
        if report.get("settings") != wanted["settings"]:
            return Existing(f"{output} was made with other settings")
        options = arguments.get("options") or {}
        beside = settings_file_beside(report.get("format", ""), names[0], options)
        if report.get("settings_file") != beside:
            return Existing(f"{output}: the settings file beside the input has changed")
        sources = inputs_of(report)
        hashes = [source.pop("sha256", None) for source in sources]
        if sources != inputs_of(wanted):
            return Existing(f"{output} was made from another file, or it has changed")
        if arguments.get("hash_input") and None in hashes:
            return Existing(f"{output} has no SHA-256 of the input")
        if os.stat(output).st_mtime_ns < changed:
            return Existing(f"{output} is older than the input")
        for other in _others_of(report, output, common_folder(target)):
            if not os.path.exists(other):
                return Existing(f"{other} does not exist")
        statuses.append(int(report.get("status") or 0))
        reports.append(report)
    return Existing(None, max(statuses), reports[0])


def _others_of(report: Provenance, output: str, folder: str | None) -> Iterator[str]:
    """Yield the files that the conversion of an output made, by its report."""
    names = [output]
    if folder is not None and report.get("outputs"):
        names = [os.path.join(folder, name) for name in report["outputs"]]
        yield from names
    if report.get("has_garbage_file"):
        yield name_beside(names[0], GARBAGE_ENDING)
