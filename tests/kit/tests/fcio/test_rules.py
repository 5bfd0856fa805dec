"""The reference reader of FCIO streams, beside the package ``fcio`` and rule by rule.

"Format N" means section N of the FCIO format.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kit.reference import fcio as reference
from kit.reference.fcio_package import (
    OFFSET_COLUMNS,
    REGION_COLUMNS,
    STAMP_COLUMNS,
    assert_same,
    read_with_fcio,
)
from kit.writers import fcio as writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
