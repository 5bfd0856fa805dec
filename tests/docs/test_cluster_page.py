"""The page about clusters: its commands and scripts, with simple batch systems."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kit.dask_cluster import dask_cluster
from kit.places import ENVIRONMENT, REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PAGE = REPOSITORY / "docs" / "source" / "cluster.rst"
SAMPLE = REPOSITORY / "examples" / "data" / "sample.fcio"
if not PAGE.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)
pytest.importorskip("distributed", reason="needs dask: pip install 'daq2lh5[dask]'")

# each runs the job, and prints its number: the id of a process group
RUN = 'setsid sh "$0.job" >"$0.log" 2>&1 </dev/null &\n'
COMMANDS = {
    "sbatch": f'cp "$1" "$0.job"\n{RUN}echo "Submitted batch job $!"\n',
    "scancel": 'kill -- "-$1"\n',
    "condor_submit": 'sed -n "s/^Arguments = \\"-c \'\\(.*\\)\'\\"$/\\1/p" '
    f'"$1" >"$0.job"\n{RUN}echo "1 job(s) submitted to cluster $!."\n',
    "condor_rm": 'kill -- "-${1%.0}"\n',
}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """A folder with DAQ files and the commands; returns the environment."""
    monkeypatch.chdir(tmp_path)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    write_script(
        bin_ / "daq2lh5", sys.executable, "from daq2lh5.cli import main\nmain()\n"
    )
    for name, text in COMMANDS.items():
        write_script(bin_ / name, "/bin/sh", text)
    (tmp_path / "daq").mkdir()
    for name in ("run1.fcio", "run2.fcio"):
        shutil.copy(SAMPLE, tmp_path / "daq" / name)
    path = os.pathsep.join([str(bin_), ENVIRONMENT["PATH"]])
    return ENVIRONMENT | {"PATH": path, "DASK_DISTRIBUTED__SCHEDULER__DASHBOARD": "0"}


def write_script(path: Path, interpreter: str, text: str) -> None:
    path.write_text(f"#!{interpreter}\n{text}", "utf-8")
    path.chmod(0o755)


def run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def script(caption: str) -> str:
    """Return a script of the page, which submits one job here."""
    found = re.search(
        rf"   :caption: {re.escape(caption)}\n\n((?:(?:   .*)?\n)+)",
        PAGE.read_text("utf-8"),
    )
    text = re.sub(r"^   ", "", found[1], flags=re.MULTILINE)
    assert "scale(jobs=10)" in text
    return text.replace("scale(jobs=10)", "scale(jobs=1)")


def assert_converted(folder: Path) -> None:
    outputs = sorted(p.name for p in (folder / "raw").iterdir())
    assert outputs == ["run1.lh5", "run2.lh5"]


def test_commands(environment, tmp_path):
    lines = re.findall(r"^   \$ (daq2lh5 .*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(lines) == 2
    with dask_cluster(tmp_path / "dask") as cluster:
        cluster.have(1)
        for line in lines:
            line = line.replace("tcp://node17:8786", cluster.address)  # noqa: PLW2901
            run(shlex.split(line), environment)
            assert_converted(tmp_path)
            shutil.rmtree("raw")


@pytest.mark.parametrize("name", ["convert_on_slurm.py", "convert_on_htcondor.py"])
def test_scripts(name, environment, tmp_path):
    # (imported, it takes over Ctrl-C)
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("needs dask_jobqueue")
    if not shutil.which("setsid"):
        pytest.skip("needs setsid")
    (tmp_path / name).write_text(script(name), "utf-8")
    run([sys.executable, name, "daq/", "-o", "raw/"], environment)
    assert_converted(tmp_path)
