"""The waveform codecs of this package and of lh5, in one process and on one core.

The runner starts this script with a file of any format that has waveforms; it is of use
alone, too. The last line of standard output is JSON: for each codec and type of samples
the bytes of the waveforms and the seconds that every round took: of ours, as the
writer calls it, of lh5, and of ours in two threads on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lgdo
import numpy as np
from lh5 import compression

from daq2lh5 import open_stream
from daq2lh5.writing.codecs import Codec, codec_of

PIECE_BYTES = 2**20
"""What the writer has a thread encode at a time."""


def waveforms_of(path: str, megabytes: int) -> np.ndarray:
    """Return waveforms of the largest table of a file, over and over if need be."""
    found: dict[str, list[np.ndarray]] = {}
    with open_stream(path, buffer_size=8192) as (streamer, _header):
        for chunk in streamer:
            for rb in chunk:
                if rb.loc and "waveform" in getattr(rb.lgdo, "keys", dict)():
                    values = rb.lgdo["waveform"].values.nda[: rb.loc].copy()
                    found.setdefault(rb.out_name, []).append(values)
            if sum(v.nbytes for vs in found.values() for v in vs) > megabytes * 10**6:
                break
    tables = [np.concatenate(values) for values in found.values()]
    values = max(tables, key=lambda table: table.nbytes)
    rows = max(1, megabytes * 10**6 // values[0].nbytes)
    return np.tile(values, (-(-rows // len(values)), 1))[:rows]


def presummed(values: np.ndarray) -> np.ndarray:
    """Return sums of eight samples each."""
    whole = values[:, : values.shape[1] // 8 * 8]
    return whole.reshape(len(whole), -1, 8).sum(axis=2, dtype=np.uint32)


def pieces_of(values: np.ndarray) -> list[np.ndarray]:
    """Cut waveforms as the writer does."""
    rows = max(1, PIECE_BYTES // values[0].nbytes)
    return [values[i : i + rows] for i in range(0, len(values), rows)]


def encode(codec: Codec, pieces: list[np.ndarray]) -> int:
    """Encode pieces one after the other, in the same memory; return the bytes."""
    memory = np.empty(5 * PIECE_BYTES, np.uint8)
    return sum(
        len(codec.encode(piece, room=lambda n: memory[:n]).data) for piece in pieces
    )


def measure(codec: Any, values: np.ndarray, rounds: int) -> dict[str, Any]:
    """Encode waveforms by turns."""
    ours = codec_of(codec)
    pieces = pieces_of(values)
    array = lgdo.ArrayOfEqualSizedArrays(nda=values)
    few = lgdo.ArrayOfEqualSizedArrays(nda=values[:2])
    # compiles what it needs
    compression.encode(few, codec=codec)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    seconds: dict[str, list[float]] = {"ours": [], "lh5": [], "two threads": []}
    for _ in range(rounds):
        if cores:
            os.sched_setaffinity(0, {max(cores)})
        begin = time.perf_counter()
        size = encode(ours, pieces)
        between = time.perf_counter()
        theirs = compression.encode(array, codec=codec)
        end = time.perf_counter()
        if size != len(theirs.encoded_data.flattened_data.nda):
            msg = f"{codec}: {size} bytes, of lh5 {len(theirs.encoded_data)}"
            raise AssertionError(msg)
        seconds["ours"].append(between - begin)
        seconds["lh5"].append(end - between)
        del theirs
        if cores:
            os.sched_setaffinity(0, cores)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(encode, [ours] * 2, [pieces[:1]] * 2))
            begin = time.perf_counter()
            list(pool.map(encode, [ours] * 2, [pieces[::2], pieces[1::2]]))
            seconds["two threads"].append(time.perf_counter() - begin)
    return {"bytes": values.nbytes, "encoded": size, "seconds": seconds}


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--megabytes", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    values = waveforms_of(args.path, args.megabytes)
    radware = compression.RadwareSigcompress(codec_shift=-32768)
    uleb128 = compression.ULEB128ZigZagDiff()
    results = {}
    for name, codec, made in (
        ("radware uint16", radware, values),
        ("uleb128 uint16", uleb128, values),
        ("uleb128 uint32", uleb128, presummed(values)),
    ):
        results[name] = found = measure(codec, made, args.rounds)
        ours, theirs, two = (sorted(s) for s in found["seconds"].values())
        middle = args.rounds // 2
        print(
            f"{name} {made.shape}: {made.nbytes / ours[middle] / 1e6:.0f} MB/s, "
            f"{theirs[middle] / ours[middle]:.1f} times lh5, in two threads "
            f"{theirs[middle] / two[middle]:.1f} times; "
            f"{found['encoded'] / made.nbytes:.3f} of the size",
            file=sys.stderr,
        )
    print(f"\n{json.dumps(results)}", end="")


if __name__ == "__main__":
    main()
