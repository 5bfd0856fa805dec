"""Damaged inputs: the rows that are left, and the bytes that are kept."""

from __future__ import annotations

import os

import h5py
import lh5
import numpy as np
import pytest
from kit.generators.small_run import damaged_stream
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.buffers.garbage import Garbage
from daq2lh5.errors import DecodeError
from daq2lh5.fc.fc_streamer import FCStreamer


class TestGarbage:
    def test_ranges_are_in_a_file_beside_the_output(self, tmp_path):
        data = damaged_stream()
        source = tmp_path / "run.fcio"
        source.write_bytes(data)
        out = str(tmp_path / "x.lh5")
        report = daq2lh5.build_raw(source, out_spec=out)
        assert report.exit_status == 3
        assert report.n_bytes == len(data)
        assert report.outputs == [out]
        assert report.garbage_file == f"{out}.garbage"
        assert "garbage" not in lh5.ls(out)
        table = lh5.read("garbage", f"{out}.garbage")
        assert sorted(table) == ["garbage_code", "offset", "packet_id", "packets"]
        assert len(table) == len(report.damage) == report.n_damage == 2
        for row, damage in enumerate(report.damage):
            assert table["offset"].nda[row] == damage.offset
            packet = table["packets"][row]
            assert packet.dtype == np.uint8
            assert packet.tobytes() == data[damage.offset :][: damage.length]
        assert report.garbage_bytes_kept == sum(d.length for d in report.damage)
        assert report.garbage_bytes_dropped == 0
        assert table["garbage_code"].nda.dtype == np.uint32
        assert (table["garbage_code"].nda > 0).all()
        packets = lh5.read("FCEvent/packet_id", out).nda
        assert table["packet_id"].nda[0] < packets.max()

    def test_good_input_has_no_such_file(self, whole):
        assert not os.path.exists(f"{whole}.garbage")

    def test_the_file_goes_with_its_output(self, run, tmp_path):
        """With overwrite it is replaced, or removed if nothing is damaged."""
        source = tmp_path / "cut.fcio"
        source.write_bytes(damaged_stream())
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(source, out_spec=out)
        assert os.path.exists(f"{out}.garbage")
        daq2lh5.build_raw(source, out_spec=out, overwrite=True)
        assert os.path.exists(f"{out}.garbage")
        daq2lh5.build_raw(run, out_spec=out, overwrite=True)
        assert sorted(os.listdir(tmp_path)) == ["cut.fcio", "x.lh5"]

    def test_an_older_file_is_not_replaced_without_overwrite(self, tmp_path):
        source = tmp_path / "cut.fcio"
        source.write_bytes(damaged_stream())
        (tmp_path / "x.lh5.garbage").write_bytes(b"older")
        with pytest.raises(FileExistsError, match="garbage"):
            daq2lh5.build_raw(source, out_spec=tmp_path / "x.lh5")
        assert sorted(os.listdir(tmp_path)) == ["cut.fcio", "x.lh5.garbage"]

    def test_long_names(self, tmp_path):
        source = tmp_path / "cut.fcio"
        source.write_bytes(damaged_stream())
        out = tmp_path / ("ü" * 125 + ".lh5")
        report = daq2lh5.build_raw(source, out_spec=out)
        table = lh5.read("garbage", report.garbage_file)
        assert len(table) == report.n_damage

    def test_records_on_both_sides_of_the_damage_are_kept(self, whole, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(damaged_stream())
        out = str(tmp_path / "x.lh5")
        daq2lh5.build_raw(source, out_spec=out)
        for name in ("eventnumber", "channel", "daqenergy", "waveform"):
            assert lh5.read(f"FCEvent/{name}", out) == lh5.read(
                f"FCEvent/{name}", whole
            )

    @pytest.mark.parametrize("cap", [0, 1, 49, 50, 51, 10**6])
    def test_cap(self, tmp_path, monkeypatch, cap):
        """What does not fit is counted, and the report says so."""
        data = damaged_stream()
        source = tmp_path / "run.fcio"
        source.write_bytes(data)
        monkeypatch.setattr(Garbage.__init__, "__defaults__", (cap,))
        out = str(tmp_path / "x.lh5")
        report = daq2lh5.build_raw(source, out_spec=out)
        lost = sum(d.length for d in report.damage)
        assert report.garbage_bytes_kept == min(cap, lost)
        assert report.garbage_bytes_dropped == lost - min(cap, lost)
        table = lh5.read("garbage", f"{out}.garbage")
        kept = b"".join(table["packets"][i].tobytes() for i in range(len(table)))
        whole = b"".join(data[d.offset :][: d.length] for d in report.damage)
        assert kept == whole[:cap]
        assert len(table) == report.n_damage
        assert report.n_bytes == len(data)
        if cap < lost:
            assert any("garbage" in line for line in report.lines())

    def test_a_table_of_the_users_called_garbage_is_left_alone(self, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(damaged_stream())
        config = {
            "*": {
                "{name}": {
                    "key_list": ["*"],
                    "out_stream": f"{tmp_path}/x.lh5:/garbage",
                }
            }
        }
        report = daq2lh5.build_raw(source, out_spec=config)
        with h5py.File(tmp_path / "x.lh5") as f:
            assert len(f["garbage/FCConfig/packet_id"]) == 1
        assert len(lh5.read("garbage", report.garbage_file)) == report.n_damage

    def test_garbage_of_decoders(self, tmp_path):
        """`put_in_garbage` and `write_out_garbage`, which decoders of users call."""
        decoder = FCStreamer().event_decoder
        assert decoder.garbage_table is None
        decoder.write_out_garbage(str(tmp_path / "g.lh5"))
        assert list(tmp_path.iterdir()) == []
        decoder.put_in_garbage(b"abc", 5, 7)
        decoder.put_in_garbage(np.arange(2, dtype="u2"), 6, 8)
        assert len(decoder.garbage_table) == 2
        decoder.write_out_garbage(str(tmp_path / "g.lh5"), group="x")
        assert decoder.garbage_table is None
        table = lh5.read("x/garbage", str(tmp_path / "g.lh5"))
        assert table["packets"][0].tobytes() == b"abc"
        assert table["packets"][1].tolist() == [0, 0, 1, 0]
        assert table["packet_id"].nda.tolist() == [5, 6]
        assert table["garbage_code"].nda.tolist() == [7, 8]

    def test_damage_without_any_output_table_is_an_error_of_the_input(self, tmp_path):
        """Nothing can be decoded without a configuration: no output."""
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.handshake() + b"\x77" * 100)
        with pytest.raises(DecodeError, match=r"configuration"):
            daq2lh5.build_raw(source, out_spec=tmp_path / "x.lh5")
        assert [p.name for p in tmp_path.iterdir()] == ["run.fcio"]

    def test_a_handshake_alone_is_an_empty_run(self, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.handshake())
        report = daq2lh5.build_raw(source, out_spec=tmp_path / "x.lh5")
        assert report.n_bytes == 68
        assert report.n_rows == 0
        assert report.outputs == [str(tmp_path / "x.lh5")]
