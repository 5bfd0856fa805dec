"""The quick start, run as it stands there: commands, files, and their output."""

import shutil
from pathlib import Path

import pytest
from kit.pages import PAGES, as_shown, run_page
from kit.places import REPOSITORY

if not PAGES.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)


def test_the_page_as_it_stands(tmp_path, monkeypatch):
    """A user who types it all, in a checkout, sees what the page shows."""
    monkeypatch.chdir(tmp_path)
    data = Path("examples/data/sample.fcio")
    data.parent.mkdir(parents=True)
    shutil.copyfile(REPOSITORY / data, data)
    # the examples in Python name a file of the user's
    shutil.copyfile(REPOSITORY / data, "run1.fcio")
    ran, n_statements = run_page(PAGES / "quickstart.rst", tmp_path)
    assert ran == ["daq2lh5", "lh5ls"] * 2
    assert n_statements > 5
    assert Path("channels.lh5").exists()


@pytest.mark.parametrize(
    ("output", "same"), [("a 1 b", True), ("a b", False), ("a 1 b 2", False)]
)
def test_ellipses(output, same):
    assert as_shown(output, "a ... b") == same
