"""The structure of LH5 files: datatypes, lengths of columns, and chunks."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
from h5py import h5l, h5o

from .objects import attributes_of
from .stored import StoredDataset, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..writing.pipeline import Pipeline
    from .differences import Differences

__all__ = ["Structure", "check_structure"]

KINDS = {
    "real": "iuf",
    "bool": "bu",
    "complex": "c",
    "string": "SO",
    "blob": "V",
}
"""Kinds of NumPy types for the elements of an LH5 type."""

SMALL_BYTES = 2**16
"""Smaller chunks, in bytes, are read at once: handing them to a thread costs more."""

DEEPEST = 64
"""Largest number of groups inside each other."""

NAME = re.compile(r"(\w+)(?:<([\d,]+)>)?(?:\{(.*)\})?", re.DOTALL)

MEMBERS = {
    "array<1>": ("flattened_data", "cumulative_length"),
    "array_of_encoded_equalsized_arrays": ("encoded_data", "decoded_size"),
    "array_of_encoded_arrays": ("encoded_data", "decoded_size"),
}
"""Members of groups that are arrays."""


class _Type(NamedTuple):
    """An LH5 datatype: ``name<sizes>{content}``."""

    name: str
    sizes: tuple[int, ...]
    content: str | None

    @classmethod
    def of(cls, text: object) -> _Type | None:
        match = NAME.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            return None
        sizes = tuple(int(n) for n in (match[2] or "").split(",") if n)
        return cls(match[1], sizes, match[3])

    @property
    def fields(self) -> list[str]:
        return [name for name in (self.content or "").split(",") if name]


class Structure:
    """Result of a check of the structure.

    Attributes
    ----------
    tables
        number of rows of each table by path; None if its columns disagree.
    n_bytes
        bytes of rows that were read.
    names
        all paths of each object that has several (hard links).
    """

    def __init__(self) -> None:
        self.tables: dict[str, int | None] = {}
        self.n_bytes = 0
        self.names: list[list[str]] = []


class _Checker:
    """Checks the objects of a file, from its root; see :func:`check_structure`."""

    def __init__(
        self,
        file: h5py.File,
        differences: Differences,
        pipeline: Pipeline,
        progress: Callable[[], None],
        read: bool,
    ) -> None:
        self.file = file
        self.differences = differences
        self.pipeline = pipeline
        self.progress = progress
        self.read = read
        self.found = Structure()
        # paths and rows of each object by its address
        self._paths: dict[int, list[str]] = {}
        self._rows: dict[int, int | None] = {}

    def check(self, path: str) -> int | None:
        """Check an object; return its number of rows, if it has rows."""
        try:
            node = self.file[path or "/"]
            attrs = attributes_of(node.id)
            address = h5o.get_info(node.id).addr
        except (OSError, RuntimeError, KeyError, ValueError) as e:
            self.differences.add(path, f"cannot be read: {e}")
            return None
        paths = self._paths.setdefault(address, [])
        paths.append(path)
        if len(paths) == 1:
            self._rows[address] = None
            self._rows[address] = self._check_object(path, node, attrs)
        elif paths[0] in self.found.tables:
            self.found.tables[path] = self.found.tables[paths[0]]
        return self._rows[address]

    def names(self) -> list[list[str]]:
        """Return the paths of each object that has several."""
        return [paths for paths in self._paths.values() if len(paths) > 1]

    def _check_object(
        self, path: str, node: h5py.Group | h5py.Dataset, attrs: dict[str, Any]
    ) -> int | None:
        text = attrs.get("datatype")
        kind = _Type.of(text)
        if text is None and not path:
            kind = _Type("struct", (), ",".join(node))
        elif kind is None:
            shown = "no datatype" if text is None else f"datatype {text!r}"
            self.differences.add(path, f"{shown}: it is not an LH5 object")
            return None
        if path.count("/") >= DEEPEST:
            self.differences.add(path, f"more than {DEEPEST} groups around it")
            return None
        if isinstance(node, h5py.Dataset):
            return self._check_dataset(path, node, kind)
        return self._check_group(path, node, kind, str(text))

    # ---- groups --------------------------------------------------------------------

    def _check_group(
        self, path: str, node: h5py.Group, kind: _Type, text: str
    ) -> int | None:
        if kind.name in ("struct", "table", "histogram"):
            wanted: set[str] = set(kind.fields)
        else:
            name = "array<1>" if kind.name == "array" else kind.name
            wanted = set(MEMBERS.get(name, ()))
            if not wanted:
                self.differences.add(
                    path, f"datatype {text} is not a datatype of groups"
                )
                return None
        members = set(node)
        for name in sorted(wanted - members):
            difference = f"is missing: the datatype is {text}"
            self.differences.add(f"{path}/{name}".strip("/"), difference)
        if kind.name != "struct":
            # groups may hold tables that they do not list, also with lh5
            for name in sorted(members - wanted):
                difference = f"is not in the datatype {text}"
                self.differences.add(f"{path}/{name}".strip("/"), difference)
        rows = {
            name: self.check(f"{path}/{name}".strip("/"))
            for name in sorted(members)
            if self._is_inside(path, node, name)
        }
        if kind.name == "table":
            return self._check_table(path, rows)
        if kind.name == "array":
            return self._check_vectors(path, rows)
        return rows.get("encoded_data")

    def _is_inside(self, path: str, node: h5py.Group, name: str) -> bool:
        """Whether a member is an object of this file, not a soft or external link."""
        raw = name.encode("utf-8", "surrogateescape")
        if node.id.links.get_info(raw).type == h5l.TYPE_HARD:
            return True
        link = node.get(name, getlink=True)
        target = f"{getattr(link, 'filename', '')}:{getattr(link, 'path', '')}"
        text = f"is a link to {target.removeprefix(':')}: outputs have their own data"
        self.differences.add(f"{path}/{name}".strip("/"), text)
        return False

    def _check_table(self, path: str, rows: dict[str, int | None]) -> int | None:
        lengths = {n for n in rows.values() if n is not None}
        self.found.tables[path] = lengths.pop() if len(lengths) == 1 else None
        if lengths:
            usual = max(rows.values(), key=list(rows.values()).count)
            for name, n in rows.items():
                if n not in (usual, None):
                    text = f"{n} rows, other columns of the table have {usual}"
                    self.differences.add(f"{path}/{name}", text)
        return self.found.tables[path]

    def _check_vectors(self, path: str, rows: dict[str, int | None]) -> int | None:
        """Check that cumulative lengths grow, up to the length of the data."""
        n, size = rows.get("cumulative_length"), rows.get("flattened_data")
        if n is None or size is None:
            return n
        place = f"{path}/cumulative_length"
        node = self.file[place]
        if node.ndim != 1:
            return n
        stored = StoredDataset(self.file, place, node.id)
        end = 0
        for start in stored.starts():
            try:
                ends = stored.read(start, min(start + stored.chunk_rows, n))
            except UnreadableError:
                # reported when its chunks are read
                return n
            values = np.concatenate([[end], ends.astype(np.int64)])
            falls = np.flatnonzero(np.diff(values) < 0)
            if len(falls):
                row = start + int(falls[0])
                text = f"{ends[falls[0]]} after {values[falls[0]]}: lengths never fall"
                self.differences.add(place, text, row, len(falls))
            end = int(values[-1])
        if end != size:
            text = f"the last length is {end}, flattened_data has {size} rows"
            self.differences.add(place, text)
        return n

    # ---- datasets ------------------------------------------------------------------

    def _check_dataset(self, path: str, node: h5py.Dataset, kind: _Type) -> int | None:
        dims = sum(kind.sizes)
        element = kind.name
        if kind.sizes and kind.content is not None:
            element = kind.content
        if node.ndim != dims:
            text = f"{node.ndim} dimensions do not fit the datatype {_written(kind)}"
            self.differences.add(path, text)
        kinds = KINDS.get(element)
        if kinds is not None and node.dtype.kind not in kinds:
            text = f"elements {node.dtype} do not fit the datatype {_written(kind)}"
            self.differences.add(path, text)
        if not node.ndim:
            if self.read:
                self._read_whole(path, node)
            return None
        if self.read:
            self._read_chunks(StoredDataset(self.file, path, node.id))
        return node.shape[0]

    def _read_whole(self, path: str, node: h5py.Dataset) -> None:
        try:
            node[()]
        except (OSError, RuntimeError, ValueError) as e:
            self.differences.add(path, f"cannot be read: {e}")

    def _read_chunks(self, stored: StoredDataset) -> None:
        """Read each chunk of a dataset; long ones in the threads."""
        for start in stored.starts():
            n = min(stored.chunk_rows, stored.n - start)
            size = n * stored.row_bytes
            self.progress()
            self.found.n_bytes += size
            if size < SMALL_BYTES:
                self._take(stored, start, n, _read_error(stored, start, n))
                continue
            self.pipeline.submit(
                size,
                lambda _, start=start, n=n: _read_error(stored, start, n),
                partial(self._take, stored, start, n),
            )

    def _take(
        self, stored: StoredDataset, start: int, n: int, error: str | None
    ) -> None:
        if error is not None:
            self.differences.add(stored.path, error, start, n)


def _written(kind: _Type) -> str:
    sizes = f"<{','.join(map(str, kind.sizes))}>" if kind.sizes else ""
    content = "" if kind.content is None else f"{{{kind.content}}}"
    return f"{kind.name}{sizes}{content}"


def _read_error(stored: StoredDataset, start: int, n: int) -> str | None:
    """Read rows; return a message if that fails."""
    try:
        stored.read(start, start + n)
    except UnreadableError as e:
        return str(e)
    return None


def check_structure(
    file: h5py.File,
    differences: Differences,
    pipeline: Pipeline,
    progress: Callable[[], None],
    read: bool = True,
) -> Structure:
    """Check the structure of an LH5 file, and read each chunk.

    Parameters
    ----------
    file
        the file.
    differences
        collects the faults.
    pipeline
        threads that read long chunks.
    progress
        called before each chunk.
    read
        whether to read all chunks; without it, only lengths of vectors are read.

    Returns
    -------
    structure
        the tables, and the number of bytes read.
    """
    checker = _Checker(file, differences, pipeline, progress, read)
    checker.check("")
    pipeline.drain()
    checker.found.names = checker.names()
    return checker.found
