"""The page on production: its commands run as they stand."""

import pytest
from kit.pages import PAGES, run_page
from kit.writers import fcio

if not PAGES.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)


def test_the_page_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "daq").mkdir()
    data = fcio.make_stream(3, n_channels=3, n_samples=20)
    for name in ("a", "b"):
        (tmp_path / f"daq/{name}.fcio").write_bytes(data)
    ran, _ = run_page(PAGES / "production.rst", tmp_path)
    assert ran == ["daq2lh5"] * 2
