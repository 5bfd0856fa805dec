"""Writer of synthetic ORCA files.

Made from the ORCA format alone, so that it shares no mistake with a decoder;
"format N" means its section N, and "FCIO format, N" one of
the FCIO format, whose records `kit.writers.fcio` writes.

There are four levels:

- framing: `short_packet`, `long_packet`, `extended_packet`, `assemble`, `swapped`;
- the property list of the header, from parts: `flashcam_adc`, `vme_card`, `crate`,
  `listener`, `readout`, `data_description`, `header`, and `header_packet` for the
  packet;
- one function per kind of record, which returns a packet: `run`, `flashcam_config`,
  `flashcam_waveform`, `fcio_packet`, `sis3302`, and so on. They check nothing, since
  tests of bad input are written with them as well;
- `Run`, with `make_stream`, `make_indexed_stream` and `write_stream`: whole runs.

Examples
--------
>>> data, index = make_indexed_stream(kinds=("flashcam", "sis3316"), n_events=3)
>>> index[0].kind, index[1].kind
('header', 'ORRunDecoderForRun')
"""

from kit.writers.orca.caen import CaenEvent, caen, caen_usb
from kit.writers.orca.data_ids import (
    DATA_IDS,
    FIRST_GENERATION,
    RECORDS,
    SECOND_GENERATION,
    Record,
)
from kit.writers.orca.fcio_inside import fcio_packet, fcio_packets
from kit.writers.orca.flashcam import (
    DEAD_REGION,
    TIME_OFFSETS,
    flashcam_config,
    flashcam_status,
    flashcam_waveform,
)
from kit.writers.orca.framing import (
    HEADER,
    MAX_LONG,
    Packet,
    Part,
    assemble,
    extended_packet,
    kind_of,
    long_packet,
    packet,
    short_packet,
    swapped,
)
from kit.writers.orca.gretina import (
    Gretina4AEvent,
    Gretina4MEvent,
    gretina4a,
    gretina4m,
)
from kit.writers.orca.headers import (
    Plist,
    crate,
    data_description,
    flashcam_adc,
    flashcam_trigger,
    gretina4a_card,
    gretina4m_card,
    header,
    header_packet,
    listener,
    readout,
    sis3302_card,
    sis3316_card,
    vme_card,
)
from kit.writers.orca.run_records import heartbeat, run
from kit.writers.orca.slow_control import (
    TIME,
    control_value,
    histogram,
    ip320_adc,
    ip320_value,
    iseg_hv,
    labjack,
    labjack_ue9,
    lakeshore,
    mca927,
    mjd_preamp,
    one_value,
    pac,
    polling_time,
    script_record,
    script_state,
    shaper,
    simple_records,
    unknown,
    values_with_times,
    vhq_status,
    xycom564,
)
from kit.writers.orca.struck import (
    SIS3305Event,
    SIS3316Event,
    SIS3320Event,
    sis3302,
    sis3302_lost_data,
    sis3302_mca,
    sis3302_pieces,
    sis3305,
    sis3316,
    sis3316_histogram,
    sis3316_statistics,
    sis3320,
)
from kit.writers.orca.whole_runs import (
    KINDS,
    VME_CRATE,
    Run,
    make_indexed_stream,
    make_stream,
    pulses,
    write_stream,
)

__all__ = [
    "DATA_IDS",
    "DEAD_REGION",
    "FIRST_GENERATION",
    "HEADER",
    "KINDS",
    "MAX_LONG",
    "RECORDS",
    "SECOND_GENERATION",
    "TIME",
    "TIME_OFFSETS",
    "VME_CRATE",
    "CaenEvent",
    "Gretina4AEvent",
    "Gretina4MEvent",
    "Packet",
    "Part",
    "Plist",
    "Record",
    "Run",
    "SIS3305Event",
    "SIS3316Event",
    "SIS3320Event",
    "assemble",
    "caen",
    "caen_usb",
    "control_value",
    "crate",
    "data_description",
    "extended_packet",
    "fcio_packet",
    "fcio_packets",
    "flashcam_adc",
    "flashcam_config",
    "flashcam_status",
    "flashcam_trigger",
    "flashcam_waveform",
    "gretina4a",
    "gretina4a_card",
    "gretina4m",
    "gretina4m_card",
    "header",
    "header_packet",
    "heartbeat",
    "histogram",
    "ip320_adc",
    "ip320_value",
    "iseg_hv",
    "kind_of",
    "labjack",
    "labjack_ue9",
    "lakeshore",
    "listener",
    "long_packet",
    "make_indexed_stream",
    "make_stream",
    "mca927",
    "mjd_preamp",
    "one_value",
    "pac",
    "packet",
    "polling_time",
    "pulses",
    "readout",
    "run",
    "script_record",
    "script_state",
    "shaper",
    "short_packet",
    "simple_records",
    "sis3302",
    "sis3302_card",
    "sis3302_lost_data",
    "sis3302_mca",
    "sis3302_pieces",
    "sis3305",
    "sis3316",
    "sis3316_card",
    "sis3316_histogram",
    "sis3316_statistics",
    "sis3320",
    "swapped",
    "unknown",
    "values_with_times",
    "vhq_status",
    "vme_card",
    "write_stream",
    "xycom564",
]
