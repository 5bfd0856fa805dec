"""LGDOs of every kind, to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lgdo
import numpy as np
from lh5 import compression

if TYPE_CHECKING:
    from collections.abc import Callable

DTYPES = (
    *("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"),
    *("f2", "f4", "f8", "c8", "c16", ">u2", ">i4", ">f8"),
)


def numbers(n: int, seed: int, dtype: str = "f8", width: int | None = None):
    """Return numbers that differ from each other."""
    rng = np.random.default_rng(seed)
    shape = n if width is None else (n, width)
    return rng.integers(0, 120, shape).astype(dtype)


def array(dtype: str) -> Callable:
    return lambda n, seed: lgdo.Array(
        numbers(n, seed, dtype), attrs={"units": "µs", "description": "naïve"}
    )


def aoesa(n: int, seed: int) -> lgdo.LGDO:
    return lgdo.ArrayOfEqualSizedArrays(
        nda=numbers(n, seed, "i4", 7), dims=(1, 1), attrs={"length": np.int64(7)}
    )


def aoesa_3d(n: int, seed: int) -> lgdo.LGDO:
    values = numbers(n, seed, "f4", 30).reshape(n, 5, 6)
    return lgdo.ArrayOfEqualSizedArrays(nda=values, dims=(1, 2))


def vectors(dtype: str = "u2", lengths: str = "i8") -> Callable:
    """Return a maker of vectors: every third is empty."""

    def make(n: int, seed: int) -> lgdo.VectorOfVectors:
        counts = np.random.default_rng(seed).integers(0, 9, n)
        counts[::3] = 0
        ends = np.cumsum(counts)
        return lgdo.VectorOfVectors(
            flattened_data=lgdo.Array(numbers(int(ends[-1]), seed, dtype)),
            cumulative_length=lgdo.Array(ends.astype(lengths)),
            attrs={"units": "ns"},
        )

    return make


def empty_vectors(n: int, seed: int) -> lgdo.LGDO:
    return lgdo.VectorOfVectors(
        flattened_data=lgdo.Array(np.zeros(0, "f4")),
        cumulative_length=lgdo.Array(np.zeros(n, "i8")),
    )


def vectors_of_vectors(n: int, seed: int) -> lgdo.LGDO:
    return lgdo.VectorOfVectors([[[1, 2], [seed]], [[3]], [[], [4, 5, n]]])


def waveforms(n: int, seed: int, **of_values) -> lgdo.WaveformTable:
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.integers(-5, 6, (n, 50)), axis=1) + 15_000
    return lgdo.WaveformTable(
        values=lgdo.ArrayOfEqualSizedArrays(
            nda=values.astype("u2"), dims=(1, 1), attrs={"units": "ADC"} | of_values
        ),
        t0=numbers(n, seed, "f4"),
        t0_units="ns",
        dt=np.full(n, 16, "f4"),
        dt_units="ns",
        attrs={"description": "trace"},
    )


def coded(codec: compression.WaveformCodec) -> Callable:
    return lambda n, seed: waveforms(n, seed, compression=codec)


def encoded(codec: compression.WaveformCodec) -> Callable:
    return lambda n, seed: compression.encode(waveforms(n, seed).values, codec)


def encoded_vectors(n: int, seed: int) -> lgdo.LGDO:
    """Return what lh5 should make of vectors: it cannot encode them itself."""
    return lgdo.VectorOfEncodedVectors(
        encoded_data=vectors("u1", "u4")(n, seed),
        decoded_size=lgdo.Array(np.arange(n, dtype="u4")),
        attrs={"codec": "uleb128_zigzag_diff", "units": "ADC"},
    )


def table(n: int, seed: int) -> lgdo.Table:
    """Return a table with columns of all sorts, and a table in it."""
    inner = lgdo.Table(size=n, attrs={"description": "inside"})
    inner.add_field("x", array("f4")(n, seed))
    inner.add_field("v", vectors("i4")(n, seed + 1))
    outer = lgdo.Table(size=n)
    outer.add_field("zeta", array("u2")(n, seed + 2))
    outer.add_field("flag", lgdo.Array(numbers(n, seed) > 60))
    outer.add_field("wf", waveforms(n, seed))
    outer.add_field("inner", inner)
    outer.add_field("fixed", aoesa(n, seed))
    outer.add_field("word", words(n, seed))
    return outer


def words(n: int, seed: int) -> lgdo.Array:
    return lgdo.Array(numbers(n, seed, "u1").astype("S3"))


def struct(n: int, seed: int) -> lgdo.Struct:
    return lgdo.Struct(
        {
            "number": lgdo.Scalar(seed),
            "text": lgdo.Scalar("µ-metal, größer"),
            "table": table(n, seed),
            "deep": lgdo.Struct({"flag": lgdo.Scalar(seed % 2 == 0)}),
            "none": lgdo.Struct(),
        },
        attrs={"comment": "Größe"},
    )


def histogram(n: int, seed: int) -> lgdo.Histogram:
    return lgdo.Histogram(numbers(n, seed), [np.arange(n + 1.0)])


def noncontiguous(n: int, seed: int) -> lgdo.Table:
    made = lgdo.Table(size=n)
    every_other = numbers(2 * n, seed, "i4", 20)[::2, ::3]
    made.add_field("a", lgdo.ArrayOfEqualSizedArrays(nda=every_other, dims=(1, 1)))
    made.add_field("b", lgdo.Array(numbers(3 * n, seed, "f8")[::-3]))
    made.add_field("c", lgdo.Array(np.asfortranarray(numbers(n, seed, "i2", 3))))
    return made


RADWARE = compression.RadwareSigcompress(codec_shift=-32768)
ULEB128 = compression.ULEB128ZigZagDiff()

ARRAYS: dict[str, Callable] = {
    **{f"array {dtype}": array(dtype) for dtype in DTYPES},
    "bool": lambda n, seed: lgdo.Array(numbers(n, seed) > 60),
    "bytes": words,
    "fixed": lambda n, seed: lgdo.FixedSizeArray(numbers(n, seed, "f4")),
    "array 2-d": lambda n, seed: lgdo.Array(numbers(n, seed, "u4", 3)),
    "bool 2-d": lambda n, seed: lgdo.ArrayOfEqualSizedArrays(
        nda=numbers(n, seed, width=4) > 60, dims=(1, 1)
    ),
    "aoesa": aoesa,
    "aoesa 3-d": aoesa_3d,
    "no columns in rows": lambda n, seed: lgdo.ArrayOfEqualSizedArrays(
        nda=np.zeros((n, 0), "u2"), dims=(1, 1)
    ),
}
VECTORS: dict[str, Callable] = {
    **{f"vectors {dtype}": vectors(dtype) for dtype in ("u1", "i4", "f8", "?", "S3")},
    "vectors, short lengths": vectors("f4", "u4"),
    "vectors, all empty": empty_vectors,
    "vectors of vectors": vectors_of_vectors,
}
TABLES: dict[str, Callable] = {
    "waveforms": waveforms,
    "table": table,
    "table without columns": lambda n, seed: lgdo.Table(size=n),
    "not contiguous": noncontiguous,
    "struct": struct,
    "struct, empty": lambda n, seed: lgdo.Struct(),
    "encoded uleb128": encoded(ULEB128),
    "encoded radware": encoded(RADWARE),
    "encoded vectors": encoded_vectors,
    "waveforms with uleb128": coded(ULEB128),
}
SCALARS = {
    **{f"scalar {value!r}": value for value in (7, -(2**40), 2.5, True, False, 1 + 2j)},
    **{f"scalar {t}": np.dtype(t).type(3) for t in ("u1", "i2", "f4", "u8", "?")},
    "scalar text": "µ-metal, größer 漢字",
    "scalar empty text": "",
    "scalar long text": "x" * 100_000,
    "scalar nan": float("nan"),
}
