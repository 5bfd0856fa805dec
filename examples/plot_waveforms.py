"""Plot the first waveforms of a file, without converting it.

    python plot_waveforms.py [INPUT [OUTPUT [NUMBER]]]

By default 6 waveforms of the sample in ``data/`` are plotted to ``waveforms.png`` in
the current directory. Needs matplotlib.
"""

import sys
from pathlib import Path

import numpy as np

from daq2lh5 import open_stream

SAMPLE = Path(__file__).resolve().parent / "data" / "sample.fcio"


def read_waveforms(source: str, number: int) -> list[tuple[str, np.ndarray, float]]:
    """Return (label, samples, period in ns) of the first waveforms of a file."""
    found = []
    with open_stream(source, buffer_size=512) as (streamer, _header):
        for batch in streamer:
            for rb in batch:
                if not rb.out_name.startswith("FCEvent") or "waveform" not in rb.lgdo:
                    continue
                # the table has room for more rows: only the first rb.loc are filled
                table = rb.lgdo
                for row in range(min(rb.loc, number - len(found))):
                    channel = table["channel"].nda[row]
                    event = table["eventnumber"].nda[row]
                    samples = table["waveform"].values.nda[row]
                    period = float(table["waveform"].dt.nda[row])
                    # the next batch reuses the buffer: keep a copy
                    found.append(
                        (f"event {event}, channel {channel}", samples.copy(), period)
                    )
            if len(found) >= number:
                break
    return found


def main() -> int:
    """Plot; return 0."""
    try:
        import matplotlib as mpl
    except ImportError:
        sys.exit("this example needs matplotlib: pip install matplotlib")
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    source = sys.argv[1] if len(sys.argv) > 1 else SAMPLE
    output = sys.argv[2] if len(sys.argv) > 2 else "waveforms.png"
    number = int(sys.argv[3]) if len(sys.argv) > 3 else 6

    waveforms = read_waveforms(source, number)
    if not waveforms:
        sys.exit(f"{source} has no waveforms")
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for label, samples, period in waveforms:
        axes.plot(np.arange(len(samples)) * period / 1000, samples, label=label)
    axes.set_xlabel("time [us]")
    axes.set_ylabel("ADC value")
    axes.legend()
    figure.savefig(output, dpi=120)
    print(f"{len(waveforms)} waveforms plotted to {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
