"""Real ORCA files: the reference reader, and what the peer writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py
import pytest
from kit.decoding.orca import decode, differences, read_lh5, wanted_tables
from kit.decoding.tables import sha256
from kit.generators.orca import FILE_A, FILE_B, real_files
from kit.places import TESTDATA

import daq2lh5

if TYPE_CHECKING:
    from pathlib import Path

    from daq2lh5.report import ConversionReport


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Convert a real file, once."""
    done: dict[str, tuple[Path, ConversionReport]] = {}

    def convert(name: str) -> tuple[Path, ConversionReport]:
        if name not in done:
            out = tmp_path_factory.mktemp("real") / f"{name}.lh5"
            report = daq2lh5.build_raw(str(TESTDATA / "orca" / name), out_spec=str(out))
            done[name] = out, report
        return done[name]

    return convert


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
def test_real_file_gives_what_the_reference_reads(name, converted):
    path, report = converted(name)
    data = (TESTDATA / "orca" / name).read_bytes()
    assert differences(read_lh5(path), wanted_tables(data)) == []
    assert report.bytes["decoded"] == report.n_bytes == len(data)
    assert report.exit_status == 0


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
def test_real_file_gives_what_the_peer_writes(name, converted):
    """Types, shapes, units and content of every dataset in the digest."""
    path, _ = converted(name)
    digest = json.loads((TESTDATA / "expected" / f"{name}.json").read_text())
    assert len(digest) > 30
    wrong = []
    with h5py.File(path) as file:
        for place, wanted in digest.items():
            if place not in file:
                wrong.append(f"{place}: missing")
                continue
            item = file[place]
            if wanted["kind"] != "dataset":
                continue
            found: dict[str, Any] = {
                key: item.attrs[key]
                for key in ("datatype", "units")
                if key in item.attrs
            }
            found |= {"kind": "dataset", "shape": list(item.shape)}
            if h5py.check_string_dtype(item.dtype) is None:
                found["dtype"] = item.dtype.newbyteorder("=").str.lstrip("<>=|")
                found["sha256"] = sha256(item[()])
            differing = {
                key: (value, wanted[key])
                for key, value in found.items()
                if value != wanted.get(key)
            }
            if differing:
                wrong.append(f"{place}: {differing}")
    assert wrong == []


@real_files
@pytest.mark.parametrize("name", [FILE_A, FILE_B])
@pytest.mark.parametrize("chunk_mode", ["any_full", "only_full", "single_packet"])
def test_real_file_in_small_buffers(name, chunk_mode):
    data = (TESTDATA / "orca" / name).read_bytes()
    decoded = decode(
        TESTDATA / "orca" / name,
        buffer_size=192,
        chunk_mode=chunk_mode,
        block_size=10_007,
    )
    assert differences(decoded.tables, wanted_tables(data)) == []
    assert decoded.report.bytes["decoded"] == len(data)
