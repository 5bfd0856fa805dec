"""`dspeed.build_dsp` processes converted files, configured for germanium."""

from __future__ import annotations

import gc

import lh5
import numpy as np
import pytest
from dspeed import build_dsp
from kit.generators import hpge, runs

FORMS = {
    "default": ("waveform", "waveform"),
    "channelwise": ("waveform", "waveform"),
    "production": ("waveform_presummed", "waveform_windowed"),
}
"""Names of the waveforms for energies and currents, by kind of file."""

CHANNELS = [f"ch{key}" for key in runs.KEYS]


@pytest.fixture(scope="module")
def processed(converted, tmp_path_factory):
    """Return the processed tables of each channel of the first run."""
    folder = tmp_path_factory.mktemp("dsp")
    made = {}

    def tables(kind: str, who: str = "ours") -> dict[int, dict[str, np.ndarray]]:
        if (kind, who) not in made:
            out = folder / f"{who}_{kind}.lh5"
            made[kind, who] = process(converted(kind, who)[0], kind, out)
        return made[kind, who]

    return tables


def process(raw, kind: str, out) -> dict[int, dict[str, np.ndarray]]:
    build_dsp(
        str(raw),
        str(out),
        hpge.configuration(*FORMS[kind]),
        lh5_tables=["FCEvent"] if kind == "default" else ["ch*"],
        database=dict.fromkeys(["FCEvent", *CHANNELS], hpge.CONSTANTS),
        # several pieces of each table
        buffer_len=8,
        write_mode="r",
    )
    # dspeed leaves its output open
    gc.collect()
    if kind == "default":
        # rows of all channels are in one table
        channel = lh5.read("FCEvent/channel", raw).nda
        table = lh5.read("FCEvent", out)
        return {
            key: {name: table[name].nda[channel == i] for name in hpge.OUTPUTS}
            for i, key in enumerate(runs.KEYS)
        }
    read = {key: lh5.read(f"ch{key}/dsp", out) for key in runs.KEYS}
    return {k: {n: t[n].nda for n in hpge.OUTPUTS} for k, t in read.items()}


@pytest.mark.parametrize("kind", runs.KINDS)
def test_energies_and_times(processed, kind):
    """The parameters are those of the drawn pulses."""
    heights = runs.amplitudes(1)
    summed = runs.SUMMED if kind == "production" else 1
    for i, key in enumerate(runs.KEYS):
        found = processed(kind)[key]
        wanted = heights[runs.fired(i), i]
        np.testing.assert_allclose(found["trapEftp"] / summed, wanted, rtol=5e-3)
        np.testing.assert_allclose(found["trapEmax"] / summed, wanted, rtol=5e-3)
        np.testing.assert_allclose(found["bl_mean"] / summed, runs.BASELINE, atol=1)
        start = runs.START * runs.PERIOD
        assert (abs(found["tp_0"] - start) < 5 * summed * runs.PERIOD).all()
        np.testing.assert_allclose(found["A_max"], wanted / runs.RISE, rtol=0.05)


@pytest.mark.parametrize("other", ["default", "production"])
def test_the_same_by_channel(processed, other):
    """Results are independent of the tables and of the encoding of waveforms."""
    # windows are exact copies; sums have other values
    names = hpge.OUTPUTS if other == "default" else ["A_max", "timestamp"]
    for key, wanted in processed("channelwise").items():
        found = processed(other)[key]
        for name in names:
            np.testing.assert_array_equal(found[name], wanted[name])


@pytest.mark.parametrize("kind", runs.KINDS)
def test_the_same_from_the_peers_file(processed, kind):
    for key, wanted in processed(kind, "peer").items():
        for name, values in wanted.items():
            np.testing.assert_array_equal(processed(kind)[key][name], values)
