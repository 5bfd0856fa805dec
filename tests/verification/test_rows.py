"""Rows are compared bit by bit; the message is about the first that differs."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from daq2lh5.verification.rows import compare_rows
from daq2lh5.verification.stored import StoredDataset

N = 40


@pytest.fixture
def compare(tmp_path):
    """Return a function that compares rows with stored ones, in two pieces."""

    def compare(stored, expected, **settings):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            chunks = (len(expected), *expected.shape[1:])
            settings = {"chunks": chunks, "maxshape": (None, *chunks[1:])} | settings
            file.create_dataset("x", data=stored, **settings)
            dataset = StoredDataset(file, "x", file["x"].id)
            return compare_rows(dataset, 0, [expected[:7], expected[7:]])

    return compare


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4", "f8", "S5"])
@pytest.mark.parametrize("shape", [(N,), (N, 3)])
def test_each_element_counts(compare, dtype, shape):
    stored = np.arange(N * 3).reshape(N, 3)[: shape[0]].astype(dtype)
    stored = stored if len(shape) == 2 else np.ascontiguousarray(stored[:, 0])
    assert compare(stored, stored) is None
    for row in (0, 6, 7, N - 1):
        other = stored.copy()
        other[row] = other[row - 3]
        text, first, n = compare(other, stored)
        assert (first, n) == (row, 1)
        assert text.startswith("stored ")


def test_words(compare):
    expected = np.arange(N * 3, dtype=np.int16).reshape(N, 3)
    stored = expected.copy()
    stored[9, 1], stored[20:22, 2] = -5, 0
    assert compare(stored, expected) == ("stored -5, expected 28 (element 1)", 9, 3)


def test_nan_is_nan_of_the_same_bits(compare):
    expected = np.full(N, np.nan)
    assert compare(expected.copy(), expected) is None
    bits = expected.copy()
    bits.view(np.uint64)[3] ^= 1
    text, row, n = compare(bits, expected)
    assert (row, n) == (3, 1)
    assert r"\x01" in text


def test_zero_has_a_sign(compare):
    expected = np.zeros(N)
    assert compare(-expected, expected)[1:] == (0, N)


def test_lossy_filters(compare):
    expected = np.random.default_rng(1).normal(100, 10, N)
    assert compare(expected, expected, scaleoffset=1) is None
    other = expected.copy()
    other[5] += 1
    assert compare(other, expected, scaleoffset=1)[1:] == (5, 1)


def test_rows_behind_the_end_are_counted_elsewhere(compare):
    expected = np.arange(N, dtype=np.uint16)
    assert compare(expected[:20], expected) is None
    assert compare(expected[:0], expected) is None


def test_text(compare):
    stored = np.array(["a"] * N, dtype=object)
    other = stored.copy()
    other[8] = "b"
    kind = h5py.string_dtype()
    assert compare(stored, np.array([b"a"] * N, object), dtype=kind) is None
    text, row, n = compare(other, np.array([b"a"] * N, object), dtype=kind)
    assert (text, row, n) == ("stored b'b', expected b'a'", 8, 1)
