"""Uses of the classes that were found in public code.

Each test is such a script in short. All of them work with legend-daq2lh5 1.7.1, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import lgdo
import lh5
import numpy as np
import pytest
from kit.decoding.fcio import read_lh5
from kit.generators.fcio import make as make_fcio
from kit.places import TESTDATA
from kit.writers import compass, orca

import daq2lh5
from daq2lh5.buffer_processor.buffer_processor import buffer_processor
from daq2lh5.compass.compass_event_decoder import CompassEventDecoder
from daq2lh5.compass.compass_header_decoder import CompassHeaderDecoder
from daq2lh5.compass.compass_streamer import CompassStreamer
from daq2lh5.data_decoder import DataDecoder
from daq2lh5.data_streamer import DataStreamer
from daq2lh5.orca import (
    orca_fcio,
    orca_flashcam,
    orca_header_decoder,
    orca_packet,
    orca_run_decoder,
)
from daq2lh5.orca.orca_streamer import OrcaStreamer
from daq2lh5.raw_buffer import (
    RawBuffer,
    RawBufferLibrary,
    RawBufferList,
    write_to_lh5_and_clear,
)

ORCA_FILES = (
    "L200-comm-20220519-phy-geds.orca",
    "l200-p13-r007-aph-20250101T003931Z.orca",
)


@pytest.fixture
def fcio_file(tmp_path: Path) -> str:
    path = tmp_path / "run.fcio"
    path.write_bytes(make_fcio("status"))
    return str(path)


@pytest.fixture
def compass_file(tmp_path: Path) -> str:
    path = tmp_path / "DataR_run_1.BIN"
    form = compass.form()
    path.write_bytes(compass.file(form, compass.events(form, 40)))
    return str(path)


# --- streams --------------------------------------------------------------------------


def test_chunks_written_by_hand(fcio_file, tmp_path):
    """A loop that writes each chunk gives the file of `build_raw`."""
    by_hand, converted = str(tmp_path / "hand.lh5"), str(tmp_path / "built.lh5")
    store = lh5.LH5Store(keep_open=True)
    with daq2lh5.open_stream(fcio_file, buffer_size=10, out_stream=by_hand) as (
        streamer,
        header,
    ):
        write_to_lh5_and_clear(header, lh5_store=store)
        for chunk in streamer:
            write_to_lh5_and_clear([rb for rb in chunk if rb.loc], store)
    store.gimme_file(by_hand, "r").close()

    daq2lh5.build_raw(fcio_file, out_spec=converted)

    wanted = read_lh5(converted)
    found = read_lh5(by_hand)
    assert found.keys() == wanted.keys() == {"FCConfig", "FCEvent", "FCStatus"}
    for name, value in wanted["FCEvent"].items():
        assert np.array_equal(found["FCEvent"][name], value), name


def test_library_of_buffers_made_by_hand(fcio_file, tmp_path):
    """Buffers put together object by object are filled and written."""
    out = str(tmp_path / "out.lh5")
    rbs = RawBufferList()
    rbs.append(RawBuffer(key_list=["*"], out_stream=f"{out}:raw", out_name="events"))
    library = RawBufferLibrary()
    library["FCEventDecoder"] = rbs

    with daq2lh5.open_stream(fcio_file, rb_lib=library, buffer_size=64) as (stream, _):
        assert stream.rb_lib is library
        for chunk in stream:
            write_to_lh5_and_clear(chunk)

    assert lh5.ls(out, "raw/") == ["raw/events"]
    assert len(lh5.read("raw/events", out)) == 25 * 8
    assert library.get_list_of("out_stream") == [f"{out}:raw"]
    assert len(rbs.get_keyed_dict()) == 8


class Counts(DataDecoder):
    """A user's decoder."""

    def __init__(self) -> None:
        self.decoded_values: dict[str, dict[str, Any]] = {
            "number": {"dtype": "uint32"},
            "wf": {
                "dtype": "uint16",
                "datatype": "waveform",
                "wf_len": 4,
                "dt": 16,
                "dt_units": "ns",
                "t0_units": "ns",
            },
            "hits": {
                "dtype": "uint16",
                "datatype": "array<1>{array<1>{real}}",
                "length_guess": 3,
            },
        }
        super().__init__()

    def get_decoded_values(self, key: int | None = None) -> dict[str, Any]:
        return self.decoded_values

    def get_key_lists(self) -> list[list[int]]:
        return [[0, 1], [2]]

    def decode_packet(self, packet: int, rbkd: dict[int, RawBuffer]) -> bool:
        rb = rbkd[packet % 3]
        table = rb.lgdo
        table["number"].nda[rb.loc] = packet
        table["wf"]["values"].nda[rb.loc, :] = packet
        table["hits"]._set_vector_unsafe(rb.loc, np.arange(packet % 4, dtype="u2"))
        rb.loc += 1
        return rb.is_full()


class CountStreamer(DataStreamer):
    """A user's streamer, as documented for the base class."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = Counts()

    def get_decoder_list(self) -> list[DataDecoder]:
        return [self.decoder]

    def open_stream(self, stream_name: str, *args: Any, **kwargs: Any) -> list:
        super().open_stream(stream_name, *args, **kwargs)
        self.left = 25
        self.rbkd = self.rb_lib["Counts"].get_keyed_dict()
        return []

    def close_stream(self) -> None:
        self.left = 0

    def read_packet(self) -> bool:
        if not self.left:
            return False
        self.left -= 1
        self.packet_id += 1
        self.n_bytes_read += 8
        self.any_full |= self.decoder.decode_packet(25 - self.left, self.rbkd)
        return True


def test_streamer_and_decoder_of_others(tmp_path):
    """Classes derived from the public bases stream into tables and files."""
    out = str(tmp_path / "own.lh5")
    library = RawBufferLibrary(
        {"Counts": {"ch{key}": {"key_list": [[0, 2]], "out_stream": out}}}
    )
    streamer = CountStreamer()
    streamer.open_stream("counter", rb_lib=library, buffer_size=4)

    for chunk in streamer:
        write_to_lh5_and_clear(chunk)
    streamer.close_stream()

    assert sorted(lh5.ls(out)) == ["ch0", "ch1", "ch2"]
    table = lh5.read("ch1", out)
    assert table["number"].nda.tolist() == list(range(1, 26, 3))
    assert [len(table["hits"][i]) for i in range(3)] == [1, 0, 3]
    assert table["wf"].values.nda[2].tolist() == [7] * 4
    assert streamer.n_bytes_read == 200


# --- other formats of output ----------------------------------------------------------


def test_parquet_from_arrow_views(compass_file, tmp_path):
    """CoMPASS data go through Arrow to Parquet, and from there to an LGDO table."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "raw.parquet"
    n_rows = 0
    with daq2lh5.open_stream(
        compass_file, in_stream_type="Compass", buffer_size=16
    ) as (streamer, _):
        buffers = streamer.rb_lib["CompassEventDecoder"]
        base = buffers[0].lgdo.view_as("arrow").schema
        base = base.with_metadata(
            {k: v for k, v in base.metadata.items() if k != b"datatype"}
        )
        n_samples = base.field("waveform").type.field("values").type.list_size
        schema = base.append(pa.field("run", pa.int64()))
        encoding = {"waveform.values.list.element": "DELTA_BINARY_PACKED"}
        with pq.ParquetWriter(
            out, schema, use_dictionary=False, column_encoding=encoding
        ) as writer:
            for chunk in streamer:
                for rb in chunk:
                    if rb.out_name != "CompassEvent":
                        continue
                    rows = rb.lgdo.view_as("arrow").slice(0, rb.loc)
                    rows = rows.append_column("run", pa.repeat(1, rb.loc))
                    writer.write_table(rows.cast(schema))
                    n_rows += rb.loc

    daq2lh5.build_raw(compass_file, out_spec=str(tmp_path / "raw.lh5"))
    wanted = lh5.read("CompassEvent", str(tmp_path / "raw.lh5"))
    found = pq.read_table(out).drop(["run"]).combine_chunks()
    assert n_rows == len(wanted) == 40
    assert found["energy"].to_pylist() == wanted["energy"].nda.tolist()
    table = lgdo.Table(found)
    assert table["waveform"]["values"].nda.shape == (40, n_samples)
    assert np.array_equal(
        table["waveform"]["values"].nda, wanted["waveform"].values.nda
    )


@pytest.mark.parametrize("library", ["pd", "np", "ak"])
def test_views_of_chunks(library, fcio_file):
    """A chunk's columns can be seen by other libraries."""
    with daq2lh5.open_stream(fcio_file, buffer_size=64) as (streamer, _):
        chunk = streamer.read_chunk()
        rb = next(rb for rb in chunk if rb.out_name == "FCEvent")
        if library == "np":
            numbers = rb.lgdo["eventnumber"].view_as("np")
        else:
            numbers = rb.lgdo.view_as(library)["eventnumber"]

    assert list(numbers[: rb.loc]) == rb.lgdo["eventnumber"].nda[: rb.loc].tolist()


def test_processing_of_a_table_at_hand(fcio_file):
    """`buffer_processor` takes any table in a buffer, also if `loc` is 0."""
    with daq2lh5.open_stream(fcio_file, buffer_size=64) as (streamer, _):
        chunk = streamer.read_chunk()
        rb = next(rb for rb in chunk if rb.out_name == "FCEvent")
    spec = {"window": ["waveform", 1, -1, "wf"], "drop": ["waveform"]}
    own = RawBuffer(lgdo=rb.lgdo, out_name="events", proc_spec=spec)

    table = buffer_processor(own)

    assert len(table) == len(rb.lgdo)
    assert "waveform" not in table
    assert np.array_equal(
        table["wf"].values.nda, rb.lgdo["waveform"].values.nda[:, 1:-1]
    )


# --- packets one at a time ------------------------------------------------------------


def decoders_of_orca() -> dict[str, type]:
    modules = (orca_fcio, orca_flashcam, orca_header_decoder, orca_run_decoder)
    return {name: cls for module in modules for name, cls in vars(module).items()}


def decode_packets(path: str, rows: int) -> dict[str, list[RawBuffer]]:
    """Decode an ORCA file packet by packet into the user's tables."""
    streamer = OrcaStreamer()
    streamer.open_stream(path)
    names = streamer.header.get_id_to_decoder_name_dict()
    classes = decoders_of_orca()
    decoders: dict[str, Any] = {}
    lists: dict[str, RawBufferList] = {}
    while (packet := streamer.load_packet()) is not None:
        name = names[int(orca_packet.get_data_id(packet))]
        if name == "OrcaHeaderDecoder":
            continue
        if name not in decoders:
            decoder = decoders[name] = classes[name](header=streamer.header)
            rbs = lists[name] = RawBufferList()
            for keys in filter(None, decoder.get_key_lists()):
                table = decoder.make_lgdo(key=keys[0], size=rows)
                rbs.append(RawBuffer(lgdo=table, key_list=keys))
        decoders[name].decode_packet(packet, streamer.packet_id, lists[name])
    streamer.close_stream()
    return lists


@pytest.mark.skipif(
    not (TESTDATA / "orca").is_dir(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory with them",
)
@pytest.mark.parametrize("name", ORCA_FILES)
def test_real_orca_file_packet_by_packet(name, tmp_path):
    """All rows in the user's tables are those of a conversion.

    In one of the files the header says 4096 samples, and the traces have 6402.
    """
    path, out = str(TESTDATA / "orca" / name), str(tmp_path / "out.lh5")
    daq2lh5.build_raw(path, out_spec=out)
    written = tables_with_ids(out)

    found = {}
    for rbs in decode_packets(path, 600).values():
        for rb in rbs:
            if rb.loc and "packet_id" in rb.lgdo:
                found[tuple(rb.lgdo["packet_id"].nda[: rb.loc])] = rb

    assert len(found) >= 2
    for ids, rb in found.items():
        names = [n for n, wanted in written.items() if ids == tuple(wanted)]
        assert names, rb
        if "waveform" in rb.lgdo:
            wanted = lh5.read(names[0], out)["waveform"].values.nda
            assert np.array_equal(rb.lgdo["waveform"].values.nda[: rb.loc], wanted)


def tables_with_ids(path: str) -> dict[str, np.ndarray]:
    """Return the numbers of the packets of all tables in a file."""
    found: dict[str, np.ndarray] = {}

    def look(name: str, item: Any) -> None:
        if name.endswith("/packet_id"):
            found[name.removesuffix("/packet_id")] = item[()]

    with h5py.File(path) as file:
        file.visititems(look)
    return found


def test_traces_of_another_length_than_the_header_says(tmp_path):
    """An empty table takes its first trace's length; one with rows keeps its own."""
    header = orca.header(
        crates=[orca.crate(0, [orca.flashcam_adc(1, 0x120)])],
        aux_hw=[orca.listener(1, samples=4096)],
        readouts=[orca.readout(1, [(0, 1)])],
    )
    place = {"crate": 0, "slot": 1, "address": 0x120}
    traces = [orca.flashcam_waveform(range(n), **place) for n in (8, 8, 6)]
    path = tmp_path / "run.orca"
    path.write_bytes(b"".join([orca.header_packet(header), *traces]))
    streamer = OrcaStreamer()
    streamer.open_stream(str(path))
    decoder = orca_flashcam.ORFlashCamADCWaveformDecoder(header=streamer.header)
    keys = decoder.get_key_lists()[0]
    rb = RawBuffer(lgdo=decoder.make_lgdo(key=keys[0], size=9), key_list=keys)
    rbs = RawBufferList()
    rbs.append(rb)
    assert rb.lgdo["waveform"].values.nda.shape == (9, 4096)

    decoder.decode_packet(streamer.load_packet(1), 1, rbs)
    decoder.decode_packet(streamer.load_packet(2), 2, rbs)

    assert rb.lgdo["waveform"].values.nda[:2].tolist() == [[*range(8)]] * 2
    assert decoder.get_decoded_values(keys[0])["waveform"]["wf_len"] == 8
    with pytest.raises(
        ValueError, match="has 6 samples, but the rows of its buffer have 8: use"
    ):
        decoder.decode_packet(streamer.load_packet(3), 3, rbs)
    assert rb.loc == 2
    streamer.close_stream()


def test_bytes_read_grow_with_the_packets_loaded(tmp_path):
    """A progress bar can show how far the packets are read."""
    path = tmp_path / "run.orca"
    parts = [orca.header_packet(orca.header()), *(orca.heartbeat() for _ in range(5))]
    path.write_bytes(b"".join(parts))
    streamer = OrcaStreamer()
    streamer.open_stream(str(path))
    seen = []
    while streamer.load_packet() is not None:
        seen.append(streamer.n_bytes_read)
    streamer.close_stream()

    assert seen == np.cumsum([len(part) for part in parts])[-len(seen) :].tolist()
    assert seen[-1] == path.stat().st_size


def test_compass_header_from_the_stream_at_hand(compass_file):
    """The header decoder reads from an open file, and from that of a streamer."""
    streamer = CompassStreamer()
    streamer.set_in_stream(compass_file)
    assert not streamer.in_stream.closed
    decoder = CompassHeaderDecoder()

    header = decoder.decode_header(streamer.in_stream)
    with Path(compass_file).open("rb") as f:
        same = CompassHeaderDecoder().decode_header(f)

    assert header["energy_channels"].value == same["energy_channels"].value
    streamer.close_stream()


def test_compass_packet_by_packet(compass_file):
    """Each packet goes to the table of its channel."""
    streamer = CompassStreamer()
    streamer.open_stream(compass_file)
    decoder = CompassEventDecoder(streamer.header)
    rbkd = {}
    for keys in decoder.get_key_lists():
        for key in keys:
            rbkd[key] = RawBuffer(lgdo=decoder.make_lgdo(key=key, size=50))
    n = 0
    while (packet := streamer.load_packet()) is not None:
        decoder.decode_packet(packet, rbkd, n, streamer.header)
        n += 1
    streamer.close_stream()

    assert n == 40
    assert (
        sum(rb.loc for rb in rbkd.values()) + sum(decoder.skipped_channels.values())
        == n
    )
