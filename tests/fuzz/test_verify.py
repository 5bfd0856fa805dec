"""A short run of changes of single bits, which verify finds."""

from __future__ import annotations

import pytest
from fuzz import verify

from daq2lh5.verification.verification import Verification


@pytest.mark.parametrize("format_", [f for f in verify.EVENTS if verify.names_of(f)])
def test_changes_are_found(format_, capsys):
    arguments = ["--count", "24", "--seed", "1", "--format", format_, "--no-good"]
    assert verify.main(arguments) == 0
    assert " found" in capsys.readouterr().out


def test_a_missed_change_is_a_line_and_a_status(capsys, monkeypatch):
    monkeypatch.setattr(verify, "verify", lambda *_, **__: Verification(""))
    arguments = ["--count", "12", "--seed", "1", "--format", "llama", "--no-good"]
    assert verify.main(arguments) == 1
    assert "missed" in capsys.readouterr().out
