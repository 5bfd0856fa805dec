"""The commands: converting files one by one, with messages and exit statuses."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from ..errors import lacks_memory, printable
from ..formats import OPTIONS as FORMAT_OPTIONS
from ..publishing.targets import check_replaceable
from ..resources.interruption import Interruption, check_interruption, notice_signals
from ..resources.paths import expand_path
from .arguments import (
    KINDS,
    UsageError,
    check_inputs,
    check_json_file,
    message_of,
    parse_kwargs,
    parse_limit,
    targets_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from ..data_streamer import DataStreamer
    from ..report import ConversionReport

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DAMAGED = 3
EXIT_SIGNAL = 128
"""An interruption has this exit status plus the number of the signal."""


def run(
    files: tuple[str, ...],
    *,
    out_spec: tuple[str, ...],
    stream_type: str | None,
    buffer_size: int,
    max_rows: int | None,
    overwrite: bool,
    kwargs: str,
    level: int,
    channel_map: str | None = None,
    threads: int | None = None,
    memory_limit: str = "1G",
    checksum: bool = False,
    verify_compression: bool = False,
    extra_columns: bool = False,
    json_file: str | None = None,
    hash_input: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    debug: bool = False,
    join: bool = False,
    batch: Callable[..., int] | None = None,
) -> int:
    """Convert files; return the exit status.

    Parameters
    ----------
    join
        convert all files, in numeric order, as one stream to one output.
    batch
        converts the checked files; by default they are converted one after the other.
    """
    from .. import logging as our_logging  # noqa: PLC0415  (--help needs none)
    from ..report import ConversionReport  # noqa: PLC0415
    from .inputs import expand_inputs, group_inputs, lists_in  # noqa: PLC0415

    open_standard_streams()
    our_logging.setup(logging.DEBUG if debug else level)
    try:
        options = parse_kwargs(kwargs)
        limit = parse_limit(memory_limit)
        if checksum:
            options["hdf5_settings"] = {
                **options.get("hdf5_settings", {}),
                "fletcher32": True,
            }
        lists = lists_in(files)
        files = check_inputs(expand_inputs(files, note=say))
        if batch is not None and "-" in files:
            msg = "standard input cannot be converted in a batch: leave its options out"
            raise UsageError(msg)
        named = {name: value for name, value in options.items() if name in KINDS}
        keywords = {k: v for k, v in options.items() if k not in named}
        of_formats = {k: named.pop(k) for k in [*named] if k in FORMAT_OPTIONS}
        inputs = group_inputs(files, join)
        targets = targets_of(tuple(inputs), out_spec, keywords, channel_map)
        outputs = [f for target in targets.values() for f in target.files]
        check_outputs(files, outputs, overwrite)
        if json_file is not None:
            json_file = json_file if json_file == "-" else expand_path(json_file)
            given = [*out_spec, channel_map, of_formats.get("compass_config_file")]
            read = map(expand_path, filter(None, given))
            check_json_file(json_file, [*files, *lists, *outputs, *read])
    except (UsageError, OSError, ValueError, NotImplementedError, ImportError) as e:
        if debug:
            traceback.print_exc()
        say(f"error: {message_of(e)}")
        return EXIT_USAGE

    arguments = {
        "in_stream_type": stream_type,
        "buffer_size": buffer_size,
        "n_max": float("inf") if max_rows is None else max_rows,
        "overwrite": overwrite,
        "threads": threads,
        "memory_limit": limit,
        "extra_columns": extra_columns,
        "verify_compression": verify_compression,
        "hash_input": hash_input,
        "options": of_formats,
        **named,
    }
    if batch is not None:
        return batch(
            inputs,
            targets,
            arguments=arguments,
            json_file=json_file,
            quiet=quiet,
            debug=debug,
        )
    statuses = [0]
    reports: list[ConversionReport] = []
    for file, names in inputs.items():
        report = ConversionReport(source=file)
        reports.append(report)
        status = _convert_one(
            names,
            report,
            debug=debug,
            quiet=quiet,
            out_spec=targets[file],
            **arguments,
        )
        if status > EXIT_SIGNAL or cannot_clean_up():
            return status
        statuses.append(status)
        if status in (0, EXIT_DAMAGED) and not quiet:
            tell(show_report, report, verbose, err=json_file == "-")
    if json_file is not None:
        tell(_write_json, json_file, reports)
    # failure has precedence over wrong usage, which has precedence over damage
    return next(s for s in (EXIT_FAILED, EXIT_USAGE, EXIT_DAMAGED, 0) if s in statuses)


def check_outputs(files: tuple[str, ...], outputs: list[str], overwrite: bool) -> None:
    """Refuse outputs that would replace inputs or other files, before reading."""
    inputs = {os.path.realpath(i.removeprefix("file://")): i for i in files}
    for output in outputs:
        found = inputs.get(os.path.realpath(output))
        if found is not None:
            msg = f"{found} is an input: give another output (-o)"
            raise UsageError(msg)
        if overwrite:
            check_replaceable(output)


def _convert_one(
    names: list[str],
    report: ConversionReport,
    *,
    debug: bool,
    quiet: bool,
    **arguments: Any,
) -> int:
    """Convert one input, of one or more files; return the exit status."""
    from ..build_raw import convert as convert_file  # noqa: PLC0415

    def work() -> None:
        with progress_bar(names, quiet) as show_progress:

            def progress(streamer: DataStreamer) -> None:
                check_interruption()
                show_progress(streamer)

            convert_file(names, report=report, progress=progress, **arguments)

    return attempt(names[0], report, debug, work)


def attempt(
    file: str,
    report: ConversionReport,
    debug: bool,
    work: Callable[[], None],
    writes: bool = True,
) -> int:
    """Process a file and report errors; return the exit status.

    Parameters
    ----------
    work
        does the processing; it must call :func:`.check_interruption` between chunks.
    writes
        whether it writes an output.

    Returns
    -------
    status
        exit status; above ``EXIT_SIGNAL`` after an interruption.
    """
    from ..errors import OutSpecError  # noqa: PLC0415

    interruption = Interruption()
    try:
        with _without_echoes(debug), notice_signals() as interruption:
            work()
            check_interruption()
    except KeyboardInterrupt:
        text = "interrupted"
        if report.outputs:
            text += " after its output was complete"
        elif writes:
            text += ", no output written"
        say(f"error: {file}: {text}")
        return EXIT_SIGNAL + (interruption.number or signal.SIGINT)
    except Exception as e:
        report.error = text = message_of(e)
        if debug:
            traceback.print_exc()
        say(f"error: {text}" if file in text else f"error: {file}: {text}")
        if cannot_clean_up():
            return EXIT_FAILED
        usage = (OutSpecError, FileExistsError, FileNotFoundError, NotImplementedError)
        plain = (ValueError, KeyError, PermissionError, ModuleNotFoundError)
        if lacks_memory(e):
            return EXIT_FAILED
        if isinstance(e, usage) or type(e) in plain:
            return EXIT_USAGE
        return EXIT_FAILED
    return report.exit_status


def show_report(report: ConversionReport, verbose: bool, err: bool = False) -> None:
    """Print a report."""
    from ..report import sizeof_fmt  # noqa: PLC0415

    lines = report.lines()
    if verbose:
        lines += [f"  {k}: {v:.3f} s" for k, v in report.seconds.items()]
        if report.peak_memory is not None:
            lines.append(f"  peak memory: {sizeof_fmt(report.peak_memory)}")
    click.echo("\n".join(map(printable, lines)), err=err)


def _write_json(file: str, reports: list[ConversionReport]) -> None:
    """Write the full reports."""
    with click.open_file(file, "w") as f:
        f.writelines(json.dumps(r.as_dict()) + "\n" for r in reports)


def tell(write: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Write a report; warn if that fails. The exit status does not change."""
    try:
        write(*args, **kwargs)
    except OSError as e:
        _silence_broken_streams()
        say(
            f"warning: the report cannot be written: {message_of(e)}; "
            "the conversion is not affected"
        )


def say(text: str) -> None:
    """Write a line to standard error; ignored if that is closed or full."""
    with suppress(OSError):
        click.echo(printable(text), err=True)


def open_standard_streams() -> None:
    """Open standard streams that are closed, as in daemons, to the null device.

    Otherwise an output file could get the number of a stream that libraries print to.
    """
    names = ("stdin", "stdout", "stderr")
    for number, (name, mode) in enumerate(zip(names, "rww", strict=True)):
        try:
            os.fstat(number)
        except OSError:
            # it gets the lowest number that is free
            os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _silence_broken_streams() -> None:
    """Redirect standard streams that cannot be flushed to the null device."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, stream.fileno())
            os.close(sink)


def cannot_clean_up() -> bool:
    """Whether HDF5 would crash in closing its files (on a full disk)."""
    output = sys.modules.get("daq2lh5.publishing.output_files")
    return output is not None and bool(output.abandoned)


def leave(status: int) -> None:
    """Exit; at once if HDF5 would crash in cleaning up."""
    _silence_broken_streams()
    if cannot_clean_up():
        os._exit(status)
    sys.exit(status)


def total_size(names: list[str]) -> int | None:
    """Return the number of bytes of all files; None if one is a pipe, for instance."""
    if not all(map(os.path.isfile, names)):
        return None
    return sum(map(os.path.getsize, names))


@contextmanager
def progress_bar(
    names: list[str], quiet: bool
) -> Iterator[Callable[[DataStreamer], None]]:
    """Show progress on a terminal, in bytes of the input."""
    if quiet or not sys.stderr.isatty():
        yield lambda _streamer: None
        return
    from tqdm import tqdm  # noqa: PLC0415  (not needed without a terminal)

    total = total_size(names)
    with tqdm(
        total=total,
        unit="B",
        unit_scale=True,
        desc=printable(os.path.basename(names[0])),
        leave=False,
    ) as bar:

        def update(streamer: DataStreamer) -> None:
            bar.update(streamer.source.bytes_read - bar.n)

        yield update


@contextmanager
def _without_echoes(debug: bool) -> Iterator[None]:
    """Suppress the printing of exceptions in destructors and callbacks.

    On a full disk h5py prints one for each object that it releases. A second Ctrl-C may
    come in a destructor.
    """
    if debug:
        yield
        return
    hooks = sys.excepthook, sys.unraisablehook

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_type is not KeyboardInterrupt and "h5py" not in str(args.object):
            hooks[1](args)

    def uncaught(
        kind: type[BaseException], value: BaseException, tb: TracebackType | None
    ) -> None:
        if tb is None or not tb.tb_frame.f_code.co_filename.startswith("h5py"):
            hooks[0](kind, value, tb)

    sys.excepthook, sys.unraisablehook = uncaught, unraisable
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook = hooks
