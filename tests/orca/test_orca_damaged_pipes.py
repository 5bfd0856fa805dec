"""Damaged ORCA files in pipes, and compressed (ORCA format)."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from kit.decoding.orca import (
    decode,
    differences,
    joined,
    wanted_tables,
)
from kit.decoding.orca_damage import read
from kit.decoding.orca_rows import rows_by_packet, signatures
from kit.generators.orca import (
    EVENT,
)
from kit.generators.orca_damage import DAMAGES, ID, damaged, make
from kit.pipes import fed
from kit.writers import orca as writer

from daq2lh5.reading.source import Source


def summary(report: Any) -> list[Any]:
    found = [(d.offset, d.length, d.fate) for d in report.damage]
    return [dict(report.bytes), dict(report.packets), found]


@pytest.mark.parametrize("damage", ["none", *DAMAGES])
@pytest.mark.parametrize("name", ["flashcam", "fsp"])
def test_damage_in_a_pipe_or_a_compressed_file(name, damage, tmp_path):
    """The size of the stream is not known before its end: nothing else differs."""
    data, index = make(name)
    if damage != "none":
        data = damaged(data, index[len(index) // 2], damage)
    path = tmp_path / "run.orca"
    tables, report = read(path, data)
    path.write_bytes(gzip.compress(data))
    decoded = decode(path)
    assert differences(joined(decoded.tables, decoded.report.notes), tables) == []
    assert summary(decoded.report) == summary(report)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with fed(pipe, data, 1000):
        decoded = decode(pipe)
    assert differences(joined(decoded.tables, decoded.report.notes), tables) == []
    assert summary(decoded.report) == summary(report)


@pytest.mark.parametrize("n_words", [2**18, 2**24, 2**24 + 1, 2**31, 2**32 - 1])
def test_pipe_with_a_length_that_never_ends(n_words, tmp_path):
    """Format 1.7 f: no memory for what does not come, and all packets are kept."""
    data, index = make("fcio")
    at = index[9].offset
    bogus = writer.extended_packet(ID[EVENT], 0x10001, length=n_words)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    stream = data[:at] + bogus + data[at:]
    tracemalloc.start()
    try:
        with fed(pipe, stream, 1 << 16):
            decoded = decode(pipe)
        # the longest packet that is believed in has 64 MiB
        assert tracemalloc.get_traced_memory()[1] < 80e6
    finally:
        tracemalloc.stop()
    assert decoded.report.n_bytes == len(stream)
    wanted: Counter[Any] = sum(rows_by_packet(data).values(), Counter())
    assert not wanted - signatures(decoded.tables)


def test_pipe_with_a_chain_of_very_long_packets(tmp_path, monkeypatch):
    """Format 1.7 f: a search holds no more of it than the longest packet has."""
    data, index = make("fcio")
    at = index[9].offset
    n_words = 2**24
    false = writer.extended_packet(ID["ORUnheardOfDecoderForLong"], length=n_words)
    chain = b"".join(false + bytes(4 * n_words - len(false)) for _ in range(2))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    stream = data[:at] + b"\xff" * 4 + chain + data[at:]
    sizes = []
    allocate = Source._allocate

    def record(source: Source, size: int) -> None:
        sizes.append(size)
        allocate(source, size)

    monkeypatch.setattr(Source, "_allocate", record)
    with fed(pipe, stream, 1 << 20):
        decoded = decode(pipe)
    assert max(sizes) < 70e6
    assert decoded.report.n_bytes == len(stream)
    wanted: Counter[Any] = sum(rows_by_packet(data).values(), Counter())
    assert not wanted - signatures(decoded.tables)


def test_truncated_compressed_file(tmp_path):
    """Format 1.4: as a truncated last packet, and the report says why."""
    data, index = make("fsp")
    path = tmp_path / "run.orca.gz"
    path.write_bytes(gzip.compress(data)[:-3000])
    decoded = decode(path)
    n = decoded.report.n_bytes
    assert decoded.report.container_error
    assert decoded.report.exit_status == 3
    whole = max(p.offset for p in index if p.offset <= n)
    assert differences(decoded.tables, wanted_tables(data[:whole])) == []
