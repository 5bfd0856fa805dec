"""The streamer of ORCA files against the slow reference reader and real files.

"Format N" means section N of the ORCA format. What other tests of
ORCA need to read a file and compare its tables is here too: `decode`, `wanted_tables`,
`differences`.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import struct
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import h5py
import lgdo
import numpy as np
import pytest
from fc.test_fc_streamer import TESTDATA, _columns_of, append_rows, fed, rows_of
from kit.reference import orca as reference
from kit.writers import fcio
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.errors import DecodeError
from daq2lh5.fc.fc_base import LONE_FSP
from daq2lh5.orca.orca_streamer import DECODERS, OrcaStreamer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daq2lh5.report import ConversionReport

FILE_A = "L200-comm-20220519-phy-geds.orca"
FILE_B = "l200-p13-r007-aph-20250101T003931Z.orca"

real_files = pytest.mark.skipif(
    not (TESTDATA / "orca").is_dir(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory with them",
)

RUN = "ORRunDecoderForRun"
LISTENER = "ORFlashCamListenerConfigDecoder"
OLD_WAVEFORM = "ORFlashCamADCWaveformDecoder"
NEW_WAVEFORM = "ORFlashCamWaveformDecoder"
CONFIG = "ORFCIOConfigDecoder"
EVENT = "ORFCIOEventDecoder"
EVENT_HEADER = "ORFCIOEventHeaderDecoder"
STATUS = "ORFCIOStatusDecoder"

SUPPORTED = tuple(DECODERS)
"""Decoders whose rows are compared; the reference reader has more."""

FLASHCAM: dict[str, dict[str, Any]] = {
    "map of 2400 entries": {},
    "many channels": {"listeners": 2, "n_channels": 30, "n_samples": 12},
    "three listeners": {"listeners": 3, "n_channels": 7},
    "two time offsets less": {
        "flashcam_options": {"offsets": (1_650_000_000, 5, 1_650_000_001, -6, 7)}
    },
    "word 1 of March 2023": {"flashcam_options": {"word1": 11}},
    "address of 2023": {"flashcam_options": {"high_address": True}},
    "more ORCA words": {"flashcam_options": {"orca_words": 5}},
    "waveforms not included": {"flashcam_options": {"n_samples": 0}},
    "no samples": {"n_samples": 0},
    "no dead region": {"flashcam_options": {"dead_region": (0,) * 5}},
    "event types": {"flashcam_options": {"event_type": 0x2B, "energy": 65_535}},
    "negative times": {
        "flashcam_options": {
            "offsets": (-1, -2, -3, -4, -5, -6, -7),
            "dead_region": (-1, -2, -3, -4, -5),
            "timestamp": (-1, -2, -3, 0x7FFFFFFF),
        }
    },
}

FCIO: dict[str, dict[str, Any]] = {
    "full": {},
    "many channels": {"listeners": 2, "n_channels": 30, "n_samples": 12},
    "sparse": {"fcio_options": {"kind": "sparse"}},
    "headers": {"fcio_options": {"kind": "header"}},
    "mixed": {"fcio_options": {"kind": "mixed", "deadtime": True}},
    "type 11": {
        "n_channels": 14,
        "fcio_options": {
            "kind": ("sparse", "header"),
            "event_type": 11,
            "deadtime": True,
        },
    },
    "status": {"fcio_options": {"status_every": 3}},
    "fsp": {"fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4}},
    "two streams with fsp": {
        "listeners": 2,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4},
    },
    "gps": {"fcio_options": {"gps": 50_000}},
    "no samples": {"n_samples": 0},
    "other configuration": {"second_config": True},
    "other configurations of two streams with fsp": {
        "listeners": 2,
        "second_config": True,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4},
    },
}

MIXED: dict[str, dict[str, Any]] = {
    "sub-runs": {"kinds": "flashcam", "subruns": 3, "heartbeat_every": 7},
    "sub-runs of three listeners": {
        "kinds": "flashcam",
        "subruns": 2,
        "listeners": 3,
        "n_channels": 7,
    },
    "sub-runs of listeners with fsp": {
        "kinds": "fcio",
        "subruns": 2,
        "listeners": 2,
        "second_config": True,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4},
    },
    "sub-runs of fcio": {
        "kinds": "fcio",
        "subruns": 2,
        "heartbeat_every": 5,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4},
    },
    "both generations": {
        "kinds": ("flashcam", "fcio"),
        "listeners": 2,
        "fcio_options": {"fsp": True, "status_every": 4},
    },
    "with unknown packets": {"kinds": ("flashcam", "fcio", "unknown")},
    "everything": {
        "kinds": writer.KINDS,
        "listeners": 2,
        "second_config": True,
        "subruns": 2,
        "heartbeat_every": 50,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 5},
    },
    "run records alone": {"kinds": ()},
}

RUNS: dict[str, dict[str, Any]] = {
    **{f"flashcam, {k}": {"kinds": "flashcam"} | v for k, v in FLASHCAM.items()},
    **{f"fcio, {k}": {"kinds": "fcio"} | v for k, v in FCIO.items()},
    **MIXED,
}
"""Runs of each kind that the writer makes, by name."""

each_run = pytest.mark.parametrize("name", RUNS)


@cache
def make(name: str, **options: Any) -> bytes:
    """Make a run of few events with few samples."""
    return writer.make_stream(
        **({"n_events": 12, "n_channels": 4, "n_samples": 16} | RUNS[name] | options)
    )


# --- reading a file -----------------------------------------------------------------

Tables = dict[str, dict[str, Any]]


@dataclass
class Decoded:
    """What came out of a file.

    Parameters
    ----------
    tables
        for each table its columns, for each column its rows, as `reference.Reading`.
    header
        text of the OrcaHeader.
    """

    tables: Tables
    report: ConversionReport
    streamer: OrcaStreamer
    header: str = ""
    n_chunks: int = 0

    def n_rows(self, table: str) -> int:
        return n_rows(self.tables.get(table, {}))


def n_rows(columns: dict[str, Any]) -> int:
    return len(next(iter(columns.values()), []))


def decode(
    path: str | os.PathLike[str],
    *,
    block_size: int | None = None,
    by_lgdo: bool = False,
    streamer: OrcaStreamer | None = None,
    **open_options: Any,
) -> Decoded:
    """Read a file chunk by chunk."""
    streamer = OrcaStreamer() if streamer is None else streamer
    streamer.block_size = block_size
    try:
        header_data = streamer.open_stream(os.fspath(path), **open_options)
        out = Decoded({}, streamer.report, streamer)
        for rb in header_data:
            assert isinstance(rb.lgdo, lgdo.Scalar)
            out.header = rb.lgdo.value
            rb.loc = 0
        for chunk in streamer:
            out.n_chunks += 1
            for rb in chunk:
                append_rows(out.tables, rb.out_name, rows_of(rb, by_lgdo=by_lgdo))
    finally:
        streamer.close_stream()
    return out


def read_lh5(path: str | os.PathLike[str]) -> Tables:
    """Read the tables of an LH5 file with h5py alone."""
    tables: Tables = {}

    def look_into(group: h5py.Group, place: str) -> None:
        for name, item in group.items():
            if isinstance(item, h5py.Dataset):
                continue
            if str(item.attrs["datatype"]).startswith("table{"):
                tables[place + name] = _columns_of(item)
            else:
                look_into(item, f"{place}{name}/")

    with h5py.File(path) as file:
        look_into(file, "")
    return tables


@lru_cache(maxsize=8)
def wanted_reading(data: bytes) -> reference.Reading:
    """Read a file by the reference reader; keep what the package decodes."""
    reading = reference.read(data)
    reading.rows = {k: rows for k, rows in reading.rows.items() if k in SUPPORTED}
    return reading


def wanted_tables(data: bytes) -> Tables:
    tables = {k: t for k, t in wanted_reading(data).tables().items() if n_rows(t)}
    for name, table in tables.items():
        if name.startswith(("ORSIS3302", "ORGretina4A")):
            # the format document calls these optional
            for extra in ("energy_waveform", "waveform_flags"):
                table.pop(extra, None)
        if name.startswith("ORSIS3302"):
            table.pop("flags", None)
    return tables


def joined(tables: Tables, notes: Sequence[str]) -> Tables:
    """Put rows with traces of another length back where they would be.

    They have tables of their own; the notes of the report name them.
    """
    out = dict(tables)
    for note in notes:
        if not note.startswith("traces of "):
            continue
        name = note.rpartition(" ")[2]
        if name not in tables:
            continue
        first = name.rpartition("_")[0]
        columns = {
            column: [*out[first][column], *rows] if first in out else [*rows]
            for column, rows in out.pop(name).items()
        }
        order = np.argsort(columns["packet_id"], kind="stable")
        out[first] = {c: [rows[i] for i in order] for c, rows in columns.items()}
    return out


def differences(found: Tables, wanted: Tables, *, padded: bool = False) -> list[str]:
    """List where tables are not exactly equal: columns, numbers of rows, types, bits.

    Parameters
    ----------
    padded
        zeros at the ends of waveforms do not count.
    """
    out = [f"{name}: unexpected" for name in found.keys() - wanted.keys()]
    for table, columns in wanted.items():
        ours = found.get(table)
        if ours is None:
            out.append(f"{table}: missing")
            continue
        if ours.keys() != columns.keys():
            out.append(f"{table}: columns {sorted(ours.keys() ^ columns.keys())}")
        for name in sorted(ours.keys() & columns.keys()):
            trim = padded and name == "waveform/values"
            difference = _difference(ours[name], columns[name], trim)
            if difference:
                out.append(f"{table}/{name}: {difference}")
    return out


def _difference(found: Any, wanted: Any, trim: bool) -> str:
    if len(found) != len(wanted):
        return f"{len(found)} rows, not {len(wanted)}"
    for row, (of_found, of_wanted) in enumerate(zip(found, wanted, strict=True)):
        a, b = of_found, of_wanted
        if trim:
            a, b = np.trim_zeros(a, "b"), np.trim_zeros(b, "b")
        if b.dtype.kind == "S":
            # a list of strings takes as much room as its longest
            a, b = a.astype("S7"), b.astype("S7")
        is_float = b.dtype.kind == "f"
        if (a.dtype, a.shape) != (b.dtype, b.shape) or not np.array_equal(
            a, b, equal_nan=is_float
        ):
            return f"row {row} is {a!r}, not {b!r}"
    return ""


def rows_in_order(data: bytes) -> list[tuple[int, bool, str]]:
    """List packet and table of each row that a reading gives, in their order.

    Rows of the software trigger come after those of the event that they go with.
    Configurations of FCIO streams are headers, which `n_max` does not count.
    """
    reading = wanted_reading(data)
    tables = {
        name: t for name, t in reading.tables().items() if "FCIOConfig" not in name
    }
    runs = [p.index for p in reading.framing.packets if p.decoder == RUN]
    rows = []
    for name, columns in tables.items():
        for packet_id in runs if name == RUN else columns["packet_id"]:
            rows.append((int(packet_id), "swtid" in name, name))
    return sorted(rows)


def first_rows(data: bytes, n: int) -> Tables:
    """Keep the first rows of a file, and the configurations before the last one."""
    rows = rows_in_order(data)[:n]
    last = rows[-1][0] if rows else 0
    kept = Counter(name for *_, name in rows)
    found: Tables = {}
    for name, columns in wanted_tables(data).items():
        if "FCIOConfig" in name:
            kept[name] = sum(packet_id < last for packet_id in columns["packet_id"])
        if kept[name]:
            found[name] = {c: rows[: kept[name]] for c, rows in columns.items()}
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.orca"


def is_plain(name: str) -> bool:
    """Whether all traces of a table have the same length."""
    return "other configuration" not in name and name != "everything"


# --- every kind of file -------------------------------------------------------------


@each_run
@pytest.mark.parametrize("by_lgdo", [False, True], ids=["arrays", "lgdo"])
def test_all_columns_of_all_tables_are_those_of_the_reference(name, by_lgdo, file):
    """And each byte of the file is decoded, or of a packet with an unknown name."""
    data = make(name)
    file.write_bytes(data)
    decoded = decode(file, by_lgdo=by_lgdo)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted_tables(data)) == []
    report = decoded.report
    assert report.n_bytes == report.bytes["decoded"] + report.bytes["unknown"]
    assert report.n_bytes == len(data)
    assert (report.exit_status, report.skipped_channels) == (0, {})


@each_run
def test_report_counts_packets_by_name(name, file):
    """Decoded ones, and those that no decoder is for (format 1.5 and 7)."""
    data = make(name)
    file.write_bytes(data)
    report = decode(file).report
    counts = reference.read_packets(data).counts()
    unknown = {k: n for k, n in counts.items() if k not in (*SUPPORTED, "header")}
    assert dict(report.unknown_records) == unknown
    assert report.packets["unknown"] == sum(unknown.values())
    assert report.packets["decoded"] == sum(counts.values()) - sum(unknown.values())


@each_run
def test_header_is_written_as_json(name, file):
    """Format 4.1: that of the first header."""
    data = make(name)
    file.write_bytes(data)
    assert decode(file).header == reference.read(data).header.json()


@each_run
@pytest.mark.parametrize("block_size", [1, 7, 4096])
def test_block_size_changes_nothing(name, block_size, file):
    """Not even if a packet comes byte by byte."""
    data = make(name, n_events=3, n_samples=8)
    if block_size == 1 and len(data) > 200_000:
        pytest.skip("too slow")
    file.write_bytes(data)
    decoded = decode(file, block_size=block_size)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted_tables(data)) == []
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.clean


SMALL_BUFFERS = (
    *("flashcam, three listeners", "fcio, fsp", "fcio, status", "fcio, type 11"),
    *("fcio, other configurations of two streams with fsp", "everything", "sub-runs"),
)


@pytest.mark.parametrize("name", SMALL_BUFFERS)
@pytest.mark.parametrize("chunk_mode", ["any_full", "only_full", "single_packet"])
def test_buffer_size_and_chunk_mode_change_nothing(name, chunk_mode, file):
    """From the smallest buffers that a packet fits into; most end inside a packet."""
    data = make(name)
    file.write_bytes(data)
    wanted = wanted_tables(data)
    n_chunks = []
    least = 14 if "type 11" in name else 4
    if "fcio" not in name and name != "everything":
        least = 1
    for buffer_size in (least, least + 1, least + 2, 2 * least + 1, 1000):
        decoded = decode(file, buffer_size=buffer_size, chunk_mode=chunk_mode)
        found = joined(decoded.tables, decoded.report.notes)
        assert differences(found, wanted) == [], buffer_size
        assert decoded.report.n_bytes == len(data)
        assert decoded.report.clean
        n_chunks.append(decoded.n_chunks)
    if chunk_mode == "any_full" and is_plain(name):
        assert n_chunks[0] > n_chunks[-1] == 1


def test_chunks_of_single_packets_have_rows_of_one_packet(file):
    data = make("fcio, fsp")
    file.write_bytes(data)
    streamer = OrcaStreamer()
    for rb in streamer.open_stream(str(file), chunk_mode="single_packet"):
        rb.loc = 0
    seen = []
    for chunk in streamer:
        ids = {
            int(packet_id)
            for rb in chunk
            if RUN not in rb.out_name
            for packet_id in rb.lgdo["packet_id"].nda[: rb.loc]
        }
        assert len(ids) <= 1
        seen += [*ids]
    streamer.close_stream()
    # each FCIO packet, once and in order
    counts = reference.read_packets(data).counts()
    assert len(seen) == sum(n for k, n in counts.items() if "FCIO" in k)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("name", ["flashcam, many channels", "fcio, fsp", "sub-runs"])
def test_n_max_gives_the_first_rows_in_file_order(name, file, tmp_path):
    """Also in the middle of a packet; configurations of FCIO do not count."""
    data = make(name)
    file.write_bytes(data)
    total = len(rows_in_order(data))
    out = tmp_path / "out.lh5"
    for n in (0, 1, 2, 3, 4, 5, 6, 7, total // 2, total - 1, total, total + 1):
        report = daq2lh5.build_raw(
            str(file), out_spec=str(out), n_max=n, overwrite=True, buffer_size=40
        )
        assert differences(read_lh5(out), first_rows(data, n)) == [], n
        assert report.n_bytes == len(data), n
        assert report.exit_status == 0


@each_run
def test_conversion_writes_the_same_tables(name, file, tmp_path):
    """By `build_raw`, read back with h5py; also the text of the header."""
    data = make(name)
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(str(file), out_spec=str(out), buffer_size=40)
    found = joined(read_lh5(out), report.notes)
    assert differences(found, wanted_tables(data)) == []
    with h5py.File(out) as written:
        text = written["OrcaHeader"][()].decode()
    assert text == reference.read(data).header.json()
    assert report.n_bytes == len(data)
    assert report.exit_status == 0


@pytest.mark.parametrize(
    "name", ["flashcam, many channels", "fcio, two streams with fsp", "everything"]
)
def test_number_of_threads_changes_nothing(name, file, tmp_path):
    """Not a byte of the output."""
    file.write_bytes(make(name, n_events=40))
    written = set()
    for threads in (1, 2):
        out = tmp_path / f"{threads}" / "out.lh5"
        out.parent.mkdir()
        daq2lh5.build_raw(
            str(file), out_spec=str(out), threads=threads, buffer_size=100
        )
        written.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(written) == 1


# --- sources ------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("end", ["orca", "orca.gz", "dat"])
@pytest.mark.parametrize("block_size", [None, 7])
def test_compressed_file_gives_the_same(compress, end, block_size, tmp_path):
    """Format 1.4 and 7.20: whatever its name, the content says what it is."""
    data = make("both generations")
    path = tmp_path / f"run.{end}"
    path.write_bytes(compress(data))
    with daq2lh5.open_stream(str(path)) as (streamer, _):
        assert isinstance(streamer, OrcaStreamer)
    decoded = decode(path, block_size=block_size)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.clean


@pytest.mark.parametrize("piece", [11, 1000, 1 << 20])
@pytest.mark.parametrize("name", ["both generations", "everything"])
def test_named_pipe_gives_the_same(name, piece, tmp_path):
    """The size is not known, so no length can be checked against it."""
    data = make(name)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    out = tmp_path / "out.lh5"
    with fed(pipe, data, piece):
        report = daq2lh5.build_raw(str(pipe), out_spec=str(out))
    found = joined(read_lh5(out), report.notes)
    assert differences(found, wanted_tables(data)) == []
    assert report.n_bytes == len(data)
    assert report.clean


def test_streamer_can_be_used_again(file):
    """Format B23; also after a file that it could not read."""
    streamer = OrcaStreamer()
    for name in ("both generations", "fcio, fsp", "sub-runs", "fcio, fsp"):
        data = make(name)
        file.write_bytes(data)
        decoded = decode(file, streamer=streamer)
        assert differences(decoded.tables, wanted_tables(data)) == [], name
        assert decoded.report.n_bytes == len(data)
        file.write_bytes(b"no ORCA file" * 9)
        with pytest.raises(DecodeError):
            decode(file, streamer=streamer)


def test_two_files_at_once(tmp_path):
    """Format B21: streams with the same id do not disturb each other."""
    names = ("fcio, fsp", "fcio, mixed")
    streamers = []
    for i, name in enumerate(names):
        path = tmp_path / f"{i}.orca"
        path.write_bytes(make(name))
        streamers.append(OrcaStreamer())
        for rb in streamers[-1].open_stream(str(path), chunk_mode="single_packet"):
            rb.loc = 0
    found: list[Tables] = [{}, {}]
    chunks = [iter(streamer) for streamer in streamers]
    while chunks:
        for tables, its_chunks in zip(found, list(chunks), strict=False):
            chunk = next(its_chunks, None)
            if chunk is None:
                chunks = [c for c in chunks if c is not its_chunks]
                continue
            for rb in chunk:
                append_rows(tables, rb.out_name, rows_of(rb))
        if len(chunks) == 1:
            last = next(i for i, s in enumerate(streamers) if s._more)
            for chunk in chunks[0]:
                for rb in chunk:
                    append_rows(found[last], rb.out_name, rows_of(rb))
            break
    for streamer in streamers:
        streamer.close_stream()
    for tables, name in zip(found, names, strict=True):
        assert differences(tables, wanted_tables(make(name))) == []


# --- what is asked for --------------------------------------------------------------


def channel_tables(data: bytes, decoder: str) -> Tables:
    """Split the rows of a decoder by key."""
    reading = wanted_reading(data)
    rows: dict[str, list[reference.Row]] = {}
    for row in reading.rows[decoder]:
        if isinstance(row.key, int):
            rows.setdefault(f"ch{row.key:07d}", []).append(row)
    return {name: reference.by_column(of[0].schema, of) for name, of in rows.items()}


@pytest.mark.parametrize(
    ("name", "decoder"),
    [
        ("flashcam, three listeners", OLD_WAVEFORM),
        ("flashcam, three listeners", NEW_WAVEFORM),
        ("flashcam, address of 2023", OLD_WAVEFORM),
        ("fcio, many channels", EVENT),
        ("fcio, sparse", EVENT),
    ],
)
@pytest.mark.parametrize("buffer_size", [3, 1000])
def test_one_table_for_each_channel(name, decoder, buffer_size, file, tmp_path):
    """Time stamps are right without the table of configurations (format B18)."""
    data = make(name)
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    channel = {"key_list": ["*"], "out_stream": str(out)}
    report = daq2lh5.build_raw(
        str(file), out_spec={decoder: {"ch{key:07d}": channel}}, buffer_size=buffer_size
    )
    found = {k: t for k, t in read_lh5(out).items() if "swtid" not in k}
    assert differences(found, channel_tables(data, decoder)) == []
    assert report.n_bytes == len(data)
    assert report.bytes["skipped"] > 0


@pytest.mark.parametrize(
    ("name", "decoder"),
    [("flashcam, three listeners", OLD_WAVEFORM), ("fcio, many channels", EVENT)],
)
def test_some_channels(name, decoder, file, tmp_path):
    """Others are left out; packets that nobody asked for are skipped."""
    data = make(name)
    file.write_bytes(data)
    wanted = channel_tables(data, decoder)
    chosen = [*wanted][1::3]
    out = tmp_path / "out.lh5"
    spec = {
        decoder: {
            name: {"key_list": [int(name[2:])], "out_stream": str(out)}
            for name in chosen
        }
    }
    report = daq2lh5.build_raw(str(file), out_spec=spec)
    assert differences(read_lh5(out), {name: wanted[name] for name in chosen}) == []
    left_out = {
        str(int(name[2:])): n_rows(table)
        for name, table in wanted.items()
        if name not in chosen
    }
    assert report.skipped_channels == {decoder: left_out}
    assert report.n_bytes == len(data)
    assert report.clean


@pytest.mark.parametrize("name", ["both generations", "sub-runs of fcio", "everything"])
@pytest.mark.parametrize("decoder", SUPPORTED)
def test_one_decoder_alone(name, decoder, file, tmp_path):
    """Its tables are those of the whole conversion (format B18)."""
    data = make(name)
    file.write_bytes(data)
    short = decoder.removesuffix("Decoder")
    tables = wanted_tables(data)
    wanted = {
        k: t for k, t in tables.items() if k == short or k.startswith(f"{short}_")
    }
    if not wanted:
        pytest.skip("the run has no such packets")
    lists = reference.key_lists(decoder, reference.read(data).header) or [[]]
    out = tmp_path / "out.lh5"
    spec = {
        decoder: {
            name: {"key_list": keys or ["*"], "out_stream": str(out)}
            for name, keys in zip(
                reference.table_names(decoder, lists), lists, strict=True
            )
            if keys or lists == [[]]
        }
    }
    report = daq2lh5.build_raw(str(file), out_spec=spec)
    assert differences(joined(read_lh5(out), report.notes), wanted) == []
    assert report.n_bytes == len(data)
    assert report.clean


def test_time_stamps_without_the_configuration(file, tmp_path):
    """Format B18: gps and sampling period are those of the configuration."""
    config = writer.flashcam_config(MAP, fcid=1, nsamples=8, adcbits=12, gps=1)
    packet = waveform(
        offsets=(10, 0, 2000, 0, 0, 0, 0), timestamp=(0, 10, 125_000_000, 249_999_999)
    )
    file.write_bytes(flashcam_file(config, packet))
    out = tmp_path / "out.lh5"
    spec = {OLD_WAVEFORM: {"wf": {"key_list": ["*"], "out_stream": str(out)}}}
    daq2lh5.build_raw(str(file), out_spec=spec)
    table = read_lh5(out)["wf"]
    assert list(table["timestamp"]) == [2010.5]
    assert list(table["waveform/dt"]) == [4]


@pytest.mark.parametrize("name", ["flashcam, three listeners", "fcio, many channels"])
@pytest.mark.parametrize("buffer_size", [30, 1000])
def test_listeners_in_one_table(name, buffer_size, file, tmp_path):
    """Rows are in the order of the packets, whatever their listeners."""
    data = make(name)
    file.write_bytes(data)
    decoder = EVENT if "fcio" in name else OLD_WAVEFORM
    out = tmp_path / "out.lh5"
    spec = {decoder: {"all": {"key_list": ["*"], "out_stream": str(out)}}}
    daq2lh5.build_raw(str(file), out_spec=spec, buffer_size=buffer_size)
    columns = wanted_reading(data).columns(
        decoder, "FCEvent" if decoder == EVENT else None
    )
    assert differences(read_lh5(out), {"all": columns}) == []


def test_wildcard_for_all_decoders(file, tmp_path):
    data = make("both generations")
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    spec = {"*": {"raw/{name}": {"key_list": ["*"], "out_stream": str(out)}}}
    daq2lh5.build_raw(str(file), out_spec=spec)
    found = {k.removeprefix("raw/"): t for k, t in read_lh5(out).items()}
    assert differences(found, wanted_tables(data)) == []


# --- one FlashCam listener of the first generation ----------------------------------

ADDRESS = 0x120
MAP = tuple(ADDRESS << 16 | i for i in range(6))
FLASHCAM_HEADER: dict[str, Any] = {
    "crates": [
        writer.crate(
            0, [writer.flashcam_adc(1, ADDRESS), writer.flashcam_adc(3, 0x130)]
        ),
        writer.crate(2, [writer.flashcam_adc(4, 0x3A0, std=True)]),
    ],
    "aux_hw": [writer.listener(1, samples=8), writer.listener(2, samples=8)],
    "readouts": [writer.readout(1, [(0, 1), (0, 3)]), writer.readout(2, [(2, 4)])],
}


def waveform(samples: Any = range(8), **options: Any) -> bytes:
    place = {"crate": 0, "slot": 1, "address": ADDRESS}
    return writer.flashcam_waveform(samples, **(place | options))


def flashcam_file(*packets: bytes, **options: Any) -> bytes:
    start = writer.header_packet(writer.header(**(FLASHCAM_HEADER | options)))
    return b"".join((start, writer.run(), *packets, writer.run(0)))


FLASHCAM_FILES: dict[str, Sequence[bytes]] = {
    "no configuration": [waveform(), waveform(fc_input=5, channel=5)],
    "configuration that comes late": [
        waveform(),
        writer.flashcam_config(MAP, nsamples=8, gps=1),
        waveform(),
    ],
    "second configuration": [
        writer.flashcam_config(MAP, nsamples=8),
        waveform(),
        writer.flashcam_config(MAP, nsamples=8, gps=1),
        waveform(),
        writer.flashcam_config(MAP, nsamples=8, adcbits=12),
        waveform(),
    ],
    "boards": [
        writer.flashcam_config(
            MAP,
            nsamples=8,
            adccards=5,
            boards=[(0xA1 + i, 0xAABBCCDD_11223344 + i) for i in range(5)],
        ),
        waveform(),
    ],
    "board of the configuration": [
        writer.flashcam_config(MAP, nsamples=8),
        waveform(address=0x330),
        waveform(address=0x20),
        waveform(address=0x330),
    ],
    "board that the configuration exchanges": [
        writer.flashcam_config(
            (*(0x130 << 16 | i for i in range(6)), ADDRESS << 16 | 3), nsamples=8
        ),
        waveform(),
        waveform(fc_input=2, channel=2),
        waveform(fc_input=3, channel=6),
    ],
    "input that the configuration corrects": [
        writer.flashcam_config(MAP, nsamples=8),
        waveform(fc_input=4, channel=2),
    ],
    "input out of range that the configuration corrects": [
        writer.flashcam_config(MAP, nsamples=8),
        waveform(fc_input=15, channel=3),
    ],
    "development split": [
        writer.flashcam_config(MAP, nsamples=8),
        *(waveform(fc_input=i, channel=i, wide_input=True) for i in (1, 3, 5)),
    ],
    "card of 12 bits": [
        writer.flashcam_config(
            [0x3A00000 + i for i in range(24)], fcid=2, nsamples=8, adcbits=12, gps=1
        ),
        waveform(
            crate=2,
            slot=4,
            address=0x3A0,
            high_address=True,
            fc_input=23,
            channel=23,
            wide_input=True,
            data_id=writer.DATA_IDS[NEW_WAVEFORM],
        ),
    ],
    "card of 12 bits without a configuration": [
        waveform(
            crate=2,
            slot=4,
            address=0x3A0,
            high_address=True,
            fc_input=11,
            channel=11,
            wide_input=True,
            data_id=writer.DATA_IDS[NEW_WAVEFORM],
        ),
    ],
    "largest time stamps": [
        waveform(timestamp=(-1, -1, -1, 0x7FFFFFFF)),
        waveform(timestamp=(0x7FFFFFFF, 0x7FFFFFFF, -0x80000000, 0)),
        waveform(dead_region=(-0x80000000, 0, 0x7FFFFFFF, 0, 1)),
        waveform(dead_region=(0, 0, 0, 1, -1)),
    ],
    "longest trace": [
        writer.flashcam_config(MAP, nsamples=65_534),
        waveform(np.arange(65_534) & 0xFFFF),
    ],
}


@pytest.mark.parametrize("name", FLASHCAM_FILES)
def test_traces(name, file):
    """Format 4.3 and 8: B4 and B13 to B18."""
    data = flashcam_file(*FLASHCAM_FILES[name])
    file.write_bytes(data)
    wanted = wanted_reading(data)
    assert wanted.dropped == {}
    decoded = decode(file)
    assert differences(decoded.tables, wanted.tables()) == []
    assert decoded.report.n_bytes == decoded.report.bytes["decoded"] == len(data)


def test_corrected_input_says_which_channel(file, tmp_path):
    """Format B17: with one table for each channel a row is in the right one."""
    data = flashcam_file(*FLASHCAM_FILES["input that the configuration corrects"])
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    channel = {"key_list": ["*"], "out_stream": str(out)}
    daq2lh5.build_raw(str(file), out_spec={OLD_WAVEFORM: {"ch{key:07d}": channel}})
    assert differences(read_lh5(out), channel_tables(data, OLD_WAVEFORM)) == []


def test_address_of_another_card(file):
    """Format 4.3.3: with no configuration to say better, the record's is used."""
    file.write_bytes(flashcam_file(waveform(address=0x130)))
    decoded = decode(file)
    assert decoded.tables["ORFlashCamADCWaveform_0"]["board_id"] == [0x300]
    assert any("address" in note for note in decoded.report.notes)


@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_wide_input_under_the_old_name(n_channels, file):
    """Format 4.3.3: a development version wrote the newer split of word 2."""
    options: dict[str, Any] = {
        "kinds": "flashcam",
        "n_events": 4,
        "n_channels": n_channels,
        "n_samples": 8,
    }
    data = writer.make_stream(**options, flashcam_options={"wide_input": True})
    file.write_bytes(data)
    wanted = wanted_tables(writer.make_stream(**options))
    assert differences(decode(file).tables, wanted) == []


@pytest.mark.parametrize("header_samples", [0, 4, 8, 4096])
@pytest.mark.parametrize("name", ["no configuration", "second configuration"])
def test_number_of_samples_in_the_header_does_not_matter(name, header_samples, file):
    """Format 4.3: it can be wrong."""
    listeners = [writer.listener(i, samples=header_samples) for i in (1, 2)]
    data = flashcam_file(*FLASHCAM_FILES[name], aux_hw=listeners)
    file.write_bytes(data)
    decoded = decode(file)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted_tables(data), padded=True) == []
    assert not [note for note in decoded.report.notes if "traces of" in note]
    assert decoded.report.clean


@pytest.mark.parametrize("chunk_mode", ["any_full", "only_full", "single_packet"])
@pytest.mark.parametrize("buffer_size", [1, 3, 100])
def test_traces_of_other_lengths(chunk_mode, buffer_size, file):
    """Format 7.15: no sample is lost, the first packet does not decide."""
    config = writer.flashcam_config(MAP, nsamples=8)
    lengths = (0, 8, 4, 8, 10, 0, 10, 12, 8, 4)
    packets = [
        waveform(range(1, 1 + n), fc_input=i % 6, channel=i % 6)
        for i, n in enumerate(lengths)
    ]
    for first in ((config,), ()):
        data = flashcam_file(*first, *packets)
        file.write_bytes(data)
        decoded = decode(file, chunk_mode=chunk_mode, buffer_size=buffer_size)
        found = joined(decoded.tables, decoded.report.notes)
        assert differences(found, wanted_tables(data), padded=True) == []
        assert decoded.report.n_bytes == decoded.report.bytes["decoded"] == len(data)


def test_listeners_that_are_not_read_out(file):
    """Format 2: only ``ReadoutDescription`` says what is read out."""
    more = [writer.listener(7, samples=3), *FLASHCAM_HEADER["aux_hw"]]
    data = flashcam_file(*FLASHCAM_FILES["second configuration"], aux_hw=more)
    file.write_bytes(data)
    assert differences(decode(file).tables, wanted_tables(data)) == []


def test_crate_with_cards_of_both_kinds(file):
    """Format B19."""
    crates = [
        writer.crate(
            0,
            [
                writer.flashcam_adc(1, ADDRESS),
                writer.flashcam_adc(2, 0x200, std=True),
                writer.flashcam_adc(3, 0x130),
            ],
        )
    ]
    readouts = [writer.readout(1, [(0, 1), (0, 2), (0, 3)])]
    data = flashcam_file(
        waveform(),
        waveform(slot=3, address=0x130),
        waveform(slot=2, address=0x200, high_address=True, fc_input=12),
        crates=crates,
        readouts=readouts,
    )
    file.write_bytes(data)
    wanted = wanted_reading(data)
    assert wanted.dropped == {}
    decoded = decode(file)
    assert differences(decoded.tables, wanted.tables()) == []


# --- FCIO records by hand -----------------------------------------------------------

FCIO_HEADER: dict[str, Any] = {
    "crates": [
        writer.crate(0, [writer.flashcam_adc(1, 0x110)]),
        writer.crate(1, [writer.flashcam_adc(1, 0x210)]),
    ],
    "aux_hw": [writer.listener(1, samples=4), writer.listener(2, samples=4)],
    "readouts": [writer.readout(1, [(0, 1)]), writer.readout(2, [(1, 1)])],
}
ONE_STREAM = {"readouts": [writer.readout(1, [(0, 1)])]}
FCIO_MAP = (0x1100000, 0x1100001)


def fcio_config(**options: Any) -> bytes:
    settings: dict[str, Any] = {
        "adcs": 2,
        "eventsamples": 4,
        "tracemap": FCIO_MAP,
        "streamid": 0x10001,
    }
    return fcio.config(**(settings | options))


def config_packet(config: bytes | None = None, **options: Any) -> bytes:
    record = fcio_config() if config is None else config
    return writer.fcio_packet(fcio.handshake(), record, **options)


def fcio_file(*packets: bytes, **options: Any) -> bytes:
    plist = writer.header(
        **(FCIO_HEADER | {"decoders": writer.SECOND_GENERATION} | options)
    )
    return b"".join((writer.header_packet(plist), writer.run(), *packets))


def traces(n: int = 2, n_samples: int = 4, first: int = 0) -> np.ndarray:
    samples = first + np.arange(n * n_samples).reshape(n, n_samples)
    return fcio.with_headers(samples, 10 + first, 20 + first)


def event_packet(first: int = 0, n: int = 2, n_samples: int = 4, **options) -> bytes:
    return writer.fcio_packet(fcio.event(traces(n, n_samples, first)), **options)


OTHER_STREAM = fcio_config(
    adcs=1, eventsamples=2, tracemap=(0x2100005,), streamid=0x10002, adcbits=12
)
SHORTER = fcio_config(adcs=1, eventsamples=2, tracemap=(0x1100004,))

FCIO_FILES: dict[str, tuple[Sequence[bytes], dict[str, Any]]] = {
    "two streams, the second one first": (
        [
            config_packet(OTHER_STREAM, streamid=0x10002),
            config_packet(),
            event_packet(),
            event_packet(5, 1, 2, streamid=0x10002),
            event_packet(9),
        ],
        {},
    ),
    "same configuration again": (
        [config_packet(), event_packet(), config_packet(), event_packet(1)],
        ONE_STREAM,
    ),
    "configuration of other length": (
        [
            config_packet(),
            event_packet(),
            config_packet(SHORTER),
            event_packet(1, 1, 2),
            config_packet(),
            event_packet(2),
        ],
        {},
    ),
    "second configuration of one of two streams": (
        [
            config_packet(),
            config_packet(OTHER_STREAM, streamid=0x10002),
            event_packet(),
            config_packet(SHORTER),
            event_packet(5, 1, 2, streamid=0x10002),
            event_packet(1, 1, 2),
            config_packet(OTHER_STREAM, streamid=0x10002),
            event_packet(6, 1, 2, streamid=0x10002),
        ],
        {},
    ),
    "zeros after the records": (
        [
            config_packet(padding=5),
            event_packet(padding=5),
            writer.fcio_packet(
                fcio.sparse_event((1,), traces()[1:], num_traces=1), padding=3
            ),
        ],
        ONE_STREAM,
    ),
    "unknown records in a packet": (
        [
            config_packet(),
            writer.fcio_packet(
                fcio.record(77, b"abc", b""), fcio.calib(adcs=2), fcio.event(traces())
            ),
            event_packet(3),
        ],
        ONE_STREAM,
    ),
    "cards of all kinds": (
        [
            config_packet(fcio_config(mastercards=2, triggercards=1)),
            writer.fcio_packet(
                fcio.status(
                    [fcio.StatusCard(reqid=i) for i in (0, 0x4000, 0x1000, 0x2000)]
                )
            ),
        ],
        ONE_STREAM,
    ),
    "software trigger that the header lacks": (
        [
            writer.fcio_packet(fcio.handshake(), fcio.fsp_config(), fcio_config()),
            writer.fcio_packet(fcio.fsp_event(), fcio.event(traces())),
            event_packet(3),
        ],
        ONE_STREAM,
    ),
    "software trigger that the data lack": (
        [
            config_packet(),
            event_packet(),
            writer.fcio_packet(fcio.fsp_event(), fcio.event(traces())),
        ],
        ONE_STREAM | {"aux_hw": [writer.listener(1, samples=4, fsp=True)]},
    ),
    "header with other numbers of samples": (
        [config_packet(), event_packet()],
        {"aux_hw": [writer.listener(i, samples=4096) for i in (1, 2)]},
    ),
    "long packets": (
        [
            writer.long_packet(writer.DATA_IDS[k], 0x10001, b"".join(records))
            for k, records in (
                (CONFIG, [fcio.handshake(), fcio_config()]),
                (EVENT, [fcio.event(traces())]),
            )
        ],
        ONE_STREAM,
    ),
}


@pytest.mark.parametrize("name", FCIO_FILES)
def test_fcio_packets(name, file):
    """Format 4.4, FCIO format, 7; and format B22."""
    packets, options = FCIO_FILES[name]
    data = fcio_file(*packets, **options)
    file.write_bytes(data)
    wanted = wanted_reading(data)
    assert wanted.dropped == {}
    decoded = decode(file)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted.tables()) == []
    assert decoded.report.n_bytes == decoded.report.bytes["decoded"] == len(data)
    # without its settings a record of the software trigger gives no row
    lone = {LONE_FSP: 1} if name == "software trigger that the data lack" else {}
    assert decoded.report.irregular == lone
    assert not decoded.report.n_damage


def test_one_decoder_for_all_fcio_records(file):
    """Format 4.4: a short-lived version; rows go where those of each kind do."""
    data_id = writer.DATA_IDS["ORFCIODecoder"]
    packets = (
        config_packet(data_id=data_id),
        writer.fcio_packet(fcio.event(traces()), data_id=data_id),
        writer.fcio_packet(fcio.event_header((1,), ((1, 2),)), data_id=data_id),
        writer.fcio_packet(fcio.status(), data_id=data_id),
    )
    # also if the header has none of the decoders of each kind
    for decoders in (writer.DATA_IDS, (RUN, "ORFCIODecoder")):
        data = fcio_file(*packets, **ONE_STREAM, decoders=decoders)
        file.write_bytes(data)
        decoded = decode(file)
        report = decoded.report
        assert report.bytes["decoded"] == report.n_bytes == len(data)
        assert report.clean
        assert not report.unknown_records
        assert len(decoded.tables) == 5
        assert differences(decoded.tables, wanted_tables(data)) == []


def test_other_length_of_traces_has_a_table_of_its_own(file, tmp_path):
    """As in native FCIO files; back at the first length, it is the first again."""
    packets, options = FCIO_FILES["configuration of other length"]
    file.write_bytes(fcio_file(*packets, **options))
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(str(file), out_spec=str(out))
    tables = {k: t for k, t in read_lh5(out).items() if k.startswith("ORFCIOEvent")}
    found = {k: list(t["packet_id"]) for k, t in tables.items()}
    assert found == {"ORFCIOEvent_0": [3, 3, 7, 7], "ORFCIOEvent_0_2": [5]}
    assert any("ORFCIOEvent_0_2" in note for note in report.notes)


def test_more_lengths_than_there_can_be_tables(file):
    """The rest counts as damaged, and the packets behind it are written."""
    lengths = [*range(2, 72), 2]
    packets = [
        packet
        for n in lengths
        for packet in (
            config_packet(fcio_config(eventsamples=n)),
            event_packet(n, n_samples=n),
        )
    ]
    file.write_bytes(fcio_file(*packets, **ONE_STREAM))
    decoded = decode(file)
    events = [len(t["packet_id"]) for k, t in decoded.tables.items() if "Event" in k]
    assert (len(events), sum(events)) == (65, 2 * 66)
    assert decoded.report.packets["corrupt"] == 2 * 5
    assert decoded.report.bytes["skipped"] == 0
    assert any("more than 64 lengths" in note for note in decoded.report.notes)
    assert decoded.report.exit_status == 3


def test_more_lengths_of_flashcam_traces_than_there_can_be_tables(file):
    """As with FCIO: the job goes on, and back at a known length there are rows."""
    packets = [waveform(range(2 * n)) for n in (*range(1, 71), 1, 5)]
    file.write_bytes(flashcam_file(*packets))
    decoded = decode(file)
    traces = [len(t["packet_id"]) for k, t in decoded.tables.items() if "Wave" in k]
    assert (len(traces), sum(traces)) == (65, 67)
    assert decoded.report.packets["corrupt"] == 5
    assert decoded.report.bytes["skipped"] == 0
    assert any("more than 64 lengths" in note for note in decoded.report.notes)


def test_cards_in_long_list_of_children(file):
    """A status has one row for each card, in any number of chunks."""
    cards = [fcio.StatusCard(reqid=0x2000 + i) for i in range(9)]
    packets = [writer.fcio_packet(fcio.status(cards[:n])) for n in range(1, 10)]
    data = fcio_file(config_packet(), *packets, **ONE_STREAM)
    file.write_bytes(data)
    for buffer_size in (6, 9, 20):
        tables = decode(file, buffer_size=buffer_size).tables
        assert differences(tables, wanted_tables(data)) == [], buffer_size


# --- headers in mid-file ------------------------------------------------------------


def test_header_with_other_ids(file):
    """Format 1.2 and 7.2: concatenated files, whose ids may differ."""
    ids = {k: v for k, v in writer.DATA_IDS.items() if k in (RUN, OLD_WAVEFORM)}
    ids = {RUN: ids[OLD_WAVEFORM], OLD_WAVEFORM: ids[RUN], LISTENER: 77 << 18}
    again = writer.header(**FLASHCAM_HEADER, decoders=ids, ids=ids)
    data = flashcam_file(
        writer.flashcam_config(MAP, nsamples=8),
        waveform(),
        writer.header_packet(again),
        writer.run(number=1281, data_id=ids[RUN]),
        writer.flashcam_config(MAP, nsamples=8, gps=1, data_id=77 << 18),
        waveform(data_id=ids[OLD_WAVEFORM]),
        writer.run(0, number=1281, data_id=ids[RUN]),
    )[: -len(writer.run())]
    file.write_bytes(data)
    decoded = decode(file)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.n_rows(RUN) == 3
    assert decoded.report.bytes["decoded"] == len(data)
    assert any("header" in note for note in decoded.report.notes)


def test_header_with_other_cards(file):
    """Format 1.2: the settings of the cards are those of the header in force."""
    again = FLASHCAM_HEADER | {
        "crates": [
            writer.crate(0, [writer.flashcam_adc(1, 0x130)]),
            writer.crate(2, [writer.flashcam_adc(4, ADDRESS)]),
        ],
        "readouts": [writer.readout(1, [(0, 1), (2, 4)])],
    }
    data = flashcam_file(
        waveform(),
        writer.header_packet(writer.header(**again)),
        waveform(address=0x130),
        waveform(crate=2, slot=4),
    )
    file.write_bytes(data)
    decoded = decode(file)
    wanted = wanted_tables(data)
    assert differences(decoded.tables, wanted) == []
    # named as in a file that begins with the current header
    assert decoded.tables["ORFlashCamADCWaveform_0"]["board_id"] == [ADDRESS]
    assert decoded.tables["ORFlashCamADCWaveform"]["board_id"] == [0x130, ADDRESS]


@pytest.mark.parametrize("name", ["flashcam, map of 2400 entries", "fcio, fsp"])
def test_concatenated_files(name, file):
    """Format 1.2: packets are counted on, and no row is lost."""
    parts = [make(name, seed=seed, run_number=1280 + seed) for seed in range(3)]
    data = b"".join(parts)
    file.write_bytes(data)
    for buffer_size in (8, 1000):
        decoded = decode(file, buffer_size=buffer_size)
        assert differences(decoded.tables, wanted_tables(data)) == []
        assert decoded.report.bytes["decoded"] + decoded.report.bytes["unknown"] == len(
            data
        )
        assert decoded.report.clean


def test_channels_of_a_later_header_are_written_too(file):
    """Format 1.2: a later run may have more channels than the first."""
    options: dict[str, Any] = {"kinds": "flashcam", "n_events": 3, "n_samples": 8}
    data = b"".join(writer.make_stream(**options, n_channels=n) for n in (2, 9))
    file.write_bytes(data)
    decoded = decode(file)
    assert decoded.n_rows("ORFlashCamADCWaveform") == 3 * 2 + 3 * 9
    assert decoded.report.skipped_channels == {}
    assert decoded.report.clean


def test_header_in_mid_file_of_more_than_a_mebibyte(file):
    """Format 1.2 and 7.11: the length in word 0 wraps."""
    plist = writer.header(**FLASHCAM_HEADER, objects={"Note": "x" * 1_100_000})
    packet = writer.header_packet(plist)
    data = packet + flashcam_file(waveform(), packet, waveform())
    file.write_bytes(data)
    for block_size in (None, 100_000):
        decoded = decode(file, block_size=block_size)
        assert differences(decoded.tables, wanted_tables(data)) == []
        assert decoded.report.bytes["decoded"] == len(data)


# --- byte order (format 1.3) -------------------------------------------------------


def big_endian(data: bytes, index: list[writer.Packet]) -> bytes:
    packets = [data[p.offset : p.offset + p.length] for p in index]
    return b"".join(writer.swapped(packets))


@pytest.mark.parametrize("name", ["flashcam", "fsp", "sub-runs", "everything else"])
@pytest.mark.parametrize("block_size", [None, 1, 7, 4096])
def test_swapped_file_gives_the_same(name, block_size, file):
    """Headers in mid-file too, whatever the bytes come in."""
    options = {
        "flashcam": {"kinds": "flashcam"},
        "fsp": {"kinds": "fcio", "fcio_options": {"kind": "mixed", "fsp": True}},
        "sub-runs": {"kinds": ("flashcam", "fcio", "unknown"), "subruns": 1},
        # texts in records too
        "everything else": {"kinds": [k for k in writer.KINDS if "f" not in k]},
    }[name]
    data, index = writer.make_indexed_stream(
        n_events=8, n_channels=3, n_samples=40, **options
    )
    file.write_bytes(big_endian(data, index))
    decoded = decode(file, block_size=block_size)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.clean
    assert any("big-endian" in note for note in decoded.report.notes)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_swapped_file_that_is_cut(n, file):
    data, index = writer.make_indexed_stream(kinds="flashcam", n_events=5)
    file.write_bytes(big_endian(data, index)[:-n])
    decoded = decode(file)
    assert decoded.report.bytes["cut_off"] == 16 - n
    whole = data[: index[-1].offset]
    assert differences(decoded.tables, wanted_tables(whole)) == []


def test_packets_of_a_swapped_file_by_number(file):
    kinds = ("flashcam", "slow", "unknown")
    data, index = writer.make_indexed_stream(kinds=kinds, n_events=5, subruns=1)
    file.write_bytes(big_endian(data, index))
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(file))
    assert streamer.is_orca_stream(str(file))
    for packet in index:
        words = streamer.load_packet()
        assert words.tobytes() == data[packet.offset : packet.offset + packet.length]
    assert streamer.load_packet() is None
    streamer.close_in_stream()


@pytest.mark.parametrize("head_words", [1, 2])
def test_histogram_without_contents_in_a_swapped_file(head_words, file):
    """There is no text to turn around: the packet is damage like any other."""
    data_id = writer.DATA_IDS["OR1DHistoDecoder"]
    empty = struct.pack(">II", data_id, 2)
    if head_words == 1:
        empty = struct.pack(">I", data_id | 1)
    header, *runs = writer.swapped(
        [writer.header_packet(writer.header()), *[writer.run()] * 5]
    )
    file.write_bytes(b"".join((header, *runs[:2], empty, *runs[2:])))
    decoded = decode(file)
    assert n_rows(decoded.tables[RUN]) == 5
    assert decoded.report.n_damage == 1


def test_head_of_an_extended_histogram_in_a_swapped_file(file):
    """The number of its words of text is behind the words that are read."""
    data_id = writer.DATA_IDS["OR1DHistoDecoder"]
    header = writer.swapped([writer.header_packet(writer.header())])[0]
    # a name of one word, which is in order, and one bin
    words = struct.pack(">3I4s2I", data_id, 6, 1, b"name", 1, 9)
    file.write_bytes(header + words)
    histogram = np.frombuffer(words, ">u4").astype("<u4")
    histogram[3] = np.frombuffer(b"name", "<u4")[0]
    streamer = OrcaStreamer()
    streamer.open_stream(str(file))
    assert np.array_equal(streamer.load_packet_header(), histogram[:2])
    assert np.array_equal(streamer.load_packet(1), histogram)
    streamer.close_stream()


# --- what the package does not read -------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [k for k in writer.KINDS if k not in ("flashcam", "fcio")],
)
def test_packets_of_other_hardware(kind, file, tmp_path):
    """They are skipped and counted by name, and nothing is lost besides."""
    data = writer.make_stream(
        kinds=("flashcam", kind), n_events=6, n_channels=3, n_samples=16
    )
    file.write_bytes(data)
    report = daq2lh5.build_raw(str(file), out_spec=str(tmp_path / "out.lh5"))
    wanted = wanted_tables(data)
    found = read_lh5(tmp_path / "out.lh5")
    assert differences({k: found.get(k, {}) for k in wanted}, wanted) == []
    assert report.n_bytes == len(data)
    assert report.exit_status == 0
    counts = reference.read_packets(data).counts()
    for name, n in report.unknown_records.items():
        assert counts[name] == n


# --- real files ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Convert a real file, once."""
    done: dict[str, tuple[Path, ConversionReport]] = {}

    def convert(name: str) -> tuple[Path, ConversionReport]:
        if name not in done:
            out = tmp_path_factory.mktemp("real") / f"{name}.lh5"
            report = daq2lh5.build_raw(str(TESTDATA / "orca" / name), out_spec=str(out))
            done[name] = out, report
        return done[name]

    return convert


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
def test_real_file_gives_what_the_reference_reads(name, converted):
    path, report = converted(name)
    data = (TESTDATA / "orca" / name).read_bytes()
    assert differences(read_lh5(path), wanted_tables(data)) == []
    assert report.bytes["decoded"] == report.n_bytes == len(data)
    assert report.exit_status == 0


def sha256(array: np.ndarray) -> str:
    """Hash an array's bytes, little-endian, each NaN the same."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array).astype(array.dtype)
    little_endian = array.astype(array.dtype.newbyteorder("<"))
    return hashlib.sha256(np.ascontiguousarray(little_endian).tobytes()).hexdigest()


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
def test_real_file_gives_what_the_peer_writes(name, converted):
    """Types, shapes, units and content of every dataset in the digest."""
    path, _ = converted(name)
    digest = json.loads((TESTDATA / "expected" / f"{name}.json").read_text())
    assert len(digest) > 30
    wrong = []
    with h5py.File(path) as file:
        for place, wanted in digest.items():
            if place not in file:
                wrong.append(f"{place}: missing")
                continue
            item = file[place]
            if wanted["kind"] != "dataset":
                continue
            found: dict[str, Any] = {
                key: item.attrs[key]
                for key in ("datatype", "units")
                if key in item.attrs
            }
            found |= {"kind": "dataset", "shape": list(item.shape)}
            if h5py.check_string_dtype(item.dtype) is None:
                found["dtype"] = item.dtype.newbyteorder("=").str.lstrip("<>=|")
                found["sha256"] = sha256(item[()])
            differing = {
                key: (value, wanted[key])
                for key, value in found.items()
                if value != wanted.get(key)
            }
            if differing:
                wrong.append(f"{place}: {differing}")
    assert wrong == []


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
@pytest.mark.parametrize("chunk_mode", ["any_full", "only_full", "single_packet"])
def test_real_file_in_small_buffers(name, chunk_mode):
    data = (TESTDATA / "orca" / name).read_bytes()
    decoded = decode(
        TESTDATA / "orca" / name,
        buffer_size=192,
        chunk_mode=chunk_mode,
        block_size=10_007,
    )
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.report.bytes["decoded"] == len(data)


def test_settings_of_fcio_columns_hold_for_traces_too(file, tmp_path, monkeypatch):
    """As in legend-daq2lh5, whose ORCA decoders have the columns of FCIO's."""
    from daq2lh5.fc.fc_event_decoder import fc_event_decoded_values as values

    monkeypatch.setitem(values["packet_id"], "hdf5_settings", {"compression": "lzf"})
    settings = {"values": {"shuffle": False, "compression": "lzf"}}
    monkeypatch.setitem(values["waveform"], "hdf5_settings", settings)
    file.write_bytes(make("flashcam, many channels"))
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(str(file), out_spec=str(out))
    with h5py.File(out) as f:
        (name,) = [n for n in f if n.startswith("ORFlashCamADCWaveform")][:1]
        assert f[f"{name}/packet_id"].compression == "lzf"
        assert f[f"{name}/waveform/values"].compression == "lzf"
        assert f[f"{name}/waveform/values"].shuffle is False
        assert f[f"{name}/baseline"].compression == "gzip"
