"""Columns of the tables, and their types (FCIO format, 6)."""

from __future__ import annotations

from typing import Any

import numpy as np

FCCONFIG = {
    "packet_id": "uint32",
    "nsamples": "int32",
    "nadcs": "int32",
    "ntriggers": "int32",
    "streamid": "int32",
    "adcbits": "int32",
    "sumlength": "int32",
    "blprecision": "int32",
    "mastercards": "int32",
    "triggercards": "int32",
    "adccards": "int32",
    "gps": "int32",
    "tracemap": "uint32[]",
}

_EVENT_COMMON = {
    "packet_id": "uint32",
    "fcid": "uint16",
    "event_type": "int32",
    "numtraces": "int32",
    "eventnumber": "int32",
    "ts_pps": "int32",
    "ts_ticks": "int32",
    "ts_maxticks": "int32",
    "mu_offset_sec": "int32",
    "mu_offset_usec": "int32",
    "to_master_sec": "int32",
    "delta_mu_usec": "int32",
    "abs_delta_mu_usec": "int32",
    "to_start_sec": "int32",
    "to_start_usec": "int32",
    "dr_start_pps": "int32",
    "dr_start_ticks": "int32",
    "dr_stop_pps": "int32",
    "dr_stop_ticks": "int32",
    "dr_maxticks": "int32",
    "dr_ch_idx": "uint16",
    "dr_ch_len": "uint16",
    "timestamp": "float64",
}

EVENT_BY_TRACE = {
    "board_id": "uint16",
    "fc_input": "uint16",
    "runtime": "float64",
    "lifetime": "float64",
    "deadtime": "float64",
    "deadinterval_nsec": "int64",
    "baseline": "uint16",
    "daqenergy": "uint16",
}

FCEVENT = {
    **_EVENT_COMMON,
    **EVENT_BY_TRACE,
    "channel": "uint16",
    "waveform/values": "uint16[]",
    "waveform/t0": "float32",
    "waveform/dt": "float32",
}

FCEVENTHEADER = {
    **_EVENT_COMMON,
    **{name: f"{dtype}[]" for name, dtype in EVENT_BY_TRACE.items()},
    "tracelist": "uint16[]",
}

FCSTATUS = {
    "packet_id": "uint32",
    "status": "bool",
    "fpga_time": "float32",
    "server_time": "float64",
    "fpga_start_time": "float64",
    "id": "uint32",
    "eventnumber": "uint32",
    "fpga_time_nsec": "uint32",
    "n_total_errors": "uint32",
    "n_environment_errors": "uint32",
    "n_cti_errors": "uint32",
    "n_link_errors": "uint32",
    "n_other_errors": "uint32[]",
    "mb_temps": "int32[]",
    "mb_voltages": "int32[]",
    "mb_current": "int32",
    "mb_humidity": "int32",
    "adc_temps": "int32[]",
    "cti_links": "uint32[]",
    "link_states": "uint32[]",
}

_FSP_TRACE_MAPS = {
    f"dsp_{name}_tracemap_{part}": dtype
    for name in ("wps", "hwm", "ct")
    for part, dtype in (
        ("format", "int32"),
        ("indices", "int32[]"),
        ("enabled", "int32[]"),
        ("label", "S7[]"),
    )
}

FSPCONFIG = {
    "buffer_max_states": "int32",
    "buffer_window_nsec": "int64",
    "trg_hwm_min_multiplicity": "int32",
    "trg_hwm_prescale_ratio": "int32[]",
    "trg_hwm_prescale_rate": "float32[]",
    "trg_wps_prescale_ratio": "int32",
    "trg_wps_coincident_sum_threshold": "float32",
    "trg_wps_sum_threshold": "float32",
    "trg_wps_prescale_rate": "float32",
    "trg_wps_ref_flags_hwm": "int64",
    "trg_wps_ref_flags_ct": "int64",
    "trg_wps_ref_flags_wps": "int64",
    "trg_wps_ref_map_idx": "int32[]",
    "trg_enabled_write_flags_event": "int64",
    "trg_enabled_write_flags_trigger": "int64",
    "trg_pre_trigger_window_nsec": "int64",
    "trg_post_trigger_window_nsec": "int64",
    **_FSP_TRACE_MAPS,
    "dsp_wps_gains": "float32[]",
    "dsp_wps_thresholds": "float32[]",
    "dsp_wps_lowpass": "float32[]",
    "dsp_wps_shaping_widths": "int32[]",
    "dsp_wps_margin_front": "int32[]",
    "dsp_wps_margin_back": "int32[]",
    "dsp_wps_start_sample": "int32[]",
    "dsp_wps_stop_sample": "int32[]",
    "dsp_wps_dsp_max_margin_front": "int32",
    "dsp_wps_dsp_max_margin_back": "int32",
    "dsp_wps_apply_gain_scaling": "int32",
    "dsp_wps_sum_window_size": "int32",
    "dsp_wps_sum_window_start_sample": "int32",
    "dsp_wps_sum_window_stop_sample": "int32",
    "dsp_wps_sub_event_sum_threshold": "float32",
    "dsp_hwm_fpga_energy_threshold_adc": "uint16[]",
    "dsp_ct_thresholds": "uint16[]",
}

FSPEVENT = {
    "packet_id": "uint32",
    "is_written": "bool",
    "is_consecutive": "bool",
    "is_extended": "bool",
    "is_hwm_multiplicity": "bool",
    "is_hwm_prescaled": "bool",
    "is_wps_sum": "bool",
    "is_wps_coincident_sum": "bool",
    "is_wps_prescaled": "bool",
    "is_ct_multiplicity": "bool",
    "obs_evt_nconsecutive": "int32",
    "obs_hwm_hw_multiplicity": "int32",
    "obs_hwm_sw_multiplicity": "int32",
    "obs_hwm_max_value": "uint16",
    "obs_hwm_min_value": "uint16",
    "obs_wps_sum_value": "float32",
    "obs_wps_max_peak_value": "float32",
    "obs_wps_sum_offset": "int32",
    "obs_wps_sum_multiplicity": "int32",
    "obs_wps_max_peak_offset": "int32",
    "obs_ct_multiplicity": "int32",
    "obs_ct_trace_idx": "int32[]",
    "obs_ct_max": "uint16[]",
    "obs_ps_hwm_prescaled_trace_idx": "uint16[]",
}

FSP_STATUS_TIMES = ("start_time", "log_time", "dt_logtime", "runtime")
FSP_STATUS_COUNTS = (
    *("n_read_events", "n_written_events", "n_discarded_events"),
    *("dt_n_read_events", "dt_n_written_events", "dt_n_discarded_events"),
)
FSP_STATUS_RATES = (
    "dt",
    *("dt_rate_read_events", "dt_rate_write_events", "dt_rate_discard_events"),
    *("avg_rate_read_events", "avg_rate_write_events", "avg_rate_discard_events"),
)

FSPSTATUS = {
    "packet_id": "uint32",
    **dict.fromkeys(FSP_STATUS_TIMES, "float64"),
    **dict.fromkeys(FSP_STATUS_COUNTS, "int32"),
    **dict.fromkeys(FSP_STATUS_RATES, "float64"),
}

TABLES = {
    "FCConfig": FCCONFIG,
    "FCEvent": FCEVENT,
    "FCEventHeader": FCEVENTHEADER,
    "FCStatus": FCSTATUS,
    "FSPConfig": FSPCONFIG,
    "FSPEvent": FSPEVENT,
    "FSPStatus": FSPSTATUS,
}
"""Type of each column of each table; ``[]`` marks a list in every row."""


def as_declared(value: Any, dtype: str) -> Any:
    """Give a value its fixed width; one that does not fit is an error of ours."""
    if dtype.endswith("[]"):
        return np.array(value, dtype=dtype.removesuffix("[]"))
    return np.dtype(dtype).type(value)
