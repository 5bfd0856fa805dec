"""FCIO streams by name: those that the writer makes, and real ones."""

from __future__ import annotations

from typing import Any

import pytest

from kit.places import TESTDATA
from kit.writers import fcio as writer

SPMS = "L200-comm-20211130-phy-spms.fcio"
P06 = "l200-p06-r007-cal-20230725T202227Z.fcio"

real_files = pytest.mark.skipif(
    not (TESTDATA / "fcio").is_dir(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory with them",
)


KINDS: dict[str, dict[str, Any]] = {
    "full": {"n_channels": 3, "n_samples": 20},
    "sparse": {"kind": "sparse", "n_channels": 5, "n_samples": 16},
    "header": {"kind": "header", "n_channels": 7, "n_samples": 16},
    "mixed": {"kind": "mixed", "n_channels": 4, "n_samples": 9, "n_events": 60},
    "type 11": {
        "kind": ("sparse", "header"),
        "event_type": 11,
        "n_channels": 14,
        "n_samples": 8,
        "deadtime": True,
        "n_events": 80,
    },
    "dead time": {
        "kind": "mixed",
        "deadtime": True,
        "n_channels": 3,
        "n_samples": 5,
        "n_events": 80,
    },
    "12 bit": {"kind": "mixed", "adcbits": 12, "n_channels": 30, "n_samples": 11},
    "gps": {"gps": 50_000, "n_channels": 2, "n_samples": 13},
    "triggers": {"adcbits": 12, "triggers": 2, "n_channels": 25, "n_samples": 7},
    "no tracemap": {"tracemap": False, "n_channels": 3, "n_samples": 10},
    "no stream id": {"streamid": None, "n_channels": 3, "n_samples": 10},
    "large stream id": {"streamid": 0x10002, "n_channels": 3, "n_samples": 10},
    "fsp": {
        "fsp": True,
        "kind": "mixed",
        "status_every": 4,
        "n_channels": 6,
        "n_samples": 14,
    },
    "status": {"status_every": 3, "n_channels": 8, "n_samples": 6},
    "status of trigger cards": {
        "status_every": 2,
        "adcbits": 12,
        "triggers": 3,
        "n_channels": 26,
        "n_samples": 4,
    },
    "no samples": {"n_channels": 3, "n_samples": 0},
    "one channel": {"n_channels": 1, "n_samples": 1836, "n_events": 30},
}
"""Streams of each kind that the writer makes, by name."""

each_kind = pytest.mark.parametrize("kind", KINDS)


def make(kind: str, **options: Any) -> bytes:
    return writer.make_stream(**({"n_events": 25} | KINDS[kind] | options))
