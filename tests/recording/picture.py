"""Draws what a terminal has shown, as SVG: text as text, and the parts of a code as rectangles."""

from collections.abc import Iterator, Sequence
from html import escape

from tests.recording.camera import is_drawn
from tests.recording.terminal import COLUMNS, PROMPT

_WIDTH = 8
_HEIGHT = 16
_MARGIN = 16
_BACK = "#14181d"
_FRONT = "#d8dee6"
_TYPED = "#8fd694"
_HALVES = {"█": (0, 16), "▀": (0, 8), "▄": (8, 8)}


def picture(lines: Sequence[str]) -> str:
    """Return the lines as a picture."""
    width = COLUMNS * _WIDTH + 2 * _MARGIN
    height = len(lines) * _HEIGHT + 2 * _MARGIN
    size = f'viewBox="0 0 {width} {height}" width="{width}"'
    letters = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {letters}>',
        "<title>gateway-worker ctl: create, scan, connected, send</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{_BACK}"/>',
    ]
    for number, line in enumerate(lines):
        top = _MARGIN + number * _HEIGHT
        parts += _drawn(line, top) if is_drawn(line) else _written(line, top)
    return "\n".join([*parts, "</svg>", ""])


def _written(line: str, top: int) -> Iterator[str]:
    if line:
        colour = _TYPED if line.startswith(PROMPT) else _FRONT
        place = f'x="{_MARGIN}" y="{top + _HEIGHT - 4}"'
        yield f'<text {place} fill="{colour}" xml:space="preserve">{escape(line)}</text>'


def _drawn(line: str, top: int) -> Iterator[str]:
    """Yield one path: a rectangle for each run of the same character."""
    steps = []
    start = 0
    for end in range(1, len(line) + 1):
        if end == len(line) or line[end] != line[start]:
            if line[start] in _HALVES:
                offset, high = _HALVES[line[start]]
                left, wide = _MARGIN + start * _WIDTH, (end - start) * _WIDTH
                steps.append(f"M{left} {top + offset}h{wide}v{high}h-{wide}z")
            start = end
    yield f'<path fill="{_FRONT}" d="{"".join(steps)}"/>'
