"""Converts damaged inputs, and prints those with wrong results.

python tests/fuzz/run.py --count 1000               all formats
python tests/fuzz/run.py --format fcio --minutes 5
python tests/fuzz/run.py --format fcio --seed 1 --only 17
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz import pool, real
from fuzz.cases import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="tests/fuzz/run.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--format", choices=FORMATS, action="append", help="all of them by default")
    add("--seed", type=int, default=1)
    add("--count", type=int, default=1000, help="number of inputs (default 1000)")
    add("--first", type=int, default=0, help="number of the first input")
    add("--minutes", type=float, help="stop after this time, in place of --count")
    add("--only", type=int, metavar="NUMBER", help="this input alone")
    add("--workers", type=int, default=os.cpu_count() or 1)
    add("--zeros-only", action="store_true", help="zeroed tails and holes alone")
    add("--no-memory-limit", action="store_true", help="for sanitizers")
    add("--failures", type=Path, default=Path("fuzz-failures.jsonl"), metavar="FILE")
    return made


def cases_of(options: argparse.Namespace) -> Iterator[tuple[str, int, int]]:
    """Go through the cases: the formats take turns."""
    formats = options.format or list(FORMATS)
    if "real" in formats and not real.names():
        print("no real files: DAQ2LH5_TESTDATA names no directory with them")
        formats.remove("real")
        if not formats:
            return
    if options.only is not None:
        yield from ((f, options.seed, options.only) for f in formats)
        return
    turns = ((n, f) for n in itertools.count(options.first) for f in formats)
    end = time.monotonic() + 60 * (options.minutes or 0)
    done = 0
    for number, format_ in turns:
        over = time.monotonic() > end if options.minutes else done >= options.count
        if over:
            return
        # real files are large
        if format_ != "real" or number % 10 == 0 or len(formats) == 1:
            done += 1
            yield format_, options.seed, number


def main() -> int:
    """Run the cases; 1 if one of them was not as it must be."""
    options = parser().parse_args()
    began = time.monotonic()
    done: Counter[str] = Counter()
    failed = 0
    verdicts = pool.run(
        cases_of(options),
        options.workers,
        zeros_only=options.zeros_only,
        limit_memory=not options.no_memory_limit,
    )
    for verdict in verdicts:
        done[verdict.format] += 1
        if not verdict.problems:
            continue
        failed += 1
        command = (
            f"tests/fuzz/run.py --format {verdict.format} --seed {verdict.seed} "
            f"--only {verdict.number}"
        )
        if options.zeros_only:
            command += " --zeros-only"
        print(f"{verdict.case}\n  {'; '.join(verdict.problems)}\n  {command}")
        with options.failures.open("a") as file:
            entry = vars(verdict) | {"content": verdict.content.hex()}
            file.write(json.dumps(entry | {"command": command}) + "\n")
    formats = ", ".join(f"{name} {n}" for name, n in done.items())
    print(
        f"{done.total()} inputs ({formats}), {failed} not as they must be, "
        f"seed {options.seed}, {time.monotonic() - began:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
