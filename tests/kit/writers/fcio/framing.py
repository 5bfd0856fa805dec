"""Tags, frames, records and streams (FCIO format, 1)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike


Field: TypeAlias = "ArrayLike | bytes | None"
"""Content of a frame: values, the very bytes, or None for "no such frame"."""

# Message tags, format 2.
TAG_CONFIG = 1
TAG_CALIB = 2
TAG_EVENT = 3
TAG_STATUS = 4
TAG_REC_EVENT = 5
TAG_SPARSE_EVENT = 6
TAG_EVENT_HEADER = 7
TAG_FSP_CONFIG = 8
TAG_FSP_EVENT = 9
TAG_FSP_STATUS = 10

MAX_TAG = 1_000_000_000
"""Headers below its negative are no tags (format 1.1)."""


class Record(NamedTuple):
    """Where a record stands in a stream."""

    offset: int
    length: int
    tag: int


def tag(number: int) -> bytes:
    """Start a record: its negated number, as i32 (format 1.1)."""
    return struct.pack("<i", -number)


def frame(payload: bytes) -> bytes:
    """Put the length in front of the payload, as i32 (format 1.1)."""
    return struct.pack("<i", len(payload)) + payload


def record(number: int, *payloads: bytes | None, drop_frames: int = 0) -> bytes:
    """Write a record: a tag and its frames (format 1.1).

    Parameters
    ----------
    number
        the tag.
    payloads
        contents of the frames; None leaves the frame out.
    drop_frames
        how many frames to cut off the end, as in a record of an older or of an
        interrupted writer.
    """
    kept = [payload for payload in payloads if payload is not None]
    if drop_frames:
        kept = kept[:-drop_frames]
    parts = [tag(number)]
    for payload in kept:
        parts += (struct.pack("<i", len(payload)), payload)
    return b"".join(parts)


def handshake(protocol: bytes = b"FlashCamV1") -> bytes:
    """Start a stream: protocol tag and 64 bytes of protocol name (format 1.1)."""
    return b"\xff\x35\x65\xc4" + protocol.ljust(64, b"\0")


def assemble(
    records: Iterable[bytes], protocol: bytes = b"FlashCamV1"
) -> tuple[bytes, list[Record]]:
    """Join records to a stream with a handshake in front.

    Returns
    -------
    data, index
        the stream, and where each record of it is.
    """
    parts = [handshake(protocol), *records]
    return b"".join(parts), locate(parts)


def locate(parts: Iterable[bytes]) -> list[Record]:
    """Locate the records among the parts of a stream.

    Other parts are handshakes and whatever a test puts between records.
    """
    index = []
    offset = 0
    for part in parts:
        number = -int.from_bytes(part[:4], "little", signed=True)
        if len(part) >= 4 and 1 <= number <= MAX_TAG:
            index.append(Record(offset, len(part), number))
        offset += len(part)
    return index


def pack(value: Field, dtype: str) -> bytes | None:
    """Encode the content of a frame as little-endian elements of one type."""
    if value is None or isinstance(value, bytes):
        return value
    return np.asarray(value, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()
