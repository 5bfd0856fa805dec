"""The structure of LH5 files, without the DAQ file."""

from __future__ import annotations

import h5py
import lgdo
import lh5
import numpy as np
import pytest

from daq2lh5.verification.differences import Differences
from daq2lh5.verification.structure import check_structure
from daq2lh5.writing.pipeline import Pipeline


def check(path, threads: int = 1) -> Differences:
    differences = Differences()
    pipeline = Pipeline(threads, 2**20)
    with h5py.File(path) as file:
        check_structure(file, differences, pipeline, lambda: None)
    pipeline.close()
    return differences


def texts(path) -> list[str]:
    return [str(d) for d in check(path).listed]


@pytest.mark.parametrize("threads", [1, 3])
def test_outputs_are_good(output, threads):
    assert check(output, threads).listed == []


def test_files_of_lh5_are_good(tmp_path):
    path = tmp_path / "x.lh5"
    wf = lgdo.WaveformTable(values=np.arange(3000, dtype=np.uint16).reshape(30, 100))
    wf.values.attrs["compression"] = lh5.compression.ULEB128ZigZagDiff()
    table = lgdo.Table(
        {
            "waveform": wf,
            "flag": lgdo.Array(np.ones(30, bool)),
            "vectors": lgdo.VectorOfVectors([[1, 2], [], [3]] * 10),
        }
    )
    lh5.write(table, "raw", path, group="ch1")
    lh5.write(lgdo.Struct({"a": lgdo.Scalar("b")}), "info", path)
    assert texts(path) == []
    with h5py.File(path) as file:
        found = check_structure(file, Differences(), Pipeline(), lambda: None)
    assert found.tables == {"ch1/raw": 30, "ch1/raw/waveform": 30}


def resize(name, n):
    def how(file):
        file[name].resize(n, axis=0)

    return how


def delete(name):
    def how(file):
        del file[name]

    return how


def datatype(name, text):
    def how(file):
        file[name].attrs["datatype"] = text

    return how


def add_column(file):
    file["FCEvent/new"] = np.arange(90)
    file["FCEvent/new"].attrs["datatype"] = "array<1>{real}"


def without_datatype(file):
    file["new"] = np.arange(90)


def break_chunk(file):
    dataset = file["FCEvent/waveform/values"].id
    mask, payload = dataset.read_direct_chunk((0, 0))
    dataset.write_direct_chunk((0, 0), payload[:40], mask)


PROBLEMS = [
    (resize("FCEvent/baseline", 20), "FCEvent/baseline: 20 rows, other columns"),
    (resize("FCEvent/waveform/t0", 20), "FCEvent/waveform/t0: 20 rows"),
    (delete("FCEvent/baseline"), "FCEvent/baseline: is missing"),
    (delete("FCEvent/waveform/dt"), "FCEvent/waveform/dt: is missing"),
    (datatype("FCEvent/baseline", "array<2>{real}"), "1 dimensions do not fit"),
    (datatype("FCEvent/baseline", "array<1>{string}"), "do not fit the datatype"),
    (datatype("FCEvent/baseline", "array<"), "it is not an LH5 object"),
    (datatype("FCEvent/waveform", "array<3>{real}"), "waveform"),
    (add_column, "FCEvent/new: is not in the datatype"),
    (without_datatype, "new: no datatype"),
    (break_chunk, "FCEvent/waveform/values, row 0: the chunk cannot be decompressed"),
]


@pytest.mark.parametrize(("how", "text"), PROBLEMS)
def test_problems_are_found(output, change, how, text):
    change(how)
    assert any(text in found for found in texts(output)), texts(output)


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ([2, 2, 3, 1, 6], "x/cumulative_length, row 3: 1 after 3: lengths never fall"),
        ([2, 2, 3, 5, 7], "x/cumulative_length: the last length is 7, flattened_data"),
    ],
)
def test_lengths_of_vectors(tmp_path, ends, text):
    path = tmp_path / "x.lh5"
    lh5.write(lgdo.VectorOfVectors([[1, 2], [], [3], [4, 5], [6]]), "x", path)
    assert texts(path) == []
    with h5py.File(path, "r+") as file:
        file["x/cumulative_length"][:] = ends
    assert text in texts(path)[0]


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_group("a").attrs["datatype"] = "table{b}"
        file["a/b"] = np.arange(3)
    assert texts(path) == ["a/b: no datatype: it is not an LH5 object"]


def test_links_out_of_the_file(output, change):
    def how(file):
        for name, link in (
            ("baseline", h5py.ExternalLink("other.lh5", "FCEvent/baseline")),
            ("fcid", h5py.SoftLink("/FCEvent/channel")),
        ):
            if name in file["FCEvent"]:
                del file["FCEvent"][name]
            file["FCEvent"][name] = link

    change(how)
    found = "\n".join(texts(output))
    assert "baseline: is a link to other.lh5:FCEvent/baseline" in found
    assert "fcid: is a link to /FCEvent/channel" in found


def test_groups_that_contain_themselves(tmp_path):
    """Objects are checked once, whatever the number of their names."""
    path = tmp_path / "x.lh5"
    with h5py.File(path, "w") as file:
        group = file.create_group("a")
        group.attrs["datatype"] = "struct{a,b}"
        group["a"] = group
        for _ in range(25):
            inner = group.create_group("b")
            inner.attrs["datatype"] = "struct{a,b}"
            group["c"] = inner
            group = inner
        group.attrs["datatype"] = "struct{}"
        found = check_structure(file, Differences(), Pipeline(), lambda: None)
    assert ["a", "a/a"] in found.names
    assert len(found.names) == 26


def test_many_groups_inside_each_other(tmp_path):
    path = tmp_path / "x.lh5"
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(500):
            group = group.create_group("a")
            group.attrs["datatype"] = "struct{a}"
    assert "more than 64 groups around it" in texts(path)[0]
