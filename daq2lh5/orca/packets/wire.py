"""Wire structs of ORCA packets of all kinds.

Section numbers refer to the ORCA format. Word 0 is the first word of the packet; words
are numbered as in a long packet. All numbers are little-endian. See
:mod:`daq2lh5._core.wire`.
"""

from __future__ import annotations

from ..._core.wire import Bits, Field, Struct, word

__all__ = ["STRUCTS"]

LONG = Struct(
    "orca_long",
    "first word of a long or extended packet",
    "ORCA format, 1.1",
    4,
    (
        word(
            0,
            "word",
            bits=(
                Bits(31, 1, "is_short", "always 0", value=0),
                Bits(18, 13, "id", "data id; 0 of a header"),
                Bits(0, 18, "n_words", "length in words; 0 of an extended packet"),
            ),
        ),
    ),
)

SHORT = Struct(
    "orca_short",
    "the only word of a short packet",
    "ORCA format, 1.1",
    4,
    (
        word(
            0,
            "word",
            bits=(
                Bits(26, 6, "id", "data id; bit 31 is always set"),
                Bits(0, 26, "payload", "the contents"),
            ),
        ),
    ),
)

EXTENDED = Struct(
    "orca_extended",
    "first words of an extended packet",
    "ORCA format, 1.1",
    8,
    (
        word(0, "word", "data id, as of a long packet; the length is 0"),
        word(1, "n_words", "length in words, these two included"),
    ),
)

HEADER = Struct(
    "orca_header",
    "first words of a header packet",
    "ORCA format, 1.2",
    12,
    (
        word(0, "word", "id 0, and the lowest 18 bits of the length in words"),
        word(1, "n_text", "bytes of the property list"),
        Field(8, "u8", "text", "start of the property list: <?xm", count=4),
    ),
)

RUN = Struct(
    "orca_run",
    "run record",
    "ORCA format, 4.2",
    16,
    (
        word(
            1,
            "flags",
            bits=(
                Bits(16, 16, "subrun", "number of the sub-run"),
                Bits(5, 1, "starts_subrun", "start of a sub-run"),
                Bits(4, 1, "ends_subrun", "end of a sub-run"),
                Bits(3, 1, "is_heartbeat", "heartbeat"),
                Bits(2, 1, "is_remote", "remote-controlled run"),
                Bits(1, 1, "is_quick", "quick start"),
                Bits(0, 1, "starts_run", "start of a run"),
            ),
        ),
        word(2, "run_number", "run; of a heartbeat: seconds to the next", type="i32"),
        word(3, "time", "Unix time", "s", type="i32"),
    ),
)

HISTOGRAM = Struct(
    "orca_histogram",
    "first words of a histogram: name, number of bins and bins follow",
    "ORCA format, 5.7",
    8,
    (word(1, "n_name", "words of the name"),),
)

STRUCTS = (LONG, SHORT, EXTENDED, HEADER, RUN, HISTOGRAM)
