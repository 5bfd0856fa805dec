"""``daq2lh5 verify``: compare an output with the DAQ file that it was made from."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

import click

from ..errors import printable
from ..formats import OPTIONS as FORMAT_OPTIONS
from ..report import ConversionReport, sizeof_fmt
from ..resources.interruption import check_interruption
from ..resources.paths import expand_path
from .arguments import (
    UsageError,
    check_inputs,
    check_json_file,
    message_of,
    parse_kwargs,
    parse_limit,
)
from .run import EXIT_USAGE, attempt, progress_bar, say, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..data_streamer import DataStreamer
    from ..verification.verification import Verification

__all__ = ["run_verify"]


def run_verify(
    output: str,
    daq_files: tuple[str, ...],
    *,
    threads: int | None,
    memory_limit: str,
    kwargs: str,
    json_file: str | None,
    level: int,
    quiet: bool,
    debug: bool,
) -> int:
    """Verify an output; return the exit status.

    Parameters
    ----------
    output, daq_files
        the output, and the files of its input, if any.
    threads, memory_limit, kwargs, json_file, quiet, debug
        see ``daq2lh5 verify --help``.
    level
        level of logging.
    """
    from .. import logging as our_logging  # noqa: PLC0415  (--help needs none)

    our_logging.setup(logging.DEBUG if debug else level)
    try:
        limit = parse_limit(memory_limit)
        options = _options_of(kwargs)
        (output,) = check_inputs((output,))
        names = check_inputs(tuple(_expanded(output, daq_files)))
        if json_file is not None:
            json_file = json_file if json_file == "-" else expand_path(json_file)
            check_json_file(json_file, [output, *names])
    except (UsageError, OSError, ValueError, NotImplementedError) as e:
        say(f"error: {message_of(e)}")
        return EXIT_USAGE
    results: list[Verification] = []

    def work() -> None:
        from ..verification.verification import verify  # noqa: PLC0415  (imports h5py)

        with progress_bar(names, quiet or not names) as show_progress:

            def progress(streamer: DataStreamer | None) -> None:
                check_interruption()
                if streamer is not None:
                    show_progress(streamer)

            results.append(
                verify(
                    output,
                    list(names) or None,
                    threads=threads,
                    memory_limit=limit,
                    progress=progress,
                    **options,
                )
            )

    report = ConversionReport(source=output)
    status = attempt(output, report, debug, work, writes=False)
    for result in results:
        status = status or result.exit_status
        if not quiet or status:
            text = "\n".join(map(printable, _lines(result)))
            tell(click.echo, text, err=json_file == "-")
        if json_file is not None:
            tell(_write_json, json_file, result)
    return status


def _expanded(output: str, daq_files: tuple[str, ...]) -> Iterator[str]:
    """Yield the DAQ files for names on the command line.

    A folder stands for the files in it that the output was made from, by its report.
    """
    if not daq_files:
        return
    from ..conversion.provenance import inputs_of  # noqa: PLC0415  (--help needs none)
    from ..conversion.stored_reports import read_report  # noqa: PLC0415
    from .inputs import expand_inputs  # noqa: PLC0415

    stored = {source.get("name") for source in inputs_of(read_report(output) or {})}
    for name in daq_files:
        found = expand_inputs([name])
        if os.path.isdir(expand_path(name)):
            found = [f for f in found if os.path.basename(f) in stored] or found
        yield from found


def _options_of(kwargs: str) -> dict[str, Any]:
    """Return the settings files in --kwargs.

    Raises
    ------
    UsageError
        if it has anything else.
    """
    options = parse_kwargs(kwargs)
    paths = [name for name, (_, o) in FORMAT_OPTIONS.items() if o.is_path]
    for name in options:
        if name not in paths:
            msg = f"'{name}' in --kwargs: expected {' or '.join(paths)}"
            raise UsageError(msg)
    return options


def _write_json(file: str, result: Verification) -> None:
    with click.open_file(file, "w") as f:
        f.write(json.dumps(result.as_dict()) + "\n")


def _lines(result: Verification) -> Iterator[str]:
    """Yield the lines for people."""
    tables, size = len(result.tables), sizeof_fmt(result.n_bytes)
    done = "read" if result.in_stream is None else f"compared with {result.in_stream}"
    if result.good:
        verdict = "good"
    elif result.n_differences:
        verdict = f"{result.n_differences} differences"
    else:
        verdict = "not verified"
    yield f"{result.output}: {verdict}; {tables} tables, {size} {done}"
    for text in result.unverified:
        yield f"  not verified: {text}"
    for difference in result.differences:
        yield f"  {difference}"
    rest = result.n_differences - len(result.differences)
    if result.n_differences and rest:
        yield f"  and {rest} more differences, in {len(result.counts)} objects"
