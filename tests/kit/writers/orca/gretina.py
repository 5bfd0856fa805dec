"""Records of Gretina digitizers (ORCA format, 5.1 and 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kit.writers.orca.data_ids import DATA_IDS
from kit.writers.orca.framing import encode, encode_samples, packet, place_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


@dataclass
class Gretina4MEvent:
    """An event of a Gretina4M (format 5.1): 1024 words, 2018 samples.

    ``energy`` is signed; fewer samples than 2018 are filled up with zeros.
    """

    samples: ArrayLike = ()
    channel: int = 0
    timestamp: int = 0x1234_89AB_CDEF
    energy: int = 1000
    board_id: int = 0x123
    separator: int = 0xAAAAAAAA
    firmware: Sequence[int] = tuple(range(1, 11))

    def pack(self) -> bytes:
        """Encode the event."""
        energy = self.energy & 0x1FFFFFF
        samples = np.zeros(2018, dtype="<i2")
        given = np.asarray(self.samples)
        samples[: len(given)] = given
        return encode(
            self.separator,
            0x3FF << 16 | self.board_id << 4 | self.channel,
            self.timestamp,
            (energy & 0xFFFF) << 16 | self.timestamp >> 32 & 0xFFFF,
            energy >> 16,
            [*self.firmware],
            samples.tobytes(),
        )


def gretina4m(
    events: Sequence[Gretina4MEvent],
    *,
    crate: int = 1,
    card: int = 8,
    serial_number: int = 0x4321,
    fifo_state: int = 0,
    data_id: int = DATA_IDS["ORGretina4MWaveformDecoder"],
) -> bytes:
    """Write events of a Gretina4M (format 5.1).

    The upper bit of ``fifo_state`` means nearly full, the lower one half full.
    """
    where = fifo_state << 30 | place_word(crate, card, serial_number)
    return packet(data_id, where, b"".join(event.pack() for event in events))


@dataclass
class Gretina4AEvent:
    """An event of a Gretina4A (format 5.2): samples of 14 bits."""

    samples: ArrayLike = ()
    channel: int = 0
    timestamp: int = 0x1234_89AB_CDEF
    prev_timestamp: int = 0x1234_89AB_0000
    board_id: int = 0x123
    header_type: int = 3
    event_type: int = 1
    header_words: int = 14
    flags: int = 0x8001
    baseline: int = 0x12345
    pre_rise_sum: int = 0x100000
    post_rise_sum: int = 0x234567
    peak_time: int = 500
    trigger_time: int = 490
    sample_flags: ArrayLike = 0
    separator: int = 0xAAAAAAAA
    length: int | None = None

    def pack(self) -> bytes:
        """Encode the event; the samples are an even number.

        ``sample_flags`` are the two upper bits of each sample, ``length`` the words
        that the event claims to have.
        """
        samples = np.asarray(self.samples, dtype="<u2")
        raw = encode_samples(samples | np.asarray(self.sample_flags, dtype="<u2") << 14)
        length = self.header_words + len(raw) // 4
        if self.length is not None:
            length = self.length
        post = self.post_rise_sum
        timing = (0x2001 << 16 | 0x2002, 0x2003 << 16 | 0x2004, 0x2005 << 16 | 0x2006)
        return encode(
            self.separator,
            (length - 1) << 16 | self.board_id << 4 | self.channel,
            self.timestamp,
            2 * self.header_words << 26
            | self.event_type << 23
            | self.header_type << 16
            | self.timestamp >> 32,
            (self.prev_timestamp & 0xFFFF) << 16 | self.flags,
            self.prev_timestamp >> 16,
            self.baseline,
            0,
            (post & 0xFF) << 24 | self.pre_rise_sum,
            self.peak_time << 16 | post >> 8,
            self.trigger_time << 16 | 0x2000,
            *timing,
            (0,) * (self.header_words - 14),
            raw,
        )


def gretina4a(
    events: Sequence[Gretina4AEvent],
    *,
    crate: int = 1,
    card: int = 9,
    serial_number: int = 0x4321,
    rest: Sequence[int] = (),
    data_id: int = DATA_IDS["ORGretina4AWaveformDecoder"],
) -> bytes:
    """Write events of a Gretina4A (format 5.2), and the ``rest`` of a cut one."""
    where = place_word(crate, card, serial_number)
    blocks = b"".join(event.pack() for event in events)
    return packet(data_id, where, blocks, [*rest])
