"""The output tables of llamaDAQ files.

In a column's source (llamaDAQ format, 2) ``w`` are the words of an event. The
configuration of a channel determines its columns, see :func:`columns_of`.
"""

from __future__ import annotations

from ..buffers.declaration import Column, Table

MAX_RAW_SAMPLES = 2 * (2**26 - 1)
"""Largest length in the status word (llamaDAQ format, 2)."""

MAX_AVERAGED_SAMPLES = 2 * (2**16 - 1)
"""Largest length in the average word (llamaDAQ format, 2)."""

ALWAYS = (
    Column(
        "packet_id",
        "uint32",
        "Number of the event in the file; the first is 1.",
        source="llamaDAQ format, 3",
    ),
    Column(
        "fadc_channel_id",
        "uint32",
        "FADC (upper bits) and channel in it (lower four bits).",
        source="w[0], bits 15..4",
    ),
    Column(
        "time_since_run_start",
        "float64",
        "Time stamp of the event.",
        units="s",
        source="w[0], w[1] (llamaDAQ format, 2.1)",
    ),
    Column(
        "unixtime",
        "float64",
        "The same plus the time in the file's name.",
        units="s",
        source="llamaDAQ format, 2.2",
    ),
    Column(
        "unixtime_accuracy",
        "float64",
        "Accuracy of the time in the file's name.",
        units="s",
        source="llamaDAQ format, 2.1",
    ),
    Column(
        "fadc_status_bits",
        "uint32",
        "1: pile-up or pile-up again.",
        source="status word, bit 26",
    ),
)


def _block(bit: int, *columns: tuple[str, str, str]) -> tuple[Column, ...]:
    """Return the columns of a format bit's block."""
    return tuple(
        Column(
            name,
            "uint32",
            description,
            units=None if name == "info_bits" else "adc",
            source=f"format bit {bit}, {source}",
        )
        for name, description, source in columns
    )


BLOCKS = (
    _block(
        0,
        ("wf_max_sample_value", "Largest sample, in counts of 14 bits.", "word 0"),
        ("wf_max_sample_idx", "Its index in the raw samples.", "word 0"),
        (
            "info_bits",
            "128: overflow; 64: underflow; 32: pile-up again; 16: pile-up.",
            "word 1, bits 31..24",
        ),
        ("cumsum_1", "Accumulator 1.", "word 1, bits 23..0"),
        *((f"cumsum_{i}", f"Accumulator {i}.", f"word {i}") for i in range(2, 7)),
    ),
    _block(
        1,
        ("cumsum_7", "Accumulator 7.", "word 0"),
        ("cumsum_8", "Accumulator 8.", "word 1"),
    ),
    _block(
        2,
        ("maw_max", "Largest value of the moving average window.", "word 0"),
        ("maw_before", "Its value before the trigger.", "word 1"),
        ("maw_after", "Its value after the trigger.", "word 2"),
    ),
    _block(
        3,
        ("start_energy", "Energy filter at the start.", "word 0"),
        ("max_energy", "Its largest value.", "word 1"),
    ),
)
"""Columns by format bit."""

RAW = Column(
    "waveform_windowed",
    "uint16",
    "Raw samples.",
    kind="waveform",
    length=MAX_RAW_SAMPLES,
    dt_dtype="float64",
    source="llamaDAQ format, 2",
)
AVERAGED = Column(
    "waveform_presummed",
    "uint16",
    "Averages of raw samples: `dt` divided by the sampling period for each.",
    kind="waveform",
    length=MAX_AVERAGED_SAMPLES,
    dt_dtype="float64",
    source="llamaDAQ format, 2",
)

LLAMA_EVENT = Table(
    "LLAMAEvent",
    "One row per event of a channel. Channels with other configurations have tables "
    "of their own.",
    (*ALWAYS, RAW, AVERAGED, *(column for block in BLOCKS for column in block)),
    section="llamaDAQ format, 2",
)


def columns_of(format_bits: int, raw: bool, averaged: bool) -> list[Column]:
    """Return the columns of a channel.

    Parameters
    ----------
    format_bits
        format bits of its configuration.
    raw, averaged
        whether it has samples of this kind.
    """
    columns = [*ALWAYS]
    columns += [RAW] if raw else []
    columns += [AVERAGED] if averaged else []
    for bit, block in enumerate(BLOCKS):
        columns += block if format_bits >> bit & 1 else ()
    return columns


KERNEL_TABLES = (LLAMA_EVENT,)
TABLES = (LLAMA_EVENT,)
