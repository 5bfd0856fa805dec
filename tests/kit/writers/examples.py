"""Arguments of the writers for small files of every kind that a format has."""

from __future__ import annotations

from typing import Any

ORCA: dict[str, dict[str, Any]] = {
    "flashcam": {"kinds": "flashcam", "n_events": 20, "n_channels": 3},
    "12 bit": {
        "kinds": "flashcam",
        "listeners": 2,
        "n_events": 12,
        "n_channels": 2,
        "heartbeat_every": 9,
    },
    "fcio": {"kinds": "fcio", "n_events": 40, "n_channels": 3},
}

COMPASS_WITH_SAMPLES: dict[str, dict[str, Any]] = {
    "waveforms": {"word": 0xCAED, "n_samples": 100},
    "short waveforms": {"word": 0xCAE9, "n_samples": 7},
    "calibrated": {"word": 0xCAEF, "n_samples": 50, "bits": 10},
    "samples of 8 bits": {"word": 0xCAED, "n_samples": 100, "bits": 8},
    "several lengths": {"word": 0xCAED, "n_samples": (20, 60, 35)},
    "CoMPASS 1": {"word": 0xCAED, "version": 1, "n_samples": 100},
}

COMPASS_LISTS: dict[str, dict[str, Any]] = {
    "list": {"word": 0xCAE5},
    "list of calibrated": {"word": 0xCAE3},
    "no energy": {"word": 0xCAE0},
    "CoMPASS 1, list": {"word": 0xCAE5, "version": 1},
}


def compass_files(n_with_samples: int, n_in_list: int) -> dict[str, dict[str, Any]]:
    """Return arguments of all kinds of CoMPASS files, with these numbers of records."""
    files = {k: v | {"n": n_with_samples} for k, v in COMPASS_WITH_SAMPLES.items()}
    return files | {k: v | {"n": n_in_list} for k, v in COMPASS_LISTS.items()}
