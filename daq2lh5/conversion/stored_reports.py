"""The report in an output: read, and checked before its parts are used."""

from __future__ import annotations

import json
from typing import Any

from ..report import unpacked

__all__ = ["is_well_formed", "read_report"]

DEEPEST = 50
"""Largest number of lists and dictionaries inside each other."""

LARGEST = 2**63 - 1
"""Largest number of bytes, rows or records."""

TEXT, COUNT, ANY = "text", "count", "anything"
"""Kinds of values."""

FILE = {"name": TEXT, "bytes": COUNT, "modified": TEXT, "sha256": TEXT}

COUNTS = {"*": COUNT}

PARTS: dict[str, Any] = {
    "version": TEXT,
    "arguments": {"*": ANY},
    "specification": (None, {"*": ANY}),
    "settings": TEXT,
    "input": FILE,
    "continued_by": [FILE],
    "settings_file": FILE,
    "output": TEXT,
    "outputs": [TEXT],
    "has_garbage_file": ANY,
    "format": TEXT,
    "compression": (None, TEXT),
    "input_bytes": COUNT,
    "starts": [COUNT],
    "bytes": COUNTS,
    "packets": COUNTS,
    "unknown_records": COUNTS,
    "irregular": COUNTS,
    "n_damage": COUNT,
    "damage": [{"offset": COUNT, "length": COUNT, "reason": TEXT, "fate": TEXT}],
    "container_error": (None, TEXT),
    "garbage_bytes_dropped": COUNT,
    "skipped_channels": {"*": COUNTS},
    "tables": {"*": {"rows": COUNT}},
    "notes": [TEXT],
    "left_out": [TEXT],
}
"""Kinds of the parts of a report. In lists all members are of one kind; ``*`` stands
for any name; a tuple has alternatives."""

NEEDED = {"rows", "offset", "length", "reason"}
"""Parts that their dictionaries must have."""

STATUSES = (0, 3)
"""Exit statuses of conversions that give outputs."""


def read_report(file: str) -> dict[str, Any] | None:
    """Return the report in an output; None if it has no report, or a damaged one."""
    import h5py  # noqa: PLC0415  (slow to import)

    from ..publishing.output_files import REPORT_ATTRIBUTE  # noqa: PLC0415

    try:
        with h5py.File(file, "r", locking=False) as opened:
            text = opened.attrs.get(REPORT_ATTRIBUTE)
        stored = json.loads(text)
        if not isinstance(stored, dict):
            return None
        report = unpacked(stored)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError):
        # (RecursionError is a RuntimeError)
        return None
    return report if is_well_formed(report) else None


def is_well_formed(report: Any) -> bool:
    """Whether all known parts of a report have their types."""
    return (
        _depth_fits(report)
        and report.get("status", 0) in STATUSES
        and all(_fits(report[name], PARTS[name]) for name in PARTS if name in report)
    )


def _depth_fits(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        if not inner:
            return True
        level = inner
    return False


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value has a kind, see :data:`PARTS`."""
    if kind is ANY:
        return True
    if kind is TEXT:
        return isinstance(value, str)
    if kind is COUNT:
        return type(value) is int and 0 <= value <= LARGEST
    if isinstance(kind, tuple):
        return any(value is k if k is None else _fits(value, k) for k in kind)
    if isinstance(kind, list):
        return isinstance(value, list) and all(_fits(v, kind[0]) for v in value)
    return (
        isinstance(value, dict)
        and (NEEDED & kind.keys()) <= value.keys()
        and all(_fits(v, kind.get(k, kind.get("*", ANY))) for k, v in value.items())
    )
