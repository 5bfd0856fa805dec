"""The output tables of FCIO (FlashCam) data.

In a column's source (FCIO format, 2 to 4) ``to``, ``ts`` and ``dr`` are the time
offset, time stamp and dead region arrays of an event record, ``h0`` and ``h1`` the two
words in front of a trace.
"""

from __future__ import annotations

from dataclasses import replace

from ..columns import Column, Table

MAX_TRACES = 2400
"""Largest number of traces of a stream (FCIO format, 1.4)."""

MAX_SAMPLES = 32768
"""Largest number of samples of a trace (FCIO format, 1.4)."""

GROUP_DESCRIPTIONS = {
    "board_id": "The MAC address of the FlashCam board which recorded this event.",
    "fc_input": "The per-board ADC channel. Corresponds to the input connector in "
    "62.5MHz mode or the input wire in 250MHz mode.",
    "runtime": "Time since trigger enable of this run. Recorded per channel.",
    "lifetime": "The accumulated lifetime since trigger enable, for which the hardware "
    "was not dead. Recorded per channel.",
    "deadtime": "The accumulated time for which the hardware buffers were full (dead). "
    "Recorded per channel.",
    "deadinterval_nsec": "The interval the board was dead between previous event and "
    "this event in nanoseconds with 4ns precision (due to the internal clock speed of "
    "250MHz).",
    "tracelist": "The number of read out adc channels in this event.",
    "baseline": "The baseline determined by the FPGA baseline algorithm.",
    "daqenergy": "The shaped pulse peak height above the trigger threshold for 62.5MHz "
    "mode. The waveform integral over `sumlength` samples in 250MHz mode.",
    "adc_temps": "If the card has adc daughter (piggy) boards mounted, each daughter "
    "has a temperature sensor.",
    "cti_links": "CTI debugging values, for experts only.",
    "link_states": "Trigger link debugging values, for experts only.",
}
"""Attribute ``description`` of lists in files of legend-daq2lh5, where it is empty for
other lists. lh5 appends to groups, such as lists, only if attributes are equal."""


def _with_descriptions(
    *columns: Column, without: tuple[str, ...] = ()
) -> tuple[Column, ...]:
    """Return columns with the attribute ``description``, except those in `without`."""
    return tuple(
        column
        if column.name in without
        else replace(
            column,
            stored=GROUP_DESCRIPTIONS.get(column.name, "")
            if column.kind == "vector"
            else column.description,
        )
        for column in columns
    )


PACKET_ID = Column(
    "packet_id",
    "uint32",
    "Number of the packet in the stream; the first configuration is packet 0.",
    source="FCIO format, 5",
)


def _i32(name: str, description: str, source: str) -> Column:
    return Column(name, "int32", description, source=source)


FC_CONFIG = Table(
    "FCConfig",
    "One row per Config record: the settings of the readout that follows.",
    _with_descriptions(
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
    "What an event has once, whatever its number of traces.",
    tuple(c for c in _EVENT_HEADER_COLUMNS if c.kind == "scalar"),
    section="FCIO format, 2.1",
)

FC_EVENT_HEADER = Table(
    "FCEventHeader",
    "One row per EventHeader record: an event without samples.",
    _with_descriptions(*_EVENT_HEADER_COLUMNS, without=("numtraces",)),
    shared=FC_EVENT_FIELDS,
    section="FCIO format, 2.1",
)

FC_EVENT = Table(
    "FCEvent",
    "One row per trace of each Event and SparseEvent record.",
    _with_descriptions(
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
    _with_descriptions(
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


def _fsp(name: str, dtype: str, description: str, frame: str) -> Column:
    return Column(name, dtype, description, source=f"FSPConfig frame {frame}")


def _fsp_list(name: str, dtype: str, description: str, frame: str) -> Column:
    return Column(
        name,
        dtype,
        description,
        kind="vector",
        length=MAX_TRACES,
        source=f"FSPConfig frame {frame}",
    )


def _trace_map(prefix: str, what: str, frame: int) -> tuple[Column, ...]:
    """Columns of one trace map of FSPConfig, whose first frame is `frame`."""
    return (
        _fsp(
            f"{prefix}_tracemap_format",
            "int32",
            f"What the {what} trace map holds: 1 trace indices, 2 trace map words, "
            "3 raw ids.",
            str(frame),
        ),
        _fsp_list(
            f"{prefix}_tracemap_indices",
            "int32",
            f"Traces of the {what}.",
            str(frame + 1),
        ),
        _fsp_list(
            f"{prefix}_tracemap_enabled",
            "int32",
            f"Position in the {what} trace map by trace, or -1.",
            str(frame + 2),
        ),
        Column(
            f"{prefix}_tracemap_label",
            "|S7",
            f"Labels of the traces of the {what}.",
            kind="fixed",
            length=MAX_TRACES,
            source=f"FSPConfig frame {frame + 3}",
        ),
    )


FSP_CONFIG = Table(
    "FSPConfig",
    "Settings of the software trigger (FlashCam stream processor).",
    _with_descriptions(
        PACKET_ID,
        _fsp("buffer_max_states", "int32", "Length of the event buffer.", "16"),
        _fsp(
            "buffer_window_nsec", "int64", "Time that the buffer covers, ns.", "17, 18"
        ),
        _fsp(
            "trg_hwm_min_multiplicity",
            "int32",
            "Smallest hardware multiplicity that triggers.",
            "0",
        ),
        _fsp_list(
            "trg_hwm_prescale_ratio",
            "int32",
            "Prescaling ratio of hardware triggers.",
            "1",
        ),
        _fsp(
            "trg_wps_prescale_ratio",
            "int32",
            "Prescaling ratio of peak-sum triggers.",
            "2",
        ),
        _fsp(
            "trg_wps_coincident_sum_threshold",
            "float32",
            "Threshold of the peak sum in coincidence.",
            "3",
        ),
        _fsp("trg_wps_sum_threshold", "float32", "Threshold of the peak sum.", "4"),
        _fsp(
            "trg_wps_prescale_rate",
            "float32",
            "Prescaling rate of peak-sum triggers.",
            "5",
        ),
        _fsp_list(
            "trg_hwm_prescale_rate",
            "float32",
            "Prescaling rate of hardware triggers.",
            "6",
        ),
        _fsp(
            "trg_wps_ref_flags_hwm",
            "int64",
            "Hardware multiplicity flags that make a reference event, 8 bytes raw.",
            "12",
        ),
        _fsp(
            "trg_wps_ref_flags_ct",
            "int64",
            "Channel threshold flags that make a reference event, 8 bytes raw.",
            "13",
        ),
        _fsp(
            "trg_wps_ref_flags_wps",
            "int64",
            "Peak-sum flags that make a reference event, 8 bytes raw.",
            "14",
        ),
        _fsp_list(
            "trg_wps_ref_map_idx", "int32", "Reference channels of the peak sum.", "15"
        ),
        _fsp(
            "trg_enabled_write_flags_trigger",
            "int64",
            "Trigger flags that write an event, 8 bytes raw.",
            "7, bytes 8-15",
        ),
        _fsp(
            "trg_enabled_write_flags_event",
            "int64",
            "Event flags that write an event, 8 bytes raw.",
            "7, bytes 0-7",
        ),
        _fsp(
            "trg_pre_trigger_window_nsec", "int64", "Window before a trigger.", "8, 9"
        ),
        _fsp(
            "trg_post_trigger_window_nsec",
            "int64",
            "Window after a trigger.",
            "10, 11",
        ),
        *_trace_map("dsp_wps", "windowed peak sum", 29),
        _fsp_list("dsp_wps_gains", "float32", "Gain by trace.", "38"),
        _fsp_list("dsp_wps_thresholds", "float32", "Threshold by trace.", "39"),
        _fsp_list("dsp_wps_lowpass", "float32", "Low-pass setting by trace.", "40"),
        _fsp_list(
            "dsp_wps_shaping_widths", "int32", "Width of the shaping by trace.", "41"
        ),
        _fsp_list("dsp_wps_margin_front", "int32", "Front margin by trace.", "44"),
        _fsp_list("dsp_wps_margin_back", "int32", "Back margin by trace.", "45"),
        _fsp_list("dsp_wps_start_sample", "int32", "First sample by trace.", "46"),
        _fsp_list("dsp_wps_stop_sample", "int32", "Last sample by trace.", "47"),
        _fsp("dsp_wps_dsp_max_margin_front", "int32", "Largest front margin.", "42"),
        _fsp("dsp_wps_dsp_max_margin_back", "int32", "Largest back margin.", "43"),
        _fsp("dsp_wps_apply_gain_scaling", "int32", "Whether gains are applied.", "33"),
        _fsp("dsp_wps_sum_window_size", "int32", "Samples of the sum window.", "34"),
        _fsp(
            "dsp_wps_sum_window_start_sample",
            "int32",
            "First sample of the sum window.",
            "35",
        ),
        _fsp(
            "dsp_wps_sum_window_stop_sample",
            "int32",
            "Last sample of the sum window.",
            "36",
        ),
        _fsp(
            "dsp_wps_sub_event_sum_threshold",
            "float32",
            "Threshold of a sub-event's peak sum.",
            "37",
        ),
        *_trace_map("dsp_hwm", "hardware multiplicity", 19),
        _fsp_list(
            "dsp_hwm_fpga_energy_threshold_adc",
            "uint16",
            "Threshold on the FPGA's energy by trace.",
            "23",
        ),
        *_trace_map("dsp_ct", "channel threshold", 24),
        _fsp_list("dsp_ct_thresholds", "uint16", "Threshold by trace.", "28"),
    ),
    section="FCIO format, 2.2",
)


def _flag(name: str, description: str, source: str) -> Column:
    return Column(name, "bool", description, source=f"FSPEvent frame {source}")


def _obs(name: str, dtype: str, description: str, source: str) -> Column:
    return Column(name, dtype, description, source=f"FSPEvent frame {source}")


def _obs_list(name: str, dtype: str, description: str, source: str) -> Column:
    return Column(
        name,
        dtype,
        description,
        kind="vector",
        length=MAX_TRACES,
        source=f"FSPEvent frame {source}",
    )


FSP_EVENT = Table(
    "FSPEvent",
    "One row per FSPEvent record: what the software trigger found in the event.",
    _with_descriptions(
        PACKET_ID,
        _flag("is_written", "The event is written.", "0, word at 16"),
        _flag("is_extended", "The trigger window was extended.", "0, byte 1"),
        _flag("is_consecutive", "The event follows the one before.", "0, byte 0"),
        _flag("is_hwm_prescaled", "Prescaled hardware trigger.", "0, byte 9"),
        _flag("is_hwm_multiplicity", "Hardware multiplicity reached.", "0, byte 8"),
        _flag("is_wps_sum", "Peak sum above its threshold.", "0, byte 10"),
        _flag(
            "is_wps_coincident_sum",
            "Peak sum above its threshold in coincidence.",
            "0, byte 11",
        ),
        _flag("is_wps_prescaled", "Prescaled peak-sum trigger.", "0, byte 12"),
        _flag("is_ct_multiplicity", "A channel is above its threshold.", "0, byte 13"),
        _obs("obs_wps_sum_value", "float32", "Largest peak sum.", "4"),
        _obs("obs_wps_sum_offset", "int32", "Sample of the largest peak sum.", "4"),
        _obs(
            "obs_wps_sum_multiplicity",
            "int32",
            "Channels that contribute to the peak sum.",
            "4",
        ),
        _obs("obs_wps_max_peak_value", "float32", "Largest single peak.", "4"),
        _obs("obs_wps_max_peak_offset", "int32", "Sample of that peak.", "4"),
        _obs(
            "obs_hwm_hw_multiplicity",
            "int32",
            "Channels with a hardware trigger.",
            "3",
        ),
        _obs(
            "obs_hwm_sw_multiplicity",
            "int32",
            "Channels above the software threshold (0 in old files).",
            "3",
        ),
        _obs("obs_hwm_max_value", "uint16", "Largest FPGA energy.", "3"),
        _obs("obs_hwm_min_value", "uint16", "Smallest FPGA energy.", "3"),
        _obs(
            "obs_ct_multiplicity",
            "int32",
            "Channels above their threshold.",
            "5, count",
        ),
        _obs_list("obs_ct_trace_idx", "int32", "Traces above their threshold.", "5"),
        _obs_list("obs_ct_max", "uint16", "Largest value of each of them.", "6"),
        _obs_list(
            "obs_ps_hwm_prescaled_trace_idx",
            "uint16",
            "Traces with a prescaled hardware trigger.",
            "10",
        ),
        _obs("obs_evt_nconsecutive", "int32", "Number of consecutive events.", "2"),
    ),
    section="FCIO format, 2.2",
)


def _stat(name: str, dtype: str, description: str, offset: int) -> Column:
    return Column(name, dtype, description, source=f"FSPStatus byte {offset}")


FSP_STATUS = Table(
    "FSPStatus",
    "One row per FSPStatus record: counters of the software trigger.",
    (
        PACKET_ID,
        _stat("start_time", "float64", "Start of the processor.", 0),
        _stat("log_time", "float64", "Time of this record.", 8),
        _stat("dt_logtime", "float64", "Time since the record before.", 16),
        _stat("runtime", "float64", "Time since the start.", 24),
        _stat("n_read_events", "int32", "Events read.", 32),
        _stat("n_written_events", "int32", "Events written.", 36),
        _stat("n_discarded_events", "int32", "Events discarded.", 40),
        _stat("dt_n_read_events", "int32", "Events read since the last record.", 44),
        _stat(
            "dt_n_written_events", "int32", "Events written since the last record.", 48
        ),
        _stat(
            "dt_n_discarded_events",
            "int32",
            "Events discarded since the last record.",
            52,
        ),
        _stat("dt", "float64", "Interval of the rates.", 56),
        _stat("dt_rate_read_events", "float64", "Rate of events read.", 64),
        _stat("dt_rate_write_events", "float64", "Rate of events written.", 72),
        _stat("dt_rate_discard_events", "float64", "Rate of events discarded.", 80),
        _stat("avg_rate_read_events", "float64", "Mean rate of events read.", 88),
        _stat("avg_rate_write_events", "float64", "Mean rate of events written.", 96),
        _stat(
            "avg_rate_discard_events", "float64", "Mean rate of events discarded.", 104
        ),
    ),
    section="FCIO format, 2.2",
)

KERNEL_TABLES = (FC_EVENT, FC_EVENT_HEADER, FC_STATUS, FSP_EVENT, FSP_STATUS)
"""The tables that the compiled kernel fills: each gets a C struct."""

TABLES = (
    FC_CONFIG,
    FC_STATUS,
    FC_EVENT,
    FC_EVENT_HEADER,
    FSP_CONFIG,
    *KERNEL_TABLES[3:],
)
"""All tables of the format, in the order of the decoders."""
