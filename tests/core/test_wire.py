"""Wire structs: declarations are sound, and kernels read what they declare."""

from __future__ import annotations

import importlib
import importlib.util
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from daq2lh5._core.wire import SIZES, Bits, Field, Struct

REPOSITORY = Path(__file__).parents[2]
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


def reader(s: Struct) -> str:
    """Return Cython code of a function that calls each accessor of a struct."""
    conditions = ", ".join(s.conditions)
    lines = [
        f"def {s.name}(const unsigned char[::1] data, {conditions}):",
        "    cdef const unsigned char* p = &data[0]",
    ]
    if s.conditions:
        layout = s.name.title().replace("_", "") + "Layout"
        lines += [
            f"    cdef {layout} l",
            f"    place_{s.name}(&l, {conditions})",
            '    values = {"size": l.size}',
        ]
    else:
        lines.append(f'    values = {{"size": {s.name.upper()}_BYTES}}')
    for f in s.fields:
        given = "p, &l" if f.offset is None else "p"
        when = f"if {f.when}: " if f.when else ""
        for part in (f, *f.bits):
            get = f"{s.name}_get_{part.name}"
            value = f"{get}({given})"
            if f.count > 1:
                value = f"[{get}({given}, i) for i in range({f.count})]"
            lines.append(f'    {when}values["{part.name}"] = {value}')
    return "\n".join([*lines, "    return values", ""])


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """A compiled module with a function for each struct."""
    if shutil.which("gcc") is None:
        pytest.skip("no compiler")
    folder = tmp_path_factory.mktemp("wire")
    code = [f"from {m.removesuffix('.wire')}._wire cimport *" for m in MODULES]
    code += [reader(s) for _, s in STRUCTS]
    (folder / "wire_readers.pyx").write_text("\n".join(code))
    (folder / "setup.py").write_text(
        "from Cython.Build import cythonize\n"
        "from setuptools import Extension, setup\n"
        "extension = Extension('wire_readers', ['wire_readers.pyx'],"
        " extra_compile_args=['-O1', '-fwrapv'])\n"
        f"setup(ext_modules=cythonize([extension], language_level=3,"
        f" include_path=[{str(REPOSITORY)!r}]))\n"
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


def expected(s: Struct, data: bytes, present: dict[str, bool]) -> dict:
    """Read a struct by Python's own means."""
    values = {}
    end = s.size
    for f in s.fields:
        start = f.offset
        if start is None:
            name = f.when.removeprefix("not ")
            if f.when and present[name] == f.when.startswith("not "):
                continue
            start = end
            end += f.size
        code = CODES[f.type]
        size = struct.calcsize(code)
        words = [
            struct.unpack_from(code, data, start + size * i)[0] for i in range(f.count)
        ]
        values[f.name] = words if f.count > 1 else words[0]
        for b in f.bits:
            place = slice(64 - b.low - b.width, 64 - b.low)
            parts = [int(f"{w:064b}"[place], 2) for w in words]
            values[b.name] = parts if f.count > 1 else parts[0]
    return {"size": end, **values}


@pytest.mark.parametrize(("module", "s"), STRUCTS, ids=IDS)
def test_accessors_read_what_is_declared(readers, module, s):
    rng = random.Random(s.name)
    for _ in range(50):
        data = rng.randbytes(s.size + sum(f.size for f in s.fields))
        present = {c: rng.random() < 0.5 for c in s.conditions}
        read = getattr(readers, s.name)(data, **present)
        # repr: NaN is equal to NaN
        assert repr(sorted(read.items())) == repr(
            sorted(expected(s, data, present).items())
        )
        assert s.bytes_when(**present) == read["size"]


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
