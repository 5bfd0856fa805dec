"""Convert like LEGEND's script for the raw tier, in one call.

    python legend_dataflow.py [INPUT [OUTPUT]]

By default the sample in ``data/`` is converted to ``raw.lh5`` in the current folder.
Each detector system has its part of the specification in ``legend_dataflow/``. A
channel map, in a data base by time, says which channels it has, and their names: the
table ``ch1027200/raw`` is also ``raw/V01`` and ``V01/raw``.
"""

import sys
from pathlib import Path

from daq2lh5 import build_raw

HERE = Path(__file__).resolve().parent
CONFIGS = HERE / "legend_dataflow"


def convert(source: Path, output: Path, timestamp: str = "20230311T235840Z"):
    """Convert a file of the time `timestamp`; return the report."""
    return build_raw(
        source,
        # merged in this order
        out_spec=[
            CONFIGS / "general.yaml",
            CONFIGS / "geds.yaml",
            CONFIGS / "spms.yaml",
            CONFIGS / "auxs.yaml",
        ],
        channel_map=f"{CONFIGS / 'channelmaps'}@{timestamp}",
        # values for dsp_config, for all tables in the root group
        db_dict={"/": {"baseline": {"samples": 250}}},
        # the keyword {filekey} of the specification
        filekey=output,
        overwrite=True,
    )


def main() -> int:
    """Convert; return the exit status of the report."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "data" / "sample.fcio"
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("raw.lh5")
    report = convert(source, output)
    print("\n".join(report.lines()))
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
