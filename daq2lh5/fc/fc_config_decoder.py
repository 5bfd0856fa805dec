"""Decoder of FCIO configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import FC_CONFIG
from .fc_base import FCDecoder

if TYPE_CHECKING:
    import lgdo

    from ..raw_buffer import RawBuffer
    from ._kernel import FcioKernel

fc_config_decoded_values = FC_CONFIG.decoded_values()
"""Columns of the table ``FCConfig``."""


def config_values(stream: FcioKernel) -> dict[str, Any]:
    """Return the configuration in force by column name, without `packet_id`."""
    config = stream.config
    return {
        "nsamples": config.eventsamples,
        "nadcs": config.adcs,
        "ntriggers": config.triggers,
        "streamid": config.streamid,
        "adcbits": config.adcbits,
        "sumlength": config.sumlength,
        "blprecision": config.blprecision,
        "mastercards": config.mastercards,
        "triggercards": config.triggercards,
        "adccards": config.adccards,
        "gps": config.gps,
        "tracemap": config.tracemap,
    }


class FCConfigDecoder(FCDecoder):
    """Decode Config records: one row each.

    ::

        tag -1 | adcs | triggers | eventsamples | blprecision | sumlength | adcbits
               | mastercards | triggercards | adccards | gps | tracemap[] | streamid

    each field a frame of its own (FCIO format, 2.1).
    """

    table = FC_CONFIG
    default_values = fc_config_decoded_values

    def decode_packet(
        self, fcio: bytes | Any, config_rb: RawBuffer, packet_id: int
    ) -> bool:
        """Decode a Config record into the next row of a buffer.

        Parameters
        ----------
        fcio
            the record's bytes, or an ``fcio.FCIO`` object that has just read it.
        config_rb
            the buffer.
        packet_id
            number of the packet.

        Returns
        -------
        full
            whether the buffer is full.
        """
        self.append_row(self._configured_by(fcio, packet_id), config_rb, packet_id)
        return config_rb.is_full()

    @staticmethod
    def append_row(stream: FcioKernel, rb: RawBuffer, packet_id: int) -> None:
        """Fill the next row of a buffer with the configuration in force."""
        rb.append({"packet_id": packet_id} | config_values(stream))

    def decode_config(self, fcio: FcioKernel | Any) -> lgdo.Struct:
        """Return the configuration in force as a struct of scalars.

        Parameters
        ----------
        fcio
            the stream; or an ``fcio.FCIO`` object.
        """
        import lgdo  # noqa: PLC0415  (takes a second; a conversion needs none)

        self.set_fcio_stream(fcio)
        values = config_values(self._stream)
        tracemap = values.pop("tracemap")
        struct = lgdo.Struct(
            {name: lgdo.Scalar(np.int32(value)) for name, value in values.items()}
        )
        struct.add_field("tracemap", lgdo.Array(tracemap))
        return struct
