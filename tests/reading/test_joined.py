"""Files that continue each other are one stream, wherever they end."""

from __future__ import annotations

import gzip
import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daq2lh5.reading.joined import open_joined
from daq2lh5.reading.magic import recognize

BLOCK = 4096

PARTS = st.binary(max_size=50).filter(lambda part: recognize(part) is None)
"""Contents that do not look compressed, some of them empty."""


def write(folder, parts, packed=()) -> list[str]:
    names = []
    for i, part in enumerate(parts):
        path = folder / f"part_{i}.bin"
        path.write_bytes(gzip.compress(part) if i in packed else part)
        names.append(str(path))
    return names


@settings(max_examples=60, deadline=None)
@given(
    st.lists(PARTS, min_size=1, max_size=6),
    st.sets(st.integers(0, 5)),
    st.integers(1, 40),
    st.integers(1, 17),
)
def test_the_stream_has_the_content_of_all_files(
    tmp_path_factory, parts, packed, block, step
):
    names = write(tmp_path_factory.mktemp("parts"), parts, packed)
    data = b""
    with open_joined(names, block) as source:
        while window := source.fill(step):
            data += bytes(window)
            source.consume(len(window))
        assert source.at_end
        assert source.error is None
        starts = np.cumsum([0, *map(len, parts)])[:-1].tolist()
        assert source.starts == dict(zip(names, starts, strict=True))
    assert data == b"".join(parts)


def test_long_files_are_read_ahead(tmp_path):
    parts = [np.random.default_rng(i).bytes(9_000_001) for i in range(3)]
    with open_joined(write(tmp_path, parts)) as source:
        source.read_ahead = True
        assert source.read() == b"".join(parts)
        assert source.bytes_read == 27_000_003


def test_one_file_is_open_at_a_time(tmp_path, monkeypatch):
    """A run may have more files than a process may open."""
    resource = pytest.importorskip("resource")
    names = write(tmp_path, [b"x"] * 300)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        with open_joined(names) as source:
            assert source.read() == b"x" * 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_damage_of_a_compressed_file_does_not_end_the_stream(tmp_path):
    names = write(tmp_path, [b"first", b"second" * 1000, b"third"], {1})
    packed = (tmp_path / "part_1.bin").read_bytes()
    (tmp_path / "part_1.bin").write_bytes(packed[:-9])
    with open_joined(names) as source:
        data = source.read()
        assert data.startswith(b"first")
        assert data.endswith(b"third")
        assert source.error.startswith(f"{names[1]}: the gzip stream is cut off")


def test_an_empty_pipe_is_damage(tmp_path):
    names = write(tmp_path, [b"first", b"", b"third"])
    os.remove(names[1])
    os.mkfifo(names[1])
    writer = threading.Thread(target=lambda: open(names[1], "wb").close())
    writer.start()
    with open_joined(names) as source:
        assert source.read() == b"firstthird"
        assert source.error == f"{names[1]}: the pipe has no data"
    writer.join()


def test_blocks_of_zeros_are_found_by_file(tmp_path):
    """They begin at multiples of 4096 bytes of their own file."""
    noise = np.random.default_rng(3).integers(1, 256, 4 * BLOCK, np.uint8).tobytes()
    hole = noise[:BLOCK] + bytes(BLOCK) + noise[2 * BLOCK :]
    names = write(tmp_path, [noise[:777], hole])
    with open_joined(names) as source:
        source.read()
        source.holes.finish()
        assert source.holes.first == (777 + BLOCK, 777 + 2 * BLOCK)


def test_a_missing_file_is_an_error_when_it_is_reached(tmp_path):
    names = [*write(tmp_path, [b"first"]), str(tmp_path / "none.bin")]
    with (
        open_joined(names) as source,
        pytest.raises(FileNotFoundError, match=r"none\.bin"),
    ):
        source.read()
