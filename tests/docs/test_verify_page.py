"""The page on verification: its commands run as they stand."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
import sys

import pytest
from kit.places import ENVIRONMENT, REPOSITORY

PAGE = REPOSITORY / "docs" / "source" / "verify.rst"
if not PAGE.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)


def test_the_page(tmp_path, monkeypatch):
    shutil.copy(REPOSITORY / "examples" / "data" / "sample.fcio", tmp_path)
    block = re.search(r"code-block:: console\n\n((?:   .*\n)+)", PAGE.read_text())[1]
    lines = [line[3:] for line in block.splitlines()]
    told: list[str] = []
    for line in lines:
        if line.startswith("$ daq2lh5 "):
            assert told == []
            done = subprocess.run(
                [sys.executable, "-m", "daq2lh5", *line.split()[2:]],
                cwd=tmp_path,
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                check=True,
            )
            is_shown = "verify" in line
            told = done.stdout.splitlines() if is_shown else []
        else:
            assert line == told.pop(0)
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted
    assert not result.failed
