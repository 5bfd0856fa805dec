"""Declaration of the columns of the output tables.

Each table is declared once, in the ``columns`` module of its format, as a
:class:`Table` of :class:`Column`. From that declaration come

- the public ``*_decoded_values`` dictionaries (:meth:`Table.decoded_values`),
- the C struct that a kernel fills and the functions that bind and set its columns
  (written by ``tools/gen_columns.py`` when the extensions are built),
- the tables in the documentation.

This module imports nothing compiled and nothing heavy: the build runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Column", "Table"]


@dataclass(frozen=True)
class Column:
    """One column of an output table.

    Attributes
    ----------
    name
        name of the column in the table.
    dtype
        numpy name of the element type.
    description
        one sentence.
    units
        unit of the values, stored with the data as an attribute.
    kind
        ``"scalar"`` (one value a row), ``"fixed"`` (`length` values a row),
        ``"vector"`` (any number of values a row) or ``"waveform"`` (a sub-table of
        ``values``, ``t0`` and ``dt``).
    length
        values a row of a ``"fixed"`` column; of the others, the largest number that
        the format allows.
    source
        where the value comes from: the field, in the notation of the format document;
        with a citation ("FCIO format, 4.1") where it is another than the table's
        section.
    attrs
        further attributes to store with the data.
    dt_dtype
        numpy name of the type of the sampling period of a ``"waveform"``.
    stored
        attribute ``description`` in files, if any. Columns have it where those
        of legend-daq2lh5 do: lh5 reads and appends only if the names of attributes are
        equal, and of groups the values.
    extra
        whether the column is written only on request, since legend-daq2lh5 lacks it.
    """

    name: str
    dtype: str
    description: str
    units: str | None = None
    kind: str = "scalar"
    length: int | None = None
    source: str = ""
    attrs: tuple[tuple[str, Any], ...] = ()
    dt_dtype: str = "float32"
    stored: str | None = None
    extra: bool = False

    def decoded_value(self) -> dict[str, Any]:
        """Describe the column as `DataDecoder.decoded_values` does."""
        value: dict[str, Any] = {"dtype": self.dtype}
        if self.kind == "waveform":
            value |= {
                "datatype": "waveform",
                "wf_len": self.length,
                "dt": 16,
                "dt_units": "ns",
                "t0_units": "ns",
            }
        elif self.kind == "fixed":
            element = "string" if "S" in self.dtype else "real"
            value |= {
                "datatype": f"array_of_equalsized_arrays<1,1>{{{element}}}",
                "length": self.length,
            }
        elif self.kind == "vector":
            value |= {
                "datatype": "array<1>{array<1>{real}}",
                "length_guess": self.length,
            }
        if self.units is not None:
            value["units"] = self.units
        if self.stored is not None:
            value["description"] = self.stored
        value |= dict(self.attrs)
        return value


@dataclass(frozen=True)
class Table:
    """An output table: its name and its columns, in order.

    Columns that a kernel fills alike in several tables are a table of their own,
    named as `shared` by those. `section` cites the section of the format document
    that describes the record.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    shared: Table | None = None
    section: str = ""

    def decoded_values(self, extra: bool = False) -> dict[str, dict[str, Any]]:
        """Return a new dictionary in the form of `DataDecoder.decoded_values`.

        Parameters
        ----------
        extra
            with the extra columns, too.
        """
        return {c.name: c.decoded_value() for c in self.columns if extra or not c.extra}

    def describe(self, extra: bool = False) -> dict[str, str]:
        """Return the descriptions of the columns by name; `extra` as above."""
        return {c.name: c.description for c in self.columns if extra or not c.extra}
