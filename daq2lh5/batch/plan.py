"""The plan of a batch: inputs to convert, and inputs whose output is up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..resources.memory import MIN_LIMIT, default_threads
from .current import existing_outputs
from .results import Result
from .work import Job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..conversion.targets import Target

__all__ = ["Planned", "plan", "share"]


@dataclass
class Planned:
    """An input of a batch.

    Attributes
    ----------
    job
        its conversion.
    done
        the result of an earlier conversion that is up to date, otherwise None.
    outdated
        reason to replace the outputs of an earlier conversion, otherwise None.
    """

    job: Job
    done: Result | None = None
    outdated: str | None = None


def plan(
    inputs: Mapping[str, list[str]],
    targets: Mapping[str, Target],
    arguments: Mapping[str, Any],
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
    skip_existing: bool = False,
    debug: bool = False,
) -> list[Planned]:
    """Decide for each input whether it is converted.

    Parameters
    ----------
    inputs, targets
        names of the files of each input, and its outputs, by the input's first name.
    arguments
        further arguments of :func:`.build_raw.convert`.
    n_jobs
        number of conversions at a time, which share threads and memory.
    scheduler
        the Dask cluster, if any: threads and memory are shared there.
    skip_existing
        skip inputs whose outputs are up to date; other outputs are replaced.
    debug
        whether conversions print tracebacks.
    """
    planned = []
    for file, names in inputs.items():
        one = Planned(Job(names, targets[file], dict(arguments), debug))
        if skip_existing:
            found = existing_outputs(names, targets[file], arguments)
            one.outdated = found.outdated
            if found.outdated is None:
                one.done = Result(
                    file, found.status, skipped="up to date", stored=found.report
                )
        planned.append(one)
    n_files = sum(one.done is None for one in planned)
    shared = dict(arguments)
    if scheduler is None:
        shared = share(arguments, max(1, min(n_jobs, n_files)))
    if skip_existing:
        shared["overwrite"] = True
    for one in planned:
        one.job.arguments = shared
    return planned


def share(arguments: Mapping[str, Any], n_jobs: int) -> dict[str, Any]:
    """Divide memory and threads among simultaneous conversions.

    Parameters
    ----------
    arguments
        arguments of :func:`.build_raw.convert`, with the threads (None: one for each
        core) and the memory of all conversions, in bytes.
    n_jobs
        number of conversions at a time.

    Returns
    -------
    arguments
        arguments of each conversion.
    """
    threads = arguments.get("threads") or default_threads()
    return {
        **arguments,
        "threads": max(1, threads // n_jobs),
        "memory_limit": max(MIN_LIMIT, arguments["memory_limit"] // n_jobs),
    }
