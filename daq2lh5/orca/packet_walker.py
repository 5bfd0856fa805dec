"""Finds the packets of an ORCA file as decoding does."""

from __future__ import annotations

from .orca_streamer import OrcaStreamer

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

    def _decode(self, limit: int) -> int:  # noqa: ARG002  (where each is must be seen)
        start = self.source.offset
        status = super()._decode(1)
        if self._kernel.packet_id == len(self.starts):
            self.starts.append(start)
            self.ends.append(self.source.offset)
        return status
