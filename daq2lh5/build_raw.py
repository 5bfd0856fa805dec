"""Conversion of a DAQ file to LH5: the parts wired together."""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import formats
from .buffer_writing import append_buffer
from .errors import OutSpecError, did_you_mean
from .out_spec import split_out_stream
from .raw_buffer import RawBuffer, RawBufferLibrary, check_processing, files_of
from .reading.magic import without_ending
from .report import ConversionReport, sizeof_fmt
from .source import open_source
from .utils import is_spec_file, load_dict
from .writing.memory import DEFAULT_LIMIT, MIN_LIMIT, default_threads, peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .data_streamer import DataStreamer
    from .output import OutputFiles

log = logging.getLogger(__name__)

__all__ = ["build_raw", "get_streamer", "open_stream", "sizeof_fmt"]

TIME_COLUMNS = ("timestamp", "server_time", "log_time", "unixtime")
"""Columns that say when a row was taken, in the order of preference."""


def get_streamer(
    in_stream: str,
    in_stream_type: str | None = None,
    compass_config_file: str | None = None,
    *,
    compass_layout: str | None = None,
    compass_sampling_period: float | None = None,
    llama_time_zone: str | None = None,
    extra_columns: bool = False,
) -> DataStreamer:
    """Return a streamer for an input, not opened yet.

    Parameters
    ----------
    in_stream
        name of the input: a file, ``-`` for standard input, a named pipe.
    in_stream_type
        name of its format; by default the content decides, or the file name's
        extension if the input cannot be read.
    compass_config_file
        settings file of CoMPASS data, which the input then is.
    compass_layout
        what the records of CoMPASS data without a header have, see
        :meth:`.CompassLayout.parse`; the input then is CoMPASS data.
    compass_sampling_period
        time between samples of CoMPASS data, in ns, where the settings have none; the
        input then is CoMPASS data.
    llama_time_zone
        time zone of the times in the names of llamaDAQ files.
    extra_columns
        write the columns that legend-daq2lh5 lacks, too. lh5 reads files of both
        converters together only without them.

    Raises
    ------
    RuntimeError
        if no format was recognized; the message says what was tried.
    NotImplementedError
        if the format is unknown, or lacks a package that it needs.
    """
    in_stream = os.path.expandvars(in_stream)
    options = {
        "Compass": {
            "compass_config_file": compass_config_file,
            "compass_layout": compass_layout,
            "compass_sampling_period": compass_sampling_period,
        },
        "LlamaDaq": {"llama_time_zone": llama_time_zone},
    }
    if in_stream_type is None and any(
        value is not None for value in options["Compass"].values()
    ):
        in_stream_type = "Compass"

    def make(format_: formats.Format) -> DataStreamer:
        streamer = formats.make_streamer(format_, **options.get(format_.name, {}))
        streamer.extra_columns = extra_columns
        return streamer

    if in_stream_type is not None:
        return make(formats.find(in_stream_type))
    if not formats.can_be_read(in_stream):
        return make(formats.detect(in_stream, None))
    source = open_source(in_stream)
    try:
        streamer = make(formats.detect(in_stream, source))
    except BaseException:
        source.close()
        raise
    # handed on: pipes and standard input can't be opened twice
    streamer.source = source
    return streamer


@contextmanager
def open_stream(
    in_stream: str,
    in_stream_type: str | None = None,
    compass_config_file: str | None = None,
    *,
    compass_layout: str | None = None,
    compass_sampling_period: float | None = None,
    llama_time_zone: str | None = None,
    extra_columns: bool = False,
    **open_kwargs: Any,
) -> Iterator[tuple[DataStreamer, list[RawBuffer]]]:
    """Open an input of any format; it is closed at the end of the ``with`` block.

    Parameters
    ----------
    in_stream, in_stream_type
        see :func:`get_streamer`.
    compass_config_file, compass_layout, compass_sampling_period, llama_time_zone
        see :func:`get_streamer`.
    extra_columns
        see :func:`get_streamer`.
    **open_kwargs
        passed to :meth:`.DataStreamer.open_stream` (`rb_lib`, `buffer_size`,
        `chunk_mode`, `out_stream`).

    Yields
    ------
    streamer
        the streamer, to iterate over.
    header_data
        buffers with the contents of the header.

    Examples
    --------
    >>> with open_stream("run.fcio") as (streamer, header_data):
    ...     n = sum(rb.loc for chunk in streamer for rb in chunk)
    """
    streamer = get_streamer(
        in_stream,
        in_stream_type,
        compass_config_file,
        compass_layout=compass_layout,
        compass_sampling_period=compass_sampling_period,
        llama_time_zone=llama_time_zone,
        extra_columns=extra_columns,
    )
    try:
        header_data = streamer.open_stream(os.path.expandvars(in_stream), **open_kwargs)
    except BaseException:
        # what went wrong first is what the caller must see
        with suppress(Exception):
            streamer.close_stream()
        raise
    try:
        yield streamer, header_data
    finally:
        streamer.close_stream()


def build_raw(
    in_stream: str,
    in_stream_type: str | None = None,
    out_spec: str | dict | RawBufferLibrary | None = None,
    buffer_size: int = 8192,
    n_max: float = float("inf"),
    overwrite: bool = False,
    compass_config_file: str | None = None,
    hdf5_settings: dict[str, Any] | None = None,
    db_dict: dict | None = None,
    *,
    compass_layout: str | None = None,
    compass_sampling_period: float | None = None,
    llama_time_zone: str | None = None,
    extra_columns: bool = False,
    threads: int | None = None,
    memory_limit: int = DEFAULT_LIMIT,
    **kwargs: Any,
) -> ConversionReport:
    """Convert a DAQ file to LH5.

    Output files appear under their names only when they are complete; if anything goes
    wrong none does, and an older file is left as it was.

    Parameters
    ----------
    in_stream
        name of the input: a file, ``-`` for standard input, a named pipe. Environment
        variables are expanded.
    in_stream_type
        name of its format; by default the content decides.
    out_spec
        what to write where:

        - None: everything, to the input's name with the extension ``lh5``;
        - the name of a file: everything, to that file;
        - the name of a JSON or YAML file, or a dictionary: see
          :meth:`.RawBufferLibrary.set_from_dict`;
        - a :class:`.RawBufferLibrary`.
    buffer_size
        largest number of rows of a buffer.
    n_max
        convert only the first so many rows, of all tables but the headers together.
    overwrite
        replace output files that exist.
    compass_config_file
        settings file of CoMPASS data; by default one beside the data is looked for.
    hdf5_settings
        how files and datasets are written: arguments of :class:`h5py.File` and
        ``create_dataset``. By default datasets are shuffled and compressed by gzip.
    db_dict
        values for the processing of buffers, by the names of tables or groups.
    compass_layout
        what the records of CoMPASS data without a header have, see
        :meth:`.CompassLayout.parse`; by default they are looked at.
    compass_sampling_period
        time between samples of CoMPASS data, in ns, of boards for which the settings
        have none; by default that of the board's model.
    llama_time_zone
        time zone of the times in the names of llamaDAQ files, such as
        ``"Europe/Rome"``; by default UTC.
    extra_columns
        see :func:`get_streamer`.
    threads
        number of threads that compress, by default that of the cores which this process
        may use; with 1 the caller's does everything, with more than 2 one more reads
        ahead. The files are the same.
    memory_limit
        bytes that buffers and queues may take together.
    **kwargs
        values of keywords in the output specification.

    Returns
    -------
    report
        what became of every byte of the input.

    Raises
    ------
    FileNotFoundError
        if the input does not exist.
    FileExistsError
        if an output file exists and `overwrite` is false.
    ValueError
        if the output specification contradicts itself or selects nothing, or
        `buffer_size` is too small for a packet.
    RuntimeError
        if the format is not recognized, or nothing can be decoded.
    """
    report = convert(
        in_stream,
        in_stream_type=in_stream_type,
        out_spec=out_spec,
        buffer_size=buffer_size,
        n_max=n_max,
        overwrite=overwrite,
        compass_config_file=compass_config_file,
        hdf5_settings=hdf5_settings,
        db_dict=db_dict,
        compass_layout=compass_layout,
        compass_sampling_period=compass_sampling_period,
        llama_time_zone=llama_time_zone,
        extra_columns=extra_columns,
        threads=threads,
        memory_limit=memory_limit,
        keywords=kwargs,
    )
    log.info("%s", "\n".join(report.lines()))
    return report


def convert(
    in_stream: str,
    *,
    in_stream_type: str | None = None,
    out_spec: str | dict | RawBufferLibrary | None = None,
    buffer_size: int = 8192,
    n_max: float = float("inf"),
    overwrite: bool = False,
    compass_config_file: str | None = None,
    hdf5_settings: dict[str, Any] | None = None,
    db_dict: dict | None = None,
    compass_layout: str | None = None,
    compass_sampling_period: float | None = None,
    llama_time_zone: str | None = None,
    extra_columns: bool = False,
    threads: int | None = None,
    memory_limit: int = DEFAULT_LIMIT,
    keywords: dict[str, Any] | None = None,
    progress: Callable[[DataStreamer], None] | None = None,
    report: ConversionReport | None = None,
) -> ConversionReport:
    """Convert a DAQ file; see :func:`build_raw`.

    Parameters
    ----------
    progress
        called with the streamer after each chunk.
    report
        report to fill: it is of use to the caller even if the conversion fails.
    """
    start = time.perf_counter()
    in_stream = os.path.expandvars(os.fspath(in_stream))
    if in_stream != "-" and not os.path.exists(in_stream.removeprefix("file://")):
        msg = f"input file {in_stream} not found"
        raise FileNotFoundError(msg)
    _check_at_least("buffer_size", buffer_size, 1)
    _check_at_least("n_max", n_max, 0)
    _check_at_least("memory_limit", memory_limit, MIN_LIMIT)
    if threads is None:
        threads = default_threads()
    _check_at_least("threads", threads, 1)
    keywords = keywords or {}
    out_spec = _load_out_spec(out_spec)
    unused = _unused_keywords(keywords, out_spec)
    rb_lib, out_file = _read_out_spec(out_spec, in_stream, keywords)

    from .output import OutputFiles  # noqa: PLC0415  (imports h5py)

    streamer = get_streamer(
        in_stream,
        in_stream_type,
        compass_config_file,
        compass_layout=compass_layout,
        compass_sampling_period=compass_sampling_period,
        llama_time_zone=llama_time_zone,
        extra_columns=extra_columns,
    )
    if report is not None:
        report.format = streamer.report.format
        streamer.report = report
    report = streamer.report
    streamer.memory_limit = memory_limit
    # two cores are busy with compressing: a thread more gained nothing there
    streamer.read_ahead = threads > 2
    # the user may look at buffers of his own
    streamer.to_files_only = not isinstance(out_spec, RawBufferLibrary)
    outputs = OutputFiles(overwrite, [in_stream], hdf5_settings, threads)
    try:
        with outputs:
            outputs.check([out_file] if rb_lib is None else files_of(rb_lib))
            header_data = streamer.open_stream(
                in_stream,
                rb_lib=rb_lib,
                buffer_size=buffer_size,
                chunk_mode="only_full",
                out_stream=out_file,
            )
            _check_selection(streamer, rb_lib)
            if n_max != float("inf"):
                streamer.rows_left = int(n_max)
            for name in unused:
                report.warn(f"there is no use for the argument '{name}'")
            check = partial(_check_selection, streamer, rb_lib)
            _convert_opened(streamer, header_data, outputs, db_dict, progress, check)
    finally:
        # an interruption may have hit the first attempt to clean up
        outputs.discard()
        with suppress(Exception):
            streamer.close_stream()
    report.seconds["total"] = time.perf_counter() - start
    report.peak_memory = peak_memory()
    return report


def _check_selection(streamer: DataStreamer, rb_lib: RawBufferLibrary | None) -> None:
    """Refuse a specification that selects nothing; of some only the end tells."""
    if rb_lib is not None and not streamer.selects_anything:
        msg = "the output specification selects nothing of this stream"
        raise OutSpecError(msg)


def _check_at_least(name: str, value: float, least: int) -> None:
    if value < least:
        msg = f"bad {name} {value}: at least {least}"
        raise ValueError(msg)


def _convert_opened(
    streamer: DataStreamer,
    header_data: list[RawBuffer],
    outputs: OutputFiles,
    db_dict: dict | None,
    progress: Callable[[DataStreamer], None] | None,
    check: Callable[[], None],
) -> None:
    """Write everything that a streamer gives, check it, and complete the files."""
    report = streamer.report
    # the stages in their order
    report.seconds |= {"read": 0.0, "decode": 0.0}
    outputs.open(streamer.rb_lib, streamer.plan)
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
    check()
    if len(streamer.garbage):
        outputs.write_garbage(streamer.garbage)
    outputs.describe(streamer.describe_columns())
    outputs.complete()
    report.seconds["read"] = streamer.source.read_seconds
    # the header was read before the clock of the decoding ran
    decode = report.seconds["decode"] - report.seconds["read"]
    report.seconds["decode"] = max(0.0, decode)
    outputs.finish(report)


def _load_out_spec(
    out_spec: str | os.PathLike[str] | dict | RawBufferLibrary | None,
) -> str | dict | RawBufferLibrary | None:
    """Return the content of an output specification that is in a file."""
    if not isinstance(out_spec, (str, os.PathLike)):
        return out_spec
    out_spec = os.path.expandvars(os.fspath(out_spec))
    if not is_spec_file(out_spec):
        return out_spec
    content = load_dict(out_spec)
    if not isinstance(content, dict):
        msg = f"{out_spec} is not an output specification"
        raise OutSpecError(msg)
    return content


def _unused_keywords(keywords: dict[str, Any], out_spec: Any) -> list[str]:
    """Return the keywords that the specification has no place for."""
    text = repr(out_spec)
    return [k for k in keywords if k != "orig_basename" and "{" + k not in text]


def _read_out_spec(
    out_spec: str | dict | RawBufferLibrary | None,
    in_stream: str,
    keywords: dict[str, Any],
) -> tuple[RawBufferLibrary | None, str]:
    """Return the library that the user asks for, or the file for everything."""
    if out_spec is None:
        if in_stream == "-":
            msg = "standard input has no name for the output: give one (out_spec, -o)"
            raise OutSpecError(msg)
        return None, default_output(in_stream)
    if isinstance(out_spec, str):
        return None, out_spec
    if not isinstance(out_spec, dict):
        msg = f"out_spec is a {type(out_spec).__name__}: neither name nor dictionary"
        raise TypeError(msg)
    if not isinstance(out_spec, RawBufferLibrary):
        check_decoder_names(out_spec)
        out_spec = RawBufferLibrary(config=out_spec, kw_dict=keywords)
    if not any(rb.out_stream for _, rb in out_spec.buffers()):
        msg = "no buffer of the output specification has an out_stream"
        raise OutSpecError(msg)
    for _, rb in out_spec.buffers():
        check_processing(rb)
    return out_spec, ""


def default_output(in_stream: str) -> str:
    """Return the input's name with the extension ``lh5`` instead of its own.

    Of a compressed file's name both extensions go.
    """
    path = without_ending(Path(in_stream.removeprefix("file://")))
    return str(path.with_suffix("")) + ".lh5"


def check_decoder_names(out_spec: dict) -> None:
    """Refuse names that no format has a decoder for.

    Raises
    ------
    OutSpecError
        with the nearest name that there is.
    """
    known = formats.known_decoders()
    for name in out_spec:
        if name != "*" and name not in known:
            hint = did_you_mean(str(name), known)
            msg = f"no format has a decoder '{name}'{hint}"
            raise OutSpecError(msg)


def _write(
    chunk: list[RawBuffer],
    outputs: OutputFiles,
    report: ConversionReport,
    db_dict: dict | None,
    exchange: bool,
) -> None:
    """Write the buffers of a chunk, account for their rows, empty them."""
    for rb in chunk:
        if not rb.out_stream or rb.loc == 0:
            rb.loc = 0
            continue
        file, group = split_out_stream(rb.out_stream)
        table = f"{group.strip('/')}/{rb.out_name}".lstrip("/")
        report.add_rows(file, table, rb.loc, _times_of(rb))
        processing = report.timed("process") if rb.proc_spec else nullcontext()
        append_buffer(rb, outputs.writer_of(file), group, exchange, db_dict, processing)
        rb.loc = 0


def _times_of(rb: RawBuffer) -> tuple[float, float] | None:
    """Return the times of the first and the last row, where rows have one."""
    if rb._table is None:
        return None
    arrays = rb._arrays()
    for name in TIME_COLUMNS:
        if name in arrays:
            return float(arrays[name][0]), float(arrays[name][rb.loc - 1])
    return None


def _account_for_rest(streamer: DataStreamer) -> None:
    """Account for what was not read because enough rows were."""
    source, report = streamer.source, streamer.report
    if streamer.rows_left != 0:
        return
    if source.size is not None and source.size > report.n_bytes:
        report.bytes["skipped"] += source.size - report.n_bytes
        report.note("stopped after the rows that were asked for")
    elif not source.at_end:
        report.note("stopped after the rows that were asked for; the rest is not read")
