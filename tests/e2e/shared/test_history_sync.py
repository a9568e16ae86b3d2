"""A backend is told what was written before the account was linked, and finds it later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway_contracts import (
    AnalyticsCounters,
    AnalyticsCountersData,
    ChatList,
    ChatPage,
    ContactErase,
    Counters,
    HistoryDepth,
    HistoryKind,
    HistoryMessages,
    MessageHistory,
    MessageHistoryData,
    MessagePage,
    MessageReceived,
    PersonData,
    TextContent,
)
from gateway_worker.sandbox.phones.history import HistoryPart, PastChat, PastMessage, made_chats

if TYPE_CHECKING:
    from tests.e2e.harness import Gateway

SENT_AT = 1_795_000_000
EARLIER = 1_600_000_000


async def test_what_was_before_is_told_and_stored(gateway: Gateway, name: str) -> None:
    """In pages, beside what arrives; once, over the death of the host, and counted by nobody.

    Of a person who is erased later nothing comes back with what the phone sends after that.
    """
    source = gateway.backend.source
    phone, ada = await gateway.sandbox.add_phone(), await gateway.sandbox.add_phone()
    others = {host.pid for host in gateway.worker.hosts()}
    await gateway.link(name, phone, history=HistoryDepth.RECENT)
    (host,) = (host for host in gateway.worker.hosts() if host.pid not in others)
    chat = f"{ada.number}@s.whatsapp.net"
    past = PastChat(
        address=chat,
        name="Ada",
        unread=2,
        messages=[
            PastMessage(message_id=f"PAST{number}", text=f"{number}", sent_at=SENT_AT - number)
            for number in range(5)
        ],
    )
    made = made_chats(4, 400, characters=50, first=int(ada.number) + 1)

    await phone.send_history(HistoryPart(chats=(past, *made)))
    first = await gateway.backend.expect(HistoryMessages, name, seconds=60)
    host.kill()
    await ada.send_text(phone.number, "now")
    arrived = await gateway.backend.expect(MessageReceived, name, seconds=60)
    await gateway.backend.expect(
        HistoryMessages, name, lambda event: event.data.finished, seconds=60
    )

    assert arrived.data.content == TextContent(text="now")
    assert (first.data.kind, first.data.chat_name) == (HistoryKind.RECENT, "Ada")
    assert first.data.chat_id == arrived.data.chat_id
    events = {
        event.id: event
        for event in gateway.backend.events_of(name)
        if isinstance(event, HistoryMessages)
    }
    messages = [message for event in events.values() for message in event.data.messages]
    assert len(messages) == len({one.message_id for one in messages}) == 5 + 4 * 400

    page = await gateway.succeed(ChatList(source=source, subject=name))
    assert isinstance(page, ChatPage)
    unread = {one.chat_id: one.unread for one in page.chats}
    assert len(unread) == 5
    assert unread.pop(first.data.chat_id or "") == 3
    assert set(unread.values()) == {0}
    asked = MessageHistoryData(chat=f"+{ada.number}")
    found = await gateway.succeed(MessageHistory(source=source, subject=name, data=asked))
    assert isinstance(found, MessagePage)
    texts = [one.content.model_dump()["text"] for one in found.messages]
    assert texts == ["now", "0", "1", "2", "3", "4"]

    today = arrived.time.date()
    days = AnalyticsCountersData(since=today - timedelta(days=1), until=today + timedelta(days=1))
    counters = await gateway.succeed(AnalyticsCounters(source=source, subject=name, data=days))
    assert isinstance(counters, Counters)
    assert sum(kind.received for day in counters.days for kind in day.kinds) == 1

    person = PersonData(contact=f"+{ada.number}")
    await gateway.succeed(ContactErase(source=source, subject=name, data=person))
    seen = len(gateway.backend.arrivals)
    old = PastMessage(message_id="OLD", text="old", sent_at=EARLIER)
    other = f"{int(ada.number) + 9}@s.whatsapp.net"
    chats = [PastChat(address=one, name="One", messages=[old]) for one in (other, chat)]
    await phone.send_history(HistoryPart(chats=chats))
    last = await gateway.backend.expect(
        HistoryMessages, name, lambda event: event.data.finished, after=seen, seconds=60
    )
    found = await gateway.succeed(MessageHistory(source=source, subject=name, data=asked))

    assert (last.data.chat, last.data.messages) == (None, ())
    assert isinstance(found, MessagePage)
    assert found.messages == ()
