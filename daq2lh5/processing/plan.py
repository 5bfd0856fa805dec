"""Processing of rows in plain numpy arrays, on their way from decoder to writer.

The results equal those of ``processing.steps``, which works with LGDOs. A plan analyses
the columns of a table once; each batch of rows then runs the same steps.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..writing.layout import ENCODED_LENGTHS, Layout, table_type
from .dsp import NativeChain
from .spec import ProcSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..buffers.column import Field
    from ..buffers.table_buffer import TableBuffer
    from ..writing.codecs import Encoded

    Arrays = dict[str, np.ndarray]
    Step = Callable[[Arrays, Arrays, int], None]

log = logging.getLogger(__name__)

__all__ = ["Plan", "plan_for"]


def plan_for(
    table: TableBuffer,
    proc_spec: dict[str, Any] | str,
    parsed: ProcSpec | None = None,
) -> Plan:
    """Return the plan for the rows of a table, made once for each specification.

    Parameters
    ----------
    table
        the table.
    proc_spec, parsed
        the specification, as the user gives it and, if that was done already, parsed.
    """
    plans = table.plans
    if id(proc_spec) not in plans:
        plans[id(proc_spec)] = proc_spec, Plan(table.fields, parsed or proc_spec)
    return plans[id(proc_spec)][1]


class Plan:
    """The processing of a table's rows before they are written.

    Parameters
    ----------
    fields
        columns of the table.
    proc_spec
        the specification.

    Attributes
    ----------
    spec
        the specification, checked.
    fields
        columns of the result.
    layout
        HDF5 objects that the result becomes; None if the processing needs LGDOs.
    own_rows
        whether the result has arrays of its own. They are worth a copy if they are
        smaller than the table's, which then need not wait until they are written.

    Raises
    ------
    OutSpecError
        (a ValueError) if the specification is invalid.
    KeyError
        if settings are for a missing column.
    TypeError
        if an operation cannot be applied to a column of this kind.
    """

    def __init__(self, fields: list[Field], proc_spec: dict[str, Any] | str) -> None:
        self.spec = ProcSpec.of(proc_spec)
        self._source = {field.name: field for field in fields}
        self._work = dict(self._source)
        self._steps: list[Step] = []
        # arrays that are new, not views on those of the table
        self._made: set[str] = set()
        self._converted: dict[str, np.dtype] = {}
        # columns whose samples are read, or made, here
        self._used: set[str] = set()
        self._on_arrays = True
        self.needs_dspeed = False
        self._plan_window()
        self._plan_dsp()
        self._plan_dtype_conv()
        self._plan_drop()
        self._plan_settings()
        self.fields = list(self._work.values())
        self.layout = self._describe() if self._on_arrays else None
        source_bytes = sum(field.row_bytes() for field in fields)
        self.own_rows = self.row_bytes < source_bytes

    @property
    def row_bytes(self) -> int:
        """Bytes that a row of the result takes."""
        if self.needs_dspeed:
            # a guess: only dspeed knows its results
            return 2 * sum(field.row_bytes() for field in self._source.values())
        return sum(field.row_bytes() for field in self.fields)

    @property
    def copied_bytes(self) -> int:
        """Bytes of a row that need memory besides the table's."""
        if self.own_rows or self.layout is None:
            return self.row_bytes
        return sum(self._made_bytes(field) for field in self.fields)

    @property
    def untouched(self) -> list[Field]:
        """Columns of the result whose samples are written as they are."""
        if self.layout is None:
            return []
        return [field for field in self.fields if field.name not in self._used]

    def run(
        self, arrays: Arrays, n: int, own: bool = False
    ) -> list[np.ndarray | Encoded]:
        """Process the first `n` rows.

        Parameters
        ----------
        arrays
            arrays of the table, see :attr:`.TableBuffer.arrays`; they stay as they are.
        n
            number of rows.
        own
            whether to copy the rows that are still in `arrays`.

        Returns
        -------
        rows
            rows for each dataset of the layout.
        """
        work = dict(arrays)
        for step in self._steps:
            step(arrays, work, n)
        rows = [r for field in self.fields for r in field.rows(work, n)]
        if not own:
            return rows
        return [
            r if self._is_made(dataset.path) or r is ENCODED_LENGTHS else r.copy()
            for dataset, r in zip(self.layout.datasets, rows, strict=True)
        ]

    def _is_made(self, path: str) -> bool:
        """Whether the rows of a dataset are in an array of the result's own."""
        # (the datasets of encoded waveforms are below the path of the array)
        return any(path == made or path.startswith(f"{made}/") for made in self._made)

    def _made_bytes(self, field: Field) -> int:
        """Return the bytes of a column's row in arrays of the result's own."""
        if field.kind != "waveform":
            return field.row_bytes() if field.name in self._made else 0
        sizes = {"values": field.dtype.itemsize * field.width, "t0": 8, "dt": 8}
        return sum(n for m, n in sizes.items() if f"{field.name}/{m}" in self._made)

    def _describe(self) -> Layout:
        layout = Layout({"": {"datatype": table_type(list(self._work))}})
        for field in self.fields:
            field.describe(layout)
        return layout

    def _plan_window(self) -> None:
        window = self.spec.window
        if window is None:
            return
        source = self._source.get(window.source)
        if source is None:
            log.info("no column '%s' to take a window of", window.source)
            return
        width = window.width(source.width)
        if source.kind == "fixed":
            field = replace(source, name=window.output, width=width)
        elif source.kind == "waveform":
            field = replace(
                source,
                name=window.output,
                width=width,
                attrs={},
                member_attrs={**source.member_attrs, "values": {}},
                time_dtypes={**source.time_dtypes, "t0": source.dt_dtype},
            )
        else:
            msg = (
                f"cannot take a window of '{window.source}': its rows must be arrays "
                "of one length"
            )
            raise TypeError(msg)
        self._work[window.output] = field
        self._used |= {window.source, window.output}
        samples = slice(window.start, window.stop)

        def cut_fixed(arrays: Arrays, work: Arrays, n: int) -> None:
            work[window.output] = arrays[window.source][:n, samples]

        def cut_waveform(arrays: Arrays, work: Arrays, n: int) -> None:
            values, t0, dt = (
                arrays[f"{window.source}/{m}"][:n] for m in ("values", "t0", "dt")
            )
            work[f"{window.output}/values"] = values[:, samples]
            work[f"{window.output}/t0"] = t0 + window.start * dt
            work[f"{window.output}/dt"] = dt

        if source.kind == "fixed":
            self._steps.append(cut_fixed)
        else:
            self._made.add(f"{window.output}/t0")
            self._steps.append(cut_waveform)

    def _plan_dsp(self) -> None:
        config = self.spec.dsp_config
        if config is None:
            return
        chain = NativeChain.of(config)
        if chain is not None and not set(chain.sources) <= set(self._source):
            log.info("no columns %s to process", chain.sources)
            return
        fields = None if chain is None else chain.describe(self._source)
        if fields is None:
            self._on_arrays = False
            self.needs_dspeed = True
            return
        self._work |= fields
        self._used |= {*chain.sources, *fields}
        for name, field in fields.items():
            if field.kind == "scalar":
                self._made.add(name)
            else:
                self._made |= {f"{name}/{m}" for m in ("values", "t0", "dt")}

        def process(arrays: Arrays, work: Arrays, n: int) -> None:
            work |= chain.run(arrays, n, self._converted)

        self._steps.append(process)

    def _plan_dtype_conv(self) -> None:
        for path, dtype in self.spec.dtype_conv.items():
            name, _, member = path.partition("/")
            field = self._work.get(name)
            if field is None and self.needs_dspeed:
                # it may be an output of dspeed
                continue
            if field is None or (
                member
                and (field.kind != "waveform" or member not in field.member_attrs)
            ):
                log.info("dtype_conv: no column '%s'", path)
                return
            if field.kind == "vector" or (field.kind == "waveform" and not member):
                msg = f"dtype_conv: '{path}' is not an array"
                raise TypeError(msg)
            if member in ("t0", "dt"):
                now = field.time_dtypes.get(member, np.dtype(np.float32))
                types = {**field.time_dtypes, member: dtype}
                self._work[name] = replace(field, time_dtypes=types)
            else:
                now = field.dtype
                self._used.add(name)
                attrs = {k: v for k, v in field.attrs.items() if k != "datatype"}
                self._work[name] = replace(field, dtype=dtype, attrs=attrs)
            if now != dtype:
                self._made.add(path)
                self._converted[path] = dtype
                self._steps.append(_conversion(path, dtype))

    def _plan_drop(self) -> None:
        for name in self.spec.drop:
            if "/" in name:
                # a waveform column must have all its members
                self._on_arrays = False
            elif name not in self._work:
                if not self.needs_dspeed:
                    log.info("no column '%s' to drop", name)
                    return
            else:
                del self._work[name]

    def _plan_settings(self) -> None:
        settings = {
            "compression": self.spec.compression,
            "hdf5_settings": self.spec.hdf5_settings,
        }
        for setting, by_path in settings.items():
            for path, value in by_path.items():
                self._set(path, setting, value)

    def _set(self, path: str, setting: str, value: Any) -> None:
        """Set how an array is written."""
        name, _, member = path.partition("/")
        field = self._work.get(name)
        if field is None and self.needs_dspeed:
            return
        if field is None or (member and member not in field.member_attrs):
            msg = f"proc_spec: {setting}: no such column '{path}'"
            raise KeyError(msg)
        if field.kind == "vector" or (field.kind == "waveform" and not member):
            msg = f"proc_spec: {setting}: '{path}' is not an array"
            raise TypeError(msg)
        if member:
            members = dict(field.member_attrs)
            members[member] = {**members[member], setting: value}
            self._work[name] = replace(field, member_attrs=members)
        else:
            self._work[name] = replace(field, attrs={**field.attrs, setting: value})


def _conversion(path: str, dtype: np.dtype) -> Step:
    def convert(arrays: Arrays, work: Arrays, n: int) -> None:  # noqa: ARG001
        work[path] = work[path][:n].astype(dtype, copy=False)

    return convert
