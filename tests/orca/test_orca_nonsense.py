"""Headers that say nonsense, and packets made to keep a search busy.

Nothing of this comes out of ORCA; it may come out of a bad disk, or of a bad mind.
"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import copy
import gzip
import math
import struct
import tracemalloc
from typing import Any

import pytest
from kit.decoding.orca import decode, n_rows
from kit.generators.orca import OLD_WAVEFORM, RUN
from kit.writers import orca as writer

from daq2lh5.errors import DecodeError
from daq2lh5.orca import _kernel

SIS3316 = "ORSIS3316WaveformDecoder"
KINDS = {"kinds": ("flashcam", "sis3316"), "n_events": 4, "n_channels": 2}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.orca"


def packets() -> tuple[dict[str, Any], list[bytes]]:
    """Return the header of a run, and its other packets."""
    run = writer.Run(**KINDS, n_samples=40)
    _, *rest = run.packets()
    return run.plist(), list(rest)


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """Return the header with another value at a place."""
    plist = copy.deepcopy(packets()[0])
    node: Any = plist
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = to
    return plist


READOUT = next(
    i for i, e in enumerate(packets()[0]["ReadoutDescription"]) if e.get("children")
)
CHILD = ("ReadoutDescription", READOUT, "children")
CRATE = ("ObjectInfo", "Crates", 0)
NONSENSE: dict[str, tuple[Any, ...]] = {
    "children a number": (*CHILD, 5),
    "children a dictionary": (*CHILD, {"crate": 0}),
    "child a string": (*CHILD, ["x"]),
    "crate of a child a list": (*CHILD, 0, "crate", [1]),
    "crate of a child no number": (*CHILD, 0, "crate", math.nan),
    "slot of a child a dictionary": (*CHILD, 0, "station", {}),
    "crate infinite": (*CRATE, "CrateNumber", math.inf),
    "crate no number": (*CRATE, "CrateNumber", math.nan),
    "crate negative": (*CRATE, "CrateNumber", -3),
    "cards a string": (*CRATE, "Cards", "x"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_in_a_header_costs_its_cards_alone(what, file):
    """Also in a header in mid-file, and in any of the crates."""
    *path, value = NONSENSE[what]
    plist, rest = packets()
    start = b"".join(rest[:2])
    of_crate = path[0] != CHILD[0]
    for crate in range(len(plist["ObjectInfo"]["Crates"]) if of_crate else 1):
        place = [*path]
        if of_crate:
            place[2] = crate
        bad = writer.header_packet(changed(*place, to=value))
        for data in (
            b"".join((bad, *rest)),
            b"".join((writer.header_packet(plist), start, bad, *rest)),
        ):
            file.write_bytes(data)
            decoded = decode(file)
            assert n_rows(decoded.tables[RUN]) >= 2
            assert sum(decoded.report.bytes.values()) == len(data)


def test_enabled_inputs_no_list(file):
    """The header then announces no channel; the traces are written nevertheless."""
    plist, rest = packets()
    for crate in plist["ObjectInfo"]["Crates"]:
        for card in crate["Cards"]:
            if "Enabled" in card:
                card["Enabled"] = 3
    file.write_bytes(b"".join((writer.header_packet(plist), *rest)))
    decoded = decode(file)
    n = KINDS["n_events"] * KINDS["n_channels"]
    assert decoded.report.packets["skipped"] == 0
    assert decoded.n_rows("ORFlashCamADCWaveform") == n


def test_length_of_traces_that_no_packet_can_have(file):
    """The first trace tells: no memory is taken for what the header says."""
    plist, rest = packets()
    for crate in plist["ObjectInfo"]["Crates"]:
        for card in crate["Cards"]:
            if "rawDataBufferLen" in card:
                card["rawDataBufferLen"] = 10**12
    file.write_bytes(b"".join((writer.header_packet(plist), *rest)))
    tables = decode(file).tables
    samples = {
        len(row)
        for name, table in tables.items()
        if "SIS3316" in name
        for row in table["waveform/values"]
    }
    assert samples == {40}


def many_decoders(n: int, name: str) -> dict[str, Any]:
    """Return a header with so many records of unknown decoders."""
    plist = packets()[0]
    first = max(i >> 18 for i in writer.DATA_IDS.values() if not i >> 31) + 1
    plist["dataDescription"]["Many"] = {
        f"{i}": {"decoder": f"{name}{i}Decoder", "dataId": first + i << 18}
        for i in range(n)
    }
    return plist


def test_more_decoders_than_there_can_be(file):
    """Several headers can name more than the ids allow: a later one is refused."""
    first, second = (many_decoders(5000, name) for name in ("ORA", "ORB"))
    rest = packets()[1]
    data = b"".join(
        (
            *(writer.header_packet(first), rest[0]),
            *(writer.header_packet(second), *rest),
        )
    )
    file.write_bytes(data)
    decoded = decode(file)
    assert "decoders, expected at most 8192" in decoded.report.damage[0].reason
    once = decode(file_of(file, writer.header_packet(first), *rest)).tables
    assert n_rows(decoded.tables[RUN]) == n_rows(once[RUN]) + 1
    with pytest.raises(ValueError, match="expected at most 8192"):
        _kernel.OrcaKernel().set_ids({}, [("unknown", 0)] * 8193)


def file_of(path: Any, *pieces: bytes) -> Any:
    path.write_bytes(b"".join(pieces))
    return path


def test_traces_of_a_channel_that_a_later_header_does_not_have(file):
    """They are kept, whatever their length."""
    plist, _ = packets()
    card = {"crate": writer.VME_CRATE, "card": 5, "channel": 0}
    event = {
        n: writer.sis3316([writer.SIS3316Event(samples=range(n))], **card)
        for n in (40, 60)
    }
    later = changed("ObjectInfo", "Crates", to=[])
    data = (
        *(writer.header_packet(plist), event[40], writer.run()),
        *(writer.header_packet(later), event[60], event[40], writer.run(0)),
    )
    decoded = decode(file_of(file, *data))
    assert decoded.report.clean
    rows = {n: n_rows(t) for n, t in decoded.tables.items() if "SIS3316" in n}
    assert sum(rows.values()) == 3


def test_compressed_header_of_impossible_length(tmp_path):
    """Format 7.7: it is not read into memory to see where it ends."""
    text = b'<?xml version="1.0" encoding="UTF-8"?>'
    n_text = 0xFFFFFFF0
    start = struct.pack("<II", 2 + n_text // 4 + 1 & 0x3FFFF, n_text) + text
    path = tmp_path / "run.orca.gz"
    with gzip.open(path, "wb", compresslevel=1) as f:
        f.write(start)
        for _ in range(40):
            f.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="no property list whose length agrees"):
            decode(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_many_headers_that_end_in_zeros(file):
    """A search looks for the end of the text of each near the end of the packet."""
    header, run = writer.header_packet(packets()[0]), writer.run()
    n, zeros = 20_000, bytes(8_000_000)
    starts = b"".join(
        struct.pack("<II8s", 2 + n_text // 4 + 1 & 0x3FFFF, n_text, b"<?xml ve")
        for n_text in range(len(zeros) - n, len(zeros))
    )
    decoded = decode(file_of(file, header, run, b"\xff", starts, zeros, run, run))
    assert n_rows(decoded.tables[RUN]) == 3
    assert decoded.report.exit_status == 3


def test_many_packets_inside_of_a_bad_one(file):
    """A search inside of a packet follows no more of them than is needed."""
    run = writer.run()
    header = writer.header_packet(packets()[0])
    words = struct.unpack("<4I", run) * 3000
    bad = writer.extended_packet(
        writer.DATA_IDS[OLD_WAVEFORM], (0x3000_0000, *words, *(0xFFFFFFFF,) * 4)
    )
    decoded = decode(file_of(file, header, run, bad, *[run] * 20))
    # more of them follow each other than can be by chance, if not to the end
    assert n_rows(decoded.tables[RUN]) == 3021
    assert decoded.report.bytes["corrupt"] == len(bad) - 3000 * len(run)
