"""Bytes that resemble a Config; found by the harness in ``tests/fuzz``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.decoding.fcio import decode
from kit.writers import fcio as writer

if TYPE_CHECKING:
    from daq2lh5.report import ConversionReport


def read(data: bytes, path: Any) -> tuple[list[int], ConversionReport]:
    """Return the numbers of the events that have rows, and the report."""
    path.write_bytes(data)
    decoded = decode(path)
    assert decoded.report.n_bytes == len(data)
    tables = decoded.tables
    found = [
        int(number)
        for name in ("FCEvent", "FCEventHeader")
        for number in tables.get(name, {}).get("eventnumber", [])
    ]
    return sorted(set(found)), decoded.report


@pytest.mark.parametrize("tag", [writer.TAG_EVENT, writer.TAG_FSP_EVENT])
def test_tag_of_a_config_by_a_flipped_bit(tag, file):
    """It costs the record itself, but no later ones."""
    data, index = writer.make_indexed_stream(
        n_events=20, n_channels=3, n_samples=20, fsp=True
    )
    whole, _ = read(data, file)
    record = [r for r in index if r.tag == tag][4]
    damaged = bytearray(data)
    damaged[record.offset] = 0xFF
    numbers, report = read(bytes(damaged), file)
    # the record of the software trigger is lost alone or with its event
    assert len(numbers) >= len(whole) - 1
    assert report.bytes["corrupt"] >= record.length
    assert report.exit_status == 3
    assert report.packets["decoded"] < 60


@pytest.mark.parametrize("n", [4, 8, 4096, 40_000])
def test_erased_space_is_no_configurations(n, file):
    """Bytes of 0xFF look like Configs without frames: corrupt, no record is lost."""
    data, index = writer.make_indexed_stream(n_events=20, n_channels=2, n_samples=20)
    whole, _ = read(data, file)
    at = index[8].offset
    numbers, report = read(data[:at] + b"\xff" * n + data[at:], file)
    assert numbers == whole
    assert report.bytes["corrupt"] == n
    assert report.exit_status == 3


@pytest.mark.parametrize("noise", [b"\xaa", b"\xff" * 7, b"\x11\x22\x33\x7f"])
def test_damage_behind_the_only_config(noise, file):
    """Older files have no stream id: their Config is complete without it."""
    data, index = writer.make_indexed_stream(
        n_events=9, n_channels=2, n_samples=20, streamid=None
    )
    whole, _ = read(data, file)
    at = next(r.offset for r in index if r.tag == writer.TAG_EVENT)
    numbers, report = read(data[:at] + noise + data[at:], file)
    assert numbers == whole
    assert report.bytes["corrupt"] == len(noise)
    assert report.exit_status == 3
