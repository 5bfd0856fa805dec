"""HDF5 settings mean what they mean to lh5, in the bytes of the chunks too."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import zlib

import h5py
import hdf5plugin
import lgdo
import lh5
import numpy as np
import pytest
import zstandard
from kit.generators.lgdo_objects import RADWARE, ULEB128, table, vectors, waveforms
from kit.lh5_trees import (
    FLETCHER32,
    GZIP,
    LZF,
    SHUFFLE,
    ZSTD,
    chunk_bytes,
    differences,
    filters_of,
    tree,
)
from kit.writers import fcio as writer
from lh5.io import settings as lh5_settings

import daq2lh5
from daq2lh5.build_raw import convert
from daq2lh5.fc import fc_event_decoder
from daq2lh5.raw_buffer import RawBuffer, write_to_lh5_and_clear
from daq2lh5.writing.lh5_writer import LH5Writer


def buffer_of(obj, path, name="obj", loc=None) -> RawBuffer:
    rb = RawBuffer(lgdo=obj, out_stream=str(path), out_name=name)
    rb.loc = len(obj) if loc is None else loc
    return rb


def shuffled(rows: np.ndarray, chunk_rows: int) -> bytes:
    """Return the bytes of one chunk as HDF5's shuffle filter makes them."""
    full = np.zeros((chunk_rows, *rows.shape[1:]), rows.dtype)
    full[: len(rows)] = rows
    columns = full.view(np.uint8).reshape(-1, rows.dtype.itemsize)
    return np.ascontiguousarray(columns.T).tobytes()


@contextlib.contextmanager
def default_settings(**changes):
    """Change what lh5 has as its defaults."""
    before = dict(lh5_settings.DEFAULT_HDF5_SETTINGS)
    lh5_settings.DEFAULT_HDF5_SETTINGS.update(changes)
    try:
        yield
    finally:
        lh5_settings.DEFAULT_HDF5_SETTINGS.clear()
        lh5_settings.DEFAULT_HDF5_SETTINGS.update(before)


# what lh5 takes: ours must be the same
SETTINGS = {
    "default": {},
    "none": {"compression": None},
    "nothing": {"compression": None, "shuffle": False},
    "gzip": {"compression": "gzip"},
    "gzip 0": {"compression": "gzip", "compression_opts": 0},
    "gzip 9": {"compression": "gzip", "compression_opts": 9},
    "gzip by number": {"compression": 6},
    "gzip, no shuffle": {"shuffle": False},
    "lzf": {"compression": "lzf"},
    "zstd": hdf5plugin.Zstd(),
    "zstd 9": hdf5plugin.Zstd(clevel=9),
    "zstd by object": {"compression": hdf5plugin.Zstd(clevel=5)},
    "zstd by number": {"compression": ZSTD},
    "zstd by number, level": {"compression": ZSTD, "compression_opts": (7,)},
    "zstd, no shuffle": {"shuffle": False} | dict(hdf5plugin.Zstd()),
    "lz4": dict(hdf5plugin.LZ4()),
    "blosc": dict(hdf5plugin.Blosc()),
    "fletcher32": {"fletcher32": True},
    "fletcher32 alone": {"fletcher32": True, "compression": None, "shuffle": False},
    "fletcher32, lzf": {"fletcher32": True, "compression": "lzf"},
    "fletcher32, zstd": {"fletcher32": True} | dict(hdf5plugin.Zstd()),
    "fill value": {"fillvalue": 7},
    "times": {"track_times": True},
    "chunks": {"chunks": True},
    "limit of rows": {"maxshape": (100,)},
}


def plain_filters(filters: list) -> list:
    """Leave out what depends on the size of the chunk: blosc stores it."""
    blosc = 32001
    return [(n, f, v if n != blosc else v[4:]) for n, f, v in filters]


def without_chunk_size(found: dict) -> dict:
    for description in found.values():
        if "filters" in description:
            description["filters"] = plain_filters(description["filters"])
    return found


class TestSettingsOfAll:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_as_lh5(self, name, tmp_path):
        """Two appends, and a third one in another call."""
        settings = dict(SETTINGS[name])
        for n in (30, 1, 9):
            obj = lgdo.Array(np.arange(n, dtype="u4") * 1001, attrs={"units": "s"})
            write_to_lh5_and_clear([buffer_of(obj, tmp_path / "ours")], **settings)
            lh5.write(obj, "obj", tmp_path / "theirs", **settings)
        ours = without_chunk_size(tree(tmp_path / "ours"))
        theirs = without_chunk_size(tree(tmp_path / "theirs"))
        assert differences(ours, theirs) == []

    @pytest.mark.parametrize("name", ["none", "lzf", "zstd", "blosc", "fletcher32"])
    def test_on_columns_of_all_kinds(self, name, tmp_path):
        settings = dict(SETTINGS[name])
        for seed in (1, 2):
            rb = buffer_of(table(20, seed), tmp_path / "ours")
            write_to_lh5_and_clear([rb], **settings)
            lh5.write(table(20, seed), "obj", tmp_path / "theirs", **settings)
        ours = without_chunk_size(tree(tmp_path / "ours"))
        theirs = without_chunk_size(tree(tmp_path / "theirs"))
        assert differences(ours, theirs) == []

    def test_zstd_by_name(self, tmp_path):
        """Which h5py does not know; the options are those of the filter."""
        for name, options, level in (
            ("zstd", {}, 3),
            ("Zstd", {"compression_opts": 7}, 7),
            ("ZSTD", {"compression_opts": (5,)}, 5),
        ):
            path = tmp_path / name
            obj = lgdo.Array(np.arange(1000))
            settings = {"compression": name} | options
            write_to_lh5_and_clear([buffer_of(obj, path)], **settings)
            with h5py.File(path) as file:
                assert filters_of(file["obj"])[1] == (ZSTD, 1, (level,))
            assert lh5.read("obj", path) == obj

    @pytest.mark.parametrize(
        "settings",
        [
            {"compression": "zstdd"},
            {"compression": "GZIP9"},
            {"compression": 12345},
            {"compression": "gzip", "compression_opts": 10},
            {"compresion": "gzip"},
        ],
    )
    def test_unknown_ones_are_refused_before_data_are_read(self, settings, tmp_path):
        """The message names what is wrong; nothing is left."""
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(50, n_channels=2, n_samples=20))
        out = tmp_path / "out"
        out.mkdir()
        wrong = [*settings, *map(str, settings.values())]
        chunks: list = []
        with pytest.raises((ValueError, TypeError)) as caught:
            convert(
                source,
                out_spec=out / "x.lh5",
                hdf5_settings=settings,
                buffer_size=10,
                progress=chunks.append,
            )
        assert any(word in str(caught.value) for word in wrong)
        assert list(out.iterdir()) == []
        assert chunks == []

    def test_without_hdf5plugin_the_message_says_so(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "hdf5plugin", None)
        rb = buffer_of(lgdo.Array(np.arange(3)), tmp_path / "x.lh5")
        with pytest.raises(ValueError, match="hdf5plugin"):
            write_to_lh5_and_clear([rb], compression="zstd")

    def test_user_s_dictionary_stays_as_it_is(self, tmp_path):
        settings = {"compression": "zstd", "compression_opts": 3, "chunks": [4]}
        before = dict(settings)
        rb = buffer_of(lgdo.Array(np.arange(3)), tmp_path / "x.lh5")
        write_to_lh5_and_clear([rb], **settings)
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(3, n_channels=2, n_samples=20))
        settings.pop("chunks")
        before.pop("chunks")
        daq2lh5.build_raw(source, out_spec=tmp_path / "y.lh5", hdf5_settings=settings)
        assert settings == before


class TestDefaultsOfLh5:
    @pytest.mark.parametrize(
        "changes",
        [
            {"compression": "lzf"},
            {"compression": None, "shuffle": False},
            {"compression_opts": 9},
            {"fletcher32": True},
            {"chunks": (100,)},
            {"compression": ZSTD},
        ],
    )
    @pytest.mark.parametrize("how", ["in place", "afresh"])
    def test_changed_by_the_user(self, changes, how, tmp_path):
        with default_settings(**changes):
            parts = [lgdo.Array(np.arange(n) * 3) for n in (5, 20_000, 20_000)]
            if how == "in place":
                for obj in parts:
                    write_to_lh5_and_clear([buffer_of(obj, tmp_path / "ours")])
            else:
                with h5py.File(tmp_path / "ours", "w") as file:
                    lh5_writer = LH5Writer(file)
                    for obj in parts:
                        lh5_writer.append_lgdo(obj, "obj")
                    lh5_writer.finish()
            for obj in parts:
                lh5.write(obj, "obj", tmp_path / "theirs")
        ours, theirs = tree(tmp_path / "ours"), tree(tmp_path / "theirs")
        assert differences(ours, theirs) == []
        if "chunks" in changes:
            with h5py.File(tmp_path / "ours") as file:
                assert file["obj"].chunks == (100,)


class TestFileSettings:
    @pytest.mark.parametrize(
        "settings",
        [
            {"fs_strategy": "page"},
            {"fs_strategy": "page", "fs_page_size": 8192},
            {"page_buffer": 65536},
            {"libver": ("v108", "v108")},
            {"libver": "v110"},
            {"track_order": True},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("how", ["buffers", "store", "kept store"])
    def test_as_lh5(self, settings, how, tmp_path):
        """Also with a second call, for a file that is there then."""
        found = {}
        for who in ("ours", "theirs"):
            path = tmp_path / f"{who}.lh5"
            store = lh5.LH5Store(keep_open=how == "kept store")
            for seed in (1, 2):
                if who == "theirs":
                    # lh5 refuses to append with settings of new files
                    new = {} if path.exists() else settings
                    store.write(table(9, seed), "obj", path, **new)
                    continue
                given = {} if how == "buffers" else {"lh5_store": store}
                write_to_lh5_and_clear(
                    [buffer_of(table(9, seed), path)], **given, **settings
                )
            store.close()
            with h5py.File(path) as file:
                properties = file.id.get_create_plist()
                found[who] = (
                    properties.get_version()[0],
                    properties.get_file_space_strategy(),
                    properties.get_file_space_page_size(),
                    properties.get_link_creation_order(),
                )
        assert found["ours"] == found["theirs"]
        ours, theirs = (tree(tmp_path / f"{who}.lh5") for who in found)
        if "track_order" in settings:
            return
        assert differences(ours, theirs) == []

    def test_in_a_conversion(self, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(3, n_channels=2, n_samples=20))
        settings = {"fs_strategy": "page", "compression": "Zstd"}
        daq2lh5.build_raw(source, out_spec=tmp_path / "x.lh5", hdf5_settings=settings)
        with h5py.File(tmp_path / "x.lh5") as file:
            properties = file.id.get_create_plist()
            assert (
                properties.get_file_space_strategy()[0] == h5py.h5f.FSPACE_STRATEGY_PAGE
            )
            assert properties.get_version()[0] == 2
            numbers = [n for n, *_ in filters_of(file["FCEvent/waveform/values"])]
            assert numbers == [SHUFFLE, ZSTD]


class TestSettingsOfFields:
    @pytest.fixture
    def run(self, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(20, n_channels=3, n_samples=200))
        return source

    @pytest.mark.parametrize(
        ("column", "field", "wanted"),
        [
            ("daqenergy", {"compression": None}, [SHUFFLE]),
            ("daqenergy", {"compression": "lzf"}, [SHUFFLE, LZF]),
            ("daqenergy", {"compression": ZSTD}, [SHUFFLE, ZSTD]),
            ("daqenergy", {"compression": "zstd"}, [SHUFFLE, ZSTD]),
            ("daqenergy", {"compression": dict(hdf5plugin.Zstd(9))}, [SHUFFLE, ZSTD]),
            ("daqenergy", {"hdf5_settings": {"shuffle": False}}, [GZIP]),
            ("waveform/values", {"compression": "lzf"}, [SHUFFLE, LZF]),
            (
                "waveform/values",
                {"hdf5_settings": {"fletcher32": True}},
                [SHUFFLE, GZIP, FLETCHER32],
            ),
            (
                # hdf5_settings weigh more than compression
                "waveform/values",
                {"compression": "lzf", "hdf5_settings": {"compression": None}},
                [SHUFFLE],
            ),
        ],
    )
    @pytest.mark.parametrize("of_all", [{}, {"compression": "lzf", "shuffle": True}])
    def test_one_column(
        self, column, field, wanted, of_all, run, tmp_path, monkeypatch
    ):
        columns = fc_event_decoder.fc_event_decoded_values
        name, _, member = column.partition("/")
        field = {k: {member: v} for k, v in field.items()} if member else field
        monkeypatch.setitem(columns, name, columns[name] | field)
        daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", hdf5_settings=of_all)
        with h5py.File(tmp_path / "x.lh5") as file:
            found = file[f"FCEvent/{column}"]
            # without a compressor of its own it has that of all
            own = [LZF if of_all and n == GZIP else n for n in wanted]
            assert [n for n, *_ in filters_of(found)] == own
            assert not {"compression", "hdf5_settings"} & set(found.attrs)
            other = file["FCEvent/waveform/t0"]
            other_wanted = [SHUFFLE, LZF if of_all else GZIP]
            assert [n for n, *_ in filters_of(other)] == other_wanted

    @pytest.mark.parametrize("chunks", [[7, 200], (7, 200), [5, 50], [64, 1]])
    def test_chunks(self, chunks, run, tmp_path, monkeypatch):
        """As a list too, as of a JSON file; of parts of waveforms too."""
        columns = fc_event_decoder.fc_event_decoded_values
        field = {"hdf5_settings": {"values": {"chunks": chunks}}}
        whole = tmp_path / "whole.lh5"
        daq2lh5.build_raw(run, out_spec=whole)
        monkeypatch.setitem(columns, "waveform", columns["waveform"] | field)
        for threads in (1, 2):
            out = tmp_path / f"{threads}.lh5"
            daq2lh5.build_raw(run, out_spec=out, threads=threads, buffer_size=9)
            with h5py.File(out) as file:
                assert file["FCEvent/waveform/values"].chunks == tuple(chunks)
            assert lh5.read("FCEvent", out) == lh5.read("FCEvent", whole)

    def test_in_a_buffer_s_own_objects(self, tmp_path):
        """As attributes of arrays in a table, as lh5 takes them."""
        for who in ("ours", "theirs"):
            for seed in (1, 2):
                made = table(20, seed)
                made["zeta"].attrs["compression"] = "lzf"
                made["wf"]["values"].attrs["hdf5_settings"] = {"chunks": [3, 50]}
                made["inner"]["v"].flattened_data.attrs["compression"] = None
                made["fixed"].attrs["compression"] = {
                    "compression": "gzip",
                    "compression_opts": 1,
                }
                if who == "ours":
                    write_to_lh5_and_clear([buffer_of(made, tmp_path / "ours")])
                else:
                    lh5.write(made, "obj", tmp_path / "theirs")
        ours, theirs = tree(tmp_path / "ours"), tree(tmp_path / "theirs")
        assert differences(ours, theirs) == []
        with h5py.File(tmp_path / "ours") as file:
            assert file["obj/wf/values"].chunks == (3, 50)

    @pytest.mark.parametrize("make", [vectors(), waveforms])
    def test_settings_of_what_is_no_array_are_refused(self, make, tmp_path):
        """As lh5 does."""
        obj = make(5, 1)
        obj.attrs["hdf5_settings"] = {"compression": None}
        with pytest.raises(TypeError):
            lh5.write(obj, "obj", tmp_path / "theirs")
        with pytest.raises(TypeError):
            write_to_lh5_and_clear([buffer_of(obj, tmp_path / "ours")])


class TestCodecs:
    @pytest.mark.parametrize("codec", [RADWARE, ULEB128], ids=["radware", "uleb128"])
    def test_in_a_conversion(self, codec, tmp_path, monkeypatch):
        """All rows once, whatever the buffers; the last one is not full."""
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(21, n_channels=3, n_samples=77))
        daq2lh5.build_raw(source, out_spec=tmp_path / "plain.lh5")
        columns = fc_event_decoder.fc_event_decoded_values
        field = {"compression": {"values": codec}}
        monkeypatch.setitem(columns, "waveform", columns["waveform"] | field)
        for threads in (1, 2):
            out = tmp_path / f"{threads}.lh5"
            daq2lh5.build_raw(source, out_spec=out, threads=threads, buffer_size=8)
            wanted = lh5.read("FCEvent/waveform/values", tmp_path / "plain.lh5").nda
            found = lh5.read("FCEvent/waveform/values", out).nda
            assert np.array_equal(found, wanted)
            with h5py.File(out) as file:
                values = file["FCEvent/waveform/values"]
                assert values.attrs["codec"] == codec.codec
                assert values["decoded_size"][()] == 77
                data = values["encoded_data/flattened_data"]
                # no compressor; a shuffle of single bytes does nothing
                assert filters_of(data) == [(SHUFFLE, 1, (1,))]
                lengths = values["encoded_data/cumulative_length"]
                assert lengths.dtype == np.uint32
                assert lengths[-1] == len(data)

    def test_only_filled_rows_are_encoded(self, tmp_path):
        """What is behind them may be anything: also what cannot be encoded."""
        made = waveforms(10, 1, compression=RADWARE)
        made["values"].nda[4:] = np.random.default_rng(1).integers(
            0, 2**16, (6, 50), "u2"
        )
        write_to_lh5_and_clear([buffer_of(made, tmp_path / "x.lh5", loc=4)])
        found = lh5.read("obj/values", tmp_path / "x.lh5").nda
        assert np.array_equal(found, made["values"].nda[:4])
        assert made["values"].nda.shape == (10, 50)

    @pytest.mark.parametrize("codec", [RADWARE, ULEB128], ids=["radware", "uleb128"])
    def test_rows_appended_by_both(self, codec, tmp_path):
        path = tmp_path / "x.lh5"
        parts = [waveforms(n, n, compression=codec) for n in (4, 9, 1, 5)]
        for i, part in enumerate(parts):
            if i % 2:
                lh5.write(part, "obj", path)
            else:
                write_to_lh5_and_clear([buffer_of(part, path)])
        wanted = np.concatenate([part["values"].nda for part in parts])
        assert np.array_equal(lh5.read("obj/values", path).nda, wanted)


class TestBytes:
    """What is in the chunks themselves."""

    @pytest.mark.parametrize("level", [0, 1, 4, 6, 9])
    def test_a_level_of_gzip_is_that_of_zlib(self, level, tmp_path):
        made = table(500, 1)
        settings = {"compression": "gzip", "compression_opts": level}
        write_to_lh5_and_clear([buffer_of(made, tmp_path / "x.lh5")], **settings)
        with h5py.File(tmp_path / "x.lh5") as file:
            for name in (
                "zeta",
                "wf/values",
                "wf/t0",
                "fixed",
                "inner/v/flattened_data",
            ):
                dataset = file[f"obj/{name}"]
                chunks = chunk_bytes(dataset)
                assert chunks
                for (row, *_), mask, payload in chunks:
                    rows = dataset[row : row + dataset.chunks[0]]
                    plain = shuffled(rows, dataset.chunks[0])
                    wanted = zlib.compress(plain, level)
                    if mask:
                        assert len(wanted) >= len(plain)
                        wanted = plain
                    assert payload == wanted

    def test_default_is_a_stream_that_zlib_reads(self, tmp_path):
        made = table(500, 1)
        write_to_lh5_and_clear([buffer_of(made, tmp_path / "x.lh5")])
        with h5py.File(tmp_path / "x.lh5") as file:
            dataset = file["obj/wf/values"]
            for (row, *_), mask, payload in chunk_bytes(dataset):
                rows = dataset[row : row + dataset.chunks[0]]
                assert mask == 0
                assert zlib.decompress(payload) == shuffled(rows, dataset.chunks[0])

    def test_zstd_frames_tell_their_size(self, tmp_path):
        """Which the filter of other programs needs (LH5 format, 6)."""
        settings = dict(hdf5plugin.Zstd(9))
        rb = buffer_of(table(500, 1), tmp_path / "x.lh5")
        write_to_lh5_and_clear([rb], **settings)
        with h5py.File(tmp_path / "x.lh5") as file:
            dataset = file["obj/wf/values"]
            size = dataset.chunks[0] * 50 * 2
            for _, mask, payload in chunk_bytes(dataset):
                assert mask == 0
                assert zstandard.get_frame_parameters(payload).content_size == size

    @pytest.mark.parametrize("n", [1, 7, 501])
    @pytest.mark.parametrize("compression", [None, "gzip", ZSTD])
    def test_checksums_are_those_of_hdf5(self, compression, n, tmp_path):
        """Reading checks them: an error once a byte is another one."""
        path = tmp_path / "x.lh5"
        values = np.random.default_rng(1).integers(0, 99, (n, 3)).astype("u1")
        rb = buffer_of(lgdo.Array(values), path)
        write_to_lh5_and_clear([rb], compression=compression, fletcher32=True)
        with h5py.File(path) as file:
            assert np.array_equal(file["obj"][()], values)
            chunk = file["obj"].id.get_chunk_info(0)
        data = bytearray(path.read_bytes())
        data[chunk.byte_offset + chunk.size // 2] ^= 4
        path.write_bytes(data)
        with h5py.File(path) as file, pytest.raises(OSError, match="read"):
            file["obj"][()]

    @pytest.mark.parametrize("compression", ["gzip", ZSTD])
    @pytest.mark.parametrize("shuffle", [True, False])
    @pytest.mark.parametrize("checksum", [True, False])
    def test_what_cannot_be_compressed_is_stored(
        self, compression, shuffle, checksum, tmp_path
    ):
        """With the mask that says so, and the other filters."""
        path = tmp_path / "x.lh5"
        noise = np.random.default_rng(1).integers(0, 2**16, (3000, 100), "u2")
        made = lgdo.Table(size=3000)
        made.add_field("noise", lgdo.ArrayOfEqualSizedArrays(nda=noise, dims=(1, 1)))
        made.add_field("flat", lgdo.Array(np.zeros(3000)))
        settings = {"shuffle": shuffle, "fletcher32": checksum}
        for n in (2000, 1000):
            write_to_lh5_and_clear(
                [buffer_of(made, path, loc=n)], compression=compression, **settings
            )
        with h5py.File(path) as file:
            dataset = file["obj/noise"]
            size = dataset.chunks[0] * 200
            full = [
                (mask, payload)
                for (row, *_), mask, payload in chunk_bytes(dataset)
                if row + dataset.chunks[0] <= 3000
            ]
            for mask, payload in full:
                assert mask == (2 if shuffle else 1)
                assert len(payload) == size + (4 if checksum else 0)
            assert np.array_equal(dataset[:2000], noise[:2000])
            assert np.array_equal(dataset[2000:], noise[:1000])
            assert {mask for _, mask, _ in chunk_bytes(file["obj/flat"])} == {0}

    def test_small_tables_of_noise(self, tmp_path):
        """These are copied from a template, mask and all."""
        noise = np.random.default_rng(1).integers(0, 2**16, (40, 16, 500), "u2")
        path = tmp_path / "x.lh5"
        with h5py.File(path, "w") as file:
            lh5_writer = LH5Writer(file)
            for i, values in enumerate(noise):
                rows = values[: 1 + i % 16]
                made = lgdo.ArrayOfEqualSizedArrays(nda=rows, dims=(1, 1))
                lh5_writer.append_lgdo(made, f"t{i}")
            lh5_writer.finish()
        with h5py.File(path) as file:
            for i, values in enumerate(noise):
                assert np.array_equal(file[f"t{i}"][()], values[: 1 + i % 16])


READ_ELSEWHERE = """
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as f:
    f.visititems(lambda n, o: o[()] if isinstance(o, h5py.Dataset) else None)
assert "hdf5plugin" not in sys.modules
"""


def test_default_needs_no_plugin(tmp_path):
    path = tmp_path / "x.lh5"
    write_to_lh5_and_clear([buffer_of(table(300, 1), path)])
    subprocess.run([sys.executable, "-c", READ_ELSEWHERE, str(path)], check=True)
