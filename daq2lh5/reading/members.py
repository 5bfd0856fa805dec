"""Decompression of gzip, bzip2 and xz: members, each a stream of its own."""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .ahead import PIECE_SIZE
from .damage import cut_off, damaged, foreign, too_large
from .raw_input import skip_padding
from .zstd import make_zstd_decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from .ahead import Decoder
    from .raw_input import RawInput

# Largest output of a decompressor per call. For bzip2 and xz it is also the most that a
# damaged long stream loses, see _salvage().
GZIP_STEP = PIECE_SIZE
BLOCK_CODEC_STEP = 64 * 1024
SALVAGE_STEP = 64
SALVAGE_HISTORY = 4 * 1024 * 1024

XZ_MEMORY = 256 * 1024 * 1024
"""Largest dictionary of the decompressor; "xz -9" needs 65 MiB."""


class _Stream(Protocol):
    """Interface of the incremental decompressors of the standard library."""

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
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


CODECS = {
    "gzip": _Codec(b"\x1f\x8b\x08", _Inflate, (zlib.error,), GZIP_STEP),
    "bzip2": _Codec(
        b"BZh", bz2.BZ2Decompressor, (OSError, ValueError), BLOCK_CODEC_STEP
    ),
    "xz": _Codec(b"\xfd7zXZ\x00", _start_xz, (lzma.LZMAError,), BLOCK_CODEC_STEP),
}


def _decode_members(raw: RawInput, codec: _Codec) -> Iterator[bytes]:
    while skip_padding(raw):
        head = raw.take(len(codec.magic))
        if head != codec.magic:
            raise foreign(raw, head, (codec.magic,))
        raw.unread(head)
        yield from _decode_member(raw, codec)


def _decode_member(raw: RawInput, codec: _Codec) -> Iterator[bytes]:
    stream = codec.start()
    history = _History(codec)
    while not stream.eof:
        chunk = raw.read()
        if not chunk:
            raise cut_off(raw)
        history.before(chunk, stream)
        try:
            for piece in _drain(stream, chunk, codec.step):
                history.known += len(piece)
                yield piece
        except codec.errors as exc:
            at = raw.position - len(chunk)
            if raw.compression == "xz" and "emory usage limit" in str(exc):
                raise too_large(raw, at, None, XZ_MEMORY, "xz -d") from exc
            at += yield from _salvage(raw, codec, history)
            raise damaged(raw, at, exc) from exc
    raw.unread(stream.unused_data)


def _drain(stream: _Stream, data: bytes, limit: int) -> Iterator[bytes]:
    """Yield the decompressed `data` in pieces of at most `limit` bytes.

    Only an empty result marks the end: bz2 may return less than the limit before it.
    """
    while piece := stream.decompress(data, limit):
        yield piece
        if stream.eof:
            return
        data = b""


class _History:
    """State to restore a decompressor at the start of the last chunk.

    `known` counts the bytes that came out since.
    """

    def __init__(self, codec: _Codec) -> None:
        self.known = 0
        self.chunks: list[bytes] | None = []
        self._codec = codec
        self._stream: _Stream | None = None
        self._kept = 0

    def before(self, chunk: bytes, stream: _Stream) -> None:
        """Record the state before `stream` decompresses `chunk`."""
        if isinstance(stream, _Inflate):
            self._stream, self.chunks, self.known = stream.copy(), [chunk], 0
        elif self.chunks is not None:
            self._kept += len(chunk)
            self.chunks.append(chunk)
            if self._kept > SALVAGE_HISTORY:
                self.chunks = None

    def stream(self) -> _Stream:
        return self._codec.start() if self._stream is None else self._stream


def _salvage(
    raw: RawInput, codec: _Codec, history: _History
) -> Generator[bytes, None, int]:
    """Yield the output of a failed call up to the damage; return the damage's offset.

    A call that fails loses its result. So the last chunk is decoded once more, byte by
    byte. gzip starts from a copy of the decompressor. The others cannot be copied and
    start at the beginning of the member, whose bytes are kept up to 4 MiB; a longer
    member loses up to one step (64 KiB) before its damage.
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
            for piece in _drain(stream, last[index : index + 1], SALVAGE_STEP):
                raw.check_stopped()
                if len(piece) > known:
                    yield piece[known:]
                known = max(known - len(piece), 0)
        except codec.errors:
            return index
    return len(last)


def make_decoder(compression: str) -> Decoder:
    """Return the decoder of a compression: a function from input to pieces."""
    if compression == "zstd":
        return make_zstd_decoder()
    codec = CODECS[compression]
    return lambda raw: _decode_members(raw, codec)
