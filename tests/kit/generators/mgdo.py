"""The real MGDO file."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from kit.places import TESTDATA

FILE = TESTDATA / "mgdo" / "gerda-run0050-20150826T170402Z-cal-ged-tier1.root"

real_file = pytest.mark.skipif(
    not FILE.is_file() or find_spec("uproot") is None,
    reason="DAQ2LH5_TESTDATA names no directory with real files, or no uproot",
)
