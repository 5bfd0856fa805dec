"""The output tables of slow control and other rare records (ORCA format, 5.7).

In a column's source, ``w`` is the array of a packet's words.
"""

from __future__ import annotations

from ...buffers.declaration import Column, Table
from ..common_columns import CARD, CHANNEL, CRATE, PACKET_ID, PLACE

TIME = Column("time", "uint32", "Time in UTC since 1970.", units="s", source="w[2]")

DEVICE = Column("id", "uint16", "Number of the device.", source="w[1]")


def _column(
    name: str,
    description: str,
    dtype: str = "uint32",
    units: str | None = None,
    n: int | None = None,
) -> Column:
    """Declare a column of numbers, or of `n` numbers per row."""
    kind = "scalar" if n is None else "fixed"
    return Column(name, dtype, description, units=units, kind=kind, length=n)


def _vector(
    name: str, description: str, dtype: str = "uint32", units: str | None = None
) -> Column:
    """Declare a column of lists of numbers, of any length in each row."""
    return Column(name, dtype, description, units=units, kind="vector", length=1024)


def _float(
    name: str, description: str, units: str | None = None, n: int | None = None
) -> Column:
    return _column(name, description, "float32", units, n)


def _times(n: int) -> Column:
    return _column("time", "Time of each value in UTC since 1970.", units="s", n=n)


_TIME_USEC = _column("time_usec", "Microseconds of the time.", units="us")

# --- ORCA itself --------------------------------------------------------------------

_SCRIPT_TYPE = _column("script_type", "1: run script, 2: task.", "uint8")

SCRIPT_STATE = Table(
    "ORScriptDecoderForState",
    "One row per start or stop of a script.",
    (
        PACKET_ID,
        TIME,
        DEVICE,
        _SCRIPT_TYPE,
        _column("started", "Whether it started, or stopped.", "bool"),
    ),
    section="ORCA format, 5.7",
)

SCRIPT_RECORD = Table(
    "ORScriptDecoderForRecord",
    "One row per record that a script wrote.",
    (
        PACKET_ID,
        TIME,
        DEVICE,
        _SCRIPT_TYPE,
        _column("tag", "Number that the script gave it."),
        _vector("text", "Property list: the bytes of its text.", "uint8"),
    ),
    section="ORCA format, 5.7",
)

HISTOGRAM = Table(
    "OR1DHisto",
    "One row per histogram that ORCA filled.",
    (
        PACKET_ID,
        _vector("name", "Its name: the bytes of the text.", "uint8"),
        _vector("counts", "Contents of the bins."),
    ),
    section="ORCA format, 5.7",
)

POLLING_TIME = Table(
    "ORPollingTimeStamp",
    "One row per time at which the hardware was polled.",
    (PACKET_ID, TIME, _TIME_USEC),
    section="ORCA format, 5.7",
)

# --- high voltage -------------------------------------------------------------------

MJD_PREAMP = Table(
    "ORMJDPreAmpDecoderForAdc",
    "One row per reading of the 16 ADCs of a preamplifier controller.",
    (
        PACKET_ID,
        TIME,
        DEVICE,
        _column("enabled", "Bit c: ADC c is in use.", "uint16"),
        _float("adc", "Values of the ADCs.", "V", 16),
    ),
    section="ORCA format, 5.7",
)

ISEG_HV = Table(
    "ORiSegHVCardDecoderForHV",
    "One row per reading of a high-voltage card.",
    (
        PACKET_ID,
        TIME,
        CRATE,
        CARD,
        _column("polarity", "Whether it is positive.", "bool"),
        _column("on_mask", "Bit c: channel c is on."),
        _vector("voltage", "Voltage of each channel.", "float32", "V"),
        _vector("current", "Current of each channel, as written.", "float32"),
    ),
    section="ORCA format, 5.7",
)

HV_STATUS = Table(
    "ORVHQ224LDecoderForHVStatus",
    "One row per reading of the two channels of a VHQ224L or NHQ226L.",
    (
        PACKET_ID,
        TIME,
        DEVICE,
        _column("status1", "First status word of each channel.", n=2),
        _column("status2", "Second status word of each channel.", n=2),
        _float("voltage", "Voltage of each channel.", "V", 2),
        _float("current", "Current of each channel.", n=2),
    ),
    section="ORCA format, 5.7",
)

# --- temperature, pressure, level, current ------------------------------------------

LAKE_SHORE = Table(
    "ORLakeShore210DecoderForTemperature",
    "One row per reading of the eight inputs of a LakeShore 210.",
    (
        PACKET_ID,
        _times(8),
        DEVICE,
        _column("kelvin", "Whether the unit is K, or degrees Celsius.", "bool"),
        _float("temperature", "Temperature of each input.", n=8),
    ),
    section="ORCA format, 5.7",
)


def _one_value(name: str, column: str, description: str) -> Table:
    return Table(
        name,
        "One row per reading.",
        (PACKET_ID, TIME, DEVICE, _float(column, description)),
        section="ORCA format, 5.7",
    )


CTI_TEMPERATURE = _one_value(
    "ORCTITempDecoderForTemperature", "temperature", "Temperature."
)
KEITHLEY_CURRENT = _one_value("ORKeithley6487DecoderForCurrent", "current", "Current.")
ION_GAUGE_PRESSURE = _one_value(
    "ORKJL2200IonGaugeDecoderForPressure", "pressure", "Pressure."
)


def _pressures(name: str, n: int, *more: Column) -> Table:
    return Table(
        name,
        f"One row per reading of the {n} gauges.",
        (
            PACKET_ID,
            _times(n),
            DEVICE,
            *more,
            _float("pressure", "Pressure at each gauge.", n=n),
        ),
        section="ORCA format, 5.7",
    )


MKS_PRESSURE = _pressures(
    "ORMksPdr2000DecoderForPressure",
    2,
    _column("units", "1: Torr, 2: mbar, 3: Pa, 4: arbitrary.", "uint8"),
)
TPG_PRESSURE = _pressures("ORTPG256ADecoderForPressure", 6)
BOC_PRESSURE = _pressures("ORBocTIC3DecoderForPressure", 3)

AMI_LEVEL = Table(
    "ORAmi286DecoderForLevel",
    "One row per reading of the four levels of an AMI 286.",
    (
        PACKET_ID,
        _times(4),
        DEVICE,
        _column("fill_state", "Fill state of each level.", "uint8", n=4),
        _float("level", "The levels.", n=4),
    ),
    section="ORCA format, 5.7",
)

# --- ADCs and inputs ----------------------------------------------------------------

PAC_ADC = Table(
    "ORPacDecoderForAdc",
    "One row per reading of the eight ADCs of a PAC or a PacFP.",
    (
        PACKET_ID,
        _times(8),
        DEVICE,
        _column("adc", "Values of the ADCs.", n=8),
    ),
    section="ORCA format, 5.7",
)

_LINES = (
    _column("direction", "Directions of the lines."),
    _column("output", "States of the outputs."),
    _column("input", "States of the inputs."),
)

LAB_JACK = Table(
    "ORLabJackDecoderForIOData",
    "One row per reading of a LabJack U12.",
    (
        PACKET_ID,
        TIME,
        DEVICE,
        _column("differential", "Bit k: pair k of inputs is differential.", "uint8"),
        _float("adc", "Values of the ADCs.", "V", 8),
        _column("counter", "State of the counter."),
        *_LINES,
    ),
    section="ORCA format, 5.7",
)

LAB_JACK_UE9 = Table(
    "ORLabJackUE9DecoderForIOData",
    "One row per reading of a LabJack UE9.",
    (
        PACKET_ID,
        TIME,
        DEVICE,
        _float("adc", "Values of the ADCs.", "V", 84),
        _column("counter", "States of the counters.", n=2),
        _column("timer", "States of the timers.", n=6),
        *_LINES,
    ),
    section="ORCA format, 5.7",
)

_CHANNELS = _vector("channel", "Channel of each value.", "uint8")
_ADCS = _vector("adc", "Values of the ADCs.", "uint16")
_IP_SLOT = _column("ip_slot", "Slot of the IP module on the card.", "uint8")

XYCOM_ADC = Table(
    "ORXYCom564",
    "One row per reading of a XYCom 564; crates are even numbers.",
    (PACKET_ID, TIME, _TIME_USEC, CRATE, CARD, _CHANNELS, _ADCS),
    section="ORCA format, 5.7",
)

IP320_ADC = Table(
    "ORIP320DecoderForAdc",
    "One row per reading of an IP320; crates are even numbers.",
    (PACKET_ID, TIME, CRATE, CARD, _IP_SLOT, _CHANNELS, _ADCS),
    section="ORCA format, 5.7",
)

IP320_VALUE = Table(
    "ORIP320DecoderForValue",
    "One row per reading of an IP320 in units of its own; crates are even numbers.",
    (
        PACKET_ID,
        TIME,
        CRATE,
        CARD,
        _IP_SLOT,
        _vector("channel", "Channel of each value."),
        _vector("value", "The values.", "float32"),
    ),
    section="ORCA format, 5.7",
)

CONTROL_VALUE = Table(
    "ORHVcRIODecoderForAdc",
    "One row per value of a HVcRIO or of an ADEI control.",
    (
        PACKET_ID,
        TIME,
        DEVICE,
        _column("index", "Which value it is."),
        _column("value", "The value.", "float64"),
    ),
    section="ORCA format, 5.7",
)

MCA927 = Table(
    "ORMCA927Spectra",
    "One row per spectrum of a MCA927.",
    (
        PACKET_ID,
        DEVICE,
        CHANNEL,
        _column("zdt", "Whether it is a spectrum of zero dead time.", "bool"),
        _column("live_time", "Live time in units of 20 ms."),
        _column("real_time", "Real time in units of 20 ms."),
        _column("zdt_mode", "Mode of zero dead time."),
        _vector("counts", "Contents of the bins."),
    ),
    section="ORCA format, 5.7",
)

SHAPER = Table(
    "ORShaperDecoderForShaper",
    "One row per value of a shaper card.",
    (
        PACKET_ID,
        *PLACE,
        _column("adc", "Value of the ADC.", "uint16"),
        _column("time", "Time in UTC since 1970; 0 if not written.", units="s"),
        _TIME_USEC,
    ),
    section="ORCA format, 5.7",
)

# --- Struck digitizers, besides their events ----------------------------------------

SIS3302_LOST_DATA = Table(
    "ORSIS3302DecoderForLostData",
    "One row per loss of data of a SIS3302.",
    (
        PACKET_ID,
        *PLACE,
        _column("type", "0: records were lost, 1: a reset.", "uint8"),
        _column("lost_records", "Number of records lost; of a reset 0."),
        _column("channel_mask", "Bit c: channel c was reset.", "uint16"),
    ),
    section="ORCA format, 4.5",
)

SIS3302_MCA = Table(
    "ORSIS3302DecoderForMca",
    "One row per spectrum of a SIS3302.",
    (PACKET_ID, *PLACE, _vector("counts", "Contents of the bins.")),
    section="ORCA format, 4.5",
)

SIS3302_WAVEFORM = Table(
    "ORSIS3302GenericDecoderForWaveform",
    "One row per trace that came in pieces; `packet_id` is the last one.",
    (
        PACKET_ID,
        *PLACE,
        _column("tag", "Tag of the pieces."),
        _vector("words", "The trace, as it was written: words of 32 bits."),
    ),
    section="ORCA format, 4.5",
)

SIS3316_HISTOGRAM = Table(
    "ORSIS3316Histogram",
    "One row per spectrum of a SIS3316.",
    (PACKET_ID, *PLACE, _vector("counts", "Contents of the bins.")),
    section="ORCA format, 4.6",
)

SIS3316_STATISTICS = Table(
    "ORSIS3316Statistics",
    "One row per reading of the counters of a SIS3316, 16 of each kind.",
    (
        PACKET_ID,
        CRATE,
        CARD,
        _column("all", "All hits of each channel.", n=16),
        _column("events", "Events of each channel.", n=16),
        _column("dead_time", "Hits of each channel in its dead time.", n=16),
        _column("pileup", "Hits in pileup.", n=16),
        _column("veto", "Hits that were vetoed.", n=16),
        _column("high_energy", "Hits suppressed for their high energy.", n=16),
    ),
    section="ORCA format, 4.6",
)

TABLES = (
    *(SCRIPT_STATE, SCRIPT_RECORD, HISTOGRAM, POLLING_TIME),
    *(MJD_PREAMP, ISEG_HV, HV_STATUS),
    *(LAKE_SHORE, CTI_TEMPERATURE, KEITHLEY_CURRENT, ION_GAUGE_PRESSURE),
    *(MKS_PRESSURE, TPG_PRESSURE, BOC_PRESSURE, AMI_LEVEL),
    *(PAC_ADC, LAB_JACK, LAB_JACK_UE9, XYCOM_ADC, IP320_ADC, IP320_VALUE),
    *(CONTROL_VALUE, MCA927, SHAPER),
    *(SIS3302_LOST_DATA, SIS3302_MCA, SIS3302_WAVEFORM),
    *(SIS3316_HISTOGRAM, SIS3316_STATISTICS),
)
