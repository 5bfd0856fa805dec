"""``convert --jobs N`` and its relatives: many files, with a line and a result each."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..command.run import EXIT_DAMAGED, EXIT_FAILED, EXIT_USAGE, say, tell, total_size
from ..errors import printable
from .cluster import ClusterError, convert_on_cluster
from .current import existing_outputs
from .display import Summary, display
from .results import Result
from .work import Job, convert_all, share

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ..conversion.targets import Target
    from .work import Listener

__all__ = ["BatchOptions", "run_batch"]

INTERRUPTED = 130


@dataclass(frozen=True)
class BatchOptions:
    """Options of batches; see ``daq2lh5 convert --help``."""

    jobs: int | None = None
    skip_existing: bool = False
    dry_run: bool = False
    fail_fast: bool = False
    retries: int = 0
    timeout: float | None = None
    scheduler: str | None = None


def run_batch(
    inputs: Mapping[str, list[str]],
    targets: dict[str, Target],
    *,
    batch: BatchOptions,
    arguments: dict[str, Any],
    json_file: str | None,
    quiet: bool,
    debug: bool,
) -> int:
    """Convert files in worker processes; return the exit status.

    Parameters
    ----------
    inputs
        names of the files of each input, by the first.
    targets
        the outputs of each.
    batch
        options of batches.
    arguments
        further arguments of :func:`.build_raw.convert`.
    json_file
        where a line of JSON for each file goes, as it is done.
    """
    jobs: list[Job] = []
    done: list[Result] = []
    for file, names in inputs.items():
        why = None
        if batch.skip_existing:
            why, status = existing_outputs(names, targets[file], arguments)
            if why is None:
                done.append(Result(file, status, skipped="up to date"))
                continue
        if batch.dry_run:
            tell(click.echo, printable(_plan_line(names, targets[file], why)))
        jobs.append(Job(names, targets[file], arguments, debug))
    if batch.dry_run:
        for result in done:
            line = f"{result.file}: skip: its output is up to date"
            tell(click.echo, printable(line))
        return 0
    # on a cluster each worker shares its own
    shared = dict(arguments) if batch.scheduler else share(arguments, batch.jobs or 1)
    for job in jobs:
        job.arguments = shared
    if batch.skip_existing:
        # an output that is not up to date is replaced
        shared["overwrite"] = True
    summary = Summary(len(inputs))
    statuses = {0}
    target = nullcontext() if json_file is None else click.open_file(json_file, "w")
    with target as log, display(jobs, summary, say, quiet) as shown:

        def take(result: Result) -> None:
            summary.add(result)
            statuses.add(result.status)
            shown.done(result, summary)
            if log is not None:
                tell(_write_line, log, result)

        for result in done:
            take(result)
        results = _convert(jobs, batch, shown)
        try:
            for result in results:
                take(result)
        except KeyboardInterrupt:
            results.close()
            statuses.add(INTERRUPTED)
        except ClusterError as e:
            say(f"error: {e}")
            statuses.add(EXIT_FAILED)
    tell(click.echo, summary.line(), err=json_file == "-")
    # failure outranks wrong usage, which outranks damage
    order = (INTERRUPTED, EXIT_FAILED, EXIT_USAGE, EXIT_DAMAGED, 0)
    return next(s for s in order if s in statuses)


def _convert(
    jobs: list[Job], batch: BatchOptions, listener: Listener
) -> Generator[Result]:
    options = {
        "retries": batch.retries,
        "timeout": batch.timeout,
        "fail_fast": batch.fail_fast,
        "listener": listener,
    }
    if batch.scheduler is None:
        return convert_all(jobs, batch.jobs or 1, **options)
    return convert_on_cluster(jobs, batch.scheduler, batch.jobs, **options)


def _plan_line(names: list[str], target: Target, why: str | None) -> str:
    """Return the line of a dry run."""
    outputs = ", ".join(target.files) or "outputs named by the content"
    n_bytes = total_size(names)
    size = "" if n_bytes is None else f" ({n_bytes} bytes)"
    return f"{', '.join(names)}{size}: convert to {outputs}" + (
        f": {why}" if why else ""
    )


def _write_line(file: Any, result: Result) -> None:
    file.write(json.dumps(result.as_dict()) + "\n")
    file.flush()
