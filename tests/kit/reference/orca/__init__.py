"""Reference reader of ORCA files, in plain Python.

Written from the ORCA format alone, sentence by sentence, to be compared
with: clarity counts, speed does not. "Format N" means its section N, "FCIO format, N"
one of FCIO. Where a section says that another reader is wrong, this one does what the
section calls right.

Records of the FCIO format inside ORCA are read by the reference reader of FCIO, one
for each stream.

What a row holds where the description leaves a choice:

- a trace shorter than its channel's is filled up with zeros, a longer one is whole
  (format 7.15);
- samples are as many as the data have where the header says nothing; a trace without
  samples is as long as the first one of its channel, and zero;
- no packet is left out because the header does not announce its channel or card; a
  sampling period that nothing tells is NaN;
- tables have the names that they would have if the file began with the header in force;
- a header that is no sub-run's, and not the same once more, begins another run: what
  listeners and streams have sent before does not count any more;
- dates in the header become text as in the property list, with a "Z" at the end.
"""

from kit.reference.orca.caen import caen, caen_usb
from kit.reference.orca.columns import (
    CAEN,
    CAEN_8_BITS,
    CAEN_USB,
    FLASHCAM_WAVEFORM,
    GRETINA4A,
    GRETINA4M,
    LISTENER_CONFIG,
    LISTENER_STATUS,
    RUN,
    SCHEMAS,
    SIMPLE,
    SIS3302,
    SIS3305,
    SIS3316,
    SIS3320,
    as_declared,
)
from kit.reference.orca.fcio_inside import fcio_packet
from kit.reference.orca.flashcam import (
    flashcam_waveform,
    listener_config,
    listener_status,
)
from kit.reference.orca.framing import (
    MAX_CHAIN,
    MAX_EXTENDED,
    Framing,
    NotOrcaError,
    Packet,
    Scanner,
    read_packets,
)
from kit.reference.orca.gretina import gretina4a, gretina4m
from kit.reference.orca.headers import (
    Header,
    Listener,
    Plist,
    ccc,
    channel_key,
    parse_plist,
)
from kit.reference.orca.reader import DECODERS, Reader, read, read_tables
from kit.reference.orca.run_records import run
from kit.reference.orca.slow_control import simple
from kit.reference.orca.state import Reading, Row, State, by_column
from kit.reference.orca.struck import sis3302, sis3305, sis3316, sis3320
from kit.reference.orca.tables import Key, key_lists, table_name, table_names

__all__ = [
    "CAEN",
    "CAEN_8_BITS",
    "CAEN_USB",
    "DECODERS",
    "FLASHCAM_WAVEFORM",
    "GRETINA4A",
    "GRETINA4M",
    "LISTENER_CONFIG",
    "LISTENER_STATUS",
    "MAX_CHAIN",
    "MAX_EXTENDED",
    "RUN",
    "SCHEMAS",
    "SIMPLE",
    "SIS3302",
    "SIS3305",
    "SIS3316",
    "SIS3320",
    "Framing",
    "Header",
    "Key",
    "Listener",
    "NotOrcaError",
    "Packet",
    "Plist",
    "Reader",
    "Reading",
    "Row",
    "Scanner",
    "State",
    "as_declared",
    "by_column",
    "caen",
    "caen_usb",
    "ccc",
    "channel_key",
    "fcio_packet",
    "flashcam_waveform",
    "gretina4a",
    "gretina4m",
    "key_lists",
    "listener_config",
    "listener_status",
    "parse_plist",
    "read",
    "read_packets",
    "read_tables",
    "run",
    "simple",
    "sis3302",
    "sis3305",
    "sis3316",
    "sis3320",
    "table_name",
    "table_names",
]
