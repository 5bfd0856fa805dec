"""Whole runs of any hardware (ORCA format)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.writers import fcio
from kit.writers.orca.caen import CaenEvent, caen, caen_usb
from kit.writers.orca.data_ids import DATA_IDS, FIRST_GENERATION
from kit.writers.orca.fcio_inside import fcio_packets
from kit.writers.orca.flashcam import (
    flashcam_config,
    flashcam_status,
    flashcam_waveform,
)
from kit.writers.orca.framing import Packet, assemble, locate
from kit.writers.orca.gretina import (
    Gretina4AEvent,
    Gretina4MEvent,
    gretina4a,
    gretina4m,
)
from kit.writers.orca.headers import (
    Plist,
    crate,
    flashcam_adc,
    flashcam_trigger,
    gretina4a_card,
    gretina4m_card,
    header,
    header_packet,
    listener,
    readout,
    sis3302_card,
    sis3316_card,
    vme_card,
)
from kit.writers.orca.run_records import heartbeat, run
from kit.writers.orca.slow_control import simple_records, unknown
from kit.writers.orca.struck import (
    SIS3305Event,
    SIS3316Event,
    SIS3320Event,
    sis3302,
    sis3305,
    sis3316,
    sis3320,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray


KINDS = (
    *("flashcam", "fcio", "sis3302", "sis3316", "gretina4m", "gretina4a"),
    *("sis3305", "sis3320", "caen", "slow", "unknown"),
)
"""What a `Run` may hold."""

VME_CRATE = 8
"""Crate of all VME cards of a `Run`: an even number survives any writer."""

_CARDS_PER_CRATE = 12


def pulses(
    rng: np.random.Generator, n: int, n_samples: int, bits: int = 16
) -> NDArray[Any]:
    """Make waveforms like those of germanium detectors, with ``bits`` bits."""
    top = 2**bits - 1
    level = 0.25 * top
    sample = np.arange(n_samples, dtype="f8")
    start = n_samples * rng.uniform(0.48, 0.52, (n, 1))
    height = rng.exponential(0.05 * top, (n, 1))
    since = sample - start
    rise = np.clip(since / max(n_samples / 60, 1), 0, 1)
    values = level + height * rise * np.exp(-np.maximum(since, 0) / (3 * n_samples))
    values += rng.normal(0, max(top / 16_000, 0.8), values.shape)
    return np.clip(np.rint(values), 0, top).astype("<u2")


@dataclass
class Run:
    """A run: header, start record, configurations, events, stop record.

    Parameters
    ----------
    kinds
        one or some of `KINDS`; events of several are in random order.
    n_events
        number of different events of each kind.
    repeat
        how often to write the events. They come again byte by byte, so that long
        files are made at little cost.
    n_channels
        channels of each FlashCam listener, and of each VME card where it may have
        any number.
    n_samples
        samples of a trace where they may be any number (as a rule even).
    listeners
        FlashCam listeners, for each of the two generations. Every second one has
        cards of 12 bits.
    flashcam_options
        more parameters of `flashcam_waveform`, such as ``high_address``.
    fcio_options
        more parameters of `fcio.Stream`, such as ``kind`` or ``fsp``.
    second_config
        halfway all FCIO streams get another configuration, with half the samples.
    subruns
        how many further sub-runs there are: between them stand an end record, a
        header and a start record (format 1.2 and 4.2).
    heartbeat_every
        number of events after which a heartbeat is written; 0 for the first only.
    seed
        of the random numbers: the same arguments give the same bytes.
    """

    kinds: str | Sequence[str] = ("flashcam",)
    n_events: int = 20
    repeat: int = 1
    n_channels: int = 6
    n_samples: int = 200
    listeners: int = 1
    flashcam_options: Mapping[str, Any] = field(default_factory=dict)
    fcio_options: Mapping[str, Any] = field(default_factory=dict)
    second_config: bool = False
    subruns: int = 0
    heartbeat_every: int = 0
    run_number: int = 1280
    start_time: int = 1_700_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        self._kinds = (self.kinds,) if isinstance(self.kinds, str) else (*self.kinds,)
        unknown_kinds = {*self._kinds} - {*KINDS}
        if unknown_kinds:
            msg = f"no such kinds of event: {sorted(unknown_kinds)}"
            raise ValueError(msg)
        generations = [kind for kind in ("flashcam", "fcio") if kind in self._kinds]
        self._listeners = [
            _Listener(number, kind, 12 if number % 2 == 0 else 16, self.n_channels)
            for number, kind in enumerate(
                (kind for kind in generations for _ in range(self.listeners)), 1
            )
        ]
        first_crate = 0
        for each in self._listeners:
            each.first_crate = first_crate
            first_crate += -(-each.n_cards // _CARDS_PER_CRATE)

    def plist(self, subrun: int = 0) -> Plist:
        """Make the property list of the header."""
        crates = [of for each in self._listeners for of in each.crates()]
        crates.append(crate(VME_CRATE, self._vme_cards()))
        # The order of the list is not that of the numbers (format 2).
        crates.insert(0, crates.pop(len(crates) // 2))
        fsp = bool(self.fcio_options.get("fsp"))
        return header(
            crates=crates,
            aux_hw=[
                listener(
                    each.number,
                    samples=self.n_samples,
                    fsp=fsp if each.kind == "fcio" else None,
                )
                for each in self._listeners
            ]
            + [{"MJDPreAmp": {"Class Name": "ORMJDPreAmpModel", "uniqueID": 2}}],
            readouts=[
                readout(each.number, each.children()) for each in self._listeners
            ],
            decoders=FIRST_GENERATION if "fcio" not in self._kinds else DATA_IDS,
            run_number=self.run_number,
            subrun_number=subrun,
            start_time=self.start_time,
            objects={
                "USB": [
                    {
                        f"DT57{model} 1": {
                            "Class Name": f"ORDT57{model}Model",
                            "enabledMask": 2**channels - 1,
                            "eventSize": 10,
                            "packEnabled": False,
                        }
                    }
                    for model, channels in (("25", 8), ("20", 4))
                ]
            },
        )

    def _vme_cards(self) -> list[Plist]:
        n = min(self.n_channels, 8)
        mask = 2**n - 1
        per_channel = [i < n for i in range(10)]
        return [
            sis3302_card(
                4, internal_mask=mask, sample_lengths=(self.n_samples,) * 4, wrap_mask=2
            ),
            sis3316_card(
                5, enabled_mask=mask, samples=self.n_samples, maw_lengths=(0, 8, 0, 8)
            ),
            vme_card(
                "ORSIS3305Model",
                6,
                eventSavingMode0=4,
                eventSavingMode1=1,
                sampleLengths=[self.n_samples] * 8,
            ),
            vme_card("ORSIS3320Model", 7, onlineMask=mask, clockSource=0),
            gretina4m_card(8, enabled=per_channel, down_sample=1),
            gretina4a_card(9, enabled=per_channel, samples=self.n_samples),
            *(
                vme_card(f"OR{model}Model", 10 + i)
                for i, model in enumerate(("CV1730", "Caen1724", "Caen1720", "CV1721"))
            ),
        ]

    def packets(self) -> Iterator[bytes]:
        """Make the packets of the run, header and all."""
        rng = np.random.default_rng(self.seed)
        time = self.start_time
        yield header_packet(self.plist())
        yield run(0x21, number=self.run_number, time=time)
        yield heartbeat(time)
        sources = [
            source for kind in self._kinds for source in self._sources(kind, rng)
        ]
        # A configuration goes before any event.
        for configuration, _ in sources:
            yield from configuration
        queues = [events for _, events in sources]
        order = np.repeat(np.arange(len(queues)), [len(queue) for queue in queues])
        rng.shuffle(order)
        n_written = 0
        parts = np.array_split(np.tile(order, self.repeat), self.subruns + 1)
        positions = [0] * len(queues)
        for subrun, part in enumerate(parts):
            if subrun:
                yield run(0x10, number=self.run_number, time=time, subrun=subrun - 1)
                yield header_packet(self.plist(subrun))
                yield run(0x20, number=self.run_number, time=time, subrun=subrun)
            for i in part:
                yield queues[i][positions[i] % len(queues[i])]
                positions[i] += 1
                n_written += 1
                if self.heartbeat_every and n_written % self.heartbeat_every == 0:
                    time += 30
                    yield heartbeat(time)
        yield run(0x00, number=self.run_number, time=time + 1, subrun=self.subruns)

    def _sources(
        self, kind: str, rng: np.random.Generator
    ) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Make what comes before the events, and the events, by source of them."""
        if kind in ("flashcam", "fcio"):
            for each in self._listeners:
                if each.kind == kind:
                    make = self._flashcam if kind == "flashcam" else self._fcio
                    yield make(each, rng)
        elif kind == "slow":
            yield [], simple_records()
        elif kind == "unknown":
            some = [unknown(), unknown(short=True), unknown(7, extended=True)]
            yield [], some * self.n_events
        else:
            make_events = getattr(self, f"_{kind}")
            yield [], [*make_events(rng)]

    def _flashcam(
        self, source: _Listener, rng: np.random.Generator
    ) -> tuple[list[bytes], list[bytes]]:
        words = source.trace_map()
        boards = [(i + 160, 0x1122334455667700 + i) for i in range(source.n_cards)]
        configuration = flashcam_config(
            words,
            fcid=source.number,
            streamid=1 << 16 | source.number,
            nsamples=self.n_samples,
            adcbits=source.bits,
            adccards=source.n_cards,
            gps=source.number - 1,
            # The old form for the first listener.
            boards=boards if source.number > 1 else None,
        )
        status = flashcam_status(
            [
                fcio.StatusCard(),
                *(fcio.StatusCard(reqid=0x2000 + i) for i in range(source.n_cards)),
            ],
            fcid=source.number,
            link_states=range(source.n_cards + 1),
        )
        n = self.n_events * source.n_channels
        shapes = pulses(rng, n, self.n_samples, source.bits)
        places = source.places()
        decoder = (
            "ORFlashCamWaveformDecoder"
            if source.bits == 12
            else "ORFlashCamADCWaveformDecoder"
        )
        events = []
        ticks = 100_000_000
        for i in range(self.n_events):
            ticks += int(rng.integers(1, 100_000_000))
            for channel, (of_crate, slot, address, fc_input) in enumerate(places):
                shape = shapes[i * source.n_channels + channel]
                options: dict[str, Any] = {
                    "timestamp": (i, *divmod(ticks, 250_000_000), 249_999_999),
                    "baseline": int(shape[0]) if self.n_samples else 0,
                    "energy": int(rng.integers(2**16)),
                    "wide_input": source.bits == 12,
                    "high_address": source.number > 1,
                    "data_id": DATA_IDS[decoder],
                    **self.flashcam_options,
                }
                events.append(
                    flashcam_waveform(
                        shape,
                        crate=of_crate,
                        slot=slot,
                        address=address,
                        fc_input=fc_input,
                        channel=channel,
                        **options,
                    )
                )
        return [configuration, status], events

    def _fcio(
        self, source: _Listener, rng: np.random.Generator
    ) -> tuple[list[bytes], list[bytes]]:
        streamid = 1 << 16 | source.number
        options: dict[str, Any] = {
            "n_channels": source.n_channels,
            "n_samples": self.n_samples,
            "adcbits": source.bits,
            "streamid": streamid,
            "seed": int(rng.integers(2**31)),
            **self.fcio_options,
        }
        if not options.get("triggers"):
            options["tracemap"] = source.trace_map()
        n = self.n_events
        if self.second_config:
            n -= n // 2
        stream = fcio.Stream(n, **options)
        first, *events = fcio_packets(stream.records(), streamid=streamid)
        if self.second_config:
            options["n_samples"] = self.n_samples // 2
            stream = fcio.Stream(self.n_events // 2, **options)
            events += fcio_packets(stream.records(), streamid=streamid)
        return [first], events

    def _sis3302(self, rng: np.random.Generator) -> Iterator[bytes]:
        n = min(self.n_channels, 8)
        for i, shape in enumerate(pulses(rng, self.n_events, self.n_samples)):
            channel = i % n
            ring = (self.n_samples, int(rng.integers(self.n_samples)))
            yield sis3302(
                shape,
                crate=VME_CRATE,
                channel=channel,
                timestamp=int(rng.integers(2**48)),
                energy=int(rng.integers(2**32)),
                energy_first=int(rng.integers(2**32)),
                energy_trace=rng.integers(0, 2**32, i % 3),
                wrap=ring if channel == 1 else None,
            )

    def _sis3316(self, rng: np.random.Generator) -> Iterator[bytes]:
        n = min(self.n_channels, 8)
        for i in range(self.n_events):
            channel = i % n
            shapes = pulses(rng, 1 + i % 4, self.n_samples, 14)
            yield sis3316(
                [
                    SIS3316Event(
                        shape,
                        timestamp=int(rng.integers(2**48)),
                        format_bits=i % 16,
                        channel_id=channel,
                        peak_high_value=int(rng.integers(2**16)),
                        peak_high_index=int(rng.integers(2**16)),
                        information=int(rng.integers(2**8)),
                        acc_sums=[
                            int(rng.integers(2**24)),
                            *rng.integers(0, 2**28, 7).tolist(),
                        ],
                        maw_max=int(rng.integers(2**28)),
                        max_energy=int(rng.integers(2**32)),
                        # Channels 4 to 7 have 8 words of MAW data.
                        maw_test=channel > 3,
                        maw_data=range(8) if channel > 3 else (),
                    )
                    for shape in shapes
                ],
                crate=VME_CRATE,
                channel=channel,
            )

    def _gretina4m(self, rng: np.random.Generator) -> Iterator[bytes]:
        for i, shape in enumerate(pulses(rng, self.n_events, 2018, 13)):
            event = Gretina4MEvent(
                shape.astype("i2") - 4096,
                channel=i % min(self.n_channels, 8),
                timestamp=int(rng.integers(2**48)),
                energy=int(rng.integers(-(2**24) + 1, 2**24)),
                firmware=rng.integers(0, 2**32, 10),
            )
            yield gretina4m([event], crate=VME_CRATE, fifo_state=i % 4)

    def _gretina4a(self, rng: np.random.Generator) -> Iterator[bytes]:
        n_samples = self.n_samples + self.n_samples % 2
        for i, shape in enumerate(pulses(rng, self.n_events, n_samples, 14)):
            event = Gretina4AEvent(
                shape,
                channel=i % min(self.n_channels, 8),
                timestamp=int(rng.integers(2**48)),
                prev_timestamp=int(rng.integers(2**48)),
                pre_rise_sum=int(rng.integers(2**24)),
                post_rise_sum=int(rng.integers(2**24)),
                sample_flags=rng.integers(0, 4, n_samples),
            )
            yield gretina4a([event], crate=VME_CRATE, rest=(0xAAAAAAAA,) * (i % 2))

    def _sis3305(self, rng: np.random.Generator) -> Iterator[bytes]:
        n_samples = -(-self.n_samples // 48) * 48
        for i in range(self.n_events):
            saving_mode, rate = ((4, 0), (1, 1), (0, 2))[i % 3]
            shapes = pulses(rng, 1 + i % 2, n_samples, 10)
            yield sis3305(
                [
                    SIS3305Event(
                        shape, timestamp=int(rng.integers(2**48)), event_id=k % 4
                    )
                    for k, shape in enumerate(shapes)
                ],
                crate=VME_CRATE,
                group=i % 2,
                rate=rate,
                saving_mode=saving_mode,
                padding=i % 3,
            )

    def _sis3320(self, rng: np.random.Generator) -> Iterator[bytes]:
        for i, shape in enumerate(pulses(rng, self.n_events, self.n_samples, 12)):
            event = SIS3320Event(
                shape,
                timestamp=int(rng.integers(2**48)),
                gates=[
                    *rng.integers(0, 2**20, 4).tolist(),
                    *rng.integers(0, 2**16, 4).tolist(),
                ],
            )
            empty = [SIS3320Event()] if i % 4 == 3 else []
            channel = i % min(self.n_channels, 8)
            yield sis3320([event, *empty], crate=VME_CRATE, channel=channel)

    def _caen(self, rng: np.random.Generator) -> Iterator[bytes]:
        n_samples = -(-self.n_samples // 20) * 20
        models = (
            ("ORCV1730WaveformDecoder", 16, 14),
            ("ORCaen1724WaveformDecoder", 8, 14),
            ("ORCaen1720WaveformDecoder", 8, 12),
            ("ORCV1721WaveformDecoder", 8, 8),
            ("ORDT5725Decoder", 8, 14),
            ("ORDT5720Decoder", 4, 12),
        )
        for i in range(self.n_events):
            decoder, n_channels, bits = models[i % len(models)]
            chosen = np.flatnonzero(rng.random(n_channels) < 0.5)
            shapes = pulses(rng, len(chosen), n_samples, bits)
            event = CaenEvent(
                dict(zip(chosen.tolist(), shapes, strict=True)),
                eventnumber=i,
                time_tag=int(rng.integers(2**32)),
            )
            if decoder.startswith("ORDT"):
                packed = decoder == "ORDT5720Decoder" and i % 4 == 1
                yield caen_usb(decoder, event, packed=packed)
            else:
                yield caen(
                    decoder,
                    [event] * (1 + i % 2),
                    crate=VME_CRATE,
                    card=10 + i % len(models),
                    padding=i % 3,
                )


@dataclass
class _Listener:
    """A FlashCam listener of a `Run` and its cards, twelve in a crate."""

    number: int
    kind: str
    bits: int
    n_channels: int
    first_crate: int = 0

    def __post_init__(self) -> None:
        self.per_card = 24 if self.bits == 12 else 6
        self.n_cards = -(-self.n_channels // self.per_card)

    def _card(self, i: int) -> tuple[int, int, int]:
        of_crate, slot = divmod(i, _CARDS_PER_CRATE)
        of_crate += self.first_crate
        return of_crate, slot, (of_crate + 1) << 8 | (slot + 1) << 4

    def places(self) -> list[tuple[int, int, int, int]]:
        """List crate, slot, card address and input of each trace."""
        return [
            (*self._card(i // self.per_card), i % self.per_card)
            for i in range(self.n_channels)
        ]

    def trace_map(self) -> list[int]:
        return [address << 16 | fc_input for *_, address, fc_input in self.places()]

    def children(self) -> list[tuple[int, int]]:
        return [self._card(i)[:2] for i in range(self.n_cards)]

    def crates(self) -> list[Plist]:
        cards: dict[int, list[Plist]] = {}
        for i in range(self.n_cards):
            of_crate, slot, address = self._card(i)
            used = min(self.n_channels - i * self.per_card, self.per_card)
            cards.setdefault(of_crate, []).append(
                flashcam_adc(
                    slot,
                    address,
                    enabled=[k < used for k in range(self.per_card)],
                    std=self.bits == 12,
                )
            )
        return [
            crate(
                number,
                [*of_crate, flashcam_trigger(13, 0x4F0 + number)],
                "ORFlashCamCrateModel",
            )
            for number, of_crate in cards.items()
        ]


def make_stream(**options: Any) -> bytes:
    """Make a whole file; ``options`` are the parameters of `Run`."""
    return b"".join(Run(**options).packets())


def make_indexed_stream(**options: Any) -> tuple[bytes, list[Packet]]:
    """Make a file as `make_stream` does, and tell where its packets are."""
    return assemble(Run(**options).packets())


def write_stream(path: str | os.PathLike[str], **options: Any) -> list[Packet]:
    """Write a file packet by packet, and tell where they are.

    Needs no more memory than the different events, so the file may be large: use
    ``repeat``.
    """

    def written() -> Iterator[bytes]:
        with open(path, "wb") as file:
            for part in Run(**options).packets():
                file.write(part)
                yield part

    return locate(written())
