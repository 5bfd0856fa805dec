"""The reference reader of ORCA files: packets, whole and damaged.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import plistlib
import struct
from typing import Any

import numpy as np
import pytest
from kit.reference import orca as reference
from kit.tests.orca_readings import a_header, read
from kit.writers import orca as writer


def framed(framing: reference.Framing) -> list[tuple[int, int, str]]:
    """Describe packets as the writer's index does."""
    return [
        (packet.offset, 4 * packet.length, packet.decoder or "header")
        for packet in framing.packets
    ]


RUNS: list[dict[str, Any]] = [
    {"kinds": "flashcam"},
    {"kinds": "flashcam", "listeners": 2, "n_channels": 30},
    {"kinds": "fcio"},
    {"kinds": "fcio", "fcio_options": {"kind": "sparse", "event_type": 11}},
    {"kinds": "fcio", "listeners": 2, "fcio_options": {"kind": "mixed", "fsp": True}},
    {"kinds": "fcio", "second_config": True, "fcio_options": {"status_every": 3}},
    {"kinds": ("sis3302", "sis3316"), "subruns": 2, "heartbeat_every": 4},
    {"kinds": ("gretina4m", "gretina4a", "caen"), "repeat": 3},
    {"kinds": ("sis3305", "sis3320", "slow", "unknown"), "n_channels": 3},
    {
        "kinds": writer.KINDS,
        "listeners": 2,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 5},
        "second_config": True,
        "subruns": 2,
        "heartbeat_every": 50,
    },
]


@pytest.mark.parametrize("options", RUNS, ids=str)
def test_packets_of_a_run(options):
    data, index = writer.make_indexed_stream(**options)
    assert data == writer.make_stream(**options)
    reading = reference.read(data)
    assert framed(reading.framing) == index
    assert (reading.framing.damaged, reading.framing.truncated) == ([], None)
    reasons = {reason for _, reason in reading.dropped}
    assert reasons <= {"no decoder", "event cut off"}


def test_file_as_stream(tmp_path):
    path = tmp_path / "run.orca"
    index = writer.write_stream(path, kinds="caen", repeat=2)
    assert (path.read_bytes(), index) == writer.make_indexed_stream(
        kinds="caen", repeat=2
    )


def test_forms_of_packets():
    """Format 1.1."""
    long_id = writer.DATA_IDS["ORUnheardOfDecoderForLong"]
    reading = read(
        writer.unknown(),
        writer.unknown(short=True),
        writer.unknown(short=True),
        writer.unknown(9, extended=True),
        writer.long_packet(long_id),
        writer.extended_packet(long_id),
        writer.run(),
    )
    packets = reading.framing.packets[1:]
    assert [packet.length for packet in packets] == [5, 1, 1, 9, 1, 2, 4]
    assert [packet.start for packet in packets] == [1, 0, 0, 2, 1, 2, 1]
    assert reading.dropped == {
        ("ORUnheardOfDecoderForLong", "no decoder"): 4,
        ("ORUnheardOfDecoderForShort", "no decoder"): 2,
    }
    assert reading.columns("ORRunDecoderForRun")["run_number"] == [1280]


@pytest.mark.parametrize("size", range(4))
def test_padding_of_the_header(size):
    """Format 1.2: one to four bytes."""
    text = plistlib.dumps(writer.header())
    text += b" " * ((size - len(text)) % 4)
    packet = writer.header_packet(text)
    assert len(packet) == 8 + len(text) + 4 - size
    assert reference.read(packet).header.plist == writer.header()


def test_header_of_more_than_a_mebibyte():
    """Format 1.2: the length in word 0 wraps."""
    plist = writer.header(objects={"Note": "x" * 1_100_000})
    packet = writer.header_packet(plist)
    word, n_bytes = struct.unpack_from("<2I", packet)
    assert word == (2 + n_bytes // 4 + 1) % 2**18
    reading = reference.read(packet + writer.run())
    assert len(reading.framing.packets) == 2
    assert reading.header.plist["ObjectInfo"]["Note"] == plist["ObjectInfo"]["Note"]


def test_header_in_mid_file():
    """Format 1.2 and 7.2: data ids may be others."""
    ids = {**writer.DATA_IDS, "ORRunDecoderForRun": 77 << 18}
    again = writer.header_packet(writer.header(decoders=ids, ids=ids, run_number=1281))
    reading = read(
        writer.run(), again, writer.run(number=1281, data_id=77 << 18), writer.unknown()
    )
    assert reading.framing.counts()["header"] == 2
    assert reading.columns("ORRunDecoderForRun")["run_number"] == [1280, 1281]
    controls = [header.run_control() for header in reading.framing.headers]
    assert [control["RunNumber"] for control in controls] == [1280, 1280] + [1281] * 3


def test_bad_header_in_mid_file():
    """Format 1.2 and 7.9: the one before holds on."""
    bad = writer.header_packet(b'<?xml version="1.0" encoding="UTF-8"?><plist>')
    framing = read(writer.run(), bad, writer.run()).framing
    start = len(a_header()) + 16
    assert framing.damaged == [(start, start + len(bad))]
    assert framing.counts() == {"header": 1, "ORRunDecoderForRun": 2}


@pytest.mark.parametrize("stored", [0x84000000, 0x84000000 - 2**32])
def test_data_id_of_short_records(stored):
    """Format 1.5: positive or negative."""
    plist = writer.header()
    entry = plist["dataDescription"]["ORShaperModel"]["Shaper"]
    assert entry["dataId"] == 0x84000000
    entry["dataId"] = stored
    reading = reference.read(writer.header_packet(plist) + writer.shaper(4000))
    assert reading.columns("ORShaperDecoderForShaper")["adc"] == [4000]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7])
def test_stray_bytes_at_the_end(n):
    """Format 1.6 and 7.1."""
    reading = read(writer.run(), bytes(range(1, n + 1)))
    assert len(reading.framing.packets) == 2
    assert reading.framing.truncated == len(a_header()) + 16
    assert reading.framing.damaged == []


@pytest.mark.parametrize("kind", ["run", "extended", "length"])
def test_cut_packet_at_the_end(kind):
    """Format 1.6."""
    cut = {
        "run": writer.run()[:-4],
        "extended": writer.unknown(10, extended=True)[:-1],
        "length": writer.unknown(10, extended=True)[:4],
    }[kind]
    reading = read(writer.run(), cut)
    assert [packet.index for packet in reading.framing.packets] == [0, 1]
    assert reading.framing.truncated == len(a_header()) + 16
    assert reading.framing.damaged == []


@pytest.mark.parametrize("n", [4, 8, 40])
def test_zeros_at_the_end(n):
    """Format 7.4."""
    framing = read(writer.run(), bytes(n)).framing
    start = len(a_header()) + 16
    assert framing.zeros == [(start, start + n)]
    assert (framing.damaged, framing.truncated) == ([], None)


def test_zeros_between_packets():
    """Format 7.4."""
    reading = read(writer.run(), bytes(40), writer.run())
    start = len(a_header()) + 16
    assert reading.framing.zeros == [(start, start + 40)]
    assert reading.framing.damaged == []
    assert len(reading.rows["ORRunDecoderForRun"]) == 2


@pytest.mark.parametrize(
    "damage",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\x7f",
        struct.pack("<I", 0x1F00 << 18 | 4),
    ],
    ids=["zero", "maximal", "bad id"],
)
@pytest.mark.parametrize("which", [5, 20, -3, -2])
@pytest.mark.parametrize("kind", ["flashcam", "fcio"])
def test_one_damaged_word_costs_one_packet(kind, which, damage):
    """Format 1.7."""
    data, index = writer.make_indexed_stream(kinds=kind)
    struck = index[which]
    damaged = data[: struck.offset] + damage + data[struck.offset + 4 :]
    framing = reference.read_packets(damaged)
    assert framed(framing) == [packet for packet in index if packet != struck]


@pytest.mark.parametrize("change", [-1, 1, 7])
@pytest.mark.parametrize("kind", ["flashcam", "fcio"])
def test_wrong_length_costs_one_packet(kind, change):
    """Format 1.7: also if it reaches into the next packet."""
    data, index = writer.make_indexed_stream(kinds=kind)
    struck = index[10]
    where = struck.offset + (4 if kind == "fcio" else 0)
    (word,) = struct.unpack_from("<I", data, where)
    damaged = bytearray(data)
    struct.pack_into("<I", damaged, where, word + change)
    framing = reference.read_packets(bytes(damaged))
    kept = [packet for packet in framed(framing) if packet[0] != struck.offset]
    assert kept == [packet for packet in index if packet != struck]


def test_swapped_file():
    """Format 1.3: all but FCIO, which no big-endian machine has written."""
    kinds = [kind for kind in writer.KINDS if kind != "fcio"]
    packets = [*writer.Run(kinds=kinds, listeners=2, subruns=1).packets()]
    plain = reference.read(b"".join(packets))
    other = reference.read(b"".join(writer.swapped(packets)))
    assert (plain.framing.big_endian, other.framing.big_endian) == (False, True)
    assert framed(plain.framing) == framed(other.framing)
    assert plain.header.json() == other.header.json()
    np.testing.assert_equal(other.tables(), plain.tables())


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 100, b"<?xml version='1.0'?>", a_header()[:10], b"x" + a_header()],
    ids=["empty", "zeros", "text", "cut", "shifted"],
)
def test_not_orca(data):
    """Format 1.3."""
    with pytest.raises(reference.NotOrcaError):
        reference.read(data)
