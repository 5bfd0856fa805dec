"""MGDO entries through the streamer: the rows that were written, whatever is damaged.

"Format N" means section N of the MGDO format. How many entries
are damaged at random: `DAQ2LH5_DAMAGED_FILES` (default 200).
"""

from __future__ import annotations

import os
import struct
from typing import Any

import h5py
import lh5
import numpy as np
import pytest
from daq2lh5.mgdo._kernel import REASONS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.checks import assert_rows
from kit.decoding.mgdo import decode, write
from kit.generators.damage import N_FILES
from kit.writers import mgdo as writer
from kit.writers.mgdo import Digitizer, Entry, Wave

import daq2lh5
from daq2lh5.errors import DecodeError
from daq2lh5.mgdo.columns import DIGITIZER_DATA
from daq2lh5.mgdo.mgdo_streamer import MGDOStreamer

pytestmark = pytest.mark.usefixtures("fake_tree")


def rows_of(entries: list[Entry]) -> list[dict]:
    return [
        writer.row(e, i, n) for n, e in enumerate(entries) for i in range(len(e.waves))
    ]


def entries(n: int, *args: Any, **kwargs: Any) -> list[Entry]:
    rng = np.random.default_rng(n)
    return [
        writer.random_entry(
            rng, sorted(rng.permutation(24)[: 1 + i % 4].tolist()), *args, **kwargs
        )
        for i in range(n)
    ]


# --- sound entries ------------------------------------------------------------------


@pytest.mark.parametrize("buffer_size", [24, 50, 8192])
@pytest.mark.parametrize("lengths", [(40, 25), (60,)])
def test_round_trip(tmp_path, lengths, buffer_size):
    """All fields, with auxiliary waveforms and without, over several baskets."""
    es = entries(60, lengths)
    path = write(tmp_path, es[:7], es[7:8], es[8:])
    decoded = decode(path, buffer_size=buffer_size)
    assert_rows(decoded.rows, rows_of(es))
    assert set(decoded.tables) == {"GETGERDADigitizerData"}
    report = decoded.report
    assert report.packets["decoded"] == 60
    assert report.bytes["decoded"] == report.n_bytes == sum(len(e.pack()) for e in es)
    assert report.exit_status == (0 if report.clean else 3)
    assert report.clean
    assert decoded.streamer.packet_id == 60


def test_every_column_is_written(tmp_path):
    """Each declared column gets values that differ from row to row."""
    found: dict[str, set] = {}
    for lengths in ((40, 25), (60,)):
        for row in decode(write(tmp_path, entries(60, lengths))).rows:
            for name, value in row.items():
                found.setdefault(name, set()).add(value.tobytes())
    for column in DIGITIZER_DATA.columns:
        name = f"{column.name}/values" if column.kind == "waveform" else column.name
        assert len(found[name]) > 1, name


@pytest.mark.parametrize(
    ("encoding", "dtype"),
    [(0, "f8"), (1, "f8"), (2, "i2"), (3, "u2"), (4, "u2")],
)
def test_encodings(tmp_path, encoding, dtype):
    """Format 4.2 and 8: samples of each encoding, and their type."""
    es = entries(10, (30, 20), encoding=encoding)
    for e in es:
        for w in (*e.waves, *e.aux):
            w.samples = w.samples - 30000 if encoding == 2 else w.samples
            w.samples = w.samples + (0.25 if encoding < 2 else 0)
    decoded = decode(write(tmp_path, es))
    assert_rows(decoded.rows, rows_of(es))
    assert decoded.rows[0]["waveform_windowed/values"].dtype == dtype


@pytest.mark.parametrize(
    ("samples", "data"),
    [
        ([57658, 57763, 57734], "F48407D20139"),
        ([100, 100, 99, -70000, 16383], "C8010001A5C708DEC50A"),
        ([-1], "01"),
        ([0], "00"),
        ([2**31 - 1, -(2**31), 0], ""),
    ],
)
def test_differences_of_the_document(tmp_path, samples, data):
    """Format 4.2: the examples, and the largest numbers, in a table of int32."""
    if data:
        assert writer.differences(samples) == bytes.fromhex(data)
    first = Entry([Wave([1] * len(samples))], [Digitizer()])
    e = Entry([Wave(samples)], [Digitizer()])
    decoded = decode(write(tmp_path, [first, e, first]))
    assert [r["waveform/values"].tolist() for r in decoded.rows[:2]] == [
        [1] * len(samples),
        samples,
    ]
    fits = all(0 <= s < 65536 for s in samples)
    other = f"GETGERDADigitizerData_{len(samples)}_int32"
    assert decoded.tables[1] == ("GETGERDADigitizerData" if fits else other)
    assert decoded.report.clean


def test_other_lengths_have_other_tables(tmp_path):
    """Format 8: N different from the table's; back and forth."""
    es = entries(8, (40, 25)) + entries(8, (30, 25)) + entries(8, (40, 25))
    es += entries(3, (50,))
    out = str(tmp_path / "out.lh5")
    path = write(tmp_path, es)
    decoded = decode(path)
    assert_rows(decoded.rows, rows_of(es))
    assert set(decoded.tables) == {
        "GETGERDADigitizerData",
        "GETGERDADigitizerData_30_25",
        "GETGERDADigitizerData_50_waveform",
    }
    report = daq2lh5.build_raw(path, out_spec=out)
    with h5py.File(out) as f:
        assert f["GETGERDADigitizerData_30_25/waveform_presummed/values"].shape[1] == 30
    assert report.packets["decoded"] == len(es)


def test_empty_slots_and_waveforms(tmp_path):
    """Format 11: rows of zeros, never older samples, and counted."""
    full = writer.random_entry(np.random.default_rng(0), [1, 2])
    for buffer_size in (24, 8192):
        gaps = writer.random_entry(np.random.default_rng(1), [1, 2])
        gaps.waves[0] = None
        gaps.aux[1] = Wave([], 2, t0=5.0)
        es = [full, gaps, full] * 10
        decoded = decode(write(tmp_path, es), buffer_size=buffer_size)
        row, other = decoded.rows[2:4]
        assert not row["waveform_presummed/values"].any()
        np.testing.assert_array_equal(
            row["waveform_windowed/values"], gaps.aux[0].samples
        )
        assert not other["waveform_windowed/values"].any()
        assert other["waveform_windowed/t0"] == 5.0
        assert sum(decoded.report.irregular.values()) == 20


def test_null_pointers_are_empty_arrays(tmp_path):
    """Format 11: an entry without rows."""
    full = writer.random_entry(np.random.default_rng(0), [3])
    es = [Entry(None, None), Entry([], [], []), full]
    decoded = decode(write(tmp_path, es))
    assert len(decoded.rows) == 1
    assert decoded.report.packets["decoded"] == 3
    assert decoded.report.clean


def test_unused_auxiliary_array_is_ignored(tmp_path):
    """Format 4.1: `fUseAuxWaveformArray` says whether it counts."""
    e = writer.random_entry(np.random.default_rng(0), [3])
    e.use_aux = False
    (row,) = decode(write(tmp_path, [e])).rows
    np.testing.assert_array_equal(row["waveform/values"], e.waves[0].samples)


def test_unknown_digitizer_class_is_skipped_and_counted(tmp_path):
    """Format 4.3: other classes have no table; the others' rows are kept."""
    rng = np.random.default_rng(0)
    known, other = (writer.random_entry(rng, [1]) for _ in range(2))
    other.digitizer_class = "MJTGretina4DigitizerData;3"
    decoded = decode(write(tmp_path, [other, known, other]))
    assert len(decoded.rows) == 1
    assert decoded.report.packets["unknown"] == 2
    assert decoded.report.unknown_records == {"MJTGretina4DigitizerData": 2}
    alone = decode(write(tmp_path, [other]))
    assert alone.rows == []
    header = alone.header[0].lgdo
    assert header["digitizer_class"].value == "MJTGretina4DigitizerData"


@pytest.mark.parametrize("by_key", [False, True])
def test_channels_beyond_the_list(by_key, tmp_path):
    """Keys are the first entry's channels (format 8), and later ones."""
    rng = np.random.default_rng(0)
    channels = (1, 30, 31, 30, 60000)
    es = [writer.random_entry(rng, [c]) for c in channels]
    path = write(tmp_path, es)
    decoded = decode(path)
    assert_rows(decoded.rows, rows_of(es))
    report = decoded.report
    assert report.packets["skipped"] == report.bytes["skipped"] == 0
    assert report.skipped_channels == {}
    assert "channel 30 is not in the file's list of channels" in report.notes
    out = str(tmp_path / "out.lh5")
    buffers = {"key_list": ["*"], "out_stream": out}
    name = "ch{key}" if by_key else "all"
    spec = {"GETGERDADigitizerDataDecoder": {name: buffers}}
    report = daq2lh5.build_raw(path, out_spec=spec)
    with h5py.File(out) as f:
        found = {c for name in f for c in f[name]["channel"][()]}
        assert found == set(channels)
        if by_key:
            assert len(f["ch30/channel"]) == 2


def test_unselected_channels(tmp_path):
    """Unselected channels are counted as skipped."""
    rng = np.random.default_rng(0)
    es = [writer.random_entry(rng, [c]) for c in (1, 30, 31, 30)]
    out = str(tmp_path / "out.lh5")
    spec = {
        "GETGERDADigitizerDataDecoder": {"a": {"key_list": [1, 31], "out_stream": out}}
    }
    report = daq2lh5.build_raw(write(tmp_path, es), out_spec=spec)
    skipped = report.skipped_channels["GETGERDADigitizerDataDecoder"]
    assert skipped == {"30": 2}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_nothing_is_skipped(data, tmp_path_factory):
    """Without a specification every row is written, with any lists of channels."""
    folder = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    channels = st.lists(
        st.integers(0, 30) | st.integers(0, 2**31 - 1), min_size=1, max_size=4
    )
    es = []
    for _ in range(data.draw(st.integers(1, 6))):
        n = data.draw(st.sampled_from([(40, 25), (12,), (7, 3)]))
        e = writer.random_entry(rng, data.draw(channels.map(set).map(sorted)), n)
        e.active = [data.draw(st.booleans()) for _ in range(data.draw(SIZES))]
        es.append(e)
    decoded = decode(write(folder, es))
    report = decoded.report
    assert_rows(decoded.rows, rows_of(es))
    assert report.packets["skipped"] == report.bytes["skipped"] == 0
    assert report.skipped_channels == {}
    assert report.bytes["decoded"] == report.n_bytes
    assert report.exit_status == 0


SIZES = st.integers(1, 40)
"""Of lists of channels."""


def test_selected_channels_and_header(tmp_path):
    """Output by lh5: header without a run's fields, channels in tables of their own."""
    es = entries(20)
    path = write(tmp_path, es)
    out = str(tmp_path / "out.lh5")
    spec = {
        "GETGERDADigitizerDataDecoder": {
            "ch{key:02d}": {"key_list": [[0, 22]], "out_stream": out}
        },
        "MGDOHeaderDecoder": {"header": {"key_list": [], "out_stream": out}},
    }
    report = daq2lh5.build_raw(path, out_spec=spec)
    channel = rows_of(es)[0]["channel"]
    wanted = [r for r in rows_of(es) if r["channel"] == channel]
    table = lh5.read(f"ch{channel:02d}", out)
    assert table["ts_sec"].nda.tolist() == [r["ts_sec"] for r in wanted]
    header = lh5.read("header", out)
    assert header["n_entries"].value == 20
    assert header["is_blinding_active"].value == -1
    assert "no object 'IsBlindingActive'" in " ".join(report.notes)


def test_n_max_and_single_packets(tmp_path):
    es = entries(30)
    path = write(tmp_path, es)
    report = daq2lh5.build_raw(path, n_max=11, out_spec=str(tmp_path / "out.lh5"))
    assert report.n_rows == 12  # and the header
    streamer = MGDOStreamer()
    streamer.open_stream(path, chunk_mode="single_packet")
    n = 0
    while chunk := streamer.read_chunk():
        n += 1
        (rb,) = chunk
        assert rb.loc == len(es[n - 1].waves)
        rb.loc = 0
    assert n == 30
    # a streamer can be used again
    streamer.open_stream(path)
    assert sum(rb.loc for chunk in streamer for rb in chunk) == len(rows_of(es))
    streamer.close_stream()


def test_empty_tree(tmp_path):
    """Format 11: a header and no table."""
    out = tmp_path / "out.lh5"
    report = daq2lh5.build_raw(write(tmp_path), out_spec=out)
    assert report.clean
    with h5py.File(out) as f:
        assert set(f) == {"MGDOHeader"}


# --- bad entries (format 11) -------------------------------------------------------


def changed(**changes: Any) -> Entry:
    e = writer.random_entry(np.random.default_rng(5), [2, 7])
    for name, value in changes.items():
        target, _, field = name.partition("__")
        if field:
            setattr(getattr(e, target)[1], field, value)
        else:
            setattr(e, target, value)
    return e


BAD = [
    (changed(version=10), "unknown version of a class (MGTEvent, 10, not 9"),
    (changed(waves__version=4), "unknown version of a class (MGTWaveform, 4, not 5"),
    (changed(wave_class="MGTWaveform;6"), "(MGTWaveform, 6, not 5"),
    (changed(digitizers__version=3), "(GETGERDADigitizerData, 3, not 1"),
    (changed(digitizer_class="GETGERDADigitizerData;2"), "2, not 1"),
    (changed(wave_class="Other;5"), "object of another class (MGTWaveform"),
    (changed(array_options={"version": 3}), "(MGTClonesArray, 3, not 2"),
    (changed(array_options={"bits": 0x1000}), "member-wise array"),
    (changed(array_options={"count": -1}), "impossible number of objects"),
    (changed(array_options={"count": 10**9}), "impossible number of objects"),
    (changed(array_options={"count": 1}), "length of an object contradicts its fields"),
    (changed(array_options={"count": 3}), "a field exceeds its object"),
    (changed(reference=5), "unknown kind of pointer"),
    (changed(waves=None), "arrays of different lengths"),
    (changed(aux=[]), "arrays of different lengths"),
    (changed(digitizers=[Digitizer(2), None]), "a slot has no digitizer data"),
    (changed(waves__channel=3), "objects of different channels"),
    (changed(aux__channel=3), "objects of different channels"),
    (changed(waves__n=2**24 + 1), "impossible number of samples"),
    (changed(waves__n=2**63), "impossible number of samples"),
    (changed(waves__encoding=5, waves__encoded=b""), "unknown encoding"),
    (changed(waves__encoding=-1, waves__encoded=b""), "unknown encoding"),
    (changed(waves__frequency=0.0), "frequency (MGTWaveform, channel 7"),
    (changed(aux__frequency=float("nan")), "impossible sampling frequency"),
    (changed(waves__n=41), "samples contradicts their number (MGTWaveform, ch"),
    (changed(waves__encoded=b"\x80" * 40), "samples contradicts their number"),
    (
        changed(waves__encoded=b"\x80" * 5 + b"\0" * 40),
        "samples contradicts their number",
    ),
    (changed(waves__encoded=b""), "samples contradicts their number"),
    (
        changed(aux__encoding=2, aux__encoded=b"\0" * 49),
        "samples contradicts their number",
    ),
    (b"", "not an MGTEvent"),
    (b"\x08MGTEvent\0" + bytes(6), "no byte count"),
    (changed().pack() + b"\0", "object contradicts its fields (MGTEvent"),
    (changed().pack()[:-1], "a field exceeds its object"),
]


@pytest.mark.parametrize(("bad", "words"), BAD, ids=[w for _, w in BAD])
def test_bad_entries(tmp_path, bad, words):
    """The entry is left out as a whole, named, and kept as garbage."""
    good = entries(4)
    data = bad if isinstance(bad, bytes) else bad.pack()
    path = write(tmp_path, good[:2], [data, *good[2:]])
    decoded = decode(path)
    assert_rows(decoded.rows, rows_of([*good[:2], Entry([], []), *good[2:]]))
    report = decoded.report
    assert report.packets["corrupt"] == 1
    assert report.packets["decoded"] == 4
    assert report.bytes["corrupt"] == len(data)
    (damage,) = report.damage
    assert damage.reason.startswith("entry 2: ")
    assert words in damage.reason
    assert report.exit_status == 3
    (row,) = decoded.streamer.garbage.rows
    assert row[0] == data
    assert row[2] in [int(c) for c in REASONS]


def test_only_bad_entries_are_an_error(tmp_path):
    """Format 9: other versions are named."""
    path = write(tmp_path, [changed(version=10)] * 3)
    with pytest.raises(DecodeError, match=r"MGTEvent, 10, not 9.*other versions"):
        daq2lh5.build_raw(path)


def test_unreadable_basket(tmp_path):
    """Its entries are counted as damaged; the other baskets are decoded."""
    good = entries(6)
    path = write(tmp_path, [], good[:3], [], good[3:])
    report = daq2lh5.build_raw(path, out_spec=str(tmp_path / "out.lh5"))
    assert report.packets["corrupt"] == 4
    assert report.packets["decoded"] == 6
    assert [d.reason for d in report.damage] == ["broken basket"] * 2
    assert report.exit_status == 3


def test_every_cut_of_an_entry(tmp_path):
    """An entry that ends too early gives no row; the others do."""
    good = writer.random_entry(np.random.default_rng(0), [2], (5, 3))
    data = good.pack()
    cuts = [data[:cut] for cut in range(len(data))]
    decoded = decode(write(tmp_path, [good], cuts, [good]))
    assert len(decoded.rows) == 2
    assert decoded.report.packets["corrupt"] == len(cuts)
    assert decoded.report.n_bytes == sum(map(len, cuts)) + 2 * len(data)


def test_random_damage(tmp_path):
    """No crash; the account adds up; whole entries are kept."""
    rng = np.random.default_rng(int(os.environ.get("DAQ2LH5_DAMAGE_SEED", "1")))
    es = []
    whole = 0
    for i in range(N_FILES * 10):
        e = writer.random_entry(rng, [i % 24, 23], ((9, 4), (7,))[i % 2], 1 + i % 4)
        data = bytearray(e.pack())
        kind = rng.integers(5)
        at = int(rng.integers(len(data)))
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at : at + 4] = struct.pack(">I", int(rng.integers(1 << 32)))
        elif kind == 2:
            del data[at : at + int(rng.integers(20))]
        elif kind == 3:
            data[at:at] = rng.bytes(int(rng.integers(20)))
        else:
            whole += 1
        es.append(bytes(data))
    good = entries(5)
    decoded = decode(write(tmp_path, good, es, good))
    report = decoded.report
    assert report.n_bytes == sum(len(e.pack()) for e in good) * 2 + sum(map(len, es))
    assert sum(report.packets.values()) == 10 + len(es)
    assert report.packets["decoded"] >= 10 + whole
    assert report.packets["corrupt"] > 0
    assert_rows(decoded.rows[: len(rows_of(good))], rows_of(good))
