"""Batches on a Dask cluster: a real scheduler and workers, some of which are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit.command_line import convert
from kit.dask_cluster import DaskCluster, dask_cluster
from kit.generators import orca
from kit.places import ENVIRONMENT
from kit.writers import fcio

from daq2lh5 import build_raw
from daq2lh5.batch import ClusterError, Listener, Result, convert_files
from daq2lh5.batch.cluster import convert_on_cluster
from daq2lh5.batch.work import Job, convert_all
from daq2lh5.conversion.targets import target_of

COMMAND = [
    sys.executable,
    "-c",
    "from daq2lh5.cli import main; main()",
    *("convert", "--scheduler=local", "--jobs=2"),
]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

pytest.importorskip("distributed", reason="needs dask: pip install 'daq2lh5[dask]'")


@pytest.fixture(scope="module")
def _cluster(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture
def cluster(_cluster: DaskCluster) -> DaskCluster:
    """A cluster with two workers."""
    _cluster.have(2)
    return _cluster


def job_for(file: Path, **arguments) -> Job:
    output = file.with_suffix(".lh5")
    given = {"memory_limit": 1 << 26, "threads": 1, "buffer_size": 100}
    return Job([str(file)], target_of(output, str(file), {}), given | arguments)


def make_jobs(folder: Path, n: int, **arguments) -> list[Job]:
    folder.mkdir(exist_ok=True)
    jobs = []
    for i in range(n):
        file = folder / f"run_{i}.fcio"
        file.write_bytes(fcio.make_stream(3 + i, n_channels=2, n_samples=20))
        jobs.append(job_for(file, **arguments))
    return jobs


def output_of(job: Job) -> Path:
    return Path(job.target.files[0])


def take_outputs(folder: Path) -> dict[str, bytes]:
    """Return the content of the outputs, and remove them."""
    found = {p.name: p.read_bytes() for p in folder.iterdir() if ".lh5" in p.name}
    for name in found:
        (folder / name).unlink()
    return found


def by_name(results) -> dict[str, Result]:
    return {Path(r.file).name: r for r in results}


class Watcher(Listener):
    """Keeps all events; acts when a file begins, or is being read."""

    def __init__(self, name: str = "", at_begin=None, at_progress=None) -> None:
        self.name, self.at_begin, self.at_progress = name, at_begin, at_progress
        self.pids: dict[str, int] = {}
        self.lines: list[str] = []
        self.failed: list[Result] = []

    def begin(self, file: str, pid: int | None) -> None:
        self.pids[Path(file).name] = pid
        self.act(file, "at_begin")

    def progress(self, file: str, n_bytes: int, n_rows: int) -> None:
        self.act(file, "at_progress")

    def act(self, file: str, when: str) -> None:
        action = getattr(self, when)
        if action is not None and file.endswith(self.name):
            setattr(self, when, None)
            action(self.pids[Path(file).name])

    def line(self, text: str) -> None:
        self.lines.append(text)

    def again(self, result: Result) -> None:
        self.failed.append(result)


@contextmanager
def endless(pipe: Path) -> Iterator[threading.Event]:
    """Make a named pipe with endless data, until its reader is gone.

    Yields an event: some of it was read.
    """
    data = fcio.make_stream(400, n_channels=2, n_samples=2000)
    os.mkfifo(pipe)
    begun = threading.Event()

    def feed() -> None:
        with suppress(BrokenPipeError), open(pipe, "wb") as file:
            while True:
                file.write(data)
                begun.set()

    writer = threading.Thread(target=feed, daemon=True)
    writer.start()
    yield begun
    # if it waits for a reader this is one
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    writer.join(60)
    assert not writer.is_alive()


@contextmanager
def endless_at_first(file: Path) -> Iterator[Callable[[], None]]:
    """Make a file endless until the function that is yielded is called."""
    kept = file.rename(file.parent / "kept")
    with endless(file):
        yield lambda: kept.replace(file)


def connecting_for(time: str) -> AbstractContextManager:
    """Set the time for which Dask tries to connect."""
    import dask

    return dask.config.set({"distributed.comm.timeouts.connect": time})


def test_the_command_gives_the_same_outputs_without_a_cluster(cluster, tmp_path):
    make_jobs(tmp_path, 4)
    (tmp_path / "run_4.orca").write_bytes(orca.make("everything"))
    (tmp_path / "cut.fcio").write_bytes(fcio.make_stream(5, n_channels=2)[:-9])
    (tmp_path / "other.fcio").write_bytes(b"no data of a DAQ at all" * 10)
    arguments = (*tmp_path.iterdir(), "-o", tmp_path, "--json", tmp_path / "json")
    entries, outputs = [], []
    for more in (["--jobs", 2], ["--scheduler", cluster.address]):
        done = convert(*arguments, *more)
        assert done.exit_code == 1, done.output
        assert "7 files: 5 good, 1 failed, 1 damaged" in done.stdout
        assert f"error: {tmp_path / 'other.fcio'}: " in done.stderr
        outputs.append(take_outputs(tmp_path))
        lines = (tmp_path / "json").read_text().splitlines()
        entries.append(sorted(map(json.loads, lines), key=lambda e: e["source"]))
    assert len(outputs[0]) == 7  # the damaged bytes have a file, too
    assert outputs[0] == outputs[1]
    for one, other in zip(*entries, strict=True):
        for entry in (one, other):
            entry.pop("seconds")
            entry.pop("peak_memory")
        assert one == other


def test_the_function_gives_the_same_outputs_without_a_cluster(cluster, tmp_path):
    files = [job.file for job in make_jobs(tmp_path, 3)]
    outputs = []
    for options in ({}, {"scheduler": cluster.address, "jobs": 1}):
        results = by_name(
            convert_files(files, f"{tmp_path}/{{orig_basename}}.lh5", **options)
        )
        assert [r.status for r in results.values()] == [0] * 3
        assert sorted(results) == ["run_0.fcio", "run_1.fcio", "run_2.fcio"]
        outputs.append(take_outputs(tmp_path))
    assert outputs[0] == outputs[1]


def test_names_are_relative_to_the_folder_of_the_batch(cluster, tmp_path, monkeypatch):
    make_jobs(tmp_path / "a", 1)
    make_jobs(tmp_path / "b", 1)
    for folder in ("a", "b"):
        monkeypatch.chdir(tmp_path / folder)
        done = convert("run_0.fcio", "-o", "out.lh5", "--scheduler", cluster.address)
        assert done.exit_code == 0, done.output
        assert (tmp_path / folder / "out.lh5").exists()


def test_the_files_of_a_killed_worker_are_converted_by_another(cluster, tmp_path):
    jobs = make_jobs(tmp_path, 8)
    assert {r.status for r in convert_all(jobs, 2)} == {0}
    wanted = take_outputs(tmp_path)
    with endless_at_first(tmp_path / "run_0.fcio") as restore:

        def restore_and_kill(pid: int) -> None:
            restore()
            cluster.kill_worker_of(pid)

        watcher = Watcher("run_0.fcio", at_progress=restore_and_kill)
        results = by_name(convert_on_cluster(jobs, cluster.address, listener=watcher))
    assert {r.status for r in results.values()} == {0}
    (lost,) = (r for r in watcher.failed if r.file.endswith("run_0.fcio"))
    assert "was lost" in lost.error
    assert results["run_0.fcio"].attempts == 2
    # nothing else is left, such as temporary files
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [*wanted, *(Path(job.file).name for job in jobs)]
    )
    assert take_outputs(tmp_path) == wanted


def test_the_output_of_a_lost_worker_is_replaced(cluster, tmp_path):
    (job,) = make_jobs(tmp_path, 1)
    (tmp_path / "other").mkdir()
    published = tmp_path / "other" / output_of(job).name
    build_raw(job.file, out_spec=published, **job.arguments)
    with endless_at_first(Path(job.file)) as restore:

        def publish_and_kill(pid: int) -> None:
            restore()
            published.rename(output_of(job))
            cluster.kill_worker_of(pid)

        watcher = Watcher(at_progress=publish_and_kill)
        (result,) = convert_on_cluster([job], cluster.address, listener=watcher)
    assert result.status == 0
    assert result.report.outputs == [str(output_of(job))]
    assert len(watcher.failed) == 1


def test_other_existing_outputs_are_not_replaced(cluster, tmp_path):
    jobs = make_jobs(tmp_path, 2)
    output_of(jobs[0]).write_bytes(b"in the way")
    results = by_name(convert_on_cluster(jobs, cluster.address, retries=3))
    assert results["run_0.fcio"].status == 2
    assert results["run_0.fcio"].attempts == 1
    assert results["run_1.fcio"].status == 0
    assert output_of(jobs[0]).read_bytes() == b"in the way"


@pytest.mark.parametrize("retries", [0, 1])
def test_a_conversion_that_crashes_fails_alone(cluster, tmp_path, retries):
    jobs = make_jobs(tmp_path, 4)
    with endless_at_first(tmp_path / "run_0.fcio") as restore:

        def restore_and_kill(pid: int) -> None:
            restore()
            os.kill(pid, signal.SIGKILL)

        watcher = Watcher("run_0.fcio", at_progress=restore_and_kill)
        results = by_name(
            convert_on_cluster(jobs, cluster.address, retries=retries, listener=watcher)
        )
    last = results.pop("run_0.fcio")
    assert last.attempts == 1 + retries
    assert last.status == 1 - retries
    (failed,) = watcher.failed or [last]
    assert failed.status == 1
    assert "SIGKILL" in failed.error
    assert {r.status for r in results.values()} == {0}


def test_a_conversion_that_takes_too_long_is_stopped(cluster, tmp_path):
    good = make_jobs(tmp_path, 2)
    with endless(tmp_path / "pipe.fcio"):
        jobs = [job_for(tmp_path / "pipe.fcio"), *good]
        results = by_name(convert_on_cluster(jobs, cluster.address, timeout=3))
    assert results["pipe.fcio"].status == 1
    assert "stopped after 3 s" in results["pipe.fcio"].error
    assert results["run_0.fcio"].status == results["run_1.fcio"].status == 0


def test_fail_fast_cancels_the_others(cluster, tmp_path):
    (bad,) = make_jobs(tmp_path, 1)
    Path(bad.file).write_bytes(b"no data of a DAQ at all" * 10)
    with endless(tmp_path / "pipe.fcio"):
        jobs = [job_for(tmp_path / "pipe.fcio"), bad]
        results = list(convert_on_cluster(jobs, cluster.address, fail_fast=True))
    assert [r.file for r in results] == [bad.file]
    assert not take_outputs(tmp_path)


def test_files_in_progress_are_stopped_with_the_batch(cluster, tmp_path):
    (good,) = make_jobs(tmp_path, 1)
    with endless(tmp_path / "pipe.fcio") as begun:
        jobs = [job_for(tmp_path / "pipe.fcio"), good]
        results = convert_on_cluster(jobs, cluster.address)
        assert next(results).file == good.file
        assert begun.wait(60)
        results.close()
    assert [*take_outputs(tmp_path)] == [output_of(good).name]
    # and the workers are there for others
    assert [r.status for r in convert_on_cluster([good], cluster.address)] == [0]


@pytest.mark.parametrize("retries", [0, 1])
def test_a_file_whose_workers_are_lost(tmp_path, monkeypatch, retries):
    """The scheduler allows no loss here."""
    name = "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"
    monkeypatch.setitem(ENVIRONMENT, name, "0")
    (job,) = make_jobs(tmp_path, 1)
    with (
        dask_cluster(tmp_path / "dask") as cluster,
        endless_at_first(Path(job.file)) as restore,
    ):
        cluster.have(2)

        def restore_and_kill(pid: int) -> None:
            restore()
            cluster.kill_worker_of(pid)

        watcher = Watcher(at_progress=restore_and_kill)
        (result,) = convert_on_cluster(
            [job], cluster.address, retries=retries, listener=watcher
        )
    assert result.status == 1 - retries
    (failed,) = watcher.failed or [result]
    assert "the workers that converted it were lost" in failed.error


def test_the_cluster_stops_when_the_command_is_killed(cluster, tmp_path):
    with endless(tmp_path / "pipe.fcio") as begun:
        process = subprocess.Popen(
            [*COMMAND[:4], "pipe.fcio", "--scheduler", cluster.address],
            cwd=tmp_path,
            env=ENVIRONMENT,
        )
        assert begun.wait(60)
        process.kill()
        process.wait()
    assert not take_outputs(tmp_path)


def test_the_scheduler_needs_the_package(tmp_path):
    (tmp_path / "without.py").write_text("import sys; sys.modules['daq2lh5'] = None")
    (job,) = make_jobs(tmp_path, 1)
    with dask_cluster(tmp_path / "dask", "--preload", tmp_path / "without.py") as it:
        it.have(1)
        with pytest.raises(ClusterError, match="the scheduler and the workers need"):
            list(convert_on_cluster([job], it.address))


def test_a_limit_of_conversions_at_a_time(cluster, tmp_path):
    jobs = make_jobs(tmp_path, 5)
    busy: set[str] = set()
    most = 0

    class Counter(Listener):
        def begin(self, file: str, pid: int | None) -> None:
            nonlocal most
            busy.add(file)
            most = max(most, len(busy))

    for result in convert_on_cluster(jobs, cluster.address, 1, listener=Counter()):
        assert result.status == 0
        busy.discard(result.file)
    assert most == 1


def test_inputs_missing_on_a_worker(cluster, tmp_path):
    jobs = make_jobs(tmp_path, 2)
    Path(jobs[0].file).unlink()
    jobs.append(Job(["-"], jobs[0].target, {}))
    results = by_name(convert_on_cluster(jobs, cluster.address))
    assert results["run_0.fcio"].status == 2
    assert f"{jobs[0].file} does not exist on " in results["run_0.fcio"].error
    assert "same names" in results["run_0.fcio"].error
    assert "standard input" in results["-"].error
    assert results["run_1.fcio"].status == 0


def test_workers_with_another_version(tmp_path):
    other = tmp_path / "other_version.py"
    other.write_text("from daq2lh5.batch import cluster; cluster.__version__ = '0.0.1'")
    jobs = make_jobs(tmp_path, 3)
    with dask_cluster(tmp_path / "dask") as cluster:
        cluster.have(1, "--preload", other)
        with pytest.raises(ClusterError, match=r"has daq2lh5 0\.0\.1; expected "):
            list(convert_on_cluster(jobs, cluster.address))
        done = convert(jobs[0].file, "--scheduler", cluster.address)
    assert done.exit_code == 1
    assert "install that version there" in done.stderr
    assert "1 not converted" in done.stdout


def test_a_scheduler_that_ends(tmp_path):
    with (
        connecting_for("1s"),
        dask_cluster(tmp_path / "dask") as cluster,
        endless(tmp_path / "pipe.fcio"),
    ):
        cluster.have(1)
        jobs = [job_for(tmp_path / "pipe.fcio")]
        watcher = Watcher(at_progress=lambda pid: cluster.scheduler.kill())
        with pytest.raises(ClusterError, match=r"connection to tcp.* was lost"):
            list(convert_on_cluster(jobs, cluster.address, listener=watcher))
        # they stop the conversion, and do not wait for it
        cluster.end_workers()
    assert not take_outputs(tmp_path)


def test_no_scheduler_at_the_address(tmp_path):
    jobs = make_jobs(tmp_path, 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://127.0.0.1:9"):
        with (
            connecting_for("200ms"),
            pytest.raises(
                ClusterError, match=f"no Dask scheduler answers at {address}"
            ),
        ):
            list(convert_on_cluster(jobs, address))


def test_without_dask(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    (job,) = make_jobs(tmp_path, 1)
    done = convert(job.file, "--scheduler", "local")
    assert done.exit_code == 1
    assert "pip install 'daq2lh5[dask]'" in done.stderr


def test_a_cluster_on_this_computer(tmp_path):
    files = [job.file for job in make_jobs(tmp_path, 3)]
    assert convert(*files, "-o", tmp_path, "--jobs", 2).exit_code == 0
    wanted = take_outputs(tmp_path)
    done = subprocess.run(
        [*COMMAND, *files],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 3, done.stderr
    assert take_outputs(tmp_path) == wanted


def test_ctrl_c(tmp_path):
    (good,) = make_jobs(tmp_path, 1)
    with endless(tmp_path / "pipe.fcio") as begun:
        process = subprocess.Popen(
            [*COMMAND, "pipe.fcio", good.file],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )
        assert "good" in process.stderr.readline()
        assert begun.wait(60)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    with process.stderr as said:
        assert "Traceback" not in said.read()
    assert [*take_outputs(tmp_path)] == [output_of(good).name]
