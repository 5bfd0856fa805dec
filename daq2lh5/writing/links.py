"""Aliases of objects: hard links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import OutSpecError

if TYPE_CHECKING:
    import h5py

    from .parents import Parents

__all__ = ["Links"]


class Links:
    """Hard links, which are made in a file when its objects are complete.

    Parameters
    ----------
    file, parents
        the file, and the groups around its objects.
    """

    def __init__(self, file: h5py.File, parents: Parents) -> None:
        self._file = file
        self._parents = parents
        self._paths: dict[str, str] = {}

    def add(self, path: str, alias: str) -> None:
        """Give the object with a path another name."""
        self._paths[alias] = path

    def register(self) -> None:
        """Add the names to the groups around them, for objects that were written.

        Raises
        ------
        OutSpecError
            (a ValueError) if the file has another object of that name.
        """
        wanted, self._paths = self._paths, {}
        for alias, path in wanted.items():
            if not self._parents.has(path):
                continue
            if not self._parents.has(alias):
                self._parents.add_link(path, alias)
                self._paths[alias] = path
            elif self._file.get(alias) != self._file[path]:
                msg = f"alias '{alias}' of '{path}': the file has another object there"
                raise OutSpecError(msg)

    def make(self) -> None:
        """Make the links that are registered."""
        for alias, path in self._paths.items():
            # (faster than by opening the object)
            self._file.id.links.create_hard(
                alias.encode(), self._file.id, path.encode()
            )
        self._paths.clear()
