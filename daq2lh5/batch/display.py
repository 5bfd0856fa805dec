"""Progress of a batch: a live table on a terminal, plain lines in a log."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..command.run import total_size
from ..errors import printable
from ..report import sizeof_fmt
from .work import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .results import Result
    from .work import Job

__all__ = ["Plain", "Summary", "display"]

WORDS = {0: "good", 1: "failed", 2: "wrong arguments", 3: "damaged"}
"""Words for the exit statuses."""

STYLES = {0: "green", 1: "bold red", 2: "bold red", 3: "yellow"}

ROWS_SHOWN = 12
"""Files in progress that the live table shows."""


class Summary:
    """Totals over the files of a batch.

    Parameters
    ----------
    n_files
        number of all files.
    """

    def __init__(self, n_files: int) -> None:
        self.n_files = n_files
        self.statuses: Counter[int] = Counter()
        self.n_skipped = self.n_bytes = self.n_rows = self.n_again = 0
        self.began = time.monotonic()

    @property
    def n_done(self) -> int:
        """Number of files that are done, or were up to date."""
        return self.statuses.total() + self.n_skipped

    def add(self, result: Result) -> None:
        """Add the result of a file."""
        if result.skipped is not None:
            self.n_skipped += 1
            return
        self.statuses[result.status] += 1
        self.n_again += result.attempts > 1
        if result.report is not None:
            self.n_bytes += result.report.n_bytes
            self.n_rows += result.report.n_rows

    def line(self) -> str:
        """Return the totals in one line."""
        seconds = time.monotonic() - self.began
        counts = [f"{n} {WORDS.get(s, s)}" for s, n in sorted(self.statuses.items())]
        if self.n_skipped:
            counts.append(f"{self.n_skipped} up to date")
        if self.n_again:
            counts.append(f"{self.n_again} tried again")
        left = self.n_files - self.n_done
        if left:
            counts.append(f"{left} not converted")
        rate = sizeof_fmt(self.n_bytes / seconds) if seconds else "-"
        files = "file" if self.n_files == 1 else "files"
        return (
            f"{self.n_files} {files}: {', '.join(counts)}; {sizeof_fmt(self.n_bytes)}, "
            f"{self.n_rows} rows in {seconds:.1f} s ({rate}/s)"
        )


class Plain(Listener):
    """Writes the lines of the workers, and a line for each file.

    Parameters
    ----------
    write
        writes a line.
    quiet
        whether to write only errors.
    """

    def __init__(self, write: Callable[[str], None], quiet: bool = False) -> None:
        self.write = write
        self.quiet = quiet

    def line(self, text: str) -> None:
        """Write a worker's line."""
        self.write(printable(text))

    def again(self, result: Result) -> None:
        """Say that a file is tried again."""
        why = f": {result.error}" if result.report is None else ""
        self.write(printable(f"{result.file}: failed{why}; tried again"))

    def done(self, result: Result, summary: Summary) -> None:
        """Write the line of a file."""
        if result.report is None and result.error is not None:
            # a process that died wrote no message
            self.write(printable(f"error: {result.file}: {result.error}"))
        if not self.quiet:
            place = f"[{summary.n_done}/{summary.n_files}] "
            self.write(printable(place + line_of(result)))


def line_of(result: Result) -> str:
    """Return the line of a file."""
    if result.skipped is not None:
        return f"{result.file}: {result.skipped}"
    text = f"{result.file}: {WORDS.get(result.status, result.status)}"
    report = result.report
    if report is not None and result.ok:
        text += f", {sizeof_fmt(report.n_bytes)}, {report.n_rows} rows"
    return f"{text}, {result.seconds:.2f} s"


class Live(Plain):
    """A table of the files in progress, with rates and the time left (rich)."""

    def __init__(self, sizes: dict[str, int], summary: Summary, quiet: bool) -> None:
        from rich.console import Console, Group  # noqa: PLC0415
        from rich.live import Live as RichLive  # noqa: PLC0415
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self.console = Console(stderr=True, highlight=False)
        super().__init__(self._print, quiet)
        self.summary = summary
        self.sizes = sizes
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeRemainingColumn(),
        )
        self.files = Progress(*columns, console=self.console)
        self.total = Progress(*columns, console=self.console)
        n_bytes = sum(sizes.values())
        self.all = self.total.add_task("all files", total=n_bytes or None, rows="")
        self.tasks: dict[str, int] = {}
        self.read: dict[str, int] = {}
        self.live = RichLive(
            Group(self.files, self.total), console=self.console, transient=True
        )

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def begin(self, file: str, pid: int | None) -> None:  # noqa: ARG002
        """Show a file."""
        name = printable(os.path.basename(file))
        shown = len(self.tasks) < ROWS_SHOWN
        size = self.sizes.get(file) or None
        self.tasks[file] = self.files.add_task(name, total=size, rows="", visible=shown)

    def progress(self, file: str, n_bytes: int, n_rows: int) -> None:
        """Show how far a file is."""
        if file in self.tasks:
            self.files.update(
                self.tasks[file], completed=n_bytes, rows=f"{n_rows} rows"
            )
        self.read[file] = n_bytes
        self._show_total()

    def again(self, result: Result) -> None:
        """Say that a file is tried again."""
        self._forget(result.file)
        super().again(result)

    def done(self, result: Result, summary: Summary) -> None:
        """Write the line of a file, and remove it from the table."""
        self._forget(result.file)
        self.read[result.file] = self.sizes.get(result.file, 0)
        super().done(result, summary)
        self._show_total()

    def _forget(self, file: str) -> None:
        if file in self.tasks:
            self.files.remove_task(self.tasks.pop(file))

    def _show_total(self) -> None:
        done = f"{self.summary.n_done}/{self.summary.n_files} files"
        self.total.update(self.all, completed=sum(self.read.values()), rows=done)


@contextmanager
def display(
    jobs: Sequence[Job], summary: Summary, write: Callable[[str], None], quiet: bool
) -> Iterator[Plain]:
    """Show the progress of a batch: as a live table if standard error is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield Plain(write, quiet)
        return
    sizes = {job.file: total_size(job.names) or 0 for job in jobs}
    shown = Live(sizes, summary, quiet)
    with shown.live:
        yield shown
