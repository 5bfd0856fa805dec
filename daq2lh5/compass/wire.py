"""Wire structs of CoMPASS files; see :mod:`daq2lh5._core.wire`.

Sections are those of the CoMPASS format. All numbers are little-endian and unaligned.
"""

from __future__ import annotations

from .._core.wire import Bits, Field, Struct

__all__ = ["STRUCTS"]

HEADER = Struct(
    "compass_header",
    "header word, the first two bytes of a file of CoMPASS 2",
    "CoMPASS format, 1.1",
    2,
    (
        Field(
            0,
            "u16",
            "word",
            bits=(
                Bits(4, 12, "mark", "of CoMPASS", value=0xCAE),
                Bits(3, 1, "waveforms", "records have samples"),
                Bits(2, 1, "short_energy", "records have a short-gate charge"),
                Bits(1, 1, "calibrated", "records have a calibrated energy"),
                Bits(0, 1, "energy", "records have an energy in ADC channels"),
            ),
        ),
    ),
)

HEAD = Struct(
    "compass_head",
    "the part of a record in front of its samples",
    "CoMPASS format, 2",
    12,
    (
        Field(0, "u16", "board", "number of the board"),
        Field(2, "u16", "channel", "channel of the board"),
        Field(4, "u64", "timestamp", "time since the start of the run", "ps"),
        Field(None, "u16", "energy", "energy, in ADC channels", when="has_energy"),
        Field(
            None,
            "f64",
            "calibrated",
            "calibrated energy, in the unit of the settings",
            when="has_calibrated",
        ),
        Field(
            None,
            "u16",
            "short_energy",
            "charge in the short gate, in ADC channels",
            when="has_short_energy",
        ),
        Field(
            None,
            "u32",
            "flags",
            "flags of the digitizer",
            when="not is_v0",
            section="CoMPASS format, 2.1",
        ),
        Field(
            None,
            "u16",
            "short_flags",
            "the lower half of the flags",
            when="is_v0",
            section="CoMPASS format, 2.1",
        ),
        Field(
            None,
            "u8",
            "code",
            "code of the analogue probe",
            when="has_code",
            section="CoMPASS format, 2.2",
        ),
        Field(None, "u32", "n_samples", "16-bit samples that follow", when="has_count"),
    ),
    conditions=(
        "has_energy",
        "has_calibrated",
        "has_short_energy",
        "is_v0",
        "has_code",
        "has_count",
    ),
)

STRUCTS = (HEADER, HEAD)
