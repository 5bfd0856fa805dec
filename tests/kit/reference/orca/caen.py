"""CAEN digitizers (ORCA format, 5.5 and 5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.reference.orca.headers import ccc
from kit.reference.orca.state import (
    State,
    halves_of,
    place_columns,
    place_of,
    require,
    trace_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.reference.orca.framing import Packet


def caen(state: State, packet: Packet) -> None:
    assert packet.decoder is not None
    w = packet.words()
    require(len(w) >= 2, "too short")
    crate, card, _ = place_of(w[1])
    n_channels, mask, period = {
        "ORCV1730WaveformDecoder": (16, 0x3FFF, 2),
        "ORCaen1724WaveformDecoder": (8, 0x3FFF, 10),
        "ORCaen1720WaveformDecoder": (8, 0xFFF, 4),
        "ORCV1721WaveformDecoder": (8, 0xFF, 2),
    }[packet.decoder]
    position = 2
    while len(w) - position >= 4:
        h = w[position:]
        if h[0] == 0:
            break
        require(h[0] >> 28 == 0xA, "event header")
        size = h[0] & 0xFFFFFFF
        require(4 <= size <= len(h), "event cut off")
        position += size
        channels = h[1] & 0xFF
        if n_channels == 16:
            channels |= h[2] >> 24 << 8
        # Zero-length encoding is of the x720 and x724 only.
        encoded = packet.decoder in (
            "ORCaen1724WaveformDecoder",
            "ORCaen1720WaveformDecoder",
        ) and bool(h[1] >> 24 & 1)
        common = _caen_common(h)
        for channel, words in _caen_traces(
            state, packet, h[4:size], channels, encoded=encoded
        ):
            if mask == 0xFF:
                samples = [word >> 8 * i & 0xFF for word in words for i in range(4)]
            else:
                samples = [half & mask for half in halves_of(words)]
            row = {
                **common,
                **place_columns(crate, card, channel),
                **trace_columns(samples, period),
            }
            state.add(packet, ccc(crate, card, channel), row)


def _caen_traces(
    state: State, packet: Packet, data: tuple[int, ...], mask: int, *, encoded: bool
) -> Iterator[tuple[int, tuple[int, ...]]]:
    channels = [i for i in range(16) if mask >> i & 1]
    if not channels:
        return
    if encoded:
        state.drop(packet, "zero-length encoding")
        return
    if len(data) % len(channels):
        state.drop(packet, "length")
        return
    n = len(data) // len(channels)
    for i, channel in enumerate(channels):
        yield channel, data[i * n : (i + 1) * n]


def caen_usb(state: State, packet: Packet) -> None:
    assert packet.decoder is not None
    w = packet.words()
    require(len(w) >= 6, "too short")
    unit = w[1] >> 16 & 0xF
    h = w[2:]
    require(h[0] >> 28 == 0xA, "event header")
    size = h[0] & 0xFFFFFFF
    require(4 <= size <= len(h), "event cut off")
    is_5720 = packet.decoder == "ORDT5720Decoder"
    channels = h[1] & (0xF if is_5720 else 0xFF)
    encoded = is_5720 and bool(h[1] >> 24 & 1)
    mask = 0xFFF if is_5720 else 0x3FFF
    for channel, words in _caen_traces(
        state, packet, h[4:size], channels, encoded=encoded
    ):
        if is_5720 and w[1] & 1:
            samples = _unpack_25(words)
        else:
            samples = [half & mask for half in halves_of(words)]
        row = {
            **_caen_common(h),
            "unit": unit,
            "channel": channel,
            **trace_columns(samples, 4),
        }
        state.add(packet, unit * 100 + channel, row)


def _caen_common(h: tuple[int, ...]) -> dict[str, Any]:
    return {
        "eventnumber": h[2] & 0xFFFFFF,
        "timestamp": h[3] & 0x7FFFFFFF,
        "timestamp_rollover": bool(h[3] >> 31),
        "board_id": h[1] >> 27,
        "pattern": h[1] >> 8 & 0xFFFF,
        "board_fail": bool(h[1] >> 26 & 1),
    }


def _unpack_25(words: tuple[int, ...]) -> list[int]:
    """Unpack 5 samples from each 2 words (format 5.6)."""
    samples = []
    for a, b in zip(words[::2], words[1::2], strict=False):
        samples += (
            a & 0xFFF,
            a >> 12 & 0xFFF,
            a >> 24 & 0x3F | (b & 0x3F) << 6,
            b >> 6 & 0xFFF,
            b >> 18 & 0xFFF,
        )
    return samples
