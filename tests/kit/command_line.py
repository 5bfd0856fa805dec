"""The command line without a process of its own."""

from __future__ import annotations

import h5py
from click.testing import CliRunner, Result

from daq2lh5 import cli
from kit.writers import fcio as writer

GOOD = writer.make_stream(4, n_channels=2, n_samples=20)


def convert(*arguments) -> Result:
    arguments = ["convert", *map(str, arguments)]
    return CliRunner().invoke(cli.main, arguments, prog_name="daq2lh5")


def n_events(file) -> int:
    with h5py.File(file) as f:
        return len(f["FCEvent/packet_id"])


def is_refused(result: Result, *parts: str) -> bool:
    """Whether the answer is status 2 and one line that names `parts`."""
    lines = result.stderr.splitlines()
    return (
        result.exit_code == 2
        and len(lines) == 1
        and all(part in lines[0] for part in parts)
    )
