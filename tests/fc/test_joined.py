"""Without a specification nothing is skipped, also in joined files.

Joined files of any two runs give the rows of both, in both orders, also of channels,
streams and software triggers that only one of them has.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.decoding.fcio import decode, differences, read_lh5
from kit.generators.fcio import P06, SPMS
from kit.places import TESTDATA
from kit.reference import fcio as reference
from kit.writers import fcio as writer

import daq2lh5

if TYPE_CHECKING:
    from pathlib import Path


def one(**options: Any) -> bytes:
    """Write a configuration of one trace."""
    return writer.config(adcs=1, tracemap=[0x100000], **options)


EVENT_KINDS = ("event", "sparse", "header")


def rows_in(path: Path) -> Counter[Any]:
    """Count equal rows of a file by decoder, without the packet's number."""
    decoded = decode(path)
    assert decoded.report.bytes["skipped"] == 0
    assert decoded.report.skipped_channels == {}
    rows: Counter[Any] = Counter()
    structs = [rb.lgdo for rb in decoded.streamer.final_buffers()]
    if "FSPConfig" in decoded.tables:
        structs.append(decoded.tables.pop("FSPConfig"))
    for struct in structs:
        values = {
            k: getattr(v, "nda", getattr(v, "value", v)) for k, v in struct.items()
        }
        parts = [(k, np.asarray(v).tobytes()) for k, v in values.items()]
        rows["FSPConfig", tuple(parts)] = 1
    for table, columns in decoded.tables.items():
        names = [name for name in columns if name != "packet_id"]
        for values in zip(*(columns[name] for name in names), strict=True):
            rows[table, tuple(np.asarray(v).tobytes() for v in values)] += 1
    return rows


@dataclass
class Files:
    """Two runs, and a file that joins them."""

    folder: Path

    def check(self, first: bytes, second: bytes) -> None:
        """Compare the rows of a joined file with those of both files."""
        path = self.folder / "run.fcio"
        alone = []
        for data in (first, second):
            path.write_bytes(data)
            alone.append(rows_in(path))
        # settings of both are written once
        wanted = alone[0] + alone[1]
        for row in wanted:
            wanted[row] = 1 if row[0] == "FSPConfig" else wanted[row]
        for data in (first + second, second + first):
            path.write_bytes(data)
            found = rows_in(path)
            assert found == wanted


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


STREAMS: dict[str, dict[str, Any]] = {
    "plain": {"n_channels": 3, "n_samples": 12},
    "other stream": {"n_channels": 3, "n_samples": 12, "streamid": 0x10002},
    "more channels": {"n_channels": 9, "n_samples": 12, "seed": 4},
    "other length": {"n_channels": 3, "n_samples": 31, "adcbits": 12},
    "software trigger": {
        "n_channels": 6,
        "n_samples": 12,
        "fsp": True,
        "status_every": 3,
        "kind": "mixed",
        "streamid": 7,
    },
    "headers and status": {
        "n_channels": 4,
        "n_samples": 12,
        "kind": "header",
        "status_every": 2,
        "streamid": 3,
    },
    "trigger cards": {
        "n_channels": 25,
        "n_samples": 5,
        "adcbits": 12,
        "triggers": 2,
        "status_every": 4,
        "fsp": True,
    },
}


@pytest.mark.parametrize(
    ("first", "second"), [(a, b) for a, b in product(STREAMS, STREAMS) if a <= b]
)
def test_any_two_runs(first, second, files):
    """All pairs are joined, also a file with itself."""
    streams = [
        writer.make_stream(8, deadtime=True, **STREAMS[name])
        for name in (first, second)
    ]
    files.check(*streams)


@pytest.mark.parametrize(("first", "second"), [(SPMS, P06), (SPMS, SPMS)])
def test_real_files(first, second, files):
    paths = [TESTDATA / "fcio" / name for name in (first, second)]
    if not all(path.is_file() for path in paths):
        pytest.skip("no real files: DAQ2LH5_TESTDATA names no directory with them")
    files.check(*(path.read_bytes() for path in paths))


@st.composite
def streams(draw: Any) -> bytes:
    """Draw a run with any configuration."""
    adcbits = draw(st.sampled_from([12, 16, 16]))
    n_channels = draw(st.integers(1, 8))
    triggers = draw(st.integers(0, 2)) if adcbits == 12 else 0
    words = st.builds(
        lambda a, i: a << 16 | i, st.integers(0, 9999), st.integers(0, 99)
    )
    size = n_channels + triggers
    kinds = st.sampled_from([*EVENT_KINDS, ("event", "sparse"), ("sparse", "header")])
    return writer.make_stream(
        draw(st.integers(0, 4)),
        n_channels=n_channels,
        n_samples=draw(st.sampled_from([0, 1, 9, 20])),
        adcbits=adcbits,
        triggers=triggers,
        kind=draw(kinds),
        gps=draw(st.sampled_from([0, 1000])),
        tracemap=draw(st.lists(words, min_size=size, max_size=size)),
        streamid=draw(st.sampled_from([0, 1, 2, 0x10001, 0xFFFF])),
        fsp=draw(st.booleans()),
        status_every=draw(st.integers(0, 2)),
        deadtime=draw(st.booleans()),
        seed=draw(st.integers(0, 99)),
    )


@settings(max_examples=40, deadline=None)
@given(first=streams(), second=streams())
def test_any_configurations(first, second, tmp_path_factory):
    """The law, for random headers."""
    Files(tmp_path_factory.mktemp("joined")).check(first, second)


def test_settings_of_both_software_triggers_are_written(tmp_path):
    """They are structs; the second one is named after its configuration's packet."""
    parts = [
        *(writer.fsp_config(wps_prescale_ratio=1), one(eventsamples=3)),
        *(writer.fsp_event(), writer.event([[1, 2, 3, 4, 5]])),
        *(writer.fsp_config(wps_prescale_ratio=2), one(eventsamples=4)),
        # the same again
        *(writer.fsp_config(wps_prescale_ratio=2), one(eventsamples=3)),
        # and one without a configuration behind it
        *(writer.fsp_config(wps_prescale_ratio=3), writer.event([[1, 2, 3, 4, 5]])),
    ]
    path = tmp_path / "run.fcio"
    path.write_bytes(writer.assemble(parts)[0])
    report = daq2lh5.build_raw(path, out_spec=str(tmp_path / "o.lh5"))
    with h5py.File(tmp_path / "o.lh5") as f:
        found = {
            name: int(f[name]["trg_wps_prescale_ratio"][()])
            for name in f
            if name.startswith("FSPConfig")
        }
        assert f["FCConfig/packet_id"][()].tolist() == [0, 2, 3]
        assert f["FCEvent/packet_id"][()].tolist() == [1, 4]
    assert found == {"FSPConfig": 1, "FSPConfig_2": 2, "FSPConfig_4": 3}
    assert any("FSPConfig_2" in note for note in report.notes)
    assert report.exit_status == 0


def test_software_trigger_only_in_the_second(tmp_path):
    """Its settings have the usual name."""
    plain = writer.make_stream(5, n_channels=2, n_samples=7)
    with_trigger = writer.make_stream(
        5, n_channels=2, n_samples=7, fsp=True, status_every=2
    )
    path = tmp_path / "run.fcio"
    for data in (plain + with_trigger, with_trigger):
        path.write_bytes(data)
        daq2lh5.build_raw(path, out_spec=str(tmp_path / "o.lh5"), overwrite=True)
        tables = read_lh5(tmp_path / "o.lh5")
        wanted = reference.read_tables(with_trigger)
        assert (
            differences(
                {"FSPConfig": tables["FSPConfig"]}, {"FSPConfig": wanted["FSPConfig"]}
            )
            == []
        )
        assert len(tables["FSPEvent"]["packet_id"]) == 5
        assert len(tables["FSPStatus"]["packet_id"]) == 2
        assert len([name for name in tables if name.startswith("FSPConfig")]) == 1


@pytest.mark.parametrize("by_key", [False, True])
def test_cards_that_the_configuration_lacks(by_key, tmp_path):
    """The status of all of them is written, with a limited number of notes."""
    cards = [writer.StatusCard(reqid=i) for i in (0, 0x2000, 0x2005, 0x4000)]
    parts = [
        one(eventsamples=3, mastercards=1, adccards=1),
        writer.status(cards),
        writer.event([[1, 2, 3, 4, 5]]),
        one(eventsamples=3, mastercards=1, adccards=1, streamid=5),
        writer.status(cards[2:]),
    ]
    path, out = tmp_path / "run.fcio", str(tmp_path / "o.lh5")
    path.write_bytes(writer.assemble(parts)[0])
    buffers = {"key_list": ["*"], "out_stream": out}
    spec = {"FCStatusDecoder": {"{key}": buffers}} if by_key else out
    report = daq2lh5.build_raw(path, out_spec=spec)
    names = [f"fcid_1/status/card{card.reqid}" for card in cards]
    names += [f"fcid_5/status/card{card.reqid}" for card in cards[2:]]
    with h5py.File(out) as f:
        if by_key:
            assert [len(f[name]["id"]) for name in names] == [1] * 6
        else:
            ids = [0, 0x2000, 0x2005, 0x4000, 0x2005, 0x4000]
            assert f["FCStatus/id"][()].tolist() == ids
    assert any("status of card 8197" in note for note in report.notes)
    assert report.exit_status == 0


def test_a_later_configuration_without_a_stream_id(tmp_path):
    """It keeps the id of the one before, by the format, with a warning."""
    first = writer.make_stream(3, n_channels=2, n_samples=7, streamid=5)
    second = writer.make_stream(3, n_channels=2, n_samples=7, streamid=None)
    path = tmp_path / "run.fcio"
    path.write_bytes(first + second)
    decoded = decode(path)
    assert set(decoded.tables["FCEvent"]["fcid"]) == {5}
    assert any("no stream id" in note for note in decoded.report.notes)
