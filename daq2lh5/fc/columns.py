"""The output tables of FCIO (FlashCam) data.

In a column's source (FCIO format, 2 to 4) ``to``, ``ts`` and ``dr`` are the time
offset, time stamp and dead region arrays of an event record, ``h0`` and ``h1`` the two
words in front of a trace.
"""

from __future__ import annotations

from ..buffers.declaration import Column, Table
from .fsp_columns import FSP_CONFIG, FSP_EVENT, FSP_STATUS
from .shared_columns import MAX_SAMPLES, MAX_TRACES, PACKET_ID, with_descriptions


def _i32(name: str, description: str, source: str) -> Column:
    return Column(name, "int32", description, source=source)


FC_CONFIG = Table(
    "FCConfig",
    "One row per Config record: the settings of the readout that follows.",
    with_descriptions(
        PACKET_ID,
        _i32("nsamples", "Samples in each trace.", "Config eventsamples"),
        _i32("nadcs", "Number of ADC traces.", "Config adcs"),
        _i32("ntriggers", "Number of trigger traces.", "Config triggers"),
        _i32("streamid", "Id of the stream.", "Config streamid"),
        _i32("adcbits", "Bits of an ADC sample.", "Config adcbits"),
        _i32("sumlength", "Length of the FPGA's integrator.", "Config sumlength"),
        _i32("blprecision", "Steps of the FPGA baseline.", "Config blprecision"),
        _i32("mastercards", "Number of master cards.", "Config mastercards"),
        _i32("triggercards", "Number of trigger cards.", "Config triggercards"),
        _i32("adccards", "Number of ADC cards.", "Config adccards"),
        _i32(
            "gps",
            "0: free running clock; else external PPS and 10 MHz are in use.",
            "Config gps",
        ),
        Column(
            "tracemap",
            "uint32",
            "Card address (upper half) and input (lower half) of each trace.",
            kind="vector",
            length=MAX_TRACES,
            source="Config tracemap",
            attrs=(("length", MAX_TRACES),),
        ),
    ),
    section="FCIO format, 2.1",
)


def _per_trace(name: str, dtype: str, description: str, **kwargs: str) -> Column:
    return Column(name, dtype, description, kind="vector", length=MAX_TRACES, **kwargs)


_EVENT_HEADER_COLUMNS = (
    PACKET_ID,
    Column(
        "fcid", "uint16", "Id of the stream, lower 16 bits.", source="FCIO format, 5"
    ),
    _per_trace(
        "board_id",
        "uint16",
        "Address of the card that read the trace.",
        source="Config tracemap, upper half",
    ),
    _per_trace(
        "fc_input",
        "uint16",
        "Input on that card.",
        source="Config tracemap, lower half",
    ),
    _i32("eventnumber", "Trigger counter.", "ts[0]"),
    _i32(
        "event_type",
        "1: common trigger; 11: each card triggers by itself; 2: calibration; "
        "3 and 4: simulation.",
        "type",
    ),
    Column(
        "timestamp",
        "float64",
        "Time of the event in UTC since 1970.",
        units="s",
        source="FCIO format, 4.1, unix_ns",
    ),
    _per_trace(
        "runtime",
        "float64",
        "Time since the trigger was enabled.",
        units="s",
        source="FCIO format, 4.4",
    ),
    _per_trace(
        "lifetime",
        "float64",
        "Run time less dead time.",
        units="s",
        source="FCIO format, 4.4",
    ),
    _per_trace(
        "deadtime",
        "float64",
        "Dead time since the trigger was enabled.",
        units="s",
        source="FCIO format, 4.4",
    ),
    _per_trace(
        "deadinterval_nsec",
        "int64",
        "Dead time since the event before.",
        units="ns",
        source="FCIO format, 4.4",
    ),
    _i32("numtraces", "Number of traces in the record.", "FCIO format, 2.1"),
    _per_trace(
        "tracelist", "uint16", "Indices of the traces.", source="FCIO format, 2.1"
    ),
    _per_trace(
        "baseline",
        "uint16",
        "Baseline found by the FPGA.",
        source="FCIO format, 4.2, h0",
    ),
    _per_trace(
        "daqenergy", "uint16", "Energy found by the FPGA.", source="FCIO format, 4.3"
    ),
    _i32("ts_pps", "Time stamp: PPS counter.", "ts[1]"),
    _i32("ts_ticks", "Time stamp: ticks of 4 ns since the PPS.", "ts[2]"),
    _i32("ts_maxticks", "Ticks at the last PPS.", "ts[3]"),
    _i32("mu_offset_sec", "Server minus FPGA time, seconds.", "to[0]"),
    _i32("mu_offset_usec", "Server minus FPGA time, microseconds.", "to[1]"),
    _i32("to_master_sec", "Seconds to add to the FPGA's time.", "to[2]"),
    _i32("delta_mu_usec", "Difference of the clocks, microseconds.", "to[3]"),
    _i32("abs_delta_mu_usec", "The same without its sign.", "to[4]"),
    _i32("to_start_sec", "Start of the run, seconds.", "to[5]"),
    _i32("to_start_usec", "Start of the run, microseconds.", "to[6]"),
    _i32("dr_start_pps", "Start of the last dead region: PPS.", "dr[0]"),
    _i32("dr_start_ticks", "Start of the last dead region: ticks.", "dr[1]"),
    _i32("dr_stop_pps", "End of the last dead region: PPS.", "dr[2]"),
    _i32("dr_stop_ticks", "End of the last dead region: ticks.", "dr[3]"),
    _i32("dr_maxticks", "Ticks at the last PPS of the dead region.", "dr[4]"),
    Column(
        "dr_ch_idx",
        "uint16",
        "First trace that the dead region concerns.",
        source="dr[5], else 0",
    ),
    Column(
        "dr_ch_len",
        "uint16",
        "Number of traces that the dead region concerns.",
        source="dr[6], else adcs",
    ),
)

FC_EVENT_FIELDS = Table(
    "FCEventFields",
    "Columns with one value for each event.",
    tuple(c for c in _EVENT_HEADER_COLUMNS if c.kind == "scalar"),
    section="FCIO format, 2.1",
)

FC_EVENT_HEADER = Table(
    "FCEventHeader",
    "One row per EventHeader record: an event without samples.",
    with_descriptions(*_EVENT_HEADER_COLUMNS, without=("numtraces",)),
    shared=FC_EVENT_FIELDS,
    section="FCIO format, 2.1",
)

FC_EVENT = Table(
    "FCEvent",
    "One row per trace of each Event and SparseEvent record.",
    with_descriptions(
        *(
            Column(c.name, c.dtype, c.description, c.units, source=c.source)
            for c in _EVENT_HEADER_COLUMNS
            if c.name != "tracelist"
        ),
        Column("channel", "uint16", "Index of the trace.", source="FCIO format, 3"),
        Column(
            "waveform",
            "uint16",
            "Samples of the trace.",
            kind="waveform",
            length=MAX_SAMPLES,
            source="FCIO format, 3",
        ),
        without=("numtraces", "waveform"),
    ),
    shared=FC_EVENT_FIELDS,
    section="FCIO format, 2.1",
)

FC_STATUS = Table(
    "FCStatus",
    "One row per card of each Status record.",
    with_descriptions(
        PACKET_ID,
        Column("status", "bool", "No errors in the system.", source="Status status"),
        Column(
            "fpga_time",
            "float32",
            "Time of the FPGA.",
            units="s",
            source="statustime[0, 1]",
        ),
        Column(
            "server_time",
            "float64",
            "Time of the server in UTC since 1970.",
            units="s",
            source="statustime[2, 3]",
        ),
        Column(
            "fpga_start_time",
            "float64",
            "Start time of the FPGA.",
            units="s",
            source="statustime[5, 6]",
        ),
        Column("id", "uint32", "Id of the card.", source="card reqid"),
        Column("eventnumber", "uint32", "Event counter.", source="card eventno"),
        Column(
            "fpga_time_nsec",
            "uint32",
            "Time of the card's FPGA, modulo 2^32.",
            units="ns",
            source="card pps, ticks (FCIO format, 4.1)",
        ),
        Column("n_total_errors", "uint32", "All errors.", source="card totalerrors"),
        Column(
            "n_environment_errors",
            "uint32",
            "Errors of the environment monitor.",
            source="card enverrors",
        ),
        Column("n_cti_errors", "uint32", "Errors of the CTI.", source="card ctierrors"),
        Column(
            "n_link_errors",
            "uint32",
            "Errors of the trigger links.",
            source="card linkerrors",
        ),
        Column(
            "n_other_errors",
            "uint32",
            "Errors of other kinds.",
            kind="fixed",
            length=5,
            source="card othererrors",
        ),
        Column(
            "mb_temps",
            "int32",
            "Temperatures of the main board.",
            units="mC",
            kind="fixed",
            length=5,
            source="card environment[0:5]",
        ),
        Column(
            "mb_voltages",
            "int32",
            "Voltages of the main board.",
            units="mV",
            kind="fixed",
            length=6,
            source="card environment[5:11]",
        ),
        Column(
            "mb_current",
            "int32",
            "Current of the main board.",
            units="mA",
            source="card environment[11]",
        ),
        Column(
            "mb_humidity",
            "int32",
            "Humidity at the main board, permille.",
            units="o/oo",
            source="card environment[12]",
        ),
        Column(
            "adc_temps",
            "int32",
            "Temperatures of the daughter cards.",
            units="mC",
            kind="vector",
            length=3,
            source="card environment[13:numenv]",
        ),
        Column(
            "cti_links",
            "uint32",
            "State of the CTI links.",
            kind="vector",
            length=4,
            source="card ctilinks[:numctilinks]",
        ),
        Column(
            "link_states",
            "uint32",
            "State of the trigger links.",
            kind="vector",
            length=256,
            source="card linkstates[:numlinks]",
        ),
    ),
    section="FCIO format, 2.1",
)

KERNEL_TABLES = (FC_EVENT, FC_EVENT_HEADER, FC_STATUS, FSP_EVENT, FSP_STATUS)
"""The tables that the compiled kernel fills: each gets a C struct."""

TABLES = (
    FC_CONFIG,
    FC_STATUS,
    FC_EVENT,
    FC_EVENT_HEADER,
    FSP_CONFIG,
    FSP_EVENT,
    FSP_STATUS,
)
"""All tables of the format, in the order of the decoders."""
