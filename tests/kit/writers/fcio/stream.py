"""Whole runs as a FlashCam system sends them (FCIO format)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.writers.fcio.framing import Record, assemble, handshake, locate
from kit.writers.fcio.records import (
    StatusCard,
    config,
    event,
    event_header,
    sparse_event,
    status,
    with_headers,
)
from kit.writers.fcio.software_trigger import (
    fsp_config,
    fsp_event,
    fsp_status,
    fsp_write_flags,
    labels,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


TICKS_PER_SECOND = 250_000_000
"""The clock counts 4 ns whatever the sampling rate is (format 2.1)."""

ENABLED_AT = 345_000_000
"""When the runs of `Stream` start to take triggers, in ticks of the clock."""


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

    return locate(written())
