"""Outputs of a conversion that compares its rows with a file instead of writing."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import h5py

from ..buffers.places import GARBAGE_ENDING, name_beside
from ..publishing.output_files import (
    COLUMNS_ATTRIBUTE,
    columns_text,
)
from ..report import unpacked
from ..writing.pipeline import Pipeline
from .objects import ComparedObjects

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..buffers.garbage import Garbage
    from ..raw_buffer import RawBufferLibrary
    from ..report import ConversionReport
    from ..resources.memory import MemoryPlan
    from .differences import Differences

__all__ = ["ComparedFiles"]

COMPARED = (
    "format",
    "input_bytes",
    "bytes",
    "packets",
    "unknown_records",
    "irregular",
    "n_damage",
    "damage",
    "container_error",
    "garbage_bytes_dropped",
    "skipped_channels",
    "tables",
    "status",
)
"""Parts of the stored report that decoding again must reproduce."""

SHOWN_CHARACTERS = 200
"""Largest length of a value in a message."""


class ComparedFiles:
    """Compares one output with the rows that a conversion would write to it.

    Parameters
    ----------
    output
        the output, open.
    name
        name that the conversion gives it.
    stored
        its report.
    differences
        collects the differences.
    threads
        number of threads.
    """

    def __init__(
        self,
        output: h5py.File,
        name: str,
        stored: dict[str, Any],
        differences: Differences,
        threads: int,
    ) -> None:
        self.pipeline = Pipeline(threads)
        self.objects = ComparedObjects(output, differences, self.pipeline)
        self._output = output
        self._name = os.path.normpath(name)
        self._file = name
        self._stored = stored
        self._differences = differences
        self._first: str | None = None

    def __enter__(self) -> ComparedFiles:  # noqa: PYI034  (Self is of Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def check(self, files: Iterable[str]) -> None:
        """Check nothing: no file is written."""

    def open(self, rb_lib: RawBufferLibrary, plan: MemoryPlan) -> None:
        """Set the limits of memory."""
        self.pipeline.limit = plan.in_flight
        self._first = next(iter(rb_lib.files()), None)

    def check_garbage(self) -> None:
        """Check nothing: no file is written."""

    def writer_of(self, file: str) -> ComparedObjects | None:
        """Return the objects that take the rows of the output; None for other files."""
        if not self._is_own(file):
            return None
        # the tables in the report have this spelling
        self._file = file
        return self.objects

    def _is_own(self, file: str) -> bool:
        return os.path.normpath(file) == self._name

    def write_garbage(self, garbage: Garbage) -> None:
        """Compare the damaged ranges with the garbage file of the first output."""
        if not len(garbage) or self._first is None or not self._is_own(self._first):
            return
        file = name_beside(self._output.filename, GARBAGE_ENDING)
        if not os.path.isfile(file):
            text = f"{os.path.basename(file)} is missing: the bytes of damaged ranges"
            self._differences.add("", text)
            return
        try:
            opened = h5py.File(file, "r", locking=False)
        except OSError as e:
            self._differences.add("", f"{os.path.basename(file)} cannot be read: {e}")
            return
        with opened:
            objects = ComparedObjects(opened, self._differences, self.pipeline)
            table = garbage.as_table()
            objects.append(
                table.layout, table.rows(table.arrays, len(garbage)), "garbage"
            )
            objects.finish()

    def describe(self, columns: dict[str, dict[str, str]]) -> None:
        """Compare the descriptions of the columns."""
        wanted, found = columns_text(columns), self._output.attrs.get(COLUMNS_ATTRIBUTE)
        if (found or "") != wanted:
            self._differences.add("", "other descriptions of columns than expected")

    def complete(self) -> None:
        """Compare all rows that are left."""
        self.objects.finish()
        self.pipeline.close()

    def finish(self, report: ConversionReport) -> None:
        """Compare the stored report with the report of decoding again."""
        fresh = unpacked(json.loads(report.as_attribute(self._file)))
        left_out = {*self._stored.get("left_out", ()), *fresh.get("left_out", ())}
        for name in COMPARED:
            if name in left_out:
                continue
            found, wanted = self._stored.get(name), fresh.get(name)
            if found != wanted:
                text = f"stored {_short(found)}, expected {_short(wanted)}"
                self._differences.add("", f"report, {name}: {text}")

    def discard(self) -> None:
        """End the threads."""
        self.pipeline.close()


def _short(value: object) -> str:
    text = json.dumps(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[: SHOWN_CHARACTERS - 3]}..."
