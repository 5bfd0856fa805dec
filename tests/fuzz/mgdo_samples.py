"""Entries of MGDO trees in memory, since only ROOT writes such files."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from daq2lh5.reading.holes import Holes
from kit.mgdo_tree import FileTree
from kit.writers import mgdo

from daq2lh5.errors import DecodeError
from daq2lh5.mgdo.baskets import Basket

from .samples import Sample
from .truth import Record

STUB = b"root" + bytes(60)
"""Content of the file that stands for a tree in memory."""

TREES: dict[str, dict[str, Any]] = {
    "two waveforms": {"lengths": (40, 25)},
    "one waveform": {"lengths": (60,)},
    "doubles": {"lengths": (30, 20), "encoding": mgdo.DOUBLE},
    "short": {"lengths": (9, 4), "encoding": mgdo.SHORT},
    "unsigned": {"lengths": (50,), "encoding": mgdo.UNSIGNED},
}


class MemoryTree(FileTree):
    """Stands for ``MGTree``; `baskets` is the content of the next one."""

    baskets: tuple[tuple[bytes, ...], ...] = ()

    def __init__(self, name: str, path: str | None = None) -> None:
        self.name = name
        self.read_seconds = 0.0
        self.bytes_read = 0
        self.at_end = False
        self.holes = Holes()
        self.n_baskets = len(self.baskets)
        ends = np.cumsum([0, *map(len, self.baskets)]).tolist()
        self._first = ends
        self.n_entries = ends[-1]

    def read(self, number: int) -> Basket:
        entries = self.baskets[number]
        if not entries:
            msg = "broken basket"
            raise DecodeError(msg, self.name)
        offsets = np.cumsum([0, *map(len, entries)]).astype(np.int64)
        data = np.frombuffer(b"".join(entries), np.uint8)
        return Basket(self._first[number], data, offsets)

    def stored_bytes(self, number: int) -> int:
        return sum(map(len, self.baskets[number]))


def in_baskets(entries: list[bytes], size: int = 7) -> tuple[tuple[bytes, ...], ...]:
    return tuple(
        tuple(entries[i : i + size]) for i in range(0, max(len(entries), 1), size)
    )


@cache
def sample(name: str) -> Sample:
    """Make a tree; it must be patched in for ``MGTree``."""
    rng = np.random.default_rng(sum(name.encode()))
    entries = [
        mgdo.random_entry(rng, [i % 24, (i + 5) % 24], **TREES[name]).pack()
        for i in range(20)
    ]
    records, at = [], 0
    for entry in entries:
        records.append(Record(at, len(entry), "entry"))
        at += len(entry)
    made = Sample(name, "mgdo", STUB, records, suffix=".root")
    MemoryTree.baskets = in_baskets(entries)
    made.assign(dict(enumerate(records, 1)))
    made.data = b"".join(entries)
    return made
