"""Reports in outputs: damaged ones are no reports."""

from __future__ import annotations

import json

import h5py
import pytest
from click.testing import CliRunner
from kit.writers import fcio

import daq2lh5
from daq2lh5 import build_raw, cli
from daq2lh5.batch.current import existing_outputs
from daq2lh5.conversion.stored_reports import read_report
from daq2lh5.conversion.targets import target_of
from daq2lh5.publishing.output_files import REPORT_ATTRIBUTE

NESTED = "[" * 20000 + "]" * 20000

WRONG = {
    "input": [1],
    "continued_by": 5,
    "status": "bad",
    "other status": {"status": 500},
    "settings": 3,
    "tables": {"FCEvent": {}},
    "other tables": {"tables": {"FCEvent": 4}},
    "bytes": {"decoded": "x"},
    "large": {"bytes": {"decoded": 2**70}},
    "damage": [{"offset": 1}],
    "left_out": 4,
    "packed": 7,
    "packed text": {"packed": {"damage": 5}},
    "notes": [None],
    "deep": {"extra": json.loads("[" * 200 + "]" * 200)},
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.fcio").write_bytes(fcio.make_stream(4, n_channels=2, n_samples=20))
    build_raw("r.fcio")
    return tmp_path


def store(text):
    with h5py.File("r.lh5", "r+") as file:
        file.attrs[REPORT_ATTRIBUTE] = text


def check_damaged():
    """It is no report, for all that read it."""
    assert read_report("r.lh5") is None
    target = target_of(None, "r.fcio", {})
    assert "no report" in existing_outputs(["r.fcio"], target, {}).outdated
    done = CliRunner().invoke(cli.main, ["info", "r.lh5"])
    assert done.exit_code == 1
    assert "its report is damaged" in done.stderr
    result = daq2lh5.verify("r.lh5", "r.fcio", threads=1)
    assert result.exit_status == 1
    assert any("it is damaged" in text for text in result.unverified)


@pytest.mark.parametrize("name", WRONG)
def test_parts_of_wrong_types(here, name):
    report = read_report("r.lh5")
    change = WRONG[name] if " " in name or name in ("large", "deep") else None
    store(json.dumps(report | (change or {name: WRONG[name]})))
    check_damaged()


@pytest.mark.parametrize("text", [NESTED, f'{{"x": {NESTED}}}', "[]", "5", "{", 7])
def test_other_values(here, text):
    store(text)
    check_damaged()


def test_a_report_without_some_parts(here):
    """Earlier versions stored fewer parts."""
    store("{}")
    assert read_report("r.lh5") == {}
    assert CliRunner().invoke(cli.main, ["info", "r.lh5"]).exit_code == 0
