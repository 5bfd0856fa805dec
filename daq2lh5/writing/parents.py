"""The groups (structs) around the tables of a file, and their attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Parents", "write_attributes"]

STRING = h5py.string_dtype(encoding="ascii")


def write_attributes(obj: h5py.HLObject, attrs: Mapping[str, object]) -> None:
    """Write attributes as LH5 has them: strings as bytes of variable length."""
    for name, value in attrs.items():
        obj.attrs[name] = value.encode() if isinstance(value, str) else value


@dataclass
class _Group:
    """A group.

    Attributes
    ----------
    fields
        what its datatype lists; None: it has no datatype.
    kind
        the datatype's name.
    children
        what is in it.
    changed
        whether the datatype must be written.
    """

    fields: list[str] | None
    kind: str = "struct"
    children: set[str] = field(default_factory=set)
    changed: bool = False


class Parents:
    """Keeps the ``struct{...}`` attributes of the groups around objects.

    They are as :func:`lh5.write` makes them (LH5 format, 1.4), but
    written once, by :meth:`write`, and not with each object.
    """

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        # what is in a new file is known without looking
        self._new = not len(file)
        self._groups: dict[str, _Group] = {}

    def has(self, path: str) -> bool:
        """Whether there is an object at a path, or will be."""
        if not self._new and path in self.file:
            return True
        parent, _, name = path.rpartition("/")
        return parent in self._groups and name in self._groups[parent].children

    def _get(self, path: str) -> _Group:
        """Return a group as it will be; loads it from the file, if it is there."""
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
        """Enter an object that is new in the file.

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
            if something on the way to it is no group, or a group without a datatype
            that has something else in it.
        """
        base = "/".join(p for p in base.split("/") if p)
        inner = [p for p in name.split("/") if p]
        parent = "/".join([*filter(None, [base]), *inner[:-1]])
        path = "/".join([*filter(None, [parent]), inner[-1]])
        group = self._get(parent)
        if len(inner) == 1 and group.fields is not None:
            # lh5 leaves the list of a group alone that is there already
            group.children.add(inner[-1])
            return path
        child = inner[-1]
        while True:
            # groups that are new, or have nothing else, are structs of this child;
            # the first with something else in it gets the child added
            alone = not group.children - {child}
            group.children.add(child)
            if alone:
                group.fields = [child]
            elif group.fields is None or group.kind != "struct":
                msg = (
                    f"{self.file.filename}: cannot add '{path}': the group '/{parent}' "
                    "is no struct"
                )
                raise ValueError(msg)
            elif child not in group.fields:
                group.fields.append(child)
            group.changed = True
            if not alone or parent == "":
                return path
            parent, _, child = parent.rpartition("/")
            group = self._get(parent)

    def add_group(self, path: str, datatype: str, members: Iterable[str]) -> None:
        """Say what an object is that was added: a group with members."""
        kind, fields = _parse(datatype)
        self._groups[path] = _Group(fields, kind, set(members))

    def write(self) -> None:
        """Write the attributes that are new."""
        dtype = np.dtype(STRING)
        for path, group in self._groups.items():
            if group.changed:
                node = self.file.require_group(path or "/")
                text = f"struct{{{','.join(sorted(group.fields))}}}"
                node.attrs.create("datatype", text.encode(), dtype=dtype)
                group.changed = False

    def reload(self) -> None:
        """Read groups anew: something else has written to the file."""
        known, self._new = self._groups, False
        self._groups = {}
        for path, group in known.items():
            # what is known of, but not written yet, stays
            self._get(path).children |= group.children


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _parse(datatype: str | bytes) -> tuple[str, list[str]]:
    """Return the name of a datatype, and the fields that it lists."""
    text = datatype.decode() if isinstance(datatype, bytes) else datatype
    kind, _, inside = text.partition("{")
    return kind, [f for f in inside.rpartition("}")[0].split(",") if f]
