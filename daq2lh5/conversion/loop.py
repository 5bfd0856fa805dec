"""The loop of a conversion: chunk by chunk from a streamer to the output files."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from ..buffers.append import append_buffer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data_streamer import DataStreamer
    from ..raw_buffer import RawBuffer
    from ..report import ConversionReport
    from .outputs import Outputs

__all__ = ["convert_opened"]

TIME_COLUMNS = ("timestamp", "server_time", "log_time", "unixtime")
"""Columns that say when a row was taken, in the order of preference."""


def convert_opened(
    streamer: DataStreamer,
    header_data: list[RawBuffer],
    outputs: Outputs,
    db_dict: dict | None,
    progress: Callable[[DataStreamer], None] | None,
    check: Callable[[], None],
) -> None:
    """Convert an open stream, and write all its rows to the output files.

    Parameters
    ----------
    streamer, header_data
        the open stream, and the buffers of its header.
    outputs
        takes the rows.
    db_dict
        values for the processing of buffers.
    progress
        called with the streamer after each chunk.
    check
        called after the last row, before files are published.
    """
    report = streamer.report
    # the stages in their order
    report.seconds |= {"read": 0.0, "decode": 0.0}
    outputs.open(streamer.rb_lib, streamer.plan)
    outputs.check_garbage()
    exchange = outputs.pipeline.threads > 1
    _write(header_data, outputs, report, db_dict, exchange=False)
    while True:
        with report.timed("decode"):
            chunk = streamer.read_chunk()
        if not chunk:
            break
        _write(chunk, outputs, report, db_dict, exchange)
        if progress is not None:
            progress(streamer)
    _account_for_rest(streamer)
    for rb in streamer.final_buffers():
        _write_rows(rb, outputs, report, db_dict, exchange)
    check()
    for text in streamer.column_settings.unused():
        report.warn(text)
    report.garbage_file = outputs.write_garbage(streamer.garbage)
    outputs.describe(streamer.describe_columns())
    outputs.complete()
    report.seconds["read"] = streamer.source.read_seconds
    # the header was read before the clock of the decoding ran
    decode = report.seconds["decode"] - report.seconds["read"]
    report.seconds["decode"] = max(0.0, decode)


def _write(
    chunk: list[RawBuffer],
    outputs: Outputs,
    report: ConversionReport,
    db_dict: dict | None,
    exchange: bool,
) -> None:
    """Write the buffers of a chunk, account for their rows, empty them."""
    for rb in chunk:
        if rb.loc:
            _write_rows(rb, outputs, report, db_dict, exchange)
        rb.loc = 0


def _write_rows(
    rb: RawBuffer,
    outputs: Outputs,
    report: ConversionReport,
    db_dict: dict | None,
    exchange: bool,
) -> None:
    """Write the rows of a buffer to its table, if it has one; zero rows too."""
    if not rb.out_stream:
        return
    report.add_rows(rb.place.file, rb.place.path, rb.loc, _times_of(rb))
    processing = report.timed("process") if rb.proc_spec else nullcontext()
    writer = outputs.writer_of(rb.place.file)
    if writer is not None:
        append_buffer(rb, writer, exchange, db_dict, processing)


def _times_of(rb: RawBuffer) -> tuple[float, float] | None:
    """Return the times of the first and the last row; None without such a column."""
    if rb.table is None or not rb.loc:
        return None
    arrays = rb.arrays()
    for name in TIME_COLUMNS:
        if name in arrays:
            return float(arrays[name][0]), float(arrays[name][rb.loc - 1])
    return None


def _account_for_rest(streamer: DataStreamer) -> None:
    """Count the input behind the last requested row as skipped."""
    source, report = streamer.source, streamer.report
    if streamer.rows_left != 0:
        return
    if source.size is not None and source.size > report.n_bytes:
        report.bytes["skipped"] += source.size - report.n_bytes
        report.note("stopped after the rows that were asked for")
    elif not source.at_end:
        report.note("stopped after the rows that were asked for; the rest is not read")
