"""Processing of LGDOs as a ``proc_spec`` says.

Rows that go from a decoder to a file are processed without LGDOs where that is
possible, see :mod:`.buffer_processor.plan`. This module is for what is left: tables
that the user got hold of, specifications that need dspeed, and files.
"""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

from ..buffers.column import Field
from ..writing.codecs import use_lh5_codecs
from .dsp import NativeChain
from .spec import ProcSpec

if TYPE_CHECKING:
    import lgdo
    import numpy as np

    from ..raw_buffer import RawBuffer

log = logging.getLogger(__name__)

_told: set[str] = set()
"""Problems of specifications that were mentioned: each set of rows has them again."""

__all__ = [
    "buffer_processor",
    "process_drop",
    "process_dsp",
    "process_dtype_conv",
    "process_window",
    "process_windowed_t0",
    "window_array_of_arrays",
]


def buffer_processor(rb: RawBuffer, db_dict: dict | None = None) -> lgdo.Table:
    """Process the rows of a buffer as its `proc_spec` says.

    These operations are done, in this order:

    ``window: [column, start, stop, new_column]``
        take the samples from `start` to `stop` (as in a Python slice) of the waveforms
        or equal-sized arrays in a column; ``t0`` of waveforms moves with `start`.
    ``dsp_config: {...}``
        run a processing chain of dspeed on the columns of the buffer, and add what
        comes out. A dictionary, or the name of a JSON or YAML file.
    ``dtype_conv: {path: dtype}``
        convert arrays.
    ``drop: [column, ...]``
        leave columns out.
    ``compression: {path: codec}``
        write arrays with a waveform codec, such as
        ``"RadwareSigcompress(codec_shift=-32768)"``.
    ``hdf5_settings: {path: {...}}``
        write arrays with these arguments of ``create_dataset``.

    Paths are of the form ``column`` or ``column/member``.

    Parameters
    ----------
    rb
        the buffer. Its data stay as they are.
    db_dict
        values that `dsp_config` may refer to as ``db.name``.

    Returns
    -------
    table
        a table of the filled rows, or of all rows where `rb.loc` is 0. What is not
        changed is shared with the buffer. Data that are no table are returned as they
        are.

    Raises
    ------
    OutSpecError
        (a ValueError) if the specification is not as it must be.
    KeyError
        if settings are for a column that there is not.
    TypeError
        if a column is not of the kind that an operation is for.
    ModuleNotFoundError
        if dspeed is needed and not there.
    """
    import lgdo  # noqa: PLC0415  (takes a second)

    data = rb.lgdo
    if not isinstance(data, lgdo.Table):
        log.info("no table: cannot process a %s", type(data).__name__)
        return data
    spec = ProcSpec.of(rb.proc_spec)
    for text in spec.warnings:
        log.warning(text)
    table = process_rows(data, rb.loc or len(data), spec, db_dict)
    if spec.compression:
        use_lh5_codecs(table)
    return table


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
        _window(spec, source, table)
    if spec.dsp_config is not None:
        _run_dsp(spec, source, table, db_dict)
    _convert(spec, table)
    _drop(spec, table)
    for path, codec in spec.compression.items():
        _find(table, path).attrs["compression"] = codec
    for path, settings in spec.hdf5_settings.items():
        _find(table, path).attrs["hdf5_settings"] = settings
    return table


def process_window(rb: RawBuffer, tmp_table: lgdo.Table) -> None:
    """Add the window that the `proc_spec` of `rb` asks for to `tmp_table`."""
    _window(ProcSpec.of(rb.proc_spec), rb.lgdo, tmp_table)


def process_dsp(
    rb: RawBuffer, tmp_table: lgdo.Table, db_dict: dict | None = None
) -> None:
    """Add the results of the `dsp_config` of `rb` to `tmp_table`."""
    _run_dsp(ProcSpec.of(rb.proc_spec), rb.lgdo, tmp_table, db_dict)


def process_dtype_conv(rb: RawBuffer, tmp_table: lgdo.Table) -> None:
    """Convert arrays of `tmp_table` in place, as the `proc_spec` of `rb` says."""
    _convert(ProcSpec.of(rb.proc_spec), tmp_table)


def process_drop(rb: RawBuffer, tmp_table: lgdo.Table) -> None:
    """Remove columns from `tmp_table`, as the `proc_spec` of `rb` says."""
    _drop(ProcSpec.of(rb.proc_spec), tmp_table)


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
        if it is no array of equal-sized arrays.
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
        if there is none.
    """
    import lgdo  # noqa: PLC0415

    obj = table
    for name in path.split("/"):
        if not isinstance(obj, lgdo.Struct) or name not in obj:
            msg = f"proc_spec: there is no '{path}'"
            raise KeyError(msg)
        obj = obj[name]
    return obj


def _window(spec: ProcSpec, source: lgdo.Table, table: lgdo.Table) -> None:
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


def _run_dsp(
    spec: ProcSpec, source: lgdo.Table, table: lgdo.Table, db_dict: dict | None
) -> None:
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
    """Describe a column of waveforms; None if it is none."""
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
    """Say why a `dsp_config` gives nothing; the same only once."""
    cause = error.__cause__
    text = str(error).partition("\n")[0].rstrip(":.") or "a function is missing"
    if cause is not None:
        text += f" ({type(cause).__name__}: {cause})".replace("\n", " ")
    text = f"dsp_config cannot be carried out, its outputs are left out: {text}"
    if isinstance(cause, KeyError) and "input buffer" in text:
        # tables without its columns are none that it is for
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


def _convert(spec: ProcSpec, table: lgdo.Table) -> None:
    for path, dtype in spec.dtype_conv.items():
        try:
            obj = _find(table, path)
        except KeyError:
            log.info("no '%s' to convert", path)
            return
        if not hasattr(obj, "nda"):
            msg = f"dtype_conv: '{path}' is no array"
            raise TypeError(msg)
        obj.nda = obj.nda.astype(dtype)
        if "datatype" in obj.attrs:
            obj.attrs["datatype"] = obj.form_datatype()


def _drop(spec: ProcSpec, table: lgdo.Table) -> None:
    for name in spec.drop:
        path, _, member = name.rpartition("/")
        try:
            parent = _find(table, path) if path else table
            parent.remove_column(member, delete=False)
        except KeyError:
            log.info("no column '%s' to drop", name)
            return
