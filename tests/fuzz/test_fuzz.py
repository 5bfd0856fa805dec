"""A short run of the harness: a few hundred damaged inputs of a fixed seed.

How many: `DAQ2LH5_DAMAGED_FILES` (default 200), from which seed: `DAQ2LH5_DAMAGE_SEED`.
Longer runs, by ``tests/fuzz/run.py``, are of the same cases.
"""

from __future__ import annotations

import pytest
from fuzz import pool, targets
from fuzz.cases import FORMATS, run_case
from fuzz.kill_batch import BatchKills
from fuzz.pieces import KINDS, Changes, Stream
from kit.generators.damage import N_FILES, SEED


def test_damaged_inputs_of_all_formats():
    """Nothing whole is lost, nothing broken is silent, every byte is accounted for."""
    pytest.importorskip("uproot")
    formats = [f for f in FORMATS if f != "real"]
    cases = ((f, SEED, n) for n in range(N_FILES // len(formats)) for f in formats)
    verdicts = list(pool.run(cases, 2, limit_memory=True))
    wrong = [
        (f"{v.format} --seed {v.seed} --only {v.number}", v.case, v.problems)
        for v in verdicts
        if v.problems
    ]
    assert wrong == []
    assert len(verdicts) == N_FILES // len(formats) * len(formats)


def test_cases_are_reproducible(tmp_path):
    """The same format, seed and number give the same input."""
    first, again, other = (
        run_case("llama", 3, number, str(tmp_path)) for number in (5, 5, 6)
    )
    assert (str(first), first.content) == (str(again), again.content)
    assert first.content != other.content


@pytest.mark.parametrize("kind", KINDS)
def test_changes(kind):
    """Pieces say where each byte of a changed stream comes from."""
    import numpy as np

    data = np.random.default_rng(0).bytes(20_000)
    for seed in range(20):
        stream = Stream(data)
        changes = Changes(np.random.default_rng(seed), [100, 5000], 50, data[::-1])
        changes.make(stream, [kind])
        changed = stream.bytes()
        assert len(changed) == len(stream)
        assert changed[:50] == data[:50]
        for start, end, at in stream.placed():
            assert changed[at : at + end - start] == data[start:end]


def test_killed_batches_go_on(tmp_path):
    """Only unfinished files are converted again, to the same bytes."""
    kills = BatchKills(tmp_path)
    assert [kills.problems(SEED, number) for number in range(3)] == [[]] * 3


def test_a_process_that_ends_is_reported_and_replaced(monkeypatch, tmp_path):
    """Also one that hangs: the other cases are run all the same."""
    # no format of that name: said as the problem of the case
    cases = iter([("llama", 1, 1), ("nothing", 1, 1), ("llama", 1, 2)])
    verdicts = list(pool.run(cases, 1, limit_memory=True))
    assert [bool(v.problems) for v in verdicts] == [False, True, False]
    monkeypatch.setattr(pool, "SECONDS", 0)
    verdicts = list(pool.run(iter([("llama", 1, 1), ("llama", 1, 2)]), 1))
    assert all("hung" in v.problems[0] or "ended" in v.problems[0] for v in verdicts)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_targets_of_guided_fuzzing(name):
    """What they start from, parts of it, and what was found earlier is read."""
    if name == "mgdo":
        pytest.importorskip("uproot")
    found = [path.read_bytes() for path in (targets.CORPUS / name).glob("*")]
    for seed in targets.seeds(name):
        found += [seed, seed[: len(seed) // 2], seed[7:]]
    for data in (b"", b"\0", b"\xff" * 64, bytes(200), *found):
        targets.TARGETS[name](data)
