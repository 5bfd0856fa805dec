"""Buffers have one interface: their private attributes are used by nobody else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import daq2lh5
from daq2lh5.buffers import table_buffer
from daq2lh5.raw_buffer import RawBuffer

PACKAGE = Path(daq2lh5.__file__).parent
OWNERS = {
    PACKAGE / "raw_buffer.py": {"RawBuffer", "RawBufferList", "RawBufferLibrary"},
    PACKAGE / "buffers" / "table_buffer.py": {"TableBuffer", "_Shared"},
}
"""Classes of buffers by their module."""

OF_LGDO = {"_offsets"}
"""Private attributes of lgdo's objects, for which it has no public names."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def own_attributes() -> set[str]:
    """Return the names of the private attributes and methods of buffers."""
    found = set()
    for path, classes in OWNERS.items():
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.ClassDef) or node.name not in classes:
                continue
            for inner in ast.walk(node):
                if isinstance(inner, ast.Attribute) and is_private(inner.attr):
                    found.add(inner.attr)
                elif isinstance(inner, ast.FunctionDef) and is_private(inner.name):
                    found.add(inner.name)
    return found - OF_LGDO


def reached_into(path: Path) -> set[str]:
    """Return the private attributes of other objects that a module uses."""
    text = path.read_text()
    if path.suffix == ".py":
        return {
            node.attr
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Attribute)
            and is_private(node.attr)
            and not (isinstance(node.value, ast.Name) and node.value.id == "self")
        }
    found = re.findall(r"([\w\])]+)\.(_[a-z]\w*)", text)
    return {name for owner, name in found if owner != "self"}


def test_buffers_have_private_attributes():
    assert {"_place", "_lgdo", "_arrays", "_shared"} <= own_attributes()


def test_no_other_module_uses_private_attributes_of_buffers():
    private = own_attributes()
    wrong = {}
    for path in sorted(PACKAGE.rglob("*.p*")):
        if path.suffix in (".py", ".pyx", ".pxd", ".pxi") and path not in OWNERS:
            used = reached_into(path) & private
            if used:
                wrong[str(path.relative_to(PACKAGE))] = used
    assert wrong == {}


def test_classes_and_modules_are_those_of_the_package():
    assert Path(table_buffer.__file__) in OWNERS
    assert is_private("_x")
    assert not is_private("__len__")


def test_place_follows_the_names():
    rb = RawBuffer(out_stream="x.lh5:a", out_name="b//c")
    assert (rb.place.file, rb.place.group, rb.place.path) == ("x.lh5", "a", "a/b/c")
    rb.out_name += "_1"
    assert rb.place.path == "a/b/c_1"
    rb.out_stream = "y.lh5"
    assert (rb.place.file, rb.place.path) == ("y.lh5", "b/c_1")


def test_derived_buffers_keep_the_processing():
    rb = RawBuffer(None, [1, 2], "x.lh5", "t", {"drop": ["a"]})
    assert rb.processing.drop == ("a",)
    other = rb.beside(500, [2])
    assert (other.key_list, other.out_stream, other.out_name) == ([2], "x.lh5", "t_500")
    assert other.proc_spec is rb.proc_spec
    assert other.processing is rb.processing
    rb.key_list.append(3)
    assert rb.derive().key_list == [1, 2, 3]
    rb.proc_spec = None
    assert rb.processing is None
