"""Read baskets of a tree ahead, in a thread."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import DecodeError
from ..resources.threads import Task, start_thread

if TYPE_CHECKING:
    from .baskets import Basket
    from .tree import MGTree

__all__ = ["BasketsAhead"]

AHEAD_BYTES = 2**20
"""Smallest number of bytes unpacked at a time, which outweighs the switch of threads.
As many are unpacked in advance."""

AHEAD_BASKETS = 256
"""Largest number of baskets unpacked at a time: some may be empty."""


class BasketsAhead:
    """Read baskets in the order of the file, the next ones in a thread.

    Parameters
    ----------
    tree
        tree with the baskets.
    """

    def __init__(self, tree: MGTree) -> None:
        self._tree = tree
        self._first = 0
        self._baskets: list[Basket | DecodeError] = []
        self._next: Task | None = None

    def read(self, number: int) -> Basket:
        """Read a basket: the first one, or the successor of the last one read.

        Raises
        ------
        DecodeError
            if it cannot be read; the next ones may be readable.
        """
        if number >= self._first + len(self._baskets):
            begin = time.perf_counter()
            self._first = number
            self._baskets = (self._next or self._start(number)).result()
            self._next = self._start(number + len(self._baskets))
            self._tree.read_seconds += time.perf_counter() - begin
        i = number - self._first
        basket = self._baskets[i]
        # release its memory as soon as possible
        self._baskets[i] = DecodeError("read already", self._tree.name)
        if isinstance(basket, DecodeError):
            raise basket
        return basket

    def _start(self, first: int) -> Task | None:
        """Start reading some baskets in a thread; None at the end."""
        if first >= self._tree.n_baskets:
            return None
        tree = self._tree
        task = Task(lambda: _read_some(tree, first))
        try:
            start_thread(task.run, (), "daq2lh5-baskets")
        except RuntimeError:
            # the system refuses new threads
            task.run()
        return task

    def close(self) -> None:
        """Wait for the thread, and discard its baskets."""
        if self._next is not None:
            with suppress(Exception):
                self._next.result()
            self._next = None


def _read_some(tree: MGTree, first: int) -> list[Basket | DecodeError]:
    """Read baskets up to `AHEAD_BYTES`."""
    baskets: list[Basket | DecodeError] = []
    n_bytes = 0
    for number in range(first, min(first + AHEAD_BASKETS, tree.n_baskets)):
        try:
            basket = tree.read(number)
        except DecodeError as e:
            baskets.append(e)
            continue
        baskets.append(basket)
        n_bytes += len(basket.data)
        if n_bytes >= AHEAD_BYTES:
            break
    return baskets
