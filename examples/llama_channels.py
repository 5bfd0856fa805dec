"""List the channels of a llamaDAQ file, with their event rates.

Usage: llama_channels.py INPUT
"""

from __future__ import annotations

import sys

from daq2lh5 import open_stream


def main() -> int:
    """Print a line for each channel; return the exit status."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    counts: dict[int, int] = {}
    last = 0.0
    with open_stream(sys.argv[1], in_stream_type="LlamaDaq") as (streamer, _):
        for batch in streamer:
            for rb in batch:
                for channel in rb.lgdo["fadc_channel_id"].nda[: rb.loc].tolist():
                    counts[channel] = counts.get(channel, 0) + 1
                times = rb.lgdo["time_since_run_start"].nda[: rb.loc]
                last = max(last, float(times.max()))
        configs = streamer.header_decoder.get_channel_configs()
    for key, config in configs.items():
        n = counts.get(key, 0)
        rate = f"{n / last:.3g} Hz" if last else "no time"
        print(
            f"FADC {key >> 4}, channel {key & 15}: {config['sample_freq']:g} MHz, "
            f"{config['sample_length']} raw and {config['avg_sample_length']} averaged "
            f"samples, {n} events, {rate}"
        )
    return streamer.report.exit_status


if __name__ == "__main__":
    sys.exit(main())
