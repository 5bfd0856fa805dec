"""Decoder of FCIO status records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .columns import FC_STATUS
from .fc_base import FCDecoder
from .fcio_objects import FcioObject

if TYPE_CHECKING:
    from ..raw_buffer import RawBuffer
    from ._kernel import FcioKernel

fc_status_decoded_values = FC_STATUS.decoded_values()
"""Columns of the table ``FCStatus``."""


def get_key(streamid: int, reqid: int) -> str:
    """Return the key of a card's status (FCIO format, 5).

    Parameters
    ----------
    streamid
        id of the stream.
    reqid
        id of the card: 0 the first master, 0x4000 and on further masters, 0x1000 and
        on trigger cards, 0x2000 and on ADC cards.
    """
    return f"fcid_{streamid & 0xFFFF}/status/card{reqid & 0xFFFF}"


def get_fcid(key: int) -> int:
    """Return the stream's id from a status key in its former, numeric form."""
    return int(key // 10000000)


def get_reqid(key: int) -> int:
    """Return the card's id from a status key in its former, numeric form."""
    return int(key % 1000000)


class FCStatusDecoder(FCDecoder):
    """Decode Status records: one row for each card.

    ::

        tag -4 | status | statustime[] | cards | size | card block | card block ...

    each field a frame of its own (FCIO format, 2.1): :ref:`wire-fcio_statustime`, and
    :ref:`wire-fcio_card` in each block.
    """

    table = FC_STATUS
    default_values = fc_status_decoded_values

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_rows_in_packet = 0

    def set_fcio_stream(self, fcio_stream: FcioKernel | Any) -> None:
        """Take the cards from the configuration of a stream."""
        super().set_fcio_stream(fcio_stream)
        self.max_rows_in_packet = len(self.key_list)

    def get_max_rows_in_packet(self) -> int:
        """Return the number of cards of the stream."""
        return self.max_rows_in_packet

    def decode_packet(
        self, fcio: bytes | Any, status_rbkd: dict[str, RawBuffer], packet_id: int
    ) -> bool:
        """Decode a Status record.

        Parameters
        ----------
        fcio
            the record's bytes, or an ``fcio.FCIO`` object that has just read it.
        status_rbkd
            the buffers by key, or one buffer for all.
        packet_id
            number of the packet.

        Returns
        -------
        any_full
            whether a buffer is full.
        """
        packet = self._bytes_of(fcio, FcioObject.status)
        return self._decode(packet, status_rbkd, packet_id)
