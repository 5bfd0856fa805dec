"""Random access to the packets of an ORCA file, by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...streaming.kernel_streamer import KernelStreamer
from .. import orca_packet
from ..orca_packet import get_data_id, is_extended
from ..slow_control.record_decoder import RecordDecoder
from .file import PacketFile

if TYPE_CHECKING:
    from io import BufferedReader

    from ...raw_buffer import RawBuffer
    from ...reading.source import Source
    from ..orca_base import OrcaDecoder
    from ..orca_header import OrcaHeader
    from ..orca_packet import OrcaPacket

__all__ = ["PacketAccess"]


class PacketAccess(KernelStreamer):
    """Random access to packets, without decoding them.

    Attributes
    ----------
    header
        the current header.
    buffer
        words of the last loaded packet.
    starts, ends
        start and end offsets of the packets that `walk_to` found.
    """

    header: OrcaHeader

    def __init__(self) -> None:
        self._packets: PacketFile | None = None
        super().__init__()

    def start_anew(self) -> None:
        """Reset the state of the last stream."""
        super().start_anew()
        self.buffer = np.empty(0, "<u4")
        self.starts: list[int] = []
        self.ends: list[int] = []
        self._walks = False
        self.close_in_stream()

    def close_stream(self) -> None:
        """Close the input."""
        self.close_in_stream()
        super().close_stream()

    def set_in_stream(self, stream_name: str) -> None:
        """Open a file for :meth:`load_packet`, at its first packet.

        Parameters
        ----------
        stream_name
            name of the file, which may be compressed.
        """
        self.close_in_stream()
        self._packets = PacketFile(stream_name, type(self))
        self.packet_id = -1

    def close_in_stream(self) -> None:
        """Close the file of :meth:`load_packet`."""
        if self._packets is not None:
            self._packets.close()
        self._packets = None

    @property
    def in_stream(self) -> BufferedReader | Source | None:
        """The open file of :meth:`load_packet`, or its decompressor."""
        return None if self._packets is None else self._packets.stream

    @property
    def packet_locs(self) -> list[int]:
        """Offsets of the packets found so far."""
        if self._packets is None:
            # offset of the header
            return [0] if self.header else []
        return self._packets.locations

    @property
    def valid_ids(self) -> set[int]:
        """Unshifted ids of the file's packets."""
        return set(self.header.get_id_to_decoder_name_dict(shift_data_id=False)) - {0}

    @property
    def decoder_id_dict(self) -> dict[int, OrcaDecoder]:
        """The decoders by unshifted id."""
        names = self.header.get_id_to_decoder_name_dict(shift_data_id=False)
        decoders = {type(d).__name__: d for d in self.get_decoder_list()}
        return {i: decoders[name] for i, name in names.items() if name in decoders}

    @property
    def rbl_id_dict(self) -> dict[int, list[RawBuffer]]:
        """The buffers by unshifted id of their packets."""
        decoders = self.decoder_id_dict
        library = self.rb_lib or {}
        by_name = {i: type(d).__name__ for i, d in decoders.items()}
        return {i: library[name] for i, name in by_name.items() if name in library}

    def _packet_file(self) -> PacketFile:
        if self._packets is None:
            if self.source is None or not self.source.name:
                msg = "no file is open: call set_in_stream or open_stream first"
                raise RuntimeError(msg)
            self._packets = PacketFile(self.source.name, type(self))
        return self._packets

    # ---- finding packets -----------------------------------------------------------

    def walk_to(self, n: int) -> None:
        """Read on until `n` packets are found, or up to the end.

        Open the stream without buffers: then nothing is decoded.
        """
        if not self.starts:
            self._walks = True
            self.starts, self.ends = [0], [self._header_bytes]
        while len(self.starts) < n and self.read_packets(n - len(self.starts)):
            pass

    def text_of(self, packet: OrcaPacket) -> OrcaPacket:
        """Return the words of a packet that contain text, which has no byte order."""
        data_id = int(get_data_id(packet, shift=False))
        if data_id == 0:
            return packet[2:]
        decoder = self.decoder_id_dict.get(data_id)
        if not isinstance(decoder, RecordDecoder) or len(packet) < 2:
            return packet[:0]
        words = packet[int(is_extended(packet)) :]
        return words[decoder.text_words(words)]

    def _decode(self, limit: int) -> int:
        if not self._walks:
            return super()._decode(limit)
        # one at a time, to note where each begins
        start = self.source.offset
        status = super()._decode(1)
        if self._kernel.packet_id == len(self.starts):
            self.starts.append(start)
            self.ends.append(self.source.offset)
        return status

    # ---- packets by number ---------------------------------------------------------

    def load_packet(
        self,
        index: int | None = None,
        whence: int = 0,
        skip_unknown_ids: bool = False,
    ) -> OrcaPacket | None:
        """Return a packet of the file, without decoding it.

        Damage is passed over as in decoding: numbers equal ``packet_id`` in tables. The
        position of :meth:`.DataStreamer.read_packet` stays the same.

        Parameters
        ----------
        index
            number of the packet, see `whence`; by default the packet after the last.
        whence
            0: from the start of the file; 1: from the last loaded packet, which is 1;
            2: from the end, where 1 is the last packet.
        skip_unknown_ids
            return only the first words of packets without a decoder.

        Returns
        -------
        packet
            words of the packet; None if no packet has this number.

        Raises
        ------
        ValueError
            for any other `whence`.
        DecodeError
            if the header is missing or unreadable, the input is a pipe, or the file
            became shorter.
        """
        packets = self._packet_file()
        if whence not in (0, 1, 2):
            msg = f"whence must be 0, 1 or 2, got {whence}"
            raise ValueError(msg)
        if index is None:
            index = self.packet_id + 1
        elif whence == 1:
            index += self.packet_id - 1
        elif whence == 2:
            index += packets.count() - 2
        if index < 0:
            self.packet_id = -1
            return None
        index = int(index)
        if not packets.find(index):
            self.packet_id = packets.count() - 1
            return None
        self.packet_id = index
        self.n_bytes_read = packets.end(index)
        if skip_unknown_ids:
            head = packets.head(index)
            if int(get_data_id(head, shift=False)) not in self.decoder_id_dict:
                return head
        self.buffer = packets.packet(index)
        return self.buffer

    def load_packet_header(self) -> OrcaPacket | None:
        """Return the first word of the next packet, or two of an extended packet."""
        head = self._packet_file().head(self.packet_id + 1)
        if head is not None:
            self.packet_id += 1
        return head

    def skip_packet(self, n: int = 1) -> bool:
        """Continue behind the next `n` packets; False if fewer remain.

        Raises
        ------
        ValueError
            if `n` is negative.
        """
        if n < 0:
            msg = f"n must be at least 0, got {n}"
            raise ValueError(msg)
        n = int(n)
        packets = self._packet_file()
        if not packets.find(self.packet_id + n):
            self.packet_id = packets.count() - 1
            return False
        self.packet_id += n
        return True

    def build_packet_locs(self, saveloc: bool = True) -> None:
        """Find all packets; without `saveloc`, continue behind the last one."""
        n_packets = self._packet_file().count()
        if not saveloc:
            self.packet_id = n_packets - 1

    def count_packets(self, saveloc: bool = True) -> int:
        """Return the number of packets in the file, without one that is cut off.

        Without `saveloc`, continue behind the last packet.
        """
        self.build_packet_locs(saveloc)
        return len(self.packet_locs)

    @staticmethod
    def is_orca_stream(stream_name: str) -> bool:
        """Whether a file is an ORCA file, by its first bytes.

        Parameters
        ----------
        stream_name
            name of the file, which may be compressed.
        """
        packets = PacketFile(stream_name)
        packets.close()
        return packets.frame is not None

    def hex_dump(
        self,
        stream_name: str,
        n_packets: float = np.inf,
        skip_header: bool = False,
        shift_data_id: bool = True,
        print_n_words: bool = False,
        max_words: float = np.inf,
        as_int: bool = False,
        as_short: bool = False,
    ) -> None:
        """Show the packets of a file, see :func:`.orca_packet.hex_dump`.

        Parameters
        ----------
        stream_name
            name of the file.
        n_packets
            how many packets to show.
        skip_header
            begin with the packet after the header.
        shift_data_id, print_n_words, max_words, as_int, as_short
            see :func:`.orca_packet.hex_dump`.
        """
        self.set_in_stream(stream_name)
        if skip_header:
            self.skip_packet()
        while n_packets > 0 and (packet := self.load_packet()) is not None:
            orca_packet.hex_dump(
                packet,
                shift_data_id=shift_data_id,
                print_n_words=print_n_words,
                max_words=max_words,
                as_int=as_int,
                as_short=as_short,
            )
            n_packets -= 1
        self.close_in_stream()
