"""Bytes from files, pipes and standard input, compressed or not.

A `Source` shows a window on the (decompressed) stream: the bytes in memory, from a
known offset. The consumer asks for a longer window with `Source.fill` and drops used
bytes with `Source.consume`. The formats interpret the bytes.

Plain input is read straight into one reusable block; the blocks of long files are read
ahead by a thread, and shown without a copy. Compressed input, recognized by its first
bytes and not by its name, is decompressed by a thread that stays a few pieces ahead.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np

from ..resources.interruption import interruptible
from ..resources.paths import expand_path
from ._holes import Holes
from .ahead import DecodedReader
from .magic import recognize
from .members import make_decoder
from .raw_input import COMPRESSED_READ, RawInput
from .readers import PlainReader, SwappingReader, swap_words

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from .readers import Reader

# Reading a cached file of 400 MB and copying each block once more into a ring of
# 32 MiB, on a machine with 2 MiB of L2 cache per core, took (best of 7) 71 ms with
# blocks of 64 KiB, 63 with 256 KiB, 62 with 512 KiB, 68 with 1 MiB, and 78 with 2 MiB
# or more, where the block no longer stays in the L2 cache. posix_fadvise(SEQUENTIAL)
# and page-aligned blocks made no difference, with a cold cache either.
DEFAULT_BLOCK_SIZE = 512 * 1024

# If a grown block were freed at once, a stream of records slightly too large for the
# block would allocate a new one for each of them (5 % slower with 2 MB records). So it
# is freed after this many refills without need for it.
_REFILLS_BEFORE_SHRINKING = 8


class Source:
    """A window that moves forward over a stream of bytes.

    Made by `open_source`. A view from `fill` or `window` is valid until the next
    `fill`, which may overwrite its block.

    Attributes
    ----------
    name
        The name as the user gave it.
    size
        Length of the stream if known in advance (plain regular files).
    compression
        ``None``, ``"gzip"``, ``"bzip2"``, ``"xz"`` or ``"zstd"``.
    seekable
        Whether this is a regular file without compression.
    offset
        Offset in the (decompressed) stream of the first byte of the window.
    at_end
        Whether the window ends with the stream. Always True after a `fill` that
        returned fewer bytes than requested, and for a plain regular file as soon as the
        window reaches its end.
    error
        A sentence on the damage of the compressed file, else ``None``. Set once the
        window has reached the damage, when all bytes before it have been delivered.
    error_offset
        Offset of that damage in the decompressed stream.
    input_size
        Size of the underlying file (compressed, if it is); ``None`` for pipes.
    read_seconds
        Time that `fill` has waited for the input.
    read_ahead
        Whether a thread may read the next blocks of a long plain file ahead.
    holes
        Blocks of zeros in the consumed bytes.
    """

    def __init__(
        self,
        name: str,
        reader: Reader,
        *,
        block_size: int,
        compression: str | None = None,
        input_size: int | None = None,
    ) -> None:
        self.name = name
        self.compression = compression
        self.input_size = input_size
        self.size = input_size if compression is None else None
        self.seekable = self.size is not None
        self.offset = 0
        self.at_end = False
        self.read_seconds = 0.0
        self.read_ahead = True
        self.error: str | None = None
        self.error_offset: int | None = None
        self.holes = Holes()
        self._reader = reader
        self._closed = False
        self._block_size = block_size
        self._spare_refills = 0
        self._start = 0
        self._end = 0
        self._allocate(block_size)

    @property
    def bytes_read(self) -> int:
        """Bytes read from the underlying input so far, before decompression."""
        return self._reader.bytes_read

    @property
    def capacity(self) -> int:
        """Bytes of memory in the block that is read into, if not read ahead."""
        return len(self._block)

    @property
    def window(self) -> memoryview:
        """The bytes in memory, read-only."""
        self._require_open()
        return self._readable[self._start : self._end]

    def fill(self, n: int) -> memoryview:
        """Extend the window to at least `n` bytes, or to the end of the input.

        Parameters
        ----------
        n
            Bytes requested. The block grows to hold them, so a length read from the
            input must be checked before.

        Returns
        -------
        memoryview
            The window, read-only. It is often longer than `n`.

        Raises
        ------
        OSError
            If the input cannot be read. Damaged compression does not raise, see
            `Source.error`.
        """
        self._require_open()
        if n < 0:
            msg = f"cannot fill a window with {n} bytes"
            raise ValueError(msg)
        if self._end - self._start < n and not self.at_end:
            start = time.perf_counter()
            with interruptible:
                if not self._join(n):
                    self._make_room(n)
                    self._read_until(n)
            self.read_seconds += time.perf_counter() - start
        return self._readable[self._start : self._end]

    def consume(self, n: int) -> None:
        """Drop the first `n` bytes of the window."""
        self._require_open()
        if not 0 <= n <= self._end - self._start:
            held = self._end - self._start
            msg = f"cannot consume {n} bytes of a window of {held}"
            raise ValueError(msg)
        self.holes.look(self._readable, self._start, n, self.offset)
        self._start += n
        self.offset += n

    def read(self, n: int = -1) -> bytes:
        """Read and consume `n` bytes, or all, like a file object."""
        if n >= 0:
            data = bytes(self.fill(n)[:n])
            self.consume(len(data))
            return data
        parts = []
        while len(window := self.fill(1)):
            parts.append(bytes(window))
            self.consume(len(window))
        return b"".join(parts)

    def tell(self) -> int:
        """Return the offset of the next byte in the (decompressed) stream."""
        return self.offset

    @property
    def closed(self) -> bool:
        """Whether the input was closed."""
        return self._closed

    def swap_words(self) -> None:
        """Swap the bytes of each 32-bit word from here on.

        Up to three bytes at the end of the input, too few for a word, are not swapped.
        """
        self._require_open()
        self._make_room(self._end - self._start)
        swap_words(self._block[self._start : self._end])
        if not self.at_end:
            # the incomplete word at the end of the window is read once more
            end = self._end - (self._end - self._start) % 4
            part = bytes(self._block[end : self._end])
            self._end = end
            self._reader = SwappingReader(self._reader, part)

    def close(self) -> None:
        """Release the input and the block; stop the reader thread."""
        if self._closed:
            return
        self._closed = True
        self._start = self._end = 0
        self._allocate(0)
        self._reader.close()

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self._closed:
            msg = f"the source {self.name!r} is closed"
            raise ValueError(msg)

    def _allocate(self, size: int) -> None:
        # Not a resized bytearray: views of the old block must stay valid memory.
        self._block = np.empty(size, dtype=np.uint8).data
        self._readable = self._block.toreadonly()

    def _join(self, n: int) -> bool:
        """Append the bytes read ahead to the window; False if they do not suffice."""
        if not self.read_ahead or n > self._block_size:
            return False
        rest = self._readable[self._start : self._end]
        window = self._reader.join(rest, self._block_size)
        if window is None:
            return False
        if self._is_spare(self._block_size):
            self._allocate(self._block_size)
        self._readable = window.toreadonly()
        self._start, self._end = 0, len(window)
        if self._reader.at_eof():
            self._finish()
        return self.at_end or len(window) >= n

    def _make_room(self, n: int) -> None:
        """Move the unread rest to the front of a block that holds `n` bytes."""
        wanted = -(-n // self._block_size) * self._block_size
        rest = self._readable[self._start : self._end]
        if wanted > self.capacity or self._is_spare(wanted):
            self._allocate(wanted)
        self._block[: len(rest)] = rest
        self._readable = self._block.toreadonly()
        self._start, self._end = 0, len(rest)

    def _is_spare(self, wanted: int) -> bool:
        """Whether a block of this size has sufficed for a while."""
        if wanted >= self.capacity:
            self._spare_refills = 0
        else:
            self._spare_refills += 1
        return self._spare_refills > _REFILLS_BEFORE_SHRINKING

    def _read_until(self, n: int) -> None:
        while self._end < n:
            stop = min(self._end + self._block_size, self.capacity)
            got = self._reader.readinto(self._block[self._end : stop])
            if got == 0:
                self._finish()
                return
            self._end += got
        if self._reader.at_eof():
            self._finish()

    def _finish(self) -> None:
        self.at_end = True
        self.error = self._reader.error
        if self.error is not None:
            self.error_offset = self.offset + self._end


def open_source(
    name: str | os.PathLike[str], block_size: int = DEFAULT_BLOCK_SIZE
) -> Source:
    """Open a file, a pipe or standard input for reading, decompressed where needed.

    Parameters
    ----------
    name
        A path, also of a named pipe, with or without ``file://`` before it, or ``-``
        for standard input. ``~`` and environment variables are expanded.
    block_size
        Size of the block that is read into, and the largest size of a read.

    Returns
    -------
    Source
        To be closed, or used as a context manager.

    Raises
    ------
    OSError
        If the input cannot be opened or read.
    ImportError
        If the input is compressed with zstd and the package ``zstandard`` is missing.
    """
    if block_size < 1:
        msg = f"the block size must be at least 1, got {block_size}"
        raise ValueError(msg)
    given = expand_path(name)
    with interruptible:
        # a named pipe waits for its writer here
        path = given.removeprefix("file://")
        raw = _open_stdin() if given == "-" else _open_path(path)
        try:
            return _open_raw(raw, given, block_size)
        except BaseException:
            raw.close()
            raise


def _open_path(path: str) -> RawInput:
    return RawInput(os.open(path, os.O_RDONLY), path)


def _open_stdin() -> RawInput:
    name = "standard input"
    try:
        return RawInput(os.dup(0), name)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, name) from exc


def _open_raw(raw: RawInput, name: str, block_size: int) -> Source:
    compression = raw.compression = recognize(raw.peek())
    reader: Reader
    if compression is None:
        reader = PlainReader(raw)
    else:
        raw.read_size = min(block_size, COMPRESSED_READ)
        reader = DecodedReader(raw, make_decoder(compression))
    return Source(
        name,
        reader,
        block_size=block_size,
        compression=compression,
        input_size=raw.size,
    )
