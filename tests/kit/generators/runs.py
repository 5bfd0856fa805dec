"""Runs of germanium detectors with known pulses, and the ways to convert them.

What the chain of tools behind the converter makes of them is known beforehand:
amplitudes, times, and which channels fire together.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

import daq2lh5
from kit.writers import fcio

if TYPE_CHECKING:
    from pathlib import Path

KEYS = tuple(range(1027200, 1027204))
N_EVENTS = 30
SAMPLES = 2000
PERIOD = 16
"""Sampling period in nanoseconds."""

BASELINE = 3000
START = 900
RISE = 12
"""Sample at which pulses start, and number of samples of the rise."""

TAU = 80.0
"""Decay time of pulses in microseconds."""

WINDOW = (700, 1200)
SUMMED = 8

KINDS = ("default", "channelwise", "production")


def amplitudes(seed: int, n_events: int = N_EVENTS) -> np.ndarray:
    """Return the amplitude of each event's pulse in each channel."""
    rng = np.random.default_rng(seed)
    return rng.integers(500, 20_000, (n_events, len(KEYS)))


def traces(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw pulses: a linear rise, then an exponential decay, and some noise."""
    after = np.arange(SAMPLES) - START
    shape = np.clip(after / RISE, 0, 1)
    late = np.maximum(after - RISE, 0)
    shape *= np.exp(-late * PERIOD / (TAU * 1000))
    noise = rng.normal(0, 2, (len(heights), SAMPLES))
    return (BASELINE + heights[:, None] * shape + noise).round().astype("u2")


def write_run(path: Path, seed: int) -> Path:
    """Write a run as FCIO: an event a second, some of them of half of the channels."""
    rng = np.random.default_rng(seed)
    records = [
        fcio.config(
            adcs=len(KEYS),
            eventsamples=SAMPLES,
            tracemap=[0x1100000 | i for i in range(len(KEYS))],
        )
    ]
    for i, heights in enumerate(amplitudes(seed)):
        words = fcio.with_headers(traces(heights, rng), BASELINE, 100)
        stamp = {"timestamp": (i, i, 1000 * i, 249_999_999, 0)}
        if is_sparse(i):
            half = len(KEYS) // 2
            records.append(fcio.sparse_event(range(half), words[:half], **stamp))
        else:
            records.append(fcio.event(words, **stamp))
    data, _ = fcio.assemble(records)
    path.write_bytes(data)
    return path


def is_sparse(event: int) -> bool:
    """Whether only the first half of the channels fires in an event."""
    return event % 3 == 2


def fired(channel: int) -> list[int]:
    """Return the events in which a channel has a pulse."""
    return [i for i in range(N_EVENTS) if channel < len(KEYS) // 2 or not is_sparse(i)]


PROC_SPEC: dict[str, Any] = {
    "window": ["waveform", *WINDOW, "waveform_windowed"],
    "dsp_config": {
        "outputs": ["presum_rate", "waveform_presummed"],
        "processors": {
            "presum_rate, waveform_presummed": {
                "module": "dspeed.processors",
                "function": "presum",
                "args": [
                    *("waveform", 0, "presum_rate"),
                    (
                        f"waveform_presummed(shape=len(waveform)//{SUMMED}, "
                        f"period=waveform.period*{SUMMED}, offset=waveform.offset)"
                    ),
                ],
                "unit": "ADC",
            }
        },
    },
    "dtype_conv": {"waveform_presummed/values": "uint32", "presum_rate": "uint16"},
    "drop": ["waveform"],
    "compression": {
        "waveform_windowed/values": "RadwareSigcompress(codec_shift=-32768)",
        "waveform_presummed/values": "ULEB128ZigZagDiff()",
    },
}


def specification(kind: str, out: Path) -> Any:
    """Return the output specification for one of the `KINDS`."""
    if kind == "default":
        return str(out)
    buffer: dict[str, Any] = {"key_list": ["*"], "out_stream": str(out)}
    if kind == "production":
        buffer["proc_spec"] = copy.deepcopy(PROC_SPEC)
    rest = {"key_list": ["*"], "out_stream": str(out)}
    return {"FCEventDecoder": {"ch{key:07d}/raw": buffer}, "*": {"{name}": rest}}


def convert(source: Path, kind: str, out: Path) -> Path:
    """Convert a run."""
    zstd = {"hdf5_settings": {"compression": "zstd", "shuffle": True}}
    daq2lh5.build_raw(
        source,
        out_spec=specification(kind, out),
        **(zstd if kind == "production" else {}),
    )
    return out


def peer_python() -> str:
    """Return the python that has legend-daq2lh5, or skip."""
    python = os.environ.get("DAQ2LH5_PEER")
    if not python:
        pytest.skip("DAQ2LH5_PEER names no python that has legend-daq2lh5")
    return python


def convert_by_peer(source: Path, kind: str, out: Path) -> Path:
    """Convert a run with legend-daq2lh5."""
    code = (
        "import json, sys; from daq2lh5 import build_raw;"
        "build_raw(sys.argv[1], out_spec=json.loads(sys.argv[2]), overwrite=True)"
    )
    spec = json.dumps(specification(kind, out))
    # modules that this process finds first are not the peer's
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(
        [peer_python(), "-c", code, str(source), spec],
        env=environment,
        cwd=out.parent,
        check=True,
        capture_output=True,
        timeout=300,
    )
    if kind == "production":
        # with an older dspeed, as in files that there are, it writes no units here, and
        # with them lh5 reads no second piece
        with h5py.File(out, "r+") as file:
            for table in tables(kind):
                file[table]["waveform_presummed"].attrs.pop("units", None)
    return out


def tables(kind: str) -> list[str]:
    """Return the paths of the tables with waveforms."""
    return ["FCEvent"] if kind == "default" else [f"ch{key}/raw" for key in KEYS]
