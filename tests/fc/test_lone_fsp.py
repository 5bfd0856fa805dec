"""Records of the software trigger without the record that they describe.

FCIO format, 2.2, 9.
"""

from __future__ import annotations

import pytest
from kit.decoding.fcio import decode
from kit.writers import fcio

from daq2lh5.fc.fc_base import LONE_FSP

OPTIONS = {"n_channels": 2, "n_samples": 20, "fsp": True, "kind": "event"}


def records(n_events: int = 4) -> list[tuple[int, bytes]]:
    data, index = fcio.make_indexed_stream(n_events=n_events, **OPTIONS)
    found = [(r.tag, data[r.offset : r.offset + r.length]) for r in index]
    # with the handshake
    return [(0, data[: index[0].offset]), *found]


def without(tag: int, number: int) -> bytes:
    """Make a stream that lacks the record of this tag and number."""
    kept, n = [], -1
    for found, data in records():
        n += found == tag
        if found != tag or n != number:
            kept.append(data)
    return b"".join(kept)


@pytest.mark.parametrize("number", [0, 2])
def test_an_event_that_is_missing(file, number):
    """Its FSPEvent gives no row: irregular, status 3; other events are whole."""
    file.write_bytes(without(fcio.TAG_EVENT, number))
    decoded = decode(file)
    assert decoded.report.irregular == {LONE_FSP: 1}
    assert decoded.report.exit_status == 3
    assert decoded.n_rows("FCEvent") == 3 * 2
    assert decoded.n_rows("FSPEvent") == 3
    assert sum(decoded.report.bytes.values()) == file.stat().st_size


def test_records_before_the_settings(file):
    file.write_bytes(without(fcio.TAG_FSP_CONFIG, 0))
    decoded = decode(file)
    assert decoded.report.irregular == {LONE_FSP: 4}
    assert decoded.report.exit_status == 3
    assert decoded.n_rows("FCEvent") == 4 * 2


def test_whole_streams_are_clean(file):
    file.write_bytes(b"".join(data for _, data in records()))
    assert decode(file).report.clean
