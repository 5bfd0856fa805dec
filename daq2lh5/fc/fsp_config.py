"""The FSPConfig record: the settings of the software trigger.

A file has one, so it is read without a kernel; the kernel has checked the lengths of
its frames. Frame numbers are those of the FCIO format, 2.2.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from .fsp_columns import FSP_CONFIG

# frames of one value each
_SCALARS = {
    "buffer_max_states": 16,
    "trg_hwm_min_multiplicity": 0,
    "trg_wps_prescale_ratio": 2,
    "trg_wps_coincident_sum_threshold": 3,
    "trg_wps_sum_threshold": 4,
    "trg_wps_prescale_rate": 5,
    "trg_wps_ref_flags_hwm": 12,
    "trg_wps_ref_flags_ct": 13,
    "trg_wps_ref_flags_wps": 14,
    "dsp_wps_tracemap_format": 29,
    "dsp_wps_dsp_max_margin_front": 42,
    "dsp_wps_dsp_max_margin_back": 43,
    "dsp_wps_apply_gain_scaling": 33,
    "dsp_wps_sum_window_size": 34,
    "dsp_wps_sum_window_start_sample": 35,
    "dsp_wps_sum_window_stop_sample": 36,
    "dsp_wps_sub_event_sum_threshold": 37,
    "dsp_hwm_tracemap_format": 19,
    "dsp_ct_tracemap_format": 24,
}

# two frames each: seconds and nanoseconds
_TIMES = {
    "buffer_window_nsec": 17,
    "trg_pre_trigger_window_nsec": 8,
    "trg_post_trigger_window_nsec": 10,
}

# frames that begin the trace maps: format, indices, enabled, labels
_TRACE_MAPS = {"wps": 29, "hwm": 19, "ct": 24}

# lists of values, with the trace map whose length bounds them
_LISTS = {
    "trg_hwm_prescale_ratio": (1, "hwm"),
    "trg_hwm_prescale_rate": (6, "hwm"),
    "trg_wps_ref_map_idx": (15, None),
    "dsp_wps_gains": (38, "wps"),
    "dsp_wps_thresholds": (39, "wps"),
    "dsp_wps_lowpass": (40, "wps"),
    "dsp_wps_shaping_widths": (41, "wps"),
    "dsp_wps_margin_front": (44, "wps"),
    "dsp_wps_margin_back": (45, "wps"),
    "dsp_wps_start_sample": (46, "wps"),
    "dsp_wps_stop_sample": (47, "wps"),
    "dsp_hwm_fpga_energy_threshold_adc": (23, "hwm"),
    "dsp_ct_thresholds": (28, "ct"),
}

_DTYPES = {c.name: c.dtype for c in FSP_CONFIG.columns}
_ZEROS = bytes(24)


def parse_fsp_config(frames: list[bytes]) -> dict[str, Any]:
    """Return the settings of an FSPConfig record by column name.

    Parameters
    ----------
    frames
        payloads of the record's frames; missing frames count as empty.

    Returns
    -------
    values
        numpy scalars, arrays for the lists, arrays of ``S7`` for the labels.
    """
    frames = frames + [b""] * (48 - len(frames))

    def array(frame: int, dtype: str) -> np.ndarray:
        size = np.dtype(dtype).itemsize
        data = frames[frame]
        return np.frombuffer(data[: len(data) // size * size], dtype).copy()

    def padded(frame: int) -> bytes:
        return (frames[frame] + _ZEROS)[:24]

    values: dict[str, Any] = {}
    for name, frame in _SCALARS.items():
        values[name] = np.frombuffer(padded(frame), _DTYPES[name])[0]
    for name, frame in _TIMES.items():
        (seconds,) = struct.unpack_from("<q", padded(frame))
        (nanoseconds,) = struct.unpack_from("<q", padded(frame + 1))
        values[name] = _wrap_i64(int(seconds * 1e9 + nanoseconds))
    event, trigger = struct.unpack_from("<qq", padded(7))
    values["trg_enabled_write_flags_event"] = np.int64(event)
    values["trg_enabled_write_flags_trigger"] = np.int64(trigger)

    n_mapped = {}
    for prefix, frame in _TRACE_MAPS.items():
        indices = array(frame + 1, "int32")
        n_mapped[prefix] = len(indices)
        values[f"dsp_{prefix}_tracemap_indices"] = indices
        values[f"dsp_{prefix}_tracemap_enabled"] = array(frame + 2, "int32")
        labels = array(frame + 3, "S8")[: len(indices)]
        values[f"dsp_{prefix}_tracemap_label"] = labels.astype("S7")
    for name, (frame, prefix) in _LISTS.items():
        most = n_mapped[prefix] if prefix else None
        values[name] = array(frame, _DTYPES[name])[:most]
    return values


def _wrap_i64(value: int) -> np.int64:
    """Return the value modulo 2^64: numbers of damaged records may overflow."""
    return np.int64((value + 2**63) % 2**64 - 2**63)
