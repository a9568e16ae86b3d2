"""A phone's camera, held before a terminal."""

from collections.abc import Sequence

import zxingcpp
from PIL import Image

_LIT = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
"""What a character lights of its place: above, below."""
_SCALE = 4


def read_code(lines: Sequence[str]) -> str:
    """Return the text of the last QR code on a screen."""
    drawn = last_drawing(lines)
    image = Image.new("L", (len(drawn[0]), 2 * len(drawn)))
    for row, line in enumerate(drawn):
        for column, character in enumerate(line):
            for half, lit in enumerate(_LIT[character]):
                image.putpixel((column, 2 * row + half), 255 if lit else 0)
    large = image.resize((image.width * _SCALE, image.height * _SCALE), Image.Resampling.NEAREST)
    (found,) = zxingcpp.read_barcodes(large)
    return str(found.text)


def last_drawing(lines: Sequence[str]) -> list[str]:
    """Return the lines of the last drawing, from its upper edge to its lower one."""
    drawing: list[str] = []
    last: list[str] = []
    for line in lines:
        if is_drawn(line):
            drawing.append(line)
        elif drawing and line:
            last, drawing = drawing, []
    return drawing or last


def is_drawn(line: str) -> bool:
    """Whether a line is a part of a drawing."""
    return bool(line.strip()) and set(line) <= _LIT.keys()
