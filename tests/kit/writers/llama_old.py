"""Writer of llamaDAQ files of 2019, from llamaDAQ format, 8.

It is independent of the decoder, and writes wrong numbers if told to.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .llama import BLOCK_WORDS, Event, block_offsets, first_words, random_blocks

MAGIC = 0x5572414C


@dataclass
class OldChannel:
    """A channel configuration; lengths that are None follow from the others.

    Format 8.2.
    """

    fadc: int = 0
    channel: int = 0
    is_14_bit: int = 1
    is_open: int = 1
    adc_offset: int = 8191
    sample_freq: float = 250.0
    gain: float = 0.5
    format_bits: int = 3
    sample_length: int = 8
    maw_buffer_length: int = 0
    event_length: int | None = None
    event_header_length: int | None = None
    offsets: tuple[int, ...] | None = None

    @property
    def key(self) -> int:
        return self.fadc * 16 + self.channel

    @property
    def header_words(self) -> int:
        if self.event_header_length is not None:
            return self.event_header_length
        blocks = (n for bit, n in BLOCK_WORDS.items() if self.format_bits & bit)
        return 2 + sum(blocks) + 1

    @property
    def words(self) -> int:
        """Words of an event."""
        if self.event_length is not None:
            return self.event_length
        return self.header_words + self.sample_length // 2 + self.maw_buffer_length

    def _last_words(self) -> list[int]:
        offsets = self.offsets or block_offsets(self.format_bits)
        return [
            *(self.format_bits, self.sample_length, self.maw_buffer_length),
            *(self.words, self.header_words, *offsets),
        ]

    def pack(self, size: int) -> bytes:
        """Write the configuration in the layout of 68 or of 80 bytes."""
        last = struct.pack("<9I", *self._last_words())
        if size == 68:
            flags = self.is_14_bit | self.is_open << 1
            first = (self.fadc, self.channel, flags, self.adc_offset)
            return struct.pack("<4I2d", *first, self.sample_freq, self.gain) + last
        first = (self.fadc, self.channel, self.is_14_bit, 0, self.sample_freq)
        middle = struct.pack("<4IdIId", *first, self.adc_offset, 0, self.gain)
        return middle + last + struct.pack("<I", self.is_open)


def header(
    channels: list[OldChannel],
    *,
    size: int = 68,
    version: tuple[int, int, int] | None = None,
    number: int | None = None,
    lengths: tuple[int, int] | None = None,
) -> bytes:
    """Write file header and configurations (format 8.1, 8.2).

    Parameters
    ----------
    size
        68 or 80: the layout.
    lengths
        other values for bytes 10 and 16.
    """
    number = len(channels) if number is None else number
    major, minor, patch = version or ((1, 7, 0) if size == 68 else (0, 6, 5))
    at_10, at_16 = lengths or ((68, None) if size == 68 else (0, 80))
    head = struct.pack("<I4HI", MAGIC, patch, minor, major, at_10, number)
    if at_16 is not None:
        head += struct.pack("<I", at_16)
    return head + b"".join(c.pack(size) for c in channels)


def event(channel: OldChannel, e: Event, ident: int | None = None) -> bytes:
    """Write an event (format 8.5); `ident`: channel number in its first word."""
    ident = channel.channel & 3 if ident is None else ident
    words = first_words(e, channel.format_bits, ident)
    flag = channel.maw_buffer_length > 0
    words.append(len(e.raw) // 2 | e.status << 26 | flag << 27 | 0xE << 28)
    return (
        struct.pack(f"<{len(words)}I", *words)
        + np.asarray(e.raw, "<u2").tobytes()
        + b"\x5a" * (4 * channel.maw_buffer_length)
    )


def chunk(channel: OldChannel, events: list[bytes], count: int | None = None) -> bytes:
    """Write a chunk (format 8.3); `count`: its word for the number of events."""
    count = len(events) if count is None else count
    return struct.pack("<2I", channel.fadc, count) + b"".join(events)


def random_event(rng: np.random.Generator, channel: OldChannel, ticks: int) -> Event:
    """Make an event with a random value in every field."""
    e = random_blocks(rng, ticks)
    e.raw = rng.integers(1 << 14, size=channel.sample_length)
    return e


def row(channel: OldChannel, e: Event, packet_id: int, start: float = 0.0) -> dict:
    """Return the row that an event must give (format 8.7), by column."""
    dt = 1 / channel.sample_freq * 1000
    seconds = e.ticks * dt * 1e-9
    values: dict[str, Any] = {
        "packet_id": packet_id,
        "fadc_channel_id": channel.key,
        "time_since_run_start": seconds,
        "unixtime": seconds + start,
        "unixtime_accuracy": 1.0,
        "fadc_status_bits": e.status,
    }
    bits = channel.format_bits
    if bits & 1:
        values |= {
            "wf_max_sample_value": e.peak,
            "wf_max_sample_idx": e.peak_index,
            "info_bits": e.info,
            **{f"cumsum_{i}": e.accumulators[i - 1] for i in range(1, 7)},
        }
    if bits & 2:
        values |= {"cumsum_7": e.accumulators[6], "cumsum_8": e.accumulators[7]}
    if bits & 4:
        values |= dict(zip(("maw_max", "maw_before", "maw_after"), e.maw, strict=True))
    if bits & 8:
        values |= {"start_energy": e.energies[0], "max_energy": e.energies[1]}
    if channel.sample_length:
        values |= {
            "waveform_windowed/values": np.asarray(e.raw),
            "waveform_windowed/t0": 0.0,
            "waveform_windowed/dt": dt,
        }
    return values


class Place(NamedTuple):
    """Where an event is in a file, with the chunk header in front of it, if any."""

    start: int
    offset: int
    end: int
    key: int


class OldFile(NamedTuple):
    """A file and its content."""

    channels: list[OldChannel]
    data: bytes
    places: list[Place]
    rows: list[dict]
    head: int
    chunk_ends: list[int]


def make_file(
    channels: list[OldChannel],
    banks: list[list[int]],
    *,
    size: int = 68,
    seed: int = 0,
    start: float = 0.0,
    sets_id: bool = False,
) -> OldFile:
    """Write a file of banks, each with events of every channel.

    Parameters
    ----------
    banks
        number of events by bank and channel.
    start
        time of the run.
    sets_id
        whether the first word of an event has the whole key.
    """
    rng = np.random.default_rng(seed)
    parts = [header(channels, size=size)]
    head = at = len(parts[0])
    places: list[Place] = []
    rows: list[dict] = []
    ends = [at]
    ticks = 0
    for bank in banks:
        for channel, n in zip(channels, bank, strict=True):
            events = []
            begin = at
            at += 8
            for i in range(n):
                # the same times in all channels; 2^32 ticks are 17 s at 250 MHz
                e = random_event(rng, channel, ticks + (i + 1 << 30))
                events.append(event(channel, e, channel.key if sets_id else None))
                end = at + len(events[-1])
                places.append(Place(at if i else begin, at, end, channel.key))
                rows.append(row(channel, e, len(rows) + 1, start))
                at = end
            # in the layout of 80 bytes the word is not a number of events
            count = None if size == 68 else 2 * (n > 0)
            parts.append(chunk(channel, events, count))
            ends.append(at)
        ticks += max(bank) << 30
    return OldFile(channels, b"".join(parts), places, rows, head, ends)
