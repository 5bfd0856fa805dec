"""Layouts of file headers and channel configurations (llamaDAQ format, 1 and 8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DecodeError
from .wire import (
    ACCUMULATORS,
    CONFIG,
    CONFIG_68,
    CONFIG_80,
    ENERGIES,
    HEADER,
    HEADER_80,
    MAW,
    PEAK,
)

if TYPE_CHECKING:
    from .._core.wire import Struct

MAGIC = b"LArI"
OLD_MAGIC = b"LArU"
"""First bytes of files of 2019; `MAGIC` begins later ones."""

HEADER_BYTES = HEADER.size + HEADER_80.size
"""Bytes at the start that determine the layout."""

MAX_CHANNELS = 4096
"""Keys have 12 bits (llamaDAQ format, 2)."""

ADVICE = "compare the file with the original, or copy it again"

OFFSETS = ("accum6_offset", "accum2_offset", "maw3_offset", "energy_offset")
"""Fields with the offset of each format bit's block."""

BLOCK_WORDS = tuple(block.size // 4 for block in (PEAK, ACCUMULATORS, MAW, ENERGIES))
"""Words of each format bit's block."""


def _dtype(config: Struct) -> np.dtype:
    """Return the NumPy type of a configuration."""
    return np.dtype(
        {
            "names": [f.name for f in config.fields],
            "formats": [{"u32": "<u4", "f64": "<f8"}[f.type] for f in config.fields],
            "offsets": [f.offset for f in config.fields],
            "itemsize": config.size,
        }
    )


@dataclass(frozen=True)
class HeaderLayout:
    """Layout of a header and of the events behind it.

    Attributes
    ----------
    start
        bytes in front of the configurations.
    config
        NumPy type of a configuration.
    in_chunks
        whether events come in chunks, as in files of 2019.
    counted
        whether chunks have a number of events.
    """

    start: int
    config: np.dtype
    in_chunks: bool = False
    counted: bool = True

    def length(self, n_channels: int) -> int:
        """Return the length of a header in bytes."""
        return self.start + self.config.itemsize * n_channels


NEW = HeaderLayout(HEADER.size, _dtype(CONFIG))
OLD_68 = HeaderLayout(HEADER.size, _dtype(CONFIG_68), in_chunks=True)
OLD_80 = HeaderLayout(HEADER_BYTES, _dtype(CONFIG_80), in_chunks=True, counted=False)


def recognize(head: bytes, name: str) -> tuple[HeaderLayout, int]:
    """Return the layout of a header, and the number of channels.

    Parameters
    ----------
    head
        first 20 bytes of the header, or the whole input if shorter.
    name
        name of the file.

    Raises
    ------
    DecodeError
        (a RuntimeError) if the header has no known layout.
    """
    if head[:4] not in (MAGIC, OLD_MAGIC):
        msg = "not a llamaDAQ file: it starts with neither 'LArI' nor 'LArU'"
        raise DecodeError(msg, name, 0, ADVICE)
    old = head[:4] == OLD_MAGIC
    needed = NEW.start
    if old and head[10:12] == bytes(2):
        needed = OLD_80.start
    if len(head) < needed:
        msg = f"the header is cut off: {len(head)} of {needed} bytes"
        raise DecodeError(msg, name, len(head), ADVICE)
    patch, minor, major, length, number = struct.unpack_from("<4HI", head, 4)
    second = int.from_bytes(head[16:20], "little")
    sizes = f"{length} bytes, not {NEW.config.itemsize}"
    if old:
        sizes = f"{length} bytes (then {second}), not 68 (or 0, then 80)"
    layouts = {
        (False, NEW.config.itemsize): NEW,
        (True, OLD_68.config.itemsize): OLD_68,
        (True, 0): OLD_80 if second == OLD_80.config.itemsize else None,
    }
    layout = layouts.get((old, length))
    if layout is None:
        msg = f"channel configurations have {sizes} (version {major}.{minor}.{patch})"
        raise DecodeError(msg, name, 10, "this version of llamaDAQ is not supported")
    if number > MAX_CHANNELS:
        msg = f"{number} channels, expected at most {MAX_CHANNELS}"
        raise DecodeError(msg, name, 12, ADVICE)
    return layout, number
