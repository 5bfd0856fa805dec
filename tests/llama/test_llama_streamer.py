"""llamaDAQ files through the streamer: the same rows as the reference reader.

"Format N" means section N of the llamaDAQ format.
"""

from __future__ import annotations

import gzip
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import h5py
import lh5
import numpy as np
import pytest
from kit.decoding.llama import assert_rows, decode
from kit.generators.llama import VARIED
from kit.reference import llama as reference
from kit.writers import llama as writer
from kit.writers.llama import Channel, Event

import daq2lh5
from daq2lh5.llama.columns import LLAMA_EVENT
from daq2lh5.llama.llama_event_decoder import (
    LLAMAEventDecoder,
    check_dict_spec_equal,
    llama_decoded_values_template,
)
from daq2lh5.llama.llama_header_decoder import (
    LLAMAHeaderDecoder,
    parse_filename_for_timestamp,
)
from daq2lh5.llama.llama_streamer import LLAMAStreamer
from daq2lh5.raw_buffer import RawBuffer, RawBufferLibrary, RawBufferList

if TYPE_CHECKING:
    from pathlib import Path


VECTOR_HEADER = bytes.fromhex(
    "4c417249000000000200580001000000000000000500000007000000ff1f0000000000000040"
    "6f40000000000000e03f0f000000030000000a00000002000000010000000400000004000000"
    "00000000160000001200000002000000090000000b0000000e000000"
)
VECTOR_EVENT = bytes.fromhex(
    "5f000100e803000064000700570400f0ae080000050d00005c110000b31500000a1a0000611e"
    "0000b8220000292300002a2300002b2300001127000012270000020000a4020003e000000100"
    "020003000400050006000700"
)
"""Format 5."""


def assert_all_bytes(report: Any, size: int) -> None:
    assert report.n_bytes == size, report.bytes


# --- values -------------------------------------------------------------------------


def test_vector_of_the_document(tmp_path):
    """Format 5: accumulators, time stamp beyond 32 bits, and everything else."""
    path = tmp_path / "vector.bin"
    path.write_bytes(VECTOR_HEADER + VECTOR_EVENT)
    decoded = decode(path)
    (row,) = decoded.rows[5]
    assert row["time_since_run_start"] == 17.179873184
    assert row["wf_max_sample_value"] == 100
    assert row["wf_max_sample_idx"] == 7
    assert row["info_bits"] == 240
    cumsums = [int(row[f"cumsum_{i}"]) for i in range(1, 9)]
    assert cumsums == [1111, 2222, 3333, 4444, 5555, 6666, 7777, 8888]
    maw = [int(row[f"maw_{name}"]) for name in ("max", "before", "after")]
    assert maw == [9001, 9002, 9003]
    assert [int(row["start_energy"]), int(row["max_energy"])] == [10001, 10002]
    assert row["fadc_status_bits"] == 1
    assert row["waveform_windowed/values"].tolist() == [0, 1, 2, 3]
    assert row["waveform_windowed/t0"] == -28.0
    assert row["waveform_windowed/dt"] == 4.0
    assert row["waveform_presummed/values"].tolist() == [4, 5, 6, 7]
    assert row["waveform_presummed/t0"] == -60.0
    assert row["waveform_presummed/dt"] == 16.0
    assert_all_bytes(decoded.report, 104 + 88)


def test_writer_writes_the_vector_of_the_document():
    channel = Channel(
        channel=5,
        format_bits=15,
        sample_start_index=3,
        sample_pretrigger=10,
        avg_sample_pretrigger=2,
        sample_length=4,
        avg_sample_length=4,
    )
    e = Event(
        ticks=2**32 + 1000,
        peak=100,
        peak_index=7,
        info=240,
        accumulators=tuple(1111 * i for i in range(1, 9)),
        maw=(9001, 9002, 9003),
        energies=(10001, 10002),
        status=1,
        counter=3,
        raw=[0, 1, 2, 3],
        averaged=[4, 5, 6, 7],
    )
    assert writer.header([channel]) == VECTOR_HEADER
    assert writer.event(channel, e) == VECTOR_EVENT


@pytest.mark.parametrize("buffer_size", [1, 3, 8192])
def test_round_trip(tmp_path, buffer_size):
    """All kinds of channels, whatever the size of the buffers."""
    data, places = writer.make_file(VARIED, n_events=20)
    path = tmp_path / "20240102T030405Z-run.bin"
    path.write_bytes(data)
    decoded = decode(path, buffer_size=buffer_size)
    assert_rows(decoded.rows, reference.read_rows(data, path.name))
    report = decoded.report
    assert report.bytes["decoded"] == len(data) == report.n_bytes
    assert report.packets["decoded"] == len(places)
    assert report.clean
    assert decoded.streamer.packet_id == len(places)
    assert decoded.streamer.n_bytes_read == len(data)


def test_every_column_is_written(tmp_path):
    """Each declared column gets values that differ from row to row."""
    channel = Channel(format_bits=15)
    data, _ = writer.make_file([channel], n_events=30)
    (tmp_path / "run.bin").write_bytes(data)
    rows = decode(tmp_path / "run.bin").rows[0]
    for column in LLAMA_EVENT.columns:
        members = ("values", "t0", "dt") if column.kind == "waveform" else ("",)
        for member in members:
            name = f"{column.name}/{member}".rstrip("/")
            different = {np.asarray(row[name]).tobytes() for row in rows}
            constant = ("fadc_channel_id", "unixtime_accuracy", "dt", "windowed/t0")
            if not name.endswith(constant):
                assert len(different) > 1, name


def test_long_times(tmp_path):
    """Format L2: time stamps have 48 bits."""
    channel = Channel(sample_length=2, avg_sample_length=0)
    ticks = [0, 2**32 - 1, 2**32 + 5, 2**40 + 3, 2**48 - 1]
    events = [Event(ticks=t, raw=[1, 2]) for t in ticks]
    data = writer.header([channel])
    data += b"".join(writer.event(channel, e) for e in events)
    (tmp_path / "a.bin").write_bytes(data)
    rows = decode(tmp_path / "a.bin").rows[0]
    found = [float(row["time_since_run_start"]) for row in rows]
    assert found == [t * 4.0 * 1e-9 for t in ticks]


# --- names of tables ----------------------------------------------------------------


def tables_of(tmp_path: Path, channels: list[Channel]) -> dict[str, set[int]]:
    data, _ = writer.make_file(channels, n_events=3)
    path = tmp_path / "names.bin"
    path.write_bytes(data)
    out = tmp_path / "names.lh5"
    daq2lh5.build_raw(path, out_spec=out, overwrite=True)
    with h5py.File(out) as f:
        return {
            name: set(f[name]["fadc_channel_id"][:].tolist())
            for name in f
            if name != "LLAMAHeader"
        }


def test_names_of_tables(tmp_path):
    """Format 3: one list; lists of one key; lists of several."""
    assert tables_of(tmp_path, [Channel(channel=c) for c in (3, 5)]) == {
        "LLAMAEvent": {3, 5}
    }
    longer = Channel(channel=9, sample_length=10)
    assert tables_of(tmp_path, [Channel(), Channel(channel=4), longer]) == {
        "LLAMAEvent_0": {0, 4},
        "LLAMAEvent_9": {9},
    }


def test_names_of_tables_are_different(tmp_path):
    """Format L5: the number of a list is the key of another one."""
    a, b, c = (Channel(channel=i) for i in (1, 2, 3))
    b.sample_length = c.sample_length = 12
    assert tables_of(tmp_path, [a, b, c]) == {
        "LLAMAEvent_1": {1},
        "LLAMAEvent_2": {2, 3},
    }


def test_channels_of_other_format_bits_have_other_tables(tmp_path):
    """Format L4."""
    channels = [Channel(format_bits=0), Channel(channel=1, format_bits=1)]
    for order in (channels, channels[::-1]):
        assert len(tables_of(tmp_path, order)) == 2


def test_sampling_period_by_row(tmp_path):
    """Format L3: one table for channels of two frequencies."""
    channels = [Channel(), Channel(channel=1, sample_freq=125.0)]
    data, _ = writer.make_file(channels, n_events=3)
    (tmp_path / "run.bin").write_bytes(data)
    decoded = decode(tmp_path / "run.bin")
    assert_rows(decoded.rows, reference.read_rows(data))
    assert {float(r["waveform_windowed/dt"]) for r in decoded.rows[1]} == {8.0}
    assert len(decoded.streamer.rb_lib["LLAMAEventDecoder"]) == 1


# --- recognition, sources ------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.bin", "run.BIN", "run.dat", "run"])
def test_recognized_by_content(tmp_path, name):
    """Format L16: the extension does not matter."""
    data, _ = writer.make_file(n_events=2)
    (tmp_path / name).write_bytes(data)
    streamer = daq2lh5.build_raw.__globals__["get_streamer"](str(tmp_path / name))
    assert isinstance(streamer, LLAMAStreamer)
    streamer.close_stream()


def test_compressed_file(tmp_path):
    data, _ = writer.make_file(VARIED)
    path = tmp_path / "20240102-030405.bin.gz"
    path.write_bytes(gzip.compress(data))
    decoded = decode(path)
    assert_rows(decoded.rows, reference.read_rows(data, path.name))
    assert_all_bytes(decoded.report, len(data))


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_pipe(tmp_path, piece):
    """The same rows, however few bytes come at a time."""
    data, _ = writer.make_file(VARIED, n_events=3)
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            for i in range(0, len(data), piece):
                pipe.write(data[i : i + piece])

    thread = threading.Thread(target=write)
    thread.start()
    decoded = decode(path)
    thread.join()
    assert_rows(decoded.rows, reference.read_rows(data))
    assert_all_bytes(decoded.report, len(data))


@pytest.mark.parametrize("block", [1, 7, 100, 65536])
def test_block_sizes(tmp_path, block, monkeypatch):
    monkeypatch.setattr(LLAMAStreamer, "block_size", block)
    data, _ = writer.make_file(VARIED, n_events=5)
    damaged = data[:600] + b"\x00" * 9 + data[620:-3]
    (tmp_path / "run.bin").write_bytes(damaged)
    streamer = LLAMAStreamer()
    streamer.open_stream(str(tmp_path / "run.bin"))
    n = sum(rb.loc for chunk in streamer for rb in chunk)
    streamer.close_stream()
    wanted = decode(tmp_path / "run.bin")
    assert n == sum(map(len, wanted.rows.values()))
    assert streamer.report.damage == wanted.report.damage
    assert streamer.report.bytes == wanted.report.bytes


# --- time of the file name ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "time_"),
    [
        ("20241218-150158-pulser.bin", 1734534118.0),
        ("/x/20240101-000000/20240101T000000Z.bin", 1704067200.0),
        ("19700101-000001_20240101-000000.bin", 1704067200.0),
        ("20249999-999999.bin", 0.0),
        ("pulser.bin", 0.0),
        ("20240101_000000.bin", 0.0),
        ("-", 0.0),
    ],
)
def test_time_of_the_file_name(name, time_):
    """Format 2.2; format L6: invalid dates are ignored."""
    found = parse_filename_for_timestamp(name)
    assert found == time_
    assert isinstance(found, float)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome", "America/New_York"])
def test_time_does_not_depend_on_the_machine(tmp_path, zone, monkeypatch):
    """Format L7: names are in UTC wherever the conversion runs."""
    data, _ = writer.make_file(n_events=2)
    path = tmp_path / "20241218-150158.bin"
    path.write_bytes(data)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        rows = decode(path).rows[0]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert rows[0]["unixtime"] - rows[0]["time_since_run_start"] == 1734534118.0


@pytest.mark.parametrize(
    ("name", "zone", "time_"),
    [
        ("20241218-150158.bin", "Europe/Rome", 1734530518.0),
        ("20240718-150158.bin", "Europe/Rome", 1721307718.0),
        ("20241218-150158Z.bin", "Europe/Rome", 1734534118.0),
        ("20241218-150158.bin", "UTC", 1734534118.0),
    ],
)
def test_time_zone_of_the_name(name, zone, time_, tmp_path, caplog):
    """Format L7: an option says it, summer time is known, the log tells."""
    path = tmp_path / name
    path.write_bytes(writer.make_file()[0])
    caplog.set_level("INFO", "daq2lh5.llama")
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(path, out_spec=str(out), llama_time_zone=zone)
    with h5py.File(out) as f:
        assert f["LLAMAHeader/initial_timestamp"][()] == time_
    used = "UTC" if "Z" in name else zone
    assert f"{name}: the time in its name is taken as {used}" in caplog.text


def test_unknown_time_zone(tmp_path):
    path = tmp_path / "20241218-150158.bin"
    path.write_bytes(writer.make_file()[0])
    for zone in ("Europe/Nowhere", "/etc/passwd", "", "CET\0"):
        with pytest.raises(ValueError, match="unknown time zone"):
            daq2lh5.build_raw(path, llama_time_zone=zone)
    assert [*tmp_path.iterdir()] == [path]


def test_a_name_without_time_is_noted(tmp_path, caplog):
    data, _ = writer.make_file(n_events=2)
    (tmp_path / "run.bin").write_bytes(data)
    decoded = decode(tmp_path / "run.bin")
    row = decoded.rows[0][0]
    assert row["unixtime"] == row["time_since_run_start"]
    assert "no time in it" in caplog.text
    assert any("no time in it" in note for note in decoded.report.notes)
    header = decoded.header[0].lgdo
    assert header["initial_timestamp"].value == 0.0
    assert isinstance(header["initial_timestamp"].value, float)


# --- output -------------------------------------------------------------------------


def test_output_is_read_by_lh5(tmp_path):
    """Header and tables as stock lh5 sees them."""
    data, _ = writer.make_file(VARIED)
    path = tmp_path / "20240101-000000.bin"
    path.write_bytes(data)
    report = daq2lh5.build_raw(path)
    out = str(tmp_path / "20240101-000000.lh5")
    head, channels = reference.read_header(data)
    header = lh5.read("LLAMAHeader", out)
    for name, value in head.items():
        assert header[name].value == value
    assert header["initial_timestamp"].value == 1704067200.0
    assert header["initial_timestamp_accuracy"].value == 1.0
    for key, fields in channels.items():
        found = {k: v.value for k, v in header[f"fch_{key:02d}"].items()}
        assert found == fields
    with h5py.File(out) as f:
        assert f["LLAMAHeader/version_major"].dtype == np.uint16
        assert f["LLAMAHeader/fch_19/14_bit_flag"].dtype == np.uint32
        assert f["LLAMAHeader/fch_19/gain"].dtype == np.float64
        assert f["LLAMAHeader/fch_19"].attrs["datatype"].startswith("struct{")
        assert "fch_4095" in f["LLAMAHeader"]
    wanted = reference.read_rows(data, path.name)
    table = lh5.read("LLAMAEvent_19", out)
    values = np.array([r["waveform_presummed/values"] for r in wanted[19]])
    np.testing.assert_array_equal(table["waveform_presummed"].values.nda, values)
    assert table["waveform_presummed"].dt.nda.dtype == np.float64
    assert table["waveform_presummed"].t0.nda.dtype == np.float32
    assert table["cumsum_1"].attrs["units"] == "adc"
    assert report.tables[out]["LLAMAEvent_19"].first_time > 1704067200


def test_selected_channels(tmp_path):
    """Unselected events are counted; unknown keys are ignored."""
    data, _ = writer.make_file(VARIED, n_events=4)
    path = tmp_path / "run.bin"
    path.write_bytes(data)
    out = str(tmp_path / "out.lh5")
    spec = {
        "LLAMAEventDecoder": {
            "some": {"key_list": [77, 19, 32], "out_stream": out},
        }
    }
    report = daq2lh5.build_raw(path, out_spec=spec)
    with h5py.File(out) as f:
        # of two lengths: the second one has a table of its own
        assert set(f) == {"some", "some_32"}
        assert set(f["some/fadc_channel_id"][:]) == {19}
        assert "max_energy" in f["some"]
        assert set(f["some_32/fadc_channel_id"][:]) == {32}
    skipped = {"0": 4, "4": 4, "33": 4, "4095": 4}
    assert report.skipped_channels["LLAMAEventDecoder"] == skipped
    assert report.packets["skipped"] == 16
    assert_all_bytes(report, len(data))
    assert report.clean


def test_a_table_for_each_channel(tmp_path):
    data, _ = writer.make_file(VARIED, n_events=4)
    path = tmp_path / "run.bin"
    path.write_bytes(data)
    out = str(tmp_path / "out.lh5")
    spec = {
        "LLAMAEventDecoder": {
            "ch{key:04d}/raw": {"key_list": ["*"], "out_stream": out},
        },
        "*": {"{name}": {"key_list": ["*"], "out_stream": out}},
    }
    daq2lh5.build_raw(path, out_spec=spec)
    with h5py.File(out) as f:
        assert set(f) == {*(f"ch{c.key:04d}" for c in VARIED), "LLAMAHeader"}


def test_n_max(tmp_path):
    data, _ = writer.make_file(n_events=20)
    (tmp_path / "run.bin").write_bytes(data)
    report = daq2lh5.build_raw(tmp_path / "run.bin", n_max=7)
    assert report.packets["decoded"] == 7
    assert_all_bytes(report, len(data))


def test_single_packets(tmp_path):
    data, places = writer.make_file(n_events=4)
    (tmp_path / "run.bin").write_bytes(data)
    streamer = LLAMAStreamer()
    streamer.open_stream(str(tmp_path / "run.bin"), chunk_mode="single_packet")
    n = 0
    while chunk := streamer.read_chunk():
        assert sum(rb.loc for rb in chunk) == 1
        n += 1
        for rb in chunk:
            rb.loc = 0
    assert n == len(places)
    # a streamer can be used again
    streamer.open_stream(str(tmp_path / "run.bin"))
    assert sum(rb.loc for chunk in streamer for rb in chunk) == n
    streamer.close_stream()
    streamer.close_stream()


def test_dropped_column_and_user_table(tmp_path):
    """Columns may be taken out, and tables replaced by the user's own."""
    data, _ = writer.make_file(n_events=5)
    (tmp_path / "run.bin").write_bytes(data)
    streamer = LLAMAStreamer()
    streamer.open_stream(str(tmp_path / "run.bin"))
    (rb,) = streamer.rb_lib["LLAMAEventDecoder"]
    rb.lgdo.remove_column("waveform_windowed", delete=True)
    rb.lgdo.remove_column("cumsum_3", delete=True)
    wanted = reference.read_rows(data)
    rows = sorted((int(r["packet_id"]), r) for rs in wanted.values() for r in rs)
    n = 0
    for chunk in streamer:
        table = chunk[0].lgdo
        for i in range(chunk[0].loc):
            values = table["waveform_presummed"].values.nda[i]
            row = rows[n][1]
            np.testing.assert_array_equal(values, row["waveform_presummed/values"])
            n += 1
    assert n == 10
    streamer.close_stream()


# --- the decoders by themselves -----------------------------------------------------


def test_decode_packet_and_header(tmp_path):
    """Single events by the public functions, with the rows of bulk reading."""
    data, places = writer.make_file(VARIED, n_events=3)
    path = tmp_path / "20240101-000000.bin"
    path.write_bytes(data)
    header = LLAMAHeaderDecoder()
    with path.open("rb") as f:
        struct, n_bytes = header.decode_header(f, path.name)
        assert f.tell() == n_bytes == 16 + 88 * len(VARIED)
    assert struct["fch_35" if "fch_35" in struct else "fch_19"]["gain"].value == 0.5
    assert header.make_lgdo() is header.config is struct
    assert header.magic_bytes() == 0x4972414C
    assert header.number_chOpen == len(VARIED)

    decoder = LLAMAEventDecoder()
    with pytest.raises(RuntimeError, match="set_channel_configs"):
        decoder.get_key_lists()
    decoder.set_channel_configs(header.get_channel_configs())
    decoder.set_global_configs(header.get_global_configs())
    assert decoder.get_key_lists() == [[0, 4], [19], [32], [33], [4095]]
    assert decoder.dt_raw[19] == 8.0
    assert decoder.t0_raw[19] == -800.0
    assert decoder.t0_avg_const[19] == -1600.0 - 5 * 32.0
    assert decoder.get_decoded_values(19)["waveform_presummed"]["dt"] == 32.0
    buffers = {}
    for keys in decoder.get_key_lists():
        rb = RawBuffer(decoder.make_lgdo(key=keys[0], size=10), key_list=keys)
        buffers |= dict.fromkeys(keys, rb)
    del buffers[32]
    for i, place in enumerate(places):
        packet = data[place.offset : place.offset + place.length]
        full = decoder.decode_packet(packet, buffers, i + 1, place.key)
        assert not full
    assert decoder.skipped_channels == {32: 3}
    wanted = reference.read_rows(data, path.name)
    for key, rb in buffers.items():
        arrays = rb.arrays()
        rows = [
            {name: a[i] for name, a in arrays.items()}
            for i in range(rb.loc)
            if arrays["fadc_channel_id"][i] == key
        ]
        assert_rows({key: rows}, {key: wanted[key]})


def test_decode_packet_refuses_what_is_no_event():
    header = LLAMAHeaderDecoder()
    header.read(VECTOR_HEADER, "a.bin")
    decoder = LLAMAEventDecoder()
    decoder.set_channel_configs(header.get_channel_configs())
    decoder.set_global_configs(header.get_global_configs())
    rb = RawBuffer(decoder.make_lgdo(key=5, size=1))
    for packet, reason in (
        (VECTOR_EVENT[:-1], "runs past the end"),
        (VECTOR_EVENT[:2], "too few bytes"),
        (b"", "no bytes"),
        (b"\xff" + VECTOR_EVENT[1:], "channel without a configuration"),
    ):
        with pytest.raises(ValueError, match=reason):
            decoder.decode_packet(packet, rb, 1, 5)
    assert rb.loc == 0
    assert decoder.decode_packet(VECTOR_EVENT, rb, 1, 5)
    with pytest.raises(ValueError, match="full"):
        decoder.decode_packet(VECTOR_EVENT, rb, 2, 5)


def test_helpers():
    assert check_dict_spec_equal({"a": 1, "b": 2}, {"a": 1, "b": 3}, ["a", "c"])
    assert not check_dict_spec_equal({"a": 1}, {"a": 2}, ["a"])
    assert list(llama_decoded_values_template) == [
        *("packet_id", "fadc_channel_id", "time_since_run_start", "unixtime"),
        *("unixtime_accuracy", "fadc_status_bits"),
    ]


def test_buffer_of_another_width_is_refused(tmp_path):
    data, _ = writer.make_file(n_events=2)
    (tmp_path / "run.bin").write_bytes(data)
    streamer = LLAMAStreamer()
    library = RawBufferLibrary()
    library["LLAMAEventDecoder"] = RawBufferList()
    library["LLAMAEventDecoder"].append(RawBuffer(key_list=[0, 4]))
    streamer.open_stream(str(tmp_path / "run.bin"), library)
    (rb,) = library["LLAMAEventDecoder"]
    other = dict(streamer.event_decoder.get_decoded_values(0))
    other["waveform_windowed"] = other["waveform_windowed"] | {"wf_len": 3}
    decoder = LLAMAEventDecoder()
    decoder.decoded_values = {0: other}
    rb.lgdo = decoder.make_lgdo(key=0, size=10)
    with pytest.raises(ValueError, match="has 3 samples, not 8"):
        streamer.read_chunk()
    streamer.close_stream()
