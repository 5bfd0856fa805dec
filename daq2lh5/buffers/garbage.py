"""The garbage table: the bytes of damaged ranges, kept for a later look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .table_buffer import TableBuffer

if TYPE_CHECKING:
    import lgdo

__all__ = ["DEFAULT_CAP", "Garbage"]

COLUMNS = {
    "packets": {"dtype": "uint8", "datatype": "array<1>{array<1>{real}}"},
    "packet_id": {"dtype": "uint32"},
    "garbage_code": {"dtype": "uint32"},
    "offset": {"dtype": "uint64"},
}
"""Columns of the table, as in `DataDecoder.decoded_values`."""

DEFAULT_CAP = 64 * 2**20
"""Largest number of bytes kept of one input."""


MAX_ROWS = 2**18
"""Largest number of damaged ranges kept of one input."""


class Garbage:
    """The damaged ranges of an input: their bytes, where they are, and the reasons.

    Parameters
    ----------
    cap
        number of bytes that are kept; further bytes are only counted.

    Attributes
    ----------
    bytes_kept, bytes_dropped
        bytes in the table, and bytes beyond the cap.
    """

    def __init__(self, cap: int = DEFAULT_CAP) -> None:
        self.cap = cap
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.rows: list[tuple[bytes, int, int, int]] = []
        self.bytes_kept = 0
        self.bytes_dropped = 0

    def __len__(self) -> int:
        return len(self.rows)

    def add(
        self, packet: bytes, packet_id: int, code: int, offset: int, dropped: int = 0
    ) -> None:
        """Keep a damaged range.

        Parameters
        ----------
        packet
            its bytes.
        packet_id
            number of the last packet before it.
        code
            reason, as a number of the format's own.
        offset
            of its first byte in the stream.
        dropped
            bytes of the range that the caller could not hold.
        """
        room = self.cap - self.bytes_kept if len(self.rows) < MAX_ROWS else 0
        kept = bytes(packet[:room])
        self.bytes_kept += len(kept)
        self.bytes_dropped += len(packet) - len(kept) + dropped
        if len(self.rows) < MAX_ROWS:
            self.rows.append((kept, packet_id, code, offset))

    def as_table(self) -> TableBuffer:
        """Return the table: packets, packet_id, garbage_code and offset."""
        packets, ids, codes, offsets = zip(*self.rows, strict=True)
        table = TableBuffer(COLUMNS, len(self.rows), "garbage")
        table.grow_vectors(0, self.bytes_kept)
        arrays = table.arrays
        np.cumsum([len(p) for p in packets], out=arrays["packets/offsets"][1:])
        flat = np.frombuffer(b"".join(packets), np.uint8)
        arrays["packets/flattened_data"][: len(flat)] = flat
        # before the first packet the number is -1
        arrays["packet_id"][:] = np.array(ids, np.int64).astype(np.uint32)
        arrays["garbage_code"][:] = codes
        arrays["offset"][:] = offsets
        return table

    def as_lgdo(self) -> lgdo.Table:
        """Return the table as an LGDO."""
        return self.as_table().as_lgdo()
