"""Write the C side of the column declarations.

For each format with kernel tables (``daq2lh5/<format>/columns.py``) this writes
``daq2lh5/<format>/_columns.pxi``: per table a struct of bound columns, a function that
binds it to the arrays of a buffer, and typed setters. ``setup.py`` calls it before the
extensions are built; a file is only replaced when its content changes.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("fc", "orca", "compass", "llama", "mgdo")

C_TYPES = {
    "bool": "uint8_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
    "uint64": "uint64_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float32": "float",
    "float64": "double",
}


def load(name: str) -> ModuleType:
    """Import a module of the package without importing the package itself.

    The package cannot be imported before its extensions are built.
    """
    saved = {k: v for k, v in sys.modules.items() if k.split(".")[0] == "daq2lh5"}
    for key in saved:
        del sys.modules[key]
    try:
        for folder in (ROOT / "daq2lh5", *(ROOT / "daq2lh5").rglob("*")):
            if not folder.is_dir():
                continue
            package = ".".join(folder.relative_to(ROOT).parts)
            module = ModuleType(package)
            module.__path__ = [str(folder)]
            sys.modules[package] = module
        return importlib.import_module(name)
    finally:
        for key in [k for k in sys.modules if k.split(".")[0] == "daq2lh5"]:
            del sys.modules[key]
        sys.modules.update(saved)


def load_tables(name: str) -> tuple:
    """Return the tables that a format declares."""
    return load(f"daq2lh5.{name}.columns").KERNEL_TABLES


def snake(name: str) -> str:
    """Turn ``FCEventHeader`` into ``fc_event_header``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


KINDS = {
    "scalar": "BoundColumn",
    "fixed": "BoundColumn",
    "vector": "BoundVector",
    "waveform": "BoundWaveform",
}


def bind_code(c: object) -> str:
    """Return the line that binds one column."""
    where = f'&c.{c.name}, arrays, "{c.name}", "{c.dtype}"'
    if c.kind == "scalar":
        return f"    b.column({where}, 1)"
    if c.kind == "fixed":
        return f"    b.column({where}, {c.length})"
    if c.kind == "vector":
        return f"    b.vector({where}, {c.length})"
    return f'    b.waveform({where}, "{c.dt_dtype}")'


def access_code(c: object, struct: str, prefix: str) -> str:
    """Return the typed function that writes to one column.

    ``set_`` stores a value, ``at_`` returns the row's elements to fill, ``new_`` begins
    a row of `n` elements and returns them. Waveforms have no function: kernels copy
    their samples as a block.
    """
    ctype = C_TYPES[c.dtype]
    this = f"{struct}* c, Py_ssize_t row"
    target = f"c.{c.name}.data + row * c.{c.name}.step"
    if c.kind == "scalar":
        return (
            f"cdef inline void {prefix}_set_{c.name}({this}, {ctype} value)"
            f" noexcept nogil:\n    (<{ctype}*>({target}))[0] = value\n"
        )
    if c.kind == "fixed":
        return (
            f"cdef inline {ctype}* {prefix}_at_{c.name}({this}) noexcept nogil:\n"
            f"    return <{ctype}*>({target})\n"
        )
    if c.kind == "vector":
        return (
            f"cdef inline {ctype}* {prefix}_new_{c.name}({this}, int64_t n)"
            f" noexcept nogil:\n"
            f"    return <{ctype}*>vector_row(&c.{c.name}, row, n)\n"
        )
    return ""


def table_code(table: object) -> str:
    """Return the Cython code for one table."""
    struct = f"{table.name}Columns"
    prefix = snake(table.name)
    fields, binds = [], []
    columns = table.columns
    if table.shared is not None:
        shared = {c.name for c in table.shared.columns}
        columns = [c for c in columns if c.name not in shared]
        fields.append(f"    {table.shared.name}Columns fields")
        binds.append(f"    bind_{snake(table.shared.name)}(&c.fields, arrays, b)")
    fields += [f"    {KINDS[c.kind]} {c.name}" for c in columns]
    binds += [bind_code(c) for c in columns]
    out = [
        "\n".join([f"cdef struct {struct}:", *fields, ""]),
        "\n".join(
            [
                (
                    f"cdef int bind_{prefix}("
                    "void* columns, dict arrays, Binding b) except -1:"
                ),
                f"    cdef {struct}* c = <{struct}*>columns",
                *binds,
                "    return 0",
                "",
            ]
        ),
    ]
    vectors = [c.name for c in columns if c.kind == "vector"]
    if vectors:
        rooms = "\n        and ".join(
            f"vector_has_room(&c.{name}, row, n)" for name in vectors
        )
        out.append(
            f"cdef inline bint {prefix}_has_room("
            f"const {struct}* c, Py_ssize_t row, int64_t n) noexcept nogil:\n"
            f"    return ({rooms})\n"
        )
    out += [code for c in columns if (code := access_code(c, struct, prefix))]
    return "\n\n".join(out)


def format_code(name: str) -> str:
    """Return the content of ``_columns.pxi`` of a format."""
    tables = load_tables(name)
    head = (
        f"# generated from daq2lh5/{name}/columns.py by tools/gen_columns.py;"
        " edit that file instead\n\n\n"
    )
    shared = dict.fromkeys(t.shared for t in tables if t.shared is not None)
    return head + "\n\n".join(table_code(table) for table in (*shared, *tables))


def write(path: Path, code: str) -> None:
    """Write a file, if its content changed."""
    if not path.exists() or path.read_text() != code:
        path.write_text(code)


def write_all() -> None:
    """Write the file of each format, if its content changed."""
    for name in FORMATS:
        write(ROOT / "daq2lh5" / name / "_columns.pxi", format_code(name))


if __name__ == "__main__":
    write_all()
