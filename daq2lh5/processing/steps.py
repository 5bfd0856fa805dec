"""The steps of a processing, with LGDOs.

Rows on their way from a decoder to a file are processed without LGDOs where that is
possible, see :mod:`.processing.plan`. This module does the rest: tables of the user,
specifications that need dspeed, and files.
"""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

from ..buffers.column import Field
from .dsp import NativeChain
from .spec import ProcSpec

if TYPE_CHECKING:
    import lgdo
    import numpy as np

log = logging.getLogger(__name__)

_told: set[str] = set()
"""Problems of specifications that were logged: each batch of rows has them again."""

__all__ = [
    "apply_window",
    "check_dspeed",
    "convert_dtypes",
    "drop_columns",
    "process_rows",
    "process_windowed_t0",
    "run_dsp",
    "window_array_of_arrays",
]


def process_rows(
    data: lgdo.Table,
    n: int,
    proc_spec: dict | str | ProcSpec,
    db_dict: dict | None = None,
) -> lgdo.Table:
    """Process the first `n` rows of a table, see :func:`buffer_processor`."""
    import lgdo  # noqa: PLC0415

    spec = ProcSpec.of(proc_spec)
    source = lgdo.Table({name: _rows_of(column, n) for name, column in data.items()})
    table = lgdo.Table(size=n)
    table.join(source)
    if spec.window is not None:
        apply_window(spec, source, table)
    if spec.dsp_config is not None:
        run_dsp(spec, source, table, db_dict)
    convert_dtypes(spec, table)
    drop_columns(spec, table)
    for path, codec in spec.compression.items():
        _find(table, path).attrs["compression"] = codec
    for path, settings in spec.hdf5_settings.items():
        _find(table, path).attrs["hdf5_settings"] = settings
    return table


def window_array_of_arrays(
    array_of_arrays: lgdo.ArrayOfEqualSizedArrays,
    window_start_idx: int,
    window_end_idx: int,
) -> np.ndarray:
    """Return a view on a window of each row.

    Parameters
    ----------
    array_of_arrays
        the rows.
    window_start_idx, window_end_idx
        first sample, and the one after the last, as in a Python slice.

    Raises
    ------
    TypeError
        if it is not an array of equal-sized arrays.
    """
    import lgdo  # noqa: PLC0415

    if not isinstance(array_of_arrays, lgdo.ArrayOfEqualSizedArrays):
        msg = f"cannot take a window of a {type(array_of_arrays).__name__}"
        raise TypeError(msg)
    return array_of_arrays.nda[:, window_start_idx:window_end_idx]


def process_windowed_t0(
    t0s: lgdo.Array, dts: lgdo.Array, start_index: int
) -> lgdo.Array:
    """Return the times of the first samples of a window.

    Parameters
    ----------
    t0s, dts
        times of the first samples of the whole waveforms, and sampling periods.
    start_index
        number of the window's first sample.
    """
    moved = copy.deepcopy(t0s)
    moved.nda += start_index * dts.nda
    return moved


def _rows_of(obj: lgdo.LGDO, n: int) -> lgdo.LGDO:
    """Return the first `n` rows of a column: a new object on the same memory."""
    import lgdo  # noqa: PLC0415

    attrs = obj.getattrs(datatype=False)
    if isinstance(obj, lgdo.WaveformTable):
        members = {name: _rows_of(member, n) for name, member in obj.items()}
        extra = {k: members.pop(k) for k in list(members) if k not in _MEMBERS}
        # lh5 reads no second chunk of a waveform whose group has attributes
        table = lgdo.WaveformTable(**members)
        for name, member in extra.items():
            table.add_field(name, member)
        return table
    if isinstance(obj, lgdo.Table):
        members = {name: _rows_of(member, n) for name, member in obj.items()}
        return lgdo.Table(members, attrs=attrs)
    if isinstance(obj, lgdo.ArrayOfEqualSizedArrays):
        return type(obj)(nda=obj.nda[:n], dims=obj.dims, attrs=attrs)
    if isinstance(obj, lgdo.Array):
        return type(obj)(obj.nda[:n], attrs=attrs)
    if isinstance(obj, lgdo.VectorOfVectors):
        ends = lgdo.Array(obj.cumulative_length.nda[:n])
        used = int(ends.nda[-1]) if n else 0
        flat = _rows_of(obj.flattened_data, used)
        return lgdo.VectorOfVectors(
            flattened_data=flat, cumulative_length=ends, attrs=attrs
        )
    if len(obj) != n:
        msg = f"cannot take {n} of the {len(obj)} rows of a {type(obj).__name__}"
        raise TypeError(msg)
    return copy.copy(obj)


_MEMBERS = ("values", "t0", "dt")
"""Members of a waveform."""


def _find(table: lgdo.Table, path: str) -> lgdo.LGDO:
    """Return the object at a path in a table.

    Raises
    ------
    KeyError
        if the path does not exist.
    """
    import lgdo  # noqa: PLC0415

    obj = table
    for name in path.split("/"):
        if not isinstance(obj, lgdo.Struct) or name not in obj:
            msg = f"proc_spec: no such column '{path}'"
            raise KeyError(msg)
        obj = obj[name]
    return obj


def apply_window(spec: ProcSpec, source: lgdo.Table, table: lgdo.Table) -> None:
    """Add the window of a waveform column of `source` to `table`."""
    import lgdo  # noqa: PLC0415

    window = spec.window
    if window.source not in source:
        log.info("no column '%s' to take a window of", window.source)
        return
    column = source[window.source]
    if isinstance(column, lgdo.WaveformTable):
        values = window_array_of_arrays(column.values, window.start, window.stop)
        t0 = process_windowed_t0(column.t0, column.dt, window.start)
        new = lgdo.WaveformTable(t0=t0, dt=column.dt, values=values)
    else:
        values = window_array_of_arrays(column, window.start, window.stop)
        new = lgdo.ArrayOfEqualSizedArrays(
            nda=values, dims=column.dims, attrs=column.getattrs(datatype=False)
        )
    table.add_field(window.output, new)


def run_dsp(
    spec: ProcSpec, source: lgdo.Table, table: lgdo.Table, db_dict: dict | None
) -> None:
    """Add the outputs of ``dsp_config`` to `table`, without dspeed where possible."""
    chain = NativeChain.of(spec.dsp_config)
    fields = None
    if chain is not None:
        if not set(chain.sources) <= set(source):
            log.info("no columns %s to process", chain.sources)
            return
        columns = {name: _as_field(name, source[name]) for name in chain.sources}
        if None not in columns.values():
            fields = chain.describe(columns)
    if fields is None:
        _run_dspeed(spec.dsp_config, source, table, db_dict)
        return
    arrays = {f"{c}/{m}": source[c][m].nda for c in columns for m in _MEMBERS}
    arrays = chain.run(arrays, len(source))
    for name, field in fields.items():
        table.add_field(name, field.make_lgdo(arrays))


def _as_field(name: str, column: lgdo.LGDO) -> Field | None:
    """Describe a column of waveforms; None for columns of other types."""
    import lgdo  # noqa: PLC0415

    if not isinstance(column, lgdo.WaveformTable):
        return None
    values = column.values
    if not isinstance(values, lgdo.ArrayOfEqualSizedArrays) or values.nda.ndim != 2:
        return None
    members = {m: column[m].getattrs(datatype=False) for m in _MEMBERS}
    return Field(
        name, "waveform", values.dtype, values.nda.shape[1], member_attrs=members
    )


def _run_dspeed(
    config: dict[str, Any],
    source: lgdo.Table,
    table: lgdo.Table,
    db_dict: dict | None,
) -> None:
    """Have dspeed process the columns of `source`; the results go to `table`."""
    import lgdo  # noqa: PLC0415

    check_dspeed()
    from dspeed.errors import ProcessingChainError  # noqa: PLC0415  (takes seconds)
    from dspeed.processing_chain import build_processing_chain  # noqa: PLC0415

    # dspeed writes the first sampling period to all rows of its input
    own = lgdo.Table({name: _rows_of(c, len(source)) for name, c in source.items()})
    for column in own.values():
        if isinstance(column, lgdo.WaveformTable):
            column.t0.nda = column.t0.nda.copy()
            column.dt.nda = column.dt.nda.copy()
    try:
        chain, _, results = build_processing_chain(
            tb_in=own, processors=config, db_dict=db_dict
        )
    except ProcessingChainError as e:
        _tell(e)
        return
    chain.execute()
    for name, column in results.items():
        # dspeed adds units to the groups of waveforms: see _rows_of
        table.add_field(name, _rows_of(column, len(column)))


def _tell(error: Exception) -> None:
    """Log why a `dsp_config` has no results, once for each reason."""
    cause = error.__cause__
    text = str(error).partition("\n")[0].rstrip(":.") or "a function is missing"
    if cause is not None:
        text += f" ({type(cause).__name__}: {cause})".replace("\n", " ")
    text = f"dsp_config cannot be carried out, its outputs are left out: {text}"
    if isinstance(cause, KeyError) and "input buffer" in text:
        # the configuration is for tables that have its input columns
        log.info(text)
    elif text not in _told:
        _told.add(text)
        log.warning(text)


def check_dspeed() -> None:
    """Make sure that dspeed can be imported.

    Raises
    ------
    ModuleNotFoundError
        if it is not installed.
    """
    from importlib.util import find_spec  # noqa: PLC0415  (seldom needed)

    if find_spec("dspeed") is None:
        msg = (
            "this dsp_config needs dspeed, which is not installed; install daq2lh5[dsp]"
        )
        raise ModuleNotFoundError(msg, name="dspeed")


def convert_dtypes(spec: ProcSpec, table: lgdo.Table) -> None:
    """Convert columns of `table` in place; the first missing one ends the step."""
    for path, dtype in spec.dtype_conv.items():
        try:
            obj = _find(table, path)
        except KeyError:
            log.info("dtype_conv: no column '%s'", path)
            return
        if not hasattr(obj, "nda"):
            msg = f"dtype_conv: '{path}' is not an array"
            raise TypeError(msg)
        obj.nda = obj.nda.astype(dtype)
        if "datatype" in obj.attrs:
            obj.attrs["datatype"] = obj.form_datatype()


def drop_columns(spec: ProcSpec, table: lgdo.Table) -> None:
    """Remove columns from `table`; the first missing one ends the step."""
    for name in spec.drop:
        path, _, member = name.rpartition("/")
        try:
            parent = _find(table, path) if path else table
            parent.remove_column(member, delete=False)
        except KeyError:
            log.info("no column '%s' to drop", name)
            return
