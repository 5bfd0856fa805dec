"""The reference reader of ORCA files: simple records.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import struct

import pytest
from kit.reference import orca as reference
from kit.tests.orca_readings import only, read
from kit.writers import orca as writer

# --- simple records ---------------------------------------------------------------

T = writer.TIME
DEVICE = {"packet_id": 1, "id": 2, "time": T}


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (
            writer.script_state(started=False, number=0xFFFF),
            {**DEVICE, "id": 0xFFFF, "script_type": 1, "started": False},
        ),
        (
            writer.script_record(b"<a/>\n", script_type=2),
            {**DEVICE, "script_type": 2, "tag": 7, "text": [*b"<a/>\n"]},
        ),
        (
            writer.histogram((1, 2, 2**32 - 1), key=b"a/b/c"),
            {"packet_id": 1, "name": [*b"a/b/c"], "counts": [1, 2, 2**32 - 1]},
        ),
        (
            writer.mjd_preamp(enabled=0x8001),
            {**DEVICE, "enabled": 0x8001, "adc": [i / 8 for i in range(16)]},
        ),
        (
            writer.iseg_hv((1.5, 2.5), (0.25, 0.5), on_mask=3, positive=False),
            {
                "packet_id": 1,
                "time": T,
                "crate": 2,
                "card": 3,
                "on_mask": 3,
                "polarity": False,
                "voltage": [1.5, 2.5],
                "current": [0.25, 0.5],
            },
        ),
        *(
            (
                writer.vhq_status(decoder=decoder),
                {
                    **DEVICE,
                    "status1": [1, 3],
                    "status2": [2, 4],
                    "voltage": [1000.5, 2000.5],
                    "current": [0.25, 0.5],
                },
            )
            for decoder in (
                "ORVHQ224LDecoderForHVStatus",
                "ORNHQ226LDecoderForHVStatus",
            )
        ),
        (
            writer.lakeshore(),
            {
                "packet_id": 1,
                "id": 2,
                "time": [*range(T, T + 8)],
                "kelvin": True,
                "temperature": [77.5 + i for i in range(8)],
            },
        ),
        *(
            (writer.one_value(decoder), {**DEVICE, column: 12.5})
            for decoder, column in (
                ("ORCTITempDecoderForTemperature", "temperature"),
                ("ORKeithley6487DecoderForCurrent", "current"),
                ("ORKJL2200IonGaugeDecoderForPressure", "pressure"),
            )
        ),
        (
            writer.values_with_times(
                "ORMksPdr2000DecoderForPressure", (1.5, 2.5), (5, 6), bits=4
            ),
            {
                "packet_id": 1,
                "id": 2,
                "time": [5, 6],
                "units": 4,
                "pressure": [1.5, 2.5],
            },
        ),
        *(
            (
                writer.values_with_times(decoder, [*range(n)], [*range(n)]),
                {
                    "packet_id": 1,
                    "id": 2,
                    "time": [*range(n)],
                    "pressure": [*range(n)],
                },
            )
            for decoder, n in (
                ("ORTPG256ADecoderForPressure", 6),
                ("ORBocTIC3DecoderForPressure", 3),
            )
        ),
        (
            writer.values_with_times(
                "ORAmi286DecoderForLevel", (1, 2, 3, 4), (5, 6, 7, 8), bits=0x4321
            ),
            {
                "packet_id": 1,
                "id": 2,
                "time": [5, 6, 7, 8],
                "fill_state": [1, 2, 3, 4],
                "level": [1, 2, 3, 4],
            },
        ),
        *(
            (
                writer.pac(decoder=decoder),
                {
                    "packet_id": 1,
                    "id": 2,
                    "time": [*range(T, T + 8)],
                    "adc": [*range(100, 108)],
                },
            )
            for decoder in ("ORPacDecoderForAdc", "ORPacFPDecoderForAdc")
        ),
        (
            writer.labjack(),
            {
                **DEVICE,
                "differential": 5,
                "counter": 17,
                "adc": [i / 4 for i in range(8)],
                "direction": 0x3FFFF,
                "output": 0x12345,
                "input": 0x54321,
            },
        ),
        (
            writer.labjack_ue9(),
            {
                **DEVICE,
                "counter": [17, 18],
                "timer": [1, 2, 3, 4, 5, 6],
                "adc": [i / 4 for i in range(84)],
                "direction": 0xFFFFFF,
                "output": 0x123456,
                "input": 0x654321,
            },
        ),
        (
            writer.xycom564(),
            {
                "packet_id": 1,
                "time": T,
                "time_usec": 250_000,
                "crate": 2,
                "card": 11,
                "channel": [0, 1],
                "adc": [100, 65535],
            },
        ),
        (
            writer.ip320_adc(crate=3),
            {
                "packet_id": 1,
                "time": T,
                "crate": 2,
                "card": 12,
                "ip_slot": 1,
                "channel": [0, 39],
                "adc": [100, 4095],
            },
        ),
        (
            writer.ip320_value(),
            {
                "packet_id": 1,
                "time": T,
                "crate": 2,
                "card": 12,
                "ip_slot": 1,
                "channel": [0, 39],
                "value": [1.5, -2.5],
            },
        ),
        *(
            (writer.control_value(decoder), {**DEVICE, "index": 3, "value": 1.1})
            for decoder in ("ORHVcRIODecoderForAdc", "ORADEIControlDecoderForAdc")
        ),
        (
            writer.mca927(zdt=True),
            {
                "packet_id": 1,
                "id": 2,
                "channel": 1,
                "zdt": True,
                "live_time": 100,
                "real_time": 110,
                "zdt_mode": 0,
                "counts": [1, 2, 3],
            },
        ),
        (
            writer.shaper(4095),
            {
                "packet_id": 1,
                "crate": 1,
                "card": 13,
                "channel": 6,
                "adc": 4095,
                "time": 0,
                "time_usec": 0,
            },
        ),
        (
            writer.polling_time(),
            {"packet_id": 1, "time": T, "time_usec": 250_000},
        ),
    ],
    ids=lambda value: writer.kind_of(value) if isinstance(value, bytes) else "",
)
def test_simple_record(packet, expected):
    """Format 5.7."""
    reading = read(packet)
    assert only(reading, writer.kind_of(packet)) == expected


@pytest.mark.parametrize("time", [None, (5, 6)])
def test_long_record_of_a_shaper(time):
    """Format 5.7."""
    ids = {**writer.DATA_IDS, "ORShaperDecoderForShaper": 99 << 18}
    header = writer.header(ids=ids)
    packet = writer.shaper(7, short=False, time=time, data_id=99 << 18)
    reading = reference.read(writer.header_packet(header) + packet)
    row = only(reading, "ORShaperDecoderForShaper")
    names = ("crate", "card", "channel", "adc", "time", "time_usec")
    assert [row[name] for name in names] == [1, 13, 6, 7, *(time or (0, 0))]


def test_one_of_each_simple_record():
    kinds = [writer.kind_of(packet) for packet in writer.simple_records()]
    assert sorted(kinds) == sorted(reference.SIMPLE)
    reading = read(*writer.simple_records())
    assert reading.rows.keys() == reference.SIMPLE.keys()
    assert not reading.dropped
    cut = [
        writer.long_packet(struct.unpack_from("<I", packet)[0])
        for packet in writer.simple_records()
        if writer.kind_of(packet) != "ORShaperDecoderForShaper"
    ]
    assert not read(*cut).rows
