"""What conversations are called: one person is one chat, whatever mix of ids arrives."""

from dataclasses import replace

import sqlalchemy

from gateway_contracts import (
    ChatMerged,
    CommandSucceeded,
    CommandSucceededData,
    Event,
    MessageReceived,
    SentInfo,
    parse_event,
)
from gateway_worker.sessions.changes import Change
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresMessageStore
from gateway_worker.storage.db.history import PostgresHistoryStore
from tests.integration.storage.db.support import (
    CHAT,
    NOW,
    SEND,
    SOURCE,
    WORKER,
    finished,
    message,
    numbers,
    rows_of,
)

LID = "100000000000002@lid"
CREW = "120363000000000001@g.us"


def arrived(number: int, chat: str, lid: str | None = None, *, session: str = "s") -> Change:
    """Return the arrival of a message in a chat."""
    change = message(number, chat=chat, session=session)
    (event,) = change.events
    assert isinstance(event, MessageReceived)
    data = event.data.model_copy(update={"chat": chat, "chat_lid": lid})
    return replace(change, events=(event.model_copy(update={"data": data}),))


def sent(command_id: str, chat: str, lid: str | None = None) -> Change:
    """Return the good end of a send to a chat."""
    result = SentInfo(message_id=f"of-{command_id}", chat=chat, chat_lid=lid, timestamp=NOW)
    data = CommandSucceededData(command_type=SEND, result=result)
    event = CommandSucceeded(source=SOURCE, subject="s", correlationid=command_id, data=data)
    return replace(finished(command_id), events=(event,))


async def told(changes: PostgresChangeStore, *batch: Change) -> list[Event]:
    """Return the events of a commit, in order."""
    return [parse_event(row.body) for row in rows_of(await changes.commit(batch))]


async def called(changes: PostgresChangeStore, *batch: Change) -> list[object]:
    """Return what the chats of a commit's events are called; what is merged, as a pair."""
    return [
        (event.data.merged_chat_id, event.data.chat_id)
        if isinstance(event, ChatMerged)
        else event.model_dump()["data"]["chat_id"]
        for event in await told(changes, *batch)
    ]


async def test_a_chat_keeps_the_name_under_which_it_was_first_seen(
    changes: PostgresChangeStore,
) -> None:
    """By whichever id the next message comes, in this batch or a later one."""
    assert await called(changes, arrived(1, LID), arrived(2, LID)) == [LID, LID]
    assert await called(changes, arrived(3, CHAT, LID), sent("c", CHAT)) == [LID, LID]
    assert await called(changes, arrived(4, LID, LID), arrived(5, CHAT)) == [LID, LID]


async def test_two_that_turn_out_to_be_one_are_merged(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Once, before the event that shows it; the older name stays, for other workers, too."""
    await changes.commit([sent("c", CHAT)])
    assert await called(changes, arrived(1, LID)) == [LID]

    events = await told(changes, arrived(2, LID), arrived(3, CHAT, LID), arrived(4, LID))
    merged = [event for event in events if isinstance(event, ChatMerged)]
    names = [event.model_dump()["data"]["chat_id"] for event in events]
    assert names == [LID, CHAT, CHAT, CHAT]
    assert [one.data.merged_chat_id for one in merged] == [LID]
    assert events.index(merged[0]) == 1
    assert numbers(rows_of(await changes.commit([arrived(5, LID)]))) == [7]
    other = PostgresChangeStore(database=database, worker_id=WORKER)
    assert await called(other, arrived(6, LID), arrived(7, CHAT, LID)) == [CHAT, CHAT]


async def test_a_number_is_remembered_as_a_command_has_written_it(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Brazil's ninth digit: whoever asks by it later means the chat that WhatsApp knows."""
    written, known = "5511987654322@s.whatsapp.net", "551187654322@s.whatsapp.net"
    row = message(1, chat=known).message
    assert row is not None
    change = replace(sent("c", known), message=replace(row, asked=written))

    assert await called(changes, change, arrived(2, known, LID)) == [known, known]
    history = PostgresHistoryStore(database=database)
    assert {*await history.ids_of("s", written)} == {written, known, LID}
    (person,) = await history.people("s", after=None, limit=2)
    assert person.chat_id == known
    assert {*await history.ids_of("s", "551187654399@s.whatsapp.net")} == {
        "551187654399@s.whatsapp.net",
        "5511987654399@s.whatsapp.net",
    }


async def test_a_group_is_called_as_it_is(database: Database, changes: PostgresChangeStore) -> None:
    """Nobody has to look."""
    assert await called(changes, arrived(1, CREW)) == [CREW]
    assert not await PostgresMessageStore(database=database).knows("s", chats=[CREW])


async def test_sessions_have_names_of_their_own(changes: PostgresChangeStore) -> None:
    """Each its first."""
    await changes.commit([arrived(1, LID), arrived(1, CHAT, session="t")])
    names = await called(changes, arrived(2, CHAT, LID), arrived(2, CHAT, LID, session="t"))

    assert names == [LID, CHAT]


async def test_whom_a_session_is_in_touch_with_outlives_the_messages(
    database: Database, changes: PostgresChangeStore
) -> None:
    """Those whom it wrote to and those who wrote to it, by each id; each session's its own."""
    history = PostgresMessageStore(database=database)
    await changes.commit([arrived(1, CHAT, LID), sent("c", "b@lid")])
    async with database.statement("forgetting") as connection:
        await connection.execute(sqlalchemy.text("DELETE FROM messages"))

    assert await history.knows("s", chats=["a@lid", CHAT])
    assert await history.knows("s", chats=[LID])
    assert await history.knows("s", chats=["b@lid"])
    assert not await history.knows("s", chats=["a@lid"])
    assert not await history.knows("t", chats=[CHAT])
