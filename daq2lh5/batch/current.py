"""Outputs that are up to date: what a batch need not convert again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from ..publishing.output_files import REPORT_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Iterable

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
