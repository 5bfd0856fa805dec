"""The first bytes of compressed files, and the endings of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zstd")

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPABLE = tuple(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60))

# One byte more than the bare magic number where the format fixes it: an ORCA file
# whose header is 35615 words long starts with 1f 8b 00 00.
MAGICS = (
    ("gzip", (b"\x1f\x8b\x08",)),
    ("bzip2", tuple(b"BZh%d" % level for level in range(1, 10))),
    ("xz", (b"\xfd7zXZ\x00",)),
    ("zstd", (ZSTD_MAGIC, *ZSTD_SKIPPABLE)),
)
ALL_MAGICS = tuple(magic for _, magics in MAGICS for magic in magics)
LONGEST_MAGIC = max(map(len, ALL_MAGICS))


def recognize(head: bytes) -> str | None:
    """Return the compression that the first bytes identify; None for plain data."""
    for name, magics in MAGICS:
        if head.startswith(magics):
            return name
    return None


def without_ending(path: Path) -> Path:
    """Return a file's name without the extension of a compressed file."""
    return path.with_suffix("") if path.suffix.lower() in ENDINGS else path


def may_become_magic(head: bytes) -> bool:
    """Whether these may be the first bytes of compressed data."""
    # A slow pipe is asked for as few bytes as needed.
    return any(
        len(magic) > len(head) and magic.startswith(head) for magic in ALL_MAGICS
    )
