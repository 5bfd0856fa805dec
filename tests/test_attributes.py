"""Attributes of output objects: those that lh5 can read, append to, and write.

lh5 compares the names of attributes when it reads into an object that is there already
(several files, one file in pieces), and the values of those of groups when it appends.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h5py
import lh5
import numpy as np
import pytest
from kit.places import TESTDATA
from kit.writers import compass, fcio, llama, orca

import daq2lh5
from daq2lh5.buffer_processor.lh5_buffer_processor import lh5_buffer_processor
from daq2lh5.fc import columns as fc_columns
from daq2lh5.fc.shared_columns import GROUP_DESCRIPTIONS
from daq2lh5.formats import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = TESTDATA / "expected" / "attributes.json"
"""Names of the attributes in the output of legend-daq2lh5."""


def synthetic(directory: Path) -> dict[str, Path]:
    """Write a file of each format that has a writer without ROOT."""
    form = compass.form()
    contents = {
        "FlashCam": fcio.make_stream(
            12, n_channels=3, n_samples=40, kind="mixed", fsp=True, status_every=4
        ),
        "ORCA": orca.make_stream(
            n_events=12,
            n_channels=4,
            n_samples=16,
            kinds=orca.KINDS,
            listeners=2,
            fcio_options={"kind": "mixed", "fsp": True, "status_every": 5},
        ),
        "LlamaDaq": llama.make_file()[0],
        "Compass": compass.file(form, compass.events(form)),
    }
    files = {}
    for name, content in contents.items():
        files[name] = directory / f"{name}.dat"
        files[name].write_bytes(content)
    return files


@pytest.fixture(scope="module", params=["FlashCam", "ORCA", "LlamaDaq", "Compass"])
def output(request, tmp_path_factory):
    """A converted file of each format."""
    directory = tmp_path_factory.mktemp("attributes")
    source = synthetic(directory)[request.param]
    out = directory / "out.lh5"
    daq2lh5.build_raw(source, request.param, out_spec=out)
    return out


def tables(file: Path) -> list[str]:
    """Return the paths of all tables of a file."""
    found: list[str] = []

    def visit(path: str, node: h5py.HLObject) -> None:
        inside = any(path.startswith(f"{t}/") for t in found)
        if node.attrs.get("datatype", "").startswith("table{") and not inside:
            found.append(path)

    with h5py.File(file) as f:
        f.visititems(visit)
    return found


def attribute_names(file: Path, path: str) -> dict[str, list[str]]:
    """Return the names of the attributes of an object and its members."""
    with h5py.File(file) as f:
        names = {"": sorted(f[path].attrs)}
        f[path].visititems(lambda p, node: names.update({p: sorted(node.attrs)}))
    return names


def test_every_format_is_tested_here_or_has_no_writer_here():
    tested = {"FlashCam", "ORCA", "LlamaDaq", "Compass"}
    assert {f.name for f in FORMATS} - tested == {"MGDO"}


def test_a_group_has_only_what_lh5_keeps(output):
    """Waveforms and tables have a datatype only: lh5 drops all other attributes."""
    found = 0
    with h5py.File(output) as f:

        def visit(_path, node):
            nonlocal found
            datatype = node.attrs.get("datatype", "")
            if isinstance(node, h5py.Group) and datatype.startswith("table{"):
                assert list(node.attrs) == ["datatype"]
                found += 1

        f.visititems(visit)
    assert found


def test_what_lh5_writes_has_the_same_attributes(output, tmp_path):
    for path in tables(output):
        lh5.write(lh5.read(path, output), "copy", tmp_path / "copy.lh5", wo_mode="of")
        wanted = attribute_names(tmp_path / "copy.lh5", "copy")
        assert attribute_names(output, path) == wanted, path


def test_several_files_are_read_as_one(output, tmp_path):
    """Our files twice, and together with those of lh5, in both orders."""
    for path in tables(output):
        once = lh5.read(path, output)
        lh5.write(once, path, tmp_path / "theirs.lh5", wo_mode="of")
        for files in (
            [output, output],
            [output, tmp_path / "theirs.lh5"],
            [tmp_path / "theirs.lh5", output],
        ):
            twice = lh5.read(path, [str(f) for f in files])
            assert len(twice) == 2 * len(once), path


def test_tables_are_iterated_over(output):
    for path in tables(output):
        n = 0
        for chunk in lh5.LH5Iterator(str(output), path, buffer_len=3):
            n += len(chunk)
        assert n == len(lh5.read(path, output)), path


def test_rows_are_appended_by_lh5(output, tmp_path):
    for path in tables(output):
        rows = lh5.read(path, output)
        copy = tmp_path / "copy.lh5"
        copy.write_bytes(output.read_bytes())
        lh5.write(rows, path, copy, wo_mode="append")
        assert len(lh5.read(path, copy)) == 2 * len(rows), path


def test_lists_have_the_attributes_that_legend_daq2lh5_gives_them():
    """Values of attributes, too: lh5 compares them when it appends."""
    for table in fc_columns.TABLES:
        for column in table.columns:
            if column.kind == "vector" and column.stored is not None:
                text = GROUP_DESCRIPTIONS.get(column.name, "")
                assert column.stored == text


def test_descriptions_are_in_one_place(output):
    """An attribute of the file has them, by kind of table and column."""
    with h5py.File(output) as f:
        descriptions = json.loads(f.attrs["daq2lh5_columns"])
        report = json.loads(f.attrs["daq2lh5_report"])
    assert descriptions
    assert all(text for kind in descriptions.values() for text in kind.values())
    fields_of = {t: set(lh5.read(t, output).keys()) for t in tables(output)}
    for kind, columns in descriptions.items():
        members = [
            fields
            for t, fields in fields_of.items()
            if t.split("_")[0].startswith(kind.removeprefix("FC"))
        ]
        if members:
            assert any(fields <= set(columns) for fields in members), kind
    assert report["status"] == 0


def test_descriptions_stay_with_what_is_processed(output, tmp_path):
    spec = {"window": ["waveform", 0, 0, "windowed"]}
    lh5_buffer_processor(
        str(output), out_spec=spec, proc_file_name=str(tmp_path / "proc.lh5")
    )
    with h5py.File(output) as f, h5py.File(tmp_path / "proc.lh5") as g:
        assert f.attrs["daq2lh5_columns"] == g.attrs["daq2lh5_columns"]


class TestExtraColumns:
    EXTRA = ("timestamp_ps", "waveform_code")

    @pytest.fixture
    def run(self, tmp_path):
        return synthetic(tmp_path)["Compass"]

    def test_are_left_out_by_default(self, run, tmp_path):
        daq2lh5.build_raw(run, "Compass", tmp_path / "out.lh5")
        with h5py.File(tmp_path / "out.lh5") as f:
            assert not set(self.EXTRA) & set(f["CompassEvent"])
            described = json.loads(f.attrs["daq2lh5_columns"])["CompassEvent"]
        assert not set(self.EXTRA) & set(described)

    def test_are_written_on_request(self, run, tmp_path):
        daq2lh5.build_raw(run, "Compass", tmp_path / "out.lh5", extra_columns=True)
        table = lh5.read("CompassEvent", tmp_path / "out.lh5")
        assert set(self.EXTRA) <= set(table.keys())
        times = table["timestamp_ps"].nda.astype(float)
        assert np.array_equal(times, table["timestamp"].nda)
        with h5py.File(tmp_path / "out.lh5") as f:
            described = json.loads(f.attrs["daq2lh5_columns"])["CompassEvent"]
        assert set(table.keys()) == set(described)

    def test_of_an_open_stream(self, run):
        with daq2lh5.open_stream(run, "Compass", extra_columns=True) as (streamer, _):
            rb = streamer.rb_lib["CompassEventDecoder"][0]
            assert set(self.EXTRA) <= set(rb.lgdo.keys())


@pytest.mark.skipif(
    not EXPECTED.is_file(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory with them",
)
@pytest.mark.parametrize(
    "name", json.loads(EXPECTED.read_text()) if EXPECTED.is_file() else []
)
def test_real_files_have_the_attributes_of_legend_daq2lh5(name, tmp_path):
    source = next(TESTDATA.glob(f"*/{name}"))
    daq2lh5.build_raw(str(source), out_spec=str(tmp_path / "out.lh5"))
    wanted = json.loads(EXPECTED.read_text())[name]
    with h5py.File(tmp_path / "out.lh5") as f:
        found = {path: sorted(f[path].attrs) for path in wanted}
    assert found == wanted
