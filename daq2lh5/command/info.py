"""``daq2lh5 info``: the provenance and the report in an output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import yaml

from ..errors import printable
from .run import EXIT_FAILED, EXIT_USAGE, say, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["show_info"]

SHOWN_TABLES = 20
"""Number of tables that are listed; ``--json`` has all."""


def show_info(files: tuple[str, ...], as_json: bool) -> int:
    """Print the provenance and the report of outputs; return the exit status.

    Parameters
    ----------
    files
        outputs of conversions.
    as_json
        print the stored report as it is, a line for each file.
    """
    from ..conversion.stored_reports import read_report  # noqa: PLC0415  (imports h5py)
    from ..resources.paths import expand_path  # noqa: PLC0415

    status = 0
    for file in map(expand_path, files):
        try:
            with open(file, "rb"):
                report = read_report(file)
        except OSError as e:
            say(f"error: {file}: {e.strerror}")
            status = EXIT_USAGE
            continue
        if report is None:
            say(
                f"error: {file}: no output of daq2lh5, not complete, or its report is "
                "damaged"
            )
            status = status or EXIT_FAILED
        elif as_json:
            tell(click.echo, json.dumps({"file": file} | report))
        else:
            tell(click.echo, "\n".join(map(printable, _lines(file, report))))
    return status


def _lines(file: str, report: dict[str, Any]) -> Iterator[str]:
    """Yield the lines about one output."""
    from ..conversion.provenance import inputs_of  # noqa: PLC0415

    yield file
    for source in inputs_of(report):
        line = f"  input: {source.get('name') or 'unknown'}"
        if "bytes" in source:
            line += f", {source['bytes']} bytes, of {source['modified']}"
        yield line
        if "sha256" in source:
            yield f"    SHA-256: {source['sha256']}"
    compression = f", {report['compression']}" if report.get("compression") else ""
    yield f"  format: {report.get('format')}{compression}"
    yield f"  made by: daq2lh5 {report.get('version', 'before 0.1')}"
    for name in ("arguments", "specification"):
        if report.get(name):
            yield f"  {name}:"
            text = yaml.safe_dump(
                report[name], sort_keys=False, default_flow_style=None
            )
            yield from (f"    {line}" for line in text.splitlines())
    for unit in ("bytes", "packets"):
        counts = report.get(unit) or {}
        fates = ", ".join(f"{n} {fate}" for fate, n in counts.items() if n)
        yield f"  {unit}: {fates or 'none'}"
    tables = report.get("tables") or {}
    for name, table in list(tables.items())[:SHOWN_TABLES]:
        yield f"  table {name}: {table['rows']} rows"
    if len(tables) > SHOWN_TABLES:
        yield f"  and {len(tables) - SHOWN_TABLES} more tables"
    for damage in report.get("damage") or []:
        yield (
            f"  damaged: byte {damage['offset']}, {damage['length']} bytes: "
            f"{damage['reason']}"
        )
    if report.get("container_error"):
        yield f"  damaged: {report['container_error']}"
    for rule, n in (report.get("irregular") or {}).items():
        yield f"  irregular: {n} x {rule}"
    yield from (f"  note: {text}" for text in report.get("notes") or [])
    if report.get("left_out"):
        yield f"  too long for the file's attribute: {', '.join(report['left_out'])}"
