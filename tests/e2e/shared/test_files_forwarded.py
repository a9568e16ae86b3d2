"""A file that a customer has sent is passed on to somebody else without being uploaded again."""

import os

import pytest

from gateway_contracts import ErrorCode, MessageReceived, MessageSend, MessageSendData, SentInfo
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import Gateway

DATA = os.urandom(20_001)


async def received(gateway: Gateway, name: str, shop: Phone, draft: MediaDraft) -> MessageReceived:
    """Let a customer send a file, and return what the backend is told."""
    ada = await gateway.sandbox.add_phone()
    message_id = await ada.send_media(shop.number, draft)
    return await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.message_id == message_id
    )


def forward(gateway: Gateway, name: str, event: MessageReceived, to: Phone) -> MessageSend:
    """Return the command that forwards a message."""
    message = {"chat": event.data.chat, "message_id": event.data.message_id}
    data = {"to": to.number, "content": {"kind": "forward", "message": message}}
    return MessageSend(
        source=gateway.backend.source, subject=name, data=MessageSendData.model_validate(data)
    )


@pytest.mark.parametrize("kind", [MediaKind.VOICE, MediaKind.DOCUMENT, MediaKind.VIDEO_NOTE])
async def test_a_file_is_forwarded(gateway: Gateway, name: str, kind: MediaKind) -> None:
    """Whoever gets it opens the same file, shown as the same kind."""
    shop, ben = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    draft = MediaDraft(kind=kind, data=DATA)
    event = await received(gateway, name, shop, draft)

    result = await gateway.succeed(forward(gateway, name, event, ben))

    assert isinstance(result, SentInfo)
    shown = await ben.next_message(timeout=30)
    assert shown.message_id == result.message_id
    assert await ben.media_bytes(shown) == DATA
    assert (await ben.media(shown)).kind is kind


async def test_what_may_be_seen_once_is_not_forwarded(gateway: Gateway, name: str) -> None:
    """Its sender has not meant it for others."""
    shop, ben = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    draft = MediaDraft(kind=MediaKind.IMAGE, data=DATA, view_once=True)
    event = await received(gateway, name, shop, draft)

    failed = await gateway.fail(forward(gateway, name, event, ben))

    assert failed.data.error.code is ErrorCode.INVALID_COMMAND
