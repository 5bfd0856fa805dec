"""Measure the converter, and the established one where a python has it.

Every measurement runs in a process of its own; with two sides, their runs alternate.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import multiprocessing
import os
import platform
import signal
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import inputs
from measure import CODECS, ChildError, Goal, Result, Side, alternate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

MB = 1_000_000
BUFFER_SIZE = 8192
MEMCPY_BLOCK = 32 << 20
UNCOMPARED = (
    *("FCConfig", "FSPConfig", "CompassHeader", "LLAMAHeader", "MGDOHeader"),
    *("OrcaHeader", "ORRunDecoderForRun", "ORFlashCamListenerConfig"),
    *("ORFCIOConfig_fcid_1/config", "ORFCIOConfig_swtid_1/config"),
)
"""Tables of the head of a file, or whose number of rows differs on purpose."""

TABLES = {"raw": "FCEvent"}
"""What a table is in that is called otherwise with one per channel."""

STAGES = ("read", "decode", "process", "compress", "write", "finish", "total")
"""Stages of a conversion, in the order of the columns of the report."""


@dataclass(frozen=True)
class Conversion:
    """A way to convert."""

    text: str
    filters: str = "default"
    channels: bool = False
    """Whether each channel has a table of its own."""
    processing: str = ""
    """What becomes of waveforms: see `proc_spec` in `conversion.py`."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of ours alone."""


CONVERSIONS = {
    "convert": Conversion("convert to LH5 with default settings"),
    "threads1": Conversion("the same, ours with threads=1", options={"threads": 1}),
    "uncompressed": Conversion("convert without compression", "none"),
    "zstd": Conversion("convert with zstd (by hdf5plugin) and shuffle", "zstd"),
    "channels": Conversion("convert with one table per channel", channels=True),
    "presum": Conversion(
        "the same with zstd, windowed and presummed waveforms",
        "zstd",
        channels=True,
        processing="presum",
    ),
    "production": Conversion(
        # the peer cannot have both zstd and codecs
        "the same with codecs for them, and gzip",
        channels=True,
        processing="codecs",
    ),
}
CASES = {
    "decode": "open a stream and iterate over its chunks, writing nothing",
    "memory": "peak memory of that, above that of the interpreter with its imports",
    "memcpy": "the rate at which numpy copies the bytes from memory to 32 MiB",
    **{name: conversion.text for name, conversion in CONVERSIONS.items()},
    "codecs": "encode waveforms of real files, next to lh5 (in place of the peer)",
    "growth": "peak memory of our conversions of inputs of several sizes",
    "startup": "command line, import, and conversion of a small file",
}
PEAK_MB = round(2**30 / MB) + 250
"""Memory limit of a conversion, and what may come on top of it."""

GOALS = {
    "decode:1ch:open and iterate": Goal(50, "ratio"),
    "decode:6ch:open and iterate": Goal(15, "ratio"),
    "decode:headers:open and iterate": Goal(50, "ratio"),
    "decode:orca:open and iterate": Goal(50, "ratio"),
    "decode:orca-headers:open and iterate": Goal(50, "ratio"),
    "decode:orca-fcio:open and iterate": Goal(15, "ratio"),
    "convert:orca:whole process": Goal(8, "ratio"),
    "convert:orca-fcio:whole process": Goal(8, "ratio"),
    "convert:orca-headers:whole process": Goal(20, "ratio"),
    "decode:compass:open and iterate": Goal(50, "ratio"),
    "decode:llama:open and iterate": Goal(50, "ratio"),
    "decode:llama-short:open and iterate": Goal(50, "ratio"),
    # input: 200 MB of samples a second
    "decode:mgdo:open and iterate": Goal(200 * 0.496, "ours"),
    "memcpy:6ch:decode / copy": Goal(0.25, "ours"),
    "memcpy:orca-fcio:decode / copy": Goal(0.25, "ours"),
    "memory:*:above imports": Goal(300, "ours", at_most=True),
    "convert:[16]ch:whole process": Goal(12, "ratio"),
    "convert:123ch:whole process": Goal(10, "ratio"),
    "convert:small:whole process": Goal(5, "ratio"),
    "threads1:*:whole process": Goal(7, "ratio"),
    "channels:2000ch:whole process": Goal(10, "ratio"),
    "channels:*:whole process": Goal(8, "ratio"),
    "convert:*:output / input": Goal(0.98, "ratio"),
    "codecs:*:radware*": Goal(3.5, "ratio"),
    "codecs:*:uleb128 uint16": Goal(8, "ratio"),
    "codecs:*:uleb128 uint32": Goal(2.5, "ratio"),
    "growth:*:* less *": Goal(50, "ours", at_most=True),
    "*:peak memory*": Goal(PEAK_MB, "ours", at_most=True),
    "startup::--help": Goal(0.25, "ours", at_most=True),
}
"""By pattern of ``case:input:quantity``; the first that fits counts."""


def names_of_cases() -> list[str]:
    """Return the names of all cases as ``case:input``."""
    names = [f"{case}:{kind.name}" for kind in inputs.INPUTS for case in kind.cases]
    return [*names, "codecs", "startup"]


@dataclass
class Bench:
    """One run of the benchmarks."""

    sides: list[Side]
    repeat: int
    selected: set[str]
    data: Path
    work: Path
    sizes: dict[str, int]
    """Bytes of the input by name of the side."""
    growth: list[int]
    """Bytes of the inputs whose conversions' memory is compared."""
    results: list[Result] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    """Seconds of each stage of our conversions."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    """What every single run gave, as it came from the worker."""
    skipped: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)

    def wants(self, case: str, name: str) -> bool:
        """Tell whether a case was asked for."""
        return f"{case}:{name}" in self.selected

    def measure(
        self,
        what: str,
        sides: Sequence[Side],
        run: Callable[[Side], dict[str, Any]],
    ) -> dict[str, list[dict[str, Any]]]:
        """Alternate over the sides, say so, and keep note of failures.

        Parameters
        ----------
        what
            name of the measurement.
        sides
            who takes part.
        run
            what to do on a side.
        """

        def shown(side: Side) -> dict[str, Any]:
            say(f" {side.name}", end="")
            return run(side)

        def failed(side: Side, error: ChildError) -> None:
            say(" failed", end="")
            self.failures.append(
                {"what": what, "side": side.name, "reason": str(error)}
            )

        say(f"  {what}:", end="")
        try:
            by_side = alternate(sides, self.repeat, shown, failed)
        finally:
            say("")
        self.runs.append({"what": what, "runs": by_side})
        return by_side

    def run(self) -> None:
        """Run all cases that were asked for."""
        for kind in inputs.INPUTS:
            if not any(n.endswith(f":{kind.name}") for n in self.selected):
                continue
            try:
                self.run_input(kind)
                if self.wants("growth", kind.name):
                    self.run_growth(kind)
            except inputs.SampleMissingError as error:
                self.skipped.append({"what": kind.name, "reason": str(error)})
        if "codecs" in self.selected:
            self.run_codecs()
        if "startup" in self.selected:
            self.run_startup()

    def make(
        self, kind: inputs.InputKind, sizes: Sequence[int]
    ) -> tuple[dict[int, inputs.InputFile], Path]:
        """Make the files of an input, in another process.

        This one stays small: the peak memory of a process that it starts begins with
        its own.

        Parameters
        ----------
        kind
            the input.
        sizes
            bytes of each file.
        """
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            what = (kind.name, self.data, self.work, tuple(sizes))
            return pool.submit(inputs.make, *what).result()

    def run_input(self, kind: inputs.InputKind) -> None:
        """Make the files of one input, run its cases, and remove the files.

        Parameters
        ----------
        kind
            the input.
        """
        reading = [self.wants(case, kind.name) for case in inputs.READING]
        ways = [case for case in CONVERSIONS if self.wants(case, kind.name)]
        if not any(reading) and not ways:
            return
        say(f"{kind.name}: {kind.description}")
        made, prime = self.make(kind, sorted(set(self.sizes.values())))
        files = {side.name: made[self.sizes[side.name]] for side in self.sides}
        for side, file in files.items():
            self.files.append(
                {
                    "input": kind.name,
                    "description": kind.description,
                    "side": side,
                    "bytes": file.size,
                    "events": file.events,
                    "repeats": file.repeats,
                    "rows": file.rows,
                }
            )
        if any(reading):
            both = kind.peer and any(reading[:2])
            sides = self.sides if both else self.sides[:1]
            self.run_decode(kind, sides, files, prime)
        for case in ways:
            self.run_convert(case, kind, files)
        for path in (*(file.path for file in made.values()), prime):
            path.unlink()

    def run_decode(
        self,
        kind: inputs.InputKind,
        sides: Sequence[Side],
        files: dict[str, inputs.InputFile],
        prime: Path,
    ) -> None:
        """Decode on each side, and copy memory in the same rounds.

        Parameters
        ----------
        kind
            the input.
        sides
            who decodes.
        files
            the input of each side.
        prime
            a tiny file for imports on first use.
        """
        name = kind.name
        copying = "memcpy"
        ours = self.sides[0]
        takers = list(sides)
        if self.wants(copying, name):
            takers.append(replace(ours, name=copying))

        def run(side: Side) -> dict[str, Any]:
            if side.name == copying:
                path, block = files["ours"].path, str(MEMCPY_BLOCK)
                return ours.worker(copying, str(path), "--block", block)
            file = files[side.name]
            read_once(file.path)
            size = str(BUFFER_SIZE)
            more = ("--buffer-size", size, "--prime", str(prime))
            more += ("--warm", str(side.warm))
            if kind.stream_type is not None:
                more += ("--stream-type", kind.stream_type)
            return side.worker("decode", str(file.path), *more)

        by_side = dict(self.measure(f"decode {name}", takers, run))
        copies = by_side.pop(copying, [])
        rates = {
            side: [files[side].size / MB / r["seconds"] for r in runs]
            for side, runs in by_side.items()
        }
        if self.wants("decode", name):
            self.add("decode", name, "open and iterate", "MB/s", rates)
            rates_open = {
                side: [
                    files[side].size / MB / (r["seconds"] - r["opening_seconds"])
                    for r in runs
                ]
                for side, runs in by_side.items()
            }
            self.add("decode", name, "iterate only", "MB/s", rates_open)
        if copies:
            rate = [r["bytes"] / MB / r["seconds"] for r in copies]
            share = [a / b for a, b in zip(rates["ours"], rate, strict=False)]
            self.add(copying, name, "copy", "MB/s", {"ours": rate})
            self.add(copying, name, "decode / copy", "", {"ours": share})
        if self.wants("memory", name):
            for quantity, parts in (
                ("above imports", ("rss_peak", "rss_imports")),
                ("imports", ("rss_imports",)),
            ):
                values = {
                    side: [
                        (r[parts[0]] - sum(r[p] for p in parts[1:])) / MB for r in rs
                    ]
                    for side, rs in by_side.items()
                }
                self.add("memory", name, quantity, "MB", values, lower=True)
        found = {side: runs[0]["rows"] for side, runs in by_side.items() if runs}
        self.add_rows("decode", name, files, found)

    def run_convert(
        self,
        case: str,
        kind: inputs.InputKind,
        files: dict[str, inputs.InputFile],
    ) -> None:
        """Convert on each side in one of the ways.

        Parameters
        ----------
        case
            name of the way.
        kind
            the input.
        files
            the input of each side.
        """
        way = CONVERSIONS[case]
        name = kind.name
        peer_options = kind.peer_options if way.channels else {}
        found: dict[str, dict[str, int]] = {}

        def run(side: Side) -> dict[str, Any]:
            options = way.options if side.ours else peer_options
            result = self.convert_once(side, files[side.name].path, way, options, found)
            return result | {"bytes": files[side.name].size}

        by_side = self.measure(f"{case} {name}", self.sides, run)

        def add(
            quantity: str, unit: str, of: Callable[[Any], float], lower: bool
        ) -> None:
            values = {side: [of(r) for r in runs] for side, runs in by_side.items()}
            self.add(case, name, quantity, unit, values, lower=lower)

        add("whole process", "MB/s", lambda r: r["bytes"] / MB / r["wall"], lower=False)
        add("build_raw", "MB/s", lambda r: r["bytes"] / MB / r["seconds"], lower=False)
        add("output", "MB", lambda r: r["out"] / MB, lower=True)
        add("output / input", "", lambda r: r["out"] / r["bytes"], lower=True)
        add("peak memory", "MB", lambda r: r["peak"] / MB, lower=True)
        self.add_stages(case, name, by_side.get("ours", []))
        self.add_rows(case, name, files, found)

    def convert_once(
        self,
        side: Side,
        path: Path,
        way: Conversion,
        options: dict[str, Any],
        found: dict[str, dict[str, int]] | None = None,
    ) -> dict[str, Any]:
        """Convert a file that was just read, and remove the output.

        Parameters
        ----------
        side
            who converts.
        path
            the file.
        way
            how to convert.
        options
            further arguments of `build_raw`.
        found
            where the rows of the side's first output go.
        """
        out = self.work / "out.lh5"
        read_once(path)
        try:
            result = side.convert(
                {
                    "input": str(path),
                    "output": str(out),
                    "filters": way.filters,
                    "channels": way.channels,
                    "processing": way.processing,
                    "options": options,
                }
            )
            if found is not None and side.name not in found:
                found[side.name] = side.worker("rows", str(out))["rows"]
            return result | {"out": out.stat().st_size}
        finally:
            out.unlink(missing_ok=True)

    def run_growth(self, kind: inputs.InputKind) -> None:
        """Convert inputs of several sizes on our side, and compare the memory.

        Parameters
        ----------
        kind
            the input.
        """
        say(f"{kind.name}: growth")
        made, prime = self.make(kind, self.growth)
        files = {f"{size / MB:g} MB": made[size].path for size in self.growth}
        sides = [replace(self.sides[0], name=name) for name in files]
        way = CONVERSIONS["convert"]

        def run(side: Side) -> dict[str, Any]:
            return self.convert_once(side, files[side.name], way, {})

        by_side = self.measure(f"growth {kind.name}", sides, run)
        peaks = {s: [r["peak"] / MB for r in runs] for s, runs in by_side.items()}
        first = next(iter(peaks))
        for size, values in peaks.items():
            quantity = f"peak memory, {size}"
            self.add("growth", kind.name, quantity, "MB", {"ours": values}, lower=True)
            if size != first:
                more = [a - b for a, b in zip(values, peaks[first], strict=False)]
                quantity = f"{size} less {first}"
                self.add("growth", kind.name, quantity, "MB", {"ours": more})
        for path in (*files.values(), prime):
            path.unlink()

    def run_codecs(self) -> None:
        """Encode waveforms of real files, by turns with lh5."""
        ours = self.sides[0]
        for file in inputs.WAVEFORMS:
            path = self.data / file
            if not path.is_file():
                reason = f"no {file} here"
                self.skipped.append({"what": f"codecs, {path.name}", "reason": reason})
                continue

            def run(side: Side, path: Path = path) -> dict[str, Any]:
                return side.script(CODECS, str(path))

            runs = self.measure(f"codecs {path.name}", [ours], run).get(ours.name, [])
            for what in [k for k, v in (runs or [{}])[0].items() if type(v) is dict]:
                rates: dict[str, list[float]] = {
                    "ours": [],
                    "lh5": [],
                    "two threads": [],
                }
                for found in (r[what] for r in runs):
                    for who, seconds in found["seconds"].items():
                        rates[who] += [found["bytes"] / MB / s for s in seconds]
                for quantity, who in (
                    (what, "ours"),
                    (f"{what}, 2 threads", "two threads"),
                ):
                    samples = {"ours": rates[who], "peer": rates["lh5"]}
                    self.add("codecs", path.stem[:20], quantity, "MB/s", samples)

    def run_startup(self) -> None:
        """Measure how long it takes until something happens."""
        small = self.data / inputs.SIX_CHANNELS
        out = self.work / "small.lh5"

        def program(side: Side) -> list[str]:
            return [*side.program()[0], "--help"]

        def conversion(side: Side) -> list[str]:
            start, has_commands = side.program()
            command = ["convert"] if has_commands else []
            return [*start, *command, "-w", "-o", str(out), str(small)]

        commands = {
            "bare python": lambda side: [side.python, "-c", "pass"],
            "import": lambda side: [side.python, "-c", "import daq2lh5"],
            "--help": program,
            "small file": conversion,
        }
        if small.is_file():
            read_once(small)
        else:
            reason = f"no {inputs.SIX_CHANNELS} here"
            self.skipped.append({"what": "startup, small file", "reason": reason})
            del commands["small file"]
        say("startup")
        for what, command in commands.items():
            seen: set[str] = set()

            def run(side: Side, command: Any = command, seen: Any = seen) -> Any:
                args = command(side)
                if side.name not in seen:
                    side.command(args)
                    seen.add(side.name)
                ended = side.command(args)
                out.unlink(missing_ok=True)
                return {"wall": ended.wall, "peak": ended.peak}

            by_side = self.measure(f"startup {what}", self.sides, run)
            walls = {s: [r["wall"] for r in runs] for s, runs in by_side.items()}
            self.add("startup", "", what, "s", walls, lower=True)

    def add(
        self,
        case: str,
        subject: str,
        quantity: str,
        unit: str,
        samples: dict[str, list[float]],
        lower: bool = False,
    ) -> None:
        """Add a line to the table, with the goal that there is for it."""
        full = f"{case}:{subject}:{quantity}"
        fitting = (g for p, g in GOALS.items() if fnmatch.fnmatchcase(full, p))
        goal = next(fitting, None)
        self.results.append(Result(case, subject, quantity, unit, samples, lower, goal))

    def add_stages(self, case: str, name: str, runs: Sequence[dict[str, Any]]) -> None:
        """Add what the stages of our conversions took.

        Parameters
        ----------
        case
            the way to convert.
        name
            of the input.
        runs
            what the runs gave.
        """
        seconds = [
            r["stages"] | {"outside": r["wall"] - r["stages"]["total"]}
            for r in runs
            if "total" in r["stages"]
        ]
        if seconds:
            samples = {stage: [s[stage] for s in seconds] for stage in seconds[0]}
            self.stages.append({"case": case, "input": name, "samples": samples})

    def add_rows(
        self,
        task: str,
        name: str,
        files: dict[str, inputs.InputFile],
        found: dict[str, dict[str, int]],
    ) -> None:
        """Compare the rows that came out with those that went in.

        Parameters
        ----------
        task
            the case.
        name
            of the input.
        files
            the input of each side.
        found
            rows by side and table.
        """
        rows = {
            side: {TABLES.get(t, t): n for t, n in tables.items() if n}
            for side, tables in found.items()
        }
        rows = {
            side: {t: n for t, n in tables.items() if t not in UNCOMPARED}
            for side, tables in rows.items()
        }
        wanted = {side: files[side].rows for side in rows}
        self.rows.append(
            {
                "task": task,
                "input": name,
                "rows": rows,
                "expected": wanted,
                "as_expected": {side: rows[side] == wanted[side] for side in rows},
                "agree": all(rows[side] == wanted[side] for side in rows),
            }
        )


def say(text: str, end: str = "\n") -> None:
    """Tell the user what is going on, on standard error."""
    print(text, file=sys.stderr, end=end, flush=True)


def read_once(path: Path) -> None:
    """Read a file so that it is in the page cache."""
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(1 << 20)
        while file.readinto(buffer):
            pass


def processor() -> str:
    """Return the name of the processor as far as it is known."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def context(args: argparse.Namespace, sides: Sequence[Side]) -> dict[str, Any]:
    """Describe machine, interpreters and settings.

    Parameters
    ----------
    args
        the command line.
    sides
        what is measured.
    """
    hidden = ("package", "scripts", "wall", "peak")
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "repeat": args.repeat,
        "size_mb": args.size_mb,
        "peer_size_mb": args.peer_size_mb,
        "growth_mb": args.growth_mb,
        "buffer_size": BUFFER_SIZE,
        "warm_mb": args.warm_mb,
        "sides": {
            side.name: {k: v for k, v in side.about.items() if k not in hidden}
            for side in sides
        },
        "same_package": len({side.about["package"] for side in sides}) < len(sides),
    }


def number(value: float | None) -> str:
    """Format a number for the table."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3
    return f"{value:.{digits}f}"


def table(results: Sequence[Result]) -> str:
    """Lay out the results in aligned columns.

    Parameters
    ----------
    results
        the lines of the table.
    """
    head = ["case", "input", "quantity", "unit", "ours", "peer", "ratio", "range"]
    lines = [[*head, "goal", ""]]
    for result in results:
        ratios = result.ratios
        met = result.goal.met(result) if result.goal else None
        lines.append(
            [
                result.case,
                result.subject or "-",
                result.quantity,
                result.unit,
                number(result.median("ours")),
                number(result.median("peer")),
                number(result.ratio),
                f"{number(min(ratios))}..{number(max(ratios))}" if ratios else "",
                str(result.goal) if result.goal else "",
                "" if met is None else "met" if met else "MISSED",
            ]
        )
    return aligned(lines, right=(4, 5, 6))


def stage_table(stages: Sequence[dict[str, Any]]) -> str:
    """Lay out the seconds of the stages, a conversion in each line.

    Parameters
    ----------
    stages
        as the benchmarks collected them.
    """
    seen = dict.fromkeys((*STAGES, *(s for entry in stages for s in entry["samples"])))
    shown = [s for s in seen if any(s in entry["samples"] for entry in stages)]
    lines = [["case", "input", *shown]]
    for entry in stages:
        samples = entry["samples"]
        values = (number(median(samples[s])) if s in samples else "-" for s in shown)
        lines.append([entry["case"], entry["input"], *values])
    return aligned(lines, right=range(2, len(lines[0])))


def aligned(lines: Sequence[Sequence[str]], right: Collection[int]) -> str:
    """Lay out a table with a rule below its first line.

    Parameters
    ----------
    lines
        the cells.
    right
        the columns that are flush right.
    """
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    text.insert(1, "-" * max(len(line) for line in text))
    return "\n".join(text)


def report(bench: Bench, about: dict[str, Any]) -> str:
    """Write the report for people.

    Parameters
    ----------
    bench
        the run.
    about
        its context.
    """
    lines = [
        "  ".join(
            (
                about["date"],
                about["system"],
                about["processor"],
                f"{about['cpus']} cpus",
                f"load {number(about['load'])}",
            )
        )
    ]
    for name, side in about["sides"].items():
        versions = ", ".join(f"{k} {v}" for k, v in side["libraries"].items())
        lines.append(
            f"{name}: {side['distribution']} {side['version']}, "
            f"{side['implementation']} {side['python']}, {versions}"
        )
    if about["same_package"]:
        lines.append("Both sides run the same package.")
    lines.append("")
    for file in bench.files:
        rows = ", ".join(f"{n} {t}" for t, n in file["rows"].items())
        lines.append(
            f"input {file['input']} ({file['side']}): {file['bytes'] / MB:.1f} MB, "
            f"{file['events']} events, {rows} rows: {file['description']}"
        )
    if len(set(bench.sizes.values())) > 1:
        lines.append(
            "The peer's input is of another size: rates are compared. What is done "
            "once per file weighs more in a smaller one; 'iterate only' leaves most "
            "of it out."
        )
    if bench.results:
        lines += ["", table(bench.results)]
        lines.append(
            f"Medians of {about['repeat']}; ratio: how many times better ours is, "
            "median over pairs of neighbouring runs."
        )
    if bench.stages:
        lines += ["", "Seconds of the stages of our conversions:", ""]
        lines.append(stage_table(bench.stages))
        lines.append(
            "Medians. compress: processor time of all threads, beside the others if "
            "there are several; outside: whole process less total."
        )
    lines.append("")
    for entry in bench.rows:
        sides = "; ".join(
            f"{side} {', '.join(f'{n} {t}' for t, n in tables.items()) or 'none'}"
            for side, tables in entry["rows"].items()
        )
        verdict = "as the records demand"
        if not entry["agree"]:
            verdict = "NOT AS THE RECORDS DEMAND"
        if len({json.dumps(e) for e in entry["expected"].values()}) == 1:
            tables = [sorted(t.items()) for t in entry["rows"].values()]
            if len(tables) > 1:
                same = all(t == tables[0] for t in tables)
                verdict += ", sides agree" if same else ", SIDES DIFFER"
        lines.append(f"rows {entry['task']} {entry['input']}: {sides}: {verdict}")
    lines += [f"skipped {s['what']}: {s['reason']}" for s in bench.skipped]
    lines += [f"FAILED {f['what']}, {f['side']}: {f['reason']}" for f in bench.failures]
    return "\n".join(lines)


def select(patterns: Sequence[str]) -> set[str]:
    """Return the names of the cases that fit the patterns.

    Parameters
    ----------
    patterns
        ``case``, ``case:input`` or patterns of the shell.
    """
    names = names_of_cases()
    chosen: set[str] = set()
    for pattern in patterns:
        found = fnmatch.filter(names, pattern) + fnmatch.filter(names, f"{pattern}:*")
        if not found:
            msg = f"no case fits {pattern!r}; --list shows them"
            raise ValueError(msg)
        chosen.update(found)
    return chosen


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.

    Parameters
    ----------
    argv
        arguments, None for those of the process.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--size-mb", type=float, default=400, help="size of each input (%(default)s)")
    add("--peer-size-mb", type=float, help="size of the peer's inputs (the same)")
    add(
        "--growth-mb",
        type=float,
        nargs="+",
        default=[100, 1000],
        help="sizes of the inputs for growth (100 1000)",
    )
    add("--repeat", type=int, default=3, help="rounds (%(default)s, at least 3)")
    add("--python", default=sys.executable, help="python that has ours (this one)")
    add("--peer", metavar="PYTHON", help="python that has the peer")
    add("--cases", nargs="+", default=["*"], help="case, case:input or patterns")
    add("--data", type=Path, default=None, help="folder of the real files")
    add("--work", type=Path, help="where a temporary directory is made")
    add("--json", type=Path, metavar="FILE", help="write the results here as JSON")
    add("--timeout", type=float, default=1800, help="seconds for one process")
    add(
        "--warm-mb",
        type=int,
        default=3000,
        help="memory touched before a clock starts, see README (%(default)s, 0: none)",
    )
    add("--list", action="store_true", help="show the cases and inputs, run nothing")
    args = parser.parse_args(argv)
    if args.peer_size_mb is None:
        args.peer_size_mb = args.size_mb
    if min(args.size_mb, args.peer_size_mb, *args.growth_mb) <= 0:
        parser.error("sizes must be positive")
    if args.warm_mb < 0:
        parser.error("--warm-mb must not be negative")
    if args.repeat < 3:
        parser.error("--repeat must be at least 3")
    if args.work is not None and not args.work.is_dir():
        parser.error("--work must be a directory")
    if args.json is not None and not args.json.absolute().parent.is_dir():
        parser.error("--json: there is no such directory")
    try:
        args.selected = select(args.cases)
    except ValueError as error:
        parser.error(str(error))
    args.data = (args.data or inputs.default_data()).absolute()
    return args


def show_list(data: Path) -> None:
    """Print the cases and the inputs.

    Parameters
    ----------
    data
        the folder of the real files.
    """
    print("cases")
    for case, text in CASES.items():
        print(f"  {case:12}  {text}")
    print("inputs and their cases")
    for kind in inputs.INPUTS:
        try:
            kind.path(data)
            note = ""
        except inputs.SampleMissingError as error:
            note = f" [skipped: {error}]"
        print(f"  {kind.name:12}  {kind.description}{note}")
        print(f"  {'':12}  {' '.join(kind.cases)}")
    print("names for --cases\n  " + " ".join(names_of_cases()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit status.

    Parameters
    ----------
    argv
        arguments, None for those of the process.
    """
    args = parse(argv)
    if args.list:
        show_list(args.data)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="daq2lh5-bench-", dir=args.work) as name:
        work = Path(name).absolute()
        common = (work, args.timeout, args.warm_mb)
        sides = [Side("ours", args.python, *common)]
        if args.peer:
            sides.append(Side("peer", args.peer, *common, ours=False))
        for side in sides:
            if os.sep in side.python:
                side.python = os.path.abspath(side.python)
            try:
                side.about = side.worker("info")
            except ChildError as error:
                say(f"{side.name} cannot run: {error}")
                return 2
        about = context(args, sides)
        sizes = {"ours": args.size_mb, "peer": args.peer_size_mb}
        bench = Bench(
            sides=sides,
            repeat=args.repeat,
            selected=args.selected,
            data=args.data,
            work=work,
            sizes={side.name: round(sizes[side.name] * MB) for side in sides},
            growth=[round(size * MB) for size in dict.fromkeys(args.growth_mb)],
        )
        bench.run()
    print(report(bench, about))
    if args.json is not None:
        document = {
            "context": about,
            "inputs": bench.files,
            "results": [result.as_dict() for result in bench.results],
            "stages": bench.stages,
            "rows": bench.rows,
            "skipped": bench.skipped,
            "failures": bench.failures,
            "runs": bench.runs,
        }
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    agree = all(entry["agree"] for entry in bench.rows)
    return 0 if agree and not bench.failures else 1


if __name__ == "__main__":
    sys.exit(main())
