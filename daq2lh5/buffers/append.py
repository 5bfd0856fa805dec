"""Rows of buffers appended to LH5 files."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..writing.codecs import use_lh5_codecs

if TYPE_CHECKING:
    import h5py
    from lh5 import LH5Store

    from ..writing.layout import Layout
    from ..writing.lh5_writer import LH5Writer
    from .places import Place
    from .table_buffer import TableBuffer
    from .table_settings import TableSettings

LH5_ARGUMENTS = frozenset({"start_row", "n_rows", "write_start"})
"""Arguments of :meth:`lh5.LH5Store.write` that this package leaves to it."""


class Rows(Protocol):
    """The part of the interface of :class:`.RawBuffer` that writing needs.

    Attributes
    ----------
    place
        place of the table.
    loc
        number of rows.
    table
        the rows; None if they are in an LGDO.
    layout
        HDF5 objects that the processed rows become; None if that depends on the LGDO.
    plan
        processing of `table`, if any.
    settings
        how the table is written.
    """

    loc: int
    table: TableBuffer | None
    settings: TableSettings

    @property
    def place(self) -> Place: ...  # noqa: D102

    @property
    def layout(self) -> Layout | None: ...  # noqa: D102

    @property
    def plan(self) -> Any: ...  # noqa: D102

    def describe_unmade(self) -> tuple[Layout, list[Any]] | None:
        """Return layout and values of a header whose LGDO is not made yet."""

    def processed(self, db_dict: dict | None) -> tuple[Any, int | None]:
        """Return the processed LGDO, and the number of rows to write."""


def write_to_lh5_and_clear(
    raw_buffers: list[Rows],
    lh5_store: LH5Store | None = None,
    db_dict: dict | None = None,
    **kwargs: Any,
) -> None:
    """Append buffers to their LH5 files, and empty them.

    Parameters
    ----------
    raw_buffers
        the buffers; those without rows stay as they are, those without a file are only
        emptied.
    lh5_store
        a store with open files to use.
    db_dict
        values for the processing of a buffer, by the name of its table or group.
    **kwargs
        passed to :meth:`lh5.LH5Store.write`: HDF5 settings of files and datasets. With
        any other argument (`wo_mode`, `start_row`, ...) lh5 does the writing.
    """
    from ..writing.lh5_writer import LH5Writer, split_settings  # noqa: PLC0415  (imports h5py)

    modes = {kwargs.get("wo_mode") or "a", getattr(lh5_store, "default_mode", "a")}
    if not modes <= {"a", "append", "r"} or LH5_ARGUMENTS.intersection(kwargs):
        _write_with_lh5(raw_buffers, lh5_store, db_dict, kwargs)
        return
    settings = {k: v for k, v in kwargs.items() if k != "wo_mode"}
    of_file, of_datasets = split_settings(settings)
    with ExitStack() as stack:
        files: dict[str, h5py.File] = {}
        for rb in raw_buffers:
            file = rb.place.file
            if rb.loc > 0 and file:
                handle = _open_to_append(file, lh5_store, of_file, files, stack)
                writer = LH5Writer(handle, of_datasets, more_to_come=True)
                with closing(writer):
                    append_buffer(rb, writer, db_dict=db_dict)
                    writer.finish()
            rb.loc = 0


def append_buffer(
    rb: Rows,
    writer: LH5Writer,
    exchange: bool = False,
    db_dict: dict | None = None,
    processing: AbstractContextManager[None] | None = None,
) -> None:
    """Append the filled rows of a buffer to a file, processed as its `proc_spec` says.

    Parameters
    ----------
    rb
        the buffer.
    writer
        of the file.
    exchange
        whether the buffer may get other memory for its next rows. Otherwise its rows
        are not needed any more when this returns.
    db_dict
        values for the processing, see :func:`write_to_lh5_and_clear`.
    processing
        entered while rows are processed, to time that.
    """
    processing = processing or nullcontext()
    for alias in rb.settings.aliases:
        writer.add_alias(rb.place.path, rb.place.beside(alias))
    name, group = rb.place.name, rb.place.group
    settings = rb.settings.hdf5_settings
    described = rb.describe_unmade()
    if described is not None:
        # headers have no rows to process
        writer.append(*described, name, group, settings=settings)
        writer.drain()
        return
    layout = rb.layout
    if layout is None:
        with processing:
            data, n_rows = rb.processed(_database_of(rb.place, db_dict))
        if data is not None:
            writer.append_lgdo(data, name, group, n_rows, settings)
        return
    table, plan = rb.table, rb.plan
    release = None
    with processing:
        if plan is not None and (plan.own_rows or not exchange):
            rows = plan.run(table.arrays, rb.loc, own=exchange)
        else:
            arrays = table.arrays
            if exchange:
                arrays, release = table.take()
            rows = (table.rows if plan is None else plan.run)(arrays, rb.loc)
    writer.append(layout, rows, name, group, release, settings)
    if not exchange:
        writer.drain()


def _database_of(place: Place, db_dict: dict | None) -> dict | None:
    """Return the values for the processing of a table: its own or its group's."""
    if db_dict is None:
        return None
    return db_dict.get(place.name, db_dict.get(place.group))


def _open_to_append(
    file: str,
    lh5_store: LH5Store | None,
    settings: dict[str, Any],
    files: dict[str, h5py.File],
    stack: ExitStack,
) -> h5py.File:
    """Return an open file. `stack` closes it, unless the store keeps it open."""
    import h5py  # noqa: PLC0415  (this module does not need it otherwise)

    path = Path(file) if lh5_store is None else lh5_store.base_path / file
    real = os.path.realpath(path)
    if real in files:
        return files[real]
    new = not path.exists()
    if not new:
        # these are for new files
        settings = {k: v for k, v in settings.items() if not k.startswith("fs_")}
    if lh5_store is None:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        handle = h5py.File(path, "w" if new else "a", **settings)
    else:
        handle = lh5_store.gimme_file(file, "a", **settings)
        if lh5_store.keep_open:
            # it may be closed when another one is opened
            return handle
    files[real] = stack.enter_context(handle)
    return handle


def _write_with_lh5(
    raw_buffers: list[Rows],
    lh5_store: LH5Store | None,
    db_dict: dict | None,
    kwargs: dict[str, Any],
) -> None:
    """Write with lh5, which has other modes than appending."""
    if lh5_store is None:
        from lh5 import LH5Store  # noqa: PLC0415  (takes a second)

        lh5_store = LH5Store()
    for rb in raw_buffers:
        place = rb.place
        if rb.loc > 0 and place.file:
            data, n_rows = rb.processed(_database_of(place, db_dict))
            if data is not None:
                use_lh5_codecs(data)
                rows = {"n_rows": n_rows} | kwargs
                lh5_store.write(data, place.name, place.file, group=place.group, **rows)
        rb.loc = 0
