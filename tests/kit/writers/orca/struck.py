"""Records of Struck digitizers (ORCA format, 4.5, 4.6, 5.3, and 5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kit.writers.orca.data_ids import DATA_IDS
from kit.writers.orca.framing import (
    Part,
    encode,
    encode_samples,
    long_packet,
    packet,
    place_word,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike


def sis3302(
    samples: ArrayLike,
    *,
    crate: int = 0,
    card: int = 4,
    channel: int = 0,
    timestamp: int = 0x1234_89AB_CDEF,
    energy: int = 1000,
    energy_first: int = 10,
    energy_trace: Sequence[int] = (),
    flags: int = 1,
    wrap: tuple[int, int] | None = None,
    lost: int = 0,
    module_id: int = 5,
    adc_channel: int | None = None,
    n_samples_words: int | None = None,
    n_energy_words: int | None = None,
    trailer: int = 0xDEADBEEF,
    data_id: int = DATA_IDS["ORSIS3302DecoderForEnergy"],
) -> bytes:
    """Write an SIS3302 event (format 4.5).

    Parameters
    ----------
    samples
        the ring as it is in memory, if ``wrap`` is given.
    wrap
        number of samples in the ring, and where it starts.
    lost
        14 bits of lost records, in old files.
    adc_channel
        channel in the card's own header, if it is another one.
    n_samples_words, n_energy_words
        lengths in words that the record claims to have.
    """
    raw = encode_samples(samples)
    if adc_channel is None:
        adc_channel = channel
    lost_bits = (lost >> 7 & 0x7F) << 25 | (lost & 0x7F) << 1
    return long_packet(
        data_id,
        place_word(crate, card, channel << 8) | lost_bits | (wrap is not None),
        len(raw) // 4 if n_samples_words is None else n_samples_words,
        len(energy_trace) if n_energy_words is None else n_energy_words,
        (timestamp >> 32) << 16 | module_id << 3 | adc_channel & 7,
        timestamp,
        [*wrap] if wrap is not None else b"",
        raw,
        [*energy_trace],
        *(energy, energy_first, flags, trailer),
    )


def sis3302_lost_data(
    *, crate: int = 0, card: int = 4, channel: int = 0, reset: bool = False, value: int
) -> bytes:
    """Write how many records were lost, or a reset's channel mask (format 4.5)."""
    where = place_word(crate, card, channel << 8) | reset
    data_id = DATA_IDS["ORSIS3302DecoderForLostData"]
    return long_packet(data_id, where, value << 16 if reset else value)


def sis3302_mca(
    spectrum: Sequence[int], *, crate: int = 0, card: int = 4, channel: int = 0
) -> bytes:
    """Write a spectrum of an SIS3302 (format 4.5)."""
    where = place_word(crate, card, channel << 8)
    return long_packet(DATA_IDS["ORSIS3302DecoderForMca"], where, [*spectrum])


def sis3302_pieces(
    words: Sequence[int],
    piece: int,
    *,
    crate: int = 0,
    card: int = 4,
    channel: int = 0,
    tag: int = 1,
) -> list[bytes]:
    """Write a long trace in pieces of some words each (format 4.5)."""
    return [
        long_packet(
            DATA_IDS["ORSIS3302GenericDecoderForWaveform"],
            *(place_word(crate, card, channel << 8), tag, len(words)),
            [*words[start : start + piece]],
        )
        for start in range(0, len(words), piece)
    ]


@dataclass
class SIS3316Event:
    """An event of an SIS3316 (format 4.6).

    ``format_bits`` tells which of the values are written. ``maw_data`` and
    ``averaged`` (words of two samples) go with the flags in the check word.
    """

    samples: ArrayLike = ()
    timestamp: int = 0x1234_89AB_CDEF
    format_bits: int = 0xF
    channel_id: int = 0
    peak_high_value: int = 20_000
    peak_high_index: int = 77
    information: int = 3
    acc_sums: Sequence[int] = (11, 12, 13, 14, 15, 16, 17, 18)
    maw_max: int = 301
    maw_before: int = 302
    maw_after: int = 303
    start_energy: int = 401
    max_energy: int = 402
    check: int = 0xE
    status: bool = False
    maw_test: bool = False
    maw_data: Sequence[int] = ()
    averaged: Sequence[int] = ()
    n_words: int | None = None

    def pack(self) -> bytes:
        """Encode the event."""
        bits = self.format_bits
        parts: list[Part] = [
            (self.timestamp >> 32) << 16 | self.channel_id << 4 | bits,
            self.timestamp,
        ]
        if bits & 1:
            parts.append(self.peak_high_index << 16 | self.peak_high_value)
            parts.append(self.information << 24 | self.acc_sums[0])
            parts.append([*self.acc_sums[1:6]])
        if bits & 2:
            parts.append([*self.acc_sums[6:8]])
        if bits & 4:
            parts += (self.maw_max, self.maw_before, self.maw_after)
        if bits & 8:
            parts += (self.start_energy, self.max_energy)
        raw = encode_samples(self.samples)
        n_words = len(raw) // 4 if self.n_words is None else self.n_words
        parts.append(
            self.check << 28 | self.maw_test << 27 | self.status << 26 | n_words
        )
        if self.check == 0xA:
            parts.append(len(self.averaged))
        parts += (raw, [*self.averaged], [*self.maw_data])
        return encode(*parts)


def sis3316(
    events: Sequence[SIS3316Event],
    *,
    crate: int = 0,
    card: int = 5,
    channel: int = 0,
    n_events: int | None = None,
    event_words: int | None = None,
    fifo_events: int | None = None,
    header_words: int = 0,
    data_id: int = DATA_IDS["ORSIS3316WaveformDecoder"],
) -> bytes:
    """Write events of an SIS3316 (format 4.6).

    Parameters
    ----------
    n_events, event_words, fifo_events, header_words
        words 2 to 5: what the record claims; ``header_words`` is 0 in the readout
        of some computers.
    """
    blocks = [event.pack() for event in events]
    if event_words is None:
        event_words = len(blocks[0]) // 4 if blocks else 0
    return packet(
        data_id,
        place_word(crate, card, channel << 8),
        len(events) if n_events is None else n_events,
        event_words,
        len(events) if fifo_events is None else fifo_events,
        header_words,
        *(0, 0, 0, 0),
        b"".join(blocks),
    )


def sis3316_histogram(
    bins: Sequence[int], *, crate: int = 0, card: int = 5, channel: int = 0
) -> bytes:
    """Write a spectrum of an SIS3316: 10 words of header and bins (format 4.6)."""
    where = place_word(crate, card, channel << 8)
    data_id = DATA_IDS["ORSIS3316HistogramDecoder"]
    return packet(data_id, where, (0,) * 8, [*bins])


def sis3316_statistics(counters: ArrayLike, *, crate: int = 0, card: int = 5) -> bytes:
    """Write the counters of an SIS3316: 6 of each of 16 channels (format 4.6)."""
    data_id = DATA_IDS["ORSIS3316StatisticsDecoder"]
    words = np.asarray(counters).reshape(16, 6).ravel()
    return long_packet(data_id, place_word(crate, card), (0,) * 8, words)


@dataclass
class SIS3305Event:
    """An event of an SIS3305 (format 5.3): samples of 10 bits."""

    samples: ArrayLike
    timestamp: int = 0x1234_89AB_CDEF
    event_id: int = 0

    def pack(self, saving_mode: int) -> bytes:
        """Encode the event; samples fill whole blocks of 12, 24 or 48."""
        samples = [int(sample) & 0x3FF for sample in np.asarray(self.samples)]
        block = {4: 12, 1: 24, 0: 48}[saving_mode]
        n_blocks = len(samples) // block
        words: list[int] = []
        for start in range(0, n_blocks * block, block):
            words += _SIS3305_PACKING[saving_mode](samples[start : start + block])
        return encode(
            self.event_id << 28 | self.timestamp >> 32,
            *(self.timestamp, 0, n_blocks),
            words,
        )


def _sis3305_plain(samples: Sequence[int]) -> list[int]:
    return [
        first << 20 | second << 10 | third
        for first, second, third in zip(*(samples[i::3] for i in range(3)), strict=True)
    ]


def _sis3305_interleaved(samples: Sequence[int], order: Sequence[int]) -> list[int]:
    """Pack samples that words 0, 4, ... (``order``) of a block hold in turn."""
    words = [0] * 4 * len(order)
    position = 0
    for k in range(4):
        for shift in (20, 10, 0):
            for first in order:
                words[first + k] |= samples[position] << shift
                position += 1
    return words


_SIS3305_PACKING: dict[int, Callable[[Sequence[int]], list[int]]] = {
    4: _sis3305_plain,
    1: lambda samples: _sis3305_interleaved(samples, (0, 4)),
    0: lambda samples: _sis3305_interleaved(samples, (0, 8, 4, 12)),
}


def sis3305(
    events: Sequence[SIS3305Event],
    *,
    crate: int = 1,
    card: int = 6,
    channel_mode: int = 0,
    group: int = 0,
    rate: int = 0,
    saving_mode: int = 4,
    wrap: bool = False,
    event_words: int | None = None,
    n_events: int | None = None,
    padding: int = 0,
    data_id: int = DATA_IDS["ORSIS3305DecoderForWaveform"],
) -> bytes:
    """Write events of an SIS3305 (format 5.3), all of one length.

    Parameters
    ----------
    rate
        0, 1, 2: 1.25, 2.5, 5 GS/s.
    saving_mode
        4, 1 or 0, which tells how samples are packed.
    padding
        words 0xFFFFFFFF at the end.
    """
    blocks = [event.pack(saving_mode) for event in events]
    where = crate << 28 | card << 20 | channel_mode << 16 | group << 12
    if event_words is None:
        event_words = len(blocks[0]) // 4 if blocks else 4
    return packet(
        data_id,
        where | rate << 8 | saving_mode << 4 | wrap,
        event_words,
        len(events) if n_events is None else n_events,
        b"".join(blocks),
        (0xFFFFFFFF,) * padding,
    )


@dataclass
class SIS3320Event:
    """An event of an SIS3320 (format 5.4)."""

    samples: ArrayLike = ()
    timestamp: int = 0x1234_89AB_CDEF
    gates: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8)
    card_header: int = 0
    check: int | None = None

    def pack(self) -> bytes:
        """Encode the event; without samples the check half-word is 0xEDED."""
        n = np.size(self.samples)
        check = self.check
        if check is None:
            check = 0xDADA if n else 0xEDED
        gates = self.gates
        return encode(
            (self.timestamp >> 32) << 16 | self.card_header,
            self.timestamp,
            [*gates[:4]],
            gates[5] << 16 | gates[4] & 0xFFFF,
            gates[7] << 16 | gates[6] & 0xFFFF,
            0,
            check << 16 | n,
            encode_samples(self.samples),
        )


def sis3320(
    events: Sequence[SIS3320Event],
    *,
    crate: int = 0,
    card: int = 7,
    channel: int = 0,
    is_split: bool = False,
    data_id: int = DATA_IDS["ORSIS3320WaveformDecoder"],
) -> bytes:
    """Write events of an SIS3320 (format 5.4)."""
    where = is_split << 31 | place_word(crate, card, channel << 8)
    return packet(data_id, where, b"".join(event.pack() for event in events))
