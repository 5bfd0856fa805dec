"""ORCA files of the other byte order (ORCA format, 1)."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from kit.decoding.orca import decode, differences, n_rows, wanted_tables
from kit.generators.orca import RUN
from kit.writers import orca as writer

from daq2lh5.orca.orca_streamer import OrcaStreamer


def big_endian(data: bytes, index: list[writer.Packet]) -> bytes:
    packets = [data[p.offset : p.offset + p.length] for p in index]
    return b"".join(writer.swapped(packets))


@pytest.mark.parametrize("name", ["flashcam", "fsp", "sub-runs", "everything else"])
@pytest.mark.parametrize("block_size", [None, 1, 7, 4096])
def test_swapped_file_gives_the_same(name, block_size, file):
    """Headers in mid-file too, whatever the bytes come in."""
    options = {
        "flashcam": {"kinds": "flashcam"},
        "fsp": {"kinds": "fcio", "fcio_options": {"kind": "mixed", "fsp": True}},
        "sub-runs": {"kinds": ("flashcam", "fcio", "unknown"), "subruns": 1},
        # texts in records too
        "everything else": {"kinds": [k for k in writer.KINDS if "f" not in k]},
    }[name]
    data, index = writer.make_indexed_stream(
        n_events=8, n_channels=3, n_samples=40, **options
    )
    file.write_bytes(big_endian(data, index))
    decoded = decode(file, block_size=block_size)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.report.n_bytes == len(data)
    assert decoded.report.clean
    assert any("big-endian" in note for note in decoded.report.notes)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_swapped_file_that_is_cut(n, file):
    data, index = writer.make_indexed_stream(kinds="flashcam", n_events=5)
    file.write_bytes(big_endian(data, index)[:-n])
    decoded = decode(file)
    assert decoded.report.bytes["cut_off"] == 16 - n
    whole = data[: index[-1].offset]
    assert differences(decoded.tables, wanted_tables(whole)) == []


def test_packets_of_a_swapped_file_by_number(file):
    kinds = ("flashcam", "slow", "unknown")
    data, index = writer.make_indexed_stream(kinds=kinds, n_events=5, subruns=1)
    file.write_bytes(big_endian(data, index))
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(file))
    assert streamer.is_orca_stream(str(file))
    for packet in index:
        words = streamer.load_packet()
        assert words.tobytes() == data[packet.offset : packet.offset + packet.length]
    assert streamer.load_packet() is None
    streamer.close_in_stream()


@pytest.mark.parametrize("head_words", [1, 2])
def test_histogram_without_contents_in_a_swapped_file(head_words, file):
    """There is no text to turn around: the packet is damage like any other."""
    data_id = writer.DATA_IDS["OR1DHistoDecoder"]
    empty = struct.pack(">II", data_id, 2)
    if head_words == 1:
        empty = struct.pack(">I", data_id | 1)
    header, *runs = writer.swapped(
        [writer.header_packet(writer.header()), *[writer.run()] * 5]
    )
    file.write_bytes(b"".join((header, *runs[:2], empty, *runs[2:])))
    decoded = decode(file)
    assert n_rows(decoded.tables[RUN]) == 5
    assert decoded.report.n_damage == 1


def test_head_of_an_extended_histogram_in_a_swapped_file(file):
    """The number of its words of text is behind the words that are read."""
    data_id = writer.DATA_IDS["OR1DHistoDecoder"]
    header = writer.swapped([writer.header_packet(writer.header())])[0]
    # a name of one word, which is in order, and one bin
    words = struct.pack(">3I4s2I", data_id, 6, 1, b"name", 1, 9)
    file.write_bytes(header + words)
    histogram = np.frombuffer(words, ">u4").astype("<u4")
    histogram[3] = np.frombuffer(b"name", "<u4")[0]
    streamer = OrcaStreamer()
    streamer.open_stream(str(file))
    assert np.array_equal(streamer.load_packet_header(), histogram[:2])
    assert np.array_equal(streamer.load_packet(1), histogram)
    streamer.close_stream()
