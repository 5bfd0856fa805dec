"""More kinds of waveforms than tables: lost rows are reported."""

from __future__ import annotations

import numpy as np
import pytest
from kit.decoding.mgdo import decode, write
from kit.writers import mgdo as writer

pytestmark = pytest.mark.usefixtures("fake_tree")


def test_more_kinds_than_tables(tmp_path):
    """Rows without a table are irregular, not "not selected"; status 3."""
    rng = np.random.default_rng(0)
    es = [writer.random_entry(rng, [3], (20 + 2 * i, 10)) for i in range(70)]
    decoded = decode(write(tmp_path, es))
    report = decoded.report
    assert len(decoded.rows) == 65
    assert report.irregular == {"row not decoded: too many tables": 5}
    assert report.skipped_channels == {}
    assert report.packets["skipped"] == report.bytes["skipped"] == 0
    assert report.exit_status == 3
