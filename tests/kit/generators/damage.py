"""Random changes of a stream, and how many to make."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

N_FILES = int(os.environ.get("DAQ2LH5_DAMAGED_FILES", "200"))
SEED = int(os.environ.get("DAQ2LH5_DAMAGE_SEED", "1"))


COLUMNS = (
    *("fcid", "event_type", "numtraces", "eventnumber", "ts_pps", "ts_ticks"),
    *("ts_maxticks", "mu_offset_sec", "mu_offset_usec", "to_master_sec"),
    *("delta_mu_usec", "abs_delta_mu_usec", "to_start_sec", "to_start_usec"),
    *("baseline", "daqenergy", "board_id", "fc_input", "timestamp"),
)
"""What an event's own bytes and the configuration say, whatever came before."""

Piece = tuple[int, int] | bytes
"""A part of the undamaged stream, from and to, or other bytes."""


def change(rng: np.random.Generator, data: bytes, other: bytes) -> tuple[str, list]:
    """Make one change: the damaged stream as pieces of the old one and new bytes."""
    n = len(data)
    at = int(rng.integers(n))
    length = int(min(2 ** rng.uniform(0, 15), n - at))
    end = at + length
    start = int(rng.integers(n))
    copied = (start, min(start + length, n))
    noise = rng.bytes(length)
    what = str(
        rng.choice(
            [
                *("cut", "bit flip", "byte flip", "splice", "splice of another file"),
                *("insertion", "insertion of a copy", "deletion", "repetition"),
                *("zeros", "ones"),
            ]
        )
    )
    pieces: dict[str, list[Piece]] = {
        "cut": [(0, at)],
        "bit flip": [
            *((0, at), bytes([data[at] ^ 1 << int(rng.integers(8))]), (at + 1, n))
        ],
        "byte flip": [
            *((0, at), bytes([data[at] ^ int(rng.integers(1, 256))]), (at + 1, n))
        ],
        "splice": [(0, at), copied, (end, n)],
        "splice of another file": [
            *((0, at), other[start % len(other) :][:length], (end, n))
        ],
        "insertion": [(0, at), noise, (at, n)],
        "insertion of a copy": [(0, at), copied, (at, n)],
        "deletion": [(0, at), (end, n)],
        "repetition": [(0, end), (at, n)],
        "zeros": [(0, at), bytes(length), (end, n)],
        "ones": [(0, at), b"\xff" * length, (end, n)],
    }
    return what, pieces[what]
