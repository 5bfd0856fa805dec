"""Buffers and queues stay within their limit, for any number of tables."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import lh5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.places import ENVIRONMENT
from kit.writers import fcio as writer

from daq2lh5.resources.memory import DEFAULT_LIMIT, MIN_LIMIT, MemoryPlan, parse_size

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20

SHORT = 130
"""Bytes of a row of all columns with short rows: as of events."""

VECTORS = 12
"""Vector columns of the table that has most of them: the software trigger's."""

TABLES = st.integers(1, 2400)
ROWS = st.one_of(st.integers(2, 65536), st.integers(1, 16).map(lambda k: 2**k))


class TestPlan:
    @given(tables=TABLES, wide=ROWS, limit=st.integers(MIN_LIMIT, 4 * DEFAULT_LIMIT))
    def test_at_least_a_row(self, tables, wide, limit):
        plan = MemoryPlan(limit, tables)
        assert plan.chunk_rows(wide) >= 1
        assert plan.short_chunk_rows(SHORT) >= 1
        assert plan.chunk_elements(8) >= 1
        assert plan.buffer_rows(wide + SHORT, wide, MANY) >= 1
        assert plan.in_flight >= 0

    @given(tables=TABLES, wide=ROWS, limit=st.integers(MIN_LIMIT, 4 * DEFAULT_LIMIT))
    def test_chunks_are_not_large(self, tables, wide, limit):
        plan = MemoryPlan(limit, tables)
        assert plan.chunk_rows(wide) * wide <= MIB
        assert plan.chunk_elements(8) * 8 <= MIB

    @given(tables=TABLES, wide=ROWS, limit=st.integers(MIN_LIMIT, 4 * DEFAULT_LIMIT))
    def test_all_together(self, tables, wide, limit):
        """Buffers, what is on its way, held back and waiting: within the limit.

        Unless a single row of each table, or the least of short ones, is too much.
        """
        plan = MemoryPlan(limit, tables)
        row = wide + SHORT
        buffers = tables * plan.buffer_rows(row, wide, MANY) * row
        waiting = tables * (
            plan.chunk_rows(wide) * wide + plan.short_chunk_rows(SHORT) * SHORT
        )
        held = getattr(plan, "held", 0)
        least = tables * (2 * row + 16 * SHORT)
        if least <= limit / 8:
            assert buffers + plan.in_flight + held + waiting <= limit

    @given(limit=st.integers(MIN_LIMIT, 4 * DEFAULT_LIMIT), tables=st.integers(1, 10))
    def test_vector_columns(self, limit, tables):
        """One table with many of them, as of the software trigger; others have none."""
        plan = MemoryPlan(limit, tables)
        flat = VECTORS * plan.chunk_elements(8) * 8
        short = plan.short_chunk_rows(8 * VECTORS) * 8 * VECTORS
        assert flat + short <= limit

    @given(tables=TABLES, wide=ROWS)
    def test_default_limit_is_enough_for_everything(self, tables, wide):
        plan = MemoryPlan(DEFAULT_LIMIT, tables)
        row = wide + SHORT
        total = plan.in_flight + tables * (
            plan.buffer_rows(row, wide, MANY) * row
            + plan.chunk_rows(wide) * wide
            + plan.short_chunk_rows(SHORT) * SHORT
        )
        assert total <= DEFAULT_LIMIT

    @given(wide=ROWS, tables=TABLES)
    def test_more_tables_never_get_more(self, wide, tables):
        more, fewer = MemoryPlan(tables=tables + 1), MemoryPlan(tables=tables)
        assert more.chunk_rows(wide) <= fewer.chunk_rows(wide)
        assert more.short_chunk_rows(SHORT) <= fewer.short_chunk_rows(SHORT)

    @given(wide=st.integers(256, 65536))
    def test_buffers_hold_whole_chunks(self, wide):
        """Where they hold one: then no rows wait."""
        plan = MemoryPlan()
        rows, chunk = plan.buffer_rows(wide + SHORT, wide, MANY), plan.chunk_rows(wide)
        assert rows < chunk or rows % chunk == 0

    def test_says_nothing_of_threads(self):
        """So that the files cannot depend on them."""
        assert "threads" not in MemoryPlan.__dataclass_fields__


class TestSizes:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("1000", 1000),
            ("1k", 1024),
            ("512M", 512 * MIB),
            ("1GiB", 2**30),
            ("1.5G", 3 * 2**29),
            (" 2 gb ", 2**31),
            ("1T", 2**40),
            ("7B", 7),
        ],
    )
    def test_good(self, text, wanted):
        assert parse_size(text) == wanted

    @pytest.mark.parametrize(
        "text", ["", "M", "-1", "1X", "1 2", "1e9", "0x10", "1,5G", "inf", "1GiBs"]
    )
    def test_bad(self, text):
        with pytest.raises(ValueError, match="size"):
            parse_size(text)


CONVERT = """
import json, sys
import daq2lh5
def peak():
    with open("/proc/self/status") as f:
        return 1024 * int(next(l for l in f if l.startswith("VmHWM")).split()[1])
options = json.loads(sys.argv[3])
out = sys.argv[2]
if options.pop("each", False):
    key_list = {"key_list": ["*"], "out_stream": out}
    out = {"FCEventDecoder": {"ch{key:07d}/raw": key_list}, "*": {"{name}": key_list}}
before = peak()
report = daq2lh5.build_raw(sys.argv[1], out_spec=out, overwrite=True, **options)
print(json.dumps([before, peak(), report.peak_memory]))
"""

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the peak is read from /proc"
)


def convert(source: Path, out: Path, **options) -> list[int]:
    """Convert in a process of its own; return its memory before and at the peak."""
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, str(source), str(out), json.dumps(options)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


MANY = 1 << 40
"""More rows than any buffer has."""


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("many") / "run.fcio"
    writer.write_stream(path, 5, n_channels=300, n_samples=1000, repeat=8)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    """One of 20 MB, and one of 100 MB."""
    directory = tmp_path_factory.mktemp("runs")
    paths = []
    for repeat in (16, 80):
        path = directory / f"{repeat}.fcio"
        writer.write_stream(path, 50, n_channels=6, n_samples=2000, repeat=repeat)
        paths.append(path)
    return paths


@linux
class TestConversions:
    @pytest.mark.parametrize("limit", [2**26, DEFAULT_LIMIT])
    def test_a_table_for_each_of_many_channels(self, many, limit, tmp_path):
        out = tmp_path / "x.lh5"
        _, peak, _ = convert(many, out, each=True, memory_limit=limit, threads=2)
        assert peak <= limit + 250e6
        for name in ("ch1027200", "ch1027205"):
            if name in lh5.ls(out):
                assert len(lh5.read(f"{name}/raw", out)) == 40
        assert len([n for n in lh5.ls(out) if n.startswith("ch")]) == 300

    @pytest.mark.parametrize("threads", [1, 3])
    def test_longer_inputs_need_no_more(self, runs, threads, tmp_path):
        """Once the queues are full, which the limit sees to."""
        options = {"threads": threads, "memory_limit": 2**25}
        peaks = [convert(run, tmp_path / "x.lh5", **options)[1] for run in runs]
        assert runs[1].stat().st_size > 4.9 * runs[0].stat().st_size
        assert peaks[1] < peaks[0] + 20e6

    def test_the_report_has_the_peak(self, runs, tmp_path):
        """Of this process, not of the one that started it."""
        _, peak, reported = convert(runs[0], tmp_path / "x.lh5")
        assert abs(reported - peak) < 10e6


MANY_BUFFERS = """
import sys
import numpy as np
import lgdo, lh5
from daq2lh5.raw_buffer import RawBuffer, write_to_lh5_and_clear
def peak():
    with open("/proc/self/status") as f:
        return 1024 * int(next(l for l in f if l.startswith("VmHWM")).split()[1])
table = lgdo.Table(size=200)
values = np.zeros((200, 1000), "u2")
table.add_field("values", lgdo.ArrayOfEqualSizedArrays(nda=values, dims=(1, 1)))
before = peak()
for _ in range(3):
    buffers = []
    for i in range(200):
        rb = RawBuffer(lgdo=table, out_stream=sys.argv[1], out_name=f"ch{i}/raw")
        rb.loc = 200
        buffers.append(rb)
    write_to_lh5_and_clear(buffers)
print(peak() - before)
"""


@linux
def test_buffers_of_many_tables(tmp_path):
    """Written one after the other: no more is held than of some of them.

    All of them together have 80 MB, and more in chunks that are not full.
    """
    done = subprocess.run(
        [sys.executable, "-c", MANY_BUFFERS, str(tmp_path / "x.lh5")],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert int(done.stdout) < 60e6


@pytest.mark.parametrize(
    ("limit", "tables", "changes"),
    [
        (DEFAULT_LIMIT, 500, False),
        (DEFAULT_LIMIT // 2, 3, False),
        (DEFAULT_LIMIT // 2, 33, True),
        (1 << 26, 3, True),
        (8 * DEFAULT_LIMIT, 32, False),
        (8 * DEFAULT_LIMIT, 33, True),
    ],
)
def test_limits_that_change_outputs(limit, tables, changes):
    """They are stored in the output."""
    plan = MemoryPlan(limit, tables)
    plan.chunk_rows(12000)
    plan.for_more().buffer_rows(12300, 12000, 8192)
    assert plan.changes_output(10_000, 1 << 40) == changes
    assert not plan.changes_output(10, 1 << 20)
