"""Texts with a preview of a link: the page's own words, the sender's card, or none."""

import base64
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from gateway_contracts import CommandFailed, MessageSend, MessageSendData
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import ErrorCode, Gateway
from tests.support.samples import picture
from tests.support.web import answer, file_server

PAGE = answer(
    b'<html><head><meta property="og:title" content="Order 1047">'
    b'<meta property="og:image" content="/picture"></head></html>',
    content_type="text/html",
)
PICTURE = answer(picture(400, 300), content_type="image/png")


def message(gateway: Gateway, name: str, to: Phone, text: str, **preview: Any) -> MessageSend:
    """Return the command that sends a text with a preview."""
    content = {"kind": "text", "text": text, "link_preview": preview}
    data = MessageSendData.model_validate({"to": to.number, "content": content})
    return MessageSend(source=gateway.backend.source, subject=name, data=data)


async def shown(phone: Phone) -> dict[str, Any]:
    """Return the text that a phone shows next, with whatever belongs to it."""
    content = (await phone.next_message(timeout=30)).content
    found: dict[str, Any] = content["extendedTextMessage"]
    return found


@pytest.mark.parametrize("mode", ["automatic", "card"])
async def test_a_preview(gateway: Gateway, name: str, mode: str) -> None:
    """It has words and a small picture, of the page or of the card."""
    phone, other = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    async with file_server({"/page": PAGE, "/picture": PICTURE}) as server:
        at = f"http://127.0.0.1:{server.port}"
        thumbnail = {"source": "url", "url": f"{at}/picture"}
        card = {"url": f"{at}/page", "title": "Order 1047", "thumbnail": thumbnail}
        preview = card if mode == "card" else {}
        command = message(gateway, name, other, f"See {at}/page", mode=mode, **preview)
        await gateway.succeed(command)
    text = await shown(other)
    assert (text["text"], text["matchedText"]) == (f"See {at}/page", f"{at}/page")
    assert text["title"] == "Order 1047"
    with Image.open(BytesIO(base64.b64decode(text["JPEGThumbnail"]))) as small:
        assert (small.format, small.size) == ("JPEG", (240, 180))
    assert server.paths == (["/picture"] if mode == "card" else ["/page", "/picture"])
    assert not list(gateway.worker.data_dir.glob(f"sessions/{name}/outgoing/*"))


async def test_a_page_without_a_preview(gateway: Gateway, name: str) -> None:
    """The text goes without one; a card's picture that is missing fails the command."""
    phone, other = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, phone)
    async with file_server({}) as server:
        at = f"http://127.0.0.1:{server.port}/page"
        await gateway.succeed(message(gateway, name, other, f"See {at}", mode="automatic"))
        assert (await other.next_message(timeout=30)).text == f"See {at}"
        thumbnail = {"source": "url", "url": at}
        command = message(
            gateway, name, other, f"See {at}", mode="card", url=at, title="x", thumbnail=thumbnail
        )
        await gateway.backend.publish(command)
        outcome = await gateway.backend.outcome(command.id)
    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.MEDIA_UNAVAILABLE
