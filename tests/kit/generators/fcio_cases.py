"""Cases of bad input (FCIO format, 9): streams of a few records, and what is lost."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from kit.decoding.fcio import Decoded, decode
from kit.writers import fcio as writer

NO_FRAMES = "record lacks frames"
PAST_END = "record runs past the end of the data"
BAD_HEADER = "impossible frame header"
TOO_LONG = "frame longer than its field can be"
SHORT_TRACE = "trace lacks samples"
BAD_INDEX = "trace index outside the configuration"
BAD_COUNT = "impossible count"
BAD_CONFIG = "configuration outside the limits of the format"
NO_CONFIG = "record before the first configuration"
BAD_PROTOCOL = "handshake of another protocol"
STRAY = "too few bytes for a header"

SURPLUS = "frame longer than its field, surplus ignored"
COUNTS = "counts of traces contradict each other, the smaller one used"
CLAMPED = "dead region outside the stream's traces, clamped"
DROPPED = "too many pending dead intervals, oldest dropped"
LONE_FSP = "FSP record before an FSPConfig, or without the record that it describes"
SHORT_BLOCK = "status block shorter than its layout, filled with zeros"

HANDSHAKE_BYTES = 68
CONFIG_FRAMES = 12
TRACEMAP = (0x1100000, 0x1100001)


# --- records of the smallest useful stream ------------------------------------------


def config(**fields: Any) -> bytes:
    """Two traces of two samples each unless told otherwise."""
    return writer.config(
        **({"adcs": 2, "eventsamples": 2, "tracemap": TRACEMAP} | fields)
    )


def config_start(**fields: int) -> bytes:
    """A Config that ends behind the last of its first frames that is given."""
    return config(**fields, drop_frames=CONFIG_FRAMES - len(fields))


def when(number: int) -> tuple[int, ...]:
    """Timestamp of an event: its number, and 4 microseconds more than the last."""
    return (number, 0, 1000 * number, 249_999_999, 0)


def samples(number: int, trace: int = 0, n: int = 2) -> list[int]:
    """Two FPGA words and samples that tell event and trace."""
    base = (1000 * number + 10 * trace) % 50_000
    return [base, base + 1, *(base + 2 + i for i in range(n))]


def full(number: int, traces: int = 2, n: int = 2, **fields: Any) -> bytes:
    every = [samples(number, trace, n) for trace in range(traces)]
    return writer.event(every, **({"timestamp": when(number)} | fields))


def sparse(number: int, listed: Any = (0, 1), **fields: Any) -> bytes:
    traces = fields.pop("traces", [samples(number, trace) for trace in listed])
    return writer.sparse_event(listed, traces, **({"timestamp": when(number)} | fields))


def header(number: int, listed: Any = (0, 1), **fields: Any) -> bytes:
    words = fields.pop("words", [samples(number, trace, 0) for trace in listed])
    return writer.event_header(listed, words, **({"timestamp": when(number)} | fields))


def start_of_event(number: int) -> bytes:
    """The tag and the four frames in front of the traces."""
    return writer.event(None, timestamp=when(number), deadregion=None)


def length(n: int) -> bytes:
    return struct.pack("<i", n)


# --- cases --------------------------------------------------------------------------


@dataclass
class Lost:
    """Parts of a stream that the report must call damaged, as one range."""

    first: int
    reason: str
    fate: str = "corrupt"
    n_parts: int = 1


@dataclass
class Case:
    """A stream, and what must come of it.

    Parameters
    ----------
    name
        what it proves.
    parts
        what follows the handshake, cut where damage begins or ends.
    kept
        packet number and event number of each event record that gives rows.
    columns
        values of whole columns, by ``table/column``.
    notes
        pieces of text, each of them in a note of the report.
    """

    name: str
    parts: list[bytes]
    kept: list[tuple[int, int]] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    irregular: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def events_of(decoded: Decoded) -> list[tuple[int, int]]:
    """Packet and event number of every event record that gave rows, in order."""
    found = {
        (int(packet), int(number))
        for name, table in decoded.tables.items()
        if name.startswith(("FCEvent", "FCEventHeader"))
        for packet, number in zip(
            table.get("packet_id", []), table.get("eventnumber", []), strict=True
        )
    }
    return sorted(found)


def column(decoded: Decoded, name: str) -> list[Any]:
    """All rows of a column as plain numbers or lists."""
    table, _, path = name.partition("/")
    return [np.asarray(v).tolist() for v in decoded.tables.get(table, {}).get(path, [])]


def check(case: Case, path: Any, **options: Any) -> None:
    """Read a case's stream and compare all that it states."""
    data, _ = writer.assemble(case.parts)
    path.write_bytes(data)
    decoded = decode(path, **options)
    report = decoded.report
    assert events_of(decoded) == case.kept

    starts = [HANDSHAKE_BYTES]
    for part in case.parts:
        starts.append(starts[-1] + len(part))
    wanted = [
        (starts[x.first], starts[x.first + x.n_parts] - starts[x.first], x)
        for x in case.lost
    ]
    assert [(d.offset, d.length, d.reason, d.fate) for d in report.damage] == [
        (offset, n, lost.reason, lost.fate) for offset, n, lost in wanted
    ]
    assert report.n_damage == len(wanted)
    for fate in ("corrupt", "cut_off"):
        total = sum(n for _, n, lost in wanted if lost.fate == fate)
        assert report.bytes[fate] == total, fate
    assert report.n_bytes == len(data)
    assert report.irregular == case.irregular
    assert report.unknown_records == case.unknown
    assert report.clean == (not case.lost and not case.irregular)
    assert report.exit_status == (3 if case.lost or case.irregular else 0)
    for name, values in case.columns.items():
        # (NaN is not equal to itself)
        found = column(decoded, name)
        assert found == values or str(found) == str(values), name
    for text in case.notes:
        assert any(text in note for note in report.notes), (text, report.notes)


def parametrized(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)
