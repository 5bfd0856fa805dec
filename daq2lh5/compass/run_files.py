"""Files of one run of CoMPASS: what their names say, and one tells of another.

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
from ..source import open_source
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

__all__ = ["RunFile", "Sibling", "fitting", "is_name_of_compass", "siblings"]

MAX_ENTRIES = 10_000
"""Files of a folder to look through."""

NAME = re.compile(r"S?Data[A-Z]?_.+", re.IGNORECASE)

OF_CHANNEL = re.compile(
    r"(?P<user>.*?)(?:S?Data[A-Z]?_)?(?<![^\W_])CH(?P<channel>\d{1,5})"
    r"@(?P<model>[^_@]+)_(?P<serial>[^_@]+)(?:_(?P<run>.+))?",
    re.IGNORECASE,
)
"""Names of files with the records of one channel (1), and what users put before."""


@dataclass(frozen=True)
class RunFile:
    """What the name of a file says.

    Attributes
    ----------
    path
        the file.
    run
        name of the run, with what the user put before the name; for parts of a run
        behind the first one, with their number.
    channel, model, serial
        of a file of one channel: the channel, the model of its board, and that one's
        serial number. None for files of all channels.
    """

    path: Path
    run: str
    channel: int | None = None
    model: str | None = None
    serial: str | None = None

    @classmethod
    def of(cls, name: str | os.PathLike[str]) -> RunFile:
        """Read a name."""
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
        """The run, and what it is called if the name is that of a further part."""
        return self.run, re.sub(r"_\d+$", "", self.run)


@dataclass(frozen=True)
class Sibling:
    """Another file of a run.

    Attributes
    ----------
    file
        its name.
    layout
        what its records have.
    board, n_samples
        of its first record; None if it has none.
    """

    file: RunFile
    layout: CompassLayout
    board: int | None = None
    n_samples: int | None = None


def is_name_of_compass(name: str) -> bool:
    """Whether CoMPASS calls its files like that (1)."""
    path = without_ending(Path(name))
    return path.suffix.lower() == ".bin" and NAME.fullmatch(path.stem) is not None


def siblings(own: RunFile) -> Iterator[Sibling]:
    """Look at the other files of a run in its folder, those of its board first.

    Of files without a header, the records tell; those of which nothing is to be learned
    are left out.
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


def _look_at(file: RunFile) -> Sibling | None:
    """Find out what a file's records have; None if it does not tell."""
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
        return Sibling(file, layout)
    board = int.from_bytes(head[:2], "little")
    return Sibling(file, layout, board, first_length(head, layout))


def fitting(
    others: Iterable[Sibling], head: bytes | memoryview, at_end: bool
) -> Sibling | None:
    """Return the first file by whose layout there are records at the start of another.

    Parameters
    ----------
    others
        files of its run.
    head
        the start of the file in question.
    at_end
        whether that is all of it.
    """
    for other in others:
        if walk(head, *other.layout.parts, 1, at_end)[3] not in ("bad", "cut"):
            return other
    return None
