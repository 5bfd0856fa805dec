"""Kills whole batches at random moments, and goes on with ``--skip-existing``.

python tests/fuzz/kill_batch.py --count 100
python tests/fuzz/kill_batch.py --seed 1 --only 17

SIGKILL hits the parent and all workers at once. The second run must convert only the
unfinished files; the outputs must be those of a batch that nothing disturbs, byte for
byte, and nothing else may be left. Every other batch writes two files for each input;
one input is damaged, so that it also has a file of damaged bytes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.numbered import run_command
from kit.places import ENVIRONMENT
from kit.writers import fcio

N_FILES = 8
SPECS = (
    {"*": {"{name}": {"key_list": ["*"], "out_stream": "out/{orig_basename}.lh5"}}},
    {
        "FCEventDecoder": {
            "ev": {"key_list": ["*"], "out_stream": "out/{orig_basename}_events.lh5"}
        },
        "FCStatusDecoder": {
            "st": {"key_list": ["*"], "out_stream": "out/{orig_basename}_status.lh5"}
        },
    },
)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files in a folder, hidden ones included."""
    return {p.name: p.read_bytes() for p in folder.iterdir()}


class BatchKills:
    """The inputs, and the outputs of undisturbed batches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_kills = 0
        (folder / "in").mkdir()
        for number in range(N_FILES):
            path = folder / f"in/r_{number}.fcio"
            fcio.write_stream(path, 20, n_samples=2000, repeat=10 + 5 * number)
        os.truncate(path, path.stat().st_size - 10)
        self.wanted = []
        self.seconds = []
        for number, spec in enumerate(SPECS):
            (folder / f"spec_{number}.json").write_text(json.dumps(spec))
            with self.run(number) as process:
                start = time.perf_counter()
                process.wait()
            self.seconds.append(time.perf_counter() - start)
            if process.returncode != 3:
                msg = "a batch that nothing disturbs failed"
                raise RuntimeError(msg)
            self.wanted.append(contents(folder / "out"))

    def run(self, spec: int, log: str | None = None) -> subprocess.Popen:
        """Start a batch in a process group of its own, in an empty folder."""
        out = self.folder / "out"
        if log is None:
            out.mkdir(exist_ok=True)
            for path in out.iterdir():
                path.unlink()
        command = [sys.executable, "-m", "daq2lh5", "convert", "-J", "2", "-q"]
        options = ["--skip-existing", "-o", f"spec_{spec}.json", "in"]
        return subprocess.Popen(
            [*command, *options, *(("--json", log) if log else ())],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def summary(self) -> str:
        """Return the number of kills."""
        return f"{self.n_kills} batches killed"

    def problems(self, seed: int, number: int) -> list[str]:
        """Kill a batch and go on; return the faults of the outputs."""
        rng = random.Random(f"{seed} {number}")
        spec = number % 2
        out = self.folder / "out"
        wanted = self.wanted[spec]
        with self.run(spec) as process:
            time.sleep(rng.uniform(0.0, 1.1) * self.seconds[spec])
            os.killpg(process.pid, signal.SIGKILL)
        self.n_kills += 1
        before = {p.name: p.stat().st_ino for p in out.iterdir() if p.name in wanted}
        with self.run(spec, "log.jsonl") as process:
            status = process.wait()
        wrong = [] if status == 3 else [f"the second run ended with status {status}"]
        found = contents(out)
        wrong += [f"{n} is left over" for n in sorted({*found} - {*wanted})]
        wrong += [f"{n} is missing" for n in sorted({*wanted} - {*found})]
        wrong += [
            f"{n} has other bytes" for n in wanted if found.get(n, b"") != wanted[n]
        ]
        lines = (self.folder / "log.jsonl").read_text().splitlines()
        for entry in map(json.loads, lines):
            name = Path(entry["source"]).stem
            own = [n for n in wanted if n.startswith((f"{name}.", f"{name}_"))]
            complete = all(n in before for n in own)
            if complete != (entry["skipped_because"] is not None):
                wrong.append(f"{name}: complete {complete}, skipped {not complete}")
            kept = all(before.get(n) == (out / n).stat().st_ino for n in own)
            if complete and not kept:
                wrong.append(f"{name}: complete, but written again")
        if len(lines) != N_FILES:
            wrong.append(f"the log has {len(lines)} lines")
        return wrong


if __name__ == "__main__":
    sys.exit(run_command("kill_batch.py", __doc__, 100, BatchKills))
