"""Writer of synthetic CoMPASS files and settings, from the CoMPASS format.

It shares no code with the package. Sections named below are those of the document.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

FLAGS = 0x4000
"""An event with a fine time stamp (format 2.1)."""

HEADER_WORDS = tuple(range(0xCAE0, 0xCAF0))


class Form(NamedTuple):
    """What a record has (1, 2)."""

    version: int
    energy: bool
    calibrated: bool
    short: bool
    waveforms: bool

    @property
    def name(self) -> str:
        """As the user gives it."""
        if self.version == 2:
            return f"{self.word:X}"
        return f"V{self.version}:{self.word & 7}"

    @property
    def word(self) -> int:
        """The header word of such a file, if it has one."""
        bits = self.energy, self.calibrated, self.short, self.waveforms
        return 0xCAE0 + sum(bit << i for i, bit in enumerate(bits))

    @property
    def has_header(self) -> bool:
        """Whether the first file of a run begins with a word."""
        return self.version == 2

    @property
    def has_count(self) -> bool:
        """Whether records have a number of samples."""
        return self.waveforms or self.version < 2


def form(word: int = 0xCAED, version: int = 2) -> Form:
    """Return the form that a header word says."""
    bits = [bool(word >> i & 1) for i in range(4)]
    return Form(version, *bits)


@dataclass
class Event:
    """The content of a record."""

    board: int = 0
    channel: int = 0
    time: int = 0
    energy: int = 0
    calibrated: float = 0.0
    short: int = 0
    flags: int = FLAGS
    code: int = 1
    samples: Sequence[int] = ()
    offset: int = 0
    length: int = 0


def record(form: Form, event: Event) -> bytes:
    """Encode a record (2)."""
    parts = [struct.pack("<HHQ", event.board, event.channel, event.time)]
    if form.energy:
        parts.append(struct.pack("<H", event.energy))
    if form.calibrated:
        parts.append(struct.pack("<d", event.calibrated))
    if form.short:
        parts.append(struct.pack("<H", event.short))
    parts.append(struct.pack("<H" if form.version == 0 else "<I", event.flags))
    if form.version == 2 and form.waveforms:
        parts.append(struct.pack("<B", event.code))
    if form.has_count:
        parts.append(struct.pack("<I", len(event.samples)))
        parts.append(np.asarray(event.samples, "<u2").tobytes())
    return b"".join(parts)


def file(form: Form, events: Sequence[Event], header: bool | None = None) -> bytes:
    """Encode a file; places are written into the events."""
    data = bytearray()
    if form.has_header if header is None else header:
        data += struct.pack("<H", form.word)
    for event in events:
        encoded = record(form, event)
        event.offset, event.length = len(data), len(encoded)
        data += encoded
    return bytes(data)


def events(
    form: Form,
    n: int = 20,
    *,
    channels: Sequence[tuple[int, int]] = ((0, 0), (0, 1)),
    n_samples: int | Sequence[int] = 30,
    bits: int = 14,
    seed: int = 1,
    start: int = 10**9,
) -> list[Event]:
    """Make events that take turns over the channels.

    Parameters
    ----------
    form
        what the records have.
    n
        number of events.
    channels
        board and channel of each in turn.
    n_samples
        length of the waveforms: of all, of each channel in turn.
    bits
        of a sample.
    seed
        of the random numbers.
    start
        time of the first, in ps.
    """
    rng = np.random.default_rng(seed)
    made = []
    time = start
    lengths = [n_samples] if isinstance(n_samples, int) else list(n_samples)
    for i in range(n):
        board, channel = channels[i % len(channels)]
        time += int(rng.integers(1, 10**9))
        length = lengths[i % len(lengths)] if form.has_count and form.waveforms else 0
        made.append(
            Event(
                board,
                channel,
                time,
                int(rng.integers(1 << 15)),
                float(rng.normal(600, 100)),
                int(rng.integers(1 << 12)),
                int(
                    rng.choice([0x4000, 0x4080, 0x40C0, 0x8000 if form.version else 1])
                ),
                1,
                rng.integers(0, 1 << bits, length).tolist(),
            )
        )
    return made


@dataclass
class Board:
    """A board in the settings (4)."""

    model: str | None = "DT5730"
    period_ps: object = 2000
    record_ns: object = 60.0
    pre_trigger_ns: object = 20.0
    firmware: str | None = "DPP_PSD"
    enabled_by_default: bool = False
    channels: dict[int, dict[str, str | None]] = field(
        default_factory=lambda: {0: {"SRV_PARAM_CH_ENABLED": "true"}, 1: {}}
    )
    bits: object = 14


def _entry(key: str, value: object, nested: bool) -> str:
    text = "" if value is None else f"<value>{escape(str(value))}</value>"
    if nested:
        text = f"<value>{text}<descriptor><id>{key}</id></descriptor></value>"
    return f"<entry><key>{key}</key>{text}</entry>"


def _tag(name: str, value: object) -> str:
    return "" if value is None else f"<{name}>{escape(str(value))}</{name}>"


def settings(
    boards: Sequence[Board],
    *,
    mode: str | None = "WAVES",
    energy: str | None = "ADCCH",
) -> str:
    """Write a settings file."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n<configuration>\n']
    for board in boards:
        enabled = str(board.enabled_by_default).lower()
        parameters = [_entry("SRV_PARAM_CH_ENABLED", enabled, True)]
        for key, value in (
            ("SRV_PARAM_RECLEN", board.record_ns),
            ("SRV_PARAM_CH_PRETRG", board.pre_trigger_ns),
        ):
            if value is not None:
                parameters.append(_entry(key, value, True))
        parts += [
            "<board>",
            _tag("modelName", board.model),
            _tag("adcBitCount", board.bits),
            _tag("sampleTime", board.period_ps),
            _tag("dppType", board.firmware),
            f"<parameters>{''.join(parameters)}</parameters>",
        ]
        for index, own in board.channels.items():
            entries = "".join(_entry(k, v, False) for k, v in own.items())
            parts.append(
                f"<channel><index>{index}</index><values>{entries}</values></channel>"
            )
        parts.append("</board>\n")
    parts += [
        "<acquisitionMemento>",
        _tag("acquisitionMode", mode),
        _tag("energyFormatList", energy),
        "</acquisitionMemento>\n</configuration>\n",
    ]
    return "".join(parts)
