"""Buffers viewed as Arrow tables, and Parquet files of them.

There is no pyarrow among what the package needs: without it these tests are skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lgdo
import numpy as np
import pytest
from kit.places import TESTDATA
from kit.writers import compass as writer
from kit.writers import fcio

from daq2lh5 import open_stream
from daq2lh5.compass.compass_streamer import CompassStreamer

if TYPE_CHECKING:
    from pathlib import Path

    from daq2lh5.raw_buffer import RawBuffer

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def written(rb: RawBuffer, path: Path) -> Any:
    """Write the rows of a buffer to a Parquet file, and read it."""
    table = rb.lgdo.view_as("arrow")
    table.validate(full=True)
    assert table.num_rows == len(rb.lgdo)
    pq.write_table(table.slice(0, rb.loc), path)
    found = pq.read_table(path)
    assert found.num_rows == rb.loc
    return found


def check(rb: RawBuffer, found: Any) -> None:
    """Compare with the buffer's own columns."""
    for name, column in rb.lgdo.items():
        values = found[name].combine_chunks()
        parts = {"": (column, values)}
        if isinstance(column, lgdo.Table):
            parts = {k: (column[k], values.field(k)) for k in ("t0", "dt", "values")}
        for ours, theirs in parts.values():
            for i, value in enumerate(theirs.to_pylist()):
                wanted = ours[i] if hasattr(ours, "flattened_data") else ours.nda[i]
                np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("n_samples", [40, 0, (10, 25, 0, 7)])
def test_compass(n_samples, tmp_path):
    """Waveforms of one length, none, lists: chunk by chunk, the tables unchanged."""
    form = writer.form(0xCAED)
    made = writer.events(form, 61, channels=[(0, 0)], n_samples=n_samples)
    path = tmp_path / "run.BIN"
    path.write_bytes(writer.file(form, made))
    streamer = CompassStreamer()
    streamer.open_stream(str(path), buffer_size=20)
    assert streamer.header.view_as is not None
    energies: list[int] = []
    # a table that the user took at the start
    table = streamer.rb_lib["CompassEventDecoder"][0].lgdo
    for chunk in streamer:
        (rb,) = chunk
        assert rb is streamer.rb_lib["CompassEventDecoder"][0]
        assert rb.lgdo is table
        table.view_as("arrow").validate(full=True)
        found = written(rb, tmp_path / "x.parquet")
        check(rb, found)
        energies += found["energy"].to_pylist()
    streamer.close_stream()
    assert energies == [event.energy for event in made]


def test_vectors_that_become_shorter(tmp_path):
    """Rows of the last chunk behind the filled ones are harmless."""
    form = writer.form(0xCAE9)
    made = writer.events(form, 45, channels=[(0, 0)], n_samples=(30, 20, 10))
    made[20:40] = made[20:40][::-1]
    path = tmp_path / "run.BIN"
    path.write_bytes(writer.file(form, made))
    with open_stream(str(path), buffer_size=20) as (streamer, _):
        (rb,) = streamer.rb_lib["CompassEventDecoder"]
        table = rb.lgdo
        for _ in streamer:
            arrow = table.view_as("arrow")
            arrow.validate(full=True)
            lengths = [len(x) for x in arrow["waveform"].combine_chunks().field(2)]
            assert sum(lengths[rb.loc :]) == 0


FILES = [
    "compass/compass_test_data.BIN",
    "fcio/L200-comm-20211130-phy-spms.fcio",
    "fcio/l200-p06-r007-cal-20230725T202227Z.fcio",
    "orca/L200-comm-20220519-phy-geds.orca",
    "orca/l200-p13-r007-aph-20250101T003931Z.orca",
    "llama/20241218-150158-pulser.bin",
]


@pytest.mark.parametrize("name", FILES)
def test_real_files(name, tmp_path):
    """Every table of every format."""
    path = TESTDATA / name
    if not path.is_file():
        pytest.skip("no real files: DAQ2LH5_TESTDATA names no directory with them")
    with open_stream(str(path)) as (streamer, _):
        chunk = next(iter(streamer))
        for rb in chunk:
            if hasattr(rb.lgdo, "resize"):
                check(rb, written(rb, tmp_path / "x.parquet"))


@pytest.mark.parametrize("kind", ["event", "header", "sparse"])
def test_many_vectors(kind, tmp_path):
    """Status records of FlashCam, headers of events, and the software trigger."""
    path = tmp_path / "run.fcio"
    path.write_bytes(fcio.make_stream(40, kind=kind, fsp=True, status_every=5))
    found = set()
    with open_stream(str(path), buffer_size=100) as (streamer, _):
        tables = [rb for _, rb in streamer.rb_lib.buffers() if rb.table is not None]
        for rb in tables:
            rb.lgdo.view_as("arrow").validate(full=True)
        for chunk in streamer:
            for rb in chunk:
                check(rb, written(rb, tmp_path / "x.parquet"))
                found.add(rb.out_name)
    event = {"header": "FCEventHeader"}.get(kind, "FCEvent")
    assert {event, "FCStatus", "FSPEvent", "FSPStatus"} <= found
