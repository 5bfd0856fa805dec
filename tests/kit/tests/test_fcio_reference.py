"""The reference reader against real files and against the ``fcio`` package.

"Format N" means section N of the FCIO format. Expected values of
real files come from there and from the digests of what legend-daq2lh5 1.7.1 writes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kit.places import TESTDATA
from kit.reference import fcio as reference
from kit.writers import fcio as writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


real_files = pytest.mark.skipif(
    not TESTDATA.is_dir(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory",
)


# --- real files -------------------------------------------------------------------

SPMS = "L200-comm-20211130-phy-spms.fcio"
P06 = "l200-p06-r007-cal-20230725T202227Z.fcio"
P13 = "l200-p13-r007-aph-20250101T003931Z.orca"


def sha256(array: np.ndarray) -> str:
    little_endian = array.astype(array.dtype.newbyteorder("<"))
    return hashlib.sha256(np.ascontiguousarray(little_endian).tobytes()).hexdigest()


def as_dataset(rows: list[Any], part: str) -> np.ndarray:
    """Arrange the rows of a column as the LH5 dataset that holds them."""
    if part == "flattened_data":
        return np.concatenate(rows)
    if part == "cumulative_length":
        return np.cumsum([len(row) for row in rows], dtype="i8")
    array = np.array(rows)
    return array.astype("u1") if array.dtype == bool else array


def differing_columns(
    table: dict[str, list[Any]], digest: dict[str, Any], group: str
) -> list[str]:
    """List the datasets of a group that are not what the table says."""
    differing = []
    for path, wanted in digest.items():
        if wanted["kind"] != "dataset" or not path.startswith(f"{group}/"):
            continue
        column = path.removeprefix(f"{group}/")
        part = column.rpartition("/")[2]
        if part in ("flattened_data", "cumulative_length"):
            column = column.rpartition("/")[0]
        array = as_dataset(table[column], part)
        found = {
            "dtype": array.dtype.str.lstrip("<|"),
            "shape": list(array.shape),
            "sha256": sha256(array),
        }
        if found != {name: wanted[name] for name in found}:
            differing.append(path)
    return differing


def read_digest(name: str) -> dict[str, Any]:
    return json.loads((TESTDATA / "expected" / f"{name}.json").read_text())


@real_files
@pytest.mark.parametrize("name", [SPMS, P06])
def test_real_file_gives_what_the_peer_writes(name):
    tables = reference.read_tables((TESTDATA / "fcio" / name).read_bytes())
    digest = read_digest(name)
    assert differing_columns(tables["FCEvent"], digest, "FCEvent") == []
    assert differing_columns(tables["FCStatus"], digest, "FCStatus") == []


@real_files
@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        (SPMS, [6000, 6, 0, 0, 16, 1, 1, 1, 0, 1, 0], "72632a397704d6a0"),
        (P06, [8192, 123, 0, 0, 16, 1, 1, 1, 0, 22, 50000], "d58d3f14f70af573"),
    ],
)
def test_real_config(name, config, words):
    """Format 8.1."""
    tables = reference.read_tables((TESTDATA / "fcio" / name).read_bytes())
    columns = (
        *("nsamples", "nadcs", "ntriggers", "streamid", "adcbits", "sumlength"),
        *("blprecision", "mastercards", "triggercards", "adccards", "gps"),
    )
    row = tables["FCConfig"]
    assert row["packet_id"] == [0]
    assert [row[column][0] for column in columns] == config
    assert sha256(row["tracemap"][0])[:16] == words


@real_files
@pytest.mark.parametrize(
    ("name", "keys", "sums", "waveforms"),
    [
        (SPMS, (52800, 52805, 6), (2372977, 29986, 14252540562), "2e04a3300b317974"),
        (P06, (104000, 27203, 123), (3728867, 31610, 30708246173), "c0d00ee4b1f92bfd"),
    ],
)
def test_real_rows(name, keys, sums, waveforms):
    """Format 8.2 and 8.3."""
    reading = reference.read((TESTDATA / "fcio" / name).read_bytes())
    rows = reading.tables["FCEvent"]
    found = reading.keys["FCEvent"]
    assert (found[0], found[-1], len(set(found))) == keys
    samples = np.array(rows["waveform/values"])
    assert (
        np.sum(rows["baseline"], dtype="i8"),
        np.sum(rows["daqenergy"], dtype="i8"),
        np.sum(samples, dtype="i8"),
    ) == sums
    assert sha256(samples)[:16] == waveforms


@real_files
def test_real_status():
    """Format 8.3, and the column that the peer leaves unfilled."""
    reading = reference.read((TESTDATA / "fcio" / SPMS).read_bytes())
    rows = reading.tables["FCStatus"]
    assert reading.keys["FCStatus"] == ["fcid_0/status/card0", "fcid_0/status/card8192"]
    assert rows["packet_id"] == [37, 37]
    assert rows["fpga_time"] == [np.float32(1.686743)] * 2
    assert rows["fpga_time_nsec"] == [1686743508, 1686513436]
    assert [list(row) for row in rows["adc_temps"]] == [[], [32875, 29093]]
    assert [len(row) for row in rows["link_states"]] == [12, 24]
    assert rows["n_link_errors"] == [0, 0]


def orca_payloads(data: bytes) -> Iterator[bytes]:
    """Yield the FCIO records in an ORCA file without their padding (format 7)."""
    word = 0
    words = np.frombuffer(data, dtype="<u4")
    while word < len(words):
        # The low 18 bits hold a length, or zero where the next word holds it.
        short_length = int(words[word]) & 0x3FFFF
        length = short_length or int(words[word + 1])
        if not short_length and words[word + 2] == 0x10001:
            payload = data[4 * (word + 3) : 4 * (word + length)]
            yield payload[: _records_end(payload)]
        word += length


def _records_end(payload: bytes) -> int:
    position = 0
    while len(payload) - position >= 4:
        (header,) = struct.unpack_from("<i", payload, position)
        is_handshake = payload[position : position + 4] == b"\xff\x35\x65\xc4"
        position += 68 if is_handshake else 4 + max(header, 0)
    return position


@real_files
def test_real_software_trigger():
    """Format 8.2: as in the ORCA path, whose packets have other numbers."""
    data = b"".join(orca_payloads((TESTDATA / "orca" / P13).read_bytes()))
    reading = reference.read(data)
    tables = reading.tables
    digest = read_digest(P13)

    def fsp_events(part: str) -> dict[str, list[Any]]:
        chosen = [key == f"swtid_1/{part}" for key in reading.keys["FSPEvent"]]
        return {
            column: [
                row for row, is_chosen in zip(rows, chosen, strict=True) if is_chosen
            ]
            for column, rows in tables["FSPEvent"].items()
        }

    fsp_config = {name: [value] for name, value in tables["FSPConfig"].items()}
    fsp_config["packet_id"] = tables["FCConfig"]["packet_id"]
    for table, group in (
        (tables["FCConfig"], "ORFCIOConfig_fcid_1/config"),
        (tables["FCEvent"], "ORFCIOEvent_0"),
        (tables["FCEventHeader"], "ORFCIOEventHeader_fcid_1/evt_hdr"),
        (fsp_events("event"), "ORFCIOEvent_swtid_1/event"),
        (fsp_events("evt_hdr"), "ORFCIOEventHeader_swtid_1/evt_hdr"),
        (fsp_config, "ORFCIOConfig_swtid_1/config"),
    ):
        differing = differing_columns(table, digest, group)
        # In this path labels have 2400 columns (format 6.4).
        labels = [path for path in differing if path.endswith("_label")]
        assert differing == [*labels, f"{group}/packet_id"]
    assert list(tables["FSPConfig"]["dsp_ct_tracemap_label"]) == [b"P", b"B", b"M"]


# --- the fcio package -------------------------------------------------------------

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


@pytest.fixture
def check(tmp_path: Path) -> Callable[[bytes], dict[str, Any]]:
    """Compare both readers of a stream, and return what ours has read."""
    path = tmp_path / "stream.fcio"

    def compare(data: bytes) -> dict[str, Any]:
        path.write_bytes(data)
        tables = reference.read_tables(data)
        assert_same(tables, read_with_fcio(path))
        return tables

    return compare


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "event"},
        {"kind": "sparse"},
        {"kind": "header"},
        {"kind": "mixed"},
        {"kind": "mixed", "fsp": True, "status_every": 4},
        {"kind": "event", "event_type": 11},
        {"kind": "sparse", "event_type": 11, "n_channels": 20},
        {"kind": "header", "event_type": 11, "n_channels": 20},
        {"kind": "mixed", "event_type": 11, "n_channels": 13},
        {"kind": "mixed", "event_type": 3, "tracemap": False},
        {"kind": "mixed", "gps": 50000, "streamid": 0x10002},
        {"kind": "mixed", "triggers": 3, "n_channels": 4},
        {"kind": "mixed", "triggers": 2, "n_channels": 30, "adcbits": 12},
        {"kind": "event", "n_channels": 1, "n_samples": 0},
    ],
    ids=lambda options: " ".join(f"{key}={options[key]}" for key in options),
)
def test_synthetic_run(check, options):
    options = {"n_events": 120, "n_samples": 7, "deadtime": True, **options}
    tables = check(writer.make_stream(**options))
    assert tables["FCEvent"]["packet_id"] or tables["FCEventHeader"]["packet_id"]


# --- one rule at a time -----------------------------------------------------------

N_TRACES, N_SAMPLES = 3, 4
CONFIG = writer.config(
    adcs=N_TRACES, eventsamples=N_SAMPLES, tracemap=(0x1100000, 0x1100003, 0x2100000)
)


def some_traces(n: int = N_TRACES, start: int = 0) -> np.ndarray:
    samples = start + np.arange(n * N_SAMPLES).reshape(n, N_SAMPLES)
    return writer.with_headers(samples, 100 + np.arange(n), 200 + np.arange(n))


def at(ticks: int) -> dict[str, Any]:
    return {"timestamp": (0, *divmod(ticks, 250_000_000), 249_999_999, 0)}


def region(start: int, stop: int, *rest: int) -> dict[str, Any]:
    words = (
        *divmod(start, 250_000_000),
        *divmod(stop, 250_000_000),
        249_999_999,
        *rest,
    )
    return {"deadregion": words}


def stream(*records: bytes, config: bytes = CONFIG) -> bytes:
    return writer.assemble([config, *records])[0]


def test_order_of_traces_is_inherited(check):
    """Format 2.3, trace_list."""
    shuffled = writer.sparse_event((2, 0, 1), some_traces(start=1000))
    tables = check(
        stream(
            shuffled,
            writer.event(some_traces()),
            CONFIG,
            writer.event(some_traces()),
            writer.sparse_event((1,), some_traces(1)),
            writer.event(some_traces()),
        )
    )
    assert tables["FCEvent"]["channel"] == [*(2, 0, 1) * 3, 1, 0, 1, 2]
    assert tables["FCEvent"]["packet_id"][-1] == 6


def test_dead_region_is_carried(check):
    """Format 2.3, size of dr and its words 5 and 6."""
    tables = check(
        stream(
            writer.event_header((0,), ((1, 2),), **at(500), **region(100, 200)),
            writer.sparse_event(
                (1,), some_traces(1), event_type=11, **at(1000), **region(50, 90, 1, 1)
            ),
            writer.sparse_event(
                (0,), some_traces(1), event_type=11, **at(2000), **region(95, 99, 0)
            ),
            writer.sparse_event(
                (0,), some_traces(1), event_type=11, **at(3000), **region(100, 200)
            ),
        )
    )
    assert tables["FCEventHeader"]["deadinterval_nsec"] == [[0]]
    rows = tables["FCEvent"]
    assert rows["deadinterval_nsec"] == [160, 16, 400]
    assert list(zip(rows["dr_ch_idx"], rows["dr_ch_len"], strict=True)) == [
        *((1, 1), (0, N_TRACES), (0, N_TRACES))
    ]


def test_full_event_affects_all_traces(check):
    """Format 2.3: whatever the frame says."""
    tables = check(
        stream(
            writer.event(some_traces(), **at(1000), **region(100, 200, 1, 1)),
            writer.event(some_traces(), **at(2000), **region(300, 450)),
        )
    )
    assert tables["FCEvent"]["dr_ch_len"] == [N_TRACES] * 6
    assert tables["FCEvent"]["deadtime"] == [4e-7] * 3 + [1e-6] * 3


def test_absent_dead_region(tmp_path):
    """Format 9. The package hides the integers that it keeps, hence no `check`."""
    data = stream(
        writer.sparse_event((0,), some_traces(1), **region(100, 200, 0, N_TRACES)),
        writer.event(some_traces(), deadregion=None),
        writer.event(some_traces(), deadregion=()),
    )
    rows = reference.read_tables(data)["FCEvent"]
    assert rows["dr_start_ticks"] == [100] * 7
    assert rows["dr_stop_ticks"] == [200] * 7
    assert rows["dr_ch_len"] == [N_TRACES] * 7
    path = tmp_path / "stream.fcio"
    path.write_bytes(data)
    others = read_with_fcio(path)["FCEvent"]
    for column in ("deadtime", "lifetime", "deadinterval_nsec", "waveform/values"):
        np.testing.assert_array_equal(rows[column], others[column])


def test_two_dead_intervals_due_at_once(check):
    """Format 4.4: both count, the last one is shown."""
    tables = check(
        stream(
            writer.event(some_traces(), **at(1000), **region(1100, 1200)),
            writer.event(some_traces(), **at(1150), **region(1250, 1300)),
            writer.event(some_traces(), **at(1400), **region(1250, 1300)),
        )
    )
    rows = tables["FCEvent"]
    assert rows["deadinterval_nsec"] == [0] * 6 + [200] * 3
    assert rows["deadtime"] == [0] * 6 + [6e-7] * 3


def test_interval_that_ends_no_later_is_ignored(check):
    """Format 4.4: an interval counts if it ends after the newest one so far."""
    tables = check(
        stream(
            writer.event(some_traces(), **at(1000), **region(100, 200)),
            writer.event(some_traces(), **at(2000), **region(100, 200)),
            writer.event(some_traces(), **at(3000), **region(120, 190)),
        )
    )
    assert tables["FCEvent"]["deadtime"] == [4e-7] * 9


def test_interval_is_due_up_to_three_ns_early(check):
    """Format 4.4: an event one tick before the end is too early."""
    tables = check(
        stream(
            writer.event(some_traces(), **at(1199), **region(1100, 1200)),
            writer.event(some_traces(), **at(1200), **region(1100, 1200)),
        )
    )
    assert tables["FCEvent"]["deadinterval_nsec"] == [0] * 3 + [400] * 3


def test_one_interval_holds_for_all_traces(check):
    """Format 4.4: a block of one trace, and not type 11."""
    sparse = writer.sparse_event(
        (0, 2), some_traces(2), **at(1000), **region(100, 200, 1, 1)
    )
    tables = check(stream(sparse))
    assert tables["FCEvent"]["deadinterval_nsec"] == [400, 400]


def test_block_that_is_not_all_traces():
    """Format 4.4: where the package fails, the block's traces get the interval."""
    sparse = writer.sparse_event(
        (0, 1, 2), some_traces(), **at(1000), **region(100, 200, 1, 2)
    )
    beyond = writer.sparse_event(
        (0, 1, 2), some_traces(), **at(2000), **region(300, 350, 2, 9)
    )
    rows = reference.read_tables(stream(sparse, beyond))["FCEvent"]
    assert rows["deadinterval_nsec"] == [0, 400, 400, 0, 0, 200]


@pytest.mark.parametrize(
    ("blprecision", "sumlength", "word0", "word1", "energy"),
    [
        *((16, 128, 160, 176, 128), (16, 128, 165, 160, 65496)),
        *((16, 128, 1000, 65535, 57528), (16, 4, 165, 160, 16382)),
        *((3, 7, 160, 176, 37), (3, 7, 165, 160, 21833)),
    ],
)
def test_energy_of_12_bits(check, blprecision, sumlength, word0, word1, energy):
    """Format 4.3."""
    config = writer.config(
        adcs=1,
        eventsamples=0,
        adcbits=12,
        blprecision=blprecision,
        sumlength=sumlength,
        tracemap=(0x100000,),
    )
    tables = check(stream(writer.event((word0, word1)), config=config))
    assert tables["FCEvent"]["daqenergy"] == [energy]
    assert tables["FCEvent"]["baseline"] == [word0 // blprecision]


def test_more_than_ten_integers(check):
    """Format 9."""
    many = tuple(range(1, 13))
    sparse = writer.sparse_event(
        (0,),
        some_traces(1),
        timeoffset=many,
        timestamp=(7, 0, 1000, 9, *many),
        deadregion=(0, 100, 0, 200, 5, 0, N_TRACES, *many),
    )
    tables = check(stream(sparse))
    assert tables["FCEvent"]["to_start_usec"] == [7]


@pytest.mark.parametrize("num_traces", [1, 2, 5])
def test_number_of_traces_and_length_of_list(check, num_traces):
    """Format 9: the smaller one holds."""
    sparse = writer.sparse_event((2, 0), some_traces(2), num_traces=num_traces)
    tables = check(stream(sparse))
    assert tables["FCEvent"]["channel"] == [2, 0][:num_traces]


def test_short_frames_keep_the_rest(check):
    """Format 1.2."""
    full = writer.event(
        some_traces(),
        event_type=2,
        timeoffset=range(10, 20),
        timestamp=range(20, 30),
        deadregion=range(30, 40),
    )
    short = writer.event(
        some_traces(), event_type=(), timeoffset=(5, 6), timestamp=(7,), deadregion=(8,)
    )
    tables = reference.read_tables(stream(full, short))
    last = {column: values[-1] for column, values in tables["FCEvent"].items()}
    assert last["event_type"] == 2
    assert [last[column] for column in OFFSET_COLUMNS] == [5, 6, 12, 13, 14, 15, 16]
    assert [last[column] for column in STAMP_COLUMNS] == [7, 21, 22, 23]
    assert [last[column] for column in REGION_COLUMNS] == [8, 31, 32, 33, 34, 0, 3]


def test_later_config_keeps_what_it_lacks():
    """Format 2.3."""
    shorter = writer.config(
        adcs=1, eventsamples=2, gps=9, tracemap=(0x1230004,), drop_frames=1
    )
    reading = reference.read(stream(shorter, config=writer.config(streamid=7)))
    rows = reading.tables["FCConfig"]
    assert rows["streamid"] == [7, 7]
    assert rows["packet_id"] == [0, 1]
    assert [list(words) for words in rows["tracemap"]][1] == [0x1230004]
    assert 7_027_200 in reading.offered
    assert reading.keys["FCConfig"] == ["fcid_7/config"] * 2


def test_rows_of_keys_not_offered():
    """Format 5: this reader has the first configuration's channels, and all cards."""
    other = writer.config(adcs=1, eventsamples=N_SAMPLES, tracemap=(0x7770001,))
    sub_master = writer.status([writer.StatusCard(reqid=0x4000)])
    tables = reference.read_tables(
        stream(other, writer.event(some_traces(1)), sub_master)
    )
    assert tables["FCEvent"]["packet_id"] == []
    assert tables["FCStatus"]["id"] == [0x4000]


def test_records_without_rows_count():
    """Format 1.1 and 5: unknown tags count, stray frames and handshakes do not."""
    data = writer.handshake() + b"".join(
        (
            writer.frame(b"stray"),
            writer.event(some_traces()),
            CONFIG,
            writer.record(77, b"unknown"),
            writer.calib(),
            writer.rec_event(),
            writer.handshake(b"FlashCamV1.2"),
            writer.frame(b"stray"),
            writer.event(some_traces()),
            b"\xfd\xff\xff",
        )
    )
    assert reference.read_tables(data)["FCEvent"]["packet_id"] == [4, 4, 4]


def test_software_trigger_rows_need_their_record():
    """Format 6.5, and old files of format 2.2."""
    old = writer.fsp_event(
        processor_flags=bytes(24),
        hwm_sw_multiplicity=None,
        hwm_prescaled_trace_idx=None,
    )
    records = [
        *(writer.fsp_event(), writer.fsp_config(), CONFIG),
        *(writer.event(some_traces()), old, writer.event_header((0,), ((1, 2),))),
        *(writer.fsp_status(n_read_events=2), writer.status(), writer.status()),
        *(old, writer.status(), writer.event(some_traces())),
    ]
    reading = reference.read(writer.assemble(records)[0])
    rows = reading.tables["FSPEvent"]
    assert reading.keys["FSPEvent"] == ["swtid_1/evt_hdr"]
    assert rows["packet_id"] == [2]
    assert rows["obs_hwm_sw_multiplicity"] == [0]
    assert list(rows["obs_ps_hwm_prescaled_trace_idx"][0]) == []
    assert reading.tables["FSPStatus"]["packet_id"] == [3]
    assert reading.tables["FSPStatus"]["n_read_events"] == [2]
    assert reading.tables["FSPConfig"]["trg_post_trigger_window_nsec"] == 1_000_250_000


FLAGS = [name for name in reference.FSPEVENT if name.startswith("is_")]


def test_every_field_of_the_software_trigger(check):
    """Format 2.2: no two fields have the same value."""
    records = [writer.fsp_config(), CONFIG]
    for number, flag in enumerate(FLAGS):
        flags = {**dict.fromkeys(FLAGS, False), flag: True}
        records += (
            writer.fsp_event(
                write_flags=writer.fsp_write_flags(**flags, junk=b"\xff" * 6),
                nconsecutive=number,
                hwm_hw_multiplicity=1,
                hwm_max_value=60_000,
                hwm_min_value=2,
                hwm_sw_multiplicity=3,
                wps_sum_value=4.5,
                wps_sum_offset=5,
                wps_sum_multiplicity=6,
                wps_max_peak_value=7.5,
                wps_max_peak_offset=-8,
                ct_trace_idx=(2, 0),
                ct_max=(9, 65_535),
                hwm_prescaled_trace_idx=(0, 1, 2),
            ),
            writer.event(some_traces()),
        )
    names = [name for name in reference.FSPSTATUS if name != "packet_id"]
    values = {name: number + 1 for number, name in enumerate(names)}
    records += (writer.fsp_status(**values), writer.status())
    tables = check(writer.assemble(records)[0])
    events = tables["FSPEvent"]
    for number, flag in enumerate(FLAGS):
        assert np.flatnonzero(events[flag]).tolist() == [number]
    assert [tables["FSPStatus"][name][0] for name in names] == [*values.values()]


def test_every_field_of_a_card(check):
    """Format 2.1: no two fields have the same value, and counts exceed arrays."""
    card = writer.StatusCard(
        *(0x2000, 2, 3, 5, 6, 7),
        numenv=16,
        numctilinks=4,
        numlinks=256,
        totalerrors=8,
        enverrors=9,
        ctierrors=10,
        linkerrors=11,
        othererrors=range(20, 25),
        environment=range(-30, -14),
        ctilinks=range(40, 44),
        linkstates=range(50, 306),
    )
    statustime = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    tables = check(stream(writer.status([card], status=0, statustime=statustime)))
    assert tables["FCStatus"]["fpga_time_nsec"] == [(5 * 10**9 + 24) % 2**32]
    too_many = dataclasses.replace(card, numenv=17, numctilinks=5, numlinks=257)
    rows = reference.read_tables(
        stream(
            writer.status([too_many], statustime=statustime[:5]),
            writer.status([too_many.pack()[:100]], size=100, statustime=()),
        )
    )["FCStatus"]
    assert rows["fpga_start_time"] == [0, 0]
    assert [len(row) for row in rows["link_states"]] == [256, 256]
    assert [len(row) for row in rows["cti_links"]] == [4, 4]
    assert [row.tolist() for row in rows["adc_temps"]] == [[-17, -16, -15], [0] * 3]
    assert rows["mb_voltages"][1].tolist() == [-25, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x35\x65",
        writer.handshake(b"FlashCamV2"),
        stream()[:-2],
        stream(struct.pack("<i", -(2**31))),
        stream(writer.handshake(b"other")),
        stream(writer.event(some_traces()[:2])),
        stream(writer.event(some_traces(), drop_frames=2)),
        stream(writer.event(some_traces(), timestamp=b"odd")),
        stream(writer.sparse_event((3,), some_traces(1))),
        stream(writer.sparse_event((0, 1), some_traces(1))),
        stream(writer.sparse_event((0,), some_traces(1), num_traces=-1)),
        stream(writer.event_header((0, 3), some_traces(2)[:, :2])),
        stream(writer.status(num_cards=257)),
        stream(config=writer.config(triggers=2400)),
        stream(config=writer.config(eventsamples=32769)),
        stream(config=writer.config(adcs=2400, eventsamples=32768)),
        stream(config=writer.config(blprecision=0)),
        stream(config=writer.fsp_config(drop_frames=1)),
    ],
)
def test_damage_is_refused(data):
    with pytest.raises(reference.NotWellFormedError):
        reference.read(data)


# --- the writer -------------------------------------------------------------------


def test_index_tells_where_records_are():
    options: dict[str, Any] = {
        "n_samples": 9,
        "kind": "mixed",
        "fsp": True,
        "status_every": 3,
    }
    data, index = writer.assemble(writer.Stream(12, **options).records())
    assert data == writer.make_stream(12, **options)
    end = len(writer.handshake())
    for (offset, length, tag), (read_tag, frames) in zip(
        index, reference.read_records(data), strict=True
    ):
        assert (offset, tag) == (end, read_tag)
        assert writer.record(tag, *frames) == data[offset : offset + length]
        end += length
    assert end == len(data)


def test_repeated_events_go_on_in_time(tmp_path):
    path = tmp_path / "stream.fcio"
    index = writer.write_stream(path, 5, repeat=8, n_samples=3, kind="sparse")
    assert len(index) == 1 + 5 * 8
    rows = reference.read_tables(path.read_bytes())["FCEvent"]
    times = np.array(rows["timestamp"])[np.flatnonzero(np.diff(rows["packet_id"]))]
    assert np.all(np.diff(times) > 0)
    assert len(set(rows["ts_pps"])) > 1
    assert max(rows["eventnumber"]) == 39
