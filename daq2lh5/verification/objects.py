"""The objects of an output, compared with the rows of decoding again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..writing.appending import Appender, Job
from ..writing.columns import Column
from ..writing.datasets import join, memory_file, write_scalar
from ..writing.objects import WrittenObject
from .rows import compare_rows, report_rows
from .stored import StoredDataset

if TYPE_CHECKING:
    import lgdo

    from ..writing.codecs import Encoded
    from ..writing.columns import Chunk
    from ..writing.layout import Coding, Dataset, Layout
    from ..writing.pipeline import Pipeline
    from .differences import Differences

__all__ = ["ComparedObjects", "attributes_of"]

UNREAD_ROWS = 1024
"""Rows of a column that is missing which are passed over at a time."""


class ComparedObjects(Appender):
    """Compares rows with those of a file, instead of writing them.

    The caller must call :meth:`finish`, which compares all rows that are still in
    memory.

    Parameters
    ----------
    file
        the output.
    differences
        gets what differs.
    pipeline
        threads for the work.

    Attributes
    ----------
    n_rows, n_bytes
        number of rows, and bytes of rows, that were compared.
    """

    def __init__(
        self, file: h5py.File, differences: Differences, pipeline: Pipeline
    ) -> None:
        super().__init__(pipeline)
        self.file = file
        self.differences = differences
        self.n_bytes = 0
        self._stored: dict[Column, StoredDataset] = {}

    def enter(
        self,
        path: str,
        name: str,  # noqa: ARG002
        group: str,  # noqa: ARG002
        layout: Layout,
    ) -> WrittenObject:
        """Look up an object of the file, and compare its attributes."""
        for below, attrs in layout.groups.items():
            self._compare_group(join(path, below), attrs)
        columns = [self._column(path, dataset) for dataset in layout.datasets]
        return WrittenObject(path, layout, columns)

    def _compare_group(self, path: str, attrs: dict[str, Any]) -> None:
        node = self._node(path, h5py.Group)
        if node is not None:
            self._compare_attributes(path, node, attrs)

    def _column(self, path: str, dataset: Dataset) -> Column:
        """Return the column for a dataset of the file."""
        place = join(path, dataset.path)
        node = self._node(place, h5py.Dataset)
        if node is None or not node.shape:
            if node is not None:
                self.differences.add(place, "stored a single value, expected rows")
            return Column(dataset, place, UNREAD_ROWS)
        self._compare_attributes(place, node, dataset.attrs)
        stored = StoredDataset(node)
        column = Column(dataset, place, stored.chunk_rows)
        # lengths of encoded waveforms get more bits if they need them
        wide = dataset.counts is not None and stored.dtype == np.int64
        if stored.dtype != dataset.dtype and not wide:
            text = f"stored as {stored.dtype}, expected {dataset.dtype}"
            self.differences.add(place, text)
        elif stored.row_shape != dataset.row_shape:
            text = f"rows of shape {stored.row_shape}, expected {dataset.row_shape}"
            self.differences.add(place, text)
        else:
            column.dtype = stored.dtype
            self._stored[column] = stored
        return column

    def _node(self, path: str, kind: type) -> Any:
        """Return an object of the file; None, with a difference, without one."""
        try:
            node = self.file.get(path)
        except (OSError, RuntimeError, KeyError) as e:
            self.differences.add(path, f"cannot be read: {e}")
            return None
        if isinstance(node, kind):
            return node
        what = "missing" if node is None else f"expected a {kind.__name__.lower()}"
        self.differences.add(path, what)
        return None

    def _compare_attributes(
        self, path: str, node: h5py.HLObject, wanted: dict[str, Any]
    ) -> None:
        found = attributes_of(node)
        for name in {**found, **wanted}:
            if name not in found:
                text = f"attribute {name} is missing, expected {wanted[name]!r}"
            elif name not in wanted:
                text = f"attribute {name} is not expected: {found[name]!r}"
            elif not np.array_equal(found[name], wanted[name]):
                text = f"attribute {name}: stored {found[name]!r}, expected "
                text += repr(wanted[name])
            else:
                continue
            self.differences.add(path, text)

    # ---- rows ----------------------------------------------------------------------

    def jobs(
        self,
        target: WrittenObject,  # noqa: ARG002
        chunks: list[Chunk],
    ) -> list[Job]:
        """Return the comparisons of chunks."""
        jobs = []
        for chunk in chunks:
            stored = self._stored.get(chunk.column)
            if stored is None:
                continue
            self.n_bytes += chunk.size
            pieces, start = chunk.pieces, chunk.start
            jobs.append(
                Job(
                    chunk.size,
                    lambda _, s=stored, n=start, p=pieces: compare_rows(s, n, p),
                    partial(report_rows, self.differences, stored),
                )
            )
        return jobs

    def take_encoded(
        self, target: WrittenObject, coding: Coding, encoded: Encoded
    ) -> None:
        """Compare encoded waveforms, in this thread: their chunks are not packed."""
        for job in self.jobs(target, target.append_encoded(coding, encoded)):
            job.done(job.work(self.pipeline.new_encoder()))

    def append_unknown(
        self,
        obj: lgdo.LGDO,
        name: str,
        group: str,
        n_rows: int | None,  # noqa: ARG002
    ) -> None:
        """Say that an object cannot be compared."""
        path = join(group.strip("/"), name)
        kind = type(obj).__name__
        self.differences.add(path, f"{kind} objects cannot be compared")

    def replace_scalars(self, target: WrittenObject, layout: Layout) -> None:
        """Expect the scalars of a layout."""
        target.layout.scalars = layout.scalars

    def finish(self) -> None:
        """Compare all rows that are still in memory, and the numbers of rows."""
        # encoded waveforms are appended when their work is done
        self.pipeline.drain()
        for target in self.objects.values():
            chunks = [chunk for c in target.columns for chunk in c.last()]
            self.submit(self.jobs(target, chunks))
        self.pipeline.drain()
        for target in self.objects.values():
            self._compare_lengths(target)
            self._compare_scalars(target)
        self._find_others()

    def _compare_lengths(self, target: WrittenObject) -> None:
        for column in target.columns:
            stored = self._stored.get(column)
            if stored is None or stored.n == column.rows:
                continue
            kind = "missing" if stored.n < column.rows else "more than expected"
            n = abs(stored.n - column.rows)
            text = f"{stored.n} rows, expected {column.rows}: {n} rows {kind}"
            self.differences.add(column.path, text, min(stored.n, column.rows), n)

    def _compare_scalars(self, target: WrittenObject) -> None:
        if not target.layout.scalars:
            return
        with memory_file() as memory:
            for below, (value, attrs) in target.layout.scalars.items():
                path = join(target.path, below)
                node = self._node(path, h5py.Dataset)
                if node is None:
                    continue
                # as it is in a file
                write_scalar(memory, path, value, attrs)
                self._compare_attributes(path, node, attrs)
                expected, found = memory[path][()], node[()]
                if (
                    node.shape != ()
                    or node.dtype != memory[path].dtype
                    or np.asarray(found).tobytes() != np.asarray(expected).tobytes()
                ):
                    self.differences.add(path, f"stored {found}, expected {expected}")

    def _find_others(self) -> None:
        """Report the objects of the file that are not expected."""
        expected: set[str] = set()
        for target in self.objects.values():
            layout = target.layout
            for below in [*layout.groups, *layout.numbers, *layout.scalars]:
                path = join(target.path, below)
                while path and path not in expected:
                    expected.add(path)
                    path = path.rpartition("/")[0]
        found: list[str] = []
        self.file.visit(found.append)
        for path in found:
            parent = path.rpartition("/")[0]
            if path not in expected and (not parent or parent in expected):
                self.differences.add(path, "is not expected")


def attributes_of(node: h5py.HLObject) -> dict[str, Any]:
    """Return the attributes of an object, with text as such."""
    found = dict(node.attrs)
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in found.items()}
