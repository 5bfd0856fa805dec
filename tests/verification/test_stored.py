"""Stored datasets: read in chunks, whatever their filters; damage is an error."""

from __future__ import annotations

import subprocess
import sys
import zlib

import h5py
import hdf5plugin
import numpy as np
import pytest
from daq2lh5._core.codecs.chunks import fletcher32 as of_the_writer

from daq2lh5 import build_raw, verify
from daq2lh5.verification.stored import StoredDataset, UnreadableError, fletcher32

DIRECT = {
    "nothing": {},
    "gzip": {"compression": "gzip"},
    "shuffled": {"compression": "gzip", "shuffle": True},
    "checksum": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "zstd": dict(hdf5plugin.Zstd()),
}
BY_HDF5 = {
    "lzf": {"compression": "lzf"},
    "scaleoffset": {"scaleoffset": 0},
    "blosc": dict(hdf5plugin.Blosc()),
}


def stored(file: h5py.File, name: str = "x") -> StoredDataset:
    return StoredDataset(file, name, file[name].id)


def read(dataset: StoredDataset) -> np.ndarray:
    ends = [min(s + dataset.chunk_rows, dataset.n) for s in dataset.starts()]
    return np.concatenate(
        [dataset.read(s, e) for s, e in zip(dataset.starts(), ends, strict=True)]
    )


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        yield file


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f8", ">u2"])
@pytest.mark.parametrize("filters", [*DIRECT, *BY_HDF5])
def test_all_rows_are_read(file, filters, dtype):
    if filters == "scaleoffset" and dtype == "f8":
        return
    rng = np.random.default_rng(1)
    data = rng.integers(0, 200, (70, 5)).astype(dtype)
    settings = DIRECT.get(filters) or BY_HDF5.get(filters, {})
    file.create_dataset("x", data=data, chunks=(16, 5), **settings)
    dataset = stored(file)
    assert dataset.direct == (filters in DIRECT)
    assert dataset.lossy == (filters in BY_HDF5)
    found = read(dataset)
    assert dataset.read(0, 1).dtype == data.dtype
    np.testing.assert_array_equal(found, data)


@pytest.mark.parametrize("chunks", [None, (16, 2), (100, 5)])
def test_chunks_of_any_shape(file, chunks):
    data = np.arange(350, dtype=np.uint16).reshape(70, 5)
    file.create_dataset("x", data=data, chunks=chunks, maxshape=(None, 5))
    np.testing.assert_array_equal(read(stored(file)), data)


@pytest.mark.parametrize("mask", [0b01, 0b10, 0b11])
def test_a_chunk_that_is_stored_without_a_filter(tmp_path, mask):
    data = np.arange(64, dtype=np.uint16)
    payload = data.tobytes()
    if not mask & 0b01:
        payload = data.view(np.uint8).reshape(-1, 2).T.tobytes()
    if not mask & 0b10:
        payload = zlib.compress(payload)
    with h5py.File(tmp_path / "masked.h5", "w") as file:
        settings = {"chunks": (64,), "shuffle": True, "compression": "gzip"}
        dataset = file.create_dataset("x", (0,), "u2", maxshape=(None,), **settings)
        dataset.id.set_extent((64,))
        dataset.id.write_direct_chunk((0,), payload, mask)
    with h5py.File(tmp_path / "masked.h5") as file:
        np.testing.assert_array_equal(file["x"][...], data)
        np.testing.assert_array_equal(read(stored(file)), data)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"no deflate", "cannot be decompressed"),
        (b"\x78\x9c\x03\x00\x00\x00\x00\x01", "0 bytes, expected 128"),
    ],
)
def test_damaged_chunks(file, payload, text):
    dataset = file.create_dataset("x", (64,), "u2", chunks=(64,), compression="gzip")
    dataset.id.write_direct_chunk((0,), payload)
    with pytest.raises(UnreadableError, match=text):
        read(stored(file))


def test_missing_chunk(file):
    file.create_dataset("x", (64,), "u2", chunks=(64,), compression="gzip")
    with pytest.raises(UnreadableError, match="the chunk is missing"):
        read(stored(file))


@pytest.mark.parametrize("filters", ["checksum", "lzf", "zstd"])
def test_each_changed_bit_is_found_or_changes_rows(file, filters):
    data = np.arange(64, dtype=np.uint16)
    settings = DIRECT.get(filters) or BY_HDF5[filters]
    dataset = file.create_dataset("x", data=data, chunks=(64,), **settings)
    mask, payload = dataset.id.read_direct_chunk((0,))
    for bit in range(0, 8 * len(payload), 7):
        changed = bytearray(payload)
        changed[bit // 8] ^= 1 << bit % 8
        dataset.id.write_direct_chunk((0,), bytes(changed), mask)
        file.flush()
        try:
            found = read(stored(file))
        except UnreadableError:
            continue
        try:
            # HDF5 takes such a chunk, too
            np.testing.assert_array_equal(found, h5py.Dataset(dataset.id)[...])
        except OSError:
            pytest.fail(f"bit {bit}: only HDF5 refuses it")


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, 131072, 131073, 300001])
def test_checksums_equal_hdf5s(size):
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert fletcher32(data) == of_the_writer(data)
    assert fletcher32(b"\xff" * size) == of_the_writer(b"\xff" * size)


def test_lossy_filters_are_applied_again(file):
    data = np.random.default_rng(2).normal(100, 10, 40)
    file.create_dataset("x", data=data, chunks=(40,), maxshape=(None,), scaleoffset=1)
    dataset = stored(file)
    found = read(dataset)
    assert (found != data).any()
    np.testing.assert_array_equal(dataset.refiltered(data), found)


@pytest.mark.parametrize("compression", ["blosc2", "bitshuffle", "lz4", "bzip2"])
def test_a_new_process_reads_the_filters_of_hdf5plugin(daq, tmp_path, compression):
    """It loads the plugin itself."""
    out = tmp_path / "x.lh5"
    build_raw(daq, out_spec=out, hdf5_settings={"compression": compression})
    for arguments in ([out], [out, daq]):
        command = [sys.executable, "-m", "daq2lh5", "verify", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert ": good; " in done.stdout


def test_a_filter_that_refuses_its_stored_settings(daq, tmp_path):
    out = tmp_path / "x.lh5"
    settings = {"compression": hdf5plugin.SZ3(absolute=3)}
    spec = {
        "FCEventDecoder": {
            "ev": {"key_list": ["*"], "out_stream": str(out), "hdf5_settings": settings}
        }
    }
    build_raw(daq, out_spec=spec)
    result = verify(out, daq, threads=1)
    assert result.differences == []
    assert result.exit_status == 1
    assert any("cannot be applied again" in text for text in result.unverified)
