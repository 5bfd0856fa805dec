"""A worker process of a batch: converts the files that it is sent, one by one.

It talks through an inherited socket, whose number is its argument, and ends when the
other side is closed; the output of a file in progress is not published.
"""

from __future__ import annotations

import copy
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from ..build_raw import convert
from ..command.run import EXIT_SIGNAL, attempt, cannot_clean_up, leave
from ..report import ConversionReport
from ..resources.interruption import check_interruption

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..conversion.targets import Target
    from ..data_streamer import DataStreamer

__all__ = ["Job", "Progress", "run_job"]

PROGRESS_SECONDS = 0.2
"""Time between two messages about the progress of a file."""


@dataclass
class Job:
    """One input to convert.

    Attributes
    ----------
    names
        names of the input's files, which continue each other if there are several.
    target
        its outputs.
    arguments
        further arguments of :func:`.build_raw.convert`.
    debug
        whether tracebacks are printed.
    """

    names: list[str]
    target: Target
    arguments: dict[str, Any]
    debug: bool = False

    @property
    def file(self) -> str:
        """Name of the first file."""
        return self.names[0]


@dataclass
class Progress:
    """How far a conversion is: bytes of the file read, and rows written."""

    n_bytes: int
    n_rows: int


def run_job(
    job: Job, on_progress: Callable[[DataStreamer], None]
) -> tuple[int, ConversionReport]:
    """Convert a file; return its exit status and report.

    Parameters
    ----------
    job
        the conversion.
    on_progress
        called with the streamer after each batch of rows.
    """
    report = ConversionReport(source=job.file)

    def work() -> None:
        def progress(streamer: DataStreamer) -> None:
            check_interruption()
            on_progress(streamer)

        convert(
            job.names,
            # a conversion fills the buffers of its target
            out_spec=copy.deepcopy(job.target),
            report=report,
            progress=progress,
            **job.arguments,
        )

    return attempt(job.file, report, job.debug, work), report


def serve(connection: Connection) -> None:
    """Convert the files that come through a connection until it is closed."""
    last = 0.0

    def on_progress(streamer: DataStreamer) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < PROGRESS_SECONDS:
            return
        last = now
        if connection.poll():
            # the batch has ended
            raise KeyboardInterrupt
        report = streamer.report
        connection.send(Progress(streamer.source.bytes_read, report.n_rows))

    # imports are done
    connection.send(None)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        status, report = run_job(job, on_progress)
        connection.send((status, report))
        if status > EXIT_SIGNAL or cannot_clean_up():
            leave(status)


def main() -> None:
    """Serve the batch that started this process."""
    # Ctrl-C reaches all processes of a terminal; the batch decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(int(sys.argv[1]))
    try:
        serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(1)
