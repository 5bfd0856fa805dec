"""Decoder of FCIO event headers, and the keys of FlashCam channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .columns import FC_EVENT_HEADER
from .fc_base import FCDecoder
from .fcio_objects import FcioObject

if TYPE_CHECKING:
    from ..raw_buffer import RawBuffer

fc_eventheader_decoded_values = FC_EVENT_HEADER.decoded_values()
"""Columns of the table ``FCEventHeader``."""


def get_key(streamid: int, card_address: int, card_input: int, iwf: int = -1) -> int:
    """Return the key (raw id) of a channel (FCIO format, 5).

    Parameters
    ----------
    streamid
        id of the stream; its lower 16 bits count.
    card_address, card_input
        address of the card, and input on it.
    iwf
        if given (not negative) and the stream has no id, this is the key.
    """
    if streamid <= 0 and iwf >= 0:
        return iwf
    return (
        (int(streamid) & 0xFFFF) * 1000000 + int(card_address) * 100 + int(card_input)
    )


def get_fcid(key: int) -> int:
    """Return the stream's id from a channel's key."""
    return int(key // 1000000)


def get_card_address(key: int) -> int:
    """Return the card's address from a channel's key."""
    return int((key // 100) % 10000)


def get_card_input(key: int) -> int:
    """Return the input on the card from a channel's key."""
    return int(key % 100)


class FCEventHeaderDecoder(FCDecoder):
    """Decode EventHeader records: one row each, with a list entry for each trace.

    ::

        tag -7 | type | pulser | timeoffset[] | timestamp[] | deadregion[]
               | trace_list[] | (baseline, energy)[]

    each field a frame of its own (FCIO format, 2.1). The arrays are those of
    :class:`.FCEventDecoder`.
    """

    table = FC_EVENT_HEADER
    default_values = fc_eventheader_decoded_values
    max_rows_in_packet = 1

    def get_max_rows_in_packet(self) -> int:
        """Return 1: a header is one row."""
        return self.max_rows_in_packet

    def decode_packet(
        self, fcio: bytes | Any, evt_hdr_rbkd: dict[str, RawBuffer], packet_id: int
    ) -> bool:
        """Decode an EventHeader record.

        Parameters
        ----------
        fcio
            the record's bytes, or an ``fcio.FCIO`` object that has just read it,
            or has read an event.
        evt_hdr_rbkd
            the buffer by key, or the buffer.
        packet_id
            number of the packet.

        Returns
        -------
        any_full
            whether the buffer is full.
        """
        packet = self._bytes_of(fcio, FcioObject.header)
        return self._decode(packet, evt_hdr_rbkd, packet_id)
