"""Raw bytes of files, pipes and standard input."""

from __future__ import annotations

import errno
import os
import select
import stat
from typing import TYPE_CHECKING, Any

from .magic import LONGEST_MAGIC, may_become_magic

if TYPE_CHECKING:
    from collections.abc import Callable

COMPRESSED_READ = 64 * 1024
POLL_MILLISECONDS = 50


class StoppedError(Exception):
    """The consumer has closed the source; the reader thread must end."""


def do_nothing() -> None:
    """Do nothing."""


class RawInput:
    """The bytes of a file descriptor, with methods to look ahead and to step back.

    `position` is the offset in the input of the next byte to be returned.
    """

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path
        self.bytes_read = 0
        self.read_size = COMPRESSED_READ
        self.compression: str | None = None
        self.stopped = False
        self.before_waiting: Callable[[], None] = do_nothing
        self._ahead = b""
        self._at = 0
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            self.close()
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        self.regular = stat.S_ISREG(status.st_mode)
        # Standard input may be a file whose first bytes are already read.
        self.base = os.lseek(fd, 0, os.SEEK_CUR) if self.regular else 0
        self.size = max(status.st_size - self.base, 0) if self.regular else None

    @property
    def position(self) -> int:
        """Return the offset of the next byte to be returned."""
        return self.bytes_read - len(self._ahead) + self._at

    def check_stopped(self) -> None:
        """End the reader thread if its consumer has closed the source."""
        if self.stopped:
            raise StoppedError

    def peek(self) -> bytes:
        """Return the first bytes, as many as identify the compression."""
        if self.regular:
            return self._attempt(os.pread, LONGEST_MAGIC, self.base)
        while may_become_magic(self._ahead):
            more = self._read_raw(LONGEST_MAGIC - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead

    def readinto(self, view: memoryview) -> int:
        """Read into `view`, waiting for the first byte; 0 at the end."""
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
        """Step back by `data`, which was read last."""
        self._ahead, self._at = data + self._ahead[self._at :], 0

    def is_exhausted(self) -> bool:
        """Whether this is a regular file at its end; always False for pipes."""
        if not self.regular or self._ahead:
            return False
        at = self.base + self.bytes_read
        # Asking for its length first keeps this cheap; reading makes it certain.
        if at < os.fstat(self.fd).st_size:
            return False
        return not self._attempt(os.pread, 1, at)

    def return_to_position(self) -> None:
        """Move a regular file to `bytes_read`, up to which another reader has read."""
        os.lseek(self.fd, self.base + self.bytes_read, os.SEEK_SET)

    def close(self) -> None:
        """Close the file."""
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
                # Another process may have made a shared standard input non-blocking.
                self._wait()
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, self.path) from exc

    def _wait(self) -> None:
        """Wait until bytes are available, or the reader thread must end."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while not poll.poll(POLL_MILLISECONDS):
            self.check_stopped()


def skip_padding(raw: RawInput) -> bool:
    """Skip zeros, as found behind members; return whether other bytes follow."""
    while data := raw.read():
        data = data.lstrip(b"\x00")
        if data:
            raw.unread(data)
            return True
    return False
