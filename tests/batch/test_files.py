"""Many files from Python."""

from __future__ import annotations

import pytest
from kit.writers import fcio

from daq2lh5.batch import convert_files

GOOD = fcio.make_stream(4, n_channels=2, n_samples=20)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        (tmp_path / f"r_{i}.fcio").write_bytes(GOOD)
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 2])
def test_results(here, jobs):
    results = list(convert_files(here, "{orig_basename}.lh5", jobs=jobs))
    assert sorted(r.file for r in results) == [
        str(here / f"r_{i}.fcio") for i in range(3)
    ]
    assert {(r.status, r.report.n_rows) for r in results} == {(0, 9)}
    again = list(convert_files(here, "{orig_basename}.lh5", skip_existing=True))
    assert {r.skipped for r in again} == {"up to date"}


def test_arguments_and_keywords(here):
    events = {
        "key_list": ["*"],
        "out_name": "{group}/ch{key}",
        "out_stream": "{orig_basename}.lh5",
    }
    spec = {"FCEventDecoder": {"events": events}}
    results = list(
        convert_files("r_0.fcio", spec, group="raw", n_max=2, memory_limit="100M")
    )
    tables = results[0].report.tables["r_0.lh5"]
    assert sum(t.rows for t in tables.values()) == 2
    assert all(name.startswith("raw/ch") for name in tables)


def test_files_that_cannot_be_converted_fail(here, caplog):
    (here / "r_3.fcio").write_bytes(b"junk")
    (here / "r_4.fcio").symlink_to(here / "none")
    (here / "notes.txt").write_text("none")
    results = list(convert_files(here, "{orig_basename}.lh5"))
    statuses = {r.file[-8:]: r.status for r in results}
    assert [statuses[f"r_{i}.fcio"] for i in range(5)] == [0, 0, 0, 1, 2]
    assert "1 files have no DAQ format: notes.txt" in caplog.text


def test_join(here):
    (result,) = convert_files(here, "all.lh5", join=True)
    assert result.report.n_rows == 27


@pytest.mark.parametrize(
    ("inputs", "out_spec", "message"),
    [
        ([], "x.lh5", "no input"),
        (["none.fcio"], "x.lh5", "not found"),
        (["r_0.fcio", "r_1.fcio"], "x.lh5", "both write"),
        (["r_0.fcio"], "r_0.fcio", "input"),
    ],
)
def test_mistakes_are_found_before_the_first_conversion(
    here, inputs, out_spec, message
):
    with pytest.raises(ValueError, match=message):
        convert_files(inputs, out_spec)
    assert not list(here.glob("*.lh5"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"jobs": 0},
        {"jobs": -1},
        {"retries": -1},
        {"timeout": 0},
        {"memory_limit": "1K"},
        {"threads": 0},
    ],
    ids=str,
)
def test_wrong_numbers(here, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        convert_files("r_0.fcio", "x.lh5", **wrong)
