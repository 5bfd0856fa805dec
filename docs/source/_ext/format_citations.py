"""Citations of the format documents (``docs/source/formats``).

Code, tests and pages cite a section of a format document as "ORCA format, 1.7 d", and
in a file that names the document also as "format 1.7 d" for short. What can be cited:

- a section, by its number: 4.3.3;
- an item "- **d.** ..." of a section: 1.7 d;
- a row of a table whose first cell is its name: 7.4, B12.

This module knows what a document has, finds citations, and tells which do not resolve
(:func:`check`; ``python docs/source/_ext/format_citations.py`` prints them). As an
extension of Sphinx it gives each of these an anchor (the label of the one above is
``orca-1.7-d``), makes citations in pages and docstrings links, and warns of those that
do not resolve, so that the documentation is not built with them (``-W``).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from docutils import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[3]
FORMATS = "docs/source/formats"

DOCUMENTS = {
    "FCIO": "fcio",
    "ORCA": "orca",
    "CoMPASS": "compass",
    "llamaDAQ": "llama",
    "MGDO": "mgdo",
    "LH5": "lh5",
}
"""The formats by the names that citations use, and their documents."""

SEARCHED = ("daq2lh5", "docs/source", "tests", "tools", "benchmarks", "examples")
SUFFIXES = {".py", ".pyx", ".pxd", ".pxi", ".rst", ".md"}

SPACE = r"[\s#]+"  # a citation may go on in the next line of a comment
ITEM = r"""[A-Z]\d+|\d+(?:\.\d+)*(?: [a-h](?=[,.;:)\]"'`\n]|$| and | to ))?"""
CITATION = re.compile(
    rf"(?:\b({'|'.join(DOCUMENTS)}){SPACE}format,{SPACE}|\b[Ff]ormat{SPACE})"
    rf"((?:{ITEM})(?:(?:,{SPACE}and{SPACE}|,{SPACE}|{SPACE}(?:and|to){SPACE})"
    rf"(?:{ITEM})\b)*)"
)
NAMED = re.compile(rf"\b({'|'.join(DOCUMENTS)}){SPACE}format\b")

FORMER = re.compile(
    # another document is named in the same line, or just before
    r"(?<!RFC \d{4}, )(?<!HDF5 )"
    r"(?:\bformat document\b|\b[Ss]pecification, \d|\bFCIO \d\.\d"
    rf"|\b(?:{'|'.join(DOCUMENTS)}), \d"
    r"|(?<=[\s\"]) ?\(\d{1,2}(?:\.\d{1,2}){1,2}(?: [a-h])?(?:(?:, | and | to )"
    r"\d{1,2}(?:\.\d{1,2})*)*\)(?=[\s.,:;]))"
)
"""Forms of citations in which nobody sees what is cited."""


class Citation(NamedTuple):
    """A citation: where it begins, the document (or none), and what of it."""

    at: int
    document: str | None
    item: str


def items_of(text: str) -> set[str]:
    """Return what can be cited of a document."""
    found: set[str] = set()
    section = ""
    for line in text.splitlines():
        if match := re.match(r"#+ (\d+(?:\.\d+)*) ", line):
            section = match[1]
            found.add(section)
        elif match := re.match(r"- \*\*([a-h])\.\*\*", line):
            found.add(f"{section} {match[1]}")
        elif match := re.match(r"\| ([^|]+?) \|", line):
            if is_row(match[1], section):
                found.add(match[1])
    return found


def is_row(cell: str, section: str) -> bool:
    """Whether the first cell of a row is a name by which the row is cited."""
    return bool(
        re.fullmatch(r"[A-Z]\d+", cell)
        or re.fullmatch(rf"{re.escape(section)}\.\d+", cell)
    )


def label_of(document: str, item: str) -> str:
    """Return the label of the anchor: ``orca-1.7-d``."""
    return f"{document}-{item}".replace(" ", "-").lower()


def split_items(text: str) -> Iterator[re.Match[str]]:
    """Find the items of a citation like "1.2, 2.3 and B12"."""
    return re.finditer(ITEM, text)


def citations(text: str) -> Iterator[Citation]:
    """Find the citations in a file; the short ones are of the document it names first."""
    named = NAMED.search(text)
    default = DOCUMENTS[named[1]] if named else None
    for match in CITATION.finditer(text):
        document = DOCUMENTS[match[1]] if match[1] else default
        for item in split_items(match[2]):
            yield Citation(match.start(), document, item[0])


def problems_of(
    text: str, items: dict[str, set[str]], folder: str = ""
) -> Iterator[tuple[int, str]]:
    """Tell what is wrong with the citations in a file: position and message."""
    for at, document, item in citations(text):
        if document is None:
            yield at, f"section {item} of a format that the file does not name"
        elif item not in items[document]:
            yield at, f"{FORMATS}/{document}.md has no {item}"
    # the documents themselves name their own sections by the number alone
    for match in FORMER.finditer(text) if folder != "formats" else ():
        message = "write this citation as 'ORCA format, 1.7 d' or 'format 1.7 d': "
        yield match.start(), message + match[0].strip()


def check(root: Path = ROOT) -> list[str]:
    """Return the citations in the repository that do not resolve."""
    items = {
        name: items_of((root / FORMATS / f"{name}.md").read_text("utf-8"))
        for name in DOCUMENTS.values()
    }
    found = []
    for folder in SEARCHED:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES or "__pycache__" in path.parts:
                continue
            name = path.relative_to(root).as_posix()
            if path == Path(__file__).resolve():
                continue
            text = path.read_text("utf-8")
            found += [
                f"{name}:{text.count(chr(10), 0, at) + 1}: {message}"
                for at, message in problems_of(text, items, path.parent.name)
            ]
    return found


# --- Sphinx --------------------------------------------------------------------------


def reference(env: object, label: str, text: str) -> nodes.Element:
    """Return a link to a label."""
    from sphinx.addnodes import pending_xref  # noqa: PLC0415  (check() goes without)

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
            for item in split_items(match[2]):
                begin = (
                    match.start(2) + item.start()
                    if new and at > match.start()
                    else (match.start())
                )
                end = match.start(2) + item.end()
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
    from sphinx.util import logging  # noqa: PLC0415

    for problem in check():
        logging.getLogger(__name__).warning("%s", problem)


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", warn)
    app.connect("doctree-read", on_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    print(*(found := check()), sep="\n")
    sys.exit(bool(found))
