"""What dspeed's processors ``presum`` and ``saturation`` do, slowly and in numpy.

Written from the LH5 format, 4.3: sums are made in float32 for
samples of 8 and 16 bits, else in float64, one rounded step for each sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def float_for(dtype: np.dtype) -> type[np.floating]:
    """Return the type that holds all samples exactly."""
    return np.float32 if np.dtype(dtype).itemsize <= 2 else np.float64


def presum(
    values: NDArray, n_sums: int, mean: bool = False, total: type | None = None
) -> NDArray:
    """Add groups of ``samples // n_sums`` neighbours, as dspeed does."""
    total = total or float_for(values.dtype)
    factor = values.shape[1] // n_sums
    groups = values[:, : n_sums * factor].reshape(len(values), n_sums, factor)
    groups = groups.astype(total)
    if mean:
        groups = groups / total(factor)
    sums = groups[..., 0].copy()
    for i in range(1, factor):
        sums = (sums + groups[..., i]).astype(total)
    return sums


def saturation(values: NDArray, bits: int) -> tuple[NDArray, NDArray]:
    """Count samples that are 0, and that are ``2**bits - bits``."""
    kind = float_for(values.dtype)
    wide = values.astype(np.int64)
    low = (wide == 0).sum(axis=1)
    high = (wide == 2**bits - bits).sum(axis=1)
    return low.astype(kind), high.astype(kind)
