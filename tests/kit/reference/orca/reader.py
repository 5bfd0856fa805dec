"""All decoders together: from a file to its rows."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from kit.reference.orca.caen import caen, caen_usb
from kit.reference.orca.columns import SIMPLE
from kit.reference.orca.fcio_inside import FCIO_DECODERS, fcio_packet
from kit.reference.orca.flashcam import (
    flashcam_waveform,
    listener_config,
    listener_status,
)
from kit.reference.orca.framing import Packet, read_packets
from kit.reference.orca.gretina import gretina4a, gretina4m
from kit.reference.orca.run_records import run
from kit.reference.orca.slow_control import simple
from kit.reference.orca.state import DropError, Reading, State
from kit.reference.orca.struck import sis3302, sis3305, sis3316, sis3320

if TYPE_CHECKING:
    from collections.abc import Callable


DECODERS: dict[str, Callable[[State, Packet], None]] = {
    "ORRunDecoderForRun": run,
    "ORFlashCamListenerConfigDecoder": listener_config,
    "ORFlashCamListenerStatusDecoder": listener_status,
    "ORFlashCamADCWaveformDecoder": flashcam_waveform,
    "ORFlashCamWaveformDecoder": flashcam_waveform,
    **dict.fromkeys(("ORFCIODecoder", *FCIO_DECODERS.values()), fcio_packet),
    "ORSIS3302DecoderForEnergy": sis3302,
    "ORSIS3316WaveformDecoder": sis3316,
    "ORGretina4MWaveformDecoder": gretina4m,
    "ORGretina4AWaveformDecoder": gretina4a,
    "ORSIS3305DecoderForWaveform": sis3305,
    "ORSIS3320WaveformDecoder": sis3320,
    "ORCV1730WaveformDecoder": caen,
    "ORCaen1724WaveformDecoder": caen,
    "ORCaen1720WaveformDecoder": caen,
    "ORCV1721WaveformDecoder": caen,
    "ORDT5725Decoder": caen_usb,
    "ORDT5720Decoder": caen_usb,
    **dict.fromkeys(SIMPLE, simple),
}
"""By the name of the decoder: what reads its packets."""


class Reader(State):
    """Gives each packet to the function of its decoder."""

    def read(self) -> Reading:
        for packet, header in zip(
            self.framing.packets, self.framing.headers, strict=True
        ):
            if packet.decoder is None and not header.continues(self.header):
                self.start_anew()
            self.header = header
            if packet.decoder is None:
                continue
            take = DECODERS.get(packet.decoder)
            if take is None:
                self.dropped[packet.decoder, "no decoder"] += 1
                continue
            try:
                take(self, packet)
            except DropError as reason:
                self.dropped[packet.decoder, str(reason)] += 1
            except (struct.error, IndexError):
                self.dropped[packet.decoder, "too short"] += 1
        return Reading(self.framing, self.framing.headers[0], self.rows, self.dropped)


def read(data: bytes) -> Reading:
    """Read a file: packets, rows, and what was dropped."""
    return Reader(read_packets(data)).read()


def read_tables(data: bytes) -> dict[str, dict[str, list[Any]]]:
    """Read the output tables of a file; see `Reading.tables`."""
    return read(data).tables()
