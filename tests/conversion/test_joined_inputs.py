"""Several files as one input: one stream, one output, places in each file."""

from __future__ import annotations

import gzip
import json
import os
import threading
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from kit.places import TESTDATA
from kit.writers import compass, fcio, llama

from daq2lh5 import build_raw
from daq2lh5.build_raw import open_stream
from daq2lh5.conversion.provenance import inputs_of
from daq2lh5.conversion.stored_reports import read_report

if TYPE_CHECKING:
    from pathlib import Path

real_files = pytest.mark.skipif(not TESTDATA.is_dir(), reason="no real files")

STREAM = fcio.make_stream(6, n_channels=3, n_samples=20, status_every=3)


@pytest.fixture
def parts(tmp_path) -> list[Path]:
    """Three files of one run, one of them compressed."""
    paths = [tmp_path / name for name in ("run.fcio", "run_1.fcio.gz", "run_2.fcio")]
    for path in paths:
        data = gzip.compress(STREAM) if path.suffix == ".gz" else STREAM
        path.write_bytes(data)
    return paths


def content_of(path: Path) -> dict[str, tuple[bytes | None, list[str]]]:
    """Return bytes and attributes of all objects but the root group."""
    found = {}

    def look(name, obj):
        value = np.asarray(obj[()]).tobytes() if isinstance(obj, h5py.Dataset) else None
        found[name] = (value, sorted(map(str, obj.attrs.items())))

    with h5py.File(path) as f:
        f.visititems(look)
    return found


def test_the_output_equals_the_output_of_the_joined_stream(parts, tmp_path):
    (tmp_path / "all.fcio").write_bytes(3 * STREAM)
    report = build_raw(parts, out_spec=tmp_path / "joined.lh5")
    build_raw(tmp_path / "all.fcio", out_spec=tmp_path / "all.lh5")
    assert content_of(tmp_path / "joined.lh5") == content_of(tmp_path / "all.lh5")
    assert report.n_bytes == 3 * len(STREAM)
    assert report.exit_status == 0
    starts = [n * len(STREAM) for n in range(3)]
    assert report.starts == dict(zip(map(str, parts), starts, strict=True))


@real_files
@pytest.mark.parametrize(
    "name",
    [
        "orca/L200-comm-20220519-phy-geds.orca",
        "llama/20241218-150158-pulser.bin",
        "compass/compass_test_data.BIN",
    ],
)
def test_real_files(tmp_path, name):
    path = TESTDATA / name
    (tmp_path / "all").mkdir()
    # (names may have the time of the run)
    whole = tmp_path / "all" / path.name
    whole.write_bytes(2 * path.read_bytes())
    (tmp_path / path.name).write_bytes(path.read_bytes())
    settings = {}
    if "compass" in name:
        settings["compass_config_file"] = (
            TESTDATA / "compass/compass_test_data_settings.xml"
        )
    build_raw([path, tmp_path / path.name], out_spec=tmp_path / "j.lh5", **settings)
    build_raw(whole, out_spec=tmp_path / "a.lh5", **settings)
    assert content_of(tmp_path / "j.lh5") == content_of(tmp_path / "a.lh5")


def test_damage_is_placed_in_its_file(parts, tmp_path):
    parts[2].write_bytes(STREAM[:-10])
    report = build_raw(parts, out_spec=tmp_path / "x.lh5")
    assert report.exit_status == 3
    at = report.damage[0].offset - 2 * len(STREAM)
    assert any(f"{parts[2]}: byte {at}, " in line for line in report.lines())
    stored = read_report(str(tmp_path / "x.lh5"))
    assert stored["starts"] == [n * len(STREAM) for n in range(3)]
    assert str(tmp_path) not in json.dumps(stored)


def test_provenance_has_all_files(parts, tmp_path):
    build_raw(parts, out_spec=tmp_path / "x.lh5", hash_input=True)
    stored = read_report(str(tmp_path / "x.lh5"))
    assert [i["name"] for i in inputs_of(stored)] == [p.name for p in parts]
    assert {len(i["sha256"]) for i in inputs_of(stored)} == {64}


def test_files_of_several_formats_are_refused(parts, tmp_path):
    other = tmp_path / "x.bin"
    other.write_bytes(llama.make_file()[0])
    with pytest.raises(ValueError, match=r"FlashCam data and .*LlamaDaq data: join"):
        build_raw([*parts, other], out_spec=tmp_path / "x.lh5")
    assert not (tmp_path / "x.lh5").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"junk", "not recognized"),
        (STREAM[:10], "not recognized"),
        (b"12345678" + STREAM[8:], "not recognized"),
        (gzip.compress(STREAM)[:15], "gzip"),
    ],
)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_gap_in_a_run_is_refused(parts, tmp_path, number, content, message):
    parts[number].write_bytes(content)
    with pytest.raises(RuntimeError, match=message) as found:
        build_raw(parts, out_spec=tmp_path / "x.lh5")
    assert str(parts[number]) in str(found.value)
    assert not (tmp_path / "x.lh5").exists()


def test_empty_files_of_a_channel_are_no_gaps(tmp_path):
    form = compass.form()
    names = ["DataR_CH0@DT5730S_1_run.BIN", "DataR_CH0@DT5730S_1_run_1.BIN"]
    (tmp_path / names[0]).write_bytes(compass.file(form, compass.events(form)))
    (tmp_path / names[1]).write_bytes(b"")
    files = [tmp_path / name for name in names]
    report = build_raw(files, out_spec=tmp_path / "x.lh5")
    assert report.exit_status == 0
    assert report.starts[str(files[1])] == report.n_bytes


def test_files_of_a_given_format_need_not_be_recognized(parts, tmp_path):
    parts[1].write_bytes(STREAM[8:])
    report = build_raw(parts, "FlashCam", out_spec=tmp_path / "x.lh5")
    assert report.exit_status == 3
    parts[1].write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"run_1\.fcio\.gz is empty"):
        build_raw(parts, "FlashCam", out_spec=tmp_path / "y.lh5")


def test_a_link_to_a_missing_file_is_refused(parts, tmp_path):
    parts[1].unlink()
    parts[1].symlink_to(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"run_1\.fcio\.gz"):
        build_raw(parts, out_spec=tmp_path / "x.lh5")


def test_pipes_are_read_once(parts, tmp_path):
    parts[1].unlink()
    os.mkfifo(parts[1])
    writer = threading.Thread(target=parts[1].write_bytes, args=(STREAM,))
    writer.start()
    report = build_raw(parts, out_spec=tmp_path / "x.lh5")
    writer.join()
    assert (report.exit_status, report.n_bytes) == (0, 3 * len(STREAM))


@real_files
def test_trees_cannot_be_joined(tmp_path):
    tree = next((TESTDATA / "mgdo").glob("*.root"))
    copy = tmp_path / "copy.root"
    copy.write_bytes(tree.read_bytes())
    with pytest.raises(NotImplementedError, match="cannot be joined"):
        build_raw([tree, copy], out_spec=tmp_path / "x.lh5")


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ([], ValueError, "empty list"),
        ([0, 0], ValueError, "twice"),
        ([0, "none.fcio"], FileNotFoundError, "not found"),
    ],
)
def test_wrong_lists(parts, tmp_path, names, error, message):
    files = [parts[n] if isinstance(n, int) else tmp_path / n for n in names]
    with pytest.raises(error, match=message):
        build_raw(files, out_spec=tmp_path / "x.lh5")


def test_streams_of_several_files_are_iterated_over(parts):
    with open_stream(parts) as (streamer, _):
        rows = sum(
            rb.loc for chunk in streamer for rb in chunk if "Event" in rb.out_name
        )
    assert rows == 3 * 6 * 3
