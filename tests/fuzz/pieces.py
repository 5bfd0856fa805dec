"""Damaged streams as pieces of an undamaged one, and the changes that make them.

A piece is a range of the undamaged stream or foreign bytes, so that the origin of
every byte is known.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np

Piece: TypeAlias = "tuple[int, int] | bytes"

BLOCK = 4096
"""What file systems write as a whole; small files are treated in blocks of 512."""

LONGEST = 15
"""Changes are up to 2 to this power bytes long."""

NUMBERS = (
    *(0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0x3FFFF),
    *(0x40000, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF),
)
"""Lengths and counts at the edges of what a decoder may think of."""


def size_of(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


class Stream:
    """A stream under change.

    Parameters
    ----------
    data
        the undamaged stream.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pieces: list[Piece] = [(0, len(data))]

    def __len__(self) -> int:
        return sum(map(size_of, self.pieces))

    def part(self, start: int, end: int) -> list[Piece]:
        """Return the pieces of a range of the stream as it is now."""
        out: list[Piece] = []
        at = 0
        for piece in self.pieces:
            size = size_of(piece)
            first, last = max(start - at, 0), min(end - at, size)
            if first < last:
                if isinstance(piece, bytes):
                    out.append(piece[first:last])
                else:
                    out.append((piece[0] + first, piece[0] + last))
            at += size
        return out

    def replace(self, start: int, end: int, new: Iterable[Piece]) -> None:
        """Put pieces in the place of a range."""
        self.pieces = [*self.part(0, start), *new, *self.part(end, len(self))]

    def bytes(self, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes of a range as they are now."""
        part = self.part(start, len(self) if end is None else end)
        return b"".join(
            p if isinstance(p, bytes) else self.data[slice(*p)] for p in part
        )

    def placed(self) -> Iterator[tuple[int, int, int]]:
        """Go through the pieces of the undamaged stream: start, end, place."""
        at = 0
        for piece in self.pieces:
            if not isinstance(piece, bytes):
                yield (*piece, at)
            at += size_of(piece)


class Changes:
    """Makes random changes of a stream.

    Parameters
    ----------
    rng
        where randomness comes from.
    edges
        places where records begin in the undamaged stream.
    spared
        bytes at the start that are left as they are.
    other
        another stream, of which parts are spliced in.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        edges: Sequence[int],
        spared: int = 0,
        other: bytes = b"",
    ) -> None:
        self.rng = rng
        self.edges = edges
        self.spared = spared
        self.other = other
        self.taken: list[tuple[int, int]] = []
        """Ranges of the other stream that were spliced in."""

    def make(self, stream: Stream, kinds: Sequence[str] = ()) -> str:
        """Make one change; return what was done."""
        what = str(self.rng.choice(kinds or list(KINDS)))
        if len(stream) > self.spared:
            KINDS[what](self, stream)
        return what

    def _place(self, stream: Stream) -> int:
        """Choose a place: any, or the edge of a record."""
        n = len(stream)
        if self.edges and self.rng.random() < 0.4:
            at = int(self.rng.choice(self.edges))
            if self.spared <= at < n:
                return at
        return int(self.rng.integers(self.spared, n))

    def _choose_range(self, stream: Stream) -> tuple[int, int]:
        """Choose a range: of any length, or up to the edge of a record."""
        n = len(stream)
        at = self._place(stream)
        end = at + int(min(2 ** self.rng.uniform(0, LONGEST), n - at))
        if self.edges and self.rng.random() < 0.4:
            later = [e for e in self.edges if at < e <= n]
            if later:
                end = later[min(int(self.rng.integers(4)), len(later) - 1)]
        return at, max(end, min(at + 1, n))

    def cut(self, stream: Stream) -> None:
        stream.replace(self._place(stream), len(stream), [])

    def flip_bit(self, stream: Stream) -> None:
        at = self._place(stream)
        flipped = stream.bytes(at, at + 1)[0] ^ 1 << int(self.rng.integers(8))
        stream.replace(at, at + 1, [bytes([flipped])])

    def flip_byte(self, stream: Stream) -> None:
        at = self._place(stream)
        flipped = stream.bytes(at, at + 1)[0] ^ int(self.rng.integers(1, 256))
        stream.replace(at, at + 1, [bytes([flipped])])

    def zeros(self, stream: Stream) -> None:
        at, end = self._choose_range(stream)
        stream.replace(at, end, [bytes(end - at)])

    def ones(self, stream: Stream) -> None:
        at, end = self._choose_range(stream)
        stream.replace(at, end, [b"\xff" * (end - at)])

    def noise(self, stream: Stream) -> None:
        at, end = self._choose_range(stream)
        stream.replace(at, end, [self.rng.bytes(end - at)])

    def _block(self, stream: Stream) -> int:
        return BLOCK if len(stream) > 3 * BLOCK else BLOCK // 8

    def zero_block(self, stream: Stream) -> None:
        """Zero whole blocks of the file: they were never written."""
        size = self._block(stream)
        at = self._place(stream) // size * size
        at = max(at, self.spared)
        end = (at // size + int(self.rng.integers(1, 4))) * size
        end = min(end, len(stream))
        stream.replace(at, end, [bytes(end - at)])

    def zero_tail(self, stream: Stream) -> None:
        """Zero all from a block on: what a power cut leaves."""
        size = self._block(stream)
        at = max(self._place(stream) // size * size, self.spared)
        stream.replace(at, len(stream), [bytes(len(stream) - at)])

    def splice(self, stream: Stream) -> None:
        at, end = self._choose_range(stream)
        start, _ = self._choose_range(stream)
        stream.replace(at, end, stream.part(start, start + end - at))

    def splice_other(self, stream: Stream) -> None:
        at, end = self._choose_range(stream)
        if not self.other:
            return
        start = int(self.rng.integers(len(self.other)))
        self.taken.append((start, start + end - at))
        stream.replace(at, end, [self.other[start : start + end - at]])

    def duplicate(self, stream: Stream) -> None:
        at, end = self._choose_range(stream)
        stream.replace(end, end, stream.part(at, end))

    def copy(self, stream: Stream) -> None:
        at, end = self._choose_range(stream)
        to = self._place(stream)
        stream.replace(to, to, stream.part(at, end))

    def swap(self, stream: Stream) -> None:
        (a, b), (c, d) = sorted(
            (self._choose_range(stream), self._choose_range(stream))
        )
        c, d = max(c, b), max(d, b)
        new = [*stream.part(c, d), *stream.part(b, c), *stream.part(a, b)]
        stream.replace(a, d, new)

    def insert(self, stream: Stream) -> None:
        at, end = self._choose_range(stream)
        stream.replace(at, at, [self.rng.bytes(end - at)])

    def delete(self, stream: Stream) -> None:
        stream.replace(*self._choose_range(stream), [])

    def number(self, stream: Stream) -> None:
        """Overwrite a number near the start of a record, where lengths are."""
        at = self._place(stream) + 2 * int(self.rng.integers(32))
        width, code = (("<I", 4), (">I", 4), ("<H", 2), ("<Q", 8))[
            int(self.rng.integers(4))
        ]
        value = int(self.rng.choice(NUMBERS))
        if self.rng.random() < 0.3:
            old = int.from_bytes(stream.bytes(at, at + 4), "little")
            value = old + int(self.rng.integers(-16, 17))
        new = struct.pack(width, value & (1 << 8 * code) - 1)
        end = min(at + code, len(stream))
        if at < end:
            stream.replace(at, end, [new[: end - at]])


KINDS: dict[str, Callable[[Changes, Stream], None]] = {
    "cut": Changes.cut,
    "bit": Changes.flip_bit,
    "byte": Changes.flip_byte,
    "zeros": Changes.zeros,
    "ones": Changes.ones,
    "noise": Changes.noise,
    "zero block": Changes.zero_block,
    "zero tail": Changes.zero_tail,
    "splice": Changes.splice,
    "splice of another": Changes.splice_other,
    "duplicate": Changes.duplicate,
    "copy": Changes.copy,
    "swap": Changes.swap,
    "insert": Changes.insert,
    "delete": Changes.delete,
    "number": Changes.number,
}
"""What can be done to a stream."""
