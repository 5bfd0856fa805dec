"""Worker processes that run cases; those that crash or hang are replaced."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60
"""After which a case counts as hung, on a machine that does other things as well."""

MEMORY_STEP = 200
"""MiB by which one case may raise the largest memory of its process."""


@dataclass
class Verdict:
    """What came of a case."""

    format: str
    seed: int
    number: int
    problems: list[str] = field(default_factory=list)
    case: str = ""
    content: bytes = b""


class Worker:
    """A process that runs one case after the other."""

    def __init__(self, folder: str, options: dict[str, Any]) -> None:
        tests = Path(__file__).parents[1]
        paths = [str(tests), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._errors = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.worker", json.dumps(options), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            cwd=folder,
        )
        self.case: tuple[str, int, int] | None = None
        self.began = 0.0
        self.is_warm = False

    def give(self, case: tuple[str, int, int]) -> None:
        self.case, self.began = case, time.monotonic()
        self.process.stdin.write(" ".join(map(str, case)).encode() + b"\n")
        self.process.stdin.flush()

    def last_words(self) -> str:
        """Return the end of what was written to standard error."""
        self._errors.seek(0)
        return self._errors.read()[-4000:].decode(errors="replace")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self._errors.close()


def run(
    cases: Iterator[tuple[str, int, int]], n_workers: int, **options: Any
) -> Iterator[Verdict]:
    """Run cases in worker processes; yields what came of each as it is done.

    Parameters
    ----------
    cases
        format, seed and number of each.
    n_workers
        number of processes.
    **options
        of `fuzz.cases.run_case`, and `limit_memory`.
    """
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as folder:
        workers = [Worker(folder, options) for _ in range(n_workers)]
        selector = selectors.DefaultSelector()
        try:
            for worker in workers:
                _register(selector, worker, next(cases, None))
            while selector.get_map():
                for key, _ in selector.select(min(1, SECONDS / 2)):
                    worker = key.data
                    verdict = _hear(worker)
                    selector.unregister(worker.process.stdout)
                    yield verdict
                    if worker.process.poll() is not None:
                        workers.remove(worker)
                        worker.stop()
                        worker = Worker(folder, options)
                        workers.append(worker)
                    _register(selector, worker, next(cases, None))
                for key in list(selector.get_map().values()):
                    if time.monotonic() - key.data.began > SECONDS:
                        # read as an end of its output
                        key.data.process.kill()
        finally:
            for worker in workers:
                worker.stop()


def _register(
    selector: selectors.BaseSelector, worker: Worker, case: tuple[str, int, int] | None
) -> None:
    if case is not None:
        worker.give(case)
        selector.register(worker.process.stdout, selectors.EVENT_READ, worker)


def _hear(worker: Worker) -> Verdict:
    """Read the line that a worker writes at the end of a case."""
    line = worker.process.stdout.readline()
    verdict = Verdict(*worker.case)
    if not line.startswith(b"done"):
        status = worker.process.wait()
        seconds = time.monotonic() - worker.began
        how = "hung" if seconds > SECONDS else f"ended with {status}"
        verdict.problems = [f"the process {how}\n{worker.last_words()}"]
        return verdict
    said = json.loads(line[5:])
    verdict.problems = said["problems"]
    verdict.case, verdict.content = said["case"], bytes.fromhex(said["content"])
    before, after = said["memory"]
    if after - before > MEMORY_STEP and worker.is_warm:
        verdict.problems.append(f"{after - before} MiB of memory")
    worker.is_warm = True
    return verdict
