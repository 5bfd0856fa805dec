"""Cases of the harness, each determined by format, seed and number."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from . import mgdo_samples, real, samples
from .containers import CONTAINERS, LARGEST_IN_PIPE, PACKERS, offered
from .conversion import Outcome, decode, problems_of, write
from .pieces import Changes, Stream
from .truth import FEW_ZEROS, Truth, columns_of, copies, truth_of

if TYPE_CHECKING:
    from .samples import Sample

FORMATS = ("fcio", "orca", "compass", "llama", "mgdo", "real")

WRITE_EVERY = 20
"""One in so many inputs is converted to a file; the others are decoded only."""

TELLING = ("more frames than this version knows",)
"""Notes that are enough where a record is followed by bytes that are none."""

ZERO_KINDS = {"zeros", "zero block", "zero tail"}


@dataclass
class Case:
    """An input, and the problems with its result."""

    sample: Sample
    changes: list[str] = field(default_factory=list)
    container: str = "plain"
    content: bytes = b""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        what = ", ".join(self.changes)
        return f"{self.sample.format} {self.sample.name} ({self.container}): {what}"


def names_of(format_: str) -> list[str]:
    if format_ == "mgdo":
        return list(mgdo_samples.TREES)
    if format_ == "real":
        return real.names()
    return list(samples.MAKERS[format_])


def run_case(
    format_: str,
    seed: int,
    number: int,
    folder: str,
    *,
    zeros_only: bool = False,
) -> Case:
    """Make an input, convert it, and compare with the truth.

    Parameters
    ----------
    folder
        temporary folder for the input and the output.
    zeros_only
        whether tails and holes of zeros are all that is done.
    """
    rng = np.random.default_rng([seed, number, zlib.crc32(format_.encode())])
    names = names_of(format_)
    name, other = (names[int(rng.integers(len(names)))] for _ in range(2))
    to_file = number % WRITE_EVERY == 0
    if format_ == "mgdo":
        return _tree_case(rng, name, folder, to_file)
    if format_ == "real":
        sample = real.sample(name)
        foreign = sample
    else:
        sample, foreign = samples.sample(format_, name), samples.sample(format_, other)
    return _stream_case(rng, sample, foreign, folder, to_file, zeros_only)


def _stream_case(
    rng: np.random.Generator,
    sample: Sample,
    foreign: Sample,
    folder: str,
    to_file: bool,
    zeros_only: bool,
) -> Case:
    case = Case(sample)
    spared = sample.spared if rng.random() < 0.9 else 0
    edges = [r.start for r in sample.records if not r.is_joint]
    stream = Stream(sample.data)
    changes = Changes(rng, edges, spared, foreign.data)
    kinds = sorted(ZERO_KINDS) if zeros_only else ()
    in_container = False
    if rng.random() < 0.4:
        case.container = CONTAINERS[int(rng.integers(len(CONTAINERS)))]
        in_container = case.container in PACKERS and rng.random() < 0.4
        in_container &= not zeros_only
    for _ in range(0 if in_container else _how_many(rng)):
        case.changes.append(changes.make(stream, kinds))
    data = stream.bytes()
    if case.container == "pipe" and len(data) > LARGEST_IN_PIPE:
        case.container = "plain"
    case.content = PACKERS.get(case.container, lambda d: d)(data)
    if in_container:
        packed = Stream(case.content)
        around = Changes(rng, [], 0, data)
        for _ in range(_how_many(rng)):
            case.changes.append(f"{around.make(packed)} of the container")
        case.content = packed.bytes()
    out = _convert(case, folder, sample, to_file)
    if in_container:
        case.problems += problems_of(out, None)
        case.problems += _container_problems(sample, data, out, case)
        return case
    # what is decompressed of a tree is not known here
    case.problems += problems_of(out, None if sample.format == "mgdo" else data)
    if not sample.records:
        return case
    first = next((r.start for r in sample.records), 0)
    truth = truth_of(sample.records, sample.rules, stream, data, first)
    if any(
        _touches_settings(foreign, *taken, len(foreign.data)) for taken in changes.taken
    ):
        truth.is_sure = False
    # a record of the other stream may hide the one behind it
    truth.n_hidden = case.changes.count("splice of another")
    case.problems += _row_problems(sample, truth, out, data, bool(changes.taken))
    if {*case.changes} <= ZERO_KINDS and out.report is not None:
        case.problems += _zero_problems(sample, stream, data, out, truth)
    return case


def _how_many(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.6 else int(rng.integers(2, 5))


def _touches_settings(foreign: Sample, start: int, end: int, size: int) -> bool:
    """Whether settings of another stream came with what was spliced in."""
    return any(
        start < r.end and r.start < min(end, size)
        for r in foreign.records
        if r.is_setting
    ) or (start < foreign.spared)


def _convert(case: Case, folder: str, sample: Sample, to_file: bool) -> Outcome:
    """Convert an input: through memory, or through a file, which must be the same."""
    path = os.path.join(folder, f"run{sample.suffix}")
    with offered(case.container, case.content, path) as name:
        out = decode(name, **sample.options)
    if to_file:
        result = os.path.join(folder, "out.lh5")
        with offered(case.container, case.content, path) as name:
            written = write(name, result, **sample.options)
        if (written.report is None) != (out.report is None):
            case.problems.append(f"refused once: {written.error or out.error}")
        elif written.report is not None:
            if written.report.bytes != out.report.bytes:
                case.problems.append("the account of the file is another one")
            lost = out.rows - written.rows
            if lost:
                case.problems.append(f"{lost.total()} rows are not in the file")
            if written.garbage and written.garbage != out.garbage:
                case.problems.append("the garbage of the file is another one")
    return out


def _row_problems(
    sample: Sample, truth: Truth, out: Outcome, data: bytes, is_mixed: bool
) -> list[str]:
    """Compare the rows and the status with the truth."""
    is_headed = data[: sample.spared] == sample.data[: sample.spared]
    if out.report is None:
        refused = is_headed and truth.is_sure and truth.wanted
        return [f"refused: {out.error}"] if refused else []
    found: Counter[Any] = Counter()
    for row, n in out.rows.items():
        found[sample.signature(row)] += n
    report, problems = out.report, []
    if not is_headed or not truth.is_sure:
        return []
    missing = truth.wanted - found
    if missing.total() > sample.rules.slack * truth.n_damages + truth.n_hidden:
        problems.append(
            f"{missing.total()} of {truth.wanted.total()} whole rows are missing"
        )
    known = Counter({row: found[row] for row in truth.possible if found[row]})
    more = known - truth.possible
    # a row that was changed may be another one's
    for row in [*more]:
        taken = min(more[row], truth.changed[columns_of(row)])
        more[row] -= taken
        truth.changed[columns_of(row)] -= taken
    more = +more
    if more and not is_mixed:
        problems.append(f"{more.total()} rows too many")
    told = (
        not report.clean
        or report.unknown_records
        or report.skipped_channels
        or any(text in note for text in TELLING for note in report.notes)
    )
    shapes = {tuple(c for c, _ in row) for row in truth.possible}
    n_rows = sum(n for row, n in found.items() if tuple(c for c, _ in row) in shapes)
    if not told and n_rows < truth.begun:
        problems.append(f"{n_rows} of {truth.begun} rows, and not a word")
    if not told and truth.is_broken:
        problems.append("a broken record, and not a word")
    if truth.is_whole and not report.clean and sample.rules.is_free:
        problems.append("whole records only, but damaged")
    return problems


def _zero_problems(
    sample: Sample, stream: Stream, data: bytes, out: Outcome, truth: Truth
) -> list[str]:
    """Zeros are not data: they are damage where a record should begin."""
    problems = []
    if truth.is_zeroed and out.report.clean:
        problems.append("zeros in the place of records, and not a word")
    # of a record with its place and most of its bytes the damage may not be seen
    there = [
        c
        for c in copies(sample.records, stream, data)
        if c.has_head or 2 * c.n_left >= c.record.length
    ]
    room = sum(c.record.length for c in there if not c.record.is_joint)
    zeros = FEW_ZEROS * truth.n_damages
    first = next((r.start for r in sample.records), 0)
    if truth.is_sure and out.report.bytes["decoded"] > first + room + zeros:
        problems.append("zeros are counted as decoded")
    return problems


def _container_problems(
    sample: Sample, data: bytes, out: Outcome, case: Case
) -> list[str]:
    """What a damaged compressed file gives is told, unless all of it is there."""
    if out.report is None:
        return []
    found: Counter[Any] = Counter()
    for row, n in out.rows.items():
        found[sample.signature(row)] += n
    wanted = sum((r.rows for r in sample.records), Counter())
    problems = []
    if out.report.clean and wanted - found:
        problems.append("rows are missing, and not a word")
    if set(case.changes) == {"cut of the container"}:
        n = out.report.n_bytes
        whole = Counter()
        for record in sample.records:
            if record.end <= n:
                whole.update(record.rows)
        if n > len(data):
            problems.append("more bytes than there were")
        missing = whole - found
        if missing.total() > sample.rules.slack:
            problems.append(f"{missing.total()} whole rows are missing")
    return problems


def _tree_case(rng: np.random.Generator, name: str, folder: str, to_file: bool) -> Case:
    """Damage entries of a tree, and its list of entries."""
    with mock.patch("daq2lh5.mgdo.tree.MGTree", mgdo_samples.MemoryTree):
        sample = mgdo_samples.sample(name)
        case = Case(sample, content=mgdo_samples.STUB)
        entries = [(sample.data[r.start : r.end], r) for r in sample.records]
        for _ in range(_how_many(rng)):
            at = int(rng.integers(len(entries)))
            what = int(rng.integers(8))
            if what == 0:
                case.changes.append("entry twice")
                entries.insert(int(rng.integers(len(entries))), entries[at])
            elif what == 1 and len(entries) > 1:
                case.changes.append("entry lost")
                del entries[at]
            else:
                stream = Stream(entries[at][0])
                case.changes.append(Changes(rng, [], 0, sample.data).make(stream))
                entries[at] = (stream.bytes(), entries[at][1])
        data = b"".join(entry for entry, _ in entries)
        sizes = [entry for entry, _ in entries]
        mgdo_samples.MemoryTree.baskets = mgdo_samples.in_baskets(sizes)
        out = _convert(case, folder, sample, to_file)
    truth = Truth()
    for entry, record in entries:
        truth.possible.update(record.rows)
        if entry == sample.data[record.start : record.end]:
            truth.wanted.update(record.rows)
    truth.is_whole = truth.wanted == truth.possible
    case.problems += problems_of(out, data)
    case.problems += _row_problems(sample, truth, out, sample.data, is_mixed=False)
    return case
