"""Traces of FlashCam decoded one packet at a time, without a streamer."""

from __future__ import annotations

import numpy as np
import pytest
from kit.writers import orca as writer

from daq2lh5.orca.orca_flashcam import (
    ORFlashCamADCWaveformDecoder,
    ORFlashCamListenerConfigDecoder,
)
from daq2lh5.orca.orca_header_decoder import parse_header_packet
from daq2lh5.raw_buffer import RawBuffer, RawBufferList

DATA, INDEX = writer.make_indexed_stream(
    kinds="flashcam", n_events=4, n_channels=3, n_samples=20
)
TRACES = [p for p in INDEX if p.kind == "ORFlashCamADCWaveformDecoder"]


def words(packet: writer.Packet) -> np.ndarray:
    return np.frombuffer(DATA[packet.offset :][: packet.length], "<u4")


@pytest.fixture
def decoder() -> ORFlashCamADCWaveformDecoder:
    header, _ = parse_header_packet(DATA)
    decoder = ORFlashCamADCWaveformDecoder(header)
    (fcid,) = decoder.key_list
    # the header says otherwise: the listener's configuration counts
    decoder.assert_nsamples(20, fcid)
    return decoder


def buffers_of(decoder: ORFlashCamADCWaveformDecoder) -> RawBufferList:
    rb = RawBuffer(key_list=decoder.get_key_lists()[0])
    rb.lgdo = decoder.make_lgdo(key=rb.key_list[0], size=8)
    rbl = RawBufferList()
    rbl.append(rb)
    return rbl


def test_samples_and_numbers_of_packets(decoder):
    buffers = buffers_of(decoder)
    for number, packet in enumerate(TRACES[:5]):
        assert not decoder.decode_packet(words(packet), 100 + number, buffers)
    (rb,) = buffers
    assert rb.loc == 5
    assert rb.lgdo["packet_id"].nda[:5].tolist() == [100, 101, 102, 103, 104]
    for row, packet in enumerate(TRACES[:5]):
        samples = words(packet)[20:].view("<u2")
        assert np.array_equal(rb.lgdo["waveform"].values.nda[row], samples)


def test_damaged_packet(decoder):
    buffers = buffers_of(decoder)
    with pytest.raises(ValueError, match="past the end"):
        decoder.decode_packet(words(TRACES[0])[:-1], 1, buffers)
    assert buffers[0].loc == 0


@pytest.mark.parametrize("configured", [True, False])
def test_configuration_that_was_decoded_counts(configured):
    """Time stamps depend on it: with an external clock another second counts."""
    data = writer.make_stream(kinds="flashcam", n_channels=1, n_samples=20)
    offsets = (1_700_000_000, 250_000, 1_600_000_000, 0, 0, 0, 0)
    config = writer.flashcam_config((0x1100000,), gps=5, nsamples=20)
    trace = writer.flashcam_waveform(
        np.zeros(20), address=0x110, offsets=offsets, timestamp=(0, 3, 0, 249_999_999)
    )
    header, _ = parse_header_packet(data)
    if configured:
        listener = ORFlashCamListenerConfigDecoder(header)
        rb = RawBuffer(lgdo=listener.make_lgdo(size=1))
        assert listener.decode_packet(np.frombuffer(config, "<u4"), 3, [rb])
    decoder = ORFlashCamADCWaveformDecoder(header)
    buffers = buffers_of(decoder)
    decoder.decode_packet(np.frombuffer(trace, "<u4"), 4, buffers)
    wanted = 1_600_000_003 if configured else 1_700_000_003.25
    assert buffers[0].lgdo["timestamp"].nda[0] == wanted
