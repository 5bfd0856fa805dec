"""Packets of an ORCA file one at a time, by number: for looking into files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .orca_header_decoder import find_header
from .orca_packet import get_data_id, get_n_words, is_extended, is_short

if TYPE_CHECKING:
    from .orca_packet import OrcaPacket

__all__ = ["PacketFile"]

OPENERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))
"""First bytes of compressed files, and what opens them."""


class PacketFile:
    """An ORCA file as a sequence of packets.

    Parameters
    ----------
    name
        of the file, which may be compressed.

    Attributes
    ----------
    stream
        the open file.
    frame
        how the header at the start lies in the file; None if there is none.
    locations
        offsets of the packets found so far.
    """

    def __init__(self, name: str) -> None:
        name = os.path.expandvars(name).removeprefix("file://")
        with open(name, "rb") as f:
            head = f.read(6)
        opener = next((o for magic, o in OPENERS if head.startswith(magic)), open)
        self.stream: BinaryIO = opener(name, "rb")
        self.frame = find_header(self.stream.read(16).ljust(16))
        self._swapped = self.frame is not None and self.frame.byte_order == "big"
        self.locations: list[int] = []
        self._end = 0

    def close(self) -> None:
        """Close the file."""
        self.stream.close()

    def find(self, index: int) -> bool:
        """Go through the file up to packet `index`; false if there are fewer.

        A packet that is cut off does not count.
        """
        while len(self.locations) <= index:
            head = self._words(self._end, 3)
            if len(head) == 0 or (not is_short(head) and len(head) < 2):
                return False
            n_words = get_n_words(head)
            if n_words < 1 or (is_extended(head) and n_words < 2):
                return False
            end = self._end + 4 * n_words
            # the last word is there?
            if len(self._words(end - 4, 1)) == 0:
                return False
            self.locations.append(self._end)
            self._end = end
        return True

    def _words(self, offset: int, n: int) -> OrcaPacket:
        self.stream.seek(offset)
        data = self.stream.read(4 * n)
        words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
        return words.byteswap() if self._swapped else words

    def head(self, index: int) -> OrcaPacket | None:
        """Return the first word or two of a packet; None if there is none."""
        if not self.find(index):
            return None
        head = self._words(self.locations[index], 2)
        return head[: 2 if not is_short(head) and is_extended(head) else 1]

    def packet(self, index: int) -> OrcaPacket | None:
        """Return a packet; None if there is none."""
        if not self.find(index):
            return None
        head = self._words(self.locations[index], 3)
        packet = self._words(self.locations[index], get_n_words(head))
        if self._swapped and get_data_id(head) == 0:
            # the text of a header is in order
            packet[2:].byteswap(inplace=True)
        return packet

    def data_id(self, index: int) -> int | None:
        """Return the id of a packet, not shifted."""
        head = self.head(index)
        return None if head is None else int(get_data_id(head, shift=False))

    def count(self) -> int:
        """Return the number of all packets."""
        while self.find(len(self.locations)):
            pass
        return len(self.locations)
