"""The page about the kit of the tests: its examples run, its paths are there."""

from __future__ import annotations

import re

import pytest
from kit.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "source" / "tests.rst"
if not PAGE.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)
TEXT = PAGE.read_text("utf-8")
EXAMPLES = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", TEXT)
KIT = REPOSITORY / "tests" / "kit"


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_run(number, tmp_path, monkeypatch):
    lines = [line.removeprefix("   ") for line in EXAMPLES[number].splitlines()]
    assert sum(bool(line) for line in lines) <= 12
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})


def test_there_are_examples():
    assert len(EXAMPLES) == 2


def test_all_of_the_kit_is_in_the_table():
    table = TEXT[TEXT.index(".. list-table::") : TEXT.index("Beside it:")]
    named = set(re.findall(r"``([\w.]+)``", table))
    for path in KIT.iterdir():
        if path.name[0] not in "_." and path.suffix in {"", ".py"}:
            assert path.name in named, path.name


def test_paths_are_there():
    for path in re.findall(r"``((?:tests|daq2lh5)/[\w./]*)``", TEXT):
        assert (REPOSITORY / path).exists(), path
