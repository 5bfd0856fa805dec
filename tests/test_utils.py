"""Files of settings: JSON, YAML and TOML, and how much of them is read."""

from __future__ import annotations

import json
import sys

import pytest

from daq2lh5 import utils
from daq2lh5.errors import OutSpecError
from daq2lh5.utils import file_type, is_spec_file, load_dict, load_if_dict

TEXTS = {
    "json": '{"a": {"b": [1, 2.5, "x"]}}',
    "yaml": "a:\n  b: [1, 2.5, x]\n",
    "toml": 'a.b = [1, 2.5, "x"]\n',
}
WANTED = {"a": {"b": [1, 2.5, "x"]}}


def skip_without_toml(kind: str) -> None:
    if kind == "toml" and sys.version_info < (3, 11):
        pytest.importorskip("tomli")


@pytest.mark.parametrize("kind", TEXTS)
def test_all_types_say_the_same(kind, tmp_path):
    skip_without_toml(kind)
    path = tmp_path / f"x.{kind}"
    path.write_text(TEXTS[kind])
    assert load_dict(path) == load_dict(str(path)) == WANTED
    other = tmp_path / "x.txt"
    other.write_text(TEXTS[kind])
    assert load_dict(other, kind) == WANTED
    assert load_if_dict(other) == WANTED


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.json", "json"),
        ("a.JSON", "json"),
        ("a.yml", "yaml"),
        ("a.b.Toml", "toml"),
        ("a.lh5", None),
        ("json", None),
    ],
)
def test_the_extension_tells_the_type(name, kind):
    assert file_type(name) == kind
    assert is_spec_file(name) == (kind is not None)


def test_another_extension_is_refused(tmp_path):
    with pytest.raises(NotImplementedError, match=r"supported: \.json"):
        load_dict(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '{\n"a": 1,\n"a": 2}'),
        ("yaml", "b: 5\na: 1\na: 2\n"),
        ("json", '{"x": [{"a": 1, "b": {"a": 3}, "a": 2}]}'),
    ],
)
def test_a_key_that_stands_twice_is_named(kind, text, tmp_path):
    path = tmp_path / f"x.{kind}"
    path.write_text(text)
    with pytest.raises(OutSpecError, match="has the key 'a' twice"):
        load_dict(path)


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_not_valid_names_the_file(kind, tmp_path):
    skip_without_toml(kind)
    path = tmp_path / f"x.{kind}"
    path.write_text('{"a": [}')
    with pytest.raises(OutSpecError, match=f"x.{kind} is not valid"):
        load_dict(path)


def test_limits(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("[" * 150 + "]" * 150)
    with pytest.raises(OutSpecError, match="nested too deeply"):
        load_dict(path)
    monkeypatch.setattr(utils, "MAX_VALUES", 20)
    path.write_text(json.dumps([0] * 30))
    with pytest.raises(OutSpecError, match="more than 20 values"):
        load_dict(path)
    # aliases multiply what is written
    path = tmp_path / "x.yaml"
    path.write_text("a: &a [1, 2, 3, 4, 5, 6, 7]\nb: [*a, *a, *a]\n")
    with pytest.raises(OutSpecError, match="more than 20 values"):
        load_dict(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"just words", b"[1, 2]", b"\x89HDF\r\n\x1a\n", b'{"a": "\x00"}', b"\xff{"],
)
def test_other_files_are_none(data, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(data)
    assert load_if_dict(path) is None
    assert load_if_dict(tmp_path) is None
    assert load_if_dict(tmp_path / "missing") is None
