"""Round trips of the deflate for waveforms: compressed here, inflated by zlib.

python tests/fuzz/round_trips.py --count 100000
python tests/fuzz/round_trips.py --minutes 60 --seed 7
python tests/fuzz/round_trips.py --seed 7 --only 1234

A chunk is made from seed and number alone: traces, or planes and bytes put together
from pieces of other kinds. Both builds, with vector instructions and without, must give
the same stream, zlib must give the chunk back, and nothing may follow the stream.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
import zlib
from typing import TYPE_CHECKING

import numpy as np
from daq2lh5._core.codecs.deflate import WaveformDeflater, has_vector_instructions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LONGEST = 1 << 22
"""Bytes of a chunk at most."""


def problem_of(
    data: bytes, itemsize: int, deflaters: Sequence[WaveformDeflater]
) -> str | None:
    """Say what is wrong with the stream of a chunk, if anything."""
    streams = [deflater.compress(data, itemsize) for deflater in deflaters]
    if any(stream != streams[0] for stream in streams):
        return "the builds give different streams"
    planes = np.frombuffer(data, np.uint8).reshape(-1, itemsize).T.tobytes()
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(streams[0])
    except zlib.error as e:
        return f"zlib: {e}"
    if found != planes:
        return "zlib gives other bytes back"
    if not reader.eof:
        return "the stream has no end"
    if reader.unused_data:
        return f"{len(reader.unused_data)} bytes follow the stream"
    if len(streams[0]) > len(data) + len(data) // 32 + 2048:
        return f"{len(streams[0])} bytes for {len(data)}"
    return None


# ---- pieces of planes ---------------------------------------------------------------


def constant(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.full(n, rng.integers(256), np.uint8)


def spikes(rng: np.random.Generator, n: int) -> np.ndarray:
    values = constant(rng, n)
    values[rng.integers(0, n, 1 + n // int(rng.integers(2, 500)))] = rng.integers(256)
    return values


def noise(rng: np.random.Generator, n: int) -> np.ndarray:
    width = float(np.exp(rng.uniform(-2, 5)))
    values = rng.normal(rng.integers(256), width, n).round().astype(np.int64)
    return (values & 255).astype(np.uint8)


def uniform(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, 256, n, np.uint8)


def few_values(rng: np.random.Generator, n: int) -> np.ndarray:
    values = rng.integers(0, 256, int(rng.integers(2, 40)), np.uint8)
    return rng.choice(values, n)


def long_codes(rng: np.random.Generator, n: int) -> np.ndarray:
    """Bytes with frequencies for which Huffman codes are as long as can be."""
    share = rng.uniform(1.2, 3) ** -np.arange(int(rng.integers(10, 200)), dtype=float)
    values = rng.permutation(256)[: len(share)].astype(np.uint8)
    return rng.choice(values, n, p=share / share.sum())


def ramp(rng: np.random.Generator, n: int) -> np.ndarray:
    steps = np.arange(n) * int(rng.integers(1, 512)) // int(rng.integers(1, 512))
    return (steps & 255).astype(np.uint8)


def runs(rng: np.random.Generator, n: int) -> np.ndarray:
    lengths = rng.integers(1, int(rng.choice([4, 12, 270, 600])), n)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), n)) + 1]
    return np.repeat(rng.integers(0, 256, len(lengths), np.uint8), lengths)[:n]


PIECES: tuple[Callable[[np.random.Generator, int], np.ndarray], ...] = (
    *(constant, spikes, noise, noise, uniform, few_values, long_codes, ramp, runs),
)


def plane(rng: np.random.Generator, n: int) -> np.ndarray:
    """Make `n` bytes of one to many pieces."""
    out = np.empty(n, np.uint8)
    at, mean = 0, n / int(rng.choice([1, 2, 5, 30]))
    while at < n:
        length = min(n - at, 1 + int(rng.exponential(mean)))
        out[at : at + length] = PIECES[rng.integers(len(PIECES))](rng, length)
        at += length
    return out


# ---- chunks -------------------------------------------------------------------------


def traces(rng: np.random.Generator, n: int, itemsize: int) -> bytes:
    """Make traces: a baseline each, noise, and pulses with a tail, some too large."""
    samples = min(n, int(rng.integers(1, 10_000)))
    rows = -(-n // samples)
    top = 1 << min(8 * itemsize, int(rng.choice([8, 12, 14, 16])))
    values = rng.normal(0, np.exp(rng.uniform(-1, 4)), (rows, samples))
    values += rng.uniform(0, top, (rows, 1) if rng.random() < 0.5 else (1, 1))
    start = int(rng.integers(0, samples))
    height = rng.exponential(top / 4, (rows, 1)) * (rng.random((rows, 1)) < 0.7)
    tail = np.exp(-np.arange(samples - start) / rng.uniform(1, 5000))
    values[:, start:] += height * tail
    values = values.clip(0, top - 1).astype(np.uint64)
    if rng.random() < 0.2:
        values[:, int(rng.integers(0, samples)) :] = 0
    return values.reshape(-1)[:n].astype(f"<u{itemsize}").tobytes()


def chunk_of(seed: int, number: int) -> tuple[bytes, int]:
    """Make the chunk of a number; return it and the bytes of an element."""
    rng = np.random.default_rng([seed, number])
    itemsize = int(rng.choice([1, 2, 2, 2, 4, 8]))
    longest = LONGEST if rng.random() < 0.01 else 1 << 17
    n = int(np.exp(rng.uniform(0, np.log(longest / itemsize))))
    n = 0 if rng.random() < 0.01 else n
    kind = rng.integers(3) if n else 1
    if kind == 0:
        return traces(rng, n, itemsize), itemsize
    if kind == 1:
        return plane(rng, n * itemsize).tobytes(), itemsize
    planes = np.stack([plane(rng, n) for _ in range(itemsize)])
    return planes.T.tobytes(), itemsize


def numbers(options: argparse.Namespace) -> Iterator[int]:
    """Go through the numbers that are asked for."""
    if options.only is not None:
        yield options.only
        return
    end = time.monotonic() + 60 * (options.minutes or 0)
    for number in itertools.count(options.first):
        if (
            number >= options.first + options.count
            if options.minutes is None
            else time.monotonic() >= end
        ):
            return
        yield number


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="tests/fuzz/round_trips.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seed", type=int, default=1)
    add("--count", type=int, default=1000, help="number of chunks (default 1000)")
    add("--first", type=int, default=0, help="number of the first chunk")
    add("--minutes", type=float, help="stop after this time, in place of --count")
    add("--only", type=int, metavar="NUMBER", help="this chunk alone")
    options = parser.parse_args(arguments)
    deflaters = [WaveformDeflater(), WaveformDeflater(baseline=True)]
    if not has_vector_instructions():
        print("this processor lacks AVX2: only the build without it is tested")
    done = failed = size = 0
    for number in numbers(options):
        data, itemsize = chunk_of(options.seed, number)
        problem = problem_of(data, itemsize, deflaters)
        done += 1
        size += len(data)
        if problem is not None:
            failed += 1
            print(f"--seed {options.seed} --only {number}: {problem}", flush=True)
    print(f"{done} chunks, {size} bytes, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
