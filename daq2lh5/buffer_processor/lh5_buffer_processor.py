"""Processing of LH5 files: the tables of a converted file, into another file."""

from __future__ import annotations

import fnmatch
import logging
import math
import os
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py

from ..buffers.out_spec import parse_out_spec
from ..buffers.table_settings import SETTINGS, TableSettings
from ..errors import OutSpecError, did_you_mean
from ..processing.spec import OPERATIONS, ProcSpec
from ..processing.steps import process_rows
from ..publishing.output_files import OutputFiles
from ..raw_buffer import RawBuffer, RawBufferLibrary
from ..report import ConversionReport
from ..resources.memory import (
    CHUNK_ROWS,
    DEFAULT_LIMIT,
    MemoryPlan,
    default_threads,
    peak_memory,
)
from ..resources.paths import expand_path
from ..selection.checks import check_processing
from ..utils import load_dict
from ..writing.merging import merge_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import lgdo

    from ..buffers.channel_map import ChannelMap

log = logging.getLogger(__name__)

__all__ = ["lh5_buffer_processor", "process_file"]


def lh5_buffer_processor(
    lh5_raw_file_in: str,
    overwrite: bool = False,
    out_spec: dict | str | None = None,
    proc_file_name: str | None = None,
    db_dict: dict | None = None,
) -> ConversionReport:
    """Process the tables of an LH5 file into another one.

    Tables without a ``proc_spec``, and all other objects, are copied. The output
    appears under its name when it is complete.

    Parameters
    ----------
    lh5_raw_file_in
        name of the input.
    overwrite
        replace an output that exists.
    out_spec
        an output specification as for :func:`.build_raw`, or the name of a JSON, YAML
        or TOML file with one: each table is processed by the ``proc_spec`` of the
        buffer with the name of the table's path, or of one of the two names in it.
        Wildcards are allowed. Or a single ``proc_spec`` for all tables with waveforms.
    proc_file_name
        name of the output; by default the name of the input with ``_proc`` before the
        extension.
    db_dict
        values for ``dsp_config`` by path of the table, or by one of the names in it.

    Returns
    -------
    report
        the tables and their rows.

    Raises
    ------
    FileNotFoundError
        if the input does not exist.
    FileExistsError
        if the output exists and `overwrite` is false.
    OutSpecError
        (a ValueError) if the specification is invalid.
    RuntimeError
        if the input is empty, or not an LH5 file.
    """
    return process_file(
        lh5_raw_file_in, out_spec, proc_file_name, overwrite=overwrite, db_dict=db_dict
    )


def process_file(
    in_file: str,
    out_spec: dict | str | None,
    out_file: str | None = None,
    *,
    overwrite: bool = False,
    db_dict: dict | None = None,
    hdf5_settings: dict[str, Any] | None = None,
    threads: int | None = None,
    memory_limit: int = DEFAULT_LIMIT,
    verify_compression: bool = False,
    channel_map: ChannelMap | None = None,
    progress: Callable[[], None] | None = None,
    report: ConversionReport | None = None,
) -> ConversionReport:
    """Process a file, see :func:`lh5_buffer_processor` and :func:`.build_raw`.

    Parameters
    ----------
    channel_map
        names of channels, for the specification.
    progress
        called after each chunk of rows.
    report
        report to fill.
    """
    start = time.perf_counter()
    in_file = expand_path(in_file)
    if not os.path.exists(in_file):
        msg = f"input file {in_file} not found"
        raise FileNotFoundError(msg)
    selection = _Selection(out_spec, channel_map)
    out_file = default_output(in_file) if out_file is None else expand_path(out_file)
    report = report or ConversionReport()
    report.source, report.format = in_file, "LH5"
    for text in selection.warnings:
        report.warn(text)
    threads = default_threads() if threads is None else threads
    settings = merge_settings(selection.settings.hdf5_settings, hdf5_settings or {})
    outputs = OutputFiles(overwrite, [in_file], settings, threads, verify_compression)
    try:
        with outputs, _open_input(in_file) as source:
            outputs.check([out_file])
            links: dict[str, str] = {}
            paths = list(_objects(source, "", {}, links))
            if not paths:
                msg = f"{in_file}: there is nothing to process: it has no LH5 objects"
                raise RuntimeError(msg)
            plan = MemoryPlan(memory_limit, len(paths))
            outputs.open(RawBufferLibrary(), plan)
            writer = outputs.writer_of(out_file)
            specs = {path: selection.spec_of(path, source) for path in paths}
            if not any(specs.values()):
                report.warn(
                    "the specification fits no table of the file: all are copied"
                )
            for path, spec in specs.items():
                values = _values_of(path, db_dict)
                own = selection.hdf5_settings_of(path)
                rows = 0
                for piece in _pieces(source, path, plan):
                    obj = _processed(source, path, piece, spec, values, report)
                    writer.append_lgdo(obj, path, settings=own)
                    rows += 1 if piece is None else piece.n
                    if progress is not None:
                        progress()
                report.add_rows(out_file, path, rows, None)
            report.bytes["decoded"] = os.path.getsize(in_file)
            report.packets["decoded"] = len(paths)
            outputs.describe_as(source)
            outputs.complete()
            _make_links(writer.file, source, links)
            outputs.finish(report)
    finally:
        # an interruption may have hit the first attempt to clean up
        outputs.discard()
    report.seconds["total"] = time.perf_counter() - start
    report.peak_memory = peak_memory()
    return report


def default_output(in_file: str) -> str:
    """Return the input's name with ``_proc`` before the extension."""
    stem, _ = os.path.splitext(in_file)
    return f"{stem}_proc.lh5"


def _open_input(name: str) -> h5py.File:
    try:
        return h5py.File(name, "r", locking=False)
    except OSError as e:
        msg = f"{name} cannot be read as an HDF5 file: {e}"
        if not h5py.is_hdf5(name):
            msg = f"{name} is not an HDF5 file; convert data of a DAQ first"
        raise RuntimeError(msg) from e


def _objects(
    group: h5py.Group,
    path: str,
    seen: dict[tuple[int, int], str],
    links: dict[str, str],
) -> Iterator[str]:
    """Iterate over the paths of the LH5 objects in a group.

    Parameters
    ----------
    group, path
        the group, which is not an LH5 object itself, and its path.
    seen
        paths of all nodes so far, by place in the file.
    links
        gets the further paths of objects, with the first path of each.
    """
    for name in group:
        below = f"{path}/{name}" if path else name
        node = group.get(name)
        if node is None:
            log.warning("'%s' is a broken link: not copied", below)
            continue
        info = h5py.h5o.get_info(node.id)
        first = seen.setdefault((info.fileno, info.addr), below)
        if first != below:
            links[below] = first
        elif _is_parent(node):
            yield from _objects(node, below, seen, links)
        elif "datatype" in node.attrs:
            yield below
        else:
            log.warning("'%s' has no datatype: not copied", below)


def _make_links(file: h5py.File, source: h5py.File, links: dict[str, str]) -> None:
    """Give objects their further names, such as detector names for channels."""
    for path, first in links.items():
        if first not in file or path.startswith(f"{first}/"):
            # the object was not written, or the link is inside of it
            continue
        parent = path.rpartition("/")[0]
        if parent and parent not in file:
            file.create_group(parent).attrs.update(source[parent].attrs)
        file[path] = file[first]


def _datatype(node: h5py.Group | h5py.Dataset) -> str:
    """Return the LH5 datatype of a node; groups without one are structs."""
    datatype = node.attrs.get("datatype", "struct{}")
    return datatype.decode() if isinstance(datatype, bytes) else str(datatype)


def _is_parent(node: h5py.Group | h5py.Dataset) -> bool:
    """Whether a group only holds other objects."""
    if not isinstance(node, h5py.Group):
        return False
    # (the node of a broken link is None)
    return _datatype(node).startswith("struct") and not any(
        isinstance(node.get(name), h5py.Dataset) for name in node
    )


def _is_table(node: h5py.Group | h5py.Dataset) -> bool:
    return _datatype(node).startswith("table")


class _Piece(NamedTuple):
    """Rows of a table: number of the first, and how many."""

    start: int
    n: int


def _pieces(source: h5py.File, path: str, plan: MemoryPlan) -> Iterator[_Piece | None]:
    """Iterate over the pieces of a table; another object has one piece: None."""
    import lh5  # noqa: PLC0415  (takes a second)

    node = source[path]
    if not _is_table(node):
        yield None
        return
    n_rows = lh5.read_n_rows(path, source)
    sizes = []

    def add(_name: str, obj: h5py.Group | h5py.Dataset) -> None:
        if isinstance(obj, h5py.Dataset) and n_rows:
            wide = len(obj) // n_rows if obj.ndim == 1 else 1
            sizes.append(obj.dtype.itemsize * max(wide, 1) * math.prod(obj.shape[1:]))

    node.visititems(add)
    # in memory are the rows read, their results, and decoded waveforms
    step = plan.buffer_rows(4 * sum(sizes), max(sizes, default=1), CHUNK_ROWS)
    for start in range(0, max(n_rows, 1), step):
        yield _Piece(start, min(step, n_rows - start))


def _processed(
    source: h5py.File,
    path: str,
    piece: _Piece | None,
    spec: ProcSpec | None,
    values: dict | None,
    report: ConversionReport,
) -> lgdo.LGDO:
    """Read an object, or rows of a table, and process them."""
    import lh5  # noqa: PLC0415

    with report.timed("read"):
        if piece is None:
            return lh5.read(path, source)
        rows = lh5.read(path, source, start_row=piece.start, n_rows=piece.n)
    if spec is None:
        return rows
    with report.timed("process"):
        return process_rows(rows, piece.n, spec, values)


def _values_of(path: str, db_dict: dict | None) -> dict | None:
    """Return the values for the processing of a table."""
    names = [path, path.rpartition("/")[2], path.partition("/")[0]]
    found = [db_dict[name] for name in names if db_dict and name in db_dict]
    return found[0] if found else None


class _Selection:
    """The processing of each table.

    Parameters
    ----------
    out_spec
        see :func:`lh5_buffer_processor`. A dictionary is expanded in place.

    Attributes
    ----------
    warnings
        a line for each part of the specification that has no effect.
    settings
        how all tables are written.
    """

    def __init__(
        self, out_spec: dict | str | None, channel_map: ChannelMap | None = None
    ) -> None:
        if isinstance(out_spec, (str, os.PathLike)):
            out_spec = load_dict(out_spec)
            _forget_files(out_spec)
        if not isinstance(out_spec, dict) or not out_spec:
            msg = f"the specification is {out_spec!r}; expected a dictionary or a file"
            raise OutSpecError(msg)
        self.warnings: list[str] = []
        self.settings = TableSettings()
        self._for_all: ProcSpec | None = None
        self._buffers: list[tuple[str, RawBuffer]] = []
        others = set(out_spec) - set(SETTINGS)
        if others & set(OPERATIONS) or not others:
            self._for_all = ProcSpec.of(out_spec)
            self.warnings = self._for_all.warnings
            return
        for name, buffers in out_spec.items():
            if name not in SETTINGS and not isinstance(buffers, dict):
                hint = did_you_mean(str(name), OPERATIONS)
                msg = f"'{name}' in the specification is not a decoder or operation"
                raise OutSpecError(msg + hint)
        parsed = parse_out_spec(out_spec, channel_map)
        self.settings = parsed.settings
        for buffers in parsed.fill_in({}).decoders.values():
            self._buffers += [(b.name, RawBuffer.of(b)) for b in buffers]
        parsed.write_back(out_spec)
        for _, rb in self._buffers:
            self.warnings += check_processing(rb)
        all_settings = [self.settings, *(rb.settings for _, rb in self._buffers)]
        if any(s.column_settings for s in all_settings):
            self.warnings.append(
                "column_settings are for conversions and have no effect here; use "
                "hdf5_settings in a proc_spec"
            )

    def hdf5_settings_of(self, path: str) -> dict[str, Any]:
        """Return the HDF5 settings for a single table."""
        rb = self._buffer_of(path)
        return {} if rb is None else rb.settings.hdf5_settings

    def spec_of(self, path: str, source: h5py.File) -> ProcSpec | None:
        """Return the specification for an object; None if it is to be copied."""
        node = source[path]
        if not _is_table(node):
            return None
        if self._for_all is not None:
            members = [m for m in node.values() if isinstance(m, h5py.Group)]
            found = any({"values", "t0", "dt"} <= set(m) for m in members)
            return self._for_all if found else None
        rb = self._buffer_of(path)
        if rb is None or rb.proc_spec is None:
            return None
        return ProcSpec.of(rb.proc_spec)

    def _buffer_of(self, path: str) -> RawBuffer | None:
        """Return the buffer for a table: the one whose name fits best."""
        last, first = path.rpartition("/")[2], path.partition("/")[0]
        found = [rb for _, rb in self._buffers if rb.place.path == path]
        for part in (path, first, last):
            found += [rb for name, rb in self._buffers if name == part]
        # a buffer without a group fits the table of its name in any group
        same = [rb for _, rb in self._buffers if rb.place.path == last]
        if len(same) == 1:
            found += same
        for part in (path, first, last):
            found += [rb for name, rb in self._buffers if _fits(part, name)]
        return found[0] if found else None


def _forget_files(out_spec: Any) -> None:
    """Remove the output files, which may have keywords: their values are unknown."""
    for buffers in out_spec.values() if isinstance(out_spec, dict) else ():
        for info in buffers.values() if isinstance(buffers, dict) else ():
            if isinstance(info, dict):
                info.pop("out_stream", None)


def _fits(name: str, template: str) -> bool:
    """Whether a name fits a template with ``{key}`` or ``{name}``."""
    pattern = re.sub(r"\{[^}]*\}", "*", template)
    return pattern != template and fnmatch.fnmatchcase(name, pattern)
