"""What looks like a packet and is none, and records next to damage that are.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kit.decoding.orca import SUPPORTED, Tables, decode
from kit.generators.orca_packets import FLASHCAM_HEADER, MAP, waveform
from kit.writers import orca as writer

IDS = {n: i >> 18 for n, i in writer.DATA_IDS.items() if not i >> 31}
"""Numbers of the decoders of packets that are not short."""

ANY_LENGTH = {
    "ORMCA927SpectraDecoder",
    "ORSIS3302DecoderForMca",
    "ORSIS3302GenericDecoderForWaveform",
    "ORSIS3316HistogramDecoder",
}
"""Decoders of records of which nothing is certain but the least length."""

each_decoder = pytest.mark.parametrize("name", [n for n in SUPPORTED if n in IDS])


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.orca"


def file_of(*packets: bytes) -> bytes:
    plist = writer.header(**FLASHCAM_HEADER, decoders=writer.DATA_IDS)
    head = (
        *(writer.header_packet(plist), writer.run()),
        writer.flashcam_config(MAP, nsamples=2000),
    )
    return b"".join((*head, *packets))


def rows_of(tables: Tables) -> dict[str, int]:
    """Count the rows of each table."""
    return {name: len(next(iter(t.values()))) for name, t in tables.items()}


def damaged_trace(samples: Any) -> bytes:
    """Return a trace whose first word has an id that there is not."""
    return b"\xff" * 4 + waveform(samples)[4:]


@each_decoder
@pytest.mark.parametrize("zone", ["noise", "constant"])
def test_small_samples_are_no_packets(name, zone, file):
    """Format 1.7: their words have the id of a decoder, and a length."""
    if name in ANY_LENGTH:
        pytest.skip("records of any length cannot be told from it")
    first = 4 * IDS[name]
    rng = np.random.default_rng(first)
    noise = rng.integers(first, first + 4, (6, 2000))
    if zone == "constant":
        noise[:] = first
        noise[1::2, 1::2] += 1
    good = waveform(range(9000, 11000))
    damaged = [
        *(damaged_trace(noise[0]), damaged_trace(noise[1])[:-1]),
        # samples behind a whole packet
        *(damaged_trace(noise[2])[84:], damaged_trace(noise[3])[82:]),
        # a packet lacks words
        *(waveform(noise[4])[:-40], waveform(noise[5])[:-3000]),
    ]
    pieces = [good, good]
    for piece in damaged:
        pieces += [piece, good, good]
    file.write_bytes(file_of(*pieces))
    decoded = decode(file)
    rows = rows_of(decoded.tables)
    assert rows.pop("ORFlashCamADCWaveform_0") == pieces.count(good)
    assert rows == {
        "ORRunDecoderForRun": 1,
        "ORFlashCamListenerConfig": 1,
    }
    assert not decoded.report.clean


GARBAGE = {
    "ones": b"\xff" * 5,
    "zeros": bytes(7),
    "small samples": b"\x04\0\x05\0" * 50 + b"\xff",
}
RUNS = {
    kind: writer.Run(kinds=kind, n_events=3, n_channels=2, n_samples=40)
    for kind in writer.KINDS
    if kind != "unknown"
}


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("kind", RUNS)
def test_packets_between_damage_are_kept(kind, garbage, file):
    """Each has the shape that a search asks for (format 4 and 5)."""
    header, *packets = RUNS[kind].packets()
    check_between(GARBAGE[garbage], header, packets, file)


LONE = (
    *("flashcam", "fcio", "sis3302", "sis3316"),
    *("gretina4m", "gretina4a", "caen"),
)
"""Kinds whose packets are believed if no other follows."""


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("kind", LONE)
def test_lone_events_between_damage_are_kept(kind, garbage, file):
    """One is enough where so much of it must be as it is (format 1.7)."""
    header, *packets = RUNS[kind].packets()
    others = ("ORRunDecoderForRun", "ORFlashCamListenerStatusDecoder")
    events = [p for p in packets if writer.kind_of(p) not in others]
    pieces = [piece for event in events for piece in (GARBAGE[garbage], event)]
    file.write_bytes(b"".join((header, *pieces, GARBAGE[garbage], *packets[-1:] * 3)))
    found = rows_of(decode(file).tables)
    del found["ORRunDecoderForRun"]
    file.write_bytes(b"".join((header, *events)))
    assert found == rows_of(decode(file).tables)


@pytest.mark.parametrize("garbage", GARBAGE)
def test_other_records_between_damage_are_kept(garbage, file):
    """Those of Struck cards besides their events, and of listeners."""
    header = writer.header(**FLASHCAM_HEADER, decoders=writer.DATA_IDS)
    packets = [
        *writer.simple_records(),
        writer.flashcam_config(MAP, adccards=2, boards=[(1, 2), (3, 4)]),
        writer.flashcam_status(),
        writer.sis3302_lost_data(value=3),
        writer.sis3302_mca(range(9)),
        *writer.sis3302_pieces(range(30), 30),
        writer.sis3316_histogram(range(65535)),
        writer.sis3316_statistics(np.arange(96).reshape(16, 6)),
    ]
    check_between(GARBAGE[garbage], writer.header_packet(header), packets, file)


def check_between(
    garbage: bytes, header: bytes, packets: list[bytes], file: Any
) -> None:
    """Write garbage between packets; the rows of all of them must be there."""
    runs = [writer.run()] * 3
    # there must be some that follow each other; those of one word cannot be the first
    groups = [
        b"".join((*runs[: len(packet) == 4], packet, *runs, packet))
        for packet in packets
    ]
    pieces = [piece for group in groups for piece in (group, garbage)]
    file.write_bytes(b"".join((header, *runs, *pieces, *runs)))
    found = rows_of(decode(file).tables)
    file.write_bytes(b"".join((header, *runs, *groups, *runs)))
    undamaged = decode(file)
    assert undamaged.report.clean
    assert found == rows_of(undamaged.tables)
