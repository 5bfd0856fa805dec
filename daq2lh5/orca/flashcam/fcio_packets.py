"""FCIO streams in the packets of an ORCA file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ...errors import DecodeError
from ...fc.fc_base import FcioKernel
from ...selection.overflow_tables import TOO_MANY_LENGTHS, TOO_MANY_TABLES
from ...selection.templates import names_key
from ...streaming.kernel_streamer import KernelStreamer
from ..orca_fcio import (
    FCIODecoder,
    ORFCIOEventDecoder,
    ORFCIOStatusDecoder,
    fcid_of,
)
from ..orca_flashcam import get_fcid

if TYPE_CHECKING:
    import numpy as np

    from ...raw_buffer import RawBuffer
    from ..orca_base import OrcaDecoder

__all__ = ["FcioPackets"]

CONFIG_TAGS = (-1000000001, -1, -8)
"""First words of packets with the configuration of an FCIO stream."""


class FcioPackets(KernelStreamer):
    """Holds the states of FCIO streams, and adapts tables to their configurations.

    Attributes
    ----------
    decoders
        decoders of the file by name.
    """

    decoders: dict[str, OrcaDecoder]
    _keyed: dict[str, dict]

    def start_anew(self) -> None:
        """Reset the state of the last stream."""
        super().start_anew()
        self._streams: dict[int, FcioKernel] = {}
        # states before the last header, of the same run
        self._earlier: dict[int, FcioKernel] = {}
        # by stream: reason to reject its records until its next configuration
        self._refused: dict[int, str] = {}
        self._n_lone_fsp = 0
        # status keys by stream, since the last header
        self._cards: dict[int, dict[int | str, None]] = {}

    def _fitting(
        self, rb: RawBuffer, decoder: OrcaDecoder, n_samples: int, key: Any
    ) -> RawBuffer | None:
        """Return a buffer for traces of `n_samples`: `rb` or an overflow buffer.

        None if no overflow table is left.
        """
        raise NotImplementedError

    def _offer(
        self, decoder: OrcaDecoder, key: int | str, announced: bool = False
    ) -> None:
        """Find the buffer for rows of a key that the header lacks."""
        raise NotImplementedError

    def _start_streams(self, goes_on: bool) -> None:
        """Expect new configurations of the streams behind a header.

        Parameters
        ----------
        goes_on
            whether the run continues: then old configurations may stay valid.
        """
        self._n_lone_fsp += sum(s.n_lone_fsp for s in self._streams.values())
        self._earlier = self._earlier | self._streams if goes_on else {}
        self._streams = {}
        self._cards = {}
        self._refused = {}
        self._kernel.streams.clear()

    def _bind_stream(self, stream_id: int, stream: FcioKernel) -> None:
        """Set the buffers of a stream's kernel."""
        fcid = stream_id & 0xFFFF
        keyed: dict[str, dict] = {}
        for name, decoder in self.decoders.items():
            if not isinstance(decoder, FCIODecoder):
                continue
            all_buffers = self._keyed[name]
            # only of this stream: there may be many streams
            keys = decoder.keys_of(stream)
            for key in keys:
                if key not in all_buffers:
                    # the header does not list all cards with a status
                    self._offer(decoder, key, isinstance(decoder, ORFCIOStatusDecoder))
                if key in self._without_table:
                    self._refuse(stream_id, TOO_MANY_TABLES)
            if isinstance(decoder, ORFCIOStatusDecoder):
                keys = self._cards_of(fcid, keys)
            buffers = {key: all_buffers[key] for key in keys if key in all_buffers}
            if isinstance(decoder, ORFCIOEventDecoder):
                buffers = self._fitting_events(decoder, buffers, stream.config)
                if None in buffers.values():
                    self._refuse(stream_id, TOO_MANY_LENGTHS)
            for table, of_table in decoder.keyed(buffers, fcid).items():
                keyed[table] = keyed.get(table, {}) | of_table
        everything = self._all_cards(fcid)
        if everything is not None:
            keyed["FCStatus"][None] = everything
        # count traces with the configuration that they were read with
        self._count_unwanted(stream)
        stream.set_buffers(keyed)

    def _count_unwanted(self, stream: FcioKernel) -> None:
        """Count the unselected traces of a stream since the last call."""
        decoder = self.decoders.get("ORFCIOEventDecoder")
        if decoder is None:
            return
        skipped = decoder.skipped_channels
        for key, n in stream.skipped_channels().items():
            skipped[key] = skipped.get(key, 0) + n

    def _refuse(self, stream_id: int, problem: str) -> NoReturn:
        """Require a new configuration before records of a stream are decoded."""
        self._streams.pop(stream_id, None)
        self._kernel.streams.remove(stream_id)
        self._refused[stream_id] = problem
        raise DecodeError(problem)

    def _cards_of(self, fcid: int, keys: list[int | str]) -> list[int | str]:
        """Return the status keys of a stream, including earlier ones."""
        if not self._cards:
            for key in self._keyed["ORFCIOStatusDecoder"]:
                self._cards.setdefault(fcid_of(key), {})[key] = None
        cards = self._cards.setdefault(fcid, {})
        cards |= dict.fromkeys(keys)
        return [*cards]

    def _new_stream(self, packet: np.ndarray) -> None:
        """Handle a configuration, or a packet of a stream without one."""
        kernel = self._kernel
        payload = packet[2:] if packet[0] & 0x3FFFF == 0 else packet[1:]
        stream_id = int(payload[0])
        stream = self._streams.get(stream_id)
        if stream is not None:
            # the kernel has read a configuration
            kernel.end()
            try:
                self._configure_stream(stream_id, stream)
            finally:
                kernel.begin()
            return
        stream = self._earlier.pop(stream_id, None)
        if payload[1:2].view("<i4")[0] in CONFIG_TAGS:
            self._refused.pop(stream_id, None)
            stream = FcioKernel(stream_id & 0xFFFF)
        elif stream is None:
            reason = "FCIO record before the configuration of its stream"
            kernel.reject(self._refused.get(stream_id, reason))
            return
        elif stream.configured:
            kernel.end()
            self._bind_stream(stream_id, stream)
            kernel.begin()
        self._streams[stream_id] = stream
        kernel.streams.add(stream_id, stream)

    def _configure_stream(self, stream_id: int, stream: FcioKernel) -> None:
        """Use the last configuration of a stream."""
        self._kernel.flashcam.settle(stream_id & 0xFFFF)
        self._bind_stream(stream_id, stream)
        decoder = self.decoders.get("ORFCIOConfigDecoder")
        if decoder is not None:
            buffers = self._keyed["ORFCIOConfigDecoder"]
            packet_id = self._kernel.packet_id + 1
            self.any_full |= decoder.append_rows(stream, buffers, packet_id)

    def _fitting_events(
        self, decoder: ORFCIOEventDecoder, keyed: dict, config: Any
    ) -> dict[int | str, RawBuffer]:
        """Return the event buffers that fit the configuration of a listener.

        None for a key means that no overflow table is left.
        """
        fcid = config.streamid & 0xFFFF
        decoder.set_trace(fcid, config.eventsamples, config.sampling_period_ns)
        fitted: dict[int, RawBuffer | None] = {}
        found = {}
        for key, rb in keyed.items():
            if rb is None:
                continue
            if isinstance(key, int) and get_fcid(key) == fcid:
                if id(rb) not in fitted:
                    fitted[id(rb)] = self._fitting(
                        rb, decoder, config.eventsamples, key
                    )
                found[key] = fitted[id(rb)]
            else:
                found[key] = rb
        return found

    def _all_cards(self, fcid: int) -> RawBuffer | None:
        """Return the buffer for the status of cards that configurations lack."""
        name = "ORFCIOStatusDecoder"
        rb = self._keyed.get(name, {}).get(f"fcid_{fcid}/status/card0")
        if name in self._wildcards and not names_key(self._wildcards[name]):
            return rb
        patterns = self._patterns.get(name, ())
        return next((rb for wanted, _ in patterns if wanted is rb), None)
