"""Unpack baskets of a tree faster than uproot.

Only baskets with ROOT's default compression are unpacked here: the key of a ROOT object
and blocks of zlib. uproot unpacks all others.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Basket", "is_compressed", "unpack"]

KEY = struct.Struct(">i2xi4xh2x")
"""Part of a ``TKey``: length with the object, of the object, and without it."""

END_OF_KEY = struct.Struct(">10xiix")
"""End of a ``TBasket``'s key: number of entries, end of the last one."""

BLOCK = b"ZL\x08"
BLOCK_HEADER = 9
"""Bytes in front of a block: `BLOCK`, length stored and unpacked (3 bytes each)."""


class Basket(NamedTuple):
    """Entries of the tree that are stored together.

    Attributes
    ----------
    first
        number of the first entry.
    data
        bytes of all entries.
    offsets
        start of each entry in `data`, and the end of the last one.
    """

    first: int
    data: np.ndarray
    offsets: np.ndarray


def is_compressed(stored: bytes) -> bool:
    """Whether a basket is compressed.

    Parameters
    ----------
    stored
        the basket as it is in the file, with its key.
    """
    if len(stored) < KEY.size:
        return False
    n_stored, n_unpacked, key_length = KEY.unpack_from(stored)
    return n_stored != n_unpacked + key_length


def unpack(stored: bytes) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Unpack a basket that is compressed by zlib.

    Parameters
    ----------
    stored
        the basket as it is in the file, with its key.

    Returns
    -------
    data, offsets
        bytes of all entries; start of each, and end of the last: None if all have the
        same length. None instead of both for other compressions, or a basket that
        contradicts itself.
    """
    if len(stored) < KEY.size:
        return None
    n_stored, n_unpacked, key_length = KEY.unpack_from(stored)
    at = key_length
    if n_stored != len(stored) or not KEY.size + END_OF_KEY.size <= at < n_stored:
        return None
    _, end = END_OF_KEY.unpack_from(stored, at - END_OF_KEY.size)
    end -= key_length
    view = memoryview(stored)
    inflate = _inflate()
    pieces = []
    while at < n_stored:
        start = at + BLOCK_HEADER
        if stored[at : at + 3] != BLOCK or start > n_stored:
            return None
        at = start + int.from_bytes(view[start - 6 : start - 3], "little")
        size = int.from_bytes(view[start - 3 : start], "little")
        if at > n_stored:
            return None
        try:
            piece = np.frombuffer(inflate(view[start:at]), np.uint8)
        except Exception:  # uproot reports the error
            return None
        if len(piece) != size:
            return None
        pieces.append(piece)
    data = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    n_offsets, odd = divmod(len(data) - end, 4)
    if len(data) != n_unpacked or not 0 <= end <= len(data) or odd or n_offsets == 1:
        return None
    if not n_offsets:
        return data, None
    # the first number is a count; the last offset is not set
    offsets = data[end:].view(">i4")[1:].astype(np.int64) - key_length
    offsets[-1] = end
    return data[:end], offsets


def _inflate() -> Callable[[memoryview], bytes]:
    """Return the fastest installed function that decompresses zlib's format."""
    with suppress(ImportError):
        # twice as fast as Python's own
        from isal import isal_zlib  # noqa: PLC0415  (comes with daq2lh5[mgdo])

        return isal_zlib.decompress
    with suppress(ImportError):
        from cramjam import zlib as other  # noqa: PLC0415  (comes with uproot)

        return other.decompress
    return zlib.decompress
