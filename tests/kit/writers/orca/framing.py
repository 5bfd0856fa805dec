"""Packets, and files of them (ORCA format, 1)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from kit.writers.orca.data_ids import DATA_IDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


Part: TypeAlias = "int | float | bytes | Sequence[int] | NDArray[Any]"
"""Part of a packet: a word, a float32, the very bytes, or several words."""

HEADER = "header"
"""Kind of a header packet in an index; all others go by their decoder's name."""

MAX_LONG = 0x3FFFF
"""Words in the longest long packet (format 1.1)."""


class Packet(NamedTuple):
    """Where a packet stands in a file: offset and length in bytes, and its kind.

    The kind is the name of the decoder in the header, `HEADER`, or for whatever a
    test puts between packets "other".
    """

    offset: int
    length: int
    kind: str


def encode(*parts: Part) -> bytes:
    """Encode parts of a packet as little-endian words; see `Part`."""
    encoded = []
    for part in parts:
        if isinstance(part, bytes):
            encoded.append(part)
        elif isinstance(part, (float, np.floating)):
            encoded.append(struct.pack("<f", part))
        elif isinstance(part, (int, np.integer)):
            encoded.append(struct.pack("<I", int(part) & 0xFFFFFFFF))
        else:
            words = [int(word) & 0xFFFFFFFF for word in part]
            encoded.append(np.array(words, dtype="<u4").tobytes())
    data = b"".join(encoded)
    return data + bytes(-len(data) % 4)


def encode_floats(values: Iterable[float]) -> bytes:
    return np.array([*values], dtype="<f4").tobytes()


def encode_samples(values: ArrayLike, dtype: str = "<u2") -> bytes:
    """Pack samples into words, first one in the low bits, zeros up to the word."""
    data = np.asarray(values).astype(dtype).tobytes()
    return data + bytes(-len(data) % 4)


def short_packet(data_id: int, payload: int = 0) -> bytes:
    """Write a packet of one word with 26 bits of content (format 1.1)."""
    return encode(data_id & 0xFC000000 | payload & 0x3FFFFFF)


def long_packet(data_id: int, *parts: Part, length: int | None = None) -> bytes:
    """Write a packet whose length is in its first word (format 1.1).

    Parameters
    ----------
    parts
        words from the second on.
    length
        the number of words that the packet claims to have; if not given, the right
        one.
    """
    body = encode(*parts)
    if length is None:
        length = 1 + len(body) // 4
    return encode(data_id & 0xFFFC0000 | length & MAX_LONG) + body


def extended_packet(data_id: int, *parts: Part, length: int | None = None) -> bytes:
    """Write a packet whose length is in its second word (format 1.1)."""
    body = encode(*parts)
    if length is None:
        length = 2 + len(body) // 4
    return encode(data_id & 0xFFFC0000, length) + body


def packet(
    data_id: int, *parts: Part, length: int | None = None, extended: bool = False
) -> bytes:
    """Write a long packet, or an extended one if it is asked for or has to be."""
    body = encode(*parts)
    if extended or 1 + len(body) // 4 > MAX_LONG:
        return extended_packet(data_id, body, length=length)
    return long_packet(data_id, body, length=length)


def kind_of(data: bytes, ids: Mapping[str, int] = DATA_IDS) -> str:
    """Tell the kind of a packet from its first word; see `Packet`."""
    if len(data) < 4:
        return "other"
    (word,) = struct.unpack_from("<I", data)
    mask = 0xFC000000 if word >> 31 else 0xFFFC0000
    if word & mask == 0:
        return HEADER if word else "other"
    names = {data_id: name for name, data_id in ids.items()}
    return names.get(word & mask, "other")


def assemble(
    packets: Iterable[bytes], ids: Mapping[str, int] = DATA_IDS
) -> tuple[bytes, list[Packet]]:
    """Join packets to a file, and tell where each of them is."""
    parts = [*packets]
    return b"".join(parts), locate(parts, ids)


def locate(parts: Iterable[bytes], ids: Mapping[str, int] = DATA_IDS) -> list[Packet]:
    index = []
    offset = 0
    for part in parts:
        if part:
            index.append(Packet(offset, len(part), kind_of(part, ids)))
        offset += len(part)
    return index


def swapped(packets: Iterable[bytes], ids: Mapping[str, int] = DATA_IDS) -> list[bytes]:
    """Turn packets into those of a big-endian machine (format 1.3).

    Words are swapped one by one, but text is not: that of a header from word 2, that
    of a script record from word 5, and the key words of a histogram.
    """
    turned = []
    for data in packets:
        kind = kind_of(data, ids)
        first, last = len(data), len(data)
        if kind == HEADER:
            first = 8
        elif kind == "ORScriptDecoderForRecord":
            first = 20
        elif kind == "OR1DHistoDecoder":
            first = 8
            last = first + 4 * struct.unpack_from("<I", data, 4)[0]
        words = [
            data[:first],
            data[last:],
        ]
        before, after = (
            np.frombuffer(part, dtype="<u4").astype(">u4").tobytes() for part in words
        )
        turned.append(before + data[first:last] + after)
    return turned


def place_word(crate: int, card: int, rest: int = 0) -> int:
    return crate << 21 | card << 16 | rest
