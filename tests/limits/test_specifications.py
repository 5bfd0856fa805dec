"""Specifications that would take any time and memory: one line within a second."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner
from kit.writers import fcio as writer

from daq2lh5 import utils
from daq2lh5.cli import main
from daq2lh5.errors import OutSpecError
from daq2lh5.utils import load_dict

MILLION = 10**6
DECODER = '{"FCEventDecoder": {"a": {"out_stream": "o.lh5", "key_list": %s}}}'


def multiplied(how):
    """Return YAML whose anchors multiply by ten in each of eleven lines."""
    lines = ["a0: &a0 {k: 1}"]
    for i in range(1, 12):
        ten = ", ".join([f"*a{i - 1}"] * 10)
        lines.append(how.format(i=i, ten=ten))
    return "\n".join(lines)


BAD = {
    "range.json": DECODER % "[[0, 2147483647]]",
    "range.yaml": "FCEventDecoder: {a: {out_stream: o.lh5, key_list: [[0, 9e17]]}}",
    "ranges.json": DECODER % json.dumps([[0, MILLION]] * 100_000),
    "number.json": DECODER % f"[{'1' * MILLION}]",
    "nested.json": "[" * MILLION + "]" * MILLION,
    "nested.yaml": "[" * 400_000 + "]" * 400_000,
    "nested.toml": "a = " + "[" * 400_000,
    "lists.json": DECODER % f"[{'[],' * MILLION}[]]",
    "indented.yaml": "\n".join(" " * i + "a:" for i in range(1000)),
    "dashes.yaml": "- " * 500_000 + "a",
    "anchors.yaml": multiplied("a{i}: &a{i} [{ten}]"),
    "merges.yaml": multiplied("a{i}: &a{i}\n  <<: [{ten}]\n  k{i}: 1"),
    "itself.yaml": "FCEventDecoder: &a\n  b: *a\n",
    "dots.toml": ".".join(["a"] * 100_000) + " = 1",
    "quoted.toml": ".".join(['"a.b"'] * 100_000) + " = 1",
    "tables.toml": f"[{'.'.join(['a'] * 100_000)}]",
    "long.yaml": "\n".join(f"k{i}: 1" for i in range(MILLION)),
}


@pytest.mark.parametrize("name", BAD)
def test_one_line_within_a_second(tmp_path, monkeypatch, name):
    """Reading the YAML library, and a busy machine, are left some time besides."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.fcio").write_bytes(writer.make_stream(1, n_channels=2, n_samples=9))
    (tmp_path / name).write_text(BAD[name])
    start = time.process_time()
    done = CliRunner().invoke(main, ["convert", "-o", name, "a.fcio"])
    assert time.process_time() - start < 2
    assert done.exit_code == 2
    (line,) = done.output.splitlines()
    assert line.startswith("error: ")
    assert len(line) < 300
    assert not (tmp_path / "o.lh5").exists()


def test_values_of_yaml_are_counted_as_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(utils, "MAX_NODES", 100)
    (tmp_path / "a.yaml").write_text(f"[{'1, ' * 101}]")
    with pytest.raises(OutSpecError, match="more than 100 values: write them as JSON"):
        load_dict(tmp_path / "a.yaml")


def test_dots_in_toml_that_are_no_keys(tmp_path):
    """In texts, comments and lists of numbers there may be any."""
    numbers = ", ".join(["1.5"] * 500)
    (tmp_path / "a.toml").write_text(
        f'a = "{"x." * 500}"\nb = [{numbers}]\n# {"y." * 500}\n'
        f"c = '''{'z.' * 500}\n'''\n"
    )
    found = load_dict(tmp_path / "a.toml")
    assert found == {"a": "x." * 500, "b": [1.5] * 500, "c": "z." * 500 + "\n"}


def test_ordinary_ones_are_far_from_the_limits(tmp_path):
    """A table for each of 2000 channels, written out."""
    spec = {
        f"ch{i}": {"key_list": [i], "out_stream": "o.lh5", "out_name": f"ch{i}/raw"}
        for i in range(2000)
    }
    (tmp_path / "a.json").write_text(json.dumps({"FCEventDecoder": spec}))
    assert load_dict(tmp_path / "a.json") == {"FCEventDecoder": spec}
    (tmp_path / "a.yaml").write_text(json.dumps({"FCEventDecoder": spec}, indent=1))
    assert load_dict(tmp_path / "a.yaml") == {"FCEventDecoder": spec}
