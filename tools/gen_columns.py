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
FORMATS = ("fc",)

C_TYPES = {
    "bool": "uint8_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
    "uint64": "uint64_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float32": "float",
    "float64": "double",
}


def load_tables(name: str) -> tuple:
    """Import ``columns.py`` of a format without importing the package itself.

    The package cannot be imported before its extensions are built.
    """
    saved = {k: v for k, v in sys.modules.items() if k.split(".")[0] == "daq2lh5"}
    for key in saved:
        del sys.modules[key]
    try:
        for package in ("daq2lh5", f"daq2lh5.{name}"):
            module = ModuleType(package)
            module.__path__ = [str(ROOT.joinpath(*package.split(".")))]
            sys.modules[package] = module
        return importlib.import_module(f"daq2lh5.{name}.columns").KERNEL_TABLES
    finally:
        for key in [k for k in sys.modules if k.split(".")[0] == "daq2lh5"]:
            del sys.modules[key]
        sys.modules.update(saved)


def snake(name: str) -> str:
    """Turn ``FCEventHeader`` into ``fc_event_header``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def table_code(table: object) -> str:
    """Return the Cython code for one table."""
    struct = f"{table.name}Columns"
    prefix = snake(table.name)
    kinds = {
        "scalar": "BoundColumn",
        "fixed": "BoundColumn",
        "vector": "BoundVector",
        "waveform": "BoundWaveform",
    }
    fields, binds, setters, rooms = [], [], [], []
    for c in table.columns:
        ctype = C_TYPES[c.dtype]
        fields.append(f"    {kinds[c.kind]} {c.name}")
        head = f"{prefix}_%s({struct}* c, Py_ssize_t row"
        target = f"c.{c.name}.data + row * c.{c.name}.step"
        if c.kind == "scalar":
            binds.append(
                f'    b.column(&c.{c.name}, arrays, "{c.name}", "{c.dtype}", 1)'
            )
            setters.append(
                f"cdef inline void {head % ('set_' + c.name)}, {ctype} value)"
                f" noexcept nogil:\n    (<{ctype}*>({target}))[0] = value\n"
            )
        elif c.kind == "fixed":
            binds.append(
                f'    b.column(&c.{c.name}, arrays, "{c.name}", "{c.dtype}", {c.length})'
            )
            setters.append(
                f"cdef inline {ctype}* {head % ('at_' + c.name)}) noexcept nogil:\n"
                f"    return <{ctype}*>({target})\n"
            )
        elif c.kind == "vector":
            binds.append(
                f'    b.vector(&c.{c.name}, arrays, "{c.name}", "{c.dtype}", {c.length})'
            )
            setters.append(
                f"cdef inline {ctype}* {head % ('new_' + c.name)}, int64_t n)"
                f" noexcept nogil:\n"
                f"    return <{ctype}*>vector_row(&c.{c.name}, row, n)\n"
            )
            rooms.append(f"vector_has_room(&c.{c.name}, row, n)")
        else:
            binds.append(
                f'    b.waveform(&c.{c.name}, arrays, "{c.name}", "{c.dtype}")'
            )
    out = [f"cdef struct {struct}:", *fields, "", ""]
    out += [
        f"cdef int bind_{prefix}(void* columns, dict arrays, Binding b) except -1:",
        f"    cdef {struct}* c = <{struct}*>columns",
        *binds,
        "    return 0",
        "",
        "",
    ]
    if rooms:
        out += [
            f"cdef inline bint {prefix}_has_room("
            f"{struct}* c, Py_ssize_t row, int64_t n) noexcept nogil:",
            "    return (" + "\n        and ".join(rooms) + ")",
            "",
            "",
        ]
    return "\n".join(out) + "\n\n".join(setters) + "\n"


def format_code(name: str) -> str:
    """Return the content of ``_columns.pxi`` of a format."""
    tables = load_tables(name)
    head = (
        f"# generated from daq2lh5/{name}/columns.py by tools/gen_columns.py;"
        " edit that file instead\n\n\n"
    )
    return head + "\n\n".join(table_code(table) for table in tables)


def write_all() -> None:
    """Write the file of each format, if its content changed."""
    for name in FORMATS:
        path = ROOT / "daq2lh5" / name / "_columns.pxi"
        code = format_code(name)
        if not path.exists() or path.read_text() != code:
            path.write_text(code)


if __name__ == "__main__":
    write_all()
