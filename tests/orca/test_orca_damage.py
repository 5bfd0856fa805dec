"""Damaged ORCA files: no crash, no hang, every byte counted, no whole packet lost.

Each case of `test_random_damage` is a file with one random change. How many:
`DAQ2LH5_DAMAGED_FILES` (default 200), from which seed: `DAQ2LH5_DAMAGE_SEED`. "Section"
means section N of the ORCA format.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
import tracemalloc
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from kit.decoding.orca import (
    SUPPORTED,
    decode,
    differences,
    n_rows,
    wanted_tables,
)
from kit.decoding.orca_damage import agrees, read
from kit.decoding.orca_rows import rows_by_packet, signatures
from kit.generators.orca import (
    CONFIG,
    EVENT,
    EVENT_HEADER,
    LISTENER,
    NEW_WAVEFORM,
    OLD_WAVEFORM,
    RUN,
    STATUS,
)
from kit.generators.orca_damage import (
    DAMAGES,
    ID,
    NOT_LOST_ALONE,
    SOURCES,
    damaged,
    make,
    struck_at,
)
from kit.generators.orca_packets import (
    MAP,
    ONE_STREAM,
    config_packet,
    event_packet,
    fcio_file,
    flashcam_file,
    traces,
    waveform,
)
from kit.reference import orca as reference
from kit.writers import fcio
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.errors import DecodeError

# --- ends of files (format 1.6 and 7.1) -------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_file_cut_at_many_places(name, file):
    """What ends before the cut is there, nothing else, and the rest is counted."""
    data, index = make(name)
    ends = [packet.offset + packet.length for packet in index]
    rng = np.random.default_rng(len(data))
    chosen = {*rng.integers(ends[0], len(data), 12).tolist()}
    for packet in (index[1], index[3], index[-2], index[-1]):
        chosen |= {packet.offset + k for k in (0, 1, 3, 4, 7, 8, 9, 11, 12, 13)}
        chosen |= {packet.offset + packet.length - k for k in (1, 4)}
    for cut in sorted(c for c in chosen if ends[0] <= c < len(data)):
        whole = max(end for end in ends if end <= cut)
        tables, report = read(file, data[:cut])
        assert differences(tables, wanted_tables(data[:whole])) == [], cut
        assert report.bytes["cut_off"] == cut - whole, cut
        assert report.bytes["corrupt"] == 0
        assert report.exit_status == (3 if cut > whole else 0)


@pytest.mark.parametrize("cut", [0, 1, 4, 8, 15, 16, 100, -1, -2])
def test_header_cut_off(cut, file):
    """There is nothing to read: clear words, no other exception."""
    packet = writer.header_packet(writer.header())
    file.write_bytes(packet[:cut] if cut >= 0 else packet[: len(packet) - 4 + cut])
    with pytest.raises(DecodeError):
        decode(file)


@pytest.mark.parametrize("name", ["flashcam", "fsp"])
@pytest.mark.parametrize("n", range(1, 8))
@pytest.mark.parametrize("first", [1, 0xF1])
def test_stray_bytes_at_the_end(name, n, first, file):
    """Format 7.1: none of the rows is lost."""
    data, _ = make(name)
    tables, report = read(file, data + bytes(range(first, first + n)))
    assert differences(tables, wanted_tables(data)) == []
    assert report.bytes["cut_off"] + report.bytes["corrupt"] == n
    assert report.exit_status == 3


def test_file_of_a_header_alone(file):
    data = writer.header_packet(writer.header())
    tables, report = read(file, data)
    assert (tables, report.bytes["decoded"]) == ({}, len(data))


# --- single packets (format 1.7, 7.3 to 7.8) --------------------------------------


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", SOURCES)
def test_one_bad_word_costs_one_packet(name, damage, file):
    """Also in the third-last packet and in the last one: all others are kept."""
    data, index = make(name)
    config = max(i for i, p in enumerate(index[:9]) if p.kind in (CONFIG, LISTENER))
    for which in (config + 2, config + 7, len(index) // 2, -4, -3, -2, -1):
        packet = index[which]
        if packet.kind == writer.HEADER or packet.length < 16:
            continue
        bad = damaged(data, packet, damage)
        tables, _ = read(file, bad)
        wanted = rows_by_packet(data)
        found = signatures(tables)
        for i, each in enumerate(index):
            if i != which % len(index):
                missing = wanted.get(each.offset, Counter()) - found
                assert not missing, (which, i, each.kind)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["flashcam", "fsp", "sub-runs"])
def test_one_bad_word_gives_what_the_reference_reads(name, damage, file):
    """Also packet ids, which count the packets of bad contents only."""
    data, index = make(name)
    for which in (len(index) // 2, -3):
        if index[which].kind != writer.HEADER:
            agrees(file, damaged(data, index[which], damage))


@pytest.mark.parametrize("name", SOURCES)
def test_lone_packet_between_two_damaged_ones(name, file):
    """Events are kept, and the configurations without which others cannot be read."""
    data, index = make(name)
    wanted = rows_by_packet(data)
    alone = [
        i
        for i in range(2, len(index) - 1)
        # without a configuration there are no events of FCIO
        if index[i].kind in NOT_LOST_ALONE and index[i - 1].kind != CONFIG
    ]
    for which in {*alone[:4], *alone[:: len(alone) // 4]}:
        bad = data
        for packet in (index[which - 1], index[which + 1]):
            n = min(packet.length, 12)
            end = packet.offset + n
            bad = bad[: packet.offset] + b"\xff" * n + bad[end:]
        tables, _ = read(file, bad)
        assert not wanted[index[which].offset] - signatures(tables), which


@pytest.mark.parametrize("where", [-1, 30])
def test_lone_configuration_of_another_file(where, file):
    """One more of the same listener is not believed: it would cost all that follows."""
    data, index = make("fcio")
    other, others = make("headers")
    (config,) = (
        other[p.offset : p.offset + p.length] for p in others if p.kind == CONFIG
    )
    at = index[where].offset
    noise = b"\xff" * 13
    tables, report = read(file, data[:at] + noise + config + noise + data[at:])
    assert report.bytes["corrupt"] == 2 * len(noise) + len(config)
    assert differences(tables, wanted_tables(data)) == []


@pytest.mark.parametrize("name", ["flashcam", "fcio"])
def test_lone_header_in_mid_file(name, file):
    """It brings other ids: without it nothing behind could be read (format 1.2)."""
    data, _ = make(name)
    run = writer.Run(**({"n_samples": 40} | SOURCES[name]))
    plist = run.plist()
    for records in plist["dataDescription"].values():
        for record in records.values():
            # of long packets
            if 0 <= record.get("dataId", -1) < 1 << 31:
                record["dataId"] ^= 64 << 18
    others = b"".join(
        struct.pack("<I", struct.unpack_from("<I", p)[0] ^ 64 << 18) + p[4:]
        for p in list(run.packets())[1:]
    )
    header = writer.header_packet(plist)
    noise = b"\xff" * 13
    whole, _ = read(file, data + header + others)
    tables, report = read(file, data + noise + header + noise + others)
    assert report.bytes["corrupt"] == 2 * len(noise)
    assert not signatures(whole) - signatures(tables)


@pytest.mark.parametrize("name", ["flashcam", "fcio", "fsp", "headers"])
@pytest.mark.parametrize("change_by", [-1, 1, 7, 1000])
def test_wrong_length_costs_one_packet(name, change_by, file):
    """Format 1.7: also if it reaches into the next packets."""
    data, index = make(name)
    for which in (10, -10):
        struck = index[which]
        if struck.kind in (RUN, "ORFlashCamListenerStatusDecoder"):
            continue
        where = struck.offset + (0 if name == "flashcam" else 4)
        (word,) = struct.unpack_from("<I", data, where)
        tables, report = read(file, struck_at(data, where, word + change_by))
        wanted = rows_by_packet(data)
        found = signatures(tables)
        for i, each in enumerate(index):
            if i != which % len(index):
                assert not wanted.get(each.offset, Counter()) - found, (which, i)
        assert not report.clean


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 40, 1000])
def test_lost_bytes(name, n, file):
    """Format 7.3: what is whole is kept."""
    data, index = make(name)
    for which in (6, len(index) // 2, -5):
        start = index[which].offset + 5
        tables, _ = read(file, data[:start] + data[start + n :])
        wanted = rows_by_packet(data)
        found = signatures(tables)
        for each in index:
            if each.offset + each.length <= start or each.offset >= start + n:
                assert not wanted.get(each.offset, Counter()) - found, which


@pytest.mark.parametrize("n", [1, 2, 3, 10, 16, 17, 5000])
@pytest.mark.parametrize("block_size", [None, 7])
@pytest.mark.parametrize("where", [1, 5, -1, None])
def test_zeros_between_packets(n, block_size, where, file):
    """Format 7.4: up to 16 zero words are no damage; more were packets once."""
    for name in ("flashcam", "fsp"):
        data, index = make(name)
        at = len(data) if where is None else index[where].offset
        if block_size and n > 1000:
            continue
        zeroed = data[:at] + bytes(4 * n) + data[at:]
        if n <= 16:
            report = agrees(file, zeroed, block_size=block_size)
            assert report.bytes["corrupt"] == report.bytes["cut_off"] == 0
            assert report.unknown_records == {"words of zero": 1}
            continue
        tables, report = read(file, zeroed, block_size=block_size)
        assert differences(tables, wanted_tables(data)) == []
        fate = "cut_off" if where is None else "corrupt"
        assert report.bytes[fate] == 4 * n
        assert [(d.offset, d.reason) for d in report.damage] == [
            (at, "zeros in place of records")
        ]
        assert report.exit_status == 3
        assert not report.unknown_records


@pytest.mark.parametrize("n", [1, 3, 7, 4001])
def test_zeros_and_garbage_between_packets(n, file):
    """Format 1.7 b: where no packet follows the zeros, a search does."""
    data, index = make("fcio")
    at = index[9].offset
    tables, report = read(file, data[:at] + bytes(400) + b"\xff" * n + data[at:])
    assert differences(tables, wanted_tables(data)) == []
    assert report.bytes["corrupt"] in (n, n + 400)


@pytest.mark.parametrize("n", [1, 3, 4, 97, 20_000])
@pytest.mark.parametrize("where", [1, 5, -1])
@pytest.mark.parametrize("name", ["flashcam", "fsp"])
def test_garbage_between_packets(name, n, where, file):
    data, index = make(name)
    at = index[where].offset
    noise = np.random.default_rng(n).bytes(n)
    tables, report = read(file, data[:at] + noise + data[at:])
    found = signatures(tables)
    wanted: Counter[Any] = sum(rows_by_packet(data).values(), Counter())
    assert not wanted - found
    assert report.bytes["corrupt"] >= n


@pytest.mark.parametrize("length", [0, 1, 2, 3, 2**24, 2**32 - 1])
@pytest.mark.parametrize(
    "name", [RUN, LISTENER, OLD_WAVEFORM, CONFIG, EVENT, "ORUnheardOfDecoderForLong"]
)
@pytest.mark.parametrize("where", [4, -1])
def test_bogus_extended_packet(name, length, where, file):
    """Format 7.6 and 7.7: no endless loop, no memory, no other packet lost."""
    for source in ("flashcam", "fsp"):
        data, index = make(source)
        if source == "flashcam":
            data, index = with_ids(source)
        at = index[where].offset
        bogus = writer.extended_packet(ID[name], length=length)
        tracemalloc.start()
        try:
            tables, _ = read(file, data[:at] + bogus + data[at:])
            assert tracemalloc.get_traced_memory()[1] < 64e6
        finally:
            tracemalloc.stop()
        wanted: Counter[Any] = sum(rows_by_packet(data).values(), Counter())
        # length 3 takes the first word of the packet behind
        if length != 3:
            assert not wanted - signatures(tables), source


@cache
def with_ids(name: str) -> tuple[bytes, list[writer.Packet]]:
    """Give a file a header that describes all decoders."""
    run = writer.Run(**({"n_samples": 40} | SOURCES[name]))
    plist = run.plist()
    plist["dataDescription"] = writer.data_description(writer.DATA_IDS)
    _, *packets = run.packets()
    return writer.assemble([writer.header_packet(plist), *packets])


TINY = {
    "OR1DHistoDecoder",
    "ORIP320DecoderForAdc",
    "ORIP320DecoderForValue",
    "ORPollingTimeStampDecoder",
    "ORSIS3302DecoderForLostData",
    "ORSIS3302DecoderForMca",
    "ORShaperDecoderForShaper",
}
"""Decoders of records that may have fewer than four words."""


@pytest.mark.parametrize("name", [*SUPPORTED, "ORUnheardOfDecoderForLong"])
@pytest.mark.parametrize("lengths", [(1, 2, 3), (4, 13, 20)])
@pytest.mark.parametrize("fill", [0, 0xFFFFFFFF])
def test_short_packets_of_every_decoder(name, lengths, fill, file):
    """Format 7.8 and 7.19: legal in their length, so nothing else suffers."""
    data, index = with_ids("sub-runs")
    places = [index[len(index) * i // 4].offset for i in (1, 2, 3)]
    pieces, before = [], 0
    for n_words, at in zip(lengths, places, strict=True):
        short = writer.long_packet(ID[name], (fill,) * (n_words - 1))
        pieces += [data[before:at], short]
        before = at
    tables, _ = read(file, b"".join((*pieces, data[before:])))
    wanted: Counter[Any] = sum(rows_by_packet(data).values(), Counter())
    assert not wanted - signatures(tables)
    if lengths[-1] < 4 and name not in TINY:
        # nothing can come of so few words
        assert not signatures(tables) - wanted


@pytest.mark.parametrize("where", [3, 5, -3, -2, -1])
@pytest.mark.parametrize("name", ["flashcam", "fsp"])
def test_two_legal_short_packets(name, where, file):
    """Format 7.13, and format B1: nothing is lost."""
    if name == "flashcam":
        data, index = with_ids(name)
    else:
        data, index = make(name)
    at = index[where].offset
    short = writer.unknown(short=True)
    for packets in (short * 2, short + writer.shaper(7, short=True), short * 50):
        report = agrees(file, data[:at] + packets + data[at:])
        assert report.clean
        counted = report.unknown_records["ORUnheardOfDecoderForShort"]
        assert counted >= 1


def test_short_ids_stored_as_negative_numbers(file):
    """Format 1.5."""
    plist = writer.header()
    entry = plist["dataDescription"]["ORShaperModel"]["Shaper"]
    entry["dataId"] -= 2**32
    packets = (writer.run(), writer.shaper(4000, short=True), writer.run(0))
    report = agrees(file, b"".join((writer.header_packet(plist), *packets)))
    assert report.clean


# --- headers (format 7.2, 7.9 and 7.10) -------------------------------------------


@pytest.mark.parametrize("n_after", range(5))
def test_header_in_mid_file_followed_by_few_packets(n_after, file):
    """Format 7.2."""
    data, index = make("flashcam")
    end = index[0].length
    report = agrees(file, data + data[:end] + data[index[5].offset :][: n_after * 16])
    assert report.bytes["decoded"] > len(data)


@pytest.mark.parametrize(
    "text",
    [
        b'<?xml version="1.0" encoding="UTF-8"?><plist>',
        b'<?xml version="1.0" encoding="UTF-8"?><plist><array/></plist>',
        b'<?xml version="1.0" encoding="UTF-8"?><plist><string/></plist>',
        b'<?xml version="1.0" encoding="UTF-8"?>' + b"\xff\0\1" * 30,
    ],
    ids=["no end", "a list", "a string", "noise"],
)
def test_bad_header_in_mid_file(text, file):
    """Format 1.2 and 7.9: the one before holds on."""
    data, index = make("flashcam")
    at = index[9].offset
    bad = writer.header_packet(text)
    tables, report = read(file, data[:at] + bad + data[at:])
    wanted: Counter[Any] = sum(rows_by_packet(data).values(), Counter())
    assert not wanted - signatures(tables)
    assert report.bytes["corrupt"] == len(bad)


STRANGE_PLISTS: dict[str, Any] = {
    "empty": {},
    "no table of ids": {"ObjectInfo": {}},
    "lists in place of dictionaries": {"ObjectInfo": [], "dataDescription": []},
    "texts": dict.fromkeys(writer.header(), "text"),
    "numbers": dict.fromkeys(writer.header(), 7),
    "description of texts": {"dataDescription": {"a": {"b": "c"}, "d": "e"}},
    "id that is not a number": {
        "dataDescription": {"a": {"b": {"decoder": RUN, "dataId": "x"}}}
    },
    "ids out of range": {
        "dataDescription": {
            "a": {
                "b": {"decoder": RUN, "dataId": 2**40},
                "c": {"decoder": RUN, "dataId": -(2**40)},
                "d": {"decoder": RUN, "dataId": 0},
            }
        }
    },
    "decoder that is no text": {
        "dataDescription": {"a": {"b": {"decoder": 5, "dataId": 4 << 18}}}
    },
    "two decoders of one id": {
        "dataDescription": {
            "a": {
                "b": {"decoder": RUN, "dataId": 4 << 18},
                "c": {"decoder": EVENT, "dataId": 4 << 18},
            }
        }
    },
}


@pytest.mark.parametrize("name", STRANGE_PLISTS)
@pytest.mark.parametrize("where", ["first", "mid-file"])
def test_strange_property_lists(name, where, file):
    """Either they are refused in our own words, or they say nothing."""
    packet = writer.header_packet(STRANGE_PLISTS[name])
    data = packet + writer.run() if where == "first" else make("flashcam")[0] + packet
    try:
        _, report = read(file, data)
    except DecodeError:
        assert where == "first"
        return
    if where != "first":
        assert report.bytes["decoded"] >= len(data) - len(packet) - 1000


LISTENER_INFO = writer.listener(1)
STRANGE_LISTENERS: dict[str, dict[str, Any]] = {
    "listener that is not a number": {"readouts": [writer.readout("x", [(0, 1)])]},
    "listener zero": {"readouts": [writer.readout(0, [(0, 1)])]},
    "negative listener": {"readouts": [writer.readout(-1, [(0, 1)])]},
    "large listener": {"readouts": [writer.readout(2**40, [(0, 1)])]},
    "listener twice": {"readouts": [writer.readout(1, [(0, 1)])] * 2},
    "card twice": {"readouts": [writer.readout(1, [(0, 1), (0, 1)])]},
    "no such card": {"readouts": [writer.readout(1, [(7, 30)])]},
    "card out of range": {
        "readouts": [writer.readout(1, [(99, 99)])],
        "crates": [writer.crate(99, [writer.flashcam_adc(99, 0x120)])],
    },
    "address that is not a number": {
        "crates": [writer.crate(0, [writer.flashcam_adc(1, "x")])]
    },
    "large address": {"crates": [writer.crate(0, [writer.flashcam_adc(1, 2**40)])]},
    "many inputs": {
        "crates": [writer.crate(0, [writer.flashcam_adc(1, 0x120, enabled=[1] * 99)])]
    },
    "inputs that are no list": {
        "crates": [
            writer.crate(0, [writer.flashcam_adc(1, 0x120) | {"Enabled": "yes"}])
        ]
    },
    "samples that are no number": {"aux_hw": [LISTENER_INFO | {"eventSamples": "x"}]},
    "negative samples": {"aux_hw": [LISTENER_INFO | {"eventSamples": -5}]},
    "huge number of samples": {"aux_hw": [LISTENER_INFO | {"eventSamples": 2**40}]},
    "no crates": {"crates": None},
    "no cards": {"crates": [writer.crate(0, None)]},
    "no auxiliary hardware": {"aux_hw": []},
}


@pytest.mark.parametrize("name", STRANGE_LISTENERS)
@pytest.mark.parametrize("generation", ["flashcam", "fcio"])
def test_strange_settings_of_listeners(name, generation, file):
    """Format 7.10 and 7.14: no exception but one of ours, and no byte uncounted."""
    options = {
        "crates": [writer.crate(0, [writer.flashcam_adc(1, 0x120)])],
        "aux_hw": [LISTENER_INFO],
        "readouts": [writer.readout(1, [(0, 1)])],
    } | STRANGE_LISTENERS[name]
    if generation == "flashcam":
        config = writer.flashcam_config(MAP, nsamples=8)
        data = flashcam_file(waveform(), config, waveform(), **options)
    else:
        data = fcio_file(config_packet(), event_packet(), **options)
    try:
        tables, _ = read(file, data)
    except DecodeError:
        return
    assert n_rows(tables[RUN]) == data.count(writer.run()) + (generation == "flashcam")


def test_header_of_all_types_of_values(file):
    """Format 7.9: dates, data, nan and inf survive."""
    strange = {
        "date": dt.datetime(2025, 1, 2, 3, 4, 5),
        "data": b"\0\1\xff",
        "nan": math.nan,
        "inf": math.inf,
        "text": "ä \t é <&>",
    }
    plist = writer.header(objects={"Strange": strange})
    file.write_bytes(writer.header_packet(plist) + writer.run())
    decoded = decode(file)
    assert decoded.header == reference.read(file.read_bytes()).header.json()
    assert decoded.n_rows(RUN) == 1


# --- contents (format 7.14 to 7.18) -----------------------------------------------


def test_traces_that_cannot_be(file):
    """Format 4.3.3 and 7.14: they are dropped and counted, others are kept."""
    good = waveform()
    bad = {
        "no such card": waveform(slot=2, address=0x550),
        "no such trace": waveform(channel=6),
        "no ticks": waveform(timestamp=(0, 0, 0, -1)),
        "too long": waveform(n_samples=10),
        "odd": waveform(n_samples=7),
        "no header words": waveform(flashcam_words=0),
        "few header words": waveform(orca_words=1),
        "many header words": waveform(flashcam_words=63),
    }
    for name, packet in bad.items():
        data = flashcam_file(
            writer.flashcam_config(MAP, nsamples=8), good, packet, good
        )
        report = agrees(file, data)
        lost = sum(report.bytes[fate] for fate in ("corrupt", "skipped", "unknown"))
        assert lost == len(packet), name
        assert report.damage or report.skipped_channels or report.notes, name


def test_input_that_is_not_in_use(file):
    """Its rows are written nevertheless, with a note."""
    enabled = [True, False] * 3
    crates = [writer.crate(0, [writer.flashcam_adc(1, 0x120, enabled=enabled)])]
    data = flashcam_file(
        *(waveform(fc_input=i, channel=i) for i in (0, 1, 1, 2, 3)),
        crates=crates,
        readouts=[writer.readout(1, [(0, 1)])],
    )
    report = agrees(file, data)
    assert report.skipped_channels == {}
    assert sum("does not announce" in note for note in report.notes) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"nadcs": -1},
        {"nadcs": 2401},
        {"nadcs": 2**31 - 1},
        {"adccards": -1},
        {"adccards": 257},
        {"adccards": 2**31 - 1},
        {"nsamples": -1},
        {"nsamples": 100_000},
        {"adcbits": 0},
        {"fcid": 0xFFFF},
    ],
    ids=str,
)
def test_configuration_of_a_listener_that_cannot_be(options, file):
    """Format 4.3.1: the record is rejected, the rest is kept."""
    data = flashcam_file(waveform(), writer.flashcam_config(MAP, **options), waveform())
    tables, _ = read(file, data)
    wanted = wanted_tables(data)
    # a number of samples that cannot be says nothing of the traces
    assert differences(tables, wanted, padded="nsamples" not in options) == [] or (
        "nsamples" in options and n_rows(tables["ORFlashCamADCWaveform_0"]) == 2
    )


def test_fcio_packets_that_cannot_be(file):
    """Format 4.4, 7.14 and 7.17: dropped and counted, others are kept."""
    elsewhere = fcio.config(
        adcs=2, eventsamples=4, tracemap=(0x1100000, 0x9900001), streamid=0x10001
    )
    data = fcio_file(
        event_packet(),
        config_packet(elsewhere),
        event_packet(1),
        event_packet(2, 1),
        writer.fcio_packet(fcio.status(), data_id=ID[EVENT]),
        writer.extended_packet(ID[EVENT]),
        event_packet(3, streamid=0x10003),
        event_packet(4, n_samples=3),
        event_packet(5),
        **ONE_STREAM,
    )
    report = agrees(file, data)
    assert report.n_damage >= 4
    assert report.skipped_channels == {}
    assert any("'1244801'" in note for note in report.notes)


def test_configuration_with_the_id_of_another_stream(file):
    """Format 4.4: the low half of word 2 is that of the configuration."""
    other = fcio.config(
        adcs=2, eventsamples=4, tracemap=(0x1100000, 0x1100001), streamid=0x10002
    )
    data = fcio_file(
        config_packet(), event_packet(), config_packet(other), event_packet(3)
    )
    agrees(file, data)


@pytest.mark.parametrize("options", [{"eventsamples": 2**31 - 1}, {"adcs": 2400}])
def test_configuration_of_a_stream_that_is_too_large(options, file):
    """Nothing is allocated from it, and the next one is read."""
    settings = {"adcs": 2, "eventsamples": 4, "tracemap": (0x1100000, 0x1100001)}
    bad = fcio.config(**(settings | {"streamid": 0x10001} | options))
    data = fcio_file(
        config_packet(bad), event_packet(), config_packet(), event_packet(3)
    )
    tables, _ = read(file, data)
    events = [t for k, t in tables.items() if k.startswith("ORFCIOEvent")]
    rows = [int(i) for t in events for i in t["packet_id"]]
    assert rows[-2:] == [5, 5]


def test_records_that_the_end_of_the_packet_cuts(file):
    """Format 4.4 and 7.17: whatever is cut, the next packets are read."""
    records = {
        CONFIG: fcio.handshake()
        + fcio.config(adcs=2, eventsamples=4, tracemap=(1, 2), streamid=0x10001),
        EVENT: fcio.event(traces()),
        EVENT_HEADER: fcio.event_header((0, 1), ((1, 2), (3, 4))),
        STATUS: fcio.status(),
    }
    for decoder, record in records.items():
        for n in (0, 1, 4, 5, 8, 12, 60, 72, len(record) // 2, len(record) - 1):
            payload = struct.pack("<I", 0x10001) + record[:n]
            data = fcio_file(
                config_packet(),
                event_packet(1),
                writer.extended_packet(ID[decoder], payload),
                event_packet(2),
                **ONE_STREAM,
            )
            tables, _ = read(file, data)
            ids = [int(i) for i in tables["ORFCIOEvent"]["packet_id"]]
            assert ids[:2] == [3, 3], (decoder, n)
            if decoder != CONFIG:
                assert ids[-2:] == [5, 5], (decoder, n)


def test_last_packet_behind_damage_whatever_the_blocks(file):
    """It is found wherever the bytes end that are at hand when it is met."""
    noise = b"\xff" * 7
    data = flashcam_file(waveform()) + noise + waveform()
    file.write_bytes(data)
    for block_size in range(1, 64):
        report = decode(file, block_size=block_size).report
        assert report.bytes["corrupt"] == len(noise), block_size


def test_damaged_file_is_converted(file, tmp_path):
    """`build_raw` keeps the damaged bytes, and says so by its exit status."""
    data, index = make("fsp")
    file.write_bytes(damaged(data, index[9], "bad id"))
    report = daq2lh5.build_raw(str(file), out_spec=str(tmp_path / "out.lh5"))
    assert report.exit_status == 3
    assert report.n_bytes == len(data)
    assert report.garbage_bytes_kept == index[9].length
    assert NEW_WAVEFORM not in report.unknown_records
