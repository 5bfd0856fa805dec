"""The streamer of ORCA files against the slow reference reader and real files.

"Format N" means section N of the ORCA format. What other tests of
ORCA need to read a file and compare its tables is here too: `decode`, `wanted_tables`,
`differences`.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
from typing import Any

import h5py
import pytest
from kit.decoding.orca import (
    SUPPORTED,
    Tables,
    channel_tables,
    decode,
    differences,
    first_rows,
    joined,
    n_rows,
    read_lh5,
    rows_in_order,
    wanted_reading,
    wanted_tables,
)
from kit.decoding.tables import append_rows, rows_of
from kit.generators.orca import (
    EVENT,
    LISTENER,
    NEW_WAVEFORM,
    OLD_WAVEFORM,
    RUN,
    each_run,
    make,
)
from kit.generators.orca_packets import (
    ADDRESS,
    FLASHCAM_HEADER,
    MAP,
    ONE_STREAM,
    config_packet,
    fcio_file,
    flashcam_file,
    waveform,
)
from kit.pipes import fed
from kit.reference import orca as reference
from kit.writers import fcio
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.errors import DecodeError
from daq2lh5.orca.orca_streamer import OrcaStreamer


def is_plain(name: str) -> bool:
    """Whether all traces of a table have the same length."""
    return "other configuration" not in name and name != "everything"


# --- every kind of file -------------------------------------------------------------


@each_run
@pytest.mark.parametrize("by_lgdo", [False, True], ids=["arrays", "lgdo"])
def test_all_columns_of_all_tables_are_those_of_the_reference(name, by_lgdo, file):
    """And each byte of the file is decoded, or of a packet with an unknown name."""
    data = make(name)
    file.write_bytes(data)
    decoded = decode(file, by_lgdo=by_lgdo)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted_tables(data)) == []
    report = decoded.report
    assert report.n_bytes == report.bytes["decoded"] + report.bytes["unknown"]
    assert report.n_bytes == len(data)
    assert (report.exit_status, report.skipped_channels) == (0, {})


@each_run
def test_report_counts_packets_by_name(name, file):
    """Decoded ones, and those that no decoder is for (format 1.5 and 7)."""
    data = make(name)
    file.write_bytes(data)
    report = decode(file).report
    counts = reference.read_packets(data).counts()
    unknown = {k: n for k, n in counts.items() if k not in (*SUPPORTED, "header")}
    assert dict(report.unknown_records) == unknown
    assert report.packets["unknown"] == sum(unknown.values())
    assert report.packets["decoded"] == sum(counts.values()) - sum(unknown.values())


@each_run
def test_header_is_written_as_json(name, file):
    """Format 4.1: that of the first header."""
    data = make(name)
    file.write_bytes(data)
    assert decode(file).header == reference.read(data).header.json()


@each_run
@pytest.mark.parametrize("block_size", [1, 7, 4096])
def test_block_size_changes_nothing(name, block_size, file):
    """Not even if a packet comes byte by byte."""
    data = make(name, n_events=3, n_samples=8)
    if block_size == 1 and len(data) > 200_000:
        pytest.skip("too slow")
    file.write_bytes(data)
    decoded = decode(file, block_size=block_size)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted_tables(data)) == []
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.clean


SMALL_BUFFERS = (
    *("flashcam, three listeners", "fcio, fsp", "fcio, status", "fcio, type 11"),
    *("fcio, other configurations of two streams with fsp", "everything", "sub-runs"),
)


@pytest.mark.parametrize("name", SMALL_BUFFERS)
@pytest.mark.parametrize("chunk_mode", ["any_full", "only_full", "single_packet"])
def test_buffer_size_and_chunk_mode_change_nothing(name, chunk_mode, file):
    """From the smallest buffers that a packet fits into; most end inside a packet."""
    data = make(name)
    file.write_bytes(data)
    wanted = wanted_tables(data)
    n_chunks = []
    least = 14 if "type 11" in name else 4
    if "fcio" not in name and name != "everything":
        least = 1
    for buffer_size in (least, least + 1, least + 2, 2 * least + 1, 1000):
        decoded = decode(file, buffer_size=buffer_size, chunk_mode=chunk_mode)
        found = joined(decoded.tables, decoded.report.notes)
        assert differences(found, wanted) == [], buffer_size
        assert decoded.report.n_bytes == len(data)
        assert decoded.report.clean
        n_chunks.append(decoded.n_chunks)
    if chunk_mode == "any_full" and is_plain(name):
        assert n_chunks[0] > n_chunks[-1] == 1


def test_chunks_of_single_packets_have_rows_of_one_packet(file):
    data = make("fcio, fsp")
    file.write_bytes(data)
    streamer = OrcaStreamer()
    for rb in streamer.open_stream(str(file), chunk_mode="single_packet"):
        rb.loc = 0
    seen = []
    for chunk in streamer:
        ids = {
            int(packet_id)
            for rb in chunk
            if RUN not in rb.out_name
            for packet_id in rb.lgdo["packet_id"].nda[: rb.loc]
        }
        assert len(ids) <= 1
        seen += [*ids]
    streamer.close_stream()
    # each FCIO packet, once and in order
    counts = reference.read_packets(data).counts()
    assert len(seen) == sum(n for k, n in counts.items() if "FCIO" in k)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("name", ["flashcam, many channels", "fcio, fsp", "sub-runs"])
def test_n_max_gives_the_first_rows_in_file_order(name, file, tmp_path):
    """Also in the middle of a packet; configurations of FCIO do not count."""
    data = make(name)
    file.write_bytes(data)
    total = len(rows_in_order(data))
    out = tmp_path / "out.lh5"
    for n in (0, 1, 2, 3, 4, 5, 6, 7, total // 2, total - 1, total, total + 1):
        report = daq2lh5.build_raw(
            str(file), out_spec=str(out), n_max=n, overwrite=True, buffer_size=40
        )
        assert differences(read_lh5(out), first_rows(data, n)) == [], n
        assert report.n_bytes == len(data), n
        assert report.exit_status == 0


@each_run
def test_conversion_writes_the_same_tables(name, file, tmp_path):
    """By `build_raw`, read back with h5py; also the text of the header."""
    data = make(name)
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(str(file), out_spec=str(out), buffer_size=40)
    found = joined(read_lh5(out), report.notes)
    assert differences(found, wanted_tables(data)) == []
    with h5py.File(out) as written:
        text = written["OrcaHeader"][()].decode()
    assert text == reference.read(data).header.json()
    assert report.n_bytes == len(data)
    assert report.exit_status == 0


@pytest.mark.parametrize(
    "name", ["flashcam, many channels", "fcio, two streams with fsp", "everything"]
)
def test_number_of_threads_changes_nothing(name, file, tmp_path):
    """Not a byte of the output."""
    file.write_bytes(make(name, n_events=40))
    written = set()
    for threads in (1, 2):
        out = tmp_path / f"{threads}" / "out.lh5"
        out.parent.mkdir()
        daq2lh5.build_raw(
            str(file), out_spec=str(out), threads=threads, buffer_size=100
        )
        written.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(written) == 1


# --- sources ------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("end", ["orca", "orca.gz", "dat"])
@pytest.mark.parametrize("block_size", [None, 7])
def test_compressed_file_gives_the_same(compress, end, block_size, tmp_path):
    """Format 1.4 and 7.20: whatever its name, the content says what it is."""
    data = make("both generations")
    path = tmp_path / f"run.{end}"
    path.write_bytes(compress(data))
    with daq2lh5.open_stream(str(path)) as (streamer, _):
        assert isinstance(streamer, OrcaStreamer)
    decoded = decode(path, block_size=block_size)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.clean


@pytest.mark.parametrize("piece", [11, 1000, 1 << 20])
@pytest.mark.parametrize("name", ["both generations", "everything"])
def test_named_pipe_gives_the_same(name, piece, tmp_path):
    """The size is not known, so no length can be checked against it."""
    data = make(name)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    out = tmp_path / "out.lh5"
    with fed(pipe, data, piece):
        report = daq2lh5.build_raw(str(pipe), out_spec=str(out))
    found = joined(read_lh5(out), report.notes)
    assert differences(found, wanted_tables(data)) == []
    assert report.n_bytes == len(data)
    assert report.clean


def test_streamer_can_be_used_again(file):
    """Format B23; also after a file that it could not read."""
    streamer = OrcaStreamer()
    for name in ("both generations", "fcio, fsp", "sub-runs", "fcio, fsp"):
        data = make(name)
        file.write_bytes(data)
        decoded = decode(file, streamer=streamer)
        assert differences(decoded.tables, wanted_tables(data)) == [], name
        assert decoded.report.n_bytes == len(data)
        file.write_bytes(b"no ORCA file" * 9)
        with pytest.raises(DecodeError):
            decode(file, streamer=streamer)


def test_two_files_at_once(tmp_path):
    """Format B21: streams with the same id do not disturb each other."""
    names = ("fcio, fsp", "fcio, mixed")
    streamers = []
    for i, name in enumerate(names):
        path = tmp_path / f"{i}.orca"
        path.write_bytes(make(name))
        streamers.append(OrcaStreamer())
        for rb in streamers[-1].open_stream(str(path), chunk_mode="single_packet"):
            rb.loc = 0
    found: list[Tables] = [{}, {}]
    chunks = [iter(streamer) for streamer in streamers]
    while chunks:
        for tables, its_chunks in zip(found, list(chunks), strict=False):
            chunk = next(its_chunks, None)
            if chunk is None:
                chunks = [c for c in chunks if c is not its_chunks]
                continue
            for rb in chunk:
                append_rows(tables, rb.out_name, rows_of(rb))
        if len(chunks) == 1:
            last = next(i for i, s in enumerate(streamers) if s._more)
            for chunk in chunks[0]:
                for rb in chunk:
                    append_rows(found[last], rb.out_name, rows_of(rb))
            break
    for streamer in streamers:
        streamer.close_stream()
    for tables, name in zip(found, names, strict=True):
        assert differences(tables, wanted_tables(make(name))) == []


# --- what is asked for --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "decoder"),
    [
        ("flashcam, three listeners", OLD_WAVEFORM),
        ("flashcam, three listeners", NEW_WAVEFORM),
        ("flashcam, address of 2023", OLD_WAVEFORM),
        ("fcio, many channels", EVENT),
        ("fcio, sparse", EVENT),
    ],
)
@pytest.mark.parametrize("buffer_size", [3, 1000])
def test_one_table_for_each_channel(name, decoder, buffer_size, file, tmp_path):
    """Time stamps are right without the table of configurations (format B18)."""
    data = make(name)
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    channel = {"key_list": ["*"], "out_stream": str(out)}
    report = daq2lh5.build_raw(
        str(file), out_spec={decoder: {"ch{key:07d}": channel}}, buffer_size=buffer_size
    )
    found = {k: t for k, t in read_lh5(out).items() if "swtid" not in k}
    assert differences(found, channel_tables(data, decoder)) == []
    assert report.n_bytes == len(data)
    assert report.bytes["skipped"] > 0


@pytest.mark.parametrize(
    ("name", "decoder"),
    [("flashcam, three listeners", OLD_WAVEFORM), ("fcio, many channels", EVENT)],
)
def test_some_channels(name, decoder, file, tmp_path):
    """Others are left out; packets that are not selected are skipped."""
    data = make(name)
    file.write_bytes(data)
    wanted = channel_tables(data, decoder)
    chosen = [*wanted][1::3]
    out = tmp_path / "out.lh5"
    spec = {
        decoder: {
            name: {"key_list": [int(name[2:])], "out_stream": str(out)}
            for name in chosen
        }
    }
    report = daq2lh5.build_raw(str(file), out_spec=spec)
    assert differences(read_lh5(out), {name: wanted[name] for name in chosen}) == []
    left_out = {
        str(int(name[2:])): n_rows(table)
        for name, table in wanted.items()
        if name not in chosen
    }
    assert report.skipped_channels == {decoder: left_out}
    assert report.n_bytes == len(data)
    assert report.clean


@pytest.mark.parametrize("name", ["both generations", "sub-runs of fcio", "everything"])
@pytest.mark.parametrize("decoder", SUPPORTED)
def test_one_decoder_alone(name, decoder, file, tmp_path):
    """Its tables are those of the whole conversion (format B18)."""
    data = make(name)
    file.write_bytes(data)
    short = decoder.removesuffix("Decoder")
    tables = wanted_tables(data)
    wanted = {
        k: t for k, t in tables.items() if k == short or k.startswith(f"{short}_")
    }
    if not wanted:
        pytest.skip("the run has no such packets")
    lists = reference.key_lists(decoder, reference.read(data).header) or [[]]
    out = tmp_path / "out.lh5"
    spec = {
        decoder: {
            name: {"key_list": keys or ["*"], "out_stream": str(out)}
            for name, keys in zip(
                reference.table_names(decoder, lists), lists, strict=True
            )
            if keys or lists == [[]]
        }
    }
    report = daq2lh5.build_raw(str(file), out_spec=spec)
    assert differences(joined(read_lh5(out), report.notes), wanted) == []
    assert report.n_bytes == len(data)
    assert report.clean


def test_time_stamps_without_the_configuration(file, tmp_path):
    """Format B18: gps and sampling period are those of the configuration."""
    config = writer.flashcam_config(MAP, fcid=1, nsamples=8, adcbits=12, gps=1)
    packet = waveform(
        offsets=(10, 0, 2000, 0, 0, 0, 0), timestamp=(0, 10, 125_000_000, 249_999_999)
    )
    file.write_bytes(flashcam_file(config, packet))
    out = tmp_path / "out.lh5"
    spec = {OLD_WAVEFORM: {"wf": {"key_list": ["*"], "out_stream": str(out)}}}
    daq2lh5.build_raw(str(file), out_spec=spec)
    table = read_lh5(out)["wf"]
    assert list(table["timestamp"]) == [2010.5]
    assert list(table["waveform/dt"]) == [4]


@pytest.mark.parametrize("name", ["flashcam, three listeners", "fcio, many channels"])
@pytest.mark.parametrize("buffer_size", [30, 1000])
def test_listeners_in_one_table(name, buffer_size, file, tmp_path):
    """Rows are in the order of the packets, whatever their listeners."""
    data = make(name)
    file.write_bytes(data)
    decoder = EVENT if "fcio" in name else OLD_WAVEFORM
    out = tmp_path / "out.lh5"
    spec = {decoder: {"all": {"key_list": ["*"], "out_stream": str(out)}}}
    daq2lh5.build_raw(str(file), out_spec=spec, buffer_size=buffer_size)
    columns = wanted_reading(data).columns(
        decoder, "FCEvent" if decoder == EVENT else None
    )
    assert differences(read_lh5(out), {"all": columns}) == []


def test_wildcard_for_all_decoders(file, tmp_path):
    data = make("both generations")
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    spec = {"*": {"raw/{name}": {"key_list": ["*"], "out_stream": str(out)}}}
    daq2lh5.build_raw(str(file), out_spec=spec)
    found = {k.removeprefix("raw/"): t for k, t in read_lh5(out).items()}
    assert differences(found, wanted_tables(data)) == []


def test_cards_in_long_list_of_children(file):
    """A status has one row for each card, in any number of chunks."""
    cards = [fcio.StatusCard(reqid=0x2000 + i) for i in range(9)]
    packets = [writer.fcio_packet(fcio.status(cards[:n])) for n in range(1, 10)]
    data = fcio_file(config_packet(), *packets, **ONE_STREAM)
    file.write_bytes(data)
    for buffer_size in (6, 9, 20):
        tables = decode(file, buffer_size=buffer_size).tables
        assert differences(tables, wanted_tables(data)) == [], buffer_size


# --- headers in mid-file ------------------------------------------------------------


def test_header_with_other_ids(file):
    """Format 1.2 and 7.2: concatenated files, whose ids may differ."""
    ids = {k: v for k, v in writer.DATA_IDS.items() if k in (RUN, OLD_WAVEFORM)}
    ids = {RUN: ids[OLD_WAVEFORM], OLD_WAVEFORM: ids[RUN], LISTENER: 77 << 18}
    again = writer.header(**FLASHCAM_HEADER, decoders=ids, ids=ids)
    data = flashcam_file(
        writer.flashcam_config(MAP, nsamples=8),
        waveform(),
        writer.header_packet(again),
        writer.run(number=1281, data_id=ids[RUN]),
        writer.flashcam_config(MAP, nsamples=8, gps=1, data_id=77 << 18),
        waveform(data_id=ids[OLD_WAVEFORM]),
        writer.run(0, number=1281, data_id=ids[RUN]),
    )[: -len(writer.run())]
    file.write_bytes(data)
    decoded = decode(file)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.n_rows(RUN) == 3
    assert decoded.report.bytes["decoded"] == len(data)
    assert any("header" in note for note in decoded.report.notes)


def test_header_with_other_cards(file):
    """Format 1.2: the settings of the cards are those of the header in force."""
    again = FLASHCAM_HEADER | {
        "crates": [
            writer.crate(0, [writer.flashcam_adc(1, 0x130)]),
            writer.crate(2, [writer.flashcam_adc(4, ADDRESS)]),
        ],
        "readouts": [writer.readout(1, [(0, 1), (2, 4)])],
    }
    data = flashcam_file(
        waveform(),
        writer.header_packet(writer.header(**again)),
        waveform(address=0x130),
        waveform(crate=2, slot=4),
    )
    file.write_bytes(data)
    decoded = decode(file)
    wanted = wanted_tables(data)
    assert differences(decoded.tables, wanted) == []
    # named as in a file that begins with the current header
    assert decoded.tables["ORFlashCamADCWaveform_0"]["board_id"] == [ADDRESS]
    assert decoded.tables["ORFlashCamADCWaveform"]["board_id"] == [0x130, ADDRESS]


@pytest.mark.parametrize("name", ["flashcam, map of 2400 entries", "fcio, fsp"])
def test_concatenated_files(name, file):
    """Format 1.2: packets are counted on, and no row is lost."""
    parts = [make(name, seed=seed, run_number=1280 + seed) for seed in range(3)]
    data = b"".join(parts)
    file.write_bytes(data)
    for buffer_size in (8, 1000):
        decoded = decode(file, buffer_size=buffer_size)
        assert differences(decoded.tables, wanted_tables(data)) == []
        assert decoded.report.bytes["decoded"] + decoded.report.bytes["unknown"] == len(
            data
        )
        assert decoded.report.clean


def test_channels_of_a_later_header_are_written_too(file):
    """Format 1.2: a later run may have more channels than the first."""
    options: dict[str, Any] = {"kinds": "flashcam", "n_events": 3, "n_samples": 8}
    data = b"".join(writer.make_stream(**options, n_channels=n) for n in (2, 9))
    file.write_bytes(data)
    decoded = decode(file)
    assert decoded.n_rows("ORFlashCamADCWaveform") == 3 * 2 + 3 * 9
    assert decoded.report.skipped_channels == {}
    assert decoded.report.clean


def test_header_in_mid_file_of_more_than_a_mebibyte(file):
    """Format 1.2 and 7.11: the length in word 0 wraps."""
    plist = writer.header(**FLASHCAM_HEADER, objects={"Note": "x" * 1_100_000})
    packet = writer.header_packet(plist)
    data = packet + flashcam_file(waveform(), packet, waveform())
    file.write_bytes(data)
    for block_size in (None, 100_000):
        decoded = decode(file, block_size=block_size)
        assert differences(decoded.tables, wanted_tables(data)) == []
        assert decoded.report.bytes["decoded"] == len(data)


# --- what the package does not read -------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [k for k in writer.KINDS if k not in ("flashcam", "fcio")],
)
def test_packets_of_other_hardware(kind, file, tmp_path):
    """They are skipped and counted by name, and nothing is lost besides."""
    data = writer.make_stream(
        kinds=("flashcam", kind), n_events=6, n_channels=3, n_samples=16
    )
    file.write_bytes(data)
    report = daq2lh5.build_raw(str(file), out_spec=str(tmp_path / "out.lh5"))
    wanted = wanted_tables(data)
    found = read_lh5(tmp_path / "out.lh5")
    assert differences({k: found.get(k, {}) for k in wanted}, wanted) == []
    assert report.n_bytes == len(data)
    assert report.exit_status == 0
    counts = reference.read_packets(data).counts()
    for name, n in report.unknown_records.items():
        assert counts[name] == n


def test_settings_of_fcio_columns_hold_for_traces_too(file, tmp_path, monkeypatch):
    """As in legend-daq2lh5, whose ORCA decoders have the columns of FCIO's."""
    from daq2lh5.fc.fc_event_decoder import fc_event_decoded_values as values

    monkeypatch.setitem(values["packet_id"], "hdf5_settings", {"compression": "lzf"})
    settings = {"values": {"shuffle": False, "compression": "lzf"}}
    monkeypatch.setitem(values["waveform"], "hdf5_settings", settings)
    file.write_bytes(make("flashcam, many channels"))
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(str(file), out_spec=str(out))
    with h5py.File(out) as f:
        (name,) = [n for n in f if n.startswith("ORFlashCamADCWaveform")][:1]
        assert f[f"{name}/packet_id"].compression == "lzf"
        assert f[f"{name}/waveform/values"].compression == "lzf"
        assert f[f"{name}/waveform/values"].shuffle is False
        assert f[f"{name}/baseline"].compression == "gzip"
