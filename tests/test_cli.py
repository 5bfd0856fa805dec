"""The command line: options, exit statuses, messages, and how fast it starts."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import h5py
import pytest
from click.testing import CliRunner, Result
from kit.places import ENVIRONMENT, REPOSITORY
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5 import cli
from daq2lh5.formats import FORMATS

N_CHANNELS = 3
N_EVENTS = 6
ROWS = {"FCConfig": 1, "FCEvent": N_CHANNELS * N_EVENTS, "FCStatus": 4}

GOOD = writer.make_stream(N_EVENTS, n_channels=N_CHANNELS, n_samples=20, status_every=3)
DAMAGED = GOOD[:-10]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty directory to work in, with a good file, a damaged and a bad one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.fcio").write_bytes(GOOD)
    (tmp_path / "cut.fcio").write_bytes(DAMAGED)
    (tmp_path / "bad.fcio").write_bytes(b"hello world")
    return tmp_path


INPUTS = {"run.fcio", "cut.fcio", "bad.fcio"}


def written(directory: Path) -> list[str]:
    """List what there is besides the inputs."""
    return sorted({p.name for p in directory.iterdir()} - INPUTS)


def rows(path) -> dict[str, int]:
    with h5py.File(path) as f:
        return {n: len(t["packet_id"]) for n, t in f.items()}


def convert(*arguments, **options) -> Result:
    return CliRunner().invoke(
        cli.main, ["convert", *map(str, arguments)], prog_name="daq2lh5", **options
    )


def peers(*arguments, **options) -> Result:
    return CliRunner().invoke(
        cli.daq2lh5_cli,
        [*map(str, arguments)],
        prog_name="legend-daq2lh5",
        **options,
    )


def process(*arguments, **options) -> subprocess.CompletedProcess:
    options = {"text": True, "env": ENVIRONMENT} | options
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        timeout=60,
        check=False,
        **options,
    )


def is_one_clear_line(result: Result, *parts: str) -> bool:
    """Whether there is one line with an error, that names `parts`.

    Lines of the log (warnings) may stand before it.
    """
    lines = [x for x in result.stderr.splitlines() if not x.startswith("daq2lh5.")]
    return (
        len(lines) == 1
        and lines[0].startswith("error: ")
        and all(part in lines[0] for part in parts)
    )


class TestStatus:
    def test_good_input_is_0(self, here):
        result = convert("run.fcio")
        assert (result.exit_code, result.stderr) == (0, "")
        assert rows("run.lh5") == ROWS
        assert written(here) == ["run.lh5"]

    def test_damaged_input_is_3_and_converted(self, here):
        result = convert("cut.fcio")
        assert result.exit_code == 3
        assert "damaged" in result.stdout
        assert rows("cut.lh5")["FCEvent"] == ROWS["FCEvent"]

    def test_undecodable_input_is_1_and_leaves_nothing(self, here):
        result = convert("bad.fcio")
        assert result.exit_code == 1
        assert is_one_clear_line(result, "bad.fcio", "not recognized")
        assert written(here) == []

    def test_empty_input_is_1_and_called_so(self, here):
        Path("none.fcio").touch()
        result = convert("none.fcio")
        assert result.exit_code == 1
        assert is_one_clear_line(result, "none.fcio is empty")

    def test_what_was_converted_before_is_1_with_a_hint(self, here):
        convert("run.fcio")
        result = convert("run.lh5", "-o", "again.lh5")
        assert result.exit_code == 1
        assert is_one_clear_line(result, "run.lh5 is an HDF5 file", "daq2lh5 process")

    def test_stream_without_configuration_is_1(self, here):
        Path("bad.fcio").write_bytes(writer.handshake() + bytes(200))
        result = convert("bad.fcio")
        assert result.exit_code == 1
        assert is_one_clear_line(result, "bad.fcio", "configuration")

    @pytest.mark.parametrize(
        ("arguments", "parts"),
        [
            (["none.fcio"], ["none.fcio", "not found"]),
            (["run.fcio", "none.fcio"], ["none.fcio", "not found"]),
            (["/proc/self/fdinfo"], ["no DAQ file in /proc/self/fdinfo"]),
            (["run.fcio", "run.fcio"], ["twice"]),
            (["-t", "FlashKam", "run.fcio"], ["did you mean 'FlashCam'"]),
            (["-b", "2", "run.fcio"], ["buffer_size"]),
            (["-k", "{", "run.fcio"], ["--kwargs", "JSON"]),
            (["-k", "[1]", "run.fcio"], ["--kwargs", "JSON"]),
            (["-o", "none.json", "run.fcio"], ["none.json"]),
            (["-o", "{nokey}.lh5", "run.fcio"], ["nokey"]),
            (["-o", "run.fcio", "-w", "run.fcio"], ["input"]),
            (["-o", "-", "run.fcio"], ["standard output"]),
            (["-o", "/dev/null", "-w", "run.fcio"], ["/dev/null", "needs a file"]),
            (["-"], ["standard input"]),
        ],
        ids=" ".join,
    )
    def test_wrong_usage_is_2_and_one_line(self, here, arguments, parts):
        result = convert(*arguments)
        assert result.exit_code == 2, result.output
        assert is_one_clear_line(result, *parts), result.stderr
        assert written(here) == []
        assert Path("run.fcio").read_bytes() == GOOD

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--no-such-option", "run.fcio"],
            ["-b", "0", "run.fcio"],
            ["-b", "many", "run.fcio"],
            ["-n", "-1", "run.fcio"],
            ["-n", "x", "run.fcio"],
        ],
        ids=" ".join,
    )
    def test_wrong_options_are_2(self, here, arguments):
        result = convert(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
        assert written(here) == []

    def test_existing_output_is_2_and_untouched(self, here):
        Path("run.lh5").write_bytes(b"mine")
        result = convert("run.fcio")
        assert result.exit_code == 2
        assert is_one_clear_line(result, "run.lh5", "-w")
        assert Path("run.lh5").read_bytes() == b"mine"

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ('{"FCEventDecodr": {"a": {"key_list": ["*"]}}}', ["FCEventDecoder"]),
            ('{"FCEventDecoder": {"a": {"key_lst": ["*"]}}}', ["key_list"]),
            ('{"FCEventDecoder": {"a": {"out_stream": "x.lh5"}}}', ["key_list"]),
            (
                '{"FCEventDecoder": {"a": {"key_list": [1], "out_stream": "x.lh5"}}}',
                ["selects nothing"],
            ),
            (
                '{"*": {"a": {"key_list": ["*"], "out_stream": "x.lh5"}}}',
                ["'a'", "x.lh5"],
            ),
            (
                '{"*": {"{name}": {"key_list": ["*"], "out_stream": "{run}.lh5"}}}',
                ["run", "not defined"],
            ),
            ('{"*": {"{name}": {"key_list": ["*"]}}}', ["out_stream"]),
            ("[]", ["spec.json"]),
            ("{", ["spec.json"]),
            ('{"*": 5}', []),
        ],
    )
    def test_wrong_specification_is_2_and_one_line(self, here, text, parts):
        Path("spec.json").write_text(text)
        result = convert("-o", "spec.json", "run.fcio")
        assert result.exit_code == 2, result.output
        assert is_one_clear_line(result, *parts), result.stderr
        assert written(here) == ["spec.json"]

    @pytest.mark.parametrize("text", ["a: [", "a:\n\t- b"])
    def test_broken_yaml_is_2_and_one_line(self, here, text):
        Path("spec.yaml").write_text(text)
        result = convert("-o", "spec.yaml", "run.fcio")
        assert result.exit_code == 2, result.output
        assert is_one_clear_line(result, "spec.yaml"), result.stderr

    def test_wrong_proc_spec_is_2_and_one_line(self, here):
        spec = {
            "*": {
                "{name}": {
                    "key_list": ["*"],
                    "out_stream": "x.lh5",
                    "proc_spec": {"drop": "baseline"},
                }
            }
        }
        Path("spec.json").write_text(json.dumps(spec))
        result = convert("-o", "spec.json", "run.fcio")
        assert result.exit_code == 2
        assert is_one_clear_line(result, "proc_spec")

    def test_unforeseen_error_is_1_and_one_line(self, here, monkeypatch):
        def fail(*_, **__):
            raise ZeroDivisionError

        module = importlib.import_module("daq2lh5.build_raw")
        monkeypatch.setattr(module, "convert", fail)
        result = convert("run.fcio")
        assert result.exit_code == 1
        assert is_one_clear_line(result, "run.fcio", "ZeroDivisionError")

    def test_statuses_in_a_process(self, here):
        for name, status in (("run", 0), ("cut", 3), ("bad", 1), ("none", 2)):
            done = process("-m", "daq2lh5", "convert", f"{name}.fcio")
            assert done.returncode == status
            assert "Traceback" not in done.stderr


class TestOutput:
    def test_file_name(self, here):
        assert convert("-o", "x.h5", "run.fcio").exit_code == 0
        assert written(here) == ["x.h5"]

    def test_input_in_another_directory_is_converted_beside_itself(self, here):
        (here / "in").mkdir()
        (here / "in" / "r.fcio").write_bytes(GOOD)
        assert convert("in/r.fcio").exit_code == 0
        assert sorted(os.listdir("in")) == ["r.fcio", "r.lh5"]

    @pytest.mark.parametrize("out", ["out", "out/"])
    def test_directory(self, here, out):
        Path("out").mkdir()
        result = convert("-o", out, "run.fcio", "cut.fcio")
        assert result.exit_code == 3
        assert sorted(os.listdir("out")) == ["cut.lh5", "cut.lh5.garbage", "run.lh5"]

    def test_directory_that_is_made(self, here):
        assert convert("-o", "new/dir/", "run.fcio").exit_code == 0
        assert os.listdir("new/dir") == ["run.lh5"]

    def test_orig_basename_in_a_name(self, here):
        result = convert("-o", "out/{orig_basename}_raw.lh5", "run.fcio", "cut.fcio")
        assert result.exit_code == 3
        assert sorted(os.listdir("out")) == [
            "cut_raw.lh5",
            "cut_raw.lh5.garbage",
            "run_raw.lh5",
        ]

    @pytest.mark.parametrize("extension", ["json", "yaml"])
    def test_orig_basename_in_a_specification(self, here, extension):
        import yaml

        spec = {
            "FCEventDecoder": {
                "ch{key}": {
                    "key_list": ["*"],
                    "out_stream": "$OUT/{orig_basename}_{tag}.lh5:/raw",
                }
            }
        }
        dump = json.dumps if extension == "json" else yaml.safe_dump
        Path(f"spec.{extension}").write_text(dump(spec))
        result = convert(
            *("-o", f"spec.{extension}", "-k", '{"tag": "t1"}'),
            *("run.fcio", "cut.fcio"),
            env={"OUT": "out"},
        )
        assert result.exit_code == 3, result.output
        assert sorted(os.listdir("out")) == [
            "cut_t1.lh5",
            "cut_t1.lh5.garbage",
            "run_t1.lh5",
        ]
        with h5py.File("out/run_t1.lh5") as f:
            assert len(f["raw"]) == N_CHANNELS

    def test_basename_without_the_extension_of_compression(self, here):
        import gzip

        Path("r.1.fcio.gz").write_bytes(gzip.compress(GOOD))
        result = convert("-o", "{orig_basename}_raw.lh5", "r.1.fcio.gz")
        assert result.exit_code == 0
        assert "r.1_raw.lh5" in written(here)

    @pytest.mark.parametrize(
        "out",
        ["x.lh5", "./x.lh5", "x.lh5:/group", "spec.json", "{tag}.lh5"],
    )
    def test_two_inputs_for_one_output_are_refused_before_reading(
        self, here, monkeypatch, out
    ):
        Path("spec.json").write_text(
            '{"*": {"{name}": {"key_list": ["*"], "out_stream": "x.lh5"}}}'
        )
        module = importlib.import_module("daq2lh5.build_raw")
        monkeypatch.setattr(module, "open_source", lambda _: pytest.fail("read"))
        result = convert("-k", '{"tag": "x"}', "-o", out, "run.fcio", "cut.fcio")
        assert result.exit_code == 2
        assert is_one_clear_line(result, "run.fcio", "cut.fcio", "orig_basename")
        assert written(here) == ["spec.json"]

    @pytest.mark.parametrize("names", [("a/r.fcio", "b/r.fcio"), ("r.fcio", "r.bin")])
    def test_two_inputs_of_one_basename_are_refused(self, here, names):
        for name in names:
            (here / name).parent.mkdir(exist_ok=True)
            (here / name).write_bytes(GOOD)
        Path("out").mkdir()
        result = convert("-o", "out", *names)
        assert result.exit_code == 2
        assert is_one_clear_line(result, *names)
        assert os.listdir("out") == []

    def test_default_outputs_of_two_inputs_that_are_one(self, here):
        for name in ("r.fcio", "r.bin"):
            Path(name).write_bytes(GOOD)
        result = convert("r.fcio", "r.bin")
        assert result.exit_code == 2
        assert "r.lh5" not in written(here)

    def test_same_input_spelled_in_two_ways_is_refused(self, here):
        result = convert("run.fcio", "./run.fcio")
        assert result.exit_code == 2
        assert written(here) == []

    def test_overwrite(self, here):
        Path("run.lh5").write_bytes(b"\x89HDF\r\n\x1a\nmine")
        assert convert("-w", "run.fcio").exit_code == 0
        assert rows("run.lh5") == ROWS
        assert convert("--overwrite", "-n", "1", "run.fcio").exit_code == 0
        assert rows("run.lh5") == {"FCConfig": 1, "FCEvent": 1}

    def test_braces_of_a_name_that_are_no_keyword(self, here):
        """A file name with a lone brace is a name, or one clear error."""
        result = convert("-o", "x{.lh5", "run.fcio")
        if result.exit_code == 0:
            assert written(here) == ["x{.lh5"]
        else:
            assert result.exit_code == 2
            assert is_one_clear_line(result, "x{.lh5")

    def test_standard_input(self, here):
        done = process(
            *("-m", "daq2lh5", "convert", "-o", "x.lh5", "-"), input=GOOD, text=False
        )
        assert done.returncode == 0, done.stderr
        assert rows("x.lh5") == ROWS

    def test_variables_in_names(self, here):
        result = convert(
            "-o", "$WHERE/x.lh5", "$RUN.fcio", env={"WHERE": ".", "RUN": "run"}
        )
        assert result.exit_code == 0, result.output
        assert rows("x.lh5") == ROWS


class TestOptions:
    @pytest.mark.parametrize("option", ["-n", "--max-rows"])
    @pytest.mark.parametrize("n", [0, 1, 4, 1000])
    def test_max_rows(self, here, option, n):
        assert convert(option, n, "run.fcio").exit_code == 0
        assert sum(rows("run.lh5").values()) == 1 + min(n, sum(ROWS.values()) - 1)

    @pytest.mark.parametrize("option", ["-b", "--buffer-size"])
    def test_buffer_size(self, here, option):
        assert convert(option, 3, "run.fcio").exit_code == 0
        assert rows("run.lh5") == ROWS

    @pytest.mark.parametrize("option", ["-t", "--stream-type"])
    def test_stream_type(self, here, option):
        Path("data").write_bytes(GOOD)
        assert convert(option, "FlashCam", "-o", "x.lh5", "data").exit_code == 0
        result = convert(option, "FlashCam", "bad.fcio")
        assert result.exit_code == 1
        assert is_one_clear_line(result, "bad.fcio", "handshake")

    @pytest.mark.parametrize("option", ["-k", "--kwargs"])
    def test_kwargs_of_build_raw(self, here, option):
        kwargs = json.dumps({"hdf5_settings": {"compression": "lzf"}})
        assert convert(option, kwargs, "run.fcio").exit_code == 0
        with h5py.File("run.lh5") as f:
            assert f["FCEvent/baseline"].compression == "lzf"

    def test_empty_kwargs(self, here):
        assert convert("-k", "", "run.fcio").exit_code == 0

    @pytest.mark.parametrize(
        ("kwargs", "part"),
        [
            ('{"hdf5_settings": {"compresion": "lzf"}}', "compresion"),
            ('{"hdf5_settings": 5}', "hdf5_settings"),
            ('{"n_max": 5}', "n_max"),
            ('{"overwrite": true}', "overwrite"),
        ],
    )
    def test_kwargs_that_do_not_fit_are_an_error(self, here, kwargs, part):
        """An option in the wrong place must not pass without a word."""
        result = convert("-k", kwargs, "run.fcio")
        assert result.exit_code in (1, 2)
        assert is_one_clear_line(result, part), result.stderr
        assert written(here) == []

    def test_kwargs_without_a_use_are_told(self, here):
        Path("spec.json").write_text(
            '{"*": {"{name}": {"key_list": ["*"], "out_stream": "{run:03d}.lh5"}}}'
        )
        for out in ("spec.json", "{run}.lh5"):
            result = convert(
                "-k", '{"run": 7, "hdf5_setting": {}}', "-o", out, "run.fcio"
            )
            assert result.exit_code == 0
            assert "keyword 'hdf5_setting' is not used" in result.stdout
            assert "'run'" not in result.stdout
        assert {"007.lh5", "7.lh5"} < set(written(here))

    @pytest.mark.parametrize("arguments", [[], ["--json", "/dev/full"]])
    def test_report_that_cannot_be_written_is_told_in_one_line(self, here, arguments):
        """The output is complete, and so the status is that of the conversion."""
        if not Path("/dev/full").exists():
            pytest.skip("there is no /dev/full")
        with open("/dev/full" if not arguments else "out.txt", "w") as out:
            done = subprocess.run(
                [sys.executable, "-m", "daq2lh5", "convert", "run.fcio", *arguments],
                stdout=out,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                timeout=60,
                text=True,
                check=False,
            )
        assert done.returncode == 0
        (line,) = done.stderr.splitlines()
        assert line.startswith("warning: the report cannot be written")
        assert rows("run.lh5") == ROWS

    def test_json_to_a_file(self, here):
        result = convert("--json", "r.json", "run.fcio", "cut.fcio", "bad.fcio")
        assert result.exit_code == 1
        reports = [json.loads(line) for line in Path("r.json").read_text().splitlines()]
        assert [r["source"] for r in reports] == ["run.fcio", "cut.fcio", "bad.fcio"]
        assert [r["status"] for r in reports] == [0, 3, 1]
        assert [r["error"] is None for r in reports] == [True, True, False]
        for r, data in zip(reports, (GOOD, DAMAGED), strict=False):
            assert r["input_bytes"] == sum(r["bytes"].values()) == len(data)
        assert {
            n: t["rows"] for n, t in reports[0]["tables"]["run.lh5"].items()
        } == ROWS
        assert set(reports[0]["seconds"]) >= {"total"}

    def test_json_to_standard_output_leaves_it_alone(self, here):
        """So that it can be piped into another program."""
        result = convert("--json", "-", "run.fcio", "cut.fcio")
        reports = [json.loads(line) for line in result.stdout.splitlines()]
        assert [r["status"] for r in reports] == [0, 3]
        assert "run.fcio" in result.stderr

    def test_json_quietly(self, here):
        result = convert("-q", "--json", "-", "run.fcio")
        assert json.loads(result.stdout)["status"] == 0
        assert result.stderr == ""

    @pytest.mark.parametrize("name", ["no/such/dir/r.json", "."])
    def test_json_that_cannot_be_written_is_found_before_reading(self, here, name):
        result = convert("--json", name, "run.fcio")
        assert result.exit_code == 2
        assert is_one_clear_line(result, name)
        assert written(here) == []

    @pytest.mark.parametrize("target", ["run.fcio", "run.lh5"])
    def test_json_over_an_input_or_output_is_refused(self, here, target):
        result = convert("--json", target, "run.fcio")
        assert result.exit_code == 2
        assert Path("run.fcio").read_bytes() == GOOD

    def test_failed_file_does_not_stop_the_rest(self, here):
        result = convert("bad.fcio", "run.fcio", "cut.fcio")
        assert result.exit_code == 1
        assert is_one_clear_line(result, "bad.fcio")
        assert written(here) == ["cut.lh5", "cut.lh5.garbage", "run.lh5"]

    def test_existing_output_of_one_file_does_not_stop_the_rest(self, here):
        Path("cut.lh5").write_bytes(b"mine")
        result = convert("cut.fcio", "run.fcio")
        assert result.exit_code == 2
        assert Path("cut.lh5").read_bytes() == b"mine"
        assert rows("run.lh5") == ROWS

    def test_short_form_of_the_report(self, here):
        result = convert("run.fcio")
        assert result.stdout.splitlines()[0].startswith("run.fcio: FlashCam, ")
        assert "FCEvent 18" in result.stdout

    @pytest.mark.parametrize("option", ["-q", "--quiet"])
    def test_quiet_says_nothing_of_what_is_good(self, here, option):
        result = convert(option, "run.fcio")
        assert (result.exit_code, result.output) == (0, "")

    def test_quiet_says_what_went_wrong(self, here):
        result = convert("-q", "bad.fcio")
        assert is_one_clear_line(result, "bad.fcio")
        assert result.stdout == ""

    @pytest.mark.parametrize("option", ["-v", "--verbose"])
    def test_verbose_has_times(self, here, option):
        result = convert(option, "run.fcio")
        assert result.exit_code == 0
        assert "decode: 0." in result.stdout

    def test_debug_shows_the_traceback(self, here):
        done = process("-m", "daq2lh5", "convert", "--debug", "bad.fcio")
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert "UnknownFormatError" in done.stderr

    def test_debug_of_wrong_usage_keeps_its_status(self, here):
        done = process("-m", "daq2lh5", "convert", "--debug", "none.fcio")
        assert done.returncode == 2
        assert "Traceback" in done.stderr

    def test_debug_goes_on_with_the_next_file(self, here):
        """It shows more and changes nothing."""
        done = process("-m", "daq2lh5", "convert", "--debug", "bad.fcio", "run.fcio")
        assert done.returncode == 1
        assert rows("run.lh5") == ROWS

    def test_warnings_are_shown(self, here):
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "x.lh5"}}}
        spec["ORFCIOEventDecoder"] = {"a": {"key_list": ["*"]}}
        Path("spec.json").write_text(json.dumps(spec))
        done = process("-m", "daq2lh5", "convert", "-o", "spec.json", "run.fcio")
        assert done.returncode == 0
        assert "ORFCIOEventDecoder" in done.stderr

    def test_no_progress_bar_in_a_pipe(self, here):
        done = process("-m", "daq2lh5", "convert", "-b", "3", "run.fcio")
        assert done.stderr == ""
        assert "\r" not in done.stdout

    def test_progress_bar_on_a_terminal(self, here):
        """With rate and time left."""
        pty = pytest.importorskip("pty")
        termios = pytest.importorskip("termios")
        primary, secondary = pty.openpty()
        termios.tcsetwinsize(secondary, (24, 80))
        Path("big.fcio").write_bytes(
            writer.make_stream(50, repeat=20, n_channels=3, n_samples=500)
        )
        with os.fdopen(primary, "rb", buffering=0) as terminal:
            child = subprocess.Popen(
                [
                    *(sys.executable, "-m", "daq2lh5", "convert", "big.fcio"),
                    *("-b", "30"),
                ],
                stderr=secondary,
                stdout=subprocess.DEVNULL,
                env=ENVIRONMENT,
            )
            os.close(secondary)
            seen = b""
            try:
                while part := terminal.read(10000):
                    seen += part
            except OSError:  # the other end is closed
                pass
            assert child.wait(timeout=60) == 0
        assert b"big.fcio" in seen
        assert b"B/s" in seen


class TestPeersCommand:
    """``legend-daq2lh5``."""

    def test_converts(self, here):
        result = peers("run.fcio")
        assert result.exit_code == 0, result.output
        assert rows("run.lh5") == ROWS

    @pytest.mark.parametrize(
        "options",
        [
            ["-t", "FlashCam", "-b", "5", "-w", "-k", "{}", "-v", "-o", "x.lh5"],
            [
                *("--stream-type", "FlashCam", "--buffer_size", "5", "--overwrite"),
                *("--kwargs", "{}", "--verbose", "--out-spec", "x.lh5"),
            ],
            ["--debug", "--out-spec", "x.lh5"],
            ["-d", "-o", "x.lh5"],
        ],
    )
    def test_has_the_peers_options(self, here, options):
        result = peers(*options, "run.fcio")
        assert result.exit_code == 0, result.output
        assert rows("x.lh5") == ROWS

    @pytest.mark.parametrize("option", ["-n", "--max-rows"])
    def test_max_rows(self, here, option):
        assert peers(option, 2, "run.fcio").exit_code == 0
        assert sum(rows("run.lh5").values()) == 3

    def test_damage_is_status_0_with_a_warning(self, here):
        result = peers("cut.fcio")
        assert result.exit_code == 0
        assert "warning" in result.stderr
        assert rows("cut.lh5")["FCEvent"] == ROWS["FCEvent"]

    def test_failure_is_not_0(self, here):
        result = peers("bad.fcio")
        assert result.exit_code == 1
        assert "error: " in result.stderr
        assert "Traceback" not in result.output
        assert written(here) == []

    def test_basename_in_a_specification(self, here):
        spec = {
            "*": {"{name}": {"key_list": ["*"], "out_stream": "{orig_basename}_x.lh5"}}
        }
        Path("spec.json").write_text(json.dumps(spec))
        assert peers("-o", "spec.json", "run.fcio", "cut.fcio").exit_code == 0
        assert {"run_x.lh5", "cut_x.lh5"} <= set(written(here))

    def test_version(self):
        result = peers("--version")
        assert (result.exit_code, result.output.strip()) == (0, daq2lh5.__version__)

    def test_is_an_entry_point(self):
        text = (REPOSITORY / "pyproject.toml").read_text()
        assert 'daq2lh5 = "daq2lh5.installation:main"' in text
        assert 'legend-daq2lh5 = "daq2lh5.cli:daq2lh5_cli"' in text
        assert isinstance(cli.daq2lh5_cli, click.Command)


class TestOther:
    def test_formats_lists_all(self):
        result = CliRunner().invoke(cli.main, ["formats"])
        assert result.exit_code == 0
        for format_ in FORMATS:
            (line,) = [
                x for x in result.output.splitlines() if x.split()[0] == format_.name
            ]
            assert format_.description in line
            for name in format_.decoders:
                assert name in result.output

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion(self, shell):
        result = CliRunner().invoke(cli.main, ["completion", shell])
        assert result.exit_code == 0
        assert "_DAQ2LH5_COMPLETE" in result.output

    def test_completion_of_an_unknown_shell(self):
        assert CliRunner().invoke(cli.main, ["completion", "dos"]).exit_code == 2

    def test_completion_script_completes(self):
        """What the script asks the program when the user presses the tabulator."""
        code = "from daq2lh5.cli import main; main(prog_name='daq2lh5')"
        done = process(
            *("-c", code),
            env=ENVIRONMENT
            | {
                "_DAQ2LH5_COMPLETE": "bash_complete",
                "COMP_WORDS": "daq2lh5 conv",
                "COMP_CWORD": "1",
            },
        )
        assert "convert" in done.stdout

    def test_version(self):
        result = CliRunner().invoke(cli.main, ["--version"])
        assert result.exit_code == 0
        assert daq2lh5.__version__ in result.output

    def test_version_of_convert(self):
        """`--version` stands among the options of ``convert`` too."""
        result = convert("--version")
        assert result.exit_code == 0
        assert daq2lh5.__version__ in result.output

    @pytest.mark.parametrize("option", ["-h", "--help"])
    @pytest.mark.parametrize(
        "command", [[], ["convert"], ["process"], ["formats"], ["completion"]]
    )
    def test_help(self, command, option):
        result = CliRunner().invoke(cli.main, [*command, option])
        assert result.exit_code == 0
        assert "Usage" in result.output

    def test_every_option_of_convert_has_help(self):
        for parameter in cli.main.commands["convert"].params:
            if isinstance(parameter, click.Option):
                assert parameter.help, parameter.name

    def test_unknown_command(self):
        result = CliRunner().invoke(cli.main, ["convrt", "run.fcio"])
        assert result.exit_code == 2


def modules_after(code: str, *arguments) -> set[str]:
    """Return the top-level modules that a program has imported."""
    code += "\nimport sys; print(*{m.split('.')[0] for m in sys.modules}, sep='\\n')"
    done = process("-c", code, *arguments)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


HEAVY = {"lgdo", "lh5", "pandas", "awkward", "numba"}


class TestStart:
    def test_import_of_the_package_is_light(self):
        assert not modules_after("import daq2lh5") & (HEAVY | {"h5py", "tqdm", "yaml"})

    @pytest.mark.parametrize("command", ["[]", "['convert']", "['process']"])
    def test_help_is_light(self, command):
        code = (
            "import contextlib, io\nfrom daq2lh5.cli import main\n"
            "with contextlib.redirect_stdout(io.StringIO()):\n"
            f"    main([*{command}, '--help'], standalone_mode=False)"
        )
        assert not modules_after(code) & (HEAVY | {"h5py", "tqdm", "yaml"})

    def test_decoding_is_light(self):
        code = (
            "import sys, daq2lh5\n"
            "with daq2lh5.open_stream(sys.argv[1]) as (streamer, _):\n"
            "    assert sum(rb.loc for chunk in streamer for rb in chunk) > 100"
        )
        sample = REPOSITORY / "examples" / "data" / "sample.fcio"
        assert not modules_after(code, sample) & (HEAVY | {"h5py"})

    def test_decoding_with_the_software_trigger_is_light(self, tmp_path):
        path = tmp_path / "run.fcio"
        path.write_bytes(writer.make_stream(5, n_channels=2, n_samples=5, fsp=True))
        code = (
            "import sys, daq2lh5\n"
            "with daq2lh5.open_stream(sys.argv[1]) as (streamer, _):\n"
            "    assert sum(rb.loc for chunk in streamer for rb in chunk) > 10"
        )
        assert not modules_after(code, path) & HEAVY

    def test_usage_errors_are_light(self, tmp_path):
        code = (
            "import sys\nfrom daq2lh5.cli import main\n"
            "try:\n    main(['convert', '-q', sys.argv[1]])\n"
            "except SystemExit as e:\n    assert e.code == 2"
        )
        assert not modules_after(code, tmp_path / "none.fcio") & HEAVY
