"""Keys of llamaDAQ channels."""

from __future__ import annotations

__all__ = ["join_fadcid_chid"]


def join_fadcid_chid(fadcid: int, chid: int) -> int:
    """Return the key of a channel.

    Parameters
    ----------
    fadcid
        index of the FADC.
    chid
        index of the channel in the FADC, below 16.
    """
    return (fadcid << 4) + chid
