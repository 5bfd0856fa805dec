"""Reference reader of well-formed FCIO streams, in plain Python.

Written from the FCIO format alone, sentence by sentence, to be
compared with: clarity counts, speed does not. "Format N" means its section N. Where it
knows two behaviours, this is behaviour A.

Well-formed means that nothing has to be rejected or repaired: a stream with damage
raises `NotWellFormedError`. What format 9 accepts is read as it says there: arrays of
more than ten integers, short and absent frames, a number of traces that differs from
the length of the list, one to three stray bytes at the end. Records that it skips
without a trace (events before any Config, unknown tags) are skipped.

Records of the software trigger make rows only if they stand directly before the
record that they describe.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND = 1_000_000_000
TICK = 4
"""Nanoseconds in a tick (format 2.1)."""

MAX_TRACES = 2400
MAX_SAMPLES = 32768
MAX_BUFFER = 22_021_440
"""Words in the trace buffer (format 1.4)."""

MAX_CARDS = 256
MAX_PENDING = 2048
"""Dead intervals that may wait per trace (format 1.4)."""

HELD_INTEGERS = 10
"""Integers kept of timeoffset, timestamp and deadregion (format 1.4)."""


class NotWellFormedError(ValueError):
    """The stream has damage, so that this reader knows no rows for it."""


# --- output tables (format 6) ----------------------------------------------------

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

_EVENT_BY_TRACE = {
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
    **_EVENT_BY_TRACE,
    "channel": "uint16",
    "waveform/values": "uint16[]",
    "waveform/t0": "float32",
    "waveform/dt": "float32",
}

FCEVENTHEADER = {
    **_EVENT_COMMON,
    **{name: f"{dtype}[]" for name, dtype in _EVENT_BY_TRACE.items()},
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

_FSP_STATUS_TIMES = ("start_time", "log_time", "dt_logtime", "runtime")
_FSP_STATUS_COUNTS = (
    *("n_read_events", "n_written_events", "n_discarded_events"),
    *("dt_n_read_events", "dt_n_written_events", "dt_n_discarded_events"),
)
_FSP_STATUS_RATES = (
    "dt",
    *("dt_rate_read_events", "dt_rate_write_events", "dt_rate_discard_events"),
    *("avg_rate_read_events", "avg_rate_write_events", "avg_rate_discard_events"),
)

FSPSTATUS = {
    "packet_id": "uint32",
    **dict.fromkeys(_FSP_STATUS_TIMES, "float64"),
    **dict.fromkeys(_FSP_STATUS_COUNTS, "int32"),
    **dict.fromkeys(_FSP_STATUS_RATES, "float64"),
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


def _as_declared(value: Any, dtype: str) -> Any:
    """Give a value its fixed width; one that does not fit is an error of ours."""
    if dtype.endswith("[]"):
        return np.array(value, dtype=dtype.removesuffix("[]"))
    return np.dtype(dtype).type(value)


# --- framing (format 1) ----------------------------------------------------------

_PROTOCOL_HEADER = -1_000_000_001
_PROTOCOL = b"FlashCamV1"


def read_records(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Split a stream into records: tag and contents of the frames (format 1.1).

    One to three bytes at the end are dropped (format 1.3).
    """
    tag: int | None = None
    frames: list[bytes] = []
    position = 0
    while len(data) - position >= 4:
        (header,) = struct.unpack_from("<i", data, position)
        if position == 0 and header != _PROTOCOL_HEADER:
            raise NotWellFormedError("the stream does not start with a handshake")
        position += 4
        if header >= 0:
            if header > len(data) - position:
                raise NotWellFormedError(f"frame cut off at byte {position}")
            # Frames before the first tag and after a handshake belong to nothing.
            if tag is not None:
                frames.append(data[position : position + header])
            position += header
            continue
        if header < _PROTOCOL_HEADER:
            raise NotWellFormedError(f"reserved header {header} at byte {position - 4}")
        if tag is not None:
            yield tag, frames
        if header == _PROTOCOL_HEADER:
            name = data[position : position + 64]
            if len(name) < 64 or not name.startswith(_PROTOCOL):
                raise NotWellFormedError(f"bad protocol name at byte {position}")
            position += 64
            tag = None
        else:
            tag = -header
        frames = []
    if position == 0:
        raise NotWellFormedError("the stream does not start with a handshake")
    if tag is not None:
        yield tag, frames


def _elements(frame: bytes, code: str, at_most: int) -> list[Any]:
    """Decode ``held(at_most)`` elements of a frame (format 1.2 and 2)."""
    size = struct.calcsize(f"<{code}")
    if len(frame) % size:
        raise NotWellFormedError(
            f"a frame of {len(frame)} bytes for elements of {size}"
        )
    n = min(len(frame) // size, at_most)
    return list(struct.unpack_from(f"<{n}{code}", frame))


def _overwrite(old: list[Any], new: list[Any]) -> list[Any]:
    """Replace the first elements; the rest keeps its content (format 1.2)."""
    return new + old[len(new) :]


def _need(frames: list[bytes], number: int) -> None:
    if len(frames) < number:
        raise NotWellFormedError(f"{len(frames)} frames where {number} are needed")


# --- dead time (format 4.4) ------------------------------------------------------


class DeadTimeTracker:
    """Run time and dead time of each trace since the last Config (format 4.4)."""

    def __init__(self, n_traces: int) -> None:
        self.n_traces = n_traces
        self.pending: list[deque[tuple[int, int]]] = [deque() for _ in range(n_traces)]
        self.newest_end = [0] * n_traces
        self.enabled_at = [-1] * n_traces
        self.dead_time = [0] * n_traces
        self.dead_interval = [0] * n_traces
        self.run_time = [0] * n_traces

    def update(
        self, event_type: int, now: int, region: list[int], offset: list[int]
    ) -> None:
        """Take the dead region of an event into account.

        Parameters
        ----------
        now
            the event's time on the FPGA's clock, ns.
        region, offset
            the integers of deadregion and timeoffset.
        """
        # Step 1, with the clamp of format 9.
        first = min(max(region[5], 0), self.n_traces)
        block = range(first, first + min(max(region[6], 0), self.n_traces - first))
        # Step 2.
        affected = block if event_type == 11 else range(self.n_traces)
        # Step 3.
        start = SECOND * region[0] + TICK * region[1]
        end = SECOND * region[2] + TICK * region[3]

        # Step 4.
        if any(self.enabled_at[i] == -1 for i in affected):
            enabled_at = None
            if start == 0 and end > 0:
                enabled_at = end
            elif start == 0 and end == 0:
                enabled_at = SECOND * offset[5] + 1000 * offset[6]
            if enabled_at is not None:
                for i in affected:
                    self.enabled_at[i] = enabled_at

        # Step 5.
        if start > 0:
            for i in block:
                if len(self.pending[i]) == MAX_PENDING:
                    raise NotWellFormedError(f"too many dead intervals of trace {i}")
                if end > self.newest_end[i]:
                    self.pending[i].append((start, end))
                    self.newest_end[i] = end

        # Step 6.
        for i in affected:
            self.dead_interval[i] = 0

        # Step 7.
        while self._is_due(block, now):
            ended = [self._pop(i) for i in block]
            targets = block
            if region[6] == 1 and ended:
                # Behaviour A broadcasts a lone duration. Other numbers than that of
                # the affected traces make it fail: then only the block counts, as
                # recommended.
                targets = affected
                ended = ended * len(affected)
            for i, duration in zip(targets, ended, strict=True):
                self.dead_interval[i] = duration
                self.dead_time[i] += duration

        # Step 8.
        self.run_time = [now - enabled_at for enabled_at in self.enabled_at]

    def _is_due(self, block: range, now: int) -> bool:
        for i in block:
            if not self.pending[i]:
                return False
            if now - self.pending[i][0][1] > -4:
                return True
        return False

    def _pop(self, i: int) -> int:
        if not self.pending[i]:
            raise NotWellFormedError(f"trace {i} lacks the dead interval of its block")
        start, end = self.pending[i].popleft()
        return end - start


# --- records (format 2 to 6) ----------------------------------------------------


@dataclass
class Config:
    """What the last Config said, with what it left unsaid (format 2.3)."""

    integers: list[int] = field(default_factory=lambda: [0] * 10)
    tracemap: list[int] = field(default_factory=lambda: [0] * MAX_TRACES)
    streamid: int = 0

    def __post_init__(self) -> None:
        self.adcs, self.triggers, self.eventsamples = self.integers[:3]
        self.blprecision, self.sumlength, self.adcbits = self.integers[3:6]
        self.mastercards, self.triggercards, self.adccards = self.integers[6:9]
        self.gps = self.integers[9]
        self.n_traces = self.adcs + self.triggers
        self.trace_length = self.eventsamples + 2
        self.fcid = self.streamid & 0xFFFF

    @classmethod
    def from_frames(cls, frames: list[bytes], previous: Config) -> Config:
        """Decode a Config record (format 2.1), which must pass format 1.4."""
        integers = list(previous.integers)
        for i, frame in enumerate(frames[:10]):
            integers[i] = (_elements(frame, "i", 1) or [integers[i]])[0]
        tracemap, streamid = previous.tracemap, previous.streamid
        if len(frames) > 10:
            tracemap = _overwrite(tracemap, _elements(frames[10], "I", MAX_TRACES))
        if len(frames) > 11:
            streamid = (_elements(frames[11], "i", 1) or [streamid])[0]
        new = cls(integers, tracemap, streamid)
        if new.adcs < 0 or new.triggers < 0 or new.n_traces > MAX_TRACES:
            raise NotWellFormedError("number of traces out of range")
        if not 0 <= new.eventsamples <= MAX_SAMPLES:
            raise NotWellFormedError("number of samples out of range")
        if new.n_traces * new.trace_length > MAX_BUFFER:
            raise NotWellFormedError("more samples than an event may have")
        if new.blprecision == 0:
            raise NotWellFormedError("baselines need a precision")
        return new

    def channel_key(self, trace: int) -> int:
        """Rawid of a trace (format 5)."""
        word = self.tracemap[trace]
        return self.fcid * 1_000_000 + (word >> 16) * 100 + (word & 0xFFFF)

    def status_key(self, reqid: int) -> str:
        """Key of a card (format 5)."""
        return f"fcid_{self.fcid}/status/card{reqid & 0xFFFF}"

    def offered_keys(self) -> list[int | str]:
        """List the keys that this Config promises (format 5).

        Those of the software trigger come from an FSPConfig.
        """
        reqids = (
            *(0x4000 + i - 1 if i else 0 for i in range(self.mastercards)),
            *(0x1000 + i for i in range(self.triggercards)),
            *(0x2000 + i for i in range(self.adccards)),
        )
        return [
            *(self.channel_key(i) for i in range(self.n_traces)),
            f"fcid_{self.fcid}/config",
            f"fcid_{self.fcid}/evt_hdr",
            *(self.status_key(reqid) for reqid in reqids),
        ]

    def period(self) -> float:
        """Time between samples, ns (format 3); unknown for other resolutions."""
        return {16: 16, 12: 4}.get(self.adcbits, math.nan)

    def baseline(self, word0: int) -> int:
        """Baseline as its column holds it (format 4.2)."""
        return int(word0 / self.blprecision)

    def energy(self, word0: int, word1: int) -> int:
        """Energy as its column holds it (format 4.3)."""
        if self.adcbits != 12:
            return word1
        scale = self.sumlength / self.blprecision
        return int(scale * ((word1 - word0) % 2**16)) % 2**16


@dataclass
class Reading:
    """All that comes out of a stream.

    Parameters
    ----------
    tables
        for each table its columns, for each column its rows. ``waveform`` has three
        columns: ``waveform/values``, ``waveform/t0``, ``waveform/dt``. FSPConfig is
        a struct: a value in place of rows, and no columns at all if there is none.
    keys
        for each table the key of each row (format 5).
    offered
        the keys that the file offers: rows with others are not in the tables.
    """

    tables: dict[str, dict[str, Any]]
    keys: dict[str, list[int | str]]
    offered: list[int | str]


class _Reader:
    """State from record to record (format 2.3), and the rows so far."""

    def __init__(self) -> None:
        self.config: Config | None = None
        self.packet_id = 0
        self.previous_tag: int | None = None
        self.event_type = 0
        self.timeoffset = [0] * HELD_INTEGERS
        self.timestamp = [0] * HELD_INTEGERS
        self.deadregion = [0] * HELD_INTEGERS
        self.deadregion_size = 0
        self.num_traces = 0
        self.trace_list = [0] * MAX_TRACES
        self.traces: dict[int, list[int]] = {}
        self.status = [0]
        self.statustime = [0] * HELD_INTEGERS
        self.fsp_config_seen = False
        self.fsp_config: dict[str, Any] = {}
        self.fsp_event: dict[str, Any] = {}
        self.fsp_status: dict[str, Any] = {}

        self.offered: list[int | str] = []
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.keys: dict[str, list[int | str]] = {name: [] for name in TABLES}

    def take(self, tag: int, frames: list[bytes]) -> None:
        """Read one record."""
        is_fsp = tag in (8, 9, 10)
        # The first Config is packet 0, and a record of the software trigger shares
        # the number of the record that follows it (format 5).
        if self.config is not None and not is_fsp:
            self.packet_id += 1
        if tag == 1:
            self._take_config(frames)
        elif tag == 8:
            self._take_fsp_config(frames)
        elif tag == 9:
            self._take_fsp_event(frames)
        elif tag == 10:
            self._take_fsp_status(frames)
        elif self.config is not None:
            if tag in (3, 6, 7):
                self._take_event(tag, frames, self.config)
            elif tag == 4:
                self._take_status(frames, self.config)
        self.previous_tag = tag

    def result(self) -> Reading:
        """Give all values their types."""
        tables: dict[str, dict[str, Any]] = {
            name: {
                column: [_as_declared(row[column], dtype) for row in self.rows[name]]
                for column, dtype in columns.items()
            }
            for name, columns in TABLES.items()
            if name != "FSPConfig"
        }
        tables["FSPConfig"] = {
            column: _as_declared(value, FSPCONFIG[column])
            for row in self.rows["FSPConfig"]
            for column, value in row.items()
        }
        return Reading(tables, self.keys, self.offered)

    def _add_row(self, table: str, key: int | str, row: dict[str, Any]) -> None:
        assert row.keys() == TABLES[table].keys()
        if key in self.offered or table == "FCStatus":
            self.rows[table].append(row)
            self.keys[table].append(key)

    # Config

    def _take_config(self, frames: list[bytes]) -> None:
        is_first = self.config is None
        self.config = config = Config.from_frames(frames, self.config or Config())
        self.tracker = DeadTimeTracker(config.n_traces)
        if any(i >= config.n_traces for i in self.trace_list[: self.num_traces]):
            # traces that are gone: the next full event begins with all there are
            self.num_traces = -1
        if is_first:
            self.offered = config.offered_keys()
            if self.fsp_config_seen:
                self.offered += (
                    f"swtid_{config.fcid}/{part}"
                    for part in ("config", "event", "evt_hdr", "status")
                )
                key = f"swtid_{config.fcid}/config"
                self._add_row("FSPConfig", key, self.fsp_config)
        row = {
            "packet_id": self.packet_id,
            "nsamples": config.eventsamples,
            "nadcs": config.adcs,
            "ntriggers": config.triggers,
            "streamid": config.streamid,
            "adcbits": config.adcbits,
            "sumlength": config.sumlength,
            "blprecision": config.blprecision,
            "mastercards": config.mastercards,
            "triggercards": config.triggercards,
            "adccards": config.adccards,
            "gps": config.gps,
            "tracemap": config.tracemap[: config.n_traces],
        }
        # Every Config is a row, also one that changes the stream's id.
        self.rows["FCConfig"].append(row)
        self.keys["FCConfig"].append(f"fcid_{config.fcid}/config")

    # Event, SparseEvent, EventHeader

    def _take_event(self, tag: int, frames: list[bytes], config: Config) -> None:
        _need(frames, 4)
        self.event_type = (_elements(frames[0], "i", 1) or [self.event_type])[0]
        self.timeoffset = _overwrite(
            self.timeoffset, _elements(frames[2], "i", HELD_INTEGERS)
        )
        self.timestamp = _overwrite(
            self.timestamp, _elements(frames[3], "i", HELD_INTEGERS)
        )
        if tag == 3:
            self._take_full(frames, config)
        elif tag == 6:
            self._take_sparse(frames, config)
        else:
            self._take_header(frames, config)

        fpga_time = SECOND * self.timestamp[1] + TICK * self.timestamp[2]
        self.tracker.update(
            self.event_type, fpga_time, self.deadregion, self.timeoffset
        )
        common = self._event_common(fpga_time, config)
        listed = self.trace_list[: self.num_traces]
        by_trace = [self._event_trace(i, config) for i in listed]
        if tag == 7:
            row = {
                **common,
                **{name: [t[name] for t in by_trace] for name in _EVENT_BY_TRACE},
                "tracelist": listed,
            }
            self._add_row("FCEventHeader", f"fcid_{config.fcid}/evt_hdr", row)
        else:
            for i, values in zip(listed, by_trace, strict=True):
                row = {
                    **common,
                    **values,
                    "channel": i,
                    "waveform/values": self.traces[i][2:],
                    "waveform/t0": 0,
                    "waveform/dt": config.period(),
                }
                self._add_row("FCEvent", config.channel_key(i), row)
        if self.previous_tag == 9 and self.fsp_event:
            part = "evt_hdr" if tag == 7 else "event"
            row = {"packet_id": self.packet_id, **self.fsp_event}
            self._add_row("FSPEvent", f"swtid_{config.fcid}/{part}", row)

    def _take_full(self, frames: list[bytes], config: Config) -> None:
        _need(frames, 5)
        length = config.trace_length
        words = _elements(frames[4], "H", config.n_traces * length)
        if len(words) < config.n_traces * length:
            raise NotWellFormedError("too few samples in an event")
        for i in range(config.n_traces):
            self.traces[i] = words[i * length : (i + 1) * length]
        self._take_deadregion(frames[5] if len(frames) > 5 else None)
        # Whatever the file says: all traces are affected (format 2.3).
        self.deadregion[5:7] = 0, config.n_traces
        if self.num_traces != config.n_traces:
            self.num_traces = config.n_traces
            self.trace_list = _overwrite(self.trace_list, list(range(self.num_traces)))

    def _take_sparse(self, frames: list[bytes], config: Config) -> None:
        _need(frames, 7)
        self._take_deadregion(frames[4])
        num_traces = (_elements(frames[5], "i", 1) or [self.num_traces])[0]
        if not 0 <= num_traces <= MAX_TRACES:
            raise NotWellFormedError(f"{num_traces} traces in an event")
        self._take_trace_list(frames[6], num_traces, config)
        _need(frames, 7 + self.num_traces)
        listed = self.trace_list[: self.num_traces]
        for i, frame in zip(listed, frames[7 : 7 + len(listed)], strict=True):
            words = _elements(frame, "H", config.trace_length)
            if len(words) < config.trace_length:
                raise NotWellFormedError("too few samples in a trace")
            self.traces[i] = words

    def _take_header(self, frames: list[bytes], config: Config) -> None:
        _need(frames, 7)
        self._take_deadregion(frames[4])
        words = _elements(frames[6], "H", 2 * MAX_TRACES)
        self._take_trace_list(frames[5], len(words) // 2, config)
        for k, i in enumerate(self.trace_list[: self.num_traces]):
            self.traces[i] = words[2 * k : 2 * k + 2]

    def _take_deadregion(self, frame: bytes | None) -> None:
        if frame is None:
            self.deadregion_size = -1
            return
        held = _elements(frame, "i", HELD_INTEGERS)
        self.deadregion_size = len(held)
        self.deadregion = _overwrite(self.deadregion, held)

    def _take_trace_list(self, frame: bytes, at_most: int, config: Config) -> None:
        listed = _elements(frame, "H", MAX_TRACES)
        self.num_traces = min(at_most, len(listed))
        if any(i >= config.n_traces for i in listed[: self.num_traces]):
            raise NotWellFormedError("an event lists a trace that the stream lacks")
        self.trace_list = _overwrite(self.trace_list, listed)

    def _event_common(self, fpga_time: int, config: Config) -> dict[str, Any]:
        offset, stamp, region = self.timeoffset, self.timestamp, self.deadregion
        if config.gps == 0:
            unix_time = fpga_time + SECOND * offset[0] + 1000 * offset[1]
        else:
            unix_time = fpga_time + SECOND * offset[2]
        first, count = region[5:7] if self.deadregion_size >= 7 else (0, config.adcs)
        return {
            "packet_id": self.packet_id,
            "fcid": config.fcid,
            "event_type": self.event_type,
            "numtraces": self.num_traces,
            "eventnumber": stamp[0],
            "ts_pps": stamp[1],
            "ts_ticks": stamp[2],
            "ts_maxticks": stamp[3],
            "mu_offset_sec": offset[0],
            "mu_offset_usec": offset[1],
            "to_master_sec": offset[2],
            "delta_mu_usec": offset[3],
            "abs_delta_mu_usec": offset[4],
            "to_start_sec": offset[5],
            "to_start_usec": offset[6],
            "dr_start_pps": region[0],
            "dr_start_ticks": region[1],
            "dr_stop_pps": region[2],
            "dr_stop_ticks": region[3],
            "dr_maxticks": region[4],
            "dr_ch_idx": first,
            "dr_ch_len": count,
            "timestamp": float(unix_time) / 1e9,
        }

    def _event_trace(self, i: int, config: Config) -> dict[str, Any]:
        word0, word1 = self.traces[i][:2]
        run_time = self.tracker.run_time[i]
        dead_time = self.tracker.dead_time[i]
        return {
            "board_id": config.tracemap[i] >> 16,
            "fc_input": config.tracemap[i] & 0xFFFF,
            "runtime": float(run_time) / 1e9,
            "lifetime": float(run_time - dead_time) / 1e9,
            "deadtime": float(dead_time) / 1e9,
            "deadinterval_nsec": self.tracker.dead_interval[i],
            "baseline": config.baseline(word0),
            "daqenergy": config.energy(word0, word1),
        }

    # Status

    def _take_status(self, frames: list[bytes], config: Config) -> None:
        _need(frames, 4)
        self.status = _overwrite(self.status, _elements(frames[0], "i", 1))
        self.statustime = _overwrite(
            self.statustime, _elements(frames[1], "i", HELD_INTEGERS)
        )
        n_cards = (_elements(frames[2], "i", 1) or [0])[0]
        size = (_elements(frames[3], "i", 1) or [0])[0]
        if not 0 <= n_cards <= MAX_CARDS or size < 0:
            raise NotWellFormedError(f"{n_cards} cards of {size} bytes")
        _need(frames, 4 + n_cards)
        # also of cards that the configuration lacks
        for block in frames[4 : 4 + n_cards]:
            self._take_card(block[:size], config)
        if self.previous_tag == 10 and self.fsp_status:
            row = {"packet_id": self.packet_id, **self.fsp_status}
            self._add_row("FSPStatus", f"swtid_{config.fcid}/status", row)

    def _take_card(self, block: bytes, config: Config) -> None:
        block = block[:1180].ljust(1180, b"\0")
        words = struct.unpack("<295I", block)
        environment = struct.unpack_from("<16i", block, 4 * 19)
        reqid, _, eventno, pps, ticks = words[:5]
        numenv, numctilinks, numlinks = words[6:9]
        time = self.statustime
        row = {
            "packet_id": self.packet_id,
            "status": self.status[0] != 0,
            "fpga_time": time[0] + 1e-6 * time[1],
            "server_time": time[2] + 1e-6 * time[3],
            "fpga_start_time": time[5] + 1e-6 * time[6],
            "id": reqid,
            "eventnumber": eventno,
            "fpga_time_nsec": (SECOND * pps + TICK * ticks) % 2**32,
            "n_total_errors": words[10],
            "n_environment_errors": words[11],
            "n_cti_errors": words[12],
            "n_link_errors": words[13],
            "n_other_errors": words[14:19],
            "mb_temps": environment[:5],
            "mb_voltages": environment[5:11],
            "mb_current": environment[11],
            "mb_humidity": environment[12],
            "adc_temps": environment[13 : min(numenv, 16)],
            "cti_links": words[35 : 35 + min(numctilinks, 4)],
            "link_states": words[39 : 39 + min(numlinks, 256)],
        }
        self._add_row("FCStatus", config.status_key(reqid), row)

    # software trigger

    def _take_fsp_config(self, frames: list[bytes]) -> None:
        # What libfsp puts in place of missing frames is not described.
        _need(frames, 48)

        def one(number: int, code: str) -> Any:
            return struct.unpack(f"<{code}", frames[number])[0]

        def some(number: int, code: str, n: int = MAX_TRACES) -> list[Any]:
            return _elements(frames[number], code, MAX_TRACES)[:n]

        def window(number: int) -> int:
            return int(float(one(number, "q")) * 1e9 + float(one(number + 1, "q")))

        write_flags = struct.unpack_from("<qq", frames[7])
        mapped = {}
        row: dict[str, Any] = {}
        for name, number in (("hwm", 19), ("ct", 24), ("wps", 29)):
            indices = some(number + 1, "i")
            mapped[name] = len(indices)
            names = [frames[number + 3][8 * i : 8 * i + 7] for i in range(mapped[name])]
            row |= {
                f"dsp_{name}_tracemap_format": one(number, "i"),
                f"dsp_{name}_tracemap_indices": indices,
                f"dsp_{name}_tracemap_enabled": some(number + 2, "i"),
                f"dsp_{name}_tracemap_label": names,
            }
        row |= {
            "buffer_max_states": one(16, "i"),
            "buffer_window_nsec": window(17),
            "trg_hwm_min_multiplicity": one(0, "i"),
            "trg_hwm_prescale_ratio": some(1, "i", mapped["hwm"]),
            "trg_hwm_prescale_rate": some(6, "f", mapped["hwm"]),
            "trg_wps_prescale_ratio": one(2, "i"),
            "trg_wps_coincident_sum_threshold": one(3, "f"),
            "trg_wps_sum_threshold": one(4, "f"),
            "trg_wps_prescale_rate": one(5, "f"),
            "trg_wps_ref_flags_hwm": one(12, "q"),
            "trg_wps_ref_flags_ct": one(13, "q"),
            "trg_wps_ref_flags_wps": one(14, "q"),
            "trg_wps_ref_map_idx": some(15, "i"),
            "trg_enabled_write_flags_event": write_flags[0],
            "trg_enabled_write_flags_trigger": write_flags[1],
            "trg_pre_trigger_window_nsec": window(8),
            "trg_post_trigger_window_nsec": window(10),
            "dsp_wps_gains": some(38, "f", mapped["wps"]),
            "dsp_wps_thresholds": some(39, "f", mapped["wps"]),
            "dsp_wps_lowpass": some(40, "f", mapped["wps"]),
            "dsp_wps_shaping_widths": some(41, "i", mapped["wps"]),
            "dsp_wps_margin_front": some(44, "i", mapped["wps"]),
            "dsp_wps_margin_back": some(45, "i", mapped["wps"]),
            "dsp_wps_start_sample": some(46, "i", mapped["wps"]),
            "dsp_wps_stop_sample": some(47, "i", mapped["wps"]),
            "dsp_wps_dsp_max_margin_front": one(42, "i"),
            "dsp_wps_dsp_max_margin_back": one(43, "i"),
            "dsp_wps_apply_gain_scaling": one(33, "i"),
            "dsp_wps_sum_window_size": one(34, "i"),
            "dsp_wps_sum_window_start_sample": one(35, "i"),
            "dsp_wps_sum_window_stop_sample": one(36, "i"),
            "dsp_wps_sub_event_sum_threshold": one(37, "f"),
            "dsp_hwm_fpga_energy_threshold_adc": some(23, "H", mapped["hwm"]),
            "dsp_ct_thresholds": some(28, "H", mapped["ct"]),
        }
        self.fsp_config_seen = True
        self.fsp_config = row
        self.fsp_event, self.fsp_status = {}, {}

    def _take_fsp_event(self, frames: list[bytes]) -> None:
        # Before an FSPConfig the record is skipped (format 9).
        if not self.fsp_config_seen:
            return
        _need(frames, 10)
        flags = frames[0]
        # Single bytes: the padding between them is not zeroed (format 2.2).
        consecutive, extended = flags[0:2]
        hwm, prescaled, wps, coincident, wps_prescaled, ct = flags[8:14]
        (written,) = struct.unpack_from("<I", flags, 16)
        # Old files lack the fourth number.
        hw_multiplicity, max_value, min_value, sw_multiplicity = struct.unpack(
            "<iHHi", frames[3].ljust(12, b"\0")
        )
        wps_values = struct.unpack("<fiifi", frames[4])
        ct_trace_idx = _elements(frames[5], "i", MAX_TRACES)
        prescaled_idx = (
            _elements(frames[10], "H", MAX_TRACES) if len(frames) > 10 else []
        )
        self.fsp_event = {
            "is_written": written != 0,
            "is_consecutive": consecutive != 0,
            "is_extended": extended != 0,
            "is_hwm_multiplicity": hwm != 0,
            "is_hwm_prescaled": prescaled != 0,
            "is_wps_sum": wps != 0,
            "is_wps_coincident_sum": coincident != 0,
            "is_wps_prescaled": wps_prescaled != 0,
            "is_ct_multiplicity": ct != 0,
            "obs_evt_nconsecutive": struct.unpack("<i", frames[2])[0],
            "obs_hwm_hw_multiplicity": hw_multiplicity,
            "obs_hwm_sw_multiplicity": sw_multiplicity,
            "obs_hwm_max_value": max_value,
            "obs_hwm_min_value": min_value,
            "obs_wps_sum_value": wps_values[0],
            "obs_wps_sum_offset": wps_values[1],
            "obs_wps_sum_multiplicity": wps_values[2],
            "obs_wps_max_peak_value": wps_values[3],
            "obs_wps_max_peak_offset": wps_values[4],
            "obs_ct_multiplicity": len(ct_trace_idx),
            "obs_ct_trace_idx": ct_trace_idx,
            "obs_ct_max": _elements(frames[6], "H", MAX_TRACES),
            "obs_ps_hwm_prescaled_trace_idx": prescaled_idx,
        }

    def _take_fsp_status(self, frames: list[bytes]) -> None:
        if not self.fsp_config_seen:
            return
        _need(frames, 1)
        values = struct.unpack("<4d6i7d", frames[0])
        names = (*_FSP_STATUS_TIMES, *_FSP_STATUS_COUNTS, *_FSP_STATUS_RATES)
        self.fsp_status = dict(zip(names, values, strict=True))


def read(data: bytes) -> Reading:
    """Read a well-formed stream: tables, keys of their rows, and keys offered."""
    reader = _Reader()
    try:
        for tag, frames in read_records(data):
            reader.take(tag, frames)
    except struct.error as error:
        raise NotWellFormedError(f"a frame of wrong size: {error}") from error
    return reader.result()


def read_tables(data: bytes) -> dict[str, dict[str, Any]]:
    """Read the output tables of a well-formed stream; see `Reading`."""
    return read(data).tables
