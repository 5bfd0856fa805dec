"""Damaged llamaDAQ files of 2019: every byte counted, no sound event lost or misplaced.

"Format N" means section N of the llamaDAQ format.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.checks import assert_rows
from kit.decoding.llama import decode, rows_of
from kit.files import write
from kit.writers import llama_old as writer
from kit.writers.llama_old import OldChannel, OldFile

from daq2lh5.llama.llama_streamer import LLAMAStreamer

if TYPE_CHECKING:
    from pathlib import Path


@st.composite
def channels_of_file(draw: Any) -> list[OldChannel]:
    """Draw channels of one or two FADCs; first words may be equal."""
    keys = draw(st.lists(st.integers(0, 31), min_size=1, max_size=6, unique=True))
    kinds = draw(st.integers(1, 3))
    return [
        OldChannel(
            fadc=9 * (key >> 4),
            channel=key & 15,
            is_open=draw(st.integers(0, 1)),
            is_14_bit=draw(st.integers(0, 1)),
            sample_freq=draw(st.sampled_from([250.0, 125.0, 62.5])),
            format_bits=draw(st.sampled_from([3, 15, 0, 1, 6][:kinds])),
            sample_length=draw(st.sampled_from([8, 2, 30][:kinds])),
            maw_buffer_length=draw(st.sampled_from([0, 0, 3][:kinds])),
        )
        for key in keys
    ]


@st.composite
def files(draw: Any, min_banks: int = 0) -> OldFile:
    channels = draw(channels_of_file())
    # with several FADCs, and banks of different lengths
    counts = st.lists(
        st.integers(0, 4), min_size=len(channels), max_size=len(channels)
    ).filter(any)
    banks = draw(st.lists(counts, min_size=min_banks, max_size=5))
    return writer.make_file(
        channels,
        banks,
        size=draw(st.sampled_from([68, 80])),
        seed=draw(st.integers(0, 99)),
        sets_id=draw(st.booleans()),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("old")


def signature(row: dict[str, Any]) -> bytes:
    """Describe a row by its channel and the contents of its event."""
    names = sorted(set(row) - {"packet_id"})
    return b"|".join(np.asarray(row[n], float).tobytes() for n in names)


def ticks_of(file: OldFile, row: dict[str, Any]) -> int:
    (frequency,) = (
        c.sample_freq for c in file.channels if c.key == row["fadc_channel_id"]
    )
    return round(float(row["time_since_run_start"]) * frequency * 1e6)


def ends(file: OldFile) -> list[int]:
    """Return the ends that go unnoticed: chunks of 80-byte files are open-ended."""
    if file.data[10:12] == bytes(2):
        return file.chunk_ends + [p.end for p in file.places]
    return file.chunk_ends


def read(folder: Path, data: bytes, **kwargs: Any) -> Any:
    decoded = decode(write(folder, data), in_stream_type="LlamaDaq", **kwargs)
    assert decoded.report.n_bytes == len(data), decoded.report.bytes
    assert decoded.report.bytes["skipped"] == decoded.report.bytes["unknown"] == 0
    return decoded


@given(file=files(), buffer_size=st.sampled_from([1, 3, 8192]))
@settings(max_examples=100, deadline=None)
def test_round_trip(folder, file, buffer_size):
    """Files with random channels and numbers of events are read completely."""
    decoded = read(folder, file.data, buffer_size=buffer_size)
    assert_rows(rows_of(decoded), file.rows)
    assert decoded.report.clean, decoded.report.lines()
    assert decoded.report.bytes["decoded"] == len(file.data)


@given(file=files(min_banks=1), data=st.data())
@settings(max_examples=100, deadline=None)
def test_cuts(folder, file, data):
    """Events in front of a cut are complete; the rest is reported as cut off."""
    cut = data.draw(st.integers(file.head, len(file.data)))
    decoded = read(folder, file.data[:cut])
    whole = [r for p, r in zip(file.places, file.rows, strict=True) if p.end <= cut]
    assert_rows(rows_of(decoded), whole)
    report = decoded.report
    assert report.bytes["corrupt"] == 0
    assert (report.exit_status == 0) == (cut in ends(file)), report.lines()
    assert not report.irregular


def test_every_cut_of_a_small_file(tmp_path):
    """The same for a cut at each byte, in both layouts."""
    channels = [OldChannel(channel=c) for c in (0, 4, 1)]
    for size in (68, 80):
        file = writer.make_file(channels, [[2, 1, 0], [1, 3, 1]], size=size)
        for cut in range(file.head, len(file.data)):
            decoded = read(tmp_path, file.data[:cut])
            whole = sum(p.end <= cut for p in file.places)
            assert_rows(rows_of(decoded), file.rows[:whole])
            status = 0 if cut in ends(file) else 3
            assert decoded.report.exit_status == status, cut


@given(
    file=files(min_banks=1),
    data=st.data(),
    fill=st.sampled_from(["zeros", "ones", "random"]),
)
@settings(max_examples=100, deadline=None)
def test_overwritten_ranges(folder, file, data, fill):
    """Sound events keep their channels and all their values; nothing is invented."""
    n = len(file.data)
    start = data.draw(st.integers(file.head, n - 1))
    length = data.draw(st.integers(1, n - start))
    stop = start + length
    junk = {"zeros": bytes(length), "ones": b"\xff" * length}.get(fill)
    if junk is None:
        junk = np.random.default_rng(start).bytes(length)
    damaged = file.data[:start] + junk + file.data[stop:]
    decoded = read(folder, damaged)
    found = [signature(r) for r in rows_of(decoded)]
    before = [
        signature(r)
        for p, r in zip(file.places, file.rows, strict=True)
        if p.end <= start
    ]
    assert found[: len(before)] == before
    behind = {
        signature(r)
        for p, r in zip(file.places, file.rows, strict=True)
        if p.offset >= stop
    }
    ids = {c.channel & 3 for c in file.channels}
    if len(ids) == len(file.channels):
        # all channels differ in their two bits
        assert behind <= set(found), decoded.report.lines()
    # its channel may be doubtful, its presence is certain
    ticks = {ticks_of(file, r) for r in file.rows}
    events = [r for r in rows_of(decoded) if ticks_of(file, r) in ticks]
    assert len(events) >= len(before) + len(behind)


@given(file=files(min_banks=2), data=st.data())
@settings(max_examples=100, deadline=None)
def test_missing_and_inserted_ranges(folder, file, data):
    """Bytes add up, events in front are complete, and damage is reported."""
    n = len(file.data)
    start = data.draw(st.integers(file.head, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    kind = data.draw(st.sampled_from(["deleted", "repeated", "inserted"]))
    parts = {
        "deleted": (file.data[:start], file.data[stop:]),
        "repeated": (file.data[:stop], file.data[start:]),
        "inserted": (file.data[:start], bytes(range(1, 200)), file.data[start:]),
    }
    decoded = read(folder, b"".join(parts[kind]))
    before = [r for p, r in zip(file.places, file.rows, strict=True) if p.end <= start]
    assert_rows(rows_of(decoded)[: len(before)], before)


def test_zeros_at_the_end(tmp_path):
    """Zeros look like chunks without events: they are damage (format 8.3)."""
    channels = [OldChannel(channel=c, sample_length=100) for c in range(3)]
    file = writer.make_file(channels, [[2, 2, 2]] * 30)
    n = len(file.data)
    for at in (n * 9 // 10, file.chunk_ends[-9], *range(n // 2, n - 400, 997)):
        decoded = read(tmp_path, file.data[:at] + bytes(n - at))
        report = decoded.report
        assert report.exit_status == 3, at
        sure = sum(p.end <= at for p in file.places)
        rows = rows_of(decoded)
        assert_rows(rows[:sure], file.rows[:sure])
        # zeros may replace samples of one event unnoticed
        assert len(rows) <= sure + 1


def test_hole_of_zeros(tmp_path):
    """A page of zeros in the middle: channels with the same id stay apart.

    Format 8.4.
    """
    channels = [OldChannel(channel=c, sample_length=100) for c in range(5)]
    for size, counts in ((68, [2] * 5), (80, [1] * 5)):
        file = writer.make_file(channels, [counts] * 60, size=size)
        rng = np.random.default_rng(3)
        for _ in range(60):
            at = int(rng.integers(file.head, len(file.data) - 9000))
            at -= int(rng.integers(2)) * (at % 4)
            hole = int(rng.choice([8, 16, 100, 512, 4096]))
            decoded = read(
                tmp_path, file.data[:at] + bytes(hole) + file.data[at + hole :]
            )
            sound = {
                signature(r)
                for p, r in zip(file.places, file.rows, strict=True)
                if p.end <= at or p.offset >= at + hole
            }
            found = [signature(r) for r in rows_of(decoded)]
            assert sound <= set(found), (size, at, hole)
            assert len(found) <= len(sound) + 1


def test_damage_inside_a_chunk(tmp_path):
    """The other events of the chunk stay, also if only the turn gives their channel."""
    channels = [OldChannel(channel=c) for c in (0, 4)]
    file = writer.make_file(channels, [[4, 4]] * 3)
    for i, place in enumerate(file.places):
        at = place.offset + 44
        damaged = file.data[:at] + b"\x11" * 4 + file.data[at + 4 :]
        decoded = read(tmp_path, damaged)
        (damage,) = decoded.report.damage
        assert damage.offset == place.start
        found = [signature(r) for r in rows_of(decoded)]
        wanted = [signature(r) for r in file.rows[:i] + file.rows[i + 1 :]]
        assert found == wanted, i


def test_wrong_counts(tmp_path):
    """Chunks with a wrong number of events lose none."""
    channels = [OldChannel(channel=c) for c in (0, 1)]
    file = writer.make_file(channels, [[3, 3]] * 3)
    for at in file.chunk_ends[:-1]:
        for count in (1, 2, 4, 2**32 - 1):
            damaged = file.data[: at + 4] + struct.pack("<I", count)
            damaged += file.data[at + 8 :]
            decoded = read(tmp_path, damaged)
            found = [signature(r) for r in rows_of(decoded)]
            assert found == [signature(r) for r in file.rows], (at, count)
            assert decoded.report.exit_status == 3


def test_unknown_fadc(tmp_path):
    """Format 8.8: lost synchronization is recovered."""
    channels = [OldChannel(channel=c) for c in (0, 1)]
    file = writer.make_file(channels, [[2, 2]] * 4)
    at = file.chunk_ends[3]
    damaged = file.data[:at] + struct.pack("<I", 77) + file.data[at + 4 :]
    decoded = read(tmp_path, damaged)
    (damage,) = decoded.report.damage
    assert damage.offset == at
    assert "no chunk" in damage.reason
    assert [signature(r) for r in rows_of(decoded)] == [signature(r) for r in file.rows]


@given(st.binary(max_size=3000), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_anything_behind_a_header(folder, junk, seed):
    """No crash, and the bytes add up."""
    channels = [OldChannel(channel=c, format_bits=0) for c in range(seed)]
    if seed:
        read(folder, writer.header(channels, size=80 if seed % 2 else 68) + junk)


@given(file=files(min_banks=1), data=st.data(), block=st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_small_windows(folder, file, data, block):
    """The size of the window makes no difference, with or without damage."""
    n = len(file.data)
    start = data.draw(st.integers(file.head, n - 1))
    length = data.draw(st.integers(0, n - start))
    damaged = bytearray(file.data)
    damaged[start : start + length] = bytes(length)
    if data.draw(st.booleans()):
        damaged += file.data
    at_once = read(folder, bytes(damaged))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LLAMAStreamer, "block_size", block)
        in_pieces = read(folder, bytes(damaged))
    assert_rows(rows_of(in_pieces), rows_of(at_once))
    reports = [d.report.as_dict() for d in (at_once, in_pieces)]
    for report in reports:
        del report["seconds"], report["peak_memory"]
    assert reports[0] == reports[1]
