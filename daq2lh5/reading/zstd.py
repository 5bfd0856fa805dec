"""Decompression of zstd, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .damage import cut_off, damaged, foreign, too_large
from .magic import ZSTD_MAGIC, ZSTD_SKIPPABLE
from .raw_input import COMPRESSED_READ, skip_padding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .ahead import Decoder
    from .raw_input import RawInput

ZSTD_WINDOW = 1 << 27
"""Largest window of the decompressor; "zstd --long=27" needs 128 MiB."""
ZSTD_BLOCK = 128 * 1024


def make_zstd_decoder() -> Decoder:
    """Return the decoder of zstd, see :func:`.make_decoder`."""
    try:
        import zstandard  # noqa: PLC0415 (few need it)
    except ImportError as exc:
        msg = (
            "reading zstd files needs the package zstandard: "
            "install it with 'pip install zstandard'"
        )
        raise ImportError(msg) from exc
    maker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)

    def decode(raw: RawInput) -> Iterator[bytes]:
        while skip_padding(raw):
            magic = raw.take(4)
            if magic in ZSTD_SKIPPABLE:
                _skip_zstd_frame(raw)
            elif magic == ZSTD_MAGIC:
                frame = _ZstdFrame(raw, maker.decompressobj(), zstandard.ZstdError)
                yield from frame.decode()
            else:
                raise foreign(raw, magic, (ZSTD_MAGIC, *ZSTD_SKIPPABLE))

    return decode


def _skip_zstd_frame(raw: RawInput) -> None:
    left = int.from_bytes(_zstd_take(raw, 4), "little")
    while left:
        left -= len(_zstd_take(raw, min(left, COMPRESSED_READ)))


def _zstd_take(raw: RawInput, n: int) -> bytes:
    data = raw.take(n)
    if len(data) < n:
        raise cut_off(raw)
    return data


def _check_window(raw: RawInput, at: int, code: int) -> None:
    """Reject a frame that needs too much memory (RFC 8878, section 3.1.1.1.2)."""
    base = 1 << (10 + (code >> 3))
    window = base + (base >> 3) * (code & 7)
    if window > ZSTD_WINDOW:
        raise too_large(raw, at, window, ZSTD_WINDOW, "zstd -d --long=31")


class _ZstdFrame:
    """One frame, fed to the library block by block (RFC 8878, section 3.1.1).

    The library's decompressor has no limit for its output, so a few bytes might become
    gigabytes. A block has 128 KiB at most. Blocks also distinguish a frame that is cut
    off from a complete one, and keep every block before a damaged one.
    """

    def __init__(self, raw: RawInput, stream: Any, error: type[Exception]) -> None:
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
            if kind == 3 or size > ZSTD_BLOCK:
                raise damaged(self._raw, at, "impossible block header")
            # A run-length block stores one byte, whatever its size.
            size = 1 if kind == 1 else size
            body = self._raw.take(size)
            # of incomplete blocks, only an uncompressed one can be decoded in part
            if (len(body) == size or kind == 0) and (
                piece := self._feed(at, head + body)
            ):
                yield piece
            if len(body) < size:
                raise cut_off(self._raw)
        if has_checksum:
            self._feed(self._raw.position, _zstd_take(self._raw, 4))

    def _header(self) -> bool:
        at = self._raw.position - len(ZSTD_MAGIC)
        flags = _zstd_take(self._raw, 1)
        single_segment = flags[0] >> 5 & 1
        size_bytes = (single_segment, 2, 4, 8)[flags[0] >> 6]
        dictionary_bytes = (0, 1, 2, 4)[flags[0] & 3]
        rest = _zstd_take(self._raw, 1 - single_segment + dictionary_bytes + size_bytes)
        if not single_segment:
            _check_window(self._raw, at, rest[0])
        self._feed(at, ZSTD_MAGIC + flags + rest)
        return bool(flags[0] >> 2 & 1)

    def _feed(self, at: int, data: bytes) -> bytes:
        try:
            return self._stream.decompress(data)
        except self._error as exc:
            raise damaged(self._raw, at, exc) from exc
