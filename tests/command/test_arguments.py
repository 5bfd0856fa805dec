"""Arguments on the command line: paths, specifications, names, options."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
import yaml
from click.testing import CliRunner
from kit.command_line import GOOD, convert, is_refused, n_events
from kit.places import ENVIRONMENT

from daq2lh5 import cli
from daq2lh5.errors import OutSpecError
from daq2lh5.orca.skim_orca_file import skim_orca_file
from daq2lh5.utils import load_dict

SPEC = {"*": {"{name}": {"key_list": ["*"], "out_stream": "x.lh5"}}}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty directory to work in, with a run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "run.fcio").write_bytes(GOOD)
    return tmp_path


class TestSpecificationFiles:
    @pytest.mark.parametrize(
        "name",
        [
            "a.json",
            "a.JSON",
            "a.Json",
            "a.yaml",
            "a.YML",
            "a.Yaml",
            "a.conf",
            "a",
            "a.lh5",
        ],
    )
    def test_recognized_by_any_spelling_or_by_content(self, here, name):
        dump = json.dumps if "j" in name.lower() else yaml.safe_dump
        Path(name).write_text(dump(SPEC))
        before = Path(name).read_bytes()
        result = convert("-w", "-o", name, "run.fcio")
        assert result.exit_code == 0, result.output
        assert n_events("x.lh5") == 8
        assert Path(name).read_bytes() == before

    @pytest.mark.parametrize("name", ["a.toml", "a.TOML"])
    def test_toml(self, here, name):
        Path(name).write_text(
            '["*"."{name}"]\nkey_list = ["*"]\nout_stream = "x.lh5"\n'
        )
        result = convert("-o", name, "run.fcio")
        if sys.version_info < (3, 11) and result.exit_code:
            assert is_refused(result, name, "tomli")
            return
        assert result.exit_code == 0, result.output
        assert n_events("x.lh5") == 8

    def test_hdf5_of_any_name_is_an_output(self, here):
        with h5py.File("old", "w"):
            pass
        assert convert("-w", "-o", "old", "run.fcio").exit_code == 0
        assert n_events("old") == 8

    @pytest.mark.parametrize("text", ["a: 5\n", "FCEventDecoder: 5\n", "{}\n"])
    def test_a_mapping_that_is_no_specification_is_refused(self, here, text):
        Path("notes.txt").write_text(text)
        assert is_refused(convert("-w", "-o", "notes.txt", "run.fcio"))
        assert Path("notes.txt").read_text() == text

    @pytest.mark.parametrize(
        "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
    )
    @pytest.mark.parametrize("name", ["a.json", "a.yaml"])
    def test_encodings(self, here, encoding, name):
        text = json.dumps(SPEC | {"FCStatusDecoder": {}}, ensure_ascii=False)
        Path(name).write_text(text, encoding=encoding)
        result = convert("-o", name, "run.fcio")
        assert result.exit_code == 0, result.output
        assert n_events("x.lh5") == 8

    @pytest.mark.parametrize("name", ["a.json", "a.yaml"])
    def test_other_encodings_are_told_with_the_line(self, here, name):
        Path(name).write_text('{\n"ä": 1}', encoding="latin-1")
        assert is_refused(convert("-o", name, "run.fcio"), name, "line 2", "UTF-8")

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.json", '{"x": {"b": 1},\n "y": {"b": 1,\n  "b": 2}}'),
            ("a.yaml", "x: {b: 1}\ny:\n  b: 1\n  'b': 2\n"),
        ],
    )
    def test_key_that_stands_twice(self, here, name, text):
        Path(name).write_text(text)
        lines = [i for i, line in enumerate(text.split("\n"), 1) if "b" in line][1:]
        place = f"lines {lines[0]} and {lines[1]}"
        assert is_refused(convert("-o", name, "run.fcio"), name, "'b'", "twice", place)

    def test_keys_that_are_merged_in_yaml_stand_once(self, here):
        text = "x: &x {a: 1, b: 2}\ny: &y {<<: *x, b: 3}\nz: {<<: [*x, *y]}\n"
        Path("a.yaml").write_text(text)
        assert load_dict("a.yaml")["y"] == {"a": 1, "b": 3}

    def test_date_as_the_name_of_a_buffer(self, here):
        text = "FCEventDecoder: {2024-01-01: {key_list: ['*'], out_stream: x.lh5}}"
        Path("a.yaml").write_text(text)
        assert convert("-o", "a.yaml", "run.fcio").exit_code == 0
        with h5py.File("x.lh5") as f:
            assert "2024-01-01" in f

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("deep.json", "[" * 10**6 + "]" * 10**6),
            ("deep.yaml", "[" * 10**6 + "]" * 10**6),
            ("deeper.yaml", "".join(" " * i + "a:\n" for i in range(2000))),
            ("self.yaml", "a: &a [*a]"),
            ("date.yaml", "2024-13-01: 1"),
            ("digits.json", '{"a": ' + "9" * 5000 + "}"),
            ("control.yaml", "a: \x01"),
            ("object.yaml", "a: !!python/object:os.system {}"),
            ("list.yaml", "? [a]\n: 1"),
            ("empty.json", ""),
            ("empty.yaml", ""),
            (
                "aliases.yaml",
                "a0: &a0 [1, 1]\n"
                + "".join(
                    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n"
                    for i in range(1, 12)
                ),
            ),
            (
                "merges.yaml",
                "a0: &a0 {b: 1}\n"
                + "".join(
                    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n"
                    for i in range(1, 12)
                ),
            ),
        ],
        ids=lambda v: v if len(v) < 20 else "",
    )
    def test_hostile_content_is_one_line(self, here, name, text):
        Path(name).write_text(text)
        result = convert("-o", name, "run.fcio")
        assert is_refused(result), result.output[:500]
        assert len(result.stderr) < 600

    def test_large_files_are_refused(self, here):
        Path("a.yaml").write_bytes(b"#" * (2**24 + 1))
        with pytest.raises(OutSpecError, match="16 MB"):
            load_dict("a.yaml")


class TestPaths:
    def test_home(self, here):
        (here / "home").mkdir()
        os.rename("run.fcio", "home/run.fcio")
        Path("home/spec.yaml").write_text(yaml.safe_dump(SPEC))
        assert convert("~/run.fcio").exit_code == 0
        assert n_events("home/run.lh5") == 8
        assert convert("--out-spec=~/y.lh5", "~/run.fcio").exit_code == 0
        assert n_events("home/y.lh5") == 8
        result = convert("-o", "~/spec.yaml", "--json", "~/r.json", "~/run.fcio")
        assert result.exit_code == 0
        assert n_events("x.lh5") == 8
        assert json.loads(Path("home/r.json").read_text())["bytes"]
        assert not Path("~").exists()

    @pytest.mark.parametrize(
        "arguments",
        [
            ["-o", "$NO_SUCH/x.lh5", "run.fcio"],
            ["-o", "${NO_SUCH}.lh5", "run.fcio"],
            ["$NO_SUCH/run.fcio"],
            ["--json", "$NO_SUCH", "run.fcio"],
            ["-k", '{"compass_config_file": "$NO_SUCH/a"}', "run.fcio"],
            ["-o", "spec.json", "run.fcio"],
        ],
        ids=" ".join,
    )
    def test_unset_variable_is_named(self, here, monkeypatch, arguments):
        monkeypatch.delenv("NO_SUCH", raising=False)
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "$NO_SUCH/x.lh5"}}}
        Path("spec.json").write_text(json.dumps(spec))
        assert is_refused(convert(*arguments), "'NO_SUCH'", "not set")

    def test_dollars_in_real_names(self, here, monkeypatch):
        monkeypatch.delenv("b", raising=False)
        os.rename("run.fcio", "a$b.fcio")
        Path("c$b").mkdir()
        for arguments, out in (
            ([], "a$b.lh5"),
            (["-o", "c$b"], "c$b/a$b.lh5"),
            (["-o", "c$b/x.lh5"], "c$b/x.lh5"),
            (["-o", "{orig_basename}_raw.lh5"], "a$b_raw.lh5"),
        ):
            result = convert(*arguments, "a$b.fcio")
            assert result.exit_code == 0, result.output
            assert n_events(out) == 8

    def test_unknown_user(self, here):
        result = convert("-o", "~no_such_user/x.lh5", "run.fcio")
        assert is_refused(result, "user 'no_such_user'")

    @pytest.mark.parametrize(
        "name", ["run{1}", "run{a}", "run{", "r}{key}", "{}", "{{"]
    )
    def test_braces_in_the_names_of_inputs(self, here, name):
        folder = Path("in{b}")
        folder.mkdir()
        os.rename("run.fcio", folder / f"{name}.fcio")
        for arguments, out in (
            ([], f"in{{b}}/{name}.lh5"),
            (["-o", "out/"], f"out/{name}.lh5"),
            (["-o", "{orig_basename}_raw.lh5"], f"{name}_raw.lh5"),
            (["-o", "in{b}/{orig_basename}_2.lh5"], f"in{{b}}/{name}_2.lh5"),
        ):
            result = convert(*arguments, folder / f"{name}.fcio")
            assert result.exit_code == 0, result.output
            assert n_events(out) == 8
            # the name is checked as any other
            before = Path(out).read_bytes()
            assert is_refused(convert(*arguments, folder / f"{name}.fcio"), "exists")
            assert Path(out).read_bytes() == before

    def test_process_and_skim_expand_too(self, here):
        (here / "home").mkdir()
        Path("home/spec.json").write_text('{"drop": ["baseline"]}')
        assert convert("-o", "~/run.lh5", "run.fcio").exit_code == 0
        arguments = ["process", "-s", "~/spec.json", "-o", "~/p.lh5", "~/run.lh5"]
        result = CliRunner().invoke(cli.main, arguments)
        assert result.exit_code == 0, result.output
        assert n_events("home/p.lh5") == 8
        result = CliRunner().invoke(skim_orca_file, ["~/none.orca", "3"])
        assert result.exit_code == 2
        assert f"{here}/home/none.orca" in result.output


class TestOptions:
    @pytest.mark.parametrize("name", ["flashcam", "FLASHCAM", "fcio", ".fcio", "FCIO"])
    def test_formats_in_any_spelling(self, here, name):
        assert convert("-t", name, "run.fcio").exit_code == 0

    @pytest.mark.parametrize("name", ["bin", ".bin", "BIN"])
    def test_an_extension_of_two_formats_is_refused(self, here, name):
        result = convert("-t", name, "run.fcio")
        assert is_refused(result, "Compass", "LlamaDaq")

    @pytest.mark.parametrize("name", ["list", "run.fcio", "hard_link"])
    def test_report_over_a_list_or_an_input(self, here, name):
        os.link("run.fcio", "hard_link")
        Path("list").write_text(f"file://{here}/run.fcio\n")
        before = Path(name).read_bytes()
        result = convert("--json", name, "@list")
        assert is_refused(result, name, "overwrite")
        assert Path(name).read_bytes() == before

    @pytest.mark.parametrize(
        "name", ["run.fcio", "link", "hard_link", "file://{}/run.fcio"]
    )
    def test_file_under_two_names(self, here, name):
        os.link("run.fcio", "hard_link")
        os.symlink("run.fcio", "link")
        name = name.format(here)
        result = convert("--join", "run.fcio", name, "-o", "x.lh5")
        assert is_refused(result, "twice", "run.fcio", name)

    def test_report_over_a_specification_or_settings(self, here):
        Path("spec.json").write_text(json.dumps(SPEC))
        result = convert("-o", "spec.json", "--json", "spec.json", "run.fcio")
        assert is_refused(result, "spec.json", "overwrite")
        assert json.loads(Path("spec.json").read_text()) == SPEC

    @pytest.mark.parametrize(
        "kwargs",
        [
            "null",
            "5",
            "[]",
            '{"db_dict": []}',
            '{"hdf5_settings": null}',
            '{"compass_config_file": 5}',
            '{"compass_layout": {}}',
            '{"compass_sampling_period": "2"}',
            '{"compass_sampling_period": true}',
            '{"llama_time_zone": 1}',
            '{"a": 1, "a": 2}',
            "[" * 10**5,
        ],
        ids=lambda text: text[:30],
    )
    def test_kwargs_of_other_types(self, here, kwargs):
        assert is_refused(convert("-k", kwargs, "run.fcio"), "--kwargs")

    @pytest.mark.parametrize("value", ["null", "[1]", "{}"])
    def test_keyword_that_is_no_text(self, here, value):
        kwargs = f'{{"run": {value}}}'
        result = convert("-k", kwargs, "-o", "{run}.lh5", "run.fcio")
        assert is_refused(result, "'run'", "expected text or a number")

    def test_options_for_another_format_are_reported(self, here):
        kwargs = '{"llama_time_zone": "Europe/Rome"}'
        result = convert("-k", kwargs, "run.fcio")
        assert result.exit_code == 0
        assert (
            "option 'llama_time_zone' is not used: it is for LlamaDaq" in result.stdout
        )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["daq2lh5 convert", "daq2lh5.cli_of_the_peer"])
def test_closed_standard_streams(here, closed, command):
    """As in daemons: no message goes to an output with the number of a stream."""
    call = "-m daq2lh5 convert"
    if command != "daq2lh5 convert":
        call = "-c 'from daq2lh5.cli import daq2lh5_cli; daq2lh5_cli()'"
    line = f"{sys.executable} {call} run.fcio -o x.lh5 {closed}"
    done = subprocess.run(
        ["/bin/sh", "-c", line], check=False, timeout=60, env=ENVIRONMENT
    )
    assert done.returncode == 0
    assert n_events("x.lh5") == 8
    assert Path("run.fcio").read_bytes() == GOOD
