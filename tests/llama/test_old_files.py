"""llamaDAQ files of 2019 ("LArU"): every value, and the channel of each chunk.

"Format N" means section N of the llamaDAQ format.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import h5py
import lh5
import numpy as np
import pytest
from kit.checks import assert_rows
from kit.decoding.llama import decode, rows_of
from kit.files import write
from kit.places import TESTDATA
from kit.writers import llama_old as writer
from kit.writers.llama import Event
from kit.writers.llama_old import OldChannel

import daq2lh5
from daq2lh5.errors import DecodeError
from daq2lh5.llama.llama_event_decoder import LLAMAEventDecoder
from daq2lh5.llama.llama_header_decoder import LLAMAHeaderDecoder
from daq2lh5.raw_buffer import RawBuffer

DIGESTS = TESTDATA / "expected" / "laru.json"
NAMES = (
    *("2019-6-27-BaselineRun111", "20190703-165002-Sipm3_Run1001", "testSCARF137"),
    # not in the usual folder of test data
    "20190703-164819-Sipm3_Pmt2_Run1000",
)

VECTOR_A = bytes.fromhex(
    "4c417255000007000100440002000000000000000100000003000000ff1f000000000000"
    "00406f40000000000000e03f0100000004000000000000000c0000000a00000002000000"
    "090000000900000009000000000000000500000003000000ff1f00000000000000406f40"
    "000000000000e03f0100000004000000000000000c0000000a0000000200000009000000"
    "09000000090000000000000001000000"
    "11000100e80300000e000300570400f0ae080000050d00005c110000b31500000a1a0000"
    "020000e40b000c000d000e00"
    "000000000000000000000000000000000000000001000000"
    "11000100d007000018000000570400f0ae080000050d00005c110000b31500000a1a0000"
    "020000e41800170016001500"
)
VECTOR_B = bytes.fromhex(
    "4c4172550500060000000000010000005000000000000000020000000100000000000000"
    "0000000000406f40ff1f000000000000000000000000e03f010000000200000000000000"
    "0b0000000a000000020000000900000009000000090000000100000000000000020000002"
    "1000000e80300001f000000570400f0ae080000050d00005c110000b31500000a1a000001"
    "0000e41f001e00000000000400000021000000d007000029000000570400f0ae08000005"
    "0d00005c110000b31500000a1a0000010000e42900280021000000b80b00003300000057"
    "0400f0ae080000050d00005c110000b31500000a1a0000010000e433003200"
)
"""Format 8.6."""


# --- values -------------------------------------------------------------------------


def test_vectors_of_the_document(tmp_path):
    """Format 8.6: channels with equal first words, empty chunks."""
    decoded = decode(write(tmp_path, VECTOR_A))
    first, second = rows_of(decoded)
    dt = 4.0
    for row, key, ticks in ((first, 1, 1000), (second, 5, 2000)):
        assert row["fadc_channel_id"] == key
        assert row["time_since_run_start"] == (2**32 + ticks) * dt * 1e-9
        cumsums = [int(row[f"cumsum_{i}"]) for i in range(1, 7)]
        assert cumsums == [1111, 2222, 3333, 4444, 5555, 6666]
        assert row["info_bits"] == 0xF0
        assert row["fadc_status_bits"] == 1
        assert row["waveform_windowed/t0"] == 0.0
        assert row["waveform_windowed/dt"] == dt
    assert [int(first[f"wf_max_sample_{w}"]) for w in ("value", "idx")] == [14, 3]
    assert [int(second[f"wf_max_sample_{w}"]) for w in ("value", "idx")] == [24, 0]
    assert first["waveform_windowed/values"].tolist() == [11, 12, 13, 14]
    assert second["waveform_windowed/values"].tolist() == [24, 23, 22, 21]
    assert decoded.report.clean
    assert decoded.report.bytes["decoded"] == len(VECTOR_A) == 280

    decoded = decode(write(tmp_path, VECTOR_B))
    rows = rows_of(decoded)
    assert [int(row["fadc_channel_id"]) for row in rows] == [2, 2, 2]
    ticks = [round(float(row["time_since_run_start"]) / 4e-9) for row in rows]
    assert ticks == [1000, 2000, 3000]
    samples = [row["waveform_windowed/values"].tolist() for row in rows]
    assert samples == [[31, 30], [41, 40], [51, 50]]
    assert decoded.report.clean
    assert decoded.report.bytes["decoded"] == len(VECTOR_B) == 248


def test_writer_writes_the_vectors_of_the_document():
    def make(ticks: int, raw: list[int], peak: int, index: int) -> Event:
        accumulators = tuple(1111 * i for i in range(1, 9))
        return Event(ticks, peak, index, 0xF0, accumulators, status=1, raw=raw)

    a, b = (OldChannel(channel=c, format_bits=1, sample_length=4) for c in (1, 5))
    first = writer.event(a, make(2**32 + 1000, [11, 12, 13, 14], 14, 3))
    second = writer.event(b, make(2**32 + 2000, [24, 23, 22, 21], 24, 0))
    chunks = [(a, [first]), (b, []), (a, []), (b, [second])]
    data = writer.header([a, b]) + b"".join(writer.chunk(*c) for c in chunks)
    assert data == VECTOR_A

    c = OldChannel(channel=2, format_bits=1, sample_length=2)
    events = [
        writer.event(c, make(1000 * i, [10 * i + 21, 10 * i + 20], 10 * i + 21, 0))
        for i in (1, 2, 3)
    ]
    data = writer.header([c], size=80)
    data += writer.chunk(c, events[:1], 2) + writer.chunk(c, events[1:], 4)
    assert data == VECTOR_B


@pytest.mark.skipif(not DIGESTS.is_file(), reason="no real files: DAQ2LH5_TESTDATA")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("buffer_size", [7, 8192])
def test_real_files(name, buffer_size, tmp_path):
    """All values agree with an independent reader (format 8.6)."""
    path = TESTDATA / "llama" / name
    digests = json.loads(DIGESTS.read_text())
    if not path.is_file() or name not in digests:
        pytest.skip(f"no file {name}")
    wanted = digests[name]
    assert sha256(path.read_bytes()).hexdigest() == wanted["sha256"]
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(path, out_spec=str(out), buffer_size=buffer_size)
    assert report.format == "LlamaDaq"
    assert report.clean
    assert report.bytes["decoded"] == report.n_bytes == wanted["size"]
    with h5py.File(out) as f:
        assert set(f) == {"LLAMAHeader", "LLAMAEvent"}
        header = f["LLAMAHeader"]
        names = ("version_major", "version_minor", "version_patch")
        assert [header[n][()] for n in names] == wanted["version"]
        for n in ("length_econf", "number_chOpen"):
            assert header[n][()] == wanted[n]
        start = wanted["initial_timestamp_TZ_UTC"]
        assert header["initial_timestamp"][()] == start
        for key, channel in wanted["channels"].items():
            check_settings(header[f"fch_{key}"], channel["settings"])
        columns = {n: d[:] for n, d in f["LLAMAEvent"].items() if n[:8] != "waveform"}
        waveform = {n: d[:] for n, d in f["LLAMAEvent/waveform_windowed"].items()}
    ids = columns["fadc_channel_id"]
    ticks = np.rint(columns["time_since_run_start"] / 4e-9).astype("<u8")
    samples = waveform["values"]
    order = wanted["file_order"]
    assert sha256(ids.astype("<u4")).hexdigest() == order["sha256_fadc_channel_id_u32"]
    assert sha256(ticks).hexdigest() == order["sha256_ticks_u64"]
    assert sha256(samples.astype("<u2")).hexdigest() == order["sha256_samples_u16"]
    assert columns["packet_id"].tolist() == list(range(1, wanted["events"] + 1))
    assert not waveform["t0"].any()
    assert set(columns["unixtime_accuracy"]) == {1.0}
    np.testing.assert_array_equal(
        columns["unixtime"], columns["time_since_run_start"] + start
    )
    for key, channel in wanted["channels"].items():
        mine = ids == int(key)
        check_channel(
            {n: c[mine] for n, c in columns.items()},
            samples[mine],
            ticks[mine],
            channel,
        )
        assert set(waveform["dt"][mine]) == {channel["sample_period_ns"]}


def check_settings(found: h5py.Group, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if name == "flag_words":
            continue
        if name == "flags":
            assert found["14_bit_flag"][()] == value & 1
        else:
            assert found[name][()] == value, name
    for name in ("sample_start_index", "avg_mode", "avg_sample_length"):
        assert found[name][()] == found["avg_sample_pretrigger"][()] == 0
    assert "sample_pretrigger" not in found


def check_channel(
    columns: dict[str, np.ndarray],
    samples: np.ndarray,
    ticks: np.ndarray,
    wanted: dict[str, Any],
) -> None:
    assert len(ticks) == wanted["n_events"]
    assert columns["packet_id"][[0, -1]].tolist() == [
        wanted["first_packet_id"],
        wanted["last_packet_id"],
    ]
    assert ticks[[0, -1]].tolist() == [wanted["first_ticks"], wanted["last_ticks"]]
    assert ticks.sum() == wanted["sum_ticks"]
    seconds = columns["time_since_run_start"]
    assert seconds[[0, -1]].tolist() == [wanted["first_time_s"], wanted["last_time_s"]]
    assert sha256(np.ascontiguousarray(samples)).hexdigest() == wanted["sha256_samples"]
    assert columns["wf_max_sample_value"].sum() == wanted["sum_peak_value"]
    assert columns["wf_max_sample_idx"].sum() == wanted["sum_peak_idx"]
    assert set(columns["info_bits"]) == set(wanted["info_bytes"])
    status = {int(word, 16) >> 26 & 1 for word in wanted["status_words"]}
    assert set(columns["fadc_status_bits"]) == status
    for i, total in enumerate(wanted["sum_each_accumulator"], 1):
        assert columns[f"cumsum_{i}"].sum() == total


# --- channels and tables ------------------------------------------------------------


def test_five_channels_two_of_which_say_the_same(tmp_path):
    """Format 8.4: channels 0 and 4 have equal first words; the turn decides."""
    channels = [OldChannel(channel=c, sample_length=64) for c in range(5)]
    file = writer.make_file(channels, [[2] * 5] * 50, start=1562172499.0)
    path = write(tmp_path, file.data, "20190703-164819-Sipm3_Pmt2_Run1000")
    out = tmp_path / "o.lh5"
    report = daq2lh5.build_raw(path, out_spec=str(out))
    assert report.clean
    assert report.packets["decoded"] == 500
    table = lh5.read("LLAMAEvent", str(out))
    ids = table["fadc_channel_id"].nda
    assert ids[:12].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 0]
    assert_rows(rows_of(decode(path)), file.rows)


@pytest.mark.parametrize("size", [68, 80])
@pytest.mark.parametrize("fadc_by_fadc", [True, False])
def test_several_fadcs_have_turns_of_their_own(tmp_path, size, fadc_by_fadc):
    """Format 8.4: their chunks come mixed or one after the other."""
    channels = [
        OldChannel(fadc, c, sample_length=4 + 2 * fadc)
        for fadc in (0, 3)
        for c in (2, 6, 10)
    ]
    if not fadc_by_fadc:
        channels = channels[::3] + channels[1::3] + channels[2::3]
    banks = [[1, 2, 1, 3, 1, 1], [2, 1, 1, 1, 1, 2]] * 4
    file = writer.make_file(channels, banks, size=size)
    decoded = decode(write(tmp_path, file.data))
    assert_rows(rows_of(decoded), file.rows)
    assert decoded.report.clean


def test_ids_that_the_readout_has_set(tmp_path):
    """Format 8.4: first words may have the whole key."""
    channels = [OldChannel(fadc, c) for fadc in (0, 17) for c in (0, 4, 15)]
    file = writer.make_file(channels, [[1, 0, 2, 1, 1, 0]] * 5, sets_id=True)
    decoded = decode(write(tmp_path, file.data))
    assert_rows(rows_of(decoded), file.rows)
    assert decoded.report.clean


def test_missing_chunk(tmp_path):
    """Format 8.4: the next channel that fits is used, and reported."""
    channels = [OldChannel(channel=c) for c in range(3)]
    rng = np.random.default_rng(1)
    events = [[writer.random_event(rng, c, t) for c in channels] for t in (1, 2, 3)]
    data = writer.header(channels)
    wanted = []
    for bank, row in enumerate(events):
        for channel, e in zip(channels, row, strict=True):
            if (bank, channel.channel) == (1, 1):
                continue
            data += writer.chunk(channel, [writer.event(channel, e)])
            wanted.append(writer.row(channel, e, len(wanted) + 1))
    decoded = decode(write(tmp_path, data))
    assert_rows(rows_of(decoded), wanted)
    assert decoded.report.bytes["decoded"] == len(data)
    ((text, n),) = decoded.report.irregular.items()
    assert "another channel than the one whose turn it is" in text
    assert n == 1
    assert decoded.report.exit_status == 3


def test_times_that_do_not_increase_are_noted(tmp_path):
    """Format 8.4: then the assignment is doubtful."""
    channel = OldChannel()
    events = [writer.event(channel, Event(ticks=t, raw=[1] * 8)) for t in (5, 5, 6)]
    data = writer.header([channel]) + writer.chunk(channel, events)
    decoded = decode(write(tmp_path, data))
    assert len(rows_of(decoded)) == 3
    assert [n for t, n in decoded.report.irregular.items() if "time stamp" in t] == [1]


def test_tables(tmp_path):
    """Format 8.7: by number of samples, frequency and format bits."""
    channels = [
        OldChannel(channel=0),
        OldChannel(channel=1, sample_freq=125.0),
        OldChannel(channel=2, format_bits=15),
        OldChannel(channel=3, sample_length=12, maw_buffer_length=3),
        OldChannel(channel=4),
        OldChannel(channel=5, format_bits=0, sample_length=0),
    ]
    file = writer.make_file(channels, [[2] * 6] * 4)
    path = write(tmp_path, file.data)
    assert_rows(rows_of(decode(path)), file.rows)
    out = tmp_path / "o.lh5"
    report = daq2lh5.build_raw(path, out_spec=str(out))
    with h5py.File(out) as f:
        found = {n: set(f[n]["fadc_channel_id"][:]) for n in f if n != "LLAMAHeader"}
    assert found.pop("LLAMAEvent_0") == {0, 4}
    assert found == {f"LLAMAEvent_{k}": {k} for k in (1, 2, 3, 5)}
    assert sum("moving average window" in note for note in report.notes) == 1


def test_blocks_in_other_places_are_noted(tmp_path):
    """Format 1.2: offsets that the format bits contradict."""
    channels = [OldChannel(), OldChannel(channel=1, offsets=(2, 10, 11, 11))]
    file = writer.make_file(channels, [[1, 1]])
    decoded = decode(write(tmp_path, file.data))
    assert_rows(rows_of(decoded), file.rows)
    assert sum("in other places" in n and n[-3:] == ": 1" for n in decoded.report.notes)


def test_the_end_of_a_readout_is_missing(tmp_path):
    """Format 8.3: each channel has a chunk in every read-out."""
    channels = [OldChannel(channel=c) for c in range(3)]
    file = writer.make_file(channels, [[1, 1, 1]] * 2)
    for n_missing, words in ((0, None), (1, "channels 2"), (2, "channels 1, 2")):
        end = file.chunk_ends[-1 - n_missing]
        decoded = decode(write(tmp_path, file.data[:end]))
        assert len(rows_of(decoded)) == 6 - n_missing
        notes = [n for n in decoded.report.notes if "no last chunk" in n]
        assert [n.endswith(f"no last chunk of {words}") for n in notes] == (
            [True] if words else []
        )


@pytest.mark.parametrize("is_open", [0, 1])
@pytest.mark.parametrize("size", [68, 80])
def test_channels_not_marked_as_open(tmp_path, is_open, size):
    """Format 7: they are decoded, and noted."""
    channels = [OldChannel(channel=c, is_open=is_open or c != 1) for c in range(3)]
    file = writer.make_file(channels, [[1, 2, 1]] * 3, size=size)
    decoded = decode(write(tmp_path, file.data))
    assert_rows(rows_of(decoded), file.rows)
    noted = "channels that are not marked as open: 1" in decoded.report.notes
    assert noted == (not is_open)
    assert decoded.report.clean


@pytest.mark.parametrize("size", [68, 80])
@pytest.mark.parametrize("n_banks", [0, 1, 2])
def test_no_events(tmp_path, size, n_banks):
    """Format 8.8: header only, or only empty chunks: a header and no tables."""
    channels = [OldChannel(channel=c) for c in range(3)]
    file = writer.make_file(channels, [[0] * 3] * n_banks, size=size)
    report = daq2lh5.build_raw(write(tmp_path, file.data))
    assert report.clean
    assert report.bytes["decoded"] == len(file.data)
    with h5py.File(tmp_path / "run.lh5") as f:
        assert set(f) == {"LLAMAHeader"}


# --- bad headers (format 8.8) -------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (writer.header([OldChannel()])[:12], "header is cut off: 12 of 16"),
        (writer.header([OldChannel()], size=80)[:19], "cut off: 19 of 20"),
        (writer.header([OldChannel()])[:83], "83 bytes, 1 channels need 84"),
        (
            writer.header([OldChannel()], lengths=(72, 3), version=(0, 9, 2)),
            r"72 bytes \(then 3\), not 68 \(or 0, then 80\) \(version 0.9.2\)",
        ),
        (writer.header([OldChannel()], lengths=(0, 68)), r"0 bytes \(then 68\)"),
        (writer.header([OldChannel()], lengths=(88, 0)), r"88 bytes \(then 0\)"),
        (writer.header([OldChannel()] * 2), "duplicate of another"),
        (writer.header([OldChannel(fadc=256)]), "key is 4096"),
        (writer.header([OldChannel()], number=5000), "5000 channels"),
        (writer.header([]) + b"x", "the header has no channels"),
        (writer.header([OldChannel(sample_length=7)]), "expected an even number"),
        (writer.header([OldChannel(sample_freq=0.0)]), "sample_freq is 0.0"),
        (writer.header([OldChannel(event_length=0)]), "event_length 0"),
        (writer.header([OldChannel(event_header_length=13)]), "header_length 13"),
    ],
)
def test_bad_headers(tmp_path, data, words):
    path = write(tmp_path, data)
    with pytest.raises(DecodeError, match=words):
        daq2lh5.build_raw(path)
    assert not (tmp_path / "run.lh5").exists()


# --- the decoders by themselves -----------------------------------------------------


def test_decode_packet(tmp_path):
    """Events of 2019 lack their channel: the caller gives it."""
    channels = [OldChannel(channel=c) for c in (0, 4)]
    file = writer.make_file(channels, [[2, 1]])
    header = LLAMAHeaderDecoder()
    path = write(tmp_path, file.data)
    with path.open("rb") as f:
        _, n_bytes = header.decode_header(f, path.name)
        assert f.tell() == n_bytes == 16 + 2 * 68
    decoder = LLAMAEventDecoder()
    decoder.layout = header.layout
    decoder.set_channel_configs(header.get_channel_configs())
    decoder.set_global_configs(header.get_global_configs())
    rb = RawBuffer(decoder.make_lgdo(key=0, size=9))
    for i, place in enumerate(file.places):
        packet = file.data[place.offset : place.end]
        decoder.decode_packet(packet, rb, i + 1, place.key)
    assert rb.lgdo["fadc_channel_id"].nda[:3].tolist() == [0, 0, 4]
    assert rb.lgdo["packet_id"].nda[:3].tolist() == [1, 2, 3]
    for key, words in (
        (1, "channel 1 has no configuration"),
        (-1, "channel -1 has no configuration"),
        (2**12, "4096"),
    ):
        with pytest.raises(ValueError, match=words):
            decoder.decode_packet(packet, rb, 4, key)
    with pytest.raises(ValueError, match="must have one"):
        decoder.decode_packet(b"\xff" + packet[1:], rb, 4, 0)
