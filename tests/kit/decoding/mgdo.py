"""MGDO entries through the streamer, from a file that a stand-in for ROOT reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from kit.writers import mgdo as writer

from daq2lh5 import open_stream

if TYPE_CHECKING:
    from kit.writers.mgdo import Entry


def write(tmp_path: Any, *baskets: list[Entry | bytes]) -> str:
    """Write baskets; entries are packed if they are not bytes yet."""
    packed = [
        [e if isinstance(e, bytes) else e.pack() for e in entries]
        for entries in baskets
    ]
    path = tmp_path / "run.root"
    path.write_bytes(writer.container(packed))
    return str(path)


def decode(path: str, **kwargs: Any) -> SimpleNamespace:
    """Read a file: rows in the order of entry and channel, with their table's name."""
    rows = []
    with open_stream(path, **kwargs) as (streamer, header):
        for chunk in streamer:
            for rb in chunk:
                arrays = rb.arrays()
                for i in range(rb.loc):
                    row = {name: np.copy(a[i]) for name, a in arrays.items()}
                    rows.append((rb.out_name, row))
    rows.sort(key=lambda r: (r[1]["packet_id"], r[1]["channel"]))
    return SimpleNamespace(
        rows=[row for _, row in rows],
        tables=[table for table, _ in rows],
        report=streamer.report,
        header=header,
        streamer=streamer,
    )
