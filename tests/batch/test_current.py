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
    assert existing_outputs(["r.fcio"], target, ARGUMENTS) == (None, 0)
    (here / "st.lh5").unlink()
    assert existing_outputs(["r.fcio"], target, ARGUMENTS)[0] == "st.lh5 does not exist"


def test_pipes_are_converted_again(here):
    os.mkfifo(here / "pipe")
    target = target_of("x.lh5", "pipe", {})
    assert "not a file" in existing_outputs(["pipe"], target, ARGUMENTS)[0]
