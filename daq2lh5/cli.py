"""The command line: ``daq2lh5`` and, as the peer has it, ``legend-daq2lh5``.

Exit statuses: 0 all bytes accounted for and good; 1 failed, no output left behind;
2 wrong usage or configuration, nothing touched; 3 converted, but the input breaks rules
of its format somewhere.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._version import __version__
from .reading.magic import without_ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

    from .data_streamer import DataStreamer
    from .report import ConversionReport

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DAMAGED = 3

AGAIN_SECONDS = 0.2
"""After which an interruption that had no effect is repeated."""

HAVE_OPTIONS = {
    "in_stream": "FILE",
    "in_stream_type": "--stream-type",
    "out_spec": "--out-spec",
    "buffer_size": "--buffer-size",
    "n_max": "--max-rows",
    "overwrite": "--overwrite",
    "threads": "--threads",
    "memory_limit": "--memory-limit",
}
"""Arguments of build_raw that --kwargs must not give a second time."""

NAMED_OPTIONS = ("compass_config_file", "compass_layout", "hdf5_settings", "db_dict")
"""What --kwargs can give that is no keyword of an output specification."""

CONTEXT = {"help_option_names": ["-h", "--help"]}


class _UsageError(Exception):
    """Something that the user must change before anything is done."""


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
        help="Threads that compress (default: the cores that there are; 1: none).",
    ),
    click.option(
        "--memory-limit",
        metavar="SIZE",
        default="1G",
        show_default=True,
        help="Memory for buffers and queues together, for instance 512M.",
    ),
)
_with_verbosity = _options(
    click.option("-v", "--verbose", is_flag=True, help="Say more, with times."),
    click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong."),
)
_with_debug = click.option(
    "--debug", is_flag=True, help="Say everything, with tracebacks."
)


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="daq2lh5")
def main() -> None:
    """Convert digitizer (DAQ) files to LEGEND HDF5 (LH5)."""


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "--out-spec",
    help="Output file, directory, or JSON/YAML file with an output specification. "
    "'{orig_basename}' stands for the input's name without its extension.",
)
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
    help="Convert only the first so many rows.",
)
@click.option("-w", "--overwrite", is_flag=True, help="Replace output files.")
@_with_resources
@click.option(
    "--checksum", is_flag=True, help="Store a checksum (Fletcher-32) with each chunk."
)
@click.option(
    "-k",
    "--kwargs",
    default="{}",
    metavar="JSON",
    help="Further arguments of build_raw, and keywords of the output specification.",
)
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
    out_spec: str | None,
    stream_type: str | None,
    buffer_size: int,
    max_rows: int | None,
    overwrite: bool,
    threads: int | None,
    memory_limit: str,
    checksum: bool,
    kwargs: str,
    json_file: str | None,
    verbose: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Convert FILEs to LH5 ('-': standard input).

    Compressed files (gzip, bzip2, xz, zstd) and formats are recognized by content.
    The exit status is 0 if all of the input was good, 3 if it was converted but damage
    was met, 1 if a conversion failed, 2 if nothing was tried.
    """
    status = run(
        files,
        out_spec=out_spec,
        stream_type=stream_type,
        buffer_size=buffer_size,
        max_rows=max_rows,
        overwrite=overwrite,
        threads=threads,
        memory_limit=memory_limit,
        checksum=checksum,
        kwargs=kwargs,
        json_file=json_file,
        level=_level(verbose, quiet),
        quiet=quiet,
        verbose=verbose or debug,
        debug=debug,
    )
    _leave(status)


@main.command()
@click.argument("file", metavar="FILE.lh5")
@click.option(
    "-s",
    "--spec",
    required=True,
    metavar="SPEC",
    help="JSON/YAML file with an output specification whose buffers have a proc_spec, "
    "or with a proc_spec alone, for all tables with waveforms.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="Output file (default: FILE_proc.lh5)."
)
@click.option("-w", "--overwrite", is_flag=True, help="Replace the output file.")
@_with_resources
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
    output: str | None,
    overwrite: bool,
    threads: int | None,
    memory_limit: str,
    kwargs: str,
    verbose: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Process the tables of a raw LH5 file into another file.

    Windows, presummed waveforms, types, codecs: all that the proc_spec of an output
    specification can say. What it is not for is copied. The exit status is 0, 1 if it
    failed, 2 if nothing was tried.
    """
    from . import logging as our_logging  # noqa: PLC0415  (--help needs none)
    from .report import ConversionReport  # noqa: PLC0415

    our_logging.setup(logging.DEBUG if debug else _level(verbose, quiet))
    try:
        options = _parse_kwargs(kwargs)
        for name in options:
            if name not in ("db_dict", "hdf5_settings"):
                msg = f"'{name}' in --kwargs: only db_dict and hdf5_settings"
                raise _UsageError(msg)
        limit = _parse_limit(memory_limit)
        _check_inputs((file, spec))
    except (_UsageError, ValueError) as e:
        click.echo(f"error: {_message(e)}", err=True)
        sys.exit(EXIT_USAGE)
    report = ConversionReport(source=file)

    def work(check_interrupt: Callable[[], None]) -> None:
        from .buffer_processor.lh5_buffer_processor import (  # noqa: PLC0415
            process_file,
        )

        process_file(
            file,
            spec,
            output,
            overwrite=overwrite,
            threads=threads,
            memory_limit=limit,
            progress=check_interrupt,
            report=report,
            **options,
        )

    status = _attempt(file, report, debug, work)
    if status == 0 and not quiet:
        status = _tell(_show, report, verbose or debug)
    _leave(status)


@main.command()
def formats() -> None:
    """List the input formats."""
    from .formats import FORMATS  # noqa: PLC0415  (--help needs none)

    for format_ in FORMATS:
        endings = ", ".join(f".{e}" for e in format_.extensions) or "-"
        click.echo(f"{format_.name:10} {endings:12} {format_.description}")
        for name in format_.decoders:
            click.echo(f"{'':23} {name}")


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
@click.option("-d", "--debug", is_flag=True, help="Say everything, with tracebacks.")
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
    status = run(
        in_stream,
        out_spec=out_spec,
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
        click.echo("warning: the input is damaged, see above", err=True)
        status = 0
    _leave(status)


def _level(verbose: bool, quiet: bool) -> int:
    """Return the level of logging that was asked for."""
    if quiet:
        return logging.ERROR
    return logging.INFO if verbose else logging.WARNING


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
        options = _parse_kwargs(kwargs)
        limit = _parse_limit(memory_limit)
        if checksum:
            options["hdf5_settings"] = {
                **options.get("hdf5_settings", {}),
                "fletcher32": True,
            }
        _check_inputs(files)
        out_specs, outputs = _outputs(files, out_spec, options)
        if out_spec is not None and not is_spec_file(out_spec):
            # keywords in the name of an output are filled in already
            options = {k: v for k, v in options.items() if "{" + k not in out_spec}
        _check_json_file(json_file, [*files, *outputs])
    except (_UsageError, OSError, ValueError, KeyError, NotImplementedError) as e:
        if debug:
            traceback.print_exc()
        click.echo(f"error: {_message(e)}", err=True)
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
            options=options,
        )
        statuses.append(status)
        if status in (0, EXIT_DAMAGED) and not quiet:
            statuses.append(_tell(_show, report, verbose, err=json_file == "-"))
    if json_file is not None:
        statuses.append(_tell(_write_json, json_file, reports))
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

    return _attempt(file, report, debug, work)


def _attempt(
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
        with _without_echoes(debug), _signals_as_interrupts() as check_interrupt:
            work(check_interrupt)
    except KeyboardInterrupt:
        what = "interrupted, no output written"
        if report.outputs:
            what = "interrupted after its output was complete"
        click.echo(f"error: {file}: {what}", err=True)
        _leave(128 + signal.SIGINT)
    except Exception as e:
        report.error = text = _message(e)
        if debug:
            traceback.print_exc()
        click.echo(
            f"error: {text}" if file in text else f"error: {file}: {text}", err=True
        )
        if _cannot_clean_up():
            _leave(EXIT_FAILED)
        usage = (OutSpecError, FileExistsError, FileNotFoundError, NotImplementedError)
        plain = (ValueError, KeyError, PermissionError, ModuleNotFoundError)
        if isinstance(e, usage) or type(e) in plain:
            return EXIT_USAGE
        return EXIT_FAILED
    return report.exit_status


def _show(report: ConversionReport, verbose: bool, err: bool = False) -> None:
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


def _tell(write: Callable[..., None], *args: Any, **kwargs: Any) -> int:
    """Have a report written; return the exit status."""
    try:
        write(*args, **kwargs)
    except OSError as e:
        if e.errno == errno.EPIPE:
            raise  # click's: whoever read it has enough
        click.echo(f"error: the report cannot be written: {_message(e)}", err=True)
        return EXIT_FAILED
    return 0


def _cannot_clean_up() -> bool:
    """Whether HDF5 would crash in closing its files (on a full disk)."""
    output = sys.modules.get("daq2lh5.output")
    return output is not None and bool(output.abandoned)


def _leave(status: int) -> None:
    """Exit; at once if there is no way to clean up."""
    if _cannot_clean_up():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _message(error: BaseException) -> str:
    """Return what went wrong as one line."""
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])
    elif isinstance(error, OSError) and error.strerror:
        names = [str(n) for n in (error.filename, error.filename2) if n is not None]
        text = ": ".join([*names, error.strerror])
    else:
        text = str(error) or type(error).__name__
        if "error message = '" in text:
            # HDF5 says it twice, with addresses
            text = "cannot write: " + text.split("error message = '")[-1].split("'")[0]
    return " ".join(text.split())


def basename_of(file: str) -> str:
    """Return the name of an input without directory and extension.

    As in the peer only one extension goes, except where that says how the file is
    compressed.
    """
    return "stdin" if file == "-" else without_ending(Path(file)).stem


def _parse_kwargs(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text or "{}")
    except json.JSONDecodeError as e:
        msg = f"--kwargs is not JSON: {e}"
        raise _UsageError(msg) from None
    if not isinstance(options, dict):
        msg = "--kwargs must be a JSON object"
        raise _UsageError(msg)
    for name, option in HAVE_OPTIONS.items():
        if name in options:
            msg = f"'{name}' in --kwargs: use the option {option}"
            raise _UsageError(msg)
    for name in ("hdf5_settings", "db_dict"):
        if not isinstance(options.get(name, {}), dict):
            msg = f"'{name}' in --kwargs must be a JSON object"
            raise _UsageError(msg)
    return options


def _parse_limit(text: str) -> int:
    """Read the memory limit."""
    from .writing.memory import MIN_LIMIT, parse_size  # noqa: PLC0415

    limit = parse_size(text)
    if limit < MIN_LIMIT:
        msg = f"--memory-limit {text} is too little: at least {MIN_LIMIT >> 20}M"
        raise _UsageError(msg)
    return limit


def _check_json_file(json_file: str | None, others: list[str]) -> None:
    """Make sure that the report can be written before anything is read."""
    if json_file is None or json_file == "-":
        return
    path = Path(json_file)
    if any(path.resolve() == Path(o).resolve() for o in others):
        msg = f"the report would overwrite {json_file}"
        raise _UsageError(msg)
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        msg = f"cannot write the report to {json_file}"
        raise _UsageError(msg)


def _check_inputs(files: tuple[str, ...]) -> None:
    """Make sure that all inputs exist before the first is read."""
    for file in files:
        path = Path(os.path.expandvars(file).removeprefix("file://"))
        if file != "-" and not path.exists():
            msg = f"input file {file} not found"
            raise _UsageError(msg)
        if path.is_dir():
            msg = f"input {file} is a directory"
            raise _UsageError(msg)


def _outputs(
    files: tuple[str, ...], out_spec: str | None, options: dict[str, Any]
) -> tuple[dict[str, str | dict | None], list[str]]:
    """Return the output specification for each input, and the files it names.

    Raises
    ------
    _UsageError
        if two inputs would write to one file.
    """
    from .build_raw import default_output  # noqa: PLC0415
    from .raw_buffer import RawBufferLibrary, split_out_stream  # noqa: PLC0415
    from .utils import is_spec_file, load_dict  # noqa: PLC0415

    paths = {f if f == "-" else os.path.realpath(f) for f in files}
    if len(paths) < len(files):
        msg = "an input is given twice"
        raise _UsageError(msg)
    specs: dict[str, str | dict | None] = {}
    writers: dict[str, str] = {}
    for file in files:
        keywords = {"orig_basename": basename_of(file)} | options
        spec: str | dict | None = out_spec
        if out_spec is None:
            outputs = [] if file == "-" else [default_output(os.path.expandvars(file))]
        elif is_spec_file(out_spec):
            spec = load_dict(os.path.expandvars(out_spec))
            if not isinstance(spec, dict):
                msg = f"{out_spec} is not an output specification"
                raise _UsageError(msg)
            # expanded once for the names, and again when the file is converted
            library = RawBufferLibrary(json.loads(json.dumps(spec)), dict(keywords))
            outputs = library.get_list_of("out_stream")
        else:
            spec = os.path.expandvars(out_spec)
            if os.path.isdir(spec) or spec.endswith(os.sep):
                spec = str(Path(spec) / f"{basename_of(file)}.lh5")
            elif "{" in spec:
                try:
                    spec = spec.format(**keywords)
                except (ValueError, LookupError) as e:
                    msg = f"output '{out_spec}' cannot be formatted: {_message(e)}"
                    raise _UsageError(msg) from None
            outputs = [spec]
        specs[file] = spec
        for output in {split_out_stream(o)[0] for o in outputs}:
            if not output:
                continue
            path = os.path.realpath(output)
            if path in writers:
                msg = (
                    f"{writers[path]} and {file} would both write {output}; use "
                    "'{orig_basename}' in the output, or a directory"
                )
                raise _UsageError(msg)
            writers[path] = file
    return specs, list(writers)


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


@contextmanager
def _signals_as_interrupts() -> Iterator[Callable[[], None]]:
    """Have Ctrl-C, and a polite kill as well, stop a conversion for certain.

    An exception that a signal raises can get lost, in the callback of a weak reference
    for instance: it is raised again until it has come through.

    Yields
    ------
    check
        raises KeyboardInterrupt if there was a signal.
    """
    met = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal met
        met = True
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        raise KeyboardInterrupt

    def check() -> None:
        if met:
            raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    try:
        old = {n: signal.signal(n, interrupt) for n in numbers}
    except ValueError:  # not in the main thread: signals are somebody else's
        yield check
        return
    try:
        yield check
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in old.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    main()
