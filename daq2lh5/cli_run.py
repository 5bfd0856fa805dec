"""What the commands do: files one after the other, with messages and exit statuses."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .cli_arguments import (
    NAMED_OPTIONS,
    UsageError,
    basename_of,
    check_inputs,
    check_json_file,
    message_of,
    outputs_of,
    parse_kwargs,
    parse_limit,
)
from .threads import signals_as_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from .data_streamer import DataStreamer
    from .report import ConversionReport

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DAMAGED = 3


def run(
    files: tuple[str, ...],
    *,
    out_spec: str | None,
    stream_type: str | None,
    buffer_size: int,
    max_rows: int | None,
    overwrite: bool,
    kwargs: str,
    level: int,
    threads: int | None = None,
    memory_limit: str = "1G",
    checksum: bool = False,
    extra_columns: bool = False,
    json_file: str | None = None,
    quiet: bool = False,
    verbose: bool = False,
    debug: bool = False,
) -> int:
    """Convert files one after the other; return the exit status."""
    from . import logging as our_logging  # noqa: PLC0415  (--help needs none)
    from .report import ConversionReport  # noqa: PLC0415
    from .utils import is_spec_file  # noqa: PLC0415

    our_logging.setup(logging.DEBUG if debug else level)
    try:
        options = parse_kwargs(kwargs)
        limit = parse_limit(memory_limit)
        if checksum:
            options["hdf5_settings"] = {
                **options.get("hdf5_settings", {}),
                "fletcher32": True,
            }
        check_inputs(files)
        out_specs, outputs = outputs_of(files, out_spec, options)
        if out_spec is not None and not is_spec_file(out_spec):
            # keywords in the name of an output are filled in already
            options = {k: v for k, v in options.items() if "{" + k not in out_spec}
        check_json_file(json_file, [*files, *outputs])
    except (UsageError, OSError, ValueError, KeyError, NotImplementedError) as e:
        if debug:
            traceback.print_exc()
        click.echo(f"error: {message_of(e)}", err=True)
        return EXIT_USAGE

    statuses = [0]
    reports: list[ConversionReport] = []
    for file in files:
        report = ConversionReport(source=file)
        reports.append(report)
        status = _convert_one(
            file,
            report,
            debug=debug,
            quiet=quiet,
            in_stream_type=stream_type,
            out_spec=out_specs[file],
            buffer_size=buffer_size,
            n_max=float("inf") if max_rows is None else max_rows,
            overwrite=overwrite,
            threads=threads,
            memory_limit=limit,
            extra_columns=extra_columns,
            options=options,
        )
        statuses.append(status)
        if status in (0, EXIT_DAMAGED) and not quiet:
            statuses.append(tell(show_report, report, verbose, err=json_file == "-"))
    if json_file is not None:
        statuses.append(tell(_write_json, json_file, reports))
    # a failure weighs more than wrong usage, and that more than damage
    return next(s for s in (EXIT_FAILED, EXIT_USAGE, EXIT_DAMAGED, 0) if s in statuses)


def _convert_one(
    file: str,
    report: ConversionReport,
    *,
    debug: bool,
    quiet: bool,
    options: dict[str, Any],
    **arguments: Any,
) -> int:
    """Convert one file; return its exit status."""
    from .build_raw import convert as convert_file  # noqa: PLC0415

    named = {name: options[name] for name in NAMED_OPTIONS if name in options}
    keywords = {k: v for k, v in options.items() if k not in named}
    keywords.setdefault("orig_basename", basename_of(file))

    def work(check_interrupt: Callable[[], None]) -> None:
        with _progress_bar(file, quiet) as show_progress:

            def progress(streamer: DataStreamer) -> None:
                check_interrupt()
                show_progress(streamer)

            convert_file(
                file,
                keywords=keywords,
                report=report,
                progress=progress,
                **named,
                **arguments,
            )

    return attempt(file, report, debug, work)


def attempt(
    file: str,
    report: ConversionReport,
    debug: bool,
    work: Callable[[Callable[[], None]], None],
) -> int:
    """Do something with a file, and say what went wrong; return the exit status.

    Parameters
    ----------
    work
        does it; called with a function that raises KeyboardInterrupt when it is time.
    """
    from .errors import OutSpecError  # noqa: PLC0415

    try:
        with _without_echoes(debug), signals_as_interrupts() as check_interrupt:
            work(check_interrupt)
    except KeyboardInterrupt:
        what = "interrupted, no output written"
        if report.outputs:
            what = "interrupted after its output was complete"
        click.echo(f"error: {file}: {what}", err=True)
        leave(128 + signal.SIGINT)
    except Exception as e:
        report.error = text = message_of(e)
        if debug:
            traceback.print_exc()
        click.echo(
            f"error: {text}" if file in text else f"error: {file}: {text}", err=True
        )
        if _cannot_clean_up():
            leave(EXIT_FAILED)
        usage = (OutSpecError, FileExistsError, FileNotFoundError, NotImplementedError)
        plain = (ValueError, KeyError, PermissionError, ModuleNotFoundError)
        if isinstance(e, usage) or type(e) in plain:
            return EXIT_USAGE
        return EXIT_FAILED
    return report.exit_status


def show_report(report: ConversionReport, verbose: bool, err: bool = False) -> None:
    """Print a report."""
    from .report import sizeof_fmt  # noqa: PLC0415

    lines = report.lines()
    if verbose:
        lines += [f"  {k}: {v:.3f} s" for k, v in report.seconds.items()]
        if report.peak_memory is not None:
            lines.append(f"  peak memory: {sizeof_fmt(report.peak_memory)}")
    click.echo("\n".join(lines), err=err)


def _write_json(file: str, reports: list[ConversionReport]) -> None:
    """Write the full reports."""
    with click.open_file(file, "w") as f:
        f.writelines(json.dumps(r.as_dict()) + "\n" for r in reports)


def tell(write: Callable[..., None], *args: Any, **kwargs: Any) -> int:
    """Have a report written; return the exit status."""
    try:
        write(*args, **kwargs)
    except OSError as e:
        if e.errno == errno.EPIPE:
            raise  # click's: whoever read it has enough
        click.echo(f"error: the report cannot be written: {message_of(e)}", err=True)
        return EXIT_FAILED
    return 0


def _cannot_clean_up() -> bool:
    """Whether HDF5 would crash in closing its files (on a full disk)."""
    output = sys.modules.get("daq2lh5.output")
    return output is not None and bool(output.abandoned)


def leave(status: int) -> None:
    """Exit; at once if there is no way to clean up."""
    if _cannot_clean_up():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


@contextmanager
def _progress_bar(file: str, quiet: bool) -> Iterator[Callable[[DataStreamer], None]]:
    """Show progress on a terminal, in bytes of the input."""
    if quiet or not sys.stderr.isatty():
        yield lambda _streamer: None
        return
    from tqdm import tqdm  # noqa: PLC0415  (in pipes there is no bar)

    total = os.path.getsize(file) if os.path.isfile(file) else None
    with tqdm(
        total=total, unit="B", unit_scale=True, desc=os.path.basename(file), leave=False
    ) as bar:

        def update(streamer: DataStreamer) -> None:
            bar.update(streamer.source.bytes_read - bar.n)

        yield update


@contextmanager
def _without_echoes(debug: bool) -> Iterator[None]:
    """Keep what is printed of exceptions that nobody can catch off the terminal.

    On a full disk h5py prints one for each object that it lets go, and an interruption
    that gets lost is printed where it was, and raised again.
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
