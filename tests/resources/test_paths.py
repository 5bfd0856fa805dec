"""``~`` and environment variables in paths; dollars and braces in names."""

from __future__ import annotations

from pathlib import Path

import pytest

from daq2lh5.resources.paths import (
    bound_variables,
    escape,
    expand_path,
    expand_variables,
    identity,
)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of me")
    monkeypatch.setenv("FOLDER", "/data/$5")
    monkeypatch.setenv("RUN", "p{1}")
    monkeypatch.delenv("UNSET", raising=False)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a/b.lh5", "a/b.lh5"),
        ("~", "/home/of me"),
        ("~/x", "/home/of me/x"),
        ("~nobody-of-this-name", "~nobody-of-this-name"),
        ("a~", "a~"),
        ("$FOLDER/x", "/data/$5/x"),
        ("${FOLDER}x", "/data/$5x"),
        ("$RUN", "p{1}"),
        ("100$", "100$"),
        ("$5", "$5"),
        ("file://~/x", "file:///home/of me/x"),
        (Path("$RUN/y"), "p{1}/y"),
        (b"$RUN/z", "p{1}/z"),
    ],
)
def test_expansion(given, wanted):
    assert expand_path(given) == wanted


def test_the_value_of_a_variable_has_no_variables(monkeypatch):
    monkeypatch.setenv("A", "$RUN")
    assert expand_path("$A") == "$RUN"


def test_what_exists_is_the_path():
    Path("$RUN").touch()
    Path("~user").mkdir()
    assert expand_path("$RUN") == "$RUN"
    assert expand_path("~user/x") == "~user/x"


def test_an_unset_variable_in_an_existing_folder_is_part_of_its_name():
    Path("of $UNSET").mkdir()
    assert expand_path("of $UNSET/x") == "of $UNSET/x"


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("$UNSET/x", ValueError, "the environment variable 'UNSET' in"),
        ("~nobody-of-this-name/x", ValueError, "the user 'nobody-of-this-name'"),
        ("a\0b", ValueError, "null byte"),
        (5, TypeError, "not a int: 5"),
    ],
)
def test_what_cannot_be_expanded_is_named(given, error, words):
    with pytest.raises(error, match=words):
        expand_path(given)


def test_in_templates_braces_of_values_are_no_fields():
    assert expand_variables("$RUN/{key}", template=True) == "p{{1}}/{key}"
    assert escape("{a}").format() == "{a}"


def test_unset_variables_may_stay():
    assert expand_variables("$UNSET/$RUN", lenient=True) == "$UNSET/p{1}"


def test_a_variable_in_front_of_a_field_ends_there():
    template = bound_variables("$FOLDER{run}")
    assert expand_variables(template, template=True) == "/data/$5{run}"


def test_names_of_one_file_have_one_identity(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "hard").hardlink_to(tmp_path / "a")
    (tmp_path / "soft").symlink_to("a")
    names = ["a", "./a", tmp_path / "a", f"file://{tmp_path}/a", "hard", "soft"]
    assert len({identity(name) for name in names}) == 1
    assert len({identity(name) for name in ("a", "b", "none", "-")}) == 4
    assert identity("none") == identity(tmp_path / "none")
