"""Convert a file with an output specification: a table for each channel.

    python channelwise.py [INPUT [OUTPUT_DIRECTORY]]

By default the sample in ``data/`` is converted, to the current directory. What goes
where is said in ``channelwise.yaml``. The same on the command line:

    daq2lh5 convert data/sample.fcio -o channelwise.yaml -w \
        -k '{"out_dir": ".", "run": "sample"}'
"""

import sys
from pathlib import Path

from daq2lh5 import build_raw

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Convert; return 0 if all of the input was good, else 3."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "data" / "sample.fcio"
    out_dir = sys.argv[2] if len(sys.argv) > 2 else "."
    report = build_raw(
        source,
        out_spec=HERE / "channelwise.yaml",
        overwrite=True,
        # values of the specification's keywords
        out_dir=out_dir,
        run=source.stem,
    )
    for file, tables in report.tables.items():
        print(file)
        for name, table in tables.items():
            print(f"  {name:20} {table.rows:>6} rows")
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
