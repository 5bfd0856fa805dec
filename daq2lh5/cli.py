"""The command lines ``daq2lh5``, and ``legend-daq2lh5`` as of that package.

Exit statuses: 0 all bytes of the input good; 1 failed, no output; 2 wrong usage or
configuration, no output; 3 converted, but the input breaks rules of its format; 128 and
the number of the signal if interrupted.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ._version import __version__
from .command.arguments import (
    UsageError,
    check_inputs,
    message_of,
    parse_kwargs,
    parse_limit,
)
from .command.run import (
    EXIT_DAMAGED,
    EXIT_FAILED,
    EXIT_USAGE,
    attempt,
    leave,
    open_standard_streams,
    run,
    say,
    show_report,
    tell,
)
from .resources.interruption import check_interruption
from .resources.paths import expand_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


CONTEXT = {"help_option_names": ["-h", "--help"]}


def _options(
    *options: Callable[[Callable], Callable],
) -> Callable[[Callable], Callable]:
    """Return a decorator that gives several options to a command, in this order."""

    def decorate(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_with_resources = _options(
    click.option(
        "-j",
        "--threads",
        type=click.IntRange(min=1),
        help="Threads that compress (default: one per core; 1: no extra thread).",
    ),
    click.option(
        "--memory-limit",
        metavar="SIZE",
        default="1G",
        show_default=True,
        help="Memory for buffers and queues together, for instance 512M.",
    ),
)
_with_channel_map = click.option(
    "--channel-map",
    metavar="NAME",
    help="JSON or YAML file with the names and systems of channels, or a dbetto data "
    "base and a time: DIR@20230311T235840Z. Specifications select from it.",
)
_with_batch = _options(
    click.option(
        "-J",
        "--jobs",
        type=click.IntRange(min=1),
        help="Convert so many files at a time, which share threads and memory.",
    ),
    click.option(
        "--skip-existing",
        is_flag=True,
        help="Skip files whose output is complete, newer than input and made with the "
        "same settings; replace other outputs.",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="Say what would be converted and skipped, and why; do nothing.",
    ),
    click.option(
        "--fail-fast", is_flag=True, help="Stop after the first file that fails."
    ),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Try files that failed again, so many times.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Stop the conversion of a file after this time, as failed.",
    ),
    click.option(
        "--scheduler",
        metavar="local|ADDRESS",
        help="Convert on a Dask cluster: of processes on this computer, or with the "
        "scheduler at this address (tcp://HOST:PORT).",
    ),
)
_with_verification = click.option(
    "--verify-compression",
    is_flag=True,
    help="Decompress each compressed chunk and compare, which takes longer.",
)
_with_verbosity = _options(
    click.option("-v", "--verbose", is_flag=True, help="More messages, with times."),
    click.option("-q", "--quiet", is_flag=True, help="Errors only."),
)
_with_debug = click.option(
    "--debug", is_flag=True, help="All messages, with tracebacks."
)


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="daq2lh5")
def main() -> None:
    """Convert digitizer (DAQ) files to LEGEND HDF5 (LH5)."""
    open_standard_streams()


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "--out-spec",
    multiple=True,
    help="Output file, directory, or JSON, YAML or TOML file with an output "
    "specification. '{orig_basename}' stands for the input's name without its "
    "extension. Several specifications (-o A -o B) are merged; later ones win.",
)
@_with_channel_map
@click.option("-t", "--stream-type", help="Format of the input (see: daq2lh5 formats).")
@click.option(
    "-b",
    "--buffer-size",
    type=click.IntRange(min=1),
    default=8192,
    show_default=True,
    help="Largest number of rows of a buffer.",
)
@click.option(
    "-n",
    "--max-rows",
    type=click.IntRange(min=0),
    help="Convert only this many rows, from the start.",
)
@click.option("-w", "--overwrite", is_flag=True, help="Replace output files.")
@click.option(
    "--join",
    is_flag=True,
    help="Convert all FILEs, in numeric order, as one stream to one output.",
)
@_with_resources
@click.option(
    "--checksum", is_flag=True, help="Store a checksum (Fletcher-32) with each chunk."
)
@_with_verification
@click.option(
    "--extra-columns",
    is_flag=True,
    help="Also write columns that legend-daq2lh5 lacks.",
)
@click.option(
    "--hash",
    "hash_input",
    is_flag=True,
    help="Store the SHA-256 of the input in the outputs.",
)
@click.option(
    "-k",
    "--kwargs",
    default="{}",
    metavar="JSON",
    help="Further arguments of build_raw (hdf5_settings, column_settings, db_dict, "
    "options of a format), and keywords of the output specification.",
)
@_with_batch
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write the full report as JSON, a line for each input ('-': to stdout).",
)
@_with_verbosity
@click.version_option(__version__, prog_name="daq2lh5")
@_with_debug
def convert(
    files: tuple[str, ...],
    out_spec: tuple[str, ...],
    channel_map: str | None,
    stream_type: str | None,
    buffer_size: int,
    max_rows: int | None,
    overwrite: bool,
    join: bool,
    threads: int | None,
    memory_limit: str,
    checksum: bool,
    verify_compression: bool,
    extra_columns: bool,
    hash_input: bool,
    kwargs: str,
    jobs: int | None,
    skip_existing: bool,
    dry_run: bool,
    fail_fast: bool,
    retries: int,
    timeout: float | None,
    scheduler: str | None,
    json_file: str | None,
    verbose: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Convert FILEs to LH5 ('-': standard input).

    A directory stands for the DAQ files in it, @LIST for the names in the file LIST,
    one per line. With --jobs or another option of batches each file gets one line.

    Compressed files (gzip, bzip2, xz, zstd) and formats are recognized by content.
    The exit status is 0 if all of the input was good, 3 if it was converted but is
    damaged in places, 1 if a conversion failed, 2 if the arguments are wrong.
    """
    with _batch_of(
        jobs=jobs,
        skip_existing=skip_existing,
        dry_run=dry_run,
        fail_fast=fail_fast,
        retries=retries,
        timeout=timeout,
        scheduler=scheduler,
    ) as batch:
        status = run(
            files,
            out_spec=out_spec,
            channel_map=channel_map,
            stream_type=stream_type,
            buffer_size=buffer_size,
            max_rows=max_rows,
            overwrite=overwrite,
            threads=threads,
            memory_limit=memory_limit,
            checksum=checksum,
            verify_compression=verify_compression,
            extra_columns=extra_columns,
            hash_input=hash_input,
            join=join,
            kwargs=kwargs,
            batch=batch,
            json_file=json_file,
            level=_level(verbose, quiet),
            quiet=quiet,
            verbose=verbose or debug,
            debug=debug,
        )
    leave(status)


@main.command()
@click.argument("file", metavar="FILE.lh5")
@click.option(
    "-s",
    "--spec",
    required=True,
    metavar="SPEC",
    help="JSON, YAML or TOML file with an output specification whose buffers have a "
    "proc_spec, or with a proc_spec alone, for all tables with waveforms.",
)
@_with_channel_map
@click.option(
    "-o", "--output", metavar="FILE", help="Output file (default: FILE_proc.lh5)."
)
@click.option("-w", "--overwrite", is_flag=True, help="Replace the output file.")
@_with_resources
@_with_verification
@click.option(
    "-k",
    "--kwargs",
    default="{}",
    metavar="JSON",
    help="'db_dict' and 'hdf5_settings', as for build_raw.",
)
@_with_verbosity
@_with_debug
def process(
    file: str,
    spec: str,
    channel_map: str | None,
    output: str | None,
    overwrite: bool,
    threads: int | None,
    memory_limit: str,
    verify_compression: bool,
    kwargs: str,
    verbose: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Process the tables of a raw LH5 file into another file.

    Windows, presummed waveforms, types, codecs: every operation of the proc_spec of an
    output specification. All other objects are copied. The exit status is 0, 1 if it
    failed, 2 if the arguments are wrong.
    """
    from . import logging as our_logging  # noqa: PLC0415  (--help needs none)
    from .report import ConversionReport  # noqa: PLC0415

    our_logging.setup(logging.DEBUG if debug else _level(verbose, quiet))
    try:
        options = parse_kwargs(kwargs)
        for name in options:
            if name not in ("db_dict", "hdf5_settings"):
                msg = f"'{name}' in --kwargs: expected db_dict or hdf5_settings"
                raise UsageError(msg)
        limit = parse_limit(memory_limit)
        (file,), (spec,) = check_inputs((file,)), check_inputs((spec,))
        output = None if output is None else expand_path(output)
    except (UsageError, ValueError) as e:
        say(f"error: {message_of(e)}")
        leave(EXIT_USAGE)
    report = ConversionReport(source=file)

    def work() -> None:
        from .buffer_processor.lh5_buffer_processor import (  # noqa: PLC0415
            process_file,
        )
        from .conversion.channel_maps import load_channel_map  # noqa: PLC0415

        process_file(
            file,
            spec,
            output,
            channel_map=load_channel_map(channel_map),
            overwrite=overwrite,
            threads=threads,
            memory_limit=limit,
            verify_compression=verify_compression,
            progress=check_interruption,
            report=report,
            **options,
        )

    status = attempt(file, report, debug, work)
    if status == 0 and not quiet:
        tell(show_report, report, verbose or debug)
    leave(status)


@main.command()
@click.argument("directories", nargs=-1, required=True, metavar="DIR...")
@click.option(
    "--force",
    is_flag=True,
    help="Also remove files whose locks are unreliable. Use it only while no "
    "conversion, of this or another computer, writes to these directories.",
)
def repair(directories: tuple[str, ...], force: bool) -> None:
    """Complete or remove files that killed conversions left in DIRs.

    Interrupted renames of several files are completed. Temporary files are removed
    unless a running process holds their lock. The exit status is 1 if something could
    not be repaired.
    """
    from .publishing.repair import repair as repair_directory  # noqa: PLC0415

    status = 0
    for directory in directories:
        try:
            repairs = repair_directory(directory, force)
        except OSError as e:
            say(f"error: {message_of(e)}")
            leave(EXIT_USAGE)
        lines = [f"{directory}: {text}" for text in repairs.done]
        tell(click.echo, "\n".join(lines or [f"{directory}: nothing to repair"]))
        for text in repairs.left:
            say(f"error: {directory}: not repaired: {text}")
            status = EXIT_FAILED
    leave(status)


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE.lh5...")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, a line for each file."
)
def info(files: tuple[str, ...], as_json: bool) -> None:
    """Print what FILEs were converted from, with which settings and result."""
    from .command.info import show_info  # noqa: PLC0415  (--help needs none)

    leave(show_info(files, as_json))


@main.command()
@click.argument("output", metavar="OUT.lh5")
@click.argument("daq_files", nargs=-1, metavar="[DAQ_FILE]...")
@_with_resources
@click.option(
    "-k",
    "--kwargs",
    default="{}",
    metavar="JSON",
    help="Settings files that the conversion used, such as compass_config_file.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write the result as JSON ('-': to stdout).",
)
@_with_verbosity
@_with_debug
def verify(
    output: str,
    daq_files: tuple[str, ...],
    threads: int | None,
    memory_limit: str,
    kwargs: str,
    json_file: str | None,
    verbose: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Verify OUT.lh5, alone or against the DAQ file that it was made from.

    Alone: its structure, each chunk of data with its checksum, and its report. With
    DAQ_FILE (all files, if it was made with --join) it is decoded again with
    the settings in the report, and each value is compared. The exit status is 0 if all
    is good, 3 if something differs, 1 if something could not be verified, 2 if the
    arguments are wrong.
    """
    from .command.verify import run_verify  # noqa: PLC0415  (--help needs none)

    status = run_verify(
        output,
        daq_files,
        threads=threads,
        memory_limit=memory_limit,
        kwargs=kwargs,
        json_file=json_file,
        level=_level(verbose, quiet) if verbose else logging.ERROR,
        quiet=quiet,
        debug=debug,
    )
    leave(status)


@main.command()
def formats() -> None:
    """List the input formats."""
    from .formats import FORMATS  # noqa: PLC0415  (--help needs none)

    for format_ in FORMATS:
        endings = ", ".join(f".{e}" for e in format_.extensions) or "-"
        click.echo(f"{format_.name:10} {endings:12} {format_.description}")
        for name in format_.decoders:
            click.echo(f"{'':23} {name}")
        for option in format_.options:
            click.echo(f"{'':23} option {option.name}: {option.text}")


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands and options in SHELL.

    For instance: eval "$(daq2lh5 completion bash)"
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    cls = get_completion_class(shell)
    click.echo(cls(main, {}, "daq2lh5", "_DAQ2LH5_COMPLETE").source())


@click.command(context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@click.argument("in_stream", nargs=-1, required=True)
@click.option("-v", "--verbose", is_flag=True, help="Increase the program verbosity.")
@click.option("-d", "--debug", is_flag=True, help="All messages, with tracebacks.")
@click.option("-t", "--stream-type", help="Type of the input stream.")
@click.option("-o", "--out-spec", help="Output file, or JSON/YAML specification.")
@click.option(
    "-b", "--buffer_size", "--buffer-size", type=int, default=8192, help="Buffer size."
)
@click.option("-n", "--max-rows", type=int, help="Largest number of rows to convert.")
@click.option("-w", "--overwrite", is_flag=True, help="Overwrite output files.")
@click.option("-k", "--kwargs", default="{}", help="Arguments of build_raw, as JSON.")
def daq2lh5_cli(
    in_stream: tuple[str, ...],
    verbose: bool,
    debug: bool,
    stream_type: str | None,
    out_spec: str | None,
    buffer_size: int,
    max_rows: int | None,
    overwrite: bool,
    kwargs: str,
) -> None:
    """Convert data into LEGEND HDF5 (LH5) raw format.

    The command line of legend-daq2lh5; see also: daq2lh5 convert --help.
    """
    open_standard_streams()
    status = run(
        in_stream,
        out_spec=() if out_spec is None else (out_spec,),
        stream_type=stream_type,
        buffer_size=buffer_size,
        max_rows=max_rows,
        overwrite=overwrite,
        kwargs=kwargs,
        level=logging.DEBUG if verbose or debug else logging.INFO,
        verbose=verbose,
        debug=debug,
    )
    if status == EXIT_DAMAGED:
        say("warning: the input is damaged, see above")
        status = 0
    leave(status)


@contextmanager
def _batch_of(**options: Any) -> Iterator[Callable[..., int] | None]:
    """Return the function that converts a batch; None without options of batches."""
    if not any(options.values()):
        yield None
        return
    from .batch.command import BatchOptions, run_batch  # noqa: PLC0415

    batch = BatchOptions(**options)
    with batch.workers() as pool:
        yield partial(run_batch, batch=batch, pool=pool)


def _level(verbose: bool, quiet: bool) -> int:
    """Return the level of logging of these options."""
    if quiet:
        return logging.ERROR
    return logging.INFO if verbose else logging.WARNING


if __name__ == "__main__":
    main()
