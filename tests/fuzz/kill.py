"""Kills conversions at random moments, and looks at what they leave.

python tests/fuzz/kill.py --count 1000
python tests/fuzz/kill.py --seed 1 --only 17

Every other conversion writes one file, the others three; half of them replace older
files. Each name must have its old or its new content after the kill, and after the
healing (by the next conversion, or by ``repair``) no hidden file is left and the files
of one conversion are all old or all new.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import h5py
from fuzz.numbered import run_command
from kit.writers import fcio

from daq2lh5 import build_raw
from daq2lh5.publishing.repair import repair

NAMES = ("a.lh5", "b.lh5", "c.lh5")
ONE = {"*": {"{name}": {"key_list": ["*"], "out_stream": NAMES[0]}}}
THREE = {
    "FCEventDecoder": {"events": {"key_list": ["*"], "out_stream": NAMES[0]}},
    "FCStatusDecoder": {"status": {"key_list": ["*"], "out_stream": NAMES[1]}},
    "FCConfigDecoder": {"config": {"key_list": ["*"], "out_stream": NAMES[2]}},
}


@dataclass(frozen=True)
class Case:
    """One conversion that is killed."""

    spec: dict
    overwrite: bool
    moment: float
    """When it is killed: part of the time that such a conversion takes."""
    pause: float | None
    """Or, if not None, so many seconds after it has begun to give files their names."""
    by_next: bool
    """Whether the next conversion heals; else ``repair`` does."""

    @classmethod
    def of(cls, seed: int, number: int) -> Case:
        rng = random.Random(f"{seed} {number}")
        # names are given within milliseconds at the end
        pause = rng.uniform(0.0, 0.001) if rng.random() < 0.5 else None
        spec = (ONE, THREE)[number % 2]
        by_next = rng.random() < 0.5
        return cls(spec, rng.random() < 0.5, rng.uniform(0.0, 1.1), pause, by_next)


def in_child(source: Path, folder: Path, case: Case) -> int:
    """Start the conversion in a process of its own, and return its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.chdir(folder)
        build_raw(source, out_spec=case.spec, overwrite=case.overwrite, threads=2)
    except BaseException:
        os._exit(1)
    os._exit(0)


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file in a folder that is not hidden."""
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.iterdir()
        if not p.name.startswith(".")
    }


def hidden(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def wait_for_names(folder: Path, seconds: float) -> None:
    """Wait until a conversion has a list of its files, or has given one its name."""
    before = {p.name: p.stat().st_ino for p in folder.iterdir() if p.name in NAMES}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for entry in os.scandir(folder):
            if entry.name.endswith("-journal"):
                return
            if entry.name in NAMES and entry.inode() != before.get(entry.name):
                return


class Kills:
    """What conversions make when they are left alone, and how long they take."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources = [folder / "old.fcio", folder / "new.fcio"]
        for i, source in enumerate(self.sources):
            fcio.write_stream(source, 20, n_samples=2000, repeat=20 + i)
        self.made: dict[tuple[bool, int], dict[str, bytes]] = {}
        self.seconds: dict[bool, float] = {}
        self.moments: Counter[str] = Counter()
        for spec in (ONE, THREE):
            for i, source in enumerate(self.sources):
                made = folder / f"made-{spec is ONE}-{i}"
                made.mkdir()
                case = Case(spec, False, 0.0, None, False)
                start = time.perf_counter()
                if os.waitpid(in_child(source, made, case), 0)[1] != 0:
                    msg = "a conversion that nothing disturbs failed"
                    raise RuntimeError(msg)
                self.seconds[spec is ONE] = time.perf_counter() - start
                self.made[spec is ONE, i] = {
                    p.name: p.read_bytes() for p in made.iterdir()
                }
                for path in made.iterdir():
                    with h5py.File(path) as file:
                        file.visititems(lambda _, obj: obj.attrs.get("datatype"))

    def summary(self) -> str:
        """Return the number of kills, and the state of the files after them."""
        moments = ", ".join(f"{k} {n}" for k, n in self.moments.items())
        return f"{self.moments.total()} kills ({moments})"

    def problems(self, seed: int, number: int) -> list[str]:
        """Kill a conversion; return the faults of the files that it leaves."""
        case = Case.of(seed, number)
        old, new = (
            {n: hashlib.sha256(c).hexdigest() for n, c in self.made[key].items()}
            for key in ((case.spec is ONE, 0), (case.spec is ONE, 1))
        )
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=f"{number}-") as name:
            folder = Path(name)
            before = {}
            if case.overwrite:
                before = old
                for file, content in self.made[case.spec is ONE, 0].items():
                    folder.joinpath(file).write_bytes(content)
            pid = in_child(self.sources[1], folder, case)
            if case.pause is None:
                time.sleep(case.moment * self.seconds[case.spec is ONE])
            else:
                wait_for_names(folder, 10 * self.seconds[case.spec is ONE])
                time.sleep(case.pause)
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
            found = digests(folder)
            wrong = [
                f"{file}: {'gone' if found.get(file) is None else 'other content'}"
                for file in {*new, *found}
                if found.get(file) not in (before.get(file), new.get(file))
            ]
            self.moments[
                "all files had their names"
                if found == new
                else "none had"
                if found == before
                else "some had"
            ] += 1
            if status == 0 and found != new:
                wrong.append("it ended with status 0, and its files are not all there")
            began = any(found.get(f) == d != before.get(f) for f, d in new.items())
            if case.by_next:
                again = Case(case.spec, True, 0.0, None, False)
                if os.waitpid(in_child(self.sources[1], folder, again), 0)[1] != 0:
                    wrong.append("the next conversion failed")
                possible = [new]
            else:
                wrong += [f"repair left {left}" for left in repair(folder).left]
                possible = [new] if began else [before, new]
            if digests(folder) not in possible:
                wrong.append(f"healed to a mixture: {sorted(digests(folder))}")
            if hidden(folder):
                wrong.append(f"hidden files are left: {hidden(folder)}")
            return [f"{problem}: {case}" for problem in wrong]


if __name__ == "__main__":
    sys.exit(run_command("kill.py", __doc__, 1000, Kills))
