"""Decoders of the digitizers SIS3302, SIS3316 and Gretina4M.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
import pytest
from kit.decoding.fcio import differences
from kit.decoding.tables import columns_of
from kit.reference import orca as reference
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.orca.orca_base import get_ccc
from daq2lh5.orca.orca_digitizers import (
    DigitizerDecoder,
    ORGretina4MWaveformDecoder,
    ORSIS3302DecoderForEnergy,
    ORSIS3316WaveformDecoder,
)
from daq2lh5.orca.orca_header import OrcaHeader
from daq2lh5.raw_buffer import RawBuffer, RawBufferList

KINDS = {
    "sis3302": ORSIS3302DecoderForEnergy,
    "sis3316": ORSIS3316WaveformDecoder,
    "gretina4m": ORGretina4MWaveformDecoder,
}

each_kind = pytest.mark.parametrize("kind", KINDS)

NOT_IN_THE_TABLE = {"flags", "energy_waveform"}
"""Columns that format 4.5 calls extras."""


def header_of(*crates: writer.Plist, **options: Any) -> OrcaHeader:
    header = OrcaHeader()
    header.update(writer.header(crates=crates, **options))
    return header


def decoder_of(kind: str, *cards: writer.Plist, crate: int = 0) -> DigitizerDecoder:
    return KINDS[kind](header=header_of(writer.crate(crate, cards)))


def mask_card(kind: str, card: int, mask: int) -> writer.Plist:
    """Describe a card with the channels of a mask in use."""
    if kind == "sis3302":
        return writer.sis3302_card(card, internal_mask=mask)
    if kind == "sis3316":
        return writer.sis3316_card(card, enabled_mask=mask)
    return writer.gretina4m_card(card, enabled=[mask >> c & 1 for c in range(10)])


def channels(decoder: DigitizerDecoder) -> list[int]:
    return [key & 0xF for (key,) in decoder.get_key_lists()]


# --- what headers say ---------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("mask", [0, 1, 4, 0b10010110, 0xFF])
def test_bit_c_is_channel_c(kind, mask):
    decoder = decoder_of(kind, mask_card(kind, 4, mask))
    assert channels(decoder) == [c for c in range(8) if mask >> c & 1]


@pytest.mark.parametrize(("kind", "n"), [("sis3316", 16), ("gretina4m", 10)])
def test_last_channel_can_be_in_use(kind, n):
    assert channels(decoder_of(kind, mask_card(kind, 4, 1 << (n - 1)))) == [n - 1]


def test_channels_with_either_trigger_are_in_use():
    card = writer.sis3302_card(4, internal_mask=1, external_mask=6)
    assert channels(decoder_of("sis3302", card)) == [0, 1, 2]


@each_kind
def test_cards_of_all_crates_are_found(kind):
    """In whatever order, in crates with their own numbers; other cards are none."""
    others = [mask_card(other, 9, 0xFF) for other in KINDS if other != kind]
    header = header_of(
        writer.crate(3, [*others, mask_card(kind, 31, 2), mask_card(kind, 2, 1)]),
        writer.crate(0, [mask_card(kind, 5, 0x80)]),
        writer.crate(1, None),
    )
    decoder = KINDS[kind](header=header)
    wanted = [get_ccc(3, 31, 1), get_ccc(3, 2, 0), get_ccc(0, 5, 7)]
    assert decoder.get_key_lists() == [[key] for key in wanted]
    assert [[key] for key in wanted] == reference.key_lists(
        KINDS[kind].__name__, reference.Header(header)
    )


@each_kind
def test_without_cards_there_are_no_keys(kind):
    for header in (header_of(), OrcaHeader(), header_of(writer.crate(0, []))):
        decoder = KINDS[kind]()
        decoder.set_header(header)
        assert decoder.get_key_lists() == []
        assert decoder.get_decoded_values() == decoder.decoded_values_template


def test_traces_of_two_channels_have_one_length():
    card = writer.sis3302_card(4, sample_lengths=(10, 20, 30, 40))
    decoder = decoder_of("sis3302", card, crate=2)
    lengths = []
    for (key,) in decoder.get_key_lists():
        waveform = decoder.get_decoded_values(key)["waveform"]
        assert waveform["dt"] == 10
        lengths.append(waveform["wf_len"])
    assert lengths == [10, 10, 20, 20, 30, 30, 40, 40]


def test_traces_of_a_sis3316_have_one_length():
    card = writer.sis3316_card(5, samples=77, maw_lengths=(0, 3, 0xFFFF, 8))
    decoder = decoder_of("sis3316", card)
    for (key,) in decoder.get_key_lists():
        waveform = decoder.get_decoded_values(key)["waveform"]
        assert (waveform["wf_len"], waveform["dt"]) == (77, 8)
    words = [decoder.maw_words[key] for (key,) in decoder.get_key_lists()]
    assert words == [0] * 4 + [2] * 4 + [0xFFE] * 4 + [8] * 4


@pytest.mark.parametrize(("down_sample", "dt"), [*enumerate((10, 20, 40, 80, 160))])
def test_sampling_of_a_gretina4m(down_sample, dt):
    card = writer.gretina4m_card(8, down_sample=down_sample)
    waveform = decoder_of("gretina4m", card).get_decoded_values()["waveform"]
    assert (waveform["wf_len"], waveform["dt"]) == (2018, dt)


BARE = {
    "sis3302": {"internalTriggerEnabledMask": 1},
    "sis3316": {"enabledMask": 1},
    "gretina4m": {"Enabled": [True]},
}
"""No more than what channels are in use."""

ODD = {
    "sis3302": {"sampleLengths": [-1.0, float("nan")]},
    "sis3316": {"rawDataBufferLen": [1], "mawBufferLength": None},
    "gretina4m": {"Down Sample": 5},
}
"""Settings that cannot be."""


@each_kind
@pytest.mark.parametrize("more", [{}, ODD], ids=["missing", "odd"])
def test_settings_that_are_no_use_are_as_if_missing(kind, more):
    decoder = decoder_of(
        kind,
        writer.vme_card(KINDS[kind].card_class, 4, **BARE[kind], **more.get(kind, {})),
        writer.vme_card(KINDS[kind].card_class, 5),
    )
    assert decoder.get_key_lists() == [[get_ccc(0, 4, 0)]]
    waveform = decoder.get_decoded_values(get_ccc(0, 4, 0))["waveform"]
    assert waveform["wf_len"] == (2018 if kind == "gretina4m" else 0)
    assert waveform["dt"] == 8 or (kind != "sis3316" and math.isnan(waveform["dt"]))


@each_kind
def test_columns_are_those_of_the_specification(kind):
    """Names and types, and a buffer that can be made of them."""
    decoder = decoder_of(kind, mask_card(kind, 4, 3))
    schema = reference.SCHEMAS[KINDS[kind].__name__]
    wanted = {
        name.removesuffix("/values"): dtype.removesuffix("[]")
        for name, dtype in schema.items()
        if name not in NOT_IN_THE_TABLE | {"waveform/t0", "waveform/dt"}
    }
    for (key,) in decoder.get_key_lists():
        values = decoder.get_decoded_values(key)
        assert {name: value["dtype"] for name, value in values.items()} == wanted
        n_samples = values["waveform"]["wf_len"]
        assert decoder.make_lgdo(key, 3)["waveform"].values.nda.shape == (3, n_samples)


@each_kind
def test_each_channel_has_columns_of_its_own(kind):
    decoder = decoder_of(kind, mask_card(kind, 4, 3))
    (first,), (second,) = decoder.get_key_lists()
    before = decoder.get_decoded_values(second)["waveform"]["wf_len"]
    decoder.assert_nsamples(12, first)
    assert decoder.get_decoded_values(first)["waveform"]["wf_len"] == 12
    assert decoder.get_decoded_values(second)["waveform"]["wf_len"] == before
    assert decoder.get_decoded_values() == decoder.get_decoded_values(first)
    assert decoder.decoded_values_template["waveform"]["wf_len"] != 12
    with pytest.raises(KeyError):
        decoder.get_decoded_values(get_ccc(1, 1, 1))


@each_kind
def test_a_new_header_replaces_the_old_one(kind):
    decoder = decoder_of(kind, mask_card(kind, 4, 3))
    decoder.set_header(header_of(writer.crate(0, [mask_card(kind, 4, 4)])))
    assert channels(decoder) == [2]
    assert decoder.get_max_rows_in_packet() == 1
    assert decoder.skipped_channels == {}


@each_kind
def test_columns_can_be_changed_before_there_is_a_header(kind):
    decoder = KINDS[kind]()
    decoder.decoded_values_template["waveform"]["compression"] = {"values": "gzip"}
    decoder.set_header(header_of(writer.crate(0, [mask_card(kind, 4, 1)])))
    waveform = decoder.get_decoded_values(get_ccc(0, 4, 0))["waveform"]
    assert waveform["compression"] == {"values": "gzip"}


# --- conversions --------------------------------------------------------------------


def tables_of(data: bytes, kind: str) -> dict[str, dict[str, list[Any]]]:
    """Read what the tables of a kind of card should be."""
    name = KINDS[kind].__name__.removesuffix("Decoder")
    return {
        table: {c: rows for c, rows in columns.items() if c not in NOT_IN_THE_TABLE}
        for table, columns in reference.read_tables(data).items()
        if table.startswith(name)
    }


def converted(path: Any, data: bytes, kind: str, **options: Any) -> Any:
    """Convert a file: the tables of a kind of card, and the report."""
    raw, out = path / "run.orca", path / "run.lh5"
    raw.write_bytes(data)
    report = daq2lh5.build_raw(str(raw), out_spec=str(out), overwrite=True, **options)
    name = KINDS[kind].__name__.removesuffix("Decoder")
    tables = {t: c for t, c in read_lh5_tables(out).items() if t.startswith(name)}
    return tables, report


def read_lh5_tables(path: Any) -> dict[str, dict[str, Any]]:
    """Read the tables of a file; the header is text, not one of them."""
    with h5py.File(path) as file:
        groups = {n: g for n, g in file.items() if isinstance(g, h5py.Group)}
        return {name: columns_of(group) for name, group in groups.items()}


def file_of(kind: str, card: writer.Plist, *packets: bytes, crate: int = 0) -> bytes:
    """Make a file with the events of one card."""
    header = writer.header(crates=[writer.crate(crate, [card])])
    return b"".join((writer.header_packet(header), *packets))


@each_kind
@pytest.mark.parametrize("n_channels", [1, 6, 8])
def test_conversion_of_a_run(tmp_path, kind, n_channels):
    """The writer's run: rings, several events a packet, moving averages."""
    data = writer.make_stream(kinds=kind, n_events=50, n_channels=n_channels)
    wanted = tables_of(data, kind)
    assert len(wanted) == n_channels
    found, report = converted(tmp_path, data, kind)
    assert not differences(found, wanted)
    assert report.clean


@each_kind
@pytest.mark.parametrize("buffer_size", [1, 3])
def test_conversion_with_small_buffers(tmp_path, kind, buffer_size):
    """A packet may have more events than a buffer has rows."""
    data = writer.make_stream(kinds=kind, n_events=30)
    found, report = converted(tmp_path, data, kind, buffer_size=buffer_size)
    assert not differences(found, tables_of(data, kind))
    assert report.clean


@each_kind
def test_conversion_of_two_subruns(tmp_path, kind):
    """Headers in mid-file, and other packets among those of the card."""
    kinds = [kind, "flashcam", "unknown"]
    data = writer.make_stream(kinds=kinds, n_events=20, subruns=1)
    found, _ = converted(tmp_path, data, kind)
    assert not differences(found, tables_of(data, kind))


@each_kind
def test_conversion_by_the_packet(tmp_path, kind):
    """`decode_packet` gives the same rows as the whole file."""
    data = writer.make_stream(kinds=kind, n_events=20, n_channels=3)
    found, _ = converted(tmp_path, data, kind)
    framing = reference.read_packets(data)
    decoder = KINDS[kind]()
    header = OrcaHeader()
    header.update(framing.headers[0].plist)
    decoder.set_header(header)
    rbl = RawBufferList()
    for (key,) in decoder.get_key_lists():
        rbl.append(RawBuffer(lgdo=decoder.make_lgdo(key, 100), key_list=[key]))
    for packet in framing.packets:
        if packet.decoder == KINDS[kind].__name__:
            words = np.frombuffer(packet.data, "<u4")
            assert not decoder.decode_packet(words, packet.index, rbl)
    assert len(found) == len(rbl)
    for rb in rbl:
        (key,) = rb.key_list
        name = KINDS[kind].__name__.removesuffix("Decoder")
        columns = found[f"{name}_{key}"]
        assert rb.loc == len(columns["packet_id"])
        for column in ("packet_id", "timestamp", "energy", "channel"):
            assert np.array_equal(rb.lgdo[column].nda[: rb.loc], columns[column])
        values = rb.lgdo["waveform"].values.nda[: rb.loc]
        assert np.array_equal(values, columns["waveform/values"])


@pytest.mark.parametrize("channel", [0, 3])
@pytest.mark.parametrize("check", [0xE, 0xA])
@pytest.mark.parametrize("maw", [0, 6])
def test_sis3316_events_of_all_formats(tmp_path, channel, check, maw):
    """All format bits in each packet, behind one another (format 4.6)."""
    rng = np.random.default_rng(0)
    events = [
        writer.SIS3316Event(
            rng.integers(0, 2**16, 20),
            timestamp=int(rng.integers(2**48)),
            format_bits=bits,
            channel_id=channel,
            check=check,
            averaged=rng.integers(0, 2**32, bits % 3) if check == 0xA else (),
            maw_test=bool(maw),
            maw_data=range(maw),
        )
        for bits in range(16)
    ]
    card = writer.sis3316_card(5, samples=20, maw_lengths=(maw,) * 4)
    packets = [
        writer.sis3316(events, channel=channel),
        writer.sis3316(events[:1], channel=channel),
        writer.sis3316(events[::-1], channel=channel),
    ]
    data = file_of("sis3316", card, *packets)
    wanted = tables_of(data, "sis3316")
    assert [len(columns["packet_id"]) for columns in wanted.values()] == [33]
    found, report = converted(tmp_path, data, "sis3316")
    assert not differences(found, wanted)
    assert report.clean


@pytest.mark.parametrize("start", [0, 1, 18, 19])
def test_sis3302_ring_begins_behind_its_start(tmp_path, start):
    card = writer.sis3302_card(4, sample_lengths=(20,) * 4)
    packet = writer.sis3302(range(20), wrap=(20, start), energy_trace=(1, 2, 3))
    data = file_of("sis3302", card, packet)
    found, report = converted(tmp_path, data, "sis3302")
    (columns,) = found.values()
    assert columns["waveform/values"][0].tolist() == [
        (start + 1 + i) % 20 for i in range(20)
    ]
    assert columns["timestamp"].tolist() == [0x1234_89AB_CDEF]
    assert not differences(found, tables_of(data, "sis3302"))
    assert report.clean


@pytest.mark.parametrize("n", [0, 2, 18])
def test_sis3302_traces_that_are_short_are_filled_up(tmp_path, n):
    card = writer.sis3302_card(4, sample_lengths=(20,) * 4)
    data = file_of("sis3302", card, writer.sis3302(range(1, 21)[:n], channel=5))
    found, _ = converted(tmp_path, data, "sis3302")
    (columns,) = found.values()
    assert columns["waveform/values"][0].tolist() == [*range(1, 21)[:n]] + [0] * (
        20 - n
    )
    assert not differences(found, tables_of(data, "sis3302"))


@pytest.mark.parametrize("kind", ["sis3302", "sis3316"])
def test_each_trace_goes_to_the_table_of_its_length(tmp_path, kind):
    """A longer one does not change where later ones go."""
    lengths = (20, 30, 20, 10, 40, 30, 20, 40, 30, 20)
    if kind == "sis3302":
        card = writer.sis3302_card(4, internal_mask=1, sample_lengths=(20,) * 4)
        packets = [writer.sis3302(range(n), card=4) for n in lengths]
    else:
        card = writer.sis3316_card(4, enabled_mask=1, samples=20)
        packets = [
            writer.sis3316([writer.SIS3316Event(range(n))], card=4) for n in lengths
        ]
    found, report = converted(tmp_path, file_of(kind, card, *packets), kind)
    rows = {
        name.removeprefix(KINDS[kind].__name__.removesuffix("Decoder")): [
            lengths[i - 1] for i in columns["packet_id"]
        ]
        for name, columns in found.items()
    }
    assert rows == {"": [20, 20, 10, 20, 20], "_30": [30] * 3, "_40": [40] * 2}
    assert report.clean


def test_sis3302_energy_trace_may_be_half_as_long_as_said(tmp_path):
    card = writer.sis3302_card(4, sample_lengths=(20,) * 4)
    packet = writer.sis3302(range(20), energy_trace=(1, 2, 3), n_energy_words=6)
    data = file_of("sis3302", card, packet)
    found, report = converted(tmp_path, data, "sis3302")
    assert not differences(found, tables_of(data, "sis3302"))
    assert report.clean


@pytest.mark.parametrize("energy", [0, 1, -1, 2**24 - 1, -(2**24), 0xFFFF, -0x10000])
def test_gretina4m_energy_has_no_sign(tmp_path, energy):
    """25 bits, of which the size counts (format 5.1)."""
    event = writer.Gretina4MEvent(range(-1009, 1009), channel=9, energy=energy)
    packet = writer.gretina4m([event], fifo_state=3)
    data = file_of("gretina4m", writer.gretina4m_card(8), packet, crate=1)
    found, report = converted(tmp_path, data, "gretina4m")
    (columns,) = found.values()
    assert columns["energy"].tolist() == [abs(energy)]
    assert columns["waveform/values"][0].tolist() == [*range(-1009, 1009)]
    assert not differences(found, tables_of(data, "gretina4m"))
    assert report.clean


def test_gretina4m_events_in_one_packet(tmp_path):
    """Of several channels; one without its mark costs no other."""
    events = [
        writer.Gretina4MEvent([c] * 2018, channel=c % 10, timestamp=c)
        for c in range(12)
    ]
    events[4].separator = 0xAAAAAAAB
    card = writer.gretina4m_card(8, down_sample=2)
    data = file_of("gretina4m", card, writer.gretina4m(events), crate=1)
    wanted = tables_of(data, "gretina4m")
    assert sum(len(columns["packet_id"]) for columns in wanted.values()) == 11
    found, _ = converted(tmp_path, data, "gretina4m")
    assert not differences(found, wanted)


@each_kind
def test_events_of_channels_that_are_not_in_use_have_tables_too(tmp_path, kind):
    packets = {
        "sis3302": lambda c: writer.sis3302(range(20), card=4, channel=c),
        "sis3316": lambda c: writer.sis3316(
            [writer.SIS3316Event(range(20))] * 2, card=4, channel=c
        ),
        "gretina4m": lambda c: writer.gretina4m(
            [writer.Gretina4MEvent(channel=c)], crate=0, card=4
        ),
    }[kind]
    card = mask_card(kind, 4, 0b10)
    data = file_of(kind, card, *(packets(c) for c in (0, 1, 2, 1)))
    found, _ = converted(tmp_path, data, kind)
    assert not differences(found, tables_of(data, kind))
    ids = [set(columns["packet_id"].tolist()) for columns in found.values()]
    assert sorted(ids, key=min) == [{1}, {2, 4}, {3}]
