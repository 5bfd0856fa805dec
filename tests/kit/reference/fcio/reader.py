"""What records mean, and the rows that they give (FCIO format, 2 to 6)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

from kit.reference.fcio.columns import (
    EVENT_BY_TRACE,
    FSP_STATUS_COUNTS,
    FSP_STATUS_RATES,
    FSP_STATUS_TIMES,
    FSPCONFIG,
    TABLES,
    as_declared,
)
from kit.reference.fcio.dead_time import SECOND, TICK, DeadTimeTracker
from kit.reference.fcio.framing import (
    NotWellFormedError,
    elements,
    need,
    overwrite,
    read_records,
)

MAX_TRACES = 2400
MAX_SAMPLES = 32768
MAX_BUFFER = 22_021_440
"""Words in the trace buffer (format 1.4)."""

MAX_CARDS = 256


HELD_INTEGERS = 10
"""Integers kept of timeoffset, timestamp and deadregion (format 1.4)."""


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
            integers[i] = (elements(frame, "i", 1) or [integers[i]])[0]
        tracemap, streamid = previous.tracemap, previous.streamid
        if len(frames) > 10:
            tracemap = overwrite(tracemap, elements(frames[10], "I", MAX_TRACES))
        if len(frames) > 11:
            streamid = (elements(frames[11], "i", 1) or [streamid])[0]
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


class Reader:
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
            self.take_config(frames)
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
                column: [as_declared(row[column], dtype) for row in self.rows[name]]
                for column, dtype in columns.items()
            }
            for name, columns in TABLES.items()
            if name != "FSPConfig"
        }
        tables["FSPConfig"] = {
            column: as_declared(value, FSPCONFIG[column])
            for row in self.rows["FSPConfig"]
            for column, value in row.items()
        }
        return Reading(tables, self.keys, self.offered)

    def add_row(self, table: str, key: int | str, row: dict[str, Any]) -> None:
        assert row.keys() == TABLES[table].keys()
        if key in self.offered or table == "FCStatus":
            self.rows[table].append(row)
            self.keys[table].append(key)

    # Config

    def take_config(self, frames: list[bytes]) -> None:
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
                self.add_row("FSPConfig", key, self.fsp_config)
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
        need(frames, 4)
        self.event_type = (elements(frames[0], "i", 1) or [self.event_type])[0]
        self.timeoffset = overwrite(
            self.timeoffset, elements(frames[2], "i", HELD_INTEGERS)
        )
        self.timestamp = overwrite(
            self.timestamp, elements(frames[3], "i", HELD_INTEGERS)
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
                **{name: [t[name] for t in by_trace] for name in EVENT_BY_TRACE},
                "tracelist": listed,
            }
            self.add_row("FCEventHeader", f"fcid_{config.fcid}/evt_hdr", row)
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
                self.add_row("FCEvent", config.channel_key(i), row)
        if self.previous_tag == 9 and self.fsp_event:
            part = "evt_hdr" if tag == 7 else "event"
            row = {"packet_id": self.packet_id, **self.fsp_event}
            self.add_row("FSPEvent", f"swtid_{config.fcid}/{part}", row)

    def _take_full(self, frames: list[bytes], config: Config) -> None:
        need(frames, 5)
        length = config.trace_length
        words = elements(frames[4], "H", config.n_traces * length)
        if len(words) < config.n_traces * length:
            raise NotWellFormedError("too few samples in an event")
        for i in range(config.n_traces):
            self.traces[i] = words[i * length : (i + 1) * length]
        self._take_deadregion(frames[5] if len(frames) > 5 else None)
        # Whatever the file says: all traces are affected (format 2.3).
        self.deadregion[5:7] = 0, config.n_traces
        if self.num_traces != config.n_traces:
            self.num_traces = config.n_traces
            self.trace_list = overwrite(self.trace_list, list(range(self.num_traces)))

    def _take_sparse(self, frames: list[bytes], config: Config) -> None:
        need(frames, 7)
        self._take_deadregion(frames[4])
        num_traces = (elements(frames[5], "i", 1) or [self.num_traces])[0]
        if not 0 <= num_traces <= MAX_TRACES:
            raise NotWellFormedError(f"{num_traces} traces in an event")
        self._take_trace_list(frames[6], num_traces, config)
        need(frames, 7 + self.num_traces)
        listed = self.trace_list[: self.num_traces]
        for i, frame in zip(listed, frames[7 : 7 + len(listed)], strict=True):
            words = elements(frame, "H", config.trace_length)
            if len(words) < config.trace_length:
                raise NotWellFormedError("too few samples in a trace")
            self.traces[i] = words

    def _take_header(self, frames: list[bytes], config: Config) -> None:
        need(frames, 7)
        self._take_deadregion(frames[4])
        words = elements(frames[6], "H", 2 * MAX_TRACES)
        self._take_trace_list(frames[5], len(words) // 2, config)
        for k, i in enumerate(self.trace_list[: self.num_traces]):
            self.traces[i] = words[2 * k : 2 * k + 2]

    def _take_deadregion(self, frame: bytes | None) -> None:
        if frame is None:
            self.deadregion_size = -1
            return
        held = elements(frame, "i", HELD_INTEGERS)
        self.deadregion_size = len(held)
        self.deadregion = overwrite(self.deadregion, held)

    def _take_trace_list(self, frame: bytes, at_most: int, config: Config) -> None:
        listed = elements(frame, "H", MAX_TRACES)
        self.num_traces = min(at_most, len(listed))
        if any(i >= config.n_traces for i in listed[: self.num_traces]):
            raise NotWellFormedError("an event lists a trace that the stream lacks")
        self.trace_list = overwrite(self.trace_list, listed)

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
        need(frames, 4)
        self.status = overwrite(self.status, elements(frames[0], "i", 1))
        self.statustime = overwrite(
            self.statustime, elements(frames[1], "i", HELD_INTEGERS)
        )
        n_cards = (elements(frames[2], "i", 1) or [0])[0]
        size = (elements(frames[3], "i", 1) or [0])[0]
        if not 0 <= n_cards <= MAX_CARDS or size < 0:
            raise NotWellFormedError(f"{n_cards} cards of {size} bytes")
        need(frames, 4 + n_cards)
        # also of cards that the configuration lacks
        for block in frames[4 : 4 + n_cards]:
            self._take_card(block[:size], config)
        if self.previous_tag == 10 and self.fsp_status:
            row = {"packet_id": self.packet_id, **self.fsp_status}
            self.add_row("FSPStatus", f"swtid_{config.fcid}/status", row)

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
        self.add_row("FCStatus", config.status_key(reqid), row)

    # software trigger

    def _take_fsp_config(self, frames: list[bytes]) -> None:
        # What libfsp puts in place of missing frames is not described.
        need(frames, 48)

        def one(number: int, code: str) -> Any:
            return struct.unpack(f"<{code}", frames[number])[0]

        def some(number: int, code: str, n: int = MAX_TRACES) -> list[Any]:
            return elements(frames[number], code, MAX_TRACES)[:n]

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
        need(frames, 10)
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
        ct_trace_idx = elements(frames[5], "i", MAX_TRACES)
        prescaled_idx = (
            elements(frames[10], "H", MAX_TRACES) if len(frames) > 10 else []
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
            "obs_ct_max": elements(frames[6], "H", MAX_TRACES),
            "obs_ps_hwm_prescaled_trace_idx": prescaled_idx,
        }

    def _take_fsp_status(self, frames: list[bytes]) -> None:
        if not self.fsp_config_seen:
            return
        need(frames, 1)
        values = struct.unpack("<4d6i7d", frames[0])
        names = (*FSP_STATUS_TIMES, *FSP_STATUS_COUNTS, *FSP_STATUS_RATES)
        self.fsp_status = dict(zip(names, values, strict=True))


def read(data: bytes) -> Reading:
    """Read a well-formed stream: tables, keys of their rows, and keys offered."""
    reader = Reader()
    try:
        for tag, frames in read_records(data):
            reader.take(tag, frames)
    except struct.error as error:
        raise NotWellFormedError(f"a frame of wrong size: {error}") from error
    return reader.result()


def read_tables(data: bytes) -> dict[str, dict[str, Any]]:
    """Read the output tables of a well-formed stream; see `Reading`."""
    return read(data).tables
