"""A run of three channels with status records."""

from __future__ import annotations

from kit.writers import fcio as writer

N_CHANNELS = 3
N_EVENTS = 6
N_ROWS = N_EVENTS * N_CHANNELS + 2 * 2
"""Traces, and two status records of two cards each."""

MAKE = {
    "n_channels": N_CHANNELS,
    "n_samples": 40,
    "status_every": 3,
    "n_events": N_EVENTS,
}


def damaged_stream() -> bytes:
    """A stream with a damaged range in the middle, and cut off at the end."""
    data, index = writer.make_indexed_stream(**MAKE)
    third = index[3]
    junk = b"\x77" * 50
    start = third.offset
    return data[:start] + junk + data[start:-10]
