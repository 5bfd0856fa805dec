"""Show the number and rate of events of each channel of a CoMPASS file.

Usage: compass_rates.py INPUT [SETTINGS]

Nothing is written. SETTINGS is the XML file of the run; one beside the data is found
without it.
"""

from __future__ import annotations

import sys
from collections import defaultdict

import numpy as np

from daq2lh5 import open_stream

COLUMNS = ("board", "channel", "timestamp_ps", "energy")


def main() -> int:
    """Print a line for each channel; return the exit status."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    settings = sys.argv[2] if len(sys.argv) > 2 else None
    times = defaultdict(list)
    energies = defaultdict(list)
    with open_stream(sys.argv[1], "Compass", settings, extra_columns=True) as (
        streamer,
        _,
    ):
        for batch in streamer:
            for rb in batch:
                table = {name: rb.lgdo[name].nda[: rb.loc] for name in COLUMNS}
                keys = table["board"] * 512 + table["channel"]
                for key in np.unique(keys):
                    chosen = keys == key
                    times[key].append(table["timestamp_ps"][chosen])
                    energies[key].append(table["energy"][chosen])
        report = streamer.report
    for key in sorted(times):
        time = np.concatenate(times[key])
        seconds = (int(time.max()) - int(time.min())) / 1e12
        rate = f"{(len(time) - 1) / seconds:.1f} per second" if seconds else "one event"
        mean = np.concatenate(energies[key]).mean()
        where = f"board {key // 512}, channel {key % 512}"
        print(f"{where}: {len(time)} events, {rate}, mean energy {mean:.0f}")
    bad = report.bytes["corrupt"] + report.bytes["cut_off"]
    print(f"{report.n_bytes} bytes, {bad} of them damaged")
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
