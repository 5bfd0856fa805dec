"""Decoder of FCIO events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .columns import FC_EVENT
from .fc_base import FCDecoder
from .fc_eventheader_decoder import fc_eventheader_decoded_values, get_key
from .fcio_objects import FcioObject

if TYPE_CHECKING:
    from ..raw_buffer import RawBuffer
    from ._kernel import FcioKernel

__all__ = [
    "FCEventDecoder",
    "fc_event_decoded_values",
    "fc_eventheader_decoded_values",
    "get_key",
]

fc_event_decoded_values = FC_EVENT.decoded_values()
"""Columns of the table ``FCEvent``."""


class FCEventDecoder(FCDecoder):
    """Decode Event and SparseEvent records: one row for each trace.

    ::

        tag -3 | type | pulser | timeoffset[] | timestamp[] | traces[][] | deadregion[]
        tag -6 | type | pulser | timeoffset[] | timestamp[] | deadregion[]
               | num_traces | trace_list[] | trace[] | trace[] ...

    each field a frame of its own (FCIO format, 2.1 and 3). The arrays are
    :ref:`wire-fcio_timeoffset`, :ref:`wire-fcio_timestamp` and
    :ref:`wire-fcio_deadregion`; a trace is :ref:`wire-fcio_trace` and the samples.

    Attributes
    ----------
    skipped_channels
        number of traces by key that are not selected.
    """

    table = FC_EVENT
    default_values = fc_event_decoded_values

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.skipped_channels: dict[int, int] = {}
        self.max_rows_in_packet = 0

    def set_fcio_stream(self, fcio_stream: FcioKernel | Any) -> None:
        """Take keys, length and sampling of the traces from a stream."""
        super().set_fcio_stream(fcio_stream)
        self.max_rows_in_packet = len(self.key_list)
        config = self._stream.config
        if config is not None:
            self.decoded_values["waveform"]["wf_len"] = config.eventsamples
            self.decoded_values["waveform"]["dt"] = config.sampling_period_ns

    def get_max_rows_in_packet(self) -> int:
        """Return the number of traces of the stream."""
        return self.max_rows_in_packet

    def count_skipped(self, fcio_stream: FcioKernel) -> None:
        """Add the traces since the last call that are not selected."""
        for key, count in fcio_stream.skipped_channels().items():
            self.skipped_channels[key] = self.skipped_channels.get(key, 0) + count

    def decode_packet(
        self, fcio: bytes | Any, evt_rbkd: dict[int, RawBuffer], packet_id: int
    ) -> bool:
        """Decode an Event or SparseEvent record.

        Parameters
        ----------
        fcio
            the record's bytes, or an ``fcio.FCIO`` object that has just read it.
        evt_rbkd
            the buffers by key, or one buffer for all.
        packet_id
            number of the packet.

        Returns
        -------
        any_full
            whether a buffer is full.
        """
        packet = self._bytes_of(fcio, FcioObject.event)
        any_full = self._decode(packet, evt_rbkd, packet_id)
        self.count_skipped(self._stream)
        return any_full
