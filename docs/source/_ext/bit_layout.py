"""Where the parts of a wire struct are in its bit diagram.

A diagram has rows of 32 bits in the order of the file. The first byte of a row is on
the right in little-endian structs, and on the left in big-endian ones: so the bits of a
number always run from the highest on the left to the lowest on the right.
``bit_diagrams`` draws the rows.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daq2lh5._core.wire import Field, Struct


class Part(NamedTuple):
    """Bits `start` to `stop`, exclusive, in file order: a field, a range, or a gap."""

    start: int
    stop: int
    name: str
    low: int | None = None  # number of the lowest bit of a range
    is_long: bool = False  # an array or a gap: one box for all its full rows
    kind: str = ""  # or "unused", "optional"


class Box(NamedTuple):
    """A part, or its bits in one row: columns from 31 on the left to 0 on the right."""

    part: Part
    high: int
    low: int
    label: str

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.high - self.low + 1


class Row(NamedTuple):
    """A row that begins at `byte`, or `n_rows` full rows of one array or gap.

    Bytes of an optional field count from its start.
    """

    byte: int
    n_rows: int
    boxes: list[Box]
    field: str = ""  # the optional field


def is_big(struct: Struct) -> bool:
    """Whether the numbers of a struct are big-endian."""
    return any(f.type.startswith("be_") for f in struct.fields)


def _named(name: str, value: int | None) -> str:
    if value is None:
        return name
    return f"{name} = {value}" if value < 0 else f"{name} = {value:#x}"


def _parts_of(f: Field, start: int, big: bool) -> Iterator[Part]:
    """Yield the field that begins at bit `start`, or the ranges of its bits."""
    name = f.name if f.count == 1 else f"{f.name}[{f.count}]"
    name = _named(name, f.value) + (f", if {f.when}" if f.when else "")
    kind = "optional" if f.when else ""
    if not f.bits:
        yield Part(start, start + 8 * f.size, name, None, f.count > 1, kind)
    for b in f.bits:
        at = start + (8 * f.size - b.low - b.width if big else b.low)
        yield Part(at, at + b.width, _named(b.name, b.value), b.low, False, kind)


def _filled(parts: Iterable[Part], size: int) -> Iterator[Part]:
    """Yield parts and the gaps between them, up to bit `size`."""
    ends = Part(0, 0, ""), Part(size, size, "")
    for before, part in pairwise([ends[0], *sorted(parts), ends[1]]):
        if before.stop < part.start:
            yield Part(before.stop, part.start, "unused", None, True, "unused")
        if part.start < part.stop:
            yield part


def _boxes_of(part: Part, big: bool) -> Iterator[tuple[int, Box]]:
    """Yield the number of each row of a part, and its box there."""
    for row in range(part.start // 32, (part.stop - 1) // 32 + 1):
        start, stop = max(part.start, 32 * row), min(part.stop, 32 * row + 32)
        column = 32 * row + 32 - stop if big else start - 32 * row
        label = part.name
        if stop - start < part.stop - part.start and not part.is_long:
            low = (part.low or 0) + (part.stop - stop if big else start - part.start)
            label += f", bits {low + stop - start - 1} .. {low}"
        yield row, Box(part, column + stop - start - 1, column, label)


def _rows(parts: Iterable[Part], big: bool) -> Iterator[Row]:
    """Yield the rows of parts without gaps."""
    rows: dict[int, list[Box]] = {}
    for part in parts:
        for row, box in _boxes_of(part, big):
            rows.setdefault(row, []).append(box)

    def same(item: tuple[int, list[Box]]) -> object:
        row, (box, *_) = item
        return box.part if box.part.is_long and box.columns == 32 else row

    for _, group in groupby(rows.items(), same):
        numbers, boxes = zip(*group, strict=True)
        yield Row(4 * numbers[0], len(numbers), boxes[0])


def rows_of(struct: Struct) -> list[Row]:
    """Return the rows of a struct: of all its bits, and then its optional fields."""
    big = is_big(struct)
    fixed = [f for f in struct.fields if f.offset is not None]
    parts = [p for f in fixed for p in _parts_of(f, 8 * (f.offset or 0), big)]
    if fixed and fixed[0].offset and struct.section.startswith("ORCA"):
        # it has a struct of its own
        parts.append(Part(0, 8 * fixed[0].offset, "first word of the packet"))
    rows = list(_rows(_filled(parts, 8 * struct.size), big))
    for f in struct.fields:
        if f.offset is None:
            own = _filled(_parts_of(f, 0, big), 8 * f.size)
            rows += [row._replace(field=f.name) for row in _rows(own, big)]
    return rows


def says_more(struct: Struct) -> bool:
    """Whether a diagram says more than a table: a row has several boxes."""
    return any(len(row.boxes) > 1 for row in rows_of(struct))
