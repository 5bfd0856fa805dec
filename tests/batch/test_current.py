"""Outputs that are up to date: all outputs of an input, made from the same input."""

from __future__ import annotations

import os

import pytest
from kit.writers import fcio

from daq2lh5 import build_raw
from daq2lh5.batch.current import existing_outputs
from daq2lh5.conversion.targets import target_of


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = fcio.make_stream(4, n_channels=2, n_samples=20, status_every=2)
    (tmp_path / "r.fcio").write_bytes(data)
    return tmp_path


SPEC = {
    "FCEventDecoder": {"ev": {"key_list": ["*"], "out_stream": "ev.lh5"}},
    "FCStatusDecoder": {"st": {"key_list": ["*"], "out_stream": "st.lh5"}},
}
ARGUMENTS = {"memory_limit": 1 << 30}


def test_all_outputs_are_looked_at(here):
    build_raw("r.fcio", out_spec=dict(SPEC))
    target = target_of(dict(SPEC), "r.fcio", {})
    assert existing_outputs(["r.fcio"], target, ARGUMENTS)[:2] == (None, 0)
    (here / "st.lh5").unlink()
    assert existing_outputs(["r.fcio"], target, ARGUMENTS)[0] == "st.lh5 does not exist"


def test_pipes_are_converted_again(here):
    os.mkfifo(here / "pipe")
    target = target_of("x.lh5", "pipe", {})
    assert "not a file" in existing_outputs(["pipe"], target, ARGUMENTS)[0]


def test_outputs_named_by_content_are_looked_at(here):
    """Their names are in the reports of the others."""
    spec = SPEC | {
        "*": {"{name}": {"key_list": ["*"], "out_stream": "more/{name}.lh5"}},
    }
    build_raw("r.fcio", out_spec=dict(spec))
    target = target_of(dict(spec), "r.fcio", {})
    assert existing_outputs(["r.fcio"], target, ARGUMENTS)[:2] == (None, 0)
    one = next((here / "more").iterdir())
    one.unlink()
    found = existing_outputs(["r.fcio"], target, ARGUMENTS)
    assert found.outdated == f"{one} does not exist"


@pytest.mark.parametrize("spec", [None, SPEC])
def test_garbage_files_are_looked_at(here, spec):
    data = (here / "r.fcio").read_bytes()
    (here / "r.fcio").write_bytes(data[:-10])
    spec = spec if spec is None else dict(spec)
    garbage = build_raw("r.fcio", out_spec=spec).garbage_file
    target = target_of(spec, "r.fcio", {})
    assert existing_outputs(["r.fcio"], target, ARGUMENTS)[:2] == (None, 3)
    os.unlink(garbage)
    found = existing_outputs(["r.fcio"], target, ARGUMENTS)
    assert found.outdated.endswith(f"{garbage} does not exist")
