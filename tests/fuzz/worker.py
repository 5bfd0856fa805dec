"""Runs cases that come line by line, and says how they went, line by line.

FORMAT SEED NUMBER      →  begin FORMAT NUMBER
                           done {"problems": [...], "case": "...", ...}
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import traceback

import numpy as np
from fuzz.cases import run_case

MEMORY_LIMIT = 4 * 2**30
"""Bytes of address space: more is an error of the case."""


def rss() -> int:
    """Return the largest memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    """Serve until the input ends."""
    options = json.loads(sys.argv[1])
    if options.pop("limit_memory", True):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    logging.disable(logging.CRITICAL)
    np.seterr(all="raise")
    folder = sys.argv[2]
    with tempfile.TemporaryDirectory(dir=folder) as own:
        for line in sys.stdin:
            format_, seed, number = line.split()
            said = {"problems": [], "case": "", "content": ""}
            before = rss()
            try:
                case = run_case(format_, int(seed), int(number), own, **options)
                said["case"] = str(case)
                said["problems"] = case.problems
                if case.problems:
                    said["content"] = case.content.hex()
            except Exception:
                said["problems"] = [traceback.format_exc()]
            said["memory"] = [before, rss()]
            print("done", json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
