"""Struck digitizers (ORCA format, 4.5, 4.6, 5.3 and 5.4)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kit.reference.orca.columns import GATES, SIS3316
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


def sis3302(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 10, "too short")
    crate, card, channel = place_of(w[1])
    n_raw, n_energy = w[2], w[3]
    wrapped = bool(w[1] & 1)
    header_words = 4 if wrapped else 2
    require(w[-1] == 0xDEADBEEF, "trailer")
    if 8 + header_words + n_raw + n_energy != len(w):
        # The energy trace may have half as many words as declared.
        n_energy = len(w) - 8 - header_words - n_raw
        require(n_energy >= 0, "length")
    require(w[4] & 7 == channel, "channel")
    key = ccc(crate, card, channel)
    settings = state.header.card("ORSIS3302Model", crate, card) or {}
    period = {0: 10, 1: 20, 2: 40, 3: 100, 4: 1000, 7: 10}.get(
        settings.get("clockSource", -1), math.nan
    )
    lengths = settings.get("sampleLengths", (0, 0, 0, 0))
    first = 4 + header_words
    samples = halves_of(w[first : first + n_raw])
    if wrapped:
        n, start = w[6], w[7]
        require(0 < n <= len(samples), "wrap")
        # From one after the start: format B12.
        samples = [samples[(start + 1 + i) % n] for i in range(n)]
    row = {
        "energy": w[-4],
        "energy_first": w[-3],
        "flags": w[-2],
        "timestamp": w[5] | w[4] >> 16 << 32,
        **place_columns(crate, card, channel),
        "energy_waveform": w[first + n_raw : first + n_raw + n_energy],
        **trace_columns(samples, period, lengths[channel // 2]),
    }
    state.add(packet, key, row)


def sis3316(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 10, "too short")
    crate, card, channel = place_of(w[1])
    key = ccc(crate, card, channel)
    settings = state.header.card("ORSIS3316Model", crate, card) or {}
    n_events = w[2]
    require(n_events >= 1, "no events")
    maw_lengths = settings.get("mawBufferLength", (0, 0, 0, 0))
    position = 10
    for _ in range(n_events):
        position = _sis3316_event(
            state,
            packet,
            position,
            key,
            place_columns(crate, card, channel),
            settings.get("rawDataBufferLen", 0),
            maw_lengths[channel // 4] & 0xFFE,
        )


def _sis3316_event(
    state: State,
    packet: Packet,
    position: int,
    key: int,
    place: dict[str, int],
    length: int,
    maw_length: int,
) -> int:
    w = packet.words()
    h = w[position:]
    require(len(h) >= 3, "event cut off")
    bits = h[0] & 0xF
    absent = 0xFFFFFFFF
    row: dict[str, Any] = dict.fromkeys(SIS3316, absent)
    del row["packet_id"], row["waveform/values"]
    row |= {
        "timestamp": h[1] | h[0] >> 16 << 32,
        **place,
    }
    i = 2
    if bits & 1:
        require(len(h) >= i + 7, "event cut off")
        row |= {
            "peakHighValue": h[i] & 0xFFFF,
            "peakHighIndex": h[i] >> 16,
            "accSum1": h[i + 1] & 0xFFFFFF,
            "information": h[i + 1] >> 24,
            **{f"accSum{k}": h[i + k] for k in range(2, 7)},
        }
        i += 7
    if bits & 2:
        require(len(h) >= i + 2, "event cut off")
        row |= {"accSum7": h[i], "accSum8": h[i + 1]}
        i += 2
    if bits & 4:
        require(len(h) >= i + 3, "event cut off")
        row |= {"mawMax": h[i], "mawBefore": h[i + 1], "mawAfter": h[i + 2]}
        i += 3
    if bits & 8:
        require(len(h) >= i + 2, "event cut off")
        row |= {
            "startEnergy": h[i],
            "maxEnergy": h[i + 1],
            "energy_first": h[i],
            "energy": h[i + 1],
        }
        i += 2
    require(len(h) > i, "event cut off")
    check = h[i]
    i += 1
    require(check >> 28 in (0xE, 0xA), "check nibble")
    n_raw = check & 0x3FFFFFF
    n_averaged = 0
    if check >> 28 == 0xA:
        require(len(h) > i, "event cut off")
        n_averaged = h[i] & 0xFFFF
        i += 1
    samples = halves_of(h[i : i + n_raw])
    i += n_raw + n_averaged
    if check >> 27 & 1:
        i += maw_length
    require(i <= len(h), "event cut off")
    row |= trace_columns(samples, 8, length)
    state.add(packet, key, row)
    return position + i


def sis3305(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 4, "too short")
    crate, card = w[1] >> 28, w[1] >> 20 & 0x1F
    mode, group, rate = w[1] >> 16 & 0xF, w[1] >> 12 & 0xF, w[1] >> 8 & 0xF
    saving = w[1] >> 4 & 0xF
    require(not w[1] & 1, "wrap mode")
    event_words, n_events = w[2], w[3] & 0xFFFF
    require(event_words >= 4, "length")
    block = {4: 4, 1: 8, 0: 16}.get(saving)
    require(block is not None and not (saving == 0 and rate != 2), "saving mode")
    assert block is not None
    for k in range(min(n_events, (len(w) - 4) // event_words)):
        h = w[4 + k * event_words :][:event_words]
        n_data = block * (h[3] & 0xFFFF)
        require(event_words == 4 + n_data, "length")
        event_id = h[0] >> 28
        channel = group * 4 + (0 if saving == 0 else event_id)
        row = {
            "timestamp": h[1] | (h[0] & 0xFFFF) << 32,
            "event_id": event_id,
            "group": group,
            "channel_mode": mode,
            "rate": rate,
            "saving_mode": saving,
            **place_columns(crate, card, channel),
            **trace_columns(_sis3305_samples(h[4:], saving), (0.8, 0.4, 0.2)[rate]),
        }
        state.add(packet, ccc(crate, card, channel), row)


def sis3320(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 2, "too short")
    crate, card, channel = place_of(w[1])
    key = ccc(crate, card, channel)
    settings = state.header.card("ORSIS3320Model", crate, card) or {}
    period = {0: 5, 1: 10, 2: 20, 7: 4}.get(settings.get("clockSource", -1), math.nan)
    position = 2
    while position < len(w):
        h = w[position:]
        require(len(h) >= 10, "event cut off")
        check, n = h[9] >> 16, h[9] & 0xFFFF
        require(check in (0xDADA, 0xEDED), "check half-word")
        if check == 0xEDED:
            n = 0
        n_words = (n + 1) // 2
        require(len(h) >= 10 + n_words, "event cut off")
        gates = (
            *(word & 0xFFFFF for word in h[2:6]),
            *(h[6] & 0xFFFF, h[6] >> 16, h[7] & 0xFFFF, h[7] >> 16),
        )
        state.lengths.setdefault(key, n)
        row = {
            "timestamp": h[1] | h[0] >> 16 << 32,
            **dict(zip(GATES, gates, strict=True)),
            **place_columns(crate, card, channel),
            **trace_columns(
                halves_of(h[10 : 10 + n_words])[:n], period, n or state.lengths[key]
            ),
        }
        state.add(packet, key, row)
        position += 10 + n_words


def _sis3305_samples(words: tuple[int, ...], saving: int) -> list[int]:
    """Unpack samples of 10 bits (format 5.3)."""
    samples = []
    if saving == 4:
        for word in words:
            samples += (word >> 20, word >> 10, word)
    elif saving == 1:
        for first in range(0, len(words), 8):
            for k in range(4):
                a, b = words[first + k], words[first + 4 + k]
                samples += (a >> 20, b >> 20, a >> 10, b >> 10, a, b)
    else:
        for first in range(0, len(words), 16):
            for k in range(4):
                for shift in (20, 10, 0):
                    samples += (words[first + i + k] >> shift for i in (0, 8, 4, 12))
    return [sample & 0x3FF for sample in samples]
