"""The groups (structs) around the tables of a file, and their attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["STRING", "Parents", "write_attributes"]

STRING = h5py.string_dtype(encoding="ascii")
"""Type of text in attributes."""


def write_attributes(obj: h5py.HLObject, attrs: Mapping[str, object]) -> None:
    """Write attributes as LH5 requires: strings as bytes of variable length."""
    for name, value in attrs.items():
        obj.attrs[name] = value.encode() if isinstance(value, str) else value


@dataclass
class _Group:
    """A group.

    Attributes
    ----------
    fields
        names that its datatype lists; None without a datatype.
    kind
        the datatype's name.
    children
        names of its members.
    changed
        whether the datatype must be written.
    """

    fields: list[str] | None
    kind: str = "struct"
    children: set[str] = field(default_factory=set)
    changed: bool = False


class Parents:
    """Keeps the ``struct{...}`` attributes of the groups around objects.

    They are the same as from :func:`lh5.write` (LH5 format, 1.4), but written once, by
    :meth:`write`, instead of with each object.

    Parameters
    ----------
    file
        the file; None for a new file that is never written.
    """

    def __init__(self, file: h5py.File | None = None) -> None:
        self.file = file
        # a new file is empty: no need to look
        self._new = file is None or not len(file)
        self._groups: dict[str, _Group] = {}

    def has(self, path: str) -> bool:
        """Whether an object exists at a path, or is registered."""
        if not self._new and path in self.file:
            return True
        parent, _, name = path.rpartition("/")
        return parent in self._groups and name in self._groups[parent].children

    def _get(self, path: str) -> _Group:
        """Return the state of a group, loaded from the file if it exists there."""
        if path in self._groups:
            return self._groups[path]
        group = _Group(None)
        node = None if self._new else self.file.get(path or "/")
        if node is not None:
            if not isinstance(node, h5py.Group):
                msg = f"{self.file.filename}: '{path}' is a dataset, not a group"
                raise ValueError(msg)
            group.children = set(node)
            datatype = node.attrs.get("datatype")
            if datatype is not None:
                group.kind, group.fields = _parse(datatype)
        self._groups[path] = group
        if path and node is None:
            self._get(_parent(path))
        return group

    def add(self, base: str, name: str) -> str:
        """Register a new object of the file.

        Parameters
        ----------
        base
            the group it is written to.
        name
            its name in there, which may have slashes.

        Returns
        -------
        path
            of the object.

        Raises
        ------
        ValueError
            if a part of its path is a dataset, or a group with other members and
            without a datatype.
        """
        base = "/".join(p for p in base.split("/") if p)
        inner = [p for p in name.split("/") if p]
        parent = "/".join([*filter(None, [base]), *inner[:-1]])
        path = "/".join([*filter(None, [parent]), inner[-1]])
        group = self._get(parent)
        if len(inner) == 1 and group.fields is not None:
            # lh5 does not change the datatype of an existing group
            group.children.add(inner[-1])
            return path
        child = inner[-1]
        while True:
            # groups without other members become structs of this child; the first one
            # with others gets the child added
            alone = not group.children - {child}
            group.children.add(child)
            if alone:
                group.fields = [child]
            elif group.fields is None or group.kind != "struct":
                msg = (
                    f"{self.file.filename}: cannot add '{path}': the group '/{parent}' "
                    "is not a struct"
                )
                raise ValueError(msg)
            elif child not in group.fields:
                group.fields.append(child)
            group.changed = True
            if not alone or parent == "":
                return path
            parent, _, child = parent.rpartition("/")
            group = self._get(parent)

    def add_link(self, path: str, alias: str) -> None:
        """Register a further name of an object; all groups above it list it.

        Raises
        ------
        ValueError
            if a part of its path is not a struct.
        """
        parent, _, child = alias.rpartition("/")
        while True:
            group = self._get(parent)
            if group.fields is None and not group.children:
                group.fields = []
            if group.fields is None or group.kind != "struct":
                msg = (
                    f"{self.file.filename}: cannot add '{alias}': the group "
                    f"'/{parent}' is not a struct"
                )
                raise ValueError(msg)
            group.children.add(child)
            if child not in group.fields:
                group.fields.append(child)
                group.changed = True
            if parent == "":
                break
            parent, _, child = parent.rpartition("/")
        if path in self._groups:
            self._groups[alias] = self._groups[path]

    def add_group(self, path: str, datatype: str, members: Iterable[str]) -> None:
        """Set datatype and members of an object that is a group."""
        kind, fields = _parse(datatype)
        self._groups[path] = _Group(fields, kind, set(members))

    def new_datatypes(self) -> dict[str, str]:
        """Return the datatypes that are not in the file yet, by path."""
        return {
            path: f"struct{{{','.join(sorted(group.fields))}}}"
            for path, group in self._groups.items()
            if group.changed
        }

    def write(self) -> None:
        """Write the attributes that are new."""
        dtype = np.dtype(STRING)
        for path, text in self.new_datatypes().items():
            node = self.file.require_group(path or "/")
            node.attrs.create("datatype", text.encode(), dtype=dtype)
            self._groups[path].changed = False

    def reload(self) -> None:
        """Load all groups again, after lh5 has written to the file."""
        known, self._new = self._groups, False
        self._groups = {}
        for path, group in known.items():
            # members that are not written yet stay
            self._get(path).children |= group.children


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _parse(datatype: str | bytes) -> tuple[str, list[str]]:
    """Return name and fields of a datatype."""
    text = datatype.decode() if isinstance(datatype, bytes) else datatype
    kind, _, inside = text.partition("{")
    return kind, [f for f in inside.rpartition("}")[0].split(",") if f]
