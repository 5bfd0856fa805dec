"""Measure batches of many files, against a loop over legend-daq2lh5.

The loop runs over a few evenly chosen files, and its time is scaled to all: 2000 files
would take hours. Everything else is measured in full, by turns.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import inputs

MB = 1_000_000
KINDS = ("6ch", "orca")
"""Inputs of ``run.py``: FCIO and ORCA files of real waveforms."""


def make_inputs(data: Path, folder: Path, n_files: int, n_bytes: int) -> list[Path]:
    """Write FCIO and ORCA files by turns, each of about `n_bytes`."""
    made = []
    for name in KINDS:
        kind = next(k for k in inputs.INPUTS if k.name == name)
        sample = kind.make(kind.path(data))
        # a single event is repeated, so that files can be small
        one = replace(
            sample,
            body=sample.unit,
            traces=tuple(t for t in sample.traces if sum(t) <= len(sample.unit)),
        )
        path = folder / f"first.{kind.extension}"
        inputs.write_repeated(path, one, n_bytes)
        made.append(path)
    files = []
    for number in range(n_files):
        source = made[number % len(made)]
        files.append(folder / f"run_{number}{source.suffix}")
        shutil.copyfile(source, files[-1])
    for path in made:
        path.unlink()
    return files


def timed(command: list[str], **options: object) -> float:
    """Run a command; return its run time in seconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--size-mb", type=float, default=5.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--data", type=Path, default=inputs.default_data())
    parser.add_argument("--peer", help="python with legend-daq2lh5")
    parser.add_argument("--peer-files", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = make_inputs(
            options.data, folder, options.files, int(options.size_mb * MB)
        )
        total = sum(f.stat().st_size for f in files)
        run = [sys.executable, "-m", "daq2lh5", "convert", "-q", "-w", str(folder)]
        seconds: dict[str, list[float]] = {"alone": [], "jobs": [], "peer": []}
        few = files[:: max(1, len(files) // options.peer_files)]
        few = few if len(few) % 2 == 0 else few[:-1]
        for number in range(options.repeat):
            seconds["jobs"].append(timed([*run, "--jobs", str(options.jobs)]))
            seconds["alone"].append(timed([*run, "--jobs", "1", "--threads", "1"]))
            if options.peer and number == 0:
                command = [str(Path(options.peer).with_name("legend-daq2lh5")), "-w"]
                clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
                peer = sum(
                    timed(
                        [*command, "-o", f"{file}.peer.lh5", str(file)],
                        stderr=subprocess.DEVNULL,
                        env=clean,
                    )
                    for file in few
                )
                done = sum(f.stat().st_size for f in few)
                seconds["peer"].append(peer / done * total)
        print(f"{len(files)} files, {total / MB:.0f} MB, {os.cpu_count()} cores")
        jobs = median(seconds["jobs"])
        for kind, text in (
            ("jobs", f"--jobs {options.jobs}"),
            ("alone", "--jobs 1 --threads 1"),
            ("peer", f"loop over legend-daq2lh5 ({len(few)} files, scaled)"),
        ):
            if seconds[kind]:
                middle = median(seconds[kind])
                told = ", ".join(f"{s:.2f}" for s in seconds[kind])
                print(
                    f"{text:50} {middle:9.2f} s {total / MB / middle:8.1f} MB/s "
                    f"ratio {middle / jobs:6.2f}   ({told})"
                )


if __name__ == "__main__":
    main()
