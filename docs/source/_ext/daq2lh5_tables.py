"""Tables made from the package itself when the documentation is built.

``columns``
    an output table, from its column declaration: ``.. columns:: MODULE NAME``. The
    text under "from" links to a section of the format document; a column without a
    link is a warning, and so is a table of the module's ``TABLES`` that no page shows.
``garbage-codes``
    the reasons that a kernel gives for damage: ``.. garbage-codes:: MODULE``.
``irregularities``
    violations of rules that a kernel accepts: ``.. irregularities:: MODULE``.
``formats``
    the formats, with their decoders.
``format-options``
    the options of a format: ``.. format-options:: NAME``.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

from citations import NAMED, citations, label_of
from docutils import nodes
from format_citations import reference
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from daq2lh5.formats import FORMATS, find

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from daq2lh5.buffers.declaration import Column, Table

log = logging.getLogger(__name__)

DATATYPES = {
    "scalar": "",
    "vector": "list",
    "fixed": "{length} values",
    "waveform": "waveform",
}


def literal(text: str) -> nodes.literal:
    return nodes.literal(text, text)


class TableDirective(SphinxDirective):
    """Base of directives that make a table."""

    def make_table(
        self, heads: list[str], widths: list[int], rows: list[list]
    ) -> nodes.table:
        """Return a table; a cell is a string or a list of inline nodes."""
        table = nodes.table()
        group = nodes.tgroup(cols=len(heads))
        table += group
        group += [nodes.colspec(colwidth=width) for width in widths]
        head, body = nodes.thead(), nodes.tbody()
        group += [head, body]
        head += self.make_row(heads)
        body += [self.make_row(row) for row in rows]
        return table

    @staticmethod
    def make_row(cells: list) -> nodes.row:
        row = nodes.row()
        for cell in cells:
            paragraph = nodes.paragraph()
            paragraph += nodes.Text(cell) if isinstance(cell, str) else cell
            row += nodes.entry("", paragraph)
        return row


class Columns(TableDirective):
    """An output table."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        module_name, name = self.arguments
        module = importlib.import_module(module_name)
        self.env.note_dependency(inspect.getfile(module))
        table = getattr(module, name)
        shown = getattr(self.env, "daq2lh5_shown", {})
        self.env.daq2lh5_shown = shown
        shown.setdefault(module_name, {})[table.name] = self.env.docname
        rows = []
        for column in table.columns:
            shape = DATATYPES[column.kind].format(length=column.length)
            dtype = column.dtype + (f", {shape}" if shape else "")
            rows.append(
                [
                    [literal(column.name)],
                    dtype,
                    column.units or "",
                    column.description,
                    self.source_of(column, table),
                ]
            )
        heads = ["column", "type", "unit", "content", "from"]
        description = nodes.paragraph("", table.description)
        return [description, self.make_table(heads, [22, 18, 6, 36, 18], rows)]

    def source_of(self, column: Column, table: Table) -> str | nodes.Element:
        """Return the source of a column, with a link to the format document.

        A citation in the source becomes a link; without a citation the whole source
        links to the section of the table.
        """
        if NAMED.search(column.source):
            return column.source
        if not table.section:
            log.warning("table %s, column %s: no section", table.name, column.name)
            return column.source
        (cited,) = citations(table.section)
        label = label_of(cited.document, cited.item)
        return reference(self.env, label, column.source or table.section)


class GarbageCodes(TableDirective):
    """The reason codes of a kernel."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        reasons = importlib.import_module(self.arguments[0]).REASONS
        rows = [[[literal(str(int(c)))], text] for c, text in sorted(reasons.items())]
        return [self.make_table(["code", "reason"], [10, 90], rows)]


class Irregularities(TableDirective):
    """Rules whose violations a kernel counts as irregular."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        texts = importlib.import_module(self.arguments[0]).IRREGULARITIES
        items = nodes.bullet_list()
        items += [nodes.list_item("", nodes.paragraph("", text)) for text in texts]
        return [items]


class Formats(TableDirective):
    """The formats."""

    def run(self) -> list[nodes.Node]:
        rows = []
        for format_ in FORMATS:
            decoders: list[nodes.Node] = []
            for decoder in format_.decoders:
                decoders += [nodes.Text(", ")] if decoders else []
                decoders.append(literal(decoder))
            rows.append(
                [
                    [literal(format_.name)],
                    format_.description,
                    ", ".join(f".{e}" for e in format_.extensions),
                    decoders,
                ]
            )
        heads = ["name", "written by", "extensions", "decoders"]
        return [self.make_table(heads, [12, 28, 14, 46], rows)]


class FormatOptions(TableDirective):
    """The options of a format."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        rows = [
            [[literal(option.name)], option.kind, option.text]
            for option in find(self.arguments[0]).options
        ]
        return [self.make_table(["option", "value", "content"], [30, 20, 50], rows)]


def forget(_app: Sphinx, env: object, docname: str) -> None:
    """Forget the tables of a page that is read anew."""
    for tables in getattr(env, "daq2lh5_shown", {}).values():
        for name in [n for n, page in tables.items() if page == docname]:
            del tables[name]


def check(_app: Sphinx, env: object) -> None:
    """Warn of tables that no page shows."""
    for module_name, shown in getattr(env, "daq2lh5_shown", {}).items():
        for table in importlib.import_module(module_name).TABLES:
            if table.name not in shown:
                log.warning("no page shows table %s of %s", table.name, module_name)


def setup(app: Sphinx) -> dict:
    app.add_directive("columns", Columns)
    app.add_directive("garbage-codes", GarbageCodes)
    app.add_directive("irregularities", Irregularities)
    app.add_directive("formats", Formats)
    app.add_directive("format-options", FormatOptions)
    app.connect("env-purge-doc", forget)
    app.connect("env-check-consistency", check)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
