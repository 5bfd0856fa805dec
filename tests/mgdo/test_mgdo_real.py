"""The real MGDO file: the numbers of the document, and errors of ROOT files.

"Format N" means section N of the MGDO format.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import h5py
import lh5
import numpy as np
import pytest
from kit.generators.damage import N_FILES
from kit.generators.mgdo import FILE, real_file
from kit.pipes import fed
from kit.places import ENVIRONMENT
from kit.writers import mgdo as writer

import daq2lh5
from daq2lh5.errors import DecodeError
from daq2lh5.mgdo.mgdo_streamer import MGDOStreamer
from daq2lh5.mgdo.tree import MGTree

if TYPE_CHECKING:
    from pathlib import Path


uproot = pytest.importorskip("uproot")


ENTRIES = [
    "1440608785.364249 86.98358966676925 52e46cca56cc666f",
    "1440609044.1423237 8671.105097127089 85a3c0c3b19046c8",
    "1440609090.6823363 5290.870366684367 a0a351cff71f0ccb",
    "1440609150.7120461 64202.53105119572 79497ab118e65ec7",
    "1440609153.2054515 32953.9552215445 d0e45e4c0812cd65",
    "1440609205.4602733 39843.78423841365 c48feb6e33fb61c7",
    "1440609252.5671 4231.008274953916 0752ad0f231dbca4",
    "1440609303.328537 33859.57252150062 bb0775b4490ec700",
    "1440609589.7174096 9052.935023870543 ac0721b3f1087359",
    "1440609659.9742165 3574.068541649563 e1488aaa3254e5e1",
    "1440609719.1805937 0.0 cfa5bb232e24a0b8",
]
"""Format 10: time, total energy, start of the bytes' sha256."""

ROWS = [
    "0 2 7 1440608785 364249088 86.98358966676925 1 117180955 7041117",
    "1 6 21 1440609044 142323793 8671.105097127089 0 202947022 12024172",
    "2 10 24 1440609090 682336298 5290.870366684367 0 215526692 12853589",
    "3 11 28 1440609150 712046187 16007.142779094569 1 126159859 10637334",
    "3 12 28 1440609150 712046187 13062.414025589884 0 168680502 12814495",
    "3 13 28 1440609150 712046187 13125.929512944078 1 117905873 11454118",
    "3 14 28 1440609150 712046187 8423.252943876023 0 195727570 13568097",
    "3 15 28 1440609150 712046187 13583.791789691164 0 181987982 13740435",
    "4 11 30 1440609153 205451421 10229.651713936228 0 153485902 9039188",
    "4 12 30 1440609153 205451421 8406.396939089513 0 193278111 11545519",
    "4 14 30 1440609153 205451421 5554.12353057219 0 212916644 12840801",
    "4 15 30 1440609153 205451421 8763.783037946572 0 208560502 12466684",
    "5 21 34 1440609205 460273231 39843.78423841365 2 121737925 7760614",
    "6 0 37 1440609252 567100126 4231.008274953916 0 227330298 13535591",
    "7 2 41 1440609303 328537019 33859.57252150062 0 163810295 9247203",
    "8 18 56 1440609589 717409664 9052.935023870543 0 211089887 12501342",
    "9 9 60 1440609659 974216570 3574.068541649563 0 221966336 13308641",
    "10 2 64 1440609719 180593714 0.0 1 112645182 6759101",
]
"""Format 10: entry, channel, event, seconds, nanoseconds, energy, tag, sums."""


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("mgdo") / "gerda.lh5"
    report = daq2lh5.build_raw(FILE, out_spec=out)
    assert report.clean
    assert report.packets["decoded"] == 11
    assert report.format == "MGDO"
    return out


@real_file
def test_rows_of_the_document(converted):
    """Format 10, read back by lh5."""
    table = lh5.read("GETGERDADigitizerData", str(converted))
    pre, win = table["waveform_presummed"], table["waveform_windowed"]
    names = ("packet_id", "channel", "eventnumber", "ts_sec", "ts_nsec", "daqenergy")
    names += ("waveform_tag",)
    assert len(table) == len(ROWS)
    for i, line in enumerate(ROWS):
        entry, *rest = map(float, line.split())
        found = [float(table[name].nda[i]) for name in names]
        found += [float(w.values.nda[i].sum(dtype="u8")) for w in (pre, win)]
        assert found == [entry + 1, *rest]
        time, total, _ = ENTRIES[int(entry)].split()
        assert table["timestamp"].nda[i] == float(time)
        assert table["energy_total"].nda[i] == float(total)
    for name, value in {
        "clock_frequency": 0.025,
        "pretrigger": 1000,
        "trigger_number": 1,
        "index": 0,
        "is_mu_vetoed": False,
        "mu_veto_sample": 0,
        "is_inverted": True,
        "event_type": 0,
    }.items():
        assert (table[name].nda == value).all(), name
    numbers = np.bincount(table["packet_id"].nda)[table["packet_id"].nda]
    assert (table["numtraces"].nda == numbers).all()


@real_file
def test_waveforms_of_the_document(converted):
    """Format 7 and 10: content, times, and that one array is the sum of the other."""
    with h5py.File(converted) as f:
        table = f["GETGERDADigitizerData"]
        arrays = {}
        for name, digest, t0, dt in (
            ("presummed", "38fbda6b666a65b7", 0.0, 40.0),
            ("windowed", "2dd50e175b857b90", 76420.0, 10.0),
        ):
            w = table[f"waveform_{name}"]
            values = arrays[name] = w["values"][:]
            assert values.dtype == np.uint16
            assert hashlib.sha256(values.tobytes()).hexdigest().startswith(digest)
            assert (w["t0"][:] == t0).all()
            assert (w["dt"][:] == dt).all()
            assert w["t0"].dtype == np.float32
            assert w["dt"].dtype == np.float64
            assert w["dt"].attrs["units"] == "ns"
    pre, win = arrays["presummed"], arrays["windowed"]
    sums = win[:, 2:998].reshape(18, 249, 4).sum(axis=2)
    same = (pre[:, 1911 : 1911 + 249] == sums).all(axis=1)
    # the others are saturated
    assert np.flatnonzero(~same).tolist() == [12, 17]


@real_file
def test_header_of_the_document(converted):
    """Format 6."""
    header = lh5.read("MGDOHeader", str(converted))
    found = {name: value.value for name, value in header.items()}
    assert {k: v.decode() if isinstance(v, bytes) else v for k, v in found.items()} == {
        "run_type": 0,
        "run_number": 1000,
        "run_description": "No description",
        "parent_daq_label": "Struck",
        "software": "MGDO-v01-01 / gelatio-v04-03",
        "start_time": 1440608642.0,
        "stop_time": 1440609756.0,
        "is_blinding_active": 0,
        "n_entries": 11,
        "mgtevent_version": 9,
        "mgtwaveform_version": 5,
        "digitizer_class": "GETGERDADigitizerData",
    }
    with h5py.File(converted) as f:
        assert f["MGDOHeader/run_number"].dtype == np.int32
        assert f["MGDOHeader/start_time"].attrs["units"] == "s"


@real_file
def test_writer_writes_the_real_entries(converted):
    """All 11 entries from the decoded rows, byte by byte."""
    tree = MGTree(str(FILE))
    with h5py.File(converted) as f:
        table = f["GETGERDADigitizerData"]
        columns = {n: table[n][:] for n in table if isinstance(table[n], h5py.Dataset)}
        pre = table["waveform_presummed/values"][:]
        win = table["waveform_windowed/values"][:]
    n = 0
    for number in range(tree.n_baskets):
        basket = tree.read(number)
        for i in range(len(basket.offsets) - 1):
            rows = np.flatnonzero(columns["packet_id"] == basket.first + i + 1)
            channels = columns["channel"][rows].tolist()
            entry = writer.Entry(
                [writer.Wave(pre[r], columns["channel"][r], 0.025) for r in rows],
                [
                    writer.Digitizer(
                        columns["channel"][r],
                        columns["daqenergy"][r],
                        columns["ts_sec"][r],
                        number=columns["eventnumber"][r],
                        nanoseconds=columns["ts_nsec"][r],
                        tag=columns["waveform_tag"][r],
                    )
                    for r in rows
                ],
                [
                    writer.Wave(win[r], columns["channel"][r], 0.1, 76420.0)
                    for r in rows
                ],
                total=columns["energy_total"][rows[0]],
                time=columns["timestamp"][rows[0]],
                active=[c in channels for c in range(24)],
                # format 3: where the class is named, with the basket's key (74 bytes)
                reference=0x80000000 | int(basket.offsets[i]) + 64 + 74 + 2,
            )
            data = basket.data[basket.offsets[i] : basket.offsets[i + 1]].tobytes()
            digest = hashlib.sha256(data).hexdigest()
            assert digest.startswith(ENTRIES[n].split()[2][:8])
            assert with_bits_of(entry.pack(), data) == data
            n += 1
    tree.close()
    assert n == 11


def with_bits_of(written: bytes, data: bytes) -> bytes:
    """Take over the bits of ROOT's objects, which have no meaning here."""
    assert len(written) == len(data)
    out = bytearray(written)
    marker = b"\0\1\0\0\0\0\3\0\0\0"
    at = written.find(marker)
    while at >= 0:
        out[at : at + 10] = data[at : at + 10]
        at = written.find(marker, at + 1)
    return bytes(out)


# --- the file around the tree -------------------------------------------------------


@real_file
def test_cut_and_damaged_files(tmp_path):
    """Format 11: the readable part, or an error; never a crash."""
    data = FILE.read_bytes()
    rng = np.random.default_rng(int(os.environ.get("DAQ2LH5_DAMAGE_SEED", "1")))
    path = tmp_path / "run.root"
    n = N_FILES // 5
    outcomes = set()
    for i in range(n):
        damaged = bytearray(data)
        at = int(rng.integers(4, len(data)))
        if i % 3 == 0:
            del damaged[at:]
        else:
            damaged[at : at + i % 3] = rng.bytes(i % 3)
        path.write_bytes(damaged)
        streamer = MGDOStreamer()
        try:
            streamer.open_stream(str(path))
            rows = sum(rb.loc for chunk in streamer for rb in chunk)
            report = streamer.report
            assert sum(report.packets.values()) == streamer.tree.n_entries
            outcomes.add(rows == 18)
        except DecodeError as e:
            outcomes.add("refused" if str(path) in str(e) else f"no name: {e}")
        finally:
            streamer.close_stream()
    assert outcomes == {True, False, "refused"}


@real_file
def test_basket_that_does_not_decompress(tmp_path):
    """The entries of the other baskets are decoded, these are counted."""
    data = bytearray(FILE.read_bytes())
    tree = MGTree(str(FILE))
    seek = int(tree._branch.member("fBasketSeek")[1])
    tree.close()
    data[seek + 90 : seek + 20000] = bytes(19910)
    path = tmp_path / "run.root"
    path.write_bytes(data)
    report = daq2lh5.build_raw(path)
    assert report.packets["corrupt"] == 1
    assert report.packets["decoded"] == 10
    assert "basket of entries 4 to 4" in report.damage[0].reason
    assert any("1 ranges, 1 entries lost" in line for line in report.lines())
    assert report.exit_status == 3


@real_file
@pytest.mark.parametrize("name", ["run", "IsBlindingActive"])
def test_missing_objects(tmp_path, name, monkeypatch):
    """Format 11: a header without their fields, and a note."""
    names = {"run": "run", "IsBlindingActive": "is_blinding_active"}
    empty = {"run": {}, "IsBlindingActive": -1}[name]
    monkeypatch.setattr(MGTree, names[name], lambda _: empty)
    report = daq2lh5.build_raw(FILE, out_spec=tmp_path / "out.lh5")
    assert f"no object '{name}'" in " ".join(report.notes)
    with h5py.File(tmp_path / "out.lh5") as f:
        assert ("run_number" in f["MGDOHeader"]) == (name != "run")


def other_root_file(path: Path, trees: dict[str, dict[str, Any]]) -> Path:
    with uproot.recreate(path) as f:
        for name, branches in trees.items():
            tree = f.mktree(name, {k: v.dtype for k, v in branches.items()})
            tree.extend(branches)
    return path


@pytest.mark.parametrize(
    ("trees", "words"),
    [
        ({}, "no 'MGTree' in the file, found nothing"),
        ({"other": {"x": np.arange(3)}}, "no 'MGTree' in the file, found other"),
        ({"MGTree": {"x": np.arange(3)}}, "'MGTree' has no branch 'event', found x"),
        ({"MGTree": {"event": np.arange(3)}}, "branch 'event' is a TBranch"),
    ],
)
def test_other_root_files(tmp_path, trees, words):
    """Format 11: the error names the objects found."""
    path = other_root_file(tmp_path / "other.root", trees)
    with pytest.raises(DecodeError, match=words) as caught:
        daq2lh5.build_raw(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("data", [b"root", b"root" + bytes(1000), b"not a ROOT file"])
def test_no_root_files(tmp_path, data):
    path = tmp_path / "run.root"
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"cannot be read as a ROOT|no .MGTree"):
        daq2lh5.build_raw(path, in_stream_type="MGDO")


@real_file
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_file(tmp_path, compress, converted, monkeypatch):
    """Copied to a temporary file, which is removed, for any name."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    path = tmp_path / "run"
    path.write_bytes(compress(FILE.read_bytes()))
    output = tmp_path / "o.lh5"
    report = daq2lh5.build_raw(path, out_spec=output)
    assert report.exit_status == 0
    assert report.compression is not None
    assert report.packets["decoded"] == 11
    assert list(temporary.iterdir()) == []
    table = "GETGERDADigitizerData/waveform_presummed/values"
    with h5py.File(output) as found, h5py.File(converted) as wanted:
        assert np.array_equal(found[table], wanted[table])


@real_file
@pytest.mark.parametrize("piece", [1000, 10**6])
def test_pipes(tmp_path, piece):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with fed(path, FILE.read_bytes(), piece):
        report = daq2lh5.build_raw(path, out_spec=tmp_path / "o.lh5")
    assert report.packets["decoded"] == 11
    assert report.exit_status == 0


@real_file
def test_standard_input(tmp_path):
    with FILE.open("rb") as f:
        done = subprocess.run(
            [sys.executable, "-m", "daq2lh5", "convert", "-", "-o", "o.lh5"],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdin=f,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "11 entries" in done.stdout


@real_file
def test_damaged_compression(tmp_path, monkeypatch):
    """The error describes the problem of the compressed file."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    path = tmp_path / "run.root.gz"
    data = gzip.compress(FILE.read_bytes())
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DecodeError, match=r"gzip.*the part before it cannot be read"):
        daq2lh5.build_raw(path, out_spec=tmp_path / "o.lh5")
    assert list(temporary.iterdir()) == []
    # all of it is there, but for the checksum
    path.write_bytes(data[:-8])
    report = daq2lh5.build_raw(path, out_spec=tmp_path / "o.lh5")
    assert report.packets["decoded"] == 11
    assert "gzip" in report.container_error
    assert report.exit_status == 3


@real_file
def test_names_with_colons(tmp_path):
    """They mean something to uproot."""
    path = tmp_path / "a.root:run:1.root"
    path.write_bytes(FILE.read_bytes())
    assert daq2lh5.build_raw(path, out_spec=tmp_path / "o.lh5").packets["decoded"] == 11


@real_file
def test_other_formats_do_without_uproot(tmp_path):
    """Nothing but opening an MGDO file imports it."""
    code = (
        "import sys, daq2lh5, daq2lh5.mgdo.mgdo_streamer, daq2lh5.cli\n"
        "assert not {'uproot', 'awkward', 'lgdo', 'lh5'} & set(sys.modules)\n"
        f"daq2lh5.build_raw({str(FILE)!r}, out_spec='o.lh5')\n"
        "assert 'uproot' in sys.modules\n"
        "assert not {'lgdo', 'lh5'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@real_file
def test_encoded_bytes_are_those_of_the_file(tmp_path):
    """Format 4.2: encoded by uleb128-zigzag-diff, samples are as they came."""
    out = tmp_path / "out.lh5"
    names = ("waveform_presummed", "waveform_windowed")
    compression = {f"{name}/values": "ULEB128ZigZagDiff()" for name in names}
    spec = {
        "GETGERDADigitizerDataDecoder": {
            "GETGERDADigitizerData": {
                "key_list": ["*"],
                "out_stream": str(out),
                "proc_spec": {"compression": compression},
            }
        }
    }
    daq2lh5.build_raw(FILE, out_spec=spec)
    tree = MGTree(str(FILE))
    entries = b"".join(tree.read(i).data.tobytes() for i in range(tree.n_baskets))
    tree.close()
    with h5py.File(out) as f:
        for name in names:
            values = f[f"GETGERDADigitizerData/{name}/values"]
            assert values.attrs["codec"] == "uleb128_zigzag_diff"
            data = values["encoded_data/flattened_data"][:].tobytes()
            ends = values["encoded_data/cumulative_length"][:].tolist()
            at = 0
            for start, stop in zip([0, *ends], ends, strict=False):
                # rows are in the order of the file
                at = entries.find(data[start:stop], at)
                assert at >= 0
                at += stop - start
    table = lh5.read("GETGERDADigitizerData", str(out))
    for name, digest in zip(names, ("38fbda6b", "2dd50e17"), strict=True):
        values = table[name].values.nda.astype("<u2")
        assert hashlib.sha256(values.tobytes()).hexdigest().startswith(digest)
