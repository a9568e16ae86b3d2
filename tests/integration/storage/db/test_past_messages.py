"""Messages from before the account was linked: stored once, counted by nobody, and still news."""

from datetime import timedelta
from typing import Any

import pytest

from gateway_contracts import ChatListData, MessageHistoryData, TextContent
from gateway_worker.history.reading import History
from gateway_worker.sessions.changes import Change, Direction, MessageRow, ReadMark
from gateway_worker.storage.db import Database, PostgresChangeStore
from gateway_worker.storage.db.analytics import PostgresAnalyticsStore
from gateway_worker.storage.db.erasing import PostgresErasureStore
from gateway_worker.storage.db.history import PostgresHistoryStore
from gateway_worker.storage.db.past_messages import PostgresPastMessages
from tests.integration.storage.db.support import CHAT, NOW, finished, message

LID = "100000000000102@lid"
ME = "me:1@s.whatsapp.net"


@pytest.fixture
def past(database: Database) -> PostgresPastMessages:
    """Writes histories."""
    return PostgresPastMessages(database=database)


@pytest.fixture
def history(database: Database) -> History:
    """The history of the database."""
    return History(store=PostgresHistoryStore(database=database))


def row(number: int, **values: Any) -> MessageRow:
    """Return a message of before; each older than the one before it."""
    found: dict[str, Any] = {
        "chat": CHAT,
        "message_id": f"M{number}",
        "direction": Direction.IN,
        "sender": CHAT,
        "content": TextContent(text=f"text {number}"),
        "timestamp": NOW - timedelta(minutes=number),
        **values,
    }
    return MessageRow(**found)


async def ids(history: History) -> list[str]:
    """Return the ids of the chat's messages, the newest first."""
    page = await history.messages("s", MessageHistoryData(chat=CHAT))
    return [one.message_id for one in page.messages]


async def test_they_are_stored_once(past: PostgresPastMessages, history: History) -> None:
    """However often they come, also under the writer's other id; in the order of their times."""
    rows = [row(number) for number in range(3)]
    own = row(3, direction=Direction.OUT, sender=ME)
    assert await past.write("s", epoch=1, rows=[*rows, own])
    assert await past.write("s", epoch=1, rows=[*rows, row(4)])
    by_number = "15550100009@s.whatsapp.net"
    assert await past.write("s", epoch=1, rows=[row(9, chat=LID, sender=LID)])
    renamed = row(9, chat=by_number, sender=by_number, sender_lid=LID)
    assert await past.write("s", epoch=1, rows=[renamed])

    assert await ids(history) == ["M0", "M1", "M2", "M3", "M4"]
    page = await history.messages("s", MessageHistoryData(chat=by_number))
    assert not page.messages


async def test_what_a_command_has_sent_is_not_stored_again(
    past: PostgresPastMessages, history: History, changes: PostgresChangeStore
) -> None:
    """A phone may tell of it too, as written by the account, not by one of its devices."""
    sent = message(3, direction=Direction.OUT, sender=ME).message
    await changes.commit([finished("c", message=sent)])

    own = row(3, direction=Direction.OUT, sender="me@s.whatsapp.net")
    assert await past.write("s", epoch=1, rows=[own])

    assert await ids(history) == ["M3"]


async def test_another_owner_has_it(past: PostgresPastMessages, history: History) -> None:
    """Nothing is written under an epoch that is over, or of a session that is no more."""
    assert not await past.write("s", epoch=2, rows=[row(0)])
    assert not await past.write("gone", epoch=1, rows=[row(0)])
    assert not await ids(history)


async def test_chats_show_them_and_what_is_unread(
    past: PostgresPastMessages, history: History, changes: PostgresChangeStore
) -> None:
    """The newest of them, and what others wrote after what was read on the phone."""
    await past.write("s", epoch=1, rows=[row(number) for number in range(5)])
    read = ReadMark(chat=CHAT, message_ids=(), at=NOW - timedelta(minutes=2))
    await changes.commit([Change(session_id="s", epoch=1, read=read)])

    page = await history.chats("s", ChatListData())

    (chat,) = page.chats
    assert (chat.last_message.message_id, chat.unread) == ("M0", 2)


async def test_nobody_has_received_them(database: Database, past: PostgresPastMessages) -> None:
    """They are in no count of a day."""
    await past.write("s", epoch=1, rows=[row(0), row(1, direction=Direction.OUT, sender=ME)])

    async with database.direct("asking") as connection:
        today = await connection.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")
    counts = await PostgresAnalyticsStore(database=database).count("s", today)

    assert counts.kinds == ()


async def test_one_that_arrives_is_told_all_the_same(
    past: PostgresPastMessages, history: History, changes: PostgresChangeStore
) -> None:
    """Once: it is stored as one that was received then, and its repeat is known."""
    await past.write("s", epoch=1, rows=[row(0), row(1)])

    batch = await changes.commit([message(0), message(0)])
    later = await changes.commit([message(0), message(2)])

    assert [one.applied for one in [*batch, *later]] == [True, False, False, True]
    assert sorted(await ids(history)) == ["M0", "M1", "M2"]


async def test_who_was_erased_is_known_by_each_id(
    database: Database, past: PostgresPastMessages
) -> None:
    """Of that session alone, since the last time; no id stands in the table."""
    erasure = PostgresErasureStore(database=database)
    await erasure.mark("s", [CHAT, LID])
    first = await past.erased("s", [CHAT, LID, ME])
    await erasure.mark("s", [LID])
    again = await past.erased("s", [LID])

    assert set(first) == {CHAT, LID}
    assert first[CHAT] == first[LID] < again[LID]
    assert await past.erased("t", [CHAT, LID]) == {}
    assert await past.erased("s", []) == {}
    async with database.direct("asking") as connection:
        stored = await connection.fetchval("SELECT string_agg(e::text, ' ') FROM erased_people e")
    assert "12025550102" not in stored
    assert "100000000000102" not in stored
