"""The page on many files: its commands run as they stand."""

import pytest
from kit.pages import PAGES, run_page
from kit.writers import fcio

if not PAGES.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)


def test_the_page_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    data = fcio.make_stream(3, n_channels=3, n_samples=20)
    for name in ("r", "r_1", "r_2", "r_10"):
        (tmp_path / f"run/{name}.fcio").write_bytes(data)
    ran, n_statements = run_page(PAGES / "batch.rst", tmp_path)
    assert len(ran) == 6
    assert n_statements > 2
