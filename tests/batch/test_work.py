"""Worker processes: the result of a file does not depend on other files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import h5py
import pytest
from kit.places import ENVIRONMENT
from kit.writers import fcio

from daq2lh5 import build_raw
from daq2lh5.batch.work import Job, Listener, convert_all
from daq2lh5.conversion.targets import target_of

LONG = 400


def make_jobs(folder: Path, n: int, n_events: int = 3, **arguments) -> list[Job]:
    """Make `n` inputs, and the jobs to convert them."""
    jobs = []
    for i in range(n):
        file = folder / f"run_{i}.fcio"
        file.write_bytes(fcio.make_stream(n_events, n_channels=2, n_samples=20))
        given = {"memory_limit": 1 << 26, "threads": 1} | arguments
        jobs.append(job_for(file, folder / f"run_{i}.lh5", **given))
    return jobs


def job_for(file: Path, output: Path, **arguments) -> Job:
    return Job([str(file)], target_of(output, str(file), {}), arguments)


def output_of(job: Job) -> Path:
    return Path(job.target.files[0])


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if "daq2lh5" in p.name]


class Killer(Listener):
    """Kills the worker that begins a file, the first `times` times."""

    def __init__(self, name: str, times: int, number: int = signal.SIGKILL) -> None:
        self.name, self.times, self.number = name, times, number
        self.lines: list[str] = []
        self.n_again = 0

    def begin(self, file: str, pid: int | None) -> None:
        if file.endswith(self.name) and self.times:
            self.times -= 1
            os.kill(pid, self.number)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def again(self, result) -> None:
        self.n_again += 1


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_outputs_equal_the_outputs_of_single_conversions(tmp_path, n_workers):
    jobs = make_jobs(tmp_path, 5)
    results = list(convert_all(jobs, n_workers))
    assert sorted(r.file for r in results) == [j.file for j in jobs]
    assert {r.status for r in results} == {0}
    for job in jobs:
        alone = f"{job.file}.alone.lh5"
        build_raw(job.file, out_spec=alone, **job.arguments)
        assert output_of(job).read_bytes() == Path(alone).read_bytes()


def test_a_killed_worker_fails_its_file_alone(tmp_path):
    jobs = make_jobs(tmp_path, 5)
    killer = Killer("run_1.fcio", 1)
    results = {Path(r.file).stem: r for r in convert_all(jobs, 2, listener=killer)}
    assert results["run_1"].status == 1
    assert "SIGKILL" in results["run_1"].error
    assert [r.status for n, r in results.items() if n != "run_1"] == [0] * 4
    assert not (tmp_path / "run_1.lh5").exists()
    assert not leftovers(tmp_path)


def test_failed_files_are_tried_again(tmp_path):
    jobs = make_jobs(tmp_path, 3)
    killer = Killer("run_1.fcio", 2)
    results = list(convert_all(jobs, 2, retries=2, listener=killer))
    assert {r.status for r in results} == {0}
    assert killer.n_again == 2
    assert sorted(r.attempts for r in results) == [1, 1, 3]


def test_wrong_arguments_are_not_tried_again(tmp_path):
    jobs = make_jobs(tmp_path, 2)
    output_of(jobs[0]).write_bytes(b"in the way")
    results = {r.file: r for r in convert_all(jobs, 2, retries=3)}
    assert results[jobs[0].file].status == 2
    assert results[jobs[0].file].attempts == 1
    assert results[jobs[1].file].status == 0


def test_a_conversion_that_takes_too_long_is_stopped(tmp_path):
    jobs = make_jobs(tmp_path, 2)
    os.mkfifo(tmp_path / "silent")
    jobs.append(job_for(tmp_path / "silent", tmp_path / "s.lh5"))
    start = time.monotonic()
    results = {Path(r.file).name: r for r in convert_all(jobs, 3, timeout=15)}
    assert time.monotonic() - start < 100
    assert results["silent"].status == 1
    assert "stopped after 15 s" in results["silent"].error
    assert results["run_0.fcio"].status == results["run_1.fcio"].status == 0
    assert not (tmp_path / "s.lh5").exists()


def test_fail_fast_stops_after_the_first_failure(tmp_path):
    jobs = make_jobs(tmp_path, 6)
    killer = Killer("run_0.fcio", 1)
    results = list(convert_all(jobs, 1, timeout=600, fail_fast=True, listener=killer))
    assert [r.status for r in results] == [1]
    assert not list(tmp_path.glob("*.lh5"))


def test_messages_of_workers_are_lines_of_the_batch(tmp_path):
    jobs = make_jobs(tmp_path, 2)
    Path(jobs[1].file).write_bytes(b"no data of a DAQ at all" * 10)
    listener = Killer("", 0)
    results = {r.file: r for r in convert_all(jobs, 2, listener=listener)}
    assert results[jobs[1].file].status == 1
    assert [x for x in listener.lines if x.startswith(f"error: {jobs[1].file}")]


def test_workers_end_with_the_process_that_started_them(tmp_path):
    """After SIGKILL to the batch no process goes on, and no unfinished file stays."""
    program = textwrap.dedent(
        """
        import os, sys
        from daq2lh5.batch.work import Job, Listener, convert_all
        from daq2lh5.conversion.targets import target_of

        class Say(Listener):
            def begin(self, file, pid):
                print(pid, flush=True)

        jobs = [Job(f, target_of(f + ".lh5", f, {}), {}) for f in sys.argv[1:]]
        list(convert_all(jobs, 2, timeout=600, listener=Say()))
        """
    )
    pipes = [tmp_path / "a", tmp_path / "b"]
    for pipe in pipes:
        os.mkfifo(pipe)
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, pipes)],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    pids = [int(process.stdout.readline()) for _ in pipes]
    # something to read, for ever
    data = fcio.make_stream(LONG, n_channels=2, n_samples=2000)
    over = threading.Event()
    begun = [threading.Event() for _ in pipes]
    writers = [
        threading.Thread(target=feed, args=(pipe, data, event, over), daemon=True)
        for pipe, event in zip(pipes, begun, strict=True)
    ]
    for writer in writers:
        writer.start()
    assert all(event.wait(120) for event in begun)
    process.kill()
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 30
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(is_running, pids))
    over.set()
    for writer in writers:
        writer.join(60)
    assert not list(tmp_path.glob("*.lh5"))
    assert not leftovers(tmp_path)


def feed(
    pipe: Path, data: bytes, begun: threading.Event, over: threading.Event
) -> None:
    """Write data to a pipe until its reader is gone."""
    try:
        with open(pipe, "wb") as file:
            while not over.is_set():
                file.write(data)
                begun.set()
    except OSError:
        pass


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_outputs_are_readable(tmp_path):
    (job,) = make_jobs(tmp_path, 1)
    (result,) = convert_all([job], 2)
    with h5py.File(output_of(job)) as file:
        assert len(file["FCEvent/packet_id"]) == 6
    assert result.report.n_rows == 7
