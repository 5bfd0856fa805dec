"""Conversion of many files from Python."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from .. import formats
from ..command.arguments import check_inputs, targets_of
from ..command.inputs import InputError, expand_inputs, group_inputs
from ..command.run import check_outputs
from ..conversion.arguments import whole_number
from ..resources.memory import DEFAULT_LIMIT, MIN_LIMIT, parse_size
from .cluster import convert_jobs
from .plan import plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..conversion.channel_maps import ChannelMaps
    from ..conversion.targets import OutSpecs
    from .results import Result
    from .work import Listener

log = logging.getLogger(__name__)

__all__ = ["convert_files"]

ARGUMENTS = (
    "in_stream_type",
    "buffer_size",
    "n_max",
    "overwrite",
    "hdf5_settings",
    "db_dict",
    "column_settings",
    "extra_columns",
    "threads",
    "verify_compression",
    "hash_input",
)
"""Arguments of :func:`.build_raw.build_raw` that each conversion gets."""


def convert_files(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out_spec: OutSpecs = None,
    *,
    channel_map: ChannelMaps = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    join: bool = False,
    skip_existing: bool = False,
    retries: int = 0,
    timeout: float | None = None,
    fail_fast: bool = False,
    memory_limit: int | str = DEFAULT_LIMIT,
    listener: Listener | None = None,
    **kwargs: Any,
) -> Iterator[Result]:
    """Convert many files, several at a time, each in a process of its own.

    All inputs and outputs are checked before the first is converted. An input that
    fails stops no other.

    Parameters
    ----------
    inputs
        names of files; folders stand for the DAQ files in each, ``@LIST`` for the names
        in the file ``LIST``. A warning is logged for other files in a folder.
    out_spec, channel_map
        see :func:`.build_raw.build_raw`. ``{orig_basename}`` stands for the name of an
        input without its extension.
    jobs
        number of processes; by default one. With one, and without a `timeout`, this
        process converts.
    scheduler
        Dask cluster that converts: the address of its scheduler, or ``local`` for
        processes on this computer. `jobs` is then the largest number of conversions at
        a time, by default the number of threads.
    join
        convert all files, in numeric order, as one stream to one output.
    skip_existing
        skip inputs whose outputs are complete, newer than the input, and made with the
        same settings; other outputs are replaced.
    retries
        how often a failed conversion is tried again.
    timeout
        seconds after which a conversion is stopped, as failed.
    fail_fast
        stop after the first conversion that fails.
    memory_limit
        bytes that the buffers and queues of all conversions may take together.
    listener
        told of the progress.
    **kwargs
        further arguments of :func:`.build_raw.build_raw`, values of keywords included.

    Returns
    -------
    results
        iterator of the results, each as its file is done.

    Raises
    ------
    ValueError
        for wrong inputs, specifications and arguments, before data are read.
    OSError
        if a folder or a list cannot be read.
    ClusterError
        (a RuntimeError) while results are taken, if the cluster cannot be used.

    Examples
    --------
    >>> for result in convert_files(["run/"], "raw/{orig_basename}.lh5", jobs=4):
    ...     print(result.file, result.status)
    """
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    files = check_inputs(tuple(expand_inputs(inputs, note=log.warning)))
    if not files:
        msg = "no input: the list of files is empty"
        raise InputError(msg)
    by_first = group_inputs(files, join)
    options = {name: kwargs.pop(name) for name in [*kwargs] if name in formats.OPTIONS}
    arguments = {name: kwargs.pop(name) for name in [*kwargs] if name in ARGUMENTS}
    if jobs is not None:
        jobs = whole_number("jobs", jobs, 1)
    retries = whole_number("retries", retries, 0)
    if timeout is not None and not timeout > 0:
        msg = f"timeout must be more than 0 seconds, got {timeout}"
        raise ValueError(msg)
    if isinstance(memory_limit, str):
        memory_limit = parse_size(memory_limit)
    memory_limit = whole_number("memory_limit", memory_limit, MIN_LIMIT)
    if arguments.get("threads") is not None:
        arguments["threads"] = whole_number("threads", arguments["threads"], 1)
    arguments |= {"options": options, "memory_limit": memory_limit}
    targets = targets_of(tuple(by_first), out_spec, kwargs, channel_map)
    outputs = [name for target in targets.values() for name in target.files]
    check_outputs(files, outputs, arguments.get("overwrite", False))
    planned = plan(
        by_first,
        targets,
        arguments,
        n_jobs=jobs or 1,
        scheduler=scheduler,
        skip_existing=skip_existing,
    )

    def results() -> Iterator[Result]:
        yield from (one.done for one in planned if one.done is not None)
        yield from convert_jobs(
            [one.job for one in planned if one.done is None],
            jobs,
            scheduler,
            retries=retries,
            timeout=timeout,
            fail_fast=fail_fast,
            listener=listener,
        )

    return results()
