"""``daq2lh5 convert --jobs`` and the other options of batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner, Result
from kit.places import ENVIRONMENT
from kit.writers import fcio

from daq2lh5 import cli

GOOD = fcio.make_stream(4, n_channels=2, n_samples=20)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A directory with a folder of five files; the third is damaged."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for i in range(5):
        data = GOOD[:-10] if i == 2 else GOOD
        (tmp_path / f"run/r_{i}.fcio").write_bytes(data)
    return tmp_path


def convert(*arguments: str, **options) -> Result:
    return CliRunner().invoke(
        cli.main, ["convert", *arguments], prog_name="daq2lh5", **options
    )


def outputs(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.glob("*.lh5")}


def test_a_folder(here):
    result = convert("-J", "2", "run", "-o", "{orig_basename}.lh5")
    assert result.exit_code == 3
    assert sorted(outputs(here)) == [f"r_{i}.lh5" for i in range(5)]
    assert "5 files: 4 good, 1 damaged" in result.stdout
    assert sum("good" in line for line in result.stderr.splitlines()) == 4
    for name, data in outputs(here).items():
        number = name[2]
        convert(f"run/r_{number}.fcio", "-o", "alone.lh5", "-w", "-q")
        assert Path("alone.lh5").read_bytes() == data


def test_a_failure_stops_nothing_else(here):
    (here / "run/r_1.fcio").write_bytes(b"no DAQ data")
    result = convert("--jobs", "2", *(f"run/r_{i}.fcio" for i in range(5)))
    assert result.exit_code == 1
    assert "1 failed" in result.stdout
    assert "r_1.fcio" in result.stderr
    assert sorted(outputs(here / "run")) == [f"r_{i}.lh5" for i in (0, 2, 3, 4)]


def test_fail_fast(here):
    (here / "run/r_0.fcio").write_bytes(b"no DAQ data")
    files = [f"run/r_{i}.fcio" for i in range(5)]
    result = convert("--fail-fast", *files)
    assert result.exit_code == 1
    assert "4 not converted" in result.stdout
    assert outputs(here / "run") == {}


def test_json_has_a_line_for_each_file(here):
    convert("-J", "2", "run", "-o", "{orig_basename}.lh5", "--json", "log.jsonl")
    lines = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    assert sorted(line["source"] for line in lines) == [
        f"run/r_{i}.fcio" for i in range(5)
    ]
    assert {line["status"] for line in lines} == {0, 3}
    assert all(sum(line["bytes"].values()) == line["input_bytes"] for line in lines)
    assert all(line["skipped_because"] is None for line in lines)


class TestSkipExisting:
    OPTIONS = ("--skip-existing", "run", "-o", "{orig_basename}.lh5")

    def test_the_log_has_the_stored_reports(self, here):
        """The log of a second run lacks nothing but run times and paths."""
        logs = []
        for _ in range(2):
            convert(*self.OPTIONS, "--json", "log.jsonl")
            text = Path("log.jsonl").read_text()
            entries = sorted(map(json.loads, text.splitlines()), key=str)
            logs.append({entry["source"]: entry for entry in entries})
        for file, entry in logs[1].items():
            assert entry["skipped_because"] == "up to date"
            for name in ("status", "bytes", "packets", "damage", "input", "settings"):
                assert entry[name] == logs[0][file][name], name

    def test_outputs_that_are_up_to_date_are_kept(self, here):
        first = convert(*self.OPTIONS)
        before = {p: os.stat(p).st_ino for p in here.glob("*.lh5")}
        again = convert(*self.OPTIONS)
        assert {p: os.stat(p).st_ino for p in here.glob("*.lh5")} == before
        assert "5 up to date" in again.stdout
        # the damaged file is still damaged
        assert first.exit_code == again.exit_code == 3

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda: os.utime("run/r_0.fcio"), "from another file, or it has changed"),
            (lambda: Path("r_0.lh5").unlink(), "does not exist"),
            (lambda: os.truncate("r_0.lh5", 100), "no report"),
            (lambda: h5py.File("r_0.lh5", "w").close(), "no report"),
            (lambda: os.utime("r_0.lh5", (0, 0)), "older than the input"),
        ],
        ids=["input", "missing", "cut", "foreign", "old"],
    )
    def test_other_outputs_are_made_again(self, here, change, reason):
        convert(*self.OPTIONS)
        good = outputs(here)
        change()
        plan = convert("--dry-run", *self.OPTIONS).stdout.splitlines()
        assert sum("skip" in line for line in plan) == 4
        (line,) = [line for line in plan if "skip" not in line]
        assert line.startswith("run/r_0.fcio")
        assert reason in line
        result = convert(*self.OPTIONS)
        assert "1 good, 4 up to date" in result.stdout
        if "changed" not in reason:
            assert outputs(here) == good

    @pytest.mark.parametrize(
        "options", [("-n", "2"), ("--checksum",), ("--extra-columns",), ("--hash",)]
    )
    def test_other_settings(self, here, options):
        convert(*self.OPTIONS)
        result = convert(*self.OPTIONS, *options)
        assert "up to date" not in result.stdout
        assert "up to date" in convert(*self.OPTIONS, *options).stdout

    @pytest.mark.parametrize(
        "options", [("-j", "2"), ("--memory-limit", "200M"), ("--json", "x.json")]
    )
    def test_settings_that_change_nothing(self, here, options):
        convert(*self.OPTIONS)
        assert "5 up to date" in convert(*self.OPTIONS, *options).stdout

    def test_specification(self, here):
        spec = {"FCEventDecoder": {"ev": {"key_list": ["*"], "out_stream": "x.lh5"}}}
        Path("spec.json").write_text(json.dumps(spec))
        arguments = ("--skip-existing", "run/r_0.fcio", "-o", "spec.json")
        assert "1 good" in convert(*arguments).stdout
        os.utime("spec.json")
        assert "1 up to date" in convert(*arguments).stdout
        spec["FCEventDecoder"]["ev"]["key_list"] = [1027200]
        Path("spec.json").write_text(json.dumps(spec))
        assert "1 good" in convert(*arguments).stdout


def test_dry_run_writes_nothing(here):
    result = convert("--dry-run", "run", "-o", "{orig_basename}.lh5")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 5
    assert f"run/r_0.fcio ({len(GOOD)} bytes): convert to r_0.lh5" in result.stdout
    assert outputs(here) == {}


def test_join(here):
    for number in (10, 9):
        (here / f"run/r_{number}.fcio").write_bytes(GOOD)
    result = convert("--join", "run", "-o", "all.lh5")
    assert result.exit_code == 3
    assert "run/r_0.fcio and 6 more files" in result.stdout
    assert "run/r_2.fcio: byte" in result.stdout
    batch = convert("--join", "--skip-existing", "run", "-o", "all.lh5")
    assert "1 file: 1 up to date" in batch.stdout


def test_empty_inputs_are_not_failures(here):
    """A channel without events has a file without records."""
    (here / "DataR_CH1@DT5730_1_run.BIN").touch()
    result = convert("-J", "2", "DataR_CH1@DT5730_1_run.BIN", "run/r_0.fcio")
    assert result.exit_code == 0, result.output


def test_quiet(here):
    result = convert("-q", "-J", "2", "run/r_0.fcio", "run/r_1.fcio")
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupted(here, name):
    """Nothing is left behind, and files that are done stay."""
    code = (
        "import os, signal, sys, threading, time\n"
        "from daq2lh5.cli import main\n"
        "def stop():\n"
        "    while not os.path.exists('run/r_1.lh5'): time.sleep(0.005)\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
        "threading.Thread(target=stop, daemon=True).start()\n"
        "main(['convert', '-J', '2', *sys.argv[1:]])\n"
    )
    for i in range(5, 60):
        (here / f"run/r_{i}.fcio").write_bytes(GOOD)
    done = subprocess.run(
        [sys.executable, "-c", code, "run"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 128 + {"SIGINT": 2, "SIGTERM": 15}[name], done.stderr
    assert "not converted" in done.stdout
    names = [p.name for p in (here / "run").iterdir()]
    assert all(n.endswith((".fcio", ".lh5", ".garbage")) for n in names), names
    assert "r_1.lh5" in names


def test_outputs_named_by_the_content_must_differ(here):
    """Otherwise each input would replace the output of the one before."""
    buffer = {"key_list": ["*"], "out_stream": "ch{key}.lh5"}
    Path("spec.json").write_text(json.dumps({"FCEventDecoder": {"ch{key}": buffer}}))
    result = convert("run", "-o", "spec.json", "-J", "2", "-w")
    assert result.exit_code == 2
    assert "would both write ch{key}.lh5" in result.stderr
    buffer["out_stream"] = "{orig_basename}_{key}.lh5"
    Path("spec.json").write_text(json.dumps({"FCEventDecoder": {"ch{key}": buffer}}))
    assert convert("run", "-o", "spec.json", "-J", "2").exit_code == 3
    assert len(outputs(here)) == 10


def test_dry_run_says_that_outputs_exist(here):
    arguments = ("run/r_0.fcio", "-o", "x.lh5")
    convert(*arguments)
    assert "fails, since x.lh5 exists" in convert("--dry-run", *arguments).stdout
    assert "fails" not in convert("--dry-run", "-w", *arguments).stdout


def test_standard_input_is_refused(here):
    result = convert("-J", "2", "-", "-o", "x.lh5")
    assert result.exit_code == 2
    assert "standard input cannot be converted in a batch" in result.stderr
