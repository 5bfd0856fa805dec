"""The reference reader of ORCA files: digitizers.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kit.tests.orca_readings import only, read
from kit.writers import orca as writer

if TYPE_CHECKING:
    from kit.reference import orca as reference

# --- digitizers -------------------------------------------------------------------

VME: dict[str, Any] = {
    "crates": [
        writer.crate(5, [writer.gretina4m_card(8, down_sample=2)]),
        writer.crate(
            2,
            [
                writer.sis3302_card(4, sample_lengths=(8, 8, 8, 8)),
                writer.sis3316_card(5, samples=4, maw_lengths=(0, 7, 0, 0)),
                writer.vme_card("ORSIS3320Model", 7, onlineMask=0xFF, clockSource=7),
                writer.gretina4a_card(9, decimation=(0, 3) + (0,) * 8),
            ],
        ),
    ],
    "objects": {
        "USB": [
            {"DT5725 3": {"Class Name": "ORDT5725Model", "enabledMask": 0xFF}},
            {"DT5720 1": {"Class Name": "ORDT5720Model", "enabledMask": 0xF}},
        ]
    },
}


def read_vme(*packets: bytes) -> reference.Reading:
    return read(*packets, **VME)


def waveforms(rows: dict[str, list[Any]]) -> list[list[int]]:
    return [samples.tolist() for samples in rows["waveform/values"]]


def test_sis3302():
    """Format 4.5, and B4."""
    reading = read_vme(
        writer.sis3302(
            range(8),
            crate=2,
            channel=3,
            energy=2**32 - 1,
            energy_trace=(5, 2**31),
            flags=0x80000001,
            lost=0x3FFF,
        )
    )
    assert only(reading, "ORSIS3302DecoderForEnergy") == {
        "packet_id": 1,
        "energy": 2**32 - 1,
        "energy_first": 10,
        "flags": 0x80000001,
        "timestamp": 0x1234_89AB_CDEF,
        "crate": 2,
        "card": 4,
        "channel": 3,
        "energy_waveform": [5, 2**31],
        "waveform/values": [*range(8)],
        "waveform/t0": 0,
        "waveform/dt": 10,
    }
    assert reading.keys("ORSIS3302DecoderForEnergy") == [2 << 9 | 4 << 4 | 3]
    assert list(reading.tables()) == ["ORSIS3302DecoderForEnergy_1091"]


def test_sis3302_wrap():
    """Format 4.5: from one after the start."""
    reading = read_vme(writer.sis3302(range(8), crate=2, wrap=(8, 5)))
    row = only(reading, "ORSIS3302DecoderForEnergy")
    assert row["waveform/values"] == [6, 7, 0, 1, 2, 3, 4, 5]


def test_sis3302_lengths():
    """Format 4.5 and 7.15."""
    reading = read_vme(
        writer.sis3302(range(4), crate=2),
        # Twice as many as there are.
        writer.sis3302(range(8), crate=2, energy_trace=(1, 2), n_energy_words=4),
        writer.sis3302(range(8), crate=2, trailer=0),
        writer.sis3302(range(8), crate=2, adc_channel=1),
        writer.sis3302(range(8), crate=2, n_samples_words=5),
        writer.sis3302(range(8), crate=3),
    )
    rows = reading.columns("ORSIS3302DecoderForEnergy")
    # the last is of a card that the header lacks
    assert waveforms(rows) == [[0, 1, 2, 3, 0, 0, 0, 0], [*range(8)], [*range(8)]]
    assert rows["energy_waveform"][1].tolist() == [1, 2]
    assert [reason for _, reason in reading.dropped] == [
        *("trailer", "channel", "length")
    ]


@pytest.mark.parametrize("bits", range(16))
def test_sis3316_formats(bits):
    """Format 4.6 and B5 and B6."""
    row = only(
        read_vme(
            writer.sis3316(
                [writer.SIS3316Event(range(4), format_bits=bits, channel_id=2)],
                crate=2,
                channel=2,
            )
        ),
        "ORSIS3316WaveformDecoder",
    )
    parts = [
        {
            "peakHighValue": 20_000,
            "peakHighIndex": 77,
            "information": 3,
            **{f"accSum{i}": 10 + i for i in range(1, 7)},
        },
        {"accSum7": 17, "accSum8": 18},
        {"mawMax": 301, "mawBefore": 302, "mawAfter": 303},
        {"startEnergy": 401, "maxEnergy": 402, "energy": 402, "energy_first": 401},
    ]
    expected: dict[str, Any] = {
        "packet_id": 1,
        "timestamp": 0x1234_89AB_CDEF,
        "crate": 2,
        "card": 5,
        "channel": 2,
        "waveform/values": [*range(4)],
        "waveform/t0": 0,
        "waveform/dt": 8,
    }
    for bit, part in enumerate(parts):
        present = bits >> bit & 1
        expected |= part if present else dict.fromkeys(part, 2**32 - 1)
    assert row == expected


def test_sis3316_events():
    """Format 4.6 and B9: all events of a packet, whatever follows each."""
    events = [
        writer.SIS3316Event(range(i, i + 4), timestamp=i, **options)
        for i, options in enumerate(
            [
                {},
                # 7 words in the header are 6 in the data.
                {"maw_test": True, "maw_data": range(6), "format_bits": 0},
                {"check": 0xA, "averaged": (1, 2, 3), "status": True},
                {"format_bits": 5},
            ]
        )
    ]
    reading = read_vme(writer.sis3316(events, crate=2, channel=4, header_words=17))
    rows = reading.columns("ORSIS3316WaveformDecoder")
    assert rows["timestamp"] == [0, 1, 2, 3]
    assert waveforms(rows) == [[*range(i, i + 4)] for i in range(4)]
    assert not reading.dropped


def test_sis3316_stops():
    """Format 4.6 and 7.16: at the first event that cannot be."""
    good, bad = writer.SIS3316Event(range(4)), writer.SIS3316Event(range(4), check=3)
    reading = read_vme(
        writer.sis3316([good, bad, good], crate=2),
        writer.sis3316([good, good], crate=2, n_events=3),
        writer.sis3316([good, writer.SIS3316Event(range(4), n_words=3)], crate=2),
        writer.sis3316([], crate=2),
        writer.sis3316([good], crate=1),
    )
    rows = reading.columns("ORSIS3316WaveformDecoder")
    assert rows["packet_id"] == [1, 2, 2, 3, 5]
    assert reading.dropped == {
        ("ORSIS3316WaveformDecoder", "check nibble"): 1,
        ("ORSIS3316WaveformDecoder", "event cut off"): 2,
        ("ORSIS3316WaveformDecoder", "no events"): 1,
    }


@pytest.mark.parametrize("energy", [0, 1, -1, 2**24 - 1, -(2**24)])
def test_gretina4m(energy):
    """Format 5.1."""
    event = writer.Gretina4MEvent(
        np.arange(2018) - 1000, channel=7, energy=energy, board_id=0xABC
    )
    reading = read_vme(writer.gretina4m([event], crate=5, fifo_state=2))
    assert only(reading, "ORGretina4MWaveformDecoder") == {
        "packet_id": 1,
        "energy": abs(energy),
        "timestamp": 0x1234_89AB_CDEF,
        "crate": 5,
        "card": 8,
        "channel": 7,
        "board_id": 0xABC,
        "serial_number": 0x4321,
        "fifo_state": 2,
        "waveform/values": [*range(-1000, 1018)],
        "waveform/t0": 0,
        "waveform/dt": 40,
    }
    assert reading.keys("ORGretina4MWaveformDecoder") == [5 << 9 | 8 << 4 | 7]


def test_gretina4m_blocks():
    """Format 5.1: a bad one is skipped alone."""
    event = writer.Gretina4MEvent
    packet = writer.gretina4m(
        [event(timestamp=1), event(separator=0), event(channel=10), event(timestamp=4)],
        crate=5,
    )
    odd = writer.long_packet(writer.DATA_IDS["ORGretina4MWaveformDecoder"], 0, 1, 2)
    reading = read_vme(packet, odd)
    assert reading.columns("ORGretina4MWaveformDecoder")["timestamp"] == [1, 4]
    assert [reason for _, reason in reading.dropped] == [
        *("separator", "channel", "length")
    ]


def test_gretina4a():
    """Format 5.2."""
    event = writer.Gretina4AEvent(
        [1, 2, 0x3FFF, 4],
        channel=1,
        sample_flags=[0, 1, 2, 3],
        header_words=15,
        board_id=0xABC,
        event_type=5,
        pre_rise_sum=0xFFFFFF,
        post_rise_sum=0x123456,
    )
    row = only(
        read_vme(writer.gretina4a([event], crate=2)), "ORGretina4AWaveformDecoder"
    )
    assert row == {
        "packet_id": 1,
        "timestamp": 0x1234_89AB_CDEF,
        "prev_timestamp": 0x1234_89AB_0000,
        "energy": 0x123456 - 0xFFFFFF,
        "pre_rise_sum": 0xFFFFFF,
        "post_rise_sum": 0x123456,
        "baseline": 0x12345,
        "flags": 0x8001,
        "event_type": 5,
        "header_type": 3,
        "peak_time": 500,
        "trigger_time": 490,
        "crate": 2,
        "card": 9,
        "channel": 1,
        "board_id": 0xABC,
        "waveform_flags": [0, 1, 2, 3],
        "waveform/values": [1, 2, 0x3FFF, 4],
        "waveform/t0": 0,
        "waveform/dt": 80,
    }


def test_gretina4a_events():
    """Format 5.2: until one does not fit."""
    event = writer.Gretina4AEvent
    reading = read_vme(
        writer.gretina4a(
            [event([1, 2]), event(()), event([3, 4], length=2000)], crate=2
        ),
        writer.gretina4a([event([5, 6])], crate=2, rest=[0xAAAAAAAA, 1]),
        writer.gretina4a([event([7, 8]), event(separator=1)], crate=2),
        writer.gretina4a([event([], header_words=14, length=13)], crate=2),
    )
    rows = reading.columns("ORGretina4AWaveformDecoder")
    assert waveforms(rows) == [[1, 2], [], [5, 6], [7, 8]]
    assert [reason for _, reason in reading.dropped] == [
        *("event cut off", "separator", "header words")
    ]


@pytest.mark.parametrize(
    ("saving_mode", "rate", "channel", "period"),
    [(4, 0, 6, 0.8), (1, 1, 6, 0.4), (0, 2, 4, 0.2)],
)
def test_sis3305(saving_mode, rate, channel, period):
    """Format 5.3."""
    samples = np.arange(96) * 7 % 1024
    events = [
        writer.SIS3305Event(samples, event_id=2),
        writer.SIS3305Event(1023 - samples, event_id=2, timestamp=2**48 - 1),
    ]
    reading = read_vme(
        writer.sis3305(
            events,
            crate=9,
            card=17,
            channel_mode=3,
            group=1,
            rate=rate,
            saving_mode=saving_mode,
            padding=3,
        )
    )
    rows = reading.columns("ORSIS3305DecoderForWaveform")
    assert rows["timestamp"] == [0x1234_89AB_CDEF, 2**48 - 1]
    assert waveforms(rows) == [samples.tolist(), (1023 - samples).tolist()]
    for name, value in {
        "crate": 9,
        "card": 17,
        "channel": channel,
        "event_id": 2,
        "group": 1,
        "channel_mode": 3,
        "rate": rate,
        "saving_mode": saving_mode,
        "waveform/dt": np.float32(period),
    }.items():
        assert rows[name] == [value] * 2, name
    key = 9 << 9 | 17 << 4 | channel
    assert reading.keys("ORSIS3305DecoderForWaveform") == [key] * 2


def test_order_of_sis3305_samples():
    """Format 5.3, word by word: what the description spells out."""

    def words(start: int, n: int) -> list[int]:
        return [(start + i) << 20 | (100 + i) << 10 | (200 + i) for i in range(n)]

    def samples(saving_mode: int, rate: int, n: int) -> list[int]:
        where = rate << 8 | saving_mode << 4
        packet = writer.long_packet(
            writer.DATA_IDS["ORSIS3305DecoderForWaveform"],
            *(where, 4 + n, 1, 0, 0, 0, 1),
            words(0, n),
        )
        row = only(read_vme(packet), "ORSIS3305DecoderForWaveform")
        return row["waveform/values"]

    assert samples(4, 0, 4)[:5] == [0, 100, 200, 1, 101]
    assert samples(1, 1, 8)[:8] == [0, 4, 100, 104, 200, 204, 1, 5]
    assert samples(0, 2, 16)[:9] == [0, 8, 4, 12, 100, 108, 104, 112, 200]


def test_sis3305_that_is_dropped():
    """Format 5.3."""
    event = writer.SIS3305Event(range(48))
    name = "ORSIS3305DecoderForWaveform"
    reading = read_vme(
        writer.sis3305([event], wrap=True),
        writer.sis3305([event], saving_mode=0, rate=1),
        writer.sis3305([event], event_words=19),
        writer.sis3305([event] * 2, n_events=1),
    )
    assert reading.dropped == {
        (name, "wrap mode"): 1,
        (name, "saving mode"): 1,
        (name, "length"): 1,
    }
    assert reading.columns(name)["packet_id"] == [4]


def test_sis3320():
    """Format 5.4."""
    events = [
        writer.SIS3320Event([1, 2, 3], gates=(0xFFFFF, 2, 3, 4, 5, 6, 7, 0xFFFF)),
        writer.SIS3320Event(timestamp=5),
        writer.SIS3320Event([4, 5], timestamp=6),
    ]
    reading = read_vme(writer.sis3320(events, crate=2, channel=6, is_split=True))
    rows = reading.columns("ORSIS3320WaveformDecoder")
    assert rows["timestamp"] == [0x1234_89AB_CDEF, 5, 6]
    assert waveforms(rows) == [[1, 2, 3], [0, 0, 0], [4, 5]]
    gates = [rows[f"accSum{i}"][0] for i in range(1, 9)]
    assert gates == [0xFFFFF, 2, 3, 4, 5, 6, 7, 0xFFFF]
    assert rows["waveform/dt"] == [4] * 3
    assert rows["channel"] == [6] * 3


def test_sis3320_stops():
    good = writer.SIS3320Event([1, 2])
    reading = read_vme(
        writer.sis3320([good, writer.SIS3320Event([1], check=7), good], crate=2),
        writer.sis3320([good], crate=2) + b"",
    )
    assert reading.columns("ORSIS3320WaveformDecoder")["packet_id"] == [1, 2]
    assert reading.dropped == {("ORSIS3320WaveformDecoder", "check half-word"): 1}


@pytest.mark.parametrize(
    ("decoder", "channels", "top", "period", "stored_crate"),
    [
        ("ORCV1730WaveformDecoder", (0, 7, 8, 15), 2**14 - 1, 2, 2),
        ("ORCaen1724WaveformDecoder", (1, 7), 2**14 - 1, 10, 2),
        ("ORCaen1720WaveformDecoder", (0,), 2**12 - 1, 4, 2),
        ("ORCV1721WaveformDecoder", (2, 3, 4), 255, 2, 3),
    ],
)
def test_caen(decoder, channels, top, period, stored_crate):
    """Format 5.5: odd numbers of crates lose their last bit."""
    traces = {channel: [channel, top, 1, 0] for channel in channels}
    event = writer.CaenEvent(traces, board_fail=True, eventnumber=2**24 - 1)
    later = writer.CaenEvent(traces, time_tag=5)
    reading = read_vme(writer.caen(decoder, [event, later], crate=3, padding=5))
    rows = reading.columns(decoder)
    assert rows["channel"] == [*channels] * 2
    assert waveforms(rows) == [*traces.values()] * 2
    first = {
        "packet_id": 1,
        "crate": stored_crate,
        "card": 10,
        "eventnumber": 2**24 - 1,
        "timestamp": 0x09AB_CDEF,
        "timestamp_rollover": True,
        "board_id": 3,
        "pattern": 0x1234,
        "board_fail": True,
        "waveform/dt": period,
    }
    for name, value in first.items():
        assert rows[name][0] == value, name
    assert (rows["timestamp"][-1], rows["timestamp_rollover"][-1]) == (5, False)
    key = stored_crate << 9 | 10 << 4 | channels[0]
    assert reading.keys(decoder)[0] == key
    assert list(reading.tables()) == [decoder.removesuffix("Decoder")]
    assert not reading.dropped


def test_caen_events_that_are_dropped():
    """Format 5.5."""
    name = "ORCaen1724WaveformDecoder"
    good = writer.CaenEvent({0: [1, 2]})
    reading = read_vme(
        writer.caen(
            name,
            [
                writer.CaenEvent({0: [1, 2]}, mask=0),
                writer.CaenEvent({0: [1, 2], 1: [3, 4]}, mask=7),
                writer.CaenEvent({0: [1, 2]}, zero_length=True),
                good,
            ],
        ),
        writer.caen(name, [good, writer.CaenEvent({0: [1, 2]}, size=9)]),
    )
    assert reading.columns(name)["packet_id"] == [1, 2]
    assert reading.dropped == {
        (name, "length"): 1,
        (name, "zero-length encoding"): 1,
        (name, "event cut off"): 1,
    }


@pytest.mark.parametrize("packed", [False, True])
def test_caen_usb(packed):
    """Format 5.6."""
    samples = [1, 0xFFF, 0xABC, 0, 0x123, 5, 6, 7, 8, 9]
    event = writer.CaenEvent({1: samples, 3: samples[::-1]})
    reading = read_vme(writer.caen_usb("ORDT5720Decoder", event, packed=packed))
    rows = reading.columns("ORDT5720Decoder")
    assert waveforms(rows) == [samples, samples[::-1]]
    assert (rows["unit"], rows["channel"]) == ([1, 1], [1, 3])
    assert reading.keys("ORDT5720Decoder") == [101, 103]

    event = writer.CaenEvent({7: [0x3FFF, 1]})
    reading = read_vme(writer.caen_usb("ORDT5725Decoder", event, unit=3))
    row = only(reading, "ORDT5725Decoder")
    assert (row["unit"], row["channel"], row["waveform/values"]) == (3, 7, [0x3FFF, 1])
    assert reading.keys("ORDT5725Decoder") == [307]
