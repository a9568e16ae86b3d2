"""A customer sends files: their messages come at once, and soon after that the files."""

import hashlib
import os
from collections.abc import Callable

import aiohttp
import pytest

from gateway_contracts import (
    DocumentContent,
    ErrorCode,
    ImageContent,
    MediaFailed,
    MediaGet,
    MediaGetData,
    MediaInfo,
    MediaReady,
    MediaState,
    MessageReceived,
    StickerContent,
    VoiceContent,
)
from gateway_worker.sandbox.phones.media.draft import Flaw, MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from tests.e2e.harness import Gateway

DATA = os.urandom(150_001)
KINDS = (MediaKind.IMAGE, MediaKind.VOICE, MediaKind.DOCUMENT, MediaKind.STICKER)


async def read(url: str | None) -> bytes:
    """Read a file as a backend does."""
    assert url is not None
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        answer.raise_for_status()
        return await answer.read()


def is_about(message_id: str) -> Callable[[MessageReceived | MediaReady], bool]:
    """Return what tells the events of a message."""
    return lambda event: event.data.message_id == message_id


def get(gateway: Gateway, name: str, media_id: str | None) -> MediaGet:
    """Return the command that asks for a file."""
    assert media_id is not None
    return MediaGet(
        source=gateway.backend.source, subject=name, data=MediaGetData(media_id=media_id)
    )


async def test_files_of_a_customer(gateway: Gateway, name: str) -> None:
    """Each is told when it is there, with a URL; whoever asks later gets another one."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)

    for kind in KINDS:
        data = DATA + kind.encode()
        message_id = await ada.send_media(shop.number, MediaDraft(kind=kind, data=data))
        received = await gateway.backend.expect(MessageReceived, name, is_about(message_id))
        ready = await gateway.backend.expect(MediaReady, name, is_about(message_id))

        content, media = received.data.content, ready.data.media
        assert isinstance(content, ImageContent | VoiceContent | DocumentContent | StickerContent)
        announced = content.media
        assert (announced.state, announced.key) == (MediaState.PENDING, None)
        assert announced.media_id == media.media_id
        assert media.size == announced.size == len(data)
        assert media.sha256 == announced.sha256 == hashlib.sha256(data).hexdigest()
        assert media.key == f"media/{name}/{media.sha256}"
        assert await read(media.url) == data
        assert int(ready.sequence or 0) > int(received.sequence or 0)

    info = await gateway.succeed(get(gateway, name, media.media_id))
    assert isinstance(info, MediaInfo)
    assert await read(info.media.url) == data


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        (Flaw.DIRECT_PATH, ErrorCode.MEDIA_UNAVAILABLE),
        (Flaw.FILE_SHA256, ErrorCode.MEDIA_REFUSED),
    ],
)
async def test_a_file_that_cannot_be_had(
    gateway: Gateway, name: str, flaw: Flaw, code: ErrorCode
) -> None:
    """The message is told all the same, then that the file does not come; nor for who asks."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)

    await ada.send_media(shop.number, MediaDraft(kind=MediaKind.IMAGE, data=DATA, flaw=flaw))

    await gateway.backend.expect(MessageReceived, name)
    failed = await gateway.backend.expect(MediaFailed, name)
    error = failed.data.media.error
    assert error is not None
    assert (error.code, error.recoverable) == (code, False)
    refused = await gateway.fail(get(gateway, name, failed.data.media.media_id))
    assert refused.data.error.code is code
