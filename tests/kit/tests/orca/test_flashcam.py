"""The reference reader of ORCA files: FlashCam, first generation.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kit.tests.orca_readings import only, read
from kit.writers import fcio
from kit.writers import orca as writer

if TYPE_CHECKING:
    from kit.reference import orca as reference

# --- FlashCam, first generation ---------------------------------------------------

CONFIG = "ORFlashCamListenerConfigDecoder"
STATUS = "ORFlashCamListenerStatusDecoder"
OLD_WAVEFORM = "ORFlashCamADCWaveformDecoder"
NEW_WAVEFORM = "ORFlashCamWaveformDecoder"

FLASHCAM: dict[str, Any] = {
    "crates": [
        writer.crate(2, [writer.flashcam_adc(4, 0x3A0, std=True)]),
        writer.crate(0, [writer.flashcam_adc(1, 0x120)]),
    ],
    "aux_hw": [writer.listener(1, samples=8), writer.listener(2, samples=6)],
    "readouts": [writer.readout(1, [(0, 1)]), writer.readout(2, [(2, 4)])],
}
PLACE: dict[str, Any] = {"crate": 0, "slot": 1, "address": 0x120}
MAP = [0x1200000 + i for i in range(6)]


def read_flashcam(*packets: bytes) -> reference.Reading:
    return read(*packets, **FLASHCAM)


def test_listener_config():
    """Format 4.3.1, the newer form."""
    boards = [(161, 0xAABBCCDD11223344), (2, 5), (3, 6), (4, 7), (5, 2**64 - 1)]
    row = only(
        read(
            writer.flashcam_config(
                (0x1200003, 0x4100017),
                readout_id=3,
                fcid=2,
                adccards=5,
                boards=boards,
                streamid=7,
                gps=-1,
            )
        ),
        CONFIG,
    )
    assert row["packet_id"] == 1
    assert row["packet_len"] == 13 + 2 + 2 + 10
    assert (row["readout_id"], row["fcid"], row["streamid"]) == (3, 2, 7)
    assert row["gps"] == -1
    assert (row["ch_board_id"], row["ch_inputnum"]) == ([0x120, 0x410], [3, 0x17])
    assert row["board_rev"] == [revision for revision, _ in boards]
    assert row["board_uid"] == [unique_id for _, unique_id in boards]


def test_older_listener_config():
    """Format 4.3.1: the map is always as long."""
    row = only(read(writer.flashcam_config(MAP, adccards=2)), CONFIG)
    assert row["packet_len"] == 2413
    assert (row["board_rev"], row["board_uid"]) == ([0, 0], [0, 0])
    assert row["ch_inputnum"] == [*range(6)]


@pytest.mark.parametrize("n", [-1, 2401])
def test_bad_listener_config(n):
    reading = read(writer.flashcam_config(nadcs=n))
    assert reading.dropped == {(CONFIG, "number of traces"): 1}


@pytest.mark.parametrize("stride", [39, 41])
def test_listener_status(stride):
    """Format 4.3.2."""
    cards = [
        fcio.StatusCard(
            *(reqid, 1, 7 + i, 8, 9, 10),
            totalerrors=100 + i,
            enverrors=101,
            ctierrors=102,
            linkerrors=103,
            othererrors=(1, 2, 3, 4, 5 + i),
            environment=[-i, *range(1, 16)],
            ctilinks=(11, 12, 13, 14 + i),
            numlinks=2,
        )
        for i, reqid in enumerate((0, 0x2000))
    ]
    packet = writer.flashcam_status(
        cards,
        fcid=2,
        status=0,
        time=(5, 250_000),
        cpu_time=(1_700_000_001, 500_000),
        start_time=(0, 125_000),
        link_states=(77, 78),
        stride=stride,
    )
    assert len(packet) == 4 * (15 + 2 * (39 + 2))
    row = only(read(packet), STATUS)
    assert (row["fcid"], row["status"], row["n_cards"]) == (2, 0, 2)
    assert row["card_data_size"] == 1180
    assert (row["statustime"], row["startoffset"]) == (5.25, 0.125)
    assert row["cputime"] == 1_700_000_001.5
    assert row["card_id"] == [0, 0x2000]
    assert row["card_eventnumber"] == [7, 8]
    assert row["card_max_clock_ticks"] == [10, 10]
    assert row["card_n_env_vals"] == [16, 16]
    assert row["card_n_cti_links"] == [4, 4]
    assert row["card_n_link_states"] == [2, 2]
    assert row["card_n_errors_tot"] == [100, 101]
    assert row["card_n_link_errors"] == [103, 103]
    assert row["card_n_other_errors"] == [1, 2, 3, 4, 5, 1, 2, 3, 4, 6]
    assert row["card_temps"] == [0, 1, 2, 3, 4, -1, 1, 2, 3, 4]
    assert row["card_voltages"] == [*range(5, 11)] * 2
    assert row["card_main_current"] == [11, 11]
    assert row["card_humidity"] == [12, 12]
    assert row["card_adc_temps"] == [13, 14] * 2
    assert row["card_cti_links"] == [11, 12, 13, 14, 11, 12, 13, 15]
    assert row["card_link_states"] == [77, 78]


def test_waveform():
    """Format 4.3.3."""
    packet = writer.flashcam_waveform(
        range(1, 9),
        **PLACE,
        fc_input=3,
        channel=3,
        event_type=11,
        offsets=(1_700_000_000, 500_000, 1_700_000_009, -1, 1, 2, 3),
        dead_region=(1, 100, 2, 200, 1000),
        timestamp=(7, 5, 62_500_000, 249_999_999),
        baseline=15_001,
        energy=65_535,
    )
    row = only(
        read_flashcam(writer.flashcam_config(MAP, nsamples=8), packet), OLD_WAVEFORM
    )
    assert row == {
        "packet_id": 2,
        "event_type": 11,
        "fcid": 1,
        "crate": 0,
        "slot": 1,
        "board_id": 0x120,
        "fc_input": 3,
        "channel": 3,
        "numtraces": 1,
        "mu_offset_sec": 1_700_000_000,
        "mu_offset_usec": 500_000,
        "to_master_sec": 1_700_000_009,
        "delta_mu_usec": -1,
        "abs_delta_mu_usec": 1,
        "to_start_sec": 2,
        "to_start_usec": 3,
        "dr_start_pps": 1,
        "dr_start_ticks": 100,
        "dr_stop_pps": 2,
        "dr_stop_ticks": 200,
        "dr_maxticks": 1000,
        "eventnumber": 7,
        "ts_pps": 5,
        "ts_ticks": 62_500_000,
        "ts_maxticks": 249_999_999,
        "baseline": 15_001,
        "daqenergy": 65_535,
        "dr_ch_idx": 0,
        "dr_ch_len": 6,
        "runtime": 5.25,
        "timestamp": 1_700_000_005.75,
        "deadtime": 1.1,
        "lifetime": 0,
        "deadinterval_nsec": 0,
        "waveform/values": [*range(1, 9)],
        "waveform/t0": 0,
        "waveform/dt": 16,
    }


def test_waveform_of_12_bits():
    """Format 4.3.3 and B13 and B18: dt, and time stamps with gps."""
    words = [0x3A00000 + i for i in range(24)]
    packet = writer.flashcam_waveform(
        range(6),
        crate=2,
        slot=4,
        address=0x3A0,
        high_address=True,
        fc_input=23,
        channel=23,
        wide_input=True,
        offsets=(10, 0, 2000, 0, 0, 0, 0),
        timestamp=(0, 10, 125_000_000, 249_999_999),
        data_id=writer.DATA_IDS[NEW_WAVEFORM],
    )
    config = writer.flashcam_config(words, fcid=2, nsamples=6, adcbits=12, gps=1)
    reading = read_flashcam(config, packet)
    row = only(reading, NEW_WAVEFORM)
    assert (row["fc_input"], row["channel"], row["board_id"]) == (23, 23, 0x3A0)
    assert (row["fcid"], row["dr_ch_len"]) == (2, 24)
    assert (row["timestamp"], row["waveform/dt"]) == (2010.5, 4)
    assert reading.keys(NEW_WAVEFORM) == [2_000_000 + 0x3A0 * 100 + 23]
    assert list(reading.tables())[1:] == ["ORFlashCamWaveform_1"]


def test_first_header_generation():
    """Format 4.3.3: two time offsets less."""
    packet = writer.flashcam_waveform(
        range(8), **PLACE, offsets=(1, 2, 3, 4, 5), timestamp=(7, 8, 9, 99)
    )
    row = only(
        read_flashcam(writer.flashcam_config(MAP, nsamples=8), packet), OLD_WAVEFORM
    )
    assert (row["mu_offset_sec"], row["abs_delta_mu_usec"]) == (1, 5)
    assert (row["to_start_sec"], row["to_start_usec"]) == (0, 0)
    assert (row["dr_start_ticks"], row["eventnumber"], row["ts_maxticks"]) == (
        1000,
        7,
        99,
    )
    assert row["waveform/values"] == [*range(8)]


def test_word_1_of_march_2023():
    """Format 4.3.3: the header words are missing in it."""
    packet = writer.flashcam_waveform(range(8), **PLACE, word1=11)
    row = only(
        read_flashcam(writer.flashcam_config(MAP, nsamples=8), packet), OLD_WAVEFORM
    )
    assert row["event_type"] == 11
    assert row["waveform/values"] == [*range(8)]


def test_waveform_that_is_not_included():
    """Format 4.3.3: the words after the header are stale."""
    packet = writer.flashcam_waveform(range(8), **PLACE, n_samples=0, energy=5)
    row = only(
        read_flashcam(writer.flashcam_config(MAP, nsamples=8), packet), OLD_WAVEFORM
    )
    assert row["daqenergy"] == 5
    assert row["waveform/values"] == [0] * 8


def test_waveform_of_another_length():
    """Format 7.15."""
    short = writer.flashcam_waveform(range(1, 5), **PLACE)
    long = writer.flashcam_waveform(range(10), **PLACE)
    config = writer.flashcam_config(MAP, nsamples=8)
    rows = read_flashcam(config, short, long).columns(OLD_WAVEFORM)
    assert [row.tolist() for row in rows["waveform/values"]] == [
        [1, 2, 3, 4, 0, 0, 0, 0],
        [*range(10)],
    ]


def test_development_split():
    """Format 4.3.3: the newer split under the older name."""
    packets = [
        writer.flashcam_waveform(
            range(8), **PLACE, fc_input=i, channel=i, wide_input=True
        )
        for i in (1, 3, 5)
    ]
    config = writer.flashcam_config(MAP, nsamples=8)
    rows = read_flashcam(config, *packets).columns(OLD_WAVEFORM)
    assert rows["fc_input"] == rows["channel"] == [1, 3, 5]
    # Some fit as declared: no such version.
    other = writer.flashcam_waveform(range(8), **PLACE)
    reading = read_flashcam(config, *packets, other)
    assert reading.columns(OLD_WAVEFORM)["channel"] != [1, 3, 5, 0]


@pytest.mark.parametrize("address", [0x330, 0x20])
def test_board_of_the_configuration(address):
    """Format B17: it is right for every row."""
    packet = writer.flashcam_waveform(range(8), **{**PLACE, "address": address})
    config = writer.flashcam_config(MAP, nsamples=8)
    rows = read_flashcam(config, packet, packet).columns(OLD_WAVEFORM)
    assert rows["board_id"] == [0x120] * 2


def test_waveforms_that_are_dropped():
    """Format 4.3.3 and 7.14."""
    ts = (0, 0, 0, -1)
    cut = writer.flashcam_waveform(range(8), **PLACE, n_samples=10)
    odd = writer.flashcam_waveform(range(8), **PLACE, n_samples=7)
    reading = read_flashcam(
        writer.flashcam_config(MAP, nsamples=8),
        writer.flashcam_waveform(range(8), **{**PLACE, "slot": 2}),
        writer.flashcam_waveform(range(8), **{**PLACE, "slot": 2}, fc_input=1),
        writer.flashcam_waveform(range(8), **PLACE, channel=6),
        writer.flashcam_waveform(range(8), **PLACE, timestamp=ts),
        *(cut, odd),
    )
    # a card in another slot is identified by its address
    assert reading.columns(OLD_WAVEFORM)["packet_id"] == [2]
    assert reading.dropped == {
        (OLD_WAVEFORM, "card not in the header"): 1,
        (OLD_WAVEFORM, "trace index"): 1,
        (OLD_WAVEFORM, "maximal ticks"): 1,
        (OLD_WAVEFORM, "length"): 2,
    }


def test_dead_region_without_ticks():
    packet = writer.flashcam_waveform(range(8), **PLACE, dead_region=(0,) * 5)
    row = only(read_flashcam(writer.flashcam_config(MAP), packet), OLD_WAVEFORM)
    assert np.isnan(row["deadtime"])
