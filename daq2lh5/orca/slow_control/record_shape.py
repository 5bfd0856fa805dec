"""Length and fixed bits of rare records, for checks in the search for packets."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ANY_WORD", "Shape"]

ANY_WORD = 0xFFFFFFFF
"""All bits of a word."""


class Shape(NamedTuple):
    """Lengths and fixed contents of the records of a kind.

    Words are numbered as in a long packet. Next to damage, a packet is accepted only if
    it has the shape of its kind.
    """

    least: int
    """Words of the shortest record that can be decoded."""
    step: int = 0
    """Words of each element behind the first `least` words; 0 without elements."""
    count: tuple[int, int, int] = (0, 0, 0)
    """Word with the number of elements, lowest bit of the number, and its mask.

    The mask is 0 if no word has the number.
    """
    spare: int = 0
    """Number of additional words that a record may have."""
    is_part: bool = False
    """Whether a record may have fewer elements: other records have the rest."""
    time: int = 0
    """First word with a time in seconds since 1970; 0 without a time."""
    n_times: int = 1
    """Number of times, in every second word; at least one must be set."""
    clear: int = 0
    """Bits of word 1 that are always 0."""
