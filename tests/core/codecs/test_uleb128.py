"""Encoded rows that are checked without being decoded, next to a plain decoder."""

from __future__ import annotations

import numpy as np
import pytest
from daq2lh5._core.codecs.uleb128 import state_of
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.reference.codecs import uleb128

N_EXAMPLES = 400


def state(data: bytes, n_samples: int, of_16_bits: bool) -> str:
    """Decode number by number (LH5 format, 3.2)."""
    at = 0
    last = 0
    longer = too_large = False
    for _ in range(n_samples):
        end = at
        while end < len(data) and data[end] > 127:
            end += 1
        end += 1
        if end > len(data) or end - at > 5:
            return "bad"
        number = sum((byte & 127) << (7 * i) for i, byte in enumerate(data[at:end]))
        shortest = max(1, -(-number.bit_length() // 7))
        longer |= end - at > shortest or number >= 1 << 32
        number %= 1 << 32
        last += -(number + 1) // 2 if number % 2 else number // 2
        last = (last + (1 << 31)) % (1 << 32) - (1 << 31)
        too_large |= not 0 <= last < 65536
        at = end
    if at != len(data):
        return "bad"
    if of_16_bits and too_large:
        return "too large"
    return "longer" if longer else "as written"


def steps(size: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(-size, size), max_size=70)


walks = st.tuples(
    st.sampled_from([0, 40, 500, 32768, 65000, 65535]),
    st.sampled_from([40, 200, 9000, 70000]).flatmap(steps),
)
edits = st.lists(
    st.tuples(
        st.integers(0, 1000),
        st.sampled_from(["set", "set", "lengthen", "insert", "delete"]),
        st.integers(0, 255),
    ),
    max_size=3,
)


@pytest.mark.parametrize("of_16_bits", [True, False])
@settings(max_examples=N_EXAMPLES, deadline=None)
@given(walk=walks, edits=edits, clip=st.booleans())
def test_any_row(of_16_bits, walk, edits, clip):
    """Samples within and beyond 16 bits, bytes changed, numbers made longer."""
    samples = walk[0] + np.cumsum(np.array([0, *walk[1]]))
    if clip:
        samples = samples.clip(0, 65535)
    data = bytearray(uleb128(samples.tolist()))
    if not edits and clip:
        assert state_of(data, len(samples), of_16_bits) == "as written"
    for place, how, byte in edits:
        at = place % max(len(data), 1)
        if how == "insert":
            data.insert(at, byte)
        elif how == "delete":
            del data[at : at + 1]
        elif how == "set" and data:
            data[at] = byte
        elif data and data[at] < 128:
            data[at : at + 1] = [data[at] | 128, 0]
    found = state_of(bytes(data), len(samples), of_16_bits)
    assert found == state(bytes(data), len(samples), of_16_bits)


@settings(max_examples=N_EXAMPLES, deadline=None)
@given(data=st.binary(max_size=60), n=st.integers(0, 60), of_16_bits=st.booleans())
def test_any_bytes(data, n, of_16_bits):
    assert state_of(data, n, of_16_bits) == state(data, n, of_16_bits)


def test_number_of_samples():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        state_of(b"", -1, True)
