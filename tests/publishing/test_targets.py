"""Only LH5 is replaced, and clashes of names are reported with advice."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.cli import main
from daq2lh5.publishing.targets import is_hdf5

STREAM = writer.make_stream(3, n_channels=2, n_samples=9)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("run1.fcio", "run2.fcio", "run3.fcio"):
        (tmp_path / name).write_bytes(STREAM)
    return tmp_path


@pytest.fixture
def _nothing_is_read(monkeypatch):
    def opened(*_, **__):
        pytest.fail("opened")

    monkeypatch.setattr("daq2lh5.fc.fc_streamer.FCStreamer.open_stream", opened)


def invoke(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def is_refused(result, *words: str) -> bool:
    assert result.exit_code == 2, result.output
    (line,) = result.output.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line
    return True


@pytest.mark.usefixtures("_nothing_is_read")
class TestRefused:
    @pytest.mark.parametrize("name", ["run1.fcio", "analysis.py", "notes", "x.lh5"])
    @pytest.mark.parametrize("inputs", [["run2.fcio"], ["run2.fcio", "run3.fcio"]])
    def test_other_files_than_lh5(self, here, name, inputs):
        if not Path(name).exists():
            Path(name).write_bytes(b"import daq2lh5\n" * 100)
        before = Path(name).read_bytes()
        if len(inputs) == 1:
            assert is_refused(invoke("convert", "-w", "-o", name, *inputs), name, "-w")
        else:
            assert is_refused(invoke("convert", "-w", "-o", name, *inputs), name)
        assert Path(name).read_bytes() == before

    def test_a_glob_behind_the_option(self, here):
        """The shell expands the glob: its first file becomes the output."""
        result = invoke("convert", "-w", "-o", "run1.fcio", "run2.fcio", "run3.fcio")
        assert is_refused(result, "run1.fcio")
        assert Path("run1.fcio").read_bytes() == STREAM

    def test_one_of_many_default_outputs(self, here):
        Path("run3.lh5").write_bytes(b"mine")
        result = invoke("convert", "-w", "run1.fcio", "run2.fcio", "run3.fcio")
        assert is_refused(result, "run3.lh5", "not an LH5")

    def test_in_a_specification(self, here):
        Path("mine").write_bytes(b"mine")
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "mine:/g"}}}
        Path("spec.json").write_text(json.dumps(spec))
        result = invoke("convert", "-w", "-o", "spec.json", "run1.fcio")
        assert is_refused(result, "mine", "not an LH5")
        with pytest.raises(FileExistsError, match="not an LH5"):
            daq2lh5.build_raw("run1.fcio", out_spec=spec, overwrite=True)
        assert Path("mine").read_bytes() == b"mine"

    def test_a_part_of_hdf5_is_not_all_of_it(self, here):
        Path("x.lh5").write_bytes(b"\x89HDF" + bytes(2000))
        result = invoke("convert", "-w", "-o", "x.lh5", "run1.fcio")
        assert is_refused(result, "x.lh5")

    def test_output_that_is_another_input(self, here):
        spec = {"*": {"n": {"key_list": ["*"], "out_stream": "{orig_basename}2.fcio"}}}
        Path("spec.json").write_text(json.dumps(spec))
        Path("run.fcio").write_bytes(STREAM)
        result = invoke("convert", "-w", "-o", "spec.json", "run.fcio", "run2.fcio")
        assert is_refused(result, "run2.fcio", "input")


def test_named_after_keys(here):
    """Refused once the stream is open, before anything is written."""
    Path("ch1027201.lh5").write_bytes(b"mine")
    spec = {"FCEventDecoder": {"a": {"key_list": ["*"], "out_stream": "ch{key}.lh5"}}}
    Path("spec.json").write_text(json.dumps(spec))
    result = invoke("convert", "-w", "-o", "spec.json", "run1.fcio")
    assert is_refused(result, "ch1027201.lh5", "not an LH5")
    assert [p.name for p in here.glob("*.lh5")] == ["ch1027201.lh5"]


@pytest.mark.parametrize("block", [0, 512, 1024, 4096])
def test_hdf5_behind_a_block_of_the_user_s_own_is_replaced(here, block):
    with h5py.File("x.lh5", "w", userblock_size=block) as f:
        f["a"] = 1
    assert is_hdf5("x.lh5")
    assert invoke("convert", "-w", "-o", "x.lh5", "run1.fcio").exit_code == 0
    with h5py.File("x.lh5") as f:
        assert "FCEvent" in f


def test_empty_files_are_replaced(here):
    """As mktemp, NamedTemporaryFile and touch leave them."""
    Path("x.lh5").touch()
    assert invoke("convert", "-o", "x.lh5", "run1.fcio").exit_code == 2
    assert invoke("convert", "-w", "-o", "x.lh5", "run1.fcio").exit_code == 0
    with h5py.File("x.lh5") as f:
        assert "FCEvent" in f


def test_what_comes_meanwhile_is_looked_at_too(here):
    from daq2lh5.build_raw import convert

    def come(_):
        Path("x.lh5").write_bytes(b"mine")

    with pytest.raises(FileExistsError, match="not an LH5"):
        convert("run1.fcio", out_spec="x.lh5", overwrite=True, progress=come)
    assert Path("x.lh5").read_bytes() == b"mine"
    assert not list(here.glob(".*"))


@pytest.mark.parametrize("option", [[], ["-o", "../other.py"]])
def test_processing(here, option):
    assert invoke("convert", "run1.fcio").exit_code == 0
    Path("s.json").write_text(json.dumps({"return_type": {}}))
    mine = Path(option[1] if option else "run1_proc.lh5")
    mine.write_bytes(b"mine")
    result = invoke("process", "-w", "-s", "s.json", "run1.lh5", *option)
    assert is_refused(result, mine.name, "not an LH5")
    assert mine.read_bytes() == b"mine"


class TestClashes:
    @pytest.mark.parametrize("option", ["out/", "{orig_basename}.lh5"])
    def test_of_one_name_in_two_folders(self, here, option):
        """A directory, or the input's name, would not distinguish them."""
        for folder in ("a", "b"):
            Path(folder).mkdir()
            Path(folder, "s.fcio").write_bytes(STREAM)
        result = invoke("convert", "-o", option, "a/s.fcio", "b/s.fcio")
        assert is_refused(result, "a/s.fcio", "b/s.fcio", "one by one", "-o b_s.lh5")
        assert "orig_basename}'" not in result.output

    def test_of_default_outputs(self, here):
        Path("run1.bin").write_bytes(STREAM)
        result = invoke("convert", "run1.fcio", "run1.bin")
        assert is_refused(result, "run1.fcio", "run1.bin", "one by one")

    def test_of_one_file_for_all(self, here):
        result = invoke("convert", "-o", "x.lh5", "run1.fcio", "run2.fcio")
        assert is_refused(result, "'{orig_basename}'", "directory")
        assert (
            invoke("convert", "-o", "x_{orig_basename}.lh5", "run1.fcio").exit_code == 0
        )
