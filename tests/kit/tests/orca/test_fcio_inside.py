"""The reference reader of ORCA files: FCIO inside ORCA.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from kit.reference import fcio as fcio_reference
from kit.reference import orca as reference
from kit.tests.orca_readings import only, read
from kit.writers import fcio
from kit.writers import orca as writer

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
