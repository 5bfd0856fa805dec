"""Bytes from files, pipes and standard input, compressed or not.

A `Source` shows a window on the (decompressed) stream: the bytes at hand, from a
known offset. The consumer asks for a longer window with `Source.fill` and drops what
it has used with `Source.consume`. Nothing here knows what the bytes mean.

Plain input is read straight into one reusable block. Compressed input, recognized by
its first bytes whatever the name, is decompressed by a reader thread that stays a few
pieces ahead.
"""

from __future__ import annotations

import bz2
import errno
import lzma
import os
import select
import stat
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .threads import start_thread

if TYPE_CHECKING:
    import threading
    from types import TracebackType

    from typing_extensions import Self

# Reading a cached file of 400 MB and copying each block once more into a ring of
# 32 MiB, on a machine with 2 MiB of L2 cache per core, took (best of 7) 71 ms with
# blocks of 64 KiB, 63 with 256 KiB, 62 with 512 KiB, 68 with 1 MiB, and 78 with 2 MiB
# or more, where the block no longer stays in the L2 cache. posix_fadvise(SEQUENTIAL)
# and page-aligned blocks made no difference, with a cold cache either.
DEFAULT_BLOCK_SIZE = 512 * 1024

# A stream of records slightly too large for the block would allocate anew for each of
# them if a grown block were given back at once (5 % slower with 2 MB records), so
# this many refills must have done without it.
_REFILLS_BEFORE_SHRINKING = 8

# What the reader thread hands over at a time, and how many of these wait at most.
_PIECE_SIZE = 256 * 1024
_QUEUED_PIECES = 4

_COMPRESSED_READ = 64 * 1024
_POLL_MILLISECONDS = 50
_CLOSE_SECONDS = 5.0

# At most this much leaves a decompressor per call. For bzip2 and xz it is also what a
# damaged long stream loses at worst, see _salvage().
_GZIP_STEP = _PIECE_SIZE
_BLOCK_CODEC_STEP = 64 * 1024
_SALVAGE_STEP = 64
_SALVAGE_HISTORY = 4 * 1024 * 1024

# What a decompressor may allocate for its dictionary or window. "xz -9" needs 65 MiB,
# "zstd --long=27" 128 MiB; more would not leave much of the budget of a conversion.
_XZ_MEMORY = 256 * 1024 * 1024
_ZSTD_WINDOW = 1 << 27
_ZSTD_BLOCK = 128 * 1024

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = tuple(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60))

# One byte more than the bare magic number where the format fixes it: an ORCA file
# whose header is 35615 words long starts with 1f 8b 00 00.
_MAGICS = (
    ("gzip", (b"\x1f\x8b\x08",)),
    ("bzip2", tuple(b"BZh%d" % level for level in range(1, 10))),
    ("xz", (b"\xfd7zXZ\x00",)),
    ("zstd", (_ZSTD_MAGIC, *_ZSTD_SKIPPABLE)),
)
_ALL_MAGICS = tuple(magic for _, magics in _MAGICS for magic in magics)
_LONGEST_MAGIC = max(map(len, _ALL_MAGICS))


class _DamagedError(Exception):
    """The compressed input breaks off or breaks its format."""


class _StoppedError(Exception):
    """The consumer has closed the source; the reader thread should end."""


class _Reader(Protocol):
    """What a `Source` needs from the input below it."""

    @property
    def bytes_read(self) -> int: ...

    @property
    def error(self) -> str | None: ...

    def readinto(self, view: memoryview) -> int: ...

    def followed_by_nothing(self) -> bool: ...

    def close(self) -> None: ...


class Source:
    """A window that moves forward over a stream of bytes.

    Made by `open_source`. A view from `fill` or `window` shows the block that the next
    `fill` may overwrite, so it holds good until then.

    Attributes
    ----------
    name
        The name as the user gave it.
    size
        Length of the stream where it is known in advance (plain regular files).
    compression
        ``None``, ``"gzip"``, ``"bzip2"``, ``"xz"`` or ``"zstd"``.
    seekable
        Whether this is a regular file without compression.
    offset
        Offset in the (decompressed) stream of the first byte of the window.
    at_end
        Whether no bytes follow the window. Always so after a `fill` that returned less
        than it was asked for, and for a plain regular file as soon as the window
        reaches its end.
    error
        A sentence that says what is wrong with the compression container, else
        ``None``. Known once the window has reached the damage; everything decoded
        before it has been delivered then.
    error_offset
        Offset in the decompressed stream at which the damage was met.
    input_size
        Size of the underlying file, compressed where it is; ``None`` for pipes.
    read_seconds
        Time that `fill` has waited for the input.
    """

    def __init__(
        self,
        name: str,
        reader: _Reader,
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
        self.error: str | None = None
        self.error_offset: int | None = None
        self._reader = reader
        self._closed = False
        self._block_size = block_size
        self._spare_refills = 0
        self._start = 0
        self._end = 0
        self._allocate(block_size)

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the underlying input so far, compressed where it is."""
        return self._reader.bytes_read

    @property
    def capacity(self) -> int:
        """Bytes of memory in the block behind the window."""
        return len(self._block)

    @property
    def window(self) -> memoryview:
        """The bytes at hand, read-only."""
        self._require_open()
        return self._readable[self._start : self._end]

    def fill(self, n: int) -> memoryview:
        """Make the window hold at least `n` bytes unless the input ends before.

        Parameters
        ----------
        n
            Bytes wanted. The block grows to hold them, so a length read from the input
            has to be checked before it is asked for.

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
        self._start += n
        self.offset += n

    def swap_words(self) -> None:
        """From here on, turn the bytes of each 32-bit word around.

        Up to three bytes at the end of the input, too few for a word, stay as they
        are.
        """
        self._require_open()
        _swap(self._block[self._start : self._end])
        if not self.at_end:
            # the part of a word at the end of the window is read once more
            end = self._end - (self._end - self._start) % 4
            part = bytes(self._block[end : self._end])
            self._end = end
            self._reader = _SwappingReader(self._reader, part)

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
        # Not a resized bytearray: views of the old block that somebody still holds
        # must stay valid memory.
        self._block = np.empty(size, dtype=np.uint8).data
        self._readable = self._block.toreadonly()

    def _make_room(self, n: int) -> None:
        """Move the unread rest to the front of a block that holds `n` bytes."""
        wanted = -(-n // self._block_size) * self._block_size
        rest = self._readable[self._start : self._end]
        if wanted >= self.capacity:
            self._spare_refills = 0
        else:
            self._spare_refills += 1
        shrink = (
            wanted < self.capacity and self._spare_refills > _REFILLS_BEFORE_SHRINKING
        )
        if wanted > self.capacity or shrink:
            self._allocate(wanted)
        self._block[: len(rest)] = rest
        self._start, self._end = 0, len(rest)

    def _read_until(self, n: int) -> None:
        while self._end < n:
            stop = min(self._end + self._block_size, self.capacity)
            got = self._reader.readinto(self._block[self._end : stop])
            if got == 0:
                self._finish()
                return
            self._end += got
        if self._reader.followed_by_nothing():
            self._finish()

    def _finish(self) -> None:
        self.at_end = True
        self.error = self._reader.error
        if self.error is not None:
            self.error_offset = self.offset + self._end


class _SwappingReader:
    """Words of another reader, with their bytes turned around."""

    def __init__(self, reader: _Reader, part: bytes) -> None:
        self._reader = reader
        # of the next word, what was read before
        self._part = part
        # of the last word, what did not fit
        self._rest = memoryview(b"")

    @property
    def bytes_read(self) -> int:
        return self._reader.bytes_read

    @property
    def error(self) -> str | None:
        return self._reader.error

    def followed_by_nothing(self) -> bool:
        waiting = self._rest or self._part
        return not waiting and self._reader.followed_by_nothing()

    def readinto(self, view: memoryview) -> int:
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
        self._reader.close()

    def _read_words(self, view: memoryview) -> int:
        n = len(self._part)
        view[:n] = self._part
        self._part = b""
        n += self._reader.readinto(view[n:])
        while n % 4 and (more := self._reader.readinto(view[n : n + -n % 4])):
            n += more
        _swap(view[:n])
        return n


def _swap(view: memoryview) -> None:
    words = np.frombuffer(view[: len(view) // 4 * 4], "<u4")
    words.byteswap(inplace=True)


def open_source(
    name: str | os.PathLike[str], block_size: int = DEFAULT_BLOCK_SIZE
) -> Source:
    """Open a file, a pipe or standard input for reading, decompressed where needed.

    Parameters
    ----------
    name
        A path, also of a named pipe, with or without ``file://`` before it, or ``-``
        for standard input. Environment variables are not expanded.
    block_size
        Size of the block that is read into, and the most that one read takes.

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
        msg = f"the block size must be at least 1, not {block_size}"
        raise ValueError(msg)
    given = os.fsdecode(name)
    raw = _open_stdin() if given == "-" else _open_path(given.removeprefix("file://"))
    try:
        return _open_raw(raw, given, block_size)
    except BaseException:
        raw.close()
        raise


def _open_path(path: str) -> _RawInput:
    return _RawInput(os.open(path, os.O_RDONLY), path)


def _open_stdin() -> _RawInput:
    name = "standard input"
    try:
        return _RawInput(os.dup(0), name)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, name) from exc


def _open_raw(raw: _RawInput, name: str, block_size: int) -> Source:
    compression = raw.compression = _recognize(raw.peek())
    reader: _Reader
    if compression is None:
        reader = _PlainReader(raw)
    else:
        raw.read_size = min(block_size, _COMPRESSED_READ)
        reader = _DecodedReader(raw, _make_decoder(compression))
    return Source(
        name,
        reader,
        block_size=block_size,
        compression=compression,
        input_size=raw.size,
    )


def _recognize(head: bytes) -> str | None:
    for name, magics in _MAGICS:
        if head.startswith(magics):
            return name
    return None


def _do_nothing() -> None:
    pass


def _may_become_magic(head: bytes) -> bool:
    # A slow pipe must not be waited for longer than needed.
    return any(
        len(magic) > len(head) and magic.startswith(head) for magic in _ALL_MAGICS
    )


class _RawInput:
    """The bytes of a file descriptor, with a way to look ahead and to step back.

    `position` is the offset in the input of the next byte that is handed out.
    """

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path
        self.bytes_read = 0
        self.read_size = _COMPRESSED_READ
        self.compression: str | None = None
        self.stopped = False
        self.before_waiting: Callable[[], None] = _do_nothing
        self._ahead = b""
        self._at = 0
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            self.close()
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        self.regular = stat.S_ISREG(status.st_mode)
        # Standard input may be a file that somebody has already read from.
        self.base = os.lseek(fd, 0, os.SEEK_CUR) if self.regular else 0
        self.size = max(status.st_size - self.base, 0) if self.regular else None

    @property
    def position(self) -> int:
        return self.bytes_read - len(self._ahead) + self._at

    def check_stopped(self) -> None:
        """End the reader thread if its consumer is gone."""
        if self.stopped:
            raise _StoppedError

    def peek(self) -> bytes:
        """Return the first bytes: no more than it takes to tell the compression."""
        if self.regular:
            return self._attempt(os.pread, _LONGEST_MAGIC, self.base)
        while _may_become_magic(self._ahead):
            more = self._read_raw(_LONGEST_MAGIC - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead

    def readinto(self, view: memoryview) -> int:
        """Read into `view`, waiting only if there is nothing yet; 0 at the end."""
        if self._ahead:
            head, self._ahead = self._ahead[: len(view)], self._ahead[len(view) :]
            view[: len(head)] = head
            return len(head)
        got = self._attempt(os.readv, [view])
        self.bytes_read += got
        return got

    def read(self) -> bytes:
        """Return the next bytes, `b""` at the end."""
        self.check_stopped()
        ahead = self._ahead[self._at :]
        self._ahead, self._at = b"", 0
        if ahead:
            return ahead
        if not self.regular:
            self.before_waiting()
            self._wait()
        return self._read_raw(self.read_size)

    def take(self, n: int) -> bytes:
        """Return the next `n` bytes, fewer only at the end."""
        parts: list[bytes] = []
        while n > len(self._ahead) - self._at:
            data = self.read()
            if not data:
                return b"".join(parts)
            if len(data) > n:
                self._ahead = data
            else:
                parts.append(data)
                n -= len(data)
        part = self._ahead[self._at : self._at + n]
        self._at += n
        return b"".join([*parts, part]) if parts else part

    def unread(self, data: bytes) -> None:
        self._ahead, self._at = data + self._ahead[self._at :], 0

    def is_exhausted(self) -> bool:
        """Whether this is a regular file that ends right here; no promise for pipes."""
        if not self.regular or self._ahead:
            return False
        at = self.base + self.bytes_read
        # Asking for its length first keeps this cheap; reading makes it certain.
        if at < os.fstat(self.fd).st_size:
            return False
        return not self._attempt(os.pread, 1, at)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    __del__ = close

    def _read_raw(self, n: int) -> bytes:
        data = self._attempt(os.read, n)
        self.bytes_read += len(data)
        return data

    def _attempt(self, call: Callable[..., Any], *arguments: object) -> Any:
        while True:
            try:
                return call(self.fd, *arguments)
            except BlockingIOError:
                # Whoever shares our standard input may have made it non-blocking.
                self._wait()
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, self.path) from exc

    def _wait(self) -> None:
        """Wait until there is something to read, or the reader thread should end."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while not poll.poll(_POLL_MILLISECONDS):
            self.check_stopped()


class _PlainReader:
    """Input that is not compressed."""

    def __init__(self, raw: _RawInput) -> None:
        self.error: str | None = None
        self._raw = raw

    @property
    def bytes_read(self) -> int:
        return self._raw.bytes_read

    def readinto(self, view: memoryview) -> int:
        return self._raw.readinto(view)

    def followed_by_nothing(self) -> bool:
        return self._raw.is_exhausted()

    def close(self) -> None:
        self._raw.close()


@dataclass
class _End:
    """What the reader thread leaves as its last item."""

    error: str | None = None
    failure: BaseException | None = None


_Pieces = SimpleQueue[bytes | _End]
_Slots = SimpleQueue[None]
_Decoder = Callable[[_RawInput], Iterator[bytes]]


class _DecodedReader:
    """Compressed input, decompressed ahead by a thread.

    The thread takes a slot before it hands over a piece and the consumer gives the
    slot back, which bounds what lies between them. `SimpleQueue` because its `put` is
    safe at any moment, also while the garbage collector runs.
    """

    def __init__(self, raw: _RawInput, decode: _Decoder) -> None:
        self.error: str | None = None
        self._raw = raw
        self._decode = decode
        self._thread: threading.Thread | None = None
        self._pieces: _Pieces = SimpleQueue()
        self._slots: _Slots = SimpleQueue()
        for _ in range(_QUEUED_PIECES):
            self._slots.put(None)
        self._piece = memoryview(b"")
        self._end: _End | None = None

    @property
    def bytes_read(self) -> int:
        return self._raw.bytes_read

    def readinto(self, view: memoryview) -> int:
        if not self._piece and not self._next_piece():
            return 0
        n = min(len(view), len(self._piece))
        view[:n] = self._piece[:n]
        self._piece = self._piece[n:]
        return n

    def followed_by_nothing(self) -> bool:
        # The queue might tell, but then the answer would depend on who is faster.
        return False

    def close(self) -> None:
        self._stop()
        self._piece = memoryview(b"")
        if self._thread is None:
            self._raw.close()
        else:
            # Longer only if the thread hangs in a read that never returns, from a lost
            # network file system; it is left alone then.
            self._thread.join(_CLOSE_SECONDS)

    def __del__(self) -> None:
        self._stop()

    def _stop(self) -> None:
        self._raw.stopped = True
        self._slots.put(None)

    def _next_piece(self) -> bool:
        if self._end is None:
            if self._thread is None:
                self._start()
            item = self._pieces.get()
            if isinstance(item, bytes):
                self._slots.put(None)
                self._piece = memoryview(item)
                return True
            self._end = item
            self.error = item.error
        if self._end.failure is not None:
            raise self._end.failure
        return False

    def _start(self) -> None:
        # The thread must not hold a reference to this object, or a forgotten source
        # would never be collected.
        args = (self._raw, self._decode, self._pieces, self._slots)
        self._thread = start_thread(_decompress, args, "daq2lh5-decompress")


class _Handover:
    """The reader thread's side: gathers small pieces, waits for slots."""

    def __init__(self, raw: _RawInput, pieces: _Pieces, slots: _Slots) -> None:
        self._raw = raw
        self._pieces = pieces
        self._slots = slots
        self._gathered: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._gathered.append(piece)
        self._size += len(piece)
        if self._size >= _PIECE_SIZE:
            self.flush()

    def flush(self) -> None:
        if not self._gathered:
            return
        self._slots.get()
        self._raw.check_stopped()
        self._pieces.put(b"".join(self._gathered))
        self._gathered, self._size = [], 0


def _decompress(
    raw: _RawInput, decode: _Decoder, pieces: _Pieces, slots: _Slots
) -> None:
    """Run the reader thread: it owns `raw` and always leaves an `_End` behind."""
    end = _End()
    handover = _Handover(raw, pieces, slots)
    raw.before_waiting = handover.flush
    try:
        try:
            for piece in decode(raw):
                handover.add(piece)
        except _DamagedError as exc:
            end.error = str(exc)
        except OSError as exc:
            end.failure = exc
        handover.flush()
    except _StoppedError:
        pass
    except BaseException as exc:  # the consumer must hear of it, whatever it is
        end.failure = exc
    finally:
        raw.before_waiting = _do_nothing
        pieces.put(end)
        raw.close()


class _Stream(Protocol):
    """The incremental decompressors of the standard library, as far as used."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, limit: int, /) -> bytes: ...


class _Inflate:
    """`zlib` for gzip members, with the interface that bz2 and lzma have."""

    def __init__(self, stream: Any = None) -> None:
        self._stream = zlib.decompressobj(31) if stream is None else stream

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, limit: int, /) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, limit)

    def copy(self) -> _Inflate:
        return _Inflate(self._stream.copy())


@dataclass(frozen=True)
class _Codec:
    """A format whose files are one or more members, each a stream of its own."""

    magic: bytes
    start: Callable[[], _Stream]
    errors: tuple[type[Exception], ...]
    step: int


def _start_xz() -> _Stream:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


_CODECS = {
    "gzip": _Codec(b"\x1f\x8b\x08", _Inflate, (zlib.error,), _GZIP_STEP),
    "bzip2": _Codec(
        b"BZh", bz2.BZ2Decompressor, (OSError, ValueError), _BLOCK_CODEC_STEP
    ),
    "xz": _Codec(b"\xfd7zXZ\x00", _start_xz, (lzma.LZMAError,), _BLOCK_CODEC_STEP),
}


def _make_decoder(compression: str) -> _Decoder:
    if compression == "zstd":
        return _make_zstd_decoder()
    codec = _CODECS[compression]
    return lambda raw: _decode_members(raw, codec)


def _decode_members(raw: _RawInput, codec: _Codec) -> Iterator[bytes]:
    while _skip_padding(raw):
        head = raw.take(len(codec.magic))
        if head != codec.magic:
            raise _foreign(raw, head, (codec.magic,))
        raw.unread(head)
        yield from _decode_member(raw, codec)


def _decode_member(raw: _RawInput, codec: _Codec) -> Iterator[bytes]:
    stream = codec.start()
    history = _History(codec)
    while not stream.eof:
        chunk = raw.read()
        if not chunk:
            raise _cut_off(raw)
        history.before(chunk, stream)
        try:
            for piece in _drain(stream, chunk, codec.step):
                history.known += len(piece)
                yield piece
        except codec.errors as exc:
            at = raw.position - len(chunk)
            at += yield from _salvage(raw, codec, history)
            raise _damaged(raw, at, exc) from exc
    raw.unread(stream.unused_data)


def _drain(stream: _Stream, data: bytes, limit: int) -> Iterator[bytes]:
    """Yield all that `data` gives, in pieces of `limit` bytes at most.

    Only an empty result says that nothing is left: bz2 may return less than the limit
    with more to come.
    """
    while piece := stream.decompress(data, limit):
        yield piece
        if stream.eof:
            return
        data = b""


class _History:
    """What it takes to bring a decompressor back to where the last chunk began.

    `known` counts the bytes that came out since.
    """

    def __init__(self, codec: _Codec) -> None:
        self.known = 0
        self.chunks: list[bytes] | None = []
        self._codec = codec
        self._stream: _Stream | None = None
        self._kept = 0

    def before(self, chunk: bytes, stream: _Stream) -> None:
        """Note `chunk`, which `stream` is about to be fed."""
        if isinstance(stream, _Inflate):
            self._stream, self.chunks, self.known = stream.copy(), [chunk], 0
        elif self.chunks is not None:
            self._kept += len(chunk)
            self.chunks.append(chunk)
            if self._kept > _SALVAGE_HISTORY:
                self.chunks = None

    def stream(self) -> _Stream:
        return self._codec.start() if self._stream is None else self._stream


def _salvage(
    raw: _RawInput, codec: _Codec, history: _History
) -> Generator[bytes, None, int]:
    """Yield what the call that met the damage had decoded before; return the place.

    A call that fails loses its result. So the last chunk is decoded once more, byte by
    byte. gzip does it from a copy of the decompressor. The others cannot be copied and
    start again at the beginning of the member, the bytes of which are kept up to 4 MiB;
    a longer member loses up to one step (64 KiB) at its damage.
    """
    if history.chunks is None:
        return 0
    stream = history.stream()
    known = history.known
    *earlier, last = history.chunks
    for chunk in earlier:
        for piece in _drain(stream, chunk, codec.step):
            raw.check_stopped()
            known -= len(piece)
    for index in range(len(last)):
        try:
            for piece in _drain(stream, last[index : index + 1], _SALVAGE_STEP):
                raw.check_stopped()
                if len(piece) > known:
                    yield piece[known:]
                known = max(known - len(piece), 0)
        except codec.errors:
            return index
    return len(last)


def _skip_padding(raw: _RawInput) -> bool:
    """Skip zeros, as found behind members; return whether anything else follows."""
    while data := raw.read():
        data = data.lstrip(b"\x00")
        if data:
            raw.unread(data)
            return True
    return False


def _make_zstd_decoder() -> _Decoder:
    try:
        import zstandard  # noqa: PLC0415 (few need it)
    except ImportError as exc:
        msg = (
            "reading zstd files needs the package zstandard: "
            "install it with 'pip install zstandard'"
        )
        raise ImportError(msg) from exc
    maker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)

    def decode(raw: _RawInput) -> Iterator[bytes]:
        while _skip_padding(raw):
            magic = raw.take(4)
            if magic in _ZSTD_SKIPPABLE:
                _skip_zstd_frame(raw)
            elif magic == _ZSTD_MAGIC:
                frame = _ZstdFrame(raw, maker.decompressobj(), zstandard.ZstdError)
                yield from frame.decode()
            else:
                raise _foreign(raw, magic, (_ZSTD_MAGIC, *_ZSTD_SKIPPABLE))

    return decode


def _skip_zstd_frame(raw: _RawInput) -> None:
    left = int.from_bytes(_zstd_take(raw, 4), "little")
    while left:
        left -= len(_zstd_take(raw, min(left, _COMPRESSED_READ)))


def _zstd_take(raw: _RawInput, n: int) -> bytes:
    data = raw.take(n)
    if len(data) < n:
        raise _cut_off(raw)
    return data


class _ZstdFrame:
    """One frame, fed to the library block by block (RFC 8878, section 3.1.1).

    The library's decompressor has no limit for its output, so a few bytes might give
    gigabytes. A block gives 128 KiB at most. That also tells a frame that is cut off
    from one that is complete, and keeps every block before a damaged one.
    """

    def __init__(self, raw: _RawInput, stream: Any, error: type[Exception]) -> None:
        self._raw = raw
        self._stream = stream
        self._error = error

    def decode(self) -> Iterator[bytes]:
        has_checksum = self._header()
        last = False
        while not last:
            at = self._raw.position
            head = _zstd_take(self._raw, 3)
            word = int.from_bytes(head, "little")
            last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
            if kind == 3 or size > _ZSTD_BLOCK:
                raise _damaged(self._raw, at, "impossible block header")
            # A run-length block stores one byte, whatever its size.
            size = 1 if kind == 1 else size
            body = self._raw.take(size)
            # of a block that is cut off a plain one is of use as far as it goes
            if (len(body) == size or kind == 0) and (
                piece := self._feed(at, head + body)
            ):
                yield piece
            if len(body) < size:
                raise _cut_off(self._raw)
        if has_checksum:
            self._feed(self._raw.position, _zstd_take(self._raw, 4))

    def _header(self) -> bool:
        at = self._raw.position - len(_ZSTD_MAGIC)
        flags = _zstd_take(self._raw, 1)
        single_segment = flags[0] >> 5 & 1
        size_bytes = (single_segment, 2, 4, 8)[flags[0] >> 6]
        dictionary_bytes = (0, 1, 2, 4)[flags[0] & 3]
        rest = _zstd_take(self._raw, 1 - single_segment + dictionary_bytes + size_bytes)
        self._feed(at, _ZSTD_MAGIC + flags + rest)
        return bool(flags[0] >> 2 & 1)

    def _feed(self, at: int, data: bytes) -> bytes:
        try:
            return self._stream.decompress(data)
        except self._error as exc:
            raise _damaged(self._raw, at, exc) from exc


def _cut_off(raw: _RawInput) -> _DamagedError:
    return _DamagedError(
        f"the {raw.compression} stream is cut off: its input ends at byte "
        f"{raw.position}, in the middle of compressed data"
    )


def _damaged(raw: _RawInput, at: int, reason: object) -> _DamagedError:
    return _DamagedError(
        f"the {raw.compression} stream cannot be decoded at byte {at} of its input: "
        f"{reason}"
    )


def _foreign(raw: _RawInput, head: bytes, magics: tuple[bytes, ...]) -> _DamagedError:
    if any(len(head) < len(magic) and magic.startswith(head) for magic in magics):
        return _cut_off(raw)
    return _DamagedError(
        f"the {raw.compression} stream ends at byte {raw.position - len(head)} of its "
        "input, but what follows is something else"
    )
