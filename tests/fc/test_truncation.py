"""FCIO streams cut at every byte: what ends before the cut is there, nothing else.

"Format N" means section N of the FCIO format.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from kit.decoding.fcio import decode, differences
from kit.reference import fcio as reference
from kit.writers import fcio as writer

from daq2lh5.errors import DecodeError

FSP_TAGS = (writer.TAG_FSP_CONFIG, writer.TAG_FSP_EVENT, writer.TAG_FSP_STATUS)

STREAMS: dict[str, dict[str, Any]] = {
    "full": {"n_events": 3, "n_channels": 2, "n_samples": 4, "deadtime": True},
    "sparse": {"n_events": 3, "n_channels": 3, "n_samples": 3, "kind": "sparse"},
    "header": {"n_events": 3, "n_channels": 3, "n_samples": 3, "kind": "header"},
    "mixed": {"n_events": 6, "n_channels": 2, "n_samples": 2, "kind": "mixed"},
    "no tracemap": {"n_events": 2, "n_channels": 2, "n_samples": 3, "tracemap": False},
    "12 bit": {"n_events": 2, "n_channels": 2, "n_samples": 5, "adcbits": 12},
    "fsp": {"n_events": 3, "n_channels": 2, "n_samples": 2, "fsp": True},
    "fsp and headers": {
        "n_events": 2,
        "n_channels": 2,
        "n_samples": 2,
        "fsp": True,
        "kind": "header",
    },
    "no samples": {"n_events": 2, "n_channels": 1, "n_samples": 0},
}


def status_stream() -> tuple[bytes, list[writer.Record]]:
    """A stream with card blocks of two words: every byte of full ones is too many."""
    block = (0x2000).to_bytes(4, "little") + bytes(1176)
    return writer.assemble(
        [
            writer.config(adcs=1, eventsamples=2, tracemap=(5,)),
            writer.event([[1, 2, 3, 4]]),
            writer.status([block]),
            writer.event([[5, 6, 7, 8]]),
        ]
    )


def indexed(name: str) -> tuple[bytes, list[writer.Record]]:
    if name == "status":
        return status_stream()
    return writer.make_indexed_stream(**STREAMS[name])


def whole_part(data: bytes, index: list[writer.Record], cut: int) -> int:
    """Where the records end of which nothing is cut off.

    An FSP record belongs to the one behind it. A full event whose last frame is
    missing counts as cut off, once there was one with it.
    """
    ends = [68]
    for record in index:
        end = record.offset + record.length
        if end <= cut and record.tag not in FSP_TAGS:
            ends.append(end)
    return max(end for end in ends if end <= cut)


@pytest.mark.parametrize("name", [*STREAMS, "status"])
def test_every_cut_leaves_the_records_before_it(name, tmp_path):
    data, index = indexed(name)
    path = tmp_path / "run.fcio"
    config_end = next(r.offset + r.length for r in index if r.tag == writer.TAG_CONFIG)
    first = next(
        (r for r in index if r.tag == writer.TAG_EVENT), writer.Record(0, 0, 0)
    )
    # the dead region: a header and ten integers
    before_region = first.offset + first.length - 44
    wanted: dict[str, Any] = {}
    wanted_at = -1
    wrong = []
    for cut in range(config_end, len(data) + 1):
        path.write_bytes(data[:cut])
        end = whole_part(data, index, cut)
        if before_region <= cut < before_region + 4:
            # nothing says yet that events of this stream have a dead region
            end = before_region
        if end != wanted_at:
            wanted, wanted_at = reference.read_tables(data[:end]), end
        decoded = decode(path, buffer_size=10)
        report = decoded.report
        problems = differences(decoded.tables, wanted)
        if report.n_bytes != cut:
            problems.append(f"{report.n_bytes} bytes accounted for")
        if report.bytes["decoded"] != end or report.bytes["cut_off"] != cut - end:
            problems.append(f"bytes {dict(report.bytes)}, whole up to {end}")
        if report.exit_status != (3 if cut > end else 0):
            problems.append(f"exit status {report.exit_status}")
        # stray bytes behind an FSP record are a range of their own
        ranges = [(d.offset, d.offset + d.length) for d in report.damage]
        if [end, *(stop for _, stop in ranges)] != [*(a for a, _ in ranges), cut]:
            problems.append(f"damage {report.damage}")
        if problems:
            wrong.append((cut, *problems))
    assert wrong == []


@pytest.mark.parametrize("name", ["full", "fsp"])
def test_cut_before_the_first_configuration_is_an_error(name, tmp_path):
    """Format 9: no handshake, or no configuration; a handshake alone is empty."""
    data, index = indexed(name)
    path = tmp_path / "run.fcio"
    config_end = next(r.offset + r.length for r in index if r.tag == writer.TAG_CONFIG)
    # trace map (of two) and stream id may be missing (format 2.1)
    config_end -= 4 + 8 + 4 + 4
    for cut in range(config_end):
        path.write_bytes(data[:cut])
        if cut == 68:
            assert decode(path).tables == {}
            continue
        with pytest.raises(DecodeError, match=r"no FCIO handshake|no configuration"):
            decode(path)


@pytest.mark.parametrize("name", ["full", "fsp"])
def test_cut_gzip_file_gives_what_can_be_decompressed(name, tmp_path):
    """As the same bytes without compression; the container's end is reported too."""
    data, index = indexed(name)
    packed = gzip.compress(data, 1, mtime=0)
    path = tmp_path / "run.fcio.gz"
    n_decoded = 0
    for cut in range(20, len(packed)):
        plain = zlib.decompressobj(31).decompress(packed[:cut])
        path.write_bytes(packed[:cut])
        config_end = next(
            r.offset + r.length for r in index if r.tag == writer.TAG_CONFIG
        )
        if len(plain) < config_end:
            continue
        n_decoded += 1
        decoded = decode(path, buffer_size=10)
        report = decoded.report
        assert report.n_bytes == len(plain), cut
        assert report.container_error is not None, cut
        assert report.exit_status == 3, cut
        path.with_suffix("").write_bytes(plain)
        assert differences(decode(path.with_suffix("")).tables, decoded.tables) == []
    assert n_decoded > 20
