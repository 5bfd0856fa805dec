"""Base classes of ORCA decoders, and keys of channels."""

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
        header of the file with the packets; an empty header counts as None.
    **kwargs
        see :class:`.DataDecoder`.

    Attributes
    ----------
    header
        the header, or None.
    kind, variant
        kind of the packets, and its variant, as the kernel names them.
    n_incomplete
        rows not written because some of their packets are missing.
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
        """Set another header.

        Decoders that read settings of their cards from the header extend this method.

        Parameters
        ----------
        header
            the header.
        """
        self.header = header

    def place_of(self, key: int | str) -> tuple[int | None, str]:
        """Return the table for rows of a key that the header lacks.

        Parameters
        ----------
        key
            the key.

        Returns
        -------
        number
            index of the key list whose table the rows share; None for a new table.
        ending
            suffix of a new table's name.
        """
        return 0, str(key)

    def take_on(self, key: int | str, n_samples: int = 0) -> None:
        """Create the columns for rows of a key that the header lacks.

        Parameters
        ----------
        key
            the key.
        n_samples
            samples of the first trace, used if the header lacks the length.
        """

    def end_stream(self) -> None:
        """Finish at the end of the stream."""


def _no_overflow(rb: RawBuffer) -> tuple[RawBuffer, ...]:  # noqa: ARG001
    """Return no overflow buffers: a single packet has only its own buffers."""
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
            if the packet is damaged, or the buffers have no room for it.
        """
        kernel = OrcaKernel()
        data_id = int(packet[0]) & 0xFFFC0000
        kernel.set_ids({data_id: 1}, [("header", 0), (self.kind, self.variant)])
        self._configure(kernel)
        self.set_buffers(kernel, rbl.get_keyed_dict(), _no_overflow)
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
            # not selected
            return False
        if status == kernel.WIDTH:
            if self.fit(kernel.detail_buffer, kernel.detail_samples):
                return self.decode_packet(packet, packet_id, rbl)
            msg = (
                f"packet {packet_id}: its trace has {kernel.detail_samples} samples, "
                f"but the rows of its buffer have {kernel.detail_width}: "
                "use another buffer"
            )
            raise ValueError(msg)
        if not kernel.n_packets:
            msg = (
                f"packet {packet_id}: too few free rows in its buffer: use a larger "
                "buffer"
            )
            raise ValueError(msg)
        return bool(kernel.any_full)

    def _configure(self, kernel: OrcaKernel) -> None:
        """Configure the kernel of a single packet from the header."""

    def set_buffers(
        self,
        kernel: OrcaKernel,
        keyed: dict,
        overflow_of: Callable[[RawBuffer], Sequence[RawBuffer]],
    ) -> None:
        """Set a kernel's buffers for the rows.

        Parameters
        ----------
        kernel
            the kernel.
        keyed
            the buffers by key.
        overflow_of
            returns the overflow buffers of a buffer, for rows of other lengths.
        """
        raise NotImplementedError

    def fit(self, rb: RawBuffer, n_samples: int) -> bool:  # noqa: ARG002
        """Resize a buffer for traces of `n_samples`; False if it keeps its length."""
        return False


# crate, card and channel in one number: channel in bits 3..0, card in bits 8..4


def get_ccc(crate: int, card: int, channel: int) -> int:
    """Return the key of a channel: crate, card and channel in one number.

    Parameters
    ----------
    crate, card, channel
        their numbers; only 5 bits of `card` and 4 bits of `channel` are used.
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
