"""Threads and memory are shared among conversions at a time."""

from __future__ import annotations

import pytest

from daq2lh5.batch.plan import plan
from daq2lh5.conversion.targets import Target
from daq2lh5.resources.memory import MIN_LIMIT

TARGET = Target(None, "x.lh5", [])


@pytest.mark.parametrize(
    ("threads", "memory", "n_jobs", "wanted"),
    [
        (8, 1 << 30, 4, (2, 1 << 28)),
        (2, 1 << 30, 4, (1, 1 << 28)),
        (1, MIN_LIMIT, 3, (1, MIN_LIMIT)),
    ],
)
def test_shares(threads, memory, n_jobs, wanted):
    arguments = {"threads": threads, "memory_limit": memory}
    names = {f"{n}": [f"{n}"] for n in range(n_jobs)}
    planned = plan(names, dict.fromkeys(names, TARGET), arguments, n_jobs=n_jobs)
    for one in planned:
        got = one.job.arguments
        assert (got["threads"], got["memory_limit"]) == wanted
    assert arguments == {"threads": threads, "memory_limit": memory}


def test_fewer_files_than_jobs():
    """A single file gets all threads."""
    arguments = {"threads": 8, "memory_limit": 1 << 30}
    (one,) = plan({"x": ["x"]}, {"x": TARGET}, arguments, n_jobs=4)
    assert one.job.arguments == arguments
