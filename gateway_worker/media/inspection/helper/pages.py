"""Web pages: what they want to be shown as where somebody sends their link (OpenGraph)."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from gateway_worker.media.inspection.protocol import (
    MAX_DESCRIPTION,
    MAX_PICTURE_URL,
    MAX_TITLE,
    Page,
    Question,
)

_CHARSET: Final = re.compile(rb"""charset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_DECLARED_WITHIN: Final = 4_096
_TITLES: Final = ("og:title", "twitter:title", "title")
_DESCRIPTIONS: Final = ("og:description", "twitter:description", "description")
_IMAGES: Final = (
    "og:image:secure_url",
    "og:image",
    "og:image:url",
    "twitter:image",
    "twitter:image:src",
)


def inspect_page(question: Question) -> Page:
    """Read the head of a page; whatever it lacks is None."""
    with Path(question.path).open("rb") as file:
        data = file.read(question.limits.output_bytes)
    head = _Head()
    try:
        head.feed(_decoded(data))
        head.close()
    except _HeadEnds:
        pass
    return Page(
        title=head.first(_TITLES, most=MAX_TITLE),
        description=head.first(_DESCRIPTIONS, most=MAX_DESCRIPTION),
        image=head.first(_IMAGES, most=MAX_PICTURE_URL),
    )


class _HeadEnds(Exception):  # noqa: N818 - no error
    """Nothing further on is of interest."""


class _Head(HTMLParser):
    """Takes the first of each of the page's own statements about itself."""

    def __init__(self) -> None:
        super().__init__()
        self._stated: dict[str, str] = {}
        self._title: list[str] | None = None

    def first(self, names: tuple[str, ...], *, most: int) -> str | None:
        """Return the first statement that there is, on one line and not too long."""
        for name in names:
            text = "".join(c if c.isprintable() else " " for c in self._stated.get(name, ""))
            if text := " ".join(text.split()):
                return text[:most]
        return None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what is stated in a tag."""
        if tag == "body":
            raise _HeadEnds
        if tag == "title":
            self._title = []
        if tag == "meta":
            given = dict(attrs)
            name = (given.get("property") or given.get("name") or "").strip().lower()
            self._stated.setdefault(name, given.get("content") or "")

    def handle_endtag(self, tag: str) -> None:
        """End the title, or all of it."""
        if tag == "head":
            raise _HeadEnds
        if tag == "title" and self._title is not None:
            self._stated.setdefault("title", "".join(self._title))
            self._title = None

    def handle_data(self, data: str) -> None:
        """Take the title's text."""
        if self._title is not None:
            self._title.append(data)


def _decoded(data: bytes) -> str:
    """Return a page's text, in the encoding that it declares."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    declared = _CHARSET.search(data[:_DECLARED_WITHIN])
    try:
        return data.decode(declared[1].decode("ascii") if declared else "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")
