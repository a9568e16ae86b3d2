"""Files go out: of every kind, from every source, and texts to others beside them."""

import asyncio
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway_contracts import (
    CommandFailed,
    CommandSucceeded,
    MediaUpload,
    MediaUploadUrl,
    MediaUploadUrlData,
    MessageSend,
    MessageSendData,
    SentInfo,
    SessionStop,
)
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import ErrorCode, Gateway
from tests.e2e.shared.conftest import Shop
from tests.support.eventually import eventually
from tests.support.samples import moving, picture, sound, video
from tests.support.web import Answering, FileServer, answer, file_server, silence

FILES: Mapping[str, tuple[str, bytes]] = {
    "image": ("image/jpeg", picture(form="JPEG")),
    "video": ("video/mp4", video()),
    "audio": ("audio/mpeg", sound("mp3", "mp3")),
    "voice": ("audio/ogg", sound("ogg", "libopus")),
    "document": ("application/pdf", b"%PDF-1.4\n" + bytes(range(256)) * 400),
    "sticker": ("image/webp", picture(512, 512, form="WEBP")),
}
"""A file of each kind that needs no conversion."""


def message(
    gateway: Gateway, name: str, to: str, content: Mapping[str, Any], **more: Any
) -> MessageSend:
    """Return the command that sends a content."""
    data = MessageSendData.model_validate({"to": to, "content": content})
    return MessageSend(source=gateway.backend.source, subject=name, data=data, **more)


def content_of(kind: str, source: Mapping[str, str]) -> dict[str, Any]:
    """Return the content with a file."""
    more = {"file_name": "report.pdf"} if kind == "document" else {}
    return {"kind": kind, "media": source, **more}


async def uploaded(gateway: Gateway, name: str, mime_type: str, data: bytes) -> str:
    """Put a file into the gateway's bucket as a backend does; returns its id."""
    asked = MediaUploadUrlData(mime_type=mime_type, size=len(data))
    place = await gateway.succeed(
        MediaUploadUrl(source=gateway.backend.source, subject=name, data=asked)
    )
    assert isinstance(place, MediaUpload)

    def put() -> int:
        request = urllib.request.Request(
            place.url, data=data, headers=place.headers, method=place.method
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)

    assert await asyncio.to_thread(put) == 200
    return place.media_id


async def source_of(
    gateway: Gateway, name: str, server: FileServer, *, where: str, kind: str
) -> dict[str, str]:
    """Return where the file of a kind is."""
    mime_type, data = FILES[kind]
    if where == "url":
        server.answers[f"/{kind}"] = answer(data)
        return {"source": "url", "url": f"http://127.0.0.1:{server.port}/{kind}"}
    media_id = await uploaded(gateway, name, mime_type, data)
    if where == "upload":
        return {"source": "upload", "media_id": media_id}
    return {"source": "object", "key": f"uploads/{media_id}"}


@pytest.mark.parametrize("where", ["object", "upload", "url"])
async def test_a_file_of_each_kind_reaches_the_phone(
    gateway: Gateway, shop: Shop, where: str
) -> None:
    """The phone downloads and decrypts it, and has what the backend had."""
    ada = await gateway.sandbox.add_phone()
    async with file_server({}) as server:
        for kind, (mime_type, data) in FILES.items():
            source = await source_of(gateway, shop.name, server, where=where, kind=kind)
            sent = await gateway.succeed(
                message(gateway, shop.name, ada.number, content_of(kind, source))
            )
            assert isinstance(sent, SentInfo)
            shown = await ada.next_message(timeout=30)
            assert shown.message_id == sent.message_id
            assert await ada.media_bytes(shown) == data
            attachment = await ada.media(shown)
            assert attachment.kind.value == kind
            assert attachment.mime_type.partition(";")[0] == mime_type
    assert not list(gateway.worker.data_dir.glob(f"sessions/{shop.name}/outgoing/*"))


async def test_what_a_phone_cannot_play_is_converted(gateway: Gateway, shop: Shop) -> None:
    """A voice message from an MP3, a sticker and a GIF from moving pictures."""
    ada = await gateway.sandbox.add_phone()
    async with file_server({"/a": answer(sound("mp3", "mp3")), "/b": answer(moving())}) as server:
        at = f"http://127.0.0.1:{server.port}"
        for path, content, mime_type in (
            ("a", {"kind": "voice"}, "audio/ogg; codecs=opus"),
            ("b", {"kind": "sticker"}, "image/webp"),
            ("b", {"kind": "video", "gif": True}, "video/mp4"),
        ):
            source = {"source": "url", "url": f"{at}/{path}"}
            await gateway.succeed(
                message(gateway, shop.name, ada.number, {**content, "media": source})
            )
            shown = await ada.next_message(timeout=30)
            assert await ada.media_bytes(shown)
            assert (await ada.media(shown)).mime_type == mime_type


class Held:
    """A file that is not served before the test lets it go.

    Attributes:
        asked: Set when somebody waits for it.
        go: Set by the test.
    """

    def __init__(self, data: bytes) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self._answer: Answering = answer(data)

    async def serve(self, writer: asyncio.StreamWriter) -> None:
        """Hold it."""
        self.asked.set()
        await self.go.wait()
        await self._answer(writer)


async def linked(gateway: Gateway, name: str) -> tuple[Phone, Phone]:
    """Link the session; returns two phones that it can write to."""
    shop, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, shop)
    return ada, ben


async def test_others_chats_go_on_while_a_file_is_fetched(gateway: Gateway, name: str) -> None:
    """Its own chat waits for it, and keeps its order."""
    ada, ben = await linked(gateway, name)
    held = Held(b"document")
    async with file_server({"/held": held.serve}) as server:
        source = {"source": "url", "url": f"http://127.0.0.1:{server.port}/held"}
        file = message(gateway, name, ada.number, content_of("document", source))
        await gateway.backend.publish(file)
        await held.asked.wait()
        after = gateway.text(name, ada.number, "after")
        await gateway.backend.publish(after)
        await gateway.send(name, ben.number, "beside")
        assert (await ben.next_message(timeout=30)).text == "beside"
        held.go.set()
        for command in (file, after):
            assert isinstance(await gateway.backend.outcome(command.id), CommandSucceeded)
    first, second = [await ada.next_message(timeout=30) for _ in range(2)]
    assert await ada.media_bytes(first) == b"document"
    assert second.text == "after"


async def test_a_deadline_ends_the_wait_for_a_file(gateway: Gateway, name: str) -> None:
    """And what comes after it in its chat goes."""
    ada, _ = await linked(gateway, name)
    async with file_server({"/held": silence}) as server:
        source = {"source": "url", "url": f"http://127.0.0.1:{server.port}/held"}
        file = message(
            gateway,
            name,
            ada.number,
            content_of("document", source),
            expirytime=datetime.now(UTC) + timedelta(seconds=1),
        )
        await gateway.backend.publish(file)
        await gateway.send(name, ada.number, "after")
        outcome = await gateway.backend.outcome(file.id)
    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.EXPIRED
    assert not list(gateway.worker.data_dir.glob(f"sessions/{name}/outgoing/*"))


async def test_a_stop_ends_the_wait_for_a_file(gateway: Gateway, name: str) -> None:
    """It does not wait for it, as it waits for no other send that waits."""
    ada, _ = await linked(gateway, name)
    held = Held(b"document")
    async with file_server({"/held": held.serve}) as server:
        source = {"source": "url", "url": f"http://127.0.0.1:{server.port}/held"}
        file = message(gateway, name, ada.number, content_of("document", source))
        await gateway.backend.publish(file)
        await held.asked.wait()
        await gateway.succeed(SessionStop(source=gateway.backend.source, subject=name))
        held.go.set()
        outcome = await gateway.backend.outcome(file.id)
    assert isinstance(outcome, CommandFailed)
    assert outcome.data.error.code is ErrorCode.SESSION_NOT_CONNECTED
    await eventually(lambda: not list(gateway.worker.data_dir.glob(f"sessions/{name}/outgoing/*")))


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("image", None, ErrorCode.MEDIA_UNAVAILABLE),
        ("image", b"no picture", ErrorCode.MEDIA_REFUSED),
        ("sticker", b"\0" * 9_000_000, ErrorCode.MEDIA_TOO_LARGE),
    ],
)
async def test_a_file_that_cannot_be_sent_is_refused(
    gateway: Gateway, shop: Shop, kind: str, data: bytes | None, code: ErrorCode
) -> None:
    """With a code of its own, before anything is sent."""
    ada = await gateway.sandbox.add_phone()
    async with file_server({} if data is None else {"/a": answer(data)}) as server:
        source = {"source": "url", "url": f"http://127.0.0.1:{server.port}/a"}
        failed = await gateway.fail(
            message(gateway, shop.name, ada.number, content_of(kind, source))
        )
    await gateway.send(shop.name, ada.number, "after")
    assert failed.data.error.code is code
    assert (await ada.next_message(timeout=30)).text == "after"
