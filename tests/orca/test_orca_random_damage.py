"""ORCA files with one random change: every byte counted, no packet lost (ORCA format).

How many: `DAQ2LH5_DAMAGED_FILES` (default 200), from which seed: `DAQ2LH5_DAMAGE_SEED`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from kit.decoding.orca_damage import read
from kit.decoding.orca_rows import (
    CONFIGURABLE,
    kind_of,
    origins,
    signatures,
)
from kit.generators.damage import N_FILES, SEED, change
from kit.generators.orca import (
    CONFIG,
    FILE_A,
    FILE_B,
    LISTENER,
    NEW_WAVEFORM,
    OLD_WAVEFORM,
    real_files,
)
from kit.generators.orca_damage import SOURCES, Sample, sample, struck_at
from kit.places import TESTDATA
from kit.reference import orca as reference

from daq2lh5.errors import DecodeError


def is_intact(data: bytes, packet: reference.Packet, of: Sample) -> bool:
    """Whether a packet is an undamaged one of a sample.

    Not if another one begins in its last bytes: they may as well be missing anywhere
    in it, and the samples behind be those before them.
    """
    end = packet.offset + 4 * packet.length
    return packet.data in of.packets and not any(
        data.startswith(other, end - n) for n in (1, 2, 3) for other in of.packets
    )


def start_of_another_file(data: bytes, of: Sample) -> int:
    """Tell where a whole configuration of another file is spliced in.

    From there on the rest is read as it says, as after a restart (format 7.17).
    """
    others = {
        content
        for name in SOURCES
        for kind, content in sample(name).events_and_configurations
        if kind in (CONFIG, LISTENER) and content not in of.packets
    }
    found = (data.find(content) for content in others)
    return min((at for at in found if at >= 0), default=len(data))


def check(of: Sample, pieces: list[Any], path: Any) -> list[str]:
    """Read a damaged file; list what is not as it must be."""
    data = b"".join(
        piece if isinstance(piece, bytes) else of.data[slice(*piece)]
        for piece in pieces
    )
    is_headed = data[: of.head] == of.data[: of.head]
    try:
        tables, _ = read(path, data)
    except DecodeError as error:
        return [f"refused: {error}"] if is_headed else []
    except AssertionError as error:
        return [str(error)[:300]]
    if not is_headed:
        return []
    try:
        rows = origins(data, of)
        intact = [o for o in rows if is_intact(data, o.packet, of)]
    except (KeyError, TypeError, AttributeError):
        # a damaged header in mid-file, which the reference cannot read
        return []
    found = signatures(tables)
    sure = intact
    configurations = Counter(
        o.signature(raw=False) for o in rows if o.decoder in (CONFIG, LISTENER)
    )
    kinds = {kind_of(decoder).encode() for decoder in (CONFIG, LISTENER)}
    if configurations != {row: n for row, n in found.items() if row[0] in kinds}:
        # One of the readers believes in a damaged configuration, and the other does
        # not. What depends on it is not in the packet's own bytes, and cannot be right.
        end = start_of_another_file(data, of)
        sure = [
            o
            for o in intact
            if o.decoder not in CONFIGURABLE
            or (o.is_configured and o.packet.offset < end)
        ]
    wanted = Counter(o.signature(raw=False) for o in sure)
    missing = wanted - found
    if len(sure) < len(intact):
        # The rest of a trace is: also of one that has no configuration.
        waveforms = (OLD_WAVEFORM, NEW_WAVEFORM)
        raw = [o for o in intact if o.decoder in waveforms and o.packet.offset < end]
        missing += Counter(o.signature(raw=True) for o in raw) - (
            signatures(tables, raw=True)
        )
    if missing:
        kinds = {row[0].decode() for row in missing}
        return [f"{missing.total()} of {len(intact)} rows are missing: {kinds}"]
    return []


def cases(name: str, n: int, seed: int) -> Any:
    """Make the changes of one file, always the same ones; few are in the header."""
    of = sample(name)
    for number in range(n):
        rng = np.random.default_rng([seed, number, sum(name.encode())])
        other = sample([*SOURCES][int(rng.integers(len(SOURCES)))])
        if number % 8 == 7:
            yield number, *change(rng, of.data, other.data)
            continue
        what, pieces = change(rng, of.data[of.head :], other.data[other.head :])
        moved = [
            p if isinstance(p, bytes) else (p[0] + of.head, p[1] + of.head)
            for p in pieces
        ]
        yield number, what, [(0, of.head), *moved]


@pytest.mark.parametrize("name", SOURCES)
def test_random_damage(name, file):
    """No crash, no hang, bytes add up, and what the reference finds whole is there."""
    wrong = []
    for number, what, pieces in cases(name, N_FILES // len(SOURCES) + 1, SEED):
        problems = check(sample(name), pieces, file)
        if problems:
            shown = [p if isinstance(p, tuple) else p[:40] for p in pieces]
            wrong.append((number, what, shown, *problems))
    assert wrong == []


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
def test_random_damage_of_real_files(name, file):
    """One bad first word costs one packet (format 1.7)."""
    data = (TESTDATA / "orca" / name).read_bytes()
    packets = reference.read_packets(data).packets
    wanted = {p.offset: c for p, c in zip(packets, packets, strict=True)}
    rng = np.random.default_rng(SEED)
    for which in (-4, -3, -2, *rng.integers(5, len(packets), 5)):
        packet = packets[which]
        bad = struck_at(data, packet.offset, int(rng.integers(2**32)) & 0x7FFFFFFF)
        tables, report = read(file, bad)
        assert report.bytes["corrupt"] == 4 * packet.length, which
        assert len(wanted) == len(packets)
        assert report.packets["decoded"] == len(packets) - 1
    assert tables
