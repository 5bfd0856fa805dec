"""Packets of an ORCA file one at a time, by number, without decoding them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import zstandard
from click.testing import CliRunner
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.errors import DecodeError
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
        packet = streamer.load_packet()
        assert np.array_equal(packet, words(run, number))
        assert streamer.buffer is packet


def test_numbers_count_from_the_last_packet_or_from_the_end(run, streamer):
    streamer.load_packet(4)
    assert np.array_equal(streamer.load_packet(1, 1), words(run, 4))
    assert np.array_equal(streamer.load_packet(3, 1), words(run, 6))
    assert np.array_equal(streamer.load_packet(1, 2), words(run, len(run[2]) - 1))
    with pytest.raises(ValueError, match="whence"):
        streamer.load_packet(1, 3)


def test_there_is_nothing_outside_of_the_file(run, streamer):
    """Behind the last packet and before the first one the next is what one expects."""
    assert streamer.load_packet(len(run[2])) is None
    assert streamer.load_packet() is None
    assert streamer.load_packet(-1) is None
    assert np.array_equal(streamer.load_packet(), words(run, 0))
    assert streamer.skip_packet(2)
    assert np.array_equal(streamer.load_packet(), words(run, 3))
    assert not streamer.skip_packet(len(run[2]))
    assert not streamer.skip_packet()
    with pytest.raises(ValueError, match="at least 0, got -1"):
        streamer.skip_packet(-1)


def test_counting_leaves_the_place_or_goes_to_the_end(run, streamer):
    streamer.load_packet(4)
    streamer.count_packets()
    assert np.array_equal(streamer.load_packet(), words(run, 5))
    streamer.build_packet_locs(saveloc=False)
    assert streamer.load_packet() is None


def test_numbers_behind_damage_are_those_of_decoding(run, tmp_path):
    """Both pass over the same: the packet of a row is found by its ``packet_id``."""
    path, data, packets = run
    damaged = bytearray(data)
    # a packet cut short by a blob that is no word, one of an unknown id, zeros
    start, length, _ = packets[20]
    damaged[packets[40].offset : packets[40].offset + 4] = b"\xff\xff\xff\x7f"
    damaged[packets[60].offset : packets[60].offset] = bytes(20)
    damaged[start + length // 2 : start + length] = b"\xaa\xbb\xcc"
    path = tmp_path / "damaged.orca"
    path.write_bytes(damaged)
    out = str(tmp_path / "damaged.lh5")
    report = daq2lh5.build_raw(str(path), out_spec=out)
    assert report.n_damage == 2
    streamer = OrcaStreamer()
    streamer.open_stream(str(path))
    loaded = []
    while (packet := streamer.load_packet()) is not None:
        loaded.append(packet.tobytes())
    assert streamer.n_resyncs == report.n_damage
    assert streamer.count_packets() == len(packets) - 2
    kept = [words(run, i).tobytes() for i in range(len(packets)) if i not in (20, 40)]
    assert loaded == kept[1:]
    with h5py.File(out) as f:
        table = f["ORFlashCamADCWaveform"]
        for row, number in enumerate(table["packet_id"][:]):
            samples = streamer.load_packet(number).view("<u2")[40:]
            assert np.array_equal(samples, table["waveform/values"][row])
    streamer.close_stream()


def test_packets_around_a_header_in_mid_file(tmp_path):
    """Those behind it have the ids of the new header."""
    first = writer.make_stream(n_events=2)
    ids = {name: data_id + (1 << 18) for name, data_id in writer.DATA_IDS.items()}
    run_id = ids["ORRunDecoderForRun"]
    second = [
        writer.header_packet(writer.header(ids=ids)),
        *(writer.run(time=1_700_000_000 + i, data_id=run_id) for i in range(20)),
    ]
    path = tmp_path / "joined.orca"
    path.write_bytes(first + b"".join(second))
    n_first = len(writer.make_indexed_stream(n_events=2)[1])
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(path))
    assert streamer.count_packets() == n_first + len(second)
    assert streamer.n_resyncs == 0
    for i, packet in enumerate(second):
        assert streamer.load_packet(n_first + i).tobytes() == packet
    streamer.close_stream()


def test_broken_header_is_an_error(tmp_path):
    path = tmp_path / "broken.orca"
    path.write_bytes(writer.header_packet(b"<?xml broken"))
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(path))
    for _ in range(2):
        with pytest.raises(DecodeError, match="XML"):
            streamer.load_packet()
    streamer.close_stream()


def test_pipes_are_left_alone(run, tmp_path):
    """What would be read here would be missing where the packets are decoded."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    streamer = OrcaStreamer()
    for name in ("-", str(pipe), f"file://{pipe}"):
        with pytest.raises(DecodeError, match="seekable file, found a pipe"):
            streamer.set_in_stream(name)
    streamer.close_stream()


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_file_cut_after_its_packets_were_counted(compress, run, tmp_path):
    path = tmp_path / "run.orca"
    path.write_bytes(compress(run[1]))
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(path))
    last = streamer.count_packets() - 1
    # so that a compressed file is read from its start again
    streamer.load_packet(last)
    path.write_bytes(compress(run[1][: run[2][5].offset]))
    assert np.array_equal(streamer.load_packet(2), words(run, 2))
    for skip in (False, True):
        with pytest.raises(DecodeError, match=f"packet {last} is no longer"):
            streamer.load_packet(last, skip_unknown_ids=skip)
    streamer.close_stream()


def test_packets_are_counted_but_not_one_that_is_cut_off(run, streamer, tmp_path):
    assert streamer.count_packets() == len(run[2])
    assert streamer.packet_locs == [start for start, _, _ in run[2]]
    cut = tmp_path / "cut.orca"
    cut.write_bytes(run[1][:-2])
    other = OrcaStreamer()
    other.set_in_stream(str(cut))
    assert other.count_packets() == len(run[2]) - 1
    other.close_stream()


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.compress],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_compressed_files_work_as_well(compress, run, tmp_path):
    """Whatever their names; a cut file has the packets that it has."""
    packed = tmp_path / "run.orca"
    packed.write_bytes(compress(run[1]))
    assert OrcaStreamer.is_orca_stream(str(packed))
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(packed))
    for number in (5, 6, 2, len(run[2]) - 1):
        assert np.array_equal(streamer.load_packet(number), words(run, number))
    streamer.close_stream()


def test_cut_compressed_file(run, tmp_path):
    packed = tmp_path / "run.orca.gz"
    data = gzip.compress(run[1])
    packed.write_bytes(data[: len(data) // 2])
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(packed))
    n = streamer.count_packets()
    assert 2 < n < len(run[2])
    assert np.array_equal(streamer.load_packet(1, 2), words(run, n - 1))
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


def test_skimming_what_it_should_not(run, tmp_path):
    """One line says why, and nothing is written."""
    for name, content in (("a.orca", run[1]), ("b.orca", b"no ORCA")):
        (tmp_path / name).write_bytes(content)
    for name, out, message in (
        ("a.orca", "a.orca", "replace the input"),
        ("b.orca", "c.orca", "ORCA header"),
    ):
        arguments = [str(tmp_path / name), "1", "--out-file", str(tmp_path / out)]
        done = CliRunner().invoke(skim_orca_file, arguments)
        assert done.exit_code == 1
        assert done.output.startswith("Error: ")
        assert message in done.output
    assert (tmp_path / "a.orca").read_bytes() == run[1]
    assert not (tmp_path / "c.orca").exists()


def test_skimming_has_a_command():
    """It is called as that of legend-daq2lh5."""
    pyproject = Path(__file__).parents[3] / "pyproject.toml"
    wanted = 'skim-orca-file = "daq2lh5.orca.skim_orca_file:skim_orca_file"'
    assert wanted in pyproject.read_text().splitlines()
