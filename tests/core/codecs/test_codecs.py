"""Waveform codecs: the bytes that the specification asks for, and lh5 makes and reads.

Expected bytes are those of a slow encoder (:mod:`kit.reference.codecs`). lh5's own is
asked where it is safe: its radware encoder writes past its memory for noise.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.places import TESTDATA
from kit.reference import codecs as reference
from lh5 import compression
from lh5.compression import radware as lh5_radware
from lh5.compression import varlen
from lh5.compression.utils import str2wfcodec

import daq2lh5
from daq2lh5._core.codecs import radware, uleb128
from daq2lh5.writing.codecs import Codec, codec_of

REAL = {
    "fcio": ("fcio/L200-comm-20211130-phy-spms.fcio", "FCEvent", 300),
    "orca": ("orca/L200-comm-20220519-phy-geds.orca", "ORFlashCamADCWaveform", 60),
}

RADWARE = Codec("radware_sigcompress")
SHIFTED = Codec("radware_sigcompress", -32768)
ULEB128 = Codec("uleb128_zigzag_diff")
CODECS = [RADWARE, SHIFTED, ULEB128]
DTYPES = ["u2", "i2", "u4", "i4", "u8", "i8"]


def rows_of(encoded) -> list[bytes]:
    """Return the bytes of each row."""
    ends = [0, *encoded.ends.tolist()]
    assert ends[-1] == len(encoded.data)
    return [encoded.data[a:b].tobytes() for a, b in itertools.pairwise(ends)]


def expected(codec: Codec, row) -> bytes:
    samples = [int(s) for s in row]
    if codec.name == "radware_sigcompress":
        return reference.radware(samples, int(codec.shift))
    return reference.uleb128(samples)


def check(codec: Codec, waveforms: np.ndarray) -> None:
    """Compare with the reference, and keep within the bounds of section 3."""
    got = rows_of(codec.encode(waveforms))
    assert got == [expected(codec, row) for row in waveforms]
    n = waveforms.shape[1]
    bound = 2 * (2 + n + 4 * -(-n // 48)) if codec != ULEB128 else 5 * n
    assert all(len(row) <= bound for row in got)


def decoded(codec: Codec, encoded, n_samples: int) -> np.ndarray:
    """Decode with lh5's decoders."""
    rows = rows_of(encoded)
    padded = np.zeros((len(rows), max(map(len, rows)) + 4), np.uint8)
    for to, row in zip(padded, rows, strict=True):
        to[: len(row)] = np.frombuffer(row, np.uint8)
    lengths = np.array([len(row) for row in rows], np.uint32)
    out = np.zeros((len(rows), n_samples), np.int32)
    if codec == ULEB128:
        _, sizes = varlen.decode((padded, lengths), out)
    else:
        shift = np.int32(codec.shift)
        _, sizes = lh5_radware.decode((padded, lengths), out, shift=shift)
    assert set(sizes.tolist()) <= {n_samples}
    return out


SEGMENT = st.tuples(
    st.sampled_from(["constant", "noise", "alternating", "ramp", "steps"]),
    st.integers(0, 140),
    st.integers(0, 2**16),
    st.sampled_from([0, 1, 3, 4, 100, 16000, 16001, 32767, 32768, 2**16, 2**31]),
    st.integers(0, 2**32 - 1),
)


def build(segments, dtype: str) -> np.ndarray:
    """Make a waveform of pieces of several kinds, cut off at the ends of the range."""
    parts = [np.empty(0, np.int64)]
    limits = np.iinfo(dtype)
    for kind, n, base, amplitude, seed in segments:
        rng = np.random.default_rng(seed)
        k = np.arange(n)
        shapes = {
            "constant": np.zeros(n, np.int64),
            "noise": rng.integers(-amplitude, amplitude + 1, n),
            "alternating": (k % 2) * amplitude,
            "ramp": k * amplitude // 40,
            "steps": (rng.random(n) < 0.02).cumsum() * amplitude,
        }
        parts.append(base - 32768 + shapes[kind])
    joined = np.concatenate(parts)
    low, high = max(limits.min, -(2**40)), min(limits.max, 2**40)
    return np.clip(joined, low, high).astype(dtype)


class TestBytes:
    @pytest.mark.parametrize(
        ("samples", "shift", "words"),
        [
            ([100, 101, 103, 102, 100, 100], 0, "0006 00060002 0064 1e00 0000"),
            ([10, 500, 990, 1480, 1970, 2463], 0, "0006 00060022 000a01ea 00c0"),
            ([40000, 40001, 40003, 40002], -32768, "0004 00040002 1c40 1e00 0000"),
            ([7], 0, "0001 00010022 00073e80 0000"),
            ([], 0, "0000 0000"),
        ],
    )
    def test_radware_as_in_the_specification(self, samples, shift, words):
        codec = Codec("radware_sigcompress", shift)
        got = codec.encode(np.array([samples], "u2"))
        assert got.data.tobytes() == bytes.fromhex(words)

    @pytest.mark.parametrize(
        ("samples", "wanted"),
        [
            ([100, 101, 99, 99, 70], "c8 01 02 03 00 39"),
            ([5, 300, 65535, 0], "0a ce04 a6fb07 fdff07"),
            ([], ""),
        ],
    )
    def test_uleb128_as_in_the_specification(self, samples, wanted):
        got = ULEB128.encode(np.array([samples], "u2"))
        assert got.data.tobytes() == bytes.fromhex(wanted)

    @settings(max_examples=120, deadline=None)
    @given(
        st.lists(SEGMENT, max_size=4),
        st.sampled_from(DTYPES),
        st.sampled_from([0, -32768, 1, 32767, -(2**31), 2**31 - 1]),
    )
    def test_radware_of_anything(self, segments, dtype, shift):
        check(Codec("radware_sigcompress", shift), build(segments, dtype)[None])

    @settings(max_examples=80, deadline=None)
    @given(st.lists(SEGMENT, max_size=4), st.sampled_from(DTYPES))
    def test_uleb128_of_anything(self, segments, dtype):
        check(ULEB128, build(segments, dtype)[None])

    @pytest.mark.parametrize("codec", CODECS)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_extremes(self, codec, dtype):
        """Full-range noise and swings, saturated and constant, about block lengths."""
        limits = np.iinfo(dtype)
        rng = np.random.default_rng(1)
        for n in (1, 2, 3, 4, 33, 47, 48, 49, 50, 63, 64, 65, 127, 128, 129, 130, 300):
            rows = np.empty((6, n), dtype)
            rows[0] = rng.integers(limits.min, limits.max, n, dtype, endpoint=True)
            rows[1] = np.where(np.arange(n) % 2, limits.min, limits.max)
            rows[2], rows[3] = limits.min, limits.max
            rows[4] = np.minimum(np.arange(n) * 2000, 2**15 - 1)
            rows[5] = rng.choice(np.array([0, 127, 128, 2**13, 2**14, 2**15 - 1]), n)
            check(codec, rows)

    @pytest.mark.parametrize("bits", range(17))
    def test_each_number_of_bits(self, bits):
        """Ranges just within and just beyond so many bits, of values and differences.

        Blocks end where a single sample exceeds the range.
        """
        rng = np.random.default_rng(bits)
        for width in {2**bits - 1, min(2**bits, 2**16 - 1)}:
            values = rng.integers(0, width + 1, (3, 200)) - 2**15
            values[1, 100] = 2**15 - 1
            check(RADWARE, values.astype("i2"))
            steps = rng.integers(0, width + 1, (2, 150)) - width // 2 + 300
            check(RADWARE, np.clip(steps.cumsum(1) - 2**15, -(2**15), 2**15 - 1))

    def test_the_longest(self):
        rng = np.random.default_rng(2)
        n = radware.MAX_SAMPLES
        noise = rng.integers(-(2**15), 2**15, n)
        walk = np.clip(rng.integers(-9, 10, n).cumsum(), -(2**15), 2**15 - 1)
        rows = np.array([noise, walk], "i2")
        check(RADWARE, rows)
        assert np.array_equal(decoded(RADWARE, RADWARE.encode(rows), n), rows)

    @pytest.mark.parametrize("codec", CODECS)
    def test_any_memory_layout(self, codec):
        """Windows, swapped bytes and small integers: the same bytes."""
        rng = np.random.default_rng(3)
        wide = rng.integers(0, 120, (9, 200)).astype("u2")
        plain = codec.encode(np.ascontiguousarray(wide[::2, 10:90]))
        others = (wide, wide.astype(">u2"), wide.astype("u1"), wide.astype("i1"))
        for other in (*others, np.asfortranarray(wide)):
            got = codec.encode(other[::2, 10:90])
            assert got.data.tobytes() == plain.data.tobytes()
            assert got.ends.tolist() == plain.ends.tolist()

    @pytest.mark.parametrize("codec", CODECS)
    def test_rows_of_several_lengths(self, codec):
        """One array with the samples of all rows: each row for itself."""
        flat = np.random.default_rng(4).integers(0, 900, 500).astype("u2")
        lengths = np.array([0, 70, 70, 71, 300, 490])
        got = rows_of(codec.encode(flat, lengths))
        starts = [0, *lengths[:-1]]
        wanted = [
            expected(codec, flat[a:b]) for a, b in zip(starts, lengths, strict=True)
        ]
        assert got == wanted

    @pytest.mark.parametrize("codec", CODECS)
    @pytest.mark.parametrize("shape", [(0, 10), (0, 0), (3, 0)])
    def test_nothing(self, codec, shape):
        got = codec.encode(np.zeros(shape, "u2"))
        assert rows_of(got) == [expected(codec, [])] * shape[0]
        assert got.altered == 0


class TestRoundTrips:
    """lh5 decodes it."""

    @pytest.mark.parametrize("codec", CODECS)
    @pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4"])
    def test_noise(self, codec, dtype):
        rng = np.random.default_rng(5)
        low = 0 if "u" in dtype else -(2**15)
        high = 2**16 - 1 if codec == SHIFTED and dtype != "i2" else 2**15 - 1
        if codec == SHIFTED:
            low = 0
        rows = rng.integers(low, high + 1, (20, 333))
        rows[10:] = np.clip(rows[10:] // 200 + 5000, low, high)
        rows = rows.astype(dtype)
        encoded = codec.encode(rows)
        assert encoded.altered == 0
        assert np.array_equal(decoded(codec, encoded, 333), rows.astype("i4"))

    @pytest.mark.parametrize(
        ("codec", "dtype", "fits", "does_not"),
        [
            (RADWARE, "u2", [0, 32767], [32768]),
            (RADWARE, "i2", [-32768, 32767], []),
            (SHIFTED, "u2", [0, 65535], []),
            (SHIFTED, "i2", [0, 32767], [-1]),
            (SHIFTED, "u4", [0, 65535], [65536, 2**31, 2**32 - 1]),
            (SHIFTED, "i4", [0, 65535], [-1, 65536, -(2**31)]),
            (SHIFTED, "i8", [0, 65535], [-1, 65536, 2**32, -(2**63)]),
            (RADWARE, "u8", [0, 32767], [2**64 - 1, 2**16]),
            (ULEB128, "u2", [0, 65535], []),
            (ULEB128, "u4", [0, 2**31 - 1], [2**31]),
            (ULEB128, "i4", [-(2**31), 2**31 - 1], []),
            (ULEB128, "i8", [-(2**31), 2**31 - 1], [2**31, 2**32, -(2**31) - 1]),
            (ULEB128, "u8", [0, 2**31 - 1], [2**31, 2**63]),
        ],
    )
    def test_rows_that_do_not_fit_are_counted(self, codec, dtype, fits, does_not):
        """Those that are not the same when decoded, and no others."""
        rows = np.zeros((len(fits) + len(does_not), 40), dtype)
        rows[:, 20] = np.array(fits + does_not, dtype)
        encoded = codec.encode(rows)
        assert encoded.altered == len(does_not)
        got = decoded(codec, encoded, 40)
        same = [g.tolist() == r.tolist() for g, r in zip(got, rows, strict=True)]
        assert same == [True] * len(fits) + [False] * len(does_not)


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> dict[str, np.ndarray]:
    """Waveforms of real files, by their names in `REAL`."""
    found = {}
    for name, (file, table, n) in REAL.items():
        if not (TESTDATA / file).exists():
            pytest.skip(f"no real files in {TESTDATA}: see DAQ2LH5_TESTDATA")
        out = tmp_path_factory.mktemp("codecs") / f"{name}.lh5"
        daq2lh5.build_raw(TESTDATA / file, out_spec=out)
        with h5py.File(out) as f:
            found[name] = f[f"{table}/waveform/values"][:n]
    return found


@pytest.mark.parametrize("name", REAL)
class TestRealWaveforms:
    def test_the_bytes_of_lh5(self, name, real):
        """But for the pad word of radware, which lh5 leaves as it is in memory."""
        samples = real[name]
        presummed = samples[:, : samples.shape[1] // 8 * 8]
        presummed = presummed.reshape(len(samples), -1, 8).sum(axis=2, dtype="u4")
        for codec, rows in (
            (SHIFTED, samples),
            (ULEB128, samples),
            (ULEB128, presummed),
        ):
            got = rows_of(codec.encode(rows))
            if codec == ULEB128:
                data, sizes = varlen.encode(rows)
            else:
                data, sizes = lh5_radware.encode(rows, shift=-32768)
            assert [len(row) for row in got] == sizes.tolist()
            for ours, theirs in zip(got, data, strict=True):
                wanted = theirs[: len(ours)].tobytes()
                if ours != wanted:
                    assert codec == SHIFTED
                    assert ours[:-2] == wanted[:-2]
                    assert ours[-2:] == b"\0\0"

    def test_round_trip(self, name, real):
        rows = real[name]
        for codec in (SHIFTED, ULEB128):
            encoded = codec.encode(rows)
            assert encoded.altered == 0
            assert np.array_equal(decoded(codec, encoded, rows.shape[1]), rows)

    def test_reference(self, name, real):
        for codec in (SHIFTED, ULEB128):
            check(codec, real[name][:3])


class TestThreads:
    @pytest.mark.parametrize("codec", CODECS)
    def test_several_at_once(self, codec):
        """What one thread encodes does not depend on the others."""
        rng = np.random.default_rng(6)
        blocks = [
            rng.integers(0, 2 ** (3 + i), (300, 500)).astype("u2") for i in range(6)
        ]
        wanted = [codec.encode(block).data.tobytes() for block in blocks]
        found: list[list[bytes]] = [[] for _ in blocks]

        def work(i: int) -> None:
            found[i] += [codec.encode(blocks[i]).data.tobytes() for _ in range(5)]

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(blocks))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[w] * 5 for w in wanted]

    def test_memory_of_the_caller(self):
        """It may be larger than needed; the result is a copy."""
        scratch = np.full(10_000, 7, np.uint8)
        rows = np.arange(60, dtype="u2").reshape(3, 20)
        got = SHIFTED.encode(rows, room=lambda n: scratch[: n + 100])
        wanted = got.data.copy()
        scratch[:] = 1
        assert np.array_equal(got.data, wanted)
        assert rows_of(got) == [expected(SHIFTED, row) for row in rows]


class TestRefused:
    @pytest.mark.parametrize("codec", CODECS)
    @pytest.mark.parametrize("dtype", ["f4", "f8", "?", "c8", "S2"])
    def test_types(self, codec, dtype):
        with pytest.raises(ValueError, match="encodes integers"):
            codec.encode(np.zeros((2, 5), dtype))

    @pytest.mark.parametrize("codec", CODECS)
    def test_shapes(self, codec):
        for shape in ((), (5,), (2, 3, 4)):
            with pytest.raises(ValueError, match="rows of samples"):
                codec.encode(np.zeros(shape, "u2"))
        with pytest.raises(ValueError, match="rows of samples"):
            codec.encode(np.zeros((2, 3), "u2"), np.array([3, 6]))

    def test_too_long(self):
        """lh5 encodes more, but cannot decode it."""
        n = radware.MAX_SAMPLES + 1
        with pytest.raises(ValueError, match=r"32768 samples are too long .* 32767"):
            RADWARE.encode(np.zeros((1, n), "u2"))
        with pytest.raises(ValueError, match="too many for the codec"):
            RADWARE.encode(np.zeros(n, "u2"), np.array([n]))
        assert len(ULEB128.encode(np.zeros((1, 70_000), "u2")).data) == 70_000

    @pytest.mark.parametrize("codec", CODECS)
    @pytest.mark.parametrize(
        "lengths", [[5, 3], [-1, 3], [11], [2**62], [-(2**62), 10], [3, -5, 9]]
    )
    def test_lengths_that_do_not_fit_the_samples(self, codec, lengths):
        with pytest.raises(ValueError, match="row"):
            codec.encode(np.zeros(10, "u2"), np.array(lengths))

    @pytest.mark.parametrize("size", [0, 15, 30])
    def test_too_little_room(self, size):
        rows = np.zeros((2, 5), "u2")
        for codec in (RADWARE, ULEB128):
            with pytest.raises(ValueError, match=f"at least .* bytes, got {size}"):
                codec.encode(rows, room=lambda _: np.empty(size, np.uint8))

    def test_ends_of_other_rows(self):
        bounds, out = np.arange(4, dtype="i8"), np.empty(99, "u1")
        for ends in (np.empty(2, "i8"), np.empty(4, "i8")):
            with pytest.raises(ValueError, match=f"3 elements, got {len(ends)}"):
                radware.encode(np.zeros(9, "u2"), bounds, 0, out, ends)
            with pytest.raises(ValueError, match=f"3 elements, got {len(ends)}"):
                uleb128.encode(np.zeros(9, "u2"), bounds, out, ends)

    def test_no_bounds_at_all(self):
        empty = np.empty(0, "i8")
        with pytest.raises(ValueError, match="not within"):
            radware.encode(np.zeros(9, "u2"), empty, 0, np.empty(99, "u1"), empty)


class TestSpecifications:
    @pytest.mark.parametrize(
        ("wanted", "codec"),
        [
            ("RadwareSigcompress(codec_shift=-32768)", SHIFTED),
            (" RadwareSigcompress( codec_shift = -32768.0 ) ", SHIFTED),
            ("RadwareSigcompress()", RADWARE),
            ("RadwareSigcompress", RADWARE),
            ("radware_sigcompress", RADWARE),
            ({"codec": "radware_sigcompress", "codec_shift": -32768}, SHIFTED),
            ({"codec": "RadwareSigcompress"}, RADWARE),
            ("ULEB128ZigZagDiff()", ULEB128),
            ("uleb128_zigzag_diff", ULEB128),
            ({"codec": "uleb128_zigzag_diff"}, ULEB128),
        ],
    )
    def test_codecs(self, wanted, codec):
        assert codec_of(wanted) == codec

    def test_those_of_lh5(self):
        for text in ("RadwareSigcompress(codec_shift=-7)", "ULEB128ZigZagDiff()"):
            codec = str2wfcodec(text)
            assert codec_of(codec) == codec_of(text)
            # the types too: they are those of the attributes in files
            assert repr(codec_of(codec).attrs) == repr(codec.asdict())
            assert repr(codec_of(text).attrs) == repr(codec.asdict())
        built = compression.RadwareSigcompress(codec_shift=-7)
        assert repr(codec_of(built).attrs) == repr(built.asdict())

    @pytest.mark.parametrize(
        "other",
        [None, "gzip", "lzf", "zstd", 9, {"compression": "lzf"}, {}, object(), ""],
    )
    def test_what_is_no_codec(self, other):
        assert codec_of(other) is None

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            ("RadwareSigcompres()", "did you mean 'RadwareSigcompress'"),
            ("Gzip(level=3)", "unknown codec"),
            ({"codec": "zip"}, "unknown codec of waveforms 'zip'"),
            ({"codec": None}, "unknown codec"),
            ("RadwareSigcompress(shift=3)", "no parameter 'shift'"),
            ("ULEB128ZigZagDiff(codec_shift=3)", "no parameter 'codec_shift'"),
            ("RadwareSigcompress(codec_shift=x)", "must be a number"),
            ("RadwareSigcompress(3)", "must be a number"),
            ("RadwareSigcompress(codec_shift=nan)", "not an integer of 32 bits"),
            ("RadwareSigcompress(codec_shift=1e10)", "not an integer of 32 bits"),
            ("RadwareSigcompress(codec_shift=0.5)", "not an integer of 32 bits"),
            ({"codec": "radware_sigcompress", "codec_shift": "3"}, "not an integer"),
            ({"codec": "radware_sigcompress", "codec_shift": None}, "not an integer"),
            ({"codec": "radware_sigcompress", "codec_shift": 2**31}, "not an integer"),
        ],
    )
    def test_refused_with_the_name_of_the_column(self, wanted, message):
        with pytest.raises(ValueError, match=f"^'wf/values': .*{message}"):
            codec_of(wanted, "wf/values")

    def test_a_codec_of_lh5_that_is_not_known(self):
        class Other(compression.WaveformCodec):
            pass

        with pytest.raises(ValueError, match="unknown codec of waveforms 'other'"):
            codec_of(Other())

    def test_nothing_is_imported(self):
        """Codecs by name need neither lh5 nor numba."""
        code = (
            "import sys, numpy as np\n"
            "from daq2lh5.writing.codecs import codec_of\n"
            "codec_of('ULEB128ZigZagDiff()').encode(np.zeros((2, 9), 'u2'))\n"
            "assert not {'lh5', 'lgdo', 'numba'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
