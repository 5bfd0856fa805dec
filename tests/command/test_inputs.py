"""Inputs of a batch: folders, lists, numeric order."""

from __future__ import annotations

import os
import sys

import pytest
from kit.writers import fcio

from daq2lh5.command.inputs import InputError, expand_inputs, lists_in, natural_key

DATA = fcio.make_stream(2, n_channels=1, n_samples=10)


def test_numbers_in_names_sort_by_value():
    names = ["r_10.BIN", "r_2.BIN", "r.BIN", "r_1.BIN", "r_1.BIN.gz", "q_3.BIN"]
    assert sorted(names, key=natural_key) == [
        "q_3.BIN",
        "r.BIN",
        "r_1.BIN",
        "r_1.BIN.gz",
        "r_2.BIN",
        "r_10.BIN",
    ]


def test_numbers_in_names_of_folders_sort_by_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["p10/y.fcio", f"file://{tmp_path}/p9/x_2.fcio", "p9/x_10.fcio"]
    assert sorted(names, key=natural_key) == [names[1], names[2], names[0]]
    # a file beside a folder of the same name
    assert sorted(["r.fcio", "r/x.fcio"], key=natural_key) == ["r/x.fcio", "r.fcio"]


def test_only_ascii_digits_are_numbers():
    # \xb2 is a digit for Python, but no number
    names = ["r_\xb2.fcio", "r_\u0661.fcio", "r_2.fcio"]
    assert sorted(names, key=natural_key)[0] == "r_2.fcio"


def test_a_folder_stands_for_its_daq_files_in_numeric_order(tmp_path):
    for name in ("r_10.fcio", "r_2.fcio", ".hidden.fcio"):
        (tmp_path / name).write_bytes(DATA)
    # recognized by its content
    (tmp_path / "r_3").write_bytes(DATA)
    (tmp_path / "notes.txt").write_text("nothing for a converter")
    (tmp_path / "r_2.lh5").write_text("an output")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "r_4.fcio").write_bytes(DATA)
    notes: list[str] = []
    found = expand_inputs([tmp_path], notes.append)
    assert [f.rpartition("/")[2] for f in found] == ["r_2.fcio", "r_3", "r_10.fcio"]
    assert notes == [f"{tmp_path}: 1 files have no DAQ format: notes.txt"]


def test_damaged_and_unreadable_files_in_a_folder_are_inputs(tmp_path):
    (tmp_path / "a.fcio").write_bytes(b"12345678" + DATA[8:])
    (tmp_path / "b.orca.gz").write_bytes(b"")
    (tmp_path / "c.BIN").symlink_to(tmp_path / "none.BIN")
    (tmp_path / "d.root").symlink_to(tmp_path / "d.root")
    (tmp_path / "e.zst").write_bytes(b"(")
    os.mkfifo(tmp_path / "f.fcio")
    os.mkfifo(tmp_path / "f.log")
    (tmp_path / "latest").symlink_to(tmp_path / "none")
    notes: list[str] = []
    found = expand_inputs([tmp_path], notes.append)
    assert [f.rpartition("/")[2] for f in found] == [
        "a.fcio",
        "b.orca.gz",
        "c.BIN",
        "d.root",
    ]
    others, pipes = notes
    assert others == f"{tmp_path}: 2 files have no DAQ format: e.zst, latest"
    assert pipes.startswith(f"{tmp_path}: 1 pipes or devices are passed over")
    assert pipes.endswith(": f.fcio")


@pytest.mark.parametrize("error", [PermissionError, ImportError])
def test_files_that_cannot_be_opened_are_inputs(tmp_path, monkeypatch, error):
    def fail(name):
        raise error(name)

    (tmp_path / "run").write_bytes(DATA)
    monkeypatch.setattr("daq2lh5.command.inputs.open_source", fail)
    assert expand_inputs([tmp_path]) == [str(tmp_path / "run")]


def test_empty_files_of_a_channel_are_inputs(tmp_path):
    (tmp_path / "DataR_CH0@DT5730S_1_run.BIN").write_bytes(b"")
    assert len(expand_inputs([tmp_path])) == 1


def test_a_list_names_files_and_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS", str(tmp_path))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.fcio").write_bytes(DATA)
    (tmp_path / "list").write_text(
        "# of this week\n\n$RUNS/b.fcio\n$RUNS/runs\n", encoding="utf-8-sig"
    )
    found = expand_inputs(["c.fcio", f"@{tmp_path}/list"])
    assert found == ["c.fcio", "$RUNS/b.fcio", f"{tmp_path}/runs/a.fcio"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_names_in_a_list_are_taken_as_they_stand(tmp_path, monkeypatch, end):
    names = [b" a ", b"b\x0bc", "d\u2028e".encode(), b"\xff.fcio", b"f\rg"]
    (tmp_path / "list").write_bytes(end.join([*names, b" \t", b""]))
    expected = list(map(os.fsdecode, names))
    assert expand_inputs([f"@{tmp_path}/list"]) == expected
    with open(tmp_path / "list", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert expand_inputs(["@-"]) == expected


def test_a_file_whose_name_begins_with_an_at_sign_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "@run.fcio").write_bytes(DATA)
    (tmp_path / "list").write_text("@run.fcio\n")
    assert expand_inputs(["@run.fcio", "@list"]) == ["@run.fcio", "@run.fcio"]
    assert lists_in(["@run.fcio", "@list", "@-", "run.fcio"]) == ["list"]


@pytest.mark.parametrize(
    ("content", "text"),
    [("", "has no names of files"), ("# a\n", "no names"), ("@b\n", "another list")],
)
def test_lists_without_names_are_refused(tmp_path, content, text):
    (tmp_path / "list").write_text(content)
    with pytest.raises(InputError, match=text):
        expand_inputs([f"@{tmp_path}/list"])


def test_a_folder_without_daq_files_is_refused(tmp_path):
    with pytest.raises(InputError, match="no DAQ file in"):
        expand_inputs([tmp_path])
    (tmp_path / "RAW").mkdir()
    with pytest.raises(InputError, match="folders in it are not searched"):
        expand_inputs([tmp_path])
    os.mkfifo(tmp_path / "f.fcio")
    with pytest.raises(InputError, match=r"1 pipes or devices .*: f\.fcio"):
        expand_inputs([tmp_path])
