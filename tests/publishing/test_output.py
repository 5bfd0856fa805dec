"""Output appears complete or not at all, and nothing temporary stays."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
from kit.places import ENVIRONMENT
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.build_raw import convert
from daq2lh5.errors import OutSpecError
from daq2lh5.publishing import journal
from daq2lh5.publishing.output_files import OutputFiles

OF_BEFORE = b"\x89HDF\r\n\x1a\nof before"
"""A file with the signature of HDF5, since others are not replaced."""

as_user = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0,
    reason="root may write everywhere",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run that takes several chunks in buffers of eight rows."""
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    path.write_bytes(writer.make_stream(20, n_channels=3, n_samples=30, status_every=3))
    return path


def names(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir())


def is_complete(path: Path) -> bool:
    """Whether a file is closed and has its report."""
    with h5py.File(path) as f:
        return json.loads(f.attrs["daq2lh5_report"])["status"] == 0


class TestWhileConverting:
    def test_nothing_has_the_final_name_yet(self, run, tmp_path):
        out = tmp_path / "x.lh5"
        seen = []

        def look(streamer):
            seen.append((out.exists(), names(tmp_path)))

        convert(run, out_spec=out, buffer_size=8, progress=look)
        assert len(seen) > 3
        assert not any(there for there, _ in seen)
        for _, inside in seen:
            (temporary,) = inside
            # beside its target, hidden, and told from finished files by its ending
            assert temporary.startswith(".")
            assert not temporary.endswith((".lh5", ".h5"))
        assert names(tmp_path) == ["x.lh5"]
        assert is_complete(out)

    def test_an_existing_file_is_whole_until_the_end(self, run, tmp_path):
        out = tmp_path / "x.lh5"
        out.write_bytes(OF_BEFORE)
        seen = []
        convert(
            run,
            out_spec=out,
            buffer_size=8,
            overwrite=True,
            progress=lambda _: seen.append(out.read_bytes()),
        )
        assert len(seen) > 3
        assert set(seen) == {OF_BEFORE}
        assert is_complete(out)

    def test_an_open_reader_of_the_older_file_goes_on(self, run, tmp_path):
        """The file is replaced, not written over."""
        out = tmp_path / "x.lh5"
        daq2lh5.build_raw(run, out_spec=out)
        with h5py.File(out, locking=False) as f:
            before = f["FCEvent/eventnumber"][()]
            daq2lh5.build_raw(run, out_spec=out, overwrite=True, n_max=3)
            assert (f["FCEvent/eventnumber"][()] == before).all()
        with h5py.File(out) as f:
            assert len(f["FCEvent/eventnumber"]) == 3

    def test_several_outputs_appear_together(self, run, tmp_path):
        config = {
            "*": {
                "{name}": {
                    "key_list": ["*"],
                    "out_stream": f"{tmp_path}/out/{{name}}.lh5",
                }
            }
        }
        out = tmp_path / "out"
        out.mkdir()
        seen = []
        convert(
            run,
            out_spec=config,
            buffer_size=8,
            progress=lambda _: seen.extend(out.glob("*.lh5")),
        )
        assert [p for p in seen if not p.name.startswith(".")] == []
        assert {"FCConfig.lh5", "FCEvent.lh5", "FCStatus.lh5"} <= set(names(out))
        assert not [name for name in names(out) if name.startswith(".")]
        for path in out.iterdir():
            assert is_complete(path)

    def test_files_of_keys_that_come_up_in_mid_stream(self, tmp_path):
        """A table of a later configuration goes to a file of its own, as the others."""
        first, second = (
            list(writer.Stream(3, n_channels=n, n_samples=9, seed=n).records())
            for n in (2, 4)
        )
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.assemble(first + second)[0])
        out = tmp_path / "out"
        config = {
            "FCEventDecoder": {
                "raw": {"key_list": ["*"], "out_stream": f"{out}/ch{{key}}.lh5"}
            }
        }
        report = daq2lh5.build_raw(source, out_spec=config)
        assert len(names(out)) == 4
        assert sorted(report.outputs) == sorted(str(out / n) for n in names(out))
        for path in out.iterdir():
            assert is_complete(path)
            with h5py.File(path) as f:
                (rows,) = {len(f["raw/packet_id"])}
            assert rows in (3, 6)


class TestFailures:
    @pytest.mark.parametrize("existing", [False, True])
    @pytest.mark.parametrize(
        "error", [RuntimeError, KeyboardInterrupt, SystemExit, MemoryError]
    )
    def test_error_in_mid_stream_leaves_all_as_it_was(
        self, run, tmp_path, existing, error
    ):
        out = tmp_path / "x.lh5"
        if existing:
            out.write_bytes(OF_BEFORE)

        def fail(streamer):
            assert len(names(tmp_path)) == 1 + existing
            raise error

        with pytest.raises(error):
            convert(run, out_spec=out, buffer_size=8, overwrite=True, progress=fail)
        assert names(tmp_path) == (["x.lh5"] if existing else [])
        if existing:
            assert out.read_bytes() == OF_BEFORE

    def test_error_while_naming_the_files_leaves_nothing_temporary(
        self, run, tmp_path, monkeypatch
    ):
        """The second of two files cannot be renamed: an error, no rests."""
        config = {
            name: {"t": {"key_list": ["*"], "out_stream": f"{tmp_path}/{name}.lh5"}}
            for name in ("FCEventDecoder", "FCStatusDecoder")
        }
        give_new_name = journal.give_new_name

        def fail_second(path, target):
            if "FCStatus" in str(target):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
            give_new_name(path, target)

        monkeypatch.setattr(journal, "give_new_name", fail_second)
        with pytest.raises(OSError, match="space"):
            daq2lh5.build_raw(run, out_spec=config)
        assert not [n for n in names(tmp_path) if n.startswith(".")]
        # nothing under a final name that the caller was not told of
        assert names(tmp_path) == []

    def test_error_while_flushing_leaves_nothing(self, run, tmp_path, monkeypatch):
        def fail(descriptor):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="error"):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("limit", [1, 4000, 60_000])
    def test_full_disk(self, tmp_path, limit):
        """By a limit on file sizes, which stops HDF5 as a full disk does."""
        resource = pytest.importorskip("resource")
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(100, n_channels=3, n_samples=300))
        out = tmp_path / "out"
        out.mkdir()
        (out / "x.lh5").write_bytes(OF_BEFORE)

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        done = cli("convert", "-w", "-o", out / "x.lh5", source, preexec_fn=limited)
        assert names(out) == ["x.lh5"]
        assert (out / "x.lh5").read_bytes() == OF_BEFORE
        lines = done.stderr.splitlines()
        assert (done.returncode, len(lines)) == (1, 1)
        assert lines[0].startswith("error: ")

    @as_user
    def test_unwritable_directory(self, run, tmp_path):
        out = tmp_path / "out"
        out.mkdir(mode=0o500)
        with pytest.raises(PermissionError, match="out"):
            daq2lh5.build_raw(run, out_spec=out / "x.lh5")
        out.chmod(0o700)
        assert names(out) == []

    def test_directory_that_may_not_be_written_is_found_before_reading(
        self, run, tmp_path, monkeypatch
    ):
        """As the system says: root is told so too."""
        monkeypatch.setattr(os, "access", lambda *_, **__: False)
        monkeypatch.setattr(
            "daq2lh5.fc.fc_streamer.FCStreamer.open_stream",
            lambda *_, **__: pytest.fail("opened"),
        )
        with pytest.raises(PermissionError, match="cannot write"):
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")

    def test_directory_that_takes_no_files(self, run):
        """What the system says, without the words of HDF5."""
        with pytest.raises(FileNotFoundError, match=r"'/proc/x.lh5'$"):
            daq2lh5.build_raw(run, out_spec="/proc/x.lh5")

    def test_file_in_place_of_a_directory(self, run, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(OSError, match="file"):
            daq2lh5.build_raw(run, out_spec=tmp_path / "file" / "x.lh5")
        assert names(tmp_path) == ["file"]

    @pytest.mark.parametrize("name", ["x" * 300 + ".lh5", "x" * 250 + ".lh5"])
    def test_name_that_the_system_does_not_take(self, run, tmp_path, name):
        """255 bytes are a legal name: the temporary one must not be too long."""
        if len(name) > 255:
            with pytest.raises(OSError, match="long"):
                daq2lh5.build_raw(run, out_spec=tmp_path / name)
            assert names(tmp_path) == []
        else:
            daq2lh5.build_raw(run, out_spec=tmp_path / name)
            assert names(tmp_path) == [name]


class TestRefused:
    @pytest.mark.parametrize("overwrite", [False, True])
    @pytest.mark.parametrize("how", ["same", "relative", "symlink", "hardlink"])
    def test_output_that_is_the_input(self, run, tmp_path, monkeypatch, how, overwrite):
        source = tmp_path / "run.fcio"
        source.write_bytes(run.read_bytes())
        out = tmp_path / "x.lh5"
        if how == "same":
            out = source
        elif how == "relative":
            monkeypatch.chdir(tmp_path)
            out = Path("../" + tmp_path.name + "/run.fcio")
        elif how == "symlink":
            out.symlink_to(source)
        else:
            os.link(source, out)
        # by its other name too: it is no LH5 file
        with pytest.raises((OutSpecError, FileExistsError)):
            daq2lh5.build_raw(source, out_spec=out, overwrite=overwrite)
        assert source.read_bytes() == run.read_bytes()
        assert names(tmp_path) == sorted({"run.fcio", out.name})

    def test_input_by_url_that_is_the_output(self, run, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(run.read_bytes())
        with pytest.raises(OutSpecError, match="input"):
            daq2lh5.build_raw(f"file://{source}", out_spec=source, overwrite=True)
        assert source.read_bytes() == run.read_bytes()

    def test_input_with_the_output_s_extension(self, run, tmp_path):
        """The default output of a file called so would be the file itself."""
        source = tmp_path / "run.lh5"
        source.write_bytes(run.read_bytes())
        with pytest.raises(OutSpecError, match="input"):
            daq2lh5.build_raw(source, overwrite=True)
        assert source.read_bytes() == run.read_bytes()

    def test_directory_as_output(self, run, tmp_path):
        with pytest.raises(OutSpecError, match="directory"):
            daq2lh5.build_raw(run, out_spec=tmp_path, overwrite=True)
        assert names(tmp_path) == []

    def test_output_named_after_keys_is_checked_too(self, run, tmp_path):
        """Its name is known when the stream is open."""
        (tmp_path / "ch1027201.lh5").write_bytes(b"mine")
        config = {
            "FCEventDecoder": {
                "raw": {"key_list": ["*"], "out_stream": f"{tmp_path}/ch{{key}}.lh5"}
            }
        }
        with pytest.raises(FileExistsError, match="ch1027201"):
            daq2lh5.build_raw(run, out_spec=config)
        assert names(tmp_path) == ["ch1027201.lh5"]

    @pytest.mark.parametrize("spelling", ["./{}", "sub/../{}", "{}//x.lh5"])
    def test_one_file_spelled_in_two_ways_is_one_file(
        self, run, tmp_path, monkeypatch, spelling
    ):
        """Or refused: but no table may be lost."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "sub").mkdir()
        other = spelling.format("x.lh5") if "//" not in spelling else ".//x.lh5"
        config = {
            "FCEventDecoder": {"e": {"key_list": ["*"], "out_stream": "x.lh5"}},
            "FCStatusDecoder": {"s": {"key_list": ["*"], "out_stream": other}},
        }
        try:
            daq2lh5.build_raw(run, out_spec=config)
        except OutSpecError:
            assert names(tmp_path) == ["sub"]
            return
        with h5py.File("x.lh5") as f:
            assert set(f) == {"e", "s"}

    def test_link_to_an_output_stays_a_link(self, run, tmp_path):
        """Archives link to other disks: the file behind the link is replaced."""
        (tmp_path / "disk").mkdir()
        real = tmp_path / "disk" / "x.lh5"
        real.write_bytes(OF_BEFORE)
        link = tmp_path / "x.lh5"
        link.symlink_to(real)
        daq2lh5.build_raw(run, out_spec=link, overwrite=True)
        assert link.is_symlink()
        assert is_complete(real)


def cli(*arguments, **options) -> subprocess.CompletedProcess:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "daq2lh5", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=60,
        check=False,
        **options,
    )


SIGNAL_IN_CALLBACK = """
import importlib, os, signal, sys, weakref
from daq2lh5.cli import main

module = importlib.import_module("daq2lh5.conversion.loop")
number = getattr(signal, sys.argv[1])

class Thing:
    pass

def callback(_):
    os.kill(os.getpid(), number)
    for _ in range(1000):
        pass

def write(*args, write=module._write, **kwargs):
    thing = Thing()
    reference = weakref.ref(thing, callback)
    del thing
    write(*args, **kwargs)

module._write = write
main(["convert", "-b", "8", "-o", sys.argv[3], sys.argv[2]])
"""


class TestSignals:
    """A conversion that is fed slowly by a pipe, and stopped in the middle."""

    @pytest.mark.parametrize("existing", [False, True])
    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    def test_nothing_is_left_behind(self, tmp_path, name, existing):
        out = tmp_path / "x.lh5"
        if existing:
            out.write_bytes(OF_BEFORE)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        data = writer.make_stream(30, n_channels=3, n_samples=30)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "daq2lh5", "convert", "-w"),
                *("-b", "8", "-o", str(out), str(pipe)),
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        try:
            with pipe.open("wb", buffering=0) as feed:
                feed.write(data[: len(data) // 2])
                wait_for(lambda: [n for n in names(tmp_path) if n.startswith(".x")])
                feed.write(data[len(data) // 2 : -100])
                time.sleep(0.2)
                assert process.poll() is None
                process.send_signal(getattr(signal, name))
                _, err = process.communicate(timeout=8)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode not in (0, 2, 3)
        assert "Traceback" not in err
        assert err.startswith("error: ")
        assert names(tmp_path) == (["pipe", "x.lh5"] if existing else ["pipe"])
        if existing:
            assert out.read_bytes() == OF_BEFORE

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
    def test_no_signal_is_lost(self, run, tmp_path, name):
        """Python drops exceptions of weak references' callbacks, as h5py has them.

        A signal that comes in one must stop the conversion all the same.
        """
        done = subprocess.run(
            [sys.executable, "-c", SIGNAL_IN_CALLBACK, name, str(run), "x.lh5"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=ENVIRONMENT,
            timeout=60,
            check=False,
        )
        assert "KeyboardInterrupt" in done.stderr or "error: " in done.stderr
        assert done.returncode not in (0, 2, 3)
        assert names(tmp_path) == []


def wait_for(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_files_of_other_users_may_be_readable_as_usual(run, tmp_path):
    """The mode of new files is what the umask says."""
    old = os.umask(0o027)
    try:
        daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")
    finally:
        os.umask(old)
    assert (tmp_path / "x.lh5").stat().st_mode & 0o777 == 0o640


def test_discard_removes_what_was_written(tmp_path):
    outputs = OutputFiles(overwrite=False)
    outputs.writer_of(str(tmp_path / "a.lh5"))
    outputs.writer_of(str(tmp_path / "b.lh5"))
    assert len(names(tmp_path)) == 2
    outputs.discard()
    assert names(tmp_path) == []
    outputs.discard()
