"""The change store on a real PostgreSQL: what is written once, in order, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from gateway_contracts import (
    CommandSucceeded,
    CommandSucceededData,
    Done,
    MessageData,
    MessageReceived,
    PairByQr,
    Participant,
    SessionState,
    TextContent,
    parse_event,
)
from gateway_worker.commands.ports import Received, Verdict
from gateway_worker.sessions.changes import Change, DesiredState, Direction, MessageRow, Outcome
from gateway_worker.sessions.ports import SessionRow
from gateway_worker.storage.db import (
    Database,
    DatabaseSettings,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresOutboxStore,
    PostgresSessionStore,
)
from gateway_worker.storage.db.migrate import downgrade, pending_revisions, upgrade

WORKER, NOW = "w", datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def database(blank_database_url: str) -> AsyncIterator[Database]:
    await upgrade(blank_database_url)
    settings = DatabaseSettings(url=SecretStr(blank_database_url))
    async with Database(settings=settings) as database:
        for name in ("s", "t"):
            await PostgresSessionStore(database=database).create(
                SessionRow(
                    session_id=name,
                    state=SessionState.CREATED,
                    desired=DesiredState.RUNNING,
                    pairing=PairByQr(),
                    device_name="d",
                    worker_id=WORKER,
                    created_at=NOW,
                )
            )
        yield database


def message(number: int, *, session: str = "s", epoch: int = 1, words: str = "hi") -> Change:
    """Return the arrival of one message."""
    content, chat, message_id = TextContent(text=words), "c@s.whatsapp.net", f"M{number}"
    data = MessageData(
        message_id=message_id,
        chat=chat,
        sender=Participant(jid=chat),
        timestamp=NOW,
        content=content,
    )
    return Change(
        session_id=session,
        epoch=epoch,
        events=(MessageReceived(source="/workers/w", subject=session, data=data),),
        message=MessageRow(
            chat=chat,
            message_id=message_id,
            direction=Direction.IN,
            sender=chat,
            content=content,
            timestamp=NOW,
        ),
    )


def finished(command_id: str, *, session: str = "s", delete: bool = False) -> Change:
    """Return the good end of a command."""
    kind = "wa.session.delete.v1"
    data = CommandSucceededData(command_type=kind, result=Done())
    event = CommandSucceeded(
        source="/workers/w", subject=session, correlationid=command_id, data=data
    )
    outcome = Outcome(command_id=command_id, command_type=kind, result=Done())
    return Change(session_id=session, epoch=1, events=(event,), outcome=outcome, delete=delete)


async def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    async with database.statement("counting") as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def test_migrations_run_side_by_side_and_back(blank_database_url: str) -> None:
    """Four workers that start at once leave one schema, which goes away again."""
    await asyncio.gather(*(upgrade(blank_database_url) for _ in range(4)))
    assert await pending_revisions(blank_database_url) == ()
    await downgrade(blank_database_url, "base")
    assert await pending_revisions(blank_database_url) == ("0001",)


async def test_sequences_are_gapless_over_repeats_and_zombies(database: Database) -> None:
    """Repeats inside a batch and before it, and a former owner's steps, take no number."""
    store = PostgresChangeStore(database=database, worker_id=WORKER)
    await store.commit([message(1)])
    answers = await store.commit(
        [
            message(1),
            message(2),
            message(9, epoch=7),
            message(2),
            message(3),
            message(1, session="t"),
        ]
    )

    assert [a.applied for a in answers] == [False, True, False, False, True, True]
    assert [a.fenced for a in answers] == [False, False, True, False, False, False]
    numbers = [parse_event(row.body).sequence[-1] for a in answers for row in a.rows]  # type: ignore[union-attr, index]
    assert numbers == ["2", "3", "1"]
    assert await count(database, "messages") == 4


async def test_nul_in_a_message_is_stored(database: Database) -> None:
    """What jsonb cannot hold must not be refused for ever."""
    store = PostgresChangeStore(database=database, worker_id=WORKER)
    assert (await store.commit([message(1, words="a\x00b\\u0000")]))[0].applied


async def test_delete_leaves_the_tombstone_and_the_unpublished_events(database: Database) -> None:
    """Steps behind the deletion in the same batch find the session gone."""
    store = PostgresChangeStore(database=database, worker_id=WORKER)
    answers = await store.commit([message(1), finished("d", delete=True), message(2)])

    assert [a.fenced for a in answers] == [False, False, True]
    tables = ("sessions", "messages", "commands", "outbox")
    assert [await count(database, table) for table in tables] == [1, 0, 1, 2]
    outbox = PostgresOutboxStore(database=database, worker_id=WORKER)
    rows = await outbox.pending(after=0, limit=10)
    assert list(rows) == [row for a in answers for row in a.rows]
    await outbox.mark_published([row.outbox_id for row in rows])
    assert await count(database, "outbox") == 0


async def test_an_uncertain_commit_is_recognised(database: Database) -> None:
    """The same batch after a lost answer gets the stored rows, and no second set of events."""
    store = PostgresChangeStore(database=database, worker_id=WORKER)
    batch = [message(1), finished("c")]
    first = await store.commit(batch)
    store._unsure, store._last_outbox_id = True, 0  # as after a connection lost in the commit

    assert await store.commit(batch) == first
    assert await count(database, "outbox") == 2


async def test_inbox_verdicts(database: Database) -> None:
    """New, interrupted, finished; and another session never reads the outcome."""
    inbox = PostgresInboxStore(database=database)
    mine = Received(command_id="c", session_id="s", command_type="x", worker_id=WORKER)
    other = Received(command_id="c", session_id="t", command_type="x", worker_id=WORKER)
    entries = [*await inbox.enter([mine]), *await inbox.enter([mine, mine, other])]
    await PostgresChangeStore(database=database, worker_id=WORKER).commit([finished("c")])
    entries += await inbox.enter([mine])

    verdicts = [(entry.verdict, entry.attempts) for entry in entries]
    assert verdicts[:3] == [(Verdict.NEW, 1), (Verdict.INTERRUPTED, 2), (Verdict.INTERRUPTED, 3)]
    assert entries[3].outcome is not None
    assert entries[3].outcome.error is not None
    assert entries[4].outcome is not None
    assert entries[4].outcome.result == Done()
