"""The Snakefile of the examples, run by the real snakemake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from kit.generators import orca
from kit.places import ENVIRONMENT, REPOSITORY

SNAKEFILE = REPOSITORY / "examples" / "Snakefile"
SAMPLE = REPOSITORY / "examples" / "data" / "sample.fcio"
SNAKEMAKE = shutil.which("snakemake") or shutil.which(
    "snakemake", path=os.path.dirname(sys.executable)
)

pytestmark = [
    pytest.mark.skipif(SNAKEMAKE is None, reason="no snakemake (Python 3.11 or later)"),
    pytest.mark.skipif(not SNAKEFILE.exists(), reason="the examples are not here"),
]

SPECIFICATION = """
"*":
  "daq/{name}":
    key_list: ["*"]
    out_stream: "{filekey}"
"""

# with names of files of its own, as LEGEND's dataflow has them
OTHER_WORKFLOW = f"""
module daq2lh5:
    snakefile: {str(SNAKEFILE)!r}
    config: config

use rule build_raw from daq2lh5 as build_raw_fcio with:
    input: "sandbox/{{run}}.fcio"
    output: "tier/raw/{{run}}-tier_raw.lh5"
    log: "tmp/{{run}}.log"
"""


@pytest.fixture
def workflow(tmp_path, monkeypatch):
    """Return a function that runs snakemake with our command in an empty folder."""
    commands = tmp_path / "bin"
    commands.mkdir()
    command = commands / "daq2lh5"
    command.write_text(
        f"#!{sys.executable}\nfrom daq2lh5.cli import main\n\nmain()\n", "utf-8"
    )
    command.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [SNAKEMAKE, "--cores", "2", *arguments],
            env=ENVIRONMENT
            | {
                "PATH": os.pathsep.join([str(commands), ENVIRONMENT["PATH"]]),
                "HOME": str(tmp_path),
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    return run


def files_in(folder: str) -> dict[str, int]:
    """Return the time of the last change of each file."""
    root = Path(folder)
    files = [p for p in root.rglob("*") if p.is_file()]
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in files}


def test_a_folder_of_runs(workflow):
    """Good, damaged and other files; then a run that has nothing to do."""
    runs = Path("daq", "p03")
    runs.mkdir(parents=True)
    (runs / "good.fcio").write_bytes(SAMPLE.read_bytes())
    (runs / "cut.fcio").write_bytes(SAMPLE.read_bytes()[:-100])
    (runs / "good too.orca").write_bytes(orca.make("everything"))
    (runs / "other.orca").write_bytes(b"no data of a DAQ at all" * 10)

    said = workflow("-s", str(SNAKEFILE), "--keep-going", status=1)
    assert "cut.fcio is damaged and was converted: see log/raw/p03/cut.json" in said
    outputs = ["p03/cut.lh5", "p03/cut.lh5.garbage", "p03/good too.lh5", "p03/good.lh5"]
    assert sorted(files_in("raw")) == outputs
    report = json.loads(Path("log/raw/p03/other.json").read_text())
    assert report["status"] == 1
    assert report["error"]

    (runs / "other.orca").unlink()
    before = files_in("raw")
    workflow("-s", str(SNAKEFILE))
    assert Path("raw/damaged.txt").read_text() == (
        "daq/p03/cut.fcio log/raw/p03/cut.json\n"
    )
    after = files_in("raw")
    assert {k: after[k] for k in before} == before
    assert "Nothing to be done" in workflow("-s", str(SNAKEFILE))
    assert files_in("raw") == after
    report = json.loads(Path("log/raw/p03/good.json").read_text())
    assert report["tables"]["raw/p03/good.lh5"]["FCEvent"]["rows"] == 116


def test_the_rule_in_another_workflow_with_a_specification(workflow):
    Path("sandbox").mkdir()
    shutil.copy(SAMPLE, "sandbox/run1.fcio")
    Path("Snakefile").write_text(OTHER_WORKFLOW)
    Path("raw.yaml").write_text(SPECIFICATION)
    Path("config.yaml").write_text(
        "daq2lh5: {out_spec: raw.yaml, threads: 2, memory_limit: 128, options: --hash}"
    )
    output = "tier/raw/run1-tier_raw.lh5"
    said = workflow("--configfile", "config.yaml", "--", output)
    assert "threads: 2" in said
    assert "mem_mb=528" in said
    with h5py.File(output) as file:
        assert len(file["daq/FCEvent/packet_id"]) == 116
        stored = json.loads(file.attrs["daq2lh5_report"])
    assert len(stored["input"]["sha256"]) == 64
    assert json.loads(Path("tmp/run1.log").read_text())["status"] == 0
