"""Citations of the format documents: what is found, and that all in here resolve."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "docs/source/_ext/citations.py"
if not MODULE.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)


@pytest.fixture(scope="module")
def citations():
    spec = importlib.util.spec_from_file_location("citations", MODULE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["citations"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["citations"]


def test_every_citation_resolves(citations):
    assert citations.check(ROOT) == []


DOCUMENT = """
## 1 Framing
### 1.7 Damage
- **a.** One.
- **d.** Two.
## 7 Bad input
| # | input |
|---|---|
| 7.4 | zeros |
| 9.1 | a row that is cited by nobody |
## 8 Bugs
| B12 | ring |
"""


def test_sections_items_and_rows_can_be_cited(citations):
    found = citations.items_of(DOCUMENT)
    assert found == {"1", "1.7", "1.7 a", "1.7 d", "7", "7.4", "8", "B12"}


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("(ORCA format, 1.7 d)", ["1.7 d"]),
        ("as ORCA format, 1.7 says", ["1.7"]),
        ("ORCA format, 1, 1.7 and B12.", ["1", "1.7", "B12"]),
        ("ORCA format, 1.7 a packet", ["1.7"]),
        ("# see the ORCA\n# format, 7.4: it", ["7.4"]),
        ("the ORCA format has it (format 7.4)", ["7.4"]),
        ("format bit 0, format_bits 3, the format of 8 bytes", []),
    ],
)
def test_citations_are_found(text, items, citations):
    found = list(citations.citations(text))
    assert [c.item for c in found] == items
    assert {c.document for c in found} <= {"orca"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ORCA format, 1.8", "orca.md has no 1.8"),
        ("ORCA format, 1.7 b", "orca.md has no 1.7 b"),
        ("ORCA format, B13", "orca.md has no B13"),
        ("format 1.7", "the file must name its format"),
        ("the FCIO format; format 1.7", "the file must name its format"),
        ("Whether it fits (1.7 d).", "write this citation as"),
        ("(ORCA, 1.7)", "write this citation as"),
        ("ORCA, section 1.7", "write this citation as"),
        ('the format document "ORCA"', "write this citation as"),
    ],
)
def test_what_does_not_resolve_is_told(text, message, citations):
    items = dict.fromkeys(citations.DOCUMENTS.values(), citations.items_of(DOCUMENT))
    problems = [text for _, text in citations.problems_of(text, items, "orca")]
    assert len(problems) == 1
    assert message in problems[0]


@pytest.mark.parametrize(
    "text",
    [
        "ORCA format, 1.7 d and B12; format 7.4",
        "RFC 1951, 3.2.7 (RFC 1951, 3.2.7)",
        "f(1.5) and (0.3, 1)",
        "lh5 (0.3.0)",
    ],
)
def test_what_resolves_is_no_problem(text, citations):
    items = dict.fromkeys(citations.DOCUMENTS.values(), citations.items_of(DOCUMENT))
    assert list(citations.problems_of(text, items, "orca")) == []
