"""The output tables of digitizers: in crates, and on the desktop.

In a column's source (ORCA format, 4 and 5) ``w`` is the array of a packet's words,
``h`` the array of an event's words.
"""

from __future__ import annotations

from dataclasses import replace

from ...buffers.declaration import Column, Table
from ...fc.shared_columns import MAX_SAMPLES
from ..common_columns import CARD, CHANNEL, CRATE, PACKET_ID, PLACE


def _samples(dtype: str, source: str) -> Column:
    return Column(
        "waveform",
        dtype,
        "Samples of the trace.",
        kind="waveform",
        length=MAX_SAMPLES,
        source=source,
    )


def _adc(name: str, description: str, source: str) -> Column:
    return Column(name, "uint32", description, units="adc", source=source)


def _plain(name: str, description: str, source: str, dtype: str = "uint32") -> Column:
    return Column(name, dtype, description, source=source)


def _timestamp(source: str) -> Column:
    return Column(
        "timestamp",
        "uint64",
        "Time stamp of the card.",
        units="clock_ticks",
        source=source,
    )


def _gates(source: str, first: int = 1, last: int = 8) -> tuple[Column, ...]:
    return tuple(
        _adc(f"accSum{i}", f"Sum of gate {i}.", source) for i in range(first, last + 1)
    )


# --- Struck -------------------------------------------------------------------------

SIS3302 = Table(
    "ORSIS3302DecoderForEnergy",
    "One row per trace of a SIS3302 card.",
    (
        PACKET_ID,
        _adc("energy", "Maximum of the energy filter.", "ORCA format, 4.5"),
        _plain(
            "energy_first",
            "Energy filter at the first point of the gate.",
            "ORCA format, 4.5",
        ),
        _timestamp("w[4]>>16, w[5]"),
        *PLACE,
        _plain(
            "flags",
            "31: pileup, 30: retrigger, 29 and 28: trigger of the next and of the "
            "previous channel, 27-24: fast triggers, 0: trigger. Optional.",
            "ORCA format, 4.5",
        ),
        Column(
            "energy_waveform",
            "uint32",
            "Trace of the energy filter. Optional.",
            kind="vector",
            length=0x3FFFF,
            source="ORCA format, 4.5",
        ),
        _samples("uint16", "ORCA format, 4.5"),
    ),
    section="ORCA format, 4.5",
)

SIS3316 = Table(
    "ORSIS3316Waveform",
    "One row per event of a channel of a SIS3316 card.",
    (
        PACKET_ID,
        _adc("energy", "Maximum of the energy filter.", "format bit 3"),
        _plain("energy_first", "Energy filter at the start.", "format bit 3"),
        _timestamp("h[0]>>16, h[1]"),
        _adc("peakHighValue", "Highest sample.", "format bit 0"),
        _adc("peakHighIndex", "Index of the highest sample.", "format bit 0"),
        _plain("information", "Flags of the card.", "format bit 0"),
        *_gates("format bit 0", 1, 6),
        *_gates("format bit 1", 7, 8),
        _adc("mawMax", "Maximum of the moving average.", "format bit 2"),
        _adc("mawBefore", "Moving average before the trigger.", "format bit 2"),
        _adc("mawAfter", "Moving average after the trigger.", "format bit 2"),
        _adc("startEnergy", "Energy filter at the start.", "format bit 3"),
        _adc("maxEnergy", "Maximum of the energy filter.", "format bit 3"),
        *PLACE,
        _samples("uint16", "ORCA format, 4.6"),
    ),
    section="ORCA format, 4.6",
)

SIS3305 = Table(
    "ORSIS3305DecoderForWaveform",
    "One row per event of a SIS3305 card; `dt` depends on the row's rate.",
    (
        PACKET_ID,
        _timestamp("h[0], h[1]"),
        _plain("event_id", "Input of its group.", "h[0]>>28", "uint8"),
        _plain("group", "0: ADC 1-4, 1: ADC 5-8.", "w[1] bits 12-15", "uint8"),
        _plain("channel_mode", "Channel mode.", "w[1] bits 16-19", "uint8"),
        _plain("rate", "0: 1.25, 1: 2.5, 2: 5 GS/s.", "w[1] bits 8-11", "uint8"),
        _plain("saving_mode", "Event saving mode.", "w[1] bits 4-7", "uint8"),
        *(replace(column, source="ORCA format, 5.3") for column in PLACE),
        _samples("uint16", "ORCA format, 5.3"),
    ),
    section="ORCA format, 5.3",
)

SIS3320 = Table(
    "ORSIS3320Waveform",
    "One row per event of a channel of a SIS3320 card.",
    (
        PACKET_ID,
        _timestamp("h[0]>>16, h[1]"),
        *_gates("h[2]-h[7]"),
        *PLACE,
        _samples("uint16", "h[10]-"),
    ),
    section="ORCA format, 5.4",
)

# --- Gretina ------------------------------------------------------------------------

GRETINA4M = Table(
    "ORGretina4MWaveform",
    "One row per event of a channel of a Gretina4M card.",
    (
        PACKET_ID,
        _adc("energy", "Size of the energy.", "h[3], h[4]"),
        _timestamp("h[2], h[3]"),
        *PLACE,
        _plain("board_id", "Id of the board.", "h[1]", "uint16"),
        _plain("serial_number", "Serial number of the board.", "w[1]", "uint16"),
        _plain("fifo_state", "1: half full, 2: nearly full.", "w[1]", "uint8"),
        _samples("int16", "h[15]-h[1023]"),
    ),
    section="ORCA format, 5.1",
)

GRETINA4A = Table(
    "ORGretina4AWaveform",
    "One row per event of a channel of a Gretina4A card.",
    (
        PACKET_ID,
        Column(
            "energy",
            "int32",
            "Sum after the rise less that before.",
            units="adc",
            source="h[8], h[9]",
        ),
        _timestamp("h[2], h[3]"),
        replace(
            _timestamp("h[4], h[5]"),
            name="prev_timestamp",
            description="Time stamp of the event before.",
        ),
        _adc("pre_rise_sum", "Sum before the rise.", "h[8]"),
        _adc("post_rise_sum", "Sum after the rise.", "h[8], h[9]"),
        _adc("baseline", "Sampled baseline.", "h[6]"),
        _plain("flags", "Flags of the card.", "h[4]", "uint16"),
        _plain("event_type", "Type of the event.", "h[3] bits 23-25", "uint8"),
        _plain("header_type", "Type of its header.", "h[3] bits 16-19", "uint8"),
        _plain("peak_time", "Time stamp of the peak.", "h[9]>>16", "uint16"),
        _plain("trigger_time", "Time stamp of the trigger.", "h[10]>>16", "uint16"),
        *PLACE,
        _plain("board_id", "Id of the board.", "h[1]", "uint16"),
        Column(
            "waveform_flags",
            "uint8",
            "Of each sample; 1: marker, 2: down-sampled. Optional.",
            kind="vector",
            length=2 * 0x7FF,
            source="ORCA format, 5.2",
        ),
        _samples("uint16", "ORCA format, 5.2"),
    ),
    section="ORCA format, 5.2",
)

# --- CAEN ---------------------------------------------------------------------------

CAEN_FIELDS = Table(
    "ORCaenFields",
    "Columns of all traces of CAEN digitizers.",
    (
        PACKET_ID,
        _plain("eventnumber", "Number of the event.", "h[2] bits 0-23"),
        _timestamp("h[3] bits 0-30"),
        Column(
            "timestamp_rollover",
            "bool",
            "Roll-over bit of the time stamp.",
            source="h[3] bit 31",
        ),
        _plain("board_id", "Id of the board.", "h[1] bits 27-31", "uint8"),
        _plain("pattern", "Pattern at the inputs of the card.", "h[1]", "uint16"),
        Column(
            "board_fail", "bool", "The card reports a failure.", source="h[1] bit 26"
        ),
        replace(CHANNEL, source="h[1], h[2]"),
    ),
    section="ORCA format, 5.5",
)

CAEN = Table(
    "ORCaenWaveform",
    "One row per channel of an event of a V1730, V1724 or V1720 card.",
    (*CAEN_FIELDS.columns, CRATE, CARD, _samples("uint16", "ORCA format, 5.5")),
    shared=CAEN_FIELDS,
    section="ORCA format, 5.5",
)

CAEN_8_BITS = Table(
    "ORCV1721Waveform",
    "One row per channel of an event of a V1721 card.",
    (*CAEN_FIELDS.columns, CRATE, CARD, _samples("uint8", "ORCA format, 5.5")),
    shared=CAEN_FIELDS,
    section="ORCA format, 5.5",
)

CAEN_USB = Table(
    "ORDT57xx",
    "One row per channel of an event of a DT5725 or DT5720.",
    (
        *CAEN_FIELDS.columns,
        _plain("unit", "Number of the unit.", "w[1] bits 16-19", "uint8"),
        _samples("uint16", "ORCA format, 5.6"),
    ),
    shared=CAEN_FIELDS,
    section="ORCA format, 5.6",
)

TABLES = (
    *(SIS3302, SIS3316, SIS3305, SIS3320),
    *(GRETINA4M, GRETINA4A),
    *(CAEN, CAEN_8_BITS, CAEN_USB),
)
"""Tables of digitizers: the kernel fills them."""
