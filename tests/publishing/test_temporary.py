"""Temporary files belong to one conversion, and leftovers of kills are removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import pytest
from kit.places import ENVIRONMENT
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.publishing import locks, temporary
from daq2lh5.publishing.repair import Leftovers, repair
from daq2lh5.publishing.temporary import PARTIAL, Temporary, label_of, parse, remove

LONG = "experiment_hall_B_commissioning_campaign_run000"


def make_run(path: Path, n: int) -> Path:
    path.write_bytes(writer.make_stream(n, n_channels=3, n_samples=30))
    return path


def rows(path: Path) -> int:
    with h5py.File(path) as f:
        return len(f["FCEvent/eventnumber"])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("run") / "run.fcio", 20)


def convert(*arguments, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "daq2lh5", "convert", *map(str, arguments)],
        env=ENVIRONMENT | options.pop("env", {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(condition, seconds: float = 30):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


def is_locked(path: Path) -> bool:
    with path.open("rb") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def partials(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name.endswith(PARTIAL))


class Fed:
    """A conversion that waits for more input from a named pipe."""

    def __init__(self, out: Path, n: int, folder: Path, *arguments, **options) -> None:
        self.pipe = folder / f"pipe{n}"
        os.mkfifo(self.pipe)
        self.data = writer.make_stream(n, n_channels=3, n_samples=30)
        before = set(partials(out.parent))
        self.process = convert(
            *("-b", "8", "-o", out, self.pipe, *arguments), **options
        )
        # larger than the pipe's buffer
        self.feed = self.pipe.open("wb", buffering=0)
        self.feed.write(self.data[:20000])
        self.made = wait_for(lambda: set(partials(out.parent)) - before)

    def finish(self) -> tuple[int, str]:
        self.feed.write(self.data[20000:])
        self.feed.close()
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.feed.close()


@pytest.fixture
def fed(tmp_path):
    """Start conversions of pipes; unfinished ones are killed after the test."""
    started = []

    def start(out: Path, n: int = 20, *arguments, **options) -> Fed:
        started.append(Fed(out, n, tmp_path, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.kill()


class TestOneFileForEach:
    def test_four_threads_with_names_that_begin_alike(self, tmp_path):
        sources = [make_run(tmp_path / f"{i}.fcio", 5 + i) for i in range(4)]
        outs = [tmp_path / "out" / f"{LONG}{i}.lh5" for i in range(4)]
        errors = []

        def build(source, out):
            try:
                daq2lh5.build_raw(source, out_spec=out, threads=1)
            except BaseException as e:
                errors.append(e)

        threads = [
            threading.Thread(target=build, args=pair)
            for pair in zip(sources, outs, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        counts = [rows(out) for out in outs]
        assert [c - counts[0] for c in counts] == [0, 3, 6, 9]
        assert len(list((tmp_path / "out").iterdir())) == 4

    def test_two_containers_with_one_folder(self, tmp_path, fed):
        """Both are process 1 of their name space, and overlap in time."""
        unshare = [shutil.which("unshare") or "unshare", "--user", "--pid", "--fork"]
        try:
            subprocess.run([*unshare, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("name spaces cannot be made here")
        python = tmp_path / "python"
        python.write_text(
            f'#!/bin/sh\nexec {" ".join(unshare)} {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        out = tmp_path / "out"
        out.mkdir()
        options = {"executable": python}
        first = fed(out / f"{LONG}1.lh5", 20, **options)
        second = fed(out / f"{LONG}2.lh5", 30, **options)
        assert second.finish()[0] == 0
        assert first.finish()[0] == 0
        assert rows(out / f"{LONG}2.lh5") - rows(out / f"{LONG}1.lh5") == 30
        assert len(list(out.iterdir())) == 2

    def test_two_conversions_to_one_new_name(self, tmp_path, fed):
        """The second reports that the file exists, and leaves it."""
        out = tmp_path / "x.lh5"
        first, second = fed(out, 20), fed(out, 30)
        assert first.finish()[0] == 0
        before = out.read_bytes()
        status, err = second.finish()
        assert status == 2
        (line,) = err.splitlines()
        assert "x.lh5 appeared meanwhile" in line
        assert out.read_bytes() == before
        assert partials(tmp_path) == []

    def test_two_conversions_to_one_name_that_may_be_replaced(self, tmp_path, fed):
        """The file is that of the last one."""
        out = tmp_path / "x.lh5"
        first, second = fed(out, 20, "-w"), fed(out, 30, "-w")
        assert second.finish()[0] == 0
        more = rows(out)
        assert first.finish()[0] == 0
        assert more - rows(out) == 30
        assert partials(tmp_path) == []


class TestNames:
    @pytest.mark.parametrize("name", ["x.lh5", "é" * 100, "\U0001f600" * 63, "a" * 255])
    def test_are_short_enough_and_recognized(self, tmp_path, name):
        made = Temporary(tmp_path / name)
        assert parse(made.path.name) == (label_of(name), PARTIAL)
        assert len(os.fsencode(made.path.name)) < 140
        assert made.path.name.startswith(".")
        made.discard()
        assert list(tmp_path.iterdir()) == []

    def test_of_long_names_that_begin_alike_are_told_apart(self):
        labels = {label_of("a" * 200 + str(i)) for i in range(100)}
        assert len(labels) == 100

    @pytest.mark.parametrize("name", [".x.partial", "x.lh5", ".a.12.34" + PARTIAL, ""])
    def test_of_others_are_not_ours(self, name):
        assert parse(name) is None

    def test_no_file_is_taken_over(self, tmp_path, monkeypatch):
        numbers = iter([b"\0" * 6, b"\0" * 6, b"\1" * 6])
        monkeypatch.setattr(os, "urandom", lambda _: next(numbers))
        first = Temporary(tmp_path / "x.lh5")
        os.write(first.descriptor, b"first")
        second = Temporary(tmp_path / "x.lh5")
        assert first.path != second.path
        assert first.path.read_bytes() == b"first"
        second.discard()
        first.discard()

    def test_one_that_is_taken_for_a_rest_in_the_first_moment(
        self, tmp_path, monkeypatch
    ):
        """If another process removes it before it is locked, a second one is made."""
        taken = []

        def too_late(descriptor):
            if not taken:
                taken.extend(partials(tmp_path))
                assert remove(taken[0])
            return locks.hold(descriptor)

        monkeypatch.setattr(temporary, "hold", too_late)
        made = Temporary(tmp_path / "x.lh5")
        assert taken
        assert partials(tmp_path) == [made.path]
        made.discard()

    def test_one_that_is_about_to_be_removed(self, tmp_path, monkeypatch):
        """Removing needs the lock, and that the name is still the same file."""
        removing = []

        def locked(descriptor):
            if not removing:
                (path,) = partials(tmp_path)
                removing.append(path.open("rb"))
                fcntl.flock(removing[0], fcntl.LOCK_EX)
            return locks.hold(descriptor)

        monkeypatch.setattr(temporary, "hold", locked)
        made = Temporary(tmp_path / "x.lh5")
        assert partials(tmp_path) == [made.path]
        assert Path(removing[0].name) != made.path
        removing[0].close()
        made.discard()


class TestLeftovers:
    def test_what_a_kill_left_is_removed_by_the_next(self, run, tmp_path, fed):
        out = tmp_path / "out" / "x.lh5"
        out.parent.mkdir()
        fed(out).kill()
        assert len(partials(out.parent)) == 1
        daq2lh5.build_raw(run, out_spec=out)
        assert [p.name for p in out.parent.iterdir()] == ["x.lh5"]

    @pytest.mark.parametrize("locking", [None, "TRUE", "FALSE", "BEST_EFFORT"])
    def test_what_is_written_to_is_left(self, run, tmp_path, fed, locking):
        """Also while the conversion waits, and with any setting of HDF5's locks."""
        env = {} if locking is None else {"HDF5_USE_FILE_LOCKING": locking}
        out = tmp_path / "out" / "x.lh5"
        out.parent.mkdir()
        one = fed(out, env=env)
        wait_for(lambda: is_locked(*one.made))
        time.sleep(0.2)  # until it waits for more input
        os.kill(one.process.pid, signal.SIGSTOP)
        report = daq2lh5.build_raw(run, out_spec=out)
        assert report.clean
        (path,) = partials(out.parent)
        assert {path} == one.made
        assert "writing" in "".join(repair(out.parent, force=True).left)
        out.unlink()
        os.kill(one.process.pid, signal.SIGCONT)
        status, err = one.finish()
        assert (status, err) == (0, "")
        assert rows(out) == rows_of(run)

    def test_others_are_left(self, run, tmp_path):
        """Temporary files of other names, and files with similar names, stay."""
        made = Temporary(tmp_path / "y.lh5")
        made.release()
        (tmp_path / ".x.lh5.5-0.partial").write_bytes(b"")
        daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")
        assert made.path.exists()
        assert (tmp_path / ".x.lh5.5-0.partial").exists()

    def test_links_and_pipes_of_such_names_are_left(self, tmp_path):
        (tmp_path / "mine").write_bytes(b"mine")
        link = tmp_path / temporary.hidden_name(tmp_path / "x", PARTIAL).name
        link.symlink_to("mine")
        pipe = tmp_path / temporary.hidden_name(tmp_path / "x", PARTIAL).name
        os.mkfifo(pipe)
        Leftovers(tmp_path).remove(tmp_path / "x")
        assert link.is_symlink()
        assert pipe.exists()
        assert not remove(link, force=True)
        assert not remove(pipe, force=True)

    def test_without_locks_nothing_is_removed_but_on_request(
        self, tmp_path, monkeypatch
    ):
        def no_locks(*_):
            raise OSError(38, os.strerror(38))

        made = Temporary(tmp_path / "x.lh5")
        made.release()
        monkeypatch.setattr(fcntl, "flock", no_locks)
        Leftovers(tmp_path).remove(tmp_path / "x.lh5")
        assert len(repair(tmp_path).left) == 1
        assert made.path.exists()
        assert repair(tmp_path, force=True).left == []
        assert not made.path.exists()

    def test_of_another_computer_they_stay_for_a_day(self, tmp_path, monkeypatch):
        """On shared file systems locks may be invisible to other computers."""
        with monkeypatch.context() as m:
            m.setattr(temporary, "SYSTEM", "01234567")
            made = Temporary(tmp_path / "x.lh5")
            made.release()
        Leftovers(tmp_path).remove(tmp_path / "x.lh5")
        assert made.path.exists()
        later = time.time() + temporary.FOREIGN_SECONDS + 60
        monkeypatch.setattr(time, "time", lambda: later)
        Leftovers(tmp_path).remove(tmp_path / "x.lh5")
        assert not made.path.exists()

    def test_readers_may_open_a_file_as_soon_as_it_has_its_name(self, run, tmp_path):
        """HDF5 locks files that it reads; our lock must not conflict."""
        made = Temporary(tmp_path / "x.lh5")
        with h5py.File(made.path, "w", locking=False) as f:
            f["a"] = 1
        with h5py.File(made.path, "r", locking=True) as f:
            assert f["a"][()] == 1
        made.discard()


def rows_of(run: Path) -> int:
    report = daq2lh5.build_raw(run, out_spec=run.with_suffix(".lh5"), overwrite=True)
    (tables,) = report.tables.values()
    return tables["FCEvent"].rows


class TestPermissions:
    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444, 0o2660])
    def test_mode_of_a_replaced_file_is_kept(self, run, tmp_path, mode):
        out = tmp_path / "x.lh5"
        daq2lh5.build_raw(run, out_spec=out)
        out.chmod(mode)
        daq2lh5.build_raw(run, out_spec=out, overwrite=True)
        assert stat.S_IMODE(out.stat().st_mode) == mode

    def test_what_replaces_a_private_file_is_private_from_the_start(self, tmp_path):
        out = tmp_path / "x.lh5"
        out.touch(0o600)
        made = Temporary(out)
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
        made.discard()

    @pytest.mark.skipif(os.geteuid() != 0, reason="files can't be given to others")
    def test_owner_and_group_are_kept(self, run, tmp_path):
        out = tmp_path / "x.lh5"
        daq2lh5.build_raw(run, out_spec=out)
        os.chown(out, 1234, 2345)
        out.chmod(0o640)
        daq2lh5.build_raw(run, out_spec=out, overwrite=True)
        now = out.stat()
        assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (
            1234,
            2345,
            0o640,
        )

    def test_who_cannot_keep_the_group_gives_it_no_more_than_all(
        self, tmp_path, monkeypatch
    ):
        out = tmp_path / "x.lh5"
        out.touch()
        out.chmod(0o664)

        def refuse(*_):
            raise PermissionError(1, os.strerror(1))

        monkeypatch.setattr(os, "fchown", refuse)
        made = Temporary(out)
        old = list(out.stat())
        old[5] += 1
        assert made.take_permissions(os.stat_result(old)) == "group"
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o644
        made.discard()

    @pytest.mark.parametrize("umask", [0o002, 0o077, 0o277])
    def test_new_files_follow_the_umask(self, run, tmp_path, umask):
        before = os.umask(umask)
        try:
            daq2lh5.build_raw(run, out_spec=tmp_path / "x.lh5")
        finally:
            os.umask(before)
        mode = stat.S_IMODE((tmp_path / "x.lh5").stat().st_mode)
        assert mode == 0o666 & ~umask

    def test_a_link_is_followed(self, run, tmp_path):
        """The new file replaces the link's target, with the target's mode."""
        (tmp_path / "disk").mkdir()
        out = tmp_path / "disk" / "x.lh5"
        link = tmp_path / "l.lh5"
        link.symlink_to("disk/x.lh5")
        daq2lh5.build_raw(run, out_spec=link)
        out.chmod(0o640)
        daq2lh5.build_raw(run, out_spec=link, overwrite=True)
        assert link.is_symlink()
        assert stat.S_IMODE(out.stat().st_mode) == 0o640
        assert sorted(p.name for p in tmp_path.rglob("*")) == ["disk", "l.lh5", "x.lh5"]
