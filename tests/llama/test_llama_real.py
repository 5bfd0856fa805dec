"""The real llamaDAQ file: reference reader, streamer, and the output of the peer.

Expected values come from the llamaDAQ format, 6, and from
the digest of the output of legend-daq2lh5 1.7.1 in the time zone UTC.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from kit.decoding.llama import assert_rows, decode
from kit.places import TESTDATA
from kit.reference import llama as reference

import daq2lh5

if TYPE_CHECKING:
    from pathlib import Path

NAME = "20241218-150158-pulser.bin"
FILE = TESTDATA / "llama" / NAME

pytestmark = pytest.mark.skipif(
    not FILE.is_file(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory with them",
)


def sha256(data: Any) -> str:
    array = np.asarray(data)
    return hashlib.sha256(
        array.astype(array.dtype.newbyteorder("<")).tobytes()
    ).hexdigest()


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("llama") / "pulser.lh5"
    report = daq2lh5.build_raw(FILE, out_spec=out)
    assert report.clean
    assert report.bytes["decoded"] == report.n_bytes == FILE.stat().st_size
    return out


def test_rows_are_those_of_the_reference():
    data = FILE.read_bytes()
    assert_rows(decode(FILE).rows, reference.read_rows(data, NAME))


def test_what_the_peer_writes(converted):
    """Types, shapes, units and content of every object in the digest."""
    digest = json.loads((TESTDATA / "expected" / f"{NAME}.json").read_text())
    assert len(digest) > 90
    wrong = []
    with h5py.File(converted) as file:
        for place, wanted in digest.items():
            item = file[place]
            found = {
                name: item.attrs[name]
                for name in ("datatype", "units")
                if name in item.attrs
            }
            # members in any order
            found["datatype"] = sorted(found["datatype"].strip("}").split("{"))
            wanted = wanted | {  # noqa: PLW2901
                "datatype": sorted(wanted["datatype"].strip("}").split("{"))
            }
            if isinstance(item, h5py.Group):
                found["kind"] = "group"
                for d in (found, wanted):
                    d["datatype"] = [sorted(p.split(",")) for p in d["datatype"]]
            else:
                found |= {
                    "kind": "dataset",
                    "shape": list(item.shape),
                    "dtype": item.dtype.newbyteorder("=").str.lstrip("<>=|"),
                    "sha256": sha256(item[()]),
                }
            if found != wanted:
                wrong.append(f"{place}: {found}, not {wanted}")
    assert wrong == []


@pytest.mark.parametrize(
    ("key", "windowed", "presummed", "sums"),
    [
        (
            0,
            "fa29d3b9d8fda286c29afb5f9830a27460e8bc91bf35624b2869bfa0b1ac05ab",
            "c794d75cb35fa165bf549a7b7f27129c3bb624e9cc53df5f3b2587ab0a97062a",
            (2566696400, 12736824858, 349724, 73305, 289627),
        ),
        (
            4,
            "7e5e693e341276657e5d9ea491614a7917f16cc64b1424ea275a19329028f012",
            "e035db780bcd7d91a428c6fe1fb9d84daa5100f894f86a4723932518c28b08db",
            (2343025116, 585750176, 293196, 57242, 292853),
        ),
    ],
)
def test_values_of_the_document(converted, key, windowed, presummed, sums):
    """Waveforms, sums, and averages, which agree with the raw samples (format 2.1)."""
    with h5py.File(converted) as file:
        table = file[f"LLAMAEvent_{key}"]
        raw = table["waveform_windowed/values"][:]
        averaged = table["waveform_presummed/values"][:]
        assert sha256(raw) == windowed
        assert sha256(averaged) == presummed
        names = ("wf_max_sample_value", "wf_max_sample_idx")
        found = [int(a.sum(dtype="u8")) for a in (raw, averaged)]
        found += [int(table[name][:].sum()) for name in names]
        assert (*found, int(table["cumsum_1"][:].sum())) == sums
        for i in range(2, 9):
            assert table[f"cumsum_{i}"][:].sum() == sums[-1]
        period = table["waveform_presummed/dt"][0]
        ratio = int(period / table["waveform_windowed/dt"][0])
        t0 = [table[f"waveform_{w}/t0"][0] for w in ("windowed", "presummed")]
        first = int((t0[0] - t0[1]) / period)
        n = raw.shape[1] // ratio
        means = raw.reshape(len(raw), n, ratio).sum(axis=2, dtype="u4") // ratio
        np.testing.assert_array_equal(means, averaged[:, first : first + n])
