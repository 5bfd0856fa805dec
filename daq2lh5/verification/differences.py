"""Differences between an output and the expected output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "Differences"]

LISTED = 100
"""Number of differences that are listed; all are counted."""

LISTED_OF_PATH = 3
"""Number of differences of one column that are listed."""


@dataclass(frozen=True)
class Difference:
    """A place where an output differs, or is damaged.

    Attributes
    ----------
    path
        path of the object in the file; ``""`` for the file itself.
    text
        kind of difference, with the stored and the expected value.
    row
        number of the row, if the difference is in a row.
    """

    path: str
    text: str
    row: int | None = None

    def __str__(self) -> str:
        where = self.path or "file"
        if self.row is not None:
            where = f"{where}, row {self.row}"
        return f"{where}: {self.text}"

    def as_dict(self) -> dict[str, Any]:
        """Return the difference as plain Python objects."""
        return vars(self) | {}


class Differences:
    """Collects differences.

    Attributes
    ----------
    listed
        the first of each column, in the order in which they were found.
    counts
        number of all differences by path. Each row of a column counts once.
    skipped
        reason why rows could not be compared, by path of the column.
    """

    def __init__(self) -> None:
        self.listed: list[Difference] = []
        self.counts: dict[str, int] = {}
        self.skipped: dict[str, str] = {}

    def __len__(self) -> int:
        return sum(self.counts.values())

    def add(self, path: str, text: str, row: int | None = None, n: int = 1) -> None:
        """Add `n` differences, of which the first is described."""
        known = self.counts.get(path, 0)
        self.counts[path] = known + n
        if known < LISTED_OF_PATH and len(self.listed) < LISTED:
            self.listed.append(Difference(path, text, row))

    def skip(self, path: str, reason: str) -> None:
        """Note that rows of a column could not be compared."""
        self.skipped.setdefault(path, reason)
