"""Wire structs of ROOT's objects in files of MGDO; see :mod:`daq2lh5._core.wire`.

Sections are those of the MGDO format. All numbers are big-endian. Fields are named
after the members of the classes, without ``f`` and in snake case.
"""

from __future__ import annotations

from .._core.wire import Bits, Field, Struct

__all__ = ["STRUCTS"]

VERSION = Struct(
    "root_version",
    "byte count and version in front of an object",
    "MGDO format, 3",
    6,
    (
        Field(
            0,
            "be_u32",
            "count_word",
            bits=(
                Bits(30, 2, "mark", "always 1", value=1),
                Bits(0, 30, "count", "bytes of the object behind this word"),
            ),
        ),
        Field(4, "be_u16", "version", "version of the class"),
    ),
)

POINTER = Struct(
    "root_pointer",
    "byte count and class in front of the target of a pointer",
    "MGDO format, 3",
    8,
    (
        Field(
            0,
            "be_u32",
            "count_word",
            bits=(
                Bits(30, 2, "mark", "always 1", value=1),
                Bits(0, 30, "count", "bytes behind this word"),
            ),
        ),
        Field(4, "be_u32", "tag", "class: 0xFFFFFFFF, then its name; or a reference"),
    ),
)

ROOT_OBJECT = Struct(
    "root_object",
    "TObject; two bytes follow if bit 4 of its bits is set",
    "MGDO format, 3",
    10,
    (
        Field(0, "be_u16", "version", "version of the class", value=1),
        Field(2, "be_u32", "unique_id", "unused"),
        Field(6, "be_u32", "bits", "flags of the object"),
    ),
)

ARRAY = Struct(
    "root_array",
    "sizes of a TClonesArray, behind its strings",
    "MGDO format, 3",
    8,
    (
        Field(0, "be_i32", "n_objects", "slots of the array"),
        Field(4, "be_i32", "lower_bound", "unused"),
    ),
)

COUNT = Struct(
    "root_count",
    "number of elements that follow, or of bytes of a string of 255 or more",
    "MGDO format, 3",
    4,
    (Field(0, "be_u32", "n", "number of elements"),),
)

EVENT = Struct(
    "mgdo_event",
    "first members of MGTEvent",
    "MGDO format, 4.1",
    20,
    (
        Field(0, "be_i32", "event_type", "0 real, 1 pulser, 2 MC, 4 baseline"),
        Field(4, "be_f64", "total", "sum of the energies of all channels"),
        Field(12, "be_f64", "time", "Unix time", "s"),
    ),
)

EVENT_END = Struct(
    "mgdo_event_end",
    "last member of MGTEvent",
    "MGDO format, 4.1",
    4,
    (Field(0, "be_i32", "event_number", "always 0"),),
)

WAVEFORM = Struct(
    "mgdo_waveform",
    "members of MGTWaveform in front of the samples",
    "MGDO format, 4.2",
    32,
    (
        Field(0, "be_f64", "frequency", "sampling frequency", "GHz"),
        Field(8, "be_f64", "offset", "time of the first sample", "ns"),
        Field(16, "be_i32", "waveform_type", "3: ADC values"),
        Field(20, "be_u64", "n_samples", "number of samples"),
        Field(28, "be_i32", "encoding", "how the samples are encoded"),
    ),
)

WAVEFORM_END = Struct(
    "mgdo_waveform_end",
    "member of MGTWaveform behind the samples",
    "MGDO format, 4.2",
    4,
    (Field(0, "be_i32", "channel", "number of the channel"),),
)

DIGITIZER = Struct(
    "mgdo_digitizer",
    "members of MGTVDigitizerData",
    "MGDO format, 4.3",
    28,
    (
        Field(0, "be_f64", "energy", "energy computed by the data acquisition"),
        Field(8, "be_u64", "time_stamp", "Unix time, whole seconds", "s"),
        Field(16, "be_u32", "channel", "number of the channel"),
        Field(20, "be_u64", "index", "always 0"),
    ),
)

GERDA = Struct(
    "mgdo_gerda",
    "members of GETVGERDADigitizerData",
    "MGDO format, 4.3",
    42,
    (
        Field(0, "be_f64", "clock_frequency", "frequency of the clock", "GHz"),
        Field(8, "be_i32", "event_number", "number of the event"),
        Field(12, "be_u64", "pretrigger", "length before the trigger"),
        Field(20, "be_u64", "trigger_number", "number of the trigger"),
        Field(28, "be_u32", "decimal_time_stamp", "part of the second", "ns"),
        Field(32, "u8", "is_mu_vetoed", "whether the muon veto fired"),
        Field(33, "be_u32", "mu_veto_sample", "sample of the muon veto"),
        Field(37, "u8", "is_inverted", "whether the signal is inverted"),
        Field(38, "be_i32", "waveform_tag", "0 normal, 1 underflow, 2 overflow"),
    ),
)

STRUCTS = (
    VERSION,
    POINTER,
    ROOT_OBJECT,
    ARRAY,
    COUNT,
    EVENT,
    EVENT_END,
    WAVEFORM,
    WAVEFORM_END,
    DIGITIZER,
    GERDA,
)
