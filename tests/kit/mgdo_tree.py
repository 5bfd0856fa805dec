"""A stand-in for the tree in a ROOT file, over the container of the tests' writer."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from daq2lh5.reading.holes import Holes

from daq2lh5.errors import DecodeError
from daq2lh5.mgdo.baskets import Basket


class FileTree:
    """Stands for ``MGTree``. An empty basket cannot be read."""

    compression = size = error = trailing = None

    def __init__(self, name: str, path: str | None = None) -> None:
        self.name = name
        self.read_seconds = 0.0
        self.bytes_read = 0
        self.at_end = False
        self.holes = Holes()
        data = Path(path or name).read_bytes()
        (self.n_baskets,) = struct.unpack_from(">I", data, 4)
        at = 8
        self._first = [0]
        self._baskets = []
        for _ in range(self.n_baskets):
            (n,) = struct.unpack_from(">I", data, at)
            lengths = struct.unpack_from(f">{n}I", data, at + 4)
            at += 4 + 4 * n
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
            stop = at + int(offsets[-1])
            entries = np.frombuffer(data[at:stop], np.uint8)
            self._baskets.append(Basket(self._first[-1], entries, offsets))
            # one that cannot be read stands for two entries
            self._first.append(self._first[-1] + (n or 2))
            at = stop
        self.n_entries = self._first[-1]

    def entries_of(self, number: int) -> tuple[int, int]:
        return self._first[number], self._first[number + 1]

    def read(self, number: int) -> Basket:
        basket = self._baskets[number]
        if len(basket.offsets) == 1:
            raise DecodeError("broken basket", self.name)
        return basket

    def stored_bytes(self, number: int) -> int:
        return len(self._baskets[number].data)

    def run(self) -> dict[str, Any]:
        return {"run_number": np.int32(7)}

    def is_blinding_active(self) -> int:
        return -1

    def close(self) -> None:
        pass
