"""A backend asks what there was: messages, how far one has got, chats, people."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from gateway_contracts import (
    ChatList,
    ChatMarkRead,
    ChatMarkReadData,
    ChatPage,
    ChatRead,
    ChatSummary,
    CommandFailed,
    CommandScheduled,
    ContactErase,
    ContactErased,
    ContactExport,
    ContactList,
    ContactPage,
    ContactPicture,
    ContactPictureData,
    Erased,
    ErrorCode,
    Exported,
    MediaReady,
    MessageHistory,
    MessageHistoryData,
    MessagePage,
    MessageReceipt,
    MessageReceived,
    MessageState,
    MessageStatus,
    MessageStatusData,
    MessageStatusInfo,
    PersonData,
    ReceiptStatus,
    ScheduledSends,
    ScheduleList,
    SendState,
    SessionState,
    SessionStop,
)
from gateway_worker.sandbox.phones.media.draft import MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from tests.e2e.shared.test_media_arrives import read
from tests.support import samples

if TYPE_CHECKING:
    from tests.e2e.harness import Gateway


async def chats(gateway: Gateway, name: str) -> tuple[ChatSummary, ...]:
    """Return the chats of a session."""
    result = await gateway.succeed(ChatList(source=gateway.backend.source, subject=name))
    assert isinstance(result, ChatPage)
    return result.chats


def is_about(command_id: str, event: CommandScheduled) -> bool:
    """Whether it tells of a command."""
    return event.correlationid == command_id


async def test_a_backend_asks_what_there_was(gateway: Gateway, name: str) -> None:
    """While the session is connected, and once it is stopped."""
    source = gateway.backend.source
    shop, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    await gateway.link(name, shop)
    command = gateway.text(name, ada.number, "Your order is ready.", client_ref="order-4711")
    sent = await gateway.succeed(command)
    await ada.read(await ada.next_message(timeout=30))
    answer_id = await ada.send_text(shop.number, "Thank you")
    await gateway.backend.expect(
        MessageReceipt, name, lambda event: event.data.status is ReceiptStatus.READ
    )
    arrived = await gateway.backend.expect(MessageReceived, name)

    (chat,) = await chats(gateway, name)
    assert (chat.chat_id, chat.unread) == (arrived.data.chat_id, 1)
    assert chat.last_message.message_id == answer_id

    marked = ChatMarkReadData(chat=f"+{ada.number}", message_ids=(answer_id,))
    await gateway.succeed(ChatMarkRead(source=source, subject=name, data=marked))
    assert [one.unread for one in await chats(gateway, name)] == [0]

    await shop.read(answer_id)  # on the phone
    read = await gateway.backend.expect(ChatRead, name)
    assert (read.data.chat_id, read.data.message_ids) == (chat.chat_id, (answer_id,))
    assert [one.unread for one in await chats(gateway, name)] == [0]

    status = MessageStatus(
        source=source, subject=name, data=MessageStatusData(client_ref="order-4711")
    )
    found = await gateway.succeed(status)
    assert isinstance(found, MessageStatusInfo)
    assert [(one.command_id, one.state) for one in found.commands] == [
        (command.id, SendState.SUCCEEDED)
    ]
    (progress,) = found.messages
    assert (progress.message_id, progress.state) == (sent.message_id, MessageState.READ)
    (receipt,) = progress.receipts
    assert receipt.delivered_at is not None
    assert receipt.read_at is not None

    people = await gateway.succeed(ContactList(source=source, subject=name))
    assert isinstance(people, ContactPage)
    (person,) = people.people
    assert (person.chat_id, person.push_name) == (chat.chat_id, arrived.data.sender.push_name)

    await gateway.succeed(SessionStop(source=source, subject=name))
    await gateway.until(name, SessionState.STOPPED)
    asked = MessageHistoryData(chat=f"+{ada.number}", limit=1)
    texts = []
    while True:
        page = await gateway.succeed(MessageHistory(source=source, subject=name, data=asked))
        assert isinstance(page, MessagePage)
        texts += [(one.direction.value, one.content.model_dump()["text"]) for one in page.messages]
        if page.next_cursor is None:
            break
        asked = asked.model_copy(update={"cursor": page.next_cursor})
    assert texts == [("in", "Thank you"), ("out", "Your order is ready.")]


async def test_a_person_is_exported_and_then_erased(gateway: Gateway, name: str) -> None:
    """Messages, files, scheduled sends; what others wrote stays, and the person can write again."""
    source = gateway.backend.source
    shop, ada, ben = [await gateway.sandbox.add_phone() for _ in range(3)]
    await gateway.link(name, shop)
    await gateway.succeed(gateway.text(name, ada.number, "Your order is ready."))
    picture = MediaDraft(kind=MediaKind.IMAGE, data=os.urandom(5_000))
    await ada.send_media(shop.number, picture)
    await ben.send_text(shop.number, "Hello")
    await gateway.backend.expect(MediaReady, name)
    await gateway.backend.expect(
        MessageReceived, name, lambda event: event.data.sender.phone_number == f"+{ben.number}"
    )
    person = PersonData(contact=f"+{ada.number}")
    ada.set_picture(samples.picture(form="JPEG"))
    portrait = ContactPictureData(contact=person.contact, store=True)
    await gateway.succeed(ContactPicture(source=source, subject=name, data=portrait))
    due_at = datetime.now(UTC) + timedelta(hours=1)
    later = gateway.text(name, ada.number, "See you", scheduled_at=due_at)
    others = gateway.text(name, ben.number, "See you", scheduled_at=due_at)
    for command in (later, others):
        await gateway.backend.publish(command)
        await gateway.backend.expect(CommandScheduled, name, partial(is_about, command.id))

    exported = await gateway.succeed(ContactExport(source=source, subject=name, data=person))
    assert isinstance(exported, Exported)
    lines = [json.loads(line) for line in (await read(exported.url)).splitlines()]
    assert len(lines) == exported.lines
    kinds = [one["content"]["kind"] for one in lines if one["type"] == "message"]
    assert kinds == ["text", "image"]
    assert lines[0]["type"] == "person"

    erased = await gateway.succeed(ContactErase(source=source, subject=name, data=person))
    assert isinstance(erased, Erased)
    event = await gateway.backend.expect(ContactErased, name)
    assert event.data.counts == erased.counts
    counts = erased.counts
    assert (counts.messages, counts.files, counts.objects) == (2, 2, 2)
    assert counts.chats >= 1
    assert counts.outcomes == 1
    assert counts.events >= 3
    called_off = await gateway.backend.outcome(later.id)
    assert isinstance(called_off, CommandFailed)
    assert called_off.data.error.code is ErrorCode.CANCELLED
    waiting = await gateway.succeed(ScheduleList(source=source, subject=name))
    assert isinstance(waiting, ScheduledSends)
    assert [one.command_id for one in waiting.scheduled] == [others.id]

    listed = await gateway.succeed(MessageHistory(source=source, subject=name))
    assert isinstance(listed, MessagePage)
    assert [one.content.model_dump()["text"] for one in listed.messages] == ["Hello"]
    again = await ada.send_text(shop.number, "It is me again")
    told = await gateway.told(name, again)
    assert told.sender.phone_number == f"+{ada.number}"
