"""Wire structs in pages, made from their declarations when the docs are built.

``wire``
    a table for each struct: ``.. wire:: MODULE NAME [NAME ...]``, where the names are
    those of the constants in the module. If a row of 32 bits has several parts, a bit
    diagram stands above the table; ``:nodiagram:`` leaves it out. The label of a struct
    is ``wire-`` and its name. A struct of the module's ``STRUCTS`` that no page shows
    is a warning, once the module is shown at all, and so is one shown twice.
"""

from __future__ import annotations

import importlib
import inspect
from html import escape
from typing import TYPE_CHECKING, ClassVar

from bit_diagrams import caption_of, draw
from bit_layout import says_more
from citations import citations, label_of
from daq2lh5_tables import TableDirective, literal
from docutils import nodes
from docutils.parsers.rst import directives
from format_citations import reference
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from daq2lh5._core.wire import Bits, Field, Struct

log = logging.getLogger(__name__)


def content_of(part: Field | Bits, field: Field) -> str:
    """Return the description of a field, or of a range of its bits."""
    parts = [part.description] if part.description else []
    if part.value is not None:
        parts.append(f"always {part.value:#x}")
    if part.units:
        parts.append(f"in {part.units}")
    if part is field and field.when:
        parts.append(f"if {field.when}")
    return "; ".join(parts)


def type_of(field: Field) -> str:
    """Return the type of a field as the format documents write it."""
    name = field.type.removeprefix("be_")
    return name if field.count == 1 else f"{name} x {field.count}"


class Wire(TableDirective):
    """Wire structs."""

    required_arguments = 2
    optional_arguments = 100
    option_spec: ClassVar = {"nodiagram": directives.flag}

    def run(self) -> list[nodes.Node]:
        module_name, *names = self.arguments
        module = importlib.import_module(module_name)
        self.env.note_dependency(inspect.getfile(module))
        shown = getattr(self.env, "daq2lh5_wire", {})
        self.env.daq2lh5_wire = shown
        result = []
        for name in names:
            struct = getattr(module, name)
            shown.setdefault(module_name, {}).setdefault(struct.name, set()).add(
                self.env.docname
            )
            result.append(self.title_of(struct))
            if says_more(struct) and "nodiagram" not in self.options:
                result.append(self.diagram_of(struct))
            result.append(self.table_of(struct))
        return result

    def title_of(self, struct: Struct) -> nodes.paragraph:
        """Return a line with the name, the size and the section of a struct."""
        (cited,) = citations(struct.section)
        label = label_of(cited.document, cited.item)
        anchor = nodes.make_id(f"wire-{struct.name}")
        title = nodes.paragraph(ids=[anchor])
        std = self.env.get_domain("std")
        std.labels[f"wire-{struct.name}"] = (self.env.docname, anchor, struct.name)
        std.anonlabels[f"wire-{struct.name}"] = (self.env.docname, anchor)
        title += literal(struct.name)
        size = f"{struct.size} bytes"
        if any(f.offset is None for f in struct.fields):
            size = f"{size}, then those that are present one behind the other"
        title += nodes.Text(f": {struct.description} ({size}; ")
        title += [reference(self.env, label, struct.section), nodes.Text(")")]
        return title

    def diagram_of(self, struct: Struct) -> nodes.raw:
        """Return the bit diagram of a struct; only HTML shows it."""
        style = "font-size: 0.8em; opacity: 0.75"
        caption = f'<figcaption style="{style}">{escape(caption_of(struct))}'
        figure = f'<figure class="bits" style="margin: 1rem 0">{draw(struct)}{caption}'
        return nodes.raw("", f"{figure}</figcaption></figure>", format="html")

    def table_of(self, struct: Struct) -> nodes.table:
        """Return the table of a struct."""
        rows = []
        for f in struct.fields:
            place = "next" if f.offset is None else str(f.offset)
            rows.append([place, type_of(f), "", [literal(f.name)], content_of(f, f)])
            for b in f.bits:
                high = b.low + b.width - 1
                bits = str(high) if b.width == 1 else f"{high} .. {b.low}"
                rows.append(["", "", bits, [literal(b.name)], content_of(b, f)])
        return self.make_table(
            ["byte", "type", "bits", "field", "content"], [8, 12, 12, 26, 42], rows
        )


def forget(_app: Sphinx, env: object, docname: str) -> None:
    """Forget the structs of a page that is read anew."""
    for structs in getattr(env, "daq2lh5_wire", {}).values():
        for pages in structs.values():
            pages.discard(docname)


def check(_app: Sphinx, env: object) -> None:
    """Warn of structs that no page shows."""
    for module_name, shown in getattr(env, "daq2lh5_wire", {}).items():
        for struct in importlib.import_module(module_name).STRUCTS:
            if not shown.get(struct.name):
                log.warning("no page shows %s of %s", struct.name, module_name)
            elif len(shown[struct.name]) > 1:
                log.warning("several pages show %s of %s", struct.name, module_name)


def setup(app: Sphinx) -> dict:
    app.add_directive("wire", Wire)
    app.connect("env-purge-doc", forget)
    app.connect("env-check-consistency", check)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
