"""One conversion of a damaged input, and assertions for every input."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

import lh5

import daq2lh5
from daq2lh5.build_raw import open_stream
from daq2lh5.errors import DecodeError, UnknownFormatError

from .rows import Row, garbage_in, in_file, rows_of

MAX_LISTED = 100
"""Damaged ranges that a report lists."""


@dataclass
class Outcome:
    """The result of a conversion.

    Attributes
    ----------
    rows
        of all tables.
    report
        the report; None where the input was refused.
    error
        the message with which it was refused.
    garbage
        offset and bytes of each damaged range.
    """

    rows: Counter[Row] = field(default_factory=Counter)
    report: Any = None
    error: str = ""
    garbage: list[tuple[int, bytes]] = field(default_factory=list)


def decode(path: str, **options: Any) -> Outcome:
    """Read a stream without writing a file."""
    out = Outcome()
    try:
        with open_stream(path, chunk_mode="any_full", **options) as (streamer, header):
            for chunk in chain([header], streamer):
                for rb in chunk:
                    arrays = rb.arrays() if rb.table is not None else {}
                    if arrays and rb.loc:
                        out.rows.update(rows_of(arrays, rb.loc))
                    rb.loc = 0
    except (DecodeError, UnknownFormatError) as error:
        out.error = str(error)
        return out
    out.report = streamer.report
    out.garbage = [(row[3], row[0]) for row in streamer.garbage.rows]
    return out


def write(path: str, out_file: str, **options: Any) -> Outcome:
    """Convert a stream to a file, and read that with h5py and lh5."""
    out = Outcome()
    try:
        out.report = daq2lh5.build_raw(
            path, out_spec=out_file, overwrite=True, threads=1, **options
        )
    except (DecodeError, UnknownFormatError) as error:
        out.error = str(error)
        if os.path.exists(out_file):
            msg = "an output although the input was refused"
            raise AssertionError(msg) from error
        return out
    out.rows = in_file(out_file)
    if out.report.garbage_file is not None:
        out.garbage = garbage_in(out.report.garbage_file)
        os.unlink(out.report.garbage_file)
    for name in lh5.ls(out_file):
        lh5.read(name, out_file)
    os.unlink(out_file)
    return out


def problems_of(out: Outcome, data: bytes | None) -> list[str]:
    """List the problems of a result that are independent of the input.

    Parameters
    ----------
    data
        the stream after decompression, where it is known.
    """
    if out.report is None:
        n = len(out.error.splitlines())
        return [] if n == 1 and len(out.error) < 2000 else [f"{n} lines of error"]
    report, problems = out.report, []
    if data is not None and report.n_bytes != len(data):
        problems.append(f"{report.n_bytes} bytes accounted for, not {len(data)}")
    if min(report.bytes.values()) < 0:
        problems.append(f"negative numbers of bytes: {dict(report.bytes)}")
    bad = report.bytes["corrupt"] + report.bytes["cut_off"]
    listed = [(d.offset, d.length) for d in report.damage]
    if report.n_damage <= MAX_LISTED and sum(n for _, n in listed) != bad:
        problems.append("the damaged ranges do not add up to the damaged bytes")
    ends = [e for at, n in listed for e in (at, at + n)]
    if any(a > b for a, b in pairwise([0, *ends, report.n_bytes])):
        problems.append("damaged ranges overlap")
    if (report.exit_status == 0) != report.clean or report.exit_status not in (0, 3):
        problems.append(f"status {report.exit_status}")
    if out.garbage:
        problems += _garbage_problems(out, data, bad)
    elif bad:
        problems.append(f"no garbage, but {bad} damaged bytes")
    return problems


def _garbage_problems(out: Outcome, data: bytes | None, bad: int) -> list[str]:
    """Compare the garbage with the input and the report."""
    report = out.report
    kept = sum(len(packet) for _, packet in out.garbage)
    problems = []
    if kept != report.garbage_bytes_kept or kept + report.garbage_bytes_dropped != bad:
        problems.append(
            f"{kept} bytes of garbage, {report.garbage_bytes_dropped} dropped, "
            f"{bad} damaged"
        )
    if data is not None and any(
        data[at : at + len(packet)] != packet for at, packet in out.garbage
    ):
        problems.append("the garbage is not what the input has there")
    ranges = [(at, len(packet)) for at, packet in out.garbage]
    listed = [(d.offset, d.length) for d in report.damage]
    if ranges[: len(listed)] != listed:
        problems.append("the garbage has other places than the report")
    return problems
