"""Processing of buffers by their ``proc_spec``: the public functions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..processing.spec import ProcSpec
from ..processing.steps import (
    apply_window,
    convert_dtypes,
    drop_columns,
    process_rows,
    process_windowed_t0,
    run_dsp,
    window_array_of_arrays,
)
from ..writing.codecs import use_lh5_codecs

if TYPE_CHECKING:
    import lgdo

    from ..raw_buffer import RawBuffer

log = logging.getLogger(__name__)

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
        run a processing chain of dspeed on the columns of the buffer, and add its
        outputs. A dictionary, or the name of a JSON or YAML file.
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
        a table of the filled rows, or of all rows if `rb.loc` is 0. It shares the
        arrays that the processing leaves unchanged with the buffer. Data other than
        tables are returned as they are.

    Raises
    ------
    OutSpecError
        (a ValueError) if the specification is invalid.
    KeyError
        if settings are for a missing column.
    TypeError
        if an operation cannot be applied to a column of this kind.
    ModuleNotFoundError
        if dspeed is needed and not installed.
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


def process_window(rb: RawBuffer, tmp_table: lgdo.Table) -> None:
    """Add the window that the `proc_spec` of `rb` asks for to `tmp_table`."""
    apply_window(ProcSpec.of(rb.proc_spec), rb.lgdo, tmp_table)


def process_dsp(
    rb: RawBuffer, tmp_table: lgdo.Table, db_dict: dict | None = None
) -> None:
    """Add the results of the `dsp_config` of `rb` to `tmp_table`."""
    run_dsp(ProcSpec.of(rb.proc_spec), rb.lgdo, tmp_table, db_dict)


def process_dtype_conv(rb: RawBuffer, tmp_table: lgdo.Table) -> None:
    """Convert arrays of `tmp_table` in place, as the `proc_spec` of `rb` says."""
    convert_dtypes(ProcSpec.of(rb.proc_spec), tmp_table)


def process_drop(rb: RawBuffer, tmp_table: lgdo.Table) -> None:
    """Remove columns from `tmp_table`, as the `proc_spec` of `rb` says."""
    drop_columns(ProcSpec.of(rb.proc_spec), tmp_table)
