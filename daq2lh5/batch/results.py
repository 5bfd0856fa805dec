"""The result of one file of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..report import ConversionReport

__all__ = ["Result"]


@dataclass
class Result:
    """The outcome of one conversion of a batch.

    Attributes
    ----------
    file
        name of the input: of its first file.
    status
        exit status of the conversion: 0 good, 1 failed, 2 wrong arguments, 3 damaged.
    report
        account of every byte; None if there was no conversion, or its process died.
    error
        reason of a failure, otherwise None.
    attempts
        number of attempts.
    seconds
        time of the last attempt, in seconds.
    skipped
        reason to skip the file (`skip_existing`); None if it was to be converted.
    stored
        the report in the output of a skipped file.
    """

    file: str
    status: int
    report: ConversionReport | None = None
    error: str | None = None
    attempts: int = 1
    seconds: float = 0.0
    skipped: str | None = None
    stored: Mapping[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether an output was published, now or before."""
        return self.status in (0, 3)

    def as_dict(self) -> dict[str, Any]:
        """Return the result with the whole report as plain Python objects."""
        entry: dict[str, Any] = {"source": self.file}
        if self.report is not None:
            entry |= self.report.as_dict()
        elif self.stored is not None:
            entry |= self.stored
        return entry | {
            "status": self.status,
            "error": self.error,
            "attempts": self.attempts,
            "skipped_because": self.skipped,
        }
