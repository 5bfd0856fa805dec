"""Tables for rows that do not fit those of another table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from .raw_buffer import RawBuffer

__all__ = ["MAX_SIBLINGS", "SiblingTables", "make_sibling"]

MAX_SIBLINGS = 64
"""Tables that may be opened for rows of other shapes."""

Shape = TypeVar("Shape", bound=Hashable)


class SiblingTables(Generic[Shape]):
    """Which buffers stand in for which, and for rows of what shape.

    What a shape is, the streamer knows: a number of samples, for instance.

    Attributes
    ----------
    shapes
        of the rows of the buffers that are known, by their ids.
    """

    def __init__(self) -> None:
        self.shapes: dict[int, Shape] = {}
        self._firsts: dict[int, RawBuffer] = {}
        self._siblings: dict[tuple[int, Shape], RawBuffer] = {}

    def __len__(self) -> int:
        """Return how many buffers stand in for others."""
        return len(self._siblings)

    def __contains__(self, rb: RawBuffer) -> bool:
        """Whether the shape of a buffer's rows is known."""
        return id(rb) in self.shapes

    def settle(self, rb: RawBuffer, shape: Shape) -> None:
        """Take note of the rows that a buffer of the user's is for."""
        self.shapes[id(rb)] = shape
        self._firsts[id(rb)] = rb

    def add(self, first: RawBuffer, shape: Shape, sibling: RawBuffer) -> None:
        """Have `sibling` stand in for `first`, for rows of a shape."""
        self.shapes[id(sibling)] = shape
        self._firsts[id(sibling)] = first
        self._siblings[id(first), shape] = sibling

    def forget(self, rb: RawBuffer) -> None:
        """Take a buffer's rows for unknown again: it has had none."""
        self.shapes.pop(id(rb), None)

    def first(self, rb: RawBuffer) -> RawBuffer:
        """Return the buffer that `rb` stands in for; itself if for none."""
        return self._firsts.get(id(rb), rb)

    def all(self) -> list[RawBuffer]:
        """Return all buffers that stand in for others."""
        return [*self._siblings.values()]

    def of(self, first: RawBuffer) -> list[RawBuffer]:
        """Return the buffers that stand in for `first`."""
        return [rb for (i, _), rb in self._siblings.items() if i == id(first)]

    def find(self, rb: RawBuffer, shape: Shape) -> RawBuffer | None:
        """Return the buffer, of `rb` and all that stand in for it, for a shape."""
        first = self.first(rb)
        if first in self and self.shapes[id(first)] == shape:
            return first
        return self._siblings.get((id(first), shape))


def make_sibling(rb: RawBuffer, ending: object, keys: list | None = None) -> RawBuffer:
    """Make a buffer like `rb`, of another name, with its keys or others."""
    return RawBuffer(
        key_list=rb.key_list if keys is None else keys,
        out_stream=rb.out_stream,
        out_name=f"{rb.out_name}_{ending}",
        proc_spec=rb.proc_spec,
    )
