"""Where things are: the checkout, the real files, the package under test."""

from __future__ import annotations

import os
from pathlib import Path

import daq2lh5

REPOSITORY = Path(__file__).resolve().parents[2]

TESTDATA = Path(
    os.environ.get("DAQ2LH5_TESTDATA") or REPOSITORY.parent / "shared" / "testdata"
)
"""Directory of the real files, which need not be there."""

PACKAGE_PATH = str(Path(daq2lh5.__file__).parents[1])
"""Where child processes import the package from that this process has imported."""

ENVIRONMENT = os.environ | {"PYTHONPATH": PACKAGE_PATH}
"""Environment of child processes that import the package."""
