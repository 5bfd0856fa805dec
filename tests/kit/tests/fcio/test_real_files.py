"""The reference reader of FCIO streams, with real ones.

"Format N" means section N of the FCIO format.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kit.places import TESTDATA
from kit.reference import fcio as reference

if TYPE_CHECKING:
    from collections.abc import Iterator


real_files = pytest.mark.skipif(
    not TESTDATA.is_dir(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory",
)


# --- real files -------------------------------------------------------------------

SPMS = "L200-comm-20211130-phy-spms.fcio"
P06 = "l200-p06-r007-cal-20230725T202227Z.fcio"
P13 = "l200-p13-r007-aph-20250101T003931Z.orca"


def sha256(array: np.ndarray) -> str:
    little_endian = array.astype(array.dtype.newbyteorder("<"))
    return hashlib.sha256(np.ascontiguousarray(little_endian).tobytes()).hexdigest()


def as_dataset(rows: list[Any], part: str) -> np.ndarray:
    """Arrange the rows of a column as the LH5 dataset that holds them."""
    if part == "flattened_data":
        return np.concatenate(rows)
    if part == "cumulative_length":
        return np.cumsum([len(row) for row in rows], dtype="i8")
    array = np.array(rows)
    return array.astype("u1") if array.dtype == bool else array


def differing_columns(
    table: dict[str, list[Any]], digest: dict[str, Any], group: str
) -> list[str]:
    """List the datasets of a group that are not what the table says."""
    differing = []
    for path, wanted in digest.items():
        if wanted["kind"] != "dataset" or not path.startswith(f"{group}/"):
            continue
        column = path.removeprefix(f"{group}/")
        part = column.rpartition("/")[2]
        if part in ("flattened_data", "cumulative_length"):
            column = column.rpartition("/")[0]
        array = as_dataset(table[column], part)
        found = {
            "dtype": array.dtype.str.lstrip("<|"),
            "shape": list(array.shape),
            "sha256": sha256(array),
        }
        if found != {name: wanted[name] for name in found}:
            differing.append(path)
    return differing


def read_digest(name: str) -> dict[str, Any]:
    return json.loads((TESTDATA / "expected" / f"{name}.json").read_text())


@real_files
@pytest.mark.parametrize("name", [SPMS, P06])
def test_real_file_gives_what_the_peer_writes(name):
    tables = reference.read_tables((TESTDATA / "fcio" / name).read_bytes())
    digest = read_digest(name)
    assert differing_columns(tables["FCEvent"], digest, "FCEvent") == []
    assert differing_columns(tables["FCStatus"], digest, "FCStatus") == []


@real_files
@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        (SPMS, [6000, 6, 0, 0, 16, 1, 1, 1, 0, 1, 0], "72632a397704d6a0"),
        (P06, [8192, 123, 0, 0, 16, 1, 1, 1, 0, 22, 50000], "d58d3f14f70af573"),
    ],
)
def test_real_config(name, config, words):
    """Format 8.1."""
    tables = reference.read_tables((TESTDATA / "fcio" / name).read_bytes())
    columns = (
        *("nsamples", "nadcs", "ntriggers", "streamid", "adcbits", "sumlength"),
        *("blprecision", "mastercards", "triggercards", "adccards", "gps"),
    )
    row = tables["FCConfig"]
    assert row["packet_id"] == [0]
    assert [row[column][0] for column in columns] == config
    assert sha256(row["tracemap"][0])[:16] == words


@real_files
@pytest.mark.parametrize(
    ("name", "keys", "sums", "waveforms"),
    [
        (SPMS, (52800, 52805, 6), (2372977, 29986, 14252540562), "2e04a3300b317974"),
        (P06, (104000, 27203, 123), (3728867, 31610, 30708246173), "c0d00ee4b1f92bfd"),
    ],
)
def test_real_rows(name, keys, sums, waveforms):
    """Format 8.2 and 8.3."""
    reading = reference.read((TESTDATA / "fcio" / name).read_bytes())
    rows = reading.tables["FCEvent"]
    found = reading.keys["FCEvent"]
    assert (found[0], found[-1], len(set(found))) == keys
    samples = np.array(rows["waveform/values"])
    assert (
        np.sum(rows["baseline"], dtype="i8"),
        np.sum(rows["daqenergy"], dtype="i8"),
        np.sum(samples, dtype="i8"),
    ) == sums
    assert sha256(samples)[:16] == waveforms


@real_files
def test_real_status():
    """Format 8.3, and the column that the peer leaves unfilled."""
    reading = reference.read((TESTDATA / "fcio" / SPMS).read_bytes())
    rows = reading.tables["FCStatus"]
    assert reading.keys["FCStatus"] == ["fcid_0/status/card0", "fcid_0/status/card8192"]
    assert rows["packet_id"] == [37, 37]
    assert rows["fpga_time"] == [np.float32(1.686743)] * 2
    assert rows["fpga_time_nsec"] == [1686743508, 1686513436]
    assert [list(row) for row in rows["adc_temps"]] == [[], [32875, 29093]]
    assert [len(row) for row in rows["link_states"]] == [12, 24]
    assert rows["n_link_errors"] == [0, 0]


def orca_payloads(data: bytes) -> Iterator[bytes]:
    """Yield the FCIO records in an ORCA file without their padding (format 7)."""
    word = 0
    words = np.frombuffer(data, dtype="<u4")
    while word < len(words):
        # The low 18 bits hold a length, or zero where the next word holds it.
        short_length = int(words[word]) & 0x3FFFF
        length = short_length or int(words[word + 1])
        if not short_length and words[word + 2] == 0x10001:
            payload = data[4 * (word + 3) : 4 * (word + length)]
            yield payload[: _records_end(payload)]
        word += length


def _records_end(payload: bytes) -> int:
    position = 0
    while len(payload) - position >= 4:
        (header,) = struct.unpack_from("<i", payload, position)
        is_handshake = payload[position : position + 4] == b"\xff\x35\x65\xc4"
        position += 68 if is_handshake else 4 + max(header, 0)
    return position


@real_files
def test_real_software_trigger():
    """Format 8.2: as in the ORCA path, whose packets have other numbers."""
    data = b"".join(orca_payloads((TESTDATA / "orca" / P13).read_bytes()))
    reading = reference.read(data)
    tables = reading.tables
    digest = read_digest(P13)

    def fsp_events(part: str) -> dict[str, list[Any]]:
        chosen = [key == f"swtid_1/{part}" for key in reading.keys["FSPEvent"]]
        return {
            column: [
                row for row, is_chosen in zip(rows, chosen, strict=True) if is_chosen
            ]
            for column, rows in tables["FSPEvent"].items()
        }

    fsp_config = {name: [value] for name, value in tables["FSPConfig"].items()}
    fsp_config["packet_id"] = tables["FCConfig"]["packet_id"]
    for table, group in (
        (tables["FCConfig"], "ORFCIOConfig_fcid_1/config"),
        (tables["FCEvent"], "ORFCIOEvent_0"),
        (tables["FCEventHeader"], "ORFCIOEventHeader_fcid_1/evt_hdr"),
        (fsp_events("event"), "ORFCIOEvent_swtid_1/event"),
        (fsp_events("evt_hdr"), "ORFCIOEventHeader_swtid_1/evt_hdr"),
        (fsp_config, "ORFCIOConfig_swtid_1/config"),
    ):
        differing = differing_columns(table, digest, group)
        # In this path labels have 2400 columns (format 6.4).
        labels = [path for path in differing if path.endswith("_label")]
        assert differing == [*labels, f"{group}/packet_id"]
    assert list(tables["FSPConfig"]["dsp_ct_tracemap_label"]) == [b"P", b"B", b"M"]
