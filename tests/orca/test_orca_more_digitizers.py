"""Digitizers of format 5.2 to 5.6: Gretina4A, SIS3305, SIS3320 and CAEN.

And the optional columns of digitizers. "Format N" means section N of the ORCA format.
"""

from __future__ import annotations

from typing import Any

import h5py
import lh5
import numpy as np
import pytest
from kit.decoding.orca import decode, differences, joined, read_lh5, wanted_tables
from kit.reference import orca as reference
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.orca import orca_digitizers
from daq2lh5.orca.digitizers.sis import ORSIS3302DecoderForEnergy
from daq2lh5.orca.orca_header import OrcaHeader
from daq2lh5.raw_buffer import RawBuffer, RawBufferList

CAEN = {
    "ORCV1730WaveformDecoder": 14,
    "ORCaen1724WaveformDecoder": 14,
    "ORCaen1720WaveformDecoder": 12,
    "ORCV1721WaveformDecoder": 8,
}
"""Bits of the samples of cards in VME crates."""

CAEN_USB = {"ORDT5725Decoder": 8, "ORDT5720Decoder": 4}
"""Channels of desktop digitizers."""

DECODERS = (
    "ORGretina4AWaveformDecoder",
    "ORSIS3305DecoderForWaveform",
    "ORSIS3320WaveformDecoder",
    *CAEN,
    *CAEN_USB,
)

each_decoder = pytest.mark.parametrize("name", DECODERS)
each_caen = pytest.mark.parametrize("name", CAEN)
each_usb = pytest.mark.parametrize("name", CAEN_USB)

RNG = np.random.default_rng(0)


def samples(n: int, bits: int) -> np.ndarray:
    return RNG.integers(0, 2**bits, n)


def events_of(name: str, *, crate: int = 2, card: int = 4, n: int = 24) -> list[bytes]:
    """Write packets with some events of channels 0, 1 and 3, of `n` samples."""
    if name == "ORGretina4AWaveformDecoder":
        return [
            writer.gretina4a(
                [
                    writer.Gretina4AEvent(
                        samples(n, 14),
                        channel=c,
                        timestamp=int(RNG.integers(2**48)),
                        sample_flags=samples(n, 2),
                    )
                    for c in (0, 1, 3)
                ],
                crate=crate,
                card=card,
            )
        ] * 2
    if name == "ORSIS3305DecoderForWaveform":
        n = -(-n // 48) * 48
        return [
            writer.sis3305(
                [writer.SIS3305Event(samples(n, 10), event_id=k) for k in (0, 1, 3)],
                crate=crate,
                card=card,
                rate=rate,
                saving_mode=saving_mode,
                group=rate % 2,
                padding=rate,
            )
            for saving_mode, rate in ((4, 0), (1, 1), (0, 2), (4, 2))
        ]
    if name == "ORSIS3320WaveformDecoder":
        return [
            writer.sis3320(
                [
                    writer.SIS3320Event(samples(n, 12), timestamp=17),
                    writer.SIS3320Event(samples(n, 16)),
                ],
                crate=crate,
                card=card,
                channel=c,
            )
            for c in (0, 1, 3)
        ]
    bits = CAEN.get(name, 14 if name == "ORDT5725Decoder" else 12)
    n = -(-n // 20) * 20
    events = [
        writer.CaenEvent(
            {c: samples(n, bits) for c in (0, 1, 3)}, eventnumber=i, time_tag=i << 30
        )
        for i in range(4)
    ]
    if name in CAEN:
        return [
            writer.caen(name, events[:1], crate=crate, card=card, padding=2),
            writer.caen(name, events[1:], crate=crate, card=card),
        ]
    packed = (name == "ORDT5720Decoder" and i % 2 == 1 for i in range(4))
    return [
        writer.caen_usb(name, event, unit=3, packed=each)
        for event, each in zip(events, packed, strict=True)
    ]


def header_of(places: tuple[tuple[int, int], ...] = ((2, 4),)) -> writer.Plist:
    """Describe cards of all kinds in some places."""
    crates: dict[int, list[writer.Plist]] = {}
    for crate, card in places:
        crates.setdefault(crate, []).extend(
            [
                writer.gretina4a_card(card, decimation=range(10)),
                writer.vme_card("ORSIS3320Model", card, onlineMask=0xFF, clockSource=7),
                writer.sis3302_card(card, sample_lengths=(20,) * 4),
            ]
        )
    units = {
        f"DT57{kind} 3": {"Class Name": f"ORDT57{kind}Model", "enabledMask": 0xB}
        for kind in (20, 25)
    }
    return writer.header(
        crates=[writer.crate(crate, cards) for crate, cards in crates.items()],
        objects={"USB": [units, {"Other": 1}]},
        decoders=writer.DATA_IDS,
    )


def file_of(*packets: bytes, places: tuple[tuple[int, int], ...] = ((2, 4),)) -> bytes:
    return b"".join((writer.header_packet(header_of(places)), *packets))


def extended(packet: bytes) -> bytes:
    """Give a long packet the form of an extended one."""
    words = np.frombuffer(packet, "<u4")
    n_words = len(words) + 1
    return np.r_[words[0] & 0xFFFC0000, n_words, words[1:]].astype("<u4").tobytes()


def check(path: Any, data: bytes, **options: Any) -> Any:
    """Decode a file; its tables must be those of the reference."""
    path.write_bytes(data)
    decoded = decode(path, **options)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted_tables(data)) == []
    assert decoded.report.n_bytes == len(data)
    return decoded


def n_rows(tables: Any) -> int:
    return sum(len(columns.get("packet_id", ())) for columns in tables.values())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.orca"


# --- events as they should be -------------------------------------------------------


@each_decoder
@pytest.mark.parametrize("buffer_size", [1, 3, 8192])
@pytest.mark.parametrize("form", ["long", "extended"])
def test_events_are_those_of_the_reference(name, buffer_size, form, file):
    """In long and extended packets, with any room in the buffers."""
    packets = events_of(name)
    if form == "extended":
        packets = [extended(packet) for packet in packets]
    decoded = check(file, file_of(*packets), buffer_size=buffer_size)
    assert decoded.report.clean
    assert n_rows(decoded.tables) >= 6


@each_decoder
def test_several_cards_and_crates(name, file):
    """Each has its channels, with keys of its own or in one table."""
    places = ((0, 4), (6, 31), (8, 4))
    packets = [p for place in places for p in events_of(name, crate=place[0], card=4)]
    packets += events_of(name, crate=6, card=31)
    decoded = check(file, file_of(*packets, places=places))
    if name not in CAEN_USB:
        found = {
            (int(crate), int(card))
            for columns in decoded.tables.values()
            for crate, card in zip(columns["crate"], columns["card"], strict=True)
        }
        assert {(0, 4), (6, 31), (8, 4)} <= found


@each_decoder
def test_conversion_is_read_by_others(name, file, tmp_path):
    """By h5py and by the LH5 package, with units and sampling periods."""
    data = file_of(*events_of(name))
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(str(file), out_spec=str(out))
    assert report.clean
    wanted = wanted_tables(data)
    assert differences(joined(read_lh5(out), report.notes), wanted) == []
    with h5py.File(out) as opened:
        for table in wanted:
            assert opened[table]["timestamp"].attrs["units"] == "clock_ticks"
            assert opened[table]["waveform/dt"].attrs["units"] == "ns"
    table = sorted(wanted)[0]
    stored = lh5.read(table, str(out))
    values = stored["waveform"].values.nda
    assert [*map(list, values)] == [*map(list, wanted[table]["waveform/values"])]


@each_decoder
def test_single_packets(name, file):
    """`decode_packet` gives the same rows as the whole file."""
    packets = events_of(name)
    data = file_of(*packets, *map(extended, packets))
    wanted = wanted_tables(data)
    header = OrcaHeader()
    header.update(header_of())
    decoder = getattr(orca_digitizers, name)(header=header)
    # samples of the rows: no header tells
    n = len(next(iter(wanted.values()))["waveform/values"][0])
    rbl = RawBufferList()
    for (key,) in decoder.get_key_lists():
        decoder.assert_nsamples(n, key)
        rbl.append(RawBuffer(lgdo=decoder.make_lgdo(key, 100), key_list=[key]))
    for packet in reference.read_packets(data).packets:
        if packet.decoder == name:
            words = np.frombuffer(packet.data, "<u4")
            assert not decoder.decode_packet(words, packet.index, rbl)
    assert sum(rb.loc for rb in rbl) == n_rows(wanted)
    for rb in rbl:
        table = name.removesuffix("Decoder")
        columns = wanted.get(table if rb.key_list == [None] else "")
        columns = columns or wanted.get(f"{table}_{rb.key_list[0]}")
        if columns is None:
            assert rb.loc == 0
            continue
        for column in ("packet_id", "timestamp", "channel"):
            assert np.array_equal(rb.lgdo[column].nda[: rb.loc], columns[column])
        values = rb.lgdo["waveform"].values.nda[: rb.loc]
        assert np.array_equal(values, columns["waveform/values"])


def test_channels_that_are_not_in_the_header_have_tables(file):
    """For kinds whose header lists channels, with a note for each."""
    packets = [
        writer.gretina4a([writer.Gretina4AEvent([1, 2], channel=12)], crate=2, card=4),
        writer.sis3320([writer.SIS3320Event([1, 2])], crate=2, card=5),
        writer.caen_usb("ORDT5725Decoder", writer.CaenEvent({2: [1, 2]}), unit=3),
        writer.caen_usb("ORDT5720Decoder", writer.CaenEvent({0: [1, 2]}), unit=4),
    ]
    decoded = check(file, file_of(*packets))
    assert set(decoded.tables) == {
        f"ORGretina4AWaveform_{2 << 9 | 4 << 4 | 12}",
        f"ORSIS3320Waveform_{2 << 9 | 5 << 4}",
        "ORDT5725_302",
        "ORDT5720_400",
    }
    assert decoded.report.skipped_channels == {}
    notes = [n for n in decoded.report.notes if "does not announce" in n]
    assert len(notes) == 4


def test_sampling_periods(file):
    """From the header, from the packet, or those of the model."""
    packets = [p for name in DECODERS for p in events_of(name)]
    decoded = check(file, file_of(*packets))
    periods = {
        name: {float(dt) for dt in columns["waveform/dt"]}
        for name, columns in decoded.tables.items()
    }
    fifth = {float(np.float32(dt)) for dt in (0.8, 0.4, 0.2)}
    assert periods["ORSIS3305DecoderForWaveform"] == fifth
    assert periods[f"ORSIS3320Waveform_{2 << 9 | 4 << 4}"] == {4}
    for channel in (0, 1, 3):
        key = 2 << 9 | 4 << 4 | channel
        assert periods[f"ORGretina4AWaveform_{key}"] == {10 * 2**channel}
    for name, dt in (("ORCV1730", 2), ("ORCaen1724", 10), ("ORCaen1720", 4)):
        assert periods[f"{name}Waveform"] == {dt}
    assert periods["ORCV1721Waveform"] == {2}
    assert periods["ORDT5725_300"] == periods["ORDT5720_303"] == {4}


@pytest.mark.parametrize("clock", [0, 1, 2, 3, 7, -1, "1"])
def test_clocks_of_a_sis3320(clock, file):
    card = writer.vme_card("ORSIS3320Model", 4, onlineMask=1, clockSource=clock)
    header = writer.header(crates=[writer.crate(2, [card])])
    packet = writer.sis3320([writer.SIS3320Event([1, 2, 3])], crate=2, card=4)
    file.write_bytes(writer.header_packet(header) + packet)
    (columns,) = decode(file).tables.values()
    wanted = {0: 5, 1: 10, 2: 20, 7: 4}.get(clock, np.nan)
    assert np.array_equal(columns["waveform/dt"], [wanted], equal_nan=True)
    assert columns["waveform/values"][0].tolist() == [1, 2, 3]


def test_strange_units_on_the_desktop(file):
    """Devices whose names have no number, or that are no devices (format 5.6)."""
    unit = {"Class Name": "ORDT5725Model", "enabledMask": 1}
    usb = [
        {"DT5725 x": unit, "DT5725": unit},
        7,
        {"DT5725 2": unit | {"enabledMask": 2.0}},
    ]
    decoder = orca_digitizers.ORDT5725Decoder()
    header = OrcaHeader()
    header.update(writer.header(objects={"USB": usb}))
    decoder.set_header(header)
    assert decoder.get_key_lists() == [[201]]


def test_channels_of_a_v1730_are_16(file):
    """Those above 7 have their mask in another word (format 5.5)."""
    event = writer.CaenEvent({c: [c] * 4 for c in (0, 7, 8, 15)})
    decoded = check(file, file_of(writer.caen("ORCV1730WaveformDecoder", [event])))
    assert [int(c) for c in decoded.tables["ORCV1730Waveform"]["channel"]] == [
        *(0, 7, 8, 15)
    ]


@each_caen
def test_crates_of_caen_cards(name, file):
    """Most of their writers lose the lowest bit (format 5.5)."""
    event = writer.CaenEvent({0: [1] * 4})
    packet = writer.caen(name, [event], crate=13, card=4)
    (columns,) = check(file, file_of(packet)).tables.values()
    assert columns["crate"] == [13 if name == "ORCV1721WaveformDecoder" else 12]


@each_caen
def test_events_without_channels_are_stepped_over(name, file):
    events = [
        writer.CaenEvent({}, size=7),
        writer.CaenEvent({1: [1] * 4}),
        writer.CaenEvent({}),
        writer.CaenEvent({0: [2] * 4}),
    ]
    # the first one has words of its own that belong to no channel
    packet = writer.caen(name, events)
    words = np.frombuffer(packet, "<u4")
    words = np.r_[words[:6], 5, 6, 7, words[6:]].astype("<u4")
    words[0] += 3
    (columns,) = check(file, file_of(words.tobytes())).tables.values()
    assert [int(c) for c in columns["channel"]] == [1, 0]


# --- lengths of traces --------------------------------------------------------------


@each_decoder
def test_the_first_trace_tells_the_length(name, file):
    """Traces of others go to a table of their own (format 7.15)."""
    packets = [*events_of(name, n=48), *events_of(name, n=96), *events_of(name, n=48)]
    decoded = check(file, file_of(*packets))
    assert any("96" in note or "100" in note for note in decoded.report.notes)


@pytest.mark.parametrize("by_lgdo", [False, True])
def test_cards_with_different_lengths(by_lgdo, file):
    """In the end each channel has its buffer: none is written for every event."""
    name = "ORCV1730WaveformDecoder"
    packets = [
        writer.caen(name, [writer.CaenEvent({0: [card] * n}, i)], card=card)
        for i in range(60)
        for card, n in ((2, 8), (3, 12), (4, 16))
    ]
    decoded = check(file, file_of(*packets), by_lgdo=by_lgdo)
    rows = {k: len(t["packet_id"]) for k, t in decoded.tables.items()}
    table = "ORCV1730Waveform"
    assert rows == {table: 60, f"{table}_12": 60, f"{table}_16": 60}
    assert decoded.n_chunks < 6


def test_more_lengths_than_there_can_be_tables(file):
    """Some events count as irregular; all others are written, also behind them."""
    packets = [
        writer.sis3320([writer.SIS3320Event([1] * n)], crate=2, card=4)
        for n in (*range(1, 100), 5)
    ]
    file.write_bytes(file_of(*packets))
    decoded = decode(file)
    assert n_rows(decoded.tables) == 66
    assert [*decoded.report.irregular.values()] == [34]
    assert decoded.report.bytes["skipped"] == 0
    assert decoded.report.exit_status == 3
    assert [n for n in decoded.report.notes if "more than 64 lengths" in n]


@pytest.mark.parametrize("first", [True, False])
def test_sis3320_events_without_samples(first, file):
    """They have the sums, and zeros as long as the first (format 5.4 and 7.15)."""
    event, empty = writer.SIS3320Event([1, 2, 3]), writer.SIS3320Event()
    events = [empty, event, empty] if first else [event, empty, event]
    packets = [writer.sis3320([event], crate=2, card=4) for event in events]
    decoded = check(file, file_of(*packets, *packets))
    assert n_rows(decoded.tables) == 6
    assert decoded.report.clean


# --- optional columns ---------------------------------------------------------------


@pytest.mark.parametrize("buffer_size", [2, 8192])
def test_optional_columns_of_a_sis3302(buffer_size, file, monkeypatch):
    """Flags and the trace of the energy filter, of any length (format 4.5)."""
    extras = ORSIS3302DecoderForEnergy.optional
    monkeypatch.setattr(ORSIS3302DecoderForEnergy, "extras", extras)
    packets = [
        writer.sis3302(
            range(20),
            crate=2,
            card=4,
            channel=n % 2,
            energy_trace=RNG.integers(0, 2**32, 7 * n),
            flags=int(RNG.integers(2**32)),
            wrap=(20, 3) if n % 2 else None,
        )
        for n in range(20)
    ]
    data = file_of(*packets)
    file.write_bytes(data)
    found = decode(file, buffer_size=buffer_size).tables
    wanted = {k: t for k, t in reference.read(data).tables().items() if k in found}
    assert differences(found, wanted) == []
    assert n_rows(found) == 20


@pytest.mark.parametrize("extra", ORSIS3302DecoderForEnergy.optional)
def test_one_optional_column_of_a_sis3302(extra, file, monkeypatch):
    monkeypatch.setattr(ORSIS3302DecoderForEnergy, "extras", (extra,))
    packet = writer.sis3302(range(20), crate=2, card=4, energy_trace=range(9), flags=5)
    file.write_bytes(file_of(packet))
    (columns,) = decode(file).tables.values()
    wanted = {"flags": 5, "energy_waveform": [*range(9)]}
    assert columns[extra][0].tolist() == wanted[extra]
    assert not (wanted.keys() - {extra}) & columns.keys()


def test_optional_column_of_a_gretina4a(file, monkeypatch):
    decoder = orca_digitizers.ORGretina4AWaveformDecoder
    monkeypatch.setattr(decoder, "extras", decoder.optional)
    data = file_of(*events_of(decoder.__name__) * 20)
    file.write_bytes(data)
    found = decode(file).tables
    assert differences(found, reference.read(data).tables()) == []


@each_decoder
def test_no_optional_column_by_default(name, file):
    file.write_bytes(file_of(*events_of(name)))
    optional = getattr(orca_digitizers, name).optional
    for columns in decode(file).tables.values():
        assert not columns.keys() & set(optional)


# --- events as they should not be ---------------------------------------------------


def struck(packet: bytes, word: int, value: int) -> bytes:
    words = np.frombuffer(packet, "<u4").copy()
    words[word] = value
    return words.tobytes()


@each_decoder
def test_packets_cut_anywhere(name, file):
    """Nothing but the rows that are missing is lost, whatever the length."""
    packet = events_of(name)[0]
    n_words = len(packet) // 4
    sound = events_of(name, n=48)[0]
    file.write_bytes(file_of(sound))
    n_sound = n_rows(decode(file).tables)
    for n in [1, 2, 3, 4, 5, 6, 7, 9, 12, 15, 17, 26, n_words // 2, n_words - 1]:
        cut = struck(packet[: 4 * n], 0, n | packet_id(packet))
        data = file_of(cut, sound)
        file.write_bytes(data)
        decoded = decode(file)
        assert n_rows(decoded.tables) >= n_sound, n
        assert decoded.report.n_bytes == len(data), n
        assert sum(decoded.report.bytes.values()) == len(data), n


def packet_id(packet: bytes) -> int:
    return int.from_bytes(packet[:4], "little") & 0xFFFC0000


@each_decoder
def test_words_that_cannot_be(name, file):
    """Any of the first words may be anything: no crash, and the next packet is read."""
    packet = events_of(name)[0]
    sound = events_of(name, n=48)[0]
    file.write_bytes(file_of(sound))
    n_sound = n_rows(decode(file).tables)
    values = (0, 0xFFFFFFFF, 0xA0000004, 0xDADAFFFF)
    for word in (*range(1, 8), 11, 12):
        for value in values:
            data = file_of(struck(packet, word, value), sound)
            file.write_bytes(data)
            decoded = decode(file)
            assert n_rows(decoded.tables) >= n_sound, (word, value)
            assert sum(decoded.report.bytes.values()) == len(data), (word, value)


DAMAGES = {
    "separator": (
        writer.gretina4a(
            [
                writer.Gretina4AEvent([1, 2]),
                writer.Gretina4AEvent([3, 4], separator=0xAAAAAAAB),
            ],
            crate=2,
            card=4,
        ),
        1,
    ),
    "header of 13 words": (
        writer.gretina4a(
            [
                writer.Gretina4AEvent([1, 2]),
                writer.Gretina4AEvent([3, 4], header_words=13),
            ],
            crate=2,
            card=4,
        ),
        1,
    ),
    "first event too long": (
        writer.gretina4a([writer.Gretina4AEvent([1, 2], length=16)], crate=2, card=4),
        0,
    ),
    "check half-word": (
        writer.sis3320(
            [
                writer.SIS3320Event([1, 2]),
                writer.SIS3320Event([1, 2], check=0xDADB),
                writer.SIS3320Event([1, 2]),
            ],
            crate=2,
            card=4,
        ),
        1,
    ),
    "channel of a SIS3320": (
        writer.sis3320([writer.SIS3320Event([1, 2])], crate=2, card=4, channel=8),
        0,
    ),
    "words of an event": (
        writer.sis3305([writer.SIS3305Event([5] * 12)] * 2, event_words=9),
        0,
    ),
    "words of an event that are too few": (
        writer.sis3305([writer.SIS3305Event([5] * 12)] * 2, event_words=3),
        0,
    ),
    "no mark of an event": (
        writer.caen(
            "ORCV1730WaveformDecoder",
            [
                writer.CaenEvent({0: [1, 2]}),
                writer.CaenEvent({0: [1, 2]}, size=0x10000005),
            ],
        ),
        1,
    ),
    "size of an event": (
        writer.caen(
            "ORCV1730WaveformDecoder",
            [writer.CaenEvent({0: [1, 2]}), writer.CaenEvent({0: [1, 2]}, size=6)],
        ),
        1,
    ),
    "size of an event that is too small": (
        writer.caen(
            "ORCaen1724WaveformDecoder", [writer.CaenEvent({0: [1, 2]}, size=3)]
        ),
        0,
    ),
    "size of an event on the desktop": (
        writer.caen_usb(
            "ORDT5725Decoder", writer.CaenEvent({0: [1, 2]}, size=6), unit=3
        ),
        0,
    ),
}
"""Packets that are damaged, and the rows before the damage."""


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_events_are_kept_as_garbage(what, file):
    """With what is behind them in the packet; other packets are not concerned."""
    packet, n = DAMAGES[what]
    sound = writer.caen("ORCV1721WaveformDecoder", [writer.CaenEvent({0: [1] * 4})])
    file.write_bytes(file_of(sound, packet, sound))
    decoded = decode(file)
    assert n_rows(decoded.tables) == 2 + n
    assert decoded.report.exit_status == 3
    assert decoded.report.bytes["corrupt"] == len(packet)


IRREGULAR = {
    "ring": (writer.sis3305([writer.SIS3305Event([5] * 12)] * 2, wrap=True), 1, 0),
    "placeholder": (
        writer.sis3305([writer.SIS3305Event([5] * 48)], saving_mode=0, rate=1),
        1,
        0,
    ),
    "rate": (writer.sis3305([writer.SIS3305Event([5] * 12)], rate=3), 1, 0),
    "zero-length encoding": (
        writer.caen(
            "ORCaen1720WaveformDecoder",
            [
                writer.CaenEvent({0: [1, 2]}, zero_length=True),
                writer.CaenEvent({0: [1, 2]}),
            ],
        ),
        1,
        1,
    ),
    "zero-length encoding on the desktop": (
        writer.caen_usb(
            "ORDT5720Decoder", writer.CaenEvent({0: [1, 2]}, zero_length=True), unit=3
        ),
        1,
        0,
    ),
    "words that are not the same for each": (
        writer.caen(
            "ORCV1730WaveformDecoder",
            [
                writer.CaenEvent({0: [1, 2], 1: [1, 2], 2: [1, 2]}, mask=3),
                writer.CaenEvent({0: [1, 2]}),
            ],
        ),
        1,
        1,
    ),
}
"""Packets with events that cannot be used: how many there are, and rows of others."""


@pytest.mark.parametrize("what", IRREGULAR)
def test_events_that_cannot_be_used_are_counted(what, file):
    packet, n_bad, n = IRREGULAR[what]
    decoded = check(file, file_of(packet))
    assert n_rows(decoded.tables) == n
    assert decoded.report.irregular == {
        "event of a digitizer that cannot be used": n_bad
    }
    assert decoded.report.bytes["corrupt"] == 0


def test_zero_length_bit_of_others_means_nothing(file):
    """Only the x720 and x724 have it (format 5.5)."""
    event = writer.CaenEvent({0: [1] * 4}, zero_length=True)
    packets = [
        writer.caen("ORCV1730WaveformDecoder", [event]),
        writer.caen("ORCV1721WaveformDecoder", [event]),
        writer.caen_usb("ORDT5725Decoder", event, unit=3),
    ]
    decoded = check(file, file_of(*packets))
    assert n_rows(decoded.tables) == 3
    assert decoded.report.clean


CUT = {
    "gretina4a": writer.gretina4a(
        [writer.Gretina4AEvent([1, 2])], crate=2, card=4, rest=(0xAAAAAAAA,) * 9
    ),
    "sis3320": writer.sis3320(
        [writer.SIS3320Event([1, 2])], crate=2, card=4, is_split=True
    ),
    "sis3305": writer.sis3305([writer.SIS3305Event([5] * 12)], n_events=3, padding=3),
}


@pytest.mark.parametrize("what", CUT)
def test_part_of_an_event_at_the_end_is_no_damage(what, file):
    """Some readouts leave one (format 5.2 to 5.4): it is noted."""
    packet = CUT[what]
    if what == "sis3320":
        packet = struck(packet + bytes(16), 0, packet_id(packet) | len(packet) // 4 + 4)
    file.write_bytes(file_of(packet))
    decoded = decode(file)
    assert n_rows(decoded.tables) == 1
    assert decoded.report.exit_status == 0
    assert any("part of an event" in note for note in decoded.report.notes)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("caen", "ORCV1730WaveformDecoder"), ("sis3305", "ORSIS3305DecoderForWaveform")],
)
@pytest.mark.parametrize("where", [5, -1, 28])
def test_length_that_spills_into_the_id(kind, name, where, file):
    """Format 7.5: the packet is lost, and no other."""
    packets = [*writer.Run(kinds=kind, n_events=24, n_samples=96).packets()]
    n_words = (1 << 18) + 5000
    big = np.r_[writer.DATA_IDS[name] | n_words, RNG.integers(0, 1 << 30, n_words - 1)]
    wanted = wanted_tables(b"".join(packets))
    packets.insert(where, big.astype("<u4").tobytes())
    file.write_bytes(b"".join(packets))
    decoded = decode(file)
    assert decoded.report.n_damage == 1
    assert decoded.report.bytes["corrupt"] == 4 * n_words
    for table in (*wanted.values(), *decoded.tables.values()):
        table.pop("packet_id", None)
    assert differences(decoded.tables, wanted) == []


def test_sampling_period_of_another_clock(file, monkeypatch):
    """Format 4.6: the header does not tell it, the user can."""
    file.write_bytes(writer.make_stream(kinds=("sis3316", "caen"), n_channels=1))
    monkeypatch.setattr(orca_digitizers.ORSIS3316WaveformDecoder, "period", 4)
    monkeypatch.setattr(orca_digitizers.ORCaen1724WaveformDecoder, "period", 20)
    tables = decode(file).tables
    assert set(tables["ORSIS3316Waveform"]["waveform/dt"]) == {4}
    assert set(tables["ORCaen1724Waveform"]["waveform/dt"]) == {20}
    assert set(tables["ORCaen1720Waveform"]["waveform/dt"]) == {4}
