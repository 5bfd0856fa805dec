"""Packets of an ORCA file by number, for inspection of files."""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...errors import DecodeError
from ...reading.source import open_source
from ...resources.paths import expand_path
from ..orca_header_decoder import find_header
from ..orca_packet import is_extended, is_short

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...reading.source import Source
    from ...report import ConversionReport
    from ..orca_packet import OrcaPacket

__all__ = ["PacketFile"]

MANY = 1 << 20
"""Packets to find at a time, if all are needed."""


class Walker(Protocol):
    """A streamer that notes the offsets of its packets.

    Attributes
    ----------
    starts, ends
        start and end offsets of the packets found so far.
    """

    starts: list[int]
    ends: list[int]
    report: ConversionReport

    def open_stream(self, stream_name: str, rb_lib: dict) -> object:
        """Open a file. Without buffers nothing is decoded."""

    def close_stream(self) -> None:
        """Close the file."""

    def walk_to(self, n: int) -> None:
        """Read on until `n` packets are found, or up to the end."""

    def text_of(self, packet: OrcaPacket) -> OrcaPacket:
        """Return the words of a packet that contain text."""


class PacketFile:
    """An ORCA file as a sequence of packets, with the numbers of ``packet_id``.

    Parameters
    ----------
    name
        name of the file, which may be compressed.
    new_walker
        creates the streamer that finds the packets; None if only `frame` is needed.

    Attributes
    ----------
    stream
        the open file, or its decompressor.
    frame
        byte order and lengths of the header at the start; None without a header.
    """

    def __init__(
        self, name: str, new_walker: Callable[[], Walker] | None = None
    ) -> None:
        self._new_walker = new_walker
        self._name = expand_path(name)
        path = Path(self._name.removeprefix("file://"))
        if self._name == "-" or path.is_fifo():
            # bytes read here would be missing for decoding
            msg = "access to packets by number needs a seekable file, found a pipe"
            raise DecodeError(msg, self._name, advice="write it to a file first")
        source = open_source(self._name)
        self.frame = find_header(bytes(source.fill(16)[:16]).ljust(16))
        self._swapped = self.frame is not None and self.frame.byte_order == "big"
        self._walker: Walker | None = None
        self.stream: BufferedReader | Source = source
        if source.seekable:
            source.close()
            self.stream = path.open("rb")

    @property
    def locations(self) -> list[int]:
        """Offsets of the packets found so far."""
        return [] if self._walker is None else self._walker.starts

    @property
    def n_damage(self) -> int:
        """Number of damaged ranges so far."""
        return 0 if self._walker is None else self._walker.report.n_damage

    def close(self) -> None:
        """Close the file."""
        self.stream.close()
        if self._walker is not None:
            self._walker.close_stream()

    def _walk(self, n: int) -> int:
        """Find `n` packets, or all if fewer; return the number found."""
        if self._walker is None:
            walker = self._new_walker()
            try:
                walker.open_stream(self._name, {})
            except BaseException:
                walker.close_stream()
                raise
            self._walker = walker
        self._walker.walk_to(n)
        return len(self._walker.starts)

    def find(self, index: int) -> bool:
        """Read the file up to packet `index`; False if it has fewer packets.

        Damage is passed over as in decoding. A cut-off packet does not count.

        Raises
        ------
        DecodeError
            if the header is missing or unreadable.
        """
        return self._walk(index + 1) > index

    def count(self) -> int:
        """Return the number of all packets."""
        n = MANY
        while (found := self._walk(n)) == n:
            n += MANY
        return found

    def end(self, index: int) -> int:
        """Return the end offset of a packet that was found."""
        return self._walker.ends[index]

    def _bytes(self, start: int, end: int) -> bytes:
        """Return the bytes between two offsets."""
        if isinstance(self.stream, BufferedReader):
            self.stream.seek(start)
            return self.stream.read(end - start)
        if start < self.stream.offset:
            self.stream.close()
            self.stream = open_source(self._name)
        source = self.stream
        while source.offset < start:
            window = source.window or source.fill(1)
            if not len(window):
                return b""
            source.consume(min(len(window), start - source.offset))
        return bytes(source.fill(end - start)[: end - start])

    def packet(self, index: int, n_words: int | None = None) -> OrcaPacket | None:
        """Return a packet, or only its first words; None without such a packet.

        Missing bytes of the last word are zeros.
        """
        if not self.find(index):
            return None
        start, end = self._walker.starts[index], self._walker.ends[index]
        if n_words is not None:
            end = min(end, start + 4 * n_words)
        data = bytearray(self._bytes(start, end))
        if len(data) + 3 < end - start:
            msg = f"packet {index} is no longer in the file, which became shorter"
            raise DecodeError(msg, self._name, start, advice="open it again")
        data += bytes(-len(data) % 4)
        packet = np.frombuffer(data, "<u4")
        if self._swapped:
            packet = packet.byteswap()
            # text has no byte order
            self._walker.text_of(packet).byteswap(inplace=True)
        return packet

    def head(self, index: int) -> OrcaPacket | None:
        """Return the first word or two of a packet; None without such a packet."""
        head = self.packet(index, 2)
        if head is None or (not is_short(head) and is_extended(head)):
            return head
        return head[:1]
