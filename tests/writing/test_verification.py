"""Verified compression: a spoilt chunk does not get into a file.

Faults are made by standing in for the compressors: what they return is then a sound
stream of other bytes, a stream that is cut, or nothing of the kind.
"""

from __future__ import annotations

import json
import zlib
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5 import build_raw, cli
from daq2lh5.buffer_processor.lh5_buffer_processor import process_file
from daq2lh5.errors import VerificationError
from daq2lh5.writing import filters
from daq2lh5.writing.filters import ChunkEncoder, Filters, reads_back

WaveformDeflater = filters.WaveformDeflater


def of_other_bytes(packed: bytes) -> bytes:
    """A sound stream of as many bytes, one of which is another one."""
    data = bytearray(zlib.decompress(packed))
    data[len(data) // 2] ^= 1
    return zlib.compress(bytes(data), 9)


def of_fewer_bytes(packed: bytes) -> bytes:
    return zlib.compress(zlib.decompress(packed)[:-1], 9)


def of_more_bytes(packed: bytes) -> bytes:
    return zlib.compress(zlib.decompress(packed) + b"\0", 9)


FAULTS = {
    "another byte": of_other_bytes,
    "a byte less": of_fewer_bytes,
    "a byte more": of_more_bytes,
    "cut": lambda packed: packed[:-5],
    "checksum": lambda packed: packed[:-1] + bytes([packed[-1] ^ 1]),
    "no stream": lambda packed: bytes(len(packed)),
    "empty": lambda packed: b"",
}


@pytest.fixture(params=FAULTS)
def spoilt(request, monkeypatch):
    """The deflate for waveforms makes a fault in each chunk."""

    class Spoilt:
        def __init__(self):
            self._right = WaveformDeflater()

        def compress(self, source, itemsize):
            return FAULTS[request.param](self._right.compress(source, itemsize))

    monkeypatch.setattr(filters, "WaveformDeflater", Spoilt)


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run.fcio"
    path.write_bytes(writer.make_stream(400, n_channels=4, n_samples=600))
    return path


def contents(path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, node: (
                found.update({name: node[()]})
                if isinstance(node, h5py.Dataset)
                else None
            )
        )
    return found


def same(one, other) -> bool:
    a, b = contents(one), contents(other)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


class TestChunks:
    """One chunk, and what is found out about it."""

    SHUFFLED = Filters(known=True, shuffle=True, compressor="fast")
    ROWS = np.random.default_rng(1).normal(9000, 4, (50, 500)).astype(np.uint16)

    def encode(self, encoder, filters_=SHUFFLED, waveforms=True, rows=ROWS, **options):
        # two pieces, and a rest of zeros
        pieces, size = [rows[:20], rows[20:]], rows.nbytes + 1000
        where = ("wf/values", 64)
        return encoder.encode(
            pieces, size, 2, filters_, waveforms=waveforms, where=where, **options
        )

    def expected(self, shuffle=True):
        data = self.ROWS.tobytes() + bytes(1000)
        if not shuffle:
            return data
        return np.frombuffer(data, np.uint8).reshape(-1, 2).T.tobytes()

    @pytest.mark.parametrize("whole", [True, False])
    def test_sound_chunks_are_the_same_bytes(self, whole):
        for waveforms in (True, False):
            plain, careful = ChunkEncoder(), ChunkEncoder(verify=True)
            if whole:
                args = ([self.ROWS], self.ROWS.nbytes, 2, self.SHUFFLED, waveforms)
                assert plain.encode(*args) == careful.encode(*args)
            else:
                assert self.encode(plain, waveforms=waveforms) == self.encode(
                    careful, waveforms=waveforms
                )
            assert careful.faults == []

    def test_fault_is_seen_and_mended(self, spoilt):
        encoder = ChunkEncoder(verify=True)
        payload, mask = self.encode(encoder)
        assert mask == 0
        assert zlib.decompress(payload) == self.expected()
        assert encoder.faults == [("wf/values", 64)]

    def test_mended_chunk_is_that_of_zlib(self, spoilt):
        mended = self.encode(ChunkEncoder(verify=True))
        assert mended == self.encode(ChunkEncoder(), waveforms=False)

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("compressor", ["fast", "deflate"])
    def test_fault_of_zlib_is_an_error(self, compressor, fault, monkeypatch):
        stand_in = SimpleNamespace(
            compress=lambda *a: FAULTS[fault](zlib.compress(*a)),
            decompress=zlib.decompress,
            error=zlib.error,
        )
        monkeypatch.setattr(filters, "zlib", stand_in)
        chosen = Filters(known=True, shuffle=True, compressor=compressor, level=4)
        with pytest.raises(VerificationError, match=r"'wf/values'.* row 64\b"):
            self.encode(ChunkEncoder(verify=True), chosen, waveforms=False)

    def test_fault_of_zstandard_is_an_error(self, monkeypatch):
        encoder = ChunkEncoder(verify=True)
        chosen = Filters(known=True, shuffle=False, compressor="zstd", level=3)
        right, _ = self.encode(encoder, chosen, waveforms=False)
        compressor = encoder._zstd_compressor(3)
        other = compressor.compress(bytes(self.ROWS.nbytes + 1000))
        for wrong in (other, right[:-3], b"", b"no frame at all"):
            stand_in = SimpleNamespace(compress=lambda _, wrong=wrong: wrong)
            monkeypatch.setitem(encoder._zstd, 3, stand_in)
            with pytest.raises(VerificationError, match="wf/values"):
                self.encode(encoder, chosen, waveforms=False)

    def test_what_is_stored_as_it_is_needs_no_look(self):
        noise = np.random.default_rng(2).integers(0, 2**16, (50, 500), np.uint16)
        chosen = Filters(known=True, shuffle=True, compressor="fast", raw_mask=2)
        args = ([noise], noise.nbytes, 2, chosen)
        assert ChunkEncoder(verify=True).encode(*args)[1] == 2
        # where it must be compressed all the same, it is verified
        payload, mask = ChunkEncoder(verify=True).encode(*args, may_be_raw=False)
        assert mask == 0
        assert len(zlib.decompress(payload)) == noise.nbytes

    @pytest.mark.parametrize("compressor", ["fast", "deflate", "zstd", ""])
    @pytest.mark.parametrize("checksum", [True, False])
    def test_every_way_to_write_verifies(self, compressor, checksum):
        chosen = Filters(True, True, compressor, 3, checksum)
        careful, plain = ChunkEncoder(verify=True), ChunkEncoder()
        got = self.encode(careful, chosen, waveforms=False)
        assert got == self.encode(plain, chosen, waveforms=False)

    def test_reads_back(self):
        chunk = np.frombuffer(self.expected(), np.uint8)
        packed = zlib.compress(chunk)
        assert reads_back(packed, chunk, self.SHUFFLED)
        for fault in FAULTS.values():
            assert not reads_back(fault(packed), chunk, self.SHUFFLED)


class TestConversions:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_same_file(self, run, tmp_path, threads):
        outputs = [tmp_path / "plain.lh5", tmp_path / "verified.lh5"]
        for path, verify in zip(outputs, (False, True), strict=True):
            build_raw(run, out_spec=path, threads=threads, verify_compression=verify)
        assert outputs[0].read_bytes() == outputs[1].read_bytes()

    @pytest.mark.parametrize("threads", [1, 3])
    def test_fault_is_mended_and_told(self, run, tmp_path, threads, spoilt, caplog):
        """The rows are right, the exit status is 0, and the user hears of it."""
        report = build_raw(
            run,
            out_spec=tmp_path / "mended.lh5",
            threads=threads,
            verify_compression=True,
        )
        with pytest.MonkeyPatch.context() as unspoilt:
            unspoilt.setattr(filters, "WaveformDeflater", WaveformDeflater)
            build_raw(run, out_spec=tmp_path / "right.lh5")
        assert same(tmp_path / "mended.lh5", tmp_path / "right.lh5")
        [note] = [n for n in report.notes if "compressed by zlib instead" in n]
        assert note.startswith("'FCEvent/waveform/values': ")
        assert "from row 0" in note
        assert note in caplog.text
        assert report.exit_status == 0
        with h5py.File(tmp_path / "mended.lh5") as file:
            assert note in json.loads(file.attrs["daq2lh5_report"])["notes"]

    def test_without_it_the_fault_is_in_the_file(self, run, tmp_path, monkeypatch):
        """Which proves that the faults here are faults."""

        class Spoilt:
            def compress(self, source, itemsize):
                return of_other_bytes(WaveformDeflater().compress(source, itemsize))

        build_raw(run, out_spec=tmp_path / "right.lh5")
        monkeypatch.setattr(filters, "WaveformDeflater", Spoilt)
        build_raw(run, out_spec=tmp_path / "wrong.lh5")
        assert not same(tmp_path / "wrong.lh5", tmp_path / "right.lh5")

    @pytest.mark.parametrize("threads", [1, 3])
    def test_fault_of_zlib_leaves_no_file(self, run, tmp_path, threads, monkeypatch):
        stand_in = SimpleNamespace(
            compress=lambda *a: of_other_bytes(zlib.compress(*a)),
            decompress=zlib.decompress,
            error=zlib.error,
        )
        monkeypatch.setattr(filters, "zlib", stand_in)
        output = tmp_path / "out.lh5"
        with pytest.raises(VerificationError, match=r"'FC\w+/.*', chunk from row 0:"):
            build_raw(run, out_spec=output, threads=threads, verify_compression=True)
        assert [p.name for p in tmp_path.iterdir()] == ["run.fcio"]

    def test_no_other_value_than_true_and_false(self, run, tmp_path):
        with pytest.raises(TypeError, match="verify_compression"):
            build_raw(run, out_spec=tmp_path / "x.lh5", verify_compression="no")

    def test_processed_files_too(self, run, tmp_path, spoilt):
        with pytest.MonkeyPatch.context() as unspoilt:
            unspoilt.setattr(filters, "WaveformDeflater", WaveformDeflater)
            build_raw(run, out_spec=tmp_path / "raw.lh5")
        spec = {"FCEvent": {"drop": ["baseline"]}}
        report = process_file(
            str(tmp_path / "raw.lh5"),
            {"FCEventDecoder": {"FCEvent": {"key_list": ["*"], "proc_spec": spec}}},
            str(tmp_path / "out.lh5"),
            verify_compression=True,
        )
        assert any("compressed by zlib instead" in n for n in report.notes)
        with h5py.File(tmp_path / "raw.lh5") as a, h5py.File(tmp_path / "out.lh5") as b:
            name = "FCEvent/waveform/values"
            assert np.array_equal(a[name][()], b[name][()])


class TestCommandLine:
    def invoke(self, *arguments):
        return CliRunner().invoke(cli.main, [*map(str, arguments)], prog_name="daq2lh5")

    def test_option(self, run, tmp_path, spoilt):
        output = tmp_path / "out.lh5"
        result = self.invoke("convert", run, "-o", output, "--verify-compression")
        assert result.exit_code == 0
        assert "compressed by zlib instead" in result.output
        with pytest.MonkeyPatch.context() as unspoilt:
            unspoilt.setattr(filters, "WaveformDeflater", WaveformDeflater)
            daq2lh5.build_raw(run, out_spec=tmp_path / "right.lh5")
        assert same(output, tmp_path / "right.lh5")

    def test_error_is_a_line(self, run, tmp_path, monkeypatch):
        stand_in = SimpleNamespace(
            compress=lambda *a: b"", decompress=zlib.decompress, error=zlib.error
        )
        monkeypatch.setattr(filters, "zlib", stand_in)
        output = tmp_path / "out.lh5"
        result = self.invoke("convert", run, "-o", output, "--verify-compression")
        assert result.exit_code == 1
        assert "chunk from row 0" in result.stderr
        assert not output.exists()

    def test_process_has_it(self):
        assert "--verify-compression" in self.invoke("process", "--help").output

    def test_not_a_second_time_in_kwargs(self, run):
        given = ["convert", run, "-k", '{"verify_compression": true}']
        result = self.invoke(*given)
        assert result.exit_code == 2
        assert "use the option --verify-compression" in result.stderr
