"""CoMPASS files through the streamer, and the differences of their rows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.decoding.tables import rows_of
from kit.reference import compass as reference

from daq2lh5.compass.compass_streamer import CompassStreamer

if TYPE_CHECKING:
    from daq2lh5.raw_buffer import RawBuffer
    from daq2lh5.report import ConversionReport


COLUMNS = (
    *("packet_id", "board", "channel", "timestamp", "timestamp_ps", "energy"),
    *("energy_calibrated", "energy_short", "flags", "waveform_code", "num_samples"),
)


@dataclass
class Decoded:
    """What a file gives."""

    report: ConversionReport
    streamer: CompassStreamer
    rows: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)


def rows_of_buffer(rb: RawBuffer, *, by_lgdo: bool = False) -> list[dict[str, Any]]:
    """Copy the rows of a buffer."""
    columns = rows_of(rb, by_lgdo=by_lgdo)
    rows = []
    for i in range(rb.loc):
        row = {name: columns[name][i] for name in COLUMNS}
        row["samples"] = [
            int(x) for x in columns.get("waveform/values", [()] * rb.loc)[i]
        ]
        for name in ("dt", "t0"):
            row[name] = columns.get(f"waveform/{name}", [None] * rb.loc)[i]
        rows.append(row)
    return rows


def decode(
    path: Any,
    *,
    block_size: int | None = None,
    by_lgdo: bool = False,
    config: Any = None,
    layout: str | None = None,
    **options: Any,
) -> Decoded:
    """Read a file chunk by chunk: all rows of events in the order of the file."""
    streamer = CompassStreamer(config, layout)
    streamer.extra_columns = True
    streamer.block_size = block_size
    out = Decoded(streamer.report, streamer)
    streamer.open_stream(os.fspath(path), **options)
    try:
        for chunk in streamer:
            for rb in chunk:
                if rb.out_name == "CompassHeader":
                    continue
                out.rows += rows_of_buffer(rb, by_lgdo=by_lgdo)
                out.tables[rb.out_name] = out.tables.get(rb.out_name, 0) + rb.loc
    finally:
        streamer.close_stream()
    out.rows.sort(key=lambda row: row["packet_id"])
    return out


def differences(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[str]:
    """Compare rows, but for the times of samples."""
    wrong = []
    if len(found) != len(wanted):
        wrong.append(f"{len(found)} rows, not {len(wanted)}")
    for i, (a, b) in enumerate(zip(found, wanted, strict=False)):
        for name, value in b.items():
            both_nan = value != value and a[name] != a[name]  # noqa: PLR0124
            if a[name] != value and not both_nan:
                wrong.append(f"row {i}: {name} is {a[name]}, not {value}")
    return wrong[:10]


def check(path: Any, data: bytes, form: str = "", **options: Any) -> Decoded:
    """Decode a sound file: all rows and all bytes must be there."""
    path.write_bytes(data)
    decoded = decode(path, **options)
    assert differences(decoded.rows, reference.read_records(data, form)) == []
    assert decoded.report.bytes["decoded"] == len(data)
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.exit_status == 0
    return decoded
