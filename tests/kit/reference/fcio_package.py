"""The package ``fcio`` as another reader of FCIO streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit.reference import fcio as reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


OFFSET_COLUMNS = (
    *("mu_offset_sec", "mu_offset_usec", "to_master_sec", "delta_mu_usec"),
    *("abs_delta_mu_usec", "to_start_sec", "to_start_usec"),
)
STAMP_COLUMNS = ("eventnumber", "ts_pps", "ts_ticks", "ts_maxticks")
REGION_COLUMNS = (
    *("dr_start_pps", "dr_start_ticks", "dr_stop_pps", "dr_stop_ticks"),
    *("dr_maxticks", "dr_ch_idx", "dr_ch_len"),
)
FSP_EVENT_NAMES = {
    **{name: name for name in reference.FSPEVENT if name != "packet_id"},
    "obs_wps_max_peak_value": "obs_wps_max_single_peak_value",
    "obs_wps_max_peak_offset": "obs_wps_max_single_peak_offset",
}
CARD_NAMES = {
    "id": "reqid",
    "eventnumber": "eventno",
    "n_total_errors": "totalerrors",
    "n_environment_errors": "enverrors",
    "n_cti_errors": "ctierrors",
    "n_link_errors": "linkerrors",
    "n_other_errors": "othererrors",
    "mb_temps": "mainboard_temperatures_mC",
    "mb_voltages": "mainboard_voltages_mV",
    "mb_current": "mainboard_current_mA",
    "mb_humidity": "mainboard_humiditiy_permille",
    "adc_temps": "daughterboard_temperatures_mC",
    "cti_links": "ctilinks",
    "link_states": "linkstates",
}


class Collected(dict[str, dict[str, list[Any]]]):
    """Rows by table and column."""

    def add(self, table: str, **row: Any) -> None:
        for column, value in row.items():
            self.setdefault(table, {}).setdefault(column, []).append(value)


def _event_rows(record: Any, is_header: bool) -> Iterator[dict[str, Any]]:
    event, config = record.event, record.config
    common = {
        "fcid": config.streamid & 0xFFFF,
        "event_type": event.type,
        "numtraces": event.num_traces,
        "timestamp": event.unix_time_utc_sec,
        **dict(zip(OFFSET_COLUMNS, event.timeoffset, strict=False)),
        **dict(zip(STAMP_COLUMNS, event.timestamp, strict=False)),
        **dict(zip(REGION_COLUMNS, event.deadregion, strict=False)),
    }
    if event.deadregion_size < 7:
        common |= {"dr_ch_idx": 0, "dr_ch_len": config.adcs}
    energy = np.trunc(event.fpga_energy.astype("f8")) % 2**16
    by_trace = {
        "board_id": event.card_address,
        "fc_input": event.card_channel,
        "runtime": event.run_time_sec,
        "lifetime": event.life_time_sec,
        "deadtime": event.dead_time_sec,
        "deadinterval_nsec": event.dead_interval_nsec,
        "baseline": np.trunc(event.fpga_baseline),
        "daqenergy": energy,
        "tracelist" if is_header else "channel": event.trace_list,
    }
    if is_header:
        yield {**common, **{name: list(value) for name, value in by_trace.items()}}
        return
    for i in range(event.num_traces):
        yield {
            **common,
            **{name: value[i] for name, value in by_trace.items()},
            "waveform/values": event.trace[i].copy(),
            "waveform/t0": 0,
            "waveform/dt": config.sampling_period_ns,
        }


def _card_rows(record: Any) -> Iterator[dict[str, Any]]:
    status = record.status
    for card in status.data[: status.cards]:
        yield {
            "status": status.status != 0,
            "fpga_time": np.float32(status.fpga_time_sec),
            "server_time": status.unix_time_utc_sec,
            "fpga_start_time": status.fpga_start_time_sec,
            "fpga_time_nsec": card.fpga_time_nsec % 2**32,
            **{column: np.copy(getattr(card, of)) for column, of in CARD_NAMES.items()},
        }


def read_with_fcio(path: Path) -> Collected:
    """Read a file with the fcio package into the tables that it has columns for."""
    fcio = pytest.importorskip("fcio")
    tags = fcio.Tags
    rows = Collected()
    packet_id = 0
    previous = None
    record = fcio.fcio_open(str(path), extended=True)
    while record.get_record():
        tag = record.tag
        if tag not in (tags.FSPConfig, tags.FSPEvent, tags.FSPStatus):
            packet_id += 1
        if tag in (tags.Event, tags.SparseEvent, tags.EventHeader):
            is_header = tag == tags.EventHeader
            table = "FCEventHeader" if is_header else "FCEvent"
            for row in _event_rows(record, is_header):
                rows.add(table, packet_id=packet_id, **row)
            if previous == tags.FSPEvent:
                event = record.fsp.event
                values = {
                    column: np.copy(getattr(event, of))
                    for column, of in FSP_EVENT_NAMES.items()
                }
                rows.add("FSPEvent", packet_id=packet_id, **values)
        elif tag == tags.Status:
            for row in _card_rows(record):
                rows.add("FCStatus", packet_id=packet_id, **row)
            if previous == tags.FSPStatus:
                names = [name for name in reference.FSPSTATUS if name != "packet_id"]
                values = {name: getattr(record.fsp.status, name) for name in names}
                rows.add("FSPStatus", packet_id=packet_id, **values)
        previous = tag
    record.close()
    return rows


def assert_same(tables: dict[str, Any], others: Collected) -> None:
    for name, columns in tables.items():
        if name in ("FCConfig", "FSPConfig"):
            continue
        other = others.get(name, {})
        n_rows = len(columns["packet_id"])
        assert n_rows == len(other.get("packet_id", [])), name
        if n_rows:
            assert columns.keys() == other.keys(), name
        for column, values in other.items():
            for ours, theirs in zip(columns[column], values, strict=True):
                np.testing.assert_array_equal(ours, theirs, f"{name}/{column}")
