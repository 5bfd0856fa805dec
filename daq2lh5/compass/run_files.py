"""Files of one CoMPASS run: their names, and layouts from other files of the same run.

Sections are those of the CoMPASS format.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DecodeError
from ..reading.magic import without_ending
from ..reading.source import open_source
from ._framing import walk
from .layouts import (
    HEAD_BYTES,
    CompassLayout,
    detect_layout,
    first_length,
    has_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "OtherFile",
    "RunFile",
    "find_other_files",
    "first_fitting",
    "is_name_of_compass",
]

MAX_ENTRIES = 10_000
"""Largest number of folder entries searched for files of the same run."""

NAME = re.compile(r"S?Data[A-Z]?_.+", re.IGNORECASE)

OF_CHANNEL = re.compile(
    r"(?P<user>.*?)(?:S?Data[A-Z]?_)?(?<![^\W_])CH(?P<channel>\d{1,5})"
    r"@(?P<model>[^_@]+)_(?P<serial>[^_@]+)(?:_(?P<run>.+))?",
    re.IGNORECASE,
)
"""Names of files with one channel (1), with an optional prefix from the user."""


@dataclass(frozen=True)
class RunFile:
    """Information from a file's name.

    Attributes
    ----------
    path
        the file.
    run
        name of the run with the user's prefix; further parts of a run end in a number.
    channel, model, serial
        channel, model and serial number of the board; None for files of all channels.
    """

    path: Path
    run: str
    channel: int | None = None
    model: str | None = None
    serial: str | None = None

    @classmethod
    def of(cls, name: str | os.PathLike[str]) -> RunFile:
        """Parse a name."""
        path = Path(os.fspath(name).removeprefix("file://"))
        stem = without_ending(path).stem
        match = OF_CHANNEL.fullmatch(stem)
        if match is None:
            return cls(path, stem)
        return cls(
            path,
            match["user"] + (match["run"] or ""),
            int(match["channel"]),
            *match.group("model", "serial"),
        )

    @property
    def runs(self) -> tuple[str, str]:
        """The run's name, and the same without the number of a part."""
        return self.run, re.sub(r"_\d+$", "", self.run)


@dataclass(frozen=True)
class OtherFile:
    """Another file of the same run.

    Attributes
    ----------
    file
        information from its name.
    layout
        layout of its records.
    board, n_samples
        board and number of samples of its first record; None without records.
    """

    file: RunFile
    layout: CompassLayout
    board: int | None = None
    n_samples: int | None = None


def is_name_of_compass(name: str) -> bool:
    """Whether a name follows the pattern of CoMPASS (1)."""
    path = without_ending(Path(name))
    return path.suffix.lower() == ".bin" and NAME.fullmatch(path.stem) is not None


def find_other_files(own: RunFile) -> Iterator[OtherFile]:
    """Find other files of the same run in the folder, those of the same board first.

    The layout of files without a header is detected; if it is in doubt, they are left
    out.
    """
    others: list[RunFile] = []
    try:
        with os.scandir(own.path.absolute().parent) as entries:
            for entry in islice(entries, MAX_ENTRIES):
                path = Path(entry.path)
                other = RunFile.of(path)
                if (
                    entry.name != own.path.name
                    and without_ending(path).suffix.lower() == ".bin"
                    and other.run in own.runs
                    and (other.channel is None) == (own.channel is None)
                    and entry.is_file()
                ):
                    others.append(other)
    except OSError:
        return
    others.sort(key=lambda x: (x.serial != own.serial, x.path.name))
    for other in others:
        found = _look_at(other)
        if found is not None:
            yield found


def _look_at(file: RunFile) -> OtherFile | None:
    """Determine the layout of a file's records; None if it is in doubt."""
    try:
        with open_source(str(file.path)) as source:
            head = bytes(source.fill(HEAD_BYTES)[:HEAD_BYTES])
            at_end = source.at_end and len(head) < HEAD_BYTES
    except OSError:
        return None
    if has_header(head):
        layout, head = CompassLayout.from_bits(2, head[0]), head[2:]
    else:
        try:
            layout = detect_layout(head, at_end)
        except DecodeError:
            return None
    if not head or walk(head, *layout.parts, 1, at_end)[3] == "bad":
        return OtherFile(file, layout)
    board = int.from_bytes(head[:2], "little")
    return OtherFile(file, layout, board, first_length(head, layout))


def first_fitting(
    others: Iterable[OtherFile], head: bytes | memoryview, at_end: bool
) -> OtherFile | None:
    """Return the first of `others` whose layout fits the start of a file, `head`.

    `at_end`: `head` is the whole file.
    """
    for other in others:
        if walk(head, *other.layout.parts, 1, at_end)[3] not in ("bad", "cut"):
            return other
    return None
