"""Decoders of digitizers.

The header has the settings of the cards, the packets have the traces. The kernel
decodes the packets.
"""

from .digitizers.caen import (
    ORCaen1720WaveformDecoder,
    ORCaen1724WaveformDecoder,
    ORCV1721WaveformDecoder,
    ORCV1730WaveformDecoder,
    ORDT5720Decoder,
    ORDT5725Decoder,
)
from .digitizers.decoder import DigitizerDecoder
from .digitizers.gretina import ORGretina4AWaveformDecoder, ORGretina4MWaveformDecoder
from .digitizers.sis import (
    ORSIS3302DecoderForEnergy,
    ORSIS3305DecoderForWaveform,
    ORSIS3316WaveformDecoder,
    ORSIS3320WaveformDecoder,
)

__all__ = [
    "DigitizerDecoder",
    "ORCV1721WaveformDecoder",
    "ORCV1730WaveformDecoder",
    "ORCaen1720WaveformDecoder",
    "ORCaen1724WaveformDecoder",
    "ORDT5720Decoder",
    "ORDT5725Decoder",
    "ORGretina4AWaveformDecoder",
    "ORGretina4MWaveformDecoder",
    "ORSIS3302DecoderForEnergy",
    "ORSIS3305DecoderForWaveform",
    "ORSIS3316WaveformDecoder",
    "ORSIS3320WaveformDecoder",
]
