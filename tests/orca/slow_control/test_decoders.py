"""Slow control (format 5.7), and records of Struck cards besides their events.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import importlib
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.decoding.orca import decode, differences, read_lh5, wanted_tables
from kit.decoding.tables import rows_of
from kit.reference import orca as reference
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.orca.decoder_names import DECODERS
from daq2lh5.orca.slow_control import columns as slow_control_columns
from daq2lh5.raw_buffer import RawBuffer

RECORDS = {
    packet.decoder: packet.data
    for packet in reference.read_packets(
        b"".join((writer.header_packet(writer.header()), *writer.simple_records()))
    ).packets[1:]
}
"""One record of each kind, by decoder."""

each_decoder = pytest.mark.parametrize("name", RECORDS)

RUN = writer.run()


def decoder_of(name: str) -> Any:
    module = importlib.import_module(f"daq2lh5.orca.{DECODERS[name]}")
    return getattr(module, name)()


def file_of(*packets: bytes) -> bytes:
    header = writer.header(decoders=writer.DATA_IDS)
    return b"".join((writer.header_packet(header), *packets))


def words(packet: bytes) -> np.ndarray:
    return np.frombuffer(packet, "<u4")


def extended(packet: bytes) -> bytes:
    """Give a long packet the form of an extended one."""
    w = words(packet)
    return np.r_[w[0] & 0xFFFC0000, len(w) + 1, w[1:]].astype("<u4").tobytes()


def cut(packet: bytes, n: int) -> bytes:
    """Shorten a packet to `n` words, and its length too."""
    w = words(packet)[:n].copy()
    w[0] = w[0] & 0xFFFC0000 | n
    return w.tobytes()


def is_short(packet: bytes) -> bool:
    return bool(packet[3] >> 7)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.orca"


# --- records as they should be ------------------------------------------------------


def test_all_simple_records_have_decoders():
    """Each has another table, and each table is in the documentation's list."""
    assert RECORDS.keys() <= DECODERS.keys()
    for name in RECORDS:
        assert decoder_of(name).table in slow_control_columns.TABLES


def test_records_are_those_of_the_reference(file):
    """Each twice, with other packets between them."""
    data = file_of(*writer.simple_records(), RUN, *writer.simple_records())
    file.write_bytes(data)
    decoded = decode(file)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert len(decoded.tables) == len(RECORDS) + 1
    assert decoded.report.clean
    assert decoded.report.bytes["decoded"] == len(data)


@each_decoder
def test_extended_records(name, file):
    """A record may have the other form, and the next one is long again."""
    packet = RECORDS[name]
    if is_short(packet):
        pytest.skip("a short packet has no other form")
    data = file_of(extended(packet), packet, extended(packet))
    file.write_bytes(data)
    decoded = decode(file)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.report.clean


@each_decoder
def test_single_packets(name):
    """`decode_packet` takes packets of both forms as they are in the file."""
    packet = RECORDS[name]
    packets = [packet, packet if is_short(packet) else extended(packet)]
    decoder = decoder_of(name)
    rb = RawBuffer(lgdo=decoder.make_lgdo(size=2))
    assert not decoder.decode_packet(words(packets[0]), 1, [rb])
    assert decoder.decode_packet(words(packets[1]), 2, [rb])
    wanted = reference.read(file_of(*packets)).columns(name)
    assert differences({name: rows_of(rb)}, {name: wanted}) == []


@each_decoder
@pytest.mark.parametrize("buffer_size", [1, 2])
def test_small_buffers(name, buffer_size, file):
    data = file_of(*[RECORDS[name], RUN] * 5)
    file.write_bytes(data)
    decoded = decode(file, buffer_size=buffer_size)
    assert differences(decoded.tables, wanted_tables(data)) == []


def test_conversion_is_read_by_others(file, tmp_path):
    """By h5py alone; texts are bytes."""
    data = file_of(*writer.simple_records())
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(str(file), out_spec=str(out))
    assert report.clean
    assert differences(read_lh5(out), wanted_tables(data)) == []
    with h5py.File(out) as opened:
        assert opened["ORMJDPreAmpDecoderForAdc/adc"].shape == (1, 16)
        assert opened["ORMJDPreAmpDecoderForAdc/adc"].attrs["units"] == "V"
        assert opened["ORScriptDecoderForState/time"].attrs["units"] == "s"
        text = opened["ORScriptDecoderForRecord/text/flattened_data"][:]
        assert bytes(text) == b"<plist/>"
        assert bytes(opened["OR1DHisto/name/flattened_data"][:]) == (
            b"Crate 0/Card 1/Chan 2"
        )


def test_limit_of_rows(file):
    """`n_max` counts rows of records too."""
    file.write_bytes(file_of(*[RECORDS["ORXYCom564Decoder"]] * 5))
    out = file.with_suffix(".lh5")
    daq2lh5.build_raw(str(file), out_spec=str(out), n_max=3)
    assert len(read_lh5(out)["ORXYCom564"]["time"]) == 3


def test_shapers_write_short_and_long_records(file):
    """One word, or two with the same bits, or four with the time."""
    data_id = writer.DATA_IDS["ORUnheardOfDecoderForLong"]
    plist = writer.header(decoders=writer.DATA_IDS)
    plist["dataDescription"]["ORUnheardOfModel"]["Long"]["decoder"] = (
        "ORShaperDecoderForShaper"
    )
    packets = [
        writer.shaper(1),
        writer.shaper(2, short=False, data_id=data_id, channel=15),
        writer.shaper(3, short=False, data_id=data_id, time=(5, 6)),
        writer.shaper(4095, crate=15, card=31),
    ]
    data = b"".join((writer.header_packet(plist), *packets))
    file.write_bytes(data)
    decoded = decode(file)
    assert differences(decoded.tables, wanted_tables(data)) == []
    columns = decoded.tables["ORShaperDecoderForShaper"]
    assert [int(adc) for adc in columns["adc"]] == [1, 2, 3, 4095]
    assert [int(time) for time in columns["time"]] == [0, 0, 5, 0]


def test_what_rows_say(file):
    """Numbers that the format description states, not by way of the reference."""
    packets = [
        writer.iseg_hv((100.5, -2), (0.25, 8), crate=15, card=9, positive=False),
        writer.lakeshore(kelvin=False),
        writer.pac((7,) * 8, range(10, 18)),
        writer.control_value(value=-0.1, index=9),
    ]
    file.write_bytes(file_of(*packets))
    tables = decode(file).tables
    hv = tables["ORiSegHVCardDecoderForHV"]
    assert (hv["crate"], hv["card"], hv["polarity"]) == ([15], [9], [False])
    assert hv["voltage"][0].tolist() == [100.5, -2]
    assert hv["current"][0].tolist() == [0.25, 8]
    cold = tables["ORLakeShore210DecoderForTemperature"]
    assert cold["kelvin"] == [False]
    assert cold["temperature"][0].tolist() == [77.5 + i for i in range(8)]
    assert tables["ORPacDecoderForAdc"]["time"][0].tolist() == [*range(10, 18)]
    assert tables["ORHVcRIODecoderForAdc"]["value"] == [-0.1]


# --- records as they should not be --------------------------------------------------


@each_decoder
def test_records_of_any_length(name, file):
    """Too short ones are kept as garbage; the next one is read."""
    packet = RECORDS[name]
    if is_short(packet):
        pytest.skip("a short packet has one word")
    n_words = len(packet) // 4
    lengths = {1, 2, 3, 4, 5, n_words // 2, n_words - 1} - {0}
    for n in sorted(m for m in lengths if m < n_words):
        data = file_of(cut(packet, n), packet)
        file.write_bytes(data)
        decoded = decode(file)
        rows = next(iter(decoded.tables.values()))
        assert len(rows["packet_id"]) in (1, 2), n
        assert sum(decoded.report.bytes.values()) == len(data)
        lost = decoded.report.bytes["corrupt"]
        assert lost == (4 * n if len(rows["packet_id"]) == 1 else 0)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("ORScriptDecoderForRecord", 4),
        ("OR1DHistoDecoder", 1),
        ("OR1DHistoDecoder", 8),
        ("ORiSegHVCardDecoderForHV", 1),
    ],
)
@pytest.mark.parametrize("value", [0xFFFFFFFF, 0x7FFFFFFF, 1 << 18])
def test_counts_are_not_believed(name, word, value, file):
    """A text, a histogram and a card with more than there is."""
    packet = words(RECORDS[name]).copy()
    packet[word] = value
    if name == "ORiSegHVCardDecoderForHV":
        packet[word] = 31 << 4
    file.write_bytes(file_of(packet.tobytes(), RECORDS[name]))
    decoded = decode(file)
    (columns,) = decoded.tables.values()
    assert [int(i) for i in columns["packet_id"]] == [2]
    assert decoded.report.bytes["corrupt"] == 4 * len(packet)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([*RECORDS]),
    st.lists(st.integers(0, 2**32 - 1), max_size=110),
)
def test_any_words(name, content):
    """A row or a ValueError, and the row is that of the reference."""
    packet = writer.long_packet(writer.DATA_IDS[name], content)
    if writer.DATA_IDS[name] >> 31:
        packet = words(packet)[:1].tobytes()
    decoder = decoder_of(name)
    rb = RawBuffer(lgdo=decoder.make_lgdo(size=1))
    wanted = reference.read(file_of(packet))
    try:
        decoder.decode_packet(words(packet), 1, [rb])
    except ValueError:
        return
    with np.errstate(invalid="ignore"):
        columns = wanted.columns(name)
        # it reads less than there should be, never more
        assert differences({name: rows_of(rb)}, {name: columns}) == []


# --- Struck cards, besides their events ---------------------------------------------


def test_lost_data_of_a_sis3302(file):
    """Records lost, and channels that were reset (format 4.5)."""
    where = {"crate": 3, "card": 7}
    packets = [
        writer.sis3302_lost_data(**where, channel=0, value=12),
        writer.sis3302_lost_data(**where, channel=0, reset=True, value=0xA5),
    ]
    file.write_bytes(file_of(*packets))
    decoded = decode(file)
    columns = decoded.tables["ORSIS3302DecoderForLostData"]
    assert [int(x) for x in columns["type"]] == [0, 1]
    assert [int(x) for x in columns["lost_records"]] == [12, 0]
    assert [int(x) for x in columns["channel_mask"]] == [0, 0xA5]
    assert {
        (int(c), int(s)) for c, s in zip(columns["crate"], columns["card"], strict=True)
    } == {(3, 7)}
    assert decoded.report.clean


def test_spectra_of_struck_cards(file):
    """Of any length, in packets of both forms (format 4.5 and 4.6)."""
    spectra = {
        "ORSIS3302DecoderForMca": writer.sis3302_mca(range(9), crate=1, channel=7),
        "ORSIS3316Histogram": writer.sis3316_histogram(
            range(65536), crate=1, card=6, channel=15
        ),
    }
    packets = [*spectra.values(), *map(extended, spectra.values())]
    file.write_bytes(file_of(*packets, writer.sis3316_histogram([])))
    decoded = decode(file)
    assert decoded.report.clean
    mca = decoded.tables["ORSIS3302DecoderForMca"]
    assert [x.tolist() for x in mca["counts"]] == [[*range(9)]] * 2
    assert [int(x) for x in mca["channel"]] == [7, 7]
    histogram = decoded.tables["ORSIS3316Histogram"]
    assert [len(x) for x in histogram["counts"]] == [65536, 65536, 0]
    assert histogram["counts"][0].tolist() == [*range(65536)]
    assert [int(x) for x in histogram["channel"]] == [15, 15, 0]


def test_counters_of_a_sis3316(file, tmp_path):
    """Six of each of 16 channels (format 4.6)."""
    counters = np.arange(96).reshape(16, 6)
    file.write_bytes(file_of(writer.sis3316_statistics(counters, crate=2, card=5)))
    out = tmp_path / "out.lh5"
    assert daq2lh5.build_raw(str(file), out_spec=str(out)).clean
    columns = read_lh5(out)["ORSIS3316Statistics"]
    names = ("all", "events", "dead_time", "pileup", "veto", "high_energy")
    for i, name in enumerate(names):
        assert columns[name][0].tolist() == counters[:, i].tolist()
    assert (columns["crate"], columns["card"]) == ([2], [5])


def pieces_of(n: int, piece: int, channel: int, tag: int = 1) -> list[bytes]:
    first = 1000 * channel
    trace = range(first, first + n)
    return writer.sis3302_pieces(trace, piece, crate=1, channel=channel, tag=tag)


GENERIC = "ORSIS3302GenericDecoderForWaveform"


def traces_of(file: Any) -> tuple[Any, dict[str, list[Any]]]:
    decoded = decode(file)
    return decoded, decoded.tables.get(GENERIC, {"words": [], "packet_id": []})


@pytest.mark.parametrize("piece", [1, 7, 99, 100, 1000])
def test_traces_in_pieces(piece, file):
    """Those of two channels in turns: a row when the last piece is there."""
    first, second = pieces_of(100, piece, 2), pieces_of(100, piece, 3, tag=9)
    mixed = [packet for pair in zip(first, second, strict=True) for packet in pair]
    file.write_bytes(file_of(*mixed))
    decoded, columns = traces_of(file)
    assert [x.tolist() for x in columns["words"]] == [
        [*range(2000, 2100)],
        [*range(3000, 3100)],
    ]
    assert [int(x) for x in columns["tag"]] == [1, 9]
    assert [int(x) for x in columns["packet_id"]] == [len(mixed) - 1, len(mixed)]
    assert decoded.report.clean


def test_pieces_that_do_not_belong_together(file):
    """Of another trace, and more than there should be."""
    a, b = pieces_of(100, 60, 2), pieces_of(30, 10, 2, tag=2)
    file.write_bytes(file_of(a[0], *b, a[0], a[0], *a))
    decoded, columns = traces_of(file)
    assert [x.tolist() for x in columns["words"]] == [
        [*range(2000, 2030)],
        [*range(2000, 2100)],
    ]
    assert decoded.report.bytes["corrupt"] == len(a[0])


def test_traces_that_are_never_finished(file, monkeypatch):
    """They take a limited amount of memory."""
    monkeypatch.setattr("daq2lh5.orca.digitizers.sis_records.MAX_PIECES_WORDS", 100)
    unfinished = [pieces_of(1000, 30, channel)[0] for channel in range(5)]
    file.write_bytes(file_of(*unfinished, *pieces_of(10, 10, 7)))
    decoded, columns = traces_of(file)
    assert [x.tolist() for x in columns["words"]] == [[*range(7000, 7010)]]
    assert decoded.report.bytes["corrupt"] == 2 * len(unfinished[0])


def test_traces_that_lack_pieces_are_counted(file):
    """Those that another one of the channel interrupts, a header, or the file's end."""
    a, b = pieces_of(100, 60, 2), pieces_of(100, 60, 3)
    again = pieces_of(30, 10, 2, tag=2)
    rule = f"{GENERIC}: trace that lacks pieces"
    for packets, n in (
        ((*a, *b), 0),
        ((a[0],), 1),
        ((a[0], b[0]), 2),
        ((a[0], *again), 1),
        ((*a, b[0], again[0], *b[1:]), 1),
    ):
        file.write_bytes(file_of(*packets))
        report = decode(file).report
        assert report.irregular.get(rule, 0) == n
        assert report.exit_status == (3 if n else 0)
    file.write_bytes(file_of(a[0]) + file_of(*a, b[0]))
    assert decode(file).report.irregular[rule] == 2


def test_pieces_of_another_run_do_not_count(file):
    """A header in mid-file begins anew (format 1.2)."""
    first, second = pieces_of(100, 50, 2)
    file.write_bytes(file_of(first) + file_of(second, first))
    _, columns = traces_of(file)
    (trace,) = columns["words"]
    assert trace.tolist() == [*range(2050, 2100), *range(2000, 2050)]
