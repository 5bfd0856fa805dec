"""`daq2lh5.resources.threads`: a pool that no interruption can hang."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from daq2lh5.resources.threads import Threads


class TestThreads:
    def test_results(self):
        pool = Threads(2, "test")
        tasks = [pool.submit(lambda i=i: i * i) for i in range(20)]
        assert [t.result() for t in tasks] == [i * i for i in range(20)]
        assert tasks[0].result() == 0  # as often as one likes
        pool.close()

    def test_errors_belong_to_who_asks(self):
        pool = Threads(1, "test")
        bad = pool.submit(lambda: 1 // 0)
        good = pool.submit(lambda: 1)
        with pytest.raises(ZeroDivisionError):
            bad.result()
        assert good.result() == 1
        pool.close()

    def test_close_gives_up_what_has_not_begun(self):
        pool = Threads(1, "test")
        begun, go_on, done = threading.Event(), threading.Event(), []

        def first() -> None:
            begun.set()
            go_on.wait()
            done.append(0)

        pool.submit(first)
        pool.submit(lambda: done.append(1))
        begun.wait()
        threading.Timer(0.02, go_on.set).start()
        pool.close()
        assert done == [0]

    def test_no_more_threads_than_tasks(self):
        before = threading.active_count()
        pool = Threads(50, "test")
        pool.submit(lambda: None).result()
        assert threading.active_count() - before == 1
        pool.close()
        assert threading.active_count() == before


INTERRUPTED = """
import signal, sys, threading, time
from daq2lh5.resources.threads import Threads

signal.signal(signal.SIGALRM, signal.default_int_handler)
interrupted = 0
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    pool = Threads(2, "test")
    try:
        signal.setitimer(signal.ITIMER_REAL, 2e-4 * (interrupted % 40 + 1) / 8)
        while True:
            tasks = [pool.submit(int) for _ in range(3)]
            for task in tasks:
                task.done
                task.result()
    except KeyboardInterrupt:
        interrupted += 1
    finally:
        pool.close()
print(interrupted, threading.active_count())
"""


def test_interrupted_anywhere():
    """However often and wherever the main thread is interrupted, nothing hangs."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "3"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    interrupted, threads = map(int, done.stdout.split())
    assert interrupted > 100
    assert threads == 1
