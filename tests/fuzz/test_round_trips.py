"""A short run of the round trips of the deflate, and what they find."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from daq2lh5._core.codecs.deflate import WaveformDeflater
from fuzz import round_trips


def test_chunks_come_back(capsys):
    """Two thousand chunks of a fixed seed, by both builds."""
    status = round_trips.main(["--count", "2000", "--seed", "1"])
    assert (status, capsys.readouterr().out.splitlines()[-1][-9:]) == (0, " 0 failed")


def test_chunks_are_reproducible_and_of_every_kind():
    chunks = [round_trips.chunk_of(3, number) for number in range(400)]
    assert chunks[17] == round_trips.chunk_of(3, 17)
    assert chunks[17] != round_trips.chunk_of(4, 17)
    assert {itemsize for _, itemsize in chunks} == {1, 2, 4, 8}
    assert max(len(data) for data, _ in chunks) > 1 << 16
    assert any(not data for data, _ in chunks)


class Spoilt:
    """A compressor that makes a mistake."""

    def __init__(self, spoil):
        self.spoil = spoil

    def compress(self, data, itemsize):
        return self.spoil(WaveformDeflater().compress(data, itemsize))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda s: zlib.compress(zlib.decompress(s)[::-1]), "other bytes"),
        (lambda s: s[:-1], "no end"),
        (lambda s: s + b"x", "1 bytes follow"),
        (lambda s: s[:-1] + bytes([s[-1] ^ 1]), "zlib: Error"),
        (lambda s: zlib.compress(zlib.decompress(s), 0) + bytes(4000), "follow"),
    ],
)
def test_mistakes_are_found(spoil, problem):
    data = np.arange(1000, dtype=np.uint16).tobytes()
    assert round_trips.problem_of(data, 2, [WaveformDeflater()]) is None
    assert problem in round_trips.problem_of(data, 2, [Spoilt(spoil)])
    both = [WaveformDeflater(), Spoilt(spoil)]
    assert "different" in round_trips.problem_of(data, 2, both)


def test_a_mistake_is_a_line_and_a_status(capsys, monkeypatch):
    monkeypatch.setattr(
        round_trips, "problem_of", lambda data, *_: "bad" if data else None
    )
    assert round_trips.main(["--only", "5", "--seed", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "--seed 2 --only 5: bad" in lines
    assert lines[-1].endswith("1 failed")


def test_time_ends_a_run(capsys):
    assert round_trips.main(["--minutes", "0.001"]) == 0
    assert int(capsys.readouterr().out.splitlines()[-1].split()[0]) >= 0
