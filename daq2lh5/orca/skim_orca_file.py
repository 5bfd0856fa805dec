"""Command that copies the first packets of an ORCA file."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import DecodeError
from ..resources.paths import expand_path
from .orca_streamer import OrcaStreamer

__all__ = ["skim_orca_file"]


def _expanded(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Expand ``~`` and environment variables in a path."""
    try:
        path = None if value is None else expand_path(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if path is not None:
        exists = parameter.name == "in_file"
        click.Path(exists=exists, dir_okay=False).convert(path, parameter, _context)
    return path


@click.command()
@click.argument("in_file", callback=_expanded)
@click.argument("n_packets", type=click.IntRange(min=1))
@click.option("--out-file", help="File to write to.", callback=_expanded)
def skim_orca_file(in_file: str, n_packets: int, out_file: str | None) -> None:
    """Copy the start of an ORCA file.

    Copies the header, the first packet (start of the run), the next N_PACKETS packets,
    and the last packet (end of the run). The default output is IN_FILE_firstN.
    """
    path = Path(out_file or f"{in_file}_first{n_packets}")
    if path.exists() and path.samefile(in_file):
        msg = f"the output would replace the input {path}: give another --out-file"
        raise click.ClickException(msg)
    streamer = OrcaStreamer()
    try:
        streamer.set_in_stream(in_file)
        last = streamer.count_packets() - 1
        numbers = [*range(min(n_packets + 2, last + 1))]
        if last not in numbers:
            numbers.append(last)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as f:
            for number in numbers:
                f.write(streamer.load_packet(number).tobytes())
    except (DecodeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        streamer.close_in_stream()
