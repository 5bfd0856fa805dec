"""Convert a file as production does: windowed and presummed waveforms by channel.

    python production.py [INPUT [OUTPUT_DIRECTORY]]

By default the sample in ``data/`` is converted, to the current directory. What becomes
of the rows is said in ``production_fcio.yaml``, and for ORCA files in
``production_orca.yaml``. The same on the command line:

    daq2lh5 convert data/sample.fcio -o production_fcio.yaml -w \
        -k '{"out_dir": ".", "run": "sample"}'

A file that was converted before, with a table for each channel, is processed by:

    daq2lh5 process sample.lh5 -s production_fcio.yaml
"""

import sys
from pathlib import Path

from daq2lh5 import build_raw, get_streamer

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Convert; return 0 if all of the input was good, else 3."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "data" / "sample.fcio"
    out_dir = sys.argv[2] if len(sys.argv) > 2 else "."
    # the content identifies the format
    streamer = get_streamer(str(source))
    streamer.source.close()
    kind = "orca" if streamer.report.format == "ORCA" else "fcio"
    report = build_raw(
        source,
        out_spec=HERE / f"production_{kind}.yaml",
        overwrite=True,
        # for all columns without settings of their own
        hdf5_settings={"compression": "zstd", "shuffle": True, "fs_strategy": "page"},
        # values of the specification's keywords
        out_dir=out_dir,
        run=source.stem,
    )
    print("\n".join(report.lines()))
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
