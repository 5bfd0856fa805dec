"""The kernels for presummed waveforms and saturated samples, next to dspeed.

    python benchmarks/kernels.py [--rows N] [--samples N] [--rounds N]

Both do the same to the same waveforms in the same process, by turns, on one core, after
dspeed has compiled its processors. Needs dspeed. Prints the medians of the rates in
10^6 bytes of waveforms a second, the median of the ratios, and how fast numpy copies
the waveforms.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from conversion import proc_spec

if TYPE_CHECKING:
    from collections.abc import Callable

MB = 1_000_000


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes, right after another one.

    In a conversion the waveforms were decoded just before: they are in the cache.
    """
    run()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=400, help="waveforms (400)")
    parser.add_argument("--samples", type=int, default=6250, help="of each (6250)")
    parser.add_argument("--rounds", type=int, default=15, help="measurements (15)")
    args = parser.parse_args()

    import lgdo
    from dspeed.processing_chain import build_processing_chain

    from daq2lh5.buffers.table_buffer import TableBuffer
    from daq2lh5.processing.plan import Plan
    from daq2lh5.processing.steps import process_rows

    rng = np.random.default_rng(0)
    shape = args.rows, args.samples
    values = rng.integers(14000, 16000, shape, dtype=np.uint16)
    waveform = lgdo.WaveformTable(
        values=values, t0=0.0, t0_units="ns", dt=16.0, dt_units="ns"
    )
    table = lgdo.Table({"waveform": waveform})
    spec = proc_spec(codecs=False)
    config = spec["dsp_config"]

    def by_dspeed() -> lgdo.Table:
        chain, _, results = build_processing_chain(tb_in=table, processors=config)
        chain.execute()
        return results

    def by_kernels() -> lgdo.Table:
        return process_rows(table, args.rows, {"dsp_config": config})

    # the way that rows take in a conversion
    described = {"dtype": "uint16", "datatype": "waveform", "wf_len": args.samples}
    times = {"dt": 16, "dt_units": "ns", "t0_units": "ns"}
    buffer = TableBuffer({"waveform": described | times}, args.rows)
    buffer.arrays["waveform/values"][...] = values
    plan = Plan(buffer.fields, spec)

    def as_production() -> list[np.ndarray]:
        return plan.run(buffer.arrays, args.rows, own=True)

    theirs, ours = by_dspeed(), by_kernels()
    for name in config["outputs"]:
        assert ours[name] == theirs[name], name
    target = np.zeros_like(values)
    runs = {
        "dspeed": by_dspeed,
        "kernels": by_kernels,
        "kernels, window and types": as_production,
        "copy by numpy": lambda: np.copyto(target, values),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(args.rounds):
        for name, run in runs.items():
            taken[name].append(seconds(run))
    for name, times in taken.items():
        ratio = median(a / b for a, b in zip(taken["dspeed"], times, strict=True))
        rate = values.nbytes / MB / median(times)
        print(f"{name:26} {rate:8.0f} MB/s  {ratio:6.1f} x dspeed")


if __name__ == "__main__":
    main()
