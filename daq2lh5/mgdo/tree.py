"""The tree in a ROOT file, read by uproot.

Only this module uses uproot, and imports it when a file is opened.
"""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack, contextmanager, suppress
from tempfile import NamedTemporaryFile, gettempdir
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DecodeError, printable
from ..reading.holes import Holes
from ..resources.memory import parse_size
from .baskets import Basket, is_compressed, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..reading.source import Source

TREE = "MGTree"
BRANCH = "event"
EVENT_CLASS = "MGTEvent"
RUN_VERSION = 2

COPY_LIMIT = "4G"
"""Default for the largest input copied to a temporary file."""

LIMIT_VARIABLE = "DAQ2LH5_COPY_LIMIT"
"""Environment variable for the largest input copied to a temporary file."""

ADVICE = "compare the file with the original, or copy it again"

LARGE_FILES = 1000000
"""Added to a ROOT file's version if its header has positions of 64 bits."""

BEGIN = 100
"""Position of the first record in every ROOT file."""


class MissingUprootError(ImportError, NotImplementedError):
    """uproot, which reads ROOT files, is not installed, or one of its dependencies.

    Parameters
    ----------
    error
        error of the import.
    """

    def __init__(self, error: ImportError) -> None:
        missing = ""
        if error.name not in (None, "uproot"):
            missing = f" (its dependency '{error.name}' is missing)"
        super().__init__(
            f"MGDO data are ROOT files, which need the package uproot{missing}: "
            "pip install 'daq2lh5[mgdo]'",
            name=error.name,
        )


class Trailing(NamedTuple):
    """Bytes behind the end of a ROOT file.

    Attributes
    ----------
    start
        offset of the first byte.
    length
        number of bytes.
    is_root
        whether they begin like another ROOT file.
    """

    start: int
    length: int
    is_root: bool


class MGTree:
    """The entries of the tree in a file, basket by basket.

    It replaces the source of the stream.

    Parameters
    ----------
    name
        name of the file, for messages.
    path
        path of the file, if it differs. It may be removed once the tree is open.

    Attributes
    ----------
    n_entries, n_baskets
        number of entries and baskets.
    bytes_read
        compressed bytes of the baskets read so far.
    read_seconds
        time spent waiting for baskets.
    holes
        blocks of zeros in uncompressed baskets.
    trailing
        bytes behind the ROOT file, otherwise None.

    Raises
    ------
    MissingUprootError
        (an ImportError and a NotImplementedError) if uproot, or one of its
        dependencies, is not installed.
    DecodeError
        if it is not a ROOT file, or has no readable tree of MGTEvent.
    """

    compression: str | None = None
    size: int | None = None
    error: str | None = None
    trailing: Trailing | None = None

    def __init__(self, name: str, path: str | None = None) -> None:
        self.name = name
        self.read_seconds = 0.0
        self.bytes_read = 0
        self.at_end = False
        self.holes = Holes()
        uproot = import_uproot()
        path = name if path is None else path
        try:
            # no memory map: truncating the file meanwhile would end the process
            handler = uproot.MultithreadedFileSource
            # in a dictionary, as a colon in a plain path separates an object's name
            self._file = uproot.open(
                {path: None}, handler=handler, num_workers=1, use_threads=False
            )
        except ImportError as e:
            raise MissingUprootError(e) from e
        except Exception as e:
            problem = f"cannot be read as a ROOT file ({_first_line(e)})"
            raise self._failure(problem) from e
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_RDONLY)
            self._branch = self._find_branch()
            self.n_entries = int(self._branch.num_entries)
            self.n_baskets = int(self._branch.num_baskets)
            self._first = [int(n) for n in self._branch.entry_offsets]
            in_order = sorted(self._first) == self._first
            if not in_order or len(self._first) != self.n_baskets + 1:
                problem = "the tree's list of baskets contradicts itself"
                raise self._failure(problem)
        except DecodeError:
            self.close()
            raise
        except ImportError as e:
            self.close()
            raise MissingUprootError(e) from e
        except Exception as e:
            self.close()
            problem = f"the tree cannot be read ({_first_line(e)})"
            raise self._failure(problem) from e

    def _failure(self, problem: str, advice: str = ADVICE) -> DecodeError:
        return DecodeError(problem, self.name, advice=advice)

    def _find_branch(self) -> Any:
        keys = [key.partition(";")[0] for key in self._file.keys()]  # noqa: SIM118
        if TREE not in keys:
            found = ", ".join(keys) or "nothing"
            advice = "trees of other programs are not supported"
            problem = f"no '{TREE}' in the file, found {found}"
            raise self._failure(problem, advice)
        tree = self._file[TREE]
        names = [branch.name for branch in tree.branches]
        advice = "only trees with whole MGTEvent objects are supported"
        if BRANCH not in names:
            found = ", ".join(names) or "none"
            problem = f"'{TREE}' has no branch '{BRANCH}', found {found}"
            raise self._failure(problem, advice)
        branch = tree[BRANCH]
        if branch.classname != "TBranchObject":
            problem = f"branch '{BRANCH}' is a {branch.classname}, not a TBranchObject"
            raise self._failure(problem, advice)
        found = branch.member("fClassName")
        if found != EVENT_CLASS:
            problem = f"branch '{BRANCH}' has objects of {found}, not {EVENT_CLASS}"
            raise self._failure(problem, advice)
        return branch

    def entries_of(self, number: int) -> tuple[int, int]:
        """Return the first entry of a basket, and the first one behind it."""
        return self._first[number], self._first[number + 1]

    def read(self, number: int) -> Basket:
        """Read a basket.

        Parameters
        ----------
        number
            number of the basket, from 0.

        Raises
        ------
        DecodeError
            if it cannot be read; other baskets may be readable.
        MissingUprootError
            if the package that decompresses it is missing.
        """
        first, stop = self.entries_of(number)
        try:
            data, offsets = self._unpacked(number)
            if offsets is None:
                # entries of one length
                offsets = np.linspace(0, len(data), stop - first + 1)
            offsets = np.asarray(offsets, np.int64)
        except ImportError as e:
            raise MissingUprootError(e) from e
        except Exception as e:
            problem = f"basket of entries {first} to {stop - 1}: {_first_line(e)}"
            raise DecodeError(problem, self.name) from e
        if len(offsets) != stop - first + 1:
            n = len(offsets) - 1
            problem = f"basket of entries {first} to {stop - 1} has {n} entries"
            raise DecodeError(problem, self.name)
        return Basket(first, data, offsets)

    def _unpacked(self, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return bytes and offsets of a basket's entries, see `unpack`."""
        start, length = self._seek(number), self.stored_bytes(number)
        if 0 <= start < start + length <= os.fstat(self._fd).st_size:
            stored = os.pread(self._fd, length, start)
            unpacked = unpack(stored)
            if unpacked is not None:
                return unpacked
            self._look_for_holes(stored, start)
        basket = self._branch.basket(number)
        return np.frombuffer(basket.data, np.uint8), basket.byte_offsets

    def _look_for_holes(self, stored: bytes, start: int) -> None:
        """Search an uncompressed basket for blocks of zeros: others fail to unpack."""
        if not is_compressed(stored):
            self.holes.skip()
            self.holes.look(stored, 0, len(stored), start)
            self.holes.skip()

    def _seek(self, number: int) -> int:
        """Return the offset of a basket in the file; 0 if unknown."""
        seeks = self._branch.member("fBasketSeek")
        return int(seeks[number]) if number < len(seeks) else 0

    def stored_bytes(self, number: int) -> int:
        """Return the length of a basket in the file; 0 if unknown."""
        stored = self._branch.member("fBasketBytes")
        return int(stored[number]) if number < len(stored) else 0

    def run(self) -> dict[str, Any]:
        """Return the fields of the object ``run``; empty if it cannot be read."""
        with suppress(Exception):
            chunk, cursor = self._file.key("run").get_uncompressed_chunk_cursor()
            data = bytes(np.frombuffer(chunk.raw_data, np.uint8))
            return parse_run(data[cursor.index :])
        return {}

    def is_blinding_active(self) -> int:
        """Return the value of ``IsBlindingActive``; -1 if it cannot be read."""
        with suppress(Exception):
            return int(self._file["IsBlindingActive"].member("fVal"))
        return -1

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_tree(source: Source) -> MGTree:
    """Open the tree in an input, and close the input.

    ROOT files need random access, so a compressed input, or a pipe, is copied to a
    temporary file first. It is deleted once it is open.

    Raises
    ------
    MissingUprootError, DecodeError
        see `MGTree`; a DecodeError also if the copy is too large.
    OSError
        if the copy cannot be written.
    """
    with ExitStack() as stack:
        stack.callback(source.close)
        path = source.name.removeprefix("file://")
        if not source.seekable or source.name == "-":
            path = stack.enter_context(_copy_of(source))
        try:
            tree = MGTree(source.name, path)
        except DecodeError as e:
            if source.error is None:
                raise
            problem = f"{source.error}, and the part before it cannot be read"
            raise DecodeError(problem, source.name, advice=ADVICE) from e
        tree.compression, tree.error = source.compression, source.error
        tree.trailing = find_trailing(path)
        tree.read_seconds = source.read_seconds
        return tree


def find_trailing(path: str) -> Trailing | None:
    """Return the bytes behind the end in a ROOT file's header (``fEND``), or None."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(20)
        if len(head) < 20:
            return None
        version, begin, end = struct.unpack_from(">3i", head, 4)
        if version >= LARGE_FILES:
            (end,) = struct.unpack_from(">q", head, 12)
        if begin != BEGIN or not begin < end < size:
            return None
        file.seek(end)
        return Trailing(end, size - end, file.read(4) == head[:4])


@contextmanager
def _copy_of(source: Source) -> Iterator[str]:
    """Copy an input to a temporary file, deleted at the end of the context."""
    given = os.environ.get(LIMIT_VARIABLE, COPY_LIMIT)
    limit = parse_size(given)
    folder = printable(gettempdir())
    advice = (
        "decompress the input, or write the pipe's data to a file, and convert that; "
        "or set TMPDIR to a folder with more space"
    )
    try:
        with NamedTemporaryFile(prefix="daq2lh5-") as copy:
            while len(window := source.fill(1)):
                if source.offset + len(window) > limit:
                    problem = (
                        f"larger than {given} when decompressed, the limit for its "
                        f"copy in the temporary folder {folder}"
                    )
                    how = f"{advice} and {LIMIT_VARIABLE} to a larger size"
                    raise DecodeError(problem, source.name, advice=how)
                _write(copy, window, folder, advice)
                source.consume(len(window))
            _write(copy, b"", folder, advice)
            yield copy.name
    except FileNotFoundError as e:
        msg = f"no folder for temporary files: {e.strerror}; {advice}"
        raise DecodeError(msg, source.name) from e


def _write(copy: IO[bytes], data: bytes, folder: str, advice: str) -> None:
    """Append to a copy; flush it if `data` is empty."""
    try:
        copy.write(data)
        if not data:
            copy.flush()
    except OSError as e:
        reason = f"{e.strerror} (temporary folder, for a copy of the input); {advice}"
        raise OSError(e.errno, reason, folder) from e


def import_uproot() -> Any:
    """Import uproot; raise `MissingUprootError` if that fails."""
    try:
        import uproot  # noqa: PLC0415  (optional, and takes half a second)
    except ImportError as e:
        raise MissingUprootError(e) from e
    return uproot


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, which can fill pages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(",:") if lines else type(error).__name__


def parse_run(data: bytes) -> dict[str, Any]:
    """Read an ``MGTRun`` of version 2 (MGDO format, 6).

    Parameters
    ----------
    data
        bytes of the object.

    Returns
    -------
    fields
        values by their names in the output.

    Raises
    ------
    ValueError
        if it has another version, or another length than its fields.
    """
    length, version = struct.unpack_from(">IH", data)
    if version != RUN_VERSION or length != 0x40000000 | len(data) - 4:
        msg = f"MGTRun of version {version} and {len(data)} bytes"
        raise ValueError(msg)
    (base,) = struct.unpack_from(">I", data, 6)
    at = 10 + (base & 0x3FFFFFFF)
    run_type, run_number = struct.unpack_from(">2i", data, at)
    at += 8
    texts = []
    for _ in range(3):
        n = data[at]
        at += 1
        if n == 255:
            (n,) = struct.unpack_from(">I", data, at)
            at += 4
        texts.append(data[at : at + n].decode("utf-8", "replace"))
        at += n
    start, stop = struct.unpack_from(">2Q", data, at)
    if at + 16 != len(data):
        msg = f"MGTRun does not end at byte {at + 16}"
        raise ValueError(msg)
    return {
        "run_type": np.int32(run_type),
        "run_number": np.int32(run_number),
        "run_description": texts[0],
        "parent_daq_label": texts[1],
        "software": texts[2],
        "start_time": float(start),
        "stop_time": float(stop),
    }
