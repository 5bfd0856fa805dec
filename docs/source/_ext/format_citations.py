"""Anchors in the format documents, and links to them from where they are cited.

Each section, item and row of a format document that can be cited (see `citations`)
gets an anchor: the anchor of "ORCA format, 1.7 d" is ``orca-1-7-d``, its label
``orca-1.7-d``. Citations in pages and docstrings become links. A citation in the
repository that does not resolve is a warning, which fails the build (``-W``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from citations import (
    CITATION,
    DOCUMENTS,
    check,
    is_row,
    items_of,
    label_of,
    split_items,
)
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

log = logging.getLogger(__name__)


def reference(env: object, label: str, text: str) -> nodes.Element:
    """Return a link to a label."""
    return pending_xref(
        "",
        nodes.inline(text, text, classes=["std", "std-ref"]),
        refdomain="std",
        reftype="ref",
        reftarget=label,
        refexplicit=True,
        refwarn=True,
        refdoc=env.docname,
    )


def add_anchors(env: object, tree: nodes.document) -> None:
    """Give sections, items and rows of a format document their anchors."""
    document = env.docname.rpartition("/")[2]
    std = env.get_domain("std")
    found = set()

    def add(item: str, node: nodes.Element, title: str) -> None:
        label = label_of(document, item)
        if item not in found:
            found.add(item)
            anchor = label.replace(".", "-")
            node["ids"].append(anchor)
            std.labels[label] = (env.docname, anchor, title)
            # those of references that have a text of their own
            std.anonlabels[label] = (env.docname, anchor)

    for node in tree.findall(nodes.section):
        title = node[0].astext()
        match = re.match(r"(\d+(?:\.\d+)*) ", title)
        if not match:
            continue
        add(match[1], node, title)
        for child in [n for n in node if not isinstance(n, nodes.section)]:
            for item in child.findall(nodes.list_item):
                if letter := re.match(r"([a-h])\. ", item.astext()):
                    add(f"{match[1]} {letter[1]}", item, f"{match[1]} {letter[1]}")
            for row in child.findall(nodes.row):
                if is_row(row[0].astext(), match[1]):
                    add(row[0].astext(), row[0], row[0].astext())
    wanted = items_of(Path(env.doc2path(env.docname)).read_text("utf-8"))
    if found != wanted:
        msg = f"{env.docname}: anchors and items differ: {sorted(found ^ wanted)}"
        raise RuntimeError(msg)


def link_citations(env: object, tree: nodes.document) -> None:
    """Make the citations in a page links."""
    without = (nodes.literal, nodes.literal_block, nodes.title, nodes.reference)
    for text in list(tree.findall(nodes.Text)):
        parent = text.parent
        if isinstance(parent, without) or parent.tagname == "pending_xref":
            continue
        content, at, new = str(text), 0, []
        for match in CITATION.finditer(content):
            if match[1] is None:
                continue
            begin = match.start()
            for item in split_items(match[2]):
                first, end = match.start(2) + item.start(), match.start(2) + item.end()
                # the name of the document belongs to the link of the first item
                begin = first if at > begin else begin
                label = label_of(DOCUMENTS[match[1]], item[0])
                new += [
                    nodes.Text(content[at:begin]),
                    reference(env, label, content[begin:end]),
                ]
                at = end
        if new:
            parent.replace(text, [*new, nodes.Text(content[at:])])


def on_page(app: Sphinx, tree: nodes.document) -> None:
    """Handle a page that was read."""
    if app.env.docname.startswith("formats/"):
        add_anchors(app.env, tree)
    link_citations(app.env, tree)


def warn(_app: Sphinx) -> None:
    """Warn of citations that do not resolve."""
    for problem in check():
        log.warning("%s", problem)


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", warn)
    app.connect("doctree-read", on_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
