"""Command line of checks that are repeated, each by seed and number."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Check(Protocol):
    """A check that depends on a seed and a number only."""

    def problems(self, seed: int, number: int) -> list[str]:
        """Check once; return the faults found."""

    def summary(self) -> str:
        """Describe all checks made so far."""


def run_command(
    name: str, description: str, count: int, make: Callable[[Path], Check]
) -> int:
    """Parse the command line, check so many times, and return the exit status.

    Parameters
    ----------
    name
        name of the program in ``tests/fuzz``.
    description
        text of its help.
    count
        default number of checks.
    make
        makes the check in a temporary folder.
    """
    made = argparse.ArgumentParser(
        prog=f"tests/fuzz/{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--count", type=int, default=count, help=f"default {count}")
    made.add_argument("--only", type=int, metavar="NUMBER", help="this one alone")
    options = made.parse_args()
    numbers = range(options.count) if options.only is None else [options.only]
    n_problems = 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="daq2lh5-kills.") as folder:
        check = make(Path(folder))
        for number in numbers:
            for problem in check.problems(options.seed, number):
                n_problems += 1
                print(f"--seed {options.seed} --only {number}: {problem}")
    seconds = time.perf_counter() - start
    print(f"{check.summary()}, {n_problems} problems, {seconds:.0f} s")
    return 1 if n_problems else 0
