"""What guided fuzzing calls with bytes: each raises if something is not as it must be.

The inputs in ``corpus/TARGET`` go through the same functions in the tests.
"""

from __future__ import annotations

import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from daq2lh5._core.codecs.deflate import WaveformDeflater
from kit.writers import llama, orca

from daq2lh5.writing.codecs import codec_of

from . import mgdo_samples, round_trips, samples
from .conversion import decode, problems_of

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parent / "corpus"


@cache
def _folder() -> str:
    """Make a folder in memory that lives as long as the process."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    _folder.kept = tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory)
    return _folder.kept.name


def _check(
    data: bytes, suffix: str, stream: bytes | None = None, **options: Any
) -> None:
    path = os.path.join(_folder(), f"run{suffix}")
    with open(path, "wb") as file:
        file.write(data)
    problems = problems_of(decode(path, **options), data if stream is None else stream)
    assert problems == []


@cache
def orca_header(kinds: str | tuple[str, ...]) -> bytes:
    """Return a header packet with all ids."""
    made = orca.Run(kinds=kinds, n_events=1, n_channels=2, n_samples=8)
    plist = made.plist()
    plist["dataDescription"] = orca.data_description(orca.DATA_IDS)
    return orca.header_packet(plist)


def fcio(data: bytes) -> None:
    """Read a stream behind a sound handshake."""
    _check(samples.fcio.handshake() + data, ".fcio")


def flashcam(data: bytes) -> None:
    """Read packets behind a header of FlashCam cards."""
    _check(orca_header("flashcam") + data, ".orca")


def fcio_in_orca(data: bytes) -> None:
    """Read packets behind a header of FCIO listeners."""
    _check(orca_header("fcio") + data, ".orca")


def digitizers(data: bytes) -> None:
    """Read packets behind a header of VME cards."""
    _check(orca_header(orca.KINDS[2:]) + data, ".orca")


def compass(data: bytes) -> None:
    """Read records of the layout that the first byte says."""
    form = samples.compass.form(0xCAE0 + data[0] % 16 if data else 0xCAED)
    _check(form.word.to_bytes(2, "little") + data[1:], ".BIN", in_stream_type="Compass")


def llama_daq(data: bytes) -> None:
    """Read events behind the header of two channels."""
    channels = [llama.Channel(), llama.Channel(channel=4, avg_mode=0)]
    channels[1].avg_sample_length = 0
    _check(llama.header(channels) + data, ".bin", in_stream_type="LlamaDaq")


def llama_header(data: bytes) -> None:
    """Read a file of which only the mark is given."""
    _check(llama.MAGIC.to_bytes(4, "little") + data, ".bin")


def mgdo(data: bytes) -> None:
    """Read an entry between sound ones."""
    with mock.patch("daq2lh5.mgdo.tree.MGTree", mgdo_samples.MemoryTree):
        of = mgdo_samples.sample("short")
        first, last = (of.data[r.start : r.end] for r in of.records[:2])
        mgdo_samples.MemoryTree.baskets = ((first, data, last),)
        _check(mgdo_samples.STUB, ".root", first + data + last)


def any_format(data: bytes) -> None:
    """Read what may be any format, in any container: the bytes are not known."""
    path = os.path.join(_folder(), "run")
    with open(path, "wb") as file:
        file.write(data)
    assert problems_of(decode(path), None) == []


_deflaters = [WaveformDeflater(), WaveformDeflater(baseline=True)]


def deflate(data: bytes) -> None:
    """Compress elements of some size, and read them with zlib."""
    size = 1 << (data[0] & 3 if data else 0)
    chunk = data[1:]
    chunk = chunk[: len(chunk) // size * size]
    assert round_trips.problem_of(chunk, size, _deflaters) is None


_uleb128 = codec_of("uleb128_zigzag_diff")


def uleb128(data: bytes) -> None:
    """Encode a waveform, and read it number by number."""
    values = np.frombuffer(data[: len(data) // 2 * 2], np.uint16)
    if not len(values):
        return
    encoded = bytes(_uleb128.encode(values[None]).data)
    found, at, last = [], 0, 0
    while at < len(encoded):
        number = shift = 0
        while True:
            byte = encoded[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        last += (number >> 1) ^ -(number & 1)
        found.append(last)
    assert found == values.tolist()


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f
    for f in (
        *(fcio, flashcam, fcio_in_orca, digitizers, compass, llama_daq),
        *(llama_header, mgdo, any_format, deflate, uleb128),
    )
}


def seeds(name: str) -> list[bytes]:
    """Make a few small inputs from which a target starts."""
    if name == "mgdo":
        with mock.patch("daq2lh5.mgdo.tree.MGTree", mgdo_samples.MemoryTree):
            of = mgdo_samples.sample("short")
        return [of.data[r.start : r.end] for r in of.records[:2]]
    if name in ("deflate", "uleb128"):
        noise = np.random.default_rng(1).normal(1000, 3, 300).astype(np.uint16)
        return [b"\1" + noise.tobytes(), b"\0" + bytes(100)]
    options: dict[str, Any] = {"n_events": 2, "n_channels": 2, "n_samples": 8}
    if name == "fcio":
        made = (
            samples.fcio.make_stream(kind=kind, fsp=fsp, status_every=1, **options)
            for kind, fsp in (("event", False), ("sparse", True), ("header", True))
        )
        return [data[68:] for data in made]
    if name in ("flashcam", "fcio_in_orca", "digitizers"):
        kinds = {"flashcam": ["flashcam"], "fcio_in_orca": ["fcio"]}
        out = []
        for kind in kinds.get(name, orca.KINDS[2:]):
            data, index = orca.make_indexed_stream(kinds=kind, **options)
            out.append(data[index[0].length :])
        return out
    if name == "compass":
        forms = [samples.compass.form(word) for word in (0xCAED, 0xCAE5, 0xCAE3)]
        return [
            bytes([f.word & 15])
            + samples.compass.file(f, samples.compass.events(f, 5, n_samples=6))[2:]
            for f in forms
        ]
    if name.startswith("llama"):
        data, places = llama.make_file(n_events=3)
        return [data[places[0].offset :] if name == "llama_daq" else data[4:]]
    return [samples.fcio.make_stream(**options), llama.make_file(n_events=2)[0]]


def quiet() -> None:
    """Keep the log off the terminal."""
    logging.disable(logging.CRITICAL)
