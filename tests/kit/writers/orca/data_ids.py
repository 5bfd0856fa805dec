"""Data ids: the records that a header announces (ORCA format, 1.5)."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """An entry of the header's ``dataDescription`` (format 1.5).

    ``length`` and ``variable`` are what the header declares, right or wrong.
    """

    object_name: str
    name: str
    decoder: str
    length: int = -1
    is_short: bool = False


RECORDS = (
    Record("ORRunModel", "Run", "ORRunDecoderForRun", 4),
    Record("ORCAScript", "State", "ORScriptDecoderForState", 4),
    Record("ORCAScript", "Record", "ORScriptDecoderForRecord"),
    Record("1DHisto", "Histograms", "OR1DHistoDecoder"),
    # FlashCam, first generation (format 4.3): the declared length is wrong.
    Record(
        "ORFlashCamListenerModel",
        "FlashCamConfig",
        "ORFlashCamListenerConfigDecoder",
        9646,
    ),
    Record(
        "ORFlashCamListenerModel", "FlashCamStatus", "ORFlashCamListenerStatusDecoder"
    ),
    Record("ORFlashCamADCModel", "FlashCamADC", "ORFlashCamADCWaveformDecoder"),
    Record("ORFlashCamADCStdModel", "FlashCamADCStd", "ORFlashCamWaveformDecoder"),
    # FlashCam, FCIO (format 4.4).
    Record("ORFlashCamListenerModel", "FlashCamConfig", "ORFCIOConfigDecoder"),
    Record("ORFlashCamListenerModel", "FlashCamStatus", "ORFCIOStatusDecoder"),
    Record("ORFlashCamListenerModel", "FlashCamEvent", "ORFCIOEventDecoder"),
    Record(
        "ORFlashCamListenerModel", "FlashCamEventHeader", "ORFCIOEventHeaderDecoder"
    ),
    Record("ORFlashCamListenerModel", "FlashCamFCIO", "ORFCIODecoder"),
    # Struck (format 4.5, 4.6, 5.3, 5.4).
    Record("ORSIS3302", "Energy", "ORSIS3302DecoderForEnergy"),
    Record("ORSIS3302", "LostData", "ORSIS3302DecoderForLostData", 3),
    Record("ORSIS3302", "MCA", "ORSIS3302DecoderForMca"),
    Record("ORSIS3302Generic", "Waveform", "ORSIS3302GenericDecoderForWaveform"),
    Record("ORSIS3316Model", "Waveform", "ORSIS3316WaveformDecoder"),
    Record("ORSIS3316Model", "Histogram", "ORSIS3316HistogramDecoder"),
    Record("ORSIS3316Model", "Statistics", "ORSIS3316StatisticsDecoder"),
    Record("ORSIS3305", "Waveform", "ORSIS3305DecoderForWaveform"),
    Record("ORSIS3320Model", "Waveform", "ORSIS3320WaveformDecoder"),
    # Gretina (format 5.1 and 5.2).
    Record("ORGretina4M", "Gretina4M", "ORGretina4MWaveformDecoder"),
    Record("ORGretina4A", "Gretina4A", "ORGretina4AWaveformDecoder"),
    # CAEN (format 5.5 and 5.6).
    Record("ORCV1730Model", "CAEN1720", "ORCV1730WaveformDecoder"),
    Record("ORCaen1724Model", "CAEN", "ORCaen1724WaveformDecoder"),
    Record("ORCaen1720Model", "CAEN1720", "ORCaen1720WaveformDecoder"),
    Record("ORCV1721Model", "CAEN1721", "ORCV1721WaveformDecoder"),
    Record("ORDT5725Model", "waveform", "ORDT5725Decoder"),
    Record("ORDT5720Model", "waveform", "ORDT5720Decoder"),
    # Simple records (format 5.7).
    Record("ORMJDPreAmpModel", "Adc", "ORMJDPreAmpDecoderForAdc", 20),
    Record("ORiSegHVCard", "HV", "ORiSegHVCardDecoderForHV"),
    Record("ORVHQ224LModel", "HVStatus", "ORVHQ224LDecoderForHVStatus", 11),
    Record("ORNHQ226LModel", "HVStatus", "ORNHQ226LDecoderForHVStatus", 11),
    Record(
        "ORLakeShore210Model",
        "Temperatures",
        "ORLakeShore210DecoderForTemperature",
        18,
    ),
    Record("ORCTITempModel", "Temperature", "ORCTITempDecoderForTemperature", 4),
    Record("ORKeithley6487Model", "Current", "ORKeithley6487DecoderForCurrent", 4),
    Record(
        "ORKJL2200IonGaugeModel", "Pressure", "ORKJL2200IonGaugeDecoderForPressure", 4
    ),
    # Declares 8 words and ships 6 (format 1.1).
    Record("ORMksPdr2000Model", "Pressure", "ORMksPdr2000DecoderForPressure", 8),
    Record("ORTPG256AModel", "Pressure", "ORTPG256ADecoderForPressure", 14),
    Record("ORBocTIC3Model", "Pressure", "ORBocTIC3DecoderForPressure", 8),
    Record("ORAmi286Model", "Level", "ORAmi286DecoderForLevel", 10),
    Record("ORPacModel", "Adc", "ORPacDecoderForAdc", 18),
    Record("ORPacFPModel", "Adc", "ORPacFPDecoderForAdc", 18),
    Record("ORLabJackModel", "IOData", "ORLabJackDecoderForIOData", 17),
    Record("ORLabJackUE9Model", "IOData", "ORLabJackUE9DecoderForIOData", 100),
    Record("ORXYCom564Model", "Adc", "ORXYCom564Decoder"),
    Record("ORIP320Model", "Adc", "ORIP320DecoderForAdc"),
    Record("ORIP320Model", "Value", "ORIP320DecoderForValue"),
    Record("ORHVcRIOModel", "Adc", "ORHVcRIODecoderForAdc", 9),
    Record("ORADEIControlModel", "Adc", "ORADEIControlDecoderForAdc", 9),
    Record("ORMCA927Model", "Spectra", "ORMCA927SpectraDecoder"),
    Record("ORShaperModel", "Shaper", "ORShaperDecoderForShaper", 1, is_short=True),
    Record("ORPollingTimeStamp", "Times", "ORPollingTimeStampDecoder", 3),
    # Records of no known decoder (format 1.5).
    Record("ORUnheardOfModel", "Long", "ORUnheardOfDecoderForLong"),
    Record("ORUnheardOfModel", "Short", "ORUnheardOfDecoderForShort", 1, is_short=True),
)
"""Every record that the format description names."""


def _assign_ids() -> dict[str, int]:
    """Number the records as ORCA does: from 1, and short ones from 33 of their own."""
    ids = {}
    number, short_number = 1, 33
    for entry in RECORDS:
        if entry.is_short:
            ids[entry.decoder] = short_number << 26
            short_number += 1
        else:
            ids[entry.decoder] = number << 18
            number += 1
    return ids


DATA_IDS = _assign_ids()
"""Unshifted data id of each decoder, unless a header says otherwise."""

FIRST_GENERATION = tuple(
    entry.decoder for entry in RECORDS if "FCIO" not in entry.decoder
)
"""Decoders of a set-up before FCIO was inside ORCA."""

SECOND_GENERATION = tuple(
    entry.decoder
    for entry in RECORDS
    if not entry.decoder.startswith(
        ("ORFlashCamListener", "ORFlashCamADC", "ORFCIODecoder")
    )
)
"""Decoders of a set-up with FCIO inside ORCA."""
