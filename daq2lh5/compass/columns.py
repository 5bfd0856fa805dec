"""Columns of the CoMPASS tables; see :mod:`daq2lh5.buffers.declaration`.

Sections are those of the CoMPASS format.
"""

from __future__ import annotations

from ..buffers.declaration import Column, Table

__all__ = ["EVENT", "KERNEL_TABLES", "TABLES"]

MAX_SAMPLES = 65532
"""Default length of waveforms."""

_RECORD = Table(
    "CompassRecord",
    "Columns of records with and without waveforms.",
    (
        Column(
            "packet_id",
            "uint32",
            "number of the record in the file, from 1",
            source="counted",
        ),
        Column("board", "uint32", "number of the board", source="CoMPASS format, 2"),
        Column("channel", "uint32", "channel of the board", source="CoMPASS format, 2"),
        Column(
            "timestamp",
            "float64",
            "time since the start of the run; exact up to 9007 s",
            units="ps",
            source="CoMPASS format, 2.3",
        ),
        Column(
            "timestamp_ps",
            "uint64",
            "time since the start of the run",
            units="ps",
            source="CoMPASS format, 2.3",
            extra=True,
        ),
        Column(
            "energy",
            "uint32",
            "energy in ADC channels; 0 if the file has none",
            source="CoMPASS format, 2",
        ),
        Column(
            "energy_calibrated",
            "float64",
            "calibrated energy, in the unit of the settings (keV unless they say "
            "otherwise); NaN if the file has none",
            source="CoMPASS format, 2",
        ),
        Column(
            "energy_short",
            "uint32",
            "charge in the short gate (DPP-PSD); 0 if the file has none",
            source="CoMPASS format, 2",
        ),
        Column(
            "flags", "uint32", "flags of the digitizer", source="CoMPASS format, 2.1"
        ),
        Column(
            "waveform_code",
            "uint8",
            "code of the analogue probe that was saved: 1 is the input; 0 if the file "
            "has none",
            source="CoMPASS format, 2.2",
            extra=True,
        ),
        Column(
            "num_samples",
            "int64",
            "samples of the waveform; 0 if the file has none",
            source="CoMPASS format, 2",
        ),
    ),
)

EVENT = Table(
    "CompassEvent",
    "One row for each record. Tables of channels without samples lack the column "
    "``waveform``; with waveforms of different lengths its ``values`` are lists.",
    (
        *_RECORD.columns,
        Column(
            "waveform",
            "uint16",
            "samples of the ADC",
            kind="waveform",
            length=MAX_SAMPLES,
            source="CoMPASS format, 2; dt and t0: CoMPASS format, 5.4",
        ),
    ),
    shared=_RECORD,
    section="CoMPASS format, 2",
)

KERNEL_TABLES = (EVENT,)
TABLES = (EVENT,)
