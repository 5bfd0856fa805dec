"""Damaged ORCA files through the streamer: their tables, and a report that adds up."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from kit.decoding.orca import (
    Tables,
    decode,
    differences,
    joined,
    wanted_tables,
)

SECONDS = 20
"""More than a damaged file of some hundred kilobytes may take."""


def read(path: Any, data: bytes, **options: Any) -> tuple[Tables, Any]:
    """Read a damaged file: its tables, and the report, which must add up."""
    path.write_bytes(data)
    began = time.monotonic()
    decoded = decode(path, **options)
    assert time.monotonic() - began < SECONDS
    report = decoded.report
    assert report.n_bytes == len(data)
    bad = report.bytes["corrupt"] + report.bytes["cut_off"]
    if report.n_damage < 100:
        assert sum(d.length for d in report.damage) == bad
    ends = [0, *(end for d in report.damage for end in (d.offset, d.offset + d.length))]
    assert all(a <= b for a, b in pairwise([*ends, len(data)]))
    return joined(decoded.tables, report.notes), report


def agrees(path: Any, data: bytes, **options: Any) -> Any:
    """Check that a damaged file gives what the reference reader gets out of it."""
    tables, report = read(path, data, **options)
    assert differences(tables, wanted_tables(data), padded=True) == []
    return report
