"""Declaration of wire structs: the parts of records and packets with a fixed layout.

Each struct is declared once, in the ``wire`` module of its format, as a
:class:`Struct` of :class:`Field`. From that declaration come

- the sizes and typed accessors that kernels read it with (``_wire.pxd``, written by
  ``tools/gen_wire.py`` when the extensions are built),
- the tables and bit diagrams in the format documents.

This module imports nothing compiled and nothing heavy: the build runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SIZES", "Bits", "Field", "Struct", "word"]

SIZES = {
    "u8": 1,
    "u16": 2,
    "u32": 4,
    "u64": 8,
    "i32": 4,
    "i64": 8,
    "f32": 4,
    "f64": 8,
    "be_u16": 2,
    "be_u32": 4,
    "be_i32": 4,
    "be_u64": 8,
    "be_f64": 8,
}
"""Bytes of each type; ``be_`` are big-endian, all others little-endian."""


@dataclass(frozen=True)
class Bits:
    """A range of bits of an integer field.

    Attributes
    ----------
    low, width
        number of the lowest bit, and how many bits there are.
    name, description, units, value
        as of :class:`Field`.
    """

    low: int
    width: int
    name: str
    description: str = ""
    units: str | None = None
    value: int | None = None


@dataclass(frozen=True)
class Field:
    """One field of a struct.

    Attributes
    ----------
    offset
        bytes from the start of the struct; None in a struct with optional fields if the
        field follows the last present one.
    type
        a key of `SIZES`.
    name
        in snake case, unique in the struct together with the names of bits.
    description
        one phrase.
    units
        unit of the value.
    count
        elements of an array.
    value
        the fixed value of marks and constants.
    bits
        parts of a packed integer, from the highest bit down.
    when
        condition of the struct under which the field is present, or ``"not "`` and
        that condition; always, if empty.
    section
        section of the format document, if it differs from the struct's.
    """

    offset: int | None
    type: str
    name: str
    description: str = ""
    units: str | None = None
    count: int = 1
    value: int | None = None
    bits: tuple[Bits, ...] = ()
    when: str = ""
    section: str = ""

    @property
    def size(self) -> int:
        """Bytes of the field."""
        return SIZES[self.type] * self.count


def word(
    number: int,
    name: str,
    description: str = "",
    units: str | None = None,
    *,
    type: str = "u32",  # noqa: A002
    count: int = 1,
    value: int | None = None,
    bits: tuple[Bits, ...] = (),
    section: str = "",
) -> Field:
    """Return the field of a struct of 32-bit words that begins with word `number`.

    Parameters
    ----------
    number
        index of the word in the struct, from 0.
    name, description, units, type, count, value, bits, section
        as of :class:`Field`.
    """
    return Field(
        4 * number, type, name, description, units, count, value, bits, "", section
    )


@dataclass(frozen=True)
class Struct:
    """A part of a record or packet whose fields have fixed places.

    Attributes
    ----------
    name
        in snake case, unique in the package; the accessors begin with it.
    description
        one phrase.
    section
        the section of the format document that describes it.
    size
        bytes, without optional fields.
    fields
        in the order of their offsets. Bytes that no field covers are unused.
    conditions
        names of the conditions of optional fields (`when`).
    """

    name: str
    description: str
    section: str
    size: int
    fields: tuple[Field, ...]
    conditions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Reject a declaration that contradicts itself."""
        problem = next(self._problems(), None)
        if problem is not None:
            msg = f"{self.name}: {problem}"
            raise ValueError(msg)

    def _problems(self) -> Iterator[str]:
        end = 0
        for f in self.fields:
            if f.when.removeprefix("not ") not in ("", *self.conditions):
                yield f"{f.name} names an unknown condition"
            if (f.offset is None) != bool(f.when or end > self.size):
                yield f"{f.name} must have an offset, or stand behind others"
            if f.offset is None:
                end = self.size + 1
            elif f.offset < end or f.offset + f.size > self.size:
                yield f"{f.name} overlaps another field or leaves the struct"
            else:
                end = f.offset + f.size
            above = 8 * SIZES[f.type]
            for b in f.bits:
                if b.low + b.width > above or b.low < 0 or "u" not in f.type:
                    yield f"{b.name} overlaps other bits or leaves the field"
                above = b.low
        names = [part.name for f in self.fields for part in (f, *f.bits)]
        if len(set(names)) < len(names):
            yield "two fields have the same name"

    def bytes_when(self, **conditions: bool) -> int:
        """Return the bytes of the struct with the optional fields of these conditions.

        Parameters
        ----------
        conditions
            whether each condition is met.
        """
        return self.size + sum(
            f.size
            for f in self.fields
            if f.offset is None
            and (
                not f.when
                or conditions[f.when.removeprefix("not ")] != f.when.startswith("not ")
            )
        )
