"""The architecture page: every path and name is there, diagrams can be drawn."""

import importlib.util
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "docs/source/_ext/architecture.py"
if not MODULE.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)


@pytest.fixture(scope="module")
def architecture():
    spec = importlib.util.spec_from_file_location("architecture", MODULE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["architecture"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["architecture"]


@pytest.fixture(scope="module")
def page(architecture):
    return (ROOT / architecture.PAGE).read_text("utf-8")


def test_every_path_and_name_is_there(architecture):
    assert architecture.check(ROOT) == []


def test_the_questions_are_answered_once(architecture, page):
    """Those that a newcomer has first are among them, each with one path."""
    questions = [place.question for place in architecture.places_of(page)]
    assert len(questions) == len(set(questions))
    for asked in (
        "the frame header parsed (FCIO)",
        "``runtime`` computed",
        "a bad trace index found",
        "``{key:07d}`` made a table",
        "a chunk compressed",
        "the finished file renamed",
    ):
        assert any(question.startswith(asked) for question in questions), asked
    # no row of a table has another form, which would not be checked
    heads = page.count("* - where is\n")
    assert len(questions) == page.count("   * - ") - heads


def test_readme_leads_to_the_page(architecture):
    assert architecture.PAGE in (ROOT / "README.md").read_text("utf-8")


def test_layers_are_those_of_the_contract(architecture):
    """All modules at the top of the package, each with a first line on what it is."""
    layers = architecture.layers_of((ROOT / architecture.CONTRACT).read_text("utf-8"))
    modules = [module for layer in layers for module in layer]
    package = ROOT / "daq2lh5"
    found = {path.stem for path in package.glob("*.py")} - {"__init__"}
    found |= {path.parent.name for path in package.glob("*/__init__.py")}
    assert sorted(modules) == sorted(found)
    for module in modules:
        path = architecture.file_of(module)
        assert architecture.first_sentence(path), module


DIAGRAM = """
[first]
a :: daq2lh5/a.py
  > b
  > c :: daq2lh5/c.py
  | goes
  | down
[second]
d
"""


def test_a_diagram_is_read(architecture):
    first, second = architecture.parse_diagram(DIAGRAM)
    (step,) = first.steps
    assert first.title == "first"
    assert step.box == ("a", "daq2lh5/a.py")
    assert step.beside == [("b", ""), ("c", "daq2lh5/c.py")]
    assert step.arrow == ["goes", "down"]
    assert second.steps[0].box == ("d", "")


def test_diagrams_are_drawn(architecture, page):
    """With all their texts; nothing lies outside of the picture."""
    texts = architecture.diagrams_of(page)
    assert len(texts) == 2
    for text in texts:
        groups = architecture.parse_diagram(text)
        svg = ET.fromstring(architecture.draw(groups))
        name = "{http://www.w3.org/2000/svg}"
        written = [node.text for node in svg.iter(f"{name}text")]
        for group in groups:
            assert group.title in written
            for step in group.steps:
                for box in (step.box, *step.beside):
                    assert box.name in written
                    assert not box.path or box.path in written
        width, height = map(int, svg.attrib["viewBox"].split()[2:])
        for box in svg.iter(f"{name}rect"):
            x, y, w, h = (int(box.attrib[k]) for k in ("x", "y", "width", "height"))
            assert x >= 0
            assert y >= 0
            assert x + w <= width
            assert y + h <= height


@pytest.mark.parametrize("text", ["a :: b", "  | down", "[x]\n  > beside", "[x]\n| a"])
def test_a_diagram_that_makes_no_sense_is_refused(text, architecture):
    with pytest.raises(ValueError, match="must follow the box it belongs to"):
        architecture.parse_diagram(text)


def test_a_text_that_does_not_fit_is_refused(architecture):
    groups = architecture.parse_diagram(f"[x]\n{'long ' * 20}")
    with pytest.raises(ValueError, match="too long"):
        architecture.draw(groups)


@pytest.mark.parametrize(
    ("source", "name", "there"),
    [
        ("def f(x):", "f", True),
        ("cdef inline bint f(\n    int x,", "f", True),
        ("cdef class C(B):\n    def m(self):", "C.m", True),
        ("    cdef Status m(self, int x) noexcept nogil:", "m", True),
        ("NAMES: dict[str, int] = {", "NAMES", True),
        ("NAMES = (", "NAMES", True),
        ("y = f(1)", "f", False),
        ("cdef int y = f(1)", "f", False),
        ("call(\n    f=1)", "f", False),
        ("class C:\n    pass", "C.m", False),
        ("def fit(x):", "f", False),
    ],
)
def test_definitions_are_found(source, name, there, architecture):
    assert architecture.defines(source, name) == there
