"""Citations of the format documents (``docs/source/formats``).

Code, tests and pages cite a section of a format document as "ORCA format, 1.7 d", and
in a file that names the document also as "format 1.7 d" for short. One can cite

- a section, by its number: 4.3.3;
- an item "- **d.** ..." of a section: 1.7 d;
- a row of a table whose first cell is its name: 7.4, B12.

This module finds the items of a document, finds citations, and lists those that do not
resolve (:func:`check`; ``python docs/source/_ext/citations.py`` prints them). The
extension ``format_citations`` makes them links.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

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

FOLDERS = {**{name: name for name in DOCUMENTS.values()}, "fc": "fcio"}
"""The documents of folders of the code and of the tests."""

SEARCHED = ("daq2lh5", "docs/source", "tests", "tools", "benchmarks", "examples")
UNCHECKED = (
    "docs/source/_ext/citations.py",
    "tests/docs/test_citations.py",
    "benchmarks/README.md",
)
"""Files with examples of citations, or with figures in parentheses."""

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
    rf"\bformat document{SPACE}\"?(?:{'|'.join(DOCUMENTS)})\b"
    rf"|\b(?:{'|'.join(DOCUMENTS)}),? (?:sections? )?\d+\.\d"
    r"|\b[Ss]pecification, (?:section )?\d"
    # a number alone, in the text of a comment or docstring
    r"|(?<=[\w`)\"'] )\([1-9]\d?(?:\.\d{1,2}){1,2}(?: [a-h])?(?:(?:, | and | to )"
    r"\d{1,2}(?:\.\d{1,2})*)*\)(?=[\s.,:;\"])"
)
"""Forms of citations that do not name the document."""


class Citation(NamedTuple):
    """A citation: its position, its document (empty if unknown), and its item."""

    at: int
    document: str | None
    item: str


def items_of(text: str) -> set[str]:
    """Return the items of a document that can be cited."""
    found: set[str] = set()
    section = ""
    for line in text.splitlines():
        if match := re.match(r"#+ (\d+(?:\.\d+)*) ", line):
            section = match[1]
            found.add(section)
        elif match := re.match(r"- \*\*([a-h])\.\*\*", line):
            found.add(f"{section} {match[1]}")
        elif (match := re.match(r"\| ([^|]+?) \|", line)) and is_row(match[1], section):
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


def citations(text: str, folder: str = "") -> Iterator[Citation]:
    """Find the citations in a file.

    Short citations refer to the document of the folder, or else to the document that
    the file names first.
    """
    named = [DOCUMENTS[match[1]] for match in NAMED.finditer(text)]
    own = FOLDERS.get(folder)
    default = own if own in named else (named[0] if named and not own else None)
    for match in CITATION.finditer(text):
        document = DOCUMENTS[match[1]] if match[1] else default
        for item in split_items(match[2]):
            yield Citation(match.start(), document, item[0])


def problems_of(
    text: str, items: dict[str, set[str]], folder: str = ""
) -> Iterator[tuple[int, str]]:
    """Yield position and message of each wrong citation in a file."""
    for at, document, item in citations(text, folder):
        if document is None:
            yield at, f"section {item}: the file must name its format"
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
            if name in UNCHECKED:
                continue
            text = path.read_text("utf-8")
            parts = path.relative_to(root).parent.parts
            of_format = next(
                (p for p in reversed(parts) if p in FOLDERS), path.parent.name
            )
            found += [
                f"{name}:{text.count(chr(10), 0, at) + 1}: {message}"
                for at, message in problems_of(text, items, of_format)
            ]
    return found


if __name__ == "__main__":
    print(*(found := check()), sep="\n")
    sys.exit(bool(found))
