"""LH5 files, written fast.

What comes out is what :func:`lh5.write` makes of the same objects (names, dtypes,
datatypes, attributes, values, filters), but for the shapes of the chunks. It is faster
because chunks are filtered by several threads, with a faster deflate, and handed to
HDF5 as they are to be in the file; and because tables are made as copies of one.

Neither `lgdo` nor `lh5` is imported for that. What only `lh5` can write, such as
histograms, it writes.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
from h5py import h5d

from ..resources.memory import MemoryPlan
from .codecs import Encoded, use_lh5_codecs
from .columns import WIDE_ROW, Chunk, Column
from .datasets import (
    SMALLEST_CHUNK,
    UNCOMPRESSED_PART,
    access_properties,
    check_headroom,
    create_dataset,
    join,
    memory_file,
    write_scalar,
)
from .filters import dataset_settings
from .layout import layout_of_lgdo
from .objects import WrittenObject, compare_attributes, compare_rows
from .parents import Parents
from .pipeline import Pipeline
from .settings import check_settings, split_settings
from .syncer import Syncer
from .templates import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import lgdo

    from .filters import ChunkEncoder
    from .layout import Coding, Layout

log = logging.getLogger(__name__)

__all__ = ["LH5Writer", "check_settings", "split_settings"]

TASK_BYTES = 2**20
"""Bytes of rows that a thread works on at a time, at least."""

OPEN_DATASETS = 1024
"""Datasets that are kept open; each takes 19 kB in HDF5."""

UINT32_MAX = 2**32 - 1
"""What lengths of encoded waveforms can say before they need more bits."""

NO_BYTES = np.empty(0, np.uint8)


class _ChunkPlan(NamedTuple):
    """Rows of a chunk of each dataset, if it is compressed; if shapes were given."""

    rows: list[int]
    compressed: list[bool]
    given: bool


class _Job(NamedTuple):
    """Work for any thread on so many bytes, and what to do with the result."""

    size: int
    work: Callable[[ChunkEncoder], Any]
    done: Callable[[Any], None]


class LH5Writer:
    """Writes LH5 objects to an HDF5 file, by appending rows to them.

    What is appended is on disk after :meth:`finish`, which must be called.

    Parameters
    ----------
    file
        the file, open for writing.
    settings
        HDF5 settings for all datasets: arguments of ``create_dataset``.
    plan
        limits of memory: they decide the shapes of the chunks.
    pipeline
        threads for the work; without, the caller's does it all.
    more_to_come
        whether objects will grow after this writer is done with the file: small ones
        get chunks as large as all others, then.
    sync
        whether to have data sent to disk all the time.
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
        self.file = file
        self.settings = settings or {}
        self.plan = plan or MemoryPlan()
        self.pipeline = pipeline or Pipeline()
        self.write_seconds = 0.0
        self._held_bytes = 0
        self._encoder = self.pipeline.new_encoder()
        self._more_to_come = more_to_come
        self._parents = Parents(file)
        self._objects: dict[str, WrittenObject] = {}
        self._planned: dict[Layout, _ChunkPlan] = {}
        self._templates: dict[tuple[Layout, tuple[int, ...]], Template] = {}
        self._memory: h5py.File | None = None
        self._open: OrderedDict[str, h5d.DatasetID] = OrderedDict()
        self._syncer = Syncer(file) if sync and self.pipeline.threads > 1 else None

    # ---- what to write -------------------------------------------------------------

    def append_lgdo(
        self, obj: lgdo.LGDO, name: str, group: str = "/", n_rows: int | None = None
    ) -> None:
        """Append the first `n_rows` rows of an LGDO; it is not needed any more then."""
        described = layout_of_lgdo(obj, n_rows)
        if described is None:
            self._write_with_lh5(obj, name, group, n_rows)
        else:
            self.append(*described, name, group)
            self.drain()

    def append(
        self,
        layout: Layout,
        rows: Sequence[np.ndarray | Encoded],
        name: str,
        group: str = "/",
        release: Callable[[], None] | None = None,
    ) -> None:
        """Append rows to an object, which appears if it is new.

        Parameters
        ----------
        layout
            what the object is made of.
        rows
            new rows of each dataset of the layout (of what is to be encoded, or is
            already: see :func:`.add_encoded`). They must stay as they are until
            `release` is called.
        name, group
            where the object is.
        release
            called when the rows are not needed any more.

        Raises
        ------
        RuntimeError
            if the object exists with other columns or attributes.
        """
        path = "/".join(p for p in f"{group}/{name}".split("/") if p)
        target = self._objects.get(path)
        if target is None:
            target = self._enter(path, name, group, layout)
        elif target.layout is not layout:
            # what is being encoded comes before, however these rows are encoded
            self.pipeline.drain()
        rows = list(rows)
        jobs = []
        for coding in layout.codings:
            number = layout.numbers[coding.data]
            jobs += self._encoding(target, coding, rows[number])
            rows[number] = NO_BYTES
        if target.layout is not layout:
            rows = self._check_same(target, layout, rows)
        self._submit([*jobs, *self._filtering(target, target.append(rows))], release)

    def drain(self) -> None:
        """Wait until no rows that were appended are needed any more."""
        self.pipeline.drain()

    def has(self, name: str) -> bool:
        """Whether there is something of that name in the root group."""
        return self._parents.has(name)

    def finish(self) -> None:
        """Write everything that is left; the file is complete then."""
        if any(target.layout.codings for target in self._objects.values()):
            self.pipeline.drain()
        for target in self._objects.values():
            self._submit_last(target)
            for path, n in target.altered.items():
                log.warning(
                    "'%s': %d waveforms have samples that do not fit the codec; they "
                    "are not the same when decoded",
                    join(target.path, path),
                    n,
                )
            target.altered = {}
        self.pipeline.drain()
        with self._timed():
            self._parents.write()
            if self._syncer is not None:
                self._syncer.wait()
            self.close()

    def close(self) -> None:
        """Let go of all that belongs to the file."""
        if self._syncer is not None:
            self._syncer.close()
        self._open.clear()
        self._templates.clear()
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    # ---- objects that are new, or there already ------------------------------------

    def _enter(self, path: str, name: str, group: str, layout: Layout) -> WrittenObject:
        """Make the first acquaintance of an object."""
        if self._parents.has(path) and not self._remove_if_bare(path):
            target = self._open_object(path, layout)
        else:
            target = WrittenObject(path, layout, self._plan_columns(path, layout))
            self._parents.add(group, name)
            if "" in layout.groups:
                datatype = layout.groups[""].get("datatype", "")
                self._parents.add_group(path, datatype, layout.members)
            if self._more_to_come or self._planned[layout].given:
                self._use_template(target)
        self._objects[path] = target
        return target

    def _remove_if_bare(self, path: str) -> bool:
        """Make room for an object where there is a group with nothing in it."""
        node = self.file.get(path)
        bare = isinstance(node, h5py.Group) and not len(node) and not len(node.attrs)
        if bare:
            del self.file[path]
        return bare

    def _plan_columns(self, path: str, layout: Layout) -> list[Column]:
        if layout not in self._planned:
            self._planned[layout] = self._plan_chunks(layout)
        chunk_rows = self._planned[layout].rows
        return [
            Column(dataset, join(path, dataset.path), rows)
            for dataset, rows in zip(layout.datasets, chunk_rows, strict=True)
        ]

    def _plan_chunks(self, layout: Layout) -> _ChunkPlan:
        short = [d.row_bytes for d in layout.datasets if d.row_bytes < WIDE_ROW]
        flat = {d.counts for d in layout.datasets}
        settings = [dataset_settings(self.settings, d) for d in layout.settings]
        compressed = [
            dataset_settings(self.settings, d.settings).get("compression") is not None
            for d in layout.datasets
        ]
        chunk_rows = []
        for dataset, packed in zip(layout.datasets, compressed, strict=True):
            if dataset.path in flat:
                rows = self.plan.chunk_elements(dataset.row_bytes)
            elif dataset.row_bytes < WIDE_ROW:
                rows = self.plan.short_chunk_rows(sum(short), max(short))
            else:
                rows = self.plan.chunk_rows(dataset.row_bytes)
            chunk_rows.append(rows if packed else max(1, rows // UNCOMPRESSED_PART))
        return _ChunkPlan(chunk_rows, compressed, any("chunks" in s for s in settings))

    def _open_object(self, path: str, layout: Layout) -> WrittenObject:
        """Go on with an object of the file.

        Of a last chunk that is not full the rows are taken back: it is made anew.
        """
        columns = []
        for below, attrs in layout.groups.items():
            node = self.file.get(join(path, below))
            found = {} if node is None else dict(node.attrs)
            compare_attributes(join(path, below), found, attrs)
        for dataset in layout.datasets:
            node = self.file.get(join(path, dataset.path))
            if not isinstance(node, h5py.Dataset):
                msg = f"'{join(path, dataset.path)}' is no dataset: cannot append to it"
                raise RuntimeError(msg)
            compare_rows(node.name, node.shape[1:], dataset.row_shape)
            columns.append(Column.of_dataset(dataset, node))
        for coding in layout.codings:
            node = self.file.get(join(path, coding.decoded_size))
            if isinstance(node, h5py.Dataset):
                compare_rows(
                    join(path, coding.path), (int(node[()]),), (coding.n_samples,)
                )
        target = WrittenObject(path, layout, columns)
        target.exists = True
        self._rewrite_scalars(target, layout)
        return target

    def _check_same(
        self, target: WrittenObject, layout: Layout, rows: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Refuse rows of other columns, or with other attributes; put them in order."""
        old, new = target.layout, layout
        for below in {**old.groups, **new.groups}:
            compare_attributes(
                join(target.path, below),
                old.groups.get(below, {}),
                new.groups.get(below, {}),
            )
        by_path = {d.path: r for d, r in zip(new.datasets, rows, strict=True)}
        if by_path.keys() != {d.path for d in old.datasets}:
            msg = f"'{target.path}': the columns to append are not those there are"
            raise RuntimeError(msg)
        for dataset in new.datasets:
            column = target.columns[old.numbers[dataset.path]]
            compare_rows(column.path, column.row_shape, dataset.row_shape)
        for coding in new.codings:
            found, _ = old.scalars[coding.decoded_size]
            compare_rows(join(target.path, coding.path), (found,), (coding.n_samples,))
        if repr(old.scalars) != repr(new.scalars):
            self._ensure(target)
            self._rewrite_scalars(target, new)
        return [by_path[d.path] for d in old.datasets]

    def _rewrite_scalars(self, target: WrittenObject, layout: Layout) -> None:
        for below, (value, attrs) in layout.scalars.items():
            path = join(target.path, below)
            if path in self.file:
                del self.file[path]
            write_scalar(self.file, path, value, attrs)
        target.layout.scalars = layout.scalars

    def _use_template(self, target: WrittenObject) -> Template:
        """Find what the object is to be a copy of; its chunks are as that has them."""
        rows = tuple(c.chunk_rows for c in target.columns)
        key = target.layout, rows
        if key not in self._templates:
            if self._memory is None:
                self._memory = memory_file(self.file.libver)
            group = self._memory.create_group(str(len(self._templates)))
            self._templates[key] = Template(
                group, target.layout, list(rows), self.settings
            )
        template = self._templates[key]
        for i, column in enumerate(target.columns):
            column.chunk_rows = template.chunk_rows[i]
            column.filters = template.filters[i]
        target.template = template
        return template

    # ---- chunks --------------------------------------------------------------------

    def _submit(
        self, jobs: list[_Job], release: Callable[[], None] | None = None
    ) -> None:
        """Have jobs done by the threads; `release` is called when they all are."""
        if not jobs and release is not None:
            release()
        for i, (size, work, done) in enumerate(jobs):
            last = i == len(jobs) - 1
            finished = partial(_released, release, done) if last and release else done
            self.pipeline.submit(size, work, finished)

    def _filtering(self, target: WrittenObject, chunks: list[Chunk]) -> list[_Job]:
        """Return jobs that make chunks; they are written when that is done."""
        if chunks:
            self._know_filters(target)
        jobs = []
        start = size = 0
        for i, chunk in enumerate(chunks):
            size += chunk.size
            if size >= TASK_BYTES or i == len(chunks) - 1:
                some = chunks[start : i + 1]
                done = partial(self._take, target, some)
                jobs.append(self._filter_job(some, size, done))
                start, size = i + 1, 0
        return jobs

    def _filter_job(
        self, chunks: list[Chunk], size: int, done: Callable[[Any], None]
    ) -> _Job:
        for chunk in chunks:
            # here, in order: the choice must not depend on the threads
            chunk.column.choose(chunk, self._encoder)
        return _Job(size, partial(_encode, chunks), done)

    def _encoding(
        self, target: WrittenObject, coding: Coding, waveforms: np.ndarray | Encoded
    ) -> list[_Job]:
        """Return jobs that encode waveforms, which become rows when that is done."""
        done = partial(self._append_encoded, target, coding)
        if isinstance(waveforms, Encoded):
            return [_Job(waveforms.data.nbytes, lambda _: waveforms.copy(), done)]
        row_bytes = waveforms.itemsize * coding.n_samples
        step = max(1, TASK_BYTES // max(row_bytes, 1))
        jobs = []
        for start in range(0, len(waveforms), step):
            some = waveforms[start : start + step]
            work = partial(_encode_waveforms, coding, some)
            jobs.append(_Job(some.nbytes, work, done))
        return jobs

    def _append_encoded(
        self, target: WrittenObject, coding: Coding, encoded: Encoded
    ) -> None:
        """Append encoded waveforms, which come in order.

        What is left to do is next to nothing, and done at once: so the order of all
        that is written is the same for any number of threads.
        """
        if encoded.altered:
            known = target.altered.get(coding.path, 0)
            target.altered[coding.path] = known + encoded.altered
        data = target.column(coding.data)
        ends = encoded.ends + data.rows
        if ends[-1] > UINT32_MAX and target.column(coding.lengths).dtype == np.uint32:
            self._widen(target, coding.lengths)
        chunks = data.append(encoded.data) + target.column(coding.lengths).append(ends)
        self._write_now(target, chunks)

    def _write_now(self, target: WrittenObject, chunks: list[Chunk]) -> None:
        """Make chunks in this thread, and write them."""
        if chunks:
            self._know_filters(target)
            self._take(target, chunks, _encode(chunks, self._encoder))

    def _widen(self, target: WrittenObject, path: str) -> None:
        """Make a column of lengths anew, with numbers of 64 bits."""
        number = target.layout.numbers[path]
        old = target.columns[number]
        waiting = old.last()
        self._write_object(target)
        self._open.pop(old.path, None)
        # those that wait may be in the file, too
        written = self.file[old.path][: waiting[0].start if waiting else None]
        pieces = [rows for chunk in waiting for rows in chunk.pieces]
        rows = np.concatenate([written, *pieces]).astype(np.int64)
        del self.file[old.path]
        dataset = replace(target.layout.datasets[number], dtype=np.dtype(np.int64))
        created, _ = create_dataset(
            self.file, old.path, dataset, old.chunk_rows, self.settings
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
        """Take chunks that are made, and write if there are enough of them."""
        with self._timed():
            self._hold(target, chunks, results)
            if self._held_bytes > self.plan.held:
                for other in self._objects.values():
                    if other.held:
                        self._write_object(other)

    def _submit_last(self, target: WrittenObject) -> None:
        """Have the rest of an object written.

        One that is not in the file yet gets there as a copy, with all its rows.
        """
        if target.template is None and not target.exists:
            # small as it is, its chunks need not be as large as planned
            compressed = self._planned[target.layout].compressed
            for column, packed in zip(target.columns, compressed, strict=True):
                bits = max(column.rows - 1, 0).bit_length()
                # what is not compressed takes its space to the end of the chunk
                step = 1 << bits if packed else 1 << max(bits - 4, 0)
                rounded = -(-column.rows // step) * step
                column.chunk_rows = min(column.chunk_rows, max(SMALLEST_CHUNK, rounded))
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
        self._submit([self._filter_job(chunks, size, done)])

    def _hold(
        self, target: WrittenObject, chunks: list[Chunk], results: list[tuple[Any, int]]
    ) -> None:
        """Keep chunks until there is reason to write them.

        Opening a dataset takes HDF5 much longer than writing a chunk: with many tables
        it pays off to write several at a time.
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
            # another may have left its rows in there
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

    def _write_with_lh5(
        self, obj: lgdo.LGDO, name: str, group: str, n_rows: int | None
    ) -> None:
        """Have lh5 write what is nothing for this module."""
        import lh5  # noqa: PLC0415  (takes a second)

        use_lh5_codecs(obj)
        self.pipeline.drain()
        for target in self._objects.values():
            self._ensure(target)
        self._parents.write()
        rows = {} if n_rows is None else {"n_rows": n_rows}
        lh5.write(obj, name, self.file, group=group, **rows, **self.settings)
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


def _encode_waveforms(
    coding: Coding, waveforms: np.ndarray, encoder: ChunkEncoder
) -> Encoded:
    return coding.codec.encode(waveforms, room=encoder.room)


def _released(
    release: Callable[[], None], done: Callable[[Any], None], result: Any
) -> None:
    release()
    done(result)
