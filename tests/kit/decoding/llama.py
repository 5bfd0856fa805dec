"""llamaDAQ files through the streamer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from kit import checks

from daq2lh5 import open_stream


def decode(path: Any, **kwargs: Any) -> SimpleNamespace:
    """Read a stream: rows by key and column, and the report."""
    rows: dict[int, list[dict[str, Any]]] = {}
    with open_stream(str(path), **kwargs) as (streamer, header):
        for chunk in streamer:
            for rb in chunk:
                if rb.out_name.startswith("LLAMAHeader"):
                    # of a file that was joined
                    continue
                arrays = rb.arrays()
                for i in range(rb.loc):
                    row = {name: np.copy(a[i]) for name, a in arrays.items()}
                    rows.setdefault(int(row["fadc_channel_id"]), []).append(row)
    return SimpleNamespace(
        rows=rows, report=streamer.report, header=header, streamer=streamer
    )


def assert_rows(found: dict, wanted: dict) -> None:
    """Compare all rows of all channels."""
    wanted = {key: rows for key, rows in wanted.items() if rows}
    assert found.keys() == wanted.keys()
    for key, rows in wanted.items():
        checks.assert_rows(found[key], rows)


def rows_of(decoded: Any) -> list[dict]:
    """List the rows of all channels in the order of the file."""
    rows = [row for rows in decoded.rows.values() for row in rows]
    return sorted(rows, key=lambda row: row["packet_id"])
