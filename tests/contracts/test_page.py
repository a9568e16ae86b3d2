"""The contract as one HTML page."""

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway_contracts.export import main
from gateway_contracts.spec.catalog import MESSAGES
from gateway_contracts.spec.examples import load_examples

VOID = {"meta"}


class Page(HTMLParser):
    """What a browser sees of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.anchors: Counter[str] = Counter()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of what it leads to."""
        given = dict(attrs)
        if anchor := given.get("id"):
            self.anchors[anchor] += 1
        if target := given.get("href"):
            self.links.add(target)
        if tag in {"script", "link", "img", "iframe"} or "src" in given:
            self.loaded.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        """Tags are closed in order."""
        assert self.open.pop() == tag
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        """Keep the texts of elements whole."""
        self.texts.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    directory: Path = tmp_path_factory.mktemp("page")
    assert main(["--out", str(directory), "--prefix", "fleet2"]) == 0
    found = Page()
    found.feed((directory / "contract.html").read_text("utf-8"))
    found.close()
    return found


def test_it_is_whole(page: Page) -> None:
    """Each link leads to one place of it, and nothing is loaded from elsewhere."""
    assert page.open == []
    assert page.loaded == set()
    assert set(page.anchors.values()) == {1}
    assert all(target.startswith("#") for target in page.links)
    assert {target.removeprefix("#") for target in page.links} <= page.anchors.keys()


def test_it_has_every_message_with_its_examples(page: Page) -> None:
    """As they are in the files beside it."""
    assert MESSAGES.keys() <= page.anchors.keys()
    shown: list[Any] = [json.loads(text) for text in page.texts if text.startswith("{\n")]
    wanted = [example.payload for example in load_examples()]
    assert sorted(map(json.dumps, shown)) == sorted(map(json.dumps, wanted))


def test_it_says_how_a_fleet_names_what_it_has(page: Page) -> None:
    """Exchanges with their prefix, where each message is published."""
    assert {"fleet2.commands", "fleet2.events"} <= set(page.texts)
