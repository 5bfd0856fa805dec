"""LH5 files, written fast.

A file has the same objects as from :func:`lh5.write` (names, dtypes, datatypes,
attributes, values, filters); only the shapes of the chunks differ. Writing is faster
because several threads filter the chunks, with a faster deflate, and HDF5 stores them
as they are; and because tables are copied from one template.

Neither `lgdo` nor `lh5` is imported for that. `lh5` itself writes the objects that this
module does not know, such as histograms.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d

from ..resources.memory import MemoryPlan
from .appending import Appender, Job, in_tasks
from .codecs import use_lh5_codecs
from .columns import Chunk, Column
from .datasets import (
    access_properties,
    check_headroom,
    create_dataset,
    join,
    memory_file,
    plan_chunks,
    rows_of_small_chunk,
    write_scalar,
)
from .links import Links
from .merging import merge_settings
from .objects import WrittenObject, open_object
from .parents import Parents
from .pipeline import Pipeline
from .plugin_filters import with_plugin
from .settings import check_settings, split_settings
from .syncer import Syncer
from .templates import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import lgdo

    from .codecs import Encoded
    from .datasets import ChunkPlan
    from .filters import ChunkEncoder
    from .layout import Coding, Layout

log = logging.getLogger(__name__)

__all__ = ["LH5Writer", "check_settings", "split_settings"]

OPEN_DATASETS = 1024
"""Datasets that are kept open; each takes 19 kB in HDF5."""

UINT32_MAX = 2**32 - 1
"""Largest length that 32 bits can hold; beyond, lengths of encoded waveforms get 64."""


class LH5Writer(Appender):
    """Writes LH5 objects to an HDF5 file, by appending rows to them.

    The caller must call :meth:`finish`, which writes all rows that are still in memory.

    Parameters
    ----------
    file
        the file, open for writing.
    settings
        HDF5 settings for all datasets: arguments of ``create_dataset``.
    plan
        limits of memory: they decide the shapes of the chunks.
    pipeline
        threads for the work; by default the caller's thread does it.
    more_to_come
        whether objects will grow after this writer is done with the file: small ones
        then get chunks as large as all others.
    sync
        whether to send data to the disk while the conversion goes on.

    Attributes
    ----------
    links
        further names of objects, which :meth:`finish` writes.
    """

    def __init__(
        self,
        file: h5py.File,
        settings: dict[str, Any] | None = None,
        plan: MemoryPlan | None = None,
        pipeline: Pipeline | None = None,
        more_to_come: bool = False,
        sync: bool = False,
    ) -> None:
        super().__init__(pipeline or Pipeline())
        self.file = file
        self.settings = settings or {}
        self.plan = plan or MemoryPlan()
        self.write_seconds = 0.0
        self._held_bytes = 0
        self._encoder = self.pipeline.new_encoder()
        self._more_to_come = more_to_come
        self._parents = Parents(file)
        self._links = Links(file, self._parents)
        # settings of objects; plans and templates by layout and id of the settings
        self._own_settings: dict[str, dict[str, Any]] = {}
        self._planned: dict[tuple[Layout, int], ChunkPlan] = {}
        self._templates: dict[tuple[Layout, int, tuple[int, ...]], Template] = {}
        self._memory: h5py.File | None = None
        self._open: OrderedDict[str, h5d.DatasetID] = OrderedDict()
        self._syncer = Syncer(file) if sync and self.pipeline.threads > 1 else None

    def add_alias(self, path: str, alias: str) -> None:
        """Give an object a further name, which is written with the last rows."""
        self._links.add(path, alias)

    def has(self, name: str) -> bool:
        """Whether the root group has an object of that name."""
        return self._parents.has(name)

    def finish(self) -> None:
        """Write all rows that are still in memory: the file is complete."""
        if any(target.layout.codings for target in self.objects.values()):
            self.pipeline.drain()
        for target in self.objects.values():
            self._submit_last(target)
            for path, n in target.altered.items():
                log.warning(
                    "'%s': %d waveforms have samples that do not fit the codec: "
                    "their decoded values differ",
                    join(target.path, path),
                    n,
                )
            target.altered = {}
        self.pipeline.drain()
        with self._timed():
            self._links.register()
            self._parents.write()
            self._links.make()
            if self._syncer is not None:
                self._syncer.wait()
            self.close()

    def close(self) -> None:
        """Release all HDF5 objects of the file."""
        if self._syncer is not None:
            self._syncer.close()
        self._open.clear()
        self._templates.clear()
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    # ---- new objects and those in the file -----------------------------------------

    def enter(
        self,
        path: str,
        name: str,
        group: str,
        layout: Layout,
        settings: dict[str, Any] | None,
    ) -> WrittenObject:
        """Register an object at its first rows: open it, or plan a new one."""
        merged = self._merged(settings)
        if self._parents.has(path) and not self._remove_if_bare(path):
            target = open_object(self.file, path, layout, merged)
            self._rewrite_scalars(target, layout)
        else:
            columns = self._plan_columns(path, layout, merged)
            target = WrittenObject(path, layout, columns, merged)
            self._parents.add(group, name)
            if "" in layout.groups:
                datatype = layout.groups[""].get("datatype", "")
                self._parents.add_group(path, datatype, layout.members)
            if self._more_to_come or self._plan_of(target).given:
                self._use_template(target)
        return target

    def _remove_if_bare(self, path: str) -> bool:
        """Remove an empty group without attributes; tell if there was one."""
        node = self.file.get(path)
        bare = isinstance(node, h5py.Group) and not len(node) and not len(node.attrs)
        if bare:
            del self.file[path]
        return bare

    def _merged(self, settings: dict[str, Any] | None) -> dict[str, Any]:
        """Return the settings of an object; equal settings are one dictionary."""
        if not settings:
            return self.settings
        key = repr(settings)
        if key not in self._own_settings:
            self._own_settings[key] = merge_settings(self.settings, settings)
        return self._own_settings[key]

    def _plan_of(self, target: WrittenObject) -> ChunkPlan:
        return self._planned[target.layout, id(target.settings)]

    def _plan_columns(
        self, path: str, layout: Layout, settings: dict[str, Any]
    ) -> list[Column]:
        key = layout, id(settings)
        if key not in self._planned:
            self._planned[key] = plan_chunks(layout, settings, self.plan)
        chunk_rows = self._planned[key].rows
        return [
            Column(dataset, join(path, dataset.path), rows)
            for dataset, rows in zip(layout.datasets, chunk_rows, strict=True)
        ]

    def replace_scalars(self, target: WrittenObject, layout: Layout) -> None:
        """Replace the scalars of an object by the scalars of a layout."""
        self._ensure(target)
        self._rewrite_scalars(target, layout)

    def _rewrite_scalars(self, target: WrittenObject, layout: Layout) -> None:
        """Replace the scalars of an object in the file by those of a layout."""
        for below, (value, attrs) in layout.scalars.items():
            path = join(target.path, below)
            if path in self.file:
                del self.file[path]
            write_scalar(self.file, path, value, attrs)
        target.layout.scalars = layout.scalars

    def _use_template(self, target: WrittenObject) -> Template:
        """Set the template of an object, and the shapes of its chunks from it."""
        rows = tuple(c.chunk_rows for c in target.columns)
        key = target.layout, id(target.settings), rows
        if key not in self._templates:
            if self._memory is None:
                self._memory = memory_file(self.file.libver)
            group = self._memory.create_group(str(len(self._templates)))
            self._templates[key] = Template(
                group, target.layout, list(rows), target.settings
            )
        template = self._templates[key]
        for i, column in enumerate(target.columns):
            column.chunk_rows = template.chunk_rows[i]
            column.filters = template.filters[i]
        target.template = template
        return template

    # ---- chunks --------------------------------------------------------------------

    def jobs(self, target: WrittenObject, chunks: list[Chunk]) -> list[Job]:
        """Return jobs that filter chunks; the results are written."""
        if chunks:
            self._know_filters(target)
        return [
            self._filter_job(some, size, partial(self._take, target, some))
            for some, size in in_tasks(chunks)
        ]

    def _filter_job(
        self, chunks: list[Chunk], size: int, done: Callable[[Any], None]
    ) -> Job:
        for chunk in chunks:
            # here, in order: the choice does not depend on the threads
            chunk.column.choose(chunk, self._encoder)
        return Job(size, partial(_encode, chunks), done)

    def take_encoded(
        self, target: WrittenObject, coding: Coding, encoded: Encoded
    ) -> None:
        """Append encoded waveforms, which come in order.

        Their chunks are made at once, in this thread, which takes little time: so the
        order in the file is the same for any number of threads.
        """
        end = target.column(coding.data).rows + len(encoded.data)
        if end > UINT32_MAX and target.column(coding.lengths).dtype == np.uint32:
            self._widen(target, coding.lengths)
        self._write_now(target, target.append_encoded(coding, encoded))

    def _write_now(self, target: WrittenObject, chunks: list[Chunk]) -> None:
        """Make chunks in this thread, and write them."""
        if chunks:
            self._know_filters(target)
            self._take(target, chunks, _encode(chunks, self._encoder))

    def _widen(self, target: WrittenObject, path: str) -> None:
        """Replace a column of lengths by one of 64-bit integers."""
        number = target.layout.numbers[path]
        old = target.columns[number]
        waiting = old.last()
        self._write_object(target)
        self._open.pop(old.path, None)
        # rows of a last chunk that waits may be in the file, too
        written = self.file[old.path][: waiting[0].start if waiting else None]
        pieces = [rows for chunk in waiting for rows in chunk.pieces]
        rows = np.concatenate([written, *pieces]).astype(np.int64)
        del self.file[old.path]
        dataset = replace(target.layout.datasets[number], dtype=np.dtype(np.int64))
        created, _ = create_dataset(
            self.file, old.path, dataset, old.chunk_rows, target.settings
        )
        target.columns[number] = Column.of_dataset(dataset, created)
        self._write_now(target, target.columns[number].append(rows))
        log.warning(
            "'%s' has more than 4 GiB of encoded waveforms: '%s' gets 64 bits, which "
            "lh5 reads for radware_sigcompress, but not (0.3.0) for "
            "uleb128_zigzag_diff; tables for each channel, or further files, avoid it",
            target.path,
            old.path,
        )

    def _know_filters(self, target: WrittenObject) -> None:
        if target.template is None and not target.exists:
            self._use_template(target)

    def _take(
        self, target: WrittenObject, chunks: list[Chunk], results: list[tuple[Any, int]]
    ) -> None:
        """Keep filtered chunks; write all if they exceed their memory."""
        with self._timed():
            self._hold(target, chunks, results)
            if self._held_bytes > self.plan.held:
                for other in self.objects.values():
                    if other.held:
                        self._write_object(other)

    def _submit_last(self, target: WrittenObject) -> None:
        """Submit the last chunks of an object.

        An object that is not in the file yet is copied there with all its rows.
        """
        if target.template is None and not target.exists:
            compressed = self._plan_of(target).compressed
            for column, packed in zip(target.columns, compressed, strict=True):
                smallest = rows_of_small_chunk(column.rows, packed)
                column.chunk_rows = min(column.chunk_rows, smallest)
            self._use_template(target)
        chunks = [chunk for c in target.columns for chunk in c.last()]

        def done(results: list[tuple[Any, int]]) -> None:
            with self._timed():
                self._hold(target, chunks, results)
                template = target.template
                if target.exists or not all(f.known for f in template.filters):
                    self._write_object(target)
                else:
                    check_headroom()
                    template.fill(target.columns, target.held)
                    template.copy(self.file, target.path)
                    target.exists = True
                    self._forget_held(target)

        size = sum(c.size for c in chunks)
        self.submit([self._filter_job(chunks, size, done)])

    def _hold(
        self, target: WrittenObject, chunks: list[Chunk], results: list[tuple[Any, int]]
    ) -> None:
        """Keep filtered chunks until many can be written together.

        Opening a dataset takes HDF5 much longer than writing a chunk: with many tables
        writing several at a time is faster.
        """
        for chunk, (payload, mask) in zip(chunks, results, strict=True):
            target.held.append((chunk, payload, mask))
            self._held_bytes += len(payload)

    def _forget_held(self, target: WrittenObject) -> None:
        self._held_bytes -= sum(len(payload) for _, payload, _ in target.held)
        target.held = []

    def _write_object(self, target: WrittenObject) -> None:
        """Write the chunks that an object holds."""
        check_headroom()
        self._ensure(target)
        for chunk, payload, mask in target.held:
            column = chunk.column
            dataset = self._dataset(column)
            end = chunk.start + chunk.rows
            dataset.set_extent((end, *column.row_shape))
            if column.filters.known:
                dataset.write_direct_chunk(chunk.origin, payload, mask)
                if self._syncer is not None:
                    self._syncer.count(len(payload))
            else:
                h5py.Dataset(dataset)[chunk.start : end] = payload
        self._forget_held(target)

    def _ensure(self, target: WrittenObject) -> None:
        """Make sure that an object is in the file."""
        if not target.exists:
            template = target.template or self._use_template(target)
            # the template may have rows of another object
            template.empty()
            template.copy(self.file, target.path)
            target.exists = True

    def _dataset(self, column: Column) -> h5d.DatasetID:
        """Return the open dataset of a column."""
        if column.path in self._open:
            self._open.move_to_end(column.path)
            return self._open[column.path]
        if len(self._open) >= OPEN_DATASETS:
            self._open.popitem(last=False)
        opened = h5d.open(
            self.file.id, column.path.encode(), access_properties(column.filters)
        )
        self._open[column.path] = opened
        return opened

    def append_unknown(
        self,
        obj: lgdo.LGDO,
        name: str,
        group: str,
        n_rows: int | None,
        settings: dict[str, Any] | None,
    ) -> None:
        """Let lh5 write an object of a type that this module does not know."""
        import lh5  # noqa: PLC0415  (takes a second)

        use_lh5_codecs(obj)
        self.pipeline.drain()
        for target in self.objects.values():
            self._ensure(target)
        self._parents.write()
        rows = {} if n_rows is None else {"n_rows": n_rows}
        lh5.write(
            obj,
            name,
            self.file,
            group=group,
            **rows,
            **with_plugin(self._merged(settings)),
        )
        self._parents.reload()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.write_seconds += time.perf_counter() - start


def _encode(chunks: list[Chunk], encoder: ChunkEncoder) -> list[tuple[Any, int]]:
    return [chunk.encode(encoder) for chunk in chunks]
