"""Without a specification no byte of a known decoder is skipped, with any header."""

from __future__ import annotations

import copy
import math
from collections import Counter
from functools import cache
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.decoding.orca import decode, differences, wanted_tables
from kit.generators.orca_packets import (
    ADDRESS,
    MAP,
    config_packet,
    event_packet,
    fcio_file,
    flashcam_file,
    waveform,
)
from kit.writers import fcio
from kit.writers import orca as writer

import daq2lh5
from daq2lh5.errors import OutSpecError
from daq2lh5.orca.orca_header import OrcaHeader

KEY = 4 << 4
"""Key of channel 0 of card 4 in crate 0."""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.orca"


# --- random headers -----------------------------------------------------------------


@cache
def whole() -> tuple[writer.Plist, list[bytes]]:
    """Make the header and the packets of a run of all kinds of digitizers."""
    run = writer.Run(
        kinds=tuple(k for k in writer.KINDS if k != "unknown"),
        n_events=3,
        n_channels=3,
        n_samples=16,
        listeners=2,
        fcio_options={"kind": "mixed", "fsp": True, "status_every": 2},
    )
    _, *packets = run.packets()
    return run.plist(), list(packets)


@st.composite
def headers(draw: st.DrawFn) -> writer.Plist:
    """Draw headers that contradict the packets."""
    header = copy.deepcopy(whole()[0])
    info = header["ObjectInfo"]
    for crate in info["Crates"]:
        cards = []
        for card in crate["Cards"]:
            fate = draw(st.sampled_from(["as it is", "off", "missing", "elsewhere"]))
            if fate == "missing":
                continue
            if fate == "elsewhere":
                card["Card"] = draw(st.integers(0, 40))
            for name, value in card.items():
                if fate != "off":
                    continue
                if name.endswith("Mask"):
                    card[name] = draw(st.integers(0, 0xFFFF))
                elif name in ("Enabled", "enabled"):
                    card[name] = [draw(st.booleans()) for _ in value]
                elif name == "clockSource":
                    card[name] = draw(st.integers(0, 8))
            cards.append(card)
        crate["Cards"] = cards
        crate["CrateNumber"] = draw(st.just(crate["CrateNumber"]) | st.integers(0, 20))
    if draw(st.booleans()):
        info["USB"] = []
    for entry in info["AuxHw"]:
        if "fspEnabled" in entry and draw(st.booleans()):
            entry["fspEnabled"] = not entry["fspEnabled"]
        if "eventSamples" in entry:
            entry["eventSamples"] = draw(st.sampled_from([0, 16, 30]))
    header["ReadoutDescription"] = [
        entry for entry in header["ReadoutDescription"] if draw(st.booleans())
    ]
    return header


def rows_by_decoder(path: Any, header: writer.Plist) -> tuple[Counter, Any]:
    """Count the rows of all packets under a header."""
    path.write_bytes(writer.header_packet(header) + b"".join(whole()[1]))
    decoded = decode(path)
    names = {rb.out_name: name for name, rb in decoded.streamer.rb_lib.buffers()}
    counts: Counter = Counter()
    for name in decoded.tables:
        counts[names[name]] += decoded.n_rows(name)
    return counts, decoded.report


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(header=headers())
def test_nothing_is_skipped_with_any_header(header, file):
    """Cards absent, elsewhere, or off give as many rows as with the right header."""
    wanted, _ = rows_by_decoder(file, whole()[0])
    assert len(wanted) > 40
    found, report = rows_by_decoder(file, header)
    assert found == wanted
    assert report.bytes["skipped"] == 0
    assert report.skipped_channels == {}
    assert report.exit_status == 0
    # the name of the file has the name of this test in it
    lines = " ".join(report.lines()).replace(str(file), "")
    assert "skipped" not in lines
    assert "not selected" not in lines


# --- channels that the header lacks ---------------------------------------------------


def sis3302_file(*channels: int, **card: Any) -> bytes:
    slot = card.pop("slot", 4)
    described = writer.sis3302_card(slot, sample_lengths=(8,) * 4)
    header = writer.header(crates=[writer.crate(0, [described | card])])
    packets = [writer.sis3302(range(8), card=4, channel=c) for c in channels]
    return writer.header_packet(header) + b"".join(packets)


OFF = {"internalTriggerEnabledMask": 0, "externalTriggerEnabledMask": 0}


@pytest.mark.parametrize(
    ("card", "n_announced", "dt"),
    [
        (OFF, 0, 10),
        (OFF | {"internalTriggerEnabledMask": 1, "clockSource": 1}, 1, 20),
        ({"slot": 5}, 0, math.nan),
    ],
    ids=["all off", "one off", "other slot"],
)
def test_channels_have_tables_and_notes(card, n_announced, dt, file):
    """Channels of an announced card have its settings."""
    file.write_bytes(sis3302_file(0, 1, 0, 1, **card))
    decoded = decode(file)
    name = "ORSIS3302DecoderForEnergy"
    names = [name if n_announced else f"{name}_{KEY}", f"{name}_{KEY + 1}"]
    assert [*decoded.tables] == names
    for table in names:
        columns = decoded.tables[table]
        assert [v.tolist() for v in columns["waveform/values"]] == [[*range(8)]] * 2
        assert str(columns["waveform/dt"]) == str([np.float32(dt)] * 2)
    notes = [n for n in decoded.report.notes if "does not announce" in n]
    assert len(notes) == 2 - n_announced
    assert all(f"table {t}" in " ".join(notes) for t in names[n_announced:])
    unknown = [n for n in decoded.report.notes if "dt is NaN" in n]
    assert len(unknown) == math.isnan(dt)


def test_an_input_that_is_off_is_in_its_listeners_table(file):
    enabled = [True] * 5 + [False]
    crates = [writer.crate(0, [writer.flashcam_adc(1, ADDRESS, enabled=enabled)])]
    data = flashcam_file(
        writer.flashcam_config(MAP, nsamples=8),
        *(waveform(fc_input=i, channel=i) for i in range(6)),
        crates=crates,
        readouts=[writer.readout(1, [(0, 1)])],
    )
    file.write_bytes(data)
    decoded = decode(file)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.n_rows("ORFlashCamADCWaveform") == 6
    assert any("1028805" in note for note in decoded.report.notes)


@pytest.mark.parametrize("configured", [True, False])
@pytest.mark.parametrize("slot", [1, 2])
def test_a_flashcam_card_in_another_slot(configured, slot, file):
    """Its address, or the configuration, determines the listener."""
    config = [writer.flashcam_config(MAP, nsamples=8)] * configured
    data = flashcam_file(*config, waveform(slot=slot), waveform(slot=slot))
    file.write_bytes(data)
    decoded = decode(file)
    assert differences(decoded.tables, wanted_tables(data)) == []
    columns = decoded.tables["ORFlashCamADCWaveform_0"]
    assert columns["board_id"] == [ADDRESS] * 2
    assert columns["waveform/dt"] == [16] * 2
    noted = any("no card in crate 0, slot 2" in n for n in decoded.report.notes)
    assert noted == (slot == 2)


def test_a_flashcam_card_that_nothing_tells_of(file):
    """Its listener and its sampling period are unknown."""
    file.write_bytes(flashcam_file(waveform(slot=9, address=0x550)))
    decoded = decode(file)
    (columns,) = (t for n, t in decoded.tables.items() if "Waveform" in n)
    assert columns["fcid"] == [0]
    assert math.isnan(columns["waveform/dt"][0])


def test_a_listener_that_the_header_does_not_have(file):
    config = fcio.config(
        adcs=2, eventsamples=4, tracemap=(0x1100000, 0x1100001), streamid=0x10007
    )
    data = fcio_file(
        config_packet(config, streamid=0x10007), event_packet(1, streamid=0x10007)
    )
    file.write_bytes(data)
    decoded = decode(file)
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.n_rows("ORFCIOEvent_fcid_7/event") == 2
    assert decoded.report.bytes["decoded"] == len(data)


# --- selection by a specification ---------------------------------------------------


def converted(path: Any, data: bytes, spec: dict) -> tuple[dict[str, int], Any]:
    """Convert a file; return the numbers of rows of its tables, and the report."""
    path.write_bytes(data)
    out = path.with_suffix(".lh5")
    for buffers in spec.values():
        for buffer in buffers.values():
            buffer["out_stream"] = str(out)
    report = daq2lh5.build_raw(str(path), out_spec=spec, overwrite=True)
    with h5py.File(out) as f:
        tables = {k: t for k, t in f.items() if isinstance(t, h5py.Group)}
        rows = {k: len(t["packet_id"]) for k, t in tables.items() if "packet_id" in t}
    return rows, report


SIS = "ORSIS3302DecoderForEnergy"


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"*": {"{name}": {"key_list": ["*"]}}}, {f"{SIS}_64": 2, f"{SIS}_65": 2}),
        ({SIS: {"ch{key}": {"key_list": ["*"]}}}, {"ch64": 2, "ch65": 2}),
        ({SIS: {"ch{key}": {"key_list": ["*5"]}}}, {"ch65": 2}),
        ({SIS: {"all": {"key_list": ["*"]}}}, {"all": 4}),
        ({SIS: {"all": {"key_list": [[0, 100]]}}}, {"all": 4}),
        ({SIS: {"ch": {"key_list": [65]}}}, {"ch": 2}),
    ],
    ids=str,
)
def test_what_a_specification_leaves_out_is_not_selected(spec, wanted, file):
    """Patterns select unannounced channels; all else is not selected."""
    spec = copy.deepcopy(spec)
    rows, report = converted(file, sis3302_file(0, 1, 0, 1, **OFF), spec)
    assert rows == wanted
    n = 4 - sum(wanted.values())
    assert report.packets["skipped"] == n
    assert sum(report.skipped_channels.get(SIS, {}).values()) == n
    assert any("not selected by the specification" in x for x in report.lines()) == (
        n > 0
    )


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"*": {"{name}": {"key_list": ["*"]}}}, {SIS: 1}),
        ({SIS: {"ch{key}": {"key_list": ["*"]}}}, {"ch64": 1}),
        ({SIS: {"all": {"key_list": ["*"]}}}, {"all": 1}),
        ({SIS: {"all": {"key_list": [64]}}}, {"all": 1}),
    ],
    ids=str,
)
def test_decoders_of_a_later_header(spec, wanted, file):
    """A specification selects decoders and channels of later headers, too."""
    first = writer.header(decoders=["ORRunDecoderForRun"])
    card = OFF | {"internalTriggerEnabledMask": 1}
    data = writer.header_packet(first) + writer.run() + sis3302_file(0, **card)
    rows, report = converted(file, data, copy.deepcopy(spec))
    rows.pop("ORRunDecoderForRun", None)
    assert rows == wanted
    assert not any("its buffers stay empty" in note for note in report.notes)


def test_a_specification_that_selects_nothing_in_the_end(file):
    file.write_bytes(flashcam_file(waveform()))
    out = file.with_suffix(".lh5")
    spec = {SIS: {"all": {"key_list": ["*"], "out_stream": str(out)}}}
    with pytest.raises(OutSpecError, match="selects nothing"):
        daq2lh5.build_raw(str(file), out_spec=spec)
    assert not out.exists()


def test_unknown_records_are_told_by_name(file):
    file.write_bytes(writer.make_stream(kinds=("flashcam", "unknown"), n_events=3))
    lines = decode(file).report.lines()
    assert any(line.strip().startswith("no decoder: ") for line in lines)


# --- headers ------------------------------------------------------------------------


@pytest.mark.parametrize("data_id", [0, 5, 1 << 17])
def test_an_id_of_0_is_the_headers(data_id, file):
    """Such files were written in 2007."""
    plist = writer.header()
    plist["dataDescription"]["Old"] = {
        "Scaler": {"dataId": data_id, "decoder": "OROldDecoder", "length": 2}
    }
    header = OrcaHeader()
    header.update(plist)
    assert header.get_id_to_decoder_name_dict()[0] == "OrcaHeaderDecoder"
    data = writer.make_stream(kinds="flashcam", n_events=3)
    file.write_bytes(data + writer.header_packet(plist) + data)
    decoded = decode(file)
    assert decoded.report.exit_status == 0
    assert decoded.report.bytes["decoded"] == decoded.report.n_bytes
    assert decoded.n_rows("ORRunDecoderForRun") == 6


@pytest.mark.parametrize(
    "plist",
    [
        {"Document Info": {"dataVersion": 2}, "Run Control": {"RunNumber": 117}},
        {"ObjectInfo": {"Run Control": {"RunNumber": 117}}},
        {"Run Control": [{"RunNumber": 117}]},
        {"ObjectInfo": {"DataChain": [{"Run Control": {"RunNumber": 117}}]}},
    ],
)
def test_run_numbers_of_old_headers(plist):
    header = OrcaHeader()
    header.update(plist)
    assert header.get_run_number() == 117


# --- sampling periods ---------------------------------------------------------------


@pytest.mark.parametrize("clock", [*range(9), None, "1"])
def test_clocks_of_a_sis3302(clock, file):
    """ORCA format, 4.5: unknown for external clocks, with a note."""
    card = {"clockSource": clock} if clock is not None else {}
    file.write_bytes(sis3302_file(0, **card))
    if clock is None:
        described = writer.sis3302_card(4, sample_lengths=(8,) * 4)
        del described["clockSource"]
        header = writer.header(crates=[writer.crate(0, [described])])
        packet = writer.sis3302(range(8), card=4)
        file.write_bytes(writer.header_packet(header) + packet)
    decoded = decode(file)
    (dt,) = decoded.tables[f"{SIS}_{KEY}"]["waveform/dt"]
    periods = {0: 10, 1: 20, 2: 40, 3: 100, 4: 1000, 7: 10}
    assert str(float(dt)) == str(float(periods.get(clock, math.nan)))
    notes = [n for n in decoded.report.notes if "dt is NaN" in n]
    assert len(notes) == (clock not in periods)


def test_a_period_that_is_assumed_is_noted(file):
    file.write_bytes(writer.make_stream(kinds="sis3316", n_events=1, n_channels=1))
    assert any("8 ns assumed" in note for note in decode(file).report.notes)
