"""Sides, child processes and results of the benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORKER = Path(__file__).resolve().with_name("worker.py")
CONVERSION = WORKER.with_name("conversion.py")
CODECS = WORKER.with_name("waveform_codecs.py")
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _text_of(file: IO[bytes]) -> str:
    """Return all that was written to a file."""
    file.seek(0)
    return file.read().decode(errors="replace")


class ChildError(Exception):
    """A child process failed."""


class Ended(NamedTuple):
    """A child process that has ended well."""

    output: str
    """What it wrote to standard output."""
    wall: float
    """Seconds from its start to its end."""
    peak: int
    """Largest resident size in bytes, at least that of this process."""


@dataclass
class Side:
    """An interpreter with a converter in it."""

    name: str
    python: str
    cwd: Path
    timeout: float
    warm: int = 0
    """Megabytes of memory to touch before the clock starts, see the worker."""
    ours: bool = True
    about: dict[str, Any] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment of this side's processes.

        Both converters have the same import name: ``PYTHONPATH`` is for ours alone.
        """
        env = dict(os.environ)
        if not self.ours:
            env.pop("PYTHONPATH", None)
        return env

    def command(self, command: Sequence[str]) -> Ended:
        """Run a command and wait for its end.

        Parameters
        ----------
        command
            program and arguments.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            begin = time.perf_counter()
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    cwd=self.cwd,
                    env=self.environment(),
                )
            except OSError as error:
                msg = f"cannot start {command[0]} ({error.strerror})"
                raise ChildError(msg) from error
            end = (process.pid, signal.SIGKILL)
            timer = threading.Timer(self.timeout, os.kill, end)
            timer.start()
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                process.wait()
                raise
            finally:
                timer.cancel()
            seconds = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            output, errors = (_text_of(file) for file in (out, err))
        if process.returncode:
            lines = errors.strip().splitlines() or ["no message"]
            msg = f"exit status {process.returncode}: {lines[-1]}"
            if process.returncode == -signal.SIGKILL and seconds >= self.timeout:
                msg = f"no result after {self.timeout:g} s"
            raise ChildError(msg)
        return Ended(output, seconds, usage.ru_maxrss * MAXRSS_UNIT)

    def script(self, path: Path, *args: str) -> dict[str, Any]:
        """Run a script that writes JSON in its last line.

        Parameters
        ----------
        path
            the script.
        args
            its arguments.

        Returns
        -------
        result
            what the script gave, and the ``wall`` seconds and ``peak`` memory.
        """
        ended = self.command([self.python, str(path), *args])
        try:
            result: dict[str, Any] = json.loads(ended.output.rpartition("\n")[2])
        except json.JSONDecodeError as error:
            msg = f"{path.name} gave no result"
            raise ChildError(msg) from error
        return result | {"wall": ended.wall, "peak": ended.peak}

    def worker(self, *args: str) -> dict[str, Any]:
        """Run the worker script."""
        return self.script(WORKER, *args)

    def convert(self, task: dict[str, Any]) -> dict[str, Any]:
        """Run a conversion as a program of its own, in memory that is in place.

        Parameters
        ----------
        task
            see the script.
        """
        if self.warm:
            self.command([self.python, str(WORKER), "touch", str(self.warm)])
        return self.script(CONVERSION, json.dumps(task))

    def program(self) -> tuple[list[str], bool]:
        """Find the command-line program.

        Returns
        -------
        start
            the start of a command that runs it.
        has_commands
            whether conversion is its ``convert`` command.
        """
        for name in ("daq2lh5", "legend-daq2lh5"):
            path = Path(self.about["scripts"]) / name
            if path.is_file():
                return [str(path)], name == "daq2lh5"
        if self.ours:
            # built in place
            return [self.python, "-m", "daq2lh5"], True
        msg = "no command-line program beside this python"
        raise ChildError(msg)


@dataclass(frozen=True)
class Goal:
    """What a result should reach."""

    value: float
    of: str
    """``ratio`` or ``ours``."""
    at_most: bool = False

    def met(self, result: Result) -> bool | None:
        """Tell whether a result reaches the goal, None if it can't be said."""
        value = result.ratio if self.of == "ratio" else result.median("ours")
        if value is None:
            return None
        return value <= self.value if self.at_most else value >= self.value

    def __str__(self) -> str:
        unit = "x" if self.of == "ratio" else ""
        return f"{'<=' if self.at_most else '>='} {self.value:g}{unit}"


@dataclass
class Result:
    """One line of the table."""

    case: str
    subject: str
    quantity: str
    unit: str
    samples: dict[str, list[float]]
    """Values by side, in the order in which they were measured."""
    lower_is_better: bool = False
    goal: Goal | None = None

    def median(self, side: str) -> float | None:
        """Return the median of a side's samples."""
        values = self.samples.get(side)
        return median(values) if values else None

    @property
    def ratios(self) -> list[float]:
        """How many times better ours was, for each pair of neighbours in time."""
        pairs = zip(
            self.samples.get("ours", ()), self.samples.get("peer", ()), strict=False
        )
        if self.lower_is_better:
            return [peer / ours for ours, peer in pairs if ours > 0]
        return [ours / peer for ours, peer in pairs if peer > 0]

    @property
    def ratio(self) -> float | None:
        """Median of the ratios of the pairs."""
        return median(self.ratios) if self.ratios else None

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return {
            "case": self.case,
            "input": self.subject,
            "quantity": self.quantity,
            "unit": self.unit,
            "better": "lower" if self.lower_is_better else "higher",
            "samples": self.samples,
            "medians": {side: self.median(side) for side in self.samples},
            "ratios": self.ratios,
            "ratio": self.ratio,
            "goal": str(self.goal) if self.goal else None,
            "goal_met": self.goal.met(self) if self.goal else None,
        }


def alternate(
    sides: Sequence[Side],
    repeat: int,
    run: Callable[[Side], dict[str, Any]],
    failed: Callable[[Side, ChildError], None],
) -> dict[str, list[dict[str, Any]]]:
    """Run something on each side in turn, several times.

    Parameters
    ----------
    sides
        who takes part, in this order in each round.
    repeat
        number of rounds.
    run
        what to do on a side.
    failed
        called when a side fails; that side then drops out, without results.

    Returns
    -------
    results
        by name of the side, one per round.
    """
    results: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
    alive = list(sides)
    for _ in range(repeat):
        for side in tuple(alive):
            try:
                results[side.name].append(run(side))
            except ChildError as error:
                failed(side, error)
                results[side.name].clear()
                alive.remove(side)
    return results
