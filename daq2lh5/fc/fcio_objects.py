"""Adapter that encodes the current record of an ``fcio.FCIO`` object as FCIO bytes.

The package ``fcio`` reads FCIO streams, too. Its object has the fields of the last
record of each kind as public attributes, and scripts pass it to the decoders. The
record is encoded again, so that the kernel decodes and checks all records. Run time and
dead time, which depend on all earlier records, are taken from the object.

The package is never imported. Frame numbers are those of the FCIO format, 2.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._kernel import FcioKernel

__all__ = ["FcioObject", "is_fcio"]

_CONFIG, _EVENT, _STATUS, _SPARSE_EVENT, _EVENT_HEADER = 1, 3, 4, 6, 7
_FSP_CONFIG, _FSP_EVENT, _FSP_STATUS = 8, 9, 10
_EVENTS = (_EVENT, _SPARSE_EVENT)

_CONFIG_FIELDS = (
    *("adcs", "triggers", "eventsamples", "blprecision", "sumlength", "adcbits"),
    *("mastercards", "triggercards", "adccards", "gps"),
)
_CARD_FIELDS = (
    *("reqid", "status", "eventno", "pps", "ticks", "maxticks", "numenv"),
    *("numctilinks", "numlinks", "dummy", "totalerrors", "enverrors", "ctierrors"),
    "linkerrors",
)
_CARD_BYTES = 1180
_FSP_STATUS_FIELDS = (
    *("start_time", "log_time", "dt_logtime", "runtime"),
    *("n_read_events", "n_written_events", "n_discarded_events"),
    *("dt_n_read_events", "dt_n_written_events", "dt_n_discarded_events"),
    *("dt", "dt_rate_read_events", "dt_rate_write_events", "dt_rate_discard_events"),
    *("avg_rate_read_events", "avg_rate_write_events", "avg_rate_discard_events"),
)

_REFERENCES = ("hwm", "ct", "wps")
_WPS_SUM = (
    *("apply_gain_scaling", "sum_window_size"),
    *("sum_window_start_sample", "sum_window_stop_sample"),
)
_WPS_LISTS = (
    *(("gains", "f4"), ("thresholds", "f4"), ("lowpass", "f4")),
    ("shaping_widths", "i4"),
)
_WPS_MARGINS = (
    *("dsp_margin_front", "dsp_margin_back"),
    *("dsp_start_sample", "dsp_stop_sample"),
)


def is_fcio(obj: Any) -> bool:
    """Whether an object has the interface of ``fcio.FCIO``."""
    return hasattr(obj, "get_record") and hasattr(obj, "config")


class FcioObject:
    """A kernel with the configuration of an ``fcio.FCIO`` object.

    Attributes
    ----------
    stream
        the kernel.
    """

    def __init__(self) -> None:
        from ._kernel import FcioKernel  # noqa: PLC0415  (few decoders need one)

        self.stream: FcioKernel = FcioKernel()
        self._config: tuple[bytes, bool] | None = None

    def configure(self, fcio: Any, with_fsp: bool = False) -> FcioKernel:
        """Take over the current configuration, if it has changed.

        Parameters
        ----------
        fcio
            the object.
        with_fsp
            take over the FSPConfig in any case: comparing takes as long.

        Raises
        ------
        ValueError
            if the object has no configuration yet, or an invalid one.
        """
        if fcio.config is None:
            msg = "the fcio object has no configuration: open a stream first"
            raise ValueError(msg)
        record = _config_record(fcio.config)
        config = record, bool(fcio.fsp)
        if config != self._config or with_fsp:
            if fcio.fsp:
                record = _fsp_config_record(fcio.fsp.config) + record
            self.stream.decode_packet(record, {}, 0)
            self._config = config
        return self.stream

    def event(self, fcio: Any) -> bytes:
        """Return the current event as a SparseEvent: its traces may have any order."""
        _check_tag(fcio, *_EVENTS)
        event = self._start_event(fcio)
        traces = np.hstack([event.theader, event.trace])
        return _record(
            _SPARSE_EVENT,
            *_event_start(event),
            _i32(len(event.trace_list)),
            _array(event.trace_list, "u2"),
            *(_array(trace, "u2") for trace in traces),
        )

    def header(self, fcio: Any) -> bytes:
        """Return the current event or event header as an EventHeader."""
        _check_tag(fcio, *_EVENTS, _EVENT_HEADER)
        event = self._start_event(fcio)
        return _record(
            _EVENT_HEADER,
            *_event_start(event),
            _array(event.trace_list, "u2"),
            _array(event.theader, "u2"),
        )

    def _start_event(self, fcio: Any) -> Any:
        """Return the current event, with the times of the object."""
        event = fcio.event
        self.configure(fcio).set_times(
            np.asarray(event.trace_list, np.uint16),
            np.asarray(event.run_time_nsec, np.int64),
            np.asarray(event.dead_time_nsec, np.int64),
            np.asarray(event.dead_interval_nsec, np.int64),
            int(event.fpga_time_nsec),
        )
        return event

    def status(self, fcio: Any) -> bytes:
        """Return the current Status."""
        _check_tag(fcio, _STATUS)
        self.configure(fcio)
        status = fcio.status
        return _record(
            _STATUS,
            _i32(status.status),
            _array(status.statustime, "i4"),
            _i32(len(status.data)),
            _i32(_CARD_BYTES),
            *map(_card, status.data),
        )

    def fsp_event(self, fcio: Any, is_header: bool) -> bytes:
        """Return the current FSPEvent with an event (header) without traces."""
        _check_tag(fcio, _FSP_EVENT, *_EVENTS, _EVENT_HEADER)
        self.configure(fcio)
        last = (b"",) if is_header else (_i32(0), b"")
        tag = _EVENT_HEADER if is_header else _SPARSE_EVENT
        record = _record(tag, _i32(0), _i32(0), b"", b"", b"", *last, b"")
        return _fsp_event_record(_fsp(fcio).event) + record

    def fsp_status(self, fcio: Any) -> bytes:
        """Return the current FSPStatus with a Status without cards."""
        _check_tag(fcio, _FSP_STATUS, _STATUS)
        self.configure(fcio)
        status = _fsp(fcio).status
        values = [getattr(status, name) for name in _FSP_STATUS_FIELDS]
        return _record(_FSP_STATUS, struct.pack("<4d6i7d", *values)) + _record(
            _STATUS, _i32(0), b"", _i32(0), _i32(_CARD_BYTES)
        )


def _check_tag(fcio: Any, *tags: int) -> None:
    """Check that the current record has one of the tags."""
    if fcio.tag not in tags:
        wanted = " or ".join(map(str, tags))
        msg = f"the fcio object is at a record with tag {fcio.tag}, not {wanted}"
        raise ValueError(msg)


def _fsp(fcio: Any) -> Any:
    if not fcio.fsp:
        msg = "the fcio object has no stream processor"
        raise ValueError(msg)
    return fcio.fsp


# ---- frames and records --------------------------------------------------------------


def _record(tag: int, *frames: bytes) -> bytes:
    parts = [struct.pack("<i", -tag)]
    for frame in frames:
        parts += (struct.pack("<i", len(frame)), frame)
    return b"".join(parts)


def _i32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def _i64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def _u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *(v % 2**64 for v in values))


def _f32(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def _array(values: Sequence[Any] | np.ndarray, dtype: str) -> bytes:
    return np.asarray(values, f"<{dtype}").tobytes()


def _config_record(config: Any) -> bytes:
    return _record(
        _CONFIG,
        *(_i32(getattr(config, name)) for name in _CONFIG_FIELDS),
        _array(config.tracemap, "u4"),
        _i32(config.streamid),
    )


def _event_start(event: Any) -> tuple[bytes, ...]:
    """Return the first frames of a SparseEvent or EventHeader."""
    return (
        _i32(event.type),
        _f32(event.pulser),
        _array(event.timeoffset, "i4"),
        _array(event.timestamp, "i4"),
        _array(event.deadregion, "i4"),
    )


def _card(card: Any) -> bytes:
    """Return the block of a card."""
    environment = (
        *card.mainboard_temperatures_mC,
        *card.mainboard_voltages_mV,
        card.mainboard_current_mA,
        card.mainboard_humiditiy_permille,  # (sic)
        *card.daughterboard_temperatures_mC,
    )
    return b"".join(
        (
            _array([getattr(card, name) for name in _CARD_FIELDS], "u4"),
            _array(card.othererrors, "u4"),
            _array(environment, "i4").ljust(4 * 16, b"\0"),
            _array(card.ctilinks, "u4").ljust(4 * 4, b"\0"),
            _array(card.linkstates, "u4").ljust(4 * 256, b"\0"),
        )
    )


# ---- stream processor ----------------------------------------------------------------


def _trace_map(tracemap: dict[str, Any]) -> tuple[bytes, ...]:
    mapped = tracemap["n_mapped"]
    return (
        _i32(tracemap["format"]),
        _array(tracemap["map"][:mapped], "i4"),
        _array(tracemap["enabled"][: tracemap["n_enabled"]], "i4"),
        np.array(tracemap["label"][:mapped], "S8").tobytes(),
    )


def _time(time: dict[str, int]) -> tuple[bytes, bytes]:
    return _i64(time["seconds"]), _i64(time["nanoseconds"])


def _fsp_config_record(config: Any) -> bytes:
    # (each access builds the dictionaries anew)
    trigger, buffer = config.triggerconfig, config.buffer
    hwm, ct, wps = config.hwm, config.ct, config.wps
    n_hwm, n_ct, n_wps = (part["tracemap"]["n_mapped"] for part in (hwm, ct, wps))
    enabled = trigger["enabled_flags"]
    flags = (enabled["event"]["is_flagged"], enabled["trigger"]["is_flagged"])
    references = trigger["wps_ref_map_idx"][: trigger["n_wps_ref_map_idx"]]
    return _record(
        _FSP_CONFIG,
        _i32(trigger["hwm_min_multiplicity"]),
        _array(trigger["hwm_prescale_ratio"][:n_hwm], "i4"),
        _i32(trigger["wps_prescale_ratio"]),
        _f32(trigger["wps_coincident_sum_threshold"]),
        _f32(trigger["wps_sum_threshold"]),
        _f32(trigger["wps_prescale_rate"]),
        _array(trigger["hwm_prescale_rate"][:n_hwm], "f4"),
        _u64(*flags, enabled["write"]),
        *_time(trigger["pre_trigger_window"]),
        *_time(trigger["post_trigger_window"]),
        *(_u64(trigger[f"wps_ref_flags_{x}"]["is_flagged"]) for x in _REFERENCES),
        _array(references, "i4"),
        _i32(buffer["max_states"]),
        *_time(buffer["buffer_window"]),
        *_trace_map(hwm["tracemap"]),
        _array(hwm["fpga_energy_threshold_adc"][:n_hwm], "u2"),
        *_trace_map(ct["tracemap"]),
        _array(ct["thresholds"][:n_ct], "u2"),
        *_trace_map(wps["tracemap"]),
        *(_i32(wps[name]) for name in _WPS_SUM),
        _f32(wps["sub_event_sum_threshold"]),
        *(_array(wps[name][:n_wps], dtype) for name, dtype in _WPS_LISTS),
        _i32(wps["dsp_max_margin_front"]),
        _i32(wps["dsp_max_margin_back"]),
        *(_array(wps[name][:n_wps], "i4") for name in _WPS_MARGINS),
    )


def _fsp_event_record(event: Any) -> bytes:
    flags = (
        *(event.is_consecutive, event.is_extended, 0, 0, 0, 0, 0, 0),
        *(event.is_hwm_multiplicity, event.is_hwm_prescaled, event.is_wps_sum),
        *(event.is_wps_coincident_sum, event.is_wps_prescaled),
        *(event.is_ct_multiplicity, 0, 0),
        *(event.is_written, 0, 0, 0, 0, 0, 0, 0),
    )
    hwm = struct.pack(
        "<iHHi",
        event.obs_hwm_hw_multiplicity,
        event.obs_hwm_max_value,
        event.obs_hwm_min_value,
        event.obs_hwm_sw_multiplicity,
    )
    wps = struct.pack(
        "<fiifi",
        event.obs_wps_sum_value,
        event.obs_wps_sum_offset,
        event.obs_wps_sum_multiplicity,
        event.obs_wps_max_single_peak_value,
        event.obs_wps_max_single_peak_offset,
    )
    return _record(
        _FSP_EVENT,
        bytes(map(bool, flags)),
        # flags of the processors and sub-events: without columns
        bytes(32),
        _i32(event.obs_evt_nconsecutive),
        hwm,
        wps,
        _array(event.obs_ct_trace_idx, "i4"),
        _array(event.obs_ct_max, "u2"),
        *(b"", b"", b""),
        _array(event.obs_ps_hwm_prescaled_trace_idx, "u2"),
    )
