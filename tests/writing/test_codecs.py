"""Waveforms that are encoded as they are written: the tree that lh5 makes of them."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import h5py
import lgdo
import lh5
import numpy as np
import pytest
from kit.generators.lgdo_objects import vectors, waveforms
from kit.lh5_trees import differences, tree
from kit.writers import fcio as writer
from lh5.compression.utils import str2wfcodec

import daq2lh5
from daq2lh5.fc import fc_event_decoder
from daq2lh5.raw_buffer import RawBuffer, write_to_lh5_and_clear
from daq2lh5.writing import lh5_writer
from daq2lh5.writing.layout import layout_of_lgdo
from daq2lh5.writing.lh5_writer import LH5Writer
from daq2lh5.writing.pipeline import Pipeline

RADWARE = "RadwareSigcompress(codec_shift=-32768)"
ULEB128 = "ULEB128ZigZagDiff()"
CODECS = [RADWARE, ULEB128]
LENGTHS = "encoded_data/cumulative_length"


def made(n: int, codec, dtype: str = "u2", width: int = 50, seed: int = 1):
    """Return a waveform table of `n` rows to be encoded."""
    rng = np.random.default_rng(seed)
    samples = np.cumsum(rng.integers(-9, 10, (n, width)), axis=1) + 15_000
    wf = waveforms(n, seed, compression=codec)
    wf["values"].nda = samples.astype(dtype)
    table = lgdo.Table(size=n)
    table.add_field("wf", wf)
    table.add_field("number", lgdo.Array(np.arange(n)))
    return table


def buffer_of(obj, path) -> RawBuffer:
    rb = RawBuffer(lgdo=obj, out_stream=str(path), out_name="obj")
    rb.loc = len(obj)
    return rb


def compared(ours, theirs) -> list[str]:
    """List differences, but for pad words of radware: lh5 leaves them as they are."""
    a, b = tree(ours), tree(theirs)
    for path, found in a.items():
        lengths = found.get("values")
        if path.endswith(LENGTHS) and path in b and lengths is not None:
            data = path.replace("cumulative_length", "flattened_data")
            pads = [e - 1 - k for e in lengths.astype(int).tolist() for k in (0, 1)]
            pads = [p for p in pads if a[data]["values"][p] == 0]
            if a[path.removesuffix("/" + LENGTHS)]["attributes"].get("codec_shift"):
                b[data]["values"][pads] = 0
    return differences(a, b)


def write(path, parts, threads: int = 1, **settings) -> None:
    """Write tables one after the other, with so many threads."""
    with h5py.File(path, "w") as file:
        pipeline = Pipeline(threads, 2**20)
        out = LH5Writer(file, settings, pipeline=pipeline)
        for part in parts:
            out.append(*layout_of_lgdo(part), "obj")
        out.finish()
        pipeline.close()


class TestTree:
    @pytest.mark.parametrize("codec", CODECS)
    @pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4", "u8", "i8"])
    @pytest.mark.parametrize("n", [1, 30, 1000])
    def test_is_that_of_lh5(self, codec, dtype, n, tmp_path):
        lh5.write(made(n, str2wfcodec(codec), dtype), "obj", tmp_path / "theirs")
        write_to_lh5_and_clear([buffer_of(made(n, codec, dtype), tmp_path / "ours")])
        assert compared(tmp_path / "ours", tmp_path / "theirs") == []

    @pytest.mark.parametrize("codec", CODECS)
    def test_object_and_name_are_the_same(self, codec, tmp_path):
        write(tmp_path / "name", [made(20, codec)])
        write(tmp_path / "object", [made(20, str2wfcodec(codec))])
        assert (tmp_path / "name").read_bytes() == (tmp_path / "object").read_bytes()

    @pytest.mark.parametrize(
        "settings",
        [
            {"compression": "gzip", "compression_opts": 9},
            {"compression": "lzf", "shuffle": False},
            {"compression": "zstd"},
            {"fletcher32": True},
        ],
    )
    def test_settings_are_for_what_is_not_encoded(self, settings, tmp_path):
        """The encoded bytes are not compressed again; what else is asked for holds."""
        write(tmp_path / "x", [made(20, ULEB128)], **settings)
        with h5py.File(tmp_path / "x") as file:
            values = file["obj/wf/values"]
            data, lengths = values["encoded_data/flattened_data"], values[LENGTHS]
            assert data.compression is None
            assert data.shuffle is settings.get("shuffle", True)
            assert data.fletcher32 is settings.get("fletcher32", False)
            assert lengths.id.get_create_plist().get_nfilters() > 0
        found = lh5.read("obj/wf/values", tmp_path / "x").nda
        assert np.array_equal(found, made(20, ULEB128)["wf"]["values"].nda)

    @pytest.mark.parametrize("codec", CODECS)
    def test_settings_of_the_values_mean_nothing(self, codec, tmp_path):
        """As with lh5: they are replaced by something else."""
        table = made(20, codec)
        table["wf"]["values"].attrs["hdf5_settings"] = {"chunks": (3, 50)}
        write(tmp_path / "x", [table])
        write(tmp_path / "y", [made(20, codec)])
        assert compared(tmp_path / "x", tmp_path / "y") == []

    @pytest.mark.parametrize("codec", CODECS)
    def test_windows_and_unfilled_rows(self, codec, tmp_path):
        """Views with steps; rows behind the filled ones are not looked at."""
        table = made(20, codec, width=90)
        whole = table["wf"]["values"].nda
        table["wf"]["values"].nda = whole[:, 20:60]
        rb = buffer_of(table, tmp_path / "x")
        rb.loc = 13
        write_to_lh5_and_clear([rb])
        found = lh5.read("obj/wf/values", tmp_path / "x").nda
        assert np.array_equal(found, whole[:13, 20:60])


class TestRows:
    @pytest.mark.parametrize("codec", CODECS)
    def test_same_bytes_for_any_number_of_threads(self, codec, tmp_path):
        """Several tasks a part, several chunks; also the rows of lh5."""
        parts = [made(n, codec, width=3000, seed=n) for n in (400, 1, 900, 300)]
        digests = set()
        for threads in (1, 2, 5):
            write(tmp_path / "ours", parts, threads)
            digests.add(hashlib.sha256((tmp_path / "ours").read_bytes()).digest())
        assert len(digests) == 1
        wanted = np.concatenate([part["wf"]["values"].nda for part in parts])
        found = lh5.read("obj", tmp_path / "ours")
        assert np.array_equal(found["wf"]["values"].nda, wanted)
        numbers = np.concatenate([part["number"].nda for part in parts])
        assert np.array_equal(found["number"].nda, numbers)

    @pytest.mark.parametrize("codec", CODECS)
    def test_appended_like_lh5(self, codec, tmp_path):
        for n in (4, 9, 1):
            table = made(n, codec, seed=n)
            write_to_lh5_and_clear([buffer_of(table, tmp_path / "ours")])
            table = made(n, str2wfcodec(codec), seed=n)
            lh5.write(table, "obj", tmp_path / "theirs")
        assert compared(tmp_path / "ours", tmp_path / "theirs") == []

    @pytest.mark.parametrize("codec", CODECS)
    def test_encoded_before_and_now(self, codec, tmp_path):
        """Rows that somebody encoded with lh5 come after those that wait."""
        first, second = made(200, codec), made(30, codec, seed=2)
        wanted = np.concatenate([t["wf"]["values"].nda for t in (first, second)])
        encoded = lh5.compression.encode(second["wf"]["values"], str2wfcodec(codec))
        second["wf"].add_field("values", encoded)
        write(tmp_path / "x", [first, second], threads=2)
        assert np.array_equal(lh5.read("obj/wf/values", tmp_path / "x").nda, wanted)

    def test_where_lh5_writes(self, tmp_path):
        """With other modes, and beside objects of which only lh5 knows."""
        path = tmp_path / "x"
        for _ in range(2):
            rb = buffer_of(made(5, ULEB128), path)
            write_to_lh5_and_clear([rb], wo_mode="overwrite")
        wanted = made(5, ULEB128)["wf"]["values"].nda
        assert np.array_equal(lh5.read("obj/wf/values", path).nda, wanted)
        struct = lgdo.Struct(
            {"t": made(5, RADWARE), "v": lgdo.Histogram(np.ones(1), [np.arange(2.0)])}
        )
        write_to_lh5_and_clear([buffer_of(struct, tmp_path / "y")])
        assert np.array_equal(lh5.read("obj/t/wf/values", tmp_path / "y").nda, wanted)

    def test_release_when_the_rows_are_encoded(self, tmp_path):
        """Not before: their memory gets other rows then."""
        table = made(2000, ULEB128, width=1000)
        wanted = table["wf"]["values"].nda.copy()
        calls = []

        def release() -> None:
            calls.append(1)
            table["wf"]["values"].nda[:] = 0

        with h5py.File(tmp_path / "x", "w") as file:
            pipeline = Pipeline(3, 2**30)
            out = LH5Writer(file, pipeline=pipeline)
            out.append(*layout_of_lgdo(table), "obj", release=release)
            out.finish()
            pipeline.close()
        assert calls == [1]
        assert np.array_equal(lh5.read("obj/wf/values", tmp_path / "x").nda, wanted)


class TestManyBytes:
    """`cumulative_length` holds 32 bits, as that of lh5; then it gets 64."""

    @pytest.mark.parametrize(
        "settings", [{}, {"compression": "lzf"}, {"chunks": (700,)}]
    )
    @pytest.mark.parametrize("limit", [100, 30_000, 200_000])
    def test_of_a_conversion(self, limit, settings, tmp_path, monkeypatch, caplog):
        monkeypatch.setattr(lh5_writer, "UINT32_MAX", limit)
        parts = [made(n, RADWARE, width=20, seed=n) for n in (30, 9000, 500)]
        write(tmp_path / "x", parts, threads=2, **settings)
        self.check(tmp_path / "x", parts, np.int64)
        assert caplog.text.count("more than 4 GiB") == 1

    def test_uleb128(self, tmp_path, monkeypatch):
        """Nothing is lost, but lh5 0.3.0 cannot decode it."""
        monkeypatch.setattr(lh5_writer, "UINT32_MAX", 3000)
        parts = [made(n, ULEB128, seed=n) for n in (30, 100, 5)]
        write(tmp_path / "x", parts)
        monkeypatch.undo()
        write(tmp_path / "y", parts)
        with h5py.File(tmp_path / "x") as x, h5py.File(tmp_path / "y") as y:
            ours, usual = (f["obj/wf/values/encoded_data"] for f in (x, y))
            for name in ("flattened_data", "cumulative_length"):
                assert np.array_equal(ours[name], usual[name])
            assert ours["cumulative_length"].dtype == np.int64
            assert usual["cumulative_length"].dtype == np.uint32

    def test_of_rows_appended(self, tmp_path, monkeypatch):
        parts = [made(n, RADWARE, seed=n) for n in (30, 100, 5)]
        write_to_lh5_and_clear([buffer_of(parts[0], tmp_path / "x")])
        self.check(tmp_path / "x", parts[:1], np.uint32)
        monkeypatch.setattr(lh5_writer, "UINT32_MAX", 3000)
        for i in (1, 2):
            rb = buffer_of(parts[i], tmp_path / "x")
            # settings of datasets that are made anew
            write_to_lh5_and_clear([rb], compression=None, shuffle=False)
            self.check(tmp_path / "x", parts[: i + 1], np.int64)

    def check(self, path, parts, dtype) -> None:
        with h5py.File(path) as file:
            lengths = file["obj/wf/values"][LENGTHS]
            assert lengths.dtype == dtype
            assert lengths.attrs["datatype"] == "array<1>{real}"
        wanted = np.concatenate([part["wf"]["values"].nda for part in parts])
        assert np.array_equal(lh5.read("obj/wf/values", path).nda, wanted)


class TestRefused:
    def test_rows_of_another_length(self, tmp_path):
        """One number says for all rows how many samples they have."""
        write(tmp_path / "x", [made(5, ULEB128)])
        with pytest.raises(RuntimeError, match=r"\(50,\): cannot append .* \(60,\)"):
            write(tmp_path / "y", [made(5, ULEB128), made(5, ULEB128, width=60)])
        with pytest.raises(RuntimeError, match=r"\(50,\): cannot append .* \(60,\)"):
            write_to_lh5_and_clear(
                [buffer_of(made(5, ULEB128, width=60), tmp_path / "x")]
            )

    def test_another_codec(self, tmp_path):
        with pytest.raises(RuntimeError, match="codec"):
            write(tmp_path / "x", [made(5, ULEB128), made(5, RADWARE)])
        with pytest.raises(RuntimeError, match="datatype"):
            write(tmp_path / "x", [made(5, "gzip"), made(5, RADWARE)])

    def test_columns_that_are_no_waveforms(self, tmp_path):
        for column in (
            lgdo.Array(np.arange(5), attrs={"compression": RADWARE}),
            vectors()(5, 1),
        ):
            column.attrs["compression"] = RADWARE
            table = made(5, ULEB128)
            table.add_field("other", column)
            with pytest.raises(ValueError, match="'other': radware_sigcompress is for"):
                write(tmp_path / "x", [table])

    def test_waveforms_of_more_dimensions(self, tmp_path):
        table = made(6, ULEB128)
        values = lgdo.ArrayOfEqualSizedArrays(
            nda=np.zeros((6, 5, 4), "u2"), dims=(1, 2), attrs={"compression": ULEB128}
        )
        table["wf"].add_field("values", values)
        with pytest.raises(ValueError, match="'wf/values': uleb128_zigzag_diff is for"):
            write(tmp_path / "x", [table])

    @pytest.mark.parametrize(
        ("dtype", "width", "message"),
        [("f4", 50, "encodes integers, not float32"), ("u2", 40_000, "too long")],
    )
    def test_waveforms(self, dtype, width, message, tmp_path):
        with pytest.raises(ValueError, match=f"'wf/values'.*{message}"):
            write(tmp_path / "x", [made(2, RADWARE, dtype, width)])


def test_samples_that_do_not_fit_are_told(tmp_path, caplog):
    """lh5 makes other numbers of them without a word."""
    table = made(50, "RadwareSigcompress()", "u4")
    table["wf"]["values"].nda[7:10, 3] = 40_000
    write(tmp_path / "x", [table])
    assert "'obj/wf/values': 3 waveforms have samples that do not fit" in caplog.text


class TestConversion:
    @pytest.fixture
    def source(self, tmp_path):
        path = tmp_path / "run.fcio"
        path.write_bytes(writer.make_stream(40, n_channels=3, n_samples=77))
        return path

    @pytest.mark.parametrize("codec", CODECS)
    def test_by_name(self, codec, source, tmp_path, monkeypatch):
        """What lh5 makes of the plain waveforms, in any number of buffers."""
        daq2lh5.build_raw(source, out_spec=tmp_path / "plain.lh5")
        wanted = lh5.read("FCEvent", tmp_path / "plain.lh5")
        attrs = {"compression": str2wfcodec(codec)}
        wanted["waveform"]["values"].attrs |= attrs
        columns = fc_event_decoder.fc_event_decoded_values
        lh5.write(wanted, "FCEvent", tmp_path / "theirs.lh5")
        field = {"compression": {"values": codec}}
        monkeypatch.setitem(columns, "waveform", columns["waveform"] | field)
        for threads, buffer_size in ((1, 8192), (2, 8192), (2, 9)):
            out = tmp_path / "ours.lh5"
            daq2lh5.build_raw(
                source,
                out_spec=out,
                threads=threads,
                buffer_size=buffer_size,
                overwrite=True,
            )
            with h5py.File(out, "a") as file:
                del file.attrs["daq2lh5_report"], file.attrs["daq2lh5_columns"]
                for name in [name for name in file if name != "FCEvent"]:
                    del file[name]
                file.attrs["datatype"] = "struct{FCEvent}"
            found = [d for d in compared(out, tmp_path / "theirs.lh5") if d[0] != "/"]
            assert found == []

    def test_refused_before_anything_is_written(self, source, monkeypatch):
        columns = fc_event_decoder.fc_event_decoded_values
        field = {"compression": {"values": RADWARE}, "dtype": "float32"}
        monkeypatch.setitem(columns, "waveform", columns["waveform"] | field)
        with pytest.raises(ValueError, match=r"'waveform/values': .* not float32"):
            daq2lh5.build_raw(source, out_spec=source.parent / "x.lh5")
        assert list(source.parent.iterdir()) == [source]

    def test_without_lh5(self, source, tmp_path):
        """A codec by name: neither lh5 nor what it needs is imported."""
        code = (
            "import sys, daq2lh5\n"
            "from daq2lh5.fc.fc_event_decoder import fc_event_decoded_values as v\n"
            f"v['waveform']['compression'] = {{'values': {RADWARE!r}}}\n"
            f"daq2lh5.build_raw({str(source)!r}, out_spec={str(tmp_path / 'x')!r})\n"
            "assert not {'lh5', 'lgdo', 'numba'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        assert len(lh5.read("FCEvent/waveform/values", tmp_path / "x")) == 120


def test_small_tables_are_not_much_larger_than_their_bytes(tmp_path):
    """What is not compressed takes the space of a whole chunk."""
    for n in (1, 30, 500, 1500, 9000, 40000):
        write(tmp_path / "x", [made(n, ULEB128)])
        with h5py.File(tmp_path / "x") as file:
            data = file["obj/wf/values/encoded_data/flattened_data"]
            room = data.id.get_storage_size()
            # no chunk is filled yet: it is made to fit; else the last one is 16 KiB
            assert room <= max(1.125 * len(data), len(data) + 2**14) + 16
            if len(data) < 2**14:
                assert room <= 1.125 * len(data) + 16


def test_uncompressed_tables_are_not_much_larger_than_their_rows(tmp_path):
    """The last chunk of waveforms takes its space to the end: up to 128 KiB."""
    for n in (3, 100, 3000):
        write(tmp_path / "x", [made(n, None)], compression=None, shuffle=False)
        with h5py.File(tmp_path / "x") as file:
            values = file["obj/wf/values"]
            room = values.id.get_storage_size()
            assert room <= values.nbytes + 2**17 + 16 * values[:1].nbytes
