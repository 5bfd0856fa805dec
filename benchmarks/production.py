"""Measure time, memory and disk space of conversions, and of ``daq2lh5 verify``.

Each run is a process of its own. This program makes the table of
``docs/source/production.rst``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import inputs

EXAMPLES = inputs.CHECKOUT / "examples"
MB = 1_000_000
KINDS = {"6ch": "production_fcio.yaml", "orca-fcio": "production_orca.yaml"}
LIMITS = ("256M", "1G")


def run(arguments: list[str]) -> tuple[float, float, float]:
    """Run daq2lh5; return run time and processor time (seconds), and memory (MB)."""
    command = [sys.executable, "-m", "daq2lh5", *arguments]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode not in (0, 3):
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB


def measure(source: Path, settings: list[str], limit: str, repeat: int) -> list[str]:
    """Convert and verify a file; return the cells of its row."""
    folder = source.parent
    keywords = json.dumps({"out_dir": str(folder), "run": "out"})
    converting, verifying = [], []
    for _ in range(repeat):
        common = ["--memory-limit", limit]
        arguments = ["convert", "-q", "-w", str(source), *settings, "-k", keywords]
        converting.append(run([*arguments, *common]))
        (output,) = folder.glob("out*.lh5")
        size = output.stat().st_size
        verifying.append(run(["verify", "-q", str(output), str(source), *common]))
        output.unlink()
    rate = source.stat().st_size / MB
    seconds, cores, memory = map(median, zip(*converting, strict=True))
    checking, _, more = map(median, zip(*verifying, strict=True))
    return [
        f"{rate / seconds:.0f} MB/s",
        f"{1000 * cores / rate:.1f} s",
        f"{memory:.0f} MB",
        f"{100 * size / source.stat().st_size:.0f} %",
        f"{rate / checking:.0f} MB/s",
        f"{more:.0f} MB",
    ]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--data", type=Path, default=inputs.default_data())
    options = parser.parse_args()
    head = ("input", "settings", "limit", "rate", "processor time of a GB")
    head += ("memory", "size", "verify", "its memory")
    print(*head, sep=" | ")
    for name, production in KINDS.items():
        with tempfile.TemporaryDirectory() as work:
            size = options.size_mb * MB
            files, _ = inputs.make(name, options.data, Path(work), [size])
            source = files[size].path
            for text, settings in (
                ("default", ["-o", f"{work}/out.lh5"]),
                ("production", ["-o", str(EXAMPLES / production)]),
            ):
                for limit in LIMITS:
                    cells = measure(source, settings, limit, options.repeat)
                    print(name, text, limit, *cells, sep=" | ")


if __name__ == "__main__":
    main()
