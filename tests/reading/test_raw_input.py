"""Bytes of a descriptor: looked at ahead, taken, put back."""

from __future__ import annotations

import os
import random

import pytest
from kit.sources import sample

from daq2lh5.reading.raw_input import RawInput, StoppedError

DATA = sample(5000)


@pytest.fixture(params=["file", "from the middle", "pipe"])
def raw(request, tmp_path):
    """DATA, from what may be its first byte or a later one."""
    if request.param == "pipe":
        ours, theirs = os.pipe()
        os.write(theirs, DATA)
        os.close(theirs)
    else:
        before = b"" if request.param == "file" else b"read already"
        path = tmp_path / "x"
        path.write_bytes(before + DATA)
        ours = os.open(path, os.O_RDONLY)
        os.lseek(ours, len(before), os.SEEK_SET)
    raw = RawInput(ours, "x")
    yield raw
    raw.close()


def rest_of(raw: RawInput) -> bytes:
    return b"".join(iter(raw.read, b""))


def test_looking_ahead_takes_nothing(raw):
    head = raw.peek()
    assert DATA.startswith(head)
    assert raw.position == 0
    assert rest_of(raw) == DATA
    assert raw.position == raw.bytes_read == len(DATA)


@pytest.mark.parametrize("seed", range(5))
def test_any_steps_give_the_bytes_in_order(raw, seed):
    rng = random.Random(seed)
    at = 0
    while at < len(DATA):
        n = rng.choice([0, 1, 3, 100, 1000])
        part = raw.take(n)
        assert part == DATA[at : at + n]
        at += len(part)
        assert raw.position == at
        back = rng.randrange(len(part) + 1)
        raw.unread(part[len(part) - back :])
        at -= back
        assert raw.position == at
    assert raw.take(5) == raw.read() == b""


def test_reading_into_memory_goes_on_behind_what_was_looked_at(raw):
    raw.peek()
    found = b""
    memory = memoryview(bytearray(7))
    while n := raw.readinto(memory):
        found += bytes(memory[:n])
    assert found == DATA


def test_the_end_is_known_of_files_alone(raw):
    regular = raw.regular
    assert raw.size == (len(DATA) if regular else None)
    assert not raw.is_exhausted()
    raw.take(len(DATA))
    assert raw.is_exhausted() == regular


def test_a_source_that_was_closed_stops_its_reader(raw):
    raw.stopped = True
    with pytest.raises(StoppedError):
        raw.read()


def test_a_folder_is_refused_and_closed(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        RawInput(descriptor, "x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
