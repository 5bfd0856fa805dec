"""Structures that a file can make many of: time and memory go with its length."""

from __future__ import annotations

import time

import numpy as np
import pytest
from kit.writers import fcio, llama, orca

from daq2lh5 import build_raw
from daq2lh5.selection.overflow_tables import MAX_OVERFLOW, TOO_MANY_LENGTHS

TRACES = 6


def records(n, *, samples=(10,), n_traces=TRACES, streams=False):
    """Yield `n` configurations with trace maps of their own, with an event each."""
    for i in range(n):
        first = 0 if streams else i * n_traces
        inputs = range(first, first + n_traces)
        trace_map = [(0x110 + j // 16) << 16 | j % 16 for j in inputs]
        length = samples[i % len(samples)]
        yield fcio.config(
            adcs=n_traces,
            eventsamples=length,
            tracemap=trace_map,
            streamid=i + 1 if streams else 1,
        )
        yield fcio.event(fcio.with_headers(np.zeros((n_traces, length)), 0, 0))


def in_fcio(n, **kwargs):
    return fcio.assemble(records(n, **kwargs))[0]


def in_orca(n, **kwargs):
    header = orca.header(decoders=orca.SECOND_GENERATION)
    return b"".join(
        [orca.header_packet(header), *orca.fcio_packets(records(n, **kwargs))]
    )


def orca_headers(n):
    parts = []
    for i in range(n):
        cards = [orca.sis3302_card(3 + i % 17)]
        header = orca.header(
            crates=[orca.crate(0, cards)],
            run_number=1000 + i,
            decoders=["ORSIS3302DecoderForEnergy", "ORRunDecoderForRun"],
        )
        parts += [
            orca.header_packet(header),
            orca.run(number=1000 + i),
            orca.sis3302(np.arange(16), card=3 + i % 17),
        ]
    return b"".join(parts)


def llama_headers(n):
    parts = []
    for i in range(n):
        channels = [llama.Channel(adc_offset=i)]
        parts.append(llama.make_file(channels, 2, seed=i)[0])
    return b"".join(parts)


def convert(tmp_path, data):
    """Return the report of a conversion, and the processor time that it took."""
    path = tmp_path / "in"
    path.write_bytes(data)
    start = time.process_time()
    report = build_raw(path, out_spec=tmp_path / "o.lh5", overwrite=True, threads=1)
    return report, time.process_time() - start


@pytest.mark.parametrize(
    ("make", "few", "rows"),
    [
        pytest.param(in_fcio, 500, TRACES + 1, id="FCIO"),
        pytest.param(
            lambda n: in_fcio(n, streams=True), 500, TRACES + 1, id="FCIO streams"
        ),
        pytest.param(
            lambda n: in_fcio(n, samples=(10, 12)), 500, TRACES + 1, id="FCIO lengths"
        ),
        pytest.param(in_orca, 250, TRACES + 1, id="FCIO in ORCA"),
        pytest.param(orca_headers, 60, 2, id="ORCA headers"),
        pytest.param(llama_headers, 250, 2, id="llama headers"),
    ],
)
def test_time_goes_with_the_length(tmp_path, make, few, rows):
    """Eight times the length takes less than 24 times as long: 64 were quadratic."""
    convert(tmp_path, make(5))
    _, short = convert(tmp_path, make(few))
    report, long = convert(tmp_path, make(8 * few))
    assert long < 24 * max(short, 0.2)
    assert 0 <= report.n_rows - 8 * few * rows <= MAX_OVERFLOW + 1
    assert report.bytes["decoded"] == report.n_bytes


@pytest.mark.parametrize("make", [in_fcio, in_orca])
def test_channels_that_are_not_selected(tmp_path, make):
    """They are counted, each, in a time that goes with their number."""
    name = "FCEventDecoder" if make is in_fcio else "ORFCIOEventDecoder"
    spec = {
        name: {"a": {"key_list": ["1027204*"], "out_stream": str(tmp_path / "o.lh5")}}
    }
    seconds = []
    for n in (200, 1600):
        path = tmp_path / f"{n}"
        path.write_bytes(make(n, samples=(10, 12)))
        start = time.process_time()
        report = build_raw(path, out_spec=spec, overwrite=True, threads=1)
        seconds.append(time.process_time() - start)
        counts = report.skipped_channels[name]
        assert len(counts) == sum(counts.values()) == n * TRACES - 1
    assert seconds[1] < 24 * max(seconds[0], 0.2)


@pytest.mark.parametrize("make", [in_fcio, in_orca])
def test_all_rows_of_all_configurations_are_there(tmp_path, make):
    report, _ = convert(tmp_path, make(300, samples=(10, 14, 22)))
    assert report.exit_status == 0
    assert not report.bytes["skipped"]
    events = sum(
        table.rows
        for name, table in report.tables[str(tmp_path / "o.lh5")].items()
        if "Event" in name and "Header" not in name
    )
    assert events == 300 * TRACES


def test_lengths_that_there_are_no_tables_for_are_not_called_skipped(tmp_path):
    """Under trace maps that change, too: traces count by the map they came with."""
    n = 3 * MAX_OVERFLOW
    report, _ = convert(tmp_path, in_fcio(n, samples=range(10, 10 + n)))
    lost = n - MAX_OVERFLOW - 1
    assert report.irregular == {TOO_MANY_LENGTHS: lost * TRACES}
    assert report.packets["unknown"] == lost
    assert not report.packets["skipped"]
    assert not report.skipped_channels
    assert report.exit_status == 3


def test_a_packet_of_more_rows_than_announced_waits_for_room(tmp_path):
    """Of a listener that the header does not have: a full table is handed out first."""
    n = 1400
    config, event = records(1)
    packets = orca.fcio_packets([config, *[event] * n])
    header = orca.header_packet(orca.header(decoders=orca.SECOND_GENERATION))
    report, _ = convert(tmp_path, b"".join([header, *packets]))
    assert report.n_rows == 2 + n * TRACES
    assert report.exit_status == 0


def test_so_it_does_where_traces_become_more(tmp_path):
    few, event = records(1)
    more, larger = records(1, n_traces=TRACES + 5)
    data = fcio.assemble([few, *[event] * 10, more, *[larger] * 1600])[0]
    report, _ = convert(tmp_path, data)
    assert report.n_rows == 2 + 10 * TRACES + 1600 * (TRACES + 5)
    assert report.exit_status == 0


def test_llama_headers_beyond_the_limit_are_told(tmp_path):
    n = MAX_OVERFLOW + 20
    report, _ = convert(tmp_path, llama_headers(n))
    tables = report.tables[str(tmp_path / "o.lh5")]
    assert sum(name.startswith("LLAMAHeader") for name in tables) == MAX_OVERFLOW
    assert (
        report.irregular["header not written: too many different ones"]
        == n - MAX_OVERFLOW
    )
    assert report.exit_status == 3
    assert sum(t.rows for name, t in tables.items() if "Event" in name) == 2 * n


@pytest.mark.parametrize("make", [in_fcio, in_orca])
def test_tables_by_channel_have_a_limit(tmp_path, monkeypatch, make):
    """What has no table is neither decoded nor "not selected"."""
    monkeypatch.setattr("daq2lh5.selection.selection.MAX_TABLES", 20)
    name = "FCEventDecoder" if make is in_fcio else "ORFCIOEventDecoder"
    out = str(tmp_path / "o.lh5")
    spec = {name: {"ch{key}": {"key_list": ["*"], "out_stream": out}}}
    path = tmp_path / "in"
    path.write_bytes(make(50))
    report = build_raw(path, out_spec=spec)
    assert len(report.tables[out]) <= 20 + TRACES
    assert any("more than 20 new tables" in note for note in report.notes)
    assert report.exit_status == 3
    assert not report.skipped_channels


def test_tables_by_listener_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("daq2lh5.selection.selection.MAX_TABLES", 20)
    streams = (
        packet
        for i in range(40)
        for packet in orca.fcio_packets(
            [*records(i + 1, streams=True)][-2:], streamid=0x10000 + i + 1
        )
    )
    header = orca.header_packet(orca.header(decoders=orca.SECOND_GENERATION))
    report, _ = convert(tmp_path, b"".join([header, *streams]))
    assert len(report.tables[str(tmp_path / "o.lh5")]) < 50
    assert report.exit_status == 3
