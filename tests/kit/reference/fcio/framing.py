"""Records and their frames (FCIO format, 1)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class NotWellFormedError(ValueError):
    """The stream has damage, so that this reader knows no rows for it."""


_PROTOCOL_HEADER = -1_000_000_001
_PROTOCOL = b"FlashCamV1"


def read_records(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Split a stream into records: tag and contents of the frames (format 1.1).

    One to three bytes at the end are dropped (format 1.3).
    """
    tag: int | None = None
    frames: list[bytes] = []
    position = 0
    while len(data) - position >= 4:
        (header,) = struct.unpack_from("<i", data, position)
        if position == 0 and header != _PROTOCOL_HEADER:
            raise NotWellFormedError("the stream does not start with a handshake")
        position += 4
        if header >= 0:
            if header > len(data) - position:
                raise NotWellFormedError(f"frame cut off at byte {position}")
            # Frames before the first tag and after a handshake belong to nothing.
            if tag is not None:
                frames.append(data[position : position + header])
            position += header
            continue
        if header < _PROTOCOL_HEADER:
            raise NotWellFormedError(f"reserved header {header} at byte {position - 4}")
        if tag is not None:
            yield tag, frames
        if header == _PROTOCOL_HEADER:
            name = data[position : position + 64]
            if len(name) < 64 or not name.startswith(_PROTOCOL):
                raise NotWellFormedError(f"bad protocol name at byte {position}")
            position += 64
            tag = None
        else:
            tag = -header
        frames = []
    if position == 0:
        raise NotWellFormedError("the stream does not start with a handshake")
    if tag is not None:
        yield tag, frames


def elements(frame: bytes, code: str, at_most: int) -> list[Any]:
    """Decode ``held(at_most)`` elements of a frame (format 1.2 and 2)."""
    size = struct.calcsize(f"<{code}")
    if len(frame) % size:
        raise NotWellFormedError(
            f"a frame of {len(frame)} bytes for elements of {size}"
        )
    n = min(len(frame) // size, at_most)
    return list(struct.unpack_from(f"<{n}{code}", frame))


def overwrite(old: list[Any], new: list[Any]) -> list[Any]:
    """Replace the first elements; the rest keeps its content (format 1.2)."""
    return new + old[len(new) :]


def need(frames: list[bytes], number: int) -> None:
    if len(frames) < number:
        raise NotWellFormedError(f"{len(frames)} frames where {number} are needed")
