"""Slow reader of sound CoMPASS files, from the CoMPASS format, 2.

It shares no code with the package, nor with the writer.
"""

from __future__ import annotations

import math
import struct
from typing import Any


def read_records(data: bytes, layout: str = "") -> list[dict[str, Any]]:
    """Return the columns of each record but those of the settings.

    Parameters
    ----------
    data
        the file.
    layout
        of a file without a header: a word, or a version and bits.
    """
    at = 0
    if not layout:
        (word,) = struct.unpack_from("<H", data)
        assert word >> 4 == 0xCAE
        layout = f"{word:X}"
        at = 2
    version = 2 if layout.startswith("CAE") else int(layout[1])
    bits = int(layout[-1], 16)
    records = []
    while at < len(data):
        row: dict[str, Any] = {"packet_id": len(records) + 1}

        def take(code: str) -> Any:
            nonlocal at
            (value,) = struct.unpack_from("<" + code, data, at)
            at += struct.calcsize("<" + code)
            return value

        row["board"], row["channel"] = take("H"), take("H")
        row["timestamp_ps"] = take("Q")
        row["timestamp"] = float(row["timestamp_ps"])
        row["energy"] = take("H") if bits & 1 else 0
        row["energy_calibrated"] = take("d") if bits & 2 else math.nan
        row["energy_short"] = take("H") if bits & 4 else 0
        row["flags"] = take("I" if version else "H")
        row["waveform_code"] = take("B") if version == 2 and bits & 8 else 0
        row["num_samples"] = take("I") if version < 2 or bits & 8 else 0
        end = at + 2 * row["num_samples"]
        row["samples"] = list(struct.unpack(f"<{row['num_samples']}H", data[at:end]))
        at = end
        records.append(row)
    return records
