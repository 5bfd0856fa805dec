"""The result of one file of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..report import ConversionReport

__all__ = ["Result"]


@dataclass
class Result:
    """The end of one conversion of a batch.

    Attributes
    ----------
    file
        the input.
    status
        exit status of the conversion: 0 good, 1 failed, 2 wrong arguments, 3 damaged.
    report
        what became of every byte; None if the process of the conversion died.
    error
        why it failed; None if it did not.
    attempts
        how often it was tried.
    seconds
        time of the last attempt.
    skipped
        why nothing was to do (`skip_existing`); None if the file was converted.
    """

    file: str
    status: int
    report: ConversionReport | None = None
    error: str | None = None
    attempts: int = 1
    seconds: float = 0.0
    skipped: str | None = None

    @property
    def ok(self) -> bool:
        """Whether an output was published, now or before."""
        return self.status in (0, 3)

    def as_dict(self) -> dict[str, Any]:
        """Return the result with the whole report as plain Python objects."""
        entry: dict[str, Any] = {"source": self.file}
        if self.report is not None:
            entry |= self.report.as_dict()
        return entry | {
            "status": self.status,
            "error": self.error,
            "attempts": self.attempts,
            "skipped_because": self.skipped,
        }
