"""Forms of CoMPASS records, and the real file."""

from __future__ import annotations

import pytest

from kit.places import TESTDATA
from kit.writers import compass as writer

REAL = TESTDATA / "compass" / "compass_test_data.BIN"
REAL_SETTINGS = TESTDATA / "compass" / "compass_test_data_settings.xml"

real_files = pytest.mark.skipif(
    not REAL.is_file(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory with them",
)

FORMS = [writer.form(word) for word in writer.HEADER_WORDS]
OLD_FORMS = [
    writer.form(0xCAE8 | bits, version) for version in (1, 0) for bits in range(8)
]
