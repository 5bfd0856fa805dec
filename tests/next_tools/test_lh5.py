"""`lh5` reads, joins and appends converted files, in pieces of any size."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import lh5
import numpy as np
import pytest
from kit.compare import joined, same, whole
from kit.generators import runs
from lh5.cli import lh5concat_cli, lh5ls

if TYPE_CHECKING:
    from pathlib import Path

WHO = ("ours", "peer")


def assert_appends(first: Path, second: Path, kind: str, folder: Path) -> None:
    """Append the tables of one file to a copy of another."""
    out = folder / "appended.lh5"
    shutil.copy(first, out)
    for table in runs.tables(kind):
        # the bytes of codecs are appended undecoded
        rows = lh5.read(table, second, decompress=kind != "production")
        lh5.write(rows, table, out, wo_mode="append")
        assert same(lh5.read(table, out), whole([first, second], table))


@pytest.mark.parametrize("kind", runs.KINDS)
class TestPieces:
    """Pieces of any size, put together, equal the files."""

    @pytest.mark.parametrize("buffer_len", [7, 1000])
    def test_iterator(self, converted, kind, buffer_len):
        files = converted(kind)
        for table in runs.tables(kind):
            iterator = lh5.LH5Iterator(
                [str(f) for f in files], table, buffer_len=buffer_len
            )
            # the iterator's buffer is used again for the next piece
            pieces = [joined([piece]) for piece in iterator]
            assert len(pieces) > 1 or buffer_len == 1000
            assert same(joined(pieces), whole(files, table))

    @pytest.mark.parametrize("as_list", [True, False])
    def test_iterator_with_a_field_mask(self, converted, kind, as_list):
        files = converted(kind)
        waveform = "waveform" if kind == "default" else "waveform_windowed"
        waveform = "waveform" if kind == "channelwise" else waveform
        table = runs.tables(kind)[0]
        mask = ["timestamp", waveform] if as_list else {"deadtime": False}
        iterator = lh5.LH5Iterator(
            [str(f) for f in files], table, field_mask=mask, buffer_len=11
        )
        found = joined([joined([piece]) for piece in iterator])
        wanted = whole(files, table)
        for name in list(wanted):
            if (name in mask) != as_list:
                wanted.remove_column(name)
        assert same(found, wanted)

    def test_read_several_files(self, converted, kind):
        files = converted(kind)
        for table in runs.tables(kind):
            assert same(lh5.read(table, [*map(str, files)]), whole(files, table))

    def test_read_into_a_buffer(self, converted, kind):
        first, second = converted(kind)
        table = runs.tables(kind)[0]
        buffer = lh5.read(table, first)
        n = len(buffer)
        buffer = lh5.read(table, second, obj_buf=buffer, obj_buf_start=0)
        assert same(buffer, whole([second], table))
        buffer = lh5.read(table, first, obj_buf=buffer, obj_buf_start=len(buffer))
        assert len(buffer) == 2 * n
        assert same(buffer, whole([second, first], table))

    def test_read_some_rows(self, converted, kind):
        files = converted(kind)
        table = runs.tables(kind)[0]
        every = whole(files[:1], table)
        some = lh5.read(table, files[0], idx=[1, 4, 9])
        np.testing.assert_array_equal(
            some.timestamp.nda, every.timestamp.nda[[1, 4, 9]]
        )
        part = lh5.read(table, files[0], start_row=5, n_rows=3)
        np.testing.assert_array_equal(part.packet_id.nda, every.packet_id.nda[5:8])

    def test_concat(self, converted, kind, tmp_path):
        files = converted(kind)
        out = tmp_path / "joined.lh5"
        lh5concat_cli(["-o", str(out), "--", *map(str, files)])
        for table in runs.tables(kind):
            assert same(lh5.read(table, out), whole(files, table))

    def test_append(self, converted, kind, tmp_path):
        assert_appends(*converted(kind), kind, tmp_path)

    def test_lh5ls(self, converted, kind, capsys):
        lh5ls([str(converted(kind)[0])])
        listed = capsys.readouterr().out
        for table in runs.tables(kind):
            assert table.partition("/")[0] in listed
        lh5ls(["-a", str(converted(kind)[0]), runs.tables(kind)[0]])
        assert "timestamp" in capsys.readouterr().out


@pytest.mark.parametrize("kind", runs.KINDS)
def test_values_are_the_peers(converted, kind):
    for mine, theirs in zip(converted(kind), converted(kind, "peer"), strict=True):
        for table in runs.tables(kind):
            assert same(lh5.read(table, mine), lh5.read(table, theirs))


class TestBothConverters:
    """Files of both converters are read as one."""

    @pytest.mark.parametrize("order", [WHO, WHO[::-1]])
    @pytest.mark.parametrize("kind", runs.KINDS)
    def test_read(self, converted, kind, order):
        files = [converted(kind, who)[i] for i, who in enumerate(order)]
        for table in runs.tables(kind):
            assert same(lh5.read(table, [*map(str, files)]), whole(files, table))
            iterator = lh5.LH5Iterator([*map(str, files)], table, buffer_len=9)
            assert sum(len(piece) for piece in iterator) == len(whole(files, table))

    @pytest.mark.parametrize("order", [WHO, WHO[::-1]])
    @pytest.mark.parametrize("kind", runs.KINDS)
    def test_append(self, converted, kind, order, tmp_path):
        files = (converted(kind, who)[i] for i, who in enumerate(order))
        assert_appends(*files, kind, tmp_path)
