"""Gretina digitizers (ORCA format, 5.1 and 5.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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
    from kit.reference.orca.framing import Packet


def gretina4m(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 2 and (len(w) - 2) % 1024 == 0, "length")
    crate, card, _ = place_of(w[1])
    settings = state.header.card("ORGretina4MModel", crate, card) or {}
    factor = dict(enumerate((1, 2, 4, 8, 16))).get(
        settings.get("Down Sample", -1), math.nan
    )
    for position in range(2, len(w), 1024):
        h = w[position : position + 1024]
        channel = h[1] & 0xF
        key = ccc(crate, card, channel)
        if h[0] != 0xAAAAAAAA:
            state.drop(packet, "separator")
            continue
        if channel > 9:
            state.drop(packet, "channel")
            continue
        energy = h[3] >> 16 | (h[4] & 0x1FF) << 16
        if energy >> 24 & 1:
            energy = (~energy & 0x1FFFFFF) + 1
        samples = [
            half - 0x10000 if half & 0x8000 else half for half in halves_of(h[15:])
        ]
        row = {
            "energy": energy,
            "timestamp": h[2] | (h[3] & 0xFFFF) << 32,
            **place_columns(crate, card, channel),
            "board_id": h[1] >> 4 & 0xFFF,
            "serial_number": w[1] & 0xFFFF,
            "fifo_state": w[1] >> 30,
            **trace_columns(samples, 10 * factor),
        }
        state.add(packet, key, row)


def gretina4a(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 2, "too short")
    crate, card, _ = place_of(w[1])
    settings = state.header.card("ORGretina4AModel", crate, card) or {}
    decimation = dict(enumerate(settings.get("decimationFactor", ())))
    position = 2
    while position < len(w):
        h = w[position:]
        require(h[0] == 0xAAAAAAAA, "separator")
        require(len(h) >= 14, "event cut off")
        n_words = (h[1] >> 16 & 0x7FF) + 1
        require(n_words <= len(h), "event cut off")
        header_words = (h[3] >> 26) // 2
        require(14 <= header_words <= n_words, "header words")
        position += n_words
        channel = h[1] & 0xF
        key = ccc(crate, card, channel)
        pre = h[8] & 0xFFFFFF
        post = h[8] >> 24 | (h[9] & 0xFFFF) << 8
        halves = halves_of(h[header_words:n_words])
        row = {
            "timestamp": h[2] | (h[3] & 0xFFFF) << 32,
            "prev_timestamp": h[4] >> 16 | h[5] << 16,
            "energy": post - pre,
            "pre_rise_sum": pre,
            "post_rise_sum": post,
            "baseline": h[6] & 0xFFFFFF,
            "flags": h[4] & 0xFFFF,
            "event_type": h[3] >> 23 & 7,
            "header_type": h[3] >> 16 & 0xF,
            "peak_time": h[9] >> 16,
            "trigger_time": h[10] >> 16,
            **place_columns(crate, card, channel),
            "board_id": h[1] >> 4 & 0xFFF,
            "waveform_flags": [half >> 14 for half in halves],
            **trace_columns(
                [half & 0x3FFF for half in halves],
                10 * 2 ** decimation.get(channel, math.nan),
            ),
        }
        state.add(packet, key, row)
