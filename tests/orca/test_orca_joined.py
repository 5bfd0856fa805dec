"""Files joined by ``cat`` give the rows of the single files."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kit.decoding.orca import decode
from kit.generators.orca_packets import config_packet, event_packet, fcio_file
from kit.places import TESTDATA
from kit.writers import fcio
from kit.writers import orca as writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit.decoding.orca import Tables

SMALL: dict[str, Any] = {"n_events": 6, "n_channels": 3, "n_samples": 16}
FSP = {"kind": "mixed", "fsp": True, "status_every": 3}


def run(**options: Any) -> bytes:
    return writer.make_stream(**(SMALL | options))


def sis3302(
    channels: tuple[int, ...], n: int = 8, clock: int = 0, **options: Any
) -> bytes:
    """Make a file of one SIS3302, with a trace of `n` samples of each channel."""
    card = writer.sis3302_card(
        options.pop("slot", 4),
        internal_mask=options.pop("mask", sum(1 << c for c in channels)),
        sample_lengths=(options.pop("declared", n),) * 4,
    )
    card["clockSource"] = clock
    header = writer.header(crates=[writer.crate(0, [card])], **options)
    traces = [writer.sis3302(range(n), card=4, channel=c) for c in channels]
    return writer.header_packet(header) + b"".join(traces)


def with_ids(shift: int) -> bytes:
    """Make a file whose run records have the id of another file's traces."""
    names = [*writer.DATA_IDS]
    ids = dict(
        zip(
            names,
            [writer.DATA_IDS[n] for n in names[shift:] + names[:shift]],
            strict=True,
        )
    )
    header = writer.header(decoders=["ORRunDecoderForRun"], ids=ids, run_number=7)
    record = writer.run(number=7, data_id=ids["ORRunDecoderForRun"])
    return writer.header_packet(header) + record * 3


def header_with_id_0() -> bytes:
    """Make a header with the id 0 for a record, as in files of 2007."""
    header = writer.header()
    for entry in header["dataDescription"]["ORRunModel"].values():
        entry["dataId"] = 0
    return writer.header_packet(header)


def fcio_header(**options: Any) -> bytes:
    """Make a header alone."""
    return writer.header_packet(writer.Run(**(SMALL | options)).plist())


def without_listeners() -> bytes:
    """Make a file with a stream of a listener that the header lacks."""
    config = fcio.config(
        adcs=2, eventsamples=4, tracemap=(0x1100000, 0x1100001), streamid=0x10007
    )
    return fcio_file(
        config_packet(config, streamid=0x10007), event_packet(1, streamid=0x10007)
    )


FILES: dict[str, Callable[[], bytes]] = {
    "flashcam": lambda: run(kinds="flashcam"),
    "flashcam of three listeners": lambda: run(
        kinds="flashcam", listeners=3, n_channels=7, n_samples=10
    ),
    "flashcam of a sub-run": lambda: run(kinds="flashcam", subruns=1, run_number=9),
    "fcio": lambda: run(kinds="fcio", n_samples=16),
    "fcio, other samples": lambda: run(kinds="fcio", n_samples=24, n_channels=5),
    "fcio, fsp": lambda: run(kinds="fcio", fcio_options=FSP),
    "fcio, two streams with fsp": lambda: run(
        kinds="fcio", listeners=2, fcio_options=FSP, seed=3
    ),
    "fcio, two streams": lambda: run(kinds="fcio", listeners=2, second_config=True),
    "fcio, fsp not enabled": lambda: fcio_header(kinds="fcio"),
    "fcio, unknown listener": without_listeners,
    "both generations": lambda: run(
        kinds=("flashcam", "fcio"), listeners=2, fcio_options=FSP, run_number=5
    ),
    "everything": lambda: run(kinds=writer.KINDS, subruns=1, run_number=6),
    "records": lambda: run(kinds=()),
    "id 0": header_with_id_0,
    "other ids": lambda: with_ids(3),
    "other ids still": lambda: with_ids(9),
    "sis3302, one channel": lambda: sis3302((1,)),
    "sis3302, three channels": lambda: sis3302((0, 1, 5), clock=1),
    "sis3302, other samples": lambda: sis3302((1, 5), 12, clock=3),
    "sis3302, short": lambda: sis3302((1, 5), 8, declared=12, run_number=3),
    "sis3302, long": lambda: sis3302((1, 5), 20, declared=8, run_number=4),
    "sis3302, off": lambda: sis3302((1, 5), 8, mask=0),
    "sis3302, off, other samples": lambda: sis3302((1, 5), 6, mask=0, clock=2),
    "sis3302, other slot": lambda: sis3302((0, 5), 6, slot=9),
    "sis3302, other slot, other samples": lambda: sis3302((0, 5), 10, slot=9),
    "sis3302, outer clock": lambda: sis3302((1,), clock=6),
}
REAL = sorted((TESTDATA / "orca").glob("*.orca")) if TESTDATA.is_dir() else []
NAMES = [*FILES, *(path.name for path in REAL)]


@cache
def data_of(name: str) -> bytes:
    if name in FILES:
        return FILES[name]()
    return (TESTDATA / "orca" / name).read_bytes()


def tables_of(path: Path, data: bytes) -> tuple[Tables, int]:
    """Read a file; return its tables, and the number of its packets."""
    path.write_bytes(data)
    decoded = decode(path)
    report = decoded.report
    assert report.exit_status == 0
    assert report.bytes["skipped"] == 0
    assert report.skipped_channels == {}
    assert report.n_bytes == len(data)
    return decoded.tables, decoded.streamer.packet_id + 1


@cache
def alone(name: str, path: Path) -> tuple[Tables, int]:
    return tables_of(path, data_of(name))


def rows_by_name(tables: Tables) -> dict[str, list[tuple]]:
    """Arrange rows for comparison, independent of the lengths of traces."""
    out = {}
    for name, columns in tables.items():
        rows = zip(*columns.values(), strict=True)
        out[name] = [
            tuple(
                (column, np.asarray(value).dtype.str, np.asarray(value).tobytes())
                for column, value in zip(columns, row, strict=True)
            )
            for row in rows
        ]
    return out


def later(tables: Tables, n: int) -> Tables:
    """Shift the packet numbers of the second file."""
    out = {name: dict(columns) for name, columns in tables.items()}
    for columns in out.values():
        if "packet_id" in columns:
            ids = columns["packet_id"]
            columns["packet_id"] = [(i + n).astype(i.dtype) for i in ids]
    return out


def by_length(tables: Tables) -> dict[str, list[tuple]]:
    """Merge tables by length of traces: the first one has the plain name."""
    out: dict[str, list[tuple]] = {}
    for name, rows in rows_by_name(tables).items():
        for row in rows:
            values = {column: value for column, _, value in row}
            width = len(values.get("waveform/values", b"")) // 2
            plain = name.removesuffix(f"_{width}")
            plain = plain if plain in tables or width == 0 else name
            out.setdefault(plain, []).append(row)
    return {name: sorted(rows) for name, rows in out.items()}


@pytest.mark.parametrize("first", NAMES)
def test_joined_files_give_the_union(first, tmp_path, tmp_path_factory):
    """Same rows, types and tables, in either order; nothing skipped or invented."""
    path = tmp_path / "run.orca"
    before, n = alone(first, path)
    for second in NAMES:
        after, _ = alone(second, path)
        found, _ = tables_of(path, data_of(first) + data_of(second))
        wanted: Tables = {}
        for tables in (before, later(after, n)):
            for name, columns in tables.items():
                place = wanted.setdefault(name, {c: [] for c in columns})
                assert list(place) == list(columns)
                for column, values in columns.items():
                    place[column] = place[column] + list(values)
        assert by_length(found) == by_length(wanted), (first, second)


def test_configurations_are_not_repeated(tmp_path):
    """A later stream without a software trigger has no configuration of one."""
    data = data_of("fcio, fsp") + data_of("fcio")
    tables, _ = tables_of(tmp_path / "run.orca", data)
    assert len(tables["ORFCIOConfig_swtid_1/config"]["packet_id"]) == 1
    assert len(tables["ORFCIOConfig_fcid_1/config"]["packet_id"]) == 2
