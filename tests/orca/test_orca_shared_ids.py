"""Headers that give one data id to several decoders; more lengths than tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from kit.decoding.orca import decode
from kit.generators.orca_packets import config_packet, event_packet, fcio_file
from kit.writers import fcio
from kit.writers import orca as writer

from daq2lh5.orca.orca_header import OrcaHeader
from daq2lh5.selection.overflow_tables import TOO_MANY_LENGTHS

if TYPE_CHECKING:
    from pathlib import Path

RUN, STATUS = "ORRunDecoderForRun", "ORFlashCamListenerStatusDecoder"
IDS = writer.DATA_IDS | {RUN: writer.DATA_IDS[STATUS]}


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "run.orca"


def header_packet(**options) -> bytes:
    return writer.header_packet(writer.header(**options))


def shared(first: str, second: str) -> bytes:
    return header_packet(decoders=[first, second], ids=IDS)


def run_record(data_id: int) -> bytes:
    return writer.run(number=7, data_id=data_id)


def test_packets_of_a_shared_id_are_guessed(file):
    """The last decoder is used, as in the peer: a note, and status 3."""
    file.write_bytes(shared(STATUS, RUN) + run_record(IDS[RUN]) * 3)
    report = decode(file).report
    assert report.packets["decoded"] == 4
    ((text, n),) = report.irregular.items()
    assert n == 3
    assert STATUS in text
    assert report.exit_status == 3
    assert any(f"read as {RUN}" in note for note in report.notes)


def test_an_id_without_packets_is_noted_only(file):
    file.write_bytes(shared(STATUS, RUN))
    report = decode(file).report
    assert report.clean
    assert any("data id" in note for note in report.notes)


def test_later_headers(file):
    """Only packets under the header with the shared id count."""
    good = header_packet(decoders=[RUN])
    own = run_record(writer.DATA_IDS[RUN])
    parts = good + own * 2, shared(STATUS, RUN) + run_record(IDS[RUN]), good + own * 4
    file.write_bytes(b"".join(parts))
    report = decode(file).report
    assert report.packets["decoded"] == 10
    assert list(report.irregular.values()) == [1]


def test_one_decoder_may_have_two_entries():
    header = writer.header(decoders=[RUN])
    header["dataDescription"]["again"] = header["dataDescription"]["ORRunModel"]
    assert OrcaHeader(jsons=json.dumps(header)).find_shared_ids() == {}


def test_more_lengths_of_fcio_traces_than_tables(file):
    """Configurations and events beyond them are rejected for that reason."""
    packets = []
    for n in [*range(4, 75), 4]:
        config = fcio.config(
            adcs=2, eventsamples=n, tracemap=(0x1100000, 0x1100001), streamid=0x10001
        )
        packets += [config_packet(config), event_packet(n_samples=n)]
    file.write_bytes(fcio_file(*packets))
    report = decode(file).report
    assert {d.reason for d in report.damage} == {TOO_MANY_LENGTHS}
    assert report.exit_status == 3
