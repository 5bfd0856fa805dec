"""Status records of FlashCam listeners of the first generation.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.decoding.fcio import differences
from kit.decoding.tables import columns_of, rows_of
from kit.reference import orca as reference
from kit.writers import fcio
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.orca.orca_flashcam import ORFlashCamListenerStatusDecoder
from daq2lh5.raw_buffer import RawBuffer

NAME = "ORFlashCamListenerStatusDecoder"
TABLE = "ORFlashCamListenerStatus"

U32 = st.integers(0, 2**32 - 1)
I32 = st.integers(-(2**31), 2**31 - 1)
IDS = st.sampled_from([0, 0x1000, 0x2000, 0x2FFF, 0x4001, 0x4000])


def words(packet: bytes) -> np.ndarray:
    return np.frombuffer(packet, "<u4")


def read(packet: np.ndarray) -> dict[str, Any]:
    """Decode one packet into the columns of its row."""
    decoder = ORFlashCamListenerStatusDecoder()
    rb = RawBuffer(lgdo=decoder.make_lgdo(size=1))
    decoder.decode_packet(packet, 1, [rb])
    return {name: rows[0] for name, rows in rows_of(rb).items()}


def decoded(packets: list[bytes]) -> dict[str, list[Any]]:
    """Decode packets, numbered from 1, as those of a file."""
    decoder = ORFlashCamListenerStatusDecoder()
    rb = RawBuffer(lgdo=decoder.make_lgdo(size=len(packets)))
    for packet_id, packet in enumerate(packets, 1):
        full = decoder.decode_packet(words(packet), packet_id, [rb])
        assert full == (packet_id == len(packets))
    return rows_of(rb)


def wanted(packets: list[bytes]) -> dict[str, list[Any]]:
    file = writer.header_packet(writer.header()) + b"".join(packets)
    return reference.read(file).columns(NAME)


def card(i: int = 0, reqid: int = 0x2000) -> fcio.StatusCard:
    """Describe a card all of whose values differ, and from those of others."""
    n = 100 * i
    return fcio.StatusCard(
        reqid=reqid + i,
        status=n + 1,
        eventno=n + 2,
        pps=n + 3,
        ticks=n + 4,
        maxticks=n + 5,
        totalerrors=n + 6,
        enverrors=n + 7,
        ctierrors=n + 8,
        linkerrors=n + 9,
        othererrors=range(n + 10, n + 15),
        environment=range(-n - 40, -n - 24),
        ctilinks=range(n + 50, n + 54),
        linkstates=range(i),
    )


@st.composite
def cards(draw: Any) -> fcio.StatusCard:
    return fcio.StatusCard(
        **{name: draw(U32) for name in ("status", "eventno", "pps", "ticks")},
        **{name: draw(U32) for name in ("maxticks", "totalerrors", "enverrors")},
        **{name: draw(U32) for name in ("ctierrors", "linkerrors", "numenv")},
        **{name: draw(U32) for name in ("numctilinks", "numlinks")},
        reqid=draw(IDS),
        othererrors=draw(st.lists(U32, max_size=5)),
        environment=draw(st.lists(I32, max_size=16)),
        ctilinks=draw(st.lists(U32, max_size=4)),
    )


@st.composite
def status_packets(draw: Any) -> bytes:
    of_cards = draw(st.lists(cards(), min_size=1, max_size=6))
    n = len(of_cards)
    times = st.tuples(U32, U32)
    return writer.flashcam_status(
        of_cards,
        readout_id=draw(st.integers(0, 0xFFFF)),
        fcid=draw(st.integers(0, 0xFFFF)),
        status=draw(U32),
        time=draw(times),
        cpu_time=draw(times),
        start_time=draw(times),
        card_size=draw(U32),
        link_states=draw(st.lists(U32, max_size=n)),
        stride=draw(st.sampled_from([39, 39, 39 + n])),
    )


@given(st.lists(status_packets(), min_size=1, max_size=4))
def test_rows_are_those_of_the_reference(packets):
    """Whatever words and however many cards; both forms of the record."""
    assert not differences({TABLE: decoded(packets)}, {TABLE: wanted(packets)})


def test_what_a_row_says():
    """Numbers as in format 4.3.2, one card after the other."""
    packet = writer.flashcam_status(
        [card(0), card(1)],
        readout_id=3,
        fcid=2,
        status=0,
        time=(5, 250_000),
        cpu_time=(1_700_000_001, 500_000),
        start_time=(0, 125_000),
        link_states=(77, 78),
    )
    row = {name: values[0].tolist() for name, values in decoded([packet]).items()}
    times = row.pop("statustime"), row.pop("cputime"), row.pop("startoffset")
    assert times == (5.25, 1_700_000_001.5, 0.125)
    assert row == {
        "packet_id": 1,
        "readout_id": 3,
        "fcid": 2,
        "status": 0,
        "n_cards": 2,
        "card_data_size": 1180,
        "card_id": [0x2000, 0x2001],
        "card_status": [1, 101],
        "card_eventnumber": [2, 102],
        "card_pps_count": [3, 103],
        "card_clock_tick_count": [4, 104],
        "card_max_clock_ticks": [5, 105],
        "card_n_env_vals": [16, 16],
        "card_n_cti_links": [4, 4],
        "card_n_link_states": [0, 1],
        "card_n_errors_tot": [6, 106],
        "card_n_env_errors": [7, 107],
        "card_n_cti_errors": [8, 108],
        "card_n_link_errors": [9, 109],
        "card_n_other_errors": [10, 11, 12, 13, 14, 110, 111, 112, 113, 114],
        "card_cti_links": [50, 51, 52, 53, 150, 151, 152, 153],
        "card_link_states": [77, 78],
        "card_temps": [*range(-40, -35), *range(-140, -135)],
        "card_voltages": [*range(-35, -29), *range(-135, -129)],
        "card_main_current": [-29, -129],
        "card_humidity": [-28, -128],
        "card_adc_temps": [-27, -26, -127, -126],
    }


@pytest.mark.parametrize("stride", [39, 41])
def test_cards_behind_links_are_found(stride):
    """The links of a card may or may not be between it and the next one."""
    links = (5, 6) if stride == 41 else ()
    packet = writer.flashcam_status(
        [card(0), card(1)], stride=stride, link_states=links
    )
    assert decoded([packet])["card_id"][0].tolist() == [0x2000, 0x2001]
    assert not differences({TABLE: decoded([packet])}, {TABLE: wanted([packet])})


def test_as_many_cards_as_there_can_be():
    packet = writer.flashcam_status([card(i) for i in range(256)])
    assert not differences({TABLE: decoded([packet])}, {TABLE: wanted([packet])})


def test_form_with_the_length_in_word_1():
    packet = writer.flashcam_status([card(0)])
    longer = writer.extended_packet(int.from_bytes(packet[:4], "little"), packet[4:])
    for name, value in read(words(packet)).items():
        assert np.array_equal(read(words(longer))[name], value)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (writer.flashcam_status([card()])[: 4 * 14], "of 14 words"),
        (
            writer.flashcam_status([card()])[: 4 * 53],
            "of 53 words, expected at least 54 for 1 cards",
        ),
        (writer.flashcam_status([card()], n_cards=0), "with 0 cards"),
        (writer.flashcam_status([card()], n_cards=257), "with 257 cards"),
        (writer.flashcam_status([card()], n_cards=2**32 - 1), "cards"),
        (
            writer.flashcam_status([card(), card(1)], n_cards=3),
            "expected at least 132 for 3 cards",
        ),
        (b"", "of 0 words"),
    ],
)
def test_a_record_that_cannot_be_is_refused(packet, reason):
    with pytest.raises(ValueError, match=reason):
        read(words(packet))


def test_links_that_are_cut_off_are_those_that_are_left():
    packet = writer.flashcam_status([card()], link_states=(7,))
    assert read(words(packet))["card_link_states"] == [7]
    cut = read(words(packet)[:-1])
    assert len(cut["card_link_states"]) == 0


def test_conversion_of_a_run(tmp_path):
    """One status of each listener; one that cannot be costs no other."""
    raw = tmp_path / "run.orca"
    out = tmp_path / "run.lh5"
    packets = [
        *writer.Run(n_events=2, listeners=3).packets(),
        writer.flashcam_status([card()], n_cards=9),
        writer.flashcam_status([card()], fcid=7),
    ]
    data = b"".join(packets)
    raw.write_bytes(data)
    report = daq2lh5.build_raw(str(raw), out_spec=str(out))
    columns = reference.read(data).columns(NAME)
    assert [fcid.item() for fcid in columns["fcid"]] == [1, 2, 3, 7]
    with h5py.File(out) as file:
        found = columns_of(file[TABLE])
    assert not differences({TABLE: found}, {TABLE: columns})
    assert report.bytes["corrupt"] == len(packets[-2])
