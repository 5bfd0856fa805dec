"""Files that continue each other, read as one stream."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..resources.paths import URL_PREFIX
from .source import DEFAULT_BLOCK_SIZE, Source, open_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .readers import Reader

__all__ = ["JoinedSource", "open_joined"]


class JoinedReader:
    """Reads files one after the other; each may be compressed.

    Only one of them is open at a time.

    Attributes
    ----------
    starts
        offsets in the stream of the files begun so far.
    error
        the first damaged compressed file or empty pipe, with its name.
    """

    def __init__(self, names: Sequence[str], block_size: int) -> None:
        self.starts = [0]
        self.error: str | None = None
        self._names = names
        self._block_size = block_size
        self._read_before = 0
        self._offset = 0
        self._reader: Reader = open_reader(names[0], block_size)

    @property
    def bytes_read(self) -> int:
        """Number of bytes taken from all files so far."""
        return self._read_before + self._reader.bytes_read

    def readinto(self, view: memoryview) -> int:
        """Copy bytes into `view`; return how many, 0 at the end of the last file."""
        while not (got := self._reader.readinto(view)):
            if not self._open_next():
                return 0
        self._offset += got
        return got

    def join(self, before: memoryview, block_size: int) -> memoryview | None:
        """Return the next bytes behind `before`; None if that is not possible."""
        window = self._reader.join(before, block_size)
        if window is not None:
            self._offset += len(window) - len(before)
        return window

    def at_eof(self) -> bool:
        """Whether the input is known to end here."""
        return len(self.starts) == len(self._names) and self._reader.at_eof()

    def close(self) -> None:
        """Close the file at hand."""
        self._reader.close()

    def _open_next(self) -> bool:
        """Open the next file, if there is one."""
        number = len(self.starts)
        name, error = self._names[number - 1], self._reader.error
        if error is None and self._offset == self.starts[-1] and _is_pipe(name):
            error = "the pipe has no data"
        if error is not None and self.error is None:
            self.error = f"{name}: {error}"
        if number == len(self._names):
            return False
        self._read_before += self._reader.bytes_read
        self._reader.close()
        self._reader = open_reader(self._names[number], self._block_size)
        self.starts.append(self._offset)
        return True


class JoinedSource(Source):
    """A window over several files; its name is that of the first.

    Attributes
    ----------
    names
        names of all files.
    """

    def __init__(self, names: Sequence[str], block_size: int) -> None:
        reader = JoinedReader(names, block_size)
        files = [name.removeprefix(URL_PREFIX) for name in names if not _is_pipe(name)]
        sizes = list(map(os.path.getsize, files))
        super().__init__(
            names[0],
            reader,
            block_size=block_size,
            input_size=sum(sizes) if len(sizes) == len(names) else None,
        )
        # unknown until all files are read: some may be compressed
        self.size = None
        self.seekable = False
        self.names = list(names)
        self._joined = reader

    def consume(self, n: int) -> None:
        """Drop the first `n` bytes of the window."""
        end = self.offset + n
        for start in self._joined.starts:
            if self.offset <= start < end:
                super().consume(start - self.offset)
                self.holes.begin_file(start)
        super().consume(end - self.offset)

    @property
    def starts(self) -> dict[str, int]:
        """Offsets in the stream of the files begun so far, by their names."""
        return dict(zip(self.names, self._joined.starts, strict=False))


def _is_pipe(name: str) -> bool:
    return not os.path.isfile(name.removeprefix(URL_PREFIX))


def open_joined(
    names: Sequence[str], block_size: int = DEFAULT_BLOCK_SIZE
) -> JoinedSource:
    """Open files that continue each other as one stream.

    Parameters
    ----------
    names
        names of the files in their order.
    block_size
        see :func:`.open_source`.

    Raises
    ------
    OSError, ImportError
        see :func:`.open_source`; for all files but the first when they are reached.
    """
    return JoinedSource(names, block_size)
