"""Zeros are no data: what a power cut leaves at the end of a file, or in its middle."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from daq2lh5.reading.holes import Holes
from fuzz import real, samples
from fuzz.conversion import decode
from kit.decoding.fcio import decode as decode_in_blocks
from kit.places import TESTDATA
from kit.writers import compass, fcio, llama, llama_old, orca

import daq2lh5

BLOCK = 4096
LINE = "zeros in place of records"
REAL = "L200-comm-20211130-phy-spms.fcio"


def compass_file(word, n, n_samples=None):
    form = compass.form(word)
    options = {} if n_samples is None else {"n_samples": n_samples}
    events = compass.events(form, channels=[(0, 0), (0, 1), (2, 5)], n=n, **options)
    return compass.file(form, events)


def old_llama_file():
    channels = [llama_old.OldChannel(channel=i, format_bits=i) for i in range(4)]
    return llama_old.make_file(channels, [[2, 1, 3, 2]] * 60, size=80).data


def orca_file(kind, **options):
    return orca.make_indexed_stream(
        **{"kinds": kind, "n_events": 40, "n_channels": 3, "n_samples": 300} | options
    )[0]


COMPASS = {"in_stream_type": "Compass"}
LLAMA = {"in_stream_type": "LlamaDaq"}
FILES = {
    "fcio": lambda: fcio.make_indexed_stream(
        n_events=40, n_channels=3, n_samples=300, streamid=1
    )[0],
    "fcio, sparse": lambda: fcio.make_indexed_stream(
        n_events=40, n_channels=6, n_samples=200, kind="sparse", streamid=1
    )[0],
    "fcio, software trigger": lambda: fcio.make_indexed_stream(
        n_events=60, n_channels=4, n_samples=90, fsp=True, streamid=1, status_every=9
    )[0],
    "orca, flashcam": lambda: orca_file("flashcam"),
    "orca, fcio": lambda: orca_file("fcio"),
    "orca, sis3316": lambda: orca_file("sis3316"),
    "orca, caen": lambda: orca_file("caen"),
    "compass": lambda: compass_file(0xCAED, 200, 100),
    "compass, list": lambda: compass_file(0xCAE5, 1500),
    "compass, no energy": lambda: compass_file(0xCAE0, 1500),
    "llama": lambda: llama.make_file(
        [llama.Channel(sample_length=500), llama.Channel(channel=1)], n_events=60
    )[0],
    "llama, 2019": old_llama_file,
}
SUFFIXES = {"fcio": ".fcio", "orca": ".orca", "compass": ".BIN", "llama": ".bin"}
OPTIONS = {"compass": COMPASS, "llama": LLAMA}


def rows_of(out):
    rows: Counter = Counter()
    for row, n in out.rows.items():
        rows[
            tuple(
                (column, value)
                for column, value in zip(row.columns, row.values, strict=True)
                if not samples.HISTORY.fullmatch(column)
            )
        ] += n
    return rows


def zeroed(data, start, end):
    return data[:start] + bytes(end - start) + data[end:]


def zeroed_ranges(data):
    """Go through tails and holes at multiples of 4096 that change something."""
    for at in range(BLOCK, len(data), BLOCK):
        for n in (1, 2, None):
            end = len(data) if n is None else min(at + n * BLOCK, len(data))
            if data[at:end].strip(b"\0"):
                yield at, end


@pytest.mark.parametrize("name", FILES)
def test_no_tail_and_no_hole_is_silent(name, tmp_path):
    """Status 3 for each; rows before the zeros are there, and few are changed."""
    format_ = name.partition(",")[0]
    data = FILES[name]()
    path = tmp_path / f"run{SUFFIXES[format_]}"
    path.write_bytes(data)
    options = OPTIONS.get(format_, {})
    whole = decode(str(path), **options)
    assert whole.report.clean
    wanted = rows_of(whole)
    n_read = 0
    for start, end in zeroed_ranges(data):
        path.write_bytes(zeroed(data, start, end))
        out = decode(str(path), **options)
        if out.report is None:
            # the header
            assert start < len(data) // 2
            continue
        n_read += 1
        assert out.report.exit_status == 3, (start, end)
        found = rows_of(out)
        # of the packets at their edges no more than the samples may tell
        assert (found - wanted).total() <= 8, (start, end)
        path.write_bytes(data[:start])
        before = decode(str(path), **options)
        if before.report is not None:
            assert not rows_of(before) - found, (start, end)
    assert n_read > 5


@pytest.mark.parametrize("name", FILES)
def test_a_tail_is_cut_off(name, tmp_path):
    """One line tells where, and of how many bytes."""
    format_ = name.partition(",")[0]
    data = FILES[name]()
    path = tmp_path / f"run{SUFFIXES[format_]}"
    start = (len(data) - 3 * BLOCK) // BLOCK * BLOCK
    path.write_bytes(zeroed(data, start, len(data)))
    report = daq2lh5.build_raw(
        str(path), out_spec=str(tmp_path / "out.lh5"), **OPTIONS.get(format_, {})
    )
    assert report.exit_status == 3
    assert report.bytes["cut_off"] + report.bytes["corrupt"] > 2 * BLOCK
    assert report.bytes["unknown"] == 0
    last = report.damage[-1]
    assert last.offset + last.length == len(data)
    if last.reason != LINE:
        # an event of which the zeros leave a part of the head
        assert format_ == "llama"
        return
    assert last.fate == "cut_off"
    line = f"    byte {last.offset}, {last.length} bytes: {LINE}"
    assert line in report.lines()


# --- FCIO ---------------------------------------------------------------------------


def fcio_records(n_events=4, **options):
    return fcio.make_indexed_stream(
        n_events=n_events, n_channels=2, n_samples=40, streamid=1, **options
    )


@pytest.mark.parametrize("where", [1, 2, -1])
@pytest.mark.parametrize("n", [1, 8])
def test_a_few_empty_frames_are_legal(n, where, tmp_path):
    data, index = fcio_records()
    path = tmp_path / "run.fcio"
    path.write_bytes(data)
    wanted = rows_of(decode(str(path)))
    at = index[where].offset + index[where].length
    path.write_bytes(data[:at] + bytes(4 * n) + data[at:])
    out = decode(str(path))
    assert out.report.clean
    assert rows_of(out) == wanted


@pytest.mark.parametrize("where", [0, 1, 2, -1])
@pytest.mark.parametrize("n", [9, 10, 5000])
@pytest.mark.parametrize("extra", [0, 1, 3])
def test_more_are_zeros(n, extra, where, tmp_path):
    """No record is lost, not even a status, which ends in zeros."""
    for options in ({}, {"status_every": 2, "n_events": 6}):
        data, index = fcio_records(**options)
        path = tmp_path / "run.fcio"
        path.write_bytes(data)
        wanted = rows_of(decode(str(path)))
        at = index[where].offset + index[where].length
        zeros = bytes(4 * n + extra)
        path.write_bytes(data[:at] + zeros + data[at:])
        out = decode(str(path))
        fate = "cut_off" if where == -1 else "corrupt"
        assert out.report.bytes[fate] == len(zeros)
        assert [(d.offset, d.reason) for d in out.report.damage] == [(at, LINE)]
        assert rows_of(out) == wanted
        in_parts = decode_in_blocks(path, block_size=70)
        assert in_parts.report.damage == out.report.damage


def test_a_record_that_runs_into_zeros_is_rejected(tmp_path):
    """Its traces end in zeros that are none of its own."""
    data, index = fcio_records(n_events=30)
    path = tmp_path / "run.fcio"
    event = index[10]
    start = event.offset + event.length // 2
    for end in (index[20].offset + 60, len(data)):
        path.write_bytes(zeroed(data, start, end))
        out = decode(str(path))
        assert [(d.offset, d.reason) for d in out.report.damage] == [
            (event.offset, LINE)
        ]
        path.write_bytes(data)
        assert not rows_of(out) - rows_of(decode(str(path)))


def test_frames_of_the_stream_processor_may_be_empty(tmp_path):
    """Five in a row, in each record (FCIO format, 2.2)."""
    data, _ = fcio_records(n_events=20, fsp=True, kind="header")
    path = tmp_path / "run.fcio"
    path.write_bytes(data)
    assert decode(str(path)).report.clean


# --- blocks inside of packets -------------------------------------------------------


def found_in(data, size=1000, told=()):
    holes = Holes()
    for at in range(0, len(data), size):
        holes.look(data, at, min(size, len(data) - at), at)
    for damaged in told:
        holes.tell(*damaged)
    holes.finish()
    return holes.n, holes.n_bytes, holes.first


NOISE = np.random.default_rng(3).integers(1, 256, 10 * BLOCK, np.uint8).tobytes()


@pytest.mark.parametrize("size", [1, 7, 1000, BLOCK, 5 * BLOCK, 20 * BLOCK])
def test_blocks_of_zeros_are_found(size):
    """Where they begin and end as blocks do, in parts of any size."""
    if size == 1:
        data = NOISE[: 3 * BLOCK]
        assert found_in(zeroed(data, BLOCK, 2 * BLOCK), 1) == (
            *(1, BLOCK),
            (BLOCK, 2 * BLOCK),
        )
        return
    one = zeroed(NOISE, 2 * BLOCK, 4 * BLOCK)
    assert found_in(NOISE, size) == (0, 0, None)
    assert found_in(one, size) == (1, 2 * BLOCK, (2 * BLOCK, 4 * BLOCK))
    # data that are zero by chance beside them
    beside = zeroed(one, 2 * BLOCK - 2, 4 * BLOCK + 2)
    assert found_in(beside, size) == found_in(one, size)
    assert found_in(zeroed(one, 2 * BLOCK - 3, 4 * BLOCK), size)[0] == 0
    assert found_in(zeroed(one, 2 * BLOCK, 4 * BLOCK + 3), size)[0] == 0
    two = zeroed(one, 9 * BLOCK, len(one))
    assert found_in(two, size) == (2, 3 * BLOCK, (2 * BLOCK, 4 * BLOCK))
    # damage that is told already
    assert found_in(two, size, [(9 * BLOCK - 7, 10 * BLOCK)]) == found_in(one, size)
    assert found_in(two, size, [(0, 10 * BLOCK)]) == (0, 0, None)


def test_bytes_that_are_not_searched():
    """A block of zeros ends where such bytes begin."""
    holes = Holes()
    data = zeroed(NOISE[: 3 * BLOCK], 2 * BLOCK, 3 * BLOCK)
    holes.look(data, 0, 3 * BLOCK, 0)
    holes.skip()
    holes.look(bytes(BLOCK), 0, BLOCK, 7 * BLOCK + 1)
    holes.finish()
    assert (holes.n, holes.n_bytes, holes.first) == (
        *(1, BLOCK),
        (2 * BLOCK, 3 * BLOCK),
    )


def test_many_blocks_take_no_memory():
    data = (bytes(BLOCK) + b"\1" * BLOCK) * 400
    assert found_in(b"\1" * BLOCK + data) == (400, 400 * BLOCK, (BLOCK, 2 * BLOCK))


@pytest.mark.parametrize("shift", [0, 100])
def test_a_block_inside_of_a_trace(shift, tmp_path):
    """The row is there, irregular; zeros that are no block are samples like others."""
    data, index = fcio.make_indexed_stream(
        n_events=3, n_channels=1, n_samples=20_000, streamid=1
    )
    start = (index[2].offset // BLOCK + 3) * BLOCK + shift
    path = tmp_path / "run.fcio"
    path.write_bytes(zeroed(data, start, start + BLOCK))
    report = daq2lh5.build_raw(str(path), out_spec=str(tmp_path / "out.lh5"))
    assert report.tables[str(tmp_path / "out.lh5")]["FCEvent"].rows == 3
    if shift:
        assert report.clean
        return
    assert report.exit_status == 3
    assert sum(report.irregular.values()) == 1
    assert any(f"{BLOCK} bytes from byte {start} on" in n for n in report.notes)
    assert "never written" in json.dumps(report.as_dict())


# --- real files ---------------------------------------------------------------------


@pytest.mark.skipif(REAL not in real.names(), reason="DAQ2LH5_TESTDATA lacks the file")
class TestRealFile:
    def test_last_tenth(self, tmp_path):
        """Events before the zeros are there, the others are told to be cut off."""
        data = (TESTDATA / "fcio" / REAL).read_bytes()
        start = len(data) * 9 // 10 // BLOCK * BLOCK
        path = tmp_path / "run.fcio"
        path.write_bytes(zeroed(data, start, len(data)))
        report = daq2lh5.build_raw(str(path), out_spec=str(tmp_path / "out.lh5"))
        assert report.exit_status == 3
        assert report.bytes["cut_off"] >= len(data) - start
        assert report.bytes["corrupt"] == report.bytes["unknown"] == 0
        assert [d.reason for d in report.damage] == [LINE]
        first = report.damage[0].offset
        # the event in which the zeros begin is no row
        n_events = sum(
            r.end <= first for r in real.sample(REAL).records if r.kind == "6"
        )
        assert report.tables[str(tmp_path / "out.lh5")]["FCEvent"].rows == 6 * n_events
        assert first <= start < first + 80_000

    def test_any_tail_and_hole(self, tmp_path):
        data = (TESTDATA / "fcio" / REAL).read_bytes()
        path = tmp_path / "run.fcio"
        last = len(data) // BLOCK
        for block in (*range(1, last, 61), *range(last - 6, last + 1)):
            for end in (len(data), min((block + 1) * BLOCK, len(data))):
                path.write_bytes(zeroed(data, block * BLOCK, end))
                assert decode(str(path)).report.exit_status == 3, (block, end)
