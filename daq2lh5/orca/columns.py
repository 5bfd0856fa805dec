"""The output tables of runs and of FlashCam's first generation.

Digitizers and slow control have their own modules; tables of FCIO records in ORCA
packets are in :mod:`daq2lh5.fc.columns`.

In a column's source (ORCA format, 4.3) ``w`` is the array of the packet's words, ``h``
the array of words of its FlashCam header.
"""

from __future__ import annotations

from dataclasses import replace

from ..buffers.declaration import Column, Table
from ..fc.columns import FC_EVENT
from ..fc.shared_columns import MAX_TRACES
from .common_columns import PACKET_ID
from .digitizers.columns import TABLES as DIGITIZER_TABLES


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
    section="ORCA format, 4.2",
)


def _i32(name: str, description: str, word: int) -> Column:
    return Column(name, "int32", description, source=f"w[{word}]")


def _list(name: str, dtype: str, description: str, length: int) -> Column:
    return Column(
        name,
        dtype,
        description,
        kind="vector",
        length=length,
        source="ORCA format, 4.3.1",
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
    section="ORCA format, 4.3.1",
)


MAX_CARDS = 256
"""Largest number of cards in the status of a listener."""


def _per_card(
    name: str,
    description: str,
    source: str,
    n: int = 1,
    dtype: str = "uint32",
    units: str | None = None,
) -> Column:
    """Declare a column with `n` values for each card, one card after the other."""
    return Column(
        name,
        dtype,
        description,
        units=units,
        kind="vector",
        length=MAX_CARDS * n,
        source=f"ORCA format, 4.3.2, card word {source}",
    )


def _seconds(name: str, description: str, word: int) -> Column:
    source = f"w[{word}] + 1e-6*w[{word + 1}]"
    return Column(name, "float64", description, units="s", source=source)


LISTENER_STATUS = Table(
    "ORFlashCamListenerStatus",
    "One row per status of a FlashCam listener of the first generation.",
    (
        PACKET_ID,
        Column("readout_id", "uint16", "Id of the readout.", source="w[1]>>16"),
        Column("fcid", "uint16", "Id of the listener.", source="w[1]&0xFFFF"),
        _i32("status", "1: no errors, 0: errors.", 2),
        _seconds("statustime", "Time of the status, by the clock of the cards.", 3),
        _seconds("cputime", "Time of the status, by the clock of the server.", 5),
        _seconds("startoffset", "Start of the run, by the clock of the cards.", 8),
        _i32("n_cards", "Number of cards.", 13),
        _i32("card_data_size", "Bytes of the status of a card in FCIO.", 14),
        _per_card("card_id", "Id of each card.", "0"),
        _per_card("card_status", "Status of each card.", "1"),
        _per_card("card_eventnumber", "Event that each card is at.", "2"),
        _per_card("card_pps_count", "PPS count of each card.", "3"),
        _per_card("card_clock_tick_count", "Clock ticks since the last PPS.", "4"),
        _per_card("card_max_clock_ticks", "Clock ticks at the last PPS.", "5"),
        _per_card("card_n_env_vals", "Number of sensors of each card.", "6"),
        _per_card("card_n_cti_links", "Number of CTI links of each card.", "7"),
        _per_card("card_n_link_states", "Number of links of each card.", "8"),
        _per_card("card_n_errors_tot", "Number of errors of each card.", "10"),
        _per_card("card_n_env_errors", "Errors of the sensors.", "11"),
        _per_card("card_n_cti_errors", "Errors of the CTI links.", "12"),
        _per_card("card_n_link_errors", "Errors of the links.", "13"),
        _per_card("card_n_other_errors", "Other errors: 5 of each card.", "14-18", 5),
        _per_card("card_cti_links", "CTI links: 4 of each card.", "35-38", 4),
        _per_card("card_link_states", "States of the links of the last card.", "39-"),
        _per_card(
            "card_temps", "Temperatures: 5 of each card.", "19-23", 5, "int32", "mC"
        ),
        _per_card(
            "card_voltages", "Voltages: 6 of each card.", "24-29", 6, "int32", "mV"
        ),
        _per_card("card_main_current", "Current of each card.", "30", 1, "int32", "mA"),
        _per_card("card_humidity", "Humidity at each card.", "31", 1, "int32", "o/oo"),
        _per_card(
            "card_adc_temps",
            "Temperatures of the ADC boards: 2 of each card.",
            "32-33",
            2,
            "int32",
            "mC",
        ),
    ),
    section="ORCA format, 4.3.2",
)

_ORCA_FIELDS = {
    "event_type": Column("event_type", "uint8", "Type of the event.", source="w[1]"),
    "fcid": Column("fcid", "uint8", "Id of the listener.", source="header"),
    "board_id": Column("board_id", "uint16", "Address of the card.", source="header"),
    "fc_input": Column("fc_input", "uint8", "Input on that card.", source="w[2]"),
}


def _of_orca(column: Column) -> Column:
    """Return a column of FCIO events without its FCIO source, for an ORCA packet."""
    return replace(column, source="") if "FCIO" in column.source else column


WAVEFORM = Table(
    "ORFlashCamWaveform",
    "One row per trace of a FlashCam listener of the first generation.",
    (
        *(
            _ORCA_FIELDS.get(c.name, _of_orca(c))
            for c in FC_EVENT.columns
            if c.name != "waveform"
        ),
        Column("crate", "uint8", "Crate of the card.", source="w[2]"),
        Column("slot", "uint8", "Slot of the card.", source="w[2]"),
        _of_orca(FC_EVENT.columns[-1]),
    ),
    section="ORCA format, 4.3.3",
)
WAVEFORM = replace(
    WAVEFORM,
    columns=(
        replace(PACKET_ID, stored=PACKET_ID.description),
        *(c for c in WAVEFORM.columns if c.name != "packet_id"),
    ),
)

KERNEL_TABLES = (WAVEFORM, *DIGITIZER_TABLES)
"""Tables that the kernel fills."""

TABLES = (RUN, LISTENER_CONFIG, LISTENER_STATUS, WAVEFORM)
