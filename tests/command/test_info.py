"""``daq2lh5 info``: the provenance and the report in an output."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import h5py
import pytest
import yaml
from click.testing import CliRunner
from kit.writers import fcio

from daq2lh5 import __version__, build_raw, cli

KEYS = [1027200, 1027201]
DATA = fcio.make_stream(4, n_channels=2, n_samples=20)


def info(*arguments: str):
    return CliRunner().invoke(cli.main, ["info", *arguments], prog_name="daq2lh5")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/r.fcio").write_bytes(DATA[:-10])
    spec = {"FCEventDecoder": {"e{key}": {"key_list": [KEYS], "out_stream": "x.lh5"}}}
    build_raw("in/r.fcio", out_spec=spec, hash_input=True, buffer_size=100)
    return tmp_path


def test_lines(here):
    result = info("x.lh5")
    assert result.exit_code == 0
    text = result.stdout
    assert f"input: r.fcio, {len(DATA) - 10} bytes, of 20" in text
    assert f"SHA-256: {hashlib.sha256(DATA[:-10]).hexdigest()}" in text
    assert f"made by: daq2lh5 {__version__}" in text
    assert "buffer_size: 100" in text
    assert "damaged: byte" in text
    assert "in/" not in text


def test_the_specification_is_yaml(here):
    """It is the expanded specification."""
    lines = info("x.lh5").stdout.splitlines()
    at = lines.index("  specification:")
    text = "\n".join(line[4:] for line in lines[at + 1 :] if line.startswith("    "))
    assert yaml.safe_load(text)["FCEventDecoder"][0]["tables"] == {
        f"e{key}": [key] for key in KEYS
    }


def test_json(here):
    (line,) = info("--json", "x.lh5").stdout.splitlines()
    entry = json.loads(line)
    assert entry["file"] == "x.lh5"
    assert entry["status"] == 3
    assert entry["input"]["name"] == "r.fcio"


def test_foreign_files(here):
    h5py.File("other.lh5", "w").close()
    Path("text.lh5").write_text("text")
    for name in ("other.lh5", "text.lh5"):
        result = info("x.lh5", name)
        assert result.exit_code == 1
        assert name in result.stderr
        assert "r.fcio" in result.stdout
    assert info("none.lh5").exit_code == 2
