"""Sends written data to the disk while the conversion goes on."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from ..resources.threads import Task, Threads

if TYPE_CHECKING:
    import h5py

__all__ = ["Syncer"]

SYNC_BYTES = 2**25
"""Bytes after which written data are sent to the disk, while work goes on."""


class Syncer:
    """Sends written data to the disk, in a thread of its own."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._bytes = 0
        self._thread: Threads | None = None
        self._running: Task | None = None

    def count(self, n: int) -> None:
        """Take note of `n` bytes that were written."""
        self._bytes += n
        busy = self._running is not None and not self._running.done
        if self._bytes < SYNC_BYTES or busy:
            return
        self._bytes = 0
        if self._thread is None:
            self._thread = Threads(1, "daq2lh5-sync")
        self.wait()
        descriptor = self._file.id.get_vfd_handle()
        name = self._file.filename
        self._running = self._thread.submit(partial(_sync, descriptor, name))

    def wait(self) -> None:
        """Wait for the data on their way; raises the error of sending them."""
        if self._running is not None:
            # the system reports an error only once
            self._running.result()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.close()
            self._thread = None


def _sync(descriptor: int, name: str) -> None:
    """Send a file to the disk; an error names it."""
    try:
        os.fsync(descriptor)
    except OSError as e:
        raise OSError(e.errno, e.strerror, name) from e
