"""Records of FCIO inside ORCA, made by hand.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.decoding.orca import (
    decode,
    differences,
    joined,
    read_lh5,
    wanted_reading,
    wanted_tables,
)
from kit.generators.orca import CONFIG, EVENT, RUN
from kit.generators.orca_packets import (
    ONE_STREAM,
    OTHER_STREAM,
    SHORTER,
    config_packet,
    event_packet,
    fcio_config,
    fcio_file,
    flashcam_file,
    traces,
    waveform,
)
from kit.writers import fcio
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.fc.fc_base import LONE_FSP

if TYPE_CHECKING:
    from collections.abc import Sequence


FCIO_FILES: dict[str, tuple[Sequence[bytes], dict[str, Any]]] = {
    "two streams, the second one first": (
        [
            config_packet(OTHER_STREAM, streamid=0x10002),
            config_packet(),
            event_packet(),
            event_packet(5, 1, 2, streamid=0x10002),
            event_packet(9),
        ],
        {},
    ),
    "same configuration again": (
        [config_packet(), event_packet(), config_packet(), event_packet(1)],
        ONE_STREAM,
    ),
    "configuration of other length": (
        [
            config_packet(),
            event_packet(),
            config_packet(SHORTER),
            event_packet(1, 1, 2),
            config_packet(),
            event_packet(2),
        ],
        {},
    ),
    "second configuration of one of two streams": (
        [
            config_packet(),
            config_packet(OTHER_STREAM, streamid=0x10002),
            event_packet(),
            config_packet(SHORTER),
            event_packet(5, 1, 2, streamid=0x10002),
            event_packet(1, 1, 2),
            config_packet(OTHER_STREAM, streamid=0x10002),
            event_packet(6, 1, 2, streamid=0x10002),
        ],
        {},
    ),
    "zeros after the records": (
        [
            config_packet(padding=5),
            event_packet(padding=5),
            writer.fcio_packet(
                fcio.sparse_event((1,), traces()[1:], num_traces=1), padding=3
            ),
        ],
        ONE_STREAM,
    ),
    "unknown records in a packet": (
        [
            config_packet(),
            writer.fcio_packet(
                fcio.record(77, b"abc", b""), fcio.calib(adcs=2), fcio.event(traces())
            ),
            event_packet(3),
        ],
        ONE_STREAM,
    ),
    "cards of all kinds": (
        [
            config_packet(fcio_config(mastercards=2, triggercards=1)),
            writer.fcio_packet(
                fcio.status(
                    [fcio.StatusCard(reqid=i) for i in (0, 0x4000, 0x1000, 0x2000)]
                )
            ),
        ],
        ONE_STREAM,
    ),
    "software trigger that the header lacks": (
        [
            writer.fcio_packet(fcio.handshake(), fcio.fsp_config(), fcio_config()),
            writer.fcio_packet(fcio.fsp_event(), fcio.event(traces())),
            event_packet(3),
        ],
        ONE_STREAM,
    ),
    "software trigger that the data lack": (
        [
            config_packet(),
            event_packet(),
            writer.fcio_packet(fcio.fsp_event(), fcio.event(traces())),
        ],
        ONE_STREAM | {"aux_hw": [writer.listener(1, samples=4, fsp=True)]},
    ),
    "header with other numbers of samples": (
        [config_packet(), event_packet()],
        {"aux_hw": [writer.listener(i, samples=4096) for i in (1, 2)]},
    ),
    "long packets": (
        [
            writer.long_packet(writer.DATA_IDS[k], 0x10001, b"".join(records))
            for k, records in (
                (CONFIG, [fcio.handshake(), fcio_config()]),
                (EVENT, [fcio.event(traces())]),
            )
        ],
        ONE_STREAM,
    ),
}


@pytest.mark.parametrize("name", FCIO_FILES)
def test_fcio_packets(name, file):
    """Format 4.4, FCIO format, 7; and format B22."""
    packets, options = FCIO_FILES[name]
    data = fcio_file(*packets, **options)
    file.write_bytes(data)
    wanted = wanted_reading(data)
    assert wanted.dropped == {}
    decoded = decode(file)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted.tables()) == []
    assert decoded.report.n_bytes == decoded.report.bytes["decoded"] == len(data)
    # without its settings a record of the software trigger gives no row
    lone = {LONE_FSP: 1} if name == "software trigger that the data lack" else {}
    assert decoded.report.irregular == lone
    assert not decoded.report.n_damage


def test_one_decoder_for_all_fcio_records(file):
    """Format 4.4: a short-lived version; rows go where those of each kind do."""
    data_id = writer.DATA_IDS["ORFCIODecoder"]
    packets = (
        config_packet(data_id=data_id),
        writer.fcio_packet(fcio.event(traces()), data_id=data_id),
        writer.fcio_packet(fcio.event_header((1,), ((1, 2),)), data_id=data_id),
        writer.fcio_packet(fcio.status(), data_id=data_id),
    )
    # also if the header has none of the decoders of each kind
    for decoders in (writer.DATA_IDS, (RUN, "ORFCIODecoder")):
        data = fcio_file(*packets, **ONE_STREAM, decoders=decoders)
        file.write_bytes(data)
        decoded = decode(file)
        report = decoded.report
        assert report.bytes["decoded"] == report.n_bytes == len(data)
        assert report.clean
        assert not report.unknown_records
        assert len(decoded.tables) == 5
        assert differences(decoded.tables, wanted_tables(data)) == []


def test_other_length_of_traces_has_a_table_of_its_own(file, tmp_path):
    """As in native FCIO files; back at the first length, it is the first again."""
    packets, options = FCIO_FILES["configuration of other length"]
    file.write_bytes(fcio_file(*packets, **options))
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(str(file), out_spec=str(out))
    tables = {k: t for k, t in read_lh5(out).items() if k.startswith("ORFCIOEvent")}
    found = {k: list(t["packet_id"]) for k, t in tables.items()}
    assert found == {"ORFCIOEvent_0": [3, 3, 7, 7], "ORFCIOEvent_0_2": [5]}
    assert any("ORFCIOEvent_0_2" in note for note in report.notes)


def test_more_lengths_than_there_can_be_tables(file):
    """The rest counts as damaged, and the packets behind it are written."""
    lengths = [*range(2, 72), 2]
    packets = [
        packet
        for n in lengths
        for packet in (
            config_packet(fcio_config(eventsamples=n)),
            event_packet(n, n_samples=n),
        )
    ]
    file.write_bytes(fcio_file(*packets, **ONE_STREAM))
    decoded = decode(file)
    events = [len(t["packet_id"]) for k, t in decoded.tables.items() if "Event" in k]
    assert (len(events), sum(events)) == (65, 2 * 66)
    assert decoded.report.packets["corrupt"] == 2 * 5
    assert decoded.report.bytes["skipped"] == 0
    assert any("more than 64 lengths" in note for note in decoded.report.notes)
    assert decoded.report.exit_status == 3


def test_more_lengths_of_flashcam_traces_than_there_can_be_tables(file):
    """As with FCIO: the job goes on, and back at a known length there are rows."""
    packets = [waveform(range(2 * n)) for n in (*range(1, 71), 1, 5)]
    file.write_bytes(flashcam_file(*packets))
    decoded = decode(file)
    traces = [len(t["packet_id"]) for k, t in decoded.tables.items() if "Wave" in k]
    assert (len(traces), sum(traces)) == (65, 67)
    assert decoded.report.packets["corrupt"] == 5
    assert decoded.report.bytes["skipped"] == 0
    assert any("more than 64 lengths" in note for note in decoded.report.notes)
