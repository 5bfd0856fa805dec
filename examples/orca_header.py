"""Read the header of an ORCA file, and list its cards.

Usage: orca_header.py INPUT [OUTPUT]

INPUT is an ORCA file, or an LH5 file made of one. With OUTPUT the header is
written there as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py

from daq2lh5 import open_stream
from daq2lh5.orca.orca_header import OrcaHeader


def read_header(path: str) -> OrcaHeader:
    """Return the header of an ORCA file, or of an LH5 file made from one."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as f:
            return OrcaHeader(f["OrcaHeader"][()].decode())
    with open_stream(path, "ORCA") as (streamer, _):
        return streamer.header


def main() -> int:
    """Print the run, cards and decoders of the header; return the exit status."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    header = read_header(sys.argv[1])
    print(f"run {header.get_run_number()}")
    for crate in header.get("ObjectInfo", {}).get("Crates", []):
        for card in crate.get("Cards", []):
            place = f"crate {crate['CrateNumber']}, slot {card['Card']}"
            enabled = card.get("Enabled")
            channels = "" if enabled is None else f", {sum(enabled)} inputs in use"
            print(f"{place}: {card['Class Name']}{channels}")
    print("decoders:", ", ".join(header.get_decoder_list()))
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps(header, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
