"""FlashCam, first generation (ORCA format, 4.3)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.reference.orca.columns import (
    CONFIG_NAMES,
    OFFSET_NAMES,
    REGION_NAMES,
    STAMP_NAMES,
)
from kit.reference.orca.headers import Header, Listener, Plist, channel_key
from kit.reference.orca.state import State, halves_of, require, trace_columns

if TYPE_CHECKING:
    from kit.reference.orca.framing import Packet


@dataclass
class ListenerConfig:
    """What waveforms need of the last configuration of a listener."""

    gps: int
    nsamples: int
    adcbits: int
    trace_map: list[tuple[int, int]]


def location_split(word: int, *, wide: bool) -> tuple[int, int]:
    """Split input and trace index (format 4.3.3): 4 and 10 bits, or 5 and 9."""
    if wide:
        return word >> 9 & 0x1F, word & 0x1FF
    return word >> 10 & 0xF, word & 0x3FF


def _address_fits(byte: int, address: int) -> bool:
    """Tell whether an address is behind either form of its 8 bits."""
    return byte in (address & 0xFF, (address & 0xFF0) >> 4)


def listener_config(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 13, "too short")
    row: dict[str, Any] = {
        "packet_len": packet.length,
        "readout_id": w[1] >> 16,
        "fcid": w[1] & 0xFFFF,
        **{name: packet.signed(2 + i) for i, name in enumerate(CONFIG_NAMES)},
    }
    n, n_cards = row["nadcs"], row["adccards"]
    require(0 <= n <= 2400 and len(w) >= 13 + n, "number of traces")
    require(0 <= n_cards <= 256, "number of cards")
    trace_map = [(word >> 16, word & 0xFFFF) for word in w[13 : 13 + n]]
    revisions, unique_ids = [0] * n_cards, [0] * n_cards
    revision_words = -(-n_cards // 4)
    if len(w) == 13 + n + revision_words + 2 * n_cards:
        first = 13 + n
        for i in range(n_cards):
            revisions[i] = w[first + i // 4] >> 8 * (i % 4) & 0xFF
            high, low = w[first + revision_words + 2 * i :][:2]
            unique_ids[i] = high << 32 | low
    row |= {
        "ch_board_id": [board for board, _ in trace_map],
        "ch_inputnum": [fc_input for _, fc_input in trace_map],
        "board_rev": revisions,
        "board_uid": unique_ids,
    }
    state.add(packet, None, row)
    state.listener_configs[row["fcid"]] = ListenerConfig(
        row["gps"], row["nsamples"], row["adcbits"], trace_map
    )


def listener_status(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 15, "too short")
    n = w[13]
    require(1 <= n <= 256 and len(w) >= 15 + 39 * n, "number of cards")

    def is_card_id(word: int) -> bool:
        return word == 0 or word & 0xFFFFF000 in (0x1000, 0x2000, 0x4000)

    stride = 39
    if n > 1 and not is_card_id(w[15 + 39]):
        other = 15 + 39 + n
        if (
            other < len(w)
            and is_card_id(w[other])
            and len(w) >= 15 + (n - 1) * (39 + n) + 39
        ):
            stride = 39 + n
    cards = [w[15 + stride * i :][:39] for i in range(n)]
    environment = [
        struct.unpack_from("<16i", packet.content(), 4 * (15 + stride * i + 19))
        for i in range(n)
    ]
    links = 15 + stride * (n - 1) + 39

    def seconds(word: int) -> float:
        return w[word] + 1e-6 * w[word + 1]

    def each(k: int) -> list[int]:
        return [card[k] for card in cards]

    def some(first: int, last: int) -> list[int]:
        return [word for card in cards for word in card[first:last]]

    def sensors(first: int, last: int) -> list[int]:
        return [value for values in environment for value in values[first:last]]

    row = {
        "readout_id": w[1] >> 16,
        "fcid": w[1] & 0xFFFF,
        "status": packet.signed(2),
        "statustime": seconds(3),
        "cputime": seconds(5),
        "startoffset": seconds(8),
        "n_cards": n,
        "card_data_size": packet.signed(14),
        "card_id": each(0),
        "card_status": each(1),
        "card_eventnumber": each(2),
        "card_pps_count": each(3),
        "card_clock_tick_count": each(4),
        "card_max_clock_ticks": each(5),
        "card_n_env_vals": each(6),
        "card_n_cti_links": each(7),
        "card_n_link_states": each(8),
        "card_n_errors_tot": each(10),
        "card_n_env_errors": each(11),
        "card_n_cti_errors": each(12),
        "card_n_link_errors": each(13),
        "card_n_other_errors": some(14, 19),
        "card_cti_links": some(35, 39),
        "card_link_states": list(w[links : links + n]),
        "card_temps": sensors(0, 5),
        "card_voltages": sensors(5, 11),
        "card_main_current": sensors(11, 12),
        "card_humidity": sensors(12, 13),
        "card_adc_temps": sensors(13, 15),
    }
    state.add(packet, None, row)


def _find_other_split(state: State) -> set[tuple[str, int]]:
    """Find decoder and listener whose packets have the other split of word 2.

    The declared split fails for all of them, and the other never (format 4.3.3).
    """
    outcomes: dict[tuple[str, int], list[tuple[bool, bool]]] = {}
    maps: dict[int, list[tuple[int, int]]] = {}
    for packet, header in zip(
        state.framing.packets, state.framing.headers, strict=True
    ):
        name = packet.decoder
        w = packet.words()
        if len(w) < 3:
            continue
        if name == "ORFlashCamListenerConfigDecoder" and len(w) >= 13:
            words = w[13 : 13 + min(w[3], 2400)]
            maps[w[1] & 0xFFFF] = [(word >> 16, word & 0xFFFF) for word in words]
        if name not in (
            "ORFlashCamADCWaveformDecoder",
            "ORFlashCamWaveformDecoder",
        ):
            continue
        listener, _ = _find_card(header, w[2] >> 27, w[2] >> 22 & 0x1F)
        if listener is None or listener.fcid not in maps:
            continue
        trace_map = maps[listener.fcid]
        declared = name == "ORFlashCamWaveformDecoder"
        fits = []
        for wide in (declared, not declared):
            fc_input, channel = location_split(w[2], wide=wide)
            fits.append(
                channel < len(trace_map)
                and trace_map[channel][1] == fc_input
                and _address_fits(w[2] >> 14 & 0xFF, trace_map[channel][0])
            )
        outcomes.setdefault((name, listener.fcid), []).append((fits[0], fits[1]))
    return {
        source
        for source, fits in outcomes.items()
        if all(other and not declared for declared, other in fits)
    }


def flashcam_waveform(state: State, packet: Packet) -> None:
    assert packet.decoder is not None
    w = packet.words()
    require(len(w) >= 3, "too short")
    orca_words, flashcam_words = w[1] >> 28, w[1] >> 22 & 0x3F
    n_samples = w[1] >> 6 & 0xFFFF
    if orca_words == 0:
        # As written for some days in March 2023.
        orca_words, flashcam_words = 3, 17
        n_samples = 2 * (len(w) - 20)
    n_offsets = flashcam_words - 10
    require(orca_words >= 3 and n_offsets >= 5, "header words")
    first = orca_words + flashcam_words
    require(
        n_samples >= 0 and n_samples % 2 == 0 and first + n_samples // 2 <= len(w),
        "length",
    )

    crate, slot = w[2] >> 27, w[2] >> 22 & 0x1F
    listener, card = _find_card(state.header, crate, slot)
    wide = packet.decoder == "ORFlashCamWaveformDecoder"
    byte = w[2] >> 14 & 0xFF
    if listener is None or card is None:
        listener, card = _find_elsewhere(state, byte, *location_split(w[2], wide=wide))
    fcid = listener.fcid
    if state.other_split is None:
        state.other_split = _find_other_split(state)
    if (packet.decoder, fcid) in state.other_split:
        wide = not wide
    fc_input, channel = location_split(w[2], wide=wide)
    board_id = card["CardAddress"]
    if not _address_fits(byte, board_id):
        board_id = byte << 4
    config = state.listener_configs.get(fcid)
    if config is not None:
        require(channel < len(config.trace_map), "trace index")
        board_id, fc_input = config.trace_map[channel]
    key = channel_key(fcid, board_id, fc_input)
    offered = listener.keys()

    values = [packet.signed(orca_words + i) for i in range(flashcam_words - 1)]
    offsets = [*values[:n_offsets], 0, 0][:7]
    region = values[n_offsets : n_offsets + 5]
    stamp = values[n_offsets + 5 : n_offsets + 9]
    require(stamp[3] != -1, "maximal ticks")
    run_time = (stamp[1] % 2**32) + (stamp[2] % 2**32) / (stamp[3] + 1)
    if config is None or config.gps == 0:
        timestamp = run_time + offsets[0] + 1e-6 * offsets[1]
    else:
        timestamp = run_time + offsets[2]
    dead_time = math.nan
    if region[4]:
        dead_time = region[2] - region[0] + (region[3] - region[1]) / region[4]
    if config is not None:
        length = config.nsamples
        bits = config.adcbits
    else:
        length = listener.samples
        bits = {"ORFlashCamADCStdModel": 12, "ORFlashCamADCModel": 16}.get(
            card.get("Class Name", "")
        )
    row = {
        "event_type": w[1] & 0x1F,
        "fcid": fcid,
        "crate": crate,
        "slot": slot,
        "fc_input": fc_input,
        "board_id": board_id,
        "channel": channel,
        "numtraces": 1,
        **dict(zip(OFFSET_NAMES, offsets, strict=True)),
        **dict(zip(REGION_NAMES, region, strict=True)),
        **dict(zip(STAMP_NAMES, stamp, strict=True)),
        "baseline": w[first - 1] & 0xFFFF,
        "daqenergy": w[first - 1] >> 16,
        "dr_ch_idx": 0,
        "dr_ch_len": len(offered),
        "runtime": run_time,
        "timestamp": timestamp,
        "deadtime": dead_time,
        "lifetime": 0,
        "deadinterval_nsec": 0,
        **trace_columns(
            halves_of(w[first : first + n_samples // 2]),
            math.nan if bits is None else 4 if bits == 12 else 16,
            length,
        ),
    }
    state.add(packet, key, row)


def _find_elsewhere(
    state: State, byte: int, fc_input: int, channel: int
) -> tuple[Listener, Plist]:
    """Find the listener of a card that the header lacks, or has elsewhere.

    By what the listeners say of their traces, or else by its address.
    """
    listeners = {each.fcid: each for each in state.header.listeners()}
    for fcid, config in state.listener_configs.items():
        if channel < len(config.trace_map):
            board_id, of_input = config.trace_map[channel]
            if of_input == fc_input and _address_fits(byte, board_id):
                listener = listeners.get(fcid, Listener(fcid, [], 0, fsp=False))
                return listener, {"CardAddress": board_id}
    require(not state.listener_configs, "card not in the header")
    for each in listeners.values():
        for _, _, card in each.cards:
            if _address_fits(byte, card["CardAddress"]):
                return each, card
    if len(listeners) == 1:
        (listener,) = listeners.values()
    else:
        listener = Listener(0, [], 0, fsp=False)
    return listener, {"CardAddress": byte << 4}


def _find_card(
    header: Header, crate: int, slot: int
) -> tuple[Listener | None, Plist | None]:
    """Find the listener that reads a card, and the card."""
    for listener in header.listeners():
        for of_crate, of_slot, card in listener.cards:
            if (of_crate, of_slot) == (crate, slot):
                return listener, card
    return None, None
