"""Writer of llamaDAQ files, from the llamaDAQ format.

It shares nothing with the decoder, and writes wrong numbers too if it is told to.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

MAGIC = 0x4972414C

BLOCK_WORDS = {1: 7, 2: 2, 4: 3, 8: 2}
"""Words of the block of each format bit (format 2)."""


def block_offsets(format_bits: int) -> list[int]:
    """Return where the block of each format bit begins in an event (format 2)."""
    at = 2
    offsets = []
    for bit, n in BLOCK_WORDS.items():
        offsets.append(at)
        at += n if format_bits & bit else 0
    return offsets


@dataclass
class Channel:
    """A channel configuration; lengths that are None follow from the others.

    Format 1.2.
    """

    fadc: int = 0
    channel: int = 0
    flags: int = 7
    adc_offset: int = 8191
    sample_freq: float = 250.0
    gain: float = 0.5
    format_bits: int = 3
    sample_start_index: int = 100
    sample_pretrigger: int = 200
    avg_sample_pretrigger: int = 5
    avg_mode: int = 1
    sample_length: int = 8
    avg_sample_length: int = 6
    maw_buffer_length: int = 0
    event_length: int | None = None
    event_header_length: int | None = None

    @property
    def key(self) -> int:
        return self.fadc * 16 + self.channel

    @property
    def block_words(self) -> int:
        return sum(n for bit, n in BLOCK_WORDS.items() if self.format_bits & bit)

    @property
    def averages(self) -> bool:
        return self.avg_sample_length > 0 and self.avg_mode > 0

    @property
    def header_words(self) -> int:
        if self.event_header_length is not None:
            return self.event_header_length
        return 2 + self.block_words + 1 + self.averages

    @property
    def words(self) -> int:
        """Words of an event."""
        if self.event_length is not None:
            return self.event_length
        samples = self.sample_length + self.avg_sample_length
        return self.header_words + samples // 2 + self.maw_buffer_length

    def pack(self) -> bytes:
        offsets = block_offsets(self.format_bits)
        return struct.pack(
            "<4I2d14I",
            *(self.fadc, self.channel, self.flags, self.adc_offset),
            *(self.sample_freq, self.gain, self.format_bits),
            *(self.sample_start_index, self.sample_pretrigger),
            *(self.avg_sample_pretrigger, self.avg_mode),
            *(self.sample_length, self.avg_sample_length, self.maw_buffer_length),
            *(self.words, self.header_words, *offsets),
        )


@dataclass
class Event:
    """What is in one event besides its channel."""

    ticks: int = 0
    peak: int = 0
    peak_index: int = 0
    info: int = 0
    accumulators: tuple[int, ...] = (0,) * 8
    maw: tuple[int, int, int] = (0, 0, 0)
    energies: tuple[int, int] = (0, 0)
    status: int = 0
    counter: int = 0
    raw: list[int] | np.ndarray = field(default_factory=list)
    averaged: list[int] | np.ndarray = field(default_factory=list)
    maw_test: list[int] | None = None
    """Words of the moving average window behind the samples."""
    bits: int | None = None
    """Format bits, if not those of the configuration."""


def header(
    channels: list[Channel],
    *,
    magic: int = MAGIC,
    version: tuple[int, int, int] = (2, 0, 0),
    length: int = 88,
    number: int | None = None,
) -> bytes:
    """Write file header and configurations (format 1)."""
    number = len(channels) if number is None else number
    major, minor, patch = version
    head = struct.pack("<I4HI", magic, patch, minor, major, length, number)
    return head + b"".join(c.pack() for c in channels)


def first_words(e: Event, bits: int, ident: int) -> list[int]:
    """Return an event's time and the blocks that its format bits announce."""
    words = [bits | ident << 4 | (e.ticks >> 32) << 16, e.ticks & 0xFFFFFFFF]
    if bits & 1:
        words += [e.peak | e.peak_index << 16, e.accumulators[0] | e.info << 24]
        words += e.accumulators[1:6]
    if bits & 2:
        words += e.accumulators[6:8]
    if bits & 4:
        words += e.maw
    if bits & 8:
        words += e.energies
    return words


def event(channel: Channel, e: Event) -> bytes:
    """Write an event (format 2)."""
    bits = channel.format_bits if e.bits is None else e.bits
    words = first_words(e, bits, channel.key)
    n_averaged = len(e.averaged) // 2
    mark = 0xA if n_averaged else 0xE
    maw_flag = e.maw_test is not None
    words.append(len(e.raw) // 2 | e.status << 26 | maw_flag << 27 | mark << 28)
    if n_averaged:
        words.append(n_averaged | e.counter << 16 | 0xE << 28)
    samples = np.concatenate([e.raw, e.averaged]).astype("<u2").tobytes()
    words_behind = [] if e.maw_test is None else e.maw_test
    return (
        struct.pack(f"<{len(words)}I", *words)
        + samples
        + struct.pack(f"<{len(words_behind)}I", *words_behind)
    )


def random_blocks(rng: np.random.Generator, ticks: int) -> Event:
    """Make an event without samples, with a random value in every block."""
    return Event(
        ticks=ticks,
        peak=int(rng.integers(1 << 14)),
        peak_index=int(rng.integers(1 << 16)),
        info=int(rng.integers(1 << 8)),
        accumulators=(
            int(rng.integers(1 << 24)),
            *map(int, rng.integers(1 << 28, size=7)),
        ),
        maw=tuple(map(int, rng.integers(1 << 32, size=3))),
        energies=tuple(map(int, rng.integers(1 << 28, size=2))),
        status=int(rng.integers(2)),
    )


def random_event(rng: np.random.Generator, channel: Channel, ticks: int) -> Event:
    """Make an event with a random value in every field."""
    n_averaged = channel.avg_sample_length if channel.averages else 0
    e = random_blocks(rng, ticks)
    e.counter = int(rng.integers(256))
    e.raw = rng.integers(1 << 14, size=channel.sample_length) * 4
    e.averaged = rng.integers(1 << 16, size=n_averaged)
    return e


class Place(NamedTuple):
    """Where an event is in a file."""

    offset: int
    length: int
    key: int


def make_file(
    channels: list[Channel] | None = None, n_events: int = 10, seed: int = 0
) -> tuple[bytes, list[Place]]:
    """Write a file of blocks per channel, with the places of its events."""
    rng = np.random.default_rng(seed)
    channels = [Channel(), Channel(channel=4)] if channels is None else channels
    parts = [header(channels)]
    at = len(parts[0])
    places = []
    done = dict.fromkeys(range(len(channels)), 0)
    while any(n < n_events for n in done.values()):
        for i, channel in enumerate(channels):
            block = min(int(rng.integers(1, 10)), n_events - done[i])
            for _ in range(block):
                done[i] += 1
                # 2^32 ticks are 17 s at 250 MHz
                data = event(channel, random_event(rng, channel, done[i] * 3 << 30))
                parts.append(data)
                places.append(Place(at, len(data), channel.key))
                at += len(data)
    return b"".join(parts), places
