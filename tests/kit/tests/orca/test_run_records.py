"""The reference reader of ORCA files: records of runs.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

from kit.tests.orca_readings import read
from kit.writers import orca as writer


def test_run_records():
    """Format 4.2."""
    reading = read(
        writer.run(0x21 | 2 | 4),
        writer.heartbeat(1_700_000_030),
        writer.run(0x10, subrun=0),
        writer.run(0x20, subrun=1),
        writer.run(0, number=2**32 - 5, time=2**31),
        writer.long_packet(writer.DATA_IDS["ORRunDecoderForRun"], 1, 2),
    )
    rows = reading.columns("ORRunDecoderForRun")
    assert rows["subrun_number"] == [0, 0, 0, 1, 0]
    assert rows["run_number"] == [1280, 30, 1280, 1280, -5]
    assert rows["time"][1:] == [1_700_000_030, 1_700_000_000, 1_700_000_000, -(2**31)]
    flags = [
        *("runstartorstop", "quickstartrun", "remotecontrolrun"),
        *("heartbeatrecord", "endsubrunrecord", "startsubrunrecord"),
    ]
    assert [[int(rows[name][i]) for name in flags] for i in range(5)] == [
        *([1, 1, 1, 0, 0, 1], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0]),
        *([0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]),
    ]
    assert reading.dropped == {("ORRunDecoderForRun", "too short"): 1}
