"""The architecture page: layers from ``architecture.toml``, and diagrams drawn.

``layers``
    the layers, and the purpose of each module from the first line of its docstring:
    ``.. layers::``.
code blocks with the class ``flow``
    diagrams, see :func:`architecture.parse_diagram`. HTML shows them as SVG; other
    formats, and the page as text, keep the source.

A name that the repository lacks is a warning, which fails the build of the
documentation (``-W``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from architecture import (
    CONTRACT,
    ROOT,
    check,
    draw,
    file_of,
    first_sentence,
    layers_of,
    parse_diagram,
)
from daq2lh5_tables import TableDirective, literal
from docutils import nodes
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

log = logging.getLogger(__name__)


class Layers(TableDirective):
    """The layers, the highest first."""

    def run(self) -> list[nodes.Node]:
        contract = ROOT / CONTRACT
        self.env.note_dependency(str(contract))
        rows = []
        for layer in layers_of(contract.read_text("utf-8")):
            names: list[nodes.Node] = []
            purposes: list[nodes.Node] = []
            for module in layer:
                path = file_of(module)
                self.env.note_dependency(str(path))
                text = first_sentence(path)
                if not text:
                    log.warning("%s: module %s has no docstring", CONTRACT, module)
                folder = path.name == "__init__.py"
                names += [nodes.Text(", ")] if names else []
                names.append(literal(f"{module}/" if folder else f"{module}.py"))
                purposes += [nodes.Text(" ")] if purposes else []
                if len(layer) > 1:
                    purposes += [literal(module), nodes.Text(": ")]
                purposes += self.parse_inline(text)[0]
            rows.append([names, purposes])
        return [self.make_table(["layer", "is"], [32, 68], rows)]


def draw_diagrams(app: Sphinx, tree: nodes.document, _docname: str) -> None:
    """Replace the diagrams of a page by drawings."""
    for block in list(tree.findall(nodes.literal_block)):
        if "flow" not in block["classes"]:
            continue
        try:
            drawing = draw(parse_diagram(block.rawsource))
        except ValueError as e:
            log.warning("%s", e, location=block)
            continue
        if app.builder.format == "html":
            html = f'<div class="flow">{drawing}</div>'
            block.replace_self(nodes.raw("", html, format="html"))


def warn(_app: Sphinx) -> None:
    """Warn of names that the repository lacks."""
    for problem in check():
        log.warning("%s", problem)


def setup(app: Sphinx) -> dict:
    app.add_directive("layers", Layers)
    app.connect("builder-inited", warn)
    app.connect("doctree-resolved", draw_diagrams)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
