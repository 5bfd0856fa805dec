"""Shuffle and deflate of waveforms: read back by zlib and by HDF5.

The expected bytes are numpy's: the chunk with the axes of elements and bytes swapped.
Everything is compressed by both builds, with vector instructions and without.
"""

from __future__ import annotations

import threading
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from daq2lh5._core.codecs.deflate import WaveformDeflater, has_vector_instructions
from hypothesis import given, settings
from hypothesis import strategies as st

UNIT = 2048  # bytes of a plane that the encoder looks at together
SIZES = [1, 2, 4, 8]

deflater = WaveformDeflater()
without_vectors = WaveformDeflater(baseline=True)


def shuffle(chunk: bytes, itemsize: int) -> bytes:
    return np.frombuffer(chunk, np.uint8).reshape(-1, itemsize).T.tobytes()


def check(chunk: bytes | np.ndarray, itemsize: int = 1) -> int:
    """Compress, read back, return the length."""
    if isinstance(chunk, np.ndarray):
        itemsize = chunk.itemsize
        chunk = chunk.tobytes()
    packed = deflater.compress(chunk, itemsize)
    assert without_vectors.compress(chunk, itemsize) == packed
    reader = zlib.decompressobj()
    assert reader.decompress(packed) == shuffle(chunk, itemsize)
    assert reader.eof
    assert reader.unused_data == b""
    return len(packed)


def noise(n: int, width: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(128, width, n).round().astype(np.int64) & 255).astype(np.uint8)


@pytest.mark.parametrize("itemsize", SIZES)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 31, 32, 33, 2047, 2048, 2049, 70001])
def test_lengths(n, itemsize):
    rng = np.random.default_rng(n)
    check(rng.bytes(n * itemsize), itemsize)
    check(bytes(n * itemsize), itemsize)
    check((b"\x01\x02\x03\x04\x05\x06\x07\x08" * n)[: n * itemsize], itemsize)
    check(noise(n * itemsize, 3), itemsize=1)


@given(st.binary(max_size=300), st.sampled_from(SIZES))
def test_any_bytes(data, itemsize):
    check(data[: len(data) // itemsize * itemsize], itemsize)


PARTS = st.one_of(
    # runs, noise, few symbols in turn, bytes as they are
    st.tuples(st.just("run"), st.integers(0, 255), st.integers(1, 3000)),
    st.tuples(st.just("noise"), st.integers(0, 200), st.integers(1, 6000)),
    st.tuples(st.just("two"), st.integers(0, 255), st.integers(1, 6000)),
    st.tuples(st.just("ramp"), st.integers(1, 255), st.integers(1, 3000)),
)


def part(kind: str, value: int, n: int) -> bytes:
    if kind == "run":
        return bytes([value]) * n
    if kind == "noise":
        return noise(n, value / 4, seed=n).tobytes()
    if kind == "two":
        choice = np.random.default_rng(n).integers(0, 2, n)
        return np.where(choice, value, 7).astype(np.uint8).tobytes()
    return (np.arange(n) * value // 16).astype(np.uint8).tobytes()


@settings(deadline=None)
@given(st.lists(PARTS, max_size=12), st.sampled_from(SIZES))
def test_any_parts(parts, itemsize):
    data = b"".join(part(*p) for p in parts)
    data = data[: len(data) // itemsize * itemsize]
    check(data, itemsize)
    # the parts as planes
    check(np.frombuffer(data, np.uint8).reshape(itemsize, -1).T.tobytes(), itemsize)


@pytest.mark.parametrize("runs", [range(1, 12), range(250, 270), range(510, 525)])
def test_runs_of_every_length(runs):
    for n in runs:
        check(b"".join(bytes([i & 255]) * n for i in range(20000 // n)))
    check(b"".join(bytes([n & 255]) * n for n in runs) * 50)
    for n in runs:
        check(bytes([3]) * n)
        check(bytes([3]) * n + b"\x04")
        check(b"\x04" + bytes([3]) * n)


def test_runs_with_all_lengths_and_bytes():
    # each symbol of the alphabet in a block, and more than a block of tokens
    rng = np.random.default_rng(2)
    lengths = rng.integers(5, 300, 40000)
    check(np.repeat(rng.integers(0, 256, len(lengths)).astype(np.uint8), lengths))


@pytest.mark.parametrize("itemsize", SIZES)
def test_constant_is_small(itemsize):
    assert check(b"\x55" * (1 << 20), itemsize) < 2000


@pytest.mark.parametrize("at", [0, 1, 2047, 2048, 5000, 65534, 65535])
def test_all_equal_but_one(at):
    data = bytearray(65536)
    data[at] = 1
    assert check(bytes(data)) < 400
    check(bytes(data), 2)


@pytest.mark.parametrize("n", [1000, 65535, 65536, 200001, 3 << 20])
def test_incompressible_is_stored(n):
    data = np.random.default_rng(3).bytes(n)
    assert check(data) <= n + n // 256 + 64


def test_sample_misses_everything():
    # runs where the encoder looks for them, noise elsewhere
    data = np.random.default_rng(4).integers(0, 256, 1 << 18).astype(np.uint8)
    for stride, kept in ((32, 8), (128, 33)):
        misleading = data.reshape(-1, stride).copy()
        misleading[:, :kept] = 9
        assert check(misleading.reshape(-1)) <= data.size * 1.02


def test_a_wide_spread_of_few_values_is_not_noise():
    # the variance is that of 256 values, the entropy that of four
    data = np.random.default_rng(4).choice([0, 60, 125, 190], 1 << 16).astype(np.uint8)
    assert check(data) < 0.29 * data.size  # and the end of a block needs a code


@pytest.mark.parametrize("centre", [128, 0, 250])
def test_baseline_and_tail_get_a_code_each(centre):
    # halves of a trace, one with little noise, one where every byte is as likely
    rng = np.random.default_rng(9)
    traces = rng.integers(0, 256, (300, 1836)).astype(np.uint8)
    traces[:, :900] = noise(300 * 900, 4).reshape(300, 900) + np.uint8(
        (centre - 128) % 256
    )
    ideal = 300 * (900 * 4.05 + 936 * 8) / 8
    packed = check(traces)
    assert packed < 1.12 * ideal
    assert packed < 0.97 * len(zlib.compress(traces.tobytes(), 4))


@pytest.mark.parametrize("symbols", [2, 3, 5, 17, 255, 256])
@pytest.mark.parametrize("n", [100, UNIT, 100000])
def test_few_symbols(symbols, n):
    rng = np.random.default_rng(symbols)
    check(rng.integers(0, symbols, n).astype(np.uint8))
    check((255 - rng.integers(0, symbols, n)).astype(np.uint8))


@pytest.mark.parametrize("growth", [1.2, 1.618, 2, 3])
@pytest.mark.parametrize("shuffled", [True, False])
def test_histograms_that_want_long_codes(growth, shuffled):
    # the optimal code of such counts is as long as there are symbols
    counts = np.minimum(growth ** np.arange(40), 300000).astype(np.int64)
    data = np.repeat(np.arange(40, dtype=np.uint8), counts)
    if shuffled:
        np.random.default_rng(5).shuffle(data)
    check(data)
    # the same for the lengths of runs
    lengths = np.repeat(np.arange(4, 44), np.minimum(counts, 3000))
    if shuffled:
        np.random.default_rng(6).shuffle(lengths)
    check(np.repeat(np.arange(len(lengths)).astype(np.uint8), lengths))


def test_one_in_many():
    # every byte value once, all others equal: the rarest of codes
    data = np.full(1 << 19, 100, np.uint8)
    data[:: (1 << 19) // 256] = np.arange(256)
    check(data)
    data[::2] = 101
    data[:: (1 << 19) // 256] = np.arange(256)
    check(data)


def test_each_trace_gets_a_code():
    # traces with baselines of their own take little more than each alone
    traces = [noise(8192, 3, seed=i) + np.uint8(37 * i % 256) for i in range(40)]
    together = check(np.concatenate(traces))
    assert together < 1.05 * sum(len(zlib.compress(t, 4)) for t in traces)


def test_waveforms_are_as_small_as_by_zlib():
    rng = np.random.default_rng(7)
    baselines = rng.integers(2000, 14000, 100)[:, None]
    waveforms = (baselines + rng.normal(0, 4, (100, 5000))).astype(np.uint16)
    packed = check(waveforms)
    assert packed < len(zlib.compress(shuffle(waveforms.tobytes(), 2), 4))


def test_vector_instructions_are_those_of_the_processor():
    """Where there are none, the tests here are of one build only."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        pytest.skip("the system does not tell what the processor has")
    flags = set(cpuinfo.read_text().split())
    assert has_vector_instructions() == (flags >= {"avx2", "bmi2"})


def test_hdf5_reads_it(tmp_path):
    rng = np.random.default_rng(8)
    values = (8000 + rng.normal(0, 9, (64, 3000))).astype(np.uint16)
    with h5py.File(tmp_path / "x.h5", "w") as f:
        dataset = f.create_dataset(
            "values",
            values.shape,
            "<u2",
            chunks=(16, 3000),
            shuffle=True,
            compression="gzip",
        )
        for row in range(0, 64, 16):
            chunk = deflater.compress(values[row : row + 16], 2)
            dataset.id.write_direct_chunk((row, 0), chunk)
    with h5py.File(tmp_path / "x.h5") as f:
        np.testing.assert_array_equal(f["values"][()], values)


def test_threads_with_a_compressor_each():
    chunks = [noise(1 << 20, 2 + i, seed=i).view(np.uint16) for i in range(4)]
    packed = {}

    def work(i: int) -> None:
        mine = WaveformDeflater()
        packed[i] = {mine.compress(chunks[i], 2) for _ in range(20)}

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, chunk in enumerate(chunks):
        (stream,) = packed[i]
        assert zlib.decompress(stream) == shuffle(chunk.tobytes(), 2)


@pytest.mark.parametrize("itemsize", [-1, 0, 3, 5, 16])
def test_itemsize_must_be_known(itemsize):
    with pytest.raises(ValueError, match="itemsize must be"):
        WaveformDeflater().compress(b"", itemsize)


@pytest.mark.parametrize("itemsize", [2, 4, 8])
def test_length_must_be_a_multiple(itemsize):
    with pytest.raises(ValueError, match="not a multiple"):
        deflater.compress(bytes(itemsize + 1), itemsize)
    check(bytes(itemsize), itemsize)


def test_source_must_be_a_contiguous_buffer():
    with pytest.raises((ValueError, BufferError), match="contiguous"):
        deflater.compress(np.zeros((8, 8), np.uint16)[:, ::2], 2)
    with pytest.raises(TypeError):
        deflater.compress("text", 1)
    check(b"\x00\x01", 2)
