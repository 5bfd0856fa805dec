"""Outputs that are up to date: what a batch need not convert again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from ..conversion.provenance import provenance_of
from ..publishing.output_files import REPORT_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..conversion.targets import Target

__all__ = ["read_report", "why_outdated"]


def read_report(file: str) -> dict[str, Any] | None:
    """Return the report that a conversion stored in an output; None without one."""
    import h5py  # noqa: PLC0415  (a dry run without outputs needs none)

    try:
        with h5py.File(file, "r", locking=False) as opened:
            text = opened.attrs.get(REPORT_ATTRIBUTE)
    except (OSError, RuntimeError):
        return None
    try:
        report = json.loads(text)
    except (TypeError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def why_outdated(
    file: str, target: Target, arguments: Mapping[str, Any]
) -> str | None:
    """Return why a file must be converted; None if its outputs are up to date.

    They are if they are complete, not older than the input, and made from an input of
    the same name, size and modification time by this version with the same settings.

    Parameters
    ----------
    file
        the input.
    target
        its outputs.
    arguments
        of the conversion, see :func:`.provenance_of`.
    """
    if not os.path.isfile(file):
        return "only files can be compared"
    known = target.files
    if not known:
        return "the names of its outputs depend on its content"
    wanted = provenance_of(file, target, arguments)
    outputs = list(known)
    for output in outputs:
        if not os.path.exists(output):
            return f"there is no {output}"
        report = read_report(output)
        if report is None:
            return f"{output} has no report of a conversion"
        for name in ("version", "settings"):
            if report.get(name) != wanted[name]:
                return f"{output} was made with another {name.removesuffix('s')}"
        found = dict(report.get("input") or {})
        found.pop("sha256", None)
        if found != wanted["input"]:
            return f"{output} was made from another file, or the file has changed"
        if os.stat(output).st_mtime_ns < os.stat(file).st_mtime_ns:
            return f"{output} is older than the input"
    return None
