"""A Dask cluster in processes of its own, whose workers can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kit.places import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60
"""Longest wait for the cluster."""


class DaskCluster:
    """A scheduler and its workers, each with one thread.

    Parameters
    ----------
    folder
        where their files go.
    options
        options of the scheduler.
    """

    def __init__(self, folder: Path, *options: object) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen] = []
        self.scheduler = self._start(
            "scheduler", "--port=0", "--no-dashboard", *options
        )
        with self.client() as client:
            self.address = client.scheduler.address

    def _start(self, kind: str, *options: object) -> subprocess.Popen:
        program = f"from distributed.cli.dask_{kind} import main; main()"
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-c", program, "--scheduler-file", self.file),
                    *map(str, options),
                ],
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def client(self):
        from distributed import Client

        end = time.monotonic() + SECONDS
        while not self.file.exists() and time.monotonic() < end:
            time.sleep(0.05)
        return Client(scheduler_file=str(self.file), set_as_default=False)

    def have(self, n: int, *options: object) -> None:
        """Start workers until there are `n`."""
        self.workers = [w for w in self.workers if w.poll() is None]
        for _ in range(n - len(self.workers)):
            self.workers.append(
                self._start(
                    "worker", "--nthreads=1", "--no-nanny", "--no-dashboard", *options
                )
            )
        with self.client() as client:
            client.wait_for_workers(n, timeout=SECONDS)

    def kill_worker_of(self, pid: int) -> None:
        """Kill the worker whose process for conversions has this id."""
        import psutil

        parent = psutil.Process(pid).ppid()
        (worker,) = (w for w in self.workers if w.pid == parent)
        worker.kill()
        worker.wait()

    def end_workers(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(SECONDS)
        self.workers = []


@contextmanager
def dask_cluster(folder: Path, *options: object) -> Iterator[DaskCluster]:
    """Start a scheduler; end it and all workers in the end."""
    os.makedirs(folder, exist_ok=True)
    cluster = DaskCluster(folder, *options)
    try:
        yield cluster
    finally:
        for process in (*cluster.workers, cluster.scheduler):
            process.kill()
        for process in (*cluster.workers, cluster.scheduler):
            process.wait()
