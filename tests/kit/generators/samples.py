"""Samples of every type."""

from __future__ import annotations

import numpy as np

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")


def random_samples(dtype: str, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Make samples of the whole range, with many at its ends."""
    info = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    values = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    ends = np.array([info.min, 0, info.max, min(info.max, 2**16 - 16)], dtype)
    return np.where(rng.random(shape) < 0.3, rng.choice(ends, shape), values)
