"""Wire structs: declarations are sound, and kernels read what they declare."""

from __future__ import annotations

import importlib
import importlib.util
import random
import shutil
import struct
import subprocess
import sys
from array import array
from pathlib import Path

import pytest

import daq2lh5
from daq2lh5._core.wire import SIZES, Bits, Field, Struct

REPOSITORY = Path(__file__).parents[2]
INSTALLED = Path(daq2lh5.__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    for path in (REPOSITORY / "daq2lh5").rglob("wire.py")
    if path.parent.name != "_core"
)
STRUCTS = [
    (module, s) for module in MODULES for s in importlib.import_module(module).STRUCTS
]
IDS = [s.name for _, s in STRUCTS]

CODES = {
    "u8": "<B",
    "u16": "<H",
    "u32": "<I",
    "u64": "<Q",
    "i32": "<i",
    "i64": "<q",
    "f32": "<f",
    "f64": "<d",
    "be_u16": ">H",
    "be_u32": ">I",
    "be_i32": ">i",
    "be_u64": ">Q",
    "be_f64": ">d",
}
"""Each type in the notation of Python's `struct`."""


@pytest.fixture(scope="module")
def generator():
    """The module that writes the accessors."""
    sys.path.insert(0, str(REPOSITORY / "tools"))
    try:
        return importlib.import_module("gen_wire")
    finally:
        sys.path.remove(str(REPOSITORY / "tools"))


def parts_of(s: Struct) -> list[tuple[Field, str, int]]:
    """Return what can be read of a struct: field, name, and index of the element."""
    return [
        (f, part.name, i)
        for f in s.fields
        for part in (f, *f.bits)
        for i in range(f.count)
    ]


def reader(s: Struct) -> str:
    """Return Cython code of a function that calls each accessor of a struct.

    It returns the size, and writes each value to eight bytes of `out`.
    """
    arguments = f"const uint8_t[::1] data, uint64_t[::1] out, {conditions_of(s)}"
    lines = [
        f"def {s.name}({arguments}):",
        "    cdef const uint8_t* p = &data[0]",
    ]
    size = f"{s.name.upper()}_BYTES"
    if s.conditions:
        layout = s.name.title().replace("_", "") + "Layout"
        lines += [f"    cdef {layout} l", f"    place_{s.name}(&l, {conditions_of(s)})"]
        size = "l.size"
    for k, (f, name, i) in enumerate(parts_of(s)):
        given = "p, &l" if f.offset is None else "p"
        value = f"{s.name}_get_{name}({given}{f', {i}' if f.count > 1 else ''})"
        to, cast = f"out[{k}]", "<uint64_t>"
        if "f" in f.type:
            to, cast = f"(<double*>&out[{k}])[0]", "<double>"
        lines.append(f"    {f'if {f.when}: ' if f.when else ''}{to} = {cast}{value}")
    return "\n".join([*lines, f"    return {size}", ""])


def conditions_of(s: Struct) -> str:
    return ", ".join(s.conditions)


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """A compiled module with a function for each struct."""
    if shutil.which("gcc") is None:
        pytest.skip("no compiler")
    folder = tmp_path_factory.mktemp("wire")
    code = ["from libc.stdint cimport uint8_t, uint64_t"]
    code += [f"from {m.removesuffix('.wire')}._wire cimport *" for m in MODULES]
    code += [reader(s) for _, s in STRUCTS]
    (folder / "wire_readers.pyx").write_text("\n".join(code))
    (folder / "setup.py").write_text(
        "from Cython.Build import cythonize\n"
        "from setuptools import Extension, setup\n"
        "extension = Extension('wire_readers', ['wire_readers.pyx'],"
        " extra_compile_args=['-O0', '-fwrapv'])\n"
        f"setup(ext_modules=cythonize([extension], language_level=3,"
        f" include_path=[{str(INSTALLED)!r}]))\n"
    )
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("wire_readers*.so")
    spec = importlib.util.spec_from_file_location("wire_readers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expected(
    s: Struct, data: bytes, present: dict[str, bool]
) -> tuple[int, list[bytes | None]]:
    """Read a struct by Python's own means: its size, and values; None: it is absent."""
    values: list[bytes | None] = []
    end = s.size
    for f in s.fields:
        start = f.offset
        if start is None:
            name = f.when.removeprefix("not ")
            if f.when and present[name] == f.when.startswith("not "):
                values += [None] * f.count * (1 + len(f.bits))
                continue
            start = end
            end += f.size
        order, code = CODES[f.type]
        words = struct.unpack_from(order + code * f.count, data, start)
        kind = "<d" if "f" in f.type else "<q" if "i" in f.type else "<Q"
        values += [struct.pack(kind, word) for word in words]
        for b in f.bits:
            place = slice(64 - b.low - b.width, 64 - b.low)
            values += [struct.pack("<Q", int(f"{w:064b}"[place], 2)) for w in words]
    return end, values


@pytest.mark.parametrize(("module", "s"), STRUCTS, ids=IDS)
def test_accessors_read_what_is_declared(readers, module, s):
    rng = random.Random(s.name)
    for _ in range(50):
        data = rng.randbytes(s.size + sum(f.size for f in s.fields))
        present = {c: rng.random() < 0.5 for c in s.conditions}
        out = array("Q", bytes(8 * len(parts_of(s))))
        size = getattr(readers, s.name)(data, out, **present)
        wanted_size, wanted = expected(s, data, present)
        assert size == wanted_size == s.bytes_when(**present)
        for k, ((f, name, _), value) in enumerate(
            zip(parts_of(s), wanted, strict=True)
        ):
            read = out[k : k + 1].tobytes()
            if value is not None and "f" in f.type:
                # as text: the bits of NaN may differ
                assert repr(struct.unpack("<d", read)) == repr(
                    struct.unpack("<d", value)
                ), name
            elif value is not None:
                assert read == value, name


@pytest.mark.parametrize(("module", "s"), STRUCTS, ids=IDS)
def test_each_struct_cites_its_section_and_describes_its_fields(module, s):
    assert " format, " in s.section
    assert s.description
    for f in s.fields:
        assert f.description or f.bits, f"{s.name}.{f.name}"
        assert all(b.description for b in f.bits), f"{s.name}.{f.name}"


def test_names_are_unique_in_the_package():
    assert len(set(IDS)) == len(IDS)


@pytest.mark.parametrize("module", MODULES)
def test_files_are_current(generator, module):
    """What the build wrote is what the declarations say now."""
    assert generator.path_of(module).read_text() == generator.module_code(module)


def test_writing_again_changes_nothing(generator):
    """An unchanged file keeps its time, so that nothing is compiled anew."""
    paths = [generator.path_of(module) for module in MODULES]
    before = [path.stat().st_mtime_ns for path in paths]
    generator.write_all()
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_all_types_are_tested():
    assert CODES.keys() == SIZES.keys()
    assert {t: struct.calcsize(code) for t, code in CODES.items()} == SIZES


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ((Field(0, "u32", "a"), Field(2, "u16", "b")), "b overlaps"),
        ((Field(6, "u32", "a"),), "a overlaps"),
        ((Field(0, "u16", "a"), Field(2, "u16", "a")), "same name"),
        ((Field(0, "u16", "a", bits=(Bits(12, 8, "b"),)),), "b overlaps"),
        (
            (Field(0, "u16", "a", bits=(Bits(0, 4, "b"), Bits(4, 4, "c"))),),
            "c overlaps",
        ),
        ((Field(0, "f64", "a", bits=(Bits(0, 4, "b"),)),), "b overlaps"),
        ((Field(None, "u16", "a", when="unknown"),), "unknown condition"),
        ((Field(None, "u16", "a"),), "offset"),
    ],
)
def test_contradictions_are_rejected(fields, problem):
    with pytest.raises(ValueError, match=problem):
        Struct("s", "a struct", "X format, 1", 8, fields, ("known",))
