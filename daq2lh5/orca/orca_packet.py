"""Id and length of ORCA packets, from their first words.

A packet is an array of 32-bit words in the byte order of the machine. It is short, long
or extended, and begins with :ref:`wire-orca_short`, :ref:`wire-orca_long` or
:ref:`wire-orca_extended` (ORCA format, 1.1).

A *shifted* id is a small number. An *unshifted* id keeps its place in the word, with
zeros in the lower bits, as in the header's table of ids.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

__all__ = [
    "OrcaPacket",
    "as_long",
    "get_data_id",
    "get_n_words",
    "hex_dump",
    "is_extended",
    "is_short",
]

OrcaPacket = np.ndarray[Any, np.dtype[np.uint32]]
"""The words of one packet."""

SHORT = 1 << 31
SHORT_ID_SHIFT = 26
ID_SHIFT = 18
LENGTH_MASK = (1 << ID_SHIFT) - 1


def id_shift(word: int) -> int:
    """Return the shift of the id in `word`: word 0, or an id of the header."""
    return SHORT_ID_SHIFT if word & SHORT else ID_SHIFT


def header_n_words(n_bytes: int) -> int:
    """Return the length of a header packet with a text of `n_bytes` bytes.

    One to four zero bytes follow the text.
    """
    return n_bytes // 4 + 3


def is_short(packet: OrcaPacket) -> bool:
    """Whether a packet is a single word."""
    return bool(int(packet[0]) & SHORT)


def is_extended(packet: OrcaPacket) -> bool:
    """Whether a packet, which is not short, has its length in word 1."""
    return not int(packet[0]) & LENGTH_MASK


def as_long(packet: OrcaPacket) -> OrcaPacket:
    """Return an extended packet as a long packet, without word 1.

    Other packets stay as they are. A length that does not fit in word 0 becomes the
    largest length that fits.
    """
    if len(packet) < 2 or is_short(packet) or not is_extended(packet):
        return packet
    packet = np.delete(packet, 1)
    packet[0] |= min(len(packet), LENGTH_MASK)
    return packet


def get_n_words(packet: OrcaPacket) -> int:
    """Return the length of a packet in words, from its first words.

    The length of the array is not checked. The length of a header of more than 1 MiB
    does not fit in word 0: it is calculated from the length of its text.
    """
    word = int(packet[0])
    if word & SHORT:
        return 1
    length = word & LENGTH_MASK
    if length == word and len(packet) > 1:  # id 0
        words = header_n_words(int(packet[1]))
        if words & LENGTH_MASK == length:
            return words
    return length or int(packet[1])


def get_data_id(packet: OrcaPacket, shift: bool = True) -> np.uint32:
    """Return the data id of a packet; headers have 0.

    Parameters
    ----------
    packet
        the packet, or only its first word.
    shift
        return the id as a small number. Short and other packets can share a number.
    """
    word = int(packet[0])
    shift_by = id_shift(word)
    data_id = (word & 0xFFFFFFFF) >> shift_by
    return np.uint32(data_id if shift else data_id << shift_by)


def hex_dump(
    packet: OrcaPacket,
    shift_data_id: bool = True,
    print_n_words: bool = False,
    max_words: float = np.inf,
    as_int: bool = False,
    as_short: bool = False,
    id_dict: dict[int, str] | None = None,
    use_logging: bool = True,
    return_output: bool = False,
) -> list[str] | None:
    """Show a packet as text: a heading, and a line for each word.

    Parameters
    ----------
    packet
        the packet.
    shift_data_id
        as `shift` of :func:`get_data_id`.
    print_n_words
        show the number of words instead of the words.
    max_words
        largest number of words to show.
    as_int, as_short
        also show each word as a decimal number, or as two 16-bit numbers.
    id_dict
        names of decoders by id, for the heading; see
        :meth:`.OrcaHeader.get_id_to_decoder_name_dict`.
    use_logging
        log the lines, at level DEBUG, instead of printing them.
    return_output
        whether to return the lines too.

    Returns
    -------
    lines
        the lines; None without `return_output`.
    """
    data_id = get_data_id(packet, shift=shift_data_id)
    n_words = get_n_words(packet)
    heading = f"data ID = {data_id}"
    if id_dict is not None:
        heading = f"{id_dict.get(int(data_id), '[unknown]')} ({heading})"
    if print_n_words:
        lines = [f"{heading}: {n_words} words"]
    else:
        n_shown = int(max(0, min(n_words, max_words, len(packet))))
        width = len(str(n_shown - 1))
        lines = [f"{heading}:"]
        for i in range(n_shown):
            word = packet[i : i + 1]
            columns = [f"{i:0{width}}", f"{word[0]:#010x}"]
            if data_id == 0 and i > 1:
                columns.append(word.tobytes().decode(errors="replace"))
            if as_int:
                columns.append(str(word[0]))
            if as_short:
                columns.append(str(np.frombuffer(word.tobytes(), np.uint16)))
            lines.append(" ".join(columns))

    show = log.debug if use_logging else print
    for line in lines:
        show(line)
    return lines if return_output else None
