"""Compressed files, pipes and standard input, read in parts."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import subprocess
import sys
import threading
import time
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import zstandard

from daq2lh5.reading import readers
from daq2lh5.reading import source as source_module
from daq2lh5.reading.source import open_source

COMPRESSIONS = ("gzip", "bzip2", "xz", "zstd")
KINDS = (None, *COMPRESSIONS)
THREAD = "daq2lh5-decompress"
PATIENCE = 20.0  # seconds; only a hanging test gets there


def compress(kind, data):
    if kind is None:
        return data
    if kind == "zstd":
        parameters = {"write_checksum": True, "write_content_size": False}
        return zstandard.ZstdCompressor(**parameters).compress(data)
    return {
        "gzip": lambda: gzip.compress(data, mtime=0),
        "bzip2": lambda: bz2.compress(data),
        "xz": lambda: lzma.compress(data, preset=0),
    }[kind]()


def byte_by_byte(kind, data, sound=0):
    """Decode with the libraries' own classes, as far as they get; one member.

    The first `sound` bytes, which are not damaged, are given at once: that is faster.
    """
    start = {
        "gzip": lambda: zlib.decompressobj(31),
        "bzip2": bz2.BZ2Decompressor,
        "xz": lzma.LZMADecompressor,
        "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    }[kind]
    errors = (zlib.error, OSError, lzma.LZMAError, zstandard.ZstdError)
    stream, out = start(), []
    later = range(sound, len(data))
    with contextlib.suppress(*errors):
        for part in chain([data[:sound]], (data[i : i + 1] for i in later)):
            piece = stream.decompress(part)
            while piece:
                out.append(piece)
                # bz2 may hold more.
                piece = b"" if stream.eof else stream.decompress(b"")
            if stream.eof:
                break
    return b"".join(out)


def sample(size, seed=1):
    """Bytes that compress, but not to nothing."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-3, 4, size // 2 + 1)
    return (1000 + np.cumsum(steps)).astype("<u2").tobytes()[:size]


def collect(source, parts, n=1):
    while window := source.fill(n):
        parts.append(bytes(window))
        source.consume(len(window))


def drain(source, n=1):
    parts = []
    collect(source, parts, n)
    assert source.at_end
    return b"".join(parts)


def read(path, n=1, **options):
    with open_source(path, **options) as source:
        data = drain(source, n)
        assert source.offset == len(data)
        assert (source.error is None) == (source.error_offset is None)
        if source.error is not None:
            assert source.error_offset == len(data)
        return data, source.error


def reader_threads():
    return [t for t in threading.enumerate() if t.name == THREAD]


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextlib.contextmanager
def writing(path, data, piece=None):
    """Write to a named pipe from a thread."""

    def write():
        step = piece or len(data) or 1
        with contextlib.suppress(BrokenPipeError), path.open("wb", buffering=0) as out:
            for i in range(0, len(data), step):
                rest = memoryview(data)[i : i + step]
                while rest:
                    rest = rest[out.write(rest) :]

    thread = threading.Thread(target=write)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive()


@contextlib.contextmanager
def standard_input(fd):
    saved = os.dup(0)
    os.dup2(fd, 0)
    try:
        yield
    finally:
        os.dup2(saved, 0)
        os.close(saved)


@contextlib.contextmanager
def reading_ahead(always):
    """Have files read ahead by a thread however short they are, or as usual."""
    with pytest.MonkeyPatch.context() as patch:
        if always:
            patch.setattr(readers, "AHEAD_FROM", 0)
        yield


def run_python(code, *arguments, **options):
    root = str(Path(source_module.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, **options)
