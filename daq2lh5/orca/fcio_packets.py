"""FCIO streams in the packets of an ORCA file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fc._kernel import FcioStream
from ..kernel_streamer import KernelStreamer
from .orca_fcio import FCIODecoder, ORFCIOEventDecoder
from .orca_flashcam import get_fcid

if TYPE_CHECKING:
    import numpy as np

    from ..raw_buffer import RawBuffer
    from .orca_base import OrcaDecoder

__all__ = ["FcioPackets"]

CONFIG_TAGS = (-1000000001, -1, -8)
"""What a packet with the configuration of an FCIO stream begins with."""


class FcioPackets(KernelStreamer):
    """Keeps the states of the FCIO streams, and has tables fit their configurations.

    Attributes
    ----------
    decoders
        by name: those of the file.
    """

    decoders: dict[str, OrcaDecoder]
    _keyed: dict[str, dict]

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        self._streams: dict[int, FcioStream] = {}

    def _fitting(
        self, rb: RawBuffer, decoder: OrcaDecoder, n_samples: int
    ) -> RawBuffer | None:
        """Return a buffer for traces of `n_samples`, to be used instead of `rb`.

        None if there are too many lengths.
        """
        raise NotImplementedError

    def _bind_stream(self, stream_id: int, stream: FcioStream) -> None:
        keyed: dict[str, dict] = {}
        for name, decoder in self.decoders.items():
            if isinstance(decoder, FCIODecoder) and name in self._keyed:
                buffers = self._keyed[name]
                if isinstance(decoder, ORFCIOEventDecoder) and stream.configured:
                    buffers = self._fitting_events(decoder, buffers, stream.config)
                wanted = decoder.keyed(buffers, stream_id & 0xFFFF)
                for table, buffers in wanted.items():
                    keyed[table] = keyed.get(table, {}) | buffers
        if stream.configured:
            stream.set_buffers(keyed)

    def _new_stream(self, packet: np.ndarray) -> None:
        """React to a configuration, or to a packet of a stream without one."""
        kernel = self._kernel
        payload = packet[2:] if packet[0] & 0x3FFFF == 0 else packet[1:]
        stream_id = int(payload[0])
        stream = self._streams.get(stream_id)
        if stream is None:
            if payload[1:2].view("<i4")[0] not in CONFIG_TAGS:
                kernel.reject("FCIO record before the configuration of its stream")
                return
            stream = self._streams[stream_id] = FcioStream(stream_id & 0xFFFF)
            kernel.add_stream(stream_id, stream)
            return
        # a configuration was read: the kernel goes on behind it
        kernel.end()
        try:
            self._configure_stream(stream_id, stream)
        finally:
            # it does so in any case
            kernel.begin()

    def _configure_stream(self, stream_id: int, stream: FcioStream) -> None:
        """Use the configuration that a stream has read."""
        self._kernel.settle(stream_id & 0xFFFF)
        if stream.fsp:
            self._add_stream_processor(stream_id & 0xFFFF)
        decoder = self.decoders.get("ORFCIOConfigDecoder")
        buffers = self._keyed.get("ORFCIOConfigDecoder", {})
        if decoder is not None:
            packet_id = self._kernel.packet_id + 1
            self.any_full |= decoder.append_rows(stream, buffers, packet_id)
        self._fit_status(stream_id & 0xFFFF, stream.keys()["FCStatus"])
        self._bind_stream(stream_id, stream)

    def _add_stream_processor(self, fcid: int) -> None:
        """Make tables for rows that the header does not tell of (4.4)."""
        for name, keyed in self._keyed.items():
            decoder = self.decoders[name]
            if isinstance(decoder, FCIODecoder):
                decoder.add_stream_processor(fcid)
                key = decoder.fsp_key(fcid)
                self.offer_table(decoder, key, keyed, self._buffer_size)

    def _fitting_events(
        self, decoder: ORFCIOEventDecoder, keyed: dict, config: Any
    ) -> dict[int | str, RawBuffer]:
        """Return the event buffers that fit the configuration of a listener."""
        fcid = config.streamid & 0xFFFF
        decoder.set_trace(fcid, config.eventsamples, config.sampling_period_ns)
        fitted: dict[int, RawBuffer | None] = {}
        found = {}
        for key, rb in keyed.items():
            if isinstance(key, int) and get_fcid(key) == fcid:
                if id(rb) not in fitted:
                    fitted[id(rb)] = self._fitting(rb, decoder, config.eventsamples)
                found[key] = fitted[id(rb)]
            else:
                found[key] = rb
        return {key: rb for key, rb in found.items() if rb is not None}

    def _fit_status(self, fcid: int, keys: list[str]) -> None:
        """Give cards that the header does not tell of to who wants all of them."""
        keyed = self._keyed.get("ORFCIOStatusDecoder", {})
        rb = keyed.get(f"fcid_{fcid}/status/card0")
        for wanted, _ in self._patterns.get("ORFCIOStatusDecoder", ()):
            if wanted is rb:
                for key in keys:
                    keyed.setdefault(key, rb)
