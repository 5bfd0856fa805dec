"""Wire structs of llamaDAQ files and of events of SIS3316.

Sections are those of the llamaDAQ format. All numbers are little-endian. See
:mod:`daq2lh5._core.wire`.
"""

from __future__ import annotations

from .._core.wire import Bits, Field, Struct, word

__all__ = [
    "ACCUMULATORS",
    "CONFIG",
    "CONFIG_68",
    "CONFIG_80",
    "ENERGIES",
    "HEADER",
    "HEADER_80",
    "MAW",
    "PEAK",
    "STRUCTS",
]

HEADER = Struct(
    "llama_header",
    "header of a file",
    "llamaDAQ format, 1.1",
    16,
    (
        Field(0, "u32", "magic", '"LArI", or "LArU" in files of 2019'),
        Field(4, "u16", "version_patch", "third part of the version"),
        Field(6, "u16", "version_minor", "second part of the version"),
        Field(8, "u16", "version_major", "first part of the version"),
        Field(
            10,
            "u16",
            "config_bytes",
            "bytes of a channel configuration; 0 in the layout of 80 bytes",
        ),
        Field(12, "u32", "n_channels", "channel configurations that follow"),
    ),
)

HEADER_80 = Struct(
    "llama_header_80",
    "second part of the header of files of 2019 in the layout of 80 bytes",
    "llamaDAQ format, 8.1",
    4,
    (Field(0, "u32", "config_bytes", "bytes of a channel configuration", value=80),),
)


def _config(name: str, section: str, words: dict[str, int], size: int) -> Struct:
    """Return a channel configuration, from the number of each field's first word."""
    fields = []
    for field, first in words.items():
        description, units = _CONFIG_FIELDS[field]
        kind = "f64" if field in ("sample_freq", "gain") else "u32"
        bits = _FLAGS if field == "flags" and "open" not in words else ()
        fields.append(word(first, field, description, units, type=kind, bits=bits))
    return Struct(name, "configuration of a channel", section, size, tuple(fields))


_FLAGS = (
    Bits(1, 1, "is_open", "the channel is open"),
    Bits(0, 1, "is_14_bit", "the ADC has 14 bits"),
)

_CONFIG_FIELDS: dict[str, tuple[str, str | None]] = {
    "fadc": ("number of the FADC", None),
    "channel": ("channel of the FADC", None),
    "flags": ("whether the ADC has 14 bits, and other flags", None),
    "adc_offset": ("baseline of the ADC", "adc"),
    "sample_freq": ("sampling frequency", "MHz"),
    "gain": ("volts for each ADC count", "V"),
    "format_bits": ("blocks of an event", None),
    "sample_start_index": ("raw samples before the stored ones", None),
    "sample_pretrigger": ("raw samples before the trigger", None),
    "avg_sample_pretrigger": ("averaged samples before the trigger", None),
    "avg_mode": ("m: averages of 2^(m+1) raw samples; 0: no averages", None),
    "sample_length": ("raw samples of an event", None),
    "avg_sample_length": ("averaged samples of an event", None),
    "maw_buffer_length": ("words of the moving average", None),
    "event_length": ("words of an event", None),
    "event_header_length": ("words before the samples", None),
    "accum6_offset": ("word at which peak and accumulators 1 to 6 begin", None),
    "accum2_offset": ("word at which accumulators 7 and 8 begin", None),
    "maw3_offset": ("word at which the moving average's values begin", None),
    "energy_offset": ("word at which the energies begin", None),
    "open": ("whether the channel is open", None),
}

CONFIG = _config(
    "llama_config",
    "llamaDAQ format, 1.2",
    {
        "fadc": 0,
        "channel": 1,
        "flags": 2,
        "adc_offset": 3,
        "sample_freq": 4,
        "gain": 6,
        "format_bits": 8,
        "sample_start_index": 9,
        "sample_pretrigger": 10,
        "avg_sample_pretrigger": 11,
        "avg_mode": 12,
        "sample_length": 13,
        "avg_sample_length": 14,
        "maw_buffer_length": 15,
        "event_length": 16,
        "event_header_length": 17,
        "accum6_offset": 18,
        "accum2_offset": 19,
        "maw3_offset": 20,
        "energy_offset": 21,
    },
    88,
)

CONFIG_68 = _config(
    "llama_config_68",
    "llamaDAQ format, 8.2",
    {
        "fadc": 0,
        "channel": 1,
        "flags": 2,
        "adc_offset": 3,
        "sample_freq": 4,
        "gain": 6,
        "format_bits": 8,
        "sample_length": 9,
        "maw_buffer_length": 10,
        "event_length": 11,
        "event_header_length": 12,
        "accum6_offset": 13,
        "accum2_offset": 14,
        "maw3_offset": 15,
        "energy_offset": 16,
    },
    68,
)

CONFIG_80 = _config(
    "llama_config_80",
    "llamaDAQ format, 8.2",
    {
        "fadc": 0,
        "channel": 1,
        "flags": 2,
        "sample_freq": 4,
        "adc_offset": 6,
        "gain": 8,
        "format_bits": 10,
        "sample_length": 11,
        "maw_buffer_length": 12,
        "event_length": 13,
        "event_header_length": 14,
        "accum6_offset": 15,
        "accum2_offset": 16,
        "maw3_offset": 17,
        "energy_offset": 18,
        "open": 19,
    },
    80,
)

CHUNK = Struct(
    "llama_chunk",
    "header of a chunk of events, in files of 2019",
    "llamaDAQ format, 8.3",
    8,
    (
        word(0, "fadc", "number of the FADC"),
        word(1, "n_events", "events that follow; another number in the 80-byte layout"),
    ),
)

# ---- events: the blocks of the format bits, in this order

EVENT = Struct(
    "sis3316_event",
    "start of an event",
    "llamaDAQ format, 2",
    8,
    (
        word(
            0,
            "head",
            bits=(
                Bits(16, 16, "ticks_high", "time stamp, bits 47 to 32", "clock_ticks"),
                Bits(4, 12, "channel_id", "FADC in bits 11 to 4, channel in 3 to 0"),
                Bits(0, 4, "format_bits", "blocks that follow"),
            ),
        ),
        word(1, "ticks_low", "time stamp, bits 31 to 0", "clock_ticks"),
    ),
)

PEAK = Struct(
    "sis3316_peak",
    "peak and accumulators 1 to 6, with format bit 0",
    "llamaDAQ format, 2",
    28,
    (
        word(
            0,
            "peak",
            bits=(
                Bits(16, 16, "index", "sample of the peak"),
                Bits(0, 16, "value", "value of the peak", "adc"),
            ),
        ),
        word(
            1,
            "first",
            bits=(
                Bits(24, 8, "information", "overflow, underflow, re-pile-up, pile-up"),
                Bits(0, 24, "accumulator_1", "sum over gate 1", "adc"),
            ),
        ),
        word(2, "accumulators", "sums over gates 2 to 6, 28 bits", "adc", count=5),
    ),
)

ACCUMULATORS = Struct(
    "sis3316_accumulators",
    "accumulators 7 and 8, with format bit 1",
    "llamaDAQ format, 2",
    8,
    (word(0, "accumulators", "sums over gates 7 and 8, 28 bits", "adc", count=2),),
)

MAW = Struct(
    "sis3316_maw",
    "values of the moving average, with format bit 2",
    "llamaDAQ format, 2",
    12,
    (
        word(0, "maximum", "largest value", "adc"),
        word(1, "before", "value before the trigger", "adc"),
        word(2, "after", "value behind or with the trigger", "adc"),
    ),
)

ENERGIES = Struct(
    "sis3316_energies",
    "energies, with format bit 3",
    "llamaDAQ format, 2",
    8,
    (
        word(0, "start", "energy at the start", "adc"),
        word(1, "maximum", "largest energy", "adc"),
    ),
)

STATUS = Struct(
    "sis3316_status",
    "status word, behind the blocks",
    "llamaDAQ format, 2",
    4,
    (
        word(
            0,
            "word",
            bits=(
                Bits(28, 4, "mark", "0xE, or 0xA if an average word follows"),
                Bits(27, 1, "has_maw", "a moving average follows the samples"),
                Bits(26, 1, "flag", "pile-up or re-pile-up"),
                Bits(0, 26, "raw_words", "words of raw samples, two in each"),
            ),
        ),
    ),
)

AVERAGE = Struct(
    "sis3316_average",
    "average word, behind a status word with mark 0xA",
    "llamaDAQ format, 2",
    4,
    (
        word(
            0,
            "word",
            bits=(
                Bits(28, 4, "mark", "always 0xE", value=0xE),
                Bits(16, 8, "counter", "raw samples by which the averages begin later"),
                Bits(0, 16, "averaged_words", "words of averaged samples"),
            ),
        ),
    ),
)

STRUCTS = (
    HEADER,
    HEADER_80,
    CONFIG,
    CONFIG_68,
    CONFIG_80,
    CHUNK,
    EVENT,
    PEAK,
    ACCUMULATORS,
    MAW,
    ENERGIES,
    STATUS,
    AVERAGE,
)
