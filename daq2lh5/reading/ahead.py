"""Compressed input, decompressed ahead by a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from ..resources.threads import start_thread
from .damage import DamagedError
from .raw_input import RawInput, StoppedError, do_nothing

if TYPE_CHECKING:
    import threading

log = logging.getLogger(__name__)

# Bytes that the reader thread hands over at a time, and the most pieces that wait.
PIECE_SIZE = 256 * 1024
QUEUED_PIECES = 4

CLOSE_SECONDS = 5.0


@dataclass
class _End:
    """The last item of the reader thread."""

    error: str | None = None
    failure: BaseException | None = None


_Pieces = SimpleQueue[bytes | _End]
_Slots = SimpleQueue[None]
Decoder = Callable[[RawInput], Iterator[bytes]]


class DecodedReader:
    """Compressed input, decompressed ahead by a thread.

    If the system cannot start a thread, it is decompressed on request.

    The thread takes a slot before it hands over a piece and the consumer gives the
    slot back, which bounds the queue between them. `SimpleQueue` because its `put` is
    safe at any moment, also while the garbage collector runs.
    """

    def __init__(self, raw: RawInput, decode: Decoder) -> None:
        self.error: str | None = None
        self._raw = raw
        self._decode = decode
        self._thread: threading.Thread | None = None
        self._here: Iterator[bytes | _End] | None = None
        self._pieces: _Pieces = SimpleQueue()
        self._slots: _Slots = SimpleQueue()
        for _ in range(QUEUED_PIECES):
            self._slots.put(None)
        self._piece = memoryview(b"")
        self._end: _End | None = None

    @property
    def bytes_read(self) -> int:
        """Return the bytes taken from the input so far, compressed."""
        return self._raw.bytes_read

    def readinto(self, view: memoryview) -> int:
        """Copy decompressed bytes into `view`, waiting for the first."""
        if not self._piece and not self._next_piece():
            return 0
        n = min(len(view), len(self._piece))
        view[:n] = self._piece[:n]
        self._piece = self._piece[n:]
        return n

    def join(self, before: memoryview, block_size: int) -> None:  # noqa: ARG002
        """Return None: pieces are copied."""
        return

    def at_eof(self) -> bool:
        """Return False: the end is not known in advance."""
        # The answer of the queue would depend on the timing of the threads.
        return False

    def close(self) -> None:
        """End the thread, and close the input."""
        self._stop()
        self._piece = memoryview(b"")
        if self._thread is None:
            self._raw.close()
        else:
            # A read from a lost network file system may never return: the thread is
            # then left alone.
            self._thread.join(CLOSE_SECONDS)

    def __del__(self) -> None:
        self._stop()

    def _stop(self) -> None:
        self._raw.stopped = True
        self._slots.put(None)

    def _next_piece(self) -> bool:
        if self._end is None:
            if self._thread is None and self._here is None:
                self._start()
            item = self._pieces.get() if self._here is None else next(self._here)
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
        try:
            self._thread = start_thread(_decompress, args, "daq2lh5-decompress")
        except RuntimeError as e:
            log.info("%s: %s is decompressed without one", e, self._raw.path)
            self._here = _decompress_here(self._raw, self._decode)


class _Handover:
    """The reader thread's side: gathers small pieces, waits for slots."""

    def __init__(self, raw: RawInput, pieces: _Pieces, slots: _Slots) -> None:
        self._raw = raw
        self._pieces = pieces
        self._slots = slots
        self._gathered: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._gathered.append(piece)
        self._size += len(piece)
        if self._size >= PIECE_SIZE:
            self.flush()

    def flush(self) -> None:
        if not self._gathered:
            return
        self._slots.get()
        self._raw.check_stopped()
        self._pieces.put(b"".join(self._gathered))
        self._gathered, self._size = [], 0


def _decompress_here(raw: RawInput, decode: Decoder) -> Iterator[bytes | _End]:
    """Yield the items of the reader thread without a thread."""
    end = _End()
    try:
        yield from decode(raw)
    except DamagedError as exc:
        end.error = str(exc)
    except OSError as exc:
        end.failure = exc
    yield end


def _decompress(raw: RawInput, decode: Decoder, pieces: _Pieces, slots: _Slots) -> None:
    """Run the reader thread: it owns `raw` and always leaves an `_End` behind."""
    end = _End()
    handover = _Handover(raw, pieces, slots)
    raw.before_waiting = handover.flush
    try:
        try:
            for piece in decode(raw):
                handover.add(piece)
        except DamagedError as exc:
            end.error = str(exc)
        except OSError as exc:
            end.failure = exc
        handover.flush()
    except StoppedError:
        pass
    except BaseException as exc:  # raised again for the consumer
        end.failure = exc
    finally:
        raw.before_waiting = do_nothing
        pieces.put(end)
        raw.close()
