"""The streamer of FCIO files against the slow reference reader and real files.

"Format N" means section N of the FCIO format. What other tests of
FCIO need to read a stream and compare its tables is here too: `decode`, `read_lh5`,
`differences`.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import os
from typing import TYPE_CHECKING, Any

import h5py
import lh5
import numpy as np
import pytest
import zstandard
from kit.decoding.fcio import HEADERS, decode, differences, first_rows, read_lh5
from kit.decoding.tables import members, sha256
from kit.generators.fcio import KINDS, P06, SPMS, each_kind, make, real_files
from kit.pipes import fed
from kit.places import TESTDATA
from kit.reference import fcio as reference
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.fc.fc_streamer import FCStreamer

if TYPE_CHECKING:
    from pathlib import Path

    from daq2lh5.report import ConversionReport


# --- every kind of stream -----------------------------------------------------------


@each_kind
@pytest.mark.parametrize("by_lgdo", [False, True], ids=["arrays", "lgdo"])
def test_all_columns_of_all_tables_are_those_of_the_reference(kind, by_lgdo, file):
    data = make(kind)
    file.write_bytes(data)
    decoded = decode(file, by_lgdo=by_lgdo)
    wanted = reference.read_tables(data)
    assert sum(len(c.get("packet_id", [])) for c in wanted.values()) > 10
    assert differences(decoded.tables, wanted) == []
    assert decoded.report.bytes["decoded"] == len(data)
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.exit_status == 0


@each_kind
@pytest.mark.parametrize("block_size", [1, 7, 65536])
def test_block_size_changes_nothing(kind, block_size, file):
    data = make(kind, n_events=9)
    file.write_bytes(data)
    decoded = decode(file, block_size=block_size)
    assert differences(decoded.tables, reference.read_tables(data)) == []
    assert decoded.report.bytes["decoded"] == len(data)
    assert decoded.report.clean


@pytest.mark.parametrize("kind", ["mixed", "fsp", "status", "type 11"])
@pytest.mark.parametrize("chunk_mode", ["any_full", "only_full", "single_packet"])
def test_buffer_size_and_chunk_mode_change_nothing(kind, chunk_mode, file):
    """From the smallest buffers that a packet fits into; most end inside a packet."""
    data = make(kind)
    file.write_bytes(data)
    wanted = reference.read_tables(data)
    least = KINDS[kind]["n_channels"]
    n_chunks = []
    for buffer_size in (*range(least, 2 * least + 2), 1000):
        decoded = decode(file, buffer_size=buffer_size, chunk_mode=chunk_mode)
        assert differences(decoded.tables, wanted) == [], buffer_size
        assert decoded.report.bytes["decoded"] == len(data)
        n_chunks.append(decoded.n_chunks)
    if chunk_mode != "single_packet":
        assert n_chunks[0] > n_chunks[-1] == 1


def test_chunks_are_what_their_mode_says(file):
    """One packet each; or as soon as a buffer is full; or the full ones alone."""
    data = make("status", n_events=40)
    file.write_bytes(data)
    n_packets = 40 + 40 // 3
    assert decode(file, chunk_mode="single_packet").n_chunks == n_packets
    for mode, tables in (("any_full", {1, 2}), ("only_full", {1})):
        with daq2lh5.open_stream(str(file), chunk_mode=mode, buffer_size=20) as (
            streamer,
            header_data,
        ):
            header_data[0].loc = 0
            *chunks, _ = ([(len(rb), rb.loc) for rb in chunk] for chunk in streamer)
        assert {len(chunk) for chunk in chunks} <= tables
        if mode == "only_full":
            # one packet has 8 rows
            assert all(rows - loc < 8 for chunk in chunks for rows, loc in chunk)


def test_buffer_smaller_than_a_packet_is_refused(file):
    file.write_bytes(make("full"))
    decode(file, buffer_size=3)
    with pytest.raises(ValueError, match="buffer_size of 2"):
        decode(file, buffer_size=2)


@pytest.mark.parametrize("kind", ["full", "fsp", "mixed", "status"])
def test_n_max_gives_the_first_rows_in_stream_order(kind, file, tmp_path):
    """Also in the middle of a packet; configurations do not count."""
    data = make(kind)
    file.write_bytes(data)
    wanted = reference.read_tables(data)
    total = sum(
        len(c["packet_id"]) for name, c in wanted.items() if name not in HEADERS
    )
    out = tmp_path / "out.lh5"
    for n in (0, 1, 2, 3, 4, 5, 6, 7, total // 2, total - 1, total, total + 1):
        report = daq2lh5.build_raw(
            str(file), out_spec=str(out), n_max=n, overwrite=True, buffer_size=24
        )
        assert differences(read_lh5(out), first_rows(wanted, n)) == [], n
        assert report.n_bytes == len(data), n
        assert report.exit_status == 0
        rows = sum(
            t.rows
            for tables in report.tables.values()
            for name, t in tables.items()
            if name not in HEADERS
        )
        assert rows == min(n, total)


@each_kind
def test_conversion_writes_the_same_tables(kind, file, tmp_path):
    """By `build_raw`, read back with h5py."""
    data = make(kind)
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(str(file), out_spec=str(out), buffer_size=30)
    assert differences(read_lh5(out), reference.read_tables(data)) == []


# --- sources ------------------------------------------------------------------------

COMPRESSIONS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("extension", COMPRESSIONS)
@pytest.mark.parametrize("name", ["run.fcio.{}", "run.dat"])
@pytest.mark.parametrize("block_size", [None, 7])
def test_compressed_file_gives_the_same(extension, name, block_size, tmp_path):
    """Whatever its name: the content says that it is compressed."""
    data = make("fsp")
    path = tmp_path / name.format(extension)
    path.write_bytes(COMPRESSIONS[extension](data))
    with daq2lh5.open_stream(str(path)) as (streamer, _):
        assert isinstance(streamer, FCStreamer)
    decoded = decode(path, block_size=block_size)
    assert differences(decoded.tables, reference.read_tables(data)) == []
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.clean


@pytest.mark.parametrize("piece", [11, 1000, 1 << 20])
def test_named_pipe_gives_the_same(piece, tmp_path):
    data = make("fsp")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    out = tmp_path / "out.lh5"
    with fed(pipe, data, piece):
        report = daq2lh5.build_raw(str(pipe), out_spec=str(out))
    assert differences(read_lh5(out), reference.read_tables(data)) == []
    assert report.n_bytes == report.bytes["decoded"] == len(data)


@pytest.mark.parametrize("through", ["pipe", "file"])
def test_standard_input_gives_the_same(through, file, tmp_path):
    """From a pipe, and from a file that the shell opened (``< run.fcio``)."""
    data = make("mixed")
    out = tmp_path / "out.lh5"
    if through == "pipe":
        os.mkfifo(file)
        feeding = fed(file, data, 1000)
    else:
        file.write_bytes(data)
        feeding = contextlib.nullcontext()
    before = os.dup(0)
    with feeding:
        with file.open("rb", buffering=0) as stream:
            os.dup2(stream.fileno(), 0)
        try:
            daq2lh5.build_raw("-", out_spec=str(out))
        finally:
            os.dup2(before, 0)
            os.close(before)
    assert differences(read_lh5(out), reference.read_tables(data)) == []


# --- configurations in mid-stream ---------------------------------------------------


def concatenated(*streams: dict[str, Any]) -> bytes:
    return b"".join(writer.make_stream(**options) for options in streams)


SECOND_CONFIGS = {
    "equal": {"n_samples": 10, "n_channels": 3},
    "fewer channels": {"n_samples": 10, "n_channels": 2},
    "other resolution": {"n_samples": 10, "n_channels": 3, "adcbits": 12},
    "other length": {"n_samples": 17, "n_channels": 3},
    "no samples": {"n_samples": 0, "n_channels": 3},
    "other length and fewer channels": {"n_samples": 4, "n_channels": 1},
}


@pytest.mark.parametrize("second", SECOND_CONFIGS)
@pytest.mark.parametrize("chunk_mode", ["any_full", "only_full", "single_packet"])
def test_second_configuration(second, chunk_mode, file):
    """Format 9: no row is lost, and the times begin anew; also back to the first."""
    first = {"n_events": 8, "n_samples": 10, "n_channels": 3, "deadtime": True}
    data = concatenated(
        first, {**first, **SECOND_CONFIGS[second], "seed": 1}, {**first, "seed": 2}
    )
    file.write_bytes(data)
    for block_size in (None, 13):
        decoded = decode(
            file, chunk_mode=chunk_mode, buffer_size=5, block_size=block_size
        )
        assert differences(decoded.tables, reference.read_tables(data)) == []
        assert decoded.n_rows("FCConfig") == 3
        assert decoded.report.bytes["decoded"] == len(data)
        assert decoded.report.exit_status == 0


def test_other_length_of_waveforms_has_a_table_of_its_own(file, tmp_path):
    """Format 9, and the report says so."""
    data = concatenated(
        {"n_events": 4, "n_samples": 10, "n_channels": 3},
        {"n_events": 5, "n_samples": 7, "n_channels": 3},
        {"n_events": 6, "n_samples": 10, "n_channels": 3},
    )
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(str(file), out_spec=str(out))
    tables = read_lh5(out)
    assert tables["FCEvent"]["waveform/values"].shape == (30, 10)
    assert tables["FCEvent_7"]["waveform/values"].shape == (15, 7)
    assert any("FCEvent_7" in note for note in report.notes)
    wanted = reference.read_tables(data)["FCEvent"]["eventnumber"]
    found = tables["FCEvent"]["eventnumber"]
    assert list(found) == [*wanted[:12], *wanted[27:]]
    assert list(tables["FCEvent_7"]["eventnumber"]) == wanted[12:27]


def test_more_lengths_of_waveforms_than_tables(file):
    """The rest is irregular, status 3; events of known lengths are still written."""
    lengths = [*range(10, 80), 10, 11]
    options = {"n_events": 1, "n_channels": 2}
    file.write_bytes(concatenated(*({**options, "n_samples": n} for n in lengths)))
    decoded = decode(file)
    assert decoded.n_rows("FCEvent") == 2 * 67
    report = decoded.report
    assert report.irregular == {"trace not decoded: too many different lengths": 10}
    assert report.packets["skipped"] == report.bytes["skipped"] == 0
    assert report.packets["unknown"] == 5
    assert report.skipped_channels == {}
    assert sum(report.bytes.values()) == file.stat().st_size
    assert report.exit_status == 3
    assert any("more than 64 lengths" in note for note in report.notes)


def test_channels_of_a_later_configuration_are_written_too(file):
    """Format 9: the peer drops them without a word."""
    first = {"n_events": 5, "n_samples": 10, "n_channels": 2}
    data = concatenated(first, {**first, "n_channels": 4})
    file.write_bytes(data)
    decoded = decode(file)
    assert decoded.n_rows("FCEvent") == 5 * 2 + 5 * 4
    assert decoded.report.skipped_channels == {}


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Convert a real file, once."""
    done: dict[str, tuple[Path, ConversionReport]] = {}

    def convert(name: str) -> tuple[Path, ConversionReport]:
        if name not in done:
            out = tmp_path_factory.mktemp("real") / f"{name}.lh5"
            report = daq2lh5.build_raw(str(TESTDATA / "fcio" / name), out_spec=str(out))
            done[name] = out, report
        return done[name]

    return convert


@real_files
@pytest.mark.parametrize("name", [SPMS, P06])
def test_real_file_gives_what_the_reference_reads(name, converted):
    path, _ = converted(name)
    wanted = reference.read_tables((TESTDATA / "fcio" / name).read_bytes())
    tables = read_lh5(path)
    # the stray bytes at the end of one of them
    assert differences(tables, wanted) == []


@real_files
@pytest.mark.parametrize("name", [SPMS, P06])
def test_real_file_gives_what_the_peer_writes(name, converted):
    """Types, shapes, attributes and content of every object in the digest."""
    path, _ = converted(name)
    digest = json.loads((TESTDATA / "expected" / f"{name}.json").read_text())
    assert len(digest) > 30
    wrong = []
    with h5py.File(path) as file:
        for place, wanted in digest.items():
            if place not in file:
                wrong.append(f"{place}: missing")
                continue
            item = file[place]
            found: dict[str, Any] = {
                name: item.attrs[name]
                for name in ("datatype", "units")
                if name in item.attrs
            }
            kind, inside = members(found["datatype"])
            wanted_kind, wanted_inside = members(wanted["datatype"])
            if isinstance(item, h5py.Group) and kind == wanted_kind in (
                *("table", "struct"),
            ):
                # more columns than the peer's are no mistake
                if wanted_inside <= inside:
                    found["datatype"] = wanted["datatype"]
                found["kind"] = "group"
            elif isinstance(item, h5py.Group):
                found["kind"] = "group"
            else:
                found |= {
                    "kind": "dataset",
                    "shape": list(item.shape),
                    "dtype": item.dtype.newbyteorder("=").str.lstrip("<>=|"),
                    "sha256": sha256(item[()]),
                }
            if found != wanted:
                wrong.append(f"{place}: {found}, not {wanted}")
    assert wrong == []


@real_files
@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        (SPMS, [6000, 6, 0, 0, 16, 1, 1, 1, 0, 1, 0], "72632a397704d6a0"),
        (P06, [8192, 123, 0, 0, 16, 1, 1, 1, 0, 22, 50000], "d58d3f14f70af573"),
    ],
)
def test_real_configuration(name, config, words, converted):
    """Format 8.1."""
    columns = (
        *("nsamples", "nadcs", "ntriggers", "streamid", "adcbits", "sumlength"),
        *("blprecision", "mastercards", "triggercards", "adccards", "gps"),
    )
    row = read_lh5(converted(name)[0])["FCConfig"]
    assert [int(v) for column in columns for v in row[column]] == config
    assert list(row["packet_id"]) == [0]
    assert len(row["tracemap"]) == 1
    assert sha256(row["tracemap"][0])[:16] == words


def as_written(spaced: str) -> list[int]:
    return [int(word) for word in spaced.replace("/", " ").split()]


REAL_ROWS = {
    SPMS: {
        "packet_id": "1 51",
        "channel": "0 5",
        "board_id": "528 528",
        "fc_input": "0 5",
        "fcid": "0 0",
        "event_type": "1 1",
        "numtraces": "6 6",
        "eventnumber": "0 49",
        "ts_pps": "0 2",
        "ts_ticks": "134454796 17307028",
        "mu_offset_sec": "1638368781 1638368781",
        "mu_offset_usec": "654536 654535",
        "to_master_sec": "1638368781 1638368781",
        "delta_mu_usec": "-345463 -345464",
        "to_start_sec": "0 0",
        "to_start_usec": "530185 530185",
        "dr_ch_idx": "0 0",
        "dr_ch_len": "6 6",
        "baseline": "7686 7728",
        "daqenergy": "78 29",
        "unix_ns": "1638368782192355184 1638368783723763112",
        "runtime_ns": "7634184 1539043112",
        "samples": "7682 7682 7685 7681 / 7728 7728 7728 7728",
        "waveforms": "069c4a161fa77b59 cb54c13246ce4c17",
    },
    P06: {
        "packet_id": "1 2",
        "channel": "0 122",
        "board_id": "1040 272",
        "fc_input": "0 3",
        "fcid": "0 0",
        "event_type": "1 1",
        "numtraces": "123 123",
        "eventnumber": "0 1",
        "ts_pps": "0 0",
        "ts_ticks": "98833993 98984463",
        "mu_offset_sec": "1690316548 1690316548",
        "mu_offset_usec": "603 603",
        "to_master_sec": "1690316548 1690316548",
        "delta_mu_usec": "603 603",
        "to_start_sec": "0 0",
        "to_start_usec": "383400 383400",
        "dr_ch_idx": "0 0",
        "dr_ch_len": "123 123",
        "baseline": "14969 15015",
        "daqenergy": "0 0",
        "unix_ns": "1690316548395335972 1690316548395937852",
        "runtime_ns": "11935972 12537852",
        "samples": "14977 14977 14966 14964 / 15021 15021 15014 15018",
        "waveforms": "376bce991fc2d5fc 6401ede6a6c0f2de",
    },
}
"""Format 8.2: of the first and of the last row."""


@real_files
@pytest.mark.parametrize("name", REAL_ROWS)
def test_first_and_last_row_of_real_file(name, converted):
    """Format 8.2, read back with lh5."""
    table = lh5.read("FCEvent", str(converted(name)[0]))
    wanted = dict(REAL_ROWS[name])
    ends = [0, len(table) - 1]
    samples = table["waveform"]["values"].nda[ends]
    assert [sha256(row)[:16] for row in samples] == wanted.pop("waveforms").split()
    assert samples[:, :4].ravel().tolist() == as_written(wanted.pop("samples"))
    unix_ns = as_written(wanted.pop("unix_ns"))
    assert table["timestamp"].nda[ends].tolist() == [float(t) / 1e9 for t in unix_ns]
    run_ns = as_written(wanted.pop("runtime_ns"))
    for column in ("runtime", "lifetime"):
        assert table[column].nda[ends].tolist() == [float(t) / 1e9 for t in run_ns]
    assert table["deadtime"].nda[ends].tolist() == [0, 0]
    assert table["waveform"]["dt"].nda[ends].tolist() == [16, 16]
    for column, values in wanted.items():
        assert table[column].nda[ends].tolist() == as_written(values), column


@real_files
@pytest.mark.parametrize(
    ("name", "rows", "keys", "sums", "waveforms"),
    [
        (
            *(SPMS, 300, (52800, 52805, 6)),
            *((2372977, 29986, 14252540562), "2e04a3300b317974"),
        ),
        (
            *(P06, 246, (104000, 27203, 123)),
            *((3728867, 31610, 30708246173), "c0d00ee4b1f92bfd"),
        ),
    ],
)
def test_sums_over_real_file(name, rows, keys, sums, waveforms, converted):
    """Format 8.3."""
    table = read_lh5(converted(name)[0])["FCEvent"]
    samples = table["waveform/values"]
    assert len(samples) == rows
    key = table["board_id"].astype("i8") * 100 + table["fc_input"]
    assert (key[0], key[-1], len(set(key))) == keys
    assert (
        table["baseline"].sum(dtype="i8"),
        table["daqenergy"].sum(dtype="i8"),
        samples.sum(dtype="i8"),
    ) == sums
    assert sha256(samples)[:16] == waveforms


@real_files
def test_status_of_real_file(converted):
    """Format 8.3, and the column that the peer leaves unfilled; read with lh5."""
    table = lh5.read("FCStatus", str(converted(SPMS)[0]))
    for column, values in {
        "packet_id": [37, 37],
        "status": [True, True],
        "id": [0, 8192],
        "eventnumber": [36, 36],
        "fpga_time_nsec": [1686743508, 1686513436],
        "server_time": [1638368783.341278] * 2,
        "fpga_start_time": [0.530185] * 2,
        "mb_current": [758, 1081],
        "mb_humidity": [158, 171],
        "n_total_errors": [0, 0],
        "n_environment_errors": [0, 0],
        "n_cti_errors": [0, 0],
        "n_link_errors": [0, 0],
        "n_other_errors": [[0] * 5] * 2,
        "mb_temps": [
            [34093, 31281, 32656, 41156, 37156],
            [34250, 30812, 31937, 46968, 38062],
        ],
        "mb_voltages": [
            [23835, 4985, 3298, 2485, 1888, 1192],
            [23800, 4921, 3303, 2492, 1875, 1184],
        ],
    }.items():
        assert table[column].nda.tolist() == values, column
    assert table["fpga_time"].nda.tolist() == [np.float32(1.686743)] * 2
    vectors = {
        name: [row.tolist() for row in table[name]]
        for name in ("adc_temps", "cti_links", "link_states")
    }
    assert vectors["adc_temps"] == [[], [32875, 29093]]
    assert vectors["cti_links"] == [[], [1919950336, 1869618688]]
    assert [len(row) for row in vectors["link_states"]] == [12, 24]


@real_files
def test_report_of_real_files(converted):
    """Format 8.1: spms is clean, p06 ends in three stray bytes."""
    _, spms = converted(SPMS)
    assert spms.exit_status == 0
    assert spms.bytes["decoded"] == spms.n_bytes == 3612820
    _, p06 = converted(P06)
    assert p06.exit_status == 3
    assert p06.bytes["decoded"] == 4032328
    assert p06.bytes["cut_off"] == 3
    assert [(d.offset, d.length) for d in p06.damage] == [(4032328, 3)]
    assert p06.n_bytes == 4032331


def test_a_streamer_can_be_used_again(tmp_path):
    """For another file, after it was read or straight after it was made for one."""
    sizes = {}
    for name, n in (("a", 5), ("b", 8)):
        data = writer.make_stream(n, n_channels=2, n_samples=10, kind="event")
        (tmp_path / name).write_bytes(data)
        sizes[name] = n
    streamer = daq2lh5.get_streamer(str(tmp_path / "a"))
    for name in ("b", "a", "b"):
        streamer.open_stream(str(tmp_path / name))
        rows = sum(
            rb.loc for chunk in streamer for rb in chunk if rb.out_name == "FCEvent"
        )
        streamer.close_stream()
        assert rows == 2 * sizes[name]
        assert streamer.report.n_bytes == (tmp_path / name).stat().st_size
