"""Wire structs of the packets of digitizers.

Section numbers refer to the ORCA format. Word 0 is the first word of the packet; words
are numbered as in a long packet. All numbers are little-endian. The blocks of SIS3316
events are in :mod:`daq2lh5.llama.wire`. See :mod:`daq2lh5._core.wire`.
"""

from __future__ import annotations

from ..._core.wire import Bits, Struct, word

__all__ = ["STRUCTS"]

_CARD = (Bits(21, 4, "crate", "crate"), Bits(16, 5, "card", "card of the crate"))
_CHANNEL = Bits(8, 8, "channel", "channel of the card")
_SAMPLES = "two 16-bit samples per word, the lower half first"

LOCATION = Struct(
    "orca_location",
    "card and channel of a packet, for most digitizers",
    "ORCA format, 4.5",
    8,
    (word(1, "location", bits=(*_CARD, _CHANNEL)),),
)

SIS3302 = Struct(
    "sis3302",
    "packet of SIS3302",
    "ORCA format, 4.5",
    24,
    (
        word(
            1,
            "location",
            bits=(
                Bits(25, 7, "lost_high", "lost records, upper bits; old files only"),
                *_CARD,
                _CHANNEL,
                Bits(1, 7, "lost_low", "lost records, lower bits; old files only"),
                Bits(0, 1, "is_wrapped", "the samples form a ring"),
            ),
        ),
        word(2, "raw_words", "words of samples, two in each"),
        word(3, "energy_words", "words of the energy trace"),
        word(
            4,
            "head",
            bits=(
                Bits(16, 16, "ticks_high", "time stamp, upper bits", "clock_ticks"),
                Bits(3, 13, "module_id", "number of the module"),
                Bits(0, 3, "adc", "channel, once more"),
            ),
        ),
        word(5, "ticks_low", "time stamp, lower bits", "clock_ticks"),
    ),
)

SIS3302_RING = Struct(
    "sis3302_ring",
    "next words of a packet of SIS3302 whose samples form a ring",
    "ORCA format, 4.5",
    8,
    (
        word(0, "n_samples", "samples of the ring"),
        word(1, "start", "sample at which the ring begins"),
    ),
)

SIS3302_END = Struct(
    "sis3302_end",
    "last words of a packet of SIS3302",
    "ORCA format, 4.5",
    16,
    (
        word(0, "energy", "largest energy", "adc"),
        word(1, "energy_first", "energy at the start of the gate", "adc"),
        word(
            2,
            "flags",
            bits=(
                Bits(31, 1, "has_pileup", "pile-up"),
                Bits(30, 1, "is_retriggered", "retriggered"),
                Bits(29, 1, "next_triggered", "the next ADC triggered"),
                Bits(28, 1, "previous_triggered", "the ADC before triggered"),
                Bits(24, 4, "fast_triggers", "number of fast triggers"),
                Bits(0, 1, "has_trigger", "trigger"),
            ),
        ),
        word(3, "mark", "end of the event", value=0xDEADBEEF),
    ),
)

SIS3316 = Struct(
    "sis3316",
    "packet of SIS3316; the events follow",
    "ORCA format, 4.6",
    40,
    (
        word(1, "location", bits=(*_CARD, _CHANNEL)),
        word(2, "n_events", "events of the packet"),
        word(3, "event_words", "words of an event, as planned"),
        word(4, "n_fifo", "events in the FIFO"),
        word(5, "head_words", "words before the samples of an event, or 0"),
        word(6, "zeros", "always 0", count=4),
    ),
)

GRETINA = Struct(
    "gretina",
    "packet of Gretina4M and Gretina4A; the events follow",
    "ORCA format, 5.1",
    8,
    (
        word(
            1,
            "location",
            bits=(
                Bits(30, 2, "fifo_state", "FIFO half full, or nearly full"),
                *_CARD,
                Bits(0, 16, "serial_number", "serial number of the board"),
            ),
        ),
    ),
)

_GRETINA_START = (
    word(0, "mark", "start of the event", value=0xAAAAAAAA),
    word(
        1,
        "location",
        bits=(
            Bits(16, 11, "last_word", "length in words, less 1"),
            Bits(4, 12, "board_id", "number of the board"),
            Bits(0, 4, "channel", "channel of the board"),
        ),
    ),
    word(2, "ticks_low", "time stamp, lower bits", "clock_ticks"),
)

GRETINA4M = Struct(
    "gretina4m",
    "header of an event of Gretina4M; 1009 words of samples follow",
    "ORCA format, 5.1",
    60,
    (
        *_GRETINA_START,
        word(
            3,
            "middle",
            bits=(
                Bits(16, 16, "energy_low", "energy, lower bits", "adc"),
                Bits(0, 16, "ticks_high", "time stamp, upper bits", "clock_ticks"),
            ),
        ),
        word(
            4,
            "upper",
            bits=(Bits(0, 9, "energy_high", "energy, upper bits", "adc"),),
        ),
    ),
)

GRETINA4A = Struct(
    "gretina4a",
    "header of an event of Gretina4A; the samples follow",
    "ORCA format, 5.2",
    56,
    (
        *_GRETINA_START,
        word(
            3,
            "types",
            bits=(
                Bits(26, 6, "head_length", "words of 16 bits before the samples"),
                Bits(23, 3, "event_type", "type of the event"),
                Bits(16, 4, "header_type", "type of the header"),
                Bits(0, 16, "ticks_high", "time stamp, upper bits", "clock_ticks"),
            ),
        ),
        word(
            4,
            "state",
            bits=(
                Bits(16, 16, "prev_low", "previous time stamp, bits 15 to 0"),
                Bits(0, 16, "flags", "flags of the event"),
            ),
        ),
        word(5, "prev_high", "previous time stamp, bits 47 to 16", "clock_ticks"),
        word(6, "sampled", bits=(Bits(0, 24, "baseline", "sampled baseline", "adc"),)),
        word(
            8,
            "sums",
            bits=(
                Bits(24, 8, "post_low", "sum behind the rise, lower bits", "adc"),
                Bits(0, 24, "pre_sum", "sum before the rise", "adc"),
            ),
        ),
        word(
            9,
            "peak",
            bits=(
                Bits(16, 16, "peak_time", "time of the peak", "clock_ticks"),
                Bits(0, 16, "post_high", "sum behind the rise, upper bits", "adc"),
            ),
        ),
        word(
            10,
            "trigger",
            bits=(
                Bits(16, 16, "trigger_time", "time of the trigger", "clock_ticks"),
                Bits(0, 14, "last_post_enter", "sample entering the last sum"),
            ),
        ),
        word(
            11,
            "post",
            bits=(
                Bits(16, 14, "last_post_leave", "sample leaving the last sum"),
                Bits(0, 14, "post_leave", "sample leaving the sum behind the rise"),
            ),
        ),
        word(
            12,
            "pre",
            bits=(
                Bits(16, 14, "pre_enter", "sample entering the sum before the rise"),
                Bits(0, 14, "pre_leave", "sample leaving the sum before the rise"),
            ),
        ),
        word(
            13,
            "samples",
            bits=(
                Bits(16, 14, "base_sample", "sample of the baseline"),
                Bits(0, 14, "peak_sample", "sample of the peak"),
            ),
        ),
    ),
)

SIS3305 = Struct(
    "sis3305",
    "packet of SIS3305; events of the same length follow",
    "ORCA format, 5.3",
    16,
    (
        word(
            1,
            "location",
            bits=(
                Bits(28, 4, "crate", "crate"),
                Bits(20, 5, "card", "card of the crate"),
                Bits(16, 4, "channel_mode", "which inputs share an ADC"),
                Bits(12, 4, "group", "0: ADC 1 to 4, 1: ADC 5 to 8"),
                Bits(8, 4, "rate", "0: 1.25, 1: 2.5, 2: 5 GS/s"),
                Bits(4, 4, "saving_mode", "how samples are stored"),
                Bits(0, 1, "is_wrapped", "wrap mode, which ORCA does not support"),
            ),
        ),
        word(2, "event_words", "words of an event"),
        word(3, "counts", bits=(Bits(0, 16, "n_events", "events of the packet"),)),
    ),
)

SIS3305_EVENT = Struct(
    "sis3305_event",
    "header of an event of SIS3305; words of three 10-bit samples follow",
    "ORCA format, 5.3",
    16,
    (
        word(
            0,
            "head",
            bits=(
                Bits(28, 4, "event_id", "channel of the group"),
                Bits(0, 16, "ticks_high", "time stamp, upper bits", "clock_ticks"),
            ),
        ),
        word(1, "ticks_low", "time stamp, lower bits", "clock_ticks"),
        word(3, "lengths", bits=(Bits(0, 16, "n_blocks", "blocks of samples"),)),
    ),
)

SIS3320 = Struct(
    "sis3320",
    "packet of SIS3320; the events follow",
    "ORCA format, 5.4",
    8,
    (
        word(
            1,
            "location",
            bits=(
                Bits(31, 1, "is_split", "part of a buffer of several packets"),
                *_CARD,
                _CHANNEL,
            ),
        ),
    ),
)

SIS3320_EVENT = Struct(
    "sis3320_event",
    f"header of an event of SIS3320; then {_SAMPLES}",
    "ORCA format, 5.4",
    40,
    (
        word(
            0,
            "head",
            bits=(Bits(16, 16, "ticks_high", "time stamp, upper bits", "clock_ticks"),),
        ),
        word(1, "ticks_low", "time stamp, lower bits", "clock_ticks"),
        word(2, "accumulators", "sums over gates 1 to 4, 20 bits", "adc", count=4),
        word(
            6,
            "gates_5_6",
            bits=(
                Bits(16, 16, "accumulator_6", "sum over gate 6", "adc"),
                Bits(0, 16, "accumulator_5", "sum over gate 5", "adc"),
            ),
        ),
        word(
            7,
            "gates_7_8",
            bits=(
                Bits(16, 16, "accumulator_8", "sum over gate 8", "adc"),
                Bits(0, 16, "accumulator_7", "sum over gate 7", "adc"),
            ),
        ),
        word(
            9,
            "check",
            bits=(
                Bits(16, 16, "mark", "0xDADA, or 0xEDED without samples"),
                Bits(0, 16, "n_samples", "samples that follow"),
            ),
        ),
    ),
)

CAEN_USB = Struct(
    "caen_usb",
    "packet of DT5725 and DT5720; an event follows",
    "ORCA format, 5.6",
    8,
    (
        word(
            1,
            "location",
            bits=(
                Bits(16, 4, "unit", "number of the digitizer"),
                Bits(0, 1, "is_packed", "five 12-bit samples in two words; DT5720"),
            ),
        ),
    ),
)

CAEN_EVENT = Struct(
    "caen_event",
    "header of an event of CAEN digitizers; the samples of each channel follow",
    "ORCA format, 5.5",
    16,
    (
        word(
            0,
            "start",
            bits=(
                Bits(28, 4, "mark", "start of the event", value=0xA),
                Bits(0, 28, "n_words", "words of the event"),
            ),
        ),
        word(
            1,
            "board",
            bits=(
                Bits(27, 5, "board_id", "number of the board"),
                Bits(26, 1, "board_fail", "failure of the board"),
                Bits(24, 1, "is_encoded", "zero-length encoding; x720 and x724"),
                Bits(8, 16, "pattern", "pattern of inputs"),
                Bits(0, 8, "channels_low", "which of channels 0 to 7 follow"),
            ),
        ),
        word(
            2,
            "counter",
            bits=(
                Bits(24, 8, "channels_high", "which of channels 8 to 15 follow; V1730"),
                Bits(0, 24, "eventnumber", "number of the event"),
            ),
        ),
        word(
            3,
            "tag",
            bits=(
                Bits(31, 1, "rollover", "the time rolled over"),
                Bits(0, 31, "time", "time of the trigger", "clock_ticks"),
            ),
        ),
    ),
)

STRUCTS = (
    LOCATION,
    SIS3302,
    SIS3302_RING,
    SIS3302_END,
    SIS3316,
    GRETINA,
    GRETINA4M,
    GRETINA4A,
    SIS3305,
    SIS3305_EVENT,
    SIS3320,
    SIS3320_EVENT,
    CAEN_USB,
    CAEN_EVENT,
)
