"""Write the C side of the wire structs.

For each module ``wire.py`` of a format this writes ``_wire.pxd`` beside it: for each
struct its size, the values of its constant fields, and a typed accessor for each
field and each range of bits. The pointer for an accessor comes from a claim on
all bytes of the struct (``daq2lh5/_core/window.pxd``). ``setup.py`` calls it before the
extensions are built; a file is only replaced when its content changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gen_columns

if TYPE_CHECKING:
    from pathlib import Path

C_TYPES = {
    "u8": "uint8_t",
    "u16": "uint16_t",
    "u32": "uint32_t",
    "u64": "uint64_t",
    "i32": "int32_t",
    "i64": "int64_t",
    "f32": "float",
    "f64": "double",
}


def ctype(field: object) -> str:
    """Return the C type of a field's elements."""
    return C_TYPES[field.type.removeprefix("be_")]


def load_code(field: object, at: str) -> str:
    """Return the expression that reads an element of a field at a pointer."""
    if field.type == "u8":
        return f"({at})[0]"
    return f"load_{field.type}({at})"


def constants_code(struct: object) -> str:
    """Return the enum of a struct's size and of the values of its constant fields."""
    prefix = struct.name.upper()
    lines = ["cdef enum:", f"    {prefix}_BYTES = {struct.size}"]
    for f in struct.fields:
        if f.value is not None:
            lines.append(f"    {prefix}_{f.name.upper()} = {f.value:#x}")
        for b in f.bits:
            if b.value is not None:
                lines.append(f"    {prefix}_{b.name.upper()} = {b.value:#x}")
        if f.count > 1:
            lines.append(f"    {prefix}_N_{f.name.upper()} = {f.count}")
    return "\n".join([*lines, ""])


def layout_name(struct: object) -> str:
    """Return the name of the C struct with the offsets of optional fields."""
    return struct.name.title().replace("_", "") + "Layout"


def layout_code(struct: object) -> str:
    """Return the C struct with the offsets of optional fields, and its function."""
    fields = [f for f in struct.fields if f.offset is None]
    name = layout_name(struct)
    lines = [
        f"cdef struct {name}:",
        "    # offsets of fields, -1 if they are absent; size: bytes of all",
        *(f"    int {f.name}" for f in fields),
        "    int size",
        "",
        "",
        f"cdef inline void place_{struct.name}(",
        f"    {name}* l,",
        *(f"    bint {c}," for c in struct.conditions),
        ") noexcept nogil:",
        f"    l.size = {struct.size}",
    ]
    for f in fields:
        step = [f"l.{f.name} = l.size", f"l.size += {f.size}"]
        if not f.when:
            lines += [f"    {line}" for line in step]
            continue
        lines += [
            f"    l.{f.name} = -1",
            f"    if {f.when}:",
            *(f"        {line}" for line in step),
        ]
    return "\n".join([*lines, ""])


def accessors_code(struct: object, field: object) -> list[str]:
    """Return the functions that read a field and its bits."""
    if field.offset is None:
        arguments = f"const uint8_t* p, const {layout_name(struct)}* l"
        given, at = "p, l", f"p + l.{field.name}"
    else:
        arguments = "const uint8_t* p"
        given, at = "p", f"p + {field.offset}" if field.offset else "p"
    if field.count > 1:
        arguments += ", int64_t i"
        given += ", i"
        step = field.size // field.count
        at += f" + {step} * i" if step > 1 else " + i"
    c = ctype(field)
    get = f"{struct.name}_get_{field.name}"
    values = {get: load_code(field, at)}
    for b in field.bits:
        value = f"{get}({given})"
        if b.low:
            value = f"{value} >> {b.low}"
        if b.low + b.width < 8 * field.size // field.count:
            value = f"{value} & {(1 << b.width) - 1:#x}"
        values[f"{struct.name}_get_{b.name}"] = f"<{c}>({value})"
    return [
        f"cdef inline {c} {name}({arguments}) noexcept nogil:\n    return {value}\n"
        for name, value in values.items()
    ]


def struct_code(struct: object) -> str:
    """Return the Cython code for one struct."""
    code = [constants_code(struct)]
    if struct.conditions:
        code.append(layout_code(struct))
    for f in struct.fields:
        code += accessors_code(struct, f)
    return "\n\n".join(code)


def modules() -> list[str]:
    """Return the modules that declare wire structs."""
    package = gen_columns.ROOT / "daq2lh5"
    return sorted(
        ".".join(path.relative_to(gen_columns.ROOT).with_suffix("").parts)
        for path in package.rglob("wire.py")
        if path.parent.name != "_core"
    )


def path_of(module: str) -> Path:
    """Return the file that is written for a module."""
    return gen_columns.ROOT.joinpath(*module.split(".")[:-1], "_wire.pxd")


def module_code(module: str) -> str:
    """Return the content of ``_wire.pxd`` for a module."""
    structs = gen_columns.load(module).STRUCTS
    dots = "." * module.count(".")
    loads = sorted({f.type for s in structs for f in s.fields} - {"u8"})
    types = sorted({ctype(f) for s in structs for f in s.fields if "f" not in f.type})
    types = sorted({*types, "int64_t", "uint8_t"})
    head = (
        f"# generated from {module.replace('.', '/')}.py by tools/gen_wire.py;"
        " edit that file instead\n\n"
        f"from libc.stdint cimport {', '.join(types)}\n\n"
        f"from {dots}_core.bytes cimport {', '.join(f'load_{t}' for t in loads)}\n\n\n"
    )
    return head + "\n\n".join(struct_code(s) for s in structs)


def write_all() -> None:
    """Write the file of each module, if its content changed."""
    for module in modules():
        gen_columns.write(path_of(module), module_code(module))


if __name__ == "__main__":
    write_all()
