"""FCIO streams through the streamer and from output files, and their differences."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import lgdo
import numpy as np
from kit.decoding.tables import append_rows, columns_of, rows_of

from daq2lh5.fc.fc_streamer import FCStreamer

if TYPE_CHECKING:
    from daq2lh5.report import ConversionReport


HEADERS = ("FCConfig", "FSPConfig")
"""Tables whose rows `n_max` does not count."""


@dataclass
class Decoded:
    """What came out of a stream.

    Parameters
    ----------
    tables
        for each table its columns, for each column its rows, as `reference.Reading`.
    """

    tables: dict[str, dict[str, list[Any]]]
    report: ConversionReport
    streamer: FCStreamer
    n_chunks: int = 0

    def n_rows(self, table: str) -> int:
        return len(next(iter(self.tables.get(table, {"": []}).values()), []))


def decode(
    path: str | os.PathLike[str],
    *,
    block_size: int | None = None,
    by_lgdo: bool = False,
    streamer: FCStreamer | None = None,
    **open_options: Any,
) -> Decoded:
    """Read a stream chunk by chunk."""
    streamer = FCStreamer() if streamer is None else streamer
    streamer.block_size = block_size
    out = Decoded({}, streamer.report, streamer)
    header_data = streamer.open_stream(os.fspath(path), **open_options)
    try:
        names = {
            id(rb): name.removesuffix("Decoder")
            for name, rb in streamer.rb_lib.buffers()
        }
        for rb in header_data:
            if isinstance(rb.lgdo, lgdo.Table):
                append_rows(out.tables, "FCConfig", rows_of(rb))
            else:
                out.tables["FSPConfig"] = {
                    name: getattr(value, "nda", getattr(value, "value", None))
                    for name, value in rb.lgdo.items()
                }
            rb.loc = 0
        for chunk in streamer:
            out.n_chunks += 1
            for rb in chunk:
                if id(rb) not in names:
                    names |= {
                        id(rb): name.removesuffix("Decoder")
                        for name, rb in streamer.rb_lib.buffers()
                    }
                append_rows(out.tables, names[id(rb)], rows_of(rb, by_lgdo=by_lgdo))
    finally:
        streamer.close_stream()
    return out


def read_lh5(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Read the tables of an LH5 file with h5py alone."""
    with h5py.File(path) as file:
        return {name: columns_of(group) for name, group in file.items()}


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """List where tables are not exactly equal: columns, numbers of rows, types, bits.

    Tables without rows need not be there.
    """
    out = []
    for table, columns in wanted.items():
        ours = found.get(table, {})
        is_struct = table == "FSPConfig"
        if not ours and (not columns if is_struct else not columns["packet_id"]):
            continue
        if ours.keys() != columns.keys():
            out.append(f"{table}: columns {sorted(ours.keys() ^ columns.keys())}")
        for name in sorted(ours.keys() & columns.keys()):
            difference = _difference(ours[name], columns[name], is_struct)
            if difference:
                out.append(f"{table}/{name}: {difference}")
    return out + [f"{name}: unexpected" for name in found.keys() - wanted.keys()]


def _difference(found: Any, wanted: Any, is_value: bool) -> str:
    if is_value:
        found, wanted = [np.asarray(found)], [np.asarray(wanted)]
        # a list of strings takes as much room as its longest
        if found[0].dtype.kind == "S":
            found = [found[0].astype(wanted[0].dtype)]
    if len(found) != len(wanted):
        return f"{len(found)} rows, not {len(wanted)}"
    for row, (a, b) in enumerate(zip(found, wanted, strict=True)):
        if (a.dtype, a.shape) != (b.dtype, b.shape) or a.tobytes() != b.tobytes():
            return f"row {row} is {a!r}, not {b!r}"
    return ""


def first_rows(tables: dict[str, Any], n: int) -> dict[str, dict[str, list[Any]]]:
    """Keep the first `n` rows in stream order over all tables but the headers."""
    order = sorted(
        (packet_id, name.startswith("FSP"), name)
        for name, columns in tables.items()
        if name not in HEADERS
        for packet_id in columns["packet_id"]
    )
    kept = [name for _, _, name in order[:n]]
    return {
        name: columns
        if name in HEADERS
        else {c: rows[: kept.count(name)] for c, rows in columns.items()}
        for name, columns in tables.items()
    }
