"""Limits, the record number and descriptions shared by the tables of FCIO data."""

from __future__ import annotations

from dataclasses import replace

from ..buffers.declaration import Column

MAX_TRACES = 2400
"""Largest number of traces of a stream (FCIO format, 1.4)."""

MAX_SAMPLES = 32768
"""Largest number of samples of a trace (FCIO format, 1.4)."""

GROUP_DESCRIPTIONS = {
    "board_id": "The MAC address of the FlashCam board which recorded this event.",
    "fc_input": "The per-board ADC channel. Corresponds to the input connector in "
    "62.5MHz mode or the input wire in 250MHz mode.",
    "runtime": "Time since trigger enable of this run. Recorded per channel.",
    "lifetime": "The accumulated lifetime since trigger enable, for which the hardware "
    "was not dead. Recorded per channel.",
    "deadtime": "The accumulated time for which the hardware buffers were full (dead). "
    "Recorded per channel.",
    "deadinterval_nsec": "The interval the board was dead between previous event and "
    "this event in nanoseconds with 4ns precision (due to the internal clock speed of "
    "250MHz).",
    "tracelist": "The number of read out adc channels in this event.",
    "baseline": "The baseline determined by the FPGA baseline algorithm.",
    "daqenergy": "The shaped pulse peak height above the trigger threshold for 62.5MHz "
    "mode. The waveform integral over `sumlength` samples in 250MHz mode.",
    "adc_temps": "If the card has adc daughter (piggy) boards mounted, each daughter "
    "has a temperature sensor.",
    "cti_links": "CTI debugging values, for experts only.",
    "link_states": "Trigger link debugging values, for experts only.",
}
"""Attribute ``description`` of lists in files of legend-daq2lh5, which leaves it empty
for other lists. lh5 appends to groups, such as lists, only if attributes are equal."""


def with_descriptions(
    *columns: Column, without: tuple[str, ...] = ()
) -> tuple[Column, ...]:
    """Return columns with the attribute ``description``, except those in `without`."""
    return tuple(
        column
        if column.name in without
        else replace(
            column,
            stored=GROUP_DESCRIPTIONS.get(column.name, "")
            if column.kind == "vector"
            else column.description,
        )
        for column in columns
    )


PACKET_ID = Column(
    "packet_id",
    "uint32",
    "Number of the packet in the stream; the first configuration is packet 0.",
    source="FCIO format, 5",
)
