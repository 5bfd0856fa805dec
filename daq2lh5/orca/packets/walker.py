"""Finds the packets of an ORCA file as decoding does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..orca_packet import get_data_id, is_extended
from ..orca_streamer import OrcaStreamer
from ..slow_control.record_decoder import RecordDecoder

if TYPE_CHECKING:
    from ..orca_packet import OrcaPacket

__all__ = ["PacketWalker"]


class PacketWalker(OrcaStreamer):
    """Goes through a file packet by packet, and notes where they are.

    To be opened without buffers: then nothing is decoded.

    Attributes
    ----------
    starts, ends
        offsets of the packets found so far, and those behind them.
    """

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        self.starts: list[int] = []
        self.ends: list[int] = []

    def walk_to(self, n: int) -> None:
        """Go on until `n` packets are found, or all."""
        if not self.starts:
            self.starts, self.ends = [0], [self._header_bytes]
        while len(self.starts) < n and self.read_packets(n - len(self.starts)):
            pass

    def text_of(self, packet: OrcaPacket) -> OrcaPacket:
        """Return the words of a packet that are text, which has no byte order."""
        data_id = int(get_data_id(packet, shift=False))
        if data_id == 0:
            return packet[2:]
        decoder = self.decoder_id_dict.get(data_id)
        if not isinstance(decoder, RecordDecoder) or len(packet) < 2:
            return packet[:0]
        words = packet[int(is_extended(packet)) :]
        return words[decoder.text_words(words)]

    def _decode(self, limit: int) -> int:  # noqa: ARG002  (where each is must be seen)
        start = self.source.offset
        status = super()._decode(1)
        if self._kernel.packet_id == len(self.starts):
            self.starts.append(start)
            self.ends.append(self.source.offset)
        return status
