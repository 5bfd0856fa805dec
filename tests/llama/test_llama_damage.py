"""Bad llamaDAQ files: no crash, clear words, every byte counted, no whole event lost.

"Format N" means section N of the llamaDAQ format. How many files are
damaged at random: `DAQ2LH5_DAMAGED_FILES` (default 200), from which seed:
`DAQ2LH5_DAMAGE_SEED`.
"""

from __future__ import annotations

import gzip
import struct
import time
from collections import Counter
from typing import Any

import h5py
import numpy as np
import pytest
from daq2lh5.llama._kernel import REASONS
from kit.decoding.llama import assert_rows, decode
from kit.generators.damage import N_FILES, SEED
from kit.generators.llama import VARIED
from kit.reference import llama as reference
from kit.writers import llama as writer
from kit.writers.llama import Channel, Event

import daq2lh5
from daq2lh5.errors import DecodeError

MAX_HEAD_BYTES = 72
"""Bytes in front of the samples of an event, at most (format 2)."""

SECONDS = 20
"""More than a small damaged file may take."""


def write(tmp_path: Any, data: bytes) -> Any:
    path = tmp_path / "run.bin"
    path.write_bytes(data)
    return path


def events_of(data: bytes, n: int, channel: Channel) -> list[bytes]:
    """Split the first events of a file of one channel."""
    at = len(writer.header([channel]))
    size = 4 * channel.words
    return [data[at + i * size : at + (i + 1) * size] for i in range(n)]


# --- headers (format 7) ------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a llamaDAQ file"),
        (b"LArI", "header is cut off"),
        (writer.header([Channel()])[:15], "header is cut off: 15 of 16"),
        (writer.header([Channel()])[:103], "103 bytes, 1 channels need 104"),
        (b"LArX" + bytes(200), "not a llamaDAQ file"),
        (
            writer.header([Channel()], version=(3, 1, 4), length=92),
            r"92 bytes, not 88 \(version 3.1.4\)",
        ),
        (writer.header([Channel()], number=2**32 - 1), "4294967295 channels"),
        (writer.header([Channel()], number=3), "3 channels need 280"),
        (writer.header([]) + b"x", "the header has no channels, but data follow"),
        (
            writer.header([Channel(fadc=3, channel=2)] * 2),
            "FADC 3, channel 2: duplicate of another",
        ),
        (writer.header([Channel(fadc=256)]), "FADC 256.*key is 4096"),
        (writer.header([Channel(fadc=2**32 - 1)]), "12 bits"),
    ],
)
def test_bad_headers(tmp_path, data, words):
    """An error with problem and place; no output."""
    path = write(tmp_path, data)
    with pytest.raises(DecodeError, match=words) as caught:
        daq2lh5.build_raw(path, in_stream_type="LlamaDaq")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "run.lh5").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"event_length": 0}, "event_length 0"),
        ({"event_length": 2**32 - 1}, "event_length 4294967295"),
        ({"event_header_length": 12}, "event_header_length 12"),
        ({"sample_length": 7}, "sample_length is 7, expected an even"),
        ({"avg_sample_length": 131072}, "avg_sample_length is 131072"),
        ({"sample_length": 2**27}, "sample_length is 134217728"),
        ({"sample_freq": 0.0}, "sample_freq is 0.0"),
        ({"sample_freq": float("nan")}, "sample_freq is nan"),
        ({"sample_freq": -250.0}, "sample_freq is -250"),
        ({"sample_freq": 1e-310}, "sample_freq is 1e-310"),
        ({"sample_freq": 1e300}, "sample_freq is 1e.300"),
        ({"avg_mode": 31}, "avg_mode is 31"),
        ({"avg_mode": 0, "event_length": 22, "event_header_length": 13}, "lengths"),
    ],
)
def test_bad_configurations(tmp_path, changes, words):
    """Format 1.2: the channel and the numbers are named; nothing is decoded."""
    channel = Channel(fadc=1, channel=2, **changes)
    path = write(tmp_path, writer.header([Channel(), channel]) + bytes(1000))
    with pytest.raises(DecodeError, match=f"FADC 1, channel 2: .*{words}") as caught:
        daq2lh5.build_raw(path)
    assert "at byte 104" in str(caught.value)


def test_closed_channel_is_decoded_with_a_warning(tmp_path, caplog):
    data, _ = writer.make_file([Channel(flags=5)])
    decoded = decode(write(tmp_path, data))
    assert_rows(decoded.rows, reference.read_rows(data))
    assert "channel 0 is not marked as open" in caplog.text
    assert "channels that are not marked as open: 0" in decoded.report.notes
    assert decoded.report.clean


def test_header_only(tmp_path):
    """Format 7: no events: a header and no tables."""
    path = write(tmp_path, writer.header(VARIED))
    report = daq2lh5.build_raw(path)
    assert report.clean
    assert report.bytes["decoded"] == report.n_bytes == 16 + 88 * len(VARIED)
    with h5py.File(tmp_path / "run.lh5") as f:
        assert set(f) == {"LLAMAHeader"}


# --- events (format 7) -------------------------------------------------------------


def damaged_in_the_middle(tmp_path, change, channel=None) -> Any:
    """Read three events, the second one changed; its key stays."""
    channel = channel or Channel()
    data, _ = writer.make_file([channel], n_events=3)
    events = events_of(data, 3, channel)
    events[1] = change(bytearray(events[1]))
    data = writer.header([channel]) + b"".join(events)
    decoded = decode(write(tmp_path, data))
    assert decoded.report.n_bytes == len(data)
    return decoded


@pytest.mark.parametrize(
    ("word", "value", "reason"),
    [
        (0, 0x0775, "channel without a configuration (channel 119)"),
        (11, 0x70000004, "no status word"),
        (12, 0x70000003, "no average word"),
        (11, 0xA0000005, "do not add up"),
        (11, 0xE0000004, "do not add up"),
        (12, 0xE0000002, "do not add up"),
        (11, 0xA0000000, "do not add up"),
    ],
)
def test_lost_sync(tmp_path, word, value, reason):
    """The event is passed over and kept as garbage; the next one is found."""

    def change(event: bytearray) -> bytes:
        event[4 * word : 4 * word + 4] = struct.pack("<I", value)
        return bytes(event)

    decoded = damaged_in_the_middle(tmp_path, change)
    size = 4 * Channel().words
    (damage,) = decoded.report.damage
    assert reason in damage.reason
    assert (damage.offset, damage.length) == (104 + size, size)
    assert damage.fate == "corrupt"
    assert [int(r["time_since_run_start"] / 12) for r in decoded.rows[0]] == [1, 3]
    assert len(decoded.streamer.garbage) == 1
    assert decoded.report.exit_status == 3


def test_other_lengths_that_add_up(tmp_path):
    """Format 7: samples that do not fit the table are not written into it."""

    def change(event: bytearray) -> bytes:
        event[44:52] = struct.pack("<2I", 0xA0000003, 0xE0000004)
        return bytes(event)

    decoded = damaged_in_the_middle(tmp_path, change)
    assert "other numbers of samples" in decoded.report.damage[0].reason
    assert "(channel 0)" in decoded.report.damage[0].reason
    assert len(decoded.rows[0]) == 2


def test_maw_test_data(tmp_path, caplog):
    """Format L10: the words behind the samples are passed over, with a note."""
    channel = Channel(maw_buffer_length=4)
    rng = np.random.default_rng(1)
    events = [writer.random_event(rng, channel, i) for i in range(3)]
    plain = Channel()
    wanted = [writer.event(plain, e) for e in events]
    for e in events:
        e.maw_test = [0x0773] * 4
    data = writer.header([channel])
    data += b"".join(writer.event(channel, e) for e in events)
    decoded = decode(write(tmp_path, data))
    assert_rows(
        decoded.rows, reference.read_rows(writer.header([plain]) + b"".join(wanted))
    )
    assert decoded.report.clean
    assert decoded.report.bytes["decoded"] == len(data)
    assert caplog.text.count("test data of the moving average window") == 1
    assert "test data of the moving average window are not written" in (
        decoded.report.notes
    )


def test_other_format_bits_than_configured(tmp_path):
    """Format L11: the event's bits determine its layout; missing columns are 0."""
    channel = Channel(format_bits=2)
    rng = np.random.default_rng(1)
    events = [writer.random_event(rng, channel, i) for i in range(3)]
    # the energies take as many words as accumulators 7 and 8
    events[1].bits = 8
    data = writer.header([channel])
    data += b"".join(writer.event(channel, e) for e in events)
    decoded = decode(write(tmp_path, data), buffer_size=1)
    rows = decoded.rows[0]
    assert len(rows) == 3
    assert rows[0]["cumsum_7"] == events[0].accumulators[6]
    assert rows[1]["cumsum_7"] == rows[1]["cumsum_8"] == 0
    np.testing.assert_array_equal(rows[1]["waveform_windowed/values"], events[1].raw)
    assert sum(decoded.report.irregular.values()) == 1


def test_averaged_samples_without_averaging_mode(tmp_path):
    """Format L12: they are left out, and counted."""
    channel = Channel(avg_mode=0, event_header_length=13)
    e = Event(raw=range(8), averaged=range(6))
    data = writer.header([channel]) + 2 * writer.event(channel, e)
    decoded = decode(write(tmp_path, data))
    assert len(decoded.rows[0]) == 2
    assert "waveform_presummed/values" not in decoded.rows[0][0]
    assert sum(decoded.report.irregular.values()) == 2
    assert decoded.report.n_bytes == len(data)


def test_missing_samples_are_zeros(tmp_path):
    """Format L13: never the samples of an older row."""
    channel = Channel(maw_buffer_length=20)
    rng = np.random.default_rng(1)
    full = writer.random_event(rng, channel, 1)
    full.maw_test = [1] * 20
    no_average = Event(ticks=2, raw=full.raw, maw_test=[1] * 24)
    no_raw = Event(ticks=3, averaged=full.averaged, counter=7, maw_test=[1] * 24)
    data = writer.header([channel])
    for e in (full, no_average, full, no_raw, full):
        data += writer.event(channel, e)
    decoded = decode(write(tmp_path, data), buffer_size=1)
    rows = decoded.rows[0]
    assert len(rows) == 5
    assert not rows[1]["waveform_presummed/values"].any()
    assert rows[1]["waveform_presummed/t0"] == -800.0 - 5 * 16.0
    assert rows[1]["waveform_presummed/dt"] == 16.0
    np.testing.assert_array_equal(rows[1]["waveform_windowed/values"], full.raw)
    assert not rows[3]["waveform_windowed/values"].any()
    assert rows[3]["waveform_presummed/t0"] == -800.0 - 5 * 16.0 + 7 * 4.0
    assert sum(decoded.report.irregular.values()) == 2
    assert decoded.report.bytes["decoded"] == len(data)


def test_times_may_decrease(tmp_path):
    """Format 7: normal between channels."""
    data, _ = writer.make_file(n_events=20)
    decoded = decode(write(tmp_path, data))
    assert decoded.report.clean


def test_many_channels_that_nothing_comes_of(tmp_path):
    """Memory is not taken for channels without events, however long these may be."""
    channels = [
        Channel(fadc=i // 16, channel=i % 16, sample_length=2**26, avg_mode=0)
        for i in range(64)
    ]
    for c in channels:
        c.avg_sample_length = 0
    path = write(tmp_path, writer.header(channels) + bytes(40))
    report = daq2lh5.build_raw(path)
    # zeros up to the end
    assert report.bytes["cut_off"] == 40


# --- cuts ---------------------------------------------------------------------------


def test_every_cut_leaves_the_events_before_it(tmp_path):
    """Format 7: whole events are kept, the rest is reported as cut off."""
    data, places = writer.make_file(VARIED[:4], n_events=2)
    rows = reference.read_rows(data)
    ends = [16 + 88 * 4] + [p.offset + p.length for p in places]
    for cut in range(ends[0], len(data) + 1):
        decoded = decode(write(tmp_path, data[:cut]), buffer_size=4)
        whole = max(end for end in ends if end <= cut)
        n = ends.index(whole)
        wanted = {k: [r for r in rs if r["packet_id"] <= n] for k, rs in rows.items()}
        assert_rows(decoded.rows, wanted)
        report = decoded.report
        assert report.bytes["decoded"] == whole
        assert report.bytes["cut_off"] == cut - whole
        assert report.exit_status == (3 if cut > whole else 0)
        damage = [(d.offset, d.length) for d in report.damage]
        assert damage == ([(whole, cut - whole)] if cut > whole else [])


def test_every_cut_in_the_header_is_an_error(tmp_path):
    data = writer.header(VARIED)
    for cut in range(len(data)):
        with pytest.raises(DecodeError, match=r"cut off|not a llamaDAQ"):
            decode(write(tmp_path, data[:cut]), in_stream_type="LlamaDaq")


def test_cut_gzip_file(tmp_path):
    """The readable part is decoded; the damage is reported."""
    data, _ = writer.make_file(n_events=200)
    path = tmp_path / "run.bin.gz"
    packed = gzip.compress(data)
    path.write_bytes(packed[: len(packed) // 2])
    report = daq2lh5.build_raw(path)
    assert report.container_error
    assert 0 < report.bytes["decoded"] < len(data)
    assert report.exit_status == 3


# --- random damage ------------------------------------------------------------------

SOURCES: dict[str, tuple[list[Channel], int]] = {
    "two alike": ([Channel(), Channel(channel=4)], 60),
    "varied": (VARIED, 25),
    "short": ([Channel(5, 3, format_bits=0, sample_length=2, avg_mode=0)], 200),
    "long": ([Channel(sample_length=500), Channel(channel=1, sample_length=4000)], 10),
}


SOURCES["short"][0][0].avg_sample_length = 0


def make_source(name: str) -> tuple[bytes, list[writer.Place]]:
    channels, n = SOURCES[name]
    return writer.make_file(channels, n_events=n, seed=7)


def signature(row: dict[str, Any]) -> bytes:
    """Return the values of a row that its event determines."""
    names = sorted(set(row) - {"packet_id"})
    return b"|".join(np.asarray(row[n], float).tobytes() for n in names)


def change(rng: np.random.Generator, data: bytes, other: bytes) -> tuple[str, list]:
    """Make one change: the pieces of the file, as ranges of the old one or bytes."""
    n = len(data)
    at = int(rng.integers(n))
    length = int(min(2 ** rng.uniform(0, 13), n - at))
    end = at + length
    start = int(rng.integers(n))
    copied = (start, min(start + length, n))
    kinds: dict[str, list] = {
        "cut": [(0, at)],
        "bit": [(0, at), bytes([data[at] ^ 1 << int(rng.integers(8))]), (at + 1, n)],
        "byte": [(0, at), bytes([data[at] ^ int(rng.integers(1, 256))]), (at + 1, n)],
        "splice": [(0, at), copied, (end, n)],
        "other file": [(0, at), other[start % len(other) :][:length], (end, n)],
        "insertion": [(0, at), rng.bytes(length), (at, n)],
        "copy": [(0, at), copied, (at, n)],
        "deletion": [(0, at), (end, n)],
        "repetition": [(0, end), (at, n)],
        "zeros": [(0, at), bytes(length), (end, n)],
        "ones": [(0, at), b"\xff" * length, (end, n)],
    }
    kind = str(rng.choice(list(kinds)))
    return kind, kinds[kind]


def whole_events(places: list[writer.Place], pieces: list, head: int) -> Counter[int]:
    """Count how often each event is in the file with all of its bytes."""
    found: Counter[int] = Counter()
    position = 0
    runs: list[list[int]] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            position += len(piece)
            runs.append([-1, -1, position])
            continue
        if runs and runs[-1][1] == piece[0]:
            runs[-1][1] = piece[1]
        else:
            runs.append([*piece, position])
        position += piece[1] - piece[0]
    # an event that keeps its place and its head counts, whatever its samples are now
    kept = [
        (place.offset, place.offset + place.length)
        for place in places
        if runs[0][1] >= place.offset + MAX_HEAD_BYTES
        and runs[-1][0] == runs[-1][2] <= place.offset + place.length
    ]
    for start, end, at in runs:
        for place in places:
            if start <= place.offset and place.offset + place.length <= end:
                where = at + place.offset - start
                inside = any(a < where < b for a, b in kept)
                found[place.offset] += where >= head and not inside
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_damaged_files(name, tmp_path):
    """No crash, no hang, bytes add up, and every whole event is there."""
    data, places = make_source(name)
    head = 16 + 88 * len(SOURCES[name][0])
    rows = sorted(
        (r for rs in reference.read_rows(data).values() for r in rs),
        key=lambda r: r["packet_id"],
    )
    row_of = {p.offset: signature(r) for p, r in zip(places, rows, strict=True)}
    wrong = []
    for number in range(N_FILES // len(SOURCES)):
        rng = np.random.default_rng([SEED, number, sum(name.encode())])
        other = make_source(list(SOURCES)[int(rng.integers(len(SOURCES)))])[0]
        kind, pieces = change(rng, data, other)
        damaged = b"".join(
            p if isinstance(p, bytes) else data[slice(*p)] for p in pieces
        )
        began = time.monotonic()
        problems = []
        try:
            decoded = decode(write(tmp_path, damaged), in_stream_type="LlamaDaq")
        except DecodeError:
            if damaged[:head] == data[:head]:
                wrong.append((number, kind, "refused"))
            continue
        if time.monotonic() - began > SECONDS:
            problems.append("too slow")
        if decoded.report.n_bytes != len(damaged):
            problems.append(f"{decoded.report.n_bytes} bytes, not {len(damaged)}")
        if damaged[:head] == data[:head]:
            found = Counter(signature(r) for rs in decoded.rows.values() for r in rs)
            wanted: Counter[bytes] = Counter()
            for offset, times in whole_events(places, pieces, head).items():
                wanted[row_of[offset]] += times
            if wanted - found:
                missing = (wanted - found).total()
                problems.append(f"{missing} of {wanted.total()} rows are missing")
        if problems:
            shown = [p if isinstance(p, tuple) else p[:40] for p in pieces]
            wrong.append((number, kind, shown, *problems))
    assert wrong == []


def test_garbage_table(tmp_path):
    """Damaged bytes are kept with their offset and a code that the docs explain."""
    data, places = writer.make_file(n_events=20)
    at = places[5].offset
    damaged = data[:at] + b"\xff" * 5 + data[at:-2]
    report = daq2lh5.build_raw(write(tmp_path, damaged))
    with h5py.File(tmp_path / "run.lh5.garbage") as f:
        offsets = f["garbage/offset"][:].tolist()
        assert offsets == [at, places[-1].offset + 5]
        assert set(f["garbage/garbage_code"][:]) <= set(map(int, REASONS))
        assert f["garbage/packets/flattened_data"][:5].tolist() == [255] * 5
    assert report.bytes["corrupt"] == 5
    assert report.bytes["cut_off"] == places[-1].length - 2
    assert report.packets["decoded"] == len(places) - 1
