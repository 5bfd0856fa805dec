"""Overflow tables: tables for rows whose shape differs from that of their table."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer

__all__ = ["MAX_OVERFLOW", "TOO_MANY_LENGTHS", "TOO_MANY_TABLES", "OverflowTables"]

MAX_OVERFLOW = 64
"""Largest number of overflow tables beside one table."""

TOO_MANY_LENGTHS = "trace not decoded: too many different lengths"
"""Report of rows beyond the overflow tables, see `MAX_OVERFLOW`."""

TOO_MANY_TABLES = "row not decoded: too many tables"
"""Report of rows beyond the largest number of tables."""

Shape = TypeVar("Shape", bound=Hashable)


class OverflowTables(Generic[Shape]):
    """The overflow tables of a stream.

    All rows of a table have one shape: the number of samples of a waveform, for
    instance. Each format defines its shapes. Rows of another shape go to an overflow
    table: a new table beside the first one, in the same file and group, with the same
    processing, and with a name that ends in the shape.

    Parameters
    ----------
    open_table
        adds a new buffer to the stream: called with the buffer, its decoder and, where
        the buffer's own keys do not tell the columns, a key that does.
    limit
        largest number of overflow tables of all tables together.

    Attributes
    ----------
    shapes
        shape of the rows by id of the buffer, where it is known.
    """

    def __init__(
        self,
        open_table: Callable[[RawBuffer, DataDecoder, Any], None],
        limit: float = math.inf,
    ) -> None:
        self.shapes: dict[int, Shape] = {}
        self._open_table = open_table
        self._limit = limit
        self._all: list[RawBuffer] = []
        # by id of an overflow table's buffer, the first one; by id of a first buffer,
        # the overflow tables by shape
        self._firsts: dict[int, RawBuffer] = {}
        self._beside: dict[int, dict[Shape, RawBuffer]] = {}

    def __contains__(self, rb: RawBuffer) -> bool:
        """Whether the shape of a buffer's rows is known."""
        return id(rb) in self.shapes

    def settle(self, rb: RawBuffer, shape: Shape) -> None:
        """Set the shape of a first buffer's rows."""
        self.shapes[id(rb)] = shape
        self._firsts[id(rb)] = rb

    def forget(self, rb: RawBuffer) -> None:
        """Forget the shape of a buffer without rows."""
        self.shapes.pop(id(rb), None)

    def first(self, rb: RawBuffer) -> RawBuffer:
        """Return the first buffer of an overflow table; otherwise `rb` itself."""
        return self._firsts.get(id(rb), rb)

    def all(self) -> list[RawBuffer]:
        """Return the buffers of all overflow tables, in the order of opening."""
        return list(self._all)

    def beside(self, first: RawBuffer) -> list[RawBuffer]:
        """Return the buffers of the overflow tables of `first`."""
        return list(self._beside.get(id(first), {}).values())

    def find(self, rb: RawBuffer, shape: Shape) -> RawBuffer | None:
        """Return the buffer for a shape: the first one of `rb`, or an overflow table.

        None if no table is open for the shape.
        """
        first = self.first(rb)
        if first in self and self.shapes[id(first)] == shape:
            return first
        return self._beside.get(id(first), {}).get(shape)

    def has_room(self, first: RawBuffer) -> bool:
        """Whether one more overflow table of `first` may be opened."""
        beside = self._beside.get(id(first), {})
        return len(beside) < MAX_OVERFLOW and len(self._all) < self._limit

    def open(
        self,
        first: RawBuffer,
        shape: Shape,
        decoder: DataDecoder,
        ending: object,
        keys: list[int | str] | None = None,
        columns_of: int | str | None = None,
    ) -> RawBuffer:
        """Open the overflow table of `first` for a shape.

        Parameters
        ----------
        first
            the first buffer.
        shape
            shape of the new table's rows.
        decoder
            decoder of the rows; it must give the columns of the new shape already.
        ending
            end of the table's name.
        keys
            keys of the new buffer; by default those of `first`.
        columns_of
            key that tells the columns; by default the first of `keys`.
        """
        rb = first.beside(ending, keys)
        self._open_table(rb, decoder, columns_of)
        self._all.append(rb)
        self._firsts[id(rb)] = first
        self._beside.setdefault(id(first), {})[shape] = rb
        self.shapes[id(rb)] = shape
        return rb
