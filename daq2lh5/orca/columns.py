"""The output tables of ORCA data, but for those of FCIO records in ORCA packets.

``ORCA`` in a column's source is the format document "ORCA"; ``w`` are the words of a
packet, ``h`` those of the FlashCam header in it.
"""

from __future__ import annotations

from dataclasses import replace

from ..columns import Column, Table
from ..fc.columns import FC_EVENT, MAX_TRACES

PACKET_ID = Column(
    "packet_id",
    "uint32",
    "Number of the packet in the file; the header is packet 0.",
    source="ORCA 3",
)


def _bit(name: str, description: str, bit: int) -> Column:
    return Column(name, "bool", description, source=f"w[1] bit {bit}")


RUN = Table(
    "ORRunDecoderForRun",
    "One row per run record: start, stop, sub-runs and heartbeats.",
    (
        Column("subrun_number", "uint16", "Number of the sub-run.", source="w[1]>>16"),
        _bit("runstartorstop", "Start (true) or stop of a run.", 0),
        _bit("quickstartrun", "Run without full initialization.", 1),
        _bit("remotecontrolrun", "Run started by remote control.", 2),
        _bit("heartbeatrecord", "A sign of life, every 30 s.", 3),
        _bit("endsubrunrecord", "End of a sub-run.", 4),
        _bit("startsubrunrecord", "Start of a sub-run.", 5),
        Column(
            "run_number",
            "int32",
            "Number of the run; of heartbeats: seconds until the next.",
            source="w[2]",
        ),
        Column("time", "int32", "Time in UTC since 1970, seconds.", source="w[3]"),
    ),
)


def _i32(name: str, description: str, word: int) -> Column:
    return Column(name, "int32", description, source=f"w[{word}]")


def _list(name: str, dtype: str, description: str, length: int) -> Column:
    return Column(
        name, dtype, description, kind="vector", length=length, source="ORCA 4.3.1"
    )


LISTENER_CONFIG = Table(
    "ORFlashCamListenerConfig",
    "One row per configuration of a FlashCam listener of the first generation.",
    (
        PACKET_ID,
        Column("packet_len", "uint32", "Words of the packet.", source="w[0]"),
        Column("readout_id", "uint16", "Id of the readout.", source="w[1]>>16"),
        Column("fcid", "uint16", "Id of the listener.", source="w[1]&0xFFFF"),
        _i32("streamid", "Id of the telescope.", 2),
        _i32("nadcs", "Number of ADC traces.", 3),
        _i32("ntriggers", "Number of trigger traces.", 4),
        _i32("nsamples", "Samples in each trace.", 5),
        _i32("adcbits", "Bits of an ADC sample.", 6),
        _i32("sumlength", "Length of the FPGA's integrator.", 7),
        _i32("blprecision", "Steps of the FPGA baseline.", 8),
        _i32("mastercards", "Number of master cards.", 9),
        _i32("triggercards", "Number of trigger cards.", 10),
        _i32("adccards", "Number of ADC cards.", 11),
        _i32("gps", "0: free running clock; else external PPS and 10 MHz.", 12),
        _list("ch_board_id", "uint16", "Card address of each trace.", MAX_TRACES),
        _list("ch_inputnum", "uint16", "Input of each trace.", MAX_TRACES),
        _list("board_rev", "uint8", "Revision of each ADC card.", 256),
        _list("board_uid", "uint64", "Hardware id of each ADC card.", 256),
    ),
)

_ORCA_FIELDS = {
    "event_type": Column("event_type", "uint8", "Type of the event.", source="w[1]"),
    "fcid": Column("fcid", "uint8", "Id of the listener.", source="header"),
    "board_id": Column("board_id", "uint16", "Address of the card.", source="header"),
    "fc_input": Column("fc_input", "uint8", "Input on that card.", source="w[2]"),
}

WAVEFORM = Table(
    "ORFlashCamWaveform",
    "One row per trace of a FlashCam listener of the first generation.",
    (
        *(
            _ORCA_FIELDS.get(c.name, c)
            for c in FC_EVENT.columns
            if c.name != "waveform"
        ),
        Column("crate", "uint8", "Crate of the card.", source="w[2]"),
        Column("slot", "uint8", "Slot of the card.", source="w[2]"),
        FC_EVENT.columns[-1],
    ),
)
WAVEFORM = replace(
    WAVEFORM,
    columns=(PACKET_ID, *(c for c in WAVEFORM.columns if c.name != "packet_id")),
)

KERNEL_TABLES = (WAVEFORM,)
"""Tables that the kernel fills."""

TABLES = (RUN, LISTENER_CONFIG, WAVEFORM)
