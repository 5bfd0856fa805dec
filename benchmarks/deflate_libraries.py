"""The deflate for waveforms beside ISA-L, libdeflate, zlib-ng and zlib.

    python benchmarks/deflate_libraries.py FILE...        [--megabytes N] [--rounds N]

Waveforms of files of any format, cut in chunks as the writer does, are shuffled and
compressed by each library in turn, in one process and one thread; the shuffle is the
same for all, but for ours, which does both at once. Times are of the processor. What a
library made is inflated by zlib once, and must be the same. Packages: isal, deflate
(libdeflate), zlib-ng; those that are missing are listed and left out.

The last line of standard output is JSON, with all samples.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import zlib
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from daq2lh5._core.codecs.chunks import pack_chunk
from daq2lh5._core.codecs.deflate import WaveformDeflater, has_vector_instructions
from waveform_codecs import pieces_of, waveforms_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Compressor = Callable[[np.ndarray], bytes]

MB = 1_000_000

LIBRARIES = (
    ("ISA-L 1", "isal.isal_zlib", "compress", 1),
    ("ISA-L 3", "isal.isal_zlib", "compress", 3),
    ("libdeflate 1", "deflate", "zlib_compress", 1),
    ("zlib-ng 1", "zlib_ng.zlib_ng", "compress", 1),
    ("zlib 1", "zlib", "compress", 1),
    ("zlib 4", "zlib", "compress", 4),
)
"""Name, module, function and level."""


def shuffled(piece: np.ndarray) -> np.ndarray:
    """Return the bytes of waveforms as HDF5's shuffle filter has them."""
    out = np.empty(piece.nbytes, np.uint8)
    pack_chunk(out, [piece], piece.itemsize, True)
    return out


def compressors() -> tuple[dict[str, Compressor], list[str]]:
    """Return what there is, and the modules that there are not."""

    def ours(baseline: bool) -> Compressor:
        deflater = WaveformDeflater(baseline)
        return lambda piece: deflater.compress(piece, piece.itemsize)

    def other(function: Callable[..., bytes], level: int) -> Compressor:
        return lambda piece: function(shuffled(piece), level)

    found = {"ours": ours(baseline=False)}
    if has_vector_instructions():
        found["ours, no AVX2"] = ours(baseline=True)
    missing = []
    for name, module, function, level in LIBRARIES:
        try:
            there = importlib.import_module(module)
        except ImportError:
            missing.append(module)
            continue
        found[name] = other(getattr(there, function), level)
    return found, list(dict.fromkeys(missing))


def measure(values: np.ndarray, rounds: int) -> dict[str, dict[str, Any]]:
    """Compress waveforms by turns; return the part that is left, and the seconds."""
    pieces = pieces_of(values)
    found, _ = compressors()
    results: dict[str, dict[str, Any]] = {}
    for name, compress in found.items():
        packed = [compress(piece) for piece in pieces]
        for piece, stream in zip(pieces, packed, strict=True):
            assert zlib.decompress(stream) == shuffled(piece).tobytes(), name
        part = sum(map(len, packed)) / values.nbytes
        results[name] = {"part": part, "seconds": []}
    for _ in range(rounds):
        for name, compress in found.items():
            begin = time.thread_time()
            for piece in pieces:
                compress(piece)
            results[name]["seconds"].append(time.thread_time() - begin)
    return results


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--megabytes", type=int, default=16, help="of each file (16)")
    parser.add_argument("--rounds", type=int, default=9, help="measurements (9)")
    args = parser.parse_args()
    for module in compressors()[1]:
        print(f"not installed: {module}", file=sys.stderr)
    everything = {}
    for file in args.files:
        values = waveforms_of(file, args.megabytes)
        everything[file] = results = measure(values, args.rounds)
        print(f"{Path(file).name}: {values.dtype} {values.shape}")
        print(f"{'':15}{'MB/s':>8}{'time / ours':>13}{'size / input':>14}")
        ours = results["ours"]["seconds"]
        for name, result in results.items():
            rate = values.nbytes / MB / median(result["seconds"])
            times = zip(result["seconds"], ours, strict=True)
            ratio = median(a / b for a, b in times)
            print(f"{name:15}{rate:8.0f}{ratio:13.2f}{result['part']:14.3f}")
    print(json.dumps(everything))


if __name__ == "__main__":
    main()
