"""What the rare records look like: what a search for packets can check."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ANY_WORD", "Shape"]

ANY_WORD = 0xFFFFFFFF
"""All bits of a word."""


class Shape(NamedTuple):
    """How long the records of a kind are, and what they have where.

    Words are counted as in a long packet. After damage, and next to it, a packet is
    only believed if it has the shape of its kind.
    """

    least: int
    """Words of the shortest record; one of fewer cannot be decoded."""
    step: int = 0
    """Words of each of what follows these; 0 if nothing does."""
    count: tuple[int, int, int] = (0, 0, 0)
    """Word that tells how many follow, its lowest bit, and the bits as a mask.

    The mask is 0 if no word tells.
    """
    spare: int = 0
    """Words that a record may have besides."""
    is_part: bool = False
    """Whether a record may have fewer than `count` says: others have the rest."""
    time: int = 0
    """First word with a time in seconds since 1970; 0 if there is none."""
    n_times: int = 1
    """So many times, in every second word: one of them must be set."""
    clear: int = 0
    """Bits of word 1 that are never set."""
