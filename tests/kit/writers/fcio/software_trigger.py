"""Records of libfsp, the software trigger (FCIO format, 2.2)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from kit.writers.fcio.framing import (
    TAG_FSP_CONFIG,
    TAG_FSP_EVENT,
    TAG_FSP_STATUS,
    Field,
    pack,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def labels(names: Iterable[str]) -> bytes:
    """Encode the labels of a trace map: 8 bytes each, NUL padded (format 2.2)."""
    return b"".join(name.encode().ljust(8, b"\0") for name in names)


def _trace_map(name: str) -> tuple[tuple[str, str, Field], ...]:
    return (
        (f"{name}_format", "i4", 1),
        (f"{name}_map", "i4", (0, 1, 2)),
        (f"{name}_enabled", "i4", (0, 1, -1)),
        (f"{name}_labels", "S8", labels(("ch000", "ch001", "ch002"))),
    )


FSP_CONFIG_FIELDS: tuple[tuple[str, str, Field], ...] = (
    ("hwm_min_multiplicity", "i4", 1),
    ("hwm_prescale_ratio", "i4", (0, 10, 100)),
    ("wps_prescale_ratio", "i4", 1000),
    ("wps_coincident_sum_threshold", "f4", 20.0),
    ("wps_sum_threshold", "f4", 150.0),
    ("wps_prescale_rate", "f4", 0.5),
    ("hwm_prescale_rate", "f4", (0.0, 0.25, 1.0)),
    # Bytes 2-7 and 14-15 of the flags hold junk in real files.
    ("write_flags", "u1", bytes.fromhex("01010000050000000101010101010000" + 8 * "00")),
    ("pre_trigger_s", "i8", 0),
    ("pre_trigger_ns", "i8", 500_000),
    ("post_trigger_s", "i8", 1),
    ("post_trigger_ns", "i8", 250_000),
    ("wps_ref_flags_hwm", "u1", bytes.fromhex("0100000000000000")),
    ("wps_ref_flags_ct", "u1", bytes.fromhex("0100000000000000")),
    ("wps_ref_flags_wps", "u1", bytes(8)),
    ("wps_ref_map_idx", "i4", (0, 2)),
    ("max_states", "i4", 101),
    ("buffer_window_s", "i8", 0),
    ("buffer_window_ns", "i8", 524_304),
    *_trace_map("hwm"),
    ("fpga_energy_threshold_adc", "u2", (25, 25, 30)),
    *_trace_map("ct"),
    ("ct_thresholds", "u2", (2500, 2500, 2600)),
    *_trace_map("wps"),
    ("apply_gain_scaling", "i4", 1),
    ("sum_window_size", "i4", 375),
    ("sum_window_start_sample", "i4", 250),
    ("sum_window_stop_sample", "i4", 940),
    ("sub_event_sum_threshold", "f4", 15.5),
    ("gains", "f4", (30.05, 96.45, 77.25)),
    ("thresholds", "f4", (0.5, 0.5, 0.75)),
    ("lowpass", "f4", (1.0, 2.0, 4.0)),
    ("shaping_widths", "i4", (16, 16, 32)),
    ("dsp_max_margin_front", "i4", 85),
    ("dsp_max_margin_back", "i4", 84),
    ("dsp_margin_front", "i4", (84, 85, 80)),
    ("dsp_margin_back", "i4", (84, 84, 79)),
    ("dsp_start_sample", "i4", (100, 100, 101)),
    ("dsp_stop_sample", "i4", (900, 900, 901)),
)
"""The 48 frames of an FSPConfig: name, type and default content (format 2.2)."""


def fsp_config(*, drop_frames: int = 0, **fields: Field) -> bytes:
    """Write an FSPConfig (tag 8, format 2.2).

    Parameters
    ----------
    fields
        contents of frames, by the names in `FSP_CONFIG_FIELDS`.
    """
    unknown = fields.keys() - {name for name, _, _ in FSP_CONFIG_FIELDS}
    if unknown:
        msg = f"an FSPConfig has no frames named {sorted(unknown)}"
        raise TypeError(msg)
    return record(
        TAG_FSP_CONFIG,
        *(
            pack(fields.get(name, default), dtype)
            for name, dtype, default in FSP_CONFIG_FIELDS
        ),
        drop_frames=drop_frames,
    )


def fsp_write_flags(
    *,
    is_written: bool = True,
    is_consecutive: bool = False,
    is_extended: bool = False,
    is_hwm_multiplicity: bool = False,
    is_hwm_prescaled: bool = False,
    is_wps_sum: bool = False,
    is_wps_coincident_sum: bool = False,
    is_wps_prescaled: bool = False,
    is_ct_multiplicity: bool = False,
    junk: bytes = b"\0\0\5\0\0\0",
) -> bytes:
    """Encode the write flags of an FSPEvent (format 2.2, frame 0).

    Parameters
    ----------
    junk
        six bytes for the padding of the structure, which real files do not zero.
    """
    event_bits = (is_consecutive, is_extended)
    trigger_bits = (
        *(is_hwm_multiplicity, is_hwm_prescaled, is_wps_sum),
        *(is_wps_coincident_sum, is_wps_prescaled, is_ct_multiplicity),
    )
    return struct.pack(
        "<2?6s6?2sI4s", *event_bits, junk, *trigger_bits, junk[:2], is_written, junk[:4]
    )


_WRITTEN = fsp_write_flags()


def fsp_event(
    *,
    write_flags: Field = _WRITTEN,
    processor_flags: Field = bytes(32),
    nconsecutive: Field = 0,
    hwm_hw_multiplicity: int = 1,
    hwm_max_value: int = 100,
    hwm_min_value: int = 50,
    hwm_sw_multiplicity: int | None = 1,
    wps_sum_value: float = 25.5,
    wps_sum_offset: int = 270,
    wps_sum_multiplicity: int = 13,
    wps_max_peak_value: float = 5.25,
    wps_max_peak_offset: int = 429,
    ct_trace_idx: Field = (),
    ct_max: Field = (),
    sub_event_start: Field = (),
    sub_event_stop: Field = (),
    sub_event_wps_max: Field = (),
    hwm_prescaled_trace_idx: Field = (),
    drop_frames: int = 0,
) -> bytes:
    """Write an FSPEvent (tag 9, format 2.2).

    Parameters
    ----------
    hwm_sw_multiplicity
        None leaves the word out, as in old files, which also have 24 instead of 32
        bytes of ``processor_flags`` and no ``hwm_prescaled_trace_idx`` (None).
    """
    hwm = struct.pack("<iHH", hwm_hw_multiplicity, hwm_max_value, hwm_min_value)
    if hwm_sw_multiplicity is not None:
        hwm += struct.pack("<i", hwm_sw_multiplicity)
    wps = struct.pack(
        "<fiifi",
        *(wps_sum_value, wps_sum_offset, wps_sum_multiplicity),
        *(wps_max_peak_value, wps_max_peak_offset),
    )
    return record(
        TAG_FSP_EVENT,
        pack(write_flags, "u1"),
        pack(processor_flags, "u1"),
        pack(nconsecutive, "i4"),
        hwm,
        wps,
        pack(ct_trace_idx, "i4"),
        pack(ct_max, "u2"),
        pack(sub_event_start, "i4"),
        pack(sub_event_stop, "i4"),
        pack(sub_event_wps_max, "f4"),
        pack(hwm_prescaled_trace_idx, "u2"),
        drop_frames=drop_frames,
    )


FSP_STATUS_DTYPE = np.dtype(
    [
        *(
            (name, "<f8")
            for name in ("start_time", "log_time", "dt_logtime", "runtime")
        ),
        *((f"n_{name}_events", "<i4") for name in ("read", "written", "discarded")),
        *((f"dt_n_{name}_events", "<i4") for name in ("read", "written", "discarded")),
        ("dt", "<f8"),
        *((f"dt_rate_{name}_events", "<f8") for name in ("read", "write", "discard")),
        *((f"avg_rate_{name}_events", "<f8") for name in ("read", "write", "discard")),
    ]
)
"""The structure in an FSPStatus, 112 bytes (format 2.2)."""


def fsp_status(*, drop_frames: int = 0, **fields: float) -> bytes:
    """Write an FSPStatus (tag 10, format 2.2).

    Parameters
    ----------
    fields
        values by the names in `FSP_STATUS_DTYPE`; zero where not given.
    """
    values = np.zeros((), dtype=FSP_STATUS_DTYPE)
    for name, value in fields.items():
        values[name] = value
    return record(TAG_FSP_STATUS, values.tobytes(), drop_frames=drop_frames)
