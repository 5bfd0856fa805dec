"""Reference reader of well-formed FCIO streams, in plain Python.

Written from the FCIO format alone, sentence by sentence, to be
compared with: clarity counts, speed does not. "Format N" means its section N. Where it
knows two behaviours, this is behaviour A.

Well-formed means that nothing has to be rejected or repaired: a stream with damage
raises `NotWellFormedError`. What format 9 accepts is read as it says there: arrays of
more than ten integers, short and absent frames, a number of traces that differs from
the length of the list, one to three stray bytes at the end. Records that it skips
without a trace (events before any Config, unknown tags) are skipped.

Records of the software trigger make rows only if they stand directly before the
record that they describe.
"""

from kit.reference.fcio.columns import (
    FCCONFIG,
    FCEVENT,
    FCEVENTHEADER,
    FCSTATUS,
    FSPCONFIG,
    FSPEVENT,
    FSPSTATUS,
    TABLES,
)
from kit.reference.fcio.dead_time import MAX_PENDING, SECOND, TICK, DeadTimeTracker
from kit.reference.fcio.framing import NotWellFormedError, read_records
from kit.reference.fcio.reader import (
    HELD_INTEGERS,
    MAX_BUFFER,
    MAX_CARDS,
    MAX_SAMPLES,
    MAX_TRACES,
    Config,
    Reader,
    Reading,
    read,
    read_tables,
)

__all__ = [
    "FCCONFIG",
    "FCEVENT",
    "FCEVENTHEADER",
    "FCSTATUS",
    "FSPCONFIG",
    "FSPEVENT",
    "FSPSTATUS",
    "HELD_INTEGERS",
    "MAX_BUFFER",
    "MAX_CARDS",
    "MAX_PENDING",
    "MAX_SAMPLES",
    "MAX_TRACES",
    "SECOND",
    "TABLES",
    "TICK",
    "Config",
    "DeadTimeTracker",
    "NotWellFormedError",
    "Reader",
    "Reading",
    "read",
    "read_records",
    "read_tables",
]
