"""LH5 files, written fast.

What comes out is what :func:`lh5.write` makes of the same objects (names, dtypes,
datatypes, attributes, values, filters), but for the shapes of the chunks. It is faster
because chunks are filtered by several threads, with a faster deflate, and handed to
HDF5 as they are to be in the file; and because tables are made as copies of one.

Neither `lgdo` nor `lh5` is imported for that. What only `lh5` can write, such as
histograms, it writes.
"""

from __future__ import annotations

import inspect
import itertools
import logging
import os
import time
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
from h5py import h5d, h5o, h5p

from .threads import Task, Threads
from .writing.codecs import use_lh5_codecs
from .writing.columns import WIDE_ROW, Chunk, Column
from .writing.filters import (
    ChunkEncoder,
    Filters,
    dataset_settings,
    level_is_asked,
)
from .writing.layout import Dataset, Layout, layout_of_lgdo
from .writing.memory import MemoryPlan
from .writing.parents import Parents, write_attributes
from .writing.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import lgdo

    from .writing.codecs import Encoded
    from .writing.layout import Coding

log = logging.getLogger(__name__)

__all__ = ["LH5Writer", "check_settings", "split_settings"]

TASK_BYTES = 2**20
"""Bytes of rows that a thread works on at a time, at least."""

SYNC_BYTES = 2**25
"""Bytes after which what is written is sent to the disk, while work goes on."""

OPEN_DATASETS = 1024
"""Datasets that are kept open; each takes 19 kB in HDF5."""

SHAPES = ("chunks", "maxshape", "shape")
"""Settings that fit the datasets that they are meant for, and no others."""

SMALLEST_CHUNK = 16
"""Rows of the chunk of a table that has next to none."""

UINT32_MAX = 2**32 - 1
"""What lengths of encoded waveforms can say before they need more bits."""

NO_BYTES = np.empty(0, np.uint8)

_numbers = itertools.count()


def split_settings(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split HDF5 settings, as lh5 does, in those of files and those of datasets."""
    parameters = inspect.signature(h5py.File.__init__).parameters
    of_file = {k: v for k, v in settings.items() if k in parameters}
    of_datasets = {k: v for k, v in settings.items() if k not in parameters}
    page = of_datasets.pop("page_buffer", 0)
    if page:
        of_file |= {"fs_strategy": "page", "fs_page_size": page}
    return of_file, of_datasets


class _ChunkPlan(NamedTuple):
    """Rows of a chunk for each dataset; whether the user gave any shapes."""

    rows: list[int]
    given: bool


class _Object:
    """An LH5 object that rows are appended to.

    Attributes
    ----------
    path
        in the file.
    layout
        what it is made of.
    columns
        its datasets, in the order of the layout.
    template
        what it is a copy of; None until that must be known.
    exists
        whether it is in the file.
    held
        chunks that are to be written, with their filter masks.
    altered
        waveforms, by the path of their column, that codecs could not keep as they are.
    """

    def __init__(self, path: str, layout: Layout, columns: list[Column]) -> None:
        self.path = path
        self.layout = layout
        self.columns = columns
        self.template: _Template | None = None
        self.exists = False
        self.held: list[tuple[Chunk, Any, int]] = []
        self.altered: dict[str, int] = {}

    def column(self, path: str) -> Column:
        """Return the dataset with a path below the object."""
        return self.columns[self.layout.numbers[path]]

    def append(self, rows: Sequence[np.ndarray]) -> list[Chunk]:
        """Take rows for each dataset; return the chunks that are complete."""
        rows = list(rows)
        for i, flat in self.layout.vectors:
            before = self.columns[flat].rows
            if before:
                # on disk they count from the first row of the file
                dtype = self.columns[i].dtype
                rows[i] = rows[i].astype(dtype) + dtype.type(before)
        chunks = []
        for column, new in zip(self.columns, rows, strict=True):
            chunks += column.append(new)
        return chunks


class _Job(NamedTuple):
    """Work for any thread on so many bytes, and what to do with the result."""

    size: int
    work: Callable[[ChunkEncoder], Any]
    done: Callable[[Any], None]


class _Template:
    """An object in a file in memory, that others are copied from.

    A copy takes HDF5 a quarter of the time that making it anew does. Small tables get
    their rows before they are copied: none of their datasets is opened in the file.
    """

    def __init__(
        self,
        group: h5py.Group,
        layout: Layout,
        chunk_rows: list[int],
        settings: dict[str, Any],
    ) -> None:
        self.group = group
        for path, attrs in layout.groups.items():
            write_attributes(group.require_group(_join("object", path)), attrs)
        self._ids = []
        self.filters = []
        self.chunk_rows = []
        for dataset, rows in zip(layout.datasets, chunk_rows, strict=True):
            path = _join("object", dataset.path)
            created, level_asked = _create(group, path, dataset, rows, settings)
            properties = created.id.get_create_plist()
            filters = Filters.of(properties, level_asked)
            if created.chunks is None or created.chunks[1:] != dataset.row_shape:
                filters = Filters(known=False)
            self.filters.append(filters)
            self.chunk_rows.append(
                rows if created.chunks is None else created.chunks[0]
            )
            self._ids.append(h5d.open(group.id, path.encode(), _access(filters)))
        self._rows = [0] * len(self._ids)
        self._masked: set[int] = set()
        for path, (value, attrs) in layout.scalars.items():
            _write_scalar(group, _join("object", path), value, attrs)

    def fill(
        self, columns: list[Column], chunks: list[tuple[Chunk, bytes, int]]
    ) -> None:
        """Replace the rows of all datasets."""
        numbers = {column: i for i, column in enumerate(columns)}
        masked = {numbers[chunk.column] for chunk, _, mask in chunks if mask}
        for i, column in enumerate(columns):
            # without rows first: HDF5 works on the end of a chunk that gets shorter,
            # and keeps the mask of a chunk that is replaced
            if column.rows != self._rows[i] or i in masked or i in self._masked:
                self._resize(i, 0)
                self._resize(i, column.rows)
        self._masked = masked
        for chunk, payload, mask in chunks:
            dataset = self._ids[numbers[chunk.column]]
            dataset.write_direct_chunk(chunk.origin, payload, mask)

    def empty(self) -> None:
        """Remove all rows."""
        for i in range(len(self._ids)):
            self._resize(i, 0)

    def _resize(self, i: int, rows: int) -> None:
        if rows != self._rows[i]:
            self._ids[i].set_extent((rows, *self._ids[i].shape[1:]))
            self._rows[i] = rows

    def copy(self, file: h5py.File, path: str) -> None:
        """Copy the object to a path in `file`."""
        links = h5p.create(h5p.LINK_CREATE)
        links.set_create_intermediate_group(True)
        h5o.copy(self.group.id, b"object", file.id, path.encode(), lcpl=links)


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
        self._encoder = ChunkEncoder()
        self._more_to_come = more_to_come
        self._parents = Parents(file)
        self._objects: dict[str, _Object] = {}
        self._planned: dict[Layout, _ChunkPlan] = {}
        self._templates: dict[tuple[Layout, tuple[int, ...]], _Template] = {}
        self._memory: h5py.File | None = None
        self._open: OrderedDict[str, h5d.DatasetID] = OrderedDict()
        self._syncer = _Syncer(file) if sync and self.pipeline.threads > 1 else None

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
        rows: Sequence[np.ndarray],
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
            new rows of each dataset of the layout (of what is to be encoded: see
            :func:`.add_encoded`). They must stay as they are until `release` is called.
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
                    _join(target.path, path),
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

    def _enter(self, path: str, name: str, group: str, layout: Layout) -> _Object:
        """Make the first acquaintance of an object."""
        if self._parents.has(path) and not self._remove_if_bare(path):
            target = self._open_object(path, layout)
        else:
            target = _Object(path, layout, self._plan_columns(path, layout))
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
            Column(dataset, _join(path, dataset.path), rows)
            for dataset, rows in zip(layout.datasets, chunk_rows, strict=True)
        ]

    def _plan_chunks(self, layout: Layout) -> _ChunkPlan:
        short = [d.row_bytes for d in layout.datasets if d.row_bytes < WIDE_ROW]
        flat = {d.counts for d in layout.datasets}
        chunk_rows = []
        for dataset in layout.datasets:
            if dataset.path in flat:
                rows = self.plan.chunk_elements(dataset.row_bytes)
            elif dataset.row_bytes < WIDE_ROW:
                rows = self.plan.short_chunk_rows(sum(short), max(short))
            else:
                rows = self.plan.chunk_rows(dataset.row_bytes)
            chunk_rows.append(rows)
        settings = [dataset_settings(self.settings, d) for d in layout.settings]
        return _ChunkPlan(chunk_rows, any("chunks" in s for s in settings))

    def _open_object(self, path: str, layout: Layout) -> _Object:
        """Go on with an object of the file.

        Of a last chunk that is not full the rows are taken back: it is made anew.
        """
        columns = []
        for below, attrs in layout.groups.items():
            node = self.file.get(_join(path, below))
            found = {} if node is None else dict(node.attrs)
            _compare(_join(path, below), found, attrs)
        for dataset in layout.datasets:
            node = self.file.get(_join(path, dataset.path))
            if not isinstance(node, h5py.Dataset):
                msg = (
                    f"'{_join(path, dataset.path)}' is no dataset: cannot append to it"
                )
                raise RuntimeError(msg)
            _compare_rows(node.name, node.shape[1:], dataset.row_shape)
            columns.append(Column.of_dataset(dataset, node))
        for coding in layout.codings:
            node = self.file.get(_join(path, coding.decoded_size))
            if isinstance(node, h5py.Dataset):
                _compare_rows(
                    _join(path, coding.path), (int(node[()]),), (coding.n_samples,)
                )
        target = _Object(path, layout, columns)
        target.exists = True
        self._rewrite_scalars(target, layout)
        return target

    def _check_same(
        self, target: _Object, layout: Layout, rows: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Refuse rows of other columns, or with other attributes; put them in order."""
        old, new = target.layout, layout
        for below in {**old.groups, **new.groups}:
            _compare(
                _join(target.path, below),
                old.groups.get(below, {}),
                new.groups.get(below, {}),
            )
        by_path = {d.path: r for d, r in zip(new.datasets, rows, strict=True)}
        if by_path.keys() != {d.path for d in old.datasets}:
            msg = f"'{target.path}': the columns to append are not those there are"
            raise RuntimeError(msg)
        for dataset in new.datasets:
            column = target.columns[old.numbers[dataset.path]]
            _compare_rows(column.path, column.row_shape, dataset.row_shape)
        for coding in new.codings:
            found, _ = old.scalars[coding.decoded_size]
            _compare_rows(
                _join(target.path, coding.path), (found,), (coding.n_samples,)
            )
        if repr(old.scalars) != repr(new.scalars):
            self._ensure(target)
            self._rewrite_scalars(target, new)
        return [by_path[d.path] for d in old.datasets]

    def _rewrite_scalars(self, target: _Object, layout: Layout) -> None:
        for below, (value, attrs) in layout.scalars.items():
            path = _join(target.path, below)
            if path in self.file:
                del self.file[path]
            _write_scalar(self.file, path, value, attrs)
        target.layout.scalars = layout.scalars

    def _use_template(self, target: _Object) -> _Template:
        """Find what the object is to be a copy of; its chunks are as that has them."""
        rows = tuple(c.chunk_rows for c in target.columns)
        key = target.layout, rows
        if key not in self._templates:
            if self._memory is None:
                self._memory = _memory_file(self.file.libver)
            group = self._memory.create_group(str(len(self._templates)))
            self._templates[key] = _Template(
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

    def _filtering(self, target: _Object, chunks: list[Chunk]) -> list[_Job]:
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
        self, target: _Object, coding: Coding, waveforms: np.ndarray
    ) -> list[_Job]:
        """Return jobs that encode waveforms, which become rows when that is done."""
        row_bytes = waveforms.itemsize * coding.n_samples
        step = max(1, TASK_BYTES // max(row_bytes, 1))
        jobs = []
        for start in range(0, len(waveforms), step):
            some = waveforms[start : start + step]
            work = partial(_encode_waveforms, coding, some)
            done = partial(self._append_encoded, target, coding)
            jobs.append(_Job(some.nbytes, work, done))
        return jobs

    def _append_encoded(
        self, target: _Object, coding: Coding, encoded: Encoded
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

    def _write_now(self, target: _Object, chunks: list[Chunk]) -> None:
        """Make chunks in this thread, and write them."""
        if chunks:
            self._know_filters(target)
            self._take(target, chunks, _encode(chunks, self._encoder))

    def _widen(self, target: _Object, path: str) -> None:
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
        created, _ = _create(
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

    def _know_filters(self, target: _Object) -> None:
        if target.template is None and not target.exists:
            self._use_template(target)

    def _take(
        self, target: _Object, chunks: list[Chunk], results: list[tuple[Any, int]]
    ) -> None:
        """Take chunks that are made, and write if there are enough of them."""
        with self._timed():
            self._hold(target, chunks, results)
            if self._held_bytes > self.plan.held:
                for other in self._objects.values():
                    if other.held:
                        self._write_object(other)

    def _submit_last(self, target: _Object) -> None:
        """Have the rest of an object written.

        One that is not in the file yet gets there as a copy, with all its rows.
        """
        if target.template is None and not target.exists:
            # small as it is, its chunks need not be as large as planned
            encoded = [target.column(c.data) for c in target.layout.codings]
            for column in target.columns:
                bits = max(column.rows - 1, 0).bit_length()
                # what is not compressed takes its space to the end of the chunk
                step = 1 << max(bits - 4, 0) if column in encoded else 1 << bits
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
                    template.fill(target.columns, target.held)
                    template.copy(self.file, target.path)
                    target.exists = True
                    self._forget_held(target)

        size = sum(c.size for c in chunks)
        self._submit([self._filter_job(chunks, size, done)])

    def _hold(
        self, target: _Object, chunks: list[Chunk], results: list[tuple[Any, int]]
    ) -> None:
        """Keep chunks until there is reason to write them.

        Opening a dataset takes HDF5 much longer than writing a chunk: with many tables
        it pays off to write several at a time.
        """
        for chunk, (payload, mask) in zip(chunks, results, strict=True):
            target.held.append((chunk, payload, mask))
            self._held_bytes += len(payload)

    def _forget_held(self, target: _Object) -> None:
        self._held_bytes -= sum(len(payload) for _, payload, _ in target.held)
        target.held = []

    def _write_object(self, target: _Object) -> None:
        """Write the chunks that an object holds."""
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

    def _ensure(self, target: _Object) -> None:
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
        opened = h5d.open(self.file.id, column.path.encode(), _access(column.filters))
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


class _Syncer:
    """Sends what is written to the disk, in a thread of its own."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._bytes = 0
        self._thread: Threads | None = None
        self._running: Task | None = None

    def count(self, n: int) -> None:
        """Take note of `n` bytes that were written."""
        self._bytes += n
        busy = self._running is not None and not self._running.done
        if self._bytes < SYNC_BYTES or busy:
            return
        self._bytes = 0
        if self._thread is None:
            self._thread = Threads(1, "daq2lh5-sync")
        self.wait()
        descriptor = self._file.id.get_vfd_handle()
        self._running = self._thread.submit(partial(os.fsync, descriptor))

    def wait(self) -> None:
        """Wait for what is on its way; raises what went wrong with it."""
        if self._running is not None:
            # the system tells of an error only once
            self._running.result()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.close()
            self._thread = None


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


def _join(path: str, below: str) -> str:
    return f"{path}/{below}" if below else path


def _compare(path: str, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    if found != wanted:
        msg = (
            f"'{path}' has the attributes {found}: cannot append something with "
            f"{wanted} to it"
        )
        raise RuntimeError(msg)


def _compare_rows(path: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        msg = f"'{path}' has rows of shape {found}: cannot append some of {wanted}"
        raise RuntimeError(msg)


def check_settings(settings: dict[str, Any], layouts: Iterable[Layout] = ()) -> None:
    """Make sure that datasets can be written as the user wants them.

    Raises
    ------
    ValueError
        if h5py refuses the settings of files or datasets.
    """
    of_file, of_datasets = split_settings(settings)
    if "driver" in of_file:
        msg = "hdf5_settings: 'driver' cannot be set, files are written in place"
        raise ValueError(msg)
    own = [d for layout in layouts for d in layout.settings if d]
    if not settings and not own:
        return
    with _memory_file() as file:
        for number, wanted in enumerate([{}, *own]):
            dataset = Dataset(str(number), np.dtype(np.uint16))
            # a shape is for the one that it is meant for
            given = {k: v for k, v in of_datasets.items() if k not in SHAPES}
            dataset.settings = {k: v for k, v in wanted.items() if k not in SHAPES}
            try:
                _create(file, dataset.path, dataset, SMALLEST_CHUNK, given)
            except Exception as e:
                msg = f"hdf5_settings {of_datasets | wanted}: {e}"
                raise ValueError(msg) from e


def _memory_file(libver: Any = None) -> h5py.File:
    name = f"daq2lh5-{os.getpid()}-{next(_numbers)}"
    return h5py.File(name, "w", driver="core", backing_store=False, libver=libver)


def _create(
    group: h5py.Group,
    path: str,
    dataset: Dataset,
    chunk_rows: int,
    settings: dict[str, Any],
) -> tuple[h5py.Dataset, bool]:
    """Create a dataset without rows; tell also if its deflate level was asked for."""
    arguments = dataset_settings(settings, dataset.settings)
    shape = {"maxshape": (None, *dataset.row_shape)}
    if dataset.row_bytes and "maxshape" not in arguments:
        # of rows without elements h5py knows to make some chunk
        shape["chunks"] = (chunk_rows, *dataset.row_shape)
    created = group.create_dataset(
        path, shape=(0, *dataset.row_shape), dtype=dataset.dtype, **shape | arguments
    )
    write_attributes(created, dataset.attrs)
    return created, level_is_asked(arguments)


def _write_scalar(
    group: h5py.Group, path: str, value: Any, attrs: dict[str, Any]
) -> None:
    write_attributes(group.create_dataset(path, shape=(), data=value), attrs)


def _access(filters: Filters) -> h5p.PropDAID:
    """Return access properties: what is written chunk by chunk needs no cache."""
    properties = h5p.create(h5p.DATASET_ACCESS)
    if filters.known:
        properties.set_chunk_cache(1, 0, 1.0)
    return properties
