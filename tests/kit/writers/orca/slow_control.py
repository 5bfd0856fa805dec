"""Simple records, most of slow control (ORCA format, 5.7)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kit.writers.orca.data_ids import DATA_IDS
from kit.writers.orca.framing import (
    Part,
    encode_floats,
    extended_packet,
    long_packet,
    packet,
    place_word,
    short_packet,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


TIME = 1_700_000_100


def _simple(decoder: str, *parts: Part) -> bytes:
    return packet(DATA_IDS[decoder], *parts)


def _with_times(values: Sequence[float], times: Sequence[int]) -> bytes:
    return b"".join(
        struct.pack("<fI", value, time)
        for value, time in zip(values, times, strict=True)
    )


def script_state(
    *, script_type: int = 1, number: int = 2, time: int = TIME, started: bool = True
) -> bytes:
    """Write that a script was started or stopped."""
    return _simple(
        "ORScriptDecoderForState", script_type << 24 | number, time, int(started)
    )


def script_record(
    text: bytes = b"<plist/>",
    *,
    script_type: int = 1,
    number: int = 2,
    time: int = TIME,
    tag: int = 7,
) -> bytes:
    """Write what a script recorded: text of a property list."""
    return _simple(
        "ORScriptDecoderForRecord",
        *(script_type << 24 | number, time, tag, len(text), text),
    )


def histogram(bins: Sequence[int], *, key: bytes = b"Crate 0/Card 1/Chan 2") -> bytes:
    """Write a histogram: key words and bins."""
    key += bytes(-len(key) % 4)
    return _simple("OR1DHistoDecoder", len(key) // 4, key, len(bins), [*bins])


def mjd_preamp(
    adc: Sequence[float] = tuple(i / 8 for i in range(16)),
    *,
    number: int = 2,
    time: int = TIME,
    enabled: int = 0xFFFF,
) -> bytes:
    """Write the 16 ADC values of a preamplifier controller."""
    return _simple(
        "ORMJDPreAmpDecoderForAdc", number, time, enabled, encode_floats(adc)
    )


def iseg_hv(
    voltage: Sequence[float] = tuple(100.5 * i for i in range(8)),
    current: Sequence[float] = tuple(i / 1024 for i in range(8)),
    *,
    crate: int = 2,
    card: int = 3,
    positive: bool = True,
    on_mask: int = 0xFF,
    time: int = TIME,
) -> bytes:
    """Write voltages and currents of a high-voltage card."""
    n = len(voltage)
    pairs = [x for pair in zip(voltage, current, strict=True) for x in pair]
    return _simple(
        "ORiSegHVCardDecoderForHV",
        crate << 20 | card << 16 | n << 4 | positive,
        *(on_mask, 0, time),
        encode_floats(pairs),
    )


def vhq_status(
    channels: Sequence[tuple[int, int, float, float]] = (
        (1, 2, 1000.5, 0.25),
        (3, 4, 2000.5, 0.5),
    ),
    *,
    number: int = 2,
    time: int = TIME,
    decoder: str = "ORVHQ224LDecoderForHVStatus",
) -> bytes:
    """Write two words of status, voltage and current of each of two channels."""
    data = b"".join(struct.pack("<IIff", *channel) for channel in channels)
    return _simple(decoder, number, time, data)


def lakeshore(
    temperature: Sequence[float] = tuple(77.5 + i for i in range(8)),
    times: Sequence[int] = tuple(TIME + i for i in range(8)),
    *,
    number: int = 2,
    kelvin: bool = True,
) -> bytes:
    """Write 8 temperatures of a LakeShore 210."""
    return _simple(
        "ORLakeShore210DecoderForTemperature",
        kelvin << 16 | number,
        _with_times(temperature, times),
    )


def one_value(
    decoder: str, value: float = 12.5, *, number: int = 2, time: int = TIME
) -> bytes:
    """Write a record of one value: CTITemp, Keithley6487, KJL2200IonGauge."""
    return _simple(decoder, number, float(value), time)


def values_with_times(
    decoder: str,
    values: Sequence[float],
    times: Sequence[int] | None = None,
    *,
    number: int = 2,
    bits: int = 0,
) -> bytes:
    """Write a record of values, each with its time: MksPdr2000 and the like.

    ``bits`` are the upper half of word 1: units, or fill states.
    """
    if times is None:
        times = [TIME + i for i in range(len(values))]
    return _simple(decoder, bits << 16 | number, _with_times(values, times))


def pac(
    adc: Sequence[int] = tuple(range(100, 108)),
    times: Sequence[int] = tuple(TIME + i for i in range(8)),
    *,
    number: int = 2,
    decoder: str = "ORPacDecoderForAdc",
) -> bytes:
    """Write 8 ADC values, the time in front of each."""
    pairs = [x for pair in zip(times, adc, strict=True) for x in pair]
    return _simple(decoder, number, pairs)


def labjack(
    adc: Sequence[float] = tuple(i / 4 for i in range(8)),
    *,
    number: int = 2,
    differential: int = 5,
    counter: int = 17,
    direction: int = 0x3FFFF,
    output: int = 0x12345,
    inputs: int = 0x54321,
    time: int = TIME,
) -> bytes:
    """Write what a LabJack U12 measures; the last three have IO above DO bits."""
    return _simple(
        "ORLabJackDecoderForIOData",
        differential << 16 | number,
        encode_floats(adc),
        *(counter, direction, output, inputs, time, 0, 0),
    )


def labjack_ue9(
    adc: Sequence[float] = tuple(i / 4 for i in range(84)),
    *,
    number: int = 2,
    time: int = TIME,
    counters: Sequence[int] = (17, 18),
    timers: Sequence[int] = (1, 2, 3, 4, 5, 6),
    direction: int = 0xFFFFFF,
    output: int = 0x123456,
    inputs: int = 0x654321,
) -> bytes:
    """Write what a LabJack UE9 measures."""
    return _simple(
        "ORLabJackUE9DecoderForIOData",
        *(number, time, encode_floats(adc), [*counters], [*timers]),
        *(direction, output, inputs, 0, 0),
    )


def xycom564(
    values: Sequence[tuple[int, int]] = ((0, 100), (1, 65535)),
    *,
    crate: int = 2,
    card: int = 11,
    time: int = TIME,
    microseconds: int = 250_000,
) -> bytes:
    """Write ADC values of some channels; the crate loses its lowest bit."""
    words = [channel << 16 | value for channel, value in values]
    where = place_word(crate & 0xE, card)
    return _simple("ORXYCom564Decoder", where, time, microseconds, words)


def ip320_adc(
    values: Sequence[tuple[int, int]] = ((0, 100), (39, 4095)),
    *,
    crate: int = 2,
    card: int = 12,
    ip_slot: int = 1,
    time: int = TIME,
) -> bytes:
    """Write ADC values of 12 bits of some channels."""
    words = [channel << 16 | value for channel, value in values]
    where = place_word(crate & 0xE, card, ip_slot)
    return _simple("ORIP320DecoderForAdc", where, time, words)


def ip320_value(
    values: Sequence[tuple[int, float]] = ((0, 1.5), (39, -2.5)),
    *,
    crate: int = 2,
    card: int = 12,
    ip_slot: int = 1,
    time: int = TIME,
) -> bytes:
    """Write converted values of some channels."""
    where = place_word(crate & 0xE, card, ip_slot)
    data = b"".join(struct.pack("<If", channel, value) for channel, value in values)
    return _simple("ORIP320DecoderForValue", where, time, data)


def control_value(
    decoder: str = "ORHVcRIODecoderForAdc",
    value: float = 1.1,
    *,
    number: int = 2,
    time: int = TIME,
    index: int = 3,
) -> bytes:
    """Write a value of double precision: HVcRIO, ADEIControl."""
    return _simple(decoder, number, time, index, struct.pack("<d", value), (0, 0, 0))


def mca927(
    spectrum: Sequence[int] = (1, 2, 3),
    *,
    number: int = 2,
    channel: int = 1,
    zdt: bool = False,
    live_time: int = 100,
    real_time: int = 110,
    zdt_mode: int = 0,
) -> bytes:
    """Write a spectrum; times are in units of 20 ms."""
    return _simple(
        "ORMCA927SpectraDecoder",
        zdt << 13 | channel << 12 | number,
        *(live_time, real_time, zdt_mode),
        (0,) * 5,
        [*spectrum],
    )


def shaper(
    adc: int = 1234,
    *,
    crate: int = 1,
    card: int = 13,
    channel: int = 6,
    time: tuple[int, int] | None = None,
    short: bool = True,
    data_id: int | None = None,
) -> bytes:
    """Write an ADC value of a shaper: one word, or a long record.

    Parameters
    ----------
    time
        s and us, of a long record only.
    data_id
        of a long record: one that the header declares.
    """
    word = place_word(crate, card, channel << 12 | adc)
    if data_id is None:
        data_id = DATA_IDS["ORShaperDecoderForShaper"]
    if short:
        return short_packet(data_id, word)
    return long_packet(data_id, word, [*time] if time is not None else b"")


def polling_time(seconds: int = TIME, microseconds: int = 250_000) -> bytes:
    """Write when the hardware was polled."""
    return _simple("ORPollingTimeStampDecoder", seconds, microseconds)


def simple_records() -> list[bytes]:
    """Write one of each of the simple records (format 5.7)."""
    return [
        script_state(),
        script_record(),
        histogram((1, 2, 3)),
        mjd_preamp(),
        iseg_hv(),
        vhq_status(),
        vhq_status(decoder="ORNHQ226LDecoderForHVStatus"),
        lakeshore(),
        one_value("ORCTITempDecoderForTemperature", 11.5),
        one_value("ORKeithley6487DecoderForCurrent", 1e-9),
        one_value("ORKJL2200IonGaugeDecoderForPressure", 1e-6),
        values_with_times("ORMksPdr2000DecoderForPressure", (1.5, 2.5), bits=2),
        values_with_times("ORTPG256ADecoderForPressure", (1, 2, 3, 4, 5, 6)),
        values_with_times("ORBocTIC3DecoderForPressure", (1, 2, 3)),
        values_with_times("ORAmi286DecoderForLevel", (10, 20, 30, 40), bits=0x4321),
        pac(),
        pac(decoder="ORPacFPDecoderForAdc"),
        labjack(),
        labjack_ue9(),
        xycom564(),
        ip320_adc(),
        ip320_value(),
        control_value(),
        control_value("ORADEIControlDecoderForAdc", -2.2),
        mca927(),
        shaper(),
        polling_time(),
    ]


def unknown(length: int = 5, *, short: bool = False, extended: bool = False) -> bytes:
    """Write a packet that the header describes and no one decodes (format 1.5)."""
    if short:
        return short_packet(DATA_IDS["ORUnheardOfDecoderForShort"], 0x12345)
    data_id = DATA_IDS["ORUnheardOfDecoderForLong"]
    if extended:
        return extended_packet(data_id, (0x55,) * (length - 2))
    return long_packet(data_id, (0x55,) * (length - 1))
