"""Work in several threads: its order, its limit, its errors."""

from __future__ import annotations

import random
import threading
import time

import pytest

from daq2lh5.writing import pipeline
from daq2lh5.writing.pipeline import Pipeline


class TestPipeline:
    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_results_come_in_order(self, threads):
        done: list[int] = []
        work = Pipeline(threads, limit=3)
        rng = random.Random(1)
        for i in range(60):
            seconds = rng.random() / 500

            def task(_, i=i, seconds=seconds):
                time.sleep(seconds)
                return i

            work.submit(1, task, done.append)
        work.drain()
        work.close()
        assert done == list(range(60))

    @pytest.mark.parametrize("threads", [2, 4])
    def test_no_more_than_the_limit_is_on_its_way(self, threads):
        """But for one that is larger than that."""
        work = Pipeline(threads, limit=100)
        held, most = 0, 0

        def submit(size: int) -> None:
            nonlocal held, most

            def done(_) -> None:
                nonlocal held
                held -= size

            held += size
            work.submit(size, lambda _: time.sleep(0.0005), done)
            most = max(most, held)

        for size in [30, 70, 100, 1, 1, 1, 250, 5, 99] * 5:
            submit(size)
            assert held <= 100
        work.drain()
        work.close()
        assert held == 0

    def test_one_thread_means_none(self, monkeypatch):
        monkeypatch.setattr(pipeline, "Threads", None)
        seen = []
        work = Pipeline(1)
        work.submit(10, lambda _: threading.current_thread(), seen.append)
        work.close()
        assert seen == [threading.main_thread()]

    def test_an_error_stops_what_comes_after(self):
        done: list[int] = []
        work = Pipeline(2, limit=10**9)

        def task(i):
            def run(_):
                if i == 5:
                    message = "five"
                    raise RuntimeError(message)
                return i

            return run

        def submit_all():
            for i in range(50):
                work.submit(1, task(i), done.append)
            work.drain()

        with pytest.raises(RuntimeError, match="five"):
            submit_all()
        work.close()
        assert done == [0, 1, 2, 3, 4]
        assert not [t for t in threading.enumerate() if t.name.startswith("daq2lh5")]
