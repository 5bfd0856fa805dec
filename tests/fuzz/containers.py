"""Ways in which a stream reaches the converter: compressed files and pipes."""

from __future__ import annotations

import bz2
import fcntl
import gzip
import lzma
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstandard.ZstdCompressor(level=1, write_checksum=True).compress,
}

CONTAINERS = ("plain", "pipe", *PACKERS)

LARGEST_IN_PIPE = 1 << 20
"""What a pipe takes without a reader."""

SET_PIPE_SIZE = 1031
"""F_SETPIPE_SZ of Linux, for which `fcntl` has a name from Python 3.10 on."""


@contextmanager
def offered(container: str, data: bytes, path: str) -> Iterator[str]:
    """Offer bytes as a file or as a pipe that holds them all; yields its name."""
    if container != "pipe":
        with open(path, "wb") as file:
            file.write(data)
        yield path
        return
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(writer, SET_PIPE_SIZE, LARGEST_IN_PIPE)
        os.write(writer, data)
        os.close(writer)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
