"""The objects of an output, compared with the rows of decoding again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5o, h5t

from ..publishing.output_files import COLUMNS_ATTRIBUTE, REPORT_ATTRIBUTE
from ..writing.appending import Appender, Job, in_tasks
from ..writing.columns import Column
from ..writing.datasets import join, memory_file, write_scalar
from ..writing.objects import WrittenObject
from ..writing.parents import STRING, Parents
from .rows import compare_rows
from .stored import StoredDataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lgdo

    from ..writing.codecs import Encoded
    from ..writing.columns import Chunk
    from ..writing.filters import ChunkEncoder
    from ..writing.layout import Coding, Dataset, Layout
    from ..writing.pipeline import Pipeline
    from .differences import Differences

__all__ = ["ComparedObjects", "attributes_of"]

_Result = tuple[str, str, int, int]
"""Path, difference, first row, and number of rows."""

TEXT = h5t.py_create(STRING, logical=True)
"""Type of text in attributes."""

OF_FILE = (REPORT_ATTRIBUTE, COLUMNS_ATTRIBUTE)
"""Attributes of the root group that belong to the file, not to an LH5 object."""

UNREAD_ROWS = 1024
"""Rows of a chunk of a missing column, which are not compared."""


class ComparedObjects(Appender):
    """Compares rows with the rows of a file, instead of writing them.

    The caller must call :meth:`finish`, which compares all rows that are still in
    memory.

    Parameters
    ----------
    file
        the output.
    differences
        collects the differences.
    pipeline
        threads for the work.

    Attributes
    ----------
    n_bytes
        bytes of rows that were compared.
    aliases
        paths of objects by their further names.
    """

    def __init__(
        self, file: h5py.File, differences: Differences, pipeline: Pipeline
    ) -> None:
        super().__init__(pipeline)
        self.file = file
        self.differences = differences
        self.n_bytes = 0
        self._encoder = pipeline.new_encoder()
        self._parents = Parents()
        self._stored: dict[Column, StoredDataset] = {}
        self.aliases: dict[str, str] = {}

    def enter(
        self,
        path: str,
        name: str,
        group: str,
        layout: Layout,
        settings: dict[str, Any] | None,  # noqa: ARG002
    ) -> WrittenObject:
        """Look up an object of the file, and compare its attributes."""
        for below, attrs in layout.groups.items():
            self._compare_group(join(path, below), attrs)
        self._parents.add(group, name)
        if "" in layout.groups:
            datatype = layout.groups[""].get("datatype", "")
            self._parents.add_group(path, datatype, layout.members)
        columns = [self._column(path, dataset) for dataset in layout.datasets]
        return WrittenObject(path, layout, columns, {})

    def _compare_group(
        self, path: str, attrs: dict[str, Any], others: tuple[str, ...] = ()
    ) -> None:
        node = self._node(path, h5g.GroupID)
        if node is not None:
            self._compare_attributes(path, node, attrs, others)

    def _column(self, path: str, dataset: Dataset) -> Column:
        """Return the column for a dataset of the file."""
        place = join(path, dataset.path)
        node = self._node(place, h5d.DatasetID)
        if node is None or not node.rank:
            if node is not None:
                self.differences.add(place, "stored a single value, expected rows")
            return Column(dataset, place, UNREAD_ROWS)
        self._compare_attributes(place, node, dataset.attrs)
        stored = StoredDataset(self.file, place, node)
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
        """Return an object of the file; None, and add a difference, if it is missing.

        h5py's low-level interface is several times as fast as the high-level one.
        """
        try:
            node = h5o.open(self.file.id, path.encode() or b"/")
        except KeyError:
            text = "it is missing"
        except (OSError, RuntimeError) as e:
            text = f"cannot be read: {e}"
        else:
            if isinstance(node, kind):
                return node
            text = "expected a dataset" if kind is h5d.DatasetID else "expected a group"
        self.differences.add(path, text)
        return None

    def _compare_attributes(
        self,
        path: str,
        node: h5py.h5i.ObjectID,
        wanted: dict[str, Any],
        others: tuple[str, ...] = (),
    ) -> None:
        """Compare all attributes, except those named in `others`."""
        try:
            if not others and _has_attributes(node, wanted):
                return
            found = attributes_of(node)
        except (OSError, RuntimeError, KeyError, ValueError) as e:
            self.differences.add(path, f"attributes cannot be read: {e}")
            return
        for name in {**found, **wanted}:
            if name in others:
                continue
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
        known = [c for c in chunks if c.column in self._stored]
        self.n_bytes += sum(c.size for c in known)
        return [
            Job(size, partial(self._compare, some), self._report)
            for some, size in in_tasks(known)
        ]

    def _compare(self, chunks: list[Chunk], _: ChunkEncoder) -> list[_Result]:
        """Compare chunks; return the differences. Runs in any thread."""
        found = []
        for chunk in chunks:
            stored = self._stored[chunk.column]
            result = compare_rows(stored, chunk.start, chunk.pieces)
            if result is not None:
                found.append((stored.path, *result))
        return found

    def _report(self, results: list[_Result]) -> None:
        for path, text, row, n in results:
            if n:
                self.differences.add(path, text, row, n)
            else:
                self.differences.skip(path, text)

    def take_encoded(
        self, target: WrittenObject, coding: Coding, encoded: Encoded
    ) -> None:
        """Compare encoded waveforms, in this thread: their chunks are not packed."""
        for _, work, done in self.jobs(target, target.append_encoded(coding, encoded)):
            done(work(self._encoder))

    def append_unknown(
        self,
        obj: lgdo.LGDO,
        name: str,
        group: str,
        n_rows: int | None,  # noqa: ARG002
        settings: dict[str, Any] | None,  # noqa: ARG002
    ) -> None:
        """Add the difference that an object cannot be compared."""
        path = join(group.strip("/"), name)
        kind = type(obj).__name__
        self.differences.add(path, f"{kind} objects cannot be compared")

    def add_alias(self, path: str, alias: str) -> None:
        """Expect a further name of an object."""
        self.aliases[alias] = path

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
        with memory_file() as memory:
            for target in self.objects.values():
                self._compare_lengths(target)
                self._compare_scalars(target, memory)
        self._compare_aliases()
        for path, datatype in self._parents.new_datatypes().items():
            others = () if path else OF_FILE
            self._compare_group(path, {"datatype": datatype}, others)
        self._find_others()

    def _compare_aliases(self) -> None:
        """Compare the further names of objects, which are hard links."""
        wanted, self.aliases = self.aliases, {}
        for alias, path in wanted.items():
            # objects without rows are not written, and have no alias
            if path not in self.objects:
                continue
            self.aliases[alias] = path
            self._parents.add_link(path, alias)
            found = self.file.get(alias)
            if found is None:
                self.differences.add(alias, f"it is missing: the alias of {path}")
            elif found != self.file.get(path):
                self.differences.add(alias, f"another object, expected {path}")

    def _without_alias(self, path: str) -> str:
        """Return the path of an object by names of tables, not by aliases."""
        for outer in _with_parents(path):
            if outer != path and outer in self.aliases:
                return self.aliases[outer] + path[len(outer) :]
        return path

    def tables(self) -> dict[str, int]:
        """Return the expected number of rows of each table, by path."""
        found = {}
        for path, target in self.objects.items():
            layout = target.layout
            if not layout.groups.get("", {}).get("datatype", "").startswith("table"):
                continue
            elements = {dataset.counts for dataset in layout.datasets}
            found[path] = next(
                column.rows
                for dataset, column in zip(layout.datasets, target.columns, strict=True)
                if dataset.path not in elements
            )
        return found

    def _compare_lengths(self, target: WrittenObject) -> None:
        for column in target.columns:
            stored = self._stored.get(column)
            if stored is None or stored.n == column.rows:
                continue
            kind = "missing" if stored.n < column.rows else "more than expected"
            n = abs(stored.n - column.rows)
            text = f"{stored.n} rows, expected {column.rows}: {n} rows {kind}"
            self.differences.add(column.path, text, min(stored.n, column.rows), n)

    def _compare_scalars(self, target: WrittenObject, memory: h5py.File) -> None:
        """Compare the single values of an object, which are written to `memory`."""
        for below, (value, attrs) in target.layout.scalars.items():
            path = join(target.path, below)
            node = self._node(path, h5d.DatasetID)
            if node is None:
                continue
            # the value has its type in a file only after writing
            write_scalar(memory, path, value, attrs)
            self._compare_attributes(path, node, attrs)
            self._compare_value(path, h5py.Dataset(node), memory[path])

    def _compare_value(
        self, path: str, stored: h5py.Dataset, expected: h5py.Dataset
    ) -> None:
        """Compare single values."""
        try:
            found, wanted = stored[()], expected[()]
        except (OSError, RuntimeError, ValueError) as e:
            self.differences.add(path, f"cannot be read: {e}")
            return
        if (
            stored.shape != ()
            or stored.dtype != expected.dtype
            or np.asarray(found).tobytes() != np.asarray(wanted).tobytes()
        ):
            self.differences.add(path, f"stored {found}, expected {wanted}")

    def _find_others(self) -> None:
        """Report the objects of the file that are not expected."""
        expected = {p for alias in self.aliases for p in _with_parents(alias)}
        for target in self.objects.values():
            layout = target.layout
            for below in [*layout.groups, *layout.numbers, *layout.scalars]:
                expected.update(_with_parents(join(target.path, below)))
        found: list[str] = []
        try:
            self.file.visit(found.append)
        except (OSError, RuntimeError, ValueError) as e:
            self.differences.add("", f"its objects cannot be listed: {e}")
        for path in map(self._without_alias, found):
            parent = path.rpartition("/")[0]
            if path not in expected and (not parent or parent in expected):
                self.differences.add(path, "is not expected")


def _with_parents(path: str) -> Iterator[str]:
    """Yield a path and the paths of all groups around it."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _has_attributes(node: h5py.h5i.ObjectID, wanted: dict[str, Any]) -> bool:
    """Whether an object has exactly these attributes, all of them text: fast."""
    if h5a.get_num_attrs(node) != len(wanted):
        return False
    value = np.empty((), STRING)
    for name, text in wanted.items():
        if not isinstance(text, str) or not h5a.exists(node, name.encode()):
            return False
        attribute = h5a.open(node, name.encode())
        if attribute.get_type() != TEXT or attribute.shape != ():
            return False
        attribute.read(value)
        if value[()] != text.encode():
            return False
    return True


def attributes_of(node: h5py.h5i.ObjectID) -> dict[str, Any]:
    """Return the attributes of an object; text is decoded."""
    found = {}
    for i in range(h5a.get_num_attrs(node)):
        attribute = h5a.open(node, index=i)
        value = np.empty(attribute.shape, attribute.dtype)
        attribute.read(value)
        single = value[()]
        found[attribute.name.decode()] = (
            single.decode() if isinstance(single, bytes) else single
        )
    return found
