"""The kernels against slow references: equal to the last bit, for all types."""

from __future__ import annotations

import numpy as np
import pytest
from daq2lh5.processing._kernels import largest_exact_factor, reduce_waveforms
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.generators.samples import DTYPES, random_samples
from kit.reference import processing as reference

FACTORS = (1, 2, 3, 4, 7, 8, 12, 16, 20, 64, 256, 300)


def presum(values: np.ndarray, n_sums: int, dtype=None, mean=False) -> np.ndarray:
    dtype = dtype or reference.float_for(values.dtype)
    sums = np.full((len(values), n_sums), 77, dtype)
    reduce_waveforms(values, sums, mean)
    return sums


def count(values: np.ndarray, high: int) -> tuple[np.ndarray, np.ndarray]:
    low, up = (np.full(len(values), 77, np.uint32) for _ in range(2))
    reduce_waveforms(values, high=high, n_low=low, n_high=up)
    return low, up


class TestPresum:
    @pytest.mark.parametrize("factor", FACTORS)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_sums_are_those_of_the_reference(self, dtype, factor):
        values = random_samples(dtype, (7, 3 * factor + factor // 2))
        assert (presum(values, 3) == reference.presum(values, 3)).all()

    @pytest.mark.parametrize("factor", [3, 8, 200])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_means_are_rounded_as_the_reference_does(self, dtype, factor):
        values = random_samples(dtype, (7, 3 * factor))
        wanted = reference.presum(values, 3, mean=True)
        assert (presum(values, 3, mean=True) == wanted).all()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_sums_too_large_for_the_type_are_rounded_step_by_step(self, dtype):
        """Of 40000 samples no sum fits float32, nor a 32-bit integer."""
        values = random_samples(dtype, (2, 80000))
        for total in {np.float32, reference.float_for(np.dtype(dtype))}:
            wanted = reference.presum(values, 2, total=total)
            assert (presum(values, 2, total) == wanted).all()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_largest_factor_without_rounding_is_right(self, dtype):
        """Sums of that many of the largest samples are exact."""
        info = np.iinfo(dtype)
        largest = max(info.max, -int(info.min))
        for total, bits in ((np.float32, 24), (np.float64, 53)):
            factor = largest_exact_factor(np.dtype(dtype), total)
            assert factor * largest <= 2**bits
            if info.bits > 16 or bits == 24:
                assert (factor + 1) * largest > 2**bits
            else:
                # what 32-bit integers hold
                assert factor * largest <= 2**31

    @pytest.mark.parametrize("dtype", ["uint8", "uint16"])
    def test_unsigned_integers_instead_of_floats(self, dtype):
        values = random_samples(dtype, (5, 256 * 3))
        wanted = reference.presum(values, 3).astype(np.uint32)
        assert (presum(values, 3, np.uint32) == wanted).all()

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_any_number_of_samples_and_sums(self, data):
        dtype = data.draw(st.sampled_from(DTYPES))
        samples = data.draw(st.integers(1, 70))
        n_sums = data.draw(st.integers(1, samples))
        values = random_samples(dtype, (3, samples), data.draw(st.integers(0, 9)))
        wanted = reference.presum(values, n_sums)
        assert (presum(values, n_sums) == wanted).all()

    @pytest.mark.parametrize("dtype", ["uint16", "int32"])
    def test_rows_and_samples_may_lie_apart(self, dtype):
        """Windows of larger arrays, every other sample, a stride of zero."""
        whole = random_samples(dtype, (6, 101))
        for values in (
            whole[:, 3:91],
            whole[::2, 1:],
            whole[:, ::2],
            np.broadcast_to(whole[0], (4, 101)),
        ):
            assert (presum(values, 9) == reference.presum(values, 9)).all()

    def test_samples_at_odd_addresses(self):
        buffer = np.zeros(8 * 33 + 1, np.uint8)
        values = buffer[1:].view(np.uint16).reshape(4, 33)
        values[...] = random_samples("uint16", (4, 33))
        assert (presum(values, 4) == reference.presum(values, 4)).all()


class TestSaturation:
    @pytest.mark.parametrize("bits", [1, 2, 8, 12, 14, 16, 32])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_counts_are_those_of_the_reference(self, dtype, bits):
        values = random_samples(dtype, (7, 333))
        values[:, ::5] = np.array(2**bits - bits).astype(dtype)
        wanted = reference.saturation(values, bits)
        for got, right in zip(count(values, 2**bits - bits), wanted, strict=True):
            assert (got == right).all()

    @pytest.mark.parametrize("samples", [1, 16383, 16384, 16385, 70000])
    def test_counts_beyond_the_counters_of_16_bits(self, samples):
        values = np.zeros((2, samples), np.uint16)
        values[1] = 65520
        low, high = count(values, 65520)
        assert low.tolist() == [samples, 0]
        assert high.tolist() == [0, samples]

    def test_both_at_once(self):
        values = random_samples("uint16", (9, 250))
        sums = np.empty((9, 31), np.float32)
        low, high = np.empty(9, np.uint32), np.empty(9, np.uint32)
        reduce_waveforms(values, sums, False, 65520, low, high)
        assert (sums == reference.presum(values, 31)).all()
        assert (low == reference.saturation(values, 16)[0]).all()
        assert (high == reference.saturation(values, 16)[1]).all()


class TestArguments:
    @pytest.mark.parametrize("shape", [(0, 10), (0, 0)])
    def test_nothing_to_do(self, shape):
        values = np.empty(shape, np.uint16)
        low, high = count(values, 5)
        assert len(low) == len(high) == 0
        assert presum(values, shape[1] // 2).shape == (0, shape[1] // 2)

    def test_rows_without_samples_have_no_saturated_ones(self):
        low, high = count(np.empty((3, 0), np.uint16), 5)
        assert low.tolist() == high.tolist() == [0, 0, 0]

    @pytest.mark.parametrize(
        "arguments",
        [
            {"sums": np.empty((3, 2), np.float32)},
            {"sums": np.empty((4, 11), np.float32)},
            {"sums": np.empty((4, 2), np.int16)},
            {"sums": np.empty((4, 2), np.uint32), "mean": True},
            {"high": 1, "n_low": np.empty(3, np.uint32), "n_high": np.empty(4, "u4")},
            {"high": 1, "n_low": np.empty(4, np.uint32), "n_high": np.empty(3, "u4")},
        ],
    )
    def test_arrays_that_do_not_fit_are_refused(self, arguments):
        with pytest.raises(ValueError, match=r"\d|cannot"):
            reduce_waveforms(np.zeros((4, 10), np.uint16), **arguments)

    def test_integers_for_sums_that_floats_would_round_are_refused(self):
        with pytest.raises(ValueError, match="no uint32"):
            presum(np.zeros((1, 257), np.uint16), 1, np.uint32)

    @pytest.mark.parametrize("dtype", ["int64", "float32", "bool"])
    def test_other_samples_are_refused(self, dtype):
        with pytest.raises((TypeError, ValueError)):
            presum(np.zeros((1, 8), dtype), 2, np.float64)

    def test_arrays_that_cannot_be_written_are_refused(self):
        sums = np.empty((1, 2), np.float32)
        sums.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            reduce_waveforms(np.zeros((1, 8), np.uint16), sums)
