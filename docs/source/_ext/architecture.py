"""Content of the architecture page, and its check against the repository.

This module reads

- the layers in ``architecture.toml`` (:func:`layers_of`);
- the diagrams, which are text in the page (:func:`parse_diagram`) and drawn as SVG
  (:func:`draw`);
- the paths and names in the tables "Where is ..." (:func:`places_of`).

:func:`check` lists paths and names that the repository lacks; ``python
docs/source/_ext/architecture.py`` prints them. The extension ``architecture_page``
puts layers and diagrams in the page.
"""

from __future__ import annotations

import ast
import re
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PAGE = "docs/source/architecture.rst"
CONTRACT = "architecture.toml"


# ---- layers ----------------------------------------------------------------------


def layers_of(text: str) -> list[list[str]]:
    """Return the modules of each layer of the contract, the highest first."""
    listed = re.search(r"^layers = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    entries = re.findall(r'^\s*"(.*)",$', listed[1], re.MULTILINE)
    return [re.split(r" [|:] ", entry) for entry in entries]


def file_of(module: str, root: Path = ROOT) -> Path:
    """Return the source of a module or folder of the package."""
    package = root / "daq2lh5"
    folder = package / module / "__init__.py"
    return folder if folder.exists() else package / f"{module}.py"


def first_sentence(path: Path) -> str:
    """Return the first paragraph of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.partition("\n\n")[0].replace("\n", " ")


# ---- diagrams --------------------------------------------------------------------


class Box(NamedTuple):
    """A box of a diagram: its text, and the file that implements it."""

    name: str
    path: str


class Step(NamedTuple):
    """A box of the main path, the boxes beside it, and the text of its arrow."""

    box: Box
    beside: list[Box]
    arrow: list[str]


class Group(NamedTuple):
    """Steps that belong together, with a title."""

    title: str
    steps: list[Step]


def _box(text: str) -> Box:
    name, _, path = text.partition(" :: ")
    return Box(name.strip(), path.strip())


def parse_diagram(text: str) -> list[Group]:
    """Read a diagram.

    ::

        [title of a group]
        name :: path/of/the/file.py
          > beside it :: path/of/another.py
          | what goes down to the next box

    The path may be missing. Several lines with ``|`` are one text.
    """
    groups: list[Group] = []
    for number, line in enumerate(text.splitlines(), 1):
        mark = line.strip()[:1]
        rest = line.strip()[1:].strip()
        if not mark:
            continue
        if mark == "[" and rest.endswith("]"):
            groups.append(Group(rest[:-1], []))
        elif not groups or (mark in ">|" and not groups[-1].steps):
            msg = f"line {number} of the diagram must follow the box it belongs to"
            raise ValueError(msg)
        elif mark == ">":
            groups[-1].steps[-1].beside.append(_box(rest))
        elif mark == "|":
            groups[-1].steps[-1].arrow.append(rest)
        else:
            groups[-1].steps.append(Step(_box(line), [], []))
    return groups


WIDTH = 720
MAIN = (16, 330)  # left edge and width of the boxes in the way
BESIDE = (396, 308)
LINE = 16
PAD = 9
GAP = 12  # between boxes one above the other
# average widths of characters, rather too large
NAME_WIDTH, PATH_WIDTH = 7.0, 6.7


def _height(boxes: list[Box]) -> int:
    """Return the height of boxes one above the other."""
    lines = sum(2 if box.path else 1 for box in boxes)
    return len(boxes) * 2 * PAD + lines * LINE + GAP * max(len(boxes) - 1, 0)


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


def _line(x1: int, y1: int, x2: int, y2: int, head: bool = True) -> str:
    end = ' marker-end="url(#daq2lh5-arrow)"' if head else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="currentColor"{end}/>'


def _draw_box(box: Box, left: int, width: int, top: int) -> Iterator[str]:
    if max(len(box.name) * NAME_WIDTH, len(box.path) * PATH_WIDTH) > width - 12:
        msg = f"the text of the box '{box.name}' is too long for a diagram"
        raise ValueError(msg)
    yield (
        f'<rect x="{left}" y="{top}" width="{width}" height="{_height([box])}" rx="5" '
        'fill="none" stroke="currentColor"/>'
    )
    middle = left + width // 2
    style = 'text-anchor="middle" font-size="14"'
    yield _text(middle, top + PAD + 12, box.name, style)
    if box.path:
        style = 'text-anchor="middle" font-size="11" font-family="monospace"'
        yield _text(middle, top + PAD + LINE + 11, box.path, style)


def _draw_step(step: Step, top: int) -> Iterator[str]:
    """Draw a box, and the boxes beside it with arrows from it."""
    left, width = MAIN
    yield from _draw_box(step.box, left, width, top)
    start = top + _height([step.box]) // 2
    fork = (left + width + BESIDE[0]) // 2
    y = top
    for box in step.beside:
        yield from _draw_box(box, *BESIDE, y)
        middle = y + _height([box]) // 2
        yield _line(left + width, start, fork, start, head=False)
        yield _line(fork, start, fork, middle, head=False)
        yield _line(fork, middle, BESIDE[0] - 2, middle)
        y += _height([box]) + GAP


def _draw_arrow(step: Step, top: int, end: int, text_at: int) -> Iterator[str]:
    """Draw the arrow from a box, which is at `top`, down to the next one."""
    x = MAIN[0] + MAIN[1] // 2
    yield _line(x, top + _height([step.box]), x, end - 2)
    for i, text in enumerate(step.arrow):
        style = 'font-size="13" font-style="italic"'
        yield _text(x + 10, text_at + 16 + i * LINE, text, style)


def draw(groups: list[Group]) -> str:
    """Return a diagram as SVG, in the colour of the text around it."""
    out: list[str] = []
    y = 0  # height of the drawing so far
    before: tuple[Step, int] | None = None
    for group in groups:
        gap = y
        if before is not None:
            # what the arrow carries stands between the groups
            y += LINE * len(before[0].arrow) + GAP
        begin = y
        y += LINE + PAD
        for step in group.steps:
            if before is not None:
                upper, top = before
                if step is not group.steps[0]:
                    gap = top + _height([upper.box])
                    y = max(y, gap + LINE * len(upper.arrow) + 14)
                out += _draw_arrow(upper, top, y, gap)
            out += _draw_step(step, y)
            before = (step, y)
            y += max(_height([step.box]), _height(step.beside)) + GAP
        style = 'text-anchor="end" font-size="12" font-weight="bold"'
        out.append(_text(WIDTH - 10, begin + LINE, group.title, style))
        out.append(
            f'<rect x="0" y="{begin}" width="{WIDTH}" height="{y - begin}" rx="8" '
            'fill="currentColor" fill-opacity="0.06"/>'
        )
    names = [step.box.name for group in groups for step in group.steps]
    return (
        f'<svg viewBox="0 0 {WIDTH} {y}" style="max-width: {WIDTH}px; width: 100%" '
        'xmlns="http://www.w3.org/2000/svg" role="img" fill="currentColor" '
        f'font-family="sans-serif" aria-label="{escape(", then ".join(names))}">'
        '<defs><marker id="daq2lh5-arrow" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker></defs>'
        + "".join(out)
        + "</svg>"
    )


def diagrams_of(page: str) -> list[str]:
    """Return the texts of the diagrams in a page."""
    found = re.findall(
        r"^\.\. code-block:: text\n   :class: flow\n\n((?:(?:   .*)?\n)+)",
        page,
        re.MULTILINE,
    )
    return [re.sub(r"^   ", "", text, flags=re.MULTILINE) for text in found]


# ---- where things are --------------------------------------------------------------


class Place(NamedTuple):
    """An answer to "Where is ...": a file, and a name in it."""

    question: str
    path: str
    name: str


def places_of(page: str) -> list[Place]:
    """Return the rows of the tables "Where is ..."."""
    row = r"   \* - ((?:.|\n)*?)\n     - ``(\S+?)``\n     - ``(\S+?)``\n"
    return [
        Place(re.sub(r"\s+", " ", question), path, name)
        for question, path, name in re.findall(row, page)
    ]


def defines(source: str, name: str) -> bool:
    """Whether a source in Python or Cython defines a name, or ``Class.method``."""
    for part in name.split("."):
        n = re.escape(part)
        if not re.search(
            rf"^\s*(?:cdef|cpdef|def|class)\b[^(=\n]*\b{n}\b\s*(?:[(:]|$)"
            rf"|^\s*{n}(?:: [^=\n]+)? = ",
            source,
            re.MULTILINE,
        ):
            return False
    return True


def check(root: Path = ROOT) -> list[str]:
    """Return a message for each name on the page that the repository lacks."""
    page = (root / PAGE).read_text("utf-8")
    problems = []
    for place in places_of(page):
        path = root / place.path
        if not path.is_file():
            problems.append(f"{place.question}: there is no {place.path}")
        elif not defines(path.read_text("utf-8"), place.name):
            problems.append(f"{place.question}: {place.path} has no {place.name}")
    for text in diagrams_of(page):
        for group in parse_diagram(text):
            for step in group.steps:
                for box in (step.box, *step.beside):
                    if box.path and not (root / box.path).exists():
                        problems.append(f"diagram: there is no {box.path}")
    for layer in layers_of((root / CONTRACT).read_text("utf-8")):
        for module in layer:
            if not file_of(module, root).is_file():
                problems.append(f"{CONTRACT}: there is no module {module}")
    return problems


if __name__ == "__main__":
    print(*(found := check()), sep="\n")
    sys.exit(bool(found))
