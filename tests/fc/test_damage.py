"""Damaged FCIO files: no crash, no hang, every byte counted, no whole event lost.

Each case is a stream with one random change. How many: `DAQ2LH5_DAMAGED_FILES`
(default 200), from which seed: `DAQ2LH5_DAMAGE_SEED`. "Format N" means section N of
the FCIO format.
"""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from kit.decoding.fcio import decode
from kit.generators.damage import COLUMNS, N_FILES, SEED, Piece, change
from kit.generators.fcio import P06, SPMS
from kit.places import TESTDATA
from kit.reference import fcio as reference
from kit.writers import fcio as writer

from daq2lh5.errors import DecodeError

SECONDS = 20
"""More than a damaged file of a few megabytes may take."""

EVENT_TAGS = (writer.TAG_EVENT, writer.TAG_SPARSE_EVENT, writer.TAG_EVENT_HEADER)

SOURCES: dict[str, dict[str, Any]] = {
    "one channel": {"n_events": 30, "n_channels": 1, "n_samples": 1836},
    "fsp headers": {
        "n_events": 120,
        "n_channels": 20,
        "n_samples": 50,
        "kind": "header",
        "fsp": True,
        "status_every": 25,
    },
    "mixed": {
        "n_events": 60,
        "n_channels": 5,
        "n_samples": 100,
        "kind": "mixed",
        "deadtime": True,
        "status_every": 10,
    },
    "sparse": {"n_events": 40, "n_channels": 6, "n_samples": 300, "kind": "sparse"},
    "12 bit": {"n_events": 30, "n_channels": 24, "n_samples": 60, "adcbits": 12},
}
REAL = {"spms": SPMS, "p06": P06}


def index_of(data: bytes) -> list[writer.Record]:
    """Find the records of an undamaged stream."""
    index = []
    at = 0
    for tag, frames in reference.read_records(data):
        at = data.index((-tag).to_bytes(4, "little", signed=True), at)
        length = 4 + sum(4 + len(frame) for frame in frames)
        index.append(writer.Record(at, length, tag))
        at += length
    return index


class Sample:
    """An undamaged stream, and the rows that each event of it gives."""

    def __init__(self, name: str) -> None:
        self.name = name
        if name in REAL:
            self.data = (TESTDATA / "fcio" / REAL[name]).read_bytes()
            self.index = index_of(self.data)
        else:
            self.data, self.index = writer.make_indexed_stream(
                **{"streamid": 1} | SOURCES[name]
            )
        tables = reference.read_tables(self.data)
        self.rows = row_signatures(tables)
        # events have numbers of their own; the first Config is packet 0
        number = -1
        self.packet_of: dict[int, int] = {}
        for record in self.index:
            if record.tag in (8, 9, 10):
                continue
            number += 1
            self.packet_of[record.offset] = number
        self.config = next(r for r in self.index if r.tag == writer.TAG_CONFIG)


def row_signatures(tables: dict[str, Any]) -> dict[int, list[bytes]]:
    """Describe each packet's event rows by what their own bytes say."""
    out: dict[int, list[bytes]] = {}
    for name, more in (
        ("FCEvent", ("channel", "waveform/values")),
        ("FCEventHeader", ("tracelist",)),
    ):
        table = tables.get(name, {})
        columns = [table.get(c, []) for c in (*COLUMNS, *more)]
        for packet, *values in zip(table.get("packet_id", []), *columns, strict=True):
            row = name.encode() + b"|".join(np.asarray(v).tobytes() for v in values)
            out.setdefault(int(packet), []).append(row)
    return out


@cache
def sample(name: str) -> Sample:
    return Sample(name)


# --- changes ------------------------------------------------------------------------


def intact(sample: Sample, pieces: list[Piece]) -> Counter[int]:
    """Count how often each event record is in the stream with all of its bytes.

    Events that were copied to before the configuration cannot be decoded.
    """
    found: Counter[int] = Counter()
    joined: list[list[int]] = []
    position = 0
    for piece in pieces:
        if isinstance(piece, bytes):
            joined.append([-1, -1, position])
            position += len(piece)
            continue
        if joined and joined[-1][1] == piece[0]:
            joined[-1][1] = piece[1]
        else:
            joined.append([*piece, position])
        position += piece[1] - piece[0]
    for start, end, position in joined:
        for record in sample.index:
            if (
                record.tag in EVENT_TAGS
                and start <= record.offset
                and record.offset + record.length <= end
                and position + record.offset - start > sample.config.offset
            ):
                found[record.offset] += 1
    return found


def check(sample: Sample, what: str, pieces: list[Piece], path: Any) -> list[str]:
    """Read a damaged stream; list what is not as it must be."""
    data = b"".join(
        piece if isinstance(piece, bytes) else sample.data[slice(*piece)]
        for piece in pieces
    )
    path.write_bytes(data)
    began = time.monotonic()
    try:
        decoded = decode(path)
    except DecodeError:
        # without handshake or without configuration
        head = sample.config.offset + sample.config.length
        return [] if data[:head] != sample.data[:head] else ["refused"]
    problems = []
    if time.monotonic() - began > SECONDS:
        problems.append("too slow")
    report = decoded.report
    if report.n_bytes != len(data):
        problems.append(f"{report.n_bytes} bytes accounted for, not {len(data)}")
    configs = decoded.tables.get("FCConfig", {}).get("packet_id", [])
    config = slice(sample.config.offset, sample.config.offset + sample.config.length)
    if len(configs) != 1 or data[config] != sample.data[config]:
        return problems
    found: Counter[bytes] = Counter()
    for rows in row_signatures(decoded.tables).values():
        found.update(rows)
    wanted: Counter[bytes] = Counter()
    for offset, times in intact(sample, pieces).items():
        for row in sample.rows.get(sample.packet_of[offset], []):
            wanted[row] += times
    missing = wanted - found
    if missing:
        problems.append(f"{missing.total()} of {wanted.total()} rows are missing")
    return problems


def cases(name: str, n: int, seed: int) -> Any:
    """Make the changes of one stream, always the same ones."""
    names = [*SOURCES]
    for number in range(n):
        rng = np.random.default_rng([seed, number, sum(name.encode())])
        other = sample(names[int(rng.integers(len(names)))]).data
        yield number, *change(rng, sample(name).data, other)


@pytest.mark.parametrize("name", [*SOURCES, *REAL])
def test_damaged_files(name, tmp_path):
    """No crash, no hang, bytes add up, and every whole event is there."""
    if name in REAL and not (TESTDATA / "fcio").is_dir():
        pytest.skip("no real files: DAQ2LH5_TESTDATA names no directory with them")
    n = N_FILES // (len(SOURCES) + len(REAL)) + 1
    if name in REAL:
        n = max(n // 2, 1)
    path = tmp_path / "run.fcio"
    wrong = []
    for number, what, pieces in cases(name, n, SEED):
        problems = check(sample(name), what, pieces, path)
        if problems:
            shown = [p if isinstance(p, tuple) else p[:40] for p in pieces]
            wrong.append((number, what, shown, *problems))
    assert wrong == []
