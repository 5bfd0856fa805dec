"""Traces of FlashCam listeners of the first generation.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kit.decoding.orca import (
    channel_tables,
    decode,
    differences,
    joined,
    read_lh5,
    wanted_reading,
    wanted_tables,
)
from kit.generators.orca import NEW_WAVEFORM, OLD_WAVEFORM
from kit.generators.orca_packets import (
    ADDRESS,
    FLASHCAM_HEADER,
    MAP,
    flashcam_file,
    waveform,
)
from kit.writers import orca as writer

import daq2lh5

if TYPE_CHECKING:
    from collections.abc import Sequence


FLASHCAM_FILES: dict[str, Sequence[bytes]] = {
    "no configuration": [waveform(), waveform(fc_input=5, channel=5)],
    "configuration that comes late": [
        waveform(),
        writer.flashcam_config(MAP, nsamples=8, gps=1),
        waveform(),
    ],
    "second configuration": [
        writer.flashcam_config(MAP, nsamples=8),
        waveform(),
        writer.flashcam_config(MAP, nsamples=8, gps=1),
        waveform(),
        writer.flashcam_config(MAP, nsamples=8, adcbits=12),
        waveform(),
    ],
    "boards": [
        writer.flashcam_config(
            MAP,
            nsamples=8,
            adccards=5,
            boards=[(0xA1 + i, 0xAABBCCDD_11223344 + i) for i in range(5)],
        ),
        waveform(),
    ],
    "board of the configuration": [
        writer.flashcam_config(MAP, nsamples=8),
        waveform(address=0x330),
        waveform(address=0x20),
        waveform(address=0x330),
    ],
    "board that the configuration exchanges": [
        writer.flashcam_config(
            (*(0x130 << 16 | i for i in range(6)), ADDRESS << 16 | 3), nsamples=8
        ),
        waveform(),
        waveform(fc_input=2, channel=2),
        waveform(fc_input=3, channel=6),
    ],
    "input that the configuration corrects": [
        writer.flashcam_config(MAP, nsamples=8),
        waveform(fc_input=4, channel=2),
    ],
    "input out of range that the configuration corrects": [
        writer.flashcam_config(MAP, nsamples=8),
        waveform(fc_input=15, channel=3),
    ],
    "development split": [
        writer.flashcam_config(MAP, nsamples=8),
        *(waveform(fc_input=i, channel=i, wide_input=True) for i in (1, 3, 5)),
    ],
    "card of 12 bits": [
        writer.flashcam_config(
            [0x3A00000 + i for i in range(24)], fcid=2, nsamples=8, adcbits=12, gps=1
        ),
        waveform(
            crate=2,
            slot=4,
            address=0x3A0,
            high_address=True,
            fc_input=23,
            channel=23,
            wide_input=True,
            data_id=writer.DATA_IDS[NEW_WAVEFORM],
        ),
    ],
    "card of 12 bits without a configuration": [
        waveform(
            crate=2,
            slot=4,
            address=0x3A0,
            high_address=True,
            fc_input=11,
            channel=11,
            wide_input=True,
            data_id=writer.DATA_IDS[NEW_WAVEFORM],
        ),
    ],
    "largest time stamps": [
        waveform(timestamp=(-1, -1, -1, 0x7FFFFFFF)),
        waveform(timestamp=(0x7FFFFFFF, 0x7FFFFFFF, -0x80000000, 0)),
        waveform(dead_region=(-0x80000000, 0, 0x7FFFFFFF, 0, 1)),
        waveform(dead_region=(0, 0, 0, 1, -1)),
    ],
    "longest trace": [
        writer.flashcam_config(MAP, nsamples=65_534),
        waveform(np.arange(65_534) & 0xFFFF),
    ],
}


@pytest.mark.parametrize("name", FLASHCAM_FILES)
def test_traces(name, file):
    """Format 4.3 and 8: B4 and B13 to B18."""
    data = flashcam_file(*FLASHCAM_FILES[name])
    file.write_bytes(data)
    wanted = wanted_reading(data)
    assert wanted.dropped == {}
    decoded = decode(file)
    assert differences(decoded.tables, wanted.tables()) == []
    assert decoded.report.n_bytes == decoded.report.bytes["decoded"] == len(data)


def test_corrected_input_says_which_channel(file, tmp_path):
    """Format B17: with one table for each channel a row is in the right one."""
    data = flashcam_file(*FLASHCAM_FILES["input that the configuration corrects"])
    file.write_bytes(data)
    out = tmp_path / "out.lh5"
    channel = {"key_list": ["*"], "out_stream": str(out)}
    daq2lh5.build_raw(str(file), out_spec={OLD_WAVEFORM: {"ch{key:07d}": channel}})
    assert differences(read_lh5(out), channel_tables(data, OLD_WAVEFORM)) == []


def test_address_of_another_card(file):
    """Format 4.3.3: with no configuration to say better, the record's is used."""
    file.write_bytes(flashcam_file(waveform(address=0x130)))
    decoded = decode(file)
    assert decoded.tables["ORFlashCamADCWaveform_0"]["board_id"] == [0x300]
    assert any("address" in note for note in decoded.report.notes)


@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_wide_input_under_the_old_name(n_channels, file):
    """Format 4.3.3: a development version wrote the newer split of word 2."""
    options: dict[str, Any] = {
        "kinds": "flashcam",
        "n_events": 4,
        "n_channels": n_channels,
        "n_samples": 8,
    }
    data = writer.make_stream(**options, flashcam_options={"wide_input": True})
    file.write_bytes(data)
    wanted = wanted_tables(writer.make_stream(**options))
    assert differences(decode(file).tables, wanted) == []


@pytest.mark.parametrize("header_samples", [0, 4, 8, 4096])
@pytest.mark.parametrize("name", ["no configuration", "second configuration"])
def test_number_of_samples_in_the_header_does_not_matter(name, header_samples, file):
    """Format 4.3: it can be wrong."""
    listeners = [writer.listener(i, samples=header_samples) for i in (1, 2)]
    data = flashcam_file(*FLASHCAM_FILES[name], aux_hw=listeners)
    file.write_bytes(data)
    decoded = decode(file)
    found = joined(decoded.tables, decoded.report.notes)
    assert differences(found, wanted_tables(data), padded=True) == []
    assert not [note for note in decoded.report.notes if "traces of" in note]
    assert decoded.report.clean


@pytest.mark.parametrize("chunk_mode", ["any_full", "only_full", "single_packet"])
@pytest.mark.parametrize("buffer_size", [1, 3, 100])
def test_traces_of_other_lengths(chunk_mode, buffer_size, file):
    """Format 7.15: no sample is lost, the first packet does not decide."""
    config = writer.flashcam_config(MAP, nsamples=8)
    lengths = (0, 8, 4, 8, 10, 0, 10, 12, 8, 4)
    packets = [
        waveform(range(1, 1 + n), fc_input=i % 6, channel=i % 6)
        for i, n in enumerate(lengths)
    ]
    for first in ((config,), ()):
        data = flashcam_file(*first, *packets)
        file.write_bytes(data)
        decoded = decode(file, chunk_mode=chunk_mode, buffer_size=buffer_size)
        found = joined(decoded.tables, decoded.report.notes)
        assert differences(found, wanted_tables(data), padded=True) == []
        assert decoded.report.n_bytes == decoded.report.bytes["decoded"] == len(data)


def test_listeners_that_are_not_read_out(file):
    """Format 2: only ``ReadoutDescription`` says what is read out."""
    more = [writer.listener(7, samples=3), *FLASHCAM_HEADER["aux_hw"]]
    data = flashcam_file(*FLASHCAM_FILES["second configuration"], aux_hw=more)
    file.write_bytes(data)
    assert differences(decode(file).tables, wanted_tables(data)) == []


def test_crate_with_cards_of_both_kinds(file):
    """Format B19."""
    crates = [
        writer.crate(
            0,
            [
                writer.flashcam_adc(1, ADDRESS),
                writer.flashcam_adc(2, 0x200, std=True),
                writer.flashcam_adc(3, 0x130),
            ],
        )
    ]
    readouts = [writer.readout(1, [(0, 1), (0, 2), (0, 3)])]
    data = flashcam_file(
        waveform(),
        waveform(slot=3, address=0x130),
        waveform(slot=2, address=0x200, high_address=True, fc_input=12),
        crates=crates,
        readouts=readouts,
    )
    file.write_bytes(data)
    wanted = wanted_reading(data)
    assert wanted.dropped == {}
    decoded = decode(file)
    assert differences(decoded.tables, wanted.tables()) == []
