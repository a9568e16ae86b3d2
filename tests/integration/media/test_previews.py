"""Previews of pages on loopback: what is taken of them, and that a text never waits in vain."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from gateway_worker.media.fetching.fetcher import Fetcher
from gateway_worker.media.fetching.permissions import Permissions, places
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.media.inspection.inspector import Inspector
from gateway_worker.media.previews import Preview, Previews
from tests.support.byte_counts import allowance
from tests.support.samples import picture
from tests.support.web import Answering, FileServer, answer, file_server, redirect, silence

pytestmark = pytest.mark.asyncio(loop_scope="module")


def page(*head: str, start: str = "<!doctype html><html><head>") -> Answering:
    """Return what serves a page with a head."""
    text = f"{start}{''.join(head)}</head><body><title>not this</title></body></html>"
    return answer(text.encode(), content_type="text/html; charset=utf-8")


def meta(**stated: str) -> str:
    """Return what a page says of itself."""
    return "".join(
        f'<meta property="{name.replace("_", ":")}" content="{text}">'
        for name, text in stated.items()
    )


@asynccontextmanager
async def previewing(
    helpers: Helpers,
    answers: Mapping[str, Answering],
    *,
    seconds: float = 20.0,
    bytes_per_day: int = 0,
) -> AsyncIterator[tuple[Previews, FileServer]]:
    permissions = Permissions(allowed=(), private=places("http://127.0.0.1"), ports=(443,))
    async with (
        file_server(answers) as server,
        Fetcher(permissions=permissions) as fetcher,
    ):
        inspector = Inspector(helpers=helpers)
        previews = Previews(
            fetcher=fetcher,
            inspector=inspector,
            allowance=allowance(bytes_per_day),
            seconds=seconds,
        )
        yield previews, server


async def previewed(
    helpers: Helpers,
    answers: Mapping[str, Answering],
    directory: Path,
    *,
    seconds: float = 20.0,
) -> Preview | None:
    """Return the preview of the page `/a`; nothing may be left of its files."""
    async with previewing(helpers, answers, seconds=seconds) as (previews, server):
        link = f"http://127.0.0.1:{server.port}/a"
        found = await previews.of_text(
            f"see {link}, please", session_id="s", directory=directory / "preview"
        )
    assert found is None or found.url == link
    _assert_empty(directory)
    return found


def _assert_empty(directory: Path) -> None:
    assert [*directory.iterdir()] == []


async def test_a_page_with_everything(helpers: Helpers, tmp_path: Path) -> None:
    """Title, description and a small picture, which may be somewhere else."""
    answers = {
        "/a": redirect("/sub/b"),
        "/sub/b": page(
            "<title>no</title>",
            meta(og_title="A &amp; B", og_description=" of\n two  lines ", og_image="c.png"),
        ),
        "/sub/c.png": answer(picture(800, 400), content_type="image/png"),
    }
    found = await previewed(helpers, answers, tmp_path)
    assert found is not None
    assert (found.title, found.description) == ("A & B", "of two lines")
    assert found.thumbnail is not None
    with Image.open(BytesIO(found.thumbnail)) as small:
        assert (small.format, small.size) == ("JPEG", (240, 120))


@pytest.mark.parametrize(
    ("served", "title", "description"),
    [
        (page("<title>Only this</title>"), "Only this", None),
        (page('<meta name=description content="x"><title>y</title>'), "y", "x"),
        (page(meta(twitter_title="t"), "<title>y</title>"), "t", None),
        (page(meta(og_title=""), "<title>y</title>"), "y", None),
        (page(meta(og_title="first"), meta(og_title="second")), "first", None),
        (page(meta(og_title="t" * 1_000)), "t" * 300, None),
        (page("<title>a\x1b[31mb\u202ec</title>"), "a [31mb c", None),
        (
            answer(
                '<meta charset="iso-8859-1"><title>Grüße</title>'.encode("latin-1"),
                content_type="text/html",
            ),
            "Grüße",
            None,
        ),
        (page("<title>ä</title>", start="\ufeff<html><head>"), "ä", None),
        (page('<meta charset="no-such"><title>ä</title>'), "ä", None),
        (page("<title>y</title>", "<!-- " + "x" * 600_000), "y", None),
        (page(meta(og_title="t", og_image="http://169.254.169.254/x.png")), "t", None),
        (page(meta(og_title="t", og_image="http://[::1")), "t", None),
        (page(meta(og_title="t", og_image="/missing.png")), "t", None),
        (page(meta(og_title="t", og_image="/a")), "t", None),
    ],
)
async def test_what_is_taken(
    helpers: Helpers, tmp_path: Path, served: Answering, title: str, description: str | None
) -> None:
    """The page's own words, each on one line; a picture that cannot be had is left out."""
    found = await previewed(helpers, {"/a": served}, tmp_path)
    assert found is not None
    assert (found.title, found.description, found.thumbnail) == (title, description, None)


@pytest.mark.parametrize(
    "served",
    [
        answer(status=404),
        answer(b"<title>x</title>", content_type="text/plain"),
        answer(picture(), content_type="image/png"),
        page(),
        page("<title> </title>"),
        answer(b"\x1f\x8b", content_type="text/html", content_encoding="gzip"),
        redirect("http://127.0.0.2/"),
    ],
)
async def test_nothing_to_show(helpers: Helpers, tmp_path: Path, served: Answering) -> None:
    """The text goes without a preview."""
    assert await previewed(helpers, {"/a": served}, tmp_path) is None


async def test_a_page_that_does_not_come(helpers: Helpers, tmp_path: Path) -> None:
    """It is not waited for."""
    assert await previewed(helpers, {"/a": silence}, tmp_path, seconds=0.3) is None


async def test_a_picture_that_does_not_come(helpers: Helpers, tmp_path: Path) -> None:
    """The words go without it."""
    answers = {"/a": page(meta(og_title="t", og_image="/b")), "/b": silence}
    found = await previewed(helpers, answers, tmp_path, seconds=4.0)
    assert found is not None
    assert (found.title, found.thumbnail) == ("t", None)


async def test_a_text_without_a_link(helpers: Helpers, tmp_path: Path) -> None:
    """Nobody is asked for anything."""
    async with previewing(helpers, {}) as (previews, server):
        directory = tmp_path / "preview"
        assert await previews.of_text("no link", session_id="s", directory=directory) is None
    assert server.connections == 0


async def test_pages_are_among_what_a_tenant_may_send(helpers: Helpers, tmp_path: Path) -> None:
    """With their pictures; then texts go without previews for the rest of the day."""
    large = bytes(200_000)
    answers = {
        "/a": page(meta(og_title="t", og_image="/b")),
        "/b": answer(large, content_type="image/png"),
    }
    async with previewing(helpers, answers, bytes_per_day=len(large)) as (previews, server):
        text, directory = f"http://127.0.0.1:{server.port}/a", tmp_path / "preview"
        found = [
            await previews.of_text(text, session_id=session_id, directory=directory)
            for session_id in ("acme.a", "acme.b", "mallory.a")
        ]
    assert [preview is not None for preview in found] == [True, False, True]
