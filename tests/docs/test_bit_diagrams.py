"""Bit diagrams of wire structs: each bit is in one box, and names fit their boxes."""

import importlib
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from daq2lh5._core.wire import Bits, Field, Struct

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/source/_ext"
if not FOLDER.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "daq2lh5").rglob("wire.py")
    if path.parent.name != "_core"
)
STRUCTS = [s for module in MODULES for s in importlib.import_module(module).STRUCTS]

MIXED = Struct(
    "mixed",
    "what no declared struct has: an unaligned array, bits across rows, long gaps",
    "X format, 1",
    29,
    (
        Field(2, "u16", "shorts", count=5),
        Field(15, "u32", "packed", bits=(Bits(20, 12, "high"), Bits(1, 17, "low"))),
        Field(None, "u16", "extra", when="more", bits=(Bits(3, 4, "part"),)),
    ),
    ("more",),
)

each_struct = pytest.mark.parametrize("s", [*STRUCTS, MIXED], ids=lambda s: s.name)


@pytest.fixture(scope="module")
def layout():
    yield from imported("bit_layout")


@pytest.fixture(scope="module")
def diagrams(layout):
    yield from imported("bit_diagrams")


def imported(name):
    """Yield a module of the extensions, and forget it then."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))
        del sys.modules[name]


def declared(fields, size):
    """Return the name of each bit by byte and number in it; None if it is unused."""
    bits = {(byte, bit): None for byte in range(size) for bit in range(8)}
    for f, start in fields:
        order = "big" if f.type.startswith("be_") else "little"
        for part in f.bits or [f]:
            mask = (1 << 8 * f.size) - 1
            if f.bits:
                mask = ((1 << part.width) - 1) << part.low
            for byte, value in enumerate(mask.to_bytes(f.size, order), start):
                for bit in range(8):
                    if value >> bit & 1:
                        bits[byte, bit] = part.name
    return bits


def drawn(rows, is_big):
    """Return the same of the rows of a diagram; a bit must be in one box only."""
    bits = {}
    for row in rows:
        assert row.n_rows == 1 or [box.columns for box in row.boxes] == [32]
        for start in range(row.byte, row.byte + 4 * row.n_rows, 4):
            for box in row.boxes:
                for column in range(box.low, box.high + 1):
                    byte, bit = divmod(column, 8)
                    at = start + (3 - byte if is_big else byte), bit
                    assert at not in bits
                    bits[at] = box.part
    return bits


def names(parts):
    """Return the names without counts, values and conditions; None for gaps."""
    return {
        at: None
        if part.kind == "unused" or part.name == "first word of the packet"
        else part.name.split(",")[0].split(" = ")[0].split("[")[0]
        for at, part in parts.items()
    }


@each_struct
def test_each_bit_is_in_one_box(layout, s):
    rows, big = layout.rows_of(s), layout.is_big(s)
    fixed = [(f, f.offset) for f in s.fields if f.offset is not None]
    assert names(drawn([r for r in rows if not r.field], big)) == declared(
        fixed, s.size
    )
    for f in s.fields:
        if f.offset is None:
            own = drawn([r for r in rows if r.field == f.name], big)
            assert names(own) == declared([(f, 0)], f.size)
            assert {part.kind for part in own.values()} <= {"optional", "unused"}


@each_struct
def test_a_split_number_tells_its_bits(layout, s):
    """The ranges of its boxes are all bits of the field, each of them once."""
    found = {}
    for row in layout.rows_of(s):
        for box in row.boxes:
            _, split, numbers = box.label.rpartition(", bits ")
            if split:
                high, low = map(int, numbers.split(" .. "))
                assert high - low + 1 == box.columns
                found.setdefault(box.part, []).extend(range(low, high + 1))
    for part, bits in found.items():
        first = part.low or 0
        assert sorted(bits) == list(range(first, first + part.stop - part.start))


@each_struct
def test_labels_fit(diagrams, s):
    """Each name is whole, inside the drawing, and not wider than its box."""
    drawing = ET.fromstring(diagrams.draw(s))
    _, _, width, height = map(float, drawing.attrib["viewBox"].split())
    texts = list(drawing.iter("{http://www.w3.org/2000/svg}text"))
    for text in texts:
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height
    shown = "".join("".join(t.text for t in texts).split())
    for row in diagrams.rows_of(s):
        cells = diagrams.WIDTH / 32
        for box in row.boxes:
            lines, upwards = diagrams.fit(box.label, cells * box.columns)
            if upwards and box.part.kind == "unused":
                continue
            room = diagrams._height(row, cells) if upwards else cells * box.columns
            assert max(map(len, lines)) * diagrams.CHARACTER <= room
            assert "".join(box.label.split()) in shown
    assert s.name in drawing.attrib["aria-label"]


def test_caption_tells_the_order_of_bytes(diagrams):
    by_name = {s.name: s for s in STRUCTS}
    little = diagrams.caption_of(by_name["compass_head"])
    assert "little-endian" in little
    assert "on the right" in little
    assert "if they are present" in little
    big = diagrams.caption_of(by_name["root_version"])
    assert "big-endian" in big
    assert "on the left" in big


def test_arrays_are_one_box_with_an_ellipsis(layout, diagrams):
    (card,) = [s for s in STRUCTS if s.name == "fcio_card"]
    (row,) = [r for r in layout.rows_of(card) if "linkstates" in r.boxes[0].label]
    assert row.boxes[0].label == "linkstates[256]"
    assert row.n_rows == 256
    assert "<circle" in diagrams.draw(card)
