"""LH5 objects that grow by rows, with work on complete chunks for several threads.

The base of the writer, and of the comparison with an existing file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .layout import TASK_BYTES, layout_of_lgdo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import lgdo

    from .codecs import Encoded
    from .columns import Chunk
    from .filters import ChunkEncoder
    from .layout import Coding, Layout
    from .objects import WrittenObject
    from .pipeline import Pipeline

__all__ = ["Appender", "Job", "in_tasks"]

NO_BYTES = np.empty(0, np.uint8)


class Job(NamedTuple):
    """Work on `size` bytes for any thread, and a function that takes its result."""

    size: int
    work: Callable[[ChunkEncoder], Any]
    done: Callable[[Any], None]


class Appender(ABC):
    """Takes rows for the objects of a file.

    Parameters
    ----------
    pipeline
        threads for the work.

    Attributes
    ----------
    objects
        the objects by path.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.objects: dict[str, WrittenObject] = {}

    # ---- for subclasses ------------------------------------------------------------

    @abstractmethod
    def enter(
        self,
        path: str,
        name: str,
        group: str,
        layout: Layout,
        settings: dict[str, Any] | None,
    ) -> WrittenObject:
        """Return a new object of the file."""

    @abstractmethod
    def jobs(self, target: WrittenObject, chunks: list[Chunk]) -> list[Job]:
        """Return the work on complete chunks of an object."""

    @abstractmethod
    def take_encoded(
        self, target: WrittenObject, coding: Coding, encoded: Encoded
    ) -> None:
        """Append encoded waveforms, which come in order."""

    @abstractmethod
    def replace_scalars(self, target: WrittenObject, layout: Layout) -> None:
        """Replace the scalars of an object by the scalars of a layout."""

    @abstractmethod
    def append_unknown(
        self,
        obj: lgdo.LGDO,
        name: str,
        group: str,
        n_rows: int | None,
        settings: dict[str, Any] | None,
    ) -> None:
        """Append an object that has no layout."""

    @abstractmethod
    def add_alias(self, path: str, alias: str) -> None:
        """Give an object a further name."""

    # ---- appending -----------------------------------------------------------------

    def append_lgdo(
        self,
        obj: lgdo.LGDO,
        name: str,
        group: str = "/",
        n_rows: int | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        """Append the first `n_rows` rows of an LGDO; the caller may change it then.

        Parameters
        ----------
        obj
            the LGDO.
        name, group, settings
            see :meth:`append`.
        n_rows
            number of rows; by default all.

        Raises
        ------
        RuntimeError
            if the object exists with other columns or attributes.
        """
        described = layout_of_lgdo(obj, n_rows)
        if described is None:
            self.append_unknown(obj, name, group, n_rows, settings)
        else:
            self.append(*described, name, group, settings=settings)
            self.drain()

    def append(
        self,
        layout: Layout,
        rows: Sequence[np.ndarray | Encoded],
        name: str,
        group: str = "/",
        release: Callable[[], None] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        """Append rows to an object, which is created if it is new.

        Parameters
        ----------
        layout
            HDF5 objects of the LH5 object.
        rows
            new rows of each dataset of the layout (for waveforms that are written
            encoded, see :func:`.add_encoded`). They must not change until `release` is
            called.
        name, group
            name and group of the object.
        release
            called when the rows may change.
        settings
            HDF5 settings of a new object, which win over those for all datasets.

        Raises
        ------
        RuntimeError
            if the object exists with other columns or attributes.
        """
        path = "/".join(p for p in f"{group}/{name}".split("/") if p)
        target = self.objects.get(path)
        if target is None:
            target = self.enter(path, name, group, layout, settings)
            self.objects[path] = target
        elif target.layout is not layout:
            # rows whose encoding is not done come before these
            self.pipeline.drain()
        rows = list(rows)
        jobs = []
        for coding in layout.codings:
            number = layout.numbers[coding.data]
            done = partial(self.take_encoded, target, coding)
            jobs += [Job(size, work, done) for size, work in coding.work(rows[number])]
            rows[number] = NO_BYTES
        if target.layout is not layout:
            rows = target.in_order(layout, rows)
            if repr(target.layout.scalars) != repr(layout.scalars):
                self.replace_scalars(target, layout)
        self.submit([*jobs, *self.jobs(target, target.append(rows))], release)

    def submit(
        self, jobs: list[Job], release: Callable[[], None] | None = None
    ) -> None:
        """Hand jobs to the threads; call `release` when all are done."""
        if not jobs and release is not None:
            release()
        for i, (size, work, done) in enumerate(jobs):
            last = i == len(jobs) - 1
            finished = partial(_released, release, done) if last and release else done
            self.pipeline.submit(size, work, finished)

    def drain(self) -> None:
        """Wait until the work on all appended rows is done: they may change."""
        self.pipeline.drain()


def in_tasks(chunks: list[Chunk]) -> Iterator[tuple[list[Chunk], int]]:
    """Yield tasks of `TASK_BYTES` or more: their chunks, and their number of bytes."""
    start = size = 0
    for i, chunk in enumerate(chunks):
        size += chunk.size
        if size >= TASK_BYTES or i == len(chunks) - 1:
            yield chunks[start : i + 1], size
            start, size = i + 1, 0


def _released(
    release: Callable[[], None], done: Callable[[Any], None], result: Any
) -> None:
    release()
    done(result)
