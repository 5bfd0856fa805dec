"""Convert a file to LH5, and show the report.

    python convert_file.py [INPUT [OUTPUT]]

By default the sample in ``data/`` is converted to ``sample.lh5`` in the current
directory. An output that exists is replaced.
"""

import sys
from pathlib import Path

from daq2lh5 import build_raw

SAMPLE = Path(__file__).resolve().parent / "data" / "sample.fcio"


def main() -> int:
    """Convert; return 0 if all of the input was good, else 3."""
    source = sys.argv[1] if len(sys.argv) > 1 else SAMPLE
    output = sys.argv[2] if len(sys.argv) > 2 else "sample.lh5"
    report = build_raw(source, out_spec=output, overwrite=True)

    # for people
    print("\n".join(report.lines()))
    # for programs; report.as_dict() has all fields
    print("of", report.n_bytes, "bytes")
    for fate, n in report.bytes.items():
        print(f"  {fate:8} {n:>10}")
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
