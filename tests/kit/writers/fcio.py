"""Writer of synthetic FCIO (FlashCam) streams.

Made from the FCIO format alone, so that it shares no mistake
with a decoder; "format N" means its section N.

There are three levels:

- framing: `tag`, `frame`, `record`, `handshake`, `assemble`;
- one function per kind of record: `config`, `event`, `sparse_event`,
  `event_header`, `rec_event`, `calib`, `status`, `fsp_config`, `fsp_event`,
  `fsp_status`. They check nothing, since tests of bad input are written with them
  as well: arrays may have any length, `bytes` stand for a frame as it is, None
  leaves a frame out, and ``drop_frames`` cuts frames off the end;
- `Stream`, with `make_stream` and `write_stream`: whole runs with waveforms like
  those of germanium detectors, a running clock, dead time and status reports.

Examples
--------
>>> data = make_stream(n_events=20, n_channels=4, n_samples=200, kind="sparse")
>>> data[:4].hex()
'ff3565c4'
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

Field: TypeAlias = "ArrayLike | bytes | None"
"""Content of a frame: values, the very bytes, or None for "no such frame"."""

# Message tags, format 2.
TAG_CONFIG = 1
TAG_CALIB = 2
TAG_EVENT = 3
TAG_STATUS = 4
TAG_REC_EVENT = 5
TAG_SPARSE_EVENT = 6
TAG_EVENT_HEADER = 7
TAG_FSP_CONFIG = 8
TAG_FSP_EVENT = 9
TAG_FSP_STATUS = 10

MAX_TAG = 1_000_000_000
"""Headers below its negative are no tags (format 1.1)."""

TICKS_PER_SECOND = 250_000_000
"""The clock counts 4 ns whatever the sampling rate is (format 2.1)."""

ENABLED_AT = 345_000_000
"""When the runs of `Stream` start to take triggers, in ticks of the clock."""

CARD_BLOCK_SIZE = 1180
"""Bytes of one card's block in a status record (format 1.4 and 2.1)."""


class Record(NamedTuple):
    """Where a record stands in a stream."""

    offset: int
    length: int
    tag: int


# --- framing ----------------------------------------------------------------------


def tag(number: int) -> bytes:
    """Start a record: its negated number, as i32 (format 1.1)."""
    return struct.pack("<i", -number)


def frame(payload: bytes) -> bytes:
    """Put the length in front of the payload, as i32 (format 1.1)."""
    return struct.pack("<i", len(payload)) + payload


def record(number: int, *payloads: bytes | None, drop_frames: int = 0) -> bytes:
    """Write a record: a tag and its frames (format 1.1).

    Parameters
    ----------
    number
        the tag.
    payloads
        contents of the frames; None leaves the frame out.
    drop_frames
        how many frames to cut off the end, as in a record of an older or of an
        interrupted writer.
    """
    kept = [payload for payload in payloads if payload is not None]
    if drop_frames:
        kept = kept[:-drop_frames]
    parts = [tag(number)]
    for payload in kept:
        parts += (struct.pack("<i", len(payload)), payload)
    return b"".join(parts)


def handshake(protocol: bytes = b"FlashCamV1") -> bytes:
    """Start a stream: protocol tag and 64 bytes of protocol name (format 1.1)."""
    return b"\xff\x35\x65\xc4" + protocol.ljust(64, b"\0")


def assemble(
    records: Iterable[bytes], protocol: bytes = b"FlashCamV1"
) -> tuple[bytes, list[Record]]:
    """Join records to a stream with a handshake in front.

    Returns
    -------
    data, index
        the stream, and where each record of it is.
    """
    parts = [handshake(protocol), *records]
    return b"".join(parts), _index(parts)


def _index(parts: Iterable[bytes]) -> list[Record]:
    """Locate the records among the parts of a stream.

    Other parts are handshakes and whatever a test puts between records.
    """
    index = []
    offset = 0
    for part in parts:
        number = -int.from_bytes(part[:4], "little", signed=True)
        if len(part) >= 4 and 1 <= number <= MAX_TAG:
            index.append(Record(offset, len(part), number))
        offset += len(part)
    return index


def _pack(value: Field, dtype: str) -> bytes | None:
    """Encode the content of a frame as little-endian elements of one type."""
    if value is None or isinstance(value, bytes):
        return value
    return np.asarray(value, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()


# --- records of fcio (format 2.1) ------------------------------------------------


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
        *(_pack(value, "i4") for value in integers),
        _pack(tracemap, "u4"),
        _pack(streamid, "i4"),
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
        _pack(event_type, "i4"),
        _pack(pulser, "f4"),
        _pack(timeoffset, "i4"),
        _pack(timestamp, "i4"),
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
        _pack(traces, "u2"),
        _pack(deadregion, "i4"),
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
    indices = _pack(trace_list, "u2")
    if isinstance(num_traces, str):
        num_traces = len(indices or b"") // 2
    return record(
        TAG_SPARSE_EVENT,
        *_event_start(event_type, pulser, timeoffset, timestamp),
        _pack(deadregion, "i4"),
        _pack(num_traces, "i4"),
        indices,
        *(_pack(trace, "u2") for trace in traces),
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
        _pack(deadregion, "i4"),
        _pack(trace_list, "u2"),
        _pack(headers, "u2"),
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
        _pack(deadregion, "i4"),
        _pack(totalpulses, "i4"),
        _pack(channel_pulses, "i4"),
        _pack(flags, "i4"),
        _pack(amplitudes, "f4"),
        _pack(times, "f4"),
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
        _pack(status, "i4"),
        _pack(upsample, "i4"),
        _pack(presamples, "i4"),
        _pack(pulser_amplitude, "f4"),
        _pack(threshold, "f4"),
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
        _pack(status, "i4"),
        _pack(statustime, "i4"),
        _pack(num_cards, "i4"),
        _pack(size, "i4"),
        *blocks,
        drop_frames=drop_frames,
    )


# --- records of libfsp (format 2.2) ----------------------------------------------


def labels(names: Iterable[str]) -> bytes:
    """Encode the labels of a trace map: 8 bytes each, NUL padded (format 2.2)."""
    return b"".join(name.encode().ljust(8, b"\0") for name in names)


def _trace_map(name: str) -> tuple[tuple[str, str, Field], ...]:
    return (
        (f"{name}_format", "i4", 1),
        (f"{name}_map", "i4", (0, 1, 2)),
        (f"{name}_enabled", "i4", (0, 1, -1)),
        (f"{name}_labels", "S8", labels(("ch000", "ch001", "ch002"))),
    )


FSP_CONFIG_FIELDS: tuple[tuple[str, str, Field], ...] = (
    ("hwm_min_multiplicity", "i4", 1),
    ("hwm_prescale_ratio", "i4", (0, 10, 100)),
    ("wps_prescale_ratio", "i4", 1000),
    ("wps_coincident_sum_threshold", "f4", 20.0),
    ("wps_sum_threshold", "f4", 150.0),
    ("wps_prescale_rate", "f4", 0.5),
    ("hwm_prescale_rate", "f4", (0.0, 0.25, 1.0)),
    # Bytes 2-7 and 14-15 of the flags hold junk in real files.
    ("write_flags", "u1", bytes.fromhex("01010000050000000101010101010000" + 8 * "00")),
    ("pre_trigger_s", "i8", 0),
    ("pre_trigger_ns", "i8", 500_000),
    ("post_trigger_s", "i8", 1),
    ("post_trigger_ns", "i8", 250_000),
    ("wps_ref_flags_hwm", "u1", bytes.fromhex("0100000000000000")),
    ("wps_ref_flags_ct", "u1", bytes.fromhex("0100000000000000")),
    ("wps_ref_flags_wps", "u1", bytes(8)),
    ("wps_ref_map_idx", "i4", (0, 2)),
    ("max_states", "i4", 101),
    ("buffer_window_s", "i8", 0),
    ("buffer_window_ns", "i8", 524_304),
    *_trace_map("hwm"),
    ("fpga_energy_threshold_adc", "u2", (25, 25, 30)),
    *_trace_map("ct"),
    ("ct_thresholds", "u2", (2500, 2500, 2600)),
    *_trace_map("wps"),
    ("apply_gain_scaling", "i4", 1),
    ("sum_window_size", "i4", 375),
    ("sum_window_start_sample", "i4", 250),
    ("sum_window_stop_sample", "i4", 940),
    ("sub_event_sum_threshold", "f4", 15.5),
    ("gains", "f4", (30.05, 96.45, 77.25)),
    ("thresholds", "f4", (0.5, 0.5, 0.75)),
    ("lowpass", "f4", (1.0, 2.0, 4.0)),
    ("shaping_widths", "i4", (16, 16, 32)),
    ("dsp_max_margin_front", "i4", 85),
    ("dsp_max_margin_back", "i4", 84),
    ("dsp_margin_front", "i4", (84, 85, 80)),
    ("dsp_margin_back", "i4", (84, 84, 79)),
    ("dsp_start_sample", "i4", (100, 100, 101)),
    ("dsp_stop_sample", "i4", (900, 900, 901)),
)
"""The 48 frames of an FSPConfig: name, type and default content (format 2.2)."""


def fsp_config(*, drop_frames: int = 0, **fields: Field) -> bytes:
    """Write an FSPConfig (tag 8, format 2.2).

    Parameters
    ----------
    fields
        contents of frames, by the names in `FSP_CONFIG_FIELDS`.
    """
    unknown = fields.keys() - {name for name, _, _ in FSP_CONFIG_FIELDS}
    if unknown:
        msg = f"an FSPConfig has no frames named {sorted(unknown)}"
        raise TypeError(msg)
    return record(
        TAG_FSP_CONFIG,
        *(
            _pack(fields.get(name, default), dtype)
            for name, dtype, default in FSP_CONFIG_FIELDS
        ),
        drop_frames=drop_frames,
    )


def fsp_write_flags(
    *,
    is_written: bool = True,
    is_consecutive: bool = False,
    is_extended: bool = False,
    is_hwm_multiplicity: bool = False,
    is_hwm_prescaled: bool = False,
    is_wps_sum: bool = False,
    is_wps_coincident_sum: bool = False,
    is_wps_prescaled: bool = False,
    is_ct_multiplicity: bool = False,
    junk: bytes = b"\0\0\5\0\0\0",
) -> bytes:
    """Encode the write flags of an FSPEvent (format 2.2, frame 0).

    Parameters
    ----------
    junk
        six bytes for the padding of the structure, which real files do not zero.
    """
    event_bits = (is_consecutive, is_extended)
    trigger_bits = (
        *(is_hwm_multiplicity, is_hwm_prescaled, is_wps_sum),
        *(is_wps_coincident_sum, is_wps_prescaled, is_ct_multiplicity),
    )
    return struct.pack(
        "<2?6s6?2sI4s", *event_bits, junk, *trigger_bits, junk[:2], is_written, junk[:4]
    )


_WRITTEN = fsp_write_flags()


def fsp_event(
    *,
    write_flags: Field = _WRITTEN,
    processor_flags: Field = bytes(32),
    nconsecutive: Field = 0,
    hwm_hw_multiplicity: int = 1,
    hwm_max_value: int = 100,
    hwm_min_value: int = 50,
    hwm_sw_multiplicity: int | None = 1,
    wps_sum_value: float = 25.5,
    wps_sum_offset: int = 270,
    wps_sum_multiplicity: int = 13,
    wps_max_peak_value: float = 5.25,
    wps_max_peak_offset: int = 429,
    ct_trace_idx: Field = (),
    ct_max: Field = (),
    sub_event_start: Field = (),
    sub_event_stop: Field = (),
    sub_event_wps_max: Field = (),
    hwm_prescaled_trace_idx: Field = (),
    drop_frames: int = 0,
) -> bytes:
    """Write an FSPEvent (tag 9, format 2.2).

    Parameters
    ----------
    hwm_sw_multiplicity
        None leaves the word out, as in old files, which also have 24 instead of 32
        bytes of ``processor_flags`` and no ``hwm_prescaled_trace_idx`` (None).
    """
    hwm = struct.pack("<iHH", hwm_hw_multiplicity, hwm_max_value, hwm_min_value)
    if hwm_sw_multiplicity is not None:
        hwm += struct.pack("<i", hwm_sw_multiplicity)
    wps = struct.pack(
        "<fiifi",
        *(wps_sum_value, wps_sum_offset, wps_sum_multiplicity),
        *(wps_max_peak_value, wps_max_peak_offset),
    )
    return record(
        TAG_FSP_EVENT,
        _pack(write_flags, "u1"),
        _pack(processor_flags, "u1"),
        _pack(nconsecutive, "i4"),
        hwm,
        wps,
        _pack(ct_trace_idx, "i4"),
        _pack(ct_max, "u2"),
        _pack(sub_event_start, "i4"),
        _pack(sub_event_stop, "i4"),
        _pack(sub_event_wps_max, "f4"),
        _pack(hwm_prescaled_trace_idx, "u2"),
        drop_frames=drop_frames,
    )


FSP_STATUS_DTYPE = np.dtype(
    [
        *(
            (name, "<f8")
            for name in ("start_time", "log_time", "dt_logtime", "runtime")
        ),
        *((f"n_{name}_events", "<i4") for name in ("read", "written", "discarded")),
        *((f"dt_n_{name}_events", "<i4") for name in ("read", "written", "discarded")),
        ("dt", "<f8"),
        *((f"dt_rate_{name}_events", "<f8") for name in ("read", "write", "discard")),
        *((f"avg_rate_{name}_events", "<f8") for name in ("read", "write", "discard")),
    ]
)
"""The structure in an FSPStatus, 112 bytes (format 2.2)."""


def fsp_status(*, drop_frames: int = 0, **fields: float) -> bytes:
    """Write an FSPStatus (tag 10, format 2.2).

    Parameters
    ----------
    fields
        values by the names in `FSP_STATUS_DTYPE`; zero where not given.
    """
    values = np.zeros((), dtype=FSP_STATUS_DTYPE)
    for name, value in fields.items():
        values[name] = value
    return record(TAG_FSP_STATUS, values.tobytes(), drop_frames=drop_frames)


# --- whole streams ----------------------------------------------------------------


@dataclass
class _Block:
    """Traces that are read out together, with what the hardware counts for them."""

    first: int
    count: int
    events: int = 0
    dead_start: int = 0
    dead_stop: int = 0


_KINDS = ("event", "sparse", "header")


@dataclass
class Stream:
    """A run: a configuration, and events as a FlashCam system would send them.

    Parameters
    ----------
    n_events
        number of different events, whose waveforms are held in memory.
    repeat
        how often to send them. Waveforms come again, times and counters go on, so
        that long streams are made at little cost.
    n_channels, n_samples, adcbits, triggers
        ADC traces, samples in each, resolution, and trigger traces (format 3).
    kind
        "event" (all traces), "sparse" (some), "header" (some, without samples),
        several of these to choose from at random, or "mixed": any of them, and now
        and then one that lists all traces in another order, which the next full
        event inherits (format 2.3). Cards that trigger on their own never mix with
        full events, whose dead region is common.
    gps
        zero for a free-running clock, else the tolerance in ns.
    tracemap
        True makes one, False leaves it and the stream id out as in the oldest
        files, and anything else is written as it is.
    streamid
        None leaves the frame out, as in old files.
    fsp
        put a record of the software trigger in front of each other record
        (format 2.2).
    status_every
        number of events after which a status record is sent; 0 for never.
    deadtime
        True makes dead regions, before and also after the event that reports them.
    event_type
        1, or 11 for cards that trigger on their own (format 2.1).
    rate
        mean number of events in a second.
    seed
        of the random numbers: the same arguments give the same bytes.
    """

    n_events: int = 50
    repeat: int = 1
    n_channels: int = 6
    n_samples: int = 1000
    adcbits: int = 16
    triggers: int = 0
    kind: str | Sequence[str] = "event"
    gps: int = 0
    tracemap: bool | Sequence[int] = True
    streamid: int | None = 1
    fsp: bool = False
    status_every: int = 0
    deadtime: bool = False
    event_type: int = 1
    rate: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind == "mixed":
            self._kinds: tuple[str, ...] = _KINDS
        else:
            self._kinds = (self.kind,) if isinstance(self.kind, str) else (*self.kind,)
        unknown = set(self._kinds) - set(_KINDS)
        if unknown:
            msg = f"no such kinds of event: {sorted(unknown)}"
            raise ValueError(msg)
        # Cards that trigger alone, unless only full events are wanted.
        self._by_card = self.event_type == 11 and self._kinds != ("event",)
        if self._by_card:
            self._kinds = tuple(kind for kind in self._kinds if kind != "event")
        self._channels_per_card = 24 if self.adcbits == 12 else 6
        self._adccards = -(-self.n_channels // self._channels_per_card)
        self._n_traces = self.n_channels + self.triggers
        self._blprecision, self._sumlength = (16, 128) if self.adcbits == 12 else (1, 1)

    def records(self) -> Iterator[bytes]:
        """Make the records of the run, without the handshake."""
        self._rng = np.random.default_rng(self.seed)
        self._now = ENABLED_AT
        self._blocks = self._make_blocks()
        self._sent = 0
        yield from self._config()
        traces = self._traces()
        for number in range(self.n_events * self.repeat):
            yield from self._event(traces[number % self.n_events])
            self._sent = number + 1
            if self.status_every and self._sent % self.status_every == 0:
                yield from self._status()

    def _make_blocks(self) -> list[_Block]:
        # Cards that trigger alone have their own counters and dead regions. The
        # first region of such a card runs from 0 until it is enabled; a common
        # readout starts without one (format 4.4 and 8.2).
        if not self._by_card:
            return [_Block(0, self._n_traces)]
        step = self._channels_per_card
        return [
            _Block(first, min(step, self.n_channels - first), dead_stop=ENABLED_AT)
            for first in range(0, self.n_channels, step)
        ]

    def _config(self) -> Iterator[bytes]:
        if self.fsp:
            n = self._n_traces
            indices = np.arange(n)
            maps: dict[str, Any] = {}
            for name in ("hwm", "ct", "wps"):
                maps[f"{name}_map"] = indices
                maps[f"{name}_enabled"] = indices
                maps[f"{name}_labels"] = labels(f"ch{i:03d}" for i in indices)
            yield fsp_config(
                **maps,
                hwm_prescale_ratio=10 + indices,
                hwm_prescale_rate=indices / 8,
                fpga_energy_threshold_adc=25 + indices,
                ct_thresholds=2500 + indices,
                gains=1 + indices / 16,
                thresholds=indices / 32,
                lowpass=np.full(n, 2.0),
                shaping_widths=16 + indices,
                dsp_margin_front=80 + indices,
                dsp_margin_back=79 + indices,
                dsp_start_sample=100 + indices,
                dsp_stop_sample=900 + indices,
            )
        yield config(
            adcs=self.n_channels,
            triggers=self.triggers,
            eventsamples=self.n_samples,
            blprecision=self._blprecision,
            sumlength=self._sumlength,
            adcbits=self.adcbits,
            mastercards=1,
            triggercards=self.triggers,
            adccards=self._adccards,
            gps=self.gps,
            tracemap=self._tracemap(),
            streamid=self.streamid,
        )

    def _tracemap(self) -> Sequence[int] | NDArray | None:
        if not isinstance(self.tracemap, bool):
            return self.tracemap
        if not self.tracemap:
            return None
        # Twelve ADC cards in a crate; trigger cards have addresses below theirs.
        card, channel = np.divmod(np.arange(self.n_channels), self._channels_per_card)
        crate, slot = np.divmod(card, 12)
        adcs = (crate + 1) << 24 | (slot + 1) << 20 | channel
        return np.append(adcs, (np.arange(self.triggers) + 1) << 16)

    def _traces(self) -> NDArray:
        """Make the waveforms of all different events with their FPGA words."""
        shape = (self.n_events, self._n_traces)
        rng = self._rng
        if self.adcbits == 12:
            level, spread, noise, mean_height, tau = 400, 30, 1.5, 300, 11_000
        else:
            level, spread, noise, mean_height, tau = 15_000, 400, 4.0, 4_000, 2_800
        baseline = rng.normal(level, spread, self._n_traces)
        height = rng.exponential(mean_height, shape)
        start = self.n_samples * rng.uniform(0.48, 0.52, shape)
        rise = max(self.n_samples / 60, 1)
        top = 2**self.adcbits - 1

        sample = np.arange(self.n_samples, dtype="f4")
        samples = np.empty((*shape, self.n_samples), dtype="<u2")
        for number in range(self.n_events):
            since = sample - start[number, :, np.newaxis].astype("f4")
            pulse = np.exp(-np.maximum(since, 0) / tau) * np.clip(since / rise, 0, 1)
            values = noise * rng.standard_normal(since.shape, dtype="f4")
            values += height[number, :, np.newaxis].astype("f4") * pulse
            values += baseline[:, np.newaxis].astype("f4")
            samples[number] = np.clip(np.rint(values), 0, top)

        word0 = np.rint(baseline * self._blprecision) % 2**16
        word1 = height + rng.normal(0, noise, shape)
        if self.adcbits == 12:
            # The integrator starts from the baseline, and noise may take it below
            # (format 4.3).
            word1 = word0 + word1 * self._blprecision / self._sumlength
        word1 = np.rint(word1).astype("i8") % 2**16
        return with_headers(samples, word0, word1)

    def _event(self, traces: NDArray) -> Iterator[bytes]:
        rng = self._rng
        before = self._now
        self._now += 1 + int(rng.exponential(TICKS_PER_SECOND / self.rate))
        block = self._blocks[rng.integers(len(self._blocks))]
        if self.deadtime and rng.random() < 0.5:
            self._move_dead_region(block, before)

        kind = self._kinds[rng.integers(len(self._kinds))]
        n_listed = rng.integers(1, block.count + 1)
        listed = block.first + np.sort(rng.permutation(block.count)[:n_listed])
        if self.kind == "mixed" and rng.random() < 0.15:
            listed = block.first + rng.permutation(block.count)

        pps, ticks = divmod(self._now, TICKS_PER_SECOND)
        trigger = listed[0] if self.event_type == 11 else 0
        common: dict[str, Any] = {
            "event_type": self.event_type,
            "timeoffset": self._timeoffset(pps),
            "timestamp": (block.events, pps, ticks, TICKS_PER_SECOND - 1, trigger),
            "deadregion": (
                *divmod(block.dead_start, TICKS_PER_SECOND),
                *divmod(block.dead_stop, TICKS_PER_SECOND),
                *(TICKS_PER_SECOND - 1, block.first, block.count, 0, 0, 0),
            ),
        }
        block.events += 1

        if self.fsp:
            yield self._fsp_event(listed, written=kind != "header")
        if kind == "event":
            yield event(traces, **common)
        elif kind == "sparse":
            yield sparse_event(listed, traces[listed], **common)
        else:
            yield event_header(listed, traces[listed, :2], **common)

    def _move_dead_region(self, block: _Block, before: int) -> None:
        """Set the region that the next event reports (format 4.4).

        Most begin before that event. The others are still to come, so that they
        wait for a later event, and sometimes two become due at once. None lasts
        longer than 2 ms.
        """
        rng = self._rng
        if rng.random() < 0.75:
            earliest, latest = before, self._now
        else:
            earliest, latest = self._now, self._now + 3 * (self._now - before)
        start = int(rng.integers(earliest, latest + 1))
        if start > block.dead_stop:
            block.dead_start = start
            block.dead_stop = start + int(rng.integers(1, 500_000))

    def _timeoffset(self, pps: int) -> tuple[int, ...]:
        server = 1_700_000_000
        drift = pps % 7 - 3
        start_s, start_ticks = divmod(ENABLED_AT, TICKS_PER_SECOND)
        start_us = start_ticks // 250
        # A GPS clock need not agree with the server's.
        master = server + 1 if self.gps else server
        return (
            *(server, 600 + drift, master, drift, abs(drift)),
            *(start_s, start_us, 0, 0, 0),
        )

    def _fsp_event(self, listed: NDArray, *, written: bool) -> bytes:
        rng = self._rng
        return fsp_event(
            write_flags=fsp_write_flags(
                is_written=written,
                is_hwm_multiplicity=True,
                is_wps_sum=written,
                is_wps_prescaled=bool(self._sent % 2),
                is_ct_multiplicity=len(listed) > 2,
            ),
            hwm_hw_multiplicity=len(listed),
            hwm_sw_multiplicity=len(listed),
            hwm_max_value=int(rng.integers(100, 60_000)),
            wps_sum_value=rng.exponential(100),
            wps_max_peak_value=rng.exponential(10),
            ct_trace_idx=listed[:2],
            ct_max=rng.integers(2500, 60_000, len(listed[:2])),
            sub_event_start=(10,),
            sub_event_stop=(20,),
            sub_event_wps_max=(1.5,),
            hwm_prescaled_trace_idx=listed[2:],
        )

    def _status(self) -> Iterator[bytes]:
        pps, ticks = divmod(self._now, TICKS_PER_SECOND)
        offset = self._timeoffset(pps)
        if self.fsp:
            elapsed = (self._now - ENABLED_AT) / TICKS_PER_SECOND
            yield fsp_status(
                start_time=offset[0],
                log_time=offset[0] + elapsed,
                runtime=elapsed,
                n_read_events=self._sent,
                n_written_events=self._sent,
                avg_rate_read_events=self._sent / elapsed,
                avg_rate_write_events=self._sent / elapsed,
            )
        carry, server_us = divmod(offset[1] + ticks // 250, 1_000_000)
        reqids = (
            0,
            *(0x1000 + i for i in range(self.triggers)),
            *(0x2000 + i for i in range(self._adccards)),
        )
        yield status(
            [self._card(reqid, pps, ticks) for reqid in reqids],
            statustime=(
                *(pps, ticks // 250, offset[0] + pps + carry, server_us, 0),
                *(offset[5], offset[6], 0, 0, 0),
            ),
        )

    def _card(self, reqid: int, pps: int, ticks: int) -> StatusCard:
        temperatures, daughters = np.split(self._rng.integers(30_000, 42_000, 7), [5])
        voltages = 24_000, 5_000, 3_300, 2_500, 1_880, 1_190
        environment = [*temperatures, *voltages, 900, 165]
        if reqid < 0x2000:
            return StatusCard(
                *(reqid, 1, self._sent, pps, ticks),
                environment=environment,
                linkstates=(1,) * 12,
            )
        # Words past the counts hold junk (format 2.1).
        return StatusCard(
            *(reqid, 1, self._sent, pps, ticks),
            numenv=15,
            environment=[*environment, *daughters, 923],
            ctilinks=(0x72700000, 0x6F700000),
            linkstates=(1,) * 24,
        )


def make_stream(n_events: int = 50, **options: Any) -> bytes:
    """Make a whole stream; ``options`` are the parameters of `Stream`."""
    return assemble(Stream(n_events, **options).records())[0]


def make_indexed_stream(
    n_events: int = 50, **options: Any
) -> tuple[bytes, list[Record]]:
    """Make a stream as `make_stream` does, and tell where its records are."""
    return assemble(Stream(n_events, **options).records())


def write_stream(
    path: str | os.PathLike[str], n_events: int = 50, **options: Any
) -> list[Record]:
    """Write a stream to a file record by record, and tell where they are.

    Needs no more memory than the different events, so the file may be large: use
    ``repeat``.
    """

    def written() -> Iterator[bytes]:
        with open(path, "wb") as file:
            for part in chain([handshake()], Stream(n_events, **options).records()):
                file.write(part)
                yield part

    return _index(written())
