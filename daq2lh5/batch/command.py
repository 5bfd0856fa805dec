"""``daq2lh5 convert`` with ``--jobs N`` or another option of batches."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..command.run import (
    EXIT_DAMAGED,
    EXIT_FAILED,
    EXIT_SIGNAL,
    EXIT_USAGE,
    say,
    tell,
    total_size,
)
from ..errors import printable
from ..resources.interruption import notice_signals
from .cluster import ClusterError, convert_jobs
from .display import Summary, display
from .plan import plan
from .work import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..conversion.targets import Target
    from .plan import Planned
    from .results import Result

__all__ = ["BatchOptions", "run_batch"]


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

    @contextmanager
    def workers(self) -> Iterator[Pool | None]:
        """Start the worker processes, unless a cluster converts.

        They import the package while this process looks at the inputs.
        """
        if self.dry_run or self.scheduler is not None:
            yield None
            return
        pool = Pool()
        try:
            pool.start(min(self.jobs or 1, os.cpu_count() or 1))
            yield pool
        finally:
            pool.end()


def run_batch(
    inputs: Mapping[str, list[str]],
    targets: dict[str, Target],
    *,
    batch: BatchOptions,
    pool: Pool | None = None,
    arguments: dict[str, Any],
    json_file: str | None,
    quiet: bool,
    debug: bool,
) -> int:
    """Convert files in worker processes; return the exit status.

    Parameters
    ----------
    inputs
        names of the files of each input, by the first name.
    targets
        the outputs of each input, by the same name.
    batch
        options of batches.
    pool
        the worker processes, if they run already.
    arguments
        further arguments of :func:`.build_raw.convert`.
    json_file
        file for a line of JSON with the result of each input, as it is done.
    quiet
        write only errors and the totals.
    debug
        print tracebacks.
    """
    planned = plan(
        inputs,
        targets,
        arguments,
        n_jobs=batch.jobs or 1,
        scheduler=batch.scheduler,
        skip_existing=batch.skip_existing,
        debug=debug,
    )
    if batch.dry_run:
        for one in planned:
            tell(click.echo, printable(_plan_line(one)))
        return 0
    jobs = [one.job for one in planned if one.done is None]
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

        for one in planned:
            if one.done is not None:
                take(one.done)
        results = convert_jobs(
            jobs,
            batch.jobs,
            batch.scheduler,
            retries=batch.retries,
            timeout=batch.timeout,
            fail_fast=batch.fail_fast,
            listener=shown,
            **({} if pool is None else {"pool": pool}),
        )
        with notice_signals() as interruption:
            try:
                for result in results:
                    take(result)
            except KeyboardInterrupt:
                results.close()
                statuses.add(EXIT_SIGNAL + (interruption.number or signal.SIGINT))
            except ClusterError as e:
                say(f"error: {e}")
                statuses.add(EXIT_FAILED)
    tell(click.echo, summary.line(), err=json_file == "-")
    if max(statuses) > EXIT_SIGNAL:
        return max(statuses)
    # failure outranks wrong usage, which outranks damage
    order = (EXIT_FAILED, EXIT_USAGE, EXIT_DAMAGED, 0)
    return next(s for s in order if s in statuses)


def _plan_line(one: Planned) -> str:
    """Return the line of a dry run."""
    job = one.job
    if one.done is not None:
        return f"{job.file}: skip: its output is up to date"
    outputs = ", ".join(job.target.files) or "outputs named by the content"
    existing = [name for name in job.target.files if os.path.exists(name)]
    n_bytes = total_size(job.names)
    size = "" if n_bytes is None else f" ({n_bytes} bytes)"
    text = f"{', '.join(job.names)}{size}: convert to {outputs}"
    if existing and not job.arguments["overwrite"]:
        return f"{text}: fails, since {existing[0]} exists (-w replaces it)"
    return text if one.outdated is None else f"{text}: {one.outdated}"


def _write_line(file: Any, result: Result) -> None:
    file.write(json.dumps(result.as_dict()) + "\n")
    file.flush()
