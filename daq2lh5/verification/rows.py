"""Comparison of the rows of a stored dataset with the expected rows, bit by bit."""

from __future__ import annotations

import numpy as np

from .stored import RefilterError, StoredDataset, UnreadableError

__all__ = ["compare_rows"]

WIDEST = 8
"""Number of bytes that are compared at a time."""


def compare_rows(
    stored: StoredDataset, start: int, pieces: list[np.ndarray]
) -> tuple[str, int, int] | None:
    """Compare the rows of one chunk. It runs in any thread.

    Parameters
    ----------
    stored
        the dataset.
    start
        first row of the chunk.
    pieces
        the expected rows, in order.

    Returns
    -------
    difference
        None if all are equal; otherwise text, number of the first row that differs,
        and number of rows that differ: 0 if they cannot be compared.
    """
    n = sum(len(p) for p in pieces)
    stop = min(start + n, stored.n)
    if stop <= start:
        # missing rows are counted at the end
        return None
    try:
        found = stored.read(start, stop)
    except UnreadableError as e:
        return str(e), start, n
    first, count, text = 0, 0, ""
    position = 0
    for piece in pieces:
        expected = piece[: max(0, len(found) - position)]
        rows = found[position : position + len(expected)]
        if not _same(rows, expected):
            differing = _rows_that_differ(rows, expected)
            if not count:
                first = start + position + int(differing[0])
                text = _told(rows[differing[0]], expected[differing[0]])
            count += len(differing)
        position += len(piece)
    if not count:
        return None
    if stored.lossy and len(found) == n:
        whole = np.concatenate(pieces)
        return _compare_refiltered(stored, start, found, whole)
    return text, first, count


def _compare_refiltered(
    stored: StoredDataset, start: int, found: np.ndarray, expected: np.ndarray
) -> tuple[str, int, int] | None:
    """Compare rows again, after the dataset's filters were applied to the expected."""
    try:
        expected = stored.refiltered(expected)
    except RefilterError as e:
        return f"its lossy filter cannot be applied again: {e}", start, 0
    if _same(found, expected):
        return None
    differing = _rows_that_differ(found, expected)
    row = differing[0]
    return _told(found[row], expected[row]), start + int(row), len(differing)


def _bytes_of(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows).reshape(-1).view(np.uint8)


def _same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether rows are equal bit by bit."""
    if found.dtype.hasobject:
        return bool(np.array_equal(found, expected))
    a, b = _bytes_of(found), _bytes_of(expected)
    whole = len(a) - len(a) % WIDEST
    wide = f"u{WIDEST}"
    return bool(
        len(a) == len(b)
        and (a[:whole].view(wide) == b[:whole].view(wide)).all()
        and (a[whole:] == b[whole:]).all()
    )


def _rows_that_differ(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the numbers of the rows that differ."""
    if found.dtype.hasobject:
        differ = (found != expected).reshape(len(found), -1)
    else:
        shape = (len(found), -1)
        differ = _bytes_of(found).reshape(shape) != _bytes_of(expected).reshape(shape)
    return np.flatnonzero(differ.any(axis=1))


def _told(found: np.ndarray, expected: np.ndarray) -> str:
    """Describe a row that differs by its first value that differs."""
    found, expected = np.asarray(found).reshape(-1), np.asarray(expected).reshape(-1)
    i = int(_rows_that_differ(found, expected)[0])
    where = f" (element {i})" if len(found) > 1 else ""
    stored, wanted = found[i].item(), expected[i].item()
    if stored == wanted or (stored != stored and wanted != wanted):  # noqa: PLR0124
        # zeros and NaN have several forms
        stored, wanted = f"{found[i].tobytes()!r}", f"{expected[i].tobytes()!r}"
    return f"stored {stored}, expected {wanted}{where}"
