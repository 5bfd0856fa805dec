"""Names of outputs: root group, folders, keywords, variables, and their errors."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from kit.command_line import GOOD, convert, is_refused, n_events

import daq2lh5
from daq2lh5.buffers.keys import keys_of
from daq2lh5.errors import OutSpecError, WriteError
from daq2lh5.fc.fc_streamer import FCStreamer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty directory to work in, with a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.fcio").write_bytes(GOOD)
    return tmp_path


class TestRootGroup:
    @pytest.mark.parametrize("name", ["x.lh5:/", "x.lh5:", "x.lh5"])
    def test_file(self, here, name):
        assert convert("run.fcio", "-o", name).exit_code == 0
        assert n_events("x.lh5") == 8
        assert sorted(p.name for p in here.iterdir()) == ["run.fcio", "x.lh5"]

    def test_other_group(self, here):
        assert convert("run.fcio", "-o", "x.lh5:geds/").exit_code == 0
        with h5py.File("x.lh5") as f:
            assert list(f) == ["geds"]

    @pytest.mark.parametrize("name", ["out/", "a:b/"])
    def test_a_slash_behind_a_name_is_a_folder(self, here, name):
        assert convert("run.fcio", "-o", name).exit_code == 0
        assert n_events(f"{name}run.lh5") == 8


class TestFolderAsFile:
    @pytest.mark.parametrize("out_stream", ["sub/", "sub/{name}/", "sub/:geds"])
    def test_out_stream(self, here, out_stream):
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": out_stream}}}
        with pytest.raises(OutSpecError, match=r"out_stream.* is a folder"):
            daq2lh5.build_raw("run.fcio", out_spec=spec)
        assert os.listdir() == ["run.fcio"]

    def test_name(self, here):
        """Only the command line names a file in a folder after its input."""
        with pytest.raises(OutSpecError, match="'sub/' is a folder"):
            daq2lh5.build_raw("run.fcio", out_spec="sub/")


class TestLinks:
    @pytest.mark.parametrize("options", [[], ["-w"]])
    def test_a_loop_is_refused(self, here, options):
        os.symlink("b.lh5", "a.lh5")
        os.symlink("a.lh5", "b.lh5")
        result = convert("run.fcio", "-o", "a.lh5", *options)
        assert is_refused(result, "a.lh5", "symbolic links")

    def test_a_report_to_a_loop_is_a_warning(self, here):
        os.symlink("r.json", "r.json")
        result = convert("run.fcio", "--json", "r.json")
        assert result.exit_code == 0
        assert "the report cannot be written" in result.stderr


class TestKeywordsAndVariables:
    @pytest.mark.parametrize("name", ["{run.nope}.lh5", "{run[nope]}.lh5"])
    def test_a_field_that_the_value_lacks(self, here, name):
        result = convert("run.fcio", "-o", name, "-k", '{"run": "r1"}')
        assert is_refused(result, name.partition(".lh5")[0], "cannot be formatted")

    @pytest.mark.parametrize("name", ["{no.such}.lh5", "{no[0]}.lh5"])
    def test_an_undefined_keyword(self, here, name):
        assert is_refused(convert("run.fcio", "-o", name), "'no'", "not defined")

    def test_a_field_of_the_value(self, here):
        keywords = '{"run": "r1"}'
        assert convert("run.fcio", "-o", "{run[0]}.lh5", "-k", keywords).exit_code == 0
        assert n_events("r.lh5") == 8
        daq2lh5.build_raw("run.fcio", out_spec="{run.real}.lh5", run=7)
        assert n_events("7.lh5") == 8

    @pytest.mark.parametrize("name", ["$VAR/x.lh5", "${VAR}/x.lh5", "$VAR/"])
    @pytest.mark.parametrize("value", ["a{run}", "a{1}", "a{", "{{a}}"])
    def test_the_value_of_a_variable_is_no_template(
        self, here, monkeypatch, name, value
    ):
        monkeypatch.setenv("VAR", value)
        keywords = '{"run": "r1"}'
        assert convert("run.fcio", "-o", name, "-k", keywords).exit_code == 0
        (made,) = (here / value).iterdir()
        assert n_events(made) == 8

    def test_the_value_of_a_keyword_has_no_variables(self, here, monkeypatch):
        monkeypatch.setenv("VAR", "wrong")
        keywords = '{"run": "$VAR"}'
        assert convert("run.fcio", "-o", "{run}.lh5", "-k", keywords).exit_code == 0
        assert n_events("$VAR.lh5") == 8

    def test_both(self, here, monkeypatch):
        monkeypatch.setenv("VAR", "a{b}")
        result = convert("run.fcio", "-o", "$VAR{run}.lh5", "-k", '{"run": "r1"}')
        assert result.exit_code == 0
        assert n_events("a{b}r1.lh5") == 8

    def test_a_folder_with_braces(self, here, monkeypatch):
        monkeypatch.setenv("VAR", str(here))
        os.mkdir("a{b}")
        result = convert("run.fcio", "-o", "$VAR/a{b}/{run}.lh5", "-k", '{"run": 1}')
        assert result.exit_code == 0
        assert n_events("a{b}/1.lh5") == 8


@pytest.mark.parametrize("keys", [np.array(5), np.array("x")])
def test_a_number_as_key_list(keys):
    with pytest.raises(OutSpecError, match=r"key_list is .* expected a list: write \["):
        keys_of(keys, "buffer 'x'")


class TestWriteErrors:
    def test_a_folder_that_vanishes_is_no_wrong_usage(self, here, monkeypatch):
        """After reading, this is status 1 with the output's name."""
        os.mkdir("out")
        read_chunk = FCStreamer.read_chunk

        def vanish(self):
            shutil.rmtree("out", ignore_errors=True)
            return read_chunk(self)

        monkeypatch.setattr(FCStreamer, "read_chunk", vanish)
        result = convert("run.fcio", "-o", "out/x.lh5")
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert "out/x.lh5: No such file" in line

    def test_fsync_names_the_output(self, here, monkeypatch):
        def fail(descriptor):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fsync", fail)
        result = convert("run.fcio", "-o", "x.lh5")
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert "x.lh5: Input/output error" in line
        assert os.listdir() == ["run.fcio"]
        with pytest.raises(WriteError):
            daq2lh5.build_raw("run.fcio", out_spec="x.lh5")

    def test_fsync_while_writing_names_the_output(self, here, monkeypatch):
        def fail(descriptor):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("daq2lh5.writing.syncer.SYNC_BYTES", 1)
        monkeypatch.setattr("daq2lh5.writing.syncer.os.fsync", fail)
        result = convert("run.fcio", "-o", "x.lh5")
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert "x.lh5: Input/output error" in line
        assert ".daq2lh5-partial" not in line
