"""What the ORCA decoders share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..data_decoder import DataDecoder
from ._kernel import OrcaKernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..raw_buffer import RawBuffer, RawBufferList
    from .orca_header import OrcaHeader
    from .orca_packet import OrcaPacket

__all__ = [
    "KernelDecoder",
    "OrcaDecoder",
    "get_card",
    "get_ccc",
    "get_channel",
    "get_crate",
]


class OrcaDecoder(DataDecoder):
    """A decoder of ORCA packets of one kind.

    Parameters
    ----------
    header
        header of the file that the packets are in; an empty one is none.
    **kwargs
        those of :class:`.DataDecoder`.

    Attributes
    ----------
    header
        the header, or None.
    kind, variant
        how the kernel decodes the packets.
    n_incomplete
        rows that did not come about, since packets for them are missing.
    """

    kind: ClassVar[str] = "record"
    variant: ClassVar[int] = 0

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_incomplete = 0
        self.header: OrcaHeader | None = None
        if header:
            self.set_header(header)

    def set_header(self, header: OrcaHeader) -> None:
        """Use another header.

        Decoders that take settings of their cards from the header extend this.

        Parameters
        ----------
        header
            the header.
        """
        self.header = header

    def place_of(self, key: int | str) -> tuple[int | None, str]:
        """Return which table takes the rows of a key that the header lacks.

        Parameters
        ----------
        key
            the key.

        Returns
        -------
        number
            index of the key list whose table they share; None for a new table.
        ending
            suffix of a new table's name.
        """
        return 0, str(key)

    def take_on(self, key: int | str, n_samples: int = 0) -> None:
        """Make columns for rows of a key that the header lacks.

        Parameters
        ----------
        key
            the key.
        n_samples
            samples of the first trace, used if the header has no length.
        """

    def end_stream(self) -> None:
        """End the stream: no packets follow."""


def _no_siblings(rb: RawBuffer) -> tuple[RawBuffer, ...]:  # noqa: ARG001
    """Return that a buffer takes rows of one length only."""
    return ()


class KernelDecoder(OrcaDecoder):
    """Base class of decoders whose packets the kernel decodes.

    Attributes
    ----------
    decoded_values_template
        columns of a table, before the length of the traces is known.
    """

    decoded_values_template: dict[str, Any]

    def columns_of(self, key: int | str | None) -> dict:  # noqa: D102  (inherited)
        try:
            return self.get_decoded_values(key)
        except KeyError:
            return self.decoded_values_template

    def decode_packet(
        self, packet: OrcaPacket, packet_id: int, rbl: RawBufferList
    ) -> bool:
        """Decode one packet.

        Parameters
        ----------
        packet
            its words.
        packet_id
            number of the packet.
        rbl
            the buffers.

        Returns
        -------
        any_full
            whether a buffer is full.

        Raises
        ------
        ValueError
            if the packet is damaged, or does not fit the buffers.
        """
        kernel = OrcaKernel()
        data_id = int(packet[0]) & 0xFFFC0000
        kernel.set_ids({data_id: 1}, [("header", 0), (self.kind, self.variant)])
        self._configure(kernel)
        self.set_buffers(kernel, rbl.get_keyed_dict(), _no_siblings)
        kernel.packet_id = packet_id - 1
        data = packet.tobytes()
        kernel.begin()
        try:
            status = kernel.decode(data, 0, len(data), True, 1)
        finally:
            kernel.end()
        if status == kernel.SKIPPED:
            msg = f"packet {packet_id}: {kernel.damaged.reason}"
            raise ValueError(msg)
        if status == kernel.KEY:
            # no buffer asks for it
            return False
        if status == kernel.WIDTH:
            if self.fit(kernel.detail_buffer, kernel.detail_samples):
                return self.decode_packet(packet, packet_id, rbl)
            msg = (
                f"packet {packet_id}: trace of {kernel.detail_samples} samples does "
                "not fit the buffer"
            )
            raise ValueError(msg)
        if not kernel.n_packets:
            msg = f"packet {packet_id} does not fit the buffer"
            raise ValueError(msg)
        return bool(kernel.any_full)

    def _configure(self, kernel: OrcaKernel) -> None:
        """Tell the kernel of a single packet what the header says."""

    def set_buffers(
        self,
        kernel: OrcaKernel,
        keyed: dict,
        siblings: Callable[[RawBuffer], Sequence[RawBuffer]],
    ) -> None:
        """Set the buffers of a kernel that take the rows.

        Parameters
        ----------
        kernel
            the kernel.
        keyed
            the buffers by key.
        siblings
            returns the buffers that take rows of other lengths in place of a buffer.
        """
        raise NotImplementedError

    def fit(self, rb: RawBuffer, n_samples: int) -> bool:  # noqa: ARG002
        """Give a buffer rows for traces of `n_samples`; False if it keeps its own."""
        return False


# crate, card and channel in one number: channel in bits 3..0, card in bits 8..4


def get_ccc(crate: int, card: int, channel: int) -> int:
    """Return the key of a channel: crate, card and channel in one number.

    Parameters
    ----------
    crate, card, channel
        their numbers; of the card's five bits count, of the channel's four.
    """
    return crate << 9 | (card & 0x1F) << 4 | channel & 0xF


def get_crate(ccc: int) -> int:
    """Return the crate of a key made by :func:`get_ccc`."""
    return ccc >> 9


def get_card(ccc: int) -> int:
    """Return the card of a key made by :func:`get_ccc`."""
    return ccc >> 4 & 0x1F


def get_channel(ccc: int) -> int:
    """Return the channel of a key made by :func:`get_ccc`."""
    return ccc & 0xF
