"""Status posts: those that a backend makes, who sees them, and those of contacts."""

from typing import Any

import pytest

from gateway_contracts import (
    ErrorCode,
    Ignore,
    MessageReceipt,
    MessageReceived,
    MessageRevoked,
    ReceiptStatus,
    StatusAudience,
    StatusDelete,
    StatusDeleteData,
    StatusGetAudience,
    StatusInfo,
    StatusPost,
    StatusPostData,
    StatusProgress,
    StatusReceived,
    StatusViewers,
    TextContent,
)
from gateway_worker.host_protocol.methods.status import AT_ONCE
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.harness import Gateway
from tests.support import samples
from tests.support.web import answer, file_server

STATUS = "status@broadcast"


def post(gateway: Gateway, name: str, content: dict[str, Any], **more: Any) -> StatusPost:
    """Return the command that posts a content."""
    data = StatusPostData.model_validate({"content": content, **more})
    return StatusPost(source=gateway.backend.source, subject=name, data=data)


def deletion(gateway: Gateway, name: str, message_id: str) -> StatusDelete:
    """Return the command that deletes a post."""
    data = StatusDeleteData(message_id=message_id)
    return StatusDelete(source=gateway.backend.source, subject=name, data=data)


async def shop_of(gateway: Gateway, name: str, *, shown_to: tuple[Phone, ...]) -> Phone:
    """Link an account whose phone shows its status to some people only."""
    shop = await gateway.sandbox.add_phone()
    shop.show_status_to([one.number for one in shown_to])
    await gateway.link(name, shop)
    return shop


async def test_a_text_reaches_those_whom_the_phone_has_chosen(gateway: Gateway, name: str) -> None:
    """Nobody else; the outcome says how many, and each view is told under the command's id."""
    ada, ben, eve = [await gateway.sandbox.add_phone() for _ in range(3)]
    await shop_of(gateway, name, shown_to=(ada, ben))
    look = {"background": "#1D6E5C", "font": "calistoga"}
    command = post(gateway, name, {"kind": "text", "text": "open", **look}, client_ref="c-12")

    info = await gateway.succeed(command)

    assert isinstance(info, StatusInfo)
    assert (info.chat, info.audience, info.recipients) == (STATUS, StatusAudience.SELECTED, 2)
    for phone in (ada, ben):
        seen = await phone.next_message(timeout=30)
        assert (seen.message_id, seen.text) == (info.message_id, "open")
        assert seen.content["extendedTextMessage"]["backgroundArgb"] == 0xFF1D6E5C
    await ada.read(info.message_id)
    receipt = await gateway.backend.expect(
        MessageReceipt, name, lambda event: event.data.status is ReceiptStatus.READ
    )
    assert (receipt.data.chat, receipt.data.message_id) == (STATUS, info.message_id)
    assert (receipt.correlationid, receipt.data.client_ref) == (command.id, "c-12")
    asked = await gateway.succeed(StatusGetAudience(source=gateway.backend.source, subject=name))
    assert asked == StatusViewers(audience=StatusAudience.SELECTED, recipients=2)
    assert receipt.data.participant.lid == str(ada.jid)  # the setting names people by that
    assert len(eve.inbox) == 0


async def test_many_recipients(gateway: Gateway, name: str) -> None:
    """How far the look-up of their devices is, is told under the command's id, before the end."""
    crowd = [await gateway.sandbox.add_phone() for _ in range(AT_ONCE + 1)]
    await shop_of(gateway, name, shown_to=tuple(crowd))
    command = post(gateway, name, {"kind": "text", "text": "open"})

    info = await gateway.succeed(command)

    progress = await gateway.backend.expect(StatusProgress, name)
    assert progress.correlationid == command.id
    assert (progress.data.prepared, progress.data.recipients) == (AT_ONCE, AT_ONCE + 1)
    assert (info.recipients, info.devices_left_out) == (AT_ONCE + 1, 0)
    for phone in (crowd[0], crowd[-1]):
        assert (await phone.next_message(timeout=30)).message_id == info.message_id


@pytest.mark.parametrize("kind", ["image", "video", "voice"])
async def test_a_file(gateway: Gateway, name: str, kind: str) -> None:
    """Who sees it has the bytes that the backend had."""
    data = {
        "image": samples.picture(form="JPEG"),
        "video": samples.video(),
        "voice": samples.sound("ogg", "libopus"),
    }[kind]
    ada = await gateway.sandbox.add_phone()
    await shop_of(gateway, name, shown_to=(ada,))
    async with file_server({f"/{kind}": answer(data)}) as server:
        media = {"source": "url", "url": f"http://127.0.0.1:{server.port}/{kind}"}
        info = await gateway.succeed(post(gateway, name, {"kind": kind, "media": media}))

    seen = await ada.next_message(timeout=30)
    assert (seen.kind, seen.message_id) == (kind, info.message_id)
    assert await ada.media_bytes(seen) == data


async def test_a_post_is_deleted(gateway: Gateway, name: str) -> None:
    """By its id; one that the account has not posted cannot be."""
    ada = await gateway.sandbox.add_phone()
    await shop_of(gateway, name, shown_to=(ada,))
    info = await gateway.succeed(post(gateway, name, {"kind": "text", "text": "open"}))
    await ada.next_message(timeout=30)

    deleted = await gateway.succeed(deletion(gateway, name, info.message_id))
    gone = await ada.next_message(timeout=30)
    refused = await gateway.fail(deletion(gateway, name, "3EB0AB"))

    assert isinstance(deleted, StatusInfo)
    assert (gone.kind, gone.target_id) == ("revoke", info.message_id)
    assert refused.data.error.code is ErrorCode.INVALID_COMMAND


async def test_a_post_that_nobody_would_see(gateway: Gateway, name: str) -> None:
    """It is refused, and not even the account's own phone gets it.

    Of a deletion it is said first that there is no such post.
    """
    shop = await shop_of(gateway, name, shown_to=())

    refused = await gateway.fail(post(gateway, name, {"kind": "text", "text": "open"}))
    unknown = await gateway.fail(deletion(gateway, name, "3EB0AB"))

    assert refused.data.error.code is ErrorCode.UNSUPPORTED
    assert unknown.data.error.code is ErrorCode.INVALID_COMMAND
    assert [fault.pointer for fault in unknown.data.error.errors] == ["/data/message_id"]
    assert len(shop.own_messages) == 0


async def test_what_contacts_post(gateway: Gateway, name: str) -> None:
    """It is told to a session that ignores nothing, and so is its deletion."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop, ignore=Ignore(categories=()))
    ada.show_status_to([shop.number])

    post_id = await ada.send_text(STATUS, "on my way")
    told = await gateway.backend.expect(StatusReceived, name)
    await ada.revoke(post_id)
    deleted = await gateway.backend.expect(MessageRevoked, name)

    assert (told.data.chat, told.data.message_id) == (STATUS, post_id)
    assert told.data.sender.phone_number == f"+{ada.number}"
    assert told.data.content == TextContent(text="on my way")
    assert deleted.data.content.target.message_id == post_id
    assert deleted.data.chat == STATUS


async def test_what_a_session_ignores(gateway: Gateway, name: str) -> None:
    """Status posts, unless it says otherwise: a message that comes later is told first."""
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    ada.show_status_to([shop.number])

    await ada.send_text(STATUS, "on my way")
    message_id = await ada.send_text(shop.number, "Hello")
    await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.message_id == message_id
    )

    events = gateway.backend.events_of(name)
    assert not [event for event in events if isinstance(event, StatusReceived)]
