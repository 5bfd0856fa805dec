"""Inputs: files, pipes, standard input; `get_streamer`, `open_stream`."""

from __future__ import annotations

import bz2
import gc
import gzip
import lzma
import os
import subprocess
import sys
import threading

import pytest
from kit.generators.small_run import N_CHANNELS, N_EVENTS
from kit.lh5_tables import same_tables
from kit.places import ENVIRONMENT
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.errors import DecodeError, OutSpecError, UnknownFormatError
from daq2lh5.fc.fc_streamer import FCStreamer
from daq2lh5.raw_buffer import RawBufferLibrary


class TestInputs:
    def test_missing_input(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"none\.fcio"):
            daq2lh5.build_raw(tmp_path / "none.fcio")
        assert list(tmp_path.iterdir()) == []

    def test_directory_as_input(self, tmp_path):
        with pytest.raises((RuntimeError, OSError), match=tmp_path.name):
            daq2lh5.build_raw(tmp_path, out_spec=tmp_path / "x.lh5")

    def test_empty_input_says_so(self, tmp_path):
        (tmp_path / "e.fcio").write_bytes(b"")
        with pytest.raises(RuntimeError, match="empty"):
            daq2lh5.build_raw(tmp_path / "e.fcio")
        assert [p.name for p in tmp_path.iterdir()] == ["e.fcio"]

    def test_standard_input_needs_an_output(self):
        with pytest.raises(OutSpecError, match="standard input"):
            daq2lh5.build_raw("-")

    @pytest.mark.parametrize("kind", ["file", "pipe"])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
    def test_standard_input(self, run, whole, tmp_path, kind, pack):
        out = str(tmp_path / "x.lh5")
        code = "import daq2lh5, sys; daq2lh5.build_raw('-', out_spec=sys.argv[1])"
        command = [sys.executable, "-c", code, out]
        data = pack(run.read_bytes())
        if kind == "pipe":
            subprocess.run(
                command,
                input=data,
                check=True,
                env=ENVIRONMENT,
            )
        else:
            (tmp_path / "in").write_bytes(data)
            with open(tmp_path / "in", "rb") as f:
                subprocess.run(
                    command,
                    stdin=f,
                    check=True,
                    env=ENVIRONMENT,
                )
        assert same_tables(out, whole)

    @pytest.mark.parametrize("stream_type", [None, "FlashCam"])
    def test_named_pipe(self, run, whole, tmp_path, stream_type):
        pipe = tmp_path / "pipe.fcio"
        os.mkfifo(pipe)
        feeder = threading.Thread(target=pipe.write_bytes, args=(run.read_bytes(),))
        feeder.start()
        out = str(tmp_path / "x.lh5")
        report = daq2lh5.build_raw(pipe, in_stream_type=stream_type, out_spec=out)
        feeder.join()
        assert same_tables(out, whole)
        assert report.n_bytes == run.stat().st_size

    @pytest.mark.parametrize("n_max", [0, 4])
    def test_first_rows_of_a_pipe(self, run, tmp_path, n_max):
        """What is not read cannot be counted: the report says so."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        feeder = threading.Thread(target=pipe.write_bytes, args=(run.read_bytes(),))
        feeder.start()
        report = daq2lh5.build_raw(pipe, out_spec=tmp_path / "x.lh5", n_max=n_max)
        feeder.join()
        assert report.n_rows == n_max + 1
        assert any("rows that were asked for" in note for note in report.notes)

    def test_input_by_url(self, run, whole, tmp_path):
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(f"file://{run}", out_spec=out)
        assert same_tables(out, whole)

    def test_default_output_of_an_input_by_url(self, run, tmp_path):
        source = tmp_path / "r.fcio"
        source.write_bytes(run.read_bytes())
        assert daq2lh5.build_raw(f"file://{source}").outputs == [
            str(tmp_path / "r.lh5")
        ]


class TestGetStreamer:
    @pytest.mark.parametrize("name", ["run.fcio", "run.orca", "run.bin", "run", "a.gz"])
    def test_content_decides_whatever_the_name(self, run, tmp_path, name):
        (tmp_path / name).write_bytes(run.read_bytes())
        assert isinstance(daq2lh5.get_streamer(str(tmp_path / name)), FCStreamer)

    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
    def test_content_of_compressed_files_decides(self, run, tmp_path, pack):
        (tmp_path / "x").write_bytes(pack(run.read_bytes()))
        assert isinstance(daq2lh5.get_streamer(str(tmp_path / "x")), FCStreamer)

    @pytest.mark.parametrize("name", ["no/such/x.fcio", "x.fcio.gz", "x.fcio.bz2"])
    def test_extension_of_a_name_that_cannot_be_read(self, name):
        assert isinstance(daq2lh5.get_streamer(name), FCStreamer)

    def test_explicit_type_needs_no_file(self):
        assert isinstance(daq2lh5.get_streamer("tcp://x", "FlashCam"), FCStreamer)

    def test_empty_file(self, tmp_path):
        (tmp_path / "x.fcio").touch()
        with pytest.raises(RuntimeError, match="is empty"):
            daq2lh5.get_streamer(str(tmp_path / "x.fcio"))

    @pytest.mark.parametrize("data", [b"hello world", bytes(5000)])
    def test_nothing_recognized_says_what_was_tried(self, tmp_path, data):
        (tmp_path / "x.dat").write_bytes(data)
        with pytest.raises(RuntimeError, match="FlashCam") as e:
            daq2lh5.get_streamer(str(tmp_path / "x.dat"))
        assert isinstance(e.value, UnknownFormatError)
        assert "x.dat" in str(e.value)
        assert "extension" in str(e.value)

    def test_unreadable_name_without_a_known_extension(self):
        with pytest.raises(RuntimeError, match="extension"):
            daq2lh5.get_streamer("no/such/file.dat")

    def test_content_that_belies_the_extension(self, tmp_path):
        (tmp_path / "x.fcio").write_bytes(b"hello world")
        with pytest.raises(RuntimeError, match="not recognized"):
            daq2lh5.get_streamer(str(tmp_path / "x.fcio"))

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("FlashCamm", "did you mean 'FlashCam'"), ("xyz", "known types: FlashCam")],
    )
    def test_unknown_type_is_named(self, run, name, hint):
        with pytest.raises(NotImplementedError, match=hint):
            daq2lh5.get_streamer(str(run), name)

    def test_explicit_type_that_the_content_is_not(self, tmp_path):
        (tmp_path / "x.dat").write_bytes(b"hello world" * 100)
        with pytest.raises(DecodeError, match="no FCIO handshake"):
            daq2lh5.build_raw(
                tmp_path / "x.dat",
                in_stream_type="FlashCam",
                out_spec=tmp_path / "x.lh5",
            )
        assert [p.name for p in tmp_path.iterdir()] == ["x.dat"]


class TestOpenStream:
    def test_gives_streamer_and_headers(self, run):
        with daq2lh5.open_stream(str(run)) as (streamer, header_data):
            assert isinstance(streamer, FCStreamer)
            assert [rb.out_name for rb in header_data] == ["FCConfig"]
            assert header_data[0].loc == 1
            rows = {}
            for chunk in streamer:
                for rb in chunk:
                    rows[rb.out_name] = rows.get(rb.out_name, 0) + rb.loc
        # headers that were not emptied come with the first chunk
        rows.pop("FCConfig", None)
        assert rows == {"FCEvent": N_CHANNELS * N_EVENTS, "FCStatus": rows["FCStatus"]}

    def test_file_is_closed_at_the_end_and_on_errors(self, run):
        with daq2lh5.open_stream(str(run)) as (streamer, _):
            source = streamer.source
        assert is_closed(source)
        opened = daq2lh5.open_stream(str(run))
        streamer, _ = opened.__enter__()
        source = streamer.source
        list(streamer)
        assert not opened.__exit__(ValueError, ValueError("of the user"), None)
        assert is_closed(source)

    def test_file_is_closed_if_it_cannot_be_opened_as_asked(self, run, monkeypatch):
        opened = []
        monkeypatch.setattr(
            FCStreamer,
            "close_stream",
            lambda self, close=FCStreamer.close_stream: (
                opened.append(self.source),
                close(self),
            ),
        )
        with (
            pytest.raises(ValueError, match="chunk_mode"),
            daq2lh5.open_stream(str(run), chunk_mode="all"),
        ):
            pass
        assert len(opened) == 1
        assert is_closed(opened[0])

    def test_no_descriptor_stays_open(self, run, tmp_path):
        """After conversions that end in every way."""
        # those of earlier tests are not closed in between
        gc.collect()
        before = len(os.listdir("/dev/fd"))
        (tmp_path / "bad.fcio").write_bytes(writer.handshake() + b"\x77" * 100)
        for _ in range(3):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5", overwrite=True)
            with pytest.raises(DecodeError):
                daq2lh5.build_raw(tmp_path / "bad.fcio")
            with pytest.raises(FileExistsError):
                daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")
            with pytest.raises(ValueError, match="buffer_size"):
                daq2lh5.build_raw(run, out_spec=tmp_path / "y.lh5", buffer_size=1)
        assert len(os.listdir("/dev/fd")) == before

    def test_options_are_passed_on(self, run):
        library = RawBufferLibrary({"FCEventDecoder": {"a": {"key_list": ["*"]}}})
        with daq2lh5.open_stream(
            str(run), rb_lib=library, buffer_size=4, chunk_mode="any_full"
        ) as (streamer, _):
            assert streamer.rb_lib is library
            assert streamer.chunk_mode == "any_full"
            assert [
                rb.loc for chunk in streamer for rb in chunk if rb.out_name == "a"
            ] == [N_CHANNELS] * N_EVENTS

    def test_paths_and_variables(self, run, monkeypatch):
        monkeypatch.setenv("DAQ2LH5_TEST_IN", str(run.parent))
        with daq2lh5.open_stream("$DAQ2LH5_TEST_IN/run.fcio") as (streamer, _):
            assert streamer.read_chunk()
        with daq2lh5.open_stream(run) as (streamer, _):
            assert streamer.read_chunk()


def is_closed(source) -> bool:
    """Whether a source can no longer be read."""
    try:
        source.fill(1)
    except (OSError, ValueError, RuntimeError):
        return True
    return False
