"""Records of CAEN digitizers (ORCA format, 5.5 and 5.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kit.writers.orca.data_ids import DATA_IDS
from kit.writers.orca.framing import encode, encode_samples, packet, place_word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike


@dataclass
class CaenEvent:
    """An event of a CAEN card (format 5.5).

    Parameters
    ----------
    traces
        samples by channel, all of one length.
    mask
        channels that it claims to have; the right ones if not given.
    size
        words that it claims to have.
    """

    traces: Mapping[int, ArrayLike] = field(default_factory=dict)
    eventnumber: int = 1
    time_tag: int = 0x89AB_CDEF
    board_id: int = 3
    pattern: int = 0x1234
    board_fail: bool = False
    zero_length: bool = False
    mask: int | None = None
    size: int | None = None

    def pack(self, pack_samples: Callable[[ArrayLike], bytes]) -> bytes:
        """Encode the event, samples as the model of the card has them."""
        mask = self.mask
        if mask is None:
            mask = sum(1 << channel for channel in self.traces)
        data = b"".join(pack_samples(self.traces[i]) for i in sorted(self.traces))
        size = 4 + len(data) // 4 if self.size is None else self.size
        bits = self.board_id << 27 | self.board_fail << 26 | self.zero_length << 24
        return encode(
            0xA << 28 | size,
            bits | self.pattern << 8 | mask & 0xFF,
            (mask >> 8) << 24 | self.eventnumber,
            self.time_tag,
            data,
        )


def _pack_25(samples: ArrayLike) -> bytes:
    """Pack 5 samples of 12 bits into 2 words of 30 (format 5.6)."""
    words = []
    for s in np.asarray(samples, dtype="i8").reshape(-1, 5).tolist():
        words.append(s[0] | s[1] << 12 | (s[2] & 0x3F) << 24)
        words.append(s[2] >> 6 | s[3] << 6 | s[4] << 18)
    return encode(words)


def caen(
    decoder: str,
    events: Sequence[CaenEvent],
    *,
    crate: int = 0,
    card: int = 10,
    padding: int = 0,
    data_id: int | None = None,
) -> bytes:
    """Write events of a CAEN card in a VME crate (format 5.5).

    Parameters
    ----------
    decoder
        name of the record's decoder. Those of the V1730, V1724 and V1720 lose the
        lowest bit of the crate's number.
    padding
        zero words at the end, as of the last block of a transfer.
    """
    is_v1721 = decoder == "ORCV1721WaveformDecoder"
    where = place_word(crate & (0xF if is_v1721 else 0xE), card)
    width = "<u1" if is_v1721 else "<u2"
    blocks = b"".join(
        event.pack(lambda s: encode_samples(s, width)) for event in events
    )
    if data_id is None:
        data_id = DATA_IDS[decoder]
    return packet(data_id, where, blocks, (0,) * padding)


def caen_usb(
    decoder: str,
    event: CaenEvent,
    *,
    unit: int = 1,
    packed: bool = False,
    data_id: int | None = None,
) -> bytes:
    """Write an event of a CAEN desktop digitizer (format 5.6).

    ``packed``, of the DT5720 only, puts 5 samples into 2 words.
    """
    if data_id is None:
        data_id = DATA_IDS[decoder]
    data = event.pack(_pack_25 if packed else encode_samples)
    return packet(data_id, unit << 16 | packed, data)
