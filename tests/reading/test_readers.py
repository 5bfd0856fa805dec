"""Readers of plain input, and of input whose words have another byte order."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from kit.sources import sample

from daq2lh5.reading.raw_input import RawInput
from daq2lh5.reading.readers import PlainReader, SwappingReader, swap_words

DATA = sample(4000)
SWAPPED = np.frombuffer(DATA, "<u4").byteswap().tobytes()


@pytest.fixture
def reader(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(DATA)
    reader = PlainReader(RawInput(os.open(path, os.O_RDONLY), str(path)))
    yield reader
    reader.close()


def read_all(reader, sizes) -> bytes:
    """Read in parts of such sizes, again and again."""
    found, i = b"", 0
    while True:
        memory = memoryview(bytearray(sizes[i % len(sizes)]))
        n = reader.readinto(memory)
        if n == 0:
            return found
        found += bytes(memory[:n])
        i += 1


@pytest.mark.parametrize("sizes", [[1], [3, 4, 5], [1 << 16]])
def test_plain_input(reader, sizes):
    assert read_all(reader, sizes) == DATA
    assert reader.bytes_read == len(DATA)
    assert reader.error is None


def test_a_short_file_is_not_read_in_advance(reader):
    assert reader.join(memoryview(b"before"), 4096) is None
    assert read_all(reader, [1000]) == DATA


@pytest.mark.parametrize("sizes", [[1], [2, 3], [4], [5, 1, 7], [1 << 16]])
@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_words_are_swapped_whatever_the_parts(reader, sizes, part):
    """Also if the first bytes were taken before."""
    head = memoryview(bytearray(part))
    assert reader.readinto(head) == part
    swapping = SwappingReader(reader, bytes(head))
    assert read_all(swapping, sizes) == SWAPPED
    assert swapping.bytes_read == len(DATA)


@pytest.mark.parametrize("n", range(9))
def test_bytes_behind_the_last_word_stay(n):
    rng = random.Random(n)
    data = bytearray(rng.randbytes(n))
    whole = n // 4 * 4
    wanted = np.frombuffer(bytes(data[:whole]), ">u4").astype("<u4").tobytes()
    wanted += data[whole:]
    swap_words(memoryview(data))
    assert data == wanted
