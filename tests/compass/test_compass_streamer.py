"""The streamer of CoMPASS files against the slow reference reader and real files.

"Format N" means section N of the CoMPASS format.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import subprocess
import sys
from typing import Any

import h5py
import lgdo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.decoding.compass import COLUMNS, check, decode, differences, rows_of_buffer
from kit.decoding.tables import members
from kit.decoding.tables import sha256 as sha256_of
from kit.generators.compass import FORMS, OLD_FORMS, REAL, REAL_SETTINGS, real_files
from kit.pipes import fed
from kit.places import TESTDATA
from kit.reference import compass as reference
from kit.writers import compass as writer

import daq2lh5
from daq2lh5.compass.compass_event_decoder import (
    CompassEventDecoder,
    compass_decoded_values,
    get_bc,
)
from daq2lh5.compass.compass_header_decoder import CompassHeaderDecoder
from daq2lh5.compass.compass_streamer import CompassStreamer
from daq2lh5.errors import DecodeError
from daq2lh5.raw_buffer import RawBuffer

# --- layouts (format 1, 2, 3) -----------------------------------------------------

VECTORS = {
    "CAE1": "e1ca010003008967452301000000341280400000",
    "CAE2": "e2ca0100030089674523010000000000000000b4844080400000",
    "CAE3": "e3ca01000300896745230100000034120000000000b4844080400000",
    "CAE5": "e5ca0100030089674523010000003412670580400000",
    "CAE6": "e6ca0100030089674523010000000000000000b48440670580400000",
    "CAE7": "e7ca01000300896745230100000034120000000000b48440670580400000",
    "CAE9": "e9ca0100030089674523010000003412804000000102000000b90ab60a",
    "CAEA": "eaca0100030089674523010000000000000000b48440804000000102000000b90ab60a",
    "CAEB": (
        "ebca01000300896745230100000034120000000000b48440804000000102000000b90ab60a"
    ),
    "CAED": "edca01000300896745230100000034126705804000000102000000b90ab60a",
    "CAEE": (
        "eeca0100030089674523010000000000000000b484406705804000000102000000b90ab60a"
    ),
    "CAEF": (
        "efca01000300896745230100000034120000000000b484406705804000000102000000b90ab60a"
    ),
    "V1:1": "01000300896745230100000034128040000002000000b90ab60a",
    "V1:5": "010003008967452301000000341267058040000002000000b90ab60a",
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_of_the_specification(name, file):
    """Format 8: every field of one record of each layout."""
    file.write_bytes(bytes.fromhex(VECTORS[name]))
    (row,) = decode(file, layout=name).rows
    bits = int(name[-1], 16)
    has_waveform = name[0] == "V" or bits & 8
    wanted = {
        "packet_id": 1,
        "board": 1,
        "channel": 3,
        "timestamp": 4886718345.0,
        "timestamp_ps": 4886718345,
        "energy": 4660 if bits & 1 else 0,
        "energy_calibrated": 662.5 if bits & 2 else np.nan,
        "energy_short": 1383 if bits & 4 else 0,
        "flags": 0x4080,
        "waveform_code": 1 if name[0] == "C" and has_waveform else 0,
        "num_samples": 2 if has_waveform else 0,
        "samples": [2745, 2742] if has_waveform else [],
    }
    assert differences([row], [wanted]) == []


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_every_header_word(form, file):
    """All sixteen, with several channels of two boards."""
    channels = [(0, 0), (0, 15), (1, 0), (1, 16)]
    data = writer.file(form, writer.events(form, 40, channels=channels))
    decoded = check(file, data)
    assert decoded.tables == {"CompassEvent": 40}
    assert ("waveform" in decoded.streamer.event_decoder.get_decoded_values(0)) is (
        form.waveforms
    )


@pytest.mark.parametrize("form", [*FORMS, *OLD_FORMS], ids=lambda f: f.name)
@pytest.mark.parametrize("n_samples", [0, 12])
def test_files_without_header_as_the_user_says(form, n_samples, file):
    made = writer.events(form, 20, n_samples=n_samples)
    data = writer.file(form, made, header=False)
    check(file, data, form.name, layout=form.name)


@pytest.mark.parametrize("version", [2, 1])
@pytest.mark.parametrize("energies", [1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize("n_samples", [None, 0, 10, 100])
@pytest.mark.parametrize("n", [2, 50])
def test_layout_is_found_by_the_records(version, energies, n_samples, n, file):
    """Format 3: all that can be told apart, from two records on."""
    if n_samples is None and version == 1:
        pytest.skip("records of version 1 have a number of samples")
    form = writer.form(0xCAE0 | energies | (n_samples is not None) << 3, version)
    made = writer.events(form, n, n_samples=n_samples or 0, seed=n)
    data = writer.file(form, made, header=False)
    decoded = check(file, data, form.name)
    found = decoded.streamer.header_decoder.layout
    assert found.version == version
    assert decoded.streamer.header["header_present"].value == 0
    assert decoded.streamer.header["energy_calibrated"].value == (energies >> 1 & 1)


def test_settings_tell_the_layout_of_a_single_record(file, tmp_path):
    form = writer.form(0xCAED)
    data = writer.file(form, writer.events(form, 1), header=False)
    file.write_bytes(data)
    with pytest.raises(DecodeError, match="compass_layout"):
        decode(file)
    (tmp_path / "settings.xml").write_text(writer.settings([writer.Board()]))
    assert differences(decode(file).rows, reference.read_records(data, "CAED")) == []


def test_layout_that_cannot_be_told(file):
    file.write_bytes(b"\x00\x01" * 500)
    with pytest.raises(DecodeError, match=r"no layout.*compass_layout"):
        decode(file)
    with pytest.raises(ValueError, match="not a layout of CoMPASS records"):
        decode(file, layout="CAFE")


# --- channels and lengths (format 5) -----------------------------------------------


BOARDS = (0, 1, 7, 255, 256, 334, 51936, 51951, 65535)
"""Board numbers may equal header words."""


def test_every_board_and_channel(file):
    """Nothing is dropped, whatever its number; keys do not share channels."""
    channels = [(b, c) for b in BOARDS for c in (0, 15, 16, 63, 255)]
    form = writer.form(0xCAED)
    data = writer.file(form, writer.events(form, 200, channels=channels))
    decoded = check(file, data)
    keys = decoded.streamer.rb_lib["CompassEventDecoder"][0].key_list
    assert {get_bc(*c) for c in channels} <= set(keys)
    assert len({get_bc(*c) for c in channels}) == len(channels)


@pytest.mark.parametrize("word", [0xCAED, 0xCAE5])
def test_channels_that_appear_late(word, file, tmp_path):
    """Channels that the first records lack get their place at their first record."""
    form = writer.form(word)
    made = writer.events(form, 5000, channels=[(0, 0)], n_samples=20)
    made += writer.events(form, 30, channels=[(3, 9), (0, 0)], n_samples=20)
    data = writer.file(form, made)
    assert check(file, data).tables == {"CompassEvent": 5030}
    out = tmp_path / "out.lh5"
    spec = {
        "CompassEventDecoder": {"ch{key}": {"key_list": ["*"], "out_stream": str(out)}}
    }
    daq2lh5.build_raw(file, out_spec=spec)
    with h5py.File(out) as f:
        assert {name: len(f[name]["flags"]) for name in f} == {
            "ch0": 5015,
            "ch1545": 15,
        }


def test_boards_with_other_lengths_have_their_own_tables(file):
    form = writer.form(0xCAED)
    channels = [(0, 0), (0, 1), (1, 0)]
    made = writer.events(form, 60, channels=channels, n_samples=(10, 10, 25))
    data = writer.file(form, made)
    decoded = check(file, data)
    tables = decoded.tables
    assert sorted(tables.values()) == [20, 40]
    assert len(tables) == 2


def test_names_of_tables_are_unique(file):
    """A list's number must not be the key of a single channel (format 5.4)."""
    form = writer.form(0xCAED)
    channels = [(0, 1), (0, 0), (0, 2)]
    made = writer.events(form, 60, channels=channels, n_samples=(10, 25, 25))
    board = writer.Board(
        channels={i: {"SRV_PARAM_CH_ENABLED": "true"} for i in range(3)}
    )
    (file.parent / "settings.xml").write_text(writer.settings([board]))
    decoded = check(file, writer.file(form, made))
    assert decoded.tables == {"CompassEvent_1": 20, "CompassEvent_0": 40}


def test_new_length_of_a_late_channel(file):
    form = writer.form(0xCAED)
    made = writer.events(form, 3000, channels=[(0, 0)], n_samples=20)
    made += writer.events(
        form, 30, channels=[(1, 0), (1, 1), (0, 0)], n_samples=(7, 7, 20)
    )
    decoded = check(file, writer.file(form, made), block_size=4096)
    assert decoded.tables == {"CompassEvent": 3010, "CompassEvent_7": 20}


@pytest.mark.parametrize("by_lgdo", [False, True])
def test_lengths_that_vary_in_one_channel(by_lgdo, file, tmp_path):
    """Their waveforms are lists (format 5.4), also in the file."""
    form = writer.form(0xCAED)
    lengths = (10, 25, 0, 7, 300)
    made = writer.events(form, 500, channels=[(0, 0)], n_samples=lengths)
    decoded = check(file, writer.file(form, made), by_lgdo=by_lgdo, buffer_size=16)
    assert decoded.tables == {"CompassEvent": 500}
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(file, out_spec=str(out))
    with h5py.File(out) as f:
        values = f["CompassEvent/waveform/values"]
        assert values.attrs["datatype"] == "array<1>{array<1>{real}}"
        ends = values["cumulative_length"][()]
        wanted = [len(e.samples) for e in made]
        assert np.array_equal(np.diff(ends, prepend=0), wanted)
        flat = [x for e in made for x in e.samples]
        assert np.array_equal(values["flattened_data"][()], flat)
    lh5 = pytest.importorskip("lh5")
    table = lh5.read("CompassEvent", str(out))
    assert isinstance(table["waveform"], lgdo.WaveformTable)
    assert np.array_equal(table["waveform"]["values"][1], made[1].samples)


def test_lists_are_not_encoded(file, tmp_path, caplog):
    """A codec for waveforms of one length is not for them; that is mentioned."""
    form = writer.form(0xCAED)
    made = writer.events(form, 20, channels=[(0, 0)], n_samples=(10, 25))
    file.write_bytes(writer.file(form, made))
    out = tmp_path / "out.lh5"
    buffer = {"key_list": ["*"], "out_stream": str(out)}
    buffer["proc_spec"] = {"compression": {"waveform/values": "ULEB128ZigZagDiff()"}}
    daq2lh5.build_raw(file, out_spec={"CompassEventDecoder": {"all": buffer}})
    assert any("not encoded by uleb128_zigzag_diff" in m for m in caplog.messages)
    with h5py.File(out) as f:
        assert len(f["all/waveform/values/flattened_data"]) == 10 * 10 + 10 * 25


def test_length_that_changes_late(file):
    """Rows that are written stay; from then on the channel's waveforms are lists."""
    form = writer.form(0xCAED)
    made = writer.events(form, 3000, channels=[(0, 0), (0, 1)], n_samples=20)
    made += writer.events(form, 100, channels=[(0, 0)], n_samples=(20, 21))
    made += writer.events(form, 100, channels=[(0, 1), (0, 0)], n_samples=20)
    for by_lgdo in (False, True):
        decoded = check(file, writer.file(form, made), by_lgdo=by_lgdo, block_size=4096)
        assert decoded.tables == {"CompassEvent": 3051, "CompassEvent_lists": 149}


def test_long_lists_are_handed_out(file):
    """Memory of lists has a bound."""
    form = writer.form(0xCAE9)
    n = 400_000
    samples = np.arange(n, dtype=np.uint16)
    made = [writer.Event(0, 0, i + 1, samples=samples[: n - i % 2]) for i in range(30)]
    file.write_bytes(writer.file(form, made))
    streamer = CompassStreamer()
    streamer.extra_columns = True
    streamer.open_stream(str(file), chunk_mode="only_full")
    sizes = [rb.loc for chunk in streamer for rb in chunk if "Event" in rb.out_name]
    streamer.close_stream()
    assert sum(sizes) == 30
    assert max(sizes) < 20


def test_times_beyond_hours_are_exact(file):
    form = writer.form(0xCAE1)
    times = [2**53 + 1, 2**53 + 3, 2**61 + 1, 0, 5, 2**60 + 7]
    made = [writer.Event(0, 0, t, 5) for t in times]
    decoded = check(file, writer.file(form, made))
    assert [int(r["timestamp_ps"]) for r in decoded.rows] == times


def test_rare_values_are_kept(file):
    """Flags, codes, NaN: nothing of that is a reason to drop a record (format 10)."""
    form = writer.form(0xCAEF)
    made = writer.events(form, 60, n_samples=5)
    for i, event in enumerate(made):
        event.calibrated = (np.nan, np.inf, -1e300, 0.0)[i % 4]
        event.code = (1, 2, 77, 0)[i % 4]
        event.flags = (0x8, 0x380000, 0x00FFFFFF, 0xFF000000)[i % 4]
        event.time = (0, 5, 2**40, 3)[i % 4]
    decoded = check(file, writer.file(form, made))
    assert any("code" in note for note in decoded.report.notes)


# --- reading ------------------------------------------------------------------------

MANY: dict[str, Any] = {"channels": [(0, 0), (0, 1), (1, 5)], "n_samples": 40}


@pytest.mark.parametrize("block_size", [1, 7, 100, 4096])
@pytest.mark.parametrize("word", [0xCAED, 0xCAE5])
def test_blocks_make_no_difference(block_size, word, file):
    form = writer.form(word)
    data = writer.file(form, writer.events(form, 120, **MANY))
    check(file, data, block_size=block_size)


@pytest.mark.parametrize("buffer_size", [1, 2, 17])
@pytest.mark.parametrize("mode", ["any_full", "only_full", "single_packet"])
def test_buffers_make_no_difference(buffer_size, mode, file):
    form = writer.form(0xCAED)
    data = writer.file(form, writer.events(form, 60, **MANY))
    decoded = check(file, data, buffer_size=buffer_size, chunk_mode=mode)
    assert decoded.streamer.packet_id == 60


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files(compress, file):
    form = writer.form(0xCAED)
    data = writer.file(form, writer.events(form, 100, **MANY))
    path = file.with_suffix(".BIN.packed")
    path.write_bytes(compress(data))
    decoded = decode(path)
    assert differences(decoded.rows, reference.read_records(data)) == []
    assert decoded.report.n_bytes == len(data)


@pytest.mark.parametrize("word", [0xCAED, 0xCAE5])
def test_named_pipe(word, tmp_path):
    form = writer.form(word)
    data = writer.file(form, writer.events(form, 100, **MANY))
    os.mkfifo(tmp_path / "pipe")
    with fed(tmp_path / "pipe", data, 97):
        decoded = decode(tmp_path / "pipe")
    assert differences(decoded.rows, reference.read_records(data)) == []
    assert decoded.report.bytes["decoded"] == len(data)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_sound_file(data, tmp_path_factory):
    """Whatever is in the records, as many are read as were written."""
    form = writer.form(data.draw(st.sampled_from(writer.HEADER_WORDS)))
    u16 = st.integers(0, 2**16 - 1)
    lengths = st.lists(st.integers(0, 40), min_size=1, max_size=2)
    n_samples = data.draw(lengths) if form.waveforms else [0]
    channels = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 65535) | st.sampled_from(BOARDS), st.integers(0, 255)
            ),
            min_size=1,
            max_size=4,
        )
    )
    made = []
    for i in range(data.draw(st.integers(0, 30))):
        board, channel = channels[i % len(channels)]
        n = n_samples[i % len(n_samples)]
        made.append(
            writer.Event(
                board,
                channel,
                10**6 * (i + 1) + data.draw(u16),
                data.draw(u16),
                data.draw(st.floats()),
                data.draw(u16),
                data.draw(st.sampled_from([0, 0x4000, 0x40C0, 0x8000])),
                1,
                data.draw(st.lists(u16, min_size=n, max_size=n)),
            )
        )
    path = tmp_path_factory.mktemp("any") / "run.BIN"
    check(path, writer.file(form, made))


# --- packets one at a time ----------------------------------------------------------


@pytest.mark.parametrize("version", [2, 1, 0])
def test_single_packets_give_the_same(version, file):
    """`load_packet` and `decode_packet` agree with bulk reading."""
    form = writer.form(0xCAEF, version)
    data = writer.file(form, writer.events(form, 30, **MANY))
    file.write_bytes(data)
    wanted = decode(file, layout=form.name).rows
    streamer = CompassStreamer(compass_layout=form.name)
    streamer.extra_columns = True
    streamer.open_stream(str(file))
    decoder = CompassEventDecoder(streamer.header, extra_columns=True)
    rows = []
    for number in range(1, 31):
        packet = streamer.load_packet()
        assert packet is streamer.buffer
        rb = RawBuffer(lgdo=decoder.make_lgdo(size=2))
        assert not decoder.decode_packet(
            packet, {0: rb, 1: rb, 517: rb}, number, streamer.header
        )
        rows += rows_of_buffer(rb, by_lgdo=True)
    assert streamer.load_packet() is None
    assert streamer.report.n_bytes == 0 or streamer.n_bytes_read == len(data)
    streamer.close_stream()
    for row in (*rows, *wanted):
        del row["dt"], row["t0"]
    assert differences(rows, wanted) == []


@pytest.mark.parametrize("block_size", [None, 7])
def test_single_packets_of_joined_files(block_size, file):
    """Headers in mid-file are passed, and `header` becomes theirs (format 10)."""
    data, wanted, headers = b"", [], 0
    for word in (0xCAED, 0xCAED, 0xCAE5, 0xCAE2, 0xCAE4, 0xCAE9, 0xCAE1):
        form = writer.form(word)
        n = 0 if word == 0xCAE4 else 4
        one = writer.file(form, writer.events(form, n, **MANY))
        data += one
        headers += 2
        wanted += reference.read_records(one)
    file.write_bytes(data + b"\xe5\xca")
    streamer = CompassStreamer()
    streamer.extra_columns = True
    streamer.block_size = block_size
    streamer.open_stream(str(file))
    rows = []
    for number, row in enumerate(wanted, 1):
        row["packet_id"] = number
        packet = streamer.load_packet()
        decoder = CompassEventDecoder(streamer.header, extra_columns=True)
        decoder.set_samples(0, row["num_samples"])
        rb = RawBuffer(lgdo=decoder.make_lgdo(0, size=2))
        decoder.decode_packet(packet, rb, number, streamer.header)
        rows += rows_of_buffer(rb, by_lgdo=True)
    assert streamer.load_packet() is None
    assert streamer.n_bytes_read == len(data)
    streamer.close_stream()
    assert differences(rows, wanted) == []


def test_packets_that_do_not_fit(file):
    form = writer.form(0xCAED)
    data = writer.file(form, writer.events(form, 3, **MANY))
    decoder = CompassHeaderDecoder()
    file.write_bytes(data)
    with file.open("rb") as f:
        header = decoder.decode_header(f)
    events = CompassEventDecoder(header)
    rb = RawBuffer(lgdo=events.make_lgdo(size=1))
    packet = data[2 : 2 + 25 + 80]
    assert events.decode_packet(packet, {0: rb}, 1, header)
    for bad, words in (
        (packet, "full"),
        (packet[:-1], "not a record"),
        (packet[:10], "only 10 bytes"),
        (packet + b"\0", "not a record"),
    ):
        with pytest.raises(DecodeError, match=words):
            events.decode_packet(bad, {0: rb}, 2, header)
    rb.loc = 0
    shorter = writer.record(form, writer.Event(samples=[1, 2]))
    with pytest.raises(DecodeError, match="do not fit"):
        events.decode_packet(shorter, {0: rb}, 2, header)
    assert not events.decode_packet(packet, {5: rb}, 2, header)
    assert events.skipped_channels == {0: 1}
    with pytest.raises(RuntimeError, match="no stream"):
        CompassStreamer().load_packet()


def test_a_streamer_opens_several_files(file, tmp_path):
    form, other = writer.form(0xCAED), writer.form(0xCAE1)
    streamer = CompassStreamer()
    streamer.extra_columns = True
    for which in (form, other, form):
        file.write_bytes(writer.file(which, writer.events(which, 10)))
        streamer.open_stream(str(file))
        assert sum(rb.loc for c in streamer for rb in c if "Event" in rb.out_name) == 10
    streamer.close_stream()
    streamer.close_stream()


# --- output specifications ----------------------------------------------------------


def test_unselected_channels(file, tmp_path):
    form = writer.form(0xCAED)
    data = writer.file(form, writer.events(form, 30, **MANY))
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    spec = {"CompassEventDecoder": {"some": {"key_list": [1], "out_stream": str(out)}}}
    report = daq2lh5.build_raw(file, out_spec=spec)
    with h5py.File(out) as f:
        assert list(f) == ["some"]
        assert set(f["some/channel"][()]) == {1}
    assert report.skipped_channels == {"CompassEventDecoder": {"0": 10, "517": 10}}
    assert report.packets["skipped"] == 20
    assert report.n_bytes == len(data)
    spec = {"CompassHeaderDecoder": {"h": {"key_list": ["*"], "out_stream": str(out)}}}
    report = daq2lh5.build_raw(file, out_spec=spec, overwrite=True)
    assert report.packets["skipped"] == 30
    with h5py.File(out) as f:
        assert list(f) == ["h"]


def test_dropped_waveforms(file, monkeypatch):
    """The user may drop the column, as with other decoders."""
    monkeypatch.delitem(compass_decoded_values, "waveform")
    form = writer.form(0xCAED)
    for lengths in (20, (20, 30, 40)):
        made = writer.events(form, 300, n_samples=lengths)
        file.write_bytes(writer.file(form, made))
        decoded = decode(file, block_size=4096)
        assert [row["num_samples"] for row in decoded.rows] == [
            len(e.samples) for e in made
        ]
        assert not any(row["samples"] for row in decoded.rows)


def test_tables_of_the_users_own(file):
    """The columns of the user's table are filled; the samples must fit."""
    form = writer.form(0xCAED)
    file.write_bytes(writer.file(form, writer.events(form, 40, n_samples=30)))
    for samples, fits in ((30, True), (29, False)):
        streamer = CompassStreamer()
        streamer.extra_columns = True
        streamer.open_stream(str(file))
        (rb,) = streamer.rb_lib["CompassEventDecoder"]
        streamer.event_decoder.set_samples(0, samples)
        rb.lgdo = streamer.event_decoder.make_lgdo(key=0, size=7)
        if fits:
            assert sum(len(rows_of_buffer(rb)) for _ in streamer) == 40
        else:
            with pytest.raises(ValueError, match="do not fit"):
                streamer.read_chunk()
        streamer.close_stream()


def test_only_so_many_rows(file, tmp_path):
    form = writer.form(0xCAED)
    file.write_bytes(writer.file(form, writer.events(form, 30, **MANY)))
    report = daq2lh5.build_raw(file, out_spec=str(tmp_path / "o.lh5"), n_max=7)
    assert report.packets["decoded"] == 7
    assert report.n_bytes == file.stat().st_size


def test_conversion_needs_no_lgdo(file, tmp_path):
    """Importing it takes longer than most conversions."""
    form = writer.form(0xCAED)
    file.write_bytes(writer.file(form, writer.events(form, 30, n_samples=(3, 4, 5))))
    code = (
        "import sys, daq2lh5\n"
        f"daq2lh5.build_raw({str(file)!r}, out_spec={str(tmp_path / 'o.lh5')!r})\n"
        "assert not {'lgdo', 'lh5', 'numba'} & set(sys.modules)"
    )
    path = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run([sys.executable, "-c", code], env=os.environ | path, check=True)


@pytest.mark.parametrize("name", ["run.BIN", "run.bin", "run.dat"])
@pytest.mark.parametrize("header", [True, False])
def test_format_is_recognized(name, header, tmp_path):
    """By the header word; by the extension where records look right."""
    form = writer.form(0xCAED)
    (tmp_path / name).write_bytes(
        writer.file(form, writer.events(form, 30), header=header)
    )
    if header or name != "run.dat":
        assert isinstance(daq2lh5.get_streamer(str(tmp_path / name)), CompassStreamer)
    else:
        with pytest.raises(RuntimeError, match="not recognized"):
            daq2lh5.get_streamer(str(tmp_path / name))


@pytest.mark.parametrize(
    "head", [b"PK\x03\x04", b"\x0d\xca", b"\xdd\xca"], ids=bytes.hex
)
def test_other_files_of_that_extension_are_not_taken(head, tmp_path):
    """Of a header word twelve bits are fixed, not eight (format C9)."""
    path = tmp_path / "x.bin"
    path.write_bytes(head + bytes(range(256)) * 20)
    with pytest.raises(RuntimeError, match="not recognized"):
        daq2lh5.get_streamer(str(path))


# --- real files (format 9) ---------------------------------------------------------


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "out.lh5"
    report = daq2lh5.build_raw(
        str(REAL), out_spec=str(out), compass_config_file=str(REAL_SETTINGS)
    )
    return out, report


@real_files
def test_real_file_gives_what_the_peer_writes(converted):
    """Types, shapes, attributes and content of every object in the digest."""
    digest = json.loads((TESTDATA / "expected" / f"{REAL.name}.json").read_text())
    wrong = []
    with h5py.File(converted[0]) as f:
        for place, wanted in digest.items():
            item = f[place]
            found: dict[str, Any] = {
                k: item.attrs[k] for k in ("datatype", "units") if k in item.attrs
            }
            kind, inside = members(wanted["datatype"])
            if isinstance(item, h5py.Group):
                ours = members(found["datatype"])
                if ours[0] == kind and ours[1] >= inside:
                    found["datatype"] = wanted["datatype"]
                found["kind"] = "group"
            elif h5py.check_string_dtype(item.dtype):
                text = json.dumps(item.asstr()[()]).encode()
                digest_of_text = hashlib.sha256(text).hexdigest()
                found |= {"kind": "dataset", "shape": [], "dtype": "str"}
                found["sha256"] = digest_of_text
            else:
                found |= {
                    "kind": "dataset",
                    "shape": list(item.shape),
                    "dtype": item.dtype.newbyteorder("=").str.lstrip("<>=|"),
                    "sha256": sha256_of(item[()]),
                }
            if found != wanted:
                wrong.append(f"{place}: {found}, not {wanted}")
    assert wrong == []


@real_files
def test_real_file_times_and_sums(converted):
    out, report = converted
    with h5py.File(out) as f:
        event = f["CompassEvent"]
        assert set(event["waveform/dt"][()]) == {2.0}
        assert set(event["waveform/t0"][()]) == {-96.0}
        assert np.isnan(event["energy_calibrated"][()]).all()
        assert event["waveform/values"][()].sum(dtype=int) == 306493168
        assert int(event["timestamp"][()].sum()) == 264981689009019
        assert event["timestamp"].attrs["units"] == "ps"
    assert report.exit_status == 0
    assert report.bytes["decoded"] == report.n_bytes == 206552


@real_files
@pytest.mark.parametrize("version", [2, 1])
def test_real_file_rewritten(version, file):
    """Without its header, and as CoMPASS 1 would have written it."""
    data = REAL.read_bytes()
    records = [data[at : at + 2025] for at in range(2, len(data), 2025)]
    if version == 1:
        records = [r[:20] + r[21:] for r in records]
    file.write_bytes(b"".join(records))
    wanted = decode(REAL).rows
    for row in wanted:
        row["waveform_code"] = 1 if version == 2 else 0
        del row["dt"], row["t0"]
    assert differences(decode(file).rows, wanted) == []


@real_files
def test_every_column_is_written():
    """Each differs from the former content of the memory, in some row."""
    rows = decode(REAL, config=str(REAL_SETTINGS)).rows
    for name in (*COLUMNS, "dt", "t0"):
        assert name == "board" or any(row[name] for row in rows), name
