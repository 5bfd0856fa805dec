"""A configuration of dspeed for pulses of germanium detectors.

Energies come from one waveform and the current from another, as experiments do whose
raw files have long waveforms summed and a window around the pulse in full.
"""

from __future__ import annotations

from typing import Any

CONSTANTS = {"pz": {"tau": "80*us"}, "trap": {"rise": "4*us", "flat": "1*us"}}
"""Values of the parameters ``db...`` of the configuration."""

OUTPUTS = (
    *("bl_mean", "bl_std", "bl_slope", "wf_min", "wf_max", "tp_min", "tp_max"),
    *("trapEmax", "trapEftp", "tp_0", "A_max", "timestamp"),
)


def configuration(energy: str, current: str) -> dict[str, Any]:
    """Return the configuration.

    Parameters
    ----------
    energy, current
        names of the waveforms that energies and currents come from.
    """
    return {
        "outputs": list(OUTPUTS),
        "processors": {
            "tp_min, tp_max, wf_min, wf_max": {
                "function": "min_max",
                "module": "dspeed.processors",
                "args": [energy, "tp_min", "tp_max", "wf_min", "wf_max"],
                "unit": ["ns", "ns", "ADC", "ADC"],
            },
            "bl_mean, bl_std, bl_slope, bl_intercept": {
                "function": "linear_slope_fit",
                "module": "dspeed.processors",
                "args": [
                    f"{energy}[0: round(12*us, {energy}.period)]",
                    *("bl_mean", "bl_std", "bl_slope", "bl_intercept"),
                ],
                "unit": ["ADC", "ADC", "ADC", "ADC"],
            },
            "wf_blsub": {
                "function": "bl_subtract",
                "module": "dspeed.processors",
                "args": [energy, "bl_mean", "wf_blsub"],
                "unit": "ADC",
            },
            "wf_pz": {
                "function": "pole_zero",
                "module": "dspeed.processors",
                "args": ["wf_blsub", "db.pz.tau", "wf_pz"],
                "unit": "ADC",
                "defaults": {"db.pz.tau": "500*us"},
            },
            "wf_trap": {
                "function": "trap_norm",
                "module": "dspeed.processors",
                "args": ["wf_pz", "db.trap.rise", "db.trap.flat", "wf_trap"],
                "unit": "ADC",
                "defaults": {"db.trap.rise": "8*us", "db.trap.flat": "2*us"},
            },
            "trapEmax": {
                "function": "amax",
                "module": "numpy",
                "args": ["wf_trap", 1, "trapEmax"],
                "kwargs": {"signature": "(n),()->()", "types": ["fi->f", "di->d"]},
                "unit": "ADC",
            },
            # when the pulse starts, from the top of a fast asymmetric filter
            "wf_fast": {
                "function": "asym_trap_filter",
                "module": "dspeed.processors",
                "args": ["wf_pz", "0.256*us", "0.128*us", "1.024*us", "wf_fast"],
                "unit": "ADC",
            },
            "tp_lowest, tp_highest, fast_min, fast_max": {
                "function": "min_max",
                "module": "dspeed.processors",
                "args": [
                    *("wf_fast", "tp_lowest", "tp_highest", "fast_min", "fast_max"),
                ],
                "unit": ["ns", "ns", "ADC", "ADC"],
            },
            "tp_0": {
                "function": "time_point_thresh",
                "module": "dspeed.processors",
                "args": ["wf_fast", "0.02*fast_max", "tp_highest", 0, "tp_0"],
                "unit": "ns",
            },
            "trapEftp": {
                "function": "fixed_time_pickoff",
                "module": "dspeed.processors",
                "args": [
                    "wf_trap",
                    "tp_0 + db.trap.rise + 0.8*db.trap.flat",
                    "'l'",
                    "trapEftp",
                ],
                "unit": "ADC",
                "defaults": {"db.trap.rise": "8*us", "db.trap.flat": "2*us"},
            },
            # of any integer type: as numbers that the next processor takes
            "wf_exact": {
                "function": "bl_subtract",
                "module": "dspeed.processors",
                "args": [current, "baseline", "wf_exact(dtype='f')"],
                "unit": "ADC",
            },
            "wf_current": {
                "function": "avg_current",
                "module": "dspeed.processors",
                "args": ["wf_exact", 2, "wf_current(len(wf_exact) - 2, 'f')"],
                "unit": "ADC/sample",
            },
            "A_max": {
                "function": "amax",
                "module": "numpy",
                "args": ["wf_current", 1, "A_max"],
                "kwargs": {"signature": "(n),()->()", "types": ["fi->f", "di->d"]},
                "unit": "ADC/sample",
            },
        },
    }
