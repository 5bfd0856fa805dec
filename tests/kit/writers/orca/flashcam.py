"""Records of FlashCam listeners of the first generation (ORCA format, 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kit.writers import fcio
from kit.writers.orca.data_ids import DATA_IDS
from kit.writers.orca.framing import Part, encode_samples, long_packet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


def flashcam_config(
    trace_map: Sequence[int] = tuple(0x1200000 + i for i in range(6)),
    *,
    readout_id: int = 1,
    fcid: int = 1,
    streamid: int = 0,
    nadcs: int | None = None,
    ntriggers: int = 0,
    nsamples: int = 1000,
    adcbits: int = 16,
    sumlength: int = 1,
    blprecision: int = 1,
    mastercards: int = 0,
    triggercards: int = 0,
    adccards: int = 1,
    gps: int = 0,
    boards: Sequence[tuple[int, int]] | None = None,
    data_id: int = DATA_IDS["ORFlashCamListenerConfigDecoder"],
) -> bytes:
    """Write a listener's configuration (format 4.3.1).

    Parameters
    ----------
    trace_map
        a word ``board_id << 16 | input`` for each trace.
    boards
        revision (8 bits) and unique id (64 bits) of each card, as since 2023-03.
        None writes the older form, whose map has always 2400 entries.
    """
    if nadcs is None:
        nadcs = len(trace_map)
    parts: list[Part] = [
        readout_id << 16 | fcid,
        *(streamid, nadcs, ntriggers, nsamples, adcbits, sumlength, blprecision),
        *(mastercards, triggercards, adccards, gps),
    ]
    if boards is None:
        parts.append([*trace_map, *(0,) * (2400 - len(trace_map))])
    else:
        revisions = bytes(revision for revision, _ in boards)
        parts.append([*trace_map])
        parts.append(revisions + bytes(-len(revisions) % 4))
        for _, unique_id in boards:
            parts += (unique_id >> 32, unique_id)
    return long_packet(data_id, *parts)


def flashcam_status(
    cards: Sequence[fcio.StatusCard] = (
        fcio.StatusCard(),
        fcio.StatusCard(reqid=0x2000),
    ),
    *,
    readout_id: int = 1,
    fcid: int = 1,
    status: int = 1,
    time: tuple[int, int] = (1, 0),
    cpu_time: tuple[int, int] = (1_700_000_001, 0),
    start_time: tuple[int, int] = (0, 380_000),
    n_cards: int | None = None,
    card_size: int = 1180,
    link_states: Sequence[int] = (),
    stride: int = 39,
    data_id: int = DATA_IDS["ORFlashCamListenerStatusDecoder"],
) -> bytes:
    """Write a listener's status (format 4.3.2).

    Parameters
    ----------
    cards
        what each card reports; their ``linkstates`` are not written.
    link_states
        those of every card, as many as there are cards.
    stride
        words from card to card: 39, or to write what a reader of this record takes
        for granted, 39 and one for each card.
    """
    n = len(cards)
    words = np.zeros(n * (39 + n), dtype="<u4")
    for i, card in enumerate(cards):
        # A later card overwrites the link states of this one, or part of them.
        end = i * stride + 39
        words[end - 39 : end] = np.frombuffer(card.pack(), dtype="<u4")[:39]
        words[end : end + len(link_states)] = link_states
    return long_packet(
        data_id,
        readout_id << 16 | fcid,
        *(status, *time, *cpu_time, 0, *start_time, 0, 0, 0),
        *(n if n_cards is None else n_cards, card_size),
        words,
    )


TIME_OFFSETS = (1_700_000_000, 600, 1_700_000_000, -3, 3, 0, 380_000)
DEAD_REGION = (0, 1000, 0, 2000, 249_999_999)


def flashcam_waveform(
    samples: ArrayLike,
    *,
    crate: int = 0,
    slot: int = 0,
    address: int = 0x120,
    fc_input: int = 0,
    channel: int = 0,
    event_type: int = 1,
    offsets: Sequence[int] = TIME_OFFSETS,
    dead_region: Sequence[int] = DEAD_REGION,
    timestamp: Sequence[int] = (0, 0, 100_000_000, 249_999_999),
    baseline: int = 15_000,
    energy: int = 0,
    orca_words: int = 3,
    flashcam_words: int | None = None,
    n_samples: int | None = None,
    word1: int | None = None,
    high_address: bool = False,
    wide_input: bool = False,
    data_id: int = DATA_IDS["ORFlashCamADCWaveformDecoder"],
) -> bytes:
    """Write a trace (format 4.3.3).

    Parameters
    ----------
    address
        card address, of which the record has the lower 8 bits, or with
        ``high_address`` (since 2023-02) the 8 bits above the lowest 4.
    channel
        index of the trace in the configuration.
    offsets
        seven integers, or five as until 2021-12.
    dead_region, timestamp
        five integers, and four: event number, pps, ticks, maximal ticks.
    orca_words, flashcam_words, n_samples
        what word 1 says; right if not given.
    word1
        word 1 as it is, such as ``1 | event_type`` in 2023-03.
    wide_input
        5 bits for the input and 9 for the trace index in place of 4 and 10: what
        ORFlashCamWaveformDecoder declares.
    """
    samples = np.asarray(samples)
    if flashcam_words is None:
        flashcam_words = len(offsets) + 10
    if n_samples is None:
        n_samples = len(samples)
    if word1 is None:
        word1 = orca_words << 28 | flashcam_words << 22 | n_samples << 6 | event_type
    byte = (address & 0xFF0) >> 4 if high_address else address & 0xFF
    location = crate << 27 | slot << 22 | byte << 14
    location |= fc_input << (9 if wide_input else 10) | channel
    return long_packet(
        data_id,
        *(word1, location),
        # Other numbers of ORCA words have not been seen.
        *(0,) * (orca_words - 3),
        *(*offsets, *dead_region, *timestamp),
        energy << 16 | baseline,
        encode_samples(samples),
    )
