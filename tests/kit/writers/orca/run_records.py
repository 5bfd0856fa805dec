"""Records of runs (ORCA format, 4.2)."""

from __future__ import annotations

from kit.writers.orca.data_ids import DATA_IDS
from kit.writers.orca.framing import long_packet


def run(
    flags: int = 0x21,
    *,
    number: int = 1280,
    time: int = 1_700_000_000,
    subrun: int = 0,
    data_id: int = DATA_IDS["ORRunDecoderForRun"],
) -> bytes:
    """Write a run record (format 4.2).

    Parameters
    ----------
    flags
        bits 0 to 5 of word 1: start or stop, quick start, remote control, heartbeat,
        end and start of a sub-run.
    number
        run number, or seconds to the next heartbeat.
    """
    return long_packet(data_id, subrun << 16 | flags, number, time)


def heartbeat(time: int = 1_700_000_000, *, seconds: int = 30) -> bytes:
    """Write a heartbeat (format 4.2)."""
    return run(0x08, number=seconds, time=time)
