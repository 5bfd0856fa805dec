"""Overflow tables (siblings) for rows of other shapes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from .raw_buffer import RawBuffer

__all__ = ["MAX_SIBLINGS", "SiblingTables", "make_sibling"]

MAX_SIBLINGS = 64
"""Largest number of siblings."""

Shape = TypeVar("Shape", bound=Hashable)


class SiblingTables(Generic[Shape]):
    """Siblings: buffers that take rows of other shapes in place of a first buffer.

    The streamer defines a shape, such as a number of samples.

    Attributes
    ----------
    shapes
        shape of the rows by id of the buffer, where it is known.
    """

    def __init__(self) -> None:
        self.shapes: dict[int, Shape] = {}
        self._firsts: dict[int, RawBuffer] = {}
        self._siblings: dict[tuple[int, Shape], RawBuffer] = {}

    def __len__(self) -> int:
        """Return the number of siblings."""
        return len(self._siblings)

    def __contains__(self, rb: RawBuffer) -> bool:
        """Whether the shape of a buffer's rows is known."""
        return id(rb) in self.shapes

    def settle(self, rb: RawBuffer, shape: Shape) -> None:
        """Set the shape of a first buffer's rows."""
        self.shapes[id(rb)] = shape
        self._firsts[id(rb)] = rb

    def add(self, first: RawBuffer, shape: Shape, sibling: RawBuffer) -> None:
        """Add a sibling of `first` for rows of a shape."""
        self.shapes[id(sibling)] = shape
        self._firsts[id(sibling)] = first
        self._siblings[id(first), shape] = sibling

    def forget(self, rb: RawBuffer) -> None:
        """Reset the shape of a buffer without rows."""
        self.shapes.pop(id(rb), None)

    def first(self, rb: RawBuffer) -> RawBuffer:
        """Return the first buffer of a sibling; otherwise `rb` itself."""
        return self._firsts.get(id(rb), rb)

    def all(self) -> list[RawBuffer]:
        """Return all siblings."""
        return [*self._siblings.values()]

    def of(self, first: RawBuffer) -> list[RawBuffer]:
        """Return the siblings of `first`."""
        return [rb for (i, _), rb in self._siblings.items() if i == id(first)]

    def find(self, rb: RawBuffer, shape: Shape) -> RawBuffer | None:
        """Return the buffer for a shape among `rb`, its first buffer and siblings."""
        first = self.first(rb)
        if first in self and self.shapes[id(first)] == shape:
            return first
        return self._siblings.get((id(first), shape))


def make_sibling(rb: RawBuffer, ending: object, keys: list | None = None) -> RawBuffer:
    """Make a sibling of `rb` with another name, with the same keys or others."""
    return RawBuffer(
        key_list=rb.key_list if keys is None else keys,
        out_stream=rb.out_stream,
        out_name=f"{rb.out_name}_{ending}",
        proc_spec=rb.proc_spec,
    )
