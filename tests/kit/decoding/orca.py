"""ORCA files through the streamer and from output files, and their differences."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import h5py
import lgdo
import numpy as np
from kit.decoding.tables import append_rows, columns_of, rows_of
from kit.generators.orca import RUN
from kit.reference import orca as reference

from daq2lh5.orca.orca_streamer import DECODERS, OrcaStreamer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daq2lh5.report import ConversionReport


SUPPORTED = tuple(DECODERS)
"""Decoders whose rows are compared; the reference reader has more."""


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
                tables[place + name] = columns_of(item)
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


def channel_tables(data: bytes, decoder: str) -> Tables:
    """Split the rows of a decoder by key."""
    reading = wanted_reading(data)
    rows: dict[str, list[reference.Row]] = {}
    for row in reading.rows[decoder]:
        if isinstance(row.key, int):
            rows.setdefault(f"ch{row.key:07d}", []).append(row)
    return {name: reference.by_column(of[0].schema, of) for name, of in rows.items()}
