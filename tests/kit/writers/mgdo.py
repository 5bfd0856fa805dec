"""Writer of tree entries (``MGTEvent``), from the MGDO format.

It shares nothing with the decoder. :func:`container` puts entries into a file that
only the tests know: nothing but ROOT writes such trees.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DOUBLE, SHORT, DIFFERENCES, UNSIGNED = 1, 2, 3, 4
"""Encodings of samples (format 4.2)."""

FORMATS = {0: ">f8", DOUBLE: ">f8", SHORT: ">i2", UNSIGNED: ">u2"}


def differences(samples: Any) -> bytes:
    """Encode samples as differences (format 4.2)."""
    out = bytearray()
    last = 0
    for sample in map(int, samples):
        d = (sample - last + 2**31) % 2**32 - 2**31
        z = ((d << 1) ^ (d >> 31)) & 0xFFFFFFFF
        while z > 127:
            out.append(z & 127 | 128)
            z >>= 7
        out.append(z)
        last = sample
    return bytes(out)


def counted(content: bytes) -> bytes:
    """Put a byte count in front."""
    return struct.pack(">I", 0x40000000 | len(content)) + content


def versioned(version: int, content: bytes) -> bytes:
    """Put byte count and version in front (VH in format 3)."""
    return counted(struct.pack(">H", version) + content)


def root_string(text: str) -> bytes:
    data = text.encode()
    if len(data) < 255:
        return bytes([len(data)]) + data
    return b"\xff" + struct.pack(">I", len(data)) + data


def root_object(bits: int = 0x03000000, process_id: int | None = None) -> bytes:
    """Write a TObject."""
    data = struct.pack(">HII", 1, 0, bits | (0x10 if process_id is not None else 0))
    return data + (b"" if process_id is None else struct.pack(">H", process_id))


def data_object(bits: int = 0x03000000) -> bytes:
    """Write an MGTDataObject."""
    return versioned(2, versioned(1, root_object(bits) + b"\0\0"))


@dataclass
class Wave:
    """A waveform (format 4.2)."""

    samples: Any
    channel: int = 0
    frequency: float = 0.1
    t0: float = 0.0
    kind: int = 3
    encoding: int = DIFFERENCES
    version: int = 5
    n: int | None = None
    encoded: bytes | None = None
    """Bytes of the samples, if not those that they have."""

    def pack(self) -> bytes:
        encoded = self.encoded
        if encoded is None and self.encoding == DIFFERENCES:
            encoded = differences(self.samples)
        elif encoded is None:
            encoded = np.asarray(self.samples).astype(FORMATS[self.encoding]).tobytes()
        n = len(self.samples) if self.n is None else self.n
        head = struct.pack(
            ">ddiQi", self.frequency, self.t0, self.kind, n, self.encoding
        )
        tail = struct.pack(">i", self.channel)
        return versioned(self.version, data_object() + head + encoded + tail)


@dataclass
class Digitizer:
    """Digitizer data of GERDA (format 4.3)."""

    channel: int = 0
    energy: float = 0.0
    timestamp: int = 0
    index: int = 0
    clock: float = 0.025
    number: int = 0
    pretrigger: int = 1000
    trigger: int = 1
    nanoseconds: int = 0
    vetoed: bool = False
    veto_sample: int = 0
    inverted: bool = True
    tag: int = 0
    version: int = 1

    def pack(self) -> bytes:
        common = struct.pack(
            ">dQIQ", self.energy, self.timestamp, self.channel, self.index
        )
        own = struct.pack(
            ">diQQI?I?i",
            *(self.clock, self.number, self.pretrigger, self.trigger),
            *(self.nanoseconds, self.vetoed, self.veto_sample, self.inverted),
            self.tag,
        )
        base = versioned(2, versioned(1, data_object() + common) + own)
        return versioned(self.version, base)


def array(
    name: str,
    what: str,
    objects: list[Any],
    *,
    bits: int = 0x03000000,
    version: int = 2,
    count: int | None = None,
) -> bytes:
    """Write an MGTClonesArray (format 3); None is an empty slot."""
    count = len(objects) if count is None else count
    content = root_object(bits) + root_string(name) + root_string(what)
    content += struct.pack(">ii", count, 0)
    content += b"".join(b"\0" if o is None else b"\1" + o.pack() for o in objects)
    return versioned(version, versioned(4, content) + b"\1")


def pointer(content: bytes | None, class_name: str | int) -> bytes:
    """Write a pointer (format 3), to a new class by name or to one seen before."""
    if content is None:
        return bytes(4)
    if isinstance(class_name, int):
        return counted(struct.pack(">I", class_name) + content)
    return counted(b"\xff\xff\xff\xff" + class_name.encode() + b"\0" + content)


@dataclass
class Entry:
    """An entry of the tree (format 4.1)."""

    waves: list[Wave | None] | None
    digitizers: list[Digitizer | None] | None
    aux: list[Wave | None] | None = None
    use_aux: bool | None = None
    event_type: int = 0
    total: float = 0.0
    time: float = 0.0
    active: list[bool] = field(default_factory=lambda: [False] * 24)
    number: int = 0
    version: int = 9
    digitizer_class: str = "GETGERDADigitizerData;1"
    wave_class: str = "MGTWaveform;5"
    reference: int = 0x8000008C
    """What stands for the class of the arrays after the first."""
    array_options: dict[str, Any] = field(default_factory=dict)

    def pack(self) -> bytes:
        use_aux = self.aux is not None if self.use_aux is None else self.use_aux
        named: list[bool] = []

        def clones(name: str, what: str, objects: list | None, **options: Any) -> bytes:
            if objects is None:
                return pointer(None, 0)
            content = array(name, what, objects, **options)
            named.append(True)
            new = len(named) == 1
            return pointer(content, "MGTClonesArray" if new else self.reference)

        name = self.digitizer_class.partition(";")[0] + "s"
        active = struct.pack(">I", len(self.active)) + bytes(map(bool, self.active))
        content = data_object() + struct.pack(
            ">idd", self.event_type, self.total, self.time
        )
        content += clones(
            "MGTWaveforms", self.wave_class, self.waves, **self.array_options
        )
        content += clones(name, self.digitizer_class, self.digitizers)
        content += pointer(active, "vector<bool>")
        content += bytes([use_aux])
        content += clones("MGTWaveforms", self.wave_class, self.aux)
        content += struct.pack(">i", self.number)
        return b"\x08MGTEvent\0" + versioned(self.version, content)


def random_entry(
    rng: np.random.Generator,
    channels: list[int],
    lengths: tuple[int, ...] = (40, 25),
    encoding: int = DIFFERENCES,
) -> Entry:
    """Make an entry with values of its own in all fields; one length: no aux."""

    def wave(channel: int, n: int, frequency: float) -> Wave:
        walk = np.cumsum(rng.integers(-200, 201, size=n)) + 20000
        t0 = float(rng.integers(100000))
        return Wave(walk, channel, frequency, t0, encoding=encoding)

    digitizers = [
        Digitizer(
            channel,
            energy=float(rng.random()),
            timestamp=int(rng.integers(1 << 62)),
            index=int(rng.integers(1 << 62)),
            clock=float(rng.random()),
            number=int(rng.integers(1 << 31)),
            pretrigger=int(rng.integers(1 << 62)),
            trigger=int(rng.integers(1 << 62)),
            nanoseconds=int(rng.integers(1 << 32)),
            vetoed=bool(rng.integers(2)),
            veto_sample=int(rng.integers(1 << 32)),
            inverted=bool(rng.integers(2)),
            tag=int(rng.integers(5)),
        )
        for channel in channels
    ]
    return Entry(
        [wave(c, lengths[0], 0.025) for c in channels],
        digitizers,
        [wave(c, lengths[1], 0.1) for c in channels] if len(lengths) > 1 else None,
        event_type=int(rng.integers(5)),
        total=float(rng.random()),
        time=float(rng.random()),
        active=[i in channels for i in range(24)],
        reference=int(rng.integers(1 << 31)) | 0x80000000,
    )


def row(entry: Entry, i: int, number: int) -> dict[str, Any]:
    """Return the row that the objects of index `i` give (format 8)."""
    d = entry.digitizers[i]
    out = {
        "packet_id": number + 1,
        "channel": d.channel,
        "eventnumber": d.number,
        "event_type": entry.event_type,
        "numtraces": len(entry.waves),
        "timestamp": entry.time,
        "ts_sec": d.timestamp,
        "ts_nsec": d.nanoseconds,
        "daqenergy": d.energy,
        "energy_total": entry.total,
        "index": d.index,
        "clock_frequency": d.clock,
        "pretrigger": d.pretrigger,
        "trigger_number": d.trigger,
        "is_mu_vetoed": d.vetoed,
        "mu_veto_sample": d.veto_sample,
        "is_inverted": d.inverted,
        "waveform_tag": d.tag,
    }
    names = {"waveform": entry.waves[i]}
    if entry.aux is not None:
        names = {
            "waveform_presummed": entry.waves[i],
            "waveform_windowed": entry.aux[i],
        }
    for name, w in names.items():
        if w is not None:
            out[f"{name}/values"] = np.asarray(w.samples)
            out[f"{name}/t0"] = np.float32(w.t0)
            out[f"{name}/dt"] = 1 / w.frequency
    return out


def container(baskets: list[list[bytes]]) -> bytes:
    """Write baskets of entries for the tests' own reader."""
    out = b"root" + struct.pack(">I", len(baskets))
    for entries in baskets:
        out += struct.pack(">I", len(entries))
        out += struct.pack(f">{len(entries)}I", *map(len, entries)) + b"".join(entries)
    return out
