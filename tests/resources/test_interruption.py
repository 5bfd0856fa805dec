"""`daq2lh5.resources.interruption`: signals set a flag, or are held back."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.resources.interruption import (
    check_interruption,
    interruptible,
    notice_signals,
    without_signals,
)

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(daq2lh5.__file__).parents[1])}
SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"]


def send(name: str = "SIGINT") -> None:
    """Send this process a signal; its handler has run on return."""
    signal.raise_signal(getattr(signal, name))


class TestFlag:
    @pytest.mark.parametrize("name", SIGNALS)
    def test_the_first_signal_sets_it(self, name):
        with notice_signals() as interruption:
            check_interruption()
            send(name)
            assert interruption.number == getattr(signal, name)
            with pytest.raises(KeyboardInterrupt):
                check_interruption()
        # other conversions of the process go on
        check_interruption()

    def test_a_second_signal_raises_at_once(self):
        with notice_signals() as interruption:
            send("SIGTERM")
            with pytest.raises(KeyboardInterrupt):
                send("SIGINT")
            assert interruption.number == signal.SIGTERM

    def test_waiting_for_input_ends_at_once(self):
        with notice_signals():
            with pytest.raises(KeyboardInterrupt), interruptible:
                send()
            with pytest.raises(KeyboardInterrupt), interruptible:
                pytest.fail("there was a signal before")

    def test_handlers_are_restored(self):
        before = [signal.getsignal(getattr(signal, name)) for name in SIGNALS]
        with notice_signals():
            send()
        after = [signal.getsignal(getattr(signal, name)) for name in SIGNALS]
        assert after == before

    def test_ignored_signals_stay_ignored(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with notice_signals():
                send("SIGHUP")
                check_interruption()
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_nothing_changes_in_another_thread(self):
        seen = []

        def use() -> None:
            with notice_signals():
                seen.append(signal.getsignal(signal.SIGINT))

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert seen == [signal.getsignal(signal.SIGINT)]


class TestWithoutSignals:
    def test_a_signal_comes_afterwards(self):
        seen = []

        def work() -> None:
            with without_signals():
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
                seen.append("whole")

        with pytest.raises(KeyboardInterrupt):
            work()
        assert seen == ["whole"]

    def test_the_flag_is_set_afterwards(self):
        with notice_signals() as interruption:
            with without_signals():
                send()
                send()
                assert interruption.number is None
            assert interruption.number == signal.SIGINT

    def test_handlers_are_the_same_as_before(self):
        before = signal.getsignal(signal.SIGINT)
        with without_signals():
            assert signal.getsignal(signal.SIGINT) is not before
        assert signal.getsignal(signal.SIGINT) is before

    def test_nothing_changes_in_another_thread(self):
        seen = []

        def use() -> None:
            with without_signals():
                seen.append(signal.getsignal(signal.SIGINT))

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert seen == [signal.getsignal(signal.SIGINT)]


# --- the command line -----------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def start(code: list[str], **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *code],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        **options,
    )


def stopped(process: subprocess.Popen) -> str:
    """Wait for a process that has to end now; return its messages."""
    try:
        return process.communicate(timeout=20)[1]
    finally:
        process.kill()


def catches(process: subprocess.Popen, number: int) -> bool:
    """Whether a process has a handler of a signal, besides Python's for SIGINT."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    handlers = int(caught.split()[1], 16)
    return all(handlers >> (n - 1) & 1 for n in (number, signal.SIGTERM))


def wait_until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="not on Linux")
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("kind", ["no writer", "plain", "gzip"])
def test_a_conversion_that_waits_for_a_pipe(kind, name, pipe, tmp_path):
    """One signal suffices, whatever it waits for; the exit status names the signal."""
    command = ["-m", "daq2lh5", "convert", "-o", str(tmp_path / "x.lh5"), str(pipe)]
    process = start(command)
    number = getattr(signal, name)
    if kind == "no writer":
        # after the imports: Python itself handles earlier signals
        wait_until(lambda: catches(process, number))
        time.sleep(0.2)
        process.send_signal(number)
        errors = stopped(process)
    else:
        data = writer.make_stream(30, n_channels=3, n_samples=30)[:-100]
        with pipe.open("wb", buffering=0) as feed:
            feed.write(gzip.compress(data)[:-20] if kind == "gzip" else data)
            wait_until(lambda: len(list(tmp_path.iterdir())) > 1)
            time.sleep(0.2)
            process.send_signal(number)
            errors = stopped(process)
    assert process.returncode == 128 + number
    assert errors == f"error: {pipe}: interrupted, no output written\n"
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


BUSY = """
import importlib, sys, time
from daq2lh5.cli import main

module = importlib.import_module("daq2lh5.conversion.loop")

def write(*args, **kwargs):
    print("busy", flush=True)
    while True:
        time.sleep(0.01)

module._write = write
main(["convert", "-o", sys.argv[2], sys.argv[1]])
"""


def test_a_second_signal_stops_a_busy_conversion(tmp_path):
    run = tmp_path / "run.fcio"
    writer.write_stream(run, 3)
    out = tmp_path / "x.lh5"
    process = start(["-c", BUSY, str(run), str(out)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == "busy\n"
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "interrupted, no output written" in stopped(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert [p.name for p in tmp_path.iterdir()] == ["run.fcio"]


def test_nohup(pipe, tmp_path):
    """A conversion that ignores the end of its terminal goes on."""
    out = tmp_path / "x.lh5"
    data = writer.make_stream(30, n_channels=3, n_samples=30)
    command = ["-m", "daq2lh5", "convert", "-o", str(out), str(pipe)]
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(command, stdout=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGHUP, before)
    with pipe.open("wb", buffering=0) as feed:
        feed.write(data[: len(data) // 2])
        wait_until(lambda: len(list(tmp_path.iterdir())) > 1)
        process.send_signal(signal.SIGHUP)
        feed.write(data[len(data) // 2 :])
    assert stopped(process) == ""
    assert process.returncode == 0
    assert out.exists()
