"""The decoders of ORCA packets: their names, and the modules that define them.

This module imports nothing, since names are checked before any file is opened.
"""

from __future__ import annotations

_RUNS = ("ORRunDecoderForRun",)

_FLASHCAM = (
    "ORFlashCamListenerConfigDecoder",
    "ORFlashCamListenerStatusDecoder",
    "ORFlashCamADCWaveformDecoder",
    "ORFlashCamWaveformDecoder",
)

FCIO = (
    "ORFCIOConfigDecoder",
    "ORFCIOEventDecoder",
    "ORFCIOEventHeaderDecoder",
    "ORFCIOStatusDecoder",
)

ANY_FCIO = "ORFCIODecoder"
"""Common name of these decoders, for some weeks in 2025 (ORCA format, 4.4)."""

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

_SIS_RECORDS = (
    "ORSIS3302DecoderForLostData",
    "ORSIS3302DecoderForMca",
    "ORSIS3302GenericDecoderForWaveform",
    "ORSIS3316HistogramDecoder",
    "ORSIS3316StatisticsDecoder",
)

_SLOW_CONTROL = (
    "OR1DHistoDecoder",
    "ORADEIControlDecoderForAdc",
    "ORAmi286DecoderForLevel",
    "ORBocTIC3DecoderForPressure",
    "ORCTITempDecoderForTemperature",
    "ORHVcRIODecoderForAdc",
    "ORIP320DecoderForAdc",
    "ORIP320DecoderForValue",
    "ORKJL2200IonGaugeDecoderForPressure",
    "ORKeithley6487DecoderForCurrent",
    "ORLabJackDecoderForIOData",
    "ORLabJackUE9DecoderForIOData",
    "ORLakeShore210DecoderForTemperature",
    "ORMCA927SpectraDecoder",
    "ORMJDPreAmpDecoderForAdc",
    "ORMksPdr2000DecoderForPressure",
    "ORNHQ226LDecoderForHVStatus",
    "ORPacDecoderForAdc",
    "ORPacFPDecoderForAdc",
    "ORPollingTimeStampDecoder",
    "ORScriptDecoderForRecord",
    "ORScriptDecoderForState",
    "ORShaperDecoderForShaper",
    "ORTPG256ADecoderForPressure",
    "ORVHQ224LDecoderForHVStatus",
    "ORXYCom564Decoder",
    "ORiSegHVCardDecoderForHV",
)

DECODERS = {
    **dict.fromkeys(_RUNS, "orca_run_decoder"),
    **dict.fromkeys(_FLASHCAM, "orca_flashcam"),
    **dict.fromkeys(FCIO, "orca_fcio"),
    **dict.fromkeys(_DIGITIZERS, "orca_digitizers"),
    **dict.fromkeys(_SIS_RECORDS, "digitizers.sis_records"),
    **dict.fromkeys(_SLOW_CONTROL, "slow_control.decoders"),
}
"""Modules of the decoders of packets, by their names."""
