"""ORCA files by name: those that the writer makes, and real ones."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from kit.places import TESTDATA
from kit.writers import orca as writer

FILE_A = "L200-comm-20220519-phy-geds.orca"
FILE_B = "l200-p13-r007-aph-20250101T003931Z.orca"

real_files = pytest.mark.skipif(
    not (TESTDATA / "orca").is_dir(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory with them",
)

RUN = "ORRunDecoderForRun"
LISTENER = "ORFlashCamListenerConfigDecoder"
OLD_WAVEFORM = "ORFlashCamADCWaveformDecoder"
NEW_WAVEFORM = "ORFlashCamWaveformDecoder"
CONFIG = "ORFCIOConfigDecoder"
EVENT = "ORFCIOEventDecoder"
EVENT_HEADER = "ORFCIOEventHeaderDecoder"
STATUS = "ORFCIOStatusDecoder"


FLASHCAM: dict[str, dict[str, Any]] = {
    "map of 2400 entries": {},
    "many channels": {"listeners": 2, "n_channels": 30, "n_samples": 12},
    "three listeners": {"listeners": 3, "n_channels": 7},
    "two time offsets less": {
        "flashcam_options": {"offsets": (1_650_000_000, 5, 1_650_000_001, -6, 7)}
    },
    "word 1 of March 2023": {"flashcam_options": {"word1": 11}},
    "address of 2023": {"flashcam_options": {"high_address": True}},
    "more ORCA words": {"flashcam_options": {"orca_words": 5}},
    "waveforms not included": {"flashcam_options": {"n_samples": 0}},
    "no samples": {"n_samples": 0},
    "no dead region": {"flashcam_options": {"dead_region": (0,) * 5}},
    "event types": {"flashcam_options": {"event_type": 0x2B, "energy": 65_535}},
    "negative times": {
        "flashcam_options": {
            "offsets": (-1, -2, -3, -4, -5, -6, -7),
            "dead_region": (-1, -2, -3, -4, -5),
            "timestamp": (-1, -2, -3, 0x7FFFFFFF),
        }
    },
}

FCIO: dict[str, dict[str, Any]] = {
    "full": {},
    "many channels": {"listeners": 2, "n_channels": 30, "n_samples": 12},
    "sparse": {"fcio_options": {"kind": "sparse"}},
    "headers": {"fcio_options": {"kind": "header"}},
    "mixed": {"fcio_options": {"kind": "mixed", "deadtime": True}},
    "type 11": {
        "n_channels": 14,
        "fcio_options": {
            "kind": ("sparse", "header"),
            "event_type": 11,
            "deadtime": True,
        },
    },
    "status": {"fcio_options": {"status_every": 3}},
    "fsp": {"fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4}},
    "two streams with fsp": {
        "listeners": 2,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4},
    },
    "gps": {"fcio_options": {"gps": 50_000}},
    "no samples": {"n_samples": 0},
    "other configuration": {"second_config": True},
    "other configurations of two streams with fsp": {
        "listeners": 2,
        "second_config": True,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4},
    },
}

MIXED: dict[str, dict[str, Any]] = {
    "sub-runs": {"kinds": "flashcam", "subruns": 3, "heartbeat_every": 7},
    "sub-runs of three listeners": {
        "kinds": "flashcam",
        "subruns": 2,
        "listeners": 3,
        "n_channels": 7,
    },
    "sub-runs of listeners with fsp": {
        "kinds": "fcio",
        "subruns": 2,
        "listeners": 2,
        "second_config": True,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4},
    },
    "sub-runs of fcio": {
        "kinds": "fcio",
        "subruns": 2,
        "heartbeat_every": 5,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 4},
    },
    "both generations": {
        "kinds": ("flashcam", "fcio"),
        "listeners": 2,
        "fcio_options": {"fsp": True, "status_every": 4},
    },
    "with unknown packets": {"kinds": ("flashcam", "fcio", "unknown")},
    "everything": {
        "kinds": writer.KINDS,
        "listeners": 2,
        "second_config": True,
        "subruns": 2,
        "heartbeat_every": 50,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 5},
    },
    "run records alone": {"kinds": ()},
}

RUNS: dict[str, dict[str, Any]] = {
    **{f"flashcam, {k}": {"kinds": "flashcam"} | v for k, v in FLASHCAM.items()},
    **{f"fcio, {k}": {"kinds": "fcio"} | v for k, v in FCIO.items()},
    **MIXED,
}
"""Runs of each kind that the writer makes, by name."""

each_run = pytest.mark.parametrize("name", RUNS)


@cache
def make(name: str, **options: Any) -> bytes:
    """Make a run of few events with few samples."""
    return writer.make_stream(
        **({"n_events": 12, "n_channels": 4, "n_samples": 16} | RUNS[name] | options)
    )
