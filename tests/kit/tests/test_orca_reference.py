"""The reference reader of ORCA files against real and against written files.

"Format N" means section N of the ORCA format. Expected values of real files
come from there and from the digests of what legend-daq2lh5 1.7.1 writes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import plistlib
import struct
from functools import cache
from typing import Any

import numpy as np
import pytest
from kit.places import TESTDATA
from kit.reference import fcio as fcio_reference
from kit.reference import orca as reference
from kit.writers import fcio
from kit.writers import orca as writer

real_files = pytest.mark.skipif(
    not (TESTDATA / "orca").is_dir(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory",
)


# --- real files -------------------------------------------------------------------

FILE_A = "L200-comm-20220519-phy-geds.orca"
FILE_B = "l200-p13-r007-aph-20250101T003931Z.orca"


@cache
def read_real(name: str) -> reference.Reading:
    return reference.read((TESTDATA / "orca" / name).read_bytes())


def sha256(data: bytes | np.ndarray) -> str:
    if isinstance(data, np.ndarray):
        data = data.astype(data.dtype.newbyteorder("<")).tobytes()
    return hashlib.sha256(data).hexdigest()


def describe(rows: list[Any], part: str) -> dict[str, Any]:
    """Describe the rows of a column as a digest does the dataset that holds them."""
    if part == "flattened_data":
        array = np.concatenate(rows)
    elif part == "cumulative_length":
        array = np.cumsum([len(row) for row in rows], dtype="i8")
    else:
        array = np.array(rows)
    if array.dtype.kind == "S":
        text = json.dumps(array.astype("U").tolist()).encode()
        return {"dtype": "str", "shape": [*array.shape], "sha256": sha256(text)}
    if array.dtype == bool:
        array = array.astype("u1")
    return {
        "dtype": array.dtype.str.lstrip("<|"),
        "shape": [*array.shape],
        "sha256": sha256(array),
    }


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
def test_real_file_gives_what_the_peer_writes(name):
    """All tables of both files, and nothing else."""
    reading = read_real(name)
    digest = json.loads((TESTDATA / "expected" / f"{name}.json").read_text())
    tables = reading.tables()
    found = {
        f"{table}/{column}": rows
        for table, columns in tables.items()
        for column, rows in columns.items()
    }
    seen = set()
    for path, wanted in digest.items():
        if wanted["kind"] != "dataset" or path == "OrcaHeader":
            continue
        column, _, part = path.rpartition("/")
        if part not in ("flattened_data", "cumulative_length"):
            column = path
        seen.add(column)
        differing = {
            key: (value, wanted[key])
            for key, value in describe(found[column], part).items()
            if value != wanted[key]
        }
        assert not differing, path
    # The digest leaves them out.
    assert found.keys() - seen <= {
        "ORFlashCamListenerConfig/board_rev",
        "ORFlashCamListenerConfig/board_uid",
    }
    assert not reading.dropped
    text = json.dumps(reading.header.json()).encode()
    assert sha256(text) == digest["OrcaHeader"]["sha256"]


@real_files
@pytest.mark.parametrize(
    ("name", "words", "xml", "text", "run"),
    [
        (
            *(FILE_A, (34732, 138918)),
            "6ac1644866387b654a42bf912d9b7df60344aad1ec0f7ca90976f8d668708674",
            (
                49267,
                "2463fc71f808a879bffaeaa6b6f0ad37495776de7c1ea360db66f9fe7b451f8a",
            ),
            (1280, 1652986635),
        ),
        (
            *(FILE_B, (68570, 274270)),
            "9581225fbdcfdd736324ef7a335fcd85a66b32cdaedbeef185625051b2db5368",
            (
                178867,
                "97fe8b189001132054cbd5b60ece4075aec91f724f9813f5dedcb1bc7d3e44b6",
            ),
            (35300, 1735691971),
        ),
    ],
)
def test_real_header(name, words, xml, text, run):
    """Format 6, first table."""
    reading = read_real(name)
    packet = reading.framing.packets[0]
    length, n_bytes = words
    assert packet.length == length
    assert packet.words()[1] == n_bytes
    assert sha256(packet.data[8 : 8 + n_bytes]) == xml
    assert len(packet.data) - 8 - n_bytes == 2
    written = reading.header.json()
    assert (len(written), sha256(written.encode())) == text
    control = reading.header.run_control()
    assert (control["RunNumber"], control["startTime"]) == run
    assert reading.header.plist["Header Length"] == 4 * length


@real_files
@pytest.mark.parametrize(
    ("name", "n_packets", "size", "expected"),
    [
        (
            *(FILE_A, 71, 1011840),
            {
                (0, "header"): ([34732], [0]),
                (7, "ORRunDecoderForRun"): ([4], [1, 2]),
                (4, "ORFlashCamListenerConfigDecoder"): ([2413], [3]),
                (3, "ORFlashCamADCWaveformDecoder"): ([3221], [*range(4, 71)]),
            },
        ),
        (
            *(FILE_B, 503, 713496),
            {
                (0, "header"): ([68570], [0]),
                (3, "ORRunDecoderForRun"): ([4], [1, 2, 502]),
                (6, "ORFCIOConfigDecoder"): ([901], [3]),
                (8, "ORFCIOEventHeaderDecoder"): (
                    [156],
                    [*range(4, 427), *range(428, 502)],
                ),
                (7, "ORFCIOEventDecoder"): ([31359], [427]),
            },
        ),
    ],
)
def test_real_packets(name, n_packets, size, expected):
    """Format 6, second table."""
    framing = read_real(name).framing
    assert len(framing.packets) == n_packets
    assert 4 * sum(packet.length for packet in framing.packets) == size
    assert (framing.truncated, framing.damaged, framing.zeros) == (None, [], [])
    found: dict[tuple[int, str], tuple[list[int], list[int]]] = {}
    for packet in framing.packets:
        key = packet.data_id >> 18, packet.decoder or "header"
        lengths, indices = found.setdefault(key, ([], []))
        if packet.length not in lengths:
            lengths.append(packet.length)
        indices.append(packet.index)
        is_extended = name == FILE_B and "FCIO" in (packet.decoder or "")
        assert packet.start == (2 if is_extended else 1)
    assert found == expected


@real_files
def test_real_run_records():
    """Format 6."""

    def records(name: str) -> list[str]:
        return [
            " ".join(f"{word:08X}" for word in packet.words())
            for packet in read_real(name).framing.packets
            if packet.decoder == "ORRunDecoderForRun"
        ]

    assert records(FILE_A) == [
        "001C0004 00000021 00000500 6286930B",
        "001C0004 00000008 0000001E 6286930B",
    ]
    assert records(FILE_B) == [
        "000C0004 00000021 000089E4 67748EC3",
        "000C0004 00000008 0000001E 67748EC3",
        "000C0004 00000000 000089E4 67749CD3",
    ]


@real_files
def test_real_listener_config():
    """Format 6, file A."""
    reading = read_real(FILE_A)
    packet = reading.framing.packets[3]
    assert packet.offset == 138960
    assert sha256(packet.data) == (
        "8a313030ca494f32f82de1558dcd4dcc053fc2009c4e116e5274b9b257514c0f"
    )
    row = {
        name: values[0]
        for name, values in reading.columns("ORFlashCamListenerConfigDecoder").items()
    }
    assert (row["readout_id"], row["fcid"], row["nadcs"]) == (1, 1, 6)
    assert (row["nsamples"], row["adcbits"]) == (6402, 16)
    assert [*row["ch_board_id"]] == [0x120] * 6
    assert [*row["ch_inputnum"]] == [*range(6)]
    (listener,) = reading.header.listeners()
    assert listener.samples == 4096
    assert listener.keys() == [*range(1028800, 1028806)]
    assert not listener.fsp


@real_files
def test_real_waveforms():
    """Format 6, file A."""
    reading = read_real(FILE_A)
    assert reading.framing.packets[4].words()[1] == 0x34464081
    rows = reading.columns("ORFlashCamADCWaveformDecoder")
    names = (
        *("packet_id", "baseline", "daqenergy", "eventnumber", "ts_ticks"),
        *("runtime", "timestamp"),
    )
    expected = {
        0: (4, 22099, 0, 0, 196628719, 0.786514876, 1652986635.9839299),
        1: (5, 20597, 0, 0, 196628719, 0.786514876, 1652986635.9839299),
        66: (70, 22120, 26808, 11, 214736147, 0.858944588, 1652986636.0563598),
    }
    for i, values in expected.items():
        assert tuple(rows[name][i] for name in names) == values
    waveforms = rows["waveform/values"]
    assert [sha256(waveforms[i]) for i in expected] == [
        "724c39d4da9245ab594aa5a43b5b54c54ecfe1ed2deece8ae58bddfa748ac249",
        "4fb3682323952288ad10c22100f2cf1451f52f100b505d423a437e792519a742",
        "555f32a93404789ce9895e58d32ca5a55c4cd59f290db3f165d59f9becba5e0a",
    ]
    assert [*waveforms[0][:5]] == [22388, 22007, 22084, 21736, 22223]
    assert sha256(np.concatenate(waveforms)) == (
        "85a6acfc511f275ea6333429efa2d3c1b4b497d89a50056843bbf503305949ba"
    )
    assert sum(int(samples.sum(dtype="i8")) for samples in waveforms) == 9299719129
    keys = reading.keys("ORFlashCamADCWaveformDecoder")
    assert [keys.count(key) for key in range(1028800, 1028806)] == [12] + [11] * 5
    common = {
        "mu_offset_sec": 1652986635,
        "mu_offset_usec": 197415,
        "to_start_usec": 780088,
        "ts_maxticks": 249999999,
        "dr_maxticks": 249999999,
        "deadtime": 0,
        "dr_ch_len": 6,
        "crate": 0,
        "slot": 0,
        "board_id": 288,
        "waveform/dt": 16,
    }
    for name, value in common.items():
        assert set(rows[name]) == {value}, name


@real_files
def test_real_fcio():
    """Format 6, file B."""
    reading = read_real(FILE_B)
    packets = reading.framing.packets
    assert packets[3].data[8:12] == bytes.fromhex("01000100")
    assert [sha256(packets[i].data) for i in (3, 4, 501)] == [
        "540808bb1dfa9cdfb92bb5d753b5d89938405f44a614cf2b13db48ee02b75544",
        "f0bade1727a5509571c3003f6ba31189b3bbcd5fc75e8e08a3a8b73365f67c53",
        "d888f38fdb1b42c266a99b5825e76e60cfe73a4fd00eef210dcf75abd8fcd233",
    ]
    (listener,) = reading.header.listeners()
    keys = listener.keys()
    assert (len(listener.cards), len(keys), listener.fsp) == (32, 61, True)
    assert (keys[0], keys[-1]) == (1052802, 1027202)
    assert len(reading.header.aux_hw("ORFlashCamListenerModel")) == 2

    config = reading.columns("ORFCIOConfigDecoder", "FCConfig")
    names = ("nadcs", "nsamples", "adcbits", "streamid", "gps", "adccards")
    assert [config[name] for name in names] == [
        *([61], [1024], [16], [65537], [50000], [32])
    ]

    headers = reading.columns("ORFCIOEventHeaderDecoder", "FCEventHeader")
    assert headers["packet_id"] == [*range(4, 427), *range(428, 502)]
    assert headers["numtraces"] == [61] * 497
    assert sum(len(row) for row in headers["tracelist"]) == 30317
    assert headers["eventnumber"] == [i for i in range(498) if i != 423]
    assert headers["timestamp"][0] == 1735691973.1046097
    assert headers["timestamp"][-1] == 1735691974.0227602
    stamps = zip(headers["ts_pps"], headers["ts_ticks"], strict=True)
    assert [*stamps][:3] == [(1, 26152452), (1, 26189091), (1, 27643788)]
    fsp = reading.columns("ORFCIOEventHeaderDecoder", "FSPEvent")
    assert len(fsp["is_written"]) == 497
    assert not any(fsp["is_written"])

    events = reading.columns("ORFCIOEventDecoder", "FCEvent")
    assert events["packet_id"] == [427] * 61
    assert events["eventnumber"] == [423] * 61
    assert events["timestamp"][0] == 1735691973.869057
    names = ("channel", "board_id", "fc_input", "baseline", "daqenergy")
    assert [events[name][0] for name in names] == [0, 528, 2, 14989, 0]
    assert [events[name][60] for name in names[:4]] == [60, 272, 2, 19098]
    waveforms = events["waveform/values"]
    assert packets[427].data[244 : 244 + 2048] == waveforms[0].tobytes()
    assert sha256(waveforms[0]) == (
        "53f2272ffe96d5002b88d677208139eb6eff3b62df60dcd1ebf8c2e0acf7af21"
    )
    assert sha256(np.concatenate(waveforms)) == (
        "cbdbeec651fa366f010b0808c0df20c7f8291e3845d94ada0b83ead56ca968d7"
    )


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
def test_real_header_can_be_written(name):
    """Format 1.2: the writer makes the very bytes of real header packets."""
    reading = read_real(name)
    packet = reading.framing.packets[0]
    n_bytes = packet.words()[1]
    assert writer.header_packet(packet.data[8 : 8 + n_bytes]) == packet.data
    assert writer.header_packet(reading.header.plist) == packet.data


# --- framing ----------------------------------------------------------------------


def a_header(**options: Any) -> bytes:
    return writer.header_packet(writer.header(decoders=writer.DATA_IDS, **options))


def read(*packets: bytes, **options: Any) -> reference.Reading:
    return reference.read(a_header(**options) + b"".join(packets))


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


# --- header -----------------------------------------------------------------------


def test_header_without_crates():
    """Format 7.10."""
    assert reference.Header(writer.header()).cards() == []
    plist = writer.header(crates=[writer.crate(0, None)])
    assert reference.Header(plist).cards() == []


def test_json_of_any_plist():
    """Format 2 and 7.9."""
    plist = writer.header(
        objects={
            "date": dt.datetime(2024, 2, 29, 12, 30, 5),
            "data": b"\0\1\2",
            "reals": [float("inf"), float("nan"), 1.0, 1],
            "text": '\u00b5 \u20ac "',
        }
    )
    reading = reference.read(writer.header_packet(plist))
    text = reading.header.json()
    assert '"date": "2024-02-29T12:30:05Z"' in text
    assert '"data": "AAEC"' in text
    assert '"reals": [Infinity, NaN, 1.0, 1]' in text
    assert r'"text": "\u00b5 \u20ac \""' in text


def test_order_of_keys_is_kept():
    """Format 4.1."""
    plist = {"z": 1, "a": {"c": 1, "b": 2}, "dataDescription": {}}
    packet = writer.header_packet(plist, sort_keys=False)
    assert reference.read(packet).header.json() == json.dumps(plist)


@pytest.mark.parametrize("bad", [b"\x01", b"\xb5"], ids=["control", "latin-1"])
def test_bad_text_in_header(bad):
    """Format 7.9."""
    text = plistlib.dumps(writer.header(objects={"Note": "5 @m"}))
    header = reference.read(writer.header_packet(text.replace(b"@", bad))).header
    expected = "5 \u00b5m" if bad == b"\xb5" else "5 m"
    assert header.object_info()["Note"] == expected


def test_listeners():
    """Format 2 and 4.3: what is read out, in that order."""
    header = reference.Header(
        writer.header(
            crates=[
                writer.crate(1, [writer.flashcam_adc(3, 0x230, std=True)]),
                writer.crate(
                    0,
                    [
                        writer.flashcam_adc(0, 0x110, enabled=[False, True] * 3),
                        writer.flashcam_adc(1, 0x120),
                        writer.flashcam_trigger(13, 0x4F0),
                    ],
                ),
            ],
            aux_hw=[
                writer.listener(3, samples=100),
                writer.listener(2, samples=50, fsp=True),
                writer.listener(1, samples=70, fsp=False),
            ],
            readouts=[
                writer.readout(2, [(1, 3), (0, 0), (0, 13)]),
                writer.readout(1, [(0, 1)]),
            ],
        )
    )
    second, first = header.listeners()
    assert (first.fcid, first.samples, first.fsp) == (1, 70, False)
    assert (second.fcid, second.samples, second.fsp) == (2, 50, True)
    assert first.keys() == [1_000_000 + 100 * 0x120 + i for i in range(6)]
    assert second.keys() == [
        *(2_000_000 + 100 * 0x230 + i for i in range(24)),
        *(2_000_000 + 100 * 0x110 + i for i in (1, 3, 5)),
    ]
    assert reference.table_names(
        "ORFCIOEventDecoder", reference.key_lists("ORFCIOEventDecoder", header)
    ) == ["ORFCIOEvent_0", "ORFCIOEvent_swtid_2/event", "ORFCIOEvent_2"]
    assert reference.table_names(
        "ORFCIOConfigDecoder", reference.key_lists("ORFCIOConfigDecoder", header)
    ) == ["ORFCIOConfig_0", "ORFCIOConfig_swtid_2/config"]


def test_mask_bits_are_channels():
    """Format B8: bit c is channel c, in any crate."""
    crates = [
        writer.crate(3, [writer.sis3316_card(2, enabled_mask=0b100)]),
        writer.crate(1, [writer.sis3302_card(4, internal_mask=1, external_mask=8)]),
    ]
    header = reference.Header(writer.header(crates=crates))
    assert header.channels("ORSIS3316WaveformDecoder") == [3 << 9 | 2 << 4 | 2]
    assert header.channels("ORSIS3302DecoderForEnergy") == [
        1 << 9 | 4 << 4,
        1 << 9 | 4 << 4 | 3,
    ]


# --- run records ------------------------------------------------------------------


def only(reading: reference.Reading, decoder: str, schema: str | None = None) -> dict:
    """Take the only row of a decoder, arrays as lists."""
    columns = reading.columns(decoder, schema)
    assert {len(rows) for rows in columns.values()} == {1}
    assert not reading.dropped
    return {
        name: rows[0].tolist() if isinstance(rows[0], np.ndarray) else rows[0]
        for name, rows in columns.items()
    }


def test_run_records():
    """Format 4.2."""
    reading = read(
        writer.run(0x21 | 2 | 4),
        writer.heartbeat(1_700_000_030),
        writer.run(0x10, subrun=0),
        writer.run(0x20, subrun=1),
        writer.run(0, number=2**32 - 5, time=2**31),
        writer.long_packet(writer.DATA_IDS["ORRunDecoderForRun"], 1, 2),
    )
    rows = reading.columns("ORRunDecoderForRun")
    assert rows["subrun_number"] == [0, 0, 0, 1, 0]
    assert rows["run_number"] == [1280, 30, 1280, 1280, -5]
    assert rows["time"][1:] == [1_700_000_030, 1_700_000_000, 1_700_000_000, -(2**31)]
    flags = [
        *("runstartorstop", "quickstartrun", "remotecontrolrun"),
        *("heartbeatrecord", "endsubrunrecord", "startsubrunrecord"),
    ]
    assert [[int(rows[name][i]) for name in flags] for i in range(5)] == [
        *([1, 1, 1, 0, 0, 1], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0]),
        *([0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]),
    ]
    assert reading.dropped == {("ORRunDecoderForRun", "too short"): 1}


# --- FlashCam, first generation ---------------------------------------------------

CONFIG = "ORFlashCamListenerConfigDecoder"
STATUS = "ORFlashCamListenerStatusDecoder"
OLD_WAVEFORM = "ORFlashCamADCWaveformDecoder"
NEW_WAVEFORM = "ORFlashCamWaveformDecoder"

FLASHCAM: dict[str, Any] = {
    "crates": [
        writer.crate(2, [writer.flashcam_adc(4, 0x3A0, std=True)]),
        writer.crate(0, [writer.flashcam_adc(1, 0x120)]),
    ],
    "aux_hw": [writer.listener(1, samples=8), writer.listener(2, samples=6)],
    "readouts": [writer.readout(1, [(0, 1)]), writer.readout(2, [(2, 4)])],
}
PLACE: dict[str, Any] = {"crate": 0, "slot": 1, "address": 0x120}
MAP = [0x1200000 + i for i in range(6)]


def read_flashcam(*packets: bytes) -> reference.Reading:
    return read(*packets, **FLASHCAM)


def test_listener_config():
    """Format 4.3.1, the newer form."""
    boards = [(161, 0xAABBCCDD11223344), (2, 5), (3, 6), (4, 7), (5, 2**64 - 1)]
    row = only(
        read(
            writer.flashcam_config(
                (0x1200003, 0x4100017),
                readout_id=3,
                fcid=2,
                adccards=5,
                boards=boards,
                streamid=7,
                gps=-1,
            )
        ),
        CONFIG,
    )
    assert row["packet_id"] == 1
    assert row["packet_len"] == 13 + 2 + 2 + 10
    assert (row["readout_id"], row["fcid"], row["streamid"]) == (3, 2, 7)
    assert row["gps"] == -1
    assert (row["ch_board_id"], row["ch_inputnum"]) == ([0x120, 0x410], [3, 0x17])
    assert row["board_rev"] == [revision for revision, _ in boards]
    assert row["board_uid"] == [unique_id for _, unique_id in boards]


def test_older_listener_config():
    """Format 4.3.1: the map is always as long."""
    row = only(read(writer.flashcam_config(MAP, adccards=2)), CONFIG)
    assert row["packet_len"] == 2413
    assert (row["board_rev"], row["board_uid"]) == ([0, 0], [0, 0])
    assert row["ch_inputnum"] == [*range(6)]


@pytest.mark.parametrize("n", [-1, 2401])
def test_bad_listener_config(n):
    reading = read(writer.flashcam_config(nadcs=n))
    assert reading.dropped == {(CONFIG, "number of traces"): 1}


@pytest.mark.parametrize("stride", [39, 41])
def test_listener_status(stride):
    """Format 4.3.2."""
    cards = [
        fcio.StatusCard(
            *(reqid, 1, 7 + i, 8, 9, 10),
            totalerrors=100 + i,
            enverrors=101,
            ctierrors=102,
            linkerrors=103,
            othererrors=(1, 2, 3, 4, 5 + i),
            environment=[-i, *range(1, 16)],
            ctilinks=(11, 12, 13, 14 + i),
            numlinks=2,
        )
        for i, reqid in enumerate((0, 0x2000))
    ]
    packet = writer.flashcam_status(
        cards,
        fcid=2,
        status=0,
        time=(5, 250_000),
        cpu_time=(1_700_000_001, 500_000),
        start_time=(0, 125_000),
        link_states=(77, 78),
        stride=stride,
    )
    assert len(packet) == 4 * (15 + 2 * (39 + 2))
    row = only(read(packet), STATUS)
    assert (row["fcid"], row["status"], row["n_cards"]) == (2, 0, 2)
    assert row["card_data_size"] == 1180
    assert (row["statustime"], row["startoffset"]) == (5.25, 0.125)
    assert row["cputime"] == 1_700_000_001.5
    assert row["card_id"] == [0, 0x2000]
    assert row["card_eventnumber"] == [7, 8]
    assert row["card_max_clock_ticks"] == [10, 10]
    assert row["card_n_env_vals"] == [16, 16]
    assert row["card_n_cti_links"] == [4, 4]
    assert row["card_n_link_states"] == [2, 2]
    assert row["card_n_errors_tot"] == [100, 101]
    assert row["card_n_link_errors"] == [103, 103]
    assert row["card_n_other_errors"] == [1, 2, 3, 4, 5, 1, 2, 3, 4, 6]
    assert row["card_temps"] == [0, 1, 2, 3, 4, -1, 1, 2, 3, 4]
    assert row["card_voltages"] == [*range(5, 11)] * 2
    assert row["card_main_current"] == [11, 11]
    assert row["card_humidity"] == [12, 12]
    assert row["card_adc_temps"] == [13, 14] * 2
    assert row["card_cti_links"] == [11, 12, 13, 14, 11, 12, 13, 15]
    assert row["card_link_states"] == [77, 78]


def test_waveform():
    """Format 4.3.3."""
    packet = writer.flashcam_waveform(
        range(1, 9),
        **PLACE,
        fc_input=3,
        channel=3,
        event_type=11,
        offsets=(1_700_000_000, 500_000, 1_700_000_009, -1, 1, 2, 3),
        dead_region=(1, 100, 2, 200, 1000),
        timestamp=(7, 5, 62_500_000, 249_999_999),
        baseline=15_001,
        energy=65_535,
    )
    row = only(
        read_flashcam(writer.flashcam_config(MAP, nsamples=8), packet), OLD_WAVEFORM
    )
    assert row == {
        "packet_id": 2,
        "event_type": 11,
        "fcid": 1,
        "crate": 0,
        "slot": 1,
        "board_id": 0x120,
        "fc_input": 3,
        "channel": 3,
        "numtraces": 1,
        "mu_offset_sec": 1_700_000_000,
        "mu_offset_usec": 500_000,
        "to_master_sec": 1_700_000_009,
        "delta_mu_usec": -1,
        "abs_delta_mu_usec": 1,
        "to_start_sec": 2,
        "to_start_usec": 3,
        "dr_start_pps": 1,
        "dr_start_ticks": 100,
        "dr_stop_pps": 2,
        "dr_stop_ticks": 200,
        "dr_maxticks": 1000,
        "eventnumber": 7,
        "ts_pps": 5,
        "ts_ticks": 62_500_000,
        "ts_maxticks": 249_999_999,
        "baseline": 15_001,
        "daqenergy": 65_535,
        "dr_ch_idx": 0,
        "dr_ch_len": 6,
        "runtime": 5.25,
        "timestamp": 1_700_000_005.75,
        "deadtime": 1.1,
        "lifetime": 0,
        "deadinterval_nsec": 0,
        "waveform/values": [*range(1, 9)],
        "waveform/t0": 0,
        "waveform/dt": 16,
    }


def test_waveform_of_12_bits():
    """Format 4.3.3 and B13 and B18: dt, and time stamps with gps."""
    words = [0x3A00000 + i for i in range(24)]
    packet = writer.flashcam_waveform(
        range(6),
        crate=2,
        slot=4,
        address=0x3A0,
        high_address=True,
        fc_input=23,
        channel=23,
        wide_input=True,
        offsets=(10, 0, 2000, 0, 0, 0, 0),
        timestamp=(0, 10, 125_000_000, 249_999_999),
        data_id=writer.DATA_IDS[NEW_WAVEFORM],
    )
    config = writer.flashcam_config(words, fcid=2, nsamples=6, adcbits=12, gps=1)
    reading = read_flashcam(config, packet)
    row = only(reading, NEW_WAVEFORM)
    assert (row["fc_input"], row["channel"], row["board_id"]) == (23, 23, 0x3A0)
    assert (row["fcid"], row["dr_ch_len"]) == (2, 24)
    assert (row["timestamp"], row["waveform/dt"]) == (2010.5, 4)
    assert reading.keys(NEW_WAVEFORM) == [2_000_000 + 0x3A0 * 100 + 23]
    assert list(reading.tables())[1:] == ["ORFlashCamWaveform_1"]


def test_first_header_generation():
    """Format 4.3.3: two time offsets less."""
    packet = writer.flashcam_waveform(
        range(8), **PLACE, offsets=(1, 2, 3, 4, 5), timestamp=(7, 8, 9, 99)
    )
    row = only(
        read_flashcam(writer.flashcam_config(MAP, nsamples=8), packet), OLD_WAVEFORM
    )
    assert (row["mu_offset_sec"], row["abs_delta_mu_usec"]) == (1, 5)
    assert (row["to_start_sec"], row["to_start_usec"]) == (0, 0)
    assert (row["dr_start_ticks"], row["eventnumber"], row["ts_maxticks"]) == (
        1000,
        7,
        99,
    )
    assert row["waveform/values"] == [*range(8)]


def test_word_1_of_march_2023():
    """Format 4.3.3: the header words are missing in it."""
    packet = writer.flashcam_waveform(range(8), **PLACE, word1=11)
    row = only(
        read_flashcam(writer.flashcam_config(MAP, nsamples=8), packet), OLD_WAVEFORM
    )
    assert row["event_type"] == 11
    assert row["waveform/values"] == [*range(8)]


def test_waveform_that_is_not_included():
    """Format 4.3.3: the words after the header are stale."""
    packet = writer.flashcam_waveform(range(8), **PLACE, n_samples=0, energy=5)
    row = only(
        read_flashcam(writer.flashcam_config(MAP, nsamples=8), packet), OLD_WAVEFORM
    )
    assert row["daqenergy"] == 5
    assert row["waveform/values"] == [0] * 8


def test_waveform_of_another_length():
    """Format 7.15."""
    short = writer.flashcam_waveform(range(1, 5), **PLACE)
    long = writer.flashcam_waveform(range(10), **PLACE)
    config = writer.flashcam_config(MAP, nsamples=8)
    rows = read_flashcam(config, short, long).columns(OLD_WAVEFORM)
    assert [row.tolist() for row in rows["waveform/values"]] == [
        [1, 2, 3, 4, 0, 0, 0, 0],
        [*range(10)],
    ]


def test_development_split():
    """Format 4.3.3: the newer split under the older name."""
    packets = [
        writer.flashcam_waveform(
            range(8), **PLACE, fc_input=i, channel=i, wide_input=True
        )
        for i in (1, 3, 5)
    ]
    config = writer.flashcam_config(MAP, nsamples=8)
    rows = read_flashcam(config, *packets).columns(OLD_WAVEFORM)
    assert rows["fc_input"] == rows["channel"] == [1, 3, 5]
    # Some fit as declared: no such version.
    other = writer.flashcam_waveform(range(8), **PLACE)
    reading = read_flashcam(config, *packets, other)
    assert reading.columns(OLD_WAVEFORM)["channel"] != [1, 3, 5, 0]


@pytest.mark.parametrize("address", [0x330, 0x20])
def test_board_of_the_configuration(address):
    """Format B17: it is right for every row."""
    packet = writer.flashcam_waveform(range(8), **{**PLACE, "address": address})
    config = writer.flashcam_config(MAP, nsamples=8)
    rows = read_flashcam(config, packet, packet).columns(OLD_WAVEFORM)
    assert rows["board_id"] == [0x120] * 2


def test_waveforms_that_are_dropped():
    """Format 4.3.3 and 7.14."""
    ts = (0, 0, 0, -1)
    cut = writer.flashcam_waveform(range(8), **PLACE, n_samples=10)
    odd = writer.flashcam_waveform(range(8), **PLACE, n_samples=7)
    reading = read_flashcam(
        writer.flashcam_config(MAP, nsamples=8),
        writer.flashcam_waveform(range(8), **{**PLACE, "slot": 2}),
        writer.flashcam_waveform(range(8), **{**PLACE, "slot": 2}, fc_input=1),
        writer.flashcam_waveform(range(8), **PLACE, channel=6),
        writer.flashcam_waveform(range(8), **PLACE, timestamp=ts),
        *(cut, odd),
    )
    # a card in another slot is identified by its address
    assert reading.columns(OLD_WAVEFORM)["packet_id"] == [2]
    assert reading.dropped == {
        (OLD_WAVEFORM, "card not in the header"): 1,
        (OLD_WAVEFORM, "trace index"): 1,
        (OLD_WAVEFORM, "maximal ticks"): 1,
        (OLD_WAVEFORM, "length"): 2,
    }


def test_dead_region_without_ticks():
    packet = writer.flashcam_waveform(range(8), **PLACE, dead_region=(0,) * 5)
    row = only(read_flashcam(writer.flashcam_config(MAP), packet), OLD_WAVEFORM)
    assert np.isnan(row["deadtime"])


# --- FCIO inside ORCA -------------------------------------------------------------

FCIO_HEADER: dict[str, Any] = {
    "crates": [writer.crate(0, [writer.flashcam_adc(1, 0x110)])],
    "aux_hw": [writer.listener(1, samples=4)],
    "readouts": [writer.readout(1, [(0, 1)])],
}
FCIO_CONFIG = fcio.config(
    adcs=2, eventsamples=4, tracemap=(0x1100000, 0x1100001), streamid=0x10001
)
TRACES = fcio.with_headers(np.arange(8).reshape(2, 4), 10, 20)


def config_packet(config: bytes = FCIO_CONFIG, **options: Any) -> bytes:
    return writer.fcio_packet(fcio.handshake(), config, **options)


def read_fcio(*packets: bytes) -> reference.Reading:
    return read(*packets, **FCIO_HEADER)


def test_fcio_is_as_in_a_file_of_its_own():
    """Format 4.4, FCIO format, 7: but for the packet ids."""
    options: dict[str, Any] = {
        "kinds": "fcio",
        "n_events": 30,
        "n_channels": 4,
        "n_samples": 10,
        "fcio_options": {
            "kind": "mixed",
            "fsp": True,
            "status_every": 4,
            "deadtime": True,
        },
    }
    data, index = writer.make_indexed_stream(**options)
    payloads = [
        data[packet.offset + 12 : packet.offset + packet.length]
        for packet in index
        if "FCIO" in packet.kind
    ]
    ids = [i for i, packet in enumerate(index) if "FCIO" in packet.kind]
    plain = fcio_reference.read(b"".join(without_padding(each) for each in payloads))
    reading = reference.read(data)
    for schema, decoder in (
        ("FCConfig", "ORFCIOConfigDecoder"),
        ("FCEvent", "ORFCIOEventDecoder"),
        ("FCEventHeader", "ORFCIOEventHeaderDecoder"),
        ("FCStatus", "ORFCIOStatusDecoder"),
        ("FSPStatus", "ORFCIOStatusDecoder"),
    ):
        expected = plain.tables[schema]
        expected["packet_id"] = [ids[i] for i in expected["packet_id"]]
        found = reading.columns(decoder, schema)
        assert len(found["packet_id"]) > 0, schema
        np.testing.assert_equal(found, expected, schema)
        assert reading.keys(decoder, schema) == plain.keys[schema]
    assert set(reading.tables()) == {
        *("ORRunDecoderForRun", "ORFCIOConfig_fcid_1/config"),
        *("ORFCIOConfig_swtid_1/config", "ORFCIOEvent_0"),
        *("ORFCIOEvent_swtid_1/event", "ORFCIOEventHeader_fcid_1/evt_hdr"),
        *("ORFCIOEventHeader_swtid_1/evt_hdr", "ORFCIOStatus_0"),
        "ORFCIOStatus_swtid_1/status",
    }


def without_padding(payload: bytes) -> bytes:
    """Cut off what is no whole record (format 4.4)."""
    position = 0
    while len(payload) - position >= 4:
        (header,) = struct.unpack_from("<i", payload, position)
        is_handshake = header == -1_000_000_001
        position += 68 if is_handshake else 4 + max(header, 0)
    return payload[:position]


@pytest.mark.parametrize("padding", [0, 1, 5])
def test_zeros_after_a_record(padding):
    """Format 4.4: they are no frames that matter."""
    reading = read_fcio(
        config_packet(padding=padding),
        writer.fcio_packet(fcio.event(TRACES), padding=padding),
        writer.fcio_packet(
            fcio.sparse_event((1,), TRACES[1:], num_traces=1), padding=padding
        ),
    )
    rows = reading.columns("ORFCIOEventDecoder", "FCEvent")
    assert rows["packet_id"] == [2, 2, 3]
    assert rows["channel"] == [0, 1, 1]
    assert not reading.dropped


def test_two_streams_and_a_second_configuration():
    """Format 4.4 and 7.17."""
    header = {
        "crates": [
            writer.crate(0, [writer.flashcam_adc(1, 0x110)]),
            writer.crate(1, [writer.flashcam_adc(1, 0x210)]),
        ],
        "aux_hw": [writer.listener(1, samples=4), writer.listener(2, samples=4)],
        "readouts": [writer.readout(1, [(0, 1)]), writer.readout(2, [(1, 1)])],
    }
    other = fcio.config(
        adcs=1, eventsamples=2, tracemap=(0x2100005,), streamid=0x10002, adcbits=12
    )
    shorter = fcio.config(
        adcs=1, eventsamples=2, tracemap=(0x1100004,), streamid=0x10001
    )
    small = fcio.with_headers([[5, 6]], 10, 20)
    reading = read(
        config_packet(other, streamid=0x10002),
        config_packet(),
        writer.fcio_packet(fcio.event(TRACES)),
        writer.fcio_packet(fcio.event(small), streamid=0x10002),
        config_packet(),
        writer.fcio_packet(fcio.event(TRACES)),
        config_packet(shorter),
        writer.fcio_packet(fcio.event(small)),
        **header,
    )
    assert not reading.dropped
    rows = reading.columns("ORFCIOEventDecoder", "FCEvent")
    assert rows["packet_id"] == [3, 3, 4, 6, 6, 8]
    assert rows["waveform/dt"] == [16, 16, 4, 16, 16, 16]
    assert reading.keys("ORFCIOEventDecoder", "FCEvent") == [
        *(1_027_200, 1_027_201, 2_052_805, 1_027_200, 1_027_201, 1_027_204)
    ]
    tables = reading.tables()
    assert list(tables) == ["ORFCIOConfig_0", "ORFCIOEvent_0", "ORFCIOEvent_1"]
    assert tables["ORFCIOConfig_0"]["streamid"] == [
        *(0x10002, 0x10001, 0x10001, 0x10001)
    ]


def test_one_decoder_for_all_records():
    """Format 4.4: the tags tell what is in a packet."""
    data_id = writer.DATA_IDS["ORFCIODecoder"]
    reading = read_fcio(
        config_packet(data_id=data_id),
        writer.fcio_packet(fcio.event(TRACES), data_id=data_id),
        writer.fcio_packet(fcio.event_header((1,), ((1, 2),)), data_id=data_id),
    )
    assert {name: len(rows) for name, rows in reading.rows.items()} == {
        "ORFCIOConfigDecoder": 1,
        "ORFCIOEventDecoder": 2,
        "ORFCIOEventHeaderDecoder": 1,
    }


def test_other_records_in_a_packet():
    """Format 4.4: unknown tags are skipped, the wanted one is read."""
    reading = read_fcio(
        config_packet(),
        writer.fcio_packet(
            fcio.record(77, b"abc", b""), fcio.calib(adcs=2), fcio.event(TRACES)
        ),
    )
    assert reading.columns("ORFCIOEventDecoder", "FCEvent")["packet_id"] == [2, 2]


def test_fcio_packets_that_are_dropped():
    """Format 4.4, 7.14 and 7.17."""
    event = "ORFCIOEventDecoder"
    elsewhere = fcio.config(
        adcs=2, eventsamples=4, tracemap=(0x1100000, 0x9900001), streamid=0x10001
    )
    reading = read_fcio(
        writer.fcio_packet(fcio.event(TRACES)),
        config_packet(elsewhere),
        writer.fcio_packet(fcio.event(TRACES)),
        writer.fcio_packet(fcio.event(TRACES[:1])),
        writer.fcio_packet(fcio.status(), data_id=writer.DATA_IDS[event]),
        writer.extended_packet(writer.DATA_IDS[event]),
        writer.fcio_packet(fcio.event(TRACES)),
    )
    assert reading.dropped == {
        (event, "no configuration"): 1,
        (event, "damaged FCIO record"): 1,
        (event, "no such record"): 1,
        (event, "too short"): 1,
    }
    assert reading.columns(event, "FCEvent")["packet_id"] == [3, 3, 7, 7]


def test_cards_of_a_status():
    """Format B22: trigger cards and sub-masters as well."""
    config = fcio.config(
        adcs=2,
        eventsamples=4,
        tracemap=(0x1100000, 0x1100001),
        streamid=0x10001,
        mastercards=2,
        triggercards=1,
    )
    ids = (0, 0x4000, 0x1000, 0x2000)
    cards = [fcio.StatusCard(reqid=reqid) for reqid in ids]
    reading = read_fcio(config_packet(config), writer.fcio_packet(fcio.status(cards)))
    assert reading.columns("ORFCIOStatusDecoder", "FCStatus")["id"] == [*ids]
    tables = reading.tables()
    assert list(tables) == ["ORFCIOConfig_fcid_1/config", "ORFCIOStatus"]
    assert len(tables["ORFCIOStatus"]["id"]) == 4


def test_software_trigger_that_the_header_lacks():
    """Format 4.4: the bytes tell, not only the flag."""
    reading = read_fcio(
        writer.fcio_packet(fcio.handshake(), fcio.fsp_config(), FCIO_CONFIG),
        writer.fcio_packet(fcio.fsp_event(), fcio.event(TRACES)),
        writer.fcio_packet(fcio.event(TRACES)),
    )
    rows = reading.columns("ORFCIOEventDecoder", "FSPEvent")
    assert rows["packet_id"] == [2]
    assert "ORFCIOEvent_swtid_1/event" in reading.tables()
    config = only(reading, "ORFCIOConfigDecoder", "FSPConfig")
    assert config["packet_id"] == 1
    assert config["dsp_ct_tracemap_label"][:4] == [b"ch000", b"ch001", b"ch002", b""]
    assert len(config["dsp_ct_tracemap_label"]) == 2400


# --- digitizers -------------------------------------------------------------------

VME: dict[str, Any] = {
    "crates": [
        writer.crate(5, [writer.gretina4m_card(8, down_sample=2)]),
        writer.crate(
            2,
            [
                writer.sis3302_card(4, sample_lengths=(8, 8, 8, 8)),
                writer.sis3316_card(5, samples=4, maw_lengths=(0, 7, 0, 0)),
                writer.vme_card("ORSIS3320Model", 7, onlineMask=0xFF, clockSource=7),
                writer.gretina4a_card(9, decimation=(0, 3) + (0,) * 8),
            ],
        ),
    ],
    "objects": {
        "USB": [
            {"DT5725 3": {"Class Name": "ORDT5725Model", "enabledMask": 0xFF}},
            {"DT5720 1": {"Class Name": "ORDT5720Model", "enabledMask": 0xF}},
        ]
    },
}


def read_vme(*packets: bytes) -> reference.Reading:
    return read(*packets, **VME)


def waveforms(rows: dict[str, list[Any]]) -> list[list[int]]:
    return [samples.tolist() for samples in rows["waveform/values"]]


def test_sis3302():
    """Format 4.5, and B4."""
    reading = read_vme(
        writer.sis3302(
            range(8),
            crate=2,
            channel=3,
            energy=2**32 - 1,
            energy_trace=(5, 2**31),
            flags=0x80000001,
            lost=0x3FFF,
        )
    )
    assert only(reading, "ORSIS3302DecoderForEnergy") == {
        "packet_id": 1,
        "energy": 2**32 - 1,
        "energy_first": 10,
        "flags": 0x80000001,
        "timestamp": 0x1234_89AB_CDEF,
        "crate": 2,
        "card": 4,
        "channel": 3,
        "energy_waveform": [5, 2**31],
        "waveform/values": [*range(8)],
        "waveform/t0": 0,
        "waveform/dt": 10,
    }
    assert reading.keys("ORSIS3302DecoderForEnergy") == [2 << 9 | 4 << 4 | 3]
    assert list(reading.tables()) == ["ORSIS3302DecoderForEnergy_1091"]


def test_sis3302_wrap():
    """Format 4.5: from one after the start."""
    reading = read_vme(writer.sis3302(range(8), crate=2, wrap=(8, 5)))
    row = only(reading, "ORSIS3302DecoderForEnergy")
    assert row["waveform/values"] == [6, 7, 0, 1, 2, 3, 4, 5]


def test_sis3302_lengths():
    """Format 4.5 and 7.15."""
    reading = read_vme(
        writer.sis3302(range(4), crate=2),
        # Twice as many as there are.
        writer.sis3302(range(8), crate=2, energy_trace=(1, 2), n_energy_words=4),
        writer.sis3302(range(8), crate=2, trailer=0),
        writer.sis3302(range(8), crate=2, adc_channel=1),
        writer.sis3302(range(8), crate=2, n_samples_words=5),
        writer.sis3302(range(8), crate=3),
    )
    rows = reading.columns("ORSIS3302DecoderForEnergy")
    # the last is of a card that the header lacks
    assert waveforms(rows) == [[0, 1, 2, 3, 0, 0, 0, 0], [*range(8)], [*range(8)]]
    assert rows["energy_waveform"][1].tolist() == [1, 2]
    assert [reason for _, reason in reading.dropped] == [
        *("trailer", "channel", "length")
    ]


@pytest.mark.parametrize("bits", range(16))
def test_sis3316_formats(bits):
    """Format 4.6 and B5 and B6."""
    row = only(
        read_vme(
            writer.sis3316(
                [writer.SIS3316Event(range(4), format_bits=bits, channel_id=2)],
                crate=2,
                channel=2,
            )
        ),
        "ORSIS3316WaveformDecoder",
    )
    parts = [
        {
            "peakHighValue": 20_000,
            "peakHighIndex": 77,
            "information": 3,
            **{f"accSum{i}": 10 + i for i in range(1, 7)},
        },
        {"accSum7": 17, "accSum8": 18},
        {"mawMax": 301, "mawBefore": 302, "mawAfter": 303},
        {"startEnergy": 401, "maxEnergy": 402, "energy": 402, "energy_first": 401},
    ]
    expected: dict[str, Any] = {
        "packet_id": 1,
        "timestamp": 0x1234_89AB_CDEF,
        "crate": 2,
        "card": 5,
        "channel": 2,
        "waveform/values": [*range(4)],
        "waveform/t0": 0,
        "waveform/dt": 8,
    }
    for bit, part in enumerate(parts):
        present = bits >> bit & 1
        expected |= part if present else dict.fromkeys(part, 2**32 - 1)
    assert row == expected


def test_sis3316_events():
    """Format 4.6 and B9: all events of a packet, whatever follows each."""
    events = [
        writer.SIS3316Event(range(i, i + 4), timestamp=i, **options)
        for i, options in enumerate(
            [
                {},
                # 7 words in the header are 6 in the data.
                {"maw_test": True, "maw_data": range(6), "format_bits": 0},
                {"check": 0xA, "averaged": (1, 2, 3), "status": True},
                {"format_bits": 5},
            ]
        )
    ]
    reading = read_vme(writer.sis3316(events, crate=2, channel=4, header_words=17))
    rows = reading.columns("ORSIS3316WaveformDecoder")
    assert rows["timestamp"] == [0, 1, 2, 3]
    assert waveforms(rows) == [[*range(i, i + 4)] for i in range(4)]
    assert not reading.dropped


def test_sis3316_stops():
    """Format 4.6 and 7.16: at the first event that cannot be."""
    good, bad = writer.SIS3316Event(range(4)), writer.SIS3316Event(range(4), check=3)
    reading = read_vme(
        writer.sis3316([good, bad, good], crate=2),
        writer.sis3316([good, good], crate=2, n_events=3),
        writer.sis3316([good, writer.SIS3316Event(range(4), n_words=3)], crate=2),
        writer.sis3316([], crate=2),
        writer.sis3316([good], crate=1),
    )
    rows = reading.columns("ORSIS3316WaveformDecoder")
    assert rows["packet_id"] == [1, 2, 2, 3, 5]
    assert reading.dropped == {
        ("ORSIS3316WaveformDecoder", "check nibble"): 1,
        ("ORSIS3316WaveformDecoder", "event cut off"): 2,
        ("ORSIS3316WaveformDecoder", "no events"): 1,
    }


@pytest.mark.parametrize("energy", [0, 1, -1, 2**24 - 1, -(2**24)])
def test_gretina4m(energy):
    """Format 5.1."""
    event = writer.Gretina4MEvent(
        np.arange(2018) - 1000, channel=7, energy=energy, board_id=0xABC
    )
    reading = read_vme(writer.gretina4m([event], crate=5, fifo_state=2))
    assert only(reading, "ORGretina4MWaveformDecoder") == {
        "packet_id": 1,
        "energy": abs(energy),
        "timestamp": 0x1234_89AB_CDEF,
        "crate": 5,
        "card": 8,
        "channel": 7,
        "board_id": 0xABC,
        "serial_number": 0x4321,
        "fifo_state": 2,
        "waveform/values": [*range(-1000, 1018)],
        "waveform/t0": 0,
        "waveform/dt": 40,
    }
    assert reading.keys("ORGretina4MWaveformDecoder") == [5 << 9 | 8 << 4 | 7]


def test_gretina4m_blocks():
    """Format 5.1: a bad one is skipped alone."""
    event = writer.Gretina4MEvent
    packet = writer.gretina4m(
        [event(timestamp=1), event(separator=0), event(channel=10), event(timestamp=4)],
        crate=5,
    )
    odd = writer.long_packet(writer.DATA_IDS["ORGretina4MWaveformDecoder"], 0, 1, 2)
    reading = read_vme(packet, odd)
    assert reading.columns("ORGretina4MWaveformDecoder")["timestamp"] == [1, 4]
    assert [reason for _, reason in reading.dropped] == [
        *("separator", "channel", "length")
    ]


def test_gretina4a():
    """Format 5.2."""
    event = writer.Gretina4AEvent(
        [1, 2, 0x3FFF, 4],
        channel=1,
        sample_flags=[0, 1, 2, 3],
        header_words=15,
        board_id=0xABC,
        event_type=5,
        pre_rise_sum=0xFFFFFF,
        post_rise_sum=0x123456,
    )
    row = only(
        read_vme(writer.gretina4a([event], crate=2)), "ORGretina4AWaveformDecoder"
    )
    assert row == {
        "packet_id": 1,
        "timestamp": 0x1234_89AB_CDEF,
        "prev_timestamp": 0x1234_89AB_0000,
        "energy": 0x123456 - 0xFFFFFF,
        "pre_rise_sum": 0xFFFFFF,
        "post_rise_sum": 0x123456,
        "baseline": 0x12345,
        "flags": 0x8001,
        "event_type": 5,
        "header_type": 3,
        "peak_time": 500,
        "trigger_time": 490,
        "crate": 2,
        "card": 9,
        "channel": 1,
        "board_id": 0xABC,
        "waveform_flags": [0, 1, 2, 3],
        "waveform/values": [1, 2, 0x3FFF, 4],
        "waveform/t0": 0,
        "waveform/dt": 80,
    }


def test_gretina4a_events():
    """Format 5.2: until one does not fit."""
    event = writer.Gretina4AEvent
    reading = read_vme(
        writer.gretina4a(
            [event([1, 2]), event(()), event([3, 4], length=2000)], crate=2
        ),
        writer.gretina4a([event([5, 6])], crate=2, rest=[0xAAAAAAAA, 1]),
        writer.gretina4a([event([7, 8]), event(separator=1)], crate=2),
        writer.gretina4a([event([], header_words=14, length=13)], crate=2),
    )
    rows = reading.columns("ORGretina4AWaveformDecoder")
    assert waveforms(rows) == [[1, 2], [], [5, 6], [7, 8]]
    assert [reason for _, reason in reading.dropped] == [
        *("event cut off", "separator", "header words")
    ]


@pytest.mark.parametrize(
    ("saving_mode", "rate", "channel", "period"),
    [(4, 0, 6, 0.8), (1, 1, 6, 0.4), (0, 2, 4, 0.2)],
)
def test_sis3305(saving_mode, rate, channel, period):
    """Format 5.3."""
    samples = np.arange(96) * 7 % 1024
    events = [
        writer.SIS3305Event(samples, event_id=2),
        writer.SIS3305Event(1023 - samples, event_id=2, timestamp=2**48 - 1),
    ]
    reading = read_vme(
        writer.sis3305(
            events,
            crate=9,
            card=17,
            channel_mode=3,
            group=1,
            rate=rate,
            saving_mode=saving_mode,
            padding=3,
        )
    )
    rows = reading.columns("ORSIS3305DecoderForWaveform")
    assert rows["timestamp"] == [0x1234_89AB_CDEF, 2**48 - 1]
    assert waveforms(rows) == [samples.tolist(), (1023 - samples).tolist()]
    for name, value in {
        "crate": 9,
        "card": 17,
        "channel": channel,
        "event_id": 2,
        "group": 1,
        "channel_mode": 3,
        "rate": rate,
        "saving_mode": saving_mode,
        "waveform/dt": np.float32(period),
    }.items():
        assert rows[name] == [value] * 2, name
    key = 9 << 9 | 17 << 4 | channel
    assert reading.keys("ORSIS3305DecoderForWaveform") == [key] * 2


def test_order_of_sis3305_samples():
    """Format 5.3, word by word: what the description spells out."""

    def words(start: int, n: int) -> list[int]:
        return [(start + i) << 20 | (100 + i) << 10 | (200 + i) for i in range(n)]

    def samples(saving_mode: int, rate: int, n: int) -> list[int]:
        where = rate << 8 | saving_mode << 4
        packet = writer.long_packet(
            writer.DATA_IDS["ORSIS3305DecoderForWaveform"],
            *(where, 4 + n, 1, 0, 0, 0, 1),
            words(0, n),
        )
        row = only(read_vme(packet), "ORSIS3305DecoderForWaveform")
        return row["waveform/values"]

    assert samples(4, 0, 4)[:5] == [0, 100, 200, 1, 101]
    assert samples(1, 1, 8)[:8] == [0, 4, 100, 104, 200, 204, 1, 5]
    assert samples(0, 2, 16)[:9] == [0, 8, 4, 12, 100, 108, 104, 112, 200]


def test_sis3305_that_is_dropped():
    """Format 5.3."""
    event = writer.SIS3305Event(range(48))
    name = "ORSIS3305DecoderForWaveform"
    reading = read_vme(
        writer.sis3305([event], wrap=True),
        writer.sis3305([event], saving_mode=0, rate=1),
        writer.sis3305([event], event_words=19),
        writer.sis3305([event] * 2, n_events=1),
    )
    assert reading.dropped == {
        (name, "wrap mode"): 1,
        (name, "saving mode"): 1,
        (name, "length"): 1,
    }
    assert reading.columns(name)["packet_id"] == [4]


def test_sis3320():
    """Format 5.4."""
    events = [
        writer.SIS3320Event([1, 2, 3], gates=(0xFFFFF, 2, 3, 4, 5, 6, 7, 0xFFFF)),
        writer.SIS3320Event(timestamp=5),
        writer.SIS3320Event([4, 5], timestamp=6),
    ]
    reading = read_vme(writer.sis3320(events, crate=2, channel=6, is_split=True))
    rows = reading.columns("ORSIS3320WaveformDecoder")
    assert rows["timestamp"] == [0x1234_89AB_CDEF, 5, 6]
    assert waveforms(rows) == [[1, 2, 3], [0, 0, 0], [4, 5]]
    gates = [rows[f"accSum{i}"][0] for i in range(1, 9)]
    assert gates == [0xFFFFF, 2, 3, 4, 5, 6, 7, 0xFFFF]
    assert rows["waveform/dt"] == [4] * 3
    assert rows["channel"] == [6] * 3


def test_sis3320_stops():
    good = writer.SIS3320Event([1, 2])
    reading = read_vme(
        writer.sis3320([good, writer.SIS3320Event([1], check=7), good], crate=2),
        writer.sis3320([good], crate=2) + b"",
    )
    assert reading.columns("ORSIS3320WaveformDecoder")["packet_id"] == [1, 2]
    assert reading.dropped == {("ORSIS3320WaveformDecoder", "check half-word"): 1}


@pytest.mark.parametrize(
    ("decoder", "channels", "top", "period", "stored_crate"),
    [
        ("ORCV1730WaveformDecoder", (0, 7, 8, 15), 2**14 - 1, 2, 2),
        ("ORCaen1724WaveformDecoder", (1, 7), 2**14 - 1, 10, 2),
        ("ORCaen1720WaveformDecoder", (0,), 2**12 - 1, 4, 2),
        ("ORCV1721WaveformDecoder", (2, 3, 4), 255, 2, 3),
    ],
)
def test_caen(decoder, channels, top, period, stored_crate):
    """Format 5.5: odd numbers of crates lose their last bit."""
    traces = {channel: [channel, top, 1, 0] for channel in channels}
    event = writer.CaenEvent(traces, board_fail=True, eventnumber=2**24 - 1)
    later = writer.CaenEvent(traces, time_tag=5)
    reading = read_vme(writer.caen(decoder, [event, later], crate=3, padding=5))
    rows = reading.columns(decoder)
    assert rows["channel"] == [*channels] * 2
    assert waveforms(rows) == [*traces.values()] * 2
    first = {
        "packet_id": 1,
        "crate": stored_crate,
        "card": 10,
        "eventnumber": 2**24 - 1,
        "timestamp": 0x09AB_CDEF,
        "timestamp_rollover": True,
        "board_id": 3,
        "pattern": 0x1234,
        "board_fail": True,
        "waveform/dt": period,
    }
    for name, value in first.items():
        assert rows[name][0] == value, name
    assert (rows["timestamp"][-1], rows["timestamp_rollover"][-1]) == (5, False)
    key = stored_crate << 9 | 10 << 4 | channels[0]
    assert reading.keys(decoder)[0] == key
    assert list(reading.tables()) == [decoder.removesuffix("Decoder")]
    assert not reading.dropped


def test_caen_events_that_are_dropped():
    """Format 5.5."""
    name = "ORCaen1724WaveformDecoder"
    good = writer.CaenEvent({0: [1, 2]})
    reading = read_vme(
        writer.caen(
            name,
            [
                writer.CaenEvent({0: [1, 2]}, mask=0),
                writer.CaenEvent({0: [1, 2], 1: [3, 4]}, mask=7),
                writer.CaenEvent({0: [1, 2]}, zero_length=True),
                good,
            ],
        ),
        writer.caen(name, [good, writer.CaenEvent({0: [1, 2]}, size=9)]),
    )
    assert reading.columns(name)["packet_id"] == [1, 2]
    assert reading.dropped == {
        (name, "length"): 1,
        (name, "zero-length encoding"): 1,
        (name, "event cut off"): 1,
    }


@pytest.mark.parametrize("packed", [False, True])
def test_caen_usb(packed):
    """Format 5.6."""
    samples = [1, 0xFFF, 0xABC, 0, 0x123, 5, 6, 7, 8, 9]
    event = writer.CaenEvent({1: samples, 3: samples[::-1]})
    reading = read_vme(writer.caen_usb("ORDT5720Decoder", event, packed=packed))
    rows = reading.columns("ORDT5720Decoder")
    assert waveforms(rows) == [samples, samples[::-1]]
    assert (rows["unit"], rows["channel"]) == ([1, 1], [1, 3])
    assert reading.keys("ORDT5720Decoder") == [101, 103]

    event = writer.CaenEvent({7: [0x3FFF, 1]})
    reading = read_vme(writer.caen_usb("ORDT5725Decoder", event, unit=3))
    row = only(reading, "ORDT5725Decoder")
    assert (row["unit"], row["channel"], row["waveform/values"]) == (3, 7, [0x3FFF, 1])
    assert reading.keys("ORDT5725Decoder") == [307]


# --- simple records ---------------------------------------------------------------

T = writer.TIME
DEVICE = {"packet_id": 1, "id": 2, "time": T}


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (
            writer.script_state(started=False, number=0xFFFF),
            {**DEVICE, "id": 0xFFFF, "script_type": 1, "started": False},
        ),
        (
            writer.script_record(b"<a/>\n", script_type=2),
            {**DEVICE, "script_type": 2, "tag": 7, "text": [*b"<a/>\n"]},
        ),
        (
            writer.histogram((1, 2, 2**32 - 1), key=b"a/b/c"),
            {"packet_id": 1, "name": [*b"a/b/c"], "counts": [1, 2, 2**32 - 1]},
        ),
        (
            writer.mjd_preamp(enabled=0x8001),
            {**DEVICE, "enabled": 0x8001, "adc": [i / 8 for i in range(16)]},
        ),
        (
            writer.iseg_hv((1.5, 2.5), (0.25, 0.5), on_mask=3, positive=False),
            {
                "packet_id": 1,
                "time": T,
                "crate": 2,
                "card": 3,
                "on_mask": 3,
                "polarity": False,
                "voltage": [1.5, 2.5],
                "current": [0.25, 0.5],
            },
        ),
        *(
            (
                writer.vhq_status(decoder=decoder),
                {
                    **DEVICE,
                    "status1": [1, 3],
                    "status2": [2, 4],
                    "voltage": [1000.5, 2000.5],
                    "current": [0.25, 0.5],
                },
            )
            for decoder in (
                "ORVHQ224LDecoderForHVStatus",
                "ORNHQ226LDecoderForHVStatus",
            )
        ),
        (
            writer.lakeshore(),
            {
                "packet_id": 1,
                "id": 2,
                "time": [*range(T, T + 8)],
                "kelvin": True,
                "temperature": [77.5 + i for i in range(8)],
            },
        ),
        *(
            (writer.one_value(decoder), {**DEVICE, column: 12.5})
            for decoder, column in (
                ("ORCTITempDecoderForTemperature", "temperature"),
                ("ORKeithley6487DecoderForCurrent", "current"),
                ("ORKJL2200IonGaugeDecoderForPressure", "pressure"),
            )
        ),
        (
            writer.values_with_times(
                "ORMksPdr2000DecoderForPressure", (1.5, 2.5), (5, 6), bits=4
            ),
            {
                "packet_id": 1,
                "id": 2,
                "time": [5, 6],
                "units": 4,
                "pressure": [1.5, 2.5],
            },
        ),
        *(
            (
                writer.values_with_times(decoder, [*range(n)], [*range(n)]),
                {
                    "packet_id": 1,
                    "id": 2,
                    "time": [*range(n)],
                    "pressure": [*range(n)],
                },
            )
            for decoder, n in (
                ("ORTPG256ADecoderForPressure", 6),
                ("ORBocTIC3DecoderForPressure", 3),
            )
        ),
        (
            writer.values_with_times(
                "ORAmi286DecoderForLevel", (1, 2, 3, 4), (5, 6, 7, 8), bits=0x4321
            ),
            {
                "packet_id": 1,
                "id": 2,
                "time": [5, 6, 7, 8],
                "fill_state": [1, 2, 3, 4],
                "level": [1, 2, 3, 4],
            },
        ),
        *(
            (
                writer.pac(decoder=decoder),
                {
                    "packet_id": 1,
                    "id": 2,
                    "time": [*range(T, T + 8)],
                    "adc": [*range(100, 108)],
                },
            )
            for decoder in ("ORPacDecoderForAdc", "ORPacFPDecoderForAdc")
        ),
        (
            writer.labjack(),
            {
                **DEVICE,
                "differential": 5,
                "counter": 17,
                "adc": [i / 4 for i in range(8)],
                "direction": 0x3FFFF,
                "output": 0x12345,
                "input": 0x54321,
            },
        ),
        (
            writer.labjack_ue9(),
            {
                **DEVICE,
                "counter": [17, 18],
                "timer": [1, 2, 3, 4, 5, 6],
                "adc": [i / 4 for i in range(84)],
                "direction": 0xFFFFFF,
                "output": 0x123456,
                "input": 0x654321,
            },
        ),
        (
            writer.xycom564(),
            {
                "packet_id": 1,
                "time": T,
                "time_usec": 250_000,
                "crate": 2,
                "card": 11,
                "channel": [0, 1],
                "adc": [100, 65535],
            },
        ),
        (
            writer.ip320_adc(crate=3),
            {
                "packet_id": 1,
                "time": T,
                "crate": 2,
                "card": 12,
                "ip_slot": 1,
                "channel": [0, 39],
                "adc": [100, 4095],
            },
        ),
        (
            writer.ip320_value(),
            {
                "packet_id": 1,
                "time": T,
                "crate": 2,
                "card": 12,
                "ip_slot": 1,
                "channel": [0, 39],
                "value": [1.5, -2.5],
            },
        ),
        *(
            (writer.control_value(decoder), {**DEVICE, "index": 3, "value": 1.1})
            for decoder in ("ORHVcRIODecoderForAdc", "ORADEIControlDecoderForAdc")
        ),
        (
            writer.mca927(zdt=True),
            {
                "packet_id": 1,
                "id": 2,
                "channel": 1,
                "zdt": True,
                "live_time": 100,
                "real_time": 110,
                "zdt_mode": 0,
                "counts": [1, 2, 3],
            },
        ),
        (
            writer.shaper(4095),
            {
                "packet_id": 1,
                "crate": 1,
                "card": 13,
                "channel": 6,
                "adc": 4095,
                "time": 0,
                "time_usec": 0,
            },
        ),
        (
            writer.polling_time(),
            {"packet_id": 1, "time": T, "time_usec": 250_000},
        ),
    ],
    ids=lambda value: writer.kind_of(value) if isinstance(value, bytes) else "",
)
def test_simple_record(packet, expected):
    """Format 5.7."""
    reading = read(packet)
    assert only(reading, writer.kind_of(packet)) == expected


@pytest.mark.parametrize("time", [None, (5, 6)])
def test_long_record_of_a_shaper(time):
    """Format 5.7."""
    ids = {**writer.DATA_IDS, "ORShaperDecoderForShaper": 99 << 18}
    header = writer.header(ids=ids)
    packet = writer.shaper(7, short=False, time=time, data_id=99 << 18)
    reading = reference.read(writer.header_packet(header) + packet)
    row = only(reading, "ORShaperDecoderForShaper")
    names = ("crate", "card", "channel", "adc", "time", "time_usec")
    assert [row[name] for name in names] == [1, 13, 6, 7, *(time or (0, 0))]


def test_one_of_each_simple_record():
    kinds = [writer.kind_of(packet) for packet in writer.simple_records()]
    assert sorted(kinds) == sorted(reference.SIMPLE)
    reading = read(*writer.simple_records())
    assert reading.rows.keys() == reference.SIMPLE.keys()
    assert not reading.dropped
    cut = [
        writer.long_packet(struct.unpack_from("<I", packet)[0])
        for packet in writer.simple_records()
        if writer.kind_of(packet) != "ORShaperDecoderForShaper"
    ]
    assert not read(*cut).rows
