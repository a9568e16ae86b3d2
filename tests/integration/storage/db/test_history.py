"""The history as it is read: in order, page by page, by chat, direction, kind and time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from gateway_contracts import (
    Attendance,
    ChatListData,
    ContactListData,
    EventResponseContent,
    ImageContent,
    Media,
    MessageData,
    MessageHistoryData,
    MessageReceived,
    MessageState,
    MessageStatusData,
    MetContact,
    Participant,
    ReactionContent,
    ReceiptStatus,
    SendState,
    StoredMessage,
    TextContent,
)
from gateway_contracts.media import MediaState
from gateway_contracts.references import MessageReference
from gateway_worker.errors import (
    DatabaseUnavailableError,
    DependencyError,
    InvalidCommandError,
)
from gateway_worker.history.ports import Place, Wanted
from gateway_worker.history.reading import History
from gateway_worker.sessions.changes import Change, Direction, MessageRow, ReadMark
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresSessionStore,
)
from gateway_worker.storage.db.erased_people import mark_erased
from gateway_worker.storage.db.history import PostgresHistoryStore
from gateway_worker.storage.db.message_pages import LOOKED_AT, page_of
from tests.integration.storage.db.support import (
    CHAT,
    NOW,
    SOURCE,
    finished,
    message,
    opened,
    receipt,
    received,
    uncertain,
)
from tests.support.databases import execute
from tests.support.eventually import eventually

LID = "100000000000102@lid"
GROUP = "120363025550100001@g.us"
ME = "me:1@s.whatsapp.net"


@pytest.fixture
def store(database: Database) -> PostgresHistoryStore:
    """What reads the history out of the database."""
    return PostgresHistoryStore(database=database)


@pytest.fixture
def history(store: PostgresHistoryStore) -> History:
    """The history of the database."""
    return History(store=store)


def said(number: int, *, chat: str = CHAT, chat_lid: str | None = None, **row: Any) -> Change:
    """Return a message that arrived `number` seconds after the beginning."""
    content = row.pop("content", TextContent(text=f"text {number}"))
    data = MessageData(
        message_id=f"M{number}",
        chat=chat,
        chat_lid=chat_lid,
        sender=Participant(jid=CHAT),
        timestamp=NOW,
        content=content,
    )
    values = {
        "chat": chat,
        "message_id": f"M{number}",
        "direction": Direction.IN,
        "sender": CHAT,
        "content": content,
        "timestamp": NOW + timedelta(seconds=number),
        **row,
    }
    return Change(
        session_id="s",
        epoch=1,
        events=(MessageReceived(source=SOURCE, subject="s", data=data),),
        message=MessageRow(**values),
    )


def sent(number: int, **row: Any) -> Change:
    """Return a message of the account's own."""
    return said(number, direction=Direction.OUT, sender=ME, **row)


def reacted(number: int) -> Change:
    """Return a reaction to another message."""
    target = MessageReference(message_id="M1", chat=CHAT)
    return said(number, content=ReactionContent(emoji="+", target=target))


def answered(number: int) -> Change:
    """Return an answer to an appointment."""
    target = MessageReference(message_id="M1", chat=CHAT)
    content = EventResponseContent(target=target, response=Attendance.GOING)
    return said(number, content=content)


async def all_pages(history: History, **wanted: Any) -> list[list[StoredMessage]]:
    """Read to the end."""
    pages, cursor = [], None
    while True:
        page = await history.messages("s", MessageHistoryData(cursor=cursor, **wanted))
        pages.append(list(page.messages))
        cursor = page.next_cursor
        if cursor is None:
            return pages


def ids(pages: Sequence[Sequence[StoredMessage]]) -> list[str]:
    """Return the ids of messages of pages."""
    return [one.message_id for page in pages for one in page]


def names(*numbers: int) -> list[str]:
    """Return the ids of messages by number."""
    return [f"M{number}" for number in numbers]


async def test_a_chat_is_read_page_by_page(changes: PostgresChangeStore, history: History) -> None:
    """From either end, in WhatsApp's order, each once, also those of one and the same second."""
    together = [said(number, timestamp=NOW) for number in range(100, 105)]
    await changes.commit([*map(said, range(7)), *together, said(50, chat=GROUP)])

    newest = await all_pages(history, chat=CHAT, limit=5)
    oldest = await all_pages(history, chat="+12025550102", limit=4, order="oldest")

    assert [len(page) for page in newest] == [5, 5, 2]
    assert ids(newest)[:6] == names(6, 5, 4, 3, 2, 1)
    assert set(ids(newest)[6:]) == set(names(0, 100, 101, 102, 103, 104))
    assert ids(oldest) == ids(newest)[::-1]


async def test_one_person_is_one_chat(changes: PostgresChangeStore, history: History) -> None:
    """Whatever ids its messages have come by, and by whichever it is asked for."""
    await changes.commit([said(number, chat=LID) for number in (0, 3, 4)])
    await changes.commit([said(number, chat_lid=LID) for number in (1, 2, 5, 6)])

    for chat in (CHAT, LID, "12025550102"):
        pages = await all_pages(history, chat=chat, limit=2)
        assert ids(pages) == names(6, 5, 4, 3, 2, 1, 0)
        assert {one.chat_id for page in pages for one in page} == {LID}


async def test_a_session_is_read_as_it_was_stored(
    changes: PostgresChangeStore, history: History
) -> None:
    """What comes late is not missed by whoever goes on from where it was."""
    await changes.commit([said(5)])
    await changes.commit([said(6, chat=GROUP)])
    first = await history.messages("s", MessageHistoryData(order="oldest", limit=1))
    await changes.commit([said(1)])  # of long before, by WhatsApp's time

    rest = await history.messages("s", MessageHistoryData(order="oldest", cursor=first.next_cursor))

    assert ids([first.messages, rest.messages]) == names(5, 6, 1)
    assert ids(await all_pages(history, limit=2)) == names(1, 6, 5)
    assert await all_pages(history, since=datetime(2199, 1, 1, tzinfo=UTC)) == [[]]


async def test_by_direction_kind_and_time(changes: PostgresChangeStore, history: History) -> None:
    """All that is given has to be true."""
    await changes.commit([said(1), sent(2), reacted(3), said(4), sent(5), reacted(6)])

    assert ids(await all_pages(history, chat=CHAT, direction="out")) == names(5, 2)
    assert ids(await all_pages(history, kinds=("reaction",), limit=1)) == names(6, 3)
    since, until = NOW + timedelta(seconds=2), NOW + timedelta(seconds=5)
    assert ids(await all_pages(history, chat=CHAT, since=since, until=until)) == names(5, 4, 3, 2)
    assert ids(
        await all_pages(history, chat=CHAT, direction="in", kinds=("text",), since=since, limit=1)
    ) == names(4)


async def test_what_is_rare_is_found_in_bounded_steps(
    database_url: str, changes: PostgresChangeStore, history: History
) -> None:
    """A page may be empty and go on; from cursor to cursor everything is found."""
    await changes.commit([reacted(1), said(2)])
    await execute(
        database_url,
        f"""INSERT INTO messages (session_id, message_id, chat, direction, sender, content,
                timestamp, stored_at)
            SELECT session_id, 'N' || n, chat, direction, sender, content,
                timestamp + n * interval '1 s', stored_at + n * interval '1 s'
            FROM messages, generate_series(1, {LOOKED_AT + 500}) AS n WHERE message_id = 'M2'""",
    )

    for wanted in ({}, {"chat": CHAT}):
        pages = await all_pages(history, kinds=("reaction",), **wanted)
        assert [len(page) for page in pages] == [0, 1]
        assert ids(await all_pages(history, kinds=("reaction",), order="oldest")) == ["M1"]


async def test_large_ones_are_read_a_few_at_a_time(
    changes: PostgresChangeStore, history: History, store: PostgresHistoryStore
) -> None:
    """Two hundred strangers' messages of some MiB have no place in memory; none is left out."""
    large = TextContent(text="x" * 200_000)
    await changes.commit([said(number, content=large) for number in range(6)])
    await changes.commit([said(6), said(7, chat=GROUP, content=large), said(8, chat="9@lid")])

    for wanted in (
        Wanted(session_id="s", chat=CHAT),
        Wanted(session_id="s", chat=CHAT, direction=Direction.IN),
    ):
        found = await store.find(wanted, limit=200)
        assert [row.message_id for row in found.rows] == names(6, 5, 4)
        assert found.end is not None
    assert ids(await all_pages(history, chat=CHAT, limit=200)) == names(6, 5, 4, 3, 2, 1, 0)
    assert ids(await all_pages(history, kinds=("text",), order="oldest")) == names(*range(9))
    assert [len(page) for page in await all_pages(history, chat=CHAT)][:2] == [1, 1]
    chats = [chat async for chat in all_chats(history)]
    assert chats == ["9@lid", GROUP, CHAT]


async def test_questions_leave_connections_for_what_is_sent(
    database: Database, database_url: str, store: PostgresHistoryStore
) -> None:
    """However many are asked at once, and however long their answers take."""
    blocking = await asyncpg.connect(database_url)
    asking: list[asyncio.Task[Any]] = []
    try:
        async with blocking.transaction():
            await blocking.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            most = database.pool.limit // 3
            asking = [asyncio.create_task(store.messages("s", "M1")) for _ in range(40)]
            await eventually(lambda: database.pool.used == most, reason="they are asked")
            assert await PostgresSessionStore(database=database).get("s") is not None
            assert database.pool.used == most
    finally:
        await blocking.close()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_a_question_that_takes_too_long_is_not_asked_for_ever(database_url: str) -> None:
    """It would hold connections without an end, and whoever asks would never hear of it."""
    async with opened(database_url, statement_timeout_seconds=0.2) as database:
        with pytest.raises(DependencyError, match="DATABASE_STATEMENT_TIMEOUT_SECONDS") as caught:
            async with database.question("asking of the past") as connection:
                await connection.fetch("SELECT pg_sleep(600)")
        assert await database.answers()

    assert not isinstance(caught.value, DatabaseUnavailableError)
    assert caught.value.attempts == 2


async def all_chats(history: History) -> AsyncIterator[str]:
    """Yield what all chats are called, page by page."""
    cursor = None
    while True:
        page = await history.chats("s", ChatListData(cursor=cursor))
        for chat in page.chats:
            yield chat.chat_id
        cursor = page.next_cursor
        if cursor is None:
            return


async def test_how_messages_stand(changes: PostgresChangeStore, history: History) -> None:
    """One's own have the farthest that anybody has confirmed; files are told as they are now."""
    pending = Media(state=MediaState.PENDING, media_id="0" * 32)
    await changes.commit([said(1, content=ImageContent(media=pending)), sent(2), sent(3)])
    await changes.commit(
        [
            receipt(2, ReceiptStatus.DELIVERED),
            receipt(2, ReceiptStatus.READ),
            uncertain("c", 4),
        ]
    )

    (page,) = await all_pages(history, chat=CHAT)

    states = {one.message_id: one.state for one in page}
    assert states == {
        "M1": None,
        "M2": MessageState.READ,
        "M3": MessageState.SENT,
        "M4": MessageState.UNCERTAIN,
    }


async def test_what_was_confirmed_under_a_chat_s_other_id_counts(
    changes: PostgresChangeStore, history: History
) -> None:
    """Once both are known as one conversation's."""
    await changes.commit([sent(2), said(3, chat_lid=LID)])
    await changes.commit([receipt(2, ReceiptStatus.READ, participant=LID, chat=LID)])

    (page,) = await all_pages(history, chat=CHAT)

    states = {one.message_id: one.state for one in page}
    assert states == {"M2": MessageState.READ, "M3": None}


async def test_large_messages_make_short_pages(
    changes: PostgresChangeStore, history: History
) -> None:
    """A page stays below what a consumer takes in one piece, and the next one goes on behind it."""
    large = TextContent(text="x" * 40_000)
    await changes.commit([said(number, content=large) for number in range(5)])

    pages = await all_pages(history, chat=CHAT)

    assert [len(page) for page in pages] == [2, 2, 1]
    assert ids(pages) == names(4, 3, 2, 1, 0)


async def test_foreign_cursors_are_refused(history: History) -> None:
    """With the place of the fault."""
    with pytest.raises(InvalidCommandError) as caught:
        await history.messages("s", MessageHistoryData(cursor="made-up"))
    assert caught.value.pointer == "/data/cursor"


async def test_how_far_a_message_has_got(
    changes: PostgresChangeStore, inbox: PostgresInboxStore, history: History
) -> None:
    """By its id, by its command, by what the backend calls it; with who has confirmed it when."""
    await inbox.enter([received("c1", ref="order"), received("c2", ref="order")])
    await changes.commit([sent(1, command_id="c1", client_ref="order")])
    await changes.commit([finished("c1")])
    await changes.commit(
        [receipt(1, ReceiptStatus.DELIVERED), receipt(1, participant="other@s.whatsapp.net")]
    )

    by_id = await history.status("s", MessageStatusData(message_id="M1"))
    (progress,) = by_id.messages
    assert (progress.state, progress.people) == (MessageState.DELIVERED, 2)
    assert {one.participant for one in progress.receipts} == {CHAT, "other@s.whatsapp.net"}
    assert all(one.delivered_at == NOW and one.read_at is None for one in progress.receipts)

    by_ref = await history.status("s", MessageStatusData(client_ref="order"))
    assert {one.command_id: one.state for one in by_ref.commands} == {
        "c1": SendState.SUCCEEDED,
        "c2": SendState.EXECUTING,
    }
    await inbox.suspend("c2", session_id="s")
    (waiting,) = (await history.status("s", MessageStatusData(command_id="c2"))).commands
    assert waiting.state is SendState.WAITING
    nothing = await history.status("s", MessageStatusData(message_id="nobody's"))
    assert (nothing.commands, nothing.messages) == ((), ())
    assert (await history.status("t", MessageStatusData(client_ref="order"))).commands == ()


async def test_a_failed_send_is_known_by_its_ref(
    changes: PostgresChangeStore, inbox: PostgresInboxStore, history: History
) -> None:
    """With its error; one that is uncertain with the message that it may have sent."""
    await inbox.enter([received("c", ref="ref-c")])
    await changes.commit([uncertain("c", 9)])

    status = await history.status("s", MessageStatusData(client_ref="ref-c"))

    (command,), (progress,) = status.commands, status.messages
    assert command.state is SendState.UNCERTAIN
    assert command.error is not None
    assert (progress.message_id, progress.state) == ("M9", MessageState.UNCERTAIN)


async def test_chats_by_their_newest_message(
    changes: PostgresChangeStore, history: History
) -> None:
    """Groups and people, each once, with what is unread of it."""
    await changes.commit([said(1), said(2, chat=GROUP), said(3, chat="111@s.whatsapp.net")])
    await changes.commit([said(4, chat=LID, chat_lid=LID), said(5, chat_lid=LID), reacted(6)])
    await changes.commit([sent(7, chat=GROUP), answered(0)])

    first = await history.chats("s", ChatListData(limit=2))
    rest = await history.chats("s", ChatListData(limit=2, cursor=first.next_cursor))

    told = [*first.chats, *rest.chats]
    assert rest.next_cursor is None
    assert [(one.chat_id, one.is_group, one.unread) for one in told] == [
        (GROUP, True, 1),
        (CHAT, False, 3),
        ("111@s.whatsapp.net", False, 1),
    ]
    assert [one.last_message.message_id for one in told] == names(7, 6, 3)
    assert set(told[1].ids) == {CHAT, LID}


async def test_what_is_read_is_not_unread(changes: PostgresChangeStore, history: History) -> None:
    """Up to the message that was read; an older word of that takes nothing back.

    What has the same id in another chat is another message.
    """
    elsewhere = said(3, chat=GROUP, timestamp=NOW + timedelta(minutes=1))
    await changes.commit([*(said(number) for number in range(1, 5)), elsewhere])

    async def unread(read: ReadMark) -> int:
        await changes.commit([Change(session_id="s", epoch=1, read=read)])
        told = (await history.chats("s", ChatListData())).chats
        return next(one.unread for one in told if one.chat_id == CHAT)

    assert await unread(ReadMark(chat=CHAT, message_ids=("M3",), at=NOW)) == 1
    assert await unread(ReadMark(chat=CHAT, message_ids=("M1",), at=NOW)) == 1
    unknown = ReadMark(chat=CHAT, message_ids=("X",), at=NOW + timedelta(seconds=4))
    assert await unread(unknown) == 0


async def test_many_unread_are_counted_to_a_hundred(
    database_url: str, changes: PostgresChangeStore, history: History
) -> None:
    """And of very many only the newest are looked at."""
    await changes.commit([said(1)])
    await execute(
        database_url,
        """INSERT INTO messages (session_id, message_id, chat, direction, sender, content,
                timestamp)
            SELECT session_id, 'N' || n, chat, direction, sender, content, timestamp
            FROM messages, generate_series(1, 400) AS n WHERE message_id = 'M1'""",
    )
    assert (await history.chats("s", ChatListData())).chats[0].unread == 100


async def test_people_in_pages(changes: PostgresChangeStore, history: History) -> None:
    """Each by all ids, groups not among them; without the session's directory without names."""
    await changes.commit([said(1, chat_lid=LID), said(2, chat=GROUP)])
    await changes.commit([said(number, chat=f"{number}{number}@lid") for number in range(10, 14)])

    people: list[MetContact] = []
    cursor = None
    while True:
        data = ContactListData(limit=2, cursor=cursor)
        page = await history.people("s", data, directory=None)
        people += page.people
        if (cursor := page.next_cursor) is None:
            break

    assert [one.chat_id for one in people] == sorted(one.chat_id for one in people)
    assert len(people) == 5
    (person,) = (one for one in people if one.chat_id == CHAT)
    assert set(person.ids) == {CHAT, LID}
    assert person.push_name is None


async def test_pages_are_read_by_indexes(database: Database, database_url: str) -> None:
    """Of a chat and of a session: in the index's order, whatever is filtered."""
    await execute(
        database_url,
        """INSERT INTO messages (session_id, message_id, chat, direction, sender, content,
                timestamp, stored_at)
            SELECT CASE WHEN n % 2 = 0 THEN 's' ELSE 't' END, 'M' || n, (n % 40) || '@lid', 'in',
                'x', '{"kind": "text"}', now() - n * interval '1 s', now() - n * interval '1 s'
            FROM generate_series(1, 20000) AS n""",
    )
    await execute(database_url, "ANALYZE messages")
    for wanted, index in (
        (Wanted(session_id="s", chat="2@lid"), "messages_chat_idx"),
        (Wanted(session_id="s", chat="2@lid", kinds=("poll",)), "messages_chat_idx"),
        (Wanted(session_id="s"), "messages_stored_idx"),
        (
            Wanted(session_id="s", direction=Direction.OUT, newest_first=False),
            "messages_stored_idx",
        ),
    ):
        statement, values = page_of(wanted, limit=50)
        async with database.direct("explaining") as connection:
            lines = await connection.fetch(f"EXPLAIN {statement}", *values)
        plan = "\n".join(line for (line,) in lines)
        assert index in plan
        assert "Seq Scan" not in plan


@pytest.mark.parametrize("chat", [CHAT, None])
def test_the_database_sorts_texts_as_pages_are_put_together(chat: str | None) -> None:
    """By their characters, whatever order its own language has: else a page may skip messages."""
    after = Place(NOW, NOW, "M1", CHAT, "in", CHAT)
    statement, _ = page_of(Wanted(session_id="s", chat=chat, after=after), limit=50)
    compared, order = statement.split(" ORDER BY ")
    for text in ("message_id", "chat", "direction", "sender"):
        assert f'{text} COLLATE "C"' in compared
        assert f'{text} COLLATE "C" DESC' in order


async def test_a_session_s_rows_go_with_it(
    changes: PostgresChangeStore, history: History, database: Database
) -> None:
    """What was noted as read, too, and who was erased."""
    await changes.commit([message(1)])
    read = ReadMark(chat=CHAT, message_ids=("M1",), at=NOW)
    await changes.commit([Change(session_id="s", epoch=1, read=read)])
    await mark_erased(database, "s", [CHAT])
    await changes.commit([finished("d", delete=True)])
    async with database.direct("looking") as connection:
        assert await connection.fetchval("SELECT count(*) FROM chat_reads") == 0
        assert await connection.fetchval("SELECT count(*) FROM erased_people") == 0
