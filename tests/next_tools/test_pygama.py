"""pygama's time-coincidence map and hit building with converted files."""

from __future__ import annotations

import gc
import warnings

import lh5
import numpy as np
import pytest
from kit.generators import hpge, runs

pytest.importorskip("pygama", reason="pygama is not installed: pip install '.[test]'")
with warnings.catch_warnings():
    # of modules that pygama imports
    warnings.simplefilter("ignore")
    from pygama.evt import build_tcm
    from pygama.hit import build_hit

CHANNELWISE = ("channelwise", "production")
WHO = ("ours", "peer")


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("kind", CHANNELWISE)
def test_tcm(converted, kind, who, tmp_path):
    """Each event is a coincidence of the channels that fired in it."""
    raw = converted(kind, who)[0]
    out = tmp_path / "tcm.lh5"
    build_tcm(
        [(str(raw), ["ch*/raw"])],
        "timestamp",
        coin_windows=1e-6,
        out_file=str(out),
        out_name="hardware_tcm_1",
        wo_mode="of",
    )
    tcm = lh5.read("hardware_tcm_1", out)
    keys, rows = (tcm[n].view_as("ak").tolist() for n in ("table_key", "row_in_table"))
    assert len(keys) == runs.N_EVENTS
    seen = dict.fromkeys(runs.KEYS, 0)
    for event, (channels, numbers) in enumerate(zip(keys, rows, strict=True)):
        half = len(runs.KEYS) // (2 if runs.is_sparse(event) else 1)
        assert sorted(channels) == list(runs.KEYS[:half])
        for channel, row in zip(channels, numbers, strict=True):
            assert row == seen[channel]
            seen[channel] += 1


@pytest.mark.parametrize("who", WHO)
def test_hit(converted, who, tmp_path):
    """Calibrated energies are those of the pulses."""
    from dspeed import build_dsp

    raw, dsp, hit = converted("channelwise", who)[0], tmp_path / "dsp", tmp_path / "hit"
    build_dsp(
        str(raw),
        str(dsp),
        hpge.configuration("waveform", "waveform"),
        lh5_tables=["ch*"],
        database={f"ch{key}": hpge.CONSTANTS for key in runs.KEYS},
    )
    # dspeed leaves its output open
    gc.collect()
    slope = 0.25
    build_hit(
        str(dsp),
        str(hit),
        hit_config={
            "outputs": ["timestamp", "trapEftp_cal", "AoE", "is_valid_bl"],
            "operations": {
                "AoE": {"expression": "A_max/trapEftp_cal"},
                "trapEftp_cal": {
                    "expression": "a + b * trapEftp",
                    "parameters": {"a": 1.0, "b": slope},
                    "lgdo_attrs": {"units": "keV"},
                },
                "is_valid_bl": {"expression": "abs(bl_mean - 3000) < 10"},
            },
        },
        buffer_len=8,
        wo_mode="of",
    )
    heights = runs.amplitudes(1)
    times = []
    for i, key in enumerate(runs.KEYS):
        table = lh5.read(f"ch{key}/hit", hit)
        wanted = heights[runs.fired(i), i] * slope
        assert table.trapEftp_cal.attrs["units"] == "keV"
        np.testing.assert_allclose(table.trapEftp_cal.nda, 1 + wanted, rtol=5e-3)
        np.testing.assert_allclose(
            table.AoE.nda * table.trapEftp_cal.nda,
            wanted / slope / runs.RISE,
            rtol=0.05,
        )
        assert table.is_valid_bl.nda.all()
        times.append(table.timestamp.nda)
        raw_times = lh5.read(f"ch{key}/raw/timestamp", raw).nda
        np.testing.assert_array_equal(times[-1], raw_times)
