"""Two distributions with a package daq2lh5: messages, and working installations.

The tests with real packages make an environment with `pip` and take minutes: they run
if DAQ2LH5_INSTALL_TESTS is 1, as in .ci/run.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from kit.places import REPOSITORY

import daq2lh5
from daq2lh5 import installation

PACKAGE = Path(daq2lh5.__file__).parent
SAMPLE = REPOSITORY / "examples" / "data" / "sample.fcio"
START = "from daq2lh5.installation import main; main(prog_name='daq2lh5')"
PEER_FILES = ("__init__.py", "cli.py")


def run(*command: object, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def python(site: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run python with a folder of packages in front of all others."""
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{PACKAGE.parent}"}
    return run(sys.executable, *arguments, env=environment, cwd=site)


def distribution(site: Path, name: str, version: str, files: tuple[str, ...]) -> None:
    """Write the metadata of an installed distribution."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    record = [f"daq2lh5/{file},," for file in files] + [f"{info.name}/METADATA,,"]
    (info / "RECORD").write_text("\n".join(record) + "\n")


@pytest.fixture
def both(tmp_path) -> Path:
    """Return a folder with the metadata of both distributions."""
    distribution(tmp_path, "daq2lh5", "0.1.0", (*PEER_FILES, "installation.py"))
    distribution(tmp_path, "legend_daq2lh5", "1.7.1", PEER_FILES)
    return tmp_path


class TestWarning:
    def test_one_line_at_import(self, both):
        done = python(both, "-c", "import daq2lh5; from daq2lh5 import build_raw")
        assert done.returncode == 0
        (line,) = done.stderr.splitlines()
        assert "legend-daq2lh5 1.7.1 is installed, too" in line
        assert "pip uninstall legend-daq2lh5 daq2lh5" in line

    @pytest.mark.parametrize("start", [("-c", START), ("-m", "daq2lh5")])
    def test_one_line_of_the_command_line(self, both, start):
        done = python(both, *start, "--version")
        assert done.returncode == 0
        (line,) = done.stderr.splitlines()
        assert "legend-daq2lh5 1.7.1 is installed, too" in line

    @pytest.mark.parametrize("name", ["daq2lh5", "legend_daq2lh5"])
    def test_none_for_one_of_them(self, tmp_path, monkeypatch, name):
        distribution(tmp_path, name, "1.7.1", PEER_FILES)
        monkeypatch.setattr(sys, "path", [str(tmp_path), "no such folder"])
        assert installation.peer_beside() is None

    def test_none_for_the_distribution_without_modules(self, tmp_path, monkeypatch):
        distribution(tmp_path, "daq2lh5", "0.1.0", PEER_FILES)
        distribution(tmp_path, "legend_daq2lh5", "1.7.1+daq2lh5", ())
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        assert installation.peer_beside() is None


class TestBroken:
    """The remaining files of the package explain the problem, with advice."""

    @staticmethod
    def start(site: Path) -> str:
        environment = os.environ | {"PYTHONPATH": str(site)}
        # hide all other packages of this name
        done = run(sys.executable, "-S", "-c", START, env=environment, cwd=site)
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert "pip uninstall legend-daq2lh5 daq2lh5" in line
        return line

    @staticmethod
    def put(site: Path, *others: str) -> None:
        (site / "daq2lh5").mkdir()
        text = (PACKAGE / "installation.py").read_text()
        (site / "daq2lh5" / "installation.py").write_text(text)
        for name in others:
            (site / "daq2lh5" / name).write_text("def daq2lh5_cli(): ...\n")

    def test_the_peer_over_ours(self, both):
        self.put(both, *PEER_FILES)
        line = self.start(both)
        assert "legend-daq2lh5 1.7.1 is installed over daq2lh5" in line

    def test_the_peer_over_ours_and_uninstalled(self, tmp_path):
        distribution(tmp_path, "daq2lh5", "0.1.0", (*PEER_FILES, "installation.py"))
        self.put(tmp_path)
        assert "2 files of daq2lh5 are missing (daq2lh5/__init__.py" in self.start(
            tmp_path
        )

    def test_another_cause_is_not_hidden(self, tmp_path):
        self.put(tmp_path)
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = run(sys.executable, "-S", "-c", START, env=environment, cwd=tmp_path)
        assert done.returncode == 1
        assert "No module named 'daq2lh5.cli'" in done.stderr


def wheel(folder: Path) -> Path:
    """Make a wheel of the installed package, since compiling takes minutes."""
    # from the folder of the import: a checkout may have one, too
    where = [str(PACKAGE.parent)]
    (own,) = importlib.metadata.distributions(name="daq2lh5", path=where)
    files = [f for f in own.files or [] if f.parts[0] != ".." and f.suffix != ".pyc"]
    if not any(f.name == "cli.py" for f in files):
        pytest.skip("daq2lh5 is installed as a link to its sources")
    tag = own.read_text("WHEEL").partition("Tag: ")[2].split()[0]
    path = folder / f"daq2lh5-{own.version}-{tag}.whl"
    left_out = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
    record = []
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            if file.name in left_out:
                continue
            data = file.read_binary()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
            record.append(f"{file},sha256={digest.rstrip('=')},{len(data)}")
            archive.writestr(str(file), data)
        name = f"daq2lh5-{own.version}.dist-info/RECORD"
        archive.writestr(name, "\n".join([*record, f"{name},,"]) + "\n")
    return path


@pytest.mark.skipif(
    os.environ.get("DAQ2LH5_INSTALL_TESTS") != "1",
    reason="takes minutes: DAQ2LH5_INSTALL_TESTS=1 runs it",
)
def test_with_real_packages(tmp_path):
    """Fresh environments: the documented way, both mixed, and the repair."""
    ours = wheel(tmp_path)
    named = REPOSITORY / "packaging" / "legend-daq2lh5"
    venv = tmp_path / "venv"
    assert run(sys.executable, "-m", "venv", venv).returncode == 0
    programs = venv / "bin"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def call(program: str, *arguments: object, status: int = 0) -> str:
        done = run(programs / program, *arguments, env=environment, cwd=tmp_path)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def install(*what: object) -> str:
        return call("pip", "install", "--no-input", *what)

    def converts() -> bool:
        call("daq2lh5", "convert", SAMPLE, "-o", "out.lh5", "-w")
        version = "import daq2lh5; print(daq2lh5.__version__)"
        return call("python", "-c", version) == f"{daq2lh5.__version__}\n"

    # the last pygama that requires legend-daq2lh5, and dspeed with it
    install(ours, named, "pygama==2.2.5")
    assert converts()
    call("pip", "check")
    assert "1.7.1+daq2lh5" in call("pip", "show", "legend-daq2lh5")
    call("python", "-W", "ignore", "-c", "import pygama.evt, pygama.hit, dspeed")
    # a requirement that another package has later is satisfied
    assert "already satisfied" in install("legend-daq2lh5>=1.5.0")

    # another version is required: the real one comes over ours
    install("legend-daq2lh5==1.7.0")
    assert "is installed over daq2lh5" in call("daq2lh5", "--version", status=2)
    assert "is installed over daq2lh5" in call("python", "-m", "daq2lh5", status=2)
    call("pip", "uninstall", "-y", "legend-daq2lh5")
    assert "files of daq2lh5 are missing" in call("daq2lh5", "--version", status=2)

    # ours over the real one
    install("--no-deps", "legend-daq2lh5==1.7.1")
    install("--no-deps", "--force-reinstall", ours)
    said = call("daq2lh5", "--version")
    assert said.count("legend-daq2lh5 1.7.1 is installed, too") == 1

    # the way out
    call("pip", "uninstall", "-y", "legend-daq2lh5", "daq2lh5")
    install("--no-deps", ours, named)
    assert converts()
    call("pip", "check")
