"""The output tables of the stream processor (software trigger) in FCIO data."""

from __future__ import annotations

from ..buffers.declaration import Column, Table
from .shared_columns import MAX_TRACES, PACKET_ID, with_descriptions


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
    with_descriptions(
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
    with_descriptions(
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
