"""Bit diagrams of wire structs as SVG; ``bit_layout`` gives each part its place."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from bit_layout import is_big, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bit_layout import Box, Row

    from daq2lh5._core.wire import Struct

LEFT, WIDTH = 34, 704  # of the offsets, and of the bits
TOP = 34  # height of the ruler
LINE = 15
CHARACTER = 7.3  # width, rather too large
MARGIN = 3
NUMBERS = 9  # additional height of a box with numbers of bits
SMALL = 'font-size="10" opacity="0.65"'


def fit(label: str, width: float) -> tuple[list[str], bool]:
    """Return the lines of a label in a box, and whether they run upwards."""
    breaks = [i + 1 for i, c in enumerate(label) if c in "_ "]
    forms = [[label[:i].rstrip(), label[i:]] for i in breaks]
    two = min(forms, key=lambda lines: max(map(len, lines)), default=[label])
    for lines in [label], two:
        if max(map(len, lines)) * CHARACTER <= width - 2 * MARGIN:
            return lines, False
    return [label], True


def _text(x: float, y: float, text: object, style: str = "") -> str:
    style = style and f" {style}"
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(str(text))}</text>'


def _draw_box(
    box: Box, x: float, y: int, width: float, height: int, *, is_open: bool
) -> Iterator[str]:
    """Draw a box with its label; without its upper edge if it `is_open`."""
    kind = box.part.kind
    fill = f'fill-opacity="{0.1 if kind == "unused" else 0}" stroke="currentColor"'
    dashes = ' stroke-dasharray="4 3"' if kind == "optional" else ""
    end = "" if is_open else "z"
    path = f"M{x:g} {y}v{height}h{width:g}v-{height}{end}"
    yield f'<path d="{path}" {fill}{dashes}/>'
    lines, upwards = fit(box.label, width)
    if upwards and kind == "unused":
        return
    middle = y + height / 2
    if box.part.low is not None:
        ends = {box.high: x + 9, box.low: x + width - 9}
        if box.columns == 1:
            ends = {box.high: x + width / 2}
        yield from (_text(at, y + 10, bit, SMALL) for bit, at in ends.items())
        middle += NUMBERS / 2
    turn = f'transform="rotate(-90 {x + width / 2:g} {middle:g})"' if upwards else ""
    for i, line in enumerate(lines):
        below = LINE * (i - (len(lines) - 1) / 2) + 4
        yield _text(x + width / 2, middle + below, line, turn)


def _height(row: Row, cell: float) -> int:
    """Return the height of a row, by the labels in it."""
    height = 28
    for box in row.boxes:
        lines, upwards = fit(box.label, cell * box.columns)
        needed = round(len(box.label) * CHARACTER) if upwards else len(lines) * LINE
        if upwards and box.part.kind == "unused":
            continue
        above = 0 if box.part.low is None else NUMBERS
        height = max(height, needed + above + 4 * MARGIN)
    return height


def _draw_ruler(columns: int, big: bool) -> Iterator[str]:
    """Draw the numbers of bits, and of bytes in a row."""
    cell = WIDTH / columns
    yield _text(LEFT / 2 - 3, 12, "byte", SMALL)
    for column in range(columns):
        x = LEFT + WIDTH - cell * (column + 1)
        yield _text(x + cell / 2, 27, column, SMALL)
        if column % 8 == 7:
            byte = (columns - 1 - column if big else column) // 8
            yield _text(x + 4 * cell, 12, f"+{byte}", SMALL)
            if column + 1 < columns:
                yield f'<path d="M{x:g} 4V{TOP}" stroke="currentColor" opacity="0.3"/>'


def _draw_row(row: Row, y: int, height: int, cell: float) -> Iterator[str]:
    if not (row.field and row.byte):
        place = "next" if row.field else row.byte
        yield _text(LEFT / 2 - 3, y + 18, place, SMALL)
    if row.n_rows > 1:
        last = row.byte + 4 * row.n_rows - 4
        yield _text(LEFT / 2 - 3, y + height - 10, last, SMALL)
    for box in row.boxes:
        x, width = LEFT + WIDTH - cell * (box.high + 1), cell * box.columns
        is_open = bool(row.field and row.byte)
        yield from _draw_box(box, x, y, width, height, is_open=is_open)
        for at in (x + 40, x + width - 40) if row.n_rows > 2 else ():
            for below in (-6, 0, 6):
                yield f'<circle cx="{at:g}" cy="{y + height / 2 + below:g}" r="1.4"/>'


def columns_of(struct: Struct) -> int:
    """Return the bits of a row: fewer than 32 are enough for a short struct."""
    is_short = all(b.high < 16 for row in rows_of(struct) for b in row.boxes)
    return 16 if is_short else 32


def draw(struct: Struct) -> str:
    """Return the diagram of a struct as SVG, in the colour of the text around it."""
    rows, big = rows_of(struct), is_big(struct)
    columns = columns_of(struct)
    out, y = list(_draw_ruler(columns, big)), TOP
    for row in rows:
        y += 5 if row.field and row.byte == 0 else 0
        # an ellipsis takes the place of rows between the first and the last one
        height = _height(row, WIDTH / columns) * min(row.n_rows, 2)
        out += _draw_row(row, y, height, WIDTH / columns)
        y += height
    return (
        f'<svg viewBox="0 0 {LEFT + WIDTH + 1} {y + 1}" role="img" '
        'xmlns="http://www.w3.org/2000/svg" fill="currentColor" font-size="12" '
        'font-family="monospace" text-anchor="middle" '
        f'style="width: 100%; max-width: {LEFT + WIDTH + 1}px" '
        f'aria-label="{escape(spoken(struct))}">{"".join(out)}</svg>'
    )


def spoken(struct: Struct) -> str:
    """Return a diagram in words."""
    words = []
    for row in rows_of(struct):
        start = f"byte {row.byte}" + (f" of {row.field}" if row.field else "")
        boxes = [f"{box.label} ({box.high} to {box.low})" for box in row.boxes]
        words.append(f"{start}: {', '.join(boxes)}")
    return f"Bits of {struct.name}. " + "; ".join(words)


def caption_of(struct: Struct) -> str:
    """Return a line that tells how to read a diagram."""
    order, side = ("big", "left") if is_big(struct) else ("little", "right")
    kinds = {box.part.kind for row in rows_of(struct) for box in row.boxes}
    text = (
        f"Rows of {columns_of(struct)} bits in the order of the file, {order}-endian: "
        f"byte +0 is on the {side}."
    )
    text += " Shaded bits are unused." if "unused" in kinds else ""
    if "optional" in kinds:
        text += " Dashed fields follow each other without gaps, if they are present."
    return text
