"""Decoders that get an object of the package ``fcio``.

Their rows must equal those of the streamer: ``fcio`` and the package's own kernel are
two readers of one format.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import lgdo
import numpy as np
import pytest
from kit.decoding.fcio import Decoded, decode, differences, read_lh5
from kit.decoding.tables import append_rows, rows_of
from kit.generators.fcio import KINDS, P06, SPMS, make, real_files
from kit.places import TESTDATA
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.fc.fc_config_decoder import FCConfigDecoder
from daq2lh5.fc.fc_event_decoder import FCEventDecoder
from daq2lh5.fc.fc_eventheader_decoder import FCEventHeaderDecoder
from daq2lh5.fc.fc_fsp_decoder import (
    FSPConfigDecoder,
    FSPEventDecoder,
    FSPStatusDecoder,
)
from daq2lh5.fc.fc_status_decoder import FCStatusDecoder
from daq2lh5.fc.fc_streamer import FCStreamer
from daq2lh5.orca.orca_packet import get_data_id
from daq2lh5.orca.orca_streamer import OrcaStreamer
from daq2lh5.raw_buffer import RawBuffer

if TYPE_CHECKING:
    from pathlib import Path

fcio = pytest.importorskip("fcio", reason="the package fcio is not installed")

P13 = "l200-p13-r007-aph-20250101T003931Z.orca"

DECODERS = {
    "FCEvent": FCEventDecoder,
    "FCEventHeader": FCEventHeaderDecoder,
    "FCStatus": FCStatusDecoder,
    "FSPEvent": FSPEventDecoder,
    "FSPStatus": FSPStatusDecoder,
}


class Buffers:
    """Tables of a script: one for each decoder, for all its keys."""

    def __init__(self, stream: Any, rows: int) -> None:
        self.decoders = {name: decoder() for name, decoder in DECODERS.items()}
        self.rbs = {}
        self.keyed = {}
        for name, decoder in self.decoders.items():
            decoder.set_fcio_stream(stream)
            keys = [key for keys in decoder.get_key_lists() for key in keys]
            rb = RawBuffer(lgdo=decoder.make_lgdo(key=keys[0], size=rows))
            self.rbs[name] = rb
            self.keyed[name] = dict.fromkeys(keys, rb)

    def decode(self, name: str, stream: Any, packet_id: int, *details: Any) -> None:
        self.decoders[name].decode_packet(stream, self.keyed[name], packet_id, *details)


def config_rows(stream: Any) -> dict[str, list[Any]]:
    decoder = FCConfigDecoder()
    rb = RawBuffer(lgdo=decoder.make_lgdo(size=1))
    assert decoder.decode_packet(stream, rb, 0) is True
    return rows_of(rb)


def struct_values(struct: lgdo.Struct) -> dict[str, Any]:
    return {
        name: getattr(value, "nda", getattr(value, "value", None))
        for name, value in struct.items()
    }


def read_by_objects(path: str | Path, rows: int = 20_000) -> Decoded:
    """Read a file with ``fcio``, and pass each record to the decoders."""
    tags = fcio.Tags
    stream = fcio.fcio_open(str(path))
    buffers = Buffers(stream, rows)
    tables = {"FCConfig": config_rows(stream)}
    if stream.fsp:
        tables["FSPConfig"] = struct_values(FSPConfigDecoder().decode_config(stream))
    packet_id = 0
    while stream.get_record():
        if stream.tag in (tags.FSPConfig, tags.FSPEvent, tags.FSPStatus):
            assert stream.get_record()
        packet_id += 1
        if stream.tag in (tags.Event, tags.SparseEvent):
            buffers.decode("FCEvent", stream, packet_id)
            if stream.fsp:
                buffers.decode("FSPEvent", stream, packet_id)
        elif stream.tag == tags.EventHeader:
            buffers.decode("FCEventHeader", stream, packet_id)
            if stream.fsp:
                buffers.decode("FSPEvent", stream, packet_id, True)
        elif stream.tag == tags.Status:
            buffers.decode("FCStatus", stream, packet_id)
            if stream.fsp:
                buffers.decode("FSPStatus", stream, packet_id)
    stream.close()
    for name, rb in buffers.rbs.items():
        if rb.loc:
            append_rows(tables, name, rows_of(rb))
    return tables


# --- all records give the rows of the streamer ----------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_the_streamer(kind, file):
    """For every kind of stream, all rows of all tables are equal bit by bit."""
    file.write_bytes(make(kind))

    assert differences(read_by_objects(file), decode(file).tables) == []


@real_files
@pytest.mark.parametrize("name", [SPMS, P06])
def test_rows_of_real_files_are_those_that_are_written(name, tmp_path):
    """Rows of real files equal those of a conversion."""
    path = TESTDATA / "fcio" / name
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(str(path), out_spec=str(out))
    written = read_lh5(out)

    found = read_by_objects(path, rows=500)

    assert found.keys() <= written.keys()
    for table, columns in found.items():
        for column, rows in columns.items():
            for a, b in zip(rows, written[table][column], strict=True):
                assert np.array_equal(a, b), (table, column)


def fcio_stream_of(orca_file: Path) -> bytes:
    """Concatenate the FCIO records in the packets of an ORCA file."""
    streamer = OrcaStreamer()
    streamer.open_stream(str(orca_file))
    names = streamer.header.get_id_to_decoder_name_dict()
    streamer.close_stream()
    streamer = OrcaStreamer()
    streamer.set_in_stream(str(orca_file))
    parts = []
    while (packet := streamer.load_packet()) is not None:
        if "FCIO" in names.get(int(packet[0]) >> 18, "") and packet[0] & 0x3FFFF:
            payload = packet[2:].tobytes()
        elif "FCIO" in names.get(int(packet[0]) >> 18, ""):
            payload = packet[3:].tobytes()
        else:
            continue
        at = 0
        while len(payload) - at >= 4:
            (header,) = struct.unpack_from("<i", payload, at)
            at += 4 + (64 if header == -1_000_000_001 else max(header, 0))
        parts.append(payload[:at])
    streamer.close_stream()
    return b"".join(parts)


@real_files
def test_real_event_headers_and_software_trigger(file):
    """Event headers, and their records of the software trigger, are equal, too."""
    file.write_bytes(fcio_stream_of(TESTDATA / "orca" / P13))

    found = read_by_objects(file, rows=1000)

    assert found.keys() >= {"FCEvent", "FCEventHeader", "FSPConfig", "FSPEvent"}
    assert len(found["FCEventHeader"]["packet_id"]) == 497
    assert differences(found, decode(file).tables) == []


@real_files
def test_packets_of_orca_read_from_memory():
    """Scripts that read each ORCA packet with ``fcio`` get the same rows, too."""
    path = TESTDATA / "orca" / P13
    streamer = OrcaStreamer()
    streamer.open_stream(str(path))
    names = streamer.header.get_id_to_decoder_name_dict()
    stream = fcio.FCIO()
    buffers = None
    while (packet := streamer.load_packet()) is not None:
        name = names[int(get_data_id(packet))]
        if name == "ORFCIOConfigDecoder":
            stream.open(memoryview(packet[3:]))
            buffers = Buffers(stream, 600)
        elif name == "ORFCIOEventHeaderDecoder":
            stream.set_mem_field(memoryview(packet[3:]))
            while stream.get_record():
                packet_id = streamer.packet_id
                if stream.tag == fcio.Tags.FSPEvent:
                    buffers.decode("FSPEvent", stream, packet_id, True)
                if stream.tag == fcio.Tags.EventHeader:
                    buffers.decode("FCEventHeader", stream, packet_id)
    streamer.close_stream()

    with daq2lh5.open_stream(str(path), buffer_size=600) as (wanted, _):
        wanted.read_chunk()
        for table, key in (("FCEventHeader", "fcid_1"), ("FSPEvent", "swtid_1")):
            rb = wanted.rb_lib["ORFCIOEventHeaderDecoder"].get_keyed_dict()
            rows = {table: rows_of(rb[f"{key}/evt_hdr"], by_lgdo=True)}
            assert len(rows[table]["packet_id"]) == 497
            assert differences({table: rows_of(buffers.rbs[table])}, rows) == []


# --- freedoms of scripts --------------------------------------------------------------


def test_times_count_all_events_that_the_object_has_read(file):
    """A decoder that gets only the last event has its run and dead time."""
    file.write_bytes(writer.make_stream(20, kind="sparse", deadtime=True, n_samples=5))
    stream = fcio.fcio_open(str(file))
    for _ in range(20):
        assert stream.get_record()

    buffers = Buffers(stream, 10)
    buffers.decode("FCEvent", stream, 20)

    found = rows_of(buffers.rbs["FCEvent"])
    wanted = decode(file).tables["FCEvent"]
    n = len(found["packet_id"])
    assert found["deadtime"] == wanted["deadtime"][-n:]
    assert max(found["deadtime"]) > 0
    assert found["runtime"] == wanted["runtime"][-n:]
    assert found["lifetime"] == wanted["lifetime"][-n:]


def test_no_call_of_set_fcio_stream_is_needed(file):
    """Decoders take the configuration from the object, in place of their own."""
    file.write_bytes(make("sparse"))
    other = file.with_name("other.fcio")
    other.write_bytes(make("sparse", n_samples=9, streamid=2))
    decoder = FCEventDecoder()
    for path, samples, fcid in ((file, 16, 1), (other, 9, 2), (file, 16, 1)):
        stream = fcio.fcio_open(str(path))
        assert stream.get_record()
        known = FCEventDecoder()
        known.set_fcio_stream(stream)
        table = known.make_lgdo(size=10)
        rb = RawBuffer(lgdo=table)

        decoder.decode_packet(stream, dict.fromkeys(known.key_list, rb), 7)

        n = stream.event.num_traces
        assert rb.loc == n
        assert set(table["packet_id"].nda[:n]) == {7}
        assert set(table["fcid"].nda[:n]) == {fcid}
        assert table["waveform"].values.nda.shape[1] == samples
        assert np.array_equal(table["waveform"].values.nda[:n], stream.event.trace)


def test_arguments_have_the_names_that_scripts_use(file):
    """Each argument of `decode_packet` can be named."""
    file.write_bytes(
        writer.make_stream(9, fsp=True, kind=("event", "header"), status_every=1)
    )
    stream = fcio.fcio_open(str(file))
    buffers = Buffers(stream, 100)
    names = {
        "FCEvent": "evt_rbkd",
        "FCEventHeader": "evt_hdr_rbkd",
        "FCStatus": "status_rbkd",
        "FSPEvent": "fsp_evt_rbkd",
        "FSPStatus": "fsp_status_rbkd",
    }
    done = set()
    while stream.get_record():
        for name, argument in names.items():
            arguments = {argument: buffers.keyed[name], "packet_id": 3}
            try:
                buffers.decoders[name].decode_packet(fcio=stream, **arguments)
            except ValueError:
                continue
            done.add(name)
    assert done == set(names)
    config = FSPConfigDecoder()
    rb = RawBuffer(lgdo=lgdo.Table({"packet_id": lgdo.Array(np.zeros(2, "u4"))}))
    assert not config.decode_packet(fcio=stream, fsp_config_rb=rb, packet_id=5)
    rb_config = RawBuffer(lgdo=FCConfigDecoder().make_lgdo(size=1))
    FCConfigDecoder().decode_packet(fcio=stream, config_rb=rb_config, packet_id=5)
    assert rb.lgdo["packet_id"].nda[0] == rb_config.lgdo["packet_id"].nda[0] == 5


def test_configuration_as_struct(file):
    """`decode_config` returns the scalars of the configuration, and keys."""
    file.write_bytes(make("fsp"))
    stream = fcio.fcio_open(str(file))
    decoder = FCConfigDecoder()

    config = decoder.decode_config(stream)

    assert config["nsamples"].value == stream.config.eventsamples
    assert config["adccards"].value.dtype == np.int32
    assert np.array_equal(config["tracemap"].nda, stream.config.tracemap)
    assert decoder.get_key_lists() == [["fcid_1/config"]]
    fsp = FSPConfigDecoder()
    fsp.set_fcio_stream(stream)
    assert fsp.get_key_lists() == [["swtid_1/config"]]
    assert struct_values(fsp.make_lgdo()).keys() == struct_values(fsp.fsp_config).keys()


def test_rows_of_the_software_trigger_settings(file):
    """FSPConfig as a table of rows has the values of the struct."""
    file.write_bytes(make("fsp"))
    stream = fcio.fcio_open(str(file))
    decoder = FSPConfigDecoder()
    table = lgdo.Table(
        {
            "packet_id": lgdo.Array(np.zeros(1, "u4")),
            "buffer_max_states": lgdo.Array(np.zeros(1, "i4")),
            "dsp_wps_gains": lgdo.VectorOfVectors(shape_guess=(1, 9), dtype="f4"),
        }
    )
    rb = RawBuffer(lgdo=table)

    assert decoder.decode_packet(stream, rb, 4) is True

    wanted = FSPConfigDecoder().decode_config(stream)
    assert table["packet_id"].nda[0] == 4
    assert table["buffer_max_states"].nda[0] == wanted["buffer_max_states"].value
    assert np.array_equal(table["dsp_wps_gains"][0], wanted["dsp_wps_gains"].nda)


def test_unselected_traces_are_counted(file):
    """A table for one channel gets its rows; others are counted by key."""
    file.write_bytes(make("full"))
    stream = fcio.fcio_open(str(file))
    decoder = FCEventDecoder()
    decoder.set_fcio_stream(stream)
    key, *others = decoder.key_list
    rb = RawBuffer(lgdo=decoder.make_lgdo(key=key, size=2))
    full = []
    for packet_id in range(2):
        stream.get_record()
        full.append(decoder.decode_packet(stream, {key: rb}, packet_id))

    assert full == [False, True]
    assert decoder.skipped_channels == dict.fromkeys(others, 2)


def test_full_table(file):
    """Where a table has no row left, nothing is written elsewhere."""
    file.write_bytes(make("one channel"))
    stream = fcio.fcio_open(str(file))
    stream.get_record()
    decoder = FCEventDecoder()
    decoder.set_fcio_stream(stream)
    rb = RawBuffer(lgdo=decoder.make_lgdo(size=1))
    rbkd = {decoder.key_list[0]: rb}
    decoder.decode_packet(stream, rbkd, 1)

    with pytest.raises(ValueError, match="does not fit"):
        decoder.decode_packet(stream, rbkd, 2)


@pytest.mark.parametrize("name", DECODERS)
def test_record_of_another_kind_is_refused(name, file):
    """The current record must be the decoder's; an old one is never used instead."""
    file.write_bytes(writer.make_stream(2, fsp=True))
    stream = fcio.fcio_open(str(file))
    buffers = Buffers(stream, 10)
    # at the configuration still

    with pytest.raises(ValueError, match="at a record with tag 1, not"):
        buffers.decode(name, stream, 1)
    assert buffers.rbs[name].loc == 0


def test_stream_that_is_not_open_is_refused():
    """An object that has read nothing has no configuration."""
    with pytest.raises(ValueError, match="open a stream first"):
        FCEventDecoder().set_fcio_stream(fcio.FCIO())


def test_missing_software_trigger_is_refused(file):
    """Decoders of the software trigger raise an error if the stream has none."""
    file.write_bytes(make("full"))
    stream = fcio.fcio_open(str(file))
    stream.get_record()
    with pytest.raises(ValueError, match="no stream processor"):
        FSPEventDecoder().decode_packet(stream, {}, 1)


def test_bytes_and_objects_in_turn(file):
    """One decoder takes bytes and objects, with a stream for each."""
    records = list(writer.Stream(3, kind="sparse", n_channels=3, n_samples=8).records())
    file.write_bytes(writer.assemble(records)[0])
    streamer = FCStreamer()
    streamer.open_stream(str(file))
    stream = fcio.fcio_open(str(file))
    stream.get_record()
    decoder = FCEventDecoder()
    decoder.set_fcio_stream(streamer.fcio)
    rb = RawBuffer(lgdo=decoder.make_lgdo(size=20))
    rbkd = dict.fromkeys(decoder.key_list, rb)

    decoder.decode_packet(records[1], rbkd, 1)
    n = rb.loc
    decoder.decode_packet(stream, rbkd, 1)

    rows = rows_of(rb)
    assert rb.loc == 2 * n
    for values in rows.values():
        assert all(
            np.array_equal(a, b) for a, b in zip(values[:n], values[n:], strict=True)
        )
    streamer.close_stream()


def test_object_is_known_by_its_attributes(file):
    """Any object with the interface of ``fcio.FCIO`` works, such as wrappers."""
    file.write_bytes(make("full"))
    stream = fcio.fcio_open(str(file))
    stream.get_record()
    names = ("config", "event", "status", "fsp", "tag", "get_record")
    stand_in = SimpleNamespace(**{name: getattr(stream, name) for name in names})
    buffers = Buffers(stand_in, 10)

    buffers.decode("FCEvent", stand_in, 1)

    assert buffers.rbs["FCEvent"].loc == 3


def test_fcio_is_not_imported(file):
    """The package is the user's: ours never imports it."""
    file.write_bytes(make("full"))
    code = (
        "import sys, daq2lh5, daq2lh5.orca.orca_fcio\n"
        "from daq2lh5.fc.fc_streamer import FCStreamer\n"
        "with daq2lh5.open_stream(sys.argv[1]) as (streamer, _):\n"
        "    list(streamer)\n"
        "assert 'fcio' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True)
