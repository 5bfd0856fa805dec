"""Print the mean energy of each channel of a GERDA file.

Usage: mgdo_energies.py INPUT

INPUT is a ROOT file of tier 1. It needs uproot: pip install "daq2lh5[mgdo]"
"""

from __future__ import annotations

import sys

from daq2lh5 import open_stream


def main() -> int:
    """Print a line for each channel; return the exit status."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    energies: dict[int, list[float]] = {}
    with open_stream(sys.argv[1], in_stream_type="MGDO") as (streamer, header_data):
        for batch in streamer:
            for rb in batch:
                channels = rb.lgdo["channel"].nda[: rb.loc].tolist()
                values = rb.lgdo["daqenergy"].nda[: rb.loc].tolist()
                for channel, energy in zip(channels, values, strict=True):
                    energies.setdefault(channel, []).append(energy)
        header = header_data[0].lgdo
    if "run_number" in header:
        print(f"run {header['run_number'].value}, {header['software'].value}")
    for channel, values in sorted(energies.items()):
        mean = sum(values) / len(values)
        print(f"channel {channel}: {len(values)} waveforms, mean energy {mean:.1f}")
    return streamer.report.exit_status


if __name__ == "__main__":
    sys.exit(main())
