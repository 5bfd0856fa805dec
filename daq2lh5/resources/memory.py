"""Limits of memory, and the number of processors, for a conversion."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DEFAULT_LIMIT",
    "MIN_LIMIT",
    "MemoryPlan",
    "default_threads",
    "parse_size",
    "peak_memory",
]

DEFAULT_LIMIT = 2**30
"""Default limit of the memory of buffers and queues together."""

MIN_LIMIT = 2**24
"""Smallest useful limit: a few blocks of input and a few chunks."""

CHUNK_BYTES = 2**20
"""Largest chunk: the chunk cache of HDF5 up to 1.14."""

CHUNK_ROWS = 8192
"""Rows of a chunk of short rows; reading a few of them stays cheap."""

ELEMENT_BYTES = 2**17
"""Largest chunk of the flattened data of a vector column."""

BUFFER_BYTES = 8 * 2**20
"""Largest buffer of a table: one that does not fit the cache is filled more slowly."""

MANY_TABLES = 32
"""More tables than this have more datasets than are kept open."""

MIN_IN_FLIGHT = 24 * 2**20
"""Bytes on their way to the file that keep all threads busy while a buffer fills."""


@dataclass(frozen=True)
class MemoryPlan:
    """Shares of the memory limit; the same for any number of threads.

    A quarter of the limit is for the buffers; a quarter for the arrays of buffers on
    their way to the file; three eighths for rows that do not fill a chunk yet; an
    eighth for compressed chunks that are not written yet.

    Parameters
    ----------
    limit
        bytes for everything.
    tables
        number of tables that may have rows at the same time.
    """

    limit: int = DEFAULT_LIMIT
    tables: int = 1
    _changed: set[int] = field(default_factory=set, repr=False, compare=False)

    @property
    def share(self) -> int:
        """Bytes for a table's buffer, and for its rows that do not fill a chunk yet."""
        return max(self.limit // (4 * self.tables), 1)

    def changes_output(self, rows: int, n_bytes: int) -> bool:
        """Whether chunks may have other sizes or another order than usual.

        Parameters
        ----------
        rows
            rows of the longest table.
        n_bytes
            bytes of all rows, at most.
        """
        smaller = min(self.limit, DEFAULT_LIMIT)
        if self.limit == DEFAULT_LIMIT or n_bytes <= smaller // (8 * self.tables):
            # all rows of a table fit into its first chunk
            return False
        # compressed chunks are collected before writing
        collected = self.tables > MANY_TABLES and n_bytes > smaller // 8
        return collected or any(rows > changed for changed in self._changed)

    def for_more(self) -> MemoryPlan:
        """Return the plan for one more table."""
        return replace(self, tables=self.tables + 1)

    def _choose(self, rows_for: Callable[[int], int]) -> int:
        """Return the rows for the share; note where the default limit gives others."""
        rows = rows_for(self.share)
        if self.limit != DEFAULT_LIMIT:
            usual = MemoryPlan(DEFAULT_LIMIT, self.tables)
            others = rows_for(usual.share)
            if others != rows:
                self._changed.add(min(rows, others))
        return rows

    @property
    def in_flight(self) -> int:
        """Bytes of arrays on their way from the buffers to the file."""
        buffers = self.tables * min(BUFFER_BYTES, self.share)
        return min(self.limit // 4, max(MIN_IN_FLIGHT, buffers))

    @property
    def held(self) -> int:
        """Bytes of compressed chunks to collect before writing, with many tables."""
        return self.limit // 8 if self.tables > MANY_TABLES else 0

    def buffer_rows(self, row_bytes: int, widest: int, largest: int) -> int:
        """Return the rows of a table's buffer: whole chunks, if at least one fits.

        Parameters
        ----------
        row_bytes, widest
            bytes of a row of the table, and of its widest column.
        largest
            largest number of rows.
        """

        def rows_for(share: int) -> int:
            rows = min(BUFFER_BYTES, share) // max(row_bytes, 1)
            chunk = _chunk_rows(share, widest)
            rows = max(1, rows - rows % chunk if rows > chunk else rows)
            return min(rows, largest)

        return self._choose(rows_for)

    def chunk_rows(self, row_bytes: int) -> int:
        """Return the rows of a chunk of waveforms, or other long rows."""
        return self._choose(lambda share: _chunk_rows(share, row_bytes))

    def short_chunk_rows(self, row_bytes: int, widest: int = 1) -> int:
        """Return the rows of the chunks of all columns with short rows.

        All have the same number, so that their chunks end together.

        Parameters
        ----------
        row_bytes, widest
            bytes of a row of all these columns together, and of the widest.
        """

        def rows_for(share: int) -> int:
            rows = min(share // 2 // max(row_bytes, 1), CHUNK_BYTES // max(widest, 1))
            rows = min(CHUNK_ROWS, rows)
            return 1 << max(4, rows.bit_length() - 1)

        return self._choose(rows_for)

    def chunk_elements(self, itemsize: int) -> int:
        """Return the elements of a chunk of a vector column's flattened data."""
        return self._choose(
            lambda share: max(16, min(ELEMENT_BYTES, share // 4) // itemsize)
        )


def _chunk_rows(share: int, row_bytes: int) -> int:
    rows = min(CHUNK_BYTES, share) // max(row_bytes, 1)
    return max(1, min(CHUNK_ROWS, rows))


def parse_size(text: str) -> int:
    """Read a number of bytes like ``512M`` or ``2GiB``; units are powers of 1024.

    Raises
    ------
    ValueError
        if the text is not a valid size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kKmMgGtT]?)(?:i?[bB])?\s*", text)
    if match is None:
        msg = f"'{text}' is not a valid size: write for instance 512M or 2G"
        raise ValueError(msg)
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def peak_memory() -> int | None:
    """Return the largest memory of this process so far, in bytes."""
    try:
        # the value of getrusage includes the parent process
        with open("/proc/self/status", encoding="ascii", errors="replace") as f:
            found = re.search(r"VmHWM:\s*(\d+) kB", f.read())
        if found is not None:
            return int(found[1]) * 1024
    except OSError:  # not everywhere
        pass
    try:
        import resource  # noqa: PLC0415  (not everywhere)
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def default_threads() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not everywhere
        return os.cpu_count() or 1
