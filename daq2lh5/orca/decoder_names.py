"""Which decoders of ORCA packets there are.

This module imports nothing: it is read to check names before any file is opened.
"""

from __future__ import annotations

_RUNS = ("ORRunDecoderForRun",)

_FLASHCAM = (
    "ORFlashCamListenerConfigDecoder",
    "ORFlashCamListenerStatusDecoder",
    "ORFlashCamADCWaveformDecoder",
    "ORFlashCamWaveformDecoder",
)

_FCIO = (
    "ORFCIOConfigDecoder",
    "ORFCIOEventDecoder",
    "ORFCIOEventHeaderDecoder",
    "ORFCIOStatusDecoder",
)

_DIGITIZERS = (
    "ORSIS3302DecoderForEnergy",
    "ORSIS3316WaveformDecoder",
    "ORSIS3305DecoderForWaveform",
    "ORSIS3320WaveformDecoder",
    "ORGretina4MWaveformDecoder",
    "ORGretina4AWaveformDecoder",
    "ORCV1730WaveformDecoder",
    "ORCaen1724WaveformDecoder",
    "ORCaen1720WaveformDecoder",
    "ORCV1721WaveformDecoder",
    "ORDT5725Decoder",
    "ORDT5720Decoder",
)

DECODERS = {
    **dict.fromkeys(_RUNS, "orca_run_decoder"),
    **dict.fromkeys(_FLASHCAM, "orca_flashcam"),
    **dict.fromkeys(_FCIO, "orca_fcio"),
    **dict.fromkeys(_DIGITIZERS, "orca_digitizers"),
}
"""Modules of the decoders of packets, by their names."""
