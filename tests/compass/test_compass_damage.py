"""Damaged CoMPASS files: no crash, no hang, every byte counted, no whole record lost.

Each case of `test_random_damage` is a file with one random change. How many:
`DAQ2LH5_DAMAGED_FILES` (default 200), from which seed: `DAQ2LH5_DAMAGE_SEED`. "Section"
means section N of the CoMPASS format.
"""

from __future__ import annotations

import os
import struct
import time
import tracemalloc
from collections import Counter
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from kit.decoding.compass import Decoded, decode, differences
from kit.generators.compass import REAL, real_files
from kit.generators.damage import N_FILES, SEED, change
from kit.pipes import fed
from kit.reference import compass as reference
from kit.writers import compass as writer
from kit.writers import examples

import daq2lh5
from daq2lh5.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 20
"""More than a damaged file of some hundred kilobytes may take."""

CHANNELS = [(0, 0), (0, 1), (2, 5)]

SOURCES = examples.compass_files(60, 300)

IN_A_ROW = dict.fromkeys(examples.COMPASS_LISTS, 4)
"""Consecutive records required after damage, for formats with weak checks."""

MAY_BE_MISTAKEN = 2
"""Records of these at the edges of damage that broken bytes can imitate."""


class Sample:
    """An undamaged file, and the rows of its records."""

    def __init__(self, name: str) -> None:
        options = dict(SOURCES[name])
        self.name = name
        self.form = writer.form(options.pop("word"), options.pop("version", 2))
        self.events = writer.events(self.form, channels=CHANNELS, **options)
        self.data = writer.file(self.form, self.events)
        self.layout = "" if self.form.has_header else self.form.name
        self.rows = {
            event.offset: signature(row)
            for event, row in zip(
                self.events,
                reference.read_records(self.data, self.layout),
                strict=True,
            )
        }

    def read(self, path: Any, data: bytes) -> Decoded:
        """Read a damaged file; all of its bytes must be accounted for."""
        path.write_bytes(data)
        began = time.monotonic()
        decoded = decode(path, layout=self.layout or None)
        assert time.monotonic() - began < SECONDS
        adds_up(decoded.report, len(data))
        return decoded


def signature(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values that the bytes of a record determine."""
    names = ("board", "channel", "timestamp_ps", "energy", "energy_short", "flags")
    values = [int(row[name]) for name in names]
    return (*values, str(float(row["energy_calibrated"])), tuple(row["samples"]))


def adds_up(report: Any, size: int) -> None:
    """Check that a report accounts for every byte, once."""
    assert report.n_bytes == size
    bad = report.bytes["corrupt"] + report.bytes["cut_off"]
    if report.n_damage < 100:
        assert sum(d.length for d in report.damage) == bad
    ends = [0, *(end for d in report.damage for end in (d.offset, d.offset + d.length))]
    assert all(a <= b for a, b in pairwise([*ends, size]))


@cache
def sample(name: str) -> Sample:
    return Sample(name)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.BIN"


# --- ends of files (format 10) -----------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_cut_at_many_places(name, file):
    """Records that end before the cut are decoded, the rest is cut off."""
    of = sample(name)
    rng = np.random.default_rng(len(of.data))
    chosen = {*rng.integers(2, len(of.data), 20).tolist()}
    for event in (of.events[0], of.events[1], of.events[-2], of.events[-1]):
        chosen |= {event.offset + k for k in (0, 1, 4, 12, 15, 16, 17, 22, 30)}
        chosen.add(event.offset + event.length - 1)
    for cut in sorted(c for c in chosen if 2 <= c < len(of.data)):
        whole = [e for e in of.events if e.offset + e.length <= cut]
        end = whole[-1].offset + whole[-1].length if whole else 2 * of.form.has_header
        decoded = of.read(file, of.data[:cut])
        wanted = [of.rows[e.offset] for e in whole]
        assert [signature(row) for row in decoded.rows] == wanted, cut
        assert decoded.report.bytes["cut_off"] == cut - end, cut
        assert decoded.report.bytes["corrupt"] == 0
        assert decoded.report.exit_status == (3 if cut > end else 0)


@pytest.mark.parametrize("name", ["waveforms", "list"])
def test_cut_pipe(name, tmp_path):
    """The same where the end is not known in advance."""
    of = sample(name)
    cut = of.events[-3].offset + 11
    os.mkfifo(tmp_path / "pipe")
    with fed(tmp_path / "pipe", of.data[:cut], 100):
        decoded = decode(tmp_path / "pipe")
    assert len(decoded.rows) == len(of.events) - 3
    assert decoded.report.bytes["cut_off"] == 11
    adds_up(decoded.report, cut)


@pytest.mark.parametrize(
    ("data", "message"), [(b"", "empty"), (b"\xed", "one byte"), (b"\x01", "one byte")]
)
def test_nothing_to_read(data, message, file):
    file.write_bytes(data)
    with pytest.raises(DecodeError, match=message):
        decode(file)


@pytest.mark.parametrize("word", writer.HEADER_WORDS)
def test_header_word_alone(word, file, tmp_path):
    """A run without events (format 10): its table has no rows."""
    file.write_bytes(struct.pack("<H", word))
    report = daq2lh5.build_raw(file, out_spec=str(tmp_path / "o.lh5"))
    assert report.exit_status == 0
    assert report.bytes["decoded"] == 2
    with h5py.File(tmp_path / "o.lh5") as f:
        assert list(f) == ["CompassEvent", "CompassHeader"]
        assert f["CompassHeader/waveform_samples"][()] == word >> 3 & 1
        assert len(f["CompassEvent/flags"]) == 0
        assert ("waveform" in f["CompassEvent"]) is bool(word >> 3 & 1)


def test_half_a_file_converted(file, tmp_path):
    """All complete events are in the output, the rest is in its garbage."""
    of = sample("waveforms")
    half = len(of.data) // 2
    file.write_bytes(of.data[:half])
    report = daq2lh5.build_raw(file, out_spec=str(tmp_path / "o.lh5"))
    n = sum(e.offset + e.length <= half for e in of.events)
    with h5py.File(tmp_path / "o.lh5") as f:
        assert len(f["CompassEvent/energy"]) == n
    with h5py.File(tmp_path / "o.lh5.garbage") as f:
        garbage = f["garbage"]
        end = of.events[n].offset
        assert bytes(garbage["packets/flattened_data"][()]) == of.data[end:half]
        assert garbage["offset"][()].tolist() == [end]
    assert report.exit_status == 3


# --- damage in the middle (format 10) ----------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    ("at", "value"),
    [(0, b"\xff\xff"), (2, b"\x00\x01"), (1, b"\x80")],
    ids=["board", "channel", "high byte of the board"],
)
def test_impossible_board_or_channel(name, at, value, file):
    """It costs that record."""
    of = sample(name)
    event = of.events[20]
    place = event.offset + at
    data = of.data[:place] + value + of.data[place + len(value) :]
    decoded = of.read(file, data)
    wanted = [of.rows[e.offset] for e in of.events if e is not event]
    assert [signature(row) for row in decoded.rows] == wanted
    assert decoded.report.bytes["corrupt"] == event.length
    assert decoded.report.damage[0].offset == event.offset


@pytest.mark.parametrize("name", [n for n in SOURCES if sample(n).form.has_count])
@pytest.mark.parametrize("n", [0, 1, 99, 101, 5000, 2**24 + 1, 2**32 - 1])
def test_impossible_number_of_samples(name, n, file):
    """It costs that record, and takes no memory."""
    of = sample(name)
    event = of.events[20]
    if len(event.samples) == n or "list" in name:
        pytest.skip("that is the right one, or not to be told from it")
    head = event.length - 2 * len(event.samples)
    at = event.offset + head - 4
    data = of.data[:at] + struct.pack("<I", n) + of.data[at + 4 :]
    tracemalloc.start()
    decoded = of.read(file, data)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    wanted = Counter(of.rows[e.offset] for e in of.events if e is not event)
    missing = wanted - Counter(signature(row) for row in decoded.rows)
    assert missing.total() == 0


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("value", [b"\0", b"\xff"])
@pytest.mark.parametrize("length", [100, 5000])
def test_filled_range(name, value, length, file):
    """Space that was never written, or erased, counts as damaged."""
    of = sample(name)
    at = of.events[30].offset
    data = of.data[:at] + value * length + of.data[at:]
    decoded = of.read(file, data)
    assert [signature(row) for row in decoded.rows] == [*of.rows.values()]
    assert decoded.report.bytes["corrupt"] == length


@pytest.mark.parametrize("name", [n for n in SOURCES if sample(n).form.has_header])
def test_joined_files(name, file):
    """A header word in the middle begins another file (format 10)."""
    of = sample(name)
    decoded = of.read(file, of.data * 3)
    assert [signature(row) for row in decoded.rows] == [*of.rows.values()] * 3
    assert decoded.report.bytes["decoded"] == 3 * len(of.data)
    assert decoded.report.exit_status == 0
    assert any("joined" in note for note in decoded.report.notes)


def joined(*names: str) -> tuple[bytes, list[tuple[Any, ...]]]:
    """Return the bytes of several samples, one behind the other, and their rows."""
    data = b"".join(sample(name).data for name in names)
    return data, [row for name in names for row in sample(name).rows.values()]


WITH_HEADER = [n for n in SOURCES if sample(n).form.has_header]


@pytest.mark.parametrize("first", SOURCES)
def test_joined_files_of_other_layouts(first, file):
    """Every file begins with its header word: it determines the layout (format 1.1)."""
    of = sample(first)
    data, wanted = joined(first, *WITH_HEADER, first if of.form.has_header else "list")
    file.write_bytes(data)
    decoded = decode(file, layout=of.layout or None)
    assert [signature(row) for row in decoded.rows] == wanted
    report = decoded.report
    adds_up(report, len(data))
    assert report.bytes["decoded"] == len(data)
    assert report.exit_status == 0
    assert any(f"the first at byte {len(of.data)}:" in note for note in report.notes)
    told = {note[-4:] for note in report.notes if "another layout" in note}
    words = {f"{sample(n).form.word:X}" for n in WITH_HEADER}
    assert told == words - {of.form.name}


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_joined_short_files(n, file):
    """Also of few records, or of none at all."""
    data, wanted = b"", []
    for word in 2 * writer.HEADER_WORDS:
        form = writer.form(word)
        one = writer.file(form, writer.events(form, n, channels=CHANNELS))
        data += one
        wanted += map(signature, reference.read_records(one))
    for block_size in (None, 7):
        file.write_bytes(data)
        decoded = decode(file, block_size=block_size)
        assert [signature(row) for row in decoded.rows] == wanted
        assert decoded.report.bytes["decoded"] == len(data)


@pytest.mark.parametrize("word", writer.HEADER_WORDS)
def test_short_file_before_a_long_one(word, file):
    """The header of the first one counts although most records have other layouts."""
    form = writer.form(word)
    one = writer.file(form, writer.events(form, 3, channels=CHANNELS))
    file.write_bytes(one + sample("waveforms").data)
    decoded = decode(file)
    wanted = [signature(row) for row in reference.read_records(one)]
    wanted += sample("waveforms").rows.values()
    assert [signature(row) for row in decoded.rows] == wanted


@pytest.mark.parametrize("second", WITH_HEADER)
def test_joined_files_with_damage_between(second, file):
    """The header word is found behind damage, and with it the second file."""
    of = sample("calibrated")
    cut = of.events[-1].offset + 40
    file.write_bytes(of.data[:cut] + sample(second).data)
    decoded = decode(file)
    wanted = [*[*of.rows.values()][:-1], *sample(second).rows.values()]
    assert [signature(row) for row in decoded.rows] == wanted
    assert decoded.report.bytes["corrupt"] == 40


def test_file_of_headers_takes_no_time(file):
    """Nor one with a record behind each, of many channels."""
    data, channels = b"", [(i // 256, i % 256) for i in range(5000)]
    form = writer.form(0xCAE5)
    data += writer.file(form, [writer.Event(b, c, 1000) for b, c in channels])
    for i in range(6000):
        form = writer.form(0xCAE1 + i % 15)
        data += writer.file(form, [writer.Event(*channels[i % 7], 1000)])
    data += b"\xe1\xca\xed\xca" * 30_000
    file.write_bytes(data)
    began = time.monotonic()
    decoded = decode(file)
    assert time.monotonic() - began < SECONDS
    assert len(decoded.rows) == 11_000
    assert decoded.report.bytes["decoded"] == len(data)


def test_joined_files_have_tables_by_length(file):
    """Each length its own; a channel that has none now has no waveform there."""
    data, _ = joined("waveforms", "list", "calibrated", "waveforms")
    file.write_bytes(data)
    decoded = decode(file)
    assert decoded.tables == {
        "CompassEvent": 120,
        "CompassEvent_0": 300,
        "CompassEvent_50": 60,
    }


def joined_by_length(
    lengths: list[int], words: Sequence[int]
) -> tuple[bytes, list[tuple[Any, ...]]]:
    """Return files of such lengths, of the layouts in turn, and their rows."""
    data, rows = b"", []
    for i, n_samples in enumerate(lengths):
        form = writer.form(words[i % len(words)])
        made = writer.events(form, 4, channels=CHANNELS, n_samples=n_samples, seed=i)
        one = writer.file(form, made)
        data += one
        rows += map(signature, reference.read_records(one))
    return data, rows


@pytest.mark.parametrize("words", [(0xCAED, 0xCAE9), (0xCAED,)])
def test_many_joined_files_have_tables_by_length(words, file):
    """However often the layout changes, or not."""
    data, wanted = joined_by_length([20, 30, 25] * 40, words)
    file.write_bytes(data)
    decoded = decode(file)
    assert [signature(row) for row in decoded.rows] == wanted
    assert decoded.tables == {
        "CompassEvent": 160,
        "CompassEvent_30": 160,
        "CompassEvent_25": 160,
    }


def test_more_lengths_than_tables(file):
    """Behind the 64th other one come lists; known lengths have their tables."""
    lengths = [*range(20, 90), 20, 83, 84, 85]
    data, wanted = joined_by_length(lengths, (0xCAED, 0xCAE9))
    file.write_bytes(data)
    decoded = decode(file)
    assert [signature(row) for row in decoded.rows] == wanted
    assert decoded.report.bytes["decoded"] == len(data)
    names = {f"CompassEvent_{n}": 4 for n in range(21, 84)}
    assert decoded.tables == names | {
        "CompassEvent": 8,
        "CompassEvent_83": 8,
        "CompassEvent_84": 8,
        "CompassEvent_lists": 24,
    }
    assert any("more than 64 lengths" in note for note in decoded.report.notes)


# --- damage at the start (format 1.1, 3) ------------------------------------------


@pytest.mark.parametrize("name", WITH_HEADER)
@pytest.mark.parametrize("bit", range(4))
def test_header_with_a_flipped_bit(name, bit, file):
    """The records tell, if so many are alike that nothing else is possible."""
    of = sample(name)
    if not of.form.energy and not of.form.calibrated:
        pytest.skip("such records are not looked for: CoMPASS always writes an energy")
    if bit == 0 and of.form.word & 0xF == 0b0001:
        pytest.skip("no energy is left")
    decoded = of.read(file, bytes([of.data[0] ^ 1 << bit]) + of.data[1:])
    assert [signature(row) for row in decoded.rows] == [*of.rows.values()]
    assert any(
        f"have the layout {of.form.name}:" in note for note in decoded.report.notes
    )


@pytest.mark.parametrize("name", WITH_HEADER)
def test_header_that_is_lost(name, file):
    """As a file without one, with bytes at its start that are nothing."""
    of = sample(name)
    if not of.form.energy and not of.form.calibrated:
        pytest.skip("such records are not looked for: CoMPASS always writes an energy")
    decoded = of.read(file, b"\xff\xff" + of.data[2:])
    assert [signature(row) for row in decoded.rows] == [*of.rows.values()]
    assert decoded.report.bytes["corrupt"] == 2


@pytest.mark.parametrize("name", ["CoMPASS 1", "CoMPASS 1, list", "waveforms", "list"])
@pytest.mark.parametrize("which", [0, 1, 5, 20])
def test_layout_is_found_in_a_damaged_file(name, which, file):
    """One of the first records of a file without header is damaged."""
    of = sample(name)
    start = 2 * of.form.has_header
    event = of.events[which]
    at = event.offset
    data = of.data[start:at] + b"\xff\xff" + of.data[at + 2 :]
    file.write_bytes(data)
    decoded = decode(file)
    wanted = [of.rows[e.offset] for e in of.events if e is not event]
    assert [signature(row) for row in decoded.rows] == wanted
    assert decoded.report.bytes["corrupt"] == event.length


@pytest.mark.parametrize("name", ["CoMPASS 1", "CoMPASS 1, list"])
def test_layout_is_found_after_random_damage(name, file):
    """If ten records are in a row somewhere."""
    of = sample(name)
    for number, kind, pieces in cases(name, N_FILES // 10, SEED):
        spans = [piece for piece in pieces if not isinstance(piece, bytes)]
        if kind == "splice of another file" or not any(
            sum(a <= e.offset and e.offset + e.length <= b for e in of.events) >= 10
            for a, b in spans
        ):
            continue
        data = b"".join(
            piece if isinstance(piece, bytes) else of.data[slice(*piece)]
            for piece in pieces
        )
        file.write_bytes(data)
        try:
            decoded = decode(file)
        except DecodeError as error:
            # lists can be read with a shift; the user is asked then
            assert "list" in name, number
            assert "several layouts" in str(error), number  # noqa: PT017
            continue
        assert str(decoded.streamer.header_decoder.layout) == of.form.name, number
        adds_up(decoded.report, len(data))


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("calibrated", [(0, 41), (6474, 6668), (41, 7982)]),
        ("calibrated", [(0, 119), (20, 315), (414, 7982)]),
        ("samples of 8 bits", [(0, 374), (10683, 11068), (374, 13502)]),
        ("several lengths", [(0, 40), (1817, 2088), (311, 6102)]),
        ("CoMPASS 1, list", [(0, 42), (1291, 1637), (42, 4800)]),
    ],
)
def test_damage_before_channels_are_known(name, pieces, file):
    """Which channels there are, and their lengths, is seen behind the damage."""
    assert check(sample(name), pieces, file) == []


@pytest.mark.parametrize("name", ["waveforms", "list of calibrated"])
def test_few_records_before_others_without_a_header(name, file):
    """The header counts where two records are as it says, whatever most of them are."""
    of, other = sample(name), sample("list")
    cut = of.events[2].offset
    file.write_bytes(of.data[:cut] + b"\xff" + other.data[2:])
    decoded = decode(file)
    found = [signature(row) for row in decoded.rows[:2]]
    assert found == [of.rows[e.offset] for e in of.events[:2]]


@pytest.mark.parametrize("name", ["waveforms", "CoMPASS 1, list"])
def test_wrong_number_of_samples_that_ends_at_a_record(name, file):
    """The records that such a record would cover are kept."""
    of = sample(name)
    event, later = of.events[5], of.events[50]
    head = event.length - 2 * len(event.samples)
    at = event.offset + head
    n = (later.offset - at) // 2
    file.write_bytes(of.data[: at - 4] + struct.pack("<I", n) + of.data[at:])
    decoded = decode(file, layout=of.layout or None)
    wanted = [of.rows[e.offset] for e in of.events if e is not event]
    assert [signature(row) for row in decoded.rows] == wanted


# --- damage in the middle, again ----------------------------------------------------


def test_bytes_are_missing_in_a_record(file):
    """The next one is found inside of where it would have been."""
    of = sample("waveforms")
    event = of.events[20]
    at = event.offset + 60
    decoded = of.read(file, of.data[:at] + of.data[at + 31 :])
    wanted = [of.rows[e.offset] for e in of.events if e is not event]
    assert [signature(row) for row in decoded.rows] == wanted
    assert decoded.report.bytes["corrupt"] == event.length - 31
    assert "inside" in decoded.report.damage[0].reason


def test_wrong_layout_is_told(file):
    of = sample("CoMPASS 1")
    file.write_bytes(of.data)
    decoded = decode(file, layout="CAE5")
    adds_up(decoded.report, len(of.data))
    assert decoded.report.exit_status == 3


@pytest.mark.parametrize("seed", range(6))
def test_noise(seed, file):
    """No record of it is believed, and it takes neither time nor memory."""
    noise = np.random.default_rng(seed).bytes(200_000)
    for word in (b"\xed\xca", b"\xe5\xca", b"\xe0\xca"):
        file.write_bytes(word + noise)
        decoded = decode(file)
        assert len(decoded.rows) < 3
        adds_up(decoded.report, len(noise) + 2)


def test_many_channels_take_no_time(file):
    """Each record of another channel, up to the largest number."""
    form = writer.form(0xCAE5)
    channels = [(i // 256, i % 256) for i in range(20_000)]
    made = [writer.Event(b, c, 1000 + i) for i, (b, c) in enumerate(channels)]
    file.write_bytes(writer.file(form, made))
    began = time.monotonic()
    decoded = decode(file)
    assert len(decoded.rows) == len(channels)
    assert time.monotonic() - began < SECONDS


# --- random damage ------------------------------------------------------------------


def intact(of: Sample, pieces: list[Any]) -> Counter[Any]:
    """Count the rows of records that are in the file with all of their bytes.

    Records with weak checks count in runs of `IN_A_ROW`, or up to the end of the file.
    """
    least = IN_A_ROW.get(of.name, 1)
    found: Counter[Any] = Counter()
    ranges: list[list[int]] = []
    position = 0
    for piece in pieces:
        if isinstance(piece, bytes):
            position += len(piece)
            continue
        if ranges and ranges[-1][1] == piece[0] and ranges[-1][3] == position:
            ranges[-1][1] = piece[1]
            ranges[-1][3] += piece[1] - piece[0]
        else:
            end = position + piece[1] - piece[0]
            ranges.append([*piece, position, end])
        position += piece[1] - piece[0]
    for start, end, at, _ in ranges:
        inside = [
            e for e in of.events if start <= e.offset and e.offset + e.length <= end
        ]
        # the start of the file is in its place
        if len(inside) >= least or (start == 0 and at == 0):
            found.update(of.rows[e.offset] for e in inside)
    return found


def check(of: Sample, pieces: list[Any], path: Any) -> list[str]:
    """Read a damaged file; list the problems."""
    data = b"".join(
        piece if isinstance(piece, bytes) else of.data[slice(*piece)]
        for piece in pieces
    )
    if len(data) < 2 or (of.form.has_header and data[:2] != of.data[:2]):
        return []
    try:
        decoded = of.read(path, data)
    except AssertionError as error:
        return [str(error)[:300]]
    wanted = intact(of, pieces)
    found = Counter(signature(row) for row in decoded.rows)
    missing = wanted - found
    # where the last byte of a record can be the first of the next, which lacks one,
    # nothing tells which of them is broken
    overlapping = bool(found - wanted) and any(
        "begins inside" in damage.reason for damage in decoded.report.damage
    )
    if missing.total() > max(MAY_BE_MISTAKEN * (of.name in IN_A_ROW), overlapping):
        return [f"{missing.total()} of {wanted.total()} rows are missing"]
    return []


def cases(name: str, n: int, seed: int) -> Any:
    """Make the changes of one file, always the same ones."""
    names = [*SOURCES]
    for number in range(n):
        rng = np.random.default_rng([seed, number, sum(name.encode())])
        other = sample(names[int(rng.integers(len(names)))]).data
        yield number, *change(rng, sample(name).data, other)


@pytest.mark.parametrize("name", SOURCES)
def test_random_damage(name, file):
    """No crash, no hang, bytes add up, and every whole record is there."""
    wrong = []
    for number, kind, pieces in cases(name, N_FILES // len(SOURCES) + 1, SEED):
        problems = check(sample(name), pieces, file)
        if problems:
            shown = [p if isinstance(p, tuple) else p[:40] for p in pieces]
            wrong.append((number, kind, shown, *problems))
    assert wrong == []


@real_files
def test_random_damage_of_the_real_file(file):
    """A flipped bit costs one record at most, lost bytes the one that they were in."""
    data = REAL.read_bytes()
    wanted = [signature(row) for row in decode(REAL).rows]
    rng = np.random.default_rng(SEED)
    for at in rng.integers(2, len(data), 10):
        which = (int(at) - 2) // 2025
        others = wanted[:which] + wanted[which + 1 :]
        flipped = bytes([data[at] ^ 1 << int(rng.integers(8))])
        for piece in (flipped, b""):
            file.write_bytes(data[:at] + piece + data[at + 1 :])
            decoded = decode(file)
            adds_up(decoded.report, file.stat().st_size)
            found = Counter(signature(row) for row in decoded.rows)
            assert not Counter(others) - found, at


def test_undamaged_rows_of_a_damaged_file_are_right(file):
    """They equal the rows of the undamaged file, in order."""
    of = sample("waveforms")
    at = of.events[10].offset
    data = of.data[:at] + b"\xff" * 7 + of.data[at:]
    decoded = of.read(file, data)
    wanted = reference.read_records(of.data)
    assert differences(decoded.rows, wanted) == []
    assert decoded.report.damage[0].offset == at
    assert decoded.report.damage[0].length == 7
