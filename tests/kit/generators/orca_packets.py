"""Packets and files of one FlashCam listener or stream, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from kit.writers import fcio
from kit.writers import orca as writer

# --- one FlashCam listener of the first generation ----------------------------------

ADDRESS = 0x120
MAP = tuple(ADDRESS << 16 | i for i in range(6))
FLASHCAM_HEADER: dict[str, Any] = {
    "crates": [
        writer.crate(
            0, [writer.flashcam_adc(1, ADDRESS), writer.flashcam_adc(3, 0x130)]
        ),
        writer.crate(2, [writer.flashcam_adc(4, 0x3A0, std=True)]),
    ],
    "aux_hw": [writer.listener(1, samples=8), writer.listener(2, samples=8)],
    "readouts": [writer.readout(1, [(0, 1), (0, 3)]), writer.readout(2, [(2, 4)])],
}


def waveform(samples: Any = range(8), **options: Any) -> bytes:
    place = {"crate": 0, "slot": 1, "address": ADDRESS}
    return writer.flashcam_waveform(samples, **(place | options))


def flashcam_file(*packets: bytes, **options: Any) -> bytes:
    start = writer.header_packet(writer.header(**(FLASHCAM_HEADER | options)))
    return b"".join((start, writer.run(), *packets, writer.run(0)))


# --- FCIO records by hand -----------------------------------------------------------

FCIO_HEADER: dict[str, Any] = {
    "crates": [
        writer.crate(0, [writer.flashcam_adc(1, 0x110)]),
        writer.crate(1, [writer.flashcam_adc(1, 0x210)]),
    ],
    "aux_hw": [writer.listener(1, samples=4), writer.listener(2, samples=4)],
    "readouts": [writer.readout(1, [(0, 1)]), writer.readout(2, [(1, 1)])],
}
ONE_STREAM = {"readouts": [writer.readout(1, [(0, 1)])]}
FCIO_MAP = (0x1100000, 0x1100001)


def fcio_config(**options: Any) -> bytes:
    settings: dict[str, Any] = {
        "adcs": 2,
        "eventsamples": 4,
        "tracemap": FCIO_MAP,
        "streamid": 0x10001,
    }
    return fcio.config(**(settings | options))


def config_packet(config: bytes | None = None, **options: Any) -> bytes:
    record = fcio_config() if config is None else config
    return writer.fcio_packet(fcio.handshake(), record, **options)


def fcio_file(*packets: bytes, **options: Any) -> bytes:
    plist = writer.header(
        **(FCIO_HEADER | {"decoders": writer.SECOND_GENERATION} | options)
    )
    return b"".join((writer.header_packet(plist), writer.run(), *packets))


def traces(n: int = 2, n_samples: int = 4, first: int = 0) -> np.ndarray:
    samples = first + np.arange(n * n_samples).reshape(n, n_samples)
    return fcio.with_headers(samples, 10 + first, 20 + first)


def event_packet(first: int = 0, n: int = 2, n_samples: int = 4, **options) -> bytes:
    return writer.fcio_packet(fcio.event(traces(n, n_samples, first)), **options)


OTHER_STREAM = fcio_config(
    adcs=1, eventsamples=2, tracemap=(0x2100005,), streamid=0x10002, adcbits=12
)
SHORTER = fcio_config(adcs=1, eventsamples=2, tracemap=(0x1100004,))
