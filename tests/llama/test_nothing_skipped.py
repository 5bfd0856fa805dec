"""llamaDAQ: without a specification nothing is skipped.

Channels that no header announces, and joined files: all of their rows are in the
output, with notes about unknown values.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.decoding.llama import decode
from kit.reference import llama as reference
from kit.writers import llama as writer
from kit.writers import llama_old
from kit.writers.llama import Channel
from kit.writers.llama_old import OldChannel

import daq2lh5

SPECS: dict[str, Any] = {
    "none": None,
    "all": {"*": {"{name}": {"key_list": ["*"], "out_stream": "OUT"}}},
    "one table": {
        "LLAMAEventDecoder": {"raw": {"key_list": ["*"], "out_stream": "OUT"}}
    },
    "by channel": {
        "LLAMAEventDecoder": {
            "ch{key:04d}/raw": {"key_list": ["*"], "out_stream": "OUT"}
        }
    },
}


def convert(folder: Path, data: bytes, spec: str = "none") -> tuple[Any, list[dict]]:
    """Convert bytes; return the report and all rows of all tables, with the table."""
    path, out = folder / "run", str(folder / "out.lh5")
    path.write_bytes(data)
    content = {
        decoder: {name: b | {"out_stream": out} for name, b in buffers.items()}
        for decoder, buffers in (SPECS[spec] or {}).items()
    }
    report = daq2lh5.build_raw(path, out_spec=content or out, overwrite=True)
    assert report.n_bytes == len(data)
    rows: list[dict] = []

    def visit(name: str, group: Any) -> None:
        if not isinstance(group, h5py.Group) or "packet_id" not in group:
            return
        if "garbage" in name:
            return
        columns: dict[str, np.ndarray] = {}

        def keep(path: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                columns[path] = item[:]

        group.visititems(keep)
        for i in range(len(columns["packet_id"])):
            rows.append({n: c[i] for n, c in columns.items()} | {"table": name})

    with h5py.File(out) as f:
        f.visititems(visit)
    return report, sorted(rows, key=lambda row: row["packet_id"])


def signature(row: dict[str, Any]) -> bytes:
    """Describe a row by the contents of its event."""
    names = sorted(set(row) - {"packet_id", "table"})
    return b"|".join(np.asarray(row[n], float).tobytes() for n in names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("all")


@st.composite
def channels_of_file(draw: Any, fewest: int = 1) -> list[Channel]:
    keys = draw(
        st.lists(st.integers(0, 4095), min_size=fewest, max_size=6, unique=True)
    )
    return [
        Channel(
            fadc=key >> 4,
            channel=key & 15,
            flags=draw(st.integers(0, 7)),
            sample_freq=draw(st.sampled_from([250.0, 125.0])),
            format_bits=draw(st.sampled_from([3, 15, 0, 8])),
            avg_mode=draw(st.integers(0, 3)),
            sample_length=draw(st.sampled_from([8, 20])),
            avg_sample_length=draw(st.sampled_from([0, 6])),
        )
        for key in keys
    ]


@given(
    channels=channels_of_file(),
    n_announced=st.integers(1, 6),
    spec=st.sampled_from(list(SPECS)),
    seed=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_headers_at_random(folder, channels, n_announced, spec, seed):
    """Closed and unannounced channels have rows."""
    for c in channels:
        # without an averaging mode, averages are doubtful
        c.avg_sample_length *= c.avg_mode > 0
    data, places = writer.make_file(channels, n_events=3, seed=seed)
    announced = channels[:n_announced]
    head = 16 + 88 * len(channels)
    report, rows = convert(folder, writer.header(announced) + data[head:], spec)
    assert report.bytes["skipped"] == report.bytes["unknown"] == 0
    assert report.bytes["corrupt"] == report.bytes["cut_off"] == 0, report.lines()
    assert [r["fadc_channel_id"] for r in rows] == [p.key for p in places]
    assert [r["packet_id"] for r in rows] == list(range(1, len(places) + 1))
    wanted = {
        r["packet_id"]: r for rs in reference.read_rows(data).values() for r in rs
    }
    known = {c.key for c in announced}
    shared = {r["table"] for r in rows if r["fadc_channel_id"] in known}
    for row in rows:
        right = wanted[row["packet_id"]]
        assert row.keys() - {"table"} == right.keys()
        for name, value in right.items():
            if row["fadc_channel_id"] not in known and name.endswith(
                ("/dt", "/t0", "unixtime", "run_start")
            ):
                assert np.isnan(row[name])
                assert row["table"] not in shared
            else:
                np.testing.assert_array_equal(row[name], value, name)
    for channel in channels[n_announced:]:
        text = f"channel {channel.key} has events without a configuration"
        assert any(text in note for note in report.notes)
    assert (report.exit_status == 0) == (n_announced >= len(channels))


def test_key_that_the_user_names(tmp_path):
    """A buffer for a channel that the header lacks gets its rows."""
    channels = [Channel(), Channel(channel=4), Channel(channel=5, format_bits=15)]
    data, _ = writer.make_file(channels, n_events=3)
    data = writer.header(channels[:1]) + data[16 + 3 * 88 :]
    path, out = tmp_path / "run", str(tmp_path / "o.lh5")
    path.write_bytes(data)
    spec = {"LLAMAEventDecoder": {"a": {"key_list": [0, 5], "out_stream": out}}}
    report = daq2lh5.build_raw(path, out_spec=spec)
    with h5py.File(out) as f:
        assert f["a/fadc_channel_id"][:].tolist() == [0] * 3
        assert f["a_5/fadc_channel_id"][:].tolist() == [5] * 3
        assert f["a_5/max_energy"].shape == (3,)
    assert report.skipped_channels["LLAMAEventDecoder"] == {"4": 3}
    assert report.packets["decoded"] == 6


def test_how_many_channels_may_be_unannounced(tmp_path):
    """Random words must not make thousands of tables."""
    channels = [Channel(fadc=i, sample_length=2, avg_mode=0) for i in range(80)]
    for c in channels:
        c.avg_sample_length = 0
    data, _ = writer.make_file(channels, n_events=1)
    report, rows = convert(tmp_path, writer.header(channels[:1]) + data[16 + 80 * 88 :])
    assert len(rows) == 65
    assert report.bytes["corrupt"] == 15 * 4 * channels[0].words


# --- joined files -------------------------------------------------------------------


def file_of(kind: str) -> tuple[bytes, bytes]:
    """Return a header, and the events behind it."""
    if kind.startswith("old"):
        channels = [OldChannel(channel=c, format_bits=1) for c in (0, 4)]
        if kind == "old 80":
            channels.append(OldChannel(channel=2, sample_length=20, sample_freq=125.0))
        banks = [[1, 2, 1][: len(channels)]] * 4
        size = 80 if kind == "old 80" else 68
        file = llama_old.make_file(channels, banks, size=size, seed=len(kind))
        return file.data[: file.head], file.data[file.head :]
    channels = {
        "new": [Channel(), Channel(channel=4)],
        "slower": [Channel(sample_freq=125.0), Channel(channel=4)],
        "longer": [Channel(sample_length=40), Channel(channel=9)],
        "other": [Channel(fadc=3, format_bits=15), Channel(channel=4, format_bits=0)],
        "header only": [Channel(channel=11)],
    }[kind]
    n = 0 if kind == "header only" else 4
    data, _ = writer.make_file(channels, n_events=n, seed=len(kind))
    head = 16 + 88 * len(channels)
    return data[:head], data[head:]


KINDS = ("new", "slower", "longer", "other", "header only", "old 68", "old 80")


@functools.cache
def rows_alone(kind: str) -> tuple[bytes, ...]:
    """Return the rows of a single file."""
    with tempfile.TemporaryDirectory() as folder:
        rows = convert(Path(folder), b"".join(file_of(kind)))[1]
    return tuple(map(signature, rows))


@pytest.mark.parametrize("first", KINDS)
def test_joined_files_give_what_each_gives(tmp_path, first):
    """Any two files, in both orders, give the union, and a header for each."""
    for i, second in enumerate(KINDS):
        kinds = (first, second, first)
        data = b"".join(part for kind in kinds for part in file_of(kind))
        spec = list(SPECS)[(i + KINDS.index(first)) % len(SPECS)]
        report, rows = convert(tmp_path, data, spec)
        wanted = [s for kind in kinds for s in rows_alone(kind)]
        assert [signature(r) for r in rows] == wanted, second
        assert report.clean, report.lines()
        assert report.bytes["decoded"] == len(data)
        assert any("files were joined" in note for note in report.notes)


def test_joined_files_have_their_headers(tmp_path):
    """One struct for each header that differs from those before."""
    kinds = ("new", "old 80", "new", "longer", "old 80")
    convert(tmp_path, b"".join(part for kind in kinds for part in file_of(kind)))
    with h5py.File(tmp_path / "out.lh5") as f:
        assert {n for n in f if n.startswith("LLAMAHeader")} == {
            *("LLAMAHeader", "LLAMAHeader_2", "LLAMAHeader_3")
        }
        assert f["LLAMAHeader/length_econf"][()] == 88
        assert f["LLAMAHeader_2/length_econf"][()] == 80
        assert f["LLAMAHeader_3/fch_09/sample_length"][()] == 8


def test_joined_to_a_file_that_is_cut_off(tmp_path):
    """Wherever the first file ends, the second file's rows are complete."""
    for first in ("new", "old 68", "old 80"):
        for second in ("new", "old 68"):
            header, events = file_of(first)
            other = b"".join(file_of(second))
            wanted = list(rows_alone(second))
            for cut in range(0, len(events), 13):
                path = tmp_path / "run"
                path.write_bytes(header + events[:cut] + other)
                decoded = decode(path)
                rows = sorted(
                    (row for rows in decoded.rows.values() for row in rows),
                    key=lambda row: row["packet_id"],
                )
                found = [signature(row) for row in rows]
                assert found[-len(wanted) :] == wanted, (first, second, cut)
                assert decoded.report.bytes["skipped"] == 0
                assert decoded.report.n_bytes == path.stat().st_size


def test_joined_header_that_contradicts_itself(tmp_path):
    """It counts as damage, and the events behind it are read as before."""
    header, events = file_of("new")
    bad = writer.header([Channel(), Channel(channel=1, event_length=3)])
    report, rows = convert(tmp_path, header + events + bad + events)
    assert len(rows) == 16
    assert report.bytes["corrupt"] == len(bad)
    assert any("contradict each other" in note for note in report.notes)
    assert report.exit_status == 3
