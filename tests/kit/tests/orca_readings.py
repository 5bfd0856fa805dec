"""Files by hand, and what the reference reader of ORCA makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from kit.reference import orca as reference
from kit.writers import orca as writer

# --- framing ----------------------------------------------------------------------


def a_header(**options: Any) -> bytes:
    return writer.header_packet(writer.header(decoders=writer.DATA_IDS, **options))


def read(*packets: bytes, **options: Any) -> reference.Reading:
    return reference.read(a_header(**options) + b"".join(packets))


# --- run records ------------------------------------------------------------------


def only(reading: reference.Reading, decoder: str, schema: str | None = None) -> dict:
    """Take the only row of a decoder, arrays as lists."""
    columns = reading.columns(decoder, schema)
    assert {len(rows) for rows in columns.values()} == {1}
    assert not reading.dropped
    return {
        name: rows[0].tolist() if isinstance(rows[0], np.ndarray) else rows[0]
        for name, rows in columns.items()
    }
