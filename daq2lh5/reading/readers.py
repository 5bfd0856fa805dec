"""Readers below a source: plain input, and input with swapped words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ._read_ahead import ReadAhead

if TYPE_CHECKING:
    from .raw_input import RawInput

# Bytes left of a file from which on reading ahead pays for the start of a thread.
AHEAD_FROM = 4 * 1024 * 1024


class Reader(Protocol):
    """Interface of the input below a `Source`."""

    @property
    def bytes_read(self) -> int:
        """Return the bytes taken from the input so far."""

    @property
    def error(self) -> str | None:
        """Return a description of the damage of the input, or None."""

    def readinto(self, view: memoryview) -> int:
        """Copy bytes into `view`; return how many, 0 at the end."""

    def join(self, before: memoryview, block_size: int) -> memoryview | None:
        """Return the next bytes behind `before`; None if that is not possible."""

    def at_eof(self) -> bool:
        """Whether the input is known to end here."""

    def close(self) -> None:
        """Close the input."""


class PlainReader:
    """Input that is not compressed; long files are read ahead."""

    def __init__(self, raw: RawInput) -> None:
        self.error: str | None = None
        self._raw = raw
        self._ahead: ReadAhead | None = None
        self._has_thread = True

    @property
    def bytes_read(self) -> int:
        """Return the bytes taken from the input so far."""
        return self._raw.bytes_read

    def readinto(self, view: memoryview) -> int:
        """Copy bytes into `view`; return how many, 0 at the end."""
        if self._ahead is not None:
            got = self._ahead.readinto(view)
            if got:
                self._raw.bytes_read += got
                return got
            self._read_alone()
        return self._raw.readinto(view)

    def join(self, before: memoryview, block_size: int) -> memoryview | None:
        """Return the next bytes behind `before`; None if that is not possible.

        Only `before` is copied: the next bytes stay where they were read ahead.
        """
        raw = self._raw
        if self._ahead is None:
            short = raw.size is None or raw.size - raw.bytes_read < AHEAD_FROM
            if short or not self._has_thread:
                return None
            at = raw.base + raw.bytes_read
            try:
                self._ahead = ReadAhead(raw.fd, at, block_size)
            except (OSError, RuntimeError):
                # without a free descriptor or thread: do not read ahead
                self._has_thread = False
                return None
        window = self._ahead.join(before)
        if window is None:
            self._read_alone()
        else:
            raw.bytes_read += len(window) - len(before)
        return window

    def at_eof(self) -> bool:
        """Whether the input is known to end here."""
        return self._raw.is_exhausted()

    def close(self) -> None:
        """Close the input."""
        if self._ahead is not None:
            self._ahead.close()
        self._raw.close()

    def _read_alone(self) -> None:
        """Read without the thread, which reached the end or an error."""
        self._ahead.close()
        self._ahead = None
        self._raw.return_to_position()


class SwappingReader:
    """Another reader with the bytes of each 32-bit word swapped."""

    def __init__(self, reader: Reader, part: bytes) -> None:
        self._reader = reader
        # first bytes of the next word
        self._part = part
        # last bytes of a word that exceeded the view
        self._rest = memoryview(b"")

    @property
    def bytes_read(self) -> int:
        """Return the bytes taken from the input so far."""
        return self._reader.bytes_read

    @property
    def error(self) -> str | None:
        """Return a description of the damage of the input, if any."""
        return self._reader.error

    def at_eof(self) -> bool:
        """Whether the input is known to end here."""
        waiting = self._rest or self._part
        return not waiting and self._reader.at_eof()

    def join(self, before: memoryview, block_size: int) -> None:  # noqa: ARG002
        """Return None: words are swapped in a copy."""
        return

    def readinto(self, view: memoryview) -> int:
        """Copy bytes into `view`; return how many, 0 at the end."""
        if not self._rest and len(view) < 4:
            word = memoryview(bytearray(4))
            self._rest = word[: self._read_words(word)]
        if self._rest:
            n = min(len(view), len(self._rest))
            view[:n] = self._rest[:n]
            self._rest = self._rest[n:]
            return n
        return self._read_words(view[: len(view) // 4 * 4])

    def close(self) -> None:
        """Close the input."""
        self._reader.close()

    def _read_words(self, view: memoryview) -> int:
        n = len(self._part)
        view[:n] = self._part
        self._part = b""
        n += self._reader.readinto(view[n:])
        while n % 4 and (more := self._reader.readinto(view[n : n + -n % 4])):
            n += more
        swap_words(view[:n])
        return n


def swap_words(view: memoryview) -> None:
    """Swap the bytes of each 32-bit word in place."""
    words = np.frombuffer(view[: len(view) // 4 * 4], "<u4")
    words.byteswap(inplace=True)
