"""Wire structs of FCIO streams; see :mod:`daq2lh5._core.wire`.

Sections are those of the FCIO format. All numbers are little-endian, and nothing is
aligned. If a frame is shorter than its struct, the rest keeps its value (format 1.2).
"""

from __future__ import annotations

from .._core.wire import Field, Struct, word

__all__ = ["STRUCTS"]

HEADER = Struct(
    "fcio_header",
    "header of a record or of a frame",
    "FCIO format, 1.1",
    4,
    (Field(0, "i32", "word", "-tag of a record, or length of the frame that follows"),),
)

HANDSHAKE = Struct(
    "fcio_handshake",
    "start of a stream",
    "FCIO format, 1.1",
    68,
    (
        Field(0, "i32", "tag", "protocol tag", value=-1000000001),
        Field(4, "u8", "protocol", "protocol: FlashCamV1", count=64),
    ),
)

TIMEOFFSET = Struct(
    "fcio_timeoffset",
    "array timeoffset of events",
    "FCIO format, 2.1",
    40,
    (
        word(0, "server_sec", "server minus FPGA time", "s", type="i32"),
        word(1, "server_usec", "the same, microseconds", "us", type="i32"),
        word(2, "master_sec", "added to the FPGA time, with GPS", "s", type="i32"),
        word(3, "delta_usec", "difference of the clocks", "us", type="i32"),
        word(4, "abs_delta_usec", "its absolute value", "us", type="i32"),
        word(5, "start_sec", "start of the run", "s", type="i32"),
        word(6, "start_usec", "the same, microseconds", "us", type="i32"),
    ),
)

TIMESTAMP = Struct(
    "fcio_timestamp",
    "array timestamp of events",
    "FCIO format, 2.1",
    40,
    (
        word(0, "eventnumber", "number of the event", type="i32"),
        word(1, "pps", "PPS counter", "s", type="i32"),
        word(2, "ticks", "clock ticks since the PPS", "clock_ticks", type="i32"),
        word(3, "maxticks", "ticks at the last PPS", "clock_ticks", type="i32"),
        word(4, "trace", "trace that triggered (type 11)", type="i32"),
    ),
)

DEADREGION = Struct(
    "fcio_deadregion",
    "array deadregion of events",
    "FCIO format, 2.1",
    40,
    (
        word(0, "start_pps", "start, PPS counter", "s", type="i32"),
        word(1, "start_ticks", "start, clock ticks", "clock_ticks", type="i32"),
        word(2, "stop_pps", "stop, PPS counter", "s", type="i32"),
        word(3, "stop_ticks", "stop, clock ticks", "clock_ticks", type="i32"),
        word(4, "maxticks", "ticks at the last PPS", "clock_ticks", type="i32"),
        word(5, "first_trace", "first trace of the block", type="i32"),
        word(6, "n_traces", "traces of the block", type="i32"),
    ),
)

STATUSTIME = Struct(
    "fcio_statustime",
    "array statustime of Status",
    "FCIO format, 2.1",
    40,
    (
        word(0, "fpga_sec", "FPGA time", "s", type="i32"),
        word(1, "fpga_usec", "the same, microseconds", "us", type="i32"),
        word(2, "server_sec", "Unix time of the server", "s", type="i32"),
        word(3, "server_usec", "the same, microseconds", "us", type="i32"),
        word(5, "start_sec", "start of the run", "s", type="i32"),
        word(6, "start_usec", "the same, microseconds", "us", type="i32"),
    ),
)

TRACE = Struct(
    "fcio_trace",
    "words of a trace in front of its samples",
    "FCIO format, 3",
    4,
    (
        Field(0, "u16", "baseline", "baseline of the FPGA"),
        Field(2, "u16", "integrator", "energy, or integrator, of the FPGA"),
    ),
)

CARD = Struct(
    "fcio_card",
    "card block of Status",
    "FCIO format, 2.1",
    1180,
    (
        word(0, "reqid", "number of the card"),
        word(1, "status", "1: no errors"),
        word(2, "eventno", "number of the event"),
        word(3, "pps", "PPS counter", "s"),
        word(4, "ticks", "clock ticks since the PPS", "clock_ticks"),
        word(5, "maxticks", "ticks at the last PPS", "clock_ticks"),
        word(6, "numenv", "values of the environment"),
        word(7, "numctilinks", "CTI links"),
        word(8, "numlinks", "trigger links"),
        word(10, "totalerrors", "all errors"),
        word(11, "enverrors", "errors of the environment"),
        word(12, "ctierrors", "errors of CTI links"),
        word(13, "linkerrors", "errors of trigger links"),
        word(14, "othererrors", "other errors", count=5),
        word(19, "board_temperatures", "temperatures", "mC", type="i32", count=5),
        word(24, "voltages", "voltages", "mV", type="i32", count=6),
        word(30, "current", "main current", "mA", type="i32"),
        word(31, "humidity", "humidity", "o/oo", type="i32"),
        word(32, "adc_temperatures", "ADC daughter cards", "mC", type="i32", count=3),
        word(35, "ctilinks", "states of CTI links", count=4),
        word(39, "linkstates", "states of trigger links", count=256),
    ),
)

FSP_WRITE_FLAGS = Struct(
    "fsp_write_flags",
    "frame 0 of FSPEvent: why the event was written",
    "FCIO format, 2.2",
    24,
    (
        Field(0, "u8", "consecutive", "consecutive event"),
        Field(1, "u8", "extended", "extended event"),
        Field(8, "u8", "hwm_multiplicity", "hardware multiplicity"),
        Field(9, "u8", "hwm_prescaled", "hardware multiplicity, prescaled"),
        Field(10, "u8", "wps_sum", "windowed peak sum"),
        Field(11, "u8", "wps_coincident_sum", "coincident windowed peak sum"),
        Field(12, "u8", "wps_prescaled", "windowed peak sum, prescaled"),
        Field(13, "u8", "ct_multiplicity", "channel threshold"),
        Field(16, "u32", "write", "whether the event was written"),
    ),
)

FSP_PROCESSOR_FLAGS = Struct(
    "fsp_processor_flags",
    "frame 1 of FSPEvent: what the processors found; old files lack the last 8 bytes",
    "FCIO format, 2.2",
    32,
    (
        Field(0, "u8", "hwm_sw_multiplicity", "software multiplicity"),
        Field(1, "u8", "hwm_hw_multiplicity", "hardware multiplicity"),
        Field(2, "u8", "hwm_prescaled", "hardware multiplicity, prescaled"),
        Field(8, "u8", "wps_sum_threshold", "sum above its threshold"),
        Field(9, "u8", "wps_coincidence_sum_threshold", "the same, in coincidence"),
        Field(10, "u8", "wps_coincidence_ref", "coincident with a reference"),
        Field(11, "u8", "wps_ref_pre_window", "before a reference"),
        Field(12, "u8", "wps_ref_post_window", "behind a reference"),
        Field(13, "u8", "wps_prescaled", "windowed peak sum, prescaled"),
        Field(16, "u8", "ct_multiplicity", "channel threshold"),
        Field(24, "u8", "consecutive", "consecutive event"),
        Field(25, "u8", "extended", "extended event"),
    ),
)

FSP_HWM = Struct(
    "fsp_hwm",
    "frame 3 of FSPEvent: hardware multiplicity; old files lack the last 4 bytes",
    "FCIO format, 2.2",
    12,
    (
        Field(0, "i32", "hw_multiplicity", "multiplicity by the hardware"),
        Field(4, "u16", "max_value", "largest value"),
        Field(6, "u16", "min_value", "smallest value"),
        Field(8, "i32", "sw_multiplicity", "multiplicity by the software"),
    ),
)

FSP_WPS = Struct(
    "fsp_wps",
    "frame 4 of FSPEvent: windowed peak sum",
    "FCIO format, 2.2",
    20,
    (
        Field(0, "f32", "sum_value", "largest sum"),
        Field(4, "i32", "sum_offset", "its sample"),
        Field(8, "i32", "sum_multiplicity", "channels in the sum"),
        Field(12, "f32", "max_peak_value", "largest peak"),
        Field(16, "i32", "max_peak_offset", "its sample"),
    ),
)

FSP_STATUS = Struct(
    "fsp_status",
    "frame of FSPStatus",
    "FCIO format, 2.2",
    112,
    (
        Field(0, "f64", "start_time", "start of the processing", "s"),
        Field(8, "f64", "log_time", "time of this record", "s"),
        Field(16, "f64", "dt_logtime", "time since the record before", "s"),
        Field(24, "f64", "runtime", "time since the start", "s"),
        Field(32, "i32", "n_read_events", "events read"),
        Field(36, "i32", "n_written_events", "events written"),
        Field(40, "i32", "n_discarded_events", "events discarded"),
        Field(44, "i32", "dt_n_read_events", "read since the record before"),
        Field(48, "i32", "dt_n_written_events", "written since the record before"),
        Field(52, "i32", "dt_n_discarded_events", "discarded since the record before"),
        Field(56, "f64", "dt", "time since the record before", "s"),
        Field(64, "f64", "dt_rate_read_events", "rate since then", "Hz"),
        Field(72, "f64", "dt_rate_write_events", "rate since then", "Hz"),
        Field(80, "f64", "dt_rate_discard_events", "rate since then", "Hz"),
        Field(88, "f64", "avg_rate_read_events", "rate since the start", "Hz"),
        Field(96, "f64", "avg_rate_write_events", "rate since the start", "Hz"),
        Field(104, "f64", "avg_rate_discard_events", "rate since the start", "Hz"),
    ),
)

STRUCTS = (
    HEADER,
    HANDSHAKE,
    TIMEOFFSET,
    TIMESTAMP,
    DEADREGION,
    STATUSTIME,
    TRACE,
    CARD,
    FSP_WRITE_FLAGS,
    FSP_PROCESSOR_FLAGS,
    FSP_HWM,
    FSP_WPS,
    FSP_STATUS,
)
