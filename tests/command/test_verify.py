"""``daq2lh5 verify``: messages, JSON and exit statuses."""

from __future__ import annotations

import json

import h5py
import pytest
from click.testing import CliRunner
from kit.command_line import GOOD

from daq2lh5 import build_raw, cli
from daq2lh5.publishing.output_files import REPORT_ATTRIBUTE


@pytest.fixture
def files(tmp_path):
    daq, output = tmp_path / "x.fcio", tmp_path / "x.lh5"
    daq.write_bytes(GOOD)
    build_raw(daq, out_spec=output)
    return str(output), str(daq)


def verify(*arguments):
    arguments = ["verify", *map(str, arguments)]
    return CliRunner().invoke(cli.main, arguments, prog_name="daq2lh5")


def spoil(output):
    with h5py.File(output, "r+") as file:
        file["FCEvent/baseline"][2] = 7


def test_good(files):
    output, daq = files
    result = verify(output)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{output}: good; 2 tables, ")
    assert result.stdout.endswith(" read\n")
    result = verify(output, daq, "--threads", 2, "--memory-limit", "64M")
    assert result.exit_code == 0
    assert result.stdout.endswith(f" compared with {daq}\n")
    assert verify("-q", *files).output == ""


def test_differences(files, tmp_path):
    spoil(files[0])
    assert verify(files[0]).exit_code == 0
    result = verify(*files, "--json", tmp_path / "x.json", "-q")
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{files[0]}: 1 differences; ")
    assert lines[1].startswith("  FCEvent/baseline, row 2: stored 7, expected ")
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["status"] == 3
    assert found["counts"] == {"FCEvent/baseline": 1}
    assert found["differences"][0]["row"] == 2


def test_json_to_standard_output(files):
    result = verify(*files, "--json", "-")
    assert json.loads(result.stdout)["status"] == 0
    assert "good" in result.stderr


def test_unverified_parts(files):
    with h5py.File(files[0], "r+") as file:
        del file.attrs[REPORT_ATTRIBUTE]
    result = verify(*files)
    assert result.exit_code == 1
    assert "not verified: the values" in result.stdout


def test_wrong_arguments(files, tmp_path):
    for arguments in (
        (tmp_path / "no.lh5",),
        (files[0], tmp_path / "no.fcio"),
        (*files, "-k", '{"n_max": 3}'),
        (*files, "--memory-limit", "x"),
        (*files, "--json", files[1]),
    ):
        result = verify(*arguments)
        assert result.exit_code == 2, arguments
        assert len(result.stderr.splitlines()) == 1


def test_a_file_of_another_kind(files):
    result = verify(files[1])
    assert result.exit_code == 3
    assert "HDF5 cannot open it" in result.stdout
