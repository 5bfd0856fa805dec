"""Writer of synthetic FCIO (FlashCam) streams.

Made from the FCIO format alone, so that it shares no mistake
with a decoder; "format N" means its section N.

There are three levels:

- framing: `tag`, `frame`, `record`, `handshake`, `assemble`;
- one function per kind of record: `config`, `event`, `sparse_event`,
  `event_header`, `rec_event`, `calib`, `status`, `fsp_config`, `fsp_event`,
  `fsp_status`. They check nothing, since tests of bad input are written with them
  as well: arrays may have any length, `bytes` stand for a frame as it is, None
  leaves a frame out, and ``drop_frames`` cuts frames off the end;
- `Stream`, with `make_stream` and `write_stream`: whole runs with waveforms like
  those of germanium detectors, a running clock, dead time and status reports.

Examples
--------
>>> data = make_stream(n_events=20, n_channels=4, n_samples=200, kind="sparse")
>>> data[:4].hex()
'ff3565c4'
"""

from kit.writers.fcio.framing import (
    MAX_TAG,
    TAG_CALIB,
    TAG_CONFIG,
    TAG_EVENT,
    TAG_EVENT_HEADER,
    TAG_FSP_CONFIG,
    TAG_FSP_EVENT,
    TAG_FSP_STATUS,
    TAG_REC_EVENT,
    TAG_SPARSE_EVENT,
    TAG_STATUS,
    Field,
    Record,
    assemble,
    frame,
    handshake,
    record,
    tag,
)
from kit.writers.fcio.records import (
    CARD_BLOCK_SIZE,
    StatusCard,
    calib,
    config,
    event,
    event_header,
    rec_event,
    sparse_event,
    status,
    with_headers,
)
from kit.writers.fcio.software_trigger import (
    FSP_CONFIG_FIELDS,
    FSP_STATUS_DTYPE,
    fsp_config,
    fsp_event,
    fsp_status,
    fsp_write_flags,
    labels,
)
from kit.writers.fcio.stream import (
    ENABLED_AT,
    TICKS_PER_SECOND,
    Stream,
    make_indexed_stream,
    make_stream,
    write_stream,
)

__all__ = [
    "CARD_BLOCK_SIZE",
    "ENABLED_AT",
    "FSP_CONFIG_FIELDS",
    "FSP_STATUS_DTYPE",
    "MAX_TAG",
    "TAG_CALIB",
    "TAG_CONFIG",
    "TAG_EVENT",
    "TAG_EVENT_HEADER",
    "TAG_FSP_CONFIG",
    "TAG_FSP_EVENT",
    "TAG_FSP_STATUS",
    "TAG_REC_EVENT",
    "TAG_SPARSE_EVENT",
    "TAG_STATUS",
    "TICKS_PER_SECOND",
    "Field",
    "Record",
    "StatusCard",
    "Stream",
    "assemble",
    "calib",
    "config",
    "event",
    "event_header",
    "frame",
    "fsp_config",
    "fsp_event",
    "fsp_status",
    "fsp_write_flags",
    "handshake",
    "labels",
    "make_indexed_stream",
    "make_stream",
    "rec_event",
    "record",
    "sparse_event",
    "status",
    "tag",
    "with_headers",
    "write_stream",
]
