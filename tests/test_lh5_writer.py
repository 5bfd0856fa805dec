"""LH5 files are what lh5 makes of the same objects, but for the shapes of chunks."""

from __future__ import annotations

import numpy as np
import h5py
import lgdo
import lh5
import pytest
from writing.objects import ARRAYS, SCALARS, TABLES, VECTORS, histogram, RADWARE, coded
from writing.trees import differences, tree

from daq2lh5.raw_buffer import RawBuffer, write_to_lh5_and_clear

MAKERS = ARRAYS | VECTORS | TABLES


def buffer_of(obj, out_stream, out_name="obj", loc=None) -> RawBuffer:
    rb = RawBuffer(lgdo=obj, out_stream=str(out_stream), out_name=out_name)
    rb.loc = loc or rows_of(obj) or 1
    return rb


def rows_of(obj: lgdo.LGDO) -> int:
    whole = isinstance(obj, lgdo.Scalar) or type(obj) is lgdo.Struct
    return 1 if whole else len(obj)


class TestEveryKind:
    """Ours against `lh5.write` of the same objects."""

    @pytest.mark.parametrize("kind", MAKERS)
    def test_once(self, kind, tmp_path):
        make = MAKERS[kind]
        write_to_lh5_and_clear([buffer_of(make(11, 1), tmp_path / "ours.lh5")])
        lh5.write(make(11, 1), "obj", tmp_path / "theirs.lh5")
        ours, theirs = tree(tmp_path / "ours.lh5"), tree(tmp_path / "theirs.lh5")
        assert differences(ours, theirs) == []

    @pytest.mark.parametrize("kind", MAKERS)
    @pytest.mark.parametrize("together", [False, True])
    def test_appended(self, kind, together, tmp_path):
        """Several buffers of one table, in one call or in one each."""
        make = MAKERS[kind]
        sizes = (3, 1, 12, 3)
        objects = [make(n, seed) for seed, n in enumerate(sizes)]
        buffers = [buffer_of(obj, tmp_path / "ours.lh5") for obj in objects]
        if together:
            write_to_lh5_and_clear(buffers)
        else:
            for rb in buffers:
                write_to_lh5_and_clear([rb])
        for seed, n in enumerate(sizes):
            lh5.write(make(n, seed), "obj", tmp_path / "theirs.lh5")
        ours, theirs = tree(tmp_path / "ours.lh5"), tree(tmp_path / "theirs.lh5")
        assert differences(ours, theirs) == []

    @pytest.mark.parametrize("kind", SCALARS)
    def test_scalar(self, kind, tmp_path):
        for _ in range(2):
            scalar = lgdo.Scalar(SCALARS[kind], attrs={"units": "Å"})
            write_to_lh5_and_clear([buffer_of(scalar, tmp_path / "ours.lh5")])
            lh5.write(scalar, "obj", tmp_path / "theirs.lh5")
        ours, theirs = tree(tmp_path / "ours.lh5"), tree(tmp_path / "theirs.lh5")
        assert differences(ours, theirs) == []
