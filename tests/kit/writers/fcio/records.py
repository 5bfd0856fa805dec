"""One function per kind of record of fcio (FCIO format, 2.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kit.writers.fcio.framing import (
    TAG_CALIB,
    TAG_CONFIG,
    TAG_EVENT,
    TAG_EVENT_HEADER,
    TAG_REC_EVENT,
    TAG_SPARSE_EVENT,
    TAG_STATUS,
    Field,
    pack,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray


CARD_BLOCK_SIZE = 1180
"""Bytes of one card's block in a status record (format 1.4 and 2.1)."""


def config(
    *,
    adcs: Field = 6,
    triggers: Field = 0,
    eventsamples: Field = 1000,
    blprecision: Field = 1,
    sumlength: Field = 1,
    adcbits: Field = 16,
    mastercards: Field = 1,
    triggercards: Field = 0,
    adccards: Field = 1,
    gps: Field = 0,
    tracemap: Field = (
        0x1100000,
        0x1100001,
        0x1100002,
        0x1100003,
        0x1100004,
        0x1100005,
    ),
    streamid: Field = 1,
    drop_frames: int = 0,
) -> bytes:
    """Write a Config (tag 1, format 2.1).

    Parameters
    ----------
    tracemap
        a word ``card_address << 16 | input`` for each trace (format 3). None
        leaves out the stream id too, since the oldest files have neither.
    """
    if tracemap is None:
        streamid = None
    integers = (
        *(adcs, triggers, eventsamples, blprecision, sumlength, adcbits),
        *(mastercards, triggercards, adccards, gps),
    )
    return record(
        TAG_CONFIG,
        *(pack(value, "i4") for value in integers),
        pack(tracemap, "u4"),
        pack(streamid, "i4"),
        drop_frames=drop_frames,
    )


def with_headers(samples: ArrayLike, baseline: ArrayLike, energy: ArrayLike) -> NDArray:
    """Put the two FPGA words in front of the samples of each trace (format 3).

    Parameters
    ----------
    samples
        (traces, samples).
    baseline, energy
        words 0 and 1, one for each trace or one for all.
    """
    samples = np.asarray(samples, dtype="<u2")
    traces = np.empty((*samples.shape[:-1], samples.shape[-1] + 2), dtype="<u2")
    traces[..., 0] = baseline
    traces[..., 1] = energy
    traces[..., 2:] = samples
    return traces


_TIMEOFFSET = (1_700_000_000, 600, 1_700_000_000, 0, 0, 0, 380_000, 0, 0, 0)
_TIMESTAMP = (0, 0, 100_000_000, 249_999_999, 0)
_DEADREGION = (0,) * 10


def _event_start(
    event_type: Field, pulser: Field, timeoffset: Field, timestamp: Field
) -> tuple[bytes | None, ...]:
    """Encode frames 0 to 3, which all kinds of event have (format 2.1)."""
    return (
        pack(event_type, "i4"),
        pack(pulser, "f4"),
        pack(timeoffset, "i4"),
        pack(timestamp, "i4"),
    )


def event(
    traces: Field,
    *,
    event_type: Field = 1,
    pulser: Field = 0.0,
    timeoffset: Field = _TIMEOFFSET,
    timestamp: Field = _TIMESTAMP,
    deadregion: Field = _DEADREGION,
    drop_frames: int = 0,
) -> bytes:
    """Write a full Event (tag 3, format 2.1).

    Parameters
    ----------
    traces
        all traces with their two FPGA words, as `with_headers` makes them: one
        frame.
    """
    return record(
        TAG_EVENT,
        *_event_start(event_type, pulser, timeoffset, timestamp),
        pack(traces, "u2"),
        pack(deadregion, "i4"),
        drop_frames=drop_frames,
    )


def sparse_event(
    trace_list: Field,
    traces: Iterable[Field],
    *,
    num_traces: Field | str = "as listed",
    event_type: Field = 1,
    pulser: Field = 0.0,
    timeoffset: Field = _TIMEOFFSET,
    timestamp: Field = _TIMESTAMP,
    deadregion: Field = _DEADREGION,
    drop_frames: int = 0,
) -> bytes:
    """Write a SparseEvent (tag 6, format 2.1).

    Parameters
    ----------
    trace_list
        indices of the traces that follow.
    traces
        the traces with their two FPGA words: a frame each.
    num_traces
        the number of traces that the record claims to have; as many as are listed
        if not given.
    """
    indices = pack(trace_list, "u2")
    if isinstance(num_traces, str):
        num_traces = len(indices or b"") // 2
    return record(
        TAG_SPARSE_EVENT,
        *_event_start(event_type, pulser, timeoffset, timestamp),
        pack(deadregion, "i4"),
        pack(num_traces, "i4"),
        indices,
        *(pack(trace, "u2") for trace in traces),
        drop_frames=drop_frames,
    )


def event_header(
    trace_list: Field,
    headers: Field,
    *,
    event_type: Field = 1,
    pulser: Field = 0.0,
    timeoffset: Field = _TIMEOFFSET,
    timestamp: Field = _TIMESTAMP,
    deadregion: Field = _DEADREGION,
    drop_frames: int = 0,
) -> bytes:
    """Write an EventHeader (tag 7, format 2.1).

    Parameters
    ----------
    trace_list
        indices of the traces.
    headers
        (traces, 2): the FPGA words of each listed trace.
    """
    return record(
        TAG_EVENT_HEADER,
        *_event_start(event_type, pulser, timeoffset, timestamp),
        pack(deadregion, "i4"),
        pack(trace_list, "u2"),
        pack(headers, "u2"),
        drop_frames=drop_frames,
    )


def rec_event(
    *,
    channel_pulses: Field = (1, 0, 2, 0, 0, 0),
    flags: Field = (1, 1, 1),
    amplitudes: Field = (10.0, 20.0, 30.0),
    times: Field = (1.0, 2.0, 3.0),
    totalpulses: Field = 3,
    event_type: Field = 1,
    pulser: Field = 0.0,
    timeoffset: Field = _TIMEOFFSET,
    timestamp: Field = _TIMESTAMP,
    deadregion: Field = _DEADREGION,
    drop_frames: int = 0,
) -> bytes:
    """Write a RecEvent (tag 5, format 2.1): amplitudes come before times."""
    return record(
        TAG_REC_EVENT,
        *_event_start(event_type, pulser, timeoffset, timestamp),
        pack(deadregion, "i4"),
        pack(totalpulses, "i4"),
        pack(channel_pulses, "i4"),
        pack(flags, "i4"),
        pack(amplitudes, "f4"),
        pack(times, "f4"),
        drop_frames=drop_frames,
    )


def calib(
    *,
    adcs: int = 6,
    eventsamples: int = 16,
    upsample: int = 4,
    presamples: int = 8,
    status: Field = 1,
    pulser_amplitude: Field = 1.0,
    threshold: Field = 0.5,
    drop_frames: int = 0,
) -> bytes:
    """Write a Calib (tag 2, format 2.1) with arrays of zeros."""
    per_channel = bytes(4 * adcs)
    per_sample = bytes(4 * adcs * eventsamples * upsample)
    return record(
        TAG_CALIB,
        pack(status, "i4"),
        pack(upsample, "i4"),
        pack(presamples, "i4"),
        pack(pulser_amplitude, "f4"),
        pack(threshold, "f4"),
        *(per_channel,) * 5,
        *(per_sample,) * 2,
        drop_frames=drop_frames,
    )


@dataclass
class StatusCard:
    """What one card reports in a status record (format 2.1, "Card block").

    The three counts are the lengths of the lists unless given; lists shorter than
    the block's arrays are filled up with zeros.
    """

    reqid: int = 0
    status: int = 1
    eventno: int = 0
    pps: int = 0
    ticks: int = 0
    maxticks: int = 249_999_999
    numenv: int | None = None
    numctilinks: int | None = None
    numlinks: int | None = None
    totalerrors: int = 0
    enverrors: int = 0
    ctierrors: int = 0
    linkerrors: int = 0
    othererrors: Sequence[int] = ()
    environment: Sequence[int] = ()
    ctilinks: Sequence[int] = ()
    linkstates: Sequence[int] = ()

    def pack(self) -> bytes:
        """Encode the block, 1180 bytes."""
        counts = (
            len(held) if count is None else count
            for count, held in (
                (self.numenv, self.environment),
                (self.numctilinks, self.ctilinks),
                (self.numlinks, self.linkstates),
            )
        )
        unused = 0
        return struct.pack(
            "<9I5I5I16i4I256I",
            *(self.reqid, self.status, self.eventno),
            *(self.pps, self.ticks, self.maxticks),
            *counts,
            *(unused, self.totalerrors),
            *(self.enverrors, self.ctierrors, self.linkerrors),
            *_filled(self.othererrors, 5),
            *_filled(self.environment, 16),
            *_filled(self.ctilinks, 4),
            *_filled(self.linkstates, 256),
        )


def _filled(values: Sequence[int], length: int) -> tuple[int, ...]:
    return (*values, *(0,) * (length - len(values)))


def status(
    cards: Iterable[StatusCard | bytes] = (StatusCard(), StatusCard(reqid=0x2000)),
    *,
    status: Field = 1,
    statustime: Field = (1, 0, 1_700_000_001, 0, 0, 0, 380_000, 0, 0, 0),
    num_cards: Field | str = "as listed",
    size: Field = CARD_BLOCK_SIZE,
    drop_frames: int = 0,
) -> bytes:
    """Write a Status (tag 4, format 2.1).

    Parameters
    ----------
    cards
        the card blocks.
    num_cards, size
        the number of blocks and the bytes of each that the record claims to have.
    """
    blocks = [card if isinstance(card, bytes) else card.pack() for card in cards]
    if isinstance(num_cards, str):
        num_cards = len(blocks)
    return record(
        TAG_STATUS,
        pack(status, "i4"),
        pack(statustime, "i4"),
        pack(num_cards, "i4"),
        pack(size, "i4"),
        *blocks,
        drop_frames=drop_frames,
    )
