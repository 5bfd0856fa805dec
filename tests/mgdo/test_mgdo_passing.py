"""Waveforms that go to the output as the tree has them encoded.

They must equal the result of decoding and encoding, byte for byte, for all kinds of
entries. "Format N" means section N of the MGDO format.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from kit.decoding.mgdo import write
from kit.generators.mgdo import FILE, real_file
from kit.writers import mgdo as writer
from kit.writers.mgdo import SHORT, UNSIGNED, Digitizer, Entry, Wave

import daq2lh5
from daq2lh5 import open_stream
from daq2lh5.raw_buffer import RawBuffer, RawBufferLibrary, write_to_lh5_and_clear
from daq2lh5.writing.codecs import Codec

if TYPE_CHECKING:
    from pathlib import Path

PRE, WIN, ONE = "waveform_presummed", "waveform_windowed", "waveform"
ULEB = "ULEB128ZigZagDiff()"


def spec(out: Path, proc_spec: dict | None, keys: Any = "*") -> dict:
    table = {"key_list": [keys], "out_stream": str(out)}
    if proc_spec is not None:
        table["proc_spec"] = copy.deepcopy(proc_spec)
    return {"GETGERDADigitizerDataDecoder": {"data": table}}


def encoded(*names: str, codec: str = ULEB) -> dict:
    return {"compression": {f"{name}/values": codec for name in names}}


@pytest.fixture
def passed(monkeypatch) -> set[str]:
    """Names of the columns that are not decoded."""
    names: set[str] = set()
    real = RawBuffer.pass_encoded

    def spy(self: RawBuffer, codec: str) -> None:
        real(self, codec)
        names.update(f.name for f in self.table.fields if f.encoded)

    monkeypatch.setattr(RawBuffer, "pass_encoded", spy)
    return names


def convert(source: str, out_spec: Any, out: Path, **options: Any) -> tuple:
    """Return the bytes of the output, and the report's counts of entries."""
    report = daq2lh5.build_raw(
        source, "MGDO", copy.deepcopy(out_spec), overwrite=True, **options
    )
    damage = [(d.offset, d.reason) for d in report.damage]
    return out.read_bytes(), report.packets, report.bytes, damage, report.irregular


def both_ways(source: str, out_spec: Any, out: Path, **options: Any) -> tuple:
    """Convert by passing on, then by decoding and encoding: the same comes out."""
    passing = convert(source, out_spec, out, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RawBuffer, "pass_encoded", lambda self, codec: None)
        decoding = convert(source, out_spec, out, **options)
    assert passing[1:] == decoding[1:]
    assert passing[0] == decoding[0]
    return passing


# --- passed on ----------------------------------------------------------------------


@real_file
@pytest.mark.parametrize(
    "options",
    [{}, {"threads": 1}, {"buffer_size": 24}, {"n_max": 7}, {"memory_limit": 2**24}],
)
def test_real_file(tmp_path, options, passed):
    """The whole output is the same, with any threads, buffers and number of rows."""
    out = tmp_path / "out.lh5"
    both_ways(str(FILE), spec(out, encoded(PRE, WIN)), out, **options)
    assert passed == {PRE, WIN}


@real_file
def test_nothing_is_encoded(tmp_path, monkeypatch):
    monkeypatch.setattr(Codec, "encode", None)
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(FILE, out_spec=spec(out, encoded(PRE, WIN)))
    library = RawBufferLibrary(spec(tmp_path / "seen.lh5", encoded(PRE)))
    with open_stream(FILE, rb_lib=library) as (streamer, _):
        chunk = streamer.read_chunk()
        with pytest.raises(TypeError):
            write_to_lh5_and_clear(chunk)


@real_file
def test_tables_of_channels(tmp_path, passed):
    """A table for each channel, all of them with one layout."""
    out = tmp_path / "out.lh5"
    out_spec = spec(out, encoded(PRE, WIN))
    tables = out_spec["GETGERDADigitizerDataDecoder"]
    tables["ch{key:02d}/raw"] = tables.pop("data")
    both_ways(str(FILE), out_spec, out)
    assert passed == {PRE, WIN}


def lengthened(data: bytes, number: int) -> bytes:
    """Write a number of a waveform with one more byte without content."""
    ends = [i for i, byte in enumerate(data) if byte < 128]
    at = ends[number]
    return data[:at] + bytes([data[at] | 128, 0]) + data[at + 1 :]


def with_spare_bits(data: bytes) -> bytes:
    """Write the first number with bits that do not fit 32."""
    first = data[0] | 128
    assert data[0] < 128
    return bytes([first, 128, 128, 128, 0x70]) + data[1:]


def entry_of(*waves: Wave | None, aux: list[Wave | None] | None = None) -> Entry:
    for channel, wave in enumerate(waves):
        if wave is not None:
            wave.channel = channel
    for channel, wave in enumerate(aux or ()):
        if wave is not None:
            wave.channel = channel
    digitizers = [Digitizer(channel) for channel in range(len(waves))]
    return Entry(list(waves), digitizers, aux)


def special_waves(rng: np.random.Generator, n: int = 50) -> list[Wave | None]:
    """Make waveforms of all kinds that a buffer for `n` samples may meet."""
    noise = np.cumsum(rng.integers(-100, 101, n)) + 30000
    steps = rng.integers(0, 65536, n)
    few = rng.integers(0, 60, n)
    return [
        Wave(noise),
        Wave(steps),
        Wave(few),
        Wave(np.zeros(n, int)),
        Wave(np.full(n, 65535)),
        Wave(np.tile([0, 65535], n)[:n]),
        Wave(np.cumsum(rng.integers(-9000, 9001, n)) % 65536),
        Wave(
            noise, encoded=lengthened(writer.differences(noise), int(rng.integers(n)))
        ),
        Wave(few, encoded=lengthened(writer.differences(few), int(rng.integers(n)))),
        Wave(few, encoded=with_spare_bits(writer.differences(few))),
        Wave(steps, encoding=UNSIGNED),
        Wave(noise, encoding=UNSIGNED),
        None,
        Wave([]),
        Wave(noise - 30000, encoding=SHORT),
        Wave(steps - 32768, encoding=SHORT),
        # too large: of 32 bits
        Wave(noise * 10),
        Wave(rng.integers(-(2**31), 2**31, n)),
        Wave(noise - 30100),
        Wave(65530 + np.arange(n) % 8),
        # other lengths
        Wave(noise[:-1]),
        Wave(np.tile(noise, 2)),
    ]


@pytest.mark.usefixtures("fake_tree")
@pytest.mark.parametrize("with_aux", [False, True])
def test_waveforms_of_all_kinds(tmp_path, with_aux, passed):
    """All encodings, numbers longer than they must be, rows without waveforms.

    Format 4.2.

    They come in several orders, and in tables of their own where they have to.
    """
    rng = np.random.default_rng(7)
    es = []
    for i in range(12):
        waves = special_waves(rng, 50)
        order = [*range(len(waves))] if i < 2 else rng.permutation(len(waves))
        for k in order:
            aux = [special_waves(rng, 20)[rng.integers(16)]] if with_aux else None
            es.append(entry_of(waves[k], aux=aux))
    source = write(tmp_path, es[:100], es[100:])
    out = tmp_path / "out.lh5"
    names = (PRE, WIN) if with_aux else (ONE,)
    # an overflow table for doubles could not be encoded
    packets = both_ways(source, spec(out, encoded(*names)), out, buffer_size=64)[1]
    assert packets["decoded"] == len(es)
    assert passed == set(names)
    with h5py.File(out) as f:
        assert len([name for name in f if name.startswith("data")]) > 3


# --- decoded nevertheless -----------------------------------------------------------


RADWARE = "RadwareSigcompress(codec_shift=-32768)"


@pytest.mark.usefixtures("fake_tree")
@pytest.mark.parametrize(
    ("proc_spec", "names"),
    [
        (None, set()),
        (encoded(PRE), {PRE}),
        (encoded(PRE, WIN, codec=RADWARE), set()),
        (encoded(PRE) | {"drop": [WIN]}, {PRE}),
        (encoded(PRE) | {"drop": ["channel", "waveform_tag"]}, {PRE}),
        (encoded(PRE, WIN) | {"dtype_conv": {f"{PRE}/t0": "float64"}}, {PRE, WIN}),
        (encoded(PRE, WIN) | {"dtype_conv": {f"{PRE}/values": "uint32"}}, {WIN}),
        (encoded(PRE, WIN) | {"dtype_conv": {f"{PRE}/values": "uint16"}}, {WIN}),
        (encoded(PRE, WIN) | {"window": [PRE, 2, 9, "part"]}, {WIN}),
        (encoded(PRE, WIN, "part") | {"window": [PRE, 2, 9, "part"]}, {WIN}),
        (encoded(PRE, WIN) | {"window": [WIN, 2, 9, PRE]}, set()),
        (encoded(PRE) | {"drop": [f"{WIN}/t0"]}, set()),
        (
            encoded(PRE, WIN)
            | {"hdf5_settings": {f"{PRE}/t0": {"compression": "lzf"}}},
            {PRE, WIN},
        ),
    ],
)
def test_processing(tmp_path, proc_spec, names, passed):
    """Waveforms that are used for anything else, or written otherwise."""
    rng = np.random.default_rng(2)
    es = [writer.random_entry(rng, [3, 5]) for _ in range(40)]
    out = tmp_path / "out.lh5"
    both_ways(write(tmp_path, es), spec(out, proc_spec), out)
    assert passed == names


@pytest.mark.usefixtures("fake_tree")
def test_sources_of_sums(tmp_path, passed):
    """Waveforms that others are made of, by kernels in place of dspeed."""
    rng = np.random.default_rng(2)
    es = [writer.random_entry(rng, [3, 5]) for _ in range(40)]
    out = tmp_path / "out.lh5"
    proc_spec = encoded(PRE, WIN) | {"dsp_config": presummed()}
    both_ways(write(tmp_path, es), spec(out, proc_spec), out)
    assert passed == {PRE}


def presummed() -> dict:
    sums = f"sums(shape=len({WIN})//5, period={WIN}.period*5, offset={WIN}.offset)"
    return {
        "outputs": ["rate", "sums"],
        "processors": {
            "rate, sums": {
                "module": "dspeed.processors",
                "function": "presum",
                "args": [WIN, 0, "rate", sums],
                "unit": "ADC",
            }
        },
    }


@pytest.mark.usefixtures("fake_tree")
def test_several_outputs(tmp_path, passed):
    """One table is encoded, the other is not; each in a file of its own."""
    rng = np.random.default_rng(3)
    es = [writer.random_entry(rng, [3, 5]) for _ in range(40)]
    out = tmp_path / "out.lh5"
    out_spec = spec(out, encoded(PRE, WIN), 3)
    tables = out_spec["GETGERDADigitizerDataDecoder"]
    tables["other"] = {"key_list": [5], "out_stream": str(tmp_path / "other.lh5")}
    both_ways(write(tmp_path, es), out_spec, out)
    assert passed == {PRE, WIN}
    with h5py.File(tmp_path / "other.lh5") as f:
        assert f[f"other/{PRE}/values"].shape == (40, 40)


@pytest.mark.usefixtures("fake_tree")
def test_buffers_that_others_see(tmp_path, passed):
    """Readers of chunks get samples; a converted library stays unchanged."""
    rng = np.random.default_rng(4)
    e = writer.random_entry(rng, [3])
    source = write(tmp_path, [e])
    out = tmp_path / "out.lh5"
    library = RawBufferLibrary(spec(out, encoded(PRE, WIN)))
    with open_stream(source, rb_lib=library) as (streamer, _):
        for chunk in streamer:
            for rb in chunk:
                values = rb.lgdo[PRE].values.nda[0]
    np.testing.assert_array_equal(values, e.waves[0].samples)
    assert not passed
    library = RawBufferLibrary(spec(out, encoded(PRE, WIN)))
    daq2lh5.build_raw(source, out_spec=library)
    assert passed == {PRE, WIN}
    assert all(rb.lgdo is None for _, rb in library.buffers())


# --- damage -------------------------------------------------------------------------


@pytest.mark.usefixtures("fake_tree")
@pytest.mark.parametrize("seed", range(3))
def test_damaged_samples(tmp_path, seed, passed):
    """Found as by decoding: the same entries, reasons and rows, and no others."""
    rng = np.random.default_rng(seed)
    es = [entry_of(Wave(np.full(60, 30000)))]
    for _ in range(700):
        kind = int(rng.integers(3))
        step = (30, 300, 20000)[kind]
        samples = np.clip(np.cumsum(rng.integers(-step, step + 1, 60)) + 900, 0, 65535)
        data = bytearray(writer.differences(samples))
        at = int(rng.integers(len(data)))
        how = int(rng.integers(5))
        if how == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif how == 1:
            data[at : at + 5] = rng.bytes(5)
        elif how == 2:
            del data[at]
        elif how == 3:
            data[at:at] = bytes([int(rng.integers(256))])
        es.append(entry_of(Wave(samples, encoded=bytes(data))))
    source = write(tmp_path, es)
    out = tmp_path / "out.lh5"
    found = both_ways(source, spec(out, encoded(ONE)), out)
    assert passed == {ONE}
    assert found[1]["corrupt"] > 50
    assert found[1]["decoded"] > 300
    assert any("samples contradicts their number" in reason for _, reason in found[3])
