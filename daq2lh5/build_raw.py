"""Conversion of a DAQ file to LH5: the parts wired together."""

from __future__ import annotations

import inspect
import logging
import os
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from . import formats
from .conversion.arguments import (
    Input,
    check_options,
    names_of,
    number_or_all,
    whole_number,
    yes_or_no,
)
from .conversion.loop import convert_opened
from .conversion.provenance import FileHash, common_folder, file_entry, provenance_of
from .conversion.targets import Target, target_of
from .errors import OutSpecError
from .reading.joined import open_joined
from .reading.source import open_source
from .report import ConversionReport, sizeof_fmt
from .resources.memory import (
    DEFAULT_LIMIT,
    MIN_LIMIT,
    default_threads,
    parse_size,
    peak_memory,
)
from .selection.column_settings import ColumnSettings
from .writing.merging import merge_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conversion.channel_maps import ChannelMaps
    from .conversion.outputs import Outputs
    from .conversion.targets import OutSpecs
    from .data_streamer import DataStreamer
    from .raw_buffer import RawBuffer, RawBufferLibrary

log = logging.getLogger(__name__)

__all__ = ["build_raw", "get_streamer", "open_stream", "sizeof_fmt"]


def get_streamer(
    in_stream: Input,
    in_stream_type: str | None = None,
    compass_config_file: str | os.PathLike[str] | None = None,
    *,
    extra_columns: bool = False,
    **options: Any,
) -> DataStreamer:
    """Return a streamer for an input, not opened yet.

    Parameters
    ----------
    in_stream
        name of the input: a file, ``-`` for standard input, a named pipe; or a list of
        names, of files that continue each other, which are read as one stream.
    in_stream_type
        name of its format; by default the content decides, or the file name's
        extension if the input cannot be read.
    compass_config_file
        settings file of CoMPASS data, which the input then is.
    extra_columns
        write the columns that legend-daq2lh5 lacks, too. lh5 reads files of both
        converters together only without them.
    **options
        options of one format: ``daq2lh5 formats`` lists them. Those of CoMPASS imply
        that the input is CoMPASS data.

    Raises
    ------
    RuntimeError
        if no format was recognized; the message says what was tried.
    NotImplementedError
        if the format is unknown, or lacks a package that it needs.
    TypeError
        if an option is unknown, or has a wrong type.
    """
    names = names_of(in_stream)
    in_stream = names[0]
    check_options({"in_stream_type": in_stream_type})
    unknown = next((name for name in options if name not in formats.OPTIONS), None)
    if unknown is not None:
        msg = f"get_streamer() got an unexpected keyword argument '{unknown}'"
        raise TypeError(msg)
    given = {"compass_config_file": compass_config_file} | options
    options = formats.check_options(given)
    for name, value in options.items():
        format_, option = formats.OPTIONS[name]
        if in_stream_type is None and option.names_format and value is not None:
            in_stream_type = format_.name

    def make(format_: formats.Format) -> DataStreamer:
        own = {o.name: options.get(o.name) for o in format_.options}
        streamer = formats.make_streamer(format_, **own)
        streamer.extra_columns = extra_columns
        return streamer

    if len(names) > 1:
        return _streamer_of_several(names, in_stream_type, make)
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


def _streamer_of_several(
    names: list[str],
    in_stream_type: str | None,
    make: Callable[[formats.Format], DataStreamer],
) -> DataStreamer:
    """Return a streamer for files that continue each other."""
    source = open_joined(names)
    try:
        if in_stream_type is None:
            format_ = formats.detect(names[0], source)
        else:
            format_ = formats.find(in_stream_type)
        formats.check_joined(names, format_, is_given=in_stream_type is not None)
        streamer = make(format_)
    except BaseException:
        source.close()
        raise
    streamer.source = source
    return streamer


def _show_options(function: Callable) -> None:
    """Show the options of formats as parameters in the signature of a function."""
    signature = inspect.signature(function)
    *given, _ = signature.parameters.values()
    known = {p.name for p in given}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        for name in formats.OPTIONS
        if name not in known
    ]
    function.__signature__ = signature.replace(parameters=[*given, *added])


_show_options(get_streamer)


def _take_options(keywords: dict[str, Any]) -> dict[str, Any]:
    """Take the options of formats out of other keywords."""
    return {name: keywords.pop(name) for name in [*keywords] if name in formats.OPTIONS}


def _of_other_formats(name: str, options: dict[str, Any]) -> list[str]:
    """Return the given options that belong to other formats than `name`."""
    return [
        option
        for option, value in options.items()
        if value is not None and formats.OPTIONS[option][0].name != name
    ]


@contextmanager
def open_stream(
    in_stream: Input,
    in_stream_type: str | None = None,
    compass_config_file: str | os.PathLike[str] | None = None,
    *,
    extra_columns: bool = False,
    **open_kwargs: Any,
) -> Iterator[tuple[DataStreamer, list[RawBuffer]]]:
    """Open an input of any format; it is closed at the end of the ``with`` block.

    Parameters
    ----------
    in_stream, in_stream_type, compass_config_file, extra_columns
        see :func:`get_streamer`.
    **open_kwargs
        options of one format, see :func:`get_streamer`; all others are passed to
        :meth:`.DataStreamer.open_stream` (`rb_lib`, `buffer_size`, `chunk_mode`,
        `out_stream`).

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
        extra_columns=extra_columns,
        **_take_options(open_kwargs),
    )
    try:
        header_data = streamer.open_stream(names_of(in_stream)[0], **open_kwargs)
    except BaseException:
        # the caller must see the first error
        with suppress(Exception):
            streamer.close_stream()
        raise
    try:
        yield streamer, header_data
    finally:
        streamer.close_stream()


def build_raw(
    in_stream: Input,
    in_stream_type: str | None = None,
    out_spec: OutSpecs = None,
    buffer_size: int = 8192,
    n_max: float | None = float("inf"),
    overwrite: bool = False,
    compass_config_file: str | os.PathLike[str] | None = None,
    hdf5_settings: dict[str, Any] | None = None,
    db_dict: dict | None = None,
    *,
    channel_map: ChannelMaps = None,
    column_settings: dict[str, Any] | None = None,
    extra_columns: bool = False,
    threads: int | None = None,
    memory_limit: int | str = DEFAULT_LIMIT,
    verify_compression: bool = False,
    hash_input: bool = False,
    **kwargs: Any,
) -> ConversionReport:
    """Convert a DAQ file to LH5.

    Output files appear under their names when all are complete; after an error none
    appears, and older files stay as they were.

    Parameters
    ----------
    in_stream
        name of the input: a file, ``-`` for standard input, a named pipe; or a list of
        names, of files that continue each other, which are converted as one stream. In
        this and all other paths ``~`` and environment variables are expanded.
    in_stream_type
        name of its format; by default the content decides.
    out_spec
        which data to write, and where:

        - None: everything, to the input's name with the extension ``lh5``;
        - the name of a file: everything, to that file;
        - the name of a JSON, YAML or TOML file, or a dictionary: see
          :meth:`.RawBufferLibrary.set_from_dict`;
        - a list of such files and dictionaries: they are merged, see
          :ref:`fragments`;
        - a :class:`.RawBufferLibrary`, which is not changed.
    buffer_size
        largest number of rows of a buffer.
    n_max
        convert only the first so many rows, of all tables but the headers together;
        None for all.
    overwrite
        replace output files that exist.
    compass_config_file
        settings file of CoMPASS data; by default one beside the data is looked for.
    hdf5_settings
        how files and datasets are written: arguments of :class:`h5py.File` and
        ``create_dataset``. By default datasets are shuffled and compressed by gzip.
    db_dict
        values for the processing of buffers, by the names of tables or groups.
    channel_map
        names and systems of channels, by which `out_spec` names and selects them: a
        dictionary, the name of a JSON, YAML or TOML file, or of a directory and a time
        (``channelmaps@20230311T235840Z``), see :ref:`channel-maps`.
    column_settings
        settings of single columns, by their path in the table (``"baseline"``,
        ``"waveform/values"``), also behind the name of a table or decoder and a slash:
        dictionaries as `hdf5_settings`, or a codec of waveforms. See
        :ref:`column-settings`.
    extra_columns
        see :func:`get_streamer`.
    threads
        number of threads that compress; by default the number of cores that this
        process may use. With 1 the caller's thread does everything, with more than 2
        another thread reads ahead. The files are the same.
    memory_limit
        bytes that buffers and queues may take together, also as text: ``"512M"``.
    verify_compression
        decompress each compressed chunk and compare: see :ref:`verify-compression`.
    hash_input
        compute the SHA-256 of the input file, for the :ref:`provenance <provenance>`.
    **kwargs
        options of one format, see :func:`get_streamer`; all others are values of
        keywords in the output specification.

    Returns
    -------
    report
        report on every byte of the input.

    Raises
    ------
    FileNotFoundError
        if the input does not exist.
    FileExistsError
        if an output file exists and `overwrite` is false.
    ValueError
        if the output specification is invalid or selects nothing, or `buffer_size` is
        too small for a packet.
    TypeError
        if an argument has a wrong type.
    RuntimeError
        if the format is not recognized, or nothing can be decoded.
    VerificationError
        if `verify_compression` finds a chunk that cannot be read back.
    """
    options = _take_options(kwargs)
    report = convert(
        in_stream,
        in_stream_type=in_stream_type,
        out_spec=out_spec,
        channel_map=channel_map,
        buffer_size=buffer_size,
        n_max=n_max,
        overwrite=overwrite,
        hdf5_settings=hdf5_settings,
        db_dict=db_dict,
        column_settings=column_settings,
        options={"compass_config_file": compass_config_file} | options,
        extra_columns=extra_columns,
        threads=threads,
        memory_limit=memory_limit,
        verify_compression=verify_compression,
        hash_input=hash_input,
        keywords=kwargs,
    )
    log.info("%s", "\n".join(report.lines()))
    return report


def convert(
    in_stream: Input,
    *,
    in_stream_type: str | None = None,
    out_spec: OutSpecs | Target = None,
    channel_map: ChannelMaps = None,
    buffer_size: int = 8192,
    n_max: float | None = float("inf"),
    overwrite: bool = False,
    hdf5_settings: dict[str, Any] | None = None,
    db_dict: dict | None = None,
    column_settings: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    extra_columns: bool = False,
    threads: int | None = None,
    memory_limit: int | str = DEFAULT_LIMIT,
    verify_compression: bool = False,
    hash_input: bool = False,
    keywords: dict[str, Any] | None = None,
    progress: Callable[[DataStreamer], None] | None = None,
    report: ConversionReport | None = None,
    outputs: Outputs | None = None,
) -> ConversionReport:
    """Convert a DAQ file; see :func:`build_raw`.

    Parameters
    ----------
    options
        options of one format, see :func:`get_streamer`.
    keywords
        values of keywords in the output specification.
    progress
        called with the streamer after each chunk.
    report
        report to fill; after an error it says how far the conversion got.
    outputs
        takes the rows; by default they are written to files.
    """
    start = time.perf_counter()
    names = names_of(in_stream)
    for name in names:
        if name != "-" and not os.path.exists(name.removeprefix("file://")):
            msg = f"input file {name} not found"
            raise FileNotFoundError(msg)
    in_stream = names[0]
    buffer_size = whole_number("buffer_size", buffer_size, 1)
    rows_wanted = number_or_all("n_max", n_max)
    if isinstance(memory_limit, str):
        memory_limit = parse_size(memory_limit)
    memory_limit = whole_number("memory_limit", memory_limit, MIN_LIMIT)
    threads = default_threads() if threads is None else threads
    threads = whole_number("threads", threads, 1)
    overwrite = yes_or_no("overwrite", overwrite)
    verify = yes_or_no("verify_compression", verify_compression)
    check_options(
        {
            "hdf5_settings": hdf5_settings,
            "db_dict": db_dict,
            "column_settings": column_settings,
        }
    )
    target = out_spec
    if not isinstance(target, Target):
        target = target_of(out_spec, in_stream, keywords or {}, channel_map)

    from .publishing.output_files import OutputFiles  # noqa: PLC0415  (imports h5py)

    options = options or {}
    extra_columns = yes_or_no("extra_columns", extra_columns)
    streamer = get_streamer(
        names, in_stream_type, extra_columns=extra_columns, **options
    )
    file_hash: FileHash | None = None
    try:
        if report is not None:
            report.format = streamer.report.format
            streamer.report = report
        report = streamer.report
        report.folder = common_folder(target)
        report.provenance = provenance_of(
            names,
            target,
            {
                "in_stream_type": in_stream_type,
                "buffer_size": buffer_size,
                "n_max": rows_wanted,
                "hdf5_settings": hdf5_settings,
                "db_dict": db_dict,
                "column_settings": column_settings,
                "extra_columns": extra_columns,
                "options": options,
            },
        )
        streamer.memory_limit = memory_limit
        streamer.column_settings = ColumnSettings(
            column_settings or {}, target.settings.column_settings
        )
        # with two cores, which compress, reading ahead gained nothing
        streamer.read_ahead = threads > 2
        streamer.to_files_only = True
        if outputs is None:
            settings = merge_settings(
                target.settings.hdf5_settings, hdf5_settings or {}
            )
            outputs = OutputFiles(overwrite, names, settings, threads, verify)
        with outputs:
            outputs.check(target.files)
            header_data = streamer.open_stream(
                in_stream,
                rb_lib=target.rb_lib,
                buffer_size=buffer_size,
                chunk_mode="only_full",
                out_stream=target.file,
            )
            if streamer.settings_file is not None:
                found = file_entry(streamer.settings_file)
                report.provenance["settings_file"] = found
            _check_selection(streamer, target.rb_lib)
            if rows_wanted is not None:
                streamer.rows_left = rows_wanted
            if hash_input and all(map(os.path.isfile, names)):
                file_hash = FileHash(names)
            elif hash_input:
                report.warn("no SHA-256 of the input: only files can be read twice")
            for name in target.unused:
                report.warn(f"keyword '{name}' is not used by out_spec")
            for name in _of_other_formats(report.format, options):
                format_, _ = formats.OPTIONS[name]
                report.warn(
                    f"option '{name}' is not used: it is for {format_.name} data, and "
                    f"the input is {report.format}"
                )
            check = partial(_check_selection, streamer, target.rb_lib)
            convert_opened(streamer, header_data, outputs, db_dict, progress, check)
            if file_hash is not None:
                first, *others = file_hash.result()
                report.provenance["input"]["sha256"] = first
                for entry, digest in zip(
                    report.provenance.get("continued_by", []), others, strict=True
                ):
                    entry["sha256"] = digest
            rows = (
                t.rows for tables in report.tables.values() for t in tables.values()
            )
            if streamer.plan.changes_output(max(rows, default=0), report.n_bytes):
                report.provenance["memory_limit"] = memory_limit
            outputs.finish(report)
    finally:
        if file_hash is not None:
            file_hash.stop()
        if outputs is not None:
            # an interruption may have hit the first attempt to clean up
            outputs.discard()
        with suppress(Exception):
            streamer.close_stream()
    report.seconds["total"] = time.perf_counter() - start
    report.peak_memory = peak_memory()
    return report


def _check_selection(streamer: DataStreamer, rb_lib: RawBufferLibrary | None) -> None:
    """Check that the specification selects something, as far as that is known."""
    if rb_lib is not None and not streamer.selects_anything:
        msg = "the output specification selects nothing of this stream"
        raise OutSpecError(msg)
