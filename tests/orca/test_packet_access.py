"""Packets of an ORCA file one at a time, by number, without decoding them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from click.testing import CliRunner
from writers import orca as writer

import daq2lh5
from daq2lh5.orca.orca_packet import get_n_words
from daq2lh5.orca.orca_streamer import OrcaStreamer
from daq2lh5.orca.skim_orca_file import skim_orca_file


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A file, its bytes, and where its packets are."""
    path = tmp_path_factory.mktemp("orca") / "run.orca"
    data, packets = writer.make_indexed_stream(n_events=12)
    path.write_bytes(data)
    return path, data, packets


@pytest.fixture
def streamer(run):
    streamer = OrcaStreamer()
    streamer.open_stream(str(run[0]))
    yield streamer
    streamer.close_stream()


def words(run, number: int) -> np.ndarray:
    _, data, packets = run
    start, length, _ = packets[number]
    return np.frombuffer(data[start : start + length], "<u4")


def test_packets_by_number_are_those_of_the_file(run, streamer):
    for number in (3, 0, 1, len(run[2]) - 1):
        assert np.array_equal(streamer.load_packet(number), words(run, number))
        assert streamer.packet_id == number


def test_without_a_number_the_next_packet_comes(run, streamer):
    """The first one is that after the header, which was read when the file opened."""
    for number in (1, 2, 3):
        assert np.array_equal(streamer.load_packet(), words(run, number))


def test_numbers_count_from_the_last_packet_or_from_the_end(run, streamer):
    streamer.load_packet(4)
    assert np.array_equal(streamer.load_packet(1, 1), words(run, 4))
    assert np.array_equal(streamer.load_packet(3, 1), words(run, 6))
    assert np.array_equal(streamer.load_packet(1, 2), words(run, len(run[2]) - 1))
    with pytest.raises(ValueError, match="whence"):
        streamer.load_packet(1, 3)


def test_there_is_nothing_outside_of_the_file(run, streamer):
    assert streamer.load_packet(len(run[2])) is None
    assert streamer.load_packet(-1) is None
    assert not streamer.skip_packet(len(run[2]) + 1)
    assert streamer.skip_packet(2)


def test_packets_are_counted_but_not_one_that_is_cut_off(run, streamer, tmp_path):
    assert streamer.count_packets() == len(run[2])
    assert streamer.packet_locs == [start for start, _, _ in run[2]]
    cut = tmp_path / "cut.orca"
    cut.write_bytes(run[1][:-2])
    other = OrcaStreamer()
    other.set_in_stream(str(cut))
    assert other.count_packets() == len(run[2]) - 1
    other.close_stream()


def test_compressed_files_work_as_well(run, tmp_path):
    packed = tmp_path / "run.orca.gz"
    packed.write_bytes(gzip.compress(run[1]))
    assert OrcaStreamer.is_orca_stream(str(packed))
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(packed))
    assert np.array_equal(streamer.load_packet(5), words(run, 5))
    streamer.close_stream()


def test_other_files_are_told_apart(tmp_path):
    path = tmp_path / "other.orca"
    for content in (b"", b"\0" * 40, b"\xff\x35\x65\xc4FlashCamV1" + bytes(60)):
        path.write_bytes(content)
        assert not OrcaStreamer.is_orca_stream(str(path))


def test_hex_dump_shows_each_packet(run, capsys, caplog):
    caplog.set_level("DEBUG")
    OrcaStreamer().hex_dump(str(run[0]), n_packets=4, print_n_words=True)
    shown = [line for line in caplog.messages if line.startswith("data ID")]
    assert [int(line.split()[-2]) for line in shown] == [
        get_n_words(words(run, i)) for i in range(4)
    ]


def test_skimmed_file_has_the_first_packets_and_the_last(run, tmp_path):
    out = tmp_path / "skimmed.orca"
    done = CliRunner().invoke(
        skim_orca_file, [str(run[0]), "5", "--out-file", str(out)]
    )
    assert done.exit_code == 0, done.output
    wanted = [*range(7), len(run[2]) - 1]
    assert out.read_bytes() == b"".join(words(run, i).tobytes() for i in wanted)
    report = daq2lh5.build_raw(str(out), out_spec=str(tmp_path / "x.lh5"))
    assert report.clean
