"""What must come of a damaged stream, from what is known of the undamaged one.

The rules are those of "Damaged input" in the documentation: every record that is there
with all of its bytes gives its rows once, except

- where it lies inside of another one whose head and length are as they were: that one
  is believed, whatever its contents are;
- where two overlap by chance, nothing tells which of them is broken;
- in formats whose records do not speak for themselves, between two damages in a row;
- where the settings that tell how to read it are damaged, lost, or there twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pieces import Stream

HEAD = 8
"""Bytes that tell that a record begins, and how long it is, in any format."""

SHORT = 16
"""Bytes of a record with nothing but a few values: any values make one."""

FEW_ZEROS = 64
"""Bytes of zeros up to which they may be part of a format (a few empty frames)."""


@dataclass
class Record:
    """A record of an undamaged stream.

    Attributes
    ----------
    start, length
        where it is.
    kind
        what it is.
    rows
        signatures of the rows that it gives.
    is_joint
        whether it is no record but two that must follow each other to give the rows.
    is_setting
        whether others are read as it says.
    """

    start: int
    length: int
    kind: str = ""
    rows: Counter[Any] = field(default_factory=Counter)
    is_joint: bool = False
    is_setting: bool = False

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(eq=False)
class Copy:
    """A record of the undamaged stream in a damaged one, or what is left of it.

    Attributes
    ----------
    place, end
        where it is in the damaged one.
    record
        the record.
    is_intact, has_head
        whether all bytes are there, and those that say what it is.
    n_left
        number of bytes that are there.
    """

    place: int
    end: int
    record: Record
    is_intact: bool
    has_head: bool
    n_left: int


@dataclass
class Rules:
    """How a format's records are believed, see above.

    Attributes
    ----------
    least
        records that must follow each other behind damage.
    alone
        kinds of which one is enough.
    slack
        records at each damage that what is broken can be taken for.
    has_marks
        whether records can be told from other bytes.
    is_free
        whether records may stand in any order.
    is_filled
        whether there may be zeros in a record behind its first row.
    """

    least: int = 1
    alone: frozenset[str] = frozenset()
    slack: int = 0
    has_marks: bool = True
    is_free: bool = True
    is_filled: bool = False


def copies(records: list[Record], stream: Stream, data: bytes) -> list[Copy]:
    """Find the records of the undamaged stream in the damaged one, by place."""
    found: dict[tuple[int, int], Copy] = {}
    whole = stream.data
    starts = [r.start for r in records if not r.is_joint]
    singles = [r for r in records if not r.is_joint]
    joint = [r for r in records if r.is_joint]
    for start, end, at in stream.placed():
        shift = at - start
        first = max(bisect_right(starts, start) - 1, 0)
        near = [*singles[first : bisect_right(starts, end)], *joint]
        for record in near:
            if record.end <= start or record.start >= end:
                continue
            place = record.start + shift
            n_left = min(record.end, end) - max(record.start, start)
            key = (place, id(record))
            if key in found:
                found[key].n_left += n_left
                continue
            if place < 0:
                continue
            is_intact = (
                data[place : place + record.length] == whole[record.start : record.end]
            )
            head = min(HEAD, record.length)
            has_head = data.startswith(whole[record.start : record.start + head], place)
            found[key] = Copy(
                *(place, place + record.length, record, is_intact, has_head, n_left)
            )
    return sorted(found.values(), key=lambda c: (c.place, c.end))


@dataclass
class Truth:
    """What is known of a damaged stream.

    Attributes
    ----------
    is_sure
        whether the settings are all there once, so that rows can be foretold.
    wanted, possible
        how often rows must be there at least and at most.
    changed
        number of rows of changed records whose heads are whole, by their columns.
    begun
        number of rows of the records that begin in the stream.
    is_whole
        whether it has nothing but whole records.
    is_broken
        whether there is something where a record should begin that is none.
    is_zeroed
        whether that is zeros, more than a format may have.
    n_damages
        number of places with damage.
    n_hidden
        number of records that may be hidden.
    """

    is_sure: bool = True
    wanted: Counter[Any] = field(default_factory=Counter)
    possible: Counter[Any] = field(default_factory=Counter)
    changed: Counter[Any] = field(default_factory=Counter)
    begun: int = 0
    is_whole: bool = False
    is_broken: bool = False
    is_zeroed: bool = False
    n_damages: int = 0
    n_hidden: int = 0


def columns_of(row: Any) -> tuple[str, ...]:
    """Return the names of the columns of a row."""
    return tuple(column for column, _ in row)


def truth_of(
    records: list[Record], rules: Rules, stream: Stream, data: bytes, first: int
) -> Truth:
    """Tell what must come of a damaged stream.

    Parameters
    ----------
    first
        where the first record begins.
    """
    truth = Truth()
    found = copies(records, stream, data)
    truth.is_sure = _settings_hold(records, found)
    settings = [c.place for c in found if c.record.is_setting]
    order = [r.start for r in records if r.is_setting]
    singles = [c for c in found if not c.record.is_joint]
    hidden = _hidden(singles)
    in_runs = _in_runs(singles, rules, first, len(data))
    begun: dict[int, int] = {}
    for copy in found:
        record = copy.record
        for row, n in record.rows.items():
            truth.possible[row] += n
            if copy.has_head and not copy.is_intact:
                truth.changed[columns_of(row)] += n
        # under the settings that it was written under
        valid = truth.is_sure and bisect_right(settings, copy.place) == bisect_right(
            order, record.start
        )
        if not valid or any(a < copy.place < b for a, b in hidden):
            continue
        if copy.is_intact and (
            record.kind in rules.alone
            or copy in in_runs
            or (record.is_joint and rules.least == 1)
        ):
            truth.wanted.update(record.rows)
        if copy.has_head and not record.is_joint:
            n = record.rows.total()
            if rules.is_filled and data[copy.end - 1 : copy.end] == b"\0":
                n = min(n, 1)
            begun[copy.place] = min(begun.get(copy.place, n), n)
    truth.begun = sum(begun.values())
    if rules.has_marks:
        _walk(truth, singles, data, first)
    truth.n_damages = max(len(stream.pieces), 1)
    return truth


def _settings_hold(records: list[Record], found: list[Copy]) -> bool:
    """Whether all settings are there, whole, once, and in their order."""
    wanted = [r for r in records if r.is_setting]
    there = [c for c in found if c.record.is_setting]
    return all(c.is_intact for c in there) and [c.record for c in there] == wanted


def _hidden(singles: list[Copy]) -> list[tuple[int, int]]:
    """Return ranges in which no record is looked for, or none is sure."""
    out = [(c.place, c.end) for c in singles if c.has_head and not c.is_intact]
    whole = [c for c in singles if c.is_intact]
    for before, after in pairwise(whole):
        if after.place < before.end:
            out.append((before.place - 1, after.end))
    return out


def _in_runs(singles: list[Copy], rules: Rules, first: int, size: int) -> set[Copy]:
    """Return the whole records that so many follow each other, or at an end."""
    runs: list[list[Copy]] = []
    for copy in singles:
        if not copy.is_intact:
            continue
        if runs and runs[-1][-1].end == copy.place:
            runs[-1].append(copy)
        else:
            runs.append([copy])
    for run in runs:
        # what has no length of its own cannot be the first behind damage
        while run and run[0].place != first and run[0].record.length < HEAD:
            del run[0]
    return {
        copy
        for run in runs
        if run
        and (len(run) >= rules.least or run[0].place == first or run[-1].end == size)
        for copy in run
    }


def _walk(truth: Truth, singles: list[Copy], data: bytes, first: int) -> None:
    """Go from whole record to whole record up to the first that is none."""
    whole = {c.place: c.end for c in singles if c.is_intact}
    begun = {c.place for c in singles if c.has_head}
    rest = {c.place for c in singles if 3 * c.n_left >= c.record.length}
    at = first
    while at in whole:
        at = whole[at]
    truth.is_whole = at == len(data)
    # of a record with its place and a third of its bytes, the marks among them, the
    # damage may not be seen, nor
    # in one without a length of its own, or samples: other bytes may be such a record
    short = {c.place for c in singles if c.record.length <= SHORT}
    if truth.is_whole or at in begun or at in rest or at in short:
        return
    truth.is_broken = True
    zeros = len(data) - at - len(data[at:].lstrip(b"\0"))
    truth.is_zeroed = zeros > FEW_ZEROS
    if zeros > 0:
        truth.is_broken = False
