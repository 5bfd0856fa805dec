"""The reference reader of ORCA files, with real ones.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from kit.places import TESTDATA
from kit.reference import orca as reference
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
